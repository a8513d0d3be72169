/* connect/worker_options.c - see the header. SPEC: connect 4.1. */
#include "connect/worker_options.h"

#include "base/base.h"
#include "base/err.h"
#include "connect/config_refs.h"

static const char *const policies[] = {"All", "None", "Principal", NULL};
static const char *const exactly_once[] = {"disabled", "preparing", "enabled", NULL};

static enum err no_extensions(const struct opt_row *row, struct slice text, struct error *e)
{
    if (!text.n)
        return E_OK;
    error_set(e, E_UNSUPPORTED, "%s: weir cannot load " PRI_SL, row->name, ARG_SL(text));
    error_hint(e,
               "remove the setting; weir's REST API has no login, so keep it on a private address");
    return E_UNSUPPORTED;
}

#define ROW(n, t, d, imp, text)                                                                    \
    .name = n, .type = t, .def = d, .offset = OPT_NO_FIELD, .importance = imp, .order = -1,        \
    .doc = text
#define ACCEPTED .flags = OPT_NO_STORE
#define ONE_REPLICA "Accepted: weir makes that topic with one replica."
#define ALONE "Accepted: there is one worker."

const struct opt_row connect_option_rows[] = {
    {ROW("bootstrap.servers", OPT_LIST, "localhost:9092", OPT_HIGH,
         "Accepted, with a line in the log when it names another place: connectors use the broker "
         "inside weir."),
     ACCEPTED},
    {ROW("group.id", OPT_STRING, "connect-cluster", OPT_HIGH,
         "Accepted: this worker is its group."),
     ACCEPTED},
    {ROW(
        "key.converter", OPT_CLASS, "org.apache.kafka.connect.json.JsonConverter", OPT_HIGH,
        "Converter for keys of connectors that name none; its options follow as key.converter.*.")},
    {ROW("value.converter", OPT_CLASS, "org.apache.kafka.connect.json.JsonConverter", OPT_HIGH,
         "Converter for values of connectors that name none; its options follow as "
         "value.converter.*.")},
    {ROW("header.converter", OPT_CLASS, "org.apache.kafka.connect.storage.SimpleHeaderConverter",
         OPT_LOW, "Converter for headers of connectors that name none.")},
    {ROW(
        "offset.flush.interval.ms", OPT_LONG, "60000", OPT_LOW,
        "Longest time between two commits of a sink's offsets, which weir commits each second, and "
        "between two looks at what the offsets' topic is to be told; sources commit with each "
        "batch.")},
    {ROW("offset.flush.timeout.ms", OPT_LONG, "5000", OPT_LOW,
         "Accepted: offsets are committed to weir's own store, which is waited for."),
     ACCEPTED},
    {ROW("task.shutdown.graceful.timeout.ms", OPT_LONG, "5000", OPT_LOW,
         "How long tasks that are asked to stop are waited for, all together."),
     .min = 0, .has_min = true},
    {ROW("config.storage.topic", OPT_STRING, "connect-configs", OPT_HIGH,
         "Topic that is told of configurations as Kafka's worker tells it; weir keeps them in its "
         "own "
         "store and never reads it.")},
    {ROW("offset.storage.topic", OPT_STRING, "connect-offsets", OPT_HIGH,
         "The same of the offsets of sources.")},
    {ROW("status.storage.topic", OPT_STRING, "connect-status", OPT_HIGH,
         "The same of states of connectors and tasks, and of topics in use.")},
    {ROW("offset.storage.partitions", OPT_INT, "25", OPT_LOW,
         "Partitions of the offsets' topic, when weir makes it.")},
    {ROW("status.storage.partitions", OPT_INT, "5", OPT_LOW,
         "Partitions of the topic of states, when weir makes it.")},
    {ROW("config.storage.replication.factor", OPT_SHORT, "3", OPT_LOW, ONE_REPLICA), ACCEPTED},
    {ROW("offset.storage.replication.factor", OPT_SHORT, "3", OPT_LOW, ONE_REPLICA), ACCEPTED},
    {ROW("status.storage.replication.factor", OPT_SHORT, "3", OPT_LOW, ONE_REPLICA), ACCEPTED},
    {ROW("listeners", OPT_LIST, "http://:8083", OPT_LOW,
         "Address of the REST API unless --connect-listen names it; the first http:// entry "
         "counts.")},
    {ROW("rest.port", OPT_INT, NULL, OPT_LOW,
         "Port of the REST API where neither --connect-listen nor listeners is given (old name).")},
    {ROW("rest.host.name", OPT_STRING, NULL, OPT_LOW, "Host for rest.port (old name).")},
    {ROW("rest.advertised.host.name", OPT_STRING, NULL, OPT_LOW,
         "Host in worker_id; the listener's when not given.")},
    {ROW("rest.advertised.port", OPT_INT, NULL, OPT_LOW,
         "Port in worker_id; the listener's when not given.")},
    {ROW("rest.advertised.listener", OPT_STRING, NULL, OPT_LOW,
         "Accepted: the REST API has one listener."),
     ACCEPTED},
    {ROW("admin.listeners", OPT_LIST, NULL, OPT_LOW,
         "/admin is served with the rest; an empty text switches it off.")},
    {ROW("access.control.allow.origin", OPT_STRING, "", OPT_LOW,
         "Origins whose pages may read and change connectors: a list, with * for any part; empty: "
         "none.")},
    {ROW("access.control.allow.methods", OPT_STRING, "", OPT_LOW,
         "Methods that such pages are told of; GET,POST,HEAD when empty.")},
    {ROW("rest.extension.classes", OPT_LIST, "", OPT_LOW,
         "Java classes that a worker would load: weir has none, so only empty is accepted."),
     .check = no_extensions},
    {ROW("plugin.path", OPT_LIST, NULL, OPT_LOW, "Accepted: weir's connectors are built in."),
     ACCEPTED},
    {ROW("plugin.discovery", OPT_STRING, "hybrid_warn", OPT_LOW,
         "Accepted: weir's connectors are built in."),
     ACCEPTED},
    {ROW(
        "config.providers", OPT_LIST, "", OPT_LOW,
        "Names of providers for ${name:path:key}. Those whose config.providers.NAME.class is given "
        "are there, named or not; so are file, env and dir.")},
    {ROW("connector.client.config.override.policy", OPT_STRING, "All", OPT_MEDIUM,
         "Which client options connectors may override: all of them, none, or those of a login "
         "(Principal)."),
     .choices = policies},
    {ROW("topic.creation.enable", OPT_BOOLEAN, "true", OPT_LOW,
         "Whether topic.creation.* options of source connectors count.")},
    {ROW("topic.tracking.enable", OPT_BOOLEAN, "true", OPT_LOW,
         "Whether /connectors/NAME/topics is served.")},
    {ROW("topic.tracking.allow.reset", OPT_BOOLEAN, "true", OPT_LOW,
         "Whether that list may be emptied.")},
    {ROW("exactly.once.source.support", OPT_STRING, "enabled", OPT_HIGH,
         "Sources of weir deliver exactly once in any case; unless this is enabled, a connector "
         "that "
         "says exactly.once.support=required is refused."),
     .choices = exactly_once, .flags = OPT_ANY_CASE},
    {ROW("session.timeout.ms", OPT_INT, "10000", OPT_HIGH, ALONE), ACCEPTED},
    {ROW("heartbeat.interval.ms", OPT_INT, "3000", OPT_HIGH, ALONE), ACCEPTED},
    {ROW("rebalance.timeout.ms", OPT_INT, "60000", OPT_HIGH, ALONE), ACCEPTED},
    {ROW("worker.sync.timeout.ms", OPT_INT, "3000", OPT_MEDIUM, ALONE), ACCEPTED},
    {ROW("worker.unsync.backoff.ms", OPT_INT, "300000", OPT_MEDIUM, ALONE), ACCEPTED},
    {ROW("scheduled.rebalance.max.delay.ms", OPT_INT, "300000", OPT_LOW, ALONE), ACCEPTED},
    {ROW("connect.protocol", OPT_STRING, "sessioned", OPT_LOW, ALONE), ACCEPTED},
    {.name = NULL},
};

/* Families of options: of converters, of providers, and of what only a Java worker has (its
 * clients, its metrics, its TLS). */
static const char *const prefixes[] = {"key.converter.",
                                       "value.converter.",
                                       "header.converter.",
                                       "config.providers.",
                                       "producer.",
                                       "consumer.",
                                       "admin.",
                                       "ssl.",
                                       "sasl.",
                                       "metrics.",
                                       "metric.reporters",
                                       "inter.worker.",
                                       "internal.key.converter",
                                       "internal.value.converter",
                                       "listeners.https.",
                                       "config.storage.",
                                       "offset.storage.",
                                       "status.storage.",
                                       "security.protocol",
                                       "client.id",
                                       "client.dns.lookup",
                                       "reconnect.backoff.",
                                       "retry.backoff.",
                                       "request.timeout.ms",
                                       "connections.max.idle.ms",
                                       "receive.buffer.bytes",
                                       "send.buffer.bytes",
                                       "response.http.headers.config"};

bool connect_option_known(struct slice name)
{
    if (opt_find(connect_option_rows, name))
        return true;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (slice_starts(name, slice_cstr(prefixes[i])))
            return true;
    return false;
}

enum err connect_options_resolve(const struct strmap *given, struct strmap *out, struct error *e)
{
    enum err err = config_refs_resolve(given, given, out, e);
    for (size_t i = 0; !err && i < given->count; i++)
        if (slice_starts(given->entries[i].key, SL("config.providers")))
            strmap_set(out, given->entries[i].key, given->entries[i].value);
    return err;
}

void connect_options_hide(const struct strmap *given, const struct strmap *resolved,
                          struct error *e)
{
    config_refs_hide_error(given, resolved, e);
}

int64_t worker_flush_interval_ms(const struct strmap *worker)
{
    int64_t ms = strmap_i64(worker, "offset.flush.interval.ms", 60000);
    return ms > 0 ? ms : 60000;
}

enum err worker_options_make(struct strmap *out, const struct strmap *given, struct error *e)
{
    static const struct strmap nothing = STRMAP_INIT;
    struct strmap resolved;
    strmap_init(out);
    for (const struct opt_row *r = connect_option_rows; r->name; r++)
        if (r->def)
            strmap_set(out, slice_cstr(r->name), slice_cstr(r->def));
    /* The worker's own JsonConverter writes schemas, as Connect's sample configuration does. */
    given = given ? given : &nothing;
    enum err err = connect_options_resolve(given, &resolved, e);
    for (size_t i = 0; i < resolved.count && !err; i++) {
        const struct strmap_entry *one = &resolved.entries[i];
        const struct opt_row *row = opt_find(connect_option_rows, one->key);
        if (row)
            err = opt_check(row, one->value, e);
        strmap_set(out, one->key, one->value);
    }
    if (err)
        config_refs_hide_error(given, &resolved, e);
    strmap_release(&resolved);
    return err;
}
