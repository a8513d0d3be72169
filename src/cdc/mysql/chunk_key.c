/* cdc/mysql/chunk_key.c - key columns of a table that is read in chunks, and keys in one form.
 *
 * The form of a key is made by codecs of its own: what options make of a column's values (masks,
 * decimals as doubles, times cut to milliseconds) may show two keys as one. SPEC: cdc-mysql 3.7 */
#include "cdc/mysql/chunk.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

void chunk_keys_init(struct chunk_keys *k)
{
    memset(k, 0, sizeof *k);
    k->modes = (struct value_modes){
        .decimal = DECIMAL_PRECISE, .time = TIME_ADAPTIVE, .binary = BINARY_BYTES};
}

static void clear(struct chunk_keys *k)
{
    for (uint32_t i = 0; i < k->count; i++)
        codec_release(&k->items[i].codec);
    k->count = 0;
}

void chunk_keys_release(struct chunk_keys *k)
{
    clear(k);
    mem_free(k->items);
    memset(k, 0, sizeof *k);
}

/* --- choice ----------------------------------------------------------------------------------- */

static void add_key(struct chunk_keys *k, uint32_t column)
{
    const struct mysql_column *c = &k->table->columns[column];
    unsigned flags = mysql_column_type_flags(c->type);
    for (uint32_t i = 0; i < k->count; i++)
        if (k->items[i].column == column)
            return;
    struct key_column *key = &k->items[k->count++];
    *key = (struct key_column){.column = column, .kind = KEY_TEXT, .nullable = c->nullable};
    if (c->type == COL_ENUM || c->type == COL_SET || c->type == COL_BIT) {
        key->kind = KEY_NUMBER; /* sorted by number, compared as text */
        key->suffix = "+0";
    } else if (c->type == COL_FLOAT) {
        key->kind = KEY_NUMBER; /* its text has six digits only */
        key->suffix = "+0e0";
    } else if (flags & (COLF_INTEGER | COLF_FLOATING) || c->type == COL_DECIMAL ||
               c->type == COL_YEAR) {
        key->kind = KEY_NUMBER; /* as text it would be compared as a double */
    } else if (flags & (COLF_BYTES | COLF_GEOMETRY) || c->type == COL_VECTOR) {
        key->kind = KEY_HEX;
    }
    codec_init(&key->codec, k->table, c, &k->modes);
}

static bool is_unique(const struct chunk_keys *k)
{
    for (uint32_t i = 0; i < k->table->key_count; i++) {
        const struct mysql_key *unique = &k->table->keys[i];
        bool all = unique->unique && unique->whole;
        for (uint32_t c = 0; c < unique->column_count && all; c++) {
            bool found = false;
            for (uint32_t j = 0; j < k->count; j++)
                found |= k->items[j].column == unique->columns[c] && !k->items[j].nullable;
            all = found;
        }
        if (all)
            return true;
    }
    return false;
}

static bool has_codecs(const struct chunk_keys *k)
{
    for (uint32_t i = 0; i < k->count; i++) {
        struct slice name = k->table->columns[k->items[i].column].name;
        if (k->items[i].codec.schema)
            continue;
        LOG_WARN(LOG_CDC_MYSQL,
                 "Incremental snapshot for table '" PRI_SL "." PRI_SL
                 "' skipped because values of its key column '" PRI_SL "' cannot be read",
                 ARG_SL(k->table->db), ARG_SL(k->table->name), ARG_SL(name));
        return false;
    }
    return true;
}

bool chunk_keys_choose(struct chunk_keys *k, const struct mysql_table *table, const struct shape *s,
                       const char *surrogate)
{
    clear(k);
    k->table = table;
    k->items = xrealloc(k->items, (2 * (size_t)table->column_count + 2) * sizeof *k->items);
    if (surrogate) {
        int at = mysql_table_column(table, slice_cstr(surrogate));
        if (at < 0) {
            LOG_WARN(LOG_CDC_MYSQL,
                     "Surrogate key \"%s\" doesn't exist in table \"" PRI_SL "." PRI_SL "\"",
                     surrogate, ARG_SL(table->db), ARG_SL(table->name));
            return false;
        }
        add_key(k, (uint32_t)at);
    } else {
        for (uint32_t i = 0; i < s->key_count; i++)
            add_key(k, s->key_columns[i]);
    }
    if (!k->count) {
        LOG_WARN(LOG_CDC_MYSQL,
                 "Incremental snapshot for table '" PRI_SL "." PRI_SL
                 "' skipped because the table has no primary keys",
                 ARG_SL(table->db), ARG_SL(table->name));
        return false;
    }
    k->unique = is_unique(k);
    for (uint32_t i = 0; !k->unique && i < table->row_key_count; i++)
        add_key(k, table->key[i]);
    k->unique |= table->row_key_count > 0;
    return has_codecs(k);
}

void chunk_keys_form(const struct chunk_keys *k, struct strbuf *out)
{
    for (uint32_t i = 0; i < k->count; i++) {
        const struct mysql_column *c = &k->table->columns[k->items[i].column];
        strbuf_addf(out, "%s" PRI_SL " " PRI_SL, i ? ", " : "", ARG_SL(c->name),
                    ARG_SL(c->type_name));
        if (c->length >= 0)
            strbuf_addf(out, "(%d)", (int)c->length);
        if (c->charset_name.p)
            strbuf_addf(out, " " PRI_SL, ARG_SL(c->charset_name));
        if (c->collation.p)
            strbuf_addf(out, " " PRI_SL, ARG_SL(c->collation));
        for (uint32_t v = 0; v < c->value_count; v++)
            strbuf_addf(out, "%s" PRI_SL, v ? "|" : " ", ARG_SL(c->values[v]));
    }
}

/* --- keys ------------------------------------------------------------------------------------- */

void chunk_key_print(const struct chunk_keys *k, const struct mysql_result *row, unsigned from,
                     struct strbuf *out)
{
    struct json_writer w = JSON_WRITER(out);
    struct strbuf hex = STRBUF_INIT;
    strbuf_reset(out);
    jw_begin_array(&w);
    for (uint32_t i = 0; i < k->count; i++) {
        struct slice text = mysql_result_get(row, from + i);
        bool as_hex = text.p && k->items[i].kind == KEY_HEX;
        strbuf_reset(&hex);
        if (as_hex)
            hex_encode(&hex, text);
        jw_string(&w, as_hex ? strbuf_slice(&hex) : text);
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

enum err chunk_key_result(const struct chunk_keys *k, const struct mysql_result *row,
                          struct arena *scratch, struct strbuf *out)
{
    struct value_env env = {.arena = scratch};
    enum err rc = E_OK;
    strbuf_init(&env.scratch, 0);
    strbuf_reset(out);
    for (uint32_t i = 0; i < k->count && rc == E_OK; i++) {
        const struct codec *c = &k->items[i].codec;
        struct value v = value_null();
        rc = codec_text(c, &env, mysql_result_get(row, k->items[i].at), &v);
        add_value(c, v, out);
    }
    strbuf_release(&env.scratch);
    return rc;
}

enum err chunk_key_cells(const struct chunk_keys *k, const struct mysql_table_map *map,
                         const struct mysql_cell *cells, const struct mysql_cell *older,
                         struct arena *scratch, struct strbuf *out)
{
    struct value_env env = {.arena = scratch};
    enum err rc = E_OK;
    strbuf_init(&env.scratch, 0);
    strbuf_reset(out);
    for (uint32_t i = 0; i < k->count && rc == E_OK; i++) {
        const struct codec *c = &k->items[i].codec;
        uint32_t at = k->items[i].column;
        const struct mysql_cell *cell =
            cells[at].state == CELL_ABSENT && older ? &older[at] : &cells[at];
        struct value v = value_null();
        if (cell->state != CELL_NULL && cell->state != CELL_VALUE)
            rc = E_INVALID;
        else
            rc = codec_cell(c, &env, &map->columns[at], cell, &v);
        add_value(c, v, out);
    }
    strbuf_release(&env.scratch);
    return rc ? E_INVALID : E_OK;
}
