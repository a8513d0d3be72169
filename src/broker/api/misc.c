/* broker/api/misc.c - calls of tools and user interfaces that one node answers in a few lines.
 * SPEC: broker 2.6, 11.5. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/topic.h"

/* --- what this node never has
 * --------------------------------------------------------------------- */

void api_describe_client_quotas(struct request *rq)
{
    struct describe_client_quotas_response *out = rq->out;
    out->entries_count = 0;
    out->entries = describe_client_quotas_response_entry_array(&rq->arena, 0);
    request_reply(rq);
}

void api_list_reassignments(struct request *rq)
{
    request_reply(rq);
}

/* --- the quorum of one -------------------------------------------------------------------------
 */

static void quorum_partition(struct request *rq, struct slice topic,
                             const struct describe_quorum_request_partition *in,
                             struct describe_quorum_response_partition *out)
{
    out->partition_index = in->partition_index;
    if (!slice_eq(topic, SL("__cluster_metadata")) || in->partition_index != 0) {
        out->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    int64_t now = clock_wall_ms();
    out->leader_id = rq->broker->o->node_id;
    out->leader_epoch = 1;
    out->high_watermark = broker_topics_generation(rq->broker) + 1;
    out->current_voters_count = 1;
    out->current_voters = describe_quorum_response_replica_array(&rq->arena, 1);
    struct describe_quorum_response_replica *voter = &out->current_voters[0];
    voter->replica_id = rq->broker->o->node_id;
    if (uuid_parse(slice_cstr(rq->broker->cluster_id), &voter->replica_directory_id) != E_OK)
        voter->replica_directory_id = (struct uuid){0};
    voter->log_end_offset = out->high_watermark;
    voter->last_fetch_timestamp = voter->last_caught_up_timestamp = now;
}

void api_describe_quorum(struct request *rq)
{
    const struct describe_quorum_request *in = rq->in;
    struct describe_quorum_response *out = rq->out;
    if (in->topics_count != 1 || in->topics[0].partitions_count != 1) {
        out->error_code = KERR_INVALID_REQUEST;
        request_reply(rq);
        return;
    }
    out->topics_count = 1;
    out->topics = describe_quorum_response_topic_array(&rq->arena, 1);
    out->topics[0].topic_name = in->topics[0].topic_name;
    out->topics[0].partitions_count = 1;
    out->topics[0].partitions = describe_quorum_response_partition_array(&rq->arena, 1);
    quorum_partition(rq, in->topics[0].topic_name, &in->topics[0].partitions[0],
                     &out->topics[0].partitions[0]);
    int port;
    out->nodes_count = 1;
    out->nodes = describe_quorum_response_node_array(&rq->arena, 1);
    out->nodes[0].node_id = rq->broker->o->node_id;
    out->nodes[0].listeners_count = 1;
    out->nodes[0].listeners = describe_quorum_response_listener_array(&rq->arena, 1);
    out->nodes[0].listeners[0].name = slice_cstr(rq->conn->listener->name);
    out->nodes[0].listeners[0].host = request_advertised(rq, &port);
    out->nodes[0].listeners[0].port = (uint16_t)port;
    request_reply(rq);
}

/* --- leader election: the leader is the only one there is
 * ----------------------------------------- */

void api_elect_leaders(struct request *rq)
{
    const struct elect_leaders_request *in = rq->in;
    struct elect_leaders_response *out = rq->out;
    out->replica_election_results_count = MAX(in->topic_partitions_count, 0);
    out->replica_election_results =
        elect_leaders_response_topic_array(&rq->arena, out->replica_election_results_count);
    for (int32_t i = 0; i < out->replica_election_results_count; i++) {
        const struct elect_leaders_request_topic *from = &in->topic_partitions[i];
        struct elect_leaders_response_topic *to = &out->replica_election_results[i];
        struct topic *t = topics_get(rq->broker->topics, from->topic);
        to->topic = from->topic;
        to->partition_result_count = MAX(from->partitions_count, 0);
        to->partition_result =
            elect_leaders_response_partition_array(&rq->arena, to->partition_result_count);
        for (int32_t p = 0; p < to->partition_result_count; p++) {
            bool known =
                t && from->partitions[p] >= 0 && from->partitions[p] < topic_partition_count(t);
            to->partition_result[p].partition_id = from->partitions[p];
            to->partition_result[p].error_code =
                known ? KERR_ELECTION_NOT_NEEDED : KERR_UNKNOWN_TOPIC_OR_PARTITION;
        }
        topic_unref(t);
    }
    request_reply(rq);
}
