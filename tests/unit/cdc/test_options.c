/* What all connectors make of their options: values, what texts mean, old names, sizes. The rows
 * are a small table of a connector's own. SPEC: cdc-mysql 1.3, 1.4 */
#include "cdc/options.h"

#include "helpers.h"

struct own {
    CAPTURE_OPTIONS;
    int32_t port;
};
#define OPTION_STRUCT struct own
#define BY(tables, collections) collections
#include "cdc/option_rows.h"

static const struct opt_row rows[] = {
    ROW("own.port", INT, "7", port, HIGH, "Own", 1, SHORT, "Port", "")
#include "cdc/options_hidden.def"
        {.name = NULL},
};

static enum err load(struct own *o, const char *const pairs[], struct error *e)
{
    memset(o, 0, sizeof *o);
    strmap_init(&o->config);
    for (; *pairs; pairs += 2)
        strmap_set(&o->config, slice_cstr(pairs[0]), slice_cstr(pairs[1]));
    return capture_options_load(&o->shared, rows, e);
}

static void test_values(void)
{
    struct own o;
    struct error e = {0};
    CHECK_OK(load(&o, (const char *const[]){NULL}, &e));
    CHECK_INT(o.port, 7);
    CHECK_SLICE(o.topic_delimiter, SL("."));
    CHECK_SLICE(o.shared.topic_delimiter, SL("."));
    CHECK_INT(o.adjust_field, ADJUST_NONE);
    capture_options_release(&o.shared);
    CHECK_OK(load(&o,
                  (const char *const[]){"own.port", " 8 ", "topic.delimiter", "_",
                                        "field.name.adjustment.mode", "Avro", "any", "thing", NULL},
                  &e));
    CHECK_INT(o.port, 8);
    CHECK_SLICE(o.shared.topic_delimiter, SL("_"));
    CHECK_INT(o.shared.adjust_field, ADJUST_AVRO);
    capture_options_release(&o.shared);
    CHECK_OK(load(&o, (const char *const[]){"own.port", " ", "topic.delimiter", "", NULL}, &e));
    CHECK_INT(o.port, 7); /* a blank is a text, but no number */
    CHECK_SLICE(o.topic_delimiter, SL(""));
    capture_options_release(&o.shared);
    CHECK_ERR(load(&o, (const char *const[]){"own.port", "x", NULL}, &e), E_INVALID);
    capture_options_release(&o.shared);
}

static void test_names(void)
{
    CHECK_SLICE(capture_option_renamed(SL("database.server.name")), SL("topic.prefix"));
    CHECK(slice_is_null(capture_option_renamed(SL("topic.prefix"))));
    struct strmap config;
    strmap_init(&config);
    capture_options_sanitize(&config);
    CHECK_INT(config.count, 0);
    strmap_set(&config, SL("sanitize.field.names"), SL(" TRUE"));
    capture_options_sanitize(&config);
    CHECK_SLICE(strmap_get_c(&config, "field.name.adjustment.mode"), SL("avro"));
    strmap_set(&config, SL("field.name.adjustment.mode"), SL("none"));
    capture_options_sanitize(&config);
    CHECK_SLICE(strmap_get_c(&config, "field.name.adjustment.mode"), SL("none"));
    strmap_release(&config);
}

static void test_batch_limit(void)
{
    struct direct_form form;
    struct task_ctx ctx = {0}, direct = {.direct = &form};
    struct capture_options o = {.max_batch_size = 2048};
    strmap_init(&o.config);
    CHECK_INT(capture_batch_limit(&o, NULL), 2048);
    CHECK_INT(capture_batch_limit(&o, &ctx), 2048);
    CHECK_INT(capture_batch_limit(&o, &direct), 8192);
    o.max_batch_size = 10;
    strmap_set(&o.config, SL("max.batch.size"), SL("10"));
    CHECK_INT(capture_batch_limit(&o, &direct), 10);
    o.max_batch_size = 0;
    CHECK_INT(capture_batch_limit(&o, &direct), 2048);
    strmap_release(&o.config);
}

static const struct test_case tests[] = {
    {"values", test_values},
    {"old names", test_names},
    {"records of a poll", test_batch_limit},
    {NULL, NULL},
};
const struct test_suite test_options = {"cdc/options", tests, NULL, NULL};
