/* cdc/lag_stats.h - how far a stream was behind its source, since the start of the task: last,
 * least, most and mean value, and percentiles out of a histogram of fixed size. SPEC: cdc-mongodb 9
 *
 * Events are noted one by one in two plain fields; a batch of them becomes two samples, one for its
 * oldest and one for its newest event, each standing for half of the batch. Nothing is allocated or
 * locked. Buckets: each power of two in 16 parts, so that a percentile is wrong by 3% at most.
 * Thread: the task's notes; any thread reads (relaxed atomics: figures of one moment may belong to
 * two batches). */
#ifndef WEIR_CDC_LAG_STATS_H
#define WEIR_CDC_LAG_STATS_H

#include "base/base.h"

/* 0 to 31 ms one bucket each, then 16 for each power of two up to 2^42 ms, which is 139 years. */
enum { LAG_PARTS = 16, LAG_BUCKETS = 2 * LAG_PARTS + 37 * LAG_PARTS };
struct lag_stats {
    /* Of the batch at hand; the task's alone. */
    uint64_t events;
    int64_t oldest_ms, newest_ms; /* times of changes, wall clock */
    /* In milliseconds; valid once count is above 0. */
    _Atomic uint64_t count; /* events */
    _Atomic int64_t last, min, max, sum;
    _Atomic uint64_t buckets[LAG_BUCKETS];
};
/* A change of this time has been read; changes come in their order. */
static inline void lag_stats_note(struct lag_stats *l, int64_t source_ms)
{
    if (!l->events++)
        l->oldest_ms = source_ms;
    l->newest_ms = source_ms;
}
/* The batch is over: what was noted is told at this moment. Nothing when nothing was noted. */
void lag_stats_batch(struct lag_stats *l, int64_t now_ms);
/* What metrics show. Values are NaN before the first batch. */
struct lag_figures {
    double last, min, max, average, p50, p95, p99;
};
void lag_stats_read(const struct lag_stats *l, struct lag_figures *out);

#endif
