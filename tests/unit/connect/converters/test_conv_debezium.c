/* Debezium's converters: CloudEvents and binary data. SPEC: connect 5.3, 5.5. */
#include "helpers.h"

#include "connect/converters/converters.h"

#define FIELD(type, name) "{\"type\":\"" type "\",\"optional\":true,\"field\":\"" name "\"}"
#define ROW(name)                                                                                  \
    "{\"type\":\"struct\",\"fields\":[" FIELD("int32", "id") "],\"optional\":true,\"name\":"       \
                                                             "\"p.d.t.Value\",\"field\":\"" name   \
                                                             "\"}"
#define ENVELOPE                                                                                                               \
    "{\"type\":\"struct\",\"fields\":[" ROW("before") "," ROW(                                                                 \
        "after") ",{\"type\":\"struct\","                                                                                      \
                 "\"fields\":[" FIELD("string", "connector") "," FIELD("string", "name") "," FIELD(                            \
                     "int64", "ts_ms") ",{\"type\":\"string\",\"optional\":true,\"default\":"                                  \
                                       "\"false\","                                                                            \
                                       "\"field\":\"snapshot\"}," FIELD("string", "file") "," FIELD("int64", "pos") "," FIELD( \
                                           "int32",                                                                            \
                                           "row") "," FIELD("int64",                                                           \
                                                            "server_id") "],\"optional\":false,"                               \
                                                                         "\"field\":"                                          \
                                                                         "\"source\"},{\"type\":"                              \
                                                                         "\"struct\",\"fields\":"                              \
                                                                         "[" FIELD("string", "id") "," FIELD(                  \
                                                                             "int64",                                          \
                                                                             "total_order") "],"                               \
                                                                                            "\"op"                             \
                                                                                            "tion"                             \
                                                                                            "al\""                             \
                                                                                            ":tru"                             \
                                                                                            "e,"                               \
                                                                                            "\"fi"                             \
                                                                                            "eld"                              \
                                                                                            "\":"                              \
                                                                                            "\"tr"                             \
                                                                                            "ansa"                             \
                                                                                            "ctio"                             \
                                                                                            "n\"}"                             \
                                                                                            "," FIELD(                         \
                                                                                                "string",                      \
                                                                                                "op") "],\"optional\":false,\"name\":\"p.d.t.Envelope\"}"
#define EVENT(connector)                                                                           \
    "{\"before\":null,\"after\":{\"id\":7},\"source\":{\"connector\":\"" connector                 \
    "\",\"name\":\"p\",\"ts_ms\":1709210096789,\"snapshot\":null,\"file\":\"b.1\",\"pos\":12,"     \
    "\"row\":3,\"server_id\":null},\"transaction\":{\"id\":\"x\",\"total_order\":2},\"op\":\"c\"}"
#define HEAD(connector)                                                                            \
    "{\"id\":\"name:p;file:b.1;pos:12\",\"source\":\"/debezium/" connector "/p\","                 \
    "\"specversion\":\"1.0\",\"type\":\"io.debezium.connector." connector ".DataChangeEvent\","    \
    "\"time\":\"2024-02-29T12:34:56.789Z\",\"datacontenttype\":\"application/json\""
#define EXTENSIONS(connector)                                                                      \
    ",\"iodebeziumop\":\"c\",\"iodebeziumconnector\":\"" connector "\",\"iodebeziumname\":\"p\","  \
    "\"iodebeziumtsms\":\"1709210096789\",\"iodebeziumsnapshot\":\"false\",\"iodebeziumfile\":"    \
    "\"b.1\",\"iodebeziumpos\":\"12\",\"iodebeziumrow\":3,\"iodebeziumserverid\":null,"            \
    "\"iodebeziumtxid\":\"x\",\"iodebeziumtxtotalorder\":\"2\","                                   \
    "\"iodebeziumtxdatacollectionorder\":null"

/* The bytes, "<null>", or the message; of configure too. */
static void check(const struct converter_ops *ops, const char *option, const char *value,
                  const char *schema_text, const char *json, const char *want)
{
    struct strmap config = STRMAP_INIT;
    struct arena arena;
    struct strbuf out = STRBUF_INIT;
    struct error e = {0};
    const struct schema *s = NULL;
    struct value v;
    void *c = NULL;
    bool null = false;
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    if (option)
        strmap_set(&config, slice_cstr(option), slice_cstr(value));
    enum err rc = ops->configure(&c, &config, false, &e);
    if (schema_text)
        CHECK_OK(json_read_schema(slice_cstr(schema_text), &s, NULL));
    CHECK_OK(json_read_value(slice_cstr(json), s, &arena, false, &v, NULL, NULL));
    for (int round = 0; round < 2 && !rc; round++) { /* the second finds schemas made */
        strbuf_reset(&out);
        rc = ops->from_connect(c, SL("t"), s, v, &out, &null, &e);
    }
    CHECK_STR(rc ? e.msg : null ? "<null>" : out.p, want);
    ops->release(c);
    schema_unref(s);
    strbuf_release(&out);
    arena_release(&arena);
    strmap_release(&config);
}

static void test_cloud_events(void)
{
    const struct converter_ops *ops = &converter_cloud_events;
    check(ops, "json.schemas.enable", "false", ENVELOPE, EVENT("mysql"),
          HEAD("mysql") EXTENSIONS("mysql") ",\"data\":{\"before\":null,\"after\":{\"id\":7}}}");
    check(ops, "extension.attributes.enable", "false", ENVELOPE, EVENT("mysql"),
          HEAD("mysql") ",\"data\":{\"schema\":{\"type\":\"struct\",\"fields\":[" ROW(
              "before") "," ROW("after") "],\"optional\":false,\"name\":\"io.debezium.connector."
                                         "mysql.Data\"},"
                                         "\"payload\":{\"before\":null,\"after\":{\"id\":7}}}}");
    check(ops, "json.schemas.enable", "false", ENVELOPE, EVENT("mariadb"),
          HEAD("mariadb") EXTENSIONS(
              "mariadb") ",\"data\":{\"before\":null,\"after\":{\"id\":7},"
                         "\"source\":{\"connector\":\"mariadb\",\"name\":\"p\",\"ts_ms\":"
                         "1709210096789,"
                         "\"snapshot\":\"false\",\"file\":\"b.1\",\"pos\":12,\"row\":3,\"server_"
                         "id\":null},"
                         "\"transaction\":{\"id\":\"x\",\"total_order\":2},\"op\":\"c\"}}");
    check(ops, NULL, NULL, NULL, "null", "<null>");
    check(ops, NULL, NULL, "{\"type\":\"string\",\"optional\":true}", "\"heartbeat\"", "<null>");
    check(ops, "data.serializer.type", "avro", NULL, "null",
          "org.apache.kafka.common.config.ConfigException: Invalid value avro for configuration "
          "data.serializer.type: weir writes json alone");
    check(ops, "metadata.source", "header,id:header", NULL, "null",
          "org.apache.kafka.common.config.ConfigException: Invalid value header,id:header for "
          "configuration metadata.source: weir takes attributes from the value alone, not from "
          "headers (header)");
}

static void test_binary(void)
{
    const struct converter_ops *ops = &converter_binary_data;
    check(ops, NULL, NULL, "{\"type\":\"bytes\",\"optional\":true}", "\"YWI=\"", "ab");
    check(ops, NULL, NULL, "{\"type\":\"bytes\",\"optional\":true}", "null", "<null>");
    check(ops, NULL, NULL, "{\"type\":\"string\",\"optional\":true}", "\"x\"",
          "org.apache.kafka.connect.errors.DataException: BinaryDataConverter is not compatible "
          "with objects of type class java.lang.String; a converter given as "
          "delegate.converter.type would take them");
    check(ops, "delegate.converter.type", "org.apache.kafka.connect.json.JsonConverter",
          "{\"type\":\"string\",\"optional\":true}", "\"x\"",
          "{\"schema\":{\"type\":\"string\",\"optional\":true},\"payload\":\"x\"}");
    check(ops, "delegate.converter.type", "org.apache.kafka.connect.json.JsonConverter",
          "{\"type\":\"bytes\",\"optional\":true}", "\"YWI=\"", "ab");
    check(ops, "delegate.converter.type", "no.Such", NULL, "null",
          "org.apache.kafka.common.config.ConfigException: Invalid value no.Such for configuration "
          "delegate.converter.type: Class no.Such could not be found.");
}

static const struct test_case tests[] = {
    {"cloud events", test_cloud_events},
    {"binary data", test_binary},
    {NULL, NULL},
};
const struct test_suite test_conv_debezium = {"connect/converters/debezium", tests, NULL, NULL};
