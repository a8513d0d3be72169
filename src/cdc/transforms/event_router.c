/* cdc/transforms/event_router.c - the outbox EventRouter: a row of the outbox table becomes the
 * message that it describes.
 *
 *   aggregatetype -> topic     aggregateid -> key     payload -> value     id -> header id
 *
 * Inserts are routed, deletes dropped, updates are a mistake. SPEC: connect 7.2. Thread: the
 * task's. */
#include "cdc/transforms/transforms.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/transforms/json_payload.h"

enum place { PLACE_HEADER, PLACE_ENVELOPE, PLACE_PARTITION };
struct placement {
    struct slice column, alias;
    enum place place;
};
enum invalid { INVALID_WARN, INVALID_ERROR, INVALID_FATAL };

#define MADE 16
struct router {
    struct smt smt;
    struct slice id, key, payload, timestamp, version, route; /* columns; null: none */
    struct placement *placements;
    size_t placement_count;
    bool has_envelope, must_exist, tombstones, expand, keep_nulls;
    enum invalid invalid;
    struct regex *regex;
    struct slice replacement;
    struct strbuf text;
    struct { /* schemas of envelope values */
        const struct schema *row, *payload, *made;
        int32_t version;
    } made[MADE];
    size_t next_made;
};

static void release(void *smt)
{
    struct router *s = smt;
    for (size_t i = 0; i < MADE; i++) {
        schema_unref(s->made[i].row);
        schema_unref(s->made[i].payload);
        schema_unref(s->made[i].made);
    }
    mem_free(s->placements);
    regex_free(s->regex);
    strbuf_release(&s->text);
    smt_free(s);
}

/* --- options ------------------------------------------------------------------------------------
 */

static struct slice text_or(const struct smt *s, const char *option, const char *absent)
{
    struct slice text = smt_text(s, option);
    return text.n ? text : absent ? slice_cstr(absent) : SLICE_NULL;
}

/* column:place[:alias] */
static bool parse_placement(struct slice part, struct placement *out)
{
    static const char *const places[] = {"header", "envelope", "partition"};
    struct slice rest = part, place;
    if (!slice_split(&rest, ':', &out->column) || !rest.p || !slice_split(&rest, ':', &place))
        return false;
    out->column = slice_trim(out->column);
    out->alias = rest.p ? slice_trim(rest) : out->column;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (slice_ieq(slice_trim(place), slice_cstr(places[i]))) {
            out->place = (enum place)i;
            return true;
        }
    }
    return false;
}

static enum err parse_placements(struct router *s, struct error *e)
{
    struct slice rest = smt_text(&s->smt, "table.fields.additional.placement"), part;
    while (rest.p && opt_list_next(&rest, &part)) {
        struct placement p;
        if (!part.n)
            continue;
        if (!parse_placement(part, &p))
            return error_set(
                e, E_INVALID,
                CONFIG_EXCEPTION "Invalid value " PRI_SL
                                 " for configuration table.fields.additional.placement: " PRI_SL
                                 " is not column:header, column:envelope or column:partition with "
                                 "an :alias",
                ARG_SL(smt_text(&s->smt, "table.fields.additional.placement")), ARG_SL(part));
        s->placements = xrealloc(s->placements, (s->placement_count + 1) * sizeof *s->placements);
        s->placements[s->placement_count++] = p;
        s->has_envelope |= p.place == PLACE_ENVELOPE;
    }
    return E_OK;
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct router *s = *smt = smt_new(sizeof *s, config, class_name);
    const struct smt *o = &s->smt;
    struct error why = {0};
    strbuf_init(&s->text, 0);
    s->id = text_or(o, "table.field.event.id", "id");
    s->key = text_or(o, "table.field.event.key", "aggregateid");
    s->payload = text_or(o, "table.field.event.payload", "payload");
    s->timestamp = text_or(o, "table.field.event.timestamp", NULL);
    s->version = text_or(o, "table.field.event.schema.version", NULL);
    s->route = text_or(o, "route.by.field", "aggregatetype");
    s->replacement = text_or(o, "route.topic.replacement", "outbox.event.${routedByValue}");
    s->must_exist = smt_flag(o, "table.fields.additional.error.on.missing", true);
    s->tombstones = smt_flag(o, "route.tombstone.on.empty.payload", false);
    s->expand = smt_flag(o, "table.expand.json.payload", false);
    s->keep_nulls =
        slice_ieq(smt_text(o, "table.json.payload.null.behavior"), SL("optional_bytes"));
    struct slice invalid = smt_text(o, "table.op.invalid.behavior");
    s->invalid = slice_ieq(invalid, SL("fatal"))   ? INVALID_FATAL
                 : slice_ieq(invalid, SL("error")) ? INVALID_ERROR
                                                   : INVALID_WARN;
    struct slice pattern = text_or(o, "route.topic.regex", "(?<routedByValue>.*)");
    if (regex_compile(&s->regex, pattern, 0, &why) != E_OK)
        return error_set(e, E_INVALID,
                         CONFIG_EXCEPTION "Invalid value " PRI_SL
                                          " for configuration route.topic.regex: %s",
                         ARG_SL(pattern), why.msg);
    return parse_placements(s, e);
}

/* --- columns ------------------------------------------------------------------------------------
 */

struct column {
    const struct schema *schema;
    struct value value;
};

/* A column; its default where it is null. */
static bool find(const struct record *row, struct slice name, struct column *out)
{
    int at = schema_field_index(row->value_schema, name);
    *out = (struct column){0};
    if (at < 0)
        return false;
    const struct schema *f = row->value_schema->fields[at].schema;
    struct value v = row->value.u.v[at];
    *out = (struct column){f, v.kind == VALUE_NULL && f->has_default ? f->def : v};
    return true;
}

static enum err want(const struct record *row, struct slice name, struct column *out,
                     struct error *e)
{
    return find(row, name, out)
               ? E_OK
               : error_set(e, E_INVALID, DATA_EXCEPTION PRI_SL " is not a valid field name",
                           ARG_SL(name));
}

/* --- parts of the message -----------------------------------------------------------------------
 */

/* The topic, and the value that it was made of. */
static enum err set_topic(struct router *s, struct record_batch *b, const struct record *row,
                          struct record *r, struct slice *routed, struct error *e)
{
    struct column c = {0};
    struct error why = {0};
    enum err rc = want(row, s->route, &c, e);
    if (rc)
        return rc;
    if (c.value.kind != VALUE_STRING)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "the routing field " PRI_SL " has no text (%s)",
                         ARG_SL(s->route), smt_java_class(c.schema, c.value));
    *routed = value_slice(c.value);
    strbuf_reset(&s->text);
    rc = regex_replace_whole(s->regex, *routed, s->replacement, &s->text, &why);
    if (rc == E_NOT_FOUND)
        return smt_copy_text(b, *routed, &r->topic, e);
    if (rc)
        return error_set(e, rc, "java.lang.IllegalArgumentException: %s", why.msg);
    return smt_copy_text(b, strbuf_slice(&s->text), &r->topic, e);
}

static enum err set_timestamp(const struct router *s, const struct record *row, struct column ts_ms,
                              struct record *r, struct error *e)
{
    static const struct {
        struct slice name;
        int64_t per_ms;
    } forms[] = {{SL_INIT("io.debezium.time.Timestamp"), 1},
                 {SL_INIT("io.debezium.time.MicroTimestamp"), 1000},
                 {SL_INIT("io.debezium.time.NanoTimestamp"), 1000000}};
    struct column c = {0};
    if (ts_ms.value.kind == VALUE_INT)
        r->timestamp_ms = ts_ms.value.u.i;
    if (!s->timestamp.p)
        return E_OK;
    if (!find(row, s->timestamp, &c))
        return error_set(e, E_INVALID,
                         "org.apache.kafka.connect.errors.ConnectException: Unable to find "
                         "timestamp field " PRI_SL " in event",
                         ARG_SL(s->timestamp));
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (c.schema->type != SCHEMA_INT64 || !slice_eq(c.schema->name, forms[i].name))
            continue;
        if (c.value.kind == VALUE_INT)
            r->timestamp_ms = c.value.u.i / forms[i].per_ms;
        return E_OK;
    }
    return error_set(e, E_INVALID,
                     "org.apache.kafka.connect.errors.ConnectException: Unsupported field type %s "
                     "(%s" PRI_SL ") for event timestamp",
                     schema_type_java(c.schema->type),
                     c.schema->name.p ? "" : "without logical schema name",
                     ARG_SL(c.schema->name.p ? c.schema->name : SL("")));
}

static enum err set_headers(const struct router *s, struct record_batch *b,
                            const struct record *row, struct record *r, struct error *e)
{
    struct column c = {0};
    size_t n = r->headers.count;
    struct record_header *h = smt_own_headers(b, r, s->placement_count + 1);
    enum err rc = h ? want(row, s->id, &c, e) : smt_no_memory(e);
    if (rc)
        return rc;
    h[n++] = (struct record_header){.name = SL("id"), .schema = c.schema, .value = c.value};
    for (size_t i = 0; i < s->placement_count; i++) {
        const struct placement *p = &s->placements[i];
        if (!find(row, p->column, &c)) {
            if (s->must_exist)
                return want(row, p->column, &c, e);
        } else if (p->place == PLACE_HEADER) {
            h[n++] = (struct record_header){.name = p->alias, .schema = c.schema, .value = c.value};
        } else if (p->place == PLACE_PARTITION && c.value.kind == VALUE_INT) {
            r->partition = (int32_t)c.value.u.i;
        }
    }
    r->headers = (struct record_headers){.items = h, .count = n};
    return E_OK;
}

/* --- the value ----------------------------------------------------------------------------------
 */

/* dbserver1.inventory.outboxevent.Value + order: dbserver1.inventory.outboxevent.order.Value */
static void envelope_name(struct strbuf *out, struct slice name, struct slice routed)
{
    size_t dot = name.n;
    while (dot > 0 && name.p[dot - 1] != '.')
        dot--;
    strbuf_reset(out);
    strbuf_add_slice(out, slice_sub(name, 0, dot));
    strbuf_add_slice(out, routed);
    if (name.n) {
        strbuf_addc(out, '.');
        strbuf_add_slice(out, slice_sub(name, dot, name.n));
    }
}

/* One a version (-1: none): its name keeps the routing value of the first event. SPEC: golden
 * outbox/placement */
static const struct schema *envelope_schema(struct router *s, struct record_batch *b,
                                            const struct record *row, const struct schema *payload,
                                            struct slice routed, int32_t version)
{
    for (size_t i = 0; i < MADE; i++)
        if (s->made[i].made && s->made[i].row == row->value_schema &&
            s->made[i].payload == payload && s->made[i].version == version)
            return s->made[i].made;
    struct schema_builder *builder = schema_builder_new(SCHEMA_STRUCT);
    envelope_name(&s->text, row->value_schema->name, routed);
    schema_builder_name(builder, strbuf_slice(&s->text));
    if (version >= 0)
        schema_builder_version(builder, version);
    schema_builder_field(builder, SL("payload"), schema_ref(payload));
    for (size_t i = 0; i < s->placement_count; i++) {
        struct column c = {0};
        if (s->placements[i].place == PLACE_ENVELOPE && find(row, s->placements[i].column, &c))
            schema_builder_field(builder, s->placements[i].alias, schema_ref(c.schema));
    }
    size_t at = s->next_made++ % MADE;
    if (s->made[at].made) {
        record_batch_keep(b, s->made[at].made);
        schema_unref(s->made[at].made);
        schema_unref(s->made[at].row);
        schema_unref(s->made[at].payload);
    }
    s->made[at].row = schema_ref(row->value_schema);
    s->made[at].payload = schema_ref(payload);
    s->made[at].made = schema_build(builder);
    s->made[at].version = version;
    return s->made[at].made;
}

static bool is_blank(struct value v)
{
    return v.kind == VALUE_NULL || (v.kind == VALUE_STRING && !slice_trim(value_slice(v)).n) ||
           (v.kind == VALUE_BYTES && v.n == 0);
}

static enum err wrap(struct router *s, struct record_batch *b, const struct record *row,
                     struct column payload, struct slice routed, struct record *r, struct error *e)
{
    struct column c = {0};
    int32_t version = -1;
    if (s->version.p) {
        enum err rc = want(row, s->version, &c, e);
        if (rc)
            return rc;
        if (c.value.kind == VALUE_INT)
            version = (int32_t)c.value.u.i;
    }
    struct value *fields = arena_try_alloc(&b->arena, (s->placement_count + 1) * sizeof *fields);
    if (!fields)
        return smt_no_memory(e);
    uint32_t n = 0;
    fields[n++] = payload.value;
    for (size_t i = 0; i < s->placement_count; i++)
        if (s->placements[i].place == PLACE_ENVELOPE && find(row, s->placements[i].column, &c))
            fields[n++] = c.value;
    r->value_schema = envelope_schema(s, b, row, payload.schema, routed, version);
    r->value = (struct value){.kind = VALUE_STRUCT, .n = n, .u.v = fields};
    return E_OK;
}

static enum err set_value(struct router *s, struct record_batch *b, const struct record *row,
                          struct slice routed, struct record *r, struct error *e)
{
    struct column c = {0};
    struct error why = {0};
    if (!find(row, s->payload, &c))
        return error_set(e, E_INVALID,
                         "org.apache.kafka.connect.errors.ConnectException: Unable to find payload "
                         "field " PRI_SL " in event",
                         ARG_SL(s->payload));
    if (s->tombstones && is_blank(c.value)) {
        r->value_schema = NULL;
        r->value = value_null();
        return E_OK;
    }
    if (s->expand && c.value.kind == VALUE_STRING) {
        enum err rc =
            json_payload_expand(value_slice(c.value), s->keep_nulls, b, &c.schema, &c.value, &why);
        if (rc == E_NOMEM)
            return smt_no_memory(e);
        if (rc)
            LOG_WARN(LOG_CONNECT_TASK, "an outbox payload stays text: %s", why.msg);
    }
    if (s->has_envelope)
        return wrap(s, b, row, c, routed, r, e);
    r->value_schema = c.schema;
    r->value = c.value;
    return E_OK;
}

/* --- records ------------------------------------------------------------------------------------
 */

static enum err updated(const struct router *s, struct record *r, struct error *e)
{
    r->dropped = true;
    if (s->invalid == INVALID_FATAL)
        return error_set(
            e, E_INVALID,
            "java.lang.IllegalStateException: Unexpected update message received " PRI_SL ", fail.",
            ARG_SL(r->topic));
    LOG_AT(LOG_CONNECT_TASK, s->invalid == INVALID_ERROR ? LOG_L_ERROR : LOG_L_WARN,
           "Unexpected update message received " PRI_SL " and ignored", ARG_SL(r->topic));
    return E_OK;
}

static enum err route(struct router *s, struct record_batch *b, const struct record *row,
                      struct column ts_ms, struct record *r, struct error *e)
{
    struct column key = {0};
    struct slice routed;
    enum err rc = set_topic(s, b, row, r, &routed, e);
    if (rc == E_OK)
        rc = set_timestamp(s, row, ts_ms, r, e);
    if (rc == E_OK)
        rc = set_headers(s, b, row, r, e);
    if (rc == E_OK)
        rc = want(row, s->key, &key, e);
    if (rc)
        return rc;
    r->key_schema = key.schema;
    r->key = key.value;
    return set_value(s, b, row, routed, r, e);
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct router *s = smt;
    struct column op, after, ts_ms = {0};
    if (r->value.kind == VALUE_NULL) {
        r->dropped = true;
        return E_OK;
    }
    if (!smt_is_envelope(r) || !find(r, SL("op"), &op) || !find(r, SL("after"), &after))
        return E_OK;
    struct slice what = op.value.kind == VALUE_STRING ? value_slice(op.value) : SL("");
    if (slice_eq(what, SL("u")))
        return updated(s, r, e);
    if (after.value.kind != VALUE_STRUCT || !(slice_eq(what, SL("c")) || slice_eq(what, SL("r")))) {
        r->dropped = true;
        return E_OK;
    }
    find(r, SL("ts_ms"), &ts_ms);
    struct record row = {.value_schema = after.schema, .value = after.value};
    return route(s, b, &row, ts_ms, r, e);
}

#define FIELDS(order_, name_, type_, def_, flags_, importance_, group_, display_, doc_)            \
    DBZ_FIELDS(order_, OPT_W_MEDIUM, display_, name_, type_, def_, flags_, importance_, doc_),     \
        .group = group_
#define ROW(order_, name_, type_, def_, importance_, group_, display_, doc_)                       \
    {                                                                                              \
        FIELDS(order_, name_, type_, def_, 0, importance_, group_, display_, doc_)                 \
    }
#define CHOICE(order_, name_, def_, choices_, display_, doc_)                                      \
    {                                                                                              \
        FIELDS(order_, name_, OPT_STRING, def_, OPT_ANY_CASE, OPT_MEDIUM, "Table", display_,       \
               doc_),                                                                              \
            .choices = choices_                                                                    \
    }
static const char *const behaviours[] = {"warn", "error", "fatal", NULL};
static const char *const nulls[] = {"ignore", "optional_bytes", NULL};
static const struct opt_row rows[] = {
    ROW(1, "table.field.event.id", OPT_STRING, "id", OPT_LOW, "Table", "Event ID Field",
        "Column with the event's id."),
    ROW(2, "table.field.event.key", OPT_STRING, "aggregateid", OPT_LOW, "Table", "Event Key Field",
        "Column that becomes the key."),
    ROW(3, "table.field.event.type", OPT_STRING, "type", OPT_LOW, "Table", "Event Type Field",
        "Column with the event's type."),
    ROW(4, "table.field.event.payload", OPT_STRING, "payload", OPT_LOW, "Table",
        "Event Payload Field", "Column that becomes the value."),
    ROW(5, "table.field.event.timestamp", OPT_STRING, NULL, OPT_MEDIUM, "Table",
        "Event Timestamp Field", "Column that becomes the timestamp."),
    ROW(6, "table.fields.additional.placement", OPT_LIST, NULL, OPT_HIGH, "Table",
        "Settings for each additional column in the outbox table",
        "More columns: column:header:alias, column:envelope:alias, column:partition."),
    ROW(7, "table.fields.additional.error.on.missing", OPT_BOOLEAN, "true", OPT_MEDIUM, "Table",
        "Should the transform error if an additional field is missing in the change data",
        "Whether such a column must exist."),
    ROW(8, "table.field.event.schema.version", OPT_STRING, NULL, OPT_LOW, "Table",
        "Event Schema Version Field", "Column with the version of the value's schema."),
    CHOICE(9, "table.op.invalid.behavior", "warn", behaviours,
           "Behavior when capturing an unexpected outbox event",
           "What an UPDATE of the table does: warn and error log it, fatal fails the task."),
    ROW(10, "table.expand.json.payload", OPT_BOOLEAN, "false", OPT_MEDIUM, "Table",
        "Expand Payload escaped string as real JSON",
        "Turn a payload that is JSON text into a struct."),
    CHOICE(11, "table.json.payload.null.behavior", "ignore", nulls,
           "Behavior when json payload including null value",
           "ignore leaves null members out, optional_bytes keeps them."),
    SMT_ROW("table.json.payload.empty.array.behavior", OPT_STRING, NULL, OPT_INTERNAL, OPT_MEDIUM,
            "Accepted; empty arrays are left out."),
    ROW(1, "route.by.field", OPT_STRING, "aggregatetype", OPT_HIGH, "Router",
        "Field to route events by", "Column that chooses the topic."),
    ROW(2, "route.topic.regex", OPT_STRING, "(?<routedByValue>.*)", OPT_LOW, "Router",
        "The name of the routed topic", "Expression that its text must match as a whole."),
    ROW(3, "route.topic.replacement", OPT_STRING, "outbox.event.${routedByValue}", OPT_HIGH,
        "Router", "The name of the routed topic", "The topic; ${name} and $1 stand for groups."),
    ROW(4, "route.tombstone.on.empty.payload", OPT_BOOLEAN, "false", OPT_HIGH, "Router",
        "Empty payloads cause a tombstone message", "Send a tombstone for an empty payload."),
    ROW(1, "tracing.span.context.field", OPT_STRING, "tracingspancontext", OPT_HIGH, "Tracing",
        "Serialized tracing span context field", "Accepted; weir traces nothing."),
    ROW(2, "tracing.operation.name", OPT_STRING, "debezium-read", OPT_HIGH, "Tracing",
        "Tracing operation name", "Accepted; weir traces nothing."),
    ROW(3, "tracing.with.context.field.only", OPT_BOOLEAN, "false", OPT_HIGH, "Tracing",
        "Trace only events with context field present", "Accepted; weir traces nothing."),
    {.name = NULL},
};
DBZ_CLASS(smt_event_router, "outbox.", "EventRouter", rows, configure, apply, release)
