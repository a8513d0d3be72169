/* cdc/mysql/task.c - life of a connector's task: start, the phases of poll, stop. SPEC:
 * cdc-mysql 2.5, 3.1 */
#include "cdc/mysql/task.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/failure.h"
#include "cdc/mysql/checks.h"
#include "cdc/mysql/metrics.h"
#include "cdc/mysql/signals.h"
#include "cdc/mysql/snapshot.h"
#include "cdc/mysql/stream.h"

/* --- start and stop --------------------------------------------------------------------------- */

struct mysql_conn_options mysql_task_conn_options(const struct mysql_task *t)
{
    struct mysql_conn_options o = mysql_access_options(&t->access, t->ctx ? &t->ctx->stop : NULL);
    o.read_timeout_ms = t->o.query_timeout_ms > 0 ? (uint32_t)t->o.query_timeout_ms : 0;
    o.initial = t->o.initial_statements;
    return o;
}

static void init_heartbeat(struct mysql_task *t)
{
    if (t->o.heartbeat_interval_ms <= 0)
        return;
    struct slice name = slice_trim(t->o.heartbeat_topic);
    t->heartbeat_topic =
        name.n ? slice_dup(name) : xasprintf(PRI_SL ".%s", ARG_SL(t->o.heartbeat_prefix), t->topic);
    t->heartbeat_key = heartbeat_key_schema();
    t->heartbeat_value = heartbeat_value_schema();
    t->next_heartbeat_ms = clock_mono_ms() + t->o.heartbeat_interval_ms;
}

static void init_transactions(struct mysql_task *t)
{
    struct slice delimiter = t->o.topic_delimiter.p ? t->o.topic_delimiter : SL(".");
    struct strbuf topic = STRBUF_INIT;
    strbuf_addf(&topic, "%s" PRI_SL PRI_SL, t->topic, ARG_SL(delimiter),
                ARG_SL(t->o.transaction_topic));
    transactions_init(&t->transactions, t->o.transaction_metadata, strbuf_slice(&topic));
    t->em.transactions = t->o.transaction_metadata ? &t->transactions : NULL;
    strbuf_release(&topic);
}

static enum err task_init(struct mysql_task *t, struct task_ctx *ctx, enum mysql_flavour f,
                          struct error *e)
{
    t->ctx = ctx;
    mysql_offset_init(&t->offset);
    scan_counts_init(&t->scanned);
    value_env_init(&t->env);
    strbuf_init(&t->partition, 0);
    enum err rc = mysql_options_load(&t->o, f, ctx->config, e);
    if (rc)
        return rc;
    rc = mysql_access_init(&t->access, &t->o, e);
    if (rc)
        return rc;
    neighbours_warn(slice_cstr(ctx->connector), &t->o);
    neighbours_join(&t->neighbour, ctx->connector, &t->o);
    t->topic = slice_dup(t->o.topic_prefix);
    mysql_partition_print(t->o.topic_prefix, &t->partition);
    source_info_init(&t->em.source, f, t->o.topic_prefix);
    context_headers_init(&t->em.headers, t->o.extended_headers, t->topic, ctx->task,
                         f == FLAVOUR_MARIADB ? "mariadb" : "mysql", ctx->run_id);
    t->em.tombstones = t->o.tombstones;
    t->em.skip_unchanged = t->o.skip_unchanged;
    t->em.skipped = t->o.skipped;
    init_transactions(t);
    schema_change_init(&t->change_schemas, f, t->em.source.schema);
    history_init(&t->history, ctx->db, ctx->kclient, ctx->connector, t->o.topic_prefix,
                 t->o.history_topic);
    t->history.comments = t->o.include_schema_comments;
    init_heartbeat(t);
    rc = gtid_filter_init(&t->gtid_filter, &t->o, e);
    if (rc == E_OK)
        rc = shape_rules_init(&t->rules, &t->o, t->em.source.schema, e);
    shapes_init(&t->shapes, &t->rules);
    t->signals = signals_new(t);
    return rc;
}

static void task_stop(void *task)
{
    struct mysql_task *t = task;
    if (!t)
        return;
    neighbours_leave(&t->neighbour);
    snapshot_free(t->snapshot);
    stream_free(t->stream);
    signals_free(t->signals);
    mysql_conn_close(t->conn);
    mysql_schema_free(t->schema);
    shapes_release(&t->shapes);
    shape_rules_release(&t->rules);
    gtid_filter_release(&t->gtid_filter);
    schema_change_release(&t->change_schemas);
    context_headers_release(&t->em.headers);
    source_info_release(&t->em.source);
    transactions_release(&t->transactions);
    history_release(&t->history);
    schema_unref(t->heartbeat_key);
    schema_unref(t->heartbeat_value);
    mysql_offset_release(&t->offset);
    value_env_release(&t->env);
    strbuf_release(&t->partition);
    mem_free(t->heartbeat_topic);
    mysql_access_release(&t->access);
    mem_free(t->topic);
    scan_counts_release(&t->scanned);
    mysql_options_release(&t->o);
    mem_free(t);
}

static void set_phase(struct mysql_task *t, enum task_phase p)
{
    atomic_store_explicit(&t->phase, p, memory_order_relaxed);
}

/* A fault that may pass: the connection is dropped and tried again later. False when the retries
 * are used up. SPEC: cdc-mysql 2.6 */
static bool may_retry(struct mysql_task *t, const struct error *e)
{
    bool passing = e->code == E_IO || e->code == E_TIMEOUT || mysql_error_is_lost(e) ||
                   e->sys == 1205 || e->sys == 1213 || e->sys == 1053 ||
                   e->sys == 1412; /* a table was changed behind the view: another one sees it */
    if (!passing || (t->o.max_retries >= 0 && t->retries >= t->o.max_retries))
        return false;
    t->retries++;
    LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, e,
            "Going to restart connector after %lld sec. after a retriable exception",
            (long long)(t->o.retry_wait_ms / 1000));
    if (t->snapshot)
        snapshot_aborted(t->snapshot);
    snapshot_free(t->snapshot);
    t->snapshot = NULL;
    mysql_conn_close(t->conn);
    t->conn = NULL;
    t->next_try_ms = clock_mono_ms() + t->o.retry_wait_ms;
    set_phase(t, PHASE_CONNECT);
    return true;
}

static enum err task_start(void **task, struct task_ctx *ctx, enum mysql_flavour f, struct error *e)
{
    struct mysql_task *t = xcalloc(1, sizeof *t);
    struct error own = {0};
    if (!e)
        e = &own;
    LOG_INFO(LOG_CDC_MYSQL, "Starting %s with configuration:",
             f == FLAVOUR_MARIADB ? "MariaDbConnectorTask" : "MySqlConnectorTask");
    enum err rc = task_init(t, ctx, f, e);
    if (rc == E_OK) {
        *task = t;
        rc = mysql_task_prepare(t, e);
        if (rc == E_OK || rc == E_CANCELLED || may_retry(t, e))
            return E_OK;
    }
    *task = NULL;
    task_stop(t);
    return failure_at_start(e, rc);
}

static enum err mysql_start(void **task, struct task_ctx *ctx, struct error *e)
{
    return task_start(task, ctx, FLAVOUR_MYSQL, e);
}

static enum err mariadb_start(void **task, struct task_ctx *ctx, struct error *e)
{
    return task_start(task, ctx, FLAVOUR_MARIADB, e);
}

size_t mysql_task_batch_limit(const struct mysql_task *t)
{
    enum { DIRECT_RECORDS = 8192, RECORDS = 2048 };
    if (t->ctx && t->ctx->direct && !strmap_get_c(&t->o.config, "max.batch.size").p)
        return DIRECT_RECORDS;
    return t->o.max_batch_size > 0 ? (size_t)t->o.max_batch_size : RECORDS;
}

/* --- poll ------------------------------------------------------------------------------------- */

static enum err poll_snapshot(struct mysql_task *t, struct record_batch *b, struct error *e)
{
    bool done;
    enum err rc = snapshot_poll(t->snapshot, b, &done, e);
    if (rc == E_CANCELLED)
        return E_OK;
    if (rc) {
        if (may_retry(t, e))
            return E_AGAIN;
        return failure_in_snapshot(e, rc);
    }
    if (!done)
        return E_OK;
    t->retries = 0;
    snapshot_free(t->snapshot);
    t->snapshot = NULL;
    atomic_store_explicit(&t->snapshot_ended_ms, clock_mono_ms(), memory_order_relaxed);
    bool only = t->o.snapshot == SNAPSHOT_INITIAL_ONLY ||
                (t->o.snapshot == SNAPSHOT_CONFIGURED && !t->o.conf_start_stream);
    if (only) {
        LOG_INFO(LOG_CDC_MYSQL, "Streaming is disabled for snapshot mode initial_only");
        set_phase(t, PHASE_IDLE);
        return E_OK;
    }
    set_phase(t, PHASE_STREAM);
    return E_OK;
}

static enum err poll_stream(struct mysql_task *t, struct record_batch *b, struct error *e)
{
    if (!t->stream) {
        bool after_snapshot = atomic_load_explicit(&t->snapshot_ended_ms, memory_order_relaxed) > 0;
        if (after_snapshot && t->o.streaming_delay_ms > 0 &&
            task_sleep(t->ctx, t->o.streaming_delay_ms))
            return E_OK;
        LOG_INFO(LOG_CDC_MYSQL, "Starting streaming");
        t->stream = stream_new(t);
    }
    bool taken = false;
    enum err rc = signals_poll(t->signals, b, &taken, e);
    return rc || taken ? rc : stream_poll(t->stream, b, e);
}

static enum err heartbeat(struct mysql_task *t, struct record_batch *b, struct error *e)
{
    int64_t now = clock_mono_ms();
    if (!t->heartbeat_topic || now < t->next_heartbeat_ms)
        return E_OK;
    t->next_heartbeat_ms = now + t->o.heartbeat_interval_ms;
    if (heartbeat_add(b, slice_cstr(t->heartbeat_topic), t->o.topic_prefix, t->heartbeat_key,
                      t->heartbeat_value))
        return error_set(e, E_NOMEM, "no memory for a heartbeat");
    if (!t->o.heartbeat_query.n || !t->conn ||
        t->snapshot || /* that one has its session to itself */
        task_stopping(t->ctx))
        return E_OK;
    char *sql = slice_dup(t->o.heartbeat_query);
    struct error he = {0};
    if (mysql_conn_exec(t->conn, sql, &he)) {
        LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, &he, "Could not execute heartbeat action query");
        if (mysql_error_is_lost(&he) && mysql_conn_connect(t->conn, &he) == E_OK &&
            mysql_conn_exec(t->conn, sql, &he))
            LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, &he, "Could not execute heartbeat action query");
    }
    mem_free(sql);
    return E_OK;
}

static enum err poll_connect(struct mysql_task *t, struct error *e)
{
    int64_t wait = t->next_try_ms - clock_mono_ms();
    if (wait > 0) {
        task_sleep(t->ctx, MIN(wait, 400));
        return E_OK;
    }
    LOG_INFO(LOG_CDC_MYSQL, "Attempting to restart task.");
    enum err rc = mysql_task_prepare(t, e);
    if (rc == E_OK) {
        LOG_INFO(LOG_CDC_MYSQL, "Successfully restarted task");
        t->retries = 0;
        return E_OK;
    }
    if (rc == E_CANCELLED)
        return E_OK;
    return may_retry(t, e) ? E_AGAIN : failure_at_start(e, rc);
}

static enum err task_poll(void *task, struct record_batch *b, struct error *e)
{
    struct mysql_task *t = task;
    struct error own = {0};
    enum err rc = E_OK;
    if (!e)
        e = &own;
    shapes_tick(&t->shapes);
    switch ((enum task_phase)atomic_load_explicit(&t->phase, memory_order_relaxed)) {
    case PHASE_CONNECT:
        return poll_connect(t, e);
    case PHASE_SNAPSHOT:
        return poll_snapshot(t, b, e);
    case PHASE_STREAM:
        rc = poll_stream(t, b, e);
        return rc ? rc : heartbeat(t, b, e);
    case PHASE_IDLE:
        task_sleep(t->ctx, 400);
        return E_OK;
    }
    return E_OK;
}

static void task_describe(void *task, struct strbuf *out)
{
    static const char *const names[] = {"CONNECTING", "SNAPSHOT", "STREAMING", "IDLE"};
    struct mysql_task *t = task;
    int phase = atomic_load_explicit(&t->phase, memory_order_relaxed);
    strbuf_addf(out,
                "\"phase\":\"%s\",\"tables_total\":%llu,\"tables_done\":%llu,\"rows_read\":%llu,"
                "\"events_seen\":%llu,\"source_ts_ms\":%lld",
                names[phase],
                (unsigned long long)atomic_load_explicit(&t->tables_total, memory_order_relaxed),
                (unsigned long long)atomic_load_explicit(&t->tables_done, memory_order_relaxed),
                (unsigned long long)atomic_load_explicit(&t->rows_read, memory_order_relaxed),
                (unsigned long long)atomic_load_explicit(&t->events_seen, memory_order_relaxed),
                (long long)atomic_load_explicit(&t->source_ts_ms, memory_order_relaxed));
}

static void task_metrics(void *task, struct metrics_table *out)
{
    mysql_metrics(task, out);
}

const struct source_task_ops mysql_source_ops = {
    .start = mysql_start,
    .poll = task_poll,
    .describe = task_describe,
    .metrics = task_metrics,
    .stop = task_stop,
};
const struct source_task_ops mariadb_source_ops = {
    .start = mariadb_start,
    .poll = task_poll,
    .describe = task_describe,
    .metrics = task_metrics,
    .stop = task_stop,
};
