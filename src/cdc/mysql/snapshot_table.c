/* cdc/mysql/snapshot_table.c - one table of a snapshot: its statement, its rows as `r` events. SPEC:
 * cdc-mysql 3.2, 3.4 */
#include "cdc/mysql/snapshot.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/signal.h"

#define PROGRESS_MS 10000

/* --- the statement ---------------------------------------------------------------------------- */

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

void table_read_sql(struct snapshot *s, const struct snap_table *t, const struct table_read *r,
                    struct strbuf *sql)
{
    struct slice own = override_of(s, t);
    if (own.p) {
        strbuf_add_slice(sql, own);
        return;
    }
    const struct shape *shape = r->shape;
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

enum err table_read_clock(struct mysql_conn *c, int64_t *us, struct error *e)
{
    char *now = NULL;
    int64_t seconds = clock_wall_ms() / 1000;
    enum err rc = mysql_conn_scalar(c, "SELECT UNIX_TIMESTAMP(CURRENT_TIMESTAMP)", 0, &now, e);
    if (rc == E_OK && slice_to_i64(slice_cstr(now), &seconds))
        seconds = clock_wall_ms() / 1000;
    mem_free(now);
    *us = seconds * 1000000;
    return rc;
}

/* --- life ------------------------------------------------------------------------------------- */

bool table_read_open(struct snapshot *s, const struct snap_table *t, size_t number,
                     struct table_read *r)
{
    const struct mysql_table *table =
        mysql_schema_find(s->t->schema, slice_cstr(t->db), slice_cstr(t->name));
    mysql_table_unref(r->table);
    r->table = mysql_table_ref(table);
    r->number = number;
    r->rows = 0;
    if (table)
        r->shape = shapes_get(&s->t->shapes, table);
    else
        LOG_WARN(LOG_CDC_MYSQL, "the structure of table %s.%s is not known; its rows are left out",
                 t->db, t->name);
    return table != NULL;
}

enum err table_read_begin(struct snapshot *s, struct table_read *r, const char *const *names,
                          uint32_t count, struct error *e)
{
    r->started_ms = r->last_log_ms = clock_mono_ms();
    r->column_count = count;
    r->columns = xrealloc(r->columns, (count + 1) * sizeof *r->columns);
    r->cells = xrealloc(r->cells, (count + 1) * sizeof *r->cells);
    r->texts = xrealloc(r->texts, (count + 1) * sizeof *r->texts);
    r->lengths = xrealloc(r->lengths, (count + 1) * sizeof *r->lengths);
    snapshot_note_table(s, r, false);
    for (uint32_t i = 0; i < count; i++) {
        int at = mysql_table_column(r->table, slice_cstr(names[i]));
        if (at < 0)
            return error_set(e, E_INVALID,
                             "the statement for table " PRI_SL " gives column %s, which the "
                             "table does not have",
                             ARG_SL(r->table->name), names[i]);
        r->columns[i] = (uint32_t)at;
    }
    render_plan_free(r->plan);
    r->plan = render_plan_texts(r->shape, r->columns, count, &s->t->em.source, s->t->ctx->direct);
    s->rendered = NULL;
    return E_OK;
}

void table_read_count(struct snapshot *s, const struct table_read *r)
{
    struct strbuf id = STRBUF_INIT;
    if (!r->table)
        return;
    strbuf_addf(&id, PRI_SL "." PRI_SL, ARG_SL(r->table->db), ARG_SL(r->table->name));
    scan_counts_set(&s->t->scanned, strbuf_slice(&id), r->rows);
    strbuf_release(&id);
}

void table_read_end(struct snapshot *s, struct table_read *r)
{
    table_read_count(s, r);
    LOG_INFO(LOG_CDC_MYSQL,
             "\t Finished exporting %llu records for table '" PRI_SL "." PRI_SL
             "' (%zu of %zu tables); total "
             "duration '%lld ms'",
             (unsigned long long)r->rows, ARG_SL(r->table->db), ARG_SL(r->table->name), r->number,
             s->order_count, (long long)(clock_mono_ms() - r->started_ms));
    atomic_fetch_add_explicit(&s->t->tables_done, 1, memory_order_relaxed);
    snapshot_note_table(s, r, true);
}

void table_read_release(struct table_read *r)
{
    mysql_table_unref(r->table);
    mem_free(r->columns);
    mem_free(r->cells);
    mem_free(r->texts);
    mem_free(r->lengths);
    render_plan_free(r->plan);
    memset(r, 0, sizeof *r);
}

/* --- rows ------------------------------------------------------------------------------------- */

static void set_source(struct snapshot *s, const struct table_read *r, const char *marker)
{
    struct value *f = s->t->em.source.fields;
    source_info_time(&s->t->em.source, r->clock_us);
    f[SOURCE_SNAPSHOT] = value_string(slice_cstr(marker ? marker : "true"));
    f[SOURCE_DB] = value_string(r->table->db);
    f[SOURCE_TABLE] = value_string(r->table->name);
    f[SOURCE_SERVER_ID] = value_int(s->request ? s->at.server_id : 0);
    f[SOURCE_GTID] = value_string(s->batch_gtid);
    f[SOURCE_FILE] = value_string(s->file);
    f[SOURCE_POS] = value_int((int64_t)s->at.pos);
    f[SOURCE_ROW] = value_int(0);
    f[SOURCE_THREAD] = value_null();
    f[SOURCE_QUERY] = value_null();
}

static void progress(struct table_read *r)
{
    if ((r->rows & 0xfff) != 0 || clock_mono_ms() - r->last_log_ms < PROGRESS_MS)
        return;
    r->last_log_ms = clock_mono_ms();
    LOG_INFO(LOG_CDC_MYSQL,
             "\t Exported %llu records for table '" PRI_SL "." PRI_SL "' after %lld ms",
             (unsigned long long)r->rows, ARG_SL(r->table->db), ARG_SL(r->table->name),
             (long long)(clock_mono_ms() - r->started_ms));
}

static enum err as_values(struct snapshot *s, struct table_read *r, struct record_batch *b,
                          struct emit_time t, struct value **source, struct error *e)
{
    struct value *row;
    for (uint32_t i = 0; i < r->column_count; i++) {
        r->texts[i] = r->cells[i].state == CELL_VALUE ? (const char *)r->cells[i].p : NULL;
        r->lengths[i] = r->cells[i].n;
    }
    s->t->env.arena = &b->arena;
    enum err rc = shape_texts(r->shape, &s->t->env, r->columns, r->column_count, r->texts,
                              r->lengths, &row, e);
    return rc ? rc : emit_read(&s->t->em, b, r->shape, row, t, source, e);
}

enum err table_read_row(struct snapshot *s, struct table_read *r, struct record_batch *b,
                        struct emit_time t, const char *marker, struct value **source,
                        struct error *e)
{
    enum err rc = E_OK;
    *source = NULL;
    if (s->rendered != r || marker) {
        set_source(s, r, marker);
        if (r->plan)
            rc = render_begin(&s->renderer, r->plan, &s->t->em, RENDER_READ, t, e);
        if (rc == E_UNSUPPORTED) { /* the rest of the table, too */
            render_plan_free(r->plan);
            r->plan = NULL;
        }
        s->rendered = marker ? NULL : r;
    }
    if (!r->plan)
        rc = E_UNSUPPORTED;
    else if (LIKELY(rc == E_OK))
        rc = render_row(&s->renderer, &s->t->em, b, NULL, r->cells, 0, e);
    if (rc == E_UNSUPPORTED)
        rc = as_values(s, r, b, t, source, e);
    if (rc)
        return rc;
    r->rows++;
    s->total++;
    progress(r);
    return E_OK;
}

const char *snapshot_marker(bool last, bool first, bool last_of_table, bool first_of_table)
{
    return last             ? "last"
           : first          ? "first"
           : last_of_table  ? "last_in_data_collection"
           : first_of_table ? "first_in_data_collection"
                            : NULL;
}
