/* base/metrics_table.h - families of metrics that are made during one dump: samples are added in any
 * order and printed family by family, in the order in which the families first came. For collectors
 * of many alike things. Not shared between threads. */
#ifndef WEIR_BASE_METRICS_TABLE_H
#define WEIR_BASE_METRICS_TABLE_H

#include "base/base.h"
#include "base/map.h"
#include "base/str.h"

enum metrics_kind { METRICS_GAUGE, METRICS_COUNTER };
struct metrics_family;
struct metrics_table {
    struct map by_name; /* name -> struct metrics_family */
    struct metrics_family **order;
    size_t count, cap;
};
void metrics_table_init(struct metrics_table *t);
/* name is copied, help is a literal. labels: as metrics_label makes them, or "". NaN is printed as it
 * is: nothing measured yet. */
void metrics_table_add(struct metrics_table *t, const char *name, const char *help,
                       enum metrics_kind kind, const char *labels, double value);
void metrics_table_print(const struct metrics_table *t, struct strbuf *out);
void metrics_table_release(struct metrics_table *t);

#endif
