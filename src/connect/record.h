/* connect/record.h - records on their way between connector, transforms, converters and log, and
 * the batch that owns them.
 *
 * A batch is what one poll gave: its arena holds every value; nothing in it is released singly and
 * nothing outlives record_batch_reset. Schemas in a batch are borrowed from whoever built them (a
 * table version keeps its schemas until the batch is reset) or kept by record_batch_keep.
 * Thread: the task's. SPEC: connect 5.1, 8.1. */
#ifndef WEIR_CONNECT_RECORD_H
#define WEIR_CONNECT_RECORD_H

#include "base/arena.h"
#include "connect/schema.h"

struct krecord; /* kclient.h */
struct record_header {
    struct slice name;
    const struct schema *schema; /* NULL: schemaless */
    struct value value;
};
/* Headers that all records of a source share (Debezium's context headers) are built once and
 * pointed to; a transform that changes headers makes its own array in the arena first. */
struct record_headers {
    const struct record_header *items;
    size_t count;
    bool lasting; /* the array stays as it is as long as the task: the runtime knows it again */
};

/* Key and value as they go into the log, written by the source itself because nothing but
 * JsonConverter stands between it and the log (struct direct_form in connector.h). The bytes are
 * positions in the batch's text; heads are constant beginnings that live as long as the batch
 * (a schema and what surrounds it, the same for all records of a table). */
struct record_text {
    bool used; /* else key and value are values */
    bool value_null;
    bool key_null;
    size_t key_at, key_n, value_at, value_n;
    struct slice key_head, value_head; /* may be empty */
};

#define RECORD_NO_TIMESTAMP INT64_MIN
#define RECORD_NO_PARTITION (-1)
struct record {
    struct slice topic;
    int32_t partition;               /* RECORD_NO_PARTITION: by key hash */
    const struct schema *key_schema; /* NULL: schemaless */
    const struct schema *value_schema;
    struct value key, value;
    int64_t timestamp_ms; /* RECORD_NO_TIMESTAMP: none (the runtime takes now) */
    struct record_headers headers;
    struct record_text text; /* source side */
    /* Sink side: where it was read, -1 in a source; and the record as it was read, before any
     * transform, in the batch's arena (NULL in a source). */
    int64_t kafka_offset;
    const struct krecord *consumed;
    /* Source side: index into the batch's offsets that holds once this record is in the log. */
    uint32_t offset_index;
    bool dropped; /* a transform or tolerance took it out */
};

/* Source offset as Connect stores it: one JSON object text each. */
struct record_offset {
    struct slice partition; /* {"server":"dbserver1"} */
    struct slice offset; /* {"file":...,"pos":...}; null slice = forget this partition's offset */
};

struct record_batch {
    struct arena arena;
    struct strbuf
        text; /* of records that are written directly; keeps its room from batch to batch */
    struct record *records;
    size_t count, cap;
    /* Offsets to store after the append, oldest first; the last one of a partition wins. A batch
     * without records may carry an offset too (progress without events). */
    struct record_offset *offsets;
    size_t offsets_count, offsets_cap;
    size_t bytes; /* rough size of what it holds, for limits */
    /* Reading again from the offset before gives other records (rows of a snapshot as they are then,
     * notifications): when a crash left a part of the batch behind, nothing is left out of what
     * comes instead, so some may come twice. Reset with the batch. */
    bool unrepeatable;
};
#define RECORD_TEXT_KEPT ((size_t)8 << 20) /* room of text beyond this is given back at a reset */

void record_batch_init(struct record_batch *b, size_t budget_bytes);
void record_batch_release(struct record_batch *b);
void record_batch_reset(struct record_batch *b);
/* A zeroed record (partition and timestamp unset) at the end. NULL without memory. The pointer is
 * valid until the next add. */
struct record *record_batch_add(struct record_batch *b) MUST_CHECK;
/* Copies both texts into the arena. */
enum err record_batch_offset(struct record_batch *b, struct slice partition,
                             struct slice offset) MUST_CHECK;
/* Holds a reference of s until the batch is reset. */
void record_batch_keep(struct record_batch *b, const struct schema *s);

#endif
