/* base/loop.c - see loop.h.
 *
 * The mailbox is a pair of arrays under one mutex: posters append to `inbox`, the loop takes the
 * whole array and runs it from `running`, so a post costs a lock and two stores. The eventfd is
 * written by the poster that finds no wake-up under way, and read before the array is taken:
 *   invariant: inbox not empty and the loop alive => a wake-up is pending.
 * What a running message posts goes into the next batch, so sockets get their turn in between.
 *
 * Stop: `stopping` is noticed by the mailbox; the loop breaks once the inbox is empty, and what
 * arrives between that and the join is run by the thread that stops. */
#include "base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/mem.h"

enum { KEEP_CAPACITY = 1024 };

struct message {
    loop_fn fn;
    void *arg;
};

struct batch {
    struct message *items;
    size_t count, cap;
};

struct loop {
    struct event_base *base;
    struct event *wake;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t mutex; /* inbox, woken, stopping */
    struct batch inbox;
    bool woken, stopping;
    struct batch running; /* the loop's own */
};

static _Thread_local struct loop *current;

/* --- process-wide set-up ---------------------------------------------------------------------- */

static void event_log(int severity, const char *msg)
{
    if (severity >= EVENT_LOG_ERR)
        LOG_ERROR(LOG_BASE, "libevent: %s", msg);
    else if (severity == EVENT_LOG_WARN)
        LOG_WARN(LOG_BASE, "libevent: %s", msg);
    else
        LOG_DEBUG(LOG_BASE, "libevent: %s", msg);
}

static void event_fatal(int code)
{
    LOG_ERROR(LOG_BASE, "libevent cannot go on (%d)", code);
    abort();
}

static void once_per_process(void)
{
    signal(SIGPIPE, SIG_IGN); /* a client that went away is EPIPE */
    event_set_log_callback(event_log);
    event_set_fatal_callback(event_fatal);
}

enum err thread_start(pthread_t *t, const char *name, void *(*fn)(void *arg), void *arg,
                      struct error *e)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(t, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0) {
        error_sys(e, rc, "starting thread %s", name);
        error_hint(e, "the limit on processes or memory of this user is reached (ulimit -u)");
        return E_IO;
    }
    char cut[16];
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(*t, cut);
    return E_OK;
}

/* --- the mailbox ------------------------------------------------------------------------------ */

static void batch_add(struct batch *b, loop_fn fn, void *arg)
{
    if (b->count == b->cap) {
        b->cap = b->cap ? b->cap * 2 : 32;
        b->items = xrealloc(b->items, b->cap * sizeof *b->items);
    }
    b->items[b->count++] = (struct message){fn, arg};
}

void loop_post(struct loop *l, loop_fn fn, void *arg)
{
    pthread_mutex_lock(&l->mutex);
    batch_add(&l->inbox, fn, arg);
    bool wake = !l->woken;
    l->woken = true;
    if (wake) /* inside the lock: the loop cannot be stopped and released before this is written */
        (void)!eventfd_write(l->wake_fd, 1);
    pthread_mutex_unlock(&l->mutex);
}

/* Takes and runs what is there; false when there was nothing. */
static bool run_batch(struct loop *l)
{
    pthread_mutex_lock(&l->mutex);
    struct batch taken = l->inbox;
    l->inbox = l->running;
    l->woken = false;
    pthread_mutex_unlock(&l->mutex);
    for (size_t i = 0; i < taken.count; i++)
        taken.items[i].fn(taken.items[i].arg);
    bool any = taken.count > 0;
    taken.count = 0;
    if (taken.cap > KEEP_CAPACITY) { /* after a burst */
        mem_free(taken.items);
        taken = (struct batch){NULL, 0, 0};
    }
    l->running = taken;
    return any;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *l = arg;
    eventfd_t n;
    (void)what;
    (void)!eventfd_read(fd, &n);
    run_batch(l);
    pthread_mutex_lock(&l->mutex);
    bool end = l->stopping && l->inbox.count == 0;
    pthread_mutex_unlock(&l->mutex);
    if (end)
        event_base_loopbreak(l->base);
}

struct call {
    loop_fn fn;
    void *arg;
    sem_t done;
};

static void run_call(void *arg)
{
    struct call *c = arg;
    c->fn(c->arg);
    sem_post(&c->done);
}

void loop_call(struct loop *l, loop_fn fn, void *arg)
{
    if (loop_is_current(l)) {
        fn(arg);
        return;
    }
    struct call c = {.fn = fn, .arg = arg};
    sem_init(&c.done, 0, 0);
    loop_post(l, run_call, &c);
    while (sem_wait(&c.done) != 0 && errno == EINTR)
        ;
    sem_destroy(&c.done);
}

int64_t loop_cpu_us(const struct loop *l)
{
    clockid_t clock;
    struct timespec t;
    if (pthread_getcpuclockid(l->thread, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

bool loop_is_current(const struct loop *l)
{
    return current == l;
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    current = l;
    event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
    current = NULL;
    return NULL;
}

static void release(struct loop *l)
{
    if (l->wake)
        event_free(l->wake);
    if (l->base)
        event_base_free(l->base);
    if (l->wake_fd >= 0)
        close(l->wake_fd);
    mem_free(l->inbox.items);
    mem_free(l->running.items);
    pthread_mutex_destroy(&l->mutex);
    mem_free(l);
}

static struct event_base *base_new(void)
{
    struct event_config *c = event_config_new();
    if (!c)
        return NULL;
    /* No cached time: a timer set late in a long callback must not fire early. */
    event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME);
    struct event_base *base = event_base_new_with_config(c);
    event_config_free(c);
    return base;
}

enum err loop_start(struct loop **out, const char *name, struct error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, once_per_process);
    struct loop *l = xcalloc(1, sizeof *l);
    pthread_mutex_init(&l->mutex, NULL);
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    l->base = base_new();
    if (l->wake_fd >= 0 && l->base)
        l->wake = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST, on_wake, l);
    enum err rc = E_OK;
    if (!l->wake || event_add(l->wake, NULL) != 0)
        rc = error_sys(e, errno, "creating event loop %s", name);
    if (rc == E_OK)
        rc = thread_start(&l->thread, name, loop_main, l, e);
    if (rc != E_OK) {
        release(l);
        l = NULL;
    }
    *out = l;
    return rc;
}

void loop_stop(struct loop *l)
{
    if (!l)
        return;
    invariant(!loop_is_current(l));
    pthread_mutex_lock(&l->mutex);
    l->stopping = true;
    (void)!eventfd_write(l->wake_fd, 1);
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->thread, NULL);
    struct loop *before = current;
    current = l; /* what came in late runs here, as if on the loop */
    while (run_batch(l))
        ;
    current = before;
    release(l);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;
    (void)fd, (void)what;
    t->fn(t->arg);
}

void loop_timer_init(struct loop_timer *t, struct loop *l, loop_fn fn, void *arg)
{
    loop_assert(l);
    *t = (struct loop_timer){l, NULL, fn, arg};
    t->ev = evtimer_new(l->base, on_timer, t);
    invariant(t->ev != NULL);
}

void loop_timer_set(struct loop_timer *t, int64_t after_ms)
{
    loop_assert(t->loop);
    after_ms = MAX(after_ms, 0);
    after_ms = MIN(after_ms, INT64_C(1000) * 86400 * 365);
    struct timeval tv = {.tv_sec = after_ms / 1000, .tv_usec = after_ms % 1000 * 1000};
    event_add(t->ev, &tv);
}

void loop_timer_cancel(struct loop_timer *t)
{
    loop_assert(t->loop);
    if (t->ev)
        event_del(t->ev);
}

void loop_timer_release(struct loop_timer *t)
{
    if (t->ev) {
        loop_assert(t->loop);
        event_free(t->ev);
    }
    t->ev = NULL;
}
