/* cdc/metrics_context.h - attributes of one connector under Debezium's names, told in one of two
 * forms:
 *
 *   /metrics      debezium_metrics_ATTRIBUTE{plugin,name,context}, the labels of Debezium's
 *                 published dashboards. A text is a label of a sample that is 1, named as the
 *                 attribute is (last_event); a list or map has one sample for each table, key.
 *                 What is not known is left out or NaN.
 *   the page      "streaming":{"ATTRIBUTE":value,...},"snapshot":{...}: members of a JSON object,
 *                 texts and lists as they are. What is not known is null.
 *
 * SPEC: connect 9, cdc-mysql 9, cdc-mongodb 9. Thread: that of the reader. */
#ifndef WEIR_CDC_METRICS_CONTEXT_H
#define WEIR_CDC_METRICS_CONTEXT_H

#include "base/json.h"
#include "base/metrics_table.h"
#include "base/str.h"
#include "cdc/capture_texts.h"
#include "cdc/lag_stats.h"
#include "cdc/notification.h"
#include "cdc/scan_counts.h"

struct metrics_context {
    struct metrics_table *table; /* NULL: the page's form */
    struct strbuf labels;
    struct json_writer json;
    bool begun;
    struct strbuf text; /* of the attribute at hand */
};
void metrics_context_init(struct metrics_context *c, struct metrics_table *table);
void metrics_context_init_json(struct metrics_context *c, struct strbuf *out);
/* Attributes from here on are of this context: "streaming", "snapshot". prefix: topic.prefix. */
void metrics_context_begin(struct metrics_context *c, const char *plugin, struct slice prefix,
                           const char *context);
void metrics_context_end(struct metrics_context *c);
/* attribute: without "debezium_metrics_"; help: a literal. NaN: not known. */
void metrics_context_add(struct metrics_context *c, const char *attribute, const char *help,
                         double value);
/* A text; null: not known. label: the attribute's name as labels are written. */
void metrics_context_add_word(struct metrics_context *c, const char *label, struct slice text,
                              const char *attribute, const char *help);
void metrics_context_add_text(struct metrics_context *c, const char *label,
                              struct capture_texts *texts, enum capture_text which,
                              const char *attribute, const char *help);
/* CapturedTables; SourceEventPosition; what is known of the chunk at hand of an incremental
 * snapshot. */
void metrics_context_tables(struct metrics_context *c, struct capture_texts *texts);
void metrics_context_position(struct metrics_context *c, struct capture_texts *texts);
void metrics_context_chunk(struct metrics_context *c, struct capture_texts *texts);
/* SnapshotPaused and how long. */
void metrics_context_pauses(struct metrics_context *c, const struct capture_texts *texts);
/* MilliSecondsBehindSource in all of its forms. */
void metrics_context_lag(struct metrics_context *c, const struct lag_stats *l);
/* RowsScanned of each table; and notes of the channel jmx. n NULL: none. */
void metrics_context_scans(struct metrics_context *c, const struct scan_counts *s);
void metrics_context_notes(struct metrics_context *c, const struct notifier *n);
double metrics_context_load(const _Atomic uint64_t *v);
/* From this moment (wall clock; 0: never came) to now in milliseconds; -1: never. */
double metrics_context_since(const _Atomic int64_t *ms);

#endif
