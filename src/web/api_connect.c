/* web/api_connect.c - Kafka Connect through the herder: SPEC web-ui 3.6. Names of members are kafka-ui's
 * (camel case); what :8083 says is translated here. Secrets are masked by name, as kafka-ui's users know
 * it, and a masked value that comes back means "as it is". */
#include <stdlib.h>

#include "base/base.h"
#include "base/mem.h"
#include "web/api.h"

#define MASK "******"

/* --- masking --------------------------------------------------------------------------------------- */

static bool is_secret(struct slice name)
{
    static const char *const suffixes[] = {"password", "secret", "token", "passphrase", "secret.key", "access.key", "private.key", "basic.auth.user.info",
                                           "connection.uri"};
    static const char *const parts[] = {"credentials", "aws.access", "aws.secret", "aws.session", "jaas.config"};
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        struct slice s = slice_cstr(suffixes[i]);
        if (name.n >= s.n && slice_ieq(slice_sub(name, name.n - s.n, name.n), s))
            return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (web_contains_icase(name, slice_cstr(parts[i])))
            return true;
    return false;
}

/* user:password@ inside a URI becomes user:******@. New reference. */
static json_t *mask_uri(const char *text)
{
    const char *start = strstr(text, "://"), *at = start ? strchr(start + 3, '@') : NULL;
    const char *colon = start ? strchr(start + 3, ':') : NULL, *slash = start ? strchr(start + 3, '/') : NULL;
    if (!at || !colon || colon > at || (slash && slash < at))
        return json_string(text);
    char *masked = xasprintf("%.*s:" MASK "%s", (int)(colon - text), text, at);
    json_t *out = json_string(masked);
    mem_free(masked);
    return out;
}

static json_t *masked_config(const json_t *config)
{
    json_t *out = json_object();
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)config, name, v)
    {
        const char *text = json_string_value(v);
        if (text && is_secret(slice_cstr(name)) && strncmp(text, "${", 2) != 0)
            json_object_set_new(out, name, json_string(MASK));
        else
            json_object_set_new(out, name, text ? mask_uri(text) : json_incref(v));
    }
    return out;
}

/* Config of a body as texts; masked values take what is stored now. */
static void read_config(struct web *w, struct slice name, json_t *config, struct strmap *out)
{
    json_t *stored = NULL, *v;
    const char *key;
    if (herder_config(w->herder, name, &stored, NULL) != E_OK)
        stored = NULL;
    json_object_foreach(config, key, v)
    {
        const char *old = json_string_value(json_object_get(stored, key));
        char *text = json_is_string(v) ? xstrdup(json_string_value(v)) : json_is_null(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
        bool keep = text && old && strstr(text, MASK);
        if (text || json_is_null(v))
            strmap_set(out, slice_cstr(key), keep ? slice_cstr(old) : slice_cstr(text));
        free(text);
    }
    json_decref(stored);
}

/* --- shapes ---------------------------------------------------------------------------------------- */

static const char *kind_of(const json_t *info)
{
    const char *type = json_string_value(json_object_get(info, "type"));
    return type && strcmp(type, "sink") == 0 ? "SINK" : type && strcmp(type, "source") == 0 ? "SOURCE" : "UNKNOWN";
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

static json_t *status_json(const json_t *status)
{
    const json_t *c = json_object_get(status, "connector");
    const char *state = json_string_value(json_object_get(c, "state"));
    if (state && strcmp(state, "RUNNING") == 0 && failed_tasks(status) > 0)
        state = "TASK_FAILED";
    return json_pack("{s:s, s:o, s:o}", "state", state ? state : "UNASSIGNED", "workerId", or_null(json_object_get(c, "worker_id")), "trace",
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

json_t *web_connector_summary(struct web *w, const char *name, const json_t *info, const json_t *status)
{
    json_t *config = json_object_get(info, "config");
    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:I, s:I, s:n}", "connect", WEB_CONNECT, "name", name, "connectorClass",
                     or_null(json_object_get(config, "connector.class")), "type", kind_of(info), "topics", topics_of(w, name), "status",
                     status_json(status), "tasksCount", (json_int_t)json_array_size(json_object_get(status, "tasks")), "failedTasksCount",
                     (json_int_t)failed_tasks(status), "consumer");
}

static json_t *connector_json(struct web *w, const char *name, const json_t *info, const json_t *status)
{
    return json_pack("{s:s, s:o, s:o, s:s, s:o, s:s, s:o, s:n}", "name", name, "config", masked_config(json_object_get(info, "config")), "tasks",
                     or_null(json_object_get(info, "tasks")), "type", kind_of(info), "status", status_json(status), "connect", WEB_CONNECT, "topics",
                     topics_of(w, name), "consumer");
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

/* --- lists ----------------------------------------------------------------------------------------- */

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
        json_t *status = json_object_get(v, "status"), *one = status_json(status);
        const char *state = json_string_value(json_object_get(one, "state"));
        failed += strcmp(state, "FAILED") == 0 || strcmp(state, "TASK_FAILED") == 0;
        tasks += (int64_t)json_array_size(json_object_get(status, "tasks"));
        failed_task_count += failed_tasks(status);
        json_decref(one);
    }
    struct broker_info info;
    broker_info(w->deps.broker, &info);
    bool stats = web_query_true(r, "withStats");
    json_t *out = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:n, s:s, s:s}", "name", WEB_CONNECT, "address", w->deps.connect_url, "connectorsCount",
                            stats ? json_integer((json_int_t)json_object_size(all)) : json_null(), "failedConnectorsCount",
                            stats ? json_integer(failed) : json_null(), "tasksCount", stats ? json_integer(tasks) : json_null(), "failedTasksCount",
                            stats ? json_integer(failed_task_count) : json_null(), "version", "4.1.1", "commit", "clusterId", info.cluster_id,
                            "consumerNamePattern", "connect-%s");
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
        json_t *one = web_connector_summary(w, name, json_object_get(v, "info"), json_object_get(v, "status")), *t;
        bool wanted = !topic.p;
        size_t i;
        json_array_foreach(json_object_get(one, "topics"), i, t) wanted |= slice_eq_c(topic, json_string_value(t));
        if (wanted)
            json_array_append(out, one);
        json_decref(one);
    }
    json_decref(all);
    return out;
}

void web_connectors_all(struct http_request *r, void *arg)
{
    struct web *w = arg;
    if (!no_worker(r, w))
        http_reply_json(r, 200, summaries(w, http_query(r, "search"), SLICE_NULL));
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
    json_array_foreach(all, i, v) json_array_append_new(out, json_pack("{s:O}", "class", json_object_get(v, "class")));
    json_decref(all);
    http_reply_json(r, 200, out);
}

/* --- one connector --------------------------------------------------------------------------------- */

void web_connector(struct http_request *r, void *arg)
{
    reply_connector(r, arg, http_param(r, "name"));
}

void web_connector_create(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w);
    if (!body)
        return;
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    const char *name = json_string_value(json_object_get(body, "name"));
    read_config(w, slice_cstr(name ? name : ""), json_object_get(body, "config"), &config);
    if (!name)
        web_error(r, w, WEB_BAD_BODY, "name is missing");
    else if (herder_create(w->herder, slice_cstr(name), &config, NULL, NULL, &e) != E_OK)
        web_fail(r, w, &e, WEB_INVALID);
    else
        reply_connector(r, w, slice_cstr(name));
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
        http_reply_json(r, 200, masked_config(config));
    else
        web_fail(r, w, &e, WEB_NOT_FOUND);
    json_decref(config);
}

void web_connector_put_config(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w);
    if (!body)
        return;
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    bool created;
    read_config(w, http_param(r, "name"), body, &config);
    if (herder_put_config(w->herder, http_param(r, "name"), &config, NULL, &created, &e) == E_OK)
        reply_connector(r, w, http_param(r, "name"));
    else
        web_fail(r, w, &e, WEB_INVALID);
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
            json_t *state = json_pack("{s:O, s:O, s:o, s:o}", "id", json_object_get(task, "id"), "state", json_object_get(task, "state"), "workerId",
                                      or_null(json_object_get(task, "worker_id")), "trace", or_null(json_object_get(task, "trace")));
            json_array_append_new(out, json_pack("{s:{s:o, s:O}, s:o, s:o}", "id", "connector", web_string(http_param(r, "name")), "task",
                                                 json_object_get(task, "id"), "status", state, "config",
                                                 config ? masked_config(config) : json_object()));
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

/* --- validation ------------------------------------------------------------------------------------ */

/* default_value -> defaultValue, in every object below. New reference. */
static json_t *camel(const json_t *v)
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
        return json_deep_copy(v);
    out = json_object();
    json_object_foreach((json_t *)v, key, item)
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

void web_plugin_validate(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w), *answer = NULL;
    if (!body)
        return;
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    const char *name = json_string_value(json_object_get(body, "name"));
    read_config(w, slice_cstr(name ? name : ""), body, &config);
    if (herder_validate(w->herder, http_param(r, "class"), &config, &answer, &e) == E_OK)
        http_reply_json(r, 200, camel(answer));
    else
        web_fail(r, w, &e, WEB_NOT_FOUND);
    json_decref(answer);
    strmap_release(&config);
    json_decref(body);
}
