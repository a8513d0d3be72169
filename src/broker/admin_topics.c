/* broker/admin_topics.c - topics for in-process users and for the handlers of the same calls: list,
 * create, delete, partitions, records. Texts and codes are Kafka's. SPEC: broker 9. */
#include "broker/admin.h"

#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/broker_state.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"
#include "broker/txn/txn_coord.h"

static enum err unknown_topic(struct error *e)
{
    return kerr_error(e, E_NOT_FOUND, KERR_UNKNOWN_TOPIC_OR_PARTITION, "%s",
                      kerr_message(KERR_UNKNOWN_TOPIC_OR_PARTITION));
}

/* --- looking ---------------------------------------------------------------------------------- */

void broker_info(struct broker *b, struct broker_info *out)
{
    *out = (struct broker_info){.version = WEIR_VERSION,
                                .node_id = b->o->node_id,
                                .started_ms = b->started_ms,
                                .partitions = (int64_t)topics_partition_count(b->topics),
                                .groups = (int64_t)coord_group_count(b->coord),
                                .log_bytes = topics_bytes(b->topics),
                                .records_in = atomic_load(&b->records_in),
                                .topics_generation = topics_generation(b->topics)};
    snprintf(out->cluster_id, sizeof out->cluster_id, "%s", b->cluster_id);
    for (int i = 0; i < b->loop_count; i++) {
        struct conn_stats *s = &b->loops[i].conns.stats;
        out->connections += atomic_load(&s->open);
        out->bytes_in += atomic_load(&s->bytes_in);
        out->bytes_out += atomic_load(&s->bytes_out);
    }
    struct arena a;
    struct topic **v;
    size_t n;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (topics_list(b->topics, &a, &v, &n) == E_OK) {
        out->topics = (int64_t)n;
        for (size_t i = 0; i < n; i++)
            topic_unref(v[i]);
    }
    arena_release(&a);
}

int64_t broker_topics_generation(struct broker *b)
{
    return topics_generation(b->topics);
}

void broker_partition_view(struct broker *b, struct partition *p, struct broker_partition_info *out)
{
    struct partition_offsets o;
    struct placement place;
    (void)b;
    partition_offsets(p, &o);
    partition_placement(p, &place);
    *out = (struct broker_partition_info){.id = partition_id(p),
                                          .leader = place.leader,
                                          .leader_epoch = place.epoch,
                                          .replica_count = place.replica_count,
                                          .isr_count = place.isr_count,
                                          .start_offset = o.start,
                                          .end_offset = o.end,
                                          .last_stable_offset = o.stable};
    memcpy(out->replicas, place.replicas, sizeof place.replicas);
    memcpy(out->isr, place.isr, sizeof place.isr);
    partition_size(p, &out->bytes, &out->segments);
}

static void view(struct broker *b, struct topic *t, struct arena *a, struct broker_topic_info *out)
{
    const struct topic_config *c = topic_config(t);
    *out = (struct broker_topic_info){
        .name = arena_dup(a, topic_name(t)),
        .id = topic_id(t),
        .internal = topic_is_internal(t),
        .replication_factor = 1,
        .partition_count = topic_partition_count(t),
        .max_message_bytes = c->max_message_bytes_set ? c->max_message_bytes : -1,
        .cleanup_policy = c->cleanup_compact && c->cleanup_delete ? SL("compact,delete")
                          : c->cleanup_compact                    ? SL("compact")
                                                                  : SL("delete")};
    out->partitions = arena_calloc(a, (size_t)out->partition_count + 1, sizeof *out->partitions);
    for (int32_t i = 0; i < out->partition_count; i++) {
        struct partition *p = topic_partition(t, i);
        if (!p)
            continue;
        broker_partition_view(b, p, &out->partitions[i]);
        out->bytes += out->partitions[i].bytes;
        if (i == 0)
            out->replication_factor = (int16_t)out->partitions[i].replica_count;
        partition_unref(p);
    }
}

enum err broker_topics(struct broker *b, struct arena *a, struct broker_topic_info **out,
                       size_t *count, struct error *e)
{
    struct topic **v;
    enum err r = topics_list(b->topics, a, &v, count);
    if (r != E_OK)
        return error_set(e, r, "no memory for a list of topics");
    *out = arena_calloc(a, *count + 1, sizeof **out);
    for (size_t i = 0; i < *count; i++) {
        view(b, v[i], a, &(*out)[i]);
        topic_unref(v[i]);
    }
    return E_OK;
}

enum err broker_topic(struct broker *b, struct slice name, struct arena *a,
                      struct broker_topic_info *out, struct error *e)
{
    struct topic *t = topics_get(b->topics, name);
    if (!t)
        return unknown_topic(e);
    view(b, t, a, out);
    topic_unref(t);
    return E_OK;
}

/* --- changing --------------------------------------------------------------------------------- */

_Static_assert(REPLICAS_MAX == ARRAY_LEN(((struct broker_partition_info *)0)->replicas),
               "admin.h has room for all replicas");

/* *out: the factor to use, which replication.factor.clamp may have lowered. */
static enum err check_replication(struct broker *b, const struct broker_topic_spec *spec,
                                  int32_t *out, struct error *e)
{
    int32_t factor = spec->replication_factor, most = b->brokers.count;
    if (factor == -1)
        factor = MIN(b->o->default_replication_factor, most);
    *out = factor;
    if (factor == 0 || factor < -1)
        return kerr_error(
            e, E_INVALID, KERR_INVALID_REPLICATION_FACTOR, "%s",
            "Replication factor must be larger than 0, or -1 to use the default value.");
    if (factor <= most)
        return E_OK;
    *out = most;
    if (!b->o->replication_factor_clamp) {
        return kerr_error(
            e, E_INVALID, KERR_INVALID_REPLICATION_FACTOR,
            "Unable to replicate the partition %d time(s): The target replication factor of "
            "%d cannot be reached because only %d broker(s) are registered.",
            factor, factor, most);
    }
    if (!spec->validate_only)
        LOG_INFO(LOG_BROKER,
                 "topic " PRI_SL ": replication factor %d was asked for; with %d broker%s it is %d",
                 ARG_SL(spec->name), factor, most, most == 1 ? "" : "s", most);
    return E_OK;
}

/* Replicas given by hand. */
static enum err check_assignments(struct broker *b, const struct broker_topic_spec *spec,
                                  int32_t count, struct placement *out, struct error *e)
{
    struct broker_ids ids = brokers_ids(&b->brokers);
    for (int32_t i = 0; i < count; i++) {
        const int32_t *v = spec->assignments[i];
        enum err r = brokers_check_replicas(&b->brokers, v, spec->assignment_counts[i], e);
        if (r == E_OK && spec->assignment_counts[i] != spec->assignment_counts[0])
            r = kerr_error(
                e, E_INVALID, KERR_INVALID_REPLICA_ASSIGNMENT, "%s",
                "The manual partition assignment has partitions with different replication "
                "factors.");
        if (r == E_OK && !placement_manual(&ids, v, spec->assignment_counts[i], &out[i]))
            r = kerr_error(
                e, E_INVALID, KERR_INVALID_REPLICA_ASSIGNMENT, "%s",
                "All brokers specified in the manual partition assignment for a partition "
                "are fenced or in controlled shutdown.");
        if (r != E_OK)
            return r;
    }
    return E_OK;
}

/* Where the partitions go; NULL in *out when there is one broker. The caller frees. `change` of
 * the brokers is held. */
static enum err place(struct broker *b, const struct broker_topic_spec *spec, int32_t factor,
                      int32_t from, int32_t count, struct placement **out, struct error *e)
{
    *out = NULL;
    if (!brokers_are_several(&b->brokers))
        return E_OK;
    if (count > b->o->max_partitions)
        return E_OK; /* refused by who makes them */
    struct placement *v = xcalloc((size_t)count + 1, sizeof *v);
    enum err r = spec && spec->assignments ? check_assignments(b, spec, count, v, e)
                                           : brokers_spread(&b->brokers, factor, from, v, count, e);
    if (r == E_OK)
        *out = v;
    else
        mem_free(v);
    return r;
}

enum err broker_topic_create(struct broker *b, const struct broker_topic_spec *spec,
                             struct error *e)
{
    struct error own;
    if (!e)
        e = &own;
    enum err r = topic_name_check(spec->name, e);
    if (r != E_OK)
        return r;
    if (slice_eq(spec->name, SL("__cluster_metadata")))
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST, "%s",
                          "Creation of internal topic __cluster_metadata is prohibited.");
    if (spec->partitions == 0 || spec->partitions < -1)
        return kerr_error(e, E_INVALID, KERR_INVALID_PARTITIONS, "%s",
                          "Number of partitions was set to an invalid non-positive value.");
    int32_t factor = 1;
    r = check_replication(b, spec, &factor, e);
    if (r != E_OK)
        return r;
    struct topic_spec t = {.name = spec->name,
                           .partitions =
                               spec->partitions > 0 ? spec->partitions : b->o->num_partitions,
                           .configs = spec->configs};
    pthread_mutex_lock(&b->brokers.change); /* no broker stops between placing and publishing */
    r = place(b, spec, factor, 0, t.partitions, &t.placements, e);
    if (r == E_OK)
        r = topics_create(b->topics, &t, spec->validate_only, NULL, e);
    pthread_mutex_unlock(&b->brokers.change);
    mem_free(t.placements);
    if (r == E_OK && !spec->validate_only)
        LOG_INFO(LOG_BROKER, "topic " PRI_SL " created with %d partition%s%s%s", ARG_SL(spec->name),
                 t.partitions, t.partitions == 1 ? "" : "s", spec->asked_by ? " for " : "",
                 spec->asked_by ? spec->asked_by : "");
    return r;
}

enum err broker_topic_delete(struct broker *b, struct slice name, struct error *e)
{
    if (!b->o->delete_topics)
        return kerr_error(e, E_CONFLICT, KERR_TOPIC_DELETION_DISABLED, "%s",
                          kerr_message(KERR_TOPIC_DELETION_DISABLED));
    enum err r = topics_delete(b->topics, name, e);
    if (r != E_OK)
        return r;
    coord_topic_deleted(b->coord, name);
    share_sweep(b->shares, broker_keeps_share, b);
    txn_topic_deleted(b->txns, name);
    LOG_INFO(LOG_BROKER, "topic " PRI_SL " deleted", ARG_SL(name));
    return E_OK;
}

enum err broker_topic_add_partitions(struct broker *b, struct slice name, int32_t total,
                                     struct error *e)
{
    struct placement *added = NULL, first = {.replica_count = 1};
    pthread_mutex_lock(&b->brokers.change);
    struct topic *t = topics_get(b->topics, name);
    struct partition *p = t ? topic_partition(t, 0) : NULL;
    int32_t have = t ? topic_partition_count(t) : total;
    if (p)
        partition_placement(p, &first);
    partition_unref(p);
    topic_unref(t);
    enum err r = E_OK;
    if (total > have)
        r = place(b, NULL, first.replica_count, have, total - have, &added, e);
    if (r == E_OK)
        r = topics_add_partitions(b->topics, name, total, added, false, e);
    pthread_mutex_unlock(&b->brokers.change);
    mem_free(added);
    if (r == E_OK)
        LOG_INFO(LOG_BROKER, "topic " PRI_SL " has %d partitions now", ARG_SL(name), total);
    return r;
}

enum err broker_delete_records(struct broker *b, struct slice topic, int32_t partition,
                               int64_t offset, int64_t *low, struct error *e)
{
    *low = -1;
    struct topic *t = topics_get(b->topics, topic);
    struct partition *p = t ? topic_partition(t, partition) : NULL;
    enum err r = E_OK;
    if (!p) {
        r = unknown_topic(e);
    } else if (topic_is_internal(t)) {
        r = kerr_error(e, E_INVALID, KERR_INVALID_TOPIC_EXCEPTION, "%s",
                       "Records of an internal topic can not be deleted.");
    } else if (!topic_config(t)->cleanup_delete) {
        r = kerr_error(e, E_INVALID, KERR_POLICY_VIOLATION, "%s",
                       "Records can be deleted from topics with cleanup.policy delete only.");
    } else {
        int16_t code = partition_delete_records(p, offset, low);
        if (code != KERR_NONE)
            r = kerr_error(e, code == KERR_KAFKA_STORAGE_ERROR ? E_IO : E_INVALID, code, "%s",
                           kerr_message(code));
    }
    partition_unref(p);
    topic_unref(t);
    return r;
}
