/* web/message_scan.h - the order in which records of several partitions are read and shown: rounds
 * of offsets forward or backward, merged by time. Knows neither broker nor HTTP: records come from
 * a reader, what is kept goes to the caller. SPEC: web-ui 4.3.
 *
 * A round takes the same number of offsets from each partition that is not exhausted. It goes by
 * position, never by the number of records found: gaps (compaction, control records, deletions) are
 * passed over like anything else. Thread: the owner's. */
#ifndef WEIR_WEB_MESSAGE_SCAN_H
#define WEIR_WEB_MESSAGE_SCAN_H

#include "base/arena.h"
#include "base/err.h"
#include "broker/proto/batch.h"

struct scan_part {
    int32_t partition;
    int64_t begin, end; /* offsets to read: begin <= offset < end */
    int64_t at;         /* forward: next one; backward: all from here on were read */
};
struct scan_item {
    size_t part; /* index */
    int64_t offset, timestamp;
    struct slice text; /* what keep made of it; in the round's arena */
};

/* False: stop reading (the reader returns E_CANCELLED). */
typedef bool (*scan_visit_fn)(void *visit, const struct batch_record *r, bool log_append_time);
struct scan_ops {
    /* Visits, in rising order, the records of one partition with from <= offset < to. */
    enum err (*read)(void *arg, size_t part, int64_t from, int64_t to, scan_visit_fn fn,
                     void *visit, struct error *e);
    /* A text for a record that is to be shown, in the arena; null slice: not wanted. */
    struct slice (*keep)(void *arg, int32_t partition, const struct batch_record *r,
                         bool log_append_time, struct arena *a);
    void *arg;
};

struct scan {
    const struct scan_ops *ops;
    bool backward;
    struct scan_part *parts; /* the caller's */
    size_t count;
    int64_t window;          /* offsets a round takes from each partition */
    size_t max_bytes;        /* of kept texts in one round; at least one record fits always */
    size_t first;            /* partition that a round starts with */
    int64_t records;         /* visited so far */
    struct arena arena;      /* of the round */
    struct scan_item *items; /* of the round, in the order to show */
    size_t item_count, item_cap;
    size_t bytes;  /* of the round's texts */
    bool overflow; /* this window holds more than max_bytes */
    size_t part;   /* being read */
};
void scan_init(struct scan *s, const struct scan_ops *ops, bool backward, struct scan_part *parts,
               size_t count, int64_t window, size_t max_bytes);
void scan_release(struct scan *s);
bool scan_exhausted(const struct scan *s);
bool scan_part_exhausted(const struct scan *s, size_t i);
/* Reads one round into s->items and moves all positions past it. Items live until the next round.
 * What the reader returned, on failure. */
enum err scan_round(struct scan *s, struct error *e) MUST_CHECK;
/* Of the round's items only the first `shown` were used: positions go back to the others. */
void scan_unread(struct scan *s, size_t shown);

#endif
