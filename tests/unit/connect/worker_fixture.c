/* tests/unit/connect/worker_fixture.c - see worker_fixture.h. */
#include "connect/worker_fixture.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "connect/kclient.h"
#include "connect/sink_fixture.h"

/* --- the counting connector ------------------------------------------------------------------- */

struct counter {
    struct task_ctx *ctx;
    int64_t next, limit, batch, fail_at, parts, pause_ms, deaf_ms;
    bool vary, text;
    int64_t ahead; /* added to the numbers: another row content in each life */
    struct slice topic;
};

static int64_t option(const struct strmap *m, const char *name, int64_t otherwise)
{
    int64_t v;
    return slice_to_i64(slice_trim(strmap_get_c(m, name)), &v) == E_OK ? v : otherwise;
}

static enum err counter_start(void **task, struct task_ctx *ctx, struct error *e)
{
    struct counter *c = xcalloc(1, sizeof *c);
    struct arena a;
    *task = c;
    c->ctx = ctx;
    c->topic = strmap_get_c(ctx->config, "topic");
    c->limit = option(ctx->config, "limit", 10);
    c->batch = option(ctx->config, "batch", 5);
    c->fail_at = option(ctx->config, "fail.at", -1);
    c->parts = option(ctx->config, "parts", 0);
    c->vary = strmap_get_c(ctx->config, "vary").p != NULL;
    c->text = strmap_get_c(ctx->config, "text").p != NULL;
    c->pause_ms = option(ctx->config, "pause.ms", 0);
    c->deaf_ms = option(ctx->config, "deaf.ms", 0);
    static _Atomic int lives;
    if (strmap_get_c(ctx->config, "fresh").p)
        c->ahead = 1000 * (int64_t)atomic_fetch_add(&lives, 1);
    if (slice_eq(strmap_get_c(ctx->config, "start"), SL("fails")))
        return error_set(e, E_INVALID, "java.lang.IllegalStateException: asked to fail");
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct slice o = SLICE_NULL;
    enum err err = ctx->load_offset(ctx, &a, SL("{\"source\":\"counter\"}"), &o, e);
    if (o.p)
        c->next = strtoll(o.p + 5, NULL, 10); /* {"n":123} */
    arena_release(&a);
    return err;
}

atomic_int counters_deaf;

/* The record as the converters would write it. */
static void write_text(const struct counter *c, struct record_batch *out, struct record *r,
                       const char *text)
{
    struct record_text *t = &r->text;
    *t = (struct record_text){.used = true, .key_null = !c->parts, .key_at = out->text.n};
    if (c->parts && c->ctx->direct->key.schemas)
        t->key_head = SL("{\"schema\":{\"type\":\"string\",\"optional\":false},\"payload\":");
    if (c->parts)
        strbuf_addf(&out->text, "\"%s\"%s", text, c->ctx->direct->key.schemas ? "}" : "");
    t->key_n = out->text.n - t->key_at;
    t->value_at = out->text.n;
    strbuf_adds(&out->text, text);
    t->value_n = out->text.n - t->value_at;
}

static enum err counter_poll(void *task, struct record_batch *out, struct error *e)
{
    struct counter *c = task;
    if (c->deaf_ms) {
        atomic_fetch_add(&counters_deaf, 1);
        usleep((useconds_t)c->deaf_ms * 1000);
        atomic_fetch_sub(&counters_deaf, 1);
    }
    if (c->next >= c->limit || (c->pause_ms && task_sleep(c->ctx, c->pause_ms))) {
        (void)task_sleep(c->ctx, 50);
        return E_OK;
    }
    static _Atomic int round;
    if (c->vary)
        c->batch = 1 + round++ % 7;
    for (int64_t i = 0; i < c->batch && c->next < c->limit; i++, c->next++) {
        if (c->next == c->fail_at)
            return error_set(e, E_REMOTE,
                             "org.apache.kafka.connect.errors.ConnectException: cannot go on\n"
                             "Caused by: java.io.IOException: number %lld",
                             (long long)c->next);
        struct record *r = record_batch_add(out);
        if (!r)
            return E_NOMEM;
        char text[32];
        snprintf(text, sizeof text, "%lld", (long long)(c->next + c->ahead));
        out->unrepeatable = strmap_get_c(c->ctx->config, "fresh").p != NULL;
        r->topic = c->topic;
        if (c->text) {
            if (!c->ctx->direct)
                return error_set(e, E_INVALID, "the worker wants no texts");
            write_text(c, out, r, text);
            continue;
        }
        r->value_schema = schema_plain(SCHEMA_INT64, false);
        r->value = value_int(c->next + c->ahead);
        if (c->parts) {
            r->key_schema = schema_plain(SCHEMA_STRING, false);
            r->key = value_string(arena_dup(&out->arena, slice_cstr(text)));
        }
    }
    char text[40];
    snprintf(text, sizeof text, "{\"n\":%lld}", (long long)c->next);
    return record_batch_offset(out, SL("{\"source\":\"counter\"}"), slice_cstr(text));
}

static void counter_stop(void *task)
{
    mem_free(task);
}

static const struct source_task_ops counter_task = {
    .start = counter_start, .poll = counter_poll, .stop = counter_stop};
static const struct opt_row counter_rows[] = {
    {.name = "topic",
     .type = OPT_STRING,
     .flags = OPT_REQUIRED,
     .offset = OPT_NO_FIELD,
     .importance = OPT_HIGH,
     .order = -1,
     .display = "topic",
     .doc = "where to"},
    {.name = "limit",
     .type = OPT_INT,
     .def = "10",
     .offset = OPT_NO_FIELD,
     .importance = OPT_LOW,
     .order = -1,
     .display = "limit",
     .doc = "how many",
     .min = 0,
     .has_min = true},
    {.name = "secret",
     .type = OPT_PASSWORD,
     .offset = OPT_NO_FIELD,
     .importance = OPT_LOW,
     .order = -1,
     .display = "secret",
     .doc = "not to be seen"},
    {.name = NULL},
};
static void counter_validate(const struct strmap *config, struct config_errors *errs)
{
    (void)errs;
    usleep((useconds_t)option(config, "check.ms", 0) * 1000);
}

static const char *const counter_aliases[] = {"CounterSource", "Counter", NULL};
static const struct connector_ops counter = {.class_name = "test.CounterSource",
                                             .aliases = counter_aliases,
                                             .task_class = "test.CounterTask",
                                             .version = "1.2",
                                             .kind = CONNECTOR_SOURCE,
                                             .rows = counter_rows,
                                             .validate = counter_validate,
                                             .source = &counter_task};
static const struct connector_ops *const connectors[] = {&counter, &picky_sink, NULL};
static const struct transform_ops *const transforms[] = {&flaky_transform, NULL};
static const struct connect_plugins plugin = {.connectors = connectors, .transforms = transforms};
static const struct connect_plugins *const plugins[] = {&plugin, NULL};

/* --- the worker ------------------------------------------------------------------------------- */

bool worker_connect_start(struct worker *w)
{
    struct strmap options = STRMAP_INIT;
    struct error e = {0};
    snprintf(w->listen.host, sizeof w->listen.host, "127.0.0.1");
    w->listen.port = 0;
    strmap_set(&options, SL("value.converter.schemas.enable"), SL("false"));
    strmap_set(&options, SL("value.converter"), SL("JsonConverter"));
    if (w->graceful_ms)
        strmap_set(&options, SL("task.shutdown.graceful.timeout.ms"), slice_cstr(w->graceful_ms));
    for (const char *const *o = w->more; o && *o; o += 2)
        strmap_set(&options, slice_cstr(o[0]), slice_cstr(o[1]));
    enum err err = connect_start(&w->connect, &options, &w->listen, NULL, w->broker, w->db, w->http,
                                 w->pool, plugins, &e);
    strmap_release(&options);
    if (err) {
        w->connect = NULL;
        CHECK_STR(e.msg, "");
    }
    return err == E_OK;
}

void worker_connect_stop(struct worker *w)
{
    CHECK(connect_stop(w->connect));
    w->connect = NULL;
}

bool worker_open(struct worker *w, const char *dir)
{
    static int number;
    char path[400];
    struct error e = {0};
    const struct db_migrations *all[16];
    size_t n = 0;
    memset(w, 0, sizeof *w);
    if (dir)
        snprintf(w->dir, sizeof w->dir, "%s", dir);
    else
        snprintf(w->dir, sizeof w->dir, "%s/worker-%d", test_dir(), number++);
    for (const struct db_migrations *const *m = broker_migrations(); *m; m++)
        all[n++] = *m;
    all[n++] = &connect_migrations;
    all[n] = NULL;
    snprintf(path, sizeof path, "mkdir -p '%s'", w->dir);
    enum err err = system(path) ? E_IO : E_OK;
    snprintf(path, sizeof path, "%s/weir.db", w->dir);
    broker_config_init(&w->config);
    if (!err)
        err = broker_config_set(&w->config, SL("data.dir"), slice_cstr(w->dir), &e);
    if (err == E_NOT_FOUND) { /* no such option: the field itself */
        w->config.o.data_dir = slice_cstr(w->dir);
        err = E_OK;
    }
    if (!err)
        err = broker_config_set(&w->config, SL("listeners"), SL("PLAINTEXT://127.0.0.1:0"), &e);
    if (!err)
        err = db_open(&w->db, path, false, all, &e);
    if (!err)
        err = pool_start(&w->pool, "test", 4, &e);
    if (!err)
        err = loop_start(&w->http, "test-http", &e);
    if (!err)
        err = broker_start(&w->broker, &w->config, w->db, w->pool, &e);
    if (err) {
        CHECK_STR(e.msg, "");
        CHECK_OK(err);
        return false;
    }
    return worker_connect_start(w);
}

void worker_close(struct worker *w)
{
    if (!connect_stop(w->connect)) /* in a teardown: nothing can be checked */
        abort();
    broker_stop(w->broker);
    if (w->http)
        loop_stop(w->http);
    if (w->pool)
        pool_stop(w->pool);
    if (w->db)
        db_close(w->db);
    broker_config_release(&w->config);
}

/* --- HTTP ------------------------------------------------------------------------------------- */

struct answer ask(struct worker *w, const char *method, const char *path, const char *body)
{
    struct answer a = {0};
    struct strbuf b = STRBUF_INIT;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(w->listen.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    strbuf_addf(&b, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: close\r\n", method, path,
                w->listen.port);
    if (body)
        strbuf_addf(&b, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
    strbuf_addf(&b, "\r\n%s", body ? body : "");
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
        write(fd, b.p, b.n) == (ssize_t)b.n) {
        char part[4096];
        ssize_t n;
        strbuf_reset(&b);
        while ((n = read(fd, part, sizeof part)) > 0)
            strbuf_add(&b, part, (size_t)n);
    }
    close(fd);
    ptrdiff_t at = slice_find(strbuf_slice(&b), SL("\r\n\r\n"));
    a.status = b.n > 12 ? atoi(b.p + 9) : 0;
    a.head = xstrndup(b.p, at > 0 ? (size_t)at : 0);
    a.body = xstrdup(at > 0 ? b.p + at + 4 : "");
    strbuf_release(&b);
    return a;
}

void answer_release(struct answer *a)
{
    mem_free(a->body);
    mem_free(a->head);
}

void check_ask(struct worker *w, const char *method, const char *path, const char *body, int status,
               const char *want, const char *file, unsigned line)
{
    struct answer a = ask(w, method, path, body);
    check_i64(a.status, status, path, file, line);
    if (want)
        check_str(a.body, want, file, line);
    answer_release(&a);
}

static void nap(void)
{
    struct timespec t = {0, 10000000};
    nanosleep(&t, NULL);
}

bool ask_until(struct worker *w, const char *path, const char *text)
{
    bool found = false;
    for (int i = 0; i < 1000 && !found; i++) {
        struct answer a = ask(w, "GET", path, NULL);
        found = strstr(a.body, text) != NULL;
        if (!found && i == 999)
            check_str(a.body, text, __FILE__, __LINE__);
        answer_release(&a);
        if (!found)
            nap();
    }
    return found;
}

/* --- topics ----------------------------------------------------------------------------------- */

struct numbers {
    int64_t *items;
    size_t n, cap;
};

static bool take_number(const struct krecord *r, void *arg)
{
    struct numbers *x = arg;
    int64_t v = -1;
    (void)!slice_to_i64(r->value, &v);
    if (x->n == x->cap) {
        x->cap = x->cap ? x->cap * 2 : 64;
        x->items = xrealloc(x->items, x->cap * sizeof *x->items);
    }
    x->items[x->n++] = v;
    return true;
}

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void read_all(struct worker *w, const char *topic, struct numbers *x)
{
    struct kclient *k = kclient_embedded(w->broker);
    struct kclient_topic info = {0};
    struct error e = {0};
    if (kclient_describe(k, slice_cstr(topic), &info, &e) == E_OK)
        for (int32_t p = 0; p < info.partitions; p++)
            CHECK_OK(kclient_read(k, slice_cstr(topic), p, -2, take_number, x, &e));
    kclient_free(k);
}

char *topic_numbers(struct worker *w, const char *topic)
{
    struct numbers x = {0};
    struct strbuf out = STRBUF_INIT;
    read_all(w, topic, &x);
    if (x.n)
        qsort(x.items, x.n, sizeof *x.items, by_value);
    for (size_t i = 0; i < x.n; i++)
        strbuf_addf(&out, "%s%lld", i ? "," : "", (long long)x.items[i]);
    mem_free(x.items);
    char *text = xstrdup(out.p);
    strbuf_release(&out);
    return text;
}

int64_t topic_count(struct worker *w, const char *topic, int64_t want)
{
    int64_t n = 0;
    for (int i = 0; i < 1000 && n < want; i++) {
        struct numbers x = {0};
        read_all(w, topic, &x);
        n = (int64_t)x.n;
        mem_free(x.items);
        if (n < want)
            nap();
    }
    return n;
}
