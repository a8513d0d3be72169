/* broker/metrics_view.h - the broker's part of /metrics: names of jmx_exporter's Kafka rules and of
 * kafka_exporter, so that boards and prometheus.yml of courses work unchanged.
 *
 * Counters that are running anyway are read; what is per partition or per group is walked at each
 * scrape, by the scraper's own thread, which takes one partition's lock at a time and for moments.
 * SPEC: broker 12. */
#ifndef WEIR_BROKER_METRICS_VIEW_H
#define WEIR_BROKER_METRICS_VIEW_H

#include "base/str.h"

struct broker;
/* A metrics_collect_fn; arg: the struct broker. Blocks: group. Thread: any but the broker's. */
void broker_collect_metrics(struct strbuf *out, void *broker);

#endif
