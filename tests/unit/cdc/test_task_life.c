/* Life of a capturing task: which phase follows which, what is tried again and how often,
 * heartbeats. The database says what it was asked. SPEC: cdc-mysql 2.5, 2.6, 5.11 */
#include "cdc/task_life.h"

#include "helpers.h"

struct world {
    struct task_life life;
    struct task_ctx ctx;
    struct record_batch b;
    struct strbuf told; /* what the database was asked for, in order */
    enum task_phase next;
    enum err fault; /* of the next calls */
    bool done;
    struct error e;
};
static struct world w;

static enum err prepare(void *db, struct error *e)
{
    (void)db;
    strbuf_adds(&w.told, "prepare ");
    if (w.fault)
        return error_set(e, w.fault, "refused");
    task_life_go(&w.life, w.next);
    return E_OK;
}

static bool passes(const struct error *e)
{
    return e->code == E_IO;
}

static void disconnect(void *db)
{
    (void)db;
    strbuf_adds(&w.told, "disconnect ");
}

static enum err poll_snapshot(void *db, struct record_batch *b, bool *done, struct error *e)
{
    (void)db;
    (void)b;
    strbuf_adds(&w.told, "snapshot ");
    *done = w.done;
    return w.fault ? error_set(e, w.fault, "refused") : E_OK;
}

static void snapshot_failed(void *db)
{
    (void)db;
    strbuf_adds(&w.told, "failed ");
}

static void snapshot_done(void *db)
{
    (void)db;
    strbuf_adds(&w.told, "done ");
}

static enum err poll_stream(void *db, struct record_batch *b, struct error *e)
{
    (void)db;
    (void)b;
    strbuf_adds(&w.told, "stream ");
    return w.fault ? error_set(e, w.fault, "refused") : E_OK;
}

static enum err beat(void *db, struct record_batch *b, struct error *e)
{
    (void)db;
    (void)e;
    strbuf_addf(&w.told, "beat(%zu) ", b->count);
    return E_OK;
}

static const struct task_life_ops ops = {
    .log = LOG_CDC,
    .restart = "it comes again",
    .prepare = prepare,
    .passes = passes,
    .disconnect = disconnect,
    .poll_snapshot = poll_snapshot,
    .snapshot_failed = snapshot_failed,
    .snapshot_done = snapshot_done,
    .poll_stream = poll_stream,
    .beat = beat,
};

static void open_world(const struct capture_options *o, bool only)
{
    memset(&w, 0, sizeof w);
    strbuf_init(&w.told, 0);
    record_batch_init(&w.b, ARENA_NO_BUDGET);
    w.ctx.stop = true; /* no sleeping */
    w.ctx.stop_fd = -1;
    w.next = PHASE_SNAPSHOT;
    task_life_init(&w.life, &ops, &w, &w.ctx, o, only);
}

static void close_world(void)
{
    task_life_release(&w.life);
    record_batch_release(&w.b);
    strbuf_release(&w.told);
}

static enum err poll(void)
{
    error_clear(&w.e);
    return task_life_poll(&w.life, &w.b, &w.e);
}

static void check_told(const char *want)
{
    CHECK_SLICE(strbuf_slice(&w.told), slice_cstr(want));
    strbuf_reset(&w.told);
}

static void test_phases(void)
{
    struct capture_options o = {.max_retries = -1};
    open_world(&o, false);
    CHECK_INT(task_life_phase(&w.life), PHASE_CONNECT);
    CHECK_OK(task_life_start(&w.life, &w.e));
    CHECK_OK(poll());
    check_told("prepare snapshot ");
    w.done = true;
    CHECK_OK(poll());
    check_told("snapshot done ");
    CHECK_OK(poll());
    CHECK_INT(task_life_phase(&w.life), PHASE_STREAM);
    check_told("stream ");
    w.fault = E_CORRUPT;
    CHECK_ERR(poll(), E_CORRUPT);
    CHECK_STR(w.e.msg, "refused"); /* the stream has its own words */
    check_told("stream ");
    close_world();

    open_world(&o, true);
    w.done = true;
    CHECK_OK(task_life_start(&w.life, &w.e));
    CHECK_OK(poll());
    CHECK_INT(task_life_phase(&w.life), PHASE_IDLE);
    CHECK_OK(poll());
    check_told("prepare snapshot done ");
    close_world();
}

/* While it waits between a snapshot and the stream a task can be stopped. */
static void test_delay(void)
{
    struct capture_options o = {.max_retries = -1, .streaming_delay_ms = 1};
    open_world(&o, false);
    w.done = true;
    CHECK_OK(task_life_start(&w.life, &w.e));
    CHECK_OK(poll());
    CHECK_OK(poll());
    check_told("prepare snapshot done ");
    w.ctx.stop = false;
    CHECK_OK(poll());
    w.ctx.stop = true;
    CHECK_OK(poll());
    check_told("stream stream ");
    close_world();
}

/* What the page says of it. */
static bool is_away(void)
{
    struct strbuf text = STRBUF_INIT;
    task_life_describe(&w.life, &text);
    bool since = slice_find(strbuf_slice(&text), SL("\"notConnectedSince\":1")) > 0;
    CHECK(since == (slice_find(strbuf_slice(&text), SL("\"connected\":false")) > 0));
    strbuf_release(&text);
    return since;
}

static void test_connection(void)
{
    struct capture_options o = {.max_retries = -1};
    open_world(&o, false);
    w.fault = E_IO;
    CHECK_OK(task_life_start(&w.life, &w.e));
    CHECK(is_away());
    int64_t since = w.life.away_ms;
    w.life.away_ms = since - 1000;
    CHECK_ERR(poll(), E_AGAIN); /* the time is that of the first fault */
    CHECK_INT(w.life.away_ms, since - 1000);
    w.fault = E_OK;
    CHECK_OK(poll());
    CHECK_INT(task_life_phase(&w.life), PHASE_SNAPSHOT);
    CHECK(!is_away());
    w.done = true;
    CHECK_OK(poll());
    CHECK(!is_away() && task_life_phase(&w.life) == PHASE_STREAM);
    task_life_away(&w.life); /* as a stream does that opens itself again */
    CHECK(is_away() && task_life_phase(&w.life) == PHASE_STREAM);
    task_life_back(&w.life);
    CHECK(!is_away());
    close_world();
}

static void test_retries(void)
{
    struct capture_options o = {.max_retries = 2, .retry_wait_ms = 1000};
    open_world(&o, false);
    w.fault = E_IO;
    CHECK_OK(task_life_start(&w.life, &w.e));
    check_told("prepare disconnect ");
    CHECK_OK(poll());
    check_told(""); /* not yet */
    w.life.retries.next_ms = 0;
    CHECK_ERR(poll(), E_AGAIN);
    check_told("prepare disconnect ");
    w.life.retries.next_ms = 0;
    CHECK_ERR(poll(), E_IO);
    CHECK_STR(w.e.msg, "io.debezium.DebeziumException: refused");
    check_told("prepare ");
    w.fault = E_CANCELLED; /* stopped: no fault */
    CHECK_OK(poll());
    w.fault = E_OK; /* it was there again: as many as before */
    CHECK_OK(poll());
    CHECK_INT(task_life_phase(&w.life), PHASE_SNAPSHOT);
    check_told("prepare prepare ");
    w.fault = E_IO;
    CHECK_ERR(poll(), E_AGAIN);
    CHECK_INT(task_life_phase(&w.life), PHASE_CONNECT);
    check_told("snapshot disconnect ");
    close_world();

    open_world(&o, false);
    w.fault = E_INVALID;
    CHECK_ERR(task_life_start(&w.life, &w.e), E_INVALID);
    CHECK_STR(w.e.msg, "refused");
    w.fault = E_OK;
    CHECK_OK(poll());
    w.fault = E_INVALID;
    CHECK_ERR(poll(), E_INVALID);
    CHECK(strstr(w.e.msg, "This connector will be stopped.\nCaused by: ") != NULL);
    check_told("prepare prepare snapshot failed ");
    close_world();
}

static void test_heartbeats(void)
{
    struct capture_options o = {.max_retries = -1,
                                .heartbeat_interval_ms = 3600000,
                                .heartbeat_topic = SL(" "),
                                .heartbeat_prefix = SL("__hb"),
                                .topic_prefix = SL("p")};
    open_world(&o, false);
    w.next = PHASE_STREAM;
    CHECK_OK(task_life_start(&w.life, &w.e));
    CHECK_OK(poll());
    check_told("prepare stream ");
    w.life.heartbeat.next_ms = 0;
    CHECK_OK(poll());
    check_told("stream beat(1) ");
    const struct record *r = w.b.records;
    CHECK_SLICE(r->topic, SL("__hb.p"));
    CHECK_SLICE(value_slice(r->key.u.v[0]), SL("p"));
    CHECK(r->value.u.v[0].u.i > 0);
    CHECK_OK(poll());
    check_told("stream ");
    w.life.heartbeat.next_ms = 0;
    w.fault = E_IO;
    CHECK_ERR(poll(), E_IO);
    check_told("stream ");
    close_world();

    o.heartbeat_topic = SL("own ");
    open_world(&o, false);
    CHECK_STR(w.life.heartbeat.topic, "own");
    close_world();
}

static void test_state(void)
{
    struct capture_options o = {0};
    struct strbuf text = STRBUF_INIT;
    open_world(&o, false);
    task_life_go(&w.life, PHASE_STREAM);
    task_life_describe(&w.life, &text);
    CHECK_STR(text.p, "\"phase\":\"STREAMING\",\"connected\":true");
    strbuf_release(&text);
    close_world();
}

static const struct test_case tests[] = {
    {"phases", test_phases},
    {"delay of the stream", test_delay},
    {"connected or not", test_connection},
    {"what is tried again", test_retries},
    {"heartbeats", test_heartbeats},
    {"state", test_state},

    {NULL, NULL},
};
const struct test_suite test_task_life = {"cdc/task_life", tests, NULL, NULL};
