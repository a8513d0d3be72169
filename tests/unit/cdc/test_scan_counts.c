/* Rows of tables that snapshots have read. */
#include "cdc/scan_counts.h"

#include "helpers.h"

static void print(struct slice id, uint64_t rows, void *arg)
{
    strbuf_addf(arg, PRI_SL "=%llu ", ARG_SL(id), (unsigned long long)rows);
}

static void test_counts(void)
{
    struct scan_counts c;
    struct strbuf text = STRBUF_INIT;
    char id[16];
    scan_counts_init(&c);
    scan_counts_set(&c, SL("d.b"), 3);
    scan_counts_set(&c, SL("d.a"), 1);
    scan_counts_set(&c, SL("d.b"), 7);
    scan_counts_each(&c, print, &text);
    CHECK_STR(text.p, "d.b=7 d.a=1 ");
    scan_counts_clear(&c);
    strbuf_reset(&text);
    scan_counts_each(&c, print, &text);
    CHECK_STR(text.p, "");
    for (int i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "d.t%d", i % 50);
        scan_counts_set(&c, slice_cstr(id), (uint64_t)i);
    }
    CHECK_INT(c.count, 50);
    scan_counts_release(&c);
    strbuf_release(&text);
}

static const struct test_case tests[] = {
    {"rows by table", test_counts},
    {NULL, NULL},
};
const struct test_suite test_scan_counts = {"cdc/scan_counts", tests, NULL, NULL};
