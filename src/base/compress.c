/* base/compress.c - the record batch codecs, see compress.h.
 *
 * All decoders write straight into the strbuf in steps: `more_room` offers the free room at its
 * end, at first as much as a sane ratio suggests, later growing with what has really come out,
 * never over the ceiling. So a few hostile bytes can not make it allocate much, and a size written
 * in a header is only a hint. On failure nothing is left appended.
 *
 * SPEC: broker 3.4: snappy is written in xerial framing (8 bytes magic, two i32 of 1, then blocks
 * of i32 length + raw snappy), lz4 as frames with independent 64 KiB blocks and no content
 * checksum. Zstd contexts are kept per thread, since making one costs more than a small batch.
 * Thread: any. */
#include "base/compress.h"

#include <lz4frame.h>
#include <pthread.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/base.h"
#include "base/bytes.h"

#define STEP_MIN ((size_t)4096)
#define STEP_MAX ((size_t)1 << 20)

static const char *const names[] = {
    [CODEC_NONE] = "none", [CODEC_GZIP] = "gzip", [CODEC_SNAPPY] = "snappy",
    [CODEC_LZ4] = "lz4",   [CODEC_ZSTD] = "zstd",
};

const char *codec_name(enum codec c)
{
    return (unsigned)c < ARRAY_LEN(names) ? names[c] : "unknown";
}

enum err codec_parse(struct slice name, enum codec *out)
{
    for (unsigned i = 0; i < ARRAY_LEN(names); i++)
        if (slice_eq_c(name, names[i])) {
            *out = (enum codec)i;
            return E_OK;
        }
    return E_INVALID;
}

/* Free room at the end of b: its size, at least 1, or 0 with *r set. `start` is where this output
 * began; `in` the size of the whole input. */
static size_t more_room(struct strbuf *b, size_t start, size_t in, enum err *r)
{
    size_t have = b->cap > b->n ? b->cap - b->n : 0;
    have = MIN(have, b->max - MIN(b->max, b->n));
    if (have >= STEP_MIN / 4 && !b->failed)
        return have;
    size_t step = b->n == start ? MIN(in, STEP_MAX) * 4 : (b->n - start);
    step = MAX(step, STEP_MIN);
    step = MIN(step, b->max - MIN(b->max, b->n));
    if (have > 0 && step <= have && !b->failed)
        return have;
    *r = strbuf_reserve(b, step ? step : 1);
    return *r ? 0 : MIN(b->cap, b->max) - b->n;
}

/* After a failure: the text ends where it did, whatever a decoder left in the free room behind it.
 */
static enum err undo(struct strbuf *b, size_t start, enum err r)
{
    if (r && b->cap) {
        b->n = start;
        b->p[start] = 0;
    }
    return r;
}

static void advance(struct strbuf *b, size_t n)
{
    b->n += n;
    if (b->n || b->cap)
        b->p[b->n] = 0;
}

/* --- gzip ------------------------------------------------------------------------------------ */

static enum err gzip_compress(int32_t level, struct slice in, struct strbuf *out)
{
    if (level == CODEC_LEVEL_DEFAULT)
        level = Z_DEFAULT_COMPRESSION;
    if (level < -1 || level > 9)
        return E_INVALID;
    z_stream z = {0};
    if (deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return E_NOMEM;
    size_t start = out->n, left = in.n;
    enum err r = E_OK;
    int status = Z_OK;
    z.next_in = (Bytef *)(uintptr_t)(in.p ? in.p : "");
    while (status != Z_STREAM_END) {
        if (z.avail_in == 0 && left > 0) {
            z.avail_in = (uInt)MIN(left, (size_t)1 << 30);
            left -= z.avail_in;
        }
        size_t room = more_room(out, start, in.n / 8, &r);
        if (r)
            break;
        z.next_out = (Bytef *)out->p + out->n;
        z.avail_out = (uInt)MIN(room, (size_t)1 << 30);
        uInt before = z.avail_out;
        status = deflate(&z, left ? Z_NO_FLUSH : Z_FINISH);
        advance(out, before - z.avail_out);
    }
    deflateEnd(&z);
    return undo(out, start, r);
}

/* One member, from *at on; moves *at behind it. */
static enum err gunzip_member(z_stream *z, const char **at, const char *end, struct strbuf *out,
                              size_t start)
{
    enum err r = E_OK;
    size_t in = (size_t)(end - *at);
    for (int status = Z_OK; status != Z_STREAM_END;) {
        z->next_in = (Bytef *)(uintptr_t)*at;
        z->avail_in = (uInt)MIN((size_t)(end - *at), (size_t)1 << 30);
        char probe; /* at the ceiling: an end without more bytes is fine */
        bool full = out->n >= out->max;
        size_t room = full ? 1 : more_room(out, start, in, &r);
        if (r)
            return r;
        z->next_out = (Bytef *)(full ? &probe : out->p + out->n);
        z->avail_out = (uInt)MIN(room, (size_t)1 << 30);
        uInt room_before = z->avail_out;
        status = inflate(z, Z_NO_FLUSH);
        size_t got = room_before - z->avail_out;
        bool stuck = got == 0 && (const char *)z->next_in == *at;
        *at = (const char *)z->next_in;
        if (full && got)
            return E_TOO_LARGE;
        if (!full)
            advance(out, got);
        if (status == Z_MEM_ERROR)
            return E_NOMEM;
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return E_CORRUPT;
        if (stuck && status != Z_STREAM_END)
            return E_CORRUPT; /* the input ends inside the member */
    }
    return E_OK;
}

static enum err gzip_decompress(struct slice in, struct strbuf *out)
{
    z_stream z = {0};
    if (inflateInit2(&z, 15 + 16) != Z_OK)
        return E_NOMEM;
    size_t start = out->n;
    const char *at = in.p, *end = in.p + in.n;
    enum err r = in.n ? E_OK : E_CORRUPT;
    while (!r) {
        r = gunzip_member(&z, &at, end, out, start);
        /* Like java.util.zip: what follows and is no further member is left alone. */
        if (r || end - at < 18 || (uint8_t)at[0] != 0x1f || (uint8_t)at[1] != 0x8b)
            break;
        inflateReset(&z);
    }
    inflateEnd(&z);
    return undo(out, start, r);
}

/* --- snappy ---------------------------------------------------------------------------------- */

static const char xerial_magic[8] = {(char)0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
#define XERIAL_HEADER 16
#define XERIAL_BLOCK ((size_t)32 << 10)

static enum err snappy_compress_xerial(struct slice in, struct strbuf *out)
{
    size_t start = out->n;
    strbuf_add(out, xerial_magic, sizeof xerial_magic);
    strbuf_add_be32(out, 1);
    strbuf_add_be32(out, 1);
    for (size_t at = 0; at < in.n && !strbuf_err(out); at += XERIAL_BLOCK) {
        size_t n = MIN(XERIAL_BLOCK, in.n - at);
        size_t packed = snappy_max_compressed_length(n);
        if (strbuf_reserve(out, 4 + packed))
            break;
        char *to = out->p + out->n;
        if (snappy_compress(in.p + at, n, to + 4, &packed) != SNAPPY_OK)
            return undo(out, start, E_NOMEM);
        store_be32(to, (uint32_t)packed);
        advance(out, 4 + packed);
    }
    return undo(out, start, strbuf_err(out));
}

static enum err snappy_block(const char *p, size_t n, struct strbuf *out)
{
    size_t size;
    if (snappy_uncompressed_length(p, n, &size) != SNAPPY_OK)
        return E_CORRUPT;
    if (size / 32 > n) /* three bytes make at most 64: the size is a lie */
        return E_CORRUPT;
    if (size == 0)
        return snappy_validate_compressed_buffer(p, n) == SNAPPY_OK ? E_OK : E_CORRUPT;
    enum err r = strbuf_reserve(out, size);
    if (r)
        return r;
    if (snappy_uncompress(p, n, out->p + out->n, &size) != SNAPPY_OK)
        return E_CORRUPT;
    advance(out, size);
    return E_OK;
}

static bool xerial_here(const struct reader *r)
{
    return reader_left(r) >= XERIAL_HEADER && memcmp(r->at, xerial_magic, sizeof xerial_magic) == 0;
}

static enum err snappy_decompress(struct slice in, struct strbuf *out)
{
    size_t start = out->n;
    struct reader r = reader_of(in.p, in.n);
    enum err e = E_OK;
    if (!xerial_here(&r)) /* SPEC: broker 3.4: librdkafka writes one raw block */
        return undo(out, start, snappy_block(in.p, in.n, out));
    while (!e && reader_left(&r) > 0) {
        if (xerial_here(&r)) { /* also in the middle, where streams were joined */
            reader_take(&r, XERIAL_HEADER);
            continue;
        }
        size_t n = read_be32(&r);
        const uint8_t *p = reader_take(&r, n);
        e = p ? snappy_block((const char *)p, n, out) : E_CORRUPT;
    }
    return undo(out, start, e);
}

/* --- lz4 ------------------------------------------------------------------------------------- */

#define LZ4_CHUNK ((size_t)64 << 10)
#define LZ4_MAGIC 0x184d2204u

static enum err lz4_compress(int32_t level, struct slice in, struct strbuf *out)
{
    LZ4F_preferences_t prefs = {0};
    prefs.frameInfo.blockSizeID = LZ4F_max64KB;
    prefs.frameInfo.blockMode = LZ4F_blockIndependent;
    if (level != CODEC_LEVEL_DEFAULT) {
        if (level < 1 || level > 17)
            return E_INVALID;
        prefs.compressionLevel = MIN(level, LZ4F_compressionLevel_max());
    }
    prefs.autoFlush = 1;
    LZ4F_cctx *c;
    if (LZ4F_isError(LZ4F_createCompressionContext(&c, LZ4F_VERSION)))
        return E_NOMEM;
    size_t start = out->n, bound = LZ4F_compressBound(LZ4_CHUNK, &prefs), n = 0;
    enum err r = strbuf_reserve(out, LZ4F_HEADER_SIZE_MAX);
    if (!r) {
        n = LZ4F_compressBegin(c, out->p + out->n, LZ4F_HEADER_SIZE_MAX, &prefs);
        advance(out, LZ4F_isError(n) ? 0 : n);
    }
    for (size_t at = 0; !r && !LZ4F_isError(n) && at < in.n; at += LZ4_CHUNK) {
        r = strbuf_reserve(out, bound);
        if (r)
            break;
        n = LZ4F_compressUpdate(c, out->p + out->n, bound, in.p + at, MIN(LZ4_CHUNK, in.n - at),
                                NULL);
        advance(out, LZ4F_isError(n) ? 0 : n);
    }
    if (!r && !LZ4F_isError(n) && !(r = strbuf_reserve(out, LZ4F_compressBound(0, &prefs)))) {
        n = LZ4F_compressEnd(c, out->p + out->n, out->cap - out->n, NULL);
        advance(out, LZ4F_isError(n) ? 0 : n);
    }
    LZ4F_freeCompressionContext(c);
    if (!r && LZ4F_isError(n))
        r = E_NOMEM;
    return undo(out, start, r);
}

static uint32_t rotl(uint32_t v, int n)
{
    return v << n | v >> (32 - n);
}

/* XXH32 with seed 0: what the frame header is checked with. */
static uint32_t xxh32(const uint8_t *p, size_t n)
{
    const uint32_t p1 = 2654435761u, p2 = 2246822519u, p3 = 3266489917u, p4 = 668265263u,
                   p5 = 374761393u;
    const uint8_t *end = p + n;
    uint32_t h = p5;
    if (n >= 16) {
        uint32_t lane[4] = {p1 + p2, p2, 0, 0 - p1};
        for (; end - p >= 16; p += 16)
            for (int i = 0; i < 4; i++)
                lane[i] = rotl(lane[i] + load_le32(p + 4 * i) * p2, 13) * p1;
        h = rotl(lane[0], 1) + rotl(lane[1], 7) + rotl(lane[2], 12) + rotl(lane[3], 18);
    }
    h += (uint32_t)n;
    for (; end - p >= 4; p += 4)
        h = rotl(h + load_le32(p) * p3, 17) * p4;
    for (; p < end; p++)
        h = rotl(h + *p * p5, 11) * p1;
    h = (h ^ h >> 15) * p2;
    h = (h ^ h >> 13) * p3;
    return h ^ h >> 16;
}

/* SPEC: broker 3.4: old clients computed the header checksum over the magic number too. Copies such
 * a header with the right checksum into fixed; its length, or 0 when there is nothing to repair. */
static size_t repaired_header(struct slice in, uint8_t fixed[LZ4F_HEADER_SIZE_MAX])
{
    if (in.n < 7 || load_le32(in.p) != LZ4_MAGIC)
        return 0;
    uint8_t flags = (uint8_t)in.p[4];
    size_t n = 6u + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0); /* up to the checksum */
    if (in.n <= n || (uint8_t)in.p[n] != (xxh32((const uint8_t *)in.p, n) >> 8 & 255))
        return 0;
    memcpy(fixed, in.p, n);
    fixed[n] = (uint8_t)(xxh32(fixed + 4, n - 4) >> 8);
    return n + 1;
}

/* Feeds [at, end); *hint is 0 when a frame has ended. */
static enum err lz4_feed(LZ4F_dctx *d, const char **at, const char *end, struct strbuf *out,
                         size_t start, size_t *hint)
{
    enum err r = E_OK;
    size_t in = (size_t)(end - *at);
    do {
        char probe;
        bool full = out->n >= out->max;
        size_t room = full ? 1 : more_room(out, start, in, &r);
        if (r)
            return r;
        size_t made = room, used = (size_t)(end - *at);
        *hint = LZ4F_decompress(d, full ? &probe : out->p + out->n, &made, *at, &used, NULL);
        if (LZ4F_isError(*hint))
            return E_CORRUPT;
        *at += used;
        if (full && made)
            return E_TOO_LARGE;
        if (!full)
            advance(out, made);
        if (made == 0 && used == 0)
            break; /* wants more input */
    } while (*hint != 0);
    return E_OK;
}

static enum err lz4_decompress(struct slice in, bool magic0, struct strbuf *out)
{
    LZ4F_dctx *d;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)))
        return E_NOMEM;
    size_t start = out->n, hint = 1;
    const char *at = in.p, *end = in.p + in.n;
    enum err r = in.n >= 7 && load_le32(at) == LZ4_MAGIC ? E_OK : E_CORRUPT;
    uint8_t fixed[LZ4F_HEADER_SIZE_MAX];
    size_t n = magic0 && !r ? repaired_header(in, fixed) : 0;
    if (n) {
        const char *from = (const char *)fixed;
        at += n;
        r = lz4_feed(d, &from, from + n, out, start, &hint);
    }
    while (!r) {
        r = lz4_feed(d, &at, end, out, start, &hint);
        if (!r && hint != 0)
            r = E_CORRUPT; /* the input ends inside the frame */
        if (r || end - at < 7 || load_le32(at) != LZ4_MAGIC)
            break;
    }
    LZ4F_freeDecompressionContext(d);
    return undo(out, start, r);
}

/* --- zstd ------------------------------------------------------------------------------------ */

static pthread_key_t cctx_key, dctx_key;
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;
static bool keys_made;

static void free_cctx(void *p)
{
    ZSTD_freeCCtx(p);
}

static void free_dctx(void *p)
{
    ZSTD_freeDCtx(p);
}

static void make_keys(void)
{
    keys_made = pthread_key_create(&cctx_key, free_cctx) == 0 &&
                pthread_key_create(&dctx_key, free_dctx) == 0;
}

/* This thread's context; NULL without memory. */
static void *thread_context(bool decompress_one)
{
    pthread_once(&keys_once, make_keys);
    if (!keys_made)
        return NULL;
    pthread_key_t key = decompress_one ? dctx_key : cctx_key;
    void *c = pthread_getspecific(key);
    if (c)
        return c;
    c = decompress_one ? (void *)ZSTD_createDCtx() : (void *)ZSTD_createCCtx();
    if (c && pthread_setspecific(key, c) != 0) {
        decompress_one ? free_dctx(c) : free_cctx(c);
        return NULL;
    }
    return c;
}

static enum err zstd_compress(int32_t level, struct slice in, struct strbuf *out)
{
    if (level == CODEC_LEVEL_DEFAULT)
        level = ZSTD_CLEVEL_DEFAULT;
    if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel())
        return E_INVALID;
    ZSTD_CCtx *c = thread_context(false);
    if (!c)
        return E_NOMEM;
    size_t bound = ZSTD_compressBound(in.n);
    size_t left = out->max - MIN(out->max, out->n);
    enum err r = ZSTD_isError(bound) ? E_TOO_LARGE : strbuf_reserve(out, MAX(MIN(bound, left), 1));
    if (r)
        return r;
    size_t n =
        ZSTD_compressCCtx(c, out->p + out->n, MIN(out->cap, out->max) - out->n, in.p, in.n, level);
    if (ZSTD_isError(n))
        return bound > left ? E_TOO_LARGE : E_NOMEM;
    advance(out, n);
    return E_OK;
}

static enum err zstd_decompress(struct slice in, struct strbuf *out)
{
    ZSTD_DCtx *d = thread_context(true);
    if (!d)
        return E_NOMEM;
    ZSTD_DCtx_reset(d, ZSTD_reset_session_only);
    size_t start = out->n, status = 1;
    enum err r = in.n ? E_OK : E_CORRUPT;
    ZSTD_inBuffer from = {in.p, in.n, 0};
    unsigned long long size = in.n ? ZSTD_getFrameContentSize(in.p, in.n) : ZSTD_CONTENTSIZE_ERROR;
    if (!r && size < ZSTD_CONTENTSIZE_ERROR && size > 0 && size / 64 < in.n &&
        size <= out->max - MIN(out->max, out->n))
        r = strbuf_reserve(out, (size_t)size);
    while (!r && (from.pos < from.size || status != 0)) {
        char probe;
        bool full = out->n >= out->max;
        size_t room = full ? 1 : more_room(out, start, in.n, &r);
        if (r)
            break;
        ZSTD_outBuffer to = {full ? &probe : out->p + out->n, room, 0};
        size_t before = from.pos;
        status = ZSTD_decompressStream(d, &to, &from);
        if (ZSTD_isError(status))
            r = ZSTD_getErrorCode(status) == ZSTD_error_memory_allocation ? E_NOMEM : E_CORRUPT;
        else if (full && to.pos)
            r = E_TOO_LARGE;
        else if (!full)
            advance(out, to.pos);
        if (!r && to.pos == 0 && from.pos == before && status != 0)
            r = E_CORRUPT; /* the input ends inside the frame */
    }
    return undo(out, start, r);
}

/* --- all ------------------------------------------------------------------------------------- */

enum err codec_compress(enum codec c, int32_t level, struct slice in, struct strbuf *out)
{
    if (strbuf_err(out))
        return strbuf_err(out);
    if (!in.p)
        in = SL("");
    switch (c) {
    case CODEC_NONE:
        strbuf_add_slice(out, in);
        return strbuf_err(out);
    case CODEC_GZIP:
        return gzip_compress(level, in, out);
    case CODEC_SNAPPY: /* has no levels */
        return snappy_compress_xerial(in, out);
    case CODEC_LZ4:
        return lz4_compress(level, in, out);
    case CODEC_ZSTD:
        return zstd_compress(level, in, out);
    }
    return E_INVALID;
}

enum err codec_decompress(enum codec c, struct slice in, bool magic0_lz4, struct strbuf *out)
{
    if (strbuf_err(out))
        return strbuf_err(out);
    if (!in.p)
        in = SL("");
    switch (c) {
    case CODEC_NONE:
        strbuf_add_slice(out, in);
        return strbuf_err(out);
    case CODEC_GZIP:
        return gzip_decompress(in, out);
    case CODEC_SNAPPY:
        return snappy_decompress(in, out);
    case CODEC_LZ4:
        return lz4_decompress(in, magic0_lz4, out);
    case CODEC_ZSTD:
        return zstd_decompress(in, out);
    }
    return E_INVALID;
}
