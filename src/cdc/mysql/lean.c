/* cdc/mysql/lean.c - see lean.h. One SELECT for many rows:
 *
 *   SELECT CASE WHEN (`id` = 7) THEN 0 WHEN (`id` = 9) THEN 1 END, `a`, `b` FROM `db`.`t`
 *    WHERE (`id` = 7) OR (`id` = 9)
 *
 * The server says which row is meant, because it knows what is equal in a collation. Times are in
 * UTC, as in the texts of a snapshot. */
#include "cdc/mysql/lean.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/computed.h"

#define LOCK_WAIT_S 1

struct question {
    size_t at, n;         /* of its condition in `conditions` */
    bool open;            /* the table has what is missing, and has not told it */
    uint32_t same;        /* an earlier one with the same condition, or its own number */
    struct slice *answer; /* column_count texts; NULL: none */
};
struct lean {
    const struct shape *shape;
    const struct mysql_table_map *map;
    struct strbuf conditions;
    struct question questions[LEAN_ROWS];
    size_t count;
    uint32_t *columns; /* of the table: what any row wants */
    uint32_t column_count;
    uint32_t *place;          /* by table column: 1 + its place among columns; 0: not wanted */
    bool zoned;               /* a time stamp is asked for, or by */
    struct mysql_cell *cells; /* room for one image */
};

struct lean *lean_new(const struct shape *s, const struct mysql_table_map *map)
{
    struct lean *l = xcalloc(1, sizeof *l);
    uint32_t n = s->table->column_count;
    l->shape = s;
    l->map = map;
    strbuf_init(&l->conditions, 0);
    l->columns = xcalloc(n, sizeof *l->columns);
    l->place = xcalloc(n, sizeof *l->place);
    l->cells = xcalloc(n, sizeof *l->cells);
    return l;
}

void lean_free(struct lean *l)
{
    if (!l)
        return;
    strbuf_release(&l->conditions);
    mem_free(l->columns);
    mem_free(l->place);
    mem_free(l->cells);
    mem_free(l);
}

void lean_reset(struct lean *l)
{
    uint32_t n = l->shape->table->column_count;
    strbuf_reset(&l->conditions);
    l->count = 0;
    l->column_count = 0;
    l->zoned = false;
    if (n)
        memset(l->place, 0, n * sizeof *l->place);
}

/* --- images ----------------------------------------------------------------------------------- */

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

static bool is_known(const struct mysql_cell *cell)
{
    return cell->state != CELL_ABSENT && cell->state != CELL_LOST;
}

/* The placeholder is for texts: a number or a time that reads so has another meaning. */
static void set_unknown(const struct codec *c, struct value *v)
{
    bool text =
        codec_may_be_absent(c->column) || mysql_column_type_flags(c->column->type) & COLF_TEXT;
    if (!text || c->absent.kind == VALUE_NULL)
        *v = c->on_null;
}

/* The codec of key column k for a slot of the key's own; NULL: the key has the value's. */
static const struct codec *own_codec(const struct shape *s, uint32_t k)
{
    return s->key_codecs && s->key_codecs[k].schema ? &s->key_codecs[k] : NULL;
}

void lean_unknown(const struct shape *s, const struct mysql_cell *cells, struct value *row)
{
    for (uint32_t i = 0; i < s->table->column_count; i++)
        if (s->slots[i] >= 0 && !is_known(&cells[i]))
            set_unknown(&s->codecs[i], &row[s->slots[i]]);
    for (uint32_t k = 0; k < s->key_count; k++)
        if (own_codec(s, k) && !is_known(&cells[s->key_columns[k]]))
            set_unknown(own_codec(s, k), &row[s->key_slots[k]]);
}

/* Column i as another row has it. */
static void copy_column(const struct shape *s, uint32_t i, const struct value *from,
                        struct value *to)
{
    if (s->slots[i] >= 0)
        to[s->slots[i]] = from[s->slots[i]];
    for (uint32_t k = 0; k < s->key_count; k++)
        if (s->key_columns[k] == i && own_codec(s, k))
            to[s->key_slots[k]] = from[s->key_slots[k]];
}

/* What is not in the image after did not change. */
static bool is_old(const struct mysql_cell *cells, const struct mysql_cell *old_cells, uint32_t i)
{
    return cells[i].state == CELL_ABSENT && old_cells && old_cells[i].state != CELL_ABSENT;
}

static const struct mysql_cell *merge(const struct lean *l, const struct mysql_cell *cells,
                                      const struct mysql_cell *old_cells)
{
    for (uint32_t i = 0; i < l->shape->table->column_count; i++)
        l->cells[i] = is_old(cells, old_cells, i) ? old_cells[i] : cells[i];
    return l->cells;
}

/* Only the table has it. */
static bool is_wanted(const struct shape *s, const struct mysql_cell *cells, uint32_t i)
{
    return s->slots[i] >= 0 &&
           (cells[i].state == CELL_LOST ||
            (cells[i].state == CELL_ABSENT && !codec_may_be_absent(&s->table->columns[i])));
}

/* --- questions -------------------------------------------------------------------------------- */

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

/* "(`id` = 7)", by the table's own key. False: it has none, or this row does not show it. */
static bool add_condition(struct lean *l, struct value_env *env, const struct mysql_cell *cells)
{
    const struct mysql_table *t = l->shape->table;
    struct strbuf *sql = &l->conditions;
    for (uint32_t i = 0; i < t->row_key_count; i++) {
        uint32_t k = t->key[i];
        strbuf_adds(sql, i ? " AND " : "(");
        mysql_quote_name(sql, t->columns[k].name);
        strbuf_adds(sql, " = ");
        if (!add_literal(sql, &l->shape->codecs[k], env, &l->map->columns[k], &cells[k]))
            return false;
        l->zoned |= t->columns[k].type == COL_TIMESTAMP;
    }
    strbuf_addc(sql, ')');
    return t->row_key_count > 0;
}

static struct slice condition(const struct lean *l, const struct question *q)
{
    return slice_sub(strbuf_slice(&l->conditions), q->at, q->at + q->n);
}

static bool is_asked(const struct lean *l, size_t n)
{
    return l->questions[n].open && l->questions[n].same == n;
}

static void want(struct lean *l, uint32_t i)
{
    if (l->place[i])
        return;
    l->columns[l->column_count++] = i;
    l->place[i] = l->column_count;
    l->zoned |= l->shape->table->columns[i].type == COL_TIMESTAMP;
}

enum err lean_add(struct lean *l, struct value_env *env, const struct mysql_cell *cells,
                  const struct mysql_cell *old_cells, struct error *e)
{
    if (l->count == LEAN_ROWS)
        return error_set(e, E_TOO_LARGE, "more than %d rows at once", LEAN_ROWS);
    struct question *q = &l->questions[l->count];
    const struct mysql_cell *all = merge(l, cells, old_cells);
    uint32_t n = l->shape->table->column_count, wanted = 0;
    *q = (struct question){.at = l->conditions.n, .same = (uint32_t)l->count};
    for (uint32_t i = 0; i < n; i++)
        wanted += is_wanted(l->shape, all, i);
    if (wanted && add_condition(l, env, all)) {
        for (uint32_t i = 0; i < n; i++)
            if (is_wanted(l->shape, all, i))
                want(l, i);
        q->open = true;
        q->n = l->conditions.n - q->at;
        for (uint32_t i = 0; i < l->count; i++)
            if (is_asked(l, i) && slice_eq(condition(l, &l->questions[i]), condition(l, q))) {
                q->same = i;
                break;
            }
    } else if (l->conditions.n > q->at) {
        l->conditions.n = q->at;
    }
    l->count++;
    enum err rc = strbuf_err(&l->conditions);
    return rc ? error_set(e, rc, "no memory for the keys of rows") : E_OK;
}

bool lean_wants(const struct lean *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (is_asked(l, i))
            return true;
    return false;
}

bool lean_statement(const struct lean *l, bool locked, struct strbuf *sql)
{
    const struct mysql_table *t = l->shape->table;
    if (!lean_wants(l))
        return false;
    strbuf_adds(sql, "SELECT CASE");
    for (size_t i = 0; i < l->count; i++)
        if (is_asked(l, i))
            strbuf_addf(sql, " WHEN " PRI_SL " THEN %zu", ARG_SL(condition(l, &l->questions[i])),
                        i);
    strbuf_adds(sql, " END");
    for (uint32_t i = 0; i < l->column_count; i++) {
        strbuf_adds(sql, ", ");
        mysql_quote_name(sql, t->columns[l->columns[i]].name);
    }
    strbuf_adds(sql, " FROM ");
    mysql_quote_name(sql, t->db);
    strbuf_addc(sql, '.');
    mysql_quote_name(sql, t->name);
    const char *before = " WHERE ";
    for (size_t i = 0; i < l->count; i++) {
        if (!is_asked(l, i))
            continue;
        strbuf_adds(sql, before);
        strbuf_add_slice(sql, condition(l, &l->questions[i]));
        before = " OR ";
    }
    strbuf_adds(sql, locked ? " LOCK IN SHARE MODE" : "");
    return true;
}

/* --- answers ---------------------------------------------------------------------------------- */

enum err lean_answer(struct lean *l, struct value_env *env, const struct slice *texts,
                     uint32_t count, struct error *e)
{
    uint64_t n;
    if (count != l->column_count + 1 || slice_to_u64(texts[0], &n) || n >= l->count)
        return error_set(e, E_CORRUPT, "an answer that was not asked for");
    struct question *q = &l->questions[n];
    if (!is_asked(l, n))
        return E_OK; /* keys are unique, unless the table changed */
    q->answer = arena_try_alloc(env->arena, (l->column_count + 1) * sizeof *q->answer);
    for (uint32_t i = 0; q->answer && i < l->column_count; i++) {
        struct slice text = texts[i + 1];
        const char *p = text.p ? value_dup(env, text.p, text.n) : NULL;
        if (text.p && !p)
            return error_set(e, E_NOMEM, "no memory for a row");
        q->answer[i] = p ? slice_of(p, text.n) : SLICE_NULL;
    }
    if (!q->answer)
        return error_set(e, E_NOMEM, "no memory for a row");
    q->open = false;
    return E_OK;
}

static enum err ask(struct lean *l, struct mysql_conn *conn, struct value_env *env, bool locked,
                    struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    struct mysql_result r = {0};
    enum err rc = lean_statement(l, locked, &sql) ? strbuf_err(&sql) : E_NOT_FOUND;
    if (rc == E_OK)
        rc = mysql_conn_query(conn, sql.p, &r, e);
    strbuf_release(&sql);
    if (rc)
        return rc == E_NOT_FOUND ? E_OK : rc;
    struct slice *texts = xcalloc(l->column_count + 1, sizeof *texts);
    while ((rc = mysql_result_next(&r, e)) == E_OK) {
        for (uint32_t i = 0; i <= l->column_count; i++)
            texts[i] = mysql_result_get(&r, i);
        rc = lean_answer(l, env, texts, r.columns, e);
        if (rc)
            break;
    }
    mem_free(texts);
    mysql_result_end(&r);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static enum err refused(enum err rc, struct error *e)
{
    if (rc != E_REMOTE)
        return rc;
    LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, e, "columns that row images leave out can't be read");
    return E_OK;
}

/* The log has a transaction a moment before others see it: rows that are not found are asked for
 * once more, and their locks waited for. Who holds one for longer is at work on a later change. */
static enum err ask_again(struct lean *l, struct mysql_conn *conn, struct value_env *env,
                          struct error *e)
{
    enum err rc = mysql_conn_execf(conn, e, "SET SESSION innodb_lock_wait_timeout=%d", LOCK_WAIT_S);
    if (rc == E_OK)
        rc = ask(l, conn, env, true, e);
    if (rc == E_TIMEOUT && e && e->sys == 1205) {
        error_clear(e);
        rc = E_OK;
    }
    if (rc == E_OK || rc == E_REMOTE) {
        enum err back =
            mysql_conn_exec(conn, "SET SESSION innodb_lock_wait_timeout=DEFAULT", rc ? NULL : e);
        rc = rc ? rc : back;
    }
    return rc;
}

enum err lean_run(struct lean *l, struct mysql_conn *conn, struct value_env *env, struct error *e)
{
    struct error own = {0};
    if (!e)
        e = &own;
    enum err rc = l->zoned ? mysql_conn_exec(conn, "SET time_zone='+00:00'", e) : E_OK;
    if (rc)
        return refused(rc, e);
    rc = ask(l, conn, env, false, e);
    if (rc == E_OK && lean_wants(l))
        rc = ask_again(l, conn, env, e);
    if (l->zoned && rc != E_IO && rc != E_CANCELLED) { /* also when something was refused */
        enum err back = mysql_conn_exec(conn, "SET time_zone=DEFAULT", rc ? NULL : e);
        rc = rc ? rc : back;
    }
    return refused(rc, e);
}

enum err lean_after(const struct lean *l, size_t n, struct value_env *env,
                    const struct mysql_cell *cells, const struct mysql_cell *old_cells,
                    const struct value *before, struct value *after, struct error *e)
{
    const struct shape *s = l->shape;
    const struct mysql_table *t = s->table;
    const struct mysql_cell *all = merge(l, cells, old_cells);
    for (uint32_t i = 0; i < t->column_count; i++)
        if (is_old(cells, old_cells, i))
            copy_column(s, i, before, after);
    lean_unknown(s, all, after);
    const struct slice *answer = l->questions[l->questions[n].same].answer;
    for (uint32_t i = 0; answer && i < t->column_count; i++) {
        if (!is_wanted(s, all, i))
            continue;
        enum err rc = shape_text(s, env, i, answer[l->place[i] - 1], after);
        if (rc)
            return error_set(e, rc, "column " PRI_SL " of " PRI_SL "." PRI_SL ": %s",
                             ARG_SL(t->columns[i].name), ARG_SL(t->db), ARG_SL(t->name),
                             err_name(rc));
    }
    return E_OK;
}
