/* broker/wait.h - something that waits for a partition to change: a parked fetch, a blocked task.
 *
 * A wait fires at most once, whatever the number of partitions it hangs on: fn(arg) runs on the
 * thread that appended (or deleted), with no lock held; it must be quick and must not touch the
 * partition - fetches post to their loop, tasks signal a condition. The object is counted: each
 * registration holds a reference, so that firing and giving up may race. */
#ifndef WEIR_BROKER_WAIT_H
#define WEIR_BROKER_WAIT_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/list.h"

struct wait {
    _Atomic int refs;
    atomic_bool fired; /* exchange decides who may call fn; acq_rel on both sides */
    void (*fn)(void *arg);
    void (*release)(void *arg); /* when the last reference goes; may be NULL */
    void *arg;
};
struct wait *wait_new(void (*fn)(void *arg), void (*release)(void *arg),
                      void *arg); /* one reference */
struct wait *wait_ref(struct wait *w);
void wait_unref(struct wait *w);
void wait_fire(struct wait *w);    /* calls fn unless it was fired or given up before */
void wait_give_up(struct wait *w); /* fn will not be called from now on (it may be running) */

/* Registrations on one object; its owner's lock protects them. */
struct wait_list {
    struct list nodes;
};
void wait_list_init(struct wait_list *l);
void wait_list_add(struct wait_list *l, struct wait *w);    /* takes a reference of its own */
void wait_list_remove(struct wait_list *l, struct wait *w); /* every registration of w */
/* Moves all registrations to *out (to be fired after unlocking). */
void wait_list_take(struct wait_list *l, struct wait_list *out);
void wait_list_fire(struct wait_list *l); /* fires and drops all; no lock held */
static inline bool wait_list_empty(const struct wait_list *l)
{
    return list_empty(&l->nodes);
}

#endif
