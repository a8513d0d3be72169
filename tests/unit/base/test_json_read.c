/* tests/unit/base/test_json_read.c - the pull parser, and the helpers around jansson. */
#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"
#include "helpers.h"

/* The token sequence in one line: { k:name s:text n:1.50 ... or !line:column what. */
static void tokens(struct slice text, const char *want)
{
    static const char *const shown[] = {"",   "!",  "{",  "}",    "[",     "]",
                                        "k:", "s:", "n:", "true", "false", "null"};
    struct strbuf b = STRBUF_INIT;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct json_reader r;
    jr_init(&r, text, 0);
    enum json_token t;
    while ((t = jr_next(&r)) != JT_END && t != JT_ERROR) {
        strbuf_adds(&b, b.n ? " " : "");
        strbuf_adds(&b, shown[t]);
        if (t == JT_KEY || t == JT_STRING)
            strbuf_add_slice(&b, jr_string(&r, &a));
        else if (t == JT_NUMBER)
            strbuf_add_slice(&b, r.text);
    }
    if (t == JT_ERROR) {
        struct error e;
        CHECK(jr_error(&r, &e) == jr_err(&r) && jr_err(&r) != E_OK);
        strbuf_addf(&b, "%s!%s", b.n ? " " : "", e.msg);
        CHECK_INT(jr_next(&r), JT_ERROR);
    } else {
        CHECK_OK(jr_err(&r));
        CHECK_INT(jr_next(&r), JT_END);
    }
    CHECK_STR(b.p, want);
    strbuf_release(&b);
    arena_release(&a);
}

static void test_tokens(void)
{
    tokens(SL(""), "");
    tokens(SLICE_NULL, "");
    tokens(SL(" \n\t\r"), "");
    tokens(SL("null"), "null");
    tokens(SL(" true "), "true");
    tokens(SL("\"x\""), "s:x");
    tokens(SL("1.50"), "n:1.50");
    tokens(SL("1180591620717411303424"), "n:1180591620717411303424");
    tokens(SL("[-0,0.0,1e5,1E+5,-1.25e-7,10]"), "[ n:-0 n:0.0 n:1e5 n:1E+5 n:-1.25e-7 n:10 ]");
    tokens(SL("{}"), "{ }");
    tokens(SL("[]"), "[ ]");
    tokens(SL("[[],{}]"), "[ [ ] { } ]");
    tokens(SL("{\"a\":1,\"b\":{\"c\":[false,null]},\"d\":\"e\"}"),
           "{ k:a n:1 k:b { k:c [ false null ] } k:d s:e }");
    tokens(SL(" { \"a\" : [ 1 , 2 ] , \"b\" : { } } "), "{ k:a [ n:1 n:2 ] k:b { } }");
    tokens(SL("{\"\":\"\"}"), "{ k: s: }");
}

static void test_refused(void)
{
    tokens(SL("{"), "{ !line 1 column 2: unexpected end of the text");
    tokens(SL("{\n  \"a\": x}"), "{ k:a !line 2 column 8: unexpected character");
    tokens(SL("{a:1}"), "{ !line 1 column 2: a member's name in quotes was expected");
    tokens(SL("{\"a\" 1}"), "{ !line 1 column 6: ':' was expected");
    tokens(SL("{\"a\":1,}"), "{ k:a n:1 !line 1 column 8: a member's name in quotes was expected");
    tokens(SL("{\"a\":1 \"b\":2}"), "{ k:a n:1 !line 1 column 8: ',' or '}' was expected");
    tokens(SL("{\"a\":}"), "{ k:a !line 1 column 6: unexpected character");
    tokens(SL("{\"a\":"), "{ k:a !line 1 column 6: unexpected end of the text");
    tokens(SL("{\"a\""), "{ !line 1 column 5: unexpected end of the text");
    tokens(SL("[1,]"), "[ n:1 !line 1 column 4: unexpected character");
    tokens(SL("[1}"), "[ n:1 !line 1 column 3: ',' or ']' was expected");
    tokens(SL("[,1]"), "[ !line 1 column 2: unexpected character");
    tokens(SL("1 2"), "n:1 !line 1 column 3: more text after the value");
    tokens(SL("nul"), "!line 1 column 1: unexpected word");
    tokens(SL("nullx"), "null !line 1 column 5: more text after the value");
    tokens(SL("]"), "!line 1 column 1: unexpected character");
    tokens(SL(","), "!line 1 column 1: unexpected character");
    tokens(SL("// c"), "!line 1 column 1: unexpected character");
    tokens(SL("NaN"), "!line 1 column 1: unexpected character");
    tokens(SL("'a'"), "!line 1 column 1: unexpected character");
    tokens(SL("\xef\xbb\xbf{}"), "!line 1 column 1: unexpected character"); /* a byte order mark */
    static const char *const numbers[] = {"01", "-",   "+1", ".5",   "1.", "1.e5",
                                          "1e", "1e+", "-a", "0x10", "--1"};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct json_reader r;
        jr_init(&r, slice_cstr(numbers[i]), 0);
        while (jr_next(&r) != JT_END && r.token != JT_ERROR)
            ;
        CHECK_ERR(jr_err(&r), E_INVALID);
    }
}

static void test_strings(void)
{
    tokens(SL("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "s:\"\\/\b\f\n\r\t");
    tokens(SL("\"\\u0041\\u00fc\\u20AC\\ud83d\\ude00\""),
           "s:A\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
    tokens(SL("\"\xed\x95\x9c\x7f\""), "s:\xed\x95\x9c\x7f");
    tokens(SL("\"\\ud83d\""), "s:\xef\xbf\xbd"); /* lone surrogates */
    tokens(SL("\"\\ude00x\""), "s:\xef\xbf\xbdx");
    tokens(SL("\"\\ud83d\\u0041\""), "s:\xef\xbf\xbd"
                                     "A");
    tokens(SL("\"\\ud83d\\ud83d\\ude00\""), "s:\xef\xbf\xbd\xf0\x9f\x98\x80");
    tokens(SL("\"abc"), "!line 1 column 5: unexpected end of the text inside a string");
    tokens(SL("\"abc\\"), "!line 1 column 5: invalid escape in a string");
    tokens(SL("\"\\x\""), "!line 1 column 2: invalid escape in a string");
    tokens(SL("\"\\u12g4\""), "!line 1 column 2: invalid escape in a string");
    tokens(SL("\"\\u123"), "!line 1 column 2: invalid escape in a string");
    tokens(SL("\"\\"), "!line 1 column 2: invalid escape in a string");
    tokens(SL("\"a\nb\""), "!line 1 column 3: control character inside a string");
    tokens(SL("\"a\0b\""), "!line 1 column 3: control character inside a string");
    tokens(SL("\"\xff\""), "!line 1 column 3: string is not valid UTF-8");
    struct json_reader r;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    jr_init(&r, SL("\"a\\u0000b\""), 0);
    CHECK_INT(jr_next(&r), JT_STRING);
    CHECK_SLICE(jr_string(&r, &a), SL("a\0b"));
    struct slice plain = SL("\"borrowed\"");
    jr_init(&r, plain, 0);
    jr_next(&r);
    CHECK(jr_string(&r, &a).p == plain.p + 1 && !r.escaped);
    arena_release(&a);
}

static void test_is(void)
{
    struct json_reader r;
    jr_init(&r, SL("[\"schema\",\"sch\\u0065ma\",\"\",\"\\u0000\",7]"), 0);
    jr_next(&r);
    CHECK(!jr_is(&r, "["));
    jr_next(&r);
    CHECK(jr_is(&r, "schema") && !jr_is(&r, "schem") && !jr_is(&r, "schemas"));
    jr_next(&r);
    CHECK(jr_is(&r, "schema") && !jr_is(&r, "schemb") && !jr_is(&r, "schemas"));
    struct strbuf b = STRBUF_INIT;
    jr_add_string(&r, &b);
    CHECK_STR(b.p, "schema");
    strbuf_release(&b);
    jr_next(&r);
    CHECK(jr_is(&r, ""));
    jr_next(&r);
    CHECK(!jr_is(&r, ""));
    jr_next(&r);
    CHECK(!jr_is(&r, "7"));
}

static void test_numbers(void)
{
    struct json_reader r;
    int64_t i = 0;
    double d = 0;
    jr_init(&r, SL("[12,-9223372036854775808,9223372036854775808,1.5,1e2,\"5\"]"), 0);
    jr_next(&r);
    jr_next(&r);
    CHECK(jr_is_integer(&r));
    CHECK_OK(jr_i64(&r, &i));
    CHECK_INT(i, 12);
    CHECK_OK(jr_double(&r, &d));
    CHECK(d == 12.0);
    jr_next(&r);
    CHECK_OK(jr_i64(&r, &i));
    CHECK_INT(i, INT64_MIN);
    jr_next(&r);
    CHECK(jr_is_integer(&r));
    CHECK_ERR(jr_i64(&r, &i), E_TOO_LARGE);
    jr_next(&r);
    CHECK(!jr_is_integer(&r));
    CHECK_ERR(jr_i64(&r, &i), E_INVALID);
    CHECK_OK(jr_double(&r, &d));
    CHECK(d == 1.5);
    jr_next(&r);
    CHECK(!jr_is_integer(&r));
    CHECK_OK(jr_double(&r, &d));
    CHECK(d == 100.0);
    jr_next(&r);
    CHECK_ERR(jr_i64(&r, &i), E_INVALID);
    CHECK_ERR(jr_double(&r, &d), E_INVALID);
}

static void test_skip_and_raw(void)
{
    struct json_reader r;
    jr_init(&r,
            SL("{\"schema\" : {\"a\":[1,{}],\"b\":\"}\"} , \"payload\": \"x\\ny\" ,\"n\":1.50, "
               "\"z\":[ ]}"),
            0);
    CHECK_INT(jr_next(&r), JT_OBJECT);
    CHECK_INT(jr_next(&r), JT_KEY);
    CHECK_OK(jr_skip(&r));
    CHECK_INT(jr_next(&r), JT_KEY);
    CHECK(jr_is(&r, "payload"));
    CHECK_SLICE(jr_raw(&r), SL("\"x\\ny\""));
    CHECK_INT(jr_next(&r), JT_KEY);
    CHECK_INT(jr_next(&r), JT_NUMBER);
    CHECK_OK(jr_skip(&r)); /* a scalar: stays */
    CHECK_SLICE(jr_raw(&r), SL("1.50"));
    CHECK_INT(jr_next(&r), JT_KEY);
    CHECK_INT(jr_next(&r), JT_ARRAY);
    CHECK_SLICE(jr_raw(&r), SL("[ ]"));
    CHECK_INT(jr_next(&r), JT_OBJECT_END);
    CHECK_INT(jr_next(&r), JT_END);

    jr_init(&r, SL(" {\"a\":[1,2,{\"b\":3}]} "), 0);
    CHECK_INT(jr_next(&r), JT_OBJECT);
    CHECK_SLICE(jr_raw(&r), SL("{\"a\":[1,2,{\"b\":3}]}"));
    CHECK_INT(jr_next(&r), JT_END);
    CHECK_SLICE(jr_raw(&r), SLICE_NULL);

    jr_init(&r, SL("{\"a\":[1,2}"), 0);
    jr_next(&r);
    CHECK_SLICE(jr_raw(&r), SLICE_NULL);
    CHECK_ERR(jr_err(&r), E_INVALID);
    CHECK_ERR(jr_skip(&r), E_INVALID);
}

static void test_trailing(void)
{
    struct json_reader r;
    jr_init(&r, SL("{\"id\":2} trailing"), 0);
    r.allow_trailing = true;
    CHECK_INT(jr_next(&r), JT_OBJECT);
    CHECK_OK(jr_skip(&r));
    CHECK_INT(jr_next(&r), JT_END);
    CHECK_OK(jr_err(&r));
}

static void test_depth(void)
{
    char text[2 * JSON_DEPTH_MAX + 10];
    for (size_t depth = 1; depth <= JSON_DEPTH_MAX + 1; depth += depth < 70 ? 1 : 10) {
        for (size_t i = 0; i < depth; i++) {
            text[i] = '[';
            text[2 * depth - 1 - i] = ']';
        }
        struct json_reader r;
        jr_init(&r, slice_of(text, 2 * depth), 0);
        CHECK_INT(jr_next(&r), JT_ARRAY);
        CHECK_ERR(jr_skip(&r), depth > JSON_DEPTH_MAX ? E_TOO_LARGE : E_OK);
    }
    struct strbuf b = STRBUF_INIT;
    for (int i = 0; i < 200; i++)
        strbuf_adds(&b, i % 2 ? "[" : "{\"k\":");
    for (int i = 199; i >= 0; i--)
        strbuf_adds(&b, i % 2 ? "]" : "}");
    struct json_reader r;
    jr_init(&r, strbuf_slice(&b), 0);
    jr_next(&r);
    CHECK_OK(jr_skip(&r)); /* objects and arrays in turn */
    CHECK_INT(jr_next(&r), JT_END);
    jr_init(&r, SL("[[[1]]]"), 2);
    jr_next(&r);
    CHECK_ERR(jr_skip(&r), E_TOO_LARGE);
    jr_init(&r, SL("[[1]]"), 2);
    jr_next(&r);
    CHECK_OK(jr_skip(&r));
    strbuf_release(&b);
}

static void test_fail(void)
{
    struct json_reader r;
    struct error e;
    jr_init(&r, SL("{\"type\":\n  \"foo\"}"), 0);
    jr_next(&r);
    jr_next(&r);
    jr_next(&r);
    CHECK_ERR(jr_fail(&r, E_UNSUPPORTED, "unknown type"), E_UNSUPPORTED);
    CHECK_ERR(jr_error(&r, &e), E_UNSUPPORTED);
    CHECK_STR(e.msg, "line 2 column 3: unknown type");
    CHECK_INT(jr_next(&r), JT_ERROR);
    CHECK_ERR(jr_fail(&r, E_NOMEM, "later"), E_UNSUPPORTED); /* the first reason stays */

    struct arena a;
    arena_init(&a, 0, 4);
    jr_init(&r, SL("\"long enough\\n\""), 0);
    jr_next(&r);
    CHECK_SLICE(jr_string(&r, &a), SLICE_NULL);
    CHECK_ERR(jr_err(&r), E_NOMEM);
    arena_release(&a);
}

/* Cut and changed texts: never past the end (asan), and an end in any case. */
static void test_hostile(void)
{
    struct slice good =
        SL("{\"a\":[1,-2.5e10,true,null,\"\\u00e9\\n\xed\x95\x9c\"],\"b\":{\"c\":{}}}");
    for (size_t n = 0; n <= good.n; n++)
        for (int i = 0; i < 256; i += 3) {
            char *exact = xmalloc(n ? n : 1);
            memcpy(exact, good.p, n);
            if (n)
                exact[(size_t)i % n] = (char)(exact[(size_t)i % n] ^ i);
            struct json_reader r;
            jr_init(&r, slice_of(exact, n), 0);
            unsigned steps = 0;
            while (jr_next(&r) != JT_END && r.token != JT_ERROR)
                steps++;
            if (steps > 100)
                CHECK(false);
            mem_free(exact);
        }
    CHECK(true);
}

static void test_load(void)
{
    json_t *v = NULL;
    struct error e;
    CHECK_OK(json_load_slice(
        SL("{\"b\":1,\"a\":\"x\\u0000\",\"b\":2.50,\"t\":true,\"n\":[1.0,null,{}]}"), &v, &e));
    struct strbuf b = STRBUF_INIT;
    json_dump_add(&b, v);
    CHECK_STR(b.p, "{\"b\":2.5,\"a\":\"x\\u0000\",\"t\":true,\"n\":[1.0,null,{}]}");
    CHECK_SLICE(json_get_str(v, "a"), SL("x\0"));
    CHECK_SLICE(json_get_str(v, "b"), SLICE_NULL);
    CHECK_SLICE(json_get_str(NULL, "b"), SLICE_NULL);
    CHECK_INT(json_get_i64(v, "b", 7), 7); /* a real is no integer */
    CHECK(json_get_bool(v, "t", false) && json_get_bool(v, "none", true) &&
          !json_get_bool(NULL, "t", false));
    json_set_str(v, "a", SL("new"));
    json_set_str(v, "c", SLICE_NULL);
    json_set_str(v, "d", SL("bad\xff"));
    json_set_i64(v, "b", -3);
    json_set_bool(v, "t", false);
    strbuf_reset(&b);
    json_dump_add(&b, v);
    CHECK_STR(b.p, "{\"b\":-3,\"a\":\"new\",\"t\":false,\"n\":[1.0,null,{}],\"c\":null,\"d\":"
                   "\"bad\xef\xbf\xbd\"}");
    CHECK_INT(json_get_i64(v, "b", 7), -3);
    json_decref(v);
    strbuf_reset(&b);
    json_dump_add(&b, NULL);
    CHECK_STR(b.p, "null");
    strbuf_release(&b);

    CHECK_OK(json_load_slice(SL("\"any\""), &v, &e));
    json_decref(v);
    CHECK_ERR(json_load_slice(SL("{\n \"a\": }"), &v, &e), E_INVALID);
    CHECK(v == NULL);
    CHECK(slice_starts(slice_cstr(e.msg), SL("line 2 column 7: ")));
    CHECK_ERR(json_load_slice(SL(""), &v, &e), E_INVALID);
    CHECK_STR(e.msg, "line 1 column 1: unexpected end of the text");
    CHECK_ERR(json_load_slice(SL("{} x"), &v, NULL), E_INVALID);
    CHECK_ERR(json_load_slice(SLICE_NULL, &v, NULL), E_INVALID);
}

static const struct test_case tests[] = {
    {"tokens", test_tokens},
    {"what is refused", test_refused},
    {"strings", test_strings},
    {"comparing", test_is},
    {"numbers", test_numbers},
    {"skip and raw", test_skip_and_raw},
    {"text after the value", test_trailing},
    {"depth", test_depth},
    {"failing from outside", test_fail},
    {"cut and changed texts", test_hostile},
    {"jansson helpers", test_load},
    {NULL, NULL},
};
const struct test_suite test_json_read = {"base/json_read", tests, NULL, NULL};
