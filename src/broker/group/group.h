/* broker/group/group.h - one consumer group of the classic protocol: members, generations, rebalances.
 *
 *   EMPTY --join--> PREPARING_REBALANCE --all joined or time is up--> COMPLETING_REBALANCE
 *     ^                  ^      |                                          | leader's SyncGroup
 *     |   all left       |      +-- nobody left --> EMPTY                  v
 *     +------------------+------------- change, leave, expiry --------- STABLE
 *
 * A group belongs to the coordinator (coord.h) and is touched on its loop only: no locks. Calls
 * come in as struct group_call; Join and Sync may be parked in a member until the round ends. Time
 * is an argument: group_tick does what is due, group_deadline tells when to come again.
 * Protocol type, metadata and assignment are opaque bytes. SPEC: broker 8.1. */
#ifndef WEIR_BROKER_GROUP_GROUP_H
#define WEIR_BROKER_GROUP_GROUP_H

#include "base/arena.h"
#include "base/base.h"
#include "base/list.h"
#include "base/str.h"
#include "broker/group/offset_store.h"
#include "broker/proto/kerr.h"
#include "broker/proto/messages.h"

enum group_state {
    GROUP_EMPTY,
    GROUP_PREPARING_REBALANCE,
    GROUP_COMPLETING_REBALANCE,
    GROUP_STABLE,
    GROUP_DEAD,
};
const char *group_state_name(enum group_state s); /* "PreparingRebalance" */

/* One request to the coordinator. in and out are the messages; slices of `in` live until done. */
struct group_call {
    int16_t version;
    struct slice client_id, client_host;
    struct arena *arena;
    const void *in;
    void *out;
    void (*done)(struct group_call *call); /* on the coordinator's loop, exactly once */
    void *arg;                             /* the caller's */
    bool inside;                           /* from a member in this process: broker/member.h */
    struct coord *coord;                   /* coord_submit's */
    void (*fn)(struct coord *c, struct group_call *call);
};

struct coord;

struct group_protocol {
    struct slice name, metadata; /* owned by the member's blob */
};
struct group_member {
    struct link link; /* in join order */
    char *id, *instance_id /* NULL: dynamic */, *client_id, *client_host;
    struct group_protocol *protocols;
    int32_t protocol_count;
    char *blob;              /* bytes behind protocols */
    struct slice assignment; /* owned */
    int32_t session_timeout_ms, rebalance_timeout_ms;
    int64_t session_deadline;       /* does not run while a call of the member is parked */
    int64_t join_deadline;          /* a new member parked in its first join; INT64_MAX otherwise */
    bool synced;                    /* has asked for this generation's assignment */
    bool inside;                    /* in this process: no session that runs out, and not stored */
    struct group_call *join, *sync; /* parked */
};
struct group_pending { /* an id given out (error 79) that has not joined yet */
    struct link link;
    char *id;
    int64_t deadline;
};

struct group_rules {
    int32_t initial_rebalance_delay_ms;
    int32_t min_session_timeout_ms, max_session_timeout_ms;
    int32_t max_size;
};

struct group {
    char *id;
    enum group_state state;
    int32_t generation;
    int32_t last_generation;    /* given out before a restart, maybe beyond `generation` */
    struct slice protocol_type; /* owned; "" = simple or never joined */
    struct slice protocol;      /* owned; chosen for this generation, "" */
    struct group_member *leader;
    struct list members, pending;
    struct offset_map offsets; /* committed; kept in step with the store by the coordinator */
    int64_t empty_since_ms;    /* wall clock */
    int64_t phase_deadline;    /* join phase, or the time by which all must have synced */
    int64_t delay_until;       /* initial rebalance delay; the join phase does not end before */
    int64_t delay_limit;
    const struct group_rules *rules;
    /* Called when generation, protocol type, state or the members of a stable group changed. */
    void (*changed)(struct group *g, void *arg);
    void *changed_arg;
};

struct group *group_new(struct slice id, const struct group_rules *rules);
void group_free(struct group *g); /* parked calls must be gone: group_drop_calls */
/* Answers everything parked with `code`. */
void group_drop_calls(struct group *g, int16_t code);

/* Each ends or parks the call. now: monotonic ms. The group id and the session timeout were
 * checked. */
void group_join(struct group *g, struct group_call *call, int64_t now);
void group_sync(struct group *g, struct group_call *call, int64_t now);
int16_t group_heartbeat(struct group *g, const struct heartbeat_request *in, int64_t now);
/* One member; id may be "" when an instance id is given (kafka-consumer-groups and admin calls). */
int16_t group_leave(struct group *g, struct slice member_id, struct slice instance_id, int64_t now);
/* May this commit be stored? Resets the session. SPEC: broker 8.2 */
int16_t group_check_commit(struct group *g, const struct offset_commit_request *in, int64_t now);
/* The same within a transaction, for a group that has members: 0, 22, 25, 82. */
int16_t group_check_txn_commit(struct group *g, int32_t generation, struct slice member_id,
                               struct slice instance_id, int64_t now);

void group_tick(struct group *g, int64_t now);
int64_t group_deadline(const struct group *g); /* INT64_MAX: none */

struct group_member *group_member_find(const struct group *g, struct slice id);
/* Metadata of the protocol `name`, or the null slice. */
struct slice group_member_metadata(const struct group_member *m, struct slice name);
/* Is a member subscribed to the topic? Reads the metadata of protocol type consumer; other types
 * and anything that does not parse count as subscribed when there are members. */
bool group_subscribes(const struct group *g, struct slice topic);

#endif
