/* cdc/mongodb/newcomers.h - collections that come in later: those that wider lists take in at a
 * restart, and those that appear while the connector runs. Of each it is told once that no snapshot
 * has what it had before, and which signal brings that; and whether it keeps the images that
 * capture.mode asks for.
 *
 * The lists that were in force when a connector last ran are a row of the table mongo_captured. It
 * is read only where there is a stored offset, whatever became of the connector in between. SPEC:
 * cdc-mongodb 5.2, 8.1. Thread: the task's; blocks. */
#ifndef WEIR_CDC_MONGODB_NEWCOMERS_H
#define WEIR_CDC_MONGODB_NEWCOMERS_H

#include <jansson.h>

#include "base/db.h"
#include "base/map.h"
#include "cdc/mongodb/filter.h"
#include "cdc/mongodb/options.h"

struct mongo_task;
extern const struct db_migrations mongo_migrations;

/* Captured collections that were there at the start, or have been looked at since. */
struct mongo_known {
    struct map ids; /* "db.coll" */
    bool all;       /* they could be listed: what is not among them was not there */
};
void mongo_known_init(struct mongo_known *k);
void mongo_known_release(struct mongo_known *k);
/* False: it was known before. */
bool mongo_known_add(struct mongo_known *k, struct slice id);

/* The phase is chosen: afresh, all there is gets read or is not wanted; else the stream goes on
 * behind a stored offset, and what the lists of then left out is told. Faults of the store are
 * logged. */
void mongo_newcomers_begin(struct mongo_task *t, bool afresh);
/* Between two polls: looks at collections that the stream has met for the first time. */
void mongo_newcomers_look(struct mongo_task *t);

/* Appends the lists as JSON; and whether those that such a text tells captured this collection. */
void mongo_lists_print(const struct mongo_lists *l, struct strbuf *out);
struct mongo_then {
    struct mongo_filter filter;
    json_t *root;
};
enum err mongo_then_init(struct mongo_then *then, struct slice text, struct error *e) MUST_CHECK;
void mongo_then_release(struct mongo_then *then);
/* Appends what to do to get the documents of these collections. */
void mongo_bring_text(const struct mongo_options *o, const struct slice *ids, size_t count,
                      struct strbuf *out);

#endif
