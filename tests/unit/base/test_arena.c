/* tests/unit/base/test_arena.c - blocks, budget, cleanups, memory faults. */
#include "base/arena.h"

#include "base/mem.h"
#include "helpers.h"

static void test_alignment(void)
{
    struct arena a;
    arena_init(&a, 512, ARENA_NO_BUDGET);
    for (size_t n = 0; n < 600; n++) {
        char *p = arena_try_alloc(&a, n);
        CHECK(p != NULL);
        CHECK((uintptr_t)p % (n >= 16 ? 16 : 8) == 0);
        memset(p, (int)n, n); /* asan sees an overlap or an overrun */
    }
    arena_release(&a);
    CHECK(a.blocks == NULL && a.used == 0);
}

static void test_contents_stay(void)
{
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    uint8_t *p[400];
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        p[i] = memset(arena_alloc(&a, i * 7 + 1), (int)i, i * 7 + 1);
    bool same = true;
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        for (size_t k = 0; k < i * 7 + 1; k++)
            same = same && p[i][k] == (uint8_t)i;
    CHECK(same);
    arena_release(&a);
}

static void test_budget(void)
{
    struct arena a;
    arena_init(&a, 1024, 4000);
    CHECK(arena_try_alloc(&a, 4001) == NULL);
    CHECK(arena_try_alloc(&a, SIZE_MAX) == NULL);
    CHECK(arena_try_calloc(&a, SIZE_MAX / 2, 4) == NULL);
    CHECK(arena_try_alloc(&a, 2000) != NULL);
    CHECK(arena_try_alloc(&a, 1999) != NULL);
    CHECK(arena_try_alloc(&a, 64) == NULL);
    struct slice s = arena_dup(&a, SL("a text that is longer than what the budget has left over"));
    CHECK(s.p == NULL && s.n != 0);
    CHECK(arena_alloc(&a, 500) != NULL); /* sizes of our own do not look at it */
    CHECK(arena_try_alloc(&a, 1) == NULL);
    arena_reset(&a);
    CHECK_INT(a.used, 0);
    CHECK(arena_try_alloc(&a, 3000) != NULL);
    arena_release(&a);
}

static void test_reset_keeps_a_block(void)
{
    struct arena a;
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    char *first = arena_alloc(&a, 100);
    arena_reset(&a);
    CHECK(arena_alloc(&a, 100) == first);
    for (int i = 0; i < 100; i++)
        arena_alloc(&a, 100);
    arena_alloc(&a, 100000);
    arena_reset(&a);
    mem_fail_at(1);
    CHECK(arena_try_alloc(&a, 200) != NULL); /* from the kept block: no allocation */
    CHECK(!mem_fail_hit());
    mem_fail_at(0);
    arena_release(&a);
    arena_release(&a);
    arena_reset(&a);
}

static void test_copies(void)
{
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct slice s = arena_dup(&a, slice_of("abcdef", 3));
    CHECK_SLICE(s, SL("abc"));
    CHECK(s.p[3] == 0);
    CHECK_SLICE(arena_dup(&a, SLICE_NULL), SLICE_NULL);
    CHECK_SLICE(arena_dup(&a, SL("")), SL(""));
    CHECK_STR(arena_strdup(&a, "x y"), "x y");
    CHECK_STR(arena_printf(&a, "%d-%s", 7, "z"), "7-z");
    char *text = arena_printf(&a, "%01000d", 1);
    CHECK_INT(strlen(text), 1000);
    int *zero = arena_calloc(&a, 10, sizeof *zero);
    for (int i = 0; i < 10; i++)
        CHECK_INT(zero[i], 0);
    arena_release(&a);
}

static char order[20];
static void note(void *arg)
{
    size_t n = strlen(order);
    order[n] = *(const char *)arg;
    order[n + 1] = 0;
}

struct chain {
    struct arena *a;
    char name;
};
static void note_and_register(void *arg)
{
    struct chain *c = arg;
    note(&c->name);
    static char late = 'L';
    arena_on_release(c->a, note, &late);
}

static void test_cleanups(void)
{
    struct arena a;
    arena_init(&a, 256, ARENA_NO_BUDGET);
    char *one = arena_strdup(&a, "1"), *two = arena_strdup(&a, "2"), *three = arena_strdup(&a, "3");
    order[0] = 0;
    arena_on_release(&a, note, one);
    arena_on_release(&a, note, two);
    arena_alloc(&a, 4000);
    arena_on_release(&a, note, three);
    arena_reset(&a);
    CHECK_STR(order, "321"); /* newest first, memory still there */
    arena_reset(&a);
    CHECK_STR(order, "321"); /* once */
    struct chain c = {&a, 'C'};
    order[0] = 0;
    arena_on_release(&a, note_and_register, &c);
    arena_release(&a);
    CHECK_STR(order, "CL");
}

static void test_faults(void)
{
    for (int64_t n = 1; n < 400; n++) {
        struct arena a;
        arena_init(&a, 256, ARENA_NO_BUDGET);
        mem_fail_at(n);
        unsigned failed = 0;
        for (size_t i = 0; i < 200; i++) {
            char *p = arena_try_alloc(&a, i);
            if (p)
                memset(p, 1, i);
            else
                failed++;
        }
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_INT(failed, hit ? 1 : 0); /* one fails, all others go on */
        arena_release(&a);
        if (!hit)
            return;
    }
    CHECK(false);
}

static const struct test_case tests[] = {
    {"alignment", test_alignment},
    {"contents stay", test_contents_stay},
    {"budget", test_budget},
    {"reset keeps a block", test_reset_keeps_a_block},
    {"copies", test_copies},
    {"cleanups run newest first", test_cleanups},
    {"every allocation may fail", test_faults},
    {NULL, NULL},
};
const struct test_suite test_arena = {"base/arena", tests, NULL, NULL};
