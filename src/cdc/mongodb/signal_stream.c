/* cdc/mongodb/signal_stream.c - the second change stream. Its answers are asked for without
 * waiting: the main stream waits for both. SPEC: cdc-mongodb 4.3, 8.1 */
#include "cdc/mongodb/signal_stream.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mongodb/stream_open.h"

#define MEMBER "signal_stream_token"
#define TOKEN_MAX ((size_t)64 << 10)

enum { LOOK_MS = 500, AGAIN_MS = 5000 };

struct mongo_signal_stream {
    struct mongo_task *t;
    struct mongo_cursor *cursor; /* NULL: to be opened */
    struct strbuf token;         /* behind what was read; n == 0: where the main stream is */
    int64_t next_ms;             /* monotonic */
    bool told_open, told_fault;
};

/* --- life ------------------------------------------------------------------------------------- */

struct mongo_signal_stream *mongo_signal_stream_new(struct mongo_task *t)
{
    if (!t->filter.signals_outside)
        return NULL;
    struct mongo_signal_stream *s = xcalloc(1, sizeof *s);
    s->t = t;
    strbuf_init(&s->token, 0);
    return s;
}

void mongo_signal_stream_disconnect(struct mongo_signal_stream *s)
{
    if (!s)
        return;
    mongo_cursor_close(s->cursor);
    s->cursor = NULL;
    s->next_ms = 0;
}

void mongo_signal_stream_forget(struct mongo_signal_stream *s)
{
    if (!s)
        return;
    mongo_signal_stream_disconnect(s);
    strbuf_reset(&s->token);
}

void mongo_signal_stream_free(struct mongo_signal_stream *s)
{
    if (!s)
        return;
    mongo_signal_stream_disconnect(s);
    strbuf_release(&s->token);
    mem_free(s);
}

/* --- offset ----------------------------------------------------------------------------------- */

void mongo_signal_stream_print(const struct mongo_signal_stream *s, struct strbuf *out)
{
    if (!s || !s->token.n)
        return;
    strbuf_adds(out, ",\"" MEMBER "\":\"");
    base64_encode(out, strbuf_slice(&s->token));
    strbuf_addc(out, '"');
}

void mongo_signal_stream_restore(struct mongo_signal_stream *s, struct slice offset)
{
    json_t *root = NULL;
    if (!s || s->token.n || json_load_slice(offset, &root, NULL))
        return;
    struct slice text = json_get_str(root, MEMBER);
    if (text.n && (text.n > TOKEN_MAX || base64_decode(&s->token, text) ||
                   bson_check(strbuf_slice(&s->token), NULL))) {
        strbuf_reset(&s->token);
        LOG_WARN(LOG_CDC_MONGO, "the stored offset's " MEMBER " is no token: signals are read from "
                                "the time of the change stream on");
    }
    json_decref(root);
}

/* --- the cursor ------------------------------------------------------------------------------- */

static void add_stages(const struct mongo_signal_stream *s, struct bson_build *b)
{
    uint32_t seconds = 0, increment = 0;
    bson_build_begin(b, SL("pipeline"), BSON_ARRAY);
    bson_build_begin(b, SL("0"), BSON_DOCUMENT);
    bson_build_begin(b, SL("$changeStream"), BSON_DOCUMENT);
    if (s->token.n)
        mongo_stream_add_token(s->t, b, strbuf_slice(&s->token));
    else if (mongo_stream_time(s->t->stream, &seconds, &increment))
        bson_build_timestamp(b, SL("startAtOperationTime"), seconds, increment);
    bson_build_end(b);
    bson_build_end(b);
    bson_build_begin(b, SL("1"), BSON_DOCUMENT);
    bson_build_begin(b, SL("$match"), BSON_DOCUMENT);
    bson_build_begin(b, SL("operationType"), BSON_DOCUMENT);
    bson_build_begin(b, SL("$in"), BSON_ARRAY);
    bson_build_text(b, SL("0"), SL("insert"));
    bson_build_text(b, SL("1"), SL("invalidate")); /* the collection was dropped: behind that */
    bson_build_end(b);
    bson_build_end(b);
    bson_build_end(b);
    bson_build_end(b);
    bson_build_end(b);
}

static enum err open_cursor(struct mongo_signal_stream *s, mongoc_client_t *c, struct error *e)
{
    const struct mongo_filter *f = &s->t->filter;
    struct bson_build b;
    bson_build_init(&b);
    bson_build_text(&b, SL("aggregate"), f->signals_coll);
    add_stages(s, &b);
    bson_build_begin(&b, SL("cursor"), BSON_DOCUMENT);
    bson_build_end(&b);
    bson_build_begin(&b, SL("readConcern"), BSON_DOCUMENT);
    bson_build_text(&b, SL("level"), SL("majority"));
    bson_build_end(&b);
    enum err rc = mongo_cursor_open(&s->cursor, s->t->pool, c, f->signals_db, bson_build_finish(&b),
                                    false, e);
    bson_build_release(&b);
    if (!rc && !s->told_open)
        LOG_INFO(LOG_CDC_MONGO,
                 "'" PRI_SL "." PRI_SL "' is outside of capture.scope: a second change stream "
                 "reads its signals",
                 ARG_SL(f->signals_db), ARG_SL(f->signals_coll));
    s->told_open = s->told_open || !rc;
    return rc;
}

static void keep_token(struct mongo_signal_stream *s, struct slice token)
{
    strbuf_reset(&s->token);
    strbuf_add_slice(&s->token, token);
}

/* Whether there were any. */
static enum err read_events(struct mongo_signal_stream *s, signal_document_fn fn, void *arg,
                            bool *any, struct error *e)
{
    struct slice event;
    struct change c;
    while (mongo_cursor_next(s->cursor, &event)) {
        enum err rc = change_read(event, &c, e);
        if (rc)
            return rc;
        *any = true;
        if (c.kind == CHANGE_INSERT && c.after.p)
            fn(arg, c.after);
        keep_token(s, c.token);
    }
    if (s->cursor->token.p && s->cursor->id)
        keep_token(s, s->cursor->token);
    return E_OK;
}

static void fault(struct mongo_signal_stream *s, struct error *e)
{
    mongo_stream_explain(s->t, e);
    mongo_cursor_close(s->cursor);
    s->cursor = NULL;
    s->next_ms = clock_mono_ms() + AGAIN_MS;
    if (e->code == E_CANCELLED)
        return;
    if (e->code == E_NOT_FOUND && s->token.n) {
        strbuf_reset(&s->token);
        s->next_ms = 0;
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, e,
                "the place in the signal collection is no longer available on the server: signals "
                "from before the change stream's time are not taken; insert them again");
        return;
    }
    if (e->code == E_AUTH)
        error_hint(e, "the user needs find and changeStream on " PRI_SL "." PRI_SL,
                   ARG_SL(s->t->filter.signals_db), ARG_SL(s->t->filter.signals_coll));
    if (!s->told_fault)
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, e,
                "signals of the signal collection cannot be read now; it is tried again");
    s->told_fault = true;
}

bool mongo_signal_stream_poll(struct mongo_signal_stream *s, mongoc_client_t *c,
                              signal_document_fn fn, void *arg)
{
    struct error e = {0};
    bool any = false;
    uint32_t seconds, increment;
    if (!s || clock_mono_ms() < s->next_ms ||
        (!s->token.n && !mongo_stream_time(s->t->stream, &seconds, &increment)))
        return false;
    enum err rc = E_OK;
    bool first = !s->token.n;
    if (!s->cursor)
        rc = open_cursor(s, c, &e);
    else
        rc = mongo_cursor_more(s->cursor, 1, 0, &e);
    if (!rc)
        rc = read_events(s, fn, arg, &any, &e);
    if (rc) {
        fault(s, &e);
        return any;
    }
    s->told_fault = false;
    if (!s->cursor->id) { /* the collection was dropped */
        mongo_cursor_close(s->cursor);
        s->cursor = NULL;
    }
    s->next_ms = any ? 0 : clock_mono_ms() + LOOK_MS;
    return any || (first && s->token.n);
}
