/* web/web.h - the web page and its /api on :8080: start and stop. */
#ifndef WEIR_WEB_WEB_H
#define WEIR_WEB_WEB_H

#include "base/err.h"
#include "base/http.h"
#include "base/loop.h"
#include "base/pool.h"

struct broker;
struct connect;
struct web;

/* What the pages show and act on; all borrowed until web_stop. */
struct web_deps {
    struct broker *broker;
    struct connect *connect;          /* NULL: no Connect worker */
    const char *connect_url;          /* "http://127.0.0.1:8083", shown */
    const char *const *allowed_hosts; /* see http_options */
    struct pool *pool;                /* blocking work of handlers */
    const char *data_dir; /* keeps the key of cursors; NULL: they end with the process */
};
/* Listens on the loop; listen->port is filled when it was 0. Thread: main. */
enum err web_start(struct web **out, const struct web_deps *deps, struct http_listen *listen,
                   struct loop *l, struct error *e) MUST_CHECK;
void web_stop(struct web *w); /* NULL allowed; live streams end */

/* --- /metrics on ports of their own, where a Prometheus looks for exporters ------------------- */
struct metrics_server;
/* Serves /metrics, and / with a link to it, to any Host: there is nothing secret and nothing that
 * changes anything. listen->port is filled when it was 0. Thread: main. */
enum err metrics_server_start(struct metrics_server **out, struct http_listen *listen,
                              struct loop *l, struct pool *pool, struct error *e) MUST_CHECK;
void metrics_server_stop(struct metrics_server *s); /* before the pool ends; NULL allowed */

#endif
