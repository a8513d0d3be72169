/* connect/worker_options.h - settings of the Connect worker: one row each in worker_options.c, families
 * by prefix, defaults. The rows themselves are in connect.h. Thread: any. */
#ifndef WEIR_CONNECT_WORKER_OPTIONS_H
#define WEIR_CONNECT_WORKER_OPTIONS_H

#include "base/strmap.h"
#include "connect/connect.h"

/* Defaults and what was given, as texts with references replaced; values of known rows are checked
 * (E_INVALID with Connect's text, in which references stand as they were given). `out` is initialised here and to be released in any case. */
enum err worker_options_make(struct strmap *out, const struct strmap *given,
                             struct error *e) MUST_CHECK;
int64_t worker_flush_interval_ms(const struct strmap *worker); /* offset.flush.interval.ms */

#endif
