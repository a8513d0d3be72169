/* cdc/mysql/stream.h - the binlog as change events: transactions, positions, tables, reconnection.
 * SPEC: cdc-mysql 4. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_STREAM_H
#define WEIR_CDC_MYSQL_STREAM_H

#include "base/map.h"
#include "cdc/mysql/dump.h"
#include "cdc/mysql/event.h"
#include "cdc/mysql/gtid.h"
#include "cdc/mysql/render.h"
#include "cdc/mysql/stream_xa.h"
#include "cdc/mysql/task.h"

struct stream;
/* Starts behind the task's offset. */
struct stream *stream_new(struct mysql_task *t);
/* Adds the records of the next events; returns after at most ~400 ms. E_AGAIN: the connection was
 * lost and is opened again at a later call. Other errors end the task; messages are complete
 * traces. */
enum err stream_poll(struct stream *s, struct record_batch *b, struct error *e) MUST_CHECK;
void stream_free(struct stream *s); /* NULL allowed */
/* Source block and offset for records that come in place of the stream's next ones: those of the
 * event that was handled last. */
void stream_source_held(struct stream *s, struct record_batch *b);
enum err stream_put_offset(struct stream *s, struct record_batch *b) MUST_CHECK;
/* The next poll hands out an offset even without records. */
void stream_wants_offset(struct stream *s);
/* After a pause of the task's own. */
void stream_resumed(struct stream *s);
/* Where the stream is, as JSON, for log lines. */
void stream_describe(const struct stream *s, struct strbuf *out);

/* --- shared by stream*.c ---------------------------------------------------------------------- */
/* The transactions that are done, in the server's own form. */
struct gtid_done {
    bool used, mariadb;
    struct gtid_set set;
    struct mariadb_gtid_pos pos;
    /* The one at hand; folded in when the next one begins. */
    bool pending;
    bool ended; /* its COMMIT, or its statement, has been handled */
    uint8_t uuid[16];
    char tag[GTID_TAG_MAX + 1];
    uint64_t gno;
    struct mariadb_gtid mariadb_gtid;
};
enum err gtid_done_init(struct gtid_done *g, bool used, bool mariadb, struct slice text,
                        struct error *e) MUST_CHECK;
void gtid_done_release(struct gtid_done *g);
void gtid_done_fold(struct gtid_done *g); /* pending joins what is done, ended or not */
void gtid_done_print(const struct gtid_done *g, struct strbuf *out);

/* Position of the next restart, and of the last record. SPEC: cdc-mysql 4.4 */
struct stream_pos {
    char file[BINLOG_NAME_MAX];
    uint64_t pos;
    uint64_t event, row;
    int64_t ts_sec, server_id;
};

void stream_pos_copy(struct stream_pos *to, const struct stream_pos *from);

struct stream {
    struct mysql_task *t;
    struct mysql_dump *dump; /* NULL: not connected */
    struct mysql_binlog *binlog;
    struct gtid_done gtids;
    bool by_gtid;
    bool mariadb;
    /* where we are */
    char file[BINLOG_NAME_MAX];      /* being read */
    uint64_t event_start, event_end; /* of the event at hand, 64 bits */
    struct stream_pos restart;
    bool in_transaction;
    bool in_payload; /* inner events of a TRANSACTION_PAYLOAD are left */
    /* what a restart has to skip: events of the first transaction, then rows of an event */
    bool resuming;
    uint64_t skip_events, skip_rows;
    int64_t skip_server; /* which server made that transaction; 0: not known */
    bool foreign;        /* the transaction at hand is another one */
    bool by_file;        /* the next dump begins at restart, whatever GTIDs say (stream_torn.c) */
    /* what the batch held before the transaction at hand */
    size_t unit_records, unit_text;
    bool unit_whole; /* nothing of it has been handed out */
    /* last record of the newest transaction; else `restart` is newer */
    bool last_valid;
    struct stream_pos last;
    /* source block of the transaction */
    struct strbuf gtid_text;
    struct slice gtid; /* in gtid_text; null: none */
    int64_t commit_us; /* of the transaction, 0: unknown */
    uint32_t last_timestamp;
    bool has_thread;
    uint32_t thread_id;
    struct strbuf query; /* ROWS_QUERY, for include.query */
    bool has_query;
    bool unwanted; /* the transaction comes from a source whose rows are left out */
    /* texts of the block in the batch at hand: made when first needed */
    struct slice batch_gtid, batch_file, batch_query;
    bool texts_stale;
    struct mysql_cell *before, *after;
    uint32_t cells;
    struct renderer renderer;
    uint64_t generation; /* grows with every change of structure or of filters */
    struct mysql_changes changes;
    struct stream_xa *xa; /* NULL: XA transactions are told when they are prepared */
    struct map notes;     /* "db\0table" -> struct table_note, see stream_fit.c */
    /* connection */
    int failures;
    int64_t next_try_ms, last_packet_ms;
    int64_t next_progress_ms;
    bool progressed; /* moved since an offset was handed out */
    bool started;    /* something has been received */
    bool broken;     /* the history lacks what the model has: only a new start helps */
    uint64_t events;
    uint64_t filtered, left_out, rolled_back; /* events, transactions; for metrics */
    uint64_t shown_generation;                /* whose tables are shown */
    char shown_file[BINLOG_NAME_MAX];
};
/* The transaction at hand has been handled in part. */
static inline bool stream_resuming(const struct stream *s)
{
    return s->resuming && !s->foreign;
}
/* stream_torn.c: a transaction begins, before its first record; a poll begins. */
void stream_unit_begins(struct stream *s, const struct record_batch *b);
/* True: the fault was the torn end of a file, and the next dump goes on behind it. */
bool stream_passes_torn(struct stream *s, struct record_batch *b,
                        const struct error *fault) MUST_CHECK;
/* stream_conn.c: opens the dump at the restart point; closes it. */
enum err stream_open(struct stream *s, struct error *e) MUST_CHECK;
void stream_close(struct stream *s);
/* The connection failed, and is closed: E_AGAIN: it may pass, and is opened again at a later poll;
 * else it ends the task, and the message is its trace. SPEC: cdc-mysql 2.6 */
enum err stream_fault(struct stream *s, enum err rc, struct error *e) MUST_CHECK;
/* stream_event.c: the event at hand begins, or ends, a transaction that is told; ends a group
 * without rows. */
enum err stream_begin(struct stream *s, struct record_batch *b, struct error *e) MUST_CHECK;
enum err stream_commit(struct stream *s, struct record_batch *b, struct error *e) MUST_CHECK;
void stream_unit_over(struct stream *s);
/* One decoded event. */
enum err stream_event(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                      struct error *e) MUST_CHECK;
/* Rows events. SPEC: cdc-mysql 4.2, 4.7 */
enum err stream_rows(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                     struct error *e) MUST_CHECK;
/* Statements: DDL, TRUNCATE. SPEC: cdc-mysql 4.5, 7 */
enum err stream_statement(struct stream *s, const struct mysql_event *ev, struct record_batch *b,
                          struct error *e) MUST_CHECK;
/* Makes sure that t->conn is an open session that answers. */
enum err stream_session(struct stream *s, struct error *e) MUST_CHECK;
/* A table as the server has it now, when the model does not fit; *sequence: it is one of MariaDB's
 * sequences, and not adopted. map: what it has to fit (columns by number), else the model stays;
 * NULL: anything. E_REMOTE: there is no such table. */
enum err stream_read_table(struct stream *s, struct slice db, struct slice table,
                           const struct mysql_table_map *map, bool *sequence,
                           struct error *e) MUST_CHECK;
/* The table of a CREATE TABLE text takes the place of `old` (one reference, or NULL), unless it
 * does not fit the map (NULL: any does) or says the same. */
enum err stream_adopt(struct stream *s, struct slice db, struct slice table, const char *create,
                      const struct mysql_table *old, const struct mysql_table_map *map,
                      struct error *e) MUST_CHECK;
/* Changes of the model, to the history and (b not NULL) to who reads of them. On failure the stream
 * is broken. */
enum err stream_report(struct stream *s, const struct mysql_changes *changes,
                       const struct ddl_report *how, struct record_batch *b,
                       struct error *e) MUST_CHECK;
/* What becomes of an event that failed: E_OK: it is left out; E_AGAIN: it comes again; else the
 * task ends, and the message is its trace. SPEC: cdc-mysql 4.7 */
enum err stream_failed(struct stream *s, enum err rc, struct error *e) MUST_CHECK;
/* The number of columns is that of the map. */
bool stream_fits(const struct mysql_table *t, const struct mysql_table_map *map);
/* The table that the map describes, read again when the model seems not to; *out NULL: not known,
 * or (*sequence) none. E_IO, E_CANCELLED: the server could not be asked. Also what stream_report
 * gives. */
enum err stream_fitting_table(struct stream *s, const struct mysql_table_map *map,
                              const struct mysql_table **out, bool *sequence,
                              struct error *e) MUST_CHECK;
/* The tables that a statement names are read again at their next rows. */
void stream_mark_unsure(struct stream *s, const struct mysql_query_event *q);
void stream_forget_notes(struct stream *s);
/* Fills the source block for the event at hand. */
void stream_source(struct stream *s, const struct mysql_event *ev, struct record_batch *b);
/* After a lost connection, before the next: the stream goes on at its restart point, behind what is
 * told of the transaction there. */
void stream_rewind(struct stream *s);
/* The event at hand can't be told and is left out: it counts all the same, as it will when a
 * restart skips it. */
void stream_left_out(struct stream *s);
/* stream_show.c: what a poll has brought, for metrics; then the GTIDs of the offset that goes with
 * it. b still holds what was read. */
void stream_show(struct stream *s, const struct record_batch *b);
void stream_show_gtids(struct stream *s, const struct mysql_offset *at);
/* The current offset, of the last record or of the restart point. */
void stream_offset(struct stream *s, struct mysql_offset *out);

#endif
