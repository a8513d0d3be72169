/* cdc/mysql/schema_change.c - SPEC: cdc-mysql 5.9 */
#include "cdc/mysql/schema_change.h"

#include "base/clock.h"

struct field_row {
    const char *name;
    enum schema_type type;
    bool optional;
};

enum column_field {
    CF_NAME,
    CF_JDBC_TYPE,
    CF_NATIVE_TYPE,
    CF_TYPE_NAME,
    CF_TYPE_EXPRESSION,
    CF_CHARSET,
    CF_LENGTH,
    CF_SCALE,
    CF_POSITION,
    CF_OPTIONAL,
    CF_AUTO_INCREMENTED,
    CF_GENERATED,
    CF_COMMENT,
    CF_DEFAULT,
    CF_ENUM_VALUES,
    CF_COUNT
};
static const struct field_row column_rows[CF_COUNT] = {
    {"name", SCHEMA_STRING, false},
    {"jdbcType", SCHEMA_INT32, false},
    {"nativeType", SCHEMA_INT32, true},
    {"typeName", SCHEMA_STRING, false},
    {"typeExpression", SCHEMA_STRING, true},
    {"charsetName", SCHEMA_STRING, true},
    {"length", SCHEMA_INT32, true},
    {"scale", SCHEMA_INT32, true},
    {"position", SCHEMA_INT32, false},
    {"optional", SCHEMA_BOOLEAN, true},
    {"autoIncremented", SCHEMA_BOOLEAN, true},
    {"generated", SCHEMA_BOOLEAN, true},
    {"comment", SCHEMA_STRING, true},
    {"defaultValueExpression", SCHEMA_STRING, true},
    {"enumValues", SCHEMA_ARRAY, true},
};

static struct schema_builder *named(const char *name)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, slice_cstr(name));
    schema_builder_version(b, 1);
    return b;
}

static void plain(struct schema_builder *b, const char *name, enum schema_type t, bool optional)
{
    schema_builder_field(b, slice_cstr(name), schema_plain(t, optional));
}

static const struct schema *array_of(const struct schema *element, bool optional)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_ARRAY);
    if (optional)
        schema_builder_optional(b);
    schema_builder_element(b, NULL, element);
    return schema_build(b);
}

static const struct schema *column_schema(void)
{
    struct schema_builder *b = named("io.debezium.connector.schema.Column");
    for (int i = 0; i < CF_COUNT; i++) {
        if (column_rows[i].type == SCHEMA_ARRAY)
            schema_builder_field(b, slice_cstr(column_rows[i].name),
                                 array_of(schema_plain(SCHEMA_STRING, false), true));
        else
            plain(b, column_rows[i].name, column_rows[i].type, column_rows[i].optional);
    }
    return schema_build(b);
}

void schema_change_init(struct schema_change_schemas *s, enum mysql_flavour f,
                        const struct schema *source)
{
    bool mariadb = f == FLAVOUR_MARIADB;
    s->table_comments = mariadb;
    struct schema_builder *b = named(mariadb ? "io.debezium.connector.mariadb.SchemaChangeKey"
                                             : "io.debezium.connector.mysql.SchemaChangeKey");
    plain(b, "databaseName", SCHEMA_STRING, false);
    s->key = schema_build(b);

    s->column = column_schema();
    b = named("io.debezium.connector.schema.Table");
    schema_builder_optional(b);
    plain(b, "defaultCharsetName", SCHEMA_STRING, true);
    schema_builder_field(b, SL("primaryKeyColumnNames"),
                         array_of(schema_plain(SCHEMA_STRING, false), true));
    schema_builder_field(b, SL("columns"), array_of(s->column, false));
    plain(b, "comment", SCHEMA_STRING, true);
    s->table = schema_build(b);

    b = named("io.debezium.connector.schema.Change");
    plain(b, "type", SCHEMA_STRING, false);
    plain(b, "id", SCHEMA_STRING, false);
    schema_builder_field(b, SL("table"), s->table);
    s->change = schema_build(b);

    b = named(mariadb ? "io.debezium.connector.mariadb.SchemaChangeValue"
                      : "io.debezium.connector.mysql.SchemaChangeValue");
    schema_builder_field(b, SL("source"), schema_ref(source));
    plain(b, "ts_ms", SCHEMA_INT64, false);
    plain(b, "databaseName", SCHEMA_STRING, true);
    plain(b, "schemaName", SCHEMA_STRING, true);
    plain(b, "ddl", SCHEMA_STRING, true);
    schema_builder_field(b, SL("tableChanges"), array_of(s->change, false));
    s->value = schema_build(b);
}

void schema_change_release(struct schema_change_schemas *s)
{
    schema_unref(s->key);
    schema_unref(s->value);
    memset(s, 0, sizeof *s);
}

/* --- values ----------------------------------------------------------------------------------- */

static struct value text(struct arena *a, struct slice s)
{
    return value_string(arena_dup(a, s));
}

static struct value int_or_null(int32_t v)
{
    return v < 0 ? value_null() : value_int(v);
}

/* ENUM and SET values with their quotes, as they stand in the statement. */
static struct value enum_values(struct arena *a, const struct mysql_column *c)
{
    if (c->value_count == 0)
        return value_null();
    struct value v = value_array_new(a, c->value_count);
    for (uint32_t i = 0; i < c->value_count; i++)
        v.u.v[i] = value_string(slice_cstr(arena_printf(a, "'" PRI_SL "'", ARG_SL(c->values[i]))));
    return v;
}

static struct value column_value(struct arena *a, const struct mysql_column *c, uint32_t position,
                                 bool comments)
{
    struct value v = value_struct_new(a, CF_COUNT);
    struct strbuf tmp = STRBUF_INIT;
    v.u.v[CF_NAME] = text(a, c->name);
    v.u.v[CF_JDBC_TYPE] = value_int(c->jdbc);
    v.u.v[CF_TYPE_NAME] = text(a, c->type_name);
    v.u.v[CF_TYPE_EXPRESSION] = v.u.v[CF_TYPE_NAME];
    v.u.v[CF_CHARSET] = text(a, c->charset_name);
    v.u.v[CF_LENGTH] = int_or_null(c->length);
    v.u.v[CF_SCALE] = int_or_null(c->scale);
    v.u.v[CF_POSITION] = value_int(position);
    v.u.v[CF_OPTIONAL] = value_bool(c->nullable);
    v.u.v[CF_AUTO_INCREMENTED] = value_bool(c->auto_incremented);
    v.u.v[CF_GENERATED] = value_bool(c->generated);
    v.u.v[CF_COMMENT] = comments ? text(a, c->comment) : value_null();
    v.u.v[CF_DEFAULT] = text(a, mysql_column_default_expression(c, &tmp));
    v.u.v[CF_ENUM_VALUES] = enum_values(a, c);
    strbuf_release(&tmp);
    return v;
}

static struct value table_value(const struct schema_change_schemas *s, struct arena *a,
                                const struct mysql_table *t, bool comments)
{
    struct value v = value_struct_new(a, 4);
    v.u.v[0] = text(a, t->charset_name);
    v.u.v[1] = value_array_new(a, t->row_key_count);
    for (uint32_t i = 0; i < t->row_key_count; i++)
        v.u.v[1].u.v[i] = text(a, t->columns[t->key[i]].name);
    v.u.v[2] = value_array_new(a, t->column_count);
    for (uint32_t i = 0; i < t->column_count; i++)
        v.u.v[2].u.v[i] = column_value(a, &t->columns[i], i + 1, comments);
    v.u.v[3] = comments || s->table_comments ? text(a, t->comment) : value_null();
    return v;
}

const char *schema_change_type(const struct mysql_change *c)
{
    switch (c->kind) {
    case CHANGE_CREATE:
        return "CREATE";
    case CHANGE_ALTER:
    case CHANGE_RENAME:
        return c->after ? "ALTER" : NULL;
    case CHANGE_DROP:
        return "DROP";
    default:
        return NULL;
    }
}

static struct value change_value(const struct schema_change_schemas *s, struct arena *a,
                                 const struct mysql_change *c, const char *type, bool comments)
{
    struct value v = value_struct_new(a, 3);
    struct strbuf id = STRBUF_INIT;
    mysql_table_id(c->db, c->name, &id);
    v.u.v[0] = value_string(slice_cstr(type));
    v.u.v[1] = text(a, strbuf_slice(&id));
    if (c->kind != CHANGE_DROP && c->after)
        v.u.v[2] = table_value(s, a, c->after, comments);
    strbuf_release(&id);
    return v;
}

enum err schema_change_add(const struct schema_change_schemas *s, struct record_batch *b,
                           struct slice topic, const struct context_headers *headers,
                           const struct source_info *source, const struct mysql_change *change,
                           struct slice db, bool with_table, bool comments, struct error *e)
{
    struct record *r = record_batch_add(b);
    if (!r)
        return error_set(e, E_NOMEM, "no memory for a schema change event");
    struct arena *a = &b->arena;
    struct slice name = db.p ? db : SL("");
    r->topic = topic;
    r->partition = 0;
    r->key_schema = s->key;
    r->value_schema = s->value;
    r->headers = context_headers_plain(headers);
    r->key = value_struct_new(a, 1);
    r->key.u.v[0] = text(a, name);
    r->value = value_struct_new(a, 6);
    struct value *v = r->value.u.v;
    v[0] = source_info_value(source, a);
    v[0].u.v[SOURCE_DB] = r->key.u.v[0];
    if (source->fields[SOURCE_TABLE].kind == VALUE_STRING)
        v[0].u.v[SOURCE_TABLE] = text(a, value_slice(source->fields[SOURCE_TABLE]));
    v[1] = value_int(clock_wall_ms());
    v[2] = r->key.u.v[0];
    v[4] = text(a, change->ddl);
    const char *type = with_table ? schema_change_type(change) : NULL;
    v[5] = value_array_new(a, type ? 1 : 0);
    if (type)
        v[5].u.v[0] = change_value(s, a, change, type, comments);
    return E_OK;
}
