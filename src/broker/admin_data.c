/* broker/admin_data.c - records for in-process users: append, read, wait. Connector tasks and
 * message browsing use it from their own threads; nothing here belongs to a loop. */
#include "broker/admin.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker_state.h"
#include "broker/partition.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

#include <pthread.h>
#include <time.h>

#define CANCEL_POLL_MS 200

struct broker_target {
    struct broker *b;
    struct topic *topic;
    struct partition *p;
};

static enum err kafka_error(struct error *e, int16_t code, const struct broker_target *t,
                            const char *doing)
{
    enum err r = code == KERR_UNKNOWN_TOPIC_OR_PARTITION ? E_NOT_FOUND
                 : code == KERR_KAFKA_STORAGE_ERROR      ? E_IO
                 : code == KERR_MESSAGE_TOO_LARGE || code == KERR_RECORD_LIST_TOO_LARGE
                     ? E_TOO_LARGE
                 : code == KERR_OUT_OF_ORDER_SEQUENCE_NUMBER || code == KERR_INVALID_PRODUCER_EPOCH
                     ? E_CONFLICT
                     : E_INVALID;
    return kerr_error(e, r, code, "%s " PRI_SL "-%d: %s", doing, ARG_SL(topic_name(t->topic)),
                      partition_id(t->p), kerr_message(code));
}

enum err broker_target_open(struct broker *b, struct slice topic, int32_t partition,
                            struct broker_target **out, struct error *e)
{
    struct topic *t = topics_get(b->topics, topic);
    struct partition *p = t ? topic_partition(t, partition) : NULL;
    if (!p) {
        topic_unref(t);
        return kerr_error(e, E_NOT_FOUND, KERR_UNKNOWN_TOPIC_OR_PARTITION,
                          "there is no partition %d of topic " PRI_SL, partition, ARG_SL(topic));
    }
    *out = xmalloc(sizeof **out);
    **out = (struct broker_target){b, t, p};
    return E_OK;
}

void broker_target_close(struct broker_target *t)
{
    if (!t)
        return;
    partition_unref(t->p);
    topic_unref(t->topic);
    mem_free(t);
}

void broker_target_info(struct broker_target *t, struct broker_partition_info *out)
{
    broker_partition_view(t->b, t->p, out);
}

/* --- append ----------------------------------------------------------------------------------- */

/* One call that blocks on another thread's signal. */
struct signal {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool set;
    int16_t code;
};

static void signal_init(struct signal *s)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->cond, &attr);
    pthread_condattr_destroy(&attr);
    s->set = false;
    s->code = KERR_NONE;
}

static void signal_release(struct signal *s)
{
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->cond);
}

static void signal_set(struct signal *s, int16_t code)
{
    pthread_mutex_lock(&s->lock);
    s->set = true;
    s->code = code;
    pthread_cond_signal(&s->cond);
    pthread_mutex_unlock(&s->lock);
}

/* True when it was set in time; resets it. */
static bool signal_wait(struct signal *s, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    int rc = 0;
    while (!s->set && rc == 0)
        rc = pthread_cond_timedwait(&s->cond, &s->lock, &until);
    bool set = s->set;
    s->set = false;
    pthread_mutex_unlock(&s->lock);
    return set;
}

static void on_durable(void *arg, int16_t code)
{
    signal_set(arg, code);
}

static int16_t wait_durable(struct partition *p, int64_t end_offset)
{
    struct signal s;
    signal_init(&s);
    partition_on_durable(p, end_offset, on_durable, &s);
    while (!signal_wait(&s, 60000)) {
        /* the flusher always answers */
    }
    int16_t code = s.code;
    signal_release(&s);
    return code;
}

enum err broker_append(struct broker_target *t, void *batch, size_t n, struct broker_appended *out,
                       struct error *e)
{
    const struct topic_config *c = topic_config(t->topic);
    if (n < BATCH_HEADER_SIZE || batch_size(batch) != n || batch_magic(batch) != 2)
        return error_set(e, E_CORRUPT, "a record batch of %zu bytes is not whole", n);
    if (c->max_message_bytes_set && n > (size_t)c->max_message_bytes)
        return kafka_error(e, KERR_MESSAGE_TOO_LARGE, t, "appending to");
    struct partition_appended a;
    int16_t code = partition_append(t->p, batch, n, &a);
    if (code == KERR_NONE && !a.duplicate)
        atomic_fetch_add_explicit(&t->b->records_in, batch_count(batch), memory_order_relaxed);
    if (code == KERR_NONE && partition_is_sync(t->p))
        code = wait_durable(t->p, a.end_offset);
    if (code != KERR_NONE)
        return kafka_error(e, code, t, "appending to");
    *out = (struct broker_appended){.base_offset = a.base_offset,
                                    .end_offset = a.end_offset,
                                    .log_start = a.log_start,
                                    .log_append_ms = a.log_append_ms,
                                    .duplicate = a.duplicate};
    return E_OK;
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* A wait may be fired by another thread while this one gives up: what it signals is counted. */
struct wake {
    _Atomic int refs;
    struct signal signal;
};

static void wake_unref(void *arg)
{
    struct wake *k = arg;
    if (atomic_fetch_sub(&k->refs, 1) > 1)
        return;
    signal_release(&k->signal);
    mem_free(k);
}

static void wake_fire(void *arg)
{
    signal_set(&((struct wake *)arg)->signal, KERR_NONE);
}

static bool is_cancelled(const _Atomic bool *cancel)
{
    return cancel && atomic_load_explicit(cancel, memory_order_relaxed); /* seen within a poll */
}

/* Index of the first target with something beyond its offset, or count. Hangs w on the others. */
static size_t hang(struct broker_target *const *targets, const int64_t *offsets, size_t count,
                   bool committed_only, struct wait *w)
{
    for (size_t i = 0; i < count; i++) {
        if (partition_wait(targets[i]->p, offsets[i], committed_only, w))
            return i;
    }
    return count;
}

static enum err wait_any(struct broker_target *const *targets, const int64_t *offsets, size_t count,
                         bool committed_only, int64_t wait_ms, const _Atomic bool *cancel,
                         size_t *ready)
{
    int64_t until = clock_mono_ms() + wait_ms;
    enum err r = E_AGAIN;
    while (r == E_AGAIN) {
        struct wake *k = xcalloc(1, sizeof *k);
        k->refs = 2; /* ours, and the wait's */
        signal_init(&k->signal);
        struct wait *w = wait_new(wake_fire, wake_unref, k);
        *ready = hang(targets, offsets, count, committed_only, w);
        if (*ready < count)
            r = E_OK;
        bool fired = false;
        while (r == E_AGAIN && !fired) {
            int64_t left = until - clock_mono_ms();
            if (is_cancelled(cancel))
                r = E_CANCELLED;
            else if (left <= 0)
                r = E_TIMEOUT;
            else
                fired = signal_wait(&k->signal, MIN(left, CANCEL_POLL_MS));
        }
        wait_give_up(w);
        for (size_t i = 0; i < count; i++)
            partition_unwait(targets[i]->p, w);
        wait_unref(w);
        wake_unref(k);
    }
    return r;
}

enum err broker_wait(struct broker_target *const *targets, const int64_t *offsets, size_t count,
                     int64_t wait_ms, const _Atomic bool *cancel, size_t *ready)
{
    return wait_any(targets, offsets, count, false, wait_ms, cancel, ready);
}

/* --- reading ---------------------------------------------------------------------------------- */

static enum err read_range(struct broker_target *t, int64_t offset, size_t max_bytes,
                           bool committed_only, struct arena *a, struct strbuf *out,
                           struct broker_read *info, struct partition_read *got, struct error *e)
{
    struct partition_read r;
    int16_t code = partition_read(t->p, offset, max_bytes, true, committed_only, a, &r);
    *info = (struct broker_read){r.offsets.start, r.offsets.end, r.offsets.stable, offset};
    *got = r;
    enum err result = E_OK;
    if (code != KERR_NONE) {
        result = kafka_error(e, code, t, "reading");
    } else if (r.range.n) {
        result = file_range_read(&r.range, out, e);
        file_range_release(&r.range);
        if (result == E_OK)
            info->next_offset = r.next_offset;
    }
    return result;
}

static enum err read_once(struct broker_target *t, int64_t offset, size_t max_bytes,
                          bool committed_only, struct strbuf *out, struct broker_read *info,
                          struct error *e)
{
    struct partition_read got;
    struct arena a;
    arena_init(&a, 512, ARENA_NO_BUDGET);
    enum err result = read_range(t, offset, max_bytes, committed_only, &a, out, info, &got, e);
    arena_release(&a);
    return result;
}

enum err broker_read_committed(struct broker_target *t, int64_t offset, size_t max_bytes,
                               struct arena *a, struct strbuf *out, struct broker_read *info,
                               struct broker_aborted **aborted, size_t *count, struct error *e)
{
    struct partition_read got;
    enum err result = read_range(t, offset, max_bytes, true, a, out, info, &got, e);
    *count = result == E_OK ? got.aborted_count : 0;
    *aborted = arena_alloc(a, (*count + 1) * sizeof **aborted);
    for (size_t i = 0; i < *count; i++)
        (*aborted)[i] = (struct broker_aborted){
            got.aborted[i].producer_id, got.aborted[i].first_offset, got.aborted[i].last_offset};
    return result;
}

enum err broker_read(struct broker_target *t, int64_t offset, size_t max_bytes, bool committed_only,
                     int64_t wait_ms, const _Atomic bool *cancel, struct strbuf *out,
                     struct broker_read *info, struct error *e)
{
    int64_t until = clock_mono_ms() + wait_ms;
    size_t before = out->n, ready;
    for (;;) {
        enum err r = read_once(t, offset, max_bytes, committed_only, out, info, e);
        if (r != E_OK || out->n > before || wait_ms <= 0)
            return r;
        struct broker_target *const one[] = {t};
        r = wait_any(one, &offset, 1, committed_only, until - clock_mono_ms(), cancel, &ready);
        if (r == E_TIMEOUT)
            return E_OK;
        if (r != E_OK)
            return error_set(e, r, "reading was given up");
    }
}

enum err broker_offset_for(struct broker_target *t, int64_t timestamp, int64_t *offset,
                           int64_t *record_ms, struct error *e)
{
    struct partition_offsets o;
    *offset = *record_ms = -1;
    if (timestamp == -1 || timestamp == -2) {
        int16_t code = partition_offsets(t->p, &o);
        if (code != KERR_NONE)
            return kafka_error(e, code, t, "looking for an offset of");
        *offset = timestamp == -1 ? o.end : o.start;
        return E_OK;
    }
    struct partition_time found;
    int16_t code = partition_find_time(t->p, timestamp, false, &found);
    if (code != KERR_NONE)
        return kafka_error(e, code, t, "looking for a time in");
    *offset = found.offset;
    *record_ms = found.timestamp;
    return E_OK;
}

/* --- producers -------------------------------------------------------------------------------- */

enum err broker_producer_id(struct broker *b, int64_t *pid, struct error *e)
{
    enum err r;
    while ((r = producer_ids_take(&b->producer_ids, pid)) == E_AGAIN) {
        r = producer_ids_reserve(&b->producer_ids, e);
        if (r != E_OK)
            return r;
    }
    return r;
}

enum err broker_producer_state(struct broker_target *t, int64_t pid, struct broker_producer *out)
{
    struct producer p;
    if (!partition_producer(t->p, pid, &p))
        return E_NOT_FOUND;
    const struct producer_batch *last = p.count ? &p.batches[p.count - 1] : NULL;
    *out = (struct broker_producer){.epoch = p.epoch,
                                    .last_sequence = last ? last->last_sequence : -1,
                                    .last_offset = last ? last->last_offset : -1,
                                    .last_ms = p.last_ms};
    return E_OK;
}

int64_t broker_synced_offset(struct broker_target *t)
{
    return partition_synced_offset(t->p);
}

enum err broker_sync(struct broker_target *t, struct error *e)
{
    return partition_sync(t->p, e);
}
