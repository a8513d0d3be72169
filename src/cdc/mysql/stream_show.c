/* cdc/mysql/stream_show.c - what a stream and a snapshot show of themselves: counters once per
 * poll, texts once per batch. SPEC: cdc-mysql 9 */
#include "cdc/mysql/snapshot.h"
#include "cdc/mysql/stream.h"

#include "base/clock.h"
#include "base/mem.h"

static void set(_Atomic uint64_t *v, uint64_t n)
{
    atomic_store_explicit(v, n, memory_order_relaxed);
}

/* Of the source block: the newest record's. Null slice: there is none. */
static struct slice position(const struct mysql_task *t, struct strbuf *out)
{
    const struct value *f = t->em.source.fields;
    if (f[SOURCE_FILE].kind != VALUE_STRING)
        return SLICE_NULL;
    strbuf_reset(out);
    strbuf_addf(out, "{\"file\":\"%.*s\",\"pos\":\"%lld\",\"row\":\"%lld\"}", (int)f[SOURCE_FILE].n,
                f[SOURCE_FILE].u.s, (long long)f[SOURCE_POS].u.i, (long long)f[SOURCE_ROW].u.i);
    return strbuf_slice(out);
}

static const struct direct_form *direct_of(const struct mysql_task *t)
{
    return t->ctx ? t->ctx->direct : NULL;
}

void mysql_task_show_tables(struct mysql_task *t)
{
    const struct mysql_table *table;
    struct arena a;
    size_t n = 0;
    if (!t->texts || !t->schema)
        return;
    arena_init(&a, 4096, ARENA_NO_BUDGET);
    struct slice *names = xcalloc(mysql_schema_count(t->schema) + 1, sizeof *names);
    for (size_t i = 0; (table = mysql_schema_next(t->schema, &i));) {
        struct strbuf id = STRBUF_INIT;
        if (table->is_view || table->is_sequence || !mysql_task_captures(t, table))
            continue;
        strbuf_addf(&id, PRI_SL "." PRI_SL, ARG_SL(table->db), ARG_SL(table->name));
        names[n++] = arena_dup(&a, strbuf_slice(&id));
        strbuf_release(&id);
    }
    capture_texts_tables(t->texts, names, n);
    mem_free(names);
    arena_release(&a);
}

void snapshot_show(struct mysql_task *t, const struct record_batch *b)
{
    struct strbuf at = STRBUF_INIT;
    if (!atomic_load_explicit(&t->snapshot_event_ms, memory_order_relaxed))
        mysql_task_show_tables(t);
    atomic_store_explicit(&t->snapshot_event_ms, clock_wall_ms(), memory_order_relaxed);
    capture_texts_last(t->texts, TEXT_SNAPSHOT_LAST_EVENT, b, position(t, &at), direct_of(t));
    strbuf_release(&at);
}

/* The transaction of the last record: its GTID, or where it began. */
static void show_transaction(struct stream *s)
{
    struct strbuf at = STRBUF_INIT;
    struct slice id = s->batch_gtid;
    if (!id.p && s->last.file[0]) {
        strbuf_addf(&at, "file=%s,pos=%llu", s->last.file, (unsigned long long)s->last.pos);
        id = strbuf_slice(&at);
    }
    capture_text_set(s->t->texts, TEXT_TRANSACTION, id);
    strbuf_release(&at);
}

static void show_changes(struct stream *s, const struct record_batch *b)
{
    struct mysql_task *t = s->t;
    struct strbuf text = STRBUF_INIT;
    struct slice at = position(t, &text);
    capture_text_set(t->texts, TEXT_POSITION, at);
    capture_texts_last(t->texts, TEXT_LAST_EVENT, b, at, direct_of(t));
    show_transaction(s);
    strbuf_release(&text);
}

static void show_place(struct stream *s)
{
    struct mysql_task *t = s->t;
    if (s->shown_generation != s->generation) {
        s->shown_generation = s->generation;
        mysql_task_show_tables(t);
    }
    if (strcmp(s->shown_file, s->file) == 0)
        return;
    memcpy(s->shown_file, s->file, sizeof s->file);
    capture_text_set(t->texts, TEXT_FILE, slice_cstr(s->file));
}

static void show_counts(const struct stream *s)
{
    struct mysql_task *t = s->t;
    const struct emitter *em = &t->em;
    set(&t->events_seen, s->events);
    set(&t->binlog_pos, s->event_end);
    set(&t->events_filtered, s->filtered);
    set(&t->events_left_out, s->left_out);
    set(&t->rolled_back, s->rolled_back);
    set(&t->created, em->created);
    set(&t->updated, em->updated);
    set(&t->deleted, em->deleted);
    set(&t->unchanged, em->unchanged);
    atomic_store_explicit(&t->by_gtid, s->by_gtid, memory_order_relaxed);
}

void stream_show(struct stream *s, const struct record_batch *b)
{
    struct mysql_task *t = s->t;
    bool changes = t->lag.events > 0;
    if (changes || s->filtered != atomic_load_explicit(&t->events_filtered, memory_order_relaxed)) {
        int64_t now = clock_wall_ms();
        atomic_store_explicit(&t->event_ms, now, memory_order_relaxed);
        lag_stats_batch(&t->lag, now);
    }
    show_counts(s);
    show_place(s);
    if (changes && t->texts)
        show_changes(s, b);
}

void stream_show_gtids(struct stream *s, const struct mysql_offset *at)
{
    capture_text_set(s->t->texts, TEXT_GTIDS, at->gtids.n ? strbuf_slice(&at->gtids) : SLICE_NULL);
}
