/* broker/request_stats.c - see request_stats.h. */
#include "broker/request_stats.h"

#include "base/base.h"
#include "base/mem.h"

#define WINDOW_US (60 * INT64_C(1000000))

void request_stats_init(struct request_stats *s, int apis)
{
    s->count = apis;
    s->apis = xcalloc((size_t)apis, sizeof *s->apis);
}

void request_stats_release(struct request_stats *s)
{
    for (int i = 0; i < s->count; i++)
        mem_free(atomic_load(&s->apis[i]));
    mem_free(s->apis);
    *s = (struct request_stats){0};
}

/* 0: up to 1 us; then four buckets an octave. */
int latency_bucket(int64_t us)
{
    if (us < 2)
        return 0;
    int octave = 63 - __builtin_clzll((unsigned long long)us);
    int part = octave >= 2 ? (int)(us >> (octave - 2) & 3) : (int)(us << (2 - octave) & 3);
    return MIN(octave * 4 + part, LATENCY_BUCKETS - 1);
}

/* Upper end of a bucket in microseconds. */
static double bucket_end(int bucket)
{
    if (bucket == 0)
        return 1;
    double octave = (double)(INT64_C(1) << (bucket / 4));
    return octave * (1 + (bucket % 4 + 1) / 4.0);
}

static void observe(struct latency_window w[2], int64_t minute, int64_t us)
{
    struct latency_window *now = &w[minute & 1];
    if (atomic_load_explicit(&now->minute, memory_order_relaxed) != minute) {
        for (int i = 0; i < LATENCY_BUCKETS; i++)
            atomic_store_explicit(&now->n[i], 0, memory_order_relaxed);
        atomic_store_explicit(&now->minute, minute, memory_order_relaxed);
    }
    _Atomic uint32_t *n = &now->n[latency_bucket(us)]; /* one writer: no atomic addition needed */
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

static void grow(_Atomic int64_t *v, int64_t n)
{
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

void request_stats_note(struct request_stats *s, int api, int version, bool error, int64_t now_us,
                        int64_t total_us, int64_t local_us)
{
    if (api < 0 || api >= s->count)
        return;
    struct request_api_stats *a = atomic_load_explicit(&s->apis[api], memory_order_relaxed);
    if (UNLIKELY(!a)) {
        a = xcalloc(1, sizeof *a);
        atomic_store_explicit(&s->apis[api], a, memory_order_release);
    }
    int64_t minute = now_us / WINDOW_US + 1; /* 0: never filled */
    grow(&a->count, 1);
    grow(&a->total_us, total_us);
    grow(&a->errors, error);
    grow(&a->versions[MAX(MIN(version, REQUEST_VERSIONS - 1), 0)], 1);
    observe(a->windows[REQUEST_TOTAL], minute, total_us);
    observe(a->windows[REQUEST_LOCAL], minute, local_us);
    observe(a->windows[REQUEST_REMOTE], minute, total_us - local_us);
}

void latency_add(struct latency *l, const struct request_stats *s, int api, enum request_time what,
                 int64_t now_us)
{
    const struct request_api_stats *a = atomic_load_explicit(&s->apis[api], memory_order_acquire);
    int64_t minute = now_us / WINDOW_US + 1;
    for (int w = 0; a && w < 2; w++) {
        const struct latency_window *win = &a->windows[what][w];
        if (atomic_load_explicit(&win->minute, memory_order_relaxed) < minute - 1)
            continue;
        for (int i = 0; i < LATENCY_BUCKETS; i++) {
            uint32_t n = atomic_load_explicit(&win->n[i], memory_order_relaxed);
            l->n[i] += n;
            l->count += n;
        }
    }
}

double latency_quantile(const struct latency *l, double q)
{
    uint64_t seen = 0;
    double want = q * (double)l->count;
    if (l->count == 0)
        return 0;
    for (int i = 0; i < LATENCY_BUCKETS; i++) {
        seen += l->n[i];
        if (l->n[i] && (double)seen >= want)
            return bucket_end(i) / 1000;
    }
    return bucket_end(LATENCY_BUCKETS - 1) / 1000;
}
