/* base/log_tap.h - a listener to the log: connect/recent.h keeps what it hears for the page. */
#ifndef WEIR_BASE_LOG_TAP_H
#define WEIR_BASE_LOG_TAP_H

#include "base/log.h"

/* fn is given each warning and error that is written, with the thread's contexts, in its thread; it
 * must not log. NULL: nobody. Thread: any. */
typedef void (*log_tap_fn)(enum log_level level, const struct log_ctx *ctx, const char *text);
void log_tap(log_tap_fn fn);

#endif
