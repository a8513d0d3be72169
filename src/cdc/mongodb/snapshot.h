/* cdc/mongodb/snapshot.h - the documents of all captured collections, read once: the initial snapshot, and
 * one that a signal asks for.
 *
 * Readers (snapshot.max.threads of them, each with a client of its own) take whole collections from a
 * list and put the server's answers into a bounded queue; the task's thread makes records of them. Nothing
 * is locked and no point in time is kept: the stream is read from before the first document on, so what
 * changed meanwhile is told again. The last document is held back until it is known to be the last.
 * SPEC: cdc-mongodb 4.2. Thread: the task's, except what snapshot.c says of its readers. */
#ifndef WEIR_CDC_MONGODB_SNAPSHOT_H
#define WEIR_CDC_MONGODB_SNAPSHOT_H

#include "cdc/mongodb/task.h"
#include "cdc/signal.h"

struct mongo_snapshot;
/* at: where streaming will begin, the position of all its records; copied. request: of a blocking one,
 * outlives the snapshot; NULL: the initial one. */
struct mongo_snapshot *mongo_snapshot_new(struct mongo_task *t, const struct mongo_offset *at,
                                          const struct signal_request *request);
/* Ends the readers; what is not told is lost. NULL allowed. */
void mongo_snapshot_free(struct mongo_snapshot *s);
/* Adds the next records. *done: all is told. Blocks at most half a second. Plain messages. */
enum err mongo_snapshot_poll(struct mongo_snapshot *s, struct record_batch *b, bool *done,
                             struct error *e) MUST_CHECK;
/* It ends before its end: told and counted. */
void mongo_snapshot_aborted(struct mongo_snapshot *s);

/* --- snapshot_list.c -------------------------------------------------------------------------- */
struct snap_collection {
    struct collection *c;
    struct slice filter; /* BSON query; null: all documents */
    uint64_t documents;
    int64_t began_ms; /* monotonic; 0: not yet */
};
struct snap_list {
    struct snap_collection *items; /* by name */
    size_t count, cap;
    struct arena arena;
};
void snap_list_init(struct snap_list *l);
void snap_list_release(struct snap_list *l);
/* Captured collections of the server that the snapshot, or the request, wants. Errors: as mongo_fault's;
 * E_INVALID: a query that does not parse. */
enum err snap_list_fill(struct snap_list *l, struct mongo_task *t, mongoc_client_t *c,
                        const struct signal_request *request, struct error *e) MUST_CHECK;

#endif
