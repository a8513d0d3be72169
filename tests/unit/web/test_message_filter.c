/* tests/unit/web/test_message_filter.c - what the search box finds. */
#include "helpers.h"

#include "broker/proto/batch.h"
#include "web/message_filter.h"

static bool finds(const char *needle, const char *text)
{
    struct message_filter f;
    message_filter_init(&f, slice_cstr(needle));
    bool found = message_filter_match(&f, SLICE_NULL, slice_cstr(text), SLICE_NULL);
    message_filter_release(&f);
    return found;
}

static void test_plain(void)
{
    CHECK(finds("bc", "abcd"));
    CHECK(!finds("BC", "abcd")); /* case counts */
    CHECK(!finds("x", "abcd"));
    CHECK(finds("", "abcd"));
    CHECK(finds("key:", "the key: is text like any other"));
}

static void test_escaped(void)
{
    CHECK(finds("한글", "{\"name\":\"한글\"}"));
    CHECK(finds("한글", "{\"name\":\"\\ud55c\\uae00\"}"));
    CHECK(finds("한글", "{\"name\":\"\\uD55C\\uAE00\"}"));
    CHECK(!finds("한글", "{\"name\":\"\\uD55C\"}"));
    CHECK(finds("a한", "a\\uD55C")); /* ASCII stays as it is */
    CHECK(finds("😀", "\\ud83d\\ude00"));
    CHECK(finds("😀", "\\uD83D\\uDE00"));
    CHECK(!finds("abc", "\\u0061\\u0062\\u0063"));
    CHECK(finds("\xff", "a\xff")); /* not UTF-8: as bytes */
    CHECK(!finds("\xed\xa0\x80", "\\ud800"));
}

static void test_places(void)
{
    struct message_filter f;
    struct batch_headers h = BATCH_HEADERS_INIT;
    batch_headers_add(&h, SL("trace"), SL("abc"));
    batch_headers_add(&h, SL("empty"), SLICE_NULL);
    struct slice headers = strbuf_slice(&h.bytes);
    static const struct {
        const char *needle;
        bool found;
    } rows[] = {{"thekey", true}, {"theval", true}, {"race", true},
                {"bc", true},     {"empty", true},  {"other", false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        message_filter_init(&f, slice_cstr(rows[i].needle));
        CHECK_INT(message_filter_match(&f, SL("thekey"), SL("thevalue"), headers), rows[i].found);
        message_filter_release(&f);
    }
    message_filter_init(&f, SL("x"));
    CHECK(!message_filter_match(&f, SLICE_NULL, SLICE_NULL, SLICE_NULL));
    message_filter_release(&f);
    strbuf_release(&h.bytes);
}

static const struct test_case tests[] = {
    {"plain text", test_plain},
    {"escaped JSON", test_escaped},
    {"key, value, headers", test_places},
    {NULL, NULL},
};
const struct test_suite test_message_filter = {"web/message_filter", tests};
