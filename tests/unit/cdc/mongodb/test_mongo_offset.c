/* Offsets: what is written, what is read. SPEC: cdc-mongodb 8.1 */
#include "cdc/mongodb/offset.h"

#include "helpers.h"

static void check_print(const struct mongo_offset *o, const char *want)
{
    struct strbuf text = STRBUF_INIT;
    mongo_offset_print(o, &text);
    CHECK_STR(text.p, want);
    strbuf_release(&text);
}

#define TOKEN "EwAAAAJfZGF0YQADAAAAODIAAA=="

static void test_round_trip(void)
{
    struct mongo_offset o, copy;
    mongo_offset_init(&o);
    mongo_offset_init(&copy);
    CHECK_OK(mongo_offset_parse(
        &o, SL("{\"sec\":1666193824,\"ord\":1,\"resume_token\":\"" TOKEN "\"}"), NULL));
    CHECK_INT(o.sec, 1666193824);
    CHECK_INT(o.ord, 1);
    CHECK(!o.snapshot);
    check_print(&o, "{\"sec\":1666193824,\"ord\":1,\"resume_token\":\"" TOKEN "\"}");
    o.snapshot = true;
    mongo_offset_copy(&copy, &o);
    check_print(&copy,
                "{\"sec\":1666193824,\"ord\":1,\"initsync\":true,\"resume_token\":\"" TOKEN "\"}");
    struct slice token = strbuf_slice(&o.token);
    mongo_offset_idle(&copy, token);
    CHECK_INT(copy.sec, -1);
    mongo_offset_release(&o);
    mongo_offset_release(&copy);
}

/* The token of a document with a long key. */
static void test_long_token(void)
{
    struct mongo_offset o, back;
    struct bson_build b;
    struct strbuf data = STRBUF_INIT, text = STRBUF_INIT;
    for (int i = 0; i < 200000; i++)
        strbuf_add(&data, "78", 2);
    bson_build_init(&b);
    bson_build_text(&b, SL("_data"), strbuf_slice(&data));
    mongo_offset_init(&o);
    mongo_offset_init(&back);
    mongo_offset_idle(&o, bson_build_finish(&b));
    mongo_offset_print(&o, &text);
    CHECK_OK(mongo_offset_parse(&back, strbuf_slice(&text), NULL));
    CHECK_SLICE(strbuf_slice(&back.token), strbuf_slice(&o.token));
    mongo_offset_release(&o);
    mongo_offset_release(&back);
    bson_build_release(&b);
    strbuf_release(&data);
    strbuf_release(&text);
}

static void test_old_forms(void)
{
    struct mongo_offset o;
    mongo_offset_init(&o);
    CHECK_OK(mongo_offset_parse(&o,
                                SL("{\"sec\":\"7\",\"ord\":\"2\",\"initsync\":\"true\","
                                   "\"resume_token\":\"82\",\"h\":0}"),
                                NULL)); /* the bare _data */
    CHECK_INT(o.sec, 7);
    CHECK(o.snapshot);
    check_print(&o, "{\"sec\":7,\"ord\":2,\"initsync\":true,\"resume_token\":\"" TOKEN "\"}");
    CHECK_OK(mongo_offset_parse(&o, SL("{\"sec\":7,\"ord\":2}"), NULL)); /* a time alone */
    CHECK_INT(o.token.n, 0);
    CHECK_OK(mongo_offset_parse(&o, SL("{}"), NULL));
    CHECK_INT(o.sec, -1);
    mongo_offset_release(&o);
}

static void check_bad(const char *json)
{
    struct mongo_offset o;
    struct error e = {0};
    mongo_offset_init(&o);
    CHECK_ERR(mongo_offset_parse(&o, slice_cstr(json), &e), E_INVALID);
    CHECK(e.msg[0] != '\0');
    mongo_offset_release(&o);
}

static void test_bad(void)
{
    check_bad("[]");
    check_bad("{\"resume_token\":\"?\"}");
    check_bad("{\"resume_token\":\"AAAA\"}");
}

static void test_event(void)
{
    struct bson_build b;
    struct mongo_offset o;
    struct change c = {
        .has_time = true, .seconds = 5, .increment = 6, .in_transaction = true, .txn_number = 9};
    static const char empty[] = {5, 0, 0, 0, 0};
    c.token = slice_of(empty, sizeof empty);
    bson_build_init(&b);
    bson_build_binary(&b, SL("id"), 4, SL("0123456789abcdef"));
    c.lsid = bson_build_finish(&b);
    mongo_offset_init(&o);
    mongo_offset_at(&o, &c);
    check_print(&o, "{\"sec\":5,\"ord\":6,\"resume_token\":\"BQAAAAA=\",\"lsid\":\"{\\\"id\\\": "
                    "{\\\"$binary\\\": \\\"MDEyMzQ1Njc4OWFiY2RlZg==\\\",\\\"$type\\\": "
                    "\\\"04\\\"}}\",\"txnNumber\":9}");
    mongo_offset_release(&o);
    bson_build_release(&b);
    struct strbuf p = STRBUF_INIT;
    mongo_partition_print(SL("db\"1"), &p);
    CHECK_STR(p.p, "{\"server_id\":\"db\\\"1\"}");
    strbuf_release(&p);
}

static const struct test_case tests[] = {
    {"round trip", test_round_trip},
    {"a long token", test_long_token},
    {"forms of older releases", test_old_forms},
    {"what is no offset", test_bad},
    {"behind an event", test_event},
    {NULL, NULL},
};
const struct test_suite test_mongo_offset = {"cdc/mongodb/offset", tests, NULL, NULL};
