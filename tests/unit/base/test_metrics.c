/* tests/unit/base/test_metrics.c - series, labels, histograms, collectors, process_*; and the
 * datagram of base/sdnotify, which has no suite of its own. */
#include "helpers.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/metrics.h"
#include "base/sdnotify.h"

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void series(void)
{
    struct strbuf labels = STRBUF_INIT, out = STRBUF_INIT;
    metrics_label(&labels, "topic", SL("a\"b\\c\nd"));
    metrics_label(&labels, "partition", SL("0"));
    CHECK_STR(labels.p, "topic=\"a\\\"b\\\\c\\nd\",partition=\"0\"");
    struct metric *m = metrics_counter("test_series_total", "Help \\ text.", labels.p);
    CHECK(m == metrics_counter("test_series_total", "Help", labels.p));
    metric_add(m, 5);
    metric_add(metrics_counter("test_series_total", "Help", ""), 1);
    metric_set(metrics_gauge("test_gauge", "A gauge.", ""), -7);
    metrics_dump(&out);
    CHECK_INT(count(out.p,
                    "# HELP test_series_total Help \\\\ text.\n# TYPE test_series_total counter\n"
                    "test_series_total{topic=\"a\\\"b\\\\c\\nd\",partition=\"0\"} 5\n"
                    "test_series_total 1\n"),
              1);
    CHECK_INT(count(out.p, "# TYPE test_gauge gauge\ntest_gauge -7\n"), 1);
    metrics_remove("test_series_total", labels.p);
    metrics_remove("test_series_total", "never=\"there\"");
    metrics_remove("no_such", "");
    strbuf_reset(&out);
    metrics_dump(&out);
    CHECK_INT(count(out.p, "test_series_total"), 3); /* HELP, TYPE, one series */
    metrics_remove("test_series_total", "");
    strbuf_reset(&out);
    metrics_dump(&out);
    CHECK_INT(count(out.p, "test_series_total"), 0);
    strbuf_release(&out);
    strbuf_release(&labels);
}

static void histogram(void)
{
    struct strbuf out = STRBUF_INIT;
    struct histogram *h = metrics_histogram("test_seconds", "Time.", "api=\"Fetch\"");
    const int64_t us[] = {-5, 0, 16, 17, 32, 33, 1000000, 1 << 24, (1 << 24) + 1, INT64_C(1) << 40};
    for (size_t i = 0; i < ARRAY_LEN(us); i++)
        histogram_observe_us(h, us[i]);
    metrics_dump(&out);
    CHECK(strstr(out.p, "# TYPE test_seconds histogram\n"
                        "test_seconds_bucket{api=\"Fetch\",le=\"1.6e-05\"} 3\n"
                        "test_seconds_bucket{api=\"Fetch\",le=\"3.2e-05\"} 5\n"
                        "test_seconds_bucket{api=\"Fetch\",le=\"6.4e-05\"} 6\n") != NULL);
    CHECK(strstr(out.p, "le=\"0.524288\"} 6\n") && strstr(out.p, "le=\"1.048576\"} 7\n"));
    CHECK(
        strstr(out.p, "le=\"16.777216\"} 8\ntest_seconds_bucket{api=\"Fetch\",le=\"+Inf\"} 10\n") !=
        NULL);
    CHECK(strstr(out.p, "test_seconds_count{api=\"Fetch\"} 10\n") != NULL);
    strbuf_release(&out);
}

static void collect(struct strbuf *out, void *arg)
{
    strbuf_addf(out, "# TYPE test_lag gauge\ntest_lag %d\n", ++*(int *)arg);
    metric_set(metrics_gauge("test_fresh", "Set by a collector.", ""), *(int *)arg);
}

static void collectors(void)
{
    struct strbuf out = STRBUF_INIT;
    int n = 0;
    metrics_collector(collect, &n);
    metrics_dump(&out);
    CHECK(strstr(out.p, "\ntest_lag 1\n") && strstr(out.p, "\ntest_fresh 1\n"));
    metrics_collector_remove(collect, &n);
    metrics_collector_remove(collect, &n);
    strbuf_reset(&out);
    metrics_dump(&out);
    CHECK(strstr(out.p, "test_lag") == NULL);
    CHECK_INT(n, 1);
    strbuf_release(&out);
}

static double value_of(const char *text, const char *name)
{
    char line[100];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *p = strstr(text, line);
    return p ? strtod(p + strlen(line), NULL) : -1;
}

static void process(void)
{
    struct strbuf out = STRBUF_INIT;
    metrics_dump(&out);
    double started = value_of(out.p, "process_start_time_seconds");
    CHECK(started > (double)time(NULL) - 7200 && started < (double)time(NULL) + 2);
    CHECK(value_of(out.p, "process_resident_memory_bytes") > 100000);
    CHECK(value_of(out.p, "process_cpu_seconds_total") >= 0);
    double fds = value_of(out.p, "process_open_fds");
    CHECK(fds >= 3);
    int fd = dup(0);
    strbuf_reset(&out);
    metrics_dump(&out);
    CHECK(value_of(out.p, "process_open_fds") == fds + 1); /* NOLINT: whole numbers */
    close(fd);
    CHECK_INT(out.p[out.n - 1], '\n');
    strbuf_release(&out);
}

static void openmetrics(void)
{
    struct strbuf out = STRBUF_INIT;
    metrics_openmetrics(SL("# HELP a_total All of it.\n# TYPE a_total counter\na_total{x=\"1\"} 2\n"
                           "# HELP b Of b.\n# TYPE b gauge\nb 1\n"
                           "# HELP c Odd.\n# TYPE c counter\nc 3\n"),
                        &out);
    CHECK_STR(out.p, "# HELP a All of it.\n# TYPE a counter\na_total{x=\"1\"} 2\n"
                     "# HELP b Of b.\n# TYPE b gauge\nb 1\n"
                     "# HELP c Odd.\n# TYPE c unknown\nc 3\n# EOF\n");
    strbuf_release(&out);
}

/* Figures of the machine: those that every Linux has, each family once. */
static void host(void)
{
    struct strbuf out = STRBUF_INIT;
    metrics_dump(&out);
    static const char *const names[] = {"node_memory_MemTotal_bytes", "node_boot_time_seconds",
                                        "node_load1", "process_threads", "jvm_threads_current"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        CHECK(value_of(out.p, names[i]) >= 0);
    CHECK(value_of(out.p, "node_memory_MemTotal_bytes") > 1e6);
    CHECK(strstr(out.p, "\nnode_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} ") != NULL);
    CHECK(strstr(out.p, "\nnode_filesystem_avail_bytes{") != NULL);
    const char *first = strstr(out.p, "# TYPE node_cpu_seconds_total ");
    CHECK(first && !strstr(first + 1, "# TYPE node_cpu_seconds_total "));
    strbuf_release(&out);
}

static void notify(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char got[100];
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%.80s/s", test_dir());
    CHECK_INT(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    unsetenv("NOTIFY_SOCKET");
    sdnotify("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    sdnotify("READY=1");
    setenv("NOTIFY_SOCKET", a.sun_path, 1);
    sdnotify("STATUS=here");
    ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);
    CHECK_SLICE(slice_of(got, n > 0 ? (size_t)n : 0), SL("STATUS=here"));
    unsetenv("NOTIFY_SOCKET");
    close(fd);
}

static const struct test_case tests[] = {
    {"series", series},           {"histogram", histogram},
    {"collectors", collectors},   {"process", process},
    {"openmetrics", openmetrics}, {"host", host},
    {"notify", notify},           {NULL, NULL},
};
const struct test_suite test_metrics = {"base/metrics", tests};
