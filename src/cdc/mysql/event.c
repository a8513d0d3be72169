/* cdc/mysql/event.c - event header, checksum, and the decoders of the small events.
 *
 * The table of MYSQL_EVENTS chooses the decoder; types that are not in it pass with their header
 * only. State changes: FORMAT_DESCRIPTION sets the checksum rule; ROTATE, STOP and
 * FORMAT_DESCRIPTION forget the table maps. SPEC: cdc-mysql 4.1, 4.2. */
#include "cdc/mysql/event.h"

#include "base/hash.h"
#include "base/mem.h"
#include "cdc/mysql/event_int.h"

#define MAX_EVENT_DEFAULT (((size_t)1 << 30) + 65536)
#define DUMMY_TABLE_ID 0xFFFFFF

const char *mysql_event_name(uint8_t type)
{
    switch (type) {
#define X(sym, code, decoder)                                                                      \
    case code:                                                                                     \
        return &#sym[3];
        MYSQL_EVENTS(X)
#undef X
    default:
        return "UNKNOWN";
    }
}

enum err event_bad(const struct mysql_event *ev, const char *what, struct error *e)
{
    return error_set(e, E_CORRUPT, "%s event (type %u, %u bytes, ending at %u): %s",
                     mysql_event_name(ev->type), ev->type, ev->size, ev->log_pos, what);
}

uint64_t event_packed(struct reader *r)
{
    uint8_t first = read_u8(r);

    if (first < 251)
        return first;
    if (first == 252)
        return read_le16(r);
    if (first == 253)
        return read_le_n(r, 3);
    if (first == 254)
        return read_le64(r);
    reader_fail(r, E_CORRUPT);
    return 0;
}

/* --- small events --------------------------------------------------------------------------- */

/* Status variables of QUERY: those that are read; false: an unknown one, whose length nobody knows.
 */
static bool status_var(struct mysql_query_event *q, struct reader *r)
{
    switch (read_u8(r)) {
    case 0:
        q->flags2 = read_le32(r);
        return true;
    case 1:
        q->sql_mode = read_le64(r);
        q->has_sql_mode = true;
        return true;
    case 2: /* catalog with a NUL */
        (void)reader_take(r, (size_t)read_u8(r) + 1);
        return true;
    case 4:
        q->charset_client = read_le16(r);
        q->collation_connection = read_le16(r);
        q->collation_server = read_le16(r);
        q->has_charset = true;
        q->client = mysql_charset_of_collation_id(q->charset_client);
        return true;
    case 5: /* time zone */
    case 6: /* catalog */
        (void)reader_take(r, read_u8(r));
        return true;
    case 7:
    case 18:
        (void)read_le16(r);
        return true;
    case 8:
        q->charset_database = read_le16(r);
        return true;
    case 3:
    case 10:
        (void)read_le32(r);
        return true;
    case 9:
    case 17:
    case 129: /* MariaDB: xid */
        (void)read_le64(r);
        return true;
    case 11: /* invoker: user, host */
        (void)reader_take(r, read_u8(r));
        (void)reader_take(r, read_u8(r));
        return true;
    case 13:
    case 128: /* MariaDB: fraction of the second */
        q->microseconds = (uint32_t)read_le_n(r, 3);
        return true;
    case 16:
    case 19:
    case 20:
        (void)read_u8(r);
        return true;
    case 130: /* MariaDB: binlog_alter_two_phase; COMMIT and ROLLBACK name the start */
        q->alter_phase = read_u8(r);
        if (q->alter_phase & (4 | 8))
            (void)read_le64(r);
        return true;
    case 131: /* MariaDB: default collations of charsets */
        (void)reader_take(r, (size_t)read_u8(r) * 4);
        return true;
    case 12: { /* databases of the statement */
        unsigned n = read_u8(r);
        for (unsigned i = 0; n != 254 && i < n && r->err == E_OK; i++)
            while (read_u8(r) != 0 && r->err == E_OK)
                continue;
        return true;
    }
    default:
        return false;
    }
}

static enum err decode_query(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);
    struct mysql_query_event *q = &ev->u.query;

    q->thread_id = read_le32(&r);
    q->exec_time = read_le32(&r);
    size_t db_len = read_u8(&r);
    q->error_code = read_le16(&r);
    size_t vars_len = read_le16(&r);
    struct slice vars = read_slice(&r, vars_len);
    q->db = read_slice(&r, db_len);
    (void)read_u8(&r); /* NUL behind the name */
    if (r.err)
        return event_bad(ev, "it ends before its statement", e);
    q->sql = slice_of(r.at, reader_left(&r));
    struct reader v = reader_of(vars.p, vars.n);
    while (reader_left(&v) > 0 && v.err == E_OK)
        if (!status_var(q, &v))
            break;
    if (v.err)
        return event_bad(ev, "its status variables are cut off", e);
    if (ev->type != EV_QUERY_COMPRESSED)
        return E_OK;
    enum err err = event_decompress(b, q->sql, e);
    if (err)
        return error_wrap(e, "QUERY_COMPRESSED event ending at %u", ev->log_pos);
    q->sql = strbuf_slice(&b->plain);
    return E_OK;
}

static enum err decode_rotate(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);

    ev->u.rotate.pos = read_le64(&r);
    ev->u.rotate.file = slice_of(r.at, reader_left(&r));
    if (r.err || ev->u.rotate.file.n == 0 || ev->u.rotate.file.n > 512)
        return event_bad(ev, "it does not name a file", e);
    if (!(ev->flags & EVF_ARTIFICIAL))
        event_forget_maps(b);
    return E_OK;
}

static enum err decode_stop(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    (void)ev, (void)e;
    event_forget_maps(b);
    return E_OK;
}

/* "5.5.62-log" and the like are older than checksums; MariaDB says so from 5.3 on. */
static bool knows_checksums(struct slice version)
{
    unsigned v[3] = {0, 0, 0}, at = 0;

    if (slice_find(version, SL("MariaDB")) >= 0)
        return true;
    for (size_t i = 0; i < version.n && at < 3; i++) {
        char c = version.p[i];
        if (c >= '0' && c <= '9')
            v[at] = v[at] < 1000 ? v[at] * 10 + (unsigned)(c - '0') : v[at];
        else if (c == '.')
            at++;
        else
            break;
    }
    return v[0] > 5 || (v[0] == 5 && (v[1] > 6 || (v[1] == 6 && v[2] >= 1)));
}

/* The body still has algorithm and checksum at its end: this event decides about them. */
static enum err decode_format(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);
    struct mysql_format_event *f = &ev->u.format;

    f->version = read_le16(&r);
    struct slice name = read_slice(&r, 50);
    (void)read_le32(&r);
    unsigned header = read_u8(&r);
    if (r.err || f->version != 4 || header != EVENT_HEADER_SIZE)
        return event_bad(ev, "only binlog format 4 is understood", e);
    f->server = slice_sub(name, 0, strnlen(name.p, name.n));
    size_t lens = reader_left(&r);
    if (knows_checksums(f->server)) {
        if (lens < 5)
            return event_bad(ev, "it ends before its checksum algorithm", e);
        lens -= 5;
        uint8_t algorithm = r.at[lens];
        if (algorithm > 1 && algorithm != 255)
            return event_bad(ev, "its checksum algorithm is not known", e);
        f->checksums = algorithm == 1;
        ev->body.n -= 4; /* as for all others, without the checksum */
    }
    memset(b->post_len, 0, sizeof b->post_len);
    for (size_t i = 0; i < lens && i + 1 < sizeof b->post_len; i++)
        b->post_len[i + 1] = r.at[i];
    b->checksums = f->checksums;
    event_forget_maps(b);
    return E_OK;
}

static enum err decode_xid(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);

    (void)b;
    ev->u.xid = read_le64(&r);
    return r.err ? event_bad(ev, "it ends before its number", e) : E_OK;
}

static enum err decode_incident(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);

    (void)b;
    ev->u.incident.number = read_le16(&r);
    ev->u.incident.message = reader_left(&r) ? read_slice(&r, read_u8(&r)) : SL("");
    return r.err ? event_bad(ev, "it ends before its message", e) : E_OK;
}

static enum err decode_heartbeat(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct mysql_heartbeat_event *h = &ev->u.heartbeat;
    struct reader r = reader_of(ev->body.p, ev->body.n);

    (void)b;
    h->pos = ev->log_pos;
    h->file = ev->body;
    if (ev->type == EV_HEARTBEAT)
        return E_OK;
    h->file = SL("");
    while (reader_left(&r) > 0 && r.err == E_OK) {
        uint64_t type = event_packed(&r);
        if (type == 0)
            break;
        struct slice value = read_slice(&r, event_packed(&r));
        struct reader v = reader_of(value.p, value.n);
        if (type == 1)
            h->file = value;
        else if (type == 2)
            h->pos = event_packed(&v);
    }
    return r.err ? event_bad(ev, "a field of it is cut off", e) : E_OK;
}

static enum err decode_rows_query(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    (void)b;
    if (ev->body.n == 0)
        return event_bad(ev, "it has no text", e);
    ev->u.rows_query =
        slice_sub(ev->body, 1, ev->body.n); /* the length byte is too small for its text */
    return E_OK;
}

static enum err decode_annotate(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    (void)b, (void)e;
    ev->u.rows_query = ev->body;
    return E_OK;
}

static uint64_t commit_time(struct reader *r, bool *more)
{
    uint64_t v = read_le_n(r, 7);

    *more = v >> 55 & 1;
    return v & ((UINT64_C(1) << 55) - 1);
}

static enum err decode_gtid(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);
    struct mysql_gtid_event *g = &ev->u.gtid;
    bool more = false;

    (void)b;
    g->anonymous = ev->type == EV_ANONYMOUS_GTID;
    g->flags = read_u8(&r);
    const uint8_t *uuid = reader_take(&r, 16);
    g->gno = read_le64(&r);
    if (r.err)
        return event_bad(ev, "it ends before its transaction number", e);
    memcpy(g->uuid, uuid, 16);
    if (reader_left(&r) < 17 || read_u8(&r) != 2)
        return E_OK;
    g->last_committed = (int64_t)read_le64(&r);
    g->sequence = (int64_t)read_le64(&r);
    if (reader_left(&r) < 7)
        return E_OK;
    g->immediate_commit_us = g->original_commit_us = commit_time(&r, &more);
    if (more)
        g->original_commit_us = commit_time(&r, &more);
    if (reader_left(&r) > 0)
        g->transaction_length = event_packed(&r);
    return r.err ? event_bad(ev, "it ends within its times", e) : E_OK;
}

static enum err decode_mariadb_gtid(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);
    struct mysql_mariadb_gtid_event *g = &ev->u.mariadb_gtid;

    (void)b;
    g->seq = read_le64(&r);
    g->domain = read_le32(&r);
    g->flags = read_u8(&r);
    g->server = ev->server_id;
    g->standalone = g->flags & 1;
    g->transactional = g->flags & 4;
    g->ddl = g->flags & 32;
    g->prepared_xa = g->flags & 64;
    g->completed_xa = g->flags & 128;
    if (g->flags & 2)
        g->commit_id = read_le64(&r);
    if (g->prepared_xa || g->completed_xa) {
        g->xid.format = read_le32(&r);
        size_t gtrid = read_u8(&r), bqual = read_u8(&r);
        g->xid.gtrid = read_slice(&r, gtrid);
        g->xid.bqual = read_slice(&r, bqual);
    }
    return r.err ? event_bad(ev, "it ends before its flags", e) : E_OK;
}

static enum err decode_xa_prepare(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);

    (void)b;
    struct mysql_xid *xid = &ev->u.xa_prepare.xid;
    ev->u.xa_prepare.one_phase = read_u8(&r) != 0;
    xid->format = read_le32(&r);
    uint32_t gtrid = read_le32(&r), bqual = read_le32(&r);
    xid->gtrid = read_slice(&r, gtrid);
    xid->bqual = read_slice(&r, bqual);
    return r.err ? event_bad(ev, "it ends within its xid", e) : E_OK;
}

/* --- rows ----------------------------------------------------------------------------------- */

struct rows_kind {
    uint8_t op;
    bool v2, compressed, partial;
};

static struct rows_kind rows_kind(uint8_t type)
{
    struct rows_kind k = {ROWS_UPDATE, true, false, false};

    if (type == EV_PARTIAL_UPDATE_ROWS) {
        k.partial = true;
        return k;
    }
    uint8_t first = type <= EV_DELETE_ROWS_V1              ? EV_WRITE_ROWS_V1
                    : type <= EV_DELETE_ROWS               ? EV_WRITE_ROWS
                    : type <= EV_DELETE_ROWS_COMPRESSED_V1 ? EV_WRITE_ROWS_COMPRESSED_V1
                                                           : EV_WRITE_ROWS_COMPRESSED;
    k.op = (uint8_t)(type - first);
    k.v2 = first == EV_WRITE_ROWS || first == EV_WRITE_ROWS_COMPRESSED;
    k.compressed = first >= EV_WRITE_ROWS_COMPRESSED_V1;
    return k;
}

static enum err decode_rows(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    struct reader r = reader_of(ev->body.p, ev->body.n);
    struct mysql_rows_event *w = &ev->u.rows;
    struct rows_kind k = rows_kind(ev->type);

    w->op = (enum mysql_rows_op)k.op;
    w->partial = k.partial;
    w->table_id = b->post_len[ev->type] == 6 ? read_le32(&r) : read_le_n(&r, 6);
    w->statement_end = read_le16(&r) & 1;
    if (k.v2) {
        uint16_t extra = read_le16(&r);
        (void)reader_take(&r, extra >= 2 ? extra - 2u : SIZE_MAX);
    }
    uint64_t columns = event_packed(&r);
    if (r.err || columns > 4096 + 2)
        return event_bad(ev, "its header is cut off", e);
    w->column_count = (uint32_t)columns;
    size_t bitmap = (size_t)(columns + 7) / 8;
    w->present_before = reader_take(&r, bitmap);
    w->present_after = w->op == ROWS_UPDATE ? reader_take(&r, bitmap) : w->present_before;
    if (r.err)
        return event_bad(ev, "its column bitmap is cut off", e);
    w->rows = slice_of(r.at, reader_left(&r));
    w->map = map_get_u64(&b->maps, w->table_id);
    w->dummy = !w->map && w->table_id == DUMMY_TABLE_ID;
    if (!k.compressed || w->dummy)
        return E_OK;
    enum err err = event_decompress(b, w->rows, e);
    if (err)
        return error_wrap(e, "%s event ending at %u", mysql_event_name(ev->type), ev->log_pos);
    w->rows = strbuf_slice(&b->plain);
    return E_OK;
}

/* --- the decoder ---------------------------------------------------------------------------- */

static const event_decoder_fn decoders[256] = {
#define decode_none NULL
#define decode_table_map event_decode_table_map
#define decode_gtid_tagged event_decode_gtid_tagged
#define decode_payload event_open_payload
#define X(sym, code, decoder) [code] = decode_##decoder,
    MYSQL_EVENTS(X)
#undef X
};

enum err event_decode_body(struct mysql_binlog *b, struct mysql_event *ev, struct error *e)
{
    event_decoder_fn fn = decoders[ev->type];

    memset(&ev->u, 0, sizeof ev->u);
    return fn ? fn(b, ev, e) : E_OK;
}

struct mysql_binlog *mysql_binlog_new(const struct mysql_binlog_options *o)
{
    struct mysql_binlog *b = xcalloc(1, sizeof *b);

    b->options = *o;
    b->max_bytes = o->max_event_bytes ? o->max_event_bytes : MAX_EVENT_DEFAULT;
    map_init(&b->maps);
    strbuf_init(&b->plain, b->max_bytes);
    b->checksums = o->checksums;
    return b;
}

void mysql_binlog_free(struct mysql_binlog *b)
{
    if (!b)
        return;
    event_forget_maps(b);
    map_release(&b->maps, NULL);
    event_free_payload(b);
    strbuf_release(&b->plain);
    mem_free(b);
}

void mysql_binlog_done(struct mysql_binlog *b)
{
    if (b->plain.cap > EVENT_BYTES_KEPT)
        strbuf_release(&b->plain);
    event_trim_payload(b);
}

void mysql_binlog_restart(struct mysql_binlog *b, bool checksums)
{
    event_forget_maps(b);
    event_free_payload(b);
    memset(b->post_len, 0, sizeof b->post_len);
    b->checksums = b->options.checksums = checksums;
}

enum err mysql_event_header(struct slice raw, struct mysql_event *out, struct error *e)
{
    struct reader r = reader_of(raw.p, raw.n);

    out->timestamp = read_le32(&r);
    out->type = read_u8(&r);
    out->server_id = read_le32(&r);
    out->size = read_le32(&r);
    out->log_pos = read_le32(&r);
    out->flags = read_le16(&r);
    out->inner = 0;
    if (r.err)
        return error_set(e, E_TRUNCATED, "event of %zu bytes is shorter than an event header",
                         raw.n);
    if (out->size != raw.n)
        return event_bad(out, "its size does not match what was received", e);
    out->body = slice_of(r.at, reader_left(&r));
    return E_OK;
}

enum err mysql_binlog_decode(struct mysql_binlog *b, struct slice raw, struct mysql_event *out,
                             struct error *e)
{
    enum err err = mysql_event_header(raw, out, e);

    if (err)
        return err;
    if (out->type != EV_FORMAT_DESCRIPTION && b->checksums) {
        if (out->body.n < 4)
            return event_bad(out, "it ends before its checksum", e);
        out->body.n -= 4;
        if (b->options.verify_checksums) {
            uint32_t want = load_le32(raw.p + raw.n - 4), have = crc32_ieee(0, raw.p, raw.n - 4);
            if (want != have)
                return event_bad(out, "its checksum is wrong", e);
        }
    }
    return event_decode_body(b, out, e);
}

struct mysql_table_map *mysql_binlog_map(struct mysql_binlog *b, uint64_t table_id)
{
    return map_get_u64(&b->maps, table_id);
}
