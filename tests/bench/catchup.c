/* tests/bench/catchup.c - the way of a row change from the bytes of a binlog to a partition's log,
 * in one process and without a database: decoding, envelope, JSON, batch, append, and the worker's
 * own bookkeeping in SQLite. The table and its changes are those of capture.py. A real task runs
 * it; its connector reads from memory where the real one reads a socket, and does nothing else
 * differently.
 *
 *   bench-catchup [EVENTS [ROUNDS [PATH [SCHEMAS [TRANSACTION]]]]]
 *       PATH both, direct, general; SCHEMAS off, schemas; TRANSACTION: rows in each
 *
 * The peers of the same run: a loop that only slices the rows, and a plain write of the same bytes.
 * Under `valgrind --tool=callgrind` with --toggle-collect=bench_poll... see docs/benchmarks.md. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/db.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/pool.h"
#include "broker/admin.h"
#include "broker/broker.h"
#include "cdc/mysql/row.h"
#include "cdc/mysql/stream.h"
#include "connect/connect.h"
#include "connect/kclient.h"
#include "connect/task.h"

enum { PER_EVENT = 128, PER_TRANSACTION = 10000 };

static struct strbuf binlog; /* raw events, each behind its length (4 bytes) */
static int64_t rows_wanted;
static bool want_direct;

static int64_t now_ns(clockid_t which)
{
    struct timespec t;
    clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void check(enum err err, const struct error *e, const char *what)
{
    if (err == E_OK)
        return;
    fprintf(stderr, "%s: %s (%s)\n", what, e ? e->msg : "", err_name(err));
    exit(1);
}

/* --- a binlog in memory ----------------------------------------------------------------------- */

static uint32_t position = 4;

static void add_event(uint8_t type, const struct strbuf *body)
{
    uint8_t head[4 + 19] = {0};
    uint32_t size = (uint32_t)(19 + body->n);
    position += size;
    store_le32(head, size);
    store_le32(head + 4, 1700000000);
    head[8] = type;
    store_le32(head + 9, 1); /* server */
    store_le32(head + 13, size);
    store_le32(head + 17, position);
    strbuf_add(&binlog, head, sizeof head);
    strbuf_add_slice(&binlog, strbuf_slice(body));
}

static void add_image(struct strbuf *b, int64_t i, unsigned cents)
{
    uint8_t p[64] = {0}, *at = p + 1;
    int64_t made = 1704067200 + i;
    time_t seconds = (time_t)made;
    struct tm t;
    gmtime_r(&seconds, &t);
    store_le32(at, (uint32_t)i);
    at += 4;
    int n = snprintf((char *)at + 1, 40, "customer %lld", (long long)i);
    *at = (uint8_t)n;
    at += 1 + n;
    store_be32(at, 0x80000000u | (uint32_t)(i / 7)); /* DECIMAL(10,2): 8 digits, 2 digits */
    at[4] = (uint8_t)cents;
    at += 5;
    uint64_t ym = (uint64_t)(t.tm_year + 1900) * 13 + (uint64_t)t.tm_mon + 1;
    uint64_t v = (UINT64_C(1) << 39) | ym << 22 | (uint64_t)t.tm_mday << 17 |
                 (uint64_t)t.tm_hour << 12 | (uint64_t)t.tm_min << 6 | (uint64_t)t.tm_sec;
    for (int k = 4; k >= 0; k--)
        *at++ = (uint8_t)(v >> 8 * k);
    *at++ = (uint8_t)(i % 2);
    strbuf_add(b, p, (size_t)(at - p));
}

static void add_rows(int64_t first, int64_t count)
{
    struct strbuf b = STRBUF_INIT;
    strbuf_add(&b, "\7\0\0\0\0\0\1\0\5\x1f\x1f", 11);
    for (int64_t i = first; i < first + count; i++) {
        add_image(&b, i, (unsigned)(i % 100));
        add_image(&b, i, (unsigned)((i + 1) % 100));
    }
    add_event(EV_UPDATE_ROWS_V1, &b);
    strbuf_release(&b);
}

static void add_transaction(int64_t first, int64_t count)
{
    struct strbuf b = STRBUF_INIT;
    uint8_t seq[13] = {0};
    store_le64(seq, (uint64_t)first + 1);
    strbuf_add(&b, seq, sizeof seq);
    add_event(EV_MARIADB_GTID, &b);
    strbuf_reset(&b);
    strbuf_add(&b, "\7\0\0\0\0\0\0\0\5bench\0\1t\0\5", 19);
    strbuf_add(&b, "\x03\x0f\xf6\x12\x01", 5);
    strbuf_add(&b, "\5\xa0\0\x0a\2\0", 6);
    strbuf_add(&b, "\x1e", 1);
    add_event(EV_TABLE_MAP, &b);
    for (int64_t i = 0; i < count; i += PER_EVENT)
        add_rows(first + i, MIN(PER_EVENT, count - i));
    strbuf_reset(&b);
    strbuf_add(&b, "\1\0\0\0\0\0\0\0", 8);
    add_event(EV_XID, &b);
    strbuf_release(&b);
}

/* --- a connector that reads it ---------------------------------------------------------------- */

struct bench {
    struct mysql_task t;
    struct mysql_binlog *reader;
    size_t at;
    int64_t sent, cpu_start;
};

static _Atomic int64_t used_cpu_ns, finished;

static enum err bench_start(void **task, struct task_ctx *ctx, struct error *e)
{
    struct bench *b = xcalloc(1, sizeof *b);
    struct mysql_task *t = &b->t;
    struct mysql_schema_options so = {.mariadb = true};
    struct mysql_ddl_origin origin = {.db = SL("bench")};
    struct mysql_binlog_options bo = {.mariadb = true};
    struct mysql_changes changes;
    *task = b;
    t->ctx = ctx;
    if (!want_direct)
        ctx->direct = NULL;
    enum err err = mysql_options_load(&t->o, FLAVOUR_MARIADB, ctx->config, e);
    t->server.mariadb = true;
    t->texts = capture_texts_new();
    source_info_init(&t->em.source, t->o.flavour, t->o.topic_prefix);
    context_headers_init(&t->em.headers, true, "p", 0, "mariadb", ctx->run_id);
    t->em.tombstones = true;
    if (!err)
        err = shape_rules_init(&t->rules, &t->o, t->em.source.schema, e);
    shapes_init(&t->shapes, &t->rules);
    value_env_init(&t->env);
    mysql_offset_init(&t->offset);
    if (!err)
        err = mysql_offset_parse(&t->offset, SL("{\"file\":\"mariadb-bin.000001\",\"pos\":4}"), e);
    t->schema = mysql_schema_new(&so);
    mysql_changes_init(&changes);
    if (!err)
        err = mysql_schema_apply(
            t->schema, &origin,
            SL("CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40) CHARSET utf8mb4, amount "
               "DECIMAL(10,2), made DATETIME, flag TINYINT)"),
            &changes, e);
    mysql_changes_release(&changes);
    t->stream = stream_new(t);
    if (!err)
        err = gtid_done_init(&t->stream->gtids, true, true, SLICE_NULL, e);
    b->reader = mysql_binlog_new(&bo);
    return err;
}

static enum err bench_poll(void *task, struct record_batch *out, struct error *e)
{
    struct bench *b = task;
    struct stream *s = b->t.stream;
    struct mysql_event ev;
    enum err err = E_OK;
    if (!b->cpu_start)
        b->cpu_start = now_ns(CLOCK_THREAD_CPUTIME_ID);
    if (b->sent >= rows_wanted) {
        if (!finished)
            used_cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - b->cpu_start;
        finished = 1;
        (void)task_sleep(b->t.ctx, 50);
        return E_OK;
    }
    shapes_tick(&b->t.shapes);
    s->texts_stale = true;
    b->t.lag.events = 0;
    b->t.env.arena = &out->arena;
    while (!err && out->count < 2048 && b->at < binlog.n) {
        size_t n = load_le32(binlog.p + b->at);
        err = mysql_binlog_decode(b->reader, slice_of(binlog.p + b->at + 4, n), &ev, e);
        if (!err)
            err = stream_event(s, &ev, out, e);
        b->at += 4 + n;
    }
    b->sent += (int64_t)out->count;
    struct mysql_offset at;
    struct strbuf text = STRBUF_INIT;
    mysql_offset_init(&at);
    stream_show(s, out);
    stream_offset(s, &at);
    mysql_offset_print(&at, false, &text);
    stream_show_gtids(s, &at);
    if (!err)
        err = record_batch_offset(out, SL("{\"server\":\"p\"}"), strbuf_slice(&text));
    strbuf_release(&text);
    mysql_offset_release(&at);
    return err;
}

static void bench_stop(void *task)
{
    struct bench *b = task;
    struct mysql_task *t = &b->t;
    mysql_binlog_free(b->reader);
    stream_free(t->stream);
    capture_texts_free(t->texts);
    mysql_schema_free(t->schema);
    shapes_release(&t->shapes);
    shape_rules_release(&t->rules);
    context_headers_release(&t->em.headers);
    source_info_release(&t->em.source);
    value_env_release(&t->env);
    mysql_offset_release(&t->offset);
    mysql_options_release(&t->o);
    mem_free(b);
}

static const struct source_task_ops bench_task = {
    .start = bench_start, .poll = bench_poll, .stop = bench_stop};
static const struct connector_ops bench_connector = {.class_name = "bench.Catchup",
                                                     .task_class = "bench.CatchupTask",
                                                     .version = "1",
                                                     .kind = CONNECTOR_SOURCE,
                                                     .source = &bench_task};
static const struct connector_ops *const connectors[] = {&bench_connector, NULL};
static const struct connect_plugins plugin = {.connectors = connectors};
static const struct connect_plugins *const plugins[] = {&plugin, NULL};

/* --- peers ------------------------------------------------------------------------------------ */

static double slice_ns(void)
{
    struct mysql_binlog_options bo = {.mariadb = true};
    struct mysql_binlog *r = mysql_binlog_new(&bo);
    struct mysql_cell before[5], after[5];
    struct error e = {0};
    int64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID), count = 0;
    for (size_t at = 0; at < binlog.n;) {
        struct mysql_event ev;
        size_t n = load_le32(binlog.p + at);
        check(mysql_binlog_decode(r, slice_of(binlog.p + at + 4, n), &ev, &e), &e, "decode");
        at += 4 + n;
        struct mysql_rows it;
        if (ev.type != EV_UPDATE_ROWS_V1)
            continue;
        check(mysql_rows_init(&it, &ev.u.rows, &e), &e, "rows");
        while (mysql_rows_next(&it, before, after, &e) == E_OK)
            count++;
    }
    mysql_binlog_free(r);
    return (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)count;
}

static double write_ns(const char *dir, int64_t bytes)
{
    static char block[1 << 20];
    char path[400];
    snprintf(path, sizeof path, "%s/plain", dir);
    memset(block, 'x', sizeof block);
    int64_t start = now_ns(CLOCK_THREAD_CPUTIME_ID);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    for (int64_t done = 0; done < bytes && fd >= 0; done += (int64_t)sizeof block)
        if (write(fd, block, sizeof block) < 0)
            exit(1);
    close(fd);
    unlink(path);
    return (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - start);
}

/* --- a worker without REST -------------------------------------------------------------------- */

static void on_state(void *arg, struct task *t, enum task_state s, struct slice trace)
{
    (void)arg, (void)t;
    if (s != TASK_FAILED)
        return;
    fprintf(stderr, "the task failed: " PRI_SL "\n", ARG_SL(trace));
    exit(1);
}

struct place {
    struct broker_config config;
    struct db *db;
    struct pool *pool;
    struct broker *broker;
    struct kclient *k;
    struct registry registry;
    struct strmap worker;
};

static void open_place(struct place *p, const char *dir)
{
    const struct db_migrations *all[16];
    struct error e = {0};
    char path[400];
    size_t n = 0;
    for (const struct db_migrations *const *m = broker_migrations(); *m; m++)
        all[n++] = *m;
    all[n++] = &connect_migrations;
    all[n] = NULL;
    snprintf(path, sizeof path, "%s/weir.db", dir);
    broker_config_init(&p->config);
    p->config.o.data_dir = slice_cstr(dir);
    check(broker_config_set(&p->config, SL("listeners"), SL("PLAINTEXT://127.0.0.1:0"), &e), &e,
          "listeners");
    check(db_open(&p->db, path, false, all, &e), &e, "database");
    check(pool_start(&p->pool, "bench", 2, &e), &e, "pool");
    check(broker_start(&p->broker, &p->config, p->db, p->pool, &e), &e, "broker");
    p->k = kclient_embedded(p->broker);
    registry_init(&p->registry, plugins);
    strmap_init(&p->worker);
    strmap_set(&p->worker, SL("header.converter"),
               SL("org.apache.kafka.connect.storage.SimpleHeaderConverter"));
}

static void close_place(struct place *p)
{
    registry_release(&p->registry);
    strmap_release(&p->worker);
    kclient_free(p->k);
    broker_stop(p->broker);
    pool_stop(p->pool);
    db_close(p->db);
    broker_config_release(&p->config);
}

static int64_t log_bytes(const char *dir)
{
    char path[700];
    int64_t total = 0;
    snprintf(path, sizeof path, "%s/p.bench.t-0", dir);
    DIR *d = opendir(path);
    for (struct dirent *x; d && (x = readdir(d)) != NULL;) {
        struct stat st;
        char name[1000];
        snprintf(name, sizeof name, "%s/%s", path, x->d_name);
        if (strstr(x->d_name, ".log") && stat(name, &st) == 0)
            total += st.st_size;
    }
    if (d)
        closedir(d);
    return total;
}

static void one_round(const char *dir, bool direct, bool schemas, double *cpu_ns)
{
    struct place p = {0};
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    atomic_int live = 0;
    struct task *t;
    open_place(&p, dir);
    want_direct = direct;
    used_cpu_ns = finished = 0;
    strmap_set(&config, SL("topic.prefix"), SL("p"));
    strmap_set(&config, SL("key.converter"), SL("org.apache.kafka.connect.json.JsonConverter"));
    strmap_set(&config, SL("value.converter"), SL("org.apache.kafka.connect.json.JsonConverter"));
    strmap_set(&config, SL("key.converter.schemas.enable"), schemas ? SL("true") : SL("false"));
    strmap_set(&config, SL("value.converter.schemas.enable"), schemas ? SL("true") : SL("false"));
    struct task_spec spec = {.connector = SL("bench"),
                             .task_count = 1,
                             .ops = &bench_connector,
                             .config = &config,
                             .raw = &config,
                             .worker = &p.worker,
                             .registry = &p.registry,
                             .kclient = p.k,
                             .db = p.db,
                             .on_state = on_state,
                             .live = &live};
    int64_t start = now_ns(CLOCK_MONOTONIC);
    check(task_start(&t, &spec, &e), &e, "task");
    while (!finished)
        usleep(500);
    double wall = (double)(now_ns(CLOCK_MONOTONIC) - start);
    task_ask_stop(t);
    (void)task_wait(t, INT64_MAX / 2);
    task_release(t);
    int64_t bytes = log_bytes(dir);
    close_place(&p);
    *cpu_ns = (double)used_cpu_ns / (double)rows_wanted;
    double slice = slice_ns(), plain = write_ns(dir, bytes) / (double)rows_wanted;
    printf("catchup %-7s schemas %-3s: %4.0f ns CPU an event, %8.0f events/s, %lld bytes each; "
           "slicing alone %.0f ns, a plain write %.0f ns\n",
           direct ? "direct" : "general", schemas ? "on" : "off", *cpu_ns,
           (double)rows_wanted / wall * 1e9, (long long)(bytes / rows_wanted), slice, plain);
    fflush(stdout);
    strmap_release(&config);
}

int main(int argc, char **argv)
{
    check(log_set_level("root", LOG_L_ERROR), NULL, "log level");
    rows_wanted = argc > 1 ? atoll(argv[1]) : 500000;
    int rounds = argc > 2 ? atoi(argv[2]) : 3;
    const char *path = argc > 3 ? argv[3] : "both";
    bool schemas = argc > 4 && strcmp(argv[4], "schemas") == 0;
    char command[500];
    strbuf_init(&binlog, (size_t)1 << 30);
    int64_t per = argc > 5 ? atoll(argv[5]) : PER_TRANSACTION;
    for (int64_t i = 0; i < rows_wanted; i += per)
        add_transaction(i, MIN(per, rows_wanted - i));
    for (int n = 0; n < rounds; n++) {
        for (int direct = 0; direct < 2; direct++) {
            char dir[] = "/tmp/bench-catchup-XXXXXX";
            double cpu;
            if (strcmp(path, direct ? "general" : "direct") == 0)
                continue;
            if (!mkdtemp(dir))
                return 1;
            one_round(dir, direct, schemas, &cpu);
            snprintf(command, sizeof command, "rm -rf '%s'", dir);
            if (system(command) != 0)
                return 1;
        }
    }
    strbuf_release(&binlog);
    return 0;
}
