/* broker/producer_state.h - what a partition remembers of idempotent producers: epoch and the last
 * five batches of each producer id, so that a repeated batch is recognised and a gap refused; and
 * the transactions that are open, at most one per producer id. SPEC: broker 7.2, 7.3.
 *
 * Lock: the partition's. Kept across restarts by snapshots and by scanning what was appended after
 * the newest one. */
#ifndef WEIR_BROKER_PRODUCER_STATE_H
#define WEIR_BROKER_PRODUCER_STATE_H

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"

#define PRODUCER_BATCHES 5 /* the clients' limit of requests in flight */

struct producer_batch {
    int32_t first_sequence, last_sequence;
    int64_t first_offset, last_offset;
    int64_t timestamp;
};
struct producer {
    int64_t id;
    int16_t epoch;
    uint8_t count; /* of batches; the newest is batches[count - 1] */
    int32_t coordinator_epoch;
    int64_t last_ms;          /* newest timestamp, for expiry */
    int64_t txn_first_offset; /* open transaction, or -1 */
    struct link open;         /* in producer_state.open while there is one */
    uint64_t guard;           /* a transaction may begin with it; 0: none given out */
    int64_t guard_ms;
    struct producer_batch batches[PRODUCER_BATCHES];
};
struct producer_state {
    struct map by_id; /* struct producer, owned */
    struct list open; /* those with an open transaction, by its first offset */
    uint64_t guards;  /* given out */
};

void producer_state_init(struct producer_state *s);
void producer_state_release(struct producer_state *s);
void producer_state_clear(struct producer_state *s);
const struct producer *producer_state_get(const struct producer_state *s,
                                          int64_t id); /* NULL: not known */

/* Judges a batch that a producer wants to append (batch: its 61 header bytes). KERR_NONE: append;
 * KERR_NONE with *duplicate set: it is there already; else the code to answer. A transactional
 * batch that would begin a transaction needs the guard (see below; else 0). */
int16_t producer_state_check(const struct producer_state *s, const void *batch, uint64_t guard,
                             const struct producer_batch **duplicate);
/* Release-build assertion: the batch goes on where its producer stopped. */
bool producer_state_follows(const struct producer_state *s, const void *batch);

/* Guards: between the coordinator's word that the partition is in the transaction and the first
 * batch, the transaction may end; that batch would then open one that nobody closes. So the guard is
 * taken before the coordinator is asked; a marker makes it void. E_NOMEM. */
enum err producer_state_guard(struct producer_state *s, const void *batch, int64_t now_ms,
                              uint64_t *guard) MUST_CHECK;
/* Is a transaction of this batch's producer open? */
bool producer_state_has_open(const struct producer_state *s, const void *batch);
/* Makes room to note a batch of this producer, before it is written. E_NOMEM. */
enum err producer_state_reserve(struct producer_state *s, const void *batch) MUST_CHECK;
/* Notes an appended batch (offsets in its header are final) after a reserve for it. Batches without
 * a producer and markers are ignored. */
void producer_state_note_reserved(struct producer_state *s, const void *batch);
/* Both. E_NOMEM. */
enum err producer_state_note(struct producer_state *s, const void *batch) MUST_CHECK;
/* Notes an appended marker, after a reserve for it: the transaction is over. */
void producer_state_end_txn(struct producer_state *s, const void *marker,
                            int32_t coordinator_epoch);
/* False for one that was only reserved: its batch was never written. */
static inline bool producer_is_known(const struct producer *p)
{
    return p->epoch >= 0;
}
/* Forgets producers that wrote nothing since `before_ms` and have no open transaction. */
void producer_state_expire(struct producer_state *s, int64_t before_ms);
/* First offset of the latest open transaction, or -1. */
int64_t producer_state_last_open(const struct producer_state *s);
/* First offset of the earliest open transaction; of the earliest but this producer's; -1: none. */
int64_t producer_state_first_open(const struct producer_state *s);
int64_t producer_state_first_open_without(const struct producer_state *s, int64_t id);

/* Kafka's snapshot file (version 1) with a section of weir's own behind it. Decode replaces what is
 * there; E_CORRUPT, E_NOMEM: nothing is known then. */
enum err producer_state_encode(const struct producer_state *s, struct strbuf *out) MUST_CHECK;
enum err producer_state_decode(struct producer_state *s, struct slice bytes) MUST_CHECK;

#endif
