/* cdc/mysql/table.h - the model of one table at one moment.
 *
 * Built by the DDL parser or from history, then published: from there on immutable and counted, so
 * that row decoders, key and value schemas are chosen once per struct mysql_table and hang on the
 * pointer. Every change of a table makes a new struct with a new, process-wide unique version.
 * All texts and arrays live in the table's own arena and die with the last reference.
 * SPEC: cdc-mysql 5.2, 5.9, 5.10, 6, 7.1. Thread: any once published (references are atomic). */
#ifndef WEIR_CDC_MYSQL_TABLE_H
#define WEIR_CDC_MYSQL_TABLE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "cdc/mysql/charset.h"

/* Column types: symbol, name without attributes, JDBC code (SPEC: cdc-mysql 5.9), flags. Several
 * spellings share one symbol (DEC, NUMERIC, FIXED: DECIMAL); the spelling is in type_name. */
#define MYSQL_COLUMN_TYPES(X)                                                                      \
    X(COL_UNKNOWN, "UNKNOWN", 1111, 0)                                                             \
    X(COL_BIT, "BIT", -7, 0)                                                                       \
    X(COL_BOOLEAN, "BOOLEAN", 16, COLF_INTEGER)                                                    \
    X(COL_TINYINT, "TINYINT", 5, COLF_INTEGER)                                                     \
    X(COL_SMALLINT, "SMALLINT", 5, COLF_INTEGER)                                                   \
    X(COL_MEDIUMINT, "MEDIUMINT", 4, COLF_INTEGER)                                                 \
    X(COL_INT, "INT", 4, COLF_INTEGER)                                                             \
    X(COL_BIGINT, "BIGINT", -5, COLF_INTEGER)                                                      \
    X(COL_FLOAT, "FLOAT", 6, COLF_FLOATING)                                                        \
    X(COL_REAL, "REAL", 7, COLF_FLOATING) /* as written in streamed DDL; stored as DOUBLE */       \
    X(COL_DOUBLE, "DOUBLE", 8, COLF_FLOATING)                                                      \
    X(COL_DECIMAL, "DECIMAL", 3, 0)                                                                \
    X(COL_YEAR, "YEAR", 4, 0)                                                                      \
    X(COL_DATE, "DATE", 91, COLF_TEMPORAL)                                                         \
    X(COL_TIME, "TIME", 92, COLF_TEMPORAL)                                                         \
    X(COL_DATETIME, "DATETIME", 93, COLF_TEMPORAL)                                                 \
    X(COL_TIMESTAMP, "TIMESTAMP", 2014, COLF_TEMPORAL)                                             \
    X(COL_CHAR, "CHAR", 1, COLF_TEXT)                                                              \
    X(COL_VARCHAR, "VARCHAR", 12, COLF_TEXT)                                                       \
    X(COL_TINYTEXT, "TINYTEXT", 12, COLF_TEXT)                                                     \
    X(COL_TEXT, "TEXT", 12, COLF_TEXT)                                                             \
    X(COL_MEDIUMTEXT, "MEDIUMTEXT", 12, COLF_TEXT)                                                 \
    X(COL_LONGTEXT, "LONGTEXT", 12, COLF_TEXT)                                                     \
    X(COL_ENUM, "ENUM", 1, COLF_TEXT)                                                              \
    X(COL_SET, "SET", 1, COLF_TEXT)                                                                \
    X(COL_BINARY, "BINARY", -2, COLF_BYTES)                                                        \
    X(COL_VARBINARY, "VARBINARY", -3, COLF_BYTES)                                                  \
    X(COL_TINYBLOB, "TINYBLOB", 2004, COLF_BYTES)                                                  \
    X(COL_BLOB, "BLOB", 2004, COLF_BYTES)                                                          \
    X(COL_MEDIUMBLOB, "MEDIUMBLOB", 2004, COLF_BYTES)                                              \
    X(COL_LONGBLOB, "LONGBLOB", 2004, COLF_BYTES)                                                  \
    X(COL_JSON, "JSON", 1111, 0) /* MariaDB: only when the DDL says JSON; stored as LONGTEXT */    \
    X(COL_GEOMETRY, "GEOMETRY", 1111, COLF_GEOMETRY)                                               \
    X(COL_POINT, "POINT", 1111, COLF_GEOMETRY)                                                     \
    X(COL_LINESTRING, "LINESTRING", 1111, COLF_GEOMETRY)                                           \
    X(COL_POLYGON, "POLYGON", 1111, COLF_GEOMETRY)                                                 \
    X(COL_MULTIPOINT, "MULTIPOINT", 1111, COLF_GEOMETRY)                                           \
    X(COL_MULTILINESTRING, "MULTILINESTRING", 1111, COLF_GEOMETRY)                                 \
    X(COL_MULTIPOLYGON, "MULTIPOLYGON", 1111, COLF_GEOMETRY)                                       \
    X(COL_GEOMETRYCOLLECTION, "GEOMETRYCOLLECTION", 1111, COLF_GEOMETRY)                           \
    X(COL_VECTOR, "VECTOR", 1111, 0)                                                               \
    X(COL_UUID, "UUID", 1111, 0)                                                                   \
    X(COL_INET4, "INET4", 1111, 0)                                                                 \
    X(COL_INET6, "INET6", 1111, 0)
enum mysql_column_type {
#define X(sym, name, jdbc, flags) sym,
    MYSQL_COLUMN_TYPES(X)
#undef X
        COL_TYPE_COUNT
};
enum mysql_column_type_flags {
    COLF_INTEGER = 1,
    COLF_FLOATING = 2,
    COLF_TEMPORAL = 4,
    COLF_TEXT = 8, /* has a charset */
    COLF_BYTES = 16,
    COLF_GEOMETRY = 32,
};
unsigned mysql_column_type_flags(enum mysql_column_type t);
const char *mysql_column_type_base_name(enum mysql_column_type t); /* "INT" */
int32_t mysql_column_type_jdbc(enum mysql_column_type t);

/* What the DEFAULT clause says. */
enum mysql_default_kind {
    DEFAULT_NONE,    /* no clause */
    DEFAULT_NULL,    /* DEFAULT NULL */
    DEFAULT_LITERAL, /* a string, number, true/false, b'..', x'..': default_text is its content */
    DEFAULT_NOW,     /* CURRENT_TIMESTAMP, NOW(), LOCALTIME, ...: default_text null */
    DEFAULT_EXPRESSION, /* (uuid()), MariaDB's bare calls: default_text is the source text */
};

struct mysql_column {
    struct slice name;
    struct slice type_name; /* upper case, with attributes, as Debezium prints typeName and
                      typeExpression: "INT UNSIGNED", "DOUBLE PRECISION", "NATIONAL VARCHAR" */
    enum mysql_column_type type;
    int32_t length; /* -1: none. INT(11): 11; VARCHAR(20): 20; DECIMAL: precision (10 when left
                       out); TIME/DATETIME/TIMESTAMP: fraction digits; BIT: 1 when left out; ENUM:
                       1; SET: 2 * values - 1; FLOAT(M,D)/DOUBLE(M,D): M; VECTOR: dimension */
    int32_t scale;  /* -1: none. DECIMAL: 0 when left out; FLOAT(M,D)/DOUBLE(M,D): D */
    int32_t jdbc;   /* java.sql.Types code; depends on the spelling too (NUMERIC 2, NCHAR -15) */
    const struct mysql_charset *charset; /* text types; NULL: none or unknown */
    struct slice charset_name;           /* as resolved; null for types without one */
    struct slice collation;              /* null when the charset's default or not stated */
    bool is_unsigned, zerofill;
    bool nullable; /* after PRIMARY KEY has forced NOT NULL */
    /* As Debezium marks it: AUTO_INCREMENT, or ON UPDATE CURRENT_TIMESTAMP that does not stand
     * directly behind DEFAULT CURRENT_TIMESTAMP. */
    bool auto_incremented;
    bool generated;         /* the same; Debezium does not set it for GENERATED ALWAYS AS */
    bool is_auto_increment; /* AUTO_INCREMENT really */
    bool is_computed;       /* GENERATED ALWAYS AS / AS (...) */
    bool is_stored;         /* with is_computed: STORED or PERSISTENT */
    bool invisible;
    bool compressed;               /* MariaDB COMPRESSED: binlog types 140 and 141 */
    bool is_row_start, is_row_end; /* MariaDB explicit system versioning columns */
    enum mysql_default_kind default_kind;
    struct slice default_text;  /* see mysql_default_kind; null when none. Escapes are resolved; of
                                   introducers only the literal's content stays */
    bool default_is_string;     /* DEFAULT_LITERAL in quotes (not a bare number) */
    bool default_is_hex;        /* x'..' or 0x..: default_text is the hex digits */
    bool default_is_bits;       /* b'..' or 0b..: default_text is the binary digits */
    const struct slice *values; /* ENUM and SET: in UTF-8, unquoted */
    uint32_t value_count;
    struct slice comment; /* null when none */
    bool has_srid;
    uint32_t srid;
};

struct mysql_key {
    struct slice name; /* "PRIMARY" for the primary key; null when not stated */
    bool unique;
    bool whole;              /* no prefix length and no expression among the parts */
    const uint16_t *columns; /* indexes into columns, in the order of the clause */
    uint32_t column_count;
};

struct mysql_table {
    _Atomic uint32_t refs;
    uint64_t version; /* unique in the process; grows */
    struct slice db, name;
    const struct mysql_column *columns;
    uint32_t column_count;
    const uint16_t *primary; /* PRIMARY KEY clause order; NULL: no primary key */
    uint32_t primary_count;
    const struct mysql_key *keys; /* UNIQUE keys only, in order of definition */
    uint32_t key_count;
    const uint16_t *key;    /* key of the records: the primary key, else the first unique key whose
                               columns are all NOT NULL and whole (SPEC: cdc-mysql 5.2); NULL: none */
    uint32_t row_key_count; /* entries in `key` */
    const struct mysql_charset *charset; /* default of new columns; NULL: unknown */
    struct slice charset_name;           /* null: unknown */
    struct slice collation;              /* null: the charset's default */
    struct slice comment;                /* null: none */
    bool system_versioned; /* MariaDB WITH SYSTEM VERSIONING: binlog rows may carry two more columns
                            */
    bool is_sequence;      /* MariaDB SEQUENCE: no events are made of it */
    bool is_view;
    struct arena arena;
};

/* References; NULL is allowed and gives NULL. Thread: any. */
const struct mysql_table *mysql_table_ref(const struct mysql_table *t);
void mysql_table_unref(const struct mysql_table *t);

/* Index of the column (any case, as MySQL compares), or -1. */
int mysql_table_column(const struct mysql_table *t, struct slice name);
/* True when both describe the same columns, keys and charsets (versions may differ). */
bool mysql_table_same(const struct mysql_table *a, const struct mysql_table *b);
/* Appends `"db"."name"` with quotes doubled: the id in schema history. SPEC: cdc-mysql 11.34. */
void mysql_table_id(struct slice db, struct slice name, struct strbuf *out);
/* Default as Debezium prints defaultValueExpression: literal text, "1970-01-01 00:00:00" for
 * CURRENT_TIMESTAMP, null slice for none, NULL and expressions. b'..' is appended to tmp as such.
 */
struct slice mysql_column_default_expression(const struct mysql_column *c, struct strbuf *tmp);
/* Debezium's hasDefaultValue: a DEFAULT clause with a value it keeps, or nullable without one. */
bool mysql_column_has_default(const struct mysql_column *c);

/* --- building, for the DDL parser, the history reader and tests ----------------------------- */
/* A mutable description; texts are borrowed and copied by mysql_table_new. */
struct mysql_table_def {
    struct slice db, name, comment, collation;
    const struct mysql_charset *charset;
    struct slice charset_name;
    struct mysql_column *columns;
    uint32_t column_count;
    const uint16_t *primary; /* indexes */
    uint32_t primary_count;
    const struct mysql_key *keys;
    uint32_t key_count;
    bool system_versioned, is_sequence, is_view;
};
/* Copies, forces key columns NOT NULL, chooses the record key and publishes: *out has one
 * reference. E_INVALID: an index is out of range, a name is empty or repeated; E_NOMEM;
 * E_TOO_LARGE: more than 4096 columns. */
enum err mysql_table_new(const struct mysql_table_def *def, const struct mysql_table **out,
                         struct error *e) MUST_CHECK;

#endif
