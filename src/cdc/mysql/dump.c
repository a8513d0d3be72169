/* cdc/mysql/dump.c - the replication stream.
 *
 * Set-up runs as ordinary statements through the library; then the socket is ours. Without TLS
 * packets are framed here out of one large buffer: `at`..`end` is what has arrived, an event is
 * handed out in place. A packet of exactly 16 MiB - 1 goes on in the next: such an event, and every
 * other large one, is received into `joined`, so that its bytes exist once. With TLS whole packets
 * come from dump_tls.c. An eventfd wakes the wait for the TLS reader. SPEC: cdc-mysql 2.4. */
#include "cdc/mysql/dump.h"

#include <errno.h>
#include <mysql.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cdc/mysql/dump_int.h"
#include "cdc/mysql/gtid.h"

#define BUFFER_START ((size_t)256 << 10)
#define PACKET_FULL 0xFFFFFFu
#define PACKET_LARGE ((size_t)1 << 20) /* from here on into `joined` */
#define MAX_EVENT_DEFAULT (((size_t)1 << 30) + 65536)
#define PACKETS_KEPT ((size_t)8 << 20)
#define HEARTBEAT_MS 48000
#define COMMAND_BINLOG_DUMP_GTID 0x1e /* MySQL's; the library's header lacks it */
#define EVENT_HEADER 19
#define WAIT_SLICE_MS 200 /* between looks at the stop flag */

struct mysql_dump {
    struct mysql_dump_options options; /* texts are owned */
    char *file, *gtids;                /* behind the slices */
    struct mysql_conn *conn;
    int fd, wake_fd;
    bool checksums;
    uint8_t *buf; /* plain: [at, end) of it has arrived */
    size_t cap, at, end;
    size_t large, full;   /* sizes of packets: PACKET_LARGE, PACKET_FULL, but for tests */
    struct strbuf joined; /* a large event */
    size_t rest;          /* bytes of its packet that are still to come */
    bool joining, more;   /* a packet is being joined; another one follows it */
    bool joined_done;     /* it has been handed out */
    struct dump_tls *tls;
    struct strbuf packets; /* TLS: packets in hand, from tls_at on */
    size_t tls_at;
    uint64_t bytes;
    uint64_t skip_until, file_pos; /* start above 4 GiB: events that begin before it are left out */
};

static char *own(struct slice *s)
{
    char *p = s->p ? slice_dup(*s) : NULL;

    s->p = p;
    return p;
}

struct mysql_dump *mysql_dump_new(const struct mysql_dump_options *o)
{
    struct mysql_dump *d = xcalloc(1, sizeof *d);

    d->options = *o;
    d->file = own(&d->options.file);
    d->gtids = own(&d->options.gtids);
    d->conn = mysql_conn_new(&o->conn);
    memset(&d->options.conn, 0, sizeof d->options.conn); /* the session has its own copy */
    if (!d->options.max_event_bytes)
        d->options.max_event_bytes = MAX_EVENT_DEFAULT;
    d->fd = -1;
    d->large = PACKET_LARGE;
    d->full = PACKET_FULL;
    d->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    strbuf_init(&d->joined, d->options.max_event_bytes + 1);
    strbuf_init(&d->packets, SIZE_MAX / 2);
    return d;
}

void mysql_dump_close(struct mysql_dump *d)
{
    if (!d)
        return;
    if (d->tls)
        mysql_conn_cancel(d->conn);
    dump_tls_stop(d->tls);
    mysql_conn_cancel(d->conn); /* the server is still sending: nothing to say goodbye to */
    mysql_conn_close(d->conn);
    if (d->wake_fd >= 0)
        close(d->wake_fd);
    mem_free(d->buf);
    strbuf_release(&d->joined);
    strbuf_release(&d->packets);
    mem_free(d->file);
    mem_free(d->gtids);
    mem_free(d);
}

bool mysql_dump_checksums(const struct mysql_dump *d)
{
    return d->checksums;
}
const struct mysql_server *mysql_dump_server(const struct mysql_dump *d)
{
    return mysql_conn_server(d->conn);
}
uint64_t mysql_dump_bytes(const struct mysql_dump *d)
{
    return d->bytes;
}

/* --- set-up --------------------------------------------------------------------------------- */

static enum err negotiate_checksum(struct mysql_dump *d, struct error *e)
{
    char *value;
    enum err err = mysql_conn_variable(d->conn, "binlog_checksum", &value, e);

    if (err)
        return err;
    if (*value) {
        d->checksums = !slice_ieq(slice_cstr(value), SL("NONE"));
        err = mysql_conn_exec(d->conn,
                              "SET @master_binlog_checksum = @@global.binlog_checksum, "
                              "@source_binlog_checksum = @@global.binlog_checksum",
                              e);
    }
    mem_free(value);
    return err;
}

static enum err mariadb_settings(struct mysql_dump *d, struct error *e)
{
    enum err err = mysql_conn_exec(d->conn, "SET @mariadb_slave_capability = 4", e);

    if (err || slice_is_null(d->options.gtids))
        return err;
    struct strbuf sql;
    strbuf_init(&sql, 0);
    strbuf_adds(&sql, "SET @slave_connect_state = ");
    mysql_quote_text(&sql, d->options.gtids);
    err = strbuf_err(&sql) ? error_set(e, E_TOO_LARGE, "GTID list is too long")
                           : mysql_conn_exec(d->conn, sql.p, e);
    strbuf_release(&sql);
    if (!err)
        err = mysql_conn_exec(d->conn, "SET @slave_gtid_strict_mode = 0", e);
    if (!err)
        err = mysql_conn_exec(d->conn, "SET @slave_gtid_ignore_duplicates = 0", e);
    return err;
}

static enum err settings(struct mysql_dump *d, struct error *e)
{
    unsigned long long ns =
        (d->options.heartbeat_ms ? d->options.heartbeat_ms : HEARTBEAT_MS) * 1000000ull;
    enum err err = negotiate_checksum(d, e);

    if (!err)
        err = mysql_conn_execf(
            d->conn, e, "SET @master_heartbeat_period = %llu, @source_heartbeat_period = %llu", ns,
            ns);
    if (!err && d->options.net_write_timeout_s > 0)
        err = mysql_conn_execf(d->conn, e, "SET SESSION net_write_timeout = %lld",
                               (long long)d->options.net_write_timeout_s);
    if (!err && d->options.net_read_timeout_s > 0)
        err = mysql_conn_execf(d->conn, e, "SET SESSION net_read_timeout = %lld",
                               (long long)d->options.net_read_timeout_s);
    if (!err && mysql_conn_server(d->conn)->mariadb)
        err = mariadb_settings(d, e);
    return err;
}

static void add_le32(struct strbuf *b, uint32_t v)
{
    char bytes[4];

    store_le32(bytes, v);
    strbuf_add(b, bytes, 4);
}
static void add_le16(struct strbuf *b, uint16_t v)
{
    char bytes[2];

    store_le16(bytes, v);
    strbuf_add(b, bytes, 2);
}

/* The library writes the command, over TLS or not; skip_check: no answer is awaited. */
static enum err command(struct mysql_dump *d, int code, const struct strbuf *arg, bool answer,
                        struct error *e)
{
    MYSQL *mysql = mysql_conn_handle(d->conn);

    if (strbuf_err(arg))
        return error_set(e, E_TOO_LARGE, "replication command is too long");
    if (mysql->methods->db_command(mysql, (enum enum_server_command)code, arg->p, arg->n, !answer,
                                   NULL) != 0)
        return mysql_conn_error(d->conn, e);
    return E_OK;
}

static enum err register_replica(struct mysql_dump *d, struct error *e)
{
    struct strbuf b;

    strbuf_init(&b, 1024);
    add_le32(&b, d->options.server_id);
    strbuf_add(&b, "\4weir\0\0", 7); /* host, user, password */
    add_le16(&b, 0);                 /* port */
    add_le32(&b, 0);                 /* rank */
    add_le32(&b, 0);                 /* source id */
    enum err err = command(d, COM_REGISTER_SLAVE, &b, true, e);
    strbuf_release(&b);
    return err;
}

static enum err dump_by_position(struct mysql_dump *d, struct error *e)
{
    bool mariadb = mysql_conn_server(d->conn)->mariadb;
    bool gtid = mariadb && !slice_is_null(d->options.gtids);
    uint64_t pos = MAX(d->options.pos, 4u);
    struct strbuf b;

    if (gtid)
        pos = 4;
    if (pos > UINT32_MAX) {
        d->skip_until = pos;
        d->file_pos = pos = 4;
    }
    strbuf_init(&b, 0);
    add_le32(&b, (uint32_t)pos);
    add_le16(&b, mariadb && d->options.annotate ? 2 : 0);
    add_le32(&b, d->options.server_id);
    if (!gtid)
        strbuf_add_slice(&b, d->options.file);
    enum err err = command(d, COM_BINLOG_DUMP, &b, false, e);
    strbuf_release(&b);
    return err;
}

static bool has_tags(const struct gtid_set *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->sources[i].tag[0])
            return true;
    return false;
}

static enum err dump_by_gtids(struct mysql_dump *d, struct error *e)
{
    struct gtid_set set = GTID_SET_INIT;
    struct strbuf b, data;
    enum err err = gtid_set_parse(&set, d->options.gtids, e);

    if (err)
        return err;
    strbuf_init(&b, 0);
    strbuf_init(&data, 0);
    gtid_set_encode(&set, has_tags(&set), &data);
    add_le16(&b, 4); /* BINLOG_THROUGH_GTID */
    add_le32(&b, d->options.server_id);
    add_le32(&b, 0); /* no file name */
    add_le32(&b, 4); /* position, 64 bits */
    add_le32(&b, 0);
    add_le32(&b, (uint32_t)data.n);
    strbuf_add_slice(&b, strbuf_slice(&data));
    err = command(d, COMMAND_BINLOG_DUMP_GTID, &b, false, e);
    strbuf_release(&b);
    strbuf_release(&data);
    gtid_set_release(&set);
    return err;
}

enum err mysql_dump_start(struct mysql_dump *d, struct error *e)
{
    if (d->wake_fd < 0)
        return error_sys(e, EMFILE, "opening an eventfd");
    enum err err = mysql_conn_connect(d->conn, e);
    if (!err)
        err = settings(d, e);
    if (!err && d->options.register_replica)
        err = register_replica(d, e);
    if (!err)
        err = mysql_conn_server(d->conn)->mariadb || slice_is_null(d->options.gtids)
                  ? dump_by_position(d, e)
                  : dump_by_gtids(d, e);
    if (err)
        return err;
    mysql_conn_dumps(d->conn);
    d->fd = (int)mysql_get_socket(mysql_conn_handle(d->conn));
    if (mysql_conn_server(d->conn)->tls)
        return dump_tls_start(d->conn, d->wake_fd, &d->tls, e);
    d->cap = BUFFER_START;
    d->buf = xmalloc(d->cap);
    return E_OK;
}

struct mysql_dump *dump_on_socket(int fd, size_t large, size_t full, size_t max_event_bytes)
{
    struct mysql_dump_options o = {.conn = {.host = "127.0.0.1", .user = ""},
                                   .max_event_bytes = max_event_bytes};
    struct mysql_dump *d = mysql_dump_new(&o);

    d->fd = fd;
    d->large = large;
    d->full = full;
    d->cap = BUFFER_START;
    d->buf = xmalloc(d->cap);
    return d;
}

enum err mysql_dump_open(const struct mysql_dump_options *o, struct mysql_dump **out,
                         struct error *e)
{
    struct mysql_dump *d = mysql_dump_new(o);
    enum err err = mysql_dump_start(d, e);

    *out = NULL;
    if (err) {
        mysql_dump_close(d);
        return err;
    }
    *out = d;
    return E_OK;
}

/* --- packets -------------------------------------------------------------------------------- */

/* 0xFF, u16 code, '#' and five characters of state, text. */
static enum err server_error(struct slice p, struct error *e)
{
    struct reader r = reader_of(p.p, p.n);
    (void)read_u8(&r);
    unsigned code = read_le16(&r);
    struct slice text = slice_of(r.at, reader_left(&r));

    if (text.n >= 6 && text.p[0] == '#')
        text = slice_sub(text, 6, text.n);
    error_set(e, E_REMOTE, PRI_SL, ARG_SL(text));
    if (e)
        e->sys = (int)code;
    return E_REMOTE;
}

/* A whole packet: its first byte says what it is. */
static enum err unwrap(struct mysql_dump *d, struct slice p, struct slice *event, struct error *e)
{
    if (p.n == 0)
        return error_set(e, E_CORRUPT, "empty packet in the binlog stream");
    uint8_t first = (uint8_t)p.p[0];
    if (first == 0xFF)
        return server_error(p, e);
    if (first == 0xFE && p.n < 9)
        return error_set(e, E_IO, "the server ended the binlog stream");
    if (first != 0)
        return error_set(e, E_CORRUPT, "packet in the binlog stream begins with %u", first);
    *event = slice_of(p.p + 1, p.n - 1);
    if (event->n > d->options.max_event_bytes)
        return error_set(e, E_TOO_LARGE, "binlog event of %zu bytes is over the limit of %zu",
                         event->n, d->options.max_event_bytes);
    return E_OK;
}

static size_t left(const struct mysql_dump *d)
{
    return d->end - d->at;
}

static size_t packet_size(const struct mysql_dump *d)
{
    return load_le24(d->buf + d->at);
}

/* Makes room for `need` bytes from `at` on; what is before is over. */
static enum err make_room(struct mysql_dump *d, size_t need, struct error *e)
{
    if (d->at > 0) {
        memmove(d->buf, d->buf + d->at, left(d));
        d->end -= d->at;
        d->at = 0;
    }
    if (need <= d->cap)
        return E_OK;
    size_t cap = d->cap;
    while (cap < need)
        cap *= 2;
    uint8_t *more = try_realloc(d->buf, cap);
    if (!more)
        return error_set(e, E_NOMEM, "no memory for a packet of %zu bytes", need);
    d->buf = more;
    d->cap = cap;
    return E_OK;
}

static enum err too_large(const struct mysql_dump *d, struct error *e)
{
    return error_set(e, E_TOO_LARGE, "binlog event is over the limit of %zu bytes",
                     d->options.max_event_bytes);
}

/* What has arrived of the packet that is being joined. True: it is whole. */
static bool join(struct mysql_dump *d)
{
    size_t n = MIN(d->rest, left(d));
    strbuf_add(&d->joined, d->buf + d->at, n);
    d->at += n;
    d->rest -= n;
    return d->rest == 0;
}

/* Its header is at `at`. */
static enum err start_join(struct mysql_dump *d, size_t size, struct error *e)
{
    if (strbuf_reserve(&d->joined, size) != E_OK)
        return strbuf_err(&d->joined) == E_TOO_LARGE
                   ? too_large(d, e)
                   : error_set(e, E_NOMEM, "no memory for a packet of %zu bytes", size);
    d->at += 4;
    d->rest = size;
    d->more = size == d->full;
    d->joining = true;
    return E_OK;
}

/* A whole event from the buffer, or E_AGAIN with room made for the rest. */
static enum err frame(struct mysql_dump *d, struct slice *event, struct error *e)
{
    for (;;) {
        if (d->joining) {
            if (!join(d))
                return E_AGAIN;
            d->joining = false;
            if (!d->more) {
                d->joined_done = true;
                return unwrap(d, strbuf_slice(&d->joined), event, e);
            }
        }
        size_t size = left(d) < 4 ? 0 : packet_size(d);
        if (left(d) >= 4 && (size >= d->large || d->joined.n > 0)) {
            enum err err = start_join(d, size, e);
            if (err)
                return err;
            continue;
        }
        size_t need = 4 + size;
        if (left(d) < need) {
            bool room = d->cap - d->end >= 65536 && d->cap - d->at >= need;
            enum err err = room ? E_OK : make_room(d, need, e);
            return err ? err : E_AGAIN;
        }
        struct slice p = slice_of(d->buf + d->at + 4, size);
        d->at += need;
        return unwrap(d, p, event, e);
    }
}

static enum err receive(struct mysql_dump *d, struct error *e)
{
    for (;;) {
        struct strbuf *j = &d->joined;
        bool direct = d->rest > 0; /* then the buffer is empty */
        ssize_t n = recv(d->fd, direct ? (uint8_t *)j->p + j->n : d->buf + d->end,
                         direct ? d->rest : d->cap - d->end, MSG_DONTWAIT);
        if (n > 0) {
            if (direct) {
                j->n += (size_t)n;
                j->p[j->n] = '\0';
                d->rest -= (size_t)n;
            } else {
                d->end += (size_t)n;
            }
            d->bytes += (uint64_t)n;
            return E_OK;
        }
        if (mysql_conn_cancelled(d->conn))
            return error_set(e, E_CANCELLED, "cancelled");
        if (n == 0)
            return error_set(e, E_IO, "the server closed the connection");
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return E_AGAIN;
        if (errno != EINTR)
            return error_sys(e, errno, "reading from the server");
    }
}

static enum err tls_frame(struct mysql_dump *d, struct slice *event, struct error *e)
{
    if (d->tls_at >= d->packets.n) {
        d->tls_at = 0;
        enum err err = dump_tls_take(d->tls, &d->packets, e);
        if (err)
            return mysql_conn_cancelled(d->conn) ? error_set(e, E_CANCELLED, "cancelled") : err;
    }
    size_t n = load_le32(d->packets.p + d->tls_at);
    struct slice p = slice_of(d->packets.p + d->tls_at + 4, n);
    d->tls_at += 4 + n;
    d->bytes += 4 + n;
    return unwrap(d, p, event, e);
}

/* Waits for the socket or the wake-up. E_AGAIN: the time is over. */
static enum err wait(struct mysql_dump *d, int64_t until, struct error *e)
{
    uint64_t count;

    for (;;) {
        int64_t ms = until - clock_mono_ms();
        struct pollfd p[2] = {{.fd = d->wake_fd, .events = POLLIN},
                              {.fd = d->fd, .events = POLLIN}};
        int n = poll(p, d->tls ? 1 : 2, (int)MAX(MIN(ms, (int64_t)WAIT_SLICE_MS), (int64_t)0));
        if (n > 0 && p[0].revents && read(d->wake_fd, &count, sizeof count) < 0)
            count = 0; /* taken by an earlier round */
        if (mysql_conn_cancelled(d->conn))
            return error_set(e, E_CANCELLED, "cancelled");
        if (n > 0)
            return E_OK;
        if (n == 0 && ms <= WAIT_SLICE_MS)
            return E_AGAIN;
        if (n < 0 && errno != EINTR)
            return error_sys(e, errno, "waiting for the server");
    }
}

/* Started at 4 for a position that the command cannot carry: true when the event is to be left out.
 */
static bool skip(struct mysql_dump *d, struct slice *event)
{
    if (event->n < EVENT_HEADER)
        return false;
    uint8_t type = (uint8_t)event->p[4];
    uint16_t flags = load_le16(event->p + 17);
    if ((flags & 0x20) || load_le32(event->p + 13) == 0 || type == 27 || type == 41)
        return false;
    uint64_t start = d->file_pos;
    d->file_pos += load_le32(event->p + 9);
    if (start >= d->skip_until) {
        d->skip_until = 0;
        return false;
    }
    if (type != 15)
        return true;
    /* The format event is needed, but it stands for no position: as the server does for a later
     * start. */
    store_le32((char *)(uintptr_t)event->p + 13, 0);
    return false;
}

/* Large rows are rare: what they took is given back. */
void mysql_dump_done(struct mysql_dump *d)
{
    if (d->joined_done)
        strbuf_release(&d->joined);
    d->joined_done = false;
    if (d->tls && d->tls_at >= d->packets.n && d->packets.cap > PACKETS_KEPT)
        strbuf_release(&d->packets);
}

enum err mysql_dump_next(struct mysql_dump *d, int timeout_ms, struct slice *event, struct error *e)
{
    int64_t until = timeout_ms > 0 ? clock_mono_ms() + timeout_ms : 0;

    if (mysql_conn_cancelled(d->conn))
        return error_set(e, E_CANCELLED, "cancelled");
    mysql_dump_done(d);
    for (;;) {
        enum err err = d->tls ? tls_frame(d, event, e) : frame(d, event, e);
        if (err == E_AGAIN && !d->tls)
            err = receive(d, e);
        else if (err == E_OK) {
            if (d->skip_until && skip(d, event))
                continue;
            return E_OK;
        }
        if (err == E_AGAIN && timeout_ms > 0)
            err = wait(d, until, e);
        if (err)
            return err;
    }
}

bool mysql_dump_buffered(const struct mysql_dump *d)
{
    if (d->tls)
        return d->tls_at < d->packets.n;
    return !d->joining && left(d) >= 4 && left(d) - 4 >= packet_size(d);
}
