/* cdc/mysql/signals.c - signals of a MySQL connector: rows of the signal table, tables that signals
 * name, blocking snapshots in the place of the stream. SPEC: cdc-mysql 3.6, 3.8 */
#include "cdc/mysql/signals.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/snapshot.h"
#include "cdc/mysql/stream.h"

/* --- tables ----------------------------------------------------------------------------------- */

const struct mysql_table *signals_table(const struct mysql_task *t, struct slice id)
{
    const struct mysql_table *table;
    ptrdiff_t dot = slice_find_char(id, '.');
    if (dot > 0) {
        table = mysql_schema_find(t->schema, slice_sub(id, 0, (size_t)dot),
                                  slice_sub(id, (size_t)dot + 1, id.n));
        if (table)
            return table;
    }
    for (size_t i = 0; (table = mysql_schema_next(t->schema, &i));) {
        struct strbuf name = STRBUF_INIT;
        strbuf_addf(&name, PRI_SL "." PRI_SL, ARG_SL(table->db), ARG_SL(table->name));
        bool same = slice_ieq(strbuf_slice(&name), id);
        strbuf_release(&name);
        if (same)
            break;
    }
    return table;
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void list_tables(void *db, const struct signal_request *r, struct signal_names *out)
{
    const struct mysql_signals *g = db;
    const struct mysql_task *t = g->t;
    struct strbuf id = STRBUF_INIT;
    const struct mysql_table *table;
    (void)r;
    for (size_t i = 0; (table = mysql_schema_next(t->schema, &i));) {
        if (table->is_view || table->is_sequence || !mysql_task_captures(t, table) ||
            capture_is_signal_table(&t->rules.filter, table->db, table->name))
            continue;
        strbuf_reset(&id);
        strbuf_addf(&id, PRI_SL "." PRI_SL, ARG_SL(table->db), ARG_SL(table->name));
        signal_names_add(out, strbuf_slice(&id));
    }
    strbuf_release(&id);
    if (out->count > 1)
        qsort(out->items, out->count, sizeof *out->items, by_text);
}

/* --- the stream's position -------------------------------------------------------------------- */

static void print_offset(void *db, struct strbuf *out)
{
    const struct mysql_signals *g = db;
    struct mysql_offset at;
    mysql_offset_init(&at);
    if (g->t->stream)
        stream_offset(g->t->stream, &at);
    else
        mysql_offset_copy(&at, &g->t->offset);
    mysql_offset_print(&at, false, out);
    mysql_offset_release(&at);
}

static void wants_offset(void *db)
{
    struct mysql_signals *g = db;
    stream_wants_offset(g->t->stream);
}

static enum err put_offset(void *db, struct record_batch *b, struct error *e)
{
    struct mysql_signals *g = db;
    (void)e;
    return stream_put_offset(g->t->stream, b);
}

/* --- rows of the stream ----------------------------------------------------------------------- */

bool signals_watch(const struct mysql_signals *g, const struct shape *s)
{
    return capture_is_signal_table(&g->t->rules.filter, s->table->db, s->table->name) ||
           (incremental_watches(&g->work.inc) &&
            chunk_is_of(g->reader, s->table->db, s->table->name));
}

bool signals_listen(const struct mysql_signals *g, const struct shape *s, enum mysql_rows_op op)
{
    /* What is not told must not take rows out of a chunk, but rows that are gone are. */
    return g && signals_watch(g, s) &&
           (op == ROWS_DELETE ||
            capture_is_signal_table(&g->t->rules.filter, s->table->db, s->table->name));
}

static struct slice cell_text(const struct shape *s, const struct mysql_table_map *map,
                              const struct mysql_cell *cells, uint32_t i, struct arena *a)
{
    struct value v = value_null();
    struct value_env env = {.arena = a};
    strbuf_init(&env.scratch, 0);
    if (codec_cell(&s->codecs[i], &env, &map->columns[i], &cells[i], &v))
        v = value_null();
    strbuf_release(&env.scratch);
    return v.kind == VALUE_STRING || v.kind == VALUE_BYTES ? arena_dup(a, value_slice(v))
                                                           : SLICE_NULL;
}

static void on_signal_row(struct mysql_signals *g, const struct shape *s,
                          const struct mysql_table_map *map, enum mysql_rows_op op,
                          const struct mysql_cell *cells)
{
    struct arena a;
    if (s->table->column_count != 3) {
        if (!g->told_fields)
            LOG_WARN(LOG_CDC_MYSQL,
                     "The signal event should have 3 fields but has %u: the signal "
                     "table needs the columns id, type and data, and no others",
                     s->table->column_count);
        g->told_fields = true;
        return;
    }
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    struct signal sig = {.id = cell_text(s, map, cells, 0, &a),
                         .type = cell_text(s, map, cells, 1, &a),
                         .data = cell_text(s, map, cells, 2, &a)};
    signal_work_row(&g->work, &sig, op == ROWS_WRITE);
    arena_release(&a);
}

void signals_row(struct mysql_signals *g, const struct shape *s, const struct mysql_table_map *map,
                 enum mysql_rows_op op, const struct mysql_cell *before,
                 const struct mysql_cell *after)
{
    if (capture_is_signal_table(&g->t->rules.filter, s->table->db, s->table->name)) {
        if (op != ROWS_UPDATE)
            on_signal_row(g, s, map, op, op == ROWS_WRITE ? after : before);
        return;
    }
    if (op != ROWS_WRITE)
        chunk_streamed(g, s, map, before, NULL);
    if (op != ROWS_DELETE)
        chunk_streamed(g, s, map, after, op == ROWS_UPDATE ? before : NULL);
}

void signals_table_changed(struct mysql_signals *g, struct slice db, struct slice table)
{
    if (g && g->work.inc.window != INC_NONE && chunk_is_of(g->reader, db, table))
        incremental_drop(&g->work.inc);
}

/* --- blocking snapshots ----------------------------------------------------------------------- */

static bool blocking_runs(void *db)
{
    const struct mysql_signals *g = db;
    return g->t->snapshot != NULL;
}

static enum err blocking_begin(void *db, const struct signal_request *r, struct error *e)
{
    struct mysql_signals *g = db;
    enum err rc = stream_session(g->t->stream, e);
    if (rc == E_OK)
        g->t->snapshot = snapshot_new_blocking(g->t, r);
    return rc;
}

static enum err blocking_poll(void *db, struct record_batch *b, bool *done, struct error *e)
{
    struct mysql_signals *g = db;
    return snapshot_poll(g->t->snapshot, b, done, e);
}

static enum err blocking_end(void *db, struct record_batch *b, bool failed, bool again,
                             struct error *e)
{
    struct mysql_signals *g = db;
    struct mysql_task *t = g->t;
    (void)b;
    (void)e;
    if (failed && t->snapshot)
        snapshot_aborted(t->snapshot);
    if (failed && !again)
        snapshot_queue_done(&g->work.blocking);
    snapshot_free(t->snapshot);
    t->snapshot = NULL;
    if (failed) { /* ends what is locked and open */
        mysql_conn_close(t->conn);
        t->conn = NULL;
    }
    stream_resumed(t->stream);
    return E_OK;
}

/* --- life ------------------------------------------------------------------------------------- */

static const struct signal_work_ops work_ops = {
    .log = LOG_CDC_MYSQL,
    .incremental = &mysql_incremental_ops,
    .kind = "table",
    .no_position = "the position is not changed while the connector runs; stop it and PATCH "
                   "/connectors/NAME/offsets",
    .list = list_tables,
    .print_offset = print_offset,
    .wants_offset = wants_offset,
    .put_offset = put_offset,
    .blocking_runs = blocking_runs,
    .blocking_begin = blocking_begin,
    .blocking_poll = blocking_poll,
    .passes = mysql_fault_passes,
    .blocking_end = blocking_end,
};

struct mysql_signals *signals_new(struct mysql_task *t)
{
    struct mysql_signals *g = xcalloc(1, sizeof *g);
    g->t = t;
    signal_work_init(&g->work, &work_ops, g, t->ctx, &t->o.shared, &t->scanned, t->texts);
    g->by_position = t->o.read_only || !t->rules.filter.signal_table;
    g->reader = chunk_reader_new(t);
    return g;
}

void signals_free(struct mysql_signals *g)
{
    if (!g)
        return;
    chunk_reader_free(g->reader);
    window_position_release(&g->position);
    signal_work_release(&g->work);
    mem_free(g);
}

/* --- between polls ---------------------------------------------------------------------------- */

enum err signals_poll(struct mysql_signals *g, struct record_batch *b, bool *taken, struct error *e)
{
    struct incremental *inc = &g->work.inc;
    struct error own = {0};
    if (!e)
        e = &own;
    if (g->by_position && incremental_watches(inc) && window_position_reached(g))
        (void)incremental_passed(inc, slice_cstr(inc->mark_id), false);
    if (incremental_holds(inc))
        stream_source_held(g->t->stream, b);
    enum err rc = signal_work_poll(&g->work, g->t->stream->dump != NULL, b, taken, e);
    if (g->by_position && inc->window == INC_WAITING) /* from here on the stream is compared */
        (void)incremental_passed(inc, slice_cstr(inc->mark_id), true);
    return rc;
}
