/* cdc/transforms/json_payload.c - a schema is inferred from the whole document first, then the
 * values are read by it.
 *
 *   text, true, 1, 5000000000, 1.5    optional string, boolean, int32, int64, float64
 *   {...}                             struct named by its path: payload.address
 *   [...]                             array of what its elements have in common
 *   null, [], [null]                  no field (null: optional bytes when nulls are kept)
 */
#include "cdc/transforms/json_payload.h"

#include "base/json.h"
#include "base/mem.h"

#define DEPTH_MAX 100

struct inference {
    bool keep_nulls;
    struct error *e;
};

static enum err infer(const struct inference *x, const json_t *node, struct slice path, int depth,
                      const struct schema **out);

static bool same_kind(const json_t *a, const json_t *b)
{
    bool numbers = json_is_number(a) && json_is_number(b);
    bool booleans = json_is_boolean(a) && json_is_boolean(b);
    return numbers || booleans || json_typeof(a) == json_typeof(b);
}

static const char *kind_name(const json_t *node)
{
    return json_is_object(node)    ? "OBJECT"
           : json_is_array(node)   ? "ARRAY"
           : json_is_string(node)  ? "STRING"
           : json_is_number(node)  ? "NUMBER"
           : json_is_boolean(node) ? "BOOLEAN"
                                   : "NULL";
}

static enum err add_member(const struct inference *x, struct schema_builder *b, const char *key,
                           const json_t *node, struct slice path, int depth)
{
    const struct schema *s;
    struct strbuf below = STRBUF_INIT;
    if (!*key)
        return error_set(x->e, E_INVALID, "a member has no name");
    strbuf_addf(&below, PRI_SL ".%s", ARG_SL(path), key);
    enum err rc = infer(x, node, strbuf_slice(&below), depth + 1, &s);
    strbuf_release(&below);
    if (rc == E_OK && s)
        schema_builder_field(b, slice_cstr(key), s);
    return rc;
}

static bool is_nothing(const json_t *node)
{
    return json_is_null(node) || (json_is_array(node) && json_array_size(node) == 0);
}

/* The members of all objects, those of the last one first; each as the last object has it that has
 * something there. NULL without memory. */
static json_t *merge(json_t *const *nodes, size_t count)
{
    json_t *all = json_object();
    bool ok = all != NULL;
    for (size_t i = count; i-- > 0 && ok;) {
        const char *key;
        json_t *member;
        json_object_foreach(nodes[i], key, member)
        {
            const json_t *there = json_object_get(all, key);
            if (!there || (is_nothing(there) && !is_nothing(member)))
                ok &= json_object_set(all, key, member) == 0;
        }
    }
    if (ok)
        return all;
    json_decref(all);
    return NULL;
}

static enum err infer_objects(const struct inference *x, json_t *const *nodes, size_t count,
                              bool optional, struct slice path, int depth,
                              const struct schema **out)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    json_t *all = merge(nodes, count), *member;
    enum err rc = all ? E_OK : error_set(x->e, E_NOMEM, "no memory for a payload");
    const char *key;
    schema_builder_name(b, path);
    if (optional)
        schema_builder_optional(b);
    json_object_foreach(all, key, member)
    {
        if (rc == E_OK)
            rc = add_member(x, b, key, member, path, depth);
    }
    json_decref(all);
    *out = schema_build(b);
    if (rc) {
        schema_unref(*out);
        *out = NULL;
    }
    return rc;
}

/* The one schema of numbers, texts, arrays ... of an array. */
static enum err infer_common(const struct inference *x, json_t *const *nodes, size_t count,
                             struct slice path, int depth, const struct schema **out)
{
    enum err rc = infer(x, nodes[0], path, depth + 1, out);
    for (size_t i = 1; i < count && rc == E_OK; i++) {
        const struct schema *other;
        rc = infer(x, nodes[i], path, depth + 1, &other);
        if (rc)
            break;
        if (*out && other && !schema_eq(*out, other))
            rc = error_set(x->e, E_INVALID, "Field is not a homogenous array (%s x %s).",
                           schema_type_java((*out)->type), schema_type_java(other->type));
        if (!*out)
            *out = schema_ref(other);
        schema_unref(other);
    }
    if (rc) {
        schema_unref(*out);
        *out = NULL;
    }
    return rc;
}

static enum err infer_array(const struct inference *x, const json_t *node, struct slice path,
                            int depth, const struct schema **out)
{
    size_t count = 0, all = json_array_size(node);
    const struct schema *element = NULL;
    *out = NULL;
    if (all == 0)
        return E_OK;
    json_t **nodes = xcalloc(all, sizeof *nodes);
    enum err rc = E_OK;
    for (size_t i = 0; i < all && rc == E_OK; i++) {
        json_t *e = json_array_get(node, i);
        if (json_is_null(e))
            continue;
        if (count && !same_kind(nodes[0], e))
            rc = error_set(x->e, E_INVALID, "Field is not a homogenous array (%s x %s).",
                           kind_name(nodes[0]), kind_name(e));
        nodes[count++] = e;
    }
    if (rc == E_OK && count == 0)
        rc = x->keep_nulls ? E_OK : error_set(x->e, E_INVALID, "an array has nothing but nulls");
    if (rc == E_OK && count == 0)
        element = schema_plain(SCHEMA_BYTES, true);
    else if (rc == E_OK && json_is_object(nodes[0]))
        rc = infer_objects(x, nodes, count, count < all, path, depth, &element);
    else if (rc == E_OK)
        rc = infer_common(x, nodes, count, path, depth, &element);
    mem_free(nodes);
    if (rc || !element)
        return rc;
    struct schema_builder *b = schema_builder_new(SCHEMA_ARRAY);
    schema_builder_optional(b);
    schema_builder_element(b, NULL, element);
    *out = schema_build(b);
    return E_OK;
}

/* *out: a reference, or NULL for what has no schema. */
static enum err infer(const struct inference *x, const json_t *node, struct slice path, int depth,
                      const struct schema **out)
{
    *out = NULL;
    if (depth > DEPTH_MAX)
        return error_set(x->e, E_INVALID, "the payload is nested too deep");
    switch (json_typeof(node)) {
    case JSON_OBJECT: {
        json_t *one = (json_t *)(uintptr_t)node;
        return infer_objects(x, &one, 1, true, path, depth, out);
    }
    case JSON_ARRAY:
        return infer_array(x, node, path, depth, out);
    case JSON_STRING:
        *out = schema_plain(SCHEMA_STRING, true);
        return E_OK;
    case JSON_INTEGER: {
        json_int_t i = json_integer_value(node);
        *out = schema_plain(i >= INT32_MIN && i <= INT32_MAX ? SCHEMA_INT32 : SCHEMA_INT64, true);
        return E_OK;
    }
    case JSON_REAL:
        *out = schema_plain(SCHEMA_FLOAT64, true);
        return E_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = schema_plain(SCHEMA_BOOLEAN, true);
        return E_OK;
    default:
        *out = x->keep_nulls ? schema_plain(SCHEMA_BYTES, true) : NULL;
        return E_OK;
    }
}

/* --- values ----------------------------------------------------------------------------------- */

/* Not what an object in an array has otherwise than a later one, whose schema counts. */
static bool fits(const json_t *node, const struct schema *s)
{
    switch (json_typeof(node)) {
    case JSON_OBJECT:
        return s->type == SCHEMA_STRUCT;
    case JSON_ARRAY:
        return s->type == SCHEMA_ARRAY;
    case JSON_STRING:
        return s->type == SCHEMA_STRING;
    case JSON_INTEGER:
        return s->type == SCHEMA_INT64 ||
               (s->type == SCHEMA_INT32 && json_integer_value(node) >= INT32_MIN &&
                json_integer_value(node) <= INT32_MAX);
    case JSON_REAL:
        return s->type == SCHEMA_FLOAT64;
    case JSON_TRUE:
    case JSON_FALSE:
        return s->type == SCHEMA_BOOLEAN;
    default:
        return true;
    }
}

static enum err convert(const json_t *node, const struct schema *s, struct arena *a,
                        struct value *out, struct error *e)
{
    *out = value_null();
    if (!node || json_is_null(node))
        return E_OK;
    if (!fits(node, s))
        return error_set(e, E_INVALID,
                         "objects in an array differ in the type of a member (%s, %s)",
                         schema_type_java(s->type), kind_name(node));
    if (json_is_object(node) || json_is_array(node)) {
        bool object = json_is_object(node);
        size_t n = object ? s->fields_count : json_array_size(node);
        struct value *v = arena_try_alloc(a, (n + 1) * sizeof *v);
        enum err rc = v ? E_OK : E_NOMEM;
        for (size_t i = 0; i < n && rc == E_OK; i++)
            rc = object ? convert(json_object_getn(node, s->fields[i].name.p, s->fields[i].name.n),
                                  s->fields[i].schema, a, &v[i], e)
                        : convert(json_array_get(node, i), s->value, a, &v[i], e);
        *out =
            (struct value){.kind = object ? VALUE_STRUCT : VALUE_ARRAY, .n = (uint32_t)n, .u.v = v};
        return rc;
    }
    if (json_is_string(node)) {
        struct slice text = slice_of(json_string_value(node), json_string_length(node));
        char *p = arena_try_alloc(a, text.n + 1);
        if (!p)
            return E_NOMEM;
        memcpy(p, text.p, text.n);
        *out = value_string(slice_of(p, text.n));
    } else if (json_is_boolean(node)) {
        *out = value_bool(json_is_true(node));
    } else if (json_is_integer(node)) {
        *out = value_int(json_integer_value(node));
    } else {
        *out = value_double(json_real_value(node));
    }
    return E_OK;
}

enum err json_payload_expand(struct slice text, bool keep_nulls, struct record_batch *b,
                             const struct schema **schema, struct value *v, struct error *e)
{
    json_t *root = NULL;
    const struct schema *s = NULL;
    struct value made;
    struct inference x = {keep_nulls, e};
    if (!text.n || (text.p[0] != '{' && text.p[0] != '['))
        return error_set(e, E_INVALID, "the payload is no JSON object or array");
    enum err rc = json_load_slice(text, &root, e);
    if (rc == E_OK)
        rc = infer(&x, root, SL("payload"), 0, &s);
    if (rc == E_OK && !s)
        rc = error_set(e, E_INVALID, "the payload is an empty array");
    if (rc == E_OK)
        rc = convert(root, s, &b->arena, &made, e);
    if (rc == E_OK) {
        record_batch_keep(b, s);
        *schema = s;
        *v = made;
    }
    schema_unref(s);
    json_decref(root);
    return rc;
}
