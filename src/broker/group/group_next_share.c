/* broker/group/group_next_share.c - ShareGroupHeartbeat: members of share groups. Nothing is handed over
 * here: a partition may be read by several members, so each has its target at once. See
 * group_next.h. SPEC: broker 8.5. Owner: the coordinator loop. */
#include "base/base.h"
#include "base/log.h"
#include "broker/group/group_next.h"
#include "broker/group/group_next_internal.h"
#include "broker/group/share_partition.h"

#define LEAVE (-1)

typedef struct share_group_heartbeat_request request;
typedef struct share_group_heartbeat_response response;

static void refuse(const struct group_call *call, int16_t code, const char *text)
{
    response *out = call->out;
    out->error_code = code;
    out->error_message = slice_cstr(text);
}
#define REFUSE(call, code, ...) refuse(call, code, arena_printf((call)->arena, __VA_ARGS__))

int16_t group_next_check_share_request(const struct group_call *call, struct slice *text)
{
    const request *in = call->in;
    const char *bad = NULL;
    if (in->group_id.n == 0)
        bad = "GroupId can't be empty.";
    else if (in->member_id.n == 0)
        bad = "MemberId can't be empty.";
    else if (in->member_id.n > SHARE_MEMBER_MAX)
        bad = "MemberId is too long.";
    else if (in->rack_id.p && in->rack_id.n == 0)
        bad = "RackId can't be empty.";
    else if (in->member_epoch < LEAVE)
        bad = "MemberEpoch is invalid.";
    else if (in->member_epoch == 0 && in->subscribed_topic_names_count <= 0)
        bad = "SubscribedTopicNames must be set in first request.";
    *text = slice_cstr(bad);
    return bad ? KERR_INVALID_REQUEST : KERR_NONE;
}

static struct next_member *find(const struct group_call *call, const struct group_next *g)
{
    const request *in = call->in;
    struct next_member *m = group_next_find(g, in->member_id);
    if (!m)
        REFUSE(call, KERR_UNKNOWN_MEMBER_ID, "Member " PRI_SL " is not a member of group %s.",
               ARG_SL(in->member_id), g->id);
    return m;
}

static struct next_member *join(const struct group_call *call, struct group_next *g,
                                const struct next_timing *t)
{
    const request *in = call->in;
    struct next_member *m = group_next_find(g, in->member_id);
    if (m)
        return m; /* its first answer was lost, or it begins again */
    if (g->members.count >= (size_t)t->max_size) {
        REFUSE(call, KERR_GROUP_MAX_SIZE_REACHED,
               "The share group has reached its maximum capacity of %d members.", t->max_size);
        return NULL;
    }
    return next_member_add(g, in->member_id, SLICE_NULL);
}

static bool check_epoch(const struct group_call *call, const struct next_member *m)
{
    const request *in = call->in;
    bool above = in->member_epoch > m->epoch;
    if (!above && (in->member_epoch == m->epoch || in->member_epoch == m->previous_epoch))
        return true;
    REFUSE(call, KERR_FENCED_MEMBER_EPOCH,
           "The share group member has a %s member epoch (%d) than the one known by the group "
           "coordinator (%d). The member must abandon all its partitions and rejoin.",
           above ? "greater" : "smaller", in->member_epoch, m->epoch);
    return false;
}

static void leave(const struct group_call *call, struct group_next *g)
{
    response *out = call->out;
    struct next_member *m = find(call, g);
    if (!m)
        return;
    out->member_id = slice_cstr(arena_strdup(call->arena, m->id));
    out->member_epoch = LEAVE;
    LOG_INFO(LOG_BROKER_GROUP, "share group %s: member %s leaves", g->id, m->id);
    next_member_remove(g, m);
}

void group_next_share_heartbeat(struct group_next *g, const struct group_call *call,
                                const struct next_timing *t, int64_t now)
{
    const request *in = call->in;
    response *out = call->out;
    if (in->member_epoch == LEAVE) {
        leave(call, g);
        return;
    }
    struct next_member *m = in->member_epoch == 0 ? join(call, g, t) : find(call, g);
    if (!m || (in->member_epoch > 0 && !check_epoch(call, m)))
        return;
    bool changed = m->previous_epoch == -1; /* new here */
    if (in->subscribed_topic_names_count >= 0)
        changed |=
            next_member_set_names(m, in->subscribed_topic_names, in->subscribed_topic_names_count);
    next_text(&m->rack_id, in->rack_id);
    next_text(&m->client_id, call->client_id);
    next_text(&m->client_host, call->client_host);
    if (changed)
        next_bump(g);
    next_update(g);
    bool moved = !next_set_equal(&m->assigned, &m->target);
    next_set_copy(&m->assigned, &m->target);
    if (m->epoch != g->assignment_epoch || m->previous_epoch == -1) {
        m->previous_epoch = m->epoch;
        m->epoch = g->assignment_epoch;
    }
    m->session_deadline = now + t->session_timeout_ms;
    out->member_id = slice_cstr(arena_strdup(call->arena, m->id));
    out->member_epoch = m->epoch;
    out->heartbeat_interval_ms = t->heartbeat_interval_ms;
    if (in->member_epoch == 0 || in->subscribed_topic_names_count >= 0 || moved)
        next_tell(&m->assigned, call->arena, &out->assignment, &out->has_assignment);
}
