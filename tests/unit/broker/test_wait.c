/* tests/unit/broker/test_wait.c - a wait fires once, on whatever it hangs. */
#include "broker/wait.h"

#include <pthread.h>

#include "helpers.h"

struct probe {
    _Atomic int fired, released;
};

static void fire(void *arg)
{
    ((struct probe *)arg)->fired++;
}

static void release(void *arg)
{
    ((struct probe *)arg)->released++;
}

static void test_once(void)
{
    struct probe probe = {0};
    struct wait_list a, b, taken;
    wait_list_init(&a);
    wait_list_init(&b);
    struct wait *w = wait_new(fire, release, &probe);
    wait_list_add(&a, w);
    wait_list_add(&b, w);
    wait_list_take(&a, &taken);
    CHECK(wait_list_empty(&a));
    CHECK(!wait_list_empty(&taken));
    wait_list_fire(&taken);
    CHECK_INT(probe.fired, 1);
    wait_list_take(&b, &taken);
    wait_list_fire(&taken);
    CHECK_INT(probe.fired, 1);
    CHECK_INT(probe.released, 0);
    wait_unref(w);
    CHECK_INT(probe.released, 1);
}

static void test_give_up(void)
{
    struct probe probe = {0};
    struct wait_list a;
    wait_list_init(&a);
    struct wait *w = wait_new(fire, release, &probe), *other = wait_new(fire, release, &probe);
    wait_list_add(&a, w);
    wait_list_add(&a, w);
    wait_list_add(&a, other);
    wait_give_up(w);
    wait_list_remove(&a, w);
    CHECK(!wait_list_empty(&a)); /* the other one stays */
    wait_unref(w);
    CHECK_INT(probe.released, 1);
    wait_list_fire(&a);
    CHECK_INT(probe.fired, 1);
    CHECK(wait_list_empty(&a));
    wait_unref(other);
    CHECK_INT(probe.released, 2);
}

static void *fire_many(void *arg)
{
    struct wait **all = arg;
    for (int i = 0; i < 1000; i++) {
        wait_fire(all[i]);
        wait_unref(all[i]);
    }
    return NULL;
}

/* Two threads fire the same waits: each is called exactly once. */
static void test_race(void)
{
    struct probe probe = {0};
    struct wait *all[1000];
    for (int i = 0; i < 1000; i++)
        all[i] = wait_ref(wait_new(fire, release, &probe));
    pthread_t t;
    CHECK_INT(pthread_create(&t, NULL, fire_many, all), 0);
    fire_many(all);
    pthread_join(t, NULL);
    CHECK_INT(probe.fired, 1000);
    CHECK_INT(probe.released, 1000);
}

static const struct test_case tests[] = {
    {"once", test_once},
    {"give up", test_give_up},
    {"race", test_race},
    {NULL, NULL},
};
const struct test_suite test_wait = {"broker/wait", tests, NULL, NULL};
