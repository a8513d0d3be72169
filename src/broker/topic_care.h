/* broker/topic_care.h - retention and compaction of all topics, for care.c. Both block on the disk.
 * SPEC: broker 4.3, 4.4. */
#ifndef WEIR_BROKER_TOPIC_CARE_H
#define WEIR_BROKER_TOPIC_CARE_H

#include "broker/topic.h"

/* Every partition once; log starts are stored once for all. A stop ends it early. */
void topics_retain(struct topics *t, int64_t now_ms, const _Atomic bool *stop);
/* Removes files that are due; how long until the next is, or -1. */
int64_t topics_run_trash(struct topics *t);
/* Compacts the partition that is worth it most, and stores how far it has come; false: none is. */
struct partition_compact_how;
bool topics_compact_one(struct topics *t, int64_t now_ms, const struct partition_compact_how *how);
/* fn takes a reference to a partition whose log began a new segment; NULL: nobody wants to know.
 * While nobody appends. */
void topics_on_roll(struct topics *t, void (*fn)(void *arg, struct partition *p), void *arg);

#endif
