/* The outbox router. SPEC: connect 7.2; the recorded cases outbox/ have the rest. */
#include "cdc/transforms/transforms.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"
#include "connect/transforms/smt_case.h"
#include "helpers.h"

#define TEXT(name) "{\"type\":\"string\",\"optional\":true,\"field\":\"" name "\"}"
#define ROW(field)                                                                                 \
    "{\"type\":\"struct\",\"fields\":[" TEXT("id") "," TEXT("aggregatetype") "," TEXT(             \
        "aggregateid") "," TEXT("payload") ",{\"type\":\"int32\",\"optional\":true,\"field\":"     \
                                           "\"part\"}],\"optional\":true,\"name\":\"p.d.t."        \
                                           "Value\",\"field\":\"" field "\"}"
#define ENVELOPE                                                                                   \
    "{\"type\":\"struct\",\"fields\":[" ROW("before") "," ROW("after") "," TEXT(                   \
        "op") ",{\"type\":"                                                                        \
              "\"int64\",\"optional\":true,\"field\":\"ts_ms\"}],\"optional\":false,\"name\":"     \
              "\"p.d.t.Envelope\"}"
#define EVENT(op, payload)                                                                         \
    "{\"before\":null,\"after\":{\"id\":\"e\",\"aggregatetype\":\"order\",\"aggregateid\":\"k\","  \
    "\"payload\":" payload ",\"part\":3},\"op\":\"" op "\",\"ts_ms\":5}"
#define DELETE                                                                                     \
    "{\"before\":{\"id\":\"e\",\"aggregatetype\":\"order\",\"aggregateid\":\"k\",\"payload\":"     \
    "null,\"part\":3},\"after\":null,\"op\":\"d\",\"ts_ms\":5}"

static void run(const char *config, const char *schema, const char *value, const char *want)
{
    struct smt_case c = {&smt_event_router, config, schema, value, want, false};
    smt_case_run(&c, 0);
}

static void test_events(void)
{
    run("", ENVELOPE, EVENT("c", "\"text\""), "outbox.event.order \"k\" \"text\" id=\"e\"");
    run("", ENVELOPE, EVENT("r", "\"text\""), "outbox.event.order \"k\" \"text\" id=\"e\"");
    run("", ENVELOPE, EVENT("u", "\"text\""), "dropped");
    run("table.op.invalid.behavior=fatal", ENVELOPE, EVENT("u", "\"text\""),
        "java.lang.IllegalStateException: Unexpected update message received t, fail.");
    run("", ENVELOPE, DELETE, "dropped");
    run("", NULL, "null", "dropped");
    run("", "{\"type\":\"string\",\"optional\":false}", "\"no event\"", "t null \"no event\"");
}

#define DOCUMENT_ENVELOPE                                                                          \
    "{\"type\":\"struct\",\"fields\":[" TEXT("before") "," TEXT("after") "," TEXT(                 \
        "op") "],\"optional\":false,\"name\":\"p.d.t.Envelope\"}"
#define DOCUMENT(op) "{\"before\":null,\"after\":\"{}\",\"op\":\"" op "\"}"
#define REFUSED                                                                                    \
    "org.apache.kafka.connect.errors.DataException: Only Struct objects supported for [Read "      \
    "Outbox Event], found: java.lang.String\n\tthe event for the topic t has a MongoDB document "  \
    "as text: io.debezium.connector.mongodb.transforms.outbox.MongoEventRouter is the transform "  \
    "for it"

/* An outbox of documents; what became of its messages is told for those that would be sent. */
static void test_documents(void)
{
    run("", DOCUMENT_ENVELOPE, DOCUMENT("c"), REFUSED);
    run("", DOCUMENT_ENVELOPE, DOCUMENT("r"), REFUSED);
    run("", DOCUMENT_ENVELOPE, DOCUMENT("u"), "dropped");
    run("", DOCUMENT_ENVELOPE, "{\"before\":null,\"after\":null,\"op\":\"d\"}", "dropped");
}

/* MongoEventRouter's turn: an outbox of rows. */
static void test_rows_of_the_other(void)
{
#define NOT_MONGO                                                                                  \
    "org.apache.kafka.connect.errors.DataException: _id is not a valid field name\n\tthe event "   \
    "for the topic t is not from a MongoDB connector: "                                            \
    "io.debezium.transforms.outbox.EventRouter is the transform for it"
    static const char *const rows[][2] = {{EVENT("c", "\"text\""), NOT_MONGO},
                                          {EVENT("r", "\"text\""), NOT_MONGO},
                                          {EVENT("u", "\"text\""), "dropped"},
                                          {DELETE, "dropped"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct smt_case c = {&smt_mongo_event_router, "", ENVELOPE, rows[i][0], rows[i][1], false};
        smt_case_run(&c, 0);
    }
}

static void test_options(void)
{
    run("route.topic.replacement=x.${routedByValue}\n"
        "table.fields.additional.placement=part:header:p,id:envelope:copy",
        ENVELOPE, EVENT("c", "\"text\""),
        "x.order \"k\" {\"payload\":\"text\",\"copy\":\"e\"} id=\"e\" p=3");
    run("table.fields.additional.placement=nosuch:header", ENVELOPE, EVENT("c", "null"),
        "org.apache.kafka.connect.errors.DataException: nosuch is not a valid field name");
    run("table.fields.additional.placement=nosuch:header\n"
        "table.fields.additional.error.on.missing=false",
        ENVELOPE, EVENT("c", "null"), "outbox.event.order \"k\" null id=\"e\"");
    run("table.fields.additional.placement=part:nowhere", ENVELOPE, EVENT("c", "null"),
        "org.apache.kafka.common.config.ConfigException: Invalid value part:nowhere for "
        "configuration table.fields.additional.placement: part:nowhere is not column:header, "
        "column:envelope or column:partition with an :alias");
    run("table.field.event.payload=nosuch", ENVELOPE, EVENT("c", "null"),
        "org.apache.kafka.connect.errors.ConnectException: Unable to find payload field nosuch in "
        "event");
    run("table.field.event.timestamp=part", ENVELOPE, EVENT("c", "null"),
        "org.apache.kafka.connect.errors.ConnectException: Unsupported field type INT32 (without "
        "logical schema name) for event timestamp");
    run("route.topic.regex=(", ENVELOPE, EVENT("c", "null"),
        "org.apache.kafka.common.config.ConfigException: Invalid value ( for configuration "
        "route.topic.regex: Unclosed group near index 1\n(");
}

static void test_payloads(void)
{
#define EXPAND "table.expand.json.payload=true"
    /* a member that objects in an array have of several types: such a payload stays text */
    static const char *const unlike[] = {
        "[{\\\"a\\\":[{\\\"y\\\":1}]},{\\\"a\\\":{\\\"x\\\":1}}]",
        "[{\\\"a\\\":{\\\"x\\\":1}},{\\\"a\\\":[{\\\"y\\\":1}]}]",
        "[{\\\"a\\\":1},{\\\"a\\\":\\\"x\\\"}]",
        "[{\\\"a\\\":\\\"x\\\"},{\\\"a\\\":true}]",
        "[{\\\"a\\\":1},{\\\"a\\\":1.5}]",
        "[{\\\"a\\\":5000000000},{\\\"a\\\":1}]",
        "[{\\\"a\\\":[1]},{\\\"a\\\":[\\\"x\\\"]}]",
        "{\\\"b\\\":[{\\\"a\\\":{\\\"c\\\":[]}},{\\\"a\\\":{\\\"c\\\":{}}}]}",
    };
    run(EXPAND, ENVELOPE, EVENT("c", "\"{\\\"a\\\":[1,null],\\\"n\\\":null,\\\"o\\\":{}}\""),
        "outbox.event.order \"k\" {\"a\":[1,null],\"o\":{}} id=\"e\"");
    run(EXPAND, ENVELOPE, EVENT("c", "\"[{\\\"a\\\":1},{\\\"b\\\":true}]\""),
        "outbox.event.order \"k\" [{\"b\":null,\"a\":1},{\"b\":true,\"a\":null}] id=\"e\"");
    run(EXPAND, ENVELOPE, EVENT("c", "\"{\\\"a\\\":[1,\\\"x\\\"]}\""),
        "outbox.event.order \"k\" \"{\\\"a\\\":[1,\\\"x\\\"]}\" id=\"e\"");
    for (size_t i = 0; i < ARRAY_LEN(unlike); i++) {
        char value[512], want[512];
        snprintf(value, sizeof value, EVENT("c", "\"%s\""), unlike[i]);
        snprintf(want, sizeof want, "outbox.event.order \"k\" \"%s\" id=\"e\"", unlike[i]);
        run(EXPAND, ENVELOPE, value, want);
    }
    run(EXPAND, ENVELOPE, EVENT("c", "\"{\\\"big\\\":18446744073709551616}\""),
        "outbox.event.order \"k\" \"{\\\"big\\\":18446744073709551616}\" id=\"e\"");
    run("route.tombstone.on.empty.payload=true", ENVELOPE, EVENT("c", "\"  \""),
        "outbox.event.order \"k\" null id=\"e\"");
}

/* What is told of a payload that is no JSON: not what it holds. */
static void test_payload_is_not_told(void)
{
    char path[300];
    struct strbuf told = STRBUF_INIT;
    struct error e;
    snprintf(path, sizeof path, "%s/told", test_dir());
    int saved = dup(STDERR_FILENO), fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    run(EXPAND, ENVELOPE, EVENT("c", "\"{\\\"card\\\":4111111111111111x\""),
        "outbox.event.order \"k\" \"{\\\"card\\\":4111111111111111x\" id=\"e\"");
    CHECK(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(fd);
    CHECK_OK(fs_read_all(path, 1 << 16, &told, &e));
    CHECK(strstr(told.p, "an outbox payload stays text: line 1 column ") != NULL);
    CHECK(strstr(told.p, "4111") == NULL);
    strbuf_release(&told);
}

static const struct test_case tests[] = {
    {"events", test_events},
    {"documents", test_documents},
    {"MongoEventRouter on rows", test_rows_of_the_other},
    {"options", test_options},
    {"payloads", test_payloads},
    {"payloads that stay text are not told", test_payload_is_not_told},
    {NULL, NULL},
};
const struct test_suite test_event_router = {"cdc/transforms/event_router", tests, NULL, NULL};
