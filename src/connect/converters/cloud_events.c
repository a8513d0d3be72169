/* connect/converters/cloud_events.c - Debezium's CloudEventsConverter: a change event in the
 * structured form of CloudEvents 1.0, as JSON with JSON inside.
 *
 *   {"id":...,"source":"/debezium/mysql/shop","specversion":"1.0","type":...,"time":...,
 *    "datacontenttype":"application/json","iodebeziumop":"c","iodebezium<field of source>":...,
 *    "data":{"before":...,"after":...}}
 *
 * What is no change event (heartbeats, tombstones) becomes null. Avro, and attributes taken from
 * headers, are refused by name when it is set up. SPEC: connect 5.5. */
#include "connect/converters/converters.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "connect/stages.h"

#define SCHEMAS 8
struct cloud_events {
    void *json; /* a JsonConverter for the data */
    bool extensions;
    struct { /* schemas of {before, after}, by that of the envelope; a reference each */
        const struct schema *envelope, *data;
    } made[SCHEMAS];
    size_t next_made;
};

static void cloud_release(void *conv)
{
    struct cloud_events *c = conv;
    if (!c)
        return;
    for (size_t i = 0; i < SCHEMAS; i++) {
        schema_unref(c->made[i].envelope);
        schema_unref(c->made[i].data);
    }
    converter_json.release(c->json);
    mem_free(c);
}

static enum err only(const struct strmap *config, const char *option, const char *what,
                     struct error *e)
{
    struct slice text = slice_trim(strmap_get_c(config, option));
    return !text.n || slice_ieq(text, slice_cstr(what))
               ? E_OK
               : config_invalid(e, text, option, "weir writes %s alone", what);
}

/* metadata.source: where attributes come from. */
static enum err check_metadata(const struct strmap *config, struct error *e)
{
    struct slice text = slice_trim(strmap_get_c(config, "metadata.source")), rest = text, part;
    while (rest.p && opt_list_next(&rest, &part)) {
        if (slice_eq(part, SL("header")) ||
            (slice_ends(part, SL(":header")) && !slice_eq(part, SL("traceparent:header"))))
            return config_invalid(
                e, text, "metadata.source",
                "weir takes attributes from the value alone, not from headers (" PRI_SL ")",
                ARG_SL(part));
    }
    return E_OK;
}

static enum err cloud_configure(void **conv, const struct strmap *config, bool is_key,
                                struct error *e)
{
    struct cloud_events *c = *conv = xcalloc(1, sizeof *c);
    struct strmap json;
    config_with_prefix(config, "json.", &json);
    struct slice extensions = slice_trim(strmap_get_c(config, "extension.attributes.enable"));
    c->extensions = !slice_ieq(extensions, SL("false"));
    enum err rc = converter_json.configure(&c->json, &json, is_key, e);
    strmap_release(&json);
    if (!rc)
        rc = only(config, "serializer.type", "json", e);
    if (!rc)
        rc = only(config, "data.serializer.type", "json", e);
    return rc ? rc : check_metadata(config, e);
}

/* --- parts ------------------------------------------------------------------------------------ */

struct part {
    const struct schema *schema;
    struct value value;
};

static bool take(const struct schema *s, struct value v, const char *name, struct part *out)
{
    int at = s && s->type == SCHEMA_STRUCT ? schema_field_index(s, slice_cstr(name)) : -1;
    *out = (struct part){0};
    if (at < 0)
        return false;
    out->schema = s->fields[at].schema;
    out->value = v.kind == VALUE_STRUCT ? v.u.v[at] : value_null();
    if (out->value.kind == VALUE_NULL && out->schema->has_default)
        out->value = out->schema->def;
    return true;
}

static struct slice text_of(const struct part *source, const char *name)
{
    struct part p;
    return take(source->schema, source->value, name, &p) && p.value.kind == VALUE_STRING
               ? value_slice(p.value)
               : SL("");
}

static int64_t number_of(const struct part *source, const char *name)
{
    struct part p;
    return take(source->schema, source->value, name, &p) && p.value.kind == VALUE_INT ? p.value.u.i
                                                                                      : 0;
}

static void member(struct strbuf *out, const char *name)
{
    strbuf_addf(out, "%s\"%s\":", out->n && out->p[out->n - 1] == '{' ? "" : ",", name);
}

/* A text that is made of others. */
static void text_member(struct strbuf *out, const char *name, const struct strbuf *text)
{
    member(out, name);
    json_add_string(out, strbuf_slice(text));
}

static void add_identity(struct strbuf *out, const struct part *source)
{
    struct strbuf text = STRBUF_INIT;
    struct slice connector = text_of(source, "connector"), name = text_of(source, "name");
    int64_t ms = number_of(source, "ts_ms");
    int64_t s = ms / 1000 - (ms % 1000 < 0);
    char time[CLOCK_ISO_SIZE];
    if (slice_eq(connector, SL("mongodb")))
        strbuf_addf(&text, "name:" PRI_SL ";ts:%lld;ord:%lld", ARG_SL(name), (long long)ms,
                    (long long)number_of(source, "ord"));
    else
        strbuf_addf(&text, "name:" PRI_SL ";file:" PRI_SL ";pos:%lld", ARG_SL(name),
                    ARG_SL(text_of(source, "file")), (long long)number_of(source, "pos"));
    text_member(out, "id", &text);
    strbuf_reset(&text);
    strbuf_addf(&text, "/debezium/" PRI_SL "/" PRI_SL, ARG_SL(connector), ARG_SL(name));
    text_member(out, "source", &text);
    strbuf_adds(out, ",\"specversion\":\"1.0\"");
    strbuf_reset(&text);
    strbuf_addf(&text, "io.debezium.connector." PRI_SL ".DataChangeEvent", ARG_SL(connector));
    text_member(out, "type", &text);
    strbuf_reset(&text);
    strbuf_adds(&text, clock_iso(time, s, (int32_t)(ms - s * 1000), 3));
    text_member(out, "time", &text);
    strbuf_adds(out, ",\"datacontenttype\":\"application/json\"");
    strbuf_release(&text);
}

/* iodebezium and the letters and digits of the name; numbers of 64 bits as text. */
static enum err add_extension(struct strbuf *out, struct slice field, const struct part *p,
                              struct error *e)
{
    static const struct json_out_options plain = {.null_to_default = false};
    strbuf_adds(out, ",\"iodebezium");
    for (size_t i = 0; i < field.n; i++) {
        char c = field.p[i], lower = (char)(c | 0x20);
        if ((c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z'))
            strbuf_addc(out, c);
    }
    strbuf_adds(out, "\":");
    if (p->value.kind == VALUE_NULL) {
        strbuf_adds(out, "null");
        return E_OK;
    }
    if (p->value.kind == VALUE_INT && p->schema->type == SCHEMA_INT64) {
        strbuf_addf(out, "\"%lld\"", (long long)p->value.u.i);
        return E_OK;
    }
    return json_out_value(out, p->schema, p->value, &plain, e);
}

static enum err add_extensions(struct strbuf *out, const struct schema *envelope, struct value v,
                               const struct part *source, struct error *e)
{
    static const struct {
        const char *field;
        struct slice name;
    } transaction[] = {{"id", SL_INIT("txid")},
                       {"total_order", SL_INIT("txtotalorder")},
                       {"data_collection_order", SL_INIT("txdatacollectionorder")}};
    struct part p, block;
    take(envelope, v, "op", &p);
    enum err rc = add_extension(out, SL("op"), &p, e);
    for (size_t i = 0; i < source->schema->fields_count && !rc; i++) {
        const struct schema_field *f = &source->schema->fields[i];
        p = (struct part){f->schema, source->value.u.v[i]};
        if (p.value.kind == VALUE_NULL && f->schema->has_default)
            p.value = f->schema->def;
        rc = add_extension(out, f->name, &p, e);
    }
    take(envelope, v, "transaction", &block);
    for (size_t i = 0; i < ARRAY_LEN(transaction) && !rc; i++) {
        take(block.schema, block.value, transaction[i].field, &p);
        rc = add_extension(out, transaction[i].name, &p, e);
    }
    return rc;
}

/* {before, after} of this envelope, and what a document has besides. */
static const char *const data_fields[] = {"before", "after", "updateDescription"};

static const struct schema *data_schema(struct cloud_events *c, const struct schema *envelope,
                                        struct slice connector)
{
    for (size_t i = 0; i < SCHEMAS; i++)
        if (c->made[i].data && c->made[i].envelope == envelope)
            return c->made[i].data;
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    struct strbuf name = STRBUF_INIT;
    strbuf_addf(&name, "io.debezium.connector." PRI_SL ".Data", ARG_SL(connector));
    schema_builder_name(b, strbuf_slice(&name));
    strbuf_release(&name);
    for (size_t i = 0; i < ARRAY_LEN(data_fields); i++) {
        int at = schema_field_index(envelope, slice_cstr(data_fields[i]));
        if (at >= 0)
            schema_builder_field(b, slice_cstr(data_fields[i]),
                                 schema_ref(envelope->fields[at].schema));
    }
    size_t at = c->next_made++ % SCHEMAS;
    schema_unref(c->made[at].envelope);
    schema_unref(c->made[at].data);
    c->made[at].envelope = schema_ref(envelope);
    c->made[at].data = schema_build(b);
    return c->made[at].data;
}

static enum err add_data(struct cloud_events *c, struct slice topic, const struct schema *s,
                         struct value v, struct slice connector, struct strbuf *out,
                         struct error *e)
{
    struct value fields[ARRAY_LEN(data_fields)];
    uint32_t n = 0;
    bool null;
    if (slice_eq(connector, SL("mariadb"))) /* the envelope as a whole, as the original has it */
        return converter_json.from_connect(c->json, topic, s, v, out, &null, e);
    for (size_t i = 0; i < ARRAY_LEN(data_fields); i++) {
        int at = schema_field_index(s, slice_cstr(data_fields[i]));
        if (at >= 0)
            fields[n++] = v.u.v[at];
    }
    struct value data = {.kind = VALUE_STRUCT, .n = n, .u.v = fields};
    return converter_json.from_connect(c->json, topic, data_schema(c, s, connector), data, out,
                                       &null, e);
}

static enum err cloud_from(void *conv, struct slice topic, const struct schema *s, struct value v,
                           struct strbuf *out, bool *null, struct error *e)
{
    struct cloud_events *c = conv;
    struct part source;
    *null = !s || v.kind != VALUE_STRUCT || !slice_ends(s->name, SL("Envelope")) ||
            !take(s, v, "source", &source) || source.value.kind != VALUE_STRUCT;
    if (*null)
        return E_OK;
    strbuf_addc(out, '{');
    add_identity(out, &source);
    enum err rc = c->extensions ? add_extensions(out, s, v, &source, e) : E_OK;
    if (!rc) {
        strbuf_adds(out, ",\"data\":");
        rc = add_data(c, topic, s, v, text_of(&source, "connector"), out, e);
    }
    strbuf_addc(out, '}');
    if (!rc && strbuf_err(out))
        rc = error_set(e, strbuf_err(out),
                       "org.apache.kafka.connect.errors.ConnectException: the event does not fit "
                       "into memory");
    return rc;
}

static enum err cloud_to(void *conv, struct slice topic, struct slice bytes, struct arena *a,
                         const struct schema **s, struct value *v, struct error *e)
{
    (void)conv, (void)topic, (void)a;
    *s = NULL;
    *v = value_null();
    return bytes.p ? error_set(e, E_UNSUPPORTED,
                               DATA_EXCEPTION
                               "CloudEventsConverter writes events and does not read them: give "
                               "sinks the JsonConverter with schemas.enable=false")
                   : E_OK;
}

#define ROW(name_, type_, def_, doc_)                                                              \
    {                                                                                              \
        .name = name_, .type = type_, .def = def_, .offset = OPT_NO_FIELD, .importance = OPT_HIGH, \
        .order = -1, .display = name_, .doc = doc_                                                 \
    }
static const struct opt_row rows[] = {
    CONVERTER_TYPE_ROW,
    ROW("serializer.type", OPT_STRING, "json", "How the event is written: json."),
    ROW("data.serializer.type", OPT_STRING, "json", "How its data is written: json."),
    ROW("extension.attributes.enable", OPT_BOOLEAN, "true",
        "Write operation, source and transaction as iodebezium... attributes."),
    ROW("metadata.source", OPT_LIST,
        "value,id:generate,type:generate,traceparent:header,dataSchemaName:generate",
        "Where attributes come from: the value (headers are not there)."),
    {.name = NULL},
};
static const char *const aliases[] = {"CloudEventsConverter", "CloudEvents", NULL};
const struct converter_ops converter_cloud_events = {
    .class_name = "io.debezium.converters.CloudEventsConverter",
    .aliases = aliases,
    .version = "3.5.0.Final",
    .rows = rows,
    .configure = cloud_configure,
    .from_connect = cloud_from,
    .to_connect = cloud_to,
    .release = cloud_release,
};
