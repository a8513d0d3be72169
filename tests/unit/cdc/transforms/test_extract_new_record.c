/* ExtractNewRecordState over its modes. SPEC: connect 7.1 */
#include "cdc/transforms/transforms.h"

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

static const struct test_case tests[] = {
    {"modes", test_modes},
    {"metadata", test_metadata},
    {NULL, NULL},
};
const struct test_suite test_extract_new_record = {"cdc/transforms/extract_new_record", tests, NULL,
                                                   NULL};
