/* cdc/mongodb/options_check.c - every wrong value of a configuration, in Debezium's words; mistakes
 * that the original finds only when the task runs, or never, in words of the same kind. SPEC:
 * cdc-mongodb 2, connect 2.4 */
#include "cdc/mongodb/options.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/keystore.h"
#include "cdc/mongodb/fields.h"
#include "cdc/mongodb/target.h"
#include "cdc/option_check.h"

/* --- the connection --------------------------------------------------------------------------- */

static void check_uri(struct option_checker *k)
{
    struct mongo_options o = {
        .connection_string = k->value,
        .user = strmap_get_c(k->config, "mongodb.user"),
        .password = strmap_get_c(k->config, "mongodb.password"),
    };
    struct mongo_target t;
    struct error e = {0};
    if (mongo_target_init(&t, &o, NULL, &e)) {
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, &e, "mongodb.connection.string");
        option_problem(k, e.msg);
    } else {
        const char *option = mongo_target_no_password(&t, &e);
        if (option)
            option_problem_at(k, option, e.msg);
    }
    mongo_target_release(&t);
}

static void check_no_uri(struct option_checker *k)
{
    if (slice_find_char(strmap_get_c(k->config, "mongodb.hosts"), ';') >= 0)
        option_problem(k, "mongodb.hosts names several replica sets: use mongos, which knows all "
                          "shards (mongodb.connection.string=mongodb://mongos-host:27017/)");
    else
        option_problem(k, "Missing connection string");
}

static void check_mode(struct option_checker *k)
{
    if (slice_ieq(k->value, SL("replica_set")))
        option_problem(
            k, "Deprecated field 'mongodb.connection.mode' is used set to removed 'replica_set' "
               "value");
}

static void check_auth_class(struct option_checker *k)
{
    if (!slice_eq_c(k->value,
                    "io.debezium.connector.mongodb.connection.DefaultMongoDbAuthProvider"))
        option_problem(k, "classes written in Java are not supported; mongodb.user and "
                          "mongodb.password, or authMechanism in the connection string, are");
}

/* mongodb.ssl.keystore, .truststore: looked into at once. */
static void check_store(struct option_checker *k)
{
    char name[80], text[sizeof((struct error *)0)->msg + 300];
    struct keystore store;
    struct error e = {0};
    snprintf(name, sizeof name, "%s.password", k->row->name);
    if (keystore_open(&store, k->value, strmap_get_c(k->config, name), &e)) {
        snprintf(text, sizeof text, "%s%s%s", e.msg, e.hint[0] ? ": " : "", e.hint);
        option_problem(k, text);
    } else {
        keystore_close(&store);
    }
}

/* --- what is captured ------------------------------------------------------------------------- */

/* With filters.match.mode=literal the elements are names. */
static void check_list(struct option_checker *k)
{
    struct slice rest = k->value, part;
    char text[128];
    if (!slice_ieq(slice_trim(strmap_get_c(k->config, "filters.match.mode")), SL("literal"))) {
        option_regexes(k);
        return;
    }
    while (slice_split(&rest, ',', &part))
        if (!slice_trim(part).n) {
            snprintf(text, sizeof text, "%s contains empty values", k->row->name);
            option_problem(k, text);
            return;
        }
}

static struct slice scope(const struct option_checker *k)
{
    return slice_trim(strmap_get_c(k->config, "capture.scope"));
}

static void check_no_target(struct option_checker *k)
{
    if (slice_ieq(scope(k), SL("database")) || slice_ieq(scope(k), SL("collection")))
        option_problem(k, "capture.target property is missing");
}

static void check_target(struct option_checker *k)
{
    ptrdiff_t dot = slice_find_char(k->value, '.');
    if (slice_ieq(scope(k), SL("collection")) && (dot <= 0 || (size_t)dot + 1 == k->value.n))
        option_problem(k, "with capture.scope=collection it has the form database.collection");
    else if (slice_ieq(scope(k), SL("database")) && dot >= 0)
        option_problem(k, "with capture.scope=database it is the name of a database");
}

static void check_fields(struct option_checker *k)
{
    bool renames = strcmp(k->row->name, "field.renames") == 0;
    struct field_rules *rules = NULL;
    const char *option = NULL;
    struct error e = {0};
    if (field_rules_new(&rules, renames ? SLICE_NULL : k->value, renames ? k->value : SLICE_NULL,
                        &option, &e))
        option_problem(k, e.msg);
    field_rules_free(rules);
}

/* --- snapshots and the cursor ----------------------------------------------------------------- */

/* A mode written in Java: the original looks for its name, and finds no class here. */
static void check_snapshot_mode(struct option_checker *k)
{
    if (!slice_ieq(k->value, SL("custom")))
        return;
    if (option_given(k, "snapshot.mode.custom.name"))
        option_problem(k, "classes written in Java are not supported; choose another "
                          "snapshot.mode");
    else
        option_problem_at(
            k, "snapshot.mode.custom.name",
            "snapshot.mode.custom.name cannot be empty when snapshot.mode 'custom' is defined");
}

/* Text as the mongo shell writes it, too. */
static bool parses(struct slice text, enum bson_kind kind, struct error *e)
{
    struct arena a;
    struct slice out;
    arena_init(&a, 4096, ARENA_NO_BUDGET);
    bool ok = bson_parse(text, kind, &a, &out, e) == E_OK;
    arena_release(&a);
    return ok;
}

static void check_pipeline(struct option_checker *k)
{
    struct error e = {0};
    char text[sizeof e.msg + 64];
    if (parses(k->value, BSON_ARRAY, &e))
        return;
    snprintf(text, sizeof text, "Change stream pipeline JSON is invalid: %s", e.msg);
    option_problem(k, text);
}

/* Each collection in the list has its query in an option of its own. */
static void check_queries(struct option_checker *k)
{
    struct slice rest = k->value, part;
    struct error e = {0};
    while (slice_split(&rest, ',', &part)) {
        part = slice_trim(part);
        char *name = xasprintf("%s." PRI_SL, k->row->name, ARG_SL(part));
        struct slice query = slice_trim(strmap_get_c(k->config, name));
        if (query.n && !parses(query, BSON_DOCUMENT, &e)) {
            char *text =
                xasprintf("the query for " PRI_SL " is no JSON document: %s", ARG_SL(part), e.msg);
            option_problem(k, text);
            mem_free(text);
        }
        mem_free(name);
    }
}

static void check_oversize(struct option_checker *k)
{
    int64_t bytes = 0;
    struct slice text = slice_trim(strmap_get_c(k->config, "cursor.oversize.skip.threshold"));
    if (slice_ieq(k->value, SL("skip")) && (slice_to_i64(text, &bytes) || bytes <= 0))
        option_problem_at(k, "cursor.oversize.skip.threshold",
                          "Invalid threshold value for skipped document size");
}

static const struct option_check_row rows[] = {
    {"mongodb.connection.string", {check_uri}, .absent = check_no_uri},
    {"mongodb.connection.mode", {check_mode}},
    {"mongodb.authentication.class", {check_auth_class}},
    {"mongodb.connect.timeout.ms", {option_natural_int}},
    {"mongodb.heartbeat.frequency.ms", {option_positive_int}},
    {"mongodb.socket.timeout.ms", {option_natural_int}},
    {"mongodb.server.selection.timeout.ms", {option_natural_int}},
    {"mongodb.poll.interval.ms", {option_positive_long}},
    {"mongodb.ssl.enabled", {option_bool}},
    {"mongodb.ssl.invalid.hostname.allowed", {option_bool}},
    {"mongodb.ssl.keystore", {check_store}},
    {"mongodb.ssl.truststore", {check_store}},
    {"internal.mongodb.allow.offset.invalidation", {option_bool}},
    {"cursor.max.await.time.ms", {option_natural_int}},
    {"cursor.pipeline", {check_pipeline}},
    {"cursor.pipeline.order", {option_choice}, .choices = "internal_first, user_first, user_only"},
    {"cursor.oversize.skip.threshold", {option_int}},
    {"cursor.oversize.handling.mode",
     {option_choice, check_oversize},
     .choices = "fail, skip, split"},
    {"snapshot.fetch.size", {option_natural_int}},
    {"snapshot.mode.configuration.based.snapshot.data", {option_bool}},
    {"snapshot.mode.configuration.based.snapshot.schema", {option_bool}},
    {"snapshot.mode.configuration.based.start.stream", {option_bool}},
    {"snapshot.mode.configuration.based.snapshot.on.schema.error", {option_bool}},
    {"snapshot.mode.configuration.based.snapshot.on.data.error", {option_bool}},
    {"retriable.restart.connector.wait.ms", {option_positive_long}},
    {"incremental.snapshot.watermarking.strategy",
     {option_choice},
     .choices = "INSERT_INSERT, INSERT_DELETE"},
    {"internal.log.position.check.enable", {option_bool}},
    {"connection.validation.timeout.ms", {option_positive_long}},
    {"guardrail.collections.max", {option_natural_int}},
    {"guardrail.collections.limit.action", {option_choice}, .choices = "warn, fail"},
    {"snapshot.mode",
     {option_choice, check_snapshot_mode},
     .choices = "always, initial_only, configuration_based, when_needed, initial, custom, no_data",
     .also = "never"},
    {"capture.mode",
     {option_choice},
     .choices = "change_streams, change_streams_update_full, change_streams_with_pre_image, "
                "change_streams_update_full_with_pre_image",
     .also = "change_streams_update_lookup"},
    {"capture.mode.full.update.type", {option_choice}, .choices = "lookup, post_image"},
    {"capture.scope", {option_choice}, .choices = "deployment, database, collection"},
    {"capture.target", {check_target}, .absent = check_no_target},
    {"capture.start.op.time", {option_long}},
    {"filters.match.mode", {option_choice}, .choices = "regex, literal"},
    {"json.serialization.mode", {option_choice}, .choices = "legacy, strict, extended, relaxed"},
    {"schema.name.adjustment.mode", {option_choice}, .choices = "none, avro, avro_unicode"},
    {"field.name.adjustment.mode", {option_choice}, .choices = "none, avro, avro_unicode"},
    {"tombstones.on.delete", {option_bool}},
    {"signal.poll.interval.ms", {option_positive_long}},
    {"incremental.snapshot.chunk.size", {option_positive_int}},
    {"database.include.list", {check_list}},
    {"database.exclude.list", {option_excludes, check_list}, .other = "database.include.list"},
    {"collection.include.list", {check_list}},
    {"collection.exclude.list", {option_excludes, check_list}, .other = "collection.include.list"},
    {"field.exclude.list", {check_fields}},
    {"field.renames", {check_fields}},
    {"snapshot.collection.filter.overrides", {check_queries}},
    {"weir.mongodb.direct.fallback", {option_bool}},
    {"weir.mongodb.auto.initiate", {option_bool}},
};

int mongo_options_check(const struct strmap *canonical, struct config_errors *errs)
{
    struct option_checker k = {.config = canonical, .errs = errs};
    option_checks_run(&k, rows, ARRAY_LEN(rows));
    return k.count;
}
