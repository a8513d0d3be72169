/* MongoEventRouter: the recorded case, then what it does not have. SPEC: cdc-mongodb 7.2 */
#include "base/mem.h"
#include "cdc/transforms/transforms.h"
#include "helpers.h"
#include "mongo_world.h"
#include "outbox_vectors.h"

static void test_recorded(void)
{
    for (size_t i = 0; i < ARRAY_LEN(outbox_vectors);) {
        const struct outbox_vector *first = &outbox_vectors[i];
        struct mongo_world w;
        mongo_start(&w, &smt_mongo_event_router, first->config, "outbox.outbox.outbox");
        for (; i < ARRAY_LEN(outbox_vectors); i++) {
            const struct outbox_vector *v = &outbox_vectors[i];
            if (strcmp(v->config, first->config) != 0)
                break;
            mongo_apply(&w, v->key, v->value, strstr(v->want, "{\"type\":") != NULL, v->want);
        }
        mongo_stop(&w);
    }
}

static void once(const char *config, const char *value, const char *want)
{
    struct mongo_world w;
    mongo_start(&w, &smt_mongo_event_router, config, "t");
    mongo_apply(&w, "1", value, false, want);
    mongo_apply(&w, "1", value, false, want);
    mongo_stop(&w);
}

#define EVENT(more)                                                                                \
    VALUE("\"{\\\"_id\\\": {\\\"$numberLong\\\": \\\"5\\\"},\\\"aggregatetype\\\": \\\"a.b\\\","   \
          "\\\"aggregateid\\\": 7" more "}\"",                                                     \
          "null", "c")

static void test_options(void)
{
    once("", EVENT(",\\\"payload\\\": \\\"x\\\""), "outbox.event.a.b 7 | \"x\" id=5");
    once("table.field.event.payload=p\ncollection.field.event.id=n", /* both spellings */
         EVENT(",\\\"p\\\": {\\\"a\\\": true},\\\"n\\\": \\\"i\\\""),
         "outbox.event.a.b 7 | \"{\\n  \\\"a\\\": true\\n}\" id=\"i\"");
    once("collection.expand.json.payload=true", EVENT(",\\\"payload\\\": {\\\"a\\\": 1.5}"),
         "outbox.event.a.b 7 | {\"a\":1.5} id=5");
    once("route.by.field=kind\nroute.topic.regex=(.)(.)\nroute.topic.replacement=$2$1",
         EVENT(",\\\"payload\\\": null,\\\"kind\\\": \\\"xy\\\""), "yx 7 | null id=5");
    once("route.tombstone.on.empty.payload=true", EVENT(",\\\"payload\\\": \\\" \\\""),
         "outbox.event.a.b 7 | null null id=5");
    once(
        "", EVENT(""),
        "org.apache.kafka.connect.errors.ConnectException: Unable to find payload field payload in "
        "event");
    once("collection.field.event.id=none", EVENT(",\\\"payload\\\": \\\"x\\\""),
         "org.apache.kafka.connect.errors.DataException: none is not a valid field name");
    once("collection.field.event.timestamp=at", EVENT(",\\\"payload\\\": \\\"x\\\""),
         "org.apache.kafka.connect.errors.ConnectException: Unable to find timestamp field at in "
         "event");
    once("collection.fields.additional.placement=no:header", EVENT(",\\\"payload\\\": \\\"x\\\""),
         "org.apache.kafka.connect.errors.DataException: no is not a valid field name");
    once("collection.fields.additional.placement=no:header\ncollection.field.additional.missing="
         "ignore",
         EVENT(",\\\"payload\\\": \\\"x\\\""), "outbox.event.a.b 7 | \"x\" id=5");
}

static void test_timestamp(void)
{
    static const char *const fields[] = {"{\\\"$numberLong\\\": \\\"1500460632310\\\"}",
                                         "{\\\"$date\\\": 1500460632310}", "1"};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct mongo_world w;
        struct error e = {0};
        char value[2048];
        mongo_start(&w, &smt_mongo_event_router, "collection.field.event.timestamp=at", "t");
        snprintf(value, sizeof value, EVENT(",\\\"payload\\\": \\\"x\\\",\\\"at\\\": %s"),
                 fields[i]);
        struct record *r = mongo_add(&w, "1", value);
        enum err err = smt_mongo_event_router.apply(w.state, &w.batch, r, &e);
        if (i < 2) {
            CHECK_OK(err);
            CHECK_INT(r->timestamp_ms, 1500460632310);
        } else {
            CHECK_STR(e.msg,
                      "org.apache.kafka.connect.errors.ConnectException: Unsupported field type "
                      "INT32 (without logical schema name) for event timestamp");
        }
        mongo_stop(&w);
    }
}

static void test_updates(void)
{
    once("collection.op.invalid.behavior=fatal", VALUE("\"{}\"", "null", "u"),
         "java.lang.IllegalStateException: Unexpected update message received Struct{id=1}, fail.");
    once("table.op.invalid.behavior=error", VALUE("null", "null", "u"), "dropped");
    once("", VALUE("null", "null", "d"), "dropped");
    once("", NULL, "dropped");
    once("", VALUE("\"{\"", "null", "c"),
         "org.apache.kafka.connect.errors.DataException: the document: line 1 column 2: a name is "
         "expected");
}

#define MIXED                                                                                      \
    "io.debezium.DebeziumException: Array elements with different Bson types are not supported: "  \
    "[BsonInt32{value=1}, BsonString{value='x'}]\n\tin the field "
#define OF_RECORD " of the record with the key 1 for the topic t\n\t"
#define CURE                                                                                       \
    "give its elements one type, or put it into a payload that is a document, which goes out as "  \
    "JSON text"

/* The message has all of it: mongo_apply would be content with its first line. */
static void refused(const char *config, const char *value, const char *want)
{
    struct mongo_world w;
    struct error e = {0};
    mongo_start(&w, &smt_mongo_event_router, config, "t");
    struct record *r = mongo_add(&w, "1", value);
    CHECK_ERR(smt_mongo_event_router.apply(w.state, &w.batch, r, &e), E_INVALID);
    CHECK_STR(e.msg, want);
    mongo_stop(&w);
}

static void test_arrays(void)
{
    static const char expand[] = "collection.expand.json.payload=true";
    refused(expand, EVENT(",\\\"payload\\\": {\\\"a\\\": [{\\\"b\\\": [1, \\\"x\\\"]}]}"),
            MIXED
            "payload.a.0.b.1" OF_RECORD
            "collection.expand.json.payload=false sends the payload as JSON text, whatever is "
            "in it");
    refused(expand, EVENT(",\\\"payload\\\": [1, \\\"x\\\"]"), MIXED "payload.1" OF_RECORD CURE);
    refused(expand,
            EVENT(",\\\"payload\\\": [{\\\"b\\\": {\\\"x\\\": [1]}}, {\\\"b\\\": {\\\"x\\\": "
                  "{\\\"p\\\": 1}}}]"),
            "org.apache.kafka.connect.errors.DataException: Invalid value for field x: documents "
            "in an array differ in its type\n\tin the field payload.0.b.x" OF_RECORD CURE);
    refused("", EVENT(",\\\"payload\\\": {},\\\"more\\\": [1, \\\"x\\\"]"),
            MIXED "more.1" OF_RECORD CURE);
    refused(expand, EVENT(",\\\"payload\\\": {},\\\"payloads\\\": [1, \\\"x\\\"]"),
            MIXED "payloads.1" OF_RECORD CURE);
    refused(
        "", VALUE("\"{\"", "null", "c"),
        "org.apache.kafka.connect.errors.DataException: the document: line 1 column 2: a name is "
        "expected\n\tin the record with the key 1 for the topic t\n\tfields with names as $oid, "
        "$date or $numberLong are read as such values; errors.tolerance=all leaves out the "
        "records in which they are none");
    once("", EVENT(",\\\"payload\\\": {\\\"a\\\": [true, \\\"x\\\"]}"),
         "outbox.event.a.b 7 | \"{\\n  \\\"a\\\": [\\n    true,\\n    \\\"x\\\"\\n  ]\\n}\" id=5");
}

/* Schemas are there; what a record costs besides may fail. */
static void test_memory(void)
{
    struct mongo_world w;
    mongo_start(&w, &smt_mongo_event_router,
                "collection.fields.additional.placement=aggregateid:header,_id:envelope", "t");
    for (int64_t n = 0;; n++) {
        record_batch_reset(&w.batch);
        struct record *r = mongo_add(&w, "1", EVENT(",\\\"payload\\\": {\\\"a\\\": [1, 2]}"));
        mem_fail_at(n);
        enum err err = smt_mongo_event_router.apply(w.state, &w.batch, r, NULL);
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(n && hit ? err != E_OK : err == E_OK);
        if (n && !hit)
            break;
    }
    mongo_stop(&w);
}

static const struct test_case tests[] = {
    {"recorded", test_recorded},
    {"options", test_options},
    {"timestamp", test_timestamp},
    {"updates", test_updates},
    {"memory", test_memory},
    {"arrays", test_arrays},
    {NULL, NULL},
};
const struct test_suite test_mongo_event_router = {"cdc/transforms/mongo_event_router", tests};
