/* broker/log/compact_txn.h - for compaction: which batches belong to aborted transactions, and
 * which markers have no data left. Batches are shown in the order of the log. SPEC: broker 4.4. */
#ifndef WEIR_BROKER_LOG_COMPACT_TXN_H
#define WEIR_BROKER_LOG_COMPACT_TXN_H

#include "base/map.h"
#include "broker/log/txn_index.h"

struct compact_txn {
    const struct txn_aborted *aborted; /* by first offset */
    size_t count, next;                /* from `next` on: begin behind what was seen */
    struct map open_aborted;           /* producer id -> struct open_aborted */
    struct map open_committed;         /* producer ids with data whose marker is to come */
};
void compact_txn_init(struct compact_txn *t, const struct txn_aborted *aborted, size_t count);
void compact_txn_release(struct compact_txn *t);
/* A batch of records: true when its transaction was aborted. */
bool compact_txn_data(struct compact_txn *t, const void *batch);
/* A whole control batch: *idle when no data of its transaction was seen. An abort marker that has
 * data still goes into `index` (NULL: nowhere). E_CORRUPT, E_NOMEM. */
enum err compact_txn_marker(struct compact_txn *t, struct slice batch, struct txn_index *index,
                            bool *idle) MUST_CHECK;

#endif
