/* tests/bench/produce.c - produce throughput of one librdkafka producer, acks=1: to weir, to
 * librdkafka's own mock cluster (in this process), and to others, interleaved in one run.
 *
 *   bench-produce MESSAGES ROUNDS weir=BOOTSTRAP,PID [kafka=BOOTSTRAP,PID]
 *
 * MESSAGES of 100 bytes, a fifth as many of 1 KiB. Prints MB/s of each round, then ratios and the
 * servers' CPU seconds a GB. */
#include "bench.h"

static long failed;

static double rate_of(const char *key, const char *value, const char *topic, long n, size_t size)
{
    const char *const set[][2] = {{"acks", "1"},
                                  {"linger.ms", "5"},
                                  {"queue.buffering.max.messages", "1000000"},
                                  {key, value},
                                  {NULL, NULL}};
    return (double)n * (double)size / 1e6 / produce(conf_of(set), topic, n, size, &failed);
}

int main(int argc, char **argv)
{
    static const struct {
        size_t size;
        const char *name, *mock, *cpu, *kafka;
    } runs[] = {
        {100, "produce-100-acks1", ">= 0.9", "<= 0.6", NULL},
        {1024, "produce-1024-acks1", ">= 0.7", NULL, ">= 5"},
    };
    struct target t[TARGETS_MAX];
    if (argc < 4) {
        fprintf(stderr, "usage: bench-produce MESSAGES ROUNDS weir=BOOTSTRAP,PID [NAME=...]\n");
        return 2;
    }
    int rounds = atoi(argv[2]), targets = targets_parse(argv + 3, argc - 3, t);
    for (size_t s = 0; s < 2; s++) {
        struct series mock = {.n = 0}, rate[TARGETS_MAX] = {0}, cpu[TARGETS_MAX] = {0};
        long n = s == 0 ? atol(argv[1]) : atol(argv[1]) / 5;
        double gb = (double)n * (double)runs[s].size / 1e9;
        char topic[40];
        snprintf(topic, sizeof topic, "bench-produce-%zu", runs[s].size);
        for (int i = 0; i < targets; i++)
            topic_create(t[i].bootstrap, topic);
        for (int r = 0; r < rounds; r++) {
            /* a fresh mock cluster each round: it keeps all it gets in memory */
            series_add(&mock, rate_of("test.mock.num.brokers", "1", topic, n, runs[s].size));
            printf("%s round %d: mock %.1f MB/s", runs[s].name, r + 1, mock.v[r]);
            for (int i = 0; i < targets; i++) {
                double before = cpu_of(t[i].pid);
                series_add(&rate[i],
                           rate_of("bootstrap.servers", t[i].bootstrap, topic, n, runs[s].size));
                series_add(&cpu[i], (cpu_of(t[i].pid) - before) / gb);
                printf(", %s %.1f MB/s", t[i].name, rate[i].v[r]);
            }
            printf("\n");
            fflush(stdout);
        }
        struct series ratio = series_ratio(&rate[0], &mock);
        result(&ratio, runs[s].mock, "%s %s/mock", runs[s].name, t[0].name);
        for (int i = 0; i < targets; i++) {
            result(&cpu[i], i == 0 ? runs[s].cpu : NULL, "%s %s CPU s/GB", runs[s].name, t[i].name);
            ratio = series_ratio(&rate[0], &rate[i]);
            if (i)
                result(&ratio, runs[s].kafka, "%s %s/%s", runs[s].name, t[0].name, t[i].name);
        }
    }
    if (failed)
        printf("%ld messages failed\n", failed);
    return failed != 0;
}
