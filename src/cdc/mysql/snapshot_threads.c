/* cdc/mysql/snapshot_threads.c - see snapshot_threads.h.
 *
 * A block is handed over when the next row is there or the table has ended, so that the block with
 * the last row says so. Blocks are used again: their memory stays mapped. */
#include "cdc/mysql/snapshot_threads.h"

#include <pthread.h>
#include <time.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cdc/mysql/snapshot.h"

#define BLOCK_BYTES ((size_t)256 << 10)
#define BLOCK_MS 200 /* rows that come slowly are handed over */
#define SPARE_MAX 32

struct thread_reader {
    struct snapshot_threads *all;
    struct mysql_conn *conn;
    pthread_t thread;
    bool started;
    unsigned out; /* blocks not given back; under the lock */
};
struct snapshot_threads {
    struct thread_reader *readers;
    size_t count;
    struct thread_job *jobs;
    size_t job_count;
    pthread_mutex_t lock; /* guards all below, and readers' out */
    pthread_cond_t filled, room;
    size_t next_job, running;
    struct row_block *first, *last, *spare;
    unsigned spares;
    size_t bytes; /* of blocks not given back */
    bool stopping;
    struct error error; /* code E_OK: none */
};

/* --- blocks ----------------------------------------------------------------------------------- */

static void free_list(struct row_block *b)
{
    while (b) {
        struct row_block *next = b->next;
        strbuf_release(&b->rows);
        mem_free(b);
        b = next;
    }
}

static struct row_block *new_block(struct thread_reader *r, struct thread_job *job)
{
    struct snapshot_threads *t = r->all;
    pthread_mutex_lock(&t->lock);
    struct row_block *b = t->spare;
    if (b) {
        t->spare = b->next;
        t->spares--;
    }
    pthread_mutex_unlock(&t->lock);
    if (!b) {
        b = xcalloc(1, sizeof *b);
        strbuf_init(&b->rows, SIZE_MAX / 2);
    }
    strbuf_reset(&b->rows);
    b->next = NULL;
    b->job = job;
    b->reader = r;
    b->count = 0;
    b->ends = false;
    return b;
}

/* False: the snapshot is being stopped. */
static bool hand_over(struct thread_reader *r, struct row_block *b)
{
    struct snapshot_threads *t = r->all;
    pthread_mutex_lock(&t->lock);
    while (t->bytes > THREADS_AHEAD && r->out > 0 && !t->stopping)
        pthread_cond_wait(&t->room, &t->lock);
    bool go_on = !t->stopping;
    r->out++;
    t->bytes += b->rows.cap;
    if (t->last)
        t->last->next = b;
    else
        t->first = b;
    t->last = b;
    pthread_cond_signal(&t->filled);
    pthread_mutex_unlock(&t->lock);
    return go_on;
}

void snapshot_threads_give_back(struct snapshot_threads *t, struct row_block *b)
{
    pthread_mutex_lock(&t->lock);
    b->reader->out--;
    t->bytes -= b->rows.cap;
    pthread_cond_broadcast(&t->room);
    bool keep = t->spares < SPARE_MAX && b->rows.cap <= 2 * BLOCK_BYTES;
    if (keep) {
        b->next = t->spare;
        t->spare = b;
        t->spares++;
    }
    pthread_mutex_unlock(&t->lock);
    if (!keep) {
        b->next = NULL;
        free_list(b);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static size_t row_size(const struct mysql_result *row)
{
    size_t n = 0;
    for (unsigned i = 0; i < row->columns; i++)
        n += 5 + (row->row[i] ? row->length[i] : 0);
    return n;
}

static enum err add_row(struct row_block *b, const struct mysql_result *row, size_t size,
                        struct error *e)
{
    if (strbuf_reserve(&b->rows, size + 1))
        return error_set(e, E_NOMEM, "no memory for a row of %zu bytes", size);
    char *at = b->rows.p + b->rows.n;
    for (unsigned i = 0; i < row->columns; i++) {
        uint32_t n = row->row[i] ? (uint32_t)row->length[i] : ROW_NULL;
        if (row->row[i] && row->length[i] >= ROW_NULL)
            return error_set(e, E_TOO_LARGE, "a value is too long");
        memcpy(at, &n, sizeof n);
        at += sizeof n;
        if (row->row[i] && n) {
            memcpy(at, row->row[i], n);
            at += n;
        }
        *at++ = '\0';
    }
    b->rows.n = (size_t)(at - b->rows.p);
    b->count++;
    return E_OK;
}

static enum err read_rows(struct thread_reader *r, struct thread_job *job,
                          struct mysql_result *result, struct error *e)
{
    struct row_block *b = new_block(r, job);
    int64_t begun = clock_mono_ms();
    enum err rc;
    while ((rc = mysql_result_next(result, e)) == E_OK) {
        size_t size = row_size(result);
        if (b->count && (b->rows.n + size > BLOCK_BYTES || clock_mono_ms() - begun > BLOCK_MS)) {
            if (!hand_over(r, b))
                return E_CANCELLED;
            b = new_block(r, job);
            begun = clock_mono_ms();
        }
        rc = add_row(b, result, size, e);
        if (rc)
            break;
    }
    if (rc == E_NOT_FOUND) {
        b->ends = true;
        return hand_over(r, b) ? E_OK : E_CANCELLED;
    }
    free_list(b);
    return rc;
}

static enum err read_table(struct thread_reader *r, struct thread_job *job, struct error *e)
{
    struct mysql_result result;
    enum err rc = table_read_clock(r->conn, &job->clock_us, e);
    if (rc == E_OK)
        rc = mysql_conn_query(r->conn, job->sql, &result, e);
    if (rc)
        return rc;
    job->names = xcalloc(result.columns + 1, sizeof *job->names);
    for (unsigned i = 0; i < result.columns; i++)
        job->names[i] = xstrdup(result.names[i]);
    job->columns = result.columns;
    rc = read_rows(r, job, &result, e);
    if (rc) /* not to its end, which may be far */
        mysql_conn_cancel(r->conn);
    mysql_result_end(&result);
    return rc;
}

static struct thread_job *take_job(struct snapshot_threads *t)
{
    struct thread_job *job = NULL;
    pthread_mutex_lock(&t->lock);
    if (!t->stopping && t->next_job < t->job_count)
        job = &t->jobs[t->next_job++];
    pthread_mutex_unlock(&t->lock);
    return job;
}

static void *run(void *arg)
{
    struct thread_reader *r = arg;
    struct snapshot_threads *t = r->all;
    struct thread_job *job;
    struct error e = {0};
    enum err rc = E_OK;
    while (rc == E_OK && (job = take_job(t)))
        rc = read_table(r, job, &e);
    pthread_mutex_lock(&t->lock);
    if (rc && t->error.code == E_OK) {
        t->error = e;
        t->error.code = rc;
    }
    t->stopping |= rc != E_OK;
    t->running--;
    pthread_cond_signal(&t->filled);
    pthread_cond_broadcast(&t->room);
    pthread_mutex_unlock(&t->lock);
    if (rc) /* each its own, so that their time does not add up */
        mysql_conn_hang_up(r->conn);
    return NULL;
}

/* --- the task's side -------------------------------------------------------------------------- */

enum err snapshot_threads_open(struct snapshot_threads **out, const struct mysql_conn_options *o,
                               size_t count, struct error *e)
{
    struct snapshot_threads *t = xcalloc(1, sizeof *t);
    pthread_condattr_t attr;
    enum err rc = E_OK;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->filled, &attr);
    pthread_cond_init(&t->room, NULL);
    pthread_condattr_destroy(&attr);
    t->readers = xcalloc(count, sizeof *t->readers);
    for (; t->count < count && rc == E_OK; t->count++) {
        struct thread_reader *r = &t->readers[t->count];
        r->all = t;
        rc = mysql_conn_open(o, &r->conn, e);
        if (rc)
            break;
    }
    if (rc) {
        snapshot_threads_free(t);
        return error_wrap(e, "session %zu of the snapshot", t->count + 1);
    }
    *out = t;
    return E_OK;
}

size_t snapshot_threads_count(const struct snapshot_threads *t)
{
    return t->count;
}

struct mysql_conn *snapshot_threads_conn(struct snapshot_threads *t, size_t i)
{
    return t->readers[i].conn;
}

enum err snapshot_threads_start(struct snapshot_threads *t, struct thread_job *jobs, size_t count,
                                struct error *e)
{
    t->jobs = jobs;
    t->job_count = count;
    for (size_t i = 0; i < t->count; i++) {
        struct thread_reader *r = &t->readers[i];
        pthread_mutex_lock(&t->lock);
        t->running++;
        pthread_mutex_unlock(&t->lock);
        int rc = pthread_create(&r->thread, NULL, run, r);
        r->started = rc == 0;
        if (rc) {
            pthread_mutex_lock(&t->lock);
            t->running--;
            pthread_mutex_unlock(&t->lock);
            return error_sys(e, rc, "starting a thread of the snapshot");
        }
    }
    return E_OK;
}

static struct timespec deadline(int wait_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += wait_ms / 1000;
    at.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

enum err snapshot_threads_next(struct snapshot_threads *t, int wait_ms, struct row_block **out,
                               struct error *e)
{
    struct timespec until = deadline(wait_ms);
    enum err rc = E_OK;
    pthread_mutex_lock(&t->lock);
    while (!t->first && t->running && t->error.code == E_OK && rc == E_OK)
        if (pthread_cond_timedwait(&t->filled, &t->lock, &until))
            rc = E_AGAIN;
    if (t->error.code) {
        rc = t->error.code;
        if (e)
            *e = t->error;
    } else if (t->first) {
        rc = E_OK;
        *out = t->first;
        t->first = t->first->next;
        if (!t->first)
            t->last = NULL;
        (*out)->next = NULL;
    } else if (!t->running) {
        rc = E_NOT_FOUND;
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

void snapshot_threads_free(struct snapshot_threads *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_cond_broadcast(&t->room);
    bool running = t->running > 0;
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; running && i < t->count; i++)
        mysql_conn_cancel(t->readers[i].conn);
    for (size_t i = 0; i < t->count; i++) {
        if (t->readers[i].started)
            pthread_join(t->readers[i].thread, NULL);
        mysql_conn_close(t->readers[i].conn);
    }
    free_list(t->first);
    free_list(t->spare);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->filled);
    pthread_cond_destroy(&t->room);
    mem_free(t->readers);
    mem_free(t);
}
