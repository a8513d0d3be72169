/* web/api_lab.c - /api/lab: the brokers of a lab, for `weir lab` and the page: weir's own, beside
 * kafka-ui's routes.
 *
 *   GET  /api/lab                          what runs, who leads what
 *   POST /api/lab/brokers/{id}/stop|start  answers as GET does, after it is done
 *   POST /api/lab/elect                    preferred leaders for all partitions */
#include "base/base.h"
#include "web/api.h"

static void reply_lab(struct http_request *r, struct web *w)
{
    struct broker_cluster c;
    struct error e = {0};
    if (broker_cluster(w->deps.broker, &c, &e) != E_OK) {
        web_fail(r, w, &e, WEB_UNEXPECTED);
        return;
    }
    json_t *brokers = json_array();
    for (size_t i = 0; i < c.node_count; i++) {
        const struct broker_node *n = &c.nodes[i];
        json_array_append_new(brokers,
                              json_pack("{s:i, s:b, s:s, s:i, s:I, s:I, s:I}", "id", (int)n->id,
                                        "running", n->running, "host", n->host, "port", n->port,
                                        "leaders", (json_int_t)n->leaders, "replicas",
                                        (json_int_t)n->replicas, "inSync", (json_int_t)n->in_sync));
    }
    http_reply_json(r, 200,
                    json_pack("{s:b, s:o, s:i, s:I, s:I, s:I, s:I, s:I}", "lab", c.node_count > 1,
                              "brokers", brokers, "controller", (int)c.controller, "partitions",
                              (json_int_t)c.partitions, "offline", (json_int_t)c.offline,
                              "underReplicated", (json_int_t)c.under_replicated, "underMinIsr",
                              (json_int_t)c.under_min_isr, "notPreferred",
                              (json_int_t)c.not_preferred));
}

void web_lab(struct http_request *r, void *arg)
{
    reply_lab(r, arg);
}

void web_lab_broker(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct slice action = http_param(r, "action");
    int64_t id;
    struct error e = {0};
    enum err err = E_NOT_FOUND;
    bool start = slice_eq_c(action, "start");
    if (slice_to_i64(http_param(r, "id"), &id) != E_OK || id < 0 || id > INT32_MAX)
        error_set(&e, E_NOT_FOUND, "'" PRI_SL "' is no broker's number",
                  ARG_SL(http_param(r, "id")));
    else if (!start && !slice_eq_c(action, "stop"))
        error_set(&e, E_NOT_FOUND, "a broker can be told to start or to stop");
    else
        err = start ? broker_node_start(w->deps.broker, (int32_t)id, &e)
                    : broker_node_stop(w->deps.broker, (int32_t)id, &e);
    if (err != E_OK)
        web_fail(r, w, &e, WEB_NOT_FOUND);
    else
        reply_lab(r, w);
}

void web_lab_elect(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct error e = {0};
    if (broker_elect_preferred(w->deps.broker, &e) != E_OK)
        web_fail(r, w, &e, WEB_UNEXPECTED);
    else
        reply_lab(r, w);
}
