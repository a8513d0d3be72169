/* Stages of the change stream, and the filter on this side. SPEC: cdc-mongodb 2.3, 5.1 */
#include "cdc/mongodb/pipeline.h"

#include "cdc/bson/bson_json.h"
#include "helpers.h"

static void check_stages(const struct mongo_lists *lists, struct pipeline_options o,
                         const char *want)
{
    static const struct bson_json_form form = {BSON_JSON_RELAXED, BSON_JSON_COMPACT};
    struct mongo_filter f;
    struct bson_build b;
    struct bson_item all = {.kind = BSON_ARRAY};
    struct strbuf text = STRBUF_INIT;
    CHECK_OK(mongo_filter_init(&f, lists, NULL));
    o.filter = &f;
    bson_build_init(&b);
    CHECK_OK(pipeline_make(&o, &b, &all.raw, NULL));
    CHECK_OK(bson_check(all.raw, NULL));
    bson_json_print_item(&all, form, &text);
    for (char *p = text.p; *p; p++) /* easier to read */
        if (*p == '"')
            *p = '\'';
    CHECK_STR(text.p, want);
    strbuf_release(&text);
    bson_build_release(&b);
    mongo_filter_release(&f);
}

static void test_patterns(void)
{
    struct mongo_lists l = {.database_include = SL("db1, db\\d"),
                            .collection_exclude = SL("db1[.]x")};
#define DATA "{'operationType': {'$in': ['insert','update','replace','delete']}}"
#define NOT_X                                                                                      \
    "{'$expr': {'$not': [{'$regexMatch': {'input': {'$concat': ['$ns.db','.','$ns.coll']},"        \
    "'regex': '^(?:db1[.]x)$','options': 'i'}}]}}"
    check_stages(&l, (struct pipeline_options){.at_oplog = true},
                 "[{'$match': {'$or': [{'$and': [" DATA
                 ",{'$expr': {'$regexMatch': {'input': '$ns.db','regex': '^(?:db1|db\\\\d)$',"
                 "'options': 'i'}}}," NOT_X "]}]}}]");
    check_stages(&l, (struct pipeline_options){0},
                 "[{'$match': {'$or': [{'$and': [" DATA
                 ",{'ns.db': {'$regex': '^(?:db1|db\\\\d)$','$options': 'i'}}," NOT_X
                 "]},{'weir': 1}]}}]");
    l = (struct mongo_lists){.database_exclude = SL("a\\p{Lu}"), .collection_include = SL("d.c")};
    check_stages(&l,
                 (struct pipeline_options){.skipped = SKIP_UPDATE | SKIP_DELETE, .at_oplog = true},
                 "[{'$match': {'$or': [{'$and': [{'operationType': {'$in': ['insert']}},{'$expr': "
                 "{'$regexMatch': {'input': {'$concat': ['$ns.db','.','$ns.coll']},'regex': "
                 "'^(?:d.c)$','options': 'i'}}}]}]}}]");
}

static void test_literal(void)
{
    struct mongo_lists l = {.literal = true,
                            .database_include = SL("a, b"),
                            .collection_exclude = SL("a.x.y"),
                            .signals = SL("a.signals")};
    check_stages(
        &l, (struct pipeline_options){.skipped = SKIP_CREATE, .notices = true, .at_oplog = true},
        "[{'$match': {'$or': [{'$and': [{'operationType': {'$in': ['update','replace',"
        "'delete','drop','rename']}},{'ns.db': {'$in': ['a','b']}},{'ns': {'$nin': "
        "[{'db': 'a','coll': 'x.y'}]}}]},{'ns.db': 'a','ns.coll': 'signals',"
        "'operationType': {'$in': ['insert','update','replace','delete']}}]}}]");
}

static void test_scope(void)
{
    struct mongo_lists l = {.database_include = SL("d"),
                            .collection_include = SL("d[.]c"),
                            .scope_db = SL("d"),
                            .scope_coll = SL("c")};
    check_stages(&l,
                 (struct pipeline_options){.skipped = SKIP_CREATE | SKIP_UPDATE, .at_oplog = true},
                 "[{'$match': {'$or': [{'$and': [{'operationType': {'$in': ['delete']}}]},"
                 "{'operationType': 'invalidate'}]}}]");
    l.signals = SL("d.signals"); /* another stream has them */
    check_stages(&l,
                 (struct pipeline_options){.skipped = SKIP_CREATE | SKIP_UPDATE, .at_oplog = true},
                 "[{'$match': {'$or': [{'$and': [{'operationType': {'$in': ['delete']}}]},"
                 "{'operationType': 'invalidate'}]}}]");
}

/* The event of the position is let through, so that it is found. */
static void test_position(void)
{
    struct mongo_lists l = {.literal = true, .database_include = SL("a")};
    struct bson_build b;
    bson_build_init(&b);
    bson_build_text(&b, SL("_data"), SL("82AB"));
    check_stages(&l,
                 (struct pipeline_options){.position = bson_build_finish(&b),
                                           .skipped = SKIP_CREATE | SKIP_UPDATE},
                 "[{'$match': {'$or': [{'$and': [{'operationType': {'$in': ['delete']}},{'ns.db': "
                 "{'$in': ['a']}}]},{'_id': {'_data': '82AB'}},{'weir': 1}]}}]");
    bson_build_release(&b);
}

static void test_order(void)
{
    struct mongo_lists l = {0};
    struct bson_build b;
    bson_build_init(&b);
    bson_build_begin(&b, SL("0"), BSON_DOCUMENT);
    bson_build_int(&b, SL("$limit"), 1);
    bson_build_end(&b);
    struct pipeline_options o = {.user = bson_build_finish(&b),
                                 .skipped = SKIP_CREATE | SKIP_UPDATE,
                                 .order = MONGO_USER_FIRST,
                                 .at_oplog = true,
                                 .oversize = MONGO_OVERSIZE_SPLIT};
#define INTERNAL "{'$match': {'$or': [{'$and': [{'operationType': {'$in': ['delete']}}]}]}}"
    check_stages(&l, o, "[{'$limit': 1}," INTERNAL ",{'$changeStreamSplitLargeEvent': {}}]");
    o.order = MONGO_INTERNAL_FIRST;
    check_stages(&l, o, "[" INTERNAL ",{'$limit': 1},{'$changeStreamSplitLargeEvent': {}}]");
    o.order = MONGO_USER_ONLY;
    o.oversize = MONGO_OVERSIZE_SKIP;
    o.threshold = 1000;
    check_stages(&l, o,
                 "[{'$match': {'$and': [{'$expr': {'$lte': [{'$bsonSize': '$fullDocument'},1000]}},"
                 "{'$expr': {'$lte': [{'$bsonSize': '$fullDocumentBeforeChange'},1000]}}]}},"
                 "{'$limit': 1}]");
    bson_build_release(&b);
}

/* A pattern that Java and PCRE read differently stays here: never may the server hold back more. */
static void test_portable(void)
{
    static const char *const yes[] = {"a.*",     "(?i)X[.](a|b)", "a\\.b",
                                      "[^a-z]+", "a{1,2}",        "\\d+?"};
    static const char *const no[] = {"\\p{Lu}", "[a&&b]", "[a[b]]", "(?<n>a)", "\\Qa\\E",
                                     "김",      "\\h",    "\\1",    "[]a]",    "a\\"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        CHECK(pipeline_is_portable(slice_cstr(yes[i])));
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        CHECK(!pipeline_is_portable(slice_cstr(no[i])));
}

static void test_filter(void)
{
    struct mongo_filter f;
    struct mongo_lists l = {.database_include = SL("Shop"),
                            .collection_exclude = SL("shop[.]x.*"),
                            .signals = SL("ops.signals")};
    CHECK_OK(mongo_filter_init(&f, &l, NULL));
    CHECK(mongo_filter_collection(&f, SL("shop"), SL("a")));
    CHECK(mongo_filter_collection(&f, SL("shop"), SL("a.b.c")));
    CHECK(!mongo_filter_collection(&f, SL("shop"), SL("x1")));
    CHECK(!mongo_filter_collection(&f, SL("shop10"), SL("a")));
    CHECK(!mongo_filter_collection(&f, SL("shop"), SL("system.views")));
    CHECK(mongo_filter_collection(&f, SL("ops"), SL("signals")));
    CHECK(!mongo_filter_collection(&f, SL("ops"), SL("Signals")));
    CHECK(mongo_filter_database(&f, SL("ops")));
    CHECK(!mongo_filter_database(&f, SL("admin")));
    mongo_filter_release(&f);
    l = (struct mongo_lists){.literal = true, .collection_include = SL("shop.a.b , shop.C")};
    CHECK_OK(mongo_filter_init(&f, &l, NULL));
    CHECK(mongo_filter_collection(&f, SL("shop"), SL("a.b")));
    CHECK(mongo_filter_collection(&f, SL("shop"), SL("C")));
    CHECK(!mongo_filter_collection(&f, SL("shop"), SL("c")));
    CHECK(!mongo_filter_collection(&f, SL("config"), SL("C")));
    mongo_filter_release(&f);
}

/* The signal collection is as any other one when the scope leaves it out. */
static void test_signals_outside(void)
{
    static const struct {
        const char *signals, *db, *coll;
        bool outside;
    } rows[] = {{"d.signals", "d", NULL, false}, {"e.signals", "d", NULL, true},
                {"d.signals", "d", "c", true},   {"d.c", "d", "c", false},
                {"d.c", "d", "c.c", true},       {"d.signals", NULL, NULL, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mongo_filter f;
        struct slice db, coll;
        struct mongo_lists l = {.signals = slice_cstr(rows[i].signals),
                                .scope_db = slice_cstr(rows[i].db),
                                .scope_coll = slice_cstr(rows[i].coll)};
        CHECK_OK(mongo_filter_init(&f, &l, NULL));
        mongo_split_id(l.signals, &db, &coll);
        CHECK_INT(f.signals_outside, rows[i].outside);
        CHECK(mongo_filter_is_signals(&f, db, coll));
        CHECK_INT(mongo_filter_collection(&f, db, coll), !rows[i].outside);
        mongo_filter_release(&f);
    }
}

static const struct test_case tests[] = {
    {"patterns", test_patterns},
    {"names", test_literal},
    {"scope", test_scope},
    {"signals outside of the scope", test_signals_outside},
    {"a position that is left out", test_position},
    {"order of stages", test_order},
    {"portable patterns", test_portable},
    {"the filter on this side", test_filter},
    {NULL, NULL},
};
const struct test_suite test_mongo_pipeline = {"cdc/mongodb/pipeline", tests, NULL, NULL};
