/* cdc/mysql/metrics.h - what a running connector shows: debezium_metrics_* on /metrics, and the
 * same for the page. SPEC: cdc-mysql 9, connect 9 */
#ifndef WEIR_CDC_MYSQL_METRICS_H
#define WEIR_CDC_MYSQL_METRICS_H

#include "base/metrics_table.h"
#include "cdc/mysql/task.h"

/* Both read only what the task publishes (relaxed atomics, texts under a lock) and what does not
 * change after its start. Any thread, while the task is there. */
void mysql_metrics(const struct mysql_task *t, struct metrics_table *out);
/* Members of a JSON object: phase and counters, then "streaming", "snapshot", "schema-history". */
void mysql_describe(const struct mysql_task *t, struct strbuf *out);

#endif
