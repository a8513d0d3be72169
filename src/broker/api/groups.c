/* broker/api/groups.c - group calls: all go to the coordinator loop and come back from there.
 *
 * The request waits; its arena belongs to the coordinator until group_call.done. A connection that
 * closes meanwhile changes nothing for the group: a parked JoinGroup stays until its round ends.
 * SPEC: broker 8.1-8.3. */
#include "broker/api/api.h"

#include "base/base.h"

static void came_back(struct group_call *call)
{
    struct request *rq = call->arg;
    if (rq->api->key == KAPI_LIST_GROUPS)
        api_keep_own_groups(rq);
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

void api_consumer_group_heartbeat(struct request *rq)
{
    submit(rq, coord_consumer_heartbeat);
}

void api_consumer_group_describe(struct request *rq)
{
    submit(rq, coord_consumer_describe);
}

void api_share_group_heartbeat(struct request *rq)
{
    submit(rq, coord_share_heartbeat);
}

void api_share_group_describe(struct request *rq)
{
    submit(rq, coord_share_describe);
}

void api_describe_share_offsets(struct request *rq)
{
    submit(rq, coord_share_describe_offsets);
}

void api_alter_share_offsets(struct request *rq)
{
    submit(rq, coord_share_alter_offsets);
}

void api_delete_share_offsets(struct request *rq)
{
    submit(rq, coord_share_delete_offsets);
}
