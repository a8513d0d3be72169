/* cdc/mysql/schema.h - all tables of one server as the stream has reached them.
 *
 * The store applies statements in stream order and tells what changed; row events are decoded with
 * the table that find gives at that moment. Tables are published objects (table.h): a reader may
 * keep a reference longer than the store does. History texts are those of SPEC: cdc-mysql 5.10, so
 * that a schema history topic written by others can be read; weir's own extras are in a "weir"
 * member that others ignore. SPEC: cdc-mysql 5.9, 5.10, 7. Thread: one task. */
#ifndef WEIR_CDC_MYSQL_SCHEMA_H
#define WEIR_CDC_MYSQL_SCHEMA_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "cdc/mysql/charset.h"
#include "cdc/mysql/table.h"

struct mysql_schema;

struct mysql_schema_options {
    bool mariadb;
    uint32_t server_version;     /* 80036, 101106; 0: unknown */
    int lower_case_table_names;  /* 0: names compare by bytes; 1, 2: any case (1 stores lower case)
                                  */
    struct slice server_charset; /* character_set_server; null: utf8mb4 */
    struct slice server_collation; /* null: the charset's default */
};
struct mysql_schema *mysql_schema_new(const struct mysql_schema_options *o);
void mysql_schema_free(struct mysql_schema *s);
/* After character_set_server was asked from the server (or SET in the history). */
void mysql_schema_set_server_charset(struct mysql_schema *s, struct slice charset,
                                     struct slice collation);

/* The table, borrowed until the next apply/restore/put (mysql_table_ref keeps it); NULL: not known.
 */
const struct mysql_table *mysql_schema_find(const struct mysql_schema *s, struct slice db,
                                            struct slice table);
size_t mysql_schema_count(const struct mysql_schema *s);
/* for (size_t i = 0; (t = mysql_schema_next(s, &i));) - any order, nothing may change meanwhile. */
const struct mysql_table *mysql_schema_next(const struct mysql_schema *s, size_t *i);
/* Charset name of a database (its default, else the server's). */
struct slice mysql_schema_db_charset(const struct mysql_schema *s, struct slice db);
bool mysql_schema_has_db(const struct mysql_schema *s, struct slice db);

/* Adopts a table as is, replacing one of its name (SPEC: cdc-mysql 7.6). Takes a reference. */
void mysql_schema_put(struct mysql_schema *s, const struct mysql_table *t);
void mysql_schema_remove(struct mysql_schema *s, struct slice db, struct slice table);
void mysql_schema_clear(struct mysql_schema *s);

/* --- changes -------------------------------------------------------------------------------- */
enum mysql_change_kind {
    CHANGE_CREATE,   /* after; before set when a table was replaced (CREATE OR REPLACE) */
    CHANGE_ALTER,    /* before, after; before NULL when the table was not known before */
    CHANGE_RENAME,   /* before, after (its new name); `ALTER` with previousId to the outside */
    CHANGE_DROP,     /* before; NULL when the table was not known */
    CHANGE_TRUNCATE, /* before = after = the table; NULL when not known; the model is unchanged */
    CHANGE_DATABASE, /* CREATE/ALTER/DROP DATABASE: db; no table changes are told for DROP */
    CHANGE_INDEX,    /* CREATE/DROP INDEX: db, table; before and after (equal when the key is
                        unchanged) */
    CHANGE_SET,      /* SET of charset variables, USE: no table */
    CHANGE_NONE, /* understood and without effect on the model (sequences, views, TEMPORARY, EXISTS)
                  */
};
struct mysql_change {
    enum mysql_change_kind kind;
    struct slice db, name; /* of the table afterwards; CHANGE_DROP: of the dropped one */
    const struct mysql_table *before, *after; /* referenced by the list */
    struct slice ddl;   /* text to emit for this change: DROP TABLE and RENAME TABLE are split, one
                           statement per table, as Debezium does (SPEC: cdc-mysql 5.9), else the statement */
    uint32_t statement; /* index of the statement in the text; all changes of one have the same */
};
struct mysql_changes {
    struct mysql_change *items;
    size_t count;
    struct arena arena; /* of texts and items */
};
void mysql_changes_init(struct mysql_changes *c);
void mysql_changes_release(struct mysql_changes *c); /* drops the references */
void mysql_changes_reset(struct mysql_changes *c);   /* the same, and ready again */

struct mysql_ddl_origin {
    struct slice db;   /* current database of the QUERY event; null or empty: none */
    uint64_t sql_mode; /* of its status variables */
    const struct mysql_charset *client; /* charset of the text; NULL: utf8mb4 */
    const struct mysql_charset
        *db_charset; /* charset_database variable: default when db is unknown */
};
/* Applies one QUERY's text (one or several statements), in order. Changes are appended to *out
 * (which the caller has initialised or reset). DDL_IGNORED classes give no change; a statement that
 * needs a table which is not known (ALTER of it) gives E_NOT_FOUND with the table's name in e->msg
 * and the change kind CHANGE_ALTER with after == NULL in *out, so that the caller can read the
 * table again; a statement that is not understood gives E_UNSUPPORTED with the text. Either way
 * earlier statements stay applied and the model of other tables is untouched. E_NOMEM, E_TOO_LARGE.
 */
enum err mysql_schema_apply(struct mysql_schema *s, const struct mysql_ddl_origin *origin,
                            struct slice sql, struct mysql_changes *out,
                            struct error *e) MUST_CHECK;

/* --- history -------------------------------------------------------------------------------- */
enum mysql_table_json_flags {
    TABLE_JSON_HISTORY = 0, /* SPEC: cdc-mysql 5.10: optional keys left out, hasDefaultValue */
    TABLE_JSON_WEIR =
        1, /* plus the "weir" member: unique keys, collations, computed columns, ... */
    TABLE_JSON_COMMENTS = 2, /* comments of columns and tables; else null */
};
/* Appends the `table` object of one table change. */
void mysql_table_json(const struct mysql_table *t, unsigned flags, struct strbuf *out);
/* Appends the tableChanges array of [from, to) of a list: `[{"type":"CREATE","id":...},...]`. */
void mysql_changes_json(const struct mysql_changes *c, size_t from, size_t to, unsigned flags,
                        struct strbuf *out);

/* Appends a JSON string literal; null for the null slice. */
void mysql_json_string(struct slice text, struct strbuf *out);

/* Restores from one history record's parts. table_changes: JSON text of its array (null or "[]":
 * the ddl is applied instead, in database db; statements not understood are skipped with a warning,
 * as recovery must go on). E_CORRUPT: not JSON of that form. */
enum err mysql_schema_restore(struct mysql_schema *s, struct slice table_changes, struct slice db,
                              struct slice ddl, struct error *e) MUST_CHECK;
/* One table from the `table` object plus its id (`"db"."t"`); *out has one reference. */
enum err mysql_table_from_json(struct slice id, struct slice table_json,
                               const struct mysql_table **out, struct error *e) MUST_CHECK;
/* The whole store as one JSON text, for a checkpoint:
 * {"server":{...},"databases":[...],"tables":[...]}. load replaces the contents. */
void mysql_schema_save(const struct mysql_schema *s, struct strbuf *out);
enum err mysql_schema_load(struct mysql_schema *s, struct slice json, struct error *e) MUST_CHECK;

#endif
