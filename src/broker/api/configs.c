/* broker/api/configs.c - DescribeConfigs, IncrementalAlterConfigs, AlterConfigs: for topics, the
 * broker, its loggers and groups. Descriptions are made from option rows; changes run on the pool.
 * SPEC: broker 5.4, 5.5. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/log.h"
#include "broker/topic.h"

enum resource {
    RESOURCE_TOPIC = 2,
    RESOURCE_BROKER = 4,
    RESOURCE_LOGGER = 8,
    RESOURCE_METRICS = 16,
    RESOURCE_GROUP = 32
};

/* --- DescribeConfigs ----------------------------------------------------------------------------
 */

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
        resource_error(rq, out, KERR_UNKNOWN_TOPIC_OR_PARTITION, NULL);
        return;
    }
    out->configs = describe_configs_response_config_array(&rq->arena, (int32_t)n);
    for (size_t i = 0; i < n; i++) {
        if (is_wanted(in, v[i].name))
            fill_entry(rq, &v[i], true, &out->configs[out->configs_count++]);
    }
}

/* The id in a resource name: 0 for "", -1 when it is not ours (then out has the error). */
static int check_broker_name(struct request *rq, struct slice name, const char *expected,
                             struct slice *text)
{
    int64_t id;
    if (name.n == 0)
        return 0;
    if (slice_to_i64(name, &id) != E_OK)
        *text = slice_cstr(arena_printf(
            &rq->arena, "Broker id must be an integer, but it is: " PRI_SL, ARG_SL(name)));
    else if (id != rq->broker->o->node_id)
        *text = slice_cstr(arena_printf(&rq->arena,
                                        "Unexpected broker id, expected %d%s, but received %lld",
                                        rq->broker->o->node_id, expected, (long long)id));
    else
        return 1;
    return -1;
}

static void describe_broker(struct request *rq, const struct describe_configs_request_resource *in,
                            struct describe_configs_response_resource *out)
{
    struct slice text = SLICE_NULL;
    int which = check_broker_name(rq, in->resource_name, " or empty string", &text);
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
        }
        fill_entry(rq, &v[i], false, &out->configs[out->configs_count++]);
    }
}

static void describe_loggers(struct request *rq, const struct describe_configs_request_resource *in,
                             struct describe_configs_response_resource *out)
{
    out->configs = describe_configs_response_config_array(&rq->arena, LOG_CATEGORY_COUNT);
    for (int c = 0; c < LOG_CATEGORY_COUNT; c++) {
        struct slice name = slice_cstr(log_category_name((enum log_category)c));
        if (!is_wanted(in, name))
            continue;
        struct describe_configs_response_config *row = &out->configs[out->configs_count++];
        row->name = name;
        row->value = slice_cstr(log_level_name((enum log_level)atomic_load(&log_levels[c])));
        row->config_source = CONFIG_SOURCE_LOGGER;
        row->config_type = config_wire_type(OPT_STRING);
    }
}

static void describe_group(struct request *rq, const struct describe_configs_request_resource *in,
                           struct describe_configs_response_resource *out)
{
    static const struct {
        const char *name, *value;
        enum opt_type type;
    } rows[] = {
        {"consumer.heartbeat.interval.ms", "5000", OPT_INT},
        {"consumer.session.timeout.ms", "45000", OPT_INT},
        {"share.auto.offset.reset", "latest", OPT_STRING},
        {"share.heartbeat.interval.ms", "5000", OPT_INT},
        {"share.isolation.level", "read_uncommitted", OPT_STRING},
        {"share.record.lock.duration.ms", "30000", OPT_INT},
        {"share.session.timeout.ms", "45000", OPT_INT},
    };
    out->configs = describe_configs_response_config_array(&rq->arena, ARRAY_LEN(rows));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!is_wanted(in, slice_cstr(rows[i].name)))
            continue;
        struct describe_configs_response_config *row = &out->configs[out->configs_count++];
        row->name = slice_cstr(rows[i].name);
        row->value = slice_cstr(rows[i].value);
        row->is_default = true;
        row->config_source = CONFIG_SOURCE_DEFAULT;
        row->config_type = config_wire_type(rows[i].type);
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
        case RESOURCE_TOPIC:
            describe_topic(rq, from, to);
            break;
        case RESOURCE_BROKER:
            describe_broker(rq, from, to);
            break;
        case RESOURCE_LOGGER:
            describe_loggers(rq, from, to);
            break;
        case RESOURCE_METRICS:
            break;
        case RESOURCE_GROUP:
            describe_group(rq, from, to);
            break;
        default:
            to->error_code = KERR_INVALID_REQUEST;
            to->error_message = SL("Unsupported resource type");
        }
    }
    request_reply(rq);
}

/* --- changes ------------------------------------------------------------------------------------
 */

struct change {
    int8_t type;
    struct slice name;
    struct broker_config_change *changes;
    size_t count;
    bool replace; /* AlterConfigs: what is not named goes back to its default */
    bool bad_op;
};

static enum err set_log_level(const struct broker_config_change *c)
{
    enum log_level level = LOG_L_INFO;
    char name[64], text[16];
    if (c->op == BROKER_CONFIG_SET) {
        snprintf(text, sizeof text, PRI_SL, ARG_SL(c->value));
        if (!strcmp(text, "FATAL"))
            level = LOG_L_ERROR;
        else if (log_parse_level(text, &level) != E_OK || level == LOG_L_OFF)
            return E_INVALID;
    }
    snprintf(name, sizeof name, PRI_SL, ARG_SL(c->name));
    return log_set_level(name, level);
}

static enum err change_loggers(const struct change *c, bool validate_only, struct error *e)
{
    for (size_t i = 0; i < c->count; i++) {
        if (validate_only)
            continue;
        if (set_log_level(&c->changes[i]) != E_OK) {
            error_set(e, E_INVALID, "Logger " PRI_SL " does not exist or can not have that level.",
                      ARG_SL(c->changes[i].name));
            e->sys = KERR_INVALID_CONFIG;
            return E_INVALID;
        }
    }
    return E_OK;
}

static int16_t change_one(struct request *rq, const struct change *c, bool validate_only,
                          struct slice *text)
{
    struct error e;
    error_clear(&e);
    enum err r = E_OK;
    int which = 1;
    if (c->bad_op) {
        *text = SL("Unknown operation type");
        return KERR_INVALID_REQUEST;
    }
    if (c->type == RESOURCE_BROKER || c->type == RESOURCE_LOGGER) {
        which = check_broker_name(rq, c->name, "", text);
        if (which < 0 || (which == 0 && c->type == RESOURCE_LOGGER))
            return KERR_INVALID_REQUEST;
    }
    switch (c->type) {
    case RESOURCE_TOPIC:
        r = broker_topic_change_configs(rq->broker, c->name, c->changes, c->count, c->replace,
                                        validate_only, &e);
        break;
    case RESOURCE_BROKER:
        r = broker_change_configs(rq->broker, which == 1, c->changes, c->count, validate_only, &e);
        break;
    case RESOURCE_LOGGER:
        r = change_loggers(c, validate_only, &e);
        break;
    default:
        *text = SL("Configurations of this kind can not be changed.");
        return KERR_INVALID_REQUEST;
    }
    int16_t code = api_code(r, &e);
    if (code != KERR_NONE && code != KERR_UNKNOWN_TOPIC_OR_PARTITION)
        *text = slice_cstr(arena_strdup(&rq->arena, e.msg));
    return code;
}

static bool same_resource(const struct change *a, const struct change *b)
{
    return a->type == b->type && slice_eq(a->name, b->name);
}

/* Judges each resource by itself; one named twice is refused both times. */
static void change_all(struct request *rq, const struct change *v, int32_t n, bool validate_only,
                       int16_t *codes, struct slice *texts)
{
    for (int32_t i = 0; i < n; i++) {
        bool twice = false;
        for (int32_t k = 0; k < n; k++)
            twice |= k != i && same_resource(&v[i], &v[k]);
        texts[i] = SLICE_NULL;
        if (twice) {
            codes[i] = KERR_INVALID_REQUEST;
            texts[i] = SL("Each resource must appear at most once.");
        } else {
            codes[i] = change_one(rq, &v[i], validate_only, &texts[i]);
        }
    }
}

static void incremental(void *arg)
{
    struct request *rq = arg;
    const struct incremental_alter_configs_request *in = rq->in;
    struct incremental_alter_configs_response *out = rq->out;
    int32_t n = MAX(in->resources_count, 0);
    struct change *v = arena_calloc(&rq->arena, (size_t)n + 1, sizeof *v);
    int16_t *codes = arena_calloc(&rq->arena, (size_t)n + 1, sizeof *codes);
    struct slice *texts = arena_calloc(&rq->arena, (size_t)n + 1, sizeof *texts);
    for (int32_t i = 0; i < n; i++) {
        const struct incremental_alter_configs_request_resource *from = &in->resources[i];
        v[i].type = from->resource_type;
        v[i].name = from->resource_name;
        v[i].count = (size_t)MAX(from->configs_count, 0);
        v[i].changes = arena_calloc(&rq->arena, v[i].count + 1, sizeof *v[i].changes);
        for (size_t k = 0; k < v[i].count; k++) {
            v[i].changes[k] = (struct broker_config_change){
                from->configs[k].name, from->configs[k].value,
                (enum broker_config_op)from->configs[k].config_operation};
            v[i].bad_op |= from->configs[k].config_operation < 0 ||
                           from->configs[k].config_operation > BROKER_CONFIG_SUBTRACT;
        }
    }
    change_all(rq, v, n, in->validate_only, codes, texts);
    out->responses_count = n;
    out->responses = incremental_alter_configs_response_resource_array(&rq->arena, n);
    for (int32_t i = 0; i < n; i++) {
        out->responses[i].resource_type = v[i].type;
        out->responses[i].resource_name = v[i].name;
        out->responses[i].error_code = codes[i];
        out->responses[i].error_message = texts[i];
    }
}

static void alter(void *arg)
{
    struct request *rq = arg;
    const struct alter_configs_request *in = rq->in;
    struct alter_configs_response *out = rq->out;
    int32_t n = MAX(in->resources_count, 0);
    struct change *v = arena_calloc(&rq->arena, (size_t)n + 1, sizeof *v);
    int16_t *codes = arena_calloc(&rq->arena, (size_t)n + 1, sizeof *codes);
    struct slice *texts = arena_calloc(&rq->arena, (size_t)n + 1, sizeof *texts);
    for (int32_t i = 0; i < n; i++) {
        const struct alter_configs_request_resource *from = &in->resources[i];
        v[i].type = from->resource_type;
        v[i].name = from->resource_name;
        v[i].replace = true;
        v[i].count = (size_t)MAX(from->configs_count, 0);
        v[i].changes = arena_calloc(&rq->arena, v[i].count + 1, sizeof *v[i].changes);
        for (size_t k = 0; k < v[i].count; k++)
            v[i].changes[k] = (struct broker_config_change){
                from->configs[k].name, from->configs[k].value, BROKER_CONFIG_SET};
    }
    change_all(rq, v, n, in->validate_only, codes, texts);
    out->responses_count = n;
    out->responses = alter_configs_response_resource_array(&rq->arena, n);
    for (int32_t i = 0; i < n; i++) {
        out->responses[i].resource_type = v[i].type;
        out->responses[i].resource_name = v[i].name;
        out->responses[i].error_code = codes[i];
        out->responses[i].error_message = texts[i];
    }
}

static void reply(void *arg)
{
    request_reply(arg);
}

void api_incremental_alter_configs(struct request *rq)
{
    pool_submit(rq->broker->pool, rq->broker->topics, incremental, rq->bl->loop, reply, rq);
}

void api_alter_configs(struct request *rq)
{
    pool_submit(rq->broker->pool, rq->broker->topics, alter, rq->bl->loop, reply, rq);
}
