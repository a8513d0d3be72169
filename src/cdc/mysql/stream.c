/* cdc/mysql/stream.c - connection of the stream and its events.
 *
 * Position rules (SPEC: cdc-mysql 4.4): outside a transaction the restart point is the end of the
 * last event; BEGIN (or MariaDB's GTID event) fixes it at its own start, and `event` counts what
 * has been handled since. After a lost connection the stream starts again at the restart point and
 * skips what it had handled, exactly as after a restart of the task.
 *
 *   poll -> [open] -> dump_next -> decode -> stream_event -> rows | statement | bookkeeping
 *                        \-> payload: its inner events first */
#include "cdc/mysql/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/failure.h"
#include "cdc/mysql/checks.h"
#include "cdc/mysql/ddl.h"
#include "cdc/mysql/signals.h"

#define POLL_MS 400
#define PROGRESS_MS 10000 /* an offset without records, when nothing is captured */
#define MAX_WAIT_MS 10000

/* --- life ------------------------------------------------------------------------------------- */

struct stream *stream_new(struct mysql_task *t)
{
    struct stream *s = xcalloc(1, sizeof *s);
    const struct mysql_offset *o = &t->offset;
    s->t = t;
    s->mariadb = mysql_task_mariadb(t);
    memcpy(s->file, o->file, sizeof s->file);
    memcpy(s->restart.file, o->file, sizeof s->restart.file);
    s->restart.pos = o->pos;
    s->restart.event = o->event;
    s->restart.row = o->row;
    s->restart.ts_sec = o->ts_sec;
    s->restart.server_id = o->server_id;
    s->generation = 1;
    s->next_progress_ms = clock_mono_ms() + PROGRESS_MS;
    strbuf_init(&s->query, 0);
    strbuf_init(&s->gtid_text, 0);
    renderer_init(&s->renderer);
    mysql_changes_init(&s->changes);
    map_init(&s->notes);
    return s;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    struct strbuf at = STRBUF_INIT;
    stream_describe(s, &at);
    LOG_INFO(LOG_CDC_MYSQL, "Stopped reading binlog after %llu events, last recorded offset: %s",
             (unsigned long long)s->events, at.p);
    strbuf_release(&at);
    mysql_dump_close(s->dump);
    mysql_binlog_free(s->binlog);
    gtid_done_release(&s->gtids);
    strbuf_release(&s->query);
    strbuf_release(&s->gtid_text);
    renderer_release(&s->renderer);
    mysql_changes_release(&s->changes);
    stream_forget_notes(s);
    mem_free(s->before);
    mem_free(s->after);
    mem_free(s);
}

/* --- connection ------------------------------------------------------------------------------- */

/* Set to start behind: what is done, plus what the server has purged of sources that are new to us.
 */
static enum err start_set(struct stream *s, struct strbuf *out, struct error *e)
{
    if (s->mariadb) {
        gtid_done_print(&s->gtids, out);
        return E_OK;
    }
    struct gtid_set purged, all;
    char *text = NULL;
    gtid_set_init(&purged);
    enum err rc = mysql_conn_variable(s->t->conn, "gtid_purged", &text, e);
    if (rc == E_OK)
        rc = gtid_set_parse(&purged, slice_cstr(text ? text : ""), e);
    mem_free(text);
    if (rc == E_OK) {
        for (size_t i = purged.count; i-- > 0;)
            if (gtid_set_has_uuid(&s->gtids.set, purged.sources[i].uuid))
                gtid_set_remove_uuid(&purged, purged.sources[i].uuid);
        gtid_set_copy(&all, &s->gtids.set);
        gtid_set_union(&all, &purged);
        gtid_set_print(&all, out);
        gtid_set_release(&all);
        LOG_INFO(LOG_CDC_MYSQL, "Registering binlog reader with GTID set: '%s'", out->p);
    }
    gtid_set_release(&purged);
    return rc;
}

static enum err first_state(struct stream *s, struct error *e)
{
    bool on = false;
    if (s->started)
        return E_OK;
    enum err rc = check_gtid_mode(s->t->conn, &on, e);
    if (rc)
        return rc;
    s->by_gtid = on && s->t->offset.gtids.n > 0;
    gtid_done_release(&s->gtids);
    return gtid_done_init(&s->gtids, on, s->mariadb, strbuf_slice(&s->t->offset.gtids), e);
}

static enum err open_dump(struct stream *s, struct error *e)
{
    struct mysql_task *t = s->t;
    enum err rc = E_OK;
    if (!t->conn) {
        struct mysql_conn_options o = mysql_task_conn_options(t);
        rc = mysql_conn_open(&o, &t->conn, e);
    }
    if (rc == E_OK)
        rc = first_state(s, e);
    struct strbuf gtids = STRBUF_INIT;
    if (rc == E_OK)
        stream_rewind(s);
    bool by_gtid = s->by_gtid && !s->by_file;
    if (rc == E_OK && by_gtid)
        rc = start_set(s, &gtids, e);
    if (rc) {
        strbuf_release(&gtids);
        if (mysql_error_is_lost(e)) {
            mysql_conn_close(t->conn);
            t->conn = NULL;
        }
        return rc;
    }
    struct mysql_dump_options o = {
        .conn = mysql_task_conn_options(t),
        .server_id = (uint32_t)t->o.server_id,
        .file = slice_cstr(s->restart.file),
        .pos = s->restart.pos,
        .gtids = by_gtid ? strbuf_slice(&gtids) : SLICE_NULL,
        .heartbeat_ms = (uint32_t)(t->o.keep_alive_interval_ms * 8 / 10),
        .annotate = t->o.include_query,
        .net_write_timeout_s = t->o.net_write_timeout,
        .net_read_timeout_s = t->o.net_read_timeout,
    };
    o.conn.initial = SLICE_NULL;
    o.conn.read_timeout_ms = 0; /* idle for as long as it likes: there are heartbeats */
    rc = mysql_dump_open(&o, &s->dump, e);
    strbuf_release(&gtids);
    if (rc)
        return rc;
    struct mysql_binlog_options bo = {.mariadb = s->mariadb,
                                      .checksums = mysql_dump_checksums(s->dump)};
    mysql_binlog_free(s->binlog);
    s->binlog = mysql_binlog_new(&bo);
    if (s->resuming)
        LOG_INFO(LOG_CDC_MYSQL, "Skip %llu events on streaming start",
                 (unsigned long long)s->skip_events);
    s->last_packet_ms = clock_mono_ms();
    LOG_INFO(LOG_CDC_MYSQL, "Connected to binlog at %s:%d, starting at %s/%llu", t->access.host,
             t->o.port, s->restart.file, (unsigned long long)s->restart.pos);
    return E_OK;
}

static void close_dump(struct stream *s)
{
    mysql_dump_close(s->dump);
    s->dump = NULL;
}

/* What ends the task becomes its trace; what may pass is E_AGAIN. SPEC: cdc-mysql 2.6 */
static enum err connection_fault(struct stream *s, enum err rc, struct error *e)
{
    close_dump(s);
    if (rc == E_CANCELLED)
        return E_AGAIN;
    bool server = rc == E_REMOTE || rc == E_AUTH;
    if (server && e->sys == 1227 && s->failures == 0) {
        /* Grants are often typed right after the connector was made: look a second time. */
        s->failures = 1;
        s->next_try_ms = clock_mono_ms() + 1000;
        LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, e, "the server refuses its binlog; trying once more");
        return E_AGAIN;
    }
    if (server && e->sys != 1053 && e->sys != 1158 && e->sys != 1159 && e->sys != 1160 &&
        e->sys != 1161) {
        if (!check_same_id(e) || !neighbours_hint(&s->t->neighbour, e))
            check_dump_hint(e);
        return failure_from_server(e, rc,
                                   e->sys == 1227   ? "42000"
                                   : e->sys == 1045 ? "28000"
                                                    : "HY000");
    }
    if (rc != E_IO && rc != E_TIMEOUT && !server)
        return failure_in_stream(e, rc);
    int64_t limit = s->t->o.max_retries;
    if (limit >= 0 && s->failures >= limit)
        return failure_in_stream(e, rc);
    int64_t wait = MIN((int64_t)500 << MIN(s->failures, 6), MAX_WAIT_MS);
    s->failures++;
    atomic_fetch_add_explicit(&s->t->disconnects, 1, memory_order_relaxed);
    s->next_try_ms = clock_mono_ms() + wait;
    LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, e, "Keepalive: Trying to restore lost connection to %s:%d",
            s->t->access.host, s->t->o.port);
    return E_AGAIN;
}

/* --- positions of events ---------------------------------------------------------------------- */

/* Made for the stream, not in the file. Some servers do not flag all of them, but give them no
 * position. */
static bool is_artificial(const struct mysql_event *ev)
{
    return ev->flags & EVF_ARTIFICIAL ||
           (ev->log_pos == 0 && !ev->inner &&
            (ev->type == EV_FORMAT_DESCRIPTION || ev->type == EV_ROTATE ||
             ev->type == EV_MARIADB_GTID_LIST || ev->type == EV_BINLOG_CHECKPOINT ||
             ev->type == EV_START_ENCRYPTION));
}

/* 64-bit start and end of the event at hand. log_pos has 32 bits and wraps; MariaDB 11.8 writes 0
 * for the events inside a transaction: they follow each other. */
static void track_position(struct stream *s, const struct mysql_event *ev)
{
    if (ev->inner || is_artificial(ev) || ev->type == EV_HEARTBEAT || ev->type == EV_HEARTBEAT_V2)
        return;
    uint64_t end =
        ev->log_pos ? (s->event_end & ~0xffffffffULL) | ev->log_pos : s->event_end + ev->size;
    if (end + 0x80000000ULL < s->event_end)
        end += 0x100000000ULL;
    if (ev->type == EV_FORMAT_DESCRIPTION && end < s->event_end)
        return; /* sent again for a start in the middle of a file */
    s->event_end = end;
    s->event_start = end > ev->size ? end - ev->size : 0;
}

static void restart_here(struct stream *s, uint64_t pos)
{
    memcpy(s->restart.file, s->file, strlen(s->file) + 1);
    s->restart.pos = pos;
    s->restart.event = 0;
    s->restart.row = 0;
}

static void note_time(struct stream *s, const struct mysql_event *ev)
{
    if (ev->timestamp)
        s->last_timestamp = ev->timestamp;
    s->restart.ts_sec = s->last_timestamp;
    if (ev->server_id)
        s->restart.server_id = ev->server_id;
}

/* --- transactions ----------------------------------------------------------------------------- */

/* A new transaction or statement: what was pending is done, and the last record is no longer
 * newest. */
static void next_unit(struct stream *s)
{
    gtid_done_fold(&s->gtids);
    s->gtids.ended = false;
    s->last_valid = false;
    s->by_file = false;
    s->progressed = true;
}

/* After a change of servers, transactions of sources that are new to us may come before the one
 * that was left in its middle: that one was made by the server of the offset. */
static void note_source(struct stream *s, const struct mysql_event *ev)
{
    s->foreign = s->resuming && s->by_gtid && s->skip_server > 0 && ev->server_id != s->skip_server;
}

/* Of the transaction at hand, for its metadata. */
static int64_t unit_time_ms(const struct stream *s)
{
    return s->commit_us ? s->commit_us / 1000 : (int64_t)s->last_timestamp * 1000;
}

/* SPEC: cdc-mysql 5.12 */
static enum err tell_begin(struct stream *s, struct record_batch *b, struct error *e)
{
    struct transactions *t = s->t->em.transactions;
    struct strbuf at = STRBUF_INIT;
    struct slice id = s->gtid;
    enum err rc = E_OK;
    if (!t)
        return E_OK;
    if (!id.p) {
        strbuf_addf(&at, "file=%s,pos=%llu", s->file, (unsigned long long)s->event_start);
        id = strbuf_slice(&at);
    }
    if (stream_resuming(s) && s->skip_events)
        transactions_resume(t, id);
    else
        rc = transactions_begin(t, b, id, unit_time_ms(s), e);
    strbuf_release(&at);
    return rc;
}

static enum err begin(struct stream *s, struct record_batch *b, struct error *e)
{
    s->in_transaction = true;
    s->has_query = false;
    s->texts_stale = true;
    restart_here(s, s->event_start);
    stream_unit_begins(s, b);
    return tell_begin(s, b, e);
}

static enum err commit(struct stream *s, struct record_batch *b, struct error *e)
{
    enum err rc = E_OK;
    if (s->t->em.transactions) {
        rc = transactions_end(s->t->em.transactions, b, unit_time_ms(s), e);
        s->last_valid = false; /* the newest record belongs to the end, not to the last row */
    }
    s->in_transaction = false;
    s->gtids.ended = true;
    atomic_fetch_add_explicit(&s->t->commits, 1, memory_order_relaxed);
    s->resuming &= s->foreign;
    s->foreign = false;
    s->has_query = false;
    restart_here(s, s->event_end);
    s->commit_us = 0;
    return rc;
}

/* gtid.source.includes and excludes. SPEC: cdc-mysql 4.6 */
static void judge_source(struct stream *s, struct slice source)
{
    const struct gtid_filter *f = &s->t->gtid_filter;
    s->unwanted = f->rows && !gtid_filter_takes(f, source);
}

static void on_gtid(struct stream *s, const struct mysql_event *ev)
{
    const struct mysql_gtid_event *g = &ev->u.gtid;
    next_unit(s);
    note_source(s, ev);
    s->texts_stale = true;
    s->has_thread = false;
    s->commit_us =
        (int64_t)(g->original_commit_us ? g->original_commit_us : g->immediate_commit_us);
    if (g->anonymous) {
        s->unwanted = false;
        s->gtid = SLICE_NULL;
        return;
    }
    char uuid[GTID_UUID_TEXT];
    gtid_uuid_text(g->uuid, uuid);
    judge_source(s, slice_cstr(uuid));
    strbuf_reset(&s->gtid_text);
    strbuf_adds(&s->gtid_text, uuid);
    strbuf_adds(&s->gtid_text, g->tag[0] ? ":" : "");
    strbuf_adds(&s->gtid_text, g->tag);
    strbuf_addc(&s->gtid_text, ':');
    strbuf_add_u64(&s->gtid_text, g->gno);
    s->gtid = strbuf_slice(&s->gtid_text);
    s->gtids.pending = true;
    memcpy(s->gtids.uuid, g->uuid, sizeof s->gtids.uuid);
    memcpy(s->gtids.tag, g->tag, sizeof s->gtids.tag);
    s->gtids.gno = g->gno;
}

static enum err on_mariadb_gtid(struct stream *s, const struct mysql_event *ev,
                                struct record_batch *b, struct error *e)
{
    const struct mysql_mariadb_gtid_event *g = &ev->u.mariadb_gtid;
    next_unit(s);
    note_source(s, ev);
    s->texts_stale = true;
    s->has_thread = false;
    s->commit_us = 0;
    strbuf_reset(&s->gtid_text);
    strbuf_add_u64(&s->gtid_text, g->domain);
    strbuf_addc(&s->gtid_text, '-');
    strbuf_add_u64(&s->gtid_text, ev->server_id);
    judge_source(s, strbuf_slice(&s->gtid_text));
    strbuf_addc(&s->gtid_text, '-');
    strbuf_add_u64(&s->gtid_text, g->seq);
    /* MySQL's class does not know MariaDB's GTIDs, and tells none (recorded in mysql-class). */
    s->gtid = s->t->o.flavour == FLAVOUR_MARIADB ? strbuf_slice(&s->gtid_text) : SLICE_NULL;
    s->gtids.pending = true;
    s->gtids.mariadb_gtid = (struct mariadb_gtid){g->domain, ev->server_id, g->seq};
    return g->standalone ? E_OK : begin(s, b, e);
}

static enum err on_rotate(struct stream *s, const struct mysql_event *ev, struct error *e)
{
    const struct mysql_rotate_event *r = &ev->u.rotate;
    if (r->file.n == 0 || r->file.n >= sizeof s->file)
        return error_set(e, E_CORRUPT, "a ROTATE event names no usable file");
    bool artificial = ev->flags & EVF_ARTIFICIAL || ev->timestamp == 0;
    bool same = slice_eq_c(r->file, s->file);
    memcpy(s->file, r->file.p, r->file.n);
    s->file[r->file.n] = '\0';
    s->texts_stale = true;
    /* The first one repeats where a dump starts: it says the file, and moves nothing. */
    if (!artificial || !same) {
        s->event_start = s->event_end = r->pos;
        if (!s->in_transaction && !s->resuming) {
            if (!artificial)
                next_unit(s); /* or an idle stream would keep the old file in its offset */
            restart_here(s, r->pos);
        }
    }
    return E_OK;
}

static enum err on_query(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                         struct error *e)
{
    const struct mysql_query_event *q = &ev->u.query;
    switch (mysql_ddl_classify(q->sql, s->mariadb, NULL)) {
    case DDL_BEGIN:
        if (!s->gtids.pending && !s->in_transaction)
            next_unit(s);
        s->has_thread = true;
        s->thread_id = q->thread_id;
        return begin(s, b, e);
    case DDL_COMMIT:
        return commit(s, b, e);
    case DDL_ROLLBACK:
        LOG_WARN(LOG_CDC_MYSQL,
                 "a transaction that changed non-transactional tables was rolled back; its "
                 "events have been sent");
        return commit(s, b, e);
    case DDL_DML:
        LOG_WARN(LOG_CDC_MYSQL,
                 "Received DML for processing, binlog probably contains events generated with "
                 "statement or mixed based replication format");
        return E_OK;
    case DDL_EMPTY:
    case DDL_IGNORED:
        if (!s->in_transaction)
            s->gtids.ended = true;
        return E_OK;
    case DDL_XA:
        return E_OK;
    default:
        /* MariaDB's binlog_alter_two_phase: START is not true yet, ROLLBACK never became so. */
        if (q->alter_phase != 0 && q->alter_phase != 4)
            return E_OK;
        if (!s->in_transaction)
            s->gtids.ended = true;
        return stream_statement(s, ev, b, e);
    }
}

enum err stream_event(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                      struct error *e)
{
    enum err rc = E_OK;
    s->events++;
    track_position(s, ev);
    if (ev->type == EV_HEARTBEAT || ev->type == EV_HEARTBEAT_V2 ||
        ev->type == EV_FORMAT_DESCRIPTION)
        return E_OK;
    if (ev->type == EV_ROTATE)
        return on_rotate(s, ev, e);
    note_time(s, ev);
    bool artificial = is_artificial(ev);
    if (!s->in_transaction && !artificial && !stream_resuming(s)) {
        if (ev->type != EV_TRANSACTION_PAYLOAD && ev->type != EV_GTID &&
            ev->type != EV_ANONYMOUS_GTID && ev->type != EV_GTID_TAGGED && !ev->inner)
            restart_here(s, s->event_end);
    }
    switch (ev->type) {
    case EV_GTID:
    case EV_ANONYMOUS_GTID:
    case EV_GTID_TAGGED:
        on_gtid(s, ev);
        return E_OK;
    case EV_MARIADB_GTID:
        rc = on_mariadb_gtid(s, ev, b, e);
        break;
    case EV_QUERY:
    case EV_QUERY_COMPRESSED:
        rc = on_query(s, ev, b, e);
        break;
    case EV_XID:
        return commit(s, b, e);
    case EV_ROWS_QUERY:
    case EV_ANNOTATE_ROWS:
        strbuf_reset(&s->query);
        strbuf_add_slice(&s->query, ev->u.rows_query);
        s->has_query = true;
        s->texts_stale = true;
        break;
    case EV_TRANSACTION_PAYLOAD:
        s->in_payload = true;
        return E_OK;
    case EV_INCIDENT:
        LOG_ERROR(LOG_CDC_MYSQL, "the server reports lost events (incident %u): " PRI_SL,
                  ev->u.incident.number, ARG_SL(ev->u.incident.message));
        break;
    default:
        if (mysql_event_is_rows(ev->type))
            rc = stream_rows(s, ev, b, e);
        break;
    }
    if (rc == E_OK && s->in_transaction && !artificial)
        s->restart.event++;
    return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

enum err stream_failed(struct stream *s, enum err rc, struct error *e)
{
    /* The server was asked about a table and is gone, or the task is to stop: the event comes
     * again. */
    if (!s->broken && (rc == E_CANCELLED || rc == E_IO || rc == E_TIMEOUT))
        return connection_fault(s, rc, e);
    if (rc == E_NOMEM || s->broken || s->t->o.on_event_error == FAILURE_FAIL) {
        LOG_ERR(LOG_CDC_MYSQL, LOG_L_ERROR, e,
                "Error during binlog processing. Last offset stored = %s/%llu, binlog reader near "
                "position = "
                "%s/%llu",
                s->restart.file, (unsigned long long)s->restart.pos, s->file,
                (unsigned long long)s->event_start);
        return failure_in_event(e, rc);
    }
    if (s->t->o.on_event_error == FAILURE_WARN)
        LOG_ERR(
            LOG_CDC_MYSQL, LOG_L_WARN, e,
            "skipped an event: mysqlbinlog --start-position=%llu --stop-position=%llu --verbose %s",
            (unsigned long long)s->event_start, (unsigned long long)s->event_end, s->file);
    stream_left_out(s);
    return E_OK;
}

static enum err inner_events(struct stream *s, struct record_batch *b, size_t limit,
                             struct error *e)
{
    struct mysql_event ev;
    while (s->in_payload && b->count < limit && !mysql_task_batch_full(s->t, b) &&
           !signals_hold(s->t->signals)) {
        enum err rc = mysql_binlog_inner(s->binlog, &ev, e);
        if (rc == E_NOT_FOUND) {
            s->in_payload = false;
            return E_OK;
        }
        if (rc == E_OK)
            rc = stream_event(s, &ev, b, e);
        if (rc) {
            rc = stream_failed(s, rc, e);
            if (rc)
                return rc;
        }
    }
    return E_OK;
}

static enum err one_event(struct stream *s, struct slice raw, struct record_batch *b, size_t limit,
                          struct error *e)
{
    struct mysql_event ev;
    enum err rc = mysql_binlog_decode(s->binlog, raw, &ev, e);
    if (rc == E_OK)
        rc = stream_event(s, &ev, b, e);
    if (rc)
        rc = stream_failed(s, rc, e);
    if (rc == E_OK && s->in_payload)
        rc = inner_events(s, b, limit, e);
    return rc;
}

enum err stream_put_offset(struct stream *s, struct record_batch *b)
{
    int64_t now = clock_mono_ms();
    if (b->count == 0 && now >= s->next_progress_ms && s->last_valid && !s->in_transaction &&
        s->gtids.ended) {
        s->last_valid = false; /* idle: behind the last transaction, before its log is purged */
        s->progressed = true;
    }
    if (b->count == 0 && (!s->progressed || now < s->next_progress_ms))
        return E_OK;
    s->progressed = false;
    s->next_progress_ms = now + PROGRESS_MS;
    struct mysql_offset at;
    struct strbuf text = STRBUF_INIT;
    mysql_offset_init(&at);
    stream_offset(s, &at);
    mysql_offset_print(&at, false, &text);
    enum err rc = record_batch_offset(b, strbuf_slice(&s->t->partition), strbuf_slice(&text));
    strbuf_release(&text);
    mysql_offset_release(&at);
    if (rc == E_OK && s->t->signals)
        signal_channels_stored(&s->t->signals->work.channels);
    return rc;
}

void stream_wants_offset(struct stream *s)
{
    s->progressed = true;
    s->next_progress_ms = 0;
}

void stream_resumed(struct stream *s)
{
    s->last_packet_ms = clock_mono_ms();
    s->generation++; /* tables may have been looked at meanwhile */
}

/* Nothing for longer than the keep-alive interval: the connection is dead. Counts only once
 * something has come, because the server may search long for a GTID. SPEC: cdc-mysql 4.7 */
static bool is_silent(const struct stream *s)
{
    return s->t->o.keep_alive && s->started &&
           clock_mono_ms() - s->last_packet_ms > s->t->o.keep_alive_interval_ms;
}

static enum err read_events(struct stream *s, struct record_batch *b, struct error *e)
{
    size_t limit = mysql_task_batch_limit(s->t);
    int64_t end = clock_mono_ms() + POLL_MS;
    enum err rc = inner_events(s, b, limit, e);
    for (unsigned n = 0; rc == E_OK && b->count < limit && !mysql_task_batch_full(s->t, b) &&
                         !signals_hold(s->t->signals);
         n++) {
        struct slice raw;
        int64_t left = (n & 63) == 0 || b->count == 0 ? end - clock_mono_ms() : 1;
        if (left <= 0)
            break;
        rc = mysql_dump_next(s->dump, b->count ? 0 : (int)left, &raw, e);
        if (rc == E_AGAIN && s->in_transaction && s->unit_whole &&
            (left = end - clock_mono_ms()) > 0) /* the rest of it is on its way */
            rc = mysql_dump_next(s->dump, (int)left, &raw, e);
        if (rc == E_AGAIN) {
            rc = E_OK;
            if (is_silent(s)) {
                error_set(e, E_IO, "no event or heartbeat for %lld ms",
                          (long long)s->t->o.keep_alive_interval_ms);
                return connection_fault(s, E_IO, e);
            }
            break;
        }
        if (rc && stream_passes_torn(s, b, e)) {
            close_dump(s);
            return E_AGAIN;
        }
        if (rc)
            return connection_fault(s, rc, e);
        s->started = true;
        s->failures = 0;
        s->last_packet_ms = clock_mono_ms();
        rc = one_event(s, raw, b, limit, e);
        if (!s->in_payload && s->dump)
            mysql_dump_done(s->dump);
    }
    return rc;
}

/* For metrics: how far this is. */
static void publish(struct stream *s)
{
    struct mysql_task *t = s->t;
    if (s->events != atomic_load_explicit(&t->events_seen, memory_order_relaxed))
        atomic_store_explicit(&t->event_ms, clock_wall_ms(), memory_order_relaxed);
    atomic_store_explicit(&t->events_seen, s->events, memory_order_relaxed);
    atomic_store_explicit(&t->binlog_pos, s->event_end, memory_order_relaxed);
    atomic_store_explicit(&t->by_gtid, s->by_gtid, memory_order_relaxed);
}

enum err stream_poll(struct stream *s, struct record_batch *b, struct error *e)
{
    s->texts_stale = true;
    s->t->env.arena = &b->arena;
    transactions_batch(&s->t->transactions);
    s->unit_records = s->unit_text = 0;
    s->unit_whole = false; /* of a transaction that began in an earlier batch */
    if (!s->dump) {
        int64_t wait = s->next_try_ms - clock_mono_ms();
        if (wait > 0) {
            task_sleep(s->t->ctx, MIN(wait, POLL_MS));
            return E_OK;
        }
        enum err rc = open_dump(s, e);
        if (rc)
            return connection_fault(s, rc, e);
    }
    enum err rc = read_events(s, b, e);
    if (rc == E_AGAIN && b->count == 0)
        return task_stopping(s->t->ctx) ? E_OK : rc;
    if (rc && rc != E_AGAIN)
        return rc;
    publish(s);
    return stream_put_offset(s, b);
}
