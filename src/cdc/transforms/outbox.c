/* cdc/transforms/outbox.c - see the header. */
#include "cdc/transforms/outbox.h"

#include "base/log.h"
#include "base/mem.h"

enum place { PLACE_HEADER, PLACE_ENVELOPE, PLACE_PARTITION };
struct outbox_placement {
    struct slice column, alias;
    enum place place;
};

void outbox_release(struct outbox *s)
{
    for (size_t i = 0; i < OUTBOX_MADE; i++) {
        schema_unref(s->made[i].row);
        schema_unref(s->made[i].payload);
        schema_unref(s->made[i].made);
    }
    mem_free(s->placements);
    regex_free(s->regex);
    strbuf_release(&s->text);
}

/* --- options ---------------------------------------------------------------------------------- */

static struct slice text_or(const struct smt *s, const char *option, const char *absent)
{
    struct slice text = smt_text(s, option);
    return text.n ? text : absent ? slice_cstr(absent) : SLICE_NULL;
}

/* column:place[:alias] */
static bool parse_placement(struct slice part, struct outbox_placement *out)
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

static enum err parse_placements(struct outbox *s, const char *option, struct error *e)
{
    struct slice rest = smt_text(&s->smt, option), part;
    while (rest.p && opt_list_next(&rest, &part)) {
        struct outbox_placement p;
        if (!part.n)
            continue;
        if (!parse_placement(part, &p))
            return error_set(e, E_INVALID,
                             CONFIG_EXCEPTION
                             "Invalid value " PRI_SL " for configuration %s: " PRI_SL
                             " is not column:header, column:envelope or column:partition with "
                             "an :alias",
                             ARG_SL(smt_text(&s->smt, option)), option, ARG_SL(part));
        s->placements = xrealloc(s->placements, (s->placement_count + 1) * sizeof *s->placements);
        s->placements[s->placement_count++] = p;
        s->has_envelope |= p.place == PLACE_ENVELOPE;
    }
    return E_OK;
}

enum err outbox_configure(struct outbox *s, const struct outbox_names *names, struct error *e)
{
    const struct smt *o = &s->smt;
    struct error why = {0};
    strbuf_init(&s->text, 0);
    s->id = text_or(o, names->id, names->id_default);
    s->key = text_or(o, names->key, "aggregateid");
    s->payload = text_or(o, names->payload, "payload");
    s->timestamp = text_or(o, names->timestamp, NULL);
    s->version = text_or(o, names->version, NULL);
    s->route = text_or(o, "route.by.field", "aggregatetype");
    s->replacement = text_or(o, "route.topic.replacement", "outbox.event.${routedByValue}");
    s->tombstones = smt_flag(o, "route.tombstone.on.empty.payload", false);
    struct slice invalid = text_or(o, "table.op.invalid.behavior", NULL);
    if (!invalid.p)
        invalid = smt_text(o, "collection.op.invalid.behavior");
    s->invalid = slice_ieq(invalid, SL("fatal"))   ? OUTBOX_FATAL
                 : slice_ieq(invalid, SL("error")) ? OUTBOX_ERROR
                                                   : OUTBOX_WARN;
    struct slice pattern = text_or(o, "route.topic.regex", "(?<routedByValue>.*)");
    if (regex_compile(&s->regex, pattern, 0, &why) != E_OK)
        return error_set(e, E_INVALID,
                         CONFIG_EXCEPTION "Invalid value " PRI_SL
                                          " for configuration route.topic.regex: %s",
                         ARG_SL(pattern), why.msg);
    return parse_placements(s, names->placement, e);
}

/* --- columns ---------------------------------------------------------------------------------- */

bool outbox_find(const struct record *row, struct slice name, struct dbz_field *out)
{
    int at = schema_field_index(row->value_schema, name);
    *out = (struct dbz_field){0};
    if (at < 0)
        return false;
    const struct schema *f = row->value_schema->fields[at].schema;
    struct value v = row->value.u.v[at];
    *out = (struct dbz_field){f, v.kind == VALUE_NULL && f->has_default ? f->def : v};
    return true;
}

static enum err want(const struct record *row, struct slice name, struct dbz_field *out,
                     struct error *e)
{
    return outbox_find(row, name, out)
               ? E_OK
               : error_set(e, E_INVALID, DATA_EXCEPTION PRI_SL " is not a valid field name",
                           ARG_SL(name));
}

/* --- parts of the message --------------------------------------------------------------------- */

/* The topic, and the value that it was made of. */
static enum err set_topic(struct outbox *s, struct record_batch *b, const struct record *row,
                          struct record *r, struct slice *routed, struct error *e)
{
    struct dbz_field c = {0};
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

static enum err set_timestamp(const struct outbox *s, const struct record *row,
                              struct dbz_field ts_ms, struct record *r, struct error *e)
{
    static const struct {
        struct slice name;
        int64_t per_ms;
    } forms[] = {{SL_INIT("io.debezium.time.Timestamp"), 1},
                 {SL_INIT("io.debezium.time.MicroTimestamp"), 1000},
                 {SL_INIT("io.debezium.time.NanoTimestamp"), 1000000}};
    struct dbz_field c = {0};
    if (ts_ms.value.kind == VALUE_INT)
        r->timestamp_ms = ts_ms.value.u.i;
    if (!s->timestamp.p)
        return E_OK;
    if (!outbox_find(row, s->timestamp, &c))
        return error_set(e, E_INVALID,
                         "org.apache.kafka.connect.errors.ConnectException: Unable to find "
                         "timestamp field " PRI_SL " in event",
                         ARG_SL(s->timestamp));
    if (s->plain_ms && c.schema->type == SCHEMA_INT64) {
        if (c.value.kind == VALUE_INT)
            r->timestamp_ms = c.value.u.i;
        return E_OK;
    }
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

static enum err set_headers(const struct outbox *s, struct record_batch *b,
                            const struct record *row, struct record *r, struct error *e)
{
    struct dbz_field c = {0};
    size_t n = r->headers.count;
    struct record_header *h = smt_own_headers(b, r, s->placement_count + 1);
    enum err rc = h ? want(row, s->id, &c, e) : smt_no_memory(e);
    if (rc)
        return rc;
    h[n++] = (struct record_header){.name = SL("id"), .schema = c.schema, .value = c.value};
    for (size_t i = 0; i < s->placement_count; i++) {
        const struct outbox_placement *p = &s->placements[i];
        if (!outbox_find(row, p->column, &c)) {
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

/* --- the value -------------------------------------------------------------------------------- */

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
static const struct schema *envelope_schema(struct outbox *s, struct record_batch *b,
                                            const struct record *row, const struct schema *payload,
                                            struct slice routed, int32_t version)
{
    for (size_t i = 0; i < OUTBOX_MADE; i++)
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
        struct dbz_field c = {0};
        if (s->placements[i].place == PLACE_ENVELOPE &&
            outbox_find(row, s->placements[i].column, &c))
            schema_builder_field(builder, s->placements[i].alias, schema_ref(c.schema));
    }
    size_t at = s->next_made++ % OUTBOX_MADE;
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

static enum err wrap(struct outbox *s, struct record_batch *b, const struct record *row,
                     struct dbz_field payload, struct slice routed, struct record *r,
                     struct error *e)
{
    struct dbz_field c = {0};
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
        if (s->placements[i].place == PLACE_ENVELOPE &&
            outbox_find(row, s->placements[i].column, &c))
            fields[n++] = c.value;
    r->value_schema = envelope_schema(s, b, row, payload.schema, routed, version);
    r->value = (struct value){.kind = VALUE_STRUCT, .n = n, .u.v = fields};
    return E_OK;
}

static enum err set_value(struct outbox *s, struct record_batch *b, const struct record *row,
                          struct slice routed, outbox_expand *expand, struct record *r,
                          struct error *e)
{
    struct dbz_field c = {0};
    if (!outbox_find(row, s->payload, &c))
        return error_set(e, E_INVALID,
                         "org.apache.kafka.connect.errors.ConnectException: Unable to find payload "
                         "field " PRI_SL " in event",
                         ARG_SL(s->payload));
    if (s->tombstones && is_blank(c.value)) {
        r->value_schema = NULL;
        r->value = value_null();
        return E_OK;
    }
    if (expand) {
        enum err rc = expand(s, b, &c, e);
        if (rc)
            return rc;
    }
    if (s->has_envelope)
        return wrap(s, b, row, c, routed, r, e);
    r->value_schema = c.schema;
    r->value = c.value;
    return E_OK;
}

/* --- records ---------------------------------------------------------------------------------- */

enum err outbox_updated(const struct outbox *s, struct record *r, struct slice what,
                        struct error *e)
{
    r->dropped = true;
    if (s->invalid == OUTBOX_FATAL)
        return error_set(
            e, E_INVALID,
            "java.lang.IllegalStateException: Unexpected update message received " PRI_SL ", fail.",
            ARG_SL(what));
    LOG_AT(LOG_CONNECT_TASK, s->invalid == OUTBOX_ERROR ? LOG_L_ERROR : LOG_L_WARN,
           "Unexpected update message received " PRI_SL " and ignored", ARG_SL(what));
    return E_OK;
}

enum err outbox_route(struct outbox *s, struct record_batch *b, const struct record *row,
                      struct dbz_field ts_ms, outbox_expand *expand, struct record *r,
                      struct error *e)
{
    struct dbz_field key = {0};
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
    return set_value(s, b, row, routed, expand, r, e);
}

const char *const outbox_behaviours[] = {"warn", "error", "fatal", NULL};
