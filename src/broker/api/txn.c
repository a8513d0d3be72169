/* broker/api/txn.c - producer ids and transactions: to the coordinator loop and back; markers and
 * views that need no coordinator. SPEC: broker 7.2-7.4, 2.6. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/log.h"
#include "broker/topic.h"
#include "broker/txn/txn_coord.h"

/* --- the coordinator -------------------------------------------------------------------------- */

static void came_back(struct txn_call *call)
{
    struct request *rq = call->arg;
    if (rq->api->key == KAPI_LIST_TRANSACTIONS)
        api_keep_own_txns(rq);
    request_post_reply(call->arg);
}

static struct txn_call *call_of(struct request *rq, struct slice id)
{
    struct txn_call *call = arena_alloc(&rq->arena, sizeof *call);
    *call = (struct txn_call){.version = rq->version,
                              .id = id,
                              .arena = &rq->arena,
                              .in = rq->in,
                              .out = rq->out,
                              .done = came_back,
                              .arg = rq};
    return call;
}

void api_add_partitions_to_txn(struct request *rq)
{
    const struct add_partitions_to_txn_request *in = rq->in;
    txn_submit(rq->broker->txns, &txn_op_add_partitions,
               call_of(rq, in->v3_and_below_transactional_id));
}

void api_add_offsets_to_txn(struct request *rq)
{
    const struct add_offsets_to_txn_request *in = rq->in;
    txn_submit(rq->broker->txns, &txn_op_add_offsets, call_of(rq, in->transactional_id));
}

void api_txn_offset_commit(struct request *rq)
{
    const struct txn_offset_commit_request *in = rq->in;
    txn_submit(rq->broker->txns, &txn_op_offset_commit, call_of(rq, in->transactional_id));
}

void api_end_txn(struct request *rq)
{
    const struct end_txn_request *in = rq->in;
    txn_submit(rq->broker->txns, &txn_op_end, call_of(rq, in->transactional_id));
}

void api_describe_transactions(struct request *rq)
{
    txn_submit_view(rq->broker->txns, txn_view_describe, call_of(rq, SL("")));
}

void api_list_transactions(struct request *rq)
{
    txn_submit_view(rq->broker->txns, txn_view_list, call_of(rq, SL("")));
}

/* --- producer ids ----------------------------------------------------------------------------- */

static void give_producer_id(struct request *rq, int64_t id)
{
    struct init_producer_id_response *out = rq->out;
    out->producer_id = id;
    out->producer_epoch = 0;
}

static void reserve_and_answer(void *arg)
{
    struct request *rq = arg;
    struct init_producer_id_response *out = rq->out;
    struct error e;
    int64_t id;
    enum err r = E_AGAIN;
    error_clear(&e);
    for (int i = 0; i < 3 && r == E_AGAIN; i++) {
        r = producer_ids_reserve(&rq->broker->producer_ids, &e);
        if (r == E_OK)
            r = producer_ids_take(&rq->broker->producer_ids, &id);
    }
    if (r == E_OK) {
        give_producer_id(rq, id);
    } else if (r == E_AGAIN) { /* others took all that were reserved */
        out->error_code = KERR_COORDINATOR_LOAD_IN_PROGRESS;
    } else {
        LOG_ERR(LOG_BROKER, LOG_L_ERROR, &e, "producer ids could not be reserved");
        out->error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    }
    request_post_reply(rq);
}

void api_init_producer_id(struct request *rq)
{
    const struct init_producer_id_request *in = rq->in;
    int64_t id;
    if ((in->producer_id == -1) != (in->producer_epoch == -1)) { /* both or none */
        struct init_producer_id_response *out = rq->out;
        out->error_code = KERR_INVALID_REQUEST;
        out->producer_id = out->producer_epoch = -1;
        request_reply(rq);
        return;
    }
    if (in->transactional_id.p) {
        txn_submit(rq->broker->txns, &txn_op_init_producer_id, call_of(rq, in->transactional_id));
        return;
    }
    if (producer_ids_take(&rq->broker->producer_ids, &id) == E_OK) {
        give_producer_id(rq, id);
        request_reply(rq);
        return;
    }
    pool_submit(rq->broker->pool, NULL, reserve_and_answer, NULL, NULL, rq);
}

/* --- WriteTxnMarkers: `kafka-transactions abort` ---------------------------------------------- */

static int16_t write_one(struct request *rq, const struct partition_marker *m, struct topic *t,
                         int32_t partition)
{
    struct partition *p = t ? topic_partition(t, partition) : NULL;
    int64_t end;
    if (!p)
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    int16_t code = partition_append_marker(p, m, &end);
    if (code == KERR_NONE)
        LOG_INFO(LOG_BROKER_TXN,
                 "a client has written a marker " PRI_SL "-%d producer_id=%lld epoch=%d commit=%d"
                 " client_id=" PRI_SL,
                 ARG_SL(topic_name(t)), partition, (long long)m->producer_id, m->producer_epoch,
                 m->commit, ARG_SL(rq->client_id));
    if (code == KERR_NONE && partition_is_sync(p) && partition_sync(p, NULL) != E_OK)
        code = KERR_KAFKA_STORAGE_ERROR;
    partition_unref(p);
    return code;
}

static void write_marker(struct request *rq, const struct write_txn_markers_request_marker *in,
                         struct write_txn_markers_response_marker *out)
{
    const struct partition_marker m = {.producer_id = in->producer_id,
                                       .producer_epoch = in->producer_epoch,
                                       .commit = in->transaction_result,
                                       .coordinator_epoch = in->coordinator_epoch};
    out->producer_id = in->producer_id;
    out->topics_count = MAX(in->topics_count, 0);
    out->topics = write_txn_markers_response_topic_array(&rq->arena, out->topics_count);
    for (int32_t i = 0; i < out->topics_count; i++) {
        const struct write_txn_markers_request_topic *from = &in->topics[i];
        struct write_txn_markers_response_topic *to = &out->topics[i];
        struct topic *t = topics_get(rq->broker->topics, from->name);
        to->name = from->name;
        to->partitions_count = MAX(from->partition_indexes_count, 0);
        to->partitions =
            write_txn_markers_response_partition_array(&rq->arena, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++) {
            to->partitions[p].partition_index = from->partition_indexes[p];
            to->partitions[p].error_code = write_one(rq, &m, t, from->partition_indexes[p]);
        }
        topic_unref(t);
    }
}

static void write_markers(void *arg)
{
    struct request *rq = arg;
    const struct write_txn_markers_request *in = rq->in;
    struct write_txn_markers_response *out = rq->out;
    out->markers_count = MAX(in->markers_count, 0);
    out->markers = write_txn_markers_response_marker_array(&rq->arena, out->markers_count);
    for (int32_t i = 0; i < out->markers_count; i++)
        write_marker(rq, &in->markers[i], &out->markers[i]);
}

static void reply(void *arg)
{
    request_reply(arg);
}

void api_write_txn_markers(struct request *rq)
{
    pool_submit(rq->broker->pool, NULL, write_markers, rq->bl->loop, reply, rq);
}

/* --- DescribeProducers ------------------------------------------------------------------------ */

static void producers_of(struct request *rq, struct topic *t,
                         struct describe_producers_response_partition *out)
{
    struct partition *p = t ? topic_partition(t, out->partition_index) : NULL;
    struct producer *v;
    size_t n;
    if (!p) {
        out->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        if (!t)
            out->error_message = slice_cstr(kerr_message(out->error_code));
        return;
    }
    enum err r = partition_producers(p, &rq->arena, &v, &n);
    partition_unref(p);
    if (r != E_OK) {
        out->error_code = kerr_from_err(r);
        return;
    }
    out->active_producers_count = (int32_t)n;
    out->active_producers =
        describe_producers_response_producer_array(&rq->arena, out->active_producers_count);
    for (size_t i = 0; i < n; i++) {
        struct describe_producers_response_producer *row = &out->active_producers[i];
        row->producer_id = v[i].id;
        row->producer_epoch = v[i].epoch;
        row->last_sequence = v[i].count ? v[i].batches[v[i].count - 1].last_sequence : -1;
        row->last_timestamp = v[i].last_ms;
        row->coordinator_epoch = v[i].coordinator_epoch;
        row->current_txn_start_offset = v[i].txn_first_offset;
    }
}

void api_describe_producers(struct request *rq)
{
    const struct describe_producers_request *in = rq->in;
    struct describe_producers_response *out = rq->out;
    out->topics_count = MAX(in->topics_count, 0);
    out->topics = describe_producers_response_topic_array(&rq->arena, out->topics_count);
    for (int32_t i = 0; i < out->topics_count; i++) {
        const struct describe_producers_request_topic *from = &in->topics[i];
        struct describe_producers_response_topic *to = &out->topics[i];
        struct topic *t = topics_get(rq->broker->topics, from->name);
        to->name = from->name;
        to->partitions_count = MAX(from->partition_indexes_count, 0);
        to->partitions =
            describe_producers_response_partition_array(&rq->arena, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++) {
            to->partitions[p].partition_index = from->partition_indexes[p];
            producers_of(rq, t, &to->partitions[p]);
        }
        topic_unref(t);
    }
    request_reply(rq);
}
