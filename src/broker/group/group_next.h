/* broker/group/group_next.h - one group whose assignments the broker makes: consumer groups of the new
 * protocol (KIP-848), and the membership of share groups (KIP-932).
 *
 *                 group epoch > assignment epoch          some member is not there yet
 *   EMPTY --join--> ASSIGNING --group_next_assign--> RECONCILING --all heartbeats--> STABLE
 *     ^                 ^                                                              |
 *     +--- last leaves -+------- join, leave, expiry, subscription, topics change -----+
 *
 * Each member walks to its target on its own (next_reconcile in group_next_calls.c):
 *
 *   STABLE ------- partitions to give up -------> UNREVOKED (keeps its epoch)
 *     ^  \                                            | a heartbeat that does not own them any more
 *     |   +-- some wanted ones are still owned --> UNRELEASED (has the new epoch)
 *     +------------------ they become free -----------+
 *
 * A partition is free when no member has it as assigned or as to be given up: owner[] of its topic
 * is the one place that tells, so no partition has two owners. In share groups partitions are
 * shared: there owner[] is not used and members get their target at once.
 *
 * The group belongs to the coordinator (coord.h) and is touched on its loop only: no locks. Time is
 * an argument. SPEC: broker 8.4, 8.5. */
#ifndef WEIR_BROKER_GROUP_GROUP_NEXT_H
#define WEIR_BROKER_GROUP_GROUP_NEXT_H

#include "base/arena.h"
#include "base/base.h"
#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "base/str.h"
#include "broker/group/group.h"
#include "broker/group/topic_regex.h"

enum next_state { NEXT_EMPTY, NEXT_ASSIGNING, NEXT_RECONCILING, NEXT_STABLE };
enum next_member_state { MEMBER_STABLE, MEMBER_UNREVOKED, MEMBER_UNRELEASED };

/* What the group must know of topics. Called on the coordinator loop; must not block. */
struct next_topics {
    bool (*by_name)(void *arg, struct slice name, struct uuid *id, int32_t *partitions);
    /* fn for every topic's name, in order. */
    void (*each)(void *arg, void (*fn)(void *to, struct slice name), void *to);
    int64_t (*generation)(void *arg); /* grows with every change of topics */
    /* Its name, in the arena; null when there is no such topic. */
    struct slice (*name_of)(void *arg, const struct uuid *id, struct arena *a);
    void *arg;
};

struct next_member;
struct next_topic { /* one that is, or was, subscribed to */
    struct uuid id;
    struct slice name;  /* owned */
    int32_t partitions; /* 0: gone */
    int32_t index;      /* while assigning: position in the assignor's array; else -1 */
    struct next_member **owner;
    int32_t owner_count;
};

struct next_tp {
    struct next_topic *topic;
    int32_t partition;
};
struct next_set { /* sorted by topic (its id) and partition */
    struct next_tp *v;
    size_t n, cap;
};

struct next_member {
    struct link link; /* in order of joining */
    char *id, *instance_id /* NULL: dynamic */, *rack_id /* NULL */, *client_id, *client_host;
    char *assignor; /* NULL: no wish */
    int32_t epoch, previous_epoch;
    enum next_member_state state;
    bool away;           /* static, has left for a short time (epoch -2) */
    struct slice *names; /* subscribed; sorted, no doubles; owned */
    size_t name_count;
    struct topic_regex *regex; /* NULL: none */
    int32_t rebalance_timeout_ms;
    int64_t session_deadline;
    int64_t revoke_deadline; /* while UNREVOKED: must have given up by then; else INT64_MAX */
    struct next_set assigned, pending /* to be given up */, target;
    struct group_member *classic; /* what it said as a member of the classic protocol; NULL: it
                                     speaks the new one. Owned */
};

struct group_next {
    const char *id; /* the coordinator's */
    bool share;
    int32_t epoch, assignment_epoch;
    struct list members;
    struct map by_id;         /* of members */
    struct map topics;        /* id -> struct next_topic */
    struct slice assignor;    /* of the target; a literal */
    int64_t seen_generation;  /* of topics, when the subscriptions were looked at last */
    uint64_t subscribed_hash; /* of topics, ids and partition counts */
    bool dirty;               /* subscriptions have changed: look again */
    const struct next_topics *view;
    int64_t empty_since_ms; /* wall clock */
    /* A member has left or was removed; may be NULL. */
    void (*removed)(void *arg, struct slice member_id);
    void *removed_arg;
};

struct next_timing { /* of this group, as configured */
    int32_t session_timeout_ms, heartbeat_interval_ms, max_size;
};

const char *next_state_name(enum next_state s); /* "Reconciling" */

/* epoch: where the group's epochs go on from (0: new). id is borrowed. */
struct group_next *group_next_new(const char *id, bool share, int32_t epoch,
                                  const struct next_topics *view);
void group_next_free(struct group_next *g);

enum next_state group_next_state(const struct group_next *g);
size_t group_next_members(const struct group_next *g);
struct next_member *group_next_find(const struct group_next *g, struct slice id); /* NULL */
struct next_member *group_next_find_instance(const struct group_next *g, struct slice instance_id);
bool group_next_subscribes(const struct group_next *g, struct slice topic);

/* ConsumerGroupHeartbeat: the whole answer into call->out. What it has checked before: the group is
 * of this kind. now: monotonic ms. */
void group_next_heartbeat(struct group_next *g, const struct group_call *call,
                          const struct next_timing *t, int64_t now);
/* The same for ShareGroupHeartbeat: group_next_share.c. */
void group_next_share_heartbeat(struct group_next *g, const struct group_call *call,
                                const struct next_timing *t, int64_t now);
int16_t group_next_check_share_request(const struct group_call *call, struct slice *text);
/* Checks of a heartbeat that need no group. KERR_NONE, or a code with its text. */
int16_t group_next_check_request(const struct group_call *call, struct slice *text);
/* May this commit be stored, or these offsets be read? Codes 25, 35, 113. */
int16_t group_next_check_commit(const struct group_next *g, struct slice member_id, int32_t epoch,
                                int16_t version);
int16_t group_next_check_fetch(const struct group_next *g, struct slice member_id, int32_t epoch);
/* LeaveGroup: by an administrator, or by a member of the classic protocol. */
int16_t group_next_leave(struct group_next *g, struct slice member_id, struct slice instance_id);

/* Members of the classic protocol in a consumer group: group_next_classic.c. Ids given out that have
 * not joined yet are kept in g. Join and sync fill the answer and do not park. */
int16_t group_next_join(struct group_next *n, struct group *g, const struct group_call *call,
                        const struct next_timing *t, int64_t now);
int16_t group_next_sync(struct group_next *n, const struct group_call *call, int64_t now);
int16_t group_next_classic_heartbeat(struct group_next *n, const struct heartbeat_request *in,
                                     int64_t now);
bool group_next_is_all_classic(const struct group_next *n); /* and not empty */
/* Moves the members of a classic group into a new consumer group; g has none then, and nothing else
 * of it has changed. NULL: the bytes of a member make no sense, and nothing has changed at all. When
 * the first member of the new protocol has been taken, group_next_upgraded ends what g has under
 * way; when it was refused, group_next_upgrade_undo makes g what it was, and frees n. */
struct group_next *group_next_upgrade(struct group *g, const struct next_topics *view, int64_t now);
void group_next_upgraded(struct group_next *n, struct group *g);
void group_next_upgrade_undo(struct group_next *n, struct group *g);
/* The way back, for a group where all are classic; g begins a rebalance. The caller frees n. */
void group_next_downgrade(struct group_next *n, struct group *g, int64_t now);

/* Sets as the answers have them, in the arena: of heartbeats, and of descriptions. */
void next_tell(const struct next_set *s, struct arena *a, struct assigned_set *out, bool *there);
void next_describe(const struct next_set *s, struct arena *a, struct described_set *out);

/* Removes who is due. True: somebody was. */
bool group_next_tick(struct group_next *g, int64_t now);
int64_t group_next_deadline(const struct group_next *g); /* INT64_MAX: none */

#endif
