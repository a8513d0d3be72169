/* tests/unit/connect/test_sink.c - sink tasks with a connector that asks for everything that a sink
 * may ask for: batches again, reports of single records, offsets of its own; and with one that
 * hangs. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "connect/kclient.h"
#include "connect/sink_fixture.h"
#include "connect/worker_fixture.h"

static struct worker w;

static int setup(void)
{
    return worker_open(&w, NULL) ? 0 : 1;
}

static int teardown(void)
{
    worker_close(&w);
    return 0;
}

static void send(const char *topic, const char *const *values)
{
    struct kclient *k = kclient_embedded(w.broker);
    struct kproducer *p;
    struct error e = {0};
    enum err err = kclient_create(k, slice_cstr(topic), 1, 1, NULL, &e);
    CHECK(err == E_OK || err == E_EXISTS);
    CHECK_OK(kproducer_open(&p, k, "test", NULL, &e));
    for (; *values; values++)
        CHECK_OK(kproducer_add(
            p, slice_cstr(topic), -1, clock_wall_ms(), (struct ktext){.body = SL("k")},
            (struct ktext){.body = slice_cstr(*values)}, (struct kheads){0}, &e));
    CHECK_OK(kproducer_flush(p, &e));
    kproducer_close(p);
    kclient_free(k);
}
#define SEND(topic, ...) send(topic, (const char *const[]){__VA_ARGS__, NULL})

static void create(const char *name, const char *more)
{
    char body[1500];
    mem_free(picky_taken());
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"config\":{\"connector.class\":\"PickySink\",\"topics\":\"%s\","
             "\"key.converter\":\"StringConverter\",\"value.converter\":\"StringConverter\"%s}}",
             name, name, more);
    ASK(&w, "POST", "/connectors", body, 201, NULL);
}

static void call(const char *method, const char *name, const char *what, const char *body,
                 int status)
{
    char path[100];
    snprintf(path, sizeof path, "/connectors/%s%s", name, what);
    ASK(&w, method, path, body, status, NULL);
}

/* Nothing was taken but what the test asked for. To be called when no task runs. */
static void expect_nothing_more(void)
{
    char *more = picky_taken();
    CHECK_STR(more, "");
    mem_free(more);
}

/* Another configuration: nothing that is sent after this is seen by the tasks before. */
static void patch(const char *name, const char *body)
{
    char path[100];
    call("PUT", name, "/stop", NULL, 204);
    snprintf(path, sizeof path, "/connectors/%s/status", name);
    CHECK(ask_until(&w, path, "\"tasks\":[]"));
    expect_nothing_more();
    call("PATCH", name, "/config", body, 200);
    call("PUT", name, "/resume", NULL, 202);
}

static void drop(const char *name)
{
    call("DELETE", name, "", NULL, 204);
    expect_nothing_more();
}

/* Waits until these were taken, over several looks; more than these is seen by patch and drop. */
static void expect_taken(const char *want)
{
    struct strbuf all = STRBUF_INIT;
    for (int i = 0; i < 2000 && all.n < strlen(want); i++) {
        char *part = picky_taken();
        strbuf_addf(&all, "%s%s", all.n && *part ? "," : "", part);
        mem_free(part);
        usleep(5000);
    }
    CHECK_STR(all.n ? all.p : "", want);
    strbuf_release(&all);
}

static void expect_status(const char *name, const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "/connectors/%s/status", name);
    CHECK(ask_until(&w, path, text));
}

static void expect_offset(const char *name, int offset)
{
    char path[100], text[40];
    snprintf(path, sizeof path, "/connectors/%s/offsets", name);
    snprintf(text, sizeof text, "\"kafka_offset\":%d}", offset);
    CHECK(ask_until(&w, path, text));
}

/* The value of this metric of a sink's first task; -1: none. */
static double metric(const char *name, const char *connector)
{
    struct strbuf all = STRBUF_INIT;
    char series[200];
    snprintf(series, sizeof series, "\nkafka_connect_sink_task_%s{connector=\"%s\",task=\"0\"} ",
             name, connector);
    metrics_dump(&all);
    const char *at = strstr(all.p, series);
    double v = at ? strtod(at + strlen(series), NULL) : -1;
    strbuf_release(&all);
    return v;
}

static bool metric_becomes(const char *name, const char *connector, double want)
{
    for (int i = 0; i < 1000; i++) {
        if (metric(name, connector) == want)
            return true;
        usleep(5000);
    }
    CHECK_INT(metric(name, connector), want);
    return false;
}

static void test_again(void)
{
    SEND("again", "a", "b", "c");
    create("again", ",\"again\":3");
    expect_taken("a,b,c"); /* the sink looks whether the same batch comes */
    expect_offset("again", 3);
    expect_status("again", "\"id\":0,\"state\":\"RUNNING\"");
    /* One that never takes it can be ended all the same. */
    patch("again", "{\"again\":1000000}");
    SEND("again", "d");
    int puts = atomic_load(&picky_puts);
    for (int i = 0; i < 2000 && atomic_load(&picky_puts) < puts + 3; i++)
        usleep(5000);
    CHECK(atomic_load(&picky_puts) >= puts + 3);
    call("PUT", "again", "/pause", NULL, 202);
    expect_status("again", "\"id\":0,\"state\":\"PAUSED\"");
    call("PUT", "again", "/resume", NULL, 202);
    patch("again", "{\"again\":0}");
    expect_taken("d");
    drop("again");
}

static void test_failed_put(void)
{
    SEND("fatal", "a", "b", "c");
    create("fatal", ",\"consumer.override.max.poll.records\":1,\"bad\":\"b\"");
    expect_status("fatal", "\"trace\":\"org.apache.kafka.connect.errors.ConnectException: Exiting "
                           "WorkerSinkTask due to unrecoverable exception.\\nCaused by: "
                           "java.sql.SQLException: b is not wanted\\n\"");
    expect_status("fatal", "\"connector\":{\"state\":\"RUNNING\"");
    expect_taken("a");
    expect_offset("fatal", 1); /* what was taken is committed, also by a task that fails */
    patch("fatal", "{\"bad\":\"other\"}");
    expect_taken("b,c");
    expect_offset("fatal", 3);
    drop("fatal");
}

static char *first_header(const char *topic, const char *name);

static void test_reports(void)
{
    SEND("report", "a", "b", "c");
    create("report", ",\"bad\":\"b\",\"errors.tolerance\":\"all\","
                     "\"errors.deadletterqueue.topic.name\":\"report.dead\","
                     "\"errors.deadletterqueue.context.headers.enable\":true");
    expect_taken("a,c");
    expect_offset("report", 3);
    static const char *const heads[][2] = {
        {"__connect.errors.stage", "TASK_PUT"},
        {"__connect.errors.class.name", "org.apache.kafka.connect.sink.SinkTask"},
        {"__connect.errors.exception.class.name", "java.sql.SQLException"},
        {"__connect.errors.exception.message", "b is not wanted"},
        {"__connect.errors.offset", "1"},
    };
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        char *got = first_header("report.dead", heads[i][0]);
        CHECK_STR(got, heads[i][1]);
        mem_free(got);
    }
    /* Nothing is tolerated: it is reported, and the task fails. */
    patch("report", "{\"bad\":\"d\",\"errors.tolerance\":\"none\"}");
    SEND("report", "d");
    expect_status("report",
                  "Caused by: org.apache.kafka.connect.errors.ConnectException: Tolerance "
                  "exceeded in error handler\\nCaused by: java.sql.SQLException: d is not "
                  "wanted\\n");
    CHECK_INT(topic_count(&w, "report.dead", 2), 2);
    expect_offset("report", 3);
    /* The log alone is a place to report to as well. */
    patch("report", "{\"errors.tolerance\":\"all\",\"errors.log.enable\":true,"
                    "\"errors.deadletterqueue.topic.name\":\"\"}");
    expect_offset("report", 4);
    CHECK_INT(topic_count(&w, "report.dead", 2), 2);
    drop("report");
}

/* What was reported is not in the batch that comes again: one letter each. */
static void test_reports_before_again(void)
{
    SEND("twice", "bad", "a", "bad", "b");
    create("twice", ",\"bad\":\"bad\",\"again.after\":3,\"errors.tolerance\":\"all\","
                    "\"errors.deadletterqueue.topic.name\":\"twice.dead\"");
    expect_taken("a,b");
    expect_offset("twice", 4);
    char *dead = topic_numbers(&w, "twice.dead");
    CHECK_STR(dead, "-1,-1");
    mem_free(dead);
    /* All of them were. */
    patch("twice", "{\"again.after\":1000000}");
    SEND("twice", "bad", "bad");
    expect_offset("twice", 6);
    drop("twice");
    dead = topic_numbers(&w, "twice.dead");
    CHECK_STR(dead, "-1,-1,-1,-1");
    mem_free(dead);
}

static bool take_header(const struct krecord *r, void *arg)
{
    char **x = arg;
    for (size_t i = 0; i < r->heads_count; i++) {
        if (slice_eq(r->heads[i].name, slice_cstr(*x))) {
            *x = slice_dup(r->heads[i].value);
            return false;
        }
    }
    return false;
}

static char *first_header(const char *topic, const char *name)
{
    struct kclient *k = kclient_embedded(w.broker);
    struct error e = {0};
    char *found = (char *)(uintptr_t)name;
    CHECK_OK(kclient_read(k, slice_cstr(topic), 0, -2, take_header, &found, &e));
    kclient_free(k);
    return found == name ? xstrdup("no such header") : found;
}

/* The log goes to a file until log_end, which gives its text; caller frees. */
static int log_before;
static void log_begin(void)
{
    char path[400];
    snprintf(path, sizeof path, "%s/log", w.dir);
    fflush(NULL);
    int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    log_before = dup(STDERR_FILENO);
    dup2(to, STDERR_FILENO);
    close(to);
}

static char *log_end(void)
{
    char path[400];
    snprintf(path, sizeof path, "%s/log", w.dir);
    dup2(log_before, STDERR_FILENO);
    close(log_before);
    return test_read_file(path, NULL);
}

/* A secret that a record makes a transform tell of: neither log nor trace nor letter shows it, also
 * when the file says something else by then. */
static void test_secrets(void)
{
    char path[400], body[1300], name[100];
    snprintf(path, sizeof path, "%s/secret.properties", w.dir);
    FILE *f = fopen(path, "w");
    CHECK(f && fputs("bad=s3cret-word\n", f) >= 0 && fclose(f) == 0);
    log_begin();
    SEND("secret", "a", "s3cret-word", "c");
    snprintf(body, sizeof body,
             ",\"transforms\":\"f\",\"transforms.f.type\":\"test.Flaky\",\"transforms.f.bad\":"
             "\"${file:%s:bad}\",\"errors.tolerance\":\"all\",\"errors.log.enable\":true,"
             "\"errors.deadletterqueue.topic.name\":\"secret.dead\","
             "\"errors.deadletterqueue.context.headers.enable\":true",
             path);
    create("secret", body);
    expect_taken("a,c");
    static const char *const heads[] = {"message", "stacktrace"};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        snprintf(name, sizeof name, "__connect.errors.exception.%s", heads[i]);
        char *got = first_header("secret.dead", name);
        CHECK(strstr(got, "s3cret-word") == NULL && strstr(got, ":bad} cannot be changed") != NULL);
        mem_free(got);
    }
    patch("secret", "{\"errors.tolerance\":\"none\"}");
    SEND("secret", "d");
    expect_taken("d");
    CHECK_INT(unlink(path), 0); /* a task that runs knows what the references stood for */
    SEND("secret", "s3cret-word");
    expect_status("secret", ":bad} cannot be changed\\n");
    struct answer a = ask(&w, "GET", "/connectors/secret/status", NULL);
    CHECK(strstr(a.body, "s3cret-word") == NULL);
    answer_release(&a);
    drop("secret");
    char *lines = log_end();
    CHECK(lines && strstr(lines, "Error encountered in task secret-0") != NULL);
    CHECK(lines && strstr(lines, "the task failed and stays so") != NULL);
    CHECK(lines && strstr(lines, "s3cret-word") == NULL);
    free(lines);
}

/* What a Java consumer would do and a member inside weir does not: taken, and said in one line. */
static void test_options_without_effect(void)
{
    log_begin();
    SEND("odd", "a");
    create("odd", ",\"consumer.override.group.instance.id\":\"one\","
                  "\"consumer.override.partition.assignment.strategy\":\"org.apache.kafka.clients."
                  "consumer.CooperativeStickyAssignor\","
                  "\"consumer.override.group.protocol\":\"classic\",\"tasks.max\":2");
    expect_taken("a");
    expect_offset("odd", 1);
    drop("odd");
    SEND("plain", "a");
    create("plain",
           ",\"consumer.override.partition.assignment.strategy\":\"org.apache.kafka.clients."
           "consumer.RangeAssignor\",\"consumer.override.fetch.max.bytes\":1000");
    expect_taken("a");
    drop("plain");
    char *lines = log_end(), *first = strstr(lines, "that change nothing");
    CHECK(first && !strstr(first + 1, "that change nothing"));
    CHECK(first && strstr(first, ": partition.assignment.strategy (members inside weir assign by "
                                 "range, in the classic protocol), group.instance.id (a member"));
    free(lines);
}

static void test_failed_flush(void)
{
    SEND("flush", "a", "b");
    create("flush", ",\"flush.fails\":1");
    expect_taken("a,b,a,b"); /* nothing was committed, so reading began anew */
    expect_offset("flush", 2);
    expect_status("flush", "\"id\":0,\"state\":\"RUNNING\"");
    drop("flush");
}

static void test_offsets_of_the_sink(void)
{
    SEND("own", "a", "b", "c", "d");
    create("own", ",\"commit\":1");
    expect_taken("a,b,c,d");
    expect_offset("own", 1);
    CHECK(metric_becomes("offset_commit_completion_total", "own", 1));
    usleep(1200000); /* a commit is due every second: there is nothing new to commit */
    CHECK_INT(metric("offset_commit_completion_total", "own"), 1);
    CHECK_INT(metric("sink_record_active_count", "own"), 3);
    patch("own", "{\"commit\":7}"); /* more than there is: not taken */
    expect_taken("b,c,d");
    usleep(100000);
    expect_offset("own", 1);
    patch("own", "{\"commit\":-1}"); /* begins at what was committed, commits nothing more */
    expect_taken("b,c,d");
    patch("own", "{\"from\":2,\"commit\":null}"); /* an offset that the sink keeps itself */
    expect_taken("c,d");
    expect_offset("own", 4);
    drop("own");
}

/* Of what a transform drops, nothing is waited for; of what is committed neither. */
static void test_records_on_their_way(void)
{
    SEND("way", "a", "b");
    create("way", ",\"transforms\":\"f\",\"transforms.f.type\":\"Filter\",\"commit\":-1");
    CHECK(metric_becomes("sink_record_active_count", "way", 2));
    patch("way", "{\"commit\":null}");
    CHECK(metric_becomes("sink_record_read_total", "way", 2));
    CHECK(metric_becomes("sink_record_active_count", "way", 0));
    SEND("way", "c");
    CHECK(metric_becomes("sink_record_read_total", "way", 3));
    CHECK(metric_becomes("sink_record_active_count", "way", 0));
    drop("way");
}

/* A task that was given up holds up nobody: its successor has the partitions at once, although the
 * group would wait for minutes. */
static void test_one_that_hangs(void)
{
    worker_connect_stop(&w);
    w.graceful_ms = "50";
    CHECK(worker_connect_start(&w));
    SEND("hang", "a");
    create("hang", ",\"hang\":true");
    for (int i = 0; i < 2000 && atomic_load(&picky_hanging) == 0; i++)
        usleep(5000);
    patch("hang", "{\"hang\":null}");
    expect_taken("a");
    CHECK_INT(atomic_load(&picky_hanging), 1);
    expect_offset("hang", 1);
    atomic_store(&picky_let_go, true);
    expect_taken("a"); /* what the first one did in the end counts as little as its commit */
    SEND("hang", "b");
    expect_taken("b");
    drop("hang");
}

/* The same when it hangs in its last flush. */
static void test_one_that_hangs_at_the_end(void)
{
    worker_connect_stop(&w);
    w.graceful_ms = "700"; /* it must see the end coming */
    CHECK(worker_connect_start(&w));
    atomic_store(&picky_let_go, false);
    SEND("hang-end", "a");
    create("hang-end", ",\"hang.end\":true,\"commit\":-1");
    expect_taken("a");
    patch("hang-end", "{\"hang.end\":null,\"commit\":null}");
    CHECK_INT(atomic_load(&picky_hanging), 1);
    expect_taken("a");
    CHECK_INT(atomic_load(&picky_hanging), 1);
    expect_offset("hang-end", 1);
    atomic_store(&picky_let_go, true);
    SEND("hang-end", "b");
    expect_taken("b");
    drop("hang-end");
}

static void test_retries(void)
{
    SEND("retry", "a", "b");
    create("retry", ",\"transforms\":\"f\",\"transforms.f.type\":\"test.Flaky\","
                    "\"transforms.f.again\":4,\"errors.retry.timeout\":-1,"
                    "\"errors.retry.delay.max.ms\":5");
    expect_taken("a,b");
    drop("retry");
    SEND("noretry", "a");
    create("noretry", ",\"transforms\":\"f\",\"transforms.f.type\":\"test.Flaky\","
                      "\"transforms.f.again\":1");
    expect_status("noretry", "ConnectException: Tolerance exceeded in error handler\\nCaused by: "
                             "org.apache.kafka.connect.errors.RetriableException: not yet\\n");
    drop("noretry");
}

/* A task that is stopped while a record waits to be tried again has not done with it: it comes again,
 * although failures are tolerated, and no commit passes over it. */
static void test_stopped_in_a_retry(void)
{
    static const char waits[] =
        ",\"transforms\":\"f\",\"transforms.f.type\":\"test.Flaky\",\"transforms.f.again\":%d,"
        "\"errors.retry.timeout\":-1,\"errors.retry.delay.max.ms\":60000,"
        "\"errors.tolerance\":\"all\",\"errors.log.enable\":true%s";
    char more[600], body[900];
    SEND("waits", "a", "b", "c");
    snprintf(more, sizeof more, waits, 1000,
             ",\"errors.deadletterqueue.topic.name\":\"waits.dead\"");
    create("waits", more);
    expect_status("waits", "\"id\":0,\"state\":\"RUNNING\"");
    usleep(100000); /* within the first wait of 300 ms, or a later one */
    patch("waits", "{\"transforms.f.again\":0}");
    expect_taken("a,b,c");
    expect_offset("waits", 3);
    char *dead = topic_numbers(&w, "waits.dead");
    CHECK_STR(dead, "");
    mem_free(dead);
    drop("waits");
    /* The same of a source. */
    snprintf(more, sizeof more, waits, 1000, "");
    snprintf(body, sizeof body,
             "{\"name\":\"wsrc\",\"config\":{\"connector.class\":\"Counter\",\"topic\":\"wsrc\","
             "\"limit\":3%s}}",
             more);
    ASK(&w, "POST", "/connectors", body, 201, NULL);
    expect_status("wsrc", "\"id\":0,\"state\":\"RUNNING\"");
    usleep(100000);
    patch("wsrc", "{\"transforms.f.again\":0}");
    CHECK_INT(topic_count(&w, "wsrc", 3), 3);
    drop("wsrc");
}

/* A source sends what comes before the record that it fails at, once, however often it is tried. */
static void test_source_that_fails_in_the_middle(void)
{
    ASK(&w, "POST", "/connectors",
        "{\"name\":\"src\",\"config\":{\"connector.class\":\"Counter\",\"topic\":\"src\","
        "\"transforms\":\"f\",\"transforms.f.type\":\"test.Flaky\",\"transforms.f.bad\":\"7\"}}",
        201, NULL);
    expect_status("src", "ConnectException: Tolerance exceeded in error handler\\nCaused by: "
                         "org.apache.kafka.connect.errors.DataException: 7 cannot be changed\\n");
    char *got = topic_numbers(&w, "src");
    CHECK_STR(got, "0,1,2,3,4,5,6");
    mem_free(got);
    for (int i = 0; i < 3; i++) {
        call("POST", "src", "/tasks/0/restart", NULL, 204);
        expect_status("src", "\"state\":\"FAILED\"");
    }
    got = topic_numbers(&w, "src");
    CHECK_STR(got, "0,1,2,3,4,5,6");
    mem_free(got);
    /* With another configuration other records may come: of that batch some come twice. */
    patch("src", "{\"errors.tolerance\":\"all\"}");
    (void)topic_count(&w, "src", 11);
    got = topic_numbers(&w, "src");
    CHECK_STR(got, "0,1,2,3,4,5,5,6,6,8,9");
    mem_free(got);
    drop("src");
}

static const struct test_case tests[] = {
    {"the same batch again", test_again},
    {"a put that fails", test_failed_put},
    {"reports of single records", test_reports},
    {"secrets", test_secrets},
    {"reports before the batch comes again", test_reports_before_again},
    {"options without effect", test_options_without_effect},
    {"a flush that fails", test_failed_flush},
    {"offsets of the sink", test_offsets_of_the_sink},
    {"retries in a stage", test_retries},
    {"stopped in a retry", test_stopped_in_a_retry},
    {"a source that fails in the middle", test_source_that_fails_in_the_middle},
    {"records on their way", test_records_on_their_way},
    {"one that hangs", test_one_that_hangs},
    {"one that hangs at the end", test_one_that_hangs_at_the_end},
    {NULL, NULL},
};
const struct test_suite test_sink = {"connect/sink", tests, setup, teardown};
