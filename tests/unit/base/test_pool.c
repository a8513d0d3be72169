/* tests/unit/base/test_pool.c - keys keep order, done comes back to the loop, stop finishes all. */
#include "helpers.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/pool.h"

enum { KEYS = 5, JOBS = 400 };

struct keyed {
    int next;
    _Atomic int inside;
    bool fine;
};
struct keyed_job {
    struct keyed *k;
    int n;
};

static void run_keyed(void *arg)
{
    struct keyed_job *j = arg;
    if (atomic_fetch_add(&j->k->inside, 1) != 0 || j->k->next != j->n)
        j->k->fine = false;
    j->k->next++;
    if (j->n % 50 == 0)
        usleep(500);
    atomic_fetch_sub(&j->k->inside, 1);
}

static void keys(void)
{
    static struct keyed state[KEYS];
    static struct keyed_job jobs[KEYS][JOBS];
    struct pool *p;
    CHECK_OK(pool_start(&p, "test", 4, NULL));
    for (int k = 0; k < KEYS; k++)
        state[k] = (struct keyed){.fine = true};
    for (int i = 0; i < JOBS; i++) {
        for (int k = 0; k < KEYS; k++) {
            jobs[k][i] = (struct keyed_job){&state[k], i};
            pool_submit(p, &state[k], run_keyed, NULL, NULL, &jobs[k][i]);
        }
    }
    pool_stop(p); /* finishes what is queued */
    for (int k = 0; k < KEYS; k++) {
        CHECK_INT(state[k].next, JOBS);
        CHECK(state[k].fine);
    }
}

struct trip {
    struct loop *back;
    struct pool *pool;
    _Atomic int worked, done, resubmitted;
    bool on_loop;
};

static void again(void *arg)
{
    atomic_fetch_add(&((struct trip *)arg)->resubmitted, 1);
}

static void work(void *arg)
{
    struct trip *t = arg;
    atomic_fetch_add(&t->worked, 1);
    pool_submit(t->pool, t, again, NULL, NULL, t); /* from a pool thread, maybe during the stop */
}

static void done(void *arg)
{
    struct trip *t = arg;
    t->on_loop = loop_is_current(t->back);
    atomic_fetch_add(&t->done, 1);
}

static void back_to_loop(void)
{
    struct trip t = {0};
    CHECK_OK(loop_start(&t.back, "back", NULL));
    CHECK_OK(pool_start(&t.pool, "test", 2, NULL));
    for (int i = 0; i < 20; i++)
        pool_submit(t.pool, NULL, work, t.back, done, &t);
    pool_stop(t.pool);
    loop_stop(t.back);
    CHECK_INT(t.worked, 20);
    CHECK_INT(t.done, 20);
    CHECK_INT(t.resubmitted, 20);
    CHECK(t.on_loop);
    pool_stop(NULL);
}

static const struct test_case tests[] = {
    {"keys", keys}, {"back_to_loop", back_to_loop}, {NULL, NULL}};
const struct test_suite test_pool = {"base/pool", tests};
