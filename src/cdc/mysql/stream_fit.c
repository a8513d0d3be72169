/* cdc/mysql/stream_fit.c - whether the model describes the rows that come, and what is done when it
 * does not: the table is read from the server as it is now, and adopted when it fits.
 *
 * Types are compared by what may be in the log for a column, names where the server sends them
 * (binlog_row_metadata=FULL). A table that was read keeps its structure until a statement changes
 * it, even when the comparison is not content. SPEC: cdc-mysql 7.6. */
#include "cdc/mysql/stream.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/ddl_lex.h"

/* What is known of a table beside the model. */
struct table_note {
    uint64_t read_version; /* of the structure that was read from the server; 0: none */
    bool unsure;           /* a statement that was not understood names it */
};

static struct table_note *note_of(struct stream *s, struct slice db, struct slice table)
{
    struct strbuf key = STRBUF_INIT;
    strbuf_add_slice(&key, db);
    strbuf_addc(&key, '\0');
    strbuf_add_slice(&key, table);
    struct table_note *n = map_get(&s->notes, strbuf_slice(&key));
    if (!n) {
        n = xcalloc(1, sizeof *n);
        (void)map_put(&s->notes, strbuf_slice(&key), n);
    }
    strbuf_release(&key);
    return n;
}

/* --- comparison ------------------------------------------------------------------------------- */

static bool is_blob(uint8_t wire)
{
    return wire == WIRE_BLOB || wire == WIRE_BLOB_COMPRESSED;
}

static bool is_varying(uint8_t wire)
{
    return wire == WIRE_VARCHAR || wire == WIRE_VAR_STRING || wire == WIRE_VARCHAR_COMPRESSED;
}

static bool type_fits(enum mysql_column_type type, uint8_t wire)
{
    switch (type) {
    case COL_BIT:
        return wire == WIRE_BIT;
    case COL_BOOLEAN:
    case COL_TINYINT:
        return wire == WIRE_TINY;
    case COL_SMALLINT:
        return wire == WIRE_SHORT;
    case COL_MEDIUMINT:
        return wire == WIRE_INT24;
    case COL_INT:
        return wire == WIRE_LONG;
    case COL_BIGINT:
        return wire == WIRE_LONGLONG;
    case COL_FLOAT:
    case COL_REAL:
    case COL_DOUBLE:
        return wire == WIRE_FLOAT || wire == WIRE_DOUBLE;
    case COL_DECIMAL:
        return wire == WIRE_NEWDECIMAL || wire == WIRE_DECIMAL_OLD;
    case COL_YEAR:
        return wire == WIRE_YEAR;
    case COL_DATE:
        return wire == WIRE_DATE;
    case COL_TIME:
        return wire == WIRE_TIME || wire == WIRE_TIME2;
    case COL_DATETIME:
        return wire == WIRE_DATETIME || wire == WIRE_DATETIME2;
    case COL_TIMESTAMP:
        return wire == WIRE_TIMESTAMP || wire == WIRE_TIMESTAMP2;
    case COL_CHAR:
    case COL_BINARY:
        return wire == WIRE_STRING || wire == WIRE_VAR_STRING;
    case COL_VARCHAR:
    case COL_VARBINARY:
        return is_varying(wire);
    case COL_ENUM:
        return wire == WIRE_ENUM;
    case COL_SET:
        return wire == WIRE_SET;
    case COL_TINYTEXT:
    case COL_TEXT:
    case COL_MEDIUMTEXT:
    case COL_LONGTEXT:
    case COL_TINYBLOB:
    case COL_BLOB:
    case COL_MEDIUMBLOB:
    case COL_LONGBLOB:
        return is_blob(wire);
    case COL_JSON:
        return wire == WIRE_JSON || is_blob(wire);
    default:
        return true;
    }
}

bool stream_fits(const struct mysql_table *t, const struct mysql_table_map *map)
{
    return map->column_count == t->column_count ||
           (t->system_versioned && map->column_count == t->column_count + 2);
}

static bool columns_fit(const struct mysql_table *t, const struct mysql_table_map *map)
{
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct mysql_map_column *m = &map->columns[i];
        if (!type_fits(t->columns[i].type, m->type))
            return false;
        if (map->has_names && !slice_ieq(m->name, t->columns[i].name))
            return false;
    }
    return true;
}

/* --- reading again ---------------------------------------------------------------------------- */

enum err stream_report(struct stream *s, const struct mysql_changes *changes,
                       const struct ddl_report *how, struct record_batch *b, struct error *e)
{
    enum err rc = mysql_task_report_changes(s->t, changes, how, b, e);
    s->broken |= rc != E_OK;
    return rc;
}

static enum err report(struct stream *s, struct slice db, const struct mysql_changes *changes,
                       struct error *e)
{
    struct mysql_offset at;
    mysql_offset_init(&at);
    stream_offset(s, &at);
    struct ddl_report how = {.at = &at, .db = db};
    enum err rc = stream_report(s, changes, &how, NULL, e);
    mysql_offset_release(&at);
    return rc;
}

enum err stream_adopt(struct stream *s, struct slice db, struct slice table, const char *create,
                      const struct mysql_table *old, const struct mysql_table_map *map,
                      struct error *e)
{
    struct mysql_schema *schema = s->t->schema;
    struct mysql_changes changes;
    struct mysql_ddl_origin origin = {.db = db};
    mysql_changes_init(&changes);
    mysql_schema_remove(schema, db, table);
    enum err rc = mysql_schema_apply(schema, &origin, slice_cstr(create), &changes, e);
    const struct mysql_table *now = mysql_schema_find(schema, db, table);
    bool same = old && now && mysql_table_same(old, now);
    if (old && (rc || same || !now || (map && !stream_fits(now, map)))) {
        mysql_schema_put(schema, old);
    } else if (rc == E_OK && changes.count) {
        LOG_WARN(LOG_CDC_MYSQL,
                 "the structure of table " PRI_SL "." PRI_SL " was read again from the server",
                 ARG_SL(db), ARG_SL(table));
        rc = report(s, db, &changes, e);
        s->generation++;
    }
    mysql_changes_release(&changes);
    now = mysql_schema_find(schema, db, table);
    struct table_note *n = note_of(s, db, table);
    n->unsure = false;
    n->read_version = now ? now->version : 0;
    return rc;
}

enum err stream_read_table(struct stream *s, struct slice db, struct slice table,
                           const struct mysql_table_map *map, bool *sequence, struct error *e)
{
    struct mysql_task *t = s->t;
    struct strbuf sql = STRBUF_INIT;
    char *create = NULL;
    enum err rc = stream_session(s, e);
    if (rc)
        return rc;
    strbuf_adds(&sql, "SHOW CREATE TABLE ");
    mysql_quote_name(&sql, db);
    strbuf_addc(&sql, '.');
    mysql_quote_name(&sql, table);
    rc = mysql_conn_scalar(t->conn, sql.p, 1, &create, e);
    strbuf_release(&sql);
    *sequence = rc == E_OK && create && slice_find(slice_cstr(create), SL(" SEQUENCE=1")) >= 0;
    if (rc == E_OK && create && !*sequence) {
        const struct mysql_table *old = mysql_table_ref(mysql_schema_find(t->schema, db, table));
        rc = stream_adopt(s, db, table, create, old, map, e);
        mysql_table_unref(old);
    }
    mem_free(create);
    return rc;
}

/* The row of a MariaDB sequence: next value, minimum, maximum, start, increment, cache size, cycle
 * option, cycle count. For one that is not in the model and was dropped before it could be read. */
static bool is_sequence_row(const struct mysql_table_map *map)
{
    enum { COLUMNS = 8 };
    if (map->column_count != COLUMNS)
        return false;
    for (uint32_t i = 0; i < 4; i++) /* of the type that the sequence was made with */
        if (map->columns[i].type != map->columns[0].type)
            return false;
    return map->columns[4].type == WIRE_LONGLONG && map->columns[5].type == WIRE_LONGLONG &&
           map->columns[6].type == WIRE_TINY && map->columns[7].type == WIRE_LONGLONG;
}

enum err stream_fitting_table(struct stream *s, const struct mysql_table_map *map,
                              const struct mysql_table **out, bool *sequence, struct error *e)
{
    *out = mysql_schema_find(s->t->schema, map->db, map->table);
    if (*out && stream_fits(*out, map)) {
        const struct table_note *n = note_of(s, map->db, map->table);
        if (!n->unsure && (n->read_version == (*out)->version || columns_fit(*out, map)))
            return E_OK;
    }
    /* Perhaps a statement was not understood: look at the table as it is now. */
    enum err rc = stream_read_table(s, map->db, map->table, map, sequence, e);
    if (s->broken || rc == E_CANCELLED || rc == E_IO || rc == E_TIMEOUT)
        return rc;
    *out = *sequence ? NULL : mysql_schema_find(s->t->schema, map->db, map->table);
    if (rc && *out) { /* it is gone by now: what is known of it has to do */
        struct table_note *n = note_of(s, map->db, map->table);
        *n = (struct table_note){.read_version = (*out)->version};
    }
    if (rc && !*out && s->mariadb && is_sequence_row(map))
        *sequence = true;
    return E_OK;
}

/* --- statements that were not understood ------------------------------------------------------ */

static void mark(struct stream *s, struct slice db, struct slice name)
{
    const struct mysql_table *t = mysql_schema_find(s->t->schema, db, name);
    if (t)
        note_of(s, t->db, t->name)->unsure = true;
}

void stream_mark_unsure(struct stream *s, const struct mysql_query_event *q)
{
    struct ddl_lex lex;
    struct ddl_token t;
    struct arena a;
    struct slice before = SLICE_NULL; /* name in front of a dot */
    bool dot = false;
    arena_init(&a, 4096, (size_t)1 << 20);
    ddl_lex_init(&lex, q->sql, q->has_sql_mode ? q->sql_mode : 0, s->mariadb, s->t->server.version);
    for (ddl_lex_next(&lex, &t); t.kind != TOK_END; ddl_lex_next(&lex, &t)) {
        if (t.kind == TOK_WORD || t.kind == TOK_QUOTED) {
            struct slice name = ddl_token_text(&lex, &t, &a);
            if (name.p)
                mark(s, dot && before.p ? before : q->db, name);
            before = name;
            dot = false;
        } else {
            dot = t.kind == TOK_PUNCT && t.punct == '.';
            if (!dot)
                before = SLICE_NULL;
        }
    }
    arena_release(&a);
    s->generation++; /* tables are bound again */
}

void stream_forget_notes(struct stream *s)
{
    map_release(&s->notes, mem_free);
}
