/* cdc/mysql/stream_event.c - what one event does to the stream.
 *
 * Position rules (SPEC: cdc-mysql 4.4): outside a transaction the restart point is the end of the
 * last event; BEGIN (or MariaDB's GTID event) fixes it at its own start, and `event` counts what
 * has been handled since. */
#include "cdc/mysql/stream.h"

#include "base/log.h"
#include "cdc/mysql/ddl.h"

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

static void begin_unit(struct stream *s, const struct record_batch *b)
{
    s->in_transaction = true;
    s->has_query = false;
    s->texts_stale = true;
    restart_here(s, s->event_start);
    stream_unit_begins(s, b);
}

enum err stream_begin(struct stream *s, struct record_batch *b, struct error *e)
{
    begin_unit(s, b);
    return tell_begin(s, b, e);
}

enum err stream_commit(struct stream *s, struct record_batch *b, struct error *e)
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

void stream_unit_over(struct stream *s)
{
    s->gtids.ended = true;
    s->resuming &= s->foreign;
    s->foreign = false;
    restart_here(s, s->event_end);
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
    stream_xa_group(s);
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
    stream_xa_group(s);
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
    if (s->xa && g->prepared_xa) {
        stream_xa_begin(s);
        return E_OK;
    }
    if (g->prepared_xa) { /* see on_xa */
        begin_unit(s, b);
        return E_OK;
    }
    return g->standalone ? E_OK : stream_begin(s, b, e);
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

/* Rows that are told when they are prepared have no transaction block, and no BEGIN is told of
 * them, but MySQL's XA START is to positions what BEGIN is; MariaDB's GTID event was that already.
 * SPEC: cdc-mysql 4.8 */
static void on_xa(struct stream *s, const struct mysql_event *ev, const struct record_batch *b)
{
    if (s->in_transaction)
        return;
    if (!slice_starts(slice_trim(ev->u.query.sql), SL("XA START "))) {
        s->gtids.ended = true;
        return;
    }
    begin_unit(s, b);
}

static void on_xa_prepare(struct stream *s)
{
    if (s->mariadb || !s->in_transaction)
        return;
    s->in_transaction = false;
    stream_unit_over(s);
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
        return stream_begin(s, b, e);
    case DDL_COMMIT:
        return stream_commit(s, b, e);
    case DDL_ROLLBACK:
        LOG_WARN(LOG_CDC_MYSQL,
                 "a transaction that changed non-transactional tables was rolled back; its "
                 "events have been sent");
        s->rolled_back++;
        return stream_commit(s, b, e);
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
        if (s->xa)
            return stream_xa_statement(s, ev, b, e);
        on_xa(s, ev, b);
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
    if (!s->in_transaction && !artificial && !stream_resuming(s) && !stream_xa_holds(s)) {
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
        return stream_commit(s, b, e);
    case EV_XA_PREPARE:
        if (s->xa)
            rc = stream_xa_prepared(s, ev, b, e);
        else
            on_xa_prepare(s);
        break;
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
        if (mysql_event_is_rows(ev->type) && !stream_xa_holds(s))
            rc = stream_rows(s, ev, b, e);
        break;
    }
    if (rc == E_OK && s->in_transaction && !artificial)
        s->restart.event++;
    return rc;
}
