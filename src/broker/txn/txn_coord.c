/* broker/txn/txn_coord.c - see txn_coord.h: life, the queue of each id, storing, ending, timers.
 *
 * Invariants:
 *  1. Memory changes only after the database has: what a client was told survives a kill.
 *  2. One thing at a time for an id (`busy`); requests wait in its queue.
 *  3. Markers are written only when a Prepare state is stored, and Complete is stored only when all
 *     markers are written: a crash between is repaired by writing them (again) at the next start. */
#include "broker/txn/txn_coord.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/coord.h"
#include "broker/producer_ids.h"
#include "broker/proto/kerr.h"
#include "broker/txn/txn_coord_internal.h"
#include "broker/txn/txn_markers.h"

#define RETRY_MS 500
#define COORDINATOR_EPOCH 0

static void retry_markers(void *arg);

/* --- the queue of an id ----------------------------------------------------------------------- */

/* Carries out what waits, until something takes time. The entry may be gone afterwards. */
static void go_on(struct txn_entry *e)
{
    struct link *k;
    if (e->running)
        return; /* further up on the stack */
    e->running = true;
    while (!e->busy && (k = list_pop_front(&e->waiting)) != NULL) {
        struct txn_call *call = list_entry(k, struct txn_call, link);
        e->busy = true;
        if (e->tc->quiet)
            txn_refuse(e, call, KERR_COORDINATOR_NOT_AVAILABLE);
        else
            call->op->run(e, call);
    }
    e->running = false;
    if (!e->busy && !e->known) /* nothing has come of it */
        txn_entry_free(map_del(&e->tc->entries, slice_cstr(e->id)));
}

void txn_done(struct txn_entry *e, struct txn_call *call)
{
    invariant(e->busy);
    e->busy = false;
    if (call)
        call->done(call);
    go_on(e);
}

void txn_refuse(struct txn_entry *e, struct txn_call *call, int16_t code)
{
    if (call)
        call->op->refuse(call, code);
    txn_done(e, call);
}

static void enqueue(void *arg)
{
    struct txn_call *call = arg;
    if (call->id.n == 0) {
        call->op->refuse(call, KERR_INVALID_REQUEST);
        call->done(call);
        return;
    }
    struct txn_entry *e = txn_find_or_add(call->tc, call->id);
    list_push_back(&e->waiting, &call->link);
    go_on(e);
}

void txn_submit(struct txn_coord *tc, const struct txn_op *op, struct txn_call *call)
{
    call->tc = tc;
    call->op = op;
    call->new_id = -1;
    call->fenced = false;
    call->fenced_from = -1;
    loop_post(tc->loop, enqueue, call);
}

/* --- work on other threads -------------------------------------------------------------------- */

/* What comes back to the loop, for whom. */
struct errand {
    struct txn_entry *e;
    struct txn_call *call;
    txn_then_fn then;
    enum err result;
};

static struct errand *errand_new(struct txn_entry *e, struct txn_call *call, txn_then_fn then)
{
    struct errand *r = xcalloc(1, sizeof *r);
    *r = (struct errand){e, call, then, E_OK};
    atomic_fetch_add(&e->tc->under_way, 1);
    return r;
}

/* The last that the errand does on the loop. */
static void errand_end(struct txn_coord *tc, struct errand *r)
{
    mem_free(r);
    atomic_fetch_sub(&tc->under_way, 1);
}

static void id_came(void *arg)
{
    struct errand *r = arg;
    struct txn_entry *e = r->e;
    struct txn_call *call = r->call;
    struct txn_coord *tc = e->tc;
    if (r->result == E_OK)
        r->result = producer_ids_take(tc->p.ids, &call->new_id);
    if (r->result == E_OK)
        call->op->run(e, call);
    else
        txn_refuse(e, call, KERR_COORDINATOR_NOT_AVAILABLE);
    errand_end(tc, r);
}

static void reserve_ids(void *arg)
{
    struct errand *r = arg;
    struct error e;
    r->result = producer_ids_reserve(r->e->tc->p.ids, &e);
    if (r->result != E_OK)
        LOG_ERR(LOG_BROKER_TXN, LOG_L_ERROR, &e, "producer ids could not be reserved");
}

void txn_need_id(struct txn_entry *e, struct txn_call *call)
{
    struct txn_coord *tc = e->tc;
    if (producer_ids_take(tc->p.ids, &call->new_id) == E_OK)
        call->op->run(e, call);
    else
        pool_submit(tc->p.pool, NULL, reserve_ids, tc->loop, id_came, errand_new(e, call, NULL));
}

/* --- storing ---------------------------------------------------------------------------------- */

static void publish(struct txn_entry *e)
{
    for (size_t g = 0; g < e->group_count; g++) {
        struct slice name;
        void *v;
        for (size_t i = 0; map_next(&e->groups[g]->pending.topics, &i, &name, &v);) {
            const struct offset_topic *t = v;
            for (size_t k = 0; k < t->count; k++)
                coord_publish_offset(
                    e->tc->p.coord, slice_cstr(e->groups[g]->id),
                    &(struct commit_entry){.topic = t->name,
                                           .metadata = slice_cstr(t->v[k].metadata),
                                           .partition = t->v[k].partition,
                                           .leader_epoch = t->v[k].leader_epoch,
                                           .offset = t->v[k].offset,
                                           .commit_ms = t->v[k].commit_ms});
        }
    }
}

static bool is_open(const struct txn_facts *f)
{
    return f->state == TXN_ONGOING || txn_is_prepared(f);
}

static void count(_Atomic int64_t *what, int64_t by)
{
    atomic_fetch_add_explicit(what, by, memory_order_relaxed);
}

/* The facts change from what they are to `next` (NULL: nothing is known any more). */
static void count_change(struct txn_entry *e, const struct txn_facts *next)
{
    struct txn_coord *tc = e->tc;
    bool was = e->known && is_open(&e->facts), is = next && is_open(next);
    count(&tc->ids, (next != NULL) - e->known);
    count(&tc->open, is - was);
    if (was && next && !is)
        count(next->state == TXN_COMPLETE_COMMIT ? &tc->committed : &tc->aborted, 1);
}

void txn_coord_stats(struct txn_coord *tc, struct txn_coord_stats *out)
{
    *out = (struct txn_coord_stats){
        .ids = atomic_load_explicit(&tc->ids, memory_order_relaxed),
        .open = atomic_load_explicit(&tc->open, memory_order_relaxed),
        .committed = atomic_load_explicit(&tc->committed, memory_order_relaxed),
        .aborted = atomic_load_explicit(&tc->aborted, memory_order_relaxed),
        .timed_out = atomic_load_explicit(&tc->timed_out, memory_order_relaxed)};
}

/* Memory follows the database. */
static void apply(struct txn_entry *e, const struct txn_job *j)
{
    count_change(e, &j->facts);
    e->facts = j->facts;
    e->known = true;
    if (j->begins) {
        txn_clear_parts(e);
        txn_clear_groups(e);
    }
    for (size_t i = 0; i < j->part_count; i++)
        txn_add_part(e, j->parts[i].topic, j->parts[i].partition);
    struct txn_group *g = slice_is_null(j->group) ? NULL : txn_add_group(e, j->group);
    for (size_t i = 0; g && i < j->offset_count; i++) {
        const struct commit_entry *o = &j->offsets[i];
        offset_map_put(&g->pending, o->topic, o->partition, o->offset, o->leader_epoch, o->metadata,
                       o->commit_ms);
    }
    if (j->publish == TXN_PUBLISH_OFFSETS)
        publish(e);
    if (j->publish != TXN_PUBLISH_NOTHING) {
        txn_clear_groups(e);
        txn_clear_parts(e);
    }
}

static void stored(void *arg, enum err code)
{
    struct txn_job *j = arg;
    struct errand *r = j->owner;
    struct txn_entry *e = r->e;
    struct txn_coord *tc = e->tc;
    if (code == E_OK)
        apply(e, j);
    else
        LOG_ERROR(LOG_BROKER_TXN, "transactional.id=%s: its state could not be stored: %s", e->id,
                  err_name(code));
    txn_job_free(j);
    r->result = code;
    if (r->then && code == E_OK)
        r->then(e, r->call);
    else
        txn_refuse(e, r->call, KERR_COORDINATOR_NOT_AVAILABLE);
    errand_end(tc, r);
}

void txn_store(struct txn_entry *e, struct txn_job *j, struct txn_call *call, txn_then_fn then)
{
    j->owner = errand_new(e, call, then);
    db_post(e->tc->p.db, txn_job_run, e->tc->loop, stored, j);
}

/* --- ending ----------------------------------------------------------------------------------- */

static void try_later(struct txn_entry *e)
{
    if (!e->retry.loop)
        loop_timer_init(&e->retry, e->tc->loop, retry_markers, e);
    if (!e->tc->quiet)
        loop_timer_set(&e->retry, RETRY_MS);
}

static void completed(void *arg, enum err code)
{
    struct txn_job *j = arg;
    struct errand *r = j->owner;
    struct txn_entry *e = r->e;
    struct txn_coord *tc = e->tc;
    if (code == E_OK) {
        apply(e, j);
    } else {
        LOG_ERROR(LOG_BROKER_TXN, "transactional.id=%s: its end could not be stored: %s", e->id,
                  err_name(code));
        try_later(e);
    }
    txn_job_free(j);
    r->then(e, r->call);
    errand_end(tc, r);
}

static void complete(struct txn_entry *e, struct errand *r)
{
    struct txn_facts next = txn_completed(&e->facts, clock_wall_ms());
    struct txn_job *j = txn_job_new(slice_cstr(e->id), &next);
    j->publish = next.marker_commit ? TXN_PUBLISH_OFFSETS : TXN_DROP_OFFSETS;
    j->owner = r;
    db_post(e->tc->p.db, txn_job_run, e->tc->loop, completed, j);
}

static void markers_written(void *arg)
{
    struct marker_job *m = arg;
    struct errand *r = m->owner;
    struct txn_entry *e = r->e;
    struct txn_coord *tc = e->tc;
    if (m->left == 0) {
        marker_job_free(m);
        complete(e, r);
        return;
    }
    LOG_ERROR(LOG_BROKER_TXN,
              "transactional.id=%s: its end could not be written to " PRI_SL
              "-%d (partitions=%zu); trying again",
              e->id, ARG_SL(m->parts[0].topic), m->parts[0].partition, m->left);
    marker_job_free(m);
    try_later(e);
    r->then(e, r->call);
    errand_end(tc, r);
}

static void send_markers(struct txn_entry *e, const struct partition_marker *marker, bool only_open,
                         struct errand *r, loop_fn done)
{
    struct marker_job *m = marker_job_new(e->tc->p.topics, marker);
    for (size_t i = 0; i < e->part_count; i++)
        marker_job_add(m, e->parts[i].topic, e->parts[i].partition);
    m->only_open = only_open;
    m->owner = r;
    pool_submit(e->tc->p.pool, NULL, marker_job_run, e->tc->loop, done, m);
}

/* From a stored Prepare state. again: some may be there already. */
static void write_markers(struct txn_entry *e, struct txn_call *call, bool again, txn_then_fn then)
{
    struct errand *r = errand_new(e, call, then);
    const struct partition_marker marker = {.producer_id = e->facts.producer_id,
                                            .producer_epoch = e->facts.epoch,
                                            .commit = e->facts.state == TXN_PREPARE_COMMIT,
                                            .coordinator_epoch = COORDINATOR_EPOCH};
    invariant(txn_is_prepared(&e->facts)); /* 3 */
    if (e->part_count)
        send_markers(e, &marker, again, r, markers_written);
    else
        complete(e, r);
}

static void prepared(struct txn_entry *e, struct txn_call *call)
{
    write_markers(e, call, false, e->ended);
}

void txn_finish(struct txn_entry *e, const struct txn_facts *next, struct txn_call *call,
                txn_then_fn then)
{
    e->ended = then;
    txn_store(e, txn_job_new(slice_cstr(e->id), next), call, prepared);
}

static void retry_markers(void *arg)
{
    struct txn_entry *e = arg;
    if (e->tc->quiet || !txn_is_prepared(&e->facts))
        return;
    if (e->busy) {
        loop_timer_set(&e->retry, RETRY_MS);
        return;
    }
    e->busy = true;
    write_markers(e, NULL, true, txn_done);
}

/* --- timers ----------------------------------------------------------------------------------- */

static void sweep(void *arg)
{
    struct txn_coord *tc = arg;
    int64_t now = clock_wall_ms();
    struct slice id;
    void *v;
    for (size_t i = 0; map_next(&tc->entries, &i, &id, &v);) {
        struct txn_entry *e = v;
        struct txn_verdict verdict;
        if (e->busy || !e->known)
            continue;
        txn_judge_time(&e->facts, now, &verdict);
        if (verdict.step != TXN_STEP_FINISH)
            continue;
        LOG_WARN(LOG_BROKER_TXN,
                 "transactional.id=%s: its transaction ran longer than %d ms and is aborted", e->id,
                 e->facts.timeout_ms);
        count(&tc->timed_out, 1);
        e->busy = true;
        txn_finish(e, &verdict.next, NULL, txn_done);
    }
    loop_timer_set(&tc->sweep, tc->o.sweep_ms);
}

static void removed(void *arg, enum err code)
{
    struct txn_job *j = arg;
    struct errand *r = j->owner;
    struct txn_entry *e = r->e;
    struct txn_coord *tc = e->tc;
    if (code == E_OK) {
        count_change(e, NULL);
        e->known = false;
    }
    txn_job_free(j);
    txn_done(e, NULL);
    errand_end(tc, r);
}

static void expire(void *arg)
{
    struct txn_coord *tc = arg;
    int64_t now = clock_wall_ms();
    struct slice id;
    void *v;
    for (size_t i = 0; map_next(&tc->entries, &i, &id, &v);) {
        struct txn_entry *e = v;
        if (e->busy || !e->known || e->facts.state == TXN_ONGOING || txn_is_prepared(&e->facts) ||
            now - e->facts.update_ms <= tc->o.expire_ms)
            continue;
        LOG_INFO(LOG_BROKER_TXN, "transactional.id=%s has expired", e->id);
        struct txn_job *j = txn_job_new(slice_cstr(e->id), &e->facts);
        j->removes = true;
        j->owner = errand_new(e, NULL, NULL);
        e->busy = true;
        db_post(tc->p.db, txn_job_run, tc->loop, removed, j);
    }
    loop_timer_set(&tc->expiry, tc->o.expire_check_ms);
}

/* --- life ------------------------------------------------------------------------------------- */

static void load_txn(void *arg, struct slice id, const struct txn_facts *f)
{
    struct txn_entry *e = txn_find_or_add(arg, id);
    count_change(e, f);
    e->facts = *f;
    e->known = true;
}

static void load_part(void *arg, struct slice id, const struct txn_part *p)
{
    struct txn_entry *e = txn_find(arg, id);
    if (e)
        txn_add_part(e, p->topic, p->partition);
}

static void load_group(void *arg, struct slice id, struct slice group)
{
    struct txn_entry *e = txn_find(arg, id);
    if (e && e->facts.state >= TXN_ONGOING && e->facts.state <= TXN_PREPARE_ABORT)
        (void)txn_add_group(e, group);
}

static void load_offset(void *arg, struct slice id, const struct txn_group_offset *o)
{
    struct txn_entry *e = txn_find(arg, id);
    struct txn_group *g = e ? txn_find_group(e, o->group) : NULL;
    if (g)
        offset_map_put(&g->pending, o->entry.topic, o->entry.partition, o->entry.offset,
                       o->entry.leader_epoch, o->entry.metadata, o->entry.commit_ms);
}

static void checked(void *arg)
{
    struct marker_job *m = arg;
    struct errand *r = m->owner;
    struct txn_entry *e = r->e;
    struct txn_coord *tc = e->tc;
    marker_job_free(m);
    txn_clear_parts(e);
    txn_done(e, NULL);
    errand_end(tc, r);
}

/* What the last process left: ends that are decided are carried out. */
static void repair(struct txn_entry *e)
{
    const struct txn_facts *f = &e->facts;
    const struct partition_marker last = {.producer_id = f->marker_producer_id,
                                          .producer_epoch = f->marker_epoch,
                                          .commit = f->marker_commit,
                                          .coordinator_epoch = COORDINATOR_EPOCH};
    if (txn_is_prepared(f)) {
        LOG_INFO(LOG_BROKER_TXN, "transactional.id=%s: ending the transaction that was in %s",
                 e->id, txn_state_name(f->state));
        e->busy = true;
        write_markers(e, NULL, true, txn_done);
    } else if (f->state != TXN_ONGOING && e->part_count && e->tc->o.check_markers &&
               last.producer_id >= 0) {
        e->busy = true;
        send_markers(e, &last, true, errand_new(e, NULL, NULL), checked);
    } else if (f->state != TXN_ONGOING) {
        txn_clear_parts(e);
    }
}

struct start_arg {
    struct txn_coord *tc;
    struct error *e;
    enum err result;
};

/* Rows come in from a database job while this waits. */
static void start_on_loop(void *arg)
{
    struct start_arg *s = arg;
    struct txn_coord *tc = s->tc;
    const struct txn_load load = {load_txn, load_part, load_group, load_offset, tc};
    struct slice id;
    void *v;
    coord_set_hooks(tc->p.coord, &(struct coord_hooks){txn_is_unstable, tc});
    s->result = txn_store_load(tc->p.db, &load, s->e);
    loop_timer_init(&tc->sweep, tc->loop, sweep, tc);
    loop_timer_init(&tc->expiry, tc->loop, expire, tc);
    if (s->result != E_OK)
        return;
    for (size_t i = 0; map_next(&tc->entries, &i, &id, &v);)
        repair(v);
    loop_timer_set(&tc->sweep, tc->o.sweep_ms);
    loop_timer_set(&tc->expiry, tc->o.expire_check_ms);
}

enum err txn_coord_start(struct txn_coord **out, const struct txn_coord_options *o,
                         const struct txn_coord_parts *parts, struct error *e)
{
    struct txn_coord *tc = xcalloc(1, sizeof *tc);
    tc->o = *o;
    tc->p = *parts;
    tc->loop = coord_loop(parts->coord);
    map_init(&tc->entries);
    map_init(&tc->groups);
    struct start_arg s = {tc, e, E_OK};
    loop_call(tc->loop, start_on_loop, &s);
    if (s.result != E_OK) {
        txn_coord_stop(tc);
        return s.result;
    }
    *out = tc;
    return E_OK;
}

static void quiesce(void *arg)
{
    struct txn_coord *tc = arg;
    struct slice id;
    void *v;
    tc->quiet = true;
    loop_timer_cancel(&tc->sweep);
    loop_timer_cancel(&tc->expiry);
    for (size_t i = 0; map_next(&tc->entries, &i, &id, &v);)
        if (((struct txn_entry *)v)->retry.loop)
            loop_timer_cancel(&((struct txn_entry *)v)->retry);
}

void txn_coord_quiesce(struct txn_coord *tc)
{
    loop_call(tc->loop, quiesce, tc);
    while (atomic_load(&tc->under_way))
        usleep(1000);
}

static void release_on_loop(void *arg)
{
    struct txn_coord *tc = arg;
    coord_set_hooks(tc->p.coord, NULL);
    map_release(&tc->entries, txn_entry_free);
    map_release(&tc->groups, mem_free);
    loop_timer_release(&tc->sweep);
    loop_timer_release(&tc->expiry);
}

void txn_coord_stop(struct txn_coord *tc)
{
    if (!tc)
        return;
    loop_call(tc->loop, release_on_loop, tc);
    mem_free(tc);
}
