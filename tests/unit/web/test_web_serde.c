/* tests/unit/web/test_web_serde.c - bytes to text and back by every serde, and what does not fit.
 */
#include "helpers.h"

#include "web/serde.h"

static void shows(enum serde s, struct slice bytes, const char *want, enum serde used)
{
    struct strbuf out = STRBUF_INIT;
    CHECK_INT(serde_show(s, bytes, &out), used);
    CHECK_STR(out.p, want);
    strbuf_release(&out);
}

static void parses(enum serde s, const char *text, struct slice want)
{
    struct strbuf out = STRBUF_INIT;
    struct error e = {0};
    CHECK_OK(serde_parse(s, slice_cstr(text), &out, &e));
    CHECK_SLICE(strbuf_slice(&out), want);
    strbuf_release(&out);
}

static void refuses(enum serde s, const char *text)
{
    struct strbuf out = STRBUF_INIT;
    struct error e = {0};
    strbuf_adds(&out, "before");
    CHECK_ERR(serde_parse(s, slice_cstr(text), &out, &e), E_INVALID);
    CHECK_STR(out.p, "before");
    CHECK(e.msg[0] != 0);
    strbuf_release(&out);
}

static void test_names(void)
{
    enum serde s;
    static const char *const names[] = {"String", "Int32",      "Int64",  "UInt32",
                                        "UInt64", "UUIDBinary", "Base64", "Hex"};
    CHECK_INT(ARRAY_LEN(names), SERDE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        CHECK(serde_find(slice_cstr(names[i]), &s));
        CHECK_INT(s, i);
        CHECK_STR(serde_name(s), names[i]);
        CHECK(serde_description(s)[0] != 0);
    }
    CHECK(!serde_find(SL("Fallback"), &s));
    CHECK(!serde_find(SL("string"), &s));
    CHECK(!serde_find(SLICE_NULL, &s));
    CHECK_STR(serde_name(SERDE_FALLBACK), "Fallback");
}

static void test_numbers(void)
{
    static const struct {
        enum serde s;
        struct slice bytes;
        const char *text;
    } rows[] = {
        {SERDE_INT32, SL_INIT("\0\0\0\1"), "1"},
        {SERDE_INT32, SL_INIT("\x80\0\0\0"), "-2147483648"},
        {SERDE_INT32, SL_INIT("\x7f\xff\xff\xff"), "2147483647"},
        {SERDE_UINT32, SL_INIT("\xff\xff\xff\xff"), "4294967295"},
        {SERDE_INT64, SL_INIT("\0\x20\0\0\0\0\0\1"), "9007199254740993"},
        {SERDE_INT64, SL_INIT("\x80\0\0\0\0\0\0\0"), "-9223372036854775808"},
        {SERDE_INT64, SL_INIT("\xff\xff\xff\xff\xff\xff\xff\xff"), "-1"},
        {SERDE_UINT64, SL_INIT("\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        shows(rows[i].s, rows[i].bytes, rows[i].text, rows[i].s);
        parses(rows[i].s, rows[i].text, rows[i].bytes);
    }
    parses(SERDE_INT32, " 7\n", SL("\0\0\0\7"));
    refuses(SERDE_INT32, "2147483648");
    refuses(SERDE_INT32, "-2147483649");
    refuses(SERDE_UINT32, "4294967296");
    refuses(SERDE_UINT32, "-1");
    refuses(SERDE_INT64, "9223372036854775808");
    refuses(SERDE_UINT64, "18446744073709551616");
    refuses(SERDE_INT64, "1.0");
    refuses(SERDE_INT64, "");
    refuses(SERDE_INT64, "abc");
}

static void test_wrong_length(void)
{
    shows(SERDE_INT64, SL("1001"), "1001", SERDE_FALLBACK);
    shows(SERDE_INT32, SL("12345"), "12345", SERDE_FALLBACK);
    shows(SERDE_INT32, SL(""), "", SERDE_FALLBACK);
    shows(SERDE_UUID, SL("short"), "short", SERDE_FALLBACK);
    shows(SERDE_UINT64, SL("\xff\xff"), "\xef\xbf\xbd\xef\xbf\xbd", SERDE_FALLBACK);
}

static void test_uuid(void)
{
    struct slice bytes = SL("\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00");
    shows(SERDE_UUID, bytes, "123e4567-e89b-12d3-a456-426614174000", SERDE_UUID);
    parses(SERDE_UUID, "123E4567-e89b-12d3-a456-426614174000", bytes);
    refuses(SERDE_UUID, "123e4567e89b12d3a456426614174000");
    refuses(SERDE_UUID, "123e4567-e89b-12d3-a456-42661417400g");
    refuses(SERDE_UUID, "123e4567-e89b-12d3-a4564-26614174000");
}

static void test_bytes(void)
{
    shows(SERDE_BASE64, SL("\0\xff\x10"), "AP8Q", SERDE_BASE64);
    shows(SERDE_BASE64, SL(""), "", SERDE_BASE64);
    parses(SERDE_BASE64, "AP8Q", SL("\0\xff\x10"));
    parses(SERDE_BASE64, " YQ==\n", SL("a"));
    refuses(SERDE_BASE64, "%%%%");
    shows(SERDE_HEX, SL("\x0a\xff\0"), "0A FF 00", SERDE_HEX);
    shows(SERDE_HEX, SL(""), "", SERDE_HEX);
    parses(SERDE_HEX, "0A FF 00", SL("\x0a\xff\0"));
    parses(SERDE_HEX, "0x0aff", SL("\x0a\xff"));
    parses(SERDE_HEX, "0a:ff-00", SL("\x0a\xff\0"));
    parses(SERDE_HEX, "", SL(""));
    refuses(SERDE_HEX, "0af");
    refuses(SERDE_HEX, "zz");
}

static void test_text(void)
{
    shows(SERDE_STRING, SL("\xed\x95\x9c\xea\xb8\x80"), "\xed\x95\x9c\xea\xb8\x80", SERDE_STRING);
    shows(SERDE_STRING, SL("a\xff z"), "a\xef\xbf\xbd z", SERDE_STRING);
    parses(SERDE_STRING, "", SL(""));
    parses(SERDE_STRING, " kept ", SL(" kept "));
}

static const struct test_case tests[] = {
    {"names", test_names},
    {"numbers", test_numbers},
    {"bytes of another length", test_wrong_length},
    {"UUID", test_uuid},
    {"base64 and hex", test_bytes},
    {"text", test_text},
    {NULL, NULL},
};
const struct test_suite test_web_serde = {"web/serde", tests};
