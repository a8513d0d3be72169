/* broker/log/flusher.c - see flusher.h.
 *
 * One thread waits for work and begins a round; a round of many items is shared with helpers that
 * live as long as it does: file systems commit concurrent syncs together, so four threads are
 * nearly four times as fast, and an idle broker has none of them. */
#include "broker/log/flusher.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/loop.h"
#include "base/mem.h"

#define FLUSH_WITHIN_MS 800 /* leaves room for the fdatasync itself within the promised second */
#define HELPERS 3
#define ITEMS_PER_HELPER 2 /* fewer are not worth a thread */

struct flusher {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list dirty;
    bool urgent, stop;
    void (*after)(void *arg);
    void *arg;
};

struct round {
    struct flusher *flusher;
    struct flush_item **items;
    size_t count;
    _Atomic size_t next; /* relaxed: each number is given out once, the items are there before */
};

/* Waits until there is something to flush now. Lock held. */
static void wait_for_work(struct flusher *f)
{
    while (!f->stop && list_empty(&f->dirty))
        pthread_cond_wait(&f->changed, &f->lock);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += FLUSH_WITHIN_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (!f->stop && !f->urgent)
        if (pthread_cond_timedwait(&f->changed, &f->lock, &until) == ETIMEDOUT)
            break;
}

/* Takes what is dirty now; what becomes dirty meanwhile is for the next round. Lock held. */
static void take_round(struct flusher *f, struct round *r)
{
    *r = (struct round){.flusher = f, .count = f->dirty.count};
    r->items = xcalloc(r->count + 1, sizeof *r->items);
    for (size_t i = 0; i < r->count; i++) {
        r->items[i] = list_entry(list_pop_front(&f->dirty), struct flush_item, link);
        r->items[i]->queued = false;
    }
    f->urgent = false;
}

static void *work(void *arg)
{
    struct round *r = arg;
    size_t i;
    while ((i = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed)) < r->count)
        r->items[i]->flush(r->items[i]);
    return NULL;
}

static void run_round(struct round *r)
{
    pthread_t helpers[HELPERS];
    size_t n = 0;
    while (n < HELPERS && n < r->count / ITEMS_PER_HELPER &&
           thread_start(&helpers[n], "weir-flush", work, r, NULL) == E_OK)
        n++;
    work(r);
    while (n > 0)
        pthread_join(helpers[--n], NULL);
    mem_free(r->items);
}

static void *run(void *arg)
{
    struct flusher *f = arg;
    struct round r;
    pthread_mutex_lock(&f->lock);
    while (!f->stop || !list_empty(&f->dirty)) {
        wait_for_work(f);
        take_round(f, &r);
        pthread_mutex_unlock(&f->lock);
        run_round(&r);
        if (f->after)
            f->after(f->arg);
        pthread_mutex_lock(&f->lock);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

enum err flusher_start(struct flusher **out, void (*after)(void *arg), void *arg, struct error *e)
{
    struct flusher *f = xcalloc(1, sizeof *f);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    list_init(&f->dirty);
    f->after = after;
    f->arg = arg;
    enum err err = thread_start(&f->thread, "weir-flush", run, f, e);
    if (err) {
        mem_free(f);
        return err;
    }
    *out = f;
    return E_OK;
}

void flusher_stop(struct flusher *f)
{
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

bool flusher_add(struct flusher *f, struct flush_item *item, bool urgent)
{
    pthread_mutex_lock(&f->lock);
    bool added = !item->queued;
    bool wake = (added && list_empty(&f->dirty)) || (urgent && !f->urgent);
    if (added) {
        item->queued = true;
        list_push_back(&f->dirty, &item->link);
    }
    f->urgent |= urgent;
    if (wake)
        pthread_cond_signal(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return added;
}
