/* cdc/mysql/stream.c - life of the stream and its polls.
 *
 *   poll -> [stream_open] -> dump_next -> decode -> stream_event -> rows | statement | bookkeeping
 *                               \-> payload: its inner events first */
#include "cdc/mysql/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/failure.h"
#include "cdc/mysql/signals.h"

#define POLL_MS 400
#define PROGRESS_MS 10000 /* an offset without records, when nothing is captured */

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
    s->xa = stream_xa_new(t);
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
    stream_xa_free(s->xa);
    mem_free(s->before);
    mem_free(s->after);
    mem_free(s);
}

/* --- reading ---------------------------------------------------------------------------------- */

enum err stream_failed(struct stream *s, enum err rc, struct error *e)
{
    /* The server was asked about a table and is gone, or the task is to stop: the event comes
     * again. */
    if (!s->broken && (rc == E_CANCELLED || rc == E_IO || rc == E_TIMEOUT))
        return stream_fault(s, rc, e);
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
    while (s->in_payload && !stream_xa_replays(s) && b->count < limit &&
           !mysql_task_batch_full(s->t, b) && !signals_hold(s->t->signals)) {
        enum err rc = mysql_binlog_inner(s->binlog, &ev, e);
        if (rc == E_NOT_FOUND) {
            mysql_binlog_done(s->binlog);
            s->in_payload = false;
            return E_OK;
        }
        if (rc == E_OK)
            rc = stream_event(s, &ev, b, e);
        mysql_binlog_done(s->binlog);
        if (rc) {
            rc = stream_failed(s, rc, e);
            if (rc)
                return rc;
        }
    }
    return E_OK;
}

/* Events that come before the next one of the stream itself. */
static enum err held_events(struct stream *s, struct record_batch *b, size_t limit, struct error *e)
{
    for (;;) {
        enum err rc = stream_xa_events(s, b, limit, e);
        if (rc || stream_xa_replays(s))
            return rc;
        rc = inner_events(s, b, limit, e);
        if (rc || !stream_xa_replays(s))
            return rc;
    }
}

static enum err one_event(struct stream *s, struct slice raw, struct record_batch *b, size_t limit,
                          struct error *e)
{
    struct mysql_event ev;
    enum err rc = mysql_binlog_decode(s->binlog, raw, &ev, e);
    if (rc == E_OK)
        rc = stream_event(s, &ev, b, e);
    mysql_binlog_done(s->binlog);
    if (rc)
        rc = stream_failed(s, rc, e);
    if (rc == E_OK && (s->in_payload || stream_xa_replays(s)))
        rc = held_events(s, b, limit, e);
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
    stream_show_gtids(s, &at);
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
    enum err rc = held_events(s, b, limit, e);
    for (unsigned n = 0; rc == E_OK && !stream_xa_replays(s) && b->count < limit &&
                         !mysql_task_batch_full(s->t, b) && !signals_hold(s->t->signals);
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
                return stream_fault(s, E_IO, e);
            }
            break;
        }
        if (rc && stream_passes_torn(s, b, e)) {
            stream_close(s);
            return E_AGAIN;
        }
        if (rc)
            return stream_fault(s, rc, e);
        s->started = true;
        s->failures = 0;
        s->last_packet_ms = clock_mono_ms();
        rc = one_event(s, raw, b, limit, e);
        if (!s->in_payload && s->dump)
            mysql_dump_done(s->dump);
    }
    return rc;
}

enum err stream_poll(struct stream *s, struct record_batch *b, struct error *e)
{
    s->texts_stale = true;
    s->t->lag.events = 0; /* what an interrupted poll noted points into a batch that is gone */
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
        enum err rc = stream_open(s, e);
        if (rc)
            return stream_fault(s, rc, e);
    }
    enum err rc = read_events(s, b, e);
    if (rc == E_AGAIN && b->count == 0)
        return task_stopping(s->t->ctx) ? E_OK : rc;
    if (rc && rc != E_AGAIN)
        return rc;
    stream_show(s, b);
    return stream_put_offset(s, b);
}
