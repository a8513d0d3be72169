/* cdc/mongodb/task.h - one running connector: what its phases (cdc/task_life.h) share. CONNECT goes
 * to STREAM when there is a stored offset that the server still knows; STREAM opens its cursor
 * again itself.
 *
 * Thread: the task's, except the counters (atomic) that describe and metrics read; a snapshot's
 * readers are its own (snapshot.c). SPEC: cdc-mongodb 4, 5 */
#ifndef WEIR_CDC_MONGODB_TASK_H
#define WEIR_CDC_MONGODB_TASK_H

#include <stdatomic.h>

#include "base/base.h"
#include "cdc/capture_texts.h"
#include "cdc/lag_stats.h"
#include "cdc/mongodb/client.h"
#include "cdc/mongodb/collections.h"
#include "cdc/mongodb/emit.h"
#include "cdc/mongodb/filter.h"
#include "cdc/mongodb/newcomers.h"
#include "cdc/mongodb/offset.h"
#include "cdc/mongodb/options.h"
#include "cdc/scan_counts.h"
#include "cdc/task_life.h"
#include "cdc/transactions.h"
#include "connect/connector.h"

struct mongo_snapshot;
struct mongo_signals;
struct mongo_stream;
struct mongo_task {
    struct task_ctx *ctx;
    struct task_life life;
    struct mongo_options o;
    struct arena arena; /* of texts that live as long as the task */
    struct mongo_filter filter;
    struct field_rules *rules; /* NULL: none */
    struct collections collections;
    struct mongo_known known;
    struct mongo_emitter em;
    struct transactions transactions;
    struct strbuf partition;
    struct slice user_stages; /* cursor.pipeline: a BSON array; null: none */

    struct mongo_client_pool *pool; /* NULL: not connected */
    struct mongo_offset
        offset;           /* as loaded, later as the snapshot left it: where streaming begins */
    struct strbuf stored; /* the offset's JSON as loaded */
    bool has_offset;
    struct mongo_snapshot *snapshot;
    struct mongo_signals *signals;
    struct mongo_stream *stream;
    bool server_looks_up; /* what lookup.h does is left to the server: it has refused */
    bool lost;            /* the server no longer had the position of the running stream */

    /* For describe and metrics; relaxed. */
    _Atomic uint64_t rows_read, events_seen, events_filtered, events_failed;
    _Atomic uint64_t created, updated, deleted; /* of events */
    _Atomic uint64_t collections_total, collections_done;
    _Atomic uint64_t commits, disconnects, elections, empty_polls;
    _Atomic int64_t event_ms, poll_ms, empty_poll_ms, snapshot_event_ms; /* wall clock; 0: none */
    _Atomic int64_t snapshot_began_ms, snapshot_ended_ms;                /* monotonic; 0: not yet */
    _Atomic bool connected, snapshot_skipped;
    _Atomic uint64_t snapshots_ended; /* before their end */
    struct scan_counts scanned;
    struct lag_stats lag;
    struct capture_texts *texts;
    size_t shown_collections; /* how many were known when they were shown last */
};

extern const struct source_task_ops mongo_source_ops;

/* Connects, loads the offset, asks the server whether it still has it, chooses the phase. Plain
 * messages. */
enum err mongo_task_prepare(struct mongo_task *t, struct error *e) MUST_CHECK;
/* What a poll of the snapshot has brought, for metrics: b still holds it, and at least one record.
 * And which collections are captured, of those that are known. */
void mongo_snapshot_show(struct mongo_task *t, const struct record_batch *b);
void mongo_task_show_collections(struct mongo_task *t);
/* Most records of a poll; and bytes. */
static inline size_t mongo_task_batch_limit(const struct mongo_task *t)
{
    return capture_batch_limit(&t->o.shared, t->ctx);
}
static inline bool mongo_task_batch_full(const struct record_batch *b)
{
    return b->arena.used >= (size_t)8 << 20 || b->bytes >= (size_t)4 << 20;
}
/* "The connector is trying to read change stream starting at ..." SPEC: cdc-mongodb 4.4 */
enum err mongo_task_lost(const struct mongo_offset *at, struct error *e);

#endif
