/* cdc/mysql/signals.h - MySQL's side of signals to a running connector (cdc/signal_work.h has what
 * all databases share).
 *
 * The stream tells rows of the signal table and of the table that is being read (signals_row); the
 * task asks before each poll of the stream whether something else comes first (signals_poll).
 * SPEC: cdc-mysql 3.6-3.9. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_SIGNALS_H
#define WEIR_CDC_MYSQL_SIGNALS_H

#include "base/base.h"
#include "cdc/mysql/event.h"
#include "cdc/mysql/row.h"
#include "cdc/mysql/schemas.h"
#include "cdc/signal_work.h"

struct mysql_conn;
struct mysql_task;
struct chunk_reader;
/* Where the stream has to come before a chunk is handed out. */
struct window_position {
    char *gtids;    /* MySQL; NULL: none */
    char file[512]; /* MariaDB */
    uint64_t pos;
};
struct mysql_signals {
    struct mysql_task *t;
    struct signal_work work;
    struct chunk_reader *reader;
    bool by_position; /* windows have no marks in the binlog */
    struct window_position position;
    bool told_fields;
};
struct mysql_signals *signals_new(struct mysql_task *t);
void signals_free(struct mysql_signals *g); /* NULL allowed */

/* --- the task --------------------------------------------------------------------------------- */
/* Before the stream is polled: *taken when the batch is filled, or nothing of the stream may come
 * now. */
enum err signals_poll(struct mysql_signals *g, struct record_batch *b, bool *taken,
                      struct error *e) MUST_CHECK;
/* As signal_work_* do; g NULL: nothing. */
static inline void signals_restore(struct mysql_signals *g, struct slice offset)
{
    if (g)
        signal_work_restore(&g->work, offset);
}
static inline void signals_forget(struct mysql_signals *g)
{
    if (g)
        signal_work_forget(&g->work);
}
static inline void signals_print(const struct mysql_signals *g, struct strbuf *out)
{
    if (g)
        signal_work_print(&g->work, out);
}

/* --- the stream ------------------------------------------------------------------------------- */
/* Whether rows of this table have to be told now: it is the signal table, or in an open window. */
bool signals_watch(const struct mysql_signals *g, const struct shape *s);
/* The same for rows that are not handed out (skipped.operations). g NULL: no. */
bool signals_listen(const struct mysql_signals *g, const struct shape *s, enum mysql_rows_op op);
/* One row of an event of a watched table; cells that the operation does not have are not looked at.
 */
void signals_row(struct mysql_signals *g, const struct shape *s, const struct mysql_table_map *map,
                 enum mysql_rows_op op, const struct mysql_cell *before,
                 const struct mysql_cell *after);
/* A table was emptied or changed. */
void signals_table_changed(struct mysql_signals *g, struct slice db, struct slice table);
/* The stream stops here: something else comes first. g NULL: no. */
static inline bool signals_hold(const struct mysql_signals *g)
{
    return g && signal_work_holds(&g->work);
}

/* --- signals_chunk.c: chunks of a table ------------------------------------------------------- */
extern const struct incremental_ops mysql_incremental_ops; /* db: struct mysql_signals */
struct chunk_reader *chunk_reader_new(struct mysql_task *t);
void chunk_reader_free(struct chunk_reader *r); /* NULL allowed */
/* Takes what the stream has told out of the window. older: the image before, for what this one
 * leaves out because it is the same; may be NULL. */
void chunk_streamed(struct mysql_signals *g, const struct shape *s,
                    const struct mysql_table_map *map, const struct mysql_cell *cells,
                    const struct mysql_cell *older);
bool chunk_is_of(const struct chunk_reader *r, struct slice db, struct slice table);
/* --- signals_position.c: windows without a table to write to ---------------------------------- */
/* Before and behind the reading of a chunk in this session. E_AGAIN: the stream is ahead of the
 * server's readers; a moment later it is not. E_INVALID: this server cannot do it. */
enum err window_position_mark(struct mysql_signals *g, struct mysql_conn *c, bool open,
                              struct error *e) MUST_CHECK;
bool window_position_reached(const struct mysql_signals *g);
void window_position_release(struct window_position *w);

/* The table as the model has it, or NULL. id: db.table, in any case. */
const struct mysql_table *signals_table(const struct mysql_task *t, struct slice id);

#endif
