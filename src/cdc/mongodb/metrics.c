/* cdc/mongodb/metrics.c - see metrics.h. Labels as those of MySQL's connectors: plugin, name, context. What
 * has no counterpart here (there is no queue between reader and writer) has the value of an idle
 * Debezium. */
#include "cdc/mongodb/metrics.h"

#include "base/clock.h"
#include "cdc/metrics_context.h"
#include "cdc/mongodb/signals.h"

static void begin(struct metrics_context *c, const struct mongo_task *t, const char *name)
{
    metrics_context_begin(c, "mongodb", t->o.topic_prefix, name);
}

static void add(struct metrics_context *c, const char *attribute, const char *help, double value)
{
    metrics_context_add(c, attribute, help, value);
}

static double load(const _Atomic uint64_t *v)
{
    return metrics_context_load(v);
}

static int64_t load_ms(const _Atomic int64_t *v)
{
    return atomic_load_explicit(v, memory_order_relaxed);
}

static void queue(struct metrics_context *c, const struct mongo_task *t)
{
    add(c, "QueueTotalCapacity", "max.queue.size.", (double)t->o.max_queue_size);
    add(c, "QueueRemainingCapacity", "All of it: records are not queued here.",
        (double)t->o.max_queue_size);
    add(c, "MaxQueueSizeInBytes", "Always 0: records are not queued here.", 0);
    add(c, "CurrentQueueSizeInBytes", "Always 0: records are not queued here.", 0);
}

static void events(struct metrics_context *c, const struct mongo_task *t)
{
    add(c, "TotalNumberOfEventsSeen", "Events of the change stream.", load(&t->events_seen));
    add(c, "TotalNumberOfCreateEventsSeen", "Inserts that were told.", load(&t->created));
    add(c, "TotalNumberOfUpdateEventsSeen", "Updates that were told.", load(&t->updated));
    add(c, "TotalNumberOfDeleteEventsSeen", "Deletes that were told.", load(&t->deleted));
    add(c, "NumberOfEventsFiltered", "Events of collections that are not captured.",
        load(&t->events_filtered));
    add(c, "NumberOfErroneousEvents", "Events that could not be told.", load(&t->events_failed));
}

static void streaming(struct metrics_context *c, const struct mongo_task *t)
{
    int64_t event_ms = load_ms(&t->event_ms), source_ms = load_ms(&t->source_ts_ms);
    begin(c, t, "streaming");
    add(c, "Connected", "Whether it reads the change stream.",
        atomic_load_explicit(&t->connected, memory_order_relaxed));
    add(c, "MilliSecondsSinceLastEvent", "Since the last event was read; -1: none yet.",
        event_ms ? (double)(clock_wall_ms() - event_ms) : -1);
    add(c, "MilliSecondsBehindSource", "From the change to its event here; -1: none yet.",
        event_ms && source_ms ? (double)MAX(event_ms - source_ms, (int64_t)0) : -1);
    events(c, t);
    add(c, "NumberOfCommittedTransactions",
        "Transactions read to their end (with provide.transaction.metadata).", load(&t->commits));
    add(c, "NumberOfDisconnects", "Change streams that were lost.", load(&t->disconnects));
    add(c, "NumberOfPrimaryElections", "Times that another member became the primary.",
        load(&t->elections));
    add(c, "LastSourceEventPollTime", "When the server answered last, in milliseconds since 1970.",
        (double)load_ms(&t->poll_ms));
    add(c, "LastEmptyPollTime", "When it last had no event, in milliseconds since 1970.",
        (double)load_ms(&t->empty_poll_ms));
    add(c, "NumberOfEmptyPolls", "Answers without an event.", load(&t->empty_polls));
    queue(c, t);
}

static void snapshot(struct metrics_context *c, const struct mongo_task *t, int phase)
{
    double all = load(&t->collections_total), done = load(&t->collections_done);
    int64_t began = load_ms(&t->snapshot_began_ms), ended = load_ms(&t->snapshot_ended_ms);
    begin(c, t, "snapshot");
    add(c, "SnapshotRunning", "Whether the snapshot is being read.", phase == PHASE_SNAPSHOT);
    add(c, "SnapshotCompleted", "Whether it was read to its end.", ended != 0);
    add(c, "SnapshotSkipped", "Whether there was none to take.",
        atomic_load_explicit(&t->snapshot_skipped, memory_order_relaxed));
    add(c, "SnapshotAborted", "Snapshots that ended before their end.", load(&t->snapshots_ended));
    add(c, "SnapshotPaused", "Always 0: it does not pause.", 0);
    add(c, "SnapshotPausedDurationInSeconds", "Always 0.", 0);
    add(c, "SnapshotDurationInSeconds", "How long it took so far.",
        began ? (double)((ended ? ended : clock_mono_ms()) - began) / 1000 : 0);
    add(c, "TotalTableCount", "Collections of the snapshot.", all);
    add(c, "RemainingTableCount", "Collections that are left.", all > done ? all - done : 0);
    add(c, "TotalNumberOfEventsSeen", "Documents of the snapshot.", load(&t->rows_read));
    add(c, "NumberOfEventsFiltered", "Always 0: not counted.", 0);
    add(c, "NumberOfDisconnects", "Change streams that were lost.", load(&t->disconnects));
    queue(c, t);
    metrics_context_scans(c, &t->scanned);
    metrics_context_notes(c, t->signals ? &t->signals->work.notes : NULL);
}

void mongo_metrics(const struct mongo_task *t, struct metrics_table *out)
{
    struct metrics_context c = {out, STRBUF_INIT};
    int phase = task_life_phase(&t->life);
    streaming(&c, t);
    snapshot(&c, t, phase);
    strbuf_release(&c.labels);
}
