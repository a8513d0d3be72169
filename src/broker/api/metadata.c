/* broker/api/metadata.c - what a client asks first: ApiVersions, Metadata, DescribeCluster,
 * DescribeTopicPartitions.
 *
 * Metadata never touches the disk, except that it may create a topic: that happens on the pool, and
 * the answer is made when the topics are there. SPEC: broker 9.3, 9.5, 10. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/log.h"
#include "broker/api/repeats.h"
#include "broker/features.h"
#include "broker/security/access.h"
#include "broker/topic.h"

#include <stdlib.h>

/* --- ApiVersions ------------------------------------------------------------------------------ */

/* [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])? */
static bool is_software_text(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool inner = i > 0 && i + 1 < s.n && (c == '-' || c == '.');
        if (!alnum && !inner)
            return false;
    }
    return s.n > 0;
}

static void list_features(struct request *rq, struct api_versions_response *out)
{
    size_t n;
    const struct broker_feature *features = broker_features(&n);
    out->supported_features = api_versions_response_feature_array(&rq->arena, (int32_t)n);
    out->finalized_features = api_versions_response_finalized_array(&rq->arena, (int32_t)n);
    out->finalized_features_epoch = broker_topics_generation(rq->broker);
    for (size_t i = 0; i < n; i++) {
        if (rq->version >= 4 || features[i].min > 0) { /* older Java refuses a minimum of 0 */
            struct api_versions_response_feature *f =
                &out->supported_features[out->supported_features_count++];
            f->name = slice_cstr(features[i].name);
            f->min_version = features[i].min;
            f->max_version = features[i].max;
        }
        if (features[i].level) {
            struct api_versions_response_finalized *f =
                &out->finalized_features[out->finalized_features_count++];
            f->name = slice_cstr(features[i].name);
            f->min_version_level = f->max_version_level = features[i].level;
        }
    }
}

void api_api_versions(struct request *rq)
{
    const struct api_versions_request *in = rq->in;
    struct api_versions_response *out = rq->out;
    if (rq->version >= 3 && (!is_software_text(in->client_software_name) ||
                             !is_software_text(in->client_software_version))) {
        out->error_code = KERR_INVALID_REQUEST;
        request_reply(rq);
        return;
    }
    if (rq->version >= 3)
        snprintf(rq->conn->software, sizeof rq->conn->software, PRI_SL " " PRI_SL,
                 ARG_SL(in->client_software_name), ARG_SL(in->client_software_version));
    const struct msg_api *api;
    out->api_keys = api_versions_response_key_array(&rq->arena, KAPI_LIMIT);
    for (size_t i = 0; (api = msg_api_at(i)); i++) {
        if (api->min > api->max || !api_handler(api->key))
            continue;
        struct api_versions_response_key *k = &out->api_keys[out->api_keys_count++];
        k->api_key = api->key;
        k->min_version = api->min;
        k->max_version = api->max;
    }
    list_features(rq, out);
    request_reply(rq);
}

/* --- Metadata --------------------------------------------------------------------------------- */

static void fill_partition(struct request *rq, struct topic *t, int32_t id,
                           struct metadata_response_partition *out)
{
    struct placement place;
    int32_t offline[REPLICAS_MAX];
    struct broker_ids ids = brokers_ids(&rq->broker->brokers);
    struct partition *p = topic_partition(t, id);
    partition_placement(p, &place);
    partition_unref(p);
    out->partition_index = id;
    out->error_code = place.leader < 0 ? KERR_LEADER_NOT_AVAILABLE : KERR_NONE;
    out->leader_id = place.leader;
    out->leader_epoch = place.epoch;
    out->replica_nodes = api_ids(rq, place.replicas, place.replica_count);
    out->replica_nodes_count = place.replica_count;
    out->isr_nodes = api_ids(rq, place.isr, place.isr_count);
    out->isr_nodes_count = place.isr_count;
    out->offline_replicas_count = placement_offline(&place, &ids, offline);
    out->offline_replicas = api_ids(rq, offline, out->offline_replicas_count);
}

static void fill_topic(struct request *rq, struct topic *t, struct metadata_response_topic *out)
{
    out->name = arena_dup(&rq->arena, topic_name(t));
    out->topic_id = topic_id(t);
    out->is_internal = topic_is_internal(t);
    out->partitions_count = topic_partition_count(t);
    out->partitions = metadata_response_partition_array(&rq->arena, out->partitions_count);
    for (int32_t i = 0; i < out->partitions_count; i++)
        fill_partition(rq, t, i, &out->partitions[i]);
}

static void fill_named(struct request *rq, const struct metadata_request_topic *in,
                       struct metadata_response_topic *out)
{
    struct error e;
    struct topic *t = NULL;
    out->name = in->name;
    out->topic_id = in->topic_id;
    if (!in->name.p) {
        t = topics_get_id(rq->broker->topics, &in->topic_id);
        if (!t)
            out->error_code = KERR_UNKNOWN_TOPIC_ID;
    } else {
        t = topics_get(rq->broker->topics, in->name);
        if (!t)
            out->error_code = topic_name_check(in->name, &e) == E_OK
                                  ? KERR_UNKNOWN_TOPIC_OR_PARTITION
                                  : KERR_INVALID_TOPIC_EXCEPTION;
    }
    if (t)
        fill_topic(rq, t, out);
    topic_unref(t);
}

/* Each name or id is answered once. */
static const uint8_t *repeated(struct request *rq)
{
    const struct metadata_request *in = rq->in;
    struct slice *keys = repeats_keys(&rq->arena, in->topics_count);
    for (int32_t i = 0; i < in->topics_count; i++)
        keys[i] = in->topics[i].name.p ? in->topics[i].name
                                       : slice_of(&in->topics[i].topic_id, sizeof(struct uuid));
    return repeats_of(&rq->arena, keys, in->topics_count);
}

static enum err fill_topics(struct request *rq, bool all)
{
    const struct metadata_request *in = rq->in;
    struct metadata_response *out = rq->out;
    if (!all) {
        const uint8_t *again = repeated(rq);
        out->topics = metadata_response_topic_array(&rq->arena, MAX(in->topics_count, 0));
        for (int32_t i = 0; i < in->topics_count; i++) {
            if (again[i] != REPEAT_EARLIER)
                fill_named(rq, &in->topics[i], &out->topics[out->topics_count++]);
        }
        return E_OK;
    }
    struct topic **v;
    size_t n;
    enum err r = topics_list(rq->broker->topics, &rq->arena, &v, &n);
    if (r != E_OK)
        return r;
    out->topics_count = (int32_t)n;
    out->topics = metadata_response_topic_array(&rq->arena, out->topics_count);
    for (size_t i = 0; i < n; i++) {
        fill_topic(rq, v[i], &out->topics[i]);
        topic_unref(v[i]);
    }
    return E_OK;
}

/* A client that only ever asks for Metadata does not reach what it was told. SPEC: broker 11.1 */
static void notice(struct request *rq, const struct metadata_response *out)
{
    char ip[INET6_ADDRSTRLEN];
    if (rq->conn->works || out->brokers_count == 0)
        return;
    sockaddr_ip(&rq->conn->peer, ip);
    if (!diagnosis_metadata(&rq->broker->diagnosis, ip))
        return;
    LOG_WARN(LOG_BROKER_CONN,
             "the client at %s keeps asking where the broker is and never comes there: it was "
             "told " PRI_SL
             ":%d, which it may not reach; advertised.listeners (or advertise.name) says another "
             "address listener=%s",
             ip, ARG_SL(out->brokers[0].host), out->brokers[0].port, rq->conn->listener->name);
}

static void answer_metadata(void *arg)
{
    struct request *rq = arg;
    const struct metadata_request *in = rq->in;
    struct metadata_response *out = rq->out;
    if (!rq->conn) {
        request_drop(rq);
        return;
    }
    struct api_endpoint v[BROKERS_MAX];
    out->brokers_count = api_endpoints(rq, UINT32_MAX, v);
    out->brokers = metadata_response_broker_array(&rq->arena, out->brokers_count);
    for (int32_t i = 0; i < out->brokers_count; i++) {
        out->brokers[i].node_id = v[i].node_id;
        out->brokers[i].host = v[i].host;
        out->brokers[i].port = v[i].port;
        out->brokers[i].rack = rq->broker->o->rack;
    }
    out->cluster_id = slice_cstr(rq->broker->cluster_id);
    out->controller_id = brokers_controller(&rq->broker->brokers);
    notice(rq, out);
    if (in->include_cluster_authorized_operations)
        out->cluster_authorized_operations = request_operations(rq, ACL_CLUSTER, ACL_CLUSTER_NAME);
    bool all = in->topics_count < 0 || (rq->version == 0 && in->topics_count == 0);
    if (fill_topics(rq, all) != E_OK) {
        request_close(rq, "no memory for the list of topics");
        return;
    }
    for (int32_t i = 0; in->include_topic_authorized_operations && i < out->topics_count; i++)
        out->topics[i].topic_authorized_operations =
            request_operations(rq, ACL_TOPIC, out->topics[i].name);
    request_reply(rq);
}

static bool must_create(struct request *rq, const struct metadata_request_topic *in)
{
    struct error e;
    if (!in->name.p || topic_name_check(in->name, &e) != E_OK || topic_name_is_internal(in->name))
        return false;
    struct topic *t = topics_get(rq->broker->topics, in->name);
    topic_unref(t);
    return t == NULL;
}

/* On the pool. Other requests may create the same topic meanwhile, which is as good. */
static void create_missing(void *arg)
{
    struct request *rq = arg;
    const struct metadata_request *in = rq->in;
    for (int32_t i = 0; i < in->topics_count; i++) {
        struct error e;
        if (!must_create(rq, &in->topics[i]))
            continue;
        struct broker_topic_spec spec = {.name = in->topics[i].name,
                                         .partitions = -1,
                                         .replication_factor = -1,
                                         .asked_by = rq->state};
        enum err r = broker_topic_create(rq->broker, &spec, &e);
        if (r != E_OK && r != E_EXISTS)
            LOG_ERR(LOG_BROKER, LOG_L_WARN, &e, "topic " PRI_SL " could not be created",
                    ARG_SL(spec.name));
    }
}

void api_metadata(struct request *rq)
{
    const struct metadata_request *in = rq->in;
    bool create = false;
    for (int32_t i = 0; i < in->topics_count; i++) {
        const struct metadata_request_topic *t = &in->topics[i];
        bool by_id = !t->name.p || !uuid_is_zero(&t->topic_id);
        if (by_id && rq->version >= 10 && rq->version < 12) {
            struct metadata_response *out = rq->out;
            out->topics_count = 1;
            out->topics = metadata_response_topic_array(&rq->arena, 1);
            out->topics[0].name = t->name.p ? t->name : SL("");
            out->topics[0].topic_id = t->topic_id;
            out->topics[0].error_code = KERR_INVALID_REQUEST;
            request_reply(rq);
            return;
        }
        create |= in->allow_auto_topic_creation && rq->broker->o->auto_create_topics &&
                  must_create(rq, t);
    }
    if (!create) {
        answer_metadata(rq);
        return;
    }
    rq->state =
        arena_printf(&rq->arena, "a client that asked for it client_id=" PRI_SL " host=" PRI_SL,
                     ARG_SL(rq->client_id), ARG_SL(request_client_host(rq)));
    pool_submit(rq->broker->pool, NULL, create_missing, rq->bl->loop, answer_metadata, rq);
}

/* --- DescribeCluster -------------------------------------------------------------------------- */

void api_describe_cluster(struct request *rq)
{
    const struct describe_cluster_request *in = rq->in;
    struct describe_cluster_response *out = rq->out;
    if (in->endpoint_type != 1) {
        out->error_code =
            in->endpoint_type == 2 ? KERR_MISMATCHED_ENDPOINT_TYPE : KERR_UNSUPPORTED_ENDPOINT_TYPE;
        out->error_message = in->endpoint_type == 2 ? SL("The request was sent to an endpoint of "
                                                         "type BROKER, but we wanted an endpoint "
                                                         "of type CONTROLLER")
                                                    : SL("Unsupported endpoint type");
        request_reply(rq);
        return;
    }
    struct api_endpoint v[BROKERS_MAX];
    out->cluster_id = slice_cstr(rq->broker->cluster_id);
    out->controller_id = brokers_controller(&rq->broker->brokers);
    out->brokers_count = api_endpoints(rq, UINT32_MAX, v);
    out->brokers = describe_cluster_response_broker_array(&rq->arena, out->brokers_count);
    for (int32_t i = 0; i < out->brokers_count; i++) {
        out->brokers[i].broker_id = v[i].node_id;
        out->brokers[i].host = v[i].host;
        out->brokers[i].port = v[i].port;
        out->brokers[i].rack = rq->broker->o->rack;
    }
    if (in->include_cluster_authorized_operations)
        out->cluster_authorized_operations = request_operations(rq, ACL_CLUSTER, ACL_CLUSTER_NAME);
    request_reply(rq);
}

/* --- DescribeTopicPartitions ------------------------------------------------------------------ */

struct dtp_page {
    struct request *rq;
    int32_t left;
    bool full;
};

static void dtp_partition(struct request *rq, struct topic *t, int32_t id,
                          struct describe_topic_partitions_response_partition *out)
{
    struct placement place;
    int32_t offline[REPLICAS_MAX];
    struct broker_ids ids = brokers_ids(&rq->broker->brokers);
    struct partition *p = topic_partition(t, id);
    partition_placement(p, &place);
    partition_unref(p);
    out->error_code = place.leader < 0 ? KERR_LEADER_NOT_AVAILABLE : KERR_NONE;
    out->partition_index = id;
    out->leader_id = place.leader;
    out->leader_epoch = place.epoch;
    out->replica_nodes = api_ids(rq, place.replicas, place.replica_count);
    out->replica_nodes_count = place.replica_count;
    out->isr_nodes = api_ids(rq, place.isr, place.isr_count);
    out->isr_nodes_count = place.isr_count;
    out->offline_replicas_count = placement_offline(&place, &ids, offline);
    out->offline_replicas = api_ids(rq, offline, out->offline_replicas_count);
    if (!brokers_are_several(&rq->broker->brokers))
        return;
    out->eligible_leader_replicas = api_ids(rq, place.elr, place.elr_count);
    out->eligible_leader_replicas_count = place.elr_count;
    out->last_known_elr_count = place.leader < 0 && place.elr_count ? 1 : 0;
    out->last_known_elr = api_ids(rq, place.elr_count ? &place.elr[place.elr_count - 1] : place.elr,
                                  out->last_known_elr_count);
}

static void dtp_topic(struct dtp_page *page, struct slice name, int32_t from)
{
    struct request *rq = page->rq;
    struct describe_topic_partitions_response *out = rq->out;
    struct topic *t = topics_get(rq->broker->topics, name);
    struct describe_topic_partitions_response_topic *to = &out->topics[out->topics_count++];
    struct error e;
    to->name = arena_dup(&rq->arena, name);
    to->topic_authorized_operations = request_operations(rq, ACL_TOPIC, to->name);
    if (!t) {
        to->error_code = topic_name_check(name, &e) == E_OK ? KERR_UNKNOWN_TOPIC_OR_PARTITION
                                                            : KERR_INVALID_TOPIC_EXCEPTION;
        return;
    }
    int32_t total = topic_partition_count(t), n = MIN(MAX(total - from, 0), page->left);
    to->topic_id = topic_id(t);
    to->is_internal = topic_is_internal(t);
    to->partitions_count = n;
    to->partitions = describe_topic_partitions_response_partition_array(&rq->arena, n);
    for (int32_t i = 0; i < n; i++)
        dtp_partition(rq, t, from + i, &to->partitions[i]);
    page->left -= n;
    if (from + n < total) {
        page->full = true;
        out->has_next_cursor = true;
        out->next_cursor.topic_name = to->name;
        out->next_cursor.partition_index = from + n;
    }
    topic_unref(t);
}

static int by_slice(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

void api_describe_topic_partitions(struct request *rq)
{
    const struct describe_topic_partitions_request *in = rq->in;
    struct describe_topic_partitions_response *out = rq->out;
    int64_t most =
        broker_setting_number(&rq->broker->settings, "max.request.partition.size.limit", 2000);
    int32_t limit = (int32_t)MIN(in->response_partition_limit, most);
    struct dtp_page page = {rq, MAX(limit, 1), false};
    struct slice *names;
    size_t n = 0;
    if (in->topics_count > 0) {
        names = arena_alloc(&rq->arena, (size_t)in->topics_count * sizeof *names);
        for (int32_t i = 0; i < in->topics_count; i++)
            names[n++] = in->topics[i].name;
        qsort(names, n, sizeof *names, by_slice);
    } else {
        struct topic **v;
        if (topics_list(rq->broker->topics, &rq->arena, &v, &n) != E_OK) {
            request_close(rq, "no memory for the list of topics");
            return;
        }
        names = arena_alloc(&rq->arena, (n + 1) * sizeof *names);
        for (size_t i = 0; i < n; i++) {
            names[i] = arena_dup(&rq->arena, topic_name(v[i]));
            topic_unref(v[i]);
        }
    }
    out->topics = describe_topic_partitions_response_topic_array(&rq->arena, (int32_t)n);
    for (size_t i = 0; i < n && !page.full; i++) {
        if (in->has_cursor && slice_cmp(names[i], in->cursor.topic_name) < 0)
            continue;
        if (i > 0 && slice_eq(names[i], names[i - 1]))
            continue;
        bool at_cursor = in->has_cursor && slice_eq(names[i], in->cursor.topic_name);
        if (page.left == 0) {
            out->has_next_cursor = true;
            out->next_cursor.topic_name = names[i];
            out->next_cursor.partition_index = 0;
            break;
        }
        dtp_topic(&page, names[i], at_cursor ? MAX(in->cursor.partition_index, 0) : 0);
    }
    request_reply(rq);
}
