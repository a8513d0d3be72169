/* broker/api/configs_alter.c - IncrementalAlterConfigs and AlterConfigs: topics, the broker, its
 * loggers, groups, client metrics. On the pool, as changes wait for the database; each resource is
 * changed completely or not at all. SPEC: broker 5.5. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/log.h"
#include "broker/api/configs.h"
#include "broker/api/repeats.h"
#include "broker/topic.h"

struct change {
    int8_t type;
    struct slice name;
    struct broker_config_change *changes;
    size_t count;
    bool replace; /* AlterConfigs: what is not named goes back to its default */
    bool bad_op;
};

/* --- loggers ---------------------------------------------------------------------------------- */

static bool is_logger(struct slice name)
{
    bool found = slice_eq(name, SL("root"));
    for (int c = 0; c < LOG_CATEGORY_COUNT; c++)
        found |= slice_eq_c(name, log_category_name((enum log_category)c));
    return found;
}

/* FATAL is Java's; nothing here is logged at it, so only errors are left. */
static bool parse_level(struct slice text, enum log_level *out)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {{"DEBUG", LOG_L_DEBUG}, {"ERROR", LOG_L_ERROR}, {"FATAL", LOG_L_ERROR},
                  {"INFO", LOG_L_INFO},   {"TRACE", LOG_L_TRACE}, {"WARN", LOG_L_WARN}};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (slice_eq_c(text, levels[i].name)) {
            *out = levels[i].level;
            return true;
        }
    }
    return false;
}

static enum err check_logger(const struct broker_config_change *c, enum log_level *level,
                             struct error *e)
{
    *level = (enum log_level)atomic_load(&log_levels[LOG_MAIN]); /* deleted: root's */
    if (!is_logger(c->name))
        return kerr_error(e, E_INVALID, KERR_INVALID_CONFIG, "Logger " PRI_SL " does not exist!",
                          ARG_SL(c->name));
    if (c->op == BROKER_CONFIG_APPEND || c->op == BROKER_CONFIG_SUBTRACT)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "%s operation is not allowed for the BROKER_LOGGER resource",
                          c->op == BROKER_CONFIG_APPEND ? "APPEND" : "SUBTRACT");
    if (c->op == BROKER_CONFIG_DELETE)
        return slice_eq(c->name, SL("root"))
                   ? kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                                "Removing the log level of the root logger is not allowed")
                   : E_OK;
    if (!c->value.p)
        return kerr_error(e, E_INVALID, KERR_INVALID_REQUEST,
                          "Null value not supported for : " PRI_SL, ARG_SL(c->name));
    if (!parse_level(c->value, level))
        return kerr_error(e, E_INVALID, KERR_INVALID_CONFIG,
                          "Cannot set the log level of " PRI_SL " to " PRI_SL
                          " as it is not a supported log level. Valid log levels are DEBUG, ERROR, "
                          "FATAL, INFO, TRACE, WARN",
                          ARG_SL(c->name), ARG_SL(c->value));
    return E_OK;
}

static enum err change_loggers(const struct change *c, bool validate_only, struct error *e)
{
    enum log_level level;
    for (size_t i = 0; i < c->count; i++) {
        enum err r = check_logger(&c->changes[i], &level, e);
        if (r != E_OK)
            return r;
    }
    for (size_t i = 0; i < c->count && !validate_only; i++) {
        char name[64];
        snprintf(name, sizeof name, PRI_SL, ARG_SL(c->changes[i].name));
        if (check_logger(&c->changes[i], &level, e) != E_OK || log_set_level(name, level) != E_OK)
            return E_INVALID;
    }
    return E_OK;
}

/* --- one resource ----------------------------------------------------------------------------- */

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
    if (c->type == CONFIG_RESOURCE_BROKER || c->type == CONFIG_RESOURCE_LOGGER) {
        which = config_broker_name(rq, c->name, "", text);
        if (which < 0 || (which == 0 && c->type == CONFIG_RESOURCE_LOGGER))
            return KERR_INVALID_REQUEST;
    }
    switch (c->type) {
    case CONFIG_RESOURCE_TOPIC:
        r = broker_topic_change_configs(rq->broker, c->name, c->changes, c->count, c->replace,
                                        validate_only, &e);
        break;
    case CONFIG_RESOURCE_BROKER:
        r = broker_change_configs(rq->broker, which == 1, c->changes, c->count, c->replace,
                                  validate_only, &e);
        break;
    case CONFIG_RESOURCE_LOGGER:
        r = change_loggers(c, validate_only, &e);
        break;
    case CONFIG_RESOURCE_METRICS:
    case CONFIG_RESOURCE_GROUP:
        r = resource_config_alter(&rq->broker->resources, rq->broker->db, &rq->broker->settings,
                                  c->type == CONFIG_RESOURCE_GROUP ? RESOURCE_KIND_GROUP
                                                                   : RESOURCE_KIND_METRICS,
                                  c->name, c->changes, c->count, c->replace, validate_only, &e);
        break;
    default:
        *text = slice_cstr(arena_printf(&rq->arena, "Unknown resource type %d", c->type));
        return KERR_INVALID_REQUEST;
    }
    int16_t code = api_code(r, &e);
    if (code != KERR_NONE)
        *text = slice_cstr(arena_strdup(&rq->arena, e.msg));
    return code;
}

/* Judges each resource by itself; one named twice is refused both times. */
static void change_all(struct request *rq, const struct change *v, int32_t n, bool validate_only,
                       int16_t *codes, struct slice *texts)
{
    struct slice *keys = repeats_keys(&rq->arena, n);
    for (int32_t i = 0; i < n; i++)
        keys[i] = slice_cstr(arena_printf(&rq->arena, "%d " PRI_SL, v[i].type, ARG_SL(v[i].name)));
    const uint8_t *again = repeats_of(&rq->arena, keys, n);
    for (int32_t i = 0; i < n; i++) {
        texts[i] = SLICE_NULL;
        if (again[i]) {
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
