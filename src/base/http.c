/* base/http.c - see http.h: the server, its connections, and the way of a request to its handler.
 *
 *   accept -> new_bufferevent -> attach_fresh -> (evhttp reads) -> on_request -> gate -> route -> handler
 *   handler -> http_reply.c -> evhttp -> on_complete | on_close
 *
 * evhttp gives no hook between accepting and the first request, and we need one to bound
 * connections and slow requests. So new_bufferevent notes the bufferevent and activates `attach`,
 * an event that runs in the same turn of the loop, before any I/O of the new connection: by then
 * evhttp has made its connection object the bufferevent's callback argument, and on_close is
 * registered there.
 *
 * Invariants (loop): conn->request != NULL <=> request->conn == conn; request->evreq != NULL while
 * evhttp has it. Whoever ends that (on_complete, on_close) clears all three and drops the
 * connection's count. */
#include "base/http_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum {
    CONNS_MAX = 512,
    CONNS_LOW = 448,
    IDLE_SECONDS = 30,    /* between bytes, and between requests */
    SLOW_MS = 120 * 1000, /* for a whole request to arrive */
    SWEEP_MS = 5000,
    RESUME_MS = 200, /* after running out of descriptors */
    URL_MAX = 8192,
    HEADERS_DEFAULT = 32 * 1024,
};

static const struct {
    enum http_method method;
    int evhttp;
    const char *name;
} methods[] = {
    {HTTP_GET, EVHTTP_REQ_GET, "GET"},          {HTTP_POST, EVHTTP_REQ_POST, "POST"},
    {HTTP_PUT, EVHTTP_REQ_PUT, "PUT"},          {HTTP_PATCH, EVHTTP_REQ_PATCH, "PATCH"},
    {HTTP_DELETE, EVHTTP_REQ_DELETE, "DELETE"}, {HTTP_OPTIONS, EVHTTP_REQ_OPTIONS, "OPTIONS"},
    {HTTP_HEAD, EVHTTP_REQ_HEAD, "HEAD"},
};

/* --- counting --------------------------------------------------------------------------------- */

void http_server_unref(struct http_server *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&s->mutex);
    mem_free(s);
}

void http_request_unref(struct http_request *r)
{
    if (atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    struct http_server *s = r->server;
    evbuffer_free(r->body_buffer);
    strbuf_release(&r->pending);
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->drained);
    arena_release(&r->arena);
    mem_free(r);
    http_server_unref(s);
}

void http_count_reply(struct http_request *r, int status)
{
    int class = status / 100;
    if (class > 0 && class < HTTP_STATUS_CLASSES)
        metric_add(r->server->by_class[class], 1);
    histogram_observe_us(r->server->seconds, clock_mono_us() - r->started_us);
}

/* evhttp has no more of this request. */
static void let_go(struct http_request *r)
{
    http_stream_detach(r);
    r->conn->request = NULL;
    r->conn->waiting_since_ms = clock_mono_ms();
    r->conn = NULL;
    r->evreq = NULL;
    http_request_unref(r);
}

static void on_complete(struct evhttp_request *evreq, void *arg)
{
    (void)evreq;
    let_go(arg);
}

/* --- connections ------------------------------------------------------------------------------ */

static void accept_more(struct http_server *s, bool yes)
{
    for (int i = 0; i < HTTP_LISTENERS; i++) {
        if (!s->bound[i])
            continue;
        struct evconnlistener *l = evhttp_bound_socket_get_listener(s->bound[i]);
        (void)(yes ? evconnlistener_enable(l) : evconnlistener_disable(l));
    }
    s->paused = !yes;
}

static void on_close(struct evhttp_connection *evcon, void *arg)
{
    struct http_conn *c = arg;
    struct http_server *s = c->server;
    struct http_request *r = c->request;
    if (r) {
        struct evhttp_request *evreq = r->evreq;
        atomic_store(&r->gone, true);
        let_go(r);
        /* When the read side failed evhttp has already let the request go, and it is ours to free.
         */
        if (!evhttp_request_get_connection(evreq))
            evhttp_request_free(evreq);
    }
    map_del_u64(&s->by_evcon, (uint64_t)(uintptr_t)evcon);
    list_remove(&s->conns, &c->link);
    metric_add(s->open_conns, -1);
    mem_free(c);
    if (s->paused && s->conns.count < CONNS_MAX)
        accept_more(s, true);
}

/* Makes evhttp see the end of the connection and clean up. */
static void hang_up(struct http_conn *c)
{
    c->hung_up = true;
    shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
}

/* Hangs up on the connections that have waited longest for a request, down to CONNS_LOW. */
static void evict_idle(struct http_server *s)
{
    for (size_t left = s->conns.count; left > CONNS_LOW; left--) {
        struct http_conn *oldest = NULL;
        list_each (&s->conns, k) {
            struct http_conn *c = list_entry(k, struct http_conn, link);
            if (!c->request && !c->hung_up &&
                (!oldest || c->waiting_since_ms < oldest->waiting_since_ms))
                oldest = c;
        }
        if (!oldest)
            return;
        hang_up(oldest);
    }
}

static void attach_fresh(struct http_server *s)
{
    struct link *k;
    while ((k = list_pop_front(&s->fresh))) {
        struct http_conn *c = list_entry(k, struct http_conn, link);
        bufferevent_data_cb read_cb;
        void *evcon;
        int on = 1;
        bufferevent_getcb(c->bev, &read_cb, NULL, NULL, &evcon);
        bool dead = !read_cb || !evcon; /* evhttp gave it up at once */
        struct bufferevent *bev = c->bev;
        if (dead) {
            mem_free(c);
        } else {
            c->evcon = evcon;
            evhttp_connection_set_closecb(c->evcon, on_close, c);
            setsockopt(bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            map_put_u64(&s->by_evcon, (uint64_t)(uintptr_t)evcon, c);
            list_push_back(&s->conns, &c->link);
            metric_add(s->open_conns, 1);
        }
        bufferevent_decref(bev);
    }
    if (s->conns.count >= CONNS_MAX) {
        LOG_WARN(LOG_HTTP, "%s: %d connections are open: new ones wait", s->o.name, CONNS_MAX);
        accept_more(s, false);
        evict_idle(s);
    }
    if (!s->sweeping)
        loop_timer_set(&s->sweep, SWEEP_MS);
    s->sweeping = true;
}

static void on_attach(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    attach_fresh(arg);
}

static struct bufferevent *new_bufferevent(struct event_base *base, void *arg)
{
    struct http_server *s = arg;
    /* It closes its socket itself, once its events are gone; evhttp would close it before. */
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (!bev)
        return NULL;
    struct http_conn *c = xcalloc(1, sizeof *c);
    *c = (struct http_conn){.server = s, .bev = bev, .waiting_since_ms = clock_mono_ms()};
    bufferevent_incref(bev); /* until attach_fresh has looked at it */
    list_push_back(&s->fresh, &c->link);
    event_active(s->attach, EV_TIMEOUT, 0);
    return bev;
}

static void on_sweep(void *arg)
{
    struct http_server *s = arg;
    int64_t now = clock_mono_ms();
    list_each (&s->conns, k) {
        struct http_conn *c = list_entry(k, struct http_conn, link);
        if (!c->request && now - c->waiting_since_ms > SLOW_MS)
            hang_up(c);
    }
    http_streams_keep_alive(s);
    if (s->paused)
        evict_idle(s);
    s->sweeping = s->conns.count > 0;
    if (s->sweeping)
        loop_timer_set(&s->sweep, SWEEP_MS);
}

static void on_resume(void *arg)
{
    struct http_server *s = arg;
    if (s->conns.count < CONNS_MAX)
        accept_more(s, true);
}

/* accept failed (no descriptors left): without a pause the loop would spin on it. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
    struct http_server *s = arg;
    (void)l;
    LOG_WARN(LOG_HTTP, "%s: cannot accept a connection: %s", s->o.name,
             evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    accept_more(s, false);
    loop_timer_set(&s->resume, RESUME_MS);
}

/* --- routes ----------------------------------------------------------------------------------- */

struct segments {
    struct slice raw[HTTP_SEGMENTS_MAX];
    struct slice decoded[HTTP_SEGMENTS_MAX];
    size_t count;
};

/* "/a/b/" is "/a/b". E_TOO_LARGE: more segments than any route has. */
static enum err split_path(struct http_request *r, struct slice raw, struct segments *out)
{
    struct slice rest = slice_sub(raw, 1, raw.n), part;
    out->count = 0;
    if (rest.n > 0 && rest.p[rest.n - 1] == '/')
        rest.n--;
    if (rest.n == 0)
        return E_OK;
    while (slice_split(&rest, '/', &part)) {
        if (out->count == HTTP_SEGMENTS_MAX)
            return E_TOO_LARGE;
        enum err rc = http_percent_decode(part, false, &r->arena, &out->decoded[out->count]);
        if (rc != E_OK)
            return rc;
        out->raw[out->count++] = part;
    }
    return E_OK;
}

/* Segments from `from` on, as they stand in the decoded path. */
static struct slice join_from(struct http_request *r, const struct segments *s, size_t from)
{
    struct strbuf b = STRBUF_INIT;
    for (size_t i = from; i < s->count; i++) {
        strbuf_adds(&b, i > from ? "/" : "");
        strbuf_add_slice(&b, s->decoded[i]);
    }
    struct slice joined = arena_dup(&r->arena, strbuf_slice(&b));
    strbuf_release(&b);
    return joined;
}

static bool match(struct http_request *r, const char *pattern, const struct segments *s)
{
    struct slice rest = slice_cstr(pattern + 1), part;
    struct http_pair params[HTTP_SEGMENTS_MAX];
    size_t at = 0, n = 0;
    while (rest.p && slice_split(&rest, '/', &part) && (part.n > 0 || !slice_is_null(rest))) {
        bool param = part.n > 2 && part.p[0] == '{';
        if (param && slice_ends(part, SL("...}"))) {
            params[n++] = (struct http_pair){slice_sub(part, 1, part.n - 4), join_from(r, s, at)};
            at = s->count;
            break;
        }
        if (at == s->count)
            return false;
        if (param && s->decoded[at].n > 0)
            params[n++] = (struct http_pair){slice_sub(part, 1, part.n - 1), s->decoded[at]};
        else if (param || !slice_eq(part, s->decoded[at]))
            return false;
        at++;
    }
    if (at != s->count)
        return false;
    r->params = arena_calloc(&r->arena, n + 1, sizeof *params);
    memcpy(r->params, params, n * sizeof *params);
    r->param_count = n;
    return true;
}

static const char *allow_text(struct http_request *r, unsigned allowed, const char *separator)
{
    struct strbuf b = STRBUF_INIT;
    allowed |= HTTP_OPTIONS | (allowed & HTTP_GET ? HTTP_HEAD : 0);
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (allowed & methods[i].method)
            strbuf_addf(&b, "%s%s", b.n ? separator : "", methods[i].name);
    const char *text = arena_strdup(&r->arena, b.p);
    strbuf_release(&b);
    return text;
}

static void dispatch(struct http_request *r, const struct segments *s)
{
    unsigned allowed = 0, wanted = r->method == HTTP_HEAD ? HTTP_GET | HTTP_HEAD : r->method;
    for (const struct http_route *route = r->server->o.routes; route->path; route++) {
        if (!match(r, route->path, s))
            continue;
        if (route->methods & wanted) {
            route->fn(r, r->server->o.arg);
            return;
        }
        allowed |= route->methods;
    }
    if (allowed == 0) {
        http_send_error(r, 404, "HTTP 404 Not Found", NULL);
    } else if (r->method == HTTP_OPTIONS) {
        http_reply_header(r, "Allow", allow_text(r, allowed, ","));
        http_reply(r, 200, "text/plain", slice_cstr(allow_text(r, allowed, ", ")));
    } else {
        http_send_error(r, 405, "HTTP 405 Method Not Allowed", allow_text(r, allowed, ","));
    }
}

/* --- a request -------------------------------------------------------------------------------- */

static void copy_headers(struct http_request *r, struct evhttp_request *evreq)
{
    struct evkeyvalq *all = evhttp_request_get_input_headers(evreq);
    struct evkeyval *kv;
    size_t n = 0;
    for (kv = all->tqh_first; kv; kv = kv->next.tqe_next)
        n++;
    r->headers = arena_calloc(&r->arena, n + 1, sizeof *r->headers);
    for (kv = all->tqh_first; kv; kv = kv->next.tqe_next)
        r->headers[r->header_count++] =
            (struct http_pair){arena_dup(&r->arena, slice_cstr(kv->key)),
                               arena_dup(&r->arena, slice_trim(slice_cstr(kv->value)))};
}

static struct http_request *request_new(struct http_server *s, struct http_conn *c,
                                        struct evhttp_request *evreq)
{
    struct http_request *r = xcalloc(1, sizeof *r);
    atomic_init(&r->refs, 2); /* the handler's, the connection's */
    r->server = s;
    atomic_fetch_add(&s->refs, 1);
    arena_init(&r->arena, 2048, ARENA_NO_BUDGET); /* bounded by the limit on headers */
    pthread_mutex_init(&r->mutex, NULL);
    pthread_cond_init(&r->drained, NULL);
    strbuf_init(&r->pending, HTTP_PENDING_MAX);
    r->out_tail = &r->out_headers;
    r->started_us = clock_mono_us();
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (methods[i].evhttp == (int)evhttp_request_get_command(evreq))
            r->method = methods[i].method;
    copy_headers(r, evreq);
    r->body_buffer = evbuffer_new();
    invariant(r->body_buffer != NULL);
    evbuffer_add_buffer(r->body_buffer, evhttp_request_get_input_buffer(evreq));
    r->evreq = evreq;
    r->conn = c;
    c->request = r;
    evhttp_request_set_on_complete_cb(evreq, on_complete, r);
    return r;
}

/* "/path?query" or, from a proxy, "http://host/path?query"; a fragment does not belong here. */
static enum err read_url(struct http_request *r, struct segments *s)
{
    struct slice uri = slice_cstr(evhttp_request_get_uri(r->evreq)), path;
    uri = slice_sub(uri, 0, strcspn(uri.p, "#"));
    ptrdiff_t scheme = uri.p[0] == '/' ? -1 : slice_find(uri, SL("://"));
    if (scheme >= 0) {
        uri = slice_sub(uri, (size_t)scheme + 3, uri.n);
        uri = slice_sub(uri, strcspn(uri.p, "/?#"), uri.n);
    }
    ptrdiff_t question = slice_find_char(uri, '?');
    path = question < 0 ? uri : slice_sub(uri, 0, (size_t)question);
    if (question >= 0)
        r->raw_query = arena_dup(&r->arena, slice_sub(uri, (size_t)question + 1, uri.n));
    if (path.n == 0 && scheme >= 0)
        path = SL("/");
    if (path.n == 0 || path.p[0] != '/')
        return E_INVALID;
    enum err rc = http_percent_decode(path, false, &r->arena, &r->path);
    if (rc == E_OK)
        rc = split_path(r, path, s);
    if (rc == E_OK)
        rc = http_query_parse(r->raw_query, &r->arena, &r->query, &r->query_count);
    return rc;
}

static bool read_body(struct http_request *r)
{
    size_t n = evbuffer_get_length(r->body_buffer);
    if (n > r->server->o.max_body)
        return false;
    r->body = slice_of(n ? (const char *)evbuffer_pullup(r->body_buffer, -1) : "", n);
    return r->body.p != NULL;
}

static void on_request(struct evhttp_request *evreq, void *arg)
{
    struct http_server *s = arg;
    struct evhttp_connection *evcon = evhttp_request_get_connection(evreq);
    struct http_conn *c = map_get_u64(&s->by_evcon, (uint64_t)(uintptr_t)evcon);
    if (!c) { /* cannot be: attach_fresh runs before a connection's first byte is read */
        evhttp_send_error(evreq, 500, NULL);
        return;
    }
    struct http_request *r = request_new(s, c, evreq);
    struct segments segments;
    const char *message = "";
    int status = http_gate(r, &message);
    http_add_cors(r);
    if (status != 0) {
        LOG_WARN(LOG_HTTP, "%s: refused (%d): %s; host=" PRI_SL " origin=" PRI_SL, s->o.name,
                 status, message, ARG_SL(http_header(r, "Host")), ARG_SL(http_header(r, "Origin")));
        http_send_error(r, status, message, NULL);
    } else if (strlen(evhttp_request_get_uri(evreq)) > URL_MAX) {
        http_send_error(r, 414, "HTTP 414 URI Too Long", NULL);
    } else if (!read_body(r)) {
        http_send_error(r, 413, "HTTP 413 Request Entity Too Large", NULL);
    } else if (read_url(r, &segments) != E_OK) {
        http_send_error(r, 400, "HTTP 400 Bad Request", NULL);
    } else {
        dispatch(r, &segments);
    }
}

/* --- start and stop --------------------------------------------------------------------------- */

struct start {
    struct http_server *s;
    int fds[HTTP_LISTENERS];
    bool ok;
};

static void start_on_loop(void *arg)
{
    struct start *st = arg;
    struct http_server *s = st->s;
    size_t body = s->o.max_body, headers = s->o.max_headers ? s->o.max_headers : HEADERS_DEFAULT;
    s->evhttp = evhttp_new(loop_base(s->loop));
    s->attach = event_new(loop_base(s->loop), -1, 0, on_attach, s);
    invariant(s->evhttp && s->attach);
    loop_timer_init(&s->sweep, s->loop, on_sweep, s);
    loop_timer_init(&s->resume, s->loop, on_resume, s);
    evhttp_set_bevcb(s->evhttp, new_bufferevent, s);
    evhttp_set_gencb(s->evhttp, on_request, s);
    evhttp_set_allowed_methods(
        s->evhttp, EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH |
                       EVHTTP_REQ_DELETE | EVHTTP_REQ_HEAD | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE);
    /* Bodies somewhat over the limit are read, so that the answer is ours; far over it evhttp ends
     * the request with a 413 of its own. */
    evhttp_set_max_body_size(s->evhttp, (ev_ssize_t)(body * 2 + (1 << 20)));
    evhttp_set_max_headers_size(s->evhttp, (ev_ssize_t)headers);
    evhttp_set_default_content_type(s->evhttp, NULL);
    evhttp_set_timeout(s->evhttp, IDLE_SECONDS);
    evhttp_set_flags(s->evhttp, EVHTTP_SERVER_LINGERING_CLOSE);
    for (int i = 0; i < HTTP_LISTENERS; i++) {
        if (st->fds[i] < 0)
            continue;
        s->bound[i] = evhttp_accept_socket_with_handle(s->evhttp, st->fds[i]);
        invariant(s->bound[i] != NULL);
        evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(s->bound[i]), on_accept_error);
    }
}

static void register_metrics(struct http_server *s)
{
    for (int i = 1; i < HTTP_STATUS_CLASSES; i++) {
        char labels[100];
        snprintf(labels, sizeof labels, "server=\"%.40s\",code=\"%dxx\"", s->o.name, i);
        s->by_class[i] =
            metrics_counter("weir_http_requests_total", "HTTP requests answered.", labels);
    }
    char labels[80];
    snprintf(labels, sizeof labels, "server=\"%.40s\"", s->o.name);
    s->open_conns = metrics_gauge("weir_http_connections", "Open HTTP connections.", labels);
    s->seconds = metrics_histogram("weir_http_request_seconds",
                                   "Time from a request's last byte to its reply.", labels);
}

enum err http_start(struct http_server **out, struct loop *l, const struct http_options *o,
                    struct http_listen *listen, struct error *e)
{
    struct start st;
    *out = NULL;
    enum err rc = http_listen_open(o->name, listen, st.fds, e);
    if (rc != E_OK)
        return rc;
    struct http_server *s = xcalloc(1, sizeof *s);
    atomic_init(&s->refs, 1);
    s->o = *o;
    s->loop = l;
    snprintf(s->listen_host, sizeof s->listen_host, "%s", listen->host);
    if (gethostname(s->machine, sizeof s->machine - 1) != 0)
        s->machine[0] = 0;
    pthread_mutex_init(&s->mutex, NULL);
    list_init(&s->conns);
    list_init(&s->fresh);
    list_init(&s->streams);
    map_init(&s->by_evcon);
    register_metrics(s);
    st.s = s;
    loop_call(l, start_on_loop, &st);
    *out = s;
    return E_OK;
}

static void stop_on_loop(void *arg)
{
    struct http_server *s = arg;
    attach_fresh(s);
    evhttp_free(s->evhttp); /* on_close for each connection */
    s->evhttp = NULL;
    invariant(s->conns.count == 0);
    event_free(s->attach);
    loop_timer_release(&s->sweep);
    loop_timer_release(&s->resume);
    map_release(&s->by_evcon, NULL);
    pthread_mutex_lock(&s->mutex);
    s->stopped = true;
    pthread_mutex_unlock(&s->mutex);
}

void http_stop(struct http_server *s)
{
    if (!s)
        return;
    loop_call(s->loop, stop_on_loop, s);
    http_server_unref(s);
}
