/* cdc/mysql/snapshot.c - order of a snapshot, locks. The log lines are Debezium's, because scripts
 * wait for them.
 *
 *   list tables -> lock -> consistent read view -> position -> structure -> unlock (minimal)
 *   -> structure events -> rows, table by table -> commit -> unlock (extended, table locks)
 * SPEC: cdc-mysql 3.2, 3.3 */
#include "cdc/mysql/snapshot.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/checks.h"
#include "cdc/mysql/signals.h"
#include "cdc/mysql/snapshot_threads.h"
#include "cdc/mysql/stream.h"

struct snapshot *snapshot_new(struct mysql_task *t, bool data)
{
    struct snapshot *s = xcalloc(1, sizeof *s);
    s->t = t;
    s->data = data;
    mysql_offset_init(&s->at);
    renderer_init(&s->renderer);
    return s;
}

struct snapshot *snapshot_new_blocking(struct mysql_task *t, const struct signal_request *r)
{
    struct snapshot *s = snapshot_new(t, true);
    const struct stream *stream = t->stream;
    s->request = r;
    stream_offset(t->stream, &s->at);
    s->gtid = stream->gtid.p ? slice_dup(stream->gtid) : NULL;
    /* Structure as it is now, which the stream may not have reached: in a model of its own. */
    s->stream_schema = t->schema;
    struct mysql_schema_options o = {.mariadb = t->server.mariadb,
                                     .server_version = t->server.version};
    t->schema = mysql_schema_new(&o);
    return s;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    if (s->stream_schema) {
        mysql_schema_free(s->t->schema);
        s->t->schema = s->stream_schema;
    }
    mem_free(s->gtid);
    if (s->result_open)
        mysql_result_end(&s->result);
    snapshot_merge_free(s);
    snapshot_unlock(s);
    for (size_t i = 0; i < s->count; i++) {
        mem_free(s->tables[i].db);
        mem_free(s->tables[i].name);
        mem_free(s->tables[i].create);
    }
    mem_free(s->tables);
    mem_free(s->order);
    table_read_release(&s->read);
    renderer_release(&s->renderer);
    mem_free(s->charset);
    mem_free(s->collation);
    mysql_offset_release(&s->at);
    mem_free(s);
}

/* --- locks ------------------------------------------------------------------------------------ */

static void note(struct snapshot *s, const char *type);

static void set_locked(struct snapshot *s, bool locked)
{
    s->locked = locked;
    atomic_store_explicit(&s->t->holds_lock, locked, memory_order_relaxed);
}

static bool is_denied(enum err rc, const struct error *e)
{
    return rc == E_AUTH || (e && (e->sys == 1227 || e->sys == 1045 || e->sys == 1044));
}

/* False: no table is captured. */
static bool table_lock_statement(const struct snapshot *s, bool flush, struct strbuf *sql)
{
    bool any = false;
    strbuf_reset(sql);
    strbuf_adds(sql, flush ? "FLUSH TABLES " : "LOCK TABLES ");
    for (size_t i = 0; i < s->count; i++) {
        if (!s->tables[i].captured)
            continue;
        strbuf_adds(sql, any ? ", " : "");
        mysql_quote_name(sql, slice_cstr(s->tables[i].db));
        strbuf_addc(sql, '.');
        mysql_quote_name(sql, slice_cstr(s->tables[i].name));
        strbuf_adds(sql, flush ? "" : " READ");
        any = true;
    }
    strbuf_adds(sql, flush ? " WITH READ LOCK" : "");
    return any;
}

static enum err lock_tables(struct snapshot *s, struct error *e)
{
    bool may = false;
    enum err rc = check_privilege(s->t->conn, "LOCK TABLES", &may, e);
    if (rc)
        return rc;
    if (!may)
        return error_set(
            e, E_AUTH,
            "User does not have the 'LOCK TABLES' privilege required to obtain a consistent "
            "snapshot by preventing concurrent writes to tables.");
    struct strbuf sql = STRBUF_INIT;
    rc = snapshot_read_uncaptured(s, e);
    if (rc)
        return rc;
    bool any = table_lock_statement(s, true, &sql);
    rc = any ? mysql_conn_exec(s->t->conn, sql.p, e) : E_OK;
    if (rc && is_denied(rc, e)) { /* that one wants RELOAD too, this one does not */
        (void)table_lock_statement(s, false, &sql);
        error_clear(e);
        rc = mysql_conn_exec(s->t->conn, sql.p, e);
    }
    strbuf_release(&sql);
    s->tables_locked = rc == E_OK && any;
    set_locked(s, s->tables_locked);
    return rc;
}

static bool is_percona(const struct snapshot *s)
{
    return s->t->o.locking == LOCKING_PERCONA || s->t->o.locking == LOCKING_PERCONA_NO_TABLES;
}

enum err snapshot_lock(struct snapshot *s, struct error *e)
{
    struct mysql_conn *c = s->t->conn;
    int64_t seconds = MAX(s->t->o.snapshot_lock_timeout_ms / 1000, 1);
    enum err rc = mysql_conn_execf(c, e, "SET SESSION lock_wait_timeout=%lld", (long long)seconds);
    if (rc == E_OK)
        rc =
            mysql_conn_execf(c, e, "SET SESSION innodb_lock_wait_timeout=%lld", (long long)seconds);
    if (rc || s->t->o.locking == LOCKING_NONE)
        return rc;
    bool percona = is_percona(s);
    LOG_INFO(LOG_CDC_MYSQL, "Flush and obtain global read lock to prevent writes to database");
    rc = mysql_conn_exec(c, percona ? "LOCK TABLES FOR BACKUP" : "FLUSH TABLES WITH READ LOCK", e);
    if (rc == E_OK) {
        set_locked(s, true);
        return E_OK;
    }
    if (percona && rc == E_REMOTE && e->sys == 1064)
        return error_set(e, E_UNSUPPORTED,
                         "the server does not know LOCK TABLES FOR BACKUP, which "
                         "snapshot.locking.mode=minimal_percona needs: only Percona Server has it. "
                         "Use snapshot.locking.mode=minimal");
    if (!is_denied(rc, e))
        return rc;
    if (s->t->o.locking == LOCKING_PERCONA_NO_TABLES)
        return error_set(
            e, E_AUTH,
            "Cannot perform two-phase schema snapshot because global read lock was not acquired "
            "and table locks are not allowed in *_no_table_locks mode.");
    LOG_INFO(LOG_CDC_MYSQL,
             "Unable to flush and acquire global read lock, will use table read locks after "
             "reading table names");
    return lock_tables(s, e);
}

void snapshot_unlock(struct snapshot *s)
{
    if (!s->locked)
        return;
    set_locked(s, false);
    if (!s->t->conn || s->result_open)
        return;
    if (!s->tables_locked)
        LOG_INFO(LOG_CDC_MYSQL, "Releasing global read lock to enable MySQL writes");
    if (mysql_conn_exec(s->t->conn, "UNLOCK TABLES", NULL) && !mysql_conn_cancelled(s->t->conn))
        LOG_WARN(LOG_CDC_MYSQL, "cannot release the read lock; it ends with the session");
}

/* --- the steps until the first row ------------------------------------------------------------ */

enum err snapshot_open_view(const struct snapshot *s, struct mysql_conn *c, bool other,
                            struct error *e)
{
    /* FLUSH TABLES t WITH READ LOCK is held instead of a view. SPEC: cdc-mysql 3.3 */
    if (s->tables_locked && !other)
        return E_OK;
    enum err rc = mysql_conn_exec(c, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", e);
    if (rc)
        return rc;
    bool view = !s->tables_locked && s->t->o.locking != LOCKING_EXTENDED &&
                s->t->o.locking != LOCKING_AT_LEAST_ONCE;
    return mysql_conn_exec(
        c, view ? "START TRANSACTION WITH CONSISTENT SNAPSHOT" : "START TRANSACTION", e);
}

/* How many sessions read beside the task's own; 0: it reads alone. */
static size_t further_sessions(const struct snapshot *s)
{
    size_t captured = 0;
    for (size_t i = 0; i < s->count; i++)
        captured += s->tables[i].captured;
    size_t n = s->t->o.snapshot_max_threads > 1 ? (size_t)s->t->o.snapshot_max_threads : 0;
    n = MIN(n, captured);
    return s->data && n > 1 ? n : 0;
}

/* A thread that waits for the task must not lose its session for that. */
static enum err set_up_session(struct mysql_conn *c, struct error *e)
{
    enum err rc = mysql_conn_exec(c, "SET SESSION net_write_timeout=3600", e);
    return rc ? rc : mysql_conn_exec(c, "SET time_zone='+00:00'", e);
}

static enum err open_sessions(struct snapshot *s, struct error *e)
{
    size_t n = further_sessions(s);
    if (!n)
        return E_OK;
    struct mysql_conn_options o = mysql_task_conn_options(s->t);
    enum err rc = snapshot_threads_open(&s->threads, &o, n, e);
    for (size_t i = 0; i < n && rc == E_OK; i++)
        rc = set_up_session(snapshot_threads_conn(s->threads, i), e);
    return rc;
}

/* The same view for all sessions, as far as nothing is committed in between. */
static enum err open_views(struct snapshot *s, struct error *e)
{
    enum err rc = snapshot_open_view(s, s->t->conn, false, e);
    for (size_t i = 0; s->threads && i < snapshot_threads_count(s->threads) && rc == E_OK; i++)
        rc = snapshot_open_view(s, snapshot_threads_conn(s->threads, i), true, e);
    return rc;
}

static enum err close_views(struct snapshot *s, struct error *e)
{
    enum err rc = mysql_conn_exec(s->t->conn, "ROLLBACK", e);
    for (size_t i = 0; s->threads && i < snapshot_threads_count(s->threads) && rc == E_OK; i++)
        rc = mysql_conn_exec(snapshot_threads_conn(s->threads, i), "ROLLBACK", e);
    return rc;
}

/* Without a lock others commit between the view and the question for its position. MariaDB tells
 * the view's own. Else it is asked before and after until both are the same; on a server that never
 * rests the position before is taken: what was committed in between then comes twice, instead of
 * not at all. MySQL's position may be behind a transaction that is in its log and not to be seen
 * yet, which is over in a moment; GTIDs are not counted before they are seen. SPEC: cdc-mysql
 * 3.3 */
static enum err view_without_lock(struct snapshot *s, struct error *e)
{
    enum { TRIES = 10, SETTLE_MS = 100 };
    struct mysql_conn *c = s->t->conn;
    struct mysql_offset after;
    bool told = false;
    mysql_offset_init(&after);
    enum err rc = E_OK;
    for (int i = 0; i < TRIES && rc == E_OK && !told; i++) {
        rc = i ? close_views(s, e) : E_OK;
        if (rc == E_OK)
            rc = check_position(c, &s->at, e);
        if (rc == E_OK && s->at.gtids.n == 0 && task_sleep(s->t->ctx, SETTLE_MS))
            rc = E_CANCELLED;
        if (rc == E_OK)
            rc = open_views(s, e);
        if (rc == E_OK && !s->threads)
            rc = check_view_position(c, &s->at, &told, e);
        if (rc == E_OK && !told)
            rc = check_position(c, &after, e);
        told |= rc == E_OK && after.pos == s->at.pos && strcmp(after.file, s->at.file) == 0;
    }
    mysql_offset_release(&after);
    if (rc == E_OK && !told)
        LOG_INFO(LOG_CDC_MYSQL, "Changes are committed all the time: those at the beginning of the "
                                "snapshot may be told twice");
    return rc;
}

static enum err open_at_position(struct snapshot *s, struct error *e)
{
    enum err rc = open_sessions(s, e);
    if (rc)
        return rc;
    /* Percona's backup lock stops no commits of InnoDB. */
    if ((!s->locked || is_percona(s)) && !s->request)
        return view_without_lock(s, e);
    rc = open_views(s, e);
    return rc || s->request ? rc : check_position(s->t->conn, &s->at, e);
}

static enum err locked_steps(struct snapshot *s, struct error *e)
{
    LOG_INFO(LOG_CDC_MYSQL, "Snapshot step 4 - Determining snapshot offset");
    enum err rc = open_at_position(s, e);
    if (rc == E_OK) {
        LOG_INFO(LOG_CDC_MYSQL, "Snapshot step 5 - Reading structure of captured tables");
        rc = snapshot_read_structure(s, e);
    }
    return rc;
}

static enum offset_snapshot marker(const struct snapshot *s)
{
    return s->request ? OFFSET_BLOCKING : OFFSET_INITIAL;
}

static enum err begin(struct snapshot *s, struct record_batch *b, struct error *e)
{
    int64_t from = clock_mono_ms();
    LOG_INFO(LOG_CDC_MYSQL, "Snapshot step 1 - Preparing");
    note(s, "STARTED");
    if (!s->request && s->t->o.snapshot_delay_ms > 0 &&
        task_sleep(s->t->ctx, s->t->o.snapshot_delay_ms))
        return E_CANCELLED;
    LOG_INFO(LOG_CDC_MYSQL, "Snapshot step 2 - Determining captured tables");
    enum err rc = snapshot_list_tables(s, e);
    if (rc)
        return rc;
    LOG_INFO(LOG_CDC_MYSQL, "Snapshot step 3 - Locking captured tables");
    rc = snapshot_lock(s, e);
    if (rc == E_OK)
        rc = locked_steps(s, e);
    if (rc)
        return rc;
    if (!s->request)
        s->at.ts_sec = clock_wall_ms() / 1000;
    bool hold = s->tables_locked || s->t->o.locking == LOCKING_EXTENDED;
    if (s->locked && (!hold || !s->data)) {
        snapshot_unlock(s);
        LOG_INFO(LOG_CDC_MYSQL, "Writes to MySQL tables prevented for a total of %lld ms",
                 (long long)(clock_mono_ms() - from));
    }
    LOG_INFO(LOG_CDC_MYSQL, "Snapshot step 6 - Persisting schema history");
    s->at.snapshot = marker(s); /* the history's records have it too */
    rc = snapshot_report_structure(s, b, e);
    if (rc == E_OK && s->data) {
        LOG_INFO(LOG_CDC_MYSQL, "Snapshot step 7 - Snapshotting data");
        /* Only now: literals in SHOW CREATE TABLE are not to be shifted. SPEC: cdc-mysql 6.7 */
        rc = mysql_conn_exec(s->t->conn, "SET time_zone='+00:00'", e);
        if (rc == E_OK)
            rc = snapshot_order_tables(s, e);
    }
    return rc;
}

/* The offset of what is in the batch; without a marker when the snapshot is complete. */
static enum err put_offset(struct snapshot *s, struct record_batch *b, bool done)
{
    struct strbuf text = STRBUF_INIT;
    s->at.snapshot = done ? OFFSET_STREAMING : marker(s);
    strbuf_reset(&s->at.extra);
    signals_print(s->t->signals, &s->at.extra);
    mysql_offset_print(&s->at, false, &text);
    enum err rc = record_batch_offset(b, strbuf_slice(&s->t->partition), strbuf_slice(&text));
    strbuf_release(&text);
    return rc;
}

/* Nothing says that it is complete before this has succeeded. */
static enum err end_view(struct snapshot *s, struct error *e)
{
    LOG_INFO(LOG_CDC_MYSQL, "Snapshot - Final stage");
    snapshot_merge_free(s);
    enum err rc = mysql_conn_exec(s->t->conn, "COMMIT", e);
    if (rc == E_OK)
        rc = mysql_conn_exec(s->t->conn, "SET time_zone=DEFAULT", e);
    snapshot_unlock(s);
    return rc;
}

static void completed(struct snapshot *s)
{
    struct strbuf text = STRBUF_INIT;
    mysql_offset_print(&s->at, false, &text);
    LOG_INFO(LOG_CDC_MYSQL, "Snapshot completed");
    LOG_INFO(LOG_CDC_MYSQL, "Snapshot ended with SnapshotResult [status=COMPLETED, offset=%s]",
             text.p);
    strbuf_release(&text);
    note(s, "COMPLETED");
    if (s->request)
        return;
    mysql_offset_copy(&s->t->offset, &s->at);
    s->t->has_offset = true;
}

/* Nothing but structure was told: the last such event ends the snapshot. */
static void mark_last_event(struct record_batch *b)
{
    if (b->count == 0)
        return;
    struct record *last = &b->records[b->count - 1];
    if (last->value.kind == VALUE_STRUCT && last->value.u.v[0].kind == VALUE_STRUCT)
        last->value.u.v[0].u.v[SOURCE_SNAPSHOT] = value_string(SL("last"));
}

static enum err poll_rows(struct snapshot *s, struct record_batch *b, bool *done, struct error *e)
{
    enum err rc = E_OK;
    *done = false;
    b->unrepeatable = true; /* a restart reads the rows as they are then */
    if (!s->begun) {
        rc = begin(s, b, e);
        if (rc)
            return rc;
        s->begun = true;
    }
    if (s->data)
        rc = snapshot_rows(s, b, done, e);
    else
        *done = true;
    if (rc)
        return rc;
    if (*done && s->data && s->total == 0)
        mark_last_event(b);
    if (*done) {
        rc = end_view(s, e);
        if (rc)
            return rc;
        if (s->request) /* in the offset of this batch */
            snapshot_queue_ending(&s->t->signals->work.blocking, true);
    }
    rc = put_offset(s, b, *done);
    if (rc)
        return error_set(e, rc, "no memory for the snapshot's offset");
    if (*done)
        completed(s);
    return E_OK;
}

enum err snapshot_poll(struct snapshot *s, struct record_batch *b, bool *done, struct error *e)
{
    enum err rc = poll_rows(s, b, done, e);
    if (rc == E_OK && s->t->signals && notifier_flush(&s->t->signals->work.notes, b))
        rc = error_set(e, E_NOMEM, "no memory for notifications");
    if (rc == E_OK && *done && s->request)
        snapshot_queue_done(&s->t->signals->work.blocking);
    return rc;
}

/* --- notes ------------------------------------------------------------------------------------ */

static void note(struct snapshot *s, const char *type)
{
    struct note_member m[] = {{"connector_name", SLICE_NULL}};
    if (s->t->signals)
        notify(&s->t->signals->work.notes, NOTE_INITIAL, type, SLICE_NULL, m, ARRAY_LEN(m));
}

void snapshot_aborted(struct snapshot *s)
{
    LOG_INFO(LOG_CDC_MYSQL, "Snapshot aborted");
    note(s, "ABORTED");
    atomic_fetch_add_explicit(&s->t->snapshots_ended, 1, memory_order_relaxed);
}

/* Tables whose rows are read; at the end of one the signal table is listed with them. */
static struct slice list_tables(const struct snapshot *s, bool done, struct strbuf *out)
{
    for (size_t i = 0; i < s->order_count; i++) {
        const struct snap_table *t = &s->tables[s->order[i]];
        strbuf_addf(out, "%s%s.%s", out->n ? "," : "", t->db, t->name);
    }
    for (size_t i = 0; i < s->count && done && !s->request; i++) {
        const struct snap_table *t = &s->tables[i];
        if (capture_is_signal_table(&s->t->rules.filter, slice_cstr(t->db), slice_cstr(t->name)))
            strbuf_addf(out, "%s%s.%s", out->n ? "," : "", t->db, t->name);
    }
    return strbuf_slice(out);
}

void snapshot_note_table(struct snapshot *s, const struct table_read *r, bool done)
{
    struct strbuf id = STRBUF_INIT, all = STRBUF_INIT;
    char rows[24];
    if (!s->t->signals || !notifier_wants(&s->t->signals->work.notes))
        return;
    snprintf(rows, sizeof rows, "%llu", (unsigned long long)r->rows);
    strbuf_addf(&id, PRI_SL "." PRI_SL, ARG_SL(r->table->db), ARG_SL(r->table->name));
    struct note_member m[] = {
        {done ? "scanned_collection" : "current_collection_in_progress", strbuf_slice(&id)},
        {"connector_name", SLICE_NULL},
        {"total_rows_scanned", done ? slice_cstr(rows) : SLICE_NULL},
        {"status", done ? SL("SUCCEEDED") : SLICE_NULL},
        {"data_collections", list_tables(s, done, &all)},
    };
    notify(&s->t->signals->work.notes, NOTE_INITIAL, done ? "TABLE_SCAN_COMPLETED" : "IN_PROGRESS",
           SLICE_NULL, m, ARRAY_LEN(m));
    strbuf_release(&id);
    strbuf_release(&all);
}
