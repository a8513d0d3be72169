/* cdc/mysql/conn.c - sessions through libmariadb.
 *
 * The library calls block. A cancel from another thread sets the flag and shuts the socket down,
 * under a lock that also guards its closing, so that a descriptor that was reused is never hit.
 * While the library dials, no socket is known yet: it then waits through our io_wait callback,
 * which looks at the flags every 100 ms. Reading through TLS would block in the socket without it:
 * there the socket does not block while an answer is read. The callback has no argument, hence the
 * thread-local pointer to the session that this thread is working for. SPEC: cdc-mysql 2.1, 2.2. */
#include "cdc/mysql/conn.h"

#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mysql.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"

#define CONNECT_TIMEOUT_MS 30000
#define WAIT_SLICE_MS 100
#define READ_FOR_EVER_S                                                                            \
    (7u * 86400) /* with a limit the library waits through io_wait, without it blocks */

struct mysql_conn {
    struct mysql_conn_options options; /* texts are owned */
    MYSQL *mysql;
    struct mysql_server server;
    _Atomic bool cancelled; /* set once by any thread; stale reads only delay */
    pthread_mutex_t lock;   /* guards fd against cancel */
    int fd;                 /* -1: none yet */
    bool waits_here;        /* TLS: the socket does not block, so that reading comes to io_wait */
    char peer[NI_MAXHOST];  /* the server's address in digits, "": not known */
    char running
        [STATEMENT_KEPT]; /* beginning of what the server has not answered yet, "": nothing */
    bool dumps;
};

static _Thread_local struct mysql_conn *working_for;

static void library_init(void)
{
    mysql_library_init(0, NULL, NULL);
}

static char *dup_or_null(const char *s)
{
    return s ? xstrdup(s) : NULL;
}

struct mysql_conn *mysql_conn_new(const struct mysql_conn_options *o)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct mysql_conn *c = xcalloc(1, sizeof *c);

    pthread_once(&once, library_init);
    c->options = *o;
    c->options.host = xstrdup(o->host ? o->host : "127.0.0.1");
    c->options.user = xstrdup(o->user ? o->user : "");
    c->options.password = dup_or_null(o->password);
    c->options.ssl_ca = dup_or_null(o->ssl_ca);
    c->options.ssl_cert = dup_or_null(o->ssl_cert);
    c->options.ssl_key = dup_or_null(o->ssl_key);
    c->options.plugin_dir = dup_or_null(o->plugin_dir);
    c->options.program_name = dup_or_null(o->program_name);
    c->options.initial = slice_of(slice_dup(o->initial), o->initial.n);
    pthread_mutex_init(&c->lock, NULL);
    c->fd = -1;
    return c;
}

static void set_fd(struct mysql_conn *c, int fd)
{
    pthread_mutex_lock(&c->lock);
    c->fd = fd;
    if (fd >= 0 && atomic_load(&c->cancelled))
        shutdown(fd, SHUT_RDWR);
    pthread_mutex_unlock(&c->lock);
}

static void set_waits_here(struct mysql_conn *c, bool here)
{
    if (!c->server.tls || c->fd < 0 || c->waits_here == here)
        return;
    int flags = fcntl(c->fd, F_GETFL);
    flags = here ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (flags >= 0 && fcntl(c->fd, F_SETFL, flags) == 0)
        c->waits_here = here;
}

/* The server has answered, if only with an error of its own. */
static void answered(struct mysql_conn *c)
{
    unsigned vendor = mysql_errno(c->mysql);
    if (vendor < CR_MIN_ERROR || vendor > CR_MAX_ERROR)
        c->running[0] = '\0';
}

static void runs(struct mysql_conn *c, const char *sql)
{
    size_t n = strnlen(sql, sizeof c->running - 1);
    memcpy(c->running, sql, n);
    c->running[n] = '\0';
    c->dumps = false;
}

void mysql_conn_dumps(struct mysql_conn *c)
{
    runs(c, "dump");
    c->dumps = true;
}

static void note_peer(struct mysql_conn *c)
{
    struct sockaddr_storage a;
    socklen_t n = sizeof a;
    if (c->fd < 0 || getpeername(c->fd, (struct sockaddr *)&a, &n) ||
        getnameinfo((struct sockaddr *)&a, n, c->peer, sizeof c->peer, NULL, 0, NI_NUMERICHOST))
        c->peer[0] = '\0';
}

/* A reader of the binlog that only lost its connection is ended by the server itself when the next
 * one comes with its number. */
static void disconnect(struct mysql_conn *c)
{
    const atomic_bool *stop = c->options.stop;
    if (!c->mysql)
        return;
    bool left = c->running[0] && (!c->dumps || (stop && atomic_load(stop)));
    uint64_t thread = mysql_thread_id(c->mysql);
    set_fd(c, -1);
    working_for = c;
    mysql_close(c->mysql);
    working_for = NULL;
    c->mysql = NULL;
    if (left)
        mysql_kill_left(&c->options, c->peer, thread, c->running, c->dumps);
    c->running[0] = '\0';
}

void mysql_conn_hang_up(struct mysql_conn *c)
{
    disconnect(c);
}

static void free_text(const char *s)
{
    mem_free((char *)(uintptr_t)s);
}

void mysql_conn_close(struct mysql_conn *c)
{
    if (!c)
        return;
    disconnect(c);
    if (c->options.password)
        mem_wipe((char *)(uintptr_t)c->options.password, strlen(c->options.password));
    free_text(c->options.password);
    free_text(c->options.host);
    free_text(c->options.user);
    free_text(c->options.ssl_ca);
    free_text(c->options.ssl_cert);
    free_text(c->options.ssl_key);
    free_text(c->options.plugin_dir);
    free_text(c->options.program_name);
    free_text(c->options.initial.p);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

void mysql_conn_cancel(struct mysql_conn *c)
{
    atomic_store(&c->cancelled, true); /* before the lock: set_fd sees one or the other */
    pthread_mutex_lock(&c->lock);
    if (c->fd >= 0)
        shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&c->lock);
}

bool mysql_conn_cancelled(const struct mysql_conn *c)
{
    const atomic_bool *stop = c->options.stop;
    return atomic_load_explicit(&c->cancelled, memory_order_relaxed) ||
           (stop && atomic_load_explicit(stop, memory_order_relaxed)) ||
           (c->options.deadline_ms && clock_mono_ms() >= c->options.deadline_ms);
}

/* --- errors --------------------------------------------------------------------------------- */

static enum err code_of(unsigned vendor)
{
    switch (vendor) {
    case 1044: /* access denied for database */
    case 1045: /* access denied */
    case 1130: /* host not allowed */
    case 1142: /* command denied for table */
    case 1143:
    case 1227: /* a privilege is needed */
    case 1251: /* client does not support authentication */
    case 1370:
    case 1410:
    case 1698:
    case 1820: /* password must be changed */
    case 1862:
    case 2059: /* CR_AUTH_PLUGIN_CANNOT_LOAD */
    case 2061: /* CR_AUTH_PLUGIN_ERR */
    case 3118: /* account locked */
        return E_AUTH;
    case 2002:
    case 2003:
    case 2004:
    case 2005:
    case 2006: /* server has gone away */
    case 2012:
    case 2013: /* lost connection */
    case 2026: /* TLS */
    case 2055:
    case 1053: /* shutdown in progress */
    case 1077:
    case 1079:
    case 1152:
    case 1158:
    case 1159:
    case 1160:
    case 1161:
    case 1927: /* connection was killed */
        return E_IO;
    case 1205: /* lock wait timeout */
        return E_TIMEOUT;
    default:
        return E_REMOTE;
    }
}

bool mysql_error_is_lost(const struct error *e)
{
    return e->code == E_IO || e->code == E_TIMEOUT;
}

enum err mysql_conn_error(struct mysql_conn *c, struct error *e)
{
    unsigned vendor = c->mysql ? mysql_errno(c->mysql) : 2006;
    enum err code = code_of(vendor);

    if (mysql_conn_cancelled(c))
        return error_set(e, E_CANCELLED, "cancelled");
    error_set(e, code, "%s", c->mysql ? mysql_error(c->mysql) : "not connected");
    if (e)
        e->sys = (int)vendor;
    return code;
}

/* --- connecting ----------------------------------------------------------------------------- */

/* What the library calls when it would block. > 0: ready, 0: timed out, < 0: failed. */
static int io_wait(my_socket fd, my_bool is_read, int timeout_ms)
{
    struct mysql_conn *c = working_for;
    if (c && c->waits_here && is_read) /* the library gives seconds here */
        timeout_ms = (int)MIN(c->options.read_timeout_ms, (uint32_t)INT_MAX);
    int64_t end = timeout_ms > 0 ? clock_mono_ms() + timeout_ms : INT64_MAX;

    for (;;) {
        int64_t left = end - clock_mono_ms();
        if (left <= 0) {
            errno = ETIMEDOUT;
            return 0;
        }
        if (c && mysql_conn_cancelled(c)) {
            errno = ECANCELED;
            return -1;
        }
        struct pollfd p = {.fd = fd, .events = is_read ? POLLIN : POLLOUT};
        int n = poll(&p, 1, (int)MIN(left, (int64_t)WAIT_SLICE_MS));
        if (n > 0)
            return 1;
        if (n < 0 && errno != EINTR)
            return -1;
    }
}

/* The library's "enforce" means: try. Without verification it goes on in plain text with a server
 * that has no TLS, so that the modes that must not are checked after connecting. Recent libraries
 * verify by default: said explicitly each time. SPEC: cdc-mysql 2.1 */
static void set_tls(struct mysql_conn *c, bool use)
{
    const struct mysql_conn_options *o = &c->options;
    my_bool enforce = use;
    my_bool verify = o->ssl == MYSQL_SSL_VERIFY_IDENTITY;

    if (use)
        mysql_ssl_set(c->mysql, o->ssl_key, o->ssl_cert, o->ssl_ca, NULL, NULL);
    if (o->ssl == MYSQL_SSL_VERIFY_CA && !o->ssl_ca)
        verify =
            1; /* without a file only the system's authorities vouch, and they vouch for names */
    mysql_optionsv(c->mysql, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_optionsv(c->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static void set_options(struct mysql_conn *c, bool tls)
{
    const struct mysql_conn_options *o = &c->options;
    unsigned off = 0, protocol = MYSQL_PROTOCOL_TCP;
    unsigned connect_s =
        (MAX(o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS, 1u) + 999) / 1000;
    unsigned read_s = o->read_timeout_ms ? (o->read_timeout_ms + 999) / 1000 : READ_FOR_EVER_S;
    unsigned long max_packet = 1ul << 30;
    my_bool no = 0;
    const char *dir = o->plugin_dir ? o->plugin_dir : getenv("MYSQL_PLUGIN_DIR");

    mysql_optionsv(c->mysql, MYSQL_OPT_LOCAL_INFILE, &off);
    mysql_optionsv(c->mysql, MYSQL_OPT_PROTOCOL, &protocol); /* "localhost" too: the port counts */
    mysql_optionsv(c->mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_optionsv(c->mysql, MYSQL_OPT_READ_TIMEOUT, &read_s);
    mysql_optionsv(c->mysql, MYSQL_OPT_RECONNECT, &no);
    mysql_optionsv(c->mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &max_packet);
    mysql_optionsv(c->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(c->mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name",
                   o->program_name ? o->program_name : "weir");
    mysql_optionsv(c->mysql, MARIADB_OPT_IO_WAIT, (void *)(uintptr_t)io_wait);
    if (dir && *dir)
        mysql_optionsv(c->mysql, MYSQL_PLUGIN_DIR, dir);
    set_tls(c, tls);
}

/* "5.5.5-10.11.6-MariaDB-log" and "9.1.0" to the numbers 101106 and 90100. */
static void read_server(struct mysql_conn *c)
{
    const char *v = mysql_get_server_info(c->mysql);
    unsigned a = 0, b = 0, d = 0;

    if (!v)
        v = "";
    c->server.mariadb = strstr(v, "MariaDB") != NULL || strstr(v, "mariadb") != NULL;
    if (c->server.mariadb && strncmp(v, "5.5.5-", 6) == 0)
        v += 6;
    snprintf(c->server.version_text, sizeof c->server.version_text, "%s", v);
    char *at = c->server.version_text;
    a = (unsigned)strtoul(at, &at, 10);
    b = *at == '.' ? (unsigned)strtoul(at + 1, &at, 10) : 0;
    d = *at == '.' ? (unsigned)strtoul(at + 1, &at, 10) : 0;
    c->server.version = MIN(a, 999u) * 10000 + MIN(b, 99u) * 100 + MIN(d, 99u);
    c->server.tls = mysql_get_ssl_cipher(c->mysql) != NULL;
}

static enum err dial(struct mysql_conn *c, bool tls, struct error *e)
{
    const struct mysql_conn_options *o = &c->options;

    disconnect(c);
    c->waits_here = false;
    if (mysql_conn_cancelled(c))
        return error_set(e, E_CANCELLED, "cancelled");
    c->mysql = mysql_init(NULL);
    if (!c->mysql)
        return error_set(e, E_NOMEM, "no memory for a connection");
    set_options(c, tls);
    working_for = c;
    bool ok =
        mysql_real_connect(c->mysql, o->host, o->user, o->password, NULL, o->port, NULL, 0) != NULL;
    working_for = NULL;
    if (ok)
        return E_OK;
    enum err err = mysql_conn_error(c, e);
    if (err == E_IO && strstr(mysql_error(c->mysql), "(110)")) { /* ETIMEDOUT */
        err = E_TIMEOUT;
        e->code = err;
    }
    disconnect(c);
    return err;
}

enum err mysql_conn_connect(struct mysql_conn *c, struct error *e)
{
    const struct mysql_conn_options *o = &c->options;
    struct error own;

    if (!e)
        e = &own;
    enum err err = dial(c, o->ssl != MYSQL_SSL_DISABLED, e);
    if (err == E_IO && e->sys == CR_SSL_CONNECTION_ERROR && o->ssl == MYSQL_SSL_PREFERRED)
        err = dial(c, false, e);
    if (err)
        return err;
    set_fd(c, (int)mysql_get_socket(c->mysql));
    note_peer(c);
    read_server(c);
    if (o->ssl >= MYSQL_SSL_REQUIRED && !c->server.tls) {
        disconnect(c);
        return error_set(e, E_IO, "TLS is required, but the server at %s:%u does not offer it",
                         o->host, o->port);
    }
    err = o->bare ? E_OK : mysql_session_set_up(c, o->initial, e);
    if (err)
        disconnect(c); /* half a session is none */
    return err;
}

enum err mysql_conn_open(const struct mysql_conn_options *o, struct mysql_conn **out,
                         struct error *e)
{
    struct mysql_conn *c = mysql_conn_new(o);
    enum err err = mysql_conn_connect(c, e);

    *out = NULL;
    if (err) {
        mysql_conn_close(c);
        return err;
    }
    *out = c;
    return E_OK;
}

const struct mysql_server *mysql_conn_server(const struct mysql_conn *c)
{
    return &c->server;
}

uint64_t mysql_conn_thread_id(const struct mysql_conn *c)
{
    return c->mysql ? mysql_thread_id(c->mysql) : 0;
}

struct st_mysql *mysql_conn_handle(struct mysql_conn *c)
{
    set_waits_here(c, false);
    return c->mysql;
}

/* --- statements ----------------------------------------------------------------------------- */

/* Sending blocks: for that the library's TLS waits for the wrong thing. */
static enum err send_query(struct mysql_conn *c, const char *sql, struct error *e)
{
    if (!c->mysql || mysql_conn_cancelled(c))
        return mysql_conn_error(c, e);
    runs(c, sql);
    working_for = c;
    set_waits_here(c, false);
    int rc = mysql_send_query(c->mysql, sql, strlen(sql));
    set_waits_here(c, true);
    if (rc == 0)
        rc = mysql_read_query_result(c->mysql);
    working_for = NULL;
    if (rc != 0 || mysql_field_count(c->mysql) == 0)
        answered(c);
    return rc == 0 ? E_OK : mysql_conn_error(c, e);
}

enum err mysql_conn_exec(struct mysql_conn *c, const char *sql, struct error *e)
{
    enum err err = send_query(c, sql, e);

    if (err)
        return err;
    working_for = c;
    MYSQL_RES *res = mysql_use_result(c->mysql);
    if (res)
        mysql_free_result(res); /* reads away the rows */
    else if (mysql_errno(c->mysql))
        err = mysql_conn_error(c, e);
    working_for = NULL;
    answered(c);
    return err;
}

enum err mysql_conn_execf(struct mysql_conn *c, struct error *e, const char *fmt, ...)
{
    struct strbuf sql;
    va_list ap;

    strbuf_init(&sql, 0);
    va_start(ap, fmt);
    strbuf_addv(&sql, fmt, ap);
    va_end(ap);
    enum err err = strbuf_err(&sql);
    if (err)
        error_set(e, err, "statement is too long");
    else
        err = mysql_conn_exec(c, sql.p, e);
    strbuf_release(&sql);
    return err;
}

uint64_t mysql_conn_affected(const struct mysql_conn *c)
{
    return c->mysql ? mysql_affected_rows(c->mysql) : 0;
}

enum err mysql_conn_query(struct mysql_conn *c, const char *sql, struct mysql_result *out,
                          struct error *e)
{
    *out = (struct mysql_result){.conn = c};
    enum err err = send_query(c, sql, e);
    if (err)
        return err;
    working_for = c;
    MYSQL_RES *res = mysql_use_result(c->mysql);
    working_for = NULL;
    if (!res) {
        if (mysql_errno(c->mysql))
            return mysql_conn_error(c, e);
        return error_set(e, E_INVALID, "statement gives no rows");
    }
    out->res = res;
    out->columns = mysql_num_fields(res);
    out->names = xcalloc(out->columns ? out->columns : 1, sizeof *out->names);
    MYSQL_FIELD *fields = mysql_fetch_fields(res);
    for (unsigned i = 0; i < out->columns; i++)
        out->names[i] = fields[i].name;
    return E_OK;
}

enum err mysql_result_next(struct mysql_result *r, struct error *e)
{
    if (!r->res)
        return E_NOT_FOUND;
    if (mysql_conn_cancelled(r->conn)) /* rows that are there already need no wait */
        return error_set(e, E_CANCELLED, "cancelled");
    working_for = r->conn;
    MYSQL_ROW row = mysql_fetch_row(r->res);
    working_for = NULL;
    if (!row) {
        answered(r->conn);
        if (mysql_errno(r->conn->mysql))
            return mysql_conn_error(r->conn, e);
        return E_NOT_FOUND;
    }
    r->row = (const char **)(void *)row;
    r->length = mysql_fetch_lengths(r->res);
    return E_OK;
}

void mysql_result_end(struct mysql_result *r)
{
    if (r->res) {
        bool cancelled = mysql_conn_cancelled(r->conn);
        if (cancelled) /* nothing is read away */
            mysql_conn_cancel(r->conn);
        working_for = r->conn;
        mysql_free_result(r->res);
        working_for = NULL;
        if (!cancelled)
            answered(r->conn);
    }
    mem_free(r->names);
    *r = (struct mysql_result){.conn = r->conn};
}

int mysql_result_column(const struct mysql_result *r, const char *name)
{
    for (unsigned i = 0; i < r->columns; i++)
        if (slice_ieq(slice_cstr(r->names[i]), slice_cstr(name)))
            return (int)i;
    return -1;
}

enum err mysql_conn_scalar(struct mysql_conn *c, const char *sql, unsigned column, char **out,
                           struct error *e)
{
    struct mysql_result r;
    enum err err = mysql_conn_query(c, sql, &r, e);

    *out = NULL;
    if (err)
        return err;
    err = mysql_result_next(&r, e);
    if (!err && column >= r.columns)
        err = error_set(e, E_INVALID, "statement gives %u columns only", r.columns);
    if (!err)
        *out = slice_dup(mysql_result_get(&r, column));
    if (err == E_NOT_FOUND)
        error_set(e, E_NOT_FOUND, "statement gives no row");
    mysql_result_end(&r);
    return err;
}

enum err mysql_conn_variable(struct mysql_conn *c, const char *name, char **out, struct error *e)
{
    struct strbuf sql;

    strbuf_init(&sql, 4096);
    strbuf_adds(&sql, "SHOW GLOBAL VARIABLES LIKE ");
    mysql_quote_text(&sql, slice_cstr(name));
    enum err err = mysql_conn_scalar(c, sql.p, 1, out, e);
    strbuf_release(&sql);
    if (err == E_NOT_FOUND) {
        error_clear(e);
        err = E_OK;
    }
    if (!err && !*out)
        *out = xstrdup("");
    return err;
}

void mysql_quote_name(struct strbuf *b, struct slice name)
{
    strbuf_addc(b, '`');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '`')
            strbuf_addc(b, '`');
        strbuf_addc(b, name.p[i]);
    }
    strbuf_addc(b, '`');
}

/* Only quotes and backslashes matter in utf8mb4. */
void mysql_quote_text(struct strbuf *b, struct slice text)
{
    strbuf_addc(b, '\'');
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\0') {
            strbuf_adds(b, "\\0");
            continue;
        }
        if (c == '\'' || c == '\\')
            strbuf_addc(b, '\\');
        strbuf_addc(b, c);
    }
    strbuf_addc(b, '\'');
}
