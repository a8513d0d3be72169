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
        wrong += d.day == 1 && civil_to_days(d.year + d.month / 12, d.month % 12 + 1, 1) - next !=
                                   civil_days_in_month(d.year, d.month);
    }
    CHECK_INT(wrong, 0);
}

/* To the last day of the year 9999. */
static void test_from_1970(void)
{
    size_t wrong = 0;
    for (uint32_t day = 0; day <= 2932896; day++) {
        struct civil_day d = civil_of_days_from_1970(day), same = civil_of_days(day);
        wrong += d.year != same.year || d.month != same.month || d.day != same.day;
    }
    CHECK_INT(wrong, 0);
    CHECK_INT(civil_of_days_from_1970(2932896).year, 9999);
    CHECK_INT(civil_of_days_from_1970(2932897).year, 10000);
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
    {"from 1970 on", test_from_1970},
    {"edges", test_edges},
    {NULL, NULL},
};
const struct test_suite test_civil = {"base/civil", tests, NULL, NULL};
