/* cdc/mongodb/stream.h - the change stream: events to records, and the position behind them.
 *
 *   CLOSED --open--> OPEN --lost--> CLOSED (at once the first time, then after a pause)
 *                     \__ history lost, rights, a wrong pipeline --> an error of the task
 *
 * The position moves with every event and with every answer without events (its token); it is
 * stored with the records, and while nothing is captured at least every ten seconds, so that a
 * quiet collection does not lose its place in a busy cluster. SPEC: cdc-mongodb 5. Thread: the
 * task's. */
#ifndef WEIR_CDC_MONGODB_STREAM_H
#define WEIR_CDC_MONGODB_STREAM_H

#include "cdc/mongodb/cursor.h"
#include "cdc/mongodb/task.h"

struct mongo_stream;
struct mongo_stream *mongo_stream_new(struct mongo_task *t);
void mongo_stream_free(struct mongo_stream *s); /* NULL allowed */

/* Opens the cursor where the task's offset says, for the stream; an offset that the server does not
 * have any more is E_NOT_FOUND. Other errors as mongo_fault makes them, or E_INVALID: the
 * pipeline. */
enum err mongo_stream_open(struct mongo_stream *s, struct error *e) MUST_CHECK;
/* Adds records until the batch is full or no event is left. Waits half a second at most for events
 * to come; an answer that was asked for ahead, and finds of looked-up documents, take as long as
 * the server does, up to the socket timeout, and opening a lost stream as long as the server
 * selection timeout says. */
enum err mongo_stream_poll(struct mongo_stream *s, struct record_batch *b,
                           struct error *e) MUST_CHECK;
/* Where the stream stands now. */
const struct mongo_offset *mongo_stream_offset(const struct mongo_stream *s);
/* Its time; false: not known (yet). */
bool mongo_stream_time(const struct mongo_stream *s, uint32_t *seconds, uint32_t *increment);
/* The same, such that a query may ask for what was there then: the place between two events of a
 * stream that waits may be ahead of the server's clock. */
bool mongo_stream_seen(const struct mongo_stream *s, uint32_t *seconds, uint32_t *increment);
/* Whether all events up to and of this time have been told. Of the very time at which the stream
 * stands only an answer without events shows that, to a question from after
 * mongo_stream_ask_again. */
void mongo_stream_ask_again(struct mongo_stream *s);
bool mongo_stream_past(const struct mongo_stream *s, uint32_t seconds, uint32_t increment);
/* The next batch carries the offset even without records; or: this one does. E_NOMEM. */
void mongo_stream_wants_offset(struct mongo_stream *s);
enum err mongo_stream_put_offset(struct mongo_stream *s, struct record_batch *b,
                                 struct error *e) MUST_CHECK;

/* Where a snapshot begins: behind what a stream of the same scope and pipeline has now.
 * SPEC: cdc-mongodb 4.2 */
enum err mongo_stream_now(struct mongo_task *t, mongoc_client_t *c, struct mongo_offset *out,
                          struct error *e) MUST_CHECK;

#endif
