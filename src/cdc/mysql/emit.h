/* cdc/mysql/emit.h - rows to records: envelope, tombstone, the two or three records of a key
 * change. SPEC: cdc-mysql 5.1, 5.4, 5.6. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_EMIT_H
#define WEIR_CDC_MYSQL_EMIT_H

#include "base/base.h"
#include "cdc/envelope.h"
#include "cdc/mysql/schemas.h"
#include "cdc/mysql/source_info.h"
#include "cdc/transactions.h"
#include "connect/record.h"

struct emitter {
    struct source_info source; /* current block */
    struct context_headers headers;
    struct transactions *transactions; /* NULL: no blocks; borrowed */
    bool tombstones, skip_unchanged;
    bool hide_before;                         /* the next update's: not known (lean.h) */
    unsigned skipped;                         /* enum skipped_ops */
    uint64_t created, updated, deleted, read; /* events handed out, for metrics */
    uint64_t unchanged;                       /* updates that skip_unchanged left out */
};

/* Time stamps of the envelope, taken once per binlog event. */
struct emit_time {
    int64_t us;
};
/* Snapshot row. *source: the record's source array, so that its marker can be set later. */
enum err emit_read(struct emitter *em, struct record_batch *b, const struct shape *s,
                   struct value *row, struct emit_time t, struct value **source,
                   struct error *e) MUST_CHECK;
enum err emit_create(struct emitter *em, struct record_batch *b, const struct shape *s,
                     struct value *after, struct emit_time t, struct error *e) MUST_CHECK;
enum err emit_update(struct emitter *em, struct record_batch *b, const struct shape *s,
                     struct value *before, struct value *after, struct emit_time t,
                     struct error *e) MUST_CHECK;
enum err emit_delete(struct emitter *em, struct record_batch *b, const struct shape *s,
                     struct value *before, struct emit_time t, struct error *e) MUST_CHECK;
enum err emit_truncate(struct emitter *em, struct record_batch *b, const struct shape *s,
                       struct emit_time t, struct error *e) MUST_CHECK;

#endif
