/* base/loop.h - an event-loop thread: sockets, timers and a mailbox (libevent below).
 *
 * Everything registered on a loop is touched on that loop only; other threads talk to it through
 * loop_post. No libevent object crosses threads, so libevent needs no locks. */
#ifndef WEIR_BASE_LOOP_H
#define WEIR_BASE_LOOP_H

#include "base/base.h"
#include "base/err.h"
#include "base/list.h"

#include <pthread.h>

struct loop;
struct event_base;
typedef void (*loop_fn)(void *arg);

/* Starts the thread. name: at most 15 characters, shown by ps. */
enum err loop_start(struct loop **out, const char *name, struct error *e) MUST_CHECK;
/* Runs what is in the mailbox, ends the thread, releases. Thread: any but the loop's own. */
void loop_stop(struct loop *l);
/* Runs fn(arg) on the loop, in order of posting; one wake-up for many posts. Thread: any. */
void loop_post(struct loop *l, loop_fn fn, void *arg);
/* The same, returning after fn has run. Not from the loop itself (runs fn at once there). */
void loop_call(struct loop *l, loop_fn fn, void *arg);
/* CPU time that the loop's thread has used. Thread: any, while the loop is there. */
int64_t loop_cpu_us(const struct loop *l);
bool loop_is_current(const struct loop *l);
#ifdef WEIR_DEBUG
#define loop_assert(l) invariant(loop_is_current(l))
#else
#define loop_assert(l) ((void)(l))
#endif
struct event_base *loop_base(struct loop *l); /* for sockets and evhttp; owning loop only */

/* A thread of any kind (tasks, pools): all signals blocked in it, since main alone takes them. */
enum err thread_start(pthread_t *t, const char *name, void *(*fn)(void *arg), void *arg,
                      struct error *e) MUST_CHECK;

/* One-shot timers, owned by the caller (embed it). Owning loop only. */
struct loop_timer {
    struct loop *loop;
    void *ev;
    loop_fn fn;
    void *arg;
};
void loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn fn, void *arg);
void loop_timer_set(struct loop_timer *t, int64_t after_ms); /* again moves it */
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_release(struct loop_timer *t);

#endif
