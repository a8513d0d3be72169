/* Which transforms are told as not fit for a connector. */
#include "cdc/transform_hints.h"

#include "base/log_tap.h"
#include "helpers.h"

static char told[600];

static void on_warning(enum log_level level, const struct log_ctx *ctx, const char *text)
{
    (void)level, (void)ctx;
    snprintf(told, sizeof told, "%s", text);
}

static const char *told_of(const char *list, const char *type, bool documents)
{
    struct strmap config = STRMAP_INIT;
    strmap_set(&config, SL("transforms"), slice_cstr(list));
    strmap_set(&config, SL("transforms.u.type"), slice_cstr(type));
    told[0] = 0;
    log_tap(on_warning);
    transform_hints_tell(LOG_CDC, &config, documents);
    log_tap(NULL);
    strmap_release(&config);
    return told;
}

static void test_told(void)
{
    CHECK_STR(
        told_of("a, u", "io.debezium.transforms.ExtractNewRecordState", true),
        "transforms.u.type is ExtractNewRecordState, which is for the rows of an SQL database: "
        "their events fail in it; use "
        "io.debezium.connector.mongodb.transforms.ExtractNewDocumentState");
    CHECK(strstr(told_of("u", "EventRouter", true), "transforms.outbox.MongoEventRouter"));
    CHECK_STR(told_of("u", " MongoEventRouter", false),
              "transforms.u.type is MongoEventRouter, which is for the documents of MongoDB: their "
              "events fail in it; use io.debezium.transforms.outbox.EventRouter");
    CHECK(strstr(
        told_of("u", "io.debezium.connector.mongodb.transforms.ExtractNewDocumentState", false),
        "use io.debezium.transforms.ExtractNewRecordState"));
}

static void test_not_told(void)
{
    CHECK_STR(told_of("u", "ExtractNewRecordState", false), "");
    CHECK_STR(told_of("u", "io.debezium.transforms.outbox.EventRouter", false), "");
    CHECK_STR(told_of("u", "ExtractNewDocumentState", true), "");
    CHECK_STR(told_of("u", "MongoEventRouter", true), "");
    CHECK_STR(told_of("u", "org.example.EventRouter2", true), "");
    CHECK_STR(told_of("v", "ExtractNewRecordState", true), ""); /* not listed */
    CHECK_STR(told_of("", "ExtractNewRecordState", true), "");
}

static const struct test_case tests[] = {
    {"told", test_told}, {"not told", test_not_told}, {NULL, NULL}};
const struct test_suite test_transform_hints = {"cdc/transform_hints", tests, NULL, NULL};
