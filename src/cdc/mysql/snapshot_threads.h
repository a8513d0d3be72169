/* cdc/mysql/snapshot_threads.h - further sessions of a snapshot, each with a thread that reads tables
 * into blocks of rows (snapshot.max.threads).
 *
 * Sessions are opened and get their views while the locks are held, so that all see the same. Then
 * threads take jobs, one table each, in order; of one table the blocks come in order. What is read
 * and not given back is bounded: a thread waits when all blocks together are larger than
 * THREADS_AHEAD and one of them is its own. SPEC: cdc-mysql 3.5. Thread: the task's, but for what
 * the threads do themselves. */
#ifndef WEIR_CDC_MYSQL_SNAPSHOT_THREADS_H
#define WEIR_CDC_MYSQL_SNAPSHOT_THREADS_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "cdc/mysql/conn.h"

#define THREADS_AHEAD ((size_t)8 << 20)

/* A table to read. sql is owned by the job; the rest is set before its first block comes. */
struct thread_job {
    char *sql;
    char **names; /* of the result's columns */
    uint32_t columns;
    int64_t clock_us; /* of the server when it began */
};
struct thread_reader;
struct row_block {
    struct row_block *next;
    struct thread_job *job;
    struct thread_reader *reader;
    /* Per row and column: length (u32, machine order; ROW_NULL: NULL), bytes, a NUL byte. */
    struct strbuf rows;
    uint32_t count;
    bool ends; /* the last one of its job; may be without rows */
};
#define ROW_NULL UINT32_MAX

struct snapshot_threads;
/* Connects count sessions. */
enum err snapshot_threads_open(struct snapshot_threads **out, const struct mysql_conn_options *o,
                               size_t count, struct error *e) MUST_CHECK;
size_t snapshot_threads_count(const struct snapshot_threads *t);
struct mysql_conn *snapshot_threads_conn(struct snapshot_threads *t, size_t i); /* before start */
/* jobs are borrowed until free. */
enum err snapshot_threads_start(struct snapshot_threads *t, struct thread_job *jobs, size_t count,
                                struct error *e) MUST_CHECK;
/* The next block, to be given back. E_AGAIN: none within wait_ms; E_NOT_FOUND: all has been read;
 * others: what a thread met, the first one. */
enum err snapshot_threads_next(struct snapshot_threads *t, int wait_ms, struct row_block **out,
                               struct error *e) MUST_CHECK;
void snapshot_threads_give_back(struct snapshot_threads *t, struct row_block *b);
/* Also in the middle: statements are cancelled. NULL allowed. */
void snapshot_threads_free(struct snapshot_threads *t);

#endif
