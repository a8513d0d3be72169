/* connect/task_sink.c - the loop of a sink task: read as a member of the group, convert, transform,
 * put, commit.
 *
 *   poll -> records -> stages (converters, transforms) -> put -> done -> flush -> commit
 *
 * `done` of a partition is what put has taken; only that is committed. A batch that put wants again
 * (E_AGAIN) stays as it is and is put until it is taken; meanwhile nothing is read, and the group is
 * looked after. When partitions go away it is dropped: their next owner reads it again.
 * SPEC: connect 8.2, 8.3. Thread: the task's. */
#include "connect/task_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "connect/sink_config.h"
#include "connect/store.h"

enum { RETRY_MS = 1000, COMMIT_MS = 1000, WAIT_MS = 300 };

struct done { /* of one partition, in the order of the assignment */
    struct kassigned a;
    int64_t offset; /* put up to here; -1: unknown */
    int64_t first;  /* where reading began */
};
struct sink {
    struct task *t;
    const struct sink_task_ops *ops;
    void *object;
    struct kconsumer *consumer;
    struct record_batch batch;
    bool pending; /* the batch was not taken yet */
    int64_t retry_at, retry_ms;
    int64_t commit_every, commit_at;
    bool paused;
    struct done *parts;
    size_t count;
    struct arena parts_arena;
    struct map topics; /* noted as used */
};

/* --- what sinks may ask ----------------------------------------------------------------------- */

static struct sink *sink_of(const struct task_ctx *c)
{
    const struct task *t = c->worker;
    return t ? t->sink : NULL;
}

bool sink_can_report(const struct task_ctx *c)
{
    const struct task *t = c->worker;
    return t && (t->stages.rules.dead || t->stages.rules.log);
}

enum err sink_report(struct task_ctx *c, struct record *r, const struct error *why, struct error *e)
{
    struct task *t = c->worker;
    *e = *why;
    if (e->code == E_OK)
        e->code = E_INVALID;
    return error_rules_failed(
        &t->stages.rules, r,
        (struct error_stage){"TASK_PUT", "org.apache.kafka.connect.sink.SinkTask"}, e);
}

void sink_retry_after(struct task_ctx *c, int64_t ms)
{
    struct sink *s = sink_of(c);
    if (s)
        s->retry_ms = ms;
}

enum err sink_seek(struct task_ctx *c, struct slice topic, int32_t partition, int64_t offset,
                   struct error *e)
{
    struct sink *s = sink_of(c);
    enum err err = s ? kconsumer_seek(s->consumer, topic, partition, offset, e) : E_OK;
    for (size_t i = 0; s && i < s->count && !err; i++)
        if (s->parts[i].a.partition == partition && slice_eq(s->parts[i].a.topic, topic))
            s->parts[i].offset = offset;
    return err;
}

void sink_request_commit(struct task_ctx *c)
{
    struct sink *s = sink_of(c);
    if (s)
        s->commit_at = 0;
}

/* --- commit ----------------------------------------------------------------------------------- */

/* Partitions whose done offset is not committed yet, as the sink sees them. */
static struct sink_offset *uncommitted(struct sink *s, struct arena *a, size_t *count)
{
    struct sink_offset *v = arena_alloc(a, (s->count + 1) * sizeof *v);
    *count = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct done *d = &s->parts[i];
        if (d->offset >= 0 && d->offset != d->a.committed)
            v[(*count)++] = (struct sink_offset){d->a.topic, d->a.partition, d->offset};
    }
    return v;
}

/* Of what the sink wants committed: what differs from what is, and was put. */
static size_t to_commit(struct sink *s, const struct sink_offset *v, size_t count,
                        struct koffset *out)
{
    size_t n = 0;
    for (size_t i = 0, k = 0; i < s->count && k < count; i++) {
        const struct done *d = &s->parts[i];
        if (d->a.partition != v[k].partition || !slice_eq(d->a.topic, v[k].topic))
            continue;
        int64_t wish = v[k++].offset;
        if (wish > d->offset)
            LOG_WARN(LOG_CONNECT_TASK,
                     "the sink wants offset %lld of " PRI_SL
                     "-%d committed, which it was not given yet: it is not",
                     (long long)wish, ARG_SL(d->a.topic), (int)d->a.partition);
        else if (wish >= 0 && wish != d->a.committed)
            out[n++] = (struct koffset){d->a.topic, d->a.partition, wish};
    }
    return n;
}

/* Records on their way: read, and not committed. */
static void note_active(struct sink *s)
{
    const struct kassigned *v;
    size_t n = kconsumer_assignment(s->consumer, &v);
    int64_t active = 0;
    for (size_t i = 0; i < n && i < s->count; i++) {
        const struct done *d = &s->parts[i];
        active += MAX(v[i].position - (d->a.committed >= 0 ? d->a.committed : d->first), 0);
    }
    task_meter_active(&s->t->meter, active);
}

static void note_committed(struct sink *s, const struct koffset *v, size_t count)
{
    for (size_t i = 0, k = 0; i < s->count && k < count; i++) {
        struct kassigned *a = &s->parts[i].a;
        if (a->partition == v[k].partition && slice_eq(a->topic, v[k].topic))
            a->committed = v[k++].offset;
    }
    note_active(s);
}

/* Reading goes on where the group has committed, as if the task had begun anew. */
static void rewind_to_committed(struct sink *s)
{
    struct error e = {0};
    s->pending = false;
    for (size_t i = 0; i < s->count; i++) {
        struct done *d = &s->parts[i];
        int64_t to = d->a.committed >= 0 ? d->a.committed : d->a.position;
        if (to >= 0 && kconsumer_seek(s->consumer, d->a.topic, d->a.partition, to, &e) == E_OK)
            d->offset = to;
    }
    note_active(s);
}

/* Flushes the sink and commits. A failure is logged: the next commit comes. */
static void commit(struct sink *s, bool closing)
{
    struct arena a;
    struct error e = {0};
    size_t count, n = 0;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct sink_offset *v = uncommitted(s, &a, &count);
    s->commit_at = clock_mono_ms() + s->commit_every;
    enum err err = count && s->ops->flush ? s->ops->flush(s->object, &e) : E_OK;
    if (!err && count && s->ops->pre_commit)
        err = s->ops->pre_commit(s->object, v, count, &e);
    if (err) {
        LOG_ERR(LOG_CONNECT_TASK, LOG_L_ERROR, &e,
                closing
                    ? "the sink could not write its last records"
                    : "offsets are not committed, reading goes back to what was committed last");
        if (!closing)
            rewind_to_committed(s);
    } else {
        struct koffset *offsets = arena_alloc(&a, (count + 1) * sizeof *offsets);
        n = to_commit(s, v, count, offsets);
        int64_t began_us = clock_mono_us();
        err = n ? kconsumer_commit(s->consumer, offsets, n, &e) : E_OK;
        if (n)
            task_meter_commit(&s->t->meter, !err, clock_mono_us() - began_us);
        if (err == E_CONFLICT) /* a rebalance goes on: what is not committed is read again */
            LOG_INFO(LOG_CONNECT_TASK, "offsets were not committed: %s", e.msg);
        else if (err)
            LOG_ERR(LOG_CONNECT_TASK, LOG_L_ERROR, &e, "offsets could not be committed");
        else
            note_committed(s, offsets, n);
    }
    arena_release(&a);
}

/* --- assignment ------------------------------------------------------------------------------- */

static struct sink_offset *all_parts(struct sink *s, struct arena *a)
{
    struct sink_offset *v = arena_alloc(a, (s->count + 1) * sizeof *v);
    for (size_t i = 0; i < s->count; i++)
        v[i] =
            (struct sink_offset){s->parts[i].a.topic, s->parts[i].a.partition, s->parts[i].offset};
    return v;
}

static void on_revoked(void *arg, bool lost)
{
    struct sink *s = arg;
    struct arena a;
    s->pending = false;
    if (!lost && !atomic_load_explicit(&s->t->abandoned, memory_order_acquire))
        commit(s, true);
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (s->ops->close && s->object && s->count)
        s->ops->close(s->object, all_parts(s, &a), s->count);
    arena_release(&a);
    s->parts = NULL;
    s->count = 0;
    task_meter_active(&s->t->meter, 0);
    atomic_store_explicit(&s->t->sink_partitions, 0, memory_order_relaxed);
}

static enum err on_assigned(void *arg, struct error *e)
{
    struct sink *s = arg;
    const struct kassigned *v;
    size_t n = kconsumer_assignment(s->consumer, &v);
    arena_reset(&s->parts_arena);
    s->parts = arena_calloc(&s->parts_arena, n + 1, sizeof *s->parts);
    s->count = n;
    for (size_t i = 0; i < n; i++) {
        s->parts[i].a = v[i];
        s->parts[i].a.topic = arena_dup(&s->parts_arena, v[i].topic);
        s->parts[i].offset = s->parts[i].first = v[i].position;
    }
    note_active(s);
    atomic_store_explicit(&s->t->sink_partitions, (int64_t)n, memory_order_relaxed);
    if (!n || !s->ops->open)
        return E_OK;
    return s->ops->open(s->object, all_parts(s, &s->parts_arena), n, e);
}

/* Everything up to the positions was put. */
static void note_done(struct sink *s)
{
    const struct kassigned *v;
    size_t n = kconsumer_assignment(s->consumer, &v);
    int64_t lag = 0;
    for (size_t i = 0; i < n && i < s->count; i++) {
        s->parts[i].offset = v[i].position;
        lag = MAX(lag, v[i].end - v[i].position);
    }
    atomic_store_explicit(&s->t->sink_lag, lag, memory_order_relaxed);
}

/* --- one batch -------------------------------------------------------------------------------- */

static void note_topic(struct sink *s, struct slice topic)
{
    struct error e = {0};
    if (map_get(&s->topics, topic))
        return;
    (void)map_put(&s->topics, topic, s);
    if (store_topic_used(s->t->ctx.db, slice_cstr(s->t->connector), topic, s->t->ctx.task, &e))
        LOG_ERR(LOG_CONNECT_TASK, LOG_L_WARN, &e, "topic " PRI_SL " could not be noted as used",
                ARG_SL(topic));
}

/* Records that are left after converters and transforms, close together. */
static enum err read_batch(struct sink *s, const struct krecord *in, size_t count, struct error *e)
{
    struct stages *st = &s->t->stages;
    for (size_t i = 0; i < count; i++) {
        struct record *r = record_batch_add(&s->batch);
        if (!r)
            return error_set(e, E_NOMEM, "no memory for %zu records", count);
        enum err err = stages_read(st, &s->batch, &in[i], r, e);
        if (!err && !r->dropped) {
            note_topic(s, in[i].topic);
            err = stages_transform(st, &s->batch, r, e);
        }
        if (err)
            return err;
        if (r->dropped)
            s->batch.count--;
    }
    return E_OK;
}

/* What was reported before the sink asked for the batch again is done with. */
static void drop_reported(struct record_batch *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (b->records[i].dropped)
            continue;
        if (n != i)
            b->records[n] = b->records[i];
        n++;
    }
    b->count = n;
}

static enum err put(struct sink *s, struct error *e)
{
    s->retry_ms = RETRY_MS;
    error_clear(e);
    int64_t began_us = clock_mono_us();
    enum err err = s->batch.count ? s->ops->put(s->object, &s->batch, e) : E_OK;
    if (!err && s->batch.count)
        task_meter_out(&s->t->meter, (int64_t)s->batch.count, clock_mono_us() - began_us);
    if (err == E_AGAIN)
        drop_reported(&s->batch);
    if (err == E_AGAIN && !s->batch.count)
        err = E_OK;
    if (err == E_AGAIN) {
        s->pending = true;
        s->retry_at = clock_mono_ms() + s->retry_ms;
        LOG_WARN(LOG_CONNECT_TASK, "%zu records are put again in %lld ms: %s", s->batch.count,
                 (long long)s->retry_ms, e->msg);
        return E_OK;
    }
    s->pending = false;
    if (!err) {
        note_done(s);
        return E_OK;
    }
    char cause[sizeof e->msg];
    snprintf(cause, sizeof cause, "%s", e->msg);
    return error_set(e, err,
                     "org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due "
                     "to unrecoverable exception.\nCaused by: %s",
                     cause);
}

/* --- the loop --------------------------------------------------------------------------------- */

/* Reports PAUSED when the sink has committed; the group is looked after all the time. */
static void follow_pause(struct sink *s)
{
    bool wish = task_wants_pause(s->t);
    if (wish == s->paused)
        return;
    s->paused = wish;
    task_meter_paused(&s->t->meter, wish);
    if (wish)
        commit(s, false);
    kconsumer_pause(s->consumer, wish || s->pending);
    task_report(s->t, wish ? TASK_PAUSED : TASK_RUNNING, SLICE_NULL);
}

/* How long a poll may wait: until the next commit, or until the batch is put again. */
static int64_t wait_ms(const struct sink *s)
{
    int64_t now = clock_mono_ms(), ms = MIN(WAIT_MS, s->commit_at - now);
    if (s->pending && !s->paused)
        ms = MIN(ms, s->retry_at - now);
    return MAX(ms, 0);
}

static enum err one_round(struct sink *s, struct error *e)
{
    struct krecord *in;
    size_t count;
    struct arena nothing;
    enum err err;
    kconsumer_pause(s->consumer, s->paused || s->pending);
    if (s->pending) { /* the batch's arena is in use */
        arena_init(&nothing, 0, ARENA_NO_BUDGET);
        err = kconsumer_poll(s->consumer, wait_ms(s), &nothing, &in, &count, e);
        arena_release(&nothing);
        bool due = s->pending && !s->paused && clock_mono_ms() >= s->retry_at;
        return err || !due ? err : put(s, e);
    }
    record_batch_reset(&s->batch);
    err = kconsumer_poll(s->consumer, wait_ms(s), &s->batch.arena, &in, &count, e);
    if (!err && count) {
        task_meter_in(&s->t->meter, (int64_t)count, -1);
        note_active(s);
    }
    if (!err && count)
        err = read_batch(s, in, count, e);
    if (err || s->paused)
        return err;
    return count ? put(s, e) : (note_done(s), E_OK);
}

static enum err loop(struct sink *s, struct error *e)
{
    enum err err = E_OK;
    while (!err && !task_stopping(&s->t->ctx)) {
        follow_pause(s);
        err = one_round(s, e);
        if (!err && clock_mono_ms() >= s->commit_at)
            commit(s, false);
    }
    return err == E_CANCELLED && task_stopping(&s->t->ctx) ? E_OK : err;
}

static enum err open_consumer(struct sink *s, struct error *e)
{
    struct task *t = s->t;
    struct sink_config c;
    sink_config_init(&c, &t->config, &t->worker, t->connector, t->ctx.task);
    const struct kconsumer_spec spec = {.group = c.group,
                                        .client_id = c.client_id,
                                        .topics = c.topics,
                                        .regex = c.regex,
                                        .options = &c.consumer,
                                        .stop = &t->ctx.stop,
                                        .revoked = on_revoked,
                                        .assigned = on_assigned,
                                        .arg = s};
    if (t->ctx.task == 0)
        sink_config_warn(&c);
    s->commit_every = MIN(c.flush_interval_ms, COMMIT_MS);
    enum err err = kconsumer_open(&s->consumer, t->ctx.kclient, &spec, e);
    sink_config_release(&c);
    pthread_mutex_lock(&t->lock);
    t->consumer = s->consumer;
    pthread_mutex_unlock(&t->lock);
    return err;
}

static enum err start(struct sink *s, struct error *e)
{
    struct task *t = s->t;
    enum err err = stages_init(&t->stages, t->registry, &t->ctx, &t->worker, true, e);
    if (!err)
        err = error_rules_open_queue(&t->stages.rules, &t->config, e);
    if (!err)
        err = open_consumer(s, e);
    if (!err)
        err = s->ops->start(&s->object, &t->ctx, e);
    task_set_object(t, s->object);
    return err;
}

static void finish(struct sink *s)
{
    struct task *t = s->t;
    kconsumer_end(s->consumer);   /* commits what was put, also after a failure */
    pthread_mutex_lock(&t->lock); /* nobody makes it leave from here on */
    t->consumer = NULL;
    pthread_mutex_unlock(&t->lock);
    kconsumer_close(s->consumer);
    task_set_object(t, NULL);
    s->ops->stop(s->object);
    t->sink = NULL;
    stages_release(&t->stages);
    record_batch_release(&s->batch);
    arena_release(&s->parts_arena);
    map_release(&s->topics, NULL);
}

enum err task_sink_run(struct task *t, struct error *e)
{
    struct sink s = {.t = t, .ops = t->ops->sink};
    t->sink = &s;
    record_batch_init(&s.batch, 0);
    arena_init(&s.parts_arena, 0, ARENA_NO_BUDGET);
    map_init(&s.topics);
    enum err err = start(&s, e);
    if (!err) {
        s.paused = false;
        if (!task_wants_pause(t))
            task_report(t, TASK_RUNNING, SLICE_NULL);
        err = loop(&s, e);
    }
    finish(&s);
    return err;
}
