/* broker/api/cluster.c - what administrators ask of a cluster, on one node: its quorum, its features,
 * leaders, where replicas are. All are judged against the topics there are; none changes anything,
 * since the leader is the only one there is and replicas have no other place to go.
 * SPEC: broker 2.6. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/clock.h"
#include "broker/features.h"
#include "broker/topic.h"

#include <stdarg.h>

static struct slice text(struct request *rq, const char *fmt, ...) PRINTF_LIKE(2, 3);
static struct slice text(struct request *rq, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return slice_cstr(arena_strdup(&rq->arena, line));
}

/* --- the quorum of one ------------------------------------------------------------------------ */

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
    voter->replica_id = rq->broker->o->node_id; /* no directory id: kraft.version is 0 */
    voter->log_end_offset = out->high_watermark;
    voter->last_fetch_timestamp = voter->last_caught_up_timestamp = now;
}

/* This port, or the next that no listener has: with the default, 9093 is a lab's second broker. */
static uint16_t nobodys_port(const struct broker *b, uint16_t port)
{
    size_t n, i = 0;
    const struct broker_listener_info *l = broker_listeners(b, &n);
    while (i < n && port < UINT16_MAX) {
        bool taken = l[i].port == port;
        port += taken;
        i = taken ? 0 : i + 1;
    }
    return port;
}

/* The address in controller.quorum.voters, "1@localhost:9093": text for tools, nobody listens. */
static void quorum_endpoint(struct request *rq, struct describe_quorum_response_listener *out)
{
    enum config_source source;
    struct slice voter,
        voters = broker_setting(&rq->broker->settings, SL("controller.quorum.voters"), &rq->arena,
                                &source);
    int64_t port = 0;
    out->name = SL("CONTROLLER");
    out->host = SL("localhost");
    if (!voters.p || !slice_split(&voters, ',', &voter))
        voter = SL("");
    ptrdiff_t at = slice_find_char(voter, '@'), colon = slice_rfind_char(voter, ':');
    if (at < 0 || colon <= at + 1)
        return;
    out->host = slice_sub(voter, (size_t)at + 1, (size_t)colon);
    if (slice_to_i64(slice_sub(voter, (size_t)colon + 1, voter.n), &port) == E_OK && port > 0 &&
        port < 65536)
        out->port = nobodys_port(rq->broker, (uint16_t)port);
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
    out->nodes_count = 1;
    out->nodes = describe_quorum_response_node_array(&rq->arena, 1);
    out->nodes[0].node_id = rq->broker->o->node_id;
    out->nodes[0].listeners_count = 1;
    out->nodes[0].listeners = describe_quorum_response_listener_array(&rq->arena, 1);
    quorum_endpoint(rq, &out->nodes[0].listeners[0]);
    request_reply(rq);
}

/* --- leaders and replicas --------------------------------------------------------------------- */

/* KERR_NONE, or 3 with Kafka's text in the two forms its calls have. */
static int16_t find_partition(struct request *rq, struct slice name, int32_t id,
                              struct slice *no_topic, struct slice *no_partition)
{
    struct topic *t = topics_get(rq->broker->topics, name);
    int32_t count = t ? topic_partition_count(t) : -1;
    topic_unref(t);
    *no_topic = *no_partition = SLICE_NULL;
    if (count < 0)
        *no_topic = name;
    else if (id < 0 || id >= count)
        *no_partition = name;
    return no_topic->p || no_partition->p ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_NONE;
}

void api_elect_leaders(struct request *rq)
{
    const struct elect_leaders_request *in = rq->in;
    struct elect_leaders_response *out = rq->out;
    if (brokers_are_several(&rq->broker->brokers)) {
        api_lab_elect(rq);
        return;
    }
    out->replica_election_results_count = MAX(in->topic_partitions_count, 0);
    out->replica_election_results =
        elect_leaders_response_topic_array(&rq->arena, out->replica_election_results_count);
    for (int32_t i = 0; i < out->replica_election_results_count; i++) {
        const struct elect_leaders_request_topic *from = &in->topic_partitions[i];
        struct elect_leaders_response_topic *to = &out->replica_election_results[i];
        to->topic = from->topic;
        to->partition_result_count = MAX(from->partitions_count, 0);
        to->partition_result =
            elect_leaders_response_partition_array(&rq->arena, to->partition_result_count);
        for (int32_t p = 0; p < to->partition_result_count; p++) {
            struct elect_leaders_response_partition *row = &to->partition_result[p];
            struct slice no_topic, no_partition;
            row->partition_id = from->partitions[p];
            row->error_code =
                find_partition(rq, from->topic, row->partition_id, &no_topic, &no_partition);
            if (no_topic.p)
                row->error_message = text(rq, "No such topic as " PRI_SL, ARG_SL(no_topic));
            else if (no_partition.p)
                row->error_message = text(rq, "No such partition as " PRI_SL "-%d",
                                          ARG_SL(no_partition), row->partition_id);
            else
                row->error_code = KERR_ELECTION_NOT_NEEDED;
        }
    }
    request_reply(rq);
}

int16_t api_check_replicas(struct request *rq, const int32_t *replicas, int32_t count, bool lenient,
                           struct slice *why)
{
    struct broker_ids ids = brokers_ids(&rq->broker->brokers);
    lenient = lenient && ids.count == 1;
    *why = SLICE_NULL;
    if (count <= 0)
        *why = SL("The manual partition assignment includes an empty replica list.");
    for (int32_t i = 0; i < count && !why->p && !lenient; i++) {
        for (int32_t k = 0; k < i && !why->p; k++)
            if (replicas[k] == replicas[i])
                *why = text(
                    rq, "The manual partition assignment includes the broker %d more than once.",
                    replicas[i]);
    }
    for (int32_t i = 0; i < count && !why->p && !lenient; i++)
        if (!broker_ids_has(&ids, replicas[i]))
            *why = text(rq,
                        "The manual partition assignment includes broker %d, but no such broker is "
                        "registered.",
                        replicas[i]);
    return why->p ? KERR_INVALID_REPLICA_ASSIGNMENT : KERR_NONE;
}

static void reassign(struct request *rq, struct slice name,
                     const struct alter_partition_reassignments_request_partition *in,
                     struct alter_partition_reassignments_response_partition *out)
{
    struct slice no_topic, no_partition;
    out->partition_index = in->partition_index;
    out->error_code = find_partition(rq, name, in->partition_index, &no_topic, &no_partition);
    if (no_topic.p)
        out->error_message = text(rq, "Unable to find a topic named " PRI_SL ".", ARG_SL(name));
    else if (no_partition.p)
        out->error_message =
            text(rq, "Unable to find partition " PRI_SL ":%d.", ARG_SL(name), in->partition_index);
    else if (in->replicas_count < 0)
        out->error_code = KERR_NO_REASSIGNMENT_IN_PROGRESS;
    else
        out->error_code =
            api_check_replicas(rq, in->replicas, in->replicas_count, false, &out->error_message);
}

void api_alter_reassignments(struct request *rq)
{
    const struct alter_partition_reassignments_request *in = rq->in;
    struct alter_partition_reassignments_response *out = rq->out;
    if (brokers_are_several(&rq->broker->brokers)) {
        api_lab_reassign(rq);
        return;
    }
    out->allow_replication_factor_change = in->allow_replication_factor_change;
    out->responses_count = MAX(in->topics_count, 0);
    out->responses =
        alter_partition_reassignments_response_topic_array(&rq->arena, out->responses_count);
    for (int32_t i = 0; i < out->responses_count; i++) {
        const struct alter_partition_reassignments_request_topic *from = &in->topics[i];
        struct alter_partition_reassignments_response_topic *to = &out->responses[i];
        to->name = from->name;
        to->partitions_count = MAX(from->partitions_count, 0);
        to->partitions = alter_partition_reassignments_response_partition_array(
            &rq->arena, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++)
            reassign(rq, from->name, &from->partitions[p], &to->partitions[p]);
    }
    request_reply(rq);
}

void api_list_reassignments(struct request *rq)
{
    request_reply(rq);
}

void api_alter_log_dirs(struct request *rq)
{
    const struct alter_replica_log_dirs_request *in = rq->in;
    struct alter_replica_log_dirs_response *out = rq->out;
    enum config_source source;
    struct slice own = broker_setting(&rq->broker->settings, SL("log.dirs"), &rq->arena, &source);
    int32_t n = 0;
    for (int32_t d = 0; d < in->dirs_count; d++)
        n += MAX(in->dirs[d].topics_count, 0);
    out->results = alter_replica_log_dirs_response_topic_array(&rq->arena, n);
    for (int32_t d = 0; d < in->dirs_count; d++) {
        for (int32_t i = 0; i < in->dirs[d].topics_count; i++) {
            const struct alter_replica_log_dirs_request_topic *from = &in->dirs[d].topics[i];
            struct alter_replica_log_dirs_response_topic *to = &out->results[out->results_count++];
            to->topic_name = from->name;
            to->partitions_count = MAX(from->partitions_count, 0);
            to->partitions =
                alter_replica_log_dirs_response_partition_array(&rq->arena, to->partitions_count);
            for (int32_t p = 0; p < to->partitions_count; p++) {
                struct slice no_topic, no_partition;
                to->partitions[p].partition_index = from->partitions[p];
                to->partitions[p].error_code =
                    !slice_eq(in->dirs[d].path, own)
                        ? KERR_LOG_DIR_NOT_FOUND
                        : find_partition(rq, from->name, from->partitions[p], &no_topic,
                                         &no_partition);
            }
        }
    }
    request_reply(rq);
}

void api_unregister_broker(struct request *rq)
{
    const struct unregister_broker_request *in = rq->in;
    struct unregister_broker_response *out = rq->out;
    if (in->broker_id == rq->node_id) {
        out->error_code = KERR_INVALID_REQUEST;
        out->error_message =
            text(rq, "Broker ID %d is this node, which can not leave its cluster.", in->broker_id);
    } else {
        out->error_code = KERR_BROKER_ID_NOT_REGISTERED;
        out->error_message = text(rq, "Broker ID %d is not currently registered", in->broker_id);
    }
    request_reply(rq);
}

/* --- features --------------------------------------------------------------------------------- */

/* The null slice: nothing to do, the level is the one in force. */
static struct slice judge_feature(struct request *rq,
                                  const struct update_features_request_feature *in)
{
    const struct broker_feature *f = broker_feature(in->feature);
    bool downgrade = in->upgrade_type > 1 || (rq->version == 0 && in->allow_downgrade);
    char why[160];
    if (!f)
        snprintf(why, sizeof why, "Local controller %d does not support this feature.",
                 rq->broker->o->node_id);
    else if (in->max_version_level < f->min || in->max_version_level > f->max)
        snprintf(why, sizeof why, "Local controller %d only supports versions %d-%d",
                 rq->broker->o->node_id, f->min, f->max);
    else if (in->max_version_level == f->level)
        return SLICE_NULL;
    else if (in->max_version_level < f->level && !downgrade)
        snprintf(why, sizeof why,
                 "Can't downgrade the version of this feature without setting the upgrade type to "
                 "either safe or unsafe downgrade.");
    else
        snprintf(why, sizeof why, "This node serves version %d only.", f->level);
    return text(rq, "Invalid update version %d for feature " PRI_SL ". %s", in->max_version_level,
                ARG_SL(in->feature), why);
}

void api_update_features(struct request *rq)
{
    const struct update_features_request *in = rq->in;
    struct update_features_response *out = rq->out;
    struct slice why = SLICE_NULL;
    for (int32_t i = 0; i < in->feature_updates_count && !why.p; i++)
        why = judge_feature(rq, &in->feature_updates[i]);
    if (why.p) { /* all or nothing */
        out->error_code = KERR_INVALID_UPDATE_VERSION;
        out->error_message = text(rq,
                                  "The update failed for all features since the following feature "
                                  "had an error: " PRI_SL,
                                  ARG_SL(why));
    } else if (rq->version < 2) {
        out->results_count = MAX(in->feature_updates_count, 0);
        out->results = update_features_response_feature_array(&rq->arena, out->results_count);
        for (int32_t i = 0; i < out->results_count; i++)
            out->results[i].feature = in->feature_updates[i].feature;
    }
    request_reply(rq);
}

/* --- delegation tokens: not switched on (delegation.token.secret.key); a client that has not proved
 * who it is could not ask for one anyway
 */

static int16_t no_tokens(const struct request *rq)
{
    return rq->conn && rq->conn->principal ? KERR_DELEGATION_TOKEN_AUTH_DISABLED
                                           : KERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
}

void api_create_token(struct request *rq)
{
    ((struct create_delegation_token_response *)rq->out)->error_code = no_tokens(rq);
    request_reply(rq);
}

void api_renew_token(struct request *rq)
{
    ((struct renew_delegation_token_response *)rq->out)->error_code = no_tokens(rq);
    request_reply(rq);
}

void api_expire_token(struct request *rq)
{
    ((struct expire_delegation_token_response *)rq->out)->error_code = no_tokens(rq);
    request_reply(rq);
}

void api_describe_tokens(struct request *rq)
{
    ((struct describe_delegation_token_response *)rq->out)->error_code = no_tokens(rq);
    request_reply(rq);
}
