/* cdc/mongodb/metrics.c - see metrics.h. What has no counterpart here (there is no queue between
 * reader and writer) has the value of an idle Debezium. */
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
    begin(c, t, "streaming");
    add(c, "Connected", "Whether it reads the change stream.",
        atomic_load_explicit(&t->connected, memory_order_relaxed));
    add(c, "MilliSecondsSinceLastEvent", "Since the last event was read; -1: none yet.",
        metrics_context_since(&t->event_ms));
    metrics_context_lag(c, &t->lag);
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
    metrics_context_add_text(c, "last_event", t->texts, TEXT_LAST_EVENT, "LastEvent",
                             "The last event: 1 for the text of the label.");
    metrics_context_add_text(c, "last_transaction_id", t->texts, TEXT_TRANSACTION,
                             "LastTransactionId",
                             "The last transaction of several operations: 1 for the id of the "
                             "label.");
    metrics_context_position(c, t->texts);
    metrics_context_tables(c, t->texts);
    queue(c, t);
}

static void snapshot_events(struct metrics_context *c, const struct mongo_task *t)
{
    add(c, "MilliSecondsSinceLastEvent", "Since a document was read; -1: none yet.",
        metrics_context_since(&t->snapshot_event_ms));
    add(c, "TotalNumberOfEventsSeen", "Documents of the snapshot.", load(&t->rows_read));
    add(c, "TotalNumberOfCreateEventsSeen", "Always 0: documents are read.", 0);
    add(c, "TotalNumberOfUpdateEventsSeen", "Always 0: documents are read.", 0);
    add(c, "TotalNumberOfDeleteEventsSeen", "Always 0: documents are read.", 0);
    add(c, "NumberOfEventsFiltered", "Always 0: only what is told is read.", 0);
    add(c, "NumberOfErroneousEvents", "Always 0: a document that can't be told ends the snapshot.",
        0);
    metrics_context_add_text(c, "last_event", t->texts, TEXT_SNAPSHOT_LAST_EVENT, "LastEvent",
                             "The last event: 1 for the text of the label.");
    metrics_context_tables(c, t->texts);
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
    metrics_context_pauses(c, t->texts);
    add(c, "SnapshotDurationInSeconds", "How long it took so far.",
        began ? (double)((ended ? ended : clock_mono_ms()) - began) / 1000 : 0);
    add(c, "TotalTableCount", "Collections of the snapshot.", all);
    add(c, "RemainingTableCount", "Collections that are left.", all > done ? all - done : 0);
    snapshot_events(c, t);
    add(c, "NumberOfDisconnects", "Change streams that were lost.", load(&t->disconnects));
    queue(c, t);
    metrics_context_scans(c, &t->scanned);
    metrics_context_chunk(c, t->texts);
    metrics_context_notes(c, t->signals ? &t->signals->work.notes : NULL);
}

static void contexts(struct metrics_context *c, const struct mongo_task *t, int phase)
{
    streaming(c, t);
    snapshot(c, t, phase);
    metrics_context_end(c);
}

void mongo_metrics(const struct mongo_task *t, struct metrics_table *out)
{
    struct metrics_context c;
    metrics_context_init(&c, out);
    contexts(&c, t, task_life_phase(&t->life));
}

void mongo_describe(const struct mongo_task *t, struct strbuf *out)
{
    struct metrics_context c;
    task_life_describe(&t->life, out);
    metrics_context_init_json(&c, out);
    contexts(&c, t, task_life_phase(&t->life));
}
