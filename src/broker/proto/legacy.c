/* broker/proto/legacy.c - message sets of magic 0 and 1 in and out of batches of magic 2.
 *
 * Entry: i64 offset, i32 size, then `size` bytes: u32 crc32 (of what follows it), i8 magic,
 * i8 attributes (0-2 codec, 3 log append time), magic 1: i64 timestamp, i32 + key, i32 + value (-1
 * null). An entry with a codec is a wrapper: its value is a compressed message set. Offsets inside
 * are absolute in magic 0; in magic 1 they are relative, and the wrapper has the last one.
 * SPEC: broker 3.6
 *
 * Owner thread: any; an iterator belongs to one at a time. */
#include "broker/proto/legacy.h"

#include "base/hash.h"

enum { ENTRY_HEAD = 12, CODEC_BITS = 7, LOG_APPEND_BIT = 8, MIN_SIZE_0 = 14, MIN_SIZE_1 = 22 };
#define MAX_PLAIN_DEFAULT ((size_t)256 << 20)
#define NO_TIMESTAMP (-1)

/* --- reading ---------------------------------------------------------------------------------- */
void legacy_iter_init(struct legacy_iter *it, struct slice set, size_t max_plain)
{
    memset(it, 0, sizeof *it);
    it->r = set.p ? reader_of(set.p, set.n) : (struct reader){0};
    it->max_plain = max_plain ? max_plain : MAX_PLAIN_DEFAULT;
    strbuf_init(&it->plain, it->max_plain);
}

void legacy_iter_release(struct legacy_iter *it)
{
    strbuf_release(&it->plain);
    it->inside = false;
    it->inner = it->r = (struct reader){0};
}

struct entry {
    int64_t offset, timestamp;
    struct slice key, value;
    uint8_t attributes;
    int8_t magic;
};

static struct slice read_nullable(struct reader *r)
{
    int32_t n = (int32_t)read_be32(r);
    if (n < -1)
        reader_fail(r, E_CORRUPT);
    return n < 0 ? SLICE_NULL : read_slice(r, (size_t)n);
}

static enum err read_entry(struct reader *r, struct entry *out)
{
    out->offset = (int64_t)read_be64(r);
    int32_t size = (int32_t)read_be32(r);
    if (r->err != E_OK)
        return r->err;
    if (size < MIN_SIZE_0)
        return E_CORRUPT;
    const uint8_t *p = reader_take(r, (size_t)(uint32_t)size);
    if (!p)
        return r->err;
    out->magic = (int8_t)p[4];
    out->attributes = p[5];
    if (out->magic != 0 && out->magic != 1)
        return E_CORRUPT;
    if ((out->magic == 1 && size < MIN_SIZE_1) ||
        load_be32(p) != crc32_ieee(0, p + 4, (size_t)size - 4))
        return E_CORRUPT;
    struct reader in = reader_of(p + 6, (size_t)size - 6);
    out->timestamp = out->magic == 1 ? (int64_t)read_be64(&in) : NO_TIMESTAMP;
    out->key = read_nullable(&in);
    out->value = read_nullable(&in);
    return in.err == E_OK && in.at == in.end ? E_OK : E_CORRUPT;
}

/* Offset of the last entry of an inner set; its entries are checked when they are read. */
static int64_t last_inner_offset(struct slice set)
{
    struct reader r = reader_of(set.p, set.n);
    int64_t offset = -1;
    while (reader_left(&r) >= ENTRY_HEAD) {
        int64_t o = (int64_t)read_be64(&r);
        if (!reader_take(&r, read_be32(&r)))
            break;
        offset = o;
    }
    return offset;
}

static enum err enter(struct legacy_iter *it, const struct entry *w)
{
    int codec = w->attributes & CODEC_BITS;
    if (codec > CODEC_LZ4)
        return E_UNSUPPORTED;
    strbuf_reset(&it->plain);
    enum err err = codec_decompress((enum codec)codec, w->value, w->magic == 0, &it->plain);
    if (err == E_OK)
        err = strbuf_err(&it->plain);
    if (err != E_OK)
        return err;
    struct slice set = strbuf_slice(&it->plain);
    it->inner = reader_of(set.p, set.n);
    it->inside = true;
    it->codec = codec;
    it->wrapper_magic = w->magic;
    it->wrapper_timestamp = w->timestamp;
    it->wrapper_log_append = (w->attributes & LOG_APPEND_BIT) != 0;
    it->inner_shift =
        w->magic == 1 ? (int64_t)((uint64_t)w->offset - (uint64_t)last_inner_offset(set)) : 0;
    return E_OK;
}

static void hand_out(const struct legacy_iter *it, const struct entry *e,
                     struct legacy_message *out)
{
    bool append = (e->attributes & LOG_APPEND_BIT) != 0;
    *out = (struct legacy_message){.offset = e->offset,
                                   .timestamp = e->timestamp,
                                   .key = e->key,
                                   .value = e->value,
                                   .magic = e->magic,
                                   .log_append_time = append && e->magic == 1};
    if (!it->inside)
        return;
    out->offset = (int64_t)((uint64_t)e->offset + (uint64_t)it->inner_shift);
    if (it->wrapper_magic == 1 && it->wrapper_log_append) {
        out->timestamp = it->wrapper_timestamp;
        out->log_append_time = true;
    }
}

bool legacy_iter_next(struct legacy_iter *it, struct legacy_message *out)
{
    struct entry e;
    while (it->err == E_OK) {
        if (it->inside && it->inner.at == it->inner.end)
            it->inside = false;
        if (!it->inside && it->r.at == it->r.end)
            return false;
        it->err = read_entry(it->inside ? &it->inner : &it->r, &e);
        if (it->err != E_OK)
            break;
        if ((e.attributes & CODEC_BITS) == 0) {
            hand_out(it, &e, out);
            return true;
        }
        /* A wrapper in a wrapper is not allowed, nor one without contents. */
        it->err = it->inside || slice_is_null(e.value) ? E_CORRUPT : enter(it, &e);
    }
    return false;
}

/* --- in: Produce 0-2 -------------------------------------------------------------------------- */
static int16_t kerr_of(enum err err)
{
    switch (err) {
    case E_OK:
        return KERR_NONE;
    case E_UNSUPPORTED:
        return KERR_UNSUPPORTED_COMPRESSION_TYPE;
    case E_TOO_LARGE:
        return KERR_MESSAGE_TOO_LARGE;
    case E_NOMEM:
        return KERR_UNKNOWN_SERVER_ERROR;
    default:
        return KERR_CORRUPT_MESSAGE;
    }
}

/* Codec of the first entry that has one. */
static enum codec set_codec(struct slice set)
{
    struct reader r = reader_of(set.p, set.n);
    struct entry e;
    while (r.at < r.end && read_entry(&r, &e) == E_OK)
        if ((e.attributes & CODEC_BITS) != 0 && (e.attributes & CODEC_BITS) <= CODEC_LZ4)
            return (enum codec)(e.attributes & CODEC_BITS);
    return CODEC_NONE;
}

static int16_t add_all(struct batch_builder *b, struct slice set, size_t max_plain)
{
    struct legacy_iter it;
    struct legacy_message m;
    int16_t error = KERR_NONE;
    legacy_iter_init(&it, set, max_plain);
    while (error == KERR_NONE && legacy_iter_next(&it, &m))
        error = m.log_append_time
                    ? KERR_INVALID_TIMESTAMP
                    : kerr_of(batch_builder_add(b, m.timestamp, m.key, m.value, NULL));
    if (error == KERR_NONE && it.err != E_OK)
        error = kerr_of(it.err);
    legacy_iter_release(&it);
    return error;
}

int16_t legacy_to_batch(struct slice set, size_t max_plain, struct strbuf *out)
{
    if (set.n == 0 || (set.n > 16 && set.p[16] == 2))
        return KERR_INVALID_RECORD;
    struct batch_builder b;
    struct slice batch;
    batch_builder_init(&b, set_codec(set), CODEC_LEVEL_DEFAULT, max_plain);
    int16_t error = add_all(&b, set, max_plain);
    if (error == KERR_NONE && b.count == 0)
        error = KERR_INVALID_RECORD;
    if (error == KERR_NONE)
        error = kerr_of(batch_builder_finish(&b, &batch));
    if (error == KERR_NONE) {
        strbuf_add_slice(out, batch);
        error = kerr_of(strbuf_err(out));
    }
    batch_builder_release(&b);
    return error;
}

/* --- out: Fetch 0-3 --------------------------------------------------------------------------- */
static void put_nullable(struct strbuf *b, struct slice s)
{
    strbuf_add_be32(b, s.p ? (uint32_t)s.n : UINT32_MAX);
    strbuf_add(b, s.p, s.n);
}

static void put_entry(struct strbuf *b, int magic, const struct entry *e)
{
    size_t start = b->n;
    strbuf_add_be64(b, (uint64_t)e->offset);
    strbuf_add_be64(b, 0); /* size and checksum: below */
    strbuf_addc(b, (char)magic);
    strbuf_addc(b, (char)e->attributes);
    if (magic == 1)
        strbuf_add_be64(b, (uint64_t)e->timestamp);
    put_nullable(b, e->key);
    put_nullable(b, e->value);
    if (strbuf_err(b) != E_OK)
        return;
    char *p = b->p + start;
    size_t size = b->n - start - ENTRY_HEAD;
    store_be32(p + 8, (uint32_t)size);
    store_be32(p + 12, crc32_ieee(0, p + 16, size - 4));
}

static uint32_t rotate(uint32_t v, int by)
{
    return v << by | v >> (32 - by);
}

/* xxHash32 with seed 0 of fewer than 16 bytes: the checksum of LZ4 frame headers. */
static uint32_t xxh32_short(const uint8_t *p, size_t n)
{
    const uint32_t p1 = 2654435761U, p2 = 2246822519U, p3 = 3266489917U, p4 = 668265263U,
                   p5 = 374761393U;
    uint32_t h = p5 + (uint32_t)n;
    for (; n >= 4; n -= 4, p += 4)
        h = rotate(h + load_le32(p) * p3, 17) * p4;
    for (; n > 0; n--, p++)
        h = rotate(h + *p * p5, 11) * p1;
    h = (h ^ h >> 15) * p2;
    h = (h ^ h >> 13) * p3;
    return h ^ h >> 16;
}

/* Clients that speak magic 0 expect a header checksum that covers the frame's magic too. */
static void spoil_lz4_checksum(struct strbuf *frame)
{
    if (frame->n < 15)
        return;
    uint8_t *p = (uint8_t *)frame->p;
    size_t n = 6 + ((p[4] & 0x08) ? 8 : 0); /* flags, block size, content size if it is there */
    p[n] = (uint8_t)(xxh32_short(p, n) >> 8);
}

/* Wraps the inner set into one message that has the offset of the last one inside. */
static enum err put_wrapper(struct strbuf *out, int magic, enum codec codec, bool append,
                            struct strbuf *inner, int64_t last_offset, int64_t timestamp)
{
    struct strbuf packed;
    strbuf_init(&packed, INT32_MAX);
    enum err err = codec_compress(codec, CODEC_LEVEL_DEFAULT, strbuf_slice(inner), &packed);
    if (err == E_OK)
        err = strbuf_err(&packed);
    if (err == E_OK) {
        if (codec == CODEC_LZ4 && magic == 0)
            spoil_lz4_checksum(&packed);
        int attributes = (int)codec | (append && magic == 1 ? LOG_APPEND_BIT : 0);
        put_entry(out, magic,
                  &(struct entry){last_offset, timestamp, SLICE_NULL, strbuf_slice(&packed),
                                  (uint8_t)attributes, (int8_t)magic});
        err = strbuf_err(out);
    }
    strbuf_release(&packed);
    return err;
}

enum err legacy_from_batch(struct slice batch, int magic, int64_t from_offset, size_t max_plain,
                           struct strbuf *out)
{
    if (batch.n < BATCH_HEADER_SIZE)
        return E_TRUNCATED;
    enum codec codec = (enum codec)batch_codec(batch.p);
    if (codec > CODEC_LZ4)
        return E_UNSUPPORTED;
    if (batch_is_control(batch.p))
        return E_OK;
    struct batch_iter it;
    enum err err = batch_iter_init(&it, batch, max_plain);
    if (err != E_OK)
        return err;
    struct strbuf inner;
    strbuf_init(&inner, INT32_MAX);
    struct strbuf *to = codec == CODEC_NONE ? out : &inner;
    bool append = it.log_append_time;
    uint8_t attributes = append && magic == 1 ? LOG_APPEND_BIT : 0;
    int64_t first = -1, last = -1, max_timestamp = NO_TIMESTAMP;
    struct batch_record r;
    while (batch_iter_next(&it, &r)) {
        if (r.offset < from_offset)
            continue;
        first = first < 0 ? r.offset : first;
        last = r.offset;
        max_timestamp = MAX(max_timestamp, r.timestamp);
        bool relative = codec != CODEC_NONE && magic == 1;
        int64_t offset = relative ? (int64_t)((uint64_t)r.offset - (uint64_t)first) : r.offset;
        put_entry(to, magic,
                  &(struct entry){offset, r.timestamp, r.key, r.value, attributes, (int8_t)magic});
    }
    err = it.err != E_OK ? it.err : strbuf_err(to);
    if (err == E_OK && codec != CODEC_NONE && last >= 0)
        err = put_wrapper(out, magic, codec, append, &inner, last, max_timestamp);
    strbuf_release(&inner);
    batch_iter_release(&it);
    return err;
}
