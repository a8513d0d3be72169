/* connect/task.h - one connector task on a thread of its own: starts it, pauses it, ends it.
 *
 * The thread owns everything below the task (converters, producer, the connector's task object);
 * the herder holds a reference and talks through flags. A task that does not end in time is
 * abandoned: its thread keeps the other reference, writes nothing more, and is reaped when it
 * returns; until then it is counted in task_spec.live. SPEC: connect 3, 8.1, 8.2. */
#ifndef WEIR_CONNECT_TASK_H
#define WEIR_CONNECT_TASK_H

#include "base/strmap.h"
#include "connect/connector.h"
#include "connect/registry.h"

struct task;
enum task_state { TASK_UNASSIGNED, TASK_RUNNING, TASK_PAUSED, TASK_FAILED, TASK_RESTARTING };
const char *task_state_name(enum task_state s);

/* Called on the task's thread (at most one call at a time); trace is null unless failed. Must not
 * block on the task. */
typedef void (*task_state_fn)(void *arg, struct task *t, enum task_state s, struct slice trace);

struct task_spec {
    struct slice connector;
    int task, task_count;
    const struct connector_ops *ops;
    const struct strmap *config; /* of the task, references resolved; copied */
    const struct strmap *raw;    /* the same with its references; copied */
    const struct strmap *worker; /* worker's options as texts; copied where needed */
    const struct registry *registry;
    struct kclient *kclient; /* borrowed */
    struct db *db;           /* borrowed */
    bool paused;
    task_state_fn on_state;
    void *arg;
    /* Threads that run, abandoned ones too: what is borrowed here may go when it is 0. */
    atomic_int *live;
};
enum err task_start(struct task **out, const struct task_spec *s, struct error *e) MUST_CHECK;
void task_pause(struct task *t, bool paused); /* reported when it has taken effect */
void task_ask_stop(struct task *t);           /* returns at once */
/* Waits until the thread has ended, at most until this time (clock_mono_ms). False: still running.
 */
bool task_wait(struct task *t, int64_t until_ms);
/* Drops the herder's reference. A thread that still runs is abandoned. */
void task_release(struct task *t);
int task_number(const struct task *t);
bool task_is_paused_wish(const struct task *t);
/* Members of a JSON object about progress, as the connector's task tells them. Any thread. */
void task_describe(struct task *t, struct strbuf *out);
/* What it has counted so far, and metrics of the connector's own. Any thread. */
struct task_meter;
struct metrics_table;
void task_measure(struct task *t, struct task_meter *out, struct metrics_table *own);

#endif
