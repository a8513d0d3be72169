/* cdc/mysql/signals_chunk.c - chunks of an incremental snapshot: marks, statements, rows.
 *
 * A chunk is kept as the texts of its result and decoded when it is handed out, with the table as
 * the stream has it then; when that is another version than the one the statement was made of, the
 * chunk is read again. Rows are found again by the columns that they are read by, whose values from
 * the binlog and from a result are brought into one form. SPEC: cdc-mysql 3.7 */
#include "base/base.h"

#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/signals.h"
#include "cdc/mysql/task.h"

enum { CHUNK_BYTES = 64 << 20, LATER_MAX = 50 };

/* How a key column is compared. */
enum key_kind { KEY_NUMBER, KEY_TEXT, KEY_HEX };
struct key_column {
    uint32_t column;
    enum key_kind kind;
    bool nullable;
    const char *suffix; /* `k`SUFFIX is a number that sorts as the column does; NULL: the column */
};
struct chunk_reader {
    struct mysql_task *t;
    struct mysql_conn *conn;         /* its own session */
    const struct mysql_table *table; /* of the chunk at hand; referenced */
    struct key_column *keys;
    uint32_t key_count;
    uint32_t *columns; /* table column of each result column but the keys */
    uint32_t column_count;
    bool stale;       /* something came that cannot be compared */
    int later;        /* how often the table was not as expected */
    char open_at[40]; /* time of the opening mark */
};
struct chunk_row {
    const char **texts;
    unsigned long *lengths;
};

struct chunk_reader *chunk_reader_new(struct mysql_task *t)
{
    struct chunk_reader *r = xcalloc(1, sizeof *r);
    r->t = t;
    return r;
}

void chunk_reader_free(struct chunk_reader *r)
{
    if (!r)
        return;
    mysql_conn_close(r->conn);
    mysql_table_unref(r->table);
    mem_free(r->keys);
    mem_free(r->columns);
    mem_free(r);
}

bool chunk_is_of(const struct chunk_reader *r, struct slice db, struct slice table)
{
    return r->table && slice_ieq(r->table->db, db) && slice_ieq(r->table->name, table);
}

/* --- session
 * -----------------------------------------------------------------------------------------------
 */

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

/* --- marks
 * ------------------------------------------------------------------------------------------------
 */

static void instant(char out[40])
{
    int64_t us = clock_wall_us();
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    char day[24];
    gmtime_r(&seconds, &tm);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, 40, "%s.%06ldZ", day, (long)(us % 1000000));
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
    char now[40];
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
    if (open)
        r->stale = false;
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

/* --- keys
 * --------------------------------------------------------------------------------------------------
 */

static struct key_column key_of(const struct mysql_table *t, uint32_t column)
{
    const struct mysql_column *c = &t->columns[column];
    struct key_column k = {.column = column, .kind = KEY_TEXT, .nullable = c->nullable};
    unsigned flags = mysql_column_type_flags(c->type);
    if (c->type == COL_ENUM || c->type == COL_SET || c->type == COL_BIT) {
        k.kind = KEY_NUMBER; /* sorted by number, compared as text */
        k.suffix = "+0";
    } else if (c->type == COL_FLOAT) {
        k.kind = KEY_NUMBER; /* its text has six digits only */
        k.suffix = "+0e0";
    } else if (flags & (COLF_INTEGER | COLF_FLOATING) || c->type == COL_DECIMAL ||
               c->type == COL_YEAR) {
        k.kind = KEY_NUMBER; /* as text it would be compared as a double */
    } else if (flags & (COLF_BYTES | COLF_GEOMETRY) || c->type == COL_VECTOR) {
        k.kind = KEY_HEX;
    }
    return k;
}

static void add_key(struct chunk_reader *r, uint32_t column)
{
    for (uint32_t i = 0; i < r->key_count; i++)
        if (r->keys[i].column == column)
            return;
    r->keys[r->key_count++] = key_of(r->table, column);
}

static bool is_unique(const struct chunk_reader *r)
{
    for (uint32_t i = 0; i < r->table->key_count; i++) {
        const struct mysql_key *k = &r->table->keys[i];
        bool all = k->unique && k->whole;
        for (uint32_t c = 0; c < k->column_count && all; c++) {
            bool found = false;
            for (uint32_t j = 0; j < r->key_count; j++)
                found |= r->keys[j].column == k->columns[c] && !r->keys[j].nullable;
            all = found;
        }
        if (all)
            return true;
    }
    return false;
}

/* What the table is read by: the surrogate key, or the key of its records; then the primary key, so
 * that no two rows are equal. False: there is nothing. */
static bool choose_keys(struct chunk_reader *r, const struct inc_collection *c,
                        const struct shape *s)
{
    r->keys = xrealloc(r->keys, (2 * (size_t)r->table->column_count + 2) * sizeof *r->keys);
    r->key_count = 0;
    if (c->surrogate_key) {
        int at = mysql_table_column(r->table, slice_cstr(c->surrogate_key));
        if (at < 0) {
            LOG_WARN(LOG_CDC_MYSQL, "Surrogate key \"%s\" doesn't exist in table \"%s\"",
                     c->surrogate_key, c->id);
            return false;
        }
        add_key(r, (uint32_t)at);
    } else {
        for (uint32_t k = 0; k < s->key_count; k++)
            for (uint32_t i = 0; i < r->table->column_count; i++)
                if (s->slots[i] == (int32_t)s->key_slots[k])
                    add_key(r, i);
    }
    if (!r->key_count) {
        LOG_WARN(LOG_CDC_MYSQL,
                 "Incremental snapshot for table '%s' skipped because the table has no primary "
                 "keys",
                 c->id);
        return false;
    }
    if (!is_unique(r))
        for (uint32_t k = 0; k < r->table->row_key_count; k++)
            add_key(r, r->table->key[k]);
    return true;
}

/* --- statements
 * ----------------------------------------------------------------------------------------------
 */

static void add_key_name(const struct chunk_reader *r, uint32_t i, struct strbuf *sql)
{
    const struct key_column *k = &r->keys[i];
    if (k->suffix)
        strbuf_addc(sql, '(');
    mysql_quote_name(sql, r->table->columns[k->column].name);
    if (k->suffix)
        strbuf_addf(sql, "%s)", k->suffix);
}

/* A number as a server prints it, and nothing else: the texts come from the stored offset. */
static bool is_number(const char *text)
{
    return text[0] && strspn(text, "+-.0123456789eE") == strlen(text);
}

static enum err add_literal(const struct key_column *k, const json_t *v, struct strbuf *sql)
{
    const char *text = json_string_value(v);
    if (!text)
        return E_CORRUPT;
    if (k->kind == KEY_NUMBER) {
        strbuf_adds(sql, text);
        return is_number(text) ? E_OK : E_CORRUPT;
    }
    if (k->kind == KEY_TEXT) {
        mysql_quote_text(sql, slice_cstr(text));
        return E_OK;
    }
    strbuf_addf(sql, "x'%s'", text);
    return strspn(text, "0123456789abcdefABCDEF") == strlen(text) ? E_OK : E_CORRUPT;
}

/* k = v, or k > v; NULL comes before all values. */
static enum err add_compare(const struct chunk_reader *r, uint32_t i, const json_t *v, bool greater,
                            struct strbuf *sql)
{
    bool nullable = r->keys[i].nullable;
    if (nullable && greater) {
        strbuf_addc(sql, '(');
        add_key_name(r, i, sql);
        strbuf_adds(sql, json_is_null(v) ? " IS NOT NULL)" : " IS NOT NULL AND ");
    } else if (nullable && json_is_null(v)) {
        add_key_name(r, i, sql);
        strbuf_adds(sql, " IS NULL");
    }
    if (json_is_null(v))
        return nullable ? E_OK : E_CORRUPT;
    add_key_name(r, i, sql);
    strbuf_adds(sql, greater ? " > " : nullable ? " <=> " : " = "); /* never NULL, also under NOT */
    enum err rc = add_literal(&r->keys[i], v, sql);
    strbuf_adds(sql, nullable && greater ? ")" : "");
    return rc;
}

/* (k1 > v1) OR (k1 = v1 AND k2 > v2) ...; key: JSON array. */
static enum err add_behind(const struct chunk_reader *r, const char *key, struct strbuf *sql)
{
    json_t *list = NULL;
    enum err rc = json_load_slice(slice_cstr(key), &list, NULL);
    if (rc == E_OK && json_array_size(list) != r->key_count)
        rc = E_CORRUPT;
    strbuf_addc(sql, '(');
    for (uint32_t i = 0; i < r->key_count && rc == E_OK; i++) {
        strbuf_adds(sql, i ? " OR (" : "(");
        for (uint32_t k = 0; k < i && rc == E_OK; k++) {
            rc = add_compare(r, k, json_array_get(list, k), false, sql);
            strbuf_adds(sql, " AND ");
        }
        if (rc == E_OK)
            rc = add_compare(r, i, json_array_get(list, i), true, sql);
        strbuf_addc(sql, ')');
    }
    strbuf_addc(sql, ')');
    json_decref(list);
    return rc;
}

static void add_order(const struct chunk_reader *r, bool backwards, struct strbuf *sql)
{
    strbuf_adds(sql, " ORDER BY ");
    for (uint32_t i = 0; i < r->key_count; i++) {
        strbuf_adds(sql, i ? ", " : "");
        mysql_quote_name(sql, r->table->columns[r->keys[i].column].name);
        strbuf_adds(sql, backwards ? " DESC" : "");
    }
}

static void add_from(const struct chunk_reader *r, struct strbuf *sql)
{
    strbuf_adds(sql, " FROM ");
    mysql_quote_name(sql, r->table->db);
    strbuf_addc(sql, '.');
    mysql_quote_name(sql, r->table->name);
}

static void max_statement(const struct chunk_reader *r, const struct inc_collection *c,
                          struct strbuf *sql)
{
    strbuf_adds(sql, "SELECT ");
    for (uint32_t i = 0; i < r->key_count; i++) {
        strbuf_adds(sql, i ? ", " : "");
        add_key_name(r, i, sql);
    }
    add_from(r, sql);
    if (c->filter)
        strbuf_addf(sql, " WHERE (%s)", c->filter);
    add_order(r, true, sql);
    strbuf_adds(sql, " LIMIT 1");
}

/* Columns of the value and of the record's key, then what the table is read by. */
static enum err chunk_statement(struct chunk_reader *r, const struct incremental *inc,
                                const struct shape *s, struct strbuf *sql)
{
    const struct inc_collection *c = &inc->items[0];
    r->columns = xrealloc(r->columns, (r->table->column_count + 1) * sizeof *r->columns);
    r->column_count = 0;
    strbuf_adds(sql, "SELECT ");
    for (uint32_t i = 0; i < r->table->column_count; i++) {
        bool is_key = false;
        for (uint32_t k = 0; k < r->key_count; k++)
            is_key |= r->keys[k].column == i;
        if (s->slots[i] < 0 && !is_key)
            continue;
        mysql_quote_name(sql, r->table->columns[i].name);
        strbuf_adds(sql, ", ");
        r->columns[r->column_count++] = i;
    }
    for (uint32_t i = 0; i < r->key_count; i++) {
        strbuf_adds(sql, i ? ", " : "");
        add_key_name(r, i, sql);
    }
    add_from(r, sql);
    strbuf_adds(sql, " WHERE ");
    enum err rc = E_OK;
    if (inc->last_key) {
        rc = add_behind(r, inc->last_key, sql);
        strbuf_adds(sql, " AND ");
    }
    strbuf_adds(sql, "NOT ");
    if (rc == E_OK)
        rc = add_behind(r, inc->max_key, sql);
    if (c->filter)
        strbuf_addf(sql, " AND (%s)", c->filter);
    add_order(r, false, sql);
    strbuf_addf(sql, " LIMIT %d", r->t->o.chunk_size > 0 ? r->t->o.chunk_size : 1024);
    return rc;
}

/* --- rows
 * --------------------------------------------------------------------------------------------------
 */

/* The result's columns from `from` on, as a stored key. */
static void print_key(const struct chunk_reader *r, const struct mysql_result *row, unsigned from,
                      struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);
    struct strbuf hex = STRBUF_INIT;
    strbuf_reset(out);
    jw_begin_array(&w);
    for (uint32_t i = 0; i < r->key_count; i++) {
        struct slice text = mysql_result_get(row, from + i);
        strbuf_reset(&hex);
        if (text.p && r->keys[i].kind == KEY_HEX)
            hex_encode(&hex, text);
        jw_string(&w, text.p && r->keys[i].kind == KEY_HEX ? strbuf_slice(&hex) : text);
    }
    jw_end_array(&w);
    strbuf_release(&hex);
}

/* A text, with a fraction of seconds only up to its last digit that is not zero. */
static void add_text(const struct codec *c, struct slice s, struct strbuf *out)
{
    ptrdiff_t dot = slice_find_char(s, '.');
    if (dot >= 0 && mysql_column_type_flags(c->column->type) & COLF_TEMPORAL) {
        size_t end = (size_t)dot + 1, kept;
        while (end < s.n && s.p[end] >= '0' && s.p[end] <= '9')
            end++;
        for (kept = end; kept > (size_t)dot + 1 && s.p[kept - 1] == '0';)
            kept--;
        strbuf_add(out, s.p, kept == (size_t)dot + 1 ? (size_t)dot : kept);
        s = slice_sub(s, end, s.n);
    }
    strbuf_add_slice(out, s);
}

/* The same value from a result and from the binlog gives the same bytes, different ones never do:
 * each ends with its length and kind. */
static void add_value(const struct codec *c, struct value v, struct strbuf *out)
{
    size_t start = out->n;
    switch ((enum value_kind)v.kind) {
    case VALUE_BOOL:
    case VALUE_INT:
        strbuf_add(out, &v.u.i, sizeof v.u.i);
        break;
    case VALUE_DOUBLE: /* a result has six digits of a float */
        strbuf_addf(out, c->column->type == COL_FLOAT ? "%.6g" : "%.17g", v.u.d);
        break;
    case VALUE_STRING:
    case VALUE_BYTES:
        add_text(c, value_slice(v), out);
        break;
    default:
        for (uint32_t i = 0; v.kind == VALUE_STRUCT && i < v.n; i++)
            add_value(c, v.u.v[i], out);
        break;
    }
    uint64_t n = out->n - start;
    strbuf_add(out, &n, sizeof n);
    strbuf_addc(out, (char)('a' + v.kind));
}

static enum err row_key(const struct chunk_reader *r, const struct shape *s,
                        const struct mysql_result *row, struct arena *a, struct strbuf *out)
{
    struct value_env env = {.arena = a};
    enum err rc = E_OK;
    strbuf_init(&env.scratch, 0);
    strbuf_reset(out);
    for (uint32_t k = 0; k < r->key_count && rc == E_OK; k++) {
        const struct codec *c = &s->codecs[r->keys[k].column];
        struct value v = value_null();
        for (uint32_t i = 0; i < r->column_count; i++)
            if (r->columns[i] == r->keys[k].column)
                rc = codec_text(c, &env, mysql_result_get(row, i), &v);
        add_value(c, v, out);
    }
    strbuf_release(&env.scratch);
    return rc;
}

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

/* All rows of the result; a chunk of very large rows ends early. */
static enum err take_rows(struct chunk_reader *r, struct incremental *inc, const struct shape *s,
                          struct mysql_result *result, struct error *e)
{
    struct strbuf key = STRBUF_INIT, end = STRBUF_INIT;
    struct arena scratch;
    enum err rc = E_OK;
    arena_init(&scratch, 4096, ARENA_NO_BUDGET);
    while (inc->arena.used < CHUNK_BYTES && (rc = mysql_result_next(result, e)) == E_OK) {
        arena_reset(&scratch);
        struct chunk_row *row = copy_row(r, result, &inc->arena);
        rc = row_key(r, s, result, &scratch, &key);
        if (rc == E_OK)
            rc = row ? incremental_add(inc, strbuf_slice(&key), row) : E_NOMEM;
        if (rc) {
            error_set(e, rc, "a row of %s cannot be kept: %s", inc->items[0].id, err_name(rc));
            break;
        }
        print_key(r, result, r->column_count, &end);
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

/* --- one chunk
 * --------------------------------------------------------------------------------------------
 */

/* The stream may be behind a change of the table: what was refused may be right soon. */
static enum err refused(struct chunk_reader *r, const struct incremental *inc, enum err rc,
                        enum chunk_outcome *out, struct error *e)
{
    rc = lost(r, rc, e);
    if (rc != E_REMOTE && rc != E_AUTH && rc != E_INVALID && rc != E_NOMEM && rc != E_CORRUPT)
        return rc;
    bool passing = e && (e->sys == 1054 || e->sys == 1146 || e->sys == 1205 || e->sys == 1213 ||
                         e->sys == 1412);
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
    struct mysql_result row;
    max_statement(r, &inc->items[0], &sql);
    enum err rc = mysql_conn_query(r->conn, sql.p, &row, e);
    strbuf_release(&sql);
    if (rc)
        return rc;
    rc = mysql_result_next(&row, e);
    *found = rc == E_OK;
    if (rc == E_OK) {
        print_key(r, &row, 0, &key);
        incremental_set_max(inc, strbuf_slice(&key));
        LOG_INFO(LOG_CDC_MYSQL, "Incremental snapshot for table '%s' will end at position %s",
                 inc->items[0].id, key.p);
    }
    mysql_result_end(&row);
    strbuf_release(&key);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

static enum err read_rows(struct chunk_reader *r, struct incremental *inc, const struct shape *s,
                          struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    struct mysql_result result;
    enum err rc = chunk_statement(r, inc, s, &sql);
    if (rc)
        error_set(e, rc, "the stored key %s does not fit table %s",
                  inc->last_key ? inc->last_key : inc->max_key, inc->items[0].id);
    else
        rc = mysql_conn_query(r->conn, sql.p, &result, e);
    strbuf_release(&sql);
    if (rc)
        return rc;
    rc = take_rows(r, inc, s, &result, e);
    mysql_result_end(&result);
    return rc;
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
    if (!choose_keys(r, &inc->items[0], s)) {
        *out = CHUNK_NO_KEY;
        return E_OK;
    }
    enum err rc = session(r, e);
    bool found = true;
    if (rc == E_OK && !inc->max_key)
        rc = find_max(r, inc, &found, e);
    if (rc == E_OK && found)
        rc = read_rows(r, inc, s, e);
    if (rc)
        return refused(r, inc, rc, out, e);
    r->later = 0;
    *out = !found ? CHUNK_EMPTY : inc->rows ? CHUNK_ROWS : CHUNK_END;
    return E_OK;
}

/* --- the stream
 * ----------------------------------------------------------------------------------------------
 */

void chunk_streamed(struct mysql_signals *g, const struct shape *s,
                    const struct mysql_table_map *map, const struct mysql_cell *cells,
                    const struct mysql_cell *older)
{
    struct chunk_reader *r = g->reader;
    struct arena a;
    struct strbuf key = STRBUF_INIT;
    if (s->table->version != r->table->version) {
        r->stale = true;
        return;
    }
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    struct value_env env = {.arena = &a};
    strbuf_init(&env.scratch, 0);
    for (uint32_t k = 0; k < r->key_count; k++) {
        uint32_t i = r->keys[k].column;
        struct value v = value_null();
        const struct mysql_cell *cell =
            cells[i].state == CELL_ABSENT && older ? &older[i] : &cells[i];
        if (cell->state == CELL_ABSENT || cell->state == CELL_PARTIAL ||
            codec_cell(&s->codecs[i], &env, &map->columns[i], cell, &v))
            r->stale = true;
        add_value(&s->codecs[i], v, &key);
    }
    incremental_streamed(&g->inc, strbuf_slice(&key));
    strbuf_release(&env.scratch);
    strbuf_release(&key);
    arena_release(&a);
}

static bool is_valid(void *db, struct incremental *inc)
{
    struct mysql_signals *g = db;
    const struct chunk_reader *r = g->reader;
    const struct mysql_table *now = signals_table(r->t, slice_cstr(inc->items[0].id));
    return !r->stale && now && r->table && now->version == r->table->version;
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
