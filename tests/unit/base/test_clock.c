/* tests/unit/base/test_clock.c - times as text. */
#include "base/clock.h"

#include "helpers.h"

static void check_iso(int64_t seconds, int32_t fraction, int digits, const char *want)
{
    char text[CLOCK_ISO_SIZE];
    CHECK_STR(clock_iso(text, seconds, fraction, digits), want);
}

static void test_iso(void)
{
    check_iso(0, 0, 0, "1970-01-01T00:00:00Z");
    check_iso(1767225600, 123, 3, "2026-01-01T00:00:00.123Z");
    check_iso(1767225599, 7, 6, "2025-12-31T23:59:59.000007Z");
    check_iso(951868799, 0, 3, "2000-02-29T23:59:59.000Z");
    check_iso(-1, 999, 3, "1969-12-31T23:59:59.999Z");
    check_iso(-86400, 0, 0, "1969-12-31T00:00:00Z");
    check_iso(253402300799, 999, 3, "9999-12-31T23:59:59.999Z");
    check_iso(253402300800, 0, 0, "10000-01-01T00:00:00Z");
    check_iso(-62135596800, 0, 0, "0001-01-01T00:00:00Z");
    char least[CLOCK_ISO_SIZE], most[CLOCK_ISO_SIZE]; /* all of it has room */
    CHECK(slice_ends(slice_cstr(clock_iso(least, INT64_MIN, 999999, 6)), SL(".999999Z")));
    CHECK(slice_ends(slice_cstr(clock_iso(most, INT64_MAX, 999999, 6)), SL(".999999Z")));
    CHECK(least[0] == '-' && most[0] == '2');
}

static const struct test_case tests[] = {
    {"iso", test_iso},
    {NULL, NULL},
};
const struct test_suite test_clock = {"base/clock", tests, NULL, NULL};
