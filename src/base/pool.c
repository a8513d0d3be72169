/* base/pool.c - see pool.h.
 *
 * One queue in order of submission. A thread takes the first job whose key is not being worked on;
 * since the queue keeps the order, jobs of one key cannot overtake each other. */
#include "base/pool.h"

#include <errno.h>
#include <pthread.h>

#include "base/list.h"
#include "base/mem.h"

enum { THREADS_MAX = 16 };

struct job {
    struct link link;
    const void *key;
    loop_fn work;
    struct loop *back;
    loop_fn done;
    void *arg;
};

struct pool {
    pthread_mutex_t mutex; /* everything below */
    pthread_cond_t wake;
    struct list queue;
    const void *busy[THREADS_MAX]; /* key each thread works on */
    bool stopping;
    int threads;
    pthread_t thread[THREADS_MAX];
    int next_index; /* for a starting thread */
};

static bool is_busy(const struct pool *p, const void *key)
{
    for (int i = 0; key && i < THREADS_MAX; i++)
        if (p->busy[i] == key)
            return true;
    return false;
}

static struct job *take_locked(struct pool *p)
{
    list_each (&p->queue, k) {
        struct job *j = list_entry(k, struct job, link);
        if (!is_busy(p, j->key)) {
            list_remove(&p->queue, k);
            return j;
        }
    }
    return NULL;
}

static void finish(struct job *j)
{
    if (j->done && j->back)
        loop_post(j->back, j->done, j->arg);
    else if (j->done)
        j->done(j->arg);
    mem_free(j);
}

static void *pool_main(void *arg)
{
    struct pool *p = arg;
    pthread_mutex_lock(&p->mutex);
    int me = p->next_index++;
    for (;;) {
        struct job *j = take_locked(p);
        if (j) {
            const void *key = j->key;
            p->busy[me] = key;
            pthread_mutex_unlock(&p->mutex);
            j->work(j->arg);
            finish(j);
            pthread_mutex_lock(&p->mutex);
            p->busy[me] = NULL;
            if (key && !list_empty(&p->queue)) /* one that waited for this key */
                pthread_cond_signal(&p->wake);
        } else if (p->stopping && list_empty(&p->queue)) {
            break;
        } else {
            pthread_cond_wait(&p->wake, &p->mutex);
        }
    }
    pthread_cond_broadcast(&p->wake); /* the others end too */
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

enum err pool_start(struct pool **out, const char *name, int threads, struct error *e)
{
    struct pool *p = xcalloc(1, sizeof *p);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    list_init(&p->queue);
    threads = MAX(1, MIN(threads, (int)THREADS_MAX));
    enum err rc = E_OK;
    for (int i = 0; rc == E_OK && i < threads; i++) {
        char one[32]; /* thread_start cuts it */
        snprintf(one, sizeof one, "%.10s-%d", name, i);
        rc = thread_start(&p->thread[i], one, pool_main, p, e);
        p->threads += rc == E_OK;
    }
    if (rc != E_OK) {
        pool_stop(p);
        p = NULL;
    }
    *out = p;
    return rc;
}

void pool_stop(struct pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->mutex);
    p->stopping = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; i < p->threads; i++)
        pthread_join(p->thread[i], NULL);
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->wake);
    mem_free(p);
}

void pool_submit(struct pool *p, const void *key, loop_fn work, struct loop *back, loop_fn done,
                 void *arg)
{
    struct job *j = xcalloc(1, sizeof *j);
    *j = (struct job){.key = key, .work = work, .back = back, .done = done, .arg = arg};
    pthread_mutex_lock(&p->mutex);
    list_push_back(&p->queue, &j->link);
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->mutex);
}
