/* connect/converters/json_read.c - the reading half of JsonConverter: schema texts and payloads.
 *
 * Payloads are read with the pull parser straight into values of the schema; members in the
 * schema's order are found without a search. Where Java reads nonsense as 0 or null, so does this.
 */
#include "connect/converters/converters.h"

#include <math.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"
#include "connect/jackson.h"
#include "connect/javatext.h"

#define BROKEN_JSON                                                                                \
    DATA_EXCEPTION "Converting byte[] to Kafka Connect data failed due to serialization error: \n" \
                   "Caused by: org.apache.kafka.common.errors.SerializationException: "            \
                   "com.fasterxml.jackson.core.JsonParseException: %s"

struct rd {
    struct json_reader in;
    struct arena *a;
    bool null_to_default;
    struct error *e;
};

static enum err broken(struct rd *r)
{
    char why[200];
    jackson_complaint(&r->in, why, sizeof why);
    return error_set(r->e, jr_err(&r->in) == E_NOMEM ? E_NOMEM : E_INVALID, BROKEN_JSON, why);
}

static const char *node_type(enum json_token t)
{
    switch (t) {
    case JT_OBJECT:
        return "OBJECT";
    case JT_ARRAY:
        return "ARRAY";
    case JT_STRING:
        return "STRING";
    case JT_NUMBER:
        return "NUMBER";
    case JT_TRUE:
    case JT_FALSE:
        return "BOOLEAN";
    default:
        return "NULL";
    }
}

static enum err read_any(struct rd *r, enum json_token t, const struct schema *s,
                         struct value *out);

/* A growing array of values in the arena. */
struct cells {
    struct value *v;
    size_t n, cap;
};

static struct value *cell_add(struct rd *r, struct cells *c)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 8;
        struct value *v = cap > UINT32_MAX / 2 ? NULL : arena_try_alloc(r->a, cap * sizeof *v);
        if (!v) {
            (void)error_set(r->e, E_NOMEM,
                            DATA_EXCEPTION "the JSON value does not fit into memory");
            return NULL;
        }
        if (c->n)
            memcpy(v, c->v, c->n * sizeof *v);
        c->v = v;
        c->cap = cap;
    }
    struct value *v = &c->v[c->n++];
    *v = value_null();
    return v;
}

static enum err null_value(struct rd *r, const struct schema *s, struct value *out)
{
    *out = value_null();
    if (!s || (s->optional && !(s->has_default && r->null_to_default)))
        return E_OK;
    if (s->has_default && r->null_to_default) {
        *out = s->def;
        return E_OK;
    }
    return error_set(r->e, E_INVALID, DATA_EXCEPTION "Invalid null value for required %s field",
                     schema_type_java(s->type));
}

static enum err read_array(struct rd *r, const struct schema *item, struct value *out)
{
    struct cells c = {NULL, 0, 0};
    for (;;) {
        enum json_token t = jr_next(&r->in);
        if (t == JT_ARRAY_END)
            break;
        if (t == JT_ERROR)
            return broken(r);
        struct value v, *cell;
        enum err err = read_any(r, t, item, &v);
        if (err)
            return err;
        cell = cell_add(r, &c);
        if (!cell)
            return E_NOMEM;
        *cell = v;
    }
    *out = (struct value){.kind = VALUE_ARRAY, .n = (uint32_t)c.n, .u.v = c.v};
    return E_OK;
}

/* A member that was there already is replaced, as in a Java map; looked for among the first few
 * only. */
static struct value *map_slot(struct rd *r, struct cells *c, struct value key)
{
    for (size_t i = 0; c->n <= 128 && i < c->n; i += 2)
        if (value_eq(c->v[i], key))
            return &c->v[i + 1];
    struct value *k = cell_add(r, c);
    if (!k)
        return NULL;
    *k = key;
    return cell_add(r, c);
}

static enum err read_object_map(struct rd *r, const struct schema *item, struct value *out)
{
    struct cells c = {NULL, 0, 0};
    for (;;) {
        enum json_token t = jr_next(&r->in);
        if (t == JT_OBJECT_END)
            break;
        if (t != JT_KEY)
            return broken(r);
        struct value key = value_string(jr_string(&r->in, r->a)), v, *slot;
        t = jr_next(&r->in);
        if (t == JT_ERROR || key.kind == VALUE_NULL)
            return broken(r);
        enum err err = read_any(r, t, item, &v);
        if (err)
            return err;
        slot = map_slot(r, &c, key);
        if (!slot)
            return E_NOMEM;
        *slot = v;
    }
    *out = (struct value){.kind = VALUE_MAP, .n = (uint32_t)(c.n / 2), .u.v = c.v};
    return E_OK;
}

static enum err read_pairs_map(struct rd *r, const struct schema *s, struct value *out)
{
    struct cells c = {NULL, 0, 0};
    for (;;) {
        enum json_token t = jr_next(&r->in);
        if (t == JT_ARRAY_END)
            break;
        if (t == JT_ERROR)
            return broken(r);
        if (t != JT_ARRAY)
            return error_set(r->e, E_INVALID,
                             DATA_EXCEPTION "Found invalid map entry instead of array tuple: %s",
                             node_type(t));
        struct value pair, *slot;
        enum err err = E_OK;
        struct value kv[2];
        for (int i = 0; i < 2 && !err; i++) {
            t = jr_next(&r->in);
            if (t == JT_ERROR)
                return broken(r);
            if (t == JT_ARRAY_END)
                return error_set(
                    r->e, E_INVALID,
                    DATA_EXCEPTION "Found invalid map entry, expected length 2 but found :%d", i);
            err = read_any(r, t, i ? s->value : s->key, &kv[i]);
        }
        if (!err && jr_next(&r->in) != JT_ARRAY_END)
            err = jr_err(&r->in)
                      ? broken(r)
                      : error_set(r->e, E_INVALID,
                                  DATA_EXCEPTION
                                  "Found invalid map entry, expected length 2 but found :3");
        if (err)
            return err;
        pair = kv[0];
        slot = map_slot(r, &c, pair);
        if (!slot)
            return E_NOMEM;
        *slot = kv[1];
    }
    *out = (struct value){.kind = VALUE_MAP, .n = (uint32_t)(c.n / 2), .u.v = c.v};
    return E_OK;
}

static enum err read_map(struct rd *r, enum json_token t, const struct schema *s, struct value *out)
{
    bool object = s->key && s->key->type == SCHEMA_STRING;
    if (object && t != JT_OBJECT)
        return error_set(r->e, E_INVALID,
                         DATA_EXCEPTION
                         "Maps with string fields should be encoded as JSON objects, "
                         "but found %s",
                         node_type(t));
    if (!object && t != JT_ARRAY)
        return error_set(r->e, E_INVALID,
                         DATA_EXCEPTION "Maps with non-string fields should be encoded as JSON "
                                        "arrays of tuples, but found %s",
                         node_type(t));
    return object ? read_object_map(r, s->value, out) : read_pairs_map(r, s, out);
}

static enum err read_members(struct rd *r, const struct schema *s, struct value *out, bool *seen)
{
    size_t next = 0;
    for (;;) {
        enum json_token t = jr_next(&r->in);
        if (t == JT_OBJECT_END)
            return E_OK;
        if (t != JT_KEY)
            return broken(r);
        struct slice name = jr_string(&r->in, r->a);
        int at = next < s->fields_count && slice_eq(s->fields[next].name, name)
                     ? (int)next
                     : schema_field_index(s, name);
        t = jr_next(&r->in);
        enum err err = t == JT_ERROR ? E_INVALID : E_OK;
        if (!err && at < 0)
            err = jr_skip(&r->in);
        if (err)
            return broken(r);
        if (at < 0)
            continue;
        err = read_any(r, t, s->fields[at].schema, &out->u.v[at]);
        if (err)
            return err;
        seen[at] = true;
        next = (size_t)at + 1;
    }
}

static enum err read_struct(struct rd *r, enum json_token t, const struct schema *s,
                            struct value *out)
{
    if (t != JT_OBJECT)
        return error_set(r->e, E_INVALID,
                         DATA_EXCEPTION "Structs should be encoded as JSON objects, but found %s",
                         node_type(t));
    struct value *cells = arena_try_calloc(r->a, s->fields_count + 1, sizeof *cells);
    bool *seen = arena_try_calloc(r->a, s->fields_count + 1, sizeof *seen);
    if (!cells || !seen)
        return error_set(r->e, E_NOMEM, DATA_EXCEPTION "the JSON value does not fit into memory");
    *out = (struct value){.kind = VALUE_STRUCT, .n = (uint32_t)s->fields_count, .u.v = cells};
    enum err err = read_members(r, s, out, seen);
    for (size_t i = 0; !err && i < s->fields_count; i++)
        if (!seen[i])
            err = null_value(r, s->fields[i].schema, &out->u.v[i]);
    return err;
}

/* --- scalars ---------------------------------------------------------------------------------- */

/* Conversions of number texts never fail: they wrap and round as Jackson's intValue and
 * doubleValue. */
static double number_double(struct slice text)
{
    char tmp[64];
    if (text.n < sizeof tmp) {
        memcpy(tmp, text.p, text.n);
        tmp[text.n] = '\0';
        return strtod(tmp, NULL);
    }
    char *copy = slice_dup(slice_sub(text, 0, 4096)); /* digits beyond do not change a double */
    double d = strtod(copy, NULL);
    mem_free(copy);
    return d;
}

static int64_t number_i64(struct slice text)
{
    uint64_t v = 0; /* BigInteger.longValue: the low 64 bits */
    bool negative = text.n && text.p[0] == '-';
    for (size_t i = negative; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') { /* Java: (long) double, saturating */
            double d = number_double(text);
            if (d >= 9223372036854775808.0)
                return INT64_MAX;
            return d <= -9223372036854775808.0 ? INT64_MIN : (int64_t)d;
        }
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    }
    return (int64_t)(negative ? -v : v);
}

static enum err read_text(struct rd *r, struct value *out)
{
    *out = value_string(jr_string(&r->in, r->a));
    return out->kind == VALUE_NULL ? broken(r) : E_OK;
}

static int64_t as_i64(struct rd *r, enum json_token t)
{
    return t == JT_NUMBER ? number_i64(r->in.text) : 0;
}

static enum err decode_base64(struct rd *r, struct value *out)
{
    struct strbuf b;
    struct slice text = jr_string(&r->in, r->a);
    if (!text.p)
        return broken(r);
    strbuf_init(&b, text.n + 1);
    enum err err = base64_decode(&b, text);
    struct slice copy = err ? SLICE_NULL : arena_dup(r->a, strbuf_slice(&b));
    strbuf_release(&b);
    if (err)
        return error_set(r->e, E_INVALID, DATA_EXCEPTION "Invalid bytes field");
    if (!copy.p)
        return error_set(r->e, E_NOMEM, DATA_EXCEPTION "the JSON value does not fit into memory");
    *out = value_bytes(copy);
    return E_OK;
}

static enum err read_decimal(struct rd *r, enum json_token t, const struct schema *s,
                             struct value *out)
{
    if (t == JT_STRING)
        return decode_base64(r, out);
    if (t != JT_NUMBER)
        return error_set(r->e, E_INVALID,
                         DATA_EXCEPTION
                         "Invalid type for Decimal, underlying representation should "
                         "be numeric or base64-encoded bytes but was %s",
                         node_type(t));
    struct strbuf b = STRBUF_INIT;
    int32_t scale;
    enum err err = java_parse_decimal(r->in.text, &b, &scale);
    if (!err)
        err = java_rescale(&b, scale, s->scale);
    if (err)
        err = error_set(r->e, E_INVALID,
                        DATA_EXCEPTION "BigDecimal has mismatching scale value for given Decimal "
                                       "schema");
    else
        *out = value_bytes(arena_dup(r->a, strbuf_slice(&b)));
    strbuf_release(&b);
    return err;
}

static enum err read_date(struct rd *r, enum json_token t, const struct schema *s,
                          struct value *out)
{
    static const char *const names[] = {
        [LOGICAL_DATE] = "Date", [LOGICAL_TIME] = "Time", [LOGICAL_TIMESTAMP] = "Timestamp"};
    if (t != JT_NUMBER || !jr_is_integer(&r->in))
        return error_set(r->e, E_INVALID,
                         DATA_EXCEPTION "Invalid type for %s, underlying representation should be "
                                        "integer but was %s",
                         names[s->logical], node_type(t));
    *out = value_int(number_i64(r->in.text));
    return E_OK;
}

static void read_number(struct rd *r, enum json_token t, enum schema_type type, struct value *out)
{
    switch (type) {
    case SCHEMA_INT8:
        *out = value_int((int8_t)as_i64(r, t));
        break;
    case SCHEMA_INT16:
        *out = value_int((int16_t)as_i64(r, t));
        break;
    case SCHEMA_INT32:
        *out = value_int((int32_t)as_i64(r, t));
        break;
    case SCHEMA_INT64:
        *out = value_int(as_i64(r, t));
        break;
    case SCHEMA_FLOAT32:
        *out = value_float(t == JT_NUMBER ? (float)number_double(r->in.text) : 0);
        break;
    default:
        *out = value_double(t == JT_NUMBER ? number_double(r->in.text) : 0);
    }
}

/* Java's textValue and numberValue of an object or array are null or 0: its bytes are passed over.
 */
static enum err scalar_of_container(struct rd *r, enum json_token t)
{
    if (t != JT_OBJECT && t != JT_ARRAY)
        return E_OK;
    return jr_skip(&r->in) ? broken(r) : E_OK;
}

static enum err read_scalar(struct rd *r, enum json_token t, const struct schema *s,
                            struct value *out)
{
    enum err err = scalar_of_container(r, t);
    if (err)
        return err;
    if (s->logical == LOGICAL_DECIMAL)
        return read_decimal(r, t, s, out);
    if (s->logical != LOGICAL_NONE)
        return read_date(r, t, s, out);
    switch (s->type) {
    case SCHEMA_BOOLEAN:
        *out = value_bool(t == JT_TRUE);
        return E_OK;
    case SCHEMA_STRING:
        if (t == JT_STRING)
            return read_text(r, out);
        *out = value_null();
        return E_OK;
    case SCHEMA_BYTES:
        if (t == JT_STRING)
            return decode_base64(r, out);
        *out = value_null();
        return E_OK;
    default:
        read_number(r, t, s->type, out);
        return E_OK;
    }
}

static enum err read_schemaless(struct rd *r, enum json_token t, struct value *out)
{
    switch (t) {
    case JT_OBJECT:
        return read_object_map(r, NULL, out);
    case JT_ARRAY:
        return read_array(r, NULL, out);
    case JT_STRING:
        return read_text(r, out);
    case JT_NUMBER:
        *out = jr_is_integer(&r->in) ? value_int(number_i64(r->in.text))
                                     : value_double(number_double(r->in.text));
        return E_OK;
    case JT_TRUE:
    case JT_FALSE:
        *out = value_bool(t == JT_TRUE);
        return E_OK;
    case JT_NULL:
        *out = value_null();
        return E_OK;
    default:
        return broken(r);
    }
}

static enum err read_any(struct rd *r, enum json_token t, const struct schema *s, struct value *out)
{
    if (t == JT_ERROR || t == JT_END)
        return broken(r);
    if (!s)
        return read_schemaless(r, t, out);
    if (t == JT_NULL)
        return null_value(r, s, out);
    switch (s->type) {
    case SCHEMA_STRUCT:
        return read_struct(r, t, s, out);
    case SCHEMA_MAP:
        return read_map(r, t, s, out);
    case SCHEMA_ARRAY:
        if (t == JT_ARRAY)
            return read_array(r, s->value, out);
        return error_set(r->e, E_INVALID,
                         DATA_EXCEPTION "Arrays should be encoded as JSON arrays, but found %s",
                         node_type(t));
    default:
        return read_scalar(r, t, s, out);
    }
}

enum err json_read_value(struct slice text, const struct schema *s, struct arena *a,
                         bool null_to_default, struct value *out, const char **end, struct error *e)
{
    struct rd r = {.a = a, .null_to_default = null_to_default, .e = e};
    jr_init(&r.in, text, 0);
    r.in.allow_trailing = true;
    enum err err = read_any(&r, jr_next(&r.in), s, out);
    if (end)
        *end = r.in.at;
    return err;
}

/* --- schemas ---------------------------------------------------------------------------------- */

struct schema_members {
    struct slice type, fields, items, keys, values, optional, name, version, doc, parameters, def,
        field;
};

static struct slice *member_of(struct schema_members *m, struct slice key)
{
    const struct {
        const char *name;
        struct slice *to;
    } rows[] = {
        {"type", &m->type},     {"fields", &m->fields},
        {"items", &m->items},   {"keys", &m->keys},
        {"values", &m->values}, {"optional", &m->optional},
        {"name", &m->name},     {"version", &m->version},
        {"doc", &m->doc},       {"parameters", &m->parameters},
        {"default", &m->def},   {"field", &m->field},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (slice_eq_c(key, rows[i].name))
            return rows[i].to;
    return NULL;
}

struct schema_reader {
    struct arena a;
    struct error *e;
    int depth;
};

static enum err schema_of(struct schema_reader *sr, struct slice text, const struct schema **out,
                          struct slice *field);

static enum err schema_fault(struct schema_reader *sr, const char *text)
{
    return error_set(sr->e, E_INVALID, DATA_EXCEPTION "%s", text);
}

static enum err broken_schema(struct schema_reader *sr, const struct json_reader *in)
{
    char why[200];
    jackson_complaint(in, why, sizeof why);
    return schema_fault(sr, why);
}

/* Decodes a span that is one JSON string; null slice when it is anything else. */
static struct slice string_of(struct schema_reader *sr, struct slice span)
{
    struct json_reader in;
    jr_init(&in, span, 0);
    return span.p && jr_next(&in) == JT_STRING ? jr_string(&in, &sr->a) : SLICE_NULL;
}

static enum err members_of(struct schema_reader *sr, struct slice text, struct schema_members *m)
{
    struct json_reader in;
    jr_init(&in, text, 0);
    if (jr_next(&in) != JT_OBJECT)
        return jr_err(&in) ? broken_schema(sr, &in)
                           : schema_fault(sr, "Schema must be encoded as a JSON object");
    for (;;) {
        enum json_token t = jr_next(&in);
        if (t == JT_OBJECT_END)
            return E_OK;
        if (t != JT_KEY)
            return broken_schema(sr, &in);
        struct slice *to = member_of(m, in.text), span = jr_raw(&in);
        if (!span.p)
            return broken_schema(sr, &in);
        if (to)
            *to = slice_eq(span, SL("null")) ? SLICE_NULL : span;
    }
}

static enum err add_fields(struct schema_reader *sr, struct schema_builder *b, struct slice span)
{
    struct json_reader in;
    jr_init(&in, span, 0);
    if (!span.p || jr_next(&in) != JT_ARRAY)
        return schema_fault(sr, "Struct schema's \"fields\" argument is not an array.");
    for (;;) {
        enum json_token t = jr_next(&in);
        struct slice one, name = SLICE_NULL;
        const struct schema *s;
        if (t == JT_ARRAY_END)
            return E_OK;
        one = t == JT_ERROR ? SLICE_NULL : jr_raw(&in);
        if (!one.p)
            return broken_schema(sr, &in);
        enum err err = schema_of(sr, one, &s, &name);
        if (err)
            return err;
        if (!s || !name.p) {
            schema_unref(s);
            return schema_fault(sr, "Struct schema's field name not specified properly");
        }
        schema_builder_field(b, name, s);
    }
}

static enum err add_params(struct schema_reader *sr, struct schema_builder *b, struct slice span)
{
    struct json_reader in;
    jr_init(&in, span, 0);
    if (jr_next(&in) != JT_OBJECT)
        return schema_fault(sr, "Invalid JSON type for parameters: expected an object");
    for (;;) {
        enum json_token t = jr_next(&in);
        if (t == JT_OBJECT_END)
            return E_OK;
        if (t != JT_KEY)
            return broken_schema(sr, &in);
        struct slice name = jr_string(&in, &sr->a);
        if (jr_next(&in) != JT_STRING)
            return schema_fault(sr, "Schema parameters must have string values.");
        schema_builder_param(b, name, jr_string(&in, &sr->a));
    }
}

static enum err add_elements(struct schema_reader *sr, struct schema_builder *b,
                             enum schema_type type, const struct schema_members *m)
{
    const struct schema *key = NULL, *value = NULL;
    enum err err = E_OK;
    if (type == SCHEMA_MAP) {
        err = m->keys.p ? schema_of(sr, m->keys, &key, NULL)
                        : schema_fault(sr, "Map schema did not specify the key type");
        if (!err)
            err = m->values.p ? schema_of(sr, m->values, &value, NULL)
                              : schema_fault(sr, "Map schema did not specify the value type");
    } else if (m->items.p) {
        err = schema_of(sr, m->items, &value, NULL);
    } else {
        err = schema_fault(sr, "Array schema did not specify the element type");
    }
    schema_builder_element(b, key, value); /* takes both; released with the builder */
    return err;
}

static enum err fill(struct schema_reader *sr, struct schema_builder *b, enum schema_type type,
                     const struct schema_members *m)
{
    enum err err = E_OK;
    if (type == SCHEMA_STRUCT)
        err = add_fields(sr, b, m->fields);
    else if (type == SCHEMA_MAP || type == SCHEMA_ARRAY)
        err = add_elements(sr, b, type, m);
    if (err)
        return err;
    if (slice_eq(m->optional, SL("true")))
        schema_builder_optional(b);
    struct slice text = string_of(sr, m->name);
    if (text.p)
        schema_builder_name(b, text);
    if (m->version.p &&
        (m->version.p[0] == '-' || (m->version.p[0] >= '0' && m->version.p[0] <= '9')))
        schema_builder_version(b, (int32_t)number_i64(m->version));
    text = string_of(sr, m->doc);
    if (text.p)
        schema_builder_doc(b, text);
    return m->parameters.p ? add_params(sr, b, m->parameters) : E_OK;
}

static enum err with_default(struct schema_reader *sr, struct slice span, const struct schema **s)
{
    struct value v;
    enum err err = json_read_value(span, *s, &sr->a, true, &v, NULL, sr->e);
    if (err)
        return err;
    struct schema_builder *b = schema_builder_from(*s);
    schema_builder_default(b, v);
    schema_unref(*s);
    *s = schema_build(b);
    return E_OK;
}

static enum err schema_of(struct schema_reader *sr, struct slice text, const struct schema **out,
                          struct slice *field)
{
    struct schema_members m = {0};
    *out = NULL;
    if (slice_eq(slice_trim(text), SL("null")))
        return E_OK;
    if (sr->depth > 100)
        return schema_fault(sr, "Schema is nested too deeply");
    enum err err = members_of(sr, text, &m);
    if (err)
        return err;
    struct slice type = string_of(sr, m.type);
    if (!type.p)
        return schema_fault(sr, "Schema must contain 'type' field");
    if (field)
        *field = string_of(sr, m.field);
    int t = SCHEMA_STRUCT;
    while (t >= 0 && !slice_eq_c(type, schema_type_name((enum schema_type)t)))
        t--;
    if (t < 0)
        return error_set(sr->e, E_INVALID, DATA_EXCEPTION "Unknown schema type: " PRI_SL,
                         ARG_SL(type));
    struct schema_builder *b = schema_builder_new((enum schema_type)t);
    sr->depth++;
    err = fill(sr, b, (enum schema_type)t, &m);
    sr->depth--;
    const struct schema *s = schema_build(b);
    if (!err && m.def.p)
        err = with_default(sr, m.def, &s);
    if (err) {
        schema_unref(s);
        return err;
    }
    *out = s;
    return E_OK;
}

enum err json_read_schema(struct slice text, const struct schema **out, struct error *e)
{
    struct schema_reader sr = {.e = e};
    arena_init(&sr.a, 4096, ARENA_NO_BUDGET);
    enum err err = schema_of(&sr, text, out, NULL);
    arena_release(&sr.a);
    return err;
}
