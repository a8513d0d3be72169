/* broker/txn/txn_calls.c - what producers ask the transaction coordinator: see txn_coord.h.
 *
 * Each request is judged by txn.c, stored, and answered from what was stored. Codes that older
 * versions of a request do not know are put into theirs here. SPEC: broker 7.3, 7.4. */
#include "base/clock.h"
#include "base/log.h"
#include "broker/group/coord.h"
#include "broker/proto/kerr.h"
#include "broker/proto/messages.h"
#include "broker/topic.h"
#include "broker/txn/txn_coord_internal.h"

/* Before `since` clients know one code for "a newer producer has taken over". */
static int16_t fenced_for(int16_t code, int16_t version, int16_t since)
{
    return code == KERR_PRODUCER_FENCED && version < since ? KERR_INVALID_PRODUCER_EPOCH : code;
}

static bool partition_exists(struct txn_coord *tc, struct slice topic, int32_t partition)
{
    struct topic *t = topics_get(tc->p.topics, topic);
    bool found = t && partition >= 0 && partition < topic_partition_count(t);
    topic_unref(t);
    return found;
}

/* --- InitProducerId --------------------------------------------------------------------------- */

static void init_refuse(struct txn_call *call, int16_t code)
{
    struct init_producer_id_response *out = call->out;
    out->error_code = fenced_for(code, call->version, 4);
    out->producer_id = -1;
    out->producer_epoch = -1;
}

static void init_answer(struct txn_entry *e, struct txn_call *call)
{
    struct init_producer_id_response *out = call->out;
    out->producer_id = e->facts.producer_id;
    out->producer_epoch = e->facts.epoch;
    txn_done(e, call);
}

static void init_run(struct txn_entry *e, struct txn_call *call);

/* The transaction of the predecessor is ended: now the request itself. */
static void init_fenced(struct txn_entry *e, struct txn_call *call)
{
    if (txn_is_prepared(&e->facts)) {
        txn_refuse(e, call, KERR_CONCURRENT_TRANSACTIONS);
        return;
    }
    const struct init_producer_id_request *in = call->in;
    call->fenced = true;
    call->fenced_from = in->producer_epoch;
    init_run(e, call);
}

static void init_run(struct txn_entry *e, struct txn_call *call)
{
    const struct init_producer_id_request *in = call->in;
    const struct txn_init init = {.timeout_ms = in->transaction_timeout_ms,
                                  .producer_id = in->producer_id,
                                  .epoch = in->producer_epoch,
                                  .new_id = call->new_id,
                                  .fenced = call->fenced,
                                  .fenced_from = call->fenced_from};
    struct txn_verdict v;
    if ((in->producer_id < 0) != (in->producer_epoch < 0)) {
        txn_refuse(e, call, KERR_INVALID_REQUEST);
        return;
    }
    if (in->transaction_timeout_ms <= 0 || in->transaction_timeout_ms > e->tc->o.max_timeout_ms) {
        txn_refuse(e, call, KERR_INVALID_TRANSACTION_TIMEOUT);
        return;
    }
    txn_judge_init(txn_facts_of(e), &init, clock_wall_ms(), &v);
    if (v.code != KERR_NONE) {
        txn_refuse(e, call, v.code);
    } else if (v.step == TXN_STEP_NEED_ID) {
        txn_need_id(e, call);
    } else if (v.step == TXN_STEP_FENCE) {
        LOG_INFO(LOG_BROKER_TXN,
                 "transactional.id=%s: a new producer ends its predecessor's transaction", e->id);
        txn_finish(e, &v.next, call, init_fenced);
    } else if (v.step == TXN_STEP_STORE) {
        struct txn_job *j = txn_job_new(call->id, &v.next);
        j->begins = v.begins;
        txn_store(e, j, call, init_answer);
    } else {
        init_answer(e, call);
    }
}

const struct txn_op txn_op_init_producer_id = {init_run, init_refuse};

/* --- adding partitions ------------------------------------------------------------------------ */

static void add_refuse(struct txn_call *call, int16_t code)
{
    const struct add_partitions_to_txn_request *in = call->in;
    struct add_partitions_to_txn_response *out = call->out;
    int32_t topics = MAX(in->v3_and_below_topics_count, 0);
    out->results_by_topic_v3_and_below_count = topics;
    out->results_by_topic_v3_and_below =
        add_partitions_to_txn_response_topic_array(call->arena, topics);
    for (int32_t t = 0; t < topics; t++) {
        const struct add_partitions_to_txn_request_topic *from = &in->v3_and_below_topics[t];
        struct add_partitions_to_txn_response_topic *to = &out->results_by_topic_v3_and_below[t];
        to->name = from->name;
        to->results_by_partition_count = MAX(from->partitions_count, 0);
        to->results_by_partition = add_partitions_to_txn_response_partition_array(
            call->arena, to->results_by_partition_count);
        for (int32_t p = 0; p < to->results_by_partition_count; p++) {
            to->results_by_partition[p].partition_index = from->partitions[p];
            to->results_by_partition[p].partition_error_code = fenced_for(code, call->version, 2);
        }
    }
}

static void add_answer(struct txn_entry *e, struct txn_call *call)
{
    add_refuse(call, KERR_NONE);
    txn_done(e, call);
}

/* One that does not exist: nothing is added. */
static bool all_exist(struct txn_entry *e, struct txn_call *call)
{
    struct add_partitions_to_txn_response *out = call->out;
    bool all = true;
    add_refuse(call, KERR_OPERATION_NOT_ATTEMPTED);
    for (int32_t t = 0; t < out->results_by_topic_v3_and_below_count; t++) {
        struct add_partitions_to_txn_response_topic *to = &out->results_by_topic_v3_and_below[t];
        for (int32_t p = 0; p < to->results_by_partition_count; p++) {
            struct add_partitions_to_txn_response_partition *row = &to->results_by_partition[p];
            if (partition_exists(e->tc, to->name, row->partition_index))
                continue;
            row->partition_error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            all = false;
        }
    }
    return all;
}

/* A job that adds what is not in the transaction yet; NULL: all is. */
static struct txn_job *new_parts(const struct txn_entry *e, const struct txn_verdict *v,
                                 const struct txn_part *parts, size_t count)
{
    struct txn_job *j = txn_job_new(slice_cstr(e->id), &v->next);
    j->begins = v->begins;
    j->parts = arena_alloc(&j->arena, (count + 1) * sizeof *j->parts);
    for (size_t i = 0; i < count; i++)
        if (v->begins || !txn_has_part(e, parts[i].topic, parts[i].partition))
            j->parts[j->part_count++] =
                (struct txn_part){arena_dup(&j->arena, parts[i].topic), parts[i].partition};
    if (j->part_count || v->begins)
        return j;
    txn_job_free(j);
    return NULL;
}

static void add_run(struct txn_entry *e, struct txn_call *call)
{
    const struct add_partitions_to_txn_request *in = call->in;
    struct txn_verdict v;
    size_t count = 0;
    txn_judge_add(txn_facts_of(e), in->v3_and_below_producer_id, in->v3_and_below_producer_epoch,
                  clock_wall_ms(), &v);
    if (v.code != KERR_NONE) {
        txn_refuse(e, call, v.code);
        return;
    }
    if (!all_exist(e, call)) {
        txn_done(e, call);
        return;
    }
    for (int32_t t = 0; t < in->v3_and_below_topics_count; t++)
        count += (size_t)MAX(in->v3_and_below_topics[t].partitions_count, 0);
    struct txn_part *parts = arena_alloc(call->arena, (count + 1) * sizeof *parts);
    count = 0;
    for (int32_t t = 0; t < in->v3_and_below_topics_count; t++)
        for (int32_t p = 0; p < in->v3_and_below_topics[t].partitions_count; p++)
            parts[count++] = (struct txn_part){in->v3_and_below_topics[t].name,
                                               in->v3_and_below_topics[t].partitions[p]};
    struct txn_job *j = new_parts(e, &v, parts, count);
    if (j)
        txn_store(e, j, call, add_answer);
    else
        add_answer(e, call);
}

const struct txn_op txn_op_add_partitions = {add_run, add_refuse};

/* --- Produce asks ----------------------------------------------------------------------------- */

static void admit_refuse(struct txn_call *call, int16_t code)
{
    const struct txn_admit *in = call->in;
    int16_t *out = call->out;
    for (size_t i = 0; i < in->count; i++)
        out[i] = code;
}

static void admit_answer(struct txn_entry *e, struct txn_call *call)
{
    admit_refuse(call, KERR_NONE);
    txn_done(e, call);
}

static void admit_run(struct txn_entry *e, struct txn_call *call)
{
    const struct txn_admit *in = call->in;
    int16_t *out = call->out;
    struct txn_verdict v;
    txn_judge_add(txn_facts_of(e), in->producer_id, in->epoch, clock_wall_ms(), &v);
    if (v.code != KERR_NONE) {
        txn_refuse(e, call, v.code);
    } else if (in->add) {
        struct txn_job *j = new_parts(e, &v, in->parts, in->count);
        if (j)
            txn_store(e, j, call, admit_answer);
        else
            admit_answer(e, call);
    } else {
        for (size_t i = 0; i < in->count; i++)
            out[i] = !v.begins && txn_has_part(e, in->parts[i].topic, in->parts[i].partition)
                         ? KERR_NONE
                         : KERR_TRANSACTION_ABORTABLE;
        txn_done(e, call);
    }
}

const struct txn_op txn_op_admit = {admit_run, admit_refuse};

/* --- offsets ---------------------------------------------------------------------------------- */

static void add_offsets_refuse(struct txn_call *call, int16_t code)
{
    ((struct add_offsets_to_txn_response *)call->out)->error_code =
        fenced_for(code, call->version, 2);
}

static void add_offsets_run(struct txn_entry *e, struct txn_call *call)
{
    const struct add_offsets_to_txn_request *in = call->in;
    struct txn_verdict v;
    txn_judge_add(txn_facts_of(e), in->producer_id, in->producer_epoch, clock_wall_ms(), &v);
    if (v.code == KERR_NONE && in->group_id.n == 0)
        v.code = KERR_INVALID_GROUP_ID;
    if (v.code != KERR_NONE) {
        txn_refuse(e, call, v.code);
    } else if (!v.begins && txn_find_group(e, in->group_id)) {
        txn_done(e, call);
    } else {
        struct txn_job *j = txn_job_new(call->id, &v.next);
        j->begins = v.begins;
        j->group = arena_dup(&j->arena, in->group_id);
        txn_store(e, j, call, txn_done);
    }
}

const struct txn_op txn_op_add_offsets = {add_offsets_run, add_offsets_refuse};

static void offsets_refuse(struct txn_call *call, int16_t code)
{
    const struct txn_offset_commit_request *in = call->in;
    struct txn_offset_commit_response *out = call->out;
    out->topics_count = MAX(in->topics_count, 0);
    out->topics = txn_offset_commit_response_topic_array(call->arena, out->topics_count);
    for (int32_t t = 0; t < out->topics_count; t++) {
        const struct txn_offset_commit_request_topic *from = &in->topics[t];
        struct txn_offset_commit_response_topic *to = &out->topics[t];
        to->name = from->name;
        to->partitions_count = MAX(from->partitions_count, 0);
        to->partitions =
            txn_offset_commit_response_partition_array(call->arena, to->partitions_count);
        for (int32_t p = 0; p < to->partitions_count; p++) {
            to->partitions[p].partition_index = from->partitions[p].partition_index;
            to->partitions[p].error_code = fenced_for(code, call->version, 2);
        }
    }
}

/* Offsets that can be stored go into the job; the others get their code. */
static void collect_offsets(struct txn_entry *e, struct txn_call *call, struct txn_job *j)
{
    const struct txn_offset_commit_request *in = call->in;
    struct txn_offset_commit_response *out = call->out;
    int64_t now = clock_wall_ms();
    size_t most = 1;
    offsets_refuse(call, KERR_NONE);
    for (int32_t t = 0; t < out->topics_count; t++)
        most += (size_t)out->topics[t].partitions_count;
    j->offsets = arena_alloc(&j->arena, most * sizeof *j->offsets);
    for (int32_t t = 0; t < out->topics_count; t++) {
        struct slice topic = arena_dup(&j->arena, in->topics[t].name);
        for (int32_t p = 0; p < out->topics[t].partitions_count; p++) {
            const struct txn_offset_commit_request_partition *from = &in->topics[t].partitions[p];
            int16_t *code = &out->topics[t].partitions[p].error_code;
            if (from->committed_metadata.n > (size_t)e->tc->o.offset_metadata_max_bytes)
                *code = KERR_OFFSET_METADATA_TOO_LARGE;
            else if (!partition_exists(e->tc, topic, from->partition_index))
                *code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            else
                j->offsets[j->offset_count++] = (struct commit_entry){
                    .topic = topic,
                    .metadata = from->committed_metadata.n
                                    ? arena_dup(&j->arena, from->committed_metadata)
                                    : SL(""),
                    .partition = from->partition_index,
                    .leader_epoch = from->committed_leader_epoch,
                    .offset = from->committed_offset,
                    .commit_ms = now};
        }
    }
}

static void offsets_run(struct txn_entry *e, struct txn_call *call)
{
    const struct txn_offset_commit_request *in = call->in;
    struct txn_verdict v;
    txn_judge_add(txn_facts_of(e), in->producer_id, in->producer_epoch, clock_wall_ms(), &v);
    if (v.code == KERR_NONE && in->group_id.n == 0)
        v.code = KERR_INVALID_GROUP_ID;
    if (v.code == KERR_NONE && call->version < 5 && (v.begins || !txn_find_group(e, in->group_id)))
        v.code = KERR_INVALID_TXN_STATE; /* AddOffsetsToTxn comes first */
    if (v.code == KERR_NONE)
        v.code = coord_check_txn_commit(e->tc->p.coord, in->group_id, in->generation_id,
                                        in->member_id, in->group_instance_id);
    if (v.code != KERR_NONE) {
        txn_refuse(e, call, v.code);
        return;
    }
    struct txn_job *j = txn_job_new(call->id, &v.next);
    j->begins = v.begins;
    j->group = arena_dup(&j->arena, in->group_id);
    collect_offsets(e, call, j);
    txn_store(e, j, call, txn_done);
}

const struct txn_op txn_op_offset_commit = {offsets_run, offsets_refuse};

/* --- EndTxn ----------------------------------------------------------------------------------- */

static void end_refuse(struct txn_call *call, int16_t code)
{
    ((struct end_txn_response *)call->out)->error_code = fenced_for(code, call->version, 2);
}

/* Decided; when not all is written yet, requests that follow hear of it. */
static void end_answer(struct txn_entry *e, struct txn_call *call)
{
    struct end_txn_response *out = call->out;
    bool changes = e->facts.next_producer_id >= 0;
    out->producer_id = changes ? e->facts.next_producer_id : e->facts.producer_id;
    out->producer_epoch = changes ? 0 : e->facts.epoch;
    txn_done(e, call);
}

static void end_run(struct txn_entry *e, struct txn_call *call)
{
    const struct end_txn_request *in = call->in;
    const struct txn_end end = {.producer_id = in->producer_id,
                                .epoch = in->producer_epoch,
                                .commit = in->committed,
                                .v2 = call->version >= 5,
                                .new_id = call->new_id};
    struct txn_verdict v;
    txn_judge_end(txn_facts_of(e), &end, clock_wall_ms(), &v);
    if (v.code != KERR_NONE)
        txn_refuse(e, call, v.code);
    else if (v.step == TXN_STEP_NEED_ID)
        txn_need_id(e, call);
    else if (v.step == TXN_STEP_FINISH)
        txn_finish(e, &v.next, call, end_answer);
    else
        end_answer(e, call);
}

const struct txn_op txn_op_end = {end_run, end_refuse};
