/* connect/schema.h - Connect's data model: schemas and values.
 *
 * A schema is built once (per table version, per envelope) and shared by all records: immutable
 * after schema_seal, counted. A value is 16 bytes and says only what it is; its meaning comes from
 * the schema beside it. Compound values live in the batch's arena and are never released singly.
 * SPEC: connect 5.1. Thread: building one; afterwards any. */
#ifndef WEIR_CONNECT_SCHEMA_H
#define WEIR_CONNECT_SCHEMA_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

enum schema_type {
    SCHEMA_INT8,
    SCHEMA_INT16,
    SCHEMA_INT32,
    SCHEMA_INT64,
    SCHEMA_FLOAT32,
    SCHEMA_FLOAT64,
    SCHEMA_BOOLEAN,
    SCHEMA_STRING,
    SCHEMA_BYTES,
    SCHEMA_ARRAY,
    SCHEMA_MAP,
    SCHEMA_STRUCT
};

/* How converters treat a named schema; found once by schema_seal. */
enum schema_logical {
    LOGICAL_NONE,
    LOGICAL_DECIMAL,   /* org.apache.kafka.connect.data.Decimal: BYTES, parameter scale */
    LOGICAL_DATE,      /* org.apache.kafka.connect.data.Date: INT32 days */
    LOGICAL_TIME,      /* org.apache.kafka.connect.data.Time: INT32 ms of the day */
    LOGICAL_TIMESTAMP, /* org.apache.kafka.connect.data.Timestamp: INT64 ms */
};

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,   /* u.i */
    VALUE_INT,    /* u.i: every integer width; logical dates too */
    VALUE_DOUBLE, /* u.d: FLOAT32 (already rounded to float) and FLOAT64 */
    VALUE_STRING, /* u.s, n bytes of UTF-8 */
    VALUE_BYTES, /* u.s, n bytes; Decimal: minimal big-endian two's complement of the unscaled value
                  */
    VALUE_ARRAY, /* u.v[0..n) */
    VALUE_MAP,   /* u.v[0..2n): key, value, key, value; schemaless maps have STRING keys */
    VALUE_STRUCT, /* u.v[0..n): one per field of the schema, in its order; absent = VALUE_NULL */
};
struct value {
    uint32_t n;
    uint8_t kind;    /* enum value_kind */
    uint8_t float32; /* VALUE_DOUBLE: came from a float (decides its spelling without a schema) */
    uint16_t scale;  /* schemaless decimals only */
    union {
        int64_t i;
        double d;
        const char *s;
        struct value *v;
    } u;
};
_Static_assert(sizeof(struct value) == 16, "values are copied by the million");

static inline struct value value_null(void)
{
    return (struct value){.kind = VALUE_NULL};
}
static inline struct value value_bool(bool b)
{
    return (struct value){.kind = VALUE_BOOL, .u.i = b};
}
static inline struct value value_int(int64_t i)
{
    return (struct value){.kind = VALUE_INT, .u.i = i};
}
static inline struct value value_double(double d)
{
    return (struct value){.kind = VALUE_DOUBLE, .u.d = d};
}
static inline struct value value_float(float f)
{
    return (struct value){.kind = VALUE_DOUBLE, .float32 = 1, .u.d = f};
}
static inline struct value value_string(struct slice s) /* null slice: null; borrowed */
{
    return s.p ? (struct value){.kind = VALUE_STRING, .n = (uint32_t)s.n, .u.s = s.p}
               : value_null();
}
static inline struct value value_bytes(struct slice s)
{
    return s.p ? (struct value){.kind = VALUE_BYTES, .n = (uint32_t)s.n, .u.s = s.p} : value_null();
}
static inline struct slice value_slice(struct value v) /* STRING and BYTES */
{
    return slice_of(v.u.s, v.n);
}
/* n fields, all null, in the arena. */
struct value value_struct_new(struct arena *a, uint32_t n);
struct value value_array_new(struct arena *a, uint32_t n);
struct value value_map_new(struct arena *a, uint32_t n);
struct value value_copy(struct arena *a, struct value v); /* deep */
bool value_eq(struct value a, struct value b);

struct schema_param {
    struct slice name, value;
};
#define SCHEMA_KEY_PADDING 32
struct schema_field {
    struct slice name;
    const struct schema *schema; /* referenced */
    /* `"name":`, escaped once by schema_seal; at least SCHEMA_KEY_PADDING bytes may be read from
     * its start, so that short keys are copied without looking at their length. */
    struct slice json_key;
};
struct schema {
    enum schema_type type;
    enum schema_logical logical;
    bool optional, has_default, has_version;
    int32_t version;
    int32_t scale;                     /* LOGICAL_DECIMAL */
    struct slice name;                 /* null: none */
    struct slice doc;                  /* null: none */
    struct value def;                  /* default, when has_default; owned by the schema */
    const struct schema_param *params; /* in order */
    size_t params_count;
    const struct schema_field *fields; /* STRUCT */
    size_t fields_count;
    const struct schema *key, *value; /* MAP: both; ARRAY: value */
    struct slice
        json; /* the schema as JsonConverter writes it (without "field"), made by schema_seal */
    struct slice json_open; /* json without its closing brace: `,"field":"x"}` follows */
    struct slice def_json;  /* the default as JsonConverter writes it; null slice: no default */
};

/* Shared schemas without name, optional or not; never released. */
const struct schema *schema_plain(enum schema_type t, bool optional);

/* Building. The builder owns nothing that outlives schema_build. */
struct schema_builder;
struct schema_builder *schema_builder_new(enum schema_type t);
void schema_builder_optional(struct schema_builder *b);
void schema_builder_name(struct schema_builder *b, struct slice name);
void schema_builder_version(struct schema_builder *b, int32_t version);
void schema_builder_doc(struct schema_builder *b, struct slice doc);
void schema_builder_param(struct schema_builder *b, struct slice name, struct slice value);
void schema_builder_default(struct schema_builder *b, struct value v); /* copied */
/* Takes over the caller's reference of `s`. */
void schema_builder_field(struct schema_builder *b, struct slice name, const struct schema *s);
void schema_builder_element(struct schema_builder *b, const struct schema *key,
                            const struct schema *value);
/* Seals (logical type, JSON texts) and releases the builder; one reference to the caller. */
const struct schema *schema_build(struct schema_builder *b);
/* A builder with everything of s (fields included), to change: optional, name, ... */
struct schema_builder *schema_builder_from(const struct schema *s);

const struct schema *schema_ref(const struct schema *s); /* NULL allowed */
void schema_unref(const struct schema *s);               /* NULL allowed; atomic */
/* Whether only `own` references are left, all of them the caller's: nobody else can bring this schema
 * again. False for the plain ones. */
bool schema_is_last(const struct schema *s, int own);
bool schema_eq(const struct schema *a,
               const struct schema *b); /* all parts; pointer-equal is fast */
int schema_field_index(const struct schema *s, struct slice name); /* -1 when absent */
const char *schema_type_name(enum schema_type t); /* "int32", "float", "struct": JSON spelling */
const char *schema_type_java(enum schema_type t); /* "INT32", "FLOAT32", "STRUCT" */

#endif
