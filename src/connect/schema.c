/* connect/schema.c - building, sealing, counting and comparing schemas; see the header.
 *
 * A schema and all its texts lie in one arena of its own. Sealing finds the logical type, escapes
 * the field keys and renders the JSON text once, so that the write path only copies. */
#include "connect/schema.h"

#include <stdatomic.h>

#include "base/json.h"
#include "base/mem.h"
#include "connect/json_out.h"

struct schema_impl {
    struct schema pub; /* first: the public pointer is the impl's */
    atomic_int refs;   /* IMMORTAL for the plain ones */
    struct arena arena;
};
#define IMMORTAL (-1)

struct schema_builder {
    struct schema_impl *impl;
    struct schema_field *fields;
    struct schema_param *params;
    size_t fields_cap, params_cap;
};

#define LITERAL(text)                                                                              \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define PLAIN_ONE(t, text, opt, opt_text)                                                          \
    {                                                                                              \
        .pub = {.type = t,                                                                         \
                .optional = opt,                                                                   \
                .json = LITERAL("{\"type\":\"" text "\",\"optional\":" opt_text "}"),              \
                .json_open = LITERAL("{\"type\":\"" text "\",\"optional\":" opt_text)},            \
        .refs = IMMORTAL                                                                           \
    }
#define PLAIN(t, text) [t] = {PLAIN_ONE(t, text, false, "false"), PLAIN_ONE(t, text, true, "true")}
static struct schema_impl plain[][2] = {
    PLAIN(SCHEMA_INT8, "int8"),       PLAIN(SCHEMA_INT16, "int16"),
    PLAIN(SCHEMA_INT32, "int32"),     PLAIN(SCHEMA_INT64, "int64"),
    PLAIN(SCHEMA_FLOAT32, "float"),   PLAIN(SCHEMA_FLOAT64, "double"),
    PLAIN(SCHEMA_BOOLEAN, "boolean"), PLAIN(SCHEMA_STRING, "string"),
    PLAIN(SCHEMA_BYTES, "bytes"),
};

const struct schema *schema_plain(enum schema_type t, bool optional)
{
    invariant((size_t)t < ARRAY_LEN(plain));
    return &plain[t][optional].pub;
}

static const struct {
    const char *json, *java;
} type_names[] = {
    [SCHEMA_INT8] = {"int8", "INT8"},
    [SCHEMA_INT16] = {"int16", "INT16"},
    [SCHEMA_INT32] = {"int32", "INT32"},
    [SCHEMA_INT64] = {"int64", "INT64"},
    [SCHEMA_FLOAT32] = {"float", "FLOAT32"},
    [SCHEMA_FLOAT64] = {"double", "FLOAT64"},
    [SCHEMA_BOOLEAN] = {"boolean", "BOOLEAN"},
    [SCHEMA_STRING] = {"string", "STRING"},
    [SCHEMA_BYTES] = {"bytes", "BYTES"},
    [SCHEMA_ARRAY] = {"array", "ARRAY"},
    [SCHEMA_MAP] = {"map", "MAP"},
    [SCHEMA_STRUCT] = {"struct", "STRUCT"},
};

const char *schema_type_name(enum schema_type t)
{
    return type_names[t].json;
}

const char *schema_type_java(enum schema_type t)
{
    return type_names[t].java;
}

/* --- building --------------------------------------------------------------------------------- */

struct schema_builder *schema_builder_new(enum schema_type t)
{
    struct schema_builder *b = xcalloc(1, sizeof *b);
    b->impl = xcalloc(1, sizeof *b->impl);
    arena_init(&b->impl->arena, 512, ARENA_NO_BUDGET);
    atomic_init(&b->impl->refs, 1);
    b->impl->pub.type = t;
    return b;
}

void schema_builder_optional(struct schema_builder *b)
{
    b->impl->pub.optional = true;
}

void schema_builder_name(struct schema_builder *b, struct slice name)
{
    b->impl->pub.name = arena_dup(&b->impl->arena, name);
}

void schema_builder_version(struct schema_builder *b, int32_t version)
{
    b->impl->pub.has_version = true;
    b->impl->pub.version = version;
}

void schema_builder_doc(struct schema_builder *b, struct slice doc)
{
    b->impl->pub.doc = arena_dup(&b->impl->arena, doc);
}

void schema_builder_param(struct schema_builder *b, struct slice name, struct slice value)
{
    struct schema *s = &b->impl->pub;
    struct slice copy = arena_dup(&b->impl->arena, value);
    for (size_t i = 0; i < s->params_count; i++) {
        if (slice_eq(b->params[i].name, name)) {
            b->params[i].value = copy;
            return;
        }
    }
    if (s->params_count == b->params_cap) {
        b->params_cap = b->params_cap ? b->params_cap * 2 : 4;
        b->params = xrealloc(b->params, b->params_cap * sizeof *b->params);
    }
    b->params[s->params_count].name = arena_dup(&b->impl->arena, name);
    b->params[s->params_count++].value = copy;
}

void schema_builder_default(struct schema_builder *b, struct value v)
{
    b->impl->pub.has_default = v.kind != VALUE_NULL; /* Java: a null default is none */
    b->impl->pub.def = value_copy(&b->impl->arena, v);
}

void schema_builder_field(struct schema_builder *b, struct slice name, const struct schema *f)
{
    struct schema *s = &b->impl->pub;
    if (s->fields_count == b->fields_cap) {
        b->fields_cap = b->fields_cap ? b->fields_cap * 2 : 16;
        b->fields = xrealloc(b->fields, b->fields_cap * sizeof *b->fields);
    }
    b->fields[s->fields_count++] =
        (struct schema_field){.name = arena_dup(&b->impl->arena, name), .schema = f};
}

void schema_builder_element(struct schema_builder *b, const struct schema *key,
                            const struct schema *value)
{
    schema_unref(b->impl->pub.key);
    schema_unref(b->impl->pub.value);
    b->impl->pub.key = key;
    b->impl->pub.value = value;
}

/* --- sealing ---------------------------------------------------------------------------------- */

static void find_logical(struct schema *s)
{
    static const struct {
        struct slice name;
        enum schema_type type;
        enum schema_logical logical;
    } rows[] = {
        {SL_INIT("Decimal"), SCHEMA_BYTES, LOGICAL_DECIMAL},
        {SL_INIT("Date"), SCHEMA_INT32, LOGICAL_DATE},
        {SL_INIT("Time"), SCHEMA_INT32, LOGICAL_TIME},
        {SL_INIT("Timestamp"), SCHEMA_INT64, LOGICAL_TIMESTAMP},
    };
    const struct slice prefix = SL("org.apache.kafka.connect.data.");
    s->logical = LOGICAL_NONE;
    if (!s->name.p || !slice_starts(s->name, prefix))
        return;
    struct slice rest = slice_sub(s->name, prefix.n, s->name.n);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].type == s->type && slice_eq(rest, rows[i].name))
            s->logical = rows[i].logical;
    for (size_t i = 0; s->logical == LOGICAL_DECIMAL && i < s->params_count; i++) {
        int64_t scale;
        if (slice_eq(s->params[i].name, SL("scale")) &&
            slice_to_i64(s->params[i].value, &scale) == E_OK)
            s->scale = (int32_t)scale;
    }
}

static void seal_fields(struct schema_builder *b)
{
    struct schema *s = &b->impl->pub;
    struct arena *a = &b->impl->arena;
    struct strbuf key = STRBUF_INIT;
    static const char padding[SCHEMA_KEY_PADDING];
    for (size_t i = 0; i < s->fields_count; i++) {
        strbuf_reset(&key);
        json_add_string(&key, b->fields[i].name);
        strbuf_addc(&key, ':');
        size_t n = key.n;
        strbuf_add(&key, padding, sizeof padding);
        b->fields[i].json_key = slice_of(arena_dup(a, strbuf_slice(&key)).p, n);
    }
    strbuf_release(&key);
    if (s->fields_count) {
        struct schema_field *f = arena_alloc(a, s->fields_count * sizeof *f);
        memcpy(f, b->fields, s->fields_count * sizeof *f);
        s->fields = f;
    }
    if (s->params_count) {
        struct schema_param *p = arena_alloc(a, s->params_count * sizeof *p);
        memcpy(p, b->params, s->params_count * sizeof *p);
        s->params = p;
    }
}

static void seal_default(struct schema_impl *impl)
{
    struct schema *s = &impl->pub;
    struct json_out_options o = {.null_to_default = true};
    struct strbuf text = STRBUF_INIT;
    if (json_out_value(&text, s, s->def, &o, NULL))
        strbuf_adds(&text, "null");
    s->def_json = arena_dup(&impl->arena, strbuf_slice(&text));
    strbuf_release(&text);
}

const struct schema *schema_build(struct schema_builder *b)
{
    struct schema_impl *impl = b->impl;
    struct schema *s = &impl->pub;
    seal_fields(b);
    find_logical(s);
    if (s->has_default)
        seal_default(impl);
    struct strbuf text = STRBUF_INIT;
    json_out_schema(&text, s, false);
    s->json = arena_dup(&impl->arena, strbuf_slice(&text));
    s->json_open = slice_sub(s->json, 0, s->json.n - 1);
    strbuf_release(&text);
    mem_free(b->fields);
    mem_free(b->params);
    mem_free(b);
    return s;
}

struct schema_builder *schema_builder_from(const struct schema *s)
{
    struct schema_builder *b = schema_builder_new(s->type);
    struct schema *to = &b->impl->pub;
    to->optional = s->optional;
    to->has_version = s->has_version;
    to->version = s->version;
    to->name = arena_dup(&b->impl->arena, s->name);
    to->doc = arena_dup(&b->impl->arena, s->doc);
    for (size_t i = 0; i < s->params_count; i++)
        schema_builder_param(b, s->params[i].name, s->params[i].value);
    if (s->has_default)
        schema_builder_default(b, s->def);
    for (size_t i = 0; i < s->fields_count; i++)
        schema_builder_field(b, s->fields[i].name, schema_ref(s->fields[i].schema));
    schema_builder_element(b, schema_ref(s->key), schema_ref(s->value));
    return b;
}

/* --- life and comparison ---------------------------------------------------------------------- */

static struct schema_impl *impl_of(const struct schema *s)
{
    return (struct schema_impl *)(uintptr_t)s; /* schemas are born as impls; drops const */
}

const struct schema *schema_ref(const struct schema *s)
{
    if (s) {
        struct schema_impl *impl = impl_of(s);
        if (atomic_load_explicit(&impl->refs, memory_order_relaxed) != IMMORTAL)
            atomic_fetch_add_explicit(&impl->refs, 1, memory_order_relaxed);
    }
    return s;
}

bool schema_is_last(const struct schema *s, int own)
{
    const struct schema_impl *impl = (const struct schema_impl *)s;
    return atomic_load_explicit(&impl->refs, memory_order_acquire) == own;
}

void schema_unref(const struct schema *s)
{
    if (!s)
        return;
    struct schema_impl *impl = impl_of(s);
    if (atomic_load_explicit(&impl->refs, memory_order_relaxed) == IMMORTAL)
        return;
    /* Releases what this thread wrote; the last one acquires all of it before freeing. */
    if (atomic_fetch_sub_explicit(&impl->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->fields_count; i++)
        schema_unref(s->fields[i].schema);
    schema_unref(s->key);
    schema_unref(s->value);
    arena_release(&impl->arena);
    mem_free(impl);
}

static struct slice param_value(const struct schema *s, struct slice name)
{
    for (size_t i = 0; i < s->params_count; i++)
        if (slice_eq(s->params[i].name, name))
            return s->params[i].value;
    return SLICE_NULL;
}

static bool own_parts_eq(const struct schema *a, const struct schema *b)
{
    if (a->type != b->type || a->optional != b->optional || a->has_version != b->has_version ||
        a->version != b->version || a->has_default != b->has_default ||
        a->params_count != b->params_count || a->fields_count != b->fields_count)
        return false;
    if (!slice_eq(a->name, b->name) || !slice_eq(a->doc, b->doc))
        return false;
    for (size_t i = 0; i < a->params_count; i++)
        if (!slice_eq(a->params[i].value, param_value(b, a->params[i].name)))
            return false;
    return !a->has_default || value_eq(a->def, b->def);
}

bool schema_eq(const struct schema *a, const struct schema *b)
{
    if (a == b)
        return true;
    if (!a || !b || a->json.n != b->json.n) /* equal parts give texts of equal length */
        return false;
    if (!own_parts_eq(a, b))
        return false;
    for (size_t i = 0; i < a->fields_count; i++)
        if (!slice_eq(a->fields[i].name, b->fields[i].name) ||
            !schema_eq(a->fields[i].schema, b->fields[i].schema))
            return false;
    return schema_eq(a->key, b->key) && schema_eq(a->value, b->value);
}

int schema_field_index(const struct schema *s, struct slice name)
{
    for (size_t i = 0; i < s->fields_count; i++)
        if (slice_eq(s->fields[i].name, name))
            return (int)i;
    return -1;
}
