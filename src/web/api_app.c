/* web/api_app.c - /api/info, clusters, brokers: SPEC web-ui 3.1, 3.2. */
#include <stdlib.h>

#include "base/base.h"
#include "broker/broker.h"
#include "web/api.h"

#define FEATURES "KAFKA_CONNECT", "TOPIC_DELETION"

void web_info(struct http_request *r, void *arg)
{
    (void)arg;
    http_reply_json(r, 200,
                    json_pack("{s:[], s:{s:n, s:s, s:n, s:b}, s:n}", "enabledFeatures", "build",
                              "commitId", "version", "weir-" WEIR_VERSION, "buildTime",
                              "isLatestRelease", 1, "latestRelease"));
}

void web_authorization(struct http_request *r, void *arg)
{
    (void)arg;
    http_reply_json(r, 200, json_pack("{s:b, s:n}", "rbacEnabled", 0, "userInfo"));
}

void web_authentication(struct http_request *r, void *arg)
{
    (void)arg;
    http_reply_json(r, 200, json_pack("{s:s, s:[]}", "authType", "DISABLED", "oAuthProviders"));
}

static json_t *cluster_json(struct web *w)
{
    struct broker_info info;
    struct broker_cluster c;
    broker_info(w->deps.broker, &info);
    if (broker_cluster(w->deps.broker, &c, NULL) != E_OK)
        c = (struct broker_cluster){.running = 1, .partitions = info.partitions};
    return json_pack("{s:s, s:b, s:s, s:n, s:i, s:I, s:I, s:n, s:n, s:b, s:s, s:[ss], s:s}", "name",
                     WEB_CLUSTER, "defaultCluster", 1, "status", c.running ? "ONLINE" : "OFFLINE",
                     "lastError", "brokerCount", (int)c.running, "onlinePartitionCount",
                     (json_int_t)(c.partitions - c.offline), "topicCount", (json_int_t)info.topics,
                     "bytesInPerSec", "bytesOutPerSec", "readOnly", 0, "version", "4.1-IV1",
                     "features", FEATURES, "controller", "KRAFT");
}

void web_clusters(struct http_request *r, void *arg)
{
    http_reply_json(r, 200, json_pack("[o]", cluster_json(arg)));
}

void web_cache(struct http_request *r, void *arg)
{
    http_reply_json(r, 200, cluster_json(arg));
}

void web_stats(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct broker_cluster c;
    struct error e = {0};
    if (broker_cluster(w->deps.broker, &c, &e) != E_OK) {
        web_fail(r, w, &e, WEB_UNEXPECTED);
        return;
    }
    json_t *disk = json_array();
    for (size_t i = 0; i < c.node_count; i++)
        if (c.nodes[i].running)
            json_array_append_new(disk, json_pack("{s:i, s:I, s:I}", "brokerId", (int)c.nodes[i].id,
                                                  "segmentSize", (json_int_t)c.nodes[i].bytes,
                                                  "segmentCount", (json_int_t)c.nodes[i].segments));
    http_reply_json(r, 200,
                    json_pack("{s:i, s:n, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:s}", "brokerCount",
                              (int)c.running, "zooKeeperStatus", "activeControllers",
                              c.controller < 0 ? json_null() : json_integer(c.controller),
                              "onlinePartitionCount", (json_int_t)(c.partitions - c.offline),
                              "offlinePartitionCount", (json_int_t)c.offline, "inSyncReplicasCount",
                              (json_int_t)c.in_sync, "outOfSyncReplicasCount",
                              (json_int_t)(c.replicas - c.in_sync), "underReplicatedPartitionCount",
                              (json_int_t)c.under_replicated, "diskUsage", disk, "version",
                              "4.1-IV1"));
}

void web_metrics_items(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct broker_info info;
    broker_info(w->deps.broker, &info);
    const struct {
        const char *name;
        int64_t value;
    } items[] = {{"connections", info.connections}, {"groups", info.groups},
                 {"log_bytes", info.log_bytes},     {"bytes_in", info.bytes_in},
                 {"bytes_out", info.bytes_out},     {"records_in", info.records_in}};
    json_t *out = json_array();
    for (size_t i = 0; i < ARRAY_LEN(items); i++)
        json_array_append_new(out, json_pack("{s:s, s:{}, s:I}", "name", items[i].name, "labels",
                                             "value", (json_int_t)items[i].value));
    http_reply_json(r, 200, json_pack("{s:o}", "items", out));
}

/* How far a share is from the even one, in percent; null when nothing is to be shared. */
static json_t *skew(int64_t own, int64_t all, size_t brokers)
{
    double even = brokers ? (double)all / (double)brokers : 0;
    if (even < 1)
        return json_null();
    return json_real((double)(int64_t)(((double)own - even) / even * 10000) / 100);
}

void web_brokers(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct broker_cluster c;
    struct error e = {0};
    if (broker_cluster(w->deps.broker, &c, &e) != E_OK) {
        web_fail(r, w, &e, WEB_UNEXPECTED);
        return;
    }
    json_t *out = json_array();
    for (size_t i = 0; i < c.node_count; i++) {
        const struct broker_node *n = &c.nodes[i];
        bool several = c.node_count > 1;
        if (!n->running) /* gone for every client; /api/lab has it */
            continue;
        json_array_append_new(
            out, json_pack("{s:i, s:s, s:i, s:n, s:n, s:I, s:I, s:I, s:o, s:o}", "id", (int)n->id,
                           "host", n->host, "port", n->port, "bytesInPerSec", "bytesOutPerSec",
                           "partitionsLeader", (json_int_t)n->leaders, "partitions",
                           (json_int_t)n->replicas, "inSyncPartitions", (json_int_t)n->in_sync,
                           "partitionsSkew",
                           several ? skew(n->replicas, c.replicas, c.running) : json_null(),
                           "leadersSkew",
                           several ? skew(n->leaders, c.partitions, c.running) : json_null()));
    }
    http_reply_json(r, 200, out);
}

static const char *source_name(int8_t source)
{
    static const char *const names[] = {"UNKNOWN",
                                        "DYNAMIC_TOPIC_CONFIG",
                                        "DYNAMIC_BROKER_CONFIG",
                                        "DYNAMIC_DEFAULT_BROKER_CONFIG",
                                        "STATIC_BROKER_CONFIG",
                                        "DEFAULT_CONFIG",
                                        "DYNAMIC_BROKER_LOGGER_CONFIG",
                                        "DYNAMIC_CLIENT_METRICS_CONFIG"};
    return source >= 0 && (size_t)source < ARRAY_LEN(names) ? names[source] : names[0];
}

static json_t *config_json(const struct broker_config_entry *c, bool topic)
{
    json_t *synonyms = json_array();
    for (size_t i = 0; i < c->synonym_count; i++)
        json_array_append_new(synonyms,
                              json_pack("{s:o, s:o, s:s}", "name", web_string(c->synonyms[i].name),
                                        "value", web_string(c->synonyms[i].value), "source",
                                        source_name(c->synonyms[i].source)));
    json_t *out = json_pack("{s:o, s:o, s:s, s:b, s:b, s:o}", "name", web_string(c->name), "value",
                            web_string(c->value), "source", source_name(c->source), "isSensitive",
                            c->sensitive, "isReadOnly", c->read_only, "synonyms", synonyms);
    if (topic) {
        json_object_set_new(out, "defaultValue", web_string(c->default_value));
        json_object_set_new(out, "doc", web_string(c->doc));
    }
    return out;
}

static void reply_configs(struct http_request *r, struct web *w, struct slice topic)
{
    struct arena a;
    struct broker_config_entry *configs;
    size_t count;
    struct error e = {0};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err err = topic.p ? broker_topic_configs(w->deps.broker, topic, &a, &configs, &count, &e)
                           : broker_configs(w->deps.broker, &a, &configs, &count, &e);
    if (err) {
        web_fail(r, w, &e, WEB_NO_TOPIC);
    } else {
        json_t *out = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(out, config_json(&configs[i], topic.p != NULL));
        http_reply_json(r, 200, out);
    }
    arena_release(&a);
}

void web_broker_configs(struct http_request *r, void *arg)
{
    reply_configs(r, arg, SLICE_NULL);
}

void web_topic_configs(struct http_request *r, void *arg)
{
    reply_configs(r, arg, http_param(r, "topic"));
}

void web_logdirs(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct arena a;
    struct broker_topic_info *topics;
    struct broker_info info;
    size_t count;
    struct error e = {0};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    broker_info(w->deps.broker, &info);
    if (broker_topics(w->deps.broker, &a, &topics, &count, &e) != E_OK) {
        web_fail(r, w, &e, WEB_UNEXPECTED);
        arena_release(&a);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *partitions = json_array();
        for (int32_t p = 0; p < topics[i].partition_count; p++)
            json_array_append_new(partitions,
                                  json_pack("{s:i, s:I, s:i, s:i}", "partition",
                                            topics[i].partitions[p].id, "size",
                                            (json_int_t)topics[i].partitions[p].bytes, "offsetLag",
                                            0, "broker", (int)info.node_id));
        json_array_append_new(list, json_pack("{s:o, s:o}", "name", web_string(topics[i].name),
                                              "partitions", partitions));
    }
    arena_release(&a);
    http_reply_json(r, 200,
                    json_pack("[{s:s, s:n, s:o}]", "name", "kafka-logs", "error", "topics", list));
}
