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
};
/* after (may be NULL): called on the flusher's thread after each round. */
enum err flusher_start(struct flusher **out, void (*after)(void *arg), void *arg,
                       struct error *e) MUST_CHECK;
void flusher_stop(struct flusher *f); /* flushes what is queued, then ends */
/* Queues the item unless it is queued already: true when it was not (the caller then holds a
 * reference for the flusher). urgent: now, not within a second. */
bool flusher_add(struct flusher *f, struct flush_item *item, bool urgent);

#endif
