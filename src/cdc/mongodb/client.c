/* cdc/mongodb/client.c - see client.h. */
#include "cdc/mongodb/client_int.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* --- errors ----------------------------------------------------------------------------------- */

static const struct {
    int32_t code;
    const char *name; /* NULL: only that it passes matters */
    bool passes;
} codes[] = {
    {6, "HostUnreachable", true},
    {7, "HostNotFound", true},
    {13, "Unauthorized", false},
    {18, "AuthenticationFailed", false},
    {43, "CursorNotFound", true},
    {50, "MaxTimeMSExpired", true},
    {63, "StaleShardVersion", true},
    {76, "NoReplicationEnabled", false},
    {89, "NetworkTimeout", true},
    {91, "ShutdownInProgress", true},
    {94, "NotYetInitialized", false},
    {133, "FailedToSatisfyReadPreference", true},
    {150, "StaleEpoch", true},
    {189, "PrimarySteppedDown", true},
    {234, "RetryChangeStream", true},
    {237, "CursorKilled", true},
    {262, "ExceededTimeLimit", true},
    {9001, "SocketException", true},
    {10107, "NotWritablePrimary", true},
    {11600, "InterruptedAtShutdown", true},
    {11602, "InterruptedDueToReplStateChange", true},
    {13388, "StaleConfig", true},
    {13435, "NotPrimaryNoSecondaryOk", true},
    {13436, "NotPrimaryOrSecondary", true},
};

static bool passes(int32_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(codes); i++)
        if (codes[i].code == code)
            return codes[i].passes;
    return false;
}

const char *mongo_reply_text(const bson_t *reply, const char *name)
{
    bson_iter_t i;
    return reply && libbson.iter_init_find(&i, reply, name) &&
                   libbson.iter_type(&i) == BSON_TYPE_UTF8
               ? libbson.iter_utf8(&i, NULL)
               : NULL;
}

static bool has_label(const bson_t *reply, const char *label)
{
    bson_iter_t i, labels;
    if (!reply || !libbson.iter_init_find(&i, reply, "errorLabels") ||
        libbson.iter_type(&i) != BSON_TYPE_ARRAY || !libbson.iter_recurse(&i, &labels))
        return false;
    while (libbson.iter_next(&labels))
        if (libbson.iter_type(&labels) == BSON_TYPE_UTF8 &&
            strcmp(libbson.iter_utf8(&labels, NULL), label) == 0)
            return true;
    return false;
}

static void code_name(int32_t code, const bson_t *reply, struct strbuf *out)
{
    const char *name = mongo_reply_text(reply, "codeName");
    for (size_t i = 0; !name && i < ARRAY_LEN(codes); i++)
        if (codes[i].code == code)
            name = codes[i].name;
    if (name)
        strbuf_adds(out, name);
    else
        strbuf_addf(out, "Location%d", code);
}

/* The primary as the driver sees it now, else the first seed. */
static void server_name(const struct mongo_client_pool *p, mongoc_client_t *c, struct strbuf *out)
{
    size_t n = 0;
    mongoc_server_description_t **all = c ? libmongoc.client_get_server_descriptions(c, &n) : NULL;
    for (size_t i = 0; i < n && !out->n; i++) {
        const char *type = libmongoc.server_description_type(all[i]);
        if (strcmp(type, "RSPrimary") == 0 || strcmp(type, "Mongos") == 0 ||
            strcmp(type, "Standalone") == 0 || n == 1)
            strbuf_adds(out, libmongoc.server_description_host(all[i])->host_and_port);
    }
    if (all)
        libmongoc.server_descriptions_destroy_all(all, n);
    if (!out->n)
        mongo_host_print(&p->target.seeds[0], out);
}

/* "not authorized on DB to execute command { aggregate: 1, pipeline: ...": of the command its name and what it
 * is about stay; what follows is long, and holds signatures. */
static void shorten(const char *text, struct strbuf *out)
{
    static const char head[] = "to execute command { ";
    const char *p = strstr(text, head);
    bool quoted = false;
    strbuf_adds(out, text);
    if (!p)
        return;
    for (p += sizeof head - 1; *p && (quoted || *p != ','); p++)
        quoted ^= *p == '"';
    if (*p != ',')
        return;
    strbuf_reset(out);
    strbuf_add(out, text, (size_t)(p - text));
    strbuf_adds(out, ", ... }");
}

enum err mongo_fault(const struct mongo_client_pool *p, mongoc_client_t *c, const char *what,
                     const bson_error_t *be, const bson_t *reply, const mongoc_host_list_t *host,
                     struct error *e)
{
    bool login = be->domain == MONGOC_ERROR_CLIENT && be->code == MONGOC_ERROR_CLIENT_AUTHENTICATE;
    bool from_server =
        be->domain == MONGOC_ERROR_SERVER || be->domain == MONGOC_ERROR_WRITE_CONCERN || login;
    if (p && p->socket.stop && atomic_load_explicit(p->socket.stop, memory_order_acquire))
        return error_set(e, E_CANCELLED, "stopped");
    if (be->domain == MONGOC_ERROR_SERVER_SELECTION)
        return error_set(e, E_TIMEOUT, "%s", be->message);
    if (!from_server) {
        bool network = be->domain == MONGOC_ERROR_STREAM ||
                       has_label(reply, "RetryableWriteError") ||
                       has_label(reply, "ResumableChangeStreamError");
        return error_set(e, network ? E_IO : E_REMOTE, "%s", be->message);
    }
    int32_t code = login ? 18 : (int32_t)be->code; /* the driver keeps that one to itself */
    struct strbuf at = STRBUF_INIT, name = STRBUF_INIT, said = STRBUF_INIT;
    const char *text = mongo_reply_text(reply, "errmsg");
    shorten(text ? text : be->message, &said);
    if (host)
        strbuf_adds(&at, host->host_and_port);
    else
        server_name(p, c, &at);
    code_name(code, reply, &name);
    enum err rc = code == 13 || code == 18                                         ? E_AUTH
                  : passes(code) || has_label(reply, "ResumableChangeStreamError") ? E_IO
                                                                                   : E_REMOTE;
    error_set(e, rc, "%s failed on MongoDB server with error %d (%s): '%s' on server %s",
              what ? what : "Command execution", code, name.p, said.p, at.p);
    if (e)
        e->sys = code;
    strbuf_release(&at);
    strbuf_release(&name);
    strbuf_release(&said);
    return rc;
}

bool mongo_fault_passes(const struct error *e)
{
    return e->code == E_IO || e->code == E_TIMEOUT;
}

/* --- what the driver tells about the cluster -------------------------------------------------- */

static bool find_primary(const mongoc_topology_description_t *d, char *out, size_t size)
{
    size_t n = 0;
    bool found = false;
    mongoc_server_description_t **all = libmongoc.topology_description_get_servers(d, &n);
    for (size_t i = 0; i < n && !found; i++) {
        found = strcmp(libmongoc.server_description_type(all[i]), "RSPrimary") == 0;
        if (found)
            snprintf(out, size, "%s", libmongoc.server_description_host(all[i])->host_and_port);
    }
    libmongoc.server_descriptions_destroy_all(all, n);
    return found;
}

static void on_topology(const mongoc_apm_topology_changed_t *event)
{
    struct mongo_client_pool *p = libmongoc.apm_topology_changed_get_context(event);
    char before[300], after[300];
    /* A stop ends the driver's connections before the pool is closed; its flag may be gone by now. */
    if (atomic_load_explicit(&p->closing, memory_order_relaxed) ||
        atomic_load_explicit(&p->socket.stopped, memory_order_relaxed))
        return;
    bool had = find_primary(libmongoc.apm_topology_changed_get_previous_description(event), before,
                            sizeof before);
    bool has = find_primary(libmongoc.apm_topology_changed_get_new_description(event), after,
                            sizeof after);
    if (had && (!has || strcmp(before, after) != 0))
        LOG_INFO(LOG_CDC_MONGO, "%s is the primary no more", before);
    if (has && (!had || strcmp(before, after) != 0)) {
        atomic_fetch_add_explicit(&p->elections, 1, memory_order_relaxed);
        LOG_INFO(LOG_CDC_MONGO, "%s is the primary", after);
    }
}

void mongo_pool_watch(struct mongo_client_pool *p)
{
    mongoc_apm_callbacks_t *calls = libmongoc.apm_callbacks_new();
    libmongoc.apm_set_topology_changed_cb(calls, on_topology);
    libmongoc.client_pool_set_apm_callbacks(p->pool, calls, p);
    libmongoc.apm_callbacks_destroy(calls);
}

uint64_t mongo_client_pool_elections(const struct mongo_client_pool *p)
{
    uint64_t n = atomic_load_explicit(&p->elections, memory_order_relaxed);
    return n ? n - 1 : 0; /* the first primary was not elected now */
}

/* --- the pool --------------------------------------------------------------------------------- */

static void release_tls(struct mongo_client_pool *p)
{
    char *texts[] = {(char *)(uintptr_t)p->tls.ca_file, (char *)(uintptr_t)p->tls.pem_file,
                     (char *)(uintptr_t)p->tls.pem_pwd};
    if (texts[2])
        mem_wipe(texts[2], strlen(texts[2]));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        mem_free(texts[i]);
}

static void pool_free(void *pool)
{
    struct mongo_client_pool *p = pool;
    if (p->pool)
        libmongoc.client_pool_destroy(p->pool);
    release_tls(p);
    keystore_close(&p->trusted);
    keystore_close(&p->own);
    mongo_target_release(&p->target);
    mem_free(p);
}

/* The driver waits for its monitors, and those for a server that may be silent: not on this
 * thread. */
void mongo_client_pool_close(struct mongo_client_pool *p)
{
    static const atomic_bool closed = true;
    if (!p)
        return;
    atomic_store_explicit(&p->closing, true, memory_order_relaxed);
    p->socket.stop = &closed; /* the one that was given may go away now */
    if (!p->pool || !mongo_driver_background(pool_free, p))
        pool_free(p);
}

const struct mongo_server *mongo_client_pool_server(const struct mongo_client_pool *p)
{
    return &p->server;
}

const struct mongo_target *mongo_client_pool_target(const struct mongo_client_pool *p)
{
    return &p->target;
}

/* --- clients ---------------------------------------------------------------------------------- */

mongoc_client_t *mongo_client_take(struct mongo_client_pool *p)
{
    mongoc_client_t *c = libmongoc.client_pool_pop(p->pool);
    libmongoc.client_set_stream_initiator(c, mongo_socket_open, &p->socket);
    return c;
}

void mongo_client_give(struct mongo_client_pool *p, mongoc_client_t *c)
{
    if (c)
        libmongoc.client_pool_push(p->pool, c);
}

/* The driver gives up after a second (serverSelectionTimeoutMS of our making), so that a stop is
 * seen. */
enum err mongo_client_select(struct mongo_client_pool *p, mongoc_client_t *c, bool writes,
                             struct error *e)
{
    bson_error_t be = {0};
    const mongoc_read_prefs_t *prefs = writes ? NULL : libmongoc.client_get_read_prefs(c);
    mongoc_server_description_t *s = libmongoc.client_select_server(c, writes, prefs, &be);
    if (!s)
        return mongo_fault(p, c, NULL, &be, NULL, NULL, e);
    libmongoc.server_description_destroy(s);
    return E_OK;
}

enum err mongo_client_wait(struct mongo_client_pool *p, mongoc_client_t *c, bool writes,
                           struct error *e)
{
    int64_t deadline = clock_mono_ms() + p->target.selection_timeout_ms;
    enum err rc;
    do
        rc = mongo_client_select(p, c, writes, e);
    while (rc == E_TIMEOUT && clock_mono_ms() < deadline);
    return rc;
}

enum err mongo_client_command(struct mongo_client_pool *p, mongoc_client_t *c, const char *db,
                              const bson_t *command, bson_t *reply, struct error *e)
{
    bson_error_t be = {0};
    bson_t own;
    bson_t *to = reply ? reply : &own;
    bool ok = libmongoc.client_read_command_with_opts(
        c, db, command, libmongoc.client_get_read_prefs(c), NULL, to, &be);
    enum err rc = ok ? E_OK : mongo_fault(p, c, NULL, &be, to, NULL, e);
    if (!reply)
        libbson.destroy(&own);
    return rc;
}
