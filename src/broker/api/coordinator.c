/* broker/api/coordinator.c - FindCoordinator: which node coordinates a group or a transactional id.
 *
 * It is this one, or in a lab the broker that leads the key's partition of the internal topic. Kafka keeps what its coordinators know in internal topics, which appear when
 * the first coordinator is looked for, and programs look for them: kafka-topics lists them, clients
 * tell internal topics by them. Here they are made at the same moment and stay empty; what they would
 * hold is in the database. Making them waits for directories and the database: on the pool.
 * SPEC: broker 8.2, 9.1. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/log.h"
#include "base/strmap.h"
#include "broker/topic.h"

struct coordinator_kind {
    enum coordinator_key key_kind;
    const char *topic;
    size_t partitions; /* offset of the option in struct broker_options */
    const char *configs[5][2];
};

#define KEY_TYPE_SHARE 2 /* its keys have a form of their own, so nothing is said about them */

/* By key type. */
static const struct coordinator_kind kinds[] = {
    {COORDINATOR_GROUP,
     "__consumer_offsets",
     offsetof(struct broker_options, offsets_topic_partitions),
     {{"cleanup.policy", "compact"},
      {"compression.type", "producer"},
      {"segment.bytes", "104857600"}}},
    {COORDINATOR_TXN,
     "__transaction_state",
     offsetof(struct broker_options, transaction_topic_partitions),
     {{"cleanup.policy", "compact"},
      {"compression.type", "uncompressed"},
      {"min.insync.replicas", "1"},
      {"segment.bytes", "104857600"},
      {"unclean.leader.election.enable", "false"}}},
};

static const struct coordinator_kind *kind_of(struct request *rq)
{
    const struct find_coordinator_request *in = rq->in;
    return in->key_type >= 0 && (size_t)in->key_type < ARRAY_LEN(kinds) ? &kinds[in->key_type]
                                                                        : NULL;
}

/* One answer: who coordinates the key, at the address by which this client reaches that broker. */
static void find_one(struct request *rq, struct slice key,
                     struct find_coordinator_response_coordinator *out)
{
    const struct coordinator_kind *k = kind_of(rq);
    int port = -1;
    out->key = key;
    out->node_id = -1;
    out->host = SL("");
    out->port = -1;
    out->error_message = SL("");
    if (!k) {
        out->error_code = KERR_INVALID_REQUEST;
        if (((const struct find_coordinator_request *)rq->in)->key_type != KEY_TYPE_SHARE)
            out->error_message = slice_cstr(kerr_message(out->error_code));
        return;
    }
    int32_t node = brokers_coordinator(&rq->broker->brokers, k->key_kind, key);
    if (node < 0) {
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
        return;
    }
    out->node_id = node;
    out->host = request_address_of(rq, node, &port);
    out->port = port;
}

static void answer(void *arg)
{
    struct request *rq = arg;
    const struct find_coordinator_request *in = rq->in;
    struct find_coordinator_response *out = rq->out;
    if (!rq->conn) {
        request_drop(rq);
        return;
    }
    if (rq->version < 4) {
        struct find_coordinator_response_coordinator one = {0};
        find_one(rq, in->key, &one);
        out->error_code = one.error_code;
        out->error_message = one.error_code ? slice_cstr(kerr_message(one.error_code)) : SL("NONE");
        out->node_id = one.node_id;
        out->host = one.host;
        out->port = one.port;
        request_reply(rq);
        return;
    }
    out->coordinators_count = MAX(in->coordinator_keys_count, 0);
    out->coordinators =
        find_coordinator_response_coordinator_array(&rq->arena, out->coordinators_count);
    for (int32_t i = 0; i < out->coordinators_count; i++)
        find_one(rq, in->coordinator_keys[i], &out->coordinators[i]);
    request_reply(rq);
}

/* On the pool. Another request may make it meanwhile, which is as good. */
static void make_topic(void *arg)
{
    struct request *rq = arg;
    const struct coordinator_kind *k = kind_of(rq);
    struct strmap configs;
    struct error e;
    strmap_init(&configs);
    for (size_t i = 0; i < ARRAY_LEN(k->configs) && k->configs[i][0]; i++)
        strmap_set(&configs, slice_cstr(k->configs[i][0]), slice_cstr(k->configs[i][1]));
    struct broker_topic_spec spec = {
        .name = slice_cstr(k->topic),
        .partitions = *(const int32_t *)((const char *)rq->broker->o + k->partitions),
        .replication_factor = (int16_t)MIN(rq->broker->brokers.count, 3),
        .configs = &configs,
        .asked_by = "the coordinator"};
    enum err r = broker_topic_create(rq->broker, &spec, &e);
    if (r != E_OK && r != E_EXISTS) /* nothing depends on it */
        LOG_ERR(LOG_BROKER, LOG_L_WARN, &e, "topic %s could not be created", k->topic);
    strmap_release(&configs);
}

void api_find_coordinator(struct request *rq)
{
    const struct coordinator_kind *k = kind_of(rq);
    struct topic *t = k ? topics_get(rq->broker->topics, slice_cstr(k->topic)) : NULL;
    bool make = k && !t;
    topic_unref(t);
    if (make)
        pool_submit(rq->broker->pool, NULL, make_topic, rq->bl->loop, answer, rq);
    else
        answer(rq);
}
