/* broker/proto/batch_validate.c - what a producer's batch must look like before it is appended.
 *
 * Cheap checks first, on the header alone; the checksum next; the records only when the topic is
 * compacted, when the caller asks, or to say which record's timestamp is wrong. The usual batch is
 * therefore judged without decompression. SPEC: broker 3.3
 *
 * Texts are the ones that Kafka's clients know. Owner thread: any; no state. */
#include "broker/proto/batch.h"

enum { RECORD_ERRORS_MAX = 1000, RECORD_ERRORS_SHOWN = 3 };
#define NO_TIMESTAMP (-1)

struct judge {
    const struct batch_rules *rules;
    struct arena *a;
    struct batch_verdict *v;
    int32_t total, room; /* record errors seen; slots in v->records */
};

static int16_t reject(struct judge *j, int16_t error, const char *text)
{
    j->v->error = error;
    j->v->message = slice_cstr(text);
    return error;
}

/* --- header ----------------------------------------------------------------------------------- */
static int16_t judge_shape(struct judge *j, struct slice b)
{
    if (b.n == 0)
        return reject(j, KERR_INVALID_RECORD, "a partition's data must hold one record batch");
    if (b.n > 16 && (batch_magic(b.p) == 0 || batch_magic(b.p) == 1))
        return reject(j, KERR_INVALID_RECORD,
                      "record batches must have magic 2 in this version of Produce");
    if (b.n < BATCH_HEADER_SIZE || batch_magic(b.p) != 2 ||
        batch_length(b.p) < BATCH_HEADER_SIZE - BATCH_LOG_OVERHEAD || batch_size(b.p) > b.n)
        return reject(j, KERR_CORRUPT_MESSAGE, NULL);
    size_t rest = b.n - batch_size(b.p);
    if (rest >= BATCH_HEADER_SIZE)
        return reject(j, KERR_INVALID_RECORD,
                      "a partition's data must hold one record batch, there are more");
    if (rest > 0)
        return reject(j, KERR_CORRUPT_MESSAGE, NULL);
    if ((int64_t)b.n > j->rules->max_bytes)
        return reject(j, KERR_MESSAGE_TOO_LARGE, NULL);
    if ((int64_t)b.n > j->rules->segment_bytes)
        return reject(j, KERR_RECORD_LIST_TOO_LARGE, NULL);
    if (batch_check(b) != E_OK)
        return reject(j, KERR_CORRUPT_MESSAGE, NULL);
    return KERR_NONE;
}

static int16_t judge_header(struct judge *j, struct slice b)
{
    int codec = batch_codec(b.p);
    if (codec > CODEC_ZSTD || (codec == CODEC_ZSTD && !j->rules->zstd_allowed))
        return reject(j, KERR_UNSUPPORTED_COMPRESSION_TYPE, NULL);
    if (batch_base_offset(b.p) != 0)
        return reject(j, KERR_INVALID_RECORD, "the base offset of a produced batch must be 0");
    if (batch_count(b.p) <= 0 || batch_last_offset_delta(b.p) != batch_count(b.p) - 1)
        return reject(j, KERR_INVALID_RECORD,
                      "the last offset delta of the batch does not match its number of records");
    if (batch_is_control(b.p))
        return reject(j, KERR_INVALID_RECORD, "clients may not write control records");
    if (batch_producer_id(b.p) >= 0 && batch_base_sequence(b.p) < 0)
        return reject(j, KERR_INVALID_RECORD,
                      "a batch with a producer id must have a sequence number");
    if (batch_is_transactional(b.p) && batch_producer_id(b.p) < 0)
        return reject(j, KERR_INVALID_RECORD, "a transactional batch must have a producer id");
    if (batch_attributes(b.p) & BATCH_LOG_APPEND_TIME)
        return reject(j, KERR_INVALID_TIMESTAMP,
                      "producers may not set the timestamp type to LogAppendTime");
    return KERR_NONE;
}

/* --- timestamps ------------------------------------------------------------------------------- */
static int64_t earliest(const struct batch_rules *r)
{
    int64_t t;
    return __builtin_sub_overflow(r->now_ms, r->before_max_ms, &t) ? INT64_MIN : t;
}

static int64_t latest(const struct batch_rules *r)
{
    int64_t t;
    return __builtin_add_overflow(r->now_ms, r->after_max_ms, &t) ? INT64_MAX : t;
}

static bool time_ok(const struct batch_rules *r, int64_t t)
{
    return r->log_append_time || t == NO_TIMESTAMP || (t >= earliest(r) && t <= latest(r));
}

/* --- records ---------------------------------------------------------------------------------- */
static void note(struct judge *j, int16_t error, int32_t index, const char *text)
{
    struct batch_verdict *v = j->v;
    /* A wrong time decides over other faults, as in Kafka. */
    if (v->error != KERR_INVALID_TIMESTAMP)
        v->error = error;
    j->total++;
    if (v->records_count == j->room && j->room < RECORD_ERRORS_MAX) {
        int32_t room = j->room ? j->room * 4 : 16;
        struct batch_record_error *more = arena_try_alloc(j->a, (size_t)room * sizeof *more);
        if (!more)
            return;
        if (v->records_count > 0)
            memcpy(more, v->records, (size_t)v->records_count * sizeof *more);
        v->records = more;
        j->room = room;
    }
    struct slice copy = v->records_count < j->room ? arena_dup(j->a, slice_cstr(text)) : SLICE_NULL;
    if (copy.p)
        v->records[v->records_count++] = (struct batch_record_error){index, copy};
}

static bool headers_ok(const struct batch_record *r)
{
    struct slice rest = r->headers, name, value;
    int32_t n = 0;
    while (n < r->headers_count && batch_header_next(&rest, &name, &value))
        n++;
    return n == r->headers_count && rest.n == 0;
}

static void judge_record(struct judge *j, const struct batch_record *r, int32_t index)
{
    const struct batch_rules *rules = j->rules;
    char text[500];
    if (rules->compacted && slice_is_null(r->key)) {
        snprintf(text, sizeof text,
                 "Compacted topic cannot accept message without key in topic partition " PRI_SL
                 "-%d",
                 ARG_SL(rules->topic), rules->partition);
        note(j, KERR_INVALID_RECORD, index, text);
    }
    if (!time_ok(rules, r->timestamp)) {
        snprintf(text, sizeof text,
                 "Timestamp %lld of message with offset %d is out of range. The timestamp should "
                 "be within [%lld, %lld]",
                 (long long)r->timestamp, r->offset_delta, (long long)earliest(rules),
                 (long long)latest(rules));
        note(j, KERR_INVALID_TIMESTAMP, index, text);
    }
}

static int16_t conclude(struct judge *j)
{
    struct batch_verdict *v = j->v;
    if (j->total == 0)
        return KERR_NONE;
    if (v->error == KERR_INVALID_TIMESTAMP)
        return reject(j, v->error,
                      "One or more records have been rejected due to invalid timestamp");
    struct strbuf b = STRBUF_INIT;
    strbuf_addf(&b,
                "One or more records have been rejected due to %d record errors in total, and only "
                "showing the first three errors at most: [",
                j->total);
    for (int32_t i = 0; i < MIN(v->records_count, RECORD_ERRORS_SHOWN); i++)
        strbuf_addf(&b, "%sRecordError(batchIndex=%d, message='" PRI_SL "')", i ? ", " : "",
                    v->records[i].index, ARG_SL(v->records[i].message));
    strbuf_addc(&b, ']');
    v->message = arena_dup(j->a, strbuf_slice(&b));
    strbuf_release(&b);
    return v->error;
}

static int16_t judge_records(struct judge *j, struct slice b)
{
    struct batch_iter it;
    struct batch_record r;
    int32_t index = 0;
    enum err err = batch_iter_init(&it, b, j->rules->max_plain);
    if (err == E_TOO_LARGE)
        return reject(j, KERR_MESSAGE_TOO_LARGE, NULL);
    if (err == E_NOMEM)
        return reject(j, KERR_UNKNOWN_SERVER_ERROR, NULL);
    if (err != E_OK)
        return reject(j, KERR_CORRUPT_MESSAGE, NULL);
    bool well_formed = true;
    for (; well_formed && batch_iter_next(&it, &r); index++) {
        well_formed = r.offset_delta == index && headers_ok(&r);
        if (well_formed)
            judge_record(j, &r, index);
    }
    well_formed = well_formed && it.err == E_OK && index == batch_count(b.p);
    batch_iter_release(&it);
    if (!well_formed) {
        j->v->records_count = 0;
        return reject(j, KERR_INVALID_RECORD, "a record of the batch is malformed");
    }
    return conclude(j);
}

int16_t batch_validate(struct slice bytes, const struct batch_rules *rules, struct arena *a,
                       struct batch_verdict *verdict)
{
    struct judge j = {rules, a, verdict, 0, 0};
    memset(verdict, 0, sizeof *verdict);
    if (judge_shape(&j, bytes) != KERR_NONE || judge_header(&j, bytes) != KERR_NONE)
        return verdict->error;
    bool times = time_ok(rules, batch_base_timestamp(bytes.p)) &&
                 time_ok(rules, batch_max_timestamp(bytes.p));
    if (rules->compacted || rules->deep || !times) {
        int16_t error = judge_records(&j, bytes);
        if (error != KERR_NONE)
            return error;
    }
    /* Only the header says so: retention must not be driven by it. */
    if (!times)
        return reject(&j, KERR_INVALID_TIMESTAMP,
                      "One or more records have been rejected due to invalid timestamp");
    return KERR_NONE;
}
