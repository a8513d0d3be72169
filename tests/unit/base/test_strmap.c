/* tests/unit/base/test_strmap.c - order, replacing, the index above 16 entries, .properties text.
 */
#include "helpers.h"

#include "base/mem.h"
#include "base/strmap.h"

static struct slice key_of(char *buf, size_t size, int i)
{
    return slice_of(buf, (size_t)snprintf(buf, size, "key-%d", i));
}

static void basics(void)
{
    struct strmap m;
    strmap_init(&m);
    CHECK(slice_is_null(strmap_get_c(&m, "a")));
    strmap_set(&m, SL("b"), SL("1"));
    strmap_set(&m, SL("a"), SL("2"));
    strmap_set(&m, SL("n"), SLICE_NULL);
    strmap_set(&m, SL(""), SL(""));
    CHECK_INT(m.count, 4);
    CHECK_SLICE(m.entries[0].key, SL("b"));
    strmap_set(&m, SL("b"), SL("longer than before"));
    CHECK_SLICE(m.entries[0].value, SL("longer than before"));
    CHECK(strmap_has(&m, SL("n")) && slice_is_null(strmap_get_c(&m, "n")));
    CHECK_SLICE(strmap_get_c(&m, ""), SL(""));
    strmap_set(&m, SL("a"), strmap_get_c(&m, "a")); /* its own value */
    CHECK_SLICE(strmap_get_c(&m, "a"), SL("2"));
    CHECK(strmap_del(&m, m.entries[0].key)); /* its own key */
    CHECK(!strmap_del(&m, SL("b")));
    CHECK_SLICE(m.entries[0].key, SL("a"));
    strmap_release(&m);
    CHECK_INT(m.count, 0);
}

static void many(void)
{
    struct strmap m, copy;
    char k[32];
    strmap_init(&m);
    for (int i = 0; i < 500; i++)
        strmap_set(&m, key_of(k, sizeof k, i), key_of(k, sizeof k, i));
    for (int i = 0; i < 500; i++)
        CHECK_SLICE(strmap_get(&m, key_of(k, sizeof k, i)), key_of(k, sizeof k, i));
    strmap_copy(&copy, &m);
    CHECK(strmap_eq(&copy, &m));
    for (int i = 0; i < 500; i += 2)
        CHECK(strmap_del(&m, key_of(k, sizeof k, i)));
    CHECK(!strmap_eq(&copy, &m));
    CHECK_INT(m.count, 250);
    for (int i = 0; i < 500; i++)
        CHECK_INT(strmap_has(&m, key_of(k, sizeof k, i)), i % 2);
    strmap_set(&m, SL("new"), SL("x")); /* builds the index again */
    for (int i = 1; i < 500; i += 2)
        CHECK(strmap_has(&m, key_of(k, sizeof k, i)));
    CHECK_SLICE(m.entries[0].key, SL("key-1"));
    CHECK_SLICE(m.entries[250].key, SL("new"));
    strmap_release(&m);
    strmap_release(&copy);
}

static void as_sets(void)
{
    struct strmap a, b;
    strmap_init(&a);
    strmap_init(&b);
    strmap_set(&a, SL("x"), SL("1"));
    strmap_set(&a, SL("y"), SLICE_NULL);
    strmap_set(&b, SL("y"), SL(""));
    strmap_set(&b, SL("x"), SL("1"));
    CHECK(!strmap_eq(&a, &b)); /* null is not empty */
    strmap_set(&b, SL("y"), SLICE_NULL);
    CHECK(strmap_eq(&a, &b));
    strmap_release(&a);
    strmap_release(&b);
}

static void properties(void)
{
    struct strmap m;
    struct error e;
    strmap_init(&m);
    struct slice text = SL("# comment\n"
                           "  ! another = one\n"
                           "\n"
                           "name=inventory\r\n"
                           "  spaced  =  value with end blank \n"
                           "colon:a=b\n"
                           "blank   separated\n"
                           "long=a,\\\n"
                           "     b,\\\n"
                           "  # no comment here\n"
                           "even=ends\\\\\n"
                           "esc\\=aped\\ key=tab\\tnew\\nline\\qq\n"
                           "uni=\\u00e9\\ud83d\\ude00\\ud83dx\n"
                           "korean=\xed\x95\x9c\n"
                           "empty\n"
                           "empty2=\n"
                           "name=last wins\r"
                           "=no key\n"
                           "end=\\");
    CHECK_OK(strmap_parse_properties(&m, text, &e));
    CHECK_SLICE(strmap_get_c(&m, "name"), SL("last wins"));
    CHECK_SLICE(strmap_get_c(&m, "spaced"), SL("value with end blank "));
    CHECK_SLICE(strmap_get_c(&m, "colon"), SL("a=b"));
    CHECK_SLICE(strmap_get_c(&m, "blank"), SL("separated"));
    CHECK_SLICE(strmap_get_c(&m, "long"), SL("a,b,# no comment here"));
    CHECK_SLICE(strmap_get_c(&m, "even"), SL("ends\\"));
    CHECK_SLICE(strmap_get_c(&m, "esc=aped key"), SL("tab\tnew\nlineqq"));
    CHECK_SLICE(strmap_get_c(&m, "uni"), SL("\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdx"));
    CHECK_SLICE(strmap_get_c(&m, "korean"), SL("\xed\x95\x9c"));
    CHECK_SLICE(strmap_get_c(&m, "empty"), SL(""));
    CHECK_SLICE(strmap_get_c(&m, "empty2"), SL(""));
    CHECK_SLICE(strmap_get_c(&m, ""), SL("no key"));
    CHECK_SLICE(strmap_get_c(&m, "end"), SL(""));
    CHECK_INT(m.count, 13);
    strmap_release(&m);

    CHECK_OK(strmap_parse_properties(&m, SL(""), &e));
    CHECK_OK(strmap_parse_properties(&m, SL("\xef\xbb\xbfwindows=1"), &e));
    CHECK_SLICE(strmap_get_c(&m, "windows"), SL("1"));
    CHECK_ERR(strmap_parse_properties(&m, SL("a=1\nb=\\u12"), &e), E_INVALID);
    CHECK_STR(e.msg, "line 2: malformed \\uxxxx encoding");
    strmap_release(&m);
}

static void flags_and_numbers(void)
{
    struct strmap m = STRMAP_INIT;
    strmap_set(&m, SL("on"), SL(" True "));
    strmap_set(&m, SL("off"), SL("FALSE"));
    strmap_set(&m, SL("odd"), SL("yes"));
    strmap_set(&m, SL("null"), SLICE_NULL);
    strmap_set(&m, SL("n"), SL(" -12 "));
    for (int otherwise = 0; otherwise < 2; otherwise++) {
        CHECK(strmap_flag(&m, "on", otherwise) && !strmap_flag(&m, "off", otherwise));
        CHECK_INT(strmap_flag(&m, "odd", otherwise), otherwise);
        CHECK_INT(strmap_flag(&m, "null", otherwise), otherwise);
        CHECK_INT(strmap_flag(&m, "none", otherwise), otherwise);
    }
    CHECK_INT(strmap_i64(&m, "n", 5), -12);
    CHECK_INT(strmap_i64(&m, "odd", 5), 5);
    CHECK_INT(strmap_i64(&m, "none", 5), 5);
    strmap_release(&m);
}

static const struct test_case tests[] = {
    {"basics", basics},
    {"many", many},
    {"as_sets", as_sets},
    {"properties", properties},
    {"flags and numbers", flags_and_numbers},
    {NULL, NULL},
};
const struct test_suite test_strmap = {"base/strmap", tests};
