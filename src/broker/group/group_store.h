/* broker/group/group_store.h - the members of a stable group as bytes, so that a restart of the broker does
 * not end their sessions.
 *
 * Kafka keeps them in __consumer_offsets; here they are one row a group (table group_members). A
 * group that was in the middle of a rebalance comes back with the members of its last stable
 * generation, who are told to join again when somebody asks. Coordinator loop. */
#ifndef WEIR_BROKER_GROUP_GROUP_STORE_H
#define WEIR_BROKER_GROUP_GROUP_STORE_H

#include "broker/group/group.h"

/* The members, protocol and generation as they are now; strbuf_err tells what is too large. Members
 * inside this process are left out, as they do not outlive it; nothing when there are no others. */
void group_store_encode(const struct group *g, struct strbuf *out);
/* Into a group without members: it is STABLE afterwards, sessions begin at `now` (monotonic ms).
 * E_CORRUPT, E_TRUNCATED, E_UNSUPPORTED (a newer format), E_NOMEM: nothing has changed. */
enum err group_store_decode(struct group *g, struct slice bytes, int64_t now) MUST_CHECK;

#endif
