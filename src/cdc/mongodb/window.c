/* cdc/mongodb/window.c - marks are documents that are inserted into the signal collection and wait
 * for a majority.
 *
 * By time: each answer of the server says at what time it was given (operationTime), and each of
 * the stream's how far that has come. A chunk's queries wait until the member has all that the
 * stream has told, so that no row is older than what is in the topic; its last answer's time is not
 * before any of its rows. Once the stream has told all events up to that time, no row is older than
 * an event that has passed. */
#include "cdc/mongodb/window.h"

#include "cdc/mongodb/signals.h"
#include "cdc/mongodb/stream.h"

/* --- marks ------------------------------------------------------------------------------------ */

static void insert_mark(struct bson_build *b, struct slice coll, const char *id, bool open)
{
    char name[UUID_DASHED_SIZE + 8];
    snprintf(name, sizeof name, "%s-%s", id, open ? "open" : "close");
    bson_build_text(b, SL("insert"), coll);
    bson_build_begin(b, SL("documents"), BSON_ARRAY);
    bson_build_begin(b, SL("0"), BSON_DOCUMENT);
    bson_build_text(b, SL("_id"), slice_cstr(name));
    bson_build_text(b, SL("type"), open ? SL("snapshot-window-open") : SL("snapshot-window-close"));
    bson_build_text(b, SL("payload"), SL(""));
    bson_build_end(b);
    bson_build_end(b);
}

static void delete_mark(struct bson_build *b, struct slice coll, const char *id)
{
    char name[UUID_DASHED_SIZE + 8];
    snprintf(name, sizeof name, "%s-open", id);
    bson_build_text(b, SL("delete"), coll);
    bson_build_begin(b, SL("deletes"), BSON_ARRAY);
    bson_build_begin(b, SL("0"), BSON_DOCUMENT);
    bson_build_begin(b, SL("q"), BSON_DOCUMENT);
    bson_build_text(b, SL("_id"), slice_cstr(name));
    bson_build_end(b);
    bson_build_int(b, SL("limit"), 1);
    bson_build_end(b);
    bson_build_end(b);
}

static enum err write_command(struct mongo_signals *g, struct slice db, struct slice command,
                              struct error *e)
{
    mongoc_client_t *c = mongo_signals_client(g);
    bson_error_t be = {0};
    bson_t doc, opts, concern, reply;
    char name[128];
    snprintf(name, sizeof name, PRI_SL, ARG_SL(db));
    if (!libbson.init_static(&doc, (const uint8_t *)command.p, command.n))
        return error_set(e, E_CORRUPT, "a command of weir's is no BSON document");
    /* In the options it takes the place of the connection string's; in the command it would stand
     * beside that. */
    libbson.init(&opts);
    libbson.append_document_begin(&opts, "writeConcern", -1, &concern);
    libbson.append_utf8(&concern, "w", -1, "majority", -1);
    libbson.append_document_end(&opts, &concern);
    bool ok = libmongoc.client_write_command_with_opts(c, name, &doc, &opts, &reply, &be);
    libbson.destroy(&opts);
    enum err rc = ok ? E_OK
                     : mongo_fault(g->t->pool, c, "Writing a mark of an incremental snapshot", &be,
                                   &reply, NULL, e);
    libbson.destroy(&reply);
    if (rc == E_AUTH && e)
        error_hint(e, "the user needs insert and remove on " PRI_SL "." PRI_SL,
                   ARG_SL(g->t->filter.signals_db), ARG_SL(g->t->filter.signals_coll));
    return rc;
}

static enum err set_mark(struct mongo_signals *g, struct incremental *inc, bool open,
                         struct error *e)
{
    const struct mongo_filter *f = &g->t->filter;
    struct bson_build b;
    bson_build_init(&b);
    if (!open && g->t->o.insert_delete)
        delete_mark(&b, f->signals_coll, inc->mark_id);
    else
        insert_mark(&b, f->signals_coll, inc->mark_id, open);
    enum err rc = write_command(g, f->signals_db, bson_build_finish(&b), e);
    bson_build_release(&b);
    return rc;
}

/* --- times ------------------------------------------------------------------------------------ */

/* The stream's own signal collection is the only place where marks come by. */
static bool by_time(const struct mongo_signals *g)
{
    const struct mongo_filter *f = &g->t->filter;
    return !f->signals_coll.p || f->signals_outside;
}

static enum err open_at_time(struct mongo_signals *g, struct incremental *inc, struct error *e)
{
    uint32_t seconds, increment;
    g->window.has_end = false;
    if (!g->t->stream || !mongo_stream_time(g->t->stream, &seconds, &increment))
        return error_set(e, E_AGAIN, "the change stream has not begun");
    (void)incremental_passed(inc, slice_cstr(inc->mark_id), true);
    return E_OK;
}

enum err mongo_window_mark(void *db, struct incremental *inc, bool open, struct error *e)
{
    struct mongo_signals *g = db;
    if (!by_time(g))
        return set_mark(g, inc, open, e);
    if (open)
        return open_at_time(g, inc, e);
    if (!g->window.has_end && inc->rows) {
        error_set(e, E_UNSUPPORTED, "the server does not tell the time of its answers");
        error_hint(e, "set signal.data.collection to a collection within capture.scope, in which "
                      "the user of the connector may insert");
        return E_UNSUPPORTED;
    }
    mongo_stream_ask_again(g->t->stream);
    return E_OK;
}

void mongo_window_concern(const struct mongo_signals *g, struct bson_build *b)
{
    uint32_t seconds, increment;
    bson_build_begin(b, SL("readConcern"), BSON_DOCUMENT);
    bson_build_text(b, SL("level"), SL("majority"));
    if (by_time(g) && mongo_stream_seen(g->t->stream, &seconds, &increment))
        bson_build_timestamp(b, SL("afterClusterTime"), seconds, increment);
    bson_build_end(b);
}

void mongo_window_read(struct mongo_signals *g, const struct mongo_cursor *c)
{
    struct mongo_window *w = &g->window;
    if (!by_time(g) || !c->has_time ||
        (w->has_end && (w->seconds > c->time_seconds ||
                        (w->seconds == c->time_seconds && w->increment > c->time_increment))))
        return;
    w->has_end = true;
    w->seconds = c->time_seconds;
    w->increment = c->time_increment;
}

bool mongo_window_waits(const struct mongo_signals *g)
{
    return g && g->window.has_end && incremental_watches(&g->work.inc);
}

void mongo_window_look(struct mongo_signals *g)
{
    const struct mongo_window *w = &g->window;
    if (mongo_window_waits(g) && mongo_stream_past(g->t->stream, w->seconds, w->increment))
        (void)incremental_passed(&g->work.inc, slice_cstr(g->work.inc.mark_id), false);
}
