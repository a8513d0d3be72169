/* broker/api/share_fetch.c - ShareFetch: members of share groups acquire records, and say what became of
 * earlier ones (KIP-932).
 *
 *   session -> acknowledge (locks, rows to SQLite) -> first fetch of a partition: find its start
 *           -> all stored? -> acquire: read a range, walk its batch headers, take what is free
 *           -> something or time is up: answer (sendfile); else park on partitions and states
 *
 * Batches leave as file ranges, as in fetch.c; only their headers are read. Records that nobody is
 * to see (markers, and aborted ones for read_committed) and offsets that the log does not have are
 * given up here, so that clients do not need to say so. Owner: the connection's loop; the states
 * have their locks. SPEC: broker 8.5. */
#include "broker/api/api.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/api/park.h"
#include "broker/api/share_acknowledge.h"
#include "broker/group/group_config.h"
#include "broker/proto/batch.h"
#include "broker/topic.h"
#include "broker/topic_stats.h"

#define BATCHES_A_LOOK 2000  /* headers that are read for one partition */
#define ACQUIRED_MAX 2000    /* runs of one partition in an answer */
#define RANGE_MAX (16 << 20) /* bytes of one partition that are looked at */

struct share_part {
    struct share_key key;
    struct share_state *st; /* NULL: out has an error, or only an acknowledgement was answered */
    struct partition *p;
    struct file_range range;
    struct share_fetch_response_partition *out;
    bool fetch;        /* of the session: records are wanted */
    bool acknowledged; /* the answer must hold it */
    bool needs_start;
    uint64_t seen;    /* changes of the state when we looked */
    int64_t seen_end; /* up to here we have seen the log */
    bool had_room;
};
struct share_fetch {
    struct request *rq;
    struct slice group, member;
    struct share_part *parts;
    int32_t count;
    int32_t next_cut;
    int open; /* jobs that have not come home, + 1 while more may follow */
    bool committed_only;
    int64_t lock_ms, deadline_ms, max_records;
    size_t max_bytes;
    struct park park;
};

/* --- parts ------------------------------------------------------------------------------------ */

static struct share_part *part_of(struct share_fetch *f, const struct share_key *key)
{
    for (int32_t i = 0; i < f->count; i++) {
        if (f->parts[i].key.partition == key->partition &&
            memcmp(&f->parts[i].key.topic_id, &key->topic_id, sizeof key->topic_id) == 0)
            return &f->parts[i];
    }
    f->parts[f->count].key = *key;
    return &f->parts[f->count++];
}

static void part_close(struct share_part *part)
{
    partition_unref(part->p);
    share_state_unref(part->st);
    part->p = NULL;
    part->st = NULL;
}

static void part_error(struct share_part *part, int16_t code)
{
    part->out->error_code = code;
    part_close(part);
}

static void open_parts(struct share_fetch *f)
{
    struct share_fetch_response_partition *outs =
        share_fetch_response_partition_array(&f->rq->arena, f->count);
    for (int32_t i = 0; i < f->count; i++) {
        struct share_part *part = &f->parts[i];
        part->out = &outs[i];
        part->out->partition_index = part->key.partition;
        part->out->records = SL("");
        int16_t code = share_open_partition(f->rq, &part->key, &part->p);
        if (code != KERR_NONE) {
            part_error(part, code);
            continue;
        }
        part->st = share_state_get(f->rq->broker->shares, f->group, &part->key, true);
        share_state_lock(part->st, clock_mono_ms());
        part->needs_start = !part->st->known;
        share_state_unlock(part->st, false);
    }
}

static void release_parts(void *arg)
{
    struct share_fetch *f = arg;
    for (int32_t i = 0; i < f->count; i++) {
        if (f->parts[i].range.n)
            file_range_release(&f->parts[i].range);
        part_close(&f->parts[i]);
    }
}

/* --- acknowledging ---------------------------------------------------------------------------- */

static void go_on(void *arg);

static void job_home(void *arg, enum err code)
{
    struct share_fetch *f = arg;
    if (code != E_OK) { /* what was not stored was not acknowledged */
        for (int32_t i = 0; i < f->count; i++) {
            if (f->parts[i].acknowledged && f->parts[i].out->acknowledge_error_code == KERR_NONE)
                f->parts[i].out->acknowledge_error_code = KERR_UNKNOWN_SERVER_ERROR;
        }
    }
    if (--f->open == 0)
        go_on(f);
}

static void acknowledge_all(struct share_fetch *f)
{
    const struct share_fetch_request *in = f->rq->in;
    for (int32_t t = 0; t < in->topics_count; t++) {
        for (int32_t i = 0; i < in->topics[t].partitions_count; i++) {
            const struct share_fetch_request_partition *from = &in->topics[t].partitions[i];
            int32_t n = MAX(from->acknowledgement_batches_count, 0);
            if (n == 0)
                continue;
            struct share_part *part =
                part_of(f, &(struct share_key){in->topics[t].topic_id, from->partition_index});
            struct ack_batch *v = arena_calloc(&f->rq->arena, (size_t)n, sizeof *v);
            for (int32_t k = 0; k < n; k++)
                v[k] = (struct ack_batch){from->acknowledgement_batches[k].first_offset,
                                          from->acknowledgement_batches[k].last_offset,
                                          from->acknowledgement_batches[k].acknowledge_types,
                                          from->acknowledgement_batches[k].acknowledge_types_count};
            part->acknowledged = true;
            if (part->st)
                part->out->acknowledge_error_code =
                    share_take_acks(f->rq->broker->shares, part->st, f->member, v, n,
                                    f->rq->bl->loop, job_home, f, &f->open);
            else
                part->out->acknowledge_error_code = part->out->error_code;
        }
    }
}

/* --- where a group begins --------------------------------------------------------------------- */

static int16_t find_start(struct share_fetch *f, struct share_part *part, int64_t *start)
{
    struct partition_offsets o;
    struct partition_time found;
    int64_t from =
        group_config_share_start(&f->rq->broker->group_configs, f->group, clock_wall_ms());
    int16_t code = partition_offsets(part->p, &o);
    *start = from == -2 ? o.start : o.end;
    if (code == KERR_NONE && from >= 0) {
        code = partition_find_time(part->p, from, f->committed_only, &found);
        *start = found.offset >= 0 ? found.offset : o.end;
    }
    return code;
}

static void begin_part(struct share_fetch *f, struct share_part *part)
{
    struct share_state *st = part->st;
    int64_t start;
    struct error e;
    int16_t code = find_start(f, part, &start);
    if (code != KERR_NONE) {
        part->out->error_code = code;
        return;
    }
    pthread_mutex_lock(&st->lock);
    bool first = !st->known; /* another member may have been quicker */
    if (first) {
        share_partition_reset(&st->p, start);
        st->known = true;
    }
    pthread_mutex_unlock(&st->lock);
    if (first && share_store_now(f->rq->broker->shares, st, &e) != E_OK)
        LOG_ERR(LOG_BROKER_GROUP, LOG_L_ERROR, &e, "the start of a share group was not stored");
}

static void begin_parts(void *arg) /* on the pool */
{
    struct share_fetch *f = arg;
    for (int32_t i = 0; i < f->count; i++) {
        if (f->parts[i].needs_start && f->parts[i].st && f->parts[i].fetch)
            begin_part(f, &f->parts[i]);
    }
}

static void parts_begun(void *arg)
{
    job_home(arg, E_OK);
}

/* --- acquiring -------------------------------------------------------------------------------- */

struct batch_at {
    int64_t base, last;
    size_t pos, n;
    bool hidden; /* nobody is to see it */
};

static bool is_aborted(const struct partition_read *r, const void *batch)
{
    for (size_t i = 0; batch_is_transactional(batch) && i < r->aborted_count; i++) {
        if (r->aborted[i].producer_id == batch_producer_id(batch) &&
            batch_base_offset(batch) >= r->aborted[i].first_offset &&
            batch_last_offset(batch) <= r->aborted[i].last_offset)
            return true;
    }
    return false;
}

/* Headers of the batches in the range, as far as they are worth looking at. */
static enum err look(struct share_fetch *f, const struct partition_read *r, struct batch_at **out,
                     size_t *count, struct error *e)
{
    char head[BATCH_HEADER_SIZE];
    int64_t records = 0;
    size_t cap = 64;
    *out = arena_alloc(&f->rq->arena, cap * sizeof **out);
    *count = 0;
    for (size_t at = 0;
         at + sizeof head <= r->range.n && *count < BATCHES_A_LOOK && records < f->max_records;) {
        enum err err = file_range_peek(&r->range, at, head, sizeof head, e);
        if (err != E_OK)
            return err;
        size_t n = batch_size(head);
        if (n < sizeof head || at + n > r->range.n)
            break;
        if (*count == cap) {
            struct batch_at *more = arena_alloc(&f->rq->arena, 2 * cap * sizeof *more);
            memcpy(more, *out, cap * sizeof *more);
            *out = more;
            cap *= 2;
        }
        struct batch_at *b = &(*out)[(*count)++];
        *b = (struct batch_at){batch_base_offset(head), batch_last_offset(head), at, n,
                               batch_is_control(head) || is_aborted(r, head)};
        if (!b->hidden)
            records += b->last - b->base + 1;
        at += n;
    }
    return E_OK;
}

/* Takes what is free in the batches seen. False: nothing changed. */
static bool take(struct share_fetch *f, struct share_part *part, int64_t from,
                 const struct batch_at *v, size_t n, size_t *first, size_t *end)
{
    size_t most = (size_t)MIN(f->max_records, ACQUIRED_MAX), runs = 0;
    struct share_acquired *got = arena_alloc(&f->rq->arena, most * sizeof *got);
    struct share_fetch_response_partition *out = part->out;
    bool changed = false;
    *first = *end = 0;
    for (size_t i = 0; i < n && f->max_records > 0 && runs < most; i++) {
        struct share_partition *p = &part->st->p;
        if (v[i].base > from && from >= p->start) {
            share_give_up(p, from, v[i].base - 1); /* not in the log */
            changed = true;
        }
        from = v[i].last + 1;
        if (v[i].hidden) {
            share_give_up(p, v[i].base, v[i].last);
            changed = true;
            continue;
        }
        size_t k = share_acquire(p, f->member, v[i].base, v[i].last, f->max_records,
                                 clock_mono_ms() + f->lock_ms, &got[runs], most - runs);
        for (size_t j = runs; j < runs + k; j++)
            f->max_records -= got[j].last - got[j].first + 1;
        if (k && *end == 0)
            *first = v[i].pos;
        if (k)
            *end = v[i].pos + v[i].n;
        runs += k;
    }
    out->acquired_records = share_fetch_response_acquired_array(&f->rq->arena, (int32_t)runs);
    out->acquired_records_count = (int32_t)runs;
    for (size_t i = 0; i < runs; i++) {
        out->acquired_records[i].first_offset = got[i].first;
        out->acquired_records[i].last_offset = got[i].last;
        out->acquired_records[i].delivery_count = got[i].deliveries;
    }
    return changed || runs;
}

static size_t acquire(struct share_fetch *f, struct share_part *part, size_t room)
{
    struct partition_read r;
    struct partition_offsets o;
    struct batch_at *v;
    size_t n, first, end;
    struct error e;
    int16_t code = partition_offsets(part->p, &o);
    if (code != KERR_NONE) {
        part_error(part, code);
        return 0;
    }
    share_state_lock(part->st, clock_mono_ms());
    share_log_start(&part->st->p, o.start);
    int64_t next = share_next(&part->st->p);
    part->had_room = share_has_room(&part->st->p) && !part->st->gone && part->st->known;
    part->seen = part->st->changes;
    part->seen_end = MAX(next, f->committed_only ? o.stable : o.end);
    share_state_unlock(part->st, false);
    if (!part->had_room || next >= o.end || f->max_records <= 0)
        return 0;
    code = partition_read(part->p, next, MIN(room, (size_t)RANGE_MAX), true, f->committed_only,
                          &f->rq->arena, &r);
    if (code == KERR_OFFSET_OUT_OF_RANGE) /* it moved just now: the next look */
        return 0;
    if (code != KERR_NONE) {
        part_error(part, code);
        return 0;
    }
    if (r.range.n == 0)
        return 0;
    if (look(f, &r, &v, &n, &e) != E_OK) {
        LOG_ERR(LOG_BROKER_LOG, LOG_L_ERROR, &e, "a share fetch failed");
        file_range_release(&r.range);
        part_error(part, KERR_KAFKA_STORAGE_ERROR);
        return 0;
    }
    share_state_lock(part->st, clock_mono_ms());
    bool changed = take(f, part, next, v, n, &first, &end);
    share_state_unlock(part->st, changed && end == 0); /* what was hidden made room */
    if (end == 0) {
        file_range_release(&r.range);
        return 0;
    }
    part->range = r.range;
    part->range.pos += (int64_t)first;
    part->range.n = end - first;
    part->out->records = codec_out_of_band(part->range.n);
    topic_stat_add(partition_topic(part->p), TOPIC_FETCH_REQUESTS, 1);
    topic_stat_add(partition_topic(part->p), TOPIC_BYTES_OUT, (int64_t)part->range.n);
    return part->range.n;
}

/* True: there is something to tell. */
static bool acquire_all(struct share_fetch *f)
{
    size_t used = 0;
    bool some = false;
    for (int32_t i = 0; i < f->count; i++) {
        struct share_part *part = &f->parts[i];
        if (part->fetch && part->st && used < f->max_bytes)
            used += acquire(f, part, f->max_bytes - used);
        some |= part->out->error_code != KERR_NONE || part->acknowledged;
    }
    return some || used;
}

/* --- answering -------------------------------------------------------------------------------- */

static void sent_range(void *owner)
{
    file_range_release(owner);
    mem_free(owner);
}

static void send_cut(struct request *rq, const struct codec_cut *cut)
{
    struct share_fetch *f = rq->state;
    while (f->parts[f->next_cut].range.n == 0)
        f->next_cut++;
    struct share_part *part = &f->parts[f->next_cut++];
    invariant(cut->length == part->range.n);
    struct file_range *range = xmalloc(sizeof *range);
    *range = part->range;
    part->range.n = 0; /* the connection releases it */
    conn_send_file(rq->conn, range->fd, range->pos, range->n, sent_range, range);
}

static void unhang(struct share_fetch *f)
{
    if (!f->park.wait)
        return;
    park_give_up(&f->park);
    for (int32_t i = 0; i < f->count; i++) {
        struct share_part *part = &f->parts[i];
        if (!part->st)
            continue;
        pthread_mutex_lock(&part->st->lock);
        wait_list_remove(&part->st->waits, f->park.wait);
        pthread_mutex_unlock(&part->st->lock);
        partition_unwait(part->p, f->park.wait);
    }
    park_unhung(&f->park);
}

static void answer(struct share_fetch *f)
{
    struct request *rq = f->rq;
    struct share_fetch_response *out = rq->out;
    unhang(f);
    park_end(&f->park);
    rq->on_gone = NULL;
    rq->cuts_max = (size_t)f->count;
    rq->send_cut = send_cut;
    out->acquisition_lock_timeout_ms = (int32_t)f->lock_ms;
    out->responses = share_fetch_response_topic_array(&rq->arena, f->count);
    struct share_fetch_response_partition *rows = f->count ? f->parts[0].out : NULL;
    int32_t k = 0;
    const struct share_key *last = NULL;
    for (int32_t i = 0; i < f->count; i++) {
        const struct share_part *part = &f->parts[i];
        if (!part->range.n && part->out->error_code == KERR_NONE && !part->acknowledged)
            continue;
        if (!last || memcmp(&last->topic_id, &part->key.topic_id, sizeof last->topic_id) != 0) {
            out->responses[out->responses_count].topic_id = part->key.topic_id;
            out->responses[out->responses_count++].partitions = &rows[k];
        }
        out->responses[out->responses_count - 1].partitions_count++;
        rows[k++] = *part->out;
        last = &part->key;
    }
    request_reply(rq);
}

/* --- waiting ---------------------------------------------------------------------------------- */

/* Hangs on every partition and state. True when one of them has moved meanwhile. */
static bool hang(struct share_fetch *f)
{
    struct wait *w = park_hang(&f->park);
    int64_t at = f->deadline_ms;
    for (int32_t i = 0; i < f->count; i++) {
        struct share_part *part = &f->parts[i];
        if (!part->fetch || !part->st)
            continue;
        pthread_mutex_lock(&part->st->lock);
        bool moved = part->st->changes != part->seen;
        at = MIN(at, share_next_deadline(&part->st->p));
        if (!moved)
            wait_list_add(&part->st->waits, w);
        pthread_mutex_unlock(&part->st->lock);
        if (moved ||
            (part->had_room && partition_wait(part->p, part->seen_end, f->committed_only, w)))
            return true;
    }
    park_until(&f->park, at);
    return false;
}

static void on_gone(struct request *rq)
{
    struct share_fetch *f = rq->state;
    unhang(f);
    park_end(&f->park);
    request_drop(rq);
}

static void go_on(void *arg)
{
    struct share_fetch *f = arg;
    for (;;) {
        unhang(f);
        if (!f->rq->conn) { /* nobody is there to get records */
            answer(f);
            return;
        }
        if (acquire_all(f) || f->count == 0 || clock_mono_ms() >= f->deadline_ms) {
            answer(f);
            return;
        }
        if (!park_is_on(&f->park)) {
            f->rq->on_gone = on_gone;
            park_begin(&f->park, f->rq->bl->loop, go_on, go_on, f);
        }
        if (!hang(f))
            return;
    }
}

/* --- ShareFetch ------------------------------------------------------------------------------- */

static void refuse(struct request *rq, int16_t code, const char *text)
{
    struct share_fetch_response *out = rq->out;
    out->error_code = code;
    out->error_message = slice_cstr(text);
    request_reply(rq);
}

struct key_list {
    struct share_key *v;
    size_t n;
};

/* False: more than anybody needs. */
static bool list_keys(const struct share_fetch_request *in, struct arena *a, struct key_list *add,
                      struct key_list *forget, bool *acks)
{
    size_t n = 0, m = 0;
    *acks = false;
    for (int32_t t = 0; t < in->topics_count; t++)
        n += (size_t)MAX(in->topics[t].partitions_count, 0);
    for (int32_t t = 0; t < in->forgotten_topics_data_count; t++)
        m += (size_t)MAX(in->forgotten_topics_data[t].partitions_count, 0);
    if (n > SHARE_PARTS_MAX || m > SHARE_PARTS_MAX)
        return false;
    add->v = arena_calloc(a, n + 1, sizeof *add->v);
    forget->v = arena_calloc(a, m + 1, sizeof *forget->v);
    for (int32_t t = 0; t < in->topics_count; t++) {
        for (int32_t i = 0; i < in->topics[t].partitions_count; i++) {
            const struct share_fetch_request_partition *p = &in->topics[t].partitions[i];
            add->v[add->n++] = (struct share_key){in->topics[t].topic_id, p->partition_index};
            *acks |= p->acknowledgement_batches_count > 0;
        }
    }
    for (int32_t t = 0; t < in->forgotten_topics_data_count; t++) {
        for (int32_t i = 0; i < in->forgotten_topics_data[t].partitions_count; i++)
            forget->v[forget->n++] = (struct share_key){in->forgotten_topics_data[t].topic_id,
                                                        in->forgotten_topics_data[t].partitions[i]};
    }
    return true;
}

void api_share_fetch(struct request *rq)
{
    const struct share_fetch_request *in = rq->in;
    struct key_list add = {NULL, 0}, forget = {NULL, 0};
    struct share_key *keys;
    size_t count;
    bool acks, needs_start = false;
    if (share_ids_are_bad(in->group_id, in->member_id)) {
        refuse(rq, KERR_INVALID_REQUEST, "A share fetch needs a group id and a member id.");
        return;
    }
    if (!list_keys(in, &rq->arena, &add, &forget, &acks)) {
        refuse(rq, KERR_INVALID_REQUEST, "Too many partitions for one share fetch.");
        return;
    }
    if (acks && in->share_session_epoch == SHARE_EPOCH_INITIAL) {
        refuse(rq, KERR_INVALID_REQUEST, "The first share fetch can not acknowledge records.");
        return;
    }
    int16_t code = share_session_fetch(rq->broker->shares, request_node_id(rq), in->group_id,
                                       in->member_id, in->share_session_epoch, add.v, add.n,
                                       forget.v, forget.n, &rq->arena, &keys, &count);
    if (code != KERR_NONE) {
        refuse(rq, code, NULL);
        return;
    }
    struct share_fetch *f = arena_calloc(&rq->arena, 1, sizeof *f);
    f->rq = rq;
    rq->state = f;
    f->group = in->group_id;
    f->member = in->member_id;
    f->lock_ms = group_config_int(&rq->broker->group_configs, f->group, GROUP_SHARE_LOCK_MS);
    f->committed_only = group_config_share_committed(&rq->broker->group_configs, f->group);
    f->max_bytes = (size_t)MAX(MIN(in->max_bytes, rq->broker->o->fetch_max_bytes), 0);
    f->max_records = in->max_records > 0 ? in->max_records : INT32_MAX;
    f->deadline_ms = clock_mono_ms() + MAX(in->max_wait_ms, 0);
    f->parts = arena_calloc(&rq->arena, count + add.n + 1, sizeof *f->parts);
    for (size_t i = 0; i < count; i++)
        part_of(f, &keys[i])->fetch = true;
    for (size_t i = 0; i < add.n; i++)
        (void)part_of(f, &add.v[i]);
    open_parts(f);
    arena_on_release(&rq->arena, release_parts, f);
    f->open = 1;
    acknowledge_all(f);
    if (in->share_session_epoch == SHARE_EPOCH_FINAL)
        share_release(rq->broker->shares, f->group, f->member);
    for (int32_t i = 0; i < f->count; i++)
        needs_start |= f->parts[i].needs_start && f->parts[i].fetch;
    if (needs_start) {
        f->open++;
        pool_submit(rq->broker->pool, NULL, begin_parts, rq->bl->loop, parts_begun, f);
    }
    job_home(f, E_OK);
}
