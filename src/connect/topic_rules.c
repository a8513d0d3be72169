/* connect/topic_rules.c - see the header. */
#include "connect/topic_rules.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/regex.h"
#include "connect/stages.h"

struct topic_rule {
    char *name;
    struct regex *include, *exclude; /* NULL: none; the default group has none */
    int32_t partitions;
    int16_t replication;
    struct strmap configs;
    bool is_default;
};

/* --- regular expressions ---------------------------------------------------------------------- */

/* A list of expressions as one, which must match the whole name. */
static enum err compile_list(struct slice list, struct regex **out, const char *key,
                             struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    struct slice rest = list, part;
    struct error why = {0};
    for (bool first = true; opt_list_next(&rest, &part); first = false) {
        strbuf_adds(&text, first ? "" : "|");
        strbuf_add_slice(&text, part);
    }
    enum err rc = regex_compile(out, strbuf_slice(&text), 0, &why);
    strbuf_release(&text);
    return rc ? config_invalid(e, list, key, "Invalid regex: %s", why.msg) : E_OK;
}

static bool matches(const struct regex *r, struct slice text)
{
    return r && regex_matches(r, text);
}

/* --- rules ------------------------------------------------------------------------------------ */

static enum err number(const struct strmap *own, const struct topic_rule *base, const char *group,
                       const char *key, const char *type, int64_t *out, struct error *e)
{
    struct slice text = slice_trim(strmap_get_c(own, key));
    if (!text.p) {
        if (base)
            return E_OK; /* inherited */
        return error_set(e, E_INVALID,
                         CONFIG_EXCEPTION
                         "Missing required configuration \"topic.creation.%s.%s\" which "
                         "has no default value.",
                         group, key);
    }
    int64_t most = strcmp(type, "SHORT") == 0 ? INT16_MAX : INT32_MAX;
    if (slice_to_i64(text, out) == E_OK && *out >= -most - 1 && *out <= most)
        return E_OK;
    char name[400];
    snprintf(name, sizeof name, "topic.creation.%s.%s", group, key);
    return config_invalid(e, text, name, "Not a number of type %s", type);
}

static enum err read_numbers(struct topic_rule *r, const struct strmap *own,
                             const struct topic_rule *base, struct error *e)
{
    int64_t partitions = base ? base->partitions : -1, replication = base ? base->replication : -1;
    enum err err = number(own, base, r->name, "partitions", "INT", &partitions, e);
    if (!err)
        err = number(own, base, r->name, "replication.factor", "SHORT", &replication, e);
    if (err)
        return err;
    r->partitions = (int32_t)partitions;
    r->replication = (int16_t)replication;
    if (partitions == 0 || partitions < -1 || replication == 0 || replication < -1)
        return error_set(
            e, E_INVALID,
            CONFIG_EXCEPTION "Invalid value %lld for configuration topic.creation.%s.%s: "
                             "Must be -1 or a positive number",
            (long long)(partitions == 0 || partitions < -1 ? partitions : replication), r->name,
            partitions == 0 || partitions < -1 ? "partitions" : "replication.factor");
    return E_OK;
}

static enum err rule_init(struct topic_rule *r, const struct strmap *config, struct slice name,
                          const struct topic_rule *base, struct error *e)
{
    char prefix[300], key[300];
    struct strmap own;
    r->name = slice_dup(name);
    r->is_default = !base;
    snprintf(prefix, sizeof prefix, "topic.creation.%s.", r->name);
    config_with_prefix(config, prefix, &own);
    enum err err = read_numbers(r, &own, base, e);
    static const char *const lists[] = {"include", "exclude"};
    for (int i = 0; i < 2 && !err && base; i++) {
        struct slice list = strmap_get_c(&own, lists[i]);
        snprintf(key, sizeof key, "%s%s", prefix, lists[i]);
        if (list.p && slice_trim(list).n)
            err = compile_list(list, i ? &r->exclude : &r->include, key, e);
    }
    strmap_init(&r->configs);
    for (size_t i = 0; i < own.count; i++) {
        static const char *const known[] = {"include", "exclude", "partitions",
                                            "replication.factor"};
        bool is_known = false;
        for (size_t k = 0; k < ARRAY_LEN(known); k++)
            is_known |= slice_eq_c(own.entries[i].key, known[k]);
        if (!is_known)
            strmap_set(&r->configs, own.entries[i].key, own.entries[i].value);
    }
    strmap_release(&own);
    return err;
}

static bool has_rules(const struct strmap *config, const struct strmap *worker)
{
    bool given = false;
    for (size_t i = 0; i < config->count; i++)
        given |= slice_starts(config->entries[i].key, SL("topic.creation."));
    return given && strmap_flag(worker, "topic.creation.enable", true);
}

const char *topic_rules_missing(const struct strmap *config, const struct strmap *worker)
{
    static const char *const needed[] = {"topic.creation.default.partitions",
                                         "topic.creation.default.replication.factor"};
    for (size_t i = 0; i < ARRAY_LEN(needed) && has_rules(config, worker); i++)
        if (!strmap_get_c(config, needed[i]).p)
            return needed[i];
    return NULL;
}

enum err topic_rules_init(struct topic_rules *r, const struct strmap *config,
                          const struct strmap *worker, struct error *e)
{
    memset(r, 0, sizeof *r);
    if (!has_rules(config, worker))
        return E_OK;
    struct slice groups = strmap_get_c(config, "topic.creation.groups"), rest = groups, name;
    size_t count = 1;
    while (groups.p && opt_list_next(&rest, &name))
        count++;
    r->rules = xcalloc(count, sizeof *r->rules);
    r->count = count;
    enum err err = rule_init(&r->rules[count - 1], config, SL("default"), NULL, e);
    rest = groups;
    for (size_t i = 0; !err && groups.p && opt_list_next(&rest, &name); i++)
        err = rule_init(&r->rules[i], config, name, &r->rules[count - 1], e);
    return err;
}

void topic_rules_release(struct topic_rules *r)
{
    for (size_t i = 0; i < r->count; i++) {
        struct topic_rule *x = &r->rules[i];
        regex_free(x->include);
        regex_free(x->exclude);
        strmap_release(&x->configs);
        mem_free(x->name);
    }
    mem_free(r->rules);
    memset(r, 0, sizeof *r);
}

static const struct topic_rule *rule_for(const struct topic_rules *r, struct slice topic)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct topic_rule *x = &r->rules[i];
        if (x->is_default || (matches(x->include, topic) && !matches(x->exclude, topic)))
            return x;
    }
    return NULL;
}

enum err topic_rules_ensure(struct topic_rules *r, struct kclient *k, struct slice topic,
                            struct error *e)
{
    struct kclient_topic info;
    enum err err = kclient_describe(k, topic, &info, e);
    if (err != E_NOT_FOUND)
        return err;
    const struct topic_rule *x = rule_for(r, topic);
    struct error why = {0};
    err = x ? kclient_create(k, topic, x->partitions, x->replication, &x->configs, &why)
            : kclient_create(k, topic, -1, -1, NULL, &why);
    if (err == E_EXISTS)
        err = E_OK;
    if (err)
        return error_set(
            e, err,
            "org.apache.kafka.connect.errors.ConnectException: Task failed to create new topic "
            "(name=" PRI_SL ", numPartitions=%d, replicationFactor=%d). Ensure that the task is "
            "authorized to create topics or that the topic exists and restart the task\n"
            "Caused by: org.apache.kafka.connect.errors.ConnectException: %s",
            ARG_SL(topic), x ? (int)x->partitions : -1, x ? (int)x->replication : -1, why.msg);
    LOG_INFO(LOG_CONNECT_TASK, "made topic " PRI_SL, ARG_SL(topic));
    error_clear(e);
    return E_OK;
}
