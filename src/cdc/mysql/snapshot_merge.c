/* cdc/mysql/snapshot_merge.c - rows that several threads read, as they come; those of one table in
 * their order.
 *
 * The last row of a table waits until another row has come or all threads are done: only then it is
 * known whether it is the last of all. SPEC: cdc-mysql 3.4, 3.5 */
#include "cdc/mysql/snapshot.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/snapshot_threads.h"

#define WAIT_MS 100         /* for a block, when there is nothing to hand out */
#define GATHER_MS 50        /* for more of them, when there is */
#define KEEP_ALIVE_MS 30000 /* of the session that holds the locks */

struct merge_table {
    struct table_read read;
    const struct snap_table *table;
    bool begun;
};
struct snapshot_merge {
    struct thread_job *jobs;
    struct merge_table *tables; /* of the same indexes */
    size_t count;
    struct row_block *block; /* being told; NULL: none */
    const char *at;          /* in it */
    uint32_t row;
    struct row_block *held; /* its last row waits; NULL: none */
    const char *held_at;
    int64_t alive_ms;
};

/* --- life ------------------------------------------------------------------------------------- */

void snapshot_merge_free(struct snapshot *s)
{
    struct snapshot_merge *m = s->merge;
    if (m && m->block)
        snapshot_threads_give_back(s->threads, m->block);
    if (m && m->held)
        snapshot_threads_give_back(s->threads, m->held);
    snapshot_threads_free(s->threads);
    s->threads = NULL;
    s->merge = NULL;
    s->rendered = NULL;
    for (size_t i = 0; m && i < m->count; i++) {
        struct thread_job *job = &m->jobs[i];
        for (uint32_t c = 0; job->names && c < job->columns; c++)
            mem_free(job->names[c]);
        mem_free(job->names);
        mem_free(job->sql);
        table_read_release(&m->tables[i].read);
    }
    if (m) {
        mem_free(m->jobs);
        mem_free(m->tables);
    }
    mem_free(m);
}

static enum err start(struct snapshot *s, struct error *e)
{
    struct snapshot_merge *m = s->merge = xcalloc(1, sizeof *m);
    m->jobs = xcalloc(s->order_count + 1, sizeof *m->jobs);
    m->tables = xcalloc(s->order_count + 1, sizeof *m->tables);
    m->alive_ms = clock_mono_ms();
    for (size_t i = 0; i < s->order_count; i++) {
        const struct snap_table *t = &s->tables[s->order[i]];
        struct merge_table *table = &m->tables[m->count];
        struct strbuf sql = STRBUF_INIT;
        if (!table_read_open(s, t, i + 1, &table->read))
            continue;
        table->table = t;
        table_read_sql(s, t, &table->read, &sql);
        m->jobs[m->count++].sql = slice_dup(strbuf_slice(&sql));
        strbuf_release(&sql);
    }
    return snapshot_threads_start(s->threads, m->jobs, m->count, e);
}

/* --- rows ------------------------------------------------------------------------------------- */

static struct merge_table *table_of(struct snapshot_merge *m, const struct row_block *b)
{
    return &m->tables[b->job - m->jobs];
}

/* The row at `at` into the cells of its table; where the next one is. */
static const char *take_cells(struct table_read *r, const char *at)
{
    for (uint32_t i = 0; i < r->column_count; i++) {
        uint32_t n;
        memcpy(&n, at, sizeof n);
        at += sizeof n;
        bool null = n == ROW_NULL;
        r->cells[i] = (struct mysql_cell){null ? NULL : (const uint8_t *)at, null ? 0 : n,
                                          null ? CELL_NULL : CELL_VALUE};
        at += null ? 1 : (size_t)n + 1;
    }
    return at;
}

/* *at moves behind the row. */
static enum err tell(struct snapshot *s, struct table_read *r, const char **at,
                     struct record_batch *b, bool last, bool last_of_table, struct error *e)
{
    struct value *source;
    const char *marker = snapshot_marker(last, s->total == 0, last_of_table, r->rows == 0);
    *at = take_cells(r, *at);
    return table_read_row(s, r, b, (struct emit_time){s->batch_us}, marker, &source, e);
}

/* The row that waited. */
static enum err tell_held(struct snapshot *s, struct record_batch *b, bool last, struct error *e)
{
    struct snapshot_merge *m = s->merge;
    struct table_read *r = &table_of(m, m->held)->read;
    enum err rc = tell(s, r, &m->held_at, b, last, true, e);
    if (rc)
        return rc;
    snapshot_threads_give_back(s->threads, m->held);
    m->held = NULL;
    table_read_end(s, r);
    return E_OK;
}

static enum err begin_block(struct snapshot *s, struct error *e)
{
    struct snapshot_merge *m = s->merge;
    struct merge_table *t = table_of(m, m->block);
    const struct thread_job *job = m->block->job;
    m->at = m->block->rows.p;
    m->row = 0;
    if (t->begun)
        return E_OK;
    t->begun = true;
    LOG_INFO(LOG_CDC_MYSQL, "For table '%s.%s' using select statement: '%s'", t->table->db,
             t->table->name, job->sql);
    LOG_INFO(LOG_CDC_MYSQL, "Exporting data from table '%s.%s' (%zu of %zu tables)", t->table->db,
             t->table->name, t->read.number, s->order_count);
    t->read.clock_us = job->clock_us;
    return table_read_begin(s, &t->read, (const char *const *)job->names, job->columns, e);
}

/* The next row of the block; then, perhaps, the block is done. */
static enum err one_row(struct snapshot *s, struct record_batch *b, struct error *e)
{
    struct snapshot_merge *m = s->merge;
    struct row_block *block = m->block;
    struct table_read *r = &table_of(m, block)->read;
    enum err rc = E_OK;
    if (m->row < block->count) {
        if (m->held)
            rc = tell_held(s, b, false, e);
        if (rc)
            return rc;
        if (block->ends && m->row + 1 == block->count) {
            m->held = block;
            m->held_at = m->at;
            m->block = NULL;
            return E_OK;
        }
        rc = tell(s, r, &m->at, b, false, false, e);
        m->row++;
    }
    if (rc || m->row < block->count)
        return rc;
    if (block->ends) /* a table without rows */
        table_read_end(s, r);
    else
        table_read_count(s, r);
    m->block = NULL;
    snapshot_threads_give_back(s->threads, block);
    return E_OK;
}

static void keep_alive(struct snapshot *s)
{
    struct snapshot_merge *m = s->merge;
    int64_t now = clock_mono_ms();
    if (now - m->alive_ms < KEEP_ALIVE_MS)
        return;
    m->alive_ms = now;
    if (mysql_conn_exec(s->t->conn, "DO 0", NULL))
        LOG_DEBUG(LOG_CDC_MYSQL, "the session that began the snapshot does not answer");
}

enum err snapshot_merge_rows(struct snapshot *s, struct record_batch *b, bool *done,
                             struct error *e)
{
    size_t limit = mysql_task_batch_limit(s->t);
    int64_t started = clock_mono_ms();
    enum err rc = s->merge ? E_OK : start(s, e);
    s->batch_us = clock_wall_us();
    snapshot_batch_texts(s, b);
    *done = false;
    while (rc == E_OK && b->count < limit && !mysql_task_batch_full(s->t, b) &&
           !snapshot_is_slow(b, started)) {
        struct snapshot_merge *m = s->merge;
        if (m->block) {
            rc = one_row(s, b, e);
            continue;
        }
        int64_t wait = b->count ? GATHER_MS - (clock_mono_ms() - started) : WAIT_MS;
        rc = snapshot_threads_next(s->threads, (int)MAX(wait, (int64_t)0), &m->block, e);
        if (rc == E_OK)
            rc = begin_block(s, e);
        else if (rc == E_NOT_FOUND)
            *done = true;
    }
    if (*done)
        rc = s->merge->held ? tell_held(s, b, true, e) : E_OK;
    if (rc == E_AGAIN)
        rc = E_OK;
    if (rc == E_OK)
        keep_alive(s);
    atomic_store_explicit(&s->t->rows_read, s->total, memory_order_relaxed);
    return rc;
}
