/* tests/unit/broker/test_brokers.c - three brokers on one log, as clients of each see them. */
#include "broker/brokers.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "broker/admin.h"
#include "broker/broker_fixture.h"
#include "broker/broker_state.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "helpers.h"

static struct broker_fixture f;
static struct arena a;

static const char *const options[] = {"lab.brokers", "3", "group.initial.rebalance.delay.ms", "0",
                                      NULL};

static bool start(const char *name)
{
    arena_init(&a, 0, ARENA_NO_BUDGET);
    return broker_fixture_start(&f, name, options);
}

static void stop(void)
{
    broker_fixture_stop(&f);
    arena_release(&a);
}

/* From now on calls go to this broker. False: it does not listen. */
static bool ask(int32_t id)
{
    size_t n;
    const struct broker_listener_info *l = broker_listeners(f.broker, &n);
    if (f.sock >= 0)
        close(f.sock);
    f.sock = -1;
    for (size_t i = 0; i < n; i++) {
        if (l[i].node_id != id)
            continue;
        struct sockaddr_in to = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)l[i].port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct timeval limit = {.tv_sec = 10};
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (connect(s, (struct sockaddr *)&to, sizeof to) == 0) {
            f.sock = s;
            return true;
        }
        close(s);
    }
    return false;
}

/* A topic with replicas 1,2,3 and leader `leader` first. */
static void make_topic(const char *name, const int32_t *ids, int32_t count)
{
    struct error e;
    const struct broker_topic_spec spec = {.name = slice_cstr(name),
                                           .partitions = 1,
                                           .replication_factor = -1,
                                           .assignments = &ids,
                                           .assignment_counts = &count};
    CHECK_OK(broker_topic_create(f.broker, &spec, &e));
}

static struct metadata_response metadata(void)
{
    struct metadata_request in;
    struct metadata_response out;
    metadata_request_init(&in);
    in.topics_count = -1;
    CHECK(broker_call(&f, KAPI_METADATA, 12, &in, &out, &a));
    return out;
}

static struct produce_response_partition produce(const char *topic, int16_t acks,
                                                 struct produce_response *out)
{
    struct batch_builder w;
    struct slice batch;
    batch_builder_init(&w, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    CHECK_OK(batch_builder_add(&w, 1, SLICE_NULL, SL("v"), NULL));
    CHECK_OK(batch_builder_finish(&w, &batch));
    struct produce_request_partition p = {.records = batch};
    struct produce_request_topic t = {
        .name = slice_cstr(topic), .partition_data = &p, .partition_data_count = 1};
    struct produce_request in;
    produce_request_init(&in);
    in.acks = acks;
    in.timeout_ms = 1000;
    in.topic_data = &t;
    in.topic_data_count = 1;
    CHECK(broker_call(&f, KAPI_PRODUCE, 10, &in, out, &a));
    batch_builder_release(&w);
    return out->responses[0].partition_responses[0];
}

static struct fetch_response_partition fetch(const char *topic, int16_t version,
                                             struct fetch_response *out)
{
    struct fetch_request_partition p;
    struct fetch_request_topic t = {
        .topic = slice_cstr(topic), .partitions = &p, .partitions_count = 1};
    struct fetch_request in;
    fetch_request_partition_init(&p);
    p.partition_max_bytes = 1 << 20;
    fetch_request_init(&in);
    in.max_bytes = 1 << 20;
    in.topics = &t;
    in.topics_count = 1;
    CHECK(broker_call(&f, KAPI_FETCH, version, &in, out, &a));
    return out->responses[0].partitions[0];
}

static void test_metadata(void)
{
    static const int32_t ids[] = {2, 3};
    struct error e;
    CHECK(start("lab-metadata"));
    make_topic("t", ids, 2);
    for (int32_t id = 1; id <= 3; id++) {
        CHECK(ask(id));
        struct metadata_response m = metadata();
        CHECK_INT(m.brokers_count, 3);
        CHECK_INT(m.brokers[2].node_id, 3);
        CHECK(m.brokers[0].port != m.brokers[1].port);
        CHECK_INT(m.controller_id, 1);
        CHECK_INT(m.topics[0].partitions[0].leader_id, 2);
        CHECK_INT(m.topics[0].partitions[0].replica_nodes_count, 2);
    }
    CHECK_OK(broker_node_stop(f.broker, 2, &e));
    CHECK_ERR(broker_node_stop(f.broker, 2, &e), E_CONFLICT);
    CHECK_ERR(broker_node_stop(f.broker, 4, &e), E_NOT_FOUND);
    CHECK(!ask(2)); /* refused, as by a machine whose Kafka is down */
    CHECK(ask(1));
    struct metadata_response m = metadata();
    const struct metadata_response_partition *p = &m.topics[0].partitions[0];
    CHECK_INT(m.brokers_count, 2);
    CHECK_INT(p->leader_id, 3);
    CHECK_INT(p->leader_epoch, 1);
    CHECK_INT(p->isr_nodes_count, 1);
    CHECK_INT(p->offline_replicas_count, 1);
    CHECK_INT(p->offline_replicas[0], 2);
    CHECK_OK(broker_node_stop(f.broker, 3, &e));
    m = metadata();
    CHECK_INT(m.topics[0].partitions[0].leader_id, -1);
    CHECK_INT(m.topics[0].partitions[0].error_code, KERR_LEADER_NOT_AVAILABLE);
    CHECK_OK(broker_node_start(f.broker, 3, &e));
    CHECK_OK(broker_node_start(f.broker, 2, &e));
    CHECK(ask(2));
    m = metadata();
    CHECK_INT(m.topics[0].partitions[0].leader_id, 3);
    CHECK_INT(m.topics[0].partitions[0].leader_epoch, 3);
    CHECK_OK(broker_elect_preferred(f.broker, &e));
    m = metadata();
    CHECK_INT(m.topics[0].partitions[0].leader_id, 2);
    stop();
    CHECK(start("lab-metadata")); /* placements and epochs are kept */
    CHECK(ask(1));
    m = metadata();
    CHECK_INT(m.topics[0].partitions[0].leader_id, 2);
    CHECK_INT(m.topics[0].partitions[0].leader_epoch, 4);
    CHECK_INT(m.topics[0].partitions[0].replica_nodes[1], 3);
    stop();
}

static void test_wrong_broker(void)
{
    static const int32_t ids[] = {2, 3};
    struct produce_response pr;
    struct fetch_response fr;
    CHECK(start("lab-wrong"));
    make_topic("t", ids, 2);
    CHECK(ask(1));
    struct produce_response_partition p = produce("t", -1, &pr);
    CHECK_INT(p.error_code, KERR_NOT_LEADER_OR_FOLLOWER);
    CHECK_INT(p.current_leader.leader_id, 2);
    CHECK_INT(pr.node_endpoints_count, 1);
    CHECK_INT(pr.node_endpoints[0].node_id, 2);
    CHECK(pr.node_endpoints[0].port > 0);
    struct fetch_response_partition q = fetch("t", 12, &fr);
    CHECK_INT(q.error_code, KERR_NOT_LEADER_OR_FOLLOWER);
    CHECK_INT(q.current_leader.leader_id, 2);
    CHECK(ask(2));
    CHECK_INT(produce("t", -1, &pr).error_code, KERR_NONE);
    CHECK(ask(3)); /* a follower: new clients may read there, old ones not */
    CHECK_INT(fetch("t", 12, &fr).error_code, KERR_NONE);
    CHECK_INT(fetch("t", 10, &fr).error_code, KERR_NOT_LEADER_OR_FOLLOWER);
    CHECK_INT(produce("t", 1, &pr).error_code, KERR_NOT_LEADER_OR_FOLLOWER);
    stop();
}

static void test_min_insync(void)
{
    static const int32_t ids[] = {1, 2, 3};
    struct produce_response pr;
    struct error e;
    CHECK(start("lab-minisr"));
    make_topic("t", ids, 3);
    const struct broker_config_change two = {SL("min.insync.replicas"), SL("2"), BROKER_CONFIG_SET};
    CHECK_OK(broker_topic_alter_configs(f.broker, SL("t"), &two, 1, &e));
    CHECK_OK(broker_node_stop(f.broker, 3, &e));
    CHECK(ask(1));
    CHECK_INT(produce("t", -1, &pr).error_code, KERR_NONE);
    CHECK_OK(broker_node_stop(f.broker, 2, &e));
    CHECK_INT(produce("t", -1, &pr).error_code, KERR_NOT_ENOUGH_REPLICAS);
    CHECK_INT(produce("t", 1, &pr).error_code, KERR_NONE); /* acks=1 does not ask */
    CHECK_OK(broker_node_start(f.broker, 2, &e));
    CHECK_INT(produce("t", -1, &pr).error_code, KERR_NONE);
    stop();
}

static int32_t coordinator_of(struct slice group)
{
    struct find_coordinator_request in;
    struct find_coordinator_response out;
    find_coordinator_request_init(&in);
    in.key = group;
    CHECK(broker_call(&f, KAPI_FIND_COORDINATOR, 2, &in, &out, &a));
    CHECK_INT(out.error_code, 0);
    return out.node_id;
}

static void test_coordinators(void)
{
    CHECK(start("lab-coordinators"));
    CHECK(ask(1));
    int32_t home = coordinator_of(SL("orders")); /* makes __consumer_offsets */
    struct broker_topic_info offsets;
    struct error e;
    CHECK_OK(broker_topic(f.broker, SL("__consumer_offsets"), &a, &offsets, &e));
    CHECK_INT(offsets.partition_count, 50);
    CHECK_INT(offsets.replication_factor, 3);
    /* "orders".hashCode() = -1008770331, % 50 = 31 */
    CHECK_INT(offsets.partitions[31].leader, coordinator_of(SL("orders")));
    CHECK(offsets.partitions[31].leader == home);
    CHECK(ask(home == 1 ? 2 : 1)); /* from here on not its home */
    int32_t seen = 0;
    char name[16];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "g%d", i);
        seen |= 1 << coordinator_of(slice_cstr(name));
    }
    CHECK_INT(seen, 2 + 4 + 8);
    struct offset_commit_request_partition p;
    offset_commit_request_partition_init(&p);
    p.partition_index = 7;
    struct offset_commit_request_topic t = {
        .name = SL("t"), .partitions = &p, .partitions_count = 1};
    struct offset_commit_request in;
    struct offset_commit_response out;
    offset_commit_request_init(&in);
    in.group_id = SL("orders");
    in.topics = &t;
    in.topics_count = 1;
    CHECK(broker_call(&f, KAPI_OFFSET_COMMIT, 8, &in, &out, &a)); /* rows from the request's */
    CHECK_SLICE(out.topics[0].name, SL("t"));
    CHECK_INT(out.topics[0].partitions[0].partition_index, 7);
    CHECK_INT(out.topics[0].partitions[0].error_code, KERR_NOT_COORDINATOR);
    struct heartbeat_request hb;
    struct heartbeat_response hbr;
    heartbeat_request_init(&hb);
    hb.group_id = SL("orders");
    CHECK(broker_call(&f, KAPI_HEARTBEAT, 4, &hb, &hbr, &a));
    CHECK_INT(hbr.error_code, KERR_NOT_COORDINATOR);
    struct slice names[] = {SL("orders")};
    struct describe_groups_request dg;
    struct describe_groups_response dgr;
    describe_groups_request_init(&dg);
    dg.groups = names;
    dg.groups_count = 1;
    CHECK(broker_call(&f, KAPI_DESCRIBE_GROUPS, 5, &dg, &dgr, &a));
    CHECK_INT(dgr.groups_count, 1);
    CHECK_SLICE(dgr.groups[0].group_id, SL("orders"));
    CHECK_INT(dgr.groups[0].error_code, KERR_NOT_COORDINATOR);
    CHECK(ask(home));
    CHECK(broker_call(&f, KAPI_HEARTBEAT, 4, &hb, &hbr, &a));
    CHECK_INT(hbr.error_code, KERR_UNKNOWN_MEMBER_ID); /* here it is known that nobody is */
    CHECK_OK(broker_node_stop(f.broker, home, &e));
    CHECK(ask(home == 1 ? 2 : 1));
    CHECK(coordinator_of(SL("orders")) != home);
    stop();
}

static void test_topics(void)
{
    struct error e;
    struct broker_topic_info t;
    struct broker_cluster c;
    CHECK(start("lab-topics"));
    struct broker_topic_spec spec = {
        .name = SL("five"), .partitions = 6, .replication_factor = 5}; /* the clamp */
    CHECK_OK(broker_topic_create(f.broker, &spec, &e));
    CHECK_OK(broker_topic(f.broker, SL("five"), &a, &t, &e));
    CHECK_INT(t.replication_factor, 3);
    CHECK_OK(broker_topic_add_partitions(f.broker, SL("five"), 7, &e));
    CHECK_OK(broker_topic(f.broker, SL("five"), &a, &t, &e));
    CHECK_INT(t.partitions[6].replica_count, 3);
    CHECK_OK(broker_cluster(f.broker, &c, &e));
    CHECK_INT(c.partitions, 7);
    CHECK_INT(c.replicas, 21);
    for (int i = 0; i < 3; i++)
        CHECK(c.nodes[i].leaders >= 2);
    static const int32_t bad[] = {2, 7}, twice[] = {2, 2};
    static const int32_t *const sets[] = {bad, twice};
    int32_t two = 2;
    for (int i = 0; i < 2; i++) {
        struct broker_topic_spec by_hand = {.name = SL("x"),
                                            .partitions = 1,
                                            .replication_factor = -1,
                                            .assignments = &sets[i],
                                            .assignment_counts = &two};
        CHECK_ERR(broker_topic_create(f.broker, &by_hand, &e), E_INVALID);
        CHECK_INT(e.sys, KERR_INVALID_REPLICA_ASSIGNMENT);
    }
    CHECK_ERR(brokers_reassign(&f.broker->brokers, SL("five"), 99, bad, 1, &e), E_NOT_FOUND);
    CHECK_OK(brokers_reassign(&f.broker->brokers, SL("five"), 6, bad, 1, &e));
    CHECK_OK(broker_topic_delete(f.broker, SL("five"), &e));
    stop();
}

/* A data directory that goes from a lab to one broker and back. */
static void test_lab_and_back(void)
{
    static const int32_t ids[] = {3, 2};
    struct error e;
    struct broker_topic_info t;
    CHECK(start("lab-back"));
    make_topic("t", ids, 2);
    CHECK_OK(broker_node_stop(f.broker, 3, &e));
    stop();
    arena_init(&a, 0, ARENA_NO_BUDGET);
    CHECK(broker_fixture_start(&f, "lab-back", NULL));
    CHECK_OK(broker_topic(f.broker, SL("t"), &a, &t, &e));
    CHECK_INT(t.partitions[0].leader, 1);
    CHECK(t.partitions[0].leader_epoch >= 1);
    CHECK_OK(broker_topic_add_partitions(f.broker, SL("t"), 2, &e));
    stop();
    CHECK(start("lab-back"));
    CHECK_OK(broker_topic(f.broker, SL("t"), &a, &t, &e));
    CHECK_INT(t.partitions[0].leader, 2);
    CHECK_INT(t.partitions[0].replica_count, 2);
    CHECK_INT(t.partitions[1].replica_count, 1); /* made without a lab: one copy, somewhere */
    stop();
}

static const struct test_case tests[] = {
    {"metadata, stop, start, restart", test_metadata},
    {"the wrong broker is asked", test_wrong_broker},
    {"min.insync.replicas", test_min_insync},
    {"coordinators", test_coordinators},
    {"topics: factor, partitions, replicas by hand", test_topics},
    {"a lab's directory without a lab, and back", test_lab_and_back},
    {NULL, NULL},
};
const struct test_suite test_brokers = {"broker/brokers", tests, NULL, NULL};
