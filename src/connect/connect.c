/* connect/connect.c - the worker: start and stop. SPEC: connect 4.1.
 *
 * Start: state from SQLite, REST, then connectors (their worker_id needs the port). Stop: REST
 * first, so that nothing new comes, then the tasks. */
#include "connect/connect.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/log_tap.h"
#include "base/mem.h"
#include "broker/broker.h"
#include "connect/config_refs.h"
#include "connect/herder_internal.h"
#include "connect/kclient.h"
#include "connect/recent.h"
#include "connect/rest/rest.h"
#include "connect/worker_options.h"

struct connect {
    struct registry registry;
    struct strmap worker;
    struct kclient *kclient;
    struct herder *herder;
    struct rest *rest;
};

/* --- start and stop --------------------------------------------------------------------------- */

static enum err check_converters(const struct connect *c, struct error *e)
{
    static const char *const keys[] = {"key.converter", "value.converter", "header.converter"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        struct slice name = slice_trim(strmap_get_c(&c->worker, keys[i]));
        if (!registry_converter(&c->registry, name))
            return error_set(e, E_INVALID,
                             "Invalid value " PRI_SL " for configuration %s: Class " PRI_SL
                             " could not be found.",
                             ARG_SL(name), keys[i], ARG_SL(name));
    }
    return E_OK;
}

/* Whether a client that connects to host:port of this machine meets the broker inside weir. */
static bool is_own(const struct broker *b, struct slice address)
{
    ptrdiff_t colon = slice_rfind_char(address, ':');
    bool local = slice_starts(address, SL("localhost:")) || slice_starts(address, SL("127.")) ||
                 slice_starts(address, SL("[::1]:"));
    int64_t port;
    size_t count;
    const struct broker_listener_info *l = broker_listeners(b, &count);
    if (!local || colon < 0 ||
        slice_to_i64(slice_sub(address, (size_t)colon + 1, address.n), &port))
        return false;
    for (size_t i = 0; i < count; i++)
        if (l[i].port == port)
            return true;
    return false;
}

/* Never silently another broker than the one that was named. */
static void tell_bootstrap(const struct connect *c, const struct strmap *given,
                           const struct broker *broker)
{
    if (!given || !strmap_has(given, SL("bootstrap.servers")))
        return;
    bool hidden = config_refs_used(given, &c->worker, SL("bootstrap.servers"));
    struct slice list = strmap_get_c(&c->worker, "bootstrap.servers"), one;
    size_t count;
    const struct broker_listener_info *l = broker_listeners(broker, &count);
    while (opt_list_next(&list, &one)) {
        if (is_own(broker, one))
            continue;
        LOG_WARN(LOG_CONNECT,
                 "bootstrap.servers names " PRI_SL
                 ": connectors here read and write the broker inside weir (%s), and no other; "
                 "--kafka-listen gives it another port",
                 ARG_SL(hidden ? strmap_get_c(given, "bootstrap.servers") : one),
                 count ? l[0].advertised : "no listener");
        return;
    }
}

static void make_worker_id(const struct connect *c, const struct http_listen *listen, char *out,
                           size_t room)
{
    struct slice host = slice_trim(strmap_get_c(&c->worker, "rest.advertised.host.name"));
    struct slice port = slice_trim(strmap_get_c(&c->worker, "rest.advertised.port"));
    const char *own = listen->host[0] && strcmp(listen->host, "0.0.0.0") != 0 &&
                              strcmp(listen->host, "::") != 0 && strcmp(listen->host, "*") != 0
                          ? listen->host
                          : "127.0.0.1";
    char number[8];
    snprintf(number, sizeof number, "%u", listen->port);
    snprintf(out, room, PRI_SL ":" PRI_SL, ARG_SL(host.n ? host : slice_cstr(own)),
             ARG_SL(port.n ? port : slice_cstr(number)));
}

enum err connect_start(struct connect **out, const struct strmap *worker_config,
                       struct http_listen *listen, const char *const *allowed_hosts,
                       struct broker *broker, struct db *db, struct loop *http_loop,
                       struct pool *pool, const struct connect_plugins *const *plugins,
                       struct error *e)
{
    struct connect *c = xcalloc(1, sizeof *c);
    char id[600];
    log_tap(recent_note);
    registry_init(&c->registry, plugins);
    c->kclient = kclient_embedded(broker);
    enum err err = worker_options_make(&c->worker, worker_config, e);
    if (!err)
        err = check_converters(c, e);
    if (!err)
        tell_bootstrap(c, worker_config, broker);
    if (!err)
        err = herder_start(&c->herder, db, c->kclient, &c->registry, &c->worker, e);
    if (!err)
        err = rest_start(&c->rest, c->herder, &c->worker, broker, http_loop, pool, listen,
                         allowed_hosts, e);
    if (err) {
        if (worker_config)
            config_refs_hide_error(worker_config, &c->worker, e);
        (void)!connect_stop(c); /* no task was started */
        return err;
    }
    make_worker_id(c, listen, id, sizeof id);
    herder_go(c->herder, id);
    *out = c;
    return E_OK;
}

bool connect_stop(struct connect *c)
{
    if (!c)
        return true;
    rest_stop(c->rest);
    if (!herder_shutdown(c->herder))
        return false;
    log_tap(NULL);
    recent_clear();
    rest_free(c->rest);
    kclient_free(c->kclient);
    registry_release(&c->registry);
    strmap_release(&c->worker);
    mem_free(c);
    return true;
}

json_t *connect_recent(struct slice connector)
{
    return recent_lines(connector);
}

int connect_recent_count(struct slice connector)
{
    enum { HOUR_MS = 3600 * 1000 };
    return recent_count(connector, clock_wall_ms() - HOUR_MS);
}

struct herder *connect_herder(struct connect *c)
{
    return c->herder;
}

size_t connect_plugin_migrations(const struct connect_plugins *const *plugins,
                                 const struct db_migrations **out, size_t room)
{
    size_t n = 0;
    for (; plugins && *plugins; plugins++) {
        for (const struct connector_ops *const *c = (*plugins)->connectors; c && *c; c++) {
            bool seen = !(*c)->migrations;
            for (size_t i = 0; i < n && !seen; i++)
                seen = out[i] == (*c)->migrations;
            if (!seen && n < room)
                out[n++] = (*c)->migrations;
        }
    }
    return n;
}
