/* broker/dispatch.c - request life cycle on a broker loop.
 *
 * Request objects with their arena are reused. Frames up to COPY_MAX bytes are copied into the
 * arena, so that a request that waits (an idle consumer's fetch) does not hold the connection's
 * read buffer; larger ones keep a reference to it. */
#include "broker/dispatch.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "broker/api/api.h"
#include "broker/api/guard.h"
#include "broker/security/quota.h"
#include "broker/security/sasl_conn.h"
#include "broker/security/throttle.h"
#include "broker/security/tls.h"

#define COPY_MAX 4096
#define ARENA_BLOCK 4096
#define SPARE_REQUESTS 64
#define REPLY_MAX ((size_t)256 << 20)
#define BUDGET_BASE ((size_t)4 << 20)
#define BUDGET_PER_BYTE 20 /* decoded structs are larger than their wire form, strings up to 16x */

struct api_metrics {
    struct metric *count, *us, *bytes_in, *bytes_out;
};
static struct api_metrics metrics_of[KAPI_LIMIT];

void dispatch_init_metrics(void)
{
    const struct msg_api *api;
    for (size_t i = 0; (api = msg_api_at(i)); i++) {
        if (!api_handler(api->key))
            continue;
        char label[64];
        snprintf(label, sizeof label, "api=\"%s\"", api->name);
        struct api_metrics *m = &metrics_of[api->key];
        m->count = metrics_counter("weir_kafka_requests_total", "Kafka requests by API", label);
        m->us = metrics_counter("weir_kafka_request_microseconds_total",
                                "time from a whole request to its reply", label);
        m->bytes_in = metrics_counter("weir_kafka_request_bytes_total", "request bytes", label);
        m->bytes_out = metrics_counter("weir_kafka_response_bytes_total", "response bytes", label);
    }
}

void broker_loop_init(struct broker_loop *bl, struct broker *b, struct loop *loop, int index)
{
    *bl = (struct broker_loop){.broker = b, .loop = loop, .index = index};
    list_init(&bl->live);
    list_init(&bl->spare);
    fetch_sessions_init(&bl->fetch_sessions, 0);
    request_stats_init(&bl->stats, KAPI_LIMIT);
    conn_loop_init(&bl->conns, loop);
    bl->conns.owner = bl;
    bl->conns.on_frame = dispatch_frame;
    bl->conns.on_open = dispatch_opened;
    bl->conns.on_closed = dispatch_closed;
}

static void request_free(struct request *rq)
{
    arena_release(&rq->arena);
    rbuf_unref(rq->frame);
    mem_free(rq);
}

void broker_loop_release(struct broker_loop *bl)
{
    list_each (&bl->live, k) {
        list_remove(&bl->live, k);
        request_free(list_entry(k, struct request, link));
    }
    list_each (&bl->spare, k) {
        list_remove(&bl->spare, k);
        request_free(list_entry(k, struct request, link));
    }
    request_stats_release(&bl->stats);
    conn_loop_release(&bl->conns);
    fetch_sessions_release(&bl->fetch_sessions);
}

/* --- begin and end ---------------------------------------------------------------------------- */

static struct request *request_new(struct broker_loop *bl, struct conn *c, size_t frame_bytes)
{
    struct link *k = list_pop_front(&bl->spare);
    struct request *rq;
    if (k) {
        rq = list_entry(k, struct request, link);
        struct arena kept = rq->arena;
        *rq = (struct request){.arena = kept};
    } else {
        rq = xcalloc(1, sizeof *rq);
        arena_init(&rq->arena, ARENA_BLOCK, 0);
    }
    rq->arena.budget = BUDGET_BASE + BUDGET_PER_BYTE * frame_bytes;
    rq->bl = bl;
    rq->broker = bl->broker;
    rq->conn = c;
    rq->node_id = c->listener->node_id;
    rq->start_us = clock_mono_us();
    rq->frame_bytes = (uint32_t)frame_bytes;
    list_push_back(&bl->live, &rq->link);
    c->user = rq;
    return rq;
}

/* The request object goes; the connection (when it is still there) goes on. */
static void finish(struct request *rq, enum conn_result result)
{
    struct broker_loop *bl = rq->bl;
    struct conn *c = rq->conn;
    bool in_handler = rq->in_handler;
    int64_t pause_ms = rq->pause_ms;
    if (rq->api) {
        struct api_metrics *m = &metrics_of[rq->api->key];
        int64_t now_us = clock_mono_us(), total_us = now_us - rq->start_us;
        int64_t local_us = rq->handled_us ? rq->handled_us - rq->start_us : total_us;
        metric_add(m->count, 1);
        metric_add(m->us, total_us);
        request_stats_note(&bl->stats, rq->api->key, rq->version, rq->failed, now_us, total_us,
                           MIN(local_us, total_us));
    }
    if (c)
        c->user = NULL;
    rq->finished = true;
    rq->result = result;
    if (in_handler)
        return; /* dispatch_frame releases it and tells the connection */
    list_remove(&bl->live, &rq->link);
    rbuf_unref(rq->frame);
    rq->frame = NULL;
    arena_reset(&rq->arena);
    if (bl->spare.count < SPARE_REQUESTS)
        list_push_front(&bl->spare, &rq->link);
    else
        request_free(rq);
    if (c && UNLIKELY(pause_ms > 0) && result == CONN_DONE)
        conn_pause(c, pause_ms);
    else if (c)
        conn_resume(c, result);
}

void dispatch_opened(struct conn *c)
{
    const struct listener *l = c->listener;
    if (l->sasl)
        sasl_attach(c, l->sasl);
    if (l->sasl || l->tls)
        conn_set_ready(c, false);
    if (l->tls && !tls_attach(c, l->tls))
        conn_close(c, "no memory for TLS");
}

void dispatch_closed(struct conn *c)
{
    struct request *rq = c->user;
    if (rq) {
        rq->conn = NULL;
        c->user = NULL;
        if (rq->on_gone)
            rq->on_gone(rq);
    }
    sasl_detach(c);
    conn_limit_leave(&((struct broker_loop *)c->cl->owner)->broker->conn_limit, &c->peer);
}

/* The time so far is that of the handler; what other threads did is not the loop's. */
static void throttle(struct request *rq)
{
    if (rq->in_handler)
        rq->busy_us = (uint32_t)(clock_mono_us() - rq->start_us);
    rq->pause_ms = throttle_request(rq);
}

void request_drop(struct request *rq)
{
    finish(rq, CONN_CLOSE);
}

void request_no_reply(struct request *rq)
{
    if (rq->conn && UNLIKELY(quotas_any(rq->broker->quotas)))
        throttle(rq);
    if (rq->close_after)
        request_close(rq, "a part of a request without an answer was refused");
    else
        finish(rq, CONN_DONE);
}

void request_close(struct request *rq, const char *why)
{
    if (rq->conn) {
        char peer[CONN_PEER_TEXT];
        conn_peer_text(rq->conn, peer);
        LOG_WARN(LOG_BROKER_CONN, "closing: %s api=%s version=%d client_id=" PRI_SL " peer=%s", why,
                 rq->api ? rq->api->name : "?", rq->version, ARG_SL(rq->client_id), peer);
    }
    finish(rq, CONN_CLOSE);
}

/* --- replies ---------------------------------------------------------------------------------- */

/* Hands the encoded bytes to the connection, with what belongs at the cuts between them. The last
 * memory part releases the buffer: the parts leave in order. */
static void send_reply(struct request *rq, struct strbuf *b, const struct codec_cuts *cuts)
{
    size_t n, at = 0;
    char *bytes = strbuf_steal(b, &n);
    size_t last = cuts->count && cuts->v[cuts->count - 1].at == n ? cuts->count - 1 : cuts->count;
    for (size_t i = 0; i <= cuts->count; i++) {
        size_t to = i < cuts->count ? cuts->v[i].at : n;
        if (i == last)
            conn_send_part(rq->conn, bytes + at, to - at, mem_free, bytes);
        else
            conn_send_part(rq->conn, bytes + at, to - at, NULL, NULL);
        if (i < cuts->count)
            rq->send_cut(rq, &cuts->v[i]);
        at = to;
    }
}

/* Whether the top level of the answer has an error code that is not 0. */
static bool has_error(const struct request *rq)
{
    const struct struct_desc *d = rq->api->response->body;
    for (size_t i = 0; i < d->field_count && i < 4; i++) { /* it stands in front everywhere */
        const struct field_desc *f = &d->fields[i];
        if (f->type == FIELD_I16 && f->from <= rq->version && f->to >= rq->version &&
            !strcmp(f->name, "error_code"))
            return *(const int16_t *)(const void *)((const char *)rq->out + f->at) != 0;
    }
    return false;
}

void request_reply(struct request *rq)
{
    loop_assert(rq->bl->loop);
    if (!rq->conn) {
        finish(rq, CONN_CLOSE);
        return;
    }
    if (UNLIKELY(rq->guard != NULL))
        guard_after(rq);
    if (UNLIKELY(quotas_any(rq->broker->quotas)))
        throttle(rq);
    if (log_enabled(LOG_BROKER, LOG_L_TRACE)) {
        struct strbuf t = STRBUF_INIT;
        codec_trace(rq->api->response, rq->version, rq->out, &t);
        LOG_TRACE(LOG_BROKER, "answer " PRI_SL " conn=%u", ARG_SL(strbuf_slice(&t)), rq->conn->id);
        strbuf_release(&t);
    }
    struct codec_cuts cuts = {0};
    if (rq->cuts_max)
        cuts = (struct codec_cuts){.v = arena_alloc(&rq->arena, rq->cuts_max * sizeof *cuts.v),
                                   .max = rq->cuts_max};
    struct strbuf b;
    strbuf_init(&b, REPLY_MAX);
    enum err r = codec_encode_response(rq->api->response, rq->version, rq->correlation_id, rq->out,
                                       &b, &cuts);
    if (r != E_OK) {
        strbuf_release(&b);
        LOG_ERROR(LOG_BROKER, "an answer could not be encoded: %s", err_name(r));
        request_close(rq, "the answer could not be encoded");
        return;
    }
    rq->failed = has_error(rq);
    size_t outside = 0;
    for (size_t i = 0; i < cuts.count; i++)
        outside += cuts.v[i].length;
    metric_add(metrics_of[rq->api->key].bytes_out, (int64_t)(b.n + outside));
    send_reply(rq, &b, &cuts);
    finish(rq, rq->close_after ? CONN_CLOSE : CONN_DONE);
}

static void post_reply(void *arg)
{
    request_reply(arg);
}

static void post_close(void *arg)
{
    request_close(arg, "the request failed and has no answer");
}

void request_post_reply(struct request *rq)
{
    loop_post(rq->bl->loop, post_reply, rq);
}

void request_post_close(struct request *rq)
{
    loop_post(rq->bl->loop, post_close, rq);
}

void request_fail(struct request *rq, int16_t code)
{
    const struct struct_desc *d = rq->api->response->body;
    codec_init_defaults(d, rq->out);
    for (size_t i = 0; i < d->field_count; i++) {
        const struct field_desc *f = &d->fields[i];
        if (strcmp(f->name, "error_code") || f->from > rq->version || f->to < rq->version)
            continue;
        memcpy((char *)rq->out + f->at, &code, sizeof code);
        request_reply(rq);
        return;
    }
    request_close(rq, kerr_message(code));
}

struct slice request_client_host(struct request *rq)
{
    char ip[INET6_ADDRSTRLEN] = "unknown";
    if (rq->conn)
        sockaddr_ip(&rq->conn->peer, ip);
    char *s = arena_printf(&rq->arena, "/%s", ip);
    return slice_cstr(s);
}

struct slice request_address_of(struct request *rq, int32_t node_id, int *port)
{
    char host[256];
    const struct conn *c = rq->conn;
    const struct listener *l = listener_of_node(c->cl->listeners, c->listener, node_id);
    *port = -1;
    if (!l)
        return SL("");
    listener_advertised(c->cl->listeners, l, c->fd, &c->peer, tls_server_name(c), host, port);
    return slice_cstr(arena_strdup(&rq->arena, host));
}

int32_t request_node_id(const struct request *rq)
{
    return rq->node_id;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* ApiVersions in a version that is not known yet: version 0 with the one row that the client needs
 * to ask again. SPEC: broker 10.1 */
static void answer_unknown_api_versions(struct request *rq)
{
    struct api_versions_response *out = rq->out;
    api_versions_response_init(out);
    out->error_code = KERR_UNSUPPORTED_VERSION;
    out->api_keys_count = 1;
    out->api_keys = api_versions_response_key_array(&rq->arena, 1);
    out->api_keys[0].api_key = rq->api->key;
    out->api_keys[0].min_version = rq->api->min;
    out->api_keys[0].max_version = rq->api->max;
    rq->version = 0;
    request_reply(rq);
}

static enum err decode(struct request *rq, struct reader *r)
{
    const struct msg_desc *d = rq->api->request;
    rq->in = arena_alloc(&rq->arena, d->body->size);
    rq->out = arena_alloc(&rq->arena, rq->api->response->body->size);
    codec_init_defaults(rq->api->response->body, rq->out);
    enum err e = codec_decode(d, rq->version, r, &rq->arena, rq->in);
    if (e == E_OK && log_enabled(LOG_BROKER, LOG_L_TRACE)) {
        struct strbuf t = STRBUF_INIT;
        codec_trace(d, rq->version, rq->in, &t);
        LOG_TRACE(LOG_BROKER, "request " PRI_SL " conn=%u", ARG_SL(strbuf_slice(&t)), rq->conn->id);
        strbuf_release(&t);
    }
    return e;
}

/* Who asks, kept with the request: it may outlive its connection. */
static void identify(struct request *rq)
{
    char ip[INET6_ADDRSTRLEN];
    const char *principal = rq->conn->principal ? rq->conn->principal : "User:ANONYMOUS";
    sockaddr_ip(&rq->conn->peer, ip);
    rq->principal = slice_cstr(arena_strdup(&rq->arena, principal));
    rq->host = slice_cstr(arena_strdup(&rq->arena, ip));
}

/* Requests that a client sends to the broker which Metadata named, not to a bootstrap address. */
static bool tells_that_it_works(int16_t api)
{
    return api != KAPI_API_VERSIONS && api != KAPI_METADATA && api != KAPI_SASL_HANDSHAKE &&
           api != KAPI_SASL_AUTHENTICATE && api != KAPI_FIND_COORDINATOR &&
           api != KAPI_DESCRIBE_CLUSTER;
}

static void execute(struct request *rq, struct slice frame)
{
    struct reader r = reader_of(frame.p, frame.n);
    struct request_header h;
    if (codec_decode_request_header(&r, &h) != E_OK) {
        request_close(rq, "a request whose header does not parse");
        return;
    }
    rq->api = msg_api(h.api_key);
    rq->version = h.api_version;
    rq->correlation_id = h.correlation_id;
    rq->client_id = h.client_id;
    api_fn fn = rq->api ? api_handler(h.api_key) : NULL;
    if (!fn) {
        char why[64];
        snprintf(why, sizeof why, "API key %d is not served", h.api_key);
        rq->api = NULL;
        request_close(rq, why);
        return;
    }
    metric_add(metrics_of[rq->api->key].bytes_in, (int64_t)frame.n + 4);
    if (!msg_api_serves(rq->api, h.api_version)) {
        if (h.api_key == KAPI_API_VERSIONS) {
            rq->out = arena_alloc(&rq->arena, rq->api->response->body->size);
            answer_unknown_api_versions(rq);
        } else {
            request_close(rq, "this version of the API is not served");
        }
        return;
    }
    enum err e = decode(rq, &r);
    if (e != E_OK) {
        char why[96];
        snprintf(why, sizeof why, "a request that does not parse (%s)", err_name(e));
        request_close(rq, why);
        return;
    }
    if (UNLIKELY(!rq->conn->works) && tells_that_it_works(h.api_key)) {
        char ip[INET6_ADDRSTRLEN];
        sockaddr_ip(&rq->conn->peer, ip);
        rq->conn->works = true;
        diagnosis_works(&rq->broker->diagnosis, ip);
    }
    if (UNLIKELY(rq->broker->security.acls != NULL)) {
        identify(rq);
        if (!guard_before(rq))
            return;
    }
    if (brokers_are_several(&rq->broker->brokers) && api_is_elsewhere(rq))
        return; /* has answered that another broker is to be asked */
    fn(rq);
}

enum conn_result dispatch_frame(struct conn *c, struct rbuf *buf, struct slice frame)
{
    struct broker_loop *bl = c->cl->owner;
    struct request *rq = request_new(bl, c, frame.n);
    bool produce = frame.n >= 2 && load_be16(frame.p) == KAPI_PRODUCE;
    if (frame.n <= COPY_MAX && !produce)
        frame = slice_of(memcpy(arena_alloc(&rq->arena, frame.n), frame.p, frame.n), frame.n);
    else
        rq->frame = rbuf_ref(buf);
    rq->in_handler = true;
    execute(rq, frame);
    rq->in_handler = false;
    if (!rq->finished) {
        rq->handled_us = clock_mono_us();
        if (UNLIKELY(quotas_any(rq->broker->quotas)))
            rq->busy_us = (uint32_t)(rq->handled_us - rq->start_us);
        return CONN_PARKED;
    }
    enum conn_result result = rq->result;
    if (UNLIKELY(rq->pause_ms > 0) && result == CONN_DONE) {
        conn_pause(c, rq->pause_ms);
        result = CONN_PARKED;
    }
    rq->conn = NULL; /* the connection goes on by our return value */
    rq->api = NULL;  /* counted already */
    finish(rq, result);
    return result;
}
