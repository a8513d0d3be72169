/* cdc/mongodb/chunks.c - chunks of an incremental snapshot: documents in the order of their `_id`.
 * Where their windows begin and end: window.h.
 *
 * Comparisons are $expr's, which order values of all types, and the index is entered at the last
 * key: a collection whose keys are of several types is read to its end. Everything is asked of the
 * primary, and documents are such that a majority has: a chunk is never older than its window. Keys
 * travel in the offset as chunk_key.h prints them. SPEC: cdc-mongodb 4.3 */
#include "cdc/mongodb/signals.h"

#include "base/clock.h"
#include "base/log.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/mongodb/chunk_key.h"
#include "cdc/mongodb/listing.h"
#include "cdc/mongodb/stream.h"

enum { CHUNK_BYTES = 16 << 20, CHUNK_DEFAULT = 1024 };

/* --- queries ---------------------------------------------------------------------------------- */

static void compare(struct bson_build *b, struct slice index, struct slice op,
                    const struct bson_item *key)
{
    bson_build_begin(b, index, BSON_DOCUMENT);
    bson_build_begin(b, op, BSON_ARRAY);
    bson_build_text(b, SL("0"), SL("$_id"));
    bson_build_begin(b, SL("1"), BSON_DOCUMENT);
    bson_build_item(b, SL("$literal"), key);
    bson_build_end(b);
    bson_build_end(b);
    bson_build_end(b);
}

static void add_filter(struct bson_build *b, struct slice filter, const struct bson_item *last,
                       const struct bson_item *max)
{
    bson_build_begin(b, SL("filter"), BSON_DOCUMENT);
    bson_build_begin(b, SL("$and"), BSON_ARRAY);
    bson_build_begin(b, SL("0"), BSON_DOCUMENT);
    if (max) {
        bson_build_begin(b, SL("$expr"), BSON_DOCUMENT);
        bson_build_begin(b, SL("$and"), BSON_ARRAY);
        compare(b, SL("0"), SL("$lte"), max);
        if (last)
            compare(b, SL("1"), SL("$gt"), last);
        bson_build_end(b);
        bson_build_end(b);
    }
    bson_build_end(b);
    if (filter.p)
        bson_build_doc(b, SL("1"), filter, BSON_DOCUMENT);
    bson_build_end(b);
    bson_build_end(b);
}

static void add_order(struct bson_build *b, struct slice name, int32_t direction)
{
    bson_build_begin(b, name, BSON_DOCUMENT);
    bson_build_int(b, SL("_id"), direction);
    bson_build_end(b);
}

/* max NULL: the largest key is looked for. */
static void find_command(const struct mongo_signals *g, struct bson_build *b,
                         const struct collection *c, struct slice filter,
                         const struct bson_item *last, const struct bson_item *max, int32_t limit)
{
    bson_build_text(b, SL("find"), c->name);
    add_filter(b, filter, last, max);
    add_order(b, SL("sort"), max ? 1 : -1);
    if (!max)
        add_order(b, SL("projection"), 1);
    /* An index that is entered ends before MaxKey: with such a key each chunk is looked for from
     * the start. */
    if (last && max->kind != BSON_MAX_KEY) {
        add_order(b, SL("hint"), 1);
        bson_build_begin(b, SL("min"), BSON_DOCUMENT);
        bson_build_item(b, SL("_id"), last);
        bson_build_end(b);
    }
    bson_build_int(b, SL("limit"), max ? limit : 1);
    mongo_window_concern(g, b);
}

/* --- chunks ----------------------------------------------------------------------------------- */

/* *kept: the document's copy, which lives as long as the chunk. */
static enum err add_row(struct mongo_signals *g, struct incremental *inc, struct slice document,
                        struct slice *kept, struct error *e)
{
    struct bson_item id;
    struct slice *row = arena_try_alloc(&inc->arena, sizeof *row);
    char *copy = arena_try_alloc(&inc->arena, document.n);
    if (!row || !copy)
        return error_set(e, E_NOMEM, "no memory for a chunk of an incremental snapshot");
    memcpy(copy, document.p, document.n);
    *row = *kept = slice_of(copy, document.n);
    strbuf_reset(&g->key);
    if (!bson_find(document, SL("_id"), &id))
        return E_OK;
    mongo_chunk_key_exact(&id, &g->key);
    return strbuf_err(&g->key) || incremental_add(inc, strbuf_slice(&g->key), row)
               ? error_set(e, E_NOMEM, "no memory for a chunk of an incremental snapshot")
               : E_OK;
}

static enum err read_rows(struct mongo_signals *g, struct incremental *inc,
                          struct mongo_cursor *cursor, int32_t limit, struct error *e)
{
    struct slice document, last = SLICE_NULL;
    struct strbuf key = STRBUF_INIT;
    size_t bytes = 0;
    int32_t n = 0;
    enum err rc = E_OK;
    while (!rc) {
        while (!rc && bytes < CHUNK_BYTES && mongo_cursor_next(cursor, &document)) {
            rc = add_row(g, inc, document, &last, e);
            bytes += document.n;
            n++;
            if (rc || n > 1)
                continue;
            mongo_chunk_key_print(last, &key);
            incremental_set_begin(inc, strbuf_slice(&key));
        }
        if (rc || n >= limit || bytes >= CHUNK_BYTES || !cursor->id)
            break;
        rc = mongo_cursor_more(cursor, 0, 0, e);
        if (!rc)
            mongo_window_read(g, cursor);
    }
    if (!rc && n)
        mongo_chunk_key_print(last, &key);
    if (!rc && strbuf_err(&key))
        rc = error_set(e, E_NOMEM, "no memory for a key of an incremental snapshot");
    if (!rc && n)
        incremental_set_end(inc, strbuf_slice(&key));
    strbuf_release(&key);
    return rc;
}

static enum err read_max(struct mongo_signals *g, struct incremental *inc,
                         const struct collection *c, struct slice filter, struct error *e)
{
    struct mongo_cursor *cursor = NULL;
    struct bson_build b;
    struct slice document;
    struct strbuf key = STRBUF_INIT;
    bson_build_init(&b);
    find_command(g, &b, c, filter, NULL, NULL, 1);
    enum err rc = mongo_cursor_open(&cursor, g->t->pool, mongo_signals_client(g), c->db,
                                    bson_build_finish(&b), true, e);
    if (!rc && mongo_cursor_next(cursor, &document)) {
        mongo_chunk_key_print(document, &key);
        incremental_set_max(inc, strbuf_slice(&key));
    }
    mongo_cursor_close(cursor);
    bson_build_release(&b);
    strbuf_release(&key);
    return rc;
}

static enum err read_chunk(struct mongo_signals *g, struct incremental *inc,
                           const struct collection *c, struct slice filter, struct arena *a,
                           struct error *e)
{
    struct mongo_cursor *cursor = NULL;
    struct bson_item last, max;
    struct bson_build b;
    int32_t limit = g->t->o.chunk_size > 0 ? g->t->o.chunk_size : CHUNK_DEFAULT;
    enum err rc = mongo_chunk_key_parse(slice_cstr(inc->max_key), a, &max, e);
    if (!rc && inc->last_key)
        rc = mongo_chunk_key_parse(slice_cstr(inc->last_key), a, &last, e);
    if (rc)
        return rc;
    bson_build_init(&b);
    find_command(g, &b, c, filter, inc->last_key ? &last : NULL, &max, limit);
    rc = mongo_cursor_open(&cursor, g->t->pool, mongo_signals_client(g), c->db,
                           bson_build_finish(&b), true, e);
    bson_build_release(&b);
    if (!rc) {
        mongo_window_read(g, cursor);
        rc = read_rows(g, inc, cursor, limit, e);
    }
    mongo_cursor_close(cursor);
    return rc;
}

/* Why nothing is read: the stream would not tell what changes in it, so that the topic would grow
 * old. */
static void log_refusal(const struct mongo_signals *g, const char *id, struct slice db,
                        struct slice name)
{
    const struct mongo_lists *l = &g->t->filter.lists;
    if (!name.p)
        LOG_WARN(LOG_CDC_MONGO,
                 "signal: '%s' is no collection: names have the form "
                 "database.collection",
                 id);
    else if (!mongo_filter_in_scope(&g->t->filter, db, name))
        LOG_WARN(LOG_CDC_MONGO,
                 "signal: '%s' is outside of capture.scope: changes of it are not captured, so "
                 "that a snapshot of it would grow old; set capture.target=" PRI_SL "%s" PRI_SL
                 ", a wider capture.scope, or take a connector of its own for it",
                 id, ARG_SL(db), l->scope_coll.p ? "." : "",
                 ARG_SL(l->scope_coll.p ? name : SL("")));
    else
        LOG_WARN(LOG_CDC_MONGO,
                 "signal: '%s' is not captured: include and exclude lists leave it out (or it is "
                 "one of the server's own); put it into database.include.list and "
                 "collection.include.list first, if there is such a collection",
                 id);
}

struct search {
    struct slice name;
    bool found;
};

static enum err is_it(void *arg, struct slice db, struct slice name, struct slice info,
                      struct error *e)
{
    struct search *x = arg;
    (void)db;
    (void)info;
    (void)e;
    x->found = x->found || slice_eq(x->name, name);
    return E_OK;
}

/* An empty collection, or a name that is none? What cannot be asked is empty. */
static enum chunk_outcome nothing_there(struct mongo_signals *g, const struct collection *c)
{
    struct search x = {.name = c->name};
    struct error e = {0};
    if (mongo_list_one(g->t, mongo_signals_client(g), c->db, c->name, false, is_it, &x, &e)) {
        LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, &e, "whether '" PRI_SL "' exists cannot be asked",
                ARG_SL(c->id));
        return CHUNK_EMPTY;
    }
    if (x.found)
        return CHUNK_EMPTY;
    LOG_WARN(LOG_CDC_MONGO,
             "signal: there is no collection '" PRI_SL "' on the server: nothing is read; is the "
             "name right? Upper and lower case differ",
             ARG_SL(c->id));
    return CHUNK_UNKNOWN;
}

static enum err read_first(struct mongo_signals *g, struct incremental *inc,
                           enum chunk_outcome *out, struct arena *a, struct error *e)
{
    const struct inc_collection *item = &inc->items[0];
    struct slice db, name, filter = SLICE_NULL;
    mongo_split_id(slice_cstr(item->id), &db, &name);
    struct collection *c = name.p ? collections_get(&g->t->collections, db, name) : NULL;
    *out = CHUNK_UNKNOWN;
    if (!c || !c->captured) {
        log_refusal(g, item->id, db, name);
        return E_OK;
    }
    enum err rc = E_OK;
    if (item->filter)
        rc = bson_parse(slice_cstr(item->filter), BSON_DOCUMENT, a, &filter, e);
    bool begun = inc->last_key != NULL;
    if (!rc && !inc->max_key)
        rc = read_max(g, inc, c, filter, e);
    *out = CHUNK_EMPTY;
    if (!rc && !inc->max_key && !filter.p)
        *out = nothing_there(g, c);
    if (rc || !inc->max_key)
        return rc;
    rc = read_chunk(g, inc, c, filter, a, e);
    *out = inc->rows ? CHUNK_ROWS : begun ? CHUNK_END : CHUNK_EMPTY;
    g->chunk_of = c;
    return rc;
}

static enum err read_into(void *db, struct incremental *inc, enum chunk_outcome *out,
                          struct error *e)
{
    struct mongo_signals *g = db;
    struct arena a;
    arena_init(&a, 4096, (size_t)16 << 20);
    enum err rc = read_first(g, inc, out, &a, e);
    arena_release(&a);
    if (rc == E_REMOTE && slice_find(slice_cstr(e->msg), SL("afterClusterTime")) >= 0)
        return e->code = E_AGAIN; /* this member's clock is behind the stream's still */
    if (rc == E_OK || rc == E_IO || rc == E_TIMEOUT || rc == E_CANCELLED || rc == E_NOMEM)
        return rc;
    LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, e,
            "Error while executing incremental snapshot for collection '%s', skipping and "
            "continuing streaming",
            inc->items[0].id);
    error_clear(e);
    *out = CHUNK_FAILED;
    return E_OK;
}

static bool is_valid(void *db, struct incremental *inc)
{
    (void)db;
    (void)inc;
    return true; /* documents have no structure that could have changed */
}

static enum err emit(void *db, struct record_batch *b, const void *row, struct error *e)
{
    struct mongo_signals *g = db;
    const struct mongo_offset *at = mongo_stream_offset(g->t->stream);
    int64_t now = clock_wall_ms();
    struct mongo_read how = {
        .marker = SL("incremental"),
        .source_ms = at->sec >= 0 ? at->sec * 1000 : now,
        .ord = at->sec >= 0 ? at->ord : -1,
    };
    return mongo_emit_read(&g->t->em, b, g->chunk_of, *(const struct slice *)row, &how, now, e);
}

const struct incremental_ops mongo_incremental_ops = {
    .mark = mongo_window_mark,
    .read = read_into,
    .is_valid = is_valid,
    .emit = emit,
    .last_key_last = true,
};
