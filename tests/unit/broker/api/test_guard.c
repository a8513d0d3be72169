/* tests/unit/broker/api/test_guard.c - a client without any right: what each API tells it. Every
 * row of the tables in api/guard.c is asked for. SPEC: broker 11.5 */
#include "broker/api/guard.h"

#include "base/base.h"
#include "base/clock.h"
#include "broker/api/api.h"
#include "broker/broker_fixture.h"
#include "broker/proto/batch.h"
#include "broker/topic.h"
#include "helpers.h"

#include <sys/socket.h>
#include <unistd.h>

static struct broker_fixture f;
static struct arena a;

static int setup(void)
{
    static const char *const options[] = {
        "authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer", NULL};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (!broker_fixture_start(&f, "guard", options))
        return 1;
    struct error e;
    const struct broker_topic_spec spec = {
        .name = SL("t"), .partitions = 1, .replication_factor = 1};
    return broker_topic_create(f.broker, &spec, &e) == E_OK ? 0 : 1;
}

static int teardown(void)
{
    broker_fixture_stop(&f);
    arena_release(&a);
    return 0;
}

/* Fills lists with one entry and texts with "t", so that each request names a resource. */
static void fill(const struct struct_desc *d, int16_t version, char *msg)
{
    for (size_t i = 0; i < d->field_count; i++) {
        const struct field_desc *x = &d->fields[i];
        if (x->from > version || x->to < version)
            continue;
        if (x->shape == SHAPE_ARRAY) {
            char *v = x->sub ? codec_new_array(x->sub, &a, 1) : arena_calloc(&a, 1, 64);
            if (x->sub)
                fill(x->sub, version, v);
            else if (x->type == FIELD_STR)
                *(struct slice *)(void *)v = SL("t");
            memcpy(msg + x->at, &v, sizeof v);
            *(int32_t *)(void *)(msg + x->aux) = 1;
        } else if (x->type == FIELD_STR || x->type == FIELD_SECRET_STR) {
            *(struct slice *)(void *)(msg + x->at) = SL("t");
        } else if (x->type == FIELD_STRUCT && x->null_from == FIELD_NEVER) {
            fill(x->sub, version, msg + x->at);
        } else if (x->type == FIELD_I8 && !strcmp(x->name, "resource_type")) {
            msg[x->at] = 2;
        } else if (x->type == FIELD_I16 && !strcmp(x->name, "acks")) {
            msg[x->at] = 1;
        }
    }
}

/* The first code that stands anywhere in an answer. */
static int16_t code_in(const struct struct_desc *d, int16_t version, const char *msg)
{
    int16_t code = 0;
    for (size_t i = 0; i < d->field_count && !code; i++) {
        const struct field_desc *x = &d->fields[i];
        if (x->from > version || x->to < version)
            continue;
        if (x->type == FIELD_I16 && strstr(x->name, "error_code") && x->shape == SHAPE_ONE &&
            strncmp(x->name, "topic_config", 12) != 0)
            memcpy(&code, msg + x->at, sizeof code);
        if (x->type != FIELD_STRUCT || x->shape != SHAPE_ARRAY)
            continue;
        int32_t n;
        const char *v;
        memcpy(&n, msg + x->aux, sizeof n);
        memcpy(&v, msg + x->at, sizeof v);
        for (int32_t k = 0; k < n && !code; k++)
            code = code_in(x->sub, version, v + (size_t)x->sub->size * (size_t)k);
    }
    return code;
}

static void test_nothing_is_allowed(void)
{
    static const struct {
        int16_t key, code;
    } expected[] = {
        {KAPI_PRODUCE, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED},
        {KAPI_FETCH, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_LIST_OFFSETS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_METADATA, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_OFFSET_COMMIT, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_OFFSET_FETCH, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_FIND_COORDINATOR, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_JOIN_GROUP, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_HEARTBEAT, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_LEAVE_GROUP, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_SYNC_GROUP, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_GROUPS, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_CREATE_TOPICS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_DELETE_TOPICS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_DELETE_RECORDS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_INIT_PRODUCER_ID, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED},
        {KAPI_OFFSET_FOR_LEADER_EPOCH, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_ADD_PARTITIONS_TO_TXN, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED},
        {KAPI_ADD_OFFSETS_TO_TXN, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED},
        {KAPI_END_TXN, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED},
        {KAPI_TXN_OFFSET_COMMIT, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_ACLS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_CREATE_ACLS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_DELETE_ACLS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_CONFIGS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_ALTER_CONFIGS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_INCREMENTAL_ALTER_CONFIGS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_LOG_DIRS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_CREATE_PARTITIONS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_DELETE_GROUPS, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_ELECT_LEADERS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_LIST_PARTITION_REASSIGNMENTS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_ALTER_PARTITION_REASSIGNMENTS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_OFFSET_DELETE, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_CLIENT_QUOTAS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_ALTER_CLIENT_QUOTAS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_USER_SCRAM_CREDENTIALS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_ALTER_USER_SCRAM_CREDENTIALS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_QUORUM, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_UPDATE_FEATURES, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_PRODUCERS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_UNREGISTER_BROKER, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_TRANSACTIONS, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED},
        {KAPI_CONSUMER_GROUP_HEARTBEAT, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_CONSUMER_GROUP_DESCRIBE, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_SHARE_GROUP_HEARTBEAT, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_SHARE_GROUP_DESCRIBE, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_SHARE_FETCH, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_SHARE_ACKNOWLEDGE, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_SHARE_GROUP_OFFSETS, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_ALTER_SHARE_GROUP_OFFSETS, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_DELETE_SHARE_GROUP_OFFSETS, KERR_GROUP_AUTHORIZATION_FAILED},
        {KAPI_DESCRIBE_TOPIC_PARTITIONS, KERR_TOPIC_AUTHORIZATION_FAILED},
        {KAPI_LIST_CONFIG_RESOURCES, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_WRITE_TXN_MARKERS, KERR_CLUSTER_AUTHORIZATION_FAILED},
        {KAPI_ALTER_REPLICA_LOG_DIRS, KERR_CLUSTER_AUTHORIZATION_FAILED},
    };
    /* What everybody may ask; lists are looked at below. */
    static const int16_t open[] = {
        KAPI_API_VERSIONS,
        KAPI_SASL_HANDSHAKE,
        KAPI_SASL_AUTHENTICATE,
        KAPI_LIST_GROUPS,
        KAPI_LIST_TRANSACTIONS,
        KAPI_DESCRIBE_CLUSTER,
        KAPI_CREATE_DELEGATION_TOKEN,
        KAPI_RENEW_DELEGATION_TOKEN,
        KAPI_EXPIRE_DELEGATION_TOKEN,
        KAPI_DESCRIBE_DELEGATION_TOKEN,
    };
    for (int16_t key = 0; key < KAPI_LIMIT; key++) {
        bool known = !api_handler(key);
        for (size_t i = 0; i < ARRAY_LEN(expected) && !known; i++)
            known = expected[i].key == key;
        for (size_t i = 0; i < ARRAY_LEN(open) && !known; i++)
            known = open[i] == key;
        if (!known)
            printf("    API key %d has no rule in guard.c\n", key);
        CHECK(known);
    }
    for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
        const struct msg_api *api = msg_api(expected[i].key);
        if (!api || !api_handler(api->key))
            continue;
        for (int16_t v = api->min; v <= api->max; v++) {
            char *in = arena_alloc(&a, api->request->body->size);
            char *out = arena_alloc(&a, api->response->body->size);
            codec_init_defaults(api->request->body, in);
            fill(api->request->body, v, in);
            /* Some old versions have no place for it; topics by an id that nobody has are unknown. */
            int16_t want = expected[i].code;
            bool silent = (api->key == KAPI_DESCRIBE_LOG_DIRS && v < 3) ||
                          (api->key == KAPI_ELECT_LEADERS && v < 1);
            if (api->key == KAPI_PRODUCE && v < 3)
                want = KERR_TOPIC_AUTHORIZATION_FAILED;
            if (api->key == KAPI_FETCH && v >= 13)
                want = KERR_UNKNOWN_TOPIC_ID;
            if (api->key == KAPI_ADD_PARTITIONS_TO_TXN && v >= 4)
                want = KERR_CLUSTER_AUTHORIZATION_FAILED;
            if (api->key == KAPI_METADATA && v >= 10 && v < 12)
                ((struct metadata_request *)(void *)in)->topics[0].topic_id = (struct uuid){0};
            bool ok = broker_call(&f, api->key, v, in, out, &a);
            int16_t got = ok ? code_in(api->response->body, v, out) : -1;
            if (got != (silent ? 0 : want))
                printf("    %s v%d: %d\n", api->name, v, got);
            CHECK_INT(got, silent ? 0 : want);
        }
    }
}

static void test_lists_are_empty(void)
{
    struct metadata_request m;
    struct metadata_response mo;
    metadata_request_init(&m);
    m.topics_count = -1;
    CHECK(broker_call(&f, KAPI_METADATA, 9, &m, &mo, &a));
    CHECK_INT(mo.topics_count, 0);
    CHECK_INT(mo.brokers_count, 1);
    m.topics_count = 0;
    CHECK(broker_call(&f, KAPI_METADATA, 0, &m, &mo, &a));
    CHECK_INT(mo.topics_count, 0);
    struct describe_topic_partitions_request d;
    struct describe_topic_partitions_response o;
    describe_topic_partitions_request_init(&d);
    CHECK(broker_call(&f, KAPI_DESCRIBE_TOPIC_PARTITIONS, 0, &d, &o, &a));
    CHECK_INT(o.topics_count, 0);
    struct describe_cluster_request c;
    struct describe_cluster_response co;
    describe_cluster_request_init(&c);
    c.include_cluster_authorized_operations = true;
    CHECK(broker_call(&f, KAPI_DESCRIBE_CLUSTER, 0, &c, &co, &a));
    CHECK_INT(co.cluster_authorized_operations, 0);
}

/* Some of what was asked for is allowed: the rest stands beside it with its error. */
static void test_some_is_allowed(void)
{
    struct error e;
    const struct acl rights[] = {{.type = ACL_TOPIC,
                                  .pattern = ACL_LITERAL,
                                  .op = ACL_DESCRIBE,
                                  .permission = ACL_ALLOW,
                                  .name = SL("t"),
                                  .principal = SL("User:ANONYMOUS"),
                                  .host = SL("127.0.0.1")}};
    CHECK_OK(acl_store_add(f.broker->security.acls, rights, 1, &e));
    struct metadata_request m;
    struct metadata_response o;
    metadata_request_init(&m);
    m.include_topic_authorized_operations = true;
    m.topics_count = 3;
    m.topics = metadata_request_topic_array(&a, 3);
    m.topics[0].name = SL("hidden");
    m.topics[1].name = SL("t");
    m.topics[2].name = SL("absent");
    CHECK(broker_call(&f, KAPI_METADATA, 9, &m, &o, &a));
    CHECK_INT(o.topics_count, 3);
    CHECK_SLICE(o.topics[0].name, SL("t"));
    CHECK_INT(o.topics[0].error_code, 0);
    CHECK_INT(o.topics[0].partitions_count, 1);
    CHECK_INT(o.topics[0].topic_authorized_operations, 1 << ACL_DESCRIBE);
    CHECK_SLICE(o.topics[1].name, SL("hidden"));
    CHECK_INT(o.topics[1].error_code, KERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK_SLICE(o.topics[2].name, SL("absent"));
    CHECK_INT(o.topics[2].error_code, KERR_TOPIC_AUTHORIZATION_FAILED);
    struct list_offsets_request l;
    struct list_offsets_response lo;
    list_offsets_request_init(&l);
    l.topics_count = 2;
    l.topics = list_offsets_request_topic_array(&a, 2);
    for (int i = 0; i < 2; i++) {
        l.topics[i].name = i ? SL("t") : SL("hidden");
        l.topics[i].partitions_count = 1;
        l.topics[i].partitions = list_offsets_request_partition_array(&a, 1);
        l.topics[i].partitions[0].partition_index = i ? 0 : 7;
        l.topics[i].partitions[0].timestamp = -1;
    }
    CHECK(broker_call(&f, KAPI_LIST_OFFSETS, 5, &l, &lo, &a));
    CHECK_INT(lo.topics_count, 2);
    CHECK_SLICE(lo.topics[0].name, SL("t"));
    CHECK_INT(lo.topics[0].partitions[0].error_code, 0);
    CHECK_INT(lo.topics[0].partitions[0].offset, 0);
    CHECK_SLICE(lo.topics[1].name, SL("hidden"));
    CHECK_INT(lo.topics[1].partitions[0].partition_index, 7);
    CHECK_INT(lo.topics[1].partitions[0].error_code, KERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK_INT(lo.topics[1].partitions[0].offset, -1);
    CHECK_OK(acl_store_remove(f.broker->security.acls, rights, 1, &e));
}

/* A producer with acks=0 hears of a refusal by the end of its connection, and of nothing else. */
static void check_closed(int16_t version, struct slice transactional_id)
{
    struct produce_request in;
    char byte;
    produce_request_init(&in);
    in.transactional_id = transactional_id;
    in.topic_data_count = 1;
    in.topic_data = produce_request_topic_array(&a, 1);
    in.topic_data[0].name = SL("t");
    in.topic_data[0].partition_data_count = 1;
    in.topic_data[0].partition_data = produce_request_partition_array(&a, 1);
    int s = broker_connect(&f);
    CHECK(broker_send(&f, s, KAPI_PRODUCE, version, &in));
    CHECK_INT(recv(s, &byte, 1, 0), 0);
    close(s);
}

static void test_acks_0(void)
{
    check_closed(9, SLICE_NULL);
    check_closed(9, SL("x"));
    check_closed(0, SLICE_NULL);
}

/* What is allowed of it is written nevertheless. */
static void test_acks_0_in_part(void)
{
    struct error e;
    const struct acl rights[] = {{.type = ACL_TOPIC,
                                  .pattern = ACL_LITERAL,
                                  .op = ACL_WRITE,
                                  .permission = ACL_ALLOW,
                                  .name = SL("t"),
                                  .principal = SL("User:ANONYMOUS"),
                                  .host = SL("127.0.0.1")}};
    struct batch_builder b;
    struct slice batch;
    struct produce_request in;
    char byte;
    CHECK_OK(acl_store_add(f.broker->security.acls, rights, 1, &e));
    batch_builder_init(&b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    CHECK_OK(batch_builder_add(&b, clock_wall_ms(), SL("k"), SL("v"), NULL));
    CHECK_OK(batch_builder_finish(&b, &batch));
    produce_request_init(&in);
    in.topic_data_count = 2;
    in.topic_data = produce_request_topic_array(&a, 2);
    for (int i = 0; i < 2; i++) {
        in.topic_data[i].name = i ? SL("t") : SL("hidden");
        in.topic_data[i].partition_data_count = 1;
        in.topic_data[i].partition_data = produce_request_partition_array(&a, 1);
        in.topic_data[i].partition_data[0].records = batch;
    }
    int s = broker_connect(&f);
    CHECK(broker_send(&f, s, KAPI_PRODUCE, 9, &in));
    CHECK_INT(recv(s, &byte, 1, 0), 0);
    close(s);
    batch_builder_release(&b);
    struct topic *t = topics_get(f.broker->topics, SL("t"));
    struct partition *p = topic_partition(t, 0);
    struct partition_offsets o;
    CHECK_INT(partition_offsets(p, &o), KERR_NONE);
    CHECK_INT(o.end, 1);
    partition_unref(p);
    topic_unref(t);
    CHECK_OK(acl_store_remove(f.broker->security.acls, rights, 1, &e));
}

/* --- groups of the new protocol --------------------------------------------------------------- */

static struct acl allow(enum acl_type type, enum acl_pattern pattern, enum acl_op op,
                        struct slice name)
{
    return (struct acl){.type = type,
                        .pattern = pattern,
                        .op = op,
                        .permission = ACL_ALLOW,
                        .name = name,
                        .principal = SL("User:ANONYMOUS"),
                        .host = SL("*")};
}

static struct consumer_group_heartbeat_response beat(const char *regex, int32_t epoch)
{
    struct consumer_group_heartbeat_request in;
    struct consumer_group_heartbeat_response out;
    consumer_group_heartbeat_request_init(&in);
    in.group_id = SL("patterns");
    in.member_id = SL("m");
    in.member_epoch = epoch;
    in.rebalance_timeout_ms = 60000;
    in.subscribed_topic_names_count = -1;
    in.topic_partitions_count = epoch < 0 ? -1 : 0;
    in.subscribed_topic_regex = slice_cstr(regex);
    CHECK(broker_call(&f, KAPI_CONSUMER_GROUP_HEARTBEAT, 1, &in, &out, &a));
    return out;
}

static struct consumer_group_describe_response_group describe(void)
{
    struct consumer_group_describe_request in;
    struct consumer_group_describe_response out;
    struct slice id = SL("patterns");
    consumer_group_describe_request_init(&in);
    in.group_ids = &id;
    in.group_ids_count = 1;
    CHECK(broker_call(&f, KAPI_CONSUMER_GROUP_DESCRIBE, 0, &in, &out, &a));
    CHECK_INT(out.groups_count, 1);
    return out.groups[0];
}

static void make_topic(struct slice name)
{
    struct error e;
    const struct broker_topic_spec spec = {.name = name, .partitions = 1, .replication_factor = 1};
    CHECK_OK(broker_topic_create(f.broker, &spec, &e));
}

/* A pattern finds no topic that the client may not see, be it there already or made later. */
static void test_patterns_find_what_may_be_seen(void)
{
    struct error e;
    const struct acl group[] = {allow(ACL_GROUP, ACL_LITERAL, ACL_READ, SL("patterns"))};
    const struct acl mine[] = {allow(ACL_TOPIC, ACL_PREFIXED, ACL_DESCRIBE, SL("mine"))};
    make_topic(SL("mine-1"));
    CHECK_OK(acl_store_add(f.broker->security.acls, group, 1, &e));
    CHECK_INT(beat(".*", 0).error_code, KERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK_INT(beat("t", 0).error_code, KERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK_INT(beat("mine.*", 0).error_code, KERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK_OK(acl_store_add(f.broker->security.acls, mine, 1, &e));
    CHECK_INT(beat("foo(", 0).error_code, KERR_INVALID_REGULAR_EXPRESSION);
    CHECK_INT(beat(".*", 0).error_code, KERR_TOPIC_AUTHORIZATION_FAILED);
    struct consumer_group_heartbeat_response out = beat("mine.*|later", 0);
    CHECK_INT(out.error_code, KERR_NONE);
    CHECK_INT(out.assignment.topic_partitions_count, 1);
    CHECK_INT(describe().members_count, 1);
    make_topic(SL("later"));
    out = beat(NULL, out.member_epoch);
    CHECK_INT(out.error_code, KERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK(!out.has_assignment);
    struct consumer_group_describe_response_group g = describe();
    CHECK_INT(g.error_code, KERR_TOPIC_AUTHORIZATION_FAILED);
    CHECK_INT(g.members_count, 0);
    CHECK_INT(beat(NULL, -1).error_code, KERR_NONE);
    CHECK_OK(acl_store_remove(f.broker->security.acls, group, 1, &e));
    CHECK_OK(acl_store_remove(f.broker->security.acls, mine, 1, &e));
}

static const struct test_case tests[] = {
    {"patterns find what may be seen", test_patterns_find_what_may_be_seen},
    {"nothing is allowed", test_nothing_is_allowed},
    {"lists are empty", test_lists_are_empty},
    {"some is allowed", test_some_is_allowed},
    {"acks=0", test_acks_0},
    {"acks=0, some is allowed", test_acks_0_in_part},
    {NULL, NULL},
};
const struct test_suite test_guard = {"broker/api/guard", tests, setup, teardown};
