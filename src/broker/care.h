/* broker/care.h - the threads that care for logs after the append.
 *
 *   weir-care    retention of all partitions every log.retention.check.interval.ms, of one when it
 *                begins a new segment; removal of files whose file.delete.delay.ms is over; in a lab,
 *                leaders go back to the preferred replicas
 *   weir-clean   compaction, every log.cleaner.backoff.ms (log/compact.h)
 *
 * Both block on the disk and hold locks for moments only. SPEC: broker 4.3, 4.4. */
#ifndef WEIR_BROKER_CARE_H
#define WEIR_BROKER_CARE_H

#include "base/err.h"

struct care;
struct topics;

/* Asked anew each time, so that changes take effect at once. */
struct care_settings {
    int64_t retention_check_ms;
    int64_t cleaner_backoff_ms;
    bool cleaner_enable;
    size_t dedupe_bytes;        /* of the map of keys */
    double load_factor;         /* of that, how full it may get */
    double io_bytes_per_second; /* of compaction, reading and writing together */
};
struct care_options {
    struct topics *topics;
    void (*settings)(void *arg, struct care_settings *out); /* thread: any */
    int64_t balance_ms; /* how often `balance` is called, which must not block; 0: never */
    void (*balance)(void *arg);
    void *arg;
};
enum err care_start(struct care **out, const struct care_options *o, struct error *e) MUST_CHECK;
/* Before the topics are closed, when nobody appends any more. Cuts a compaction short. NULL
 * allowed. */
void care_stop(struct care *c);

#endif
