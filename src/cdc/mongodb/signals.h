/* cdc/mongodb/signals.h - signals to a running connector and what they start: incremental snapshots
 * beside the stream, blocking ones in its place, notes about both.
 *
 * Signals are documents that are inserted into the signal collection, records of a topic, lines of a
 * file. The stream tells changes of the signal collection and of the one whose chunk is open
 * (mongo_signals_change); the task asks before each poll of the stream whether something else comes
 * first. SPEC: cdc-mongodb 4.3, 8.4. Thread: the task's. */
#ifndef WEIR_CDC_MONGODB_SIGNALS_H
#define WEIR_CDC_MONGODB_SIGNALS_H

#include "cdc/incremental.h"
#include "cdc/mongodb/cursor.h"
#include "cdc/mongodb/task.h"
#include "cdc/notification.h"
#include "cdc/signal_channel.h"
#include "cdc/snapshot_queue.h"

struct mongo_signals {
    struct mongo_task *t;
    struct notifier notes;
    struct signal_channels channels;
    struct incremental inc;
    mongoc_client_t *client;     /* of chunks and marks; NULL: not taken yet */
    struct collection *chunk_of; /* of the chunk at hand; NULL: none */
    struct strbuf key;
    struct snapshot_queue blocking;
    uint64_t stored_changes; /* inc.changes as of the last offset */
    bool told_fields;
};
struct mongo_signals *mongo_signals_new(struct mongo_task *t);
void mongo_signals_free(struct mongo_signals *g); /* NULL allowed */

/* --- the task --------------------------------------------------------------------------------- */
/* What the stored offset (JSON) says about signals; and a new snapshot makes that void. */
void mongo_signals_restore(struct mongo_signals *g, struct slice offset);
void mongo_signals_forget(struct mongo_signals *g);
/* Before the stream is polled: *taken when the batch is filled, or nothing of the stream may come now. */
enum err mongo_signals_poll(struct mongo_signals *g, struct record_batch *b, bool *taken,
                            struct error *e) MUST_CHECK;
/* Appends the members of the offset, each with a comma before it. g NULL: nothing. */
void mongo_signals_print(const struct mongo_signals *g, struct strbuf *out);
/* The connection goes: what hangs on it. */
void mongo_signals_disconnect(struct mongo_signals *g);

/* --- the stream ------------------------------------------------------------------------------- */
/* Whether changes of this collection have to be told now. g NULL: no. */
static inline bool mongo_signals_watch(const struct mongo_signals *g, const struct collection *c)
{
    return g && (c->is_signals || (incremental_watches(&g->inc) && g->chunk_of == c));
}
/* told: it became a record. What was skipped does not take a document out of a chunk, unless it is gone. */
void mongo_signals_change(struct mongo_signals *g, const struct collection *c,
                          const struct change *change, bool told);
/* The stream stops here: something else comes first. g NULL: no. */
static inline bool mongo_signals_hold(const struct mongo_signals *g)
{
    return g && (incremental_holds(&g->inc) || g->blocking.count);
}

/* --- chunks.c: chunks of a collection --------------------------------------------------------- */
extern const struct incremental_ops mongo_incremental_ops; /* db: struct mongo_signals */

#endif
