/* connect/configdef_overrides.c - options that a connector gives for its clients: producer.override.*,
 * admin.override.*, consumer.override.*. See configdef_internal.h. SPEC: connect 2.1, 4.1.
 *
 * The worker's policy says which are allowed. Types are checked as far as they are not text; a wrong
 * one fails the whole validation, as it does in Connect. */
#include "connect/configdef_internal.h"

#include "base/mem.h"

/* Names of Kafka's producer, consumer and admin client whose values are more than text. */
static const struct {
    const char *name;
    enum opt_type type;
} client_options[] = {
    {"auto.commit.interval.ms", OPT_INT},
    {"auto.include.jmx.reporter", OPT_BOOLEAN},
    {"batch.size", OPT_INT},
    {"buffer.memory", OPT_LONG},
    {"check.crcs", OPT_BOOLEAN},
    {"compression.gzip.level", OPT_INT},
    {"compression.lz4.level", OPT_INT},
    {"compression.zstd.level", OPT_INT},
    {"connections.max.idle.ms", OPT_LONG},
    {"default.api.timeout.ms", OPT_INT},
    {"delivery.timeout.ms", OPT_INT},
    {"enable.auto.commit", OPT_BOOLEAN},
    {"enable.idempotence", OPT_BOOLEAN},
    {"enable.metrics.push", OPT_BOOLEAN},
    {"exclude.internal.topics", OPT_BOOLEAN},
    {"fetch.max.bytes", OPT_INT},
    {"fetch.max.wait.ms", OPT_INT},
    {"fetch.min.bytes", OPT_INT},
    {"heartbeat.interval.ms", OPT_INT},
    {"linger.ms", OPT_LONG},
    {"max.block.ms", OPT_LONG},
    {"max.in.flight.requests.per.connection", OPT_INT},
    {"max.partition.fetch.bytes", OPT_INT},
    {"max.poll.interval.ms", OPT_INT},
    {"max.poll.records", OPT_INT},
    {"max.request.size", OPT_INT},
    {"metadata.max.age.ms", OPT_LONG},
    {"metadata.max.idle.ms", OPT_LONG},
    {"metrics.num.samples", OPT_INT},
    {"metrics.sample.window.ms", OPT_LONG},
    {"partitioner.ignore.keys", OPT_BOOLEAN},
    {"receive.buffer.bytes", OPT_INT},
    {"reconnect.backoff.max.ms", OPT_LONG},
    {"reconnect.backoff.ms", OPT_LONG},
    {"request.timeout.ms", OPT_INT},
    {"retries", OPT_INT},
    {"retry.backoff.max.ms", OPT_LONG},
    {"retry.backoff.ms", OPT_LONG},
    {"sasl.jaas.config", OPT_PASSWORD},
    {"send.buffer.bytes", OPT_INT},
    {"session.timeout.ms", OPT_INT},
    {"ssl.key.password", OPT_PASSWORD},
    {"ssl.keystore.certificate.chain", OPT_PASSWORD},
    {"ssl.keystore.key", OPT_PASSWORD},
    {"ssl.keystore.password", OPT_PASSWORD},
    {"ssl.truststore.certificates", OPT_PASSWORD},
    {"ssl.truststore.password", OPT_PASSWORD},
    {"transaction.timeout.ms", OPT_INT},
};

/* What people override, as Kafka's clients define it: shown with the value. Others are shown without a
 * definition. */
#define DESCRIBED(prefix_, name_, type_, def_, importance_)                                        \
    {                                                                                              \
        prefix_,                                                                                   \
        {                                                                                          \
            .name = name_, .type = type_, .def = def_, .offset = OPT_NO_FIELD,                     \
            .importance = importance_, .order = -1, .display = name_                               \
        }                                                                                          \
    }
static const struct {
    const char *prefix;
    struct opt_row row;
} described[] = {
    DESCRIBED("consumer.override.", "auto.offset.reset", OPT_STRING, "latest", OPT_MEDIUM),
    DESCRIBED("consumer.override.", "fetch.max.bytes", OPT_INT, "52428800", OPT_MEDIUM),
    DESCRIBED("consumer.override.", "fetch.max.wait.ms", OPT_INT, "500", OPT_LOW),
    DESCRIBED("consumer.override.", "fetch.min.bytes", OPT_INT, "1", OPT_HIGH),
    DESCRIBED("consumer.override.", "heartbeat.interval.ms", OPT_INT, "3000", OPT_HIGH),
    DESCRIBED("consumer.override.", "isolation.level", OPT_STRING, "read_uncommitted", OPT_MEDIUM),
    DESCRIBED("consumer.override.", "max.partition.fetch.bytes", OPT_INT, "1048576", OPT_HIGH),
    DESCRIBED("consumer.override.", "max.poll.interval.ms", OPT_INT, "300000", OPT_MEDIUM),
    DESCRIBED("consumer.override.", "max.poll.records", OPT_INT, "500", OPT_MEDIUM),
    DESCRIBED("consumer.override.", "session.timeout.ms", OPT_INT, "45000", OPT_HIGH),
};

static const struct opt_row *describe(struct slice key, struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(described); i++)
        if (slice_starts(key, slice_cstr(described[i].prefix)) &&
            slice_eq_c(name, described[i].row.name))
            return &described[i].row;
    return NULL;
}

static enum opt_type type_of(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LEN(client_options); i++)
        if (slice_eq_c(name, client_options[i].name))
            return client_options[i].type;
    return OPT_STRING;
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
    char *plain = slice_dup(name);
    const struct opt_row row = {.name = plain, .type = type_of(name), .offset = OPT_NO_FIELD};
    enum err err = text.p ? opt_check(&row, text, e) : E_OK;
    if (!err && !config_item_find(v, key)) {
        const struct opt_row *known = describe(key, name);
        struct config_item *i =
            known ? config_item_row(v, known, key, SLICE_NULL) : config_item_add(v, key);
        i->tail = true;
        i->value = row.type == OPT_PASSWORD && text.p ? SL("[hidden]") : arena_dup(&v->a, text);
        if (!allowed(policy, name))
            config_item_error(
                v, i,
                slice_cstr(arena_printf(&v->a,
                                        "The '" PRI_SL "' policy does not allow '" PRI_SL
                                        "' to be overridden in the connector configuration.",
                                        ARG_SL(policy), ARG_SL(name))));
    }
    mem_free(plain);
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
