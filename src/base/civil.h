/* base/civil.h - days since 1970-01-01 and the proleptic Gregorian calendar. Pure; thread: any.
 *
 * Years are counted from March, in eras of 400 years (146097 days): leap days come last then. */
#ifndef WEIR_BASE_CIVIL_H
#define WEIR_BASE_CIVIL_H

#include "base/base.h"

struct civil_day {
    int64_t year;
    int32_t month, day; /* from 1 */
};

/* Month 1..12; the day may lie outside of the month, and is counted on from its first. */
static inline int64_t civil_to_days(int64_t year, int32_t month, int64_t day)
{
    int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static inline struct civil_day civil_of_days(int64_t days)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, in_era = z - era * 146097;
    int64_t of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t of_year = in_era - (365 * of_era + of_era / 4 - of_era / 100);
    int64_t from_march = (5 * of_year + 2) / 153;
    int32_t month = (int32_t)(from_march < 10 ? from_march + 3 : from_march - 9);
    return (struct civil_day){.year = of_era + era * 400 + (month <= 2),
                              .month = month,
                              .day = (int32_t)(of_year - (153 * from_march + 2) / 5 + 1)};
}

/* The same for days from 1970 on, up to the year 9999 and beyond, with divisions that take less. */
static inline struct civil_day civil_of_days_from_1970(uint32_t days)
{
    uint32_t z = days + 719468, era = z / 146097, in_era = z % 146097;
    uint32_t of_era = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint32_t of_year = in_era - (365 * of_era + of_era / 4 - of_era / 100);
    uint32_t from_march = (5 * of_year + 2) / 153;
    int32_t month = (int32_t)(from_march < 10 ? from_march + 3 : from_march - 9);
    return (struct civil_day){.year = of_era + era * 400 + (month <= 2),
                              .month = month,
                              .day = (int32_t)(of_year - (153 * from_march + 2) / 5 + 1)};
}

/* Month 1..12. */
static inline int32_t civil_days_in_month(int64_t year, int32_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + leap;
}

#endif
