/* cdc/mongodb/signal_stream.h - signals in a signal collection that capture.scope leaves out: a
 * change stream on that collection alone, beside the main one.
 *
 * What is inserted there are signals only, not records: a record's place would be in the main
 * stream. How far it has been read is a member of the source offset (signal_stream_token), beside
 * the main stream's token, so that a signal is taken once, also when it comes while the connector
 * is down. Without that member reading begins at the time of the main stream. SPEC: cdc-mongodb
 * 4.3, 8.1. Thread: the task's. */
#ifndef WEIR_CDC_MONGODB_SIGNAL_STREAM_H
#define WEIR_CDC_MONGODB_SIGNAL_STREAM_H

#include "cdc/mongodb/cursor.h"
#include "cdc/mongodb/task.h"

struct mongo_signal_stream;
/* NULL: the main stream shows the signal collection, or signals do not come from one. */
struct mongo_signal_stream *mongo_signal_stream_new(struct mongo_task *t);
/* The rest takes NULL: nothing then. */
void mongo_signal_stream_free(struct mongo_signal_stream *s);
/* The connection goes; the position stays. */
void mongo_signal_stream_disconnect(struct mongo_signal_stream *s);
/* The main stream begins elsewhere: so does this one. */
void mongo_signal_stream_forget(struct mongo_signal_stream *s);

typedef void (*signal_document_fn)(void *arg, struct slice document);
/* At most every half second: hands over what was inserted, in order. True when an offset should be
 * stored soon. Faults are logged and tried again at a later look. The main stream is there. */
bool mongo_signal_stream_poll(struct mongo_signal_stream *s, mongoc_client_t *c,
                              signal_document_fn fn, void *arg);

/* Appends the member with a comma before it: nothing without a position. */
void mongo_signal_stream_print(const struct mongo_signal_stream *s, struct strbuf *out);
/* Takes over what a stored offset (JSON) says, unless a position is known. */
void mongo_signal_stream_restore(struct mongo_signal_stream *s, struct slice offset);

#endif
