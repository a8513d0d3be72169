/* base/http_internal.h - what the files of the HTTP server share. Internal to base/http*.c.
 *
 * Ownership: the server is counted (itself + each request), because a late reply may come after
 * http_stop. A request is counted: one for the handler, which the reply drops, one for the
 * connection while evhttp has the request, and one for each message under way to the loop. Fields
 * marked (loop) are touched on the HTTP loop only; the views are written before the handler runs
 * and never after. */
#ifndef WEIR_BASE_HTTP_INTERNAL_H
#define WEIR_BASE_HTTP_INTERNAL_H

#include "base/http.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/http_url.h"
#include "base/list.h"
#include "base/map.h"
#include "base/metrics.h"

struct bufferevent;
struct evbuffer;
struct evbuffer_cb_entry;
struct event;
struct evhttp;
struct evhttp_bound_socket;
struct evhttp_connection;
struct evhttp_request;

enum { HTTP_SEGMENTS_MAX = 32, HTTP_LISTENERS = 2, HTTP_STATUS_CLASSES = 6 };
#define HTTP_PENDING_MAX ((size_t)64 << 20) /* of a stream whose client does not read */

struct http_conn { /* loop */
    struct link link;
    struct http_server *server;
    struct bufferevent *bev;
    struct evhttp_connection *evcon; /* NULL until attached */
    struct http_request *request;    /* being handled; NULL between requests */
    int64_t waiting_since_ms;        /* no request is complete since then */
    bool hung_up;                    /* shut down; evhttp will notice */
};

struct http_server {
    _Atomic int refs;
    struct http_options o;
    struct loop *loop;
    char listen_host[256], machine[256];
    pthread_mutex_t mutex; /* stopped */
    bool stopped;          /* nothing may be posted any more */
    struct evhttp *evhttp; /* (loop) this and all below */
    struct evhttp_bound_socket *bound[HTTP_LISTENERS];
    struct list conns, fresh; /* fresh: accepted, callbacks not attached */
    struct map by_evcon;      /* evhttp_connection -> http_conn */
    struct list streams;      /* requests with an event stream */
    struct event *attach;
    struct loop_timer sweep, resume;
    bool paused;   /* at the limit of connections: not accepting */
    bool sweeping; /* the timer is set */
    struct metric *by_class[HTTP_STATUS_CLASSES], *open_conns;
    struct histogram *seconds;
};

struct http_out_header {
    struct http_out_header *next;
    const char *name, *value;
};

struct http_request {
    _Atomic int refs;
    struct http_server *server;
    struct arena arena; /* views; the holder's for reply headers */
    enum http_method method;
    struct slice path, raw_query, body;
    struct http_pair *query, *headers, *params;
    size_t query_count, header_count, param_count;
    struct evbuffer *body_buffer;
    struct http_out_header *out_headers;
    struct http_out_header **out_tail;
    int64_t started_us;
    _Atomic int replied; /* 1 once a reply or a stream has begun */

    struct http_conn *conn;          /* (loop) NULL when the client is gone */
    struct evhttp_request *evreq;    /* (loop) the same */
    struct evbuffer *output;         /* (loop) of the connection, while streaming */
    struct evbuffer_cb_entry *watch; /* (loop) counts what leaves */
    struct event *closed_event;      /* (loop) the client hung up while streaming */
    struct link stream_link;         /* (loop) in server->streams */
    int64_t last_sent_ms;            /* (loop) */
    bool started, is_sse;            /* (loop) the stream's head is out */

    _Atomic bool gone;
    _Atomic size_t out_bytes; /* given to the connection, not yet sent */
    pthread_mutex_t mutex;    /* pending, flush_posted, waiters */
    pthread_cond_t drained;
    struct strbuf pending;
    bool flush_posted;
    int waiters;
};

/* http_listen.c */
enum err http_listen_open(const char *name, struct http_listen *l, int fds[2],
                          struct error *e) MUST_CHECK; /* unused ones are -1 */

/* http.c */
void http_server_unref(struct http_server *s);
void http_request_unref(struct http_request *r);
void http_count_reply(struct http_request *r, int status);

/* http_gate.c */
/* 0, or the status to answer with. */
int http_gate(const struct http_request *r, const char **message);
void http_add_cors(struct http_request *r);

/* http_reply.c */
void http_stream_detach(struct http_request *r);     /* (loop) the connection is going or done */
void http_streams_keep_alive(struct http_server *s); /* (loop) */
void http_send_error(struct http_request *r, int status, const char *message, const char *allow);

#endif
