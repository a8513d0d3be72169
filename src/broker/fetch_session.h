/* broker/fetch_session.h - incremental fetches: what a client fetches, remembered between requests.
 *
 *   full request (epoch 0) -> fetch_session_create, when it is answered    -> id, epoch 1
 *   incremental (epoch n)  -> fetch_session_continue: what to read now     -> epoch n + 1
 *                          -> fetch_session_settle, when it is answered: what the client must hear
 *   full request with an id -> fetch_session_close
 *
 * Sessions belong to the broker loop on which they were made and are touched there only: no lock. A
 * client that comes back over a connection of another loop hears that its session is not known and
 * sends a full request. Fetches without a session never come here. SPEC: broker 6.2. */
#ifndef WEIR_BROKER_FETCH_SESSION_H
#define WEIR_BROKER_FETCH_SESSION_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/list.h"
#include "base/map.h"
#include "broker/proto/messages.h"

#define FETCH_SESSION_IDLE_MS 120000   /* unused for so long: may be replaced */
#define FETCH_SESSION_PARTS_MAX 100000 /* partitions of one session */
#define FETCH_SESSION_EPOCH_NONE (-1)  /* "no session" */
#define FETCH_SESSION_EPOCH_INITIAL 0  /* "make one" */

struct fetch_session;
struct fetch_sessions {
    struct map by_id;     /* u64 id -> struct fetch_session */
    struct list by_use;   /* least recently used first */
    size_t slots;         /* most sessions */
    _Atomic int64_t open; /* by_id.count, for any thread */
};
void fetch_sessions_init(struct fetch_sessions *s, size_t slots);
void fetch_sessions_release(struct fetch_sessions *s);

/* One partition to be read. The topic goes by its name or, from version 13 on, by its id. */
struct fetch_want {
    struct slice topic;
    struct uuid topic_id;
    const struct fetch_request_partition *in;
};

/* Forgets the session; an id that is not known (or 0) is nothing. */
void fetch_session_close(struct fetch_sessions *s, int32_t id);

/* An incremental request: checks its epoch, takes what it changes. KERR_NONE and all partitions of
 * the session in *out, copied into the arena, in the order to be read; *ended: nothing is left, and
 * with it the session. FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
 * FETCH_SESSION_TOPIC_ID_ERROR. now: monotonic ms. */
int16_t fetch_session_continue(struct fetch_sessions *s, const struct fetch_request *in, bool by_id,
                               int64_t now, struct arena *a, struct fetch_want **out,
                               int32_t *count, bool *ended) MUST_CHECK;

/* What became of one partition of a request that went on with session `id`; called for each, in
 * order. True when the answer must hold it: it has records or an error, or its offsets have
 * changed. Those with records go to the end of the order, so that they can't starve the rest. A
 * session that has gone meanwhile answers true. */
bool fetch_session_settle(struct fetch_sessions *s, int32_t id, const struct fetch_want *want,
                          bool by_id, const struct fetch_response_partition *out);

/* A new session that holds these partitions, answered as outs[i] tells. Returns its id, or 0: there
 * is no room. */
int32_t fetch_session_create(struct fetch_sessions *s, const struct fetch_want *wants,
                             const struct fetch_response_partition *outs, int32_t count, bool by_id,
                             int64_t now);

#endif
