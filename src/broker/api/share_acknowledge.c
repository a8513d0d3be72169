/* broker/api/share_acknowledge.c - ShareAcknowledge, and what it has in common with ShareFetch: see
 * share_acknowledge.h. Owner: the connection's loop; the states have their locks. SPEC: broker 8.5. */
#include "broker/api/share_acknowledge.h"

#include "base/base.h"
#include "base/clock.h"
#include "broker/security/access.h"
#include "broker/topic.h"

bool share_ids_are_bad(struct slice group, struct slice member)
{
    return group.n == 0 || member.n == 0 || member.n > SHARE_MEMBER_MAX;
}

int16_t share_open_partition(struct request *rq, const struct share_key *key,
                             struct partition **out)
{
    struct topic *t = topics_get_id(rq->broker->topics, &key->topic_id);
    int16_t code = KERR_NONE;
    *out = NULL;
    if (!t)
        return KERR_UNKNOWN_TOPIC_ID;
    if (!request_allowed(rq, ACL_READ, ACL_TOPIC, topic_name(t)))
        code = KERR_TOPIC_AUTHORIZATION_FAILED;
    else
        *out = topic_partition(t, key->partition);
    topic_unref(t);
    if (code == KERR_NONE)
        code = *out ? api_check_leader(rq, *out) : KERR_UNKNOWN_TOPIC_OR_PARTITION;
    return code;
}

int16_t share_take_acks(struct share_groups *shares, struct share_state *st, struct slice member,
                        const struct ack_batch *v, int32_t n, struct loop *loop, db_done_fn done,
                        void *arg, int *open)
{
    int16_t code = KERR_NONE;
    bool changed = false;
    share_state_lock(st, clock_mono_ms());
    if (!st->known || st->gone)
        code = KERR_INVALID_RECORD_STATE;
    for (int32_t i = 0; i < n && code == KERR_NONE; i++) {
        code = share_acknowledge(&st->p, member, v[i].first, v[i].last, v[i].types, v[i].count);
        changed |= code == KERR_NONE;
    }
    if (changed) {
        (*open)++;
        share_store(shares, st, loop, done, arg);
    }
    share_state_unlock(st, changed);
    return code;
}

/* --- ShareAcknowledge ------------------------------------------------------------------------- */

struct share_acknowledge {
    struct request *rq;
    int open;
    bool failed;
};

static void acknowledged(void *arg, enum err code)
{
    struct share_acknowledge *f = arg;
    struct share_acknowledge_response *out = f->rq->out;
    f->failed |= code != E_OK;
    if (--f->open > 0)
        return;
    for (int32_t t = 0; f->failed && t < out->responses_count; t++) {
        for (int32_t i = 0; i < out->responses[t].partitions_count; i++)
            out->responses[t].partitions[i].error_code = KERR_UNKNOWN_SERVER_ERROR;
    }
    request_reply(f->rq);
}

static int16_t acknowledge_one(struct share_acknowledge *f, const struct uuid *topic_id,
                               const struct share_acknowledge_request_partition *from)
{
    const struct share_acknowledge_request *in = f->rq->in;
    const struct share_key key = {*topic_id, from->partition_index};
    struct partition *p;
    int32_t n = MAX(from->acknowledgement_batches_count, 0);
    struct ack_batch *v = arena_calloc(&f->rq->arena, (size_t)n + 1, sizeof *v);
    for (int32_t k = 0; k < n; k++)
        v[k] = (struct ack_batch){from->acknowledgement_batches[k].first_offset,
                                  from->acknowledgement_batches[k].last_offset,
                                  from->acknowledgement_batches[k].acknowledge_types,
                                  from->acknowledgement_batches[k].acknowledge_types_count};
    int16_t code = share_open_partition(f->rq, &key, &p);
    if (code == KERR_NONE) {
        struct share_state *st = share_state_get(f->rq->broker->shares, in->group_id, &key, false);
        code = st ? share_take_acks(f->rq->broker->shares, st, in->member_id, v, n, f->rq->bl->loop,
                                    acknowledged, f, &f->open)
                  : KERR_INVALID_RECORD_STATE;
        share_state_unref(st);
    }
    partition_unref(p);
    return code;
}

void api_share_acknowledge(struct request *rq)
{
    const struct share_acknowledge_request *in = rq->in;
    struct share_acknowledge_response *out = rq->out;
    if (share_ids_are_bad(in->group_id, in->member_id))
        out->error_code = KERR_INVALID_REQUEST;
    else
        out->error_code =
            share_session_acknowledge(rq->broker->shares, request_node_id(rq), in->group_id,
                                      in->member_id, in->share_session_epoch);
    if (out->error_code != KERR_NONE) {
        request_reply(rq);
        return;
    }
    struct share_acknowledge *f = arena_calloc(&rq->arena, 1, sizeof *f);
    f->rq = rq;
    f->open = 1;
    out->responses_count = MAX(in->topics_count, 0);
    out->responses = share_acknowledge_response_topic_array(&rq->arena, out->responses_count);
    for (int32_t t = 0; t < out->responses_count; t++) {
        struct share_acknowledge_response_topic *to = &out->responses[t];
        to->topic_id = in->topics[t].topic_id;
        to->partitions_count = MAX(in->topics[t].partitions_count, 0);
        to->partitions =
            share_acknowledge_response_partition_array(&rq->arena, to->partitions_count);
        for (int32_t i = 0; i < to->partitions_count; i++) {
            to->partitions[i].partition_index = in->topics[t].partitions[i].partition_index;
            to->partitions[i].error_code =
                acknowledge_one(f, &to->topic_id, &in->topics[t].partitions[i]);
        }
    }
    if (in->share_session_epoch == SHARE_EPOCH_FINAL)
        share_release(rq->broker->shares, in->group_id, in->member_id);
    acknowledged(f, E_OK);
}
