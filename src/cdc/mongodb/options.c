/* cdc/mongodb/options.c - option rows of the connector (from options.def), their values, and the
 * names that older releases used. SPEC: cdc-mongodb 2.2-2.7 */
#include "cdc/mongodb/options.h"

#include "base/log.h"
#include "base/mem.h"

/* --- rows ------------------------------------------------------------------------------------- */

#define OPTION_STRUCT struct mongo_options
#define BY(tables, collections) collections
#include "cdc/option_rows.h"

const struct opt_row mongo_option_rows[] = {
#include "cdc/mongodb/options.def"
    {.name = NULL},
};

/* --- old names -------------------------------------------------------------------------------- */

static const struct {
    const char *old, *now;
} renamed[] = {
    {"mongodb.name", "topic.prefix"},
    {"collection.whitelist", "collection.include.list"},
    {"collection.blacklist", "collection.exclude.list"},
    {"field.blacklist", "field.exclude.list"},
    {"initial.sync.max.threads", "snapshot.max.threads"},
};

static struct slice renamed_to(struct slice key)
{
    for (size_t i = 0; i < ARRAY_LEN(renamed); i++)
        if (slice_eq_c(key, renamed[i].old))
            return slice_cstr(renamed[i].now);
    return capture_option_renamed(key);
}

/* A configuration that names a filter as today's releases do was written for one of those, and they
 * read none of the old names: an old list beside it never filtered. */
static bool old_filter_is_dead(const struct strmap *config, struct slice key)
{
    static const char *const filters[] = {"database.include.list", "database.exclude.list",
                                          "collection.include.list", "collection.exclude.list"};
    if (!slice_ends(key, SL(".whitelist")) && !slice_ends(key, SL(".blacklist")))
        return false;
    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        if (slice_trim(strmap_get_c(config, filters[i])).n)
            return true;
    return false;
}

/* Families whose names carry user text, and what is left in configurations copied from others. */
static bool is_family(struct slice key)
{
    static const struct slice prefixes[] = {
        SL_INIT("database."),
        SL_INIT("schema.history.internal"),
        SL_INIT("snapshot.collection.filter.overrides."),
    };
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (slice_starts(key, prefixes[i]))
            return true;
    return option_is_foreign(key);
}

bool mongo_option_unread(struct slice key, const char **near)
{
    *near = NULL;
    if (!slice_is_null(renamed_to(key)) || is_family(key) || opt_find(mongo_option_rows, key))
        return false;
    *near = opt_nearest(mongo_option_rows, key);
    return true;
}

static void warn_unknown(struct slice key)
{
    const char *near;
    if (mongo_option_unread(key, &near))
        capture_option_tell_unknown(LOG_CDC_MONGO, key, near);
}

/* set/h1:27017,h2:27017 -> mongodb://h1:27017,h2:27017/?replicaSet=set. Several sets (;) stay as
 * they are: the check refuses them. */
static void hosts_to_uri(struct strmap *out)
{
    struct slice hosts = slice_trim(strmap_get_c(out, "mongodb.hosts"));
    ptrdiff_t slash = slice_find_char(hosts, '/');
    if (!hosts.n || slice_trim(strmap_get_c(out, "mongodb.connection.string")).n ||
        slice_find_char(hosts, ';') >= 0)
        return;
    struct strbuf uri = STRBUF_INIT;
    strbuf_addf(&uri, "mongodb://" PRI_SL "/",
                ARG_SL(slash < 0 ? hosts : slice_sub(hosts, (size_t)slash + 1, hosts.n)));
    if (slash > 0)
        strbuf_addf(&uri, "?replicaSet=" PRI_SL, ARG_SL(slice_sub(hosts, 0, (size_t)slash)));
    strmap_set(out, SL("mongodb.connection.string"), strbuf_slice(&uri));
    strbuf_release(&uri);
}

/* mongodb.members.auto.discover=false: directConnection=true in the connection string. */
static void discover_to_direct(struct strmap *out)
{
    struct slice uri = slice_trim(strmap_get_c(out, "mongodb.connection.string"));
    if (!slice_ieq(slice_trim(strmap_get_c(out, "mongodb.members.auto.discover")), SL("false")) ||
        !uri.n || slice_find(uri, SL("directConnection=")) >= 0)
        return;
    ptrdiff_t options = slice_find_char(uri, '?'), scheme = slice_find(uri, SL("://"));
    struct slice hosts = slice_sub(uri, scheme < 0 ? 0 : (size_t)scheme + 3, uri.n);
    struct strbuf text = STRBUF_INIT;
    strbuf_add_slice(&text, uri);
    if (options < 0)
        strbuf_adds(&text, slice_find_char(hosts, '/') < 0 ? "/?" : "?");
    else if ((size_t)options + 1 < uri.n)
        strbuf_addc(&text, '&');
    strbuf_adds(&text, "directConnection=true");
    strmap_set(out, SL("mongodb.connection.string"), strbuf_slice(&text));
    strbuf_release(&text);
}

static void warn_values(const struct strmap *out)
{
    if (slice_ieq(slice_trim(strmap_get_c(out, "snapshot.mode")), SL("never")))
        LOG_WARN(LOG_CDC_MONGO, "snapshot.mode 'never' is deprecated; using it as 'no_data'");
    if (slice_ieq(slice_trim(strmap_get_c(out, "capture.mode")),
                  SL("change_streams_update_lookup")))
        LOG_WARN(LOG_CDC_MONGO, "capture.mode 'change_streams_update_lookup' does not exist; using "
                                "it as 'change_streams_update_full'");
    static const char *const classes[] = {"converters", "post.processors"};
    for (size_t i = 0; i < ARRAY_LEN(classes); i++)
        if (slice_trim(strmap_get_c(out, classes[i])).n)
            LOG_WARN(LOG_CDC_MONGO, "%s name classes written in Java, which are not supported",
                     classes[i]);
    if (slice_trim(strmap_get_c(out, "mongodb.connection.string.shard.params")).n)
        LOG_WARN(
            LOG_CDC_MONGO,
            "Deprecated field 'mongodb.connection.string.shard.params' is used; it is ignored");
}

/* Old options that are no mere names of others; the check refuses some values of them. */
static void warn_old_form(const struct strmap *config, struct slice key, struct slice value)
{
    static const struct {
        const char *name, *truth; /* of a boolean: the value that means something; NULL: any */
        const char *now;          /* NULL: nothing */
    } rows[] = {
        {"mongodb.hosts", NULL, "'mongodb.connection.string'"},
        {"mongodb.members.auto.discover", "false",
         "directConnection=true in 'mongodb.connection.string'"},
        {"sanitize.field.names", "true", "'field.name.adjustment.mode=avro'"},
        {"mongodb.connection.mode", NULL, NULL},
        {"mongodb.poll.interval.sec", NULL, NULL},
        {"connect.backoff.initial.delay.ms", NULL, NULL},
        {"connect.backoff.max.delay.ms", NULL, NULL},
        {"connect.max.attempts", NULL, NULL},
    };
    size_t i = 0;
    while (i < ARRAY_LEN(rows) && !slice_eq_c(key, rows[i].name))
        i++;
    value = slice_trim(value);
    if (i == ARRAY_LEN(rows) || !value.n)
        return;
    bool beside = i == 0 && slice_trim(strmap_get_c(config, "mongodb.connection.string")).n;
    if (beside)
        LOG_WARN(LOG_CDC_MONGO,
                 "Configuration property 'mongodb.hosts' is ignored: its form of today, "
                 "'mongodb.connection.string', is given");
    else if (rows[i].now && (!rows[i].truth || slice_ieq(value, slice_cstr(rows[i].truth))))
        LOG_WARN(LOG_CDC_MONGO, "Configuration property '%s' is deprecated; using it as %s",
                 rows[i].name, rows[i].now);
    else
        LOG_WARN(LOG_CDC_MONGO,
                 "Configuration property '%s' is deprecated and has no effect: delete it",
                 rows[i].name);
}

void mongo_options_canonical(const struct strmap *config, bool warn, struct strmap *out)
{
    strmap_init(out);
    for (size_t i = 0; i < config->count; i++) {
        struct slice key = config->entries[i].key, value = config->entries[i].value;
        struct slice now = renamed_to(key);
        if (slice_is_null(now)) {
            strmap_set(out, key, value);
            if (warn) {
                warn_unknown(key);
                warn_old_form(config, key, value);
            }
            continue;
        }
        if (strmap_has(config, now))
            continue;
        if (old_filter_is_dead(config, key)) {
            if (warn)
                LOG_WARN(LOG_CDC_MONGO,
                         "Configuration property '" PRI_SL "' is ignored: lists under today's "
                         "names are given; its name now is '" PRI_SL "'",
                         ARG_SL(key), ARG_SL(now));
            continue;
        }
        strmap_set(out, now, value);
        if (warn)
            capture_option_tell_renamed(LOG_CDC_MONGO, key, now);
    }
    hosts_to_uri(out);
    discover_to_direct(out);
    capture_options_sanitize(out);
    if (warn)
        warn_values(out);
}

/* --- values ----------------------------------------------------------------------------------- */

static const struct option_word snapshot_words[] = {
    {"initial", MONGO_SNAPSHOT_INITIAL},
    {"always", MONGO_SNAPSHOT_ALWAYS},
    {"initial_only", MONGO_SNAPSHOT_INITIAL_ONLY},
    {"no_data", MONGO_SNAPSHOT_NO_DATA},
    {"never", MONGO_SNAPSHOT_NO_DATA},
    {"when_needed", MONGO_SNAPSHOT_WHEN_NEEDED},
    {"configuration_based", MONGO_SNAPSHOT_CONFIGURED},
    {NULL, 0},
};
enum { FULL = 1, PRE = 2 };
static const struct option_word capture_words[] = {
    {"change_streams", 0},
    {"change_streams_update_full", FULL},
    {"change_streams_update_lookup", FULL},
    {"change_streams_with_pre_image", PRE},
    {"change_streams_update_full_with_pre_image", FULL | PRE},
    {NULL, 0},
};
static const struct option_word scope_words[] = {
    {"deployment", MONGO_SCOPE_DEPLOYMENT},
    {"database", MONGO_SCOPE_DATABASE},
    {"collection", MONGO_SCOPE_COLLECTION},
    {NULL, 0},
};
static const struct option_word json_words[] = {
    {"legacy", MONGO_JSON_LEGACY},
    {"strict", MONGO_JSON_STRICT},
    {"extended", MONGO_JSON_EXTENDED},
    {"relaxed", MONGO_JSON_RELAXED},
    {NULL, 0},
};
static const struct option_word order_words[] = {
    {"internal_first", MONGO_INTERNAL_FIRST},
    {"user_first", MONGO_USER_FIRST},
    {"user_only", MONGO_USER_ONLY},
    {NULL, 0},
};
static const struct option_word oversize_words[] = {
    {"fail", MONGO_OVERSIZE_FAIL},
    {"skip", MONGO_OVERSIZE_SKIP},
    {"split", MONGO_OVERSIZE_SPLIT},
    {NULL, 0},
};

/* Names of collections hold dots: the database ends at the first. */
static void derive_target(struct mongo_options *o)
{
    struct slice target = slice_trim(o->capture_target);
    ptrdiff_t dot = slice_find_char(target, '.');
    if (o->scope == MONGO_SCOPE_DEPLOYMENT)
        return;
    if (o->scope == MONGO_SCOPE_DATABASE || dot < 0) {
        o->target_db = target;
        return;
    }
    o->target_db = slice_sub(target, 0, (size_t)dot);
    o->target_coll = slice_sub(target, (size_t)dot + 1, target.n);
}

static void options_derive(struct mongo_options *o)
{
    int capture = option_word(capture_words, o->capture_mode, FULL);
    o->snapshot = (enum mongo_snapshot_mode)option_word(snapshot_words, o->snapshot_mode,
                                                        MONGO_SNAPSHOT_INITIAL);
    o->full_update = capture & FULL;
    o->pre_image = capture & PRE;
    o->post_image = o->full_update && slice_ieq(slice_trim(o->full_update_text), SL("post_image"));
    o->scope =
        (enum mongo_scope)option_word(scope_words, o->capture_scope_text, MONGO_SCOPE_DEPLOYMENT);
    derive_target(o);
    o->literal = slice_ieq(slice_trim(o->match_mode_text), SL("literal"));
    o->json = (enum mongo_json_mode)option_word(json_words, o->json_mode_text, MONGO_JSON_LEGACY);
    o->pipeline_order = (enum mongo_pipeline_order)option_word(order_words, o->pipeline_order_text,
                                                               MONGO_INTERNAL_FIRST);
    o->oversize =
        (enum mongo_oversize)option_word(oversize_words, o->oversize_text, MONGO_OVERSIZE_FAIL);
    o->guardrail_fail = slice_ieq(slice_trim(o->guardrail_action), SL("fail"));
}

enum err mongo_options_load(struct mongo_options *o, const struct strmap *config, struct error *e)
{
    memset(o, 0, sizeof *o);
    mongo_options_canonical(config, true, &o->config);
    enum err rc = capture_options_load(&o->shared, mongo_option_rows, e);
    if (rc == E_OK)
        options_derive(o);
    return rc;
}

void mongo_options_release(struct mongo_options *o)
{
    capture_options_release(&o->shared);
}

struct slice mongo_options_query(const struct mongo_options *o, struct slice collection)
{
    struct slice rest = o->filter_overrides, part, query = SLICE_NULL;
    while (slice_split(&rest, ',', &part)) {
        if (!slice_eq(slice_trim(part), collection))
            continue;
        char *name = xasprintf("snapshot.collection.filter.overrides." PRI_SL, ARG_SL(collection));
        query = slice_trim(strmap_get_c(&o->config, name));
        mem_free(name);
        return query.n ? query : SLICE_NULL;
    }
    return query;
}
