/* base/metrics.h - counters, gauges and histograms with labels, printed in Prometheus text form.
 *
 * A metric is registered once (usually at start) and kept for the process; updating is one relaxed
 * atomic operation. Values that are cheaper to compute when asked come from a collector. Thread:
 * any. */
#ifndef WEIR_BASE_METRICS_H
#define WEIR_BASE_METRICS_H

#include <stdatomic.h>

#include "base/base.h"
#include "base/str.h"

struct metric {
    _Atomic int64_t v;
};
/* Finds or creates the series. labels: `topic="a",partition="0"` (values escaped by the caller
 * through metrics_label) or "". name, help: literals. Never NULL. */
struct metric *metrics_counter(const char *name, const char *help, const char *labels);
struct metric *metrics_gauge(const char *name, const char *help, const char *labels);
void metrics_remove(const char *name, const char *labels);
static inline void metric_add(struct metric *m, int64_t n)
{
    atomic_fetch_add_explicit(&m->v, n, memory_order_relaxed);
}
static inline void metric_set(struct metric *m, int64_t v)
{
    atomic_store_explicit(&m->v, v, memory_order_relaxed);
}
/* Microsecond histogram with powers of two from 16 us to 16 s; printed in seconds. */
struct histogram;
struct histogram *metrics_histogram(const char *name, const char *help, const char *labels);
void histogram_observe_us(struct histogram *h, int64_t us);

/* Appends name="value" with the value escaped (and a comma before it when out is not empty). */
void metrics_label(struct strbuf *out, const char *name, struct slice value);
/* Called at each dump, to append lines of its own or to refresh gauges. Kept for the process. */
typedef void (*metrics_collect_fn)(struct strbuf *out, void *arg);
void metrics_collector(metrics_collect_fn fn, void *arg);
void metrics_collector_remove(metrics_collect_fn fn, void *arg);
void metrics_dump(struct strbuf *out); /* everything, process_* and the machine's included */
/* "# HELP" and "# TYPE" lines of a family whose samples follow. kind: "counter", "gauge". */
void metrics_head(struct strbuf *out, const char *name, const char *help, const char *kind);
/* A dump in OpenMetrics' form: counters are named without _total in their heads, # EOF ends it. */
void metrics_openmetrics(struct slice dump, struct strbuf *out);

#endif
