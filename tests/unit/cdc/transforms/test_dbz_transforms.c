/* Debezium's smaller transforms; the recorded case connect/debezium-transforms has the rest.
 * SPEC: connect 7.4. */
#include "cdc/transforms/transforms.h"

#include "connect/converters/converters.h"
#include "connect/transforms/smt_case.h"
#include "helpers.h"

#define TYPED(type, name, logical)                                                                 \
    "{\"type\":\"" type "\",\"optional\":true,\"name\":\"" logical                                 \
    "\",\"version\":1,\"field\":\"" name "\"}"
#define FIELD(type, name) "{\"type\":\"" type "\",\"optional\":true,\"field\":\"" name "\"}"
#define ROW(name)                                                                                                                                                  \
    "{\"type\":\"struct\",\"fields\":[" FIELD("int32", "id") "," FIELD("string", "name") "," TYPED(                                                                \
        "string", "at",                                                                                                                                            \
        "io.debezium.time.ZonedTimestamp") "," TYPED("int64", "dt",                                                                                                \
                                                     "io.debezium.time.Timestamp") "," TYPED("int"                                                                 \
                                                                                             "32",                                                                 \
                                                                                             "d",                                                                  \
                                                                                             "io."                                                                 \
                                                                                             "deb"                                                                 \
                                                                                             "ezi"                                                                 \
                                                                                             "um."                                                                 \
                                                                                             "tim"                                                                 \
                                                                                             "e."                                                                  \
                                                                                             "Dat"                                                                 \
                                                                                             "e") "],\"optional\":true,\"name\":\"p.d.t.Value\",\"field\":\"" name \
                                                                                                  "\"}"
#define SOURCE                                                                                     \
    "{\"type\":\"struct\",\"fields\":[" FIELD("string", "table") "," FIELD(                        \
        "int64", "ts_ms") "],\"optional\":true,\"field\":\"source\"}"
#define ENVELOPE                                                                                   \
    "{\"type\":\"struct\",\"fields\":[" ROW("before") "," ROW("after") "," SOURCE "," FIELD(       \
        "string", "op") "],\"optional\":false,\"name\":\"p.d.t.Envelope\"}"
#define LINE(id, name, at, dt)                                                                     \
    "{\"id\":" id ",\"name\":" name ",\"at\":" at ",\"dt\":" dt ",\"d\":7}"
#define EVENT(before, after, op)                                                                   \
    "{\"before\":" before ",\"after\":" after                                                      \
    ",\"source\":{\"table\":\"tab\",\"ts_ms\":3600000},\"op\":\"" op "\"}"
#define SUMMER "\"2024-07-01T12:00:00.120Z\""
#define OLD LINE("1", "\"a\"", SUMMER, "1719835200000")
#define NEW LINE("1", "\"b\"", SUMMER, "1719835200000")

static void run(const struct transform_ops *ops, const char *config, const char *schema,
                const char *value, const char *want)
{
    struct smt_case c = {ops, config, schema, value, want, false};
    smt_case_run(&c, 0);
}

static void test_changed(void)
{
#define BOTH "header.changed.name=C\nheader.unchanged.name=U"
    run(&smt_extract_changed, BOTH, ENVELOPE, EVENT(OLD, NEW, "u"),
        "t null " EVENT(OLD, NEW, "u") " C=[\"name\"] U=[\"id\",\"at\",\"dt\",\"d\"]");
    run(&smt_extract_changed, BOTH, ENVELOPE, EVENT("null", NEW, "c"),
        "t null " EVENT("null", NEW, "c") " C=[] U=[]");
    run(&smt_extract_changed, "header.changed.name=C", ENVELOPE, EVENT(OLD, "null", "d"),
        "t null " EVENT(OLD, "null", "d") " C=[]");
    run(&smt_extract_changed, BOTH, NULL, "{\"a\":1}", "t null {\"a\":1}");
}

static void test_logical_table(void)
{
#define TO_ALL "topic.regex=t\ntopic.replacement=all"
    run(&smt_by_logical_table_router, TO_ALL, ENVELOPE, EVENT("null", NEW, "c"),
        "all null " EVENT("null", NEW, "c"));
    run(&smt_by_logical_table_router, "topic.regex=x\ntopic.replacement=all", ENVELOPE,
        EVENT("null", NEW, "c"), "t null " EVENT("null", NEW, "c"));
    run(&smt_by_logical_table_router, TO_ALL, NULL, "null", "all null null");
    run(&smt_to_logical_topic_router, "topic.regex=(.*)\ntopic.replacement=$2", NULL, "null",
        "java.lang.IndexOutOfBoundsException: No group 2");
    run(&smt_by_logical_table_router, "topic.replacement=all", NULL, "null",
        "org.apache.kafka.connect.errors.ConnectException: Unable to validate config: The "
        "'topic.regex' value is invalid: A value is required");
    run(&smt_by_logical_table_router, TO_ALL "\nkey.field.regex=x", NULL, "null",
        "org.apache.kafka.connect.errors.ConnectException: Unable to validate config: The "
        "'key.field.replacement' value is invalid: it must be non-empty if key.field.regex is set");
}

/* Keys and schemas of two tables that go to one topic, in turns. */
static void test_logical_keys(void)
{
    struct strmap config = STRMAP_INIT;
    struct record_batch b;
    const struct schema *key = NULL, *envelope = NULL;
    struct error e = {0};
    void *state;
    strmap_set(&config, SL("topic.regex"), SL("(.*)-.*"));
    strmap_set(&config, SL("topic.replacement"), SL("$1.all"));
    strmap_set(&config, SL("schema.name.adjustment.mode"), SL("avro"));
    CHECK_OK(smt_to_logical_topic_router.configure(&state, &config, "x.ToLogicalTopicRouter", &e));
    CHECK_OK(
        json_read_schema(SL("{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":"
                            "false,\"field\":\"id\"}],\"optional\":false,\"name\":\"k.Key\"}"),
                         &key, &e));
    CHECK_OK(json_read_schema(slice_cstr(ENVELOPE), &envelope, &e));
    record_batch_init(&b, 0);
    static const char *const topics[] = {"a b-1", "c-1", "a b-2"};
    static const char *const names[] = {"a_b.all", "c.all", "a_b.all"};
    for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
        struct record *r = record_batch_add(&b);
        struct strbuf got = STRBUF_INIT, want = STRBUF_INIT;
        r->topic = slice_cstr(topics[i]);
        r->key_schema = key;
        r->value_schema = envelope;
        CHECK_OK(json_read_value(SL("{\"id\":5}"), key, &b.arena, false, &r->key, NULL, NULL));
        CHECK_OK(json_read_value(SL(EVENT("null", NEW, "c")), envelope, &b.arena, false, &r->value,
                                 NULL, NULL));
        CHECK_OK(smt_to_logical_topic_router.apply(state, &b, r, &e));
        java_add_value(&got, r->key_schema, r->key);
        strbuf_addf(&got, " " PRI_SL " " PRI_SL " " PRI_SL, ARG_SL(r->key_schema->name),
                    ARG_SL(r->value_schema->name), ARG_SL(r->value_schema->fields[1].schema->name));
        strbuf_addf(&want, "Struct{id=5,__dbz__sourceIdentifier=%s} %s.Key %s.Envelope %s.Value",
                    topics[i], names[i], names[i], names[i]);
        CHECK_STR(got.p, want.p);
        strbuf_release(&got);
        strbuf_release(&want);
    }
    smt_to_logical_topic_router.release(state);
    record_batch_release(&b);
    schema_unref(key);
    schema_unref(envelope);
    strmap_release(&config);
}

#define FLAT                                                                                       \
    "{\"type\":\"struct\",\"fields\":[" FIELD(                                                     \
        "string",                                                                                  \
        "a") ",{\"type\":\"struct\",\"fields\":[" FIELD("string",                                  \
                                                        "x") "],\"optional\":true,\"field\":"      \
                                                             "\"in\"}],\"optional\":false}"
static void test_header_to_value(void)
{
    static const struct {
        const char *fields, *value, *want;
        bool move;
    } rows[] = {
        {"one,two", "{\"a\":\"v\",\"in\":{\"x\":\"y\"}}",
         "{\"a\":\"v\",\"in\":{\"x\":\"y\"},\"one\":12,\"two\":\"text\"} left 0", true},
        {"in.one,two", "{\"a\":\"v\",\"in\":{\"x\":\"y\"}}",
         "{\"a\":\"v\",\"in\":{\"x\":\"y\",\"one\":12},\"two\":\"text\"} left 2", false},
        {"in.one,two", "{\"a\":\"v\",\"in\":null}",
         "{\"a\":\"v\",\"in\":null,\"two\":\"text\"} left 2", false},
        {"no.one,two", "{\"a\":\"v\",\"in\":null}",
         "java.lang.IllegalArgumentException: Field 'no' does not exist in the schema. Cannot add "
         "nested field 'no.one'.",
         false},
        {"a,two", "{\"a\":\"v\",\"in\":null}",
         "org.apache.kafka.connect.errors.SchemaBuilderException: Cannot create field because of "
         "field name duplication a",
         false},
    };
    const struct schema *schema = NULL;
    CHECK_OK(json_read_schema(SL(FLAT), &schema, NULL));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct record_header heads[] = {
            {SL("h1"), schema_plain(SCHEMA_INT8, false), value_int(12)},
            {SL("h2"), schema_plain(SCHEMA_STRING, true), value_string(SL("text"))}};
        struct strmap config = STRMAP_INIT;
        struct record_batch b;
        struct strbuf got = STRBUF_INIT;
        struct error e = {0};
        void *state;
        strmap_set(&config, SL("headers"), SL("h1,h2"));
        strmap_set(&config, SL("fields"), slice_cstr(rows[i].fields));
        strmap_set(&config, SL("operation"), rows[i].move ? SL("move") : SL("copy"));
        CHECK_OK(smt_header_to_value.configure(&state, &config, "", &e));
        record_batch_init(&b, 0);
        struct record *r = record_batch_add(&b);
        r->headers = (struct record_headers){.items = heads, .count = 2};
        r->value_schema = schema;
        CHECK_OK(json_read_value(slice_cstr(rows[i].value), schema, &b.arena, false, &r->value,
                                 NULL, NULL));
        if (smt_header_to_value.apply(state, &b, r, &e)) {
            strbuf_adds(&got, e.msg);
        } else {
            CHECK_OK(json_out_value(&got, r->value_schema, r->value, &(struct json_out_options){0},
                                    NULL));
            strbuf_addf(&got, " left %zu", r->headers.count);
        }
        CHECK_STR(got.p, rows[i].want);
        smt_header_to_value.release(state);
        record_batch_release(&b);
        strbuf_release(&got);
        strmap_release(&config);
    }
    schema_unref(schema);
    run(&smt_header_to_value, "headers=a\nfields=b,c\noperation=move", NULL, "null",
        "org.apache.kafka.connect.errors.ConnectException: Unable to validate config: The "
        "'headers' "
        "value is invalid: it must have as many elements as 'fields'");
    run(&smt_header_to_value, "headers=a\nfields=b\noperation=steal", NULL, "null",
        "org.apache.kafka.connect.errors.ConnectException: Unable to validate config: The "
        "'operation' value is invalid: Value must be one of move, copy");
}

static int32_t partition(const char *fields, const char *schema_text, const char *value)
{
    struct strmap config = STRMAP_INIT;
    struct record_batch b;
    const struct schema *schema = NULL;
    void *state;
    strmap_set(&config, SL("partition.payload.fields"), slice_cstr(fields));
    strmap_set(&config, SL("partition.topic.num"), SL("1000000007"));
    CHECK_OK(smt_partition_routing.configure(&state, &config, "", NULL));
    CHECK_OK(json_read_schema(slice_cstr(schema_text), &schema, NULL));
    record_batch_init(&b, 0);
    struct record *r = record_batch_add(&b);
    r->value_schema = schema;
    CHECK_OK(json_read_value(slice_cstr(value), schema, &b.arena, false, &r->value, NULL, NULL));
    CHECK_OK(smt_partition_routing.apply(state, &b, r, NULL));
    int32_t p = r->partition;
    smt_partition_routing.release(state);
    record_batch_release(&b);
    schema_unref(schema);
    strmap_release(&config);
    return p;
}

/* Java's hash codes: "one".hashCode() is 110182. */
static void test_partition(void)
{
#define KINDS                                                                                      \
    "{\"type\":\"struct\",\"fields\":[" FIELD("string", "op") "," FIELD("string", "s") "," FIELD(  \
        "int32",                                                                                   \
        "i") "," FIELD("int64",                                                                    \
                       "l") "," FIELD("double",                                                    \
                                      "d") "," FIELD("float",                                      \
                                                     "f") "," FIELD("boolean",                     \
                                                                    "o") "," FIELD("bytes",        \
                                                                                   "b") ",{"       \
                                                                                        "\"type\"" \
                                                                                        ":\"bytes" \
                                                                                        "\","      \
                                                                                        "\"option" \
                                                                                        "al\":"    \
                                                                                        "true,"    \
                                                                                        "\"name\"" \
                                                                                        ":\"org."  \
                                                                                        "apache."  \
                                                                                        "kafka."   \
                                                                                        "connect." \
                                                                                        "data."    \
                                                                                        "Decimal"  \
                                                                                        "\","      \
                                                                                        "\"versio" \
                                                                                        "n\":1,"   \
                                                                                        "\"parame" \
                                                                                        "ters\":{" \
                                                                                        "\"scale"  \
                                                                                        "\":"      \
                                                                                        "\"2\"},"  \
                                                                                        "\"field"  \
                                                                                        "\":"      \
                                                                                        "\"q\"},{" \
                                                                                        "\"type\"" \
                                                                                        ":\"array" \
                                                                                        "\","      \
                                                                                        "\"items"  \
                                                                                        "\":{"     \
                                                                                        "\"type\"" \
                                                                                        ":\"int32" \
                                                                                        "\","      \
                                                                                        "\"option" \
                                                                                        "al\":"    \
                                                                                        "true}"    \
                                                                                        ",\"optio" \
                                                                                        "nal\":"   \
                                                                                        "true,"    \
                                                                                        "\"field"  \
                                                                                        "\":"      \
                                                                                        "\"a\"}]," \
                                                                                        "\"option" \
                                                                                        "al\":"    \
                                                                                        "false,"   \
                                                                                        "\"name\"" \
                                                                                        ":\"x."    \
                                                                                        "Envelope" \
                                                                                        "\"}"
    static const char value[] =
        "{\"op\":\"c\",\"s\":\"one\",\"i\":77,\"l\":4294967298,\"d\":1.5,\"f\":1.5,\"o\":true,"
        "\"b\":\"AQI=\",\"q\":\"nA==\",\"a\":[1]}";
    static const struct {
        const char *fields;
        int32_t want;
    } rows[] = {
        {"s", 110182},
        {"i", 77},
        {"l", 3},
        {"d", 1073217536},
        {"f", 1069547520},
        {"o", 1231},
        {"b", 1024}, /* 31*(31+2)+1 */
        {"s,i", 110259},
        {"s,absent,a", 110182},
        {"a", RECORD_NO_PARTITION},
        {"absent", RECORD_NO_PARTITION},
        {"change.x", RECORD_NO_PARTITION},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int32_t want = rows[i].want < 0 ? rows[i].want : rows[i].want % 1000000007;
        CU_ASSERT_EQUAL(partition(rows[i].fields, KINDS, value), want);
    }
    /* -1.00: 31 * -100 + 2 = -3098, without its sign bit */
    CU_ASSERT_EQUAL(partition("q", KINDS, value), (0x7fffffff & -3098) % 1000000007);
    CU_ASSERT_EQUAL(partition("s", KINDS, "{\"op\":\"t\",\"s\":\"one\"}"), RECORD_NO_PARTITION);
    CU_ASSERT_EQUAL(partition("change.name", ENVELOPE, EVENT(OLD, "null", "d")), 'a');
    CU_ASSERT_EQUAL(partition("change.name", ENVELOPE, EVENT(OLD, NEW, "u")), 'b');
    run(&smt_partition_routing, "partition.payload.fields=a\npartition.topic.num=0", NULL, "null",
        "org.apache.kafka.connect.errors.ConnectException: Unable to validate config: The "
        "'partition.topic.num' value is invalid: A positive, non-zero integer value is expected");
}

static void test_timezone(void)
{
#define ZONED(at, dt) EVENT("null", LINE("1", "\"b\"", at, dt), "c")
    run(&smt_timezone_converter, "converted.timezone=Europe/Berlin", ENVELOPE,
        EVENT("null", NEW, "c"),
        "t null " ZONED("\"2024-07-01T14:00:00.12+02:00\"", "1719828000000"));
    run(&smt_timezone_converter, "converted.timezone=-05:30\ninclude.list=source:tab:at", ENVELOPE,
        EVENT("null", NEW, "c"),
        "t null " ZONED("\"2024-07-01T06:30:00.12-05:30\"", "1719835200000"));
    run(&smt_timezone_converter, "converted.timezone=+01:00\nexclude.list=tab:at", ENVELOPE,
        EVENT("null", NEW, "c"), "t null " ZONED(SUMMER, "1719831600000"));
    run(&smt_timezone_converter, "converted.timezone=+01:00\ninclude.list=topic:other,source:x",
        ENVELOPE, EVENT("null", NEW, "c"), "t null " EVENT("null", NEW, "c"));
    run(&smt_timezone_converter, "converted.timezone=+01:00\ninclude.list=topic:t:source.ts_ms",
        ENVELOPE, EVENT("null", "null", "t"),
        "t null {\"before\":null,\"after\":null,\"source\":{\"table\":\"tab\",\"ts_ms\":0},\"op\":"
        "\"t\"}");
    run(&smt_timezone_converter, "converted.timezone=UTC", ENVELOPE,
        ZONED("\"2024-07-01T12:00:00+02:00\"", "-1"),
        "t null " ZONED("\"2024-07-01T10:00:00Z\"", "-1"));
    run(&smt_timezone_converter, "converted.timezone=UTC", ENVELOPE, ZONED("\"soon\"", "-1"),
        "t null " ZONED("\"soon\"", "-1"));
    run(&smt_timezone_converter, "converted.timezone=UTC\ninclude.list=at", ENVELOPE,
        ZONED("\"soon\"", "-1"),
        "org.apache.kafka.connect.errors.ConnectException: Unable to validate config: The "
        "'include.list' value is invalid: at is none of source:TABLE, source:TABLE:FIELD, "
        "topic:TOPIC, topic:TOPIC:FIELD, NAME:FIELD");
    run(&smt_timezone_converter, "converted.timezone=UTC\ninclude.list=a:b\nexclude.list=a:b",
        ENVELOPE, ZONED("\"soon\"", "-1"),
        "io.debezium.DebeziumException: Both include and exclude lists are specified. Please "
        "specify "
        "only one.");
}

#define CHANGES                                                                                    \
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"array\",\"items\":{\"type\":\"struct\","         \
    "\"fields\":[" FIELD(                                                                          \
        "string",                                                                                  \
        "type") "],\"optional\":false},\"optional\":true,\"field\":"                               \
                "\"tableChanges\"}],\"optional\":false,\"name\":\"io.debezium.connector.mysql."    \
                "SchemaChangeValue\"}"
static void test_small(void)
{
#define LEAVE_OUT "schema.change.event.exclude.list=drop, CREATE"
    run(&smt_schema_change_filter, LEAVE_OUT, CHANGES, "{\"tableChanges\":[{\"type\":\"DROP\"}]}",
        "dropped");
    run(&smt_schema_change_filter, LEAVE_OUT, CHANGES, "{\"tableChanges\":[{\"type\":\"ALTER\"}]}",
        "t null {\"tableChanges\":[{\"type\":\"ALTER\"}]}");
    run(&smt_schema_change_filter, LEAVE_OUT, CHANGES, "{\"tableChanges\":[]}",
        "t null {\"tableChanges\":[]}");
    run(&smt_schema_change_filter, LEAVE_OUT ",DATABASE", CHANGES, "{\"tableChanges\":[]}",
        "dropped");
    run(&smt_schema_change_filter, LEAVE_OUT, CHANGES, "{\"tableChanges\":null}", "dropped");
    run(&smt_schema_change_filter, LEAVE_OUT, ENVELOPE, EVENT("null", NEW, "c"),
        "t null " EVENT("null", NEW, "c"));
    run(&smt_schema_change_filter, "schema.change.event.exclude.list=RENAME", NULL, "null",
        "org.apache.kafka.connect.errors.ConnectException: Unable to validate config: The "
        "'schema.change.event.exclude.list' value is invalid: RENAME is none of CREATE, ALTER, "
        "DROP, "
        "TRUNCATE, DATABASE");
    run(&smt_read_to_insert, "", ENVELOPE, EVENT("null", NEW, "r"),
        "t null " EVENT("null", NEW, "c"));
    run(&smt_read_to_insert, "", ENVELOPE, EVENT(OLD, NEW, "u"), "t null " EVENT(OLD, NEW, "u"));
    run(&smt_activate_tracing, "", NULL, "null", "t null null");
}

static const struct test_case tests[] = {
    {"changed fields", test_changed},
    {"logical tables", test_logical_table},
    {"keys of logical tables", test_logical_keys},
    {"headers to fields", test_header_to_value},
    {"partitions", test_partition},
    {"time zones", test_timezone},
    {"small ones", test_small},
    {NULL, NULL},
};
const struct test_suite test_dbz_transforms = {"cdc/transforms/dbz", tests, NULL, NULL};
