/* tests/unit/broker/test_request_stats.c - quantiles of request times. */
#include "broker/request_stats.h"

#include "base/base.h"
#include "helpers.h"

static double quantile(const struct request_stats *s, enum request_time what, int64_t now_us,
                       double q)
{
    struct latency l = {0};
    latency_add(&l, s, 3, what, now_us);
    return latency_quantile(&l, q);
}

static void test_buckets(void)
{
    int last = -1;
    for (int64_t us = 0; us < 100000; us++) { /* never backwards, no bucket skipped from 4 us on */
        int b = latency_bucket(us);
        CHECK(b == last || b == last + 1 || us < 5);
        last = b;
    }
    CHECK_INT(latency_bucket(INT64_MAX), LATENCY_BUCKETS - 1);
}

static void test_quantiles(void)
{
    struct request_stats s;
    request_stats_init(&s, 10);
    CHECK(quantile(&s, REQUEST_TOTAL, 0, 0.5) == 0);
    for (int i = 1; i <= 1000; i++) /* 0.1 ms .. 100 ms */
        request_stats_note(&s, 3, 12, i == 7, 1000, i * 100, i * 50);
    struct request_api_stats *a = s.apis[3];
    CHECK_INT(a->count, 1000);
    CHECK_INT(a->errors, 1);
    CHECK_INT(a->versions[12], 1000);
    double p50 = quantile(&s, REQUEST_TOTAL, 1000, 0.5),
           p99 = quantile(&s, REQUEST_TOTAL, 1000, 0.99);
    CHECK(p50 > 49 && p50 < 61);
    CHECK(p99 > 98 && p99 < 120);
    double local = quantile(&s, REQUEST_LOCAL, 1000, 0.5);
    CHECK(local > 24 && local < 31);
    request_stats_note(&s, 99, 0, false, 0, 0, 0); /* no such API */
    request_stats_release(&s);
}

static void test_windows(void)
{
    const int64_t minute = 60000000;
    struct request_stats s;
    request_stats_init(&s, 10);
    request_stats_note(&s, 3, 1, false, 0, 5000000, 0);
    request_stats_note(&s, 3, 1, false, minute, 1000, 1000);
    CHECK(quantile(&s, REQUEST_TOTAL, minute, 1) > 4000); /* the minute before counts */
    request_stats_note(&s, 3, 1, false, 2 * minute, 1000, 1000);
    CHECK(quantile(&s, REQUEST_TOTAL, 2 * minute, 1) < 2);
    CHECK(quantile(&s, REQUEST_TOTAL, 9 * minute, 1) == 0); /* all is old */
    request_stats_release(&s);
}

static const struct test_case tests[] = {
    {"buckets", test_buckets},
    {"quantiles", test_quantiles},
    {"windows", test_windows},
    {NULL, NULL},
};
const struct test_suite test_request_stats = {"broker/request_stats", tests, NULL, NULL};
