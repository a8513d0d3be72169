/* tests/unit/connect/test_task_meter.c - what a task counts, and the table that metrics are printed from. */
#include "connect/task_meter.h"

#include <math.h>

#include "base/metrics.h"
#include "base/metrics_table.h"
#include "helpers.h"

static void counts(void)
{
    struct task_meter m, v;
    task_meter_init(&m);
    task_meter_copy(&m, &v);
    CHECK(isnan(meter_avg(&v.values[METER_BATCH_IN])) &&
          isnan(meter_max(&v.values[METER_BATCH_IN])) &&
          isnan(meter_min(&v.values[METER_BATCH_IN])));
    CHECK(meter_rate(&v.values[METER_BATCH_IN]) == 0);
    task_meter_in(&m, 10, 2000);
    task_meter_active(&m, 10);
    task_meter_copy(&m, &v);
    CHECK_INT(v.active, 10);
    task_meter_out(&m, 8, 0);
    task_meter_active(&m, 0);
    task_meter_in(&m, 50, 4000);
    task_meter_out(&m, 50, 0);
    task_meter_commit(&m, true, 1000);
    task_meter_commit(&m, false, 3000);
    task_meter_copy(&m, &v);
    CHECK_INT(v.counts[METER_IN], 60);
    CHECK_INT(v.counts[METER_OUT], 58);
    CHECK_INT(v.active, 0);
    CHECK(meter_max(&v.values[METER_ACTIVE]) == 10 && meter_avg(&v.values[METER_ACTIVE]) == 5);
    CHECK_INT(v.counts[METER_COMMITS], 1);
    CHECK_INT(v.counts[METER_COMMITS_FAILED], 1);
    CHECK(meter_avg(&v.values[METER_BATCH_IN]) == 30 && meter_max(&v.values[METER_BATCH_IN]) == 50);
    CHECK(meter_min(&v.values[METER_BATCH_IN]) == 10);
    CHECK(meter_avg(&v.values[METER_BATCH_IN_US]) == 3000);
    CHECK(meter_max(&v.values[METER_COMMIT_US]) == 3000);
    CHECK(meter_rate(&v.values[METER_BATCH_IN]) == 2); /* 60 in a window of 30 s at least */
    task_meter_release(&m);
}

/* A window that is over counts no more; the clock is moved by moving the windows. */
static void windows(void)
{
    struct task_meter m, v;
    task_meter_init(&m);
    task_meter_in(&m, 30, 1);
    for (int i = 0; i < 2; i++)
        m.values[METER_BATCH_IN].began_ms[i] -= m.values[METER_BATCH_IN].began_ms[i] ? 35000 : 0;
    task_meter_in(&m, 90, 1); /* a second window */
    task_meter_copy(&m, &v);
    CHECK(meter_max(&v.values[METER_BATCH_IN]) == 90 && meter_avg(&v.values[METER_BATCH_IN]) == 60);
    CHECK(meter_rate(&v.values[METER_BATCH_IN]) > 3.3 &&
          meter_rate(&v.values[METER_BATCH_IN]) < 3.5);
    for (int i = 0; i < 2; i++)
        m.values[METER_BATCH_IN].began_ms[i] -= 45000;
    task_meter_copy(&m, &v); /* the older one has gone */
    CHECK(meter_avg(&v.values[METER_BATCH_IN]) == 90 && meter_min(&v.values[METER_BATCH_IN]) == 90);
    task_meter_in(&m, 5, 1); /* takes the place of the older */
    task_meter_copy(&m, &v);
    CHECK(meter_max(&v.values[METER_BATCH_IN]) == 90 &&
          meter_avg(&v.values[METER_BATCH_IN]) == 47.5);
    for (int i = 0; i < 2; i++)
        m.values[METER_BATCH_IN].began_ms[i] -= 100000;
    task_meter_copy(&m, &v);
    CHECK(isnan(meter_avg(&v.values[METER_BATCH_IN])));
    CHECK_INT(v.counts[METER_IN], 125);
    task_meter_release(&m);
}

static void table(void)
{
    struct metrics_table t;
    struct strbuf labels = STRBUF_INIT, out = STRBUF_INIT;
    metrics_table_init(&t);
    metrics_label(&labels, "task", SL("a\"b"));
    metrics_table_add(&t, "one", "First.", METRICS_GAUGE, labels.p, 1.5);
    metrics_table_add(&t, "two_total", "Second.", METRICS_COUNTER, "", 1234567890123.0);
    metrics_table_add(&t, "one", "First.", METRICS_GAUGE, "", (double)NAN);
    metrics_table_print(&t, &out);
    CHECK_STR(out.p,
              "# HELP one First.\n# TYPE one gauge\none{task=\"a\\\"b\"} 1.5\none NaN\n"
              "# HELP two_total Second.\n# TYPE two_total counter\ntwo_total 1234567890123\n");
    metrics_table_release(&t);
    strbuf_release(&labels);
    strbuf_release(&out);
}

static const struct test_case tests[] = {
    {"counts", counts}, {"windows", windows}, {"table", table}, {NULL, NULL}};
const struct test_suite test_task_meter = {"connect/task_meter", tests};
