/* cdc/mongodb/signals.c - signals are taken from the stream and from channels; what they ask for is put
 * between polls of the stream. SPEC: cdc-mongodb 4.3 */
#include "cdc/mongodb/signals.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/bson/bson_json.h"
#include "cdc/mongodb/snapshot.h"
#include "cdc/mongodb/stream.h"

#define POSITION_MEMBER "signal_kafka_position"

/* --- life ------------------------------------------------------------------------------------- */

struct mongo_signals *mongo_signals_new(struct mongo_task *t)
{
    struct mongo_signals *g = xcalloc(1, sizeof *g);
    const struct mongo_options *o = &t->o;
    struct signal_channel_options co = {
        .channels = o->signal_channels,
        .topic = o->signal_topic,
        .file = o->signal_file,
        .interval_ms = o->signal_interval_ms,
    };
    g->t = t;
    notifier_init(&g->notes, o->notification_channels, o->notification_topic, o->topic_prefix);
    signal_channels_init(&g->channels, &co, t->ctx->kclient, o->topic_prefix);
    incremental_init(&g->inc, &mongo_incremental_ops, g, &g->notes);
    snapshot_queue_init(&g->blocking);
    strbuf_init(&g->key, 0);
    return g;
}

void mongo_signals_disconnect(struct mongo_signals *g)
{
    if (!g || !g->client)
        return;
    mongo_client_give(g->t->pool, g->client);
    g->client = NULL;
}

void mongo_signals_free(struct mongo_signals *g)
{
    if (!g)
        return;
    incremental_release(&g->inc);
    signal_channels_release(&g->channels);
    notifier_release(&g->notes);
    snapshot_queue_release(&g->blocking);
    strbuf_release(&g->key);
    mem_free(g);
}

/* --- offset ----------------------------------------------------------------------------------- */

void mongo_signals_restore(struct mongo_signals *g, struct slice offset)
{
    json_t *root = NULL;
    if (json_load_slice(offset, &root, NULL))
        return;
    incremental_restore(&g->inc, root);
    if (g->channels.position < 0)
        g->channels.position = json_get_i64(root, POSITION_MEMBER, -1);
    if (incremental_running(&g->inc))
        LOG_INFO(LOG_CDC_MONGO,
                 "Incremental snapshot in progress, need to read new chunk on start");
    snapshot_queue_restore(&g->blocking, root);
    json_decref(root);
}

void mongo_signals_forget(struct mongo_signals *g)
{
    incremental_release(&g->inc);
    incremental_init(&g->inc, &mongo_incremental_ops, g, &g->notes);
    g->chunk_of = NULL;
    snapshot_queue_clear(&g->blocking);
}

void mongo_signals_print(const struct mongo_signals *g, struct strbuf *out)
{
    if (!g)
        return;
    incremental_print(&g->inc, out);
    snapshot_queue_print(&g->blocking, out);
    if (g->channels.kafka && g->channels.position >= 0)
        strbuf_addf(out, ",\"" POSITION_MEMBER "\":%lld", (long long)g->channels.position);
}

/* --- collections ------------------------------------------------------------------------------ */

static void add_name(struct slice **names, size_t *count, struct slice name)
{
    for (size_t i = 0; i < *count; i++)
        if (slice_eq((*names)[i], name))
            return;
    *names = xrealloc(*names, (*count + 1) * sizeof **names);
    (*names)[(*count)++] = name;
}

/* Captured collections that the signal names, pattern by pattern. What names none stays as it is, and is
 * told as not known when its turn comes. */
static void expand(struct mongo_signals *g, const struct signal_request *r, struct slice **names,
                   size_t *count, struct snap_list *list)
{
    struct error e = {0};
    if (!g->client)
        g->client = mongo_client_take(g->t->pool);
    struct signal_request all = *r;
    all.condition_count = 0; /* filters are read with the chunks */
    if (snap_list_fill(list, g->t, g->client, &all, &e))
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, &e,
                "signal: collections cannot be listed; its names are taken as they are");
    for (size_t k = 0; k < r->collection_count; k++) {
        size_t before = *count;
        for (size_t i = 0; i < list->count; i++)
            if (!list->items[i].c->is_signals &&
                signal_names(r->collections[k], list->items[i].c->id))
                add_name(names, count, list->items[i].c->id);
        if (*count > before)
            continue;
        LOG_WARN(LOG_CDC_MONGO,
                 "signal: no captured collection matches '" PRI_SL
                 "'; names have the form database.collection",
                 ARG_SL(r->collections[k]));
        add_name(names, count, r->collections[k]);
    }
}

/* --- signals ---------------------------------------------------------------------------------- */

static void execute(struct mongo_signals *g, const struct signal *s, const struct signal_request *r)
{
    LOG_INFO(LOG_CDC_MONGO, "Requested '%s' snapshot of data collections by signal '" PRI_SL "'",
             r->blocking ? "BLOCKING" : "INCREMENTAL", ARG_SL(s->id));
    if (r->blocking) {
        snapshot_queue_add(&g->blocking, s);
        return;
    }
    struct snap_list list;
    struct slice *names = NULL;
    size_t count = 0;
    snap_list_init(&list);
    expand(g, r, &names, &count, &list);
    incremental_request(&g->inc, r, names, count);
    mem_free(names);
    snap_list_release(&list);
}

static void log_message(struct mongo_signals *g, const struct signal_request *r)
{
    struct strbuf offset = STRBUF_INIT, text = STRBUF_INIT;
    mongo_offset_print(g->t->stream ? mongo_stream_offset(g->t->stream) : &g->t->offset, &offset);
    signal_message(r, strbuf_slice(&offset), &text);
    LOG_INFO(LOG_CDC_MONGO, "%s", text.p);
    strbuf_release(&offset);
    strbuf_release(&text);
}

/* Only incremental snapshots can be held up: while a blocking one runs, nothing listens. */
static bool is_incremental(const struct signal_request *r)
{
    if (r->blocking)
        LOG_WARN(LOG_CDC_MONGO,
                 "signal '" PRI_SL "' is ignored: only an incremental snapshot can be stopped, "
                 "paused or resumed",
                 ARG_SL(r->id));
    return !r->blocking;
}

static void on_signal(const struct signal *s, void *arg)
{
    struct mongo_signals *g = arg;
    struct signal_request r;
    struct arena a;
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    if (signal_parse(s, &a, &r) == E_OK) {
        switch (r.type) {
        case SIGNAL_EXECUTE:
            execute(g, s, &r);
            break;
        case SIGNAL_STOP:
            if (is_incremental(&r))
                incremental_stop(&g->inc, &r);
            break;
        case SIGNAL_PAUSE:
        case SIGNAL_RESUME:
            if (is_incremental(&r))
                incremental_pause(&g->inc, r.type == SIGNAL_PAUSE);
            break;
        case SIGNAL_LOG:
            log_message(g, &r);
            break;
        case SIGNAL_SET_POSITION:
            LOG_WARN(LOG_CDC_MONGO,
                     "signal '" PRI_SL "': there is no binlog; the position of a stopped connector "
                     "is changed by PATCH /connectors/NAME/offsets",
                     ARG_SL(s->id));
            break;
        case SIGNAL_WINDOW:
            break;
        }
    }
    arena_release(&a);
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

/* An open mark is inserted; what closes the window is a second insert, or the delete of the first. */
static void on_mark(struct mongo_signals *g, struct slice id, enum change_kind kind)
{
    bool is_open = slice_ends(id, SL("-open")), is_close = slice_ends(id, SL("-close"));
    struct slice uuid = slice_sub(id, 0, id.n - MIN(id.n, (size_t)(is_open ? 5 : 6)));
    if (is_open && kind == CHANGE_INSERT)
        (void)incremental_passed(&g->inc, uuid, true);
    else if ((is_close && kind == CHANGE_INSERT) || (is_open && kind == CHANGE_DELETE))
        (void)incremental_passed(&g->inc, uuid, false);
}

/* Exactly three fields, by position: _id, type, data. SPEC: cdc-mongodb 4.3 */
static void on_document(struct mongo_signals *g, struct slice document)
{
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
        struct signal s = {.id = id, .type = text_of(&fields[1], &a)};
        if (slice_starts(s.type, SL("snapshot-window-"))) {
            on_mark(g, id, CHANGE_INSERT);
        } else if (g->channels.source) {
            s.data = fields[2].kind == BSON_NULL ? SLICE_NULL : text_of(&fields[2], &a);
            on_signal(&s, g);
        }
    }
    arena_release(&a);
}

static void on_signal_change(struct mongo_signals *g, const struct change *c)
{
    if (c->kind == CHANGE_INSERT && c->after.p)
        on_document(g, c->after);
    else if (c->kind == CHANGE_DELETE && c->has_id && c->id.kind == BSON_STRING)
        on_mark(g, bson_text(&c->id), CHANGE_DELETE);
}

void mongo_signals_change(struct mongo_signals *g, const struct collection *c,
                          const struct change *change, bool told)
{
    static const struct bson_json_form form = {BSON_JSON_RELAXED, BSON_JSON_COMPACT};
    if (c->is_signals)
        on_signal_change(g, change);
    if (!incremental_watches(&g->inc) || g->chunk_of != c || !change->has_id ||
        (!told && change->kind != CHANGE_DELETE))
        return;
    strbuf_reset(&g->key);
    bson_json_print_item(&change->id, form, &g->key);
    incremental_streamed(&g->inc, strbuf_slice(&g->key));
}

/* --- between polls ---------------------------------------------------------------------------- */

/* The snapshot itself says when it is done: with the offset of its last batch. */
static enum err poll_blocking(struct mongo_signals *g, struct record_batch *b, struct error *e)
{
    struct mongo_task *t = g->t;
    bool done = false;
    enum err rc = E_OK;
    if (!t->snapshot) {
        rc = snapshot_queue_first(&g->blocking, e);
        if (!rc) {
            LOG_INFO(LOG_CDC_MONGO, "Streaming will now pause");
            t->snapshot =
                mongo_snapshot_new(t, mongo_stream_offset(t->stream), &g->blocking.request);
        }
    }
    if (!rc)
        rc = mongo_snapshot_poll(t->snapshot, b, &done, e);
    if ((!rc && !done) || (rc && task_stopping(t->ctx))) {
        error_clear(e);
        return E_OK;
    }
    if (rc) {
        LOG_ERR(LOG_CDC_MONGO, LOG_L_ERROR, e,
                "the blocking snapshot failed; it is not tried again");
        error_clear(e);
        if (t->snapshot)
            mongo_snapshot_aborted(t->snapshot);
        snapshot_queue_done(&g->blocking);
        rc = b->count ? mongo_stream_put_offset(t->stream, b, e) : E_OK; /* with what is told */
    }
    mongo_snapshot_free(t->snapshot);
    t->snapshot = NULL;
    LOG_INFO(LOG_CDC_MONGO, "Streaming resumed");
    return rc;
}

enum err mongo_signals_poll(struct mongo_signals *g, struct record_batch *b, bool *taken,
                            struct error *e)
{
    *taken = true;
    if (incremental_holds(&g->inc)) {
        enum err rc = incremental_emit(&g->inc, b, mongo_task_batch_limit(g->t), e);
        if (g->inc.count && g->inc.scanned)
            scan_counts_set(&g->t->scanned, slice_cstr(g->inc.items[0].id), g->inc.scanned);
        return rc ? rc : mongo_stream_put_offset(g->t->stream, b, e);
    }
    if (g->blocking.count)
        return poll_blocking(g, b, e);
    if (notifier_pending(&g->notes))
        return notifier_flush(&g->notes, b) ? error_set(e, E_NOMEM, "no memory for notifications")
                                            : E_OK;
    *taken = false;
    if (signal_channels_poll(&g->channels, on_signal, g))
        mongo_stream_wants_offset(g->t->stream);
    if (g->blocking.changed) {
        g->blocking.changed = false;
        mongo_stream_wants_offset(g->t->stream);
    }
    if (g->blocking.count)
        return E_OK;
    enum err rc = incremental_step(&g->inc, e);
    if (rc == E_CANCELLED) {
        *taken = true;
        rc = E_OK;
    }
    if (g->inc.changes != g->stored_changes) {
        g->stored_changes = g->inc.changes;
        mongo_stream_wants_offset(g->t->stream);
    }
    return rc;
}
