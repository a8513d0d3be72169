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
/* Before it is freed without having come to its end: told and counted. */
void snapshot_aborted(struct snapshot *s);
/* Adds the next records. *done: the snapshot is complete and the task's offset is where streaming
 * begins. Plain messages; on a lost connection the snapshot must be freed and taken again. */
enum err snapshot_poll(struct snapshot *s, struct record_batch *b, bool *done,
                       struct error *e) MUST_CHECK;
void snapshot_free(struct snapshot *s); /* unlocks; NULL allowed */
/* What a poll has brought, for metrics: b still holds it, and at least one record. */
void snapshot_show(struct mysql_task *t, const struct record_batch *b);

/* The structure as it is now, adopted without events (recovery). */
enum err snapshot_adopt_schema(struct mysql_task *t, struct error *e) MUST_CHECK;

/* --- shared by snapshot*.c -------------------------------------------------------------------- */
struct snap_table {
    char *db, *name;
    bool captured; /* by the filters */
    bool wanted;   /* its rows are read */
    size_t rank;
    uint64_t rows; /* estimate */
    char *create;  /* SHOW CREATE TABLE; NULL: vanished */
};
/* One table while its rows are read. */
struct table_read {
    const struct mysql_table *table; /* one reference; NULL: not open */
    struct shape *shape;
    size_t number;     /* in the order of reading, from 1 */
    uint32_t *columns; /* column index of each column of the result */
    uint32_t column_count;
    struct mysql_cell *cells; /* the row at hand, in the result's columns */
    const char **texts;       /* the same as values are made of them */
    unsigned long *lengths;
    struct render_plan *plan; /* NULL: rows become values */
    int64_t clock_us;         /* of the server when reading began */
    uint64_t rows;            /* told */
    int64_t started_ms, last_log_ms;
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
    struct table_read read; /* with one thread */
    struct renderer renderer;
    const struct table_read *rendered; /* its rows may be rendered as they are; NULL: none */
    uint64_t total;
    int64_t batch_us;                 /* when the batch at hand was begun */
    struct snapshot_threads *threads; /* NULL: this thread reads alone */
    struct snapshot_merge *merge;     /* of what they read */
};
void snapshot_note_table(struct snapshot *s, const struct table_read *r, bool done);
/* A consistent view, as far as the way of locking wants one. other: not in the session that holds
 * the locks. */
enum err snapshot_open_view(const struct snapshot *s, struct mysql_conn *c, bool other,
                            struct error *e) MUST_CHECK;
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
/* The same with further threads (snapshot_merge.c). */
enum err snapshot_merge_rows(struct snapshot *s, struct record_batch *b, bool *done,
                             struct error *e) MUST_CHECK;
void snapshot_merge_free(struct snapshot *s);
/* Before the first row of a batch: texts of the source block that live as long as it. */
void snapshot_batch_texts(struct snapshot *s, struct record_batch *b);
/* Rows that come slowly are handed on before the batch is full. */
bool snapshot_is_slow(const struct record_batch *b, int64_t started);

/* --- snapshot_table.c: one table -------------------------------------------------------------- */
/* False: its structure is not known; logged. number: from 1. */
bool table_read_open(struct snapshot *s, const struct snap_table *t, size_t number,
                     struct table_read *r);
/* The statement that reads it; appends. */
void table_read_sql(struct snapshot *s, const struct snap_table *t, const struct table_read *r,
                    struct strbuf *sql);
/* The server's clock, for source.ts_ms. */
enum err table_read_clock(struct mysql_conn *c, int64_t *us, struct error *e) MUST_CHECK;
/* The statement has been answered: columns by name. r->clock_us is set. */
enum err table_read_begin(struct snapshot *s, struct table_read *r, const char *const *names,
                          uint32_t count, struct error *e) MUST_CHECK;
/* r->cells becomes a record. marker: its own, or NULL. *source: the record's source block, NULL
 * when it was written as text (render_mark). */
enum err table_read_row(struct snapshot *s, struct table_read *r, struct record_batch *b,
                        struct emit_time t, const char *marker, struct value **source,
                        struct error *e) MUST_CHECK;
void table_read_end(struct snapshot *s, struct table_read *r);         /* all rows: log, note */
void table_read_count(struct snapshot *s, const struct table_read *r); /* so far, for metrics */
void table_read_release(struct table_read *r);
/* The marker of a row: of one that is the last of all, or (last false) of others. NULL: none of its
 * own. SPEC: cdc-mysql 3.4 */
const char *snapshot_marker(bool last, bool first, bool last_of_table, bool first_of_table);

#endif
