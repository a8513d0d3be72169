/* tests/unit/base/test_loop.c - order of posts, calls, timers, posts during the stop. */
#include "helpers.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

enum { POSTERS = 4, POSTS = 20000 };

struct poster {
    struct loop *loop;
    int next; /* the loop's */
    bool in_order;
    struct one {
        struct poster *p;
        int n;
    } posts[POSTS];
};

static void on_post(void *arg)
{
    struct one *o = arg;
    o->p->in_order = o->p->in_order && o->n == o->p->next && loop_is_current(o->p->loop);
    o->p->next++;
}

static void *post_all(void *arg)
{
    struct poster *p = arg;
    for (int i = 0; i < POSTS; i++) {
        p->posts[i] = (struct one){p, i};
        loop_post(p->loop, on_post, &p->posts[i]);
    }
    return NULL;
}

static void order(void)
{
    static struct poster posters[POSTERS];
    pthread_t threads[POSTERS];
    struct loop *l;
    struct error e;
    CHECK_OK(loop_start(&l, "test", &e));
    for (int i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){.loop = l, .in_order = true};
        CHECK_OK(thread_start(&threads[i], "poster", post_all, &posters[i], &e));
    }
    for (int i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    loop_stop(l); /* runs what is left */
    for (int i = 0; i < POSTERS; i++) {
        CHECK_INT(posters[i].next, POSTS);
        CHECK(posters[i].in_order);
    }
}

struct chain {
    struct loop *loop;
    int left, seen;
};

static void next_link(void *arg)
{
    struct chain *c = arg;
    c->seen++;
    if (--c->left > 0)
        loop_post(c->loop, next_link, c); /* from the loop itself, also while it stops */
}

static void set_seen(void *arg)
{
    ((struct chain *)arg)->seen = 100;
}

static void call_nested(void *arg)
{
    struct chain *c = arg;
    loop_call(c->loop, set_seen, c); /* on the loop: at once */
    c->left = c->seen;
}

static void calls(void)
{
    struct chain c = {.left = 5};
    CHECK_OK(loop_start(&c.loop, "a-name-longer-than-15", NULL));
    CHECK(!loop_is_current(c.loop));
    loop_call(c.loop, call_nested, &c);
    CHECK_INT(c.left, 100);
    c = (struct chain){.loop = c.loop, .left = 50};
    loop_post(c.loop, next_link, &c);
    loop_stop(c.loop);
    CHECK_INT(c.seen, 50);
    loop_stop(NULL);
}

struct clockwork {
    struct loop *loop;
    struct loop_timer a, b, never;
    int fired_a, fired_b, fired_never;
    int64_t started, at_a;
    _Atomic int done;
};

static void on_a(void *arg)
{
    struct clockwork *w = arg;
    w->at_a = clock_mono_ms() - w->started;
    if (++w->fired_a < 3)
        loop_timer_set(&w->a, 1);
}

static void on_b(void *arg)
{
    struct clockwork *w = arg;
    w->fired_b++;
    atomic_store(&w->done, 1);
}

static void on_never(void *arg)
{
    ((struct clockwork *)arg)->fired_never++;
}

static void set_timers(void *arg)
{
    struct clockwork *w = arg;
    w->started = clock_mono_ms();
    loop_timer_init(&w->a, w->loop, on_a, w);
    loop_timer_init(&w->b, w->loop, on_b, w);
    loop_timer_init(&w->never, w->loop, on_never, w);
    loop_timer_set(&w->never, 10);
    loop_timer_cancel(&w->never);
    loop_timer_set(&w->b, 100000);
    loop_timer_set(&w->b, 60); /* moves it */
    usleep(15000);
    loop_timer_set(&w->a, 20); /* late in a long callback: counts from now */
    loop_timer_cancel(&w->never);
    loop_timer_set(&w->a, 20);
}

static void release_timers(void *arg)
{
    struct clockwork *w = arg;
    loop_timer_release(&w->a);
    loop_timer_release(&w->b);
    loop_timer_release(&w->never);
    loop_timer_release(&w->never);
}

static void timers(void)
{
    static struct clockwork w;
    CHECK_OK(loop_start(&w.loop, "timers", NULL));
    loop_call(w.loop, set_timers, &w);
    for (int i = 0; i < 500 && !atomic_load(&w.done); i++)
        usleep(10000);
    loop_call(w.loop, release_timers, &w);
    loop_stop(w.loop);
    CHECK_INT(w.fired_a, 3);
    CHECK_INT(w.fired_b, 1);
    CHECK_INT(w.fired_never, 0);
    CHECK(w.at_a >= 34);
}

static void look_at_signals(void *arg)
{
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    *(bool *)arg = sigismember(&now, SIGTERM) && sigismember(&now, SIGINT);
}

static void signals(void)
{
    struct loop *l;
    bool blocked = false;
    sigset_t mine;
    struct sigaction pipe;
    CHECK_OK(loop_start(&l, "signals", NULL));
    loop_call(l, look_at_signals, &blocked);
    CHECK(blocked);
    pthread_sigmask(SIG_SETMASK, NULL, &mine);
    CHECK(!sigismember(&mine, SIGTERM));
    sigaction(SIGPIPE, NULL, &pipe);
    CHECK(pipe.sa_handler == SIG_IGN);
    loop_stop(l);
}

static const struct test_case tests[] = {
    {"order", order}, {"calls", calls}, {"timers", timers}, {"signals", signals}, {NULL, NULL},
};
const struct test_suite test_loop = {"base/loop", tests};
