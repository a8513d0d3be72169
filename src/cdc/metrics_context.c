/* cdc/metrics_context.c - see metrics_context.h. */
#include "cdc/metrics_context.h"

#include <stdatomic.h>

#include "base/metrics.h"

void metrics_context_begin(struct metrics_context *c, const char *plugin, struct slice prefix,
                           const char *context)
{
    strbuf_reset(&c->labels);
    metrics_label(&c->labels, "plugin", slice_cstr(plugin));
    metrics_label(&c->labels, "name", prefix);
    metrics_label(&c->labels, "context", slice_cstr(context));
}

void metrics_context_add(struct metrics_context *c, const char *attribute, const char *help,
                         double value)
{
    char name[100];
    snprintf(name, sizeof name, "debezium_metrics_%s", attribute);
    metrics_table_add(c->table, name, help, METRICS_GAUGE, c->labels.p, value);
}

/* Labels of one sample go again. */
static void cut(struct strbuf *labels, size_t n)
{
    labels->n = n;
    labels->p[n] = '\0';
}

void metrics_context_add_labelled(struct metrics_context *c, const char *label, struct slice text,
                                  const char *attribute, const char *help, double value)
{
    size_t n = c->labels.n;
    metrics_label(&c->labels, label, text);
    metrics_context_add(c, attribute, help, value);
    cut(&c->labels, n);
}

static void scanned(struct slice id, uint64_t rows, void *arg)
{
    metrics_context_add_labelled(arg, "table", id, "RowsScanned",
                                 "Rows that snapshots have read, by table.", (double)rows);
}

void metrics_context_scans(struct metrics_context *c, const struct scan_counts *s)
{
    scan_counts_each((struct scan_counts *)(uintptr_t)s, scanned, c);
}

void metrics_context_notes(struct metrics_context *c, const struct notifier *n)
{
    const char *about, *type;
    uint64_t count;
    size_t before = c->labels.n;
    for (size_t i = 0; n && notifier_count(n, i, &about, &type, &count); i++) {
        metrics_label(&c->labels, "aggregate_type", slice_cstr(about));
        metrics_context_add_labelled(c, "type", slice_cstr(type), "Notifications",
                                     "Notes of the channel jmx, by what they say.", (double)count);
        cut(&c->labels, before);
    }
}

double metrics_context_load(const _Atomic uint64_t *v)
{
    return (double)atomic_load_explicit(v, memory_order_relaxed);
}
