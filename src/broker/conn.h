/* broker/conn.h - one client connection: socket, framing, ordered replies, back-pressure, idle
 * limit.
 *
 *   socket -> recv -> rbuf (frames, parsed in place) -> on_frame -> ... -> outq -> sendmsg/sendfile
 *
 * One request of a connection is in execution at a time; later bytes wait in the buffer (and beyond
 * a small limit in the kernel), so replies leave in request order by construction. libevent tells
 * readiness only. A connection stays on the loop it was handed to: everything here runs on that
 * loop. An idle connection owns neither a read buffer nor a ring. SPEC: broker 1.1, 1.4. */
#ifndef WEIR_BROKER_CONN_H
#define WEIR_BROKER_CONN_H

#include "base/base.h"

#include <event2/event_struct.h>

#include "base/err.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/rbuf.h"
#include "base/str.h"
#include "broker/listener.h"
#include "broker/outq.h"

struct conn;
enum conn_result {
    CONN_DONE,   /* answered (or needs no answer): go on with the next frame */
    CONN_PARKED, /* conn_resume will be called */
    CONN_CLOSE,  /* close without an answer */
};
/* frame: the bytes after the size, inside buf; keep them with rbuf_ref. */
typedef enum conn_result (*conn_frame_fn)(struct conn *c, struct rbuf *buf, struct slice frame);
typedef void (*conn_closed_fn)(struct conn *c); /* user state is to be let go; c is freed next */

/* How bytes get from and to the socket. The plain one is conn.c's own; tls.h has another. On the loop
 * of the connection. */
struct conn_ops {
    /* As recv(2) that does not wait. Sets c->pending when it holds more than it gave, and
     * c->wants_write when it can go on only once the socket takes bytes. */
    ssize_t (*recv)(struct conn *c, void *p, size_t n);
    enum err (*flush)(struct conn *c, size_t *sent, bool *file_failed); /* as outq_flush */
    void (*release)(struct conn *c);
    bool drain; /* recv is called until it has nothing: a short count does not say so */
};

struct conn_stats { /* counted on the loop, read by any thread */
    _Atomic int64_t bytes_in, bytes_out, opened, open;
};

/* What the connections of one loop share. */
struct conn_loop {
    struct loop *loop;
    struct list conns;
    size_t count;
    struct list unready; /* oldest first; see conn_set_ready */
    struct rbuf *spare;  /* for the next connection that has something to read */
    struct loop_timer sweep;
    struct conn_stats stats;
    /* set by the owner before the first connection */
    void *owner;
    conn_frame_fn on_frame;
    void (*on_open)(
        struct conn *c); /* NULL: none. May set ops, on_frame, frame sizes; may close it */
    conn_closed_fn on_closed;
    const struct listeners *listeners;
    int64_t max_idle_ms;             /* <= 0: no limit */
    size_t max_frame_bytes;          /* socket.request.max.bytes */
    int send_buffer, receive_buffer; /* SO_SNDBUF, SO_RCVBUF; <= 0: the system's */
    bool stopping;
};

#define CONN_MIN_FRAME 8 /* the shortest request header */

struct conn {
    struct link link;
    struct conn_loop *cl;
    const struct listener *listener;
    void *user; /* dispatch: the request in execution, or NULL */
    struct event ev;
    int fd;
    short events; /* what ev is registered for */
    bool busy;    /* a request is in execution */
    bool processing, closing, got_eof, read_paused;
    bool pending, wants_write; /* set by ops */
    bool unready;
    uint32_t id;
    struct rbuf *in; /* NULL when nothing is buffered */
    size_t in_at;    /* first byte not consumed */
    struct outq out;
    const struct conn_ops *ops;
    void *transport; /* of ops */
    conn_frame_fn on_frame;
    size_t min_frame_bytes, max_frame_bytes;
    int64_t active_ms; /* monotonic */
    int64_t opened_ms; /* the same */
    struct link unready_link;
    struct loop_timer *pause; /* made when first needed */
    struct sasl_conn *sasl;   /* its listener asks for SASL */
    char *principal;          /* "User:alice"; NULL: nobody has said who */
    union sockaddr_any peer;
    uint64_t requests;
    bool works;        /* has sent what only a client sends that reaches its broker (diagnosis.h) */
    char software[48]; /* "apache-kafka-java 3.9.0", from ApiVersions */
};

void conn_loop_init(struct conn_loop *cl, struct loop *loop);
/* Closes all connections (on_closed for each). On the loop. */
void conn_loop_stop(struct conn_loop *cl);
/* Closes the connections that came in on listeners of this broker. On the loop. */
void conn_loop_close_node(struct conn_loop *cl, int32_t node_id);
void conn_loop_release(struct conn_loop *cl); /* after the loop has ended, or on it */

/* Takes over an accepted socket. On the loop. */
/* NULL: it was closed at once. */
struct conn *conn_open(struct conn_loop *cl, int fd, const struct listener *l,
                       const union sockaddr_any *peer);
/* Queue what a reply consists of; sent when the frames at hand are worked off. */
void conn_send_take(struct conn *c, char *bytes, size_t n); /* released with mem_free */
void conn_send_part(struct conn *c, const char *p, size_t n, void (*release)(void *), void *owner);
void conn_send_file(struct conn *c, int fd, int64_t at, size_t n, void (*release)(void *),
                    void *owner);
/* A connection that has yet to prove something (TLS handshake, SASL) is kept apart: it is closed
 * when it takes longer than CONN_READY_MS, and the oldest go when there are more than
 * CONN_UNREADY_MAX of them on a loop. */
#define CONN_READY_MS 30000
#define CONN_UNREADY_MAX 512
void conn_set_ready(struct conn *c, bool ready);
/* The request is finished and answered, but the next one waits (quotas). May free c. */
void conn_pause(struct conn *c, int64_t ms);
/* The parked request is finished. result: CONN_DONE or CONN_CLOSE. May free c. */
void conn_resume(struct conn *c, enum conn_result result);
/* Closes at once. why: for the log, NULL = the peer went away. May free c (not inside on_frame). */
void conn_close(struct conn *c, const char *why);

/* "127.0.0.1:51234" */
#define CONN_PEER_TEXT (INET6_ADDRSTRLEN + 8)
void conn_peer_text(const struct conn *c, char out[CONN_PEER_TEXT]);

#endif
