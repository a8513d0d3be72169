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

struct conn_stats { /* counted on the loop, read by any thread */
    _Atomic int64_t bytes_in, bytes_out, opened, open;
};

/* What the connections of one loop share. */
struct conn_loop {
    struct loop *loop;
    struct list conns;
    size_t count;
    struct rbuf *spare; /* for the next connection that has something to read */
    struct loop_timer sweep;
    struct conn_stats stats;
    /* set by the owner before the first connection */
    void *owner;
    conn_frame_fn on_frame;
    conn_closed_fn on_closed;
    const struct listeners *listeners;
    int64_t max_idle_ms;             /* <= 0: no limit */
    size_t max_frame_bytes;          /* socket.request.max.bytes */
    int send_buffer, receive_buffer; /* SO_SNDBUF, SO_RCVBUF; <= 0: the system's */
    bool stopping;
};

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
    uint32_t id;
    struct rbuf *in; /* NULL when nothing is buffered */
    size_t in_at;    /* first byte not consumed */
    struct outq out;
    int64_t active_ms; /* monotonic */
    union sockaddr_any peer;
    uint64_t requests;
    char software[48]; /* "apache-kafka-java 3.9.0", from ApiVersions */
};

void conn_loop_init(struct conn_loop *cl, struct loop *loop);
/* Closes all connections (on_closed for each). On the loop. */
void conn_loop_stop(struct conn_loop *cl);
void conn_loop_release(struct conn_loop *cl); /* after the loop has ended, or on it */

/* Takes over an accepted socket. On the loop. */
struct conn *conn_open(struct conn_loop *cl, int fd, const struct listener *l,
                       const union sockaddr_any *peer);
/* Queue what a reply consists of; sent when the frames at hand are worked off. */
void conn_send_take(struct conn *c, char *bytes, size_t n); /* released with mem_free */
void conn_send_part(struct conn *c, const char *p, size_t n, void (*release)(void *), void *owner);
void conn_send_file(struct conn *c, int fd, int64_t at, size_t n, void (*release)(void *),
                    void *owner);
/* The parked request is finished. result: CONN_DONE or CONN_CLOSE. May free c. */
void conn_resume(struct conn *c, enum conn_result result);
/* Closes at once. why: for the log, NULL = the peer went away. May free c (not inside on_frame). */
void conn_close(struct conn *c, const char *why);

/* "127.0.0.1:51234" */
#define CONN_PEER_TEXT (INET6_ADDRSTRLEN + 8)
void conn_peer_text(const struct conn *c, char out[CONN_PEER_TEXT]);

#endif
