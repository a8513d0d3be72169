/* tests/unit/connect/test_file_source.c - a start while the store cannot be read: to begin anew would
 * tell the whole file again. */
#include "connect/file_source.h"

#include "helpers.h"

static enum err broken(struct task_ctx *c, struct arena *a, struct slice partition,
                       struct slice *out, struct error *e)
{
    (void)c, (void)a, (void)partition, (void)out;
    return error_set(e, E_IO, "database is locked");
}

static void test_store_that_fails(void)
{
    struct strmap config = STRMAP_INIT;
    struct error e = {0};
    void *task = NULL;
    strmap_set(&config, SL("file"), SL("/nowhere"));
    strmap_set(&config, SL("topic"), SL("t"));
    struct task_ctx ctx = {.connector = "f", .config = &config, .load_offset = broken};
    const struct source_task_ops *ops = file_source_connector.source;
    CHECK_ERR(ops->start(&task, &ctx, &e), E_IO);
    CHECK_STR(e.msg, "database is locked");
    ops->stop(task);
    strmap_release(&config);
}

static const struct test_case tests[] = {
    {"a store that cannot be read ends the start", test_store_that_fails},
    {NULL, NULL},
};
const struct test_suite test_file_source = {"connect/file_source", tests, NULL, NULL};
