/* broker/txn/txn_coord.h - the transaction coordinator: all transactional ids, on the loop of the group
 * coordinator.
 *
 *   txn_submit -> (queue of the id) -> txn_judge_* -> stored (db) -> memory -> answer
 *                       Prepare state stored -> markers (pool) -> Complete + offsets stored -> answer
 *
 * Requests for one id are carried out one after the other: who comes while a transaction is being
 * ended waits for it, so that no client sees CONCURRENT_TRANSACTIONS in normal work. Markers that
 * cannot be written are tried again until they can; meanwhile that code is the answer.
 *
 * Owner: the coordinator loop (coord.h). Thread of each call: as it says. SPEC: broker 7.3, 7.4. */
#ifndef WEIR_BROKER_TXN_TXN_COORD_H
#define WEIR_BROKER_TXN_TXN_COORD_H

#include "base/arena.h"
#include "base/base.h"
#include "base/db.h"
#include "base/err.h"
#include "base/list.h"
#include "base/pool.h"
#include "broker/admin.h"
#include "broker/txn/txn_store.h"

struct coord;
struct producer_ids;
struct topics;
struct txn_coord;
struct txn_entry;
struct txn_call;

struct txn_coord_options {
    int32_t max_timeout_ms;
    int32_t offset_metadata_max_bytes;
    int64_t sweep_ms;                   /* looks for transactions that run too long */
    int64_t expire_ms, expire_check_ms; /* forgets ids that were not used for so long */
    bool check_markers; /* the last stop was not orderly: markers may have been lost */
};
struct txn_coord_parts { /* all outlive it */
    struct coord *coord;
    struct db *db;
    struct pool *pool;
    struct topics *topics;
    struct producer_ids *ids;
};
/* Loads all ids and finishes what a crash interrupted (in the background). Thread: main. */
enum err txn_coord_start(struct txn_coord **out, const struct txn_coord_options *o,
                         const struct txn_coord_parts *parts, struct error *e) MUST_CHECK;
/* Refuses what still comes (error 15) and waits until nothing is under way. Thread: main. */
void txn_coord_quiesce(struct txn_coord *tc);
/* Before coord_stop. NULL allowed. Thread: main. */
void txn_coord_stop(struct txn_coord *tc);

typedef void (*txn_view_fn)(struct txn_coord *tc, struct txn_call *call);

/* One request. in and out are its messages, or what the call says; they live until done. */
struct txn_op;
struct txn_call {
    int16_t version;
    struct slice id; /* transactional id */
    struct arena *arena;
    const void *in;
    void *out;
    void (*done)(struct txn_call *call); /* on the coordinator loop, exactly once */
    void *arg;                           /* the caller's */

    /* the coordinator's */
    struct link link;
    struct txn_coord *tc;
    const struct txn_op *op;
    txn_view_fn view;
    int64_t new_id;
    bool fenced;
    int16_t fenced_from;
};
/* Thread: any. */
void txn_submit(struct txn_coord *tc, const struct txn_op *op, struct txn_call *call);

/* Messages of the same name. */
extern const struct txn_op txn_op_init_producer_id, txn_op_add_partitions, txn_op_add_offsets,
    txn_op_offset_commit, txn_op_end;
/* in: struct txn_admit, out: int16_t per part: may this producer write there? KERR_NONE,
 * TRANSACTION_ABORTABLE (not in the transaction), and the codes of txn_judge_add,
 * COORDINATOR_NOT_AVAILABLE. */
struct txn_admit {
    int64_t producer_id;
    int16_t epoch;
    bool add; /* Produce 12: partitions join the transaction by being written to */
    struct txn_part *parts;
    size_t count;
};
extern const struct txn_op txn_op_admit;

/* Views, messages of the same name; call->id is not used. Thread: any. */
void txn_submit_view(struct txn_coord *tc, txn_view_fn fn, struct txn_call *call);
void txn_view_describe(struct txn_coord *tc, struct txn_call *call);
void txn_view_list(struct txn_coord *tc, struct txn_call *call);

/* A topic is gone: it leaves every transaction. Thread: any; does not wait. */
void txn_topic_deleted(struct txn_coord *tc, struct slice topic);

struct txn_coord_stats {
    int64_t ids, open;                     /* transactional ids known; transactions under way */
    int64_t committed, aborted, timed_out; /* since start */
};
void txn_coord_stats(struct txn_coord *tc, struct txn_coord_stats *out); /* Thread: any */
/* For admin.c: all ids, sorted. On the coordinator loop (loop_call). */
void txn_coord_list(struct txn_coord *tc, struct arena *a, struct broker_transaction **out,
                    size_t *count);

#endif
