/* cdc/mysql/chunk_sql.c - statements that read a table in chunks. Stored keys come from the offset,
 * so what stands for a number or for bytes is looked at before it becomes part of a statement. SPEC:
 * cdc-mysql 3.7 */
#include "cdc/mysql/chunk.h"

#include "base/json.h"

static void add_name(const struct chunk_keys *k, uint32_t i, struct strbuf *sql)
{
    const struct key_column *key = &k->items[i];
    if (key->suffix)
        strbuf_addc(sql, '(');
    mysql_quote_name(sql, k->table->columns[key->column].name);
    if (key->suffix)
        strbuf_addf(sql, "%s)", key->suffix);
}

/* A number as a server prints it, and nothing else. */
static bool is_number(const char *text)
{
    return text[0] && strspn(text, "+-.0123456789eE") == strlen(text);
}

static enum err add_literal(const struct key_column *key, const json_t *v, struct strbuf *sql)
{
    const char *text = json_string_value(v);
    if (!text)
        return E_CORRUPT;
    if (key->kind == KEY_NUMBER) {
        strbuf_adds(sql, text);
        return is_number(text) ? E_OK : E_CORRUPT;
    }
    if (key->kind == KEY_TEXT) {
        mysql_quote_text(sql, slice_cstr(text));
        return E_OK;
    }
    strbuf_addf(sql, "x'%s'", text);
    return strspn(text, "0123456789abcdefABCDEF") == strlen(text) ? E_OK : E_CORRUPT;
}

/* k = v, or k > v; NULL comes before all values. */
static enum err add_compare(const struct chunk_keys *k, uint32_t i, const json_t *v, bool greater,
                            struct strbuf *sql)
{
    bool nullable = k->items[i].nullable;
    if (nullable && greater) {
        strbuf_addc(sql, '(');
        add_name(k, i, sql);
        strbuf_adds(sql, json_is_null(v) ? " IS NOT NULL)" : " IS NOT NULL AND ");
    } else if (nullable && json_is_null(v)) {
        add_name(k, i, sql);
        strbuf_adds(sql, " IS NULL");
    }
    if (json_is_null(v))
        return nullable ? E_OK : E_CORRUPT;
    add_name(k, i, sql);
    strbuf_adds(sql, greater ? " > " : nullable ? " <=> " : " = "); /* never NULL, also under NOT */
    enum err rc = add_literal(&k->items[i], v, sql);
    strbuf_adds(sql, nullable && greater ? ")" : "");
    return rc;
}

/* (k1 > v1) OR (k1 = v1 AND k2 > v2) ...; stored: JSON array. */
static enum err add_behind(const struct chunk_keys *k, const char *stored, struct strbuf *sql)
{
    json_t *list = NULL;
    enum err rc = json_load_slice(slice_cstr(stored), &list, NULL);
    if (rc == E_OK && json_array_size(list) != k->count)
        rc = E_CORRUPT;
    strbuf_addc(sql, '(');
    for (uint32_t i = 0; i < k->count && rc == E_OK; i++) {
        strbuf_adds(sql, i ? " OR (" : "(");
        for (uint32_t j = 0; j < i && rc == E_OK; j++) {
            rc = add_compare(k, j, json_array_get(list, j), false, sql);
            strbuf_adds(sql, " AND ");
        }
        if (rc == E_OK)
            rc = add_compare(k, i, json_array_get(list, i), true, sql);
        strbuf_addc(sql, ')');
    }
    strbuf_addc(sql, ')');
    json_decref(list);
    return rc;
}

static void add_key_names(const struct chunk_keys *k, struct strbuf *sql)
{
    for (uint32_t i = 0; i < k->count; i++) {
        strbuf_adds(sql, i ? ", " : "");
        add_name(k, i, sql);
    }
}

static void add_order(const struct chunk_keys *k, bool backwards, struct strbuf *sql)
{
    strbuf_adds(sql, " ORDER BY ");
    for (uint32_t i = 0; i < k->count; i++) {
        strbuf_adds(sql, i ? ", " : "");
        mysql_quote_name(sql, k->table->columns[k->items[i].column].name);
        strbuf_adds(sql, backwards ? " DESC" : "");
    }
}

static void add_from(const struct chunk_keys *k, struct strbuf *sql)
{
    strbuf_adds(sql, " FROM ");
    mysql_quote_name(sql, k->table->db);
    strbuf_addc(sql, '.');
    mysql_quote_name(sql, k->table->name);
}

void chunk_sql_max(const struct chunk_keys *k, const char *filter, struct strbuf *out)
{
    strbuf_adds(out, "SELECT ");
    add_key_names(k, out);
    add_from(k, out);
    if (filter)
        strbuf_addf(out, " WHERE (%s)", filter);
    add_order(k, true, out);
    strbuf_adds(out, " LIMIT 1");
}

static enum err add_range(const struct chunk_keys *k, const struct chunk_range *range,
                          struct strbuf *sql)
{
    enum err rc = E_OK;
    add_from(k, sql);
    strbuf_adds(sql, " WHERE ");
    if (range->after) {
        rc = add_behind(k, range->after, sql);
        strbuf_adds(sql, " AND ");
    }
    strbuf_adds(sql, "NOT ");
    if (rc == E_OK)
        rc = add_behind(k, range->until, sql);
    if (range->filter)
        strbuf_addf(sql, " AND (%s)", range->filter);
    add_order(k, false, sql);
    return rc;
}

enum err chunk_sql_rows(const struct chunk_keys *k, const uint32_t *columns, uint32_t count,
                        const struct chunk_range *range, struct strbuf *out)
{
    strbuf_adds(out, "SELECT ");
    for (uint32_t i = 0; i < count; i++) {
        mysql_quote_name(out, k->table->columns[columns[i]].name);
        strbuf_adds(out, ", ");
    }
    add_key_names(k, out);
    enum err rc = add_range(k, range, out);
    if (range->limit > 0)
        strbuf_addf(out, " LIMIT %d", range->limit);
    return rc;
}

enum err chunk_sql_end(const struct chunk_keys *k, const struct chunk_range *range,
                       struct strbuf *out)
{
    strbuf_adds(out, "SELECT ");
    add_key_names(k, out);
    enum err rc = add_range(k, range, out);
    strbuf_addf(out, " LIMIT %d, 1", MAX(range->limit, 1) - 1);
    return rc;
}
