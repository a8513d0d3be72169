/* Time zones of the system's database, their rule for later years, fixed offsets. */
#include "base/timezone.h"

#include "helpers.h"

static struct timezone *zone(const char *name)
{
    struct timezone *z = NULL;
    CHECK_OK(timezone_open(&z, slice_cstr(name), NULL));
    return z;
}

static void test_fixed(void)
{
    static const struct {
        const char *name;
        int32_t offset;
    } rows[] = {{"Z", 0}, {"+09:00", 32400}, {"-05:30", -19800}, {"-05:30:15", -19815}, {"UTC", 0}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct timezone *z = zone(rows[i].name);
        CU_ASSERT_EQUAL(timezone_offset(z, 0), rows[i].offset);
        CU_ASSERT_EQUAL(timezone_offset_local(z, INT64_C(4102444800)), rows[i].offset);
        timezone_close(z);
    }
    static const char *const bad[] = {"",   "Nowhere/City", "../../etc/passwd", "/etc/localtime",
                                      "+9", "+09:00x",      "+19:00",           "09:00"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct timezone *z;
        CHECK_ERR(timezone_open(&z, slice_cstr(bad[i]), NULL), E_NOT_FOUND);
        CU_ASSERT_PTR_NULL(z);
    }
}

static void test_database(void)
{
    struct timezone *seoul = zone("Asia/Seoul"), *berlin = zone("Europe/Berlin"),
                    *york = zone("America/New_York"), *sydney = zone("Australia/Sydney");
    CU_ASSERT_EQUAL(timezone_offset(seoul, INT64_C(1709210096)), 32400);
    CU_ASSERT_EQUAL(timezone_offset(seoul, INT64_C(560000000)), 36000); /* 1987: summer time */
    /* 2024-03-31 01:00 UTC and 2024-10-27 01:00 UTC */
    CU_ASSERT_EQUAL(timezone_offset(berlin, INT64_C(1711846799)), 3600);
    CU_ASSERT_EQUAL(timezone_offset(berlin, INT64_C(1711846800)), 7200);
    CU_ASSERT_EQUAL(timezone_offset(berlin, INT64_C(1729990799)), 7200);
    CU_ASSERT_EQUAL(timezone_offset(berlin, INT64_C(1729990800)), 3600);
    /* 02:30 of the first never was, 02:30 of the second was twice. */
    CU_ASSERT_EQUAL(timezone_offset_local(berlin, INT64_C(1711852200)), 3600);
    CU_ASSERT_EQUAL(timezone_offset_local(berlin, INT64_C(1729996200)), 7200);
    CU_ASSERT_EQUAL(timezone_offset_local(berlin, INT64_C(1729999800)), 3600);
    /* 2090-07-01 and 2090-01-01: by the rule. Sydney has summer then. */
    CU_ASSERT_EQUAL(timezone_offset(berlin, INT64_C(3802723200)), 7200);
    CU_ASSERT_EQUAL(timezone_offset(york, INT64_C(3802723200)), -14400);
    CU_ASSERT_EQUAL(timezone_offset(york, INT64_C(3786912000)), -18000);
    CU_ASSERT_EQUAL(timezone_offset(sydney, INT64_C(3786912000)), 39600);
    CU_ASSERT_EQUAL(timezone_offset(sydney, INT64_C(3802723200)), 36000);
    timezone_close(seoul);
    timezone_close(berlin);
    timezone_close(york);
    timezone_close(sydney);
}

/* A file with nothing but a rule, in its own words. */
static enum err with_rule(const char *rule, struct timezone **z)
{
    struct strbuf b = STRBUF_INIT;
    for (int i = 0; i < 2; i++) {
        static const uint8_t counts[24] = {[19] = 1, [23] = 4};
        strbuf_add(&b, "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
        strbuf_add(&b, counts, sizeof counts);
        strbuf_add(&b, "\0\0\0\0\0\0XXX\0", 10);
    }
    strbuf_addf(&b, "\n%s\n", rule);
    enum err rc = timezone_parse(z, strbuf_slice(&b), NULL);
    strbuf_release(&b);
    return rc;
}

static void test_rules(void)
{
    static const struct {
        const char *rule;
        int64_t at;
        int32_t offset;
    } rows[] = {
        {"<+0330>-3:30", 0, 12600},
        {"EST5EDT,M3.2.0,M11.1.0", INT64_C(1710054000), -14400}, /* 2024-03-10 07:00 UTC */
        {"EST5EDT,M3.2.0,M11.1.0", INT64_C(1710053999), -18000},
        {"AAA0BBB-2,J60/0,J61/0", INT64_C(1709251200), 7200}, /* 2024-03-01 */
        {"AAA0BBB-2,J60/0,J61/0", INT64_C(1709164800), 0},    /* 2024-02-29 */
        {"AAA0BBB-2,59/0,60/0", INT64_C(1709164800), 7200},
        {"", 0, 0},
    };
    static const char *const bad[] = {
        "E5",    "EST", "EST5EDT", "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.2.0",
        "EST5x", "<A",  "EST999"};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct timezone *z = NULL;
        CHECK_OK(with_rule(rows[i].rule, &z));
        if (z)
            CU_ASSERT_EQUAL(timezone_offset(z, rows[i].at), rows[i].offset);
        timezone_close(z);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct timezone *z = NULL;
        CHECK_ERR(with_rule(bad[i], &z), E_CORRUPT);
    }
}

static const struct test_case tests[] = {
    {"fixed offsets", test_fixed},
    {"the database", test_database},
    {"rules", test_rules},
    {NULL, NULL},
};
const struct test_suite test_timezone = {"base/timezone", tests, NULL, NULL};
