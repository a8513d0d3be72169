/* cdc/mysql/task.h - one running connector: what its phases (cdc/task_life.h) share. CONNECT goes
 * to STREAM when there is a stored offset and the history could be recovered; STREAM opens its own
 * connection again.
 *
 * Thread: the task's, except the counters (atomic) that describe reads. SPEC: cdc-mysql 2.5, 3, 4
 */
#ifndef WEIR_CDC_MYSQL_TASK_H
#define WEIR_CDC_MYSQL_TASK_H

#include <stdatomic.h>

#include "base/base.h"
#include "cdc/capture_texts.h"
#include "cdc/lag_stats.h"
#include "cdc/mysql/access.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/emit.h"
#include "cdc/mysql/gtid_filter.h"
#include "cdc/mysql/history.h"
#include "cdc/mysql/neighbours.h"
#include "cdc/mysql/offset.h"
#include "cdc/mysql/options.h"
#include "cdc/mysql/schema.h"
#include "cdc/mysql/schema_change.h"
#include "cdc/mysql/schemas.h"
#include "cdc/scan_counts.h"
#include "cdc/task_life.h"
#include "connect/connector.h"

struct mysql_signals;
struct snapshot;
struct stream;

struct mysql_task {
    struct task_ctx *ctx;
    struct task_life life;
    struct mysql_options o;
    struct shape_rules rules;
    struct shapes shapes;
    struct emitter em;
    struct transactions transactions;
    struct gtid_filter gtid_filter;
    struct schema_change_schemas change_schemas;
    struct value_env env;
    struct neighbour neighbour;
    struct history history;
    bool history_open;
    struct mysql_access access;
    char *topic; /* of schema changes: topic.prefix */
    struct strbuf partition;

    struct mysql_conn *conn; /* SQL session; NULL: not connected */
    struct mysql_server server;
    struct mysql_schema *schema;
    struct mysql_offset
        offset; /* as loaded, later as the snapshot left it: where streaming begins */
    bool has_offset;
    struct snapshot *snapshot;
    struct mysql_signals *signals; /* NULL in tests of the stream alone */
    struct stream *stream;

    /* For describe and metrics; relaxed. */
    _Atomic uint64_t rows_read, events_seen, tables_total, tables_done;
    _Atomic uint64_t commits, disconnects, binlog_pos;
    _Atomic uint64_t created, updated, deleted, unchanged; /* of changes */
    _Atomic uint64_t events_filtered, events_left_out, rolled_back;
    _Atomic int64_t event_ms, snapshot_event_ms; /* wall clock, of the last change; 0: none */
    _Atomic int64_t snapshot_began_ms, snapshot_ended_ms; /* monotonic; 0: not yet */
    _Atomic bool by_gtid, snapshot_skipped;
    _Atomic bool holds_lock;          /* a snapshot keeps others from writing */
    _Atomic uint64_t snapshots_ended; /* before their end */
    struct scan_counts scanned;
    struct lag_stats lag;
    struct capture_texts *texts; /* NULL in tests of the stream alone */
};

extern const struct source_task_ops mysql_source_ops;
extern const struct source_task_ops mariadb_source_ops;

struct mysql_conn_options mysql_task_conn_options(const struct mysql_task *t);
/* SPEC: cdc-mysql 2.6 */
bool mysql_fault_passes(const struct error *e);
/* Connects (when needed), checks the server, loads the offset, recovers the tables and chooses the
 * phase. Messages are plain. */
enum err mysql_task_prepare(struct mysql_task *t, struct error *e) MUST_CHECK;
/* One statement's changes [0, count) of the list: history, schema-change records. at: the position
 * they hold for. snapshot: the marker of the records; replace: forget the older history. */
struct ddl_report {
    const struct mysql_offset *at;
    bool snapshot;
    bool replace;
    bool truncates;  /* row events for TRUNCATE of captured tables are wanted */
    struct slice db; /* of the QUERY event */
};
enum err mysql_task_report_changes(struct mysql_task *t, const struct mysql_changes *c,
                                   const struct ddl_report *how, struct record_batch *b,
                                   struct error *e) MUST_CHECK;
/* Most records of a poll. */
static inline size_t mysql_task_batch_limit(const struct mysql_task *t)
{
    return capture_batch_limit(&t->o.shared, t->ctx);
}
/* And enough bytes: some megabytes, or fewer that max.queue.size.in.bytes says. */
static inline bool mysql_task_batch_full(const struct mysql_task *t, const struct record_batch *b)
{
    size_t most = t->o.max_queue_bytes > 0 ? (size_t)t->o.max_queue_bytes : SIZE_MAX;
    return b->arena.used >= MIN((size_t)8 << 20, most) || b->bytes >= MIN((size_t)4 << 20, most);
}
/* Which tables are captured, for metrics. */
void mysql_task_show_tables(struct mysql_task *t);
bool mysql_task_captures(const struct mysql_task *t, const struct mysql_table *table);
static inline bool mysql_task_mariadb(const struct mysql_task *t)
{
    return t->server.mariadb;
}

#endif
