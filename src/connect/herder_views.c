/* connect/herder_views.c - questions to the herder: answered from the lists under its lock, offsets
 * and topics from SQLite. SPEC: connect 1.3, 1.6. */
#include "base/json.h"
#include "base/mem.h"
#include "connect/configdef.h"
#include "connect/herder_internal.h"
#include "connect/store.h"

static json_t *text(const char *s)
{
    return s ? json_string_nocheck(s) : json_null();
}

static json_t *slice_json(struct slice s)
{
    return s.p ? json_stringn_nocheck(s.p, s.n) : json_null();
}

static json_t *map_json(const struct strmap *m)
{
    json_t *o = json_object();
    for (size_t i = 0; i < m->count; i++)
        json_object_setn_new_nocheck(o, m->entries[i].key.p, m->entries[i].key.n,
                                     slice_json(m->entries[i].value));
    return o;
}

static const char *type_of(const struct hconn *c)
{
    return !c->ops ? "unknown" : c->ops->kind == CONNECTOR_SOURCE ? "source" : "sink";
}

static json_t *info_json(const struct hconn *c)
{
    json_t *o = json_object(), *tasks = json_array();
    for (size_t i = 0; i < c->task_count; i++) {
        json_t *t = json_object();
        json_object_set_new(t, "connector", text(c->name));
        json_object_set_new(t, "task", json_integer((json_int_t)i));
        json_array_append_new(tasks, t);
    }
    json_object_set_new(o, "name", text(c->name));
    json_object_set_new(o, "config", map_json(&c->config));
    json_object_set_new(o, "tasks", tasks);
    json_object_set_new(o, "type", text(type_of(c)));
    return o;
}

static void add_state(json_t *o, const struct herder *h, const char *state, const char *version,
                      const char *trace)
{
    json_object_set_new(o, "state", text(state));
    json_object_set_new(o, "worker_id", text(h->worker_id));
    json_object_set_new(o, "version", text(version));
    if (trace && *trace)
        json_object_set_new(o, "trace", text(trace));
}

static json_t *task_json(const struct herder *h, const struct hconn *c, size_t i)
{
    json_t *t = json_object();
    json_object_set_new(t, "id", json_integer((json_int_t)i));
    add_state(t, h, task_state_name(c->tasks[i].state), c->ops ? c->ops->version : NULL,
              c->tasks[i].trace);
    return t;
}

static json_t *status_json(const struct herder *h, const struct hconn *c)
{
    json_t *o = json_object(), *connector = json_object(), *tasks = json_array();
    const char *version = c->ops && c->started ? c->ops->version : NULL;
    add_state(connector, h, conn_state_name(c->state), version, c->trace);
    for (size_t i = 0; i < c->task_count; i++)
        json_array_append_new(tasks, task_json(h, c, i));
    json_object_set_new(o, "name", text(c->name));
    json_object_set_new(o, "connector", connector);
    json_object_set_new(o, "tasks", tasks);
    json_object_set_new(o, "type", text(type_of(c)));
    return o;
}

json_t *herder_status_locked(const struct herder *h, const struct hconn *c)
{
    return status_json(h, c);
}

json_t *herder_info_locked(const struct hconn *c)
{
    return info_json(c);
}

struct hconn *herder_find(const struct herder *h, struct slice name)
{
    for (struct hconn *c = h->first; c; c = c->next)
        if (slice_eq_c(name, c->name))
            return c;
    return NULL;
}

static enum err not_found(struct error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
static enum err not_found(struct error *e, const char *fmt, ...)
{
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    (void)error_set(e, E_NOT_FOUND, "%s", msg);
    if (e)
        e->sys = 404;
    return E_NOT_FOUND;
}

/* --- lists and single connectors -------------------------------------------------------------- */

json_t *herder_list(struct herder *h)
{
    json_t *out = json_array();
    pthread_mutex_lock(&h->lock);
    for (struct hconn *c = h->first; c; c = c->next)
        json_array_append_new(out, text(c->name));
    pthread_mutex_unlock(&h->lock);
    return out;
}

json_t *herder_list_expanded(struct herder *h, bool status, bool info)
{
    json_t *out = json_object();
    pthread_mutex_lock(&h->lock);
    for (struct hconn *c = h->first; c; c = c->next) {
        json_t *o = json_object();
        if (info)
            json_object_set_new(o, "info", info_json(c));
        if (status)
            json_object_set_new(o, "status", status_json(h, c));
        json_object_set_new_nocheck(out, c->name, o);
    }
    pthread_mutex_unlock(&h->lock);
    return out;
}

enum view { VIEW_INFO, VIEW_CONFIG, VIEW_STATUS, VIEW_TASKS };

static json_t *tasks_json(const struct hconn *c)
{
    json_t *out = json_array();
    for (size_t i = 0; i < c->task_count; i++) {
        json_t *t = json_object(), *id = json_object();
        json_object_set_new(id, "connector", text(c->name));
        json_object_set_new(id, "task", json_integer((json_int_t)i));
        json_object_set_new(t, "id", id);
        json_object_set_new(t, "config", map_json(&c->tasks[i].config));
        json_array_append_new(out, t);
    }
    return out;
}

static enum err view(struct herder *h, struct slice name, enum view which, json_t **out,
                     struct error *e)
{
    pthread_mutex_lock(&h->lock);
    const struct hconn *c = herder_find(h, name);
    if (c)
        *out = which == VIEW_INFO     ? info_json(c)
               : which == VIEW_CONFIG ? map_json(&c->config)
               : which == VIEW_STATUS ? status_json(h, c)
                                      : tasks_json(c);
    pthread_mutex_unlock(&h->lock);
    if (c)
        return E_OK;
    *out = NULL;
    return which == VIEW_STATUS
               ? not_found(e, "No status found for connector " PRI_SL, ARG_SL(name))
               : not_found(e, "Connector " PRI_SL " not found", ARG_SL(name));
}

enum err herder_info(struct herder *h, struct slice name, json_t **out, struct error *e)
{
    return view(h, name, VIEW_INFO, out, e);
}

enum err herder_config(struct herder *h, struct slice name, json_t **out, struct error *e)
{
    return view(h, name, VIEW_CONFIG, out, e);
}

enum err herder_status(struct herder *h, struct slice name, json_t **out, struct error *e)
{
    return view(h, name, VIEW_STATUS, out, e);
}

enum err herder_task_configs(struct herder *h, struct slice name, json_t **out, struct error *e)
{
    return view(h, name, VIEW_TASKS, out, e);
}

enum err herder_task_status(struct herder *h, struct slice name, int task, json_t **out,
                            struct error *e)
{
    *out = NULL;
    pthread_mutex_lock(&h->lock);
    const struct hconn *c = herder_find(h, name);
    if (c && task >= 0 && (size_t)task < c->task_count)
        *out = task_json(h, c, (size_t)task);
    pthread_mutex_unlock(&h->lock);
    return *out ? E_OK : not_found(e, "No status found for task " PRI_SL "-%d", ARG_SL(name), task);
}

static json_t *progress_json(const struct hconn *c, size_t i)
{
    struct strbuf members = STRBUF_INIT;
    json_t *o = NULL;
    strbuf_addc(&members, '{');
    if (c->tasks[i].run)
        task_describe(c->tasks[i].run, &members);
    strbuf_addc(&members, '}');
    if (strbuf_err(&members) || json_load_slice(strbuf_slice(&members), &o, NULL))
        o = json_object();
    json_object_set_new(o, "task", json_integer((json_int_t)i));
    strbuf_release(&members);
    return o;
}

enum err herder_progress(struct herder *h, struct slice name, json_t **out, struct error *e)
{
    *out = NULL;
    pthread_mutex_lock(&h->lock);
    const struct hconn *c = herder_find(h, name);
    if (c)
        *out = json_array();
    for (size_t i = 0; c && i < c->task_count; i++)
        json_array_append_new(*out, progress_json(c, i));
    pthread_mutex_unlock(&h->lock);
    return *out ? E_OK : not_found(e, "Connector " PRI_SL " not found", ARG_SL(name));
}

/* --- topics and offsets ----------------------------------------------------------------------- */

static enum err forbidden(struct error *e, const char *msg)
{
    (void)error_set(e, E_AUTH, "%s", msg);
    if (e)
        e->sys = 403;
    return E_AUTH;
}

enum err herder_topics(struct herder *h, struct slice name, json_t **out, struct error *e)
{
    struct arena a;
    struct slice *topics;
    size_t count;
    *out = NULL;
    if (!worker_flag(h, "topic.tracking.enable"))
        return forbidden(e, "Topic tracking is disabled.");
    arena_init(&a, 4096, ARENA_NO_BUDGET);
    enum err err = store_topics(h->db, name, &a, &topics, &count, e);
    if (!err) {
        json_t *list = json_array(), *inner = json_object();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(list, slice_json(topics[i]));
        json_object_set_new(inner, "topics", list);
        *out = json_object();
        json_object_setn_new_nocheck(*out, name.p, name.n, inner);
    }
    arena_release(&a);
    return err;
}

enum err herder_reset_topics(struct herder *h, struct slice name, struct error *e)
{
    if (!worker_flag(h, "topic.tracking.enable"))
        return forbidden(e, "Topic tracking is disabled.");
    if (!worker_flag(h, "topic.tracking.allow.reset"))
        return forbidden(e, "Topic tracking reset is disabled.");
    return store_topics_reset(h->db, name, e);
}

enum err herder_offsets(struct herder *h, struct slice name, json_t **out, struct error *e)
{
    struct arena a;
    struct record_offset *offsets;
    size_t count;
    *out = NULL;
    struct strmap config = STRMAP_INIT; /* of a sink */
    pthread_mutex_lock(&h->lock);
    const struct hconn *c = herder_find(h, name);
    bool found = c != NULL, sink = c && c->ops && c->ops->kind == CONNECTOR_SINK;
    if (sink)
        strmap_copy(&config, &c->config);
    pthread_mutex_unlock(&h->lock);
    if (!found)
        return not_found(e, "Connector " PRI_SL " not found", ARG_SL(name));
    arena_init(&a, 4096, ARENA_NO_BUDGET);
    if (sink) {
        enum err failed =
            herder_sink_offsets(h, arena_printf(&a, PRI_SL, ARG_SL(name)), &config, out, e);
        strmap_release(&config);
        arena_release(&a);
        return failed;
    }
    enum err err = store_offsets_all(h->db, name, &a, &offsets, &count, e);
    if (!err) {
        json_t *list = json_array();
        for (size_t i = 0; i < count; i++) {
            json_t *o = json_object(), *partition = NULL, *offset = NULL;
            if (json_load_slice(offsets[i].partition, &partition, NULL) ||
                json_load_slice(offsets[i].offset, &offset, NULL)) {
                json_decref(partition);
                json_decref(o);
                continue;
            }
            json_object_set_new(o, "partition", partition);
            json_object_set_new(o, "offset", offset);
            json_array_append_new(list, o);
        }
        *out = json_object();
        json_object_set_new(*out, "offsets", list);
    }
    arena_release(&a);
    return err;
}

bool herder_is_config_topic(const struct herder *h, struct slice topic)
{
    return h && slice_eq(topic, slice_trim(strmap_get_c(&h->worker, "config.storage.topic")));
}

/* --- plugins ---------------------------------------------------------------------------------- */

static void add_plugin(json_t *out, const char *class_name, const char *type, const char *version)
{
    json_t *o = json_object();
    json_object_set_new(o, "class", text(class_name));
    json_object_set_new(o, "type", text(type));
    if (version)
        json_object_set_new(o, "version", text(version));
    json_array_append_new(out, o);
}

json_t *herder_plugins(struct herder *h, bool connectors_only)
{
    const struct registry *r = h->registry;
    json_t *out = json_array();
    for (size_t i = 0; i < r->connector_count; i++)
        add_plugin(out, r->connectors[i]->class_name,
                   r->connectors[i]->kind == CONNECTOR_SINK ? "sink" : "source",
                   r->connectors[i]->version);
    if (connectors_only)
        return out;
    for (size_t i = 0; i < r->transform_count; i++)
        add_plugin(out, r->transforms[i]->class_name, "transformation", r->transforms[i]->version);
    for (size_t i = 0; i < r->predicate_count; i++)
        add_plugin(out, r->predicates[i]->class_name, "predicate", r->predicates[i]->version);
    for (size_t i = 0; i < r->converter_count; i++)
        if (!registry_header_only(r->converters[i]))
            add_plugin(out, r->converters[i]->class_name, "converter", r->converters[i]->version);
    for (size_t i = 0; i < r->converter_count; i++)
        add_plugin(out, r->converters[i]->class_name, "header_converter",
                   r->converters[i]->version);
    return out;
}

enum err herder_plugin_config(struct herder *h, struct slice name, json_t **out, struct error *e)
{
    const struct registry *r = h->registry;
    const struct connector_ops *c = registry_connector(r, name);
    const struct converter_ops *v = c ? NULL : registry_converter(r, name);
    const struct transform_ops *t = c || v ? NULL : registry_transform(r, name);
    const struct predicate_ops *p = c || v || t ? NULL : registry_predicate(r, name);
    *out = NULL;
    if (!c && !v && !t && !p)
        return not_found(e, "Unknown plugin " PRI_SL ".", ARG_SL(name));
    *out = config_definitions_json(c ? c->rows : v ? v->rows : t ? t->rows : p->rows, c, r);
    return E_OK;
}
