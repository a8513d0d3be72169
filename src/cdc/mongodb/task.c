/* cdc/mongodb/task.c - a MongoDB connector's task: start, its phases, stop.
 * SPEC: cdc-mongodb 4, 5.6 */
#include "cdc/mongodb/task.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/config_log.h"
#include "cdc/failure.h"
#include "cdc/mongodb/metrics.h"
#include "cdc/mongodb/newcomers.h"
#include "cdc/mongodb/signals.h"
#include "cdc/mongodb/snapshot.h"
#include "cdc/mongodb/stream.h"

/* --- phases ----------------------------------------------------------------------------------- */

static enum err prepare(void *db, struct error *e)
{
    return mongo_task_prepare(db, e);
}

/* Everything that hangs on the connection, then the connection. */
static void disconnect(struct mongo_task *t)
{
    mongo_snapshot_free(t->snapshot);
    t->snapshot = NULL;
    mongo_stream_free(t->stream);
    t->stream = NULL;
    mongo_signals_disconnect(t->signals);
    mongo_client_pool_close(t->pool);
    t->pool = NULL;
}

static void cut_off(void *db)
{
    struct mongo_task *t = db;
    if (t->snapshot)
        mongo_snapshot_aborted(t->snapshot);
    disconnect(t);
}

static enum err poll_snapshot(void *db, struct record_batch *b, bool *done, struct error *e)
{
    struct mongo_task *t = db;
    enum err rc = mongo_snapshot_poll(t->snapshot, b, done, e);
    if (b->count && !rc)
        mongo_snapshot_show(t, b);
    return rc;
}

static void snapshot_failed(void *db)
{
    struct mongo_task *t = db;
    mongo_snapshot_aborted(t->snapshot);
}

static void snapshot_done(void *db)
{
    struct mongo_task *t = db;
    mongo_snapshot_free(t->snapshot);
    t->snapshot = NULL;
    atomic_store_explicit(&t->snapshot_ended_ms, clock_mono_ms(), memory_order_relaxed);
}

enum err mongo_task_lost(const struct mongo_offset *at, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    mongo_offset_print(at, &text);
    error_set(e, E_NOT_FOUND,
              "The connector is trying to read change stream starting at %s, but this is no longer "
              "available on the server. Reconfigure the connector to use a snapshot mode when "
              "needed.",
              text.p);
    strbuf_release(&text);
    return E_NOT_FOUND;
}

/* The history behind the position has gone while the connector was running. */
static enum err history_lost(struct mongo_task *t, struct error *e)
{
    LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, e,
            "Last recorded offset is no longer available on the "
            "server.");
    if (t->o.snapshot != MONGO_SNAPSHOT_WHEN_NEEDED) {
        enum err rc = mongo_task_lost(mongo_stream_offset(t->stream), e);
        return failure_in_stream(e, rc);
    }
    error_clear(e);
    disconnect(t);
    t->lost = true;
    /* Not at once: a history that is too short loses the next position as soon. The stored offset
     * is found lost again there. */
    task_life_again(&t->life);
    return E_OK;
}

static void count(struct mongo_task *t)
{
    atomic_store_explicit(&t->created, t->em.created, memory_order_relaxed);
    atomic_store_explicit(&t->updated, t->em.updated, memory_order_relaxed);
    atomic_store_explicit(&t->deleted, t->em.deleted, memory_order_relaxed);
    if (t->pool)
        atomic_store_explicit(&t->elections, mongo_client_pool_elections(t->pool),
                              memory_order_relaxed);
}

static enum err poll_stream(void *db, struct record_batch *b, struct error *e)
{
    struct mongo_task *t = db;
    bool taken = false;
    if (!t->stream) {
        LOG_INFO(LOG_CDC_MONGO, "Starting streaming");
        t->stream = mongo_stream_new(t);
    }
    enum err rc = mongo_signals_poll(t->signals, b, &taken, e);
    if (!rc && !taken) {
        if (UNLIKELY(t->collections.seen))
            mongo_newcomers_look(t);
        rc = mongo_stream_poll(t->stream, b, e);
    }
    if (rc)
        rc = rc == E_NOT_FOUND ? history_lost(t, e) : failure_in_stream(e, rc);
    count(t);
    return rc;
}

/* The position goes with it. */
static enum err beat(void *db, struct record_batch *b, struct error *e)
{
    struct mongo_task *t = db;
    return b->offsets_count || !t->stream ? E_OK : mongo_stream_put_offset(t->stream, b, e);
}

static const struct task_life_ops life_ops = {
    .log = LOG_CDC_MONGO,
    .restart = "An exception occurred in the change event producer. This connector will be "
               "restarted.",
    .prepare = prepare,
    .passes = mongo_fault_passes,
    .disconnect = cut_off,
    .poll_snapshot = poll_snapshot,
    .snapshot_failed = snapshot_failed,
    .snapshot_done = snapshot_done,
    .poll_stream = poll_stream,
    .beat = beat,
};

/* --- start and stop --------------------------------------------------------------------------- */

static void init_life(struct mongo_task *t)
{
    const struct mongo_options *o = &t->o;
    bool only = o->snapshot == MONGO_SNAPSHOT_INITIAL_ONLY ||
                (o->snapshot == MONGO_SNAPSHOT_CONFIGURED && !o->conf_start_stream);
    task_life_init(&t->life, &life_ops, t, t->ctx, &o->shared, only);
}

static void init_forms(struct mongo_task *t)
{
    static const struct bson_json_form documents[] = {
        [MONGO_JSON_LEGACY] = {BSON_JSON_STRICT, BSON_JSON_COMPACT},
        [MONGO_JSON_STRICT] = {BSON_JSON_STRICT, BSON_JSON_COMPACT},
        [MONGO_JSON_EXTENDED] = {BSON_JSON_EXTENDED, BSON_JSON_COMPACT},
        [MONGO_JSON_RELAXED] = {BSON_JSON_RELAXED, BSON_JSON_COMPACT},
    };
    t->em.documents = documents[t->o.json];
    if (t->o.json != MONGO_JSON_LEGACY) /* else relaxed and spaced. SPEC: cdc-mongodb 6.4 */
        t->em.updates = documents[t->o.json];
}

static enum err init_filter(struct mongo_task *t, struct error *e)
{
    const struct mongo_options *o = &t->o;
    struct mongo_lists lists = {
        .literal = o->literal,
        .database_include = o->database_include,
        .database_exclude = o->database_exclude,
        .collection_include = o->collection_include,
        .collection_exclude = o->collection_exclude,
        .signals = o->signal_collection,
        .scope_db = o->scope == MONGO_SCOPE_DEPLOYMENT ? SLICE_NULL : o->target_db,
        .scope_coll = o->scope == MONGO_SCOPE_COLLECTION ? o->target_coll : SLICE_NULL,
    };
    return mongo_filter_init(&t->filter, &lists, e);
}

static enum name_adjustment adjustment_of(enum adjustment_mode m)
{
    return m == ADJUST_AVRO ? NAME_AVRO : m == ADJUST_AVRO_UNICODE ? NAME_AVRO_UNICODE : NAME_AS_IS;
}

static void init_collections(struct mongo_task *t)
{
    const struct mongo_options *o = &t->o;
    struct collections_options co = {
        .prefix = o->topic_prefix,
        .delimiter = o->topic_delimiter,
        .unicode = o->naming_strategy.p && slice_find(o->naming_strategy, SL("Unicode")) >= 0,
        .adjust = adjustment_of(o->adjust_schema),
        .filter = &t->filter,
        .rules = t->rules,
        .direct = t->ctx->direct,
    };
    collections_init(&t->collections, &co);
}

static enum err init_pipeline(struct mongo_task *t, struct error *e)
{
    if (!slice_trim(t->o.pipeline).n)
        return E_OK;
    enum err rc = bson_parse(t->o.pipeline, BSON_ARRAY, &t->arena, &t->user_stages, e);
    return rc ? error_wrap(e, "Change stream pipeline JSON is invalid") : E_OK;
}

static enum err task_init(struct mongo_task *t, struct task_ctx *ctx, struct error *e)
{
    const char *option = NULL;
    t->ctx = ctx;
    arena_init(&t->arena, 4096, (size_t)16 << 20);
    scan_counts_init(&t->scanned);
    t->texts = capture_texts_new();
    mongo_offset_init(&t->offset);
    mongo_emitter_init(&t->em);
    strbuf_init(&t->partition, 0);
    strbuf_init(&t->stored, 0);
    enum err rc = mongo_options_load(&t->o, ctx->config, e);
    if (!rc)
        rc = init_filter(t, e);
    if (!rc)
        rc = field_rules_new(&t->rules, t->o.field_exclude, t->o.field_renames, &option, e);
    if (!rc)
        rc = init_pipeline(t, e);
    if (rc)
        return rc;
    init_collections(t);
    mongo_known_init(&t->known);
    transactions_init_options(&t->transactions, &t->o.shared);
    t->em.transactions = t->o.transaction_metadata ? &t->transactions : NULL;
    init_forms(t);
    init_life(t);
    mongo_partition_print(t->o.topic_prefix, &t->partition);
    t->em.direct = ctx->direct;
    t->em.prefix = t->o.topic_prefix;
    t->em.tombstones = t->o.tombstones;
    t->em.skipped = t->o.skipped;
    char *prefix = slice_dup(t->o.topic_prefix);
    context_headers_init(&t->em.headers, t->o.extended_headers, prefix, ctx->task, "mongodb",
                         ctx->run_id);
    mem_free(prefix);
    t->signals = mongo_signals_new(t);
    return E_OK;
}

static void task_stop(void *task)
{
    struct mongo_task *t = task;
    if (!t)
        return;
    disconnect(t);
    mongo_signals_free(t->signals);
    transactions_release(&t->transactions);
    collections_release(&t->collections);
    mongo_known_release(&t->known);
    field_rules_free(t->rules);
    mongo_filter_release(&t->filter);
    context_headers_release(&t->em.headers);
    mongo_emitter_release(&t->em);
    mongo_offset_release(&t->offset);
    strbuf_release(&t->partition);
    strbuf_release(&t->stored);
    task_life_release(&t->life);
    scan_counts_release(&t->scanned);
    capture_texts_free(t->texts);
    mongo_options_release(&t->o);
    arena_release(&t->arena);
    mem_free(t);
}

static enum err task_start(void **task, struct task_ctx *ctx, struct error *e)
{
    struct mongo_task *t = xcalloc(1, sizeof *t);
    struct error own = {0};
    if (!e)
        e = &own;
    config_log(LOG_CDC_MONGO, "MongoDbConnectorTask", ctx->raw ? ctx->raw : ctx->config);
    enum err rc = task_init(t, ctx, e);
    if (rc == E_OK) {
        *task = t;
        rc = task_life_start(&t->life, e);
        if (rc == E_OK)
            return E_OK;
    }
    *task = NULL;
    task_stop(t);
    return failure_at_start(e, rc);
}

/* --- poll and state --------------------------------------------------------------------------- */

static enum err task_poll(void *task, struct record_batch *b, struct error *e)
{
    struct mongo_task *t = task;
    struct error own = {0};
    return task_life_poll(&t->life, b, e ? e : &own);
}

static void task_describe(void *task, struct strbuf *out)
{
    mongo_describe(task, out);
}

static void task_metrics(void *task, struct metrics_table *out)
{
    mongo_metrics(task, out);
}

const struct source_task_ops mongo_source_ops = {
    .start = task_start,
    .poll = task_poll,
    .describe = task_describe,
    .metrics = task_metrics,
    .stop = task_stop,
};
