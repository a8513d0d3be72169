/* tests/unit/broker/test_fetch_session.c - what a fetch session remembers. SPEC: broker 6.2. */
#include "broker/fetch_session.h"

#include "base/base.h"
#include "broker/proto/kerr.h"
#include "helpers.h"

static struct arena arena;
static struct fetch_sessions sessions;

static void begin(size_t slots)
{
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    fetch_sessions_init(&sessions, slots);
}

static void end(void)
{
    fetch_sessions_release(&sessions);
    arena_release(&arena);
}

/* A request for partitions 0 .. count - 1 of topic t at `offset`. */
static struct fetch_request *request(int32_t id, int32_t epoch, int32_t count, int64_t offset)
{
    struct fetch_request *in = arena_alloc(&arena, sizeof *in);
    fetch_request_init(in);
    in->session_id = id;
    in->session_epoch = epoch;
    in->topics_count = count ? 1 : 0;
    in->topics = fetch_request_topic_array(&arena, 1);
    in->topics[0].topic = SL("t");
    in->topics[0].topic_id.b[0] = 7;
    in->topics[0].partitions_count = count;
    in->topics[0].partitions = fetch_request_partition_array(&arena, count);
    for (int32_t i = 0; i < count; i++) {
        in->topics[0].partitions[i].partition = i;
        in->topics[0].partitions[i].fetch_offset = offset;
    }
    return in;
}

static struct fetch_response_partition *answers(int32_t count, int64_t end_offset)
{
    struct fetch_response_partition *outs = fetch_response_partition_array(&arena, count);
    for (int32_t i = 0; i < count; i++) {
        outs[i].records = SL("");
        outs[i].high_watermark = end_offset;
        outs[i].log_start_offset = 0;
    }
    return outs;
}

static int32_t create(int32_t count, int64_t end_offset, bool by_id, int64_t now)
{
    const struct fetch_request *in = request(0, 0, count, 0);
    struct fetch_want *wants = arena_calloc(&arena, (size_t)count + 1, sizeof *wants);
    for (int32_t i = 0; i < count; i++)
        wants[i] = (struct fetch_want){in->topics[0].topic, in->topics[0].topic_id,
                                       &in->topics[0].partitions[i]};
    return fetch_session_create(&sessions, wants, answers(count, end_offset), count, by_id, now);
}

static struct fetch_want *wants;
static int32_t count;
static bool ended;

static int16_t go_on(const struct fetch_request *in, bool by_id, int64_t now)
{
    return fetch_session_continue(&sessions, in, by_id, now, &arena, &wants, &count, &ended);
}

static void test_epochs(void)
{
    begin(10);
    int32_t id = create(3, 5, false, 0);
    CHECK(id > 0);
    CHECK_INT(go_on(request(id, 2, 0, 0), false, 0), KERR_INVALID_FETCH_SESSION_EPOCH);
    CHECK_INT(go_on(request(id, 1, 0, 0), true, 0), KERR_FETCH_SESSION_TOPIC_ID_ERROR);
    CHECK_INT(go_on(request(id ^ 1, 1, 0, 0), false, 0), KERR_FETCH_SESSION_ID_NOT_FOUND);
    CHECK_INT(go_on(request(0, 1, 0, 0), false, 0), KERR_FETCH_SESSION_ID_NOT_FOUND);
    CHECK_INT(go_on(request(id, 1, 0, 0), false, 0), KERR_NONE);
    CHECK_INT(count, 3);
    CHECK(!ended);
    CHECK_INT(go_on(request(id, 1, 0, 0), false, 0), KERR_INVALID_FETCH_SESSION_EPOCH);
    CHECK_INT(go_on(request(id, 2, 0, 0), false, 0), KERR_NONE);
    fetch_session_close(&sessions, id);
    CHECK_INT(go_on(request(id, 3, 0, 0), false, 0), KERR_FETCH_SESSION_ID_NOT_FOUND);
    end();
}

static void test_changes(void)
{
    begin(10);
    int32_t id = create(2, 5, false, 0);
    CHECK_INT(go_on(request(id, 1, 3, 44), false, 0), KERR_NONE); /* two changed, one added */
    CHECK_INT(count, 3);
    for (int32_t i = 0; i < count; i++) {
        CHECK_INT(wants[i].in->fetch_offset, 44);
        CHECK_SLICE(wants[i].topic, SL("t"));
    }
    struct fetch_request *in = request(id, 2, 0, 0);
    int32_t gone[] = {0, 2, 9};
    in->forgotten_topics_data_count = 1;
    in->forgotten_topics_data = fetch_request_forgotten_topic_array(&arena, 1);
    in->forgotten_topics_data[0].topic = SL("t");
    in->forgotten_topics_data[0].partitions = gone;
    in->forgotten_topics_data[0].partitions_count = 3;
    CHECK_INT(go_on(in, false, 0), KERR_NONE);
    CHECK_INT(count, 1);
    CHECK_INT(wants[0].in->partition, 1);
    in = request(id, 3, 0, 0);
    gone[0] = 1;
    in->forgotten_topics_data_count = 1;
    in->forgotten_topics_data = fetch_request_forgotten_topic_array(&arena, 1);
    in->forgotten_topics_data[0].topic = SL("t");
    in->forgotten_topics_data[0].partitions = gone;
    in->forgotten_topics_data[0].partitions_count = 1;
    CHECK_INT(go_on(in, false, 0), KERR_NONE);
    CHECK_INT(count, 0);
    CHECK(ended);
    CHECK_INT(sessions.by_id.count, 0);
    end();
}

/* Only what has changed is told, errors always, and what follows an error too. */
static void test_what_is_told(void)
{
    begin(10);
    int32_t id = create(3, 5, true, 0);
    CHECK_INT(go_on(request(id, 1, 0, 0), true, 0), KERR_NONE);
    struct fetch_response_partition *outs = answers(3, 5);
    outs[1].high_watermark = 6;
    outs[2].error_code = KERR_UNKNOWN_TOPIC_ID;
    CHECK(!fetch_session_settle(&sessions, id, &wants[0], true, &outs[0]));
    CHECK(fetch_session_settle(&sessions, id, &wants[1], true, &outs[1]));
    CHECK(fetch_session_settle(&sessions, id, &wants[2], true, &outs[2]));
    CHECK(!fetch_session_settle(&sessions, id, &wants[1], true, &outs[1]));
    CHECK(fetch_session_settle(&sessions, id, &wants[2], true, &outs[2]));
    outs[2].error_code = KERR_NONE;
    CHECK(fetch_session_settle(&sessions, id, &wants[2], true, &outs[2]));
    CHECK(!fetch_session_settle(&sessions, id, &wants[2], true, &outs[2]));
    outs[0].log_start_offset = 2;
    CHECK(fetch_session_settle(&sessions, id, &wants[0], true, &outs[0]));
    /* a session that has gone: everything */
    fetch_session_close(&sessions, id);
    CHECK(fetch_session_settle(&sessions, id, &wants[0], true, &outs[0]));
    end();
}

static void test_order_rotates(void)
{
    begin(10);
    int32_t id = create(3, 5, false, 0);
    CHECK_INT(go_on(request(id, 1, 0, 0), false, 0), KERR_NONE);
    struct fetch_response_partition *outs = answers(3, 5);
    outs[0].records = SL("xxx");
    for (int i = 0; i < 3; i++)
        (void)fetch_session_settle(&sessions, id, &wants[i], false, &outs[i]);
    CHECK_INT(go_on(request(id, 2, 0, 0), false, 0), KERR_NONE);
    CHECK_INT(wants[0].in->partition, 1);
    CHECK_INT(wants[1].in->partition, 2);
    CHECK_INT(wants[2].in->partition, 0);
    end();
}

static void test_slots(void)
{
    begin(2);
    int32_t a = create(1, 5, false, 0), b = create(1, 5, false, 10);
    CHECK(a > 0 && b > 0 && a != b);
    CHECK_INT(create(1, 5, false, FETCH_SESSION_IDLE_MS), 0); /* full, nobody idle for long */
    CHECK_INT(go_on(request(a, 1, 0, 0), false, FETCH_SESSION_IDLE_MS), KERR_NONE);
    int32_t c = create(1, 5, false, FETCH_SESSION_IDLE_MS + 11); /* takes the place of b */
    CHECK(c > 0);
    CHECK_INT(go_on(request(b, 1, 0, 0), false, 0), KERR_FETCH_SESSION_ID_NOT_FOUND);
    CHECK_INT(go_on(request(a, 2, 0, 0), false, 0), KERR_NONE);
    end();
    begin(0);
    CHECK_INT(create(1, 5, false, 0), 0);
    end();
}

static const struct test_case tests[] = {
    {"ids and epochs", test_epochs},
    {"partitions added, changed, forgotten", test_changes},
    {"only what has changed is told", test_what_is_told},
    {"a busy partition goes to the end", test_order_rotates},
    {"a bounded number, idle ones make room", test_slots},
    {NULL, NULL},
};
const struct test_suite test_fetch_session = {"broker/fetch_session", tests};
