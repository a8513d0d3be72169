/* cdc/retries.h - how often, and after which pause, a fault that may pass is borne:
 * errors.max.retries, retriable.restart.connector.wait.ms. SPEC: cdc-mysql 2.6, cdc-mongodb 5.6.
 * Thread: the task's. */
#ifndef WEIR_CDC_RETRIES_H
#define WEIR_CDC_RETRIES_H

#include "base/clock.h"
#include "cdc/options.h"
#include "connect/connector.h"

struct retries { /* zeros: none so far */
    int64_t count;
    int64_t next_ms; /* monotonic: not before it */
};

static inline void retries_pause(struct retries *r, const struct capture_options *o)
{
    r->next_ms = clock_mono_ms() + o->retry_wait_ms;
}

/* One more, after a pause. False when they are used up. */
static inline bool retries_take(struct retries *r, const struct capture_options *o)
{
    if (o->max_retries >= 0 && r->count >= o->max_retries)
        return false;
    r->count++;
    retries_pause(r, o);
    return true;
}

/* True while the pause lasts, of which it waits a part: a task looks every 500 ms whether it is to
 * stop. */
static inline bool retries_wait(const struct retries *r, struct task_ctx *ctx)
{
    enum { NAP_MS = 400 };
    int64_t wait = r->next_ms - clock_mono_ms();
    if (wait > 0)
        task_sleep(ctx, MIN(wait, (int64_t)NAP_MS));
    return wait > 0;
}

#endif
