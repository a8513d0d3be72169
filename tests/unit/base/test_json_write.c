/* tests/unit/base/test_json_write.c - escapes, Java's number texts, the writer's commas. */
#include "base/json.h"

#include <float.h>
#include <math.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "helpers.h"

static void escaped(struct slice in, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    json_add_string(&b, in);
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void test_strings(void)
{
    escaped(SLICE_NULL, "null");
    escaped(SL(""), "\"\"");
    escaped(SL("plain"), "\"plain\"");
    escaped(SL("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    escaped(SL("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\"");
    escaped(SL("\x00\x01\x0b\x1a\x1f\x7f"), "\"\\u0000\\u0001\\u000B\\u001A\\u001F\x7f\"");
    escaped(SL("\xc3\xbc\xed\x95\x9c\xf0\x9f\x98\x80"), "\"\xc3\xbc\xed\x95\x9c\xf0\x9f\x98\x80\"");
    escaped(SL("\xe2\x80\xa8"), "\"\xe2\x80\xa8\"");
    escaped(SL("sixteen bytes ok\"and then some more text\n"),
            "\"sixteen bytes ok\\\"and then some more text\\n\"");
}

/* Each byte value at each place of a text longer than the fast path's step. */
static void test_every_place(void)
{
    struct strbuf b = STRBUF_INIT, want = STRBUF_INIT;
    char text[40];
    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 'x', sizeof text);
            text[at] = (char)c;
            strbuf_reset(&b);
            strbuf_reset(&want);
            strbuf_addc(&want, '"');
            for (size_t i = 0; i < sizeof text; i++) {
                unsigned char u = (unsigned char)text[i];
                static const char short_form[] = "btn.fr";
                if (u == '"' || u == '\\')
                    strbuf_addf(&want, "\\%c", u);
                else if (u >= 8 && u <= 13 && u != 11)
                    strbuf_addf(&want, "\\%c", short_form[u - 8]);
                else if (u < 32)
                    strbuf_addf(&want, "\\u%04X", u);
                else
                    strbuf_addc(&want, (char)u);
            }
            strbuf_addc(&want, '"');
            json_add_string(&b, slice_of(text, sizeof text));
            if (!slice_eq(strbuf_slice(&b), strbuf_slice(&want)))
                CHECK_STR(b.p, want.p);
        }
    strbuf_release(&b);
    strbuf_release(&want);
    CHECK(true);
}

static void test_doubles(void)
{
    static const struct {
        double v;
        const char *text;
    } rows[] = {
        {1.0, "1.0"},
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {-1.5, "-1.5"},
        {0.001, "0.001"},
        {0.00123, "0.00123"},
        {0.0009999, "9.999E-4"},
        {0.1, "0.1"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100.0, "100.0"},
        {9999999.0, "9999999.0"},
        {9999999.999, "9999999.999"},
        {1.0E7, "1.0E7"},
        {12345678.0, "1.2345678E7"},
        {1.0E-4, "1.0E-4"},
        {123456.789, "123456.789"},
        {1.0E10, "1.0E10"},
        {1.1E10, "1.1E10"},
        {9007199254740993.0, "9.007199254740992E15"},
        {2.0E-3, "0.002"},
        {1.0E23, "1.0E23"},
        {2.0E23, "2.0E23"}, /* 2.0000000000000003E23 before JDK 19 */
        {8.41E21, "8.41E21"},
        {2.2E-322, "2.2E-322"},
        {5.684341886080802E-14, "5.684341886080802E-14"}, /* 2^-44: uneven neighbours */
        {9.5367431640625E-7, "9.5367431640625E-7"},
        {DBL_MAX, "1.7976931348623157E308"},
        {DBL_MIN, "2.2250738585072014E-308"},
        {4.9E-324, "4.9E-324"}, /* two digits, though one would do */
        {9.9E-324, "9.9E-324"},
        {3.141592653589793, "3.141592653589793"},
        {INFINITY, "Infinity"},
        {-INFINITY, "-Infinity"},
        {NAN, "NaN"},
    };
    struct strbuf b = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strbuf_reset(&b);
        json_add_double(&b, rows[i].v);
        CHECK_STR(b.p, rows[i].text);
    }
    strbuf_release(&b);
}

static void test_floats(void)
{
    static const struct {
        float v;
        const char *text;
    } rows[] = {
        {1.0f, "1.0"},
        {0.1f, "0.1"},
        {-0.0f, "-0.0"},
        {0.3f, "0.3"},
        {3.14f, "3.14"},
        {1.17f, "1.17"},
        {16777216.0f, "1.6777216E7"},
        {9999999.0f, "9999999.0"},
        {1.0e10f, "1.0E10"},
        {1.0e-4f, "1.0E-4"},
        {3.4028235E38f, "3.4028235E38"},
        {1.17549435E-38f, "1.1754944E-38"},
        {1.4E-45f, "1.4E-45"},
        {33554432.0f, "3.3554432E7"},
        {8388608.5f, "8388608.0"},
        {0.001f, "0.001"},
        {INFINITY, "Infinity"},
        {NAN, "NaN"},
    };
    struct strbuf b = STRBUF_INIT;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strbuf_reset(&b);
        json_add_float(&b, rows[i].v);
        CHECK_STR(b.p, rows[i].text);
    }
    strbuf_release(&b);
}

/* Whatever bits: the text reads back as the same number, and no text with a digit less does. */
static void test_doubles_random(void)
{
    struct strbuf b = STRBUF_INIT;
    unsigned wrong = 0;
    for (int i = 0; i < 20000; i++) {
        double v, back;
        bytes_random(&v, sizeof v);
        if (i % 2 && isfinite(v))
            v = (double)(int64_t)(fmod(v, 1e9) * 1000) / 1000;
        if (!isfinite(v) || v == 0)
            continue;
        strbuf_reset(&b);
        json_add_double(&b, v);
        wrong += slice_to_double(strbuf_slice(&b), &back) != E_OK || back != v;
        int digits = 0, zeros = 0;
        for (size_t k = 0; k < b.n && b.p[k] != 'E'; k++) {
            if (b.p[k] >= '1' && b.p[k] <= '9')
                digits += zeros + 1, zeros = 0;
            else if (b.p[k] == '0' && digits)
                zeros++;
        }
        char shorter[40];
        snprintf(shorter, sizeof shorter, "%.*e", MAX(digits - 2, 0), v);
        bool fits = slice_to_double(slice_cstr(shorter), &back) == E_OK && back == v;
        wrong += fits && digits > 2;
    }
    CHECK_INT(wrong, 0);
    strbuf_release(&b);
}

static void test_writer(void)
{
    struct strbuf b = STRBUF_INIT;
    struct json_writer w = JSON_WRITER(&b);
    jw_begin_object(&w);
    jw_kv_string_c(&w, "name", "x\"y");
    jw_kv_i64(&w, "n", -5);
    jw_key(&w, SL("k\n"));
    jw_u64(&w, UINT64_MAX);
    jw_kv_bool(&w, "t", true);
    jw_kv_bool(&w, "f", false);
    jw_kv_null(&w, "z");
    jw_kv_object(&w, "empty");
    jw_end_object(&w);
    jw_kv_array(&w, "list");
    jw_double(&w, 1.5);
    jw_double(&w, NAN);
    jw_float(&w, 0.1f);
    jw_float(&w, -INFINITY);
    jw_begin_array(&w);
    jw_end_array(&w);
    jw_begin_object(&w);
    jw_key_ready(&w, SL("\"id\":"));
    jw_raw(&w, SL("1.50"));
    jw_key_ready(&w, SL("\"id2\":"));
    jw_base64(&w, SL("\x04\xd2"));
    jw_end_object(&w);
    jw_base64(&w, SLICE_NULL);
    jw_base64(&w, SL(""));
    jw_string(&w, SLICE_NULL);
    jw_string_c(&w, NULL);
    jw_stringf(&w, "%s-%d", "a\\b", 3);
    jw_end_array(&w);
    jw_kv_string(&w, "last", SL(""));
    jw_end_object(&w);
    CHECK_STR(b.p, "{\"name\":\"x\\\"y\",\"n\":-5,\"k\\n\":18446744073709551615,\"t\":true,\"f\":"
                   "false,\"z\":null,"
                   "\"empty\":{},\"list\":[1.5,\"NaN\",0.1,\"-Infinity\",[],{\"id\":1.50,\"id2\":"
                   "\"BNI=\"},null,\"\","
                   "null,null,\"a\\\\b-3\"],\"last\":\"\"}");
    strbuf_reset(&b);
    jw_reset(&w);
    jw_stringf(&w, "%0400d", 7);
    CHECK_INT(b.n, 402);
    strbuf_release(&b);
}

static void test_ceiling(void)
{
    for (size_t max = 1; max < 60; max++) {
        struct strbuf b;
        strbuf_init(&b, max);
        struct json_writer w = JSON_WRITER(&b);
        jw_begin_object(&w);
        jw_kv_string_c(&w, "key", "some\ttext of a length");
        jw_kv_i64(&w, "n", 123456);
        jw_end_object(&w);
        CHECK_ERR(strbuf_err(&b), max < 43 ? E_TOO_LARGE : E_OK);
        CHECK(b.n <= max);
        strbuf_release(&b);
    }
    struct strbuf b = STRBUF_INIT;
    mem_fail_at(1);
    json_add_string(&b, SL("x"));
    CHECK_ERR(strbuf_err(&b), E_NOMEM);
    CHECK_STR(b.p, "");
    strbuf_release(&b);
}

static const struct test_case tests[] = {
    {"strings", test_strings},
    {"every byte at every place", test_every_place},
    {"doubles as Java prints them", test_doubles},
    {"floats as Java prints them", test_floats},
    {"random doubles read back", test_doubles_random},
    {"writer", test_writer},
    {"ceiling and faults", test_ceiling},
    {NULL, NULL},
};
const struct test_suite test_json_write = {"base/json_write", tests, NULL, NULL};
