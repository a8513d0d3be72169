/* Incremental snapshots: windows, what the stream takes out of them, notes, what is stored. The
 * database is a list of numbers here. SPEC: cdc-mysql 3.7, 3.9, 8.2 */
#include "cdc/incremental.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "helpers.h"

struct world {
    struct incremental inc;
    struct notifier notes;
    struct record_batch b;
    int last;  /* highest number of each table */
    int chunk; /* rows of a window */
    int same;  /* that many numbers have one key: 0 and 1: each its own */
    enum err mark_fault, read_fault;
    enum chunk_outcome outcome; /* CHUNK_ROWS: as the numbers say */
    bool changed;               /* is_valid says no */
    struct strbuf marks, told;
};
static struct world w;

static enum err mark(void *db, struct incremental *inc, bool open, struct error *e)
{
    (void)db;
    (void)inc;
    strbuf_adds(&w.marks, open ? "<" : ">");
    return w.mark_fault ? error_set(e, w.mark_fault, "refused") : E_OK;
}

static enum err read_numbers(void *db, struct incremental *inc, enum chunk_outcome *out,
                             struct error *e)
{
    char text[24];
    (void)db;
    if (w.read_fault)
        return error_set(e, w.read_fault, "refused");
    *out = w.outcome;
    if (w.outcome != CHUNK_ROWS)
        return E_OK;
    if (!inc->max_key) {
        snprintf(text, sizeof text, "[\"%d\"]", w.last);
        incremental_set_max(inc, slice_cstr(text));
    }
    int from = inc->last_key ? atoi(inc->last_key + 2) : 0;
    for (int i = from + 1; i <= w.last && i <= from + w.chunk; i++) {
        int *row = arena_alloc(&inc->arena, sizeof *row);
        *row = i;
        snprintf(text, sizeof text, "%d", w.same ? i - i % w.same : i);
        CHECK_OK(incremental_add(inc, slice_cstr(text), row));
        snprintf(text, sizeof text, "[\"%d\"]", i);
        incremental_set_end(inc, slice_cstr(text));
    }
    *out = inc->rows ? CHUNK_ROWS : CHUNK_END;
    return E_OK;
}

static bool is_valid(void *db, struct incremental *inc)
{
    (void)db;
    (void)inc;
    bool valid = !w.changed;
    w.changed = false;
    return valid;
}

static enum err emit(void *db, struct record_batch *b, const void *row, struct error *e)
{
    (void)db;
    (void)e;
    strbuf_addf(&w.told, "%d ", *(const int *)row);
    return record_batch_add(b) ? E_OK : E_NOMEM;
}

static const struct incremental_ops ops = {
    .mark = mark, .read = read_numbers, .is_valid = is_valid, .emit = emit};

static void open_world(int last, int chunk)
{
    memset(&w, 0, sizeof w);
    w.last = last;
    w.chunk = chunk;
    strbuf_init(&w.marks, 0);
    strbuf_init(&w.told, 0);
    notifier_init(&w.notes, SL("sink, jmx"), SL("notes"), SL("p"));
    record_batch_init(&w.b, 1 << 20);
    incremental_init(&w.inc, &ops, &w, &w.notes);
}

static void close_world(void)
{
    incremental_release(&w.inc);
    notifier_release(&w.notes);
    record_batch_release(&w.b);
    strbuf_release(&w.marks);
    strbuf_release(&w.told);
}

static void ask_for(const char *id, const char *a, const char *b)
{
    const struct slice names[] = {slice_cstr(a), slice_cstr(b)};
    struct signal_request r = {.type = SIGNAL_EXECUTE, .id = slice_cstr(id)};
    incremental_request(&w.inc, &r, names, b ? 2 : 1);
}

static void pass(bool open)
{
    (void)incremental_passed(&w.inc, slice_cstr(w.inc.mark_id), open);
}

/* One window as the stream brings it; told: what it says itself in between. */
static void window(const char *told)
{
    CHECK_OK(incremental_step(&w.inc, NULL));
    pass(true);
    if (told && incremental_watches(&w.inc))
        incremental_streamed(&w.inc, slice_cstr(told));
    pass(false);
    CHECK_OK(incremental_emit(&w.inc, &w.b, 1000, NULL));
}

/* Types of all notes until now, with one member each. */
static void take_notes(const char *member, struct strbuf *out)
{
    strbuf_reset(out);
    record_batch_reset(&w.b);
    CHECK_OK(notifier_flush(&w.notes, &w.b));
    CHECK(w.b.unrepeatable == (w.b.count > 0));
    for (size_t i = 0; i < w.b.count; i++) {
        const struct value *v = w.b.records[i].value.u.v;
        strbuf_addf(out, "%s" PRI_SL, i ? " " : "", ARG_SL(value_slice(v[1])));
        for (uint32_t k = 0; k < v[3].n; k++)
            if (slice_eq_c(value_slice(v[3].u.v[2 * k]), member))
                strbuf_addf(out, "=" PRI_SL, ARG_SL(value_slice(v[3].u.v[2 * k + 1])));
    }
}

static void test_windows(void)
{
    struct strbuf text = STRBUF_INIT;
    open_world(5, 2);
    ask_for("s", "d.a", "d.b");
    window("2");
    CHECK_STR(w.told.p, "1 ");
    CHECK_STR(w.inc.last_key, "[\"2\"]");
    window("9");
    window(NULL);
    CHECK_STR(w.told.p, "1 3 4 5 ");
    window(NULL); /* the end of one table and the beginning of the next */
    CHECK_STR(w.told.p, "1 3 4 5 1 2 ");
    for (int i = 0; i < 4; i++)
        window(NULL);
    CHECK(!incremental_running(&w.inc));
    CHECK_STR(w.told.p, "1 3 4 5 1 2 3 4 5 ");
    CHECK_STR(w.marks.p, "<><><><><><><>");
    take_notes("last_processed_key", &text);
    CHECK_STR(text.p, "STARTED IN_PROGRESS=2 IN_PROGRESS=4 IN_PROGRESS=5 TABLE_SCAN_COMPLETED "
                      "IN_PROGRESS=2 IN_PROGRESS=4 IN_PROGRESS=5 TABLE_SCAN_COMPLETED COMPLETED");
    strbuf_release(&text);
    close_world();
}

/* Marks of others, in a wrong order, or seen twice. */
static void test_marks(void)
{
    open_world(2, 2);
    ask_for("s", "d.a", NULL);
    CHECK_OK(incremental_step(&w.inc, NULL));
    CHECK(!incremental_passed(&w.inc, SL("another"), true));
    CHECK(!incremental_watches(&w.inc));
    CHECK(!incremental_passed(&w.inc, slice_cstr(w.inc.mark_id), false)); /* never opened */
    CHECK_INT(w.inc.window, INC_NONE);
    CHECK_OK(incremental_step(&w.inc, NULL)); /* read again */
    pass(true);
    CHECK(incremental_watches(&w.inc));
    CHECK(!incremental_passed(&w.inc, SL("another"), false));
    pass(true);
    CHECK(incremental_passed(&w.inc, slice_cstr(w.inc.mark_id), false));
    CHECK(incremental_holds(&w.inc));
    CHECK_OK(incremental_emit(&w.inc, &w.b, 1, NULL)); /* a full batch */
    CHECK(w.b.unrepeatable && w.b.count == 1 && incremental_holds(&w.inc));
    incremental_drop(&w.inc); /* too late */
    record_batch_reset(&w.b);
    CHECK_OK(incremental_emit(&w.inc, &w.b, 1, NULL));
    CHECK(!incremental_holds(&w.inc));
    CHECK_STR(w.told.p, "1 2 ");
    close_world();
}

static void test_read_again(void)
{
    open_world(2, 2);
    ask_for("s", "d.a", NULL);
    w.changed = true;
    window(NULL);
    CHECK_STR(w.told.p, "");
    CHECK_OK(incremental_step(&w.inc, NULL));
    pass(true);
    incremental_drop(&w.inc); /* TRUNCATE */
    pass(false);
    CHECK(!incremental_holds(&w.inc));
    window(NULL);
    CHECK_STR(w.told.p, "1 2 ");
    close_world();
}

/* Rows whose keys look the same are all there; which of them the stream means is not known. */
static void test_rows_of_one_key(void)
{
    open_world(4, 4);
    w.same = 2; /* 0: 1; 2: 2, 3; 4: 4 */
    ask_for("s", "d.a", NULL);
    window("4");
    CHECK_STR(w.told.p, "1 2 3 ");
    strbuf_reset(&w.told);
    ask_for("t", "d.a", NULL);
    window(NULL); /* the end of the one before */
    ask_for("t", "d.a", NULL);
    window("2");
    CHECK_STR(w.told.p, ""); /* read again */
    window(NULL);
    CHECK_STR(w.told.p, "1 2 3 4 ");
    close_world();
}

/* A table that is changed all the time ends, too. */
static void test_doubts(void)
{
    open_world(2, 2);
    ask_for("s", "d.a", NULL);
    int rounds = 0;
    for (; !w.told.n && rounds < 100; rounds++) {
        CHECK_OK(incremental_step(&w.inc, NULL));
        pass(true);
        incremental_doubt(&w.inc);
        pass(false);
        CHECK_OK(incremental_emit(&w.inc, &w.b, 1000, NULL));
    }
    CHECK(rounds > 5 && rounds < 50);
    CHECK_STR(w.told.p, "1 2 ");
    close_world();
}

/* What cannot be read yet is read again when the stream has come to where it was tried. */
static void test_later(void)
{
    open_world(2, 2);
    ask_for("s", "d.a", NULL);
    w.outcome = CHUNK_LATER;
    CHECK_OK(incremental_step(&w.inc, NULL));
    CHECK_STR(w.marks.p, "<>");
    w.outcome = CHUNK_ROWS;
    for (int i = 0; i < 100; i++)
        CHECK_OK(incremental_step(&w.inc, NULL)); /* not before */
    CHECK_STR(w.marks.p, "<>");
    pass(true);
    pass(false);
    CHECK(incremental_holds(&w.inc));
    CHECK_OK(incremental_emit(&w.inc, &w.b, 1000, NULL));
    CHECK_STR(w.told.p, "");
    CHECK(!w.inc.last_key);
    window(NULL);
    CHECK_STR(w.told.p, "1 2 ");
    close_world();
}

/* Keys of other columns than before say nothing about where to go on. */
static void test_key_form(void)
{
    struct strbuf text = STRBUF_INIT;
    json_t *o = NULL;
    open_world(4, 2);
    ask_for("s", "d.a", NULL);
    incremental_set_key_form(&w.inc, SL("id INT"));
    window(NULL);
    incremental_set_key_form(&w.inc, SL("id INT"));
    CHECK_STR(w.inc.last_key, "[\"2\"]");
    strbuf_adds(&text, "{\"x\":1");
    incremental_print(&w.inc, &text);
    strbuf_addc(&text, '}');
    close_world();
    open_world(4, 2);
    CHECK_OK(json_load_slice(strbuf_slice(&text), &o, NULL));
    incremental_restore(&w.inc, o);
    json_decref(o);
    CHECK_STR(w.inc.last_key, "[\"2\"]");
    incremental_set_key_form(&w.inc, SL("other INT"));
    CHECK(!w.inc.last_key && !w.inc.max_key);
    window(NULL);
    CHECK_STR(w.told.p, "1 2 ");
    close_world();
    strbuf_release(&text);
}

static void test_faults(void)
{
    struct strbuf text = STRBUF_INIT;
    open_world(2, 2);
    ask_for("s", "d.a", "d.b");
    w.mark_fault = E_IO;
    window(NULL);
    CHECK(incremental_running(&w.inc)); /* later again */
    w.mark_fault = E_OK;
    w.inc.next_try_ms = 0;
    w.outcome = CHUNK_NO_KEY;
    window(NULL);
    CHECK(!incremental_running(&w.inc));
    take_notes("status", &text);
    CHECK_STR(text.p, "STARTED TABLE_SCAN_COMPLETED=NO_PRIMARY_KEY "
                      "TABLE_SCAN_COMPLETED=NO_PRIMARY_KEY COMPLETED");
    w.outcome = CHUNK_ROWS;
    w.mark_fault = E_AUTH;
    ask_for("t", "d.a", NULL);
    window(NULL);
    CHECK(!incremental_running(&w.inc));
    take_notes("status", &text);
    CHECK_STR(text.p, "STARTED ABORTED");
    strbuf_release(&text);
    close_world();
}

static void test_signals(void)
{
    struct strbuf text = STRBUF_INIT;
    const struct slice b[] = {SL_INIT("d.(b|c)")};
    struct signal_request stop = {.collections = b, .collection_count = 1}, all = {0};
    open_world(4, 2);
    incremental_stop(&w.inc, &all);
    incremental_pause(&w.inc, true);
    ask_for("s", "d.a", "d.b");
    ask_for("s2", "d.A", "d.c");
    CHECK_INT(w.inc.count, 3);
    incremental_stop(&w.inc, &stop);
    CHECK_INT(w.inc.count, 1);
    window(NULL);
    incremental_pause(&w.inc, true);
    incremental_pause(&w.inc, true);
    window(NULL);
    CHECK_STR(w.told.p, "1 2 ");
    incremental_pause(&w.inc, false);
    window(NULL);
    CHECK_STR(w.told.p, "1 2 3 4 ");
    incremental_stop(&w.inc, &all);
    CHECK(!incremental_running(&w.inc));
    take_notes("data_collections", &text);
    CHECK_STR(text.p, "STARTED=d.a,d.b ABORTED=d.a,d.b,d.c IN_PROGRESS=d.a PAUSED=d.a RESUMED=d.a "
                      "IN_PROGRESS=d.a ABORTED=d.a");
    strbuf_release(&text);
    close_world();
}

static void restore(const char *json)
{
    json_t *o = NULL;
    CHECK_OK(json_load_slice(slice_cstr(json), &o, NULL));
    incremental_restore(&w.inc, o);
    json_decref(o);
}

static void test_offset(void)
{
    struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;
    open_world(5, 2);
    strbuf_addc(&text, '{');
    incremental_print(&w.inc, &text);
    CHECK_STR(text.p, "{");
    const struct slice names[] = {SL_INIT("d.\"a"), SL_INIT("d.b")};
    const struct signal_condition c[] = {{SLICE_NULL, SL_INIT("v > 'x'")}};
    struct signal_request r = {
        .id = SL("s"), .conditions = c, .condition_count = 1, .surrogate_key = SL("k")};
    incremental_request(&w.inc, &r, names, 2);
    window(NULL);
    incremental_pause(&w.inc, true);
    strbuf_adds(&text, "\"x\":1");
    incremental_print(&w.inc, &text);
    strbuf_addc(&text, '}');
    close_world();
    open_world(5, 2);
    restore(text.p);
    CHECK_INT(w.inc.count, 2);
    CHECK(w.inc.paused);
    CHECK_STR(w.inc.items[1].filter, "v > 'x'");
    CHECK_STR(w.inc.last_key, "[\"2\"]");
    strbuf_adds(&again, "{\"x\":1");
    incremental_print(&w.inc, &again);
    strbuf_addc(&again, '}');
    CHECK_STR(again.p, text.p);
    incremental_pause(&w.inc, false);
    window(NULL);
    CHECK_STR(w.told.p, "3 4 "); /* the next chunk */
    close_world();
    open_world(5, 2);
    restore("{\"incremental_snapshot_collections\":\"[{\\\"incremental_snapshot_collections_id\\\":"
            "\\\"d.a\\\"},{}]\",\"incremental_snapshot_correlation_id\":\"c\","
            "\"incremental_snapshot_primary_key\":\"aced000570\","
            "\"incremental_snapshot_maximum_key\":\"aced000571\"}");
    CHECK_INT(w.inc.count, 1);
    CHECK_STR(w.inc.items[0].correlation, "c");
    window(NULL);
    CHECK_STR(w.told.p, "1 2 "); /* keys of another program: from the beginning */
    close_world();
    open_world(5, 2);
    restore("{\"incremental_snapshot_collections\":\"no json\"}");
    restore("{\"incremental_snapshot_collections\":\"{}\"}");
    CHECK(!incremental_running(&w.inc));
    close_world();
    strbuf_release(&text);
    strbuf_release(&again);
}

static const struct test_case tests[] = {
    {"windows", test_windows},
    {"marks", test_marks},
    {"chunks that are read again", test_read_again},
    {"rows of one key", test_rows_of_one_key},
    {"doubts", test_doubts},
    {"later", test_later},
    {"other keys than before", test_key_form},
    {"faults", test_faults},
    {"signals", test_signals},
    {"the offset", test_offset},
    {NULL, NULL},
};
const struct test_suite test_incremental = {"cdc/incremental", tests, NULL, NULL};
