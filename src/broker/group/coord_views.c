/* broker/group/coord_views.c - what administrators see of groups: ListGroups, DescribeGroups,
 * DeleteGroups, and the same for in-process users. SPEC: broker 8.3. */
#include "base/base.h"
#include "base/bytes.h"
#include "broker/group/consumer_bytes.h"
#include "broker/group/coord.h"
#include "broker/group/coord_internal.h"
#include "broker/group/share_groups.h"

static bool in_filter(const struct slice *filter, int32_t count, const char *value)
{
    if (count <= 0)
        return true;
    for (int32_t i = 0; i < count; i++) {
        if (slice_ieq(filter[i], slice_cstr(value)))
            return true;
    }
    return false;
}

void coord_list_groups(struct coord *c, struct group_call *call)
{
    const struct list_groups_request *in = call->in;
    struct list_groups_response *out = call->out;
    size_t n;
    struct coord_group **groups = coord_sorted(c, call->arena, &n);
    out->groups = list_groups_response_group_array(call->arena, (int32_t)n);
    for (size_t i = 0; i < n; i++) {
        const struct group *g = groups[i]->g;
        const char *state = coord_state_name(groups[i]), *kind = coord_kind_name(groups[i]->kind);
        if (!in_filter(in->states_filter, in->states_filter_count, state) ||
            !in_filter(in->types_filter, in->types_filter_count, kind))
            continue;
        struct list_groups_response_group *row = &out->groups[out->groups_count++];
        row->group_id = slice_cstr(arena_strdup(call->arena, g->id));
        row->protocol_type = arena_dup(call->arena, g->protocol_type);
        row->group_state = slice_cstr(state);
        row->group_type = slice_cstr(kind);
    }
    call->done(call);
}

static void describe_members(const struct group *g, struct arena *a,
                             struct describe_groups_response_group *out)
{
    bool stable = g->state == GROUP_STABLE;
    out->members = describe_groups_response_member_array(a, (int32_t)g->members.count);
    list_each (&g->members, k) {
        const struct group_member *m = list_entry(k, struct group_member, link);
        struct describe_groups_response_member *row = &out->members[out->members_count++];
        row->member_id = slice_cstr(arena_strdup(a, m->id));
        row->group_instance_id =
            m->instance_id ? slice_cstr(arena_strdup(a, m->instance_id)) : SLICE_NULL;
        row->client_id = slice_cstr(arena_strdup(a, m->client_id));
        row->client_host = slice_cstr(arena_strdup(a, m->client_host));
        struct slice metadata = stable ? group_member_metadata(m, g->protocol) : SLICE_NULL;
        row->member_metadata = metadata.p ? arena_dup(a, metadata) : SL("");
        row->member_assignment = stable ? arena_dup(a, m->assignment) : SL("");
    }
}

static void describe(struct coord *c, struct group_call *call, struct slice id,
                     struct describe_groups_response_group *out)
{
    const struct describe_groups_request *in = call->in;
    const struct coord_group *cg = coord_entry(c, id);
    const struct group *g = cg && cg->kind == GROUP_CLASSIC ? cg->g : NULL;
    out->group_id = id;
    if (in->include_authorized_operations)
        out->authorized_operations = GROUP_OPERATIONS;
    if (!g) {
        out->group_state = SL("Dead");
        if (call->version >= 6) {
            out->error_code = KERR_GROUP_ID_NOT_FOUND;
            out->authorized_operations = INT32_MIN; /* not told */
            out->error_message = slice_cstr(arena_printf(
                call->arena,
                cg ? "Group " PRI_SL " is not a classic group." : "Group " PRI_SL " not found.",
                ARG_SL(id)));
        }
        return;
    }
    out->group_state = slice_cstr(group_state_name(g->state));
    out->protocol_type = arena_dup(call->arena, g->protocol_type);
    if (g->state == GROUP_STABLE)
        out->protocol_data = arena_dup(call->arena, g->protocol);
    describe_members(g, call->arena, out);
}

void coord_describe_groups(struct coord *c, struct group_call *call)
{
    const struct describe_groups_request *in = call->in;
    struct describe_groups_response *out = call->out;
    out->groups_count = MAX(in->groups_count, 0);
    out->groups = describe_groups_response_group_array(call->arena, out->groups_count);
    for (int32_t i = 0; i < out->groups_count; i++)
        describe(c, call, in->groups[i], &out->groups[i]);
    call->done(call);
}

/* --- delete ----------------------------------------------------------------------------------- */

struct deletion {
    struct coord *c;
    struct group_call *call;
    struct delete_groups_response_group *row;
    struct deletion_state *state;
};
struct deletion_state {
    int32_t open; /* jobs that have not reported */
};

static void deleted(void *arg, enum err code)
{
    struct offset_job *j = arg;
    struct deletion *d = j->call;
    struct coord_group *g = coord_entry(d->c, j->group);
    if (code != E_OK)
        d->row->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    else if (g && coord_member_count(g)) /* somebody joined meanwhile; its offsets are gone */
        offset_map_release(&g->g->offsets);
    else {
        if (g && g->kind == GROUP_SHARE)
            share_forget(d->c->o.shares, j->group, NULL, NULL);
        coord_forget(d->c, j->group);
    }
    struct group_call *call = d->call;
    bool last = --d->state->open == 0;
    offset_job_free(j);
    if (last)
        call->done(call);
}

void coord_delete_groups(struct coord *c, struct group_call *call)
{
    const struct delete_groups_request *in = call->in;
    struct delete_groups_response *out = call->out;
    struct deletion_state *state = arena_calloc(call->arena, 1, sizeof *state);
    state->open = 1;
    out->results_count = MAX(in->groups_names_count, 0);
    out->results = delete_groups_response_group_array(call->arena, out->results_count);
    for (int32_t i = 0; i < out->results_count; i++) {
        struct delete_groups_response_group *row = &out->results[i];
        row->group_id = in->groups_names[i];
        struct coord_group *g = coord_entry(c, row->group_id);
        if (g && !c->quiet)
            coord_tick(g);
        if (c->quiet)
            row->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
        else if (!g)
            row->error_code = KERR_GROUP_ID_NOT_FOUND;
        else if (coord_member_count(g))
            row->error_code = KERR_NON_EMPTY_GROUP;
        if (row->error_code != KERR_NONE)
            continue;
        struct offset_job *j = offset_job_new(OFFSET_JOB_DELETE_GROUP, row->group_id);
        struct deletion *d = arena_alloc(call->arena, sizeof *d);
        *d = (struct deletion){c, call, row, state};
        j->call = d;
        state->open++;
        db_post(c->db, offset_job_run, c->loop, deleted, j);
    }
    if (--state->open == 0)
        call->done(call);
}

/* --- views ------------------------------------------------------------------------------------ */

static void view_head(const struct coord_group *cg, struct arena *a, struct broker_group_info *out)
{
    const struct group *g = cg->g;
    bool some = coord_member_count(cg) > 0;
    *out = (struct broker_group_info){.id = slice_cstr(arena_strdup(a, g->id)),
                                      .state = slice_cstr(coord_state_name(cg)),
                                      .protocol_type = arena_dup(a, g->protocol_type),
                                      .protocol = cg->next && some ? cg->next->assignor
                                                  : cg->next       ? SL("")
                                                                   : arena_dup(a, g->protocol),
                                      .type = slice_cstr(coord_kind_name(cg->kind)),
                                      .generation = cg->next ? cg->next->epoch : g->generation,
                                      .member_count = coord_member_count(cg),
                                      .offset_count = g->offsets.count,
                                      .lag = -1};
}

void coord_view_all(struct coord *c, struct arena *a, struct broker_group_info **out, size_t *count)
{
    struct coord_group **groups = coord_sorted(c, a, count);
    *out = arena_calloc(a, *count + 1, sizeof **out);
    for (size_t i = 0; i < *count; i++)
        view_head(groups[i], a, &(*out)[i]);
}

static void view_assignment(struct slice bytes, struct arena *a, struct broker_group_member *out)
{
    struct consumer_list l;
    size_t n = 0;
    if (consumer_assignment_read(bytes, a, &l) != E_OK)
        return;
    for (size_t t = 0; t < l.n; t++)
        n += (size_t)l.v[t].count;
    out->assigned = arena_calloc(a, n + 1, sizeof *out->assigned);
    for (size_t t = 0; t < l.n; t++) {
        struct slice topic = arena_dup(a, l.v[t].topic);
        for (int32_t p = 0; p < l.v[t].count; p++)
            out->assigned[out->assigned_count++] =
                (struct broker_group_partition){topic, l.v[t].partitions[p]};
    }
}

/* As far as the bytes make sense. */
static void view_subscription(struct slice bytes, struct arena *a, struct broker_group_member *out)
{
    struct consumer_subscription s;
    (void)!consumer_subscription_read(bytes, a, &s);
    out->subscribed = arena_calloc(a, (size_t)s.topic_count + 1, sizeof *out->subscribed);
    for (int32_t t = 0; t < s.topic_count; t++)
        if (s.topics[t].p)
            out->subscribed[out->subscribed_count++] = arena_dup(a, s.topics[t]);
}

static void view_members(const struct group *g, struct arena *a, struct broker_group_info *out)
{
    size_t i = 0;
    bool consumer = slice_eq(g->protocol_type, SL("consumer"));
    out->members = arena_calloc(a, g->members.count + 1, sizeof *out->members);
    list_each (&g->members, k) {
        const struct group_member *m = list_entry(k, struct group_member, link);
        struct broker_group_member *row = &out->members[i++];
        row->id = slice_cstr(arena_strdup(a, m->id));
        row->instance_id =
            m->instance_id ? slice_cstr(arena_strdup(a, m->instance_id)) : SLICE_NULL;
        row->client_id = slice_cstr(arena_strdup(a, m->client_id));
        row->host = slice_cstr(arena_strdup(a, m->client_host));
        struct slice metadata = group_member_metadata(m, g->protocol);
        if (consumer && metadata.n)
            view_subscription(metadata, a, row);
        if (consumer && g->state == GROUP_STABLE)
            view_assignment(m->assignment, a, row);
    }
}

static void view_next_members(const struct group_next *g, struct arena *a,
                              struct broker_group_info *out)
{
    size_t n = 0;
    out->members = arena_calloc(a, g->members.count + 1, sizeof *out->members);
    list_each (&g->members, k) {
        const struct next_member *m = list_entry(k, struct next_member, link);
        struct broker_group_member *row = &out->members[n++];
        row->id = slice_cstr(arena_strdup(a, m->id));
        row->instance_id =
            m->instance_id ? slice_cstr(arena_strdup(a, m->instance_id)) : SLICE_NULL;
        row->client_id = slice_cstr(arena_strdup(a, m->client_id));
        row->host = slice_cstr(arena_strdup(a, m->client_host));
        row->subscribed = arena_calloc(a, m->name_count + 1, sizeof *row->subscribed);
        row->subscribed_count = m->name_count;
        for (size_t i = 0; i < m->name_count; i++)
            row->subscribed[i] = arena_dup(a, m->names[i]);
        row->assigned = arena_calloc(a, m->assigned.n + 1, sizeof *row->assigned);
        row->assigned_count = m->assigned.n;
        for (size_t i = 0; i < m->assigned.n; i++)
            row->assigned[i] = (struct broker_group_partition){
                arena_dup(a, m->assigned.v[i].topic->name), m->assigned.v[i].partition};
    }
}

bool coord_view(struct coord *c, struct slice id, struct arena *a, struct broker_group_info *out)
{
    const struct coord_group *cg = coord_entry(c, id);
    if (!cg)
        return false;
    const struct group *g = cg->g;
    view_head(cg, a, out);
    if (cg->next)
        view_next_members(cg->next, a, out);
    else
        view_members(g, a, out);
    size_t n, k = 0;
    struct offset_topic **topics = offset_map_topics(&g->offsets, a, &n);
    out->offsets = arena_calloc(a, g->offsets.count + 1, sizeof *out->offsets);
    for (size_t t = 0; t < n; t++) {
        struct slice name = arena_dup(a, topics[t]->name);
        for (size_t p = 0; p < topics[t]->count; p++) {
            const struct committed *o = &topics[t]->v[p];
            out->offsets[k++] =
                (struct broker_group_offset){.topic = name,
                                             .partition = o->partition,
                                             .offset = o->offset,
                                             .leader_epoch = o->leader_epoch,
                                             .metadata = slice_cstr(arena_strdup(a, o->metadata)),
                                             .commit_ms = o->commit_ms,
                                             .end_offset = -1,
                                             .lag = -1};
        }
    }
    return true;
}
