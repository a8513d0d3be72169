/* connect/rest/rest.h - Connect's REST API on base/http. SPEC: connect 1.
 *
 * Handlers run on the HTTP loop, look at headers only, and defer to the pool: the herder's calls
 * block. Thread: as said at each function. */
#ifndef WEIR_CONNECT_REST_REST_H
#define WEIR_CONNECT_REST_REST_H

#include "base/base.h"

#include <pthread.h>

#include "base/arena.h"
#include "base/http.h"
#include "base/map.h"
#include "base/strmap.h"
#include "connect/herder.h"

struct broker;
struct rest {
    struct herder *herder;
    struct broker *broker; /* for the cluster's id; may be NULL in tests */
    struct pool *pool;
    struct http_server *server;
    pthread_mutex_t lock; /* loggers, under_way */
    pthread_cond_t idle;
    int under_way; /* requests that pool threads work on */
    char *cors_methods;
    char **origins;     /* access.control.allow.origin; ends with NULL */
    bool no_admin;      /* /admin is switched off */
    struct map loggers; /* name -> struct logger: those with a level of their own */
};

/* worker: the worker's options, for what they say about REST; borrowed until rest_free. */
enum err rest_start(struct rest **out, struct herder *h, const struct strmap *worker,
                    struct broker *b, struct loop *loop, struct pool *pool,
                    struct http_listen *listen, const char *const *allowed_hosts,
                    struct error *e) MUST_CHECK;
void rest_stop(struct rest *r); /* no new requests; waits for those that are worked on */
void rest_free(struct rest *r);

/* --- for the handlers ------------------------------------------------------------------------- */
extern const struct http_route rest_routes[];
typedef void (*rest_work_fn)(struct http_request *r, void *arg); /* arg: struct rest; pool thread */
/* Media types are checked here (406, 415). HTTP loop. */
void rest_defer(struct http_request *r, struct rest *rest, rest_work_fn work);
void rest_error(struct http_request *r, int status, const char *message); /* NULL message: null */
/* From the herder: status in e->sys, or the whole text in full (taken). */
void rest_failed(struct http_request *r, const struct error *e, json_t *full);
void rest_not_found(struct http_request *r); /* "HTTP 404 Not Found" */

/* --- bodies (body.c) -------------------------------------------------------------------------- */
/* A flat map of texts: numbers and booleans as they were written, null as null. `out` is
 * initialised here. E_INVALID with Jackson's text; e->sys = 500 or 400. */
enum err rest_config_body(struct slice body, struct strmap *out, struct error *e) MUST_CHECK;
struct create_request {
    struct slice name; /* null: not given */
    struct strmap config;
    bool has_config;
    const char *initial_state; /* NULL, "RUNNING", "PAUSED", "STOPPED" */
    struct arena arena;
};
enum err rest_create_body(struct slice body, struct create_request *out,
                          struct error *e) MUST_CHECK;
void create_request_release(struct create_request *r);

/* --- work of the routes ----------------------------------------------------------------------- */
#define REST_WORKS(X)                                                                              \
    X(root)                                                                                        \
    X(health)                                                                                      \
    X(list)                                                                                        \
    X(create)                                                                                      \
    X(info)                                                                                        \
    X(delete)                                                                                      \
    X(get_config)                                                                                  \
    X(put_config)                                                                                  \
    X(patch_config)                                                                                \
    X(status)                                                                                      \
    X(tasks)                                                                                       \
    X(task_status)                                                                                 \
    X(restart_task)                                                                                \
    X(restart)                                                                                     \
    X(pause)                                                                                       \
    X(resume)                                                                                      \
    X(stop)                                                                                        \
    X(topics)                                                                                      \
    X(reset_topics)                                                                                \
    X(get_offsets)                                                                                 \
    X(alter_offsets)                                                                               \
    X(reset_offsets)                                                                               \
    X(plugins)                                                                                     \
    X(plugin_config)                                                                               \
    X(validate)                                                                                    \
    X(loggers)                                                                                     \
    X(get_logger)                                                                                  \
    X(put_logger)
#define X(name) void rest_do_##name(struct http_request *r, void *arg);
REST_WORKS(X)
#undef X
void rest_loggers_release(struct rest *r);

#endif
