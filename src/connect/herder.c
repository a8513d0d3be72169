/* connect/herder.c - requests that change something: create, replace, patch, delete, pause, resume,
 * stop, restart. SPEC: connect 1.4 - 1.6, 3. Start and end: herder_life.c.
 *
 * A request is checked on the caller's thread (validation connects to databases), then runs as a
 * job on the herder's thread: it stores the wish first, answers, and what takes longer (starting)
 * is posted behind it. */
#include "connect/herder.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "connect/herder_internal.h"
#include "connect/store.h"

const char *const conn_target_names[] = {"STARTED", "PAUSED", "STOPPED"};

/* --- errors ----------------------------------------------------------------------------------- */

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

/* --- jobs on the herder's thread -------------------------------------------------------------- */

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

void herder_post(struct herder *h, const char *name,
                 void (*fn)(struct herder *, struct hconn *, int), int arg)
{
    struct later *l = xcalloc(1, sizeof *l);
    *l = (struct later){h, xstrdup(name), fn, arg};
    loop_post(h->loop, run_later, l);
}

/* --- configuration ---------------------------------------------------------------------------- */

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

static enum err store_config(struct herder *h, const struct hconn *c, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    config_text(&c->config, &text);
    struct stored_connector row = {.name = slice_cstr(c->name),
                                   .config = strbuf_slice(&text),
                                   .target = slice_cstr(conn_target_names[c->target]),
                                   .started_once = c->ever_started};
    enum err err = store_connector(h->db, &row, e);
    mem_wipe(text.p, text.n);
    strbuf_release(&text);
    return err;
}

/* --- create, replace, patch ------------------------------------------------------------------- */

void hconn_start_later(struct herder *h, struct hconn *c, int arg)
{
    (void)arg;
    hconn_start(h, c);
}

void herder_append(struct herder *h, struct hconn *c)
{
    pthread_mutex_lock(&h->lock);
    struct hconn **at = &h->first;
    while (*at)
        at = &(*at)->next;
    *at = c;
    pthread_mutex_unlock(&h->lock);
}

struct hconn *hconn_new(struct slice name, enum conn_target target)
{
    struct hconn *c = xcalloc(1, sizeof *c);
    c->name = slice_dup(name);
    c->target = target;
    strmap_init(&c->config);
    return c;
}

void hconn_use_config(struct herder *h, struct hconn *c, const struct strmap *config)
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
    struct hconn *c = hconn_new(r->name, r->target);
    hconn_use_config(h, c, r->config);
    enum err err = store_config(h, c, r->e);
    if (err) {
        hconn_free(c);
        return err;
    }
    herder_append(h, c);
    if (c->target != TARGET_STARTED)
        mirror_target(h->mirror, c->name, conn_target_names[c->target]);
    mirror_config(h->mirror, c->name, &c->config);
    r->created = true;
    r->out = herder_info_locked(c);
    hconn_set_state(h, c, CONN_UNASSIGNED, SLICE_NULL);
    herder_post(h, c->name, hconn_start_later, 0);
    LOG_INFO(LOG_CONNECT_HERDER, "created connector %s, %s", c->name, conn_target_names[c->target]);
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

static void tell_restart(struct herder *h, const struct hconn *c)
{
    if (c->started && c->target != TARGET_STOPPED)
        hconn_tell(h, c, -1, "UNASSIGNED", SLICE_NULL);
}

/* After a change of the configuration. SPEC: connect 3 */
static void restart_changed(struct herder *h, struct hconn *c, int changed)
{
    tell_restart(h, c);
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
    if (r->base && !strmap_eq(&c->config, r->base)) /* somebody else was faster */
        return herder_answer(r->e, E_CONFLICT, 409,
                             "The configuration of connector " PRI_SL
                             " was changed by others at the same time",
                             ARG_SL(r->name));
    struct strmap before;
    bool changed = !strmap_eq(&c->config, r->config);
    strmap_copy(&before, &c->config);
    hconn_use_config(h, c, r->config);
    enum err err = store_config(h, c, r->e);
    if (err)
        hconn_use_config(h, c, &before);
    else
        herder_post(h, c->name, restart_changed, changed);
    if (!err)
        mirror_config(h->mirror, c->name, &c->config);
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

static void merge(struct strmap *config, const struct strmap *patch)
{
    for (size_t i = 0; i < patch->count; i++) {
        if (patch->entries[i].value.p)
            strmap_set(config, patch->entries[i].key, patch->entries[i].value);
        else
            (void)strmap_del(config, patch->entries[i].key);
    }
}

/* Validated without the lock, which takes its time: E_CONFLICT when the configuration is another one
 * by then. */
static enum err patch_once(struct herder *h, struct slice name, const struct strmap *patch,
                           json_t **info, struct error *e)
{
    struct strmap base, merged, full;
    struct herder_request r = {.h = h, .name = name, .must_exist = true, .base = &base, .e = e};
    pthread_mutex_lock(&h->lock);
    const struct hconn *c = herder_find(h, name);
    if (c)
        strmap_copy(&base, &c->config);
    pthread_mutex_unlock(&h->lock);
    if (!c)
        return herder_answer(e, E_NOT_FOUND, 404, "Connector " PRI_SL " not found", ARG_SL(name));
    strmap_copy(&merged, &base);
    merge(&merged, patch);
    enum err err = herder_check_config(h, name, &merged, &full, &r.out, e);
    r.config = &full;
    if (!err)
        err = herder_submit(&r, put);
    *info = r.out;
    strmap_release(&base);
    strmap_release(&merged);
    strmap_release(&full);
    return err;
}

enum err herder_patch_config(struct herder *h, struct slice name, const struct strmap *patch,
                             json_t **info, struct error *e)
{
    enum { TRIES = 20 };
    enum err err = E_CONFLICT;
    *info = NULL;
    for (int i = 0; i < TRIES && err == E_CONFLICT && !*info; i++) {
        error_clear(e);
        err = patch_once(h, name, patch, info, e);
    }
    return err;
}

/* --- delete, pause, resume, stop -------------------------------------------------------------- */

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
    hconn_tell(h, c, -1, "UNASSIGNED", SLICE_NULL);
    hconn_tell(h, c, -1, NULL, SLICE_NULL);
    mirror_config(h->mirror, c->name, NULL);
    mirror_target(h->mirror, c->name, NULL);
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
    struct stored_connector row = {.name = r->name,
                                   .target = slice_cstr(conn_target_names[r->target])};
    enum err err = before == r->target ? E_OK : store_connector(h->db, &row, r->e);
    if (err)
        return err;
    c->target = r->target;
    if (r->target == TARGET_STOPPED)
        mirror_tasks(h->mirror, c->name, NULL, 0);
    mirror_target(h->mirror, c->name, conn_target_names[r->target]);
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

/* --- restart ---------------------------------------------------------------------------------- */

static void restart_connector_later(struct herder *h, struct hconn *c, int arg)
{
    (void)arg;
    if (c->state != CONN_RESTARTING)
        tell_restart(h, c);
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
        herder_post(h, c->name, restart_connector_later, 0);
        return E_OK;
    }
    bool connector = !r->only_failed || c->state == CONN_FAILED;
    mirror_restart(h->mirror, c->name, r->include_tasks, r->only_failed);
    if (connector) {
        tell_restart(h, c);
        hconn_tell(h, c, -1, "RESTARTING", SLICE_NULL);
    }
    pthread_mutex_lock(&h->lock);
    if (connector)
        c->state = CONN_RESTARTING; /* an old trace stays to be seen */
    for (size_t i = 0; i < c->task_count && r->include_tasks; i++) {
        if (r->only_failed && c->tasks[i].state != TASK_FAILED)
            continue;
        c->tasks[i].state = TASK_RESTARTING;
        herder_post(h, c->name, restart_task_later, (int)i);
    }
    r->out = herder_status_locked(h, c);
    pthread_mutex_unlock(&h->lock);
    if (connector)
        herder_post(h, c->name, restart_connector_later, 0);
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
