/* web/api.h - what the handlers of :8080 share: the server's state, answers and errors in
 * kafka-ui's shapes, paging. Handlers run on pool threads (http_defer) and may block; reply exactly
 * once. SPEC: web-ui 1.4, 3. */
#ifndef WEIR_WEB_API_H
#define WEIR_WEB_API_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/http.h"
#include "broker/admin.h"
#include "connect/herder.h"
#include "web/web.h"

#define WEB_CLUSTER "local" /* the names used all over kafka-ui's compose files */
#define WEB_CONNECT "first"

struct web {
    struct web_deps deps;
    struct http_server *server;
    struct herder *herder; /* NULL: no worker */
    uint8_t secret[32];    /* signs cursors; never leaves */
    atomic_bool stopping;  /* streams look at it */
    pthread_mutex_t lock;  /* streams */
    pthread_cond_t ended;
    int streams;                /* message streams, each a thread */
    int working;                /* handlers on the pool */
    atomic_uint next_partition; /* for records without key */
    _Atomic uint32_t error_count;
};

/* Error codes of kafka-ui's body; the HTTP status follows from the code. */
enum web_code {
    WEB_NOT_FOUND = 404,
    WEB_BAD_BODY = 4001,
    WEB_INVALID = 4002,
    WEB_NO_CLUSTER = 4007,
    WEB_NO_TOPIC = 4008,
    WEB_NO_PARTITION = 4013,
    WEB_BAD_REQUEST = 4014,
    WEB_BAD_STATE = 4016,
    WEB_OFFSETS_REFUSED = 4021,
    WEB_UNEXPECTED = 5000,
};
void web_error(struct http_request *r, struct web *w, enum web_code code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
json_t *web_error_body(struct web *w, int code, struct slice message); /* new reference */
/* The code that fits e->code; E_NOT_FOUND becomes `missing`. */
void web_fail(struct http_request *r, struct web *w, const struct error *e, enum web_code missing);
/* Refuses (and answers) a request for another cluster or Connect than the one there is. */
bool web_names_ok(struct http_request *r, struct web *w);
/* Body as a JSON object, or answers 4001. Caller decrefs. NULL: answered. */
json_t *web_body(struct http_request *r, struct web *w);

json_t *web_string(struct slice s); /* null slice: JSON null; invalid UTF-8 is replaced */
/* Integer query parameter within a range, else the default. */
int64_t web_query_int(const struct http_request *r, const char *name, int64_t def, int64_t min,
                      int64_t max);
bool web_query_true(const struct http_request *r, const char *name);
/* Values of a parameter given repeatedly or joined by commas; false past the end. */
bool web_query_item(const struct http_request *r, const char *name, size_t i, struct slice *out);
bool web_contains_icase(struct slice text, struct slice what); /* ASCII case ignored */
/* A text, number or boolean as text, appended; false for others. */
bool web_scalar_text(const json_t *v, struct strbuf *out);
/* Sorted by the request's orderBy and sortOrder: rows of {"NAME", "member.of.item"}, the first is
 * the default; ends with NULLs. Equal ones keep their order. */
json_t *web_sort(const struct http_request *r, json_t *all_take, const char *const orders[][2]);
/* One page (query page, perPage) of an array: borrowed items; *pages = their number. */
json_t *web_page(const struct http_request *r, json_t *all, size_t *pages);

/* Handlers by file; the table of routes is in web.c. */
typedef void web_handler(struct http_request *r, void *web);
/* api_app.c */
web_handler web_info, web_authorization, web_authentication, web_clusters, web_cache, web_stats,
    web_metrics_items, web_brokers, web_broker_configs, web_logdirs;
/* api_lab.c */
web_handler web_lab, web_lab_broker, web_lab_elect;
/* api_topics.c */
web_handler web_topics, web_topic_create, web_topic, web_topic_recreate, web_topic_alter,
    web_topic_delete, web_topic_clone, web_topic_configs, web_topic_partitions, web_topic_groups,
    web_topic_connectors;
/* api_messages.c, message_stream.c */
web_handler web_message_produce, web_messages_purge, web_serdes, web_serdes_old, web_messages,
    web_messages_old;
/* api_groups.c */
web_handler web_groups, web_group, web_group_delete, web_group_reset, web_group_forget_topic;
/* api_connect.c */
web_handler web_connects, web_connectors_all, web_connectors, web_connector_create, web_connector,
    web_connector_delete, web_connector_config, web_connector_put_config, web_connector_tasks,
    web_connector_warnings, web_connector_progress, web_connector_action, web_task_restart,
    web_connector_offsets, web_connector_reset_offsets, web_plugins, web_plugin_validate;

/* Shared shapes. New references. */
json_t *web_group_json(struct web *w, const struct broker_group_info *g, bool details);
json_t *web_connector_summary(struct web *w, const char *name, const json_t *info,
                              const json_t *status);

#endif
