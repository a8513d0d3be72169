/* cdc/mysql/metrics.h - debezium_metrics_*: what Debezium shows by JMX, under the names that its
 * published dashboards use. SPEC: connect 9. */
#ifndef WEIR_CDC_MYSQL_METRICS_H
#define WEIR_CDC_MYSQL_METRICS_H

#include "base/metrics_table.h"
#include "cdc/mysql/task.h"

/* Reads only what the task publishes (relaxed atomics) and what does not change after its start. Any
 * thread, while the task is there. */
void mysql_metrics(const struct mysql_task *t, struct metrics_table *out);

#endif
