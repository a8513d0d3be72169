/* tests/unit/broker/log/test_retain.c - retention: what goes by age, size and log start; what becomes
 * of the files; a full disk, a kill in between, clocks that jump. */
#include <errno.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "broker/log/trash.h"
#include "broker/log_helpers.h"
#include "broker/partition_care.h"
#include "broker/proto/kerr.h"
#include "broker/topic_care.h"
#include "broker/topic_internal.h"

#define NOW 1000000000000

static _Atomic bool never;

static int64_t start_of(struct partition *p)
{
    struct partition_offsets o;
    CHECK_INT(partition_offsets(p, &o), KERR_NONE);
    return o.start;
}

static int32_t segments_of(struct partition *p)
{
    int64_t bytes;
    int32_t segments;
    partition_size(p, &bytes, &segments);
    return segments;
}

/* One batch of one record of a second; segments hold three of them. */
#define THREE "segment.bytes=3300"
static void append_at(struct partition *p, int64_t ms)
{
    CHECK_INT(append_batch(p, &(struct batch_spec){.value_bytes = 1000, .timestamp = ms}, NULL),
              KERR_NONE);
}

static struct partition *filled(struct log_world *w, const char *settings, int count)
{
    struct partition *p = world_partition(w, "t", settings);
    for (int i = 0; i < count; i++)
        append_at(p, NOW + i * 1000);
    return p;
}

static void test_by_time(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = filled(&w, THREE " retention.ms=5000", 10); /* 0-2 3-5 6-8 9 */
    CHECK_INT(segments_of(p), 4);
    partition_retain_alone(p, NOW + 7000); /* the newest of the first is 5 s old, not older */
    CHECK_INT(start_of(p), 0);
    partition_retain_alone(p, NOW + 7001);
    CHECK_INT(start_of(p), 3);
    CHECK(world_has(&w, "t-0/00000000000000000000.log.deleted"));
    CHECK(!world_has(&w, "t-0/00000000000000000000.log"));
    CHECK(!world_has(&w, "t-0/00000000000000000000.snapshot"));
    CHECK(world_has(&w, "t-0/00000000000000000003.snapshot"));
    CHECK_INT(read_all(p, 3), 10);
    partition_retain_alone(p, NOW + 100000); /* all of it, the active one too */
    CHECK_INT(start_of(p), 10);
    CHECK_INT(segments_of(p), 1);
    append_at(p, NOW);
    CHECK_INT(read_all(p, 10), 11); /* no offset is used again */
    partition_unref(p);
    world_close(&w);
}

static void test_by_size(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = filled(&w, THREE " retention.bytes=4000 retention.ms=-1", 10);
    partition_retain_alone(p, NOW + 1000000000);
    CHECK_INT(start_of(p), 6); /* one more would leave less than 4000 bytes */
    partition_retain_alone(p, NOW + 1000000000);
    CHECK_INT(start_of(p), 6);
    partition_unref(p);
    world_close(&w);
}

/* Limits that must not overflow; none at all; a policy without delete. */
static void test_keeps(void)
{
    static const char *const settings[] = {
        THREE " retention.ms=9223372036854775807", THREE " retention.ms=-1",
        THREE " cleanup.policy=compact retention.ms=1 retention.bytes=0",
        THREE " retention.ms=-1 retention.bytes=9223372036854775807"};
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        struct log_world w;
        world_open(&w, test_dir());
        struct partition *p = filled(&w, settings[i], 10);
        partition_retain_alone(p, INT64_MAX);
        partition_retain_alone(p, 0);
        CHECK_INT(start_of(p), 0);
        partition_unref(p);
        world_close(&w);
    }
}

/* A record of the future keeps its segment, and what comes after it; clocks may jump back. */
static void test_future(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=1100 retention.ms=5000");
    append_at(p, NOW);
    append_at(p, NOW + 900000);
    append_at(p, NOW);
    partition_retain_alone(p, NOW - 1000000);
    CHECK_INT(start_of(p), 0);
    partition_retain_alone(p, NOW + 6000);
    CHECK_INT(start_of(p), 1);
    partition_retain_alone(p, NOW + 905001);
    CHECK_INT(start_of(p), 3);
    partition_unref(p);
    world_close(&w);
}

/* Without timestamps the file's own time counts. */
static void test_no_timestamps(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=1100 retention.ms=5000");
    append_at(p, -1);
    append_at(p, -1);
    partition_retain_alone(p, clock_wall_ms());
    CHECK_INT(start_of(p), 0);
    partition_retain_alone(p, clock_wall_ms() + 60000);
    CHECK_INT(start_of(p), 2);
    partition_unref(p);
    world_close(&w);
}

/* What DeleteRecords freed goes for every policy, also from the active segment. */
static void test_start(void)
{
    struct log_world w;
    int64_t low;
    world_open(&w, test_dir());
    struct partition *p = filled(&w, THREE " cleanup.policy=compact,delete retention.ms=-1", 10);
    CHECK_INT(partition_delete_records(p, 4, &low), KERR_NONE);
    CHECK_INT(low, 4);
    CHECK(world_has(&w, "t-0/00000000000000000000.log.deleted"));
    CHECK(world_has(&w, "t-0/00000000000000000003.log"));
    CHECK_INT(read_all(p, 4), 10);
    CHECK_INT(partition_delete_records(p, -1, &low), KERR_NONE);
    CHECK_INT(low, 10);
    CHECK(world_has(&w, "t-0/00000000000000000009.log"));
    partition_retain_alone(p, NOW);
    CHECK(!world_has(&w, "t-0/00000000000000000009.log"));
    CHECK(world_has(&w, "t-0/00000000000000000010.log"));
    CHECK_INT(start_of(p), 10);
    partition_unref(p);
    world_reopen(&w);
    struct topic *t = topics_get(w.topics, SL("t"));
    p = topic_partition(t, 0);
    topic_unref(t);
    CHECK_INT(start_of(p), 10);
    CHECK_INT(append_records(p, 1, NULL), KERR_NONE);
    CHECK_INT(read_all(p, 10), 11);
    partition_unref(p);
    world_close(&w);
}

/* Settings take effect at the next look, and logs that are not in memory are looked at. */
static void test_all_topics(void)
{
    struct log_world w;
    struct strmap c = STRMAP_INIT;
    world_open(&w, test_dir());
    struct partition *p = filled(&w, THREE " retention.ms=-1", 10), *idle;
    idle = world_partition(&w, "idle", "");
    partition_unref(idle);
    topics_retain(w.topics, NOW + 1000000, &never);
    CHECK_INT(start_of(p), 0);
    partition_unref(p);
    world_reopen(&w);
    strmap_set(&c, SL("retention.ms"), SL("2000"));
    CHECK_OK(topics_set_configs(w.topics, SL("t"), &c, NULL));
    topics_retain(w.topics, NOW + 7500, &never);
    struct topic *t = topics_get(w.topics, SL("t"));
    p = topic_partition(t, 0);
    topic_unref(t);
    CHECK_INT(start_of(p), 6);
    CHECK_INT(read_all(p, 6), 10);
    CHECK(!world_has(&w, "idle-0/00000000000000000000.log")); /* nobody touched it */
    partition_unref(p);
    strmap_release(&c);
    world_close(&w);
}

/* Files stay for file.delete.delay.ms; a stop does not leave them behind, nor does a kill. */
static void test_delay(void)
{
    struct log_world w, again;
    clock_fake(NOW, 50000);
    world_open(&w, test_dir());
    struct partition *p = filled(&w, THREE " retention.ms=5000 file.delete.delay.ms=2000", 10);
    CHECK_INT(topics_run_trash(w.topics), -1);
    partition_retain_alone(p, NOW + 7001);
    CHECK_INT(topics_run_trash(w.topics), 2000);
    CHECK(world_has(&w, "t-0/00000000000000000000.log.deleted"));
    world_killed(&again, &w);
    clock_fake_advance(1999);
    CHECK_INT(topics_run_trash(w.topics), 1);
    clock_fake_advance(1);
    CHECK_INT(topics_run_trash(w.topics), -1);
    CHECK(!world_has(&w, "t-0/00000000000000000000.log.deleted"));
    CHECK(!world_has(&w, "t-0/00000000000000000000.index.deleted"));
    partition_retain_alone(p, NOW + 20000);
    CHECK(world_has(&w, "t-0/00000000000000000003.log.deleted"));
    partition_unref(p);
    world_shut(&w);
    CHECK(!world_has(&w, "t-0/00000000000000000003.log.deleted"));
    world_close(&w);
    world_start(&again);
    struct topic *t = topics_get(again.topics, SL("t"));
    p = topic_partition(t, 0);
    topic_unref(t);
    CHECK_INT(start_of(p), 3);
    CHECK_INT(read_all(p, 3), 10);
    CHECK(!world_has(&again, "t-0/00000000000000000000.log.deleted"));
    partition_unref(p);
    world_close(&again);
    clock_real();
}

/* Killed when the log start was stored and the files not yet renamed. */
static void test_killed_between(void)
{
    struct log_world w, again;
    world_open(&w, test_dir());
    struct partition *p = filled(&w, THREE " retention.ms=5000", 10);
    CHECK(partition_retain(p, NOW + 7001));
    CHECK_OK(topics_save_positions(w.topics, NULL));
    world_killed(&again, &w);
    partition_discard(p);
    partition_unref(p);
    world_close(&w);
    world_start(&again);
    struct topic *t = topics_get(again.topics, SL("t"));
    p = topic_partition(t, 0);
    topic_unref(t);
    CHECK_INT(start_of(p), 3);
    CHECK(world_has(&again, "t-0/00000000000000000000.log"));
    partition_retain_alone(p, NOW); /* below the start: goes whatever its age */
    CHECK(!world_has(&again, "t-0/00000000000000000000.log"));
    CHECK_INT(read_all(p, 3), 10);
    partition_unref(p);
    world_close(&again);
}

/* No room for a new segment, for a checkpoint, a rename that fails: old data goes all the same or
 * stays, and nothing that was to stay is lost. */
static void retain_fault(struct fs_faults faults)
{
    struct log_world w, again;
    struct fs_faults none = {0};
    world_open(&w, test_dir());
    struct partition *p = filled(&w, THREE " retention.ms=5000", 10);
    CHECK_OK(partition_sync(p, NULL));
    fs_fault_set(&faults);
    partition_retain_alone(p, NOW + 13500); /* all but the last record */
    fs_fault_set(&none);
    CHECK(start_of(p) == 9 || start_of(p) == 0 || start_of(p) == 6);
    CHECK_INT(read_all(p, start_of(p)), 10);
    partition_retain_alone(p, NOW + 1000000); /* and when there is room again */
    CHECK_INT(start_of(p), 10);
    append_at(p, NOW);
    CHECK_INT(read_all(p, 10), 11);
    world_killed(&again, &w);
    partition_unref(p);
    world_close(&w);
    world_start(&again);
    struct topic *t = topics_get(again.topics, SL("t"));
    p = topic_partition(t, 0);
    topic_unref(t);
    CHECK_INT(start_of(p), 10);
    CHECK_INT(read_all(p, 10), 11);
    partition_unref(p);
    world_close(&again);
}

static void test_faults(void)
{
    for (int64_t n = 1; n <= 6; n++) {
        retain_fault((struct fs_faults){.fail_write_at = n, .fail_errno = ENOSPC});
        retain_fault((struct fs_faults){.fail_rename_at = n});
        retain_fault((struct fs_faults){.fail_open_at = n, .fail_errno = ENOSPC});
    }
    for (int64_t n = 1; n <= 4; n++)
        retain_fault((struct fs_faults){.fail_sync_at = n});
}

/* The active segment expires, and there is no room for another: it stays, the others go. */
static void test_no_room_to_roll(void)
{
    struct log_world w;
    struct fs_faults faults = {.fail_open_at = 1, .fail_errno = ENOSPC};
    world_open(&w, test_dir());
    struct partition *p = filled(&w, THREE " retention.ms=5000", 10);
    fs_fault_set(&faults);
    CHECK(partition_retain(p, NOW + 1000000));
    CHECK(fs_fault_hit());
    fs_fault_set(NULL);
    CHECK_INT(start_of(p), 9);
    CHECK_INT(read_all(p, 9), 10);
    partition_unref(p);
    world_close(&w);
}

/* segment.jitter.ms takes a random part off segment.ms; segment.index.bytes ends segments too. */
static void test_rolls(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p =
        world_partition(&w, "t", "segment.ms=100000 segment.jitter.ms=90000 retention.ms=-1");
    for (int i = 0; i < 400; i++)
        append_at(p, NOW + i * 9000);
    CHECK(segments_of(p) > 400 / 12 + 5); /* 12 records a segment without */
    partition_unref(p);
    p = world_partition(&w, "full", "index.interval.bytes=0 segment.index.bytes=80");
    for (int i = 0; i < 40; i++)
        append_at(p, NOW + i);
    CHECK(segments_of(p) >= 4);
    CHECK_INT(read_all(p, 0), 40);
    partition_unref(p);
    world_close(&w);
}

static const struct test_case tests[] = {
    {"by time", test_by_time},
    {"by size", test_by_size},
    {"what stays", test_keeps},
    {"records of the future", test_future},
    {"no timestamps", test_no_timestamps},
    {"below the start", test_start},
    {"all topics", test_all_topics},
    {"file.delete.delay.ms", test_delay},
    {"killed in between", test_killed_between},
    {"n-th call fails", test_faults},
    {"no room to roll", test_no_room_to_roll},
    {"jitter and full indexes", test_rolls},
    {NULL, NULL},
};
const struct test_suite test_retain = {"broker/log/retain", tests, log_quiet, log_loud};
