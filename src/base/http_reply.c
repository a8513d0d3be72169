/* base/http_reply.c - replies of http.h: whole ones, event streams, chunked streams.
 *
 * Everything that evhttp sees happens on the loop. From another thread a reply is packed and
 * posted; a stream collects bytes in `pending` under the request's mutex and posts one flush for
 * many appends. Bytes count as queued until the socket has taken them: `pending`, then `out_bytes`,
 * which a callback on the connection's output buffer keeps up to date.
 *
 * While a handler works evhttp does not read, and would notice a client that hangs up only at the
 * next write. A stream therefore watches its socket for EV_CLOSED. */
#include "base/http_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { QUIET_MS = 15 * 1000, STREAM_WRITE_SECONDS = 300 };

/* Runs fn(arg) on the loop; at once when we are there, or when the server has stopped (then the
 * client is gone and fn only cleans up). */
static void to_loop(struct http_request *r, loop_fn fn, void *arg)
{
    struct http_server *s = r->server;
    if (loop_is_current(s->loop)) {
        fn(arg);
        return;
    }
    pthread_mutex_lock(&s->mutex);
    bool stopped = s->stopped;
    if (!stopped)
        loop_post(s->loop, fn, arg);
    pthread_mutex_unlock(&s->mutex);
    if (stopped)
        fn(arg);
}

/* False (with a line in the log) for a second reply: the first one has taken the reference. */
static bool begin_reply(struct http_request *r)
{
    if (atomic_exchange(&r->replied, 1) == 0)
        return true;
    LOG_ERROR(LOG_HTTP, "a second reply to %.*s was dropped", ARG_SL(r->path));
    return false;
}

/* --- whole replies ---------------------------------------------------------------------------- */

struct reply {
    struct http_request *r;
    int status;
    char *content_type; /* may be NULL */
    struct evbuffer *body;
};

void http_reply_header(struct http_request *r, const char *name, const char *value)
{
    struct http_out_header *h = arena_alloc(&r->arena, sizeof *h);
    *h = (struct http_out_header){NULL, arena_strdup(&r->arena, name),
                                  arena_strdup(&r->arena, value)};
    *r->out_tail = h;
    r->out_tail = &h->next;
}

static void add_headers(struct http_request *r, const char *content_type)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(r->evreq);
    if (content_type)
        evhttp_add_header(out, "Content-Type", content_type);
    for (const struct http_out_header *h = r->out_headers; h; h = h->next)
        if (evhttp_add_header(out, h->name, h->value) != 0) /* a line feed in it */
            LOG_WARN(LOG_HTTP, "reply header %s cannot be sent", h->name);
    if (!evhttp_find_header(out, "X-Content-Type-Options"))
        evhttp_add_header(out, "X-Content-Type-Options", "nosniff");
    if (!evhttp_find_header(out, "Cross-Origin-Resource-Policy"))
        evhttp_add_header(out, "Cross-Origin-Resource-Policy", "same-origin");
}

static void send_reply(void *arg)
{
    struct reply *x = arg;
    struct http_request *r = x->r;
    http_count_reply(r, x->status);
    if (r->evreq) {
        add_headers(r, x->content_type);
        if (r->method == HTTP_HEAD) {
            char length[24];
            snprintf(length, sizeof length, "%zu", evbuffer_get_length(x->body));
            evhttp_add_header(evhttp_request_get_output_headers(r->evreq), "Content-Length",
                              length);
        }
        bool bare = r->method == HTTP_HEAD || x->status == 204 || x->status == 304;
        evhttp_send_reply(r->evreq, x->status, NULL, bare ? NULL : x->body);
    }
    evbuffer_free(x->body);
    mem_free(x->content_type);
    mem_free(x);
    http_request_unref(r);
}

/* body_take: released with free_body once it is sent, or copied when free_body is NULL. */
static void reply(struct http_request *r, int status, const char *content_type, struct slice body,
                  void (*free_body)(void *))
{
    if (!begin_reply(r)) {
        if (free_body)
            free_body((void *)(uintptr_t)body.p);
        return;
    }
    struct reply *x = xcalloc(1, sizeof *x);
    x->r = r;
    x->status = status;
    x->content_type = content_type ? xstrdup(content_type) : NULL;
    x->body = evbuffer_new();
    invariant(x->body != NULL);
    if (body.n > 0 && evbuffer_add(x->body, body.p, body.n) != 0) {
        LOG_ERROR(LOG_HTTP, "no memory for a reply of %zu bytes", body.n);
        x->status = 500;
    }
    if (free_body)
        free_body((void *)(uintptr_t)body.p);
    to_loop(r, send_reply, x);
}

void http_reply(struct http_request *r, int status, const char *content_type, struct slice body)
{
    reply(r, status, content_type, body, NULL);
}

void http_reply_empty(struct http_request *r, int status)
{
    reply(r, status, NULL, SL(""), NULL);
}

void http_reply_json(struct http_request *r, int status, json_t *body_take)
{
    if (!body_take) {
        http_reply_empty(r, status);
        return;
    }
    char *text = json_dumps(body_take, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(body_take);
    if (text)
        reply(r, status, "application/json", slice_cstr(text), free);
    else
        http_send_error(r, 500, "The answer cannot be written as JSON", NULL);
}

void http_send_error(struct http_request *r, int status, const char *message, const char *allow)
{
    if (r->server->o.error) { /* it decides about the header Allow too */
        r->server->o.error(r, status, message, allow, r->server->o.arg);
        return;
    }
    if (allow)
        http_reply_header(r, "Allow", allow);
    json_t *j = json_object();
    json_object_set_new(j, "error_code", json_integer(status));
    json_object_set_new(j, "message", json_string(message));
    http_reply_json(r, status, j);
}

struct deferred {
    struct http_request *r;
    void (*work)(struct http_request *r, void *arg);
    void *arg;
};

static void run_deferred(void *arg)
{
    struct deferred d = *(struct deferred *)arg;
    mem_free(arg);
    d.work(d.r, d.arg);
}

void http_defer(struct http_request *r, struct pool *p,
                void (*work)(struct http_request *r, void *arg), void *arg)
{
    struct deferred *d = xmalloc(sizeof *d);
    *d = (struct deferred){r, work, arg};
    pool_submit(p, NULL, run_deferred, NULL, NULL, d);
}

/* --- streams: the loop's side ----------------------------------------------------------------- */

static void signal_drained(struct http_request *r)
{
    pthread_mutex_lock(&r->mutex);
    if (r->waiters > 0)
        pthread_cond_broadcast(&r->drained);
    pthread_mutex_unlock(&r->mutex);
}

static void on_output(struct evbuffer *b, const struct evbuffer_cb_info *info, void *arg)
{
    struct http_request *r = arg;
    atomic_store(&r->out_bytes, evbuffer_get_length(b));
    if (info->n_deleted > 0)
        signal_drained(r);
}

static void on_client_closed(evutil_socket_t fd, short what, void *arg)
{
    struct http_request *r = arg;
    (void)fd, (void)what;
    atomic_store(&r->gone, true);
    signal_drained(r);
}

void http_stream_detach(struct http_request *r)
{
    if (!r->started)
        return;
    if (r->watch)
        evbuffer_remove_cb_entry(r->output, r->watch);
    if (r->closed_event)
        event_free(r->closed_event);
    r->watch = NULL;
    r->closed_event = NULL;
    r->output = NULL;
    if (link_in_list(&r->stream_link))
        list_remove(&r->server->streams, &r->stream_link);
    atomic_store(&r->gone, true); /* also at the regular end: nothing more can be sent */
    atomic_store(&r->out_bytes, 0);
    signal_drained(r);
}

static void start_stream(struct http_request *r, int status, const char *content_type)
{
    struct bufferevent *bev = r->conn->bev;
    add_headers(r, content_type);
    r->started = true;
    r->last_sent_ms = clock_mono_ms();
    r->output = bufferevent_get_output(bev);
    r->watch = evbuffer_add_cb(r->output, on_output, r);
    r->closed_event = event_new(loop_base(r->server->loop), bufferevent_getfd(bev), EV_CLOSED,
                                on_client_closed, r);
    if (r->closed_event)
        event_add(r->closed_event, NULL);
    evhttp_connection_set_timeout(r->conn->evcon, STREAM_WRITE_SECONDS);
    evhttp_send_reply_start(r->evreq, status, NULL);
    if (r->is_sse)
        list_push_back(&r->server->streams, &r->stream_link);
}

static void take_pending(struct http_request *r, struct strbuf *out)
{
    pthread_mutex_lock(&r->mutex);
    *out = r->pending;
    strbuf_init(&r->pending, HTTP_PENDING_MAX);
    r->flush_posted = false;
    /* Counted twice for a moment rather than not at all: the caller hands it to the connection
     * next. */
    atomic_fetch_add(&r->out_bytes, out->n);
    pthread_mutex_unlock(&r->mutex);
}

static void free_bytes(const void *data, size_t n, void *arg)
{
    (void)n, (void)arg;
    mem_free((void *)(uintptr_t)data);
}

static void flush_now(struct http_request *r)
{
    struct strbuf bytes;
    take_pending(r, &bytes);
    if (strbuf_err(&bytes) != E_OK) { /* the client let too much pile up */
        atomic_store(&r->gone, true);
        strbuf_reset(&bytes);
    }
    if (bytes.n == 0 || !r->evreq || !r->started || atomic_load(&r->gone)) {
        atomic_store(&r->out_bytes, r->output ? evbuffer_get_length(r->output) : 0);
        strbuf_release(&bytes);
        signal_drained(r);
        return;
    }
    struct evbuffer *b = evbuffer_new();
    size_t n;
    char *p = strbuf_steal(&bytes, &n);
    invariant(b != NULL);
    if (evbuffer_add_reference(b, p, n, free_bytes, NULL) != 0)
        mem_free(p);
    r->last_sent_ms = clock_mono_ms();
    evhttp_send_reply_chunk(r->evreq, b);
    evbuffer_free(b);
    atomic_store(&r->out_bytes, r->output ? evbuffer_get_length(r->output) : 0);
}

static void run_flush(void *arg)
{
    struct http_request *r = arg;
    flush_now(r);
    http_request_unref(r);
}

struct head {
    struct http_request *r;
    int status;
    char *content_type;
};

static void run_begin(void *arg)
{
    struct head *h = arg;
    struct http_request *r = h->r;
    http_count_reply(r, h->status);
    if (r->evreq)
        start_stream(r, h->status, h->content_type);
    else
        atomic_store(&r->gone, true);
    mem_free(h->content_type);
    mem_free(h);
    http_request_unref(r);
}

static void run_end(void *arg)
{
    struct http_request *r = arg;
    flush_now(r);
    if (r->evreq && r->started) {
        evhttp_connection_set_timeout(r->conn->evcon, 30);
        evhttp_send_reply_end(r->evreq); /* on_complete follows, perhaps at once */
    }
    http_request_unref(r);
}

void http_streams_keep_alive(struct http_server *s)
{
    int64_t now = clock_mono_ms();
    list_each (&s->streams, k) {
        struct http_request *r = list_entry(k, struct http_request, stream_link);
        if (now - r->last_sent_ms < QUIET_MS || atomic_load(&r->gone))
            continue;
        pthread_mutex_lock(&r->mutex);
        strbuf_adds(&r->pending, ":\n\n");
        pthread_mutex_unlock(&r->mutex);
        flush_now(r);
    }
}

/* --- streams: any thread ---------------------------------------------------------------------- */

static void begin_stream(struct http_request *r, int status, const char *content_type, bool sse)
{
    if (!begin_reply(r))
        return;
    struct head *h = xmalloc(sizeof *h);
    *h = (struct head){r, status, content_type ? xstrdup(content_type) : NULL};
    r->is_sse = sse;
    atomic_fetch_add(&r->refs, 1); /* the message's; the handler keeps its own until the end */
    to_loop(r, run_begin, h);
}

/* Between them the caller appends to r->pending. */
static bool open_pending(struct http_request *r)
{
    if (atomic_load(&r->gone))
        return false;
    pthread_mutex_lock(&r->mutex);
    return true;
}

static void close_pending(struct http_request *r)
{
    bool post = !r->flush_posted;
    r->flush_posted = true;
    pthread_mutex_unlock(&r->mutex);
    if (!post)
        return;
    atomic_fetch_add(&r->refs, 1);
    to_loop(r, run_flush, r);
}

void http_sse_begin(struct http_request *r)
{
    http_reply_header(r, "Cache-Control", "no-store");
    http_reply_header(r, "X-Accel-Buffering", "no");
    begin_stream(r, 200, "text/event-stream", true);
}

void http_sse_event(struct http_request *r, const char *event, struct slice data)
{
    struct slice line;
    if (!open_pending(r))
        return;
    if (event)
        strbuf_addf(&r->pending, "event:%s\n", event);
    for (struct slice rest = data.p ? data : SL(""); slice_split(&rest, '\n', &line);) {
        strbuf_adds(&r->pending, "data:");
        strbuf_add_slice(&r->pending, line);
        strbuf_addc(&r->pending, '\n');
    }
    strbuf_addc(&r->pending, '\n');
    close_pending(r);
}

bool http_sse_closed(const struct http_request *r)
{
    return atomic_load(&r->gone);
}

size_t http_sse_queued(const struct http_request *r)
{
    struct http_request *w = (struct http_request *)(uintptr_t)r; /* the mutex is not the view's */
    pthread_mutex_lock(&w->mutex);
    size_t n = w->pending.n + atomic_load(&w->out_bytes);
    pthread_mutex_unlock(&w->mutex);
    return n;
}

bool http_sse_wait(struct http_request *r, size_t max_queued, int64_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    bool ok, timed_out = false;
    pthread_mutex_lock(&r->mutex);
    r->waiters++;
    for (;;) {
        ok = !atomic_load(&r->gone) && r->pending.n + atomic_load(&r->out_bytes) <= max_queued;
        if (ok || timed_out || atomic_load(&r->gone))
            break;
        timed_out =
            pthread_cond_clockwait(&r->drained, &r->mutex, CLOCK_MONOTONIC, &until) == ETIMEDOUT;
    }
    r->waiters--;
    pthread_mutex_unlock(&r->mutex);
    return ok;
}

void http_sse_end(struct http_request *r)
{
    to_loop(r, run_end, r);
}

void http_stream_begin(struct http_request *r, int status, const char *content_type)
{
    begin_stream(r, status, content_type, false);
}

void http_stream_data(struct http_request *r, struct slice data)
{
    if (!open_pending(r))
        return;
    strbuf_add_slice(&r->pending, data);
    close_pending(r);
}

void http_stream_end(struct http_request *r)
{
    to_loop(r, run_end, r);
}
