/* base/db.c - see db.h.
 *
 * The db thread takes all waiting jobs at once: BEGIN IMMEDIATE, each job in a savepoint of its
 * own, COMMIT, then the reports. Invariants:
 *   1. A job is reported E_OK only after the COMMIT that holds it.
 *   2. A job that fails takes back its own statements and nobody else's. The exception is SQLite
 * giving up the whole transaction (disk full, I/O error): then all jobs before it in the batch fail
 * too.
 *   3. The thread outlives every error; the next batch tries again.
 *   4. Whoever set `running` uses the connection, alone: the thread, or a caller of db_run that
 *      found nothing running and nothing queued. It then needs no other thread to be scheduled twice.
 *
 * Durability with synchronous=NORMAL: COMMIT writes the WAL without a sync, and db_sync's thread
 * syncs it within a second, so a power cut costs at most that. A new file is set up without any
 * sync (nothing is in it) and synced by the thread before its first report.
 *
 * Owner of the connection: db_open's caller until the thread starts, then invariant 4. */
#include "base/db_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/db_sync.h"
#include "base/log.h"
#include "base/mem.h"

enum { WAL_FRAMES_MAX = 16000, BUSY_MS = 2000, CACHE_KB = 1000, READ_CACHE_KB = 512 };

struct job {
    struct link link;
    db_job_fn fn;
    void *arg;
    enum err code;
    struct error error;
    struct loop *back;
    db_done_fn done; /* NULL: none */
    sem_t *waiter;   /* of db_run; the job is on its stack */
    struct error *waiter_error;
};

static void reset_all(struct db *d)
{
    for (sqlite3_stmt *s = sqlite3_next_stmt(d->conn, NULL); s; s = sqlite3_next_stmt(d->conn, s))
        if (sqlite3_stmt_busy(s))
            sqlite3_reset(s);
}

/* --- a batch ---------------------------------------------------------------------------------- */

static enum err begin(struct db *d, struct error *e)
{
    return db_exec(d, db_stmt(d, "BEGIN IMMEDIATE"), e);
}

static void give_up_transaction(struct db *d)
{
    reset_all(d);
    if (!sqlite3_get_autocommit(d->conn))
        sqlite3_exec(d->conn, "ROLLBACK", NULL, NULL, NULL);
}

static void set_result(struct job *j, const struct error *why)
{
    j->code = why->code;
    j->error = *why;
}

/* The jobs from the first of the batch up to `last` lose what they wrote. */
static void fail_before(struct list *jobs, const struct job *last, const struct error *why)
{
    list_each (jobs, k) {
        struct job *j = list_entry(k, struct job, link);
        if (j == last)
            break;
        if (j->code == E_OK)
            set_result(j, why);
    }
}

static void run_job(struct db *d, struct job *j)
{
    struct error e;
    error_clear(&e);
    j->code = db_exec(d, db_stmt(d, "SAVEPOINT job"), &e);
    if (j->code == E_OK) {
        j->code = j->fn(d, j->arg, &e);
        reset_all(d);
    }
    if (sqlite3_get_autocommit(d->conn)) { /* SQLite has given up all of it */
        if (j->code == E_OK)
            j->code = error_set(&e, E_IO, "writing %s: the transaction was given up", d->path);
    } else if (j->code != E_OK) {
        struct error ignored;
        if (db_exec(d, db_stmt(d, "ROLLBACK TO job"), &ignored) != E_OK ||
            db_exec(d, db_stmt(d, "RELEASE job"), &ignored) != E_OK)
            give_up_transaction(d);
    } else {
        j->code = db_exec(d, db_stmt(d, "RELEASE job"), &e);
        if (j->code != E_OK)
            give_up_transaction(d);
    }
    if (j->code != E_OK && (e.code != j->code || !e.msg[0]))
        error_set(&e, j->code, "%s", err_name(j->code));
    j->error = e;
}

static void run_jobs(struct db *d, struct list *jobs)
{
    struct error e;
    bool open = false;
    error_clear(&e);
    list_each (jobs, k) {
        struct job *j = list_entry(k, struct job, link);
        if (!open && begin(d, &e) != E_OK) {
            give_up_transaction(d);
            set_result(j, &e);
            continue;
        }
        open = true;
        run_job(d, j);
        if (sqlite3_get_autocommit(d->conn)) {
            fail_before(jobs, j, &j->error);
            open = false;
        }
    }
    if (!open)
        return;
    reset_all(d);
    if (db_exec(d, db_stmt(d, "COMMIT"), &e) != E_OK) {
        give_up_transaction(d);
        fail_before(jobs, NULL, &e);
    } else {
        db_sync_note(d->sync, d->frames);
    }
}

static void post_done(void *arg)
{
    struct job *j = arg;
    j->done(j->arg, j->code);
    mem_free(j);
}

static void report(struct job *j)
{
    if (j->waiter) {
        if (j->code != E_OK && j->waiter_error)
            *j->waiter_error = j->error;
        sem_post(j->waiter); /* the job is gone from here on */
        return;
    }
    if (j->code != E_OK)
        LOG_ERR(LOG_DB, LOG_L_WARN, &j->error, "a change was not stored");
    if (j->done && j->back)
        loop_post(j->back, post_done, j);
    else if (j->done)
        post_done(j);
    else
        mem_free(j);
}

/* --- syncing ---------------------------------------------------------------------------------- */

static void sync_file(struct db *d, int which)
{
    sqlite3_file *f = NULL;
    if (sqlite3_file_control(d->conn, "main", which, &f) != SQLITE_OK || !f || !f->pMethods)
        return;
    int rc = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    if (rc != SQLITE_OK)
        LOG_ERROR(LOG_DB, "syncing %s failed: %s", d->path, sqlite3_errstr(rc));
}

static int on_commit(void *arg, sqlite3 *conn, const char *name, int frames)
{
    struct db *d = arg;
    (void)conn, (void)name;
    d->frames = frames;
    return SQLITE_OK;
}

/* The other thread keeps the WAL short, unless commits never stop. */
static void shorten_wal(struct db *d)
{
    if (d->frames < WAL_FRAMES_MAX)
        return;
    d->frames = 0;
    int rc = sqlite3_wal_checkpoint_v2(d->conn, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        LOG_ERROR(LOG_DB, "checkpoint of %s: %s", d->path, sqlite3_errmsg(d->conn));
}

static void sync_fresh(struct db *d)
{
    if (!d->fresh)
        return;
    sync_file(d, SQLITE_FCNTL_FILE_POINTER);
    sync_file(d, SQLITE_FCNTL_JOURNAL_POINTER);
    d->fresh = false;
}

/* --- the thread ------------------------------------------------------------------------------- */

static void run_queue(struct db *d, struct list *jobs)
{
    run_jobs(d, jobs);
    sync_fresh(d);
    struct link *k;
    while ((k = list_pop_front(jobs)))
        report(list_entry(k, struct job, link));
    shorten_wal(d);
}

static void *db_main(void *arg)
{
    struct db *d = arg;
    sync_fresh(d);
    pthread_mutex_lock(&d->mutex);
    d->starting = false;
    for (;;) {
        while (d->running || (list_empty(&d->queue) && !d->stopping))
            pthread_cond_wait(&d->wake, &d->mutex);
        struct list jobs;
        struct link *k;
        list_init(&jobs);
        while ((k = list_pop_front(&d->queue)))
            list_push_back(&jobs, k);
        bool end = d->stopping && list_empty(&jobs);
        d->running = !end;
        d->runner = pthread_self();
        pthread_mutex_unlock(&d->mutex);
        if (end)
            return NULL;
        run_queue(d, &jobs);
        pthread_mutex_lock(&d->mutex);
        d->running = false;
    }
}

static void enqueue(struct db *d, struct job *j)
{
    pthread_mutex_lock(&d->mutex);
    bool first = list_empty(&d->queue);
    list_push_back(&d->queue, &j->link);
    if (first)
        pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->mutex);
}

/* Takes the connection when nobody uses or waits for it. */
static bool take_connection(struct db *d)
{
    pthread_mutex_lock(&d->mutex);
    /* A job may not wait for another one. */
    invariant(!d->running || !pthread_equal(d->runner, pthread_self()));
    bool free = !d->running && !d->starting && list_empty(&d->queue) && !d->stopping;
    if (free) {
        d->running = true;
        d->runner = pthread_self();
    }
    pthread_mutex_unlock(&d->mutex);
    return free;
}

static void give_connection(struct db *d)
{
    pthread_mutex_lock(&d->mutex);
    d->running = false;
    if (!list_empty(&d->queue) || d->stopping)
        pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->mutex);
}

static enum err run_here(struct db *d, struct job *j)
{
    struct list jobs;
    list_init(&jobs);
    list_push_back(&jobs, &j->link);
    run_jobs(d, &jobs);
    sync_fresh(d);
    if (j->code != E_OK && j->waiter_error)
        *j->waiter_error = j->error;
    shorten_wal(d);
    give_connection(d);
    return j->code;
}

enum err db_run(struct db *d, db_job_fn fn, void *arg, struct error *e)
{
    sem_t done;
    struct job j = {.fn = fn, .arg = arg, .waiter = &done, .waiter_error = e};
    if (take_connection(d))
        return run_here(d, &j);
    sem_init(&done, 0, 0);
    enqueue(d, &j);
    while (sem_wait(&done) != 0 && errno == EINTR)
        ;
    sem_destroy(&done);
    return j.code;
}

void db_post(struct db *d, db_job_fn fn, struct loop *back, db_done_fn done, void *arg)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->fn = fn;
    j->arg = arg;
    j->back = back;
    j->done = done;
    enqueue(d, j);
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum err module_version(struct db *d, const char *module, int *version, struct error *e)
{
    sqlite3_stmt *s = db_stmt(d, "SELECT version FROM migrations WHERE module = ?");
    db_bind_slice(s, 1, slice_cstr(module));
    enum err rc = db_step(d, s, e);
    *version = rc == E_OK ? sqlite3_column_int(s, 0) : 0;
    sqlite3_reset(s);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static enum err migrate_module(struct db *d, const struct db_migrations *m, struct error *e)
{
    int have, want = 0;
    while (m->steps[want])
        want++;
    enum err rc = module_version(d, m->module, &have, e);
    if (rc != E_OK || have == want)
        return rc;
    if (have > want) {
        error_set(e, E_UNSUPPORTED,
                  "%s was written by a newer weir (%s schema %d, this one knows %d)", d->path,
                  m->module, have, want);
        error_hint(e, "use the newer program, or another data directory");
        return E_UNSUPPORTED;
    }
    for (int i = have; rc == E_OK && i < want; i++)
        rc = db_run_sql(d, m->steps[i], e, "upgrading");
    if (rc != E_OK)
        return error_wrap(e, "%s schema", m->module);
    sqlite3_stmt *s = db_stmt(d, "INSERT INTO migrations(module, version) VALUES(?1, ?2) "
                                 "ON CONFLICT(module) DO UPDATE SET version = ?2");
    db_bind_slice(s, 1, slice_cstr(m->module));
    sqlite3_bind_int(s, 2, want);
    return db_exec(d, s, e);
}

static enum err migrate(struct db *d, const struct db_migrations *const *m, struct error *e)
{
    enum err rc = db_run_sql(d,
                             "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS migrations("
                             "module TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID",
                             e, "opening");
    for (; rc == E_OK && m && *m; m++)
        rc = migrate_module(d, *m, e);
    if (rc == E_OK)
        rc = db_run_sql(d, "COMMIT", e, "opening");
    if (rc != E_OK)
        give_up_transaction(d);
    return rc;
}

static enum err open_connection(const char *path, int flags, int cache_kb, sqlite3 **out,
                                struct error *e)
{
    char pragmas[160];
    int rc = sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    snprintf(pragmas, sizeof pragmas,
             "PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON", cache_kb);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(*out, BUSY_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*out, pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return E_OK;
    enum err code = db_fail(*out, rc, path, e, "opening");
    sqlite3_close_v2(*out);
    *out = NULL;
    return code;
}

static enum err set_up(struct db *d, const struct db_migrations *const *m, struct error *e)
{
    struct stat st;
    d->fresh = stat(d->path, &st) != 0 || st.st_size == 0;
    if (d->fresh) { /* connector passwords are in it; WAL and index files take over its mode */
        int fd = open(d->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd); /* else SQLite says why */
    }
    enum err rc =
        open_connection(d->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, CACHE_KB, &d->conn, e);
    if (rc == E_OK && d->fresh)
        rc = db_run_sql(d, "PRAGMA synchronous=OFF", e, "opening");
    if (rc == E_OK)
        rc = db_run_sql(d, "PRAGMA journal_mode=WAL", e, "opening");
    if (rc == E_OK)
        rc = migrate(d, m, e);
    if (rc == E_OK) {
        sqlite3_wal_hook(d->conn, on_commit, d); /* instead of checkpoints within commits */
        rc = db_run_sql(d, d->full_sync ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                        e, "opening");
    }
    return rc;
}

static void once_per_process(void)
{
    /* Counting every allocation takes a global lock; without effect if SQLite is already in use. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static void release(struct db *d)
{
    size_t i = 0;
    void *s;
    while (map_next(&d->statements, &i, NULL, &s))
        sqlite3_finalize(s);
    map_release(&d->statements, NULL);
    db_sync_stop(d->sync);
    sqlite3_close_v2(d->conn);
    pthread_mutex_destroy(&d->mutex);
    pthread_cond_destroy(&d->wake);
    mem_free(d->path);
    mem_free(d);
}

enum err db_open(struct db **out, const char *path, bool full_sync,
                 const struct db_migrations *const *m, struct error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, once_per_process);
    struct db *d = xcalloc(1, sizeof *d);
    pthread_condattr_t attr;
    d->path = xstrdup(path);
    d->full_sync = full_sync;
    map_init(&d->statements);
    list_init(&d->queue);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->wake, &attr);
    pthread_condattr_destroy(&attr);
    enum err rc = set_up(d, m, e);
    if (rc == E_OK)
        rc = db_sync_start(&d->sync, path, full_sync, e);
    d->starting = true;
    if (rc == E_OK)
        rc = thread_start(&d->thread, "db", db_main, d, e);
    if (rc != E_OK) {
        release(d);
        d = NULL;
    }
    *out = d;
    return rc;
}

void db_close(struct db *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->mutex);
    d->stopping = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->mutex);
    pthread_join(d->thread, NULL);
    db_sync_stop(d->sync);
    d->sync = NULL;
    if (sqlite3_wal_checkpoint_v2(d->conn, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) !=
        SQLITE_OK)
        LOG_WARN(LOG_DB, "checkpoint of %s at the end: %s", d->path, sqlite3_errmsg(d->conn));
    release(d);
}

enum err db_read_open(struct db *d, sqlite3 **out, struct error *e)
{
    return open_connection(d->path, SQLITE_OPEN_READONLY, READ_CACHE_KB, out, e);
}
