/* cdc/mongodb/emit.h - documents and changes to records: envelope, key, tombstone, source block.
 *
 * Where nothing but JsonConverter follows, key and value are written as text at once, straight from
 * the BSON bytes: constant pieces of the collection (collections.h) with what differs between them,
 * nothing allocated per record. Else they are values in the batch's arena. Both give the same bytes
 * (tests/unit/cdc/mongodb/test_mongo_emit.c). SPEC: cdc-mongodb 6. Thread: the task's. */
#ifndef WEIR_CDC_MONGODB_EMIT_H
#define WEIR_CDC_MONGODB_EMIT_H

#include "cdc/bson/bson_json.h"
#include "cdc/envelope.h"
#include "cdc/mongodb/change.h"
#include "cdc/mongodb/collections.h"
#include "cdc/transactions.h"

struct mongo_emitter {
    const struct direct_form *direct; /* NULL: records are values */
    struct slice prefix;              /* topic.prefix; borrowed */
    struct bson_json_form documents, updates;
    bool tombstones;
    unsigned skipped;                  /* enum skipped_ops */
    struct context_headers headers;    /* released by whoever set them up */
    struct transactions *transactions; /* NULL: no blocks; borrowed */
    struct bson_build build;           /* of documents that a rule changes */
    struct strbuf scratch, path;
    uint64_t created, updated, deleted, read; /* records handed out, for metrics */
};
void mongo_emitter_init(struct mongo_emitter *em);
void mongo_emitter_release(struct mongo_emitter *em);

/* The record of a change to data; after a delete its tombstone. Nothing is added when its operation
 * is skipped. now_ms: envelope's ts_ms. E_INVALID: the event cannot be told (a rule of fields does
 * not fit, or it has no key); nothing was added. E_NOMEM. */
enum err mongo_emit_change(struct mongo_emitter *em, struct record_batch *b, struct collection *c,
                           const struct change *change, int64_t now_ms, struct error *e) MUST_CHECK;
/* A document that was read. marker: "true", "last", "incremental" (static). */
struct mongo_read {
    struct slice marker;
    int64_t source_ms; /* of the source block */
    int32_t ord;
};
enum err mongo_emit_read(struct mongo_emitter *em, struct record_batch *b, struct collection *c,
                         struct slice document, const struct mongo_read *how, int64_t now_ms,
                         struct error *e) MUST_CHECK;

#endif
