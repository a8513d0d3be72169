/* cdc/mysql/signals_position.c - windows of an incremental snapshot without a table to write to.
 *
 * A chunk may be handed out as soon as the stream has come to where the chunk was read. What the
 * stream tells from the reading on is taken out of the chunk, so no row is told in a state older than
 * the stream's. That needs two things: a position behind which nothing is in the chunk or after which
 * nothing is missing, and that the stream was not beyond it when the chunk was read, since a server
 * sends a transaction to replicas a moment before it shows it to readers.
 *
 *   MySQL with GTIDs: what is in gtid_executed is visible; the stream has to have it all.
 *   MariaDB: a consistent read view tells its exact position (binlog_snapshot_file, _position).
 *
 * SPEC: cdc-mysql 3.7 */
#include "cdc/mysql/signals.h"

#include "base/mem.h"
#include "cdc/mysql/checks.h"
#include "cdc/mysql/stream.h"

void window_position_release(struct window_position *w)
{
    mem_free(w->gtids);
    w->gtids = NULL;
}

/* --- MySQL ------------------------------------------------------------------------------------ */

/* What the stream has told, or is telling. */
static void told(const struct stream *s, bool ended_only, struct gtid_set *out)
{
    gtid_set_copy(out, &s->gtids.set);
    if (s->gtids.pending && (s->gtids.ended || !ended_only))
        gtid_set_add(out, s->gtids.uuid, s->gtids.tag, s->gtids.gno);
}

static enum err open_by_gtids(const struct stream *s, struct mysql_conn *c, struct error *e)
{
    struct strbuf sql = STRBUF_INIT, set = STRBUF_INIT;
    struct gtid_set all;
    char *visible = NULL;
    bool on = false;
    enum err rc = check_gtid_mode(c, &on, e);
    if (rc)
        return rc;
    if (!on || !s->gtids.used) {
        error_set(e, E_INVALID, "an incremental snapshot without a signal table needs GTIDs");
        error_hint(e, "set signal.data.collection to a table (id, type, data) that the user of the "
                      "connector may INSERT into, or gtid_mode=ON on the server");
        return E_INVALID;
    }
    told(s, false, &all);
    gtid_set_print(&all, &set);
    gtid_set_release(&all);
    strbuf_addf(&sql, "SELECT GTID_SUBSET('%s', @@GLOBAL.gtid_executed)", set.p);
    rc = mysql_conn_scalar(c, sql.p, 0, &visible, e);
    if (rc == E_OK && !slice_eq_c(slice_cstr(visible), "1"))
        rc = error_set(e, E_AGAIN, "the stream is ahead of what the server shows");
    mem_free(visible);
    strbuf_release(&sql);
    strbuf_release(&set);
    return rc;
}

static enum err close_by_gtids(struct window_position *w, struct mysql_conn *c, struct error *e)
{
    window_position_release(w);
    return mysql_conn_scalar(c, "SELECT @@GLOBAL.gtid_executed", 0, &w->gtids, e);
}

/* Sources that the stream has never had anything of are not waited for: what is purged or filtered
 * does not come. */
static bool has_gtids(const struct stream *s, const struct window_position *w)
{
    struct gtid_set done, high;
    gtid_set_init(&high);
    if (gtid_set_parse(&high, slice_cstr(w->gtids ? w->gtids : ""), NULL)) {
        gtid_set_release(&high);
        return true;
    }
    told(s, true, &done);
    for (size_t i = high.count; i-- > 0;)
        if (!gtid_set_has_uuid(&done, high.sources[i].uuid))
            gtid_set_remove_uuid(&high, high.sources[i].uuid);
    bool all = gtid_set_subset(&high, &done);
    gtid_set_release(&done);
    gtid_set_release(&high);
    return all;
}

/* --- MariaDB ---------------------------------------------------------------------------------- */

static int compare(const char *file_a, uint64_t a, const char *file_b, uint64_t b)
{
    uint64_t na = mysql_binlog_number(slice_cstr(file_a)),
             nb = mysql_binlog_number(slice_cstr(file_b));
    if (na != nb)
        return na < nb ? -1 : 1;
    return a < b ? -1 : a > b;
}

static enum err open_view(const struct stream *s, struct window_position *w, struct mysql_conn *c,
                          struct error *e)
{
    char *file = NULL, *pos = NULL;
    enum err rc = mysql_conn_exec(c, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", e);
    if (rc == E_OK)
        rc = mysql_conn_exec(c, "START TRANSACTION WITH CONSISTENT SNAPSHOT", e);
    if (rc == E_OK)
        rc = mysql_conn_scalar(c, "SHOW STATUS LIKE 'binlog_snapshot_file'", 1, &file, e);
    if (rc == E_OK)
        rc = mysql_conn_scalar(c, "SHOW STATUS LIKE 'binlog_snapshot_position'", 1, &pos, e);
    if (rc == E_OK && (!file || !file[0] || strlen(file) >= sizeof w->file || !pos ||
                       slice_to_u64(slice_cstr(pos), &w->pos)))
        rc = error_set(e, E_INVALID, "the server does not tell the binlog position of a read view");
    if (rc == E_OK) {
        memcpy(w->file, file, strlen(file) + 1);
        if (compare(s->file, s->event_end, w->file, w->pos) > 0)
            rc = error_set(e, E_AGAIN, "the stream is ahead of what the server shows");
    }
    mem_free(file);
    mem_free(pos);
    return rc;
}

/* --- both ------------------------------------------------------------------------------------- */

enum err window_position_mark(struct mysql_signals *g, struct mysql_conn *c, bool open,
                              struct error *e)
{
    const struct stream *s = g->t->stream;
    if (!s || !s->started) /* its own state is not known before */
        return error_set(e, E_AGAIN, "the stream has not begun");
    if (mysql_task_mariadb(g->t))
        return open ? open_view(s, &g->position, c, e) : mysql_conn_exec(c, "COMMIT", e);
    return open ? open_by_gtids(s, c, e) : close_by_gtids(&g->position, c, e);
}

bool window_position_reached(const struct mysql_signals *g)
{
    const struct stream *s = g->t->stream;
    if (s->in_transaction || s->in_payload)
        return false;
    if (mysql_task_mariadb(g->t))
        return compare(s->restart.file, s->restart.pos, g->position.file, g->position.pos) >= 0;
    return has_gtids(s, &g->position);
}
