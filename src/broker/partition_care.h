/* broker/partition_care.h - what becomes of a partition's log after the append: retention now and
 * then, compaction. For the thread that cares for logs (care.c). Thread: any that may block on the
 * disk. Lock: takes the partition's, for moments. SPEC: broker 4.3, 4.4. */
#ifndef WEIR_BROKER_PARTITION_CARE_H
#define WEIR_BROKER_PARTITION_CARE_H

#include "broker/partition.h"

/* Takes what has expired out of the log and moves its start. True: there are files to remove, with
 * partition_discard, once the log starts are stored. */
bool partition_retain(struct partition *p, int64_t now_ms);
/* Renames the files of what was taken out; they are removed after file.delete.delay.ms. */
void partition_discard(struct partition *p);
/* How much a compaction would be worth, 0 to 2; negative: nothing to do (or not a topic for that).
 * Above 1: it is overdue. */
double partition_compact_score(struct partition *p, int64_t now_ms);
struct partition_compact_how {
    size_t dedupe_bytes;
    double load_factor;
    bool (*pace)(void *arg, size_t bytes); /* see log/compact.h */
    void *arg;
};
/* Compacts what may be. Failures are logged; one that is no passing matter keeps the partition from
 * being tried again. Not two at a time for one partition. */
enum err partition_compact(struct partition *p, int64_t now_ms,
                           const struct partition_compact_how *how) MUST_CHECK;
/* Where the part begins that was not compacted yet; -1: never was. */
int64_t partition_cleaned_to(struct partition *p);
/* partition_retain, storing the start, partition_discard. */
void partition_retain_alone(struct partition *p, int64_t now_ms);

#endif
