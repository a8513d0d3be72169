/* cdc/mysql/snapshot.h - the initial snapshot: structure of all tables and the rows of captured
 * ones, as they were at one binlog position. SPEC: cdc-mysql 3. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_SNAPSHOT_H
#define WEIR_CDC_MYSQL_SNAPSHOT_H

#include "cdc/mysql/render.h"
#include "cdc/mysql/task.h"

struct snapshot;
/* data: read rows; else only the structure. */
struct snapshot *snapshot_new(struct mysql_task *t, bool data);
/* Rows of the captured tables that the request names, told at the position where the stream has
 * stopped; the stream goes on from there afterwards. Structure is looked at for these rows only.
 * SPEC: cdc-mysql 3.8. r outlives the snapshot. */
struct signal_request;
struct snapshot *snapshot_new_blocking(struct mysql_task *t, const struct signal_request *r);
/* A notification without members: ABORTED. */
void snapshot_note(struct snapshot *s, const char *type);
/* Adds the next records. *done: the snapshot is complete and the task's offset is where streaming
 * begins. Plain messages; on a lost connection the snapshot must be freed and taken again. */
enum err snapshot_poll(struct snapshot *s, struct record_batch *b, bool *done,
                       struct error *e) MUST_CHECK;
void snapshot_free(struct snapshot *s); /* unlocks; NULL allowed */

/* The structure as it is now, adopted without events (recovery). */
enum err snapshot_adopt_schema(struct mysql_task *t, struct error *e) MUST_CHECK;

/* --- shared by snapshot*.c
 * -------------------------------------------------------------------------- */
struct snap_table {
    char *db, *name;
    bool captured; /* by the filters */
    bool wanted;   /* its rows are read */
    size_t rank;
    uint64_t rows; /* estimate */
    char *create;  /* SHOW CREATE TABLE; NULL: vanished */
};
struct snapshot {
    struct mysql_task *t;
    bool data, begun, locked, tables_locked;
    const struct signal_request *request; /* blocking; NULL: an initial snapshot */
    struct mysql_schema *stream_schema;   /* of the task, while a blocking one has its own */
    char *gtid;                           /* of the stream, for rows of a blocking one */
    struct snap_table *tables;
    size_t count;
    struct mysql_offset at;
    struct slice file;         /* at.file, in the arena of the batch at hand */
    struct slice batch_gtid;   /* gtid, likewise: the batch outlives the snapshot */
    char *charset, *collation; /* of the server */
    /* rows */
    size_t *order; /* indexes of tables whose rows are read */
    size_t order_count, next;
    struct mysql_result result;
    bool result_open, row_ready;
    const struct mysql_table *table;
    struct shape *shape;
    uint32_t *columns;        /* column index of each column of the result */
    struct render_plan *plan; /* of the table; NULL: its rows become values */
    struct renderer renderer;
    bool plan_begun;          /* render_begin was called for this batch and table */
    struct mysql_cell *cells; /* the row's texts, for the plan */
    uint64_t table_rows;
    bool first_of_table; /* the row at hand is the first of its table */
    int64_t table_started_ms, last_log_ms;
    uint64_t total;
};
void snapshot_note_table(struct snapshot *s, bool done);
enum err snapshot_list_tables(struct snapshot *s, struct error *e) MUST_CHECK;
enum err snapshot_lock(struct snapshot *s, struct error *e) MUST_CHECK;
void snapshot_unlock(struct snapshot *s);
/* With locks on the captured tables the session may look at no others: these first. */
enum err snapshot_read_uncaptured(struct snapshot *s, struct error *e) MUST_CHECK;
enum err snapshot_read_structure(struct snapshot *s, struct error *e) MUST_CHECK;
enum err snapshot_report_structure(struct snapshot *s, struct record_batch *b,
                                   struct error *e) MUST_CHECK;
enum err snapshot_order_tables(struct snapshot *s, struct error *e) MUST_CHECK;
/* Rows into the batch until it is full or all is read (*done). */
enum err snapshot_rows(struct snapshot *s, struct record_batch *b, bool *done,
                       struct error *e) MUST_CHECK;

#endif
