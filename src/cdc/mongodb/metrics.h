/* cdc/mongodb/metrics.h - what a running connector shows on /metrics, under Debezium's names.
 * SPEC: cdc-mongodb 9. Thread: any (reads the task's atomic counters). */
#ifndef WEIR_CDC_MONGODB_METRICS_H
#define WEIR_CDC_MONGODB_METRICS_H

#include "base/metrics_table.h"
#include "cdc/mongodb/task.h"

void mongo_metrics(const struct mongo_task *t, struct metrics_table *out);

#endif
