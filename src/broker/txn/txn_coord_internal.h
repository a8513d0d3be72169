/* broker/txn/txn_coord_internal.h - shared by txn_coord.c (life, queue, storing, ending), txn_entry.c
 * (what an id has in memory), txn_calls.c (requests) and txn_views.c (describe, list). Coordinator
 * loop. */
#ifndef WEIR_BROKER_TXN_TXN_COORD_INTERNAL_H
#define WEIR_BROKER_TXN_TXN_COORD_INTERNAL_H

#include <stdatomic.h>

#include "base/loop.h"
#include "base/map.h"
#include "broker/txn/txn_coord.h"

typedef void (*txn_then_fn)(struct txn_entry *e, struct txn_call *call);

/* Offsets of one group in one transaction. */
struct txn_group {
    struct link of_group; /* in txn_coord.groups */
    char *id;
    struct offset_map pending;
};
struct txn_entry {
    struct txn_coord *tc;
    char *id;
    bool known;   /* stored; else only being made */
    bool busy;    /* a request, or the end of a transaction, is under way */
    bool running; /* its queue is being worked on, further up on the stack */
    struct txn_facts facts;
    struct arena names;     /* of topics in parts */
    struct txn_part *parts; /* sorted */
    size_t part_count, part_cap;
    struct txn_group **groups;
    size_t group_count;
    struct list waiting;     /* struct txn_call */
    txn_then_fn ended;       /* what follows the end that is under way */
    struct loop_timer retry; /* of markers that could not be written */
};
struct txn_coord {
    struct txn_coord_options o;
    struct txn_coord_parts p;
    struct loop *loop;
    struct map entries; /* id -> struct txn_entry */
    struct map groups;  /* group id -> struct list of txn_group */
    struct loop_timer sweep, expiry;
    bool quiet;
    /* Statistics: written on the loop, read by any thread; relaxed. */
    _Atomic int64_t ids, open, committed, aborted, timed_out;
    _Atomic int under_way; /* jobs on other threads that come back here */
};

struct txn_op {
    void (*run)(struct txn_entry *e, struct txn_call *call);
    /* Fills the answer with this code; does not end the call. */
    void (*refuse)(struct txn_call *call, int16_t code);
};

/* --- txn_entry.c ------------------------------------------------------------------------------ */
struct txn_entry *txn_find(struct txn_coord *tc, struct slice id); /* NULL; may be not known yet */
struct txn_entry *txn_find_or_add(struct txn_coord *tc, struct slice id);
void txn_entry_free(void *entry);
static inline const struct txn_facts *txn_facts_of(const struct txn_entry *e)
{
    return e->known ? &e->facts : NULL;
}
bool txn_has_part(const struct txn_entry *e, struct slice topic, int32_t partition);
void txn_add_part(struct txn_entry *e, struct slice topic, int32_t partition);
void txn_clear_parts(struct txn_entry *e);
struct txn_group *txn_find_group(const struct txn_entry *e, struct slice group); /* NULL */
struct txn_group *txn_add_group(struct txn_entry *e, struct slice group);
void txn_clear_groups(struct txn_entry *e);
/* For OffsetFetch of who wants stable offsets: a hook of coord.h. */
bool txn_is_unstable(void *txn_coord, struct slice group, struct slice topic, int32_t partition);

/* --- txn_coord.c ------------------------------------------------------------------------------ */

/* Ends the call (NULL: none); the id is free for the next. */
void txn_done(struct txn_entry *e, struct txn_call *call);
void txn_refuse(struct txn_entry *e, struct txn_call *call, int16_t code);
/* Runs the call again with call->new_id set, or refuses it. */
void txn_need_id(struct txn_entry *e, struct txn_call *call);

/* Takes the job; when it is stored: memory follows, then `then`; when not: refuses the call with
 * COORDINATOR_NOT_AVAILABLE (clients try again). */
void txn_store(struct txn_entry *e, struct txn_job *j, struct txn_call *call, txn_then_fn then);
/* Stores `next`, a Prepare state, ends the transaction, then `then`: the outcome is decided, though
 * it may not be complete when a disk fails. */
void txn_finish(struct txn_entry *e, const struct txn_facts *next, struct txn_call *call,
                txn_then_fn then);

#endif
