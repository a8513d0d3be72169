/* broker/dispatch.h - from a frame to a handler and back: header, version check, decoding, reply.
 *
 *   conn -> dispatch_frame -> decode (arena of the request) -> api handler -> request_reply -> conn
 *
 * A handler answers at once or later. While a request waits, whoever holds it (the coordinator
 * loop, a pool thread, a fetch that waits for data) owns its arena, in and out; the connection's
 * loop does not touch them. It comes home by request_post_reply (any thread) or request_reply (its
 * loop). When the connection closes meanwhile, the request stays until it comes home and is dropped
 * there. SPEC: broker 1.2, 1.4, 10.1. */
#ifndef WEIR_BROKER_DISPATCH_H
#define WEIR_BROKER_DISPATCH_H

#include "base/arena.h"
#include "base/base.h"
#include "base/list.h"
#include "base/loop.h"
#include "base/rbuf.h"
#include "broker/conn.h"
#include "broker/fetch_session.h"
#include "broker/proto/codec.h"
#include "broker/proto/messages.h"
#include "broker/request_stats.h"

struct broker;
struct request;

/* One broker loop: its connections and requests. */
struct broker_loop {
    struct broker *broker;
    struct loop *loop;
    struct conn_loop conns;
    struct list live;  /* requests in execution */
    struct list spare; /* kept for reuse */
    struct request_stats stats;
    struct fetch_sessions fetch_sessions;
    int index;
};
void broker_loop_init(struct broker_loop *bl, struct broker *b, struct loop *loop, int index);
/* Requests that are still out are forgotten by their connections; call when nobody holds any. */
void broker_loop_release(struct broker_loop *bl);

struct request {
    struct link link;
    struct broker_loop *bl;
    struct broker *broker;
    struct conn *conn; /* NULL once the connection is gone; on the loop only */
    const struct msg_api *api;
    int16_t version;
    int32_t node_id; /* of the broker whose listener the client came in on */
    int32_t correlation_id;
    struct slice client_id; /* "" when the client has none */
    struct arena arena;
    struct rbuf *frame; /* holds what slices point into; NULL when it was copied */
    void *in;           /* decoded request */
    void *out;          /* response with its defaults, for the handler to fill */
    int64_t start_us;
    int64_t handled_us;           /* when the handler left it waiting; 0: it did not */
    bool failed;                  /* the answer's top level has an error */
    struct slice principal, host; /* of the client; only set while there is an authorizer */
    struct guard *guard;          /* api/guard.h; NULL: nothing to do with the answer */
    uint32_t busy_us;             /* time on its loop; only measured while there are quotas */
    uint32_t frame_bytes;         /* the same */
    int64_t pause_ms;             /* quotas: the connection waits after the answer */
    bool in_handler, finished;
    bool close_after; /* the connection ends with this request, answered or not */
    enum conn_result result;

    /* Set by a handler that waits on this loop and wants to hear of the connection's end. It must
     * let the request go with request_drop, now or later. */
    void (*on_gone)(struct request *rq);
    void *state; /* the handler's */

    /* Out-of-band fields of the response: how many at most, and who sends them. */
    size_t cuts_max;
    void (*send_cut)(struct request *rq, const struct codec_cut *cut);
};

/* conn_frame_fn and conn_closed_fn of the broker's connections (conn_loop.owner: struct
 * broker_loop). */
enum conn_result dispatch_frame(struct conn *c, struct rbuf *buf, struct slice frame);
void dispatch_opened(struct conn *c);
void dispatch_closed(struct conn *c);

/* Exactly one of these ends a request; on its loop. */
void request_reply(struct request *rq);                  /* encodes and queues rq->out */
void request_no_reply(struct request *rq);               /* done, without an answer (acks=0) */
void request_close(struct request *rq, const char *why); /* closes the connection */
void request_drop(struct request *rq);                   /* after on_gone */
/* The same from any thread. */
void request_post_reply(struct request *rq);
void request_post_close(struct request *rq);

/* An internal failure: answers with `code` in the error field that the response's top level has,
 * else closes. SPEC: broker 1.4.5 */
void request_fail(struct request *rq, int16_t code);
/* Text of the peer as group views print it: "/127.0.0.1". In the arena. On the loop. */
struct slice request_client_host(struct request *rq);

/* The broker whose listener the client came in on. */
int32_t request_node_id(const struct request *rq);
/* The address by which this client reaches broker node_id (SPEC: broker 11.1); "" and -1 when it
 * has none. On the loop. */
struct slice request_address_of(struct request *rq, int32_t node_id, int *port);

/* Per-API metrics of all handlers, at start. */
void dispatch_init_metrics(void);

#endif
