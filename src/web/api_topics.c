/* web/api_topics.c - topics: list, detail, create, alter, delete: SPEC web-ui 3.3. */
#include <stdlib.h>

#include "base/base.h"
#include "base/json.h"
#include "web/api.h"

static const char *policy_name(struct slice policy)
{
    bool del = slice_find(policy, SL("delete")) >= 0,
         compact = slice_find(policy, SL("compact")) >= 0;
    return del && compact ? "COMPACT_DELETE" : compact ? "COMPACT" : del ? "DELETE" : "UNKNOWN";
}

static json_t *partition_json(const struct broker_partition_info *p)
{
    json_t *replicas = json_array();
    for (int32_t i = 0; i < p->replica_count; i++) {
        bool in_sync = false;
        for (int32_t k = 0; k < p->isr_count; k++)
            in_sync |= p->isr[k] == p->replicas[i];
        json_array_append_new(replicas,
                              json_pack("{s:i, s:b, s:b}", "broker", (int)p->replicas[i], "leader",
                                        p->leader == p->replicas[i], "inSync", in_sync));
    }
    return json_pack("{s:i, s:o, s:o, s:I, s:I}", "partition", p->id, "leader",
                     p->leader < 0 ? json_null() : json_integer(p->leader), "replicas", replicas,
                     "offsetMax", (json_int_t)p->end_offset, "offsetMin",
                     (json_int_t)p->start_offset);
}

/* The broker's own topics, and those that by their name are nobody's business. */
static bool is_internal(const struct broker_topic_info *t)
{
    return t->internal || slice_starts(t->name, SL("_"));
}

static json_t *topic_json(const struct broker_topic_info *t, bool details)
{
    json_t *partitions = json_array();
    int64_t segments = 0, messages = 0;
    int replicas = 0, in_sync = 0, under_replicated = 0;
    for (int32_t i = 0; i < t->partition_count; i++) {
        const struct broker_partition_info *p = &t->partitions[i];
        segments += p->segments;
        messages += p->end_offset - p->start_offset;
        replicas += p->replica_count;
        in_sync += p->isr_count;
        under_replicated += p->isr_count < p->replica_count;
        json_array_append_new(partitions, partition_json(p));
    }
    json_t *out = json_pack(
        "{s:o, s:b, s:i, s:i, s:i, s:i, s:I, s:I, s:n, s:n, s:i, s:I, s:s, s:o}", "name",
        web_string(t->name), "internal", is_internal(t), "partitionCount", t->partition_count,
        "replicationFactor", t->replication_factor, "replicas", replicas, "inSyncReplicas", in_sync,
        "segmentSize", (json_int_t)t->bytes, "segmentCount", (json_int_t)segments, "bytesInPerSec",
        "bytesOutPerSec", "underReplicatedPartitions", under_replicated, "messagesCount",
        (json_int_t)messages, "cleanUpPolicy", policy_name(t->cleanup_policy), "partitions",
        partitions);
    if (details) {
        json_object_set_new(out, "keySerde", json_string("String"));
        json_object_set_new(out, "valueSerde", json_string("String"));
    }
    return out;
}

/* --- list ------------------------------------------------------------------------------------ */

static const char *const topic_orders[][2] = {{"NAME", "name"},
                                              {"TOTAL_PARTITIONS", "partitionCount"},
                                              {"OUT_OF_SYNC_REPLICAS", "underReplicatedPartitions"},
                                              {"REPLICATION_FACTOR", "replicationFactor"},
                                              {"SIZE", "segmentSize"},
                                              {"MESSAGES_COUNT", "messagesCount"},
                                              {NULL, NULL}};

void web_topics(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct arena a;
    struct broker_topic_info *topics;
    size_t count = 0;
    struct error e = {0};
    struct slice search = http_query(r, "search");
    bool internal = web_query_true(r, "showInternal");
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (broker_topics(w->deps.broker, &a, &topics, &count, &e) != E_OK) {
        web_fail(r, w, &e, WEB_UNEXPECTED);
        arena_release(&a);
        return;
    }
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        if ((internal || !is_internal(&topics[i])) &&
            (!search.p || web_contains_icase(topics[i].name, search)))
            json_array_append_new(all, topic_json(&topics[i], false));
    arena_release(&a);
    all = web_sort(r, all, topic_orders);
    size_t pages;
    json_t *page = web_page(r, all, &pages);
    json_decref(all);
    http_reply_json(r, 200,
                    json_pack("{s:I, s:o}", "pageCount", (json_int_t)pages, "topics", page));
}

/* --- one topic ------------------------------------------------------------------------------- */

static void reply_topic(struct http_request *r, struct web *w, struct slice name, int status,
                        bool details)
{
    struct arena a;
    struct broker_topic_info t;
    struct error e = {0};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (broker_topic(w->deps.broker, name, &a, &t, &e) == E_OK)
        http_reply_json(r, status, topic_json(&t, details));
    else
        web_fail(r, w, &e, WEB_NO_TOPIC);
    arena_release(&a);
}

void web_topic(struct http_request *r, void *arg)
{
    reply_topic(r, arg, http_param(r, "topic"), 200, true);
}

/* {"k": "v"} or {"k": 1} as texts; false when a value is something else. */
static bool read_configs(json_t *configs, struct strmap *out)
{
    const char *name;
    json_t *v;
    bool ok = !configs || json_is_null(configs) || json_is_object(configs);
    struct strbuf text = STRBUF_INIT;
    json_object_foreach(configs, name, v)
    {
        strbuf_reset(&text);
        if (web_scalar_text(v, &text))
            strmap_set(out, slice_cstr(name), strbuf_slice(&text));
        else
            ok &= json_is_null(v);
    }
    strbuf_release(&text);
    return ok;
}

/* An integer member within the range that the broker judges; -1 when it is absent. */
static int64_t count_of(const json_t *body, const char *key, int64_t max)
{
    return MAX(MIN(json_get_i64(body, key, -1), max), -1);
}

void web_topic_create(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w);
    if (!body)
        return;
    struct strmap configs = STRMAP_INIT;
    struct error e = {0};
    const char *name = json_string_value(json_object_get(body, "name"));
    struct broker_topic_spec spec = {.name = slice_cstr(name ? name : ""),
                                     .partitions = (int32_t)count_of(body, "partitions", INT32_MAX),
                                     .replication_factor =
                                         (int16_t)count_of(body, "replicationFactor", INT16_MAX),
                                     .configs = &configs};
    if (!read_configs(json_object_get(body, "configs"), &configs))
        web_error(r, w, WEB_BAD_BODY, "configs must be texts");
    else if (broker_topic_create(w->deps.broker, &spec, &e) != E_OK)
        web_fail(r, w, &e, WEB_INVALID);
    else
        reply_topic(r, w, spec.name, 201, false);
    strmap_release(&configs);
    json_decref(body);
}

/* Own (explicit) configuration of a topic. */
static enum err own_configs(struct web *w, struct slice name, struct strmap *out, struct error *e)
{
    struct arena a;
    struct broker_config_entry *all;
    size_t count;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err err = broker_topic_configs(w->deps.broker, name, &a, &all, &count, e);
    for (size_t i = 0; !err && i < count; i++)
        if (all[i].source == 1)
            strmap_set(out, all[i].name, all[i].value);
    arena_release(&a);
    return err;
}

/* A topic like `from` under the name `to`; from itself when drop_first. */
static void copy_topic(struct http_request *r, struct web *w, struct slice from, struct slice to,
                       bool drop_first)
{
    struct arena a;
    struct broker_topic_info t;
    struct strmap configs = STRMAP_INIT;
    struct error e = {0};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err err = broker_topic(w->deps.broker, from, &a, &t, &e);
    if (!err)
        err = own_configs(w, from, &configs, &e);
    if (!err && drop_first)
        err = broker_topic_delete(w->deps.broker, from, &e);
    if (!err) {
        struct broker_topic_spec spec = {.name = to,
                                         .partitions = t.partition_count,
                                         .replication_factor = -1,
                                         .configs = &configs};
        err = broker_topic_create(w->deps.broker, &spec, &e);
    }
    if (err)
        web_fail(r, w, &e, WEB_NO_TOPIC);
    else
        reply_topic(r, w, to, 201, false);
    strmap_release(&configs);
    arena_release(&a);
}

void web_topic_recreate(struct http_request *r, void *arg)
{
    copy_topic(r, arg, http_param(r, "topic"), http_param(r, "topic"), true);
}

void web_topic_clone(struct http_request *r, void *arg)
{
    struct slice to = http_query(r, "newTopicName");
    if (to.n)
        copy_topic(r, arg, http_param(r, "topic"), to, false);
    else
        web_error(r, arg, WEB_INVALID, "newTopicName is missing");
}

void web_topic_alter(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w);
    if (!body)
        return;
    json_t *configs = json_object_get(body, "configs"), *v;
    size_t n = 0;
    const char *name;
    struct error e = {0};
    struct arena a;
    struct strmap texts = STRMAP_INIT; /* empty or null: back to the default */
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct broker_config_change *changes =
        arena_calloc(&a, json_object_size(configs) + 1, sizeof *changes);
    bool ok = read_configs(configs, &texts);
    json_object_foreach(configs, name, v)
    {
        struct slice text = strmap_get_c(&texts, name);
        changes[n++] =
            (struct broker_config_change){.name = slice_cstr(name),
                                          .value = text,
                                          .op = text.n ? BROKER_CONFIG_SET : BROKER_CONFIG_DELETE};
    }
    if (!ok)
        web_error(r, w, WEB_BAD_BODY, "configs must be texts");
    else if (broker_topic_alter_configs(w->deps.broker, http_param(r, "topic"), changes, n, &e) ==
             E_OK)
        reply_topic(r, w, http_param(r, "topic"), 200, false);
    else
        web_fail(r, w, &e, WEB_NO_TOPIC);
    strmap_release(&texts);
    arena_release(&a);
    json_decref(body);
}

void web_topic_delete(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct error e = {0};
    if (broker_topic_delete(w->deps.broker, http_param(r, "topic"), &e) == E_OK)
        http_reply_empty(r, 200);
    else
        web_fail(r, w, &e, WEB_NO_TOPIC);
}

void web_topic_partitions(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w);
    if (!body)
        return;
    struct error e = {0};
    int32_t total = (int32_t)count_of(body, "totalPartitionsCount", INT32_MAX);
    json_decref(body);
    if (broker_topic_add_partitions(w->deps.broker, http_param(r, "topic"), total, &e) == E_OK)
        http_reply_json(r, 200,
                        json_pack("{s:i, s:o}", "totalPartitionsCount", total, "topicName",
                                  web_string(http_param(r, "topic"))));
    else
        web_fail(r, w, &e, WEB_NO_TOPIC);
}

void web_topic_groups(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct arena a;
    struct broker_group_info *groups, g;
    size_t count;
    struct error e = {0};
    struct slice topic = http_param(r, "topic");
    struct broker_topic_info t;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (broker_topic(w->deps.broker, topic, &a, &t, &e) != E_OK ||
        broker_groups(w->deps.broker, &a, &groups, &count, &e) != E_OK) {
        web_fail(r, w, &e, WEB_NO_TOPIC);
        arena_release(&a);
        return;
    }
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++) {
        int64_t lag = -1;
        if (broker_group(w->deps.broker, groups[i].id, &a, &g, NULL) != E_OK)
            continue;
        bool here = false;
        for (size_t o = 0; o < g.offset_count; o++)
            if (slice_eq(g.offsets[o].topic, topic)) {
                here = true;
                lag = MAX(lag, 0) + MAX(g.offsets[o].lag, 0);
            }
        for (size_t m = 0; m < g.member_count; m++)
            for (size_t p = 0; p < g.members[m].assigned_count; p++)
                here |= slice_eq(g.members[m].assigned[p].topic, topic);
        if (!here)
            continue;
        json_t *row = web_group_json(w, &g, false);
        json_object_set_new(row, "consumerLag", lag < 0 ? json_null() : json_integer(lag));
        json_array_append_new(out, row);
    }
    arena_release(&a);
    http_reply_json(r, 200, out);
}
