/* cdc/mysql/ddl.h - parsing of the statements that change tables, and a quick classification of
 * all.
 *
 * Knows the grammar of SHOW CREATE TABLE and of what people and tools write, of MySQL 5.5 to 9 and
 * MariaDB 10 to 11. Parsing makes a tree in the caller's arena and looks at no table; schema.c
 * applies it. Clauses without meaning for the model (ENGINE, partitions, ALGORITHM, indexes that
 * are not unique, foreign keys) are skipped by balanced parentheses. SPEC: cdc-mysql 4.5, 7.
 * Thread: any. */
#ifndef WEIR_CDC_MYSQL_DDL_H
#define WEIR_CDC_MYSQL_DDL_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "cdc/mysql/ddl_lex.h"
#include "cdc/mysql/table.h"

/* --- what kind of QUERY is this ------------------------------------------------------------- */
enum ddl_class {
    DDL_EMPTY, /* blanks and comments only */
    DDL_BEGIN, /* BEGIN, START TRANSACTION */
    DDL_COMMIT,
    DDL_ROLLBACK, /* whole transaction; ROLLBACK TO is DDL_IGNORED */
    DDL_XA,       /* any XA statement */
    DDL_DML,      /* INSERT, UPDATE, DELETE, REPLACE, LOAD, CALL ...: statement-based logging */
    DDL_IGNORED, /* dropped before parsing (SPEC: cdc-mysql 7.4): GRANT, users, routines, SAVEPOINT,
                    server-made DROP TEMPORARY TABLE, RDS heartbeats, ANALYZE, FLUSH,
                    CREATE/ALTER/DROP VIEW, ... */
    DDL_TRUNCATE,  /* TRUNCATE [TABLE] t */
    DDL_STATEMENT, /* anything else: hand it to mysql_schema_apply */
};
/* Leading comments and `SET STATEMENT ... FOR` are looked through. *rest (may be NULL): the
 * statement without them. Never fails. */
enum ddl_class mysql_ddl_classify(struct slice sql, bool mariadb, struct slice *rest);

/* --- the tree ------------------------------------------------------------------------------- */
enum ddl_kind {
    DDL_K_NONE, /* understood, of no meaning for the model (views, CREATE INDEX without UNIQUE, ...)
                 */
    DDL_K_CREATE_TABLE,
    DDL_K_ALTER_TABLE,
    DDL_K_DROP_TABLE,
    DDL_K_RENAME_TABLE,
    DDL_K_TRUNCATE,
    DDL_K_CREATE_DB,
    DDL_K_ALTER_DB,
    DDL_K_DROP_DB,
    DDL_K_CREATE_INDEX,
    DDL_K_DROP_INDEX,
    DDL_K_CREATE_SEQUENCE,
    DDL_K_DROP_SEQUENCE,
    DDL_K_USE,
    DDL_K_SET,
};

struct ddl_name {
    struct slice db; /* null: the current database */
    struct slice name;
};

enum ddl_alter_kind {
    ALTER_ADD_COLUMN,
    ALTER_MODIFY_COLUMN, /* also CHANGE: old_name != column.name */
    ALTER_DROP_COLUMN,
    ALTER_RENAME_COLUMN,
    ALTER_SET_DEFAULT, /* ALTER COLUMN SET/DROP DEFAULT: default_* of column; DEFAULT_NONE = drop */
    ALTER_SET_VISIBILITY, /* ALTER COLUMN c SET VISIBLE/INVISIBLE: column.invisible */
    ALTER_ADD_KEY,        /* primary or unique */
    ALTER_DROP_PRIMARY,
    ALTER_DROP_INDEX,
    ALTER_RENAME_INDEX,
    ALTER_RENAME_TABLE,
    ALTER_CONVERT, /* CONVERT TO CHARACTER SET: charset, collation */
    ALTER_OPTIONS, /* table options: charset, collation, comment, versioning */
};
struct ddl_key {
    struct slice name; /* null: none */
    bool primary;      /* else unique */
    bool whole;
    struct slice *columns;
    uint32_t column_count;
};
struct ddl_column {
    struct mysql_column def; /* charset resolved only as far as the column states it */
    bool charset_stated;     /* charset or collation in the definition */
    bool national;           /* NCHAR, NVARCHAR: utf8mb3 */
    bool binary_attribute;   /* BINARY: the charset's _bin collation */
    bool null_stated;        /* NULL or NOT NULL was written */
    bool primary, unique;    /* inline key clauses */
    bool first;              /* FIRST */
    struct slice after;      /* AFTER name; null: none */
};
struct ddl_options {      /* null slices: not stated */
    struct slice charset; /* "DEFAULT" keeps its meaning: back to the outer default */
    struct slice collation;
    struct slice comment;
    int8_t versioning; /* -1 not stated, 0 DROP, 1 WITH SYSTEM VERSIONING */
};
struct ddl_alter {
    enum ddl_alter_kind kind;
    bool if_exists;        /* IF EXISTS / IF NOT EXISTS on this clause */
    struct slice old_name; /* column or index it is about */
    struct slice new_name;
    struct ddl_column column;
    struct ddl_key key;
    struct ddl_name table; /* ALTER_RENAME_TABLE */
    struct ddl_options options;
};
struct ddl_rename {
    struct ddl_name from, to;
    struct slice from_raw, to_raw; /* as written */
};
struct ddl_stmt {
    enum ddl_kind kind;
    struct slice text; /* this statement alone, blanks trimmed */
    bool temporary;    /* of no meaning for the model */
    bool if_exists, if_not_exists, or_replace;
    struct ddl_name table;
    bool like; /* CREATE TABLE t LIKE like_table */
    struct ddl_name like_table;
    bool as_select; /* CREATE TABLE ... SELECT: the column list may be incomplete */
    bool is_view;   /* DROP/ALTER VIEW */
    struct ddl_column *columns;
    uint32_t column_count;
    struct ddl_key *keys;
    uint32_t key_count;
    struct ddl_options options;
    struct ddl_alter *alters;
    uint32_t alter_count;
    struct ddl_name *tables; /* DROP TABLE */
    uint32_t table_count;
    struct ddl_rename *renames;
    uint32_t rename_count;
    struct slice db;        /* databases and USE */
    struct slice new_index; /* CREATE/DROP INDEX: its name */
    bool index_unique;
    struct slice set_charset_server, set_collation_server; /* SET; null: not set */
    struct slice set_charset_database, set_names;
};

struct ddl_context {
    bool mariadb;
    uint32_t server_version; /* 0: unknown */
    uint64_t sql_mode;       /* of the QUERY event */
};

/* Parses one or more statements separated by ';'. sql is UTF-8 (convert it from the QUERY's client
 * charset first) and must outlive the tree. *stmts: array in the arena. E_UNSUPPORTED: a statement
 * that changes tables but is not understood, e->msg shows where and the text; E_NOMEM over the
 * arena's budget. */
enum err mysql_ddl_parse(struct slice sql, const struct ddl_context *ctx, struct arena *a,
                         struct ddl_stmt **stmts, uint32_t *count, struct error *e) MUST_CHECK;

#endif
