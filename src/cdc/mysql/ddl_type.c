/* cdc/mysql/ddl_type.c - data types: spelling, dimensions and the attributes that belong to the
 * type.
 *
 * One row per spelling. type_name is what Debezium prints: the words as written, in upper case,
 * without dimensions, followed by SIGNED, UNSIGNED, ZEROFILL. SPEC: cdc-mysql 6, 7.1. */
#include "cdc/mysql/ddl_parse.h"

#include "base/bytes.h"

enum dimension {
    DIM_NONE,
    DIM_LENGTH,  /* (n), optional */
    DIM_DECIMAL, /* (p[,s]), default 10,0 */
    DIM_FLOAT,   /* (p) or (m,d) */
    DIM_BIT,     /* (n), default 1 */
    DIM_VALUES,  /* ('a','b') */
};

struct type_row {
    const char *words; /* upper case; longer spellings stand before their prefixes */
    uint8_t type, dim;
    int16_t jdbc; /* 0: that of the type */
    uint8_t flags;
};
enum { NATIONAL = 1, SERIAL = 2, BOOL = 4 };

static const struct type_row rows[] = {
    {"BIT", COL_BIT, DIM_BIT, 0, 0},
    {"BOOLEAN", COL_BOOLEAN, DIM_NONE, 0, BOOL},
    {"BOOL", COL_BOOLEAN, DIM_NONE, 0, BOOL},
    {"TINYINT", COL_TINYINT, DIM_LENGTH, 0, 0},
    {"INT1", COL_TINYINT, DIM_LENGTH, 0, 0},
    {"SMALLINT", COL_SMALLINT, DIM_LENGTH, 0, 0},
    {"INT2", COL_SMALLINT, DIM_LENGTH, 0, 0},
    {"MEDIUMINT", COL_MEDIUMINT, DIM_LENGTH, 0, 0},
    {"MIDDLEINT", COL_MEDIUMINT, DIM_LENGTH, 0, 0},
    {"INT3", COL_MEDIUMINT, DIM_LENGTH, 0, 0},
    {"INTEGER", COL_INT, DIM_LENGTH, 0, 0},
    {"INT", COL_INT, DIM_LENGTH, 0, 0},
    {"INT4", COL_INT, DIM_LENGTH, 0, 0},
    {"BIGINT", COL_BIGINT, DIM_LENGTH, 0, 0},
    {"INT8", COL_BIGINT, DIM_LENGTH, 0, 0},
    {"SERIAL", COL_BIGINT, DIM_NONE, 0, SERIAL},
    {"FLOAT", COL_FLOAT, DIM_FLOAT, 0, 0},
    {"FLOAT4", COL_FLOAT, DIM_FLOAT, 0, 0},
    {"DOUBLE PRECISION", COL_DOUBLE, DIM_FLOAT, 0, 0},
    {"DOUBLE", COL_DOUBLE, DIM_FLOAT, 0, 0},
    {"FLOAT8", COL_DOUBLE, DIM_FLOAT, 0, 0},
    {"REAL", COL_REAL, DIM_FLOAT, 0, 0},
    {"DECIMAL", COL_DECIMAL, DIM_DECIMAL, 0, 0},
    {"DEC", COL_DECIMAL, DIM_DECIMAL, 0, 0},
    {"NUMERIC", COL_DECIMAL, DIM_DECIMAL, 2, 0},
    {"FIXED", COL_DECIMAL, DIM_DECIMAL, 0, 0},
    {"NUMBER", COL_DECIMAL, DIM_DECIMAL, 2, 0}, /* MariaDB, sql_mode ORACLE */
    {"YEAR", COL_YEAR, DIM_LENGTH, 0, 0},
    {"DATETIME", COL_DATETIME, DIM_LENGTH, 0, 0},
    {"DATE", COL_DATE, DIM_NONE, 0, 0},
    {"TIMESTAMP", COL_TIMESTAMP, DIM_LENGTH, 0, 0},
    {"TIME", COL_TIME, DIM_LENGTH, 0, 0},
    {"NATIONAL CHARACTER VARYING", COL_VARCHAR, DIM_LENGTH, -9, NATIONAL},
    {"NATIONAL CHAR VARYING", COL_VARCHAR, DIM_LENGTH, -9, NATIONAL},
    {"NATIONAL CHARACTER", COL_CHAR, DIM_LENGTH, -15, NATIONAL},
    {"NATIONAL CHAR", COL_CHAR, DIM_LENGTH, -15, NATIONAL},
    {"NATIONAL VARCHARACTER", COL_VARCHAR, DIM_LENGTH, -9, NATIONAL},
    {"NATIONAL VARCHAR", COL_VARCHAR, DIM_LENGTH, -9, NATIONAL},
    {"NCHAR VARCHARACTER", COL_VARCHAR, DIM_LENGTH, -9, NATIONAL},
    {"NCHAR VARCHAR", COL_VARCHAR, DIM_LENGTH, -9, NATIONAL},
    {"NCHAR VARYING", COL_VARCHAR, DIM_LENGTH, -9, NATIONAL},
    {"NCHAR", COL_CHAR, DIM_LENGTH, -15, NATIONAL},
    {"NVARCHAR", COL_VARCHAR, DIM_LENGTH, -9, NATIONAL},
    {"CHARACTER VARYING", COL_VARCHAR, DIM_LENGTH, 0, 0},
    {"CHAR VARYING", COL_VARCHAR, DIM_LENGTH, 0, 0},
    {"CHAR BYTE", COL_BINARY, DIM_LENGTH, 0, 0},
    {"CHARACTER", COL_CHAR, DIM_LENGTH, 0, 0},
    {"CHAR", COL_CHAR, DIM_LENGTH, 0, 0},
    {"VARCHARACTER", COL_VARCHAR, DIM_LENGTH, 0, 0},
    {"VARCHAR2", COL_VARCHAR, DIM_LENGTH, 0, 0},
    {"VARCHAR", COL_VARCHAR, DIM_LENGTH, 0, 0},
    {"BINARY", COL_BINARY, DIM_LENGTH, 0, 0},
    {"VARBINARY", COL_VARBINARY, DIM_LENGTH, 0, 0},
    {"RAW", COL_VARBINARY, DIM_LENGTH, 0, 0},
    {"TINYTEXT", COL_TINYTEXT, DIM_LENGTH, 0, 0},
    {"MEDIUMTEXT", COL_MEDIUMTEXT, DIM_LENGTH, 0, 0},
    {"LONGTEXT", COL_LONGTEXT, DIM_LENGTH, 0, 0},
    {"TEXT", COL_TEXT, DIM_LENGTH, 0, 0},
    {"CLOB", COL_LONGTEXT, DIM_LENGTH, 0, 0},
    {"LONG CHARACTER VARYING", COL_MEDIUMTEXT, DIM_NONE, 0, 0},
    {"LONG CHAR VARYING", COL_MEDIUMTEXT, DIM_NONE, 0, 0},
    {"LONG VARCHARACTER", COL_MEDIUMTEXT, DIM_NONE, 0, 0},
    {"LONG VARCHAR", COL_MEDIUMTEXT, DIM_NONE, 0, 0},
    {"LONG VARBINARY", COL_MEDIUMBLOB, DIM_NONE, 0, 0},
    {"LONG", COL_MEDIUMTEXT, DIM_NONE, 0, 0},
    {"TINYBLOB", COL_TINYBLOB, DIM_LENGTH, 0, 0},
    {"MEDIUMBLOB", COL_MEDIUMBLOB, DIM_LENGTH, 0, 0},
    {"LONGBLOB", COL_LONGBLOB, DIM_LENGTH, 0, 0},
    {"BLOB", COL_BLOB, DIM_LENGTH, 0, 0},
    {"ENUM", COL_ENUM, DIM_VALUES, 0, 0},
    {"SET", COL_SET, DIM_VALUES, 0, 0},
    {"JSON", COL_JSON, DIM_NONE, 0, 0},
    {"GEOMETRY", COL_GEOMETRY, DIM_NONE, 0, 0},
    {"GEOMETRYCOLLECTION", COL_GEOMETRYCOLLECTION, DIM_NONE, 0, 0},
    {"GEOMCOLLECTION", COL_GEOMETRYCOLLECTION, DIM_NONE, 0, 0},
    {"POINT", COL_POINT, DIM_NONE, 0, 0},
    {"LINESTRING", COL_LINESTRING, DIM_NONE, 0, 0},
    {"POLYGON", COL_POLYGON, DIM_NONE, 0, 0},
    {"MULTIPOINT", COL_MULTIPOINT, DIM_NONE, 0, 0},
    {"MULTILINESTRING", COL_MULTILINESTRING, DIM_NONE, 0, 0},
    {"MULTIPOLYGON", COL_MULTIPOLYGON, DIM_NONE, 0, 0},
    {"VECTOR", COL_VECTOR, DIM_LENGTH, 0, 0},
    {"UUID", COL_UUID, DIM_NONE, 0, 0},
    {"INET4", COL_INET4, DIM_NONE, 0, 0},
    {"INET6", COL_INET6, DIM_NONE, 0, 0},
};

static const struct type_row *find_row(struct ddl_parser *p)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (ddl_accept_words(p, rows[i].words))
            return &rows[i];
    return NULL;
}

static enum err dimension(struct ddl_parser *p, int32_t *out)
{
    uint64_t v;
    ptrdiff_t point = slice_find_char(p->tok.text, '.'); /* DECIMAL(19.5): the server takes 19 */
    struct slice whole = point > 0 ? slice_sub(p->tok.text, 0, (size_t)point) : p->tok.text;

    if (p->tok.kind != TOK_NUMBER || slice_to_u64(whole, &v) != E_OK)
        return ddl_fail(p, "a number");
    *out = v > INT32_MAX ? INT32_MAX : (int32_t)v; /* LONGTEXT's own length does not fit either */
    ddl_advance(p);
    return E_OK;
}

static enum err dimensions(struct ddl_parser *p, const struct type_row *row, struct mysql_column *c)
{
    if (row->dim == DIM_DECIMAL) {
        c->length = 10;
        c->scale = 0;
    } else if (row->dim == DIM_BIT)
        c->length = 1;
    if (!ddl_at_punct(p, '('))
        return E_OK;
    ddl_advance(p);
    if (row->dim == DIM_NONE) /* JSON(…)? Types of servers to come */
        return ddl_fail(p, "no length");
    enum err err = dimension(p, &c->length);
    if (!err && (row->dim == DIM_DECIMAL || row->dim == DIM_FLOAT) && ddl_accept_punct(p, ','))
        err = dimension(p, &c->scale);
    if (row->dim == DIM_DECIMAL && c->length == 0)
        c->length = 10;                                   /* DECIMAL(0) is DECIMAL */
    if (!err && (ddl_at(p, "CHAR") || ddl_at(p, "BYTE"))) /* VARCHAR2(10 CHAR) */
        ddl_advance(p);
    return err ? err : ddl_expect_punct(p, ')');
}

/* One ENUM or SET member: 'text', _charset'text', x'..', N'..'. Trailing blanks go, as in the
 * server. */
static enum err member(struct ddl_parser *p, struct slice *out)
{
    if (p->tok.kind == TOK_WORD && p->tok.text.n > 1 && p->tok.text.p[0] == '_')
        ddl_advance(p);
    if (p->tok.kind == TOK_HEX) {
        char *bytes = arena_try_alloc(p->arena, p->tok.text.n / 2 + 1);
        struct strbuf b;
        if (!bytes)
            return ddl_nomem(p);
        strbuf_init(&b, p->tok.text.n + 1);
        enum err err = hex_decode(&b, p->tok.text);
        if (!err)
            memcpy(bytes, b.p, b.n);
        *out = slice_of(bytes, err ? 0 : b.n);
        strbuf_release(&b);
        ddl_advance(p);
        return err ? ddl_fail(p, "an even number of hex digits") : E_OK;
    }
    enum err err = ddl_string(p, out);
    while (!err && out->n > 0 && out->p[out->n - 1] == ' ')
        out->n--;
    return err;
}

static enum err members(struct ddl_parser *p, struct mysql_column *c)
{
    struct slice *values = NULL;
    uint32_t n = 0;
    enum err err = ddl_expect_punct(p, '(');

    while (!err && !ddl_at_punct(p, ')')) {
        values = ddl_push(p, values, &n, sizeof *values);
        if (!values)
            return ddl_nomem(p);
        err = member(p, &values[n - 1]);
        if (!err && !ddl_accept_punct(p, ','))
            break;
    }
    if (err)
        return err;
    c->values = values;
    c->value_count = n;
    c->length = c->type == COL_ENUM ? 1 : n ? (int32_t)(2 * n - 1) : 0;
    return ddl_expect_punct(p, ')');
}

static enum err add_name(struct ddl_parser *p, struct mysql_column *c, const char *word)
{
    size_t more = strlen(word);
    char *out = arena_try_alloc(p->arena, c->type_name.n + more + 2);

    if (!out)
        return ddl_nomem(p);
    memcpy(out, c->type_name.p, c->type_name.n);
    out[c->type_name.n] = ' ';
    memcpy(out + c->type_name.n + 1, word, more);
    c->type_name = slice_of(out, c->type_name.n + 1 + more);
    return E_OK;
}

/* UNSIGNED, SIGNED, ZEROFILL in any order. */
static enum err signs(struct ddl_parser *p, struct mysql_column *c)
{
    enum err err = E_OK;

    while (!err) {
        if (ddl_accept(p, "UNSIGNED")) {
            c->is_unsigned = true;
            err = add_name(p, c, "UNSIGNED");
        } else if (ddl_accept(p, "ZEROFILL")) {
            c->zerofill = c->is_unsigned = true;
            err = add_name(p, c, "ZEROFILL");
        } else if (ddl_accept(p, "SIGNED")) {
            err = add_name(p, c, "SIGNED");
        } else
            break;
    }
    return err;
}

enum err ddl_data_type(struct ddl_parser *p, struct ddl_column *out)
{
    struct mysql_column *c = &out->def;
    /* MariaDB: mariadb_schema.DATE, mysql.TIMESTAMP of old dumps */
    if (p->tok.kind == TOK_WORD &&
        (ddl_at(p, "MARIADB_SCHEMA") || ddl_at(p, "ORACLE_SCHEMA") || ddl_at(p, "MAXDB_SCHEMA"))) {
        ddl_advance(p);
        ddl_accept_punct(p, '.');
    }
    const struct type_row *row = find_row(p);
    enum err err = E_OK;

    c->length = c->scale = -1;
    if (!row) {
        /* A type that is not known: the column exists, its values are not understood. */
        if (p->tok.kind != TOK_WORD)
            return ddl_fail(p, "a data type");
        c->type = COL_UNKNOWN;
        c->type_name = ddl_upper(p, p->tok.text);
        c->jdbc = mysql_column_type_jdbc(c->type);
        ddl_advance(p);
        if (ddl_at_punct(p, '('))
            err = ddl_skip_group(p, NULL);
        return err ? err : c->type_name.p ? E_OK : ddl_nomem(p);
    }
    c->type = (enum mysql_column_type)row->type;
    c->jdbc = row->jdbc ? row->jdbc : mysql_column_type_jdbc(c->type);
    c->type_name = slice_cstr(row->words);
    out->national = row->flags & NATIONAL;
    if (row->flags & SERIAL) { /* BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE */
        c->type_name = SL("BIGINT UNSIGNED");
        c->is_unsigned = c->is_auto_increment = c->auto_incremented = c->generated = true;
        c->nullable = false;
        out->null_stated = out->unique = true;
    }
    if (c->type == COL_REAL && (p->ctx->sql_mode & SQL_MODE_REAL_AS_FLOAT))
        c->type = COL_FLOAT;
    if (row->dim != DIM_VALUES)
        err = dimensions(p, row, c);
    else if (!p->names_only || ddl_at_punct(p, '('))
        err = members(p, c);
    return err ? err : signs(p, c);
}

enum err ddl_parse_type_name(struct slice text, struct arena *a, struct ddl_column *c,
                             struct error *e)
{
    struct ddl_context ctx = {.mariadb = true};
    struct ddl_parser p = {.arena = a, .ctx = &ctx, .sql = text, .e = e, .names_only = true};

    ddl_lex_init(&p.lex, text, 0, true, 0);
    p.last_end = p.lex.at;
    ddl_lex_next(&p.lex, &p.tok);
    return ddl_data_type(&p, c);
}
