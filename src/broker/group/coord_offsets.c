/* broker/group/coord_offsets.c - committed offsets: commit, fetch, delete, expiry. See coord.h.
 *
 * A commit becomes one job for the db thread; its report comes back to the coordinator loop, which
 * then changes the memory view and answers. Jobs and reports keep their order, so the view passes
 * through the same states as the table. SPEC: broker 8.2. */
#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/coord.h"
#include "broker/group/coord_internal.h"

/* --- commit ----------------------------------------------------------------------------------- */

static void fill_commit(struct group_call *call, int16_t code)
{
    const struct offset_commit_request *in = call->in;
    struct offset_commit_response *out = call->out;
    out->topics_count = MAX(in->topics_count, 0);
    out->topics = offset_commit_response_topic_array(call->arena, out->topics_count);
    for (int32_t t = 0; t < out->topics_count; t++) {
        const struct offset_commit_request_topic *from = &in->topics[t];
        struct offset_commit_response_topic *to = &out->topics[t];
        to->name = from->name;
        to->partitions_count = MAX(from->partitions_count, 0);
        to->partitions = offset_commit_response_partition_array(call->arena, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++) {
            to->partitions[p].partition_index = from->partitions[p].partition_index;
            to->partitions[p].error_code = code;
        }
    }
}

static void commit_done(void *arg, enum err code)
{
    struct offset_job *j = arg;
    struct coord *c = j->owner;
    struct group_call *call = j->call;
    if (code == E_OK) {
        offset_job_apply(j, &coord_find_or_add(c, j->group)->offsets);
    } else { /* clients try again on this code */
        struct offset_commit_response *out = call->out;
        for (int32_t t = 0; t < out->topics_count; t++) {
            for (int32_t p = 0; p < out->topics[t].partitions_count; p++) {
                if (out->topics[t].partitions[p].error_code == KERR_NONE)
                    out->topics[t].partitions[p].error_code = KERR_COORDINATOR_NOT_AVAILABLE;
            }
        }
    }
    offset_job_free(j);
    call->done(call);
}

static int16_t check_commit(struct coord *c, struct group_call *call)
{
    const struct offset_commit_request *in = call->in;
    if (c->quiet)
        return KERR_COORDINATOR_NOT_AVAILABLE;
    if (in->group_id.n == 0 && call->version > 0 && in->generation_id_or_member_epoch >= 0)
        return KERR_INVALID_GROUP_ID;
    struct coord_group *cg = coord_entry(c, in->group_id);
    if (cg && cg->next)
        return cg->kind == GROUP_SHARE
                   ? KERR_GROUP_ID_NOT_FOUND
                   : group_next_check_commit(cg->next, in->member_id,
                                             in->generation_id_or_member_epoch, call->version);
    if (cg)
        return group_check_commit(cg->g, in, clock_mono_ms());
    if (in->generation_id_or_member_epoch < 0)
        return KERR_NONE;
    return call->version >= 9 ? KERR_GROUP_ID_NOT_FOUND : KERR_ILLEGAL_GENERATION;
}

void coord_offset_commit(struct coord *c, struct group_call *call)
{
    const struct offset_commit_request *in = call->in;
    struct offset_commit_response *out = call->out;
    int16_t code = check_commit(c, call);
    fill_commit(call, code);
    if (code != KERR_NONE) {
        call->done(call);
        return;
    }
    struct offset_job *j = offset_job_new(OFFSET_JOB_COMMIT, in->group_id);
    j->owner = c;
    j->call = call;
    int64_t now = clock_wall_ms();
    for (int32_t t = 0; t < out->topics_count; t++) {
        for (int32_t p = 0; p < out->topics[t].partitions_count; p++) {
            const struct offset_commit_request_partition *from = &in->topics[t].partitions[p];
            int16_t *error = &out->topics[t].partitions[p].error_code;
            if (from->committed_metadata.n > (size_t)c->o.offset_metadata_max_bytes)
                *error = KERR_OFFSET_METADATA_TOO_LARGE;
            else if (!c->o.partition_exists(c->o.arg, in->topics[t].name, from->partition_index))
                *error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            else
                offset_job_add(j,
                               &(struct commit_entry){.topic = in->topics[t].name,
                                                      .metadata = from->committed_metadata,
                                                      .partition = from->partition_index,
                                                      .leader_epoch = from->committed_leader_epoch,
                                                      .offset = from->committed_offset,
                                                      .commit_ms = now});
        }
    }
    if (j->count == 0) {
        offset_job_free(j);
        call->done(call);
        return;
    }
    db_post(c->db, offset_job_run, c->loop, commit_done, j);
}

/* --- fetch ------------------------------------------------------------------------------------ */

static void fetch_one(const struct group *g, struct slice topic,
                      struct offset_fetch_response_partition *out, struct arena *a)
{
    const struct committed *o = g ? offset_map_get(&g->offsets, topic, out->partition_index) : NULL;
    out->committed_offset = o ? o->offset : -1;
    out->committed_leader_epoch = o ? o->leader_epoch : -1;
    out->metadata = o ? slice_cstr(arena_strdup(a, o->metadata)) : SL("");
}

static void fetch_all(const struct group *g, struct arena *a,
                      struct offset_fetch_response_topic **out, int32_t *count)
{
    size_t n = 0;
    struct offset_topic **topics = g ? offset_map_topics(&g->offsets, a, &n) : NULL;
    *count = (int32_t)n;
    *out = offset_fetch_response_topic_array(a, *count);
    for (size_t t = 0; t < n; t++) {
        struct offset_fetch_response_topic *to = &(*out)[t];
        to->name = arena_dup(a, topics[t]->name);
        to->partitions_count = (int32_t)topics[t]->count;
        to->partitions = offset_fetch_response_partition_array(a, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++) {
            to->partitions[p].partition_index = topics[t]->v[p].partition;
            fetch_one(g, topics[t]->name, &to->partitions[p], a);
        }
    }
}

static void fetch_named(const struct group *g, const struct offset_fetch_request_topic *topics,
                        int32_t n, struct arena *a, struct offset_fetch_response_topic **out,
                        int32_t *count)
{
    *count = MAX(n, 0);
    *out = offset_fetch_response_topic_array(a, *count);
    for (int32_t t = 0; t < *count; t++) {
        struct offset_fetch_response_topic *to = &(*out)[t];
        to->name = topics[t].name;
        to->partitions_count = MAX(topics[t].partition_indexes_count, 0);
        to->partitions = offset_fetch_response_partition_array(a, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++) {
            to->partitions[p].partition_index = topics[t].partition_indexes[p];
            fetch_one(g, to->name, &to->partitions[p], a);
        }
    }
}

static void fetch_group(struct coord *c, const struct offset_fetch_request_group *in,
                        struct offset_fetch_response_group *out, struct arena *a)
{
    struct coord_group *cg = coord_entry(c, in->group_id);
    struct group *g = cg ? cg->g : NULL;
    out->group_id = in->group_id;
    if (cg && cg->next)
        out->error_code = group_next_check_fetch(cg->next, in->member_id, in->member_epoch);
    else if (in->member_id.n && in->member_epoch >= 0 &&
             (!g || !group_member_find(g, in->member_id)))
        out->error_code = KERR_UNKNOWN_MEMBER_ID;
    if (out->error_code != KERR_NONE)
        return;
    if (in->topics_count < 0)
        fetch_all(g, a, &out->topics, &out->topics_count);
    else
        fetch_named(g, in->topics, in->topics_count, a, &out->topics, &out->topics_count);
}

/* --- transactions: see txn_coord.c ------------------------------------------------------------ */

void coord_set_hooks(struct coord *c, const struct coord_hooks *h)
{
    c->hooks = h ? *h : (struct coord_hooks){NULL, NULL};
}

int16_t coord_check_txn_commit(struct coord *c, struct slice group, int32_t generation,
                               struct slice member_id, struct slice instance_id)
{
    struct group *g = coord_find(c, group);
    if (c->quiet)
        return KERR_COORDINATOR_NOT_AVAILABLE;
    if (generation < 0 && member_id.n == 0 && slice_is_null(instance_id))
        return KERR_NONE; /* a producer that knows nothing of the group (before version 3) */
    if (!g)
        return generation < 0 ? KERR_NONE : KERR_ILLEGAL_GENERATION;
    const struct coord_group *cg = coord_entry(c, group);
    if (cg->next) { /* the epoch stands in for the generation */
        int16_t code = group_next_check_commit(cg->next, member_id, generation, 9);
        return code == KERR_STALE_MEMBER_EPOCH ? KERR_ILLEGAL_GENERATION : code;
    }
    if (generation < 0 && g->members.count == 0)
        return KERR_NONE;
    return group_check_txn_commit(g, generation, member_id, instance_id, clock_mono_ms());
}

void coord_publish_offset(struct coord *c, struct slice group, const struct commit_entry *e)
{
    struct group *g = coord_find_or_add(c, group);
    const struct committed *now = offset_map_get(&g->offsets, e->topic, e->partition);
    if (!now || now->commit_ms <= e->commit_ms)
        offset_map_put(&g->offsets, e->topic, e->partition, e->offset, e->leader_epoch, e->metadata,
                       e->commit_ms);
}

static void hide_unstable(struct coord *c, struct slice group,
                          struct offset_fetch_response_topic *topics, int32_t count)
{
    for (int32_t t = 0; c->hooks.is_unstable && t < count; t++) {
        for (int32_t i = 0; i < topics[t].partitions_count; i++) {
            struct offset_fetch_response_partition *p = &topics[t].partitions[i];
            if (!c->hooks.is_unstable(c->hooks.arg, group, topics[t].name, p->partition_index))
                continue;
            p->error_code = KERR_UNSTABLE_OFFSET_COMMIT;
            p->committed_offset = -1;
            p->committed_leader_epoch = -1;
            p->metadata = SL("");
        }
    }
}

/* What depends on a transaction that is not over, for clients that want to wait for it. */
static void fetch_stable(struct coord *c, struct group_call *call)
{
    const struct offset_fetch_request *in = call->in;
    struct offset_fetch_response *out = call->out;
    if (!in->require_stable)
        return;
    hide_unstable(c, in->group_id, out->topics, out->topics_count);
    for (int32_t i = 0; i < out->groups_count; i++)
        hide_unstable(c, out->groups[i].group_id, out->groups[i].topics,
                      out->groups[i].topics_count);
}

void coord_offset_fetch(struct coord *c, struct group_call *call)
{
    const struct offset_fetch_request *in = call->in;
    struct offset_fetch_response *out = call->out;
    if (call->version >= 8) {
        out->groups_count = MAX(in->groups_count, 0);
        out->groups = offset_fetch_response_group_array(call->arena, out->groups_count);
        for (int32_t i = 0; i < out->groups_count; i++)
            fetch_group(c, &in->groups[i], &out->groups[i], call->arena);
    } else {
        struct group *g = coord_find(c, in->group_id);
        if (in->topics_count < 0)
            fetch_all(g, call->arena, &out->topics, &out->topics_count);
        else
            fetch_named(g, in->topics, in->topics_count, call->arena, &out->topics,
                        &out->topics_count);
    }
    fetch_stable(c, call);
    call->done(call);
}

/* --- delete ----------------------------------------------------------------------------------- */

static void delete_done(void *arg, enum err code)
{
    struct offset_job *j = arg;
    struct coord *c = j->owner;
    struct group_call *call = j->call;
    struct group *g = coord_find(c, j->group);
    if (code == E_OK && g)
        offset_job_apply(j, &g->offsets);
    if (call && code != E_OK)
        ((struct offset_delete_response *)call->out)->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    offset_job_free(j);
    if (call)
        call->done(call);
}

static void post_delete(struct coord *c, struct offset_job *j, struct group_call *call)
{
    j->owner = c;
    j->call = call;
    db_post(c->db, offset_job_run, c->loop, delete_done, j);
}

void coord_offset_delete(struct coord *c, struct group_call *call)
{
    const struct offset_delete_request *in = call->in;
    struct offset_delete_response *out = call->out;
    struct coord_group *cg = coord_entry(c, in->group_id);
    struct group *g = cg ? cg->g : NULL;
    if (c->quiet)
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    else if (in->group_id.n == 0)
        out->error_code = KERR_INVALID_GROUP_ID;
    else if (!g)
        out->error_code = KERR_GROUP_ID_NOT_FOUND;
    else if (cg->kind == GROUP_SHARE)
        out->error_code = KERR_GROUP_ID_NOT_FOUND;
    else if (g->members.count && !slice_eq(g->protocol_type, SL("consumer")))
        out->error_code = KERR_NON_EMPTY_GROUP;
    if (out->error_code != KERR_NONE) {
        call->done(call);
        return;
    }
    struct offset_job *j = offset_job_new(OFFSET_JOB_DELETE, in->group_id);
    out->topics_count = MAX(in->topics_count, 0);
    out->topics = offset_delete_response_topic_array(call->arena, out->topics_count);
    for (int32_t t = 0; t < out->topics_count; t++) {
        struct offset_delete_response_topic *to = &out->topics[t];
        bool subscribed = coord_subscribes(cg, in->topics[t].name);
        to->name = in->topics[t].name;
        to->partitions_count = MAX(in->topics[t].partitions_count, 0);
        to->partitions = offset_delete_response_partition_array(call->arena, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++) {
            int32_t partition = in->topics[t].partitions[p].partition_index;
            to->partitions[p].partition_index = partition;
            if (subscribed)
                to->partitions[p].error_code = KERR_GROUP_SUBSCRIBED_TO_TOPIC;
            else if (!c->o.partition_exists(c->o.arg, to->name, partition) &&
                     !offset_map_get(&g->offsets, to->name, partition))
                to->partitions[p].error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            else
                offset_job_add(j,
                               &(struct commit_entry){.topic = to->name, .partition = partition});
        }
    }
    post_delete(c, j, call);
}

/* --- after a crash ---------------------------------------------------------------------------- */

static void lowered(void *arg, enum err code)
{
    struct offset_job *j = arg;
    if (code != E_OK)
        LOG_ERROR(LOG_BROKER_GROUP, "group " PRI_SL ": lowered offsets could not be stored: %s",
                  ARG_SL(j->group), err_name(code));
    offset_job_free(j);
}

/* A power cut may take the end of a log and leave the offset that was committed behind it: who went on
 * there would miss what is written next. */
static void lower_group(struct coord *c, struct group *g)
{
    struct arena a;
    size_t n;
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    struct offset_topic **topics = offset_map_topics(&g->offsets, &a, &n);
    struct offset_job *j = offset_job_new(OFFSET_JOB_COMMIT, slice_cstr(g->id));
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < topics[t]->count; i++) {
            const struct committed *o = &topics[t]->v[i];
            int64_t end = c->o.recovered_end(c->o.arg, topics[t]->name, o->partition);
            if (end < 0 || o->offset <= end)
                continue;
            LOG_WARN(LOG_BROKER_GROUP,
                     "group %s: the committed offset of " PRI_SL "-%d is lowered from %lld to the "
                     "recovered end of the log, %lld",
                     g->id, ARG_SL(topics[t]->name), o->partition, (long long)o->offset,
                     (long long)end);
            offset_job_add(j, &(struct commit_entry){.topic = topics[t]->name,
                                                     .metadata = slice_cstr(o->metadata),
                                                     .partition = o->partition,
                                                     .leader_epoch = -1,
                                                     .offset = end,
                                                     .commit_ms = o->commit_ms});
        }
    }
    arena_release(&a);
    offset_job_apply(j, &g->offsets);
    if (j->count)
        db_post(c->db, offset_job_run, c->loop, lowered, j);
    else
        offset_job_free(j);
}

void coord_lower_offsets(struct coord *c)
{
    struct slice id;
    void *cg;
    for (size_t i = 0; map_next(&c->groups, &i, &id, &cg);)
        lower_group(c, ((struct coord_group *)cg)->g);
}

struct topic_arg {
    struct coord *c;
    char *topic;
};

static void drop_topic(void *arg)
{
    struct topic_arg *t = arg;
    struct slice id, topic = slice_cstr(t->topic);
    void *cg;
    for (size_t i = 0; map_next(&t->c->groups, &i, &id, &cg);) {
        struct group *g = ((struct coord_group *)cg)->g;
        const struct offset_topic *o = map_get(&g->offsets.topics, topic);
        if (!o)
            continue;
        struct offset_job *j = offset_job_new(OFFSET_JOB_DELETE, slice_cstr(g->id));
        for (size_t p = 0; p < o->count; p++)
            offset_job_add(j,
                           &(struct commit_entry){.topic = topic, .partition = o->v[p].partition});
        offset_job_apply(j, &g->offsets); /* at once: the name may be taken by a new topic next */
        post_delete(t->c, j, NULL);
    }
    mem_free(t->topic);
    mem_free(t);
}

void coord_topic_deleted(struct coord *c, struct slice topic)
{
    struct topic_arg *t = xcalloc(1, sizeof *t);
    t->c = c;
    t->topic = slice_dup(topic);
    loop_post(c->loop, drop_topic, t);
}

/* --- expiry ----------------------------------------------------------------------------------- */

/* When the offset was last needed: simple groups count from the commit, others from the moment the
 * group became empty; topics that nobody of a live group subscribes to count from the commit. */
static bool is_expired(const struct coord_group *cg, const struct offset_topic *t,
                       const struct committed *o, int64_t now, int64_t retention)
{
    int64_t since = o->commit_ms;
    size_t members = coord_member_count(cg);
    if (members && coord_subscribes(cg, t->name))
        return false;
    if (members == 0 && cg->g->protocol_type.n)
        since = MAX(since, coord_empty_since(cg));
    return now - since > retention;
}

static void expire_group(struct coord *c, struct coord_group *cg, int64_t now)
{
    struct group *g = cg->g;
    struct offset_job *j = offset_job_new(OFFSET_JOB_DELETE, slice_cstr(g->id));
    struct slice name;
    void *v;
    for (size_t i = 0; map_next(&g->offsets.topics, &i, &name, &v);) {
        const struct offset_topic *t = v;
        for (size_t p = 0; p < t->count; p++) {
            if (is_expired(cg, t, &t->v[p], now, c->o.offsets_retention_ms))
                offset_job_add(
                    j, &(struct commit_entry){.topic = t->name, .partition = t->v[p].partition});
        }
    }
    if (j->count == 0) {
        offset_job_free(j);
        return;
    }
    LOG_INFO(LOG_BROKER_GROUP, "group %s: %zu committed offsets have expired", g->id, j->count);
    post_delete(c, j, NULL);
}

static void forgotten(void *arg, enum err code)
{
    (void)code;
    offset_job_free(arg);
}

void coord_expire_offsets(void *arg)
{
    struct coord *c = arg;
    int64_t now = clock_wall_ms();
    struct slice id;
    void *v;
    for (size_t i = 0; map_next(&c->groups, &i, &id, &v);) {
        struct coord_group *cg = v;
        struct group *g = cg->g;
        bool idle = coord_member_count(cg) == 0 && g->pending.count == 0;
        if (g->offsets.count) {
            expire_group(c, cg, now);
        } else if (idle && now - coord_empty_since(cg) > c->o.offsets_check_ms) {
            struct offset_job *j = offset_job_new(OFFSET_JOB_DELETE_GROUP, slice_cstr(g->id));
            coord_forget(c, j->group);
            db_post(c->db, offset_job_run, c->loop, forgotten, j);
        }
    }
    loop_timer_set(&c->expiry, c->o.offsets_check_ms);
}
