/* broker/api/configs.c - DescribeConfigs and ListConfigResources: topics, the broker, its loggers,
 * groups, client metrics. Descriptions are made from option rows. SPEC: broker 5.4. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/log.h"
#include "broker/api/configs.h"
#include "broker/topic.h"

/* --- DescribeConfigs -------------------------------------------------------------------------- */

static bool is_wanted(const struct describe_configs_request_resource *in, struct slice name)
{
    if (in->configuration_keys_count <= 0)
        return true;
    for (int32_t i = 0; i < in->configuration_keys_count; i++) {
        if (slice_eq(in->configuration_keys[i], name))
            return true;
    }
    return false;
}

static void fill_entry(struct request *rq, const struct broker_config_entry *from, bool topic,
                       struct describe_configs_response_config *to)
{
    const struct describe_configs_request *in = rq->in;
    to->name = from->name;
    to->value = from->value;
    to->read_only = from->read_only;
    to->is_default =
        topic ? from->source != CONFIG_SOURCE_TOPIC : from->source == CONFIG_SOURCE_DEFAULT;
    to->config_source = from->source;
    to->is_sensitive = from->sensitive;
    to->config_type = from->type;
    if (in->include_documentation)
        to->documentation = from->doc;
    if (!in->include_synonyms || from->synonym_count == 0)
        return;
    to->synonyms_count = (int32_t)from->synonym_count;
    to->synonyms = describe_configs_response_synonym_array(&rq->arena, to->synonyms_count);
    for (int32_t i = 0; i < to->synonyms_count; i++) {
        to->synonyms[i].name = from->synonyms[i].name;
        to->synonyms[i].value = from->synonyms[i].value;
        to->synonyms[i].source = from->synonyms[i].source;
    }
}

static void resource_error(struct request *rq, struct describe_configs_response_resource *out,
                           int16_t code, const char *text)
{
    out->error_code = code;
    out->error_message = text ? slice_cstr(arena_strdup(&rq->arena, text)) : SLICE_NULL;
}

static void describe_topic(struct request *rq, const struct describe_configs_request_resource *in,
                           struct describe_configs_response_resource *out)
{
    struct error e;
    struct broker_config_entry *v;
    size_t n;
    if (topic_name_check(in->resource_name, &e) != E_OK) {
        resource_error(rq, out, KERR_INVALID_TOPIC_EXCEPTION, e.msg);
        return;
    }
    if (broker_topic_configs(rq->broker, in->resource_name, &rq->arena, &v, &n, &e) != E_OK) {
        resource_error(rq, out, KERR_UNKNOWN_TOPIC_OR_PARTITION, ""); /* as Kafka: no text */
        return;
    }
    out->configs = describe_configs_response_config_array(&rq->arena, (int32_t)n);
    for (size_t i = 0; i < n; i++) {
        if (is_wanted(in, v[i].name))
            fill_entry(rq, &v[i], true, &out->configs[out->configs_count++]);
    }
}

int config_broker_name(struct request *rq, struct slice name, const char *expected,
                       struct slice *text)
{
    int64_t id;
    if (name.n == 0)
        return 0;
    if (slice_to_i64(name, &id) != E_OK)
        *text = slice_cstr(arena_printf(
            &rq->arena, "Broker id must be an integer, but it is: " PRI_SL, ARG_SL(name)));
    else if (id != rq->node_id)
        *text = slice_cstr(arena_printf(&rq->arena,
                                        "Unexpected broker id, expected %d%s, but received %lld",
                                        rq->node_id, expected, (long long)id));
    else
        return 1;
    return -1;
}

static void describe_broker(struct request *rq, const struct describe_configs_request_resource *in,
                            struct describe_configs_response_resource *out)
{
    struct slice text = SLICE_NULL;
    int which = config_broker_name(rq, in->resource_name, " or empty string", &text);
    if (which < 0) {
        out->error_code = KERR_INVALID_REQUEST;
        out->error_message = text;
        return;
    }
    struct broker_config_entry *v;
    size_t n;
    if (broker_configs(rq->broker, &rq->arena, &v, &n, NULL) != E_OK)
        return;
    out->configs = describe_configs_response_config_array(&rq->arena, (int32_t)n);
    for (size_t i = 0; i < n; i++) {
        if (!is_wanted(in, v[i].name))
            continue;
        if (which == 0) { /* the cluster-wide values that are set, and nothing else */
            const struct broker_config_synonym *set = NULL;
            for (size_t s = 0; s < v[i].synonym_count; s++) {
                if (v[i].synonyms[s].source == CONFIG_SOURCE_DYNAMIC_DEFAULT)
                    set = &v[i].synonyms[s];
            }
            if (!set)
                continue;
            v[i].value = set->value;
            v[i].source = set->source;
            v[i].synonyms = memcpy(arena_alloc(&rq->arena, sizeof *set), set, sizeof *set);
            v[i].synonym_count = 1;
        }
        fill_entry(rq, &v[i], false, &out->configs[out->configs_count++]);
    }
}

static void logger_entry(struct request *rq UNUSED, const char *name, enum log_level level,
                         struct describe_configs_response_config *row)
{
    row->name = slice_cstr(name);
    row->value = slice_cstr(log_level_name(level));
    row->config_source = CONFIG_SOURCE_LOGGER;
    row->config_type = config_wire_type(OPT_STRING);
}

static void describe_loggers(struct request *rq, const struct describe_configs_request_resource *in,
                             struct describe_configs_response_resource *out)
{
    struct slice text = SLICE_NULL;
    int which = config_broker_name(rq, in->resource_name, "", &text);
    if (which <= 0) {
        out->error_code = KERR_INVALID_REQUEST;
        out->error_message = which == 0 ? SL("Broker id must not be empty") : text;
        return;
    }
    out->configs = describe_configs_response_config_array(&rq->arena, LOG_CATEGORY_COUNT + 1);
    if (is_wanted(in, SL("root")))
        logger_entry(rq, "root", (enum log_level)atomic_load(&log_levels[LOG_MAIN]),
                     &out->configs[out->configs_count++]);
    for (int c = 0; c < LOG_CATEGORY_COUNT; c++) {
        const char *name = log_category_name((enum log_category)c);
        if (is_wanted(in, slice_cstr(name)))
            logger_entry(rq, name, (enum log_level)atomic_load(&log_levels[c]),
                         &out->configs[out->configs_count++]);
    }
}

static void describe_named(struct request *rq, enum resource_kind kind,
                           const struct describe_configs_request_resource *in,
                           struct describe_configs_response_resource *out)
{
    struct broker_config_entry *v;
    size_t n;
    if (in->resource_name.n == 0) {
        resource_error(rq, out, KERR_INVALID_REQUEST,
                       kind == RESOURCE_KIND_GROUP ? "Group name must not be empty"
                                                   : "Client metrics subscription name must not be "
                                                     "empty");
        return;
    }
    resource_config_describe(&rq->broker->resources, kind, in->resource_name, &rq->arena, &v, &n);
    out->configs = describe_configs_response_config_array(&rq->arena, (int32_t)n);
    for (size_t i = 0; i < n; i++) {
        if (is_wanted(in, v[i].name))
            fill_entry(rq, &v[i], false, &out->configs[out->configs_count++]);
    }
}

void api_describe_configs(struct request *rq)
{
    const struct describe_configs_request *in = rq->in;
    struct describe_configs_response *out = rq->out;
    out->results_count = MAX(in->resources_count, 0);
    out->results = describe_configs_response_resource_array(&rq->arena, out->results_count);
    for (int32_t i = 0; i < out->results_count; i++) {
        const struct describe_configs_request_resource *from = &in->resources[i];
        struct describe_configs_response_resource *to = &out->results[i];
        to->resource_type = from->resource_type;
        to->resource_name = from->resource_name;
        switch (from->resource_type) {
        case CONFIG_RESOURCE_TOPIC:
            describe_topic(rq, from, to);
            break;
        case CONFIG_RESOURCE_BROKER:
            describe_broker(rq, from, to);
            break;
        case CONFIG_RESOURCE_LOGGER:
            describe_loggers(rq, from, to);
            break;
        case CONFIG_RESOURCE_METRICS:
            describe_named(rq, RESOURCE_KIND_METRICS, from, to);
            break;
        case CONFIG_RESOURCE_GROUP:
            describe_named(rq, RESOURCE_KIND_GROUP, from, to);
            break;
        default:
            to->error_code = KERR_INVALID_REQUEST;
        }
        if (!to->error_message.p)
            to->error_message = slice_cstr(to->error_code ? kerr_message(to->error_code) : "");
    }
    request_reply(rq);
}

/* --- ListConfigResources ---------------------------------------------------------------------- */

struct listing {
    struct request *rq;
    struct list_config_resources_response_resource *v;
    int32_t count;
};

static void list_names(struct listing *l, int8_t type, const struct slice *names, size_t n)
{
    struct list_config_resources_response_resource *v =
        list_config_resources_response_resource_array(&l->rq->arena, l->count + (int32_t)n);
    if (l->count)
        memcpy(v, l->v, (size_t)l->count * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        v[l->count].resource_name = names[i];
        v[l->count++].resource_type = type;
    }
    l->v = v;
}

static void list_type(struct listing *l, int8_t type)
{
    struct request *rq = l->rq;
    struct arena *a = &rq->arena;
    struct slice *names;
    struct slice own = slice_cstr(arena_printf(a, "%d", rq->broker->o->node_id));
    struct topic **v;
    size_t n = 0;
    switch (type) {
    case CONFIG_RESOURCE_TOPIC:
        if (topics_list(rq->broker->topics, a, &v, &n) != E_OK)
            return;
        names = arena_calloc(a, n + 1, sizeof *names);
        for (size_t i = 0; i < n; i++) {
            names[i] = arena_dup(a, topic_name(v[i]));
            topic_unref(v[i]);
        }
        list_names(l, type, names, n);
        break;
    case CONFIG_RESOURCE_BROKER:
    case CONFIG_RESOURCE_LOGGER:
        list_names(l, type, &own, 1);
        break;
    case CONFIG_RESOURCE_METRICS:
        resource_config_names(&rq->broker->resources, RESOURCE_KIND_METRICS, a, &names, &n);
        list_names(l, type, names, n);
        break;
    default:
        resource_config_names(&rq->broker->resources, RESOURCE_KIND_GROUP, a, &names, &n);
        list_names(l, type, names, n);
    }
}

void api_list_config_resources(struct request *rq)
{
    static const int8_t all[] = {CONFIG_RESOURCE_TOPIC, CONFIG_RESOURCE_BROKER,
                                 CONFIG_RESOURCE_LOGGER, CONFIG_RESOURCE_METRICS,
                                 CONFIG_RESOURCE_GROUP};
    static const int8_t only_metrics[] = {CONFIG_RESOURCE_METRICS};
    const struct list_config_resources_request *in = rq->in;
    struct list_config_resources_response *out = rq->out;
    struct listing l = {.rq = rq};
    const int8_t *types = rq->version == 0 ? only_metrics : all;
    int32_t n = rq->version == 0 ? 1 : (int32_t)ARRAY_LEN(all);
    if (rq->version > 0 && in->resource_types_count > 0) {
        types = in->resource_types;
        n = in->resource_types_count;
    }
    for (int32_t i = 0; i < n; i++) {
        bool known = false;
        for (size_t k = 0; k < ARRAY_LEN(all); k++)
            known |= types[i] == all[k];
        if (!known) {
            out->error_code = KERR_UNSUPPORTED_VERSION;
            n = 0;
        }
    }
    for (int32_t i = 0; i < n; i++)
        list_type(&l, types[i]);
    out->config_resources = l.v;
    out->config_resources_count = l.count;
    request_reply(rq);
}
