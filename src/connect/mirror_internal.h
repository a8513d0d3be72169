/* connect/mirror_internal.h - the inside of the mirror: mirror.c (thread, topics, what was written),
 * mirror_records.c (what the records look like, comparison with SQLite). */
#ifndef WEIR_CONNECT_MIRROR_INTERNAL_H
#define WEIR_CONNECT_MIRROR_INTERNAL_H

#include "base/bytes.h"
#include "base/loop.h"
#include "base/map.h"
#include "connect/mirror.h"

enum { MIRROR_KINDS = MIRROR_TOPICS + 1 };
struct mirror_written { /* one key */
    int64_t hash;       /* of the value */
    bool seen;          /* during a comparison */
};
struct mirror {
    struct loop *loop;
    struct kclient *k;
    struct db *db;
    const struct strmap *worker;
    /* The loop's: */
    struct kproducer *producer;       /* NULL: nothing was written yet */
    bool ready[MIRROR_KINDS];         /* the topic is there */
    struct map written[MIRROR_KINDS]; /* key -> struct mirror_written */
    struct uuid ids[MIRROR_TOPICS];   /* of the topics that was written to; zero: not known */
    int64_t generation;               /* of the topics, when they were looked at */
    mirror_lost_fn lost;
    void *lost_arg;
    struct loop_timer tick;
    int64_t next_sync_ms, flush_every_ms;
    bool flush_posted;
    bool warned;
};
/* On the loop. want: only when it is not what was written last. */
void mirror_write(struct mirror *m, enum mirror_topic t, struct slice key, struct slice value,
                  bool want);
/* Compares offsets and topics in use with what was written, and writes the difference. */
void mirror_compare(struct mirror *m);

#endif
