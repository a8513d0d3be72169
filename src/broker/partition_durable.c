/* broker/partition_durable.c - see partition.h: fdatasync of a partition's log, alone or in a round with
 * others, and who waits for it. */
#include "base/log.h"
#include "base/mem.h"
#include "broker/partition_internal.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

struct durable_wait {
    struct link link;
    int64_t end_offset;
    partition_durable_fn fn;
    void *arg;
};

void partition_answer_durable(struct list *waits, int16_t code)
{
    for (struct link *k; (k = list_pop_front(waits)) != NULL;) {
        struct durable_wait *w = list_entry(k, struct durable_wait, link);
        w->fn(w->arg, code);
        mem_free(w);
    }
}

/* Moves the recovery point and answers those who waited. */
static void settle(struct partition *p, int64_t end, enum err err, const struct error *e)
{
    struct list done;
    list_init(&done);
    pthread_mutex_lock(&p->lock);
    bool deleted = p->deleted;
    if (!err)
        p->log.recovery_point = MAX(p->log.recovery_point, end);
    else
        p->log.failed = true;
    list_each (&p->durable, it) {
        struct durable_wait *w = list_entry(it, struct durable_wait, link);
        if (err || w->end_offset <= p->log.recovery_point) {
            list_remove(&p->durable, it);
            list_push_back(&done, it);
        }
    }
    pthread_mutex_unlock(&p->lock);
    if (err && !deleted)
        LOG_ERR(LOG_BROKER_LOG, LOG_L_ERROR, e,
                "syncing " PRI_SL "-%d failed; it takes no more records until weir is started anew",
                ARG_SL(topic_name(p->topic)), p->id);
    partition_answer_durable(&done, err ? KERR_KAFKA_STORAGE_ERROR : KERR_NONE);
}

/* fdatasync of what is there now. */
static enum err sync_now(struct partition *p, struct error *e)
{
    struct plog_dirty dirty;
    enum err err = E_OK;
    pthread_mutex_lock(&p->sync_lock);
    pthread_mutex_lock(&p->lock);
    if (p->log.failed)
        err = error_set(e, E_IO, "%s: a write failed earlier", p->dir);
    else
        plog_dirty_take(&p->log, &dirty);
    pthread_mutex_unlock(&p->lock);
    if (!err)
        err = plog_dirty_sync(&dirty, e);
    settle(p, err ? 0 : dirty.end, err, e);
    pthread_mutex_unlock(&p->sync_lock);
    return err;
}

static void flush_now(struct flush_item *item)
{
    struct partition *p = container_of(item, struct partition, flush);
    struct error e = {0};
    enum err err = sync_now(p, &e);
    (void)err; /* settle has told everybody */
    partition_unref(p);
}

/* The same with many others: what is dirty now is known at the beginning, the sync is the
 * flusher's. */
static void flush_begin(struct flush_item *item)
{
    struct partition *p = container_of(item, struct partition, flush);
    pthread_mutex_lock(&p->sync_lock);
    pthread_mutex_lock(&p->lock);
    p->flush_failed = p->log.failed;
    if (!p->flush_failed)
        plog_dirty_take(&p->log, &p->flushing);
    pthread_mutex_unlock(&p->lock);
}

/* When the sync of everything has failed, that need not be because of this log: its own files tell.
 */
static void flush_end(struct flush_item *item, enum err err, const struct error *why)
{
    struct partition *p = container_of(item, struct partition, flush);
    struct error e = *why;
    if (p->flush_failed) {
        err = error_set(&e, E_IO, "%s: a write failed earlier", p->dir);
    } else if (err) {
        err = plog_dirty_sync(&p->flushing, &e);
    } else {
        plog_dirty_release(&p->flushing);
    }
    settle(p, err ? 0 : p->flushing.end, err, &e);
    pthread_mutex_unlock(&p->sync_lock);
    partition_unref(p);
}

void partition_on_durable(struct partition *p, int64_t end_offset, partition_durable_fn fn,
                          void *arg)
{
    int16_t code = partition_enter(p);
    bool waits = false;
    if (!code) {
        bool durable = p->log.recovery_point >= end_offset;
        if (!durable && p->log.failed)
            code = KERR_KAFKA_STORAGE_ERROR;
        waits = !durable && !code;
        if (waits) {
            struct durable_wait *w = xcalloc(1, sizeof *w);
            *w = (struct durable_wait){.end_offset = end_offset, .fn = fn, .arg = arg};
            list_push_back(&p->durable, &w->link);
            if (flusher_add(p->env->flusher, &p->flush, 0))
                partition_ref(p);
        }
        partition_leave(p);
    }
    if (!waits)
        fn(arg, code);
}

enum err partition_sync(struct partition *p, struct error *e)
{
    struct error own;
    e = e ? e : &own;
    int16_t code = partition_enter(p);
    if (code == KERR_UNKNOWN_TOPIC_OR_PARTITION)
        return error_set(e, E_NOT_FOUND, "%s is gone", p->dir);
    if (code)
        return error_set(e, E_IO, "%s could not be read", p->dir);
    partition_leave(p);
    return sync_now(p, e);
}

int64_t partition_synced_offset(struct partition *p)
{
    int64_t offset = 0;
    if (partition_enter(p) == KERR_NONE) {
        offset = p->log.recovery_point;
        partition_leave(p);
    }
    return offset;
}

bool partition_is_sync(struct partition *p)
{
    int64_t messages = topic_config(p->topic)->flush_messages;
    if (p->env->sync || messages <= 1)
        return true;
    if (messages == INT64_MAX)
        return false;
    pthread_mutex_lock(&p->lock);
    bool due = p->loaded && p->log.end - p->log.recovery_point >= messages;
    pthread_mutex_unlock(&p->lock);
    return due;
}

void partition_flush_init(struct partition *p)
{
    p->flush.flush = flush_now;
    p->flush.begin = flush_begin;
    p->flush.end = flush_end;
}
