/* broker/conn.c - reading frames and sending replies.
 *
 * Read buffer: one rbuf a connection while it has unconsumed bytes, else none (the loop keeps a
 * spare for the next one). It starts at 64 KiB and doubles as bytes arrive, up to the frame being
 * read, so that a size field alone allocates nothing. When a parked request still holds the buffer
 * (its strings point into it), growing means a new buffer with the unconsumed bytes.
 *
 * conn_process is the only place that executes frames and flushes; on_frame may call anything but
 * must not free the connection (conn_close inside only marks it). */
#include "broker/conn.h"

#include "base/base.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_START ((size_t)64 << 10)
#define SPARE_MAX ((size_t)2 << 20)   /* larger buffers are not kept */
#define READ_AHEAD ((size_t)64 << 10) /* beyond the frame being read */
#define OUT_LIMIT ((size_t)1 << 20)   /* unsent bytes in memory above which no frame is executed */
#define OUT_LIMIT_ALL ((size_t)64 << 20) /* the same with file ranges */
#define SWEEP_MS 5000
#define FRAMES_A_TURN 128 /* then the other connections of the loop get theirs */
#define READS_A_TURN 16

static void on_event(evutil_socket_t fd, short what, void *arg);
static void destroy(struct conn *c);
static void conn_process(struct conn *c);

/* --- the plain transport ---------------------------------------------------------------------- */

static ssize_t plain_recv(struct conn *c, void *p, size_t n)
{
    return recv(c->fd, p, n, MSG_DONTWAIT);
}

static enum err plain_flush(struct conn *c, size_t *sent, bool *file_failed)
{
    return outq_flush(&c->out, c->fd, sent, file_failed);
}

static void plain_release(struct conn *c)
{
    (void)c;
}

static const struct conn_ops plain_ops = {plain_recv, plain_flush, plain_release, false};

/* --- life ------------------------------------------------------------------------------------- */

static void close_unready(struct conn_loop *cl, int64_t now)
{
    list_each (&cl->unready, k) {
        struct conn *c = list_entry(k, struct conn, unready_link);
        if (now - c->opened_ms <= CONN_READY_MS)
            return;
        conn_close(c, "the handshake takes too long");
    }
}

static void sweep(void *arg)
{
    struct conn_loop *cl = arg;
    int64_t now = clock_mono_ms();
    close_unready(cl, now);
    list_each (&cl->conns, k) {
        struct conn *c = list_entry(k, struct conn, link);
        if (!c->busy && cl->max_idle_ms > 0 && now - c->active_ms > cl->max_idle_ms)
            conn_close(c, "idle for connections.max.idle.ms");
    }
    if (cl->count == 0 && cl->spare && cl->spare->cap > READ_START) {
        rbuf_unref(cl->spare);
        cl->spare = NULL;
    }
    int64_t every = cl->max_idle_ms > 0 ? cl->max_idle_ms / 4 : SWEEP_MS;
    loop_timer_set(&cl->sweep, MAX(50, MIN(every, SWEEP_MS)));
}

void conn_loop_init(struct conn_loop *cl, struct loop *loop)
{
    *cl = (struct conn_loop){.loop = loop};
    list_init(&cl->conns);
    list_init(&cl->unready);
}

void conn_loop_stop(struct conn_loop *cl)
{
    loop_assert(cl->loop);
    cl->stopping = true;
    list_each (&cl->conns, k) {
        conn_close(list_entry(k, struct conn, link), "stopping");
    }
    if (cl->sweep.loop)
        loop_timer_release(&cl->sweep);
    cl->sweep.loop = NULL;
}

void conn_loop_close_node(struct conn_loop *cl, int32_t node_id)
{
    loop_assert(cl->loop);
    list_each (&cl->conns, k) {
        struct conn *c = list_entry(k, struct conn, link);
        if (c->listener && c->listener->node_id == node_id)
            conn_close(c, "this broker stops");
    }
}

void conn_loop_release(struct conn_loop *cl)
{
    rbuf_unref(cl->spare);
    cl->spare = NULL;
}

void conn_peer_text(const struct conn *c, char out[CONN_PEER_TEXT])
{
    char ip[INET6_ADDRSTRLEN];
    sockaddr_ip(&c->peer, ip);
    int port = ntohs(c->peer.sa.sa_family == AF_INET ? c->peer.in.sin_port : c->peer.in6.sin6_port);
    snprintf(out, CONN_PEER_TEXT, "%s:%d", ip, port);
}

static void want_events(struct conn *c, short events)
{
    if (c->events == events)
        return;
    if (c->events)
        event_del(&c->ev);
    c->events = events;
    if (!events)
        return;
    event_assign(&c->ev, loop_base(c->cl->loop), c->fd, events | EV_PERSIST, on_event, c);
    event_add(&c->ev, NULL);
}

/* A system whose sockets pace what they send (BBR) sets a timer for every few segments, which takes as
 * much CPU as sending does; between two programs of one machine there is no path to spare. Reno, part
 * of every kernel, does not pace. */
static void do_not_pace(int fd)
{
    char name[16] = "";
    socklen_t n = sizeof name;
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &n) == 0 && !strncmp(name, "bbr", 3))
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
}

static void set_socket_options(const struct conn_loop *cl, int fd, const union sockaddr_any *peer)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    if (sockaddr_is_loopback(peer))
        do_not_pace(fd);
    if (cl->send_buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &cl->send_buffer, sizeof cl->send_buffer);
    if (cl->receive_buffer > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &cl->receive_buffer, sizeof cl->receive_buffer);
}

struct conn *conn_open(struct conn_loop *cl, int fd, const struct listener *l,
                       const union sockaddr_any *peer)
{
    loop_assert(cl->loop);
    static _Atomic uint32_t last_id;
    set_socket_options(cl, fd, peer);
    struct conn *c = xcalloc(1, sizeof *c);
    c->cl = cl;
    c->fd = fd;
    c->listener = l;
    c->peer = *peer;
    c->id = ++last_id;
    c->active_ms = c->opened_ms = clock_mono_ms();
    c->ops = &plain_ops;
    c->on_frame = cl->on_frame;
    c->min_frame_bytes = CONN_MIN_FRAME;
    c->max_frame_bytes = cl->max_frame_bytes;
    outq_init(&c->out);
    list_push_back(&cl->conns, &c->link);
    cl->count++;
    atomic_fetch_add(&cl->stats.opened, 1);
    atomic_fetch_add(&cl->stats.open, 1);
    if (cl->on_open) {
        c->processing = true;
        cl->on_open(c);
        c->processing = false;
    }
    if (c->closing) {
        destroy(c);
        return NULL;
    }
    if (!cl->sweep.loop) {
        loop_timer_init(&cl->sweep, cl->loop, sweep, cl);
        sweep(cl);
    }
    want_events(c, EV_READ);
    return c;
}

/* Gives a buffer back: the loop keeps the larger one for the next connection that reads. */
static void let_go_buffer(struct conn_loop *cl, struct rbuf *b)
{
    bool shared = atomic_load(&b->refs) > 1;
    if (shared || b->cap > SPARE_MAX || (cl->spare && cl->spare->cap >= b->cap)) {
        rbuf_unref(b);
        return;
    }
    rbuf_unref(cl->spare);
    b->n = 0;
    cl->spare = b;
}

static void destroy(struct conn *c)
{
    struct conn_loop *cl = c->cl;
    if (cl->on_closed)
        cl->on_closed(c);
    conn_set_ready(c, true);
    event_del(&c->ev); /* it may be active without being registered */
    c->ops->release(c);
    close(c->fd);
    outq_release(&c->out);
    if (c->pause)
        loop_timer_release(c->pause);
    mem_free(c->pause);
    mem_free(c->principal);
    if (c->in)
        let_go_buffer(cl, c->in);
    list_remove(&cl->conns, &c->link);
    cl->count--;
    atomic_fetch_sub(&cl->stats.open, 1);
    mem_free(c);
}

void conn_close(struct conn *c, const char *why)
{
    loop_assert(c->cl->loop);
    if (!c->closing && log_enabled(LOG_BROKER_CONN, LOG_L_DEBUG)) {
        char peer[CONN_PEER_TEXT];
        conn_peer_text(c, peer);
        LOG_DEBUG(LOG_BROKER_CONN, "connection closed: %s conn=%u peer=%s requests=%llu",
                  why ? why : "by the peer", c->id, peer, (unsigned long long)c->requests);
    }
    c->closing = true;
    if (!c->processing)
        destroy(c);
}

void conn_set_ready(struct conn *c, bool ready)
{
    struct conn_loop *cl = c->cl;
    if (ready == !c->unready)
        return;
    c->unready = !ready;
    if (ready) {
        list_remove(&cl->unready, &c->unready_link);
        return;
    }
    if (cl->unready.count >= CONN_UNREADY_MAX)
        conn_close(list_entry(list_first(&cl->unready), struct conn, unready_link),
                   "too many others are in their handshake");
    list_push_back(&cl->unready, &c->unready_link);
}

/* --- frames ----------------------------------------------------------------------------------- */

/* What is at the port may be no Kafka client at all. SPEC: broker 1.1 */
static const char *not_kafka(const uint8_t *p)
{
    static const struct {
        char start[5];
        const char *what;
    } known[] = {
        {"GET ", "this is an HTTP request; the web page has another port"},
        {"POST", "this is an HTTP request; Connect's REST has another port"},
        {"HEAD", "this is an HTTP request"},
        {"PUT ", "this is an HTTP request; Connect's REST has another port"},
        {"DELE", "this is an HTTP request; Connect's REST has another port"},
        {"OPTI", "this is an HTTP request"},
        {"PROX", "this is the PROXY protocol, which the listener does not expect"},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!memcmp(p, known[i].start, 4))
            return known[i].what;
    }
    if (p[0] == 0x16 && p[1] == 0x03)
        return "this is a TLS handshake, and the listener is PLAINTEXT; set "
               "security.protocol=PLAINTEXT in the client";
    return NULL;
}

enum frame_state { FRAME_NONE, FRAME_READY, FRAME_BAD };

/* Looks at the unconsumed bytes. *total: size of the frame with its length field, once known. */
static enum frame_state frame_at(struct conn *c, size_t *total)
{
    *total = 0;
    size_t have = c->in ? c->in->n - c->in_at : 0;
    if (have < 4)
        return FRAME_NONE;
    const uint8_t *p = (const uint8_t *)c->in->p + c->in_at;
    uint32_t size = load_be32(p);
    if (UNLIKELY(size > c->max_frame_bytes || size < c->min_frame_bytes)) {
        char peer[CONN_PEER_TEXT];
        conn_peer_text(c, peer);
        const char *what = not_kafka(p);
        if (what)
            LOG_WARN(LOG_BROKER_CONN,
                     "closing a connection that is not Kafka: %s peer=%s listener=%s", what, peer,
                     c->listener ? c->listener->name : "");
        else
            LOG_WARN(LOG_BROKER_CONN,
                     "closing: a request of %d bytes is outside 8..%zu "
                     "(socket.request.max.bytes) peer=%s",
                     (int)size, c->max_frame_bytes, peer);
        return FRAME_BAD;
    }
    *total = 4 + (size_t)size;
    return have >= *total ? FRAME_READY : FRAME_NONE;
}

static bool has_frame(struct conn *c)
{
    size_t total;
    return frame_at(c, &total) == FRAME_READY;
}

static bool output_is_full(const struct conn *c)
{
    return c->out.mem_bytes > OUT_LIMIT || c->out.bytes > OUT_LIMIT_ALL;
}

/* Executes frames that are complete. Returns true when it stopped only to let others have a turn.
 */
static bool execute(struct conn *c)
{
    for (int turn = 0; turn < FRAMES_A_TURN; turn++) {
        size_t total;
        if (c->busy || c->closing || output_is_full(c))
            return false;
        enum frame_state s = frame_at(c, &total);
        if (s == FRAME_BAD)
            c->closing = true;
        if (s != FRAME_READY)
            return false;
        struct rbuf *b = c->in;
        struct slice frame = slice_of(b->p + c->in_at + 4, total - 4);
        c->in_at += total;
        c->busy = true;
        c->requests++;
        switch (c->on_frame(c, b, frame)) {
        case CONN_DONE:
            c->busy = false;
            break;
        case CONN_PARKED:
            break;
        case CONN_CLOSE:
            c->busy = false;
            c->closing = true;
            break;
        }
    }
    return true;
}

static void flush(struct conn *c)
{
    size_t sent = 0;
    bool file_failed = false;
    if (c->out.count == 0)
        return;
    enum err r = c->ops->flush(c, &sent, &file_failed);
    if (sent) {
        c->active_ms = clock_mono_ms();
        atomic_fetch_add_explicit(&c->cl->stats.bytes_out, (int64_t)sent, memory_order_relaxed);
    }
    if (r == E_IO) {
        if (file_failed)
            LOG_ERROR(LOG_BROKER_CONN, "closing: a segment file could not be read in full conn=%u",
                      c->id);
        c->closing = true;
    }
}

/* Bytes that are consumed go; a buffer without others goes back. */
static void tidy_buffer(struct conn *c)
{
    struct rbuf *b = c->in;
    if (b && c->in_at == b->n) {
        let_go_buffer(c->cl, b);
        c->in = NULL;
        c->in_at = 0;
    }
}

/* Works off what is buffered, sends, and decides what to wait for. May free c. */
static void conn_process(struct conn *c)
{
    bool more;
    c->processing = true;
    do { /* again when only the output limit stopped it, and the socket took all of that */
        more = execute(c);
        flush(c);
    } while (!c->closing && !more && !c->busy && c->out.count == 0 && has_frame(c));
    c->processing = false;
    tidy_buffer(c);
    if (c->got_eof && !has_frame(c) && (c->busy || c->out.count == 0))
        c->closing = true; /* what a parked request was to be answered has nobody to go to */
    if (c->closing) {
        destroy(c);
        return;
    }
    /* Ahead of a request in execution one frame or READ_AHEAD bytes are enough. */
    size_t have = c->in ? c->in->n - c->in_at : 0;
    bool ready = has_frame(c);
    c->read_paused = c->got_eof || output_is_full(c) ||
                     ((c->busy || ready) && have >= READ_AHEAD) || (c->busy && ready);
    bool write = c->out.count || c->wants_write;
    want_events(c, (short)((c->read_paused ? 0 : EV_READ) | (write ? EV_WRITE : 0)));
    bool pending = c->pending && !c->read_paused; /* the socket will not tell */
    if (more || pending)
        event_active(&c->ev, pending ? EV_READ : EV_TIMEOUT, 0);
}

void conn_resume(struct conn *c, enum conn_result result)
{
    loop_assert(c->cl->loop);
    invariant(c->busy);
    c->busy = false;
    c->active_ms = clock_mono_ms();
    if (result == CONN_CLOSE)
        c->closing = true;
    if (!c->processing)
        conn_process(c);
}

static void pause_ends(void *arg)
{
    conn_resume(arg, CONN_DONE);
}

void conn_pause(struct conn *c, int64_t ms)
{
    loop_assert(c->cl->loop);
    if (!c->pause) {
        c->pause = xcalloc(1, sizeof *c->pause);
        loop_timer_init(c->pause, c->cl->loop, pause_ends, c);
    }
    loop_timer_set(c->pause, ms);
    c->busy = true;
    if (!c->processing)
        conn_process(c); /* sends the answer */
}

void conn_send_part(struct conn *c, const char *p, size_t n, void (*release)(void *), void *owner)
{
    outq_add_bytes(&c->out, p, n, release, owner);
}

void conn_send_take(struct conn *c, char *bytes, size_t n)
{
    outq_add_bytes(&c->out, bytes, n, mem_free, bytes);
}

void conn_send_file(struct conn *c, int fd, int64_t at, size_t n, void (*release)(void *),
                    void *owner)
{
    outq_add_file(&c->out, fd, at, n, release, owner);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Makes room to receive into c->in. E_NOMEM. */
static enum err make_room(struct conn *c)
{
    struct conn_loop *cl = c->cl;
    if (!c->in) {
        c->in = cl->spare;
        cl->spare = NULL;
        c->in_at = 0;
        if (!c->in)
            c->in = rbuf_new(READ_START);
        return c->in ? E_OK : E_NOMEM;
    }
    struct rbuf *b = c->in;
    size_t total, have = b->n - c->in_at;
    frame_at(c, &total);
    if (total <= have)
        total = have + 1; /* the size is not known yet, or the frame is there: anything helps */
    bool cramped = c->in_at && b->cap - b->n < READ_START / 8; /* many small receives */
    if (c->in_at + total <= b->cap && b->n < b->cap && !cramped)
        return E_OK;
    /* Only as much as has arrived before: a size field alone allocates nothing. */
    size_t cap = MAX(READ_START, MIN(total + READ_AHEAD / 4, have * 2));
    if (atomic_load(&b->refs) > 1) {
        struct rbuf *fresh = rbuf_new(cap);
        if (!fresh)
            return E_NOMEM;
        memcpy(fresh->p, b->p + c->in_at, have);
        fresh->n = have;
        rbuf_unref(b);
        c->in = fresh;
        c->in_at = 0;
        return E_OK;
    }
    if (c->in_at) {
        memmove(b->p, b->p + c->in_at, have);
        b->n = have;
        c->in_at = 0;
    }
    if (cap > b->cap)
        return rbuf_grow(&c->in, cap);
    return E_OK;
}

/* Receives once. Returns false when there is nothing more to read now. */
static bool receive(struct conn *c)
{
    if (make_room(c) != E_OK) {
        LOG_ERROR(LOG_BROKER_CONN, "closing: no memory for a request conn=%u", c->id);
        c->closing = true;
        return false;
    }
    struct rbuf *b = c->in;
    size_t room = b->cap - b->n;
    ssize_t n = c->ops->recv(c, b->p + b->n, room);
    if (n > 0) {
        b->n += (size_t)n;
        atomic_fetch_add_explicit(&c->cl->stats.bytes_in, n, memory_order_relaxed);
        return (size_t)n == room || c->ops->drain;
    }
    if (n == 0)
        c->got_eof = true;
    else if (errno == EINTR)
        return true;
    else if (errno != EAGAIN && errno != EWOULDBLOCK)
        c->closing = true;
    return false;
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct conn *c = arg;
    (void)fd;
    if ((what & EV_READ) || c->wants_write) {
        c->active_ms = clock_mono_ms();
        for (int turn = 0; turn < READS_A_TURN && !c->read_paused; turn++) {
            if (!receive(c) || c->closing || has_frame(c))
                break;
        }
        if (c->closing) {
            destroy(c);
            return;
        }
    }
    conn_process(c);
}
