/* connect/rest/connectors.c - the /connectors tree. Runs on pool threads. SPEC: connect 1.3
 * - 1.6, 1.9. */
#include "base/json.h"
#include "base/mem.h"
#include "connect/rest/rest.h"

static struct herder *herder_of(void *arg)
{
    return ((struct rest *)arg)->herder;
}

static struct slice name_of(const struct http_request *r)
{
    return http_param(r, "name");
}

static bool query_flag(const struct http_request *r, const char *name)
{
    return slice_ieq(http_query(r, name), SL("true"));
}

/* {task}: not an integer is an address that does not exist. */
static bool task_of(struct http_request *r, int *task)
{
    int64_t n;
    if (slice_to_i64(http_param(r, "task"), &n) == E_OK && n >= INT32_MIN && n <= INT32_MAX) {
        *task = (int)n;
        return true;
    }
    rest_not_found(r);
    return false;
}

static void reply(struct http_request *r, enum err err, const struct error *e, int status,
                  json_t *body)
{
    if (err)
        rest_failed(r, e, body);
    else
        http_reply_json(r, status, body);
}

static void reply_empty(struct http_request *r, enum err err, const struct error *e, int status)
{
    if (err)
        rest_failed(r, e, NULL);
    else
        http_reply_empty(r, status);
}

/* --- lists ------------------------------------------------------------------------------------ */

void rest_do_list(struct http_request *r, void *arg)
{
    bool status = false, info = false, expand = false;
    struct slice one;
    for (size_t i = 0; (one = http_query_nth(r, "expand", i)).p; i++) {
        expand = true;
        status |= slice_eq(one, SL("status"));
        info |= slice_eq(one, SL("info"));
    }
    http_reply_json(r, 200,
                    expand ? herder_list_expanded(herder_of(arg), status, info)
                           : herder_list(herder_of(arg)));
}

/* --- create, replace -------------------------------------------------------------------------- */

static void add_location(struct http_request *r, struct slice name)
{
    struct strbuf url = STRBUF_INIT;
    struct slice host = http_header(r, "Host");
    strbuf_addf(&url, "http://" PRI_SL "/connectors/", ARG_SL(host));
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = (uint8_t)name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c && strchr("-._~!$&'()*+,;=:@", c));
        if (plain)
            strbuf_addc(&url, (char)c);
        else
            strbuf_addf(&url, "%%%02X", c);
    }
    http_reply_header(r, "Location", url.p);
    strbuf_release(&url);
}

void rest_do_create(struct http_request *r, void *arg)
{
    struct create_request body;
    struct error e = {0};
    json_t *info = NULL;
    enum err err = rest_create_body(http_body(r), &body, &e);
    if (!err && !body.has_config) {
        err = error_set(
            &e, E_INVALID,
            "The request has no \"config\": {\"name\": ..., \"config\": {...}} is expected");
        e.sys = 400;
    }
    struct slice name = slice_trim(body.name.p ? body.name : SL(""));
    if (!err)
        err = herder_create(herder_of(arg), name, &body.config, body.initial_state, &info, &e);
    if (!err)
        add_location(r, name);
    reply(r, err, &e, 201, info);
    create_request_release(&body);
}

void rest_do_put_config(struct http_request *r, void *arg)
{
    struct strmap config;
    struct error e = {0};
    json_t *info = NULL;
    bool created = false;
    enum err err = rest_config_body(http_body(r), &config, &e);
    if (!err)
        err = herder_put_config(herder_of(arg), name_of(r), &config, &info, &created, &e);
    if (!err && created)
        add_location(r, name_of(r));
    reply(r, err, &e, created ? 201 : 200, info);
    strmap_release(&config);
}

void rest_do_patch_config(struct http_request *r, void *arg)
{
    struct strmap patch;
    struct error e = {0};
    json_t *info = NULL;
    enum err err = rest_config_body(http_body(r), &patch, &e);
    if (!err)
        err = herder_patch_config(herder_of(arg), name_of(r), &patch, &info, &e);
    reply(r, err, &e, 200, info);
    strmap_release(&patch);
}

/* --- views ------------------------------------------------------------------------------------ */

#define VIEW(work, call)                                                                           \
    void rest_do_##work(struct http_request *r, void *arg)                                         \
    {                                                                                              \
        struct error e = {0};                                                                      \
        json_t *out = NULL;                                                                        \
        enum err err = call(herder_of(arg), name_of(r), &out, &e);                                 \
        reply(r, err, &e, 200, out);                                                               \
    }
VIEW(info, herder_info)
VIEW(get_config, herder_config)
VIEW(status, herder_status)
VIEW(tasks, herder_task_configs)
VIEW(topics, herder_topics)
VIEW(get_offsets, herder_offsets)
VIEW(reset_offsets, herder_reset_offsets)

void rest_do_task_status(struct http_request *r, void *arg)
{
    struct error e = {0};
    json_t *out = NULL;
    int task;
    if (!task_of(r, &task))
        return;
    enum err err = herder_task_status(herder_of(arg), name_of(r), task, &out, &e);
    reply(r, err, &e, 200, out);
}

/* --- changes ---------------------------------------------------------------------------------- */

#define CHANGE(work, call, status)                                                                 \
    void rest_do_##work(struct http_request *r, void *arg)                                         \
    {                                                                                              \
        struct error e = {0};                                                                      \
        enum err err = call(herder_of(arg), name_of(r), &e);                                       \
        reply_empty(r, err, &e, status);                                                           \
    }
CHANGE(delete, herder_delete, 204)
CHANGE(pause, herder_pause, 202)
CHANGE(resume, herder_resume, 202)
CHANGE(stop, herder_stop_connector, 204)
CHANGE(reset_topics, herder_reset_topics, 202)

void rest_do_restart(struct http_request *r, void *arg)
{
    struct error e = {0};
    json_t *status = NULL;
    enum err err = herder_restart(herder_of(arg), name_of(r), query_flag(r, "includeTasks"),
                                  query_flag(r, "onlyFailed"), &status, &e);
    if (!err && !status)
        http_reply_empty(r, 204);
    else
        reply(r, err, &e, 202, status);
}

void rest_do_restart_task(struct http_request *r, void *arg)
{
    struct error e = {0};
    int task;
    if (!task_of(r, &task))
        return;
    enum err err = herder_restart_task(herder_of(arg), name_of(r), task, &e);
    reply_empty(r, err, &e, 204);
}

void rest_do_alter_offsets(struct http_request *r, void *arg)
{
    struct error e = {0};
    json_t *body = NULL, *out = NULL;
    enum err err = json_load_slice(http_body(r), &body, &e);
    if (err)
        e.sys = 500;
    if (!err && json_is_object(body)) {
        const char *key;
        json_t *v;
        json_object_foreach(body, key, v)
        {
            if (!err && strcmp(key, "offsets") != 0) {
                err = error_set(
                    &e, E_INVALID,
                    "Unrecognized field \"%s\" (class org.apache.kafka.connect.runtime.rest."
                    "entities.ConnectorOffsets), not marked as ignorable (one known property: "
                    "\"offsets\"])\n at [Source: (request body)]",
                    key);
                e.sys = 500;
            }
        }
    }
    if (!err)
        err = herder_alter_offsets(herder_of(arg), name_of(r), json_object_get(body, "offsets"),
                                   &out, &e);
    reply(r, err, &e, 200, out);
    json_decref(body);
}
