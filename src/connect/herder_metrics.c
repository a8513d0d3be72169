/* connect/herder_metrics.c - metrics of the worker, its connectors and tasks, under the names that
 * jmx_exporter's rules for Kafka Connect give them. SPEC: connect 9. */
#include "connect/herder_internal.h"

#include <math.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/metrics_table.h"
#include "connect/task_meter.h"

#define PREFIX "kafka_connect_"

/* --- rows ------------------------------------------------------------------------------------- */

struct about {
    struct metrics_table *table;
    struct strbuf labels;
};

static void cut(struct strbuf *b, size_t n)
{
    if (b->n > n)
        b->p[b->n = n] = '\0';
}

static void gauge(struct about *a, const char *name, const char *help, double value)
{
    metrics_table_add(a->table, name, help, METRICS_GAUGE, a->labels.p, value);
}

static void total(struct about *a, const char *name, const char *help, double value)
{
    metrics_table_add(a->table, name, help, METRICS_COUNTER, a->labels.p, value);
}

static const char *lower(const char *word, char *out, size_t room)
{
    size_t n = 0;
    for (; word[n] && n + 1 < room; n++)
        out[n] = word[n] >= 'A' && word[n] <= 'Z' ? (char)(word[n] + 32) : word[n];
    out[n] = '\0';
    return out;
}

/* A text as a label of a sample that is 1. */
static void text(struct about *a, const char *name, const char *help, const char *label,
                 struct slice value)
{
    size_t n = a->labels.n;
    metrics_label(&a->labels, label, value);
    gauge(a, name, help, 1);
    cut(&a->labels, n);
}

static double ratio(int64_t part, int64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

/* --- tasks ------------------------------------------------------------------------------------ */

static void task_common(struct about *a, const struct task_meter *m, const char *state)
{
#define T PREFIX "connector_task_"
    char word[16];
    int64_t now = clock_mono_ms(), age = MAX(now - m->started_ms, (int64_t)1);
    int64_t paused = m->paused_ms + (m->paused_since_ms ? now - m->paused_since_ms : 0);
    int64_t commits = m->counts[METER_COMMITS] + m->counts[METER_COMMITS_FAILED];
    struct slice status = slice_cstr(lower(state, word, sizeof word));
    text(a, T "status", "State of the task, as a label.", "status", status);
    text(a, PREFIX "connector_status", "The same under its older name.", "status", status);
    gauge(a, T "running_ratio", "Share of its time that the task was running.",
          1 - MIN(ratio(paused, age), 1.0));
    gauge(a, T "pause_ratio", "Share of its time that the task was paused.",
          MIN(ratio(paused, age), 1.0));
    gauge(a, T "offset_commit_max_time_ms", "Longest commit of offsets.",
          meter_max(&m->values[METER_COMMIT_US]) / 1000);
    gauge(a, T "offset_commit_avg_time_ms", "Average commit of offsets.",
          meter_avg(&m->values[METER_COMMIT_US]) / 1000);
    gauge(a, T "batch_size_max", "Records of the largest batch.",
          meter_max(&m->values[METER_BATCH_IN]));
    gauge(a, T "batch_size_avg", "Records of an average batch.",
          meter_avg(&m->values[METER_BATCH_IN]));
    gauge(a, T "offset_commit_failure_percentage", "Share of commits that failed.",
          ratio(m->counts[METER_COMMITS_FAILED], commits));
    gauge(a, T "offset_commit_success_percentage", "Share of commits that succeeded.",
          ratio(m->counts[METER_COMMITS], commits));
#undef T
}

/* What a row shows of a meter; times are kept in microseconds. */
enum shown { TOTAL, COUNT, RATE, MOST, LEAST, MEAN, MOST_MS, MEAN_MS, ACTIVE_NOW, ALWAYS_0 };
struct task_row {
    const char *name, *help;
    enum shown shown;
    int meter; /* METER_*: of counts for TOTAL and COUNT, else of values */
};

#define T PREFIX "source_task_"
static const struct task_row source_rows[] = {
    {T "source_record_poll_total", "Records that the source gave.", TOTAL, METER_IN},
    {T "source_record_poll_rate", "Of them a second.", RATE, METER_BATCH_IN},
    {T "source_record_write_total", "Records that were written, after transforms.", TOTAL,
     METER_OUT},
    {T "source_record_write_rate", "Of them a second.", RATE, METER_BATCH_OUT},
    {T "poll_batch_max_time_ms", "Longest poll that gave records.", MOST_MS, METER_BATCH_IN_US},
    {T "poll_batch_avg_time_ms", "Average poll that gave records.", MEAN_MS, METER_BATCH_IN_US},
    {T "source_record_active_count", "Records polled and not yet written.", ACTIVE_NOW, 0},
    {T "source_record_active_count_max", "The most of them.", MOST, METER_ACTIVE},
    {T "source_record_active_count_avg", "On average.", MEAN, METER_ACTIVE},
    {T "transaction_size_min", "Records of the smallest unit that is written at once.", LEAST,
     METER_BATCH_OUT},
    {T "transaction_size_max", "Of the largest one.", MOST, METER_BATCH_OUT},
    {T "transaction_size_avg", "Records of an average one.", MEAN, METER_BATCH_OUT},
    {NULL, NULL, 0, 0},
};
#undef T

#define T PREFIX "sink_task_"
static const struct task_row sink_rows[] = {
    {T "sink_record_read_total", "Records read from the topics.", TOTAL, METER_IN},
    {T "sink_record_read_rate", "Of them a second.", RATE, METER_BATCH_IN},
    {T "sink_record_send_total", "Records given to the sink, after transforms.", TOTAL, METER_OUT},
    {T "sink_record_send_rate", "Of them a second.", RATE, METER_BATCH_OUT},
    {T "partition_count", "Partitions that the task holds.", COUNT, METER_PARTITIONS},
    {T "sink_record_lag_max", "Records that its partition farthest behind has left.", COUNT,
     METER_LAG},
    {T "offset_commit_completion_total", "Commits that succeeded.", TOTAL, METER_COMMITS},
    {T "offset_commit_completion_rate", "Of them a second.", RATE, METER_COMMIT_COUNT},
    {T "offset_commit_skip_total", "Always 0: a commit is waited for and never comes late.",
     ALWAYS_0, 0},
    {T "offset_commit_skip_rate", "Always 0.", ALWAYS_0, 0},
    {T "put_batch_max_time_ms", "Longest put.", MOST_MS, METER_BATCH_IN_US},
    {T "put_batch_avg_time_ms", "Average put.", MEAN_MS, METER_BATCH_IN_US},
    {T "sink_record_active_count", "Records read and not yet committed.", ACTIVE_NOW, 0},
    {T "sink_record_active_count_max", "The most of them.", MOST, METER_ACTIVE},
    {T "sink_record_active_count_avg", "On average.", MEAN, METER_ACTIVE},
    {NULL, NULL, 0, 0},
};
#undef T

#define T PREFIX "task_error_"
static const struct task_row error_rows[] = {
    {T "total_record_failures", "Attempts that failed.", COUNT, METER_FAILURES},
    {T "total_record_errors", "Records that were given up.", COUNT, METER_ERRORS},
    {T "total_records_skipped", "Records that were left out.", COUNT, METER_SKIPPED},
    {T "total_retries", "Attempts after the first.", COUNT, METER_RETRIES},
    {T "total_errors_logged", "Errors that were logged.", COUNT, METER_LOGGED},
    {T "deadletterqueue_produce_requests", "Records for the dead letter queue.", COUNT,
     METER_DEAD_LETTERS},
    {T "deadletterqueue_produce_failures", "Of them those that did not get there.", COUNT,
     METER_DEAD_LETTERS_FAILED},
    {NULL, NULL, 0, 0},
};
#undef T

static double shown_of(const struct task_row *r, const struct task_meter *m)
{
    switch (r->shown) {
    case TOTAL:
    case COUNT:
        return (double)m->counts[r->meter];
    case RATE:
        return meter_rate(&m->values[r->meter]);
    case MOST:
        return meter_max(&m->values[r->meter]);
    case LEAST:
        return meter_min(&m->values[r->meter]);
    case MEAN:
        return meter_avg(&m->values[r->meter]);
    case MOST_MS:
        return meter_max(&m->values[r->meter]) / 1000;
    case MEAN_MS:
        return meter_avg(&m->values[r->meter]) / 1000;
    case ACTIVE_NOW:
        return (double)m->active;
    case ALWAYS_0:
        break;
    }
    return 0;
}

static void add_rows(struct about *a, const struct task_row *r, const struct task_meter *m)
{
    for (; r->name; r++)
        (r->shown == TOTAL ? total : gauge)(a, r->name, r->help, shown_of(r, m));
}

/* --- connectors, the worker ------------------------------------------------------------------- */

static void one_task(struct about *a, const struct hconn *c, size_t i)
{
    struct task_meter m = {.started_ms = clock_mono_ms()};
    char number[24];
    snprintf(number, sizeof number, "%zu", i);
    size_t n = a->labels.n;
    metrics_label(&a->labels, "task", slice_cstr(number));
    if (c->tasks[i].run)
        task_measure(c->tasks[i].run, &m, a->table);
    task_common(a, &m, task_state_name(c->tasks[i].state));
    if (c->ops && c->ops->kind == CONNECTOR_SINK) {
        add_rows(a, sink_rows, &m);
        gauge(a, PREFIX "sink_task_offset_commit_seq_no", "Commits so far.",
              (double)(m.counts[METER_COMMITS] + m.counts[METER_COMMITS_FAILED]));
    } else {
        add_rows(a, source_rows, &m);
    }
    add_rows(a, error_rows, &m);
    gauge(a, PREFIX "task_error_last_error_timestamp", "When the last error was, in ms since 1970.",
          (double)m.last_error_ms);
    cut(&a->labels, n);
}

static void one_connector(struct about *a, const struct hconn *c)
{
    static const struct {
        const char *name, *help;
        enum task_state state;
    } counts[] = {
        {PREFIX "worker_connector_running_task_count", "Tasks that run.", TASK_RUNNING},
        {PREFIX "worker_connector_paused_task_count", "Tasks that are paused.", TASK_PAUSED},
        {PREFIX "worker_connector_failed_task_count", "Tasks that failed.", TASK_FAILED},
        {PREFIX "worker_connector_unassigned_task_count", "Tasks not started.", TASK_UNASSIGNED},
        {PREFIX "worker_connector_restarting_task_count", "Tasks on their way.", TASK_RESTARTING},
    };
    strbuf_reset(&a->labels);
    metrics_label(&a->labels, "connector", slice_cstr(c->name));
    gauge(a, PREFIX "worker_connector_total_task_count", "Tasks.", (double)c->task_count);
    gauge(a, PREFIX "worker_connector_destroyed_task_count", "Tasks that were destroyed.", 0);
    for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
        size_t n = 0;
        for (size_t i = 0; i < c->task_count; i++)
            n += c->tasks[i].state == counts[k].state;
        gauge(a, counts[k].name, counts[k].help, (double)n);
    }
    size_t n = a->labels.n;
    metrics_label(&a->labels, "connector_class",
                  c->ops ? slice_cstr(c->ops->class_name)
                         : strmap_get_c(&c->config, "connector.class"));
    metrics_label(&a->labels, "connector_type",
                  slice_cstr(!c->ops                          ? "unknown"
                             : c->ops->kind == CONNECTOR_SINK ? "sink"
                                                              : "source"));
    metrics_label(&a->labels, "connector_version", slice_cstr(c->ops ? c->ops->version : ""));
    gauge(a, PREFIX "connector_metrics", "What a connector is, as labels.", 1);
    cut(&a->labels, n);
    for (size_t i = 0; i < c->task_count; i++)
        one_task(a, c, i);
}

static void starts(struct about *a, const struct herder *h)
{
#define STARTS(kind, i)                                                                            \
    total(a, PREFIX "worker_" kind "_startup_attempts_total", "Starts of a " kind ".",             \
          (double)h->started[i]);                                                                  \
    total(a, PREFIX "worker_" kind "_startup_success_total", "Starts that succeeded.",             \
          (double)(h->started[i] - h->failed[i]));                                                 \
    total(a, PREFIX "worker_" kind "_startup_failure_total", "Starts that failed.",                \
          (double)h->failed[i]);                                                                   \
    gauge(a, PREFIX "worker_" kind "_startup_success_percentage", "Share that succeeded.",         \
          ratio(h->started[i] - h->failed[i], h->started[i]));                                     \
    gauge(a, PREFIX "worker_" kind "_startup_failure_percentage", "Share that failed.",            \
          ratio(h->failed[i], h->started[i]))
    STARTS("connector", 0);
    STARTS("task", 1);
#undef STARTS
}

static void worker(struct about *a, const struct herder *h)
{
    size_t connectors = 0, tasks = 0;
    for (const struct hconn *c = h->first; c; c = c->next) {
        connectors++;
        tasks += c->task_count;
    }
    strbuf_reset(&a->labels);
    gauge(a, PREFIX "worker_connector_count", "Connectors of this worker.", (double)connectors);
    gauge(a, PREFIX "worker_task_count", "Tasks of this worker.", (double)tasks);
    starts(a, h);
#define R PREFIX "worker_rebalance_"
    struct strbuf leader = STRBUF_INIT;
    strbuf_addf(&leader, "http://%s/", h->worker_id);
    text(a, R "connect_protocol", "Always sessioned: there is one worker.", "connect_protocol",
         SL("sessioned"));
    text(a, R "leader_name", "This worker.", "leader_name", strbuf_slice(&leader));
    gauge(a, R "epoch", "Always 1.", 1);
    total(a, R "completed_rebalances_total", "Always 1.", 1);
    gauge(a, R "rebalancing", "Never.", 0);
    gauge(a, R "rebalance_max_time_ms", "Always 0.", 0);
    gauge(a, R "rebalance_avg_time_ms", "Always 0.", 0);
    gauge(a, R "time_since_last_rebalance_ms", "Time since the start.",
          (double)(clock_mono_ms() - h->began_ms));
    strbuf_release(&leader);
#undef R
}

void herder_collect(struct strbuf *out, void *arg)
{
    struct herder *h = arg;
    struct metrics_table table;
    struct about a = {&table, STRBUF_INIT};
    metrics_table_init(&table);
    pthread_mutex_lock(&h->lock);
    worker(&a, h);
    for (const struct hconn *c = h->first; c; c = c->next)
        one_connector(&a, c);
    pthread_mutex_unlock(&h->lock);
    metrics_table_print(&table, out);
    metrics_table_release(&table);
    strbuf_release(&a.labels);
}
