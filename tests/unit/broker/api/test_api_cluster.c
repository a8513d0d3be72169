/* tests/unit/broker/api/test_api_cluster.c - quorum, features, leaders and replicas of one node, by
 * the wire. Texts that Java's tools print are in the live tests. SPEC: broker 2.6 */
#include "broker/api/api.h"

#include "base/base.h"
#include "broker/admin.h"
#include "broker/broker_fixture.h"
#include "helpers.h"

static struct broker_fixture f;

static int setup(void)
{
    struct error e;
    const struct broker_topic_spec spec = {
        .name = SL("t"), .partitions = 2, .replication_factor = 1};
    return broker_fixture_start(&f, "api-cluster", NULL) &&
                   broker_topic_create(f.broker, &spec, &e) == E_OK
               ? 0
               : 1;
}

static int teardown(void)
{
    broker_fixture_stop(&f);
    return 0;
}

static void test_quorum(void)
{
    struct arena a;
    struct describe_quorum_request in;
    struct describe_quorum_response out;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    describe_quorum_request_init(&in);
    CHECK(broker_call(&f, KAPI_DESCRIBE_QUORUM, 2, &in, &out, &a));
    CHECK_INT(out.error_code, KERR_INVALID_REQUEST);
    in.topics_count = 1;
    in.topics = describe_quorum_request_topic_array(&a, 1);
    in.topics[0].topic_name = SL("__cluster_metadata");
    in.topics[0].partitions_count = 1;
    in.topics[0].partitions = describe_quorum_request_partition_array(&a, 1);
    for (int16_t v = 0; v <= 2; v++) {
        CHECK(broker_call(&f, KAPI_DESCRIBE_QUORUM, v, &in, &out, &a));
        CHECK_INT(out.topics[0].partitions[0].leader_id, 1);
        CHECK_INT(out.topics[0].partitions[0].current_voters[0].replica_id, 1);
        CHECK(out.topics[0].partitions[0].high_watermark > 0);
    }
    CHECK_SLICE(out.nodes[0].listeners[0].name, SL("CONTROLLER"));
    CHECK_SLICE(out.nodes[0].listeners[0].host, SL("localhost"));
    CHECK_INT(out.nodes[0].listeners[0].port, 9093);
    in.topics[0].partitions[0].partition_index = 1;
    CHECK(broker_call(&f, KAPI_DESCRIBE_QUORUM, 2, &in, &out, &a));
    CHECK_INT(out.topics[0].partitions[0].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    arena_release(&a);
}

static int16_t moved(struct slice topic, int32_t partition, int32_t count, int32_t a0, int32_t a1)
{
    struct arena a;
    struct alter_partition_reassignments_request in;
    struct alter_partition_reassignments_response out;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    alter_partition_reassignments_request_init(&in);
    in.topics_count = 1;
    in.topics = alter_partition_reassignments_request_topic_array(&a, 1);
    in.topics[0].name = topic;
    in.topics[0].partitions_count = 1;
    in.topics[0].partitions = alter_partition_reassignments_request_partition_array(&a, 1);
    in.topics[0].partitions[0].partition_index = partition;
    in.topics[0].partitions[0].replicas = (int32_t[]){a0, a1};
    in.topics[0].partitions[0].replicas_count = count;
    bool ok = broker_call(&f, KAPI_ALTER_PARTITION_REASSIGNMENTS, 1, &in, &out, &a);
    int16_t code = ok ? out.responses[0].partitions[0].error_code : -99;
    arena_release(&a);
    return code;
}

static void test_reassignments(void)
{
    CHECK_INT(moved(SL("t"), 0, 1, 1, 0), KERR_NONE);
    CHECK_INT(moved(SL("t"), 0, 1, 2, 0), KERR_INVALID_REPLICA_ASSIGNMENT);
    CHECK_INT(moved(SL("t"), 0, 2, 1, 1), KERR_INVALID_REPLICA_ASSIGNMENT);
    CHECK_INT(moved(SL("t"), 0, 0, 0, 0), KERR_INVALID_REPLICA_ASSIGNMENT);
    CHECK_INT(moved(SL("t"), 0, -1, 0, 0), KERR_NO_REASSIGNMENT_IN_PROGRESS);
    CHECK_INT(moved(SL("t"), 2, 1, 1, 0), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(moved(SL("nosuch"), 0, 1, 1, 0), KERR_UNKNOWN_TOPIC_OR_PARTITION);
}

static void test_log_dirs(void)
{
    struct arena a;
    struct describe_log_dirs_request ask;
    struct describe_log_dirs_response dirs;
    struct alter_replica_log_dirs_request in;
    struct alter_replica_log_dirs_response out;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    describe_log_dirs_request_init(&ask);
    ask.topics_count = -1;
    CHECK(broker_call(&f, KAPI_DESCRIBE_LOG_DIRS, 4, &ask, &dirs, &a));
    alter_replica_log_dirs_request_init(&in);
    in.dirs_count = 2;
    in.dirs = alter_replica_log_dirs_request_dir_array(&a, 2);
    int32_t partitions[] = {0, 9};
    for (int i = 0; i < 2; i++) {
        in.dirs[i].path = i ? SL("/nosuch") : dirs.results[0].log_dir;
        in.dirs[i].topics_count = 1;
        in.dirs[i].topics = alter_replica_log_dirs_request_topic_array(&a, 1);
        in.dirs[i].topics[0].name = SL("t");
        in.dirs[i].topics[0].partitions_count = 2;
        in.dirs[i].topics[0].partitions = partitions;
    }
    CHECK(broker_call(&f, KAPI_ALTER_REPLICA_LOG_DIRS, 2, &in, &out, &a));
    CHECK_INT(out.results_count, 2);
    CHECK_INT(out.results[0].partitions[0].error_code, KERR_NONE);
    CHECK_INT(out.results[0].partitions[1].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_INT(out.results[1].partitions[0].error_code, KERR_LOG_DIR_NOT_FOUND);
    arena_release(&a);
}

static void test_features(void)
{
    struct arena a;
    struct update_features_request in;
    struct update_features_response out;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    update_features_request_init(&in);
    in.feature_updates_count = 1;
    in.feature_updates = update_features_request_feature_array(&a, 1);
    in.feature_updates[0].feature = SL("metadata.version");
    in.feature_updates[0].max_version_level = 27;
    for (int16_t v = 0; v <= 2; v++) {
        CHECK(broker_call(&f, KAPI_UPDATE_FEATURES, v, &in, &out, &a));
        CHECK_INT(out.error_code, KERR_NONE);
        CHECK_INT(out.results_count, v < 2);
    }
    in.feature_updates[0].max_version_level = 28;
    CHECK(broker_call(&f, KAPI_UPDATE_FEATURES, 2, &in, &out, &a));
    CHECK_INT(out.error_code, KERR_INVALID_UPDATE_VERSION);
    in.feature_updates[0].max_version_level = 26;
    CHECK(broker_call(&f, KAPI_UPDATE_FEATURES, 2, &in, &out, &a));
    CHECK_INT(out.error_code, KERR_INVALID_UPDATE_VERSION);
    arena_release(&a);
}

static void test_unregister(void)
{
    struct arena a;
    struct unregister_broker_request in;
    struct unregister_broker_response out;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    unregister_broker_request_init(&in);
    in.broker_id = 7;
    CHECK(broker_call(&f, KAPI_UNREGISTER_BROKER, 0, &in, &out, &a));
    CHECK_INT(out.error_code, KERR_BROKER_ID_NOT_REGISTERED);
    in.broker_id = 1;
    CHECK(broker_call(&f, KAPI_UNREGISTER_BROKER, 0, &in, &out, &a));
    CHECK_INT(out.error_code, KERR_INVALID_REQUEST);
    arena_release(&a);
}

static void test_config_resources(void)
{
    struct arena a;
    struct list_config_resources_request in;
    struct list_config_resources_response out;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    list_config_resources_request_init(&in);
    CHECK(broker_call(&f, KAPI_LIST_CONFIG_RESOURCES, 0, &in, &out, &a));
    CHECK_INT(out.config_resources_count, 0); /* version 0 asks for client metrics alone */
    CHECK(broker_call(&f, KAPI_LIST_CONFIG_RESOURCES, 1, &in, &out, &a));
    CHECK_INT(out.config_resources_count, 3); /* the topic, the broker, its loggers */
    in.resource_types = (int8_t[]){2, 3};
    in.resource_types_count = 1;
    CHECK(broker_call(&f, KAPI_LIST_CONFIG_RESOURCES, 1, &in, &out, &a));
    CHECK_INT(out.config_resources_count, 1);
    CHECK_SLICE(out.config_resources[0].resource_name, SL("t"));
    in.resource_types_count = 2;
    CHECK(broker_call(&f, KAPI_LIST_CONFIG_RESOURCES, 1, &in, &out, &a));
    CHECK_INT(out.error_code, KERR_UNSUPPORTED_VERSION);
    arena_release(&a);
}

static const struct test_case tests[] = {
    {"the quorum", test_quorum},
    {"reassignments", test_reassignments},
    {"log directories", test_log_dirs},
    {"features", test_features},
    {"unregistering", test_unregister},
    {"configured resources", test_config_resources},
    {NULL, NULL},
};
const struct test_suite test_api_cluster = {"broker/api/cluster", tests, setup, teardown};
