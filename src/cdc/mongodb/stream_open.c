/* cdc/mongodb/stream_open.c - the command that opens a change stream, and what can be wrong with
 * it. SPEC: cdc-mongodb 5.1, 5.2, 5.6 */
#include "cdc/mongodb/stream_open.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/mongodb/others.h"
#include "cdc/mongodb/pipeline.h"
#include "cdc/mongodb/token.h"

enum { /* codes of the server */
       CODE_INVALID_TOKEN = 260,
       CODE_FATAL = 280,
       CODE_HISTORY_LOST = 286,
       CODE_TOO_LARGE = 10334,
       CODE_NO_REPLICA_SET = 40573,
       WIRE_START_AFTER = 8, /* 4.2 */
       WIRE_IMAGES = 17,     /* 6.0 */
       WIRE_SPLIT = 21       /* 7.0 */
};

struct mongo_stream *mongo_stream_new(struct mongo_task *t)
{
    struct mongo_stream *s = xcalloc(1, sizeof *s);
    s->t = t;
    mongo_offset_init(&s->at);
    mongo_offset_copy(&s->at, &t->offset);
    s->at.snapshot = false;
    change_merge_init(&s->merge);
    bson_build_init(&s->build);
    strbuf_init(&s->text, 0);
    return s;
}

void mongo_stream_free(struct mongo_stream *s)
{
    if (!s)
        return;
    mongo_cursor_close(s->cursor);
    mongo_lookup_free(s->lookup);
    if (s->client)
        mongo_client_give(s->t->pool, s->client);
    mongo_offset_release(&s->at);
    change_merge_release(&s->merge);
    bson_build_release(&s->build);
    strbuf_release(&s->text);
    mem_free(s);
}

/* --- the command ------------------------------------------------------------------------------ */

static void begin(struct bson_build *b, struct slice name)
{
    bson_build_begin(b, name, BSON_DOCUMENT);
}

void mongo_stream_add_token(const struct mongo_task *t, struct bson_build *b, struct slice token)
{
    bool after = mongo_client_pool_server(t->pool)->max_wire_version >= WIRE_START_AFTER;
    bson_build_doc(b, after ? SL("startAfter") : SL("resumeAfter"), token, BSON_DOCUMENT);
}

/* at NULL: from now. */
static void add_position(struct mongo_task *t, struct bson_build *b, const struct mongo_offset *at)
{
    int64_t time = t->o.start_op_time;
    if (!at)
        return;
    if (at->token.n)
        mongo_stream_add_token(t, b, strbuf_slice(&at->token));
    else if (at->sec >= 0)
        bson_build_timestamp(b, SL("startAtOperationTime"), (uint32_t)at->sec,
                             at->ord >= 0 ? (uint32_t)at->ord : 0);
    else if (!t->has_offset && time >= 0)
        bson_build_timestamp(b, SL("startAtOperationTime"), (uint32_t)((uint64_t)time >> 32),
                             (uint32_t)time);
}

static void add_change_stream(struct mongo_task *t, struct bson_build *b,
                              const struct mongo_offset *at)
{
    begin(b, SL("0"));
    begin(b, SL("$changeStream"));
    if (t->o.scope == MONGO_SCOPE_DEPLOYMENT)
        bson_build_bool(b, SL("allChangesForCluster"), true);
    if (at && t->o.full_update && !mongo_lookup_serves(t))
        bson_build_text(b, SL("fullDocument"),
                        t->o.post_image ? SL("whenAvailable") : SL("updateLookup"));
    if (at && t->o.pre_image)
        bson_build_text(b, SL("fullDocumentBeforeChange"), SL("whenAvailable"));
    add_position(t, b, at);
    bson_build_end(b);
    bson_build_end(b);
}

static enum err stages_of(struct mongo_task *t, bool at_oplog, struct slice position,
                          struct bson_build *b, struct slice *stages, struct error *e)
{
    struct pipeline_options o = {
        .filter = &t->filter,
        .skipped = t->o.skipped,
        .user = t->user_stages,
        .order = t->o.pipeline_order,
        .oversize = t->o.oversize,
        .threshold = t->o.oversize_threshold,
        .at_oplog = at_oplog,
        .position = position,
        .notices = true,
    };
    return pipeline_make(&o, b, stages, e);
}

static void log_pipeline(struct slice stages)
{
    static const struct bson_json_form form = {BSON_JSON_RELAXED, BSON_JSON_SPACED};
    struct bson_item all = {.kind = BSON_ARRAY, .raw = stages};
    struct strbuf text = STRBUF_INIT;
    bson_json_print_item(&all, form, &text);
    LOG_INFO(LOG_CDC_MONGO, "Effective change stream pipeline: %s", text.p);
    strbuf_release(&text);
}

/* {aggregate, pipeline: [{$changeStream}, stages ...], cursor: {}, readConcern} */
static enum err make_command(struct mongo_task *t, struct bson_build *b, struct slice stages,
                             const struct mongo_offset *at, struct slice *command, struct error *e)
{
    struct bson_walk w;
    struct bson_item i;
    char buf[BSON_INDEX_SIZE];
    unsigned n = 0;
    bson_build_reset(b);
    if (t->o.scope == MONGO_SCOPE_COLLECTION)
        bson_build_text(b, SL("aggregate"), t->o.target_coll);
    else
        bson_build_int(b, SL("aggregate"), 1);
    bson_build_begin(b, SL("pipeline"), BSON_ARRAY);
    add_change_stream(t, b, at);
    bson_walk_init(&w, stages);
    while (bson_walk_next(&w, &i))
        bson_build_item(b, bson_index(++n, buf), &i);
    bson_build_end(b);
    begin(b, SL("cursor"));
    bson_build_end(b);
    begin(b, SL("readConcern"));
    bson_build_text(b, SL("level"), SL("majority"));
    bson_build_end(b);
    *command = bson_build_finish(b);
    return command->p ? E_OK : error_set(e, E_NOMEM, "no memory for a command");
}

static enum err open_cursor(struct mongo_task *t, mongoc_client_t *c, struct bson_build *b,
                            const struct mongo_offset *at, bool late, bool *told,
                            struct mongo_cursor **out, struct error *e)
{
    struct bson_build pipeline;
    struct slice stages, command;
    if ((t->o.pre_image || t->o.post_image) &&
        mongo_client_pool_server(t->pool)->max_wire_version < WIRE_IMAGES)
        return error_set(e, E_UNSUPPORTED,
                         "pre-images and post-images need MongoDB 6.0 or newer; "
                         "see capture.mode and capture.mode.full.update.type");
    bson_build_init(&pipeline);
    enum err rc = stages_of(t, !late && mongo_has_others(t, c),
                            late ? strbuf_slice(&at->token) : SLICE_NULL, &pipeline, &stages, e);
    if (!rc && told && !*told) {
        log_pipeline(stages);
        *told = true;
    }
    if (!rc)
        rc = make_command(t, b, stages, at, &command, e);
    if (!rc)
        rc = mongo_cursor_open(out, t->pool, c,
                               t->o.scope == MONGO_SCOPE_DEPLOYMENT ? SL("admin") : t->o.target_db,
                               command, false, e);
    bson_build_release(&pipeline);
    return rc;
}

/* --- errors ----------------------------------------------------------------------------------- */

void mongo_stream_explain(const struct mongo_task *t, struct error *e)
{
    switch (e->sys) {
    case CODE_FATAL: /* the server has one code for two faults */
        if (slice_find(slice_cstr(e->msg), SL("was modified by the pipeline")) >= 0) {
            e->code = E_INVALID;
            error_hint(e,
                       "a stage of cursor.pipeline changes or removes _id of events: it is their "
                       "position and has to stay as it is");
            return;
        }
        e->code = E_NOT_FOUND;
        return;
    case CODE_INVALID_TOKEN:
    case CODE_HISTORY_LOST:
        e->code = E_NOT_FOUND;
        return;
    case CODE_TOO_LARGE:
        e->code = E_TOO_LARGE;
        error_hint(e, "set cursor.oversize.handling.mode to split (MongoDB 7.0 and newer) or to "
                      "skip, with cursor.oversize.skip.threshold; skip looks at the documents of "
                      "an event only, not at the event");
        return;
    case CODE_NO_REPLICA_SET:
        e->code = E_UNSUPPORTED;
        error_hint(e, "start mongod with --replSet rs0 and run rs.initiate() once");
        return;
    default:
        break;
    }
    if (e->code == E_REMOTE && t->o.oversize == MONGO_OVERSIZE_SPLIT &&
        mongo_client_pool_server(t->pool)->max_wire_version < WIRE_SPLIT) {
        e->code = E_UNSUPPORTED;
        error_hint(e, "cursor.oversize.handling.mode=split needs MongoDB 7.0 or newer");
    } else if (e->code == E_REMOTE && t->user_stages.p) {
        e->code = E_INVALID;
        error_hint(e, "see cursor.pipeline: the server refuses the change stream with it");
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

static void log_position(const struct mongo_stream *s)
{
    static const struct bson_json_form form = {BSON_JSON_RELAXED, BSON_JSON_SPACED};
    struct strbuf text = STRBUF_INIT;
    LOG_INFO(LOG_CDC_MONGO, "Reading change stream");
    if (s->at.token.n) {
        bson_json_print(strbuf_slice(&s->at.token), form, &text);
        LOG_INFO(LOG_CDC_MONGO, "Resuming streaming from token '%s'", text.p);
    } else if (s->at.sec >= 0) {
        LOG_INFO(LOG_CDC_MONGO, "Resuming streaming from operation time '%lld.%d'",
                 (long long)s->at.sec, s->at.ord);
    }
    if (s->t->o.scope == MONGO_SCOPE_DATABASE)
        LOG_INFO(LOG_CDC_MONGO, "Change stream is restricted to '" PRI_SL "' database",
                 ARG_SL(s->t->o.target_db));
    else if (s->t->o.scope == MONGO_SCOPE_COLLECTION)
        LOG_INFO(LOG_CDC_MONGO, "Change stream is restricted to '" PRI_SL "." PRI_SL "' collection",
                 ARG_SL(s->t->o.target_db), ARG_SL(s->t->o.target_coll));
    strbuf_release(&text);
}

/* Whether the event of a position may be one that the stream of today leaves out. */
static bool may_hide(const struct mongo_options *o)
{
    return o->scope != MONGO_SCOPE_DEPLOYMENT || o->oversize == MONGO_OVERSIZE_SKIP;
}

/* Opens it in another way; e says why. A fault that passes, and only that, takes the place of e: it
 * does not show that the position is gone. */
static enum err open_instead(struct mongo_stream *s, const struct mongo_offset *at, bool late,
                             struct error *e)
{
    struct error own = {0};
    enum err rc = open_cursor(s->t, s->client, &s->build, at, late, NULL, &s->cursor, &own);
    if (!rc)
        error_clear(e);
    else if (mongo_fault_passes(&own) || own.code == E_CANCELLED)
        *e = own;
    return rc ? e->code : E_OK;
}

/* A token of an event that a narrower capture.scope or a threshold set since leaves out is not
 * found there, but its time may be in the server's history still: from there on nothing of the
 * stream is left out. Otherwise e stays as it is. SPEC: cdc-mongodb 8.1 */
static enum err open_by_time(struct mongo_stream *s, struct error *e)
{
    struct mongo_offset at;
    uint32_t seconds, increment;
    if (e->sys == CODE_HISTORY_LOST || !may_hide(&s->t->o) ||
        !mongo_token_time(strbuf_slice(&s->at.token), &seconds, &increment))
        return e->code;
    mongo_offset_init(&at);
    at.sec = seconds;
    at.ord = (int32_t)increment;
    enum err rc = open_instead(s, &at, false, e);
    if (!rc) {
        LOG_WARN(
            LOG_CDC_MONGO,
            "the stored position is of an event that capture.scope or "
            "cursor.oversize.skip.threshold leaves out: streaming goes on from its time, %u.%u",
            seconds, increment);
        mongo_offset_copy(&s->at, &at);
    }
    mongo_offset_release(&at);
    return rc;
}

/* Lists or skipped operations may leave out the event of the stored position by now, and the
 * server, which looks for it behind the filter, does not find it: so it is let through. Otherwise e
 * stays as it is. */
static enum err open_behind(struct mongo_stream *s, struct error *e)
{
    if (e->sys != CODE_FATAL || !s->at.token.n)
        return e->code;
    enum err rc = open_instead(s, &s->at, true, e);
    if (!rc)
        LOG_INFO(LOG_CDC_MONGO, "the event of the stored position is not captured any more; "
                                "streaming goes on behind it");
    return rc;
}

enum err mongo_stream_open(struct mongo_stream *s, struct error *e)
{
    if (!s->client)
        s->client = mongo_client_take(s->t->pool);
    if (!s->told_pipeline)
        log_position(s);
    enum err rc =
        open_cursor(s->t, s->client, &s->build, &s->at, false, &s->told_pipeline, &s->cursor, e);
    if (rc && e)
        mongo_stream_explain(s->t, e);
    if (rc && e && e->code == E_NOT_FOUND)
        rc = open_behind(s, e);
    if (rc && e && e->code == E_NOT_FOUND)
        rc = open_by_time(s, e);
    if (rc)
        return e ? e->code : rc;
    if (!s->lookup && mongo_lookup_serves(s->t))
        s->lookup = mongo_lookup_new(s->t);
    if (s->lookup)
        mongo_lookup_answer(s->lookup, s->cursor->server);
    s->opened = true;
    s->at_end = s->asked_ahead = false;
    atomic_store_explicit(&s->t->connected, true, memory_order_relaxed);
    task_life_back(&s->t->life);
    /* Behind nothing yet: what comes from here on is not lost when the cursor is. */
    struct bson_walk w = s->cursor->walk;
    struct bson_item i;
    if (!s->at.token.n && s->cursor->token.p && !bson_walk_next(&w, &i)) {
        mongo_offset_idle(&s->at, s->cursor->token);
        s->unstored = s->wants_offset = true;
    }
    return E_OK;
}

enum err mongo_stream_now(struct mongo_task *t, mongoc_client_t *c, struct mongo_offset *out,
                          struct error *e)
{
    struct bson_build b;
    struct mongo_cursor *cursor = NULL;
    struct slice event;
    struct change change;
    bson_build_init(&b);
    enum err rc = open_cursor(t, c, &b, NULL, false, NULL, &cursor, e);
    if (rc && e) {
        mongo_stream_explain(t, e);
        rc = e->code;
    }
    if (!rc && mongo_cursor_next(cursor, &event)) {
        rc = change_read(event, &change, e);
        while (!rc && change.fragment < change.fragments && mongo_cursor_next(cursor, &event))
            rc = change_read(event, &change, e); /* not between two pieces of an event */
        if (!rc)
            mongo_offset_at(out, &change);
    } else if (!rc && cursor->token.p) {
        mongo_offset_idle(out, cursor->token);
    } else if (!rc && cursor->has_time) {
        mongo_offset_idle(out, SL(""));
        out->sec = cursor->time_seconds;
        out->ord = (int32_t)cursor->time_increment;
    } else if (!rc) {
        rc = error_set(e, E_UNSUPPORTED, "the server does not say where its change stream stands");
    }
    if (!rc) {
        strbuf_reset(&out->session);
        out->after_seconds = cursor->has_time ? cursor->time_seconds : 0;
        out->after_increment = cursor->time_increment;
    }
    mongo_cursor_close(cursor);
    bson_build_release(&b);
    return rc;
}
