/* cdc/mysql/column_converters.c - see the header. */
#include "cdc/mysql/column_converters.h"

#include <math.h>

#include "base/mem.h"
#include "cdc/filter.h"

enum converter_kind { TINY_INT_BOOLEAN, JDBC_SINK_TYPES, ZERO_DATE, KINDS };
static const struct slice class_names[KINDS] = {
    [TINY_INT_BOOLEAN] = SL_INIT("TinyIntOneToBooleanConverter"),
    [JDBC_SINK_TYPES] = SL_INIT("JdbcSinkDataTypesConverter"),
    [ZERO_DATE] = SL_INIT("ZeroDateFallbackConverter"),
};

/* JdbcSinkDataTypesConverter has one list for each form. */
enum { SELECT_ANY = 0, SELECT_BOOLEAN = 0, SELECT_REAL, SELECT_STRING, SELECTORS };
struct column_converter {
    enum converter_kind kind;
    struct strmap options; /* without the prefix */
    struct regex_list selectors[SELECTORS];
    bool any_length; /* TINY_INT_BOOLEAN: length.checker is off */
    bool real_as_float;
};

/* --- set-up ----------------------------------------------------------------------------------- */

static enum err find_kind(struct slice class_name, struct slice alias, enum converter_kind *out,
                          struct error *e)
{
    static const struct slice packages[] = {SL_INIT("io.debezium.connector.mysql.converters."),
                                            SL_INIT("io.debezium.connector.mariadb.converters."),
                                            SL_INIT("io.debezium.connector.binlog.converters.")};
    struct slice name = class_name;
    for (size_t i = 0; i < ARRAY_LEN(packages); i++)
        if (slice_starts(class_name, packages[i]))
            name = slice_sub(class_name, packages[i].n, class_name.n);
    for (int k = 0; k < KINDS && name.n != class_name.n; k++) {
        if (slice_eq(name, class_names[k])) {
            *out = (enum converter_kind)k;
            return E_OK;
        }
    }
    if (!class_name.n)
        return error_set(e, E_INVALID,
                         "the option " PRI_SL ".type with the converter's class is missing",
                         ARG_SL(alias));
    return error_set(e, E_INVALID,
                     "Class " PRI_SL " of " PRI_SL ".type could not be found; built in are " PRI_SL
                     ", " PRI_SL " and " PRI_SL " of io.debezium.connector.mysql.converters",
                     ARG_SL(class_name), ARG_SL(alias), ARG_SL(class_names[0]),
                     ARG_SL(class_names[1]), ARG_SL(class_names[2]));
}

static enum err parse_selector(struct column_converter *cc, int which, const char *option,
                               struct error *e)
{
    struct error why = {0};
    struct slice text = strmap_get_c(&cc->options, option);
    enum err rc = regex_list_parse(&cc->selectors[which], text, &why);
    return rc ? error_set(e, rc, "%s: %s", option, why.msg) : E_OK;
}

static bool flag(const struct column_converter *cc, const char *option, bool absent)
{
    struct slice text = slice_trim(strmap_get_c(&cc->options, option));
    return text.n ? slice_ieq(text, SL("true")) : absent;
}

static enum err converter_init(struct column_converter *cc, const struct strmap *config,
                               struct slice alias, struct error *e)
{
    for (size_t i = 0; i < config->count; i++) {
        struct slice key = config->entries[i].key;
        if (slice_starts(key, alias) && key.n > alias.n && key.p[alias.n] == '.')
            strmap_set(&cc->options, slice_sub(key, alias.n + 1, key.n), config->entries[i].value);
    }
    enum err rc = find_kind(slice_trim(strmap_get_c(&cc->options, "type")), alias, &cc->kind, e);
    if (rc)
        return rc;
    cc->any_length = !flag(cc, "length.checker", true);
    cc->real_as_float = !flag(cc, "treat.real.as.double", true);
    if (cc->kind != JDBC_SINK_TYPES)
        return parse_selector(cc, SELECT_ANY, "selector", e);
    rc = parse_selector(cc, SELECT_BOOLEAN, "selector.boolean", e);
    if (rc == E_OK)
        rc = parse_selector(cc, SELECT_REAL, "selector.real", e);
    return rc ? rc : parse_selector(cc, SELECT_STRING, "selector.string", e);
}

enum err column_converters_init(struct column_converters *c, const struct strmap *config,
                                struct error *e)
{
    struct slice rest = strmap_get_c(config, "converters"), alias;
    *c = (struct column_converters){0};
    while (rest.p && slice_split(&rest, ',', &alias)) {
        alias = slice_trim(alias);
        if (!alias.n)
            continue;
        c->v = xrealloc(c->v, (c->count + 1) * sizeof *c->v);
        struct column_converter *cc = &c->v[c->count++];
        *cc = (struct column_converter){0};
        strmap_init(&cc->options);
        enum err rc = converter_init(cc, config, alias, e);
        if (rc)
            return rc;
    }
    return E_OK;
}

void column_converters_release(struct column_converters *c)
{
    for (size_t i = 0; i < c->count; i++) {
        for (int k = 0; k < SELECTORS; k++)
            regex_list_release(&c->v[i].selectors[k]);
        strmap_release(&c->v[i].options);
    }
    mem_free(c->v);
    *c = (struct column_converters){0};
}

/* --- which columns ---------------------------------------------------------------------------- */

/* "db.table.column" against a list. */
static bool selected(const struct column_converter *cc, int which, const struct mysql_table *t,
                     const struct mysql_column *column)
{
    struct strbuf id = STRBUF_INIT;
    strbuf_addf(&id, PRI_SL "." PRI_SL "." PRI_SL, ARG_SL(t->db), ARG_SL(t->name),
                ARG_SL(column->name));
    bool found = regex_list_find(&cc->selectors[which], strbuf_slice(&id)) >= 0;
    strbuf_release(&id);
    return found;
}

static int jdbc_form(const struct column_converter *cc, const struct mysql_table *t,
                     const struct mysql_column *column)
{
    for (int which = 0; which < SELECTORS; which++)
        if (selected(cc, which, t, column))
            return which;
    return -1;
}

static const char *zero_date_type(const struct mysql_column *column)
{
    return column->type == COL_DATE        ? "DATE"
           : column->type == COL_DATETIME  ? "DATETIME"
           : column->type == COL_TIMESTAMP ? "TIMESTAMP"
                                           : NULL;
}

static bool has_zero_dates(const struct column_converter *cc, const struct mysql_column *column)
{
    const char *type = zero_date_type(column);
    struct slice rest = strmap_get_c(&cc->options, "target.types"), part;
    if (!type || !rest.p)
        return type != NULL;
    while (rest.p && slice_split(&rest, ',', &part))
        if (slice_ieq(slice_trim(part), slice_cstr(type)))
            return true;
    return false;
}

static bool takes(const struct column_converter *cc, const struct mysql_table *t,
                  const struct mysql_column *column)
{
    bool any = cc->selectors[SELECT_ANY].count == 0;
    switch (cc->kind) {
    case TINY_INT_BOOLEAN:
        return (column->type == COL_TINYINT || column->type == COL_BOOLEAN) &&
               (cc->any_length || column->length == 1 || column->type == COL_BOOLEAN) &&
               (any || selected(cc, SELECT_ANY, t, column));
    case JDBC_SINK_TYPES:
        return jdbc_form(cc, t, column) >= 0;
    default:
        return has_zero_dates(cc, column) && (any || selected(cc, SELECT_ANY, t, column));
    }
}

const struct column_converter *column_converter_for(const struct column_converters *c,
                                                    const struct mysql_table *table,
                                                    const struct mysql_column *column)
{
    for (size_t i = 0; c && i < c->count; i++)
        if (takes(&c->v[i], table, column))
            return &c->v[i];
    return NULL;
}

/* --- values ----------------------------------------------------------------------------------- */

/* What the column's own decoder gave, in the form of the converter's schema. */
static enum err convert(const struct codec *c, struct value *v)
{
    if (v->kind == VALUE_NULL)
        return E_OK;
    bool number = v->kind == VALUE_INT || v->kind == VALUE_BOOL;
    switch (c->schema->type) {
    case SCHEMA_BOOLEAN:
        if (!number)
            return E_INVALID;
        *v = value_bool(v->u.i > 0);
        return E_OK;
    case SCHEMA_INT16:
        if (!number)
            return E_INVALID;
        *v = value_int((int16_t)v->u.i);
        return E_OK;
    default: /* FLOAT32, FLOAT64 */
        if (!number && v->kind != VALUE_DOUBLE)
            return E_INVALID;
        double d = number ? (double)v->u.i : v->u.d;
        *v = c->schema->type == SCHEMA_FLOAT32 ? value_float((float)d) : value_double(d);
        return E_OK;
    }
}

static enum err from_cell(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    enum err rc = c->base_cell(c, env, m, cell, out);
    return rc ? rc : convert(c, out);
}

static enum err from_text(const struct codec *c, struct value_env *env, struct slice text,
                          struct value *out)
{
    enum err rc = c->base_text(c, env, text, out);
    return rc ? rc : convert(c, out);
}

/* --- decoders --------------------------------------------------------------------------------- */

/* The column's own decoders with another form behind them. */
static void wrap(struct codec *c, struct schema_builder **b, enum schema_type t)
{
    if (!*b)
        return;
    schema_unref(schema_build(*b));
    *b = codec_schema(c, t, SLICE_NULL, 0);
    c->base_cell = c->from_cell;
    c->base_text = c->from_text;
    c->from_cell = from_cell;
    c->from_text = from_text;
    c->form = c->text_form = CODEC_OTHER;
}

/* The user's text for zero dates; null: they become null. */
static struct slice zero_date_text(const struct column_converter *cc, const struct mysql_table *t,
                                   const struct mysql_column *column)
{
    char option[32];
    struct strbuf own = STRBUF_INIT;
    snprintf(option, sizeof option, "fallback.%s",
             column->type == COL_DATE       ? "date"
             : column->type == COL_DATETIME ? "datetime"
                                            : "timestamp");
    strbuf_addf(&own, "column." PRI_SL "." PRI_SL "." PRI_SL ".fallback", ARG_SL(t->db),
                ARG_SL(t->name), ARG_SL(column->name));
    struct slice text = strmap_get(&cc->options, strbuf_slice(&own));
    strbuf_release(&own);
    if (!text.p)
        text = strmap_get_c(&cc->options, option);
    text = slice_trim(text);
    return !text.n || slice_ieq(text, SL("NULL")) ? SLICE_NULL : text;
}

void column_converter_apply(const struct column_converter *cc, const struct mysql_table *table,
                            struct codec *c, struct schema_builder **b)
{
    if (cc->kind == ZERO_DATE) {
        c->instead = zero_date_text(cc, table, c->column);
        c->nullable |= !c->instead.p;
        codec_choose(c, b);
        return;
    }
    codec_choose(c, b);
    if (cc->kind == TINY_INT_BOOLEAN) {
        wrap(c, b, SCHEMA_BOOLEAN);
        return;
    }
    switch (jdbc_form(cc, table, c->column)) {
    case SELECT_BOOLEAN:
        wrap(c, b, SCHEMA_INT16);
        break;
    case SELECT_REAL:
        wrap(c, b, cc->real_as_float ? SCHEMA_FLOAT32 : SCHEMA_FLOAT64);
        break;
    default:
        if (*b && c->column->charset_name.p)
            schema_builder_param(*b, SL("__debezium.source.column.character_set"),
                                 c->column->charset_name);
    }
}

enum err column_converter_default(const struct codec *c, struct value_env *env, struct value *out)
{
    if (c->converter->kind != ZERO_DATE)
        return E_AGAIN;
    if (!c->instead.p)
        return E_NOT_FOUND;
    /* Time stamps are texts in the form of their events already. */
    if (c->column->type == COL_TIMESTAMP && c->schema->type == SCHEMA_STRING) {
        *out = value_string(c->instead);
        return E_OK;
    }
    return c->from_text(c, env, c->instead, out) ? E_NOT_FOUND : E_OK;
}
