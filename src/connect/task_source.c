/* connect/task_source.c - the loop of a source task: poll, transform, convert, intent, append,
 * offsets.
 *
 *   poll -> batch -> stages -> producer (batches per partition) -> intent row -> append -> reached
 *
 * Reached offsets go to SQLite together with the next intent, or as soon as a poll brings nothing.
 * SPEC: connect 4.5, 8.1. Thread: the task's. */
#include "connect/task_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "connect/store.h"
#include "connect/topic_rules.h"

enum { BATCH_BUDGET = 256 << 20, SEND_ATTEMPTS = 5 };

/* Headers that come with every record are encoded once: equal ones (by content) are taken from
 * here. */
struct header_cache {
    struct arena arena;
    const struct record_header *lasting; /* the array that they were made of, when it lasts */
    struct record_header *items;
    size_t count;
    struct strbuf encoded;
    bool valid;
};

struct source {
    struct task *t;
    struct kproducer *producer;
    struct record_batch batch;
    struct converted out;
    struct intents intents;
    struct topic_rules rules;
    struct map topics; /* name -> itself: known to exist, and noted as used */
    struct header_cache headers;
    struct direct_form direct;
    int64_t now_ms;          /* timestamp of the records of this batch that have none */
    struct slice last_topic; /* of the batch; known to exist */
    size_t transformed;      /* records of the batch that have been */
    size_t good;             /* records of the batch before the one that failed it */
    void *object;
};

/* --- headers ---------------------------------------------------------------------------------- */

static bool same_headers(const struct header_cache *c, const struct record_headers *h)
{
    if (!c->valid || c->count != h->count)
        return false;
    if (h->lasting && h->items == c->lasting)
        return true;
    for (size_t i = 0; i < h->count; i++)
        if (c->items[i].schema != h->items[i].schema ||
            !slice_eq(c->items[i].name, h->items[i].name) ||
            !value_eq(c->items[i].value, h->items[i].value))
            return false;
    return true;
}

/* Only headers with plain schemas: others may change behind an equal pointer. */
static void remember_headers(struct header_cache *c, const struct record_headers *h,
                             const struct converted *out)
{
    c->valid = false;
    c->lasting = h->lasting ? h->items : NULL;
    arena_reset(&c->arena);
    c->items = arena_alloc(&c->arena, h->count * sizeof *c->items);
    c->count = h->count;
    for (size_t i = 0; i < h->count; i++) {
        const struct record_header *x = &h->items[i];
        if (x->value.kind != VALUE_STRING || (x->schema && x->schema->logical != LOGICAL_NONE))
            return;
        c->items[i] = (struct record_header){arena_dup(&c->arena, x->name), x->schema,
                                             value_copy(&c->arena, x->value)};
    }
    strbuf_reset(&c->encoded);
    khead_encode(&c->encoded, out->heads, out->heads_count);
    c->valid = strbuf_err(&c->encoded) == E_OK;
}

/* --- one batch -------------------------------------------------------------------------------- */

static enum err ensure_topic(struct source *s, struct slice topic, struct error *e)
{
    if (LIKELY(topic.p == s->last_topic.p && topic.n == s->last_topic.n && topic.p))
        return E_OK;
    enum err err = E_OK;
    if (!map_get(&s->topics, topic)) {
        err = topic_rules_ensure(&s->rules, s->t->ctx.kclient, topic, e);
        if (!err)
            (void)map_put(&s->topics, topic, s); /* any address: noted as used after the append */
    }
    s->last_topic = err ? SLICE_NULL : topic;
    return err;
}

static enum err check_timestamp(const struct source *s, const struct record *r, int64_t *ms,
                                struct error *e)
{
    *ms = r->timestamp_ms == RECORD_NO_TIMESTAMP ? s->now_ms : r->timestamp_ms;
    if (*ms >= -1)
        return E_OK;
    return error_set(e, E_INVALID,
                     "org.apache.kafka.connect.errors.DataException: Invalid record timestamp %lld",
                     (long long)*ms);
}

/* Headers, and what is not text yet, become bytes in s->out. */
static enum err convert(struct source *s, struct record *r, bool headers, struct error *e)
{
    if (!r->text.used)
        return stages_convert(&s->t->stages, r, headers, &s->out, e);
    return headers ? stages_headers(&s->t->stages, r, &s->out, e) : E_OK;
}

static struct ktext text_at(const struct source *s, struct slice head, size_t at, size_t n)
{
    return (struct ktext){.head = head, .body = slice_of(s->batch.text.p + at, n)};
}

/* The topic does not take the record: tolerated, or the words of a send that failed. */
static enum err refused(struct source *s, struct record *r, struct error *e)
{
    static const struct error_stage stage = {"KAFKA_PRODUCE",
                                             "org.apache.kafka.connect.runtime.WorkerSourceTask"};
    if (s->t->stages.rules.tolerate)
        return error_rules_failed(&s->t->stages.rules, r, stage, e);
    char cause[sizeof e->msg];
    snprintf(cause, sizeof cause, "%s", e->msg);
    return error_set(e, E_TOO_LARGE,
                     "org.apache.kafka.connect.errors.ConnectException: Unrecoverable exception "
                     "from producer send callback\nCaused by: %s",
                     cause);
}

static enum err add_record(struct source *s, struct record *r, struct error *e)
{
    int64_t ms;
    bool cached = r->headers.count && same_headers(&s->headers, &r->headers);
    enum err err = convert(s, r, r->headers.count && !cached, e);
    if (err || r->dropped)
        return err;
    if (r->headers.count && !cached)
        remember_headers(&s->headers, &r->headers, &s->out);
    err = check_timestamp(s, r, &ms, e);
    if (!err)
        err = ensure_topic(s, r->topic, e);
    if (err)
        return err;
    struct ktext key = {.body = s->out.key_null ? SLICE_NULL : strbuf_slice(&s->out.key)};
    struct ktext value = {.body = s->out.value_null ? SLICE_NULL : strbuf_slice(&s->out.value)};
    const struct record_text *t = &r->text;
    if (t->used) {
        key = t->key_null ? (struct ktext){0} : text_at(s, t->key_head, t->key_at, t->key_n);
        value =
            t->value_null ? (struct ktext){0} : text_at(s, t->value_head, t->value_at, t->value_n);
    }
    struct kheads heads = {.items = s->out.heads,
                           .count = r->headers.count ? s->out.heads_count : 0};
    if (r->headers.count && s->headers.valid)
        heads.encoded = strbuf_slice(&s->headers.encoded);
    err = kproducer_add(s->producer, r->topic, r->partition, ms, key, value, heads, e);
    return err == E_TOO_LARGE ? refused(s, r, e) : err;
}

/* Each record in turn, as failures are told in that order: transformed once, then converted and
 * added, which may come again. */
static enum err add_all(struct source *s, struct error *e)
{
    enum err err = E_OK;
    s->now_ms = clock_wall_ms();
    s->last_topic = SLICE_NULL;
    for (size_t i = 0; i < s->batch.count && !err; i++) {
        struct record *r = &s->batch.records[i];
        s->good = i;
        if (i == s->transformed) {
            s->transformed++;
            if (s->t->stages.chain_count && !r->dropped)
                err = stages_transform(&s->t->stages, &s->batch, r, e);
        }
        if (!err && !r->dropped)
            err = add_record(s, r, e);
    }
    return err;
}

static bool is_abandoned(const struct source *s)
{
    return atomic_load_explicit(&s->t->abandoned, memory_order_acquire);
}

static enum err try_send(struct source *s, struct error *e)
{
    enum err err = add_all(s, e);
    if (!err)
        s->good = 0; /* what fails from here on is not one record's fault */
    if (!err && is_abandoned(s))
        err = error_set(e, E_CANCELLED, "the task was given up while it was stopping");
    if (!err)
        err = intents_before(&s->intents, &s->batch, e);
    bool in_part = !err && intents_fault_due(FAULT_MID_APPEND);
    if (in_part)
        kproducer_fault_after(s->producer, 1);
    if (!err)
        err = kproducer_flush(s->producer, e);
    if (in_part)
        return intents_fault_now(e);
    return err ? err : intents_fault(FAULT_AFTER_APPEND, e);
}

static void note_topics(struct source *s)
{
    size_t i = 0;
    struct slice name;
    void *value;
    struct error e;
    while (map_next(&s->topics, &i, &name, &value)) {
        if (value != s)
            continue;
        if (store_topic_used(s->t->ctx.db, slice_cstr(s->t->connector), name, s->t->ctx.task, &e))
            LOG_ERR(LOG_CONNECT_TASK, LOG_L_WARN, &e, "topic " PRI_SL " could not be noted as used",
                    ARG_SL(name));
        (void)map_put(&s->topics, name, s->t); /* another address: noted */
    }
}

static void forget_topics(struct source *s)
{
    map_release(&s->topics, NULL);
    map_init(&s->topics);
    s->last_topic = SLICE_NULL;
}

/* Records before the one that fails the task are sent, as they would have been one by one. Their
 * offset is not reached: a restart reads them again, and leaves them out. SPEC: connect 8.1, 8.3 */
static void send_beginning(struct source *s)
{
    struct error e = {0};
    s->batch.count = s->good;
    s->batch.offsets_count = 0;
    enum err err = add_all(s, &e);
    if (!err)
        err = intents_before(&s->intents, &s->batch, &e);
    if (!err)
        err = kproducer_flush_beginning(s->producer, &e);
    if (err)
        LOG_ERR(LOG_CONNECT_TASK, LOG_L_WARN, &e, "records before the failed one are not sent");
    else
        note_topics(s);
    kproducer_abort(s->producer);
}

/* The batch gives other records than the one before the crash: of its topics nothing is left out. */
static void skip_nothing(struct source *s)
{
    struct slice last = SLICE_NULL;
    for (size_t i = 0; i < s->batch.count; i++) {
        const struct record *r = &s->batch.records[i];
        if (r->dropped || r->topic.p == last.p)
            continue;
        last = r->topic;
        kproducer_skip_nothing(s->producer, last);
    }
}

static enum err send_batch(struct source *s, struct error *e)
{
    enum err err = E_OK;
    s->transformed = 0;
    if (!err && s->batch.unrepeatable)
        skip_nothing(s);
    for (int i = 0; !err && i < SEND_ATTEMPTS; i++) {
        err = try_send(s, e);
        if (err != E_NOT_FOUND || i + 1 == SEND_ATTEMPTS)
            break;
        LOG_WARN(LOG_CONNECT_TASK, "a topic was deleted while it was written to; it is made again");
        kproducer_abort(s->producer);
        forget_topics(s);
        error_clear(e);
        err = E_OK;
    }
    if (err) {
        kproducer_abort(s->producer);
        if (s->good && err != E_CANCELLED && !is_abandoned(s))
            send_beginning(s);
        return err;
    }
    intents_after(&s->intents, &s->batch);
    int64_t written = 0;
    for (size_t i = 0; i < s->batch.count; i++)
        written += !s->batch.records[i].dropped;
    task_meter_out(&s->t->meter, written, 0);
    task_meter_active(&s->t->meter, 0);
    note_topics(s);
    if (s->t->ops->source->committed)
        s->t->ops->source->committed(s->object);
    return E_OK;
}

/* --- the loop --------------------------------------------------------------------------------- */

static enum err one_round(struct source *s, struct error *e)
{
    const struct source_task_ops *ops = s->t->ops->source;
    record_batch_reset(&s->batch);
    error_clear(e);
    int64_t began_us = clock_mono_us();
    enum err err = ops->poll(s->object, &s->batch, e);
    if (!err && s->batch.count) {
        task_meter_in(&s->t->meter, (int64_t)s->batch.count, clock_mono_us() - began_us);
        task_meter_active(&s->t->meter, (int64_t)s->batch.count);
    }
    if (err == E_AGAIN) {
        LOG_WARN(LOG_CONNECT_TASK, "polled again after: %s", e->msg);
        (void)task_sleep(&s->t->ctx, 100);
        return E_OK;
    }
    if (!err && is_abandoned(s)) /* what is stored is no longer this task's */
        err = error_set(e, E_CANCELLED, "the task was given up while it was stopping");
    if (err)
        return err;
    if (s->batch.count)
        return send_batch(s, e);
    intents_after(&s->intents, &s->batch);
    return intents_commit(&s->intents, e);
}

static enum err loop(struct source *s, struct error *e)
{
    enum err err = E_OK;
    while (!err && !task_stopping(&s->t->ctx)) {
        if (task_wants_pause(s->t)) {
            err = intents_commit(&s->intents, e);
            if (err || !task_hold(s->t))
                break;
        }
        err = one_round(s, e);
        if (!err)
            intents_durable(&s->intents, false);
    }
    if (err == E_CANCELLED && task_stopping(&s->t->ctx))
        err = E_OK; /* what was not sent is read again */
    /* What is in the log is stored even when the task failed. */
    struct error late = {0};
    if (atomic_load_explicit(&intent_fault_at, memory_order_relaxed) != FAULT_NONE)
        return err; /* a test's kill */
    /* Given up: the rows are those of whoever came instead, or of a user's PATCH, by now. */
    if (is_abandoned(s))
        return err;
    if (intents_commit(&s->intents, &late))
        LOG_ERR(LOG_CONNECT_TASK, LOG_L_ERROR, &late, "the last offsets could not be stored");
    else
        intents_durable(&s->intents, true);
    return err;
}

static enum err start(struct source *s, struct error *e)
{
    struct task *t = s->t;
    char name[300];
    struct strmap options;
    snprintf(name, sizeof name, "%s-%d", t->connector, t->ctx.task);
    enum err err = stages_init(&t->stages, t->registry, &t->ctx, &t->worker, false, e);
    if (!err)
        err = topic_rules_init(&s->rules, &t->config, &t->worker, e);
    if (err)
        return err;
    config_of_client(&t->config, &t->worker, "producer.", &options);
    err = kproducer_open(&s->producer, t->ctx.kclient, name, &options, e);
    strmap_release(&options);
    intents_init(&s->intents, t, s->producer);
    if (!err)
        err = intents_recover(&s->intents, e);
    t->ctx.direct = stages_direct(&t->stages, &s->direct) ? &s->direct : NULL;
    if (!err)
        err = t->ops->source->start(&s->object, &t->ctx, e);
    task_set_object(t, s->object);
    return err;
}

enum err task_source_run(struct task *t, struct error *e)
{
    struct source s = {.t = t};
    record_batch_init(&s.batch, BATCH_BUDGET);
    arena_init(&s.headers.arena, 1024, ARENA_NO_BUDGET);
    strbuf_init(&s.headers.encoded, 0);
    strbuf_init(&s.out.key, 0);
    strbuf_init(&s.out.value, 0);
    strbuf_init(&s.out.headers, 0);
    map_init(&s.topics);
    enum err err = start(&s, e);
    if (!err) {
        if (!task_wants_pause(t))
            task_report(t, TASK_RUNNING, SLICE_NULL);
        err = loop(&s, e);
    }
    void *object = s.object;
    task_set_object(t, NULL);
    t->ops->source->stop(object);
    record_batch_release(&s.batch);
    intents_release(&s.intents);
    kproducer_close(s.producer);
    topic_rules_release(&s.rules);
    stages_release(&t->stages);
    converted_release(&s.out);
    map_release(&s.topics, NULL);
    arena_release(&s.headers.arena);
    strbuf_release(&s.headers.encoded);
    return err;
}
