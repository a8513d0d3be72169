/* cdc/mysql/value.c - choice of schema and decoders for a column, NULLs and fallbacks, defaults.
 * SPEC: cdc-mysql 6.5, 6.7, 6.8 */
#include "cdc/mysql/value.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/column_converters.h"
#include "cdc/mysql/column_rule.h"

void value_modes_from(struct value_modes *m, const struct mysql_options *o)
{
    *m = (struct value_modes){
        .decimal = o->decimal,
        .bigint_precise = o->bigint_precise,
        .time = o->time,
        .binary = o->binary,
        .time_adjuster = o->time_adjuster,
        .comments = o->include_schema_comments,
        .unavailable = o->unavailable,
    };
    if (slice_starts(m->unavailable, SL("hex:"))) {
        m->unavailable = slice_sub(m->unavailable, 4, m->unavailable.n);
        m->unavailable_is_hex = true;
    }
}

void value_env_init(struct value_env *env)
{
    env->arena = NULL;
    strbuf_init(&env->scratch, 0);
}

void value_env_release(struct value_env *env)
{
    strbuf_release(&env->scratch);
}

char *value_dup(struct value_env *env, const void *p, size_t n)
{
    char *to = arena_try_alloc(env->arena, n ? n : 1);
    if (to && n)
        memcpy(to, p, n);
    return to;
}

struct schema_builder *codec_schema(const struct codec *c, enum schema_type t, struct slice name,
                                    int32_t version)
{
    struct schema_builder *b = schema_builder_new(t);
    if (c->nullable)
        schema_builder_optional(b);
    if (name.p) {
        schema_builder_name(b, name);
        schema_builder_version(b, version);
    }
    return b;
}

bool codec_may_be_absent(const struct mysql_column *column)
{
    switch (column->type) {
    case COL_TINYTEXT:
    case COL_TEXT:
    case COL_MEDIUMTEXT:
    case COL_LONGTEXT:
    case COL_TINYBLOB:
    case COL_BLOB:
    case COL_MEDIUMBLOB:
    case COL_LONGBLOB:
    case COL_JSON:
    case COL_VECTOR:
        return true;
    default:
        return (mysql_column_type_flags(column->type) & COLF_GEOMETRY) != 0;
    }
}

/* --- placeholders, zeros, defaults ------------------------------------------------------------ */

static struct value unavailable_value(const struct codec *c, struct value_env *env)
{
    struct slice text = c->modes->unavailable;
    if (c->schema->type == SCHEMA_STRING && !c->modes->unavailable_is_hex)
        return value_string(text);
    if (c->schema->type != SCHEMA_BYTES)
        return value_null();
    if (!c->modes->unavailable_is_hex)
        return value_bytes(text);
    strbuf_reset(&env->scratch);
    if (hex_decode(&env->scratch, text))
        return value_bytes(text);
    return value_bytes(slice_of(value_dup(env, env->scratch.p, env->scratch.n), env->scratch.n));
}

struct value codec_zero(const struct codec *c, struct value_env *env)
{
    struct value v;
    switch (c->schema->type) {
    case SCHEMA_BOOLEAN:
        return value_bool(false);
    case SCHEMA_FLOAT32:
        return value_float(0);
    case SCHEMA_FLOAT64:
        return value_double(0);
    case SCHEMA_STRING:
        /* Dates as text have an epoch, not an empty text. */
        if ((mysql_column_type_flags(c->column->type) & COLF_TEMPORAL) &&
            c->from_text(c, env,
                         c->column->type == COL_TIME   ? SL("00:00:00")
                         : c->column->type == COL_DATE ? SL("1970-01-01")
                                                       : SL("1970-01-01 00:00:00"),
                         &v) == E_OK)
            return v;
        return value_string(SL(""));
    case SCHEMA_BYTES:
        return c->schema->logical == LOGICAL_DECIMAL ? value_bytes(slice_of("\0", 1))
                                                     : value_bytes(SL(""));
    case SCHEMA_ARRAY:
        return value_array_new(env->arena, 0);
    case SCHEMA_STRUCT:
        if (c->from_text(c, env, SLICE_NULL, &v) == E_OK)
            return v;
        return value_null();
    default:
        return value_int(0);
    }
}

static enum err default_now(const struct codec *c, struct value_env *env, struct value *out)
{
    switch (c->column->type) {
    case COL_TIMESTAMP:
        if (c->nullable)
            return E_NOT_FOUND;
        *out = value_string(SL("1970-01-01T00:00:00Z"));
        return E_OK;
    case COL_DATETIME:
    case COL_DATE:
    case COL_TIME:
        *out = codec_zero(c, env);
        return E_OK;
    default:
        return E_NOT_FOUND;
    }
}

/* b'101' and 0x41 as the bytes that the column would hold. */
static enum err default_bytes(const struct mysql_column *col, struct strbuf *out)
{
    struct slice t = col->default_text;
    strbuf_reset(out);
    if (col->default_is_hex) {
        if (t.n % 2) {
            char first[2] = {'0', t.p[0]};
            if (hex_decode(out, slice_of(first, 2)))
                return E_NOT_FOUND;
            t = slice_sub(t, 1, t.n);
        }
        return hex_decode(out, t) ? E_NOT_FOUND : E_OK;
    }
    size_t bytes = (t.n + 7) / 8;
    for (size_t i = 0; i < bytes; i++) {
        unsigned byte = 0;
        size_t from = i == 0 ? 0 : t.n - (bytes - i) * 8, to = t.n - (bytes - i - 1) * 8;
        for (size_t k = from; k < to; k++)
            byte = byte << 1 | (t.p[k] == '1');
        strbuf_addc(out, (char)byte);
    }
    return E_OK;
}

static enum err default_number(const struct strbuf *bytes, char text[24])
{
    uint64_t v = 0;
    if (bytes->n > 8)
        return E_NOT_FOUND;
    for (size_t i = 0; i < bytes->n; i++)
        v = v << 8 | (unsigned char)bytes->p[i];
    snprintf(text, 24, "%llu", (unsigned long long)v);
    return E_OK;
}

static enum err default_literal(const struct codec *c, struct value_env *env, struct value *out)
{
    const struct mysql_column *col = c->column;
    struct slice text = col->default_text;
    unsigned flags = mysql_column_type_flags(col->type);
    char number[24];
    if (col->default_is_hex || col->default_is_bits) {
        struct strbuf bytes = STRBUF_INIT;
        enum err rc = default_bytes(col, &bytes);
        if (rc == E_OK && (flags & (COLF_INTEGER | COLF_FLOATING) || col->type == COL_DECIMAL ||
                           col->type == COL_YEAR)) {
            rc = default_number(&bytes, number);
            text = slice_cstr(number);
        } else if (rc == E_OK) {
            char *p = value_dup(env, bytes.p, bytes.n);
            text = p ? slice_of(p, bytes.n) : SLICE_NULL;
        }
        strbuf_release(&bytes);
        if (rc)
            return rc;
    } else if (col->type == COL_BIT) {
        /* DEFAULT 1 or '1': a number for a bit field. */
        uint64_t v;
        if (slice_to_u64(slice_trim(text), &v))
            return E_NOT_FOUND;
        char be[8];
        size_t n = 0;
        for (int shift = 56; shift >= 0; shift -= 8)
            if (v >> shift || shift == 0)
                be[n++] = (char)(v >> shift);
        text = slice_of(value_dup(env, be, n), n);
    } else if (flags & COLF_INTEGER) {
        text = slice_trim(text);
        if (slice_ieq(text, SL("true")))
            text = SL("1");
        else if (slice_ieq(text, SL("false")))
            text = SL("0");
    }
    if (!text.p)
        return E_NOT_FOUND;
    enum err rc = c->from_text(c, env, text, out);
    return rc == E_OK && out->kind != VALUE_NULL ? E_OK : E_NOT_FOUND;
}

enum err codec_default(const struct codec *c, struct value_env *env, struct value *out)
{
    enum err own = c->converter ? column_converter_default(c, env, out) : E_AGAIN;
    if (own != E_AGAIN)
        return own;
    if (c->column->type == COL_UUID) /* recorded in types-mariadb */
        return E_NOT_FOUND;
    switch (c->column->default_kind) {
    case DEFAULT_NOW:
        return default_now(c, env, out);
    case DEFAULT_LITERAL: {
        enum err rc = default_literal(c, env, out);
        /* A zero date as default of a NOT NULL column becomes the epoch. */
        if (rc && !c->nullable && (mysql_column_type_flags(c->column->type) & COLF_TEMPORAL)) {
            *out = codec_zero(c, env);
            return E_OK;
        }
        return rc;
    }
    default:
        return E_NOT_FOUND;
    }
}

/* --- rules on columns ------------------------------------------------------------------------- */

static enum err masked_cell(const struct codec *c, struct value_env *env,
                            const struct mysql_map_column *m, const struct mysql_cell *cell,
                            struct value *out)
{
    (void)env, (void)m, (void)cell;
    *out = c->on_null;
    return E_OK;
}

static enum err masked_text(const struct codec *c, struct value_env *env, struct slice text,
                            struct value *out)
{
    (void)env, (void)text;
    *out = c->on_null;
    return E_OK;
}

/* A text as the rule wants it; other values stay. */
static enum err apply_rule(const struct codec *c, struct value_env *env, struct value *out)
{
    if (out->kind != VALUE_STRING)
        return E_OK;
    struct slice in = slice_of(out->u.s, out->n);
    struct slice text = column_rule_text(c->rule, c->column, in, &env->scratch);
    if (!text.p)
        return E_NOMEM;
    if (text.p == in.p) {
        *out = value_string(text);
        return E_OK;
    }
    char *p = value_dup(env, text.p, text.n);
    if (!p)
        return E_NOMEM;
    *out = value_string(slice_of(p, text.n));
    return E_OK;
}

static enum err changed_cell(const struct codec *c, struct value_env *env,
                             const struct mysql_map_column *m, const struct mysql_cell *cell,
                             struct value *out)
{
    enum err rc = c->plain_cell(c, env, m, cell, out);
    return rc ? rc : apply_rule(c, env, out);
}

static enum err changed_text(const struct codec *c, struct value_env *env, struct slice text,
                             struct value *out)
{
    enum err rc = c->plain_text(c, env, text, out);
    return rc ? rc : apply_rule(c, env, out);
}

static void set_rule(struct codec *c, const struct column_rule *rule)
{
    c->plain_cell = c->from_cell;
    c->plain_text = c->from_text;
    if (!rule || c->schema->type != SCHEMA_STRING || !column_rule_changes(rule, c->column))
        return;
    c->rule = rule;
    c->form = c->text_form = CODEC_OTHER;
    if (rule->kind == RULE_MASK) {
        c->on_null = c->absent = value_string(slice_cstr(rule->mask));
        c->from_cell = masked_cell;
        c->from_text = masked_text;
        return;
    }
    c->from_cell = changed_cell;
    c->from_text = changed_text;
}

/* --- one column ------------------------------------------------------------------------------- */

void codec_choose(struct codec *c, struct schema_builder **b)
{
    unsigned flags = mysql_column_type_flags(c->column->type);
    if (flags & COLF_GEOMETRY || c->column->type == COL_VECTOR)
        codec_init_geometry(c, b);
    else if (flags & COLF_TEMPORAL)
        codec_init_time(c, b);
    else if (flags & (COLF_INTEGER | COLF_FLOATING) || c->column->type == COL_BIT ||
             c->column->type == COL_DECIMAL || c->column->type == COL_YEAR)
        codec_init_number(c, b);
    else
        codec_init_string(c, b);
}

void codec_init(struct codec *c, const struct mysql_table *table, const struct mysql_column *column,
                const struct value_modes *modes)
{
    struct schema_builder *b = NULL;
    memset(c, 0, sizeof *c);
    c->column = column;
    c->modes = modes;
    c->nullable = column->nullable;
    c->length = column->length > 0 ? (uint32_t)column->length : 0;
    c->converter = column_converter_for(modes->converters, table, column);
    if (c->converter)
        column_converter_apply(c->converter, table, c, &b);
    else
        codec_choose(c, &b);
    if (!b) {
        LOG_WARN(LOG_CDC_MYSQL,
                 "Unexpected JDBC type '%d' for column '" PRI_SL
                 "' that will be ignored table=" PRI_SL "." PRI_SL,
                 column->jdbc, ARG_SL(column->name), ARG_SL(table->db), ARG_SL(table->name));
        return;
    }
    if (modes->comments && column->comment.p && column->comment.n)
        schema_builder_doc(b, column->comment);
    const struct column_rule *rule =
        modes->rules ? column_rules_find(modes->rules, table->db, table->name, column) : NULL;
    if (rule)
        column_rule_schema(rule, column, b);

    /* The default is read by the column's own text function, which may look at the schema. */
    struct arena arena;
    struct value_env env;
    struct value def;
    arena_init(&arena, 1024, ARENA_NO_BUDGET);
    value_env_init(&env);
    env.arena = &arena;
    const struct schema *bare = schema_build(b);
    c->schema = bare;
    c->text_is_default = true;
    if (codec_default(c, &env, &def) == E_OK) {
        b = schema_builder_from(bare);
        schema_builder_default(b, def);
        c->schema = schema_build(b);
        schema_unref(bare);
    }
    if (c->schema->has_default)
        c->fallback = c->schema->def;
    else if (!c->nullable)
        c->fallback = codec_zero(c, &env);
    c->text_is_default = false;
    if (c->instead.p) /* its text stands for null too */
        c->nullable = false;
    /* Zeros of more than a plain number live as long as the codec: in the schema's default of a
     * copy. */
    if (!c->schema->has_default && !c->nullable && c->fallback.kind != VALUE_INT) {
        c->keep = xmalloc(sizeof *c->keep);
        arena_init(c->keep, 256, ARENA_NO_BUDGET);
        c->fallback = value_copy(c->keep, c->fallback);
    }
    env.arena = c->keep ? c->keep : &arena;
    c->absent = unavailable_value(c, &env);
    if (c->absent.kind != VALUE_NULL && c->absent.u.s != modes->unavailable.p) {
        if (!c->keep) {
            c->keep = xmalloc(sizeof *c->keep);
            arena_init(c->keep, 256, ARENA_NO_BUDGET);
            c->absent = value_copy(c->keep, c->absent);
        }
    }
    c->on_null = c->nullable ? value_null() : c->fallback;
    set_rule(c, rule);
    value_env_release(&env);
    arena_release(&arena);
}

void codec_release(struct codec *c)
{
    schema_unref(c->schema);
    if (c->keep) {
        arena_release(c->keep);
        mem_free(c->keep);
    }
    memset(c, 0, sizeof *c);
}

/* --- one value -------------------------------------------------------------------------------- */

static void replaced(const struct codec *c, struct value *out)
{
    *out = c->on_null;
}

enum err codec_cell(const struct codec *c, struct value_env *env, const struct mysql_map_column *m,
                    const struct mysql_cell *cell, struct value *out)
{
    if (LIKELY(cell->state == CELL_VALUE)) {
        enum err rc = c->from_cell(c, env, m, cell, out);
        if (UNLIKELY(rc == E_INVALID)) {
            replaced(c, out);
            return E_OK;
        }
        return rc;
    }
    if (cell->state == CELL_NULL)
        replaced(c, out);
    else
        *out = c->absent;
    return E_OK;
}

enum err codec_text(const struct codec *c, struct value_env *env, struct slice text,
                    struct value *out)
{
    if (!text.p) {
        replaced(c, out);
        return E_OK;
    }
    enum err rc = c->from_text(c, env, text, out);
    if (rc == E_INVALID) {
        replaced(c, out);
        return E_OK;
    }
    return rc;
}

enum err codec_cell_plain(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    return c->plain_cell(c, env, m, cell, out);
}

enum err codec_rule(const struct codec *c, struct value_env *env, struct value *v)
{
    if (LIKELY(!c->rule))
        return E_OK;
    if (c->rule->kind != RULE_MASK)
        return apply_rule(c, env, v);
    *v = c->on_null;
    return E_OK;
}
