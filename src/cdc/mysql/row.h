/* cdc/mysql/row.h - row images of a rows event: the bytes of each column, row by row.
 *
 * Nothing is converted or copied: cells point into the event. The layouts were chosen by the
 * TABLE_MAP, so a row costs one switch per column. SPEC: cdc-mysql 4.2. Thread: one. */
#ifndef WEIR_CDC_MYSQL_ROW_H
#define WEIR_CDC_MYSQL_ROW_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "cdc/mysql/event.h"

enum mysql_cell_state {
    CELL_ABSENT, /* not in the image (NOBLOB, MINIMAL) */
    CELL_NULL,
    CELL_VALUE,   /* p, n: the value without its length prefix */
    CELL_PARTIAL, /* JSON of a PARTIAL_UPDATE: p, n are the differences (json_binary.h) */
    CELL_LOST,    /* changed, but the event does not tell the value (set by lean.c alone) */
};
struct mysql_cell {
    const uint8_t *p;
    uint32_t n;
    uint8_t state; /* enum mysql_cell_state */
};

struct mysql_rows {
    const struct mysql_rows_event *event;
    const struct mysql_map_column *columns;
    uint32_t column_count;
    const uint8_t *at, *end;
    uint32_t row;                       /* index of the row that next gives */
    uint32_t before_count, after_count; /* present columns */
    bool all_before, all_after;         /* every column is present */
};

/* Starts at the first row. E_CORRUPT: column counts of event and map differ; E_INVALID: no map. */
enum err mysql_rows_init(struct mysql_rows *it, const struct mysql_rows_event *ev,
                         struct error *e) MUST_CHECK;
/* The next row: fills map->column_count cells each. `before` of UPDATE and DELETE, `after` of
 * UPDATE and WRITE; either may be NULL (that image is then only skipped). E_NOT_FOUND: no more
 * rows. E_CORRUPT. */
enum err mysql_rows_next(struct mysql_rows *it, struct mysql_cell *before, struct mysql_cell *after,
                         struct error *e) MUST_CHECK;
/* Rows from here to the end, counted by stepping over them; the iterator does not move. */
enum err mysql_rows_count(const struct mysql_rows *it, uint32_t *count, struct error *e) MUST_CHECK;

/* --- values that need more than a load ------------------------------------------------------ */
struct mysql_time_parts { /* fields as stored; may be zero or out of the calendar */
    bool negative;        /* TIME only */
    uint32_t year, month, day, hour, minute, second, micros; /* TIME: hour up to 838 */
};
/* DATETIME, DATETIME2, DATE, TIME, TIME2, by the map column; E_CORRUPT on a wrong size. TIMESTAMP
 * and TIMESTAMP2 give seconds since 1970 UTC and micros through mysql_cell_timestamp. */
enum err mysql_cell_time(const struct mysql_map_column *c, const struct mysql_cell *cell,
                         struct mysql_time_parts *out) MUST_CHECK;
enum err mysql_cell_timestamp(const struct mysql_map_column *c, const struct mysql_cell *cell,
                              int64_t *seconds, uint32_t *micros) MUST_CHECK;
/* Integers of 1 to 8 bytes, little endian: sign-extended, or plain. */
int64_t mysql_cell_int(const struct mysql_cell *cell);
uint64_t mysql_cell_uint(const struct mysql_cell *cell);
/* MariaDB's COMPRESSED columns (types 140, 141): appends the plain bytes. E_CORRUPT, E_TOO_LARGE.
 */
enum err mysql_cell_decompress(const struct mysql_cell *cell, struct strbuf *out) MUST_CHECK;

#endif
