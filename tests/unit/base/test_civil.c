/* tests/unit/base/test_civil.c - every day of a thousand years there and back, and days outside of
 * their months. */
#include "base/civil.h"

#include "helpers.h"

#include <time.h>

static void test_there_and_back(void)
{
    int64_t next = civil_to_days(1599, 12, 31);
    size_t wrong = 0;
    for (time_t t = (time_t)next * 86400; next < civil_to_days(2601, 1, 1); next++, t += 86400) {
        struct tm tm;
        struct civil_day d = civil_of_days(next);
        gmtime_r(&t, &tm);
        wrong += d.year != tm.tm_year + 1900 || d.month != tm.tm_mon + 1 || d.day != tm.tm_mday ||
                 civil_to_days(d.year, d.month, d.day) != next;
    }
    CHECK_INT(wrong, 0);
}

static void test_edges(void)
{
    CHECK_INT(civil_to_days(1970, 1, 1), 0);
    CHECK_INT(civil_to_days(1969, 12, 31), -1);
    CHECK_INT(civil_to_days(0, 3, 1), -719468);
    CHECK_INT(civil_to_days(0, 2, 29), -719469);
    CHECK_INT(civil_to_days(2023, 2, 29), civil_to_days(2023, 3, 1));
    CHECK_INT(civil_to_days(2024, 1, 366), civil_to_days(2024, 12, 31));
    CHECK_INT(civil_of_days(-719469).year, 0);
    CHECK_INT(civil_of_days(-719469).day, 29);
}

static const struct test_case tests[] = {
    {"there and back", test_there_and_back},
    {"edges", test_edges},
    {NULL, NULL},
};
const struct test_suite test_civil = {"base/civil", tests, NULL, NULL};
