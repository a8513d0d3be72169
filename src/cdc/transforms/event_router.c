/* cdc/transforms/event_router.c - the outbox EventRouter: a row of the outbox table becomes the
 * message that it describes (outbox.c). Inserts are routed, deletes dropped, updates are a mistake.
 * SPEC: connect 7.2. Thread: the task's. */
#include "base/log.h"
#include "base/mem.h"
#include "cdc/transforms/json_payload.h"
#include "cdc/transforms/outbox.h"

struct router {
    struct outbox outbox; /* begins with struct smt */
    bool expand, keep_nulls;
    bool told_text; /* that a payload stays text */
};

static void release(void *smt)
{
    struct router *s = smt;
    outbox_release(&s->outbox);
    smt_free(s);
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    static const struct outbox_names names = {
        .id = "table.field.event.id",
        .id_default = "id",
        .key = "table.field.event.key",
        .payload = "table.field.event.payload",
        .timestamp = "table.field.event.timestamp",
        .version = "table.field.event.schema.version",
        .placement = "table.fields.additional.placement",
    };
    struct router *s = *smt = smt_new(sizeof *s, config, class_name);
    const struct smt *o = &s->outbox.smt;
    s->outbox.must_exist = smt_flag(o, "table.fields.additional.error.on.missing", true);
    s->expand = smt_flag(o, "table.expand.json.payload", false);
    s->keep_nulls =
        slice_ieq(smt_text(o, "table.json.payload.null.behavior"), SL("optional_bytes"));
    return outbox_configure(&s->outbox, &names, e);
}

/* Kind and place of the fault; what stands there is the row's. Once: it may be so with every record.
 */
static void tell_text(struct router *s, struct error *why)
{
    char *near = strstr(why->msg, " near ");
    if (near)
        *near = '\0';
    if (!s->told_text)
        LOG_WARN(LOG_CONNECT_TASK, "an outbox payload stays text: %s (others are not told)",
                 why->msg);
    s->told_text = true;
}

/* table.expand.json.payload */
static enum err expand(struct outbox *outbox, struct record_batch *b, struct dbz_field *payload,
                       struct error *e)
{
    struct router *s = container_of(outbox, struct router, outbox);
    struct error why = {0};
    if (!s->expand || payload->value.kind != VALUE_STRING)
        return E_OK;
    enum err rc = json_payload_expand(value_slice(payload->value), s->keep_nulls, b,
                                      &payload->schema, &payload->value, &why);
    if (rc == E_NOMEM)
        return smt_no_memory(e);
    if (rc)
        tell_text(s, &why);
    return E_OK;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct router *s = smt;
    struct dbz_field op, after, ts_ms = {0};
    if (r->value.kind == VALUE_NULL) {
        r->dropped = true;
        return E_OK;
    }
    if (!smt_is_envelope(r) || !outbox_find(r, SL("op"), &op) ||
        !outbox_find(r, SL("after"), &after))
        return E_OK;
    struct slice what = op.value.kind == VALUE_STRING ? value_slice(op.value) : SL("");
    if (slice_eq(what, SL("u")))
        return outbox_updated(&s->outbox, r, r->topic, e);
    bool sent = slice_eq(what, SL("c")) || slice_eq(what, SL("r"));
    if (sent && after.value.kind == VALUE_STRING)
        return dbz_is_document(r, "Read Outbox Event", "outbox.MongoEventRouter", e);
    if (!sent || after.value.kind != VALUE_STRUCT) {
        r->dropped = true;
        return E_OK;
    }
    outbox_find(r, SL("ts_ms"), &ts_ms);
    struct record row = {.value_schema = after.schema, .value = after.value};
    return outbox_route(&s->outbox, b, &row, ts_ms, expand, r, e);
}

static const char *const nulls[] = {"ignore", "optional_bytes", NULL};
static const struct opt_row rows[] = {
    OUTBOX_ROW(1, "table.field.event.id", OPT_STRING, "id", OPT_LOW, "Table", "Event ID Field",
               "Column with the event's id."),
    OUTBOX_ROW(2, "table.field.event.key", OPT_STRING, "aggregateid", OPT_LOW, "Table",
               "Event Key Field", "Column that becomes the key."),
    OUTBOX_ROW(3, "table.field.event.type", OPT_STRING, "type", OPT_LOW, "Table",
               "Event Type Field", "Column with the event's type."),
    OUTBOX_ROW(4, "table.field.event.payload", OPT_STRING, "payload", OPT_LOW, "Table",
               "Event Payload Field", "Column that becomes the value."),
    OUTBOX_ROW(5, "table.field.event.timestamp", OPT_STRING, NULL, OPT_MEDIUM, "Table",
               "Event Timestamp Field", "Column that becomes the timestamp."),
    OUTBOX_ROW(6, "table.fields.additional.placement", OPT_LIST, NULL, OPT_HIGH, "Table",
               "Settings for each additional column in the outbox table",
               "More columns: column:header:alias, column:envelope:alias, column:partition."),
    OUTBOX_ROW(7, "table.fields.additional.error.on.missing", OPT_BOOLEAN, "true", OPT_MEDIUM,
               "Table",
               "Should the transform error if an additional field is missing in the change data",
               "Whether such a column must exist."),
    OUTBOX_ROW(8, "table.field.event.schema.version", OPT_STRING, NULL, OPT_LOW, "Table",
               "Event Schema Version Field", "Column with the version of the value's schema."),
    OUTBOX_CHOICE(9, "table.op.invalid.behavior", "warn", outbox_behaviours, "Table",
                  "Behavior when capturing an unexpected outbox event",
                  "What an UPDATE of the table does: warn and error log it, fatal fails the task."),
    OUTBOX_ROW(10, "table.expand.json.payload", OPT_BOOLEAN, "false", OPT_MEDIUM, "Table",
               "Expand Payload escaped string as real JSON",
               "Turn a payload that is JSON text into a struct."),
    OUTBOX_CHOICE(11, "table.json.payload.null.behavior", "ignore", nulls, "Table",
                  "Behavior when json payload including null value",
                  "ignore leaves null members out, optional_bytes keeps them."),
    SMT_ROW("table.json.payload.empty.array.behavior", OPT_STRING, NULL, OPT_INTERNAL, OPT_MEDIUM,
            "Accepted; empty arrays are left out."),
    OUTBOX_ROUTER_ROWS,
    {.name = NULL},
};
DBZ_CLASS(smt_event_router, "outbox.", "EventRouter", rows, configure, apply, release)
