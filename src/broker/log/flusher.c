/* broker/log/flusher.c - see flusher.h. */
#include "broker/log/flusher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "base/mem.h"

#define FLUSH_WITHIN_MS 800 /* leaves room for the fdatasync itself within the promised second */

struct flusher {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list dirty;
    bool urgent, stop;
    void (*after)(void *arg);
    void *arg;
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

static void *run(void *arg)
{
    struct flusher *f = arg;
    pthread_mutex_lock(&f->lock);
    while (!f->stop || !list_empty(&f->dirty)) {
        wait_for_work(f);
        f->urgent = false;
        size_t round = f->dirty.count; /* what becomes dirty meanwhile is for the next round */
        while (round-- > 0) {
            struct link *k = list_pop_front(&f->dirty);
            if (!k)
                break;
            struct flush_item *item = list_entry(k, struct flush_item, link);
            item->queued = false;
            pthread_mutex_unlock(&f->lock);
            item->flush(item);
            pthread_mutex_lock(&f->lock);
        }
        if (f->after) {
            pthread_mutex_unlock(&f->lock);
            f->after(f->arg);
            pthread_mutex_lock(&f->lock);
        }
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
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&f->thread, NULL, run, f);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        mem_free(f);
        return error_sys(e, failed, "starting the flusher's thread");
    }
    pthread_setname_np(f->thread, "weir-flush");
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
