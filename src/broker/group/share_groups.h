/* broker/group/share_groups.h - what share groups have read: one struct share_state for each (group,
 * partition) that was ever fetched, and the share sessions of their members (KIP-932).
 *
 *   ShareFetch, ShareAcknowledge (broker loops) -> share_state_lock -> share_partition.h -> unlock
 *                                                  -> share_store (SQLite) -> answer
 *
 * Membership is the coordinator's (coord_share.c) and does not come here. Table share_state holds
 * where a group is; an acknowledgement is answered after it was committed. Locks: `lock` of the
 * registry (sessions and the map), one in each state; never both, and nothing else inside but
 * mailboxes. Thread: any. SPEC: broker 8.5. */
#ifndef WEIR_BROKER_GROUP_SHARE_GROUPS_H
#define WEIR_BROKER_GROUP_SHARE_GROUPS_H

#include <pthread.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/bytes.h"
#include "base/db.h"
#include "base/err.h"
#include "base/loop.h"
#include "broker/group/share_partition.h"
#include "broker/wait.h"

struct share_groups;
struct share_options {
    int32_t max_locks, delivery_limit, max_sessions;
};
extern const struct db_migrations share_migrations; /* module "share" */

/* Blocks: db. */
enum err share_groups_open(struct share_groups **out, const struct share_options *o, struct db *db,
                           struct error *e) MUST_CHECK;
void share_groups_close(struct share_groups *g); /* NULL allowed; after the last user */

/* --- states ------------------------------------------------------------------------------------ */
struct share_key {
    struct uuid topic_id;
    int32_t partition;
};
struct share_state {
    _Atomic int refs;
    pthread_mutex_t lock; /* protects what follows */
    struct share_partition p;
    bool known;       /* p.start means something: the group has begun here */
    bool gone;        /* the group or its offsets were deleted */
    uint64_t changes; /* counts what may make records free or room */
    int64_t version;  /* of the stored row */
    struct wait_list waits;
    /* immutable */
    struct slice group;
    struct share_key key;
};
/* A reference, made when it is not there and `make`; else NULL. */
struct share_state *share_state_get(struct share_groups *g, struct slice group,
                                    const struct share_key *key, bool make);
void share_state_unref(struct share_state *s);             /* NULL allowed */
void share_state_lock(struct share_state *s, int64_t now); /* locks that ran out are gone */
void share_state_unlock(struct share_state *s,
                        bool changed); /* changed: whoever waits looks again */
/* Writes the row as it is now; done(arg, code) on the loop after the commit (NULL: nobody asks).
 * Needs the lock of s. */
void share_store(struct share_groups *g, struct share_state *s, struct loop *loop, db_done_fn done,
                 void *arg);
/* The same, waiting for the commit. Takes the lock. Blocks: db. */
enum err share_store_now(struct share_groups *g, struct share_state *s, struct error *e) MUST_CHECK;
/* Keys of the partitions that the group has begun, sorted; in the arena. */
void share_group_keys(struct share_groups *g, struct slice group, struct arena *a,
                      struct share_key **out, size_t *count);

/* The group, or some of its partitions (keep() false), are to be forgotten; rows too. Does not
 * wait. */
void share_forget(struct share_groups *g, struct slice group,
                  bool (*keep)(void *arg, const struct share_key *key), void *arg);
/* In all groups. */
void share_sweep(struct share_groups *g, bool (*keep)(void *arg, const struct share_key *key),
                 void *arg);
/* At the start: end_of gives where a log ends that a power cut may have made shorter, else -1. What
 * groups know of records beyond is forgotten. */
void share_lower(struct share_groups *g, int64_t (*end_of)(void *arg, const struct share_key *key),
                 void *arg);
/* What the member holds becomes free. */
void share_release(struct share_groups *g, struct slice group, struct slice member);

#define SHARE_PARTS_MAX 2000 /* partitions of a session, or of one request */

/* --- sessions ---------------------------------------------------------------------------------- */
enum { SHARE_EPOCH_FINAL = -1, SHARE_EPOCH_INITIAL = 0 };
/* A ShareFetch: begins, goes on with or ends the session of (group, member) with the broker `node`
 * (a lab has several), takes its changes, and gives the partitions to be fetched, in turn another one first; in the arena. KERR_NONE,
 * SHARE_SESSION_NOT_FOUND, INVALID_SHARE_SESSION_EPOCH, SHARE_SESSION_LIMIT_REACHED. */
int16_t share_session_fetch(struct share_groups *g, int32_t node, struct slice group,
                            struct slice member, int32_t epoch, const struct share_key *add,
                            size_t add_count, const struct share_key *forget, size_t forget_count,
                            struct arena *a, struct share_key **out, size_t *count) MUST_CHECK;
/* A ShareAcknowledge: checks and moves the epoch; the final one ends the session. */
int16_t share_session_acknowledge(struct share_groups *g, int32_t node, struct slice group,
                                  struct slice member, int32_t epoch) MUST_CHECK;
size_t share_session_count(struct share_groups *g);

#endif
