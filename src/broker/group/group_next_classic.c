/* broker/group/group_next_classic.c - members of the classic protocol in a consumer group, and how a
 * group changes its protocol while members are there. See group_next.h.
 *
 * To the group such a member is like any other: its subscription and what it owns are read from the
 * metadata of its Join, its target comes from the server's assignor, and its epoch is told as its
 * generation. It takes each step of its walk with a Join, of which nobody is the leader, and the
 * Sync that follows tells what it holds; a heartbeat asks for the next Join with REBALANCE_IN_PROGRESS.
 * revoke_deadline is the time by which it must have done so.
 *
 * SPEC: broker 8.4. Owner: the coordinator loop. */
#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/consumer_bytes.h"
#include "broker/group/group_internal.h"
#include "broker/group/group_next.h"
#include "broker/group/group_next_internal.h"

#define NEWEST_ASSIGNMENT 3

typedef struct consumer_group_heartbeat_request heartbeat;
typedef struct consumer_group_heartbeat_request_topic_partition owned_topic;

/* --- what a member says ----------------------------------------------------------------------- */

/* Is there a protocol that all classic members know? */
static bool fits(const struct group_next *n, const struct join_group_request *in,
                 const struct next_member *except)
{
    if (!slice_eq(in->protocol_type, SL("consumer")))
        return false;
    for (int32_t i = 0; i < in->protocols_count; i++) {
        bool all = true;
        list_each (&n->members, k) {
            const struct next_member *m = list_entry(k, struct next_member, link);
            all &= m == except || !m->classic ||
                   group_member_metadata(m->classic, in->protocols[i].name).p != NULL;
        }
        if (all)
            return true;
    }
    return false;
}

static bool set_subscription(struct next_member *m, const struct consumer_subscription *s)
{
    const struct group_member *c = m->classic;
    m->rebalance_timeout_ms = c->rebalance_timeout_ms;
    next_text(&m->rack_id, s->rack);
    next_text(&m->client_id, slice_cstr(c->client_id));
    next_text(&m->client_host, slice_cstr(c->client_host));
    return next_member_set_names(m, s->topics, s->topic_count);
}

static void restart_session(struct next_member *m, int64_t now)
{
    const struct group_member *c = m->classic;
    m->session_deadline = c->inside ? INT64_MAX : now + c->session_timeout_ms;
}

/* What it owns, in the words of the new protocol. */
static void fill_owned(const struct group_next *n, const struct consumer_list *owned,
                       struct arena *a, heartbeat *out)
{
    consumer_group_heartbeat_request_init(out);
    out->topic_partitions =
        consumer_group_heartbeat_request_topic_partition_array(a, (int32_t)owned->n);
    out->topic_partitions_count = 0;
    for (size_t i = 0; i < owned->n; i++) {
        owned_topic *row = &out->topic_partitions[out->topic_partitions_count];
        int32_t count;
        if (!n->view->by_name(n->view->arg, owned->v[i].topic, &row->topic_id, &count))
            continue;
        row->partitions = owned->v[i].partitions;
        row->partitions_count = owned->v[i].count;
        out->topic_partitions_count++;
    }
}

/* --- JoinGroup -------------------------------------------------------------------------------- */

static bool is_full(const struct group_next *n, const struct next_timing *t)
{
    return n->members.count >= (size_t)t->max_size;
}

/* Who has no id yet gets one first, from version 4 on. */
static int16_t give_id(const struct group_next *n, struct group *g, const struct group_call *call,
                       const struct next_timing *t, int64_t now)
{
    const struct join_group_request *in = call->in;
    struct join_group_response *out = call->out;
    int16_t code = is_full(n, t) ? KERR_GROUP_MAX_SIZE_REACHED : group_pending_room(g);
    if (code != KERR_NONE)
        return code;
    char *id = group_new_member_id(call->client_id);
    group_pending_add(g, id, now + in->session_timeout_ms);
    out->member_id = slice_cstr(arena_strdup(call->arena, id));
    mem_free(id);
    return KERR_MEMBER_ID_REQUIRED;
}

/* The member that joins: *m, or NULL for one that shall be made with *id (caller frees). */
static int16_t who_joins(const struct group_next *n, struct group *g, const struct group_call *call,
                         struct next_member **m, char **id)
{
    const struct join_group_request *in = call->in;
    *m = NULL;
    *id = NULL;
    if (in->member_id.n == 0) {
        if (in->group_instance_id.p)
            *m = group_next_find_instance(n, in->group_instance_id);
        *id =
            group_new_member_id(in->group_instance_id.p ? in->group_instance_id : call->client_id);
        return KERR_NONE;
    }
    struct group_pending *p = group_pending_find(g, in->member_id);
    if (p && !in->group_instance_id.p) {
        *id = xstrdup(p->id);
        group_pending_remove(g, p);
        return KERR_NONE;
    }
    *m = group_next_find(n, in->member_id);
    if (in->group_instance_id.p) {
        const struct next_member *named = group_next_find_instance(n, in->group_instance_id);
        if (named && named != *m)
            return KERR_FENCED_INSTANCE_ID;
        if (named != *m)
            *m = NULL;
    }
    return *m && (*m)->classic ? KERR_NONE : KERR_UNKNOWN_MEMBER_ID;
}

/* What a static member has said in the new protocol does not bind its successor of the classic one. */
static void forget_wishes(struct group_next *n, struct next_member *m)
{
    if (m->regex)
        next_bump(n);
    topic_regex_free(m->regex);
    m->regex = NULL;
    mem_free(m->assignor);
    m->assignor = NULL;
}

/* Takes what the Join says; makes the member, or lets a static one go on under a new id. */
static int16_t take_member(struct group_next *n, struct next_member **m, const char *id,
                           const struct group_call *call)
{
    const struct join_group_request *in = call->in;
    if (*m && (*m)->classic && group_member_update((*m)->classic, call) != E_OK)
        return KERR_COORDINATOR_NOT_AVAILABLE;
    if (!*m || !(*m)->classic) {
        struct group_member *c = group_member_new(id, call);
        if (!c)
            return KERR_COORDINATOR_NOT_AVAILABLE;
        if (!*m)
            *m = next_member_add(n, slice_cstr(id), in->group_instance_id);
        forget_wishes(n, *m);
        (*m)->classic = c;
    }
    if (id && !slice_eq(slice_cstr((*m)->id), slice_cstr(id))) {
        next_member_rename(n, *m, slice_cstr(id));
        next_start_again(n, *m);
    }
    return KERR_NONE;
}

static void answer_join(const struct next_member *m, const struct group_call *call)
{
    struct join_group_response *out = call->out;
    out->generation_id = m->epoch;
    out->protocol_type = SL("consumer");
    out->protocol_name = arena_dup(call->arena, m->classic->protocols[0].name);
    out->leader = SL(""); /* the broker assigns */
    out->member_id = slice_cstr(arena_strdup(call->arena, m->id));
}

/* Its next call is due within its rebalance timeout. */
static void expect(struct next_member *m, int64_t now)
{
    if (m->revoke_deadline == INT64_MAX)
        m->revoke_deadline = now + m->rebalance_timeout_ms;
}

int16_t group_next_join(struct group_next *n, struct group *g, const struct group_call *call,
                        const struct next_timing *t, int64_t now)
{
    const struct join_group_request *in = call->in;
    struct consumer_subscription said;
    struct next_member *m;
    heartbeat owned;
    char *id;
    if (group_protocols_too_large(in))
        return KERR_INVALID_REQUEST;
    int16_t code = KERR_NONE;
    if (in->protocols_count <= 0 ||
        consumer_subscription_read(in->protocols[0].metadata, call->arena, &said) != E_OK)
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (in->member_id.n == 0 && !in->group_instance_id.p && call->version >= 4)
        return fits(n, in, NULL) ? give_id(n, g, call, t, now) : KERR_INCONSISTENT_GROUP_PROTOCOL;
    code = who_joins(n, g, call, &m, &id);
    if (code == KERR_NONE && !fits(n, in, m))
        code = KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (code == KERR_NONE && !m && is_full(n, t))
        code = KERR_GROUP_MAX_SIZE_REACHED;
    if (code == KERR_NONE)
        code = take_member(n, &m, id, call);
    mem_free(id);
    if (code != KERR_NONE)
        return code;
    bool is_new = m->previous_epoch == -1;
    if (set_subscription(m, &said) || is_new)
        next_bump(n);
    next_update(n);
    fill_owned(n, &said.owned, call->arena, &owned);
    next_reconcile(n, m, &owned, now);
    if (m->state != MEMBER_UNREVOKED)
        m->revoke_deadline = INT64_MAX;
    expect(m, now); /* its Sync */
    restart_session(m, now);
    answer_join(m, call);
    return KERR_NONE;
}

/* --- SyncGroup, Heartbeat --------------------------------------------------------------------- */

static int16_t find(const struct group_next *n, struct slice id, struct slice instance_id,
                    int32_t generation, struct next_member **out)
{
    if (instance_id.p) {
        const struct next_member *named = group_next_find_instance(n, instance_id);
        if (!named)
            return KERR_UNKNOWN_MEMBER_ID;
        if (!slice_eq(slice_cstr(named->id), id))
            return KERR_FENCED_INSTANCE_ID;
    }
    *out = group_next_find(n, id);
    if (!*out || !(*out)->classic)
        return KERR_UNKNOWN_MEMBER_ID;
    return (*out)->epoch == generation ? KERR_NONE : KERR_ILLEGAL_GENERATION;
}

static struct slice assignment_of(const struct next_member *m, struct arena *a)
{
    const struct next_set *s = &m->assigned;
    struct consumer_list l = {arena_calloc(a, s->n + 1, sizeof *l.v), 0};
    int32_t *numbers = arena_alloc(a, (s->n + 1) * sizeof *numbers);
    struct consumer_subscription said;
    struct strbuf b = STRBUF_INIT;
    int16_t version = 0;
    for (size_t i = 0; i < s->n; i++) {
        numbers[i] = s->v[i].partition;
        if (i == 0 || s->v[i].topic != s->v[i - 1].topic)
            l.v[l.n++] = (struct consumer_partitions){s->v[i].topic->name, &numbers[i], 0};
        l.v[l.n - 1].count++;
    }
    if (consumer_subscription_read(m->classic->protocols[0].metadata, a, &said) == E_OK)
        version = MIN(said.version, NEWEST_ASSIGNMENT);
    consumer_assignment_write(&l, version, &b);
    struct slice out = arena_dup(a, strbuf_slice(&b));
    strbuf_release(&b);
    return out;
}

int16_t group_next_sync(struct group_next *n, const struct group_call *call, int64_t now)
{
    const struct sync_group_request *in = call->in;
    struct sync_group_response *out = call->out;
    struct next_member *m;
    int16_t code = find(n, in->member_id, in->group_instance_id, in->generation_id, &m);
    if (code != KERR_NONE)
        return code;
    struct slice protocol = m->classic->protocols[0].name;
    if ((in->protocol_type.p && !slice_eq(in->protocol_type, SL("consumer"))) ||
        (in->protocol_name.p && !slice_eq(in->protocol_name, protocol)))
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    restart_session(m, now);
    if (n->epoch > m->epoch && m->state != MEMBER_UNREVOKED)
        return KERR_REBALANCE_IN_PROGRESS; /* the next round has begun */
    if (m->state != MEMBER_UNREVOKED)
        m->revoke_deadline = INT64_MAX;
    out->protocol_type = SL("consumer");
    out->protocol_name = arena_dup(call->arena, protocol);
    out->assignment = assignment_of(m, call->arena);
    return KERR_NONE;
}

/* Are the partitions free now that it waits for? */
static bool may_go_on(const struct next_member *m)
{
    for (size_t i = 0; i < m->target.n; i++) {
        const struct next_tp *tp = &m->target.v[i];
        const struct next_member *owner = tp->topic->owner[tp->partition];
        if (owner && owner != m)
            return false;
    }
    return true;
}

int16_t group_next_classic_heartbeat(struct group_next *n, const struct heartbeat_request *in,
                                     int64_t now)
{
    struct next_member *m;
    int16_t code = find(n, in->member_id, in->group_instance_id, in->generation_id, &m);
    if (code != KERR_NONE)
        return code;
    restart_session(m, now);
    if (m->epoch >= n->epoch && m->state == MEMBER_STABLE)
        return KERR_NONE;
    if (m->epoch >= n->epoch && m->state == MEMBER_UNRELEASED && !may_go_on(m))
        return KERR_NONE;
    expect(m, now);
    return KERR_REBALANCE_IN_PROGRESS;
}

/* --- upgrade ---------------------------------------------------------------------------------- */

static struct slice metadata_of(const struct group *g, const struct group_member *c)
{
    struct slice chosen = group_member_metadata(c, g->protocol);
    return chosen.p || c->protocol_count == 0 ? chosen : c->protocols[0].metadata;
}

static void take_assigned(struct group_next *n, struct next_member *m,
                          const struct consumer_list *held)
{
    for (size_t i = 0; i < held->n; i++) {
        struct next_topic *t = next_topic_find(n, held->v[i].topic);
        for (int32_t k = 0; t && k < held->v[i].count; k++) {
            int32_t p = held->v[i].partitions[k];
            if (p < 0 || p >= t->partitions || t->owner[p])
                continue; /* gone, or an assignor of the clients that gave it twice */
            t->owner[p] = m;
            next_set_add(&m->assigned, t, p);
        }
    }
    next_set_sort(&m->assigned);
    next_set_copy(&m->target, &m->assigned);
}

static bool can_be_read(const struct group *g, struct arena *a)
{
    list_each (&g->members, k) {
        const struct group_member *c = list_entry(k, struct group_member, link);
        struct consumer_subscription said;
        struct consumer_list held;
        if (consumer_subscription_read(metadata_of(g, c), a, &said) != E_OK ||
            consumer_assignment_read(c->assignment, a, &held) != E_OK)
            return false;
    }
    return true;
}

struct group_next *group_next_upgrade(struct group *g, const struct next_topics *view, int64_t now)
{
    struct arena a;
    struct group_next *n = NULL;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (can_be_read(g, &a)) {
        n = group_next_new(g->id, false, g->generation, view);
        for (struct link *k; (k = list_pop_front(&g->members)) != NULL;) {
            struct group_member *c = list_entry(k, struct group_member, link);
            struct next_member *m =
                next_member_add(n, slice_cstr(c->id), slice_cstr(c->instance_id));
            struct consumer_subscription said;
            struct consumer_list held;
            enum err read = consumer_subscription_read(metadata_of(g, c), &a, &said);
            invariant(!read && consumer_assignment_read(c->assignment, &a, &held) == E_OK);
            m->classic = c;
            m->epoch = m->previous_epoch = g->generation;
            restart_session(m, now);
            (void)set_subscription(m, &said);
            take_assigned(n, m, &held);
        }
    }
    arena_release(&a);
    return n;
}

void group_next_upgraded(struct group_next *n, struct group *g)
{
    size_t classic = 0;
    list_each (&n->members, k) {
        struct group_member *c = list_entry(k, struct next_member, link)->classic;
        if (c) /* it joins again, and finds the new group */
            group_member_drop_calls(c, KERR_REBALANCE_IN_PROGRESS);
        classic += c != NULL;
    }
    g->leader = NULL;
    group_set_state(g, GROUP_EMPTY);
    LOG_INFO(LOG_BROKER_GROUP,
             "group %s: goes on as a consumer group, with %zu members of the classic protocol",
             g->id, classic);
}

void group_next_upgrade_undo(struct group_next *n, struct group *g)
{
    list_each (&n->members, k) {
        struct next_member *m = list_entry(k, struct next_member, link);
        list_push_back(&g->members, &m->classic->link);
        m->classic = NULL;
    }
    group_next_free(n);
}

/* --- downgrade -------------------------------------------------------------------------------- */

bool group_next_is_all_classic(const struct group_next *n)
{
    list_each (&n->members, k) {
        if (!list_entry(k, struct next_member, link)->classic)
            return false;
    }
    return n->members.count > 0;
}

void group_next_downgrade(struct group_next *n, struct group *g, int64_t now)
{
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    g->generation = MAX(g->generation, n->epoch);
    list_each (&n->members, k) {
        struct next_member *m = list_entry(k, struct next_member, link);
        struct group_member *c = m->classic;
        group_own(&c->assignment, assignment_of(m, &a));
        m->classic = NULL;
        mem_free(c->id);
        c->id = xstrdup(m->id);
        c->synced = true;
        c->join_deadline = INT64_MAX;
        group_touch(c, now);
        list_push_back(&g->members, &c->link);
        g->leader = g->leader ? g->leader : c;
    }
    arena_release(&a);
    group_own(&g->protocol, group_vote(g));
    group_set_state(g, GROUP_STABLE);
    LOG_INFO(LOG_BROKER_GROUP, "group %s: goes on as a classic group, with %zu members", g->id,
             g->members.count);
    group_note_changed(g);
    group_prepare_rebalance(g, now, "the last member of the new protocol is gone");
}
