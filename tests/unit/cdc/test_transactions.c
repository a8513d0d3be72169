/* Metadata of transactions: records, blocks, and counters that outlive a restart. SPEC:
 * cdc-mysql 5.12, 8.2 */
#include "cdc/transactions.h"

#include "base/mem.h"
#include "connect/json_out.h"
#include "helpers.h"

static void check_block(struct transactions *t, struct record_batch *b, const char *table,
                        int64_t total, int64_t own)
{
    struct value v;
    CHECK_OK(transactions_event(t, b, SL("d"), slice_cstr(table), &v));
    CHECK_INT(v.kind, VALUE_STRUCT);
    CHECK_INT(v.u.v[1].u.i, total);
    CHECK_INT(v.u.v[2].u.i, own);
}

static void check_value(const struct record *r, const char *want)
{
    struct strbuf text = STRBUF_INIT;
    const struct json_out_options plain = {.numeric_decimals = false};
    CHECK_OK(json_out_value(&text, r->value_schema, r->value, &plain, NULL));
    CHECK_STR(text.p, want);
    strbuf_release(&text);
}

static void test_records(void)
{
    struct transactions t;
    struct record_batch b;
    struct value v;
    record_batch_init(&b, (size_t)1 << 20);
    transactions_init(&t, true, SL("p.transaction"));
    CHECK_OK(transactions_begin(&t, &b, SL("u:5"), 7, NULL));
    check_block(&t, &b, "one", 1, 1);
    check_block(&t, &b, "two", 2, 1);
    check_block(&t, &b, "one", 3, 2);
    CHECK_OK(transactions_end(&t, &b, 8, NULL));
    CHECK_OK(transactions_event(&t, &b, SL("d"), SL("one"), &v));
    CHECK_INT(v.kind, VALUE_NULL);
    CHECK_OK(transactions_end(&t, &b, 9, NULL)); /* nothing is open */
    CHECK_INT(b.count, 2);
    CHECK_SLICE(b.records[0].topic, SL("p.transaction"));
    check_value(&b.records[0], "{\"status\":\"BEGIN\",\"id\":\"u:5\",\"event_count\":null,"
                               "\"data_collections\":null,\"ts_ms\":7}");
    check_value(&b.records[1],
                "{\"status\":\"END\",\"id\":\"u:5\",\"event_count\":3,\"data_collections\":["
                "{\"data_collection\":\"d.one\",\"event_count\":2},"
                "{\"data_collection\":\"d.two\",\"event_count\":1}],\"ts_ms\":8}");
    transactions_release(&t);
    record_batch_release(&b);
}

static void test_restart(void)
{
    struct transactions t, later;
    struct record_batch b;
    struct strbuf members = STRBUF_INIT;
    record_batch_init(&b, (size_t)1 << 20);
    transactions_init(&t, true, SL("x"));
    transactions_init(&later, true, SL("x"));
    CHECK_OK(transactions_begin(&t, &b, SL("a\"b"), 7, NULL));
    check_block(&t, &b, "one", 1, 1);
    check_block(&t, &b, "two", 2, 1);
    strbuf_adds(&members, "{\"pos\":4");
    transactions_print(&t, &members);
    strbuf_adds(&members, "}");
    CHECK_STR(members.p, "{\"pos\":4,\"transaction_id\":\"a\\\"b\","
                         "\"transaction_data_collection_order_d.one\":1,"
                         "\"transaction_data_collection_order_d.two\":1}");
    transactions_load(&later, strbuf_slice(&members));
    transactions_resume(&later, SL("a\"b"));
    check_block(&later, &b, "two", 3, 2);
    /* of another transaction nothing is left */
    transactions_resume(&later, SL("other"));
    check_block(&later, &b, "two", 1, 1);
    CHECK_OK(transactions_end(&later, &b, 1, NULL));
    strbuf_reset(&members);
    transactions_print(&later, &members);
    CHECK_INT(members.n, 0);
    strbuf_release(&members);
    transactions_release(&t);
    transactions_release(&later);
    record_batch_release(&b);
}

static void test_off(void)
{
    struct transactions t;
    struct record_batch b;
    struct value v;
    record_batch_init(&b, (size_t)1 << 20);
    transactions_init(&t, false, SL("x"));
    CHECK_OK(transactions_begin(&t, &b, SL("id"), 7, NULL));
    CHECK_OK(transactions_event(&t, &b, SL("d"), SL("t"), &v));
    CHECK_INT(v.kind, VALUE_NULL);
    CHECK_OK(transactions_end(&t, &b, 7, NULL));
    CHECK_INT(b.count, 0);
    transactions_release(&t);
    record_batch_release(&b);
}

static const struct test_case tests[] = {
    {"records", test_records}, {"restart", test_restart}, {"off", test_off}, {NULL, NULL}};
const struct test_suite test_transactions = {"cdc/transactions", tests};
