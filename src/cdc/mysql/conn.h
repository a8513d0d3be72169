/* cdc/mysql/conn.h - sessions with a MySQL or MariaDB server through libmariadb.
 *
 * Text protocol only; results are streamed (mysql_use_result), so a table of any size needs the
 * memory of one row. LOAD DATA LOCAL is refused from the start. Every wait for the network is cut
 * into slices, in which a cancel from another thread is noticed within 250 ms, also while
 * connecting. SPEC: cdc-mysql 2. Thread: one at a time, except mysql_conn_cancel. */
#ifndef WEIR_CDC_MYSQL_CONN_H
#define WEIR_CDC_MYSQL_CONN_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct mysql_conn;

enum mysql_ssl_mode {
    MYSQL_SSL_DISABLED,
    MYSQL_SSL_PREFERRED, /* TLS if the server offers it, any certificate */
    MYSQL_SSL_REQUIRED,  /* TLS or failure; verified only when ssl_ca is given */
    MYSQL_SSL_VERIFY_CA,
    MYSQL_SSL_VERIFY_IDENTITY,
};
struct mysql_conn_options {
    const char *host;
    uint16_t port;
    const char *user, *password; /* password NULL or "": none */
    enum mysql_ssl_mode ssl;
    const char *ssl_ca, *ssl_cert, *ssl_key; /* PEM files; NULL: none */
    uint32_t connect_timeout_ms;             /* 0: 30 s */
    uint32_t read_timeout_ms;                /* 0: none; of one wait for the server */
    const char *plugin_dir;                  /* NULL: MYSQL_PLUGIN_DIR, else the library's own */
    const atomic_bool *stop;  /* NULL: none; true works like mysql_conn_cancel within 250 ms */
    const char *program_name; /* connection attribute; NULL: "weir" */
    struct slice initial; /* statements for each new session, separated by ';' (';;': one ';') */
    int64_t deadline_ms;  /* clock_mono_ms at which every wait ends as if cancelled; 0: none */
    bool bare;            /* the session stays as the server made it: no statements of set-up */
};

/* Opens a session: utf8mb4, autocommit, and without the parts of sql_mode that give quotes and
 * backslashes another meaning (ANSI_QUOTES, NO_BACKSLASH_ESCAPES). The password is sent only over
 * TLS or by the challenges of its plugin (the RSA key of caching_sha2_password is asked for without
 * a setting). E_AUTH: access denied (e->sys = 1045, ...); E_IO: no connection (2002, 2003, ...);
 * E_TIMEOUT; E_CANCELLED; E_REMOTE: any other answer. e->msg is the server's own text. */
enum err mysql_conn_open(const struct mysql_conn_options *o, struct mysql_conn **out,
                         struct error *e) MUST_CHECK;
/* As open, but on failure *out may still be cancelled by others: new makes the object, connect
 * dials. */
struct mysql_conn *mysql_conn_new(const struct mysql_conn_options *o); /* copies the options */
enum err mysql_conn_connect(struct mysql_conn *c, struct error *e) MUST_CHECK; /* may be repeated */
void mysql_conn_close(struct mysql_conn *c); /* and frees; NULL allowed; wipes the password */
/* Ends the session only. As in close, a statement that was left in its middle is ended on the
 * server too, which waits for that at most a second (conn_kill.c). */
void mysql_conn_hang_up(struct mysql_conn *c);
/* Makes the running and every later call on c return E_CANCELLED soon. Thread: any; c must still
 * exist. */
void mysql_conn_cancel(struct mysql_conn *c);

/* --- the server ----------------------------------------------------------------------------- */
struct mysql_server {
    bool mariadb;
    uint32_t version;      /* 80036, 90700, 101106, 110803 */
    char version_text[64]; /* as the server says: "10.11.6-MariaDB-log" */
    bool tls;              /* this session is encrypted */
};
const struct mysql_server *mysql_conn_server(const struct mysql_conn *c); /* after connect */
uint64_t mysql_conn_thread_id(const struct mysql_conn *c);

/* --- statements ----------------------------------------------------------------------------- */
/* Runs a statement and throws away its result. E_REMOTE (e->sys the server's code, e->msg its
 * text), E_IO with e->sys 2006/2013: the connection is gone; E_CANCELLED, E_TIMEOUT. */
enum err mysql_conn_exec(struct mysql_conn *c, const char *sql, struct error *e) MUST_CHECK;
enum err mysql_conn_execf(struct mysql_conn *c, struct error *e, const char *fmt, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;
uint64_t mysql_conn_affected(const struct mysql_conn *c); /* rows of the last exec */

/* One running query; rows arrive one by one. No other call on c until it has ended. */
struct mysql_result {
    struct mysql_conn *conn;
    void *res; /* MYSQL_RES */
    unsigned columns;
    const char **names; /* column names, owned by the result */
    const char **row;   /* of the current row: NULL is SQL NULL; not NUL-safe: use length */
    const unsigned long *length;
};
enum err mysql_conn_query(struct mysql_conn *c, const char *sql, struct mysql_result *out,
                          struct error *e) MUST_CHECK;
/* E_OK: row and length are set until the next call; E_NOT_FOUND: no more rows (e untouched). */
enum err mysql_result_next(struct mysql_result *r, struct error *e) MUST_CHECK;
/* Reads away what is left (or drops the connection's query when cancelled). Always call it. */
void mysql_result_end(struct mysql_result *r);
static inline struct slice mysql_result_get(const struct mysql_result *r, unsigned i)
{
    return i < r->columns && r->row[i] ? slice_of(r->row[i], r->length[i]) : SLICE_NULL;
}
int mysql_result_column(const struct mysql_result *r, const char *name); /* any case; -1 */

/* First row's column `column` of a query as owned text (mem_free); *out NULL for SQL NULL.
 * E_NOT_FOUND: no row. */
enum err mysql_conn_scalar(struct mysql_conn *c, const char *sql, unsigned column, char **out,
                           struct error *e) MUST_CHECK;
/* Global variable, "" when it does not exist. Owned by the caller (mem_free). */
enum err mysql_conn_variable(struct mysql_conn *c, const char *name, char **out,
                             struct error *e) MUST_CHECK;
/* Appends `name` in backquotes, or 'text' as a string literal for this session. */
void mysql_quote_name(struct strbuf *b, struct slice name);
void mysql_quote_text(struct strbuf *b, struct slice text);

/* --- shared by conn*.c, session.c, dump.c ----------------------------------------------------- */
enum { STATEMENT_KEPT = 64 }; /* bytes of a statement by which it is known again */
/* For close: the session `thread` of the server that `like` and peer (its address in digits, "":
 * not known) lead to is ended, if it still runs `statement` (its first bytes; dump: a replication
 * stream). Best effort. */
void mysql_kill_left(const struct mysql_conn_options *like, const char *peer, uint64_t thread,
                     const char *statement, bool dump);
/* From now on the session sends its binlog: when the stop flag is set by the time it is closed, it
 * is ended on the server. */
void mysql_conn_dumps(struct mysql_conn *c);
/* For connect: runs the initial statements, then corrects what our statements rely on. */
enum err mysql_session_set_up(struct mysql_conn *c, struct slice initial,
                              struct error *e) MUST_CHECK;
/* Appends to `kept` what of an sql_mode a session of ours keeps; true: all of it. */
bool mysql_session_mode(struct slice mode, struct strbuf *kept);

/* True when the error means that the connection is lost and a new one may help. */
bool mysql_error_is_lost(const struct error *e);

/* For dump.c: the library's handle, and its wait rules. */
struct st_mysql *mysql_conn_handle(struct mysql_conn *c);
bool mysql_conn_cancelled(const struct mysql_conn *c);
/* Fills *e from the handle's last error; returns the code. */
enum err mysql_conn_error(struct mysql_conn *c, struct error *e);

#endif
