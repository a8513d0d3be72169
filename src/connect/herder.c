/* connect/herder.c - requests that change something: create, replace, patch, delete, pause, resume,
 * stop, restart. SPEC: connect 1.4 - 1.6, 3.
 *
 * A request is checked on the caller's thread (validation connects to databases), then runs as a
 * job on the herder's thread: it stores the wish first, answers, and what takes longer (starting)
 * is posted behind it. */
#include "connect/herder.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "connect/herder_internal.h"
#include "connect/store.h"

#include <unistd.h>

#define ABANDONED_WAIT_MS 10000

static const char *const target_names[] = {"STARTED", "PAUSED", "STOPPED"};

/* --- errors ------------------------------------------------------------------------------------
 */

enum err herder_answer(struct error *e, enum err code, int status, const char *fmt, ...)
{
    struct strbuf text = STRBUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    strbuf_addv(&text, fmt, ap);
    va_end(ap);
    (void)error_set(e, code, "%s", text.p);
    if (e)
        e->sys = status;
    strbuf_release(&text);
    return code;
}

/* --- jobs on the herder's thread ---------------------------------------------------------------
 */

static void run_request(void *arg)
{
    struct herder_request *r = arg;
    if (r->h->stopping)
        r->err = herder_answer(r->e, E_CANCELLED, 500, "Worker is shutting down");
    else
        r->err = r->fn(r);
}

enum err herder_submit(struct herder_request *r, enum err (*fn)(struct herder_request *r))
{
    r->fn = fn;
    loop_call(r->h->loop, run_request, r);
    return r->err;
}

/* Work that follows a request: looks its connector up again, which may be gone by then. */
struct later {
    struct herder *h;
    char *name;
    void (*fn)(struct herder *h, struct hconn *c, int arg);
    int arg;
};

static void run_later(void *arg)
{
    struct later *l = arg;
    struct hconn *c = herder_find(l->h, slice_cstr(l->name));
    if (c && !l->h->stopping)
        l->fn(l->h, c, l->arg);
    mem_free(l->name);
    mem_free(l);
}

static void post(struct herder *h, const char *name,
                 void (*fn)(struct herder *, struct hconn *, int), int arg)
{
    struct later *l = xcalloc(1, sizeof *l);
    *l = (struct later){h, xstrdup(name), fn, arg};
    loop_post(h->loop, run_later, l);
}

/* --- configuration -----------------------------------------------------------------------------
 */

static void config_text(const struct strmap *m, struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);
    jw_begin_object(&w);
    for (size_t i = 0; i < m->count; i++) {
        jw_key(&w, m->entries[i].key);
        jw_string(&w, m->entries[i].value);
    }
    jw_end_object(&w);
}

static enum err config_load(struct slice text, struct strmap *m)
{
    json_t *o = NULL;
    const char *key;
    json_t *v;
    enum err err = json_load_slice(text, &o, NULL);
    strmap_init(m);
    if (!err && !json_is_object(o))
        err = E_CORRUPT;
    if (!err) {
        json_object_foreach(o, key, v) strmap_set(
            m, slice_cstr(key),
            json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NULL);
    }
    json_decref(o);
    return err;
}

static enum err store_config(struct herder *h, const struct hconn *c, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    config_text(&c->config, &text);
    struct stored_connector row = {.name = slice_cstr(c->name),
                                   .config = strbuf_slice(&text),
                                   .target = slice_cstr(target_names[c->target]),
                                   .started_once = c->ever_started};
    enum err err = store_connector(h->db, &row, e);
    mem_wipe(text.p, text.n);
    strbuf_release(&text);
    return err;
}

/* --- create, replace, patch --------------------------------------------------------------------
 */

static void start_later(struct herder *h, struct hconn *c, int arg)
{
    (void)arg;
    hconn_start(h, c);
}

static void append_conn(struct herder *h, struct hconn *c)
{
    pthread_mutex_lock(&h->lock);
    struct hconn **at = &h->first;
    while (*at)
        at = &(*at)->next;
    *at = c;
    pthread_mutex_unlock(&h->lock);
}

static struct hconn *conn_new(struct slice name, enum conn_target target)
{
    struct hconn *c = xcalloc(1, sizeof *c);
    c->name = slice_dup(name);
    c->target = target;
    strmap_init(&c->config);
    return c;
}

static void use_config(struct herder *h, struct hconn *c, const struct strmap *config)
{
    pthread_mutex_lock(&h->lock);
    strmap_release(&c->config);
    strmap_copy(&c->config, config);
    c->ops = registry_connector(h->registry, slice_trim(strmap_get_c(config, "connector.class")));
    pthread_mutex_unlock(&h->lock);
}

static enum err create(struct herder_request *r)
{
    struct herder *h = r->h;
    if (herder_find(h, r->name))
        return herder_answer(r->e, E_EXISTS, 409, "Connector " PRI_SL " already exists",
                             ARG_SL(r->name));
    struct hconn *c = conn_new(r->name, r->target);
    use_config(h, c, r->config);
    enum err err = store_config(h, c, r->e);
    if (err) {
        hconn_free(c);
        return err;
    }
    append_conn(h, c);
    r->created = true;
    r->out = herder_info_locked(c);
    hconn_set_state(h, c, CONN_UNASSIGNED, SLICE_NULL);
    post(h, c->name, start_later, 0);
    LOG_INFO(LOG_CONNECT_HERDER, "created connector %s, %s", c->name, target_names[c->target]);
    return E_OK;
}

enum err herder_create(struct herder *h, struct slice name, const struct strmap *config,
                       const char *initial_state, json_t **info, struct error *e)
{
    struct herder_request r = {.h = h, .name = slice_trim(name), .e = e};
    struct strmap full;
    *info = NULL;
    if (initial_state && strcmp(initial_state, "PAUSED") == 0)
        r.target = TARGET_PAUSED;
    else if (initial_state && strcmp(initial_state, "STOPPED") == 0)
        r.target = TARGET_STOPPED;
    enum err err = herder_check_config(h, r.name, config, &full, &r.out, e);
    r.config = &full;
    if (!err)
        err = herder_submit(&r, create);
    *info = r.out;
    strmap_release(&full);
    return err;
}

/* After a change of the configuration. SPEC: connect 3 */
static void restart_changed(struct herder *h, struct hconn *c, int changed)
{
    hconn_start_connector(h, c);
    if (c->state == CONN_FAILED) {
        if (changed)
            hconn_stop_tasks(h, c, true);
        return;
    }
    if (!changed || c->target == TARGET_STOPPED)
        return;
    if (c->target == TARGET_PAUSED) {
        c->stale = true;
        return;
    }
    hconn_stop_tasks(h, c, false);
    hconn_start_tasks(h, c, false);
}

static enum err put(struct herder_request *r)
{
    struct herder *h = r->h;
    struct hconn *c = herder_find(h, r->name);
    if (!c) {
        if (r->must_exist)
            return herder_answer(r->e, E_NOT_FOUND, 404, "Connector " PRI_SL " not found",
                                 ARG_SL(r->name));
        return create(r);
    }
    struct strmap before;
    bool changed = !strmap_eq(&c->config, r->config);
    strmap_copy(&before, &c->config);
    use_config(h, c, r->config);
    enum err err = store_config(h, c, r->e);
    if (err)
        use_config(h, c, &before);
    else
        post(h, c->name, restart_changed, changed);
    strmap_release(&before);
    if (!err)
        r->out = herder_info_locked(c);
    return err;
}

enum err herder_put_config(struct herder *h, struct slice name, const struct strmap *config,
                           json_t **info, bool *created, struct error *e)
{
    struct herder_request r = {.h = h, .name = name, .e = e};
    struct strmap full;
    *info = NULL;
    *created = false;
    enum err err = herder_check_config(h, name, config, &full, &r.out, e);
    r.config = &full;
    if (!err)
        err = herder_submit(&r, put);
    *info = r.out;
    *created = r.created;
    strmap_release(&full);
    return err;
}

enum err herder_patch_config(struct herder *h, struct slice name, const struct strmap *patch,
                             json_t **info, struct error *e)
{
    struct herder_request r = {.h = h, .name = name, .must_exist = true, .e = e};
    struct strmap merged, full;
    *info = NULL;
    pthread_mutex_lock(&h->lock);
    const struct hconn *c = herder_find(h, name);
    if (c)
        strmap_copy(&merged, &c->config);
    pthread_mutex_unlock(&h->lock);
    if (!c)
        return herder_answer(e, E_NOT_FOUND, 404, "Connector " PRI_SL " not found", ARG_SL(name));
    for (size_t i = 0; i < patch->count; i++) {
        if (patch->entries[i].value.p)
            strmap_set(&merged, patch->entries[i].key, patch->entries[i].value);
        else
            (void)strmap_del(&merged, patch->entries[i].key);
    }
    enum err err = herder_check_config(h, name, &merged, &full, &r.out, e);
    r.config = &full;
    if (!err)
        err = herder_submit(&r, put);
    *info = r.out;
    strmap_release(&merged);
    strmap_release(&full);
    return err;
}

/* --- delete, pause, resume, stop ---------------------------------------------------------------
 */

static enum err unlink_conn(struct herder_request *r)
{
    struct herder *h = r->h;
    struct hconn *c = herder_find(h, r->name);
    if (!c)
        return herder_answer(r->e, E_NOT_FOUND, 404, "Connector " PRI_SL " not found",
                             ARG_SL(r->name));
    enum err err = store_delete(h->db, r->name, c->ops ? c->ops->forget : NULL, r->e);
    if (err)
        return err;
    pthread_mutex_lock(&h->lock);
    struct hconn **at = &h->first;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    pthread_mutex_unlock(&h->lock);
    hconn_stop_tasks(h, c, true);
    LOG_INFO(LOG_CONNECT_HERDER, "deleted connector %s", c->name);
    hconn_free(c);
    return E_OK;
}

enum err herder_delete(struct herder *h, struct slice name, struct error *e)
{
    struct herder_request r = {.h = h, .name = name, .e = e};
    return herder_submit(&r, unlink_conn);
}

static void pause_now(struct herder *h, struct hconn *c)
{
    if (c->state != CONN_FAILED)
        hconn_set_state(h, c, CONN_PAUSED, SLICE_NULL);
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < c->task_count; i++)
        if (c->tasks[i].run && c->tasks[i].state != TASK_FAILED)
            task_pause(c->tasks[i].run, true);
    pthread_mutex_unlock(&h->lock);
}

static void resume_now(struct herder *h, struct hconn *c, enum conn_target before)
{
    if (c->state == CONN_FAILED && before != TARGET_STOPPED)
        return;
    if (before == TARGET_STOPPED || !c->ever_started || !c->task_count) {
        hconn_start(h, c);
        return;
    }
    if (c->stale) {
        hconn_start_connector(h, c);
        if (c->state == CONN_FAILED)
            return;
        hconn_stop_tasks(h, c, false);
        hconn_start_tasks(h, c, false);
        return;
    }
    hconn_set_state(h, c, CONN_RUNNING, SLICE_NULL);
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < c->task_count; i++)
        if (c->tasks[i].run)
            task_pause(c->tasks[i].run, false);
    pthread_mutex_unlock(&h->lock);
}

static void stop_now(struct herder *h, struct hconn *c)
{
    hconn_stop_tasks(h, c, true);
    c->started = c->ops != NULL;
    hconn_set_state(h, c, CONN_STOPPED, SLICE_NULL);
}

static enum err set_target(struct herder_request *r)
{
    struct herder *h = r->h;
    struct hconn *c = herder_find(h, r->name);
    if (!c)
        return herder_answer(r->e, E_NOT_FOUND, 404, "Unknown connector " PRI_SL, ARG_SL(r->name));
    enum conn_target before = c->target;
    struct stored_connector row = {.name = r->name, .target = slice_cstr(target_names[r->target])};
    enum err err = before == r->target ? E_OK : store_connector(h->db, &row, r->e);
    if (err)
        return err;
    c->target = r->target;
    if (r->target == TARGET_STOPPED)
        stop_now(h, c);
    else if (r->target == TARGET_PAUSED)
        pause_now(h, c);
    else if (before != TARGET_STARTED)
        resume_now(h, c, before);
    return E_OK;
}

static enum err target_request(struct herder *h, struct slice name, enum conn_target t,
                               struct error *e)
{
    struct herder_request r = {.h = h, .name = name, .target = t, .e = e};
    return herder_submit(&r, set_target);
}

enum err herder_pause(struct herder *h, struct slice name, struct error *e)
{
    return target_request(h, name, TARGET_PAUSED, e);
}

enum err herder_resume(struct herder *h, struct slice name, struct error *e)
{
    return target_request(h, name, TARGET_STARTED, e);
}

enum err herder_stop_connector(struct herder *h, struct slice name, struct error *e)
{
    return target_request(h, name, TARGET_STOPPED, e);
}

/* --- restart -----------------------------------------------------------------------------------
 */

static void restart_connector_later(struct herder *h, struct hconn *c, int arg)
{
    (void)arg;
    hconn_start_connector(h, c);
    if (c->state == CONN_FAILED || c->target == TARGET_STOPPED)
        return;
    if (!c->task_count &&
        (c->target == TARGET_STARTED || c->ever_started)) /* it failed before it had any */
        hconn_start_tasks(h, c, c->target == TARGET_PAUSED);
}

static void restart_task_later(struct herder *h, struct hconn *c, int task)
{
    if ((size_t)task < c->task_count)
        hconn_restart_task(h, c, (size_t)task);
}

static enum err restart(struct herder_request *r)
{
    struct herder *h = r->h;
    struct hconn *c = herder_find(h, r->name);
    if (!c)
        return herder_answer(r->e, E_NOT_FOUND, 404, "Unknown connector: " PRI_SL, ARG_SL(r->name));
    if (!r->include_tasks && !r->only_failed) {
        post(h, c->name, restart_connector_later, 0);
        return E_OK;
    }
    bool connector = !r->only_failed || c->state == CONN_FAILED;
    pthread_mutex_lock(&h->lock);
    if (connector)
        c->state = CONN_RESTARTING; /* an old trace stays to be seen */
    for (size_t i = 0; i < c->task_count && r->include_tasks; i++) {
        if (r->only_failed && c->tasks[i].state != TASK_FAILED)
            continue;
        c->tasks[i].state = TASK_RESTARTING;
        post(h, c->name, restart_task_later, (int)i);
    }
    r->out = herder_status_locked(h, c);
    pthread_mutex_unlock(&h->lock);
    if (connector)
        post(h, c->name, restart_connector_later, 0);
    return E_OK;
}

enum err herder_restart(struct herder *h, struct slice name, bool include_tasks, bool only_failed,
                        json_t **status, struct error *e)
{
    struct herder_request r = {
        .h = h, .name = name, .include_tasks = include_tasks, .only_failed = only_failed, .e = e};
    enum err err = herder_submit(&r, restart);
    *status = r.out;
    return err;
}

static enum err restart_task(struct herder_request *r)
{
    struct hconn *c = herder_find(r->h, r->name);
    if (!c)
        return herder_answer(r->e, E_NOT_FOUND, 404, "Unknown connector: " PRI_SL, ARG_SL(r->name));
    if (r->task < 0 || (size_t)r->task >= c->task_count)
        return herder_answer(r->e, E_NOT_FOUND, 404, "Unknown task: " PRI_SL "-%d", ARG_SL(r->name),
                             r->task);
    hconn_restart_task(r->h, c, (size_t)r->task);
    return E_OK;
}

enum err herder_restart_task(struct herder *h, struct slice name, int task, struct error *e)
{
    struct herder_request r = {.h = h, .name = name, .task = task, .e = e};
    return herder_submit(&r, restart_task);
}

/* --- start and end -----------------------------------------------------------------------------
 */

static enum err load(struct herder *h, struct error *e)
{
    struct arena a;
    struct stored_connector *rows;
    size_t count;
    arena_init(&a, 16 << 10, ARENA_NO_BUDGET);
    enum err err = store_load(h->db, &a, &rows, &count, e);
    for (size_t i = 0; i < count && !err; i++) {
        enum conn_target target = slice_eq_c(rows[i].target, "PAUSED")    ? TARGET_PAUSED
                                  : slice_eq_c(rows[i].target, "STOPPED") ? TARGET_STOPPED
                                                                          : TARGET_STARTED;
        struct strmap config;
        if (config_load(rows[i].config, &config)) {
            LOG_ERROR(LOG_CONNECT_HERDER,
                      "the stored configuration of connector " PRI_SL " cannot be read",
                      ARG_SL(rows[i].name));
            strmap_release(&config);
            continue;
        }
        struct hconn *c = conn_new(rows[i].name, target);
        c->ever_started = rows[i].started_once;
        use_config(h, c, &config);
        strmap_release(&config);
        append_conn(h, c);
    }
    arena_release(&a);
    return err;
}

enum err herder_start(struct herder **out, struct db *db, struct kclient *k,
                      const struct registry *r, const struct strmap *worker, struct error *e)
{
    struct herder *h = xcalloc(1, sizeof *h);
    h->db = db;
    h->kclient = k;
    h->began_ms = clock_mono_ms();
    h->registry = r;
    h->worker_id = xstrdup("127.0.0.1:8083");
    strmap_copy(&h->worker, worker);
    pthread_mutex_init(&h->lock, NULL);
    enum err err = load(h, e);
    if (!err)
        err = loop_start(&h->loop, "herder", e);
    if (err)
        (void)!herder_shutdown(h); /* no task was started */
    else
        *out = h;
    return err;
}

struct go {
    struct herder *h;
    const char *worker_id;
};

static void go_now(void *arg)
{
    struct go *g = arg;
    pthread_mutex_lock(&g->h->lock);
    mem_free(g->h->worker_id);
    g->h->worker_id = xstrdup(g->worker_id);
    pthread_mutex_unlock(&g->h->lock);
    metrics_collector(herder_collect, g->h);
    for (struct hconn *c = g->h->first; c; c = c->next)
        post(g->h, c->name, start_later, 0);
}

void herder_go(struct herder *h, const char *worker_id)
{
    struct go g = {h, worker_id};
    loop_call(h->loop, go_now, &g);
}

static void stop_now_all(void *arg)
{
    struct herder *h = arg;
    h->stopping = true;
    herder_stop_all(h);
}

/* Abandoned tasks get one more chance, as they may have been waiting for a timeout of their own. */
static bool threads_ended(struct herder *h)
{
    int64_t until = clock_mono_ms() + ABANDONED_WAIT_MS;
    int n;
    while ((n = atomic_load(&h->live_threads)) > 0 && clock_mono_ms() < until)
        usleep(10000);
    if (n > 0)
        LOG_ERROR(LOG_CONNECT_HERDER, "tasks do not end though they were asked to threads=%d", n);
    return n == 0;
}

bool herder_shutdown(struct herder *h)
{
    if (!h)
        return true;
    metrics_collector_remove(herder_collect, h);
    if (h->loop) {
        loop_call(h->loop, stop_now_all, h);
        loop_stop(h->loop);
        h->loop = NULL;
    }
    if (!threads_ended(h))
        return false;
    while (h->first) {
        struct hconn *c = h->first;
        h->first = c->next;
        hconn_free(c);
    }
    pthread_mutex_destroy(&h->lock);
    strmap_release(&h->worker);
    mem_free(h->worker_id);
    mem_free(h);
    return true;
}
