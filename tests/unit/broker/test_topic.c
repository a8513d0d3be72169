/* tests/unit/broker/test_topic.c - the registry of topics: names, creating, deleting, settings,
 * restart. */
#include "broker/topic.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pool.h"
#include "broker/proto/kerr.h"
#include "broker/topic_config.h"
#include "log_helpers.h"

static void test_names(void)
{
    struct error e;
    char longest[251];
    memset(longest, 'a', sizeof longest);
    CHECK_OK(topic_name_check(slice_of(longest, 249), &e));
    CHECK_ERR(topic_name_check(slice_of(longest, 250), &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_TOPIC_EXCEPTION);
    CHECK(strstr(e.msg, "is longer than the max allowed length 249") != NULL);
    CHECK_ERR(topic_name_check(SL(""), &e), E_INVALID);
    CHECK_STR(e.msg, "Topic name is invalid: the empty string is not allowed");
    CHECK_ERR(topic_name_check(SL(".."), &e), E_INVALID);
    CHECK_STR(e.msg, "Topic name is invalid: '..' is not allowed");
    CHECK_ERR(topic_name_check(SL("bad/name"), &e), E_INVALID);
    CHECK_STR(e.msg, "Topic name is invalid: 'bad/name' contains one or more characters other than "
                     "ASCII alphanumerics, '.', '_' and '-'");
    CHECK_ERR(topic_name_check(SL("__cluster_metadata"), &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_REQUEST);
    CHECK_OK(topic_name_check(SL("a.B_c-9"), NULL));
    CHECK(topic_name_is_internal(SL("__consumer_offsets")));
    CHECK(!topic_name_is_internal(SL("orders")));
}

static void test_create(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct error e;
    struct topic *t, *other;
    struct topic_spec spec = {.name = SL("log.events"), .partitions = 3};
    int64_t generation = topics_generation(w.topics);
    CHECK_OK(topics_create(w.topics, &spec, true, NULL, &e));
    CHECK_INT(topics_partition_count(w.topics), 0);
    CHECK_OK(topics_create(w.topics, &spec, false, &t, &e));
    CHECK(topics_generation(w.topics) > generation);
    CHECK_INT(topic_partition_count(t), 3);
    CHECK_INT(topics_partition_count(w.topics), 3);
    CHECK(!topic_is_internal(t));
    CHECK(topic_partition(t, 3) == NULL);
    CHECK(topic_partition(t, -1) == NULL);
    CHECK_ERR(topics_create(w.topics, &spec, false, &other, &e), E_EXISTS);
    CHECK_INT(e.sys, KERR_TOPIC_ALREADY_EXISTS);
    CHECK_STR(e.msg, "Topic 'log.events' already exists.");
    CHECK(other == NULL);
    spec.name = SL("log_events");
    CHECK_ERR(topics_create(w.topics, &spec, true, NULL, &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_TOPIC_EXCEPTION);
    CHECK_STR(e.msg, "Topic 'log_events' collides with existing topic: log.events");
    spec = (struct topic_spec){.name = SL("zero"), .partitions = 0};
    CHECK_ERR(topics_create(w.topics, &spec, false, NULL, &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_PARTITIONS);
    spec.partitions = 100000;
    CHECK_ERR(topics_create(w.topics, &spec, false, NULL, &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_PARTITIONS);
    struct uuid id = topic_id(t);
    other = topics_get_id(w.topics, &id);
    CHECK(other == t);
    topic_unref(other);
    topic_unref(t);
    CHECK(topics_get(w.topics, SL("nosuch")) == NULL);
    world_close(&w);
}

static void test_sorted(void)
{
    static const char *const names[] = {"m", "a", "z", "b", "y", "c"};
    struct log_world w;
    world_open(&w, test_dir());
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        topic_unref(world_topic(&w, names[i], 1, NULL));
    CHECK_OK(topics_delete(w.topics, SL("m"), NULL));
    struct arena a;
    struct topic **v;
    size_t n;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    CHECK_OK(topics_list(w.topics, &a, &v, &n));
    CHECK_INT(n, 5);
    for (size_t i = 0; i < n; i++) {
        CHECK(i == 0 || slice_cmp(topic_name(v[i - 1]), topic_name(v[i])) < 0);
        topic_unref(v[i]);
    }
    arena_release(&a);
    world_close(&w);
}

static void test_configs(void)
{
    struct log_world w;
    struct error e;
    struct strmap c;
    world_open(&w, test_dir());
    strmap_init(&c);
    strmap_set(&c, SL("retention.ms"), SL("60000"));
    strmap_set(&c, SL("cleanup.policy"), SL("compact"));
    strmap_set(&c, SL("message.format.version"), SL("2.8-IV0"));
    struct topic *t = world_topic(&w, "cfg", 1, &c);
    const struct topic_config *before = topic_config(t);
    CHECK_INT(before->retention_ms, 60000);
    CHECK(before->cleanup_compact && !before->cleanup_delete);
    struct strmap own;
    topic_own_configs(t, &own);
    CHECK_INT(own.count, 2);
    strmap_release(&own);
    strmap_set(&c, SL("retention.ms"), SL("soon"));
    CHECK_ERR(topics_set_configs(w.topics, SL("cfg"), &c, &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_CONFIG);
    CHECK_STR(e.msg,
              "Invalid value soon for configuration retention.ms: Not a number of type LONG");
    strmap_set(&c, SL("retention.ms"), SL("1"));
    strmap_set(&c, SL("min.compaction.lag.ms"), SL("10"));
    strmap_set(&c, SL("max.compaction.lag.ms"), SL("5"));
    CHECK_ERR(topics_set_configs(w.topics, SL("cfg"), &c, &e), E_INVALID);
    CHECK(strstr(e.msg, "min.compaction.lag.ms (10) > max.compaction.lag.ms (5)") != NULL);
    strmap_set(&c, SL("max.compaction.lag.ms"), SL("50"));
    CHECK_OK(topics_set_configs(w.topics, SL("cfg"), &c, &e));
    CHECK_INT(topic_config(t)->retention_ms, 1);
    CHECK_INT(before->retention_ms, 60000); /* whoever looks at the old values may go on */
    CHECK_ERR(topics_set_configs(w.topics, SL("nosuch"), &c, &e), E_NOT_FOUND);
    CHECK_INT(e.sys, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    topic_unref(t);
    world_reopen(&w);
    t = topics_get(w.topics, SL("cfg"));
    CHECK_INT(topic_config(t)->retention_ms, 1);
    topic_unref(t);
    strmap_release(&c);
    world_close(&w);
}

static void test_restart(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    char cluster[24];
    CHECK_INT(strlen(topics_cluster_id(w.topics)), 22);
    snprintf(cluster, sizeof cluster, "%s", topics_cluster_id(w.topics));
    struct topic *t = world_topic(&w, "orders", 2, NULL);
    struct uuid id = topic_id(t), same;
    struct partition *p = topic_partition(t, 1);
    CHECK_INT(append_records(p, 3, NULL), KERR_NONE);
    partition_unref(p);
    topic_unref(t);
    CHECK_OK(topics_add_partitions(w.topics, SL("orders"), 4, NULL, false, NULL));
    world_reopen(&w);
    CHECK_STR(topics_cluster_id(w.topics), cluster);
    t = topics_get(w.topics, SL("orders"));
    CHECK(t != NULL);
    same = topic_id(t);
    CHECK(memcmp(&id, &same, sizeof id) == 0);
    CHECK_INT(topic_partition_count(t), 4);
    struct partition_offsets o;
    p = topic_partition(t, 1);
    partition_offsets(p, &o);
    CHECK_INT(o.end, 3);
    CHECK_INT(partition_leader_epoch(p), 0);
    partition_unref(p);
    topic_unref(t);
    world_close(&w);
}

static void test_add_partitions(void)
{
    struct log_world w;
    struct error e;
    world_open(&w, test_dir());
    struct topic *t = world_topic(&w, "x", 3, NULL);
    struct partition *p = topic_partition(t, 2);
    CHECK_ERR(topics_add_partitions(w.topics, SL("x"), 3, NULL, false, &e), E_INVALID);
    CHECK_STR(e.msg, "Topic already has 3 partition(s).");
    CHECK_ERR(topics_add_partitions(w.topics, SL("x"), 2, NULL, false, &e), E_INVALID);
    CHECK_STR(e.msg, "The topic x currently has 3 partition(s); 2 would not be an increase.");
    CHECK_ERR(topics_add_partitions(w.topics, SL("nosuch"), 9, NULL, false, &e), E_NOT_FOUND);
    CHECK_OK(topics_add_partitions(w.topics, SL("x"), 5, NULL, true, &e));
    CHECK_INT(topic_partition_count(t), 3);
    CHECK_OK(topics_add_partitions(w.topics, SL("x"), 5, NULL, false, &e));
    CHECK_INT(topic_partition_count(t), 5);
    struct partition *again = topic_partition(t, 2), *added = topic_partition(t, 4);
    CHECK(again == p);
    CHECK_INT(append_records(added, 1, NULL), KERR_NONE);
    partition_unref(again);
    partition_unref(added);
    partition_unref(p);
    topic_unref(t);
    world_close(&w);
}

static void count_wake(void *arg)
{
    ++*(int *)arg;
}

static void test_delete(void)
{
    struct log_world w;
    struct error e;
    int woken = 0;
    world_open(&w, test_dir());
    struct topic *t = world_topic(&w, "gone", 2, NULL);
    struct uuid id = topic_id(t);
    struct partition *p = topic_partition(t, 0);
    CHECK_INT(append_records(p, 2, NULL), KERR_NONE);
    struct wait *wait = wait_new(count_wake, NULL, &woken);
    CHECK(!partition_wait(p, 2, false, wait));
    CHECK_OK(topics_delete(w.topics, SL("gone"), &e));
    CHECK_INT(woken, 1);
    CHECK(partition_wait(p, 2, false, wait)); /* gone counts as ready */
    wait_unref(wait);
    CHECK(partition_is_deleted(p));
    CHECK_INT(append_records(p, 1, NULL), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    struct partition_read r;
    CHECK_INT(partition_read(p, 0, 1000, true, false, NULL, &r), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK(topics_get(w.topics, SL("gone")) == NULL);
    CHECK(topics_get_id(w.topics, &id) == NULL);
    CHECK_INT(topics_partition_count(w.topics), 0);
    CHECK_ERR(topics_delete(w.topics, SL("gone"), &e), E_NOT_FOUND);
    CHECK_INT(e.sys, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    struct topic *fresh = world_topic(&w, "gone", 1, NULL); /* the name is free at once */
    struct uuid id2 = topic_id(fresh);
    CHECK(memcmp(&id, &id2, sizeof id) != 0);
    struct partition *q = topic_partition(fresh, 0);
    struct partition_offsets o;
    partition_offsets(q, &o);
    CHECK_INT(o.end, 0);
    partition_unref(q);
    topic_unref(fresh);
    partition_unref(p);
    topic_unref(t);
    world_reopen(&w);
    t = topics_get(w.topics, SL("gone"));
    CHECK_INT(topic_partition_count(t), 1);
    topic_unref(t);
    world_shut(&w);
    CHECK(!world_has(&w, "gone-1"));
    world_close(&w);
}

/* Killed between the deletion's rows and the removal of directories: they do not come back. */
static void test_delete_killed(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct topic *t = world_topic(&w, "ghost", 1, NULL);
    struct partition *p = topic_partition(t, 0);
    append_records(p, 2, NULL);
    partition_unref(p);
    topic_unref(t);
    world_copy_dir(&w, "ghost-0", "saved");
    CHECK_OK(topics_delete(w.topics, SL("ghost"), NULL));
    world_shut(&w);
    world_copy_dir(&w, "saved", "ghost-0");
    world_start(&w);
    CHECK(topics_get(w.topics, SL("ghost")) == NULL);
    world_shut(&w);
    CHECK(!world_has(&w, "ghost-0"));
    world_close(&w);
}

/* Topics come back from their directories when the database is lost. */
static void test_adopt(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct topic *t = world_topic(&w, "kept", 2, NULL);
    struct uuid id = topic_id(t), same;
    struct partition *p = topic_partition(t, 1);
    append_records(p, 5, NULL);
    partition_unref(p);
    topic_unref(t);
    world_lose_db(&w);
    t = topics_get(w.topics, SL("kept"));
    CHECK(t != NULL);
    same = topic_id(t);
    CHECK(memcmp(&id, &same, sizeof id) == 0);
    CHECK_INT(topic_partition_count(t), 2);
    struct partition_offsets o;
    p = topic_partition(t, 1);
    partition_offsets(p, &o);
    CHECK_INT(o.end, 5);
    partition_unref(p);
    topic_unref(t);
    world_close(&w);
}

/* Rows without directories (a power cut after the commit): made anew, empty. */
static void test_missing_dirs(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    topic_unref(world_topic(&w, "half", 2, NULL));
    world_shut(&w);
    world_remove(&w, "half-1");
    world_start(&w);
    struct topic *t = topics_get(w.topics, SL("half"));
    struct partition *p = topic_partition(t, 1);
    CHECK_INT(append_records(p, 1, NULL), KERR_NONE);
    partition_unref(p);
    topic_unref(t);
    world_close(&w);
}

static void test_second_process(void)
{
    struct log_world w;
    struct topics *second;
    struct error e;
    world_open(&w, test_dir());
    CHECK_ERR(topics_open(&second, &w.options, w.db, w.pool, &e), E_CONFLICT);
    char number[32];
    snprintf(number, sizeof number, "(process %d)", (int)getpid());
    CHECK(strstr(e.msg, number) != NULL);
    CHECK(strstr(e.hint, "--data-dir") != NULL);
    world_close(&w);
}

static void test_cluster_id(void)
{
    struct log_world w;
    setenv("CLUSTER_ID", "MkU3OEVBNTcwNTJENDM2Qk", 1);
    world_open(&w, test_dir());
    unsetenv("CLUSTER_ID");
    CHECK_STR(topics_cluster_id(w.topics), "MkU3OEVBNTcwNTJENDM2Qk");
    world_reopen(&w);
    CHECK_STR(topics_cluster_id(w.topics), "MkU3OEVBNTcwNTJENDM2Qk");
    world_close(&w);
}

static struct slice broker_says(void *arg, struct slice name, struct arena *a)
{
    (void)a;
    const char **value = arg;
    return slice_eq(name, SL("log.retention.hours")) ? slice_cstr(*value) : SLICE_NULL;
}

static void test_broker_values(void)
{
    struct log_world w;
    const char *hours = "2";
    world_init(&w, test_dir());
    w.options.broker_value = broker_says;
    w.options.broker_value_arg = &hours;
    world_start(&w);
    struct topic *t = world_topic(&w, "t", 1, NULL);
    CHECK_INT(topic_config(t)->retention_ms, 2 * 3600 * 1000);
    hours = "-1";
    topics_refresh_configs(w.topics);
    CHECK_INT(topic_config(t)->retention_ms, -1);
    topic_unref(t);
    world_close(&w);
}

static const struct test_case tests[] = {
    {"names", test_names},
    {"create", test_create},
    {"sorted", test_sorted},
    {"configs", test_configs},
    {"restart", test_restart},
    {"add partitions", test_add_partitions},
    {"delete", test_delete},
    {"delete, killed", test_delete_killed},
    {"adopt", test_adopt},
    {"missing directories", test_missing_dirs},
    {"second process", test_second_process},
    {"cluster id", test_cluster_id},
    {"broker values", test_broker_values},
    {NULL, NULL},
};
const struct test_suite test_topic = {"broker/topic", tests, log_quiet, log_loud};
