/* cdc/mongodb/cursor.h - a cursor of the server's, by its own commands: the answers are kept as
 * they came and their documents read in place, and the position behind an answer without events
 * (the token of a change stream) is at hand. The driver's own cursors copy each event's token and
 * resume by themselves, once; here a lost cursor is an error, and whoever opened it knows where to
 * go on. SPEC: cdc-mongodb 5.4, 5.5, 11. Thread: that of the client. */
#ifndef WEIR_CDC_MONGODB_CURSOR_H
#define WEIR_CDC_MONGODB_CURSOR_H

#include "cdc/bson/bson_view.h"
#include "cdc/mongodb/client.h"

/* One answer: may be handed to another thread. */
struct mongo_reply {
    bson_t bson;
    struct slice documents; /* the batch: an array inside bson, checked */
    size_t bytes;
};
void mongo_reply_free(struct mongo_reply *r); /* NULL allowed */

struct mongo_ahead;
struct mongo_cursor {
    struct mongo_client_pool *pool;
    mongoc_client_t
        *client; /* both borrowed; while an answer is asked for ahead, used by that thread */
    mongoc_client_session_t *session;
    uint32_t server;
    char *db, *collection; /* as the server calls it */
    int64_t id;            /* 0: the server has closed it: no more answers */
    struct mongo_reply *reply;
    struct bson_walk walk;
    struct slice token; /* of the answer: postBatchResumeToken; null slice: none */
    bool has_time;
    uint32_t time_seconds, time_increment; /* of the answer: operationTime */
    size_t average;                        /* bytes of a document; 0: not known yet */
    bool full;                 /* the answer holds as much as was asked for: there is more */
    struct mongo_ahead *ahead; /* NULL: never asked ahead */
};
/* Runs `find`, `aggregate`, `listCollections` ...: a BSON document; on the primary, or where the
 * connection string wants reads. *out only on E_OK. Errors: see mongo_fault; E_CORRUPT. */
enum err mongo_cursor_open(struct mongo_cursor **out, struct mongo_client_pool *p,
                           mongoc_client_t *c, struct slice db, struct slice command, bool primary,
                           struct error *e) MUST_CHECK;
/* The same, of the member with this number in the driver (another cursor's `server`). */
enum err mongo_cursor_open_at(struct mongo_cursor **out, struct mongo_client_pool *p,
                              mongoc_client_t *c, struct slice db, struct slice command,
                              uint32_t server, struct error *e) MUST_CHECK;
void mongo_cursor_close(struct mongo_cursor *c); /* NULL allowed */
/* The next document of the answer at hand; valid until the next mongo_cursor_more. */
static inline bool mongo_cursor_next(struct mongo_cursor *c, struct slice *document)
{
    struct bson_item i;
    if (!bson_walk_next(&c->walk, &i))
        return false;
    *document = bson_doc(&i);
    return true;
}
/* Fetches the next answer, which may be empty. wait_ms: how long the server waits for a document
 * (tailable cursors only; 0: not said). size: most documents; 0: as many as make some megabytes.
 * Not with id 0. */
enum err mongo_cursor_more(struct mongo_cursor *c, int64_t wait_ms, int32_t size,
                           struct error *e) MUST_CHECK;
/* Asks for the next answer now, on a thread of the cursor's, so that the server makes it while this
 * one is worked on; the next mongo_cursor_more waits for it and takes it. Until then nobody may use
 * the client. Does nothing where no thread is to be had. Not with id 0. At most one is asked
 * for. */
void mongo_cursor_ask(struct mongo_cursor *c, int64_t wait_ms);
/* The answer at hand now belongs to the caller; the cursor has none. */
struct mongo_reply *mongo_cursor_take(struct mongo_cursor *c);

#endif
