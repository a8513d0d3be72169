/* cdc/mongodb/cursor.c - getMore goes to the server and in the session in which the cursor was opened.
 * Answers are kept small: the server would fill 16 MiB. */
#include "cdc/mongodb/cursor.h"

#include "base/mem.h"

enum { ANSWER_BYTES = 2 << 20, FIRST_SIZE = 1000, SIZE_MAX_DOCUMENTS = 20000 };

void mongo_reply_free(struct mongo_reply *r)
{
    if (!r)
        return;
    libbson.destroy(&r->bson);
    mem_free(r);
}

static void drop_reply(struct mongo_cursor *c)
{
    mongo_reply_free(c->reply);
    c->reply = NULL;
    c->token = SLICE_NULL;
    c->walk = (struct bson_walk){0};
}

/* --- answers ---------------------------------------------------------------------------------- */

static void measure(struct mongo_cursor *c)
{
    struct bson_walk w;
    struct bson_item i;
    size_t count = 0;
    bson_walk_init(&w, c->reply->documents);
    while (bson_walk_next(&w, &i))
        count++;
    if (count)
        c->average = MAX(c->reply->documents.n / count, (size_t)1);
}

static void read_namespace(struct mongo_cursor *c, struct slice ns)
{
    ptrdiff_t dot = slice_find_char(ns, '.');
    if (c->collection || dot < 0)
        return;
    c->collection = slice_dup(slice_sub(ns, (size_t)dot + 1, ns.n));
    mem_free(c->db);
    c->db = slice_dup(slice_sub(ns, 0, (size_t)dot));
}

static void read_cursor(struct mongo_cursor *c, struct slice cursor)
{
    struct bson_walk w;
    struct bson_item i;
    bson_walk_init(&w, cursor);
    while (bson_walk_next(&w, &i)) {
        if (slice_eq(i.name, SL("id")))
            c->id = bson_int(&i);
        else if (slice_eq(i.name, SL("firstBatch")) || slice_eq(i.name, SL("nextBatch")))
            c->reply->documents = bson_doc(&i);
        else if (slice_eq(i.name, SL("postBatchResumeToken")))
            c->token = bson_doc(&i);
        else if (slice_eq(i.name, SL("ns")))
            read_namespace(c, bson_text(&i));
    }
}

/* Takes the answer's bytes over. */
static enum err read_reply(struct mongo_cursor *c, struct error *e)
{
    struct bson_walk w;
    struct bson_item i;
    struct slice all = slice_of(libbson.get_data(&c->reply->bson), c->reply->bson.len);
    enum err rc = bson_check(all, e);
    if (rc)
        return rc;
    c->reply->bytes = all.n;
    bson_walk_init(&w, all);
    while (bson_walk_next(&w, &i)) {
        if (slice_eq(i.name, SL("cursor")) && i.kind == BSON_DOCUMENT)
            read_cursor(c, bson_doc(&i));
        else if (slice_eq(i.name, SL("operationTime")) && i.kind == BSON_TIMESTAMP) {
            bson_timestamp(&i, &c->time_seconds, &c->time_increment);
            c->has_time = true;
        }
    }
    if (!c->reply->documents.p)
        return error_set(e, E_CORRUPT, "the server's answer has no batch");
    bson_walk_init(&c->walk, c->reply->documents);
    measure(c);
    return E_OK;
}

static enum err run(struct mongo_cursor *c, struct slice command, bool more, struct error *e)
{
    bson_t doc, opts;
    bson_error_t be = {0};
    drop_reply(c);
    if (!libbson.init_static(&doc, (const uint8_t *)command.p, command.n))
        return error_set(e, E_CORRUPT, "a command of weir's is no BSON document");
    libbson.init(&opts);
    if (c->session && !libmongoc.client_session_append(c->session, &opts, &be)) {
        libbson.destroy(&opts);
        return mongo_fault(c->pool, c->client, NULL, &be, NULL, NULL, e);
    }
    libbson.append_int32(&opts, "serverId", -1, (int32_t)c->server);
    c->reply = xcalloc_aligned(_Alignof(struct mongo_reply), sizeof *c->reply);
    bool ok = more ? libmongoc.client_command_with_opts(c->client, c->db, &doc, NULL, &opts,
                                                        &c->reply->bson, &be)
                   : libmongoc.client_read_command_with_opts(c->client, c->db, &doc, NULL, &opts,
                                                             &c->reply->bson, &be);
    libbson.destroy(&opts);
    enum err rc = ok ? read_reply(c, e)
                     : mongo_fault(c->pool, c->client, NULL, &be, &c->reply->bson, NULL, e);
    if (rc)
        drop_reply(c);
    return rc;
}

/* --- life ------------------------------------------------------------------------------------- */

static enum err choose_server(struct mongo_cursor *c, bool primary, struct error *e)
{
    bson_error_t be = {0};
    mongoc_server_description_t *s = libmongoc.client_select_server(
        c->client, primary, primary ? NULL : libmongoc.client_get_read_prefs(c->client), &be);
    if (!s)
        return mongo_fault(c->pool, c->client, NULL, &be, NULL, NULL, e);
    c->server = libmongoc.server_description_id(s);
    libmongoc.server_description_destroy(s);
    mongoc_session_opt_t *o = libmongoc.session_opts_new();
    libmongoc.session_opts_set_causal_consistency(o, false);
    c->session = libmongoc.client_start_session(c->client, o, &be); /* NULL: not with this server */
    libmongoc.session_opts_destroy(o);
    return E_OK;
}

enum err mongo_cursor_open(struct mongo_cursor **out, struct mongo_client_pool *p,
                           mongoc_client_t *client, struct slice db, struct slice command,
                           bool primary, struct error *e)
{
    struct mongo_cursor *c = xcalloc(1, sizeof *c);
    *c = (struct mongo_cursor){.pool = p, .client = client, .db = slice_dup(db)};
    enum err rc = choose_server(c, primary, e);
    if (!rc)
        rc = run(c, command, false, e);
    if (rc) {
        c->id = 0;
        mongo_cursor_close(c);
        return rc;
    }
    *out = c;
    return E_OK;
}

/* Best effort: a server that does not hear it closes the cursor with its session. */
static void kill_cursor(struct mongo_cursor *c)
{
    bson_t command, cursors, opts;
    bson_error_t be;
    libbson.init(&command);
    libbson.append_utf8(&command, "killCursors", -1, c->collection ? c->collection : "", -1);
    libbson.append_array_begin(&command, "cursors", -1, &cursors);
    libbson.append_int64(&cursors, "0", -1, c->id);
    libbson.append_array_end(&command, &cursors);
    libbson.init(&opts);
    if (!c->session || libmongoc.client_session_append(c->session, &opts, &be)) {
        libbson.append_int32(&opts, "serverId", -1, (int32_t)c->server);
        (void)libmongoc.client_command_with_opts(c->client, c->db, &command, NULL, &opts, NULL,
                                                 &be);
    }
    libbson.destroy(&opts);
    libbson.destroy(&command);
}

void mongo_cursor_close(struct mongo_cursor *c)
{
    if (!c)
        return;
    if (c->id)
        kill_cursor(c);
    if (c->session)
        libmongoc.client_session_destroy(c->session);
    drop_reply(c);
    mem_free(c->db);
    mem_free(c->collection);
    mem_free(c);
}

enum err mongo_cursor_more(struct mongo_cursor *c, int64_t wait_ms, int32_t size, struct error *e)
{
    bson_t command;
    if (!size)
        size = c->average ? (int32_t)MIN((size_t)SIZE_MAX_DOCUMENTS,
                                         MAX((size_t)1, ANSWER_BYTES / c->average))
                          : FIRST_SIZE;
    libbson.init(&command);
    libbson.append_int64(&command, "getMore", -1, c->id);
    libbson.append_utf8(&command, "collection", -1, c->collection ? c->collection : "", -1);
    libbson.append_int32(&command, "batchSize", -1, size);
    if (wait_ms)
        libbson.append_int64(&command, "maxTimeMS", -1, wait_ms);
    enum err rc = run(c, slice_of(libbson.get_data(&command), command.len), true, e);
    libbson.destroy(&command);
    if (rc)
        c->id = 0; /* gone, or not to be reached */
    return rc;
}

struct mongo_reply *mongo_cursor_take(struct mongo_cursor *c)
{
    struct mongo_reply *r = c->reply;
    c->reply = NULL;
    c->token = SLICE_NULL;
    c->walk = (struct bson_walk){0};
    return r;
}
