/* broker/producer_state.h - what a partition remembers of idempotent producers: epoch and the last
 * five batches of each producer id, so that a repeated batch is recognised and a gap refused. SPEC:
 * broker 7.2.
 *
 * Lock: the partition's. Kept across restarts by snapshots and by scanning what was appended after
 * the newest one. */
#ifndef WEIR_BROKER_PRODUCER_STATE_H
#define WEIR_BROKER_PRODUCER_STATE_H

#include "base/err.h"
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
    struct producer_batch batches[PRODUCER_BATCHES];
};
struct producer_state {
    struct map by_id; /* struct producer, owned */
};

void producer_state_init(struct producer_state *s);
void producer_state_release(struct producer_state *s);
void producer_state_clear(struct producer_state *s);
const struct producer *producer_state_get(const struct producer_state *s,
                                          int64_t id); /* NULL: not known */

/* Judges a batch that a producer wants to append (batch: its 61 header bytes). KERR_NONE: append;
 * KERR_NONE with *duplicate set: it is there already; else the code to answer. */
int16_t producer_state_check(const struct producer_state *s, const void *batch,
                             const struct producer_batch **duplicate);
/* Makes room to note a batch of this producer, before it is written. E_NOMEM. */
enum err producer_state_reserve(struct producer_state *s, const void *batch) MUST_CHECK;
/* Notes an appended batch (offsets in its header are final) after a reserve for it. Batches without
 * a producer are ignored. */
void producer_state_note_reserved(struct producer_state *s, const void *batch);
/* Both. E_NOMEM. */
enum err producer_state_note(struct producer_state *s, const void *batch) MUST_CHECK;
/* False for one that was only reserved: its batch was never written. */
static inline bool producer_is_known(const struct producer *p)
{
    return p->epoch >= 0;
}
/* Forgets producers that wrote nothing since `before_ms` and have no open transaction. */
void producer_state_expire(struct producer_state *s, int64_t before_ms);
/* First offset of the earliest open transaction, or -1. */
int64_t producer_state_first_open(const struct producer_state *s);

/* Kafka's snapshot file (version 1) with a section of weir's own behind it. Decode replaces what is
 * there; E_CORRUPT, E_NOMEM: nothing is known then. */
enum err producer_state_encode(const struct producer_state *s, struct strbuf *out) MUST_CHECK;
enum err producer_state_decode(struct producer_state *s, struct slice bytes) MUST_CHECK;

#endif
