/* tests/unit/broker/group/test_share_partition.c - records of a share group: free, held, done, given up.
 * Ends with a random run against a table of single records. SPEC: broker 8.5. */
#include "broker/group/share_partition.h"

#include "base/base.h"
#include "base/str.h"
#include "broker/proto/kerr.h"
#include "helpers.h"

#include <stdlib.h>

static struct share_partition p;
static struct share_acquired got[64];

static size_t take(const char *member, int64_t first, int64_t last, int64_t max, int64_t deadline)
{
    return share_acquire(&p, slice_cstr(member), first, last, max, deadline, got, ARRAY_LEN(got));
}

static int ack(const char *member, int64_t first, int64_t last, int type)
{
    int8_t t = (int8_t)type;
    return share_acknowledge(&p, slice_cstr(member), first, last, &t, 1);
}

static void test_acquire_and_accept(void)
{
    share_partition_init(&p, 10, 100, 5);
    CHECK_INT(share_next(&p), 10);
    CHECK_INT(take("a", 8, 19, 100, 1000), 1); /* a batch that begins below */
    CHECK_INT(got[0].first, 10);
    CHECK_INT(got[0].last, 19);
    CHECK_INT(got[0].deliveries, 1);
    CHECK_INT(take("b", 10, 19, 100, 1000), 0);
    CHECK_INT(take("b", 20, 29, 4, 2000), 1); /* in the middle of a batch */
    CHECK_INT(got[0].last, 23);
    CHECK_INT(share_next(&p), 24);
    CHECK_INT(share_next_deadline(&p), 1000);
    CHECK_INT(ack("b", 10, 12, SHARE_ACK_ACCEPT), KERR_INVALID_RECORD_STATE);
    CHECK_INT(ack("a", 10, 12, SHARE_ACK_ACCEPT), KERR_NONE);
    CHECK_INT(p.start, 13);
    CHECK_INT(ack("a", 10, 12, SHARE_ACK_ACCEPT), KERR_INVALID_RECORD_STATE); /* again */
    CHECK_INT(ack("a", 15, 19, SHARE_ACK_ACCEPT), KERR_NONE);
    CHECK_INT(p.start, 13);
    CHECK_INT(ack("a", 13, 14, SHARE_ACK_REJECT), KERR_NONE);
    CHECK_INT(p.start, 20);
    CHECK_INT(ack("b", 20, 24, SHARE_ACK_ACCEPT), KERR_INVALID_RECORD_STATE); /* 24 is not held */
    CHECK_INT(ack("b", 20, 23, SHARE_ACK_ACCEPT), KERR_NONE);
    CHECK_INT(p.start, 24);
    share_partition_release(&p);
}

static void test_release_and_limit(void)
{
    share_partition_init(&p, 0, 100, 3);
    for (int i = 1; i <= 3; i++) {
        CHECK_INT(take("a", 0, 4, 100, 1000), 1);
        CHECK_INT(got[0].deliveries, i);
        CHECK_INT(ack("a", 0, 4, SHARE_ACK_RELEASE), KERR_NONE);
    }
    CHECK_INT(p.start, 5); /* delivered three times: given up */
    CHECK_INT(take("a", 5, 9, 100, 1000), 1);
    CHECK(!share_expire(&p, 999));
    CHECK(share_expire(&p, 1000));
    CHECK_INT(ack("a", 5, 9, SHARE_ACK_ACCEPT), KERR_INVALID_RECORD_STATE);
    CHECK_INT(take("b", 5, 9, 2, 2000), 1);
    CHECK_INT(got[0].deliveries, 2);
    CHECK(!share_release_member(&p, SL("a")));
    CHECK(share_release_member(&p, SL("b")));
    CHECK_INT(share_next(&p), 5);
    share_partition_release(&p);
}

static void test_types_of_single_records(void)
{
    int8_t types[] = {SHARE_ACK_ACCEPT, SHARE_ACK_RELEASE, SHARE_ACK_RELEASE, SHARE_ACK_REJECT,
                      SHARE_ACK_GAP};
    share_partition_init(&p, 0, 100, 5);
    CHECK_INT(take("a", 0, 4, 100, 1000), 1);
    CHECK_INT(share_acknowledge(&p, SL("a"), 0, 4, types, 4), KERR_INVALID_REQUEST);
    CHECK_INT(ack("a", 0, 4, 9), KERR_INVALID_REQUEST);
    CHECK_INT(ack("a", 4, 0, SHARE_ACK_ACCEPT), KERR_INVALID_REQUEST);
    CHECK_INT(share_acknowledge(&p, SL("a"), 0, 4, types, 5), KERR_NONE);
    CHECK_INT(p.start, 1);
    CHECK_INT(take("b", 0, 4, 100, 1000), 1);
    CHECK_INT(got[0].first, 1);
    CHECK_INT(got[0].last, 2);
    CHECK_INT(got[0].deliveries, 2);
    CHECK_INT(ack("b", 1, 2, SHARE_ACK_ACCEPT), KERR_NONE);
    CHECK_INT(p.start, 5);
    CHECK_INT(p.n, 0);
    share_partition_release(&p);
}

static void test_bounds(void)
{
    share_partition_init(&p, 0, 10, 5);
    CHECK_INT(take("a", 0, 99, 1000, 1000), 1);
    CHECK_INT(got[0].last, 9); /* no more than ten at a time */
    CHECK(!share_has_room(&p));
    CHECK_INT(take("b", 10, 20, 1000, 1000), 0);
    CHECK_INT(ack("a", 0, 3, SHARE_ACK_ACCEPT), KERR_NONE);
    CHECK(share_has_room(&p));
    share_log_start(&p, 6); /* retention */
    CHECK_INT(p.start, 6);
    CHECK_INT(ack("a", 4, 9, SHARE_ACK_ACCEPT), KERR_INVALID_RECORD_STATE);
    CHECK_INT(ack("a", 6, 9, SHARE_ACK_ACCEPT), KERR_NONE);
    share_log_start(&p, 50);
    CHECK_INT(p.start, 50);
    CHECK_INT(share_next(&p), 50);
    share_give_up(&p, 50, 54); /* a hole in the log */
    CHECK_INT(p.start, 55);
    CHECK_INT(take("a", 55, 56, 1000, 1000), 1);
    share_give_up(&p, 55, 60); /* not what is held */
    CHECK_INT(p.start, 55);
    CHECK_INT(p.end, 61);
    share_partition_release(&p);
}

/* A power cut has taken the end of the log: who goes on must not skip what is written there next. */
static void test_shorter_log(void)
{
    share_partition_init(&p, 0, 100, 5);
    CHECK_INT(take("a", 0, 19, 1000, 1000), 1);
    CHECK_INT(ack("a", 4, 15, SHARE_ACK_ACCEPT), KERR_NONE);
    CHECK(!share_log_end(&p, 20));
    CHECK(share_log_end(&p, 10)); /* within what is done */
    CHECK_INT(p.start, 0);
    CHECK_INT(p.end, 10);
    CHECK(share_release_member(&p, SL("a")));
    CHECK_INT(share_next(&p), 0);
    CHECK_INT(take("a", 0, 3, 1000, 1000), 1);
    CHECK_INT(share_next(&p), 10); /* the next record is new */
    CHECK(share_log_end(&p, 2));
    CHECK_INT(ack("a", 0, 1, SHARE_ACK_ACCEPT), KERR_NONE);
    CHECK_INT(p.start, 2);
    CHECK(share_log_end(&p, 1)); /* below all that it knows */
    CHECK_INT(p.start, 1);
    CHECK_INT(p.end, 1);
    share_partition_release(&p);
}

static void test_stored_form(void)
{
    struct strbuf b = STRBUF_INIT;
    struct share_partition q;
    share_partition_init(&p, 100, 200, 5);
    CHECK_INT(take("a", 100, 129, 1000, 1000), 1);
    CHECK_INT(ack("a", 110, 119, SHARE_ACK_ACCEPT), KERR_NONE);
    CHECK_INT(ack("a", 125, 129, SHARE_ACK_RELEASE), KERR_NONE);
    share_encode(&p, &b);
    share_partition_init(&q, 100, 200, 5);
    CHECK_OK(share_decode(&q, strbuf_slice(&b)));
    CHECK_INT(q.start, 100);
    CHECK_INT(q.end, 130);
    CHECK_INT(q.n, 3); /* free (was held), done, free (was held and released) */
    CHECK_INT(q.v[0].deliveries, 1);
    CHECK_INT(share_next(&q), 100);
    for (size_t n = 0; n < b.n; n++) { /* every cut is seen */
        struct share_partition x;
        share_partition_init(&x, 100, 200, 5);
        CHECK_ERR(share_decode(&x, slice_of(b.p, n)), E_CORRUPT);
        CHECK_INT(x.end, 100);
        share_partition_release(&x);
    }
    share_partition_release(&q);
    share_partition_release(&p);
    strbuf_release(&b);
}

/* --- random ----------------------------------------------------------------------------------- */

#define LOG_END 300
struct record {
    int state, deliveries, member;
    int64_t deadline;
};

static void settle(struct record *r, int type)
{
    if (type == SHARE_ACK_RELEASE)
        r->state = r->deliveries >= 3 ? SHARE_GIVEN_UP : SHARE_AVAILABLE;
    else
        r->state = type == SHARE_ACK_ACCEPT ? SHARE_DONE : SHARE_GIVEN_UP;
}

static void check_table(const struct record *log)
{
    int64_t start = 0;
    while (start < LOG_END && log[start].state >= SHARE_DONE)
        start++;
    CHECK_INT(p.start, start);
    for (size_t i = 0; i < p.n; i++) {
        CHECK_INT(p.v[i].first, i ? p.v[i - 1].last + 1 : p.start);
        for (int64_t o = p.v[i].first; o <= p.v[i].last; o++) {
            CHECK_INT(p.v[i].state, log[o].state);
            if (p.v[i].state <= SHARE_ACQUIRED)
                CHECK_INT(p.v[i].deliveries, log[o].deliveries);
        }
    }
    CHECK_INT(p.n ? p.v[p.n - 1].last + 1 : p.start, p.end);
}

static void random_take(struct record *log, const char *const *members, int64_t now)
{
    int m = rand() % 3;
    int64_t first = share_next(&p), last = first + rand() % 20;
    last = MIN(last, LOG_END - 1);
    size_t n = take(members[m], first, last, 1 + rand() % 10, now + 50);
    for (size_t i = 0; i < n; i++) {
        for (int64_t o = got[i].first; o <= got[i].last; o++) {
            CHECK_INT(log[o].state, SHARE_AVAILABLE); /* nobody else has it */
            log[o] = (struct record){SHARE_ACQUIRED, log[o].deliveries + 1, m, now + 50};
            CHECK_INT(got[i].deliveries, log[o].deliveries);
        }
    }
}

static void random_ack(struct record *log, const char *const *members)
{
    int m = rand() % 3, type = rand() % 4;
    int64_t first = p.start + rand() % 15, last = first + rand() % 6;
    bool all = last < p.end;
    for (int64_t o = first; all && o <= last; o++)
        all = log[o].state == SHARE_ACQUIRED && log[o].member == m;
    CHECK_INT(ack(members[m], first, last, type) == KERR_NONE, all);
    for (int64_t o = first; all && o <= last; o++)
        settle(&log[o], type);
}

static void test_random(void)
{
    static const char *const members[] = {"a", "b", "c"};
    for (unsigned seed = 1; seed <= 100; seed++) {
        struct record log[LOG_END] = {0};
        int64_t now = 0;
        srand(seed);
        share_partition_init(&p, 0, 40, 3);
        for (int step = 0; step < 1500 && p.start < LOG_END; step++) {
            int what = rand() % 10;
            if (what < 4) {
                random_take(log, members, now);
            } else if (what < 8) {
                random_ack(log, members);
            } else {
                now += rand() % 20;
                (void)share_expire(&p, now);
                for (int o = 0; o < LOG_END; o++) {
                    if (log[o].state == SHARE_ACQUIRED && log[o].deadline <= now)
                        settle(&log[o], SHARE_ACK_RELEASE);
                }
            }
            check_table(log);
            CHECK(p.end - p.start <= 40);
        }
        share_partition_release(&p);
    }
}

static const struct test_case tests[] = {
    {"acquire and accept", test_acquire_and_accept},
    {"release, locks, the delivery limit", test_release_and_limit},
    {"a type for each record", test_types_of_single_records},
    {"bounds", test_bounds},
    {"a log that is shorter", test_shorter_log},
    {"stored form", test_stored_form},
    {"random", test_random},
    {NULL, NULL},
};
const struct test_suite test_share_partition = {"broker/group/share_partition", tests};
