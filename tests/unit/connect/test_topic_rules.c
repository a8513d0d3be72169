/* tests/unit/connect/test_topic_rules.c - numbers of topic.creation.*: 65537 replicas are not one. */
#include "connect/topic_rules.h"

#include "helpers.h"

static void check(const char *replication, enum err want)
{
    struct strmap config = STRMAP_INIT, worker = STRMAP_INIT;
    struct topic_rules rules;
    struct error e = {0};
    strmap_set(&worker, SL("topic.creation.enable"), SL("true"));
    strmap_set(&config, SL("topic.creation.default.partitions"), SL("65537"));
    strmap_set(&config, SL("topic.creation.default.replication.factor"), slice_cstr(replication));
    CHECK_ERR(topic_rules_init(&rules, &config, &worker, &e), want);
    if (want)
        CHECK(strstr(e.msg, "replication.factor: Not a number of type SHORT") != NULL);
    topic_rules_release(&rules);
    strmap_release(&config);
    strmap_release(&worker);
}

static void test_replication(void)
{
    check("1", E_OK);
    check("32767", E_OK);
    check("65537", E_INVALID);
    check("-65535", E_INVALID);
}

static const struct test_case tests[] = {
    {"replication factors are 16 bits", test_replication},
    {NULL, NULL},
};
const struct test_suite test_topic_rules = {"connect/topic_rules", tests, NULL, NULL};
