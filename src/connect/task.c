/* connect/task.c - the thread of a task: start, pause, stop, report; see the header. */
#include "connect/task_internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "connect/config_refs.h"
#include "connect/store.h"

const char *task_state_name(enum task_state s)
{
    static const char *const names[] = {"UNASSIGNED", "RUNNING", "PAUSED", "FAILED", "RESTARTING"};
    return names[s];
}

int task_number(const struct task *t)
{
    return t->ctx.task;
}

/* --- for connectors --------------------------------------------------------------------------- */

bool task_sleep(struct task_ctx *c, int64_t ms)
{
    struct pollfd p = {.fd = c->stop_fd, .events = POLLIN};
    int64_t until = clock_mono_ms() + ms;
    while (!task_stopping(c)) {
        int64_t left = until - clock_mono_ms();
        if (left <= 0)
            return false;
        (void)poll(&p, 1, (int)MIN(left, 500));
    }
    return true;
}

/* A busy store is not so for long. */
static enum err load_offset(struct task_ctx *c, struct arena *a, struct slice partition,
                            struct slice *out, struct error *e)
{
    enum { TRIES = 5, WAIT_MS = 200 };
    enum err err = E_OK;
    for (int i = 0; i < TRIES; i++) {
        err = store_offset_get(c->db, slice_cstr(c->connector), partition, a, out, e);
        if (err == E_OK || (i + 1 < TRIES && task_sleep(c, WAIT_MS)))
            break;
    }
    return err ? error_wrap(e, "the stored offset could not be read") : E_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

static void unref(struct task *t)
{
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (t->ctx.stop_fd >= 0)
        close(t->ctx.stop_fd);
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->report_lock);
    task_meter_release(&t->meter);
    pthread_cond_destroy(&t->wake);
    strmap_release(&t->config);
    strmap_release(&t->raw);
    strmap_release(&t->worker);
    mem_free(t->connector);
    mem_free(t->log_text);
    mem_free(t->run_id);
    mem_free(t);
}

void task_report(struct task *t, enum task_state s, struct slice trace)
{
    pthread_mutex_lock(&t->report_lock);
    if (!atomic_load_explicit(&t->abandoned, memory_order_acquire))
        t->on_state(t->arg, t, s, trace);
    pthread_mutex_unlock(&t->report_lock);
}

void task_set_object(struct task *t, void *object)
{
    pthread_mutex_lock(&t->lock);
    t->object = object;
    t->measured |= object != NULL;
    pthread_mutex_unlock(&t->lock);
}

bool task_wants_pause(struct task *t)
{
    pthread_mutex_lock(&t->lock);
    bool paused = t->paused;
    pthread_mutex_unlock(&t->lock);
    return paused;
}

bool task_hold(struct task *t)
{
    pthread_mutex_lock(&t->lock);
    bool was = t->paused && !task_stopping(&t->ctx);
    if (was) {
        pthread_mutex_unlock(&t->lock);
        task_meter_paused(&t->meter, true);
        task_report(t, TASK_PAUSED, SLICE_NULL);
        pthread_mutex_lock(&t->lock);
    }
    while (t->paused && !task_stopping(&t->ctx))
        pthread_cond_wait(&t->wake, &t->lock);
    pthread_mutex_unlock(&t->lock);
    bool go = !task_stopping(&t->ctx);
    if (was)
        task_meter_paused(&t->meter, false);
    if (was && go)
        task_report(t, TASK_RUNNING, SLICE_NULL);
    return go;
}

/* The chain of Java exceptions as a trace: every line ends with a newline. */
static void make_trace(const struct error *e, struct strbuf *out)
{
    struct slice text = slice_cstr(e->msg);
    struct slice head = slice_sub(text, 0, 200);
    ptrdiff_t colon = slice_find(head, SL(": ")), dot = slice_find_char(head, '.');
    ptrdiff_t blank = slice_find_char(head, ' ');
    bool has_class = colon > 0 && dot > 0 && dot < colon && blank == colon + 1;
    if (!has_class)
        strbuf_adds(out, "org.apache.kafka.connect.errors.ConnectException: ");
    strbuf_add_slice(out, text.n ? text : slice_cstr(err_name(e->code)));
    if (!text.n || text.p[text.n - 1] != '\n')
        strbuf_addc(out, '\n');
    /* The cure is indented like a frame, so that what reads exceptions passes over it. */
    struct slice hint = slice_cstr(e->hint), line;
    while (hint.n && slice_split(&hint, '\n', &line))
        strbuf_addf(out, "\t" PRI_SL "\n", ARG_SL(line));
}

/* Of each line that this thread logs. */
static void hide_line(void *arg, char *msg, size_t room)
{
    const struct task *t = arg;
    config_refs_hide_text(&t->raw, &t->config, msg, room);
}

static void *task_main(void *arg)
{
    struct task *t = arg;
    struct log_ctx log;
    struct error e = {0};
    atomic_int *live = t->live;
    log_ctx_push(&log, t->log_text);
    log_ctx_hide(&log, hide_line, t);
    enum err err = t->ops->source ? task_source_run(t, &e) : task_sink_run(t, &e);
    config_refs_hide_error(&t->raw, &t->config, &e);
    if (err && !task_stopping(&t->ctx)) {
        struct strbuf trace = STRBUF_INIT;
        make_trace(&e, &trace);
        LOG_ERROR(LOG_CONNECT_TASK, "the task failed and stays so until it is restarted: %s",
                  e.msg);
        task_report(t, TASK_FAILED, strbuf_slice(&trace));
        strbuf_release(&trace);
    } else if (err) {
        LOG_WARN(LOG_CONNECT_TASK, "the task failed while it was stopped: %s", e.msg);
    }
    log_ctx_pop(&log);
    pthread_mutex_lock(&t->lock);
    t->ended = true;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    unref(t);
    atomic_fetch_sub(live, 1); /* last: nothing of the worker is used from here on */
    return NULL;
}

static struct task *task_new(const struct task_spec *s)
{
    struct task *t = xcalloc(1, sizeof *t);
    struct uuid id;
    pthread_condattr_t attr;
    char text[UUID_DASHED_SIZE];
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_init(&t->report_lock, NULL);
    task_meter_init(&t->meter);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    atomic_init(&t->refs, 2);
    t->connector = slice_dup(s->connector);
    t->log_text = xasprintf("connector=" PRI_SL " task=%d", ARG_SL(s->connector), s->task);
    uuid_random(&id);
    uuid_dashed(&id, text);
    t->run_id = xstrdup(text);
    strmap_copy(&t->config, s->config);
    strmap_copy(&t->raw, s->raw);
    strmap_copy(&t->worker, s->worker);
    t->ops = s->ops;
    t->registry = s->registry;
    t->task_count = s->task_count;
    t->on_state = s->on_state;
    t->arg = s->arg;
    t->live = s->live;
    t->paused = s->paused;
    t->ctx = (struct task_ctx){.connector = t->connector,
                               .task = s->task,
                               .config = &t->config,
                               .raw = &t->raw,
                               .kclient = s->kclient,
                               .db = s->db,
                               .run_id = t->run_id,
                               .load_offset = load_offset,
                               .worker = t};
    atomic_init(&t->ctx.stop, false);
    return t;
}

enum err task_start(struct task **out, const struct task_spec *s, struct error *e)
{
    struct task *t = task_new(s);
    pthread_t thread;
    char name[16];
    enum err err = E_OK;
    snprintf(name, sizeof name, "task-%d-%.8s", t->ctx.task, t->connector);
    t->ctx.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (t->ctx.stop_fd < 0)
        err = error_sys(e, errno, "task " PRI_SL "-%d could not be started", ARG_SL(s->connector),
                        s->task);
    atomic_fetch_add(s->live, 1);
    if (!err)
        err = thread_start(&thread, name, task_main, t, e);
    if (err) {
        atomic_fetch_sub(s->live, 1);
        unref(t);
        unref(t);
        return err;
    }
    pthread_detach(thread);
    *out = t;
    return E_OK;
}

void task_pause(struct task *t, bool paused)
{
    pthread_mutex_lock(&t->lock);
    t->paused = paused;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

bool task_is_paused_wish(const struct task *t)
{
    return task_wants_pause((struct task *)(uintptr_t)t);
}

void task_ask_stop(struct task *t)
{
    uint64_t one = 1;
    atomic_store_explicit(&t->ctx.stop, true, memory_order_release);
    if (write(t->ctx.stop_fd, &one, sizeof one) < 0)
        LOG_WARN(LOG_CONNECT_TASK, "a task could not be woken: %s", strerror(errno));
    pthread_mutex_lock(&t->lock);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

bool task_wait(struct task *t, int64_t until_ms)
{
    struct timespec ts = {.tv_sec = until_ms / 1000, .tv_nsec = until_ms % 1000 * 1000000};
    pthread_mutex_lock(&t->lock);
    while (!t->ended)
        if (pthread_cond_timedwait(&t->wake, &t->lock, &ts) == ETIMEDOUT)
            break;
    bool ended = t->ended;
    pthread_mutex_unlock(&t->lock);
    return ended;
}

void task_release(struct task *t)
{
    pthread_mutex_lock(&t->report_lock); /* no report is under way or will be */
    atomic_store_explicit(&t->abandoned, true, memory_order_release);
    pthread_mutex_unlock(&t->report_lock);
    pthread_mutex_lock(&t->lock); /* a sink that hangs holds up nobody in its group */
    if (t->consumer && !t->ended)
        kconsumer_give_up(t->consumer);
    pthread_mutex_unlock(&t->lock);
    unref(t);
}

void task_describe(struct task *t, struct strbuf *out)
{
    pthread_mutex_lock(&t->lock);
    void (*describe)(void *task, struct strbuf *out) =
        t->ops->source ? t->ops->source->describe : t->ops->sink->describe;
    if (t->object && describe)
        describe(t->object, out);
    pthread_mutex_unlock(&t->lock);
}

void task_measure(struct task *t, struct task_meter *out, struct metrics_table *own)
{
    const struct error_rules *x = &t->stages.rules;
    task_meter_copy(&t->meter, out);
    pthread_mutex_lock(&t->lock);
    if (t->measured) {
        out->counts[METER_FAILURES] = atomic_load(&x->failures);
        out->counts[METER_ERRORS] = atomic_load(&x->errors);
        out->counts[METER_SKIPPED] = atomic_load(&x->skipped);
        out->counts[METER_RETRIES] = atomic_load(&x->retries);
        out->counts[METER_LOGGED] = atomic_load(&x->logged);
        out->counts[METER_DEAD_LETTERS] = atomic_load(&x->dead_letters);
        out->counts[METER_DEAD_LETTERS_FAILED] = atomic_load(&x->dead_letters_failed);
        out->last_error_ms = atomic_load(&x->last_error_ms);
        out->counts[METER_PARTITIONS] = atomic_load(&t->sink_partitions);
        out->counts[METER_LAG] = atomic_load(&t->sink_lag);
    }
    if (t->object && t->ops->source && t->ops->source->metrics)
        t->ops->source->metrics(t->object, own);
    pthread_mutex_unlock(&t->lock);
}
