/* cdc/signal_work.c - see signal_work.h. */
#include "cdc/signal_work.h"

#include "base/json.h"
#include "base/mem.h"

#define POSITION_MEMBER "signal_kafka_position"

/* --- life ------------------------------------------------------------------------------------- */

void signal_work_init(struct signal_work *w, const struct signal_work_ops *ops, void *db,
                      struct task_ctx *ctx, const struct capture_options *o,
                      struct scan_counts *scanned, struct capture_texts *texts)
{
    struct signal_channel_options channels = {
        .channels = o->signal_channels,
        .topic = o->signal_topic,
        .file = o->signal_file,
        .interval_ms = o->signal_interval_ms,
    };
    *w = (struct signal_work){.ops = ops,
                              .db = db,
                              .ctx = ctx,
                              .o = o,
                              .batch_limit = capture_batch_limit(o, ctx),
                              .scanned = scanned};
    notifier_init(&w->notes, o->notification_channels, o->notification_topic, o->topic_prefix);
    signal_channels_init(&w->channels, &channels, ctx->kclient, o->topic_prefix);
    incremental_init(&w->inc, ops->incremental, db, &w->notes);
    w->inc.texts = texts;
    snapshot_queue_init(&w->blocking);
}

void signal_work_release(struct signal_work *w)
{
    incremental_release(&w->inc);
    signal_channels_release(&w->channels);
    notifier_release(&w->notes);
    snapshot_queue_release(&w->blocking);
}

/* --- offset ----------------------------------------------------------------------------------- */

void signal_work_restore(struct signal_work *w, struct slice offset)
{
    json_t *root = NULL;
    if (json_load_slice(offset, &root, NULL))
        return;
    incremental_restore(&w->inc, root);
    if (w->channels.position < 0)
        w->channels.position = json_get_i64(root, POSITION_MEMBER, -1);
    if (incremental_running(&w->inc))
        LOG_INFO(w->ops->log, "Incremental snapshot in progress, need to read new chunk on start");
    snapshot_queue_restore(&w->blocking, root);
    json_decref(root);
}

void signal_work_forget(struct signal_work *w)
{
    struct capture_texts *texts = w->inc.texts;
    incremental_release(&w->inc);
    incremental_init(&w->inc, w->ops->incremental, w->db, &w->notes);
    w->inc.texts = texts;
    snapshot_queue_clear(&w->blocking);
    w->retries = (struct retries){0};
}

void signal_work_print(const struct signal_work *w, struct strbuf *out)
{
    incremental_print(&w->inc, out);
    snapshot_queue_print(&w->blocking, out);
    if (w->channels.kafka && w->channels.position >= 0)
        strbuf_addf(out, ",\"" POSITION_MEMBER "\":%lld", (long long)w->channels.position);
}

/* --- names ------------------------------------------------------------------------------------ */

static void names_init(struct signal_names *n)
{
    *n = (struct signal_names){0};
    arena_init(&n->arena, 1024, ARENA_NO_BUDGET);
}

static void names_release(struct signal_names *n)
{
    mem_free(n->items);
    arena_release(&n->arena);
}

void signal_names_add(struct signal_names *n, struct slice name)
{
    if (n->count == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 16;
        n->items = xrealloc(n->items, n->cap * sizeof *n->items);
    }
    n->items[n->count++] = arena_dup(&n->arena, name);
}

static void add_once(struct signal_names *n, struct slice name)
{
    for (size_t i = 0; i < n->count; i++)
        if (slice_eq(n->items[i], name))
            return;
    signal_names_add(n, name);
}

/* What the signal names, pattern by pattern. A pattern that names nothing stays as it is, and is
 * told as not known when its turn comes. */
static void expand(struct signal_work *w, const struct signal_request *r, struct signal_names *out)
{
    struct signal_names all;
    names_init(&all);
    w->ops->list(w->db, r, &all);
    for (size_t k = 0; k < r->collection_count; k++) {
        bool any = false;
        for (size_t i = 0; i < all.count; i++)
            if (signal_names(r->collections[k], all.items[i])) {
                add_once(out, all.items[i]);
                any = true;
            }
        if (!any)
            add_once(out, r->collections[k]);
    }
    signal_tell_unknown(r, w->ops->log, w->ops->kind, all.items, all.count);
    names_release(&all);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void execute(struct signal_work *w, const struct signal *s, const struct signal_request *r)
{
    struct signal_names names;
    LOG_INFO(w->ops->log, "Requested '%s' snapshot of data collections by signal '" PRI_SL "'",
             r->blocking ? "BLOCKING" : "INCREMENTAL", ARG_SL(s->id));
    if (r->blocking) {
        snapshot_queue_add(&w->blocking, s);
        return;
    }
    names_init(&names);
    expand(w, r, &names);
    incremental_request(&w->inc, r, names.items, names.count);
    names_release(&names);
}

static void log_message(struct signal_work *w, const struct signal_request *r)
{
    struct strbuf offset = STRBUF_INIT, text = STRBUF_INIT;
    w->ops->print_offset(w->db, &offset);
    signal_message(r, strbuf_slice(&offset), &text);
    LOG_INFO(w->ops->log, "%s", text.p);
    strbuf_release(&offset);
    strbuf_release(&text);
}

/* Only incremental snapshots can be held up: while a blocking one runs, nothing listens. */
static bool is_incremental(const struct signal_work *w, const struct signal_request *r)
{
    if (r->blocking)
        LOG_WARN(w->ops->log,
                 "signal '" PRI_SL "' is ignored: only an incremental snapshot can be stopped, "
                 "paused or resumed",
                 ARG_SL(r->id));
    return !r->blocking;
}

static void on_signal(const struct signal *s, void *arg)
{
    struct signal_work *w = arg;
    struct signal_request r;
    struct arena a;
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    if (signal_parse(s, &a, &r) == E_OK) {
        switch (r.type) {
        case SIGNAL_EXECUTE:
            execute(w, s, &r);
            break;
        case SIGNAL_STOP:
            if (is_incremental(w, &r))
                incremental_stop(&w->inc, &r);
            break;
        case SIGNAL_PAUSE:
        case SIGNAL_RESUME:
            if (is_incremental(w, &r))
                incremental_pause(&w->inc, r.type == SIGNAL_PAUSE);
            break;
        case SIGNAL_LOG:
            log_message(w, &r);
            break;
        case SIGNAL_SET_POSITION:
            LOG_WARN(w->ops->log, "signal '" PRI_SL "': %s", ARG_SL(s->id), w->ops->no_position);
            break;
        case SIGNAL_WINDOW:
            break;
        }
    }
    arena_release(&a);
}

/* --- rows of the stream ----------------------------------------------------------------------- */

void signal_work_mark(struct signal_work *w, struct slice id, bool inserted)
{
    bool is_open = slice_ends(id, SL("-open")), is_close = slice_ends(id, SL("-close"));
    struct slice uuid = slice_sub(id, 0, id.n - MIN(id.n, (size_t)(is_open ? 5 : 6)));
    if (is_open && inserted)
        (void)incremental_passed(&w->inc, uuid, true);
    else if ((is_close && inserted) || (is_open && !inserted))
        (void)incremental_passed(&w->inc, uuid, false);
}

void signal_work_row(struct signal_work *w, const struct signal *s, bool inserted)
{
    if (slice_starts(s->type, SL("snapshot-window-")))
        signal_work_mark(w, s->id, inserted);
    else if (inserted && w->channels.source)
        on_signal(s, w);
}

/* --- between polls ---------------------------------------------------------------------------- */

static enum err flush_notes(struct signal_work *w, struct record_batch *b, struct error *e)
{
    return notifier_flush(&w->notes, b) ? error_set(e, E_NOMEM, "no memory for notifications")
                                        : E_OK;
}

static enum err blocking_poll(struct signal_work *w, struct record_batch *b, bool *done,
                              struct error *e)
{
    const struct signal_work_ops *ops = w->ops;
    if (!ops->blocking_runs(w->db)) {
        enum err rc = snapshot_queue_first(&w->blocking, e);
        if (rc == E_OK)
            rc = ops->blocking_begin(w->db, &w->blocking.request, e);
        if (rc)
            return rc;
        if (!w->retries.count)
            LOG_INFO(ops->log, "Streaming will now pause");
    }
    return ops->blocking_poll(w->db, b, done, e);
}

/* One that a fault cut off, which may pass, stays in the queue and begins anew; its notes go out
 * meanwhile. The snapshot itself says when it is done: with the offset of its last batch. */
static enum err poll_blocking(struct signal_work *w, struct record_batch *b, struct error *e)
{
    bool done = false, again = false;
    if (notifier_pending(&w->notes) && !w->ops->blocking_runs(w->db))
        return flush_notes(w, b, e);
    if (retries_wait(&w->retries, w->ctx))
        return E_OK;
    enum err rc = blocking_poll(w, b, &done, e);
    if ((!rc && !done) || (rc && task_stopping(w->ctx))) {
        error_clear(e);
        return E_OK;
    }
    if (rc) {
        again = w->ops->passes && w->ops->passes(e) && retries_take(&w->retries, w->o);
        if (again)
            LOG_ERR(w->ops->log, LOG_L_WARN, e,
                    "the blocking snapshot failed; it begins anew in %lld ms",
                    (long long)w->o->retry_wait_ms);
        else
            LOG_ERR(w->ops->log, LOG_L_ERROR, e,
                    "the blocking snapshot failed; it is not tried again");
        error_clear(e);
    }
    rc = w->ops->blocking_end(w->db, b, rc != E_OK, again, e);
    if (again)
        return rc;
    w->retries = (struct retries){0};
    LOG_INFO(w->ops->log, "Streaming resumed");
    return rc;
}

static enum err emit_window(struct signal_work *w, struct record_batch *b, struct error *e)
{
    enum err rc = incremental_emit(&w->inc, b, w->batch_limit, e);
    if (w->inc.count && w->inc.scanned)
        scan_counts_set(w->scanned, slice_cstr(w->inc.items[0].id), w->inc.scanned);
    return rc ? rc : w->ops->put_offset(w->db, b, e);
}

/* What is in the offset has changed since it was stored last. */
static void store_changes(struct signal_work *w)
{
    if (w->inc.changes == w->stored_changes)
        return;
    w->stored_changes = w->inc.changes;
    w->ops->wants_offset(w->db);
}

enum err signal_work_poll(struct signal_work *w, bool connected, struct record_batch *b,
                          bool *taken, struct error *e)
{
    *taken = true;
    if (incremental_holds(&w->inc))
        return emit_window(w, b, e);
    if (!connected)
        incremental_drop(&w->inc);
    if (w->blocking.count && (connected || w->ops->blocking_runs(w->db)))
        return poll_blocking(w, b, e);
    if (notifier_pending(&w->notes))
        return flush_notes(w, b, e);
    *taken = false;
    if (signal_channels_poll(&w->channels, on_signal, w))
        w->ops->wants_offset(w->db);
    if (w->blocking.changed) {
        w->blocking.changed = false;
        w->ops->wants_offset(w->db);
    }
    if (!connected || w->blocking.count)
        return E_OK;
    enum err rc = incremental_step(&w->inc, e);
    if (rc == E_CANCELLED) {
        *taken = true;
        rc = E_OK;
    }
    store_changes(w);
    return rc;
}
