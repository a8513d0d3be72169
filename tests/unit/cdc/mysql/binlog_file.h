/* tests/unit/cdc/mysql/binlog_file.h - walking a recorded binlog file, and cells as text. Test
 * thread only. */
#ifndef WEIR_TESTS_UNIT_CDC_MYSQL_BINLOG_FILE_H
#define WEIR_TESTS_UNIT_CDC_MYSQL_BINLOG_FILE_H

#include "cdc/mysql/event.h"
#include "cdc/mysql/row.h"

/* Called for every event, those inside payloads included. */
typedef void (*binlog_event_fn)(struct mysql_binlog *b, const struct mysql_event *ev, void *arg);
/* tests/data/binlogs/<name>; fails the test when something does not decode. Returns the events
 * seen. */
unsigned binlog_file_walk(const char *name, bool mariadb, binlog_event_fn fn, void *arg);
/* Appends the cell as text by its wire type: numbers, dates, JSON, 'text', x'bytes', NULL, -,
 * partial. */
void binlog_cell_text(const struct mysql_map_column *c, const struct mysql_cell *cell,
                      struct strbuf *out);
/* Appends every row of db.table: "+ a|b", "- a|b", "< a|b" and "> a|b" lines. */
void binlog_rows_text(const struct mysql_event *ev, const char *table, struct strbuf *out);

#endif
