/* cdc/mongodb/metrics.h - what a running connector shows, under Debezium's names:
 * debezium_metrics_* on /metrics, and the same for the page. SPEC: cdc-mongodb 9. Thread: any
 * (reads what the task publishes). */
#ifndef WEIR_CDC_MONGODB_METRICS_H
#define WEIR_CDC_MONGODB_METRICS_H

#include "base/metrics_table.h"
#include "cdc/mongodb/task.h"

void mongo_metrics(const struct mongo_task *t, struct metrics_table *out);
/* Members of a JSON object: phase, then "streaming", "snapshot". */
void mongo_describe(const struct mongo_task *t, struct strbuf *out);

#endif
