/* cdc/mongodb/signals.c - signals of a MongoDB connector: documents of the signal collection,
 * collections that signals name, blocking snapshots in the place of the stream. SPEC: cdc-mongodb
 * 4.3 */
#include "cdc/mongodb/signals.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/bson/bson_json.h"
#include "cdc/mongodb/chunk_key.h"
#include "cdc/mongodb/snapshot.h"
#include "cdc/mongodb/stream.h"

/* --- collections ------------------------------------------------------------------------------ */

static void list_collections(void *db, const struct signal_request *r, struct signal_names *out)
{
    struct mongo_signals *g = db;
    struct signal_request all = *r;
    struct snap_list list;
    struct error e = {0};
    all.condition_count = 0; /* filters are read with the chunks */
    snap_list_init(&list);
    if (snap_list_fill(&list, g->t, mongo_signals_client(g), &all, &e))
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, &e,
                "signal: collections cannot be listed; its names are taken as they are");
    for (size_t i = 0; i < list.count; i++)
        if (!list.items[i].c->is_signals)
            signal_names_add(out, list.items[i].c->id);
    snap_list_release(&list);
}

/* --- the stream's position -------------------------------------------------------------------- */

static void print_offset(void *db, struct strbuf *out)
{
    const struct mongo_signals *g = db;
    mongo_offset_print(g->t->stream ? mongo_stream_offset(g->t->stream) : &g->t->offset, out);
}

static void wants_offset(void *db)
{
    struct mongo_signals *g = db;
    mongo_stream_wants_offset(g->t->stream);
}

static enum err put_offset(void *db, struct record_batch *b, struct error *e)
{
    struct mongo_signals *g = db;
    return mongo_stream_put_offset(g->t->stream, b, e);
}

/* --- documents of the stream ------------------------------------------------------------------ */

/* Texts as they are, what else stands there as JSON. */
static struct slice text_of(const struct bson_item *i, struct arena *a)
{
    static const struct bson_json_form form = {BSON_JSON_RELAXED, BSON_JSON_COMPACT};
    if (i->kind == BSON_STRING)
        return arena_dup(a, bson_text(i));
    struct strbuf b = STRBUF_INIT;
    bson_json_print_item(i, form, &b);
    struct slice text = arena_dup(a, strbuf_slice(&b));
    strbuf_release(&b);
    return text;
}

/* Exactly three fields, by position: _id, type, data. SPEC: cdc-mongodb 4.3 */
static void on_document(void *arg, struct slice document)
{
    struct mongo_signals *g = arg;
    struct bson_walk w;
    struct bson_item i, fields[3];
    size_t n = 0;
    struct arena a;
    bson_walk_init(&w, document);
    while (bson_walk_next(&w, &i)) {
        if (n < ARRAY_LEN(fields))
            fields[n] = i;
        n++;
    }
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    struct slice id = n ? text_of(&fields[0], &a) : SL("");
    if (n != ARRAY_LEN(fields)) {
        LOG_WARN(LOG_CDC_MONGO, "The signal event '" PRI_SL "' should have 3 fields but has %zu",
                 ARG_SL(id), n);
    } else {
        struct signal s = {.id = id,
                           .type = text_of(&fields[1], &a),
                           .data =
                               fields[2].kind == BSON_NULL ? SLICE_NULL : text_of(&fields[2], &a)};
        signal_work_row(&g->work, &s, true);
    }
    arena_release(&a);
}

static void on_signal_change(struct mongo_signals *g, const struct change *c)
{
    if (c->kind == CHANGE_INSERT && c->after.p)
        on_document(g, c->after);
    else if (c->kind == CHANGE_DELETE && c->has_id && c->id.kind == BSON_STRING)
        signal_work_mark(&g->work, bson_text(&c->id), false);
}

void mongo_signals_change(struct mongo_signals *g, const struct collection *c,
                          const struct change *change, bool told)
{
    if (c->is_signals)
        on_signal_change(g, change);
    if (!incremental_watches(&g->work.inc) || g->chunk_of != c || !change->has_id ||
        (!told && change->kind != CHANGE_DELETE))
        return;
    strbuf_reset(&g->key);
    mongo_chunk_key_exact(&change->id, &g->key);
    incremental_streamed(&g->work.inc, strbuf_slice(&g->key));
}

/* --- blocking snapshots ----------------------------------------------------------------------- */

static bool blocking_runs(void *db)
{
    const struct mongo_signals *g = db;
    return g->t->snapshot != NULL;
}

static enum err blocking_begin(void *db, const struct signal_request *r, struct error *e)
{
    struct mongo_signals *g = db;
    (void)e;
    g->t->snapshot = mongo_snapshot_new(g->t, mongo_stream_offset(g->t->stream), r);
    return E_OK;
}

static enum err blocking_poll(void *db, struct record_batch *b, bool *done, struct error *e)
{
    struct mongo_signals *g = db;
    return mongo_snapshot_poll(g->t->snapshot, b, done, e);
}

static enum err blocking_end(void *db, struct record_batch *b, bool failed, bool again,
                             struct error *e)
{
    struct mongo_signals *g = db;
    struct mongo_task *t = g->t;
    enum err rc = E_OK;
    if (failed && t->snapshot)
        mongo_snapshot_aborted(t->snapshot);
    if (failed && !again)
        snapshot_queue_ending(&g->work.blocking, true);
    if (failed && b->count)
        rc = mongo_stream_put_offset(t->stream, b, e); /* with what is told */
    if (failed && !again && !rc)
        snapshot_queue_done(&g->work.blocking);
    mongo_snapshot_free(t->snapshot);
    t->snapshot = NULL;
    return rc;
}

/* --- life ------------------------------------------------------------------------------------- */

static const struct signal_work_ops work_ops = {
    .log = LOG_CDC_MONGO,
    .incremental = &mongo_incremental_ops,
    .kind = "collection",
    .no_position = "there is no binlog; the position of a stopped connector is changed by PATCH "
                   "/connectors/NAME/offsets",
    .list = list_collections,
    .print_offset = print_offset,
    .wants_offset = wants_offset,
    .put_offset = put_offset,
    .blocking_runs = blocking_runs,
    .blocking_begin = blocking_begin,
    .blocking_poll = blocking_poll,
    .passes = mongo_fault_passes,
    .blocking_end = blocking_end,
};

struct mongo_signals *mongo_signals_new(struct mongo_task *t)
{
    struct mongo_signals *g = xcalloc(1, sizeof *g);
    g->t = t;
    signal_work_init(&g->work, &work_ops, g, t->ctx, &t->o.shared, &t->scanned, t->texts);
    if (g->work.channels.source)
        g->outside = mongo_signal_stream_new(t);
    strbuf_init(&g->key, 0);
    return g;
}

mongoc_client_t *mongo_signals_client(struct mongo_signals *g)
{
    if (!g->client)
        g->client = mongo_client_take(g->t->pool);
    return g->client;
}

void mongo_signals_disconnect(struct mongo_signals *g)
{
    if (!g || !g->client)
        return;
    mongo_signal_stream_disconnect(g->outside);
    mongo_client_give(g->t->pool, g->client);
    g->client = NULL;
}

void mongo_signals_free(struct mongo_signals *g)
{
    if (!g)
        return;
    signal_work_release(&g->work);
    mongo_signal_stream_free(g->outside);
    strbuf_release(&g->key);
    mem_free(g);
}

/* --- between polls ---------------------------------------------------------------------------- */

enum err mongo_signals_poll(struct mongo_signals *g, struct record_batch *b, bool *taken,
                            struct error *e)
{
    mongo_window_look(g);
    if (g->outside && !signal_work_holds(&g->work) &&
        mongo_signal_stream_poll(g->outside, mongo_signals_client(g), on_document, g))
        mongo_stream_wants_offset(g->t->stream);
    return signal_work_poll(&g->work, true, b, taken, e);
}
