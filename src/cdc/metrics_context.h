/* cdc/metrics_context.h - debezium_metrics_*: samples of one connector, under the names and labels that
 * Debezium's published dashboards use (plugin, name, context). SPEC: connect 9, cdc-mongodb 9. Thread: that
 * of the dump. */
#ifndef WEIR_CDC_METRICS_CONTEXT_H
#define WEIR_CDC_METRICS_CONTEXT_H

#include "base/metrics_table.h"
#include "base/str.h"
#include "cdc/notification.h"
#include "cdc/scan_counts.h"

struct metrics_context {
    struct metrics_table *table;
    struct strbuf labels; /* released by the owner */
};
/* Samples from here on are of this context: "streaming", "snapshot". prefix: topic.prefix. */
void metrics_context_begin(struct metrics_context *c, const char *plugin, struct slice prefix,
                           const char *context);
/* attribute: without "debezium_metrics_"; help: a literal. */
void metrics_context_add(struct metrics_context *c, const char *attribute, const char *help,
                         double value);
/* One sample with one more label. */
void metrics_context_add_labelled(struct metrics_context *c, const char *label, struct slice text,
                                  const char *attribute, const char *help, double value);
/* RowsScanned of each table; and notes of the channel jmx. n NULL: none. */
void metrics_context_scans(struct metrics_context *c, const struct scan_counts *s);
void metrics_context_notes(struct metrics_context *c, const struct notifier *n);
double metrics_context_load(const _Atomic uint64_t *v);

#endif
