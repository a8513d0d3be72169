/* broker/group/coord.c - the coordinator's life, its timers, and the calls of members. See coord.h.
 *
 * A group's timer is lazy: it is set for the earliest deadline and not moved when heartbeats push
 * that deadline away; when it fires, group_tick finds nothing due and it is set anew. */
#include "broker/group/coord.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/coord_internal.h"
#include "broker/group/group_internal.h"
#include "broker/group/group_store.h"

#include <stdlib.h>

/* --- groups ----------------------------------------------------------------------------------- */

struct coord_group *coord_entry(struct coord *c, struct slice id)
{
    return map_get(&c->groups, id);
}

struct group *coord_find(struct coord *c, struct slice id)
{
    struct coord_group *cg = coord_entry(c, id);
    return cg ? cg->g : NULL;
}

void coord_tick(struct coord_group *cg)
{
    group_tick(cg->g, clock_mono_ms());
    if (cg->next && group_next_tick(cg->next, clock_mono_ms()))
        coord_settle(cg->c, cg, NULL);
    coord_rearm(cg->c, cg->g);
    coord_maybe_downgrade(cg->c, cg);
}

static void on_timer(void *arg)
{
    struct coord_group *cg = arg;
    cg->timer_at = INT64_MAX;
    coord_tick(cg);
}

static void rearm_by(struct coord_group *cg, int64_t at)
{
    if (at >= cg->timer_at)
        return; /* fires early, which is harmless */
    if (!cg->timer.loop)
        loop_timer_init(&cg->timer, cg->c->loop, on_timer, cg);
    cg->timer_at = at;
    loop_timer_set(&cg->timer, MAX(0, at - clock_mono_ms()) + 1);
}

void coord_rearm(struct coord *c, struct group *g)
{
    struct coord_group *cg = coord_entry(c, slice_cstr(g->id));
    int64_t at = group_deadline(g);
    if (cg && cg->next)
        at = MIN(at, group_next_deadline(cg->next));
    if (cg)
        rearm_by(cg, at);
}

void coord_rearm_member(struct coord_group *cg, struct slice id)
{
    const struct next_member *m = group_next_find(cg->next, id);
    if (m)
        rearm_by(cg, MIN(m->session_deadline, m->revoke_deadline));
}

static void job_freed(void *arg, enum err code)
{
    struct offset_job *j = arg;
    if (code != E_OK)
        LOG_ERROR(LOG_BROKER_GROUP, "group " PRI_SL ": its state could not be stored: %s",
                  ARG_SL(j->group), err_name(code));
    offset_job_free(j);
}

/* A rebalance leaves the row of the last stable generation as it is. */
static void store_members(struct offset_job *j, const struct group *g)
{
    struct strbuf b = STRBUF_INIT;
    j->set_members = true;
    if (g->state == GROUP_STABLE)
        group_store_encode(g, &b);
    if (strbuf_err(&b) == E_OK)
        j->members = arena_dup(&j->arena, strbuf_slice(&b));
    else
        LOG_WARN(LOG_BROKER_GROUP, "group %s: its members are too large to be stored: %s", g->id,
                 err_name(strbuf_err(&b)));
    strbuf_release(&b);
}

static void store_meta(struct group *g, void *arg)
{
    struct coord *c = arg;
    struct offset_job *j = offset_job_new(OFFSET_JOB_META, slice_cstr(g->id));
    j->protocol_type = arena_dup(&j->arena, g->protocol_type);
    j->kind_name = slice_cstr(coord_kind_name(GROUP_CLASSIC));
    j->generation = g->generation;
    j->empty_since_ms = g->empty_since_ms;
    if (g->state == GROUP_STABLE || g->state == GROUP_EMPTY)
        store_members(j, g);
    db_post(c->db, offset_job_run, c->loop, job_freed, j);
}

struct coord_group *coord_entry_or_add(struct coord *c, struct slice id)
{
    struct coord_group *cg = coord_entry(c, id);
    if (cg)
        return cg;
    cg = xcalloc(1, sizeof *cg);
    cg->g = group_new(id, &c->o.rules);
    cg->g->changed = store_meta;
    cg->g->changed_arg = c;
    cg->c = c;
    cg->timer_at = INT64_MAX;
    map_put(&c->groups, id, cg);
    atomic_store(&c->group_count, c->groups.count);
    return cg;
}

struct group *coord_find_or_add(struct coord *c, struct slice id)
{
    return coord_entry_or_add(c, id)->g;
}

static void entry_free(void *arg)
{
    struct coord_group *cg = arg;
    if (cg->timer.loop)
        loop_timer_release(&cg->timer);
    group_next_free(cg->next);
    group_free(cg->g);
    mem_free(cg);
}

void coord_forget(struct coord *c, struct slice id)
{
    struct coord_group *cg = map_del(&c->groups, id);
    if (cg)
        entry_free(cg);
    atomic_store(&c->group_count, c->groups.count);
}

static int by_id(const void *a, const void *b)
{
    const struct coord_group *x = *(const struct coord_group *const *)a;
    const struct coord_group *y = *(const struct coord_group *const *)b;
    return strcmp(x->g->id, y->g->id);
}

struct coord_group **coord_sorted(struct coord *c, struct arena *a, size_t *count)
{
    struct coord_group **v = arena_alloc(a, (c->groups.count + 1) * sizeof(struct coord_group *));
    struct slice id;
    void *cg;
    *count = 0;
    for (size_t i = 0; map_next(&c->groups, &i, &id, &cg);)
        v[(*count)++] = cg;
    qsort(v, *count, sizeof(struct coord_group *), by_id);
    return v;
}

/* --- life ------------------------------------------------------------------------------------- */

static void load_group(void *arg, struct slice id, struct slice kind, struct slice protocol_type,
                       int32_t generation, int64_t empty_since_ms)
{
    struct coord_group *cg = coord_entry_or_add(arg, id);
    struct group *g = cg->g;
    mem_free((char *)(uintptr_t)g->protocol_type.p);
    g->protocol_type =
        slice_of(protocol_type.n ? slice_dup(protocol_type) : xstrdup(""), protocol_type.n);
    g->generation = generation;
    g->empty_since_ms = empty_since_ms;
    for (enum group_kind k = GROUP_CONSUMER; k <= GROUP_SHARE; k++) {
        if (slice_eq_c(kind, coord_kind_name(k)))
            coord_convert(arg, cg, k);
    }
    if (cg->next) {
        cg->next->empty_since_ms = empty_since_ms;
        cg->stored_epoch = generation;
    }
}

static void load_members(void *arg, struct slice id, struct slice members)
{
    struct coord *c = arg;
    struct group *g = coord_find_or_add(c, id);
    if (coord_entry(c, id)->next)
        return; /* it has changed its kind since */
    enum err r = group_store_decode(g, members, clock_mono_ms());
    if (r != E_OK)
        LOG_WARN(LOG_BROKER_GROUP,
                 "group %s: its members could not be read, they will join again: %s", g->id,
                 err_name(r));
}

static void load_offset(void *arg, struct slice group, const struct commit_entry *e)
{
    struct group *g = coord_find_or_add(arg, group);
    offset_map_put(&g->offsets, e->topic, e->partition, e->offset, e->leader_epoch, e->metadata,
                   e->commit_ms);
}

struct start_arg {
    struct coord *c;
    const struct offset_load *load;
    struct error *e;
    enum err result;
};

/* Members that were loaded may have gone meanwhile: their sessions run from now on. */
static void arm_all(struct coord *c)
{
    struct slice id;
    void *cg;
    for (size_t i = 0; map_next(&c->groups, &i, &id, &cg);)
        coord_rearm(c, ((struct coord_group *)cg)->g);
}

/* Rows come in from a database job while this waits: nothing of a group needs the loop until its first
 * timer. */
static void load_on_loop(void *arg)
{
    struct start_arg *s = arg;
    s->result = offset_store_load(s->c->db, s->load, s->e);
    loop_timer_init(&s->c->expiry, s->c->loop, coord_expire_offsets, s->c);
    arm_all(s->c);
    if (s->c->o.recovered_end)
        coord_lower_offsets(s->c);
    if (s->c->o.offsets_check_ms > 0)
        loop_timer_set(&s->c->expiry, s->c->o.offsets_check_ms);
}

enum err coord_start(struct coord **out, const struct coord_options *o, struct db *db,
                     struct error *e)
{
    struct coord *c = xcalloc(1, sizeof *c);
    c->o = *o;
    c->db = db;
    map_init(&c->groups);
    enum err r = loop_start(&c->loop, "weir-groups", e);
    if (r != E_OK) {
        mem_free(c);
        return r;
    }
    struct offset_load load = {load_group, load_members, load_offset, c};
    struct start_arg s = {c, &load, e, E_OK};
    loop_call(c->loop, load_on_loop, &s);
    if (s.result != E_OK) {
        coord_stop(c);
        return s.result;
    }
    *out = c;
    return E_OK;
}

static void quiesce(void *arg)
{
    struct coord *c = arg;
    struct slice id;
    void *cg;
    c->quiet = true;
    loop_timer_cancel(&c->expiry);
    for (size_t i = 0; map_next(&c->groups, &i, &id, &cg);) {
        group_drop_calls(((struct coord_group *)cg)->g, KERR_COORDINATOR_NOT_AVAILABLE);
        if (((struct coord_group *)cg)->timer.loop)
            loop_timer_cancel(&((struct coord_group *)cg)->timer);
    }
}

static enum err nothing(struct db *d, void *arg, struct error *e)
{
    (void)d, (void)arg, (void)e;
    return E_OK;
}

static void wait_noop(void *arg)
{
    (void)arg;
}

void coord_quiesce(struct coord *c)
{
    loop_call(c->loop, quiesce, c);
    /* Commits under way report to the loop; after this they all have, and the loop has heard them.
     */
    if (db_run(c->db, nothing, NULL, NULL) != E_OK)
        LOG_WARN(LOG_BROKER_GROUP, "stopping: the store does not answer");
    loop_call(c->loop, wait_noop, NULL);
}

static void release_on_loop(void *arg)
{
    struct coord *c = arg;
    map_release(&c->groups, entry_free);
    loop_timer_release(&c->expiry);
}

void coord_stop(struct coord *c)
{
    if (!c)
        return;
    loop_call(c->loop, release_on_loop, c);
    loop_stop(c->loop);
    mem_free(c);
}

struct loop *coord_loop(struct coord *c)
{
    return c->loop;
}

size_t coord_group_count(struct coord *c)
{
    return atomic_load(&c->group_count);
}

static void run_call(void *arg)
{
    struct group_call *call = arg;
    call->fn(call->coord, call);
}

void coord_submit(struct coord *c, coord_fn fn, struct group_call *call)
{
    call->coord = c;
    call->fn = fn;
    loop_post(c->loop, run_call, call);
}

/* --- calls of members ------------------------------------------------------------------------- */

static void join_error(struct group_call *call, int16_t code)
{
    struct join_group_response *out = call->out;
    const struct join_group_request *in = call->in;
    out->error_code = code;
    out->member_id = out->member_id.n ? out->member_id : in->member_id;
    out->protocol_name = call->version >= 7 ? SLICE_NULL : SL("");
    call->done(call);
}

/* A member of the classic protocol in a consumer group. */
static void join_mixed(struct coord *c, struct coord_group *cg, struct group_call *call)
{
    const struct next_timing t = coord_consumer_timing(c, slice_cstr(cg->g->id));
    int16_t code = group_next_join(cg->next, cg->g, call, &t, clock_mono_ms());
    if (code == KERR_NONE) {
        coord_rearm(c, cg->g);
        coord_settle(c, cg, call);
        coord_maybe_downgrade(c, cg); /* it may have taken the place of the last of the others */
        return;
    }
    coord_rearm(c, cg->g);
    join_error(call, code);
}

void coord_join_group(struct coord *c, struct group_call *call)
{
    const struct join_group_request *in = call->in;
    const struct group_rules *rules = &c->o.rules;
    struct coord_group *cg = in->group_id.n ? coord_entry(c, in->group_id) : NULL;
    struct group *g = cg ? cg->g : NULL;
    if (c->quiet)
        join_error(call, KERR_COORDINATOR_NOT_AVAILABLE);
    else if (in->group_id.n == 0)
        join_error(call, KERR_INVALID_GROUP_ID);
    else if (cg && cg->kind == GROUP_SHARE && coord_member_count(cg))
        join_error(call, KERR_INCONSISTENT_GROUP_PROTOCOL);
    else if (!call->inside && (in->session_timeout_ms < rules->min_session_timeout_ms ||
                               in->session_timeout_ms > rules->max_session_timeout_ms))
        join_error(call, KERR_INVALID_SESSION_TIMEOUT);
    else if (!g && in->member_id.n)
        join_error(call, KERR_UNKNOWN_MEMBER_ID);
    else if (!g && (in->protocol_type.n == 0 || in->protocols_count <= 0))
        join_error(call, KERR_INCONSISTENT_GROUP_PROTOCOL);
    else if (cg && cg->next && coord_member_count(cg))
        join_mixed(c, cg, call);
    else {
        cg = coord_entry_or_add(c, in->group_id);
        g = cg->g;
        coord_convert(c, cg, GROUP_CLASSIC);
        group_join(g, call, clock_mono_ms());
        coord_rearm(c, g);
    }
}

static void sync_error(struct group_call *call, int16_t code)
{
    ((struct sync_group_response *)call->out)->error_code = code;
    call->done(call);
}

void coord_sync_group(struct coord *c, struct group_call *call)
{
    const struct sync_group_request *in = call->in;
    struct coord_group *cg = coord_entry(c, in->group_id);
    struct group *g = cg ? cg->g : NULL;
    if (c->quiet)
        sync_error(call, KERR_COORDINATOR_NOT_AVAILABLE);
    else if (call->version >= 5 && (!in->protocol_type.p || !in->protocol_name.p))
        sync_error(call, KERR_INCONSISTENT_GROUP_PROTOCOL);
    else if (in->group_id.n == 0)
        sync_error(call, KERR_INVALID_GROUP_ID);
    else if (!g)
        sync_error(call, KERR_UNKNOWN_MEMBER_ID);
    else if (cg->next) {
        ((struct sync_group_response *)call->out)->error_code =
            group_next_sync(cg->next, call, clock_mono_ms());
        coord_rearm(c, g);
        call->done(call);
    } else {
        group_sync(g, call, clock_mono_ms());
        coord_rearm(c, g);
    }
}

void coord_heartbeat(struct coord *c, struct group_call *call)
{
    const struct heartbeat_request *in = call->in;
    struct heartbeat_response *out = call->out;
    struct coord_group *cg = coord_entry(c, in->group_id);
    if (c->quiet)
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    else if (in->group_id.n == 0)
        out->error_code = KERR_INVALID_GROUP_ID;
    else if (!cg)
        out->error_code = KERR_UNKNOWN_MEMBER_ID;
    else if (cg->next) {
        out->error_code = group_next_classic_heartbeat(cg->next, in, clock_mono_ms());
        coord_rearm_member(cg, in->member_id);
    } else /* which puts a deadline off, and makes none: the timer may stay */
        out->error_code = group_heartbeat(cg->g, in, clock_mono_ms());
    call->done(call);
}

static int16_t leave_one(struct coord *c, struct coord_group *cg, struct slice member_id,
                         struct slice instance_id)
{
    if (!cg)
        return KERR_UNKNOWN_MEMBER_ID;
    if (cg->next) {
        int16_t left = group_next_leave(cg->next, member_id, instance_id);
        struct group_pending *p = group_pending_find(cg->g, member_id);
        if (left == KERR_UNKNOWN_MEMBER_ID && p) { /* it had an id and never joined */
            group_pending_remove(cg->g, p);
            left = KERR_NONE;
        }
        coord_settle(c, cg, NULL);
        coord_maybe_downgrade(c, cg);
        return left;
    }
    int16_t code = group_leave(cg->g, member_id, instance_id, clock_mono_ms());
    coord_rearm(c, cg->g);
    return code;
}

void coord_leave_group(struct coord *c, struct group_call *call)
{
    const struct leave_group_request *in = call->in;
    struct leave_group_response *out = call->out;
    struct coord_group *g = coord_entry(c, in->group_id);
    if (c->quiet)
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    else if (in->group_id.n == 0)
        out->error_code = KERR_INVALID_GROUP_ID;
    else if (call->version < 3)
        out->error_code = leave_one(c, g, in->member_id, SLICE_NULL);
    else {
        out->members_count = MAX(in->members_count, 0);
        out->members = leave_group_response_member_array(call->arena, out->members_count);
        for (int32_t i = 0; i < out->members_count; i++) {
            const struct leave_group_request_member *m = &in->members[i];
            out->members[i].member_id = m->member_id;
            out->members[i].group_instance_id = m->group_instance_id;
            out->members[i].error_code = leave_one(c, g, m->member_id, m->group_instance_id);
        }
    }
    call->done(call);
}
