/* cdc/mysql/signals_chunk.c - chunks of an incremental snapshot: marks, statements, rows.
 *
 * A chunk is kept as the texts of its result and decoded when it is handed out, with the table as
 * the stream has it then; when that is another version than the one the statement was made of, the
 * chunk is read again. Rows are found again by the columns that they are read by, whose values from
 * the binlog and from a result are brought into one form. SPEC: cdc-mysql 3.7 */
#include "base/base.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/chunk.h"
#include "cdc/mysql/signals.h"
#include "cdc/mysql/task.h"

enum { CHUNK_BYTES = 64 << 20, LATER_MAX = 5 };

struct chunk_reader {
    struct mysql_task *t;
    struct mysql_conn *conn;         /* its own session */
    const struct mysql_table *table; /* of the chunk at hand; referenced */
    struct chunk_keys keys;
    uint32_t *columns; /* table column of each result column but the keys */
    uint32_t column_count;
    int later; /* how often the table was not as the stream had told it by then */
    char open_at[CLOCK_ISO_SIZE]; /* time of the opening mark */
};
struct chunk_row {
    const char **texts;
    unsigned long *lengths;
};

struct chunk_reader *chunk_reader_new(struct mysql_task *t)
{
    struct chunk_reader *r = xcalloc(1, sizeof *r);
    r->t = t;
    chunk_keys_init(&r->keys);
    return r;
}

void chunk_reader_free(struct chunk_reader *r)
{
    if (!r)
        return;
    mysql_conn_close(r->conn);
    chunk_keys_release(&r->keys);
    mysql_table_unref(r->table);
    mem_free(r->columns);
    mem_free(r);
}

bool chunk_is_of(const struct chunk_reader *r, struct slice db, struct slice table)
{
    return r->table && slice_ieq(r->table->db, db) && slice_ieq(r->table->name, table);
}

/* --- session ---------------------------------------------------------------------------------- */

/* TIMESTAMPs in UTC; zero dates may be compared; quotes in literals mean what mysql_quote_text
 * writes. What else the server's mode says stays, because filters are written for it. */
static enum err set_up(struct mysql_conn *c, struct error *e)
{
    enum err rc = mysql_conn_exec(c, "SET time_zone='+00:00'", e);
    if (rc == E_OK)
        rc = mysql_conn_exec(
            c,
            "SET SESSION sql_mode=REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(@@sql_mode,"
            "'STRICT_TRANS_TABLES',''),'STRICT_ALL_TABLES',''),'NO_ZERO_IN_DATE',''),"
            "'NO_ZERO_DATE',''),'NO_BACKSLASH_ESCAPES','')",
            e);
    return rc ? rc : mysql_conn_exec(c, "SET SESSION autocommit=1", e);
}

/* An idle session may have been closed by the server. */
static enum err session(struct chunk_reader *r, struct error *e)
{
    enum err rc = E_OK;
    if (r->conn && mysql_conn_exec(r->conn, "DO 0", NULL)) {
        mysql_conn_close(r->conn);
        r->conn = NULL;
    }
    if (r->conn)
        return E_OK;
    struct mysql_conn_options o = mysql_task_conn_options(r->t);
    rc = mysql_conn_open(&o, &r->conn, e);
    if (rc == E_OK)
        rc = set_up(r->conn, e);
    if (rc) {
        mysql_conn_close(r->conn);
        r->conn = NULL;
        error_wrap(e, "session of the incremental snapshot");
    }
    return rc;
}

static enum err lost(struct chunk_reader *r, enum err rc, const struct error *e)
{
    if (rc != E_IO && rc != E_TIMEOUT && !(rc == E_REMOTE && mysql_error_is_lost(e)))
        return rc;
    mysql_conn_close(r->conn);
    r->conn = NULL;
    return E_IO;
}

/* --- marks ------------------------------------------------------------------------------------ */

static void instant(char out[CLOCK_ISO_SIZE])
{
    int64_t us = clock_wall_us();
    clock_iso(out, us / 1000000, (int32_t)(us % 1000000), 6);
}

static void add_signal_table(const struct chunk_reader *r, struct strbuf *sql)
{
    struct slice id = slice_cstr(r->t->rules.filter.signal_table);
    ptrdiff_t dot = slice_find_char(id, '.');
    if (dot > 0) {
        mysql_quote_name(sql, slice_sub(id, 0, (size_t)dot));
        strbuf_addc(sql, '.');
    }
    mysql_quote_name(sql, slice_sub(id, (size_t)(dot + 1), id.n));
}

static void insert_mark(struct chunk_reader *r, const char *id, bool open, struct strbuf *sql)
{
    char now[CLOCK_ISO_SIZE];
    instant(now);
    strbuf_adds(sql, "INSERT INTO ");
    add_signal_table(r, sql);
    strbuf_addf(sql, " VALUES ('%s-%s', 'snapshot-window-%s', '{\"openWindowTimestamp\": \"%s\"",
                id, open ? "open" : "close", open ? "open" : "close", open ? now : r->open_at);
    if (!open)
        strbuf_addf(sql, ", \"closeWindowTimestamp\": \"%s\"", now);
    strbuf_adds(sql, "}')");
    if (open)
        memcpy(r->open_at, now, sizeof now);
}

/* The first column of the signal table is the mark's id. */
static enum err delete_mark(struct mysql_signals *g, const char *id, struct strbuf *sql,
                            struct error *e)
{
    struct chunk_reader *r = g->reader;
    const struct mysql_table *t = signals_table(r->t, slice_cstr(r->t->rules.filter.signal_table));
    if (!t)
        return error_set(e, E_NOT_FOUND, "signal table %s is not known",
                         r->t->rules.filter.signal_table);
    strbuf_adds(sql, "DELETE FROM ");
    add_signal_table(r, sql);
    strbuf_adds(sql, " WHERE ");
    mysql_quote_name(sql, t->columns[0].name);
    strbuf_addf(sql, " = '%s-open'", id);
    return E_OK;
}

static enum err set_mark(void *db, struct incremental *inc, bool open, struct error *e)
{
    struct mysql_signals *g = db;
    struct chunk_reader *r = g->reader;
    struct strbuf sql = STRBUF_INIT;
    enum err rc = session(r, e);
    if (rc == E_OK && g->by_position)
        return lost(r, window_position_mark(g, r->conn, open, e), e);
    if (rc == E_OK) {
        if (!open && r->t->o.insert_delete)
            rc = delete_mark(g, inc->mark_id, &sql, e);
        else
            insert_mark(r, inc->mark_id, open, &sql);
    }
    if (rc == E_OK)
        rc = mysql_conn_exec(r->conn, sql.p, e);
    strbuf_release(&sql);
    if (rc && e && (e->sys == 1142 || e->sys == 1044))
        error_hint(e, "GRANT INSERT, DELETE ON %s TO the connector's user",
                   r->t->rules.filter.signal_table);
    return lost(r, rc, e);
}

/* --- statements ------------------------------------------------------------------------------- */

/* Columns of the value and of the record's key, and what the table is read by. */
static void choose_columns(struct chunk_reader *r, const struct shape *s)
{
    r->columns = xrealloc(r->columns, (r->table->column_count + 1) * sizeof *r->columns);
    r->column_count = 0;
    for (uint32_t i = 0; i < r->table->column_count; i++) {
        struct key_column *key = NULL;
        for (uint32_t k = 0; k < r->keys.count; k++)
            if (r->keys.items[k].column == i)
                key = &r->keys.items[k];
        if (s->slots[i] < 0 && !key)
            continue;
        if (key)
            key->at = r->column_count;
        r->columns[r->column_count++] = i;
    }
}

/* The only row's columns as a stored key; *found: there is one. */
static enum err query_key(struct chunk_reader *r, const char *sql, struct strbuf *key, bool *found,
                          struct error *e)
{
    struct mysql_result row;
    enum err rc = mysql_conn_query(r->conn, sql, &row, e);
    if (rc)
        return rc;
    rc = mysql_result_next(&row, e);
    *found = rc == E_OK;
    if (rc == E_OK)
        chunk_key_print(&r->keys, &row, 0, key);
    mysql_result_end(&row);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

/* --- rows ------------------------------------------------------------------------------------- */

static struct chunk_row *copy_row(const struct chunk_reader *r, const struct mysql_result *row,
                                  struct arena *a)
{
    struct chunk_row *copy = arena_try_alloc(a, sizeof *copy);
    if (!copy)
        return NULL;
    copy->texts = arena_try_alloc(a, (r->column_count + 1) * sizeof *copy->texts);
    copy->lengths = arena_try_alloc(a, (r->column_count + 1) * sizeof *copy->lengths);
    if (!copy->texts || !copy->lengths)
        return NULL;
    for (uint32_t i = 0; i < r->column_count; i++) {
        struct slice text = mysql_result_get(row, i);
        copy->lengths[i] = text.n;
        copy->texts[i] = NULL;
        if (!text.p)
            continue;
        char *p = arena_try_alloc(a, text.n + 1);
        if (!p)
            return NULL;
        memcpy(p, text.p, text.n);
        p[text.n] = '\0';
        copy->texts[i] = p;
    }
    return copy;
}

/* All rows of the result; a chunk of very large rows ends early, where rows differ in their
 * keys. */
static enum err take_rows(struct chunk_reader *r, struct incremental *inc,
                          struct mysql_result *result, struct error *e)
{
    struct strbuf key = STRBUF_INIT, end = STRBUF_INIT;
    struct arena scratch;
    enum err rc = E_OK;
    arena_init(&scratch, 4096, ARENA_NO_BUDGET);
    while ((inc->arena.used < CHUNK_BYTES || !r->keys.unique) &&
           (rc = mysql_result_next(result, e)) == E_OK) {
        arena_reset(&scratch);
        struct chunk_row *row = copy_row(r, result, &inc->arena);
        rc = chunk_key_result(&r->keys, result, &scratch, &key);
        if (rc == E_OK)
            rc = row ? incremental_add(inc, strbuf_slice(&key), row) : E_NOMEM;
        if (rc) {
            error_set(e, rc, "a row of %s cannot be kept: %s", inc->items[0].id, err_name(rc));
            break;
        }
        chunk_key_print(&r->keys, result, r->column_count, &end);
        incremental_set_begin(inc, strbuf_slice(&end));
    }
    if (rc == E_NOT_FOUND)
        rc = E_OK;
    if (rc == E_OK && end.n)
        incremental_set_end(inc, strbuf_slice(&end));
    arena_release(&scratch);
    strbuf_release(&key);
    strbuf_release(&end);
    return rc;
}

/* --- one chunk -------------------------------------------------------------------------------- */

/* The stream may be behind a change of the table: what was refused may be right when it has come to
 * here. */
static enum err refused(struct chunk_reader *r, const struct incremental *inc, enum err rc,
                        enum chunk_outcome *out, struct error *e)
{
    bool locked = e && e->sys == 1205; /* the session lives, and another table may be free */
    rc = locked ? E_REMOTE : lost(r, rc, e);
    if (rc != E_REMOTE && rc != E_AUTH && rc != E_INVALID && rc != E_NOMEM && rc != E_CORRUPT)
        return rc;
    bool passing =
        locked || (e && (e->sys == 1054 || e->sys == 1146 || e->sys == 1213 || e->sys == 1412));
    *out = passing && r->later++ < LATER_MAX ? CHUNK_LATER : CHUNK_FAILED;
    if (*out == CHUNK_FAILED)
        LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, e,
                "Database error while executing incremental snapshot for table '%s'",
                inc->items[0].id);
    error_clear(e);
    return E_OK;
}

static enum err find_max(struct chunk_reader *r, struct incremental *inc, bool *found,
                         struct error *e)
{
    struct strbuf sql = STRBUF_INIT, key = STRBUF_INIT;
    chunk_sql_max(&r->keys, inc->items[0].filter, &sql);
    enum err rc = query_key(r, sql.p, &key, found, e);
    if (rc == E_OK && *found) {
        incremental_set_max(inc, strbuf_slice(&key));
        LOG_INFO(LOG_CDC_MYSQL, "Incremental snapshot for table '%s' will end at position %s",
                 inc->items[0].id, key.p);
    }
    strbuf_release(&sql);
    strbuf_release(&key);
    return rc;
}

/* Where keys repeat, a chunk has all rows of its last key: it ends with that of row number `limit`.
 */
static enum err end_of_chunk(struct chunk_reader *r, struct chunk_range *range, struct strbuf *key,
                             struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    bool found = false;
    enum err rc = chunk_sql_end(&r->keys, range, &sql);
    if (rc == E_OK)
        rc = query_key(r, sql.p, key, &found, e);
    strbuf_release(&sql);
    range->limit = 0;
    if (found)
        range->until = key->p;
    return rc;
}

static enum err read_rows(struct chunk_reader *r, struct incremental *inc, struct error *e)
{
    struct strbuf sql = STRBUF_INIT, end = STRBUF_INIT;
    struct mysql_result result;
    struct chunk_range range = {.after = inc->last_key,
                                .until = inc->max_key,
                                .filter = inc->items[0].filter,
                                .limit = r->t->o.chunk_size > 0 ? r->t->o.chunk_size : 1024};
    enum err rc = r->keys.unique ? E_OK : end_of_chunk(r, &range, &end, e);
    if (rc == E_OK)
        rc = chunk_sql_rows(&r->keys, r->columns, r->column_count, &range, &sql);
    if (rc == E_CORRUPT)
        error_set(e, rc, "the stored key %s does not fit table %s",
                  inc->last_key ? inc->last_key : inc->max_key, inc->items[0].id);
    if (rc == E_OK)
        rc = mysql_conn_query(r->conn, sql.p, &result, e);
    if (rc == E_OK) {
        rc = take_rows(r, inc, &result, e);
        mysql_result_end(&result);
    }
    strbuf_release(&sql);
    strbuf_release(&end);
    return rc;
}

static void set_key_form(const struct chunk_reader *r, struct incremental *inc)
{
    struct strbuf form = STRBUF_INIT;
    chunk_keys_form(&r->keys, &form);
    incremental_set_key_form(inc, strbuf_slice(&form));
    strbuf_release(&form);
}

static enum err read_chunk(void *db, struct incremental *inc, enum chunk_outcome *out,
                           struct error *e)
{
    struct mysql_signals *g = db;
    struct chunk_reader *r = g->reader;
    struct mysql_task *t = r->t;
    const struct mysql_table *table = signals_table(t, slice_cstr(inc->items[0].id));
    mysql_table_unref(r->table);
    r->table = NULL;
    if (!table || !mysql_task_captures(t, table)) {
        LOG_WARN(LOG_CDC_MYSQL, "Schema not found for table '%s'. Will skip this table",
                 inc->items[0].id);
        *out = CHUNK_UNKNOWN;
        return E_OK;
    }
    r->table = mysql_table_ref(table);
    struct shape *s = shapes_get(&t->shapes, table);
    if (!chunk_keys_choose(&r->keys, table, s, inc->items[0].surrogate_key)) {
        *out = CHUNK_NO_KEY;
        return E_OK;
    }
    choose_columns(r, s);
    set_key_form(r, inc);
    enum err rc = session(r, e);
    bool found = true;
    if (rc == E_OK && !inc->max_key)
        rc = find_max(r, inc, &found, e);
    if (rc == E_OK && found)
        rc = read_rows(r, inc, e);
    if (rc)
        return refused(r, inc, rc, out, e);
    r->later = 0;
    *out = !found ? CHUNK_EMPTY : inc->rows ? CHUNK_ROWS : CHUNK_END;
    return E_OK;
}

/* --- the stream ------------------------------------------------------------------------------- */

void chunk_streamed(struct mysql_signals *g, const struct shape *s,
                    const struct mysql_table_map *map, const struct mysql_cell *cells,
                    const struct mysql_cell *older)
{
    struct chunk_reader *r = g->reader;
    struct arena a;
    struct strbuf key = STRBUF_INIT;
    if (s->table->version != r->table->version)
        return; /* is_valid will say so */
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    if (chunk_key_cells(&r->keys, map, cells, older, &a, &key))
        incremental_doubt(&g->work.inc);
    else
        incremental_streamed(&g->work.inc, strbuf_slice(&key));
    strbuf_release(&key);
    arena_release(&a);
}

static bool is_valid(void *db, struct incremental *inc)
{
    struct mysql_signals *g = db;
    const struct chunk_reader *r = g->reader;
    const struct mysql_table *now = signals_table(r->t, slice_cstr(inc->items[0].id));
    return now && r->table && now->version == r->table->version;
}

static enum err emit_row(void *db, struct record_batch *b, const void *row, struct error *e)
{
    struct mysql_signals *g = db;
    struct chunk_reader *r = g->reader;
    struct mysql_task *t = r->t;
    const struct chunk_row *texts = row;
    struct shape *s = shapes_get(&t->shapes, r->table);
    struct value *values, *source;
    struct value *f = t->em.source.fields;
    f[SOURCE_SNAPSHOT] = value_string(SL("incremental"));
    f[SOURCE_DB] = value_string(s->table->db);
    f[SOURCE_TABLE] = value_string(s->table->name);
    source_info_time(&t->em.source, clock_wall_us());
    t->env.arena = &b->arena;
    enum err rc = shape_texts(s, &t->env, r->columns, r->column_count, texts->texts, texts->lengths,
                              &values, e);
    if (rc)
        return rc;
    return emit_read(&t->em, b, s, values, (struct emit_time){clock_wall_us()}, &source, e);
}

const struct incremental_ops mysql_incremental_ops = {
    .mark = set_mark,
    .read = read_chunk,
    .is_valid = is_valid,
    .emit = emit_row,
};
