/* broker/log/flusher.c - see flusher.h.
 *
 * One thread waits for work and begins a round; a round of many items is shared with helpers that
 * live as long as it does: file systems commit concurrent syncs together, so four threads are
 * nearly four times as fast, and an idle broker has none of them. A round of very many items is one
 * sync of the file system. */
#include "broker/log/flusher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/fs.h"
#include "base/loop.h"
#include "base/mem.h"

#define HELPERS 3
#define MANY_ITEMS 48      /* syncing the file system as a whole is faster */
#define ITEMS_PER_HELPER 2 /* fewer are not worth a thread */

struct flusher {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list dirty;
    int64_t due_ms; /* when the next round begins; INT64_MAX: nothing is dirty */
    bool stop;
    void (*after)(void *arg);
    void *arg;
    struct fs_file dir;
};

struct round {
    struct flusher *flusher;
    struct flush_item **items;
    size_t count;
    _Atomic size_t next; /* relaxed: each number is given out once, the items are there before */
};

/* The real clock: the one of tests does not wake condition variables. */
static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits until there is something to flush now. Lock held. */
static void wait_for_work(struct flusher *f)
{
    while (!f->stop && list_empty(&f->dirty))
        pthread_cond_wait(&f->changed, &f->lock);
    while (!f->stop && now_ms() < f->due_ms) {
        const struct timespec until = {f->due_ms / 1000, f->due_ms % 1000 * 1000000};
        pthread_cond_timedwait(&f->changed, &f->lock, &until);
    }
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
    f->due_ms = INT64_MAX;
}

static void *work(void *arg)
{
    struct round *r = arg;
    size_t i;
    while ((i = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed)) < r->count)
        r->items[i]->flush(r->items[i]);
    return NULL;
}

/* One sync for all. */
static void run_at_once(struct round *r)
{
    struct error e;
    for (size_t i = 0; i < r->count; i++)
        r->items[i]->begin(r->items[i]);
    enum err err = fs_sync_all(&r->flusher->dir, &e);
    for (size_t i = 0; i < r->count; i++)
        r->items[i]->end(r->items[i], err, &e);
}

static void run_round(struct round *r)
{
    if (r->count >= MANY_ITEMS) {
        run_at_once(r);
        mem_free(r->items);
        return;
    }
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

enum err flusher_start(struct flusher **out, const char *dir, void (*after)(void *arg), void *arg,
                       struct error *e)
{
    struct flusher *f = xcalloc(1, sizeof *f);
    enum err err = fs_open(&f->dir, dir, FS_READ, e);
    if (err) {
        mem_free(f);
        return err;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    list_init(&f->dirty);
    f->due_ms = INT64_MAX;
    f->after = after;
    f->arg = arg;
    err = thread_start(&f->thread, "weir-flush", run, f, e);
    if (err) {
        fs_close(&f->dir);
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
    fs_close(&f->dir);
    mem_free(f);
}

bool flusher_add(struct flusher *f, struct flush_item *item, int64_t within_ms)
{
    pthread_mutex_lock(&f->lock);
    bool added = !item->queued;
    if (added) {
        item->queued = true;
        list_push_back(&f->dirty, &item->link);
    }
    if (added || within_ms < FLUSH_WITHIN_MS) { /* else the round comes soon enough */
        int64_t due = now_ms() + MIN(within_ms, FLUSH_WITHIN_MS);
        if (due < f->due_ms) {
            f->due_ms = due;
            pthread_cond_signal(&f->changed);
        }
    }
    pthread_mutex_unlock(&f->lock);
    return added;
}
