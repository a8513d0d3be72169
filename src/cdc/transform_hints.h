/* cdc/transform_hints.h - transforms that do not fit the connector: rows and documents have their own.
 * Thread: any. */
#ifndef WEIR_CDC_TRANSFORM_HINTS_H
#define WEIR_CDC_TRANSFORM_HINTS_H

#include "base/log.h"
#include "base/strmap.h"

/* A line for each listed transform that is for the other kind of events. documents: of MongoDB. */
void transform_hints_tell(enum log_category log, const struct strmap *config, bool documents);

#endif
