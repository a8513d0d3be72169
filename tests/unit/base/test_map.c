/* tests/unit/base/test_map.c - many keys, deletion while walking, tombstones. */
#include "base/map.h"

#include "base/mem.h"
#include "helpers.h"

#define MANY 100000

static struct slice name(char buf[32], int i)
{
    return slice_of(buf, (size_t)snprintf(buf, 32, "topic-%d", i));
}

static void test_many(void)
{
    struct map m = MAP_INIT;
    static int values[MANY];
    char buf[32];
    bool ok = true;
    for (int i = 0; i < MANY; i++)
        ok = ok && map_put(&m, name(buf, i), &values[i]) == NULL;
    CHECK(ok);
    CHECK_INT(m.count, MANY);
    for (int i = 0; i < MANY; i++)
        ok = ok && map_get(&m, name(buf, i)) == &values[i];
    CHECK(ok);
    CHECK(map_get(&m, SL("topic")) == NULL);
    for (int i = 0; i < MANY; i += 2)
        ok = ok && map_del(&m, name(buf, i)) == &values[i];
    CHECK(ok);
    CHECK_INT(m.count, MANY / 2);
    for (int i = 0; i < MANY; i++)
        ok = ok && map_get(&m, name(buf, i)) == (i % 2 ? &values[i] : NULL);
    CHECK(ok);
    map_release(&m, NULL);
    CHECK(m.slots == NULL && m.count == 0);
}

static void test_walk_and_delete(void)
{
    struct map m = MAP_INIT;
    static uint8_t seen[MANY];
    memset(seen, 0, sizeof seen);
    char buf[32];
    for (int i = 0; i < MANY; i++)
        map_put(&m, name(buf, i), &seen[i]);
    struct slice key;
    void *value;
    size_t count = 0;
    bool ok = true;
    for (size_t i = 0; map_next(&m, &i, &key, &value);) {
        uint8_t *s = value;
        ok = ok && slice_eq(key, name(buf, (int)(s - seen)));
        ++*s;
        count++;
        if ((s - seen) % 3 != 0)
            ok = ok && map_del(&m, key) == value;
    }
    CHECK(ok);
    CHECK_INT(count, MANY);
    CHECK_INT(m.count, (MANY + 2) / 3);
    for (int i = 0; i < MANY; i++)
        ok = ok && seen[i] == 1 && (map_get(&m, name(buf, i)) != NULL) == (i % 3 == 0);
    CHECK(ok);
    for (size_t i = 0; map_next(&m, &i, &key, NULL);) /* all of them */
        map_del(&m, key);
    CHECK_INT(m.count, 0);
    size_t i = 0;
    CHECK(!map_next(&m, &i, &key, &value));
    map_release(&m, NULL);
}

static void test_replace(void)
{
    struct map m = MAP_INIT;
    int a, b;
    CHECK(map_get(&m, SL("x")) == NULL);
    CHECK(map_del(&m, SL("x")) == NULL);
    CHECK(map_put(&m, SL("x"), &a) == NULL);
    CHECK(map_put(&m, SL("x"), &b) == &a);
    CHECK(map_get(&m, SL("x")) == &b);
    CHECK_INT(m.count, 1);
    CHECK(map_put(&m, SL(""), &a) == NULL); /* the empty key is a key */
    CHECK(map_get(&m, SL("")) == &a);
    CHECK(map_put(&m, SL("\0\0"), &b) == NULL);
    CHECK(map_get(&m, SL("\0")) == NULL);
    CHECK(map_del(&m, SL("")) == &a);
    CHECK(map_get(&m, SL("")) == NULL);
    CHECK_INT(m.count, 2);
    map_release(&m, NULL);
}

static void test_integers(void)
{
    struct map m = MAP_INIT;
    static char values[1000];
    bool ok = true;
    for (uint64_t i = 0; i < 1000; i++)
        ok = ok && map_put_u64(&m, i << 32, &values[i]) == NULL;
    ok = ok && map_put_u64(&m, UINT64_MAX, &values[0]) == NULL;
    for (uint64_t i = 0; i < 1000; i++)
        ok = ok && map_get_u64(&m, i << 32) == &values[i] && map_get_u64(&m, (i << 32) + 1) == NULL;
    CHECK(ok);
    CHECK(map_get(&m, slice_of(&(uint64_t){0}, 8)) ==
          NULL); /* text of the same bytes is another key */
    CHECK(map_del_u64(&m, UINT64_MAX) == &values[0]);
    CHECK(map_del_u64(&m, UINT64_MAX) == NULL);
    struct slice key;
    size_t i = 0;
    CHECK(map_next(&m, &i, &key, NULL) && key.n == 8);
    map_release(&m, NULL);
}

static void test_churn(void)
{
    struct map m = MAP_INIT;
    static int value;
    for (uint64_t i = 0; i < 300000; i++) { /* tombstones must not fill the table */
        map_put_u64(&m, i, &value);
        if (i >= 10)
            CHECK(map_del_u64(&m, i - 10) == &value);
    }
    CHECK_INT(m.count, 10);
    CHECK(m.cap <= 64);
    map_release(&m, NULL);
}

static void test_owned_values(void)
{
    struct map m = MAP_INIT;
    char buf[32];
    for (int i = 0; i < 100; i++)
        map_put(&m, name(buf, i), xstrdup("value"));
    mem_free(map_del(&m, name(buf, 7)));
    map_release(&m, mem_free); /* the leak checker is the judge */
}

static const struct test_case tests[] = {
    {"100000 keys", test_many},
    {"deleting while walking", test_walk_and_delete},
    {"replacing, empty key", test_replace},
    {"integer keys", test_integers},
    {"churn", test_churn},
    {"owned values", test_owned_values},
    {NULL, NULL},
};
const struct test_suite test_map = {"base/map", tests, NULL, NULL};
