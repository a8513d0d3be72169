/* connect/task_meter.h - what one task counts for the metrics of Connect: records, batches, commits,
 * failures, times. SPEC: connect 9.
 *
 * Counters start with the task. Rates, averages and maxima are over two windows of 30 s, as Kafka
 * measures them. One call per batch or commit, none per record. Thread: any (own lock). */
#ifndef WEIR_CONNECT_TASK_METER_H
#define WEIR_CONNECT_TASK_METER_H

#include "base/base.h"

#include <pthread.h>

struct meter_stat { /* of values that come now and then */
    int64_t began_ms[2];
    int64_t sum[2], count[2], max[2], min[2];
    int current;
};
/* From METER_FAILURES on they are kept elsewhere (errors.h, the sink) and filled in by task_measure. */
enum meter_count {
    METER_IN,      /* polled from the source; read from the topics */
    METER_OUT,     /* written to the topics; sent to the sink */
    METER_COMMITS, /* of offsets, that succeeded */
    METER_COMMITS_FAILED,
    METER_FAILURES, /* attempts that failed */
    METER_ERRORS,   /* records given up */
    METER_SKIPPED,  /* of them: left out */
    METER_RETRIES,
    METER_LOGGED,
    METER_DEAD_LETTERS,
    METER_DEAD_LETTERS_FAILED,
    METER_PARTITIONS, /* of a sink: that it holds now */
    METER_LAG,        /* of a sink: records that the partition farthest behind has left */
    METER_COUNTS
};
enum meter_value {
    METER_BATCH_IN,    /* records */
    METER_BATCH_IN_US, /* of a poll that gave something, or of a put */
    METER_BATCH_OUT,   /* records */
    METER_COMMIT_US,
    METER_ACTIVE,       /* records polled and not yet written; read and not yet committed */
    METER_COMMIT_COUNT, /* 1 each: for rates */
    METER_VALUES
};
struct task_meter {
    pthread_mutex_t lock;
    int64_t counts[METER_COUNTS];
    struct meter_stat values[METER_VALUES];
    int64_t active, last_error_ms;                  /* wall clock; 0: none */
    int64_t started_ms, paused_ms, paused_since_ms; /* monotonic; 0: not paused */
};
void task_meter_init(struct task_meter *m);
void task_meter_release(struct task_meter *m);
/* So many records are on their way now. */
void task_meter_active(struct task_meter *m, int64_t records);
/* A batch came; us of the poll, or -1. */
void task_meter_in(struct task_meter *m, int64_t records, int64_t us);
/* It was written; us of a put, or 0. */
void task_meter_out(struct task_meter *m, int64_t records, int64_t us);
void task_meter_commit(struct task_meter *m, bool ok, int64_t us);
void task_meter_paused(struct task_meter *m, bool paused);

/* --- reading; NaN: nothing was measured. The copy's lock is not used. */
void task_meter_copy(struct task_meter *m, struct task_meter *out);
double meter_rate(const struct meter_stat *s); /* sum a second */
double meter_avg(const struct meter_stat *s);
double meter_max(const struct meter_stat *s);
double meter_min(const struct meter_stat *s);

#endif
