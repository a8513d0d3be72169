/* connect/json_out.c - the write path of JsonConverter; see the header.
 *
 * This runs for every field of every event: a small cursor over the buffer's free room avoids one
 * call per character, field keys come escaped from the schema, strings are copied in one piece when
 * nothing in them needs an escape. */
#include "connect/json_out.h"

#include "base/json.h"
#include "connect/javatext.h"

struct out {
    char *at, *end; /* free room of b; b->n is set when the cursor is flushed */
    struct strbuf *b;
    const struct json_out_options *o;
    struct error *e;
};

#define DATA_EXCEPTION "org.apache.kafka.connect.errors.DataException: "
#define NO_ROOM                                                                                    \
    "org.apache.kafka.connect.errors.ConnectException: the JSON text does not fit into memory"

static void flush(struct out *w)
{
    w->b->n = (size_t)(w->at - w->b->p);
}

static void refill(struct out *w)
{
    w->at = w->b->p + w->b->n;
    w->end = w->b->p + w->b->cap; /* the closing NUL has room behind */
}

static __attribute__((noinline)) enum err grow(struct out *w, size_t n)
{
    flush(w);
    size_t half = w->b->n / 2; /* fewer moves for big values; falls back to what is needed */
    enum err err = E_TOO_LARGE;
    if (half > n && w->b->n + half < w->b->max)
        err = strbuf_reserve(w->b, half);
    if (err)
        err = strbuf_reserve(w->b, n);
    if (err)
        return error_set(w->e, err, NO_ROOM);
    refill(w);
    return E_OK;
}

static ALWAYS_INLINE enum err room(struct out *w, size_t n)
{
    return LIKELY((size_t)(w->end - w->at) >= n) ? E_OK : grow(w, n);
}

static ALWAYS_INLINE void put(struct out *w, const char *p, size_t n)
{
    memcpy(w->at, p, n);
    w->at += n;
}

/* Room for the key and SCHEMA_KEY_PADDING is there. */
static ALWAYS_INLINE void put_key(struct out *w, struct slice key)
{
    memcpy(w->at, key.p, SCHEMA_KEY_PADDING);
    if (UNLIKELY(key.n > SCHEMA_KEY_PADDING))
        memcpy(w->at, key.p, key.n);
    w->at += key.n;
}

static enum err put_string(struct out *w, const char *s, size_t n)
{
    enum err err = room(w, n + 2);
    if (err)
        return err;
    size_t plain = json_plain_prefix(s, n);
    *w->at++ = '"';
    put(w, s, plain);
    if (UNLIKELY(plain < n)) {
        err = room(w, (n - plain) * 6 + 2);
        if (err)
            return err;
        w->at = json_write_escaped(w->at, s + plain, n - plain);
    }
    *w->at++ = '"';
    return E_OK;
}

static enum err put_base64(struct out *w, const char *s, size_t n)
{
    enum err err = room(w, (n + 2) / 3 * 4 + 2);
    if (err)
        return err;
    *w->at++ = '"';
    w->at = json_write_base64(w->at, (const uint8_t *)s, n);
    *w->at++ = '"';
    return E_OK;
}

/* After something else appended to the buffer. */
static enum err refill_checked(struct out *w)
{
    if (strbuf_err(w->b))
        return error_set(w->e, strbuf_err(w->b), NO_ROOM);
    refill(w);
    return E_OK;
}

static enum err put_bytes(struct out *w, const struct schema *s, struct value v)
{
    if (!w->o->numeric_decimals || !s || s->logical != LOGICAL_DECIMAL)
        return put_base64(w, v.u.s, v.n);
    flush(w);
    java_add_decimal(w->b, value_slice(v), s->scale);
    return refill_checked(w);
}

static enum err put_double(struct out *w, const struct schema *s, struct value v)
{
    bool quoted = UNLIKELY(!__builtin_isfinite(v.u.d));
    flush(w);
    if (quoted)
        strbuf_addc(w->b, '"');
    if (s ? s->type == SCHEMA_FLOAT32 : v.float32)
        json_add_float(w->b, (float)v.u.d);
    else
        json_add_double(w->b, v.u.d);
    if (quoted)
        strbuf_addc(w->b, '"');
    return refill_checked(w);
}

static enum err put_value(struct out *w, const struct schema *s, struct value v);

static enum err put_null(struct out *w, const struct schema *s)
{
    if (s) {
        if (s->has_default && w->o->null_to_default)
            return put_value(w, s, s->def);
        if (!s->optional)
            return error_set(w->e, E_INVALID,
                             DATA_EXCEPTION "Conversion error: null value for field that is "
                                            "required and has no default value");
    }
    enum err err = room(w, 4);
    if (!err)
        put(w, "null", 4);
    return err;
}

static enum err mismatch(struct out *w, const struct schema *s)
{
    return error_set(w->e, E_INVALID,
                     DATA_EXCEPTION "Conversion error: the value does not match schema type %s",
                     s ? schema_type_java(s->type) : "null");
}

static enum err put_struct(struct out *w, const struct schema *s, struct value v)
{
    if (UNLIKELY(!s || s->type != SCHEMA_STRUCT || v.n != s->fields_count))
        return mismatch(w, s);
    enum err err = room(w, 2);
    if (err)
        return err;
    char before = '{';
    for (uint32_t i = 0; i < v.n; i++) {
        const struct schema_field *f = &s->fields[i];
        /* Room for the key and any number at once: the common fields need no second check. */
        err = room(w, f->json_key.n + SCHEMA_KEY_PADDING + JAVA_NUMBER_MAX);
        if (err)
            return err;
        *w->at++ = before;
        before = ',';
        put_key(w, f->json_key);
        struct value x = v.u.v[i];
        if (x.kind == VALUE_INT)
            w->at = java_write_i64(w->at, x.u.i);
        else
            err = put_value(w, f->schema, x);
        if (err)
            return err;
    }
    err = room(w, 2);
    if (err)
        return err;
    if (!v.n)
        *w->at++ = '{';
    *w->at++ = '}';
    return E_OK;
}

static enum err put_array(struct out *w, const struct schema *s, struct value v)
{
    if (s && s->type != SCHEMA_ARRAY)
        return mismatch(w, s);
    enum err err = room(w, 1);
    if (err)
        return err;
    *w->at++ = '[';
    for (uint32_t i = 0; i < v.n; i++) {
        if (i) {
            err = room(w, 1);
            if (err)
                return err;
            *w->at++ = ',';
        }
        err = put_value(w, s ? s->value : NULL, v.u.v[i]);
        if (err)
            return err;
    }
    err = room(w, 1);
    if (!err)
        *w->at++ = ']';
    return err;
}

static bool map_is_object(const struct schema *s, struct value v)
{
    if (s && s->key)
        return s->key->type == SCHEMA_STRING;
    for (uint32_t i = 0; i < v.n; i++)
        if (v.u.v[2 * i].kind != VALUE_STRING)
            return false;
    return true;
}

static enum err put_entry(struct out *w, const struct schema *s, const struct value *kv,
                          bool object)
{
    enum err err;
    if (object) {
        if (kv[0].kind != VALUE_STRING)
            return mismatch(w, s ? s->key : NULL);
        err = put_string(w, kv[0].u.s, kv[0].n);
    } else {
        err = room(w, 1);
        if (!err)
            *w->at++ = '[';
        if (!err)
            err = put_value(w, s ? s->key : NULL, kv[0]);
    }
    if (!err)
        err = room(w, 1);
    if (err)
        return err;
    *w->at++ = object ? ':' : ',';
    err = put_value(w, s ? s->value : NULL, kv[1]);
    if (!err && !object)
        err = room(w, 1);
    if (!err && !object)
        *w->at++ = ']';
    return err;
}

static enum err put_map(struct out *w, const struct schema *s, struct value v)
{
    if (s && s->type != SCHEMA_MAP)
        return mismatch(w, s);
    bool object = map_is_object(s, v);
    enum err err = room(w, 1);
    if (err)
        return err;
    *w->at++ = object ? '{' : '[';
    for (uint32_t i = 0; i < v.n; i++) {
        err = room(w, 1);
        if (err)
            return err;
        if (i)
            *w->at++ = ',';
        err = put_entry(w, s, v.u.v + 2 * i, object);
        if (err)
            return err;
    }
    err = room(w, 1);
    if (!err)
        *w->at++ = object ? '}' : ']';
    return err;
}

static enum err put_value(struct out *w, const struct schema *s, struct value v)
{
    enum err err;
    switch ((enum value_kind)v.kind) {
    case VALUE_NULL:
        return put_null(w, s);
    case VALUE_BOOL:
        err = room(w, 5);
        if (!err)
            put(w, v.u.i ? "true" : "false", v.u.i ? 4 : 5);
        return err;
    case VALUE_INT:
        err = room(w, JAVA_NUMBER_MAX);
        if (!err)
            w->at = java_write_i64(w->at, v.u.i);
        return err;
    case VALUE_DOUBLE:
        return put_double(w, s, v);
    case VALUE_STRING:
        return put_string(w, v.u.s, v.n);
    case VALUE_BYTES:
        return put_bytes(w, s, v);
    case VALUE_ARRAY:
        return put_array(w, s, v);
    case VALUE_MAP:
        return put_map(w, s, v);
    case VALUE_STRUCT:
        return put_struct(w, s, v);
    }
    return mismatch(w, s);
}

enum err json_out_value(struct strbuf *b, const struct schema *s, struct value v,
                        const struct json_out_options *o, struct error *e)
{
    size_t before = b->n;
    struct out w = {.b = b, .o = o, .e = e};
    enum err err = strbuf_reserve(b, 64);
    if (err)
        return error_set(e, err, NO_ROOM);
    refill(&w);
    err = put_value(&w, s, v);
    flush(&w);
    if (err)
        b->n = before;
    b->p[b->n] = '\0';
    return err;
}

/* --- schemas ---------------------------------------------------------------------------------- */

/* Without the closing brace, so that a struct can add the member "field". */
static void schema_open(struct strbuf *b, const struct schema *s, bool numeric);

static void schema_fields(struct strbuf *b, const struct schema *s, bool numeric)
{
    strbuf_adds(b, ",\"fields\":[");
    for (size_t i = 0; i < s->fields_count; i++) {
        if (i)
            strbuf_addc(b, ',');
        const struct schema *f = s->fields[i].schema;
        if (f->json_open.p && !numeric)
            strbuf_add_slice(b, f->json_open);
        else
            schema_open(b, f, numeric);
        strbuf_adds(b, ",\"field\":");
        json_add_string(b, s->fields[i].name);
        strbuf_addc(b, '}');
    }
    strbuf_addc(b, ']');
}

static void schema_default(struct strbuf *b, const struct schema *s, bool numeric)
{
    struct json_out_options o = {.numeric_decimals = numeric, .null_to_default = true};
    strbuf_adds(b, ",\"default\":");
    if (json_out_value(b, s, s->def, &o, NULL))
        strbuf_adds(b, "null");
}

static void schema_open(struct strbuf *b, const struct schema *s, bool numeric)
{
    strbuf_adds(b, "{\"type\":\"");
    strbuf_adds(b, schema_type_name(s->type));
    strbuf_addc(b, '"');
    if (s->type == SCHEMA_STRUCT)
        schema_fields(b, s, numeric);
    if (s->type == SCHEMA_MAP) {
        strbuf_adds(b, ",\"keys\":");
        json_out_schema(b, s->key, numeric);
    }
    if (s->type == SCHEMA_MAP || s->type == SCHEMA_ARRAY) {
        strbuf_adds(b, s->type == SCHEMA_MAP ? ",\"values\":" : ",\"items\":");
        json_out_schema(b, s->value, numeric);
    }
    strbuf_adds(b, s->optional ? ",\"optional\":true" : ",\"optional\":false");
    if (s->name.p) {
        strbuf_adds(b, ",\"name\":");
        json_add_string(b, s->name);
    }
    if (s->has_version) {
        strbuf_adds(b, ",\"version\":");
        strbuf_add_i64(b, s->version);
    }
    if (s->doc.p) {
        strbuf_adds(b, ",\"doc\":");
        json_add_string(b, s->doc);
    }
    for (size_t i = 0; i < s->params_count; i++) {
        strbuf_adds(b, i ? "," : ",\"parameters\":{");
        json_add_string(b, s->params[i].name);
        strbuf_addc(b, ':');
        if (s->params[i].value.p)
            json_add_string(b, s->params[i].value);
        else
            strbuf_adds(b, "null");
    }
    if (s->params_count)
        strbuf_addc(b, '}');
    if (s->has_default)
        schema_default(b, s, numeric);
}

void json_out_schema(struct strbuf *b, const struct schema *s, bool numeric_decimals)
{
    if (!s) {
        strbuf_adds(b, "null");
        return;
    }
    if (s->json.p && !numeric_decimals) {
        strbuf_add_slice(b, s->json);
        return;
    }
    schema_open(b, s, numeric_decimals);
    strbuf_addc(b, '}');
}

bool json_out_schema_varies(const struct schema *s)
{
    if (!s)
        return false;
    if (s->has_default && s->logical == LOGICAL_DECIMAL)
        return true;
    for (size_t i = 0; i < s->fields_count; i++)
        if (json_out_schema_varies(s->fields[i].schema))
            return true;
    return json_out_schema_varies(s->key) || json_out_schema_varies(s->value);
}
