/* web/web.c - :8080: the table of routes, static files, start and stop. The page is one document
 * for all of /ui; its files are in the binary (assets.h). */
#include "web/web.h"

#include <stdlib.h>

#include "base/base.h"
#include "base/bytes.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "connect/connect.h"
#include "web/api.h"
#include "web/assets.h"
#include "web/metrics.h"

/* --- static files ---------------------------------------------------------------------------- */

static const struct asset *find_asset(struct slice name)
{
    for (const struct asset *a = assets; a->name; a++)
        if (slice_eq_c(name, a->name))
            return a;
    return NULL;
}

/* The page runs no code but its own and talks to nobody but its server. SPEC: web-ui 9.2 */
static const struct {
    const char *name, *value;
} page_headers[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
     "connect-src 'self'; font-src 'none'; manifest-src 'self'; form-action 'self'; "
     "base-uri 'self'; frame-ancestors 'none'; object-src 'none'; "
     "require-trusted-types-for 'script'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
};

/* One of the tags in an If-None-Match, or a star. */
static bool matches_etag(struct slice list, const char *etag)
{
    struct slice tag;
    while (slice_split(&list, ',', &tag)) {
        tag = slice_trim(tag);
        if (slice_starts(tag, SL("W/")))
            tag = slice_sub(tag, 2, tag.n);
        if (slice_eq_c(tag, "*") || slice_eq_c(tag, etag))
            return true;
    }
    return false;
}

/* Whether the client takes gzip: named, and not with q=0. */
static bool takes_gzip(struct slice accept)
{
    struct slice part, coding;
    while (slice_split(&accept, ',', &part)) {
        slice_split(&part, ';', &coding);
        coding = slice_trim(coding);
        if (slice_ieq(coding, SL("gzip")) || slice_eq_c(coding, "*")) {
            struct slice q = slice_trim(part);
            double weight = 1;
            if (slice_istarts(q, SL("q=")) &&
                slice_to_double(slice_sub(q, 2, q.n), &weight) != E_OK)
                weight = 0;
            return weight > 0;
        }
    }
    return false;
}

static void send_asset(struct http_request *r, const struct asset *a)
{
    bool hashed = strncmp(a->name, "assets/", 7) == 0;
    http_reply_header(r, "Cache-Control",
                      hashed ? "public, max-age=31536000, immutable" : "no-cache");
    http_reply_header(r, "ETag", a->etag);
    http_reply_header(r, "Vary", "Accept-Encoding");
    for (size_t i = 0; i < ARRAY_LEN(page_headers); i++)
        http_reply_header(r, page_headers[i].name, page_headers[i].value);
    if (matches_etag(http_header(r, "If-None-Match"), a->etag)) {
        http_reply(r, 304, a->mime, SLICE_NULL);
        return;
    }
    bool gzip = a->gz_n < a->n && takes_gzip(http_header(r, "Accept-Encoding"));
    if (gzip)
        http_reply_header(r, "Content-Encoding", "gzip");
    http_reply(r, 200, a->mime, gzip ? slice_of(a->gz, a->gz_n) : slice_of(a->bytes, a->n));
}

static void page(struct http_request *r, void *arg)
{
    (void)arg;
    send_asset(r, find_asset(SL("index.html")));
}

static void file(struct http_request *r, void *arg)
{
    struct slice path = http_path(r);
    const struct asset *a = find_asset(slice_sub(path, 1, path.n));
    if (a) {
        send_asset(r, a);
        return;
    }
    http_reply_header(r, "Cache-Control", "no-store");
    web_error(r, arg, WEB_NOT_FOUND, "there is no file " PRI_SL, ARG_SL(path));
}

static void health(struct http_request *r, void *arg)
{
    (void)arg;
    http_reply_header(r, "Cache-Control", "no-store");
    http_reply_json(r, 200, json_pack("{s:s}", "status", "UP"));
}

static void actuator_info(struct http_request *r, void *arg)
{
    (void)arg;
    http_reply_header(r, "Cache-Control", "no-store");
    http_reply_json(r, 200,
                    json_pack("{s:{s:s, s:s}}", "build", "name", "weir", "version", WEIR_VERSION));
}

static void metrics(struct http_request *r, void *arg)
{
    (void)arg;
    metrics_reply(r);
}

/* --- routes ---------------------------------------------------------------------------------- */

/* web_stop waits for those who are at work. */
static void entered(struct web *w)
{
    pthread_mutex_lock(&w->lock);
    w->working++;
    pthread_mutex_unlock(&w->lock);
}

static void left(struct web *w)
{
    pthread_mutex_lock(&w->lock);
    w->working--;
    pthread_cond_broadcast(&w->ended);
    pthread_mutex_unlock(&w->lock);
}

/* Bodies are JSON by their type: what a page of another site can send without asking first (plain
 * text, forms) changes nothing here. SPEC: web-ui 9.2 */
static bool body_ok(struct http_request *r, struct web *w)
{
    struct slice type = http_header(r, "Content-Type"), media;
    if (http_body(r).n == 0)
        return true;
    slice_split(&type, ';', &media);
    media = slice_trim(media);
    if (slice_ieq(media, SL("application/json")) ||
        (slice_istarts(media, SL("application/")) && slice_ends(media, SL("+json"))))
        return true;
    http_reply_json(r, 415,
                    web_error_body(w, 415,
                                   SL("the body must be JSON, with the header "
                                      "Content-Type: application/json")));
    return false;
}

/* Handlers that may block run on the pool; a thin twin on the loop hands them over. */
#define POOLED(fn)                                                                                 \
    static void fn##_work(struct http_request *r, void *arg)                                       \
    {                                                                                              \
        fn(r, arg);                                                                                \
        left(arg);                                                                                 \
    }                                                                                              \
    static void fn##_route(struct http_request *r, void *arg)                                      \
    {                                                                                              \
        struct web *w = arg;                                                                       \
        http_reply_header(r, "Cache-Control", "no-store");                                         \
        if (web_names_ok(r, w) && body_ok(r, w)) {                                                 \
            entered(w);                                                                            \
            http_defer(r, w->deps.pool, fn##_work, w);                                             \
        }                                                                                          \
    }
/* clang-format off */
#define API_ROUTES(X)                                                                              \
    X(HTTP_GET, "/api/info", web_info)                                                             \
    X(HTTP_GET, "/api/authorization", web_authorization)                                           \
    X(HTTP_GET, "/api/config/authentication", web_authentication)                                  \
    X(HTTP_GET, "/actuator/prometheus", metrics)                                                   \
    X(HTTP_GET, "/api/lab", web_lab)                                                               \
    X(HTTP_POST, "/api/lab/brokers/{id}/{action}", web_lab_broker)                                 \
    X(HTTP_POST, "/api/lab/elect", web_lab_elect)                                                  \
    X(HTTP_GET, "/api/clusters", web_clusters)                                                     \
    X(HTTP_POST, C "/cache", web_cache)                                                            \
    X(HTTP_GET, C "/stats", web_stats)                                                             \
    X(HTTP_GET, C "/metrics", web_metrics_items)                                                   \
    X(HTTP_GET, C "/brokers", web_brokers)                                                         \
    X(HTTP_GET, C "/brokers/logdirs", web_logdirs)                                                 \
    X(HTTP_GET, C "/brokers/{id}/configs", web_broker_configs)                                     \
    X(HTTP_GET, C "/topics", web_topics)                                                           \
    X(HTTP_POST, C "/topics", web_topic_create)                                                    \
    X(HTTP_GET, C "/topics/{topic}", web_topic)                                                    \
    X(HTTP_POST, C "/topics/{topic}", web_topic_recreate)                                          \
    X(HTTP_PATCH, C "/topics/{topic}", web_topic_alter)                                            \
    X(HTTP_DELETE, C "/topics/{topic}", web_topic_delete)                                          \
    X(HTTP_POST, C "/topics/{topic}/clone", web_topic_clone)                                       \
    X(HTTP_GET, C "/topics/{topic}/config", web_topic_configs)                                     \
    X(HTTP_PATCH, C "/topics/{topic}/partitions", web_topic_partitions)                            \
    X(HTTP_GET, C "/topics/{topic}/consumer-groups", web_topic_groups)                             \
    X(HTTP_GET, C "/topics/{topic}/connectors", web_topic_connectors)                              \
    X(HTTP_POST, C "/topics/{topic}/messages", web_message_produce)                                \
    X(HTTP_DELETE, C "/topics/{topic}/messages", web_messages_purge)                               \
    X(HTTP_GET, C "/topics/{topic}/messages/v2", web_messages)                                     \
    X(HTTP_GET, C "/topics/{topic}/messages", web_messages_old)                                    \
    X(HTTP_GET, C "/topics/{topic}/serdes", web_serdes)                                            \
    X(HTTP_GET, C "/topic/{topic}/serdes", web_serdes_old)                                         \
    X(HTTP_GET, C "/consumer-groups/paged", web_groups)                                            \
    X(HTTP_GET, C "/consumer-groups/{group}", web_group)                                           \
    X(HTTP_DELETE, C "/consumer-groups/{group}", web_group_delete)                                 \
    X(HTTP_POST, C "/consumer-groups/{group}/offsets", web_group_reset)                            \
    X(HTTP_DELETE, C "/consumer-groups/{group}/topics/{topic}", web_group_forget_topic)            \
    X(HTTP_GET, C "/connects", web_connects)                                                       \
    X(HTTP_GET, C "/connectors", web_connectors_all)                                               \
    X(HTTP_GET, C "/connects/{connect}/connectors", web_connectors)                                \
    X(HTTP_POST, C "/connects/{connect}/connectors", web_connector_create)                         \
    X(HTTP_GET, C "/connects/{connect}/plugins", web_plugins)                                      \
    X(HTTP_PUT, C "/connects/{connect}/plugins/{class}/config/validate", web_plugin_validate)      \
    X(HTTP_GET, C "/connects/{connect}/connectors/{name}", web_connector)                          \
    X(HTTP_DELETE, C "/connects/{connect}/connectors/{name}", web_connector_delete)                \
    X(HTTP_GET, C "/connects/{connect}/connectors/{name}/config", web_connector_config)            \
    X(HTTP_PUT, C "/connects/{connect}/connectors/{name}/config", web_connector_put_config)        \
    X(HTTP_GET, C "/connects/{connect}/connectors/{name}/tasks", web_connector_tasks)              \
    X(HTTP_GET, C "/connects/{connect}/connectors/{name}/warnings", web_connector_warnings)        \
    X(HTTP_GET, C "/connects/{connect}/connectors/{name}/progress", web_connector_progress)        \
    X(HTTP_POST, C "/connects/{connect}/connectors/{name}/action/{action}", web_connector_action)  \
    X(HTTP_POST, C "/connects/{connect}/connectors/{name}/tasks/{task}/action/restart", web_task_restart)\
    X(HTTP_GET, C "/connects/{connect}/connectors/{name}/offsets", web_connector_offsets)          \
    X(HTTP_DELETE, C "/connects/{connect}/connectors/{name}/offsets", web_connector_reset_offsets)
/* clang-format on */
#define C "/api/clusters/{cluster}"
#define POOLED_ROW(methods, path, fn) POOLED(fn)
API_ROUTES(POOLED_ROW)

static const struct http_route routes[] = {
#define ROUTE(methods, path, fn) {methods, path, fn##_route},
    API_ROUTES(ROUTE)
#undef ROUTE
        {HTTP_GET, "/", page},
    {HTTP_GET, "/ui", page},
    {HTTP_GET, "/ui/{rest...}", page},
    {HTTP_GET, "/index.html", page},
    {HTTP_GET, "/assets/{file}", file},
    {HTTP_GET, "/favicon.svg", file},
    {HTTP_GET, "/manifest.json", file},
    {HTTP_GET, "/actuator/health", health},
    {HTTP_GET, "/actuator/health/liveness", health},
    {HTTP_GET, "/actuator/health/readiness", health},
    {HTTP_GET, "/actuator/info", actuator_info},
    {HTTP_GET, "/metrics", metrics_route},
    {HTTP_GET, "/metrics/{cluster}", metrics_route},
    {0, NULL, NULL},
};

/* Who asks here for Connect's paths has the wrong port. */
static void name_connect(struct slice path, const struct web *w, struct strbuf *text)
{
    static const char *const roots[] = {"/connectors", "/connector-plugins", "/admin/loggers"};
    for (size_t i = 0; w->deps.connect_url && i < ARRAY_LEN(roots); i++)
        if (slice_starts(path, slice_cstr(roots[i]))) {
            strbuf_addf(text, "; Kafka Connect's REST API is at %s", w->deps.connect_url);
            return;
        }
}

/* What no route takes, or the gate refuses. */
static void refused(struct http_request *r, int status, const char *message, const char *allow,
                    void *arg)
{
    if (allow)
        http_reply_header(r, "Allow", allow);
    http_reply_header(r, "Cache-Control", "no-store");
    struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, message ? message : "");
    if (status == 404 || status == 405)
        name_connect(http_path(r), arg, &text);
    http_reply_json(r, status, web_error_body(arg, status, strbuf_slice(&text)));
    strbuf_release(&text);
}

/* --- start and stop -------------------------------------------------------------------------- */

/* The key that signs cursors: made once for a data directory. Without a place for it (or when that
 * cannot be written) it is this process's, and cursors end with it. */
static void load_secret(struct web *w)
{
    struct strbuf b = STRBUF_INIT;
    struct error e = {0};
    const char *dir = w->deps.data_dir;
    char *path = dir ? xasprintf("%s/web-cursor.key", dir) : NULL;
    bytes_random(w->secret, sizeof w->secret);
    if (path && fs_exists(path) && fs_read_all(path, sizeof w->secret, &b, &e) == E_OK &&
        b.n == sizeof w->secret)
        memcpy(w->secret, b.p, b.n);
    else if (path && fs_replace(path, slice_of(w->secret, sizeof w->secret), &e) != E_OK)
        LOG_WARN(LOG_WEB, "links to further pages of messages end with this process: %s", e.msg);
    strbuf_release(&b);
    mem_free(path);
}

enum err web_start(struct web **out, const struct web_deps *deps, struct http_listen *listen,
                   struct loop *l, struct error *e)
{
    struct web *w = xcalloc(1, sizeof *w);
    w->deps = *deps;
    w->herder = deps->connect ? connect_herder(deps->connect) : NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->ended, NULL);
    load_secret(w);
    const struct http_options o = {.name = "web",
                                   .routes = routes,
                                   .arg = w,
                                   .max_body = 16 << 20,
                                   .max_headers = 16 << 10,
                                   .error = refused,
                                   .allowed_hosts = deps->allowed_hosts};
    enum err err = http_start(&w->server, l, &o, listen, e);
    if (err) {
        mem_free(w);
        return err;
    }
    *out = w;
    return E_OK;
}

void web_stop(struct web *w)
{
    if (!w)
        return;
    atomic_store(&w->stopping, true);
    http_stop(w->server);
    pthread_mutex_lock(&w->lock);
    while (w->streams > 0 || w->working > 0)
        pthread_cond_wait(&w->ended, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->ended);
    pthread_mutex_destroy(&w->lock);
    mem_wipe(w->secret, sizeof w->secret);
    mem_free(w);
}
