/* tests/unit/broker/api/test_repeats.c - the same answer for few keys and for many. */
#include "broker/api/repeats.h"

#include "base/base.h"
#include "helpers.h"

static void test_few_and_many(void)
{
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (int32_t n = 0; n < 40; n++) {
        struct slice *keys = repeats_keys(&a, n);
        for (int32_t i = 0; i < n; i++) /* 0..4 again and again */
            keys[i] = slice_cstr(arena_printf(&a, "%d", i % 5));
        const uint8_t *got = repeats_of(&a, keys, n);
        for (int32_t i = 0; i < n; i++)
            CHECK_INT(got[i], i >= 5 ? REPEAT_EARLIER : i + 5 < n ? REPEAT_FIRST : REPEAT_NONE);
    }
    arena_release(&a);
}

static const struct test_case tests[] = {
    {"few and many", test_few_and_many},
    {NULL, NULL},
};
const struct test_suite test_repeats = {"broker/api/repeats", tests, NULL, NULL};
