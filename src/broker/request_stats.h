/* broker/request_stats.h - how many requests of each API and version a broker loop has answered,
 * and how long they took: histograms of the last one to two minutes, from which /metrics reads
 * quantiles.
 *
 * A histogram has four buckets an octave of microseconds (an error of a quantile below 19 %), in
 * two windows of a minute: the older one is emptied when it is to be filled again. One per loop,
 * written by that loop alone; a reader may see a window that is just being emptied, which shifts a
 * quantile for a moment and harms nobody. SPEC: broker 12.1. */
#ifndef WEIR_BROKER_REQUEST_STATS_H
#define WEIR_BROKER_REQUEST_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REQUEST_VERSIONS 24
#define LATENCY_BUCKETS 112 /* up to 2^28 us */

enum request_time {
    REQUEST_TOTAL,  /* from the whole request to its reply */
    REQUEST_LOCAL,  /* in the handler, on the loop */
    REQUEST_REMOTE, /* parked: waiting for data, the coordinator, the disk */
    REQUEST_TIMES,
};

struct latency_window {
    _Atomic int64_t minute; /* of the monotonic clock; which one it holds */
    _Atomic uint32_t n[LATENCY_BUCKETS];
};
struct request_api_stats {
    _Atomic int64_t versions[REQUEST_VERSIONS];
    _Atomic int64_t count, total_us, errors;
    struct latency_window windows[REQUEST_TIMES][2];
};
struct request_stats {
    _Atomic(struct request_api_stats *) *apis; /* by key; NULL until its first request */
    int count;
};
void request_stats_init(struct request_stats *s, int apis);
void request_stats_release(struct request_stats *s);
/* On the owning loop. local_us <= total_us. */
void request_stats_note(struct request_stats *s, int api, int version, bool error, int64_t now_us,
                        int64_t total_us, int64_t local_us);

/* Sums over loops. Any thread. */
struct latency {
    uint64_t n[LATENCY_BUCKETS], count;
};
void latency_add(struct latency *l, const struct request_stats *s, int api, enum request_time what,
                 int64_t now_us);
/* Milliseconds below which the part q (0..1) lies; 0 when nothing was measured. */
double latency_quantile(const struct latency *l, double q);
int latency_bucket(int64_t us);

#endif
