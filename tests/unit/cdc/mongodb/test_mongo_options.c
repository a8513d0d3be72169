/* Option rows, old names, values. SPEC: cdc-mongodb 2 */
#include "cdc/mongodb/options.h"

#include "base/log_tap.h"
#include "helpers.h"

static void put(struct strmap *m, const char *name, const char *value)
{
    strmap_set(m, slice_cstr(name), slice_cstr(value));
}

static void test_rows(void)
{
    size_t visible = 0;
    for (const struct opt_row *r = mongo_option_rows; r->name; r++) {
        CHECK(r->doc != NULL && *r->doc);
        visible += !(r->flags & OPT_INTERNAL);
        for (const struct opt_row *other = r + 1; other->name; other++)
            CHECK(strcmp(r->name, other->name) != 0);
    }
    CHECK_INT(visible, 77); /* as many as the real connector shows (golden config-definitions) */
}

/* What the connection string is made of old options. */
static void check_uri(const char *hosts, const char *uri, const char *discover, const char *want)
{
    struct strmap in, out;
    strmap_init(&in);
    if (hosts)
        put(&in, "mongodb.hosts", hosts);
    if (uri)
        put(&in, "mongodb.connection.string", uri);
    if (discover)
        put(&in, "mongodb.members.auto.discover", discover);
    mongo_options_canonical(&in, false, &out);
    CHECK_SLICE(strmap_get_c(&out, "mongodb.connection.string"), slice_cstr(want));
    strmap_release(&in);
    strmap_release(&out);
}

static void test_old_hosts(void)
{
    check_uri("rs0/a:27017,b:27018", NULL, NULL, "mongodb://a:27017,b:27018/?replicaSet=rs0");
    check_uri("a:27017", NULL, NULL, "mongodb://a:27017/");
    check_uri("rs0/a:1", "mongodb://new/", NULL, "mongodb://new/");
    check_uri("rs0/a:1;rs1/b:1", NULL, NULL, NULL);
    check_uri(NULL, "mongodb://h", "false", "mongodb://h/?directConnection=true");
    check_uri(NULL, "mongodb://h/db", "false", "mongodb://h/db?directConnection=true");
    check_uri(NULL, "mongodb://h/?w=1", "false", "mongodb://h/?w=1&directConnection=true");
    check_uri(NULL, "mongodb://h/?w=1", "true", "mongodb://h/?w=1");
}

static void test_old_names(void)
{
    struct strmap in, out;
    strmap_init(&in);
    put(&in, "mongodb.name", "old");
    put(&in, "database.whitelist", "a");
    put(&in, "collection.blacklist", "a.b");
    put(&in, "field.blacklist", "a.c.d");
    put(&in, "initial.sync.max.threads", "4");
    put(&in, "sanitize.field.names", "true");
    put(&in, "some.other", "kept");
    mongo_options_canonical(&in, false, &out);
    CHECK_SLICE(strmap_get_c(&out, "topic.prefix"), SL("old"));
    CHECK_SLICE(strmap_get_c(&out, "database.include.list"), SL("a"));
    CHECK_SLICE(strmap_get_c(&out, "collection.exclude.list"), SL("a.b"));
    CHECK_SLICE(strmap_get_c(&out, "field.exclude.list"), SL("a.c.d"));
    CHECK_SLICE(strmap_get_c(&out, "snapshot.max.threads"), SL("4"));
    CHECK_SLICE(strmap_get_c(&out, "field.name.adjustment.mode"), SL("avro"));
    CHECK_SLICE(strmap_get_c(&out, "some.other"), SL("kept"));
    strmap_release(&out);
    /* Beside a list under today's name an old one never filtered (golden uri-shapes). */
    put(&in, "database.exclude.list", "x");
    mongo_options_canonical(&in, false, &out);
    CHECK(!strmap_has(&out, SL("database.include.list")));
    CHECK(!strmap_has(&out, SL("collection.exclude.list")));
    strmap_release(&in);
    strmap_release(&out);
}

static void load(struct mongo_options *o, const char *const pairs[])
{
    struct strmap in;
    strmap_init(&in);
    for (; *pairs; pairs += 2)
        put(&in, pairs[0], pairs[1]);
    CHECK_OK(mongo_options_load(o, &in, NULL));
    strmap_release(&in);
}

static void test_load(void)
{
    struct mongo_options o;
    load(&o, (const char *const[]){"topic.prefix", "p", NULL});
    CHECK(o.full_update && !o.pre_image && !o.post_image && o.direct_fallback && !o.auto_initiate);
    CHECK_INT(o.scope, MONGO_SCOPE_DEPLOYMENT);
    CHECK_INT(o.start_op_time, -1);
    CHECK_INT(o.skipped, SKIP_TRUNCATE);
    CHECK_SLICE(o.auth_source, SL("admin"));
    mongo_options_release(&o);
    load(&o, (const char *const[]){"capture.mode", "Change_Streams_Update_Full_With_Pre_Image ",
                                   "capture.mode.full.update.type", "post_image", "capture.scope",
                                   "collection", "capture.target", "shop.a.b", "skipped.operations",
                                   "c, d", "snapshot.mode", "never", NULL});
    CHECK(o.full_update && o.pre_image && o.post_image);
    CHECK_SLICE(o.target_db, SL("shop"));
    CHECK_SLICE(o.target_coll, SL("a.b")); /* the database ends at the first dot */
    CHECK_INT(o.skipped, SKIP_CREATE | SKIP_DELETE);
    CHECK_INT(o.snapshot, MONGO_SNAPSHOT_NO_DATA);
    mongo_options_release(&o);
    load(&o,
         (const char *const[]){"capture.mode", "change_streams", "capture.mode.full.update.type",
                               "post_image", "capture.scope", "database", "capture.target", "shop",
                               "snapshot.collection.filter.overrides", "a.b, c.d",
                               "snapshot.collection.filter.overrides.c.d", " {} ",
                               "snapshot.collection.filter.overrides.e.f", "{}", NULL});
    CHECK(!o.full_update && !o.post_image);
    CHECK_SLICE(o.target_db, SL("shop"));
    CHECK(slice_is_null(o.target_coll));
    CHECK_SLICE(mongo_options_query(&o, SL("c.d")), SL("{}"));
    CHECK(slice_is_null(mongo_options_query(&o, SL("a.b"))));
    CHECK(slice_is_null(mongo_options_query(&o, SL("e.f")))); /* not in the list */
    mongo_options_release(&o);
}

static char told[400];
static int told_count;

static void on_warning(enum log_level level, const struct log_ctx *ctx, const char *text)
{
    (void)level, (void)ctx;
    snprintf(told, sizeof told, "%s", text);
    told_count++;
}

/* What the log says of these options, in one line; "": nothing. */
static void check_told(const char *const *pairs, const char *want)
{
    struct strmap in, out;
    strmap_init(&in);
    for (; *pairs; pairs += 2)
        put(&in, pairs[0], pairs[1]);
    told[0] = 0;
    told_count = 0;
    log_tap(on_warning);
    mongo_options_canonical(&in, true, &out);
    log_tap(NULL);
    CHECK_STR(told, want);
    CHECK_INT(told_count, *want ? 1 : 0);
    strmap_release(&in);
    strmap_release(&out);
}

#define TOLD(want, ...) check_told((const char *const[]){__VA_ARGS__, NULL}, want)
#define PROPERTY(name) "Configuration property '" name "' is "

static void test_old_names_are_told(void)
{
    TOLD(PROPERTY("mongodb.name") "deprecated; using it as 'topic.prefix'", "mongodb.name", "x");
    TOLD(PROPERTY("mongodb.hosts") "deprecated; using it as 'mongodb.connection.string'",
         "mongodb.hosts", "rs0/a:1");
    TOLD(PROPERTY(
             "mongodb.hosts") "ignored: its form of today, 'mongodb.connection.string', is given",
         "mongodb.hosts", "rs0/a:1", "mongodb.connection.string", "mongodb://b:1/");
    TOLD(PROPERTY(
             "mongodb.members.auto.discover") "deprecated; using it as directConnection=true in "
                                              "'mongodb.connection.string'",
         "mongodb.members.auto.discover", " False ");
    TOLD(PROPERTY("mongodb.members.auto.discover") "deprecated and has no effect: delete it",
         "mongodb.members.auto.discover", "true");
    TOLD(PROPERTY(
             "sanitize.field.names") "deprecated; using it as 'field.name.adjustment.mode=avro'",
         "sanitize.field.names", "true");
    TOLD(PROPERTY("initial.sync.max.threads") "deprecated; using it as 'snapshot.max.threads'",
         "initial.sync.max.threads", "2");
    static const char *const retired[] = {"mongodb.connection.mode", "mongodb.poll.interval.sec",
                                          "connect.backoff.initial.delay.ms",
                                          "connect.backoff.max.delay.ms", "connect.max.attempts"};
    for (size_t i = 0; i < ARRAY_LEN(retired); i++) {
        char want[200];
        snprintf(want, sizeof want, PROPERTY("%s") "deprecated and has no effect: delete it",
                 retired[i]);
        TOLD(want, retired[i], "1");
    }
    TOLD("", "mongodb.hosts", " ", "mongodb.connection.string", "mongodb://b:1/");
    TOLD("", "topic.prefix", "x", "mongodb.connection.string", "mongodb://b:1/");
}

static const struct test_case tests[] = {
    {"rows", test_rows},           {"old hosts", test_old_hosts},
    {"old names", test_old_names}, {"old names are told", test_old_names_are_told},
    {"load", test_load},           {NULL, NULL},
};
const struct test_suite test_mongo_options = {"cdc/mongodb/options", tests};
