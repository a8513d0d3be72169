/* base/db_stmt.c - statements of jobs, and what SQLite's errors mean. See db.h. */
#include "base/db_internal.h"

#include "base/log.h"

/* --- errors ----------------------------------------------------------------------------------- */

enum err db_fail(sqlite3 *c, int rc, const char *path, struct error *e, const char *doing)
{
    int code = rc & 0xff, sys = sqlite3_system_errno(c);
    const char *text = c ? sqlite3_errmsg(c) : sqlite3_errstr(rc);
    switch (code) {
    case SQLITE_FULL:
        error_set(e, E_IO, "%s %s: the disk is full", doing, path);
        error_hint(e, "make room, or move the data directory; nothing written so far is lost");
        return E_IO;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        error_set(e, E_CORRUPT, "%s %s: the file is damaged or no SQLite file (%s)", doing, path,
                  text);
        error_hint(e, "keep a copy, then put back a backup or try `sqlite3 FILE .recover`; "
                      "topics are not in this file");
        return E_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error_set(e, E_CONFLICT, "%s %s: another program has it locked", doing, path);
        error_hint(e, "close what holds it (a sqlite3 shell? another weir?) and try again");
        return E_CONFLICT;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        error_set(e, E_IO, "%s %s: %s", doing, path, text);
        error_hint(e, "the file and its directory must be writable for this user");
        break;
    case SQLITE_CONSTRAINT:
        error_set(e, E_EXISTS, "%s %s: %s", doing, path, text);
        return E_EXISTS;
    case SQLITE_NOMEM:
        return error_set(e, E_NOMEM, "%s %s: out of memory", doing, path);
    default:
        error_set(e, E_IO, "%s %s: %s", doing, path, text);
    }
    if (e && code != SQLITE_ERROR)
        e->sys = sys;
    return E_IO;
}

enum err db_run_sql(struct db *d, const char *sql, struct error *e, const char *doing)
{
    int rc = sqlite3_exec(d->conn, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? E_OK : db_fail(d->conn, rc, d->path, e, doing);
}

/* --- statements of jobs ----------------------------------------------------------------------- */

sqlite3_stmt *db_stmt(struct db *d, const char *sql_literal)
{
    uint64_t key = (uint64_t)(uintptr_t)sql_literal;
    sqlite3_stmt *s = map_get_u64(&d->statements, key);
    if (s) {
        sqlite3_reset(s);
        sqlite3_clear_bindings(s);
        return s;
    }
    /* On failure NULL: binding to it does nothing, and stepping reports the connection's error. */
    if (sqlite3_prepare_v3(d->conn, sql_literal, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) ==
        SQLITE_OK)
        map_put_u64(&d->statements, key, s);
    else
        LOG_ERROR(LOG_DB, "cannot prepare '%s': %s", sql_literal, sqlite3_errmsg(d->conn));
    return s;
}

enum err db_step(struct db *d, sqlite3_stmt *s, struct error *e)
{
    int rc = s ? sqlite3_step(s) : sqlite3_errcode(d->conn);
    if (rc == SQLITE_ROW)
        return E_OK;
    if (rc == SQLITE_DONE)
        return error_set(e, E_NOT_FOUND, "no such row");
    return db_fail(d->conn, rc, d->path, e, s && sqlite3_stmt_readonly(s) ? "reading" : "writing");
}

enum err db_exec(struct db *d, sqlite3_stmt *s, struct error *e)
{
    enum err rc = db_step(d, s, e);
    while (rc == E_OK) /* RETURNING and the like: run to the end */
        rc = db_step(d, s, e);
    if (s)
        sqlite3_reset(s);
    if (rc != E_NOT_FOUND)
        return rc;
    error_clear(e);
    return E_OK;
}

enum err db_put_values(struct db *d, const char *sql_literal, const struct db_value *v, size_t n,
                       struct error *e)
{
    sqlite3_stmt *s = db_stmt(d, sql_literal);
    for (size_t i = 0; i < n; i++) {
        int at = (int)i + 1;
        if (v[i].kind == DB_INT)
            sqlite3_bind_int64(s, at, v[i].number);
        else if (v[i].kind == DB_BLOB)
            db_bind_blob(s, at, v[i].bytes);
        else
            db_bind_slice(s, at, v[i].bytes);
    }
    return db_exec(d, s, e);
}

void db_bind_slice(sqlite3_stmt *s, int i, struct slice v)
{
    if (v.p)
        sqlite3_bind_text64(s, i, v.p, v.n, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_null(s, i);
}

void db_bind_blob(sqlite3_stmt *s, int i, struct slice v)
{
    if (v.p)
        sqlite3_bind_blob64(s, i, v.p, v.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(s, i);
}

struct slice db_column_slice(sqlite3_stmt *s, int i)
{
    if (sqlite3_column_type(s, i) == SQLITE_NULL)
        return SLICE_NULL;
    const void *p = sqlite3_column_type(s, i) == SQLITE_BLOB
                        ? sqlite3_column_blob(s, i)
                        : (const void *)sqlite3_column_text(s, i);
    return slice_of(p ? p : "",
                    (size_t)sqlite3_column_bytes(s, i)); /* an empty blob has no address */
}
