/* tests/unit/base/test_str.c - slices, number parsing, UTF-8, strbuf. */
#include "base/str.h"

#include <limits.h>

#include "base/mem.h"
#include "helpers.h"

static void split(const char *text, char sep, const char *want) /* parts joined with '|' */
{
    struct strbuf b = STRBUF_INIT;
    struct slice rest = slice_cstr(text), part;
    while (slice_split(&rest, sep, &part)) {
        CHECK(part.p != NULL);
        strbuf_add_slice(&b, part);
        strbuf_addc(&b, '|');
    }
    CHECK(slice_is_null(rest));
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void test_split(void)
{
    split("a,b,c", ',', "a|b|c|");
    split("a,,b", ',', "a||b|");
    split("", ',', "|");
    split(",", ',', "||");
    split(",a,", ',', "|a||");
    split("abc", ',', "abc|");
    split(NULL, ',', "");
}

static void test_compare(void)
{
    CHECK(slice_eq(SL("a"), SL("a")));
    CHECK(!slice_eq(SL("a"), SL("b")));
    CHECK(!slice_eq(SLICE_NULL, SL("")));
    CHECK(slice_eq(SLICE_NULL, SLICE_NULL));
    CHECK(slice_ieq(SL("aBc-[@`"), SL("AbC-[@`")));
    CHECK(!slice_ieq(SL("@"), SL("`")));
    CHECK(!slice_ieq(SL("["), SL("{")));
    CHECK(!slice_ieq(SLICE_NULL, SL("")));
    CHECK(slice_cmp(SL("a"), SL("b")) < 0);
    CHECK(slice_cmp(SL("ab"), SL("a")) > 0);
    CHECK(slice_cmp(SL("\xff"), SL("a")) > 0);
    CHECK(slice_cmp(SLICE_NULL, SL("")) < 0);
    CHECK(slice_cmp(SLICE_NULL, SLICE_NULL) == 0);
    CHECK(slice_starts(SL("abc"), SL("ab")) && slice_starts(SL("abc"), SL("")));
    CHECK(!slice_starts(SL("a"), SL("ab")) && slice_starts(SLICE_NULL, SL("")));
    CHECK(slice_ends(SL("abc"), SL("bc")) && !slice_ends(SL("c"), SL("bc")));
    CHECK(slice_istarts(SL("JDBC:x"), SL("jdbc:")));
}

static void test_find(void)
{
    CHECK_INT(slice_find(SL("hello world"), SL("o w")), 4);
    CHECK_INT(slice_find(SL("hello"), SL("")), 0);
    CHECK_INT(slice_find(SL(""), SL("x")), -1);
    CHECK_INT(slice_find(SL("ab"), SL("abc")), -1);
    CHECK_INT(slice_find_char(SL("a.b.c"), '.'), 1);
    CHECK_INT(slice_rfind_char(SL("a.b.c"), '.'), 3);
    CHECK_INT(slice_rfind_char(SL(""), '.'), -1);
    CHECK_SLICE(slice_sub(SL("abcdef"), 2, 4), SL("cd"));
    CHECK_SLICE(slice_sub(SL("abc"), 2, SIZE_MAX), SL("c"));
    CHECK_SLICE(slice_sub(SL("abc"), 9, 12), SL(""));
    CHECK_SLICE(slice_sub(SL("abc"), 2, 1), SL(""));
    CHECK_SLICE(slice_sub(SLICE_NULL, 0, 1), SLICE_NULL);
    CHECK_SLICE(slice_trim(SL(" \t\n a b\r ")), SL("a b"));
    CHECK_SLICE(slice_trim(SL("   ")), SL(""));
    CHECK_SLICE(slice_trim(SL("\xc2\xa0x")), SL("\xc2\xa0x"));
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        enum err err;
        int64_t value;
    } rows[] = {
        {"0", E_OK, 0},
        {"-0", E_OK, 0},
        {"+7", E_OK, 7},
        {"-12", E_OK, -12},
        {"007", E_OK, 7},
        {"9223372036854775807", E_OK, INT64_MAX},
        {"-9223372036854775808", E_OK, INT64_MIN},
        {"9223372036854775808", E_TOO_LARGE, 0},
        {"-9223372036854775809", E_TOO_LARGE, 0},
        {"99999999999999999999999", E_TOO_LARGE, 0},
        {"99999999999999999999x", E_INVALID, 0},
        {"", E_INVALID, 0},
        {"-", E_INVALID, 0},
        {"+", E_INVALID, 0},
        {"-+1", E_INVALID, 0},
        {" 1", E_INVALID, 0},
        {"1 ", E_INVALID, 0},
        {"1.0", E_INVALID, 0},
        {"0x10", E_INVALID, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t v = 0;
        CHECK_ERR(slice_to_i64(slice_cstr(rows[i].text), &v), rows[i].err);
        CHECK_INT(v, rows[i].value);
    }
    uint64_t u = 0;
    CHECK_OK(slice_to_u64(SL("18446744073709551615"), &u));
    CHECK(u == UINT64_MAX);
    CHECK_ERR(slice_to_u64(SL("18446744073709551616"), &u), E_TOO_LARGE);
    CHECK_ERR(slice_to_u64(SL("-1"), &u), E_INVALID);
    CHECK_ERR(slice_to_u64(SLICE_NULL, &u), E_INVALID);
}

static void test_doubles(void)
{
    double d = 0;
    CHECK_OK(slice_to_double(SL("1.5"), &d));
    CHECK(d == 1.5);
    CHECK_OK(slice_to_double(SL("-1e3"), &d));
    CHECK(d == -1000.0);
    CHECK_OK(slice_to_double(SL(".5"), &d));
    CHECK(d == 0.5);
    CHECK_OK(slice_to_double(SL("5."), &d));
    CHECK(d == 5.0);
    CHECK_OK(slice_to_double(SL("4.9E-324"), &d));
    CHECK(d > 0);
    CHECK_OK(slice_to_double(SL("1e-999"), &d));
    CHECK(d == 0.0);
    CHECK_OK(slice_to_double(
        SL("0.0000000000000000000000000000000000000000000000000000000000000000000001"), &d));
    CHECK(d == 1e-70);
    CHECK_ERR(slice_to_double(SL("1e999"), &d), E_TOO_LARGE);
    static const char *const bad[] = {"",    ".",   "-",  "e5", "1e",  "1e+", "0x1p3",
                                      "inf", "nan", " 1", "1 ", "1,5", "1.5f"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_ERR(slice_to_double(slice_cstr(bad[i]), &d), E_INVALID);
}

static void test_utf8(void)
{
    static const char *const good[] = {"",
                                       "plain text of some length",
                                       "gr\xc3\xbc\xc3\x9f",
                                       "\xed\x95\x9c\xea\xb8\x80",
                                       "\xf0\x9f\x98\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xee\x80\x80",
                                       "\x7f"};
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "12345678\xe2\x82",
                                      "a\xe2\x28\xa1"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK(slice_is_utf8(slice_cstr(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!slice_is_utf8(slice_cstr(bad[i])));
    CHECK(slice_is_utf8(SL("a\0b")));
    CHECK(slice_is_utf8(SLICE_NULL));
}

static void clean(struct slice in, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    strbuf_add_utf8(&b, in);
    CHECK_STR(b.p, want);
    CHECK(slice_is_utf8(strbuf_slice(&b)));
    strbuf_release(&b);
}

#define FFFD "\xef\xbf\xbd"

static void test_utf8_repair(void)
{
    clean(SL("abc"), "abc");
    clean(SL("a\xff"
             "b"),
          "a" FFFD "b");
    clean(SL("a\xe2\x82"), "a" FFFD); /* one cut character: one mark */
    clean(SL("\xe2\x82\x41"), FFFD "A");
    clean(SL("\xc0\x80"), FFFD FFFD); /* neither byte begins anything */
    clean(SL("\xf0\x9f\x98"), FFFD);
    clean(SL("\xed\xa0\x80"), FFFD FFFD FFFD); /* a surrogate */
    clean(SL("\xf0\x9f\x98\x80\xf0"), "\xf0\x9f\x98\x80" FFFD);
}

static void test_strbuf(void)
{
    struct strbuf b = STRBUF_INIT;
    CHECK_STR(b.p, "");
    strbuf_add(&b, NULL, 0);
    CHECK(b.p == strbuf_empty);
    strbuf_adds(&b, "abc");
    strbuf_addc(&b, '-');
    strbuf_addf(&b, "%d/%s", 5, "x");
    strbuf_add_slice(&b, SL(" \0."));
    CHECK_SLICE(strbuf_slice(&b), SL("abc-5/x \0."));
    CHECK(b.p[b.n] == 0);
    for (int i = 0; i < 2000; i++)
        strbuf_addf(&b, "%d,", i);
    CHECK(slice_ends(strbuf_slice(&b), SL("1998,1999,")));
    strbuf_reset(&b);
    CHECK_STR(b.p, "");
    size_t n = 99;
    char *p = strbuf_steal(&b, &n);
    CHECK_STR(p, "");
    CHECK_INT(n, 0);
    mem_free(p);
    CHECK(b.p == strbuf_empty && b.cap == 0);
    p = strbuf_steal(&b, NULL); /* also of a buffer that never grew */
    CHECK_STR(p, "");
    mem_free(p);
    strbuf_adds(&b, "again");
    strbuf_release(&b);
    strbuf_release(&b);
    CHECK_STR(b.p, "");
}

static void test_strbuf_numbers(void)
{
    struct strbuf b = STRBUF_INIT;
    static const int64_t values[] = {0, 1, 9, 10, 99, 100, 12345, -1, -99, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char want[32];
        snprintf(want, sizeof want, "%lld", (long long)values[i]);
        strbuf_reset(&b);
        strbuf_add_i64(&b, values[i]);
        CHECK_STR(b.p, want);
    }
    strbuf_reset(&b);
    strbuf_add_u64(&b, UINT64_MAX);
    CHECK_STR(b.p, "18446744073709551615");
    for (int64_t v = 1; v < INT64_MAX / 10; v *= 10) {
        char want[64];
        snprintf(want, sizeof want, "%lld%lld", (long long)v, (long long)(v - 1));
        strbuf_reset(&b);
        strbuf_add_i64(&b, v);
        strbuf_add_i64(&b, v - 1);
        CHECK_STR(b.p, want);
    }
    strbuf_release(&b);
}

static void test_strbuf_ceiling(void)
{
    struct strbuf b;
    strbuf_init(&b, 10);
    strbuf_adds(&b, "1234567890"); /* exactly full is fine */
    CHECK_OK(strbuf_err(&b));
    strbuf_addc(&b, 'x');
    CHECK_ERR(strbuf_err(&b), E_TOO_LARGE);
    CHECK_STR(b.p, "1234567890");
    strbuf_reset(&b);
    strbuf_adds(&b, "12345");
    strbuf_addf(&b, "%s", "too long a text");
    CHECK_ERR(strbuf_err(&b), E_TOO_LARGE);
    CHECK_STR(b.p, "12345");
    strbuf_add(&b, "6", 1); /* sticky: would fit, but does nothing */
    CHECK_STR(b.p, "12345");
    CHECK_ERR(strbuf_reserve(&b, 1), E_TOO_LARGE);
    strbuf_reset(&b);
    CHECK_OK(strbuf_reserve(&b, 10));
    CHECK_ERR(strbuf_reserve(&b, SIZE_MAX), E_TOO_LARGE);
    strbuf_release(&b);
    CHECK_OK(strbuf_err(&b));
    CHECK_INT(b.max, 10);
}

static void test_strbuf_no_memory(void)
{
    struct strbuf b = STRBUF_INIT;
    mem_fail_at(1);
    strbuf_adds(&b, "x");
    CHECK(mem_fail_hit());
    CHECK_ERR(strbuf_err(&b), E_NOMEM);
    strbuf_adds(&b, "y");
    CHECK_STR(b.p, "");
    strbuf_reset(&b);
    strbuf_adds(&b, "kept");
    mem_fail_at(1);
    for (int i = 0; i < 1000; i++)
        strbuf_adds(&b, "0123456789");
    CHECK_ERR(strbuf_err(&b), E_NOMEM);
    CHECK(slice_starts(strbuf_slice(&b), SL("kept0123")));
    mem_fail_at(0);
    strbuf_release(&b);
}

static void test_dup(void)
{
    char *p = slice_dup(slice_of("abcdef", 3));
    CHECK_STR(p, "abc");
    mem_free(p);
    CHECK(slice_dup(SLICE_NULL) == NULL);
    p = slice_dup(SL(""));
    CHECK_STR(p, "");
    mem_free(p);
}

static void test_patterns(void)
{
    CHECK(slice_ifits(SL("http://A.example:81"), SL("http://*.EXAMPLE:*")));
    CHECK(slice_ifits(SL(""), SL("")) && slice_ifits(SL(""), SL("**")) &&
          !slice_ifits(SL(""), SL("a")));
    CHECK(slice_ifits(SL("abcabd"), SL("*abd")) && slice_ifits(SL("abab"), SL("ab*")));
    CHECK(slice_ifits(SL("aXbXc"), SL("a*b*c")) && !slice_ifits(SL("aXbXcd"), SL("a*b*c")));
    CHECK(!slice_ifits(SL("abc"), SL("abcd")) && !slice_ifits(SL("abcd"), SL("abc")));
    CHECK(!slice_ifits(SL("a*c"), SL("abc"))); /* of the pattern only */
    CHECK(slice_ifits(SLICE_NULL, SL("*")));
    /* a browser, or a script, may send anything: this must not take longer than the age of the world */
    static char hostile[8000];
    memset(hostile, 'a', sizeof hostile);
    CHECK(!slice_ifits(slice_of(hostile, sizeof hostile), SL("*a*a*a*a*a*a*a*a*a*a*b")));
}

static const struct test_case tests[] = {
    {"slice_split", test_split},
    {"comparing", test_compare},
    {"patterns", test_patterns},
    {"searching and cutting", test_find},
    {"integers from text", test_numbers},
    {"doubles from text", test_doubles},
    {"UTF-8 check", test_utf8},
    {"UTF-8 repair", test_utf8_repair},
    {"strbuf appends", test_strbuf},
    {"strbuf integers", test_strbuf_numbers},
    {"strbuf ceiling is sticky", test_strbuf_ceiling},
    {"strbuf without memory", test_strbuf_no_memory},
    {"slice_dup", test_dup},
    {NULL, NULL},
};
const struct test_suite test_str = {"base/str", tests, NULL, NULL};
