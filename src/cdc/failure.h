/* cdc/failure.h - failures in Java's words, as the status trace and scripts that read it expect
 * them: one exception a line, `Caused by:` between. SPEC: cdc-mysql 2.6. Thread: any. */
#ifndef WEIR_CDC_FAILURE_H
#define WEIR_CDC_FAILURE_H

#include "base/err.h"

/* Each takes the plain message that is in *e and returns e->code. e NULL: returns `code`. */
/* io.debezium.DebeziumException: msg (faults found while a task starts) */
enum err failure_at_start(struct error *e, enum err code);
/* ConnectException + Caused by: DebeziumException: DebeziumException: msg + Caused by: ... msg */
enum err failure_in_snapshot(struct error *e, enum err code);
/* ConnectException + Caused by: DebeziumException: Error processing binlog event + Caused by: ...
 * msg */
enum err failure_in_event(struct error *e, enum err code);
/* ConnectException + Caused by: DebeziumException: msg */
enum err failure_in_stream(struct error *e, enum err code);
/* ... Caused by: DebeziumException: msg Error code: N; SQLSTATE: S. + Caused by: ServerException:
 * msg */
enum err failure_from_server(struct error *e, enum err code, const char *sqlstate);

#endif
