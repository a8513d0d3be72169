/* Texts to BSON: what was printed comes back, the shell's spelling, mistakes. SPEC: cdc-mongodb
 * 2.5 */
#include "cdc/bson/bson_parse.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "cdc/bson/bson_json.h"
#include "helpers.h"
#include "vectors.h"

static const struct bson_json_form strict = {BSON_JSON_STRICT, BSON_JSON_COMPACT},
                                   relaxed = {BSON_JSON_RELAXED, BSON_JSON_SPACED},
                                   extended = {BSON_JSON_EXTENDED, BSON_JSON_COMPACT};
static struct arena arena;

static int setup(void)
{
    arena_init(&arena, 0, 1 << 20);
    return 0;
}

static int teardown(void)
{
    arena_release(&arena);
    return 0;
}

/* From memory of exactly its size. */
static enum err parse(const char *text, size_t n, enum bson_kind kind, struct slice *out,
                      struct error *e)
{
    char *copy = xmalloc(n ? n : 1);
    memcpy(copy, text, n);
    enum err err = bson_parse(slice_of(copy, n), kind, &arena, out, e);
    mem_free(copy);
    return err;
}

static void check_back(const char *text, struct bson_json_form f, struct slice bytes)
{
    struct slice doc;
    struct error e = {0};
    struct strbuf again = STRBUF_INIT;
    CHECK_OK(parse(text, strlen(text), BSON_DOCUMENT, &doc, &e));
    CHECK_STR(e.msg, "");
    CHECK_OK(bson_check(doc, NULL));
    bson_json_print(doc, f, &again);
    CHECK_STR(again.p, text);
    if (bytes.p && !slice_eq(doc, bytes))
        CHECK_STR(text, "gives the same bytes");
    strbuf_release(&again);
    arena_reset(&arena);
}

/* Bytes do not come back where the text does not tell them. */
static void test_vectors(void)
{
    for (size_t i = 0; i < ARRAY_LEN(bson_vectors); i++) {
        const struct bson_vector *v = &bson_vectors[i];
        struct strbuf b = STRBUF_INIT;
        CHECK_OK(hex_decode(&b, slice_cstr(v->hex)));
        bool lossy = !strcmp(v->what, "not utf-8") || !strcmp(v->what, "regex options sorted") ||
                     !strcmp(v->what, "decimal beyond 34 digits");
        bool old_lossy = lossy || !strcmp(v->what, "dbpointer");
        check_back(v->strict, strict, old_lossy ? SLICE_NULL : strbuf_slice(&b));
        check_back(v->extended, extended, lossy ? SLICE_NULL : strbuf_slice(&b));
        check_back(v->relaxed, relaxed, SLICE_NULL);
        strbuf_release(&b);
    }
}

/* text, and what it is in strict form. */
static void test_forms(void)
{
    static const char *const rows[][2] = {
        {"{a: 1, 'b': \"x\", \"c\": ObjectId(\"0123456789abcdef01234567\")}",
         "{\"a\": 1,\"b\": \"x\",\"c\": {\"$oid\": \"0123456789abcdef01234567\"}}"},
        {"{ $match: { operationType: 'insert', 'ns.coll': 'c' } }",
         "{\"$match\": {\"operationType\": \"insert\",\"ns.coll\": \"c\"}}"},
        {"{a: ISODate('2017-07-19T10:37:12.310Z'), b: ISODate('2017-07-19'), c: new Date(5)}",
         "{\"a\": {\"$date\": 1500460632310},\"b\": {\"$date\": 1500422400000},\"c\": {\"$date\": "
         "5}}"},
        {"{a: {$date: '2017-07-19T19:37:12.31+09:00'}, b: {$date: {$numberLong: '-1'}}, "
         "c: {$date: '1969-12-31T23:59:59.999Z'}, d: ISODate('0001-01-01 00:00')}",
         "{\"a\": {\"$date\": 1500460632310},\"b\": {\"$date\": -1},\"c\": {\"$date\": -1},"
         "\"d\": {\"$date\": -62135596800000}}"},
        {"{a: NumberLong(5), b: NumberLong('7'), c: NumberInt(3), d: NumberDecimal('1.50'), "
         "e: Long('8'), f: Int32(9), g: Double(1), h: Decimal128('2')}",
         "{\"a\": {\"$numberLong\": \"5\"},\"b\": {\"$numberLong\": \"7\"},\"c\": 3,"
         "\"d\": {\"$numberDecimal\": \"1.50\"},\"e\": {\"$numberLong\": \"8\"},\"f\": 9,\"g\": "
         "1.0,"
         "\"h\": {\"$numberDecimal\": \"2\"}}"},
        {"{a: /ab\\/c/i, b: {$regex: 'x', $options: 'i'}, c: {$regex: 'x'}, d: {$type: 2}, "
         "e: {$options: 'im', $regex: 'y'}, f: RegExp('z'), g: {$type: 'string'}}",
         "{\"a\": {\"$regex\": \"ab\\\\/c\",\"$options\": \"i\"},\"b\": {\"$regex\": "
         "\"x\",\"$options\": "
         "\"i\"},\"c\": {\"$regex\": \"x\"},\"d\": {\"$type\": 2},\"e\": {\"$regex\": "
         "\"y\",\"$options\": "
         "\"im\"},\"f\": {\"$regex\": \"z\",\"$options\": \"\"},\"g\": {\"$type\": \"string\"}}"},
        {"{a: Timestamp(1, 2), b: UUID('a1166fb4-9192-4499-aa62-e4f56ce87061'), c: BinData(0, "
         "'AQID'), d: HexData(5, '0102'), e: MinKey, f: MaxKey(), g: undefined, h: "
         "DBPointer('d.c', '0123456789abcdef01234567')}",
         "{\"a\": {\"$timestamp\": {\"t\": 1,\"i\": 2}},\"b\": {\"$binary\": "
         "\"oRZvtJGSRJmqYuT1bOhwYQ==\",\"$type\": \"04\"},\"c\": {\"$binary\": \"AQID\",\"$type\": "
         "\"00\"},\"d\": {\"$binary\": \"AQI=\",\"$type\": \"05\"},\"e\": {\"$minKey\": 1},\"f\": "
         "{\"$maxKey\": 1},\"g\": {\"$undefined\": true},\"h\": {\"$ref\": \"d.c\",\"$id\": "
         "{\"$oid\": "
         "\"0123456789abcdef01234567\"}}}"},
        {"{a: {$binary: 'AQID', $type: '80'}, b: {$type: '00', $binary: ''}, c: {$binary: "
         "{subType: "
         "'4', base64: 'AQID'}}, d: {$uuid: 'a1166fb4-9192-4499-aa62-e4f56ce87061'}}",
         "{\"a\": {\"$binary\": \"AQID\",\"$type\": \"80\"},\"b\": {\"$binary\": \"\",\"$type\": "
         "\"00\"},\"c\": {\"$binary\": \"AQID\",\"$type\": \"04\"},\"d\": {\"$binary\": "
         "\"oRZvtJGSRJmqYuT1bOhwYQ==\",\"$type\": \"04\"}}"},
        {"{a: {$timestamp: {i: 1, t: 4294967295}}, b: {$timestamp: {t: 1}}}",
         "{\"a\": {\"$timestamp\": {\"t\": 4294967295,\"i\": 1}},\"b\": {\"$timestamp\": {\"t\": "
         "1}}}"},
        {"{a: [1, [2, ], ], b: {}, }", "{\"a\": [1,[2]],\"b\": {}}"},
        {"{a: -Infinity, b: NaN, c: Infinity, d: -0.0, e: 1e5, f: 1E-3, g: -7}",
         "{\"a\": -Infinity,\"b\": NaN,\"c\": Infinity,\"d\": -0.0,\"e\": 100000.0,\"f\": "
         "0.001,\"g\": -7}"},
        {"{a: 2147483648, b: -2147483648, c: 9223372036854775807, d: 9223372036854775808, e: "
         "1e999}",
         "{\"a\": {\"$numberLong\": \"2147483648\"},\"b\": -2147483648,\"c\": {\"$numberLong\": "
         "\"9223372036854775807\"},\"d\": 9.223372036854776E18,\"e\": Infinity}"},
        {"{a: {$code: 'x', $scope: {y: {$oid: '0123456789abcdef01234567'}}}, b: {$symbol: 's'}}",
         "{\"a\": {\"$code\": \"x\",\"$scope\": {\"y\": {\"$oid\": \"0123456789abcdef01234567\"}}},"
         "\"b\": {\"$symbol\": \"s\"}}"},
        {"{a: '\\u00e9\\ud83d\\ude00\\n\\t\\/\\'\\ud83d', b: 'it\"s'}",
         "{\"a\": \"\xc3\xa9\\ud83d\\ude00\\n\\t/'\xef\xbf\xbd\",\"b\": \"it\\\"s\"}"},
        /* what only looks like one of the forms */
        {"{a: {$foo: 1}, b: {$oid: 5}, c: {$oid: 'x', d: 1}, e: {$date: {x: 1}}, f: {$binary: 1}}",
         "{\"a\": {\"$foo\": 1},\"b\": {\"$oid\": 5},\"c\": {\"$oid\": \"x\",\"d\": 1},\"e\": "
         "{\"$date\": "
         "{\"x\": 1}},\"f\": {\"$binary\": 1}}"},
        {"{a: {$code: 'x', $scope: {y: 1}, z: 1}, b: {$code: 'x', $scope: 1}}",
         "{\"a\": {\"$code\": \"x\",\"$scope\": {\"y\": 1},\"z\": 1},\"b\": {\"$code\": \"x\","
         "\"$scope\": 1}}"},
        {"{\"$oid\": \"x\"}", "{\"$oid\": \"x\"}"}, /* a document is asked for */
        {" \n{ } \t", "{}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice doc;
        struct error e = {0};
        struct strbuf text = STRBUF_INIT;
        CHECK_OK(parse(rows[i][0], strlen(rows[i][0]), BSON_DOCUMENT, &doc, &e));
        CHECK_STR(e.msg, "");
        CHECK_OK(bson_check(doc, NULL));
        if (doc.p)
            bson_json_print(doc, strict, &text);
        CHECK_STR(text.p, rows[i][1]);
        strbuf_release(&text);
        arena_reset(&arena);
    }
}

static void test_array(void)
{
    struct slice doc;
    struct bson_item i = {.kind = BSON_ARRAY};
    struct strbuf text = STRBUF_INIT;
    const char *pipeline = "[{$match: {a: {$gte: 10}}}, {$addFields: {'x.y': '***'}}]";
    CHECK_OK(parse(pipeline, strlen(pipeline), BSON_ARRAY, &doc, NULL));
    CHECK_OK(bson_check(doc, NULL));
    i.raw = doc;
    bson_json_print_item(&i, relaxed, &text);
    CHECK_STR(text.p,
              "[{\"$match\": {\"a\": {\"$gte\": 10}}}, {\"$addFields\": {\"x.y\": \"***\"}}]");
    strbuf_release(&text);
    arena_reset(&arena);
}

static void test_now(void)
{
    struct slice doc;
    struct bson_item i;
    clock_fake(1234567, 1);
    CHECK_OK(parse("{a: new Date()}", 15, BSON_DOCUMENT, &doc, NULL));
    clock_real();
    CHECK(bson_find(doc, SL("a"), &i));
    CHECK_INT(bson_int(&i), 1234567);
}

static void test_mistakes(void)
{
    static const char *const rows[][2] = {
        {"", "line 1 column 1: expected {"},
        {"[]", "line 1 column 1: expected {"},
        {"{a: 1} x", "line 1 column 8: the text goes on behind its end"},
        {"{a: 01}", "line 1 column 5: not a valid number"},
        {"{a: 1.}", "line 1 column 5: not a valid number"},
        {"{a: -}", "line 1 column 5: not a valid number"},
        {"{a: 1e}", "line 1 column 5: not a valid number"},
        {"{a: 1x}", "line 1 column 5: not a valid number"},
        {"{a 1}", "line 1 column 4: expected :"},
        {"{a: }", "line 1 column 5: a value is expected"},
        {"{a: 1", "line 1 column 6: expected , or }"},
        {"{a:", "line 1 column 4: the text ends where a value is expected"},
        {"{a: [1 2]}", "line 1 column 8: expected , or ]"},
        {"{\n  a: 1,\n  b: foo}", "line 3 column 6: a word that is not known"},
        {"{a: \"x}", "line 1 column 5: the text has no closing quote"},
        {"{a: \"x\\", "line 1 column 5: the text has no closing quote"},
        {"{a: \"\\q\"}", "line 1 column 6: not a valid escape"},
        {"{a: \"\\u12\"}", "line 1 column 6: not a valid escape"},
        {"{a: /x", "line 1 column 5: the regular expression has no closing /"},
        {"{a: {$oid: '12'}}", "line 1 column 12: an ObjectId has 24 hexadecimal digits"},
        {"{a: {$numberLong: 'x'}}", "line 1 column 19: not an integer of 64 bits"},
        {"{a: {$numberInt: '3000000000'}}", "line 1 column 18: not an integer of 32 bits"},
        {"{a: {$numberDecimal: 'x'}}", "line 1 column 22: not a decimal number of 34 digits"},
        {"{a: {$date: 'x'}}", "line 1 column 13: not a date such as 2017-07-19T10:37:12.310Z"},
        {"{a: {$date: '2017-02-29'}}",
         "line 1 column 13: not a date such as 2017-07-19T10:37:12.310Z"},
        {"{a: {$binary: '?', $type: '00'}}", "line 1 column 15: not base64"},
        {"{a: {$uuid: '12'}}", "line 1 column 13: a UUID has 32 hexadecimal digits"},
        {"{a: ObjectId(1)}", "line 1 column 14: ObjectId wants one text"},
        {"{a: ObjectId('1', '2', '3')}", "line 1 column 24: one argument too many"},
        {"{a: {$timestamp: {t: 4294967296, i: 1}}}",
         "line 1 column 22: not an unsigned integer of 32 bits"},
        {"{a: {$timestamp: {i: -1, t: 1}}}",
         "line 1 column 22: not an unsigned integer of 32 bits"},
        {"{a: Timestamp(1, 4294967296)}", "line 1 column 18: not an unsigned integer of 32 bits"},
        {"{a: {$code: 'x', $scope: {y: }}}", "line 1 column 30: a value is expected"},
        {"{a: ObjectId}", "line 1 column 13: expected ("},
        {"{a: new Foo(1)}", "line 1 column 9: a word that is not known"},
        {"{\"a\\u0000b\": 1}", "line 1 column 2: a name must not have a 0 character"},
        {"{5: 1}", "line 1 column 2: a name is expected"},
        {"{a: ;}", "line 1 column 5: not a value, name or bracket"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice doc;
        struct error e = {0};
        CHECK_ERR(parse(rows[i][0], strlen(rows[i][0]), BSON_DOCUMENT, &doc, &e), E_INVALID);
        CHECK_STR(e.msg, rows[i][1]);
        CHECK(slice_is_null(doc));
        arena_reset(&arena);
    }
    struct slice doc;
    CHECK_ERR(bson_parse(SLICE_NULL, BSON_DOCUMENT, &arena, &doc, NULL), E_INVALID);
}

static void test_decimals(void)
{
    static const char *const rows[][2] = {
        {"1E-6176", "1E-6176"},
        {"10E-6177", "1E-6176"},
        {"1E6144", "1.000000000000000000000000000000000E+6144"},
        {"12345678901234567890123456789012340000", "1.234567890123456789012345678901234E+37"},
        {".5", "0.5"},
        {"5.", "5"},
        {"0E+7000", "0E+6111"},
        {"+1.20", "1.20"},
        {"-inf", "-Infinity"},
        {"1E6145", NULL},
        {"1E-6177", NULL},
        {"12345678901234567890123456789012345", NULL},
        {"", NULL},
        {".", NULL},
        {"1E", NULL},
        {"1E+-2", NULL},
        {"1E99999999999999999999", NULL},
        {"x", NULL},
    };
    char text[160];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct slice doc;
        snprintf(text, sizeof text, "{\"d\": {\"$numberDecimal\": \"%s\"}}", rows[i][0]);
        enum err err = parse(text, strlen(text), BSON_DOCUMENT, &doc, NULL);
        CHECK_ERR(err, rows[i][1] ? E_OK : E_INVALID);
        if (err)
            continue;
        struct strbuf again = STRBUF_INIT;
        bson_json_print(doc, strict, &again);
        snprintf(text, sizeof text, "{\"d\": {\"$numberDecimal\": \"%s\"}}", rows[i][1]);
        CHECK_STR(again.p, text);
        strbuf_release(&again);
    }
    arena_reset(&arena);
}

/* As in Java's maps: the last value at the first place, in documents of few members and of many. */
static void test_twice(void)
{
    static const char *const rows[][2] = {
        {"{'a': 1, 'b': 2, 'a': 'x'}", "{\"a\": \"x\", \"b\": 2}"},
        {"{'v': {'a': 1, 'a': 2}, 'v': {'b': [{'c': 1, 'c': 2}]}}",
         "{\"v\": {\"b\": [{\"c\": 2}]}}"},
        {"{'': 1, '': 2, 'a': 3, '': 4}", "{\"\": 4, \"a\": 3}"},
        {"{'a': 1, 'b': 2, 'ab': 3}", "{\"a\": 1, \"b\": 2, \"ab\": 3}"},
    };
    struct strbuf text = STRBUF_INIT, want = STRBUF_INIT, got = STRBUF_INIT;
    struct slice doc;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        strbuf_reset(&got);
        CHECK_OK(parse(rows[i][0], strlen(rows[i][0]), BSON_DOCUMENT, &doc, NULL));
        bson_json_print(doc, relaxed, &got);
        CHECK_STR(got.p, rows[i][1]);
    }
    for (int twice = 0; twice < 2; twice++) {
        strbuf_reset(&text);
        strbuf_reset(&want);
        strbuf_reset(&got);
        strbuf_adds(&text, "{'n': 1");
        strbuf_addf(&want, "{\"n\": %d", twice ? 2 : 1);
        for (int i = 0; i < 500; i++) {
            strbuf_addf(&text, ", 'f%d': %d", i, i);
            strbuf_addf(&want, ", \"f%d\": %d", i, i);
        }
        strbuf_adds(&text, twice ? ", 'n': 2}" : "}");
        strbuf_addc(&want, '}');
        CHECK_OK(parse(text.p, text.n, BSON_DOCUMENT, &doc, NULL));
        bson_json_print(doc, relaxed, &got);
        CHECK_STR(got.p, want.p);
        arena_reset(&arena);
    }
    strbuf_release(&text);
    strbuf_release(&want);
    strbuf_release(&got);
}

static void test_limits(void)
{
    struct slice doc;
    struct error e = {0};
    struct strbuf text = STRBUF_INIT;
    for (int i = 0; i <= BSON_DEPTH_MAX; i++)
        strbuf_adds(&text, "{a:");
    strbuf_adds(&text, "1");
    for (int i = 0; i <= BSON_DEPTH_MAX; i++)
        strbuf_adds(&text, "}");
    CHECK_OK(parse(text.p, text.n, BSON_DOCUMENT, &doc, NULL));
    CHECK_OK(bson_check(doc, NULL));
    strbuf_reset(&text);
    for (int i = 0; i < 100000; i++)
        strbuf_adds(&text, i % 2 ? "[" : "{a:");
    CHECK_ERR(parse(text.p, text.n, BSON_DOCUMENT, &doc, &e), E_TOO_LARGE);
    CHECK_STR(e.msg, "documents are nested deeper than 200");
    strbuf_release(&text);
    struct arena small;
    arena_init(&small, 64, 100);
    CHECK_ERR(
        bson_parse(SL("{a: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}"),
                   BSON_DOCUMENT, &small, &doc, NULL),
        E_TOO_LARGE);
    arena_release(&small);
    arena_reset(&arena);
}

/* Time grows with the depth, it does not double with each level. */
static void test_nested_code(void)
{
    static const char *const ends[] = {"}", ",x:1}"};
    for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
        struct strbuf text = STRBUF_INIT;
        struct slice doc;
        strbuf_adds(&text, "{a: ");
        for (int i = 0; i < 90; i++)
            strbuf_adds(&text, "{$code: '', $scope: ");
        strbuf_adds(&text, "{}");
        for (int i = 0; i < 90; i++)
            strbuf_adds(&text, ends[k]);
        strbuf_addc(&text, '}');
        int64_t began = clock_mono_ms();
        CHECK_OK(parse(text.p, text.n, BSON_DOCUMENT, &doc, NULL));
        CHECK(clock_mono_ms() - began < 2000);
        strbuf_release(&text);
        arena_reset(&arena);
    }
}

static void test_memory(void)
{
    static const char text[] =
        "{\"a\\n\": \"\\u00e9\", b: {$code: 'x', $scope: {y: [1, 2]}}, c: {$binary: "
        "'AQID', $type: '00'}, d: UUID('a1166fb4-9192-4499-aa62-e4f56ce87061')}";
    for (int64_t n = 1;; n++) {
        struct slice doc;
        struct arena a;
        arena_init(&a, 0, 1 << 20);
        mem_fail_at(n);
        enum err err = bson_parse(slice_cstr(text), BSON_DOCUMENT, &a, &doc, NULL);
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(hit ? err != E_OK && !doc.p : err == E_OK && bson_check(doc, NULL) == E_OK);
        arena_release(&a);
        if (!hit)
            break;
    }
}

static const struct test_case tests[] = {
    {"vectors", test_vectors},
    {"forms", test_forms},
    {"array", test_array},
    {"now", test_now},
    {"mistakes", test_mistakes},
    {"decimals", test_decimals},
    {"limits", test_limits},
    {"memory", test_memory},
    {"nested code", test_nested_code},
    {"names that come twice", test_twice},
    {NULL, NULL},
};
const struct test_suite test_bson_parse = {"cdc/bson/bson_parse", tests, setup, teardown};
