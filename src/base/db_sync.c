/* base/db_sync.c - see db_sync.h.
 *
 * A sync takes as long as the disk likes, tens of milliseconds on a busy one. The thread does it on
 * a connection of its own: SQLite lets one connection checkpoint (PASSIVE) while another writes. What
 * is written meanwhile stays in the WAL; the writer starts the WAL anew once all of it was moved. A
 * writer that never rests would keep it growing, so db checkpoints itself beyond WAL_FRAMES_MAX,
 * with little left to move. The first commit into a new WAL syncs its header: therefore the WAL is
 * let grow to 16 MB. Owner of the connection: the thread. */
#include "base/db_sync.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <time.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"

enum { SYNC_AFTER_MS = 1000, CHECKPOINT_FRAMES = 4000, BUSY_MS = 2000 };

struct db_sync {
    char *path;
    bool full_sync;
    sqlite3 *conn; /* the thread's; opened when first needed */
    pthread_t thread;
    pthread_mutex_t mutex; /* the rest */
    pthread_cond_t wake;
    bool noted, stopping;
    int frames;
};

static bool open_connection(struct db_sync *s)
{
    if (s->conn)
        return true;
    int rc =
        sqlite3_open_v2(s->path, &s->conn,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(s->conn, BUSY_MS);
    /* The read opens the WAL. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->conn,
                          "PRAGMA cache_size=-64; PRAGMA synchronous=NORMAL; "
                          "SELECT count(*) FROM sqlite_schema",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        return true;
    LOG_ERROR(LOG_DB, "opening %s to sync it: %s", s->path, sqlite3_errstr(rc));
    sqlite3_close_v2(s->conn);
    s->conn = NULL;
    return false;
}

static void sync_wal(struct db_sync *s)
{
    sqlite3_file *f = NULL;
    if (s->full_sync)
        return;
    int rc = sqlite3_file_control(s->conn, "main", SQLITE_FCNTL_JOURNAL_POINTER, &f);
    if (rc == SQLITE_OK && f && f->pMethods)
        rc = f->pMethods->xSync(f, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
    if (rc != SQLITE_OK)
        LOG_ERROR(LOG_DB, "syncing %s failed: %s", s->path, sqlite3_errstr(rc));
}

static void bring_to_disk(struct db_sync *s, int frames)
{
    if (!open_connection(s))
        return;
    if (frames < CHECKPOINT_FRAMES) {
        sync_wal(s);
        return;
    }
    /* Syncs the WAL first. */
    int rc = sqlite3_wal_checkpoint_v2(s->conn, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY) {
        LOG_ERROR(LOG_DB, "checkpoint of %s: %s", s->path, sqlite3_errmsg(s->conn));
        sync_wal(s);
    }
}

/* Waits for the first note and then for what is due. False: stopping. */
static bool wait_until_due(struct db_sync *s)
{
    struct timespec due;
    while (!s->noted && !s->stopping)
        pthread_cond_wait(&s->wake, &s->mutex);
    clock_gettime(CLOCK_MONOTONIC, &due);
    due.tv_sec += SYNC_AFTER_MS / 1000;
    while (!s->stopping && pthread_cond_timedwait(&s->wake, &s->mutex, &due) != ETIMEDOUT)
        continue;
    return !s->stopping;
}

static void *sync_main(void *arg)
{
    struct db_sync *s = arg;
    pthread_mutex_lock(&s->mutex);
    while (wait_until_due(s)) {
        int frames = s->frames;
        s->noted = false;
        pthread_mutex_unlock(&s->mutex);
        bring_to_disk(s, frames);
        pthread_mutex_lock(&s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static void release(struct db_sync *s)
{
    sqlite3_close_v2(s->conn);
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->wake);
    mem_free(s->path);
    mem_free(s);
}

enum err db_sync_start(struct db_sync **out, const char *path, bool full_sync, struct error *e)
{
    struct db_sync *s = xcalloc(1, sizeof *s);
    pthread_condattr_t attr;
    s->path = xstrdup(path);
    s->full_sync = full_sync;
    pthread_mutex_init(&s->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    *out = s;
    enum err rc = thread_start(&s->thread, "db-sync", sync_main, s, e);
    if (rc) {
        release(s);
        *out = NULL;
    }
    return rc;
}

void db_sync_stop(struct db_sync *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->mutex);
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mutex);
    pthread_join(s->thread, NULL);
    release(s);
}

void db_sync_note(struct db_sync *s, int frames)
{
    pthread_mutex_lock(&s->mutex);
    bool first = !s->noted;
    s->noted = true;
    s->frames = frames;
    if (first)
        pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->mutex);
}
