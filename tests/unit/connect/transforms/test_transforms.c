/* Kafka's transforms, with and without schemas. SPEC: connect 6.1 */
#include "connect/transforms/transforms.h"

#include "base/regex.h"
#include "connect/converters/infer.h"
#include "connect/java_date.h"
#include "connect/json_out.h"
#include "connect/transforms/smt_case.h"
#include "helpers.h"

#define STRUCT(fields)                                                                             \
    "{\"type\":\"struct\",\"fields\":[" fields "],\"optional\":false,\"name\":\"T\"}"
#define FIELD(type, name) "{\"type\":\"" type "\",\"optional\":false,\"field\":\"" name "\"}"
#define OPTIONAL(type, name) "{\"type\":\"" type "\",\"optional\":true,\"field\":\"" name "\"}"
#define ROW STRUCT(FIELD("int32", "id") "," OPTIONAL("string", "name"))
#define DATA "org.apache.kafka.connect.errors.DataException: "

static void run(const struct smt_case *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        smt_case_run(&c[i], (unsigned)i);
}
#define RUN(cases) run(cases, ARRAY_LEN(cases))

static void test_shapes(void)
{
    static const struct smt_case cases[] = {
        {&smt_hoist_field_value, "field=x", NULL, "{\"a\":1}", "t null {\"x\":{\"a\":1}}", false},
        {&smt_hoist_field_value, "field=x", NULL, "null", "t null {\"x\":null}", false},
        {&smt_hoist_field_value, "field=x", ROW, "{\"id\":1,\"name\":null}",
         "t null null {\"type\":\"struct\",\"fields\":[{\"type\":\"struct\",\"fields\":[" FIELD(
             "int32", "id") "," OPTIONAL("string", "name") "],\"optional\":false,\"name\":\"T\","
                                                           "\"field\":\"x\"}],\"optional\":false} "
                                                           "{\"x\":{\"id\":1,\"name\":null}}",
         true},
        {&smt_extract_field_value, "field=id", ROW, "{\"id\":7,\"name\":\"n\"}", "t null 7", false},
        {&smt_extract_field_value, "field=nosuch", ROW, "{\"id\":7,\"name\":\"n\"}",
         "java.lang.IllegalArgumentException: Unknown field: nosuch", false},
        {&smt_extract_field_value, "field=nosuch", NULL, "{\"id\":7}", "t null null", false},
        {&smt_extract_field_value, "field=a.`b.c`\nfield.syntax.version=v2", NULL,
         "{\"a\":{\"b.c\":3}}", "t null 3", false},
        {&smt_extract_field_value, "field=a.`b\nfield.syntax.version=V2", NULL, "{}",
         "org.apache.kafka.common.config.ConfigException: Incomplete backtick pair in path: [a.`b]",
         false},
        {&smt_extract_field_value, "field=a", NULL, "\"text\"",
         DATA "Only Map objects supported in absence of schema for [field extraction], found: "
              "java.lang.String",
         false},
        {&smt_value_to_key, "fields=name,id", ROW, "{\"id\":1,\"name\":\"n\"}",
         "t {\"name\":\"n\",\"id\":1} {\"id\":1,\"name\":\"n\"}", false},
        {&smt_value_to_key, "fields=x", ROW, "{\"id\":1,\"name\":\"n\"}",
         DATA "Field does not exist: x", false},
        {&smt_value_to_key, "fields=a,b", NULL, "{\"a\":1}", "t {\"a\":1,\"b\":null} {\"a\":1}",
         false},
        {&smt_flatten_value, "delimiter=_", NULL, "{\"a\":{\"b\":{\"c\":1}},\"d\":[{\"e\":2}]}",
         "t null {\"a_b_c\":1,\"d\":[{\"e\":2}]}", false},
        {&smt_flatten_value, "",
         STRUCT("{\"type\":\"struct\",\"fields\":[" FIELD("int32", "x") "],\"optional\":true,"
                                                                        "\"field\":\"in\"}"),
         "{\"in\":null}",
         "t null null {\"type\":\"struct\",\"fields\":[" OPTIONAL(
             "int32", "in.x") "],\"optional\":false,\"name\":\"T\"} {\"in.x\":null}",
         true},
        {&smt_set_schema_metadata_value, "schema.name=N\nschema.version=3", ROW,
         "{\"id\":1,\"name\":null}",
         "t null null {\"type\":\"struct\",\"fields\":[" FIELD("int32", "id") "," OPTIONAL(
             "string", "name") "],\"optional\":false,\"name\":\"N\",\"version\":3} "
                               "{\"id\":1,\"name\":null}",
         true},
        {&smt_set_schema_metadata_value, "schema.name=N", NULL, "{}",
         DATA "Schema required for [updating schema metadata]", false},
        {&smt_set_schema_metadata_value, "", ROW, "{\"id\":1,\"name\":null}",
         "org.apache.kafka.common.config.ConfigException: Neither schema name nor version "
         "configured",
         false},
    };
    RUN(cases);
}

static void test_fields(void)
{
    static const struct smt_case cases[] = {
        {&smt_insert_field_value,
         "static.field=s!\nstatic.value=v\ntopic.field=from?\ntimestamp.field=at", NULL,
         "{\"a\":1}", "t null {\"a\":1,\"from\":\"t\",\"at\":1709210096789,\"s\":\"v\"}", false},
        {&smt_insert_field_value, "static.field=s!\nstatic.value=v\npartition.field=p", ROW,
         "{\"id\":1,\"name\":null}",
         "t null null {\"type\":\"struct\",\"fields\":[" FIELD("int32", "id") "," OPTIONAL(
             "string",
             "name") "," OPTIONAL("int32",
                                  "p") "," FIELD("string",
                                                 "s") "],\"optional\":false,\"name\":\"T\"} "
                                                      "{\"id\":1,\"name\":null,\"p\":null,\"s\":"
                                                      "\"v\"}",
         true},
        {&smt_insert_field_value, "offset.field=o", NULL, "{}",
         DATA "Offset insertion is only supported for sink connectors, found record of a source",
         false},
        {&smt_insert_field_value, "", NULL, "{}",
         "org.apache.kafka.common.config.ConfigException: No field insertion configured", false},
        {&smt_replace_field_value, "exclude=b\nrenames=a:x,c:y", NULL,
         "{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", "t null {\"x\":1,\"y\":3,\"d\":4}", false},
        {&smt_replace_field_value, "whitelist=id", ROW, "{\"id\":1,\"name\":\"n\"}",
         "t null {\"id\":1}", false},
        {&smt_replace_field_value, "blacklist=id", ROW, "{\"id\":1,\"name\":\"n\"}",
         "t null {\"name\":\"n\"}", false},
        {&smt_mask_field_value, "fields=a,b,c,d,e,f", NULL,
         "{\"a\":5,\"b\":\"x\",\"c\":true,\"d\":1.5,\"e\":[1],\"f\":null,\"g\":9}",
         "t null {\"a\":0,\"b\":\"\",\"c\":false,\"d\":0.0,\"e\":[],\"f\":null,\"g\":9}", false},
        {&smt_mask_field_value, "fields=a,b\nreplacement=42", NULL, "{\"a\":5,\"b\":\"x\"}",
         "t null {\"a\":42,\"b\":\"42\"}", false},
        {&smt_mask_field_value, "fields=a\nreplacement=42", NULL, "{\"a\":true}",
         DATA "Cannot mask value of type class java.lang.Boolean with custom replacement.", false},
        {&smt_mask_field_value, "fields=a", NULL, "null",
         DATA "Only Map objects supported in absence of schema for [mask fields], found: null",
         false},
    };
    RUN(cases);
}

static void test_cast(void)
{
    static const struct smt_case cases[] = {
        {&smt_cast_value, "spec=a:int8,b:string,c:boolean,d:int32,e:float64,f:int64", NULL,
         "{\"a\":300,\"b\":1.5,\"c\":\"TRUE\",\"d\":2.9e10,\"e\":\"1e3\",\"f\":true}",
         "t null {\"a\":44,\"b\":\"1.5\",\"c\":true,\"d\":2147483647,\"e\":1000.0,\"f\":1}", false},
        {&smt_cast_value, "spec=a:int8", NULL, "{\"a\":\"300\"}",
         DATA "Value (300) was out of range for requested data type", false},
        {&smt_cast_value, "spec=a:int8", NULL, "{\"a\":\"x\"}",
         DATA "Value (x) was out of range for requested data type", false},
        {&smt_cast_value, "spec=string", NULL, "12", "t null \"12\"", false},
        {&smt_cast_value, "spec=int16", "{\"type\":\"int32\",\"optional\":true,\"default\":70000}",
         "5", "t null null {\"type\":\"int16\",\"optional\":true,\"default\":4464} 5", true},
        {&smt_cast_value, "spec=a:string",
         STRUCT("{\"type\":\"int64\",\"optional\":true,\"name\":"
                "\"org.apache.kafka.connect.data.Timestamp\",\"version\":1,\"field\":\"a\"}"),
         "{\"a\":1709210096789}", "t null {\"a\":\"2024-02-29T12:34:56.789Z\"}", false},
        {&smt_cast_value, "spec=a:int64,b:float32",
         STRUCT("{\"type\":\"bytes\",\"optional\":false,\"name\":"
                "\"org.apache.kafka.connect.data.Decimal\",\"version\":1,\"parameters\":{\"scale\":"
                "\"2\"},\"field\":\"a\"}," FIELD("boolean", "b")),
         "{\"a\":\"BOI=\",\"b\":true}", "t null {\"a\":12,\"b\":1.0}", false},
        {&smt_cast_value, "spec=a:nosuch", NULL, "{}",
         "org.apache.kafka.common.config.ConfigException: Invalid value "
         "java.lang.IllegalArgumentException: No enum constant "
         "org.apache.kafka.connect.data.Schema.Type.NOSUCH for configuration Invalid type found in "
         "casting spec: nosuch",
         false},
        {&smt_cast_value, "spec=int8,a:int8", NULL, "{}",
         "org.apache.kafka.common.config.ConfigException: Cast transformations that specify a type "
         "to cast the entire value to may only specify a single cast in their spec",
         false},
    };
    RUN(cases);
}

static void test_times(void)
{
    static const struct smt_case cases[] = {
        {&smt_timestamp_converter_value, "field=a\ntarget.type=string\nformat=yyyy-MM-dd HH:mm",
         NULL, "{\"a\":1709210096789}", "t null {\"a\":\"2024-02-29 12:34\"}", false},
        {&smt_timestamp_converter_value,
         "field=a\ntarget.type=unix\nformat=yyyy-MM-dd\nunix.precision=seconds", NULL,
         "{\"a\":\"2024-02-29\"}", "t null {\"a\":1709164800}", false},
        {&smt_timestamp_converter_value, "target.type=Date",
         "{\"type\":\"int64\",\"optional\":true}", "-1",
         "t null null {\"type\":\"int32\",\"optional\":true,\"name\":"
         "\"org.apache.kafka.connect.data.Date\",\"version\":1} -1",
         true},
        {&smt_timestamp_converter_value, "target.type=Time\nunix.precision=microseconds",
         "{\"type\":\"int64\",\"optional\":false}", "1709210096789000", "t null 45296789", false},
        {&smt_timestamp_converter_value, "field=a\ntarget.type=string", NULL, "{}",
         "org.apache.kafka.common.config.ConfigException: TimestampConverter requires format "
         "option to be specified when using string timestamps",
         false},
        {&smt_timestamp_converter_value, "field=id\ntarget.type=unix", ROW,
         "{\"id\":1,\"name\":null}",
         "org.apache.kafka.connect.errors.ConnectException: Schema Schema{INT32} does not "
         "correspond to a known timestamp type format",
         false},
        {&smt_timestamp_router, "topic.format=${topic}-${timestamp}-x", NULL, "1",
         "t-20240229-x null 1", false},
        {&smt_timestamp_router, "timestamp.format=yyyy'w'ww", NULL, "1", "t-2024w09 null 1", false},
    };
    RUN(cases);
}

static void test_routes_and_headers(void)
{
    static const struct smt_case cases[] = {
        {&smt_regex_router, "regex=(t)\nreplacement=x-$1-\\$", NULL, "1", "x-t-$ null 1", false},
        {&smt_regex_router, "regex=(?<n>.)\nreplacement=${n}${n}", NULL, "1", "tt null 1", false},
        {&smt_regex_router, "regex=x\nreplacement=y", NULL, "1", "t null 1", false},
        {&smt_regex_router, "regex=t\nreplacement=$1", NULL, "1",
         "java.lang.IllegalArgumentException: No group 1", false},
        {&smt_filter, "", NULL, "1", "dropped", false},
        {&smt_insert_header, "header=h\nvalue.literal=007", NULL, "1", "t null 1 h=7", false},
        {&smt_header_from_value, "fields=a,b\nheaders=x,y\noperation=move", NULL,
         "{\"a\":1,\"c\":2}", "t null {\"c\":2} x=1 y=null", false},
        {&smt_header_from_value, "fields=name\nheaders=h\noperation=move", ROW,
         "{\"id\":1,\"name\":\"n\"}", "t null {\"id\":1} h=\"n\"", false},
        {&smt_header_from_value, "fields=a\nheaders=h\noperation=copy", ROW,
         "{\"id\":1,\"name\":\"n\"}", DATA "a is not a valid field name", false},
        {&smt_header_from_value, "fields=a,b\nheaders=h\noperation=copy", NULL, "{}",
         "org.apache.kafka.common.config.ConfigException: 'fields' config must have the same "
         "number of elements as 'headers' config.",
         false},
    };
    RUN(cases);
}

/* --- what they stand on ------------------------------------------------------------------------- */

static void check_inferred(const char *text, const char *want)
{
    struct arena a;
    const struct schema *s;
    struct strbuf got = STRBUF_INIT;
    struct json_out_options o = {.null_to_default = false};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct value v = infer_value(slice_cstr(text), &a, &s);
    if (s)
        strbuf_addf(&got, "%s ", s->name.p ? s->name.p : schema_type_name(s->type));
    if (v.kind == VALUE_NULL)
        strbuf_adds(&got, "null");
    else
        CHECK_OK(json_out_value(&got, s, v, &o, NULL));
    CHECK_STR(got.p, want);
    strbuf_release(&got);
    schema_unref(s);
    arena_release(&a);
}

static void test_infer(void)
{
    static const char *const rows[][2] = {
        {"", "string \"\""},
        {"null", "null"},
        {"true", "boolean true"},
        {"TRUE", "string \"TRUE\""},
        {"127", "int8 127"},
        {"128", "int16 128"},
        {"-40000", "int32 -40000"},
        {"5000000000", "int64 5000000000"},
        {"+5", "int8 5"},
        {"1e3", "int16 1000"},
        {"1.0", "int8 1"},
        {"1.5", "float 1.5"},
        {"-1.5e300", "double -1.5E300"},
        {"9223372036854775808", "org.apache.kafka.connect.data.Decimal \"AIAAAAAAAAAA\""},
        {"1,000", "int8 1"},
        {"NaN", "string \"NaN\""},
        {"0x1F", "string \"0x1F\""},
        {"2024-02-29", "org.apache.kafka.connect.data.Date 19782"},
        {"12:34:56.789Z", "org.apache.kafka.connect.data.Time 45296789"},
        {"2024-02-29T12:34:56.789Z", "org.apache.kafka.connect.data.Timestamp 1709210096789"},
        {"[1, 2, 300]", "array [1,2,300]"},
        {"[a]", "string \"[a]\""},
        {"[1, 2", "string \"[1, 2\""},
        {"{\"a\": 1, \"b\": 2}", "map {\"a\":1,\"b\":2}"},
        {"[]", "array []"},
        {"[\"x\\\"y\", \"\"]", "array [\"x\\\"y\",\"\"]"},
        {"a: b", "string \"a: b\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        check_inferred(rows[i][0], rows[i][1]);
    char deep[500];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    struct arena a;
    const struct schema *s;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    CHECK_INT(infer_value(slice_cstr(deep), &a, &s).kind, VALUE_STRING);
    schema_unref(s);
    arena_release(&a);
}

static void check_format(const char *pattern, int64_t ms, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    CHECK_OK(java_date_format(slice_cstr(pattern), ms, &b, NULL));
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void check_parse(const char *pattern, const char *text, int64_t want)
{
    int64_t ms = 0;
    CHECK_OK(java_date_parse(slice_cstr(pattern), slice_cstr(text), &ms, NULL));
    CHECK_INT(ms, want);
}

static void test_dates(void)
{
    int64_t ms;
    check_format("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", 1709210096789, "2024-02-29T12:34:56.789Z");
    check_format("EEE, d MMMM yy h:mm a ''z''", 1709210096789,
                 "Thu, 29 February 24 12:34 PM 'UTC'");
    check_format("D u k K G Z", -1, "365 3 23 11 AD +0000");
    check_format("yyyy-MM-dd", -62135596800000 - 86400000, "0001-12-31");
    check_parse("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", "2024-02-29T12:34:56.789+09:00", 1709177696789);
    check_parse("yyyyMMddHHmmss", "20240229123456", 1709210096000);
    check_parse("dd MMM yyyy", "29 feb 2024", 1709164800000);
    check_parse("yyyy-MM-dd", "2024-02-30", 1709251200000); /* lenient: March 1st */
    check_parse("hh:mm a", "12:30 AM", 1800000);
    CHECK_ERR(java_date_parse(SL("yyyy-MM-dd"), SL("x"), &ms, NULL), E_INVALID);
    CHECK_ERR(java_date_check(SL("yyyy-bb"), NULL), E_INVALID);
    CHECK_ERR(java_date_check(SL("yyyy'x"), NULL), E_INVALID);
}

static const struct test_case tests[] = {
    {"shapes", test_shapes},
    {"fields", test_fields},
    {"cast", test_cast},
    {"times", test_times},
    {"routes and headers", test_routes_and_headers},
    {"inferred types", test_infer},
    {"dates", test_dates},
    {NULL, NULL},
};
const struct test_suite test_transforms = {"connect/transforms", tests, NULL, NULL};
