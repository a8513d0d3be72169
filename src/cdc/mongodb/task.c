/* cdc/mongodb/task.c - life of a connector's task: start, the phases of poll, stop.
 * SPEC: cdc-mongodb 4, 5.6 */
#include "cdc/mongodb/task.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/failure.h"
#include "cdc/mongodb/metrics.h"
#include "cdc/mongodb/signals.h"
#include "cdc/mongodb/snapshot.h"
#include "cdc/mongodb/stream.h"

/* --- start ------------------------------------------------------------------------------------ */

static void init_heartbeat(struct mongo_task *t)
{
    if (t->o.heartbeat_interval_ms <= 0)
        return;
    struct slice name = slice_trim(t->o.heartbeat_topic);
    t->heartbeat_topic = name.n ? slice_dup(name)
                                : xasprintf(PRI_SL "." PRI_SL, ARG_SL(t->o.heartbeat_prefix),
                                            ARG_SL(t->o.topic_prefix));
    t->heartbeat_key = heartbeat_key_schema();
    t->heartbeat_value = heartbeat_value_schema();
    t->next_heartbeat_ms = clock_mono_ms() + t->o.heartbeat_interval_ms;
}

static void init_transactions(struct mongo_task *t)
{
    struct slice delimiter = t->o.topic_delimiter.p ? t->o.topic_delimiter : SL(".");
    struct strbuf topic = STRBUF_INIT;
    strbuf_addf(&topic, PRI_SL PRI_SL PRI_SL, ARG_SL(t->o.topic_prefix), ARG_SL(delimiter),
                ARG_SL(t->o.transaction_topic));
    transactions_init(&t->transactions, t->o.transaction_metadata, strbuf_slice(&topic));
    t->em.transactions = t->o.transaction_metadata ? &t->transactions : NULL;
    strbuf_release(&topic);
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
    init_transactions(t);
    init_forms(t);
    init_heartbeat(t);
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

/* --- stop ------------------------------------------------------------------------------------- */

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

static void task_stop(void *task)
{
    struct mongo_task *t = task;
    if (!t)
        return;
    disconnect(t);
    mongo_signals_free(t->signals);
    transactions_release(&t->transactions);
    collections_release(&t->collections);
    field_rules_free(t->rules);
    mongo_filter_release(&t->filter);
    context_headers_release(&t->em.headers);
    mongo_emitter_release(&t->em);
    schema_unref(t->heartbeat_key);
    schema_unref(t->heartbeat_value);
    mongo_offset_release(&t->offset);
    strbuf_release(&t->partition);
    strbuf_release(&t->stored);
    mem_free(t->heartbeat_topic);
    scan_counts_release(&t->scanned);
    mongo_options_release(&t->o);
    arena_release(&t->arena);
    mem_free(t);
}

void mongo_task_set_phase(struct mongo_task *t, enum mongo_phase p)
{
    atomic_store_explicit(&t->phase, p, memory_order_relaxed);
}

/* A fault that may pass: the connection is dropped and tried again later. False when the retries are
 * used up. SPEC: cdc-mongodb 5.6 */
static bool may_retry(struct mongo_task *t, const struct error *e)
{
    if (!mongo_fault_passes(e) || (t->o.max_retries >= 0 && t->retries >= t->o.max_retries))
        return false;
    t->retries++;
    LOG_ERR(
        LOG_CDC_MONGO, LOG_L_WARN, e,
        "An exception occurred in the change event producer. This connector will be restarted.");
    LOG_WARN(LOG_CDC_MONGO,
             "Going to restart connector after %lld sec. after a retriable exception",
             (long long)(t->o.retry_wait_ms / 1000));
    if (t->snapshot)
        mongo_snapshot_aborted(t->snapshot);
    disconnect(t);
    t->next_try_ms = clock_mono_ms() + t->o.retry_wait_ms;
    mongo_task_set_phase(t, MONGO_CONNECT);
    return true;
}

static enum err task_start(void **task, struct task_ctx *ctx, struct error *e)
{
    struct mongo_task *t = xcalloc(1, sizeof *t);
    struct error own = {0};
    if (!e)
        e = &own;
    LOG_INFO(LOG_CDC_MONGO, "Starting MongoDbConnectorTask with configuration:");
    enum err rc = task_init(t, ctx, e);
    if (rc == E_OK) {
        *task = t;
        rc = mongo_task_prepare(t, e);
        if (rc == E_OK || rc == E_CANCELLED || may_retry(t, e))
            return E_OK;
    }
    *task = NULL;
    task_stop(t);
    return failure_at_start(e, rc);
}

size_t mongo_task_batch_limit(const struct mongo_task *t)
{
    enum { DIRECT_RECORDS = 8192, RECORDS = 2048 };
    if (t->ctx->direct && !strmap_get_c(&t->o.config, "max.batch.size").p)
        return DIRECT_RECORDS;
    return t->o.max_batch_size > 0 ? (size_t)t->o.max_batch_size : RECORDS;
}

/* --- poll ------------------------------------------------------------------------------------- */

static bool is_snapshot_only(const struct mongo_task *t)
{
    return t->o.snapshot == MONGO_SNAPSHOT_INITIAL_ONLY ||
           (t->o.snapshot == MONGO_SNAPSHOT_CONFIGURED && !t->o.conf_start_stream);
}

static enum err poll_snapshot(struct mongo_task *t, struct record_batch *b, struct error *e)
{
    bool done;
    enum err rc = mongo_snapshot_poll(t->snapshot, b, &done, e);
    if (rc == E_CANCELLED)
        return E_OK;
    if (rc && may_retry(t, e))
        return E_AGAIN;
    if (rc) {
        mongo_snapshot_aborted(t->snapshot);
        return failure_in_snapshot(e, rc);
    }
    if (!done)
        return E_OK;
    t->retries = 0;
    mongo_snapshot_free(t->snapshot);
    t->snapshot = NULL;
    atomic_store_explicit(&t->snapshot_ended_ms, clock_mono_ms(), memory_order_relaxed);
    t->delay_stream = t->o.streaming_delay_ms > 0;
    if (is_snapshot_only(t))
        LOG_INFO(LOG_CDC_MONGO, "Streaming is disabled for snapshot mode initial_only");
    mongo_task_set_phase(t, is_snapshot_only(t) ? MONGO_IDLE : MONGO_STREAM);
    return E_OK;
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
    /* Not at once: a history that is too short loses the next position as soon. */
    t->next_try_ms = clock_mono_ms() + t->o.retry_wait_ms;
    mongo_task_set_phase(t, MONGO_CONNECT); /* the stored offset is found lost again there */
    return E_OK;
}

static enum err poll_stream(struct mongo_task *t, struct record_batch *b, struct error *e)
{
    if (t->delay_stream && task_sleep(t->ctx, t->o.streaming_delay_ms))
        return E_OK;
    t->delay_stream = false;
    if (!t->stream) {
        LOG_INFO(LOG_CDC_MONGO, "Starting streaming");
        t->stream = mongo_stream_new(t);
    }
    bool taken = false;
    enum err rc = mongo_signals_poll(t->signals, b, &taken, e);
    if (!rc && !taken)
        rc = mongo_stream_poll(t->stream, b, e);
    if (rc == E_NOT_FOUND)
        return history_lost(t, e);
    return rc ? failure_in_stream(e, rc) : E_OK;
}

static enum err heartbeat(struct mongo_task *t, struct record_batch *b, struct error *e)
{
    int64_t now = clock_mono_ms();
    if (!t->heartbeat_topic || now < t->next_heartbeat_ms)
        return E_OK;
    t->next_heartbeat_ms = now + t->o.heartbeat_interval_ms;
    if (heartbeat_add(b, slice_cstr(t->heartbeat_topic), t->o.topic_prefix, t->heartbeat_key,
                      t->heartbeat_value))
        return error_set(e, E_NOMEM, "no memory for a heartbeat");
    return b->offsets_count || !t->stream ? E_OK : mongo_stream_put_offset(t->stream, b, e);
}

static enum err poll_connect(struct mongo_task *t, struct error *e)
{
    int64_t wait = t->next_try_ms - clock_mono_ms();
    if (wait > 0) {
        task_sleep(t->ctx, MIN(wait, (int64_t)400));
        return E_OK;
    }
    LOG_INFO(LOG_CDC_MONGO, "Attempting to restart task.");
    enum err rc = mongo_task_prepare(t, e);
    if (rc == E_OK) {
        LOG_INFO(LOG_CDC_MONGO, "Successfully restarted task");
        t->retries = 0;
        return E_OK;
    }
    if (rc == E_CANCELLED)
        return E_OK;
    return may_retry(t, e) ? E_AGAIN : failure_at_start(e, rc);
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

static enum err task_poll(void *task, struct record_batch *b, struct error *e)
{
    struct mongo_task *t = task;
    struct error own = {0};
    enum err rc = E_OK;
    if (!e)
        e = &own;
    switch ((enum mongo_phase)atomic_load_explicit(&t->phase, memory_order_relaxed)) {
    case MONGO_CONNECT:
        return poll_connect(t, e);
    case MONGO_SNAPSHOT:
        return poll_snapshot(t, b, e);
    case MONGO_STREAM:
        rc = poll_stream(t, b, e);
        count(t);
        return rc ? rc : heartbeat(t, b, e);
    case MONGO_IDLE:
        task_sleep(t->ctx, 400);
        return E_OK;
    }
    return E_OK;
}

static unsigned long long load(const _Atomic uint64_t *v)
{
    return (unsigned long long)atomic_load_explicit(v, memory_order_relaxed);
}

static void task_describe(void *task, struct strbuf *out)
{
    static const char *const names[] = {"CONNECTING", "SNAPSHOT", "STREAMING", "IDLE"};
    struct mongo_task *t = task;
    int phase = atomic_load_explicit(&t->phase, memory_order_relaxed);
    strbuf_addf(out,
                "\"phase\":\"%s\",\"tables_total\":%llu,\"tables_done\":%llu,\"rows_read\":%llu,"
                "\"events_seen\":%llu,\"source_ts_ms\":%lld",
                names[phase], load(&t->collections_total), load(&t->collections_done),
                load(&t->rows_read), load(&t->events_seen),
                (long long)atomic_load_explicit(&t->source_ts_ms, memory_order_relaxed));
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
