/* base/hash.c - checksums and hashes, see hash.h.
 *
 * crc32c: with SSE4.2 three streams are computed side by side (the instruction has a latency of
 * three cycles and a throughput of one) and joined by advancing a CRC over a fixed count of zero
 * bytes, which is a linear operation, hence four table lookups. Without it: slicing by eight.
 * Tables are made once, on first use, by whichever thread comes first (pthread_once). Pure; thread:
 * any. */
#include "base/hash.h"

#include <openssl/sha.h>
#include <pthread.h>
#include <zlib.h>

#include "base/base.h"
#include "base/bytes.h"

#define POLY 0x82f63b78u /* 0x1edc6f41 reflected */
#define LONG_RUN ((size_t)4096)
#define SHORT_RUN ((size_t)256)

static uint32_t table[8][256];
static uint32_t skip_long[4][256],
    skip_short[4][256]; /* a CRC advanced over the run's zero bytes */
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

/* a * b modulo the polynomial, reflected: bit 31 is x^0. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (int i = 31; i >= 0; i--) {
        if (a >> i & 1)
            product ^= b;
        b = b & 1 ? b >> 1 ^ POLY : b >> 1;
    }
    return product;
}

static void make_skip(uint32_t skip[4][256], size_t bytes)
{
    uint32_t factor = 0x80000000u, square = 0x40000000u; /* x^0, x^1 */
    for (size_t bits = bytes * 8; bits; bits >>= 1) {
        if (bits & 1)
            factor = multiply(factor, square);
        square = multiply(square, square);
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 0; k < 4; k++)
            skip[k][i] = multiply(factor, i << 8 * k);
}

static void make_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? c >> 1 ^ POLY : c >> 1;
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
    make_skip(skip_long, LONG_RUN);
    make_skip(skip_short, SHORT_RUN);
}

uint32_t crc32c_table(uint32_t crc, const void *p, size_t n)
{
    pthread_once(&tables_once, make_tables);
    const uint8_t *at = p;
    uint32_t c = ~crc;
    for (; n >= 8; n -= 8, at += 8) {
        uint64_t v = load_le64(at) ^ c;
        c = table[7][v & 255] ^ table[6][v >> 8 & 255] ^ table[5][v >> 16 & 255] ^
            table[4][v >> 24 & 255] ^ table[3][v >> 32 & 255] ^ table[2][v >> 40 & 255] ^
            table[1][v >> 48 & 255] ^ table[0][v >> 56];
    }
    while (n--)
        c = c >> 8 ^ table[0][(c ^ *at++) & 255];
    return ~c;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

static ALWAYS_INLINE uint32_t advance(uint32_t skip[4][256], uint32_t c)
{
    return skip[0][c & 255] ^ skip[1][c >> 8 & 255] ^ skip[2][c >> 16 & 255] ^ skip[3][c >> 24];
}

/* Three runs of `run` bytes at once; returns the CRC over all of them. */
__attribute__((target("sse4.2"))) static ALWAYS_INLINE uint64_t three_runs(uint64_t c0,
                                                                           const uint8_t *at,
                                                                           size_t run,
                                                                           uint32_t skip[4][256])
{
    uint64_t c1 = 0, c2 = 0;
    for (size_t i = 0; i < run; i += 8) {
        c0 = _mm_crc32_u64(c0, load_le64(at + i));
        c1 = _mm_crc32_u64(c1, load_le64(at + run + i));
        c2 = _mm_crc32_u64(c2, load_le64(at + 2 * run + i));
    }
    c0 = advance(skip, (uint32_t)c0) ^ c1;
    return advance(skip, (uint32_t)c0) ^ c2;
}

__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *p,
                                                               size_t n)
{
    const uint8_t *at = p;
    uint64_t c = (uint32_t)~crc;
    if (n >= 3 * SHORT_RUN) {
        pthread_once(&tables_once, make_tables);
        for (; n >= 3 * LONG_RUN; n -= 3 * LONG_RUN, at += 3 * LONG_RUN)
            c = three_runs(c, at, LONG_RUN, skip_long);
        for (; n >= 3 * SHORT_RUN; n -= 3 * SHORT_RUN, at += 3 * SHORT_RUN)
            c = three_runs(c, at, SHORT_RUN, skip_short);
    }
    for (; n >= 8; n -= 8, at += 8)
        c = _mm_crc32_u64(c, load_le64(at));
    while (n--)
        c = _mm_crc32_u8((uint32_t)c, *at++);
    return ~(uint32_t)c;
}

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    if (LIKELY(__builtin_cpu_supports("sse4.2")))
        return crc32c_sse42(crc, p, n);
    return crc32c_table(crc, p, n);
}
#else
uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    return crc32c_table(crc, p, n);
}
#endif

uint32_t crc32_ieee(uint32_t crc, const void *p, size_t n)
{
    return (uint32_t)crc32_z(crc, n ? p : (const void *)"", n); /* NULL would mean "start value" */
}

/* SPEC: the Java client's Utils.murmur2. */
uint32_t murmur2(struct slice key)
{
    const uint32_t m = 0x5bd1e995;
    const char *at = key.p;
    size_t n = key.n;
    uint32_t h = 0x9747b28cu ^ (uint32_t)n;
    for (; n >= 4; n -= 4, at += 4) {
        uint32_t k = load_le32(at);
        k *= m;
        k ^= k >> 24;
        k *= m;
        h = h * m ^ k;
    }
    if (n > 0) {
        uint32_t k = 0;
        for (size_t i = 0; i < n; i++)
            k |= (uint32_t)(uint8_t)at[i] << 8 * i;
        h = (h ^ k) * m;
    }
    h ^= h >> 13;
    h *= m;
    return h ^ h >> 15;
}

/* Both halves of the 128-bit product, folded: one multiplication mixes 16 bytes of input. */
static ALWAYS_INLINE uint64_t fold(uint64_t a, uint64_t b)
{
    unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint64_t hash64(struct slice s, uint64_t seed)
{
    static const uint64_t k0 = 0xa0761d6478bd642fu, k1 = 0xe7037ed1a0b428dbu;
    const char *at = s.p;
    size_t n = s.n;
    uint64_t h = seed ^ k0;
    uint64_t secret = fold(h, k1); /* no input may be known to make a factor zero */
    for (; n > 16; n -= 16, at += 16)
        h = fold(load_le64(at) ^ secret, load_le64(at + 8) ^ h);
    uint64_t a = 0, b = 0;
    if (n >= 8) {
        a = load_le64(at);
        b = load_le64(at + n - 8);
    } else if (n >= 4) {
        a = load_le32(at);
        b = load_le32(at + n - 4);
    } else if (n > 0) {
        a = (uint64_t)(uint8_t)at[0] << 16 | (uint64_t)(uint8_t)at[n / 2] << 8 | (uint8_t)at[n - 1];
    }
    return fold(k1 ^ s.n, fold(a ^ secret, b ^ h));
}

void sha256(struct slice s, uint8_t out[32])
{
    SHA256((const unsigned char *)(s.p ? s.p : ""), s.n, out);
}
