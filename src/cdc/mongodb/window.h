/* cdc/mongodb/window.h - where the windows of an incremental snapshot begin and end.
 *
 * By marks, where the change stream shows the signal collection. Otherwise (capture.scope leaves it
 * out, or there is none) by the server's time: from the reading of a chunk on the stream takes out
 * of it what it tells, and the window ends when the stream has told everything up to the time at
 * which the chunk was read. Nothing is written to the database then. SPEC: cdc-mongodb 4.3. Thread:
 * the task's. */
#ifndef WEIR_CDC_MONGODB_WINDOW_H
#define WEIR_CDC_MONGODB_WINDOW_H

#include "cdc/bson/bson_build.h"
#include "cdc/incremental.h"
#include "cdc/mongodb/cursor.h"

struct mongo_window {
    bool has_end; /* by time only: of the newest answer about the chunk at hand */
    uint32_t seconds, increment;
};
struct mongo_signals;

/* `mark` of struct incremental_ops; db: struct mongo_signals. E_AGAIN: the stream does not know yet
 * where it stands. */
enum err mongo_window_mark(void *db, struct incremental *inc, bool open,
                           struct error *e) MUST_CHECK;
/* Appends readConcern to a query: what a majority has, and by time not older than what the stream
 * has told. */
void mongo_window_concern(const struct mongo_signals *g, struct bson_build *b);
/* An answer about the chunk at hand came. */
void mongo_window_read(struct mongo_signals *g, const struct mongo_cursor *c);
/* Whether a window is to end by time: the stream had better not wait long for events. g NULL:
 * no. */
bool mongo_window_waits(const struct mongo_signals *g);
/* Between two polls of the stream: whether it has come to the end of the window. */
void mongo_window_look(struct mongo_signals *g);

#endif
