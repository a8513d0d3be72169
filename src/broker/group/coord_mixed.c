/* broker/group/coord_mixed.c - the coordinator's side of groups that change their protocol while members
 * are there: a classic group goes on as a consumer group when the first member of the new protocol
 * joins, and as a classic one again when the last of them has left. See coord.h, and
 * group_next_classic.c for what happens to the members.
 * SPEC: broker 8.4 (group.consumer.migration.policy). Owner: the coordinator loop. */
#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/group/coord.h"
#include "broker/group/coord_internal.h"

bool coord_upgrade(struct coord *c, struct coord_group *cg)
{
    struct group *g = cg->g;
    if (cg->kind != GROUP_CLASSIC || !c->o.may_upgrade || !g->members.count ||
        g->members.count > (size_t)c->o.consumer_max_size ||
        !slice_eq(g->protocol_type, SL("consumer")))
        return false;
    struct group_next *n = group_next_upgrade(g, &c->o.topics, clock_mono_ms());
    if (!n) {
        LOG_WARN(LOG_BROKER_GROUP,
                 "group %s: stays a classic group: the subscription or the assignment of a member "
                 "is not what consumers write",
                 g->id);
        return false;
    }
    cg->next = n;
    cg->kind = GROUP_CONSUMER;
    cg->stored_epoch = -1;
    return true;
}

void coord_upgrade_end(struct coord_group *cg, bool taken)
{
    if (taken) {
        cg->was_consumer = false;
        group_next_upgraded(cg->next, cg->g);
        return;
    }
    group_next_upgrade_undo(cg->next, cg->g);
    cg->next = NULL;
    cg->kind = GROUP_CLASSIC;
}

void coord_maybe_downgrade(struct coord *c, struct coord_group *cg)
{
    if (cg->kind != GROUP_CONSUMER || !c->o.may_downgrade || !group_next_is_all_classic(cg->next) ||
        coord_member_count(cg) > (size_t)c->o.rules.max_size)
        return;
    struct group_next *n = cg->next;
    cg->next = NULL;
    cg->kind = GROUP_CLASSIC;
    cg->was_consumer = true; /* who was given up for lost may come again */
    group_next_downgrade(n, cg->g, clock_mono_ms());
    group_next_free(n);
    coord_rearm(c, cg->g);
}
