/* broker/log/compact.h - compaction of one log: of each key the newest record stays.
 * SPEC: broker 4.4.
 *
 *   map      the highest offset of each key in the dirty part (keymap.h)
 *   groups   runs of old segments of which what stays fits one segment
 *   each     its batches rewritten (compact_batch.h) into NNN.log.cleaned, made durable, swapped in
 *
 * Works on segments that take no more appends and are durable, by their files alone, so that it
 * needs no lock but in `swap`. A stop or a failure in between leaves each group old or new, both
 * right. Thread: any that may block. */
#ifndef WEIR_BROKER_LOG_COMPACT_H
#define WEIR_BROKER_LOG_COMPACT_H

#include "broker/log/plog.h"

struct compact_producer { /* an active one, from the partition's producer state */
    int64_t id;
    int16_t epoch;
    int64_t last_offset; /* of its last batch of records; -1: only a marker is known */
};

struct compact_job {
    /* what to do */
    const char *dir;
    struct segment *const *segments; /* from the oldest on, side by side; none takes appends */
    size_t count;
    int64_t end;         /* the base of the segment after them: what may be compacted ends there */
    int64_t first_dirty; /* below this offset the log has been compacted before */
    int32_t segment_bytes, index_interval_bytes;
    int64_t delete_retention_ms, now_ms;
    const struct txn_aborted *aborted; /* those with offsets below `end`, by first offset */
    size_t aborted_count;
    const struct compact_producer *producers; /* by id */
    size_t producers_count;
    size_t dedupe_bytes;
    double load_factor;
    /* Called with the bytes read or written; may sleep. False: stop (E_CANCELLED). */
    bool (*pace)(void *arg, size_t bytes);
    /* Puts `made` into the place of old[0..count) (swap_in under the log's lock) and takes it, also
     * when it fails. E_CONFLICT: they are gone meanwhile. */
    enum err (*swap)(void *arg, struct segment *const *old, size_t count, struct segment *made,
                     struct error *e);
    void *arg;
    /* what was done */
    int64_t cleaned_to; /* the new first_dirty */
    int64_t horizon; /* when the earliest of the tombstones and markers left may go; or INT64_MAX */
    int64_t records_read, records_kept, bytes_read, bytes_written;
};

/* E_CORRUPT: a batch is damaged; E_IO, E_NOMEM, E_CANCELLED, E_CONFLICT. */
enum err compact_run(struct compact_job *j, struct error *e) MUST_CHECK;

#endif
