/* tests/unit/broker/test_placement.c - replicas, leaders and ISRs as a real cluster of three has
 * them when a broker stops and comes back (recorded from Kafka 4.1 with kafka-topics --describe).
 */
#include "broker/placement.h"

#include "broker/proto/kerr.h"
#include "helpers.h"

static const struct broker_ids all = {1, 3, 7}, without_2 = {1, 3, 5}, only_1 = {1, 3, 1},
                               none = {1, 3, 0};
static const struct placement_rules usual = {.min_isr = 1}, two = {.min_isr = 2},
                                    unclean = {.min_isr = 1, .unclean = true};

static struct placement of(const char *text)
{
    struct placement p;
    CHECK_OK(placement_parse(slice_cstr(text), &p, 1));
    return p;
}

static void check_is(const struct placement *p, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    placement_print(p, 1, &b);
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}
/* `from` after broker 2 stopped. */
static void check_stop(const char *from, const struct placement_rules *rules, const char *want)
{
    struct placement p = of(from);
    placement_stopped(&p, &without_2, 2, rules);
    check_is(&p, want);
}
static void check_start(const char *from, const char *want)
{
    struct placement p = of(from);
    placement_started(&p, &all, 2);
    check_is(&p, want);
}

static void test_spread(void)
{
    struct placement v[6];
    CHECK(placement_spread(&all, 0, 3, 0, v, 6));
    static const char *const want[] = {"1,2,3/1,2,3//1/0", "2,3,1/2,3,1//2/0", "3,1,2/3,1,2//3/0",
                                       "1,3,2/1,3,2//1/0", "2,1,3/2,1,3//2/0", "3,2,1/3,2,1//3/0"};
    for (int i = 0; i < 6; i++)
        check_is(&v[i], want[i]);
    CHECK(placement_spread(&without_2, 1, 3, 0, v, 3)); /* the stopped one follows at most */
    check_is(&v[0], "3,2,1/3,1//3/0");
    for (int i = 0; i < 3; i++) {
        CHECK(v[i].leader != 2);
        CHECK_INT(v[i].isr_count, 2);
    }
    CHECK(placement_spread(&without_2, 0, 1, 0, v, 6));
    for (int i = 0; i < 6; i++)
        CHECK(v[i].leader == 1 || v[i].leader == 3);
    CHECK(placement_spread(&all, 2, 1, 1, v, 1)); /* a further partition goes on in the row */
    check_is(&v[0], "1/1//1/0");
    CHECK(!placement_spread(&none, 0, 1, 0, v, 1));
}

static void test_stop(void)
{
    check_stop("3,1,2/3,1,2//3/0", &usual, "3,1,2/3,1//3/0"); /* a follower: the same epoch */
    check_stop("2,3,1/2,3,1//2/0", &usual, "2,3,1/3,1//3/1"); /* the leader: the next in sync */
    check_stop("2,1,3/2,1,3//2/4", &usual, "2,1,3/1,3//1/5");
    check_stop("2,1,3/2,3//2/0", &usual, "2,1,3/3//3/1"); /* 1 is out of sync */
    check_stop("1,3/1,3//1/0", &usual, "1,3/1,3//1/0");
    check_stop("2/2//2/0", &usual, "2//2/-1/1"); /* offline; 2 may lead again */
    check_stop("1,2/1,2//1/0", &two, "1,2/1/2/1/0");
    check_stop("2,1/2//2/0", &usual, "2,1//2/-1/1");
    check_stop("2,1/2//2/0", &unclean, "2,1/1/2/1/1");
}

static void test_start(void)
{
    check_start("3,1,2/3,1//3/0", "3,1,2/3,1,2//3/0"); /* at the end, as it comes last */
    check_start("2//2/-1/1", "2/2//2/2");
    check_start("1,2/1/2/1/0", "1,2/1,2//1/0");
    check_start("2,1//2/-1/1", "2,1/2,1//2/2"); /* and the one that ran all the time follows */
    check_start("1,3/1,3//1/0", "1,3/1,3//1/0");
    struct placement p = of("1,2//2/-1/3"); /* 1 runs again, but only 2 has everything */
    CHECK(!placement_started(&p, &without_2, 1));
    check_is(&p, "1,2//2/-1/3");
}

static void test_below_minimum(void)
{
    struct placement p = of("1,2,3/1,2,3//1/0");
    placement_stopped(&p, &without_2, 2, &two);
    check_is(&p, "1,2,3/1,3//1/0"); /* two are enough: 2 is behind from now on */
    placement_stopped(&p, &only_1, 3, &two);
    check_is(&p, "1,2,3/1/3/1/0");
    placement_stopped(&p, &none, 1, &two);
    check_is(&p, "1,2,3//3,1/-1/1");
    CHECK(!placement_started(&p, &(struct broker_ids){1, 3, 2}, 2));
    CHECK(placement_started(&p, &(struct broker_ids){1, 3, 6}, 3));
    CHECK_INT(p.leader, 3);
}

static void test_elect(void)
{
    struct placement p = of("2,3,1/3,1//3/1");
    CHECK_INT(placement_elect(&p, &without_2, false), KERR_PREFERRED_LEADER_NOT_AVAILABLE);
    placement_started(&p, &all, 2);
    CHECK_INT(placement_elect(&p, &all, false), KERR_NONE);
    check_is(&p, "2,3,1/3,1,2//2/2");
    CHECK_INT(placement_elect(&p, &all, false), KERR_ELECTION_NOT_NEEDED);
    CHECK_INT(placement_elect(&p, &all, true), KERR_ELECTION_NOT_NEEDED);
    p = of("2//2/-1/1");
    CHECK_INT(placement_elect(&p, &without_2, true), KERR_ELIGIBLE_LEADERS_NOT_AVAILABLE);
    p = of("2,1//2/-1/1");
    CHECK_INT(placement_elect(&p, &without_2, true), KERR_NONE);
    CHECK_INT(p.leader, 1);
}

static void test_reassign(void)
{
    static const int32_t to_13[] = {1, 3}, to_2[] = {2}, to_321[] = {3, 2, 1};
    struct placement p = of("1,2,3/1,2,3//1/0");
    CHECK(placement_reassign(&p, &all, to_13, 2));
    check_is(&p, "1,3/1,3//1/1");
    CHECK(placement_reassign(&p, &all, to_2, 1));
    check_is(&p, "2/2//2/2");
    CHECK(placement_reassign(&p, &all, to_321, 3)); /* more replicas: the leader stays */
    check_is(&p, "3,2,1/3,2,1//2/2");
    CHECK(!placement_reassign(&p, &without_2, to_2, 1));
}

static void test_adopt(void)
{
    struct placement p = of("2,3,1/3,1//3/5"); /* all run again */
    CHECK(placement_adopt(&p, &all, 0));
    check_is(&p, "2,3,1/3,1,2//3/5");
    p = of("2,3/3//3/5"); /* a lab of two: broker 3 is no more */
    CHECK(placement_adopt(&p, &(struct broker_ids){1, 2, 3}, 0));
    check_is(&p, "2/2//2/6");
    p = of("7/7//7/2");
    CHECK(placement_adopt(&p, &all, 4));
    check_is(&p, "2/2//2/3");
    p = of("2//2/-1/1"); /* was offline when weir stopped */
    CHECK(placement_adopt(&p, &all, 0));
    check_is(&p, "2/2//2/2");
}

static void test_text(void)
{
    struct placement v[3];
    CHECK_OK(placement_parse(SL("1,2/1//1/0;3/3//3/9"), v, 3));
    CHECK_INT(v[1].epoch, 9);
    CHECK_INT(v[2].replica_count, 0); /* a partition that came later */
    static const char *const bad[] = {"1,2/1//1",   "1/1//1/0/", "1,1/1//1/0",
                                      "1/2//1/0",   "1/1//2/0",  "/1//1/0",
                                      "1/1//1/-3",  "x/1//1/0",  "1,2,3,4,5,6,7,8,9/1//1/0",
                                      "1,2/1/3/1/0"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK_ERR(placement_parse(slice_cstr(bad[i]), v, 1), E_CORRUPT);
}

static const struct test_case tests[] = {
    {"leaders go round, followers shift", test_spread},
    {"a broker stops", test_stop},
    {"a broker starts", test_start},
    {"below min.insync.replicas", test_below_minimum},
    {"elections", test_elect},
    {"reassignments", test_reassign},
    {"what a start of weir makes of what it finds", test_adopt},
    {"text form", test_text},
    {NULL, NULL},
};
const struct test_suite test_placement = {"broker/placement", tests, NULL, NULL};
