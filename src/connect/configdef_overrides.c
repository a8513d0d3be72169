/* connect/configdef_overrides.c - options that a connector gives for its clients: producer.override.*,
 * admin.override.*, consumer.override.*. See configdef_internal.h. SPEC: connect 2.1, 4.1.
 *
 * The worker's policy says which are allowed. Types are checked as far as they are not text; a wrong
 * one fails the whole validation, as it does in Connect. */
#include "connect/configdef_internal.h"

/* Options of Kafka's producer, consumer and admin client whose values are more than text, and those of
 * the consumer that people override, as Kafka defines them: these are shown with their definition,
 * others without. */
#define CONSUMER(name_, type_, def_, importance_)                                                  \
    {                                                                                              \
        .name = name_, .type = type_, .def = def_, .offset = OPT_NO_FIELD,                         \
        .importance = importance_, .order = -1, .display = name_                                   \
    }
#define TYPED(name_, type_) CONSUMER(name_, type_, NULL, OPT_LOW)
static const struct opt_row client_options[] = {
    TYPED("auto.commit.interval.ms", OPT_INT),
    TYPED("auto.include.jmx.reporter", OPT_BOOLEAN),
    CONSUMER("auto.offset.reset", OPT_STRING, "latest", OPT_MEDIUM),
    TYPED("batch.size", OPT_INT),
    TYPED("buffer.memory", OPT_LONG),
    TYPED("check.crcs", OPT_BOOLEAN),
    TYPED("compression.gzip.level", OPT_INT),
    TYPED("compression.lz4.level", OPT_INT),
    TYPED("compression.zstd.level", OPT_INT),
    TYPED("connections.max.idle.ms", OPT_LONG),
    TYPED("default.api.timeout.ms", OPT_INT),
    TYPED("delivery.timeout.ms", OPT_INT),
    TYPED("enable.auto.commit", OPT_BOOLEAN),
    TYPED("enable.idempotence", OPT_BOOLEAN),
    TYPED("enable.metrics.push", OPT_BOOLEAN),
    TYPED("exclude.internal.topics", OPT_BOOLEAN),
    CONSUMER("fetch.max.bytes", OPT_INT, "52428800", OPT_MEDIUM),
    CONSUMER("fetch.max.wait.ms", OPT_INT, "500", OPT_LOW),
    CONSUMER("fetch.min.bytes", OPT_INT, "1", OPT_HIGH),
    CONSUMER("heartbeat.interval.ms", OPT_INT, "3000", OPT_HIGH),
    CONSUMER("isolation.level", OPT_STRING, "read_uncommitted", OPT_MEDIUM),
    TYPED("linger.ms", OPT_LONG),
    TYPED("max.block.ms", OPT_LONG),
    TYPED("max.in.flight.requests.per.connection", OPT_INT),
    CONSUMER("max.partition.fetch.bytes", OPT_INT, "1048576", OPT_HIGH),
    CONSUMER("max.poll.interval.ms", OPT_INT, "300000", OPT_MEDIUM),
    CONSUMER("max.poll.records", OPT_INT, "500", OPT_MEDIUM),
    TYPED("max.request.size", OPT_INT),
    TYPED("metadata.max.age.ms", OPT_LONG),
    TYPED("metadata.max.idle.ms", OPT_LONG),
    TYPED("metrics.num.samples", OPT_INT),
    TYPED("metrics.sample.window.ms", OPT_LONG),
    TYPED("partitioner.ignore.keys", OPT_BOOLEAN),
    TYPED("receive.buffer.bytes", OPT_INT),
    TYPED("reconnect.backoff.max.ms", OPT_LONG),
    TYPED("reconnect.backoff.ms", OPT_LONG),
    TYPED("request.timeout.ms", OPT_INT),
    TYPED("retries", OPT_INT),
    TYPED("retry.backoff.max.ms", OPT_LONG),
    TYPED("retry.backoff.ms", OPT_LONG),
    TYPED("sasl.jaas.config", OPT_PASSWORD),
    TYPED("send.buffer.bytes", OPT_INT),
    CONSUMER("session.timeout.ms", OPT_INT, "45000", OPT_HIGH),
    TYPED("ssl.key.password", OPT_PASSWORD),
    TYPED("ssl.keystore.certificate.chain", OPT_PASSWORD),
    TYPED("ssl.keystore.key", OPT_PASSWORD),
    TYPED("ssl.keystore.password", OPT_PASSWORD),
    TYPED("ssl.truststore.certificates", OPT_PASSWORD),
    TYPED("ssl.truststore.password", OPT_PASSWORD),
    TYPED("transaction.timeout.ms", OPT_INT),
    {.name = NULL},
};

static bool is_described(struct slice key, const struct opt_row *row)
{
    return row && row->def && slice_starts(key, SL("consumer.override."));
}

static bool allowed(struct slice policy, struct slice name)
{
    if (slice_eq(policy, SL("None")))
        return false;
    return !slice_eq(policy, SL("Principal")) || slice_eq(name, SL("sasl.jaas.config")) ||
           slice_eq(name, SL("sasl.mechanism")) || slice_eq(name, SL("security.protocol"));
}

static enum err one_override(struct config_errors *v, struct slice key, struct slice name,
                             struct slice text, struct error *e)
{
    struct slice policy =
        slice_trim(strmap_get_c(v->worker, "connector.client.config.override.policy"));
    static const struct opt_row text_row = {.name = "", .type = OPT_STRING, .offset = OPT_NO_FIELD};
    const struct opt_row *known = opt_find(client_options, name), *row = known ? known : &text_row;
    enum err err = text.p ? opt_check(row, text, e) : E_OK;
    if (!err && !config_item_find(v, key)) {
        struct config_item *i = is_described(key, known)
                                    ? config_item_row(v, known, key, SLICE_NULL)
                                    : config_item_add(v, key);
        i->tail = true;
        i->value = row->type == OPT_PASSWORD && text.p ? SL("[hidden]") : arena_dup(&v->a, text);
        if (!allowed(policy, name))
            config_item_error(
                v, i,
                slice_cstr(arena_printf(&v->a,
                                        "The '" PRI_SL "' policy does not allow '" PRI_SL
                                        "' to be overridden in the connector configuration.",
                                        ARG_SL(policy), ARG_SL(name))));
    }
    return err;
}

static enum err all_with(struct config_errors *v, const struct strmap *config, struct slice prefix,
                         struct error *e)
{
    enum err err = E_OK;
    for (size_t i = 0; i < config->count && !err; i++) {
        struct slice key = config->entries[i].key;
        if (slice_starts(key, prefix) && key.n > prefix.n)
            err =
                one_override(v, key, slice_sub(key, prefix.n, key.n), config->entries[i].value, e);
    }
    return err;
}

enum err config_overrides(struct config_errors *v, const struct strmap *config,
                          const struct connector_ops *ops, struct error *e)
{
    bool sink = ops->kind == CONNECTOR_SINK;
    bool writes = !sink || slice_trim(strmap_get_c(config, "errors.deadletterqueue.topic.name")).n;
    enum err err = writes ? all_with(v, config, SL("producer.override."), e) : E_OK;
    if (!err && writes)
        err = all_with(v, config, SL("admin.override."), e);
    if (!err && sink)
        err = all_with(v, config, SL("consumer.override."), e);
    return err;
}
