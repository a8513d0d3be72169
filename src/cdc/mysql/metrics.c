/* cdc/mysql/metrics.c - see metrics.h.
 *
 * Labels as in Debezium's examples: plugin, name (topic.prefix), context. What has no counterpart here
 * (there is no queue between reader and writer) has the value of an idle Debezium. */
#include "cdc/mysql/metrics.h"

#include "base/clock.h"
#include "cdc/metrics_context.h"
#include "cdc/mysql/signals.h"

static void begin(struct metrics_context *c, const struct mysql_task *t, const char *name)
{
    metrics_context_begin(c, t->o.flavour == FLAVOUR_MARIADB ? "mariadb" : "mysql",
                          slice_cstr(t->topic), name);
}

static void add(struct metrics_context *c, const char *attribute, const char *help, double value)
{
    metrics_context_add(c, attribute, help, value);
}

static double load(const _Atomic uint64_t *v)
{
    return metrics_context_load(v);
}

static void queue(struct metrics_context *c, const struct mysql_task *t)
{
    add(c, "QueueTotalCapacity", "max.queue.size.", (double)t->o.max_queue_size);
    add(c, "QueueRemainingCapacity", "All of it: records are not queued here.",
        (double)t->o.max_queue_size);
    add(c, "MaxQueueSizeInBytes", "max.queue.size.in.bytes: most bytes of a batch; 0: as built.",
        (double)t->o.max_queue_bytes);
}

static void streaming(struct metrics_context *c, const struct mysql_task *t, int phase)
{
    int64_t event_ms = atomic_load_explicit(&t->event_ms, memory_order_relaxed);
    int64_t source_ms = atomic_load_explicit(&t->source_ts_ms, memory_order_relaxed);
    begin(c, t, "streaming");
    add(c, "Connected", "Whether it reads the binary log.", phase == PHASE_STREAM);
    add(c, "MilliSecondsSinceLastEvent", "Since the last event was read; -1: none yet.",
        event_ms ? (double)(clock_wall_ms() - event_ms) : -1);
    add(c, "MilliSecondsBehindSource", "From the change to its event here; -1: none yet.",
        event_ms && source_ms ? (double)MAX(event_ms - source_ms, (int64_t)0) : -1);
    add(c, "TotalNumberOfEventsSeen", "Events of the binary log.", load(&t->events_seen));
    add(c, "NumberOfCommittedTransactions", "Transactions read to their end.", load(&t->commits));
    add(c, "NumberOfDisconnects", "Connections that were lost.", load(&t->disconnects));
    add(c, "BinlogPosition", "Position in the file that is read.", load(&t->binlog_pos));
    add(c, "IsGtidModeEnabled", "Whether positions are GTIDs.",
        atomic_load_explicit(&t->by_gtid, memory_order_relaxed));
    add(c, "NumberOfEventsFiltered", "Always 0: not counted.", 0);
    add(c, "NumberOfErroneousEvents", "Always 0: a wrong event fails the task.", 0);
    add(c, "NumberOfRolledBackTransactions", "Always 0: they are not in the log.", 0);
    add(c, "NumberOfNotWellFormedTransactions", "Always 0.", 0);
    add(c, "NumberOfLargeTransactions", "Always 0: none is held back.", 0);
    add(c, "NumberOfSkippedEvents", "Always 0: not counted.", 0);
    queue(c, t);
}

/* Wall clock; -1: never. */
static double since(const _Atomic int64_t *ms)
{
    int64_t at = atomic_load_explicit(ms, memory_order_relaxed);
    return at ? (double)MAX(clock_wall_ms() - at, (int64_t)0) : -1;
}

static void snapshot(struct metrics_context *c, const struct mysql_task *t, int phase)
{
    double all = load(&t->tables_total), done = load(&t->tables_done);
    bool running = phase == PHASE_SNAPSHOT;
    int64_t began = atomic_load_explicit(&t->snapshot_began_ms, memory_order_relaxed);
    int64_t ended = atomic_load_explicit(&t->snapshot_ended_ms, memory_order_relaxed);
    begin(c, t, "snapshot");
    add(c, "SnapshotRunning", "Whether the snapshot is being read.", running);
    add(c, "SnapshotCompleted", "Whether it was read to its end.", ended != 0);
    add(c, "SnapshotAborted", "Snapshots that ended before their end.", load(&t->snapshots_ended));
    add(c, "SnapshotPaused", "Always 0: incremental snapshots alone are paused.", 0);
    add(c, "SnapshotDurationInSeconds", "How long it took so far.",
        began ? (double)((ended ? ended : clock_mono_ms()) - began) / 1000 : 0);
    add(c, "TotalTableCount", "Tables of the snapshot.", all);
    add(c, "RemainingTableCount", "Tables that are left.", all > done ? all - done : 0);
    add(c, "TotalNumberOfEventsSeen", "Rows of the snapshot.", load(&t->rows_read));
    add(c, "NumberOfEventsFiltered", "Always 0: not counted.", 0);
    add(c, "HoldingGlobalLock", "Whether the snapshot keeps others from writing.",
        atomic_load_explicit(&t->holds_lock, memory_order_relaxed));
    queue(c, t);
    metrics_context_scans(c, &t->scanned);
    metrics_context_notes(c, t->signals ? &t->signals->work.notes : NULL);
}

static void schema_history(struct metrics_context *c, const struct mysql_task *t)
{
    static const char *const states[] = {"STOPPED", "RECOVERING", "RUNNING"};
    const struct history *h = &t->history;
    int status = atomic_load_explicit(&h->status, memory_order_relaxed);
    int64_t began = atomic_load_explicit(&h->recovery_ms, memory_order_relaxed);
    begin(c, t, "schema-history");
    metrics_context_add_labelled(c, "status", slice_cstr(states[status]), "Status",
                                 "What the schema history is doing: 1 for the status of the label.",
                                 1);
    add(c, "RecoveryStartTime", "Seconds since 1970; -1: not recovered in this run.",
        began ? (double)began / 1000 : -1);
    add(c, "ChangesRecovered", "Records read at the last recovery.", load(&h->recovered));
    add(c, "ChangesApplied", "Records stored in this run.", load(&h->applied));
    add(c, "MilliSecondsSinceLastAppliedChange", "-1: none yet.", since(&h->last_applied_ms));
    add(c, "MilliSecondsSinceLastRecoveredChange", "-1: none yet.", since(&h->last_recovered_ms));
}

void mysql_metrics(const struct mysql_task *t, struct metrics_table *out)
{
    struct metrics_context c = {out, STRBUF_INIT};
    int phase = task_life_phase(&t->life);
    streaming(&c, t, phase);
    snapshot(&c, t, phase);
    schema_history(&c, t);
    strbuf_release(&c.labels);
}
