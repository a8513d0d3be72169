/* cdc/mongodb/task.h - one running connector. SPEC: cdc-mongodb 4, 5 */
#ifndef WEIR_CDC_MONGODB_TASK_H
#define WEIR_CDC_MONGODB_TASK_H

#include "connect/connector.h"

extern const struct source_task_ops mongo_source_ops;

#endif
