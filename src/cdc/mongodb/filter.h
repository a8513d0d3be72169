/* cdc/mongodb/filter.h - which collections are captured: include and exclude lists as patterns or
 * as names, the scope, the signal collection. The server is asked for them too (pipeline.h), but
 * what it sends is looked at again. SPEC: cdc-mongodb 2.3, 5.1. Thread: the task's. */
#ifndef WEIR_CDC_MONGODB_FILTER_H
#define WEIR_CDC_MONGODB_FILTER_H

#include "cdc/filter.h"

/* Texts of the options; null or blank: not given. Borrowed. */
struct mongo_lists {
    bool literal; /* elements are names, else patterns */
    struct slice database_include, database_exclude;
    struct slice collection_include, collection_exclude; /* "db.coll" */
    struct slice signals;                                /* "db.coll" */
    struct slice scope_db, scope_coll; /* capture.target; null: the whole deployment; its db only */
};
struct mongo_filter {
    struct mongo_lists lists;
    struct capture_filter patterns; /* empty with literal */
    struct slice signals_db, signals_coll;
    bool signals_outside; /* there is a signal collection, and capture.target leaves it out */
};
enum err mongo_filter_init(struct mongo_filter *f, const struct mongo_lists *l,
                           struct error *e) MUST_CHECK;
void mongo_filter_release(struct mongo_filter *f);
/* "db.coll" at its first dot; coll null: there is none. SPEC: cdc-mongodb 12.17 */
void mongo_split_id(struct slice id, struct slice *db, struct slice *coll);
/* A database in which a captured collection may be. */
bool mongo_filter_database(const struct mongo_filter *f, struct slice db);
/* The signal collection always is, unless it is outside of the scope. */
bool mongo_filter_collection(const struct mongo_filter *f, struct slice db, struct slice coll);
bool mongo_filter_is_signals(const struct mongo_filter *f, struct slice db, struct slice coll);
bool mongo_filter_in_scope(const struct mongo_filter *f, struct slice db, struct slice coll);
bool mongo_is_internal(struct slice db); /* local, admin, config */

#endif
