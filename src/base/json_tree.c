/* base/json_tree.c - helpers around jansson's trees (json_t), see json.h.
 *
 * Reading is jansson's own, with its message put into our form. Writing goes through the streaming
 * writer, so that strings and numbers look as they do everywhere else in weir; jansson keeps
 * members in the order in which they were set. Recursion is bounded: jansson parses at most 2048
 * levels, and trees of our own making are flat. Thread: the owner's. */
#include "base/json.h"

#include "base/base.h"

enum err json_load_slice(struct slice text, json_t **out, struct error *e)
{
    *out = NULL;
    json_error_t je;
    json_t *v = json_loadb(text.p ? text.p : "", text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
    if (v) {
        *out = v;
        return E_OK;
    }
    if (json_error_code(&je) == json_error_out_of_memory)
        return error_set(e, E_NOMEM, "no memory for the JSON text");
    if (text.n == 0)
        return error_set(e, E_INVALID, "line 1 column 1: unexpected end of the text");
    return error_set(e, E_INVALID, "line %d column %d: %s", MAX(je.line, 1), MAX(je.column, 1),
                     je.text);
}

static void add_value(struct json_writer *w, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT: {
        jw_begin_object(w);
        json_t *obj = (json_t *)(uintptr_t)v; /* the iterator takes no const; it changes nothing */
        for (void *i = json_object_iter(obj); i; i = json_object_iter_next(obj, i)) {
            jw_key(w, slice_of(json_object_iter_key(i), json_object_iter_key_len(i)));
            jw_json(w, json_object_iter_value(i));
        }
        jw_end_object(w);
        return;
    }
    case JSON_ARRAY:
        jw_begin_array(w);
        for (size_t i = 0; i < json_array_size(v); i++)
            jw_json(w, json_array_get(v, i));
        jw_end_array(w);
        return;
    case JSON_STRING:
        jw_string(w, slice_of(json_string_value(v), json_string_length(v)));
        return;
    case JSON_INTEGER:
        jw_i64(w, json_integer_value(v));
        return;
    case JSON_REAL:
        jw_double(w, json_real_value(v));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        jw_bool(w, json_is_true(v));
        return;
    case JSON_NULL:
        break;
    }
    jw_null(w);
}

void jw_json(struct json_writer *w, const json_t *v)
{
    if (v)
        add_value(w, v);
    else
        jw_null(w);
}

void json_dump_add(struct strbuf *b, const json_t *v)
{
    struct json_writer w = JSON_WRITER(b);
    jw_json(&w, v);
}

json_t *json_slice(struct slice s)
{
    if (!s.p)
        return json_null();
    struct strbuf clean = STRBUF_INIT; /* a cut or foreign text must not break a whole answer */
    if (!slice_is_utf8(s)) {
        strbuf_add_utf8(&clean, s);
        s = strbuf_slice(&clean);
    }
    json_t *v = json_stringn(s.p, s.n);
    invariant(v != NULL);
    strbuf_release(&clean);
    return v;
}

struct slice json_get_str(const json_t *obj, const char *key)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NULL;
}

int64_t json_get_i64(const json_t *obj, const char *key, int64_t absent)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_integer(v) ? json_integer_value(v) : absent;
}

bool json_get_bool(const json_t *obj, const char *key, bool absent)
{
    const json_t *v = json_object_get(obj, key);
    return json_is_boolean(v) ? json_is_true(v) : absent;
}

static void set(json_t *obj, const char *key, json_t *v)
{
    int r = json_object_set_new(obj, key, v);
    invariant(r == 0);
}

void json_set_str(json_t *obj, const char *key, struct slice v)
{
    set(obj, key, json_slice(v));
}

void json_set_i64(json_t *obj, const char *key, int64_t v)
{
    set(obj, key, json_integer(v));
}

void json_set_bool(json_t *obj, const char *key, bool v)
{
    set(obj, key, json_boolean(v));
}
