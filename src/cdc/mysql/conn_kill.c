/* cdc/mysql/conn_kill.c - statements that a session left behind are ended on the server.
 *
 * A server looks at a client's socket when it writes to it. Until then a SELECT that sorts, or a
 * statement that waits for a lock, goes on after its client has gone, and keeps its locks: a
 * second, short session sends KILL, which everybody may send to sessions of the same user. Behind
 * an address there may be several servers, so that the number alone does not say enough: only a
 * session that runs our statement is ended. */
#include "cdc/mysql/conn.h"

#include "base/clock.h"
#include "base/log.h"

#define KILL_WITHIN_MS 800

static bool is_ours(const struct mysql_result *r, uint64_t thread, const char *statement, bool dump)
{
    int id = mysql_result_column(r, "Id"), command = mysql_result_column(r, "Command");
    int info = mysql_result_column(r, "Info");
    uint64_t number;
    if (id < 0 || command < 0 || info < 0 ||
        slice_to_u64(mysql_result_get(r, (unsigned)id), &number) || number != thread)
        return false;
    return dump ? slice_starts(mysql_result_get(r, (unsigned)command), SL("Binlog Dump"))
                : slice_starts(mysql_result_get(r, (unsigned)info), slice_cstr(statement));
}

/* *found: it is still at it. */
static enum err look(struct mysql_conn *c, uint64_t thread, const char *statement, bool dump,
                     bool *found, struct error *e)
{
    struct mysql_result r;
    enum err rc = mysql_conn_query(c, "SHOW PROCESSLIST", &r, e);
    while (rc == E_OK && (rc = mysql_result_next(&r, e)) == E_OK)
        *found |= is_ours(&r, thread, statement, dump);
    mysql_result_end(&r);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

/* The address in digits spares looking up the name, which nothing bounds; where the name is what
 * the server's certificate is checked for, it stays. */
static struct mysql_conn_options options_of_killer(const struct mysql_conn_options *like,
                                                   const char *peer)
{
    struct mysql_conn_options o = *like;
    bool by_name =
        o.ssl == MYSQL_SSL_VERIFY_IDENTITY || (o.ssl == MYSQL_SSL_VERIFY_CA && !o.ssl_ca);
    if (*peer && !by_name)
        o.host = peer;
    o.stop = NULL;
    o.initial = SLICE_NULL;
    o.bare = true;
    o.connect_timeout_ms = o.read_timeout_ms = 1000;
    o.deadline_ms = clock_mono_ms() + KILL_WITHIN_MS;
    return o;
}

void mysql_kill_left(const struct mysql_conn_options *like, const char *peer, uint64_t thread,
                     const char *statement, bool dump)
{
    struct mysql_conn_options o = options_of_killer(like, peer);
    struct mysql_conn *c = NULL;
    struct error e = {0};
    bool found = false;
    if (like->deadline_ms) /* a killer itself */
        return;
    enum err rc = mysql_conn_open(&o, &c, &e);
    if (rc == E_OK)
        rc = look(c, thread, statement, dump, &found, &e);
    if (rc == E_OK && found)
        rc = mysql_conn_execf(c, &e, "KILL %llu", (unsigned long long)thread);
    if (rc == E_CANCELLED)
        error_set(&e, E_TIMEOUT, "the server did not answer within %d ms", KILL_WITHIN_MS);
    if (rc && !(rc == E_REMOTE && e.sys == 1094)) /* there is none by now */
        LOG_ERR(
            LOG_CDC_MYSQL, LOG_L_INFO, &e,
            "what session %llu was doing may go on at the server %s:%u until it notices that its "
            "client has gone; KILL %llu ends it",
            (unsigned long long)thread, like->host, like->port, (unsigned long long)thread);
    mysql_conn_close(c);
}
