/* tests/unit/broker/test_admin.c - the broker for in-process users: topics, configurations, append
 * and read, waiting, producers, groups, and what is there after a restart. */
#include "broker/admin.h"

#include "base/base.h"
#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker_fixture.h"
#include "broker/proto/batch.h"
#include "broker/proto/kerr.h"
#include "helpers.h"

#include <pthread.h>
#include <unistd.h>

static struct broker_fixture f;
static struct arena arena;
static int number;

static void begin(const char *const *options)
{
    char name[32];
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    snprintf(name, sizeof name, "admin-%d", number++);
    CHECK(broker_fixture_start(&f, name, options));
}

static void end(void)
{
    broker_fixture_stop(&f);
    arena_release(&arena);
}

static void create(const char *name, int32_t partitions)
{
    struct error e;
    struct broker_topic_spec s = {
        .name = slice_cstr(name), .partitions = partitions, .replication_factor = 3};
    CHECK_OK(broker_topic_create(f.broker, &s, &e));
}

static struct broker_target *target(const char *topic, int32_t partition)
{
    struct broker_target *t = NULL;
    struct error e;
    CHECK_OK(broker_target_open(f.broker, slice_cstr(topic), partition, &t, &e));
    return t;
}

/* Appends one record; pid < 0: no producer. */
static enum err put(struct broker_target *t, const char *value, int64_t pid, int32_t sequence,
                    struct broker_appended *out, struct error *e)
{
    struct batch_builder b;
    struct slice bytes;
    batch_builder_init(&b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    if (pid >= 0)
        batch_builder_producer(&b, pid, 0, sequence, false);
    CHECK_OK(batch_builder_add(&b, 1000, SL("k"), slice_cstr(value), NULL));
    CHECK_OK(batch_builder_finish(&b, &bytes));
    enum err r = broker_append(t, (void *)(uintptr_t)bytes.p, bytes.n, out, e);
    batch_builder_release(&b);
    return r;
}

static void test_topics(void)
{
    struct error e;
    struct broker_topic_info *v, one;
    size_t n;
    begin(NULL);
    create("b", 2);
    create("a", 1);
    CHECK_OK(broker_topics(f.broker, &arena, &v, &n, &e));
    CHECK_INT(n, 2);
    CHECK_SLICE(v[0].name, SL("a"));
    CHECK_INT(v[1].partition_count, 2);
    CHECK_INT(v[1].replication_factor, 1);
    struct broker_topic_spec again = {.name = SL("a"), .partitions = 1, .replication_factor = -1};
    CHECK_ERR(broker_topic_create(f.broker, &again, &e), E_EXISTS);
    CHECK_INT(e.sys, KERR_TOPIC_ALREADY_EXISTS);
    CHECK_STR(e.msg, "Topic 'a' already exists.");
    again.name = SL("c");
    again.partitions = 0;
    CHECK_ERR(broker_topic_create(f.broker, &again, &e), E_INVALID);
    CHECK_STR(e.msg, "Number of partitions was set to an invalid non-positive value.");
    again.name = SL("__cluster_metadata");
    CHECK_ERR(broker_topic_create(f.broker, &again, &e), E_INVALID);
    int64_t generation = broker_topics_generation(f.broker);
    CHECK_OK(broker_topic_add_partitions(f.broker, SL("a"), 3, &e));
    CHECK(broker_topics_generation(f.broker) > generation);
    CHECK_OK(broker_topic(f.broker, SL("a"), &arena, &one, &e));
    CHECK_INT(one.partition_count, 3);
    CHECK_OK(broker_topic_delete(f.broker, SL("a"), &e));
    CHECK_ERR(broker_topic(f.broker, SL("a"), &arena, &one, &e), E_NOT_FOUND);
    CHECK_INT(e.sys, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    struct broker_info info;
    broker_info(f.broker, &info);
    CHECK_INT(info.topics, 1);
    CHECK_INT(strlen(info.cluster_id), 22);
    end();
}

static void test_replication_factor_without_the_clamp(void)
{
    static const char *const options[] = {"replication.factor.clamp", "false", NULL};
    struct error e;
    begin(options);
    struct broker_topic_spec s = {.name = SL("t"), .partitions = 1, .replication_factor = 3};
    CHECK_ERR(broker_topic_create(f.broker, &s, &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_REPLICATION_FACTOR);
    CHECK_STR(e.msg,
              "Unable to replicate the partition 3 time(s): The target replication factor of 3 "
              "cannot be reached because only 1 broker(s) are registered.");
    end();
}

static struct broker_config_entry *entry(struct broker_config_entry *v, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (slice_eq(v[i].name, slice_cstr(name)))
            return &v[i];
    }
    CHECK(!"the entry is there");
    return v;
}

static enum err alter(const char *name, const char *value, enum broker_config_op op,
                      struct error *e)
{
    struct broker_config_change c = {slice_cstr(name), slice_cstr(value), op};
    return broker_topic_alter_configs(f.broker, SL("t"), &c, 1, e);
}

static void test_configs(void)
{
    static const char *const options[] = {"log.retention.hours", "2", NULL};
    struct error e;
    struct broker_config_entry *v;
    size_t n;
    begin(options);
    create("t", 1);
    CHECK_OK(broker_topic_configs(f.broker, SL("t"), &arena, &v, &n, &e));
    CHECK_SLICE(entry(v, n, "retention.ms")->value, SL("7200000")); /* hours are converted */
    CHECK_INT(entry(v, n, "retention.ms")->source, 5); /* Kafka does not count them as a source */
    CHECK_SLICE(entry(v, n, "cleanup.policy")->value, SL("delete"));
    CHECK_INT(entry(v, n, "cleanup.policy")->source, 5);
    CHECK_OK(alter("retention.ms", "9223372036854775807", BROKER_CONFIG_SET, &e));
    CHECK_OK(alter("cleanup.policy", "compact", BROKER_CONFIG_APPEND, &e));
    CHECK_OK(broker_topic_configs(f.broker, SL("t"), &arena, &v, &n, &e));
    CHECK_SLICE(entry(v, n, "retention.ms")->value, SL("9223372036854775807"));
    CHECK_INT(entry(v, n, "retention.ms")->source, 1);
    CHECK_SLICE(entry(v, n, "cleanup.policy")->value, SL("delete,compact"));
    CHECK_OK(alter("cleanup.policy", "delete", BROKER_CONFIG_SUBTRACT, &e));
    CHECK_ERR(alter("cleanup.policy", "compact", BROKER_CONFIG_SUBTRACT, &e), E_INVALID);
    CHECK_ERR(alter("foo", "x", BROKER_CONFIG_SET, &e), E_INVALID);
    CHECK_STR(e.msg, "Unknown topic config name: foo");
    CHECK_ERR(alter("retention.ms", "x", BROKER_CONFIG_SET, &e), E_INVALID);
    CHECK_STR(e.msg, "Invalid value x for configuration retention.ms: Not a number of type LONG");
    CHECK_INT(e.sys, KERR_INVALID_CONFIG);
    CHECK_ERR(alter("retention.ms", NULL, BROKER_CONFIG_SET, &e), E_INVALID);
    CHECK_INT(e.sys, KERR_INVALID_REQUEST);
    CHECK_OK(alter("message.format.version", "2.0", BROKER_CONFIG_SET, &e)); /* removed in 4.0 */
    CHECK_OK(alter("retention.ms", NULL, BROKER_CONFIG_DELETE, &e));
    CHECK_OK(broker_configs(f.broker, &arena, &v, &n, &e));
    CHECK_SLICE(entry(v, n, "log.retention.hours")->value, SL("2"));
    CHECK_SLICE(entry(v, n, "process.roles")->value, SL("broker,controller"));
    CHECK_INT(entry(v, n, "process.roles")->source, 4);
    CHECK(entry(v, n, "num.partitions")->read_only);
    /* a broker-wide change is in force at once */
    struct broker_config_change c = {SL("log.retention.ms"), SL("5000"), BROKER_CONFIG_SET};
    CHECK_OK(broker_alter_configs(f.broker, &c, 1, &e));
    CHECK_OK(broker_topic_configs(f.broker, SL("t"), &arena, &v, &n, &e));
    CHECK_SLICE(entry(v, n, "retention.ms")->value, SL("5000"));
    CHECK_INT(entry(v, n, "retention.ms")->source, 3);
    end();
}

static void test_append_and_read(void)
{
    struct error e;
    struct broker_appended a;
    struct broker_read r;
    struct strbuf out = STRBUF_INIT;
    begin(NULL);
    create("t", 1);
    struct broker_target *t = target("t", 0);
    for (int i = 0; i < 3; i++)
        CHECK_OK(put(t, "value", -1, 0, &a, &e));
    CHECK_INT(a.base_offset, 2);
    CHECK_INT(a.end_offset, 3);
    CHECK_OK(broker_read(t, 1, 1, false, 0, NULL, &out, &r, &e)); /* one batch at least */
    CHECK_INT(r.end_offset, 3);
    CHECK_INT(r.next_offset, 2);
    CHECK_INT(batch_base_offset(out.p), 1);
    strbuf_reset(&out);
    CHECK_OK(broker_read(t, 3, 1000, false, 20, NULL, &out, &r, &e));
    CHECK_INT(out.n, 0);
    CHECK_INT(r.next_offset, 3);
    CHECK_ERR(broker_read(t, 4, 1000, false, 0, NULL, &out, &r, &e), E_INVALID);
    CHECK_INT(e.sys, KERR_OFFSET_OUT_OF_RANGE);
    CHECK_INT(r.end_offset, 3);
    int64_t offset, ms, low;
    CHECK_OK(broker_offset_for(t, 1000, &offset, &ms, &e));
    CHECK_INT(offset, 0);
    CHECK_OK(broker_offset_for(t, 1001, &offset, &ms, &e));
    CHECK_INT(offset, -1);
    CHECK_OK(broker_sync(t, &e));
    CHECK_INT(broker_synced_offset(t), 3);
    CHECK_OK(broker_delete_records(f.broker, SL("t"), 0, 2, &low, &e));
    CHECK_INT(low, 2);
    CHECK_OK(broker_delete_records(f.broker, SL("t"), 0, -1, &low, &e));
    CHECK_INT(low, 3);
    CHECK_ERR(broker_delete_records(f.broker, SL("t"), 0, 9, &low, &e), E_INVALID);
    char junk[100] = {0};
    CHECK_ERR(broker_append(t, junk, sizeof junk, &a, &e), E_CORRUPT);
    CHECK_OK(broker_topic_delete(f.broker, SL("t"), &e));
    CHECK_ERR(put(t, "late", -1, 0, &a, &e), E_NOT_FOUND);
    strbuf_release(&out);
    broker_target_close(t);
    CHECK_ERR(broker_target_open(f.broker, SL("t"), 0, &t, &e), E_NOT_FOUND);
    end();
}

static void test_producers(void)
{
    struct error e;
    struct broker_appended a;
    struct broker_producer p;
    int64_t pid, other;
    begin(NULL);
    create("t", 1);
    struct broker_target *t = target("t", 0);
    CHECK_OK(broker_producer_id(f.broker, &pid, &e));
    CHECK_OK(broker_producer_id(f.broker, &other, &e));
    CHECK(other != pid);
    CHECK_ERR(broker_producer_state(t, pid, &p), E_NOT_FOUND);
    CHECK_OK(put(t, "1", pid, 0, &a, &e));
    CHECK_OK(put(t, "2", pid, 1, &a, &e));
    CHECK_OK(put(t, "2", pid, 1, &a, &e)); /* again: the original offset */
    CHECK(a.duplicate);
    CHECK_INT(a.base_offset, 1);
    CHECK_ERR(put(t, "4", pid, 3, &a, &e), E_CONFLICT);
    CHECK_INT(e.sys, KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    CHECK_OK(broker_producer_state(t, pid, &p));
    CHECK_INT(p.last_sequence, 1);
    CHECK_INT(p.last_offset, 1);
    broker_target_close(t);
    end();
}

struct later {
    struct broker_target *t;
    _Atomic bool *cancel;
};

static void *put_later(void *arg)
{
    struct later *l = arg;
    struct broker_appended a;
    usleep(30000);
    if (l->cancel)
        atomic_store(l->cancel, true);
    else if (put(l->t, "late", -1, 0, &a, NULL) != E_OK)
        return l;
    return NULL;
}

static void test_waiting(void)
{
    struct error e;
    struct broker_read r;
    struct strbuf out = STRBUF_INIT;
    pthread_t thread;
    _Atomic bool cancel = false;
    size_t ready;
    begin(NULL);
    create("t", 2);
    struct broker_target *t[] = {target("t", 0), target("t", 1)};
    struct later l = {t[0], NULL};
    pthread_create(&thread, NULL, put_later, &l);
    int64_t start = clock_mono_ms();
    CHECK_OK(broker_read(t[0], 0, 1000, false, 10000, NULL, &out, &r, &e));
    CHECK(out.n > 0);
    CHECK(clock_mono_ms() - start < 5000);
    pthread_join(thread, NULL);

    int64_t offsets[] = {1, 0};
    CHECK_ERR(broker_wait(t, offsets, 2, 20, NULL, &ready), E_TIMEOUT);
    l = (struct later){t[1], NULL};
    pthread_create(&thread, NULL, put_later, &l);
    CHECK_OK(broker_wait(t, offsets, 2, 10000, NULL, &ready));
    CHECK_INT(ready, 1);
    pthread_join(thread, NULL);

    l = (struct later){t[1], &cancel};
    offsets[1] = 1;
    pthread_create(&thread, NULL, put_later, &l);
    start = clock_mono_ms();
    CHECK_ERR(broker_wait(t, offsets, 2, 10000, &cancel, &ready), E_CANCELLED);
    CHECK(clock_mono_ms() - start < 2000);
    pthread_join(thread, NULL);
    strbuf_release(&out);
    broker_target_close(t[0]);
    broker_target_close(t[1]);
    end();
}

static void test_groups(void)
{
    struct error e;
    struct broker_appended a;
    struct broker_group_info *all, one;
    size_t n;
    begin(NULL);
    create("t", 2);
    struct broker_target *t = target("t", 0);
    for (int i = 0; i < 5; i++)
        CHECK_OK(put(t, "x", -1, 0, &a, &e));
    struct broker_group_offset o[] = {
        {.topic = SL("t"), .partition = 0, .offset = 2, .leader_epoch = -1},
        {.topic = SL("t"), .partition = 1, .offset = 0, .leader_epoch = -1}};
    CHECK_OK(broker_group_commit(f.broker, SL("sink"), o, 2, &e));
    CHECK_OK(broker_groups(f.broker, &arena, &all, &n, &e));
    CHECK_INT(n, 1);
    CHECK_OK(broker_group(f.broker, SL("sink"), &arena, &one, &e));
    CHECK_SLICE(one.state, SL("Empty"));
    CHECK_INT(one.offset_count, 2);
    CHECK_INT(one.offsets[0].end_offset, 5);
    CHECK_INT(one.offsets[0].lag, 3);
    CHECK_INT(one.lag, 3);
    struct broker_group_partition p = {SL("t"), 1};
    CHECK_OK(broker_group_delete_offsets(f.broker, SL("sink"), &p, 1, &e));
    CHECK_OK(broker_group(f.broker, SL("sink"), &arena, &one, &e));
    CHECK_INT(one.offset_count, 1);
    CHECK_OK(broker_group_delete(f.broker, SL("sink"), &e));
    CHECK_ERR(broker_group(f.broker, SL("sink"), &arena, &one, &e), E_NOT_FOUND);
    CHECK_ERR(broker_group_delete(f.broker, SL("sink"), &e), E_NOT_FOUND);
    CHECK_INT(e.sys, KERR_GROUP_ID_NOT_FOUND);
    o[0].topic = SL("no such topic");
    CHECK_ERR(broker_group_commit(f.broker, SL("sink"), o, 1, &e), E_NOT_FOUND);
    broker_target_close(t);
    end();
}

static void test_restart(void)
{
    struct error e;
    struct broker_appended a;
    struct broker_topic_info info;
    struct broker_group_info group;
    int64_t first, second;
    char cluster[24];
    begin(NULL);
    struct broker_info b;
    broker_info(f.broker, &b);
    snprintf(cluster, sizeof cluster, "%s", b.cluster_id);
    create("t", 1);
    struct broker_target *t = target("t", 0);
    CHECK_OK(put(t, "x", -1, 0, &a, &e));
    broker_target_close(t);
    struct broker_group_offset o = {.topic = SL("t"), .offset = 1, .leader_epoch = -1};
    CHECK_OK(broker_group_commit(f.broker, SL("g"), &o, 1, &e));
    CHECK_OK(broker_topic(f.broker, SL("t"), &arena, &info, &e));
    struct uuid id = info.id;
    CHECK_OK(broker_producer_id(f.broker, &first, &e));
    broker_fixture_stop(&f);
    number--;
    arena_release(&arena);
    begin(NULL);
    broker_info(f.broker, &b);
    CHECK_STR(b.cluster_id, cluster);
    CHECK_OK(broker_topic(f.broker, SL("t"), &arena, &info, &e));
    CHECK_INT(info.partitions[0].end_offset, 1);
    CHECK(!memcmp(&info.id, &id, sizeof id));
    CHECK_OK(broker_group(f.broker, SL("g"), &arena, &group, &e));
    CHECK_INT(group.offsets[0].offset, 1);
    CHECK_OK(broker_producer_id(f.broker, &second, &e));
    CHECK(second > first);
    end();
}

static void test_second_instance_on_the_directory(void)
{
    struct error e;
    struct broker *second;
    begin(NULL);
    CHECK_ERR(broker_start(&second, &f.config, f.db, f.pool, &e), E_CONFLICT);
    CHECK(e.msg[0]);
    create("still-works", 1);
    end();
}

static const struct test_case tests[] = {
    {"topics", test_topics},
    {"replication factor without the clamp", test_replication_factor_without_the_clamp},
    {"configurations", test_configs},
    {"append and read", test_append_and_read},
    {"idempotent producers", test_producers},
    {"waiting", test_waiting},
    {"groups", test_groups},
    {"restart", test_restart},
    {"a second instance", test_second_instance_on_the_directory},
    {NULL, NULL},
};
const struct test_suite test_admin = {"broker/admin", tests, NULL, NULL};
