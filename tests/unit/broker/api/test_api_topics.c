/* tests/unit/broker/api/test_api_topics.c - mistakes that clients' own libraries do not let through:
 * the same topic twice, name and id at once, pages of DescribeTopicPartitions. SPEC: broker 9 */
#include "broker/api/api.h"

#include "base/base.h"
#include "broker/admin.h"
#include "broker/broker_fixture.h"
#include "helpers.h"

static struct broker_fixture f;
static struct arena a;

static int setup(void)
{
    static const char *const options[] = {"replication.factor.clamp", "false", NULL};
    struct error e;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (!broker_fixture_start(&f, "api-topics", options))
        return 1;
    for (int i = 0; i < 3; i++) {
        char name[] = "a";
        name[0] = (char)('a' + i);
        const struct broker_topic_spec spec = {
            .name = slice_cstr(name), .partitions = 3, .replication_factor = 1};
        if (broker_topic_create(f.broker, &spec, &e) != E_OK)
            return 1;
    }
    return 0;
}

static int teardown(void)
{
    broker_fixture_stop(&f);
    arena_release(&a);
    return 0;
}

static void test_create(void)
{
    struct create_topics_request in;
    struct create_topics_response out;
    create_topics_request_init(&in);
    in.topics_count = 5;
    in.topics = create_topics_request_topic_array(&a, 5);
    static const char *const names[] = {"twice", "once", "twice", "given", "both"};
    for (int i = 0; i < 5; i++) {
        in.topics[i].name = slice_cstr(names[i]);
        in.topics[i].num_partitions = i < 3 ? 1 : i == 3 ? -1 : 2;
        in.topics[i].replication_factor = i == 4 ? 1 : -1;
    }
    int32_t own[] = {1};
    for (int i = 3; i < 5; i++) {
        in.topics[i].assignments_count = 1;
        in.topics[i].assignments = create_topics_request_assignment_array(&a, 1);
        in.topics[i].assignments[0].broker_ids = own;
        in.topics[i].assignments[0].broker_ids_count = 1;
    }
    CHECK(broker_call(&f, KAPI_CREATE_TOPICS, 7, &in, &out, &a));
    CHECK_INT(out.topics_count, 4); /* a name that stands twice is answered once */
    for (int32_t i = 0; i < out.topics_count; i++) {
        struct slice name = out.topics[i].name;
        bool bad = slice_eq(name, SL("twice")) || slice_eq(name, SL("both"));
        CHECK_INT(out.topics[i].error_code, bad ? KERR_INVALID_REQUEST : KERR_NONE);
        if (slice_eq(name, SL("twice")))
            CHECK_SLICE(out.topics[i].error_message, SL("Duplicate topic name."));
        if (slice_eq(name, SL("given")))
            CHECK_INT(out.topics[i].num_partitions, 1);
    }
    in.validate_only = true; /* before version 1 there is no such thing */
    in.topics[0].name = SL("old");
    in.topics_count = 1;
    CHECK(broker_call(&f, KAPI_CREATE_TOPICS, 0, &in, &out, &a));
    CHECK_INT(out.topics[0].error_code, KERR_NONE);
    CHECK(broker_call(&f, KAPI_CREATE_TOPICS, 7, &in, &out, &a));
    CHECK_INT(out.topics[0].error_code, KERR_TOPIC_ALREADY_EXISTS);
    in.topics[0].name = SL("checked-only");
    for (int i = 0; i < 2; i++) {
        CHECK(broker_call(&f, KAPI_CREATE_TOPICS, 1, &in, &out, &a));
        CHECK_INT(out.topics[0].error_code, KERR_NONE);
    }
}

static int16_t deleted(struct slice name, struct uuid id, struct slice *text)
{
    struct delete_topics_request in;
    struct delete_topics_response out;
    delete_topics_request_init(&in);
    in.topics_count = 1;
    in.topics = delete_topics_request_topic_array(&a, 1);
    in.topics[0].name = name;
    in.topics[0].topic_id = id;
    if (!broker_call(&f, KAPI_DELETE_TOPICS, 6, &in, &out, &a))
        return -99;
    *text = out.responses[0].error_message;
    return out.responses[0].error_code;
}

static void test_delete(void)
{
    struct broker_topic_info info;
    struct slice text;
    struct error e;
    CHECK_OK(broker_topic(f.broker, SL("c"), &a, &info, &e));
    CHECK_INT(deleted(SLICE_NULL, (struct uuid){0}, &text), KERR_INVALID_REQUEST);
    CHECK_SLICE(text, SL("Neither topic name nor id were specified."));
    CHECK_INT(deleted(SL("c"), info.id, &text), KERR_INVALID_REQUEST);
    CHECK_SLICE(text, SL("You may not specify both topic name and topic id."));
    CHECK_INT(deleted(SL("nosuch"), (struct uuid){0}, &text), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(deleted(SLICE_NULL, (struct uuid){{9}}, &text), KERR_UNKNOWN_TOPIC_ID);
    CHECK_INT(deleted(SLICE_NULL, info.id, &text), KERR_NONE);
    CHECK_INT(deleted(SLICE_NULL, info.id, &text), KERR_UNKNOWN_TOPIC_ID);

    struct delete_topics_request in;
    struct delete_topics_response out;
    struct slice twice[] = {SL("b"), SL("b")};
    delete_topics_request_init(&in);
    in.topic_names = twice;
    in.topic_names_count = 2;
    CHECK(broker_call(&f, KAPI_DELETE_TOPICS, 5, &in, &out, &a));
    CHECK_INT(out.responses[0].error_code, KERR_INVALID_REQUEST);
    CHECK_OK(broker_topic(f.broker, SL("b"), &a, &info, &e)); /* is still there */
}

static void test_partitions(void)
{
    struct create_partitions_request in;
    struct create_partitions_response out;
    create_partitions_request_init(&in);
    in.topics_count = 2;
    in.topics = create_partitions_request_topic_array(&a, 2);
    for (int i = 0; i < 2; i++) {
        in.topics[i].name = SL("a");
        in.topics[i].count = 4;
        in.topics[i].assignments_count = -1;
    }
    CHECK(broker_call(&f, KAPI_CREATE_PARTITIONS, 3, &in, &out, &a));
    CHECK_INT(out.results[0].error_code, KERR_INVALID_REQUEST);
    CHECK_SLICE(out.results[0].error_message, SL("Duplicate topic name."));
}

static void test_pages(void)
{
    struct describe_topic_partitions_request in;
    struct describe_topic_partitions_response out;
    describe_topic_partitions_request_init(&in);
    struct slice names[] = {SL("b"), SL("a"), SL("nosuch"), SL("bad name")};
    in.topics_count = 4;
    in.topics = describe_topic_partitions_request_topic_array(&a, 4);
    for (int i = 0; i < 4; i++)
        in.topics[i].name = names[i];
    in.response_partition_limit = 4;
    CHECK(broker_call(&f, KAPI_DESCRIBE_TOPIC_PARTITIONS, 0, &in, &out, &a));
    CHECK_INT(out.topics_count, 2); /* sorted by name: a whole, b begun */
    CHECK_SLICE(out.topics[0].name, SL("a"));
    CHECK_INT(out.topics[0].partitions_count, 3);
    CHECK_INT(out.topics[1].partitions_count, 1);
    CHECK(out.has_next_cursor);
    CHECK_SLICE(out.next_cursor.topic_name, SL("b"));
    CHECK_INT(out.next_cursor.partition_index, 1);
    in.has_cursor = true;
    in.cursor.topic_name = SL("b");
    in.cursor.partition_index = 1;
    CHECK(broker_call(&f, KAPI_DESCRIBE_TOPIC_PARTITIONS, 0, &in, &out, &a));
    CHECK(!out.has_next_cursor);
    CHECK_INT(out.topics_count, 3);
    CHECK_INT(out.topics[0].partitions_count, 2);
    CHECK_INT(out.topics[0].partitions[0].partition_index, 1);
    CHECK_INT(out.topics[1].error_code, KERR_INVALID_TOPIC_EXCEPTION);
    CHECK_INT(out.topics[2].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
}

static const struct test_case tests[] = {
    {"creating", test_create},
    {"pages of descriptions", test_pages},
    {"deleting", test_delete},
    {"adding partitions", test_partitions},
    {NULL, NULL},
};
const struct test_suite test_api_topics = {"broker/api/topics", tests, setup, teardown};
