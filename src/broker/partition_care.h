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
/* partition_retain, storing the start, partition_discard. */
void partition_retain_alone(struct partition *p, int64_t now_ms);

#endif
