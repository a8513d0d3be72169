/* broker/api/coordinator.c - FindCoordinator: which node coordinates a group or a transactional id.
 *
 * It is always this one. Kafka keeps what its coordinators know in internal topics, which appear when
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
    const char *topic;
    size_t partitions; /* offset of the option in struct broker_options */
    const char *configs[5][2];
};

/* By key type. */
static const struct coordinator_kind kinds[] = {
    {"__consumer_offsets",
     offsetof(struct broker_options, offsets_topic_partitions),
     {{"cleanup.policy", "compact"},
      {"compression.type", "producer"},
      {"segment.bytes", "104857600"}}},
    {"__transaction_state",
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

static void answer(void *arg)
{
    struct request *rq = arg;
    const struct find_coordinator_request *in = rq->in;
    struct find_coordinator_response *out = rq->out;
    if (!rq->conn) {
        request_drop(rq);
        return;
    }
    int16_t code = kind_of(rq) ? KERR_NONE : KERR_INVALID_REQUEST;
    int32_t node = code == KERR_NONE ? request_node_id(rq) : -1;
    struct slice host = SL("");
    int port = -1;
    if (code == KERR_NONE)
        host = request_advertised(rq, &port);
    if (rq->version < 4) {
        out->error_code = code;
        out->node_id = node;
        out->host = host;
        out->port = port;
        request_reply(rq);
        return;
    }
    out->coordinators_count = MAX(in->coordinator_keys_count, 0);
    out->coordinators =
        find_coordinator_response_coordinator_array(&rq->arena, out->coordinators_count);
    for (int32_t i = 0; i < out->coordinators_count; i++) {
        struct find_coordinator_response_coordinator *c = &out->coordinators[i];
        c->key = in->coordinator_keys[i];
        c->error_code = code;
        c->node_id = node;
        c->host = host;
        c->port = port;
    }
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
        .replication_factor = -1,
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
