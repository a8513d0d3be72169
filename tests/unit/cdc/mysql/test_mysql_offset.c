/* Source offsets as users see and edit them. SPEC: cdc-mysql 5.10, 8.1 */
#include "cdc/mysql/offset.h"

#include "helpers.h"

static void check_print(const char *json, bool history, const char *want)
{
    struct mysql_offset o;
    struct strbuf b = STRBUF_INIT;
    mysql_offset_init(&o);
    CHECK_OK(mysql_offset_parse(&o, slice_cstr(json), NULL));
    mysql_offset_print(&o, history, &b);
    CHECK_STR(b.p, want);
    strbuf_release(&b);
    mysql_offset_release(&o);
}

static void test_round_trip(void)
{
    static const char full[] =
        "{\"ts_sec\":1,\"file\":\"mysql-bin.000003\",\"pos\":4294967400,\"gtids\":\"a:1-2\","
        "\"row\":2,\"server_id\":223344,\"event\":3}";
    check_print(full, false, full);
    check_print(
        full, true,
        "{\"ts_sec\":1,\"file\":\"mysql-bin.000003\",\"pos\":4294967400,\"gtids\":\"a:1-2\","
        "\"server_id\":223344}");
    check_print("{\"file\":\"f\",\"pos\":\"12\",\"snapshot\":true,\"transaction_id\":null}", false,
                "{\"ts_sec\":0,\"file\":\"f\",\"pos\":12,\"snapshot\":\"INITIAL\"}");
    check_print("{\"file\":\"f\",\"pos\":1.0,\"snapshot\":\"true\"}", false,
                "{\"ts_sec\":0,\"file\":\"f\",\"pos\":1,\"snapshot\":\"INITIAL\"}");
    check_print("{\"file\":\"f\",\"snapshot\":\"INCREMENTAL\"}", false,
                "{\"ts_sec\":0,\"file\":\"f\",\"pos\":0}");
}

static void test_refused(void)
{
    struct mysql_offset o;
    struct error e = {0};
    mysql_offset_init(&o);
    CHECK_ERR(mysql_offset_parse(&o, SL("{\"pos\":4}"), &e), E_INVALID);
    CHECK_STR(e.msg, "Source offset 'file' parameter is missing");
    CHECK_ERR(mysql_offset_parse(&o, SL("[]"), &e), E_INVALID);
    CHECK_ERR(mysql_offset_parse(&o, SL("{"), &e), E_INVALID);
    CHECK_ERR(mysql_offset_parse(&o, SLICE_NULL, &e), E_INVALID);
    CHECK_OK(mysql_offset_parse(&o, SL("{\"gtids\":\"0-1-5\"}"), &e));
    mysql_offset_release(&o);
}

static bool before(const char *a, const char *b, bool mariadb)
{
    struct mysql_offset x, y;
    mysql_offset_init(&x);
    mysql_offset_init(&y);
    CHECK_OK(mysql_offset_parse(&x, slice_cstr(a), NULL));
    CHECK_OK(mysql_offset_parse(&y, slice_cstr(b), NULL));
    bool yes = mysql_offset_at_or_before(&x, &y, mariadb);
    mysql_offset_release(&x);
    mysql_offset_release(&y);
    return yes;
}

static void test_order(void)
{
    CHECK(
        before("{\"file\":\"b.000009\",\"pos\":900}", "{\"file\":\"b.000010\",\"pos\":4}", false));
    CHECK(before("{\"file\":\"b.000009\",\"pos\":4}", "{\"file\":\"b.000009\",\"pos\":4}", false));
    CHECK(!before("{\"file\":\"b.000009\",\"pos\":5}", "{\"file\":\"b.000009\",\"pos\":4}", false));
    /* GTIDs win over positions of another server's files. */
    CHECK(before(
        "{\"file\":\"b.000009\",\"pos\":5,\"gtids\":\"36ac3be2-c5a8-11ee-8f1a-0242ac120002:1-5\"}",
        "{\"file\":\"b.000001\",\"pos\":4,\"gtids\":\"36ac3be2-c5a8-11ee-8f1a-0242ac120002:1-6\"}",
        false));
    CHECK(!before(
        "{\"file\":\"b.000001\",\"pos\":5,\"gtids\":\"36ac3be2-c5a8-11ee-8f1a-0242ac120002:1-7\"}",
        "{\"file\":\"b.000009\",\"pos\":4,\"gtids\":\"36ac3be2-c5a8-11ee-8f1a-0242ac120002:1-6\"}",
        false));
    /* Equal sets: positions decide. */
    CHECK(!before("{\"file\":\"b.000001\",\"pos\":5,\"gtids\":\"0-1-7\"}",
                  "{\"file\":\"b.000001\",\"pos\":4,\"gtids\":\"0-1-7\"}", true));
    CHECK(before("{\"file\":\"b.000001\",\"pos\":5,\"gtids\":\"0-1-7\"}",
                 "{\"file\":\"b.000001\",\"pos\":4,\"gtids\":\"0-1-8\"}", true));
    CHECK_INT(mysql_binlog_number(SL("a.b.000123")), 123);
    CHECK_INT(mysql_binlog_number(SL("none")), 0);
}

static const struct test_case tests[] = {{"round trip", test_round_trip},
                                         {"refused", test_refused},
                                         {"order", test_order},
                                         {NULL, NULL}};
const struct test_suite test_mysql_offset = {"cdc/mysql/offset", tests};
