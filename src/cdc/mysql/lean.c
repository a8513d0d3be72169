/* cdc/mysql/lean.c - see lean.h. One SELECT a row:
 *
 *   SELECT `a`, `b` FROM `db`.`t` WHERE `id` = 7
 *
 * in UTC, as the texts of a snapshot. */
#include "cdc/mysql/lean.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/computed.h"

static bool is_present(const uint8_t *bitmap, uint32_t i)
{
    return bitmap[i / 8] >> (i % 8) & 1;
}

bool lean_is_event(const struct mysql_table *t, const struct mysql_rows_event *event,
                   bool computed_too)
{
    for (uint32_t i = 0; i < t->column_count && i < event->column_count; i++) {
        const struct mysql_column *c = &t->columns[i];
        bool before = is_present(event->present_before, i);
        bool after = is_present(event->present_after, i);
        if (event->partial && c->type == COL_JSON && after && !before)
            return true;
        if (codec_may_be_absent(c) || (computed_too && c->is_computed))
            continue;
        if (event->op == ROWS_WRITE    ? !after
            : event->op == ROWS_DELETE ? !before
                                       : !before || !after)
            return true;
    }
    return false;
}

void lean_cells(const struct mysql_table *t, const struct mysql_cell *before,
                struct mysql_cell *after)
{
    for (uint32_t i = 0; i < t->column_count; i++)
        if (after[i].state == CELL_PARTIAL && before[i].state != CELL_VALUE)
            after[i].state = CELL_LOST;
}

void lean_unknown(const struct shape *s, const struct mysql_cell *cells, struct value *row)
{
    for (uint32_t i = 0; i < s->table->column_count; i++) {
        int32_t slot = s->slots[i];
        const struct codec *c = &s->codecs[i];
        bool known = cells[i].state != CELL_ABSENT && cells[i].state != CELL_LOST;
        if (slot < 0 || known)
            continue;
        /* The placeholder is for texts: a number or a time that reads so has another meaning. */
        bool text =
            codec_may_be_absent(c->column) || mysql_column_type_flags(c->column->type) & COLF_TEXT;
        if (!text || c->absent.kind == VALUE_NULL)
            row[slot] = c->nullable ? value_null() : c->fallback;
    }
}

/* The cell as a literal of SQL. False: of no use in a comparison. */
static bool add_literal(struct strbuf *sql, const struct codec *codec, struct value_env *env,
                        const struct mysql_map_column *m, const struct mysql_cell *cell)
{
    struct strbuf text = STRBUF_INIT;
    struct json_writer w = JSON_WRITER(&text);
    struct json_reader r;
    bool ok = cell->state == CELL_VALUE && computed_write_cell(&w, codec, env, m, cell) == E_OK;
    jr_init(&r, strbuf_slice(&text), 0);
    switch (ok ? jr_next(&r) : JT_ERROR) {
    case JT_NUMBER:
        strbuf_add_slice(sql, strbuf_slice(&text));
        break;
    case JT_STRING: {
        bool hex = mysql_column_type_flags(codec->column->type) & COLF_BYTES;
        strbuf_adds(sql, hex ? "UNHEX(" : "");
        mysql_quote_text(sql, jr_string(&r, env->arena));
        strbuf_adds(sql, hex ? ")" : "");
        break;
    }
    default:
        ok = false;
        break;
    }
    strbuf_release(&text);
    return ok;
}

/* The columns that only the table has; their number. */
static uint32_t wanted(const struct shape *s, const struct mysql_cell *cells, uint32_t *columns)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->table->column_count; i++)
        if (s->slots[i] >= 0 &&
            (cells[i].state == CELL_LOST ||
             (cells[i].state == CELL_ABSENT && !codec_may_be_absent(&s->table->columns[i]))))
            columns[n++] = i;
    return n;
}

static bool build_select(const struct shape *s, struct value_env *env,
                         const struct mysql_table_map *map, const struct mysql_cell *cells,
                         const uint32_t *columns, uint32_t count, struct strbuf *sql)
{
    const struct mysql_table *t = s->table;
    for (uint32_t i = 0; i < count; i++) {
        strbuf_adds(sql, i ? ", " : "SELECT ");
        mysql_quote_name(sql, t->columns[columns[i]].name);
    }
    strbuf_adds(sql, " FROM ");
    mysql_quote_name(sql, t->db);
    strbuf_addc(sql, '.');
    mysql_quote_name(sql, t->name);
    for (uint32_t i = 0; i < t->row_key_count; i++) {
        uint32_t k = t->key[i];
        strbuf_adds(sql, i ? " AND " : " WHERE ");
        mysql_quote_name(sql, t->columns[k].name);
        strbuf_adds(sql, " = ");
        if (!add_literal(sql, &s->codecs[k], env, &map->columns[k], &cells[k]))
            return false;
    }
    return t->row_key_count > 0;
}

static enum err read_row(const struct shape *s, struct mysql_conn *conn, struct value_env *env,
                         const char *sql, const uint32_t *columns, uint32_t count,
                         struct value *row, struct error *e)
{
    struct mysql_result r;
    enum err rc = mysql_conn_query(conn, sql, &r, e);
    if (rc)
        return rc;
    rc = mysql_result_next(&r, e);
    for (uint32_t i = 0; i < count && rc == E_OK; i++) {
        struct slice text = mysql_result_get(&r, i);
        if (text.p) {
            text.p = value_dup(env, text.p, text.n);
            if (!text.p)
                rc = error_set(e, E_NOMEM, "no memory for a row");
        }
        if (rc == E_OK)
            rc = codec_text(&s->codecs[columns[i]], env, text, &row[s->slots[columns[i]]]);
    }
    mysql_result_end(&r);
    return rc;
}

/* E_NOT_FOUND: no such row now. The log has a transaction a moment before others see it: a row that
 * is not found is asked for once more, and its lock waited for. */
static enum err ask(const struct shape *s, struct mysql_conn *conn, struct value_env *env,
                    struct strbuf *sql, const uint32_t *columns, uint32_t count, struct value *row,
                    struct error *e)
{
    enum err rc = mysql_conn_exec(conn, "SET time_zone='+00:00'", e);
    if (rc == E_OK)
        rc = read_row(s, conn, env, sql->p, columns, count, row, e);
    if (rc == E_NOT_FOUND) {
        strbuf_adds(sql, " LOCK IN SHARE MODE");
        rc = read_row(s, conn, env, sql->p, columns, count, row, e);
    }
    if (rc == E_OK || rc == E_NOT_FOUND) {
        enum err back = mysql_conn_exec(conn, "SET time_zone=DEFAULT", e);
        rc = back ? back : rc;
    }
    return rc;
}

enum err lean_after(const struct shape *s, struct mysql_conn *conn, struct value_env *env,
                    const struct mysql_table_map *map, const struct mysql_cell *cells,
                    const struct mysql_cell *old_cells, const struct value *before,
                    struct value *after, struct error *e)
{
    uint32_t n = s->table->column_count;
    struct mysql_cell *all = arena_try_alloc(env->arena, (n + 1) * sizeof *all);
    uint32_t *columns = arena_try_alloc(env->arena, (n + 1) * sizeof *columns);
    struct strbuf sql = STRBUF_INIT;
    enum err rc = E_NOT_FOUND;
    if (!all || !columns)
        return error_set(e, E_NOMEM, "no memory for a row");
    for (uint32_t i = 0; i < n; i++) { /* what is not in the image after did not change */
        bool old = cells[i].state == CELL_ABSENT && old_cells && old_cells[i].state != CELL_ABSENT;
        all[i] = old ? old_cells[i] : cells[i];
        if (old && s->slots[i] >= 0)
            after[s->slots[i]] = before[s->slots[i]];
    }
    lean_unknown(s, all, after);
    uint32_t count = wanted(s, all, columns);
    if (count && build_select(s, env, map, all, columns, count, &sql))
        rc = ask(s, conn, env, &sql, columns, count, after, e);
    strbuf_release(&sql);
    if (rc == E_REMOTE) {
        LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, e, "columns that a row image leaves out can't be read");
        rc = E_NOT_FOUND;
    }
    return rc == E_NOT_FOUND ? E_OK : rc;
}
