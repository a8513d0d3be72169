/* What becomes of signals between two polls of the stream: which names they stand for, what comes
 * first, how blocking snapshots end. The database says what it was asked. SPEC: cdc-mysql 3.6,
 * 3.8 */
#include "cdc/signal_work.h"

#include "base/log_tap.h"
#include "base/mem.h"
#include "helpers.h"

struct world {
    struct signal_work work;
    struct task_ctx ctx;
    struct capture_options o;
    struct scan_counts scanned;
    struct record_batch b;
    struct strbuf told; /* what the database was asked for, in order */
    bool runs, done;
    enum err fault; /* of the next poll of a blocking snapshot */
};
static struct world w;

static void list(void *db, const struct signal_request *r, struct signal_names *out)
{
    static const char *const names[] = {"d.a", "d.b", "d.c", "e.a"};
    (void)db;
    (void)r;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        signal_names_add(out, slice_cstr(names[i]));
}

static void print_offset(void *db, struct strbuf *out)
{
    (void)db;
    strbuf_adds(out, "{\"pos\":4}");
    strbuf_adds(&w.told, "where ");
}

static void wants_offset(void *db)
{
    (void)db;
    strbuf_adds(&w.told, "offset ");
}

static enum err put_offset(void *db, struct record_batch *b, struct error *e)
{
    (void)db;
    (void)b;
    (void)e;
    strbuf_adds(&w.told, "put ");
    return E_OK;
}

static bool blocking_runs(void *db)
{
    (void)db;
    return w.runs;
}

static enum err blocking_begin(void *db, const struct signal_request *r, struct error *e)
{
    (void)db;
    (void)e;
    w.runs = true;
    strbuf_addf(&w.told, "begin(" PRI_SL ") ", ARG_SL(r->collections[0]));
    return E_OK;
}

static enum err blocking_poll(void *db, struct record_batch *b, bool *done, struct error *e)
{
    (void)db;
    (void)b;
    strbuf_adds(&w.told, "poll ");
    if (w.fault)
        return error_set(e, w.fault, "refused");
    *done = w.done;
    if (w.done)
        snapshot_queue_done(&w.work.blocking);
    return E_OK;
}

static bool passes(const struct error *e)
{
    return e->code == E_CONFLICT;
}

static enum err blocking_end(void *db, struct record_batch *b, bool failed, bool again,
                             struct error *e)
{
    (void)db;
    (void)b;
    CHECK_INT(e->code, E_OK);
    w.runs = false;
    strbuf_adds(&w.told, again ? "again " : failed ? "failed " : "end ");
    if (failed && !again)
        snapshot_queue_done(&w.work.blocking);
    return E_OK;
}

/* A collection has no rows, but is there. */
static enum err mark(void *db, struct incremental *inc, bool open, struct error *e)
{
    (void)db;
    (void)inc;
    (void)e;
    strbuf_adds(&w.told, open ? "< " : "> ");
    return E_OK;
}

static enum err read_chunk(void *db, struct incremental *inc, enum chunk_outcome *out,
                           struct error *e)
{
    (void)db;
    (void)e;
    strbuf_addf(&w.told, "read(%s) ", inc->items[0].id);
    *out = CHUNK_LATER;
    return E_OK;
}

static const struct incremental_ops chunks = {.mark = mark, .read = read_chunk};
static const struct signal_work_ops ops = {
    .log = LOG_CDC,
    .incremental = &chunks,
    .kind = "table",
    .no_position = "not here",
    .list = list,
    .print_offset = print_offset,
    .wants_offset = wants_offset,
    .put_offset = put_offset,
    .blocking_runs = blocking_runs,
    .blocking_begin = blocking_begin,
    .blocking_poll = blocking_poll,
    .passes = passes,
    .blocking_end = blocking_end,
};

static void open_world(const char *channels)
{
    memset(&w, 0, sizeof w);
    strbuf_init(&w.told, 0);
    scan_counts_init(&w.scanned);
    record_batch_init(&w.b, ARENA_NO_BUDGET);
    w.o = (struct capture_options){.signal_channels = slice_cstr(channels),
                                   .topic_prefix = SL("p"),
                                   .max_retries = -1,
                                   .retry_wait_ms = 60000};
    signal_work_init(&w.work, &ops, &w, &w.ctx, &w.o, &w.scanned, NULL);
}

static void close_world(void)
{
    signal_work_release(&w.work);
    record_batch_release(&w.b);
    scan_counts_release(&w.scanned);
    strbuf_release(&w.told);
}

static void row(const char *id, const char *type, const char *data)
{
    struct signal s = {.id = slice_cstr(id), .type = slice_cstr(type), .data = slice_cstr(data)};
    signal_work_row(&w.work, &s, true);
}

/* What the database was asked for since the last look. */
static void check_told(const char *want)
{
    CHECK_SLICE(strbuf_slice(&w.told), slice_cstr(want));
    strbuf_reset(&w.told);
}

static bool poll(bool connected)
{
    bool taken = false;
    struct error e = {0};
    CHECK_OK(signal_work_poll(&w.work, connected, &w.b, &taken, &e));
    return taken;
}

static char warned[200];

static void on_warning(enum log_level level, const struct log_ctx *ctx, const char *text)
{
    (void)level, (void)ctx;
    snprintf(warned, sizeof warned, "%s", text);
}

/* It is told which names are none; not those whose table another one named. A blocking snapshot
 * tells it itself, when it has listed what is there. */
static void test_unknown_names(void)
{
    static const char data[] = "{\"data-collections\":[\"d.a\",\"d.none\",\"d\\\\.a\",\"x\"]}";
    open_world("source");
    log_tap(on_warning);
    row("1", "execute-snapshot", data);
    log_tap(NULL);
    CHECK_STR(warned, "signal '1': no captured table matches 'd.none', 'x'; names have the form "
                      "database.table");
    CHECK_INT(w.work.inc.count, 3);
    CHECK_STR(w.work.inc.items[0].id, "d.a");
    CHECK_STR(w.work.inc.items[1].id, "d.none");
    CHECK_STR(w.work.inc.items[2].id, "x");
    close_world();
}

static void test_names(void)
{
    open_world("source");
    row("1", "execute-snapshot", "{\"data-collections\":[\"e.a\",\"d\\\\.[ab]\",\"d.none\"]}");
    CHECK_INT(w.work.inc.count, 4);
    CHECK_STR(w.work.inc.items[0].id, "e.a");
    CHECK_STR(w.work.inc.items[1].id, "d.a");
    CHECK_STR(w.work.inc.items[2].id, "d.b");
    CHECK_STR(w.work.inc.items[3].id, "d.none");
    row("2", "stop-snapshot", "{\"type\":\"blocking\"}");
    CHECK_INT(w.work.inc.count, 4);
    row("3", "pause-snapshot", "");
    CHECK(w.work.inc.paused);
    row("4", "resume-snapshot", "");
    CHECK(!w.work.inc.paused);
    row("5", "stop-snapshot", "{\"data-collections\":[\"d\\\\..*\"]}");
    CHECK_INT(w.work.inc.count, 1);
    row("6", "stop-snapshot", "");
    CHECK_INT(w.work.inc.count, 0);
    check_told("");
    row("7", "log", "{\"message\":\"at {}\"}");
    check_told("where ");
    close_world();
}

/* The signal collection is read for marks all the same. */
static void test_channels(void)
{
    open_world("kafka");
    row("1", "execute-snapshot", "{\"data-collections\":[\"d.a\"]}");
    CHECK_INT(w.work.inc.count, 0);
    snprintf(w.work.inc.mark_id, sizeof w.work.inc.mark_id, "u");
    w.work.inc.window = INC_WAITING;
    row("u-open", "snapshot-window-open", "");
    CHECK_INT(w.work.inc.window, INC_OPEN);
    row("v-close", "snapshot-window-close", ""); /* of another one */
    signal_work_mark(&w.work, SL("u-close"), false);
    signal_work_mark(&w.work, SL("open"), true);
    CHECK_INT(w.work.inc.window, INC_OPEN);
    CHECK(!signal_work_holds(&w.work));
    signal_work_mark(&w.work, SL("u-open"), false);
    CHECK_INT(w.work.inc.window, INC_CLOSED);
    CHECK(signal_work_holds(&w.work));
    close_world();
}

static void test_chunks(void)
{
    open_world("source");
    row("1", "execute-snapshot", "{\"data-collections\":[\"d.a\"]}");
    CHECK(!poll(false)); /* no chunk without a stream */
    check_told("");
    CHECK(!poll(true));
    check_told("< read(d.a) > offset ");
    CHECK(!poll(true));
    check_told("");
    close_world();
}

static void test_blocking(void)
{
    open_world("source");
    row("1", "execute-snapshot", "{\"data-collections\":[\"d.a\"],\"type\":\"blocking\"}");
    row("2", "execute-snapshot", "{\"data-collections\":[\"d.b\"],\"type\":\"blocking\"}");
    CHECK(signal_work_holds(&w.work));
    CHECK(!poll(false)); /* nor a snapshot; but it is stored that there will be one */
    check_told("offset ");
    CHECK(poll(true));
    check_told("begin(d.a) poll ");
    CHECK(poll(false)); /* one that runs goes on */
    check_told("poll ");
    w.fault = E_CONFLICT;
    CHECK(poll(true));
    check_told("poll again ");
    CHECK_INT(w.work.blocking.count, 2);
    CHECK(poll(true)); /* there is a pause */
    check_told("");
    w.work.retries.next_ms = 0;
    w.fault = E_OK;
    w.done = true;
    CHECK(poll(true));
    check_told("begin(d.a) poll end ");
    CHECK_INT(w.work.blocking.count, 1);
    w.fault = E_IO;
    w.ctx.stop = true; /* it is no failure when the task stops */
    CHECK(poll(true));
    check_told("begin(d.b) poll ");
    w.ctx.stop = false;
    CHECK(poll(true));
    check_told("poll failed ");
    CHECK(!signal_work_holds(&w.work));
    close_world();
}

static void test_retries_of_blocking(void)
{
    open_world("source");
    w.o.retry_wait_ms = 0;
    w.o.max_retries = 2;
    w.fault = E_CONFLICT;
    row("1", "execute-snapshot", "{\"data-collections\":[\"d.a\"],\"type\":\"blocking\"}");
    row("2", "execute-snapshot", "{\"data-collections\":[\"d.b\"],\"type\":\"blocking\"}");
    for (const char *const *c = (const char *const[]){"d.a", "d.b", NULL}; *c; c++) {
        for (int i = 0; i < 3; i++)
            CHECK(poll(true));
        struct strbuf want = STRBUF_INIT;
        for (int i = 0; i < 3; i++)
            strbuf_addf(&want, "begin(%s) poll %s ", *c, i < 2 ? "again" : "failed");
        check_told(want.p);
        strbuf_release(&want);
    }
    CHECK(!signal_work_holds(&w.work));
    close_world();
}

static void test_offset(void)
{
    struct strbuf text = STRBUF_INIT;
    open_world("source");
    row("1", "execute-snapshot", "{\"data-collections\":[\"d.a\"],\"type\":\"blocking\"}");
    row("2", "execute-snapshot", "{\"data-collections\":[\"d.b\"]}");
    strbuf_adds(&text, "{\"pos\":4");
    signal_work_print(&w.work, &text);
    strbuf_adds(&text, "}");
    close_world();
    open_world("source");
    signal_work_restore(&w.work, strbuf_slice(&text));
    CHECK_INT(w.work.inc.count, 1);
    CHECK_INT(w.work.blocking.count, 1);
    signal_work_forget(&w.work);
    CHECK_INT(w.work.inc.count, 0);
    CHECK_INT(w.work.blocking.count, 0);
    strbuf_reset(&text);
    signal_work_print(&w.work, &text);
    CHECK_SLICE(strbuf_slice(&text), SL(""));
    strbuf_release(&text);
    close_world();
}

static const struct test_case tests[] = {
    {"unknown names", test_unknown_names}, /* first: lines in a row may be held back */
    {"names that signals stand for", test_names},
    {"channels and marks", test_channels},
    {"chunks", test_chunks},
    {"blocking snapshots", test_blocking},
    {"blocking snapshots begin anew", test_retries_of_blocking},
    {"what is stored", test_offset},
    {NULL, NULL},
};
const struct test_suite test_signal_work = {"cdc/signal_work", tests, NULL, NULL};
