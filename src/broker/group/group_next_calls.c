/* broker/group/group_next_calls.c - ConsumerGroupHeartbeat: joining, leaving, and the walk of a member to
 * its target. See group_next.h for the picture.
 *
 * A heartbeat is: who is it (join, static return, epoch checks) - take its changes - next_update -
 * reconcile - restart its session - answer. Errors leave the group as it was. SPEC: broker 8.4.
 * Owner: the coordinator loop. */
#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/assignor.h"
#include "broker/group/group_internal.h"
#include "broker/group/group_next.h"
#include "broker/group/group_next_internal.h"

#define LEAVE (-1)
#define LEAVE_STATIC (-2)

typedef struct consumer_group_heartbeat_request request;
typedef struct consumer_group_heartbeat_response response;
typedef struct consumer_group_heartbeat_request_topic_partition owned_topic;

static void refuse(const struct group_call *call, int16_t code, const char *text)
{
    response *out = call->out;
    out->error_code = code;
    out->error_message = slice_cstr(text);
}
#define REFUSE(call, code, ...) refuse(call, code, arena_printf((call)->arena, __VA_ARGS__))

/* --- checks ----------------------------------------------------------------------------------- */

static bool is_empty(struct slice s)
{
    return s.p && slice_trim(s).n == 0;
}

static const char *bad_join(const request *in)
{
    if (in->rebalance_timeout_ms == -1)
        return "RebalanceTimeoutMs must be provided in first request.";
    if (in->topic_partitions_count != 0)
        return "TopicPartitions must be empty when (re-)joining.";
    if (in->subscribed_topic_names_count < 0 && !in->subscribed_topic_regex.p)
        return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when "
               "(re-)joining.";
    return NULL;
}

static const char *bad_request(const struct group_call *call)
{
    const request *in = call->in;
    if (is_empty(in->group_id) || in->group_id.n == 0)
        return "GroupId can't be empty.";
    if (in->member_id.n == 0 && (call->version >= 1 || in->member_epoch != 0))
        return "MemberId can't be empty.";
    if (is_empty(in->instance_id))
        return "InstanceId can't be empty.";
    if (is_empty(in->rack_id))
        return "RackId can't be empty.";
    if (in->member_epoch < LEAVE_STATIC)
        return "MemberEpoch is invalid.";
    if (in->member_epoch == LEAVE_STATIC && !in->instance_id.p)
        return "InstanceId can't be null.";
    return in->member_epoch == 0 ? bad_join(in) : NULL;
}

int16_t group_next_check_request(const struct group_call *call, struct slice *text)
{
    const request *in = call->in;
    const char *bad = bad_request(call);
    *text = slice_cstr(bad);
    if (bad)
        return KERR_INVALID_REQUEST;
    if (in->server_assignor.p && !assignor_find(in->server_assignor)) {
        *text = slice_cstr(arena_printf(call->arena,
                                        "ServerAssignor " PRI_SL " is not supported. Supported "
                                        "assignors: " ASSIGNOR_NAMES ".",
                                        ARG_SL(in->server_assignor)));
        return KERR_UNSUPPORTED_ASSIGNOR;
    }
    return KERR_NONE;
}

/* Everything that the request owns is assigned to the member. */
static bool owns_only_assigned(const request *in, const struct next_member *m)
{
    for (int32_t t = 0; t < in->topic_partitions_count; t++) {
        const owned_topic *o = &in->topic_partitions[t];
        for (int32_t i = 0; i < o->partitions_count; i++) {
            if (!next_set_has(&m->assigned, &o->topic_id, o->partitions[i]))
                return false;
        }
    }
    return in->topic_partitions_count >= 0;
}

/* A smaller epoch is the previous one when the answer that raised it was lost. */
static bool check_epoch(const struct group_call *call, const struct next_member *m)
{
    const request *in = call->in;
    if (in->member_epoch > m->epoch) {
        REFUSE(call, KERR_FENCED_MEMBER_EPOCH,
               "The consumer group member has a greater member epoch (%d) than the one known by "
               "the group coordinator (%d). The member must abandon all its partitions and rejoin.",
               in->member_epoch, m->epoch);
        return false;
    }
    if (in->member_epoch < m->epoch &&
        (in->member_epoch != m->previous_epoch || !owns_only_assigned(in, m))) {
        REFUSE(call, KERR_FENCED_MEMBER_EPOCH,
               "The consumer group member has a smaller member epoch (%d) than the one known by "
               "the group coordinator (%d). The member must abandon all its partitions and rejoin.",
               in->member_epoch, m->epoch);
        return false;
    }
    return true;
}

static void unknown_member(const struct group_call *call, const struct group_next *g)
{
    const request *in = call->in;
    REFUSE(call, KERR_UNKNOWN_MEMBER_ID, "Member " PRI_SL " is not a member of group %s.",
           ARG_SL(in->member_id), g->id);
}

/* The member of a call that does not join, or NULL and an error. */
static struct next_member *known_member(const struct group_call *call, const struct group_next *g)
{
    const request *in = call->in;
    struct next_member *m;
    if (!in->instance_id.p) {
        m = group_next_find(g, in->member_id);
        if (!m)
            unknown_member(call, g);
        return m;
    }
    m = group_next_find_instance(g, in->instance_id);
    if (!m) {
        REFUSE(call, KERR_UNKNOWN_MEMBER_ID, "Instance id " PRI_SL " is unknown.",
               ARG_SL(in->instance_id));
        return NULL;
    }
    if (!slice_eq(slice_cstr(m->id), in->member_id)) {
        REFUSE(call, KERR_FENCED_INSTANCE_ID,
               "Static member " PRI_SL " with instance id " PRI_SL " was fenced by member %s.",
               ARG_SL(in->member_id), ARG_SL(in->instance_id), m->id);
        return NULL;
    }
    return m;
}

/* --- leaving ---------------------------------------------------------------------------------- */

static void leave(const struct group_call *call, struct group_next *g)
{
    const request *in = call->in;
    response *out = call->out;
    struct next_member *m = known_member(call, g);
    if (!m)
        return;
    out->member_id = in->member_id;
    out->member_epoch = in->member_epoch;
    if (in->member_epoch == LEAVE_STATIC) {
        LOG_INFO(LOG_BROKER_GROUP, "group %s: static member %s leaves for a while", g->id, m->id);
        next_disown(g, &m->pending, m);
        next_set_clear(&m->pending);
        m->revoke_deadline = INT64_MAX;
        m->away = true;
        m->epoch = LEAVE_STATIC;
        return;
    }
    LOG_INFO(LOG_BROKER_GROUP, "group %s: member %s leaves", g->id, m->id);
    next_member_remove(g, m);
}

int16_t group_next_leave(struct group_next *g, struct slice member_id, struct slice instance_id)
{
    struct next_member *m =
        instance_id.p ? group_next_find_instance(g, instance_id) : group_next_find(g, member_id);
    if (!m)
        return KERR_UNKNOWN_MEMBER_ID;
    if (instance_id.p && member_id.n && !slice_eq(slice_cstr(m->id), member_id))
        return KERR_FENCED_INSTANCE_ID;
    next_member_remove(g, m);
    return KERR_NONE;
}

/* --- reconciling ------------------------------------------------------------------------------ */

static bool still_owns(const request *in, const struct next_set *set)
{
    if (in->topic_partitions_count < 0)
        return true; /* not said: as before */
    for (int32_t t = 0; t < in->topic_partitions_count; t++) {
        const owned_topic *o = &in->topic_partitions[t];
        for (int32_t i = 0; i < o->partitions_count; i++) {
            if (next_set_has(set, &o->topic_id, o->partitions[i]))
                return true;
        }
    }
    return false;
}

static void set_epoch(struct next_member *m, int32_t epoch)
{
    m->previous_epoch = m->epoch;
    m->epoch = epoch;
}

/* The next step towards the target. `epoch` is the one the member stays in while it revokes. */
static void compute(struct group_next *g, struct next_member *m, int32_t epoch, const request *in,
                    int64_t now)
{
    struct next_set keep = {0}, revoke = {0};
    bool waiting = false;
    for (size_t i = 0; i < m->assigned.n; i++) {
        const struct next_tp *tp = &m->assigned.v[i];
        next_set_add(next_set_has(&m->target, &tp->topic->id, tp->partition) ? &keep : &revoke,
                     tp->topic, tp->partition);
    }
    if (revoke.n && still_owns(in, &revoke)) {
        next_set_swap(&m->assigned, &keep);
        next_set_swap(&m->pending, &revoke);
        set_epoch(m, epoch);
        m->state = MEMBER_UNREVOKED;
        m->revoke_deadline = now + m->rebalance_timeout_ms;
    } else {
        next_disown(g, &revoke, m);
        for (size_t i = 0; i < m->target.n; i++) {
            const struct next_tp *tp = &m->target.v[i];
            if (next_set_has(&m->assigned, &tp->topic->id, tp->partition))
                continue;
            if (tp->topic->owner[tp->partition])
                waiting = true;
            else
                next_set_add(&keep, tp->topic, tp->partition);
        }
        next_set_sort(&keep);
        next_set_swap(&m->assigned, &keep);
        next_own(g, &m->assigned, m);
        set_epoch(m, g->assignment_epoch);
        m->state = waiting ? MEMBER_UNRELEASED : MEMBER_STABLE;
        m->revoke_deadline = INT64_MAX;
    }
    next_set_release(&keep);
    next_set_release(&revoke);
}

void next_reconcile(struct group_next *g, struct next_member *m, const request *in, int64_t now)
{
    switch (m->state) {
    case MEMBER_STABLE:
        if (m->epoch != g->assignment_epoch)
            compute(g, m, m->epoch, in, now);
        break;
    case MEMBER_UNREVOKED:
        if (still_owns(in, &m->pending))
            break;
        next_disown(g, &m->pending, m);
        next_set_clear(&m->pending);
        compute(g, m, m->epoch + 1, in, now);
        break;
    case MEMBER_UNRELEASED:
        compute(g, m, m->epoch, in, now);
        break;
    }
}

/* --- joining ---------------------------------------------------------------------------------- */

void next_start_again(struct group_next *g, struct next_member *m)
{
    next_disown(g, &m->pending, m);
    next_set_clear(&m->pending);
    m->state = MEMBER_STABLE;
    m->away = false;
    m->epoch = 0;
    m->previous_epoch = 0;
    m->revoke_deadline = INT64_MAX;
}

static struct next_member *join_new(const struct group_call *call, struct group_next *g,
                                    const struct next_timing *t)
{
    const request *in = call->in;
    if (g->members.count >= (size_t)t->max_size) {
        REFUSE(call, KERR_GROUP_MAX_SIZE_REACHED,
               "The consumer group has reached its maximum capacity of %d members.", t->max_size);
        return NULL;
    }
    struct slice id = in->member_id;
    char text[UUID_TEXT_SIZE];
    if (id.n == 0) { /* version 0 leaves it to us */
        struct uuid u;
        uuid_random(&u);
        uuid_text(&u, text);
        id = slice_cstr(text);
    }
    return next_member_add(g, id, in->instance_id);
}

static struct next_member *join(const struct group_call *call, struct group_next *g,
                                const struct next_timing *t)
{
    const request *in = call->in;
    struct next_member *m = in->instance_id.p ? group_next_find_instance(g, in->instance_id)
                                              : group_next_find(g, in->member_id);
    if (!m) {
        if (group_next_find(g, in->member_id)) { /* with another instance id, or none */
            unknown_member(call, g);
            return NULL;
        }
        return join_new(call, g, t);
    }
    if (!slice_eq(slice_cstr(m->id), in->member_id)) {
        if (!m->away && !m->classic) { /* who changes its protocol need not have left */
            REFUSE(call, KERR_UNRELEASED_INSTANCE_ID,
                   "Static member " PRI_SL " with instance id " PRI_SL
                   " cannot join the group because the instance id is in use by %s.",
                   ARG_SL(in->member_id), ARG_SL(in->instance_id), m->id);
            return NULL;
        }
        if (group_next_find(g, in->member_id)) {
            unknown_member(call, g);
            return NULL;
        }
        next_member_rename(g, m, in->member_id);
    }
    if (m->classic) { /* the same client, with the new protocol */
        group_member_drop_calls(m->classic, KERR_FENCED_INSTANCE_ID);
        group_member_free(m->classic);
        m->classic = NULL;
    }
    next_start_again(g, m);
    return m;
}

/* --- the heartbeat ---------------------------------------------------------------------------- */

static bool take_regex(const struct group_call *call, const struct group_next *g,
                       struct topic_regex **out, bool *changed, const struct next_member *old)
{
    const request *in = call->in;
    struct error e;
    *changed = false;
    if (!in->subscribed_topic_regex.p)
        return true;
    struct slice before = old && old->regex ? topic_regex_text(old->regex) : SL("");
    *changed = !slice_eq(before, in->subscribed_topic_regex);
    if (!*changed || in->subscribed_topic_regex.n == 0)
        return true;
    if (topic_regex_new(out, in->subscribed_topic_regex, &e) == E_OK) {
        if (next_regex_affordable(g, *out))
            return true;
        topic_regex_free(*out);
        (void)error_set(&e, E_TOO_LARGE, "matching it takes too many steps");
    }
    REFUSE(call, KERR_INVALID_REGULAR_EXPRESSION,
           "SubscribedTopicRegex `" PRI_SL "` is not a valid regular expression: %s.",
           ARG_SL(in->subscribed_topic_regex), e.msg);
    return false;
}

static void take_changes(const struct group_call *call, struct group_next *g, struct next_member *m,
                         struct topic_regex *regex, bool regex_changed)
{
    const request *in = call->in;
    bool changed = regex_changed || m->previous_epoch == -1; /* new here */
    if (regex_changed) {
        topic_regex_free(m->regex);
        m->regex = regex;
    }
    if (in->subscribed_topic_names_count >= 0)
        changed |=
            next_member_set_names(m, in->subscribed_topic_names, in->subscribed_topic_names_count);
    if (in->rebalance_timeout_ms >= 0)
        m->rebalance_timeout_ms = in->rebalance_timeout_ms;
    next_text(&m->rack_id, in->rack_id);
    next_text(&m->assignor, in->server_assignor);
    next_text(&m->client_id, call->client_id);
    next_text(&m->client_host, call->client_host);
    if (changed)
        next_bump(g);
}

static bool is_full(const request *in)
{
    return in->member_epoch == 0 ||
           (in->rebalance_timeout_ms != -1 && in->topic_partitions_count >= 0 &&
            (in->subscribed_topic_names_count >= 0 || in->subscribed_topic_regex.p));
}

void group_next_heartbeat(struct group_next *g, const struct group_call *call,
                          const struct next_timing *t, int64_t now)
{
    const request *in = call->in;
    response *out = call->out;
    struct next_set before = {0};
    struct topic_regex *regex = NULL;
    bool regex_changed;
    if (in->member_epoch < 0) {
        leave(call, g);
        return;
    }
    const struct next_member *old = in->instance_id.p ? group_next_find_instance(g, in->instance_id)
                                                      : group_next_find(g, in->member_id);
    if (!take_regex(call, g, &regex, &regex_changed, old))
        return;
    struct next_member *m = in->member_epoch == 0 ? join(call, g, t) : known_member(call, g);
    if (!m || (in->member_epoch > 0 && !check_epoch(call, m))) {
        topic_regex_free(regex);
        return;
    }
    take_changes(call, g, m, regex, regex_changed);
    next_update(g);
    next_set_copy(&before, &m->assigned);
    next_reconcile(g, m, in, now);
    m->session_deadline = now + t->session_timeout_ms;
    out->member_id = slice_cstr(arena_strdup(call->arena, m->id));
    out->member_epoch = m->epoch;
    out->heartbeat_interval_ms = t->heartbeat_interval_ms;
    if (is_full(in) || !next_set_equal(&before, &m->assigned))
        next_tell(&m->assigned, call->arena, &out->assignment, &out->has_assignment);
    next_set_release(&before);
}
