/* cdc/mysql/schemas.c - shapes of tables and rows. SPEC: cdc-mysql 5.2, 5.13, 6.9 */
#include "cdc/mysql/schemas.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/envelope.h"
#include "cdc/mysql/json_binary.h"
#include "cdc/naming.h"

/* --- rules ------------------------------------------------------------------------------------ */

static enum err parse_key_rules(struct shape_rules *r, struct slice text, struct error *e)
{
    struct slice part;
    while (text.p && slice_split(&text, ';', &part)) {
        part = slice_trim(part);
        ptrdiff_t colon = slice_rfind_char(part, ':');
        struct regex *table;
        if (colon <= 0)
            continue;
        enum err rc =
            regex_compile(&table, slice_trim(slice_sub(part, 0, (size_t)colon)), REGEX_ANY_CASE, e);
        if (rc)
            return rc;
        r->keys = xrealloc(r->keys, (r->key_count + 1) * sizeof *r->keys);
        r->keys[r->key_count++] = (struct key_rule){
            .table = table, .columns = slice_sub(part, (size_t)colon + 1, part.n)};
    }
    return E_OK;
}

enum err shape_rules_init(struct shape_rules *r, const struct mysql_options *o,
                          const struct schema *source, struct error *e)
{
    memset(r, 0, sizeof *r);
    r->options = o;
    r->source = source;
    value_modes_from(&r->modes, o);
    struct capture_lists lists = mysql_capture_lists(o);
    r->modes.converters = &r->converters;
    r->key_modes = r->modes;
    r->modes.rules = &r->columns;
    enum err rc = capture_filter_init(&r->filter, &lists, e);
    if (rc == E_OK)
        rc = parse_key_rules(r, o->message_key_columns, e);
    if (rc == E_OK)
        rc = column_converters_init(&r->converters, &o->config, e);
    if (rc == E_OK)
        rc = column_rules_init(&r->columns, o, NULL, e);
    return rc;
}

void shape_rules_release(struct shape_rules *r)
{
    capture_filter_release(&r->filter);
    column_rules_release(&r->columns);
    for (size_t i = 0; i < r->key_count; i++)
        regex_free(r->keys[i].table);
    mem_free(r->keys);
    column_converters_release(&r->converters);
    memset(r, 0, sizeof *r);
}

/* --- shapes ----------------------------------------------------------------------------------- */

void shape_topic(const struct mysql_options *o, struct slice db, struct slice table,
                 struct strbuf *out)
{
    struct strbuf raw = STRBUF_INIT;
    struct slice delimiter = o->topic_delimiter.p ? o->topic_delimiter : SL(".");
    bool unicode = o->naming_strategy.p && slice_find(o->naming_strategy, SL("Unicode")) >= 0;
    size_t start = out->n;
    strbuf_add_slice(&raw, o->topic_prefix);
    strbuf_add_slice(&raw, delimiter);
    strbuf_add_slice(&raw, db);
    strbuf_add_slice(&raw, delimiter);
    strbuf_add_slice(&raw, table);
    naming_topic(strbuf_slice(&raw), unicode, out);
    struct slice made = slice_sub(strbuf_slice(out), start, out->n);
    if (!slice_eq(made, strbuf_slice(&raw)))
        LOG_WARN(LOG_CDC_MYSQL,
                 "Topic '%s' name isn't a valid topic name, replacing it with '" PRI_SL "'.", raw.p,
                 ARG_SL(made));
    strbuf_release(&raw);
}

static enum name_adjustment adjustment_of(enum adjustment_mode m)
{
    return m == ADJUST_AVRO ? NAME_AVRO : m == ADJUST_AVRO_UNICODE ? NAME_AVRO_UNICODE : NAME_AS_IS;
}

/* Key columns as message.key.columns names them, else the table's own. Writes column indexes. */
static uint32_t key_columns(const struct shape_rules *r, const struct mysql_table *t, uint32_t *out)
{
    uint32_t n = 0;
    struct strbuf id = STRBUF_INIT;
    strbuf_add_slice(&id, t->db);
    strbuf_addc(&id, '.');
    strbuf_add_slice(&id, t->name);
    for (size_t i = 0; i < r->key_count && n == 0; i++) {
        if (!regex_matches(r->keys[i].table, strbuf_slice(&id)))
            continue;
        struct slice rest = r->keys[i].columns, part;
        while (slice_split(&rest, ',', &part) && n < t->column_count) {
            int at = mysql_table_column(t, slice_trim(part));
            if (at >= 0)
                out[n++] = (uint32_t)at;
            else
                LOG_WARN(LOG_CDC_MYSQL,
                         "message.key.columns names column '" PRI_SL "', which table %s "
                         "does not have",
                         ARG_SL(slice_trim(part)), id.p);
        }
    }
    strbuf_release(&id);
    if (n == 0)
        for (; n < t->row_key_count; n++)
            out[n] = t->key[n];
    return n;
}

static void add_field(struct schema_builder *b, const struct shape_rules *r, const struct codec *c)
{
    struct strbuf name = STRBUF_INIT;
    naming_adjust(c->column->name, adjustment_of(r->options->adjust_field), true, &name);
    schema_builder_field(b, strbuf_slice(&name), schema_ref(c->schema));
    strbuf_release(&name);
}

static struct schema_builder *struct_named(struct slice base, const char *suffix)
{
    struct strbuf name = STRBUF_INIT;
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    strbuf_add_slice(&name, base);
    strbuf_adds(&name, suffix);
    schema_builder_name(b, strbuf_slice(&name));
    strbuf_release(&name);
    return b;
}

/* The codec of key column k: the column's own, unless a rule shows it otherwise in the value. Gives
 * the slot too. */
static const struct codec *key_codec(struct shape *s, const struct shape_rules *r, uint32_t k,
                                     uint32_t column)
{
    const struct mysql_table *t = s->table;
    struct codec *c = &s->codecs[column];
    bool ruled = column_rules_find(&r->columns, t->db, t->name, &t->columns[column]) != NULL;
    if (ruled && s->slots[column] < 0) { /* only the key has it */
        codec_release(c);
        codec_init(c, t, &t->columns[column], &r->key_modes);
    } else if (ruled) {
        if (!s->key_codecs)
            s->key_codecs = arena_calloc(&s->arena, t->column_count + 1, sizeof *s->key_codecs);
        c = &s->key_codecs[k];
        codec_init(c, t, &t->columns[column], &r->key_modes);
        s->key_slots[k] = s->row_count++;
        return c;
    }
    if (c->schema && s->slots[column] < 0)
        s->slots[column] = (int32_t)s->row_count++;
    s->key_slots[k] = (uint32_t)s->slots[column];
    return c;
}

/* Slots of all columns, value and key schema. columns: key columns by index. */
static void shape_layout(struct shape *s, const struct shape_rules *r, struct slice schema_name,
                         const uint32_t *columns, uint32_t count)
{
    const struct mysql_table *t = s->table;
    struct schema_builder *value = struct_named(schema_name, ".Value");
    schema_builder_optional(value);
    for (uint32_t i = 0; i < t->column_count; i++) {
        s->slots[i] = -1;
        if (!s->codecs[i].schema || !capture_column(&r->filter, t->db, t->name, t->columns[i].name))
            continue;
        s->slots[i] = (int32_t)s->field_count++;
        add_field(value, r, &s->codecs[i]);
    }
    s->value = schema_build(value);
    s->row_count = s->field_count;

    struct schema_builder *key = struct_named(schema_name, ".Key");
    for (uint32_t k = 0; k < count; k++) {
        if (!s->codecs[columns[k]].schema)
            continue;
        const struct codec *c = key_codec(s, r, s->key_count, columns[k]);
        s->key_columns[s->key_count++] = columns[k];
        add_field(key, r, c);
    }
    const struct schema *built = schema_build(key);
    if (s->key_count)
        s->key = built;
    else
        schema_unref(built);
}

struct shape *shape_new(const struct shape_rules *r, const struct mysql_table *table)
{
    struct shape *s = xcalloc(1, sizeof *s);
    struct strbuf name = STRBUF_INIT;
    s->table = mysql_table_ref(table);
    s->on_value_error = r->options->on_value_error;
    arena_init(&s->arena, 4096, ARENA_NO_BUDGET);
    s->codecs = arena_calloc(&s->arena, table->column_count + 1, sizeof *s->codecs);
    s->slots = arena_calloc(&s->arena, table->column_count + 1, sizeof *s->slots);
    s->key_slots = arena_calloc(&s->arena, table->column_count + 1, sizeof *s->key_slots);
    s->key_columns = arena_calloc(&s->arena, table->column_count + 1, sizeof *s->key_columns);
    for (uint32_t i = 0; i < table->column_count; i++)
        codec_init(&s->codecs[i], table, &table->columns[i], &r->modes);

    shape_topic(r->options, table->db, table->name, &name);
    s->topic = arena_dup(&s->arena, strbuf_slice(&name));
    strbuf_reset(&name);
    naming_adjust(s->topic, adjustment_of(r->options->adjust_schema), false, &name);

    uint32_t *columns = xcalloc(table->column_count + 1, sizeof *columns);
    shape_layout(s, r, strbuf_slice(&name), columns, key_columns(r, table, columns));
    mem_free(columns);
    s->envelope = envelope_schema(strbuf_slice(&name), s->value, r->source);
    strbuf_release(&name);
    return s;
}

void shape_free(struct shape *s)
{
    if (!s)
        return;
    schema_unref(s->envelope);
    schema_unref(s->key);
    schema_unref(s->value);
    for (uint32_t i = 0; i < s->table->column_count; i++)
        codec_release(&s->codecs[i]);
    for (uint32_t k = 0; s->key_codecs && k < s->key_count; k++)
        codec_release(&s->key_codecs[k]);
    arena_release(&s->arena);
    mysql_table_unref(s->table);
    mem_free(s);
}

/* --- rows ------------------------------------------------------------------------------------- */

static enum err row_failed(const struct shape *s, uint32_t i, enum err rc, struct error *e)
{
    const struct mysql_table *t = s->table;
    if (rc == E_NOMEM)
        return error_set(e, rc, "no memory for a row of " PRI_SL "." PRI_SL, ARG_SL(t->db),
                         ARG_SL(t->name));
    return error_set(e, rc, "column " PRI_SL " of " PRI_SL "." PRI_SL ": %s",
                     ARG_SL(t->columns[i].name), ARG_SL(t->db), ARG_SL(t->name), err_name(rc));
}

/* A value of column i that can't be read. SPEC: cdc-mysql 1.3 */
static enum err unreadable(const struct shape *s, const struct codec *c, uint32_t i, enum err rc,
                           struct value *out)
{
    const struct mysql_table *t = s->table;
    if (rc == E_NOMEM || s->on_value_error == FAILURE_FAIL)
        return rc;
    LOG_AT(LOG_CDC_MYSQL, s->on_value_error == FAILURE_SKIP ? LOG_L_DEBUG : LOG_L_WARN,
           "Failed to properly convert data value for '" PRI_SL "." PRI_SL "." PRI_SL
           "' (%s): it is told as null would be",
           ARG_SL(t->db), ARG_SL(t->name), ARG_SL(t->columns[i].name), err_name(rc));
    *out = c->on_null;
    return E_OK;
}

/* JSON that was logged as differences to the image before. */
static enum err partial_json(const struct codec *c, struct value_env *env,
                             const struct mysql_cell *before, const struct mysql_cell *cell,
                             struct value *out, struct error *e)
{
    if (!before || before->state != CELL_VALUE)
        return error_set(e, E_CORRUPT, "a partial JSON value has no image before it");
    strbuf_reset(&env->scratch);
    enum err rc = mysql_json_apply_partial(slice_of(before->p, before->n),
                                           slice_of(cell->p, cell->n), &env->scratch, e);
    if (rc)
        return rc;
    char *p = value_dup(env, env->scratch.p, env->scratch.n);
    if (!p)
        return E_NOMEM;
    *out = value_string(slice_of(p, env->scratch.n));
    return codec_rule(c, env, out);
}

/* The images of one row, as far as a value needs them. */
struct images {
    const struct mysql_table_map *map;
    const struct mysql_cell *cells, *before; /* before: may be NULL */
};

static enum err column_value(const struct shape *s, const struct codec *c, struct value_env *env,
                             const struct images *im, uint32_t i, struct value *out,
                             struct error *e)
{
    enum err rc;
    if (UNLIKELY(im->cells[i].state == CELL_PARTIAL)) {
        rc = partial_json(c, env, im->before ? &im->before[i] : NULL, &im->cells[i], out, e);
    } else {
        rc = codec_cell(c, env, &im->map->columns[i], &im->cells[i], out);
        if (UNLIKELY(rc))
            rc = unreadable(s, c, i, rc, out);
    }
    return UNLIKELY(rc) ? row_failed(s, i, rc, e) : E_OK;
}

enum err shape_cells(const struct shape *s, struct value_env *env,
                     const struct mysql_table_map *map, const struct mysql_cell *cells,
                     const struct mysql_cell *before, struct value **row, struct error *e)
{
    const struct images im = {map, cells, before};
    uint32_t n = s->table->column_count;
    enum err rc = E_OK;
    struct value *v = arena_try_alloc(env->arena, (s->row_count + 1) * sizeof *v);
    if (UNLIKELY(!v))
        return error_set(e, E_NOMEM, "no memory for a row");
    for (uint32_t i = 0; i < n && rc == E_OK; i++)
        if (LIKELY(s->slots[i] >= 0))
            rc = column_value(s, &s->codecs[i], env, &im, i, &v[s->slots[i]], e);
    for (uint32_t k = 0; UNLIKELY(s->key_codecs != NULL) && k < s->key_count && rc == E_OK; k++)
        if (s->key_codecs[k].schema)
            rc = column_value(s, &s->key_codecs[k], env, &im, s->key_columns[k],
                              &v[s->key_slots[k]], e);
    *row = v;
    return rc;
}

static enum err text_value(const struct shape *s, const struct codec *c, struct value_env *env,
                           uint32_t column, struct slice text, struct value *out)
{
    enum err rc = codec_text(c, env, text, out);
    return UNLIKELY(rc) ? unreadable(s, c, column, rc, out) : E_OK;
}

enum err shape_text(const struct shape *s, struct value_env *env, uint32_t column,
                    struct slice text, struct value *row)
{
    if (s->slots[column] < 0)
        return E_OK;
    enum err rc = text_value(s, &s->codecs[column], env, column, text, &row[s->slots[column]]);
    for (uint32_t k = 0; UNLIKELY(s->key_codecs != NULL) && k < s->key_count && rc == E_OK; k++)
        if (s->key_columns[k] == column && s->key_codecs[k].schema)
            rc = text_value(s, &s->key_codecs[k], env, column, text, &row[s->key_slots[k]]);
    return rc;
}

enum err shape_texts(const struct shape *s, struct value_env *env, const uint32_t *columns,
                     uint32_t count, const char *const *texts, const unsigned long *lengths,
                     struct value **row, struct error *e)
{
    struct value *v = arena_try_alloc(env->arena, (s->row_count + 1) * sizeof *v);
    if (!v)
        return error_set(e, E_NOMEM, "no memory for a row");
    for (uint32_t i = 0; i < s->table->column_count; i++) { /* what the query leaves out is NULL */
        enum err rc = shape_text(s, env, i, SLICE_NULL, v);
        if (rc)
            return row_failed(s, i, rc, e);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct slice text = texts[i] ? slice_of(texts[i], lengths[i]) : SLICE_NULL;
        enum err rc = shape_text(s, env, columns[i], text, v);
        if (rc)
            return row_failed(s, columns[i], rc, e);
    }
    *row = v;
    return E_OK;
}

struct value shape_key(const struct shape *s, struct arena *a, const struct value *row)
{
    if (!s->key)
        return value_null();
    struct value key = value_struct_new(a, s->key_count);
    for (uint32_t i = 0; i < s->key_count; i++)
        key.u.v[i] = row[s->key_slots[i]];
    return key;
}

bool shape_same_key(const struct shape *s, const struct value *a, const struct value *b)
{
    for (uint32_t i = 0; i < s->key_count; i++)
        if (!value_eq(a[s->key_slots[i]], b[s->key_slots[i]]))
            return false;
    return true;
}

bool shape_same_row(const struct shape *s, const struct value *a, const struct value *b)
{
    for (uint32_t i = 0; i < s->field_count; i++)
        if (!value_eq(a[i], b[i]))
            return false;
    return true;
}

/* --- shapes by table -------------------------------------------------------------------------- */

void shapes_init(struct shapes *s, const struct shape_rules *r)
{
    memset(s, 0, sizeof *s);
    s->rules = r;
    map_init(&s->by_table);
}

static void free_list(struct shape *s)
{
    while (s) {
        struct shape *next = s->retired_next;
        shape_free(s);
        s = next;
    }
}

static void free_entry(void *shape)
{
    shape_free(shape);
}

void shapes_release(struct shapes *s)
{
    free_list(s->retired);
    free_list(s->retired_before);
    map_release(&s->by_table, free_entry);
    memset(s, 0, sizeof *s);
}

struct shape *shapes_get(struct shapes *s, const struct mysql_table *table)
{
    struct strbuf key = STRBUF_INIT;
    strbuf_add_slice(&key, table->db);
    strbuf_addc(&key, '\0');
    strbuf_add_slice(&key, table->name);
    struct shape *shape = map_get(&s->by_table, strbuf_slice(&key));
    if (!shape || shape->table->version != table->version) {
        struct shape *old = shape;
        shape = shape_new(s->rules, table);
        map_put(&s->by_table, strbuf_slice(&key), shape);
        if (old) {
            old->retired_next = s->retired;
            s->retired = old;
        }
    }
    strbuf_release(&key);
    return shape;
}

void shapes_tick(struct shapes *s)
{
    free_list(s->retired_before);
    s->retired_before = s->retired;
    s->retired = NULL;
}
