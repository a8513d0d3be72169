/* cdc/mysql/computed.h - values of generated columns that a row image leaves out.
 *
 * MariaDB from 11.8.9 on writes UPDATE and DELETE images without the columns GENERATED ALWAYS AS
 * (...), whatever binlog_row_image says. Their values follow from the columns that are there, so
 * the server is asked to compute them: one statement per rows event hands it the cells that the
 * expressions name as typed columns (JSON_TABLE) and selects the expressions from them. No table
 * is read: the result is that of the row as it was, not as it is now.
 *
 * The expressions are those of information_schema when the table version was first met. SPEC:
 * cdc-mysql 4.7. Thread: the task's. */
#ifndef WEIR_CDC_MYSQL_COMPUTED_H
#define WEIR_CDC_MYSQL_COMPUTED_H

#include "base/base.h"
#include "base/err.h"
#include "base/json.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/schemas.h"

struct computed;
/* Asks for the expressions. t is borrowed for as long as *out lives. E_UNSUPPORTED: an expression
 * or a column has a type that can't be computed this way; E_IO, E_REMOTE, E_CANCELLED. */
enum err computed_open(struct mysql_conn *conn, const struct mysql_table *t, struct computed **out,
                       struct error *e) MUST_CHECK;
void computed_free(struct computed *c); /* NULL allowed */

/* One cell as JSON: numbers as numbers, bytes as hex digits, times in UTC, else the text. E_UNSUPPORTED. */
enum err computed_write_cell(struct json_writer *w, const struct codec *codec,
                             struct value_env *env, const struct mysql_map_column *m,
                             const struct mysql_cell *cell) MUST_CHECK;
/* Before an event's images are added. */
void computed_reset(struct computed *c);
/* One image; the n-th call of an event makes number n (from 0). E_UNSUPPORTED: a column that an
 * expression names is missing itself. */
enum err computed_add(struct computed *c, const struct shape *s, struct value_env *env,
                      const struct mysql_table_map *map, const struct mysql_cell *cells,
                      struct error *e) MUST_CHECK;
/* Computes all that were added; texts live in env's arena. */
enum err computed_run(struct computed *c, struct mysql_conn *conn, struct value_env *env,
                      struct error *e) MUST_CHECK;
/* Puts the values of image number n into a row that shape_cells made from its cells. */
enum err computed_fill(const struct computed *c, const struct shape *s, struct value_env *env,
                       size_t n, struct value *row, struct error *e) MUST_CHECK;

#endif
