/* tests/unit/broker/test_diagnosis.c - who is told that its address does not work. */
#include "broker/diagnosis.h"

#include "helpers.h"

static void test_stuck(void)
{
    struct diagnosis d;
    diagnosis_init(&d);
    diagnosis_works(&d, "10.0.0.2");
    int told = 0;
    for (int i = 0; i < 50; i++) {
        told += diagnosis_metadata(&d, "10.0.0.1");
        CHECK(!diagnosis_metadata(&d, "10.0.0.2")); /* it has reached a broker */
    }
    CHECK_INT(told, 1);
    diagnosis_release(&d);
}

static void test_many_peers(void)
{
    struct diagnosis d;
    char ip[46];
    diagnosis_init(&d);
    for (int i = 0; i < 1000; i++) {
        snprintf(ip, sizeof ip, "10.0.%d.%d", i / 200, i % 200);
        CHECK(!diagnosis_metadata(&d, ip));
    }
    for (int i = 0; i < DIAGNOSIS_METADATA - 1; i++)
        CHECK(!diagnosis_metadata(&d, "10.1.0.1"));
    CHECK(diagnosis_metadata(&d, "10.1.0.1"));
    diagnosis_release(&d);
}

static const struct test_case tests[] = {
    {"a client that goes round in circles", test_stuck},
    {"more peers than rows", test_many_peers},
    {NULL, NULL},
};
const struct test_suite test_diagnosis = {"broker/diagnosis", tests, NULL, NULL};
