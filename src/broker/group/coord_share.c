/* broker/group/coord_share.c - the coordinator's side of share groups: heartbeats, descriptions, and the
 * offsets that administrators see and change. What members acquire is share_groups.h's. See
 * coord.h. SPEC: broker 8.5. Owner: the coordinator loop. */
#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/group/coord.h"
#include "broker/group/coord_internal.h"
#include "broker/group/group_config.h"
#include "broker/group/share_groups.h"

/* --- ShareGroupHeartbeat ---------------------------------------------------------------------- */

static void refuse(struct group_call *call, int16_t code, struct slice text)
{
    struct share_group_heartbeat_response *out = call->out;
    out->error_code = code;
    out->error_message = text;
    call->done(call);
}

static void member_removed(void *arg, struct slice member)
{
    struct coord_group *cg = arg;
    share_release(cg->c->o.shares, slice_cstr(cg->g->id), member);
}

static const char *not_a_share_group(struct arena *a, const struct coord_group *cg, struct slice id)
{
    return arena_printf(
        a, cg ? "Group " PRI_SL " is not a share group." : "Group " PRI_SL " not found.",
        ARG_SL(id));
}

void coord_share_heartbeat(struct coord *c, struct group_call *call)
{
    const struct share_group_heartbeat_request *in = call->in;
    struct slice text = SLICE_NULL;
    int16_t code =
        c->quiet ? KERR_COORDINATOR_NOT_AVAILABLE : group_next_check_share_request(call, &text);
    if (code != KERR_NONE) {
        refuse(call, code, text);
        return;
    }
    struct coord_group *cg = coord_entry(c, in->group_id);
    bool other = cg && cg->kind != GROUP_SHARE;
    if ((!cg && in->member_epoch != 0) ||
        (other && (coord_member_count(cg) || cg->g->offsets.count || in->member_epoch != 0))) {
        refuse(call, KERR_GROUP_ID_NOT_FOUND,
               slice_cstr(not_a_share_group(call->arena, cg, in->group_id)));
        return;
    }
    cg = coord_entry_or_add(c, in->group_id);
    coord_convert(c, cg, GROUP_SHARE);
    cg->next->removed = member_removed;
    cg->next->removed_arg = cg;
    const struct next_timing t = {
        group_config_int(c->o.configs, in->group_id, GROUP_SHARE_SESSION_MS),
        group_config_int(c->o.configs, in->group_id, GROUP_SHARE_HEARTBEAT_MS),
        c->o.share_max_size};
    group_next_share_heartbeat(cg->next, call, &t, clock_mono_ms());
    coord_rearm_member(cg, in->member_id);
    coord_settle(c, cg, call);
}

/* --- ShareGroupDescribe ----------------------------------------------------------------------- */

static void describe_member(const struct next_member *m, struct arena *a,
                            struct share_group_describe_response_member *row)
{
    row->member_id = slice_cstr(arena_strdup(a, m->id));
    row->rack_id = m->rack_id ? slice_cstr(arena_strdup(a, m->rack_id)) : SLICE_NULL;
    row->member_epoch = m->epoch;
    row->client_id = slice_cstr(arena_strdup(a, m->client_id));
    row->client_host = slice_cstr(arena_strdup(a, m->client_host));
    row->subscribed_topic_names = arena_calloc(a, m->name_count + 1, sizeof(struct slice));
    row->subscribed_topic_names_count = (int32_t)m->name_count;
    for (size_t i = 0; i < m->name_count; i++)
        row->subscribed_topic_names[i] = arena_dup(a, m->names[i]);
    next_describe(&m->assigned, a, &row->assignment);
}

static void describe(struct coord *c, struct group_call *call, struct slice id,
                     struct share_group_describe_response_group *out)
{
    const struct share_group_describe_request *in = call->in;
    const struct coord_group *cg = coord_entry(c, id);
    struct arena *a = call->arena;
    out->group_id = id;
    if (in->include_authorized_operations)
        out->authorized_operations = GROUP_OPERATIONS;
    if (!cg || cg->kind != GROUP_SHARE) {
        out->error_code = KERR_GROUP_ID_NOT_FOUND;
        out->error_message = slice_cstr(not_a_share_group(a, cg, id));
        return;
    }
    const struct group_next *g = cg->next;
    out->group_state = slice_cstr(next_state_name(group_next_state(g)));
    out->group_epoch = g->epoch;
    out->assignment_epoch = g->assignment_epoch;
    out->assignor_name = g->assignor;
    out->members = share_group_describe_response_member_array(a, (int32_t)g->members.count);
    list_each (&g->members, k)
        describe_member(list_entry(k, struct next_member, link), a,
                        &out->members[out->members_count++]);
}

void coord_share_describe(struct coord *c, struct group_call *call)
{
    const struct share_group_describe_request *in = call->in;
    struct share_group_describe_response *out = call->out;
    out->groups_count = MAX(in->group_ids_count, 0);
    out->groups = share_group_describe_response_group_array(call->arena, out->groups_count);
    for (int32_t i = 0; i < out->groups_count; i++)
        describe(c, call, in->group_ids[i], &out->groups[i]);
    call->done(call);
}

/* --- DescribeShareGroupOffsets ---------------------------------------------------------------- */

typedef struct describe_share_group_offsets_response_group offsets_group;
typedef struct describe_share_group_offsets_response_topic offsets_topic;
typedef struct describe_share_group_offsets_response_partition offsets_partition;

static int64_t start_of(struct coord *c, struct slice group, const struct share_key *key)
{
    struct share_state *s = share_state_get(c->o.shares, group, key, false);
    if (!s)
        return -1;
    pthread_mutex_lock(&s->lock);
    int64_t start = s->known && !s->gone ? s->p.start : -1;
    pthread_mutex_unlock(&s->lock);
    share_state_unref(s);
    return start;
}

static void offsets_of_all(struct coord *c, struct arena *a, offsets_group *out)
{
    struct share_key *keys;
    size_t n;
    share_group_keys(c->o.shares, out->group_id, a, &keys, &n);
    offsets_partition *rows = describe_share_group_offsets_response_partition_array(a, (int32_t)n);
    out->topics = describe_share_group_offsets_response_topic_array(a, (int32_t)n);
    offsets_topic *topic = NULL;
    for (size_t i = 0; i < n; i++) {
        bool new_topic =
            !topic || memcmp(&topic->topic_id, &keys[i].topic_id, sizeof topic->topic_id) != 0;
        struct slice name = new_topic ? c->o.topics.name_of(c->o.topics.arg, &keys[i].topic_id, a)
                                      : topic->topic_name;
        if (!name.p)
            continue; /* deleted a moment ago */
        if (new_topic) {
            topic = &out->topics[out->topics_count++];
            topic->topic_name = name;
            topic->topic_id = keys[i].topic_id;
            topic->partitions = &rows[i];
        }
        rows[i].partition_index = keys[i].partition;
        rows[i].start_offset = start_of(c, out->group_id, &keys[i]);
        topic->partitions_count++;
    }
}

static void offsets_of_named(struct coord *c, struct arena *a,
                             const struct describe_share_group_offsets_request_group *in,
                             offsets_group *out)
{
    out->topics_count = in->topics_count;
    out->topics = describe_share_group_offsets_response_topic_array(a, in->topics_count);
    for (int32_t t = 0; t < in->topics_count; t++) {
        offsets_topic *to = &out->topics[t];
        struct share_key key;
        int32_t partitions = 0;
        to->topic_name = in->topics[t].topic_name;
        bool found =
            c->o.topics.by_name(c->o.topics.arg, to->topic_name, &key.topic_id, &partitions);
        if (found)
            to->topic_id = key.topic_id;
        to->partitions_count = MAX(in->topics[t].partitions_count, 0);
        to->partitions =
            describe_share_group_offsets_response_partition_array(a, to->partitions_count);
        for (int32_t i = 0; i < to->partitions_count; i++) {
            key.partition = in->topics[t].partitions[i];
            to->partitions[i].partition_index = key.partition;
            to->partitions[i].start_offset = -1;
            if (!found || key.partition < 0 || key.partition >= partitions)
                to->partitions[i].error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            else
                to->partitions[i].start_offset = start_of(c, in->group_id, &key);
        }
    }
}

void coord_share_describe_offsets(struct coord *c, struct group_call *call)
{
    const struct describe_share_group_offsets_request *in = call->in;
    struct describe_share_group_offsets_response *out = call->out;
    out->groups_count = MAX(in->groups_count, 0);
    out->groups = describe_share_group_offsets_response_group_array(call->arena, out->groups_count);
    for (int32_t i = 0; i < out->groups_count; i++) {
        offsets_group *to = &out->groups[i];
        const struct coord_group *cg = coord_entry(c, in->groups[i].group_id);
        to->group_id = in->groups[i].group_id;
        if (!cg || cg->kind != GROUP_SHARE) {
            to->error_code = KERR_GROUP_ID_NOT_FOUND;
            to->error_message = slice_cstr(not_a_share_group(call->arena, cg, to->group_id));
        } else if (in->groups[i].topics_count < 0) {
            offsets_of_all(c, call->arena, to);
        } else {
            offsets_of_named(c, call->arena, &in->groups[i], to);
        }
    }
    call->done(call);
}

/* --- AlterShareGroupOffsets, DeleteShareGroupOffsets ------------------------------------------ */

/* May an administrator change the offsets of this group? */
static int16_t check_change(struct coord *c, struct group_call *call, struct slice id,
                            struct slice *text)
{
    const struct coord_group *cg = coord_entry(c, id);
    if (c->quiet)
        return KERR_COORDINATOR_NOT_AVAILABLE;
    if (!cg || cg->kind != GROUP_SHARE) {
        *text = slice_cstr(not_a_share_group(call->arena, cg, id));
        return KERR_GROUP_ID_NOT_FOUND;
    }
    if (coord_member_count(cg)) {
        *text = slice_cstr(
            arena_printf(call->arena, "Share group " PRI_SL " is not empty.", ARG_SL(id)));
        return KERR_NON_EMPTY_GROUP;
    }
    return KERR_NONE;
}

struct alteration {
    struct group_call *call;
    int open;
};

static void altered(void *arg, enum err code)
{
    struct alteration *x = arg;
    struct alter_share_group_offsets_response *out = x->call->out;
    if (code != E_OK)
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    if (--x->open == 0)
        x->call->done(x->call);
}

static void alter_one(struct coord *c, struct slice group, const struct share_key *key,
                      int64_t start, struct alteration *x)
{
    struct share_state *s = share_state_get(c->o.shares, group, key, true);
    pthread_mutex_lock(&s->lock);
    share_partition_reset(&s->p, MAX(start, 0));
    s->known = true;
    x->open++;
    share_store(c->o.shares, s, c->loop, altered, x);
    share_state_unlock(s, true);
    share_state_unref(s);
}

void coord_share_alter_offsets(struct coord *c, struct group_call *call)
{
    const struct alter_share_group_offsets_request *in = call->in;
    struct alter_share_group_offsets_response *out = call->out;
    struct alteration *x = arena_calloc(call->arena, 1, sizeof *x);
    *x = (struct alteration){call, 1};
    out->error_code = check_change(c, call, in->group_id, &out->error_message);
    int32_t n = out->error_code == KERR_NONE ? MAX(in->topics_count, 0) : 0;
    out->responses = alter_share_group_offsets_response_topic_array(call->arena, n);
    out->responses_count = n;
    for (int32_t t = 0; t < n; t++) {
        const struct alter_share_group_offsets_request_topic *from = &in->topics[t];
        struct alter_share_group_offsets_response_topic *to = &out->responses[t];
        struct share_key key;
        int32_t partitions = 0;
        bool found =
            c->o.topics.by_name(c->o.topics.arg, from->topic_name, &key.topic_id, &partitions);
        to->topic_name = from->topic_name;
        if (found)
            to->topic_id = key.topic_id;
        to->partitions_count = MAX(from->partitions_count, 0);
        to->partitions =
            alter_share_group_offsets_response_partition_array(call->arena, to->partitions_count);
        for (int32_t i = 0; i < to->partitions_count; i++) {
            key.partition = from->partitions[i].partition_index;
            to->partitions[i].partition_index = key.partition;
            if (!found || key.partition < 0 || key.partition >= partitions)
                to->partitions[i].error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            else
                alter_one(c, in->group_id, &key, from->partitions[i].start_offset, x);
        }
    }
    altered(x, E_OK);
}

static bool is_other_topic(void *topic_id, const struct share_key *key)
{
    return memcmp(topic_id, &key->topic_id, sizeof key->topic_id) != 0;
}

void coord_share_delete_offsets(struct coord *c, struct group_call *call)
{
    const struct delete_share_group_offsets_request *in = call->in;
    struct delete_share_group_offsets_response *out = call->out;
    out->error_code = check_change(c, call, in->group_id, &out->error_message);
    int32_t n = out->error_code == KERR_NONE ? MAX(in->topics_count, 0) : 0;
    out->responses = delete_share_group_offsets_response_topic_array(call->arena, n);
    out->responses_count = n;
    for (int32_t t = 0; t < n; t++) {
        struct delete_share_group_offsets_response_topic *to = &out->responses[t];
        int32_t partitions;
        to->topic_name = in->topics[t].topic_name;
        if (c->o.topics.by_name(c->o.topics.arg, to->topic_name, &to->topic_id, &partitions))
            share_forget(c->o.shares, in->group_id, is_other_topic, &to->topic_id);
        else
            to->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    }
    call->done(call);
}
