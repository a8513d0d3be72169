/* broker/api/brokers.c - which broker leads what, for the handlers; and in a lab the calls by which
 * administrators move leaders and replicas: ElectLeaders, AlterPartitionReassignments (cluster.c
 * has them for one broker). Changes run on the pool: they wait for the database.
 *
 * All brokers share one log, so a reassignment is done when it is accepted: none is ever under way.
 * SPEC: broker 2.6. */
#include "broker/api/api.h"

#include "base/base.h"
#include "broker/topic.h"

/* --- leadership ------------------------------------------------------------------------------- */

int16_t api_check_leader(const struct request *rq, const struct partition *p)
{
    return LIKELY(partition_leader(p) == rq->node_id) ? KERR_NONE : KERR_NOT_LEADER_OR_FOLLOWER;
}

int32_t api_endpoints(struct request *rq, uint32_t leaders, struct api_endpoint out[BROKERS_MAX])
{
    const struct brokers *s = &rq->broker->brokers;
    int32_t n = 0;
    for (int32_t i = 0; rq->conn && i < s->count; i++) {
        int32_t id = s->first + i;
        if (!(leaders >> i & 1) || !brokers_runs(s, id))
            continue;
        out[n].node_id = id;
        out[n].host = request_address_of(rq, id, &out[n].port);
        n += out[n].port >= 0;
    }
    return n;
}

uint32_t api_tell_leader(const struct request *rq, struct partition *p, struct current_leader *out)
{
    struct placement place;
    partition_placement(p, &place);
    out->leader_id = place.leader;
    out->leader_epoch = place.epoch;
    return place.leader < 0 ? 0 : 1u << (place.leader - rq->broker->brokers.first);
}

void api_tell_endpoints(struct request *rq, uint32_t leaders, struct node_endpoint **out,
                        int32_t *count)
{
    struct api_endpoint v[BROKERS_MAX];
    *count = api_endpoints(rq, leaders, v);
    *out = node_endpoint_array(&rq->arena, *count);
    for (int32_t i = 0; i < *count; i++)
        (*out)[i] = (struct node_endpoint){.node_id = v[i].node_id,
                                           .host = v[i].host,
                                           .port = v[i].port,
                                           .rack = rq->broker->o->rack};
}

int32_t *api_ids(struct request *rq, const int32_t *ids, int32_t count)
{
    int32_t *v = arena_alloc(&rq->arena, (size_t)(count + 1) * sizeof *v);
    memcpy(v, ids, (size_t)count * sizeof *v);
    return v;
}

/* --- elections -------------------------------------------------------------------------------- */

static void reply(void *arg)
{
    request_reply(arg);
}

/* Adds a result; those of one topic come one after the other. */
static void elected(void *arg, struct slice topic, int32_t partition, int16_t code)
{
    struct request *rq = arg;
    struct elect_leaders_response *out = rq->out;
    struct elect_leaders_response_topic *t =
        out->replica_election_results_count
            ? &out->replica_election_results[out->replica_election_results_count - 1]
            : NULL;
    if (!t || !slice_eq(t->topic, topic)) {
        int32_t n = out->replica_election_results_count;
        struct elect_leaders_response_topic *v =
            elect_leaders_response_topic_array(&rq->arena, n + 1);
        if (n)
            memcpy(v, out->replica_election_results, (size_t)n * sizeof *v);
        out->replica_election_results = v;
        out->replica_election_results_count = n + 1;
        t = &v[n];
        t->topic = arena_dup(&rq->arena, topic);
    }
    int32_t n = t->partition_result_count;
    if ((n & (n - 1)) == 0) { /* room for a power of two */
        struct elect_leaders_response_partition *v =
            elect_leaders_response_partition_array(&rq->arena, MAX(2 * n, 1));
        if (n)
            memcpy(v, t->partition_result, (size_t)n * sizeof *v);
        t->partition_result = v;
    }
    struct elect_leaders_response_partition *row =
        &t->partition_result[t->partition_result_count++];
    row->partition_id = partition;
    row->error_code = code;
    row->error_message =
        code == KERR_UNKNOWN_TOPIC_OR_PARTITION
            ? slice_cstr(arena_printf(&rq->arena, "No such topic as " PRI_SL, ARG_SL(topic)))
        : code != KERR_NONE ? slice_cstr(kerr_message(code))
                            : SLICE_NULL;
}

static void elect_leaders(void *arg)
{
    struct request *rq = arg;
    const struct elect_leaders_request *in = rq->in;
    struct elect_leaders_response *out = rq->out;
    struct brokers *s = &rq->broker->brokers;
    struct error e;
    enum err r = E_OK;
    error_clear(&e);
    if (in->topic_partitions_count < 0)
        r = brokers_elect(s, SLICE_NULL, -1, in->election_type == 1, elected, rq, &e);
    for (int32_t i = 0; r == E_OK && i < in->topic_partitions_count; i++)
        for (int32_t p = 0; r == E_OK && p < in->topic_partitions[i].partitions_count; p++)
            r = brokers_elect(s, in->topic_partitions[i].topic,
                              in->topic_partitions[i].partitions[p], in->election_type == 1,
                              elected, rq, &e);
    out->error_code = api_code(r, &e);
}

void api_lab_elect(struct request *rq)
{
    pool_submit(rq->broker->pool, rq->broker->topics, elect_leaders, rq->bl->loop, reply, rq);
}

/* --- reassignments ---------------------------------------------------------------------------- */

static void reassign_one(struct request *rq, struct slice topic,
                         const struct alter_partition_reassignments_request_partition *in,
                         struct alter_partition_reassignments_response_partition *out)
{
    struct error e;
    error_clear(&e);
    out->partition_index = in->partition_index;
    struct topic *t = topics_get(rq->broker->topics, topic);
    bool known = t && in->partition_index >= 0 && in->partition_index < topic_partition_count(t);
    topic_unref(t);
    if (!known) {
        out->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    } else if (in->replicas_count < 0) { /* to cancel what is not under way */
        out->error_code = KERR_NO_REASSIGNMENT_IN_PROGRESS;
    } else {
        enum err r = brokers_reassign(&rq->broker->brokers, topic, in->partition_index,
                                      in->replicas, in->replicas_count, &e);
        out->error_code = api_code(r, &e);
    }
    if (out->error_code != KERR_NONE)
        out->error_message =
            slice_cstr(e.msg[0] ? arena_strdup(&rq->arena, e.msg) : kerr_message(out->error_code));
}

static void alter_reassignments(void *arg)
{
    struct request *rq = arg;
    const struct alter_partition_reassignments_request *in = rq->in;
    struct alter_partition_reassignments_response *out = rq->out;
    out->allow_replication_factor_change = in->allow_replication_factor_change;
    out->responses_count = MAX(in->topics_count, 0);
    out->responses =
        alter_partition_reassignments_response_topic_array(&rq->arena, out->responses_count);
    for (int32_t i = 0; i < out->responses_count; i++) {
        struct alter_partition_reassignments_response_topic *to = &out->responses[i];
        to->name = in->topics[i].name;
        to->partitions_count = MAX(in->topics[i].partitions_count, 0);
        to->partitions = alter_partition_reassignments_response_partition_array(
            &rq->arena, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++)
            reassign_one(rq, to->name, &in->topics[i].partitions[p], &to->partitions[p]);
    }
}

void api_lab_reassign(struct request *rq)
{
    pool_submit(rq->broker->pool, rq->broker->topics, alter_reassignments, rq->bl->loop, reply, rq);
}
