/* connect/rest/rest.c - routes, media types, error bodies of Connect's REST API. SPEC:
 * connect 1.1, 1.2. */
#include "connect/rest/rest.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"

enum { MAX_BODY = 16 << 20, MAX_HEADERS = 64 << 10 };

/* --- answers ---------------------------------------------------------------------------------- */

static json_t *error_json(int status, const char *message)
{
    json_t *o = json_object();
    json_object_set_new(o, "error_code", json_integer(status));
    json_object_set_new(o, "message", message ? json_string_nocheck(message) : json_null());
    return o;
}

void rest_error(struct http_request *r, int status, const char *message)
{
    http_reply_json(r, status, error_json(status, message));
}

void rest_failed(struct http_request *r, const struct error *e, json_t *full)
{
    int status = e->sys >= 400 && e->sys < 600 ? e->sys : 500;
    rest_error(r, status, json_is_string(full) ? json_string_value(full) : e->msg);
    json_decref(full);
}

void rest_not_found(struct http_request *r)
{
    rest_error(r, 404, "HTTP 404 Not Found");
}

static void on_http_error(struct http_request *r, int status, const char *message,
                          const char *allow, void *arg)
{
    (void)allow;
    (void)arg;
    rest_error(r, status, message);
}

/* --- media types ------------------------------------------------------------------------------ */

static bool media_type_is(struct slice one, const char *type)
{
    ptrdiff_t semi = slice_find_char(one, ';');
    if (semi >= 0)
        one = slice_sub(one, 0, (size_t)semi);
    return slice_ieq(slice_trim(one), slice_cstr(type));
}

static bool accepts_json(struct slice accept)
{
    struct slice one;
    if (!slice_trim(accept).n)
        return true;
    while (slice_split(&accept, ',', &one))
        if (media_type_is(one, "*/*") || media_type_is(one, "application/*") ||
            media_type_is(one, "application/json"))
            return true;
    return false;
}

struct job {
    struct rest *rest;
    rest_work_fn work;
};

static void run_job(struct http_request *r, void *arg)
{
    struct job *j = arg;
    struct rest *rest = j->rest;
    j->work(r, rest);
    mem_free(j);
    pthread_mutex_lock(&rest->lock);
    if (--rest->under_way == 0)
        pthread_cond_broadcast(&rest->idle);
    pthread_mutex_unlock(&rest->lock);
}

void rest_defer(struct http_request *r, struct rest *rest, rest_work_fn work)
{
    struct slice type = http_header(r, "Content-Type");
    if (rest->no_admin && slice_starts(http_path(r), SL("/admin/"))) {
        rest_not_found(r);
    } else if (!accepts_json(http_header(r, "Accept"))) {
        http_reply(r, 406, NULL,
                   SL("{\"error_code\":406,\"message\":\"HTTP 406 Not Acceptable\"}"));
    } else if (http_body(r).n && type.p && !media_type_is(type, "application/json")) {
        LOG_WARN(LOG_CONNECT,
                 "refused (415): the body must be JSON, with the header Content-Type: "
                 "application/json, not " PRI_SL,
                 ARG_SL(type));
        rest_error(r, 415, "HTTP 415 Unsupported Media Type");
    } else {
        struct job *j = xcalloc(1, sizeof *j);
        *j = (struct job){rest, work};
        pthread_mutex_lock(&rest->lock);
        rest->under_way++;
        pthread_mutex_unlock(&rest->lock);
        http_defer(r, rest->pool, run_job, j);
    }
}

/* --- routes ----------------------------------------------------------------------------------- */

#define X(name)                                                                                    \
    static void on_##name(struct http_request *r, void *arg)                                       \
    {                                                                                              \
        rest_defer(r, arg, rest_do_##name);                                                        \
    }
REST_WORKS(X)
#undef X

const struct http_route rest_routes[] = {
    {HTTP_GET, "/", on_root},
    {HTTP_GET, "/health", on_health},
    {HTTP_GET, "/connectors", on_list},
    {HTTP_POST, "/connectors", on_create},
    {HTTP_GET, "/connectors/{name}", on_info},
    {HTTP_DELETE, "/connectors/{name}", on_delete},
    {HTTP_GET, "/connectors/{name}/config", on_get_config},
    {HTTP_PUT, "/connectors/{name}/config", on_put_config},
    {HTTP_PATCH, "/connectors/{name}/config", on_patch_config},
    {HTTP_GET, "/connectors/{name}/status", on_status},
    {HTTP_GET, "/connectors/{name}/tasks", on_tasks},
    {HTTP_GET, "/connectors/{name}/tasks/{task}/status", on_task_status},
    {HTTP_POST, "/connectors/{name}/tasks/{task}/restart", on_restart_task},
    {HTTP_POST, "/connectors/{name}/restart", on_restart},
    {HTTP_PUT, "/connectors/{name}/pause", on_pause},
    {HTTP_PUT, "/connectors/{name}/resume", on_resume},
    {HTTP_PUT, "/connectors/{name}/stop", on_stop},
    {HTTP_GET, "/connectors/{name}/topics", on_topics},
    {HTTP_PUT, "/connectors/{name}/topics/reset", on_reset_topics},
    {HTTP_GET, "/connectors/{name}/offsets", on_get_offsets},
    {HTTP_PATCH, "/connectors/{name}/offsets", on_alter_offsets},
    {HTTP_DELETE, "/connectors/{name}/offsets", on_reset_offsets},
    {HTTP_GET, "/connector-plugins", on_plugins},
    {HTTP_GET, "/connector-plugins/{plugin}/config", on_plugin_config},
    {HTTP_PUT, "/connector-plugins/{plugin}/config/validate", on_validate},
    {HTTP_GET, "/admin/loggers", on_loggers},
    {HTTP_GET, "/admin/loggers/{logger}", on_get_logger},
    {HTTP_PUT, "/admin/loggers/{logger}", on_put_logger},
    {0, NULL, NULL},
};

/* --- start and end ---------------------------------------------------------------------------- */

static char **split_origins(struct slice list)
{
    size_t n = 0;
    struct slice part, rest = list;
    while (opt_list_next(&rest, &part))
        n += part.n > 0;
    char **out = xcalloc(n + 1, sizeof *out);
    for (n = 0; opt_list_next(&list, &part);)
        if (part.n)
            out[n++] = slice_dup(part);
    return out;
}

enum err rest_start(struct rest **out, struct herder *h, const struct strmap *worker,
                    struct broker *b, struct loop *loop, struct pool *pool,
                    struct http_listen *listen, const char *const *allowed_hosts, struct error *e)
{
    struct rest *r = xcalloc(1, sizeof *r);
    struct slice methods = slice_trim(strmap_get_c(worker, "access.control.allow.methods"));
    r->origins = split_origins(strmap_get_c(worker, "access.control.allow.origin"));
    r->cors_methods = slice_dup(methods.n ? methods : SL("GET,POST,HEAD"));
    r->no_admin = strmap_has(worker, SL("admin.listeners")) &&
                  !slice_trim(strmap_get_c(worker, "admin.listeners")).n;
    struct http_options o = {.name = "connect",
                             .routes = rest_routes,
                             .arg = r,
                             .max_body = MAX_BODY,
                             .max_headers = MAX_HEADERS,
                             .error = on_http_error,
                             .allowed_hosts = allowed_hosts,
                             .allowed_origins = (const char *const *)r->origins,
                             .cors_methods = r->cors_methods};
    r->herder = h;
    r->broker = b;
    r->pool = pool;
    map_init(&r->loggers);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->idle, NULL);
    *out = r;
    return http_start(&r->server, loop, &o, listen, e);
}

void rest_stop(struct rest *r)
{
    if (!r || !r->server)
        return;
    http_stop(r->server);
    r->server = NULL;
    pthread_mutex_lock(&r->lock);
    while (r->under_way)
        pthread_cond_wait(&r->idle, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

void rest_free(struct rest *r)
{
    if (!r)
        return;
    rest_stop(r);
    rest_loggers_release(r);
    for (char **o = r->origins; *o; o++)
        mem_free(*o);
    mem_free((void *)r->origins);
    mem_free(r->cors_methods);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->idle);
    mem_free(r);
}
