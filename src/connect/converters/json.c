/* connect/converters/json.c - org.apache.kafka.connect.json.JsonConverter, both directions.
 *
 * Writing copies the schema's ready text and lets json_out write the payload. Reading keeps parsed
 * schemas by the bytes of their text: a stream of equal schemas costs one memcmp a record. Schemas
 * of the cache live as long as the converter; beyond the cache's size they live in the record's
 * arena. Thread: the task's. SPEC: connect 5.2. */
#include "connect/converters/converters.h"

#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "connect/jackson.h"

#define NEEDS_ENVELOPE                                                                             \
    DATA_EXCEPTION                                                                                 \
    "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may "        \
    "not "                                                                                         \
    "contain additional fields. If you are trying to deserialize plain JSON data, set "            \
    "schemas.enable=false in your converter configuration."

static const char *const decimal_formats[] = {"BASE64", "NUMERIC", NULL};

static enum err check_format(const struct opt_row *row, struct slice text, struct error *e)
{
    for (int i = 0; decimal_formats[i]; i++)
        if (slice_ieq(text, slice_cstr(decimal_formats[i])))
            return E_OK;
    return error_set(e, E_INVALID,
                     "Invalid value " PRI_SL
                     " for configuration %s: String must be one of (case insensitive): %s, %s",
                     ARG_SL(text), row->name, decimal_formats[1], decimal_formats[0]);
}

struct json_options {
    bool schemas_enable;
    int32_t cache_size;
    bool null_to_default;
};

static const struct opt_row rows[] = {
    CONVERTER_TYPE_ROW,
    {.name = "schemas.enable",
     .type = OPT_BOOLEAN,
     .def = "true",
     .offset = offsetof(struct json_options, schemas_enable),
     .importance = OPT_HIGH,
     .group = "Schemas",
     .order = 0,
     .width = OPT_W_MEDIUM,
     .display = "Enable Schemas",
     .doc = "Wrap every key and value in an envelope {\"schema\":...,\"payload\":...} (or expect "
            "one when reading)."},
    {.name = "schemas.cache.size",
     .type = OPT_INT,
     .def = "1000",
     .offset = offsetof(struct json_options, cache_size),
     .importance = OPT_HIGH,
     .group = "Schemas",
     .order = 1,
     .width = OPT_W_MEDIUM,
     .display = "Schema Cache Size",
     .doc = "How many schemas this converter keeps at most."},
    {.name = "decimal.format",
     .type = OPT_STRING,
     .def = "BASE64",
     .offset = OPT_NO_FIELD,
     .importance = OPT_LOW,
     .group = "Serialization",
     .order = 0,
     .width = OPT_W_MEDIUM,
     .display = "Decimal Format",
     .check = check_format,
     .doc = "How decimals are written: BASE64 (the unscaled value's bytes) or NUMERIC (a JSON "
            "number). Any case."},
    {.name = "replace.null.with.default",
     .type = OPT_BOOLEAN,
     .def = "true",
     .offset = offsetof(struct json_options, null_to_default),
     .importance = OPT_LOW,
     .group = "Serialization",
     .order = 1,
     .width = OPT_W_MEDIUM,
     .display = "Replace null with default",
     .doc = "Write the default of a field in the place of null when its schema has one."},
    {.name = NULL},
};

struct json_conv {
    struct json_options o;
    struct json_out_options out;
    struct map cache;        /* schema text -> const struct schema * */
    struct strbuf last_text; /* of the schema read last */
    const struct schema *last;
};

static enum err set_row(const char *name, struct opt_values *v, struct slice text, struct error *e)
{
    return opt_set(opt_find(rows, slice_cstr(name)), v, text, e);
}

static enum err json_configure(void **conv, const struct strmap *config, bool is_key,
                               struct error *e)
{
    (void)is_key;
    struct json_conv *c = xcalloc(1, sizeof *c);
    struct opt_values v = {.values = &c->o, .texts = STRMAP_INIT};
    enum err err = E_OK;
    c->o.schemas_enable = c->o.null_to_default = true;
    c->o.cache_size = 1000;
    static const char *const plain[] = {"schemas.enable", "schemas.cache.size",
                                        "replace.null.with.default"};
    for (size_t i = 0; i < ARRAY_LEN(plain) && !err; i++) {
        struct slice text = strmap_get_c(config, plain[i]);
        if (text.p)
            err = set_row(plain[i], &v, text, e);
    }
    struct slice format = slice_trim(strmap_get_c(config, "decimal.format"));
    if (!err && format.p)
        err = check_format(opt_find(rows, SL("decimal.format")), format, e);
    c->out.numeric_decimals = slice_ieq(format, SL("NUMERIC"));
    opt_values_release(&v);
    c->out.null_to_default = c->o.null_to_default;
    map_init(&c->cache);
    strbuf_init(&c->last_text, 0);
    *conv = c;
    return err;
}

static void drop_schema(void *p)
{
    schema_unref(p);
}

static void json_release(void *conv)
{
    struct json_conv *c = conv;
    if (!c)
        return;
    map_release(&c->cache, drop_schema);
    strbuf_release(&c->last_text);
    mem_free(c);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void add_schema(struct json_conv *c, struct strbuf *out, const struct schema *s)
{
    if (c->out.numeric_decimals && json_out_schema_varies(s))
        json_out_schema(out, s, true);
    else
        json_out_schema(out, s, false);
}

static enum err json_from(void *conv, struct slice topic, const struct schema *s, struct value v,
                          struct strbuf *out, bool *null, struct error *e)
{
    (void)topic;
    struct json_conv *c = conv;
    *null = !s && v.kind == VALUE_NULL;
    if (*null)
        return E_OK;
    size_t before = out->n;
    if (c->o.schemas_enable) {
        strbuf_add(out, "{\"schema\":", 10);
        add_schema(c, out, s);
        strbuf_add(out, ",\"payload\":", 11);
    }
    enum err err = json_out_value(out, s, v, &c->out, e);
    if (!err && c->o.schemas_enable)
        strbuf_addc(out, '}');
    if (!err && strbuf_err(out))
        err = error_set(e, strbuf_err(out),
                        "org.apache.kafka.connect.errors.ConnectException: the JSON text "
                        "does not fit into memory");
    if (err && !strbuf_err(out)) {
        out->n = before;
        out->p[before] = '\0';
    }
    return err;
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum err schema_for(struct json_conv *c, struct slice text, struct arena *a,
                           const struct schema **out, struct error *e)
{
    *out = NULL;
    if (slice_eq(text, SL("null")))
        return E_OK;
    if (c->last && slice_eq(text, strbuf_slice(&c->last_text))) {
        *out = c->last;
        return E_OK;
    }
    const struct schema *s = map_get(&c->cache, text);
    if (!s) {
        enum err err = json_read_schema(text, &s, e);
        if (err)
            return err;
        if (c->cache.count >= (size_t)MAX(c->o.cache_size, 0)) {
            arena_on_release(a, drop_schema, (void *)(uintptr_t)s);
            *out = s;
            return E_OK;
        }
        (void)map_put(&c->cache, text, (void *)(uintptr_t)s);
    }
    strbuf_reset(&c->last_text);
    strbuf_add_slice(&c->last_text, text);
    c->last = strbuf_err(&c->last_text) ? NULL : s;
    *out = s;
    return E_OK;
}

static enum err broken(const struct json_reader *in, struct error *e)
{
    char why[200];
    jackson_complaint(in, why, sizeof why);
    return error_set(e, E_INVALID,
                     DATA_EXCEPTION
                     "Converting byte[] to Kafka Connect data failed due to serialization error: \n"
                     "Caused by: org.apache.kafka.common.errors.SerializationException: "
                     "com.fasterxml.jackson.core.JsonParseException: %s",
                     why);
}

/* The two members of an envelope, in any order, and nothing else. */
static enum err split_envelope(struct slice bytes, struct slice *schema, struct slice *payload,
                               struct error *e)
{
    struct json_reader in;
    jr_init(&in, bytes, 0);
    in.allow_trailing = true;
    enum json_token t = jr_next(&in);
    bool object = t == JT_OBJECT, other = !object;
    *schema = *payload = SLICE_NULL;
    if (!object && (t == JT_ERROR || jr_skip(&in)))
        return broken(&in, e);
    while (object) {
        t = jr_next(&in);
        if (t == JT_OBJECT_END)
            break;
        if (t != JT_KEY)
            return broken(&in, e);
        struct slice *to = jr_is(&in, "schema") ? schema : jr_is(&in, "payload") ? payload : NULL;
        struct slice span = jr_raw(&in);
        if (!span.p)
            return broken(&in, e);
        if (to)
            *to = span;
        else
            other = true;
    }
    if (other || !schema->p || !payload->p)
        return error_set(e, E_INVALID, NEEDS_ENVELOPE);
    return E_OK;
}

/* The usual case: the schema's text is that of the record before. False: take the general way. */
static bool same_schema(struct json_conv *c, struct slice bytes, struct arena *a,
                        const struct schema **s, struct value *v)
{
    const struct slice head = SL("{\"schema\":"), mid = SL(",\"payload\":");
    if (!c->last || bytes.n < head.n + c->last_text.n + mid.n + 1)
        return false;
    const char *p = bytes.p, *text = p + head.n, *m = text + c->last_text.n, *end;
    if (memcmp(p, head.p, head.n) != 0 || memcmp(text, c->last_text.p, c->last_text.n) != 0 ||
        memcmp(m, mid.p, mid.n) != 0)
        return false;
    struct slice payload = slice_of(m + mid.n, (size_t)(bytes.p + bytes.n - m) - mid.n);
    if (json_read_value(payload, c->last, a, c->o.null_to_default, v, &end, NULL))
        return false;
    while (end < bytes.p + bytes.n && (uint8_t)*end <= ' ')
        end++;
    if (end >= bytes.p + bytes.n || *end != '}')
        return false;
    *s = c->last;
    return true;
}

static enum err json_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                        const struct schema **s, struct value *v, struct error *e)
{
    (void)topic;
    struct json_conv *c = conv;
    *s = NULL;
    *v = value_null();
    if (!bytes.p || !bytes.n)
        return E_OK;
    if (!c->o.schemas_enable)
        return json_read_value(bytes, NULL, a, c->o.null_to_default, v, NULL, e);
    if (same_schema(c, bytes, a, s, v))
        return E_OK;
    struct slice schema, payload;
    enum err err = split_envelope(bytes, &schema, &payload, e);
    if (!err)
        err = schema_for(c, schema, a, s, e);
    if (!err)
        err = json_read_value(payload, *s, a, c->o.null_to_default, v, NULL, e);
    return err;
}

static void json_form(const void *conv, struct json_form *out)
{
    const struct json_conv *c = conv;
    *out = (struct json_form){.schemas = c->o.schemas_enable, .out = c->out};
}

static const char *const aliases[] = {"JsonConverter", "Json", NULL};
const struct converter_ops converter_json = {
    .class_name = "org.apache.kafka.connect.json.JsonConverter",
    .aliases = aliases,
    .version = "4.1.1",
    .rows = rows,
    .configure = json_configure,
    .from_connect = json_from,
    .to_connect = json_to,
    .release = json_release,
    .json_form = json_form,
};
