/* cdc/mysql/event.h - binlog events: raw bytes to structs. No I/O, no conversion of values.
 *
 * struct mysql_binlog holds what decoding needs from earlier events: checksum algorithm and
 * post-header lengths (FORMAT_DESCRIPTION) and the table maps. One event in, one struct out; texts
 * point into the input. Everything is bounds-checked: hostile input gives E_CORRUPT or E_TRUNCATED
 * with words. SPEC: cdc-mysql 4.1-4.3. Thread: one. */
#ifndef WEIR_CDC_MYSQL_EVENT_H
#define WEIR_CDC_MYSQL_EVENT_H

#include "base/base.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/str.h"
#include "cdc/mysql/charset.h"

/* Codes on the wire: symbol, code, decoder's name or `none` when only the header matters. */
#define MYSQL_EVENTS(X)                                                                            \
    X(EV_QUERY, 2, query)                                                                          \
    X(EV_STOP, 3, stop)                                                                            \
    X(EV_ROTATE, 4, rotate)                                                                        \
    X(EV_FORMAT_DESCRIPTION, 15, format)                                                           \
    X(EV_XID, 16, xid)                                                                             \
    X(EV_TABLE_MAP, 19, table_map)                                                                 \
    X(EV_WRITE_ROWS_V1, 23, rows)                                                                  \
    X(EV_UPDATE_ROWS_V1, 24, rows)                                                                 \
    X(EV_DELETE_ROWS_V1, 25, rows)                                                                 \
    X(EV_INCIDENT, 26, incident)                                                                   \
    X(EV_HEARTBEAT, 27, heartbeat)                                                                 \
    X(EV_ROWS_QUERY, 29, rows_query)                                                               \
    X(EV_WRITE_ROWS, 30, rows)                                                                     \
    X(EV_UPDATE_ROWS, 31, rows)                                                                    \
    X(EV_DELETE_ROWS, 32, rows)                                                                    \
    X(EV_GTID, 33, gtid)                                                                           \
    X(EV_ANONYMOUS_GTID, 34, gtid)                                                                 \
    X(EV_PREVIOUS_GTIDS, 35, none)                                                                 \
    X(EV_TRANSACTION_CONTEXT, 36, none)                                                            \
    X(EV_VIEW_CHANGE, 37, none)                                                                    \
    X(EV_XA_PREPARE, 38, xa_prepare)                                                               \
    X(EV_PARTIAL_UPDATE_ROWS, 39, rows)                                                            \
    X(EV_TRANSACTION_PAYLOAD, 40, payload)                                                         \
    X(EV_HEARTBEAT_V2, 41, heartbeat)                                                              \
    X(EV_GTID_TAGGED, 42, gtid_tagged)                                                             \
    X(EV_ANNOTATE_ROWS, 160, annotate)                                                             \
    X(EV_BINLOG_CHECKPOINT, 161, none)                                                             \
    X(EV_MARIADB_GTID, 162, mariadb_gtid)                                                          \
    X(EV_MARIADB_GTID_LIST, 163, none)                                                             \
    X(EV_START_ENCRYPTION, 164, none)                                                              \
    X(EV_QUERY_COMPRESSED, 165, query)                                                             \
    X(EV_WRITE_ROWS_COMPRESSED_V1, 166, rows)                                                      \
    X(EV_UPDATE_ROWS_COMPRESSED_V1, 167, rows)                                                     \
    X(EV_DELETE_ROWS_COMPRESSED_V1, 168, rows)                                                     \
    X(EV_WRITE_ROWS_COMPRESSED, 169, rows)                                                         \
    X(EV_UPDATE_ROWS_COMPRESSED, 170, rows)                                                        \
    X(EV_DELETE_ROWS_COMPRESSED, 171, rows)
enum mysql_event_type {
    EV_UNKNOWN = 0,
#define X(sym, code, decoder) sym = code,
    MYSQL_EVENTS(X)
#undef X
};
const char *mysql_event_name(uint8_t type); /* "WRITE_ROWS"; "UNKNOWN" */

enum mysql_event_flags {
    EVF_ARTIFICIAL = 0x20, /* made for this stream; not in the file */
    EVF_IGNORABLE = 0x80,
};
#define EVENT_HEADER_SIZE 19

/* --- table maps ----------------------------------------------------------------------------- */
/* How the bytes of a column lie in a row image; chosen once per table map. */
enum mysql_cell_layout {
    CELL_FIXED, /* `size` bytes */
    CELL_LEN1,  /* 1-byte length (little endian from here on), bytes */
    CELL_LEN2,
    CELL_LEN3,
    CELL_LEN4,
    CELL_INVALID, /* a type that cannot be in a row: E_CORRUPT when a row has it */
};
/* Real type codes (ENUM and SET resolved out of STRING). */
enum mysql_wire_type {
    WIRE_DECIMAL_OLD = 0,
    WIRE_TINY = 1,
    WIRE_SHORT = 2,
    WIRE_LONG = 3,
    WIRE_FLOAT = 4,
    WIRE_DOUBLE = 5,
    WIRE_NULL = 6,
    WIRE_TIMESTAMP = 7,
    WIRE_LONGLONG = 8,
    WIRE_INT24 = 9,
    WIRE_DATE = 10,
    WIRE_TIME = 11,
    WIRE_DATETIME = 12,
    WIRE_YEAR = 13,
    WIRE_VARCHAR = 15,
    WIRE_BIT = 16,
    WIRE_TIMESTAMP2 = 17,
    WIRE_DATETIME2 = 18,
    WIRE_TIME2 = 19,
    WIRE_TYPED_ARRAY = 20,
    WIRE_BLOB_COMPRESSED = 140,
    WIRE_VARCHAR_COMPRESSED = 141,
    WIRE_VECTOR = 242,
    WIRE_JSON = 245,
    WIRE_NEWDECIMAL = 246,
    WIRE_ENUM = 247,
    WIRE_SET = 248,
    WIRE_BLOB = 252,
    WIRE_VAR_STRING = 253,
    WIRE_STRING = 254,
    WIRE_GEOMETRY = 255,
};
struct mysql_map_column {
    uint8_t type;   /* enum mysql_wire_type, resolved */
    uint8_t layout; /* enum mysql_cell_layout */
    /* As sent: NEWDECIMAL precision | scale << 8; temporal: fsp; BIT: bits | bytes << 8;
     * VARCHAR/STRING: most bytes; BLOB: length size; ENUM/SET: storage size. */
    uint16_t meta;
    uint32_t size; /* CELL_FIXED: bytes */
    bool nullable;
    bool has_sign, is_unsigned; /* TLV 1, numeric columns only */
    uint32_t collation;         /* TLV 2/3/10/11; 0: not sent */
    struct slice name;          /* TLV 4 (row metadata FULL); null: not sent */
};
struct mysql_table_map {
    uint64_t id;
    struct slice db, table;
    uint32_t column_count;
    struct mysql_map_column *columns;
    bool has_names;
    uint16_t *primary; /* TLV 8/9; NULL: not sent */
    uint32_t primary_count;
    /* The stream's own: what it has prepared for this map. Set by the caller, freed through
     * free_user when the map dies. A TABLE_MAP with the same bytes keeps the map and its user
     * pointer. */
    void *user;
    void (*free_user)(void *user);
    struct slice raw; /* body of the event; owned */
};

/* --- decoded events ------------------------------------------------------------------------- */
enum mysql_rows_op { ROWS_WRITE, ROWS_UPDATE, ROWS_DELETE };

struct mysql_query_event {
    uint32_t thread_id, exec_time;
    uint16_t error_code;
    struct slice db; /* empty: none */
    struct slice sql;
    uint64_t sql_mode;
    bool has_sql_mode, has_charset;
    uint32_t flags2;
    uint16_t charset_client, collation_connection, collation_server; /* collation ids */
    uint16_t charset_database;                                       /* 0: not sent */
    const struct mysql_charset *client; /* of charset_client; NULL: not sent or unknown */
    uint32_t microseconds;
    uint8_t alter_phase; /* MariaDB binlog_alter_two_phase: 2 START (not yet true), 4 COMMIT, 8
                            ROLLBACK */
};
struct mysql_rotate_event {
    uint64_t pos;
    struct slice file;
};
struct mysql_gtid_event {
    bool anonymous;
    uint8_t uuid[16];
    char tag[33]; /* GTID_TAGGED; "" */
    uint64_t gno;
    uint8_t flags;
    int64_t last_committed, sequence;
    uint64_t immediate_commit_us, original_commit_us; /* 0: not sent */
    uint64_t transaction_length;                      /* 0: not sent */
};
struct mysql_xid {
    uint32_t format;
    struct slice gtrid, bqual;
};
struct mysql_mariadb_gtid_event {
    uint32_t domain, server;
    uint64_t seq;
    uint8_t flags;
    bool standalone; /* DDL: opens no transaction */
    bool transactional;
    bool ddl;
    bool prepared_xa, completed_xa;
    struct mysql_xid xid; /* of these two */
    uint64_t commit_id;   /* 0: none */
};
struct mysql_rows_event {
    enum mysql_rows_op op;
    bool partial; /* PARTIAL_UPDATE_ROWS */
    uint64_t table_id;
    bool statement_end;
    bool dummy;                  /* id 0xFFFFFF: end of statement only, no rows */
    struct mysql_table_map *map; /* NULL: dummy, or no TABLE_MAP with this id was seen */
    uint32_t column_count;
    const uint8_t *present_before; /* bitmap; WRITE: that of the after image */
    const uint8_t *present_after;  /* UPDATE: after; else equal to present_before */
    struct slice rows; /* images; borrowed from the input or from the decompression buffer */
};
struct mysql_heartbeat_event {
    struct slice file;
    uint64_t pos;
};
struct mysql_incident_event {
    uint16_t number;
    struct slice message;
};
struct mysql_format_event {
    uint16_t version;
    struct slice server; /* "9.1.0" */
    bool checksums;
};
struct mysql_event {
    uint32_t timestamp; /* seconds */
    uint8_t type;       /* code; may be one that is not in the table */
    uint8_t inner;      /* came out of a TRANSACTION_PAYLOAD: log_pos has no meaning */
    uint16_t flags;
    uint32_t server_id;
    uint32_t size;     /* header, body and checksum */
    uint32_t log_pos;  /* end of event, 32 bits as sent; 0 for artificial ones */
    struct slice body; /* without header and checksum */
    union {
        struct mysql_query_event query; /* QUERY, QUERY_COMPRESSED */
        struct mysql_rotate_event rotate;
        struct mysql_format_event format;
        uint64_t xid;
        struct mysql_table_map *table_map;
        struct mysql_rows_event rows; /* all of them: mysql_event_is_rows */
        struct slice rows_query;      /* ROWS_QUERY, ANNOTATE_ROWS: SQL text */
        struct mysql_gtid_event gtid; /* GTID, ANONYMOUS_GTID, GTID_TAGGED */
        struct mysql_mariadb_gtid_event mariadb_gtid;
        struct mysql_heartbeat_event heartbeat;
        struct mysql_incident_event incident;
        struct {
            bool one_phase;
            struct mysql_xid xid;
        } xa_prepare;
        struct {
            uint64_t plain_size;
            bool compressed;
        } payload; /* then call mysql_binlog_inner */
    } u;
};
static inline bool mysql_event_is_rows(uint8_t type)
{
    return (type >= EV_WRITE_ROWS_V1 && type <= EV_DELETE_ROWS_V1) ||
           (type >= EV_WRITE_ROWS && type <= EV_DELETE_ROWS) || type == EV_PARTIAL_UPDATE_ROWS ||
           (type >= EV_WRITE_ROWS_COMPRESSED_V1 && type <= EV_DELETE_ROWS_COMPRESSED);
}

/* --- the decoder ---------------------------------------------------------------------------- */
struct mysql_binlog;
struct mysql_binlog_options {
    bool mariadb;
    bool checksums; /* negotiated: the artificial events before FORMAT_DESCRIPTION carry one */
    bool verify_checksums;
    size_t max_event_bytes; /* ceiling of decompressed events and payloads; 0: 1 GiB + 64 KiB */
};
struct mysql_binlog *mysql_binlog_new(const struct mysql_binlog_options *o);
void mysql_binlog_free(struct mysql_binlog *b);
/* A new connection: forgets table maps and goes back to the negotiated checksum. */
void mysql_binlog_restart(struct mysql_binlog *b, bool checksums);
/* The event in hand is over: large ones are rare, what they took is given back. */
void mysql_binlog_done(struct mysql_binlog *b);

/* Header only, for skipping: E_TRUNCATED, E_CORRUPT (size does not match). */
enum err mysql_event_header(struct slice raw, struct mysql_event *out, struct error *e) MUST_CHECK;
/* Decodes one event (raw: 19-byte header on, with its checksum). Side effects by type:
 * FORMAT_DESCRIPTION sets the checksum rule, TABLE_MAP registers, ROTATE (not artificial), STOP and
 * FORMAT_DESCRIPTION forget the maps. Types not in the table: E_OK with only the header and body.
 * E_CORRUPT (checksum, structure), E_TRUNCATED, E_TOO_LARGE, E_UNSUPPORTED (compression algorithm).
 * The struct is valid until the next decode and as long as raw. */
enum err mysql_binlog_decode(struct mysql_binlog *b, struct slice raw, struct mysql_event *out,
                             struct error *e) MUST_CHECK;
/* After TRANSACTION_PAYLOAD: its events one by one, decompressed as they are asked for.
 * E_NOT_FOUND: the end. mysql_binlog_decode may be called again only after the end. */
enum err mysql_binlog_inner(struct mysql_binlog *b, struct mysql_event *out,
                            struct error *e) MUST_CHECK;
/* A registered map, or NULL. Valid until the maps are forgotten or the id is registered anew. */
struct mysql_table_map *mysql_binlog_map(struct mysql_binlog *b, uint64_t table_id);

#endif
