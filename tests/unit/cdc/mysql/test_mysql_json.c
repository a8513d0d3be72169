/* tests of cdc/mysql/json_binary.c and json_partial.c */
#include "cdc/mysql/json_binary.h"

#include "base/bytes.h"
#include "helpers.h"

static void check(const char *hex, const char *want)
{
    struct strbuf in = STRBUF_INIT, out = STRBUF_INIT;
    struct error e = {.msg = ""};

    CHECK_OK(hex_decode(&in, slice_cstr(hex)));
    CHECK_OK(mysql_json_text(strbuf_slice(&in), &out, &e));
    CHECK_STR(out.p, want);
    for (size_t n = 1; n < in.n; n++) { /* every shorter form is refused or harmless */
        strbuf_reset(&out);
        (void)!mysql_json_text(slice_of(in.p, n), &out, &e);
    }
    strbuf_release(&in);
    strbuf_release(&out);
}

static void values(void)
{
    check("", "null");
    check("0400", "null");
    check("0401", "true");
    check("05ffff", "-1");
    check("06ffff", "65535");
    check("0700000080", "-2147483648");
    check("0affffffffffffffff", "18446744073709551615");
    check("0c03616263", "\"abc\"");
    check("0c06220a5c01097f", "\"\\\"\\n\\\\\\u0001\\t\x7f\"");
    check("0b000000000000f83f", "1.5");
}

static void containers(void)
{
    /* {"a": 1, "b": [true]}: count, size; keys at 18 and 19; int16 in place, array at 20 */
    check("000200"
          "1b00"
          "1200"
          "0100"
          "1300"
          "0100"
          "050100"
          "021400"
          "6162"
          "01000700040100",
          "{\"a\":1,\"b\":[true]}");
    check("0200000400", "[]");
    check("0000000400", "{}");
}

static void doubles(void)
{
    static const struct {
        double d;
        const char *want;
    } rows[] = {{1.0, "1.0"},
                {-0.0, "-0.0"},
                {0.1, "0.1"},
                {100000.0, "100000.0"},
                {1e10, "10000000000"},
                {12345678.9, "12345678.90000000037252902984619140625"},
                {0.001, "0.001"},
                {9999999.5, "9999999.5"},
                {1e7, "10000000"},
                {-2.5e-4, "-0.0002500000000000000052041704279304212832357734441757202148437"
                          "5"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf b = STRBUF_INIT;
        mysql_json_double(rows[i].d, &b);
        CHECK_STR(b.p, rows[i].want);
        strbuf_release(&b);
    }
    struct strbuf b = STRBUF_INIT;
    mysql_json_double(1.7976931348623157e308, &b);
    CHECK_INT(b.n, 309);
    strbuf_reset(&b);
    mysql_json_double(4.9e-324, &b);
    CHECK_INT(b.n, 1076);
    strbuf_release(&b);
}

static void refuse(const char *hex, enum err want)
{
    struct strbuf in = STRBUF_INIT, out = STRBUF_INIT;
    struct error e = {.msg = ""};

    CHECK_OK(hex_decode(&in, slice_cstr(hex)));
    CHECK_ERR(mysql_json_text(strbuf_slice(&in), &out, &e), want);
    CHECK(e.msg[0] != '\0');
    strbuf_release(&in);
    strbuf_release(&out);
}

static void damaged(void)
{
    refuse("0403", E_CORRUPT);             /* a literal that is none */
    refuse("09010203", E_CORRUPT);         /* short */
    refuse("0c05616263", E_CORRUPT);       /* string longer than its data */
    refuse("0cffffffffff01", E_CORRUPT);   /* length above 5 bytes */
    refuse("0dff", E_CORRUPT);             /* type */
    refuse("020100ff00", E_CORRUPT);       /* size beyond the data */
    refuse("02ffff0600ffff", E_CORRUPT);   /* count beyond the size */
    refuse("02010007000c0900", E_CORRUPT); /* offset outside */
    refuse("0ff602", E_CORRUPT);           /* opaque cut off */
}

/* An array whose only member is itself: the budget of nodes ends it. */
static void recursion(void)
{
    refuse("020100"
           "0700"
           "020000",
           E_TOO_LARGE);
}

/* Members that all point to the same array of such members: budget must end it. */
static void explosion(void)
{
    struct strbuf in = STRBUF_INIT, out = STRBUF_INIT;
    struct error e = {.msg = ""};
    const unsigned count = 200;

    strbuf_addc(&in, 2);
    unsigned size = 4 + count * 3;
    strbuf_add(&in, (uint8_t[]){(uint8_t)count, 0, (uint8_t)size, (uint8_t)(size >> 8)}, 4);
    for (unsigned i = 0; i < count; i++)
        strbuf_add(&in, (uint8_t[]){2, 0, 0}, 3);
    enum err err = mysql_json_text(strbuf_slice(&in), &out, &e);
    CHECK(err == E_TOO_LARGE || err == E_CORRUPT);
    CHECK(out.n < 100000);
    strbuf_release(&in);
    strbuf_release(&out);
}

static void ceiling(void)
{
    struct strbuf in = STRBUF_INIT, out;
    struct error e = {.msg = ""};

    strbuf_init(&out, 4);
    CHECK_OK(hex_decode(&in, SL("0c08"
                                "6162636465666768")));
    CHECK_ERR(mysql_json_text(strbuf_slice(&in), &out, &e), E_TOO_LARGE);
    strbuf_release(&in);
    strbuf_release(&out);
}

static void is_null(void)
{
    CHECK(mysql_json_is_null(SL("")));
    CHECK(mysql_json_is_null(slice_of("\x04\x00", 2)));
    CHECK(!mysql_json_is_null(slice_of("\x04\x01", 2)));
}

/* {"a":1,"b":[true]} with differences. */
static void check_partial(const char *diffs, size_t n, enum err want_err, const char *want)
{
    struct strbuf in = STRBUF_INIT, out = STRBUF_INIT;
    struct error e = {.msg = ""};

    CHECK_OK(hex_decode(&in, SL("000200"
                                "1b00"
                                "1200"
                                "0100"
                                "1300"
                                "0100"
                                "050100"
                                "021400"
                                "6162"
                                "01000700040100")));
    CHECK_ERR(mysql_json_apply_partial(strbuf_slice(&in), slice_of(diffs, n), &out, &e), want_err);
    if (want)
        CHECK_STR(out.p, want);
    for (size_t i = 0; i < n; i++) {
        strbuf_reset(&out);
        (void)!mysql_json_apply_partial(strbuf_slice(&in), slice_of(diffs, i), &out, &e);
    }
    strbuf_release(&in);
    strbuf_release(&out);
}
#define PARTIAL(diffs, want) check_partial(diffs, sizeof(diffs) - 1, E_OK, want)
#define PARTIAL_BAD(diffs, err) check_partial(diffs, sizeof(diffs) - 1, err, NULL)

static void partial(void)
{
    PARTIAL("", "{\"a\":1,\"b\":[true]}");
    PARTIAL("\0\3$.a\3\5\7\0", "{\"a\":7,\"b\":[true]}");
    PARTIAL("\1\4$.aa\2\4\0", "{\"a\":1,\"b\":[true],\"aa\":null}");
    PARTIAL("\1\6$.b[0]\2\4\2", "{\"a\":1,\"b\":[false,true]}");
    PARTIAL("\1\6$.b[9]\2\4\2", "{\"a\":1,\"b\":[true,false]}");
    PARTIAL("\2\3$.a\2\6$.b[0]", "{\"b\":[]}");
    PARTIAL("\0\1$\3\5\2\0", "2");
    PARTIAL("\1\7$.\"x y\"\2\4\1\0\6$.b[0]\2\4\0", "{\"a\":1,\"b\":[null],\"x y\":true}");
    PARTIAL_BAD("\0\3$.z\2\4\0", E_CORRUPT);
    PARTIAL_BAD("\2\1$", E_CORRUPT);
    PARTIAL_BAD("\0\5$.a.b\2\4\0", E_CORRUPT);
    PARTIAL_BAD("\0\2$[\2\4\0", E_CORRUPT);
    PARTIAL_BAD("\7\1$", E_UNSUPPORTED);
}

static const struct test_case tests[] = {
    {"values", values},   {"containers", containers}, {"doubles", doubles},
    {"damaged", damaged}, {"recursion", recursion},   {"explosion", explosion},
    {"ceiling", ceiling}, {"is null", is_null},       {"partial", partial},
    {NULL, NULL},
};
const struct test_suite test_mysql_json = {"cdc/mysql/json_binary", tests};
