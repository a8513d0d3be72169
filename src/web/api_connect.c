/* web/api_connect.c - Kafka Connect through the herder: SPEC web-ui 3.6. Names of members are
 * kafka-ui's (camel case); what :8083 says is translated here. Secrets are
 * masked (mask.h), and a masked value that comes back means "as it is". */
#include <stdlib.h>

#include "base/base.h"
#include "base/mem.h"
#include "connect/connect.h"
#include "web/api.h"
#include "web/mask.h"

/* --- configurations -------------------------------------------------------------------------- */

/* What the connector's class says about its options; NULL: the class is not known. Caller decrefs.
 */
static json_t *definitions_of(struct web *w, const json_t *config)
{
    json_t *out = NULL;
    const char *class_name = json_string_value(json_object_get(config, "connector.class"));
    if (class_name && herder_plugin_config(w->herder, slice_cstr(class_name), &out, NULL) != E_OK)
        return NULL;
    return out;
}

static json_t *masked_config(struct web *w, const json_t *config)
{
    json_t *definitions = definitions_of(w, config);
    json_t *out = mask_config(config, definitions);
    json_decref(definitions);
    return out;
}

/* One value of a submitted configuration; masked parts take what is stored now. */
static enum err read_value(struct strmap *out, const char *key, const json_t *v,
                           const json_t *stored, const json_t *definitions, struct error *e)
{
    struct strbuf text = STRBUF_INIT, value = STRBUF_INIT;
    const json_t *old = json_object_get(stored, key);
    bool secret = mask_name_is_secret(slice_cstr(key)) || mask_declared_secret(definitions, key);
    enum err err = E_OK;
    if (json_is_null(v)) {
        strmap_set(out, slice_cstr(key), SLICE_NULL);
    } else if (!web_scalar_text(v, &text)) {
        err = error_set(e, E_INVALID,
                        "%s must be a text: a connector's configuration has no nested "
                        "objects or lists",
                        key);
    } else {
        err = mask_restore(&value, strbuf_slice(&text), slice_cstr(json_string_value(old)), secret);
        if (err)
            error_set(e, err,
                      "%s is masked (" MASK ") and nothing is stored for it; give the real value",
                      key);
        else
            strmap_set(out, slice_cstr(key), strbuf_slice(&value));
    }
    strbuf_release(&text);
    strbuf_release(&value);
    return err;
}

/* Config of a body as texts. Numbers and booleans become texts. */
static enum err read_config(struct web *w, struct slice name, json_t *config, struct strmap *out,
                            struct error *e)
{
    json_t *stored = NULL, *v;
    const char *key;
    enum err err = E_OK;
    if (!json_is_object(config))
        return error_set(e, E_INVALID, "config must be an object");
    if (herder_config(w->herder, name, &stored, NULL) != E_OK)
        stored = NULL;
    json_t *definitions = definitions_of(w, config);
    json_object_foreach(config, key, v) if (!err) err =
        read_value(out, key, v, stored, definitions, e);
    json_decref(definitions);
    json_decref(stored);
    return err;
}

/* --- shapes ---------------------------------------------------------------------------------- */

static const char *kind_of(const json_t *info)
{
    const char *type = json_string_value(json_object_get(info, "type"));
    return type && strcmp(type, "sink") == 0     ? "SINK"
           : type && strcmp(type, "source") == 0 ? "SOURCE"
                                                 : "UNKNOWN";
}

static int64_t failed_tasks(const json_t *status)
{
    int64_t failed = 0;
    size_t i;
    json_t *task;
    json_array_foreach(json_object_get(status, "tasks"), i, task)
    {
        const char *state = json_string_value(json_object_get(task, "state"));
        failed += state && strcmp(state, "FAILED") == 0;
    }
    return failed;
}

static json_t *or_null(json_t *v) /* borrowed -> new reference */
{
    return v ? json_incref(v) : json_null();
}

/* Details say TASK_FAILED for a running connector with a failed task; lists keep the connector's
 * own state, beside the count of failed tasks. */
static json_t *status_json(const json_t *status, bool with_tasks)
{
    const json_t *c = json_object_get(status, "connector");
    const char *state = json_string_value(json_object_get(c, "state"));
    if (with_tasks && state && strcmp(state, "RUNNING") == 0 && failed_tasks(status) > 0)
        state = "TASK_FAILED";
    return json_pack("{s:s, s:o, s:o}", "state", state ? state : "UNASSIGNED", "workerId",
                     or_null(json_object_get(c, "worker_id")), "trace",
                     or_null(json_object_get(c, "trace")));
}

static json_t *topics_of(struct web *w, const char *name)
{
    json_t *answer = NULL, *topics = NULL;
    if (herder_topics(w->herder, slice_cstr(name), &answer, NULL) == E_OK)
        topics = json_object_get(json_object_get(answer, name), "topics");
    topics = topics ? json_incref(topics) : json_array();
    json_decref(answer);
    return topics;
}

/* The connector's consumer group, when there is one. */
static json_t *consumer_of(struct web *w, const char *name)
{
    struct arena a;
    struct broker_group_info g;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    char *id = arena_printf(&a, "connect-%s", name);
    bool there = broker_group(w->deps.broker, slice_cstr(id), &a, &g, NULL) == E_OK;
    json_t *out = there ? json_string(id) : json_null();
    arena_release(&a);
    return out;
}

/* weir's own: since when one of its tasks has no connection to its database (ms since 1970); null:
 * all have, or do not tell. The state stays RUNNING meanwhile. */
static json_t *not_connected(struct web *w, const char *name)
{
    json_t *tasks = NULL, *task;
    int64_t first = 0;
    size_t i;
    if (herder_progress(w->herder, slice_cstr(name), &tasks, NULL) != E_OK)
        return json_null();
    json_array_foreach(tasks, i, task)
    {
        int64_t since = json_integer_value(json_object_get(task, "notConnectedSince"));
        if (since && (!first || since < first))
            first = since;
    }
    json_decref(tasks);
    return first ? json_integer(first) : json_null();
}

json_t *web_connector_summary(struct web *w, const char *name, const json_t *info,
                              const json_t *status)
{
    json_t *config = json_object_get(info, "config");
    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:I, s:I, s:o, s:o, s:i}", "connect",
                     WEB_CONNECT, "name", name, "connectorClass",
                     or_null(json_object_get(config, "connector.class")), "type", kind_of(info),
                     "topics", topics_of(w, name), "status", status_json(status, false),
                     "tasksCount", (json_int_t)json_array_size(json_object_get(status, "tasks")),
                     "failedTasksCount", (json_int_t)failed_tasks(status), "consumer",
                     consumer_of(w, name), "notConnectedSince", not_connected(w, name),
                     "recentWarnings", connect_recent_count(slice_cstr(name)));
}

static json_t *connector_json(struct web *w, const char *name, const json_t *info,
                              const json_t *status)
{
    return json_pack("{s:s, s:o, s:o, s:s, s:o, s:s, s:o, s:o, s:o}", "name", name, "config",
                     masked_config(w, json_object_get(info, "config")), "tasks",
                     or_null(json_object_get(info, "tasks")), "type", kind_of(info), "status",
                     status_json(status, true), "connect", WEB_CONNECT, "topics",
                     topics_of(w, name), "consumer", consumer_of(w, name), "notConnectedSince",
                     not_connected(w, name));
}

static void reply_connector(struct http_request *r, struct web *w, struct slice name)
{
    json_t *info = NULL, *status = NULL;
    struct error e = {0};
    enum err err = herder_info(w->herder, name, &info, &e);
    if (!err && herder_status(w->herder, name, &status, NULL) != E_OK)
        status = NULL; /* not reported yet: UNASSIGNED */
    char *text = slice_dup(name);
    if (err)
        web_fail(r, w, &e, WEB_NOT_FOUND);
    else
        http_reply_json(r, 200, connector_json(w, text, info, status));
    mem_free(text);
    json_decref(info);
    json_decref(status);
}

/* Answers what a herder call without result said. */
static void reply_done(struct http_request *r, struct web *w, enum err err, const struct error *e)
{
    if (err)
        web_fail(r, w, e, WEB_NOT_FOUND);
    else
        http_reply_empty(r, 200);
}

/* --- lists ----------------------------------------------------------------------------------- */

static bool no_worker(struct http_request *r, struct web *w)
{
    if (!w->herder)
        http_reply_json(r, 200, json_array());
    return !w->herder;
}

void web_connects(struct http_request *r, void *arg)
{
    struct web *w = arg;
    if (no_worker(r, w))
        return;
    json_t *all = herder_list_expanded(w->herder, true, false), *v;
    int64_t failed = 0, tasks = 0, failed_task_count = 0;
    const char *name;
    json_object_foreach(all, name, v)
    {
        json_t *status = json_object_get(v, "status"), *one = status_json(status, true);
        const char *state = json_string_value(json_object_get(one, "state"));
        failed += strcmp(state, "FAILED") == 0 || strcmp(state, "TASK_FAILED") == 0;
        tasks += (int64_t)json_array_size(json_object_get(status, "tasks"));
        failed_task_count += failed_tasks(status);
        json_decref(one);
    }
    struct broker_info info;
    broker_info(w->deps.broker, &info);
    bool stats = web_query_true(r, "withStats");
    json_t *out =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:n, s:s, s:s}", "name", WEB_CONNECT,
                  "address", w->deps.connect_url, "connectorsCount",
                  stats ? json_integer((json_int_t)json_object_size(all)) : json_null(),
                  "failedConnectorsCount", stats ? json_integer(failed) : json_null(), "tasksCount",
                  stats ? json_integer(tasks) : json_null(), "failedTasksCount",
                  stats ? json_integer(failed_task_count) : json_null(), "version", "4.1.1",
                  "commit", "clusterId", info.cluster_id, "consumerNamePattern", "connect-%s");
    json_decref(all);
    http_reply_json(r, 200, json_pack("[o]", out));
}

/* Summaries of all connectors, or of those that write to (or read) one topic. */
static json_t *summaries(struct web *w, struct slice search, struct slice topic)
{
    json_t *all = herder_list_expanded(w->herder, true, true), *v, *out = json_array();
    const char *name;
    json_object_foreach(all, name, v)
    {
        if (search.p && !web_contains_icase(slice_cstr(name), search))
            continue;
        json_t *one = web_connector_summary(w, name, json_object_get(v, "info"),
                                            json_object_get(v, "status")),
               *t;
        bool wanted = !topic.p;
        size_t i;
        json_array_foreach(json_object_get(one, "topics"), i, t) wanted |=
            slice_eq_c(topic, json_string_value(t));
        if (wanted)
            json_array_append(out, one);
        json_decref(one);
    }
    json_decref(all);
    return out;
}

void web_connectors_all(struct http_request *r, void *arg)
{
    static const char *const orders[][2] = {{"NAME", "name"},
                                            {"CONNECT", "connect"},
                                            {"TYPE", "type"},
                                            {"STATUS", "status.state"},
                                            {NULL, NULL}};
    struct web *w = arg;
    if (!no_worker(r, w))
        http_reply_json(r, 200,
                        web_sort(r, summaries(w, http_query(r, "search"), SLICE_NULL), orders));
}

void web_topic_connectors(struct http_request *r, void *arg)
{
    struct web *w = arg;
    if (!no_worker(r, w))
        http_reply_json(r, 200, summaries(w, SLICE_NULL, http_param(r, "topic")));
}

void web_connectors(struct http_request *r, void *arg)
{
    struct web *w = arg;
    http_reply_json(r, 200, herder_list(w->herder));
}

void web_plugins(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *all = herder_plugins(w->herder, true), *out = json_array(), *v;
    size_t i;
    json_array_foreach(all, i, v)
        json_array_append_new(out, json_pack("{s:O}", "class", json_object_get(v, "class")));
    json_decref(all);
    http_reply_json(r, 200, out);
}

/* --- one connector --------------------------------------------------------------------------- */

void web_connector(struct http_request *r, void *arg)
{
    reply_connector(r, arg, http_param(r, "name"));
}

/* Answers a failed create or update; the text of a failed validation may be in *info. */
static void reply_refused(struct http_request *r, struct web *w, const struct error *e,
                          const json_t *info)
{
    if (json_is_string(info))
        web_error(r, w, WEB_INVALID, "%s", json_string_value(info));
    else
        web_fail(r, w, e, WEB_INVALID);
}

void web_connector_create(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w), *info = NULL;
    if (!body)
        return;
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    const char *name = json_string_value(json_object_get(body, "name"));
    enum err err =
        name ? read_config(w, slice_cstr(name), json_object_get(body, "config"), &config, &e)
             : error_set(&e, E_INVALID, "name is missing");
    if (err) {
        web_error(r, w, WEB_BAD_BODY, "%s", e.msg);
    } else if (herder_create(w->herder, slice_cstr(name), &config, NULL, &info, &e) != E_OK) {
        reply_refused(r, w, &e, info);
    } else {
        reply_connector(r, w, slice_cstr(name));
    }
    json_decref(info);
    strmap_release(&config);
    json_decref(body);
}

void web_connector_delete(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct error e = {0};
    reply_done(r, w, herder_delete(w->herder, http_param(r, "name"), &e), &e);
}

void web_connector_config(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *config = NULL;
    struct error e = {0};
    if (herder_config(w->herder, http_param(r, "name"), &config, &e) == E_OK)
        http_reply_json(r, 200, masked_config(w, config));
    else
        web_fail(r, w, &e, WEB_NOT_FOUND);
    json_decref(config);
}

void web_connector_put_config(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w), *info = NULL;
    if (!body)
        return;
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    bool created;
    struct slice name = http_param(r, "name");
    if (read_config(w, name, body, &config, &e) != E_OK)
        web_error(r, w, WEB_BAD_BODY, "%s", e.msg);
    else if (herder_put_config(w->herder, name, &config, &info, &created, &e) != E_OK)
        reply_refused(r, w, &e, info);
    else
        reply_connector(r, w, name);
    json_decref(info);
    strmap_release(&config);
    json_decref(body);
}

void web_connector_tasks(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *status = NULL, *configs = NULL, *out, *task;
    struct error e = {0};
    size_t i;
    enum err err = herder_status(w->herder, http_param(r, "name"), &status, &e);
    if (!err)
        err = herder_task_configs(w->herder, http_param(r, "name"), &configs, &e);
    if (err) {
        web_fail(r, w, &e, WEB_NOT_FOUND);
    } else {
        out = json_array();
        json_array_foreach(json_object_get(status, "tasks"), i, task)
        {
            json_t *config = json_object_get(json_array_get(configs, i), "config");
            json_t *state = json_pack("{s:O, s:O, s:o, s:o}", "id", json_object_get(task, "id"),
                                      "state", json_object_get(task, "state"), "workerId",
                                      or_null(json_object_get(task, "worker_id")), "trace",
                                      or_null(json_object_get(task, "trace")));
            json_array_append_new(out,
                                  json_pack("{s:{s:o, s:O}, s:o, s:o}", "id", "connector",
                                            web_string(http_param(r, "name")), "task",
                                            json_object_get(task, "id"), "status", state, "config",
                                            config ? masked_config(w, config) : json_object()));
        }
        http_reply_json(r, 200, out);
    }
    json_decref(status);
    json_decref(configs);
}

void web_connector_action(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct slice name = http_param(r, "name"), action = http_param(r, "action");
    struct error e = {0};
    json_t *status = NULL;
    enum err err;
    if (slice_eq_c(action, "RESTART"))
        err = herder_restart(w->herder, name, false, false, &status, &e);
    else if (slice_eq_c(action, "RESTART_ALL_TASKS"))
        err = herder_restart(w->herder, name, true, false, &status, &e);
    else if (slice_eq_c(action, "RESTART_FAILED_TASKS"))
        err = herder_restart(w->herder, name, true, true, &status, &e);
    else if (slice_eq_c(action, "PAUSE"))
        err = herder_pause(w->herder, name, &e);
    else if (slice_eq_c(action, "RESUME"))
        err = herder_resume(w->herder, name, &e);
    else if (slice_eq_c(action, "STOP"))
        err = herder_stop_connector(w->herder, name, &e);
    else
        err = error_set(&e, E_INVALID, "there is no action '" PRI_SL "'", ARG_SL(action));
    json_decref(status);
    reply_done(r, w, err, &e);
}

void web_task_restart(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct error e = {0};
    int64_t task;
    enum err err = slice_to_i64(http_param(r, "task"), &task);
    if (err || task < 0 || task > INT32_MAX)
        web_error(r, w, WEB_INVALID, "the task must be a number");
    else
        reply_done(r, w, herder_restart_task(w->herder, http_param(r, "name"), (int)task, &e), &e);
}

/* weir's own: what the log says of the connector's tasks. */
void web_connector_warnings(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *info = NULL;
    struct error e = {0};
    if (herder_info(w->herder, http_param(r, "name"), &info, &e) == E_OK)
        http_reply_json(r, 200, connect_recent(http_param(r, "name")));
    else
        web_fail(r, w, &e, WEB_NOT_FOUND);
    json_decref(info);
}

/* weir's own: what its tasks tell of themselves. */
void web_connector_progress(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *out = NULL;
    struct error e = {0};
    if (herder_progress(w->herder, http_param(r, "name"), &out, &e) == E_OK)
        http_reply_json(r, 200, out);
    else
        web_fail(r, w, &e, WEB_NOT_FOUND);
}

void web_connector_offsets(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *out = NULL;
    struct error e = {0};
    if (herder_offsets(w->herder, http_param(r, "name"), &out, &e) == E_OK)
        http_reply_json(r, 200, out);
    else
        web_fail(r, w, &e, WEB_NOT_FOUND);
}

void web_connector_reset_offsets(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *out = NULL;
    struct error e = {0};
    if (herder_reset_offsets(w->herder, http_param(r, "name"), &out, &e) == E_OK)
        http_reply_empty(r, 200);
    else
        web_error(r, w, e.code == E_NOT_FOUND ? WEB_NOT_FOUND : WEB_OFFSETS_REFUSED, "%s", e.msg);
    json_decref(out);
}

/* --- validation ------------------------------------------------------------------------------ */

/* default_value -> defaultValue, in every object below. New reference. */
static json_t *camel(json_t *v)
{
    json_t *out, *item;
    const char *key;
    size_t i;
    if (json_is_array(v)) {
        out = json_array();
        json_array_foreach(v, i, item) json_array_append_new(out, camel(item));
        return out;
    }
    if (!json_is_object(v))
        return json_incref(v);
    out = json_object();
    json_object_foreach(v, key, item)
    {
        char name[64];
        size_t n = 0;
        for (const char *c = key; *c && n + 1 < sizeof name; c++)
            name[n++] = *c == '_' && c[1] ? (char)(*++c >= 'a' && *c <= 'z' ? *c - 32 : *c) : *c;
        name[n] = 0;
        json_object_set_new(out, name, camel(item));
    }
    return out;
}

/* The answer shows the values that were given, so also what a mask was replaced with. */
static void mask_answer(json_t *answer)
{
    size_t i;
    json_t *item;
    struct strbuf shown = STRBUF_INIT;
    json_array_foreach(json_object_get(answer, "configs"), i, item)
    {
        json_t *value = json_object_get(item, "value"), *text = json_object_get(value, "value");
        const json_t *type = json_object_get(json_object_get(item, "definition"), "type");
        struct slice name = slice_cstr(json_string_value(json_object_get(value, "name")));
        bool secret = mask_name_is_secret(name) ||
                      (json_is_string(type) && strcmp(json_string_value(type), "PASSWORD") == 0);
        if (!json_is_string(text))
            continue;
        strbuf_reset(&shown);
        mask_value(&shown, slice_of(json_string_value(text), json_string_length(text)), secret);
        json_string_setn(text, shown.p, shown.n);
    }
    strbuf_release(&shown);
}

void web_plugin_validate(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w), *answer = NULL;
    if (!body)
        return;
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    const char *name = json_string_value(json_object_get(body, "name"));
    if (read_config(w, slice_cstr(name ? name : ""), body, &config, &e) != E_OK) {
        web_error(r, w, WEB_BAD_BODY, "%s", e.msg);
    } else if (herder_validate(w->herder, http_param(r, "class"), &config, &answer, &e) != E_OK) {
        web_fail(r, w, &e, WEB_NOT_FOUND);
    } else {
        mask_answer(answer);
        http_reply_json(r, 200, camel(answer));
    }
    json_decref(answer);
    strmap_release(&config);
    json_decref(body);
}
