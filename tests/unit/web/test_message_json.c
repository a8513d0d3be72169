/* tests/unit/web/test_message_json.c - events of a message stream: shape, null and empty, bytes
 * that are no text, headers, cutting. */
#include "helpers.h"

#include "base/json.h"
#include "web/message_json.h"

static struct message_filter none;
static struct message_scratch tmp = {STRBUF_INIT, STRBUF_INIT, STRBUF_INIT};

/* The message object of a record; caller decrefs. */
static json_t *shown(struct message_style style, const struct batch_record *r)
{
    struct strbuf out = STRBUF_INIT;
    json_t *event = NULL;
    struct error e = {0};
    message_filter_init(&none, SLICE_NULL);
    style.filter = &none;
    if (style.max_bytes == 0)
        style.max_bytes = 1 << 20;
    CHECK(message_event_record(&out, &style, &tmp, 4, r, false));
    CHECK_OK(strbuf_err(&out));
    CHECK(slice_starts(strbuf_slice(&out), SL("data:{")));
    CHECK(slice_ends(strbuf_slice(&out), SL("}\n\n")));
    CHECK_INT(slice_find_char(strbuf_slice(&out), '\n'), (int64_t)out.n - 2);
    CHECK_OK(json_load_slice(slice_sub(strbuf_slice(&out), 5, out.n - 2), &event, &e));
    CHECK_SLICE(json_get_str(event, "type"), SL("MESSAGE"));
    CHECK(json_is_null(json_object_get(event, "phase")));
    json_t *message = json_incref(json_object_get(event, "message"));
    json_decref(event);
    strbuf_release(&out);
    message_scratch_release(&tmp);
    return message;
}

static void test_whole(void)
{
    struct strbuf out = STRBUF_INIT;
    struct batch_headers h = BATCH_HEADERS_INIT;
    batch_headers_add(&h, SL("x"), SL("1"));
    const struct batch_record r = {.offset = 41,
                                   .timestamp = 1767323045007,
                                   .key = SL("{\"id\":1001}"),
                                   .value = SL("v"),
                                   .headers = strbuf_slice(&h.bytes),
                                   .headers_count = 1};
    message_filter_init(&none, SLICE_NULL);
    const struct message_style style = {SERDE_STRING, SERDE_STRING, 100, &none};
    CHECK(message_event_record(&out, &style, &tmp, 0, &r, true));
    CHECK_STR(out.p,
              "data:{\"type\":\"MESSAGE\",\"message\":{\"partition\":0,\"offset\":41,"
              "\"timestamp\":\"2026-01-02T03:04:05.007Z\",\"timestampType\":\"LOG_APPEND_TIME\","
              "\"key\":\"{\\\"id\\\":1001}\",\"value\":\"v\",\"headers\":{\"x\":\"1\"},"
              "\"headersList\":[{\"key\":\"x\",\"value\":\"1\"}],\"headersSize\":2,\"keySize\":11,"
              "\"valueSize\":1,\"keySerde\":\"String\",\"valueSerde\":\"String\","
              "\"keyDeserializeProperties\":{},\"valueDeserializeProperties\":{}},\"phase\":null,"
              "\"consuming\":null,\"cursor\":null}\n\n");
    strbuf_release(&out);
    strbuf_release(&h.bytes);
}

static void test_null_and_empty(void)
{
    struct batch_record r = {.timestamp = -1, .key = SLICE_NULL, .value = SL("")};
    json_t *m = shown((struct message_style){0}, &r);
    CHECK(json_is_null(json_object_get(m, "key")));
    CHECK(json_is_null(json_object_get(m, "keySerde")));
    CHECK(json_is_null(json_object_get(m, "keySize")));
    CHECK_SLICE(json_get_str(m, "value"), SL(""));
    CHECK_INT(json_get_i64(m, "valueSize", -1), 0);
    CHECK(json_object_get(m, "valueNull") == NULL);
    CHECK(json_is_null(json_object_get(m, "timestamp")));
    CHECK_SLICE(json_get_str(m, "timestampType"), SL("NO_TIMESTAMP_TYPE"));
    json_decref(m);
    r = (struct batch_record){.key = SL("k"), .value = SLICE_NULL};
    m = shown((struct message_style){0}, &r);
    CHECK(json_is_null(json_object_get(m, "value")));
    CHECK(json_get_bool(m, "valueNull", false));
    CHECK_SLICE(json_get_str(m, "timestamp"), SL("1970-01-01T00:00:00.000Z"));
    json_decref(m);
}

static void test_bytes(void)
{
    const struct batch_record r = {.key = SL("\0\0\0\0\0\0\0\7"), .value = SL("a\xff")};
    json_t *m = shown((struct message_style){.key = SERDE_INT64, .value = SERDE_INT32}, &r);
    CHECK_SLICE(json_get_str(m, "key"), SL("7"));
    CHECK_SLICE(json_get_str(m, "keySerde"), SL("Int64"));
    CHECK(json_object_get(m, "keyB64") == NULL);
    CHECK_SLICE(json_get_str(m, "value"), SL("a\xef\xbf\xbd"));
    CHECK_SLICE(json_get_str(m, "valueSerde"), SL("Fallback"));
    CHECK_SLICE(json_get_str(m, "valueB64"), SL("Yf8="));
    json_decref(m);
}

static void test_control_characters(void)
{
    const struct batch_record r = {.key = SL("a\nb\rc\0d"), .value = SL("</script>\x7f\u2028")};
    json_t *m = shown((struct message_style){0}, &r);
    CHECK_SLICE(json_get_str(m, "key"), SL("a\nb\rc\0d"));
    CHECK_SLICE(json_get_str(m, "value"), SL("</script>\x7f\u2028"));
    json_decref(m);
}

static void test_cut(void)
{
    struct batch_record r = {.key = SL("ab한글"), .value = SL("abc")};
    static const char *const want[] = {"a", "ab", "ab", "ab", "ab한", "ab한", "ab한", "ab한글"};
    for (size_t max = 1; max <= 8; max++) {
        json_t *m = shown((struct message_style){.max_bytes = max}, &r);
        CHECK_SLICE(json_get_str(m, "key"), slice_cstr(want[max - 1]));
        CHECK_INT(json_get_bool(m, "truncated", false), max < 8);
        CHECK_INT(json_get_i64(m, "keySize", 0), 8);
        CHECK(json_object_get(m, "keyB64") == NULL);
        json_decref(m);
    }
    r = (struct batch_record){.key = SL(""), .value = SL("\x01\x02\x03\x04")};
    json_t *m = shown((struct message_style){.value = SERDE_HEX, .max_bytes = 5}, &r);
    CHECK_SLICE(json_get_str(m, "value"), SL("01 02"));
    CHECK(json_get_bool(m, "truncated", false));
    json_decref(m);
}

static void test_headers(void)
{
    struct batch_headers h = BATCH_HEADERS_INIT;
    batch_headers_add(&h, SL("a"), SL("1"));
    batch_headers_add(&h, SL("b"), SLICE_NULL);
    batch_headers_add(&h, SL("a"), SL("\xff"));
    const struct batch_record r = {
        .key = SL("k"), .headers = strbuf_slice(&h.bytes), .headers_count = 3};
    json_t *m = shown((struct message_style){0}, &r), *object = json_object_get(m, "headers");
    json_t *list = json_object_get(m, "headersList");
    CHECK_INT(json_object_size(object), 2);
    CHECK_SLICE(json_get_str(object, "a"), SL("\xef\xbf\xbd"));
    CHECK(json_is_null(json_object_get(object, "b")));
    CHECK_INT(json_array_size(list), 3);
    CHECK_SLICE(json_get_str(json_array_get(list, 0), "value"), SL("1"));
    CHECK_SLICE(json_get_str(json_array_get(list, 2), "valueB64"), SL("/w=="));
    CHECK_INT(json_get_i64(m, "headersSize", 0), 5);
    json_decref(m);
    strbuf_release(&h.bytes);
}

static void test_filter(void)
{
    struct message_filter f;
    struct strbuf out = STRBUF_INIT;
    const struct message_style style = {SERDE_INT32, SERDE_STRING, 2, &f};
    const struct batch_record r = {.key = SL("\0\0\4\xd2"), .value = SL("needle far behind")};
    message_filter_init(&f, SL("behind")); /* beyond what is shown */
    CHECK(message_event_record(&out, &style, &tmp, 0, &r, false));
    message_filter_release(&f);
    message_filter_init(&f, SL("1234")); /* in the key's text, not in its bytes */
    CHECK(message_event_record(&out, &style, &tmp, 0, &r, false));
    message_filter_release(&f);
    strbuf_reset(&out);
    message_filter_init(&f, SL("nowhere"));
    CHECK(!message_event_record(&out, &style, &tmp, 0, &r, false));
    CHECK_INT(out.n, 0);
    message_filter_release(&f);
    strbuf_release(&out);
    message_scratch_release(&tmp);
}

/* Connect's topic of configurations: passwords are neither shown nor found by a filter. */
static void test_worker_configs(void)
{
    struct batch_record r = {
        .key = SL("connector-a"),
        .value = SL("{\"properties\":{\"database.password\":\"s3cret\",\"topic\":\"t\"}}")};
    json_t *m = shown((struct message_style){.worker_configs = true}, &r);
    CHECK_SLICE(json_get_str(m, "value"),
                SL("{\"properties\":{\"database.password\":\"******\",\"topic\":\"t\"}}"));
    json_decref(m);
    m = shown((struct message_style){0}, &r); /* any other topic */
    CHECK(slice_find(json_get_str(m, "value"), SL("s3cret")) > 0);
    json_decref(m);
    struct strbuf out = STRBUF_INIT;
    struct message_filter f;
    const struct message_style style = {.max_bytes = 100, .filter = &f, .worker_configs = true};
    message_filter_init(&f, SL("s3cret"));
    CHECK(!message_event_record(&out, &style, &tmp, 0, &r, false));
    message_filter_release(&f);
    message_scratch_release(&tmp);
    strbuf_release(&out);
    r.value = SL("{\"tasks\":1}");
    m = shown((struct message_style){.worker_configs = true}, &r);
    CHECK_SLICE(json_get_str(m, "value"), SL("{\"tasks\":1}"));
    json_decref(m);
}

static void test_events(void)
{
    struct strbuf out = STRBUF_INIT;
    struct message_counts c = {.bytes = 81234, .records = 100, .elapsed_ms = 12};
    message_event_phase(&out, SL("Consumer created"));
    CHECK_STR(out.p, "data:{\"type\":\"PHASE\",\"message\":null,\"phase\":{\"name\":\"Consumer "
                     "created\"},\"consuming\":null,\"cursor\":null}\n\n");
    strbuf_reset(&out);
    message_event_consuming(&out, &c);
    CHECK_STR(out.p, "data:{\"type\":\"CONSUMING\",\"message\":null,\"phase\":null,\"consuming\":{"
                     "\"bytesConsumed\":81234,\"elapsedMs\":12,\"isCancelled\":false,"
                     "\"messagesConsumed\":100,\"filterApplyErrors\":0},\"cursor\":null}\n\n");
    strbuf_reset(&out);
    c.skipped = 3;
    message_event_done(&out, &c, SL("id"));
    CHECK(slice_find(strbuf_slice(&out), SL("\"skipped\":3}")) > 0);
    CHECK(slice_ends(strbuf_slice(&out), SL("\"cursor\":{\"id\":\"id\"}}\n\n")));
    strbuf_reset(&out);
    message_event_done(&out, &c, SLICE_NULL);
    CHECK(slice_ends(strbuf_slice(&out), SL("\"cursor\":null}\n\n")));
    strbuf_release(&out);
}

static const struct test_case tests[] = {
    {"a whole event", test_whole},
    {"Connect's configurations", test_worker_configs},
    {"null and empty", test_null_and_empty},
    {"bytes", test_bytes},
    {"control characters", test_control_characters},
    {"cutting", test_cut},
    {"headers", test_headers},
    {"filter", test_filter},
    {"other events", test_events},
    {NULL, NULL},
};
const struct test_suite test_message_json = {"web/message_json", tests};
