/* What tasks of capture show of themselves: how far they are behind, texts, attributes as JSON. */
#include <math.h>

#include "cdc/lag_stats.h"
#include "cdc/metrics_context.h"

#include "base/mem.h"
#include "helpers.h"

static void batch(struct lag_stats *l, int64_t oldest, int64_t newest, int64_t now, int events)
{
    for (int i = 0; i < events; i++)
        lag_stats_note(l, i == 0 ? oldest : newest);
    lag_stats_batch(l, now);
}

static void test_lag(void)
{
    struct lag_stats *l = xcalloc(1, sizeof *l);
    struct lag_figures f;
    lag_stats_batch(l, 1000);
    lag_stats_read(l, &f);
    CHECK(isnan(f.last) && isnan(f.min) && isnan(f.average) && isnan(f.p50) && isnan(f.p99));
    batch(l, 990, 990, 1000, 1);
    lag_stats_read(l, &f);
    CHECK(f.last == 10 && f.min == 10 && f.max == 10 && f.average == 10);
    CHECK(f.p50 == 10 && f.p95 == 10 && f.p99 == 10);
    batch(l, 0, 1000, 1000, 8); /* half of them 1000 ms behind, half not at all */
    lag_stats_read(l, &f);
    CHECK(f.last == 0 && f.min == 0 && f.max == 1000 && f.average == floor(4010.0 / 9));
    CHECK(f.p50 == 10);
    CHECK(f.p95 > 960 && f.p95 <= 1000 && f.p99 == f.p95);
    batch(l, 3000, 3000, 1000, 1); /* a source whose clock is ahead */
    lag_stats_read(l, &f);
    CHECK(f.last == 0 && f.min == 0);
    mem_free(l);
}

static void test_percentiles(void)
{
    struct lag_stats *l = xcalloc(1, sizeof *l);
    struct lag_figures f;
    for (int64_t i = 1; i <= 10000; i++)
        batch(l, 0, 0, i, 1);
    lag_stats_read(l, &f);
    CHECK(fabs(f.p50 - 5000) < 200 && fabs(f.p95 - 9500) < 350 && fabs(f.p99 - 9900) < 350);
    CHECK(f.average == 5000 && f.min == 1 && f.max == 10000);
    batch(l, INT64_MIN / 4, INT64_MIN / 4, 0, 1); /* beyond the last bucket */
    lag_stats_read(l, &f);
    CHECK(f.max == (double)-(INT64_MIN / 4));
    mem_free(l);
}

static const char *text_of(struct capture_texts *t, enum capture_text which, struct strbuf *out)
{
    return capture_text_get(t, which, out) ? out->p : NULL;
}

static void test_texts(void)
{
    struct capture_texts *t = capture_texts_new();
    struct strbuf out = STRBUF_INIT;
    CHECK(!capture_text_get(t, TEXT_FILE, &out));
    capture_text_set(t, TEXT_FILE, SL("binlog.1"));
    CHECK_STR(text_of(t, TEXT_FILE, &out), "binlog.1");
    capture_text_set(t, TEXT_FILE, SLICE_NULL);
    CHECK(!capture_text_get(t, TEXT_FILE, &out));
    struct slice names[] = {SL("d.b"), SL("d.\"q\""), SL("d.a")};
    capture_texts_tables(t, names, ARRAY_LEN(names));
    CHECK_STR(text_of(t, TEXT_TABLES, &out), "[\"d.\\\"q\\\"\",\"d.a\",\"d.b\"]");
    capture_texts_chunk(t, SL("1"), SL("[1]"), SL("[5]"), SL("[9]"), true);
    capture_texts_chunk(t, SL("2"), SL("[6]"), SL("[9]"), SL("[9]"), false);
    CHECK_STR(text_of(t, TEXT_CHUNK_FROM, &out), "[6]");
    CHECK_STR(text_of(t, TEXT_TABLE_FROM, &out), "[1]");
    CHECK_INT(capture_texts_paused_ms(t), 0);
    capture_texts_pause(t, true);
    CHECK(capture_texts_paused_ms(t) >= 0);
    capture_texts_pause(t, false);
    CHECK_INT(t->paused_since_ms, 0);
    capture_text_set(NULL, TEXT_FILE, SL("x"));
    CHECK(!capture_text_get(NULL, TEXT_FILE, &out));
    capture_texts_free(t);
    strbuf_release(&out);
}

/* --- the last record -------------------------------------------------------------------------- */

static void add_written(struct record_batch *b, struct slice head, struct slice key)
{
    struct record *r = record_batch_add(b);
    r->text =
        (struct record_text){.used = true, .key_at = b->text.n, .key_n = key.n, .key_head = head};
    strbuf_add_slice(&b->text, key);
}

static void test_last_event(void)
{
    struct capture_texts *t = capture_texts_new();
    struct strbuf out = STRBUF_INIT;
    struct direct_form wrapped = {.key = {.schemas = true}}, bare = {0};
    struct record_batch b;
    record_batch_init(&b, 1 << 20);
    capture_texts_last(t, TEXT_LAST_EVENT, &b, SL("{}"), &bare);
    CHECK(!capture_text_get(t, TEXT_LAST_EVENT, &out));
    add_written(&b, SLICE_NULL, SL("{\"id\":1}"));
    capture_texts_last(t, TEXT_LAST_EVENT, &b, SL("{\"pos\":4}"), &bare);
    CHECK_STR(text_of(t, TEXT_LAST_EVENT, &out), "position: {\"pos\":4}, key: {\"id\":1}");
    add_written(&b, SL("{\"schema\":{},\"payload\":{\"id\":\""), SL("7\"}}"));
    capture_texts_last(t, TEXT_LAST_EVENT, &b, SLICE_NULL, &wrapped);
    CHECK_STR(text_of(t, TEXT_LAST_EVENT, &out), "key: {\"id\":\"7\"}");
    struct record *r = record_batch_add(&b);
    r->key = value_string(SL("k"));
    capture_texts_last(t, TEXT_LAST_EVENT, &b, SLICE_NULL, NULL);
    CHECK_STR(text_of(t, TEXT_LAST_EVENT, &out), "key: \"k\"");
    r = record_batch_add(&b); /* without a key */
    capture_texts_last(t, TEXT_LAST_EVENT, &b, SL("{}"), NULL);
    CHECK_STR(text_of(t, TEXT_LAST_EVENT, &out), "position: {}");
    record_batch_release(&b);
    capture_texts_free(t);
    strbuf_release(&out);
}

/* --- both forms of the attributes ------------------------------------------------------------- */

static void attributes(struct metrics_context *c, struct capture_texts *t)
{
    metrics_context_begin(c, "mysql", SL("p"), "streaming");
    metrics_context_add(c, "A", "Help.", 1.5);
    metrics_context_add(c, "B", "Help.", NAN);
    metrics_context_add_text(c, "gtid_set", t, TEXT_GTIDS, "GtidSet", "Help.");
    metrics_context_position(c, t);
    metrics_context_tables(c, t);
    metrics_context_begin(c, "mysql", SL("p"), "snapshot");
    metrics_context_add(c, "A", "Help.", 2);
    metrics_context_end(c);
}

static void test_forms(void)
{
    struct capture_texts *t = capture_texts_new();
    struct metrics_context c;
    struct metrics_table table;
    struct strbuf out = STRBUF_INIT;
    struct slice names[] = {SL("d.a"), SL("d.b")};
    strbuf_adds(&out, "\"phase\":\"X\"");
    metrics_context_init_json(&c, &out);
    attributes(&c, t);
    CHECK_STR(out.p,
              "\"phase\":\"X\",\"streaming\":{\"A\":1.5,\"B\":null,\"GtidSet\":null,"
              "\"SourceEventPosition\":null,\"CapturedTables\":null},\"snapshot\":{\"A\":2}");
    capture_texts_tables(t, names, 2);
    capture_text_set(t, TEXT_GTIDS, SL("0-1-\"2\""));
    capture_text_set(t, TEXT_POSITION, SL("{\"file\":\"f\",\"pos\":4,\"on\":true}"));
    strbuf_reset(&out);
    metrics_context_init_json(&c, &out);
    attributes(&c, t);
    CHECK_STR(out.p, "\"streaming\":{\"A\":1.5,\"B\":null,\"GtidSet\":\"0-1-\\\"2\\\"\","
                     "\"SourceEventPosition\":{\"file\":\"f\",\"pos\":4,\"on\":true},"
                     "\"CapturedTables\":[\"d.a\",\"d.b\"]},\"snapshot\":{\"A\":2}");
    metrics_table_init(&table);
    metrics_context_init(&c, &table);
    attributes(&c, t);
    strbuf_reset(&out);
    metrics_table_print(&table, &out);
    metrics_table_release(&table);
#define LABELS "plugin=\"mysql\",name=\"p\",context=\"streaming\""
    const char *const lines[] = {
        "debezium_metrics_A{" LABELS "} 1.5\n",
        "debezium_metrics_A{plugin=\"mysql\",name=\"p\",context=\"snapshot\"} 2\n",
        "debezium_metrics_B{" LABELS "} NaN\n",
        "debezium_metrics_GtidSet{" LABELS ",gtid_set=\"0-1-\\\"2\\\"\"} 1\n",
        "debezium_metrics_SourceEventPosition{" LABELS ",file=\"f\",pos=\"4\"} 1\n",
        "debezium_metrics_CapturedTables{" LABELS ",table=\"d.a\"} 1\n",
        "debezium_metrics_CapturedTables{" LABELS ",table=\"d.b\"} 1\n",
    };
#undef LABELS
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        CHECK(slice_find(strbuf_slice(&out), slice_cstr(lines[i])) >= 0);
    capture_texts_free(t);
    strbuf_release(&out);
}

static void test_long_labels(void)
{
    struct capture_texts *t = capture_texts_new();
    struct metrics_context c;
    struct metrics_table table;
    struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
    strbuf_adds(&text, "x");
    for (int i = 0; i < 1000; i++)
        strbuf_adds(&text, "\xc3\xa4"); /* a character of two bytes */
    metrics_table_init(&table);
    metrics_context_init(&c, &table);
    metrics_context_begin(&c, "mysql", SL("p"), "streaming");
    capture_text_set(t, TEXT_GTIDS, strbuf_slice(&text));
    metrics_context_add_text(&c, "gtid_set", t, TEXT_GTIDS, "GtidSet", "Help.");
    metrics_context_end(&c);
    metrics_table_print(&table, &out);
    CHECK(slice_find(strbuf_slice(&out), SL("\xa4\"} 1\n")) >= 0);
    CHECK(out.n < 1000);
    metrics_table_release(&table);
    capture_texts_free(t);
    strbuf_release(&text);
    strbuf_release(&out);
}

static const struct test_case tests[] = {
    {"lag behind the source", test_lag},
    {"percentiles", test_percentiles},
    {"texts, pauses", test_texts},
    {"the last event", test_last_event},
    {"both forms of the attributes", test_forms},
    {"labels are bounded", test_long_labels},
    {NULL, NULL},
};
const struct test_suite test_capture_show = {"cdc/capture_show", tests, NULL, NULL};
