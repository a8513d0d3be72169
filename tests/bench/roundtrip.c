/* tests/bench/roundtrip.c - from produce to the consumer's hands at a steady rate: librdkafka on both
 * sides, acks=1, one partition, nothing batched on purpose.
 *
 *   bench-roundtrip SECONDS ROUNDS RATE weir=BOOTSTRAP,PID [kafka=BOOTSTRAP,PID]
 *
 * Prints p50, p99 and p99.9 of each round in milliseconds, then their medians, and ratios of p99. */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct run {
    const struct target *t;
    char topic[40];
    long want;
    double *ms;
    atomic_long seen;
    atomic_bool ready, stop;
};

static void *consumer(void *arg)
{
    struct run *r = arg;
    const char *const set[][2] = {{"bootstrap.servers", r->t->bootstrap},
                                  {"group.id", r->topic},
                                  {"enable.auto.commit", "false"},
                                  {"auto.offset.reset", "earliest"},
                                  {NULL, NULL}};
    rd_kafka_t *rk = client_of(RD_KAFKA_CONSUMER, conf_of(set));
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *parts = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(parts, r->topic, 0)->offset = 0;
    rd_kafka_assign(rk, parts);
    rd_kafka_topic_partition_list_destroy(parts);
    while (!r->stop) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);
        if (!m)
            continue;
        double sent;
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR && m->len >= sizeof sent) {
            memcpy(&sent, m->payload, sizeof sent);
            long i = atomic_load(&r->seen);
            if (!r->ready) {
                r->ready = true; /* the first record only shows that all is connected */
            } else if (i < r->want) {
                r->ms[i] = (now() - sent) * 1000;
                atomic_store(&r->seen, i + 1);
            }
        }
        rd_kafka_message_destroy(m);
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return NULL;
}

static void send_one(rd_kafka_t *rk, rd_kafka_topic_t *t)
{
    char payload[100] = {0};
    double at = now();
    memcpy(payload, &at, sizeof at);
    rd_kafka_produce(t, 0, RD_KAFKA_MSG_F_COPY, payload, sizeof payload, NULL, 0, NULL);
    rd_kafka_poll(rk, 0);
}

static void sleep_until(double at)
{
    double left = at - now();
    if (left > 0)
        usleep((useconds_t)(left * 1e6));
}

/* Sorted latencies in r->ms; false when not all came. */
static int measure(struct run *r, double rate)
{
    const char *const set[][2] = {{"bootstrap.servers", r->t->bootstrap},
                                  {"acks", "1"},
                                  {"linger.ms", "0"},
                                  {"socket.nagle.disable", "true"},
                                  {NULL, NULL}};
    pthread_t thread;
    topic_create(r->t->bootstrap, r->topic);
    pthread_create(&thread, NULL, consumer, r);
    rd_kafka_t *rk = client_of(RD_KAFKA_PRODUCER, conf_of(set));
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, r->topic, NULL);
    send_one(rk, t);
    for (double until = now() + 20; !r->ready && now() < until;)
        usleep(1000);
    usleep(200000);
    double start = now();
    for (long i = 0; i < r->want; i++) {
        sleep_until(start + (double)i / rate);
        send_one(rk, t);
    }
    rd_kafka_flush(rk, 10000);
    for (double until = now() + 10; r->seen < r->want && now() < until;)
        usleep(1000);
    r->stop = true;
    pthread_join(thread, NULL);
    rd_kafka_topic_destroy(t);
    rd_kafka_destroy(rk);
    qsort(r->ms, (size_t)r->seen, sizeof *r->ms, series_order);
    return r->seen == r->want;
}

int main(int argc, char **argv)
{
    static const double shares[] = {0.5, 0.99, 0.999};
    static const char *const names[] = {"p50", "p99", "p99.9"};
    struct target t[TARGETS_MAX];
    struct series found[TARGETS_MAX][3] = {0};
    if (argc < 5) {
        fprintf(stderr,
                "usage: bench-roundtrip SECONDS ROUNDS RATE weir=BOOTSTRAP,PID [NAME=...]\n");
        return 2;
    }
    double rate = atof(argv[3]);
    int rounds = atoi(argv[2]), targets = targets_parse(argv + 4, argc - 4, t), missing = 0;
    long want = (long)(atof(argv[1]) * rate);
    for (int k = 0; k < rounds; k++) {
        for (int i = 0; i < targets; i++) {
            struct run r = {.t = &t[i], .want = want};
            r.ms = calloc((size_t)want, sizeof *r.ms);
            snprintf(r.topic, sizeof r.topic, "bench-roundtrip-%d", k);
            missing += !measure(&r, rate);
            printf("roundtrip round %d: %s", k + 1, t[i].name);
            for (int s = 0; s < 3 && r.seen; s++) {
                double v = r.ms[(long)((double)(r.seen - 1) * shares[s])];
                series_add(&found[i][s], v);
                printf(" %s %.2f ms", names[s], v);
            }
            printf("\n");
            fflush(stdout);
            free(r.ms);
        }
    }
    for (int i = 0; i < targets; i++) {
        for (int s = 0; s < 3; s++)
            result(&found[i][s], i == 0 && s == 1 ? "<= 1.5" : NULL, "roundtrip-%.0f %s %s ms",
                   rate, t[i].name, names[s]);
        struct series ratio = series_ratio(&found[0][1], &found[i][1]);
        if (i)
            result(&ratio, NULL, "roundtrip-%.0f %s/%s p99", rate, t[0].name, t[i].name);
    }
    return missing != 0;
}
