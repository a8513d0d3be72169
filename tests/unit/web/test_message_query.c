/* tests/unit/web/test_message_query.c - cursors: round trip, damage, other topics and servers; the
 * old form's seekTo. */
#include "helpers.h"

#include "web/message_query.h"

static const struct slice topic = SL_INIT("orders"), secret = SL_INIT("cluster-1");

static void make(struct strbuf *id, bool backward, const char *filter)
{
    struct message_query q;
    struct message_position positions[] = {{0, 0}, {7, INT64_MAX}, {3, 9007199254740993}};
    message_query_init(&q);
    q.mode = backward ? MESSAGES_TO_TIMESTAMP : MESSAGES_EARLIEST;
    q.limit = 17;
    q.max_bytes = 200;
    q.key_serde = SERDE_INT64;
    q.value_serde = SERDE_HEX;
    q.filter = slice_cstr(filter);
    q.positions = positions;
    q.count = ARRAY_LEN(positions);
    message_cursor_write(id, &q, topic, secret);
    message_query_release(&q);
}

static void round_trip(bool backward, const char *filter)
{
    struct strbuf id = STRBUF_INIT;
    struct message_query q;
    struct error e = {0};
    make(&id, backward, filter);
    message_query_init(&q);
    CHECK_OK(message_cursor_read(&q, strbuf_slice(&id), topic, secret, &e));
    CHECK_INT(q.mode, backward ? MESSAGES_TO_OFFSET : MESSAGES_FROM_OFFSET);
    CHECK_INT(q.limit, 17);
    CHECK_INT(q.max_bytes, 200);
    CHECK_INT(q.key_serde, SERDE_INT64);
    CHECK_INT(q.value_serde, SERDE_HEX);
    CHECK_SLICE(q.filter, slice_cstr(filter));
    CHECK_INT(q.count, 3);
    CHECK_INT(q.positions[0].value, 0);
    CHECK_INT(q.positions[1].partition, 7);
    CHECK(q.positions[1].value == INT64_MAX);
    CHECK(q.positions[2].value == 9007199254740993);
    message_query_release(&q);
    strbuf_release(&id);
}

static void test_round_trip(void)
{
    round_trip(false, NULL);
    round_trip(true, "한글 \"quoted\" \\");
}

static void refused(struct slice id, struct slice of_topic, struct slice of_secret)
{
    struct message_query q;
    struct error e = {0};
    message_query_init(&q);
    CHECK_ERR(message_cursor_read(&q, id, of_topic, of_secret, &e), E_INVALID);
    CHECK(e.msg[0] != 0);
    message_query_release(&q);
}

static void test_refused(void)
{
    struct strbuf id = STRBUF_INIT;
    make(&id, true, "x");
    refused(strbuf_slice(&id), SL("other"), secret);
    refused(strbuf_slice(&id), topic, SL("cluster-2"));
    refused(slice_sub(strbuf_slice(&id), 0, id.n - 4), topic, secret);
    refused(SL(""), topic, secret);
    refused(SL("AAAA"), topic, secret);
    refused(SL("not base64 !"), topic, secret);
    for (size_t i = 0; i < id.n; i++) { /* any character changed */
        char was = id.p[i];
        id.p[i] = was == 'A' ? 'B' : 'A';
        refused(strbuf_slice(&id), topic, secret);
        id.p[i] = was;
    }
    strbuf_release(&id);
}

static void test_modes(void)
{
    enum message_mode m = MESSAGES_LATEST;
    CHECK(message_mode_parse(SL("TAILING"), &m));
    CHECK_INT(m, MESSAGES_TAILING);
    CHECK(message_mode_parse(SL("TO_TIMESTAMP"), &m));
    CHECK(message_mode_backward(m));
    CHECK(message_mode_backward(MESSAGES_LATEST));
    CHECK(message_mode_backward(MESSAGES_TO_OFFSET));
    CHECK(!message_mode_backward(MESSAGES_FROM_TIMESTAMP));
    CHECK(!message_mode_backward(MESSAGES_TAILING));
    CHECK(!message_mode_parse(SL("latest"), &m));
}

static void test_seek(void)
{
    struct message_query q;
    struct error e = {0};
    message_query_init(&q);
    CHECK_OK(message_seek_parse(&q, SL("0::10,1::7"), &e));
    CHECK_OK(message_seek_parse(&q, SL("5::1627333200000"), &e));
    CHECK_OK(message_seek_parse(&q, SL("1::8"), &e)); /* again: the last one */
    CHECK_INT(q.count, 3);
    CHECK_INT(q.positions[0].value, 10);
    CHECK_INT(q.positions[1].value, 8);
    CHECK_INT(q.positions[2].partition, 5);
    CHECK(q.positions[2].value == 1627333200000);
    static const char *const wrong[] = {"0", "0:1", "x::1", "1::x", "-1::1", "0::-1", "::"};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
        CHECK_ERR(message_seek_parse(&q, slice_cstr(wrong[i]), &e), E_INVALID);
    message_query_release(&q);
}

static const struct test_case tests[] = {
    {"cursor round trip", test_round_trip},
    {"cursor refused", test_refused},
    {"modes", test_modes},
    {"seekTo", test_seek},
    {NULL, NULL},
};
const struct test_suite test_message_query = {"web/message_query", tests};
