/* connect/recent.h - the last warnings and errors that tasks logged, by connector: for people who look
 * at the page and not at the log. A few lines of each of the connectors that had some last; they do
 * not outlive the process. Thread: any (own lock, innermost). */
#ifndef WEIR_CONNECT_RECENT_H
#define WEIR_CONNECT_RECENT_H

#include <jansson.h>

#include "base/log.h"
#include "base/str.h"

enum { RECENT_CONNECTORS = 64, RECENT_LINES = 8 };

/* For log_tap: takes lines of threads whose context says connector=NAME task=N. */
void recent_note(enum log_level level, const struct log_ctx *ctx, const char *text);
/* [{"at": ms since 1970, "level": "WARN", "task": 0, "text": "..."}], newest first. New reference. */
json_t *recent_lines(struct slice connector);
/* How many of these lines are from this moment (ms since 1970) on; at most RECENT_LINES. */
int recent_count(struct slice connector, int64_t since_ms);
void recent_clear(void);

#endif
