/* broker/api/produce.c - Produce: judge each partition's batch, append it, answer.
 *
 * The batch is validated and patched where it was received (a slice of the connection's buffer),
 * and written with one call. Message sets of old clients (versions 0-2) become a batch first, and a
 * topic with a codec of its own has batches packed anew. With durability=sync the answer waits for
 * the fdatasync that covers all its partitions. An error in one partition never touches another.
 *
 * A batch that begins its producer's transaction in a partition needs the word of the transaction
 * coordinator: the request then waits for it once, before anything is appended.
 * SPEC: broker 3.2, 3.3, 7.1-7.4. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/proto/batch.h"
#include "broker/proto/legacy.h"
#include "broker/topic.h"
#include "broker/topic_stats.h"
#include "broker/txn/txn_coord.h"

#include <stdatomic.h>

struct produce {
    struct request *rq;
    int64_t now_ms;
    bool any_error;
    _Atomic int32_t open;         /* partitions not durable yet, and the handler itself */
    bool waits;                   /* counted in produces_waiting */
    int16_t refused;              /* the code for every transactional batch, 0 none */
    uint32_t leaders;             /* of partitions that another broker leads */
    int32_t next;                 /* number of the partition, in order of the request */
    struct admission *admissions; /* by that number; NULL: nobody had to be asked */
};
struct admission {
    uint64_t guard; /* 0: not needed */
    int16_t code;
};
struct durable {
    struct produce *produce;
    struct produce_response_partition *out;
};

static void release_strbuf(void *arg)
{
    strbuf_release(arg);
}

static struct strbuf *scratch(struct request *rq)
{
    struct strbuf *b = arena_alloc(&rq->arena, sizeof *b);
    strbuf_init(b, (size_t)rq->broker->o->socket_request_max_bytes * 2);
    arena_on_release(&rq->arena, release_strbuf, b);
    return b;
}

static void fail(struct produce *pr, struct produce_response_partition *out, int16_t code,
                 struct slice message)
{
    out->error_code = code;
    out->error_message = message;
    out->base_offset = -1;
    out->log_append_time_ms = -1;
    out->log_start_offset = -1;
    pr->any_error = true;
}

/* In a lab: another broker leads it. Version 10 tells who, so that the client need not ask. */
static void not_leader(struct produce *pr, struct partition *p, int16_t code,
                       struct produce_response_partition *out)
{
    fail(pr, out, code, SLICE_NULL);
    out->has_current_leader = true;
    pr->leaders |= api_tell_leader(pr->rq, p, &out->current_leader);
}

/* In a lab: acks=all asks for min.insync.replicas, as far as there are so many replicas. */
static bool too_few_in_sync(const struct request *rq, struct topic *t, struct partition *p)
{
    struct placement place;
    if (!brokers_are_several(&rq->broker->brokers))
        return false;
    partition_placement(p, &place);
    return place.isr_count < MIN(topic_config(t)->min_insync_replicas, place.replica_count);
}

static void answer(struct produce *pr, bool same_thread)
{
    struct request *rq = pr->rq;
    const struct produce_request *in = rq->in;
    if (in->acks == 0 && pr->any_error) {
        /* Closing is the only signal that such a producer can get. */
        request_close(rq, "a produce with acks=0 failed");
    } else if (in->acks == 0) {
        request_no_reply(rq);
    } else if (same_thread) {
        request_reply(rq);
    } else {
        request_post_reply(rq);
    }
}

/* One thing less that the answer waits for; the last one answers. */
static void let_go(struct produce *pr, bool same_thread)
{
    struct broker *b = pr->rq->broker;
    if (atomic_fetch_sub(&pr->open, 1) != 1)
        return;
    if (pr->waits)
        atomic_fetch_sub_explicit(&b->produces_waiting, 1, memory_order_relaxed);
    answer(pr, same_thread);
}

static void on_durable(void *arg, int16_t code)
{
    struct durable *d = arg;
    struct produce *pr = d->produce;
    if (code != KERR_NONE) {
        d->out->error_code = code;
        d->out->base_offset = -1;
    }
    let_go(pr, loop_is_current(pr->rq->bl->loop));
}

/* --- one partition ---------------------------------------------------------------------------- */

static int16_t judge(struct produce *pr, struct topic *t, int32_t partition, struct slice bytes,
                     bool deep, struct produce_response_partition *out)
{
    struct request *rq = pr->rq;
    const struct topic_config *c = topic_config(t);
    struct batch_rules rules = {.topic = topic_name(t),
                                .partition = partition,
                                .zstd_allowed = rq->version >= 7,
                                .compacted = c->cleanup_compact,
                                .deep = deep,
                                .log_append_time = c->log_append_time,
                                .now_ms = pr->now_ms,
                                .before_max_ms = c->timestamp_before_max_ms,
                                .after_max_ms = c->timestamp_after_max_ms,
                                .max_bytes = c->max_message_bytes,
                                .segment_bytes = c->segment_bytes};
    struct batch_verdict v = {0};
    int16_t code = batch_validate(bytes, &rules, &rq->arena, &v);
    if (code == KERR_NONE && batch_is_transactional(bytes.p))
        code = pr->refused;
    if (code == KERR_NONE)
        return code;
    fail(pr, out, code, v.message);
    if (v.records_count) {
        out->record_errors_count = v.records_count;
        out->record_errors = produce_response_record_error_array(&rq->arena, v.records_count);
        for (int32_t i = 0; i < v.records_count; i++) {
            out->record_errors[i].batch_index = v.records[i].index;
            out->record_errors[i].batch_index_error_message = v.records[i].message;
        }
    }
    return code;
}

static int32_t level_of(const struct topic_config *c)
{
    switch (c->compression) {
    case CODEC_GZIP:
        return c->gzip_level;
    case CODEC_LZ4:
        return c->lz4_level;
    case CODEC_ZSTD:
        return c->zstd_level;
    default:
        return CODEC_LEVEL_DEFAULT;
    }
}

/* The bytes to append: those received, unless they are of an old format or the topic wants another
 * codec. */
static int16_t prepare(struct produce *pr, struct topic *t, int32_t partition, struct slice *bytes,
                       struct produce_response_partition *out)
{
    struct request *rq = pr->rq;
    const struct topic_config *c = topic_config(t);
    bool legacy = rq->version < 3;
    if (legacy) {
        struct strbuf *b = scratch(rq);
        int16_t code = legacy_to_batch(*bytes, 0, b);
        if (code != KERR_NONE) {
            fail(pr, out, code, SLICE_NULL);
            return code;
        }
        *bytes = strbuf_slice(b);
    }
    int16_t code = judge(pr, t, partition, *bytes, legacy, out);
    if (code != KERR_NONE || c->compression < 0 || c->compression == batch_codec(bytes->p))
        return code;
    struct strbuf *b = scratch(rq);
    if (batch_recompress(*bytes, (enum codec)c->compression, level_of(c), 0, b) != E_OK) {
        fail(pr, out, KERR_CORRUPT_MESSAGE, SLICE_NULL);
        return KERR_CORRUPT_MESSAGE;
    }
    *bytes = strbuf_slice(b);
    return KERR_NONE;
}

static void unref_partition(void *arg)
{
    partition_unref(arg);
}

static void append(struct produce *pr, struct topic *t, struct partition *p, struct slice bytes,
                   uint64_t guard, struct produce_response_partition *out)
{
    struct request *rq = pr->rq;
    const struct produce_request *in = rq->in;
    struct partition_appended a;
    if (prepare(pr, t, out->index, &bytes, out) != KERR_NONE)
        return;
    int32_t count = batch_count(bytes.p);
    int16_t code = partition_append_txn(p, (void *)(uintptr_t)bytes.p, bytes.n, guard, &a);
    if (code != KERR_NONE) {
        fail(pr, out, code, SLICE_NULL);
        return;
    }
    if (!a.duplicate)
        atomic_fetch_add_explicit(&rq->broker->records_in, count, memory_order_relaxed);
    out->base_offset = a.base_offset;
    out->log_append_time_ms = a.log_append_ms;
    out->log_start_offset = a.log_start;
    if (in->acks == 0 || !partition_is_sync(p))
        return;
    struct durable *d = arena_alloc(&rq->arena, sizeof *d);
    *d = (struct durable){pr, out};
    arena_on_release(&rq->arena, unref_partition, partition_ref(p));
    atomic_fetch_add(&pr->open, 1);
    if (!pr->waits)
        atomic_fetch_add_explicit(&rq->broker->produces_waiting, 1, memory_order_relaxed);
    pr->waits = true;
    partition_on_durable(p, a.end_offset, on_durable, d);
}

static void count_request(const struct produce *pr, struct topic *t,
                          const struct produce_request_partition *in,
                          const struct produce_response_partition *out)
{
    topic_stat_add(t, TOPIC_PRODUCE_REQUESTS, 1);
    if (pr->rq->version < 3)
        topic_stat_add(t, TOPIC_PRODUCE_CONVERSIONS, 1);
    if (out->error_code == KERR_NONE)
        return;
    topic_stat_add(t, TOPIC_FAILED_PRODUCE, 1);
    if (out->error_code == KERR_MESSAGE_TOO_LARGE || out->error_code == KERR_RECORD_LIST_TOO_LARGE)
        topic_stat_add(t, TOPIC_BYTES_REJECTED, (int64_t)in->records.n);
}

static void one_partition(struct produce *pr, struct topic *t, int16_t unknown,
                          const struct produce_request_partition *in,
                          struct produce_response_partition *out)
{
    const struct produce_request *all = pr->rq->in;
    struct partition *p = t ? topic_partition(t, in->index) : NULL;
    struct admission none = {0, KERR_NONE}, *admission = &none;
    if (pr->admissions)
        admission = &pr->admissions[pr->next++];
    int16_t code = p ? api_check_leader(pr->rq, p) : KERR_NONE;
    out->index = in->index;
    out->base_offset = -1;
    if (pr->refused == KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED) /* all of the request */
        fail(pr, out, pr->refused, SLICE_NULL);
    else if (all->acks < -1 || all->acks > 1)
        fail(pr, out, KERR_INVALID_REQUIRED_ACKS, SLICE_NULL);
    else if (!p)
        fail(pr, out, t ? KERR_UNKNOWN_TOPIC_OR_PARTITION : unknown, SLICE_NULL);
    else if (topic_is_internal(t) && !slice_eq(pr->rq->client_id, SL("__admin_client")))
        fail(pr, out, KERR_INVALID_TOPIC_EXCEPTION, SLICE_NULL);
    else if (code != KERR_NONE)
        not_leader(pr, p, code, out);
    else if (all->acks == -1 && too_few_in_sync(pr->rq, t, p))
        fail(pr, out, KERR_NOT_ENOUGH_REPLICAS, SLICE_NULL);
    else if (in->records.n == 0)
        fail(pr, out, KERR_INVALID_RECORD, SLICE_NULL);
    else if (admission->code != KERR_NONE)
        fail(pr, out, admission->code,
             admission->code == KERR_INVALID_TXN_STATE
                 ? SL("Partition was not added to the transaction")
                 : SLICE_NULL);
    else
        append(pr, t, p, in->records, admission->guard, out);
    if (t)
        count_request(pr, t, in, out);
    partition_unref(p);
}

static struct topic *topic_of(const struct request *rq, const struct produce_request_topic *t)
{
    return rq->version >= 13 ? topics_get_id(rq->broker->topics, &t->topic_id)
                             : topics_get(rq->broker->topics, t->name);
}

static void append_all(struct produce *pr)
{
    struct request *rq = pr->rq;
    const struct produce_request *in = rq->in;
    struct produce_response *out = rq->out;
    out->responses_count = MAX(in->topic_data_count, 0);
    out->responses = produce_response_topic_array(&rq->arena, out->responses_count);
    for (int32_t i = 0; i < out->responses_count; i++) {
        const struct produce_request_topic *from = &in->topic_data[i];
        struct produce_response_topic *to = &out->responses[i];
        to->name = from->name;
        to->topic_id = from->topic_id;
        struct topic *t = topic_of(rq, from);
        int16_t unknown =
            rq->version >= 13 ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION;
        to->partition_responses_count = MAX(from->partition_data_count, 0);
        to->partition_responses =
            produce_response_partition_array(&rq->arena, to->partition_responses_count);
        for (int32_t p = 0; p < to->partition_responses_count; p++)
            one_partition(pr, t, unknown, &from->partition_data[p], &to->partition_responses[p]);
        topic_unref(t);
    }
    if (pr->leaders)
        api_tell_endpoints(rq, pr->leaders, &out->node_endpoints, &out->node_endpoints_count);
    let_go(pr, true);
}

/* --- transactions ----------------------------------------------------------------------------- */

/* Of a batch that was not judged yet. */
static bool is_transactional(const struct request *rq, struct slice bytes)
{
    return rq->version >= 3 && bytes.n >= BATCH_HEADER_SIZE && batch_magic(bytes.p) == 2 &&
           batch_is_transactional(bytes.p);
}

/* The transactional batches of a request are of one producer. Its first batch, or NULL. */
static const void *find_producer(struct produce *pr)
{
    const struct produce_request *in = pr->rq->in;
    const void *first = NULL;
    for (int32_t i = 0; i < in->topic_data_count; i++) {
        const struct produce_request_topic *t = &in->topic_data[i];
        for (int32_t p = 0; p < t->partition_data_count; p++) {
            const void *b = t->partition_data[p].records.p;
            if (!is_transactional(pr->rq, t->partition_data[p].records))
                continue;
            if (first && (batch_producer_id(first) != batch_producer_id(b) ||
                          batch_producer_epoch(first) != batch_producer_epoch(b)))
                pr->refused = KERR_INVALID_PRODUCER_ID_MAPPING;
            first = first ? first : b;
        }
    }
    if (first && slice_is_null(in->transactional_id))
        pr->refused = KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    return first;
}

struct admit_call {
    struct txn_call call;
    struct txn_admit in;
    struct produce *produce;
    int32_t *numbers; /* of each part of `in`, among the request's partitions */
    int16_t *codes;
};

/* In the words that this version of Produce has. */
static int16_t admit_code(const struct request *rq, int16_t code)
{
    switch (code) {
    case KERR_PRODUCER_FENCED:
        return KERR_INVALID_PRODUCER_EPOCH;
    case KERR_TRANSACTION_ABORTABLE:
        return rq->version >= 11 ? code : KERR_INVALID_TXN_STATE;
    case KERR_CONCURRENT_TRANSACTIONS:
        return rq->version >= 12 ? code : KERR_NOT_ENOUGH_REPLICAS; /* clients try again */
    case KERR_COORDINATOR_NOT_AVAILABLE:
        return KERR_NOT_ENOUGH_REPLICAS;
    default:
        return code;
    }
}

static void admitted(void *arg)
{
    struct admit_call *a = arg;
    for (size_t i = 0; i < a->in.count; i++)
        a->produce->admissions[a->numbers[i]].code = admit_code(a->produce->rq, a->codes[i]);
    append_all(a->produce);
}

static void admit_done(struct txn_call *call)
{
    struct admit_call *a = call->arg;
    loop_post(a->produce->rq->bl->loop, admitted, a);
}

static void guard_one(struct admit_call *a, struct topic *t,
                      const struct produce_request_partition *in, struct admission *out)
{
    struct produce *pr = a->produce;
    struct partition *p =
        t && is_transactional(pr->rq, in->records) ? topic_partition(t, in->index) : NULL;
    if (!p)
        return; /* nothing to ask, or refused later */
    out->code = partition_txn_guard(p, in->records.p, &out->guard);
    partition_unref(p);
    if (out->code != KERR_NONE || !out->guard)
        return;
    a->numbers[a->in.count] = pr->next;
    a->in.parts[a->in.count++] =
        (struct txn_part){arena_dup(&pr->rq->arena, topic_name(t)), in->index};
}

/* Asks for the partitions in which the transaction begins. False: there are none. */
static bool ask_coordinator(struct produce *pr, const void *first)
{
    struct request *rq = pr->rq;
    const struct produce_request *in = rq->in;
    struct admit_call *a = arena_calloc(&rq->arena, 1, sizeof *a);
    size_t most = 1;
    for (int32_t i = 0; i < in->topic_data_count; i++)
        most += (size_t)MAX(in->topic_data[i].partition_data_count, 0);
    pr->admissions = arena_calloc(&rq->arena, most, sizeof *pr->admissions);
    a->produce = pr;
    a->in = (struct txn_admit){.producer_id = batch_producer_id(first),
                               .epoch = batch_producer_epoch(first),
                               .add = rq->version >= 12,
                               .parts = arena_alloc(&rq->arena, most * sizeof *a->in.parts)};
    a->numbers = arena_alloc(&rq->arena, most * sizeof *a->numbers);
    for (int32_t i = 0; i < in->topic_data_count; i++) {
        struct topic *t = topic_of(rq, &in->topic_data[i]);
        for (int32_t p = 0; p < in->topic_data[i].partition_data_count; p++, pr->next++)
            guard_one(a, t, &in->topic_data[i].partition_data[p], &pr->admissions[pr->next]);
        topic_unref(t);
    }
    pr->next = 0;
    if (a->in.count == 0)
        return false;
    a->codes = arena_calloc(&rq->arena, a->in.count, sizeof *a->codes);
    a->call = (struct txn_call){.version = rq->version,
                                .id = in->transactional_id,
                                .arena = &rq->arena,
                                .in = &a->in,
                                .out = a->codes,
                                .done = admit_done,
                                .arg = a};
    txn_submit(rq->broker->txns, &txn_op_admit, &a->call);
    return true;
}

void api_produce(struct request *rq)
{
    struct produce *pr = arena_alloc(&rq->arena, sizeof *pr);
    *pr = (struct produce){.rq = rq, .now_ms = clock_wall_ms(), .open = 1};
    const void *first = find_producer(pr);
    if (!first || pr->refused || !ask_coordinator(pr, first))
        append_all(pr);
}
