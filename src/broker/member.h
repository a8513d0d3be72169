/* broker/member.h - a member of a consumer group inside this process: what sink tasks read by.
 *
 * It takes part in the classic protocol as any client does (range assignor, protocol type consumer),
 * so that it may share a group with clients from outside, and is seen by whoever lists groups. It has
 * no session that could run out, and is gone after a restart of the process. Others wait for it in a
 * rebalance as long as its rebalance timeout says.
 * SPEC: connect 8.2, broker 8.1. Thread: one at a time, except broker_member_leave. */
#ifndef WEIR_BROKER_MEMBER_H
#define WEIR_BROKER_MEMBER_H

#include <stdatomic.h>

#include "broker/admin.h"

struct broker_member;
/* Borrows the broker; copies the texts. */
struct broker_member *broker_member_open(struct broker *b, struct slice group,
                                         struct slice client_id, int32_t rebalance_timeout_ms);
void broker_member_close(struct broker_member *m); /* leaves; NULL allowed */

/* Joins, or joins again, with these topics (which need not exist), and waits until the round is
 * over: *out are the partitions that are its own now, sorted, in the arena. *cancel set to true ends
 * it with E_CANCELLED; it is no member then. E_CONFLICT: the group does not take it, e->sys is
 * Kafka's code. Blocks: others that take part in the round. */
enum err broker_member_join(struct broker_member *m, const struct slice *topics, size_t count,
                            const _Atomic bool *cancel, struct arena *a,
                            struct broker_group_partition **out, size_t *out_count,
                            struct error *e) MUST_CHECK;
enum broker_member_state {
    MEMBER_IN_GROUP,
    MEMBER_REJOIN, /* a round has begun: commit what is due, then join */
    MEMBER_LOST,   /* removed: its partitions may be others' already; join */
};
/* Blocks: group. */
enum broker_member_state broker_member_check(struct broker_member *m);
/* It made the assignment of this generation, and must join again when topics change. */
bool broker_member_leads(const struct broker_member *m);
/* As broker_group_commit, for this member and generation. E_CONFLICT: it is not a member any more, or
 * a round is under way. Blocks: group, db. */
enum err broker_member_commit(struct broker_member *m, const struct broker_group_offset *offsets,
                              size_t count, struct error *e) MUST_CHECK;
/* Ends the membership while another thread may be in a call, which then fails. For a task that hangs.
 * Thread: any. Blocks: group. */
void broker_member_leave(struct broker_member *m);

#endif
