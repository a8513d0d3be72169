/* cdc/mysql/schema_restore.c - tables from the records of a schema history: weir's own, whose member
 * "weir" holds what the others lack, or Debezium's, from which a table is rebuilt as well as they
 * allow. SPEC: cdc-mysql 5.10 */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/ddl_parse.h"
#include "cdc/mysql/schema_int.h"

#define RESTORE_BUDGET ((size_t)256 << 20)

static struct slice str_of(const json_t *v)
{
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NULL;
}
static struct slice str(const json_t *o, const char *key)
{
    return str_of(json_object_get(o, key));
}
static bool boolean(const json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}
static int32_t integer(const json_t *o, const char *key, int32_t otherwise)
{
    const json_t *v = json_object_get(o, key);

    if (!json_is_integer(v))
        return otherwise;
    json_int_t i = json_integer_value(v);
    return i < -1 ? -1 : i > INT32_MAX ? INT32_MAX : (int32_t)i;
}

static enum err damaged(struct error *e, const char *what)
{
    return error_set(e, E_CORRUPT, "schema history: %s", what);
}

struct restore {
    struct arena *arena;
    struct error *e;
    struct mysql_column *columns;
    uint32_t count;
};

/* 'a''b' as written by Debezium (or us) to a'b. */
static struct slice unquote(struct restore *r, struct slice s)
{
    struct ddl_lex lex;
    struct ddl_token t;

    ddl_lex_init(&lex, s, 0, true, 0);
    ddl_lex_next(&lex, &t);
    if (t.kind == TOK_WORD && t.text.p[0] == '_') /* introducer */
        ddl_lex_next(&lex, &t);
    return t.kind == TOK_STRING ? ddl_token_text(&lex, &t, r->arena) : s;
}

static enum err enum_members(struct restore *r, const json_t *o, struct mysql_column *c)
{
    const json_t *values = json_object_get(o, "enumValues");
    size_t n = json_array_size(values);

    if (n == 0)
        return E_OK;
    struct slice *out = n <= 65535 ? arena_try_calloc(r->arena, n, sizeof *out) : NULL;
    if (!out)
        return error_set(r->e, E_NOMEM, "no memory for %zu enum values", n);
    for (size_t i = 0; i < n; i++) {
        out[i] = unquote(r, str_of(json_array_get(values, i)));
        if (!out[i].p)
            return damaged(r->e, "an enum value is not a string");
    }
    c->values = out;
    c->value_count = (uint32_t)n;
    return E_OK;
}

/* Without our own member: a default is known by its printed value. */
static void default_by_text(const json_t *o, struct mysql_column *c)
{
    struct slice s = str(o, "defaultValueExpression");

    if (s.p) {
        c->default_kind = DEFAULT_LITERAL;
        c->default_text = s;
        c->default_is_string = true;
        if (s.n >= 3 && s.p[0] == 'b' && s.p[1] == '\'') {
            c->default_text = slice_sub(s, 2, s.n - 1);
            c->default_is_bits = true;
            c->default_is_string = false;
        } else if (c->type == COL_TIMESTAMP && slice_eq(s, SL("1970-01-01 00:00:00"))) {
            c->default_kind = DEFAULT_NOW;
            c->default_text = SLICE_NULL;
        }
    } else if (boolean(o, "hasDefaultValue") && !c->nullable)
        c->default_kind = DEFAULT_NULL;
}

static void default_by_kind(const json_t *x, struct mysql_column *c)
{
    struct slice kind = str(x, "default");

    c->default_kind = DEFAULT_NONE;
    for (size_t i = 0; i < SCHEMA_DEFAULT_KINDS; i++)
        if (kind.p && schema_default_kinds[i] && slice_eq_c(kind, schema_default_kinds[i]))
            c->default_kind = (enum mysql_default_kind)i;
    c->default_text = str(x, "text");
    c->default_is_string = boolean(x, "string");
    c->default_is_hex = boolean(x, "hex");
    c->default_is_bits = boolean(x, "bits");
}

static void extra(const json_t *x, struct mysql_column *c)
{
    int32_t type = integer(x, "type", -1);

    if (type >= 0 && type < COL_TYPE_COUNT)
        c->type = (enum mysql_column_type)type;
    c->collation = str(x, "collation");
    c->comment = str(x, "comment");
    c->is_auto_increment = boolean(x, "autoIncrement");
    c->is_computed = boolean(x, "computed");
    c->is_stored = boolean(x, "stored");
    c->invisible = boolean(x, "invisible");
    c->compressed = boolean(x, "compressed");
    c->is_row_start = boolean(x, "rowStart");
    c->is_row_end = boolean(x, "rowEnd");
    const json_t *srid = json_object_get(x, "srid");
    c->has_srid = json_is_integer(srid);
    c->srid = c->has_srid ? (uint32_t)json_integer_value(srid) : 0;
    default_by_kind(x, c);
}

static enum err column(struct restore *r, const json_t *o, const json_t *x, struct mysql_column *c)
{
    struct slice type_name = str(o, "typeName");
    struct ddl_column parsed = {.null_stated = false};
    const json_t *jdbc = json_object_get(o, "jdbcType");

    if (!str(o, "name").p || !type_name.p)
        return damaged(r->e, "a column has no name or type");
    if (ddl_parse_type_name(type_name, r->arena, &parsed, r->e) != E_OK)
        return damaged(r->e, "a column's type is not understood");
    *c = parsed.def;
    c->name = str(o, "name");
    c->type_name = type_name;
    c->jdbc = json_is_integer(jdbc) ? (int32_t)json_integer_value(jdbc) : c->jdbc;
    c->length = integer(o, "length", -1);
    c->scale = integer(o, "scale", -1);
    c->charset_name = str(o, "charsetName");
    c->charset = c->charset_name.p ? mysql_charset_find(c->charset_name) : NULL;
    c->nullable = boolean(o, "optional");
    c->auto_incremented = boolean(o, "autoIncremented");
    c->is_auto_increment = c->auto_incremented && (mysql_column_type_flags(c->type) & COLF_INTEGER);
    c->generated = boolean(o, "generated");
    c->comment = str(o, "comment");
    if (json_is_object(x))
        extra(x, c);
    else
        default_by_text(o, c);
    return enum_members(r, o, c);
}

static enum err names_to_indexes(struct restore *r, const json_t *names, const uint16_t **out,
                                 uint32_t *count)
{
    size_t n = json_array_size(names);
    uint16_t *indexes = n <= 4096 ? arena_try_calloc(r->arena, n ? n : 1, sizeof *indexes) : NULL;

    if (!indexes)
        return error_set(r->e, E_NOMEM, "no memory for a key of %zu columns", n);
    for (size_t i = 0; i < n; i++) {
        struct slice name = str_of(json_array_get(names, i));
        uint32_t c = 0;
        while (c < r->count && !slice_ieq(r->columns[c].name, name))
            c++;
        if (c == r->count)
            return damaged(r->e, "a key names a column that is not there");
        indexes[i] = (uint16_t)c;
    }
    *out = indexes;
    *count = (uint32_t)n;
    return E_OK;
}

static enum err keys(struct restore *r, const json_t *x, struct mysql_table_def *def)
{
    const json_t *list = json_object_get(x, "keys");
    size_t n = json_array_size(list);
    struct mysql_key *out = n <= 4096 ? arena_try_calloc(r->arena, n ? n : 1, sizeof *out) : NULL;

    if (!out)
        return error_set(r->e, E_NOMEM, "no memory for %zu keys", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *k = json_array_get(list, i);
        out[i] = (struct mysql_key){
            .name = str(k, "name"), .unique = true, .whole = boolean(k, "whole")};
        enum err err = names_to_indexes(r, json_object_get(k, "columns"), &out[i].columns,
                                        &out[i].column_count);
        if (err)
            return err;
    }
    def->keys = out;
    def->key_count = (uint32_t)n;
    return E_OK;
}

/* The id `"db"."t"`, quotes doubled; `db.t` without quotes is taken too. */
static bool split_id(struct restore *r, struct slice id, struct slice *db, struct slice *name)
{
    struct ddl_lex lex;
    struct ddl_token t;

    ddl_lex_init(&lex, id, SQL_MODE_ANSI_QUOTES | SQL_MODE_NO_BACKSLASH_ESCAPES, true, 0);
    ddl_lex_next(&lex, &t);
    *db = ddl_token_text(&lex, &t, r->arena);
    ddl_lex_next(&lex, &t);
    if (t.kind != TOK_PUNCT || t.punct != '.')
        return false;
    ddl_lex_next(&lex, &t);
    *name = ddl_token_text(&lex, &t, r->arena);
    return db->p && name->p && name->n > 0;
}

static enum err read_table(struct restore *r, struct slice id, const json_t *o,
                           struct slice comment, const struct mysql_table **out)
{
    const json_t *columns = json_object_get(o, "columns"), *x = json_object_get(o, "weir");
    const json_t *extras = json_object_get(x, "columns");
    struct mysql_table_def def = {.comment = comment, .charset_name = str(o, "defaultCharsetName")};
    enum err err = E_OK;

    if (!json_is_object(o) || !json_is_array(columns) || !split_id(r, id, &def.db, &def.name))
        return damaged(r->e, "a table change has no table");
    r->count = 0;
    r->columns = arena_try_calloc(r->arena, json_array_size(columns) + 1, sizeof *r->columns);
    if (!r->columns)
        return error_set(r->e, E_NOMEM, "no memory for table " PRI_SL, ARG_SL(def.name));
    for (size_t i = 0; i < json_array_size(columns) && !err; i++, r->count++)
        err = column(r, json_array_get(columns, i), json_array_get(extras, i), &r->columns[i]);
    def.columns = r->columns;
    def.column_count = r->count;
    def.charset = def.charset_name.p ? mysql_charset_find(def.charset_name) : NULL;
    const json_t *primary = json_object_get(
        json_is_object(x) ? x : o, json_is_object(x) ? "primary" : "primaryKeyColumnNames");
    if (!err)
        err = names_to_indexes(r, primary, &def.primary, &def.primary_count);
    if (!err && json_is_object(x)) {
        def.collation = str(x, "collation");
        def.comment = str(x, "comment");
        def.system_versioned = boolean(x, "systemVersioned");
        def.is_sequence = boolean(x, "sequence");
        err = keys(r, x, &def);
    }
    return err ? err : mysql_table_new(&def, out, r->e);
}

static json_t *load(struct slice text, struct error *e)
{
    json_error_t je;
    json_t *v = json_loadb(text.p ? text.p : "", text.n, JSON_ALLOW_NUL, &je);

    if (!v)
        error_set(e, E_CORRUPT, "schema history: not JSON at byte %d: %s", je.position, je.text);
    return v;
}

enum err mysql_table_from_json(struct slice id, struct slice table_json_text,
                               const struct mysql_table **out, struct error *e)
{
    struct arena arena;
    json_t *o = load(table_json_text, e);

    *out = NULL;
    if (!o)
        return E_CORRUPT;
    arena_init(&arena, 0, RESTORE_BUDGET);
    struct restore r = {.arena = &arena, .e = e};
    enum err err = read_table(&r, id, o, SLICE_NULL, out);
    arena_release(&arena);
    json_decref(o);
    return err;
}

static enum err restore_change(struct mysql_schema *s, struct restore *r, const json_t *ch)
{
    struct slice type = str(ch, "type"), id = str(ch, "id"), previous = str(ch, "previousId"), db,
                 name;
    const struct mysql_table *t = NULL;

    if (!type.p || !id.p)
        return damaged(r->e, "a table change has no type or id");
    if (slice_eq(type, SL("DROP"))) {
        if (!split_id(r, id, &db, &name))
            return damaged(r->e, "a table id is not understood");
        mysql_schema_remove(s, db, name);
        return E_OK;
    }
    enum err err = read_table(r, id, json_object_get(ch, "table"), str(ch, "comment"), &t);
    if (err)
        return err;
    if (previous.p && split_id(r, previous, &db, &name))
        mysql_schema_remove(s, db, name);
    mysql_schema_put(s, t);
    mysql_table_unref(t);
    return E_OK;
}

static enum err restore_changes(struct mysql_schema *s, const json_t *list, struct error *e)
{
    struct arena arena;
    enum err err = E_OK;

    arena_init(&arena, 0, RESTORE_BUDGET);
    for (size_t i = 0; i < json_array_size(list) && !err; i++) {
        struct restore r = {.arena = &arena, .e = e};
        err = restore_change(s, &r, json_array_get(list, i));
        arena_reset(&arena);
    }
    arena_release(&arena);
    return err;
}

/* A record without table changes may still be one of databases, charsets or indexes. */
static void restore_ddl(struct mysql_schema *s, struct slice db, struct slice ddl)
{
    struct mysql_ddl_origin origin = {.db = db};
    struct mysql_changes changes;
    struct error e = {.code = E_OK};

    if (!ddl.p || mysql_ddl_classify(ddl, s->options.mariadb, NULL) != DDL_STATEMENT)
        return;
    mysql_changes_init(&changes);
    if (mysql_schema_apply(s, &origin, ddl, &changes, &e) != E_OK)
        LOG_WARN(LOG_CDC_MYSQL, "schema history: statement left out: %s", e.msg);
    mysql_changes_release(&changes);
}

enum err mysql_schema_restore(struct mysql_schema *s, struct slice table_changes, struct slice db,
                              struct slice ddl, struct error *e)
{
    json_t *list = table_changes.p ? load(table_changes, e) : NULL;
    enum err err = E_OK;

    if (table_changes.p && !list)
        return E_CORRUPT;
    if (list && !json_is_array(list) && !json_is_null(list))
        err = damaged(e, "table changes are not an array");
    else if (json_array_size(list) > 0)
        err = restore_changes(s, list, e);
    else
        restore_ddl(s, db, ddl);
    json_decref(list);
    return err;
}

enum err mysql_schema_load(struct mysql_schema *s, struct slice json, struct error *e)
{
    json_t *o = load(json, e);

    if (!o)
        return E_CORRUPT;
    const json_t *server = json_object_get(o, "server"), *dbs = json_object_get(o, "databases");
    mysql_schema_clear(s);
    mysql_schema_set_server_charset(s, str(server, "charset"), str(server, "collation"));
    for (size_t i = 0; i < json_array_size(dbs); i++) {
        const json_t *d = json_array_get(dbs, i);
        if (str(d, "name").p)
            schema_put_db(s, str(d, "name"),
                          (struct charset_choice){str(d, "charset"), str(d, "collation")});
    }
    enum err err = restore_changes(s, json_object_get(o, "tables"), e);
    json_decref(o);
    return err;
}
