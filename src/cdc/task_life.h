/* cdc/task_life.h - life of a capturing task, which is the same for all databases:
 *
 *   CONNECT --prepare--> SNAPSHOT --done--> STREAM
 *      ^        |  \___________________________^        (there is an offset that still holds)
 *      |        \__> IDLE (initial_only)
 *      \___ a lost connection in CONNECT or SNAPSHOT
 *
 * prepare chooses the phase (task_life_go). What databases do differently is struct task_life_ops.
 * SPEC: cdc-mysql 2.5, 2.6, 3.1, cdc-mongodb 4, 5.6. Thread: the task's; the phase is read by
 * any. */
#ifndef WEIR_CDC_TASK_LIFE_H
#define WEIR_CDC_TASK_LIFE_H

#include <stdatomic.h>

#include "base/log.h"
#include "cdc/heartbeat.h"
#include "cdc/options.h"
#include "cdc/retries.h"
#include "connect/connector.h"

enum task_phase { PHASE_CONNECT, PHASE_SNAPSHOT, PHASE_STREAM, PHASE_IDLE };

/* Each gets `db` as given to task_life_init. Messages of errors are plain, but those of
 * poll_stream. */
struct task_life_ops {
    enum log_category log;
    const char *restart; /* told with the fault before a restart; NULL: nothing more is */
    /* Connects (when needed), checks the server, chooses the phase. */
    enum err (*prepare)(void *db, struct error *e);
    bool (*passes)(const struct error *e); /* the fault may be gone with another connection */
    /* What hangs on the connection, a snapshot that is cut off with it, and the connection. */
    void (*disconnect)(void *db);
    enum err (*poll_snapshot)(void *db, struct record_batch *b, bool *done, struct error *e);
    void (*snapshot_failed)(void *db); /* for good; may be NULL */
    void (*snapshot_done)(void *db);   /* released here */
    enum err (*poll_stream)(void *db, struct record_batch *b, struct error *e);
    /* A heartbeat is in the batch: what goes with it. */
    enum err (*beat)(void *db, struct record_batch *b, struct error *e);
};
struct task_life {
    const struct task_life_ops *ops;
    void *db;
    struct task_ctx *ctx;
    const struct capture_options *o; /* borrowed */
    bool snapshot_only;
    struct heartbeat heartbeat;
    _Atomic int phase;       /* enum task_phase; relaxed */
    _Atomic int64_t away_ms; /* not connected since, ms since 1970; 0: it is; relaxed */
    struct retries retries;  /* the pause is one of CONNECT */
    bool delay_stream;       /* a snapshot is done, and streaming.delay.ms has not passed */
};
void task_life_init(struct task_life *l, const struct task_life_ops *ops, void *db,
                    struct task_ctx *ctx, const struct capture_options *o, bool snapshot_only);
void task_life_release(struct task_life *l);

/* The first prepare. A fault that may pass is none: it is tried again by polls. */
enum err task_life_start(struct task_life *l, struct error *e) MUST_CHECK;
enum err task_life_poll(struct task_life *l, struct record_batch *b, struct error *e) MUST_CHECK;
/* For prepare, and for a stream that must begin with CONNECT again. */
void task_life_go(struct task_life *l, enum task_phase p);
/* CONNECT, but not at once. */
void task_life_again(struct task_life *l);
/* A connection was lost, or could not be made; and it is there (again). Told by CONNECT itself; a
 * stream that tries again in its own phase says it. */
void task_life_away(struct task_life *l);
void task_life_back(struct task_life *l);
static inline bool task_life_is_away(const struct task_life *l)
{
    return atomic_load_explicit(&l->away_ms, memory_order_relaxed) != 0;
}
static inline enum task_phase task_life_phase(const struct task_life *l)
{
    return (enum task_phase)atomic_load_explicit(&l->phase, memory_order_relaxed);
}

/* Appends the members that say it ("phase", "connected", and "notConnectedSince" in ms since 1970
 * while it is not), without a comma in front. Any thread. */
void task_life_describe(const struct task_life *l, struct strbuf *out);

#endif
