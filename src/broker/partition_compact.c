/* broker/partition_compact.c - see partition_care.h: whether a partition is worth a compaction, and
 * the lock's side of one.
 *
 * What may be compacted is looked at under the lock and held by references; the work itself is done
 * without the lock (log/compact.h), and each group of segments is swapped in under it again. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/log/compact.h"
#include "broker/log/swap.h"
#include "broker/partition_care.h"
#include "broker/partition_internal.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

#define RETRY_MS 60000 /* after a failure */

/* --- what there is ---------------------------------------------------------------------------- */

static int64_t first_dirty(const struct partition *p)
{
    const struct plog *l = &p->log;
    return p->cleaned_to > l->end ? l->start : MAX(p->cleaned_to, l->start);
}

static int64_t next_base(const struct plog *l, size_t i)
{
    return i + 1 < l->count ? l->segments[i + 1]->base : l->end;
}

static enum err is_young(struct segment *s, const struct topic_config *c, int64_t now_ms, bool *out,
                         struct error *e)
{
    *out = false;
    if (c->min_compaction_lag_ms <= 0)
        return E_OK;
    enum err err = segment_measure(s, e);
    int64_t newest = s->max_timestamp;
    if (!err && newest < 0) {
        err = segment_open(s, false, e);
        if (!err)
            err = fs_mtime_ms(&s->log, &newest, e);
    }
    *out = !err && (newest >= now_ms || now_ms - newest < c->min_compaction_lag_ms);
    return err;
}

/* So many segments may be compacted: not the active one, nothing at or above the last stable
 * offset, nothing that is not durable, nothing younger than min.compaction.lag.ms. */
static enum err cleanable(struct partition *p, const struct topic_config *c, int64_t now_ms,
                          size_t *count, struct error *e)
{
    struct plog *l = &p->log;
    int64_t limit = MIN(p->stable, l->recovery_point), dirty = first_dirty(p);
    enum err err = E_OK;
    for (*count = 0; !err && *count + 1 < l->count && next_base(l, *count) <= limit; ++*count) {
        bool young = false;
        if (next_base(l, *count) > dirty)
            err = is_young(l->segments[*count], c, now_ms, &young, e);
        if (err || young)
            break;
    }
    return err;
}

/* SPEC: broker 4.4: the oldest dirty record has waited max.compaction.lag.ms. */
static enum err is_overdue(struct partition *p, const struct topic_config *c, size_t count,
                           int64_t now_ms, bool *out, struct error *e)
{
    struct plog *l = &p->log;
    enum err err = E_OK;
    *out = false;
    if (c->max_compaction_lag_ms == INT64_MAX)
        return E_OK;
    for (size_t i = 0; !err && !*out && i < count; i++) {
        struct segment *s = l->segments[i];
        if (next_base(l, i) <= first_dirty(p) || !s->size)
            continue;
        err = segment_measure(s, e);
        *out = !err && s->first_timestamp >= 0 && now_ms > s->first_timestamp &&
               now_ms - s->first_timestamp > c->max_compaction_lag_ms;
    }
    return err;
}

static enum err score(struct partition *p, const struct topic_config *c, int64_t now_ms,
                      double *out, struct error *e)
{
    struct plog *l = &p->log;
    int64_t clean = 0, dirty = 0;
    size_t count;
    bool overdue = false;
    enum err err = cleanable(p, c, now_ms, &count, e);
    for (size_t i = 0; !err && i < count; i++)
        *(next_base(l, i) <= first_dirty(p) ? &clean : &dirty) += l->segments[i]->size;
    if (!err && dirty)
        err = is_overdue(p, c, count, now_ms, &overdue, e);
    double ratio = dirty ? (double)dirty / (double)(clean + dirty) : 0;
    *out = -1;
    if (overdue || (clean && p->horizon <= now_ms))
        *out = 1 + ratio;
    else if (dirty && ratio > c->min_cleanable_dirty_ratio)
        *out = ratio;
    return err;
}

/* Whether its files say that there is more than the active segment; logs are not loaded for less.
 */
static bool is_worth_loading(struct partition *p)
{
    int64_t bytes;
    int32_t segments;
    partition_size(p, &bytes, &segments);
    return segments > 1;
}

double partition_compact_score(struct partition *p, int64_t now_ms)
{
    const struct topic_config *c = topic_config(p->topic);
    struct error e = {0};
    double out = -1;
    if (!c->cleanup_compact || !is_worth_loading(p) || partition_enter(p) != KERR_NONE)
        return -1;
    if (!p->uncleanable && !p->log.failed && clock_mono_ms() >= p->compact_after_ms &&
        score(p, c, now_ms, &out, &e) != E_OK) {
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "looking at " PRI_SL "-%d for compaction",
                ARG_SL(topic_name(p->topic)), p->id);
        p->compact_after_ms = clock_mono_ms() + RETRY_MS;
        out = -1;
    }
    plog_park(&p->log, false);
    partition_leave(p);
    return out;
}

/* --- one compaction --------------------------------------------------------------------------- */

struct work {
    struct partition *p;
    struct compact_job job;
    struct segment **segments;
    struct compact_producer *producers;
    struct txn_aborted *aborted;
    struct arena arena;
    const struct partition_compact_how *how;
};

static int by_id(const void *a, const void *b)
{
    int64_t x = ((const struct compact_producer *)a)->id;
    int64_t y = ((const struct compact_producer *)b)->id;
    return (x > y) - (x < y);
}

static void take_producers(struct work *w)
{
    const struct map *m = &w->p->producers.by_id;
    struct slice key;
    void *value;
    w->producers = xcalloc(m->count + 1, sizeof *w->producers);
    for (size_t i = 0; map_next(m, &i, &key, &value);) {
        const struct producer *of = value;
        if (!producer_is_known(of))
            continue;
        w->producers[w->job.producers_count++] = (struct compact_producer){
            of->id, of->epoch, of->count ? of->batches[of->count - 1].last_offset : -1};
    }
    qsort(w->producers, w->job.producers_count, sizeof *w->producers, by_id);
    w->job.producers = w->producers;
}

/* What is to be done, with references. Lock held. */
static enum err take_work(struct work *w, const struct topic_config *c, struct error *e)
{
    struct partition *p = w->p;
    struct plog *l = &p->log;
    struct compact_job *j = &w->job;
    enum err err = cleanable(p, c, j->now_ms, &j->count, e);
    if (!err && j->count == 0)
        err = E_NOT_FOUND;
    if (err)
        return err;
    j->end = next_base(l, j->count - 1);
    j->first_dirty = first_dirty(p);
    w->segments = xcalloc(j->count, sizeof(struct segment *));
    for (size_t i = 0; i < j->count; i++)
        w->segments[i] = segment_ref(l->segments[i]);
    j->segments = w->segments;
    j->dir = p->dir;
    j->segment_bytes = c->segment_bytes;
    j->index_interval_bytes = c->index_interval_bytes;
    j->delete_retention_ms = c->delete_retention_ms;
    take_producers(w);
    err =
        plog_aborted(l, l->segments[0]->base, j->end, &w->arena, &w->aborted, &j->aborted_count, e);
    j->aborted = w->aborted;
    plog_park(l, false);
    return err;
}

static void release_work(struct work *w)
{
    pthread_mutex_lock(&w->p->lock); /* what parks them looks at their references */
    for (size_t i = 0; w->segments && i < w->job.count; i++)
        segment_unref(w->segments[i]);
    pthread_mutex_unlock(&w->p->lock);
    mem_free(w->segments);
    mem_free(w->producers);
    arena_release(&w->arena);
}

static bool pace(void *arg, size_t bytes)
{
    const struct work *w = arg;
    return w->how->pace(w->how->arg, bytes);
}

/* One group: from here on readers get the new segment; those that read the old ones go on. */
static enum err swap(void *arg, struct segment *const *old, size_t count, struct segment *made,
                     struct error *e)
{
    struct work *w = arg;
    struct partition *p = w->p;
    int64_t delay_ms = topic_config(p->topic)->file_delete_delay_ms;
    pthread_mutex_lock(&p->lock);
    enum err err = p->deleted ? error_set(e, E_CONFLICT, "%s is gone", p->dir) : E_OK;
    if (!err) {
        invariant(made->end <= p->stable && made->end <= p->log.recovery_point);
        invariant(made->end <= w->job.end && made->end <= plog_active(&p->log)->base);
        err = swap_in(&p->log, old, count, made, &p->env->trash, delay_ms, e);
    }
    for (size_t i = 0; !err && i < count; i++)
        segment_unref(old[i]); /* the log's */
    pthread_mutex_unlock(&p->lock);
    if (err)
        swap_abandon(made);
    else
        err = fs_sync_dir(p->dir, e);
    return err;
}

static void note_done(struct partition *p, const struct compact_job *j)
{
    pthread_mutex_lock(&p->lock);
    p->cleaned_to = j->cleaned_to;
    p->horizon = j->horizon;
    plog_tidy_snapshots(&p->log, MAX(plog_newest_snapshot(&p->log, p->log.end), 0));
    pthread_mutex_unlock(&p->lock);
    LOG_INFO(LOG_BROKER_LOG,
             "compacted " PRI_SL "-%d: records=%lld kept=%lld bytes=%lld to=%lld up to offset %lld",
             ARG_SL(topic_name(p->topic)), p->id, (long long)j->records_read,
             (long long)j->records_kept, (long long)j->bytes_read, (long long)j->bytes_written,
             (long long)j->cleaned_to);
}

/* A damaged log is left alone until the next start; after other failures it is tried again. */
static void note_failure(struct partition *p, enum err err, const struct error *e)
{
    if (err == E_CANCELLED || err == E_NOT_FOUND)
        return;
    pthread_mutex_lock(&p->lock);
    p->uncleanable |= err == E_CORRUPT;
    p->compact_after_ms = err == E_CONFLICT ? 0 : clock_mono_ms() + RETRY_MS;
    bool deleted = p->deleted;
    pthread_mutex_unlock(&p->lock);
    if (err != E_CONFLICT && !deleted)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_ERROR, e, PRI_SL "-%d is not compacted%s",
                ARG_SL(topic_name(p->topic)), p->id,
                err == E_CORRUPT ? " any more until weir is started anew" : "");
}

enum err partition_compact(struct partition *p, int64_t now_ms,
                           const struct partition_compact_how *how)
{
    struct work w = {.p = p, .how = how};
    struct error e = {0};
    if (partition_enter(p) != KERR_NONE)
        return E_NOT_FOUND;
    w.job = (struct compact_job){.now_ms = now_ms,
                                 .dedupe_bytes = how->dedupe_bytes,
                                 .load_factor = how->load_factor,
                                 .pace = pace,
                                 .swap = swap,
                                 .arg = &w};
    arena_init(&w.arena, 0, ARENA_NO_BUDGET);
    enum err err = take_work(&w, topic_config(p->topic), &e);
    partition_leave(p);
    if (!err)
        err = compact_run(&w.job, &e);
    release_work(&w);
    if (err)
        note_failure(p, err, &e);
    else
        note_done(p, &w.job);
    return err;
}

int64_t partition_cleaned_to(struct partition *p)
{
    pthread_mutex_lock(&p->lock);
    int64_t offset = p->cleaned_to;
    pthread_mutex_unlock(&p->lock);
    return offset;
}
