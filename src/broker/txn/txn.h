/* broker/txn/txn.h - the transaction of one transactional id: its states, and what each request makes
 * of them.
 *
 *             InitProducerId
 *   (unknown) -------------> EMPTY --- partitions, offsets ---> ONGOING
 *                              ^                                 |    |
 *               InitProducerId |                          commit |    | abort, timeout, fencing
 *                              |                                 v    v
 *                              |                   PREPARE_COMMIT     PREPARE_ABORT
 *                              |                          |                |
 *                              |        markers, offsets  v                v
 *                              +----------- COMPLETE_COMMIT           COMPLETE_ABORT
 *                                                \_____ partitions, offsets _____/--> ONGOING
 *
 * Here is judgement alone: facts and a request in, a code and the facts that follow out. Nothing is
 * stored, no clock read, nobody called; txn_coord.c does that, in the order store, then apply, then
 * answer. From the moment a Prepare state is stored the outcome is decided, whatever fails.
 *
 * Version 2 of the protocol (TV2, EndTxn 5) raises the epoch with every end, so that late batches
 * of an ended transaction can't slip into the next. Thread: any. SPEC: broker 7.3, 7.4. */
#ifndef WEIR_BROKER_TXN_TXN_H
#define WEIR_BROKER_TXN_TXN_H

#include "base/base.h"
#include "base/str.h"

enum txn_state { /* Kafka's numbers */
                 TXN_EMPTY = 0,
                 TXN_ONGOING = 1,
                 TXN_PREPARE_COMMIT = 2,
                 TXN_PREPARE_ABORT = 3,
                 TXN_COMPLETE_COMMIT = 4,
                 TXN_COMPLETE_ABORT = 5,
                 TXN_DEAD = 6,
                 TXN_PREPARE_EPOCH_FENCE = 7,
};
const char *txn_state_name(enum txn_state s); /* "PrepareCommit" */
/* False: no state has this name. Letters as given. */
bool txn_state_parse(struct slice name, enum txn_state *out);

/* What is known of a transactional id, but for its partitions, groups and offsets. Plain values. */
struct txn_facts {
    int64_t producer_id;
    int64_t prev_producer_id; /* before the last change of the id, -1 */
    int64_t next_producer_id; /* takes over when the transaction is complete, -1 */
    int16_t epoch;            /* that of the markers, in a Prepare state */
    int16_t last_epoch;       /* from which the last answered InitProducerId came, -1 */
    int32_t timeout_ms;
    enum txn_state state;
    int64_t start_ms;  /* wall clock; -1 unless a transaction is under way */
    int64_t update_ms; /* wall clock */
    /* What the markers of the last complete transaction said; id -1: there was none. */
    int64_t marker_producer_id;
    int16_t marker_epoch;
    bool marker_commit;
};
#define TXN_EPOCH_LAST 32766 /* the last that a producer gets; 32767 is for markers alone */

enum txn_step {
    TXN_STEP_ANSWER, /* nothing changes */
    TXN_STEP_STORE,  /* `next` is stored, then answered */
    TXN_STEP_FINISH, /* `next` is stored (a Prepare state), markers and offsets follow, then the
                        answer */
    TXN_STEP_FENCE,  /* as FINISH, then the request is judged again with fenced_from set */
    TXN_STEP_NEED_ID /* judge again with a new producer id */
};
struct txn_verdict {
    enum txn_step step;
    int16_t code; /* Kafka's; not KERR_NONE only with TXN_STEP_ANSWER */
    bool begins;  /* a new transaction: partitions and groups of the last one are forgotten */
    struct txn_facts next;
};

struct txn_init {
    int32_t timeout_ms;
    int64_t producer_id; /* -1 with epoch -1: none given */
    int16_t epoch;
    int64_t new_id;      /* -1 until TXN_STEP_NEED_ID asked for one */
    bool fenced;         /* this request has ended the open transaction */
    int16_t fenced_from; /* the epoch it came with, -1 none */
};
/* f NULL: the id is not known. Timeout and the form of pid/epoch were checked. Codes: 0, 51, 90. */
void txn_judge_init(const struct txn_facts *f, const struct txn_init *in, int64_t now_ms,
                    struct txn_verdict *out);
/* May this producer add to its transaction? STORE: `next` is Ongoing. Codes: 0, 49, 51, 90. */
void txn_judge_add(const struct txn_facts *f, int64_t producer_id, int16_t epoch, int64_t now_ms,
                   struct txn_verdict *out);
struct txn_end {
    int64_t producer_id;
    int16_t epoch;
    bool commit;
    bool v2;        /* EndTxn 5 and later */
    int64_t new_id; /* -1 until TXN_STEP_NEED_ID asked for one */
};
/* Codes: 0, 48, 49, 51, 90. */
void txn_judge_end(const struct txn_facts *f, const struct txn_end *in, int64_t now_ms,
                   struct txn_verdict *out);
/* FINISH when the transaction has run too long, else ANSWER. */
void txn_judge_time(const struct txn_facts *f, int64_t now_ms, struct txn_verdict *out);
/* From a Prepare state, when all markers and offsets are in place. */
struct txn_facts txn_completed(const struct txn_facts *f, int64_t now_ms);

static inline bool txn_is_prepared(const struct txn_facts *f)
{
    return f->state == TXN_PREPARE_COMMIT || f->state == TXN_PREPARE_ABORT;
}

#endif
