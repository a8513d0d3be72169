/* cdc/mysql/stream_conn.c - the connection of the stream: where it begins, what its end means.
 * After a lost connection the stream starts again at the restart point and skips what it had
 * handled, exactly as after a restart of the task. SPEC: cdc-mysql 2.6, 4.6 */
#include "cdc/mysql/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/failure.h"
#include "cdc/mysql/checks.h"

#define MAX_WAIT_MS 10000

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

enum err stream_open(struct stream *s, struct error *e)
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
    task_life_back(&s->t->life);
    LOG_INFO(LOG_CDC_MYSQL, "Connected to binlog at %s:%d, starting at %s/%llu", t->access.host,
             t->o.port, s->restart.file, (unsigned long long)s->restart.pos);
    return E_OK;
}

void stream_close(struct stream *s)
{
    mysql_dump_close(s->dump);
    s->dump = NULL;
}

enum err stream_fault(struct stream *s, enum err rc, struct error *e)
{
    stream_close(s);
    if (rc == E_CANCELLED)
        return E_AGAIN;
    task_life_away(&s->t->life);
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
