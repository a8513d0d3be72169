/* cdc/transforms/mongo_event_router.c - the outbox MongoEventRouter: a document of the outbox
 * collection becomes the message that it describes (outbox.c). Its fields are typed as
 * ExtractNewDocumentState does; a payload that is a document is JSON text, or a struct with
 * collection.expand.json.payload.
 *
 * Inserts are routed, deletes dropped, updates are a mistake. SPEC: cdc-mongodb 7.2, connect 7.3.
 * Thread: the task's. */
#include "base/log.h"
#include "cdc/bson/bson_build.h"
#include "cdc/bson/bson_json.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/transforms/document.h"
#include "cdc/transforms/outbox.h"

struct router {
    struct outbox outbox; /* begins with struct smt */
    bool expand;
    struct documents *documents;
    struct bson_build build; /* scratch */
    struct strbuf text;      /* scratch */
};

static void release(void *smt)
{
    struct router *s = smt;
    outbox_release(&s->outbox);
    documents_free(s->documents);
    bson_build_release(&s->build);
    strbuf_release(&s->text);
    smt_free(s);
}

static bool given(const struct smt *o, const char *option)
{
    return smt_text(o, option).n > 0;
}

static const char *name_of(const struct smt *o, const char *own, const char *relational)
{
    return !given(o, own) && given(o, relational) ? relational : own;
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct router *s = *smt = smt_new(sizeof *s, config, class_name);
    const struct smt *o = &s->outbox.smt;
    const struct outbox_names names = {
        .id = name_of(o, "collection.field.event.id", "table.field.event.id"),
        .id_default = "_id",
        .key = name_of(o, "collection.field.event.key", "table.field.event.key"),
        .payload = name_of(o, "collection.field.event.payload", "table.field.event.payload"),
        .timestamp = name_of(o, "collection.field.event.timestamp", "table.field.event.timestamp"),
        .version =
            name_of(o, "collection.field.event.schema.version", "table.field.event.schema.version"),
        .placement = name_of(o, "collection.fields.additional.placement",
                             "table.fields.additional.placement"),
    };
    bson_build_init(&s->build);
    strbuf_init(&s->text, 0);
    s->documents = documents_new(DOCUMENTS_AS_ARRAYS, NAME_AS_IS);
    s->expand = smt_flag(
        o, name_of(o, "collection.expand.json.payload", "table.expand.json.payload"), false);
    s->outbox.plain_ms = true;
    s->outbox.must_exist =
        !slice_ieq(smt_text(o, "collection.field.additional.missing"), SL("ignore")) &&
        smt_flag(o,
                 name_of(o, "collection.fields.additional.error.on.missing",
                         "table.fields.additional.error.on.missing"),
                 true);
    return outbox_configure(&s->outbox, &names, e);
}

/* The document with a text in place of the payload. */
static enum err payload_as_text(struct router *s, struct record_batch *b, struct slice *doc,
                                struct error *e)
{
    static const struct bson_json_form form = {BSON_JSON_EXTENDED, BSON_JSON_PRETTY};
    struct bson_walk w;
    struct bson_item i;
    if (!bson_find(*doc, s->outbox.payload, &i) || i.kind != BSON_DOCUMENT)
        return E_OK;
    strbuf_reset(&s->text);
    bson_json_print_item(&i, form, &s->text);
    bson_build_reset(&s->build);
    bson_walk_init(&w, *doc);
    while (bson_walk_next(&w, &i)) {
        if (slice_eq(i.name, s->outbox.payload))
            bson_build_text(&s->build, i.name, strbuf_slice(&s->text));
        else
            bson_build_item(&s->build, i.name, &i);
    }
    struct slice made = bson_build_finish(&s->build);
    if (!made.p || strbuf_err(&s->text))
        return smt_no_memory(e);
    *doc = arena_dup(&b->arena, made);
    return doc->p ? E_OK : smt_no_memory(e);
}

/* The key's text; null: it is none of a collection's. */
static struct slice key_text(const struct record *r)
{
    struct dbz_field id;
    bool found = dbz_field(r->key_schema, r->key, SL("id"), &id) && id.value.kind == VALUE_STRING;
    return found ? value_slice(id.value) : SLICE_NULL;
}

static enum err refused(struct router *s, const struct record *r, struct slice doc, enum err err,
                        struct error *e)
{
    struct slice path = documents_fault(s->documents).path, payload = s->outbox.payload;
    struct bson_item i;
    bool inside = slice_starts(path, payload) && path.n > payload.n && path.p[payload.n] == '.' &&
                  bson_find(doc, payload, &i) && i.kind == BSON_DOCUMENT;
    const char *cure =
        inside ? "collection.expand.json.payload=false sends the payload as JSON text, whatever is "
                 "in it"
               : "give its elements one type, or put it into a payload that is a document, which "
                 "goes out as JSON text";
    return documents_refused(s->documents, r, key_text(r), cure, err, e);
}

static enum err route(struct router *s, struct record_batch *b, struct dbz_field after,
                      struct dbz_field ts_ms, struct record *r, struct error *e)
{
    struct document_shape *shape;
    struct record row = {0};
    struct slice doc;
    struct error why = {0};
    enum err err = bson_parse(value_slice(after.value), BSON_DOCUMENT, &b->arena, &doc, &why);
    if (err) {
        error_set(e, err, err == E_INVALID ? DATA_EXCEPTION "the document: %s" : "%s", why.msg);
        return document_unreadable(r, key_text(r), err, e);
    }
    if (!s->expand)
        err = payload_as_text(s, b, &doc, e);
    if (err)
        return err;
    err =
        document_convert(s->documents, b, after.schema->name, doc, NULL, 0, &shape, &row.value, e);
    if (err)
        return refused(s, r, doc, err, e);
    row.value_schema = shape->schema;
    return outbox_route(&s->outbox, b, &row, ts_ms, NULL, r, e);
}

static enum err updated(struct router *s, struct record *r, struct error *e)
{
    struct slice id = key_text(r);
    strbuf_reset(&s->text);
    if (id.p)
        strbuf_addf(&s->text, "Struct{id=" PRI_SL "}", ARG_SL(id));
    else
        strbuf_add_slice(&s->text, r->topic);
    return outbox_updated(&s->outbox, r, strbuf_slice(&s->text), e);
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct router *s = smt;
    struct dbz_field after, ts_ms;
    if (r->value.kind == VALUE_NULL) {
        r->dropped = true;
        return E_OK;
    }
    if (!smt_is_envelope(r) || !dbz_field(r->value_schema, r->value, SL("after"), &after))
        return E_OK;
    struct slice op = dbz_operation(r);
    if (slice_eq(op, SL("u")))
        return updated(s, r, e);
    bool sent = slice_eq(op, SL("c")) || slice_eq(op, SL("r"));
    if (sent && after.value.kind == VALUE_STRUCT)
        return dbz_is_row(r, DATA_EXCEPTION "_id is not a valid field name", "outbox.EventRouter",
                          e);
    if (!sent || after.value.kind != VALUE_STRING) {
        r->dropped = true;
        return E_OK;
    }
    dbz_field(r->value_schema, r->value, SL("ts_ms"), &ts_ms);
    return route(s, b, after, ts_ms, r, e);
}

#define OLD(name, type, doc) SMT_ROW(name, type, NULL, OPT_INTERNAL, OPT_LOW, doc)
static const char *const missing[] = {"error", "ignore", NULL};
static const struct opt_row rows[] = {
    OUTBOX_ROW(1, "collection.field.event.id", OPT_STRING, "_id", OPT_LOW, "Collection",
               "Event ID Field", "Field with the event's id."),
    OUTBOX_ROW(2, "collection.field.event.key", OPT_STRING, NULL, OPT_LOW, "Collection",
               "Event Key Field", "Field that becomes the key; aggregateid when not given."),
    OUTBOX_ROW(3, "collection.field.event.type", OPT_STRING, "type", OPT_LOW, "Collection",
               "Event Type Field", "Field with the event's type."),
    OUTBOX_ROW(4, "collection.field.event.payload", OPT_STRING, "payload", OPT_LOW, "Collection",
               "Event Payload Field", "Field that becomes the value."),
    OUTBOX_ROW(5, "collection.field.event.timestamp", OPT_STRING, NULL, OPT_MEDIUM, "Collection",
               "Event Timestamp Field",
               "Field that becomes the timestamp: a date, or a long of milliseconds."),
    OUTBOX_ROW(6, "collection.fields.additional.placement", OPT_LIST, NULL, OPT_HIGH, "Collection",
               "Settings for each additional column in the outbox table",
               "More fields: field:header:alias, field:envelope:alias, field:partition."),
    OUTBOX_ROW(7, "collection.field.event.schema.version", OPT_STRING, NULL, OPT_LOW, "Collection",
               "Event Schema Version Field", "Field with the version of the value's schema."),
    OUTBOX_CHOICE(
        8, "table.op.invalid.behavior", "warn", outbox_behaviours, "Collection",
        "Behavior when capturing an unexpected outbox event",
        "What an update of a document does: warn and error log it, fatal fails the task."),
    OUTBOX_ROW(9, "collection.expand.json.payload", OPT_BOOLEAN, "false", OPT_MEDIUM, "Collection",
               "Expand Payload escaped string as real JSON",
               "Turn a payload that is a document into a struct."),
    OUTBOX_ROUTER_ROWS,
    SMT_CHOICE_ROW("collection.field.additional.missing", NULL, OPT_INTERNAL | OPT_ANY_CASE,
                   OPT_LOW, missing, "Whether a field that is placed must exist."),
    SMT_CHOICE_ROW("collection.op.invalid.behavior", NULL, OPT_INTERNAL | OPT_ANY_CASE, OPT_LOW,
                   outbox_behaviours, "The same as table.op.invalid.behavior."),
    OLD("collection.fields.additional.error.on.missing", OPT_BOOLEAN,
        "Older form of collection.field.additional.missing."),
    OLD("table.field.event.id", OPT_STRING, "The same as collection.field.event.id."),
    OLD("table.field.event.key", OPT_STRING, "The same as collection.field.event.key."),
    OLD("table.field.event.type", OPT_STRING, "The same as collection.field.event.type."),
    OLD("table.field.event.payload", OPT_STRING, "The same as collection.field.event.payload."),
    OLD("table.field.event.timestamp", OPT_STRING, "The same as collection.field.event.timestamp."),
    OLD("table.field.event.schema.version", OPT_STRING,
        "The same as collection.field.event.schema.version."),
    OLD("table.fields.additional.placement", OPT_LIST,
        "The same as collection.fields.additional.placement."),
    OLD("table.fields.additional.error.on.missing", OPT_BOOLEAN,
        "Older form of collection.field.additional.missing."),
    OLD("table.expand.json.payload", OPT_BOOLEAN, "The same as collection.expand.json.payload."),
    {.name = NULL},
};
DBZ_CLASS_IN(smt_mongo_event_router, "io.debezium.connector.mongodb.transforms.outbox.",
             "MongoEventRouter", rows, configure, apply, release)
