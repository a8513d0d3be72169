/* cdc/mysql/schema_json.c - tables as the schema history writes them.
 *
 * The members and their order are those of recorded history topics (SPEC: cdc-mysql 5.10). They say
 * less than the model holds: what is missing (the real primary key, unique keys, collations, the
 * kind of a default) is in a member "weir", which other readers ignore. schema_restore.c reads it.
 */
#include "base/json.h"
#include "base/mem.h"
#include "cdc/mysql/schema_int.h"

void mysql_json_string(struct slice text, struct strbuf *out)
{
    json_add_string(out, text);
}

/* --- writing -------------------------------------------------------------------------------- */

static void index_names(struct json_writer *w, const char *key, const struct mysql_table *t,
                        const uint16_t *columns, uint32_t count)
{
    jw_kv_array(w, key);
    for (uint32_t i = 0; i < count; i++)
        jw_string(w, t->columns[columns[i]].name);
    jw_end_array(w);
}

static void enum_values(struct json_writer *w, const struct mysql_column *c)
{
    struct strbuf quoted = STRBUF_INIT;

    jw_kv_array(w, "enumValues");
    for (uint32_t i = 0; i < c->value_count; i++) {
        strbuf_reset(&quoted);
        strbuf_addc(&quoted, '\'');
        for (size_t j = 0; j < c->values[i].n; j++) {
            if (c->values[i].p[j] == '\'')
                strbuf_addc(&quoted, '\'');
            strbuf_addc(&quoted, c->values[i].p[j]);
        }
        strbuf_addc(&quoted, '\'');
        jw_string(w, strbuf_slice(&quoted));
    }
    jw_end_array(w);
    strbuf_release(&quoted);
}

static void column_json(struct json_writer *w, const struct mysql_column *c, uint32_t position,
                        unsigned flags)
{
    struct strbuf tmp = STRBUF_INIT;
    struct slice def = mysql_column_default_expression(c, &tmp);

    jw_begin_object(w);
    jw_kv_string(w, "name", c->name);
    jw_kv_i64(w, "jdbcType", c->jdbc);
    jw_kv_string(w, "typeName", c->type_name);
    jw_kv_string(w, "typeExpression", c->type_name);
    jw_kv_string(w, "charsetName", c->charset_name);
    if (c->length >= 0)
        jw_kv_i64(w, "length", c->length);
    if (c->scale >= 0)
        jw_kv_i64(w, "scale", c->scale);
    jw_kv_i64(w, "position", position);
    jw_kv_bool(w, "optional", c->nullable);
    jw_kv_bool(w, "autoIncremented", c->auto_incremented);
    jw_kv_bool(w, "generated", c->generated);
    jw_kv_string(w, "comment", flags & TABLE_JSON_COMMENTS ? c->comment : SLICE_NULL);
    jw_kv_bool(w, "hasDefaultValue", mysql_column_has_default(c));
    if (def.p)
        jw_kv_string(w, "defaultValueExpression", def);
    enum_values(w, c);
    jw_end_object(w);
    strbuf_release(&tmp);
}

const char *const schema_default_kinds[SCHEMA_DEFAULT_KINDS] = {
    [DEFAULT_NONE] = NULL,
    [DEFAULT_NULL] = "null",
    [DEFAULT_LITERAL] = "literal",
    [DEFAULT_NOW] = "now",
    [DEFAULT_EXPRESSION] = "expression",
};

static void flag(struct json_writer *w, const char *key, bool v)
{
    if (v)
        jw_kv_bool(w, key, true);
}
static void text(struct json_writer *w, const char *key, struct slice v)
{
    if (v.p)
        jw_kv_string(w, key, v);
}

/* Only what differs from the usual. */
static void column_extra(struct json_writer *w, const struct mysql_column *c)
{
    jw_begin_object(w);
    jw_kv_i64(w, "type", c->type);
    text(w, "collation", c->collation);
    text(w, "comment", c->comment);
    if (schema_default_kinds[c->default_kind])
        jw_kv_string_c(w, "default", schema_default_kinds[c->default_kind]);
    text(w, "text", c->default_text);
    flag(w, "string", c->default_is_string);
    flag(w, "hex", c->default_is_hex);
    flag(w, "bits", c->default_is_bits);
    flag(w, "autoIncrement", c->is_auto_increment);
    flag(w, "computed", c->is_computed);
    flag(w, "stored", c->is_stored);
    flag(w, "invisible", c->invisible);
    flag(w, "compressed", c->compressed);
    flag(w, "rowStart", c->is_row_start);
    flag(w, "rowEnd", c->is_row_end);
    if (c->has_srid)
        jw_kv_i64(w, "srid", c->srid);
    jw_end_object(w);
}

static void table_extra(struct json_writer *w, const struct mysql_table *t)
{
    jw_kv_object(w, "weir");
    index_names(w, "primary", t, t->primary, t->primary_count);
    jw_kv_array(w, "keys");
    for (uint32_t i = 0; i < t->key_count; i++) {
        jw_begin_object(w);
        jw_kv_string(w, "name", t->keys[i].name);
        jw_kv_bool(w, "whole", t->keys[i].whole);
        index_names(w, "columns", t, t->keys[i].columns, t->keys[i].column_count);
        jw_end_object(w);
    }
    jw_end_array(w);
    text(w, "collation", t->collation);
    text(w, "comment", t->comment);
    flag(w, "systemVersioned", t->system_versioned);
    flag(w, "sequence", t->is_sequence);
    jw_kv_array(w, "columns");
    for (uint32_t i = 0; i < t->column_count; i++)
        column_extra(w, &t->columns[i]);
    jw_end_array(w);
    jw_end_object(w);
}

static void table_json(struct json_writer *w, const struct mysql_table *t, unsigned flags)
{
    jw_begin_object(w);
    jw_kv_string(w, "defaultCharsetName", t->charset_name);
    index_names(w, "primaryKeyColumnNames", t, t->key, t->row_key_count);
    jw_kv_array(w, "columns");
    for (uint32_t i = 0; i < t->column_count; i++)
        column_json(w, &t->columns[i], i + 1, flags);
    jw_end_array(w);
    jw_kv_array(w, "attributes");
    jw_end_array(w);
    if (flags & TABLE_JSON_WEIR)
        table_extra(w, t);
    jw_end_object(w);
}

void mysql_table_json(const struct mysql_table *t, unsigned flags, struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);

    table_json(&w, t, flags);
}

static void kv_id(struct json_writer *w, const char *key, struct slice db, struct slice name)
{
    struct strbuf id = STRBUF_INIT;

    mysql_table_id(db, name, &id);
    jw_kv_string(w, key, strbuf_slice(&id));
    strbuf_release(&id);
}

static void table_change(struct json_writer *w, const char *type, const struct mysql_table *before,
                         const struct mysql_table *t, unsigned flags)
{
    jw_begin_object(w);
    jw_kv_string_c(w, "type", type);
    kv_id(w, "id", t->db, t->name);
    if (before)
        kv_id(w, "previousId", before->db, before->name);
    jw_key_c(w, "table");
    table_json(w, t, flags);
    jw_kv_string(w, "comment", flags & TABLE_JSON_COMMENTS ? t->comment : SLICE_NULL);
    jw_end_object(w);
}

void mysql_changes_json(const struct mysql_changes *c, size_t from, size_t to, unsigned flags,
                        struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);

    jw_begin_array(&w);
    for (size_t i = from; i < to && i < c->count; i++) {
        const struct mysql_change *ch = &c->items[i];
        /* An index statement is told without its table (SPEC: cdc-mysql 5.9); our own history needs
         * the key. */
        bool index =
            ch->kind == CHANGE_INDEX && (flags & TABLE_JSON_WEIR) && ch->after != ch->before;
        if (ch->kind == CHANGE_CREATE && ch->after)
            table_change(&w, "CREATE", NULL, ch->after, flags);
        else if ((ch->kind == CHANGE_ALTER || index) && ch->after)
            table_change(&w, "ALTER", NULL, ch->after, flags);
        else if (ch->kind == CHANGE_RENAME && ch->after)
            table_change(&w, "ALTER", ch->before, ch->after, flags);
        else if (ch->kind == CHANGE_DROP) {
            jw_begin_object(&w);
            jw_kv_string_c(&w, "type", "DROP");
            kv_id(&w, "id", ch->db, ch->name);
            jw_end_object(&w);
        }
    }
    jw_end_array(&w);
}

void mysql_schema_save(const struct mysql_schema *s, struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);
    const struct mysql_table *t;
    struct slice key;
    void *d;

    jw_begin_object(&w);
    jw_kv_object(&w, "server");
    jw_kv_string(&w, "charset", s->options.server_charset);
    jw_kv_string(&w, "collation", s->options.server_collation);
    jw_end_object(&w);
    jw_kv_array(&w, "databases");
    for (size_t i = 0; map_next(&s->dbs, &i, &key, &d);) {
        const struct schema_db *db = d;
        jw_begin_object(&w);
        jw_kv_string_c(&w, "name", db->name);
        jw_kv_string_c(&w, "charset", db->charset);
        jw_kv_string_c(&w, "collation", db->collation);
        jw_end_object(&w);
    }
    jw_end_array(&w);
    jw_kv_array(&w, "tables");
    for (size_t i = 0; (t = mysql_schema_next(s, &i));)
        table_change(&w, "CREATE", NULL, t, TABLE_JSON_WEIR);
    jw_end_array(&w);
    jw_end_object(&w);
}
