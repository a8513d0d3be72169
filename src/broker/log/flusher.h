/* broker/log/flusher.h - makes logs durable: fdatasync within a second of a write, or at once when
 * somebody waits for it (durability=sync: many waits share one fdatasync).
 *
 * Its thread sleeps while nothing is dirty. Lock: its own, innermost (taken under a partition's
 * lock). */
#ifndef WEIR_BROKER_LOG_FLUSHER_H
#define WEIR_BROKER_LOG_FLUSHER_H

#include "base/err.h"
#include "base/list.h"

struct flusher;
/* Embedded in what is flushed. */
struct flush_item {
    struct link link;
    bool queued; /* flusher's lock */
    /* On a thread of the flusher, no lock held; drops the reference that flusher_add's caller took.
     */
    void (*flush)(struct flush_item *);
    /* The same in two steps, for rounds of many items: between them everything on the file system
     * is synced at once. Both on one thread. */
    void (*begin)(struct flush_item *);
    void (*end)(struct flush_item *, enum err err, const struct error *e);
};
/* dir: what is flushed lies below it. after (may be NULL): called on the flusher's thread after each
 * round. */
enum err flusher_start(struct flusher **out, const char *dir, void (*after)(void *arg), void *arg,
                       struct error *e) MUST_CHECK;
void flusher_stop(struct flusher *f); /* flushes what is queued, then ends */
/* Queues the item unless it is queued already: true when it was not (the caller then holds a
 * reference for the flusher). within_ms: how long it may wait; 0 at once. */
#define FLUSH_WITHIN_MS 800 /* leaves room for the fdatasync itself within the promised second */
bool flusher_add(struct flusher *f, struct flush_item *item, int64_t within_ms);

#endif
