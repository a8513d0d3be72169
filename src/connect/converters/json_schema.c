/* connect/converters/json_schema.c - the reading half of JsonConverter: the texts of schemas.
 * Payloads: json_read.c. A text's members are found first, as spans, since they may come in any
 * order. */
#include "connect/converters/converters.h"

#include "base/json.h"
#include "base/mem.h"
#include "connect/jackson.h"

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
        schema_builder_version(b, (int32_t)json_read_i64(m->version));
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
