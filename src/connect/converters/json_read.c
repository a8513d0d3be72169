/* connect/converters/json_read.c - the reading half of JsonConverter: payloads. Schema texts:
 * json_schema.c.
 *
 * They are read with the pull parser straight into values of the schema; members in the
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

int64_t json_read_i64(struct slice text)
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
    return t == JT_NUMBER ? json_read_i64(r->in.text) : 0;
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
    *out = value_int(json_read_i64(r->in.text));
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
        *out = jr_is_integer(&r->in) ? value_int(json_read_i64(r->in.text))
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
