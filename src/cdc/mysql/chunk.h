/* cdc/mysql/chunk.h - what a table is read by in chunks: its key columns, statements with them, and
 * the form in which keys of a result and of the binlog are compared. SPEC: cdc-mysql 3.7. Thread:
 * the task's. */
#ifndef WEIR_CDC_MYSQL_CHUNK_H
#define WEIR_CDC_MYSQL_CHUNK_H

#include "base/base.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/schemas.h"
#include "cdc/mysql/value.h"

/* How a key column is compared. */
enum key_kind { KEY_NUMBER, KEY_TEXT, KEY_HEX };
struct key_column {
    uint32_t column; /* of the table */
    enum key_kind kind;
    bool nullable;
    const char *suffix; /* `k`SUFFIX is a number that sorts as the column does; NULL: the column */
    uint32_t at;        /* column of a chunk's result that has its text */
    struct codec codec; /* shows each value as another one, whatever the options say */
};
struct chunk_keys {
    const struct mysql_table *table; /* borrowed */
    struct key_column *items;
    uint32_t count;
    bool unique; /* no two rows are equal in them */
    struct value_modes modes;
};
void chunk_keys_init(struct chunk_keys *k);
void chunk_keys_release(struct chunk_keys *k);
/* surrogate: column that a signal asks for, or NULL; else the key of the table's records. Behind
 * them the primary key, when that is needed to tell rows apart. table and s outlive k's use. False:
 * there is nothing to read the table by; the reason has been logged. SPEC: cdc-mysql 3.7 */
bool chunk_keys_choose(struct chunk_keys *k, const struct mysql_table *table, const struct shape *s,
                       const char *surrogate);
/* Appends what stored keys are values of: changes when names, types or the order do. */
void chunk_keys_form(const struct chunk_keys *k, struct strbuf *out);

/* The result's columns from `from` on (one per key column) as a stored key, a JSON array; replaces
 * out. */
void chunk_key_print(const struct chunk_keys *k, const struct mysql_result *row, unsigned from,
                     struct strbuf *out);
/* One form for the same key of a result (columns: items[].at) and of an image; other keys have
 * another one, but for dates that are none. Replaces out. */
enum err chunk_key_result(const struct chunk_keys *k, const struct mysql_result *row,
                          struct arena *scratch, struct strbuf *out) MUST_CHECK;
/* older: the image before, for what this one leaves out; may be NULL. E_INVALID: the image lacks
 * part of the key. */
enum err chunk_key_cells(const struct chunk_keys *k, const struct mysql_table_map *map,
                         const struct mysql_cell *cells, const struct mysql_cell *older,
                         struct arena *scratch, struct strbuf *out) MUST_CHECK;

/* --- chunk_sql.c: statements; each appends to out --------------------------------------------- */
struct chunk_range {
    const char *after;  /* stored keys: behind this one; NULL: from the start */
    const char *until;  /* up to and with this one */
    const char *filter; /* a condition; NULL: none */
    int limit;          /* rows; 0: all */
};
/* The last key: one row, one column per key column. */
void chunk_sql_max(const struct chunk_keys *k, const char *filter, struct strbuf *out);
/* Rows in order: `columns` of the table, then the key columns. E_CORRUPT: a stored key does not
 * fit. */
enum err chunk_sql_rows(const struct chunk_keys *k, const uint32_t *columns, uint32_t count,
                        const struct chunk_range *range, struct strbuf *out) MUST_CHECK;
/* The key of row number range->limit; no row when there are fewer. */
enum err chunk_sql_end(const struct chunk_keys *k, const struct chunk_range *range,
                       struct strbuf *out) MUST_CHECK;

#endif
