/* cdc/mongodb/change.h - one event of a change stream, read in place; and the pieces of an event
 * that the server has split, put together again. SPEC: cdc-mongodb 5.3, 5.7, 5.8. Thread: the
 * task's. */
#ifndef WEIR_CDC_MONGODB_CHANGE_H
#define WEIR_CDC_MONGODB_CHANGE_H

#include "cdc/bson/bson_build.h"

enum change_kind {
    CHANGE_INSERT,
    CHANGE_UPDATE,
    CHANGE_REPLACE,
    CHANGE_DELETE,
    CHANGE_INVALIDATE,
    CHANGE_DROP,
    CHANGE_RENAME,
    CHANGE_DROP_DATABASE,
    CHANGE_OTHER /* create, createIndexes, modify ... */
};
#define CHANGE_NO_TIME INT64_MIN
/* All slices point into the event. */
struct change {
    enum change_kind kind;
    struct slice operation;     /* operationType */
    struct slice token;         /* the document `_id`: where a stream resumes behind this event */
    struct slice db, coll;      /* coll null: of a database, or of nothing */
    struct bson_item id;        /* `_id` of the document that was changed */
    bool has_id;                /* false: a stage of the user's has taken it out */
    struct slice before, after; /* documents; null slice: none */
    bool has_update;
    struct slice updated, removed, truncated; /* document, array, array; null slice: none */
    bool has_time;
    uint32_t seconds, increment; /* clusterTime */
    int64_t wall_ms;             /* CHANGE_NO_TIME: the server is older than 6.0 */
    bool in_transaction;
    struct slice lsid; /* document */
    int64_t txn_number;
    int32_t fragment, fragments; /* splitEvent; 0: it is whole */
};
static inline bool change_is_data(const struct change *c)
{
    return c->kind <= CHANGE_DELETE;
}
/* The event was checked (bson_check) with the answer it came in. E_INVALID: without `_id` or
 * operationType, or (a change of data) without the names in `ns`, which a stage of cursor.pipeline
 * has taken out. */
enum err change_read(struct slice event, struct change *out, struct error *e) MUST_CHECK;

/* --- split events ----------------------------------------------------------------------------- */
struct change_merge {
    struct strbuf parts; /* the events so far, one behind the other */
    int32_t have, of;    /* fragments so far, and in all; 0: none open */
    struct bson_build whole;
};
void change_merge_init(struct change_merge *m);
void change_merge_release(struct change_merge *m);
/* A stream begins anew: what is open came from the one before. */
void change_merge_reset(struct change_merge *m);
/* Adds the fragment that was read into `part`. *out: the whole event once all are there (valid
 * until the next call), else the null slice. Of each member the first fragment that has it counts;
 * `_id` is the last one's. E_INVALID: "Missing event fragment"; E_TOO_LARGE, E_NOMEM. */
enum err change_merge_add(struct change_merge *m, struct slice event, const struct change *part,
                          struct slice *out, struct error *e) MUST_CHECK;

#endif
