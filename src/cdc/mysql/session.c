/* cdc/mysql/session.c - what a session of ours is like, whatever the server's defaults: see conn.h.
 * SPEC: cdc-mysql 1.3 (database.initial.statements) */
#include "cdc/mysql/conn.h"

#include "base/mem.h"

/* Modes in which our literals and the server's CREATE TABLE texts read otherwise, and those that
 * bring one of them along when they are set. */
static const char *const unwanted[] = {
    "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES", "ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"};

bool mysql_session_mode(struct slice mode, struct strbuf *kept)
{
    struct slice word;
    bool all = true;
    while (mode.p && slice_split(&mode, ',', &word)) {
        bool keep = true;
        for (size_t i = 0; i < ARRAY_LEN(unwanted); i++)
            keep &= !slice_ieq(word, slice_cstr(unwanted[i]));
        if (keep && word.n) {
            strbuf_adds(kept, kept->n ? "," : "");
            strbuf_add_slice(kept, word);
        }
        all &= keep;
    }
    return all;
}

/* Statements are separated by ';'; ';;' is one ';' of a statement. */
static enum err run_initial(struct mysql_conn *c, struct slice text, struct error *e)
{
    struct strbuf one = STRBUF_INIT;
    enum err rc = E_OK;
    for (size_t i = 0; text.n && i <= text.n && rc == E_OK; i++) {
        bool end = i == text.n || text.p[i] == ';';
        if (end && i + 1 < text.n && text.p[i + 1] == ';') {
            strbuf_addc(&one, ';');
            i++;
        } else if (!end) {
            strbuf_addc(&one, text.p[i]);
        } else {
            if (slice_trim(strbuf_slice(&one)).n)
                rc = mysql_conn_exec(c, one.p, e);
            strbuf_reset(&one);
        }
    }
    strbuf_release(&one);
    return rc;
}

static enum err correct(struct mysql_conn *c, struct slice mode, struct slice autocommit,
                        struct error *e)
{
    struct strbuf sql = STRBUF_INIT, kept = STRBUF_INIT;
    enum err rc = E_OK;
    if (!mysql_session_mode(mode, &kept)) {
        strbuf_adds(&sql, "SET SESSION sql_mode=");
        mysql_quote_text(&sql, strbuf_slice(&kept));
        rc = mysql_conn_exec(c, sql.p, e);
    }
    /* Else a first SELECT would hold what is read later at its own moment. */
    if (rc == E_OK && !slice_eq_c(autocommit, "1"))
        rc = mysql_conn_exec(c, "SET SESSION autocommit=1", e);
    strbuf_release(&sql);
    strbuf_release(&kept);
    return rc;
}

enum err mysql_session_set_up(struct mysql_conn *c, struct slice initial, struct error *e)
{
    struct mysql_result r;
    enum err rc = run_initial(c, initial, e);
    if (rc == E_OK)
        rc = mysql_conn_query(c, "SELECT @@sql_mode, @@autocommit", &r, e);
    if (rc)
        return rc;
    rc = mysql_result_next(&r, e);
    char *mode = rc ? NULL : slice_dup(mysql_result_get(&r, 0));
    char *autocommit = rc ? NULL : slice_dup(mysql_result_get(&r, 1));
    mysql_result_end(&r);
    if (rc == E_OK)
        rc = correct(c, slice_cstr(mode ? mode : ""), slice_cstr(autocommit ? autocommit : ""), e);
    mem_free(mode);
    mem_free(autocommit);
    return rc == E_NOT_FOUND ? error_set(e, E_REMOTE, "the server does not tell its sql_mode") : rc;
}
