/* ExtractNewRecordState over its modes. SPEC: connect 7.1 */
#include "cdc/transforms/transforms.h"

#include "connect/converters/converters.h"
#include "connect/transforms/smt_case.h"
#include "helpers.h"

#define ROW_FIELDS                                                                                 \
    "{\"type\":\"int32\",\"optional\":false,\"field\":\"id\"},{\"type\":\"string\",\"optional\":"  \
    "true,\"field\":\"name\"}"
#define ROW(field)                                                                                 \
    "{\"type\":\"struct\",\"fields\":[" ROW_FIELDS "],\"optional\":true,\"name\":\"t.Value\","     \
    "\"field\":\"" field "\"}"
#define ENVELOPE                                                                                   \
    "{\"type\":\"struct\",\"fields\":[" ROW("before") "," ROW(                                     \
        "after") ",{\"type\":\"struct\","                                                          \
                 "\"fields\":[{\"type\":\"int64\",\"optional\":false,\"field\":\"ts_ms\"},{"       \
                 "\"type\":\"string\","                                                            \
                 "\"optional\":true,\"field\":\"table\"}],\"optional\":false,\"field\":"           \
                 "\"source\"},{\"type\":"                                                          \
                 "\"string\",\"optional\":false,\"field\":\"op\"}],\"optional\":false,\"name\":"   \
                 "\"t.Envelope\"}"
#define SOURCE "\"source\":{\"ts_ms\":9,\"table\":\"c\"}"
#define CREATE "{\"before\":null,\"after\":{\"id\":1,\"name\":\"n\"}," SOURCE ",\"op\":\"c\"}"
#define DELETE "{\"before\":{\"id\":1,\"name\":\"n\"},\"after\":null," SOURCE ",\"op\":\"d\"}"
#define TRUNCATE "{\"before\":null,\"after\":null," SOURCE ",\"op\":\"t\"}"

static void run(const char *config, const char *schema, const char *value, const char *want,
                bool show)
{
    struct smt_case c = {&smt_extract_new_record, config, schema, value, want, show};
    smt_case_run(&c, 0);
}

static void test_modes(void)
{
    static const struct {
        const char *config, *create, *deleted, *tombstone, *truncate;
    } rows[] = {
        {"", "t null {\"id\":1,\"name\":\"n\"}", "t null null", "dropped", "dropped"},
        {"delete.tombstone.handling.mode=drop", "t null {\"id\":1,\"name\":\"n\"}", "dropped",
         "dropped", "dropped"},
        {"delete.tombstone.handling.mode=rewrite",
         "t null {\"id\":1,\"name\":\"n\",\"__deleted\":\"false\"}",
         "t null {\"id\":1,\"name\":\"n\",\"__deleted\":\"true\"}", "dropped", "dropped"},
        {"delete.tombstone.handling.mode=rewrite-with-tombstone",
         "t null {\"id\":1,\"name\":\"n\",\"__deleted\":\"false\"}",
         "t null {\"id\":1,\"name\":\"n\",\"__deleted\":\"true\"}", "t null null", "dropped"},
        {"delete.tombstone.handling.mode=delete-to-tombstone", "t null {\"id\":1,\"name\":\"n\"}",
         "t null null", "dropped", "dropped"},
        {"drop.tombstones=false", "t null {\"id\":1,\"name\":\"n\"}", "dropped", "t null null",
         "t null null"},
        {"drop.tombstones=true\ndelete.handling.mode=rewrite",
         "t null {\"id\":1,\"name\":\"n\",\"__deleted\":\"false\"}",
         "t null {\"id\":1,\"name\":\"n\",\"__deleted\":\"true\"}", "dropped", "dropped"},
        {"delete.handling.mode=none", "t null {\"id\":1,\"name\":\"n\"}", "t null null", "dropped",
         "dropped"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        run(rows[i].config, ENVELOPE, CREATE, rows[i].create, false);
        run(rows[i].config, ENVELOPE, DELETE, rows[i].deleted, false);
        run(rows[i].config, NULL, "null", rows[i].tombstone, false);
        run(rows[i].config, ENVELOPE, TRUNCATE, rows[i].truncate, false);
    }
    run("", "{\"type\":\"string\",\"optional\":false}", "\"no envelope\"", "t null \"no envelope\"",
        false);
}

#define DOCUMENT(field) "{\"type\":\"string\",\"optional\":true,\"field\":\"" field "\"}"
#define DOCUMENT_ENVELOPE                                                                          \
    "{\"type\":\"struct\",\"fields\":[" DOCUMENT("before") "," DOCUMENT("after") "," DOCUMENT(     \
        "op") "],\"optional\":false,\"name\":\"t.Envelope\"}"
#define REFUSED(what)                                                                              \
    "org.apache.kafka.connect.errors.DataException: Only Struct objects supported for [" what      \
    "], found: java.lang.String\n\tthe event for the topic t has a MongoDB document as text: "     \
    "io.debezium.connector.mongodb.transforms.ExtractNewDocumentState is the transform for it"

/* Documents are not rows: no event of a MongoDB connector is lost in silence. */
static void test_documents(void)
{
    static const char *const events[] = {
        "{\"before\":null,\"after\":\"{\\\"_id\\\": 1}\",\"op\":\"c\"}",
        "{\"before\":null,\"after\":null,\"op\":\"u\"}",
        "{\"before\":\"{\\\"_id\\\": 1}\",\"after\":null,\"op\":\"d\"}",
        "{\"before\":null,\"after\":null,\"op\":\"d\"}",
    };
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        run("", DOCUMENT_ENVELOPE, events[i], REFUSED("source field insertion"), false);
        run("route.by.field=x", DOCUMENT_ENVELOPE, events[i],
            REFUSED("Read record to set topic routing for CREATE / UPDATE"), false);
    }
}

static void test_metadata(void)
{
    run("add.fields=op,table,lsn,source.ts_ms,op:kind\nadd.headers=op,source.table\n"
        "add.headers.prefix=h.",
        ENVELOPE, CREATE,
        "t null {\"id\":1,\"name\":\"n\",\"__op\":\"c\",\"__table\":\"c\",\"__source_ts_ms\":9,"
        "\"__kind\":\"c\"} h.op=\"c\" h.source_table=\"c\"",
        false);
    run("add.headers=op,table\ndelete.tombstone.handling.mode=rewrite-with-tombstone", NULL, "null",
        "t null null __op=\"d\"", false);
    run("add.fields=op", ENVELOPE, CREATE,
        "t null null {\"type\":\"struct\",\"fields\":[" ROW_FIELDS
        ",{\"type\":\"string\",\"optional\":true,\"field\":\"__op\"}],\"optional\":false,\"name\":"
        "\"t.Value\"} {\"id\":1,\"name\":\"n\",\"__op\":\"c\"}",
        true);
    run("route.by.field=name", ENVELOPE, CREATE, "n null {\"id\":1,\"name\":\"n\"}", false);
    run("route.by.field=name\ndelete.tombstone.handling.mode=rewrite", ENVELOPE, DELETE,
        "n null {\"id\":1,\"name\":\"n\",\"__deleted\":\"true\"}", false);
}

#define WITH_DEFAULT                                                                               \
    "{\"type\":\"struct\",\"fields\":[" ROW(                                                       \
        "after") ",{\"type\":\"struct\",\"fields\":["                                              \
                 "{\"type\":\"string\",\"optional\":true,\"default\":\"false\",\"field\":"         \
                 "\"snapshot\"}],"                                                                 \
                 "\"optional\":false,\"field\":\"source\"}],\"optional\":false,\"name\":\"t."      \
                 "Envelope\"}"

/* What is added has no default: null stays null. */
static void test_default(void)
{
    run("add.fields=source.snapshot", WITH_DEFAULT,
        "{\"after\":{\"id\":1,\"name\":\"n\"},\"source\":{\"snapshot\":null}}",
        "t null null {\"type\":\"struct\",\"fields\":[" ROW_FIELDS
        ",{\"type\":\"string\",\"optional\":true,\"field\":\"__source_snapshot\"}],\"optional\":"
        "false,\"name\":\"t.Value\"} {\"id\":1,\"name\":\"n\",\"__source_snapshot\":null}",
        true);
}

/* A delete and its tombstone have the same headers; other records have their own. */
static void test_shared_headers(void)
{
    static const struct record_header context = {.name = SL_INIT("context")};
    struct strmap config = STRMAP_INIT;
    struct record_batch b;
    const struct schema *schema = NULL;
    void *state;
    strmap_set(&config, SL("add.headers"), SL("table,op"));
    strmap_set(&config, SL("delete.tombstone.handling.mode"), SL("rewrite-with-tombstone"));
    record_batch_init(&b, 0);
    CHECK_OK(smt_extract_new_record.configure(&state, &config, "", NULL));
    CHECK_OK(json_read_schema(slice_cstr(ENVELOPE), &schema, NULL));
    for (int i = 0; i < 3; i++) {
        struct record *r = record_batch_add(&b);
        r->topic = SL("t");
        r->headers = (struct record_headers){.items = &context, .count = 1};
        if (i == 0) {
            r->value_schema = schema;
            CHECK_OK(json_read_value(SL(DELETE), schema, &b.arena, false, &r->value, NULL, NULL));
        }
    }
    for (size_t i = 0; i < b.count; i++)
        CHECK_OK(smt_extract_new_record.apply(state, &b, &b.records[i], NULL));
    CU_ASSERT_EQUAL(b.records[0].headers.count, 3); /* context, table, op */
    CU_ASSERT_EQUAL(b.records[1].headers.count, 4); /* the same, and its own op */
    CU_ASSERT_EQUAL(b.records[2].headers.count, 2); /* context, op */
    smt_extract_new_record.release(state);
    record_batch_release(&b);
    schema_unref(schema);
    strmap_release(&config);
}

static const struct test_case tests[] = {
    {"modes", test_modes},     {"documents", test_documents},           {"metadata", test_metadata},
    {"default", test_default}, {"shared headers", test_shared_headers}, {NULL, NULL},
};
const struct test_suite test_extract_new_record = {"cdc/transforms/extract_new_record", tests, NULL,
                                                   NULL};
