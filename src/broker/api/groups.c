/* broker/api/groups.c - group calls: all go to the coordinator loop and come back from there.
 *
 * The request waits; its arena belongs to the coordinator until group_call.done. A connection that
 * closes meanwhile changes nothing for the group: a parked JoinGroup stays until its round ends.
 * SPEC: broker 8.1-8.3. */
#include "broker/api/api.h"

#include "base/base.h"

static void came_back(struct group_call *call)
{
    request_post_reply(call->arg);
}

static void submit(struct request *rq, coord_fn fn)
{
    struct group_call *call = arena_alloc(&rq->arena, sizeof *call);
    *call = (struct group_call){.version = rq->version,
                                .client_id = rq->client_id,
                                .client_host = request_client_host(rq),
                                .arena = &rq->arena,
                                .in = rq->in,
                                .out = rq->out,
                                .done = came_back,
                                .arg = rq};
    coord_submit(rq->broker->coord, fn, call);
}

void api_join_group(struct request *rq)
{
    submit(rq, coord_join_group);
}

void api_sync_group(struct request *rq)
{
    submit(rq, coord_sync_group);
}

void api_heartbeat(struct request *rq)
{
    submit(rq, coord_heartbeat);
}

void api_leave_group(struct request *rq)
{
    submit(rq, coord_leave_group);
}

void api_offset_commit(struct request *rq)
{
    submit(rq, coord_offset_commit);
}

void api_offset_fetch(struct request *rq)
{
    submit(rq, coord_offset_fetch);
}

void api_offset_delete(struct request *rq)
{
    submit(rq, coord_offset_delete);
}

void api_list_groups(struct request *rq)
{
    submit(rq, coord_list_groups);
}

void api_describe_groups(struct request *rq)
{
    submit(rq, coord_describe_groups);
}

void api_delete_groups(struct request *rq)
{
    submit(rq, coord_delete_groups);
}

/* This node coordinates every group; its address is that of the listener the client came in on. */
void api_find_coordinator(struct request *rq)
{
    const struct find_coordinator_request *in = rq->in;
    struct find_coordinator_response *out = rq->out;
    int16_t code = in->key_type == 0 || in->key_type == 1 ? KERR_NONE : KERR_INVALID_REQUEST;
    int32_t node = code == KERR_NONE ? request_node_id(rq) : -1;
    struct slice host = SL("");
    int port = -1;
    if (code == KERR_NONE)
        host = request_advertised(rq, &port);
    if (rq->version < 4) {
        out->error_code = code;
        out->node_id = node;
        out->host = host;
        out->port = port;
        request_reply(rq);
        return;
    }
    out->coordinators_count = MAX(in->coordinator_keys_count, 0);
    out->coordinators =
        find_coordinator_response_coordinator_array(&rq->arena, out->coordinators_count);
    for (int32_t i = 0; i < out->coordinators_count; i++) {
        struct find_coordinator_response_coordinator *c = &out->coordinators[i];
        c->key = in->coordinator_keys[i];
        c->error_code = code;
        c->node_id = node;
        c->host = host;
        c->port = port;
    }
    request_reply(rq);
}
