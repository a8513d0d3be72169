/* connect/herder_internal.h - the inside of the herder, shared by herder.c (requests that change),
 * herder_life.c (start, end), herder_offsets.c, herder_check.c (configurations), herder_run.c (starting
 * and stopping), herder_views.c (questions), herder_metrics.c and connect.c (start, stop).
 *
 * Changes run on the herder's loop thread, one after the other. The lock protects what the views
 * read and what task threads report; it is never held while waiting for a task, SQLite or a
 * database. */
#ifndef WEIR_CONNECT_HERDER_INTERNAL_H
#define WEIR_CONNECT_HERDER_INTERNAL_H

#include "base/base.h"

#include <pthread.h>

#include "base/loop.h"
#include "connect/herder.h"
#include "connect/mirror.h"
#include "connect/registry.h"
#include "connect/task.h"

enum conn_state {
    CONN_UNASSIGNED,
    CONN_RUNNING,
    CONN_PAUSED,
    CONN_STOPPED,
    CONN_FAILED,
    CONN_RESTARTING
};
enum conn_target { TARGET_STARTED, TARGET_PAUSED, TARGET_STOPPED };

struct htask {
    struct task *run; /* NULL: none */
    enum task_state state;
    char *trace;          /* NULL: none */
    struct strmap config; /* as REST shows it: references unresolved */
};
struct hconn {
    struct hconn *next; /* in order of creation */
    char *name;
    struct strmap config;            /* as the user gave it */
    const struct connector_ops *ops; /* NULL: the class is not there any more */
    enum conn_target target;
    enum conn_state state;
    char *trace;
    bool ever_started; /* tasks were made once: a paused connector has them then */
    bool started;      /* its version is known to the status */
    bool stale;        /* configuration changed while paused: tasks are made anew at resume */
    struct htask *tasks;
    size_t task_count;
};
struct herder {
    struct loop *loop;
    pthread_mutex_t lock;
    struct hconn *first; /* the loop's; read by others under the lock */
    struct db *db;
    struct kclient *kclient;
    struct mirror *mirror; /* the topics that tell of this worker's state */
    const struct registry *registry;
    struct strmap worker; /* worker's options: given or default, as texts */
    char *worker_id;
    bool stopping;
    atomic_int live_threads; /* of tasks, abandoned ones too */
    /* Attempts to start connectors [0] and tasks [1], and how many of them failed; for metrics. Under
     * the lock. */
    int64_t started[2], failed[2];
    int64_t began_ms; /* monotonic */
};

/* --- for connect.c ---------------------------------------------------------------------------- */
enum err herder_start(struct herder **out, struct db *db, struct kclient *k,
                      const struct registry *r, const struct strmap *worker,
                      struct error *e) MUST_CHECK;
/* The address is known now: everything that should run is started. */
void herder_go(struct herder *h, const char *worker_id);
/* Stops all tasks, then releases. False: a task's thread does not end, and what it uses (the herder,
 * kclient, db, registry) must stay; nothing was released. NULL allowed. */
bool herder_shutdown(struct herder *h) MUST_CHECK;

/* --- requests that change something (herder.c, herder_offsets.c) ------------------------------ */
struct herder_request {
    struct herder *h;
    enum err (*fn)(struct herder_request *r);
    struct slice name;
    const struct strmap *config;
    const struct strmap *base; /* what config was made from; NULL: whatever is there is replaced */
    enum conn_target target;
    bool include_tasks, only_failed, must_exist, created;
    int task;
    const struct record_offset *offsets;
    size_t offset_count;
    json_t *out;
    struct error *e;
    enum err err;
};
/* Runs fn on the herder's loop and gives its result. Thread: any but the herder's. */
enum err herder_submit(struct herder_request *r,
                       enum err (*fn)(struct herder_request *r)) MUST_CHECK;
/* Fills e with what REST answers; returns code. */
enum err herder_answer(struct error *e, enum err code, int status, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* Name, class, full validation (herder_check.c): out is the configuration with its name, to be
 * released in any case; *full the whole error text. Thread: the caller's; blocks on databases. */
enum err herder_check_config(struct herder *h, struct slice name, const struct strmap *config,
                             struct strmap *out, json_t **full, struct error *e) MUST_CHECK;

/* Those of sinks (herder_sink_offsets.c). raw: the connector's configuration. Thread: any. */
enum err herder_sink_offsets(struct herder *h, const char *name, const struct strmap *raw,
                             json_t **out, struct error *e) MUST_CHECK;
/* On the herder's loop, for a stopped connector; r->e is what REST answers. */
enum err hconn_alter_sink_offsets(struct herder_request *r, const struct hconn *c) MUST_CHECK;
enum err hconn_reset_sink_offsets(struct herder_request *r, const struct hconn *c) MUST_CHECK;

/* --- the list of connectors (herder.c; loop, lock not held) ----------------------------------- */
struct hconn *hconn_new(struct slice name, enum conn_target target);
void herder_append(struct herder *h, struct hconn *c);
void hconn_use_config(struct herder *h, struct hconn *c, const struct strmap *config); /* copies */
/* Runs fn on the loop behind what is there already, unless the connector is gone by then. */
void herder_post(struct herder *h, const char *name,
                 void (*fn)(struct herder *, struct hconn *, int), int arg);
void hconn_start_later(struct herder *h, struct hconn *c, int arg); /* for herder_post */
extern const char *const conn_target_names[];                       /* as they are stored */

/* --- lookups (loop, or under the lock) -------------------------------------------------------- */
struct hconn *herder_find(const struct herder *h, struct slice name);
const char *conn_state_name(enum conn_state s);
/* Sets a state with its stored copy. Takes the lock. */
void hconn_set_state(struct herder *h, struct hconn *c, enum conn_state s, struct slice trace);
void htask_set_state(struct herder *h, struct hconn *c, int task, enum task_state s,
                     struct slice trace);
/* Into the mirror: a state that is shown there only (UNASSIGNED of what was ended). */
void hconn_tell(struct herder *h, const struct hconn *c, int task, const char *state,
                struct slice trace);
void hconn_tell_tasks(struct herder *h, const struct hconn *c); /* their configurations */
/* For callers that hold the lock. */
json_t *herder_status_locked(const struct herder *h, const struct hconn *c);
json_t *herder_info_locked(const struct hconn *c);
bool worker_flag(const struct herder *h, const char *option); /* a BOOLEAN of the worker */

/* --- running (herder_run.c; loop only, lock not held) ----------------------------------------- */
void hconn_start(struct herder *h, struct hconn *c); /* connector, then tasks as the target says */
void hconn_start_connector(struct herder *h, struct hconn *c); /* leaves the tasks alone */
void hconn_start_tasks(struct herder *h, struct hconn *c, bool paused);
void hconn_restart_task(struct herder *h, struct hconn *c, size_t task);
/* Ends all tasks, waiting up to the graceful timeout; keeps them listed unless forget. */
void hconn_stop_tasks(struct herder *h, struct hconn *c, bool forget);
void hconn_free(struct hconn *c);
/* The same for all connectors at once, in one timeout. */
void herder_stop_all(struct herder *h);

/* --- metrics (herder_metrics.c): a collector, arg is the herder. Thread: any. ----------------- */
void herder_collect(struct strbuf *out, void *arg);

#endif
