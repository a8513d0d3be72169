/* cdc/incremental.h - incremental snapshots: tables read in chunks while the stream goes on.
 *
 * A chunk is read between two marks that show up in the stream itself. From the first mark to the
 * second the stream takes out of the chunk what it has told itself (the streamed event is newer or
 * the same); at the second mark what is left of the chunk is handed out, before anything else:
 *
 *   NONE --step: mark, read, mark--> WAITING --open mark--> OPEN --close mark--> CLOSED
 *    ^-----------------------------------emit-------------------------------------------------/
 *
 * Marks are the database's business (struct incremental_ops): rows of a signal table, or positions.
 * What is asked for and how far it is travels in the source offset, together with the position of
 * the stream: after a restart the chunk at hand is read again. SPEC: cdc-mysql 3.7, 8.2,
 * cdc-mongodb 4.3, 8.1. Thread: the task's. */
#ifndef WEIR_CDC_INCREMENTAL_H
#define WEIR_CDC_INCREMENTAL_H

#include <jansson.h>

#include "base/base.h"
#include "base/bytes.h"
#include "base/map.h"
#include "cdc/capture_texts.h"
#include "cdc/notification.h"
#include "cdc/signal.h"
#include "connect/record.h"

struct incremental;
enum chunk_outcome {
    CHUNK_ROWS,    /* the window has rows and its end key */
    CHUNK_END,     /* no rows are left: the table is done */
    CHUNK_EMPTY,   /* the table has no rows at all */
    CHUNK_NO_KEY,  /* nothing to read it by; the reason has been logged */
    CHUNK_UNKNOWN, /* no such table, or not captured */
    CHUNK_FAILED,  /* the database refused the statement; logged */
    CHUNK_LATER,   /* not yet: again when the stream has come to here, as a chunk would */
};
struct incremental_ops {
    /* Sets a mark and commits it. E_IO, E_TIMEOUT, E_CANCELLED: try again later; others end the
     * whole snapshot. */
    enum err (*mark)(void *db, struct incremental *inc, bool open, struct error *e);
    /* Reads the chunk behind last_key of the first collection into the window (incremental_add,
     * incremental_set_end), and first its max_key when there is none (incremental_set_max). Errors
     * as above. */
    enum err (*read)(void *db, struct incremental *inc, enum chunk_outcome *out, struct error *e);
    /* The chunk is about to be handed out: false when it no longer fits the table. */
    bool (*is_valid)(void *db, struct incremental *inc);
    /* A row that was given to incremental_add becomes a record. */
    enum err (*emit)(void *db, struct record_batch *b, const void *row, struct error *e);
    bool last_key_last; /* order of members in notes of progress, which readers may see */
};

struct inc_collection {
    char *id;     /* db.table */
    char *filter; /* NULL: none */
    char *surrogate_key;
    char *correlation; /* id of the signal */
};
enum inc_window { INC_NONE, INC_WAITING, INC_OPEN, INC_CLOSED };
struct incremental {
    const struct incremental_ops *ops;
    void *db;
    struct notifier *notes;
    struct capture_texts *texts;  /* set after incremental_init; NULL: nothing is shown */
    struct inc_collection *items; /* the first one is being read */
    size_t count;
    bool paused;
    char *last_key, *max_key; /* of the first one: JSON arrays; NULL: not yet */
    char *key_form; /* what the two are values of, in the database's words; NULL: not known */
    uint64_t scanned;
    /* the chunk */
    enum inc_window window;
    char mark_id[UUID_DASHED_SIZE];
    struct arena arena; /* of keys and rows; what read wants to keep, too */
    struct map by_key;  /* key -> struct inc_row */
    struct inc_row *first, *last;
    uint64_t rows;
    char *begin_key, *end_key; /* begin_key: to be shown only */
    bool emitting;
    bool later;     /* the window is there to wait only */
    bool doubtful;  /* see incremental_doubt */
    unsigned again; /* how often the chunk at hand was read again for doubts */
    int64_t next_try_ms;
    uint64_t changes; /* grows with what is in the offset */
};
void incremental_init(struct incremental *inc, const struct incremental_ops *ops, void *db,
                      struct notifier *notes);
void incremental_release(struct incremental *inc);
static inline bool incremental_running(const struct incremental *inc)
{
    return inc->count > 0;
}

/* --- signals ---------------------------------------------------------------------------------- */
/* names: collections that the signal's patterns stand for. */
void incremental_request(struct incremental *inc, const struct signal_request *r,
                         const struct slice *names, size_t count);
void incremental_stop(struct incremental *inc, const struct signal_request *r);
void incremental_pause(struct incremental *inc, bool paused);

/* --- the task's loop -------------------------------------------------------------------------- */
/* Reads the next chunk when it is time for it. Faults are logged here; E_CANCELLED: the task is
 * stopping. */
enum err incremental_step(struct incremental *inc, struct error *e) MUST_CHECK;
/* A mark has come by in the stream. True: it was the closing one; nothing else of the stream may be
 * handed out before incremental_emit has said that it is done. */
bool incremental_passed(struct incremental *inc, struct slice mark_id, bool open);
static inline bool incremental_holds(const struct incremental *inc)
{
    return inc->window == INC_CLOSED;
}
/* Whether streamed changes of this collection have to be told to incremental_streamed. */
static inline bool incremental_watches(const struct incremental *inc)
{
    return inc->window == INC_OPEN && inc->count > 0;
}
void incremental_streamed(struct incremental *inc, struct slice key);
/* The stream has told a change of which it cannot be said which row it is of: the chunk is read
 * again. When that happens again and again all rows are handed out: some may be older than what the
 * stream has told, which it will tell once more with their next change; none is missing. */
void incremental_doubt(struct incremental *inc);
/* The chunk is worth nothing any more: it is read again. */
void incremental_drop(struct incremental *inc);
/* Rows of the closed window into the batch, up to limit records; then the window is done. The batch
 * holds nothing else and is unrepeatable. */
enum err incremental_emit(struct incremental *inc, struct record_batch *b, size_t limit,
                          struct error *e) MUST_CHECK;

/* --- for ops->read ---------------------------------------------------------------------------- */
/* row lives in inc->arena. Rows whose keys are the same are all kept; a streamed change of that key
 * is a doubt. E_NOMEM. */
enum err incremental_add(struct incremental *inc, struct slice key, void *row) MUST_CHECK;
/* key: a JSON array of what the rows are read by. */
void incremental_set_end(struct incremental *inc, struct slice key);
void incremental_set_begin(struct incremental *inc, struct slice key); /* the first call counts */
void incremental_set_max(struct incremental *inc, struct slice key);
/* Before keys are used: what they are values of now (names, types, order). When that is another
 * thing than what last_key and max_key were made of, the table begins anew. */
void incremental_set_key_form(struct incremental *inc, struct slice form);

/* --- offset ----------------------------------------------------------------------------------- */
/* Appends members, each with a comma before it: nothing when nothing runs. */
void incremental_print(const struct incremental *inc, struct strbuf *out);
/* Takes over what a stored offset says; keys in a foreign form begin the table anew. */
void incremental_restore(struct incremental *inc, const json_t *offset);

#endif
