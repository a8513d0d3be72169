/* connect/store.h - what Connect keeps in SQLite: connectors with their target states, statuses,
 * source offsets, intents (exactly once, see task_intent.c), active topics, logger levels.
 *
 * Every call blocks until its transaction is committed, except store_status, which is posted.
 * Thread: any but loops that serve sockets. Errors: E_IO and what db.h says. */
#ifndef WEIR_CONNECT_STORE_H
#define WEIR_CONNECT_STORE_H

#include "base/arena.h"
#include "base/db.h"
#include "base/err.h"
#include "base/strmap.h"
#include "connect/record.h"

/* --- connectors ------------------------------------------------------------------------------- */
struct stored_connector {
    struct slice name;   /* in the arena */
    struct slice config; /* JSON object: text values or null, in the user's order */
    struct slice target; /* "STARTED", "PAUSED", "STOPPED" */
    bool started_once;   /* false: created PAUSED and never resumed: it has no tasks yet */
};
enum err store_load(struct db *d, struct arena *a, struct stored_connector **out, size_t *count,
                    struct error *e) MUST_CHECK;
/* Creates or replaces; SLICE_NULL members of c but the name leave what is stored. */
enum err store_connector(struct db *d, const struct stored_connector *c,
                         struct error *e) MUST_CHECK;
/* Keeps the offsets. forget: the connector's own rows (may be NULL), in the same transaction. */
enum err store_delete(struct db *d, struct slice name,
                      enum err (*forget)(struct db *d, const char *connector, struct error *e),
                      struct error *e) MUST_CHECK;
void store_status(struct db *d, struct slice connector, int task, const char *state,
                  struct slice trace);

/* --- offsets ---------------------------------------------------------------------------------- */
/* Keys are compared by content: members sorted, no spaces. */
struct slice store_partition_key(struct arena *a, struct slice json);
/* Null slice when there is none. */
enum err store_offset_get(struct db *d, struct slice connector, struct slice partition,
                          struct arena *a, struct slice *out, struct error *e) MUST_CHECK;
enum err store_offsets_all(struct db *d, struct slice connector, struct arena *a,
                           struct record_offset **out, size_t *count, struct error *e) MUST_CHECK;
/* The user's change: null offsets delete; count 0 with all = true deletes everything. Ends the
 * intents of the connector. forget as in store_delete. */
enum err store_offsets_alter(struct db *d, struct slice connector,
                             const struct record_offset *offsets, size_t count, bool all,
                             enum err (*forget)(struct db *d, const char *connector,
                                                struct error *e),
                             struct error *e) MUST_CHECK;

/* --- exactly once ----------------------------------------------------------------------------- */
/* The intent of a task: one row. body is JSON written by task_intent.c; null slice deletes. */
struct stored_intent {
    int64_t producer_id;  /* -1: none */
    struct slice boot_id; /* of the machine when it was written */
    struct slice body;    /* null: no intent open */
    struct slice
        durable; /* offsets (JSON array) that a power loss does not take; null: none noted */
};
enum err store_intent_get(struct db *d, struct slice connector, int task, struct arena *a,
                          struct stored_intent *out, struct error *e) MUST_CHECK; /* E_NOT_FOUND */
/* One transaction: the offsets that are reached (last one of a partition wins), then the next
 * intent (NULL: leave the intent alone; durable null: leave it). */
enum err store_progress(struct db *d, struct slice connector, int task,
                        const struct record_offset *offsets, size_t count,
                        const struct stored_intent *intent, struct error *e) MUST_CHECK;
enum err store_durable(struct db *d, struct slice connector, int task, struct slice offsets_json,
                       struct error *e) MUST_CHECK;
/* Offsets as they were when everything was on disk, instead of the later ones; ends the intent.
 * all: the connector has only this task, so other partitions were not known then. */
enum err store_go_back(struct db *d, struct slice connector, int task,
                       const struct record_offset *offsets, size_t count, bool all,
                       struct error *e) MUST_CHECK;

/* --- topics in use ---------------------------------------------------------------------------- */
enum err store_topic_used(struct db *d, struct slice connector, struct slice topic, int task,
                          struct error *e) MUST_CHECK;
enum err store_topics(struct db *d, struct slice connector, struct arena *a, struct slice **out,
                      size_t *count, struct error *e) MUST_CHECK;
/* Whether any call above changed something since this was asked last. */
bool store_topics_changed(void);
enum err store_topics_reset(struct db *d, struct slice connector, struct error *e) MUST_CHECK;

#endif
