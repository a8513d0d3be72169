/* cdc/mongodb/stream_show.c - what a stream and a snapshot show of themselves, once per batch.
 * SPEC: cdc-mongodb 9 */
#include "base/clock.h"
#include "base/mem.h"
#include "cdc/bson/bson_json.h"
#include "cdc/mongodb/stream_open.h"

void mongo_task_show_collections(struct mongo_task *t)
{
    const struct map *all = &t->collections.by_id;
    struct slice key;
    void *value;
    size_t n = 0;
    if (t->shown_collections == all->count)
        return;
    t->shown_collections = all->count;
    struct slice *names = xcalloc(all->count + 1, sizeof *names);
    for (size_t i = 0; map_next(all, &i, &key, &value);) {
        const struct collection *c = value;
        if (c->captured)
            names[n++] = c->id;
    }
    capture_texts_tables(t->texts, names, n);
    mem_free(names);
}

void mongo_snapshot_show(struct mongo_task *t, const struct record_batch *b)
{
    atomic_store_explicit(&t->snapshot_event_ms, clock_wall_ms(), memory_order_relaxed);
    mongo_task_show_collections(t);
    capture_texts_last(t->texts, TEXT_SNAPSHOT_LAST_EVENT, b, SLICE_NULL, t->em.direct);
}

void mongo_stream_show_transaction(struct mongo_stream *s)
{
    static const struct bson_json_form form = {BSON_JSON_STRICT, BSON_JSON_COMPACT};
    const struct change *c = &s->last;
    struct strbuf id = STRBUF_INIT;
    if (LIKELY(!c->in_transaction))
        return;
    bson_json_print(c->lsid, form, &id);
    strbuf_addf(&id, ":%lld", (long long)c->txn_number);
    if (!strbuf_err(&id))
        capture_text_set(s->t->texts, TEXT_TRANSACTION, strbuf_slice(&id));
    strbuf_release(&id);
}

void mongo_stream_show(struct mongo_stream *s, const struct record_batch *b)
{
    struct mongo_task *t = s->t;
    struct strbuf at = STRBUF_INIT;
    mongo_task_show_collections(t);
    if (!t->lag.events)
        return;
    lag_stats_batch(&t->lag, s->now_ms);
    mongo_offset_print(&s->at, &at);
    capture_text_set(t->texts, TEXT_POSITION, strbuf_slice(&at));
    capture_texts_last(t->texts, TEXT_LAST_EVENT, b, strbuf_slice(&at), t->em.direct);
    strbuf_release(&at);
}
