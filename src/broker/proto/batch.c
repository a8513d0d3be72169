/* broker/proto/batch.c - record batches of magic 2: checking, reading, building, control batches.
 *
 * Produce: batch_validate (batch_validate.c) -> batch_assign -> append of the same bytes.
 * Own producers: batch_builder_add ... batch_builder_finish -> batch_assign -> append.
 * Reading (UI, compaction, tools, conversion for old clients): batch_split -> batch_iter_*.
 *
 * Layout (big endian), SPEC: broker 3.1
 *    0 i64 baseOffset            21 i16 attributes        43 i64 producerId
 *    8 i32 batchLength           23 i32 lastOffsetDelta   51 i16 producerEpoch
 *   12 i32 partitionLeaderEpoch  27 i64 baseTimestamp     53 i32 baseSequence
 *   16 i8  magic                 35 i64 maxTimestamp      57 i32 recordsCount
 *   17 u32 crc32c of 21..end                              61 records, one block when compressed
 *
 * Invariants: 1. bytes from outside are only read through a bounded reader; 2. decompression has a
 * ceiling; 3. the builder's buffer holds whole records only, also after a failed add.
 * Owner thread: any; a builder or an iterator belongs to one at a time. */
#include "broker/proto/batch.h"

#include "base/hash.h"

enum { NO_EPOCH = -1, RECORD_MIN = 7 };
#define MAX_PLAIN_DEFAULT ((size_t)256 << 20)

/* --- whole batches ---------------------------------------------------------------------------- */
static uint32_t crc_of(const void *b, size_t n)
{
    return crc32c(0, (const uint8_t *)b + BATCH_CRC_FROM, n - BATCH_CRC_FROM);
}

enum err batch_check(struct slice bytes)
{
    if (bytes.n < BATCH_HEADER_SIZE)
        return E_TRUNCATED;
    if (batch_length(bytes.p) < BATCH_HEADER_SIZE - BATCH_LOG_OVERHEAD)
        return E_CORRUPT;
    if (batch_size(bytes.p) != bytes.n)
        return batch_size(bytes.p) > bytes.n ? E_TRUNCATED : E_CORRUPT;
    if (batch_magic(bytes.p) != 2)
        return E_CORRUPT;
    return batch_crc(bytes.p) == crc_of(bytes.p, bytes.n) ? E_OK : E_CORRUPT;
}

bool batch_split(struct slice *rest, struct slice *batch)
{
    if (rest->n < BATCH_LOG_OVERHEAD || batch_length(rest->p) < 0 || batch_size(rest->p) > rest->n)
        return false;
    size_t n = batch_size(rest->p);
    *batch = slice_of(rest->p, n);
    *rest = slice_of(rest->p + n, rest->n - n);
    return true;
}

void batch_set_log_append_time(void *b, size_t n, int64_t now_ms)
{
    uint8_t *p = b;
    store_be16(p + 21, batch_attributes(b) | BATCH_LOG_APPEND_TIME);
    store_be64(p + 35, (uint64_t)now_ms);
    store_be32(p + 17, crc_of(b, n));
}

/* --- reading records -------------------------------------------------------------------------- */
enum err batch_iter_init(struct batch_iter *it, struct slice batch, size_t max_plain)
{
    memset(it, 0, sizeof *it);
    strbuf_init(&it->plain, max_plain ? max_plain : MAX_PLAIN_DEFAULT);
    if (batch.n < BATCH_HEADER_SIZE)
        return it->err = E_TRUNCATED;
    if (batch_magic(batch.p) != 2 || batch_codec(batch.p) > CODEC_ZSTD)
        return it->err = E_UNSUPPORTED;
    if (batch_length(batch.p) < BATCH_HEADER_SIZE - BATCH_LOG_OVERHEAD || batch_count(batch.p) < 0)
        return it->err = E_CORRUPT;
    if (batch_size(batch.p) > batch.n)
        return it->err = E_TRUNCATED;
    it->base_offset = batch_base_offset(batch.p);
    it->base_timestamp = batch_base_timestamp(batch.p);
    it->max_timestamp = batch_max_timestamp(batch.p);
    it->log_append_time = (batch_attributes(batch.p) & BATCH_LOG_APPEND_TIME) != 0;
    it->left = batch_count(batch.p);
    struct slice records =
        slice_of(batch.p + BATCH_HEADER_SIZE, batch_size(batch.p) - BATCH_HEADER_SIZE);
    if (batch_codec(batch.p) != CODEC_NONE) {
        it->err = codec_decompress((enum codec)batch_codec(batch.p), records, false, &it->plain);
        if (it->err != E_OK) {
            batch_iter_release(it);
            return it->err;
        }
        records = strbuf_slice(&it->plain);
    }
    it->r = reader_of(records.p, records.n);
    return E_OK;
}

void batch_iter_release(struct batch_iter *it)
{
    strbuf_release(&it->plain);
    it->left = 0;
    it->r = (struct reader){0};
}

/* -1 is null. */
static struct slice read_nullable(struct reader *r)
{
    int32_t n = read_varint(r);
    if (n < -1)
        reader_fail(r, E_CORRUPT);
    return n < 0 ? SLICE_NULL : read_slice(r, (size_t)n);
}

static void read_record(struct batch_iter *it, struct reader *r, struct batch_record *out)
{
    read_u8(r); /* attributes: none are defined */
    int64_t delta = read_varlong(r);
    out->timestamp = it->log_append_time
                         ? it->max_timestamp
                         : (int64_t)((uint64_t)it->base_timestamp + (uint64_t)delta);
    out->offset_delta = read_varint(r);
    out->offset = (int64_t)((uint64_t)it->base_offset + (uint64_t)(int64_t)out->offset_delta);
    out->key = read_nullable(r);
    out->value = read_nullable(r);
    out->headers_count = read_varint(r);
    /* A header takes two bytes at least. */
    if (out->headers_count < 0 || (size_t)out->headers_count > reader_left(r) / 2)
        reader_fail(r, E_CORRUPT);
    out->headers = slice_of(r->at, reader_left(r));
}

bool batch_iter_next(struct batch_iter *it, struct batch_record *out)
{
    if (it->err != E_OK)
        return false;
    if (it->left == 0) {
        it->err = it->r.at == it->r.end ? E_OK : E_CORRUPT;
        return false;
    }
    const uint8_t *start = it->r.at;
    int32_t n = read_varint(&it->r);
    const uint8_t *p = n < RECORD_MIN - 1 ? NULL : reader_take(&it->r, (size_t)n);
    if (!p) {
        it->err = it->r.err != E_OK ? it->r.err : E_CORRUPT;
        return false;
    }
    struct reader inside = reader_of(p, (size_t)n);
    read_record(it, &inside, out);
    if (inside.err != E_OK) {
        it->err = E_CORRUPT;
        return false;
    }
    out->size = (size_t)(it->r.at - start);
    it->left--;
    return true;
}

bool batch_header_next(struct slice *headers, struct slice *name, struct slice *value)
{
    if (headers->n == 0)
        return false;
    struct reader r = reader_of(headers->p, headers->n);
    *name = read_nullable(&r);
    *value = read_nullable(&r);
    if (r.err != E_OK || slice_is_null(*name)) {
        headers->n = 0;
        return false;
    }
    *headers = slice_of(r.at, reader_left(&r));
    return true;
}

/* --- building --------------------------------------------------------------------------------- */
/* The same as base's, inline: several are needed for each record. */
static inline size_t zigzag_size(int64_t v)
{
    uint64_t u = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    return u < 0x80 ? 1 : (size_t)(70 - __builtin_clzll(u)) / 7;
}

static inline uint8_t *put_zigzag(uint8_t *p, int64_t v)
{
    uint64_t u = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    for (; u >= 0x80; u >>= 7)
        *p++ = (uint8_t)(u | 0x80);
    *p++ = (uint8_t)u;
    return p;
}

static void add_nullable(struct strbuf *b, struct slice s)
{
    strbuf_add_varint(b, s.p ? (int64_t)s.n : -1);
    strbuf_add(b, s.p, s.n);
}

void batch_headers_add(struct batch_headers *h, struct slice name, struct slice value)
{
    strbuf_add_varint(&h->bytes, (int64_t)name.n);
    strbuf_add(&h->bytes, name.p, name.n);
    add_nullable(&h->bytes, value);
    h->count++;
}

void batch_headers_reset(struct batch_headers *h)
{
    strbuf_reset(&h->bytes);
    h->count = 0;
}

void batch_builder_init(struct batch_builder *b, enum codec codec, int32_t level, size_t max_bytes)
{
    memset(b, 0, sizeof *b);
    strbuf_init(&b->plain, MIN(max_bytes ? max_bytes : MAX_PLAIN_DEFAULT, (size_t)INT32_MAX));
    strbuf_init(&b->packed, INT32_MAX);
    b->codec = codec;
    b->level = level;
    batch_builder_reset(b);
}

void batch_builder_release(struct batch_builder *b)
{
    strbuf_release(&b->plain);
    strbuf_release(&b->packed);
    batch_builder_reset(b);
}

void batch_builder_reset(struct batch_builder *b)
{
    strbuf_reset(&b->plain);
    strbuf_reset(&b->packed);
    b->count = 0;
    batch_builder_producer(b, -1, NO_EPOCH, -1, false);
}

void batch_builder_producer(struct batch_builder *b, int64_t id, int16_t epoch,
                            int32_t base_sequence, bool transactional)
{
    b->producer_id = id;
    b->producer_epoch = epoch;
    b->base_sequence = base_sequence;
    b->transactional = transactional;
}

/* Room for n bytes; the ones before are kept when it fails, and the next call may succeed. */
static enum err need(struct strbuf *b, size_t n)
{
    if (n > b->max - b->n)
        return E_TOO_LARGE;
    enum err err = strbuf_reserve(b, n);
    b->failed = E_OK;
    return err;
}

static size_t text_size(struct batch_text t)
{
    size_t n = 0;
    for (int32_t i = 0; i < t.count; i++)
        n += t.parts[i].n;
    return n;
}

static inline size_t nullable_size(struct batch_text t, size_t n)
{
    return t.count < 0 ? 1 : zigzag_size((int64_t)n) + n;
}

static uint8_t *put_text(uint8_t *p, struct batch_text t, size_t n)
{
    p = put_zigzag(p, t.count < 0 ? -1 : (int64_t)n);
    for (int32_t i = 0; i < t.count; i++) {
        if (t.parts[i].n > 0)
            memcpy(p, t.parts[i].p, t.parts[i].n);
        p += t.parts[i].n;
    }
    return p;
}

enum err batch_builder_add_parts(struct batch_builder *b, int64_t timestamp, struct batch_text key,
                                 struct batch_text value, const struct batch_headers *headers)
{
    struct slice head = headers ? strbuf_slice(&headers->bytes) : SL("");
    int32_t head_count = headers ? headers->count : 0;
    if (headers && strbuf_err(&headers->bytes) != E_OK)
        return strbuf_err(&headers->bytes);
    bool first = b->count == 0;
    int64_t base = first ? timestamp : b->base_timestamp;
    int64_t delta = (int64_t)((uint64_t)timestamp - (uint64_t)base);
    size_t key_n = text_size(key), value_n = text_size(value);
    size_t body = 1 + zigzag_size(delta) + zigzag_size(b->count) + nullable_size(key, key_n) +
                  nullable_size(value, value_n) + zigzag_size(head_count) + head.n;
    size_t total = zigzag_size((int64_t)body) + body + (first ? BATCH_HEADER_SIZE : 0);
    if (b->count == INT32_MAX)
        return E_TOO_LARGE;
    enum err err = need(&b->plain, total);
    if (err != E_OK)
        return err;

    uint8_t *p = (uint8_t *)b->plain.p + b->plain.n;
    if (first)
        p += BATCH_HEADER_SIZE;
    p = put_zigzag(p, (int64_t)body);
    *p++ = 0;
    p = put_zigzag(p, delta);
    p = put_zigzag(p, b->count);
    p = put_text(p, key, key_n);
    p = put_text(p, value, value_n);
    p = put_zigzag(p, head_count);
    if (head.n > 0)
        memcpy(p, head.p, head.n);
    b->plain.n += total;
    b->plain.p[b->plain.n] = 0;
    b->max_timestamp = first ? timestamp : MAX(b->max_timestamp, timestamp);
    b->base_timestamp = base;
    b->count++;
    return E_OK;
}

enum err batch_builder_add(struct batch_builder *b, int64_t timestamp, struct slice key,
                           struct slice value, const struct batch_headers *headers)
{
    return batch_builder_add_parts(b, timestamp, (struct batch_text){&key, key.p ? 1 : -1},
                                   (struct batch_text){&value, value.p ? 1 : -1}, headers);
}

/* Everything that does not depend on the producer; n is the size of the whole batch. */
static void write_header(uint8_t *p, size_t n, uint16_t attributes, int32_t count,
                         int64_t base_timestamp, int64_t max_timestamp)
{
    batch_assign(p, 0, NO_EPOCH);
    store_be32(p + 8, (uint32_t)(n - BATCH_LOG_OVERHEAD));
    p[16] = 2;
    store_be16(p + 21, attributes);
    store_be32(p + 23, (uint32_t)(count - 1));
    store_be64(p + 27, (uint64_t)base_timestamp);
    store_be64(p + 35, (uint64_t)max_timestamp);
    store_be32(p + 57, (uint32_t)count);
}

static void write_producer(uint8_t *p, int64_t id, int16_t epoch, int32_t base_sequence)
{
    store_be64(p + 43, (uint64_t)id);
    store_be16(p + 51, (uint16_t)epoch);
    store_be32(p + 53, (uint32_t)base_sequence);
}

enum err batch_builder_finish(struct batch_builder *b, struct slice *out)
{
    if (b->count == 0)
        return E_INVALID;
    struct strbuf *from = &b->plain;
    if (b->codec != CODEC_NONE) {
        static const char room[BATCH_HEADER_SIZE];
        from = &b->packed;
        strbuf_reset(from);
        strbuf_add(from, room, sizeof room);
        enum err err = codec_compress(
            b->codec, b->level,
            slice_of(b->plain.p + BATCH_HEADER_SIZE, b->plain.n - BATCH_HEADER_SIZE), from);
        if (err == E_OK)
            err = strbuf_err(from);
        if (err != E_OK)
            return err;
    }
    uint8_t *p = (uint8_t *)from->p;
    uint16_t attributes = (uint16_t)(b->codec | (b->transactional ? BATCH_TRANSACTIONAL : 0));
    write_header(p, from->n, attributes, b->count, b->base_timestamp, b->max_timestamp);
    write_producer(p, b->producer_id, b->producer_epoch, b->base_sequence);
    store_be32(p + 17, crc_of(p, from->n));
    *out = strbuf_slice(from);
    return E_OK;
}

enum err batch_recompress(struct slice batch, enum codec codec, int32_t level, size_t max_plain,
                          struct strbuf *out)
{
    struct batch_iter it; /* for its checks and its decompression */
    enum err err = batch_iter_init(&it, batch, max_plain);
    if (err != E_OK)
        return err;
    struct slice records = slice_of(it.r.at, reader_left(&it.r));
    size_t start = out->n;
    strbuf_add(out, batch.p, BATCH_HEADER_SIZE);
    if (codec == CODEC_NONE)
        strbuf_add_slice(out, records);
    else
        err = codec_compress(codec, level, records, out);
    if (err == E_OK)
        err = strbuf_err(out);
    batch_iter_release(&it);
    if (err == E_OK && out->n - start > INT32_MAX)
        err = E_TOO_LARGE;
    if (err != E_OK) {
        out->n = MIN(out->n, start);
        return err;
    }
    uint8_t *p = (uint8_t *)out->p + start;
    size_t n = out->n - start;
    store_be32(p + 8, (uint32_t)(n - BATCH_LOG_OVERHEAD));
    store_be16(p + 21, (uint16_t)((batch_attributes(p) & ~BATCH_CODEC_MASK) | codec));
    store_be32(p + 17, crc_of(p, n));
    return E_OK;
}

/* --- control batches -------------------------------------------------------------------------- */
void batch_control_build(struct strbuf *out, int64_t timestamp, int64_t producer_id,
                         int16_t producer_epoch, enum control_type type, int32_t coordinator_epoch)
{
    uint8_t b[BATCH_HEADER_SIZE + 17] = {0}, *p = b + BATCH_HEADER_SIZE;
    p = put_zigzag(p, 16); /* bytes of the record after this one */
    p += 3;                /* attributes, timestamp delta, offset delta */
    p = put_zigzag(p, 4);
    store_be16(p + 2, (uint16_t)type); /* key: version 0, type */
    p = put_zigzag(p + 4, 6);
    store_be32(p + 2, (uint32_t)coordinator_epoch); /* value: version 0, epoch */
    write_header(b, sizeof b, BATCH_TRANSACTIONAL | BATCH_CONTROL, 1, timestamp, timestamp);
    write_producer(b, producer_id, producer_epoch, -1);
    store_be32(b + 17, crc_of(b, sizeof b));
    strbuf_add(out, b, sizeof b);
}

enum err batch_control_parse(struct slice batch, enum control_type *type,
                             int32_t *coordinator_epoch)
{
    struct batch_iter it;
    struct batch_record r;
    enum err err = batch_iter_init(&it, batch, 4096);
    if (err != E_OK)
        return err;
    if (!batch_iter_next(&it, &r))
        err = it.err != E_OK ? it.err : E_CORRUPT;
    else if (r.key.n < 4)
        err = E_CORRUPT;
    if (err == E_OK) {
        int16_t t = (int16_t)load_be16(r.key.p + 2);
        *type = t == CONTROL_ABORT || t == CONTROL_COMMIT ? (enum control_type)t : CONTROL_UNKNOWN;
        if (*type != CONTROL_UNKNOWN && r.value.n < 6)
            err = E_CORRUPT;
        else if (coordinator_epoch)
            *coordinator_epoch = r.value.n < 6 ? -1 : (int32_t)load_be32(r.value.p + 2);
    }
    batch_iter_release(&it);
    return err;
}
