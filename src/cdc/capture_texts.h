/* cdc/capture_texts.h - what a task shows of itself in words: the last event, positions, the chunk
 * of an incremental snapshot. Names as JMX has them in Debezium. SPEC: cdc-mysql 9, cdc-mongodb 9
 *
 * The task sets texts once per batch or chunk, not per record; metrics and the page read copies.
 * Thread: any (its own lock, with nothing taken inside). */
#ifndef WEIR_CDC_CAPTURE_TEXTS_H
#define WEIR_CDC_CAPTURE_TEXTS_H

#include <pthread.h>

#include "base/base.h"
#include "base/str.h"
#include "connect/connector.h"
#include "connect/record.h"

enum capture_text {
    TEXT_LAST_EVENT,          /* of the stream */
    TEXT_SNAPSHOT_LAST_EVENT, /* of snapshots */
    TEXT_POSITION,            /* of the stream's last event: a JSON object */
    TEXT_TRANSACTION,
    TEXT_TABLES, /* that are captured: a JSON array */
    TEXT_FILE,   /* binary log that is read */
    TEXT_GTIDS,
    TEXT_CHUNK_ID,
    TEXT_CHUNK_FROM, /* keys, as Java prints arrays: [1, a] */
    TEXT_CHUNK_TO,
    TEXT_TABLE_FROM,
    TEXT_TABLE_TO,
    TEXT_LAST_APPLIED, /* statements of the schema history */
    TEXT_LAST_RECOVERED,
    CAPTURE_TEXTS
};
struct capture_texts {
    pthread_mutex_t lock; /* guards all below */
    struct strbuf items[CAPTURE_TEXTS];
    bool given[CAPTURE_TEXTS];
    /* Pauses of incremental snapshots, monotonic; relaxed. 0: not paused. */
    _Atomic int64_t paused_since_ms, paused_ms;
};
struct capture_texts *capture_texts_new(void);
void capture_texts_free(struct capture_texts *t); /* NULL allowed */
/* Of all below: NULL allowed (tests of parts), then nothing happens. Copies; a null text: there is
 * none (any more). */
void capture_text_set(struct capture_texts *t, enum capture_text which, struct slice text);
/* A copy, or false: there is none. */
bool capture_text_get(struct capture_texts *t, enum capture_text which, struct strbuf *out);
/* The chunk at hand, from the first to the last of its keys, in a table that ends with `max`.
 * `begins`: it is the table's first. */
void capture_texts_chunk(struct capture_texts *t, struct slice id, struct slice from,
                         struct slice to, struct slice max, bool begins);
/* Tables that are captured, in any order; the array is sorted. */
void capture_texts_tables(struct capture_texts *t, struct slice *names, size_t count);
/* An incremental snapshot is paused, or not (any more). Thread: one. */
void capture_texts_pause(struct capture_texts *t, bool paused);
/* How long it was paused, with the pause at hand. */
int64_t capture_texts_paused_ms(const struct capture_texts *t);
/* "position: {...}, key: {...}": what the batch's last record is. position: JSON, or null; direct:
 * how texts of records are written (task_ctx). Nothing when the batch is empty. */
void capture_texts_last(struct capture_texts *t, enum capture_text which,
                        const struct record_batch *b, struct slice position,
                        const struct direct_form *direct);

#endif
