/* cdc/mongodb/stream_open.h - the state of a change stream, and how it is opened. Shared by
 * stream.c, stream_open.c, stream_show.c and, for its own, signal_stream.c. Thread: the task's. */
#ifndef WEIR_CDC_MONGODB_STREAM_OPEN_H
#define WEIR_CDC_MONGODB_STREAM_OPEN_H

#include "cdc/mongodb/lookup.h"
#include "cdc/mongodb/stream.h"

struct mongo_stream {
    struct mongo_task *t;
    mongoc_client_t *client;     /* NULL: not taken yet */
    struct mongo_cursor *cursor; /* NULL: to be opened */
    struct mongo_lookup *lookup; /* NULL: the server looks up what is asked for */
    struct mongo_offset at;
    struct change last; /* the newest event: `at` is to be set behind it when `moved` */
    bool moved, unstored, wants_offset, invalidated;
    struct change_merge merge;
    struct bson_build build;
    struct strbuf text;
    int64_t now_ms;                          /* wall clock, of the records being made */
    int64_t stored_ms, lost_ms, next_try_ms; /* monotonic; 0: not */
    int64_t retries;
    bool told_pipeline, opened; /* ever */
    bool wants_pool;            /* the next opening is the restart of SPEC 5.6: with a new pool */
    bool at_end;      /* the newest answer had no events: all up to the time of `at` are told */
    bool asked_ahead; /* the next answer is to a question from before */
};
/* reconnect.c: the task's pool is replaced by a new one; on an error it stays. Blocks as long as the server
 * selection timeout says. */
enum err mongo_stream_reconnect(struct mongo_stream *s, struct error *e) MUST_CHECK;
/* stream_show.c, for metrics: the transaction of `last`, while its slices hold; and what a poll has
 * brought, which b still holds, `at` being set behind it. */
void mongo_stream_show_transaction(struct mongo_stream *s);
void mongo_stream_show(struct mongo_stream *s, const struct record_batch *b);
/* Gives errors of the server their meaning for a stream: E_NOT_FOUND (the position is gone),
 * E_INVALID (the pipeline), E_TOO_LARGE, E_UNSUPPORTED (no replica set). */
void mongo_stream_explain(const struct mongo_task *t, struct error *e);
/* Into the $changeStream stage: begin behind this token. From MongoDB 4.2 on it may be that of an
 * event that ended a stream. */
void mongo_stream_add_token(const struct mongo_task *t, struct bson_build *b, struct slice token);

#endif
