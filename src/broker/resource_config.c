/* broker/resource_config.c - see resource_config.h.
 *
 *   resource_config (kind INT, name TEXT, option TEXT -> value TEXT): what was set
 *
 * A resource whose options were all deleted again has no rows. As in Kafka, a group stays listed
 * then (until the next start), a client metrics subscription is gone. */
#include "broker/resource_config.h"

#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"

static const char *const isolation_levels[] = {"read_committed", "read_uncommitted", NULL};

static enum err check_offset_reset(const struct opt_row *row, struct slice text, struct error *e)
{
    if (slice_eq(text, SL("earliest")) || slice_eq(text, SL("latest")) ||
        slice_starts(text, SL("by_duration:P")))
        return E_OK;
    return error_set(e, E_INVALID,
                     "Invalid value " PRI_SL " for configuration %s: Invalid value `" PRI_SL
                     "` for configuration %s. The value must be either 'earliest', 'latest' or of "
                     "the format 'by_duration:<PnDTnHnMn.nS>'.",
                     ARG_SL(text), row->name, ARG_SL(text), row->name);
}

/* Parts of "name=pattern" for client metrics: which property of a client, and an expression. */
static enum err check_match(const struct opt_row *row UNUSED, struct slice text, struct error *e)
{
    static const char *const names[] = {"client_instance_id",    "client_id",
                                        "client_software_name",  "client_software_version",
                                        "client_source_address", "client_source_port"};
    struct slice part, rest = text;
    while (opt_list_next(&rest, &part)) {
        ptrdiff_t eq = slice_find_char(part, '=');
        bool known = false;
        for (size_t i = 0; eq > 0 && i < ARRAY_LEN(names); i++)
            known |= slice_eq_c(slice_trim(slice_sub(part, 0, (size_t)eq)), names[i]);
        struct slice pattern = eq > 0 ? slice_sub(part, (size_t)eq + 1, part.n) : SL("");
        int depth = 0;
        for (size_t i = 0; i < pattern.n; i++)
            depth += (pattern.p[i] == '[' || pattern.p[i] == '(') -
                     (pattern.p[i] == ']' || pattern.p[i] == ')');
        if (!known || depth != 0)
            return error_set(e, E_INVALID, "Illegal client matching pattern: " PRI_SL,
                             ARG_SL(part));
    }
    return E_OK;
}

#define ROW(name_, type_, def_, doc_)                                                              \
    .name = (name_), .type = OPT_##type_, .def = (def_), .offset = OPT_NO_FIELD, .order = -1,      \
    .doc = (doc_)
static const struct opt_row metrics_rows[] = {
    {ROW("interval.ms", INT, "300000", "How often clients send their metrics.")},
    {ROW("match", LIST, "",
         "Which clients: name=expression of client_id, client_software_name ..."),
     .check = check_match},
    {ROW("metrics", LIST, "", "Prefixes of the metrics that clients send; empty: none.")},
    {.name = NULL},
};
static const struct opt_row group_rows[] = {
    {ROW("consumer.heartbeat.interval.ms", INT, "5000",
         "Heartbeats of members under the consumer protocol."),
     .min = 1, .has_min = true},
    {ROW("consumer.session.timeout.ms", INT, "45000",
         "A member under the consumer protocol that is silent for so long is out."),
     .min = 1, .has_min = true},
    {ROW("share.auto.offset.reset", STRING, "latest", "Where a new share group begins."),
     .check = check_offset_reset},
    {ROW("share.heartbeat.interval.ms", INT, "5000", "Heartbeats of a share group's members."),
     .min = 1, .has_min = true},
    {ROW("share.isolation.level", CHOICE, "read_uncommitted",
         "Whether share groups see records of open transactions."),
     .choices = isolation_levels},
    {ROW("share.record.lock.duration.ms", INT, "30000",
         "How long a share group's record belongs to the member that took it."),
     .min = 1000, .has_min = true},
    {ROW("share.session.timeout.ms", INT, "45000",
         "A share group's member that is silent for so long is out."),
     .min = 1, .has_min = true},
    {ROW("streams.heartbeat.interval.ms", INT, "5000", "Heartbeats of a streams group's members."),
     .min = 1, .has_min = true},
    {ROW("streams.num.standby.replicas", INT, "0", "Standby tasks of each stateful task."),
     .min = 0, .has_min = true},
    {ROW("streams.session.timeout.ms", INT, "45000",
         "A streams group's member that is silent for so long is out."),
     .min = 1, .has_min = true},
    {.name = NULL},
};
static const struct kind {
    const struct opt_row *rows;
    enum config_source source;
    bool default_synonym; /* whether a default is listed as a synonym */
} kinds[RESOURCE_KINDS] = {
    [RESOURCE_KIND_METRICS] = {metrics_rows, CONFIG_SOURCE_METRICS, false},
    [RESOURCE_KIND_GROUP] = {group_rows, CONFIG_SOURCE_GROUP, true},
};

/* --- storage ---------------------------------------------------------------------------------- */

static struct strmap *named(struct resource_configs *r, enum resource_kind kind, struct slice name)
{
    struct strmap *m = map_get(&r->named[kind], name);
    if (!m) {
        m = xcalloc(1, sizeof *m);
        strmap_init(m);
        map_put(&r->named[kind], name, m);
    }
    return m;
}

static enum err load_job(struct db *d, void *arg, struct error *e)
{
    struct resource_configs *r = arg;
    sqlite3_stmt *q = db_stmt(d, "SELECT kind, name, option, value FROM resource_config");
    enum err err;
    while ((err = db_step(d, q, e)) == E_OK) {
        int kind = sqlite3_column_int(q, 0);
        if (kind >= 0 && kind < RESOURCE_KINDS)
            strmap_set(named(r, (enum resource_kind)kind, db_column_slice(q, 1)),
                       db_column_slice(q, 2), db_column_slice(q, 3));
    }
    return err == E_NOT_FOUND ? E_OK : err;
}

enum err resource_configs_init(struct resource_configs *r, struct db *db, struct error *e)
{
    pthread_mutex_init(&r->lock, NULL);
    for (int i = 0; i < RESOURCE_KINDS; i++)
        map_init(&r->named[i]);
    return db_run(db, load_job, r, e);
}

static void free_map(void *arg)
{
    if (arg)
        strmap_release(arg);
    mem_free(arg);
}

void resource_configs_release(struct resource_configs *r)
{
    for (int i = 0; i < RESOURCE_KINDS; i++)
        map_release(&r->named[i], free_map);
    pthread_mutex_destroy(&r->lock);
}

struct store_arg {
    enum resource_kind kind;
    struct slice name;
    const struct strmap *set;
};

static enum err store_job(struct db *d, void *arg, struct error *e)
{
    const struct store_arg *j = arg;
    sqlite3_stmt *s = db_stmt(d, "DELETE FROM resource_config WHERE kind = ?1 AND name = ?2");
    sqlite3_bind_int(s, 1, (int)j->kind);
    db_bind_slice(s, 2, j->name);
    enum err r = db_exec(d, s, e);
    for (size_t i = 0; r == E_OK && i < j->set->count; i++) {
        s = db_stmt(d, "INSERT INTO resource_config VALUES (?1, ?2, ?3, ?4)");
        sqlite3_bind_int(s, 1, (int)j->kind);
        db_bind_slice(s, 2, j->name);
        db_bind_slice(s, 3, j->set->entries[i].key);
        db_bind_slice(s, 4, j->set->entries[i].value);
        r = db_exec(d, s, e);
    }
    return r;
}

/* --- looking ---------------------------------------------------------------------------------- */

void resource_config_describe(struct resource_configs *r, enum resource_kind kind,
                              struct slice name, struct arena *a, struct broker_config_entry **out,
                              size_t *count)
{
    const struct kind *k = &kinds[kind];
    size_t n = 0;
    while (k->rows[n].name)
        n++;
    *out = arena_calloc(a, n, sizeof **out);
    *count = n;
    pthread_mutex_lock(&r->lock);
    const struct strmap *set = map_get(&r->named[kind], name);
    for (size_t i = 0; i < n; i++) {
        const struct opt_row *row = &k->rows[i];
        struct broker_config_entry *entry = &(*out)[i];
        struct slice option = slice_cstr(row->name);
        bool given = set && strmap_has(set, option);
        *entry = (struct broker_config_entry){
            .name = option,
            .value = given ? arena_dup(a, strmap_get(set, option)) : slice_cstr(row->def),
            .default_value = slice_cstr(row->def),
            .source = (int8_t)(given ? k->source : CONFIG_SOURCE_DEFAULT),
            .type = config_wire_type(row->type),
            .doc = slice_cstr(row->doc),
            .synonyms = arena_calloc(a, 1, sizeof *entry->synonyms),
            .synonym_count = given || k->default_synonym};
        entry->synonyms[0] = (struct broker_config_synonym){option, entry->value, entry->source};
    }
    pthread_mutex_unlock(&r->lock);
}

struct slice resource_config_value(struct resource_configs *r, enum resource_kind kind,
                                   struct slice name, struct slice option, struct arena *a)
{
    const struct opt_row *row = opt_find(kinds[kind].rows, option);
    pthread_mutex_lock(&r->lock);
    const struct strmap *set = map_get(&r->named[kind], name);
    struct slice v = set ? arena_dup(a, strmap_get(set, option)) : SLICE_NULL;
    pthread_mutex_unlock(&r->lock);
    return v.p || !row ? v : slice_cstr(row->def);
}

bool resource_config_given(struct resource_configs *r, enum resource_kind kind, struct slice name,
                           const char *option, char out[RESOURCE_CONFIG_TEXT])
{
    pthread_mutex_lock(&r->lock);
    const struct strmap *set = map_get(&r->named[kind], name);
    struct slice v = set ? strmap_get_c(set, option) : SLICE_NULL;
    if (v.p)
        snprintf(out, RESOURCE_CONFIG_TEXT, PRI_SL, ARG_SL(v));
    pthread_mutex_unlock(&r->lock);
    return v.p != NULL;
}

void resource_config_names(struct resource_configs *r, enum resource_kind kind, struct arena *a,
                           struct slice **out, size_t *count)
{
    struct slice name;
    void *value;
    pthread_mutex_lock(&r->lock);
    *out = arena_calloc(a, r->named[kind].count + 1, sizeof **out);
    *count = 0;
    for (size_t i = 0; map_next(&r->named[kind], &i, &name, &value);)
        (*out)[(*count)++] = arena_dup(a, name);
    pthread_mutex_unlock(&r->lock);
}

/* --- changing --------------------------------------------------------------------------------- */

/* A group's number must keep to what the broker allows: "consumer.session.timeout.ms" to
 * group.consumer.min.session.timeout.ms and group.consumer.max.session.timeout.ms. */
static enum err check_limits(struct broker_settings *s, struct slice option, struct slice text,
                             struct error *e)
{
    struct arena a;
    enum err r = E_OK;
    int64_t value, limit;
    ptrdiff_t dot = slice_find_char(option, '.');
    if (dot < 0 || slice_to_i64(slice_trim(text), &value) != E_OK)
        return E_OK;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (int max = 0; max < 2 && r == E_OK; max++) {
        enum config_source source;
        const char *name =
            arena_printf(&a, "group.%.*s.%s." PRI_SL, (int)dot, option.p, max ? "max" : "min",
                         ARG_SL(slice_sub(option, (size_t)dot + 1, option.n)));
        struct slice given = broker_setting(s, slice_cstr(name), &a, &source);
        if (!given.p || slice_to_i64(given, &limit) != E_OK)
            continue;
        if (max ? value > limit : value < limit)
            r = kerr_error(e, E_INVALID, KERR_INVALID_CONFIG,
                           PRI_SL " must be %s than or equal to %s", ARG_SL(option),
                           max ? "less" : "greater", name);
    }
    arena_release(&a);
    return r;
}

static enum err check_value(struct broker_settings *s, enum resource_kind kind, struct slice option,
                            struct slice text, struct error *e)
{
    const struct opt_row *row = opt_find(kinds[kind].rows, option);
    int64_t n;
    if (!row && kind == RESOURCE_KIND_METRICS)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "Unknown client metrics configuration: " PRI_SL, ARG_SL(option));
    if (!row)
        return kerr_error(e, E_INVALID, KERR_INVALID_CONFIG, "Unknown group config name: " PRI_SL,
                          ARG_SL(option));
    struct opt_values scratch = {.texts = STRMAP_INIT};
    enum err r = opt_set(row, &scratch, text, e);
    opt_values_release(&scratch);
    if (r != E_OK) {
        e->sys = KERR_INVALID_CONFIG;
        return r;
    }
    if (kind == RESOURCE_KIND_METRICS && slice_eq(option, SL("interval.ms")) &&
        slice_to_i64(slice_trim(text), &n) == E_OK && (n < 100 || n > 3600000))
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "Invalid value %lld for interval.ms, interval must be between 100 and "
                          "3600000 (1 hour)",
                          (long long)n);
    return kind == RESOURCE_KIND_GROUP ? check_limits(s, option, text, e) : E_OK;
}

static enum err apply(struct broker_settings *s, enum resource_kind kind, struct strmap *set,
                      const struct broker_config_change *c, struct error *e)
{
    const struct opt_row *row = opt_find(kinds[kind].rows, c->name);
    struct strbuf text = STRBUF_INIT;
    if (c->op == BROKER_CONFIG_DELETE) {
        (void)strmap_del(set, c->name);
        return E_OK;
    }
    if (!c->value.p)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "Null value not supported for : " PRI_SL, ARG_SL(c->name));
    if (c->op != BROKER_CONFIG_SET && (!row || row->type != OPT_LIST))
        return kerr_error(e, E_INVALID, KERR_INVALID_CONFIG,
                          "Can't %s to key " PRI_SL " because its type is not LIST.",
                          c->op == BROKER_CONFIG_APPEND ? "APPEND" : "SUBTRACT", ARG_SL(c->name));
    if (c->op == BROKER_CONFIG_SET)
        strbuf_add_slice(&text, slice_trim(c->value));
    else
        config_edit_list(strmap_has(set, c->name) ? strmap_get(set, c->name) : slice_cstr(row->def),
                         c, &text);
    struct slice value = text.n ? strbuf_slice(&text) : SL("");
    enum err r = check_value(s, kind, c->name, value, e);
    if (r == E_OK)
        strmap_set(set, c->name, value);
    strbuf_release(&text);
    return r;
}

enum err resource_config_alter(struct resource_configs *r, struct db *db, struct broker_settings *s,
                               enum resource_kind kind, struct slice name,
                               const struct broker_config_change *changes, size_t count,
                               bool replace, bool validate_only, struct error *e)
{
    struct strmap set, seen;
    enum err err = E_OK;
    if (name.n == 0)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST, "%s",
                          kind == RESOURCE_KIND_METRICS
                              ? "Subscription name can't be empty"
                              : "Default group resources are not allowed.");
    pthread_mutex_lock(&r->lock);
    const struct strmap *before = map_get(&r->named[kind], name);
    if (before && !replace)
        strmap_copy(&set, before);
    else
        strmap_init(&set);
    pthread_mutex_unlock(&r->lock);
    strmap_init(&seen);
    for (size_t i = 0; err == E_OK && i < count; i++) {
        if (strmap_has(&seen, changes[i].name))
            err = kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                             "Error due to duplicate config keys");
        strmap_set(&seen, changes[i].name, SL(""));
        if (err == E_OK)
            err = apply(s, kind, &set, &changes[i], e);
    }
    if (err == E_OK && !validate_only)
        err = db_run(db, store_job, &(struct store_arg){kind, name, &set}, e);
    if (err == E_OK && !validate_only) {
        pthread_mutex_lock(&r->lock);
        if (set.count == 0 && kind == RESOURCE_KIND_METRICS) {
            free_map(map_del(&r->named[kind], name));
        } else {
            struct strmap *now = named(r, kind, name);
            strmap_release(now);
            *now = set;
            strmap_init(&set);
        }
        pthread_mutex_unlock(&r->lock);
        LOG_INFO(LOG_BROKER, "%s " PRI_SL ": configuration changed",
                 kind == RESOURCE_KIND_GROUP ? "group" : "client metrics", ARG_SL(name));
    }
    strmap_release(&seen);
    strmap_release(&set);
    return err;
}
