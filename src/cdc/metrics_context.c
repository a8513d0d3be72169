/* cdc/metrics_context.c - see metrics_context.h. */
#include "cdc/metrics_context.h"

#include <math.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/metrics.h"

enum { LABEL_MAX = 512 }; /* bytes of a text that /metrics shows */

void metrics_context_init(struct metrics_context *c, struct metrics_table *table)
{
    *c = (struct metrics_context){.table = table, .labels = STRBUF_INIT, .text = STRBUF_INIT};
}

void metrics_context_init_json(struct metrics_context *c, struct strbuf *out)
{
    metrics_context_init(c, NULL);
    c->json = JSON_WRITER(out);
    c->json.comma = out->n > 0;
}

static void close_object(struct metrics_context *c)
{
    if (!c->table && c->begun)
        jw_end_object(&c->json);
    c->begun = false;
}

void metrics_context_begin(struct metrics_context *c, const char *plugin, struct slice prefix,
                           const char *context)
{
    close_object(c);
    c->begun = true;
    if (!c->table) {
        jw_kv_object(&c->json, context);
        return;
    }
    strbuf_reset(&c->labels);
    metrics_label(&c->labels, "plugin", slice_cstr(plugin));
    metrics_label(&c->labels, "name", prefix);
    metrics_label(&c->labels, "context", slice_cstr(context));
}

void metrics_context_end(struct metrics_context *c)
{
    close_object(c);
    strbuf_release(&c->labels);
    strbuf_release(&c->text);
}

/* --- samples of /metrics ---------------------------------------------------------------------- */

static void sample(struct metrics_context *c, const char *attribute, const char *help, double value)
{
    char name[100];
    snprintf(name, sizeof name, "debezium_metrics_%s", attribute);
    metrics_table_add(c->table, name, help, METRICS_GAUGE, c->labels.p, value);
}

/* Labels of one sample go again. */
static void cut(struct strbuf *labels, size_t n)
{
    labels->n = n;
    labels->p[n] = '\0';
}

/* The text without its end when it is too long, cut between characters. */
static struct slice clipped(struct slice s)
{
    if (s.n <= LABEL_MAX)
        return s;
    size_t n = LABEL_MAX;
    while (n > 0 && ((unsigned char)s.p[n] & 0xC0) == 0x80)
        n--;
    return slice_sub(s, 0, n);
}

static void labelled(struct metrics_context *c, const char *label, struct slice text,
                     const char *attribute, const char *help, double value)
{
    size_t n = c->labels.n;
    metrics_label(&c->labels, label, clipped(text));
    sample(c, attribute, help, value);
    cut(&c->labels, n);
}

/* --- attributes ------------------------------------------------------------------------------- */

/* A finite number that JSON can hold. */
static void json_number(struct json_writer *w, double v)
{
    if (isnan(v))
        jw_null(w);
    else if (v == floor(v) && fabs(v) < 1e15)
        jw_i64(w, (int64_t)v);
    else
        jw_double(w, v);
}

void metrics_context_add(struct metrics_context *c, const char *attribute, const char *help,
                         double value)
{
    if (c->table) {
        sample(c, attribute, help, value);
        return;
    }
    jw_key_c(&c->json, attribute);
    json_number(&c->json, value);
}

void metrics_context_add_word(struct metrics_context *c, const char *label, struct slice text,
                              const char *attribute, const char *help)
{
    if (!c->table)
        jw_kv_string(&c->json, attribute, text);
    else if (text.p)
        labelled(c, label, text, attribute, help, 1);
}

void metrics_context_add_text(struct metrics_context *c, const char *label,
                              struct capture_texts *texts, enum capture_text which,
                              const char *attribute, const char *help)
{
    bool given = capture_text_get(texts, which, &c->text);
    metrics_context_add_word(c, label, given ? strbuf_slice(&c->text) : SLICE_NULL, attribute,
                             help);
}

/* A text that is JSON, as it is. False: the samples of /metrics are to be made of *out (to be
 * released), which is NULL when there is nothing. */
static bool json_text(struct metrics_context *c, struct capture_texts *texts,
                      enum capture_text which, const char *attribute, json_t **out)
{
    bool given = capture_text_get(texts, which, &c->text);
    *out = NULL;
    if (c->table) {
        if (given && json_load_slice(strbuf_slice(&c->text), out, NULL))
            *out = NULL;
        return false;
    }
    jw_key_c(&c->json, attribute);
    if (given)
        jw_raw(&c->json, strbuf_slice(&c->text));
    else
        jw_null(&c->json);
    return true;
}

void metrics_context_tables(struct metrics_context *c, struct capture_texts *texts)
{
    static const char help[] = "Tables that are captured: 1 for each.";
    json_t *list, *v;
    size_t i;
    if (json_text(c, texts, TEXT_TABLES, "CapturedTables", &list))
        return;
    json_array_foreach(list, i, v)
        labelled(c, "table", slice_cstr(json_string_value(v)), "CapturedTables", help, 1);
    json_decref(list);
}

void metrics_context_position(struct metrics_context *c, struct capture_texts *texts)
{
    json_t *map, *v;
    const char *key;
    if (json_text(c, texts, TEXT_POSITION, "SourceEventPosition", &map) || !map)
        return;
    size_t n = c->labels.n;
    json_object_foreach(map, key, v)
    {
        char number[24];
        if (!json_is_string(v) && !json_is_integer(v))
            continue;
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        metrics_label(&c->labels, key,
                      clipped(slice_cstr(json_is_string(v) ? json_string_value(v) : number)));
    }
    sample(c, "SourceEventPosition", "Where the last event is: 1 for the position of the labels.",
           1);
    cut(&c->labels, n);
    json_decref(map);
}

void metrics_context_chunk(struct metrics_context *c, struct capture_texts *texts)
{
    metrics_context_add_text(c, "chunk_id", texts, TEXT_CHUNK_ID, "ChunkId",
                             "Chunk of an incremental snapshot: 1 for the id of the label.");
    metrics_context_add_text(c, "chunk_from", texts, TEXT_CHUNK_FROM, "ChunkFrom",
                             "Its first key: 1 for the key of the label.");
    metrics_context_add_text(c, "chunk_to", texts, TEXT_CHUNK_TO, "ChunkTo",
                             "Its last key: 1 for the key of the label.");
    metrics_context_add_text(c, "table_from", texts, TEXT_TABLE_FROM, "TableFrom",
                             "First key of its table: 1 for the key of the label.");
    metrics_context_add_text(c, "table_to", texts, TEXT_TABLE_TO, "TableTo",
                             "Last key of its table: 1 for the key of the label.");
}

void metrics_context_pauses(struct metrics_context *c, const struct capture_texts *texts)
{
    bool paused = texts && atomic_load_explicit(&texts->paused_since_ms, memory_order_relaxed) != 0;
    metrics_context_add(c, "SnapshotPaused", "Whether an incremental snapshot is paused.", paused);
    metrics_context_add(c, "SnapshotPausedDurationInSeconds", "How long such pauses were.",
                        (double)capture_texts_paused_ms(texts) / 1000);
}

void metrics_context_lag(struct metrics_context *c, const struct lag_stats *l)
{
    struct lag_figures f;
    lag_stats_read(l, &f);
#define LAG(suffix, help, value)                                                                   \
    metrics_context_add(c, "MilliSecondsBehindSource" suffix, help, value)
    LAG("", "From the last change to its event here; -1: none yet.", isnan(f.last) ? -1 : f.last);
    LAG("MinValue", "The least since the start.", f.min);
    LAG("MaxValue", "The most since the start.", f.max);
    LAG("AverageValue", "The mean since the start.", f.average);
    LAG("P50", "Half of the events were not further behind.", f.p50);
    LAG("P95", "95% of the events were not further behind.", f.p95);
    LAG("P99", "99% of the events were not further behind.", f.p99);
#undef LAG
}

static void scanned(struct slice id, uint64_t rows, void *arg)
{
    struct metrics_context *c = arg;
    if (c->table) {
        labelled(c, "table", id, "RowsScanned", "Rows that snapshots have read, by table.",
                 (double)rows);
        return;
    }
    jw_key(&c->json, id);
    jw_u64(&c->json, rows);
}

void metrics_context_scans(struct metrics_context *c, const struct scan_counts *s)
{
    if (!c->table)
        jw_kv_object(&c->json, "RowsScanned");
    scan_counts_each((struct scan_counts *)(uintptr_t)s, scanned, c);
    if (!c->table)
        jw_end_object(&c->json);
}

void metrics_context_notes(struct metrics_context *c, const struct notifier *n)
{
    const char *about, *type;
    uint64_t count;
    size_t before = c->labels.n;
    if (!c->table)
        return; /* the page has them as records, where somebody wants them */
    for (size_t i = 0; n && notifier_count(n, i, &about, &type, &count); i++) {
        metrics_label(&c->labels, "aggregate_type", slice_cstr(about));
        labelled(c, "type", slice_cstr(type), "Notifications",
                 "Notes of the channel jmx, by what they say.", (double)count);
        cut(&c->labels, before);
    }
}

double metrics_context_load(const _Atomic uint64_t *v)
{
    return (double)atomic_load_explicit(v, memory_order_relaxed);
}

double metrics_context_since(const _Atomic int64_t *ms)
{
    int64_t at = atomic_load_explicit(ms, memory_order_relaxed);
    return at ? (double)MAX(clock_wall_ms() - at, (int64_t)0) : -1;
}
