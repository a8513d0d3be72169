/* broker/group/group.c - members of a group, the rounds of a rebalance, and time. See group.h. */
#include "broker/group/group.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/consumer_bytes.h"
#include "broker/group/group_internal.h"

const char *group_state_name(enum group_state s)
{
    static const char *const names[] = {"Empty", "PreparingRebalance", "CompletingRebalance",
                                        "Stable", "Dead"};
    return names[s];
}

struct group *group_new(struct slice id, const struct group_rules *rules)
{
    struct group *g = xcalloc(1, sizeof *g);
    g->id = slice_dup(id);
    g->rules = rules;
    g->state = GROUP_EMPTY;
    g->protocol_type = slice_cstr(xstrdup(""));
    g->protocol = slice_cstr(xstrdup(""));
    list_init(&g->members);
    list_init(&g->pending);
    offset_map_init(&g->offsets);
    g->empty_since_ms = clock_wall_ms();
    g->phase_deadline = INT64_MAX;
    return g;
}

void group_member_free(struct group_member *m)
{
    mem_free(m->id);
    mem_free(m->instance_id);
    mem_free(m->client_id);
    mem_free(m->client_host);
    mem_free(m->protocols);
    mem_free(m->blob);
    mem_free((char *)(uintptr_t)m->assignment.p);
    mem_free(m);
}

void group_free(struct group *g)
{
    struct link *k;
    while ((k = list_pop_front(&g->members))) {
        struct group_member *m = list_entry(k, struct group_member, link);
        invariant(!m->join && !m->sync);
        group_member_free(m);
    }
    while (list_first(&g->pending))
        group_pending_remove(g, list_entry(list_first(&g->pending), struct group_pending, link));
    offset_map_release(&g->offsets);
    mem_free((char *)(uintptr_t)g->protocol_type.p);
    mem_free((char *)(uintptr_t)g->protocol.p);
    mem_free(g->id);
    mem_free(g);
}

void group_own(struct slice *to, struct slice s)
{
    char *copy = s.n ? slice_dup(s) : xstrdup("");
    mem_free((char *)(uintptr_t)to->p);
    *to = slice_of(copy, s.n);
}

void group_note_changed(struct group *g)
{
    if (g->changed)
        g->changed(g, g->changed_arg);
}

void group_set_state(struct group *g, enum group_state s)
{
    if (g->state != s)
        LOG_DEBUG(LOG_BROKER_GROUP, "group %s: %s -> %s generation=%d members=%zu", g->id,
                  group_state_name(g->state), group_state_name(s), g->generation, g->members.count);
    g->state = s;
    if (s == GROUP_EMPTY) {
        g->empty_since_ms = clock_wall_ms();
        g->phase_deadline = INT64_MAX;
        g->leader = NULL;
        group_own(&g->protocol, SL(""));
    }
}

/* --- members ---------------------------------------------------------------------------------- */

struct group_member *group_member_find(const struct group *g, struct slice id)
{
    list_each (&g->members, k) {
        struct group_member *m = list_entry(k, struct group_member, link);
        if (slice_eq(slice_cstr(m->id), id))
            return m;
    }
    return NULL;
}

struct group_member *group_member_by_instance(const struct group *g, struct slice instance_id)
{
    list_each (&g->members, k) {
        struct group_member *m = list_entry(k, struct group_member, link);
        if (m->instance_id && slice_eq(slice_cstr(m->instance_id), instance_id))
            return m;
    }
    return NULL;
}

struct group_pending *group_pending_find(const struct group *g, struct slice id)
{
    list_each (&g->pending, k) {
        struct group_pending *p = list_entry(k, struct group_pending, link);
        if (slice_eq(slice_cstr(p->id), id))
            return p;
    }
    return NULL;
}

void group_pending_add(struct group *g, const char *id, int64_t deadline)
{
    struct group_pending *p = xcalloc(1, sizeof *p);
    p->id = xstrdup(id);
    p->deadline = deadline;
    list_push_back(&g->pending, &p->link);
}

void group_pending_remove(struct group *g, struct group_pending *p)
{
    list_remove(&g->pending, &p->link);
    mem_free(p->id);
    mem_free(p);
}

struct group_member *group_member_new(const char *id, const struct group_call *call)
{
    const struct join_group_request *in = call->in;
    struct group_member *m = xcalloc(1, sizeof *m);
    m->id = xstrdup(id);
    m->instance_id = slice_dup(in->group_instance_id); /* NULL for the null slice */
    m->join_deadline = INT64_MAX;
    m->session_deadline = INT64_MAX;
    m->assignment = slice_of(xstrdup(""), 0);
    if (group_member_update(m, call) != E_OK) {
        group_member_free(m);
        return NULL;
    }
    return m;
}

struct group_member *group_member_add(struct group *g, const char *id,
                                      const struct group_call *call)
{
    const struct join_group_request *in = call->in;
    struct group_member *m = group_member_new(id, call);
    if (!m)
        return NULL;
    if (g->members.count == 0)
        group_own(&g->protocol_type, in->protocol_type);
    list_push_back(&g->members, &m->link);
    return m;
}

enum err group_member_update(struct group_member *m, const struct group_call *call)
{
    const struct join_group_request *in = call->in;
    size_t n = 0;
    for (int32_t i = 0; i < in->protocols_count; i++)
        n += in->protocols[i].name.n + in->protocols[i].metadata.n;
    char *blob = try_alloc(n + 1);
    struct group_protocol *protocols =
        try_calloc((size_t)MAX(in->protocols_count, 1), sizeof *protocols);
    if (!blob || !protocols) {
        mem_free(blob);
        mem_free(protocols);
        return E_NOMEM;
    }
    mem_free(m->blob);
    mem_free(m->protocols);
    m->blob = blob;
    m->protocols = protocols;
    m->protocol_count = in->protocols_count;
    char *at = m->blob;
    for (int32_t i = 0; i < in->protocols_count; i++) {
        const struct join_group_request_protocol *p = &in->protocols[i];
        m->protocols[i].name = slice_of(at, p->name.n);
        if (p->name.n)
            memcpy(at, p->name.p, p->name.n);
        at += p->name.n;
        m->protocols[i].metadata = slice_of(at, p->metadata.n);
        if (p->metadata.n)
            memcpy(at, p->metadata.p, p->metadata.n);
        at += p->metadata.n;
    }
    m->inside = call->inside;
    m->session_timeout_ms = in->session_timeout_ms;
    m->rebalance_timeout_ms =
        in->rebalance_timeout_ms >= 0 ? in->rebalance_timeout_ms : in->session_timeout_ms;
    mem_free(m->client_id);
    mem_free(m->client_host);
    m->client_id = call->client_id.p ? slice_dup(call->client_id) : xstrdup("");
    m->client_host = call->client_host.p ? slice_dup(call->client_host) : xstrdup("");
    return E_OK;
}

bool group_member_same_protocols(const struct group_member *m, const struct join_group_request *in)
{
    if (m->protocol_count != in->protocols_count)
        return false;
    for (int32_t i = 0; i < m->protocol_count; i++) {
        const struct join_group_request_protocol *p = &in->protocols[i];
        if (!slice_eq(m->protocols[i].name, p->name) ||
            m->protocols[i].metadata.n != p->metadata.n ||
            (p->metadata.n && memcmp(m->protocols[i].metadata.p, p->metadata.p, p->metadata.n)))
            return false;
    }
    return true;
}

struct slice group_member_metadata(const struct group_member *m, struct slice name)
{
    for (int32_t i = 0; i < m->protocol_count; i++) {
        if (slice_eq(m->protocols[i].name, name))
            return m->protocols[i].metadata;
    }
    return SLICE_NULL;
}

void group_touch(struct group_member *m, int64_t now)
{
    m->session_deadline = m->inside ? INT64_MAX : now + m->session_timeout_ms;
}

void group_member_remove(struct group *g, struct group_member *m, int16_t code)
{
    list_remove(&g->members, &m->link);
    if (g->leader == m)
        g->leader = NULL;
    group_member_drop_calls(m, code);
    group_member_free(m);
}

void group_member_drop_calls(struct group_member *m, int16_t code)
{
    struct group_call *join = m->join, *sync = m->sync;
    m->join = m->sync = NULL;
    if (join)
        group_answer_join_error(join, slice_cstr(m->id), code);
    if (sync)
        group_answer_sync_error(sync, code);
}

void group_drop_calls(struct group *g, int16_t code)
{
    list_each (&g->members, k)
        group_member_drop_calls(list_entry(k, struct group_member, link), code);
}

/* --- protocols -------------------------------------------------------------------------------- */

static bool all_support(const struct group *g, struct slice name, const struct group_member *except)
{
    list_each (&g->members, k) {
        const struct group_member *m = list_entry(k, struct group_member, link);
        if (m != except && group_member_metadata(m, name).p == NULL)
            return false;
    }
    return true;
}

bool group_protocols_fit(const struct group *g, const struct join_group_request *in,
                         const struct group_member *except)
{
    if (g->members.count == (except ? 1u : 0u))
        return in->protocol_type.n > 0 && in->protocols_count > 0;
    if (!slice_eq(g->protocol_type,
                  slice_of(in->protocol_type.p ? in->protocol_type.p : "", in->protocol_type.n)))
        return false;
    for (int32_t i = 0; i < in->protocols_count; i++) {
        if (all_support(g, in->protocols[i].name, except))
            return true;
    }
    return false;
}

/* Each member votes for the first of its protocols that all support; most votes win. */
struct slice group_vote(const struct group *g)
{
    struct link *first = list_first(&g->members);
    if (!first)
        return SL("");
    const struct group_member *some = list_entry(first, struct group_member, link);
    struct slice best = SL("");
    size_t best_votes = 0;
    for (int32_t i = 0; i < some->protocol_count; i++) {
        struct slice name = some->protocols[i].name;
        if (!all_support(g, name, NULL))
            continue;
        size_t votes = 0;
        list_each (&g->members, k) {
            const struct group_member *m = list_entry(k, struct group_member, link);
            for (int32_t p = 0; p < m->protocol_count; p++) {
                if (all_support(g, m->protocols[p].name, NULL)) {
                    votes += slice_eq(m->protocols[p].name, name);
                    break;
                }
            }
        }
        if (votes > best_votes) {
            best_votes = votes;
            best = name;
        }
    }
    return best;
}

bool group_subscribes(const struct group *g, struct slice topic)
{
    if (g->members.count == 0)
        return false;
    if (!slice_eq(g->protocol_type, SL("consumer")))
        return true;
    list_each (&g->members, k) {
        const struct group_member *m = list_entry(k, struct group_member, link);
        for (int32_t i = 0; i < m->protocol_count; i++) {
            if (consumer_subscription_names(m->protocols[i].metadata, topic))
                return true;
        }
    }
    return false;
}

/* --- answers ---------------------------------------------------------------------------------- */

void group_answer_join_error(struct group_call *call, struct slice member_id, int16_t code)
{
    struct join_group_response *out = call->out;
    out->error_code = code;
    out->generation_id = -1;
    out->member_id = arena_dup(call->arena, member_id);
    out->protocol_name = call->version >= 7 ? SLICE_NULL : SL("");
    call->done(call);
}

void group_answer_join(struct group *g, struct group_member *m, struct group_call *call)
{
    struct join_group_response *out = call->out;
    struct arena *a = call->arena;
    out->generation_id = g->generation;
    out->protocol_type = arena_dup(a, g->protocol_type);
    out->protocol_name = arena_dup(a, g->protocol);
    out->leader = g->leader ? slice_cstr(arena_strdup(a, g->leader->id)) : SL("");
    out->member_id = slice_cstr(arena_strdup(a, m->id));
    if (m == g->leader) {
        out->members_count = (int32_t)g->members.count;
        out->members = join_group_response_member_array(a, out->members_count);
        size_t i = 0;
        list_each (&g->members, k) {
            const struct group_member *o = list_entry(k, struct group_member, link);
            struct join_group_response_member *row = &out->members[i++];
            row->member_id = slice_cstr(arena_strdup(a, o->id));
            row->group_instance_id =
                o->instance_id ? slice_cstr(arena_strdup(a, o->instance_id)) : SLICE_NULL;
            struct slice metadata = group_member_metadata(o, g->protocol);
            row->metadata = metadata.p ? arena_dup(a, metadata) : SL("");
        }
    }
    call->done(call);
}

void group_answer_sync_error(struct group_call *call, int16_t code)
{
    struct sync_group_response *out = call->out;
    out->error_code = code;
    call->done(call);
}

void group_answer_sync(struct group *g, struct group_member *m, struct group_call *call)
{
    struct sync_group_response *out = call->out;
    out->protocol_type = arena_dup(call->arena, g->protocol_type);
    out->protocol_name = arena_dup(call->arena, g->protocol);
    out->assignment = arena_dup(call->arena, m->assignment);
    m->synced = true;
    call->done(call);
}

/* --- rounds ----------------------------------------------------------------------------------- */

/* Members from outside may come one by one at the start of many programs; those in this process are
 * started together, and are there at once. */
static bool all_inside(const struct group *g)
{
    list_each (&g->members, k) {
        if (!list_entry(k, struct group_member, link)->inside)
            return false;
    }
    return true;
}

static int64_t longest_rebalance(const struct group *g)
{
    int64_t longest = 0;
    list_each (&g->members, k) {
        longest = MAX(longest, list_entry(k, struct group_member, link)->rebalance_timeout_ms);
    }
    return longest;
}

void group_prepare_rebalance(struct group *g, int64_t now, const char *why)
{
    if (g->state != GROUP_PREPARING_REBALANCE) {
        LOG_DEBUG(LOG_BROKER_GROUP, "group %s: rebalance: %s generation=%d members=%zu", g->id, why,
                  g->generation, g->members.count);
        bool was_empty = g->state == GROUP_EMPTY;
        group_set_state(g, GROUP_PREPARING_REBALANCE);
        int64_t longest = longest_rebalance(g);
        g->phase_deadline = now + longest;
        g->delay_until = g->delay_limit = now;
        if (was_empty && g->rules->initial_rebalance_delay_ms > 0 && !all_inside(g)) {
            g->delay_limit = g->phase_deadline;
            g->delay_until = now + MIN(g->rules->initial_rebalance_delay_ms, longest);
        }
        list_each (&g->members, k) {
            struct group_member *m = list_entry(k, struct group_member, link);
            struct group_call *sync = m->sync;
            m->sync = NULL;
            m->synced = false;
            group_touch(m, now);
            if (sync)
                group_answer_sync_error(sync, KERR_REBALANCE_IN_PROGRESS);
        }
    }
    group_maybe_complete_join(g, now);
}

static void next_generation(struct group *g)
{
    g->generation = MAX(g->generation, g->last_generation) + 1;
}

static void to_empty(struct group *g)
{
    next_generation(g);
    group_set_state(g, GROUP_EMPTY);
    group_note_changed(g);
    LOG_INFO(LOG_BROKER_GROUP, "group %s is empty now generation=%d", g->id, g->generation);
}

/* The join phase is over: a new generation of those who are there. */
static void complete_join(struct group *g, int64_t now)
{
    size_t joined = 0;
    list_each (&g->members, k) {
        struct group_member *m = list_entry(k, struct group_member, link);
        if (m->join)
            joined++;
        else if (!m->instance_id)
            group_member_remove(g, m, KERR_UNKNOWN_MEMBER_ID);
    }
    if (g->members.count == 0) {
        to_empty(g);
        return;
    }
    if (joined == 0) { /* static members that are away: wait until they return or expire */
        g->phase_deadline = now + longest_rebalance(g);
        return;
    }
    if (!g->leader || !g->leader->join) {
        list_each (&g->members, k) {
            g->leader = list_entry(k, struct group_member, link);
            if (g->leader->join)
                break;
        }
    }
    next_generation(g);
    group_own(&g->protocol, group_vote(g));
    group_set_state(g, GROUP_COMPLETING_REBALANCE);
    g->phase_deadline = now + longest_rebalance(g);
    LOG_INFO(LOG_BROKER_GROUP,
             "group %s: generation %d with %zu members, protocol " PRI_SL ", leader %s", g->id,
             g->generation, g->members.count, ARG_SL(g->protocol), g->leader->id);
    list_each (&g->members, k) {
        struct group_member *m = list_entry(k, struct group_member, link);
        struct group_call *join = m->join;
        m->join = NULL;
        m->synced = false;
        m->join_deadline = INT64_MAX;
        if (!join)
            continue;
        group_touch(m, now);
        group_answer_join(g, m, join);
    }
    group_note_changed(g);
}

void group_maybe_complete_join(struct group *g, int64_t now)
{
    if (g->state != GROUP_PREPARING_REBALANCE)
        return;
    bool due = now >= g->phase_deadline;
    if (!due && now < g->delay_until)
        return;
    if (!due && g->pending.count && g->members.count)
        return;
    list_each (&g->members, k) {
        if (!due && !list_entry(k, struct group_member, link)->join)
            return;
    }
    complete_join(g, now);
}

/* --- time ------------------------------------------------------------------------------------- */

static int64_t member_deadline(const struct group_member *m)
{
    if (m->join)
        return m->join_deadline;
    return m->sync ? INT64_MAX : m->session_deadline;
}

int64_t group_deadline(const struct group *g)
{
    int64_t at = g->phase_deadline;
    if (g->state == GROUP_PREPARING_REBALANCE && g->delay_until < g->delay_limit)
        at = MIN(at, g->delay_until);
    list_each (&g->members, k) {
        at = MIN(at, member_deadline(list_entry(k, struct group_member, link)));
    }
    list_each (&g->pending, k) {
        at = MIN(at, list_entry(k, struct group_pending, link)->deadline);
    }
    return at;
}

/* Who got a generation and never asked for its assignment holds partitions that nobody reads. */
static bool drop_unsynced(struct group *g)
{
    bool any = false;
    list_each (&g->members, k) {
        struct group_member *m = list_entry(k, struct group_member, link);
        if (m->synced || m->sync)
            continue;
        LOG_INFO(LOG_BROKER_GROUP, "group %s: member %s did not sync in time and is removed", g->id,
                 m->id);
        group_member_remove(g, m, KERR_UNKNOWN_MEMBER_ID);
        any = true;
    }
    return any;
}

void group_tick(struct group *g, int64_t now)
{
    bool changed = false;
    list_each (&g->pending, k) {
        struct group_pending *p = list_entry(k, struct group_pending, link);
        if (p->deadline <= now)
            group_pending_remove(g, p);
    }
    list_each (&g->members, k) {
        struct group_member *m = list_entry(k, struct group_member, link);
        if (member_deadline(m) > now)
            continue;
        LOG_INFO(LOG_BROKER_GROUP,
                 "group %s: member %s client_id=%s host=%s has not been heard of "
                 "for its session timeout of %d ms and is removed",
                 g->id, m->id, m->client_id, m->client_host, m->session_timeout_ms);
        group_member_remove(g, m, KERR_UNKNOWN_MEMBER_ID);
        changed = true;
    }
    if ((g->state == GROUP_COMPLETING_REBALANCE || g->state == GROUP_STABLE) &&
        now >= g->phase_deadline) {
        g->phase_deadline = INT64_MAX;
        changed |= drop_unsynced(g);
    }
    if (changed && g->state != GROUP_EMPTY)
        group_prepare_rebalance(g, now, "a member went away");
    else if (g->state == GROUP_PREPARING_REBALANCE) {
        if (g->delay_until < g->delay_limit && now >= g->delay_until)
            g->delay_limit = g->delay_until; /* the initial delay has passed */
        group_maybe_complete_join(g, now);
    }
}
