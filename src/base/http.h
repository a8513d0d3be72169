/* base/http.h - the HTTP server of :8083 and :8080 (evhttp below): routes, limits, the Host and
 * Origin gate, late replies, server-sent events.
 *
 * A handler runs on the HTTP loop and must not block: work that does goes to a pool or a task
 * thread and replies later, from any thread. A request object is counted, so that a client that
 * went away leaves the replier with a valid object and its reply goes nowhere. */
#ifndef WEIR_BASE_HTTP_H
#define WEIR_BASE_HTTP_H

#include "base/base.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/str.h"

#include <jansson.h>

struct http_server;
struct http_request;
enum http_method {
    HTTP_GET = 1,
    HTTP_POST = 2,
    HTTP_PUT = 4,
    HTTP_PATCH = 8,
    HTTP_DELETE = 16,
    HTTP_HEAD = 32,
    HTTP_OPTIONS = 64
};

typedef void (*http_handler_fn)(struct http_request *r, void *arg);
/* One row per route. Path parts in braces are parameters: "/connectors/{name}/tasks/{task}/status".
 * A final "{rest...}" takes everything. The first match wins. */
struct http_route {
    unsigned methods; /* HTTP_GET|... */
    const char *path;
    http_handler_fn fn;
};
struct http_options {
    const char *name;                /* "connect", "web": log and metrics */
    const struct http_route *routes; /* ends with path NULL; kept by reference */
    void *arg;                       /* for handlers */
    size_t max_body;                 /* bytes; 413 above */
    size_t max_headers;
    /* Answers for what no route takes: 404, 405 (methods allowed in `allow`), 413, 403, 500. NULL:
     * a short JSON. */
    void (*error)(struct http_request *r, int status, const char *message, const char *allow,
                  void *arg);
    /* Host gate: names allowed besides loopback literals, "localhost" and "*.localhost" and the
     * listen address; ends with NULL. A Host or Origin that is none of these gets 403. SPEC:
     * web-ui 9.2. */
    const char *const *allowed_hosts;
    /* Other origins whose pages may read and change things: "http://host:port", * for any part of
     * it. NULL: none. With cors_methods they are told so (CORS headers). SPEC: connect 1.1 */
    const char *const *allowed_origins;
    const char *cors_methods; /* for Access-Control-Allow-Methods; NULL: no CORS headers at all */
    bool any_host; /* switches the gate off (listen address that is not loopback decides nothing) */
};
struct http_listen {
    char host[256]; /* as asked; "localhost" and 127.0.0.1 listen on ::1 too */
    uint16_t port;  /* 0 = pick; filled with the real one */
};

/* Listens on the loop (all sockets bound before it returns). E_EXISTS when the port is taken: the
 * message says which and what to do. */
/* Whether it could be listened to now: E_EXISTS when another program has the port; texts name the
 * option --NAME-listen. Nothing is held. */
enum err http_listen_check(const char *name, const struct http_listen *l,
                           struct error *e) MUST_CHECK;
enum err http_start(struct http_server **out, struct loop *l, const struct http_options *o,
                    struct http_listen *listen, struct error *e) MUST_CHECK;
void http_stop(struct http_server *s); /* closes connections; late replies are dropped */

/* Request views. Borrowed for the request's life. HTTP loop (or while the handler's holder runs).
 */
enum http_method http_method(const struct http_request *r);
struct slice http_path(const struct http_request *r); /* decoded */
struct slice http_param(const struct http_request *r,
                        const char *name); /* {name}, decoded; null if none */
struct slice http_query(const struct http_request *r,
                        const char *name); /* decoded; null if absent */
/* i-th value of a repeated query parameter; null past the end. */
struct slice http_query_nth(const struct http_request *r, const char *name, size_t i);
struct slice http_raw_query(const struct http_request *r);
struct slice http_header(const struct http_request *r, const char *name); /* null if absent */
struct slice http_body(const struct http_request *r);
/* Body as JSON; E_INVALID with line and column. Caller decrefs. */
enum err http_body_json(const struct http_request *r, json_t **out, struct error *e) MUST_CHECK;

/* Replies: exactly one per request; any thread; drops the handler's reference. */
void http_reply(struct http_request *r, int status, const char *content_type, struct slice body);
void http_reply_json(struct http_request *r, int status,
                     json_t *body_take); /* compact; NULL = no body */
void http_reply_empty(struct http_request *r, int status);
void http_reply_header(struct http_request *r, const char *name,
                       const char *value); /* before the reply */
/* Keeps the request for a late reply: the handler may return without replying. (No-op kept for
 * reading: a handler that returns has simply not replied yet.) Runs work on the pool and replies
 * from there. */
void http_defer(struct http_request *r, struct pool *p,
                void (*work)(struct http_request *r, void *arg), void *arg);

/* Server-sent events: headers now, then events from any thread (one at a time), then end. closed()
 * tells that the client went away (or let 64 MiB pile up); queued() is what it has not taken yet,
 * and a producer waits while that is much. Comments keep quiet streams alive. */
void http_sse_begin(struct http_request *r);
void http_sse_event(struct http_request *r, const char *event,
                    struct slice data); /* event NULL: none */
bool http_sse_closed(const struct http_request *r);
size_t http_sse_queued(const struct http_request *r); /* bytes not yet sent */
/* Blocks until at most max_queued bytes are unsent: false when the client is gone, or after
 * timeout_ms (tell by http_sse_closed). Not on the HTTP loop. For streams of both kinds. */
bool http_sse_wait(struct http_request *r, size_t max_queued, int64_t timeout_ms);
void http_sse_end(struct http_request *r); /* drops the reference */
/* Large bodies in pieces (chunked). Same rules as sse. */
void http_stream_begin(struct http_request *r, int status, const char *content_type);
void http_stream_data(struct http_request *r, struct slice data);
void http_stream_end(struct http_request *r);

#endif
