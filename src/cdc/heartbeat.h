/* cdc/heartbeat.h - a record now and then on a topic of its own, so that offsets move on while
 * nothing is captured. SPEC: cdc-mysql 5.11. Thread: the task's. */
#ifndef WEIR_CDC_HEARTBEAT_H
#define WEIR_CDC_HEARTBEAT_H

#include "base/base.h"
#include "cdc/options.h"
#include "connect/record.h"

struct heartbeat {
    char *topic;         /* NULL: none are sent */
    struct slice server; /* topic.prefix; borrowed from the options */
    const struct schema *key, *value;
    int64_t interval_ms, next_ms; /* monotonic */
};
/* The first one comes when an interval has passed. */
void heartbeat_init(struct heartbeat *h, const struct capture_options *o);
void heartbeat_release(struct heartbeat *h);
/* Adds a record when it is time: *added. E_NOMEM. */
enum err heartbeat_poll(struct heartbeat *h, struct record_batch *b, bool *added,
                        struct error *e) MUST_CHECK;

#endif
