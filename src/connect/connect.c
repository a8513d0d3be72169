/* connect/connect.c - the worker: its options, start and stop. SPEC: connect 4.1.
 *
 * Start: state from SQLite, REST, then connectors (their worker_id needs the port). Stop: REST
 * first, so that nothing new comes, then the tasks. */
#include "connect/connect.h"

#include "base/log.h"
#include "base/mem.h"
#include "connect/herder_internal.h"
#include "connect/kclient.h"
#include "connect/rest/rest.h"

struct connect {
    struct registry registry;
    struct strmap worker;
    struct kclient *kclient;
    struct herder *herder;
    struct rest *rest;
};

/* --- options -----------------------------------------------------------------------------------
 */

static const char *const policies[] = {"All", "None", "Principal", NULL};
static const char *const exactly_once[] = {"disabled", "preparing", "enabled", NULL};

#define ROW(n, t, d, imp, text)                                                                    \
    .name = n, .type = t, .def = d, .offset = OPT_NO_FIELD, .importance = imp, .order = -1,        \
    .doc = text
#define ACCEPTED .flags = OPT_NO_STORE

const struct opt_row connect_option_rows[] = {
    {ROW("bootstrap.servers", OPT_LIST, "localhost:9092", OPT_HIGH,
         "Accepted: connectors of this worker use the broker inside weir."),
     ACCEPTED},
    {ROW("group.id", OPT_STRING, "connect-cluster", OPT_HIGH, "Name of this group of workers."),
     ACCEPTED},
    {ROW(
        "key.converter", OPT_CLASS, "org.apache.kafka.connect.json.JsonConverter", OPT_HIGH,
        "Converter for keys of connectors that name none; its options follow as key.converter.*.")},
    {ROW("value.converter", OPT_CLASS, "org.apache.kafka.connect.json.JsonConverter", OPT_HIGH,
         "Converter for values of connectors that name none; its options follow as "
         "value.converter.*.")},
    {ROW("header.converter", OPT_CLASS, "org.apache.kafka.connect.storage.SimpleHeaderConverter",
         OPT_LOW, "Converter for headers of connectors that name none.")},
    {ROW("offset.flush.interval.ms", OPT_LONG, "60000", OPT_LOW,
         "Longest time between two commits of offsets; sources of weir commit with each batch."),
     ACCEPTED},
    {ROW("offset.flush.timeout.ms", OPT_LONG, "5000", OPT_LOW,
         "How long a commit of offsets may take."),
     ACCEPTED},
    {ROW("task.shutdown.graceful.timeout.ms", OPT_LONG, "5000", OPT_LOW,
         "How long tasks that are asked to stop are waited for, all together."),
     .min = 0, .has_min = true},
    {ROW("config.storage.topic", OPT_STRING, "connect-configs", OPT_HIGH,
         "Accepted: weir keeps configurations in its own store."),
     ACCEPTED},
    {ROW("offset.storage.topic", OPT_STRING, "connect-offsets", OPT_HIGH,
         "Accepted: weir keeps source offsets in its own store."),
     ACCEPTED},
    {ROW("status.storage.topic", OPT_STRING, "connect-status", OPT_HIGH,
         "Accepted: weir keeps states in its own store."),
     ACCEPTED},
    {ROW("offset.storage.partitions", OPT_INT, "25", OPT_LOW, "Accepted."), ACCEPTED},
    {ROW("status.storage.partitions", OPT_INT, "5", OPT_LOW, "Accepted."), ACCEPTED},
    {ROW("config.storage.replication.factor", OPT_SHORT, "3", OPT_LOW, "Accepted."), ACCEPTED},
    {ROW("offset.storage.replication.factor", OPT_SHORT, "3", OPT_LOW, "Accepted."), ACCEPTED},
    {ROW("status.storage.replication.factor", OPT_SHORT, "3", OPT_LOW, "Accepted."), ACCEPTED},
    {ROW("listeners", OPT_LIST, "http://:8083", OPT_LOW,
         "Accepted: --connect-listen names the REST address."),
     ACCEPTED},
    {ROW("rest.advertised.host.name", OPT_STRING, NULL, OPT_LOW,
         "Host in worker_id; the listener's when not given.")},
    {ROW("rest.advertised.port", OPT_INT, NULL, OPT_LOW,
         "Port in worker_id; the listener's when not given.")},
    {ROW("rest.advertised.listener", OPT_STRING, NULL, OPT_LOW, "Accepted."), ACCEPTED},
    {ROW("admin.listeners", OPT_LIST, NULL, OPT_LOW, "Accepted: /admin is served with the rest."),
     ACCEPTED},
    {ROW("plugin.path", OPT_LIST, NULL, OPT_LOW, "Accepted: weir's connectors are built in."),
     ACCEPTED},
    {ROW("plugin.discovery", OPT_STRING, "hybrid_warn", OPT_LOW, "Accepted."), ACCEPTED},
    {ROW("config.providers", OPT_LIST, "", OPT_LOW,
         "Names of providers for ${name:path:key}; file, env and dir are there without being "
         "named.")},
    {ROW("connector.client.config.override.policy", OPT_STRING, "All", OPT_MEDIUM,
         "Which producer.override.* options connectors may give."),
     .choices = policies, ACCEPTED},
    {ROW("topic.creation.enable", OPT_BOOLEAN, "true", OPT_LOW,
         "Whether topic.creation.* options of source connectors count.")},
    {ROW("topic.tracking.enable", OPT_BOOLEAN, "true", OPT_LOW,
         "Whether /connectors/NAME/topics is served.")},
    {ROW("topic.tracking.allow.reset", OPT_BOOLEAN, "true", OPT_LOW,
         "Whether that list may be emptied.")},
    {ROW("exactly.once.source.support", OPT_STRING, "disabled", OPT_HIGH,
         "Accepted: sources of weir deliver exactly once in any case."),
     .choices = exactly_once, .flags = OPT_NO_STORE | OPT_ANY_CASE},
    {ROW("session.timeout.ms", OPT_INT, "10000", OPT_HIGH, "Accepted."), ACCEPTED},
    {ROW("heartbeat.interval.ms", OPT_INT, "3000", OPT_HIGH, "Accepted."), ACCEPTED},
    {ROW("rebalance.timeout.ms", OPT_INT, "60000", OPT_HIGH, "Accepted."), ACCEPTED},
    {ROW("worker.sync.timeout.ms", OPT_INT, "3000", OPT_MEDIUM, "Accepted."), ACCEPTED},
    {ROW("worker.unsync.backoff.ms", OPT_INT, "300000", OPT_MEDIUM, "Accepted."), ACCEPTED},
    {ROW("scheduled.rebalance.max.delay.ms", OPT_INT, "300000", OPT_LOW, "Accepted."), ACCEPTED},
    {ROW("connect.protocol", OPT_STRING, "sessioned", OPT_LOW, "Accepted."), ACCEPTED},
    {.name = NULL},
};

/* Defaults and what was given, with converters' own options. */
static enum err worker_options(struct strmap *out, const struct strmap *given, struct error *e)
{
    strmap_init(out);
    for (const struct opt_row *r = connect_option_rows; r->name; r++)
        if (r->def)
            strmap_set(out, slice_cstr(r->name), slice_cstr(r->def));
    /* The worker's own JsonConverter writes schemas, as Connect's sample configuration does. */
    enum err err = E_OK;
    for (size_t i = 0; given && i < given->count && !err; i++) {
        const struct opt_row *row = opt_find(connect_option_rows, given->entries[i].key);
        if (row) {
            struct opt_row plain = *row;
            struct opt_values v = {.values = NULL, .texts = STRMAP_INIT};
            plain.offset = OPT_NO_FIELD;
            err = opt_set(&plain, &v, given->entries[i].value, e);
            opt_values_release(&v);
        }
        strmap_set(out, given->entries[i].key, given->entries[i].value);
    }
    return err;
}

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

/* --- start and stop ----------------------------------------------------------------------------
 */

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
    registry_init(&c->registry, plugins);
    c->kclient = kclient_embedded(broker);
    enum err err = worker_options(&c->worker, worker_config, e);
    if (!err)
        err = check_converters(c, e);
    if (!err)
        err = herder_start(&c->herder, db, c->kclient, &c->registry, &c->worker, e);
    if (!err)
        err = rest_start(&c->rest, c->herder, broker, http_loop, pool, listen, allowed_hosts, e);
    if (err) {
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
    rest_free(c->rest);
    kclient_free(c->kclient);
    registry_release(&c->registry);
    strmap_release(&c->worker);
    mem_free(c);
    return true;
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
