/* cdc/mysql/lean.h - row images that leave plain columns out (binlog_row_image=MINIMAL in the
 * session that wrote them).
 *
 * An UPDATE then holds the key before and what changed after. What is missing after comes from the
 * image before where that has it, else from the table as it is now, by the row's key. Where the row
 * is gone (it was deleted or got another key later, which its own event will tell), text columns
 * hold the placeholder, others what stands for NULL there. The rows of an event are asked for
 * together, LEAN_ROWS at a time. SPEC: cdc-mysql 4.7. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_LEAN_H
#define WEIR_CDC_MYSQL_LEAN_H

#include "base/base.h"
#include "base/err.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/event.h"
#include "cdc/mysql/schemas.h"

enum { LEAN_ROWS = 128 };

/* Whether images of this event lack columns that NOBLOB does not leave out, or hold differences of
 * JSON without what these are to. computed_too: generated columns count as there, because their
 * values can be computed. */
bool lean_is_event(const struct mysql_table *t, const struct mysql_rows_event *event,
                   bool computed_too);
/* Before shape_cells: differences of JSON that nothing is known of become CELL_LOST. */
void lean_cells(const struct mysql_table *t, const struct mysql_cell *before,
                struct mysql_cell *after);
/* What can't be known of an image: no NOT NULL field stays null. */
void lean_unknown(const struct shape *s, const struct mysql_cell *cells, struct value *row);

/* The questions of up to LEAN_ROWS rows of one table version, and their answers. */
struct lean;
struct lean *lean_new(const struct shape *s, const struct mysql_table_map *map); /* both borrowed */
void lean_free(struct lean *l);                                                  /* NULL allowed */
void lean_reset(struct lean *l);
/* The cells of an image after (behind lean_cells) and, or NULL, of the one before. The n-th call
 * since the reset makes number n (from 0). E_TOO_LARGE: no room for one more; E_NOMEM. */
enum err lean_add(struct lean *l, struct value_env *env, const struct mysql_cell *cells,
                  const struct mysql_cell *old_cells, struct error *e) MUST_CHECK;
/* Whether the table has to be asked for any of them. */
bool lean_wants(const struct lean *l);
/* Asks. Answers live in env's arena. What the server refuses stays unknown, with a warning. E_IO,
 * E_CANCELLED, E_AUTH, E_NOMEM. The session's time zone is the server's own afterwards. */
enum err lean_run(struct lean *l, struct mysql_conn *conn, struct value_env *env,
                  struct error *e) MUST_CHECK;
/* Completes `after`, which shape_cells made from the cells of number n; before: of the image
 * before, or NULL with old_cells. */
enum err lean_after(const struct lean *l, size_t n, struct value_env *env,
                    const struct mysql_cell *cells, const struct mysql_cell *old_cells,
                    const struct value *before, struct value *after, struct error *e) MUST_CHECK;

/* For lean_run and tests. */
/* What is still to be asked, as one statement: the row's number, then lean_columns columns. locked:
 * rows that others are at work on are waited for. False: nothing. */
bool lean_statement(const struct lean *l, bool locked, struct strbuf *sql);
/* One row of the answer. E_CORRUPT, E_NOMEM. */
enum err lean_answer(struct lean *l, struct value_env *env, const struct slice *texts,
                     uint32_t count, struct error *e) MUST_CHECK;

#endif
