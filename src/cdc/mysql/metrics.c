/* cdc/mysql/metrics.c - see metrics.h. What has no counterpart here (there is no queue between
 * reader and writer) has the value of an idle Debezium. */
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
    add(c, "CurrentQueueSizeInBytes", "Always 0: records are not queued here.", 0);
}

static void stream_events(struct metrics_context *c, const struct mysql_task *t)
{
    add(c, "TotalNumberOfEventsSeen", "Events of the binary log.", load(&t->events_seen));
    add(c, "TotalNumberOfCreateEventsSeen", "Inserts that were told.", load(&t->created));
    add(c, "TotalNumberOfUpdateEventsSeen", "Updates that were told.", load(&t->updated));
    add(c, "TotalNumberOfDeleteEventsSeen", "Deletes that were told.", load(&t->deleted));
    add(c, "NumberOfEventsFiltered", "Events with rows of tables that are not captured.",
        load(&t->events_filtered));
    add(c, "NumberOfErroneousEvents", "Events that could not be told.", load(&t->events_left_out));
    add(c, "NumberOfSkippedEvents", "Events that could not be told and were passed over.",
        load(&t->events_left_out));
    add(c, "NumberOfUnchangedEventsSkipped",
        "Updates without a change that skip.messages.without.change left out.",
        load(&t->unchanged));
}

static void streaming(struct metrics_context *c, const struct mysql_task *t, int phase)
{
    begin(c, t, "streaming");
    add(c, "Connected", "Whether it reads the binary log.",
        phase == PHASE_STREAM && !task_life_is_away(&t->life));
    add(c, "MilliSecondsSinceLastEvent", "Since the last change was read; -1: none yet.",
        metrics_context_since(&t->event_ms));
    metrics_context_lag(c, &t->lag);
    stream_events(c, t);
    add(c, "NumberOfCommittedTransactions", "Transactions read to their end.", load(&t->commits));
    add(c, "NumberOfDisconnects", "Connections that were lost.", load(&t->disconnects));
    add(c, "BinlogPosition", "Position in the file that is read.", load(&t->binlog_pos));
    add(c, "IsGtidModeEnabled", "Whether positions are GTIDs.",
        atomic_load_explicit(&t->by_gtid, memory_order_relaxed));
    add(c, "NumberOfRolledBackTransactions",
        "Transactions with changes that could not be rolled back; others are not in the log.",
        load(&t->rolled_back));
    add(c, "NumberOfNotWellFormedTransactions", "Always 0.", 0);
    add(c, "NumberOfLargeTransactions", "Always 0: none is held back.", 0);
    metrics_context_add_text(c, "last_event", t->texts, TEXT_LAST_EVENT, "LastEvent",
                             "The last event: 1 for the text of the label.");
    metrics_context_add_text(c, "last_transaction_id", t->texts, TEXT_TRANSACTION,
                             "LastTransactionId", "Its transaction: 1 for the id of the label.");
    metrics_context_position(c, t->texts);
    metrics_context_add_text(c, "binlog_filename", t->texts, TEXT_FILE, "BinlogFilename",
                             "File that is read: 1 for the name of the label.");
    metrics_context_add_text(c, "gtid_set", t->texts, TEXT_GTIDS, "GtidSet",
                             "Transactions that are done: 1 for the GTIDs of the label.");
    metrics_context_tables(c, t->texts);
    queue(c, t);
}

static void snapshot_events(struct metrics_context *c, const struct mysql_task *t)
{
    add(c, "MilliSecondsSinceLastEvent", "Since a row was read; -1: none yet.",
        metrics_context_since(&t->snapshot_event_ms));
    add(c, "TotalNumberOfEventsSeen", "Rows of the snapshot.", load(&t->rows_read));
    add(c, "TotalNumberOfCreateEventsSeen", "Always 0: rows are read.", 0);
    add(c, "TotalNumberOfUpdateEventsSeen", "Always 0: rows are read.", 0);
    add(c, "TotalNumberOfDeleteEventsSeen", "Always 0: rows are read.", 0);
    add(c, "NumberOfEventsFiltered", "Always 0: only rows that are told are read.", 0);
    add(c, "NumberOfErroneousEvents", "Always 0: a row that can't be told ends the snapshot.", 0);
    metrics_context_add_text(c, "last_event", t->texts, TEXT_SNAPSHOT_LAST_EVENT, "LastEvent",
                             "The last event: 1 for the text of the label.");
    metrics_context_tables(c, t->texts);
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
    add(c, "SnapshotSkipped", "Whether there was none to take.",
        atomic_load_explicit(&t->snapshot_skipped, memory_order_relaxed));
    add(c, "SnapshotAborted", "Snapshots that ended before their end.", load(&t->snapshots_ended));
    metrics_context_pauses(c, t->texts);
    add(c, "SnapshotDurationInSeconds", "How long it took so far.",
        began ? (double)((ended ? ended : clock_mono_ms()) - began) / 1000 : 0);
    add(c, "TotalTableCount", "Tables of the snapshot.", all);
    add(c, "RemainingTableCount", "Tables that are left.", all > done ? all - done : 0);
    add(c, "HoldingGlobalLock", "Whether the snapshot keeps others from writing.",
        atomic_load_explicit(&t->holds_lock, memory_order_relaxed));
    snapshot_events(c, t);
    queue(c, t);
    metrics_context_scans(c, &t->scanned);
    metrics_context_chunk(c, t->texts);
    metrics_context_notes(c, t->signals ? &t->signals->work.notes : NULL);
}

static void schema_history(struct metrics_context *c, const struct mysql_task *t)
{
    static const char *const states[] = {"STOPPED", "RECOVERING", "RUNNING"};
    const struct history *h = &t->history;
    int status = atomic_load_explicit(&h->status, memory_order_relaxed);
    int64_t began = atomic_load_explicit(&h->recovery_ms, memory_order_relaxed);
    begin(c, t, "schema-history");
    metrics_context_add_word(c, "status", slice_cstr(states[status]), "Status",
                             "What the schema history is doing: 1 for the status of the label.");
    add(c, "RecoveryStartTime", "Seconds since 1970; -1: not recovered in this run.",
        began ? (double)began / 1000 : -1);
    add(c, "ChangesRecovered", "Records read at the last recovery.", load(&h->recovered));
    add(c, "ChangesApplied", "Records stored in this run.", load(&h->applied));
    add(c, "MilliSecondsSinceLastAppliedChange", "-1: none yet.",
        metrics_context_since(&h->last_applied_ms));
    add(c, "MilliSecondsSinceLastRecoveredChange", "-1: none yet.",
        metrics_context_since(&h->last_recovered_ms));
    metrics_context_add_text(c, "last_applied_change", t->texts, TEXT_LAST_APPLIED,
                             "LastAppliedChange",
                             "Statement stored last: 1 for the text of the label.");
    metrics_context_add_text(c, "last_recovered_change", t->texts, TEXT_LAST_RECOVERED,
                             "LastRecoveredChange",
                             "Statement recovered last: 1 for the text of the label.");
}

static void contexts(struct metrics_context *c, const struct mysql_task *t, int phase)
{
    streaming(c, t, phase);
    snapshot(c, t, phase);
    schema_history(c, t);
    metrics_context_end(c);
}

void mysql_metrics(const struct mysql_task *t, struct metrics_table *out)
{
    struct metrics_context c;
    metrics_context_init(&c, out);
    contexts(&c, t, task_life_phase(&t->life));
}

void mysql_describe(const struct mysql_task *t, struct strbuf *out)
{
    struct metrics_context c;
    task_life_describe(&t->life, out);
    metrics_context_init_json(&c, out);
    contexts(&c, t, task_life_phase(&t->life));
}
