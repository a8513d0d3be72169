/* cdc/mysql/signals.c - signals are taken from the stream and from channels; what they ask for is
 * put between polls of the stream. SPEC: cdc-mysql 3.6, 3.8 */
#include "cdc/mysql/signals.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/snapshot.h"
#include "cdc/mysql/stream.h"

#define POSITION_MEMBER "signal_kafka_position"

/* --- life ------------------------------------------------------------------------------------- */

struct mysql_signals *signals_new(struct mysql_task *t)
{
    struct mysql_signals *g = xcalloc(1, sizeof *g);
    const struct mysql_options *o = &t->o;
    struct signal_channel_options co = {
        .channels = o->signal_channels,
        .topic = o->signal_topic,
        .file = o->signal_file,
        .interval_ms = o->signal_interval_ms,
    };
    g->t = t;
    notifier_init(&g->notes, o->notification_channels, o->notification_topic, o->topic_prefix);
    signal_channels_init(&g->channels, &co, t->ctx->kclient, o->topic_prefix);
    incremental_init(&g->inc, &mysql_incremental_ops, g, &g->notes);
    g->by_position = o->read_only || !t->rules.filter.signal_table;
    g->reader = chunk_reader_new(t);
    snapshot_queue_init(&g->blocking);
    return g;
}

void signals_free(struct mysql_signals *g)
{
    if (!g)
        return;
    chunk_reader_free(g->reader);
    window_position_release(&g->position);
    incremental_release(&g->inc);
    signal_channels_release(&g->channels);
    notifier_release(&g->notes);
    snapshot_queue_release(&g->blocking);
    mem_free(g);
}

/* --- offset ----------------------------------------------------------------------------------- */

void signals_restore(struct mysql_signals *g, struct slice offset)
{
    json_t *root = NULL;
    if (!g || json_load_slice(offset, &root, NULL))
        return;
    incremental_restore(&g->inc, root);
    if (g->channels.position < 0)
        g->channels.position = json_get_i64(root, POSITION_MEMBER, -1);
    if (incremental_running(&g->inc))
        LOG_INFO(LOG_CDC_MYSQL,
                 "Incremental snapshot in progress, need to read new chunk on start");
    snapshot_queue_restore(&g->blocking, root);
    json_decref(root);
}

void signals_forget(struct mysql_signals *g)
{
    if (!g)
        return;
    incremental_release(&g->inc);
    incremental_init(&g->inc, &mysql_incremental_ops, g, &g->notes);
    snapshot_queue_clear(&g->blocking);
}

void signals_print(const struct mysql_signals *g, struct strbuf *out)
{
    if (!g)
        return;
    incremental_print(&g->inc, out);
    snapshot_queue_print(&g->blocking, out);
    if (g->channels.kafka && g->channels.position >= 0)
        strbuf_addf(out, ",\"" POSITION_MEMBER "\":%lld", (long long)g->channels.position);
}

/* --- tables ----------------------------------------------------------------------------------- */

const struct mysql_table *signals_table(const struct mysql_task *t, struct slice id)
{
    const struct mysql_table *table;
    ptrdiff_t dot = slice_find_char(id, '.');
    if (dot > 0) {
        table = mysql_schema_find(t->schema, slice_sub(id, 0, (size_t)dot),
                                  slice_sub(id, (size_t)dot + 1, id.n));
        if (table)
            return table;
    }
    for (size_t i = 0; (table = mysql_schema_next(t->schema, &i));) {
        struct strbuf name = STRBUF_INIT;
        strbuf_addf(&name, PRI_SL "." PRI_SL, ARG_SL(table->db), ARG_SL(table->name));
        bool same = slice_ieq(strbuf_slice(&name), id);
        strbuf_release(&name);
        if (same)
            break;
    }
    return table;
}

struct names {
    struct slice *items;
    size_t count, cap;
    struct arena *arena;
};

static void add_name(struct names *n, struct slice name)
{
    for (size_t i = 0; i < n->count; i++)
        if (slice_eq(n->items[i], name))
            return;
    if (n->count == n->cap) {
        n->cap = n->cap ? 2 * n->cap : 16;
        n->items = xrealloc(n->items, n->cap * sizeof *n->items);
    }
    n->items[n->count++] = arena_dup(n->arena, name);
}

static int by_text(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Captured tables that a pattern names, by name. What names none stays as it is, and is told as not
 * known when its turn comes. */
static void expand(const struct mysql_task *t, struct slice pattern, struct names *out)
{
    struct strbuf id = STRBUF_INIT;
    const struct mysql_table *table;
    size_t before = out->count;
    for (size_t i = 0; (table = mysql_schema_next(t->schema, &i));) {
        if (table->is_view || table->is_sequence || !mysql_task_captures(t, table) ||
            capture_is_signal_table(&t->rules.filter, table->db, table->name))
            continue;
        strbuf_reset(&id);
        strbuf_addf(&id, PRI_SL "." PRI_SL, ARG_SL(table->db), ARG_SL(table->name));
        if (signal_names(pattern, strbuf_slice(&id)))
            add_name(out, strbuf_slice(&id));
    }
    strbuf_release(&id);
    if (out->count - before > 1)
        qsort(out->items + before, out->count - before, sizeof *out->items, by_text);
    if (out->count > before)
        return;
    LOG_WARN(LOG_CDC_MYSQL,
             "signal: no captured table matches '" PRI_SL "'; names have the form database.table",
             ARG_SL(pattern));
    add_name(out, pattern);
}

/* --- signals ---------------------------------------------------------------------------------- */

static void execute(struct mysql_signals *g, const struct signal *s, const struct signal_request *r)
{
    struct arena a;
    LOG_INFO(LOG_CDC_MYSQL, "Requested '%s' snapshot of data collections by signal '" PRI_SL "'",
             r->blocking ? "BLOCKING" : "INCREMENTAL", ARG_SL(s->id));
    if (r->blocking) {
        snapshot_queue_add(&g->blocking, s);
        return;
    }
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    struct names names = {.arena = &a};
    for (size_t i = 0; i < r->collection_count; i++)
        expand(g->t, r->collections[i], &names);
    incremental_request(&g->inc, r, names.items, names.count);
    mem_free(names.items);
    arena_release(&a);
}

static void log_message(struct mysql_signals *g, const struct signal_request *r)
{
    struct mysql_offset at;
    struct strbuf offset = STRBUF_INIT, text = STRBUF_INIT;
    mysql_offset_init(&at);
    if (g->t->stream)
        stream_offset(g->t->stream, &at);
    else
        mysql_offset_copy(&at, &g->t->offset);
    mysql_offset_print(&at, false, &offset);
    signal_message(r, strbuf_slice(&offset), &text);
    LOG_INFO(LOG_CDC_MYSQL, "%s", text.p);
    strbuf_release(&offset);
    strbuf_release(&text);
    mysql_offset_release(&at);
}

/* Only incremental snapshots can be held up: while a blocking one runs, nothing listens. */
static bool is_incremental(const struct signal_request *r)
{
    if (r->blocking)
        LOG_WARN(LOG_CDC_MYSQL,
                 "signal '" PRI_SL "' is ignored: only an incremental snapshot can be stopped, "
                 "paused or resumed",
                 ARG_SL(r->id));
    return !r->blocking;
}

static void on_signal(const struct signal *s, void *arg)
{
    struct mysql_signals *g = arg;
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
            LOG_WARN(LOG_CDC_MYSQL,
                     "signal '" PRI_SL
                     "': the position is not changed while the connector runs; stop "
                     "it and PATCH /connectors/NAME/offsets",
                     ARG_SL(s->id));
            break;
        case SIGNAL_WINDOW:
            break;
        }
    }
    arena_release(&a);
}

/* --- rows of the stream ----------------------------------------------------------------------- */

bool signals_watch(const struct mysql_signals *g, const struct shape *s)
{
    return capture_is_signal_table(&g->t->rules.filter, s->table->db, s->table->name) ||
           (incremental_watches(&g->inc) && chunk_is_of(g->reader, s->table->db, s->table->name));
}

bool signals_listen(const struct mysql_signals *g, const struct shape *s, enum mysql_rows_op op)
{
    /* What is not told must not take rows out of a chunk, but rows that are gone are. */
    return g && signals_watch(g, s) &&
           (op == ROWS_DELETE ||
            capture_is_signal_table(&g->t->rules.filter, s->table->db, s->table->name));
}

static struct slice cell_text(const struct shape *s, const struct mysql_table_map *map,
                              const struct mysql_cell *cells, uint32_t i, struct arena *a)
{
    struct value v = value_null();
    struct value_env env = {.arena = a};
    strbuf_init(&env.scratch, 0);
    if (codec_cell(&s->codecs[i], &env, &map->columns[i], &cells[i], &v))
        v = value_null();
    strbuf_release(&env.scratch);
    return v.kind == VALUE_STRING || v.kind == VALUE_BYTES ? arena_dup(a, value_slice(v))
                                                           : SLICE_NULL;
}

/* An open mark is inserted; what closes the window is a second insert, or the delete of the first.
 */
static void on_mark(struct mysql_signals *g, struct slice id, enum mysql_rows_op op)
{
    bool is_open = slice_ends(id, SL("-open")), is_close = slice_ends(id, SL("-close"));
    struct slice uuid = slice_sub(id, 0, id.n - (is_open ? 5 : 6));
    if (is_open && op == ROWS_WRITE)
        (void)incremental_passed(&g->inc, uuid, true);
    else if ((is_close && op == ROWS_WRITE) || (is_open && op == ROWS_DELETE))
        (void)incremental_passed(&g->inc, uuid, false);
}

static void on_signal_row(struct mysql_signals *g, const struct shape *s,
                          const struct mysql_table_map *map, enum mysql_rows_op op,
                          const struct mysql_cell *cells)
{
    struct arena a;
    if (s->table->column_count != 3) {
        if (!g->told_fields)
            LOG_WARN(LOG_CDC_MYSQL,
                     "The signal event should have 3 fields but has %u: the signal "
                     "table needs the columns id, type and data, and no others",
                     s->table->column_count);
        g->told_fields = true;
        return;
    }
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    struct signal sig = {.id = cell_text(s, map, cells, 0, &a),
                         .type = cell_text(s, map, cells, 1, &a),
                         .data = cell_text(s, map, cells, 2, &a)};
    if (slice_starts(sig.type, SL("snapshot-window-")))
        on_mark(g, sig.id, op);
    else if (op == ROWS_WRITE && g->channels.source)
        on_signal(&sig, g);
    arena_release(&a);
}

void signals_row(struct mysql_signals *g, const struct shape *s, const struct mysql_table_map *map,
                 enum mysql_rows_op op, const struct mysql_cell *before,
                 const struct mysql_cell *after)
{
    if (capture_is_signal_table(&g->t->rules.filter, s->table->db, s->table->name)) {
        if (op != ROWS_UPDATE)
            on_signal_row(g, s, map, op, op == ROWS_WRITE ? after : before);
        return;
    }
    if (op != ROWS_WRITE)
        chunk_streamed(g, s, map, before, NULL);
    if (op != ROWS_DELETE)
        chunk_streamed(g, s, map, after, op == ROWS_UPDATE ? before : NULL);
}

void signals_table_changed(struct mysql_signals *g, struct slice db, struct slice table)
{
    if (g && g->inc.window != INC_NONE && chunk_is_of(g->reader, db, table))
        incremental_drop(&g->inc);
}

/* --- between polls ---------------------------------------------------------------------------- */

static enum err poll_blocking(struct mysql_signals *g, struct record_batch *b, struct error *e)
{
    struct mysql_task *t = g->t;
    bool done = false;
    enum err rc = E_OK;
    if (!t->snapshot) {
        rc = snapshot_queue_first(&g->blocking, e);
        if (rc == E_OK)
            rc = stream_session(t->stream, e);
        if (rc == E_OK) {
            LOG_INFO(LOG_CDC_MYSQL, "Streaming will now pause");
            t->snapshot = snapshot_new_blocking(t, &g->blocking.request);
        }
    }
    if (rc == E_OK)
        rc = snapshot_poll(t->snapshot, b, &done, e);
    if (rc == E_OK && !done)
        return E_OK;
    if (rc && task_stopping(t->ctx))
        return E_OK;
    if (rc) {
        bool again = e->sys == 1412; /* a table was changed behind the view: another one sees it */
        LOG_ERR(LOG_CDC_MYSQL, again ? LOG_L_WARN : LOG_L_ERROR, e,
                "the blocking snapshot failed; %s",
                again ? "it begins anew" : "it is not tried again");
        error_clear(e);
        if (t->snapshot)
            snapshot_aborted(t->snapshot);
        if (!again && !(t->snapshot && t->snapshot->settled))
            snapshot_queue_done(&g->blocking);
    }
    snapshot_free(t->snapshot);
    t->snapshot = NULL;
    if (rc) { /* ends what is locked and open */
        mysql_conn_close(t->conn);
        t->conn = NULL;
    }
    stream_resumed(t->stream);
    LOG_INFO(LOG_CDC_MYSQL, "Streaming resumed");
    return E_OK;
}

static enum err emit_window(struct mysql_signals *g, struct record_batch *b, struct error *e)
{
    struct stream *s = g->t->stream;
    stream_source_held(s, b);
    enum err rc = incremental_emit(&g->inc, b, mysql_task_batch_limit(g->t), e);
    if (g->inc.count && g->inc.scanned)
        scan_counts_set(&g->t->scanned, slice_cstr(g->inc.items[0].id), g->inc.scanned);
    return rc ? rc : stream_put_offset(s, b);
}

enum err signals_poll(struct mysql_signals *g, struct record_batch *b, bool *taken, struct error *e)
{
    struct error own = {0};
    if (!e)
        e = &own;
    *taken = true;
    if (g->by_position && incremental_watches(&g->inc) && window_position_reached(g))
        (void)incremental_passed(&g->inc, slice_cstr(g->inc.mark_id), false);
    if (incremental_holds(&g->inc))
        return emit_window(g, b, e);
    /* Not connected: the stream does not know all of its position, or has lost its way to marks of
     * the chunk at hand, which another server may never have seen. */
    bool connected = g->t->stream->dump != NULL;
    if (!connected)
        incremental_drop(&g->inc);
    if (g->blocking.count && (connected || g->t->snapshot))
        return poll_blocking(g, b, e);
    if (notifier_pending(&g->notes))
        return notifier_flush(&g->notes, b) ? error_set(e, E_NOMEM, "no memory for notifications")
                                            : E_OK;
    *taken = false;
    if (signal_channels_poll(&g->channels, on_signal, g))
        stream_wants_offset(g->t->stream);
    if (g->blocking.changed) {
        g->blocking.changed = false;
        stream_wants_offset(g->t->stream);
    }
    if (!connected || g->blocking.count)
        return E_OK;
    enum err rc = incremental_step(&g->inc, e);
    if (g->by_position && g->inc.window == INC_WAITING) /* from here on the stream is compared */
        (void)incremental_passed(&g->inc, slice_cstr(g->inc.mark_id), true);
    if (rc == E_CANCELLED) {
        *taken = true;
        rc = E_OK;
    }
    if (g->inc.changes != g->stored_changes) {
        g->stored_changes = g->inc.changes;
        stream_wants_offset(g->t->stream);
    }
    return rc;
}
