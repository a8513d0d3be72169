/* web/api_groups.c - consumer groups: list, detail, delete, reset of offsets: SPEC web-ui 3.5. */
#include <stdlib.h>

#include "base/base.h"
#include "broker/broker.h"
#include "web/api.h"

/* "Stable" -> STABLE, "PreparingRebalance" -> PREPARING_REBALANCE. */
static json_t *state_json(struct slice state)
{
    char out[64];
    size_t n = 0;
    for (size_t i = 0; i < state.n && n + 2 < sizeof out; i++) {
        char c = state.p[i];
        bool upper = c >= 'A' && c <= 'Z';
        if (upper && i > 0)
            out[n++] = '_';
        out[n++] = upper ? c : (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    return json_stringn(out, n);
}

static json_t *coordinator_json(struct web *w)
{
    size_t n;
    const struct broker_listener_info *l = broker_listeners(w->deps.broker, &n);
    return json_pack("{s:i, s:s, s:i}", "id", n ? (int)l[0].node_id : 1, "host",
                     n && l[0].host[0] ? l[0].host : "localhost", "port", n ? l[0].port : 0);
}

/* Different topics with a committed offset or an assignment. */
static int64_t count_topics(const struct broker_group_info *g)
{
    json_t *seen = json_object();
    char name[256];
    for (size_t i = 0; i < g->offset_count; i++) {
        snprintf(name, sizeof name, PRI_SL, ARG_SL(g->offsets[i].topic));
        json_object_set_new(seen, name, json_true());
    }
    for (size_t m = 0; g->members && m < g->member_count; m++)
        for (size_t p = 0; p < g->members[m].assigned_count; p++) {
            snprintf(name, sizeof name, PRI_SL, ARG_SL(g->members[m].assigned[p].topic));
            json_object_set_new(seen, name, json_true());
        }
    int64_t n = (int64_t)json_object_size(seen);
    json_decref(seen);
    return n;
}

static const struct broker_group_member *owner_of(const struct broker_group_info *g,
                                                  struct slice topic, int32_t partition)
{
    for (size_t m = 0; m < g->member_count; m++)
        for (size_t p = 0; p < g->members[m].assigned_count; p++)
            if (g->members[m].assigned[p].partition == partition &&
                slice_eq(g->members[m].assigned[p].topic, topic))
                return &g->members[m];
    return NULL;
}

static json_t *number_or_null(int64_t v)
{
    return v < 0 ? json_null() : json_integer(v);
}

static json_t *row_json(struct slice topic, int32_t partition, const struct broker_group_offset *o,
                        const struct broker_group_member *m)
{
    return json_pack("{s:o, s:i, s:o, s:o, s:o, s:o, s:o}", "topic", web_string(topic), "partition",
                     partition, "currentOffset", number_or_null(o ? o->offset : -1), "endOffset",
                     number_or_null(o ? o->end_offset : -1), "consumerLag",
                     number_or_null(o ? o->lag : -1), "consumerId",
                     web_string(m ? m->id : SLICE_NULL), "host",
                     web_string(m ? m->host : SLICE_NULL));
}

json_t *web_group_json(struct web *w, const struct broker_group_info *g, bool details)
{
    bool simple = g->protocol_type.n == 0;
    json_t *out = json_pack("{s:s, s:o, s:I, s:I, s:b, s:o, s:o, s:o, s:o}", "inherit",
                            details ? "details" : "basic", "groupId", web_string(g->id), "members",
                            (json_int_t)g->member_count, "topics", (json_int_t)count_topics(g),
                            "simple", simple, "partitionAssignor", web_string(g->protocol), "state",
                            state_json(g->state), "coordinator", coordinator_json(w), "consumerLag",
                            number_or_null(g->lag));
    if (!details)
        return out;
    json_t *rows = json_array();
    for (size_t i = 0; i < g->offset_count; i++)
        json_array_append_new(rows,
                              row_json(g->offsets[i].topic, g->offsets[i].partition, &g->offsets[i],
                                       owner_of(g, g->offsets[i].topic, g->offsets[i].partition)));
    for (size_t m = 0; m < g->member_count; m++) /* assigned, nothing committed yet */
        for (size_t p = 0; p < g->members[m].assigned_count; p++) {
            const struct broker_group_partition *at = &g->members[m].assigned[p];
            bool committed = false;
            for (size_t i = 0; i < g->offset_count; i++)
                committed |= g->offsets[i].partition == at->partition &&
                             slice_eq(g->offsets[i].topic, at->topic);
            if (!committed)
                json_array_append_new(rows,
                                      row_json(at->topic, at->partition, NULL, &g->members[m]));
        }
    json_object_set_new(out, "partitions", rows);
    return out;
}

static const char *const group_orders[][2] = {
    {"NAME", "groupId"},     {"MEMBERS", "members"},
    {"STATE", "state"},      {"MESSAGES_BEHIND", "consumerLag"},
    {"TOPIC_NUM", "topics"}, {NULL, NULL}};

void web_groups(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct arena a;
    struct broker_group_info *groups, g;
    size_t count, pages;
    struct error e = {0};
    struct slice search = http_query(r, "search"), state;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (broker_groups(w->deps.broker, &a, &groups, &count, &e) != E_OK) {
        web_fail(r, w, &e, WEB_UNEXPECTED);
        arena_release(&a);
        return;
    }
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++) {
        if ((search.p && !web_contains_icase(groups[i].id, search)) ||
            broker_group(w->deps.broker, groups[i].id, &a, &g, NULL) != E_OK)
            continue;
        json_t *row = web_group_json(w, &g, false);
        bool wanted = !web_query_item(r, "state", 0, &state);
        for (size_t s = 0; !wanted && web_query_item(r, "state", s, &state); s++)
            wanted = slice_eq_c(state, json_string_value(json_object_get(row, "state")));
        if (wanted)
            json_array_append(all, row);
        json_decref(row);
    }
    arena_release(&a);
    all = web_sort(r, all, group_orders);
    json_t *page = web_page(r, all, &pages);
    json_decref(all);
    http_reply_json(
        r, 200, json_pack("{s:I, s:o}", "pageCount", (json_int_t)pages, "consumerGroups", page));
}

void web_group(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct arena a;
    struct broker_group_info g;
    struct error e = {0};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    if (broker_group(w->deps.broker, http_param(r, "group"), &a, &g, &e) == E_OK)
        http_reply_json(r, 200, web_group_json(w, &g, true));
    else
        web_fail(r, w, &e, WEB_NOT_FOUND);
    arena_release(&a);
}

void web_group_delete(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct error e = {0};
    if (broker_group_delete(w->deps.broker, http_param(r, "group"), &e) == E_OK)
        http_reply_empty(r, 200);
    else
        web_fail(r, w, &e, WEB_NOT_FOUND);
}

void web_group_forget_topic(struct http_request *r, void *arg)
{
    struct web *w = arg;
    struct arena a;
    struct broker_topic_info t;
    struct error e = {0};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err err = broker_topic(w->deps.broker, http_param(r, "topic"), &a, &t, &e);
    if (!err) {
        struct broker_group_partition *parts =
            arena_calloc(&a, (size_t)t.partition_count, sizeof *parts);
        for (int32_t i = 0; i < t.partition_count; i++)
            parts[i] = (struct broker_group_partition){t.name, i};
        err = broker_group_delete_offsets(w->deps.broker, http_param(r, "group"), parts,
                                          (size_t)t.partition_count, &e);
    }
    if (err)
        web_fail(r, w, &e, WEB_NOT_FOUND);
    else
        http_reply_empty(r, 200);
    arena_release(&a);
}

/* --- reset of offsets ------------------------------------------------------------------------ */

static bool listed(const json_t *partitions, int32_t id)
{
    size_t i;
    json_t *v;
    json_array_foreach(partitions, i, v) if (json_integer_value(v) == id) return true;
    return !json_is_array(partitions);
}

/* New offset of one partition by the request's resetType; -1: leave it alone. */
static enum err new_offset(struct web *w, const json_t *body, struct slice topic,
                           const struct broker_partition_info *p, int64_t *out, struct error *e)
{
    const char *type = json_string_value(json_object_get(body, "resetType"));
    *out = -1;
    if (type && strcmp(type, "EARLIEST") == 0) {
        *out = p->start_offset;
    } else if (type && strcmp(type, "LATEST") == 0) {
        *out = p->end_offset;
    } else if (type && strcmp(type, "OFFSET") == 0) {
        size_t i;
        json_t *v;
        json_array_foreach(json_object_get(body, "partitionsOffsets"), i,
                           v) if (json_integer_value(json_object_get(v, "partition")) ==
                                  p->id) *out =
            MIN(MAX((int64_t)json_integer_value(json_object_get(v, "offset")), p->start_offset),
                p->end_offset);
    } else if (type && strcmp(type, "TIMESTAMP") == 0) {
        struct broker_target *t;
        int64_t when;
        enum err err = broker_target_open(w->deps.broker, topic, p->id, &t, e);
        if (err)
            return err;
        err = broker_offset_for(t, json_integer_value(json_object_get(body, "resetToTimestamp")),
                                out, &when, e);
        broker_target_close(t);
        if (!err && *out < 0)
            *out = p->end_offset;
        return err;
    } else {
        return error_set(e, E_INVALID,
                         "resetType must be one of EARLIEST, LATEST, TIMESTAMP, OFFSET");
    }
    return E_OK;
}

void web_group_reset(struct http_request *r, void *arg)
{
    struct web *w = arg;
    json_t *body = web_body(r, w);
    if (!body)
        return;
    struct arena a;
    struct broker_topic_info t;
    struct broker_group_info g;
    struct error e = {0};
    const char *topic = json_string_value(json_object_get(body, "topic"));
    arena_init(&a, 0, ARENA_NO_BUDGET);
    enum err err = broker_group(w->deps.broker, http_param(r, "group"), &a, &g, &e);
    if (!err && g.member_count > 0) {
        web_error(r, w, WEB_INVALID,
                  "the group is in state " PRI_SL
                  "; offsets can be reset only while it is EMPTY or DEAD",
                  ARG_SL(g.state));
        goto out;
    }
    if (!err)
        err = broker_topic(w->deps.broker, slice_cstr(topic ? topic : ""), &a, &t, &e);
    size_t n = 0;
    struct broker_group_offset *offsets =
        err ? NULL : arena_calloc(&a, (size_t)t.partition_count, sizeof *offsets);
    for (int32_t i = 0; !err && i < t.partition_count; i++) {
        int64_t offset = -1;
        if (listed(json_object_get(body, "partitions"), i))
            err = new_offset(w, body, t.name, &t.partitions[i], &offset, &e);
        if (offset >= 0)
            offsets[n++] = (struct broker_group_offset){.topic = t.name,
                                                        .partition = i,
                                                        .offset = offset,
                                                        .leader_epoch = -1,
                                                        .metadata = SL("")};
    }
    if (!err)
        err = broker_group_commit(w->deps.broker, g.id, offsets, n, &e);
    if (err)
        web_fail(r, w, &e, WEB_NOT_FOUND);
    else
        http_reply_empty(r, 200);
out:
    arena_release(&a);
    json_decref(body);
}
