/* broker/broker_config.c - the rows of broker options, their values, and changes while running. */
#include "broker/broker_config.h"

#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"
#include "broker/topic_config.h"

static const char *const durabilities[] = {"default", "sync", NULL};
static const char *const migration_policies[] = {"disabled", "upgrade", "downgrade",
                                                 "bidirectional", NULL};

#define DYN_CLUSTER BROKER_DYN_CLUSTER
#define DYN_BROKER BROKER_DYN_BROKER
#define UNLISTED BROKER_UNLISTED
#define READ(name_, type_, def_, dyn, field, min_, max_, doc_)                                     \
    {.name = (name_),                                                                              \
     .type = OPT_##type_,                                                                          \
     .def = (def_),                                                                                \
     .offset = offsetof(struct broker_options, field),                                             \
     .flags = (dyn),                                                                               \
     .importance = OPT_MEDIUM,                                                                     \
     .order = -1,                                                                                  \
     .doc = (doc_),                                                                                \
     .min = (min_),                                                                                \
     .max = (max_)},
#define PICK(name_, def_, dyn, field, choices_, doc_)                                              \
    {.name = (name_),                                                                              \
     .type = OPT_CHOICE,                                                                           \
     .def = (def_),                                                                                \
     .offset = offsetof(struct broker_options, field),                                             \
     .flags = (dyn),                                                                               \
     .importance = OPT_MEDIUM,                                                                     \
     .order = -1,                                                                                  \
     .doc = (doc_),                                                                                \
     .choices = (choices_)},
#define KEPT(name_, type_, def_, dyn, doc_)                                                        \
    {.name = (name_),                                                                              \
     .type = OPT_##type_,                                                                          \
     .def = (def_),                                                                                \
     .offset = OPT_NO_FIELD,                                                                       \
     .flags = (dyn) | OPT_NO_STORE,                                                                \
     .importance = OPT_LOW,                                                                        \
     .order = -1,                                                                                  \
     .doc = (doc_)},
static const struct opt_row rows[] = {
#include "broker/broker_options.def"
    {.name = NULL},
};
#undef READ
#undef PICK
#undef KEPT

const struct opt_row *broker_option_rows(void)
{
    return rows;
}

void broker_config_init(struct broker_config *c)
{
    *c = (struct broker_config){.values = {.values = &c->o}};
    strmap_init(&c->values.texts);
    opt_defaults(rows, &c->o);
}

void broker_config_release(struct broker_config *c)
{
    opt_values_release(&c->values);
}

/* What may stand between a listener's name and an option. */
static const char *const mechanisms[] = {"plain.", "scram-sha-256.", "scram-sha-512.",
                                         "oauthbearer.", "gssapi."};

static struct slice without_mechanism(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(mechanisms); i++) {
        struct slice m = slice_cstr(mechanisms[i]);
        if (slice_starts(name, m))
            return slice_sub(name, m.n, name.n);
    }
    return name;
}

const struct opt_row *broker_option_find(struct slice name)
{
    const struct opt_row *row = opt_find(rows, name);
    if (row)
        return row;
    struct slice rest = name;
    if (slice_starts(name, SL("listener.name."))) {
        rest = slice_sub(name, 14, name.n);
        ptrdiff_t dot = slice_find_char(rest, '.');
        if (dot <= 0)
            return NULL;
        rest = slice_sub(rest, (size_t)dot + 1, rest.n);
    }
    return opt_find(rows, without_mechanism(rest));
}

/* A value for one listener: checked as the option itself, kept as text (see security.h). */
static enum err set_for_listener(struct broker_config *c, const struct opt_row *row,
                                 struct slice name, struct slice value, struct error *e)
{
    struct broker_config scratch;
    broker_config_init(&scratch);
    enum err r = opt_set(row, &scratch.values, value, e);
    if (r == E_OK)
        strmap_set(&c->values.texts, name, slice_trim(value));
    broker_config_release(&scratch);
    return r;
}

enum err broker_config_set(struct broker_config *c, struct slice name, struct slice value,
                           struct error *e)
{
    c->values.values = &c->o; /* the struct may have been moved since its init */
    const struct opt_row *row = opt_find(rows, name);
    const struct opt_row *prefixed = row ? NULL : broker_option_find(name);
    if (prefixed)
        return set_for_listener(c, prefixed, name, value, e);
    if (!row) {
        const char *near = opt_nearest(rows, name);
        error_set(e, E_NOT_FOUND, "there is no broker option " PRI_SL, ARG_SL(name));
        if (near)
            error_hint(e, "did you mean %s?", near);
        return E_NOT_FOUND;
    }
    enum err r = opt_set(row, &c->values, value, e);
    if (r == E_OK && !strcmp(row->name, "broker.id"))
        r = opt_set(opt_find(rows, SL("node.id")), &c->values, value, e);
    return r;
}

int8_t config_wire_type(enum opt_type t)
{
    static const int8_t numbers[] = {
        [OPT_BOOLEAN] = 1, [OPT_STRING] = 2, [OPT_INT] = 3,   [OPT_SHORT] = 4,    [OPT_LONG] = 5,
        [OPT_DOUBLE] = 6,  [OPT_LIST] = 7,   [OPT_CLASS] = 8, [OPT_PASSWORD] = 9, [OPT_CHOICE] = 2};
    return numbers[t];
}

/* --- settings --------------------------------------------------------------------------------- */

struct load_arg {
    struct broker_settings *s;
};

/* Rows of broker_meta "config.default.<name>" and "config.broker.<name>". */
static const char prefix_default[] = "config.default.", prefix_broker[] = "config.broker.";

static enum err load_job(struct db *d, void *arg, struct error *e)
{
    struct broker_settings *s = ((struct load_arg *)arg)->s;
    sqlite3_stmt *q = db_stmt(d, "SELECT key, value FROM broker_meta WHERE key LIKE 'config.%'");
    enum err r;
    while ((r = db_step(d, q, e)) == E_OK) {
        struct slice key = db_column_slice(q, 0);
        if (slice_starts(key, slice_cstr(prefix_default)))
            strmap_set(&s->dyn_default, slice_sub(key, sizeof prefix_default - 1, key.n),
                       db_column_slice(q, 1));
        else if (slice_starts(key, slice_cstr(prefix_broker)))
            strmap_set(&s->dyn_broker, slice_sub(key, sizeof prefix_broker - 1, key.n),
                       db_column_slice(q, 1));
    }
    return r == E_NOT_FOUND ? E_OK : r;
}

enum err broker_settings_init(struct broker_settings *s, const struct broker_config *c,
                              struct db *db, struct error *e)
{
    pthread_rwlock_init(&s->lock, NULL);
    strmap_init(&s->fixed);
    strmap_init(&s->dyn_default);
    strmap_init(&s->dyn_broker);
    for (size_t i = 0; i < c->values.texts.count; i++)
        strmap_set(&s->fixed, c->values.texts.entries[i].key, c->values.texts.entries[i].value);
    enum err r = db_run(db, load_job, &(struct load_arg){s}, e);
    if (!strmap_has(&s->dyn_default, SL("min.insync.replicas")))
        strmap_set(&s->dyn_default, SL("min.insync.replicas"), SL("1"));
    return r;
}

void broker_settings_release(struct broker_settings *s)
{
    strmap_release(&s->fixed);
    strmap_release(&s->dyn_default);
    strmap_release(&s->dyn_broker);
    pthread_rwlock_destroy(&s->lock);
}

void broker_settings_fix(struct broker_settings *s, const char *name, struct slice value)
{
    pthread_rwlock_wrlock(&s->lock);
    strmap_set(&s->fixed, slice_cstr(name), value);
    pthread_rwlock_unlock(&s->lock);
}

static struct slice given_locked(struct broker_settings *s, struct slice name,
                                 enum config_source *source)
{
    static const enum config_source sources[] = {
        CONFIG_SOURCE_DYNAMIC_BROKER, CONFIG_SOURCE_DYNAMIC_DEFAULT, CONFIG_SOURCE_STATIC};
    const struct strmap *maps[] = {&s->dyn_broker, &s->dyn_default, &s->fixed};
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        if (!strmap_has(maps[i], name))
            continue;
        *source = sources[i];
        return strmap_get(maps[i], name);
    }
    return SLICE_NULL;
}

struct slice broker_setting_given(struct broker_settings *s, struct slice name, struct arena *a,
                                  enum config_source *source)
{
    pthread_rwlock_rdlock(&s->lock);
    struct slice v = arena_dup(a, given_locked(s, name, source));
    pthread_rwlock_unlock(&s->lock);
    return v;
}

struct slice broker_setting(struct broker_settings *s, struct slice name, struct arena *a,
                            enum config_source *source)
{
    struct slice v = broker_setting_given(s, name, a, source);
    if (v.p)
        return v;
    const struct opt_row *row = opt_find(rows, name);
    *source = CONFIG_SOURCE_DEFAULT;
    return row ? slice_cstr(row->def) : SLICE_NULL;
}

int64_t broker_setting_number(struct broker_settings *s, const char *name, int64_t otherwise)
{
    struct arena a;
    enum config_source source;
    int64_t n;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct slice text = broker_setting(s, slice_cstr(name), &a, &source);
    if (!text.p || slice_to_i64(text, &n) != E_OK)
        n = otherwise;
    arena_release(&a);
    return n;
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Kafka takes these while it runs; here they are read at the start, from the options it was started
 * with (security.h). */
static bool is_read_at_start(struct slice name)
{
    const struct opt_row *row = broker_option_find(name), *plain = opt_find(rows, name);
    if (!plain)
        return row != NULL; /* of one listener or one mechanism */
    return !strcmp(row->name, "sasl.enabled.mechanisms") || !strcmp(row->name, "sasl.jaas.config");
}

/* Which of the changes may not be made while running, in one sentence. */
static enum err check_dynamic(const struct broker_config_change *v, size_t n, bool for_broker,
                              struct error *e)
{
    static const struct {
        const char *before, *set;
    } sentences[] = {
        {"Cannot update these configs dynamically", "Set"},
        {"Cannot update these configs at default cluster level, broker id must be specified",
         "Set"},
        {"These security configs can be dynamically updated only per-listener using the listener "
         "prefix",
         "HashSet"},
        {"These configs have no effect when they are set while the broker runs; set them in its "
         "file "
         "or on its command line and restart it",
         "Set"},
    };
    struct strbuf names[ARRAY_LEN(sentences)] = {STRBUF_INIT, STRBUF_INIT, STRBUF_INIT,
                                                 STRBUF_INIT};
    enum err r = E_OK;
    for (size_t i = 0; i < n; i++) {
        const struct opt_row *row = opt_find(rows, v[i].name);
        bool at_start = is_read_at_start(v[i].name) && v[i].op != BROKER_CONFIG_DELETE;
        if (!row && !at_start) /* may mean something to somebody: kept */
            continue;
        bool dynamic = !row || row->flags & (BROKER_DYN_CLUSTER | BROKER_DYN_BROKER);
        size_t which = !dynamic ? 0 : slice_starts(v[i].name, SL("ssl.")) ? 2 : 1;
        if (which == 1 && (!row || for_broker || (row->flags & BROKER_DYN_CLUSTER))) {
            if (!at_start)
                continue;
            which = 3;
        }
        strbuf_addf(&names[which], "%s" PRI_SL, names[which].n ? ", " : "", ARG_SL(v[i].name));
    }
    for (size_t i = 0; i < ARRAY_LEN(sentences); i++) {
        if (names[i].n && r == E_OK)
            r = kerr_error(e, E_INVALID, KERR_INVALID_REQUEST, "%s: %s(%s)", sentences[i].before,
                           sentences[i].set, names[i].p);
        strbuf_release(&names[i]);
    }
    return r;
}

/* The broker-wide side of a topic option has that option's rules, by its own name. */
static const struct opt_row *rules_of(const struct opt_row *row, struct opt_row *copy)
{
    if (!strcmp(row->name, "log.retention.ms") || row->offset != OPT_NO_FIELD)
        return row;
    for (const struct opt_row *t = topic_option_rows(); t->name; t++) {
        const char *const *synonyms = topic_option_synonyms(t);
        if (!synonyms[0] || strcmp(synonyms[0], row->name))
            continue;
        *copy = *t;
        copy->name = row->name;
        copy->offset = OPT_NO_FIELD;
        return copy;
    }
    return row;
}

static enum err check_value(struct slice name, struct slice value, struct error *e)
{
    const struct opt_row *row = opt_find(rows, name);
    struct opt_row copy;
    int64_t n;
    if (!row)
        return E_OK;
    if (!strcmp(row->name, "log.roll.ms") && slice_to_i64(slice_trim(value), &n) == E_OK && n < 1)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "requirement failed: log.roll.ms must be greater than or equal to 1");
    static const struct {
        const char *name;
        int least;
    } limits[] = {{"background.threads", 1},     {"max.connections", 0},
                  {"max.connections.per.ip", 0}, {"num.io.threads", 1},
                  {"num.network.threads", 1},    {"num.recovery.threads.per.data.dir", 1},
                  {"num.replica.fetchers", 1}};
    const struct opt_row *rules = rules_of(row, &copy);
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        if (!strcmp(row->name, limits[i].name)) {
            copy = *row;
            copy.min = limits[i].least;
            copy.has_min = true;
            rules = &copy;
        }
    }
    struct broker_config scratch;
    broker_config_init(&scratch);
    enum err r = opt_set(rules, &scratch.values, value, e);
    broker_config_release(&scratch);
    if (r != E_OK)
        e->sys = KERR_INVALID_REQUEST;
    return r;
}

/* A cluster of Kafka 4.1 has min.insync.replicas as a value of its own, which stays. */
static enum err check_min_isr(const struct strmap *set, bool for_broker, struct error *e)
{
    struct slice name = SL("min.insync.replicas");
    if (!strmap_has(set, name))
        return E_OK;
    if (for_broker)
        return kerr_error(
            e, E_INVALID, KERR_INVALID_CONFIG,
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
    if (!strmap_get(set, name).p)
        return kerr_error(
            e, E_INVALID, KERR_INVALID_CONFIG,
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
    return E_OK;
}

struct alter_arg {
    bool for_broker;
    const struct strmap *set; /* name -> value; null value: delete */
};

static enum err alter_job(struct db *d, void *arg, struct error *e)
{
    struct alter_arg *j = arg;
    for (size_t i = 0; i < j->set->count; i++) {
        const struct strmap_entry *x = &j->set->entries[i];
        char *key =
            xasprintf("%s" PRI_SL, j->for_broker ? prefix_broker : prefix_default, ARG_SL(x->key));
        sqlite3_stmt *s = x->value.p
                              ? db_stmt(d, "INSERT INTO broker_meta (key, value) VALUES (?1, ?2)"
                                           " ON CONFLICT DO UPDATE SET value = ?2")
                              : db_stmt(d, "DELETE FROM broker_meta WHERE key = ?1");
        db_bind_slice(s, 1, slice_cstr(key));
        if (x->value.p)
            db_bind_slice(s, 2, x->value);
        enum err r = db_exec(d, s, e);
        mem_free(key);
        if (r != E_OK)
            return r;
    }
    return E_OK;
}

void config_edit_list(struct slice now, const struct broker_config_change *c, struct strbuf *out)
{
    struct slice part, rest = now, item, items;
    struct strmap left; /* items that are still to be taken away */
    strmap_init(&left);
    for (items = c->value; items.p && opt_list_next(&items, &item);)
        strmap_set(&left, item, SL(""));
    bool first = true;
    while (rest.p && opt_list_next(&rest, &part)) {
        if (strmap_del(&left, part) && c->op == BROKER_CONFIG_SUBTRACT)
            continue;
        strbuf_addf(out, "%s" PRI_SL, first ? "" : ",", ARG_SL(part));
        first = false;
    }
    for (size_t i = 0; c->op == BROKER_CONFIG_APPEND && i < left.count; i++) {
        strbuf_addf(out, "%s" PRI_SL, first ? "" : ",", ARG_SL(left.entries[i].key));
        first = false;
    }
    strmap_release(&left);
}

/* What the changes come to: name -> text, null: back to its default. */
static enum err gather(struct broker_settings *s, const struct broker_config_change *v, size_t n,
                       struct strmap *set, struct error *e)
{
    struct arena a;
    enum err r = E_OK;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (size_t i = 0; r == E_OK && i < n; i++) {
        const struct broker_config_change *c = &v[i];
        const struct opt_row *row = opt_find(rows, c->name);
        if (strmap_has(set, c->name)) {
            r = kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                           "Error due to duplicate config keys");
        } else if (c->op == BROKER_CONFIG_DELETE) {
            strmap_set(set, c->name, SLICE_NULL);
        } else if (!c->value.p) {
            r = kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                           "Null value not supported for : " PRI_SL, ARG_SL(c->name));
        } else if (c->op == BROKER_CONFIG_SET) {
            strmap_set(set, c->name, slice_trim(c->value));
        } else if (!row || row->type != OPT_LIST) {
            r = kerr_error(e, E_INVALID, KERR_INVALID_CONFIG,
                           "Config value %s is not allowed for config key: " PRI_SL,
                           c->op == BROKER_CONFIG_APPEND ? "append" : "subtract", ARG_SL(c->name));
        } else {
            enum config_source source;
            struct strbuf text = STRBUF_INIT;
            config_edit_list(broker_setting(s, c->name, &a, &source), c, &text);
            strmap_set(set, c->name, text.n ? strbuf_slice(&text) : SL(""));
            strbuf_release(&text);
        }
    }
    arena_release(&a);
    return r;
}

/* Values that are set and were not named. min.insync.replicas stays: see check_min_isr. */
static void drop_others(struct broker_settings *s, bool for_broker, struct strmap *set)
{
    const struct strmap *now = for_broker ? &s->dyn_broker : &s->dyn_default;
    pthread_rwlock_rdlock(&s->lock);
    for (size_t i = 0; i < now->count; i++) {
        struct slice name = now->entries[i].key;
        if (!strmap_has(set, name) && !slice_eq(name, SL("min.insync.replicas")))
            strmap_set(set, name, SLICE_NULL);
    }
    pthread_rwlock_unlock(&s->lock);
}

static void publish(struct broker_settings *s, bool for_broker, const struct strmap *set)
{
    struct strmap *to = for_broker ? &s->dyn_broker : &s->dyn_default;
    pthread_rwlock_wrlock(&s->lock);
    for (size_t i = 0; i < set->count; i++) {
        const struct strmap_entry *x = &set->entries[i];
        if (x->value.p)
            strmap_set(to, x->key, x->value);
        else
            (void)strmap_del(to, x->key);
    }
    pthread_rwlock_unlock(&s->lock);
    for (size_t i = 0; i < set->count; i++)
        LOG_INFO(LOG_BROKER, "broker option " PRI_SL " %s", ARG_SL(set->entries[i].key),
                 set->entries[i].value.p ? "was changed" : "is back at its default");
}

enum err broker_settings_alter(struct broker_settings *s, struct db *db, bool for_broker,
                               const struct broker_config_change *changes, size_t count,
                               bool replace, bool validate_only, struct error *e)
{
    struct error own;
    struct strmap set;
    if (!e)
        e = &own;
    strmap_init(&set);
    enum err r = gather(s, changes, count, &set, e);
    if (r == E_OK)
        r = check_dynamic(changes, count, for_broker, e);
    if (r == E_OK && replace)
        drop_others(s, for_broker, &set);
    for (size_t i = 0; r == E_OK && i < set.count; i++)
        if (set.entries[i].value.p)
            r = check_value(set.entries[i].key, set.entries[i].value, e);
    if (r == E_OK)
        r = check_min_isr(&set, for_broker, e);
    if (r == E_OK && !validate_only)
        r = db_run(db, alter_job, &(struct alter_arg){for_broker, &set}, e);
    if (r == E_OK && !validate_only)
        publish(s, for_broker, &set);
    strmap_release(&set);
    return r;
}
