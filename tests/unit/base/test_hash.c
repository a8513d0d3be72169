/* tests/unit/base/test_hash.c - known vectors; the table form against the instruction. */
#include "base/hash.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "helpers.h"

static void test_crc32c_vectors(void)
{
    uint8_t buf[32];
    CHECK_INT(crc32c(0, "123456789", 9), 0xe3069283);
    CHECK_INT(crc32c(0, NULL, 0), 0);
    memset(buf, 0, sizeof buf); /* RFC 3720, B.4 */
    CHECK_INT(crc32c(0, buf, sizeof buf), 0x8a9136aa);
    memset(buf, 0xff, sizeof buf);
    CHECK_INT(crc32c(0, buf, sizeof buf), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof buf; i++)
        buf[i] = i;
    CHECK_INT(crc32c(0, buf, sizeof buf), 0x46dd794e);
    CHECK_INT(crc32c_table(0, buf, sizeof buf), 0x46dd794e);
}

static void test_crc32c_forms_agree(void)
{
    size_t size = 40000;
    uint8_t *p = xmalloc(size);
    bytes_random(p, size);
    bool same = true;
    for (size_t n = 0; n < 2000; n++)
        same = same && crc32c(0, p + n % 9, n) == crc32c_table(0, p + n % 9, n);
    for (size_t n = 2000; n < size - 8; n += 997)
        same = same && crc32c(7, p + n % 9, n) == crc32c_table(7, p + n % 9, n);
    CHECK(same);
    uint32_t whole = crc32c(0, p, size);
    for (size_t cut = 0; cut < size; cut += 1237)
        same = same && crc32c(crc32c(0, p, cut), p + cut, size - cut) == whole;
    CHECK(same);
    mem_free(p);
}

static void test_crc32_ieee(void)
{
    CHECK_INT(crc32_ieee(0, "123456789", 9), 0xcbf43926);
    CHECK_INT(crc32_ieee(0, NULL, 0), 0);
    CHECK_INT(crc32_ieee(crc32_ieee(0, "1234", 4), "56789", 5), 0xcbf43926);
    CHECK_INT(crc32_ieee(0x12345678, NULL, 0), 0x12345678);
}

static void test_murmur2(void)
{
    static const struct {
        const char *key;
        int32_t hash;
    } rows[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        CHECK_INT((int32_t)murmur2(slice_cstr(rows[i].key)), rows[i].hash);
    CHECK_INT((int32_t)murmur2(SL("")), 275646681);
}

static void test_hash64(void)
{
    char text[64];
    bytes_random(text, sizeof text);
    for (size_t n = 1; n < sizeof text; n++) {
        uint64_t h = hash64(slice_of(text, n), 5);
        CHECK(h == hash64(slice_of(text, n), 5));
        CHECK(h != hash64(slice_of(text, n), 6));
        CHECK(h != hash64(slice_of(text, n - 1), 5));
        for (size_t i = 0; i < n; i++) {
            text[i] ^= 1;
            CHECK(h != hash64(slice_of(text, n), 5));
            text[i] ^= 1;
        }
    }
    CHECK(hash64(SLICE_NULL, 1) == hash64(SL(""), 1));
}

static void test_sha256(void)
{
    uint8_t out[32];
    struct strbuf b = STRBUF_INIT;
    sha256(SL("abc"), out);
    hex_encode(&b, slice_of(out, sizeof out));
    CHECK_STR(b.p, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    strbuf_release(&b);
}

static const struct test_case tests[] = {
    {"crc32c vectors", test_crc32c_vectors},
    {"crc32c: table and instruction agree", test_crc32c_forms_agree},
    {"crc32", test_crc32_ieee},
    {"murmur2 as the Java client", test_murmur2},
    {"hash64", test_hash64},
    {"sha256", test_sha256},
    {NULL, NULL},
};
const struct test_suite test_hash = {"base/hash", tests, NULL, NULL};
