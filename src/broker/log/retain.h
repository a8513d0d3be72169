/* broker/log/retain.h - retention: which of a log's oldest segments have had their time.
 * SPEC: broker 4.3.
 *
 *   start   wholly below the log start (records were deleted): for every policy
 *   time    policy delete, retention.ms >= 0, and the largest timestamp is older than that
 *   size    policy delete, retention.bytes >= 0, and without the segment that much is still there
 *
 * Only looks; who calls moves the log start, stores it, and removes the files. Lock: plog.h. */
#ifndef WEIR_BROKER_LOG_RETAIN_H
#define WEIR_BROKER_LOG_RETAIN_H

#include "broker/log/plog.h"

struct retain_plan {
    size_t segments; /* so many of the oldest go */
    bool roll;       /* the active one is among them: begin an empty one first */
    int64_t start;   /* the log start then */
    int64_t bytes;
};
/* The segments that go are a run from the oldest; the first that stays ends it. E_IO, E_CORRUPT: a
 * segment could not be measured. */
enum err retain_look(struct plog *l, const struct topic_config *c, int64_t now_ms,
                     struct retain_plan *out, struct error *e) MUST_CHECK;
/* Whether the settings let anything expire at all (else only deleted records go). */
static inline bool retain_has_limits(const struct topic_config *c)
{
    return c->cleanup_delete && (c->retention_ms >= 0 || c->retention_bytes >= 0);
}

#endif
