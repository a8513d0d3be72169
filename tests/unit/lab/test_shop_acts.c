/* What happens in the demo's shop: each kind at first, and few orders for ever. */
#include "lab/shop_acts.h"

#include "helpers.h"

static void check_first(bool extends)
{
    struct shop_acts s = {.extends = extends, .seed = 1};
    for (int i = 0; i < SHOP_ACTS; i++)
        if (i != SHOP_EXTEND || extends)
            CHECK_INT(shop_acts_next(&s), i);
}

/* Orders by what they are: NEW, PAID, SHIPPED, DELIVERED. */
static void check_orders(bool extends)
{
    enum { ACTS = 200000 };
    struct shop_acts s = {.extends = extends, .seed = 20260101};
    size_t orders[4] = {2, 1, 1, 1}, most = 0, seen[SHOP_ACTS] = {0};
    for (int i = 0; i < ACTS; i++) {
        enum shop_act act = shop_acts_next(&s);
        size_t from = act == SHOP_PAY       ? 0
                      : act == SHOP_SHIP    ? 1
                      : act == SHOP_DELIVER ? 2
                      : act == SHOP_DROP    ? 3
                                            : 4;
        seen[act]++;
        if (act == SHOP_ORDER)
            orders[0]++;
        if (from < 4 && orders[from]) {
            orders[from]--;
            if (from < 3)
                orders[from + 1]++;
        }
        most = MAX(most, orders[0] + orders[1] + orders[2] + orders[3]);
    }
    CHECK(most < 150);
    for (int i = 0; i < SHOP_ACTS; i++)
        CHECK(i == SHOP_EXTEND && !extends ? !seen[i] : seen[i] > ACTS / 30);
}

static void test_first(void)
{
    check_first(false);
    check_first(true);
}

static void test_orders(void)
{
    check_orders(false);
    check_orders(true);
}

static const struct test_case tests[] = {
    {"each kind at first", test_first},
    {"few orders for ever", test_orders},
    {NULL, NULL},
};
const struct test_suite test_shop_acts = {"lab/shop_acts", tests, NULL, NULL};
