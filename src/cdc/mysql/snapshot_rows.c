/* cdc/mysql/snapshot_rows.c - rows of the captured tables, one table after the other.
 *
 * A row is converted when it is known whether another one follows it in the table, because its
 * marker depends on that: the fetched row stays in the result (row_ready) while the one before is
 * finished, and at the end of a table the next table with rows is opened first. So nothing is held
 * back between two polls but the row that libmariadb holds anyway. SPEC: cdc-mysql 3.2, 3.4 */
#include "cdc/mysql/snapshot.h"

#include "base/clock.h"
#include "base/log.h"

#define BATCH_MS 400

static enum err fetch(struct snapshot *s, struct error *e)
{
    enum err rc = mysql_result_next(&s->result, e);
    s->row_ready = rc == E_OK;
    if (rc != E_NOT_FOUND)
        return rc;
    mysql_result_end(&s->result);
    s->result_open = false;
    table_read_end(s, &s->read);
    return E_OK;
}

static enum err open_table(struct snapshot *s, const struct snap_table *t, struct error *e)
{
    struct table_read *r = &s->read;
    struct strbuf sql = STRBUF_INIT;
    if (!table_read_open(s, t, s->next, r))
        return E_OK;
    enum err rc = table_read_clock(s->t->conn, &r->clock_us, e);
    if (rc)
        return rc;
    table_read_sql(s, t, r, &sql);
    LOG_INFO(LOG_CDC_MYSQL, "For table '%s.%s' using select statement: '%s'", t->db, t->name,
             sql.p);
    LOG_INFO(LOG_CDC_MYSQL, "Exporting data from table '%s.%s' (%zu of %zu tables)", t->db, t->name,
             s->next, s->order_count);
    rc = mysql_conn_query(s->t->conn, sql.p, &s->result, e);
    strbuf_release(&sql);
    if (rc)
        return rc;
    s->result_open = true;
    rc = table_read_begin(s, r, s->result.names, s->result.columns, e);
    return rc ? rc : fetch(s, e);
}

/* Opens tables until a row is ready or none is left. */
static enum err next_table(struct snapshot *s, struct error *e)
{
    enum err rc = E_OK;
    while (rc == E_OK && !s->row_ready && s->next < s->order_count) {
        const struct snap_table *t = &s->tables[s->order[s->next]];
        s->next++;
        rc = open_table(s, t, e);
    }
    return rc;
}

/* Fetches the row that follows, in the next table if need be, and gives the record just added its
 * marker. source: of a record of values; NULL: it is text. */
static enum err mark_row(struct snapshot *s, struct record_batch *b, struct value *source,
                         bool first, bool first_of_table, struct error *e)
{
    enum err rc = fetch(s, e);
    if (rc)
        return rc;
    bool ends = !s->row_ready;
    const char *usual = snapshot_marker(false, first, ends, first_of_table);
    if (LIKELY(!usual))
        return E_OK;
    if (!source)
        rc = render_marks(&s->renderer, &s->t->em, SL("last"), slice_cstr(usual), e);
    if (rc == E_OK && ends)
        rc = next_table(s, e);
    if (rc)
        return rc;
    bool last = !s->row_ready;
    if (!source)
        return render_mark(&s->renderer, b, !last, e);
    source[SOURCE_SNAPSHOT] = value_string(slice_cstr(last ? "last" : usual));
    return E_OK;
}

/* The row in the result becomes a record; then it is known what follows and the marker is set. The
 * mark `first` is that of the first table: when it has no rows, nothing has it. */
static enum err one_row(struct snapshot *s, struct record_batch *b, struct emit_time t,
                        struct error *e)
{
    struct value *source;
    struct table_read *r = &s->read;
    bool first_of_table = r->rows == 0, first = first_of_table && s->next == 1;
    for (uint32_t i = 0; i < r->column_count; i++) {
        const char *p = s->result.row[i];
        if (UNLIKELY(p && s->result.length[i] > UINT32_MAX))
            return error_set(e, E_TOO_LARGE, "a value of table " PRI_SL " is too long",
                             ARG_SL(r->table->name));
        r->cells[i] = (struct mysql_cell){(const uint8_t *)p, p ? (uint32_t)s->result.length[i] : 0,
                                          p ? CELL_VALUE : CELL_NULL};
    }
    enum err rc = table_read_row(s, r, b, t, NULL, &source, e);
    return rc ? rc : mark_row(s, b, source, first, first_of_table, e);
}

bool snapshot_is_slow(const struct record_batch *b, int64_t started)
{
    return b->count % 64 == 0 && b->count > 0 && clock_mono_ms() - started > BATCH_MS;
}

void snapshot_batch_texts(struct snapshot *s, struct record_batch *b)
{
    s->rendered = NULL;
    s->file = arena_dup(&b->arena, slice_cstr(s->at.file));
    s->batch_gtid = arena_dup(&b->arena, slice_cstr(s->gtid));
}

enum err snapshot_rows(struct snapshot *s, struct record_batch *b, bool *done, struct error *e)
{
    size_t limit = mysql_task_batch_limit(s->t);
    struct emit_time t = {clock_wall_us()};
    int64_t started = clock_mono_ms();
    if (s->threads)
        return snapshot_merge_rows(s, b, done, e);
    snapshot_batch_texts(s, b);
    enum err rc = next_table(s, e);
    while (rc == E_OK && s->row_ready && b->count < limit && !mysql_task_batch_full(s->t, b) &&
           !snapshot_is_slow(b, started))
        rc = one_row(s, b, t, e);
    atomic_store_explicit(&s->t->rows_read, s->total, memory_order_relaxed);
    if (s->result_open)
        table_read_count(s, &s->read);
    *done = rc == E_OK && !s->row_ready;
    return rc;
}
