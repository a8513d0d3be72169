/* tests/bench/bench.h - what the benchmark programs share: clocks, CPU seconds of a server, the
 * servers to compare (NAME=BOOTSTRAP,PID arguments), medians with their spread. Header only: each
 * program is one file. */
#ifndef WEIR_BENCH_H
#define WEIR_BENCH_H

#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 64
#define TARGETS_MAX 4

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* CPU seconds of a process since its start; 0 without one. */
static inline double cpu_of(int pid)
{
    char path[40], text[1000];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = pid > 0 ? fopen(path, "r") : NULL;
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    unsigned long user = 0, sys = 0;
    const char *at = strrchr(text, ')');
    if (at)
        sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys);
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

struct series {
    double v[ROUNDS_MAX];
    int n;
};
static inline void series_add(struct series *s, double v)
{
    if (s->n < ROUNDS_MAX)
        s->v[s->n++] = v;
}
static inline int series_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
/* "0.96 (0.71 - 1.32)": median and spread; "-" for none. */
static inline const char *series_text(const struct series *s, char out[80])
{
    double v[ROUNDS_MAX];
    if (s->n == 0)
        return "-";
    memcpy(v, s->v, sizeof v);
    qsort(v, (size_t)s->n, sizeof *v, series_order);
    snprintf(out, 80, "%.3g (%.3g - %.3g)", v[s->n / 2], v[0], v[s->n - 1]);
    return out;
}
/* One figure of every round, divided by another's. */
static inline struct series series_ratio(const struct series *a, const struct series *b)
{
    struct series r = {.n = 0};
    for (int i = 0; i < a->n && i < b->n; i++)
        series_add(&r, b->v[i] > 0 ? a->v[i] / b->v[i] : 0);
    return r;
}
/* "RESULT what median 0.96 (0.71 - 1.32), 5 rounds, goal >= 0.9" */
__attribute__((format(printf, 3, 4))) static inline void
result(const struct series *s, const char *goal, const char *what, ...)
{
    char text[80];
    va_list ap;
    if (s->n == 0)
        return;
    printf("RESULT ");
    va_start(ap, what);
    vprintf(what, ap);
    va_end(ap);
    printf(" median %s, %d rounds%s%s\n", series_text(s, text), s->n, goal ? ", goal " : "",
           goal ? goal : "");
}

/* A server under test. The first argument is the one whose figures are compared with the others'. */
struct target {
    char name[20], bootstrap[80];
    int pid;
};
static inline int targets_parse(char **argv, int argc, struct target *t)
{
    int n = 0;
    for (int i = 0; i < argc && n < TARGETS_MAX; i++) {
        if (sscanf(argv[i], "%19[^=]=%79[^,],%d", t[n].name, t[n].bootstrap, &t[n].pid) != 3) {
            fprintf(stderr, "not NAME=BOOTSTRAP,PID: %s\n", argv[i]);
            exit(2);
        }
        n++;
    }
    return n;
}

static inline rd_kafka_conf_t *conf_of(const char *const set[][2])
{
    char why[200];
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    for (size_t i = 0; set[i][0]; i++) {
        if (rd_kafka_conf_set(c, set[i][0], set[i][1], why, sizeof why) != RD_KAFKA_CONF_OK) {
            fprintf(stderr, "%s: %s\n", set[i][0], why);
            exit(2);
        }
    }
    return c;
}
static inline rd_kafka_t *client_of(rd_kafka_type_t type, rd_kafka_conf_t *c)
{
    char why[200];
    rd_kafka_t *rk = rd_kafka_new(type, c, why, sizeof why);
    if (!rk) {
        fprintf(stderr, "%s\n", why);
        exit(2);
    }
    return rk;
}
/* A topic with one partition, so that a run is of one log. The name must be new. */
static inline void topic_create(const char *bootstrap, const char *name)
{
    char why[200];
    const char *const set[][2] = {{"bootstrap.servers", bootstrap}, {NULL, NULL}};
    rd_kafka_t *rk = client_of(RD_KAFKA_PRODUCER, conf_of(set));
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(name, 1, 1, why, sizeof why);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_operation_timeout(o, 30000, why, sizeof why);
    rd_kafka_CreateTopics(rk, &t, 1, o, q);
    rd_kafka_event_t *e = rd_kafka_queue_poll(q, 40000);
    if (!e || rd_kafka_event_error(e)) {
        fprintf(stderr, "%s: topic %s was not created\n", bootstrap, name);
        exit(2);
    }
    rd_kafka_event_destroy(e);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_NewTopic_destroy(t);
    rd_kafka_queue_destroy(q);
    rd_kafka_destroy(rk);
}

/* Produces `count` messages of `size` bytes to partition 0; seconds from the first to the last
 * acknowledgement. The topic's first message is not counted: it connects. */
static inline void bench_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    (void)rk;
    *(long *)arg += m->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}
static inline double produce(rd_kafka_conf_t *c, const char *topic, long count, size_t size,
                             long *failed)
{
    char payload[4096];
    memset(payload, 'x', sizeof payload);
    rd_kafka_conf_set_dr_msg_cb(c, bench_delivered);
    rd_kafka_conf_set_opaque(c, failed);
    rd_kafka_t *rk = client_of(RD_KAFKA_PRODUCER, c);
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_produce(t, 0, RD_KAFKA_MSG_F_COPY, payload, size, NULL, 0, NULL);
    rd_kafka_flush(rk, 30000);
    double start = now();
    for (long i = 0; i < count;) {
        if (rd_kafka_produce(t, 0, RD_KAFKA_MSG_F_COPY, payload, size, NULL, 0, NULL) == 0) {
            if (++i % 1000 == 0)
                rd_kafka_poll(rk, 0);
        } else {
            rd_kafka_poll(rk, 10);
        }
    }
    rd_kafka_flush(rk, 120000);
    double seconds = now() - start;
    rd_kafka_topic_destroy(t);
    rd_kafka_destroy(rk);
    return seconds;
}

#endif
