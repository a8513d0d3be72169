/* broker/txn/txn_markers.h - writes the end of a transaction into its partitions. Blocks on the disk: a
 * job for the pool. SPEC: broker 3.5, 7.3. */
#ifndef WEIR_BROKER_TXN_TXN_MARKERS_H
#define WEIR_BROKER_TXN_TXN_MARKERS_H

#include "base/arena.h"
#include "base/base.h"
#include "broker/partition.h"
#include "broker/txn/txn_store.h"

struct topics;

struct marker_job {
    struct arena arena; /* parts are in it */
    struct topics *topics;
    struct partition_marker marker;
    bool only_open; /* only where the producer's transaction is still open */
    struct txn_part *parts;
    size_t count;
    size_t left; /* parts[0 .. left) could not be written to and want another try */
    void *owner;
};
struct marker_job *marker_job_new(struct topics *t, const struct partition_marker *m);
void marker_job_add(struct marker_job *j, struct slice topic, int32_t partition); /* copies */
void marker_job_free(struct marker_job *j);
/* Writes to all parts; with durability=sync they are durable on return. A partition that is gone, or
 * where a newer epoch has written already, needs no marker any more. A loop_fn. */
void marker_job_run(void *job);

#endif
