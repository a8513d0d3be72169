/* broker/broker_config.c - the rows of broker options, their values, and changes while running. */
#include "broker/broker_config.h"

#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"

static const char *const durabilities[] = {"default", "sync", NULL};

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

/* --- settings -----------------------------------------------------------------------------------
 */

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
    return db_run(db, load_job, &(struct load_arg){s}, e);
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

static void add_synonym(struct broker_config_entry *out, const struct opt_row *row,
                        struct slice value, int8_t source, struct arena *a)
{
    out->synonyms[out->synonym_count++] = (struct broker_config_synonym){
        slice_cstr(row->name), out->sensitive ? SLICE_NULL : arena_dup(a, value), source};
}

void broker_settings_describe(struct broker_settings *s, const struct opt_row *row, struct arena *a,
                              bool synonyms, struct broker_config_entry *out)
{
    struct slice name = slice_cstr(row->name);
    enum config_source source;
    bool secret = row->type == OPT_PASSWORD || (row->flags & OPT_SECRET);
    *out = (struct broker_config_entry){
        .name = name,
        .default_value = slice_cstr(row->def),
        .type = config_wire_type(row->type),
        .read_only = !(row->flags & (BROKER_DYN_CLUSTER | BROKER_DYN_BROKER)),
        .sensitive = secret,
        .doc = slice_cstr(row->doc)};
    struct slice value = broker_setting(s, name, a, &source);
    out->value = secret ? SLICE_NULL : value;
    out->source = (int8_t)source;
    if (!synonyms)
        return;
    out->synonyms = arena_calloc(a, 4, sizeof *out->synonyms);
    pthread_rwlock_rdlock(&s->lock);
    if (strmap_has(&s->dyn_broker, name))
        add_synonym(out, row, strmap_get(&s->dyn_broker, name), CONFIG_SOURCE_DYNAMIC_BROKER, a);
    if (strmap_has(&s->dyn_default, name))
        add_synonym(out, row, strmap_get(&s->dyn_default, name), CONFIG_SOURCE_DYNAMIC_DEFAULT, a);
    if (strmap_has(&s->fixed, name))
        add_synonym(out, row, strmap_get(&s->fixed, name), CONFIG_SOURCE_STATIC, a);
    pthread_rwlock_unlock(&s->lock);
    if (row->def)
        add_synonym(out, row, slice_cstr(row->def), CONFIG_SOURCE_DEFAULT, a);
}

/* --- changes ------------------------------------------------------------------------------------
 */

static enum err refuse(struct error *e, int16_t code, const char *what, struct slice name)
{
    error_set(e, E_INVALID, "%s" PRI_SL, what, ARG_SL(name));
    e->sys = code;
    return E_INVALID;
}

static enum err check_change(const struct broker_config_change *c, bool for_broker, struct error *e)
{
    const struct opt_row *row = opt_find(rows, c->name);
    unsigned needed = for_broker ? BROKER_DYN_CLUSTER | BROKER_DYN_BROKER : BROKER_DYN_CLUSTER;
    if (!row || !(row->flags & needed)) {
        char *key = xasprintf("Set(" PRI_SL ")", ARG_SL(c->name));
        enum err r = refuse(e, KERR_INVALID_REQUEST,
                            row && (row->flags & BROKER_DYN_BROKER)
                                ? "Cannot update these configs at default cluster level: "
                                : "Cannot update these configs dynamically: ",
                            slice_cstr(key));
        mem_free(key);
        return r;
    }
    if (c->op == BROKER_CONFIG_APPEND && row->type != OPT_LIST)
        return refuse(e, KERR_INVALID_CONFIG,
                      "Config value append is not allowed for config key: ", c->name);
    if (c->op == BROKER_CONFIG_SUBTRACT && row->type != OPT_LIST)
        return refuse(e, KERR_INVALID_CONFIG,
                      "Config value subtract is not allowed for config key: ", c->name);
    if (c->op == BROKER_CONFIG_DELETE)
        return E_OK;
    if (!c->value.p)
        return refuse(e, KERR_INVALID_REQUEST, "Null value not supported for : ", c->name);
    struct broker_config scratch;
    broker_config_init(&scratch);
    enum err r = opt_set(row, &scratch.values, c->value, e);
    broker_config_release(&scratch);
    if (r != E_OK)
        e->sys = KERR_INVALID_CONFIG;
    return r;
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

/* The text of a list after APPEND or SUBTRACT. */
static void edit_list(struct slice now, const struct broker_config_change *c, struct strbuf *out)
{
    struct slice part, rest = now;
    while (rest.p && opt_list_next(&rest, &part)) {
        if (c->op == BROKER_CONFIG_SUBTRACT && slice_eq(part, slice_trim(c->value)))
            continue;
        if (c->op == BROKER_CONFIG_APPEND && slice_eq(part, slice_trim(c->value)))
            continue; /* goes to the end */
        strbuf_addf(out, "%s" PRI_SL, out->n ? "," : "", ARG_SL(part));
    }
    if (c->op == BROKER_CONFIG_APPEND)
        strbuf_addf(out, "%s" PRI_SL, out->n ? "," : "", ARG_SL(slice_trim(c->value)));
}

enum err broker_settings_alter(struct broker_settings *s, struct db *db, bool for_broker,
                               const struct broker_config_change *changes, size_t count,
                               bool validate_only, struct error *e)
{
    struct error own;
    struct strmap set;
    struct arena a;
    enum err r = E_OK;
    if (!e)
        e = &own;
    strmap_init(&set);
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (size_t i = 0; r == E_OK && i < count; i++) {
        const struct broker_config_change *c = &changes[i];
        r = strmap_has(&set, c->name)
                ? refuse(e, KERR_INVALID_REQUEST, "Error due to duplicate config keys: ", c->name)
                : check_change(c, for_broker, e);
        if (r != E_OK)
            break;
        if (c->op == BROKER_CONFIG_SET || c->op == BROKER_CONFIG_DELETE) {
            strmap_set(&set, c->name,
                       c->op == BROKER_CONFIG_SET ? slice_trim(c->value) : SLICE_NULL);
            continue;
        }
        enum config_source source;
        struct strbuf text = STRBUF_INIT;
        edit_list(broker_setting(s, c->name, &a, &source), c, &text);
        strmap_set(&set, c->name, strbuf_slice(&text));
        strbuf_release(&text);
    }
    if (r == E_OK && !validate_only)
        r = db_run(db, alter_job, &(struct alter_arg){for_broker, &set}, e);
    if (r == E_OK && !validate_only) {
        pthread_rwlock_wrlock(&s->lock);
        struct strmap *to = for_broker ? &s->dyn_broker : &s->dyn_default;
        for (size_t i = 0; i < set.count; i++) {
            if (set.entries[i].value.p)
                strmap_set(to, set.entries[i].key, set.entries[i].value);
            else
                (void)strmap_del(to, set.entries[i].key);
            LOG_INFO(LOG_BROKER, "broker option " PRI_SL " %s", ARG_SL(set.entries[i].key),
                     set.entries[i].value.p ? "was changed" : "is back at its default");
        }
        pthread_rwlock_unlock(&s->lock);
    }
    strmap_release(&set);
    arena_release(&a);
    return r;
}
