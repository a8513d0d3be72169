/* broker/admin_groups.c - groups for in-process users: views, committing and deleting offsets. Each
 * call takes a turn on the coordinator loop; lags are added on the caller's thread from the logs.
 */
#include "broker/admin.h"

#include "base/base.h"
#include "base/mem.h"
#include "broker/broker_state.h"
#include "broker/group/blocking.h"
#include "broker/proto/kerr.h"
#include "broker/topic.h"

/* --- views ------------------------------------------------------------------------------------ */

struct view_arg {
    struct coord *c;
    struct arena *a;
    struct slice id;
    struct broker_group_info *out;
    size_t count;
    bool found;
};

static void view_all(void *arg)
{
    struct view_arg *v = arg;
    coord_view_all(v->c, v->a, &v->out, &v->count);
}

static void view_one(void *arg)
{
    struct view_arg *v = arg;
    v->found = coord_view(v->c, v->id, v->a, v->out);
}

enum err broker_groups(struct broker *b, struct arena *a, struct broker_group_info **out,
                       size_t *count, struct error *e)
{
    (void)e;
    struct view_arg v = {.c = b->coord, .a = a};
    loop_call(coord_loop(b->coord), view_all, &v);
    *out = v.out;
    *count = v.count;
    return E_OK;
}

static void add_lags(struct broker *b, struct broker_group_info *g)
{
    struct topic *t = NULL;
    for (size_t i = 0; i < g->offset_count; i++) {
        struct broker_group_offset *o = &g->offsets[i];
        if (!t || !slice_eq(topic_name(t), o->topic)) {
            topic_unref(t);
            t = topics_get(b->topics, o->topic);
        }
        struct partition *p = t ? topic_partition(t, o->partition) : NULL;
        if (!p)
            continue;
        struct partition_offsets po;
        int16_t code = partition_offsets(p, &po);
        partition_unref(p);
        if (code)
            continue;
        o->end_offset = po.end;
        if (o->offset < 0)
            continue;
        o->lag = MAX(0, po.end - o->offset);
        g->lag = MAX(g->lag, 0) + o->lag;
    }
    topic_unref(t);
}

static enum err unknown_group(struct slice id, struct error *e)
{
    return kerr_error(e, E_NOT_FOUND, KERR_GROUP_ID_NOT_FOUND, "Group " PRI_SL " not found.",
                      ARG_SL(id));
}

enum err broker_group(struct broker *b, struct slice id, struct arena *a,
                      struct broker_group_info *out, struct error *e)
{
    struct view_arg v = {.c = b->coord, .a = a, .id = id, .out = out};
    loop_call(coord_loop(b->coord), view_one, &v);
    if (!v.found)
        return unknown_group(id, e);
    add_lags(b, out);
    return E_OK;
}

/* --- changes: the same calls as over the wire ------------------------------------------------- */

static enum err from_code(int16_t code, struct slice id, struct error *e)
{
    if (code == KERR_NONE)
        return E_OK;
    enum err r = code == KERR_GROUP_ID_NOT_FOUND || code == KERR_UNKNOWN_TOPIC_OR_PARTITION
                     ? E_NOT_FOUND
                 : code == KERR_COORDINATOR_NOT_AVAILABLE ? E_IO
                                                          : E_CONFLICT;
    return kerr_error(e, r, code, "group " PRI_SL ": %s", ARG_SL(id), kerr_message(code));
}

enum err broker_group_delete(struct broker *b, struct slice id, struct error *e)
{
    struct blocking k;
    struct delete_groups_request in;
    struct delete_groups_response out;
    blocking_init(&k);
    delete_groups_request_init(&in);
    delete_groups_response_init(&out);
    in.groups_names = &id;
    in.groups_names_count = 1;
    blocking_run(b->coord, &k, coord_delete_groups, &in, &out, 2);
    int16_t code = out.results[0].error_code;
    blocking_release(&k);
    return from_code(code, id, e);
}

enum err broker_group_commit(struct broker *b, struct slice id,
                             const struct broker_group_offset *offsets, size_t count,
                             struct error *e)
{
    struct blocking k;
    if (count > INT32_MAX)
        return error_set(e, E_TOO_LARGE, "too many offsets");
    blocking_init(&k);
    int16_t code = group_commit_call(b->coord, &k, id, -1, SL(""), offsets, count);
    blocking_release(&k);
    return from_code(code, id, e);
}

enum err broker_group_delete_offsets(struct broker *b, struct slice id,
                                     const struct broker_group_partition *parts, size_t count,
                                     struct error *e)
{
    struct blocking k;
    struct offset_delete_request in;
    struct offset_delete_response out;
    if (count > INT32_MAX)
        return error_set(e, E_TOO_LARGE, "too many offsets");
    blocking_init(&k);
    offset_delete_request_init(&in);
    offset_delete_response_init(&out);
    in.group_id = id;
    in.topics_count = (int32_t)count;
    in.topics = offset_delete_request_topic_array(&k.a, in.topics_count);
    for (size_t i = 0; i < count; i++) {
        in.topics[i].name = parts[i].topic;
        in.topics[i].partitions_count = 1;
        in.topics[i].partitions = offset_delete_request_partition_array(&k.a, 1);
        in.topics[i].partitions[0].partition_index = parts[i].partition;
    }
    blocking_run(b->coord, &k, coord_offset_delete, &in, &out, 0);
    int16_t code = out.error_code;
    for (int32_t t = 0; t < out.topics_count; t++) {
        if (code == KERR_NONE && out.topics[t].partitions_count)
            code = out.topics[t].partitions[0].error_code;
    }
    blocking_release(&k);
    return from_code(code, id, e);
}
