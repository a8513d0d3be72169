/* Lists of a run before, and what brings documents of newly included collections. SPEC: cdc-mongodb
 * 8.1 */
#include "cdc/mongodb/newcomers.h"

#include "helpers.h"

static bool captured_then(const struct mongo_lists *l, const char *db, const char *coll)
{
    struct mongo_then then;
    struct strbuf text = STRBUF_INIT;
    mongo_lists_print(l, &text);
    CHECK_OK(mongo_then_init(&then, strbuf_slice(&text), NULL));
    bool yes = mongo_filter_collection(&then.filter, slice_cstr(db), slice_cstr(coll));
    mongo_then_release(&then);
    strbuf_release(&text);
    return yes;
}

static void test_lists_of_then(void)
{
    struct mongo_lists l = {.database_include = SL("s, \"q\\\\.x"),
                            .collection_exclude = SL("s[.]x"),
                            .signals = SL("ops.signals")};
    CHECK(captured_then(&l, "s", "a"));
    CHECK(!captured_then(&l, "s", "x"));
    CHECK(!captured_then(&l, "t", "a"));
    CHECK(!captured_then(&l, "ops", "signals"));
    l = (struct mongo_lists){.literal = true, .collection_include = SL("s.a,s.b.c")};
    CHECK(captured_then(&l, "s", "b.c"));
    CHECK(!captured_then(&l, "s", "bxc"));
    l = (struct mongo_lists){.scope_db = SL("s"), .scope_coll = SL("a")};
    CHECK(captured_then(&l, "s", "a"));
    CHECK(!captured_then(&l, "s", "b"));
    CHECK(captured_then(&(struct mongo_lists){.literal = false}, "any", "thing"));
}

static void test_bad_text(void)
{
    static const char *const bad[] = {"", "{", "{\"collection.include\":\"(\"}"};
    struct mongo_then then;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(mongo_then_init(&then, slice_cstr(bad[i]), NULL) != E_OK);
}

static void check_text(const char *channels, const char *collection, size_t count, const char *want)
{
    struct mongo_options o = {.signal_channels = slice_cstr(channels),
                              .signal_collection = slice_cstr(collection)};
    struct slice ids[25];
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        ids[i] = SL("s.a");
    mongo_bring_text(&o, ids, count, &text);
    if (count < ARRAY_LEN(ids))
        CHECK_STR(text.p, want);
    else
        CHECK(slice_find(strbuf_slice(&text), slice_cstr(want)) > 0);
    strbuf_release(&text);
}

static void test_what_to_do(void)
{
    check_text("source", "ops.my.signals", 2,
               "db.getSiblingDB(\"ops\").getCollection(\"my.signals\").insertOne({_id: ObjectId(), "
               "type: \"execute-snapshot\", data: {\"data-collections\": [\"s.a\",\"s.a\"], type: "
               "\"incremental\"}})");
    check_text("kafka, file", "ops.signals", 1,
               "the signal {\"id\":\"1\",\"type\":\"execute-snapshot\",\"data\":"
               "{\"data-collections\":[\"s.a\"],\"type\":\"incremental\"}}");
    check_text(
        "source", "", 1,
        "set signal.data.collection or signal.enabled.channels, and send the signal "
        "{\"id\":\"1\",\"type\":\"execute-snapshot\",\"data\":{\"data-collections\":[\"s.a\"],"
        "\"type\":\"incremental\"}}");
    check_text("file", "", 25, "... (25 in all)");
}

static void test_known(void)
{
    struct mongo_known k;
    mongo_known_init(&k);
    CHECK(mongo_known_add(&k, SL("s.a")));
    CHECK(!mongo_known_add(&k, SL("s.a")));
    CHECK(mongo_known_add(&k, SL("s.A")));
    mongo_known_release(&k);
}

static const struct test_case tests[] = {
    {"lists of then", test_lists_of_then},
    {"what is no list", test_bad_text},
    {"what to do", test_what_to_do},
    {"what is known", test_known},
    {NULL, NULL},
};
const struct test_suite test_mongo_newcomers = {"cdc/mongodb/newcomers", tests, NULL, NULL};
