/* cdc/mysql/stream_xa.c - weir.xa.commit: rows of an XA transaction are told when it is committed,
 * and never when it is rolled back.
 *
 * A server logs a branch when it is prepared, and its XA COMMIT or XA ROLLBACK later, as a group of
 * its own, perhaps after a restart of either side. So nothing of a branch is kept but where it
 * stands:
 *
 *   XA START      its rows are passed over; a restart begins at its GTID event (MariaDB: which says
 *                 that it is one)
 *   XA PREPARE    where it begins is noted, and is part of the offset
 *   XA ROLLBACK   the note goes
 *   XA COMMIT     a second dump reads the branch again from there: its rows are told as those of
 *                 the transaction that XA COMMIT makes, at the place of that statement
 *
 * XA COMMIT ... ONE PHASE (MySQL's comes in the place of XA PREPARE) is read again at once, and so
 * is a branch for which there is no room among the notes. SPEC: cdc-mysql 4.8 */
#include "cdc/mysql/stream_xa.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/failure.h"
#include "cdc/mysql/signals.h"
#include "cdc/mysql/stream.h"

#define BRANCHES_MAX 200 /* notes; each is some hundred bytes of every offset */
#define MORE "more"      /* in an offset */
#define WAIT_MS 400
#define NOT_IN_THE_LOG 1236 /* the server's code for a position that it does not have */

struct branch {
    char *xid; /* X'6f6e65',X'',1 as servers write it */
    char file[BINLOG_NAME_MAX];
    uint64_t pos; /* of its GTID event */
};

struct replay {
    struct branch of; /* a copy */
    struct mysql_dump *dump;
    struct mysql_binlog *binlog;
    bool in_payload, in_branch; /* its first event was the right one */
    uint32_t server_id;         /* of the commit */
};

struct stream_xa {
    struct branch branches[BRANCHES_MAX];
    size_t count;
    char file[BINLOG_NAME_MAX]; /* where the group at hand begins */
    uint64_t pos;
    bool holding; /* that group is a branch */
    struct replay *replay;
    bool silent; /* a branch could not be noted: commits without a note are no surprise, also
                  * after a restart */
};

/* --- notes ------------------------------------------------------------------------------------ */

static struct branch *find(struct stream_xa *x, struct slice xid)
{
    for (size_t i = 0; i < x->count; i++)
        if (slice_eq_c(xid, x->branches[i].xid))
            return &x->branches[i];
    return NULL;
}

static void forget(struct stream_xa *x, struct slice xid)
{
    struct branch *b = find(x, xid);
    if (!b)
        return;
    mem_free(b->xid);
    x->count--;
    memmove(b, b + 1, (size_t)(&x->branches[x->count] - b) * sizeof *b);
}

/* False: there is no room. */
static bool note(struct stream_xa *x, struct slice xid, const char *file, uint64_t pos)
{
    forget(x, xid); /* read again after a restart */
    if (x->count == BRANCHES_MAX)
        return false;
    struct branch *b = &x->branches[x->count++];
    b->xid = slice_dup(xid);
    memcpy(b->file, file, strlen(file) + 1);
    b->pos = pos;
    return true;
}

/* xid@pos@file;xid@pos@file;more, the last part with `silent` only. */
void stream_xa_print(const struct stream *s, struct strbuf *out)
{
    const struct stream_xa *x = s->xa;
    strbuf_reset(out);
    for (size_t i = 0; x && i < x->count; i++)
        strbuf_addf(out, "%s%s@%llu@%s", i ? ";" : "", x->branches[i].xid,
                    (unsigned long long)x->branches[i].pos, x->branches[i].file);
    if (x && x->silent)
        strbuf_addf(out, "%s" MORE, x->count ? ";" : "");
}

static void parse(struct stream_xa *x, struct slice text)
{
    struct slice one, xid, pos;
    while (text.n && slice_split(&text, ';', &one)) {
        char file[BINLOG_NAME_MAX];
        uint64_t at;
        x->silent |= slice_eq(one, SL(MORE));
        if (!slice_split(&one, '@', &xid) || !slice_split(&one, '@', &pos) ||
            slice_to_u64(pos, &at) || !one.n || one.n >= sizeof file)
            continue;
        memcpy(file, one.p, one.n);
        file[one.n] = '\0';
        (void)note(x, xid, file, at);
    }
}

struct stream_xa *stream_xa_new(const struct mysql_task *t)
{
    if (!t->o.xa_commit)
        return NULL;
    struct stream_xa *x = xcalloc(1, sizeof *x);
    parse(x, strbuf_slice(&t->offset.xa));
    return x;
}

static void end_replay(struct stream_xa *x)
{
    struct replay *r = x->replay;
    if (!r)
        return;
    mysql_dump_close(r->dump);
    mysql_binlog_free(r->binlog);
    mem_free(r->of.xid);
    mem_free(r);
    x->replay = NULL;
}

void stream_xa_free(struct stream_xa *x)
{
    if (!x)
        return;
    end_replay(x);
    for (size_t i = 0; i < x->count; i++)
        mem_free(x->branches[i].xid);
    mem_free(x);
}

void stream_xa_rewind(struct stream *s)
{
    if (!s->xa)
        return;
    end_replay(s->xa);
    s->xa->holding = false;
}

/* --- groups in the log ------------------------------------------------------------------------ */

void stream_xa_group(struct stream *s)
{
    if (!s->xa)
        return;
    memcpy(s->xa->file, s->file, sizeof s->xa->file);
    s->xa->pos = s->event_start;
    s->xa->holding = false;
}

bool stream_xa_holds(const struct stream *s)
{
    return s->xa && s->xa->holding;
}

bool stream_xa_replays(const struct stream *s)
{
    return s->xa && s->xa->replay;
}

void stream_xa_begin(struct stream *s)
{
    s->xa->holding = true;
    memcpy(s->restart.file, s->xa->file, sizeof s->restart.file);
    s->restart.pos = s->xa->pos;
    s->restart.event = s->restart.row = 0;
}

static void xid_text(const struct mysql_xid *xid, struct strbuf *out)
{
    const struct slice parts[] = {xid->gtrid, xid->bqual};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        strbuf_adds(out, "X'");
        for (size_t k = 0; k < parts[i].n; k++)
            strbuf_addf(out, "%02x", (unsigned char)parts[i].p[k]);
        strbuf_adds(out, "',");
    }
    strbuf_addf(out, "%lu", (unsigned long)xid->format);
}

static void start_replay(struct stream *s, const struct branch *b, const struct mysql_event *ev)
{
    struct replay *r = xcalloc(1, sizeof *r);
    r->of = *b;
    r->of.xid = xstrdup(b->xid);
    r->server_id = ev->server_id;
    s->xa->replay = r;
}

enum err stream_xa_prepared(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                            struct error *e)
{
    struct stream_xa *x = s->xa;
    struct strbuf xid = STRBUF_INIT;
    enum err rc = E_OK;
    xid_text(&ev->u.xa_prepare.xid, &xid);
    bool known = x->holding; /* else a restart began here, and the note is there */
    x->holding = false;
    bool noted = !known || note(x, strbuf_slice(&xid), x->file, x->pos);
    if (!noted && !x->silent) {
        x->silent = true;
        LOG_WARN(
            LOG_CDC_MYSQL,
            "more than %d XA transactions are prepared: from now on further ones are told when "
            "they are prepared. XA RECOVER lists those that nobody has ended",
            BRANCHES_MAX);
    }
    const struct branch *branch = find(x, strbuf_slice(&xid));
    struct branch without = {.xid = xid.p, .pos = x->pos};
    memcpy(without.file, x->file, sizeof without.file);
    if (noted && !ev->u.xa_prepare.one_phase) {
        stream_unit_over(s);
    } else if (noted && !branch) {
        LOG_WARN(LOG_CDC_MYSQL, "XA COMMIT %s ONE PHASE: its rows have been told", xid.p);
        stream_unit_over(s);
    } else {
        rc = stream_begin(s, b, e);
        start_replay(s, noted ? branch : &without, ev);
    }
    strbuf_release(&xid);
    return rc;
}

/* The xid behind XA COMMIT or XA ROLLBACK; null: it is neither. */
static struct slice ended_xid(struct slice sql, bool *committed)
{
    struct slice commit = SL("XA COMMIT "), rollback = SL("XA ROLLBACK ");
    *committed = slice_starts(sql, commit);
    if (!*committed && !slice_starts(sql, rollback))
        return SLICE_NULL;
    return slice_trim(slice_sub(sql, *committed ? commit.n : rollback.n, sql.n));
}

enum err stream_xa_statement(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                             struct error *e)
{
    struct stream_xa *x = s->xa;
    struct slice sql = slice_trim(ev->u.query.sql);
    bool committed = false;
    if (slice_starts(sql, SL("XA START ")) || slice_starts(sql, SL("XA BEGIN "))) {
        stream_xa_begin(s);
        return E_OK;
    }
    struct slice xid = ended_xid(sql, &committed);
    if (slice_is_null(xid))
        return E_OK;
    const struct branch *branch = find(x, xid);
    if (committed && branch) {
        enum err rc = s->in_transaction ? E_OK : stream_begin(s, b, e);
        start_replay(s, branch, ev);
        return rc;
    }
    if (committed && !x->silent && !stream_resuming(s))
        LOG_WARN(LOG_CDC_MYSQL,
                 "XA COMMIT " PRI_SL
                 ": it was prepared before this connector read the binlog, so that its rows are "
                 "not told; a new snapshot has them",
                 ARG_SL(xid));
    forget(x, xid);
    stream_unit_over(s);
    return E_OK;
}

/* --- reading again ---------------------------------------------------------------------------- */

static enum err open_replay(struct stream *s, struct replay *r, struct error *e)
{
    struct mysql_task *t = s->t;
    struct mysql_dump_options o = {
        .conn = mysql_task_conn_options(t),
        .server_id = 0, /* as mysqlbinlog does: no replica, and nobody else's number */
        .file = slice_cstr(r->of.file),
        .pos = r->of.pos,
        .annotate = t->o.include_query,
        .gtids = SLICE_NULL,
    };
    o.conn.initial = SLICE_NULL;
    enum err rc = mysql_dump_open(&o, &r->dump, e);
    if (rc)
        return rc;
    struct mysql_binlog_options bo = {.mariadb = s->mariadb,
                                      .checksums = mysql_dump_checksums(r->dump)};
    r->binlog = mysql_binlog_new(&bo);
    return E_OK;
}

static bool is_branch(const struct replay *r, const struct mysql_xid *xid)
{
    struct strbuf text = STRBUF_INIT;
    xid_text(xid, &text);
    bool same = strcmp(text.p, r->of.xid) == 0;
    strbuf_release(&text);
    return same;
}

static enum err other_group(const struct replay *r, struct error *e)
{
    return error_set(e, E_NOT_FOUND, "something else stands at %s/%llu", r->of.file,
                     (unsigned long long)r->of.pos);
}

/* Whether the event is one of rows, or belongs to them; E_NOT_FOUND with *end: the branch is
 * over. */
static enum err judge(struct replay *r, const struct mysql_event *ev, bool *wanted, bool *end,
                      struct error *e)
{
    *wanted = *end = false;
    switch (ev->type) {
    case EV_MARIADB_GTID:
        if (r->in_branch || !ev->u.mariadb_gtid.prepared_xa ||
            !is_branch(r, &ev->u.mariadb_gtid.xid))
            return other_group(r, e);
        r->in_branch = true;
        return E_OK;
    case EV_QUERY:
    case EV_QUERY_COMPRESSED:
        if (slice_starts(ev->u.query.sql, SL("XA START "))) {
            struct slice xid = slice_trim(slice_sub(ev->u.query.sql, 9, ev->u.query.sql.n));
            if (!slice_eq_c(xid, r->of.xid))
                return other_group(r, e);
            r->in_branch = true;
        }
        return r->in_branch ? E_OK : other_group(r, e);
    case EV_XA_PREPARE:
        *end = r->in_branch && is_branch(r, &ev->u.xa_prepare.xid);
        return *end ? E_OK : other_group(r, e);
    case EV_TABLE_MAP:
    case EV_ROWS_QUERY:
    case EV_ANNOTATE_ROWS:
        *wanted = r->in_branch;
        return E_OK;
    default:
        *wanted = r->in_branch && mysql_event_is_rows(ev->type);
        return E_OK;
    }
}

/* The next event of the branch. E_AGAIN: it has not come yet; *end: there is none. */
static enum err next_event(struct replay *r, struct mysql_event *ev, bool *end, struct error *e)
{
    for (;;) {
        struct slice raw;
        bool wanted = false;
        enum err rc = r->in_payload ? mysql_binlog_inner(r->binlog, ev, e) : E_NOT_FOUND;
        if (rc == E_NOT_FOUND) {
            r->in_payload = false;
            mysql_binlog_done(r->binlog);
            rc = mysql_dump_next(r->dump, WAIT_MS, &raw, e);
            if (rc == E_OK)
                rc = mysql_binlog_decode(r->binlog, raw, ev, e);
            r->in_payload = rc == E_OK && ev->type == EV_TRANSACTION_PAYLOAD;
        }
        if (rc == E_OK)
            rc = judge(r, ev, &wanted, end, e);
        if (rc || wanted || *end)
            return rc;
    }
}

static enum err failed(struct stream *s, enum err rc, struct error *e)
{
    const struct replay *r = s->xa->replay;
    bool gone =
        (rc == E_REMOTE && e->sys == NOT_IN_THE_LOG) || rc == E_NOT_FOUND || rc == E_CORRUPT;
    if (!gone) /* it is read once more, or says itself why it can't be */
        return stream_fault(s, rc, e);
    error_wrap(e,
               "the rows of XA transaction %s, which is committed now, can't be read again where "
               "it was prepared, "
               "at %s/%llu",
               r->of.xid, r->of.file, (unsigned long long)r->of.pos);
    error_hint(
        e, "two cures: stop the connector, DELETE its /offsets and resume it, which takes a new "
           "snapshot; or restart it with weir.xa.commit=false, which leaves these rows out");
    return failure_in_stream(e, rc);
}

static enum err finish(struct stream *s, struct record_batch *b, struct error *e)
{
    struct stream_xa *x = s->xa;
    forget(x, slice_cstr(x->replay->of.xid));
    end_replay(x);
    s->last_packet_ms = clock_mono_ms(); /* the stream itself was not looked at */
    return stream_commit(s, b, e);
}

enum err stream_xa_events(struct stream *s, struct record_batch *b, size_t limit, struct error *e)
{
    struct stream_xa *x = s->xa;
    while (x && x->replay && b->count < limit && !mysql_task_batch_full(s->t, b) &&
           !signals_hold(s->t->signals)) {
        struct replay *r = x->replay;
        struct mysql_event ev;
        bool end = false;
        enum err rc = r->dump ? E_OK : open_replay(s, r, e);
        if (rc == E_OK)
            rc = next_event(r, &ev, &end, e);
        if (rc == E_AGAIN)
            return E_OK;
        if (rc)
            return failed(s, rc, e);
        if (end)
            return finish(s, b, e);
        ev.inner = 1;
        ev.timestamp = 0; /* the commit's counts */
        ev.server_id = r->server_id;
        rc = stream_event(s, &ev, b, e);
        if (!r->in_payload)
            mysql_dump_done(r->dump);
        if (rc)
            rc = stream_failed(s, rc, e);
        if (rc)
            return rc;
    }
    return E_OK;
}
