/* broker/txn/txn_markers.c - see txn_markers.h. */
#include "broker/txn/txn_markers.h"

#include "base/log.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

struct marker_job *marker_job_new(struct topics *t, const struct partition_marker *m)
{
    struct marker_job *j = xcalloc(1, sizeof *j);
    arena_init(&j->arena, 1024, ARENA_NO_BUDGET);
    j->topics = t;
    j->marker = *m;
    return j;
}

void marker_job_add(struct marker_job *j, struct slice topic, int32_t partition)
{
    if ((j->count & (j->count - 1)) == 0) { /* 0, 1, 2, 4, 8 ...: full */
        size_t cap = j->count ? j->count * 2 : 1;
        struct txn_part *v = arena_alloc(&j->arena, cap * sizeof *v);
        if (j->count)
            memcpy(v, j->parts, j->count * sizeof *v);
        j->parts = v;
    }
    bool same = j->count && slice_eq(j->parts[j->count - 1].topic, topic);
    j->parts[j->count] = (struct txn_part){
        same ? j->parts[j->count - 1].topic : arena_dup(&j->arena, topic), partition};
    j->count++;
}

void marker_job_free(struct marker_job *j)
{
    arena_release(&j->arena);
    mem_free(j);
}

static bool is_open(struct partition *p, const struct partition_marker *m)
{
    struct producer of;
    return partition_producer(p, m->producer_id, &of) && of.txn_first_offset >= 0 &&
           of.epoch <= m->producer_epoch;
}

/* False: it should be tried again. */
static bool write_one(struct partition *p, const struct marker_job *j)
{
    int64_t end;
    if (j->only_open && !is_open(p, &j->marker))
        return true;
    int16_t code = partition_append_marker(p, &j->marker, &end);
    if (code == KERR_INVALID_PRODUCER_EPOCH || code == KERR_TRANSACTION_COORDINATOR_FENCED)
        LOG_WARN(LOG_BROKER_TXN,
                 "a newer producer has written to " PRI_SL
                 "-%d: the end of its predecessor's transaction is not marked producer_id=%lld"
                 " epoch=%d",
                 ARG_SL(topic_name(partition_topic(p))), partition_id(p),
                 (long long)j->marker.producer_id, j->marker.producer_epoch);
    if (code == KERR_KAFKA_STORAGE_ERROR)
        return false;
    if (code == KERR_NONE && partition_is_sync(p) && partition_sync(p, NULL) != E_OK)
        return false;
    return true;
}

void marker_job_run(void *job)
{
    struct marker_job *j = job;
    j->left = 0;
    for (size_t i = 0; i < j->count; i++) {
        struct topic *t = topics_get(j->topics, j->parts[i].topic);
        struct partition *p = t ? topic_partition(t, j->parts[i].partition) : NULL;
        if (p && !write_one(p, j))
            j->parts[j->left++] = j->parts[i];
        partition_unref(p);
        topic_unref(t);
    }
}
