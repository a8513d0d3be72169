/* broker/api/offsets.c - ListOffsets, OffsetForLeaderEpoch, DeleteRecords.
 *
 * Looking for a time reads batches from disk, deleting records writes a checkpoint: both on the
 * pool. SPEC: broker 4.5, 6.3, 6.4. */
#include "broker/api/api.h"

#include "base/base.h"
#include "broker/topic.h"

enum { TIME_LATEST = -1, TIME_EARLIEST = -2, TIME_MAX = -3, TIME_LOCAL = -4, TIME_TIERED = -5 };

/* --- ListOffsets ------------------------------------------------------------------------------ */

static bool is_known_time(int64_t timestamp, int16_t version)
{
    return timestamp >= TIME_EARLIEST || (timestamp == TIME_MAX && version >= 7) ||
           (timestamp == TIME_LOCAL && version >= 8) || (timestamp == TIME_TIERED && version >= 9);
}

static int16_t list_old(struct request *rq, struct partition *p,
                        const struct list_offsets_request_partition *in,
                        struct list_offsets_response_partition *out)
{
    struct partition_offsets o;
    int16_t code = partition_offsets(p, &o);
    if (code)
        return code;
    out->old_style_offsets = arena_calloc(&rq->arena, 2, sizeof *out->old_style_offsets);
    if (in->max_num_offsets <= 0)
        return KERR_NONE;
    if (in->timestamp != TIME_EARLIEST && o.end > o.start)
        out->old_style_offsets[out->old_style_offsets_count++] = o.end;
    if (out->old_style_offsets_count < in->max_num_offsets)
        out->old_style_offsets[out->old_style_offsets_count++] = o.start;
    return KERR_NONE;
}

static int16_t list_one(struct request *rq, struct partition *p,
                        const struct list_offsets_request_partition *in,
                        struct list_offsets_response_partition *out)
{
    const struct list_offsets_request *all = rq->in;
    bool committed = all->isolation_level == 1;
    int32_t epoch = partition_leader_epoch(p);
    if (in->current_leader_epoch >= 0 && in->current_leader_epoch != epoch)
        return in->current_leader_epoch < epoch ? KERR_FENCED_LEADER_EPOCH
                                                : KERR_UNKNOWN_LEADER_EPOCH;
    struct partition_offsets o;
    int16_t code = partition_offsets(p, &o);
    out->timestamp = -1;
    out->offset = -1;
    out->leader_epoch = -1;
    if (code != KERR_NONE)
        return code;
    switch (in->timestamp) {
    case TIME_LATEST:
        out->offset = committed ? o.stable : o.end;
        out->leader_epoch = epoch;
        return KERR_NONE;
    case TIME_EARLIEST:
    case TIME_LOCAL:
        out->offset = o.start;
        out->leader_epoch = epoch;
        return KERR_NONE;
    case TIME_TIERED:
        return KERR_NONE;
    default:
        break;
    }
    struct partition_time found;
    code = partition_find_time(p, in->timestamp, committed, &found);
    if (code == KERR_NONE) {
        out->offset = found.offset;
        out->timestamp = found.timestamp;
        out->leader_epoch = found.leader_epoch;
    }
    return code;
}

static bool appears_twice(const struct list_offsets_request_topic *t, int32_t i)
{
    for (int32_t k = 0; k < t->partitions_count; k++) {
        if (k != i && t->partitions[k].partition_index == t->partitions[i].partition_index)
            return true;
    }
    return false;
}

static void list_offsets(void *arg)
{
    struct request *rq = arg;
    const struct list_offsets_request *in = rq->in;
    struct list_offsets_response *out = rq->out;
    out->topics_count = MAX(in->topics_count, 0);
    out->topics = list_offsets_response_topic_array(&rq->arena, out->topics_count);
    for (int32_t t = 0; t < out->topics_count; t++) {
        struct topic *topic = topics_get(rq->broker->topics, in->topics[t].name);
        struct list_offsets_response_topic *to = &out->topics[t];
        to->name = in->topics[t].name;
        to->partitions_count = MAX(in->topics[t].partitions_count, 0);
        to->partitions = list_offsets_response_partition_array(&rq->arena, to->partitions_count);
        for (int32_t i = 0; i < to->partitions_count; i++) {
            const struct list_offsets_request_partition *from = &in->topics[t].partitions[i];
            struct list_offsets_response_partition *row = &to->partitions[i];
            struct partition *p = topic ? topic_partition(topic, from->partition_index) : NULL;
            row->partition_index = from->partition_index;
            if (!p)
                row->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            else if (api_check_leader(rq, p) != KERR_NONE)
                row->error_code = api_check_leader(rq, p);
            else if (appears_twice(&in->topics[t], i))
                row->error_code = KERR_INVALID_REQUEST;
            else if (!is_known_time(from->timestamp, rq->version))
                row->error_code = KERR_UNSUPPORTED_VERSION;
            else if (rq->version == 0)
                row->error_code = list_old(rq, p, from, row);
            else
                row->error_code = list_one(rq, p, from, row);
            partition_unref(p);
        }
        topic_unref(topic);
    }
}

static void reply(void *arg)
{
    request_reply(arg);
}

void api_list_offsets(struct request *rq)
{
    const struct list_offsets_request *in = rq->in;
    bool disk = false;
    for (int32_t t = 0; t < in->topics_count; t++) {
        for (int32_t i = 0; i < in->topics[t].partitions_count; i++) {
            int64_t time = in->topics[t].partitions[i].timestamp;
            disk |= time >= 0 || time == TIME_MAX;
        }
    }
    if (disk && rq->version > 0) {
        pool_submit(rq->broker->pool, NULL, list_offsets, rq->bl->loop, reply, rq);
        return;
    }
    list_offsets(rq);
    request_reply(rq);
}

/* --- OffsetForLeaderEpoch --------------------------------------------------------------------- */

static void epoch_one(const struct request *rq, struct topic *t,
                      const struct offset_for_leader_epoch_request_partition *in,
                      struct offset_for_leader_epoch_response_partition *out)
{
    struct partition *p = t ? topic_partition(t, in->partition) : NULL;
    out->partition = in->partition;
    if (!p) {
        out->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        return;
    }
    int32_t epoch = partition_leader_epoch(p);
    out->error_code = api_check_leader(rq, p);
    if (out->error_code != KERR_NONE)
        ; /* another broker of a lab knows */
    else if (in->current_leader_epoch >= 0 && in->current_leader_epoch != epoch)
        out->error_code =
            in->current_leader_epoch < epoch ? KERR_FENCED_LEADER_EPOCH : KERR_UNKNOWN_LEADER_EPOCH;
    else
        partition_epoch_end(p, in->leader_epoch, &out->leader_epoch, &out->end_offset);
    partition_unref(p);
}

void api_offset_for_leader_epoch(struct request *rq)
{
    const struct offset_for_leader_epoch_request *in = rq->in;
    struct offset_for_leader_epoch_response *out = rq->out;
    out->topics_count = MAX(in->topics_count, 0);
    out->topics = offset_for_leader_epoch_response_topic_array(&rq->arena, out->topics_count);
    for (int32_t i = 0; i < out->topics_count; i++) {
        const struct offset_for_leader_epoch_request_topic *from = &in->topics[i];
        struct offset_for_leader_epoch_response_topic *to = &out->topics[i];
        struct topic *t = topics_get(rq->broker->topics, from->topic);
        to->topic = from->topic;
        to->partitions_count = MAX(from->partitions_count, 0);
        to->partitions =
            offset_for_leader_epoch_response_partition_array(&rq->arena, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++)
            epoch_one(rq, t, &from->partitions[p], &to->partitions[p]);
        topic_unref(t);
    }
    request_reply(rq);
}

/* --- DeleteRecords ---------------------------------------------------------------------------- */

static void delete_records(void *arg)
{
    struct request *rq = arg;
    const struct delete_records_request *in = rq->in;
    struct delete_records_response *out = rq->out;
    out->topics_count = MAX(in->topics_count, 0);
    out->topics = delete_records_response_topic_array(&rq->arena, out->topics_count);
    for (int32_t t = 0; t < out->topics_count; t++) {
        const struct delete_records_request_topic *from = &in->topics[t];
        struct delete_records_response_topic *to = &out->topics[t];
        to->name = from->name;
        to->partitions_count = MAX(from->partitions_count, 0);
        to->partitions = delete_records_response_partition_array(&rq->arena, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++) {
            struct error e;
            struct delete_records_response_partition *row = &to->partitions[p];
            row->partition_index = from->partitions[p].partition_index;
            enum err r = broker_delete_records(rq->broker, to->name, row->partition_index,
                                               from->partitions[p].offset, &row->low_watermark, &e);
            row->error_code = api_code(r, &e);
            if (r != E_OK)
                row->low_watermark = -1;
        }
    }
}

void api_delete_records(struct request *rq)
{
    pool_submit(rq->broker->pool, NULL, delete_records, rq->bl->loop, reply, rq);
}
