/* connect/herder_run.c - starting and stopping connectors and tasks; see herder_internal.h. */
#include "connect/herder_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "connect/config_refs.h"
#include "connect/store.h"

const char *conn_state_name(enum conn_state s)
{
    static const char *const names[] = {"UNASSIGNED", "RUNNING", "PAUSED",
                                        "STOPPED",    "FAILED",  "RESTARTING"};
    return names[s];
}

bool worker_flag(const struct herder *h, const char *option)
{
    return strmap_flag(&h->worker, option, false);
}

/* The version is told while something runs. */
void hconn_tell(struct herder *h, const struct hconn *c, int task, const char *state,
                struct slice trace)
{
    bool idle = !state || strcmp(state, "UNASSIGNED") == 0 || strcmp(state, "RESTARTING") == 0;
    mirror_state(h->mirror, c->name, task, state, trace, h->worker_id,
                 idle || !c->ops ? NULL : c->ops->version);
}

void hconn_set_state(struct herder *h, struct hconn *c, enum conn_state s, struct slice trace)
{
    pthread_mutex_lock(&h->lock);
    c->state = s;
    mem_free(c->trace);
    c->trace = slice_dup(trace);
    pthread_mutex_unlock(&h->lock);
    store_status(h->db, slice_cstr(c->name), -1, conn_state_name(s), trace);
    if (s != CONN_UNASSIGNED) /* it says nothing yet */
        hconn_tell(h, c, -1, conn_state_name(s), trace);
}

void htask_set_state(struct herder *h, struct hconn *c, int task, enum task_state s,
                     struct slice trace)
{
    pthread_mutex_lock(&h->lock);
    if ((size_t)task < c->task_count) {
        c->tasks[task].state = s;
        mem_free(c->tasks[task].trace);
        c->tasks[task].trace = slice_dup(trace);
    }
    pthread_mutex_unlock(&h->lock);
    store_status(h->db, slice_cstr(c->name), task, task_state_name(s), trace);
    if (s != TASK_UNASSIGNED)
        hconn_tell(h, c, task, task_state_name(s), trace);
}

/* The listed task whose thread this is, with its connector; NULL: it is not the current one. Lock
 * held. */
static struct htask *find_run(const struct herder *h, const struct task *t, struct hconn **owner)
{
    size_t number = (size_t)task_number(t);
    for (struct hconn *c = h->first; c; c = c->next) {
        if (number >= c->task_count || c->tasks[number].run != t)
            continue;
        *owner = c;
        return &c->tasks[number];
    }
    return NULL;
}

/* From a task's thread. The word of a task that is not the current one any more is ignored. */
static void on_task_state(void *arg, struct task *t, enum task_state s, struct slice trace)
{
    struct herder *h = arg;
    struct hconn *c = NULL;
    char *name = NULL;
    pthread_mutex_lock(&h->lock);
    struct htask *x = find_run(h, t, &c);
    if (x) {
        x->state = s;
        mem_free(x->trace);
        x->trace = slice_dup(trace);
        name = xstrdup(c->name);
        hconn_tell(h, c, task_number(t), task_state_name(s), slice_cstr(x->trace));
    }
    pthread_mutex_unlock(&h->lock);
    if (name)
        store_status(h->db, slice_cstr(name), task_number(t), task_state_name(s), trace);
    if (s != TASK_RUNNING) /* its last offsets are stored */
        mirror_sync(h->mirror);
    mem_free(name);
}

/* --- connectors ------------------------------------------------------------------------------- */

/* What Java notices when a connector parses its configuration at start. */
static enum err check_own(const struct hconn *c, const struct strmap *config, struct error *e)
{
    enum err err = E_OK;
    for (const struct opt_row *r = c->ops->rows; r && r->name && !err; r++) {
        struct slice name = slice_cstr(r->name), text = strmap_get(config, name);
        if ((r->flags & OPT_OWN_CHECKS) || !strmap_has(config, name))
            continue;
        if (!text.p && (r->flags & OPT_REQUIRED))
            err = error_set(e, E_INVALID,
                            "Invalid value null for configuration %s: entry must be non null",
                            r->name);
        else if (text.p)
            err = opt_check(r, text, e);
    }
    return err;
}

static void set_started(struct herder *h, struct hconn *c, bool started)
{
    pthread_mutex_lock(&h->lock);
    c->started = started;
    pthread_mutex_unlock(&h->lock);
}

/* An attempt to start a connector (kind 0) or a task (1). */
static void count_start(struct herder *h, int kind, bool ok)
{
    pthread_mutex_lock(&h->lock);
    h->started[kind]++;
    h->failed[kind] += !ok;
    pthread_mutex_unlock(&h->lock);
}

static void failed(struct herder *h, struct hconn *c, const char *class_name, const char *why)
{
    struct strbuf trace = STRBUF_INIT;
    strbuf_addf(&trace, "%s%s\n", class_name, why);
    LOG_ERROR(LOG_CONNECT_HERDER, "connector %s failed to start: %s", c->name, why);
    count_start(h, 0, false);
    set_started(h, c, false);
    hconn_set_state(h, c, CONN_FAILED, strbuf_slice(&trace));
    strbuf_release(&trace);
}

/* Sets the state that follows from the target, unless the start fails. */
void hconn_start_connector(struct herder *h, struct hconn *c)
{
    struct strmap config;
    struct error e = {0};
    if (!c->ops) {
        failed(h, c, "org.apache.kafka.connect.errors.ConnectException: ",
               "Failed to find any class that implements Connector for this configuration");
        return;
    }
    enum err err = config_refs_resolve(&c->config, &h->worker, &config, &e);
    if (!err)
        err = check_own(c, &config, &e);
    config_refs_hide_error(&c->config, &config, &e);
    strmap_release(&config);
    if (err) {
        failed(h, c, CONFIG_EXCEPTION, e.msg);
        return;
    }
    set_started(h, c, true);
    count_start(h, 0, true);
    hconn_set_state(h, c,
                    c->target == TARGET_STARTED  ? CONN_RUNNING
                    : c->target == TARGET_PAUSED ? CONN_PAUSED
                                                 : CONN_STOPPED,
                    SLICE_NULL);
}

static int count_tasks(struct hconn *c, const struct strmap *config)
{
    int max = (int)strmap_i64(config, "tasks.max", 1);
    int n = c->ops->task_count ? c->ops->task_count(config, max) : 1;
    if (!c->ops->task_count && max > 1)
        LOG_INFO(LOG_CONNECT_HERDER, "connector %s asks for %d tasks; this kind has one", c->name,
                 max);
    return MAX(n, 1);
}

/* Task configurations as REST shows them: raw values, and the task's class. */
static void make_tasks(struct herder *h, struct hconn *c, int count)
{
    struct htask *tasks = xcalloc((size_t)count, sizeof *tasks), *old = c->tasks;
    size_t old_count = c->task_count;
    for (int i = 0; i < count; i++) {
        strmap_copy(&tasks[i].config, &c->config);
        if (c->ops->task_config)
            c->ops->task_config(&c->config, i, count, &tasks[i].config);
        strmap_set(&tasks[i].config, SL("task.class"), slice_cstr(c->ops->task_class));
        tasks[i].state = TASK_UNASSIGNED;
    }
    pthread_mutex_lock(&h->lock);
    c->tasks = tasks;
    c->task_count = (size_t)count;
    pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < old_count; i++) {
        strmap_release(&old[i].config);
        mem_free(old[i].trace);
    }
    mem_free(old);
}

void hconn_tell_tasks(struct herder *h, const struct hconn *c)
{
    const struct strmap **configs = xcalloc(c->task_count + 1, sizeof(struct strmap *));
    for (size_t i = 0; i < c->task_count; i++)
        configs[i] = &c->tasks[i].config;
    mirror_tasks(h->mirror, c->name, configs, (int)c->task_count);
    mem_free((void *)configs);
}

static void start_one(struct herder *h, struct hconn *c, size_t i, bool paused)
{
    struct strmap config;
    struct error e = {0};
    struct task *run = NULL;
    enum err err = config_refs_resolve(&c->tasks[i].config, &h->worker, &config, &e);
    struct task_spec s = {.connector = slice_cstr(c->name),
                          .task = (int)i,
                          .task_count = (int)c->task_count,
                          .ops = c->ops,
                          .config = &config,
                          .raw = &c->tasks[i].config,
                          .worker = &h->worker,
                          .registry = h->registry,
                          .kclient = h->kclient,
                          .db = h->db,
                          .paused = paused,
                          .on_state = on_task_state,
                          .arg = h,
                          .live = &h->live_threads};
    htask_set_state(h, c, (int)i, TASK_UNASSIGNED, SLICE_NULL);
    if (!err) {
        pthread_mutex_lock(&h->lock); /* its first report comes after run is set */
        err = task_start(&run, &s, &e);
        c->tasks[i].run = run;
        pthread_mutex_unlock(&h->lock);
    }
    strmap_release(&config);
    count_start(h, 1, !err);
    if (err) {
        struct strbuf trace = STRBUF_INIT;
        strbuf_addf(&trace, "org.apache.kafka.connect.errors.ConnectException: %s\n", e.msg);
        htask_set_state(h, c, (int)i, TASK_FAILED, strbuf_slice(&trace));
        strbuf_release(&trace);
    }
}

void hconn_start_tasks(struct herder *h, struct hconn *c, bool paused)
{
    struct strmap config;
    struct error e = {0};
    if (config_refs_resolve(&c->config, &h->worker, &config, &e)) {
        strmap_release(&config);
        failed(h, c, CONFIG_EXCEPTION, e.msg);
        return;
    }
    int count = count_tasks(c, &config), max = (int)strmap_i64(&config, "tasks.max", 1);
    bool enforce = strmap_flag(&config, "tasks.max.enforce", true);
    strmap_release(&config);
    if (count > max && enforce) {
        char why[600];
        snprintf(
            why, sizeof why,
            "The connector %s has generated %d tasks, which is greater than %d, the maximum "
            "number of tasks it is configured to create. This behaviour should be considered a "
            "bug and is disallowed.",
            c->name, count, max);
        failed(h, c, "org.apache.kafka.connect.errors.TooManyTasksException: ", why);
        return;
    }
    make_tasks(h, c, count);
    hconn_tell_tasks(h, c);
    c->ever_started = true;
    c->stale = false;
    struct stored_connector row = {.name = slice_cstr(c->name), .started_once = true};
    if (store_connector(h->db, &row, &e))
        LOG_ERR(LOG_CONNECT_HERDER, LOG_L_WARN, &e, "connector %s", c->name);
    for (size_t i = 0; i < c->task_count; i++)
        start_one(h, c, i, paused);
}

void hconn_start(struct herder *h, struct hconn *c)
{
    hconn_start_connector(h, c);
    if (c->state == CONN_FAILED || c->target == TARGET_STOPPED)
        return;
    if (c->target == TARGET_STARTED || c->ever_started)
        hconn_start_tasks(h, c, c->target == TARGET_PAUSED);
}

/* --- stopping --------------------------------------------------------------------------------- */

/* What was ended says so in the mirror; a failed task stays one. */
static void tell_ended(struct herder *h, const struct hconn *c, size_t task)
{
    if (c->tasks[task].run && c->tasks[task].state != TASK_FAILED)
        hconn_tell(h, c, (int)task, "UNASSIGNED", SLICE_NULL);
}

/* Takes the running tasks of c out of the lists; what they still report is ignored. */
static size_t take_runs(struct herder *h, struct hconn *c, struct task **runs, size_t n,
                        size_t room)
{
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < c->task_count; i++) {
        if (c->tasks[i].run && n < room)
            runs[n++] = c->tasks[i].run;
        tell_ended(h, c, i);
        c->tasks[i].run = NULL;
    }
    pthread_mutex_unlock(&h->lock);
    return n;
}

static void end_runs(struct herder *h, struct task **runs, size_t count)
{
    int64_t until =
        clock_mono_ms() + strmap_i64(&h->worker, "task.shutdown.graceful.timeout.ms", 5000);
    for (size_t i = 0; i < count; i++)
        task_ask_stop(runs[i]);
    for (size_t i = 0; i < count; i++) {
        if (!task_wait(runs[i], until))
            LOG_WARN(LOG_CONNECT_HERDER, "a task did not stop in time and is given up");
        task_release(runs[i]);
    }
}

void hconn_stop_tasks(struct herder *h, struct hconn *c, bool forget)
{
    size_t room = c->task_count;
    struct task **runs = room ? xcalloc(room, sizeof(struct task *)) : NULL;
    end_runs(h, runs, take_runs(h, c, runs, 0, room));
    mem_free((void *)runs);
    mirror_sync(h->mirror);
    if (!forget)
        return;
    for (size_t i = 0; i < room; i++)
        hconn_tell(h, c, (int)i, NULL, SLICE_NULL);
    pthread_mutex_lock(&h->lock);
    struct htask *old = c->tasks;
    c->tasks = NULL;
    c->task_count = 0;
    pthread_mutex_unlock(&h->lock);
    for (size_t i = 0; i < room; i++) {
        strmap_release(&old[i].config);
        mem_free(old[i].trace);
    }
    mem_free(old);
}

void herder_stop_all(struct herder *h)
{
    size_t room = 0, n = 0;
    for (struct hconn *c = h->first; c; c = c->next)
        room += c->task_count;
    struct task **runs = room ? xcalloc(room, sizeof(struct task *)) : NULL;
    for (struct hconn *c = h->first; c; c = c->next) {
        n = take_runs(h, c, runs, n, room);
        store_status(h->db, slice_cstr(c->name), -1, "UNASSIGNED", SLICE_NULL);
        if (c->target != TARGET_STOPPED)
            hconn_tell(h, c, -1, "UNASSIGNED", SLICE_NULL);
    }
    end_runs(h, runs, n);
    mem_free((void *)runs);
}

void hconn_restart_task(struct herder *h, struct hconn *c, size_t task)
{
    pthread_mutex_lock(&h->lock);
    struct task *run = c->tasks[task].run;
    tell_ended(h, c, task);
    c->tasks[task].run = NULL;
    pthread_mutex_unlock(&h->lock);
    if (run)
        end_runs(h, &run, 1);
    hconn_tell(h, c, (int)task, "RESTARTING", SLICE_NULL);
    start_one(h, c, task, c->target == TARGET_PAUSED);
}

void hconn_free(struct hconn *c)
{
    for (size_t i = 0; i < c->task_count; i++) {
        strmap_release(&c->tasks[i].config);
        mem_free(c->tasks[i].trace);
    }
    mem_free(c->tasks);
    strmap_release(&c->config);
    mem_free(c->name);
    mem_free(c->trace);
    mem_free(c);
}
