/* cdc/scan_counts.h - how many rows of which table snapshots have read, for metrics. Thread: any (its
 * own lock); the task sets figures once per batch, not per row. */
#ifndef WEIR_CDC_SCAN_COUNTS_H
#define WEIR_CDC_SCAN_COUNTS_H

#include <pthread.h>

#include "base/base.h"
#include "base/map.h"

struct scan_count;
struct scan_counts {
    pthread_mutex_t lock; /* guards all below */
    struct map by_id;
    struct scan_count **items; /* as they came */
    size_t count, cap;
};
void scan_counts_init(struct scan_counts *c);
void scan_counts_release(struct scan_counts *c);
void scan_counts_clear(struct scan_counts *c); /* a new snapshot */
void scan_counts_set(struct scan_counts *c, struct slice id, uint64_t rows);
typedef void (*scan_count_fn)(struct slice id, uint64_t rows, void *arg);
void scan_counts_each(struct scan_counts *c, scan_count_fn fn, void *arg); /* fn under the lock */

#endif
