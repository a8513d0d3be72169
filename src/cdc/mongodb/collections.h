/* cdc/mongodb/collections.h - what all events of a collection have in common: topic, schemas, rules
 * of its fields, the constant texts of its records. Made when its first document comes, and kept:
 * records of a batch point to it. SPEC: cdc-mongodb 6.1, 6.2. Thread: the task's. */
#ifndef WEIR_CDC_MONGODB_COLLECTIONS_H
#define WEIR_CDC_MONGODB_COLLECTIONS_H

#include "base/map.h"
#include "cdc/mongodb/fields.h"
#include "cdc/mongodb/filter.h"
#include "cdc/naming.h"
#include "connect/connector.h"

/* Fields of an envelope, of its source block and of updateDescription, in order. */
enum mongo_envelope_field {
    MONGO_BEFORE,
    MONGO_AFTER,
    MONGO_UPDATE,
    MONGO_SOURCE,
    MONGO_OP,
    MONGO_TS_MS,
    MONGO_TRANSACTION,
    MONGO_ENVELOPE_FIELDS
};
enum mongo_source_field {
    MONGO_SOURCE_VERSION,
    MONGO_SOURCE_CONNECTOR,
    MONGO_SOURCE_NAME,
    MONGO_SOURCE_TS_MS,
    MONGO_SOURCE_SNAPSHOT,
    MONGO_SOURCE_DB,
    MONGO_SOURCE_SEQUENCE,
    MONGO_SOURCE_TS_US,
    MONGO_SOURCE_TS_NS,
    MONGO_SOURCE_COLLECTION,
    MONGO_SOURCE_ORD,
    MONGO_SOURCE_LSID,
    MONGO_SOURCE_TXN,
    MONGO_SOURCE_WALL,
    MONGO_SOURCE_FIELDS
};
enum mongo_update_field {
    MONGO_REMOVED_FIELDS,
    MONGO_UPDATED_FIELDS,
    MONGO_TRUNCATED_ARRAYS,
    MONGO_UPDATE_FIELDS
};

struct collection {
    struct slice db, name, id;           /* id: "db.name" */
    struct slice source_db, source_name; /* as records tell them: the server's need not be UTF-8 */
    bool captured, is_signals;
    bool in_snapshot;        /* the initial one lists it */
    bool dropped, recreated; /* since it was looked at */
    struct collection *next_seen;
    bool is_seen; /* in the list of those */
    struct slice topic;
    const struct schema *key, *envelope;
    const struct field_filter *fields; /* NULL: documents stay as they are */
    /* Of records that are written as text, in the collection's arena:
     *   key:   key_head {"id":"...
     *   value: value_head {"before":... SOURCE ts SNAPSHOT marker DB ts_us ... */
    struct slice key_head, value_head;
    struct slice source; /* `,"source":{..."name":"x","ts_ms":` */
    struct slice db_part /* `,"db":"...","sequence":null,"ts_us":` */;
    struct slice coll_part; /* `,"collection":"...","ord":` */
    struct arena arena;
};
/* Borrowed; live as long as the collections. */
struct collections_options {
    struct slice prefix, delimiter; /* delimiter null: "." */
    bool unicode;                   /* topics by DefaultUnicodeTopicNamingStrategy */
    enum name_adjustment adjust;    /* of schema names */
    const struct mongo_filter *filter;
    struct field_rules *rules;        /* NULL: none */
    const struct direct_form *direct; /* NULL: records are values */
};
struct collections {
    struct collections_options o;
    const struct schema *source; /* of source blocks */
    struct map by_id;            /* "db.coll" -> struct collection */
    struct map by_topic;         /* of topics that differ from what was asked for */
    struct collection *seen;     /* captured ones that were met for the first time */
    struct collection *last;     /* events of one collection often follow each other */
    struct strbuf id;
};
void collections_init(struct collections *c, const struct collections_options *o);
void collections_release(struct collections *c);
/* Never NULL. */
struct collection *collections_get(struct collections *c, struct slice db, struct slice name);
/* Met for the first time since the last call, or for the first time again after it was dropped.
 * NULL: none. */
struct collection *collections_next_seen(struct collections *c);
void collections_dropped(struct collections *c, struct slice db, struct slice name);

#endif
