/* cdc/mysql/lean.h - row images that leave plain columns out (binlog_row_image=MINIMAL in the
 * session that wrote them).
 *
 * An UPDATE then holds the key before and what changed after. What is missing after comes from the
 * image before where that has it, else from the table as it is now, by the row's key. Where the row
 * is gone (it was deleted or got another key later, which its own event will tell), text columns
 * hold the placeholder, others null or, NOT NULL, what stands for NULL there. SPEC: cdc-mysql 4.7.
 * Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_LEAN_H
#define WEIR_CDC_MYSQL_LEAN_H

#include "base/base.h"
#include "base/err.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/event.h"
#include "cdc/mysql/schemas.h"

/* Whether images of this event lack columns that NOBLOB does not leave out, or hold differences of
 * JSON without what these are to. computed_too: generated columns count as there, because their
 * values can be computed. */
bool lean_is_event(const struct mysql_table *t, const struct mysql_rows_event *event,
                   bool computed_too);
/* Before shape_cells: differences of JSON that nothing is known of become CELL_LOST. */
void lean_cells(const struct mysql_table *t, const struct mysql_cell *before,
                struct mysql_cell *after);
/* Completes `after`, which shape_cells made from `cells`; old_cells and before: of the image before,
 * or NULL. conn: an open session. Also E_IO, E_CANCELLED. */
enum err lean_after(const struct shape *s, struct mysql_conn *conn, struct value_env *env,
                    const struct mysql_table_map *map, const struct mysql_cell *cells,
                    const struct mysql_cell *old_cells, const struct value *before,
                    struct value *after, struct error *e) MUST_CHECK;
/* What can't be known of an image: no NOT NULL field stays null. */
void lean_unknown(const struct shape *s, const struct mysql_cell *cells, struct value *row);

#endif
