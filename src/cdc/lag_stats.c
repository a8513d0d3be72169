/* cdc/lag_stats.c - see lag_stats.h. */
#include "cdc/lag_stats.h"

#include <math.h>
#include <stdatomic.h>

enum { PART_BITS = 4 }; /* LAG_PARTS is 2^PART_BITS */

static size_t bucket_of(uint64_t ms)
{
    if (ms < 2 * LAG_PARTS)
        return (size_t)ms;
    int top = 63 - __builtin_clzll(ms);
    size_t i = (size_t)(top - PART_BITS) * LAG_PARTS + (size_t)(ms >> (top - PART_BITS));
    return MIN(i, (size_t)LAG_BUCKETS - 1);
}

/* The middle of the bucket's values. */
static double value_of(size_t bucket)
{
    if (bucket < 2 * LAG_PARTS)
        return (double)bucket;
    int shift = (int)(bucket / LAG_PARTS) - 1;
    double first = ldexp((double)(bucket % LAG_PARTS + LAG_PARTS), shift);
    return first + (ldexp(1, shift) - 1) / 2;
}

/* One thread writes, so that load and store do what an addition would. */
static void add_u64(_Atomic uint64_t *v, uint64_t n)
{
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static int64_t load(const _Atomic int64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void set(_Atomic int64_t *v, int64_t ms)
{
    atomic_store_explicit(v, ms, memory_order_relaxed);
}

static void sample(struct lag_stats *l, int64_t ms, uint64_t events, bool first)
{
    if (first || ms < load(&l->min))
        set(&l->min, ms);
    if (first || ms > load(&l->max))
        set(&l->max, ms);
    set(&l->sum, load(&l->sum) + ms * (int64_t)events);
    add_u64(&l->buckets[bucket_of((uint64_t)ms)], events);
}

void lag_stats_batch(struct lag_stats *l, int64_t now_ms)
{
    uint64_t events = l->events;
    if (!events)
        return;
    l->events = 0;
    /* Clocks of two machines differ: no change comes from the future. */
    int64_t oldest = MAX(now_ms - l->oldest_ms, (int64_t)0);
    int64_t newest = MAX(now_ms - l->newest_ms, (int64_t)0);
    bool first = atomic_load_explicit(&l->count, memory_order_relaxed) == 0;
    sample(l, oldest, events / 2, first);
    sample(l, newest, events - events / 2, false);
    set(&l->last, newest);
    add_u64(&l->count, events);
}

void lag_stats_read(const struct lag_stats *l, struct lag_figures *out)
{
    uint64_t counts[LAG_BUCKETS], all = 0, seen = 0;
    const struct {
        double share, *out;
    } wanted[] = {{.50, &out->p50}, {.95, &out->p95}, {.99, &out->p99}};
    size_t next = 0;
    *out = (struct lag_figures){NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (!atomic_load_explicit(&l->count, memory_order_relaxed))
        return;
    for (size_t i = 0; i < LAG_BUCKETS; i++) {
        counts[i] = atomic_load_explicit(&l->buckets[i], memory_order_relaxed);
        all += counts[i];
    }
    if (!all)
        return;
    out->last = (double)load(&l->last);
    out->min = (double)load(&l->min);
    out->max = (double)load(&l->max);
    out->average = floor((double)load(&l->sum) / (double)all);
    for (size_t i = 0; i < LAG_BUCKETS && next < ARRAY_LEN(wanted); i++) {
        seen += counts[i];
        while (next < ARRAY_LEN(wanted) && seen &&
               (double)seen >= wanted[next].share * (double)all) {
            double v = value_of(i);
            *wanted[next++].out = v < out->min ? out->min : v > out->max ? out->max : v;
        }
    }
}
