/* cdc/mongodb/signals.h - MongoDB's side of signals to a running connector (cdc/signal_work.h has
 * what all databases share).
 *
 * Signals are documents that are inserted into the signal collection, records of a topic, lines of
 * a file. The stream tells changes of the signal collection and of the one whose chunk is open
 * (mongo_signals_change); the task asks before each poll of the stream whether something else comes
 * first. SPEC: cdc-mongodb 4.3, 8.4. Thread: the task's. */
#ifndef WEIR_CDC_MONGODB_SIGNALS_H
#define WEIR_CDC_MONGODB_SIGNALS_H

#include "cdc/mongodb/cursor.h"
#include "cdc/mongodb/signal_stream.h"
#include "cdc/mongodb/task.h"
#include "cdc/mongodb/window.h"
#include "cdc/signal_work.h"

struct mongo_signals {
    struct mongo_task *t;
    struct signal_work work;
    mongoc_client_t *client;     /* of chunks and marks; NULL: not taken yet */
    struct collection *chunk_of; /* of the chunk at hand; NULL: none */
    struct mongo_window window;
    struct mongo_signal_stream *outside; /* NULL: the stream itself tells signals */
    struct strbuf key;
};
struct mongo_signals *mongo_signals_new(struct mongo_task *t);
void mongo_signals_free(struct mongo_signals *g); /* NULL allowed */

/* --- the task --------------------------------------------------------------------------------- */
/* As signal_work_* do. */
static inline void mongo_signals_restore(struct mongo_signals *g, struct slice offset)
{
    signal_work_restore(&g->work, offset);
    mongo_signal_stream_restore(g->outside, offset);
}
static inline void mongo_signals_forget(struct mongo_signals *g)
{
    signal_work_forget(&g->work);
    mongo_signal_stream_forget(g->outside);
    g->chunk_of = NULL;
}
static inline void mongo_signals_print(const struct mongo_signals *g, struct strbuf *out)
{
    if (!g)
        return;
    signal_work_print(&g->work, out);
    mongo_signal_stream_print(g->outside, out);
}
/* Before the stream is polled: *taken when the batch is filled, or nothing of the stream may come
 * now. */
enum err mongo_signals_poll(struct mongo_signals *g, struct record_batch *b, bool *taken,
                            struct error *e) MUST_CHECK;
/* The connection of chunks, marks and listings: taken when first asked for. */
mongoc_client_t *mongo_signals_client(struct mongo_signals *g);
/* The connection goes: what hangs on it. */
void mongo_signals_disconnect(struct mongo_signals *g);

/* --- the stream ------------------------------------------------------------------------------- */
/* Whether changes of this collection have to be told now. g NULL: no. */
static inline bool mongo_signals_watch(const struct mongo_signals *g, const struct collection *c)
{
    return g && (c->is_signals || (incremental_watches(&g->work.inc) && g->chunk_of == c));
}
/* told: it became a record. What was skipped does not take a document out of a chunk, unless it is
 * gone. */
void mongo_signals_change(struct mongo_signals *g, const struct collection *c,
                          const struct change *change, bool told);
/* The stream stops here: something else comes first. g NULL: no. */
static inline bool mongo_signals_hold(const struct mongo_signals *g)
{
    return g && signal_work_holds(&g->work);
}

/* --- chunks.c: chunks of a collection --------------------------------------------------------- */
extern const struct incremental_ops mongo_incremental_ops; /* db: struct mongo_signals */

#endif
