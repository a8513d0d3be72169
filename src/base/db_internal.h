/* base/db_internal.h - the inside of the database, for db.c (jobs, the thread, opening) and db_stmt.c
 * (statements, errors). Who may use the connection: db.c, invariant 4. */
#ifndef WEIR_BASE_DB_INTERNAL_H
#define WEIR_BASE_DB_INTERNAL_H

#include "base/db.h"

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"

struct db_sync;

struct db {
    sqlite3 *conn;
    char *path;
    bool full_sync, fresh;
    struct map statements; /* address of the literal -> sqlite3_stmt */
    pthread_t thread;
    pthread_mutex_t mutex; /* queue, stopping, running, runner */
    pthread_cond_t wake;
    struct list queue;
    bool stopping;
    bool starting;    /* the thread has the connection, before its first job */
    bool running;     /* somebody uses the connection */
    pthread_t runner; /* while running */
    struct db_sync *sync;
    int frames; /* of the WAL after the last commit; the runner's */
};

/* What a code of SQLite means, as "DOING PATH: ..." with what to do. c may be NULL. */
enum err db_fail(sqlite3 *c, int rc, const char *path, struct error *e, const char *doing);
enum err db_run_sql(struct db *d, const char *sql, struct error *e, const char *doing) MUST_CHECK;

#endif
