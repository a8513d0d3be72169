/* tests/unit/broker/api/test_api_fetch.c - Fetch of a partition that cannot be read: its own error,
 * at once, whatever the client would wait for; and incremental fetches over a socket. */
#include "broker/admin.h"
#include "broker/broker_fixture.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "broker/proto/messages.h"

#include "base/clock.h"
#include "base/mem.h"
#include "helpers.h"

#include <sys/stat.h>
#include <unistd.h>

static void create_topic(struct broker_fixture *f, struct slice name, struct arena *a)
{
    struct create_topics_request in;
    struct create_topics_response out;
    create_topics_request_init(&in);
    in.topics_count = 1;
    in.topics = create_topics_request_topic_array(a, 1);
    in.topics[0].name = name;
    in.topics[0].num_partitions = 1;
    in.topics[0].replication_factor = 1;
    CHECK(broker_call(f, KAPI_CREATE_TOPICS, 5, &in, &out, a));
    CHECK_INT(out.topics[0].error_code, KERR_NONE);
}

/* A partition without records, whose file is a directory at the next start. */
static void make_unreadable(struct broker_fixture *f, struct slice name, struct arena *a)
{
    const char *file =
        arena_printf(a, "%s/logs/" PRI_SL "-0/00000000000000000000.log", f->dir, ARG_SL(name));
    broker_fixture_stop(f);
    (void)unlink(file);
    CHECK_INT(mkdir(file, 0755), 0);
    CHECK(broker_fixture_start(f, "api-fetch", NULL));
}

static int16_t fetch(struct broker_fixture *f, struct slice name, int32_t min_bytes,
                     int32_t partition_max_bytes, struct arena *a)
{
    struct fetch_request in;
    struct fetch_response out;
    fetch_request_init(&in);
    in.max_wait_ms = 8000;
    in.min_bytes = min_bytes;
    in.topics_count = 1;
    in.topics = fetch_request_topic_array(a, 1);
    in.topics[0].topic = name;
    in.topics[0].partitions_count = 1;
    in.topics[0].partitions = fetch_request_partition_array(a, 1);
    in.topics[0].partitions[0].partition_max_bytes = partition_max_bytes;
    int64_t began_ms = clock_mono_ms();
    CHECK(broker_call(f, KAPI_FETCH, 11, &in, &out, a));
    CHECK(clock_mono_ms() - began_ms < 5000);
    CHECK_INT(out.responses_count, 1);
    return out.responses[0].partitions[0].error_code;
}

static void test_unreadable_partition(void)
{
    struct broker_fixture f;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (broker_fixture_start(&f, "api-fetch", NULL)) {
        create_topic(&f, SL("t"), &a);
        make_unreadable(&f, SL("t"), &a);
        CHECK_INT(fetch(&f, SL("t"), 1, 1 << 20, &a), KERR_KAFKA_STORAGE_ERROR);
        CHECK_INT(fetch(&f, SL("t"), 1 << 20, 100, &a), KERR_KAFKA_STORAGE_ERROR);
        CHECK_INT(fetch(&f, SL("gone"), 1, 100, &a), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    }
    broker_fixture_stop(&f);
    arena_release(&a);
}

static int16_t fetch_in_session(struct broker_fixture *f, int32_t id, int32_t epoch,
                                const char *topic, int32_t wait_ms, struct fetch_response *out,
                                struct arena *a)
{
    struct fetch_request in;
    fetch_request_init(&in);
    in.max_wait_ms = wait_ms;
    in.min_bytes = 1;
    in.session_id = id;
    in.session_epoch = epoch;
    in.topics_count = topic ? 1 : 0;
    in.topics = fetch_request_topic_array(a, 1);
    in.topics[0].topic = slice_cstr(topic);
    in.topics[0].partitions_count = 1;
    in.topics[0].partitions = fetch_request_partition_array(a, 1);
    in.topics[0].partitions[0].partition_max_bytes = 1 << 20;
    CHECK(broker_call(f, KAPI_FETCH, 11, &in, out, a));
    return out->error_code;
}

static void produce_one(struct broker_fixture *f, struct slice topic)
{
    struct broker_target *t = NULL;
    struct broker_appended done;
    struct batch_builder b;
    struct slice bytes;
    batch_builder_init(&b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    CHECK_OK(broker_target_open(f->broker, topic, 0, &t, NULL));
    CHECK_OK(batch_builder_add(&b, 1000, SLICE_NULL, SL("value"), NULL));
    CHECK_OK(batch_builder_finish(&b, &bytes));
    CHECK_OK(broker_append(t, (void *)(uintptr_t)bytes.p, bytes.n, &done, NULL));
    batch_builder_release(&b);
    broker_target_close(t);
}

static void test_session(void)
{
    static const char *const options[] = {"broker.loops", "1", NULL};
    struct broker_fixture f;
    struct arena a;
    struct fetch_response out;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (broker_fixture_start(&f, "api-fetch-session", options)) {
        create_topic(&f, SL("t"), &a);
        CHECK_INT(fetch_in_session(&f, 0, 0, "t", 0, &out, &a), KERR_NONE);
        int32_t id = out.session_id;
        CHECK(id > 0);
        CHECK_INT(out.responses_count, 1);
        /* nothing new: nothing in the answer */
        CHECK_INT(fetch_in_session(&f, id, 1, NULL, 10, &out, &a), KERR_NONE);
        CHECK_INT(out.session_id, id);
        CHECK_INT(out.responses_count, 0);
        produce_one(&f, SL("t"));
        /* the records of a partition that the request does not name */
        CHECK_INT(fetch_in_session(&f, id, 2, NULL, 8000, &out, &a), KERR_NONE);
        CHECK_INT(out.responses_count, 1);
        if (out.responses_count == 1) {
            CHECK_SLICE(out.responses[0].topic, SL("t"));
            CHECK(out.responses[0].partitions[0].records.n > 0);
            CHECK_INT(out.responses[0].partitions[0].high_watermark, 1);
        }
        CHECK_INT(fetch_in_session(&f, id, 2, NULL, 0, &out, &a), KERR_INVALID_FETCH_SESSION_EPOCH);
        CHECK_INT(out.session_id, 0);
        CHECK_INT(fetch_in_session(&f, id, -1, "t", 0, &out, &a), KERR_NONE); /* closes it */
        CHECK_INT(out.session_id, 0);
        CHECK_INT(out.responses_count, 1);
        CHECK_INT(fetch_in_session(&f, id, 3, NULL, 0, &out, &a), KERR_FETCH_SESSION_ID_NOT_FOUND);
        CHECK_INT(fetch_in_session(&f, 0, 1, "t", 0, &out, &a), KERR_FETCH_SESSION_ID_NOT_FOUND);
    }
    broker_fixture_stop(&f);
    arena_release(&a);
}

static const struct test_case tests[] = {
    {"a partition that cannot be read", test_unreadable_partition},
    {"a session: only what is new", test_session},
    {NULL, NULL},
};
const struct test_suite test_api_fetch = {"broker/api/fetch", tests};
