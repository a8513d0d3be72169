/* broker/group/assignor.h - who reads which partitions: the server-side assignors of consumer groups.
 *
 *   uniform  as even as can be; members keep what they have as far as that allows
 *   range    per topic, runs of partitions in the order of the members; equal subscriptions get
 *            equal partition numbers of all topics
 *   simple   for share groups: partitions may go to several members; every member gets some
 *
 * Pure functions on small integers: topics and members are positions in the arrays given, so that a
 * group of any kind can use them. Everything comes from and goes into the arena. Same input, same
 * result. Thread: any. SPEC: broker 8.4, 8.5. */
#ifndef WEIR_BROKER_GROUP_ASSIGNOR_H
#define WEIR_BROKER_GROUP_ASSIGNOR_H

#include "base/arena.h"
#include "base/base.h"
#include "base/str.h"

struct assign_tp {
    int32_t topic, partition;
};
struct assign_list {
    struct assign_tp *v;
    size_t n, cap;
};
struct assign_member {
    struct slice id, instance_id; /* instance_id null: dynamic */
    const int32_t *topics;        /* subscribed, ascending, no doubles */
    size_t topic_count;
    struct assign_list owned;  /* of the last target; what is not subscribed or gone is ignored */
    struct assign_list target; /* the result, sorted by topic and partition */
};
struct assign_input {
    const int32_t *partitions; /* how many each topic has */
    size_t topic_count;
    struct assign_member *members; /* in an order that stays */
    size_t member_count;
    struct arena *a;
};

typedef void (*assign_fn)(struct assign_input *in);
void assign_uniform(struct assign_input *in);
void assign_range(struct assign_input *in);
void assign_simple(struct assign_input *in);

/* By the name that clients give: NULL for others. */
assign_fn assignor_find(struct slice name);
#define ASSIGNOR_NAMES "uniform, range" /* as the error for unknown ones lists them */

void assign_list_add(struct assign_list *l, struct arena *a, int32_t topic, int32_t partition);
void assign_list_sort(struct assign_list *l);

#endif
