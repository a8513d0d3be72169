/* broker/group/coord.h - the group coordinator: all groups, on one loop of its own.
 *
 * No connections and no log I/O live on that loop: a slow disk must not expire a heartbeat.
 * Requests come in by coord_submit (a mailbox), answers leave through group_call.done. Offsets are
 * written by the db thread and acknowledged after the commit. SPEC: broker 8.1-8.3. */
#ifndef WEIR_BROKER_GROUP_COORD_H
#define WEIR_BROKER_GROUP_COORD_H

#include "base/base.h"
#include "base/db.h"
#include "base/err.h"
#include "base/loop.h"
#include "broker/admin.h"
#include "broker/group/group.h"
#include "broker/group/group_next.h"

struct group_configs;
struct share_groups;

struct coord_options {
    struct group_rules rules;
    const struct group_configs *configs; /* must outlive the coordinator */
    struct next_topics topics;
    struct share_groups *shares; /* must outlive it too */
    int32_t consumer_max_size, share_max_size;
    bool may_upgrade, may_downgrade; /* groups with members: group.consumer.migration.policy */
    int32_t offset_metadata_max_bytes;
    int64_t offsets_retention_ms, offsets_check_ms;
    /* Does the partition exist? Called on the coordinator loop; must not block. */
    bool (*partition_exists)(void *arg, struct slice topic, int32_t partition);
    /* After a stop that was not orderly: where the log ends, -1 when it is as long as
     * it was. Committed offsets beyond that are lowered to it. NULL: nothing to do. */
    int64_t (*recovered_end)(void *arg, struct slice topic, int32_t partition);
    void *arg;
};
/* Loads groups and offsets, starts the loop. Thread: main. */
enum err coord_start(struct coord **out, const struct coord_options *o, struct db *db,
                     struct error *e) MUST_CHECK;
/* Answers everything that is parked (error 15), then refuses what still comes. Thread: main. */
void coord_quiesce(struct coord *c);
/* Ends the loop; after the last caller. Thread: main. */
void coord_stop(struct coord *c);
struct loop *coord_loop(struct coord *c);

typedef void (*coord_fn)(struct coord *c, struct group_call *call);
/* Runs fn(c, call) on the coordinator loop. call->done comes from there. Thread: any. */
void coord_submit(struct coord *c, coord_fn fn, struct group_call *call);

/* What may be submitted; the name tells the messages of in and out. */
void coord_join_group(struct coord *c, struct group_call *call);
void coord_sync_group(struct coord *c, struct group_call *call);
void coord_heartbeat(struct coord *c, struct group_call *call);
void coord_leave_group(struct coord *c, struct group_call *call);
void coord_offset_commit(struct coord *c, struct group_call *call);
void coord_offset_fetch(struct coord *c, struct group_call *call);
void coord_offset_delete(struct coord *c, struct group_call *call);
void coord_list_groups(struct coord *c, struct group_call *call);
void coord_describe_groups(struct coord *c, struct group_call *call);
void coord_delete_groups(struct coord *c, struct group_call *call);
void coord_consumer_heartbeat(struct coord *c, struct group_call *call);
void coord_consumer_describe(struct coord *c, struct group_call *call);
void coord_share_heartbeat(struct coord *c, struct group_call *call);
void coord_share_describe(struct coord *c, struct group_call *call);
void coord_share_describe_offsets(struct coord *c, struct group_call *call);
void coord_share_alter_offsets(struct coord *c, struct group_call *call);
void coord_share_delete_offsets(struct coord *c, struct group_call *call);

/* A topic is gone: its offsets go too, in all groups. Thread: any; does not wait. */
void coord_topic_deleted(struct coord *c, struct slice topic);

/* For transactions (txn_coord.c). On the coordinator loop. */
struct coord_hooks {
    /* Is an offset of it part of a transaction that is not over? */
    bool (*is_unstable)(void *arg, struct slice group, struct slice topic, int32_t partition);
    void *arg;
};
void coord_set_hooks(struct coord *c, const struct coord_hooks *h); /* NULL: none */
/* May this member of the group commit offsets within a transaction? 0, 22, 25, 82. SPEC: broker 7.3
 */
int16_t coord_check_txn_commit(struct coord *c, struct slice group, int32_t generation,
                               struct slice member_id, struct slice instance_id);
/* An offset that is stored already; memory follows, unless it has a newer one. */
void coord_publish_offset(struct coord *c, struct slice group, const struct commit_entry *e);

/* For admin.c. On the coordinator loop (loop_call); end_offset and lag are left at -1. */
void coord_view_all(struct coord *c, struct arena *a, struct broker_group_info **out,
                    size_t *count);
bool coord_view(struct coord *c, struct slice id, struct arena *a, struct broker_group_info *out);
size_t coord_group_count(struct coord *c); /* any thread */

#endif
