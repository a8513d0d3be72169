/* Keys of chunks come back as the same key, whatever they are. SPEC: cdc-mongodb 4.3 */
#include "cdc/mongodb/chunk_key.h"

#include "cdc/bson/bson_build.h"
#include "helpers.h"

static struct bson_build doc;

/* Of the key that was put into doc; want NULL: only that it comes back with these bytes. */
static void check(const char *want)
{
    struct strbuf text = STRBUF_INIT, exact = STRBUF_INIT, again = STRBUF_INIT;
    struct bson_item id, back;
    struct arena a;
    struct slice all = bson_build_finish(&doc);
    arena_init(&a, 256, ARENA_NO_BUDGET);
    CHECK(bson_find(all, SL("_id"), &id));
    mongo_chunk_key_print(all, &text);
    CHECK_OK(mongo_chunk_key_parse(strbuf_slice(&text), &a, &back, NULL));
    if (want)
        CHECK_STR(text.p, want);
    mongo_chunk_key_exact(&id, &exact);
    mongo_chunk_key_exact(&back, &again);
    if (id.kind == BSON_INT64)
        CHECK_INT(bson_int(&back), bson_int(&id));
    else
        CHECK_SLICE(strbuf_slice(&again), strbuf_slice(&exact));
    arena_release(&a);
    strbuf_release(&text);
    strbuf_release(&exact);
    strbuf_release(&again);
    bson_build_reset(&doc);
}

static void test_plain(void)
{
    bson_build_init(&doc);
    bson_build_int(&doc, SL("_id"), 5);
    check("[5]");
    bson_build_long(&doc, SL("_id"), 5);
    check("[5]");
    bson_build_double(&doc, SL("_id"), 5);
    check("[5.0]");
    bson_build_text(&doc, SL("_id"), SL("a\"b"));
    check("[\"a\\\"b\"]");
    bson_build_raw(&doc, SL("_id"), BSON_OBJECT_ID, "123456789012", 12);
    check("[{\"$oid\": \"313233343536373839303132\"}]");
    bson_build_date(&doc, SL("_id"), INT64_MIN);
    check("[{\"$date\": {\"$numberLong\": \"-9223372036854775808\"}}]");
    bson_build_begin(&doc, SL("_id"), BSON_DOCUMENT);
    bson_build_int(&doc, SL("a"), 1);
    bson_build_end(&doc);
    check("[{\"a\": 1}]");
    bson_build_begin(&doc, SL("_id"), BSON_DOCUMENT);
    bson_build_long(&doc, SL("a"), 1);
    bson_build_end(&doc);
    check("[{\"a\": {\"$numberLong\": \"1\"}}]");
    bson_build_null(&doc, SL("_id"));
    check("[null]");
    bson_build_release(&doc);
}

/* Those that would be others as plain texts. */
static void test_wrapped(void)
{
    bson_build_init(&doc);
    bson_build_text(&doc, SL("_id"), SL("\xff"));
    check("[{\"$bson\": \"DQAAAAIAAgAAAP8AAA==\"}]");
    bson_build_pointer(&doc, SL("_id"), SL("d.c"), "123456789012");
    check(NULL);
    bson_build_begin(&doc, SL("_id"), BSON_DOCUMENT);
    bson_build_long(&doc, SL("a"), 1);
    bson_build_text(&doc, SL("\xfe"), SL("x"));
    bson_build_end(&doc);
    check(NULL);
    bson_build_binary(&doc, SL("_id"), 2, SL("\1\0\0\0q"));
    check(NULL);
    bson_build_text_as(&doc, SL("_id"), BSON_SYMBOL, SL("\xff"));
    check(NULL);
    bson_build_scope(&doc, SL("_id"), SL("f()"), SL("\5\0\0\0\0"));
    check(NULL);
    bson_build_raw(&doc, SL("_id"), BSON_DECIMAL128, "\5\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\x6c", 16);
    check(NULL);
    bson_build_release(&doc);
}

static void test_broken(void)
{
    struct bson_item i;
    struct arena a;
    arena_init(&a, 256, ARENA_NO_BUDGET);
    CHECK(mongo_chunk_key_parse(SL("[]"), &a, &i, NULL) == E_CORRUPT);
    CHECK(mongo_chunk_key_parse(SL("{"), &a, &i, NULL) != E_OK);
    CHECK(mongo_chunk_key_parse(SL("[{\"$bson\": \"*\"}]"), &a, &i, NULL) != E_OK);
    CHECK(mongo_chunk_key_parse(SL("[{\"$bson\": \"CgAAAA==\"}]"), &a, &i, NULL) != E_OK);
    CHECK(mongo_chunk_key_parse(SL("[{\"$bson\": \"BQAAAAA=\"}]"), &a, &i, NULL) == E_CORRUPT);
    arena_release(&a);
}

static const struct test_case tests[] = {
    {"as records tell them", test_plain},
    {"as bytes", test_wrapped},
    {"broken texts", test_broken},
    {NULL, NULL},
};
const struct test_suite test_mongo_chunk_key = {"cdc/mongodb/chunk_key", tests, NULL, NULL};
