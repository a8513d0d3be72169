/* tests/unit/broker/api/test_api_answers.c - texts, codes and null or empty in answers, as Apache Kafka
 * 4.1 was seen to give them when it was asked the same. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/clock.h"
#include "broker/admin.h"
#include "broker/broker_fixture.h"
#include "broker/group/coord.h"
#include "broker/proto/batch.h"
#include "broker/security/quota.h"
#include "helpers.h"

static struct broker_fixture f;
static struct arena a;

static int setup(void)
{
    struct error e;
    const struct broker_topic_spec spec = {
        .name = SL("t"), .partitions = 1, .replication_factor = 1};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    return !broker_fixture_start(&f, "api-answers", NULL) ||
           broker_topic_create(f.broker, &spec, &e) != E_OK;
}

static int teardown(void)
{
    broker_fixture_stop(&f);
    arena_release(&a);
    return 0;
}

static void call(int16_t key, int16_t v, const void *in, void *out)
{
    CHECK(broker_call(&f, key, v, in, out, &a));
}

static void test_find_coordinator(void)
{
    struct find_coordinator_request in;
    struct find_coordinator_response out;
    struct slice key = SL("g");
    for (int16_t v = 1; v <= 4; v++) {
        for (int8_t type = 0; type <= 3; type++) {
            find_coordinator_request_init(&in);
            in.key = key;
            in.key_type = type;
            in.coordinator_keys = &key;
            in.coordinator_keys_count = 1;
            call(KAPI_FIND_COORDINATOR, v, &in, &out);
            bool known = type < 2;
            int16_t code = v < 4 ? out.error_code : out.coordinators[0].error_code;
            struct slice text = v < 4 ? out.error_message : out.coordinators[0].error_message;
            CHECK_INT(code, known ? KERR_NONE : KERR_INVALID_REQUEST);
            CHECK_SLICE(text, v < 4 && known        ? SL("NONE")
                              : v >= 4 && type <= 2 ? SL("")
                                                    : slice_cstr(kerr_message(code)));
        }
    }
}

static void test_delete_topics(void)
{
    struct delete_topics_request in;
    struct delete_topics_response out;
    delete_topics_request_init(&in);
    in.topics_count = 2;
    in.topics = delete_topics_request_topic_array(&a, 2);
    in.topics[0].name = SL("nope");
    in.topics[1].topic_id.b[0] = 9;
    call(KAPI_DELETE_TOPICS, 6, &in, &out);
    CHECK_INT(out.responses[0].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_SLICE(out.responses[0].error_message,
                SL("This server does not host this topic-partition."));
    CHECK_INT(out.responses[1].error_code, KERR_UNKNOWN_TOPIC_ID);
    CHECK_SLICE(out.responses[1].error_message, SL("This server does not host this topic ID."));
}

static void test_create_topics_names_the_factor_first(void)
{
    struct create_topics_request in;
    struct create_topics_response out;
    int32_t broker = 1;
    create_topics_request_init(&in);
    in.topics_count = 1;
    in.topics = create_topics_request_topic_array(&a, 1);
    in.topics[0].name = SL("both");
    in.topics[0].num_partitions = 1;
    in.topics[0].replication_factor = 1;
    in.topics[0].assignments_count = 1;
    in.topics[0].assignments = create_topics_request_assignment_array(&a, 1);
    in.topics[0].assignments[0].broker_ids = &broker;
    in.topics[0].assignments[0].broker_ids_count = 1;
    call(KAPI_CREATE_TOPICS, 7, &in, &out);
    CHECK_INT(out.topics[0].error_code, KERR_INVALID_REQUEST);
    CHECK_SLICE(out.topics[0].error_message,
                SL("A manual partition assignment was specified, but replication factor was not "
                   "set to -1."));
}

static void test_describe_configs(void)
{
    struct describe_configs_request in;
    struct describe_configs_response out;
    describe_configs_request_init(&in);
    in.resources_count = 2;
    in.resources = describe_configs_request_resource_array(&a, 2);
    in.resources[0].resource_type = 2;
    in.resources[0].resource_name = SL("t");
    in.resources[0].configuration_keys_count = -1;
    in.resources[1].resource_type = 77;
    in.resources[1].resource_name = SL("x");
    call(KAPI_DESCRIBE_CONFIGS, 4, &in, &out);
    CHECK_SLICE(out.results[0].error_message, SL(""));
    CHECK_INT(out.results[1].error_code, KERR_INVALID_REQUEST);
    CHECK_SLICE(out.results[1].error_message, slice_cstr(kerr_message(KERR_INVALID_REQUEST)));
}

static void test_groups(void)
{
    struct sync_group_request sync;
    struct sync_group_response synced;
    sync_group_request_init(&sync);
    sync.group_id = SL("nobody");
    sync.member_id = SL("m");
    call(KAPI_SYNC_GROUP, 5, &sync, &synced); /* without protocol type and name */
    CHECK_INT(synced.error_code, KERR_INCONSISTENT_GROUP_PROTOCOL);
    call(KAPI_SYNC_GROUP, 4, &sync, &synced); /* which were not asked for then */
    CHECK_INT(synced.error_code, KERR_UNKNOWN_MEMBER_ID);

    struct offset_delete_request del;
    struct offset_delete_response deleted;
    offset_delete_request_init(&del);
    del.group_id = SL("");
    call(KAPI_OFFSET_DELETE, 0, &del, &deleted);
    CHECK_INT(deleted.error_code, KERR_INVALID_GROUP_ID);

    struct describe_groups_request desc;
    struct describe_groups_response described;
    struct slice id = SL("nobody");
    describe_groups_request_init(&desc);
    desc.groups = &id;
    desc.groups_count = 1;
    desc.include_authorized_operations = true;
    call(KAPI_DESCRIBE_GROUPS, 6, &desc, &described);
    CHECK_INT(described.groups[0].error_code, KERR_GROUP_ID_NOT_FOUND);
    CHECK_INT(described.groups[0].authorized_operations, INT32_MIN);
    call(KAPI_DESCRIBE_GROUPS, 5, &desc, &described); /* a dead group was no error then */
    CHECK_INT(described.groups[0].error_code, KERR_NONE);
    CHECK(described.groups[0].authorized_operations > 0);
}

static void test_init_producer_id(void)
{
    struct init_producer_id_request in;
    struct init_producer_id_response out;
    init_producer_id_request_init(&in);
    in.transactional_id = SLICE_NULL;
    in.producer_id = 5;
    in.producer_epoch = -1;
    call(KAPI_INIT_PRODUCER_ID, 4, &in, &out); /* both or none */
    CHECK_INT(out.error_code, KERR_INVALID_REQUEST);
    CHECK_INT(out.producer_id, -1);
    CHECK_INT(out.producer_epoch, -1);
}

/* A transactional batch of a producer, in version 9: the coordinator is asked. */
static struct produce_response_partition produce_txn(struct slice id, int64_t producer_id)
{
    struct batch_builder b;
    struct slice batch;
    struct produce_request in;
    struct produce_response out;
    batch_builder_init(&b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    CHECK_OK(batch_builder_add(&b, clock_wall_ms(), SL("k"), SL("v"), NULL));
    batch_builder_producer(&b, producer_id, 0, 0, true);
    CHECK_OK(batch_builder_finish(&b, &batch));
    produce_request_init(&in);
    in.transactional_id = id;
    in.acks = -1;
    in.topic_data_count = 1;
    in.topic_data = produce_request_topic_array(&a, 1);
    in.topic_data[0].name = SL("t");
    in.topic_data[0].partition_data_count = 1;
    in.topic_data[0].partition_data = produce_request_partition_array(&a, 1);
    in.topic_data[0].partition_data[0].records = batch;
    call(KAPI_PRODUCE, 9, &in, &out);
    batch_builder_release(&b);
    CU_ASSERT_FATAL(out.responses_count == 1 && out.responses[0].partition_responses_count == 1);
    return out.responses[0].partition_responses[0];
}

static void test_produce_in_transactions(void)
{
    struct init_producer_id_request in;
    struct init_producer_id_response out;
    init_producer_id_request_init(&in);
    in.transactional_id = SL("x");
    in.transaction_timeout_ms = 60000;
    call(KAPI_INIT_PRODUCER_ID, 4, &in, &out);
    CHECK_INT(out.error_code, KERR_NONE);
    struct produce_response_partition p = produce_txn(SL("x"), out.producer_id);
    CHECK_INT(p.error_code, KERR_INVALID_TXN_STATE);
    CHECK_SLICE(p.error_message, SL("Partition was not added to the transaction"));
    /* without a name nobody may, whatever else is wrong */
    CHECK_INT(produce_txn(SLICE_NULL, out.producer_id).error_code,
              KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    CHECK_INT(produce_txn(SLICE_NULL, -1).error_code, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
}

/* Entries of one request are one change; a bad one keeps its error to itself. */
static void test_alter_quotas(void)
{
    struct alter_client_quotas_request in;
    struct alter_client_quotas_response out;
    struct alter_client_quotas_request_entity *who;
    alter_client_quotas_request_init(&in);
    in.entries_count = 1001;
    in.entries = alter_client_quotas_request_entry_array(&a, in.entries_count);
    for (int i = 0; i < in.entries_count; i++) {
        who = alter_client_quotas_request_entity_array(&a, 1);
        who->entity_type = i == 1 ? SL("nobody") : SL("user");
        who->entity_name = slice_cstr(arena_printf(&a, "u%d", i));
        in.entries[i].entity_count = 1;
        in.entries[i].entity = who;
        in.entries[i].ops_count = 1;
        in.entries[i].ops = alter_client_quotas_request_op_array(&a, 1);
        in.entries[i].ops[0].key = SL("producer_byte_rate");
        in.entries[i].ops[0].value = 1e9;
    }
    CHECK(!broker_call(&f, KAPI_ALTER_CLIENT_QUOTAS, 1, &in, &out, &a)); /* too many */
    in.entries_count = 3;
    for (int remove = 0; remove <= 1; remove++) {
        size_t n;
        for (int i = 0; i < 3; i++)
            in.entries[i].ops[0].remove = remove;
        call(KAPI_ALTER_CLIENT_QUOTAS, 1, &in, &out);
        CHECK_INT(out.entries_count, 3);
        for (int i = 0; i < 3; i++) {
            CHECK_INT(out.entries[i].error_code, i == 1 ? KERR_INVALID_REQUEST : KERR_NONE);
            CHECK_SLICE(out.entries[i].entity[0].entity_name, in.entries[i].entity[0].entity_name);
        }
        (void)quotas_list(f.broker->quotas, &a, &n);
        CHECK_INT(n, remove ? 0 : 2);
    }
}

static void test_fetch_of_nothing(void)
{
    struct fetch_request in;
    struct fetch_response out;
    fetch_request_init(&in);
    in.max_bytes = 1 << 20;
    in.session_epoch = -1;
    in.topics_count = 1;
    in.topics = fetch_request_topic_array(&a, 1);
    in.topics[0].topic = SL("t");
    in.topics[0].partitions_count = 1;
    in.topics[0].partitions = fetch_request_partition_array(&a, 1);
    in.topics[0].partitions[0].partition = 7;
    call(KAPI_FETCH, 12, &in, &out);
    CHECK_INT(out.responses[0].partitions[0].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(out.responses[0].partitions[0].aborted_transactions_count, 0); /* not null */
}

static const struct test_case tests[] = {
    {"FindCoordinator", test_find_coordinator},
    {"DeleteTopics", test_delete_topics},
    {"CreateTopics names the factor first", test_create_topics_names_the_factor_first},
    {"DescribeConfigs", test_describe_configs},
    {"groups", test_groups},
    {"InitProducerId", test_init_producer_id},
    {"Produce in transactions", test_produce_in_transactions},
    {"AlterClientQuotas", test_alter_quotas},
    {"Fetch of nothing", test_fetch_of_nothing},
    {NULL, NULL},
};
const struct test_suite test_api_answers = {"broker/api/answers", tests, setup, teardown};
