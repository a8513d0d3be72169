/* broker/group/group_calls.c - what members ask: JoinGroup, SyncGroup, Heartbeat, LeaveGroup, and whether
 * an offset commit is theirs to make. The state machine itself is in group.c. SPEC:
 * broker 8.1, 8.2. */
#include "broker/group/group.h"

#include "base/base.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/group_internal.h"

#define NEW_MEMBER_JOIN_MS (5 * 60 * 1000)
#define PROTOCOLS_MAX 64 /* of a member; clients have one to three */
#define PROTOCOLS_BYTES_MAX (1 << 20)
#define PENDING_MAX 1000 /* ids of a group that were given out and not used yet */

char *group_new_member_id(struct slice prefix)
{
    struct uuid u;
    uuid_random(&u);
    const uint8_t *b = u.b;
    return xasprintf(PRI_SL "-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                     ARG_SL(prefix), b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9],
                     b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* Whether the instance id of a call belongs to this member id. */
static int16_t check_instance(const struct group *g, struct slice member_id,
                              struct slice instance_id)
{
    if (instance_id.p == NULL)
        return KERR_NONE;
    const struct group_member *m = group_member_by_instance(g, instance_id);
    if (!m)
        return KERR_UNKNOWN_MEMBER_ID;
    return slice_eq(slice_cstr(m->id), member_id) ? KERR_NONE : KERR_FENCED_INSTANCE_ID;
}

static int16_t find_member(const struct group *g, struct slice member_id, struct slice instance_id,
                           struct group_member **out)
{
    int16_t code = check_instance(g, member_id, instance_id);
    if (code != KERR_NONE)
        return code;
    *out = group_member_find(g, member_id);
    return *out ? KERR_NONE : KERR_UNKNOWN_MEMBER_ID;
}

/* --- JoinGroup -------------------------------------------------------------------------------- */

static void park_join(struct group_member *m, struct group_call *call)
{
    struct group_call *old = m->join;
    m->join = call;
    if (old) /* an earlier connection of the same member */
        group_answer_join_error(old, slice_cstr(m->id), KERR_REBALANCE_IN_PROGRESS);
}

static void join_new(struct group *g, const char *id, struct group_call *call, int64_t now)
{
    struct group_member *m = group_member_add(g, id, call);
    if (!m) { /* a code after which clients come again */
        group_answer_join_error(call, SL(""), KERR_COORDINATOR_NOT_AVAILABLE);
        group_maybe_complete_join(g, now); /* others may have waited for this one */
        return;
    }
    m->join_deadline = now + NEW_MEMBER_JOIN_MS;
    group_touch(m, now);
    park_join(m, call);
    if (g->state == GROUP_PREPARING_REBALANCE) {
        if (g->delay_until < g->delay_limit) /* the initial delay begins anew with each joiner */
            g->delay_until = MIN(now + g->rules->initial_rebalance_delay_ms, g->delay_limit);
        group_maybe_complete_join(g, now);
        return;
    }
    group_prepare_rebalance(g, now, "a member joins");
}

static bool is_full(const struct group *g)
{
    return g->members.count >= (size_t)g->rules->max_size;
}

/* Those on their way count as members. */
int16_t group_pending_room(const struct group *g)
{
    if (g->members.count + g->pending.count >= (size_t)g->rules->max_size)
        return KERR_GROUP_MAX_SIZE_REACHED;
    return g->pending.count >= PENDING_MAX ? KERR_COORDINATOR_NOT_AVAILABLE : KERR_NONE;
}

bool group_protocols_too_large(const struct join_group_request *in)
{
    size_t n = 0;
    for (int32_t i = 0; i < in->protocols_count; i++)
        n += in->protocols[i].name.n + in->protocols[i].metadata.n;
    return in->protocols_count > PROTOCOLS_MAX || n > PROTOCOLS_BYTES_MAX;
}

static void join_without_id(struct group *g, struct group_call *call, int64_t now)
{
    const struct join_group_request *in = call->in;
    int16_t code = call->version >= 4 ? group_pending_room(g)
                   : is_full(g)       ? KERR_GROUP_MAX_SIZE_REACHED
                                      : KERR_NONE;
    if (code == KERR_NONE && !group_protocols_fit(g, in, NULL))
        code = KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (code != KERR_NONE) {
        group_answer_join_error(call, SL(""), code);
        return;
    }
    char *id = group_new_member_id(call->client_id);
    if (call->version >= 4) {
        group_pending_add(g, id, now + in->session_timeout_ms);
        group_answer_join_error(call, slice_cstr(id), KERR_MEMBER_ID_REQUIRED);
    } else {
        join_new(g, id, call, now);
    }
    mem_free(id);
}

/* A static member that comes back after a restart takes the place, and the partitions, of its
 * predecessor; in a stable group nobody else notices. */
static void replace_static(struct group *g, struct group_member *m, struct group_call *call,
                           int64_t now)
{
    const struct join_group_request *in = call->in;
    if (group_member_update(m, call) != E_OK) {
        group_answer_join_error(call, SL(""), KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    char *old_id = m->id;
    struct group_call *join = m->join, *sync = m->sync;
    m->join = m->sync = NULL;
    m->id = group_new_member_id(in->group_instance_id);
    if (join)
        group_answer_join_error(join, slice_cstr(old_id), KERR_FENCED_INSTANCE_ID);
    if (sync)
        group_answer_sync_error(sync, KERR_FENCED_INSTANCE_ID);
    group_touch(m, now);
    if (g->state != GROUP_STABLE || !slice_eq(group_vote(g), g->protocol)) {
        park_join(m, call);
        group_prepare_rebalance(g, now, "a static member came back");
        mem_free(old_id);
        return;
    }
    group_note_changed(g);
    struct join_group_response *out = call->out;
    if (m == g->leader && call->version < 9) {
        /* An older client would assign anew if it were told that it leads. */
        out->generation_id = g->generation;
        out->protocol_type = arena_dup(call->arena, g->protocol_type);
        out->protocol_name = arena_dup(call->arena, g->protocol);
        out->leader = slice_cstr(arena_strdup(call->arena, old_id));
        out->member_id = slice_cstr(arena_strdup(call->arena, m->id));
        call->done(call);
    } else {
        out->skip_assignment = m == g->leader;
        group_answer_join(g, m, call);
    }
    mem_free(old_id);
}

static void join_static(struct group *g, struct group_call *call, int64_t now)
{
    const struct join_group_request *in = call->in;
    struct group_member *known = group_member_by_instance(g, in->group_instance_id);
    if (!known && is_full(g)) {
        group_answer_join_error(call, SL(""), KERR_GROUP_MAX_SIZE_REACHED);
        return;
    }
    if (!group_protocols_fit(g, in, known)) {
        group_answer_join_error(call, SL(""), KERR_INCONSISTENT_GROUP_PROTOCOL);
        return;
    }
    if (known) {
        replace_static(g, known, call, now);
        return;
    }
    char *id = group_new_member_id(in->group_instance_id);
    join_new(g, id, call, now);
    mem_free(id);
}

static void join_pending(struct group *g, struct group_pending *p, struct group_call *call,
                         int64_t now)
{
    const struct join_group_request *in = call->in;
    if (in->group_instance_id.p) { /* an id given to a dynamic member */
        group_answer_join_error(call, in->member_id, KERR_UNKNOWN_MEMBER_ID);
        return;
    }
    if (is_full(g)) {
        group_pending_remove(g, p);
        group_answer_join_error(call, SL(""), KERR_GROUP_MAX_SIZE_REACHED);
        group_maybe_complete_join(g, now);
        return;
    }
    if (!group_protocols_fit(g, in, NULL)) {
        group_answer_join_error(call, in->member_id, KERR_INCONSISTENT_GROUP_PROTOCOL);
        return;
    }
    char *id = xstrdup(p->id);
    group_pending_remove(g, p);
    join_new(g, id, call, now);
    mem_free(id);
}

static void join_known(struct group *g, struct group_member *m, struct group_call *call,
                       int64_t now)
{
    const struct join_group_request *in = call->in;
    bool same = group_member_same_protocols(m, in);
    group_touch(m, now);
    if (g->state == GROUP_STABLE && same && m != g->leader) {
        group_answer_join(g, m, call);
        return;
    }
    if (g->state == GROUP_COMPLETING_REBALANCE && same) {
        group_answer_join(g, m, call);
        return;
    }
    if (group_member_update(m, call) != E_OK) {
        group_answer_join_error(call, in->member_id, KERR_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    park_join(m, call);
    group_prepare_rebalance(g, now,
                            m == g->leader ? "the leader joins again" : "a member joins again");
}

void group_join(struct group *g, struct group_call *call, int64_t now)
{
    const struct join_group_request *in = call->in;
    if (group_protocols_too_large(in)) {
        group_answer_join_error(call, in->member_id, KERR_INVALID_REQUEST);
        return;
    }
    if (in->member_id.n == 0) {
        if (in->group_instance_id.p)
            join_static(g, call, now);
        else
            join_without_id(g, call, now);
        return;
    }
    struct group_pending *p = group_pending_find(g, in->member_id);
    if (p) {
        join_pending(g, p, call, now);
        return;
    }
    struct group_member *m = NULL;
    int16_t code = find_member(g, in->member_id, in->group_instance_id, &m);
    if (code == KERR_NONE && !group_protocols_fit(g, in, m))
        code = KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (code != KERR_NONE)
        group_answer_join_error(call, in->member_id, code);
    else
        join_known(g, m, call, now);
}

/* --- SyncGroup -------------------------------------------------------------------------------- */

static void store_assignments(struct group *g, const struct sync_group_request *in)
{
    list_each (&g->members, k) {
        struct group_member *m = list_entry(k, struct group_member, link);
        struct slice found = SL("");
        for (int32_t i = 0; i < in->assignments_count; i++) {
            if (slice_eq(in->assignments[i].member_id, slice_cstr(m->id)))
                found = in->assignments[i].assignment;
        }
        group_own(&m->assignment, found);
    }
}

static void sync_completing(struct group *g, struct group_member *m, struct group_call *call,
                            int64_t now)
{
    struct group_call *old = m->sync;
    m->sync = call;
    if (old)
        group_answer_sync_error(old, KERR_REBALANCE_IN_PROGRESS);
    if (m != g->leader)
        return;
    store_assignments(g, call->in);
    group_set_state(g, GROUP_STABLE);
    group_note_changed(g);
    list_each (&g->members, k) {
        struct group_member *o = list_entry(k, struct group_member, link);
        struct group_call *sync = o->sync;
        o->sync = NULL;
        if (!sync)
            continue;
        group_touch(o, now);
        group_answer_sync(g, o, sync);
    }
}

static bool all_synced(const struct group *g)
{
    list_each (&g->members, k) {
        if (!list_entry(k, struct group_member, link)->synced)
            return false;
    }
    return true;
}

void group_sync(struct group *g, struct group_call *call, int64_t now)
{
    const struct sync_group_request *in = call->in;
    struct group_member *m = NULL;
    int16_t code = find_member(g, in->member_id, in->group_instance_id, &m);
    if (code == KERR_NONE && in->generation_id != g->generation)
        code = KERR_ILLEGAL_GENERATION;
    if (code == KERR_NONE &&
        ((in->protocol_type.p && !slice_eq(in->protocol_type, g->protocol_type)) ||
         (in->protocol_name.p && !slice_eq(in->protocol_name, g->protocol))))
        code = KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (code == KERR_NONE && g->state == GROUP_PREPARING_REBALANCE)
        code = KERR_REBALANCE_IN_PROGRESS;
    if (code == KERR_NONE && g->state != GROUP_COMPLETING_REBALANCE && g->state != GROUP_STABLE)
        code = KERR_UNKNOWN_MEMBER_ID;
    if (code != KERR_NONE) {
        group_answer_sync_error(call, code);
        return;
    }
    group_touch(m, now);
    if (g->state == GROUP_COMPLETING_REBALANCE)
        sync_completing(g, m, call, now);
    else
        group_answer_sync(g, m, call);
    if (g->state == GROUP_STABLE && all_synced(g))
        g->phase_deadline = INT64_MAX;
}

/* --- Heartbeat, LeaveGroup, commits ----------------------------------------------------------- */

int16_t group_heartbeat(struct group *g, const struct heartbeat_request *in, int64_t now)
{
    struct group_member *m = NULL;
    if (g->state == GROUP_EMPTY || g->state == GROUP_DEAD)
        return KERR_UNKNOWN_MEMBER_ID;
    int16_t code = find_member(g, in->member_id, in->group_instance_id, &m);
    if (code != KERR_NONE)
        return code;
    if (in->generation_id != g->generation)
        return KERR_ILLEGAL_GENERATION;
    group_touch(m, now);
    return g->state == GROUP_PREPARING_REBALANCE ? KERR_REBALANCE_IN_PROGRESS : KERR_NONE;
}

int16_t group_leave(struct group *g, struct slice member_id, struct slice instance_id, int64_t now)
{
    struct group_member *m = NULL;
    if (instance_id.p && member_id.n == 0) {
        m = group_member_by_instance(g, instance_id);
        if (!m)
            return KERR_UNKNOWN_MEMBER_ID;
    } else {
        struct group_pending *p = group_pending_find(g, member_id);
        if (p) {
            group_pending_remove(g, p);
            group_maybe_complete_join(g, now);
            return KERR_NONE;
        }
        int16_t code = find_member(g, member_id, instance_id, &m);
        if (code != KERR_NONE)
            return code;
    }
    LOG_INFO(LOG_BROKER_GROUP, "group %s: member %s leaves", g->id, m->id);
    group_member_remove(g, m, KERR_UNKNOWN_MEMBER_ID);
    group_prepare_rebalance(g, now, "a member leaves");
    return KERR_NONE;
}

int16_t group_check_commit(struct group *g, const struct offset_commit_request *in, int64_t now)
{
    int32_t generation = in->generation_id_or_member_epoch;
    struct group_member *m = NULL;
    if (generation < 0 && g->members.count == 0)
        return KERR_NONE;
    int16_t code = find_member(g, in->member_id, in->group_instance_id, &m);
    if (code != KERR_NONE)
        return code;
    if (generation != g->generation)
        return KERR_ILLEGAL_GENERATION;
    group_touch(m, now);
    if (g->state == GROUP_COMPLETING_REBALANCE)
        return KERR_REBALANCE_IN_PROGRESS;
    return KERR_NONE;
}

int16_t group_check_txn_commit(struct group *g, int32_t generation, struct slice member_id,
                               struct slice instance_id, int64_t now)
{
    struct group_member *m = NULL;
    int16_t code = find_member(g, member_id, instance_id, &m);
    if (code != KERR_NONE)
        return code;
    if (generation != g->generation)
        return KERR_ILLEGAL_GENERATION;
    group_touch(m, now);
    return KERR_NONE;
}
