/* cdc/mongodb/open.c - opening a pool: key stores, the driver's pool, the first answer; and, when none comes,
 * the verdict why, and what helps without asking. SPEC: cdc-mongodb 3 */
#include "cdc/mongodb/client_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cdc/mongodb/diagnose.h"

#define ERROR_API 2   /* the server's own codes */
#define TRY_MS "2500" /* longest wait of mongo_client_pool_try */

/* --- parts -------------------------------------------------------------------------------------- */

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
    mongo_pool_watch(p);
    return E_OK;
}

static void note_hello(struct mongo_server *s, const bson_t *hello)
{
    bson_iter_t i;
    const char *message = mongo_reply_text(hello, "msg"), *set = mongo_reply_text(hello, "setName");
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
        const char *version = rc ? NULL : mongo_reply_text(&reply, "version");
        if (version)
            note_version(&p->server, version);
        libbson.destroy(&reply);
    }
    libbson.destroy(&command);
    return rc;
}

/* --- the first answer --------------------------------------------------------------------------- */

struct opening {
    struct mongo_client_pool *p;
    const struct mongo_options *o;
    mongoc_client_t *client; /* NULL: none taken */
    int64_t deadline;
    bool once;    /* the first verdict is told, whatever time is left */
    bool filled;  /* replicaSet was put in */
    bool rescued; /* by directConnection */
    bool initiated;
    struct mongo_verdict verdict; /* the latest */
};

/* A pool of the target as it is now. */
static enum err begin(struct opening *x, struct error *e)
{
    struct mongo_client_pool *p = x->p;
    mongo_client_give(p, x->client);
    x->client = NULL;
    atomic_store_explicit(&p->closing, true, memory_order_relaxed);
    if (p->pool)
        libmongoc.client_pool_destroy(p->pool);
    p->pool = NULL;
    atomic_store_explicit(&p->closing, false, memory_order_relaxed);
    atomic_store_explicit(&p->elections, 0, memory_order_relaxed);
    enum err rc = make_pool(p, e);
    if (rc == E_OK)
        x->client = mongo_client_take(p);
    return rc;
}

static void set_option(struct mongo_client_pool *p, const char *name, const char *value)
{
    strmap_set(&p->target.options, slice_cstr(name), slice_cstr(value));
}

/* Authentication failed: who, against which database, and what then. */
static enum err not_let_in(const struct mongo_client_pool *p, struct error *e)
{
    const struct mongo_target *t = &p->target;
    struct slice source = mongo_target_option(t, "authSource");
    struct strbuf b = STRBUF_INIT;
    int code = e->sys ? e->sys : 18;
    if (!source.n)
        source = t->database ? slice_cstr(t->database) : SL("admin");
    strbuf_addf(&b,
                "the user \"%s\" cannot log in (authSource=" PRI_SL "): %s\n"
                "check user and password; was the user created in another database? add "
                "?authSource=<database> to the connection string, or set mongodb.authsource",
                t->user ? t->user : "", ARG_SL(source), e->msg);
    error_set(e, E_AUTH, "%s", b.p);
    e->sys = code;
    strbuf_release(&b);
    return E_AUTH;
}

/* --- rescue ------------------------------------------------------------------------------------- */

/* The name that the server was started with (--replSet), unless the connection string says one. */
static void set_name(mongoc_client_t *c, const struct mongo_target *t, char *out, size_t size)
{
    struct slice wanted = mongo_target_option(t, "replicaSet");
    bson_t command, reply;
    bson_iter_t top, i;
    snprintf(out, size, PRI_SL, ARG_SL(wanted.n ? wanted : SL("rs0")));
    if (wanted.n)
        return;
    libbson.init(&command);
    libbson.append_int32(&command, "getCmdLineOpts", -1, 1);
    bson_error_t be;
    if (libmongoc.client_command_simple(c, "admin", &command, NULL, &reply, &be) &&
        libbson.iter_init(&top, &reply) &&
        (libbson.iter_find_descendant(&top, "parsed.replication.replSet", &i) ||
         (libbson.iter_init(&top, &reply) &&
          libbson.iter_find_descendant(&top, "parsed.replication.replSetName", &i))) &&
        libbson.iter_type(&i) == BSON_TYPE_UTF8)
        snprintf(out, size, "%s", libbson.iter_utf8(&i, NULL));
    libbson.destroy(&reply);
    libbson.destroy(&command);
}

static bool run_initiate(mongoc_client_t *c, const char *name, const char *host, bson_error_t *be)
{
    bson_t command, config, members, member;
    libbson.init(&command);
    libbson.append_document_begin(&command, "replSetInitiate", -1, &config);
    libbson.append_utf8(&config, "_id", -1, name, -1);
    libbson.append_array_begin(&config, "members", -1, &members);
    libbson.append_document_begin(&members, "0", -1, &member);
    libbson.append_int32(&member, "_id", -1, 0);
    libbson.append_utf8(&member, "host", -1, host, -1);
    libbson.append_document_end(&members, &member);
    libbson.append_array_end(&config, &members);
    libbson.append_document_end(&command, &config);
    bool ok = libmongoc.client_command_simple(c, "admin", &command, NULL, NULL, be);
    libbson.destroy(&command);
    return ok;
}

/* weir.mongodb.auto.initiate */
static void initiate(struct opening *x)
{
    const struct mongo_host *seed = &x->verdict.seed;
    struct strbuf text = STRBUF_INIT, host = STRBUF_INIT;
    char name[128];
    bson_error_t be = {0};
    mongo_target_print(&x->p->target, seed, &text);
    mongoc_uri_t *uri = libmongoc.uri_new_with_error(text.p, &be);
    mem_wipe(text.p, text.n);
    strbuf_release(&text);
    mongoc_client_t *c = uri ? libmongoc.client_new_from_uri_with_error(uri, &be) : NULL;
    mongo_host_print(seed, &host);
    if (c) {
        set_name(c, &x->p->target, name, sizeof name);
        if (run_initiate(c, name, host.p, &be)) {
            LOG_WARN(LOG_CDC_MONGO,
                     "rs.initiate({_id:\"%s\",members:[{_id:0,host:\"%s\"}]}) was run "
                     "(weir.mongodb.auto.initiate)",
                     name, host.p);
            x->verdict.finding = FINDING_NONE;
        }
        libmongoc.client_destroy(c);
    }
    if (x->verdict.finding != FINDING_NONE)
        LOG_WARN(LOG_CDC_MONGO, "weir.mongodb.auto.initiate: rs.initiate at %s failed: %s", host.p,
                 be.message);
    if (uri)
        libmongoc.uri_destroy(uri);
    strbuf_release(&host);
    x->initiated = true;
}

/* weir.mongodb.direct.fallback */
static enum err go_direct(struct opening *x, struct error *e)
{
    x->rescued = true;
    LOG_WARN(LOG_CDC_MONGO,
             "%s; going on with directConnection=true to that server only "
             "(weir.mongodb.direct.fallback)",
             x->verdict.fact);
    set_option(x->p, "directConnection", "true");
    x->verdict.finding = FINDING_NONE;
    x->verdict.rescued = true;
    return begin(x, e);
}

/* Nothing could be selected for a second: E_OK to go on trying. */
static enum err look_closer(struct opening *x, struct error *e)
{
    const mongoc_ssl_opt_t *s = &x->p->tls;
    struct mongo_probe_tls tls = {
        .on = mongo_target_tls(&x->p->target),
        .any_certificate = s->weak_cert_validation,
        .any_hostname = s->allow_invalid_hostname,
        .ca_file = s->ca_file,
        .pem_file = s->pem_file,
        .pem_password = s->pem_pwd,
    };
    mongo_diagnose(&x->p->target, &tls, &x->verdict);
    if (x->verdict.finding == FINDING_NOT_INITIATED && x->o->auto_initiate && !x->initiated) {
        initiate(x);
        x->deadline = MAX(x->deadline, clock_mono_ms() + 15000); /* an election */
    }
    if (x->verdict.finding == FINDING_MEMBER_NAMES && x->verdict.seed_is_primary &&
        x->o->direct_fallback && !x->rescued)
        return go_direct(x, e);
    if (x->verdict.finding == FINDING_NONE)
        return E_OK;
    enum err rc = mongo_verdict_error(&x->verdict, e);
    bool over = rc != E_IO || x->once || clock_mono_ms() >= x->deadline;
    return over ? rc : E_OK;
}

static enum err wait_for_member(struct opening *x, struct error *e)
{
    for (;;) {
        enum err rc = mongo_client_select(x->p, x->client, false, e);
        if (rc != E_TIMEOUT)
            return rc;
        struct error unselected = e ? *e : (struct error){0};
        rc = look_closer(x, e);
        if (rc)
            return rc;
        if (x->verdict.finding == FINDING_NONE && clock_mono_ms() >= x->deadline)
            return error_set(e, E_TIMEOUT, "%s", unselected.msg);
    }
}

/* A server alone answers to everything but the stream. */
static enum err check_kind(struct opening *x, struct error *e)
{
    const struct mongo_server *s = &x->p->server;
    if (s->mongos || s->set_name[0])
        return E_OK;
    return look_closer(x, e);
}

/* One seed without replicaSet is talked to alone; the set's name makes the driver know the others. */
static bool fill_in(struct opening *x)
{
    struct mongo_target *t = &x->p->target;
    if (x->filled || !x->p->server.set_name[0] || t->srv || t->seed_count > 1 ||
        mongo_target_direct(t) || mongo_target_option(t, "replicaSet").n ||
        slice_ieq(mongo_target_option(t, "loadBalanced"), SL("true")))
        return false;
    LOG_WARN(LOG_CDC_MONGO,
             "Replica set not specified in connection string for REPLICA_SET cluster. Going on as "
             "if it said replicaSet=%s",
             x->p->server.set_name);
    set_option(x->p, "replicaSet", x->p->server.set_name);
    x->filled = true;
    return true;
}

static enum err connect_first(struct opening *x, struct error *e)
{
    for (;;) {
        enum err rc = begin(x, e);
        if (rc == E_OK)
            rc = wait_for_member(x, e);
        if (rc == E_OK)
            rc = greet(x->p, x->client, e);
        if (rc == E_AUTH)
            return not_let_in(x->p, e);
        if (rc == E_OK)
            rc = check_kind(x, e);
        if (rc || !fill_in(x))
            return rc;
    }
}

static enum err open_pool(struct mongo_client_pool **out, const struct mongo_options *o,
                          const char *connector, const atomic_bool *stop, int32_t limit_ms,
                          struct mongo_verdict *verdict, struct error *e)
{
    struct mongo_client_pool *p = xcalloc(1, sizeof *p);
    struct opening x = {.p = p, .o = o, .once = limit_ms > 0};
    char app[128]; /* MongoDB's limit */
    snprintf(app, sizeof app, "weir%s%s", connector ? "-" : "", connector ? connector : "");
    p->trusted.fd = p->own.fd = -1;
    p->socket.stop = stop;
    enum err rc = mongo_target_init(&p->target, o, app, e);
    if (rc == E_OK && mongo_target_no_password(&p->target, e))
        rc = E_INVALID;
    if (rc == E_OK)
        rc = mongo_driver_load(e);
    if (rc == E_OK)
        rc = open_keystores(p, o, e);
    if (rc == E_OK) {
        int64_t ms;
        set_tls(p);
        if (limit_ms) { /* a question: no wait may be longer than the person who asks has patience */
            set_option(p, "connectTimeoutMS", TRY_MS);
            set_option(p, "socketTimeoutMS", TRY_MS);
        }
        if (slice_to_i64(mongo_target_option(&p->target, "connectTimeoutMS"), &ms) == E_OK)
            p->socket.connect_timeout_ms = (int32_t)ms;
        x.deadline = clock_mono_ms() + (limit_ms ? limit_ms : p->target.selection_timeout_ms);
        rc = connect_first(&x, e);
        mongo_client_give(p, x.client);
    }
    if (verdict)
        *verdict = x.verdict;
    if (rc)
        mongo_client_pool_close(p);
    else
        *out = p;
    return rc;
}

enum err mongo_client_pool_open(struct mongo_client_pool **out, const struct mongo_options *o,
                                const char *connector, const atomic_bool *stop, struct error *e)
{
    return open_pool(out, o, connector, stop, 0, NULL, e);
}

enum err mongo_client_pool_try(struct mongo_client_pool **out, const struct mongo_options *o,
                               int32_t limit_ms, struct mongo_verdict *verdict, struct error *e)
{
    return open_pool(out, o, NULL, NULL, limit_ms, verdict, e);
}
