/* broker/group/group_internal.h - what the two halves of the group state machine share: group.c (members,
 * rounds, time) and group_calls.c (Join, Sync, Heartbeat, Leave, commit checks). Coordinator loop.
 */
#ifndef WEIR_BROKER_GROUP_GROUP_INTERNAL_H
#define WEIR_BROKER_GROUP_GROUP_INTERNAL_H

#include "broker/group/group.h"

struct group_member *group_member_by_instance(const struct group *g, struct slice instance_id);
struct group_pending *group_pending_find(const struct group *g, struct slice id);
void group_pending_add(struct group *g, const char *id, int64_t deadline);
void group_pending_remove(struct group *g, struct group_pending *p);
/* May one more id be given out? KERR_NONE, or what to answer. */
int16_t group_pending_room(const struct group *g);
/* "<prefix>-<uuid>", the uuid in its usual hexadecimal form. Caller frees. */
char *group_new_member_id(struct slice prefix);
/* More protocols, or larger ones, than a member may have. */
bool group_protocols_too_large(const struct join_group_request *in);

/* A member as a Join describes it, in no group. NULL: no memory. */
struct group_member *group_member_new(const char *id, const struct group_call *call);
void group_member_free(struct group_member *m); /* its parked calls must be gone */
void group_member_drop_calls(struct group_member *m, int16_t code);
/* Adds one to the group. NULL: no memory. */
struct group_member *group_member_add(struct group *g, const char *id,
                                      const struct group_call *call);
/* Takes timeouts, protocols, client from a Join. E_NOMEM: nothing has changed. */
enum err group_member_update(struct group_member *m, const struct group_call *call) MUST_CHECK;
bool group_member_same_protocols(const struct group_member *m, const struct join_group_request *in);
/* Removes it, answers its parked calls with `code`; the caller starts the next round. */
void group_member_remove(struct group *g, struct group_member *m, int16_t code);
void group_touch(struct group_member *m, int64_t now); /* restarts the session */

bool group_protocols_fit(const struct group *g, const struct join_group_request *in,
                         const struct group_member *except);
struct slice group_vote(const struct group *g); /* the protocol of the next generation */

/* Starts a round (or goes on with one), and ends it when all are there. */
void group_prepare_rebalance(struct group *g, int64_t now, const char *why);
void group_maybe_complete_join(struct group *g, int64_t now);
void group_set_state(struct group *g, enum group_state s);
void group_note_changed(struct group *g);
void group_own(struct slice *to, struct slice s); /* replaces owned bytes with a copy of s */

void group_answer_join(struct group *g, struct group_member *m, struct group_call *call);
void group_answer_join_error(struct group_call *call, struct slice member_id, int16_t code);
void group_answer_sync(struct group *g, struct group_member *m, struct group_call *call);
void group_answer_sync_error(struct group_call *call, int16_t code);

#endif
