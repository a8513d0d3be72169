/* cdc/mysql/task.c - a MySQL connector's task: start, its phases, stop. SPEC:
 * cdc-mysql 2.5, 3.1 */
#include "cdc/mysql/task.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/config_log.h"
#include "cdc/failure.h"
#include "cdc/mysql/checks.h"
#include "cdc/mysql/metrics.h"
#include "cdc/mysql/signals.h"
#include "cdc/mysql/snapshot.h"
#include "cdc/mysql/stream.h"

struct mysql_conn_options mysql_task_conn_options(const struct mysql_task *t)
{
    struct mysql_conn_options o = mysql_access_options(&t->access, t->ctx ? &t->ctx->stop : NULL);
    o.read_timeout_ms = t->o.query_timeout_ms > 0 ? (uint32_t)t->o.query_timeout_ms : 0;
    o.initial = t->o.initial_statements;
    return o;
}

/* --- phases ----------------------------------------------------------------------------------- */

static enum err prepare(void *db, struct error *e)
{
    return mysql_task_prepare(db, e);
}

bool mysql_fault_passes(const struct error *e)
{
    return e->code == E_IO || e->code == E_TIMEOUT || mysql_error_is_lost(e) || e->sys == 1205 ||
           e->sys == 1213 || e->sys == 1053 ||
           e->sys == 1412; /* a table was changed behind the view: another one sees it */
}

static void disconnect(void *db)
{
    struct mysql_task *t = db;
    if (t->snapshot)
        snapshot_aborted(t->snapshot);
    snapshot_free(t->snapshot);
    t->snapshot = NULL;
    mysql_conn_close(t->conn);
    t->conn = NULL;
}

static enum err poll_snapshot(void *db, struct record_batch *b, bool *done, struct error *e)
{
    struct mysql_task *t = db;
    enum err rc = snapshot_poll(t->snapshot, b, done, e);
    if (b->count && !rc)
        snapshot_show(t, b);
    return rc;
}

static void snapshot_failed(void *db)
{
    struct mysql_task *t = db;
    snapshot_aborted(t->snapshot);
}

static void snapshot_done(void *db)
{
    struct mysql_task *t = db;
    snapshot_free(t->snapshot);
    t->snapshot = NULL;
    atomic_store_explicit(&t->snapshot_ended_ms, clock_mono_ms(), memory_order_relaxed);
}

static enum err poll_stream(void *db, struct record_batch *b, struct error *e)
{
    struct mysql_task *t = db;
    bool taken = false;
    if (!t->stream) {
        LOG_INFO(LOG_CDC_MYSQL, "Starting streaming");
        t->stream = stream_new(t);
    }
    enum err rc = signals_poll(t->signals, b, &taken, e);
    return rc || taken ? rc : stream_poll(t->stream, b, e);
}

/* heartbeat.action.query */
static enum err beat(void *db, struct record_batch *b, struct error *e)
{
    struct mysql_task *t = db;
    (void)b;
    (void)e;
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

static const struct task_life_ops life_ops = {
    .log = LOG_CDC_MYSQL,
    .prepare = prepare,
    .passes = mysql_fault_passes,
    .disconnect = disconnect,
    .poll_snapshot = poll_snapshot,
    .snapshot_failed = snapshot_failed,
    .snapshot_done = snapshot_done,
    .poll_stream = poll_stream,
    .beat = beat,
};

static void init_life(struct mysql_task *t)
{
    const struct mysql_options *o = &t->o;
    bool only = o->snapshot == SNAPSHOT_INITIAL_ONLY ||
                (o->snapshot == SNAPSHOT_CONFIGURED && !o->conf_start_stream);
    task_life_init(&t->life, &life_ops, t, t->ctx, &o->shared, only);
}

/* --- start and stop --------------------------------------------------------------------------- */

static enum err task_init(struct mysql_task *t, struct task_ctx *ctx, enum mysql_flavour f,
                          struct error *e)
{
    t->ctx = ctx;
    mysql_offset_init(&t->offset);
    scan_counts_init(&t->scanned);
    t->texts = capture_texts_new();
    value_env_init(&t->env);
    strbuf_init(&t->partition, 0);
    enum err rc = mysql_options_load(&t->o, f, ctx->config, e);
    if (rc)
        return rc;
    rc = mysql_access_init(&t->access, &t->o, e);
    if (rc)
        return rc;
    neighbours_join(&t->neighbour, ctx->connector, &t->o);
    t->topic = slice_dup(t->o.topic_prefix);
    mysql_partition_print(t->o.topic_prefix, &t->partition);
    source_info_init(&t->em.source, f, t->o.topic_prefix);
    context_headers_init(&t->em.headers, t->o.extended_headers, t->topic, ctx->task,
                         f == FLAVOUR_MARIADB ? "mariadb" : "mysql", ctx->run_id);
    t->em.tombstones = t->o.tombstones;
    t->em.skip_unchanged = t->o.skip_unchanged;
    t->em.skipped = t->o.skipped;
    transactions_init_options(&t->transactions, &t->o.shared);
    t->em.transactions = t->o.transaction_metadata ? &t->transactions : NULL;
    schema_change_init(&t->change_schemas, f, t->em.source.schema);
    history_init(&t->history, ctx->db, ctx->kclient, ctx->connector, t->o.topic_prefix,
                 t->o.history_topic);
    t->history.comments = t->o.include_schema_comments;
    t->history.texts = t->texts;
    init_life(t);
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
    mysql_offset_release(&t->offset);
    value_env_release(&t->env);
    strbuf_release(&t->partition);
    task_life_release(&t->life);
    mysql_access_release(&t->access);
    mem_free(t->topic);
    scan_counts_release(&t->scanned);
    capture_texts_free(t->texts);
    mysql_options_release(&t->o);
    mem_free(t);
}

static enum err task_start(void **task, struct task_ctx *ctx, enum mysql_flavour f, struct error *e)
{
    struct mysql_task *t = xcalloc(1, sizeof *t);
    struct error own = {0};
    if (!e)
        e = &own;
    config_log(LOG_CDC_MYSQL, f == FLAVOUR_MARIADB ? "MariaDbConnectorTask" : "MySqlConnectorTask",
               ctx->raw ? ctx->raw : ctx->config);
    enum err rc = task_init(t, ctx, f, e);
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

static enum err mysql_start(void **task, struct task_ctx *ctx, struct error *e)
{
    return task_start(task, ctx, FLAVOUR_MYSQL, e);
}

static enum err mariadb_start(void **task, struct task_ctx *ctx, struct error *e)
{
    return task_start(task, ctx, FLAVOUR_MARIADB, e);
}

/* --- poll and state --------------------------------------------------------------------------- */

static enum err task_poll(void *task, struct record_batch *b, struct error *e)
{
    struct mysql_task *t = task;
    struct error own = {0};
    shapes_tick(&t->shapes);
    return task_life_poll(&t->life, b, e ? e : &own);
}

static void task_describe(void *task, struct strbuf *out)
{
    mysql_describe(task, out);
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
