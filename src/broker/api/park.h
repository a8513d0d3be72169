/* broker/api/park.h - a request that waits on its loop for partitions (or the like) to change.
 *
 *   park_begin -> park_hang: a wait, to be registered wherever something may happen
 *              -> woken() or late() on the loop; unhang everything, look again, hang anew or park_end
 *
 * What a wait posts to the loop is counted apart from the request and knows whether that is still
 * there. Thread: the loop; waits fire on any. */
#ifndef WEIR_BROKER_API_PARK_H
#define WEIR_BROKER_API_PARK_H

#include "base/base.h"
#include "base/loop.h"
#include "broker/wait.h"

struct park_wake;
struct park { /* all 0: not parked */
    struct loop *loop;
    void (*woken)(void *arg);
    void *arg;
    struct loop_timer timer;
    struct wait *wait; /* NULL: not hung */
    struct park_wake *wake;
};
void park_begin(struct park *p, struct loop *l, void (*woken)(void *arg), void (*late)(void *arg),
                void *arg);
static inline bool park_is_on(const struct park *p)
{
    return p->wake != NULL;
}
void park_until(struct park *p, int64_t mono_ms); /* when late() is to be called */
/* A new wait; it fires once, then the caller unhangs. */
struct wait *park_hang(struct park *p);
/* It does not fire any more. The caller takes its registrations back, then park_unhung. */
void park_give_up(struct park *p);
void park_unhung(struct park *p);
void park_end(struct park *p); /* not hung; again does nothing */

#endif
