/* tests of cdc/mysql/decimal.c */
#include "cdc/mysql/decimal.h"

#include "base/bytes.h"
#include "helpers.h"

static void check_text(const char *hex, unsigned precision, unsigned scale, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    char text[DECIMAL_TEXT_MAX];
    size_t n = 0;

    CHECK_OK(hex_decode(&b, slice_cstr(hex)));
    CHECK_INT(b.n, decimal_binary_size(precision, scale));
    CHECK_OK(decimal_text((const uint8_t *)b.p, b.n, precision, scale, text, &n));
    CHECK_SLICE(slice_of(text, n), slice_cstr(want));
    /* the unscaled value must be what the text says */
    uint8_t from_bytes[DECIMAL_UNSCALED_MAX], from_text[DECIMAL_UNSCALED_MAX];
    size_t nb = 0, nt = 0;
    CHECK_OK(decimal_unscaled((const uint8_t *)b.p, b.n, precision, scale, from_bytes, &nb));
    CHECK_OK(decimal_parse(slice_cstr(want), scale, from_text, &nt));
    CHECK_SLICE(slice_of(from_bytes, nb), slice_of(from_text, nt));
    strbuf_release(&b);
}

static void binary(void)
{
    check_text("810dfb38d204d2", 14, 4, "1234567890.1234"); /* the manual's example */
    check_text("7ef204c72dfb2d", 14, 4, "-1234567890.1234");
    check_text("8000", 3, 2, "0.00");
    check_text("817b2d", 5, 2, "379.45");
    check_text("80", 1, 0, "0");
    check_text("89", 1, 0, "9");
    check_text("76", 1, 0, "-9");
}

static void sizes(void)
{
    CHECK_INT(decimal_binary_size(65, 30), 30);
    CHECK_INT(decimal_binary_size(10, 0), 5);
    CHECK_INT(decimal_binary_size(18, 9), 8);
    CHECK_INT(decimal_binary_size(0, 0), 0);
    CHECK_INT(decimal_binary_size(66, 0), 0);
    CHECK_INT(decimal_binary_size(5, 6), 0);
    CHECK_INT(decimal_binary_size(60, 39), 0);
}

static void damaged(void)
{
    uint8_t out[DECIMAL_UNSCALED_MAX], full[4] = {0xFF, 0xFF, 0xFF, 0xFF};
    char text[DECIMAL_TEXT_MAX];
    size_t n;

    CHECK_ERR(decimal_unscaled(full, 4, 9, 0, out, &n),
              E_CORRUPT); /* 2^31 - 1 is above nine digits */
    CHECK_ERR(decimal_text(full, 4, 9, 0, text, &n), E_CORRUPT);
    CHECK_ERR(decimal_unscaled(full, 3, 9, 0, out, &n), E_TRUNCATED);
    CHECK_ERR(decimal_unscaled(full, 4, 99, 0, out, &n), E_CORRUPT);
}

static void check_parse(const char *text, unsigned scale, const char *hex)
{
    struct strbuf b = STRBUF_INIT;
    uint8_t out[DECIMAL_UNSCALED_MAX];
    size_t n = 0;

    CHECK_OK(decimal_parse(slice_cstr(text), scale, out, &n));
    hex_encode(&b, slice_of(out, n));
    CHECK_STR(b.p, hex);
    strbuf_release(&b);
}

static void text(void)
{
    check_parse("123.45", 2, "3039"); /* SPEC: cdc-mysql 6.1: "MDk=" */
    check_parse("-1.00", 2, "9c");
    check_parse("0", 0, "00");
    check_parse("-0.000", 3, "00");
    check_parse("127", 0, "7f");
    check_parse("128", 0, "0080");
    check_parse("-128", 0, "80");
    check_parse("-129", 0, "ff7f");
    check_parse("1.005", 2, "65"); /* half up */
    check_parse("-1.005", 2, "9b");
    check_parse("99.995", 2, "2710");
    check_parse(".5", 0, "01");
    check_parse("1e3", 1, "2710");
    check_parse("12E-1", 1, "0c");
    check_parse(" +7 ", 0, "07");
    check_parse("18446744073709551615", 0, "00ffffffffffffffff");
    check_parse("-9223372036854775809", 0, "ff7fffffffffffffff");
    check_parse("1e-400", 3, "00");
}

static void not_numbers(void)
{
    static const char *const bad[] = {"", "-", ".", "1x", "1e", "1.2.3", "e5", "0x10"};
    uint8_t out[DECIMAL_UNSCALED_MAX];
    size_t n;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_ERR(decimal_parse(slice_cstr(bad[i]), 2, out, &n), E_INVALID);
    CHECK_ERR(decimal_parse(SL("1e500"), 0, out, &n), E_TOO_LARGE);
    CHECK_ERR(decimal_parse(SL("1e77"), 0, out, &n), E_TOO_LARGE);
}

static void check_rescale(const char *in, unsigned scale, const char *want)
{
    char out[DECIMAL_TEXT_MAX];
    size_t n = 0;

    CHECK_OK(decimal_rescale_text(slice_cstr(in), scale, out, &n));
    CHECK_SLICE(slice_of(out, n), slice_cstr(want));
}

static void rescale(void)
{
    check_rescale("1.5", 3, "1.500");
    check_rescale("0.005", 2, "0.01");
    check_rescale("-.5", 0, "-1");
    check_rescale("9.99", 1, "10.0");
    check_rescale("3", 0, "3");
    check_rescale("-0.001", 2, "0.00");
    check_rescale("1e2", 2, "100.00");
}

static void integers(void)
{
    uint8_t out[DECIMAL_UNSCALED_MAX];

    CHECK_INT(decimal_from_i64(0, out), 1);
    CHECK_INT(decimal_from_i64(INT64_MIN, out), 8);
    CHECK_INT(decimal_from_i64(-1, out), 1);
    CHECK_INT(out[0], 0xFF);
    CHECK_INT(decimal_from_u64(UINT64_MAX, out), 9);
    CHECK_INT(out[0], 0);
}

static const struct test_case tests[] = {
    {"binary", binary},           {"sizes", sizes},     {"damaged", damaged},   {"text", text},
    {"not numbers", not_numbers}, {"rescale", rescale}, {"integers", integers}, {NULL, NULL},
};
const struct test_suite test_mysql_decimal = {"cdc/mysql/decimal", tests};
