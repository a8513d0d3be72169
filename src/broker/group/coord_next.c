/* broker/group/coord_next.c - the coordinator's side of groups whose assignments the broker makes: how a
 * group changes its kind, when its epoch is stored, and the calls of consumer groups. See coord.h.
 *
 * An answer that tells an epoch leaves after that epoch is in the store, so that epochs never go
 * down, whatever happens to the process. Members are not stored: after a restart they hear that
 * they are unknown and join again. SPEC: broker 8.4. Owner: the coordinator loop. */
#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/coord.h"
#include "broker/group/coord_internal.h"
#include "broker/group/group_config.h"

/* --- kinds ------------------------------------------------------------------------------------ */

const char *coord_kind_name(enum group_kind k)
{
    static const char *const names[] = {"classic", "consumer", "share"};
    return names[k];
}

const char *coord_state_name(const struct coord_group *cg)
{
    return cg->next ? next_state_name(group_next_state(cg->next)) : group_state_name(cg->g->state);
}

size_t coord_member_count(const struct coord_group *cg)
{
    return cg->next ? group_next_members(cg->next) : cg->g->members.count;
}

bool coord_subscribes(const struct coord_group *cg, struct slice topic)
{
    return cg->next ? group_next_subscribes(cg->next, topic) : group_subscribes(cg->g, topic);
}

int64_t coord_empty_since(const struct coord_group *cg)
{
    return cg->next ? cg->next->empty_since_ms : cg->g->empty_since_ms;
}

static void set_protocol_type(struct group *g, struct slice type)
{
    mem_free((char *)(uintptr_t)g->protocol_type.p);
    g->protocol_type = slice_of(slice_dup(type), type.n);
}

void coord_convert(struct coord *c, struct coord_group *cg, enum group_kind kind)
{
    struct group *g = cg->g;
    if (cg->kind == kind)
        return;
    invariant(coord_member_count(cg) == 0);
    if (cg->next)
        g->generation = MAX(g->generation, cg->next->epoch);
    cg->was_consumer = cg->kind == GROUP_CONSUMER;
    group_next_free(cg->next);
    cg->next = NULL;
    cg->kind = kind;
    if (kind == GROUP_CLASSIC)
        return;
    set_protocol_type(g, kind == GROUP_SHARE ? SL("share") : SL("consumer"));
    cg->next = group_next_new(g->id, kind == GROUP_SHARE, g->generation, &c->o.topics);
    cg->stored_epoch = -1;
}

/* --- storing ---------------------------------------------------------------------------------- */

/* A join, or a heartbeat of either kind: all that it would have told is taken back. */
static void answer_unstored(struct group_call *call)
{
    if (call->fn == coord_join_group) {
        struct join_group_response *out = call->out;
        join_group_response_init(out);
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
        out->protocol_name = call->version >= 7 ? SLICE_NULL : SL("");
    } else if (call->fn == coord_consumer_heartbeat) {
        struct consumer_group_heartbeat_response *out = call->out;
        consumer_group_heartbeat_response_init(out);
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    } else {
        struct share_group_heartbeat_response *out = call->out;
        share_group_heartbeat_response_init(out);
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    }
}

static void stored(void *arg, enum err code)
{
    struct offset_job *j = arg;
    struct coord *c = j->owner;
    struct group_call *call = j->call;
    struct coord_group *cg = coord_entry(c, j->group);
    if (code != E_OK)
        LOG_ERROR(LOG_BROKER_GROUP, "group " PRI_SL ": its epoch could not be stored: %s",
                  ARG_SL(j->group), err_name(code));
    else if (cg && cg->next)
        cg->stored_epoch = MAX(cg->stored_epoch, j->generation);
    offset_job_free(j);
    if (call && code != E_OK)
        answer_unstored(call);
    if (call)
        call->done(call);
}

void coord_settle(struct coord *c, struct coord_group *cg, struct group_call *call)
{
    if (cg->stored_epoch >= cg->next->epoch) {
        if (call)
            call->done(call);
        return;
    }
    cg->g->generation = cg->next->epoch;
    struct offset_job *j = offset_job_new(OFFSET_JOB_META, slice_cstr(cg->g->id));
    j->owner = c;
    j->call = call;
    j->protocol_type = arena_dup(&j->arena, cg->g->protocol_type);
    j->kind_name = slice_cstr(coord_kind_name(cg->kind));
    j->generation = cg->next->epoch;
    j->empty_since_ms = cg->next->empty_since_ms;
    db_post(c->db, offset_job_run, c->loop, stored, j);
}

/* --- ConsumerGroupHeartbeat ------------------------------------------------------------------- */

static void refuse(struct group_call *call, int16_t code, struct slice text)
{
    struct consumer_group_heartbeat_response *out = call->out;
    out->error_code = code;
    out->error_message = text;
    call->done(call);
}

/* The group of a heartbeat; one that joins makes it, or upgrades it. NULL: the call was refused. */
static struct coord_group *group_of(struct coord *c, struct group_call *call, bool *upgraded)
{
    const struct consumer_group_heartbeat_request *in = call->in;
    struct coord_group *cg = coord_entry(c, in->group_id);
    if (!cg && in->member_epoch != 0) {
        refuse(call, KERR_GROUP_ID_NOT_FOUND,
               slice_cstr(
                   arena_printf(call->arena, "Group " PRI_SL " not found.", ARG_SL(in->group_id))));
        return NULL;
    }
    *upgraded = cg && in->member_epoch == 0 && coord_upgrade(c, cg);
    if (*upgraded)
        return cg;
    if (cg && cg->was_consumer && in->member_epoch > 0) {
        refuse(
            call, KERR_UNKNOWN_MEMBER_ID,
            slice_cstr(arena_printf(call->arena, "Member " PRI_SL " is not a member of group %s.",
                                    ARG_SL(in->member_id), cg->g->id)));
        return NULL;
    }
    if (cg && cg->kind != GROUP_CONSUMER && (coord_member_count(cg) || in->member_epoch != 0)) {
        refuse(call, KERR_GROUP_ID_NOT_FOUND,
               slice_cstr(arena_printf(call->arena, "Group " PRI_SL " is not a consumer group.",
                                       ARG_SL(in->group_id))));
        return NULL;
    }
    cg = coord_entry_or_add(c, in->group_id);
    coord_convert(c, cg, GROUP_CONSUMER);
    return cg;
}

struct next_timing coord_consumer_timing(const struct coord *c, struct slice group)
{
    return (struct next_timing){group_config_int(c->o.configs, group, GROUP_CONSUMER_SESSION_MS),
                                group_config_int(c->o.configs, group, GROUP_CONSUMER_HEARTBEAT_MS),
                                c->o.consumer_max_size};
}

void coord_consumer_heartbeat(struct coord *c, struct group_call *call)
{
    const struct consumer_group_heartbeat_request *in = call->in;
    struct slice text = SLICE_NULL;
    if (c->quiet) {
        refuse(call, KERR_COORDINATOR_NOT_AVAILABLE, text);
        return;
    }
    int16_t code = group_next_check_request(call, &text);
    if (code != KERR_NONE) {
        refuse(call, code, text);
        return;
    }
    bool fresh = !coord_entry(c, in->group_id), upgraded = false;
    struct coord_group *cg = group_of(c, call, &upgraded);
    if (!cg)
        return;
    const struct next_timing t = coord_consumer_timing(c, in->group_id);
    group_next_heartbeat(cg->next, call, &t, clock_mono_ms());
    bool taken = ((struct consumer_group_heartbeat_response *)call->out)->error_code == KERR_NONE;
    if (upgraded)
        coord_upgrade_end(cg, taken);
    if (upgraded && !taken) {
        call->done(call);
        return;
    }
    if (fresh && coord_member_count(cg) == 0) { /* the join was refused: there is no such group */
        coord_forget(c, in->group_id);
        call->done(call);
        return;
    }
    if (upgraded)
        coord_rearm(c, cg->g);
    else
        coord_rearm_member(cg, ((struct consumer_group_heartbeat_response *)call->out)->member_id);
    coord_settle(c, cg, call);
    coord_maybe_downgrade(c, cg);
}

/* --- ConsumerGroupDescribe -------------------------------------------------------------------- */

static struct slice text_or_null(struct arena *a, const char *s)
{
    return s ? slice_cstr(arena_strdup(a, s)) : SLICE_NULL;
}

static void describe_member(const struct next_member *m, struct arena *a,
                            struct consumer_group_describe_response_member *row)
{
    row->member_id = slice_cstr(arena_strdup(a, m->id));
    row->instance_id = text_or_null(a, m->instance_id);
    row->rack_id = text_or_null(a, m->rack_id);
    row->member_epoch = m->epoch;
    row->client_id = slice_cstr(arena_strdup(a, m->client_id));
    row->client_host = slice_cstr(arena_strdup(a, m->client_host));
    row->subscribed_topic_names = arena_calloc(a, m->name_count + 1, sizeof(struct slice));
    row->subscribed_topic_names_count = (int32_t)m->name_count;
    for (size_t i = 0; i < m->name_count; i++)
        row->subscribed_topic_names[i] = arena_dup(a, m->names[i]);
    row->subscribed_topic_regex = m->regex ? arena_dup(a, topic_regex_text(m->regex)) : SLICE_NULL;
    row->member_type = m->classic ? 0 : 1;
    next_describe(&m->assigned, a, &row->assignment);
    next_describe(&m->target, a, &row->target_assignment);
}

static void describe(struct coord *c, struct group_call *call, struct slice id,
                     struct consumer_group_describe_response_group *out)
{
    const struct consumer_group_describe_request *in = call->in;
    const struct coord_group *cg = coord_entry(c, id);
    struct arena *a = call->arena;
    out->group_id = id;
    if (in->include_authorized_operations)
        out->authorized_operations = GROUP_OPERATIONS;
    if (!cg || cg->kind != GROUP_CONSUMER) {
        out->error_code = KERR_GROUP_ID_NOT_FOUND;
        out->error_message = slice_cstr(arena_printf(
            a, cg ? "Group " PRI_SL " is not a consumer group." : "Group " PRI_SL " not found.",
            ARG_SL(id)));
        return;
    }
    const struct group_next *g = cg->next;
    out->group_state = slice_cstr(next_state_name(group_next_state(g)));
    out->group_epoch = g->epoch;
    out->assignment_epoch = g->assignment_epoch;
    out->assignor_name = g->assignor;
    out->members = consumer_group_describe_response_member_array(a, (int32_t)g->members.count);
    list_each (&g->members, k)
        describe_member(list_entry(k, struct next_member, link), a,
                        &out->members[out->members_count++]);
}

void coord_consumer_describe(struct coord *c, struct group_call *call)
{
    const struct consumer_group_describe_request *in = call->in;
    struct consumer_group_describe_response *out = call->out;
    out->groups_count = MAX(in->group_ids_count, 0);
    out->groups = consumer_group_describe_response_group_array(call->arena, out->groups_count);
    for (int32_t i = 0; i < out->groups_count; i++)
        describe(c, call, in->group_ids[i], &out->groups[i]);
    call->done(call);
}
