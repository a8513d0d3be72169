/* broker/api/guard_special.c - what the tables of guard.c can't say. SPEC: broker 11.5. */
#include "broker/api/guard_special.h"

#include "base/base.h"
#include "broker/api/api.h"
#include "broker/group/topic_regex.h"
#include "broker/security/access.h"
#include "broker/topic.h"

int16_t guard_judge(struct request *rq, enum acl_op op, enum acl_type type, struct slice name)
{
    return request_allowed(rq, op, type, name) ? KERR_NONE : access_denied_code(type);
}

int16_t guard_may_find(struct request *rq, void *item, struct slice name)
{
    const struct find_coordinator_request *in = rq->in;
    (void)item;
    return in->key_type == 0   ? guard_judge(rq, ACL_DESCRIBE, ACL_GROUP, name)
           : in->key_type == 1 ? guard_judge(rq, ACL_DESCRIBE, ACL_TRANSACTIONAL_ID, name)
                               : guard_judge(rq, ACL_CLUSTER_ACTION, ACL_CLUSTER, ACL_CLUSTER_NAME);
}

/* Offsets of several groups, each with topics. A refused group stays in the request, with no topics
 * and in the answer with its error. */
static void offset_fetch_topics(struct request *rq, struct slice group,
                                struct offset_fetch_response_topic *v, int32_t *count,
                                int16_t *error)
{
    int32_t kept = 0;
    *error =
        guard_judge(rq, ACL_DESCRIBE, ACL_GROUP, group) ? KERR_GROUP_AUTHORIZATION_FAILED : *error;
    for (int32_t i = 0; i < *count; i++) {
        struct slice name = v[i].name;
        if (rq->version >= 10) {
            struct topic *t = topics_get_id(rq->broker->topics, &v[i].topic_id);
            name = t ? arena_dup(&rq->arena, topic_name(t)) : SLICE_NULL;
            topic_unref(t);
        }
        bool denied = *error || (name.p && guard_judge(rq, ACL_DESCRIBE, ACL_TOPIC, name));
        for (int32_t p = 0; denied && p < v[i].partitions_count; p++) {
            struct offset_fetch_response_partition *row = &v[i].partitions[p];
            row->committed_offset = -1;
            row->committed_leader_epoch = -1;
            row->metadata = SL("");
            row->error_code = *error ? *error : KERR_TOPIC_AUTHORIZATION_FAILED;
        }
        if (!*error || rq->version < 2)
            v[kept++] = v[i];
    }
    *count = kept;
}

/* Drops topics that the client may not see from an answer about all topics of a group. */
static void offset_fetch_hide(bool all, struct offset_fetch_response_topic *v, int32_t *count)
{
    int32_t kept = 0;
    for (int32_t i = 0; all && i < *count; i++) {
        if (v[i].partitions_count == 0 ||
            v[i].partitions[0].error_code != KERR_TOPIC_AUTHORIZATION_FAILED)
            v[kept++] = v[i];
    }
    if (all)
        *count = kept;
}

static void after_offset_fetch(struct request *rq)
{
    const struct offset_fetch_request *in = rq->in;
    struct offset_fetch_response *out = rq->out;
    if (rq->version < 8) {
        offset_fetch_topics(rq, in->group_id, out->topics, &out->topics_count, &out->error_code);
        offset_fetch_hide(in->topics_count < 0, out->topics, &out->topics_count);
        return;
    }
    for (int32_t i = 0; i < out->groups_count; i++) {
        struct offset_fetch_response_group *g = &out->groups[i];
        bool all = i < in->groups_count && in->groups[i].topics_count < 0;
        offset_fetch_topics(rq, g->group_id, g->topics, &g->topics_count, &g->error_code);
        offset_fetch_hide(all, g->topics, &g->topics_count);
    }
}

static void after_create_topics(struct request *rq)
{
    struct create_topics_response *out = rq->out;
    for (int32_t i = 0; i < out->topics_count; i++) {
        struct create_topics_response_topic *t = &out->topics[i];
        if (t->error_code == KERR_TOPIC_AUTHORIZATION_FAILED)
            t->error_message = SL("Authorization failed.");
        if (t->error_code || request_allowed(rq, ACL_DESCRIBE_CONFIGS, ACL_TOPIC, t->name))
            continue;
        t->topic_config_error_code = KERR_TOPIC_AUTHORIZATION_FAILED;
        t->num_partitions = -1;
        t->replication_factor = -1;
        t->configs_count = 0;
    }
}

static void after_describe_groups(struct request *rq)
{
    const struct describe_groups_request *in = rq->in;
    struct describe_groups_response *out = rq->out;
    for (int32_t i = 0; in->include_authorized_operations && i < out->groups_count; i++) {
        if (out->groups[i].error_code != KERR_GROUP_AUTHORIZATION_FAILED)
            out->groups[i].authorized_operations =
                request_operations(rq, ACL_GROUP, out->groups[i].group_id);
    }
}

static bool may_see(struct request *rq, const struct described_set *assignment)
{
    for (int32_t i = 0; i < assignment->topic_partitions_count; i++) {
        if (!request_allowed(rq, ACL_DESCRIBE, ACL_TOPIC,
                             assignment->topic_partitions[i].topic_name))
            return false;
    }
    return true;
}

/* A group is shown only to who may see all topics that its members have. */
static void hide_members(struct request *rq, struct consumer_group_describe_response_group *g)
{
    bool seen = true;
    for (int32_t i = 0; i < g->members_count && seen; i++)
        seen =
            may_see(rq, &g->members[i].assignment) && may_see(rq, &g->members[i].target_assignment);
    if (seen)
        return;
    g->error_code = KERR_TOPIC_AUTHORIZATION_FAILED;
    g->error_message =
        SL("The group has described topic(s) that the client is not authorized to describe.");
    g->members_count = 0;
}

static void after_consumer_group_describe(struct request *rq)
{
    const struct consumer_group_describe_request *in = rq->in;
    struct consumer_group_describe_response *out = rq->out;
    for (int32_t i = 0; i < out->groups_count; i++) {
        struct consumer_group_describe_response_group *g = &out->groups[i];
        if (g->error_code == KERR_GROUP_AUTHORIZATION_FAILED)
            continue;
        hide_members(rq, g);
        if (in->include_authorized_operations)
            g->authorized_operations = request_operations(rq, ACL_GROUP, g->group_id);
    }
}

static void after_describe_transactions(struct request *rq)
{
    struct describe_transactions_response *out = rq->out;
    for (int32_t i = 0; i < out->transaction_states_count; i++) {
        struct describe_transactions_response_transaction *t = &out->transaction_states[i];
        int32_t kept = 0;
        for (int32_t k = 0; k < t->topics_count; k++) {
            if (request_allowed(rq, ACL_DESCRIBE, ACL_TOPIC, t->topics[k].topic))
                t->topics[kept++] = t->topics[k];
        }
        t->topics_count = MIN(kept, t->topics_count);
    }
}

/* One topic that may not be written fails all: the others say that nothing was tried. */
static bool before_add_partitions(struct request *rq)
{
    const struct add_partitions_to_txn_request *in = rq->in;
    struct add_partitions_to_txn_response *out = rq->out;
    if (rq->version >= 4) { /* brokers among themselves */
        out->error_code = guard_judge(rq, ACL_CLUSTER_ACTION, ACL_CLUSTER, ACL_CLUSTER_NAME);
        if (out->error_code)
            request_reply(rq);
        return !out->error_code;
    }
    int16_t whole =
        guard_judge(rq, ACL_WRITE, ACL_TRANSACTIONAL_ID, in->v3_and_below_transactional_id);
    bool bad = whole != 0;
    int32_t n = MAX(in->v3_and_below_topics_count, 0);
    for (int32_t i = 0; i < n && !bad; i++)
        bad = guard_judge(rq, ACL_WRITE, ACL_TOPIC, in->v3_and_below_topics[i].name) != 0;
    if (!bad)
        return true;
    out->results_by_topic_v3_and_below_count = n;
    out->results_by_topic_v3_and_below = add_partitions_to_txn_response_topic_array(&rq->arena, n);
    for (int32_t i = 0; i < n; i++) {
        const struct add_partitions_to_txn_request_topic *from = &in->v3_and_below_topics[i];
        struct add_partitions_to_txn_response_topic *to = &out->results_by_topic_v3_and_below[i];
        int16_t code = whole ? whole : guard_judge(rq, ACL_WRITE, ACL_TOPIC, from->name);
        to->name = from->name;
        to->results_by_partition_count = MAX(from->partitions_count, 0);
        to->results_by_partition = add_partitions_to_txn_response_partition_array(
            &rq->arena, to->results_by_partition_count);
        for (int32_t p = 0; p < to->results_by_partition_count; p++) {
            to->results_by_partition[p].partition_index = from->partitions[p];
            to->results_by_partition[p].partition_error_code =
                code ? code : KERR_OPERATION_NOT_ATTEMPTED;
        }
    }
    request_reply(rq);
    return false;
}

static bool before_init_producer_id(struct request *rq)
{
    const struct init_producer_id_request *in = rq->in;
    struct init_producer_id_response *out = rq->out;
    if (in->transactional_id.p || request_allowed_cluster(rq, ACL_IDEMPOTENT_WRITE) ||
        request_allowed_some(rq, ACL_WRITE, ACL_TOPIC))
        return true;
    out->error_code = KERR_CLUSTER_AUTHORIZATION_FAILED;
    request_reply(rq);
    return false;
}

/* --- ConsumerGroupHeartbeat: a pattern must not find what the client may not see. Topics that are
 * there are judged when it subscribes, later ones when they would be told. A pattern that is wrong
 * or takes too long is the coordinator's to refuse.
 */

static int16_t judge_found(struct request *rq, struct topic_regex *regex)
{
    struct topic_regex_scan scan = {.regex = regex};
    struct topic **v;
    size_t n;
    int16_t code = KERR_NONE;
    if (topics_list(rq->broker->topics, &rq->arena, &v, &n) != E_OK)
        return KERR_TOPIC_AUTHORIZATION_FAILED;
    for (size_t i = 0; i < n; i++) {
        if (code == KERR_NONE && topic_regex_scan_matches(&scan, topic_name(v[i])))
            code = guard_judge(rq, ACL_DESCRIBE, ACL_TOPIC, topic_name(v[i]));
        topic_unref(v[i]);
    }
    return code;
}

static int16_t judge_pattern(struct request *rq, struct slice pattern)
{
    struct topic_regex *regex;
    struct error e;
    if (pattern.n == 0 || topic_regex_new(&regex, pattern, &e) != E_OK)
        return KERR_NONE;
    int16_t code = judge_found(rq, regex);
    topic_regex_free(regex);
    return code;
}

static void after_consumer_group_heartbeat(struct request *rq)
{
    struct consumer_group_heartbeat_response *out = rq->out;
    bool denied = false;
    for (int32_t i = 0; i < out->assignment.topic_partitions_count && !denied; i++) {
        struct topic *t =
            topics_get_id(rq->broker->topics, &out->assignment.topic_partitions[i].topic_id);
        denied = t && guard_judge(rq, ACL_DESCRIBE, ACL_TOPIC, topic_name(t)) != KERR_NONE;
        topic_unref(t);
    }
    if (!denied)
        return;
    consumer_group_heartbeat_response_init(out);
    out->error_code = KERR_TOPIC_AUTHORIZATION_FAILED;
}

static bool before_consumer_group_heartbeat(struct request *rq)
{
    const struct consumer_group_heartbeat_request *in = rq->in;
    struct consumer_group_heartbeat_response *out = rq->out;
    for (int32_t i = 0; i < in->subscribed_topic_names_count; i++)
        out->error_code = out->error_code ? out->error_code
                                          : guard_judge(rq, ACL_DESCRIBE, ACL_TOPIC,
                                                        in->subscribed_topic_names[i]);
    if (!out->error_code)
        out->error_code = judge_pattern(rq, in->subscribed_topic_regex);
    if (out->error_code)
        request_reply(rq);
    return !out->error_code;
}

static bool before_find_coordinator(struct request *rq)
{
    const struct find_coordinator_request *in = rq->in;
    struct find_coordinator_response *out = rq->out;
    if (rq->version >= 4)
        return true; /* each key is judged by itself */
    out->error_code = guard_may_find(rq, NULL, in->key);
    if (!out->error_code)
        return true;
    out->node_id = -1;
    out->port = -1;
    request_reply(rq);
    return false;
}

static void after_find_coordinator(struct request *rq)
{
    struct find_coordinator_response *out = rq->out;
    for (int32_t i = 0; i < out->coordinators_count; i++) {
        if (out->coordinators[i].error_code) {
            out->coordinators[i].node_id = -1;
            out->coordinators[i].port = -1;
        }
    }
}

/* What only brokers among themselves, or administrators, do. */
static bool before_write_txn_markers(struct request *rq)
{
    const struct write_txn_markers_request *in = rq->in;
    struct write_txn_markers_response *out = rq->out;
    if (request_allowed_cluster(rq, ACL_ALTER) || request_allowed_cluster(rq, ACL_CLUSTER_ACTION))
        return true;
    out->markers_count = MAX(in->markers_count, 0);
    out->markers = write_txn_markers_response_marker_array(&rq->arena, out->markers_count);
    for (int32_t i = 0; i < out->markers_count; i++) {
        const struct write_txn_markers_request_marker *m = &in->markers[i];
        struct write_txn_markers_response_marker *to = &out->markers[i];
        to->producer_id = m->producer_id;
        to->topics_count = MAX(m->topics_count, 0);
        to->topics = write_txn_markers_response_topic_array(&rq->arena, to->topics_count);
        for (int32_t t = 0; t < to->topics_count; t++) {
            struct write_txn_markers_response_topic *row = &to->topics[t];
            row->name = m->topics[t].name;
            row->partitions_count = MAX(m->topics[t].partition_indexes_count, 0);
            row->partitions =
                write_txn_markers_response_partition_array(&rq->arena, row->partitions_count);
            for (int32_t p = 0; p < row->partitions_count; p++) {
                row->partitions[p].partition_index = m->topics[t].partition_indexes[p];
                row->partitions[p].error_code = KERR_CLUSTER_AUTHORIZATION_FAILED;
            }
        }
    }
    request_reply(rq);
    return false;
}

static bool before_alter_replica_log_dirs(struct request *rq)
{
    const struct alter_replica_log_dirs_request *in = rq->in;
    struct alter_replica_log_dirs_response *out = rq->out;
    int32_t n = 0;
    if (request_allowed_cluster(rq, ACL_ALTER))
        return true;
    for (int32_t d = 0; d < in->dirs_count; d++)
        n += MAX(in->dirs[d].topics_count, 0);
    out->results = alter_replica_log_dirs_response_topic_array(&rq->arena, n);
    for (int32_t d = 0; d < in->dirs_count; d++) {
        for (int32_t t = 0; t < in->dirs[d].topics_count; t++) {
            const struct alter_replica_log_dirs_request_topic *from = &in->dirs[d].topics[t];
            struct alter_replica_log_dirs_response_topic *row = &out->results[out->results_count++];
            row->topic_name = from->name;
            row->partitions_count = MAX(from->partitions_count, 0);
            row->partitions =
                alter_replica_log_dirs_response_partition_array(&rq->arena, row->partitions_count);
            for (int32_t p = 0; p < row->partitions_count; p++) {
                row->partitions[p].partition_index = from->partitions[p];
                row->partitions[p].error_code = KERR_CLUSTER_AUTHORIZATION_FAILED;
            }
        }
    }
    request_reply(rq);
    return false;
}

static const struct more {
    int16_t key;
    bool (*before)(struct request *rq);
    void (*after)(struct request *rq);
} more[] = {
    {KAPI_OFFSET_FETCH, NULL, after_offset_fetch},
    {KAPI_CREATE_TOPICS, NULL, after_create_topics},
    {KAPI_DESCRIBE_GROUPS, NULL, after_describe_groups},
    {KAPI_CONSUMER_GROUP_DESCRIBE, NULL, after_consumer_group_describe},
    {KAPI_DESCRIBE_TRANSACTIONS, NULL, after_describe_transactions},
    {KAPI_ADD_PARTITIONS_TO_TXN, before_add_partitions, NULL},
    {KAPI_WRITE_TXN_MARKERS, before_write_txn_markers, NULL},
    {KAPI_ALTER_REPLICA_LOG_DIRS, before_alter_replica_log_dirs, NULL},
    {KAPI_INIT_PRODUCER_ID, before_init_producer_id, NULL},
    {KAPI_CONSUMER_GROUP_HEARTBEAT, before_consumer_group_heartbeat,
     after_consumer_group_heartbeat},
    {KAPI_FIND_COORDINATOR, before_find_coordinator, after_find_coordinator},
};

bool guard_special_before(struct request *rq)
{
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        if (more[i].key == rq->api->key && more[i].before)
            return more[i].before(rq);
    }
    return true;
}

void guard_special_after(struct request *rq)
{
    for (size_t i = 0; i < ARRAY_LEN(more); i++) {
        if (more[i].key == rq->api->key && more[i].after)
            more[i].after(rq);
    }
}
