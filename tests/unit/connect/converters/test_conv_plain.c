/* String-, ByteArray-, number and boolean converters and SimpleHeaderConverter, both directions.
 * SPEC: connect 5.3. */
#include "helpers.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "connect/converters/converters.h"

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

static void *open_conv(const struct converter_ops *ops, const char *encoding)
{
    struct strmap m = STRMAP_INIT;
    void *c = NULL;
    if (encoding)
        strmap_set(&m, SL("converter.encoding"), slice_cstr(encoding));
    CHECK_OK(ops->configure(&c, &m, false, NULL));
    strmap_release(&m);
    return c;
}

/* The bytes in hexadecimal, "null", or the message. */
static void check_write(const struct converter_ops *ops, const char *encoding,
                        const struct schema *s, struct value v, const char *want)
{
    struct strbuf out = STRBUF_INIT, hex = STRBUF_INIT;
    struct error e = {0};
    bool null = false;
    void *c = open_conv(ops, encoding);
    enum err rc = ops->from_connect(c, SL("t"), s, v, &out, &null, &e);
    if (rc)
        strbuf_adds(&hex, e.msg);
    else if (null)
        strbuf_adds(&hex, "null");
    else
        hex_encode(&hex, strbuf_slice(&out));
    CHECK_STR(hex.n ? hex.p : "", want);
    ops->release(c);
    strbuf_release(&out);
    strbuf_release(&hex);
}

/* "type value" as a header shows it, or the message. */
static void check_read(const struct converter_ops *ops, const char *encoding, struct slice bytes,
                       const char *want)
{
    struct strbuf got = STRBUF_INIT;
    struct error e = {0};
    const struct schema *s = NULL;
    struct value v;
    void *c = open_conv(ops, encoding);
    if (ops->to_connect(c, SL("t"), bytes, &arena, &s, &v, &e)) {
        strbuf_adds(&got, e.msg);
    } else {
        strbuf_adds(&got, s ? schema_type_name(s->type) : "none");
        strbuf_addc(&got, ' ');
        java_add_header_value(&got, s, v, true);
    }
    CHECK_STR(got.p, want);
    ops->release(c);
    strbuf_release(&got);
}

static void test_numbers(void)
{
    static const struct {
        const struct converter_ops *ops;
        enum schema_type type;
        struct value v;
        const char *hex, *text;
    } rows[] = {
        {&converter_short, SCHEMA_INT16, {.kind = VALUE_INT, .u.i = -2}, "fffe", "int16 -2"},
        {&converter_integer, SCHEMA_INT32, {.kind = VALUE_INT, .u.i = 7}, "00000007", "int32 7"},
        {&converter_long,
         SCHEMA_INT64,
         {.kind = VALUE_INT, .u.i = -1},
         "ffffffffffffffff",
         "int64 -1"},
        {&converter_float,
         SCHEMA_FLOAT32,
         {.kind = VALUE_DOUBLE, .float32 = 1, .u.d = 1.5},
         "3fc00000",
         "float 1.5"},
        {&converter_double,
         SCHEMA_FLOAT64,
         {.kind = VALUE_DOUBLE, .u.d = -0.0},
         "8000000000000000",
         "double -0.0"},
        {&converter_boolean, SCHEMA_BOOLEAN, {.kind = VALUE_BOOL, .u.i = 1}, "01", "boolean true"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct schema *s = schema_plain(rows[i].type, true);
        struct strbuf bytes = STRBUF_INIT;
        check_write(rows[i].ops, NULL, s, rows[i].v, rows[i].hex);
        check_write(rows[i].ops, NULL, s, value_null(), "null");
        CHECK_OK(hex_decode(&bytes, slice_cstr(rows[i].hex)));
        check_read(rows[i].ops, NULL, strbuf_slice(&bytes), rows[i].text);
        strbuf_release(&bytes);
    }
    check_write(&converter_integer, NULL, schema_plain(SCHEMA_STRING, true), value_string(SL("x")),
                "org.apache.kafka.connect.errors.DataException: Failed to serialize to integer "
                "(was class java.lang.String): ");
    check_write(&converter_integer, NULL, NULL, value_int(1),
                "org.apache.kafka.connect.errors.DataException: Failed to serialize to integer "
                "(was class java.lang.Long): ");
    check_write(&converter_long, NULL, NULL, value_int(1), "0000000000000001");
    check_write(&converter_boolean, NULL, schema_plain(SCHEMA_INT8, true), value_int(1),
                "org.apache.kafka.connect.errors.DataException: Invalid schema type for "
                "BooleanConverter: INT8");
    check_read(&converter_integer, NULL, SL("abc"),
               "org.apache.kafka.connect.errors.DataException: Failed to deserialize integer: "
               "\nCaused by: org.apache.kafka.common.errors.SerializationException: Size of data "
               "received by IntegerDeserializer is not 4");
    check_read(&converter_boolean, NULL, SL("2"),
               "org.apache.kafka.connect.errors.DataException: Failed to deserialize boolean: "
               "\nCaused by: org.apache.kafka.common.errors.SerializationException: Unexpected "
               "byte received by BooleanDeserializer");
    check_read(&converter_integer, NULL, SLICE_NULL, "int32 null");
}

static void test_encodings(void)
{
    struct value v = value_string(SL("\xed\x95\x9c \xc3\xa9 a")); /* U+D55C U+0020 U+00E9 */
    check_write(&converter_string, "UTF8", NULL, v, "ed959c20c3a92061");
    check_write(&converter_string, "ISO-8859-1", NULL, v, "3f20e92061");
    check_write(&converter_string, "US-ASCII", NULL, v, "3f203f2061");
    check_write(&converter_string, "UTF-16", NULL, v, "feffd55c002000e900200061");
    check_write(&converter_string, "UTF-16", NULL, value_string(SL("")), "");
    check_write(&converter_string, "UTF-16LE", NULL, value_int(7), "3700");
    check_write(&converter_string, "ISO-2022-KR", NULL, value_null(), "null");
    check_read(&converter_string, "ISO-8859-1", SL("\xe9"), "string \"\xc3\xa9\"");
    check_read(&converter_string, "US-ASCII", SL("a\xe9z"), "string \"a\xef\xbf\xbdz\"");
    check_read(&converter_string, "UTF-16", slice_of("\xff\xfe\x5c\xd5", 4),
               "string \"\xed\x95\x9c\"");
    check_read(&converter_string, "UTF-16", slice_of("\xd5\x5c", 2), "string \"\xed\x95\x9c\"");
    check_read(&converter_string, "UTF-16", slice_of("\0a\0", 3), "string \"a\xef\xbf\xbd\"");
    check_read(&converter_string, NULL, SLICE_NULL, "string null");

    static const char *const bad[] = {"x-klingon", "UTF-8//IGNORE"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct strmap m = STRMAP_INIT;
        struct error e = {0};
        struct strbuf want = STRBUF_INIT;
        void *c = NULL;
        strmap_set(&m, SL("converter.encoding"), slice_cstr(bad[i]));
        CHECK_ERR(converter_string.configure(&c, &m, false, &e), E_UNSUPPORTED);
        strbuf_addf(&want,
                    "org.apache.kafka.common.config.ConfigException: Invalid value %s for "
                    "configuration converter.encoding: there is no character set %s",
                    bad[i], bad[i]);
        CHECK_STR(e.msg, want.p);
        converter_string.release(c);
        strbuf_release(&want);
        strmap_release(&m);
    }
}

static void test_headers(void)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"7", "int8 7"},
        {"1.5", "float 1.5"},
        {"true", "boolean true"},
        {"some text", "string \"some text\""},
        {"[1, 2]", "array [1,2]"},
        {"null", "none null"},
        {"2024-02-29", "int32 \"2024-02-29\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_read(&converter_simple_header, NULL, slice_cstr(rows[i].text), rows[i].want);
    check_read(&converter_simple_header, NULL, SLICE_NULL, "none null");
    check_read(&converter_simple_header, NULL, SL("\xff"), "bytes \"/w==\"");
}

static const struct test_case tests[] = {
    {"numbers", test_numbers},
    {"encodings", test_encodings},
    {"headers", test_headers},
    {NULL, NULL},
};
const struct test_suite test_conv_plain = {"connect/converters/plain", tests, setup, teardown};
