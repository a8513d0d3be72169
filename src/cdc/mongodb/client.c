/* cdc/mongodb/client.c - see client.h. */
#include "cdc/mongodb/client.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/keystore.h"
#include "cdc/mongodb/socket.h"

#define ERROR_API 2 /* the server's own codes */

struct mongo_client_pool {
    mongoc_client_pool_t *pool;
    struct mongo_target target;
    struct keystore trusted, own;
    mongoc_ssl_opt_t tls; /* texts borrowed from target */
    struct mongo_socket_options socket;
    struct mongo_server server;
    _Atomic uint64_t disconnects, elections;
};

/* --- errors ------------------------------------------------------------------------------------- */

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

static const char *reply_text(const bson_t *reply, const char *name)
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
    const char *name = reply_text(reply, "codeName");
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

enum err mongo_fault(const struct mongo_client_pool *p, mongoc_client_t *c, const char *what,
                     const bson_error_t *be, const bson_t *reply, const mongoc_host_list_t *host,
                     struct error *e)
{
    bool from_server = be->domain == MONGOC_ERROR_SERVER ||
                       be->domain == MONGOC_ERROR_WRITE_CONCERN ||
                       (be->domain == MONGOC_ERROR_CLIENT && be->code == 18);
    if (p && p->socket.stop && atomic_load_explicit(p->socket.stop, memory_order_acquire))
        return error_set(e, E_CANCELLED, "stopped");
    if (be->domain == MONGOC_ERROR_SERVER_SELECTION)
        return error_set(e, E_TIMEOUT, "%s", be->message);
    if (!from_server) {
        enum err rc =
            be->domain == MONGOC_ERROR_STREAM || has_label(reply, "RetryableWriteError") ||
                    has_label(reply, "ResumableChangeStreamError")
                ? E_IO
            : be->domain == MONGOC_ERROR_CLIENT && be->code == MONGOC_ERROR_CLIENT_AUTHENTICATE
                ? E_AUTH
                : E_REMOTE;
        return error_set(e, rc, "%s", be->message);
    }
    int32_t code = (int32_t)be->code;
    struct strbuf at = STRBUF_INIT, name = STRBUF_INIT;
    const char *text = reply_text(reply, "errmsg");
    if (host)
        strbuf_adds(&at, host->host_and_port);
    else
        server_name(p, c, &at);
    code_name(code, reply, &name);
    enum err rc = code == 13 || code == 18                                         ? E_AUTH
                  : passes(code) || has_label(reply, "ResumableChangeStreamError") ? E_IO
                                                                                   : E_REMOTE;
    error_set(e, rc, "%s failed on MongoDB server with error %d (%s): '%s' on server %s",
              what ? what : "Command execution", code, name.p, text ? text : be->message, at.p);
    if (e)
        e->sys = code;
    strbuf_release(&at);
    strbuf_release(&name);
    return rc;
}

bool mongo_fault_passes(const struct error *e)
{
    return e->code == E_IO || e->code == E_TIMEOUT;
}

/* --- what the driver tells about the cluster ---------------------------------------------------- */

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

static void on_heartbeat_failed(const mongoc_apm_server_heartbeat_failed_t *event)
{
    struct mongo_client_pool *p = libmongoc.apm_server_heartbeat_failed_get_context(event);
    atomic_fetch_add_explicit(&p->disconnects, 1, memory_order_relaxed);
}

void mongo_client_pool_counts(const struct mongo_client_pool *p, uint64_t *disconnects,
                              uint64_t *elections)
{
    uint64_t n = atomic_load_explicit(&p->elections, memory_order_relaxed);
    *disconnects = atomic_load_explicit(&p->disconnects, memory_order_relaxed);
    *elections = n ? n - 1 : 0; /* the first primary was not elected now */
}

/* --- opening ------------------------------------------------------------------------------------ */

static void set_file(struct mongo_target *t, const char *name, const struct keystore *k)
{
    if (k->path && !mongo_target_option(t, name).p)
        strmap_set(&t->options, slice_cstr(name), slice_cstr(k->path));
}

static enum err open_keystores(struct mongo_client_pool *p, const struct mongo_options *o,
                               struct error *e)
{
    if (!mongo_target_tls(&p->target))
        return E_OK;
    enum err rc = keystore_open(&p->trusted, o->ssl_truststore, o->ssl_truststore_password, e);
    if (rc == E_OK)
        rc = keystore_open(&p->own, o->ssl_keystore, o->ssl_keystore_password, e);
    set_file(&p->target, "tlsCAFile", &p->trusted);
    set_file(&p->target, "tlsCertificateKeyFile", &p->own);
    return rc;
}

static bool option_true(const struct mongo_target *t, const char *name)
{
    return slice_ieq(mongo_target_option(t, name), SL("true"));
}

/* Texts of options end with NUL: they are copies of the map's. */
static void set_tls(struct mongo_client_pool *p)
{
    const struct mongo_target *t = &p->target;
    bool insecure = option_true(t, "tlsInsecure");
    if (!mongo_target_tls(t))
        return;
    struct slice ca = mongo_target_option(t, "tlsCAFile"),
                 pem = mongo_target_option(t, "tlsCertificateKeyFile"),
                 password = mongo_target_option(t, "tlsCertificateKeyFilePassword");
    p->tls = (mongoc_ssl_opt_t){
        .ca_file = ca.n ? slice_dup(ca) : NULL,
        .pem_file = pem.n ? slice_dup(pem) : NULL,
        .pem_pwd = password.n ? slice_dup(password) : NULL,
        .weak_cert_validation = insecure || option_true(t, "tlsAllowInvalidCertificates"),
        .allow_invalid_hostname = insecure || option_true(t, "tlsAllowInvalidHostnames"),
    };
    p->socket.tls = &p->tls;
}

static void release_tls(struct mongo_client_pool *p)
{
    char *texts[] = {(char *)(uintptr_t)p->tls.ca_file, (char *)(uintptr_t)p->tls.pem_file,
                     (char *)(uintptr_t)p->tls.pem_pwd};
    if (texts[2])
        mem_wipe(texts[2], strlen(texts[2]));
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        mem_free(texts[i]);
}

static void watch(struct mongo_client_pool *p)
{
    mongoc_apm_callbacks_t *calls = libmongoc.apm_callbacks_new();
    libmongoc.apm_set_topology_changed_cb(calls, on_topology);
    libmongoc.apm_set_server_heartbeat_failed_cb(calls, on_heartbeat_failed);
    libmongoc.client_pool_set_apm_callbacks(p->pool, calls, p);
    libmongoc.apm_callbacks_destroy(calls);
}

static enum err make_pool(struct mongo_client_pool *p, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    bson_error_t be = {0};
    mongo_target_print(&p->target, NULL, &text);
    mongoc_uri_t *uri = libmongoc.uri_new_with_error(text.p, &be);
    mem_wipe(text.p, text.n);
    strbuf_release(&text);
    if (!uri) {
        error_set(e, E_INVALID, "Invalid connection string");
        error_hint(e, "%s", be.message);
        return E_INVALID;
    }
    p->pool = libmongoc.client_pool_new_with_error(uri, &be);
    libmongoc.uri_destroy(uri);
    if (!p->pool)
        return error_set(e, E_INVALID, "%s", be.message);
    libmongoc.client_pool_set_error_api(p->pool, ERROR_API);
    watch(p);
    return E_OK;
}

static void note_hello(struct mongo_server *s, const bson_t *hello)
{
    bson_iter_t i;
    const char *message = reply_text(hello, "msg"), *set = reply_text(hello, "setName");
    s->mongos = message && strcmp(message, "isdbgrid") == 0;
    if (libbson.iter_init_find(&i, hello, "maxWireVersion"))
        s->max_wire_version = (int32_t)libbson.iter_as_int64(&i);
    snprintf(s->set_name, sizeof s->set_name, "%s", set ? set : "");
}

static void note_version(struct mongo_server *s, const char *text)
{
    int a = 0, b = 0, c = 0;
    if (sscanf(text, "%d.%d.%d", &a, &b, &c) >= 2)
        s->version = a * 10000 + b * 100 + c;
    snprintf(s->version_text, sizeof s->version_text, "%s", text);
}

/* The first commands: they prove that credentials are right, and tell what the server is. */
static enum err greet(struct mongo_client_pool *p, mongoc_client_t *c, struct error *e)
{
    bson_t command, reply;
    libbson.init(&command);
    libbson.append_int32(&command, "hello", -1, 1);
    enum err rc = mongo_client_command(p, c, "admin", &command, &reply, e);
    if (rc == E_REMOTE) { /* older than 5.0 */
        libbson.destroy(&reply);
        libbson.reinit(&command);
        libbson.append_int32(&command, "isMaster", -1, 1);
        rc = mongo_client_command(p, c, "admin", &command, &reply, e);
    }
    if (rc == E_OK)
        note_hello(&p->server, &reply);
    libbson.destroy(&reply);
    libbson.reinit(&command);
    libbson.append_int32(&command, "buildInfo", -1, 1);
    if (rc == E_OK) {
        rc = mongo_client_command(p, c, "admin", &command, &reply, e);
        const char *version = rc ? NULL : reply_text(&reply, "version");
        if (version)
            note_version(&p->server, version);
        libbson.destroy(&reply);
    }
    libbson.destroy(&command);
    return rc;
}

enum err mongo_client_pool_open(struct mongo_client_pool **out, const struct mongo_options *o,
                                const char *connector, const atomic_bool *stop, struct error *e)
{
    struct mongo_client_pool *p = xcalloc(1, sizeof *p);
    char app[160];
    snprintf(app, sizeof app, "weir%s%s", connector ? "-" : "", connector ? connector : "");
    app[127] = 0; /* MongoDB's limit: 128 bytes */
    p->trusted.fd = p->own.fd = -1;
    p->socket.stop = stop;
    enum err rc = mongo_target_init(&p->target, o, app, e);
    if (rc == E_OK)
        rc = mongo_driver_load(e);
    if (rc == E_OK)
        rc = open_keystores(p, o, e);
    if (rc == E_OK) {
        int64_t ms;
        set_tls(p);
        if (slice_to_i64(mongo_target_option(&p->target, "connectTimeoutMS"), &ms) == E_OK)
            p->socket.connect_timeout_ms = (int32_t)ms;
        rc = make_pool(p, e);
    }
    if (rc == E_OK) {
        mongoc_client_t *c = mongo_client_take(p);
        rc = mongo_client_wait(p, c, false, e);
        if (rc == E_OK)
            rc = greet(p, c, e);
        mongo_client_give(p, c);
    }
    if (rc) {
        mongo_client_pool_close(p);
        return rc;
    }
    *out = p;
    return E_OK;
}

void mongo_client_pool_close(struct mongo_client_pool *p)
{
    if (!p)
        return;
    if (p->pool)
        libmongoc.client_pool_destroy(p->pool);
    release_tls(p);
    keystore_close(&p->trusted);
    keystore_close(&p->own);
    mongo_target_release(&p->target);
    mem_free(p);
}

const struct mongo_server *mongo_client_pool_server(const struct mongo_client_pool *p)
{
    return &p->server;
}

const struct mongo_target *mongo_client_pool_target(const struct mongo_client_pool *p)
{
    return &p->target;
}

/* --- clients ------------------------------------------------------------------------------------ */

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

/* The driver gives up after a second (serverSelectionTimeoutMS of our making), so that a stop is seen. */
enum err mongo_client_wait(struct mongo_client_pool *p, mongoc_client_t *c, bool writes,
                           struct error *e)
{
    int64_t deadline = clock_mono_ms() + p->target.selection_timeout_ms;
    for (;;) {
        bson_error_t be = {0};
        const mongoc_read_prefs_t *prefs = writes ? NULL : libmongoc.client_get_read_prefs(c);
        mongoc_server_description_t *s = libmongoc.client_select_server(c, writes, prefs, &be);
        if (s) {
            libmongoc.server_description_destroy(s);
            return E_OK;
        }
        enum err rc = mongo_fault(p, c, NULL, &be, NULL, NULL, e);
        if (rc != E_TIMEOUT || clock_mono_ms() >= deadline)
            return rc;
    }
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
