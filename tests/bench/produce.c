/* tests/bench/produce.c - produce throughput of one librdkafka producer: to weir and to librdkafka's own
 * mock cluster (in this process), interleaved in one run.
 *
 *   bench-produce BOOTSTRAP PID [MESSAGES [ROUNDS]]
 *
 * Prints MB/s of each round, then the ratio weir / mock (median, min, max) and weir's CPU seconds a GB. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_of(int pid)
{
    char path[40], text[1000];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
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

static rd_kafka_conf_t *conf(const char *key, const char *value)
{
    char why[200];
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    const char *const set[][2] = {{"acks", "1"},
                                  {"linger.ms", "5"},
                                  {"queue.buffering.max.messages", "1000000"},
                                  {key, value}};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        if (rd_kafka_conf_set(c, set[i][0], set[i][1], why, sizeof why) != RD_KAFKA_CONF_OK) {
            fprintf(stderr, "%s: %s\n", set[i][0], why);
            exit(2);
        }
    return c;
}

static long failed;
static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    (void)rk, (void)arg;
    failed += m->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* MB/s of `count` messages of `size` bytes. */
static double run(const char *key, const char *value, const char *topic, long count, size_t size)
{
    char why[200], payload[4096];
    memset(payload, 'x', sizeof payload);
    rd_kafka_conf_t *c = conf(key, value);
    rd_kafka_conf_set_dr_msg_cb(c, delivered);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, c, why, sizeof why);
    if (!rk) {
        fprintf(stderr, "%s\n", why);
        exit(2);
    }
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_produce(t, 0, RD_KAFKA_MSG_F_COPY, payload, size, NULL, 0,
                     NULL); /* connects, creates */
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
    return (double)count * (double)size / 1e6 / seconds;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench-produce BOOTSTRAP PID [MESSAGES [ROUNDS]]\n");
        return 2;
    }
    long count = argc > 3 ? atol(argv[3]) : 2000000;
    int rounds = argc > 4 ? atoi(argv[4]) : 5, pid = atoi(argv[2]);
    const size_t sizes[] = {100, 1024};
    for (size_t s = 0; s < 2; s++) {
        double ratio[64], cpu = 0, bytes = 0;
        long n = s == 0 ? count : count / 5;
        for (int r = 0; r < rounds && r < 64; r++) {
            /* a fresh mock cluster each round: it keeps all it gets in memory */
            double mock = run("test.mock.num.brokers", "1", "bench", n, sizes[s]);
            double before = cpu_of(pid);
            double weir =
                run("bootstrap.servers", argv[1], s == 0 ? "bench100" : "bench1024", n, sizes[s]);
            cpu += cpu_of(pid) - before;
            bytes += (double)n * (double)sizes[s];
            ratio[r] = weir / mock;
            printf(
                "produce %4zu B acks=1  round %d: weir %6.1f MB/s, mock %6.1f MB/s, ratio %.2f\n",
                sizes[s], r + 1, weir, mock, ratio[r]);
            fflush(stdout);
        }
        qsort(ratio, (size_t)rounds, sizeof *ratio, by_value);
        printf("RESULT produce-%zu-acks1 weir/mock median %.2f (min %.2f, max %.2f); weir CPU %.2f "
               "s/GB; failed %ld\n",
               sizes[s], ratio[rounds / 2], ratio[0], ratio[rounds - 1], cpu / (bytes / 1e9),
               failed);
    }
    return failed != 0;
}
