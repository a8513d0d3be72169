/* Signals: what their texts say, and what is refused. SPEC: cdc-mysql 3.6 */
#include "cdc/signal.h"

#include "helpers.h"

static struct arena a;
static struct signal_request r;

static enum err parse(const char *type, const char *data)
{
    struct signal s = {.id = SL("id"), .type = slice_cstr(type), .data = slice_cstr(data)};
    arena_reset(&a);
    return signal_parse(&s, &a, &r);
}

static void test_execute(void)
{
    CHECK_OK(parse("execute-snapshot", "{\"data-collections\":[\"d.t\",\" d.x.* \",\"\",7]}"));
    CHECK_INT(r.type, SIGNAL_EXECUTE);
    CHECK(!r.blocking);
    CHECK_INT(r.collection_count, 2);
    CHECK(slice_eq_c(r.collections[1], "d.x.*"));
    CHECK(!signal_filter(&r, SL("d.t")).p);
    CHECK_OK(parse("execute-snapshot",
                   "{\"data-collections\":[\"d.t\"],\"type\":\"blocking\",\"surrogate-key\":\"k\","
                   "\"additional-conditions\":[{\"data-collection\":\"d\\\\.(t|u)\",\"filter\":"
                   "\"a > 1\"},{\"data-collection\":\"d.v\",\"filter\":\" \"}]}"));
    CHECK(r.blocking);
    CHECK(slice_eq_c(r.surrogate_key, "k"));
    CHECK(slice_eq_c(signal_filter(&r, SL("D.U")), "a > 1"));
    CHECK(!signal_filter(&r, SL("d.v")).p);
    CHECK_OK(parse("execute-snapshot",
                   "{\"data-collections\":[\"d.t\"],\"additional-condition\":\"b = 2\"}"));
    CHECK(slice_eq_c(signal_filter(&r, SL("any.thing")), "b = 2"));
}

static void test_refused(void)
{
    CHECK_ERR(parse("execute-snapshot", "{}"), E_INVALID);
    CHECK_ERR(parse("execute-snapshot", "{\"data-collections\":\"d.t\"}"), E_INVALID);
    CHECK_ERR(parse("execute-snapshot", "{\"data-collections\":[\"d.t\"],\"type\":\"other\"}"),
              E_INVALID);
    CHECK_ERR(parse("execute-snapshot", "no json"), E_INVALID);
    CHECK_ERR(parse("execute-snapshot", "[]"), E_INVALID);
    CHECK_ERR(parse("execute-snapshot", NULL), E_INVALID);
    CHECK_ERR(parse("Execute-Snapshot", "{\"data-collections\":[\"d.t\"]}"), E_INVALID);
    CHECK_ERR(parse("", "{}"), E_INVALID);
    CHECK_ERR(parse("set-binlog-position",
                    "{\"binlog_filename\":\"b\",\"binlog_position\":4,\"gtid_set\":\"x\"}"),
              E_INVALID);
    CHECK_ERR(parse("set-binlog-position", "{\"binlog_filename\":\"b\"}"), E_INVALID);
}

static void test_others(void)
{
    struct strbuf text = STRBUF_INIT;
    CHECK_OK(parse("stop-snapshot", NULL));
    CHECK_INT(r.collection_count, 0);
    CHECK_OK(parse("pause-snapshot", "{\"type\":\"INCREMENTAL\"}"));
    CHECK_OK(parse("resume-snapshot", ""));
    CHECK_OK(parse("snapshot-window-open", "anything"));
    CHECK_INT(r.type, SIGNAL_WINDOW);
    CHECK_OK(parse("set-binlog-position", "{\"binlog_filename\":\"b\",\"binlog_position\":4}"));
    CHECK_INT(r.position, 4);
    CHECK_OK(parse("log", "{\"message\":\"at {}, {}.\"}"));
    signal_message(&r, SL("{\"x\":1}"), &text);
    CHECK_STR(text.p, "at {\"x\":1}, {\"x\":1}.");
    strbuf_release(&text);
}

static void test_names(void)
{
    CHECK(signal_names(SL("db.t"), SL("DB.T")));
    CHECK(signal_names(SL("db.(a|b)"), SL("db.b")));
    CHECK(!signal_names(SL("db.a"), SL("db.ab")));
    CHECK(signal_names(SL("db.a(b"), SL("db.a(b"))); /* no pattern */
    CHECK(!signal_names(SL("db.a(b"), SL("db.ab")));
}

static void test_from_json(void)
{
    struct signal s;
    CHECK_OK(signal_from_json(
        SL("{\"id\":\"k\",\"type\":\"log\",\"data\":{\"message\":\"x\",\"n\":1.50}}"), &a, &s,
        NULL));
    CHECK(slice_eq_c(s.id, "k") && slice_eq_c(s.type, "log"));
    CHECK(slice_starts(s.data, SL("{\"message\":\"x\"")));
    CHECK_OK(signal_from_json(SL("{\"type\":\"log\",\"data\":\"{}\"}"), &a, &s, NULL));
    CHECK_INT(s.id.n, 36);
    CHECK(slice_eq_c(s.data, "{}"));
    CHECK_OK(signal_from_json(SL("{\"type\":\"log\"}"), &a, &s, NULL));
    CHECK(!s.data.p);
    struct strbuf text = STRBUF_INIT;
    s = (struct signal){SL("a\"b"), SL("log"), SL("{\"x\":1}")};
    signal_to_json(&s, &text);
    CHECK_STR(text.p, "{\"id\":\"a\\\"b\",\"type\":\"log\",\"data\":\"{\\\"x\\\":1}\"}");
    CHECK_OK(signal_from_json(strbuf_slice(&text), &a, &s, NULL));
    CHECK(slice_eq_c(s.id, "a\"b") && slice_eq_c(s.data, "{\"x\":1}"));
    strbuf_release(&text);
    CHECK_ERR(signal_from_json(SL("{}"), &a, &s, NULL), E_INVALID);
    CHECK_ERR(signal_from_json(SL("\"text\""), &a, &s, NULL), E_INVALID);
    CHECK_ERR(signal_from_json(SL("{"), &a, &s, NULL), E_INVALID);
}

static int setup(void)
{
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    return 0;
}

static int teardown(void)
{
    arena_release(&a);
    return 0;
}

static const struct test_case tests[] = {
    {"execute-snapshot", test_execute}, {"what is refused", test_refused},
    {"other signals", test_others},     {"names and patterns", test_names},
    {"as one object", test_from_json},  {NULL, NULL},
};
const struct test_suite test_signal = {"cdc/signal", tests, setup, teardown};
