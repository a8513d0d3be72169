/* cdc/config_log.h - the configuration that a task starts with, in the log. SPEC: cdc-mysql 1.1, 9.
 * Thread: any. */
#ifndef WEIR_CDC_CONFIG_LOG_H
#define WEIR_CDC_CONFIG_LOG_H

#include "base/log.h"
#include "base/strmap.h"

#define CONFIG_LOG_HIDDEN "********"

/* The value as it may be shown: that of a secret is hidden. */
struct slice config_log_value(struct slice name, struct slice value);
/* At INFO: "Starting TASK with configuration:", then "   NAME = VALUE" for each option that was
 * given, sorted. */
void config_log(enum log_category c, const char *task, const struct strmap *config);

#endif
