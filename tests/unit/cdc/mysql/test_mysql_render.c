/* The plan and the general way write the same bytes: all column types, modes and converter options,
 * random tables and rows. DESIGN 2.8 */
#include "../../../fuzz/render_pair.h"

#include "helpers.h"

typedef void (*pair_fn)(struct pair *p, struct choices *c, struct strbuf *why);

static void run_seed(uint64_t seed, pair_fn run, size_t *direct, size_t *records)
{
    struct choices c = {.seed = seed * UINT64_C(0x9e3779b97f4a7c15) + 1};
    struct strbuf why = STRBUF_INIT;
    struct pair p;
    if (pair_open(&p, &c))
        run(&p, &c, &why);
    if (why.n)
        fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
    CHECK_STR(why.p, "");
    *direct += p.direct_records;
    *records += p.records;
    pair_close(&p);
    strbuf_release(&why);
}

static void run_seeds(uint64_t count, pair_fn run)
{
    size_t direct = 0, records = 0;
    for (uint64_t seed = 1; seed <= count; seed++)
        run_seed(seed, run, &direct, &records);
    CHECK(records >= count);
    CHECK(direct > records / 2); /* else the test would compare nothing */
}

static void test_rows(void)
{
    run_seeds(3000, pair_run);
}

static void test_texts(void)
{
    run_seeds(6000, pair_run_texts);
}

static const struct test_case tests[] = {
    {"rows of random tables", test_rows}, {"texts of random tables", test_texts}, {NULL, NULL}};
const struct test_suite test_mysql_render = {"cdc/mysql/render", tests, NULL, NULL};
