/* connect/task_internal.h - the inside of a task, shared by task.c (thread and states),
 * task_source.c (the loop of a source), task_sink.c (that of a sink), task_intent.c (exactly once) and stages.c (converters,
 * transforms). */
#ifndef WEIR_CONNECT_TASK_INTERNAL_H
#define WEIR_CONNECT_TASK_INTERNAL_H

#include "base/base.h"

#include <pthread.h>
#include <time.h>

#include "base/map.h"
#include "connect/kclient.h"
#include "connect/stages.h"
#include "connect/task.h"
#include "connect/task_meter.h"

struct task {
    struct task_ctx ctx; /* first: what the connector's code sees */
    atomic_int refs;
    pthread_mutex_t lock; /* paused, ended, object */
    pthread_cond_t wake;
    pthread_mutex_t report_lock; /* held while on_state runs; never taken with lock held */
    bool paused, ended;
    atomic_bool
        abandoned; /* set by task_release (release), looked at before each append (acquire) */

    char *connector, *log_text, *run_id;
    struct strmap config, raw; /* references resolved, and as they were given */
    const struct connector_ops *ops;
    const struct registry *registry;
    struct strmap worker;
    int task_count;
    task_state_fn on_state;
    void *arg;
    atomic_int *live;

    struct task_meter meter;
    bool measured;              /* the counters of stages.rules can be read; under the lock */
    void *object;               /* the connector's own task; set and cleared under the lock */
    struct kconsumer *consumer; /* of a sink; likewise */
    struct sink *sink;          /* the thread's */
    _Atomic int64_t sink_partitions, sink_lag; /* of a sink: held; the most that one is behind */
    struct stages stages;                      /* the thread's */
};

/* Runs the source or the sink until it is told to stop (E_OK) or fails. Task thread. */
enum err task_source_run(struct task *t, struct error *e);
enum err task_sink_run(struct task *t, struct error *e);
/* Waits while the task is paused; false: stopping. Reports PAUSED and RUNNING. */
bool task_hold(struct task *t);
bool task_wants_pause(struct task *t);
void task_report(struct task *t, enum task_state s, struct slice trace);
void task_set_object(struct task *t, void *object);

/* --- exactly once (task_intent.c) ------------------------------------------------------------- */
struct intents {
    struct task *t;
    struct kproducer *producer;
    struct arena arena;            /* of reached */
    struct record_offset *reached; /* in the log, not yet in SQLite; last one of a partition wins */
    size_t reached_count, reached_cap;
    bool open;  /* the stored row has a body */
    bool noted; /* the row exists, with its durable offsets */
    char boot_id[40], config_hash[20];
    int64_t durable_at;         /* when the durable row was looked at last */
    struct strbuf durable_wait; /* offsets that are durable once the mark is synced; empty: none */
    struct map current;         /* partition key -> offset text (owned): all offsets of this task */
};
void intents_init(struct intents *in, struct task *t, struct kproducer *p);
void intents_release(struct intents *in);
/* Before the first poll: what the run before left behind. */
enum err intents_recover(struct intents *in, struct error *e) MUST_CHECK;
/* Before the append of a batch whose records were added to the producer. */
enum err intents_before(struct intents *in, const struct record_batch *b,
                        struct error *e) MUST_CHECK;
/* After the append: the batch's offsets are reached. */
void intents_after(struct intents *in, const struct record_batch *b);
/* Stores what is reached; nothing to do: no transaction. */
enum err intents_commit(struct intents *in, struct error *e) MUST_CHECK;
/* Now and then: notes offsets whose records are on disk. */
void intents_durable(struct intents *in, bool now);

/* Points in the protocol where tests end the task as a kill would. */
enum intent_fault {
    FAULT_NONE,
    FAULT_AFTER_INTENT,
    FAULT_MID_APPEND,
    FAULT_AFTER_APPEND,
    FAULT_AFTER_COMMIT,
    FAULT_AFTER_SYNC, /* the log is on disk, the durable offsets are not noted yet */
    FAULT_AFTER_DURABLE
};
extern _Atomic int intent_fault_at;
/* E_CANCELLED, or the end of the program, at the point that a test has chosen (task_fault.c). */
enum err intents_fault(enum intent_fault at, struct error *e) MUST_CHECK;
/* The same in two steps: is it now; then do it. */
bool intents_fault_due(enum intent_fault at);
enum err intents_fault_now(struct error *e) MUST_CHECK;

#endif
