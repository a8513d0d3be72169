/* broker/api/fetch.c - Fetch: whole batches from the log to the socket, at once or when there are
 * some.
 *
 *   resolve partitions -> enough bytes? -- yes --> read ranges -> reply (sendfile)
 *            ^                 | no
 *            +--- woken ---- park: one wait on all partitions, one timer
 *
 * A parked fetch hangs on its partitions by a counted struct wait (see park.h). Records are file ranges which the connection sends; only versions below 4 (other formats) and
 * below 10 (zstd not allowed) look into batches. What a session remembers is in fetch_session.h; here
 * an incremental request differs from a full one in where its partitions come from and in which of
 * them the answer holds. SPEC: broker 6.1, 6.2. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/api/park.h"
#include "broker/fetch_session.h"
#include "broker/proto/batch.h"
#include "broker/proto/legacy.h"
#include "broker/security/access.h"
#include "broker/topic.h"
#include "broker/topic_stats.h"

struct fetch_part {
    const struct fetch_request_partition *in;
    struct fetch_response_partition *out; /* of all parts in one array, in their order */
    struct partition *p;                  /* NULL: out has an error */
    struct file_range range;
    bool zstd_refused;
};

struct fetch {
    struct request *rq;
    const struct fetch_want *wants; /* what each part asks for */
    struct fetch_part *parts;
    int32_t count;
    int32_t next_cut;   /* first part whose range was not handed to the connection yet */
    int32_t session_id; /* of an incremental fetch; 0: a full one */
    bool wants_session; /* a full one that shall begin a session */
    bool committed_only, any_error;
    uint32_t leaders; /* of partitions that another broker leads */
    size_t max_bytes, min_bytes;
    int64_t deadline_ms;
    struct park park;
};

/* --- resolving -------------------------------------------------------------------------------- */

static void part_error(struct fetch *f, struct fetch_part *part, int16_t code)
{
    part->out->error_code = code;
    part->out->high_watermark = -1;
    f->any_error = true;
    if (part->p)
        topic_stat_add(partition_topic(part->p), TOPIC_FAILED_FETCH, 1);
    partition_unref(part->p);
    part->p = NULL;
}

/* KERR_NONE when this broker may answer: it leads, or the client reads from followers (version 11)
 * and this is one. SPEC: broker 6.1 */
static int16_t may_read(const struct fetch *f, struct partition *p)
{
    struct placement place;
    int16_t code = api_check_leader(f->rq, p);
    if (LIKELY(code == KERR_NONE))
        return code;
    partition_placement(p, &place);
    return f->rq->version >= 11 && place.leader >= 0 && placement_in_sync(&place, f->rq->node_id)
               ? KERR_NONE
               : code;
}

/* In a lab: another broker leads it. Versions 12 and 16 tell who and where. */
static void not_leader(struct fetch *f, struct fetch_part *part, int16_t code)
{
    part->out->last_stable_offset = part->out->log_start_offset = -1;
    part->out->has_current_leader = true;
    f->leaders |= api_tell_leader(f->rq, part->p, &part->out->current_leader);
    part_error(f, part, code);
}

static void resolve_part(struct fetch *f, struct topic *t, int16_t unknown, struct fetch_part *part)
{
    part->out->partition_index = part->in->partition;
    part->out->preferred_read_replica = -1;
    part->out->aborted_transactions_count = f->committed_only ? 0 : -1;
    part->out->records = SL("");
    part->p = t ? topic_partition(t, part->in->partition) : NULL;
    if (!part->p) {
        part->out->aborted_transactions_count = 0;
        part_error(f, part, t ? KERR_UNKNOWN_TOPIC_OR_PARTITION : unknown);
        return;
    }
    int16_t refused = may_read(f, part->p);
    if (refused) {
        not_leader(f, part, refused);
        return;
    }
    int32_t want = part->in->current_leader_epoch, have = partition_leader_epoch(part->p);
    if (want >= 0 && want != have) {
        part_error(f, part, want < have ? KERR_FENCED_LEADER_EPOCH : KERR_UNKNOWN_LEADER_EPOCH);
        return;
    }
    struct partition_offsets o;
    int16_t code = partition_offsets(part->p, &o);
    if (!code && (part->in->fetch_offset < o.start || part->in->fetch_offset > o.end))
        code = KERR_OFFSET_OUT_OF_RANGE;
    if (code) {
        part->out->last_stable_offset = part->out->log_start_offset = -1;
        part_error(f, part, code);
    }
}

/* The partitions of a full request. */
static void list_wants(struct fetch *f)
{
    const struct fetch_request *in = f->rq->in;
    int32_t total = 0;
    for (int32_t i = 0; i < in->topics_count; i++)
        total += MAX(in->topics[i].partitions_count, 0);
    struct fetch_want *wants = arena_alloc(&f->rq->arena, ((size_t)total + 1) * sizeof *wants);
    for (int32_t i = 0; i < in->topics_count; i++) {
        const struct fetch_request_topic *t = &in->topics[i];
        for (int32_t p = 0; p < t->partitions_count; p++)
            wants[f->count++] = (struct fetch_want){t->topic, t->topic_id, &t->partitions[p]};
    }
    f->wants = wants;
}

static bool same_topic(const struct fetch *f, int32_t a, int32_t b)
{
    const struct fetch_want *x = &f->wants[a], *y = &f->wants[b];
    return f->rq->version >= 13 ? memcmp(&x->topic_id, &y->topic_id, sizeof x->topic_id) == 0
                                : slice_eq(x->topic, y->topic);
}

static void resolve(struct fetch *f)
{
    struct request *rq = f->rq;
    bool by_id = rq->version >= 13;
    int16_t none = KERR_NONE; /* why there is no topic */
    struct topic *t = NULL;
    struct fetch_response_partition *outs = fetch_response_partition_array(&rq->arena, f->count);
    f->parts = arena_calloc(&rq->arena, (size_t)f->count + 1, sizeof *f->parts);
    for (int32_t i = 0; i < f->count; i++) {
        struct fetch_part *part = &f->parts[i];
        if (i == 0 || !same_topic(f, i - 1, i)) {
            topic_unref(t);
            t = by_id ? topics_get_id(rq->broker->topics, &f->wants[i].topic_id)
                      : topics_get(rq->broker->topics, f->wants[i].topic);
            none = by_id ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION;
            if ((t || !by_id) &&
                !request_allowed(rq, ACL_READ, ACL_TOPIC, t ? topic_name(t) : f->wants[i].topic)) {
                topic_unref(t);
                t = NULL;
                none = KERR_TOPIC_AUTHORIZATION_FAILED;
            }
        }
        part->in = f->wants[i].in;
        part->out = &outs[i];
        resolve_part(f, t, none, part);
    }
    topic_unref(t);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void release_strbuf(void *arg)
{
    strbuf_release(arg);
}

static struct strbuf *scratch(struct request *rq)
{
    struct strbuf *b = arena_alloc(&rq->arena, sizeof *b);
    strbuf_init(b, 0);
    arena_on_release(&rq->arena, release_strbuf, b);
    return b;
}

/* Bytes in front of the first zstd batch, which clients below version 10 can't read. */
static size_t without_zstd(struct slice bytes)
{
    struct slice rest = bytes, batch;
    while (batch_split(&rest, &batch)) {
        if (batch_magic(batch.p) == 2 && batch_codec(batch.p) == CODEC_ZSTD)
            return (size_t)(batch.p - bytes.p);
    }
    return bytes.n;
}

static int16_t convert(struct fetch *f, struct fetch_part *part, struct slice bytes,
                       struct strbuf *out)
{
    struct slice batch;
    int magic = f->rq->version >= 2 ? 1 : 0;
    while (batch_split(&bytes, &batch)) {
        enum err r = legacy_from_batch(batch, magic, part->in->fetch_offset, 0, out);
        if (r == E_UNSUPPORTED)
            return out->n ? KERR_NONE : KERR_UNSUPPORTED_COMPRESSION_TYPE;
        if (r != E_OK)
            return r == E_NOMEM ? KERR_UNKNOWN_SERVER_ERROR : KERR_CORRUPT_MESSAGE;
    }
    return KERR_NONE;
}

/* Old versions get bytes in memory: converted, or checked for codecs that the client can't know. */
static void read_for_old_client(struct fetch *f, struct fetch_part *part)
{
    struct request *rq = f->rq;
    struct strbuf *bytes = scratch(rq);
    struct error e;
    int16_t code = KERR_NONE;
    enum err r = file_range_read(&part->range, bytes, &e);
    file_range_release(&part->range);
    part->range.n = 0;
    if (r != E_OK) {
        LOG_ERR(LOG_BROKER_LOG, LOG_L_ERROR, &e, "a fetch failed");
        part_error(f, part, KERR_KAFKA_STORAGE_ERROR);
        return;
    }
    struct slice result = strbuf_slice(bytes);
    if (rq->version < 4) {
        struct strbuf *old = scratch(rq);
        code = convert(f, part, result, old);
        result = strbuf_slice(old);
    } else {
        size_t n = without_zstd(result);
        if (n == 0 && result.n)
            code = KERR_UNSUPPORTED_COMPRESSION_TYPE;
        result.n = n;
    }
    if (code != KERR_NONE)
        part_error(f, part, code);
    else
        part->out->records = result.n ? result : SL("");
}

static void fill_aborted(struct fetch *f, struct fetch_part *part, const struct partition_read *r)
{
    if (!f->committed_only)
        return;
    struct fetch_response_partition *out = part->out;
    out->aborted_transactions_count = (int32_t)r->aborted_count;
    out->aborted_transactions =
        fetch_response_aborted_array(&f->rq->arena, out->aborted_transactions_count);
    for (size_t i = 0; i < r->aborted_count; i++) {
        out->aborted_transactions[i].producer_id = r->aborted[i].producer_id;
        out->aborted_transactions[i].first_offset = r->aborted[i].first_offset;
    }
}

/* Returns the bytes that went into the answer. */
static size_t read_part(struct fetch *f, struct fetch_part *part, size_t room, bool first)
{
    struct partition_read r;
    bool must = first && f->rq->version >= 3;
    size_t most = MIN((size_t)MAX(part->in->partition_max_bytes, 0), room);
    /* A partition that has no room left still reports its offsets. */
    int16_t code = partition_read(part->p, part->in->fetch_offset, most, must, f->committed_only,
                                  &f->rq->arena, &r);
    if (code != KERR_NONE) {
        part->out->last_stable_offset = part->out->log_start_offset = -1;
        part_error(f, part, code);
        return 0;
    }
    part->out->high_watermark = r.offsets.end;
    part->out->last_stable_offset = r.offsets.stable;
    part->out->log_start_offset = r.offsets.start;
    part->range = r.range;
    fill_aborted(f, part, &r);
    if (r.range.n && f->rq->version < 10)
        read_for_old_client(f, part);
    else if (r.range.n)
        part->out->records = codec_out_of_band(r.range.n);
    if (part->p) {
        struct topic *t = partition_topic(part->p);
        topic_stat_add(t, TOPIC_FETCH_REQUESTS, 1);
        topic_stat_add(t, TOPIC_BYTES_OUT, (int64_t)part->out->records.n);
        if (f->rq->version < 4 && part->out->records.n)
            topic_stat_add(t, TOPIC_FETCH_CONVERSIONS, 1);
    }
    return part->out->records.n;
}

static void release_ranges(void *arg)
{
    struct fetch *f = arg;
    for (int32_t i = 0; i < f->count; i++) {
        if (f->parts[i].range.n)
            file_range_release(&f->parts[i].range);
        partition_unref(f->parts[i].p);
        f->parts[i].p = NULL;
    }
}

static void sent_range(void *owner)
{
    file_range_release(owner);
    mem_free(owner);
}

static void send_cut(struct request *rq, const struct codec_cut *cut)
{
    struct fetch *f = rq->state;
    while (f->parts[f->next_cut].range.n == 0)
        f->next_cut++;
    struct fetch_part *part = &f->parts[f->next_cut++];
    invariant(cut->length == part->range.n);
    struct file_range *range = xmalloc(sizeof *range);
    *range = part->range;
    part->range.n = 0; /* the connection releases it */
    conn_send_file(rq->conn, range->fd, range->pos, range->n, sent_range, range);
}

static void unhang(struct fetch *f)
{
    if (!f->park.wait)
        return;
    park_give_up(&f->park);
    for (int32_t i = 0; i < f->count; i++) {
        if (f->parts[i].p)
            partition_unwait(f->parts[i].p, f->park.wait);
    }
    park_unhung(&f->park);
}

static void end_parking(struct fetch *f)
{
    unhang(f);
    if (park_is_on(&f->park))
        atomic_fetch_sub_explicit(&f->rq->broker->fetches_waiting, 1, memory_order_relaxed);
    park_end(&f->park);
}

/* Groups what the answer holds by topic; its rows move to the front. `tell` NULL: all parts. */
static void fill_topics(struct fetch *f, const bool *tell)
{
    struct fetch_response *out = f->rq->out;
    struct fetch_response_partition *rows = f->parts[0].out;
    int32_t last = -1, k = 0;
    out->responses = fetch_response_topic_array(&f->rq->arena, f->count);
    for (int32_t i = 0; i < f->count; i++) {
        if (tell && !tell[i])
            continue;
        if (last < 0 || !same_topic(f, last, i)) {
            struct fetch_response_topic *to = &out->responses[out->responses_count++];
            to->topic = f->wants[i].topic;
            to->topic_id = f->wants[i].topic_id;
            to->partitions = &rows[k];
        }
        out->responses[out->responses_count - 1].partitions_count++;
        rows[k++] = *f->parts[i].out;
        last = i;
    }
}

/* What the session makes of the answer. */
static void fill_answer(struct fetch *f)
{
    struct request *rq = f->rq;
    struct fetch_response *out = rq->out;
    struct fetch_sessions *sessions = &rq->bl->fetch_sessions;
    bool by_id = rq->version >= 13;
    bool *tell = NULL;
    if (f->session_id) {
        tell = arena_alloc(&rq->arena, (size_t)f->count + 1);
        for (int32_t i = 0; i < f->count; i++)
            tell[i] =
                fetch_session_settle(sessions, f->session_id, &f->wants[i], by_id, f->parts[i].out);
        out->session_id = f->session_id;
    } else if (f->wants_session) {
        out->session_id = fetch_session_create(sessions, f->wants, f->parts[0].out, f->count, by_id,
                                               clock_mono_ms());
    }
    fill_topics(f, tell);
}

static void answer(struct fetch *f)
{
    struct request *rq = f->rq;
    size_t used = 0;
    end_parking(f);
    rq->on_gone = NULL;
    rq->cuts_max = (size_t)f->count;
    rq->send_cut = send_cut;
    for (int32_t i = 0; i < f->count; i++) {
        struct fetch_part *part = &f->parts[i];
        int16_t refused = part->p ? may_read(f, part->p) : KERR_NONE;
        if (refused) /* since it was parked */
            not_leader(f, part, refused);
        if (part->p)
            used += read_part(f, part, used < f->max_bytes ? f->max_bytes - used : 0, used == 0);
    }
    fill_answer(f);
    struct fetch_response *out = rq->out;
    if (f->leaders)
        api_tell_endpoints(rq, f->leaders, &out->node_endpoints, &out->node_endpoints_count);
    request_reply(rq);
}

/* --- parking ---------------------------------------------------------------------------------- */

/* Whether to answer now: the bytes are there, or a partition has an error to tell. What keeps
 * partition_wait from hanging must be seen here, or the two would go round for ever. */
static bool enough(struct fetch *f)
{
    size_t have = 0;
    if (f->any_error || f->count == 0)
        return true;
    for (int32_t i = 0; i < f->count; i++) {
        const struct fetch_part *part = &f->parts[i];
        struct partition_offsets o;
        if (may_read(f, part->p) || partition_offsets(part->p, &o) != KERR_NONE ||
            part->in->fetch_offset < o.start)
            return true; /* the read tells which */
        size_t cap = (size_t)MAX(part->in->partition_max_bytes, 0);
        size_t some = partition_available(part->p, part->in->fetch_offset, f->committed_only,
                                          MIN(f->min_bytes - have, MAX(cap, 1)));
        have += MIN(some, MAX(cap, 1));
        if (have >= f->min_bytes)
            return true;
    }
    return false;
}

/* Hangs on every partition. True when one of them has moved meanwhile. */
static bool hang(struct fetch *f)
{
    struct wait *w = park_hang(&f->park);
    for (int32_t i = 0; i < f->count; i++) {
        struct fetch_part *part = &f->parts[i];
        struct partition_offsets o;
        if (partition_offsets(part->p, &o) != KERR_NONE)
            return true;
        int64_t seen = MAX(part->in->fetch_offset, f->committed_only ? o.stable : o.end);
        if (partition_wait(part->p, seen, f->committed_only, w))
            return true;
    }
    return false;
}

static void on_deadline(void *arg)
{
    answer(arg);
}

static void on_gone(struct request *rq)
{
    end_parking(rq->state);
    request_drop(rq);
}

/* Answers, or hangs on the partitions. What arrives before the waits are hung is seen by the second
 * look, what arrives after by the waits. */
static void go_on(void *arg)
{
    struct fetch *f = arg;
    for (;;) {
        unhang(f);
        if (enough(f) || clock_mono_ms() >= f->deadline_ms) {
            answer(f);
            return;
        }
        if (!park_is_on(&f->park)) {
            f->rq->on_gone = on_gone;
            park_begin(&f->park, f->rq->bl->loop, go_on, on_deadline, f);
            atomic_fetch_add_explicit(&f->rq->broker->fetches_waiting, 1, memory_order_relaxed);
            park_until(&f->park, f->deadline_ms);
        }
        if (!hang(f)) {
            if (enough(f))
                answer(f);
            return;
        }
    }
}

/* --- sessions --------------------------------------------------------------------------------- */

/* Finds out which partitions are asked for. False: the request was refused and is answered. */
static bool begin(struct fetch *f)
{
    struct request *rq = f->rq;
    const struct fetch_request *in = rq->in;
    struct fetch_sessions *sessions = &rq->bl->fetch_sessions;
    bool full = in->session_epoch == FETCH_SESSION_EPOCH_INITIAL ||
                in->session_epoch == FETCH_SESSION_EPOCH_NONE;
    if (full) {
        fetch_session_close(sessions, in->session_id);
        f->wants_session = in->session_epoch == FETCH_SESSION_EPOCH_INITIAL;
        list_wants(f);
        return true;
    }
    struct fetch_want *wants = NULL;
    bool ended;
    int16_t code = fetch_session_continue(sessions, in, rq->version >= 13, clock_mono_ms(),
                                          &rq->arena, &wants, &f->count, &ended);
    f->wants = wants;
    if (code == KERR_NONE) {
        f->session_id = ended ? 0 : in->session_id;
        return true;
    }
    ((struct fetch_response *)rq->out)->error_code = code;
    request_reply(rq);
    return false;
}

void api_fetch(struct request *rq)
{
    const struct fetch_request *in = rq->in;
    struct fetch *f = arena_calloc(&rq->arena, 1, sizeof *f);
    f->rq = rq;
    if (!begin(f))
        return;
    rq->state = f;
    f->committed_only = in->isolation_level == 1;
    f->max_bytes = rq->version >= 3
                       ? (size_t)MAX(MIN(in->max_bytes, rq->broker->o->fetch_max_bytes), 0)
                       : SIZE_MAX;
    f->min_bytes = (size_t)MAX(in->min_bytes, 0);
    f->deadline_ms = clock_mono_ms() + MAX(in->max_wait_ms, 0);
    resolve(f);
    arena_on_release(&rq->arena, release_ranges, f);
    go_on(f);
}
