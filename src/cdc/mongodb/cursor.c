/* cdc/mongodb/cursor.c - getMore goes to the server and in the session in which the cursor was
 * opened. Answers are kept small: the server would fill 16 MiB. */
#include "cdc/mongodb/cursor.h"

#include <pthread.h>

#include "base/mem.h"

enum { ANSWER_BYTES = 2 << 20, FIRST_SIZE = 1000, SIZE_MAX_DOCUMENTS = 20000 };

/* The thread that asks ahead. While state is ASKED it alone uses the cursor's client and
 * session. */
struct mongo_ahead {
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    enum { AHEAD_IDLE, AHEAD_ASKED, AHEAD_DONE, AHEAD_END } state;
    int64_t wait_ms;
    int32_t size;
    struct mongo_reply *reply; /* with DONE, and rc E_OK */
    enum err rc;
    struct error e;
};

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

static void measure(struct mongo_cursor *c, size_t asked)
{
    struct bson_walk w;
    struct bson_item i;
    size_t count = 0;
    bson_walk_init(&w, c->reply->documents);
    while (bson_walk_next(&w, &i))
        count++;
    if (count)
        c->average = MAX(c->reply->documents.n / count, (size_t)1);
    c->full = asked && (count >= asked || c->reply->documents.n >= ANSWER_BYTES);
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

/* The answer, which was checked, becomes the one at hand. asked: most documents; 0: not said. */
static enum err read_reply(struct mongo_cursor *c, struct mongo_reply *r, size_t asked,
                           struct error *e)
{
    struct bson_walk w;
    struct bson_item i;
    c->reply = r;
    bson_walk_init(&w, slice_of(libbson.get_data(&r->bson), r->bytes));
    while (bson_walk_next(&w, &i)) {
        if (slice_eq(i.name, SL("cursor")) && i.kind == BSON_DOCUMENT)
            read_cursor(c, bson_doc(&i));
        else if (slice_eq(i.name, SL("operationTime")) && i.kind == BSON_TIMESTAMP) {
            bson_timestamp(&i, &c->time_seconds, &c->time_increment);
            c->has_time = true;
        }
    }
    if (!r->documents.p) {
        drop_reply(c);
        return error_set(e, E_CORRUPT, "the server's answer has no batch");
    }
    bson_walk_init(&c->walk, r->documents);
    measure(c, asked);
    return E_OK;
}

/* Of the cursor, changes nothing but what its client and session hold. */
static enum err run(const struct mongo_cursor *c, struct slice command, bool more,
                    struct mongo_reply **out, struct error *e)
{
    bson_t doc, opts;
    bson_error_t be = {0};
    if (!libbson.init_static(&doc, (const uint8_t *)command.p, command.n))
        return error_set(e, E_CORRUPT, "a command of weir's is no BSON document");
    libbson.init(&opts);
    if (c->session && !libmongoc.client_session_append(c->session, &opts, &be)) {
        libbson.destroy(&opts);
        return mongo_fault(c->pool, c->client, NULL, &be, NULL, NULL, e);
    }
    libbson.append_int32(&opts, "serverId", -1, (int32_t)c->server);
    struct mongo_reply *r = xcalloc_aligned(_Alignof(struct mongo_reply), sizeof *r);
    bool ok = more ? libmongoc.client_command_with_opts(c->client, c->db, &doc, NULL, &opts,
                                                        &r->bson, &be)
                   : libmongoc.client_read_command_with_opts(c->client, c->db, &doc, NULL, &opts,
                                                             &r->bson, &be);
    libbson.destroy(&opts);
    r->bytes = r->bson.len;
    enum err rc = ok ? bson_check(slice_of(libbson.get_data(&r->bson), r->bytes), e)
                     : mongo_fault(c->pool, c->client, NULL, &be, &r->bson, NULL, e);
    if (rc)
        mongo_reply_free(r);
    else
        *out = r;
    return rc;
}

static enum err get_more(const struct mongo_cursor *c, int64_t wait_ms, int32_t size,
                         struct mongo_reply **out, struct error *e)
{
    bson_t command;
    libbson.init(&command);
    libbson.append_int64(&command, "getMore", -1, c->id);
    libbson.append_utf8(&command, "collection", -1, c->collection ? c->collection : "", -1);
    libbson.append_int32(&command, "batchSize", -1, size);
    if (wait_ms)
        libbson.append_int64(&command, "maxTimeMS", -1, wait_ms);
    enum err rc = run(c, slice_of(libbson.get_data(&command), command.len), true, out, e);
    libbson.destroy(&command);
    return rc;
}

static int32_t good_size(const struct mongo_cursor *c)
{
    return c->average
               ? (int32_t)MIN((size_t)SIZE_MAX_DOCUMENTS, MAX((size_t)1, ANSWER_BYTES / c->average))
               : FIRST_SIZE;
}

/* --- ahead ------------------------------------------------------------------------------------ */

static void *ask_ahead(void *cursor)
{
    struct mongo_cursor *c = cursor;
    struct mongo_ahead *a = c->ahead;
    pthread_mutex_lock(&a->lock);
    for (;;) {
        while (a->state == AHEAD_IDLE || a->state == AHEAD_DONE)
            pthread_cond_wait(&a->changed, &a->lock);
        if (a->state == AHEAD_END)
            break;
        pthread_mutex_unlock(&a->lock);
        enum err rc = get_more(c, a->wait_ms, a->size, &a->reply, &a->e);
        pthread_mutex_lock(&a->lock);
        a->rc = rc;
        a->state = AHEAD_DONE;
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static struct mongo_ahead *ahead_start(struct mongo_cursor *c)
{
    struct mongo_ahead *a = xcalloc(1, sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    c->ahead = a;
    if (pthread_create(&a->thread, NULL, ask_ahead, c) == 0) {
        pthread_setname_np(a->thread, "mongo-ahead");
        return a;
    }
    c->ahead = NULL;
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
    return NULL;
}

/* Waits for what was asked for. False: nothing was. */
static bool ahead_collect(struct mongo_ahead *a, struct mongo_reply **out, enum err *rc,
                          struct error *e)
{
    bool asked;
    if (!a)
        return false;
    pthread_mutex_lock(&a->lock);
    asked = a->state != AHEAD_IDLE;
    while (a->state == AHEAD_ASKED)
        pthread_cond_wait(&a->changed, &a->lock);
    if (asked) {
        a->state = AHEAD_IDLE;
        *rc = a->rc;
        *out = a->reply;
        if (a->rc && e)
            *e = a->e;
        a->reply = NULL;
        error_clear(&a->e);
    }
    pthread_mutex_unlock(&a->lock);
    return asked;
}

static void ahead_end(struct mongo_cursor *c)
{
    struct mongo_ahead *a = c->ahead;
    struct mongo_reply *r = NULL;
    enum err rc;
    if (!a)
        return;
    if (ahead_collect(a, &r, &rc, NULL))
        mongo_reply_free(r);
    pthread_mutex_lock(&a->lock);
    a->state = AHEAD_END;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    mem_free(a);
    c->ahead = NULL;
}

void mongo_cursor_ask(struct mongo_cursor *c, int64_t wait_ms)
{
    struct mongo_ahead *a = c->ahead ? c->ahead : ahead_start(c);
    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    if (a->state == AHEAD_IDLE) {
        a->state = AHEAD_ASKED;
        a->wait_ms = wait_ms;
        a->size = good_size(c);
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->lock);
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
    return E_OK;
}

static enum err begin(struct mongo_cursor *c, struct slice command, struct error *e)
{
    bson_error_t be = {0};
    struct mongo_reply *r = NULL;
    mongoc_session_opt_t *o = libmongoc.session_opts_new();
    libmongoc.session_opts_set_causal_consistency(o, false);
    c->session = libmongoc.client_start_session(c->client, o, &be); /* NULL: not with this server */
    libmongoc.session_opts_destroy(o);
    enum err rc = run(c, command, false, &r, e);
    return rc ? rc : read_reply(c, r, 0, e);
}

static enum err give(struct mongo_cursor *c, enum err rc, struct mongo_cursor **out)
{
    if (!rc) {
        *out = c;
        return E_OK;
    }
    c->id = 0;
    mongo_cursor_close(c);
    return rc;
}

enum err mongo_cursor_open(struct mongo_cursor **out, struct mongo_client_pool *p,
                           mongoc_client_t *client, struct slice db, struct slice command,
                           bool primary, struct error *e)
{
    struct mongo_cursor *c = xcalloc(1, sizeof *c);
    *c = (struct mongo_cursor){.pool = p, .client = client, .db = slice_dup(db)};
    enum err rc = choose_server(c, primary, e);
    if (!rc)
        rc = begin(c, command, e);
    return give(c, rc, out);
}

enum err mongo_cursor_open_at(struct mongo_cursor **out, struct mongo_client_pool *p,
                              mongoc_client_t *client, struct slice db, struct slice command,
                              uint32_t server, struct error *e)
{
    struct mongo_cursor *c = xcalloc(1, sizeof *c);
    *c = (struct mongo_cursor){.pool = p, .client = client, .db = slice_dup(db), .server = server};
    return give(c, begin(c, command, e), out);
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
    ahead_end(c);
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
    struct mongo_reply *r = NULL;
    enum err rc;
    drop_reply(c);
    if (!size)
        size = good_size(c);
    if (!ahead_collect(c->ahead, &r, &rc, e))
        rc = get_more(c, wait_ms, size, &r, e);
    if (!rc)
        rc = read_reply(c, r, (size_t)size, e);
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
