/* cdc/mysql/computed.c - generated columns by the server's own arithmetic.
 *
 *   SELECT `g2` FROM
 *     (SELECT m.*, CAST((expression of g2) AS ...) AS `g2` FROM
 *       (SELECT m.*, CAST((expression of g1) AS ...) AS `g1` FROM
 *         (SELECT `weir row`, `a`, UNHEX(`b`) AS `b` FROM JSON_TABLE('[{"c1":5,"c2":"FF"}, ...]',
 *           '$[*]' COLUMNS (`weir row` FOR ORDINALITY, `a` int(11) PATH '$.c1', ...)) AS m)
 *       AS m) AS m) AS m ORDER BY `weir row`
 *
 * One level per generated column, in table order, because one may name those before it. Only
 * columns that an expression names are handed over. Times go over in UTC. Types that JSON_TABLE does
 * not take (bytes, UUID, labels) go over as text and are turned back one level up. */
#include "cdc/mysql/computed.h"

#include <time.h>

#include "base/mem.h"
#include "cdc/mysql/decimal.h"

#define ORDINAL "`weir row`"

/* How a column goes to the server. */
struct operand {
    uint32_t column;
    char name[12]; /* member of the JSON objects */
};
struct computed {
    const struct mysql_table *table;
    struct strbuf head, tail; /* the statement around the JSON text */
    struct strbuf rows;       /* JSON, without its closing bracket */
    size_t count;             /* images in rows */
    struct operand *operands;
    uint32_t operand_count;
    uint32_t *columns; /* the generated ones, as the statement gives them */
    uint32_t column_count;
    struct slice *texts; /* count * column_count, in the batch's arena */
};

void computed_free(struct computed *c)
{
    if (!c)
        return;
    strbuf_release(&c->head);
    strbuf_release(&c->tail);
    strbuf_release(&c->rows);
    mem_free(c->operands);
    mem_free(c->columns);
    mem_free(c);
}

/* --- the statement ---------------------------------------------------------------------------- */

/* What information_schema says of a column. */
struct definition {
    char *type, *expression, *charset, *collation; /* owned; NULL: SQL NULL */
    bool used;                                     /* an expression names it */
};

static char *text_of(const struct mysql_result *r, unsigned i)
{
    struct slice s = mysql_result_get(r, i);
    return s.p ? xasprintf(PRI_SL, ARG_SL(s)) : NULL;
}

static enum err read_definitions(struct mysql_conn *conn, const struct mysql_table *t,
                                 struct definition *d, struct error *e)
{
    struct strbuf sql = STRBUF_INIT;
    strbuf_adds(&sql, "SELECT column_name, column_type, generation_expression, character_set_name, "
                      "collation_name FROM information_schema.columns WHERE table_schema = ");
    mysql_quote_text(&sql, t->db);
    strbuf_adds(&sql, " AND table_name = ");
    mysql_quote_text(&sql, t->name);
    struct mysql_result r;
    enum err rc = mysql_conn_query(conn, sql.p, &r, e);
    strbuf_release(&sql);
    if (rc)
        return rc;
    while ((rc = mysql_result_next(&r, e)) == E_OK) {
        int i = mysql_table_column(t, mysql_result_get(&r, 0));
        if (i < 0 || d[i].type)
            continue;
        d[i] = (struct definition){.type = text_of(&r, 1),
                                   .expression = text_of(&r, 2),
                                   .charset = text_of(&r, 3),
                                   .collation = text_of(&r, 4)};
    }
    mysql_result_end(&r);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

/* Marks the columns that an expression names: the server prints names in backquotes. */
static void mark_used(const struct mysql_table *t, struct definition *d, struct slice expression)
{
    struct strbuf name = STRBUF_INIT;
    for (size_t i = 0; i < expression.n; i++) {
        char quote = expression.p[i];
        if (quote != '`' && quote != '\'' && quote != '"')
            continue;
        strbuf_reset(&name);
        for (i++; i < expression.n; i++) {
            bool twice =
                expression.p[i] == quote && i + 1 < expression.n && expression.p[i + 1] == quote;
            if (expression.p[i] == quote && !twice)
                break;
            if (twice || (expression.p[i] == '\\' && quote != '`' && i + 1 < expression.n))
                i++;
            strbuf_addc(&name, expression.p[i]);
        }
        int column = quote == '`' ? mysql_table_column(t, strbuf_slice(&name)) : -1;
        if (column >= 0)
            d[column].used = true;
    }
    strbuf_release(&name);
}

/* Type of an operand in JSON_TABLE, and what makes the column's value of it ("" %s ""). */
static enum err operand_type(const struct mysql_table *t, uint32_t i, const struct definition *d,
                             struct strbuf *type, const char **convert, struct error *e)
{
    const struct mysql_column *c = &t->columns[i];
    unsigned flags = mysql_column_type_flags(c->type);
    *convert = NULL;
    if (c->type == COL_BIT) {
        strbuf_adds(type, "bigint unsigned");
    } else if (flags & COLF_BYTES) {
        *convert = "UNHEX(%s)";
        strbuf_adds(type, "longtext CHARACTER SET ascii");
    } else if (c->type == COL_UUID || c->type == COL_INET4 || c->type == COL_INET6) {
        *convert = c->type == COL_UUID    ? "CAST(%s AS UUID)"
                   : c->type == COL_INET4 ? "CAST(%s AS INET4)"
                                          : "CAST(%s AS INET6)";
        strbuf_adds(type, "longtext CHARACTER SET ascii");
    } else if (flags & (COLF_TEXT) || c->type == COL_JSON) {
        bool label = c->type == COL_ENUM || c->type == COL_SET;
        strbuf_adds(type, label ? "longtext" : d->type);
        if (d->charset)
            strbuf_addf(type, " CHARACTER SET %s COLLATE %s", d->charset, d->collation);
    } else if (flags & (COLF_INTEGER | COLF_FLOATING | COLF_TEMPORAL) || c->type == COL_DECIMAL ||
               c->type == COL_YEAR) {
        strbuf_adds(type, d->type);
    } else {
        return error_set(e, E_UNSUPPORTED,
                         "the server leaves generated columns of table " PRI_SL "." PRI_SL
                         " out of row images, and column " PRI_SL
                         " that one of them is made of can't be handed to it; exclude the "
                         "generated column (column.exclude.list)",
                         ARG_SL(t->db), ARG_SL(t->name), ARG_SL(c->name));
    }
    return E_OK;
}

/* The value as the column stores it. False: there is no such conversion. */
static bool add_stored(struct strbuf *b, const struct mysql_column *c, const char *expression)
{
    unsigned flags = mysql_column_type_flags(c->type);
    int fraction = c->length > 0 ? c->length : 0;
    if (flags & COLF_INTEGER)
        strbuf_addf(b, "CAST((%s) AS %s)", expression, c->is_unsigned ? "UNSIGNED" : "SIGNED");
    else if (c->type == COL_DECIMAL)
        strbuf_addf(b, "CAST((%s) AS DECIMAL(%d,%d))", expression, c->length, MAX(c->scale, 0));
    else if (flags & COLF_FLOATING)
        strbuf_addf(b, "CAST((%s) AS %s)", expression, c->type == COL_FLOAT ? "FLOAT" : "DOUBLE");
    else if (c->type == COL_DATE)
        strbuf_addf(b, "CAST((%s) AS DATE)", expression);
    else if (c->type == COL_TIME)
        strbuf_addf(b, "CAST((%s) AS TIME(%d))", expression, fraction);
    else if (c->type == COL_DATETIME || c->type == COL_TIMESTAMP)
        strbuf_addf(b, "CAST((%s) AS DATETIME(%d))", expression, fraction);
    else if (flags & COLF_BYTES)
        strbuf_addf(b, "CAST((%s) AS BINARY)", expression);
    else if (flags & COLF_TEXT)
        strbuf_addf(b, "CAST((%s) AS CHAR)", expression);
    else if (c->type == COL_JSON || c->type == COL_YEAR || c->type == COL_UUID)
        strbuf_addf(b, "(%s)", expression);
    else
        return false;
    return true;
}

static enum err add_level(struct computed *c, uint32_t i, const struct definition *d,
                          struct error *e)
{
    const struct mysql_column *column = &c->table->columns[i];
    struct strbuf level = STRBUF_INIT;
    strbuf_adds(&level, "SELECT m.*, ");
    if (!d->expression || !add_stored(&level, column, d->expression)) {
        strbuf_release(&level);
        return error_set(e, E_UNSUPPORTED,
                         "the server leaves generated column " PRI_SL " of table " PRI_SL "." PRI_SL
                         " out of row images, and its value can't be computed; exclude it "
                         "(column.exclude.list)",
                         ARG_SL(column->name), ARG_SL(c->table->db), ARG_SL(c->table->name));
    }
    strbuf_adds(&level, " AS ");
    mysql_quote_name(&level, column->name);
    strbuf_adds(&level, " FROM (");
    strbuf_add_slice(&level, strbuf_slice(&c->head));
    strbuf_release(&c->head);
    c->head = level;
    strbuf_adds(&c->tail, ") AS m");
    c->columns[c->column_count++] = i;
    return E_OK;
}

/* Head and tail up to the levels: the operands as columns. */
static enum err add_operands(struct computed *c, const struct definition *d, struct error *e)
{
    const struct mysql_table *t = c->table;
    strbuf_adds(&c->head, "SELECT " ORDINAL);
    strbuf_adds(&c->tail, ", '$[*]' COLUMNS (" ORDINAL " FOR ORDINALITY");
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (!d[i].used || t->columns[i].is_computed)
            continue;
        struct strbuf name = STRBUF_INIT;
        const char *convert;
        struct operand *o = &c->operands[c->operand_count++];
        o->column = i;
        snprintf(o->name, sizeof o->name, "c%u", i);
        mysql_quote_name(&name, t->columns[i].name);
        strbuf_addf(&c->tail, ", %s ", name.p);
        enum err rc = operand_type(t, i, &d[i], &c->tail, &convert, e);
        strbuf_addf(&c->tail, " PATH '$.%s' ERROR ON ERROR", o->name);
        strbuf_adds(&c->head, ", ");
        const char *at = convert ? strchr(convert, '%') : NULL;
        if (at)
            strbuf_addf(&c->head, "%.*s%s%s AS ", (int)(at - convert), convert, name.p, at + 2);
        strbuf_adds(&c->head, name.p);
        strbuf_release(&name);
        if (rc)
            return rc;
    }
    strbuf_adds(&c->head, " FROM JSON_TABLE(");
    strbuf_adds(&c->tail, ")) AS m");
    return E_OK;
}

static enum err build(struct computed *c, struct definition *d, struct error *e)
{
    const struct mysql_table *t = c->table;
    for (uint32_t i = 0; i < t->column_count; i++)
        if (t->columns[i].is_computed && d[i].expression)
            mark_used(t, d, slice_cstr(d[i].expression));
    enum err rc = add_operands(c, d, e);
    for (uint32_t i = 0; i < t->column_count && rc == E_OK; i++)
        if (t->columns[i].is_computed)
            rc = add_level(c, i, &d[i], e);
    if (rc)
        return rc;
    struct strbuf head = STRBUF_INIT;
    strbuf_adds(&head, "SET STATEMENT time_zone = '+00:00', sql_mode = '' FOR SELECT " ORDINAL);
    for (uint32_t i = 0; i < c->column_count; i++) {
        strbuf_adds(&head, ", ");
        mysql_quote_name(&head, t->columns[c->columns[i]].name);
    }
    strbuf_adds(&head, " FROM (");
    strbuf_add_slice(&head, strbuf_slice(&c->head));
    strbuf_release(&c->head);
    c->head = head;
    strbuf_adds(&c->tail, ") AS m ORDER BY " ORDINAL);
    return E_OK;
}

enum err computed_open(struct mysql_conn *conn, const struct mysql_table *t, struct computed **out,
                       struct error *e)
{
    struct definition *d = xcalloc(t->column_count, sizeof *d);
    struct computed *c = xcalloc(1, sizeof *c);
    *out = NULL;
    c->table = t;
    strbuf_init(&c->head, 0);
    strbuf_init(&c->tail, 0);
    strbuf_init(&c->rows, 0);
    c->operands = xcalloc(t->column_count, sizeof *c->operands);
    c->columns = xcalloc(t->column_count, sizeof *c->columns);
    enum err rc = read_definitions(conn, t, d, e);
    if (rc == E_OK)
        rc = build(c, d, e);
    for (uint32_t i = 0; i < t->column_count; i++) {
        mem_free(d[i].type);
        mem_free(d[i].expression);
        mem_free(d[i].charset);
        mem_free(d[i].collation);
    }
    mem_free(d);
    if (rc)
        computed_free(c);
    else
        *out = c;
    return rc;
}

/* --- images ----------------------------------------------------------------------------------- */

static void add_time(struct json_writer *w, const struct mysql_column *c,
                     const struct mysql_time_parts *p)
{
    if (c->type == COL_DATE)
        jw_stringf(w, "%04u-%02u-%02u", p->year, p->month, p->day);
    else if (c->type == COL_TIME)
        jw_stringf(w, "%s%02u:%02u:%02u.%06u", p->negative ? "-" : "", p->hour, p->minute,
                   p->second, p->micros);
    else
        jw_stringf(w, "%04u-%02u-%02u %02u:%02u:%02u.%06u", p->year, p->month, p->day, p->hour,
                   p->minute, p->second, p->micros);
}

static enum err add_temporal(struct json_writer *w, const struct mysql_column *c,
                             const struct mysql_map_column *m, const struct mysql_cell *cell)
{
    struct mysql_time_parts p = {0};
    enum err rc;
    if (c->type == COL_TIMESTAMP) {
        int64_t seconds;
        rc = mysql_cell_timestamp(m, cell, &seconds, &p.micros);
        if (rc)
            return rc;
        if (seconds == 0 && p.micros == 0) {
            jw_string(w, SL("0000-00-00 00:00:00"));
            return E_OK;
        }
        time_t at = (time_t)seconds;
        struct tm tm;
        gmtime_r(&at, &tm);
        p.year = (uint32_t)tm.tm_year + 1900;
        p.month = (uint32_t)tm.tm_mon + 1;
        p.day = (uint32_t)tm.tm_mday;
        p.hour = (uint32_t)tm.tm_hour;
        p.minute = (uint32_t)tm.tm_min;
        p.second = (uint32_t)tm.tm_sec;
    } else {
        rc = mysql_cell_time(m, cell, &p);
        if (rc)
            return rc;
    }
    add_time(w, c, &p);
    return E_OK;
}

static enum err add_decimal(struct json_writer *w, const struct mysql_column *c,
                            const struct mysql_cell *cell)
{
    char text[DECIMAL_TEXT_MAX];
    size_t n;
    enum err rc = decimal_text(cell->p, cell->n, (unsigned)MAX(c->length, 0),
                               (unsigned)MAX(c->scale, 0), text, &n);
    if (rc == E_OK)
        jw_string(w, slice_of(text, n));
    return rc;
}

static enum err add_floating(struct json_writer *w, const struct mysql_cell *cell)
{
    float f;
    double d;
    if (cell->n == sizeof f) {
        memcpy(&f, cell->p, sizeof f);
        jw_stringf(w, "%.17g", (double)f); /* exact: as a column it is compared as a double */
    } else if (cell->n == sizeof d) {
        memcpy(&d, cell->p, sizeof d);
        jw_stringf(w, "%.17g", d);
    } else {
        return E_CORRUPT;
    }
    return E_OK;
}

/* The log strips the zeros that BINARY ends with. */
static void add_hex(struct json_writer *w, const struct mysql_column *c,
                    const struct mysql_cell *cell)
{
    struct strbuf hex = STRBUF_INIT;
    hex_encode(&hex, slice_of(cell->p, cell->n));
    if (c->type == COL_BINARY)
        for (int32_t i = (int32_t)cell->n; i < c->length; i++)
            strbuf_adds(&hex, "00");
    jw_string(w, strbuf_slice(&hex));
    strbuf_release(&hex);
}

/* Text of any charset, labels, UUIDs: as the column's own decoder reads them, whatever a rule shows
 * instead. */
static enum err add_text(struct json_writer *w, const struct codec *codec, struct value_env *env,
                         const struct mysql_map_column *m, const struct mysql_cell *cell)
{
    struct value v;
    enum err rc = codec_cell_plain(codec, env, m, cell, &v);
    if (rc == E_OK && v.kind != VALUE_STRING)
        return E_UNSUPPORTED;
    if (rc == E_OK)
        jw_string(w, slice_of(v.u.s, v.n));
    return rc;
}

enum err computed_write_cell(struct json_writer *w, const struct codec *codec,
                             struct value_env *env, const struct mysql_map_column *m,
                             const struct mysql_cell *cell)
{
    const struct mysql_column *c = codec->column;
    unsigned flags = mysql_column_type_flags(c->type);
    if (cell->state == CELL_NULL) {
        jw_null(w);
        return E_OK;
    }
    if (cell->state != CELL_VALUE)
        return E_UNSUPPORTED;
    if (flags & COLF_INTEGER) {
        if (c->is_unsigned)
            jw_u64(w, mysql_cell_uint(cell));
        else
            jw_i64(w, mysql_cell_int(cell));
        return E_OK;
    }
    if (flags & COLF_TEMPORAL)
        return add_temporal(w, c, m, cell);
    if (flags & COLF_FLOATING)
        return add_floating(w, cell);
    if (flags & COLF_BYTES) {
        add_hex(w, c, cell);
        return E_OK;
    }
    if (c->type == COL_DECIMAL)
        return add_decimal(w, c, cell);
    if (c->type == COL_YEAR) {
        uint64_t year = mysql_cell_uint(cell);
        jw_u64(w, year ? year + 1900 : 0);
        return E_OK;
    }
    if (c->type == COL_BIT) {
        uint64_t bits = 0;
        for (uint32_t i = 0; i < cell->n; i++)
            bits = bits << 8 | cell->p[i];
        jw_u64(w, bits);
        return E_OK;
    }
    return add_text(w, codec, env, m, cell);
}

void computed_reset(struct computed *c)
{
    c->count = 0;
    c->texts = NULL;
    strbuf_reset(&c->rows);
    strbuf_addc(&c->rows, '[');
}

enum err computed_add(struct computed *c, const struct shape *s, struct value_env *env,
                      const struct mysql_table_map *map, const struct mysql_cell *cells,
                      struct error *e)
{
    struct json_writer w = {&c->rows, c->count > 0};
    c->count++;
    jw_begin_object(&w);
    for (uint32_t i = 0; i < c->operand_count; i++) {
        const struct operand *o = &c->operands[i];
        jw_key_c(&w, o->name);
        enum err rc = computed_write_cell(&w, &s->codecs[o->column], env, &map->columns[o->column],
                                          &cells[o->column]);
        if (rc)
            return error_set(e, rc,
                             "column " PRI_SL " of table " PRI_SL "." PRI_SL
                             ", which a generated column is made of, can't be read (%s)",
                             ARG_SL(c->table->columns[o->column].name), ARG_SL(c->table->db),
                             ARG_SL(c->table->name), err_name(rc));
    }
    jw_end_object(&w);
    return E_OK;
}

/* Keeps the texts of one result row. */
static enum err keep(struct computed *c, const struct mysql_result *r, size_t n,
                     struct value_env *env)
{
    for (uint32_t i = 0; i < c->column_count; i++) {
        struct slice text = mysql_result_get(r, i + 1);
        if (text.p)
            text.p = value_dup(env, text.p, text.n);
        else
            text.n = 0;
        if (!text.p && mysql_result_get(r, i + 1).p)
            return E_NOMEM;
        c->texts[n * c->column_count + i] = text;
    }
    return E_OK;
}

enum err computed_run(struct computed *c, struct mysql_conn *conn, struct value_env *env,
                      struct error *e)
{
    c->texts = arena_try_alloc(env->arena, (c->count * c->column_count + 1) * sizeof *c->texts);
    if (!c->texts)
        return error_set(e, E_NOMEM, "no memory for generated columns");
    strbuf_addc(&c->rows, ']');
    struct strbuf sql = STRBUF_INIT;
    strbuf_add_slice(&sql, strbuf_slice(&c->head));
    mysql_quote_text(&sql, strbuf_slice(&c->rows));
    strbuf_add_slice(&sql, strbuf_slice(&c->tail));
    struct mysql_result r;
    enum err rc = mysql_conn_query(conn, sql.p, &r, e);
    strbuf_release(&sql);
    if (rc)
        return error_wrap(e, "computing the generated columns of table " PRI_SL "." PRI_SL,
                          ARG_SL(c->table->db), ARG_SL(c->table->name));
    size_t n = 0;
    while ((rc = mysql_result_next(&r, e)) == E_OK) {
        if (n < c->count)
            rc = keep(c, &r, n, env);
        n++;
        if (rc)
            break;
    }
    mysql_result_end(&r);
    if (rc == E_NOMEM)
        return error_set(e, rc, "no memory for generated columns");
    if (rc == E_NOT_FOUND && n != c->count)
        return error_set(e, E_CORRUPT, "%zu generated rows came back for %zu", n, c->count);
    return rc == E_NOT_FOUND ? E_OK : rc;
}

enum err computed_fill(const struct computed *c, const struct shape *s, struct value_env *env,
                       size_t n, struct value *row, struct error *e)
{
    for (uint32_t i = 0; i < c->column_count; i++) {
        uint32_t column = c->columns[i];
        enum err rc = shape_text(s, env, column, c->texts[n * c->column_count + i], row);
        if (rc)
            return error_set(e, rc,
                             "generated column " PRI_SL " of table " PRI_SL "." PRI_SL
                             " can't be read (%s)",
                             ARG_SL(c->table->columns[column].name), ARG_SL(c->table->db),
                             ARG_SL(c->table->name), err_name(rc));
    }
    return E_OK;
}
