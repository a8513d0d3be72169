/* tests/unit/base/test_compress.c - round trips of each codec, foreign forms, ceilings, broken
 * input. */
#include "base/compress.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "helpers.h"

static const enum codec codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD};

/* Text that compresses (kind 0), noise (1) or zeros (2). */
static char *sample(size_t n, int kind)
{
    char *p = xmalloc(n + 1);
    if (kind == 1)
        bytes_random(p, n);
    else
        memset(p, 0, n);
    for (size_t i = 0; kind == 0 && i < n; i++)
        p[i] = "{\"id\":1001,\"name\":\"Sally\"}"[i % 26];
    for (size_t i = 0; kind == 0 && i < n; i += 97)
        p[i] = (char)('a' + i / 97 % 26);
    return p;
}

static void round_trip(enum codec c, int32_t level, size_t n, int kind)
{
    char *p = sample(n, kind);
    struct strbuf packed = STRBUF_INIT, back = STRBUF_INIT;
    strbuf_adds(&packed, "before");
    strbuf_adds(&back, "kept");
    CHECK_OK(codec_compress(c, level, slice_of(p, n), &packed));
    CHECK(slice_starts(strbuf_slice(&packed), SL("before")));
    struct slice in = slice_sub(strbuf_slice(&packed), 6, packed.n);
    CHECK_OK(codec_decompress(c, in, false, &back));
    CHECK_INT(back.n, n + 4);
    CHECK(memcmp(back.p, "kept", 4) == 0 && back.n == n + 4 && memcmp(back.p + 4, p, n) == 0);
    /* A ceiling of exactly the size is enough, one less is not; a failure leaves nothing behind. */
    struct strbuf exact;
    strbuf_init(&exact, MAX(n, 1));
    CHECK_OK(codec_decompress(c, in, false, &exact));
    CHECK_INT(exact.n, n);
    strbuf_release(&exact);
    if (n > 1) {
        strbuf_init(&exact, n - 1);
        CHECK_ERR(codec_decompress(c, in, false, &exact), E_TOO_LARGE);
        CHECK_INT(exact.n, 0);
        strbuf_release(&exact);
    }
    strbuf_release(&packed);
    strbuf_release(&back);
    mem_free(p);
}

static void test_round_trips(void)
{
    static const size_t sizes[] = {0,     1,     5,     100,   4095,    4096,
                                   32768, 32769, 65536, 65537, 1000000, (3 << 20) + 17};
    for (size_t c = 0; c < ARRAY_LEN(codecs); c++)
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++)
            for (int kind = 0; kind < 3; kind++)
                round_trip(codecs[c], CODEC_LEVEL_DEFAULT, sizes[s], kind);
}

static void test_levels(void)
{
    static const struct {
        enum codec codec;
        int32_t low, high;
    } rows[] = {{CODEC_GZIP, -1, 9}, {CODEC_LZ4, 1, 17}, {CODEC_ZSTD, -131072, 22}};
    struct strbuf b = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        round_trip(rows[i].codec, rows[i].low, 70000, 0);
        round_trip(rows[i].codec, rows[i].high, 70000, 0);
        CHECK_ERR(codec_compress(rows[i].codec, rows[i].low - 1, SL("x"), &b), E_INVALID);
        CHECK_ERR(codec_compress(rows[i].codec, rows[i].high + 1, SL("x"), &b), E_INVALID);
    }
    strbuf_release(&b);
}

static void test_names(void)
{
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        enum codec c = CODEC_NONE;
        CHECK_OK(codec_parse(slice_cstr(codec_name(codecs[i])), &c));
        CHECK_INT(c, codecs[i]);
    }
    enum codec c;
    CHECK_ERR(codec_parse(SL("bzip2"), &c), E_INVALID);
    CHECK_ERR(codec_parse(SL(""), &c), E_INVALID);
    CHECK_STR(codec_name((enum codec)77), "unknown");
    struct strbuf b = STRBUF_INIT;
    CHECK_ERR(codec_compress((enum codec)7, CODEC_LEVEL_DEFAULT, SL("x"), &b), E_INVALID);
    CHECK_ERR(codec_decompress((enum codec)7, SL("x"), false, &b), E_INVALID);
}

static void packed_as(enum codec c, struct slice in, struct strbuf *out)
{
    CHECK_OK(codec_compress(c, CODEC_LEVEL_DEFAULT, in, out));
}

static void unpacks_to(enum codec c, struct slice in, bool magic0, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    CHECK_OK(codec_decompress(c, in, magic0, &b));
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void test_gzip_members(void)
{
    struct strbuf b = STRBUF_INIT;
    packed_as(CODEC_GZIP, SL("one,"), &b);
    packed_as(CODEC_GZIP, SL(""), &b);
    packed_as(CODEC_GZIP, SL("two"), &b);
    unpacks_to(CODEC_GZIP, strbuf_slice(&b), false, "one,two");
    strbuf_adds(&b, "trailing bytes that are no member");
    unpacks_to(CODEC_GZIP, strbuf_slice(&b), false, "one,two");
    strbuf_release(&b);
}

static void test_snappy_forms(void)
{
    struct strbuf b = STRBUF_INIT;
    packed_as(CODEC_SNAPPY, SL("one,"), &b);
    CHECK(slice_starts(strbuf_slice(&b), SL("\x82SNAPPY\0\0\0\0\1\0\0\0\1\0\0\0")));
    packed_as(CODEC_SNAPPY, SL("two"), &b); /* joined streams */
    unpacks_to(CODEC_SNAPPY, strbuf_slice(&b), false, "one,two");
    strbuf_reset(&b);
    char raw[100];
    size_t n = sizeof raw;
    CHECK(snappy_compress("raw block", 9, raw, &n) == SNAPPY_OK);
    unpacks_to(CODEC_SNAPPY, slice_of(raw, n), false, "raw block");
    /* 10 bytes that promise 4 GiB */
    CHECK_ERR(
        codec_decompress(CODEC_SNAPPY, SL("\xff\xff\xff\xff\x0f\x00\x00\x00\x00\x00"), false, &b),
        E_CORRUPT);
    /* a block length that goes past the end, or is negative */
    CHECK_ERR(
        codec_decompress(CODEC_SNAPPY, SL("\x82SNAPPY\0\0\0\0\1\0\0\0\1\0\0\0\x09xx"), false, &b),
        E_CORRUPT);
    CHECK_ERR(codec_decompress(CODEC_SNAPPY, SL("\x82SNAPPY\0\0\0\0\1\0\0\0\1\xff\xff\xff\xff\0"),
                               false, &b),
              E_CORRUPT);
    CHECK_INT(b.n, 0);
    CHECK_INT(b.cap <= 4096, true);
    strbuf_release(&b);
}

static void test_lz4_frame_form(void)
{
    struct strbuf b = STRBUF_INIT;
    char *p = sample(200000, 0);
    packed_as(CODEC_LZ4, slice_of(p, 200000), &b);
    /* version 01, independent blocks, no checksums, no content size; 64 KiB blocks */
    CHECK(slice_starts(strbuf_slice(&b), SL("\x04\x22\x4d\x18\x60\x40")));
    mem_free(p);
    strbuf_release(&b);
}

static uint32_t rotl(uint32_t v, int n)
{
    return v << n | v >> (32 - n);
}

/* XXH32 of fewer than 16 bytes, written apart from the code under test. */
static uint32_t xxh32_small(const uint8_t *p, size_t n)
{
    uint32_t h = 374761393u + (uint32_t)n;
    for (; n >= 4; n -= 4, p += 4)
        h = rotl(h + load_le32(p) * 3266489917u, 17) * 668265263u;
    for (; n; n--, p++)
        h = rotl(h + *p * 374761393u, 11) * 2654435761u;
    h = (h ^ h >> 15) * 2246822519u;
    h = (h ^ h >> 13) * 3266489917u;
    return h ^ h >> 16;
}

static void test_lz4_old_checksum(void)
{
    struct strbuf b = STRBUF_INIT, out = STRBUF_INIT;
    packed_as(CODEC_LZ4, SL("from an old client"), &b);
    uint8_t right = (uint8_t)b.p[6];
    CHECK_INT(right, xxh32_small((const uint8_t *)b.p + 4, 2) >> 8 & 255);
    uint8_t wrong = (uint8_t)(xxh32_small((const uint8_t *)b.p, 6) >> 8);
    CHECK(wrong != right);
    unpacks_to(CODEC_LZ4, strbuf_slice(&b), true,
               "from an old client"); /* right ones pass in both modes */
    b.p[6] = (char)wrong;
    CHECK_ERR(codec_decompress(CODEC_LZ4, strbuf_slice(&b), false, &out), E_CORRUPT);
    unpacks_to(CODEC_LZ4, strbuf_slice(&b), true, "from an old client");
    b.p[6] = (char)(wrong ^ 1);
    if ((uint8_t)b.p[6] != right)
        CHECK_ERR(codec_decompress(CODEC_LZ4, strbuf_slice(&b), true, &out), E_CORRUPT);
    strbuf_release(&b);
    strbuf_release(&out);
}

/* With a content size in the header the checksum covers 14 (18) bytes. */
static void test_lz4_content_size(void)
{
    LZ4F_preferences_t prefs = {0};
    prefs.frameInfo.contentSize = 5;
    prefs.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    char frame[200];
    size_t n = LZ4F_compressFrame(frame, sizeof frame, "sized", 5, &prefs);
    CHECK(!LZ4F_isError(n));
    unpacks_to(CODEC_LZ4, slice_of(frame, n), false, "sized");
    unpacks_to(CODEC_LZ4, slice_of(frame, n), true, "sized");
    struct strbuf two = STRBUF_INIT;
    strbuf_add(&two, frame, n);
    strbuf_add(&two, frame, n);
    unpacks_to(CODEC_LZ4, strbuf_slice(&two), false, "sizedsized");
    strbuf_release(&two);
}

static void test_zstd_unknown_size(void)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    char frame[300];
    struct strbuf b = STRBUF_INIT;
    for (int i = 0; i < 2; i++) { /* streamed frames say nothing of their size */
        ZSTD_outBuffer to = {frame, sizeof frame, 0};
        ZSTD_inBuffer part = {i ? "second" : "first ", 6, 0}, none = {NULL, 0, 0};
        CHECK(!ZSTD_isError(ZSTD_compressStream2(c, &to, &part, ZSTD_e_flush)));
        CHECK(ZSTD_compressStream2(c, &to, &none, ZSTD_e_end) == 0);
        CHECK(ZSTD_getFrameContentSize(frame, to.pos) == ZSTD_CONTENTSIZE_UNKNOWN);
        strbuf_add(&b, frame, to.pos);
    }
    ZSTD_freeCCtx(c);
    unpacks_to(CODEC_ZSTD, strbuf_slice(&b), false, "first second");
    strbuf_release(&b);
}

static void test_broken(void)
{
    char *p = sample(50000, 0);
    for (size_t i = 1; i < ARRAY_LEN(codecs); i++) {
        struct strbuf good = STRBUF_INIT, out = STRBUF_INIT;
        packed_as(codecs[i], slice_of(p, 50000), &good);
        CHECK_ERR(codec_decompress(codecs[i], SL(""), false, &out), E_CORRUPT);
        CHECK_ERR(codec_decompress(codecs[i], SLICE_NULL, true, &out), E_CORRUPT);
        CHECK_ERR(codec_decompress(codecs[i], SL("no such format at all"), false, &out), E_CORRUPT);
        for (size_t cut = 1; cut < good.n; cut += 1 + good.n / 200) {
            enum err r =
                codec_decompress(codecs[i], slice_sub(strbuf_slice(&good), 0, cut), false, &out);
            /* xerial has no end mark: a cut between blocks is a shorter stream */
            CHECK(r == E_CORRUPT || (codecs[i] == CODEC_SNAPPY && r == E_OK && out.n < 50000));
            CHECK(out.n == 0 || r == E_OK);
            strbuf_reset(&out);
        }
        for (size_t at = 0; at < good.n; at += 1 + good.n / 500) { /* any answer but a crash */
            good.p[at] ^= 0x55;
            enum err r = codec_decompress(codecs[i], strbuf_slice(&good), at & 1, &out);
            CHECK(r == E_OK || out.n == 0);
            CHECK_INT(out.p[out.n], 0);
            good.p[at] ^= 0x55;
            strbuf_reset(&out);
        }
        strbuf_release(&good);
        strbuf_release(&out);
    }
    mem_free(p);
}

static void test_bomb(void)
{
    char *p = sample((size_t)8 << 20, 2);
    for (size_t i = 1; i < ARRAY_LEN(codecs); i++) {
        struct strbuf packed = STRBUF_INIT, out;
        packed_as(codecs[i], slice_of(p, (size_t)8 << 20), &packed);
        strbuf_init(&out, (size_t)1 << 20);
        CHECK_ERR(codec_decompress(codecs[i], strbuf_slice(&packed), false, &out), E_TOO_LARGE);
        CHECK(out.cap <= (size_t)1 << 20);
        strbuf_release(&out);
        strbuf_init(&out, 10); /* the ceiling holds when packing, too */
        CHECK_ERR(codec_compress(codecs[i], CODEC_LEVEL_DEFAULT, slice_of(p, 100000), &out),
                  E_TOO_LARGE);
        CHECK_INT(out.n, 0);
        strbuf_release(&out);
        strbuf_release(&packed);
    }
    mem_free(p);
}

static void test_faults(void)
{
    char *p = sample(100000, 1);
    for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
        struct strbuf good = STRBUF_INIT;
        packed_as(codecs[i], slice_of(p, 100000), &good);
        for (int64_t n = 1; n < 1000; n++) {
            struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
            mem_fail_at(n);
            enum err r = codec_compress(codecs[i], CODEC_LEVEL_DEFAULT, slice_of(p, 100000), &a);
            if (!r)
                r = codec_decompress(codecs[i], strbuf_slice(&good), false, &b);
            bool hit = mem_fail_hit();
            mem_fail_at(0);
            CHECK_ERR(r, hit ? E_NOMEM : E_OK);
            strbuf_release(&a);
            strbuf_release(&b);
            if (!hit)
                break;
        }
        strbuf_release(&good);
    }
    mem_free(p);
}

static const struct test_case tests[] = {
    {"round trips", test_round_trips},
    {"levels", test_levels},
    {"names", test_names},
    {"gzip members", test_gzip_members},
    {"snappy forms", test_snappy_forms},
    {"lz4 frame form", test_lz4_frame_form},
    {"lz4 header checksum of old clients", test_lz4_old_checksum},
    {"lz4 with content size", test_lz4_content_size},
    {"zstd without content size", test_zstd_unknown_size},
    {"broken input", test_broken},
    {"bombs stop at the ceiling", test_bomb},
    {"every allocation may fail", test_faults},
    {NULL, NULL},
};
const struct test_suite test_compress = {"base/compress", tests, NULL, NULL};
