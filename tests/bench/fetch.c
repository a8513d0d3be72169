/* tests/bench/fetch.c - reading a topic that is in the page cache.
 *
 *   bench-fetch MEGABYTES ROUNDS weir=BOOTSTRAP,PID [kafka=BOOTSTRAP,PID]
 *
 * Two clients, rounds interleaved:
 *  - librdkafka's consumer, as fast as it goes: MB/s and the servers' CPU seconds a GB;
 *  - one that only reads: Fetch requests of version 11, one in flight, answers thrown away. Its peer
 *    is a thread of this program that answers the same sizes with sendfile from a file of its own. */
#include "bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#define TOPIC "bench-fetch"
#define MESSAGE 1024
#define FETCH_BYTES (8 << 20)
#define ANSWER_MAX (FETCH_BYTES + (1 << 20))

/* --- a real consumer -------------------------------------------------------------------------- */

static double consume(const char *bootstrap, long count)
{
    const char *const set[][2] = {{"bootstrap.servers", bootstrap},
                                  {"fetch.message.max.bytes", "8388608"},
                                  {"queued.min.messages", "1000000"},
                                  {"queued.max.messages.kbytes", "262144"},
                                  {NULL, NULL}};
    rd_kafka_t *rk = client_of(RD_KAFKA_CONSUMER, conf_of(set));
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, TOPIC, NULL);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    static rd_kafka_message_t *got[10000];
    rd_kafka_consume_start_queue(t, 0, RD_KAFKA_OFFSET_BEGINNING, q);
    double start = 0;
    for (long seen = 0; seen < count;) {
        ssize_t n = rd_kafka_consume_batch_queue(q, 1000, got, 10000);
        if (start == 0 && n > 0)
            start = now(); /* connected */
        for (ssize_t i = 0; i < n; i++) {
            seen += got[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR;
            rd_kafka_message_destroy(got[i]);
        }
    }
    double seconds = now() - start;
    rd_kafka_consume_stop(t, 0);
    rd_kafka_queue_destroy(q);
    rd_kafka_topic_destroy(t);
    rd_kafka_destroy(rk);
    return seconds;
}

/* --- one that only reads ---------------------------------------------------------------------- */

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static int dial(const char *bootstrap)
{
    char host[80];
    int one = 1;
    snprintf(host, sizeof host, "%s", bootstrap);
    char *port = strrchr(host, ':');
    *port++ = 0;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    inet_pton(AF_INET, host, &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void read_fully(int fd, char *to, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t k = recv(fd, to + at, n - at, 0);
        if (k <= 0)
            die("recv");
        at += (size_t)k;
    }
}

static uint32_t be32(const char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return ntohl(v);
}

static int64_t be64(const char *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static char *put32(char *p, uint32_t v)
{
    v = htonl(v);
    memcpy(p, &v, 4);
    return p + 4;
}

static char *put64(char *p, int64_t v)
{
    return put32(put32(p, (uint32_t)(v >> 32)), (uint32_t)v);
}

static void ask(int fd, int64_t offset)
{
    char b[200], *p = b + 4;
    *p++ = 0, *p++ = 1, *p++ = 0, *p++ = 11; /* Fetch, version 11 */
    p = put32(p, 7);
    *p++ = 0, *p++ = 1, *p++ = 'b'; /* client id */
    p = put32(p, UINT32_MAX);       /* replica */
    p = put32(p, 500);              /* longest wait */
    p = put32(p, 1);                /* least bytes */
    p = put32(p, 2 * FETCH_BYTES);  /* most bytes */
    *p++ = 0;                       /* isolation */
    p = put32(p, 0);
    p = put32(p, UINT32_MAX); /* no session */
    p = put32(p, 1);
    *p++ = 0, *p++ = (char)strlen(TOPIC);
    p = stpcpy(p, TOPIC);
    p = put32(p, 1);
    p = put32(p, 0);
    p = put32(p, UINT32_MAX); /* leader epoch */
    p = put64(p, offset);
    p = put64(p, -1); /* log start */
    p = put32(p, FETCH_BYTES);
    p = put32(p, 0);
    *p++ = 0, *p++ = 0; /* rack */
    put32(b, (uint32_t)(p - b - 4));
    if (send(fd, b, (size_t)(p - b), 0) != p - b)
        die("send");
}

/* Where the records of an answer begin, and how many bytes they are. */
static char *records_of(char *answer, size_t *n)
{
    /* correlation, throttling, error, session, topics; partitions, index, error, three offsets */
    char *p = answer + 4 + 4 + 2 + 4 + 4 + 2 + strlen(TOPIC) + 4 + 4 + 2 + 8 + 8 + 8;
    uint32_t aborted = be32(p);
    p += 4 + (aborted == UINT32_MAX ? 0 : aborted * 16) + 4;
    *n = be32(p);
    return p + 4;
}

struct plan { /* which offsets to ask for, and how much each answer carries */
    int64_t offset[4096];
    size_t bytes[4096];
    size_t count, total;
};

/* Asks from the start to the end of the topic, once, looking into the answers. */
static void make_plan(const char *bootstrap, long count, struct plan *plan)
{
    static char answer[ANSWER_MAX];
    int fd = dial(bootstrap);
    int64_t next = 0;
    plan->count = plan->total = 0;
    while (next < count && plan->count < 4096) {
        ask(fd, next);
        char head[4];
        read_fully(fd, head, 4);
        size_t size = be32(head), n;
        if (size > ANSWER_MAX) {
            fprintf(stderr, "an answer of %zu bytes\n", size);
            exit(2);
        }
        read_fully(fd, answer, size);
        char *p = records_of(answer, &n), *end = p + n;
        plan->offset[plan->count] = next;
        plan->bytes[plan->count] = n;
        while (end - p > 61 && end - p >= 12 + (long)be32(p + 8)) {
            next = be64(p) + be32(p + 23) + 1; /* base offset + last delta */
            p += 12 + be32(p + 8);
        }
        plan->total += n;
        plan->count++;
    }
    close(fd);
}

static double raw_fetch(const char *bootstrap, const struct plan *plan)
{
    static char sink[1 << 18];
    int fd = dial(bootstrap);
    double start = now();
    for (size_t i = 0; i < plan->count; i++) {
        ask(fd, plan->offset[i]);
        read_fully(fd, sink, 4);
        for (size_t left = be32(sink); left;) {
            ssize_t k = recv(fd, sink, left < sizeof sink ? left : sizeof sink, 0);
            if (k <= 0)
                die("recv");
            left -= (size_t)k;
        }
    }
    double seconds = now() - start;
    close(fd);
    return (double)plan->total / 1e6 / seconds;
}

/* The peer: gets sizes, sends so much of its file. */
struct peer {
    int listener, file;
    char address[40];
    pthread_t thread;
};

static void *peer_run(void *arg)
{
    struct peer *p = arg;
    for (;;) {
        int fd = accept(p->listener, NULL, NULL), one = 1;
        if (fd < 0)
            return NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4); /* no timers between segments */
        uint64_t want[2];
        while (recv(fd, want, sizeof want, MSG_WAITALL) == sizeof want) {
            off_t at = (off_t)want[0];
            for (size_t left = want[1]; left;) {
                ssize_t k = sendfile(fd, p->file, &at, left);
                if (k <= 0)
                    break;
                left -= (size_t)k;
            }
        }
        close(fd);
    }
}

static void peer_start(struct peer *p, size_t bytes)
{
    char path[] = "bench-fetch-XXXXXX";
    static char block[1 << 20];
    memset(block, 'x', sizeof block);
    p->file = mkstemp(path);
    if (p->file < 0)
        die(path);
    unlink(path);
    for (size_t n = 0; n < bytes; n += sizeof block)
        if (write(p->file, block, sizeof block) != sizeof block)
            die("write");
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    p->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(p->listener, (struct sockaddr *)&a, len) || listen(p->listener, 4) ||
        getsockname(p->listener, (struct sockaddr *)&a, &len))
        die("listen");
    snprintf(p->address, sizeof p->address, "127.0.0.1:%d", ntohs(a.sin_port));
    pthread_create(&p->thread, NULL, peer_run, p);
}

/* CPU seconds of its thread: what sending the same bytes takes without a server around it. */
static double peer_cpu(const struct peer *p)
{
    clockid_t clock;
    struct timespec t = {0};
    if (pthread_getcpuclockid(p->thread, &clock) == 0)
        clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double raw_peer(const struct peer *p, const struct plan *plan)
{
    static char sink[1 << 18];
    int fd = dial(p->address);
    uint64_t want[2] = {0, 0};
    double start = now();
    for (size_t i = 0; i < plan->count; i++) {
        want[1] = plan->bytes[i];
        if (send(fd, want, sizeof want, 0) != sizeof want)
            die("send");
        for (size_t left = plan->bytes[i]; left;) {
            ssize_t k = recv(fd, sink, left < sizeof sink ? left : sizeof sink, 0);
            if (k <= 0)
                die("recv");
            left -= (size_t)k;
        }
        want[0] += want[1];
    }
    double seconds = now() - start;
    close(fd);
    return (double)plan->total / 1e6 / seconds;
}

/* --- both ------------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    struct target t[TARGETS_MAX];
    static struct plan plan[TARGETS_MAX];
    struct peer peer;
    if (argc < 4) {
        fprintf(stderr, "usage: bench-fetch MEGABYTES ROUNDS weir=BOOTSTRAP,PID [NAME=...]\n");
        return 2;
    }
    long count = atol(argv[1]) * 1000000 / MESSAGE, failed = 0;
    int rounds = atoi(argv[2]), targets = targets_parse(argv + 3, argc - 3, t);
    double gb = (double)count * MESSAGE / 1e9;
    for (int i = 0; i < targets; i++) {
        const char *const set[][2] = {{"bootstrap.servers", t[i].bootstrap},
                                      {"linger.ms", "20"},
                                      {"batch.size", "1000000"},
                                      {"queue.buffering.max.messages", "1000000"},
                                      {NULL, NULL}};
        topic_create(t[i].bootstrap, TOPIC);
        produce(conf_of(set), TOPIC, count, MESSAGE, &failed);
        make_plan(t[i].bootstrap, count, &plan[i]);
    }
    peer_start(&peer, plan[0].total + (1 << 20));
    struct series rate[TARGETS_MAX] = {0}, cpu[TARGETS_MAX] = {0}, raw[TARGETS_MAX] = {0},
                  raw_cpu[TARGETS_MAX] = {0}, sent = {.n = 0}, sent_cpu = {.n = 0};
    for (int r = 0; r < rounds; r++) {
        double start = peer_cpu(&peer);
        series_add(&sent, raw_peer(&peer, &plan[0]));
        series_add(&sent_cpu, (peer_cpu(&peer) - start) / ((double)plan[0].total / 1e9));
        printf("fetch round %d: sendfile %.0f MB/s", r + 1, sent.v[r]);
        for (int i = 0; i < targets; i++) {
            double before = cpu_of(t[i].pid);
            series_add(&raw[i], raw_fetch(t[i].bootstrap, &plan[i]));
            double between = cpu_of(t[i].pid);
            series_add(&rate[i], (double)count * MESSAGE / 1e6 / consume(t[i].bootstrap, count));
            series_add(&raw_cpu[i], (between - before) / ((double)plan[i].total / 1e9));
            series_add(&cpu[i], (cpu_of(t[i].pid) - between) / gb);
            printf(", %s %.0f raw, %.0f by librdkafka", t[i].name, raw[i].v[r], rate[i].v[r]);
        }
        printf("\n");
        fflush(stdout);
    }
    struct series ratio = series_ratio(&raw[0], &sent);
    result(&ratio, ">= 0.5", "fetch-raw %s/sendfile", t[0].name);
    result(&sent_cpu, NULL, "fetch-raw sendfile CPU s/GB");
    for (int i = 0; i < targets; i++) {
        result(&raw_cpu[i], NULL, "fetch-raw %s CPU s/GB", t[i].name);
        result(&cpu[i], NULL, "fetch-librdkafka %s CPU s/GB", t[i].name);
        if (i == 0)
            continue;
        ratio = series_ratio(&rate[0], &rate[i]);
        result(&ratio, NULL, "fetch-librdkafka %s/%s", t[0].name, t[i].name);
        ratio = series_ratio(&cpu[0], &cpu[i]);
        result(&ratio, "<= 0.25", "fetch-librdkafka %s/%s CPU", t[0].name, t[i].name);
    }
    return failed != 0;
}
