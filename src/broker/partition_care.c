/* broker/partition_care.c - see partition_care.h.
 *
 * Order of a removal: out of the list and log start in memory (lock), log start on disk, files
 * renamed, files removed a while later. A crash in between leaves files below the log start, which
 * the next look removes. */
#include "broker/partition_care.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/log/retain.h"
#include "broker/partition_internal.h"
#include "broker/topic.h"

/* --- log start -------------------------------------------------------------------------------- */

void partition_set_start(struct partition *p, int64_t offset)
{
    struct segment **gone;
    size_t count;
    plog_set_start(&p->log, offset, &gone, &count);
    partition_update_stable(p);
    invariant(p->log.start <= p->stable && p->stable <= p->log.end);
    if (!count)
        return;
    p->gone = xrealloc(p->gone, (p->gone_count + count) * sizeof *p->gone);
    memcpy(p->gone + p->gone_count, gone, count * sizeof *gone);
    p->gone_count += count;
    mem_free(gone);
    plog_tidy_snapshots(&p->log, MAX(plog_newest_snapshot(&p->log, p->log.end), 0));
}

void partition_discard(struct partition *p)
{
    pthread_mutex_lock(&p->lock);
    struct segment **gone = p->gone;
    size_t count = p->gone_count;
    p->gone = NULL;
    p->gone_count = 0;
    pthread_mutex_unlock(&p->lock);
    int64_t delay_ms = topic_config(p->topic)->file_delete_delay_ms;
    for (size_t i = 0; i < count; i++) { /* readers that hold one keep its file open */
        plog_discard_files(gone[i], &p->env->trash, delay_ms);
        segment_unref(gone[i]);
    }
    mem_free(gone);
}

/* --- retention -------------------------------------------------------------------------------- */

/* A log that is not in memory is only brought there when something may be found. */
static bool is_worth_a_look(struct partition *p, const struct topic_config *c)
{
    int64_t bytes;
    int32_t segments;
    pthread_mutex_lock(&p->lock);
    bool loaded = p->loaded, out = p->deleted || p->broken;
    p->care_queued = false;
    pthread_mutex_unlock(&p->lock);
    if (out || loaded)
        return !out;
    if (!retain_has_limits(c))
        return false;
    partition_size(p, &bytes, &segments);
    return bytes > 0;
}

/* What can go now. Without a new segment (no room on the disk for one) the active one stays. */
static bool retain_locked(struct partition *p, const struct topic_config *c, int64_t now_ms)
{
    struct plog *l = &p->log;
    struct retain_plan plan;
    struct error e = {0};
    enum err err = retain_look(l, c, now_ms, &plan, &e);
    if (err)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "retention of " PRI_SL "-%d",
                ARG_SL(topic_name(p->topic)), p->id);
    if (!err && plan.roll && (l->failed || partition_roll(p, &e) != E_OK)) {
        plan.segments--;
        plan.bytes -= plog_active(l)->size;
        plan.start = MAX(l->start, plog_active(l)->base);
    }
    if (!err && plan.segments) {
        LOG_INFO(LOG_BROKER_LOG,
                 "retention of " PRI_SL "-%d: segments=%zu bytes=%lld go, start offset %lld",
                 ARG_SL(topic_name(p->topic)), p->id, plan.segments, (long long)plan.bytes,
                 (long long)plan.start);
        partition_set_start(p, plan.start);
    }
    plog_park(l, false);
    return p->gone_count > 0; /* also what is left of an earlier time */
}

bool partition_retain(struct partition *p, int64_t now_ms)
{
    const struct topic_config *c = topic_config(p->topic);
    if (!is_worth_a_look(p, c) || partition_enter(p) != KERR_NONE)
        return false;
    bool found = retain_locked(p, c, now_ms);
    partition_leave(p);
    return found;
}

void partition_retain_alone(struct partition *p, int64_t now_ms)
{
    struct error e;
    if (!partition_retain(p, now_ms))
        return;
    if (p->env->save_starts(p->env->arg, &e) == E_OK)
        partition_discard(p);
    else
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "old segments stay: log starts are not stored");
}
