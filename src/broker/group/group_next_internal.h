/* broker/group/group_next_internal.h - what the parts of the new group state machine share: group_next.c
 * (members, topics, epochs, time), group_next_assign.c (subscriptions and targets) and
 * group_next_calls.c (heartbeats, reconciliation). Coordinator loop. */
#ifndef WEIR_BROKER_GROUP_GROUP_NEXT_INTERNAL_H
#define WEIR_BROKER_GROUP_GROUP_NEXT_INTERNAL_H

#include "broker/group/group_next.h"

/* --- sets --- */
void next_set_add(struct next_set *s, struct next_topic *t, int32_t partition);
void next_set_sort(struct next_set *s);
bool next_set_has(const struct next_set *s, const struct uuid *topic, int32_t partition);
bool next_set_equal(const struct next_set *a, const struct next_set *b);
void next_set_clear(struct next_set *s); /* keeps its memory */
void next_set_copy(struct next_set *to, const struct next_set *from);
void next_set_swap(struct next_set *a, struct next_set *b);
void next_set_release(struct next_set *s);

/* --- members --- */
struct next_member *next_member_add(struct group_next *g, struct slice id,
                                    struct slice instance_id);
/* A static member goes on under another id. */
void next_member_rename(struct group_next *g, struct next_member *m, struct slice id);
/* Removes it, frees its partitions, makes a new group epoch. */
void next_member_remove(struct group_next *g, struct next_member *m);
/* Sorted, without doubles and names that no topic can have. True: they differ from before. */
bool next_member_set_names(struct next_member *m, const struct slice *names, int32_t count);
void next_bump(struct group_next *g);

/* owner[] of the partitions of a set; sets of share groups are not owned. */
void next_own(const struct group_next *g, const struct next_set *s, struct next_member *m);
void next_disown(const struct group_next *g, const struct next_set *s, struct next_member *m);

/* Looks whether topics have changed (new epoch), and makes the target of the newest epoch. */
void next_update(struct group_next *g);

/* Can the topics that it matches be found in bounded time? */
bool next_regex_affordable(const struct group_next *g, struct topic_regex *regex);

/* One step of the member towards its target; what it says of in is topic_partitions. */
void next_reconcile(struct group_next *g, struct next_member *m,
                    const struct consumer_group_heartbeat_request *in, int64_t now);
/* Who joins again owns nothing and knows nothing, but what is assigned to it stays its own. */
void next_start_again(struct group_next *g, struct next_member *m);
/* The topic of this name as the group knows it; NULL: there is none. */
struct next_topic *next_topic_find(struct group_next *g, struct slice name);

/* Changes optional text; null leaves it. */
void next_text(char **to, struct slice s);

#endif
