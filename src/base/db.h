/* base/db.h - the one SQLite file of weir: WAL, one writing connection on a thread of its own.
 *
 * Writers post jobs; the db thread runs all that are waiting inside one transaction (grouped
 * commit) and then reports to each. Who would have to wait for the report (db_run) runs its job
 * itself when nobody else is at it. A thread of its own syncs and checkpoints (db_sync.h). synchronous=NORMAL by default: kill -9 loses nothing committed;
 * a power cut at most the last second (a checkpoint syncs). With durability=sync it is FULL.
 * Readers open their own read-only connection (db_read_open), which never blocks the writer. */
#ifndef WEIR_BASE_DB_H
#define WEIR_BASE_DB_H

#include <sqlite3.h>

#include "base/base.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/str.h"

struct db;
/* One step of the schema; its index + 1 is the user_version it leads to. Modules hand in their own
 * arrays under a module name; versions are kept per module in the table `migrations`. */
struct db_migrations {
    const char *module;       /* "broker", "connect" */
    const char *const *steps; /* SQL texts, ends with NULL; only ever appended to */
};
enum err db_open(struct db **out, const char *path, bool full_sync,
                 const struct db_migrations *const *m,
                 struct error *e) MUST_CHECK; /* m ends with NULL; refuses a newer file */
void db_close(struct db *d); /* runs what is queued, checkpoints, ends the thread */

/* A job: statements on the writing connection. Returns E_OK or an error, which rolls back this job
 * alone (savepoint). Runs on the db thread or in db_run, one at a time; must not wait for other
 * threads. */
typedef enum err (*db_job_fn)(struct db *d, void *arg, struct error *e);
/* Blocks until the job's transaction is committed. Any thread but loops that serve sockets. */
enum err db_run(struct db *d, db_job_fn fn, void *arg, struct error *e) MUST_CHECK;
/* Does not block: after commit (or failure) done(arg, code) runs on `back`; back NULL: on the db
 * thread. e of the job is logged on failure. */
typedef void (*db_done_fn)(void *arg, enum err code);
void db_post(struct db *d, db_job_fn fn, struct loop *back, db_done_fn done, void *arg);

/* Inside a job: a prepared statement from the cache (key: the literal's address), reset and
 * unbound. */
sqlite3_stmt *db_stmt(struct db *d, const char *sql_literal);
/* Steps a statement that gives no rows. */
enum err db_exec(struct db *d, sqlite3_stmt *s, struct error *e) MUST_CHECK;
/* All of that at once, for a statement without rows: db_put(d, e, "DELETE ... ?1", db_text(id)). Texts
 * and blobs are borrowed for the call. */
struct db_value {
    enum { DB_TEXT, DB_BLOB, DB_INT } kind;
    struct slice bytes; /* null slice = NULL */
    int64_t number;
};
static inline struct db_value db_text(struct slice s)
{
    return (struct db_value){DB_TEXT, s, 0};
}
static inline struct db_value db_blob(struct slice s)
{
    return (struct db_value){DB_BLOB, s, 0};
}
static inline struct db_value db_int(int64_t n)
{
    return (struct db_value){DB_INT, SLICE_NULL, n};
}
enum err db_put_values(struct db *d, const char *sql_literal, const struct db_value *v, size_t n,
                       struct error *e) MUST_CHECK;
#define db_put(d, e, sql, ...)                                                                     \
    db_put_values((d), (sql), (const struct db_value[]){__VA_ARGS__},                              \
                  sizeof((const struct db_value[]){__VA_ARGS__}) / sizeof(struct db_value), (e))
/* SQLITE_ROW -> E_OK, SQLITE_DONE -> E_NOT_FOUND, else E_IO with the text. */
enum err db_step(struct db *d, sqlite3_stmt *s, struct error *e) MUST_CHECK;
void db_bind_slice(sqlite3_stmt *s, int i,
                   struct slice v); /* text; null slice = NULL; borrowed until the next reset */
void db_bind_blob(sqlite3_stmt *s, int i, struct slice v);
struct slice db_column_slice(sqlite3_stmt *s,
                             int i); /* text or blob; borrowed until the next step */

/* A read-only connection of the caller's own (one thread at a time); sqlite3_close_v2 ends it. */
enum err db_read_open(struct db *d, sqlite3 **out, struct error *e) MUST_CHECK;

#endif
