/* cdc/mysql/snapshot_rows.c - rows of the captured tables as `r` events.
 *
 * A row is converted when it is known whether another one follows it in the table, because its
 * marker depends on that: the fetched row stays in the result (row_ready) while the one before is
 * finished, and at the end of a table the next table with rows is opened first. So nothing is held
 * back between two polls but the row that libmariadb holds anyway. SPEC: cdc-mysql 3.2, 3.4 */
#include "cdc/mysql/snapshot.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/signal.h"

#define PROGRESS_MS 10000
#define BATCH_MS 400

/* --- which tables, in which order
 * --------------------------------------------------------------------------- */

static enum err estimate(struct snapshot *s, struct snap_table *t, struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    char *rows = NULL;
    strbuf_adds(&sql, "SELECT table_rows FROM information_schema.tables WHERE table_schema = ");
    mysql_quote_text(&sql, slice_cstr(t->db));
    strbuf_adds(&sql, " AND table_name = ");
    mysql_quote_text(&sql, slice_cstr(t->name));
    enum err rc = mysql_conn_scalar(s->t->conn, sql.p, 0, &rows, e);
    if (rc == E_OK && slice_to_u64(slice_cstr(rows), &t->rows))
        t->rows = 0;
    mem_free(rows);
    strbuf_release(&sql);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static _Thread_local const struct snapshot *order_of;

static int by_order(const void *a, const void *b)
{
    size_t ia = *(const size_t *)a, ib = *(const size_t *)b;
    const struct snap_table *x = &order_of->tables[ia], *y = &order_of->tables[ib];
    enum row_count_order by_rows = order_of->t->o.table_order;
    if (by_rows != ORDER_NONE && x->rows != y->rows)
        return (x->rows < y->rows) == (by_rows == ORDER_ASCENDING) ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return ia < ib ? -1 : ia > ib;
}

enum err snapshot_order_tables(struct snapshot *s, struct error *e)
{
    struct regex_list include;
    enum err rc = regex_list_parse(&include, s->t->o.snapshot_include, e);
    if (rc)
        return rc;
    struct strbuf id = STRBUF_INIT;
    s->order = xcalloc(s->count + 1, sizeof *s->order);
    for (size_t i = 0; i < s->count && rc == E_OK; i++) {
        struct snap_table *t = &s->tables[i];
        struct slice db = slice_cstr(t->db), name = slice_cstr(t->name);
        strbuf_reset(&id);
        strbuf_addf(&id, "%s.%s", t->db, t->name);
        t->wanted =
            t->captured && t->create && !capture_is_signal_table(&s->t->rules.filter, db, name) &&
            (include.count == 0 || s->request || regex_list_find(&include, strbuf_slice(&id)) >= 0);
        if (!t->wanted)
            continue;
        if (s->t->o.table_order != ORDER_NONE)
            rc = estimate(s, t, e);
        s->order[s->order_count++] = i;
    }
    strbuf_release(&id);
    regex_list_release(&include);
    order_of = s;
    if (s->order_count)
        qsort(s->order, s->order_count, sizeof *s->order, by_order);
    order_of = NULL;
    atomic_store_explicit(&s->t->tables_total, s->order_count, memory_order_relaxed);
    return rc;
}

/* --- one table
 * -------------------------------------------------------------------------------------------------
 */

/* Statement of the configuration for a table, or null. */
static struct slice override_of(struct snapshot *s, const struct snap_table *t)
{
    if (s->request) { /* here a condition is a whole statement. SPEC: cdc-mysql 3.8 */
        struct strbuf name = STRBUF_INIT;
        strbuf_addf(&name, "%s.%s", t->db, t->name);
        struct slice own = signal_filter(s->request, strbuf_slice(&name));
        strbuf_release(&name);
        return own;
    }
    struct slice list = s->t->o.select_overrides, part, found = SLICE_NULL;
    struct strbuf key = STRBUF_INIT;
    char *id = xasprintf("%s.%s", t->db, t->name);
    while (list.p && slice_split(&list, ',', &part)) {
        part = slice_trim(part);
        if (!slice_ieq(part, slice_cstr(id)))
            continue;
        strbuf_adds(&key, "snapshot.select.statement.overrides.");
        strbuf_add_slice(&key, part);
        found = strmap_get(&s->t->o.config, strbuf_slice(&key));
        break;
    }
    mem_free(id);
    strbuf_release(&key);
    return found;
}

static void build_select(struct snapshot *s, const struct snap_table *t, struct strbuf *sql)
{
    struct slice own = override_of(s, t);
    if (own.p) {
        strbuf_add_slice(sql, own);
        return;
    }
    const struct shape *shape = s->shape;
    strbuf_adds(sql, "SELECT ");
    bool any = false;
    for (uint32_t i = 0; i < shape->table->column_count; i++) {
        if (shape->slots[i] < 0 && shape->row_count > 0)
            continue;
        strbuf_adds(sql, any ? ", " : "");
        mysql_quote_name(sql, shape->table->columns[i].name);
        any = true;
    }
    strbuf_adds(sql, " FROM ");
    mysql_quote_name(sql, slice_cstr(t->db));
    strbuf_addc(sql, '.');
    mysql_quote_name(sql, slice_cstr(t->name));
}

static enum err read_clock(struct snapshot *s, struct error *e)
{
    char *now = NULL;
    int64_t seconds = clock_wall_ms() / 1000;
    enum err rc =
        mysql_conn_scalar(s->t->conn, "SELECT UNIX_TIMESTAMP(CURRENT_TIMESTAMP)", 0, &now, e);
    if (rc == E_OK && slice_to_i64(slice_cstr(now), &seconds))
        seconds = clock_wall_ms() / 1000;
    mem_free(now);
    source_info_time(&s->t->em.source, seconds * 1000000);
    return rc;
}

static void set_source(struct snapshot *s)
{
    struct value *f = s->t->em.source.fields;
    f[SOURCE_SNAPSHOT] = value_string(SL("true"));
    f[SOURCE_DB] = value_string(s->shape->table->db);
    f[SOURCE_TABLE] = value_string(s->shape->table->name);
    f[SOURCE_SERVER_ID] = value_int(s->request ? s->at.server_id : 0);
    f[SOURCE_GTID] = value_string(s->batch_gtid);
    f[SOURCE_FILE] = value_string(s->file);
    f[SOURCE_POS] = value_int((int64_t)s->at.pos);
    f[SOURCE_ROW] = value_int(0);
    f[SOURCE_THREAD] = value_null();
    f[SOURCE_QUERY] = value_null();
}

static enum err map_columns(struct snapshot *s, struct error *e)
{
    s->columns = xrealloc(s->columns, (s->result.columns + 1) * sizeof *s->columns);
    s->cells = xrealloc(s->cells, (s->result.columns + 1) * sizeof *s->cells);
    for (unsigned i = 0; i < s->result.columns; i++) {
        int at = mysql_table_column(s->shape->table, slice_cstr(s->result.names[i]));
        if (at < 0)
            return error_set(e, E_INVALID,
                             "the statement for table " PRI_SL " gives column %s, which the "
                             "table does not have",
                             ARG_SL(s->shape->table->name), s->result.names[i]);
        s->columns[i] = (uint32_t)at;
    }
    return E_OK;
}

static enum err fetch(struct snapshot *s, struct error *e)
{
    enum err rc = mysql_result_next(&s->result, e);
    s->row_ready = rc == E_OK;
    if (rc != E_NOT_FOUND)
        return rc;
    mysql_result_end(&s->result);
    s->result_open = false;
    LOG_INFO(LOG_CDC_MYSQL,
             "\t Finished exporting %llu records for table '" PRI_SL "." PRI_SL
             "' (%zu of %zu tables); total "
             "duration '%lld ms'",
             (unsigned long long)s->table_rows, ARG_SL(s->table->db), ARG_SL(s->table->name),
             s->next, s->order_count, (long long)(clock_mono_ms() - s->table_started_ms));
    atomic_store_explicit(&s->t->tables_done, s->next, memory_order_relaxed);
    snapshot_note_table(s, true);
    return E_OK;
}

static enum err open_table(struct snapshot *s, struct snap_table *t, struct error *e)
{
    const struct mysql_table *table =
        mysql_schema_find(s->t->schema, slice_cstr(t->db), slice_cstr(t->name));
    if (!table) {
        LOG_WARN(LOG_CDC_MYSQL, "the structure of table %s.%s is not known; its rows are left out",
                 t->db, t->name);
        return E_OK;
    }
    mysql_table_unref(s->table);
    s->table = mysql_table_ref(table);
    s->shape = shapes_get(&s->t->shapes, table);
    enum err rc = read_clock(s, e);
    if (rc)
        return rc;
    set_source(s);
    struct strbuf sql = STRBUF_INIT;
    build_select(s, t, &sql);
    LOG_INFO(LOG_CDC_MYSQL, "For table '%s.%s' using select statement: '%s'", t->db, t->name,
             sql.p);
    LOG_INFO(LOG_CDC_MYSQL, "Exporting data from table '%s.%s' (%zu of %zu tables)", t->db, t->name,
             s->next, s->order_count);
    rc = mysql_conn_query(s->t->conn, sql.p, &s->result, e);
    strbuf_release(&sql);
    if (rc)
        return rc;
    s->result_open = true;
    s->table_rows = 0;
    snapshot_note_table(s, false);
    s->first_of_table = true;
    s->table_started_ms = s->last_log_ms = clock_mono_ms();
    rc = map_columns(s, e);
    if (rc)
        return rc;
    render_plan_free(s->plan);
    s->plan = render_plan_texts(s->shape, s->columns, s->result.columns, &s->t->em.source,
                                s->t->ctx->direct);
    s->plan_begun = false;
    return fetch(s, e);
}

/* Opens tables until a row is ready or none is left. */
static enum err next_table(struct snapshot *s, struct error *e)
{
    enum err rc = E_OK;
    while (rc == E_OK && !s->row_ready && s->next < s->order_count)
        rc = open_table(s, &s->tables[s->order[s->next++]], e);
    return rc;
}

/* --- rows
 * ---------------------------------------------------------------------------------------------------------
 */

static void progress(struct snapshot *s)
{
    if ((s->table_rows & 0xfff) != 0 || clock_mono_ms() - s->last_log_ms < PROGRESS_MS)
        return;
    s->last_log_ms = clock_mono_ms();
    LOG_INFO(LOG_CDC_MYSQL,
             "\t Exported %llu records for table '" PRI_SL "." PRI_SL "' after %lld ms",
             (unsigned long long)s->table_rows, ARG_SL(s->table->db), ARG_SL(s->table->name),
             (long long)(clock_mono_ms() - s->table_started_ms));
}

static enum err row_as_values(struct snapshot *s, struct record_batch *b, struct emit_time t,
                              struct value **source, struct error *e)
{
    struct value *row;
    s->t->env.arena = &b->arena;
    enum err rc = shape_texts(s->shape, &s->t->env, s->columns, s->result.columns, s->result.row,
                              s->result.length, &row, e);
    return rc ? rc : emit_read(&s->t->em, b, s->shape, row, t, source, e);
}

static enum err row_as_text(struct snapshot *s, struct record_batch *b, struct emit_time t,
                            struct error *e)
{
    if (!s->plan_begun) {
        enum err rc = render_begin(&s->renderer, s->plan, &s->t->em, RENDER_READ, t, e);
        if (rc)
            return rc;
        s->plan_begun = true;
    }
    for (unsigned i = 0; i < s->result.columns; i++) {
        const char *p = s->result.row[i];
        if (UNLIKELY(p && s->result.length[i] > UINT32_MAX))
            return E_UNSUPPORTED;
        s->cells[i] = (struct mysql_cell){(const uint8_t *)p, p ? (uint32_t)s->result.length[i] : 0,
                                          p ? CELL_VALUE : CELL_NULL};
    }
    return render_row(&s->renderer, &s->t->em, b, NULL, s->cells, 0, e);
}

/* The marker of a row: of one that is the last of all, or (last false) of others. NULL: none of its
 * own. `first` is the first row of the first table; when that is empty, nothing has the mark. */
static const char *marker_of(bool last, bool first, bool last_of_table, bool first_of_table)
{
    return last             ? "last"
           : first          ? "first"
           : last_of_table  ? "last_in_data_collection"
           : first_of_table ? "first_in_data_collection"
                            : NULL;
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
    const char *usual = marker_of(false, first, ends, first_of_table);
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

/* The row in the result becomes a record; then it is known what follows and the marker is set. */
static enum err one_row(struct snapshot *s, struct record_batch *b, struct emit_time t,
                        struct error *e)
{
    struct value *source = NULL;
    bool first_of_table = s->first_of_table, first = first_of_table && s->next == 1;
    enum err rc = s->plan ? row_as_text(s, b, t, e) : E_UNSUPPORTED;
    if (rc == E_UNSUPPORTED)
        rc = row_as_values(s, b, t, &source, e);
    if (rc)
        return rc;
    s->first_of_table = false;
    s->table_rows++;
    s->total++;
    rc = mark_row(s, b, source, first, first_of_table, e);
    if (rc == E_OK)
        progress(s);
    return rc;
}

/* Rows that come slowly are handed on before the batch is full. */
static bool is_slow(const struct record_batch *b, int64_t started)
{
    return b->count % 64 == 0 && b->count > 0 && clock_mono_ms() - started > BATCH_MS;
}

enum err snapshot_rows(struct snapshot *s, struct record_batch *b, bool *done, struct error *e)
{
    size_t limit = mysql_task_batch_limit(s->t);
    struct emit_time t = {clock_wall_us()};
    s->plan_begun = false;
    s->file = arena_dup(&b->arena, slice_cstr(s->at.file));
    s->t->em.source.fields[SOURCE_FILE] = value_string(s->file);
    s->batch_gtid = arena_dup(&b->arena, slice_cstr(s->gtid));
    s->t->em.source.fields[SOURCE_GTID] = value_string(s->batch_gtid);
    int64_t started = clock_mono_ms();
    enum err rc = next_table(s, e);
    while (rc == E_OK && s->row_ready && b->count < limit && !mysql_task_batch_full(b) &&
           !is_slow(b, started))
        rc = one_row(s, b, t, e);
    atomic_store_explicit(&s->t->rows_read, s->total, memory_order_relaxed);
    *done = rc == E_OK && !s->row_ready;
    return rc;
}
