/* broker/log/compact_batch.h - what compaction leaves of one record batch. SPEC: broker 4.4.
 *
 * Records go, offsets stay: base offset, last offset delta, producer and sequence never change.
 * Records that stay are the same bytes (in the same codec), but that a batch with tombstones, or a
 * marker without data, gets a delete horizon: attribute bit 6, the base timestamp holds the time
 * after which they may go, and the timestamp deltas are counted from there. Thread: any. */
#ifndef WEIR_BROKER_LOG_COMPACT_BATCH_H
#define WEIR_BROKER_LOG_COMPACT_BATCH_H

#include "broker/log/keymap.h"
#include "broker/proto/batch.h"

struct compact_rules {
    const struct keymap *map; /* of all keys in [first dirty, map_end) */
    int64_t map_end;          /* records from this offset on are not touched */
    int64_t now_ms, delete_retention_ms;
    size_t max_plain; /* ceiling for decompression; 0 = 256 MiB */
};

enum compact_empty {                   /* what of a batch in which no record stays */
                     COMPACT_DROP,     /* nothing */
                     COMPACT_PRODUCER, /* its header: the last sequence of an active producer */
                     COMPACT_HEADER,   /* a header of nobody: the last offset of the segment */
};
struct compact_how {
    bool aborted; /* no record stays */
    bool idle;    /* a marker whose transaction has no data left */
    enum compact_empty empty;
};
struct compact_done {
    int64_t read, kept; /* records */
    bool changed;
    int64_t horizon; /* the earliest in what was written; INT64_MAX: none */
};

/* Appends what stays of one whole batch (batch_check was E_OK) to out, and counts it into *done. A
 * batch that is too large to decompress stays as it is. E_CORRUPT, E_NOMEM: out is as before. */
enum err compact_batch(struct slice batch, const struct compact_rules *r,
                       const struct compact_how *how, struct strbuf *out,
                       struct compact_done *done) MUST_CHECK;
/* The time after which tombstones of this batch go; -1: not set. */
static inline int64_t compact_horizon(const void *batch)
{
    return batch_attributes(batch) & BATCH_DELETE_HORIZON ? batch_base_timestamp(batch) : -1;
}

#endif
