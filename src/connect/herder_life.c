/* connect/herder_life.c - start and end of the herder: what the user asked for is loaded, then started
 * as soon as the worker's address is known; at the end all tasks are stopped. See herder_internal.h. */
#include "connect/herder_internal.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "connect/store.h"

#define ABANDONED_WAIT_MS 10000

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
        struct hconn *c = hconn_new(rows[i].name, target);
        c->ever_started = rows[i].started_once;
        hconn_use_config(h, c, &config);
        strmap_release(&config);
        herder_append(h, c);
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
        err = mirror_start(&h->mirror, k, db, &h->worker, e);
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

/* What a crash kept from the mirror. */
static void tell_all(struct herder *h)
{
    size_t count = 0, i = 0;
    for (const struct hconn *c = h->first; c; c = c->next)
        count++;
    struct slice *names = xcalloc(count + 1, sizeof *names);
    for (const struct hconn *c = h->first; c; c = c->next) {
        names[i++] = slice_cstr(c->name);
        mirror_config(h->mirror, c->name, &c->config);
        mirror_target(h->mirror, c->name, conn_target_names[c->target]);
    }
    mirror_keep(h->mirror, names, count);
    mirror_sync(h->mirror);
    mem_free(names);
}

struct lost {
    struct herder *h;
    enum mirror_topic topic;
};

static void tell_states(struct herder *h, struct hconn *c)
{
    pthread_mutex_lock(&h->lock);
    if (c->state != CONN_UNASSIGNED)
        hconn_tell(h, c, -1, conn_state_name(c->state), slice_cstr(c->trace));
    for (size_t i = 0; i < c->task_count; i++)
        if (c->tasks[i].state != TASK_UNASSIGNED)
            hconn_tell(h, c, (int)i, task_state_name(c->tasks[i].state),
                       slice_cstr(c->tasks[i].trace));
    pthread_mutex_unlock(&h->lock);
}

static void tell_again(void *arg)
{
    struct lost *l = arg;
    for (struct hconn *c = l->h->first; c; c = c->next) {
        if (l->topic == MIRROR_STATUS)
            tell_states(l->h, c);
        else if (c->task_count)
            hconn_tell_tasks(l->h, c);
    }
    if (l->topic == MIRROR_CONFIGS)
        tell_all(l->h);
    mem_free(l);
}

/* On the mirror's thread. */
static void on_lost_topic(void *arg, enum mirror_topic t)
{
    struct lost *l = xcalloc(1, sizeof *l);
    *l = (struct lost){arg, t};
    loop_post(l->h->loop, tell_again, l);
}

static void go_now(void *arg)
{
    struct go *g = arg;
    pthread_mutex_lock(&g->h->lock);
    mem_free(g->h->worker_id);
    g->h->worker_id = xstrdup(g->worker_id);
    pthread_mutex_unlock(&g->h->lock);
    metrics_collector(herder_collect, g->h);
    mirror_listen(g->h->mirror, on_lost_topic, g->h);
    tell_all(g->h);
    for (struct hconn *c = g->h->first; c; c = c->next)
        herder_post(g->h, c->name, hconn_start_later, 0);
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
    mirror_listen(h->mirror, NULL, NULL);
    if (h->loop) {
        loop_call(h->loop, stop_now_all, h);
        loop_stop(h->loop);
        h->loop = NULL;
    }
    if (!threads_ended(h))
        return false;
    mirror_stop(h->mirror);
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
