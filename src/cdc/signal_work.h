/* cdc/signal_work.h - what a running connector does with signals: it takes them from the stream and
 * from channels, and puts what they ask for between two polls of the stream: incremental snapshots
 * beside it, blocking ones in its place, notes about both. What databases do differently is struct
 * signal_work_ops. SPEC: cdc-mysql 3.6, 3.8, cdc-mongodb 4.3. Thread: the task's. */
#ifndef WEIR_CDC_SIGNAL_WORK_H
#define WEIR_CDC_SIGNAL_WORK_H

#include "base/log.h"
#include "cdc/incremental.h"
#include "cdc/notification.h"
#include "cdc/options.h"
#include "cdc/retries.h"
#include "cdc/scan_counts.h"
#include "cdc/signal_channel.h"
#include "cdc/snapshot_queue.h"
#include "connect/connector.h"

/* Names of collections (db.table), texts in the arena. */
struct signal_names {
    struct slice *items;
    size_t count, cap;
    struct arena arena;
};
void signal_names_add(struct signal_names *n, struct slice name); /* copies */

/* Each gets `db` as given to signal_work_init. */
struct signal_work_ops {
    enum log_category log;
    const struct incremental_ops *incremental;
    const char *kind;        /* what database.KIND names: "table" */
    const char *no_position; /* why set-binlog-position is refused */
    /* All that is captured and may be named by r, without the signal collection, in the order in
     * which it is to be read. */
    void (*list)(void *db, const struct signal_request *r, struct signal_names *out);
    void (*print_offset)(void *db,
                         struct strbuf *out); /* where the stream is, for the signal `log` */
    void (*wants_offset)(void *db);           /* the stream is to store one soon */
    enum err (*put_offset)(void *db, struct record_batch *b, struct error *e); /* behind a chunk */
    /* A blocking snapshot: whether it is at work, its begin and one poll of it. */
    bool (*blocking_runs)(void *db);
    enum err (*blocking_begin)(void *db, const struct signal_request *r, struct error *e);
    enum err (*blocking_poll)(void *db, struct record_batch *b, bool *done, struct error *e);
    bool (*passes)(const struct error *e); /* a new connection may help; NULL: never */
    /* It is over, and released here. failed: it was cut off, and perhaps never began; unless it
     * begins anew (`again`), it leaves the queue here. One that is done has left it with the
     * offset of its last batch. */
    enum err (*blocking_end)(void *db, struct record_batch *b, bool failed, bool again,
                             struct error *e);
};
struct signal_work {
    const struct signal_work_ops *ops;
    void *db;
    struct task_ctx *ctx;
    const struct capture_options *o; /* borrowed */
    struct notifier notes;
    struct signal_channels channels;
    struct incremental inc;
    struct snapshot_queue blocking;
    struct retries retries; /* of the first one */
    size_t batch_limit;
    struct scan_counts *scanned;
    uint64_t stored_changes; /* inc.changes as of the last offset */
};
/* scanned, texts: how far incremental snapshots are, for metrics; borrowed. texts NULL: not
 * shown. */
void signal_work_init(struct signal_work *w, const struct signal_work_ops *ops, void *db,
                      struct task_ctx *ctx, const struct capture_options *o,
                      struct scan_counts *scanned, struct capture_texts *texts);
void signal_work_release(struct signal_work *w);

/* --- offset ----------------------------------------------------------------------------------- */
/* What the stored offset (JSON) says about signals; and a new snapshot makes that void. */
void signal_work_restore(struct signal_work *w, struct slice offset);
void signal_work_forget(struct signal_work *w);
/* Appends the members of the offset, each with a comma before it. */
void signal_work_print(const struct signal_work *w, struct strbuf *out);

/* --- the stream ------------------------------------------------------------------------------- */
/* A row of the signal collection was inserted, or deleted: a signal (when they are taken from
 * there) or a mark of a window. An open mark is inserted; what closes the window is a second
 * insert, or the delete of the first. */
void signal_work_row(struct signal_work *w, const struct signal *s, bool inserted);
/* The same where it can be a mark only. */
void signal_work_mark(struct signal_work *w, struct slice id, bool inserted);
/* The stream stops here: something else comes first. */
static inline bool signal_work_holds(const struct signal_work *w)
{
    return incremental_holds(&w->inc) || w->blocking.count;
}

/* --- the task --------------------------------------------------------------------------------- */
/* Before the stream is polled: *taken when the batch is filled, or nothing of the stream may come
 * now. connected: else the stream does not know all of its position, or has lost its way to marks
 * of the chunk at hand, which another server may never have seen. */
enum err signal_work_poll(struct signal_work *w, bool connected, struct record_batch *b,
                          bool *taken, struct error *e) MUST_CHECK;

#endif
