/* broker/care.c - see care.h. Timers are real monotonic time; what is old is judged by base/clock.
 *
 * Partitions that rolled wait in `rolled` with a reference each; the flag care_queued in each keeps
 * one from being there twice. Lock: `lock`, innermost (a partition's is held when one is added). */
#include "broker/care.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/mem.h"
#include "broker/partition_care.h"
#include "broker/topic_care.h"

#define FIRST_CHECK_MS 30000 /* a start has better things to do */
#define IDLE_MS 3600000

struct care {
    struct care_options o;
    pthread_t care, clean;
    bool cleans; /* the second thread runs */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    _Atomic bool stop;
    struct partition **rolled;
    size_t count, cap;
};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct care_settings settings(struct care *c)
{
    struct care_settings s;
    c->o.settings(c->o.arg, &s);
    return s;
}

/* Until `until`, a stop, or (care's thread) a partition that rolled. Lock held. */
static void wait_until(struct care *c, int64_t until, bool for_rolled)
{
    while (!atomic_load(&c->stop) && !(for_rolled && c->count) && now_ms() < until) {
        const struct timespec t = {until / 1000, until % 1000 * 1000000};
        pthread_cond_timedwait(&c->changed, &c->lock, &t);
    }
}

/* --- retention -------------------------------------------------------------------------------- */

static void on_roll(void *arg, struct partition *p)
{
    struct care *c = arg;
    pthread_mutex_lock(&c->lock);
    if (c->count == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 16;
        c->rolled = xrealloc(c->rolled, c->cap * sizeof(struct partition *));
    }
    c->rolled[c->count++] = p;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static struct partition *next_rolled(struct care *c)
{
    pthread_mutex_lock(&c->lock);
    struct partition *p = c->count ? c->rolled[--c->count] : NULL;
    pthread_mutex_unlock(&c->lock);
    return p;
}

static void *run_care(void *arg)
{
    struct care *c = arg;
    int64_t check_at = now_ms() + MIN(FIRST_CHECK_MS, settings(c).retention_check_ms);
    int64_t balance_at = c->o.balance_ms > 0 ? now_ms() + c->o.balance_ms : INT64_MAX;
    while (!atomic_load(&c->stop)) {
        for (struct partition *p; (p = next_rolled(c)) != NULL;) {
            partition_retain_alone(p, clock_wall_ms());
            partition_unref(p);
        }
        if (now_ms() >= check_at) {
            topics_retain(c->o.topics, clock_wall_ms(), &c->stop);
            check_at = now_ms() + settings(c).retention_check_ms;
        }
        if (now_ms() >= balance_at) {
            c->o.balance(c->o.arg);
            balance_at = now_ms() + c->o.balance_ms;
        }
        int64_t removal = topics_run_trash(c->o.topics);
        int64_t until = MIN(check_at, now_ms() + (removal < 0 ? IDLE_MS : MIN(removal, IDLE_MS)));
        until = MIN(until, balance_at);
        pthread_mutex_lock(&c->lock);
        wait_until(c, until, true);
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

/* --- compaction ------------------------------------------------------------------------------- */

/* log.cleaner.io.max.bytes.per.second: what was read and written since `since` must not be more
 * than the time allows. */
struct meter {
    struct care *care;
    double rate;
    int64_t since_ms;
    double bytes;
};

static bool pace(void *arg, size_t bytes)
{
    struct meter *m = arg;
    struct care *c = m->care;
    m->bytes += (double)bytes;
    double due_ms = m->rate > 0 ? m->bytes / m->rate * 1000 : 0;
    if (due_ms > (double)(now_ms() - m->since_ms)) {
        pthread_mutex_lock(&c->lock);
        wait_until(c, m->since_ms + (int64_t)MIN(due_ms, 9e15), false);
        pthread_mutex_unlock(&c->lock);
    }
    return !atomic_load(&c->stop);
}

static void *run_clean(void *arg)
{
    struct care *c = arg;
    while (!atomic_load(&c->stop)) {
        struct care_settings s = settings(c);
        struct meter m = {.care = c, .rate = s.io_bytes_per_second, .since_ms = now_ms()};
        const struct partition_compact_how how = {s.dedupe_bytes, s.load_factor, pace, &m};
        if (s.cleaner_enable && !atomic_load(&c->stop) &&
            topics_compact_one(c->o.topics, clock_wall_ms(), &how))
            continue;
        pthread_mutex_lock(&c->lock);
        wait_until(c, now_ms() + MAX(1, s.cleaner_backoff_ms), false);
        pthread_mutex_unlock(&c->lock);
    }
    return NULL;
}

/* --- start and stop --------------------------------------------------------------------------- */

enum err care_start(struct care **out, const struct care_options *o, struct error *e)
{
    struct care *c = xcalloc(1, sizeof *c);
    pthread_condattr_t monotonic;
    c->o = *o;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    enum err err = thread_start(&c->care, "weir-care", run_care, c, e);
    if (err) {
        mem_free(c);
        return err;
    }
    err = thread_start(&c->clean, "weir-clean", run_clean, c, e);
    c->cleans = !err;
    if (err) {
        care_stop(c);
        return err;
    }
    topics_on_roll(o->topics, on_roll, c);
    *out = c;
    return E_OK;
}

void care_stop(struct care *c)
{
    if (!c)
        return;
    topics_on_roll(c->o.topics, NULL, NULL);
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->stop, true);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->care, NULL);
    if (c->cleans)
        pthread_join(c->clean, NULL);
    for (struct partition *p; (p = next_rolled(c)) != NULL;)
        partition_unref(p);
    mem_free(c->rolled);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    mem_free(c);
}
