/* Byte-exact tables for JsonConverter in both directions. SPEC: connect 5.2. */
#include "helpers.h"

#include <math.h>

#include "base/json.h"
#include "base/mem.h"
#include "connect/converters/converters.h"
#include "connect/javatext.h"

static struct arena arena;

static int setup(void)
{
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    return 0;
}

static int teardown(void)
{
    arena_release(&arena);
    return 0;
}

static void *conv_with(const char *k, const char *v, const char *k2, const char *v2)
{
    struct strmap m = STRMAP_INIT;
    struct error e = {0};
    void *c;
    if (k)
        strmap_set(&m, slice_cstr(k), slice_cstr(v));
    if (k2)
        strmap_set(&m, slice_cstr(k2), slice_cstr(v2));
    CHECK_OK(converter_json.configure(&c, &m, false, &e));
    strmap_release(&m);
    return c;
}

static void check_write(void *c, const struct schema *s, struct value v, const char *want)
{
    struct strbuf out = STRBUF_INIT;
    struct error e = {0};
    bool null;
    enum err err = converter_json.from_connect(c, SL("t"), s, v, &out, &null, &e);
    CHECK_STR(err ? e.msg : null ? "<null>" : out.p, want);
    strbuf_release(&out);
}

static const struct schema *decimal(int scale, bool optional)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_BYTES);
    char text[12];
    snprintf(text, sizeof text, "%d", scale);
    if (optional)
        schema_builder_optional(b);
    schema_builder_name(b, SL("org.apache.kafka.connect.data.Decimal"));
    schema_builder_version(b, 1);
    schema_builder_param(b, SL("scale"), slice_cstr(text));
    schema_builder_param(b, SL("connect.decimal.precision"), SL("10"));
    return schema_build(b);
}

/* The example of the specification. */
static const struct schema *product_schema(void)
{
    struct schema_builder *ts = schema_builder_new(SCHEMA_INT64);
    schema_builder_name(ts, SL("io.debezium.time.Timestamp"));
    schema_builder_version(ts, 1);
    schema_builder_default(ts, value_int(0));
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    schema_builder_name(b, SL("dbserver1.inventory.products.Value"));
    schema_builder_field(b, SL("id"), schema_ref(schema_plain(SCHEMA_INT32, false)));
    schema_builder_field(b, SL("ts"), schema_build(ts));
    schema_builder_field(b, SL("price"), decimal(2, true));
    return schema_build(b);
}

#define PRODUCT_SCHEMA                                                                             \
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":false,\"field\":\"id\"},{"  \
    "\"type\":\"int64\","                                                                          \
    "\"optional\":false,\"name\":\"io.debezium.time.Timestamp\",\"version\":1,\"default\":0,"      \
    "\"field\":\"ts\"},"                                                                           \
    "{\"type\":\"bytes\",\"optional\":true,\"name\":\"org.apache.kafka.connect.data.Decimal\","    \
    "\"version\":1,"                                                                               \
    "\"parameters\":{\"scale\":\"2\",\"connect.decimal.precision\":\"10\"},\"field\":\"price\"}]," \
    "\"optional\":false,\"name\":\"dbserver1.inventory.products.Value\"}"

static void test_example(void)
{
    void *c = conv_with(NULL, NULL, NULL, NULL);
    const struct schema *s = product_schema();
    struct value v = value_struct_new(&arena, 3);
    v.u.v[0] = value_int(1);
    v.u.v[2] = value_bytes(SL("\x04\xd2"));
    CHECK_SLICE(s->json, SL(PRODUCT_SCHEMA));
    check_write(c, s, v,
                "{\"schema\":" PRODUCT_SCHEMA
                ",\"payload\":{\"id\":1,\"ts\":0,\"price\":\"BNI=\"}}");
    check_write(c, NULL, value_null(), "<null>");
    check_write(c, NULL, value_int(7), "{\"schema\":null,\"payload\":7}");
    converter_json.release(c);

    c = conv_with("schemas.enable", "false", "decimal.format", "numeric");
    check_write(c, s, v, "{\"id\":1,\"ts\":0,\"price\":12.34}");
    check_write(c, schema_plain(SCHEMA_STRING, true), value_null(), "null");
    check_write(c, NULL, value_null(), "<null>");
    v.u.v[0] = value_null();
    check_write(c, s, v,
                "org.apache.kafka.connect.errors.DataException: Conversion error: null value for "
                "field that "
                "is required and has no default value");
    converter_json.release(c);

    c = conv_with("schemas.enable", " FALSE", "replace.null.with.default", "false");
    v.u.v[0] = value_int(5);
    check_write(c, s, v,
                "org.apache.kafka.connect.errors.DataException: Conversion error: null value for "
                "field that "
                "is required and has no default value");
    v.u.v[1] = value_int(-9);
    check_write(c, s, v, "{\"id\":5,\"ts\":-9,\"price\":\"BNI=\"}");
    converter_json.release(c);
    schema_unref(s);
}

static void check_double(double d, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    json_add_double(&b, d);
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void check_float(float f, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    json_add_float(&b, f);
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void test_doubles(void)
{
    check_double(0, "0.0");
    check_double(-0.0, "-0.0");
    check_double(1, "1.0");
    check_double(-1.5, "-1.5");
    check_double(0.001, "0.001");
    check_double(0.0001, "1.0E-4");
    check_double(9999999, "9999999.0");
    check_double(9999999.5, "9999999.5");
    check_double(1e7, "1.0E7");
    check_double(1e10, "1.0E10");
    check_double(12345678.9, "1.23456789E7");
    check_double(0.1 + 0.2, "0.30000000000000004");
    check_double(100.0 / 3, "33.333333333333336");
    check_double(1.7976931348623157e308, "1.7976931348623157E308");
    check_double(4.9e-324, "4.9E-324");
    check_double(2e-323, "2.0E-323");
    check_double(2.2250738585072014e-308, "2.2250738585072014E-308");
    check_double(1e23, "1.0E23");
    check_double(2e23, "2.0E23");
    check_double(123456789012345680.0, "1.2345678901234568E17");
    check_double(NAN, "NaN");
    check_double(-INFINITY, "-Infinity");
    check_float(1.1F, "1.1");
    check_float(3.14F, "3.14");
    check_float(0.1F, "0.1");
    check_float(16777216.0F, "1.6777216E7");
    check_float(3.4028235e38F, "3.4028235E38");
    check_float(1.4e-45F, "1.4E-45");
    check_float(1e-4F, "1.0E-4");
    check_float(33.333332F, "33.333332");
}

static void check_decimal(const char *text, const char *want)
{
    struct strbuf u = STRBUF_INIT, b = STRBUF_INIT;
    int32_t scale;
    CHECK_OK(java_parse_decimal(slice_cstr(text), &u, &scale));
    java_add_decimal(&b, strbuf_slice(&u), scale);
    CHECK_STR(b.p, want);
    strbuf_release(&u);
    strbuf_release(&b);
}

static void test_decimals(void)
{
    check_decimal("12.50", "12.50");
    check_decimal("-0.01", "-0.01");
    check_decimal("0", "0");
    check_decimal("0.000000", "0.000000");
    check_decimal("0.0000000", "0E-7");
    check_decimal("1E+3", "1E+3");
    check_decimal("1e3", "1E+3");
    check_decimal("0.0000001", "1E-7");
    check_decimal("0.00000123", "0.00000123");
    check_decimal("0.000000123", "1.23E-7");
    check_decimal("-123e5", "-1.23E+7");
    check_decimal("99999999999999999999999999999999999999",
                  "99999999999999999999999999999999999999");
    check_decimal("-99999999999999999999999999999999999.999",
                  "-99999999999999999999999999999999999.999");
    check_decimal("170141183460469231731687303715884105728",
                  "170141183460469231731687303715884105728");
    check_decimal("-9223372036854775808", "-9223372036854775808");
    check_decimal("-128", "-128");
    check_decimal("-256.00", "-256.00");

    struct strbuf u = STRBUF_INIT;
    int32_t scale;
    CHECK_OK(java_parse_decimal(SL("-128"), &u, &scale));
    CHECK_SLICE(strbuf_slice(&u), SL("\x80"));
    strbuf_reset(&u);
    CHECK_OK(java_parse_decimal(SL("128"), &u, &scale));
    CHECK_SLICE(strbuf_slice(&u), slice_of("\x00\x80", 2));
    CHECK_OK(java_rescale(&u, 0, 2));
    CHECK_SLICE(strbuf_slice(&u), slice_of("\x32\x00", 2));
    strbuf_release(&u);
    CHECK_ERR(java_parse_decimal(SL("1.2.3"), &u, &scale), E_INVALID);
    CHECK_ERR(java_parse_decimal(SL(""), &u, &scale), E_INVALID);
    CHECK_ERR(java_parse_decimal(SL("1e"), &u, &scale), E_INVALID);
    strbuf_release(&u);
}

static void test_strings(void)
{
    void *c = conv_with("schemas.enable", "false", NULL, NULL);
    const struct schema *s = schema_plain(SCHEMA_STRING, false);
    check_write(c, s, value_string(SL("")), "\"\"");
    check_write(c, s, value_string(SL("a/b\"c\\d")), "\"a/b\\\"c\\\\d\"");
    check_write(c, s, value_string(SL("\b\t\n\f\r\x01\x1f\x7f")),
                "\"\\b\\t\\n\\f\\r\\u0001\\u001F\x7f\"");
    check_write(c, s, value_string(SL("h\xc3\xa9llo \xed\x95\x9c")),
                "\"h\xc3\xa9llo \xed\x95\x9c\"");
    check_write(c, s,
                value_string(SL("0123456789abcdef0123456789abcde\"tail that is long enough\n")),
                "\"0123456789abcdef0123456789abcde\\\"tail that is long enough\\n\"");
    char all[256];
    memset(all, 1, sizeof all); /* the worst case: six bytes each */
    struct strbuf want = STRBUF_INIT;
    strbuf_addc(&want, '"');
    for (size_t i = 0; i < sizeof all; i++)
        strbuf_adds(&want, "\\u0001");
    strbuf_addc(&want, '"');
    check_write(c, s, value_string(slice_of(all, sizeof all)), want.p);
    strbuf_release(&want);
    converter_json.release(c);
}

static void test_values(void)
{
    void *c = conv_with("schemas.enable", "false", NULL, NULL);
    check_write(c, schema_plain(SCHEMA_BOOLEAN, false), value_bool(true), "true");
    check_write(c, schema_plain(SCHEMA_BOOLEAN, false), value_bool(false), "false");
    check_write(c, schema_plain(SCHEMA_INT64, false), value_int(INT64_MIN), "-9223372036854775808");
    check_write(c, schema_plain(SCHEMA_FLOAT64, false), value_double(NAN), "\"NaN\"");
    check_write(c, schema_plain(SCHEMA_FLOAT32, false), value_double(1.100000023841858), "1.1");
    check_write(c, NULL, value_float(1.1F), "1.1");
    check_write(c, schema_plain(SCHEMA_BYTES, false), value_bytes(SL("")), "\"\"");
    check_write(c, schema_plain(SCHEMA_BYTES, false), value_bytes(SL("a")), "\"YQ==\"");
    check_write(c, schema_plain(SCHEMA_BYTES, false), value_bytes(SL("\xff\xfe\xfd")), "\"//79\"");

    struct value map = value_map_new(&arena, 2);
    map.u.v[0] = value_string(SL("a"));
    map.u.v[1] = value_int(1);
    map.u.v[2] = value_string(SL("b"));
    check_write(c, NULL, map, "{\"a\":1,\"b\":null}");
    map.u.v[0] = value_int(9);
    check_write(c, NULL, map, "[[9,1],[\"b\",null]]");
    check_write(c, NULL, value_map_new(&arena, 0), "{}");
    struct value list = value_array_new(&arena, 2);
    list.u.v[0] = map;
    check_write(c, NULL, list, "[[[9,1],[\"b\",null]],null]");
    check_write(c, NULL, value_array_new(&arena, 0), "[]");

    struct schema_builder *b = schema_builder_new(SCHEMA_MAP);
    schema_builder_element(b, schema_ref(schema_plain(SCHEMA_INT32, false)),
                           schema_ref(schema_plain(SCHEMA_STRING, true)));
    const struct schema *ms = schema_build(b);
    CHECK_SLICE(ms->json, SL("{\"type\":\"map\",\"keys\":{\"type\":\"int32\",\"optional\":false},"
                             "\"values\":{\"type\":"
                             "\"string\",\"optional\":true},\"optional\":false}"));
    struct value im = value_map_new(&arena, 1);
    im.u.v[0] = value_int(3);
    im.u.v[1] = value_string(SL("x"));
    check_write(c, ms, im, "[[3,\"x\"]]");
    check_write(c, ms, value_int(1), "1"); /* kinds decide where no damage can be done */
    check_write(c, ms, value_array_new(&arena, 0),
                "org.apache.kafka.connect.errors.DataException: Conversion error: "
                "the value does not match schema type MAP");
    schema_unref(ms);
    const struct schema *empty = schema_build(schema_builder_new(SCHEMA_STRUCT));
    CHECK_SLICE(empty->json, SL("{\"type\":\"struct\",\"fields\":[],\"optional\":false}"));
    check_write(c, empty, value_struct_new(&arena, 0), "{}");
    check_write(c, empty, value_struct_new(&arena, 1),
                "org.apache.kafka.connect.errors.DataException: Conversion "
                "error: the value does not match schema type STRUCT");
    schema_unref(empty);
    struct schema_builder *ab = schema_builder_new(SCHEMA_ARRAY);
    schema_builder_doc(ab, SL("a \"doc\""));
    const struct schema *as = schema_build(ab);
    CHECK_SLICE(
        as->json,
        SL("{\"type\":\"array\",\"items\":null,\"optional\":false,\"doc\":\"a \\\"doc\\\"\"}"));
    schema_unref(as);
    converter_json.release(c);
}

static void test_ceiling(void)
{
    void *c = conv_with(NULL, NULL, NULL, NULL);
    struct strbuf out;
    struct error e = {0};
    bool null;
    char big[400];
    memset(big, 'x', sizeof big);
    strbuf_init(&out, 100);
    CHECK_ERR(converter_json.from_connect(c, SL("t"), NULL, value_string(slice_of(big, sizeof big)),
                                          &out, &null, &e),
              E_TOO_LARGE);
    strbuf_release(&out);
    converter_json.release(c);
}

/* Every length around the sizes at which the buffer grows, with a value of each kind last. */
static void test_growth(void)
{
    void *c = conv_with("schemas.enable", "false", NULL, NULL);
    char text[300];
    memset(text, 'k', sizeof text);
    for (uint32_t n = 0; n < sizeof text; n++) {
        const struct value last[] = {value_double(2.222222222111111e30),
                                     value_int(INT64_MIN),
                                     value_bool(false),
                                     value_null(),
                                     value_string(SL("\x01")),
                                     value_bytes(SL("abcd"))};
        for (size_t i = 0; i < ARRAY_LEN(last); i++) {
            struct value map = value_map_new(&arena, 1);
            struct strbuf out = STRBUF_INIT;
            struct error e = {0};
            bool null;
            map.u.v[0] = value_string(slice_of(text, n));
            map.u.v[1] = last[i];
            CHECK_OK(converter_json.from_connect(c, SL("t"), NULL, map, &out, &null, &e));
            CHECK(out.n > n + 5 && out.p[out.n - 1] == '}' && out.p[out.n] == '\0');
            strbuf_release(&out);
        }
    }
    converter_json.release(c);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void check_read(void *c, const char *text, const char *want_schema, const char *want_value)
{
    const struct schema *s = NULL;
    struct value v;
    struct error e = {0};
    struct slice bytes = arena_dup(&arena, slice_cstr(text));
    for (int round = 0; round < 2; round++) { /* the second time through the cache */
        enum err err = converter_json.to_connect(c, SL("t"), bytes, &arena, &s, &v, &e);
        if (err) {
            CHECK_STR(e.msg, want_value);
            return;
        }
        struct strbuf out = STRBUF_INIT;
        struct json_out_options o = {0};
        CHECK_SLICE(s ? s->json : SLICE_NULL, slice_cstr(want_schema));
        CHECK_OK(json_out_value(&out, s, v, &o, &e));
        CHECK_STR(out.p, want_value);
        strbuf_release(&out);
    }
}

#define NEED                                                                                       \
    "org.apache.kafka.connect.errors.DataException: JsonConverter with schemas.enable requires "   \
    "\"schema\" and "                                                                              \
    "\"payload\" fields and may not contain additional fields. If you are trying to deserialize "  \
    "plain JSON data, "                                                                            \
    "set schemas.enable=false in your converter configuration."
#define BROKEN                                                                                     \
    "org.apache.kafka.connect.errors.DataException: Converting byte[] to Kafka Connect data "      \
    "failed due to "                                                                               \
    "serialization error: \nCaused by: org.apache.kafka.common.errors.SerializationException: "    \
    "com.fasterxml.jackson.core.JsonParseException: "
#define DATA "org.apache.kafka.connect.errors.DataException: "

static void test_read_schemas(void)
{
    void *c = conv_with(NULL, NULL, NULL, NULL);
    check_read(
        c, "{\"schema\":" PRODUCT_SCHEMA ",\"payload\":{\"id\":1,\"ts\":null,\"price\":\"BNI=\"}}",
        PRODUCT_SCHEMA, "{\"id\":1,\"ts\":0,\"price\":\"BNI=\"}");
    check_read(
        c,
        " { \"payload\" : { \"price\":null, \"x\":[{}], \"id\":1.9 } , \"schema\":" PRODUCT_SCHEMA
        "} tail",
        PRODUCT_SCHEMA, "{\"id\":1,\"ts\":0,\"price\":null}");
    check_read(c, "{\"schema\":" PRODUCT_SCHEMA ",\"payload\":{\"id\":1,\"price\":12.5}}",
               PRODUCT_SCHEMA, "{\"id\":1,\"ts\":0,\"price\":\"BOI=\"}");
    check_read(c, "{\"schema\":" PRODUCT_SCHEMA ",\"payload\":{}}", NULL,
               DATA "Invalid null value for required INT32 field");
    check_read(c, "{\"schema\":" PRODUCT_SCHEMA ",\"payload\":{\"id\":1},\"more\":1}", NULL, NEED);
    check_read(c, "{\"schema\":" PRODUCT_SCHEMA ",\"payload\":3}", NULL,
               DATA "Structs should be encoded as JSON objects, but found NUMBER");
    check_read(c, "{\"schema\":null,\"payload\":{\"a\":[1,2.5,true,null,\"x\"]}}", NULL,
               "{\"a\":[1,2.5,true,null,\"x\"]}");
    check_read(c, "{\"id\":1}", NULL, NEED);
    check_read(c, "3", NULL, NEED);
    check_read(c, "null", NULL, NEED);
    check_read(c, "{\"schema\":{\"type\":\"int32\",\"optional\":false},\"payload\":\"text\"}",
               "{\"type\":\"int32\",\"optional\":false}", "0");
    check_read(c, "{\"schema\":{\"type\":\"int33\"},\"payload\":1}", NULL,
               DATA "Unknown schema type: int33");
    check_read(c, "{\"schema\":{\"optional\":true},\"payload\":1}", NULL,
               DATA "Schema must contain 'type' field");
    check_read(c, "{\"schema\":{\"type\":\"string\"},\"payload\":null}", NULL,
               DATA "Invalid null value for required STRING field");
    check_read(c,
               "{\"schema\":{\"type\":\"map\",\"keys\":{\"type\":\"int8\"},\"values\":{\"type\":"
               "\"boolean\"}},"
               "\"payload\":[[1,true],[2,false]]}",
               "{\"type\":\"map\",\"keys\":{\"type\":\"int8\",\"optional\":false},\"values\":{"
               "\"type\":\"boolean\","
               "\"optional\":false},\"optional\":false}",
               "[[1,true],[2,false]]");
    check_read(c, "hello", NULL,
               BROKEN
               "Unrecognized token 'hello': was expecting (JSON String, Number, Array, Object "
               "or token 'null', 'true' or 'false')");
    check_read(c, "{\"a\":", NULL, BROKEN "Unexpected end-of-input within/between Object entries");
    const struct schema *s;
    struct value v;
    CHECK_OK(converter_json.to_connect(c, SL("t"), SLICE_NULL, &arena, &s, &v, NULL));
    CHECK(!s && v.kind == VALUE_NULL);
    CHECK_OK(converter_json.to_connect(c, SL("t"), SL(""), &arena, &s, &v, NULL));
    CHECK(!s && v.kind == VALUE_NULL);
    converter_json.release(c);
}

static void test_read_plain(void)
{
    void *c = conv_with("schemas.enable", "false", NULL, NULL);
    check_read(c, "{\"id\":2} trailing", NULL, "{\"id\":2}");
    check_read(c, "{\"a\":1,\"a\":2}", NULL, "{\"a\":2}");
    check_read(c, "9223372036854775808", NULL, "-9223372036854775808");
    check_read(c, "1e2", NULL, "100.0");
    check_read(c, "\"\\u00e9\\ud83d\\ude00\\/\\n\"", NULL, "\"\xc3\xa9\xf0\x9f\x98\x80/\\n\"");
    check_read(c, "[1,]", NULL,
               BROKEN "Unexpected character (']' (code 93)): expected a valid value (JSON String, "
                      "Number, Array, Object or token 'null', 'true' or 'false')");
    check_read(c, "\"\xff\"", NULL, BROKEN "String is not valid UTF-8");
    check_read(c, "01 ", NULL, BROKEN "Invalid number");
    struct strbuf deep = STRBUF_INIT;
    for (int i = 0; i < 2000; i++)
        strbuf_addc(&deep, '[');
    struct error e = {0};
    struct value v;
    CHECK_ERR(json_read_value(strbuf_slice(&deep), NULL, &arena, true, &v, NULL, &e), E_INVALID);
    strbuf_release(&deep);
    converter_json.release(c);
}

/* Beyond the cache's size schemas live in the arena. */
static void test_cache_limit(void)
{
    void *c = conv_with("schemas.cache.size", "1", NULL, NULL);
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (int i = 0; i < 6; i++) {
        struct strbuf t = STRBUF_INIT;
        const struct schema *s;
        struct value v;
        strbuf_addf(&t, "{\"schema\":{\"type\":\"string\",\"name\":\"n%d\"},\"payload\":\"x\"}",
                    i % 3);
        CHECK_OK(converter_json.to_connect(c, SL("t"), strbuf_slice(&t), &a, &s, &v, NULL));
        CHECK_INT(s->name.p[1], '0' + i % 3);
        strbuf_release(&t);
    }
    arena_release(&a);
    converter_json.release(c);
}

/* Every allocation that depends on the input may fail. */
static void test_faults(void)
{
    const char *text =
        "{\"schema\":" PRODUCT_SCHEMA ",\"payload\":{\"id\":1,\"ts\":2,\"price\":\"BNI=\"}}";
    for (int n = 1; n < 200; n++) {
        void *c = conv_with(NULL, NULL, NULL, NULL);
        struct arena a;
        const struct schema *s;
        struct value v;
        struct error e = {0};
        arena_init(&a, 0, ARENA_NO_BUDGET);
        mem_fail_at(n);
        enum err err = converter_json.to_connect(c, SL("t"), slice_cstr(text), &a, &s, &v, &e);
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        if (!hit)
            CHECK_OK(err);
        arena_release(&a);
        converter_json.release(c);
        if (!hit)
            break;
    }
}

static const struct test_case tests[] = {
    {"the specification's example", test_example},
    {"doubles and floats", test_doubles},
    {"decimals", test_decimals},
    {"strings", test_strings},
    {"values without and with schemas", test_values},
    {"the ceiling", test_ceiling},
    {"growing buffers", test_growth},
    {"reading envelopes", test_read_schemas},
    {"reading plain JSON", test_read_plain},
    {"the schema cache's limit", test_cache_limit},
    {"allocation faults", test_faults},
    {NULL, NULL},
};
const struct test_suite test_conv_json = {"connect/conv_json", tests, setup, teardown};
