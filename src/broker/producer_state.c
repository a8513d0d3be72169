/* broker/producer_state.c - see producer_state.h.
 *
 * Snapshot file, all integers big endian (Kafka's format, version 1):
 *   i16 version | u32 crc32c of all that follows | i32 count | count x
 *   { i64 producer id, i16 epoch, i32 last sequence, i64 last offset, i32 offset delta,
 *     i64 timestamp, i32 coordinator epoch, i64 first offset of the open transaction or -1 }
 * That keeps the newest batch of each producer only. The older ones stand in a section of weir's
 * own behind it, which Kafka's readers do not look at (the checksum covers it):
 *   i32 "weir" | i32 count | count x
 *   { i64 producer id, u8 n, n x { i32 first sequence, i32 last sequence, i64 first offset,
 *     i64 last offset, i64 timestamp } }           oldest first, without the newest */
#include "broker/producer_state.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "base/mem.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"

#define SNAPSHOT_VERSION 1
#define SNAPSHOT_ENTRY 46
#define OLDER_MAGIC 0x77656972 /* "weir" */

void producer_state_init(struct producer_state *s)
{
    map_init(&s->by_id);
    list_init(&s->open);
    s->guards = 0;
}

void producer_state_release(struct producer_state *s)
{
    map_release(&s->by_id, mem_free);
}

void producer_state_clear(struct producer_state *s)
{
    producer_state_release(s);
    producer_state_init(s);
}

const struct producer *producer_state_get(const struct producer_state *s, int64_t id)
{
    const struct producer *p = map_get_u64(&s->by_id, (uint64_t)id);
    return p && producer_is_known(p) ? p : NULL;
}

static int32_t next_sequence(int32_t sequence)
{
    return sequence == INT32_MAX ? 0 : sequence + 1;
}

/* A transaction is open under one epoch, and takes only batches of that transaction. */
static int16_t check_txn(const struct producer *p, const void *batch, uint64_t guard)
{
    bool open = p && p->txn_first_offset >= 0;
    bool transactional = batch_is_transactional(batch);
    if (open)
        return transactional && batch_producer_epoch(batch) == p->epoch ? KERR_NONE
                                                                        : KERR_INVALID_TXN_STATE;
    if (!transactional || (p && guard && p->guard == guard))
        return KERR_NONE;
    return KERR_INVALID_TXN_STATE;
}

int16_t producer_state_check(const struct producer_state *s, const void *batch, uint64_t guard,
                             const struct producer_batch **duplicate)
{
    *duplicate = NULL;
    int64_t id = batch_producer_id(batch);
    if (id < 0 || batch_is_control(batch))
        return KERR_NONE;
    const struct producer *p = map_get_u64(&s->by_id, (uint64_t)id);
    if (!p || !producer_is_known(p)) /* the state may have expired: any sequence is a good start */
        return check_txn(p, batch, guard);
    int16_t epoch = batch_producer_epoch(batch);
    int32_t first = batch_base_sequence(batch), last = batch_last_sequence(batch);
    if (epoch < p->epoch)
        return KERR_INVALID_PRODUCER_EPOCH;
    if (epoch > p->epoch)
        return first == 0 ? check_txn(p, batch, guard) : KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    for (unsigned i = 0; i < p->count; i++)
        if (p->batches[i].first_sequence == first && p->batches[i].last_sequence == last) {
            *duplicate = &p->batches[i];
            return KERR_NONE;
        }
    if (!producer_state_follows(s, batch))
        return KERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    return check_txn(p, batch, guard);
}

bool producer_state_follows(const struct producer_state *s, const void *batch)
{
    int64_t id = batch_producer_id(batch);
    const struct producer *p = id >= 0 ? producer_state_get(s, id) : NULL;
    int32_t first = batch_base_sequence(batch);
    if (!p)
        return true;
    if (batch_producer_epoch(batch) != p->epoch)
        return batch_producer_epoch(batch) > p->epoch && first == 0;
    /* without a batch its epoch came with a marker */
    return first == (p->count ? next_sequence(p->batches[p->count - 1].last_sequence) : 0);
}

bool producer_state_has_open(const struct producer_state *s, const void *batch)
{
    const struct producer *p = producer_state_get(s, batch_producer_id(batch));
    return p && p->txn_first_offset >= 0;
}

enum err producer_state_guard(struct producer_state *s, const void *batch, int64_t now_ms,
                              uint64_t *guard)
{
    enum err err = producer_state_reserve(s, batch);
    if (err)
        return err;
    struct producer *p = map_get_u64(&s->by_id, (uint64_t)batch_producer_id(batch));
    if (!p->guard)
        p->guard = ++s->guards;
    p->guard_ms = now_ms;
    *guard = p->guard;
    return E_OK;
}

static void add_batch(struct producer *p, const struct producer_batch *b)
{
    if (p->count == PRODUCER_BATCHES) {
        memmove(p->batches, p->batches + 1, (PRODUCER_BATCHES - 1) * sizeof *p->batches);
        p->count--;
    }
    p->batches[p->count++] = *b;
}

enum err producer_state_reserve(struct producer_state *s, const void *batch)
{
    int64_t id = batch_producer_id(batch);
    if (id < 0 || map_get_u64(&s->by_id, (uint64_t)id))
        return E_OK;
    struct producer *p = try_calloc(1, sizeof *p);
    if (!p)
        return E_NOMEM;
    p->id = id;
    p->epoch = -1;
    p->txn_first_offset = -1;
    p->coordinator_epoch = -1;
    map_put_u64(&s->by_id, (uint64_t)id, p);
    return E_OK;
}

void producer_state_note_reserved(struct producer_state *s, const void *batch)
{
    int64_t id = batch_producer_id(batch);
    struct producer *p = id >= 0 ? map_get_u64(&s->by_id, (uint64_t)id) : NULL;
    if (!p || batch_is_control(batch))
        return;
    if (batch_producer_epoch(batch) > p->epoch)
        p->count = 0; /* a new life: its sequences start again */
    p->epoch = MAX(p->epoch, batch_producer_epoch(batch));
    p->last_ms = MAX(p->last_ms, batch_max_timestamp(batch));
    if (batch_is_transactional(batch) && p->txn_first_offset < 0) {
        p->txn_first_offset = batch_base_offset(batch);
        p->guard = 0;
        list_push_back(&s->open, &p->open); /* offsets grow */
    }
    add_batch(p, &(struct producer_batch){.first_sequence = batch_base_sequence(batch),
                                          .last_sequence = batch_last_sequence(batch),
                                          .first_offset = batch_base_offset(batch),
                                          .last_offset = batch_last_offset(batch),
                                          .timestamp = batch_max_timestamp(batch)});
}

enum err producer_state_note(struct producer_state *s, const void *batch)
{
    enum err err = producer_state_reserve(s, batch);
    if (!err)
        producer_state_note_reserved(s, batch);
    return err;
}

void producer_state_end_txn(struct producer_state *s, const void *marker, int32_t coordinator_epoch)
{
    struct producer *p = map_get_u64(&s->by_id, (uint64_t)batch_producer_id(marker));
    if (!p)
        return;
    if (batch_producer_epoch(marker) > p->epoch)
        p->count = 0;
    p->epoch = MAX(p->epoch, batch_producer_epoch(marker));
    p->last_ms = MAX(p->last_ms, batch_max_timestamp(marker));
    p->coordinator_epoch = coordinator_epoch;
    p->guard = 0;
    if (p->txn_first_offset >= 0)
        list_remove(&s->open, &p->open);
    p->txn_first_offset = -1;
}

void producer_state_expire(struct producer_state *s, int64_t before_ms)
{
    struct slice key;
    void *value;
    for (size_t i = 0; map_next(&s->by_id, &i, &key, &value);) {
        struct producer *p = value;
        if (MAX(p->last_ms, p->guard_ms) < before_ms && p->txn_first_offset < 0) {
            map_del_u64(&s->by_id, (uint64_t)p->id);
            mem_free(p);
        }
    }
}

int64_t producer_state_first_open(const struct producer_state *s)
{
    struct link *k = list_first(&s->open);
    return k ? list_entry(k, struct producer, open)->txn_first_offset : -1;
}

int64_t producer_state_last_open(const struct producer_state *s)
{
    struct link *k = list_empty(&s->open) ? NULL : s->open.head.prev;
    return k ? list_entry(k, struct producer, open)->txn_first_offset : -1;
}

int64_t producer_state_first_open_without(const struct producer_state *s, int64_t id)
{
    list_each (&s->open, k) {
        const struct producer *p = list_entry(k, struct producer, open);
        if (p->id != id)
            return p->txn_first_offset;
    }
    return -1;
}

/* --- snapshots -------------------------------------------------------------------------------- */

static void encode_one(const struct producer *p, struct strbuf *out)
{
    const struct producer_batch *b = p->count ? &p->batches[p->count - 1] : NULL;
    strbuf_add_be64(out, (uint64_t)p->id);
    strbuf_add_be16(out, (uint16_t)p->epoch);
    strbuf_add_be32(out, b ? (uint32_t)b->last_sequence : UINT32_MAX);
    strbuf_add_be64(out, b ? (uint64_t)b->last_offset : UINT64_MAX);
    strbuf_add_be32(out, b ? (uint32_t)(b->last_offset - b->first_offset) : 0);
    strbuf_add_be64(out, (uint64_t)p->last_ms);
    strbuf_add_be32(out, (uint32_t)p->coordinator_epoch);
    strbuf_add_be64(out, (uint64_t)p->txn_first_offset);
}

static void encode_older(const struct producer *p, struct strbuf *out)
{
    strbuf_add_be64(out, (uint64_t)p->id);
    strbuf_addc(out, (char)(p->count - 1));
    for (unsigned i = 0; i + 1 < p->count; i++) {
        const struct producer_batch *b = &p->batches[i];
        strbuf_add_be32(out, (uint32_t)b->first_sequence);
        strbuf_add_be32(out, (uint32_t)b->last_sequence);
        strbuf_add_be64(out, (uint64_t)b->first_offset);
        strbuf_add_be64(out, (uint64_t)b->last_offset);
        strbuf_add_be64(out, (uint64_t)b->timestamp);
    }
}

enum err producer_state_encode(const struct producer_state *s, struct strbuf *out)
{
    struct slice key;
    void *value;
    uint32_t count = 0, older = 0;
    size_t start = out->n;
    strbuf_add_be16(out, SNAPSHOT_VERSION);
    strbuf_add_be32(out, 0);
    strbuf_add_be32(out, 0);
    for (size_t i = 0; map_next(&s->by_id, &i, &key, &value);) {
        const struct producer *p = value;
        if (!producer_is_known(p))
            continue;
        encode_one(p, out);
        count++;
        older += p->count > 1;
    }
    if (older) {
        strbuf_add_be32(out, OLDER_MAGIC);
        strbuf_add_be32(out, older);
    }
    for (size_t i = 0; older && map_next(&s->by_id, &i, &key, &value);)
        if (((const struct producer *)value)->count > 1)
            encode_older(value, out);
    if (strbuf_err(out))
        return strbuf_err(out);
    store_be32(out->p + start + 6, count);
    store_be32(out->p + start + 2, crc32c(0, out->p + start + 6, out->n - start - 6));
    return E_OK;
}

static void add_open(struct producer_state *s, struct producer *p)
{
    struct link *before = &s->open.head; /* entries come in any order */
    while (before->prev != &s->open.head &&
           list_entry(before->prev, struct producer, open)->txn_first_offset > p->txn_first_offset)
        before = before->prev;
    list_insert_before(&s->open, before, &p->open);
}

static enum err decode_one(struct producer_state *s, struct reader *r)
{
    struct producer *p = try_calloc(1, sizeof *p);
    if (!p)
        return E_NOMEM;
    p->id = (int64_t)read_be64(r);
    p->epoch = (int16_t)read_be16(r);
    int32_t last_sequence = (int32_t)read_be32(r);
    int64_t last_offset = (int64_t)read_be64(r);
    int32_t delta = (int32_t)read_be32(r);
    p->last_ms = (int64_t)read_be64(r);
    p->coordinator_epoch = (int32_t)read_be32(r);
    p->txn_first_offset = (int64_t)read_be64(r);
    if (last_sequence >= 0 && delta >= 0) {
        int64_t first = (int64_t)last_sequence - delta;
        first = first < 0 ? first + INT32_MAX + 1LL : first; /* it went past the largest number */
        add_batch(p, &(struct producer_batch){.first_sequence = (int32_t)first,
                                              .last_sequence = last_sequence,
                                              .first_offset = last_offset - delta,
                                              .last_offset = last_offset,
                                              .timestamp = p->last_ms});
    }
    struct producer *twice = map_put_u64(&s->by_id, (uint64_t)p->id, p);
    if (twice && link_in_list(&twice->open))
        list_remove(&s->open, &twice->open);
    mem_free(twice);
    if (p->txn_first_offset >= 0)
        add_open(s, p);
    return E_OK;
}

static void decode_older(struct producer_state *s, struct reader *r)
{
    struct producer *p = map_get_u64(&s->by_id, read_be64(r));
    unsigned n = read_u8(r);
    struct producer_batch older[PRODUCER_BATCHES] = {0};
    for (unsigned i = 0; i < n && !r->err; i++) {
        struct producer_batch b;
        b.first_sequence = (int32_t)read_be32(r);
        b.last_sequence = (int32_t)read_be32(r);
        b.first_offset = (int64_t)read_be64(r);
        b.last_offset = (int64_t)read_be64(r);
        b.timestamp = (int64_t)read_be64(r);
        older[i % PRODUCER_BATCHES] = b;
    }
    if (r->err || !p || p->count != 1 || n >= PRODUCER_BATCHES)
        return;
    older[n] = p->batches[0];
    memcpy(p->batches, older, (n + 1) * sizeof *older);
    p->count = (uint8_t)(n + 1);
}

enum err producer_state_decode(struct producer_state *s, struct slice bytes)
{
    struct reader r = reader_of(bytes.p, bytes.n);
    uint16_t version = read_be16(&r);
    uint32_t crc = read_be32(&r);
    producer_state_clear(s);
    if (r.err || version != SNAPSHOT_VERSION || crc32c(0, r.at, reader_left(&r)) != crc)
        return E_CORRUPT;
    uint32_t count = read_be32(&r);
    enum err err = (uint64_t)count * SNAPSHOT_ENTRY > reader_left(&r) ? E_CORRUPT : E_OK;
    for (uint32_t i = 0; !err && i < count; i++)
        err = decode_one(s, &r);
    if (!err && reader_left(&r) >= 8 && read_be32(&r) == OLDER_MAGIC)
        for (uint32_t n = read_be32(&r); n > 0 && !r.err; n--)
            decode_older(s, &r);
    if (err || r.err) {
        producer_state_clear(s);
        return err ? err : E_CORRUPT;
    }
    return E_OK;
}
