/* tests/unit/broker/api/test_api_share.c - share groups over a socket: a member joins, acquires,
 * acknowledges; sessions and their errors; offsets for administrators. SPEC: broker 8.5. */
#include "broker/admin.h"
#include "broker/broker_fixture.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "broker/proto/messages.h"

#include "helpers.h"

static struct broker_fixture f;
static struct arena a;
static struct uuid topic_id;

static void create_topic(void)
{
    struct create_topics_request in;
    struct create_topics_response out;
    create_topics_request_init(&in);
    in.topics_count = 1;
    in.topics = create_topics_request_topic_array(&a, 1);
    in.topics[0].name = SL("t");
    in.topics[0].num_partitions = 1;
    in.topics[0].replication_factor = 1;
    CHECK(broker_call(&f, KAPI_CREATE_TOPICS, 7, &in, &out, &a));
    CHECK_INT(out.topics[0].error_code, KERR_NONE);
    topic_id = out.topics[0].topic_id;
}

static void begin_at_the_start(void)
{
    struct incremental_alter_configs_request in;
    struct incremental_alter_configs_response out;
    incremental_alter_configs_request_init(&in);
    in.resources_count = 1;
    in.resources = incremental_alter_configs_request_resource_array(&a, 1);
    in.resources[0].resource_type = 32;
    in.resources[0].resource_name = SL("s");
    in.resources[0].configs_count = 1;
    in.resources[0].configs = incremental_alter_configs_request_config_array(&a, 1);
    in.resources[0].configs[0].name = SL("share.auto.offset.reset");
    in.resources[0].configs[0].value = SL("earliest");
    CHECK(broker_call(&f, KAPI_INCREMENTAL_ALTER_CONFIGS, 1, &in, &out, &a));
    CHECK_INT(out.responses[0].error_code, KERR_NONE);
}

static void produce(int records)
{
    struct broker_target *t = NULL;
    struct broker_appended done;
    struct batch_builder b;
    struct slice bytes;
    batch_builder_init(&b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    CHECK_OK(broker_target_open(f.broker, SL("t"), 0, &t, NULL));
    for (int i = 0; i < records; i++)
        CHECK_OK(batch_builder_add(&b, 1000, SLICE_NULL, SL("value"), NULL));
    CHECK_OK(batch_builder_finish(&b, &bytes));
    CHECK_OK(broker_append(t, (void *)(uintptr_t)bytes.p, bytes.n, &done, NULL));
    batch_builder_release(&b);
    broker_target_close(t);
}

static struct share_group_heartbeat_response *heartbeat(const char *member, int32_t epoch)
{
    static struct slice topic = SL_INIT("t");
    struct share_group_heartbeat_request in;
    struct share_group_heartbeat_response *out = arena_alloc(&a, sizeof *out);
    share_group_heartbeat_request_init(&in);
    in.group_id = SL("s");
    in.member_id = slice_cstr(member);
    in.member_epoch = epoch;
    in.subscribed_topic_names = epoch == 0 ? &topic : NULL;
    in.subscribed_topic_names_count = epoch == 0 ? 1 : -1;
    CHECK(broker_call(&f, KAPI_SHARE_GROUP_HEARTBEAT, 1, &in, out, &a));
    return out;
}

/* first < 0: no acknowledgement. The answer's only partition, or NULL. */
static struct share_fetch_response_partition *
fetch(const char *member, int32_t epoch, int64_t first, int64_t last, int type, int16_t *code)
{
    static int8_t types[1];
    struct share_fetch_request in;
    struct share_fetch_response *out = arena_alloc(&a, sizeof *out);
    share_fetch_request_init(&in);
    in.group_id = SL("s");
    in.member_id = slice_cstr(member);
    in.share_session_epoch = epoch;
    in.max_wait_ms = 20;
    in.min_bytes = 1;
    in.max_records = 4;
    if (epoch == 0 || first >= 0) {
        in.topics_count = 1;
        in.topics = share_fetch_request_topic_array(&a, 1);
        in.topics[0].topic_id = topic_id;
        in.topics[0].partitions_count = 1;
        in.topics[0].partitions = share_fetch_request_partition_array(&a, 1);
    }
    if (first >= 0) {
        struct share_fetch_request_ack_batch *b = share_fetch_request_ack_batch_array(&a, 1);
        types[0] = (int8_t)type;
        *b = (struct share_fetch_request_ack_batch){first, last, types, 1};
        in.topics[0].partitions[0].acknowledgement_batches = b;
        in.topics[0].partitions[0].acknowledgement_batches_count = 1;
    }
    CHECK(broker_call(&f, KAPI_SHARE_FETCH, 1, &in, out, &a));
    *code = out->error_code;
    return out->responses_count ? out->responses[0].partitions : NULL;
}

static int64_t start_offset(void)
{
    struct describe_share_group_offsets_request in;
    struct describe_share_group_offsets_response out;
    describe_share_group_offsets_request_init(&in);
    in.groups_count = 1;
    in.groups = describe_share_group_offsets_request_group_array(&a, 1);
    in.groups[0].group_id = SL("s");
    in.groups[0].topics_count = -1;
    CHECK(broker_call(&f, KAPI_DESCRIBE_SHARE_GROUP_OFFSETS, 0, &in, &out, &a));
    CHECK_INT(out.groups[0].error_code, KERR_NONE);
    if (out.groups[0].topics_count == 0)
        return -1;
    CHECK_SLICE(out.groups[0].topics[0].topic_name, SL("t"));
    return out.groups[0].topics[0].partitions[0].start_offset;
}

static int16_t alter(int64_t start)
{
    struct alter_share_group_offsets_request in;
    struct alter_share_group_offsets_response out;
    alter_share_group_offsets_request_init(&in);
    in.group_id = SL("s");
    in.topics_count = 1;
    in.topics = alter_share_group_offsets_request_topic_array(&a, 1);
    in.topics[0].topic_name = SL("t");
    in.topics[0].partitions_count = 2;
    in.topics[0].partitions = alter_share_group_offsets_request_partition_array(&a, 2);
    in.topics[0].partitions[0].start_offset = start;
    in.topics[0].partitions[1].partition_index = 7;
    CHECK(broker_call(&f, KAPI_ALTER_SHARE_GROUP_OFFSETS, 0, &in, &out, &a));
    if (out.error_code == KERR_NONE) {
        CHECK_INT(out.responses[0].partitions[0].error_code, KERR_NONE);
        CHECK_INT(out.responses[0].partitions[1].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    }
    return out.error_code;
}

static void test_member(void)
{
    int16_t code;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    CHECK(broker_fixture_start(&f, "api-share", NULL));
    create_topic();
    begin_at_the_start();
    struct share_group_heartbeat_response *h = heartbeat("m", 0);
    CHECK_INT(h->error_code, KERR_NONE);
    CHECK_INT(h->member_epoch, 1);
    CHECK_INT(h->assignment.topic_partitions_count, 1);
    CHECK_INT(heartbeat("m", 5)->error_code, KERR_FENCED_MEMBER_EPOCH);
    CHECK_INT(heartbeat("x", 1)->error_code, KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(heartbeat("", 0)->error_code, KERR_INVALID_REQUEST);

    produce(10);
    struct share_fetch_response_partition *p = fetch("m", 0, -1, 0, 0, &code);
    CHECK_INT(code, KERR_NONE);
    CHECK(p && p->records.n > 0);
    CHECK_INT(p->acquired_records_count, 1);
    CHECK_INT(p->acquired_records[0].first_offset, 0);
    CHECK_INT(p->acquired_records[0].last_offset, 3);
    CHECK_INT(p->acquired_records[0].delivery_count, 1);
    /* another member gets the rest of the batch */
    CHECK_INT(heartbeat("n", 0)->error_code, KERR_NONE);
    p = fetch("n", 0, -1, 0, 0, &code);
    CHECK_INT(p->acquired_records[0].first_offset, 4);
    CHECK_INT(p->acquired_records[0].last_offset, 7);
    p = fetch("m", 1, 0, 1, 1, &code); /* accepts two, gets two more */
    CHECK_INT(p->acknowledge_error_code, KERR_NONE);
    CHECK_INT(p->acquired_records[0].first_offset, 8);
    CHECK_INT(start_offset(), 2);
    p = fetch("m", 2, 4, 7, 1, &code); /* not its own */
    CHECK_INT(p->acknowledge_error_code, KERR_INVALID_RECORD_STATE);
    CHECK_INT(p->records.n, 0);
    p = fetch("m", 3, 2, 3, 2, &code); /* releases two, and gets them again */
    CHECK_INT(p->acknowledge_error_code, KERR_NONE);
    CHECK_INT(p->acquired_records[0].first_offset, 2);
    CHECK_INT(p->acquired_records[0].delivery_count, 2);

    CHECK(fetch("m", 3, -1, 0, 0, &code) == NULL);
    CHECK_INT(code, KERR_INVALID_SHARE_SESSION_EPOCH);
    CHECK(fetch("z", 1, -1, 0, 0, &code) == NULL);
    CHECK_INT(code, KERR_SHARE_SESSION_NOT_FOUND);
    CHECK(fetch("m", 0, 2, 3, 1, &code) == NULL);
    CHECK_INT(code, KERR_INVALID_REQUEST);

    /* the end of a session frees what the member held: the other one gets it */
    p = fetch("m", -1, 8, 9, 1, &code);
    CHECK_INT(p->acknowledge_error_code, KERR_NONE);
    p = fetch("n", 1, 4, 7, 1, &code);
    CHECK_INT(p->acquired_records_count, 1);
    CHECK_INT(p->acquired_records[0].first_offset, 2);
    CHECK_INT(p->acquired_records[0].last_offset, 3);
    CHECK_INT(p->acquired_records[0].delivery_count, 3);
    CHECK_INT(start_offset(), 2);
}

static void test_restart_and_offsets(void)
{
    int16_t code;
    struct delete_share_group_offsets_request in;
    struct delete_share_group_offsets_response out;
    broker_fixture_stop(&f);
    CHECK(broker_fixture_start(&f, "api-share", NULL));
    CHECK_INT(start_offset(), 2);
    CHECK_INT(heartbeat("n", 2)->error_code, KERR_UNKNOWN_MEMBER_ID); /* joins again */
    CHECK_INT(heartbeat("n", 0)->error_code, KERR_NONE);
    CHECK_INT(alter(0), KERR_NON_EMPTY_GROUP);
    struct share_fetch_response_partition *p = fetch("n", 0, -1, 0, 0, &code);
    CHECK_INT(p->acquired_records[0].first_offset, 2); /* what was held is free again */
    CHECK_INT(p->acquired_records[0].last_offset, 3);
    p = fetch("n", 1, 2, 3, 1, &code);
    CHECK_INT(start_offset(), 10);
    CHECK_INT(heartbeat("n", -1)->member_epoch, -1);
    CHECK_INT(alter(6), KERR_NONE);
    CHECK_INT(start_offset(), 6);
    delete_share_group_offsets_request_init(&in);
    in.group_id = SL("s");
    in.topics_count = 1;
    in.topics = delete_share_group_offsets_request_topic_array(&a, 1);
    in.topics[0].topic_name = SL("t");
    CHECK(broker_call(&f, KAPI_DELETE_SHARE_GROUP_OFFSETS, 0, &in, &out, &a));
    CHECK_INT(out.responses[0].error_code, KERR_NONE);
    CHECK_INT(start_offset(), -1);
    broker_fixture_stop(&f);
    arena_release(&a);
}

static const struct test_case tests[] = {
    {"members acquire and acknowledge", test_member},
    {"a restart, and offsets for administrators", test_restart_and_offsets},
    {NULL, NULL},
};
const struct test_suite test_api_share = {"broker/api/share", tests};
