/* broker/partition.c - see partition.h: life, append. Reading is in
 * partition_read.c, fdatasync in partition_durable.c, what is known of producers in partition_producers.c.
 *
 * Invariants (checked before anything wrong is written):
 *  1. The log end never decreases while the process runs, and an append continues exactly there.
 *  2. High watermark = log end once the write has succeeded; last stable offset <= high watermark,
 *     and not beyond the first offset of a transaction that is open.
 *  3. A batch of a known producer is appended only when its sequence follows the last one.
 *  4. A producer has at most one open transaction here, and all of it is of one epoch.
 *
 * A partition is loaded at first use: ten thousand idle ones cost no time at start and no files. */
#include "broker/partition.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/log/retain.h"
#include "broker/partition_care.h"
#include "broker/partition_internal.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"
#include "broker/topic_stats.h"

#define EXPIRE_AT_LEAST 1000 /* producers */

#define SMALL_LOG 65536 /* bytes; one without producers needs no snapshot at the end */

/* --- life ------------------------------------------------------------------------------------- */

struct partition *partition_new(struct topic *t, int32_t id, const char *dir, bool fresh,
                                struct partition_env *env)
{
    struct partition *p = xcalloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_mutex_init(&p->sync_lock, NULL);
    p->topic = t;
    p->id = id;
    p->fresh = fresh;
    p->known_epoch = fresh ? 0 : -1;
    p->env = env;
    p->horizon = INT64_MAX;
    p->cleaned_to = fresh ? -1 : checkpoint_get(&env->cleaned, topic_name(t), id);
    p->dir = xstrdup(dir);
    partition_flush_init(p);
    p->expire_at = EXPIRE_AT_LEAST;
    placement_single(&p->place, env->node_id);
    p->leader = env->node_id;
    producer_state_init(&p->producers);
    wait_list_init(&p->waits);
    list_init(&p->durable);
    return p;
}

void partition_free(struct partition *p)
{
    wait_list_fire(&p->waits);
    if (p->loaded)
        plog_release(&p->log);
    for (size_t i = 0; i < p->gone_count; i++)
        segment_unref(p->gone[i]);
    mem_free(p->gone);
    producer_state_release(&p->producers);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->sync_lock);
    mem_free(p->dir);
    mem_free(p);
}

enum err partition_make_dir(const char *dir, const struct uuid *topic_id, struct error *e)
{
    struct plog l;
    enum err err = plog_create(&l, dir, topic_id, e);
    plog_release(&l);
    return err;
}

struct partition *partition_ref(struct partition *p)
{
    topic_ref(p->topic);
    return p;
}

void partition_unref(struct partition *p)
{
    if (p)
        topic_unref(p->topic);
}

int32_t partition_id(const struct partition *p)
{
    return p->id;
}

struct topic *partition_topic(const struct partition *p)
{
    return p->topic;
}

/* --- loading ---------------------------------------------------------------------------------- */

static struct plog_load how_to_load(const struct partition *p)
{
    struct slice name = topic_name(p->topic);
    if (p->fresh)
        return (struct plog_load){.clean = true, .recovery_point = 0, .start = -1};
    return (struct plog_load){.clean = p->env->clean || p->untouched,
                              .recovery_point =
                                  checkpoint_get(&p->env->recovery_points, name, p->id),
                              .start = checkpoint_get(&p->env->log_starts, name, p->id)};
}

static enum err load_locked(struct partition *p, struct error *e)
{
    struct error own;
    struct plog_loaded done;
    e = e ? e : &own;
    if (p->loaded)
        return E_OK;
    if (p->broken)
        return error_set(e, E_IO, "%s could not be read", p->dir);
    struct slice name = topic_name(p->topic);
    const struct plog_load how = how_to_load(p);
    enum err err = plog_load(&p->log, p->dir, &how, &done, e);
    if (!err)
        err = partition_load_producers(p, e);
    if (err) {
        p->broken = true;
        plog_release(&p->log);
        LOG_ERR(LOG_BROKER_LOG, LOG_L_ERROR, e, "partition " PRI_SL "-%d is not served",
                ARG_SL(name), p->id);
        return err;
    }
    if (done.bytes_cut)
        LOG_WARN(LOG_BROKER_LOG, "recovered " PRI_SL "-%d: end offset %lld, %lld bytes cut",
                 ARG_SL(name), p->id, (long long)p->log.end, (long long)done.bytes_cut);
    p->loaded = true;
    p->was_cut = done.bytes_cut > 0;
    if (plog_begin_epoch(&p->log, p->place.epoch, e) != E_OK)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, e, "the leader epoch is not in the log's checkpoint");
    p->known_epoch = plog_epoch(&p->log);
    partition_update_stable(p);
    if (p->log.recovery_point < p->log.end &&
        flusher_add(p->env->flusher, &p->flush, FLUSH_WITHIN_MS))
        partition_ref(p); /* what was written before a kill is made durable as well */
    return E_OK;
}

enum err partition_load(struct partition *p, struct error *e)
{
    pthread_mutex_lock(&p->lock);
    enum err err = load_locked(p, e);
    pthread_mutex_unlock(&p->lock);
    return err;
}

int16_t partition_enter(struct partition *p)
{
    pthread_mutex_lock(&p->lock);
    int16_t code = p->deleted ? KERR_UNKNOWN_TOPIC_OR_PARTITION : KERR_NONE;
    if (!code && !p->loaded && load_locked(p, NULL) != E_OK)
        code = KERR_KAFKA_STORAGE_ERROR;
    if (code)
        pthread_mutex_unlock(&p->lock);
    return code;
}

/* Lock held. */
static const struct tail *known_tail(const struct partition *p)
{
    return p->fresh || !(p->env->clean || p->untouched)
               ? NULL
               : tails_get(&p->env->tails, topic_name(p->topic), p->id);
}

/* Of log and placement, the larger one. Lock held. */
static int32_t epoch_locked(struct partition *p)
{
    const struct tail *tail = p->known_epoch < 0 ? known_tail(p) : NULL;
    if (tail) { /* Metadata of all topics must not load all logs, nor read ten thousand files */
        p->known_epoch = tail->epoch;
    } else if (p->known_epoch < 0) {
        struct epoch_entry *epochs;
        size_t count;
        char *path = xasprintf("%s/leader-epoch-checkpoint", p->dir);
        epochs_load(path, &epochs, &count);
        p->known_epoch = count ? epochs[count - 1].epoch : 0;
        mem_free(epochs);
        mem_free(path);
    }
    return MAX(p->known_epoch, p->place.epoch);
}

int32_t partition_leader_epoch(struct partition *p)
{
    pthread_mutex_lock(&p->lock);
    int32_t epoch = epoch_locked(p);
    pthread_mutex_unlock(&p->lock);
    return epoch;
}

/* --- placement -------------------------------------------------------------------------------- */

int32_t partition_leader(const struct partition *p)
{
    return atomic_load_explicit(&p->leader, memory_order_relaxed);
}

void partition_placement(struct partition *p, struct placement *out)
{
    pthread_mutex_lock(&p->lock);
    *out = p->place;
    out->epoch = epoch_locked(p);
    pthread_mutex_unlock(&p->lock);
}

enum err partition_place(struct partition *p, struct placement *place, struct error *e)
{
    struct wait_list woken;
    enum err err = E_OK;
    wait_list_init(&woken);
    pthread_mutex_lock(&p->lock);
    if (place->leader != p->place.leader)
        wait_list_take(&p->waits, &woken);
    place->epoch = MAX(place->epoch, epoch_locked(p));
    p->place = *place;
    atomic_store_explicit(&p->leader, place->leader, memory_order_relaxed);
    if (p->loaded && !p->log.failed)
        err = plog_begin_epoch(&p->log, place->epoch, e);
    p->known_epoch = MAX(p->known_epoch, place->epoch);
    pthread_mutex_unlock(&p->lock);
    wait_list_fire(&woken);
    return err;
}

/* --- closing ---------------------------------------------------------------------------------- */

enum err partition_roll(struct partition *p, struct error *e)
{
    enum err err = plog_roll(&p->log, e);
    if (!err && partition_save_producers(p, NULL) == E_OK) /* without it a start only reads more */
        plog_tidy_snapshots(&p->log, p->log.end);
    return err;
}

static enum err close_locked(struct partition *p, struct error *e)
{
    struct plog *l = &p->log;
    struct plog_dirty dirty;
    if (l->failed)
        return error_set(e, E_IO, "%s: a write failed earlier", p->dir);
    enum err err = segment_seal(plog_active(l), e);
    if (!err) {
        plog_dirty_take(l, &dirty);
        err = plog_dirty_sync(&dirty, e);
    }
    if (err)
        return err;
    l->recovery_point = l->end;
    if (l->end == 0 || (!p->producers.by_id.count && plog_bytes(l) < SMALL_LOG) ||
        plog_newest_snapshot(l, l->end) == l->end)
        return E_OK;
    err = partition_save_producers(p, e);
    if (!err)
        plog_tidy_snapshots(l, l->end);
    return err;
}

enum err partition_close(struct partition *p, int64_t *recovery_point, int64_t *log_start,
                         struct error *e)
{
    pthread_mutex_lock(&p->lock);
    enum err err = p->broken   ? error_set(e, E_IO, "%s could not be read", p->dir)
                   : p->loaded ? close_locked(p, e)
                               : E_OK;
    pthread_mutex_unlock(&p->lock);
    partition_positions(p, recovery_point, log_start);
    return err;
}

void partition_positions(struct partition *p, int64_t *recovery_point, int64_t *log_start)
{
    pthread_mutex_lock(&p->lock);
    const struct plog_load how = how_to_load(p);
    *recovery_point = p->loaded ? p->log.recovery_point : how.recovery_point;
    *log_start = p->loaded ? p->log.start : how.start;
    pthread_mutex_unlock(&p->lock);
}

bool partition_tail(struct partition *p, struct tail *out)
{
    pthread_mutex_lock(&p->lock);
    const struct plog *l = &p->log;
    const struct tail *known = p->loaded ? NULL : known_tail(p);
    bool found = p->loaded ? !l->failed && l->recovery_point == l->end && !l->dir_dirty
                           : !p->broken && (p->fresh || known);
    *out = (struct tail){0};
    if (found && p->loaded)
        *out = (struct tail){plog_active(l)->base, l->end, plog_active(l)->size, plog_epoch(l)};
    else if (known)
        *out = *known;
    pthread_mutex_unlock(&p->lock);
    return found;
}

int64_t partition_recovered_end(struct partition *p)
{
    pthread_mutex_lock(&p->lock);
    const struct tail *tail = p->loaded ? NULL : known_tail(p);
    bool shorter = !p->fresh && !p->deleted && (p->was_cut || p->env->lossy);
    int64_t end = shorter && p->loaded ? p->log.end : shorter && tail ? tail->end : -1;
    pthread_mutex_unlock(&p->lock);
    return end;
}

static int64_t log_size(const struct partition *p, int64_t base)
{
    char name[64];
    segment_file_name(base, ".log", name);
    char *path = xasprintf("%s/%s", p->dir, name);
    int64_t size = fs_size_of(path);
    mem_free(path);
    return size;
}

bool partition_is_untouched(struct partition *p)
{
    const struct tail *t = tails_get(&p->env->tails, topic_name(p->topic), p->id);
    if (p->fresh || !t || MAX(log_size(p, t->base), 0) != t->size ||
        (t->end != t->base && log_size(p, t->end) >= 0)) /* a segment that was begun since */
        return false;
    p->untouched = true;
    return true;
}

void partition_mark_deleted(struct partition *p)
{
    struct wait_list woken;
    struct list durable;
    list_init(&durable);
    pthread_mutex_lock(&p->lock);
    p->deleted = true;
    wait_list_take(&p->waits, &woken);
    for (struct link *k; (k = list_pop_front(&p->durable)) != NULL;)
        list_push_back(&durable, k);
    pthread_mutex_unlock(&p->lock);
    wait_list_fire(&woken);
    partition_answer_durable(&durable, KERR_UNKNOWN_TOPIC_OR_PARTITION);
}

bool partition_is_deleted(struct partition *p)
{
    pthread_mutex_lock(&p->lock);
    bool deleted = p->deleted;
    pthread_mutex_unlock(&p->lock);
    return deleted;
}

/* --- append ----------------------------------------------------------------------------------- */

/* Begins a new segment if it is time. */
static enum err roll_if_due(struct partition *p, const struct topic_config *c, const void *batch,
                            size_t n, struct error *e)
{
    if (!plog_must_roll(&p->log, c, batch, n))
        return E_OK;
    enum err err = partition_roll(p, e);
    if (!err && p->env->rolled && !p->care_queued && retain_has_limits(c)) {
        p->care_queued = true;
        p->env->rolled(p->env->rolled_arg, partition_ref(p));
    }
    return err;
}

static int16_t write_failed(struct partition *p, const struct error *e)
{
    LOG_ERR(LOG_BROKER_LOG, LOG_L_ERROR, e, "append to " PRI_SL "-%d failed%s",
            ARG_SL(topic_name(p->topic)), p->id,
            p->log.failed ? "; it takes no more records until weir is started anew" : "");
    return KERR_KAFKA_STORAGE_ERROR;
}

/* Writes a marker; the end of an aborted transaction goes into the list of those as well. */
static enum err write_marker(struct partition *p, const void *batch, size_t n, bool abort,
                             const struct topic_config *c, struct error *e)
{
    struct plog *l = &p->log;
    const struct producer *of = producer_state_get(&p->producers, batch_producer_id(batch));
    if (!abort || !of || of->txn_first_offset < 0)
        return plog_append(l, c, batch, n, e);
    int64_t open = producer_state_first_open_without(&p->producers, of->id);
    struct txn_aborted t = {.producer_id = of->id,
                            .first_offset = of->txn_first_offset,
                            .last_offset = l->end,
                            .stable_offset = open >= 0 ? open : l->end + 1};
    return plog_append_abort(l, c, batch, n, &t, e);
}

/* Assigns, writes, notes. Lock held. marker: NULL for a batch of records. */
static int16_t append_locked(struct partition *p, void *batch, size_t n,
                             const struct partition_marker *marker, const struct topic_config *c,
                             int64_t now_ms)
{
    struct plog *l = &p->log;
    struct error e = {0};
    int64_t end = l->end;
    if (l->failed)
        return KERR_KAFKA_STORAGE_ERROR;
    if (p->producers.by_id.count >= p->expire_at)
        partition_expire_producers(p);
    invariant(marker || producer_state_follows(&p->producers, batch)); /* 3 */
    /* Room to note the producer first: after the write nothing may fail any more. */
    enum err err = producer_state_reserve(&p->producers, batch);
    if (err)
        error_set(&e, err, "no memory for its producers");
    if (!err)
        err = roll_if_due(p, c, batch, n, &e);
    batch_assign(batch, end, plog_epoch(l));
    if (now_ms >= 0)
        batch_set_log_append_time(batch, n, now_ms);
    if (!err)
        err = marker ? write_marker(p, batch, n, !marker->commit, c, &e)
                     : plog_append(l, c, batch, n, &e);
    if (err)
        return write_failed(p, &e);
    invariant(l->end > end);
    if (marker)
        producer_state_end_txn(&p->producers, batch, marker->coordinator_epoch);
    else
        producer_state_note_reserved(&p->producers, batch);
    partition_update_stable(p);
    return KERR_NONE;
}

/* flush.messages and flush.ms, as far as they ask for more than the usual. */
static int64_t flush_within(const struct partition *p, const struct topic_config *c)
{
    if (p->log.end - p->log.recovery_point >= c->flush_messages)
        return 0;
    return MIN(c->flush_ms, FLUSH_WITHIN_MS);
}

/* A new batch: append, queue the fdatasync, take off who waits. Lock held. */
static int16_t append_new(struct partition *p, void *batch, size_t n,
                          const struct partition_marker *marker, const struct topic_config *c,
                          struct partition_appended *out, struct wait_list *woken)
{
    int64_t now_ms = c->log_append_time && !marker ? clock_wall_ms() : -1;
    int64_t base = p->log.end;
    int16_t code = append_locked(p, batch, n, marker, c, now_ms);
    if (code)
        return code;
    out->base_offset = base;
    out->end_offset = p->log.end;
    out->log_append_ms = now_ms;
    topic_stat_add(p->topic, TOPIC_MESSAGES_IN, batch_count(batch));
    topic_stat_add(p->topic, TOPIC_BYTES_IN, (int64_t)n);
    wait_list_take(&p->waits, woken);
    if (flusher_add(p->env->flusher, &p->flush, flush_within(p, c)))
        partition_ref(p); /* the flusher's */
    return KERR_NONE;
}

int16_t partition_append(struct partition *p, void *batch, size_t n, struct partition_appended *out)
{
    return partition_append_txn(p, batch, n, 0, out);
}

int16_t partition_append_txn(struct partition *p, void *batch, size_t n, uint64_t guard,
                             struct partition_appended *out)
{
    const struct topic_config *c = topic_config(p->topic);
    const struct producer_batch *duplicate;
    struct wait_list woken;
    *out = (struct partition_appended){.base_offset = -1, .end_offset = -1, .log_append_ms = -1};
    if (n > (size_t)c->segment_bytes)
        return KERR_RECORD_LIST_TOO_LARGE;
    wait_list_init(&woken);
    int16_t code = partition_enter(p);
    if (code)
        return code;
    code = producer_state_check(&p->producers, batch, guard, &duplicate);
    if (!code && duplicate) {
        out->duplicate = true;
        out->base_offset = duplicate->first_offset;
        out->end_offset = duplicate->last_offset + 1;
        out->log_append_ms = duplicate->timestamp;
    } else if (!code) {
        code = append_new(p, batch, n, NULL, c, out, &woken);
    }
    out->log_start = p->log.start;
    partition_leave(p);
    wait_list_fire(&woken);
    return code;
}

int16_t partition_append_marker(struct partition *p, const struct partition_marker *m,
                                int64_t *end_offset)
{
    const struct topic_config *c = topic_config(p->topic);
    struct partition_appended out = {.end_offset = -1};
    struct strbuf bytes = STRBUF_INIT;
    struct wait_list woken;
    wait_list_init(&woken);
    batch_control_build(&bytes, clock_wall_ms(), m->producer_id, m->producer_epoch,
                        m->commit ? CONTROL_COMMIT : CONTROL_ABORT, m->coordinator_epoch);
    int16_t code = strbuf_err(&bytes) ? KERR_KAFKA_STORAGE_ERROR : partition_enter(p);
    if (!code) {
        const struct producer *of = producer_state_get(&p->producers, m->producer_id);
        if (of && m->producer_epoch < of->epoch)
            code = KERR_INVALID_PRODUCER_EPOCH;
        else if (of && m->coordinator_epoch < of->coordinator_epoch)
            code = KERR_TRANSACTION_COORDINATOR_FENCED;
        else
            code = append_new(p, bytes.p, bytes.n, m, c, &out, &woken);
        partition_leave(p);
    }
    wait_list_fire(&woken);
    strbuf_release(&bytes);
    *end_offset = out.end_offset;
    return code;
}

/* --- other ------------------------------------------------------------------------------------ */

int16_t partition_delete_records(struct partition *p, int64_t offset, int64_t *low)
{
    *low = -1;
    int16_t code = partition_enter(p);
    if (code)
        return code;
    struct plog *l = &p->log;
    bool moved = false;
    if (offset == -1)
        offset = l->end;
    if (offset < 0 || offset > l->end) {
        code = KERR_OFFSET_OUT_OF_RANGE;
    } else {
        moved = offset > l->start;
        if (moved)
            partition_set_start(p, offset);
        *low = l->start;
    }
    partition_leave(p);
    struct error e;
    if (moved && p->env->save_starts(p->env->arg, &e) != E_OK)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_WARN, &e, "after a crash deleted records may be back");
    else if (moved)
        partition_discard(p);
    return code;
}
