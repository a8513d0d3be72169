/* cdc/snapshot_queue.h - blocking snapshots that were asked for by signals, in their order: the
 * first one is at work or next. They are part of the source offset, so that one that a crash cut
 * off is taken from its beginning. SPEC: cdc-mysql 3.8, cdc-mongodb 4.3. Thread: the task's. */
#ifndef WEIR_CDC_SNAPSHOT_QUEUE_H
#define WEIR_CDC_SNAPSHOT_QUEUE_H

#include <jansson.h>

#include "base/base.h"
#include "cdc/signal.h"

struct snapshot_queue {
    char **items; /* signals as JSON objects */
    size_t count;
    bool ending;        /* the first one is left out of offsets */
    bool changed;       /* since whoever stores offsets has set it to false */
    struct arena arena; /* of the first one's request, while it is at work */
    struct signal_request request;
};
void snapshot_queue_init(struct snapshot_queue *q);
void snapshot_queue_release(struct snapshot_queue *q);
void snapshot_queue_add(struct snapshot_queue *q, const struct signal *s);
/* What the first one asks for, in q->request. Not with an empty queue. E_INVALID: the stored text
 * is no signal. */
enum err snapshot_queue_first(struct snapshot_queue *q, struct error *e) MUST_CHECK;
/* The first one is complete, or given up: offsets leave it out from here on; or do not: such an
 * offset could not be made. */
void snapshot_queue_ending(struct snapshot_queue *q, bool ending);
/* It goes: an offset without it is in the batch, or the next one will be. */
void snapshot_queue_done(struct snapshot_queue *q);
void snapshot_queue_clear(struct snapshot_queue *q);
/* Appends a member of the offset with a comma before it: nothing with an empty queue. */
void snapshot_queue_print(const struct snapshot_queue *q, struct strbuf *out);
/* Takes over what a stored offset says, unless something was asked for already. */
void snapshot_queue_restore(struct snapshot_queue *q, const json_t *offset);

#endif
