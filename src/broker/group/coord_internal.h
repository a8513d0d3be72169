/* broker/group/coord_internal.h - shared by coord.c (life, membership calls of the classic protocol),
 * coord_next.c (groups whose assignments we make), coord_mixed.c (groups that change their protocol), coord_offsets.c (commit, fetch, delete, expiry)
 * and coord_views.c (list, describe, views). Coordinator loop. */
#ifndef WEIR_BROKER_GROUP_COORD_INTERNAL_H
#define WEIR_BROKER_GROUP_COORD_INTERNAL_H

#include <stdatomic.h>

#include "base/map.h"
#include "broker/group/coord.h"

/* Names of operations as a bit set: READ, DELETE, DESCRIBE, and the two of group configs. */
#define GROUP_OPERATIONS 3400

enum group_kind { GROUP_CLASSIC, GROUP_CONSUMER, GROUP_SHARE };

/* Offsets and what is stored live in g, whatever the kind; the members of a classic group too, those
 * of the other kinds in next. */
struct coord_group {
    struct group *g;
    enum group_kind kind;
    struct group_next *next; /* NULL: classic */
    int32_t stored_epoch;    /* of next, in the store */
    bool was_consumer;       /* classic now; members of the new protocol may not know it yet */
    struct coord *c;
    struct loop_timer timer; /* made when first needed, on the loop */
    int64_t timer_at;        /* INT64_MAX: not set */
};
struct coord {
    struct coord_options o;
    struct db *db;
    struct loop *loop;
    struct map groups; /* id -> struct coord_group */
    struct loop_timer expiry;
    struct coord_hooks hooks;
    bool quiet;                 /* stopping: everything is refused */
    _Atomic size_t group_count; /* written on the loop, read by any thread */
};

struct coord_group *coord_entry(struct coord *c, struct slice id); /* NULL */
struct coord_group *coord_entry_or_add(struct coord *c, struct slice id);
struct group *coord_find(struct coord *c, struct slice id); /* NULL */
struct group *coord_find_or_add(struct coord *c, struct slice id);
void coord_forget(struct coord *c, struct slice id); /* a group without members */
/* What all kinds have. */
const char *coord_kind_name(enum group_kind k); /* "classic" */
const char *coord_state_name(const struct coord_group *cg);
size_t coord_member_count(const struct coord_group *cg);
bool coord_subscribes(const struct coord_group *cg, struct slice topic);
int64_t coord_empty_since(const struct coord_group *cg);
/* An empty group becomes one of this kind and keeps its offsets. */
void coord_convert(struct coord *c, struct coord_group *cg, enum group_kind kind);
/* Stores the epoch when it has changed; call (may be NULL) is answered after that. */
void coord_settle(struct coord *c, struct coord_group *cg, struct group_call *call);
/* A classic group with members goes on as a consumer group. False: it may not, or cannot. At once,
 * when it is known whether the member that joins was taken, coord_upgrade_end follows: if it was not,
 * the group is as it was. */
bool coord_upgrade(struct coord *c, struct coord_group *cg) MUST_CHECK;
void coord_upgrade_end(struct coord_group *cg, bool taken);
/* A consumer group where only members of the classic protocol are left goes on as a classic one; to be
 * called after a member has left or was replaced, and after coord_settle. */
void coord_maybe_downgrade(struct coord *c, struct coord_group *cg);
/* What is in force for a consumer group. */
struct next_timing coord_consumer_timing(const struct coord *c, struct slice group);
/* Sets the group's timer after anything happened to it. */
void coord_rearm(struct coord *c, struct group *g);
/* The same when only this member of cg->next may be due earlier than before: looks at no other. */
void coord_rearm_member(struct coord_group *cg, struct slice id);
/* Removes members whose time is up, without waiting for that timer. */
void coord_tick(struct coord_group *cg);
void coord_expire_offsets(void *coord);
/* At the start: committed offsets that a power cut has left beyond the ends of their logs. */
void coord_lower_offsets(struct coord *c);
/* All groups sorted by id, in the arena. */
struct coord_group **coord_sorted(struct coord *c, struct arena *a, size_t *count);

#endif
