/* tests/unit/base/test_bytes.c - readers, varints, hex, base64, UUIDs. */
#include "base/bytes.h"

#include "base/mem.h"
#include "helpers.h"

static void test_reader(void)
{
    static const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    struct reader r = reader_of(in, sizeof in);
    CHECK_INT(read_u8(&r), 1);
    CHECK_INT(read_be16(&r), 0x0203);
    CHECK_INT(read_le16(&r), 0x0504);
    CHECK_INT(read_be32(&r), 0x06070809);
    CHECK_INT(reader_left(&r), 2);
    CHECK_INT(read_be32(&r), 0);
    CHECK_ERR(r.err, E_TRUNCATED);
    CHECK_INT(reader_left(&r), 0);
    CHECK_INT(read_u8(&r), 0); /* sticky */
    reader_fail(&r, E_CORRUPT);
    CHECK_ERR(r.err, E_TRUNCATED); /* the first failure stays */
    r = reader_of(in, sizeof in);
    CHECK(read_le64(&r) == 0x0807060504030201u);
    CHECK(read_le_n(&r, 3) == 0x0b0a09);
    r = reader_of(in, sizeof in);
    CHECK(read_be64(&r) == 0x0102030405060708u);
    CHECK_SLICE(read_slice(&r, 3), SL("\x09\x0a\x0b"));
    CHECK_SLICE(read_slice(&r, 0), SL(""));
    CHECK_SLICE(read_slice(&r, 1), SLICE_NULL);
    CHECK_INT(load_le24(in), 0x030201);
    CHECK_INT(load_le48(in), 0x060504030201);
}

static struct reader of(struct slice s)
{
    return reader_of(s.p, s.n);
}

static void test_varint_limits(void)
{
    static const struct {
        struct slice in;
        enum err err;
        uint32_t value;
    } rows[] = {
        {SL_INIT("\x00"), E_OK, 0},
        {SL_INIT("\x7f"), E_OK, 127},
        {SL_INIT("\x80\x01"), E_OK, 128},
        {SL_INIT("\x80\x00"), E_OK, 0}, /* padded */
        {SL_INIT("\xff\xff\xff\xff\x0f"), E_OK, UINT32_MAX},
        {SL_INIT("\xff\xff\xff\xff\x1f"), E_CORRUPT, 0}, /* bit 32 in the fifth byte */
        {SL_INIT("\xff\xff\xff\xff\x8f\x00"), E_CORRUPT, 0},
        {SL_INIT("\x80\x80\x80\x80\x80\x00"), E_CORRUPT, 0}, /* six bytes */
        {SL_INIT("\x80\x80"), E_TRUNCATED, 0},
        {SL_INIT(""), E_TRUNCATED, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct reader r = of(rows[i].in);
        CHECK_INT(read_uvarint(&r), rows[i].value);
        CHECK_ERR(r.err, rows[i].err);
        CHECK_INT(reader_left(&r), 0);
    }
    struct reader r = of(SL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    CHECK(read_uvarint64(&r) == UINT64_MAX && r.err == E_OK);
    r = of(SL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
    CHECK(read_uvarint64(&r) == 0 && r.err == E_CORRUPT);
    r = of(SL("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"));
    CHECK(read_uvarint64(&r) == 0 && r.err == E_CORRUPT);
}

static void test_varint_round_trip(void)
{
    static const int64_t edge[] = {0,    -1,   1,         63,        64,        -64,      -65,
                                   8191, 8192, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    uint8_t out[10];
    for (size_t i = 0; i < ARRAY_LEN(edge); i++) {
        size_t n = (size_t)(write_varint(out, edge[i]) - out);
        CHECK_INT(n, varint_size(edge[i]));
        struct reader r = reader_of(out, n);
        CHECK_INT(read_varlong(&r), edge[i]);
        CHECK(r.err == E_OK && reader_left(&r) == 0);
        if (edge[i] >= INT32_MIN && edge[i] <= INT32_MAX) {
            r = reader_of(out, n);
            CHECK_INT(read_varint(&r), edge[i]);
            CHECK_OK(r.err);
        }
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t v = (uint64_t)1 << bit;
        for (uint64_t u = v - 1; u <= v; u++) {
            size_t n = (size_t)(write_uvarint(out, u) - out);
            CHECK_INT(n, uvarint_size(u));
            struct reader r = reader_of(out, n);
            CHECK(read_uvarint64(&r) == u && r.err == E_OK);
        }
    }
}

static void test_lenenc(void)
{
    struct reader r =
        of(SL("\xfa\xfc\x34\x12\xfd\x01\x02\x03\xfe\x01\x00\x00\x00\x00\x00\x00\x80\xfb"));
    CHECK_INT(read_lenenc(&r), 0xfa);
    CHECK_INT(read_lenenc(&r), 0x1234);
    CHECK_INT(read_lenenc(&r), 0x030201);
    CHECK(read_lenenc(&r) == 0x8000000000000001u);
    CHECK_OK(r.err);
    CHECK_INT(read_lenenc(&r), 0);
    CHECK_ERR(r.err, E_CORRUPT);
    r = of(SL("\xfc\x01"));
    CHECK_INT(read_lenenc(&r), 0);
    CHECK_ERR(r.err, E_TRUNCATED);
}

static void test_strbuf_bytes(void)
{
    struct strbuf b = STRBUF_INIT;
    strbuf_add_be16(&b, 0x0102);
    strbuf_add_be32(&b, 0x03040506);
    strbuf_add_be64(&b, 0x0708090a0b0c0d0e);
    strbuf_add_uvarint(&b, 300);
    strbuf_add_varint(&b, -1);
    CHECK_SLICE(strbuf_slice(&b), SL("\1\2\3\4\5\6\7\x08\x09\x0a\x0b\x0c\x0d\x0e\xac\x02\x01"));
    strbuf_release(&b);
}

static void test_hex(void)
{
    struct strbuf b = STRBUF_INIT;
    hex_encode(&b, SL("\x00\xff\x1a"));
    hex_encode(&b, SL(""));
    CHECK_STR(b.p, "00ff1a");
    strbuf_reset(&b);
    CHECK_OK(hex_decode(&b, SL("00fF1A")));
    CHECK_SLICE(strbuf_slice(&b), SL("\x00\xff\x1a"));
    CHECK_ERR(hex_decode(&b, SL("abc")), E_INVALID);
    CHECK_ERR(hex_decode(&b, SL("0g")), E_INVALID);
    CHECK_ERR(hex_decode(&b, SL("zz")), E_INVALID);
    CHECK_INT(b.n, 3); /* nothing added by the failures */
    strbuf_release(&b);
}

static void test_base64_vectors(void)
{
    static const struct {
        struct slice bytes;
        const char *std, *url;
    } rows[] = {
        {SL_INIT(""), "", ""},
        {SL_INIT("f"), "Zg==", "Zg"},
        {SL_INIT("fo"), "Zm8=", "Zm8"},
        {SL_INIT("foo"), "Zm9v", "Zm9v"},
        {SL_INIT("foobar"), "Zm9vYmFy", "Zm9vYmFy"},
        {SL_INIT("\xfb\xff\xfe"), "+//+", "-__-"},
        {SL_INIT("\xff"), "/w==", "_w"},
    };
    struct strbuf b = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strbuf_reset(&b);
        base64_encode(&b, rows[i].bytes);
        CHECK_STR(b.p, rows[i].std);
        strbuf_reset(&b);
        base64url_encode(&b, rows[i].bytes);
        CHECK_STR(b.p, rows[i].url);
        strbuf_reset(&b);
        CHECK_OK(base64_decode(&b, slice_cstr(rows[i].std)));
        CHECK_SLICE(strbuf_slice(&b), rows[i].bytes);
        strbuf_reset(&b);
        CHECK_OK(base64url_decode(&b, slice_cstr(rows[i].url)));
        CHECK_SLICE(strbuf_slice(&b), rows[i].bytes);
    }
    static const char *const bad[] = {"Z",    "Zg",       "Zg=",   "Zg===", "Z===",
                                      "====", "Zg==Zg==", "Zh==",  "Zm9=",  "Zm9v!mFy",
                                      "Zm 9", "-_-_",     "Z\n==", "=AAA"};
    strbuf_reset(&b);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_ERR(base64_decode(&b, slice_cstr(bad[i])), E_INVALID);
    CHECK_ERR(base64url_decode(&b, SL("Zg==")), E_INVALID);
    CHECK_ERR(base64url_decode(&b, SL("+/+/")), E_INVALID);
    CHECK_ERR(base64url_decode(&b, SL("A")), E_INVALID);
    CHECK_INT(b.n, 0);
    strbuf_release(&b);
}

static void test_base64_random(void)
{
    struct strbuf text = STRBUF_INIT, back = STRBUF_INIT;
    uint8_t bytes[300];
    for (size_t n = 0; n < sizeof bytes; n++) {
        bytes_random(bytes, n);
        strbuf_reset(&text);
        strbuf_reset(&back);
        base64_encode(&text, slice_of(bytes, n));
        CHECK_INT(text.n, (n + 2) / 3 * 4);
        CHECK_OK(base64_decode(&back, strbuf_slice(&text)));
        CHECK(back.n == n && memcmp(back.p, bytes, n) == 0);
    }
    strbuf_release(&text);
    strbuf_release(&back);
    strbuf_init(&text, 3);
    base64_encode(&text, SL("abc")); /* four characters do not fit */
    CHECK_ERR(strbuf_err(&text), E_TOO_LARGE);
    CHECK_ERR(base64_decode(&text, SL("Zm9v")), E_TOO_LARGE);
    strbuf_release(&text);
}

static void test_uuid(void)
{
    struct uuid u, v;
    char text[UUID_TEXT_SIZE];
    for (int i = 0; i < 2000; i++) {
        uuid_random(&u);
        uuid_text(&u, text);
        CHECK(strlen(text) == 22 && text[0] != '-');
        CHECK((u.b[6] & 0xf0) == 0x40 && (u.b[8] & 0xc0) == 0x80);
        CHECK_OK(uuid_parse(slice_cstr(text), &v));
        CHECK(memcmp(&u, &v, sizeof u) == 0);
    }
    memset(&u, 0, sizeof u);
    CHECK(uuid_is_zero(&u));
    uuid_text(&u, text);
    CHECK_STR(text, "AAAAAAAAAAAAAAAAAAAAAA");
    u.b[15] = 1;
    CHECK(!uuid_is_zero(&u));
    uuid_text(&u, text);
    CHECK_STR(text, "AAAAAAAAAAAAAAAAAAAAAQ");
    char dashed[UUID_DASHED_SIZE];
    u.b[0] = 0xfe;
    uuid_dashed(&u, dashed);
    CHECK_STR(dashed, "fe000000-0000-0000-0000-000000000001");
    CHECK_ERR(uuid_parse(SL(""), &v), E_INVALID);
    CHECK_ERR(uuid_parse(SL("AAAAAAAAAAAAAAAAAAAAA"), &v), E_INVALID);
    CHECK_ERR(uuid_parse(SL("AAAAAAAAAAAAAAAAAAAAAQ=="), &v), E_INVALID);
    CHECK_ERR(uuid_parse(SL("AAAAAAAAAAAAAAAAAAAAAB"), &v), E_INVALID); /* bits left over */
    CHECK_ERR(uuid_parse(SL("AAAAAAAAAA+AAAAAAAAAAA"), &v), E_INVALID);
}

static const struct test_case tests[] = {
    {"reader", test_reader},
    {"varint limits", test_varint_limits},
    {"varint round trip", test_varint_round_trip},
    {"length-encoded integers", test_lenenc},
    {"appending numbers", test_strbuf_bytes},
    {"hex", test_hex},
    {"base64 vectors", test_base64_vectors},
    {"base64 round trips", test_base64_random},
    {"uuid", test_uuid},
    {NULL, NULL},
};
const struct test_suite test_bytes = {"base/bytes", tests, NULL, NULL};
