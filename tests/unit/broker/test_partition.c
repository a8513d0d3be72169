/* tests/unit/broker/test_partition.c - appending, reading, waiting, looking up by time, durability,
 * and threads that do all of it at once. */
#include "broker/partition.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "broker/proto/kerr.h"
#include "log_helpers.h"

static void test_append_and_read(void)
{
    struct log_world w;
    struct partition_appended a;
    struct partition_read r;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "");
    CHECK_INT(partition_read(p, 0, 1000, true, false, NULL, &r), KERR_NONE);
    CHECK_INT(r.range.n, 0);
    CHECK_INT(append_records(p, 3, &a), KERR_NONE);
    CHECK_INT(a.base_offset, 0);
    CHECK_INT(a.end_offset, 3);
    CHECK_INT(a.log_start, 0);
    CHECK_INT(a.log_append_ms, -1);
    CHECK(!a.duplicate);
    CHECK_INT(append_records(p, 2, &a), KERR_NONE);
    CHECK_INT(a.base_offset, 3);
    CHECK_INT(partition_read(p, 1, 100000, false, false, NULL, &r), KERR_NONE); /* inside a batch */
    CHECK_INT(r.range.pos, 0);
    CHECK_INT(r.next_offset, 5);
    CHECK_INT(r.offsets.end, 5);
    CHECK_INT(r.offsets.stable, 5);
    size_t both = r.range.n;
    file_range_release(&r.range);
    file_range_release(&r.range); /* again does nothing */
    CHECK_INT(partition_read(p, 0, both - 1, false, false, NULL, &r), KERR_NONE);
    CHECK(r.range.n > 0 && r.range.n < both); /* whole batches only */
    CHECK_INT(r.next_offset, 3);
    file_range_release(&r.range);
    CHECK_INT(partition_read(p, 0, 10, false, false, NULL, &r), KERR_NONE);
    CHECK_INT(r.range.n, 0);
    CHECK_INT(r.next_offset, 0);
    CHECK_INT(partition_read(p, 0, 10, true, false, NULL, &r), KERR_NONE);
    CHECK(r.range.n > 10);
    CHECK_INT(r.next_offset, 3);
    file_range_release(&r.range);
    CHECK_INT(partition_read(p, 5, 1000, true, false, NULL, &r), KERR_NONE);
    CHECK_INT(r.range.n, 0);
    CHECK_INT(partition_read(p, 6, 1000, true, false, NULL, &r), KERR_OFFSET_OUT_OF_RANGE);
    CHECK_INT(r.offsets.end, 5);
    CHECK_INT(partition_read(p, -1, 1000, true, false, NULL, &r), KERR_OFFSET_OUT_OF_RANGE);
    CHECK_INT(partition_available(p, 0, false, 1 << 20), both);
    CHECK_INT(partition_available(p, 0, false, 10), 10);
    CHECK_INT(partition_available(p, 5, false, 10), 0);
    CHECK_INT(read_all(p, 0), 5);
    partition_unref(p);
    world_close(&w);
}

/* Many small segments: every offset is found, cold and hot, before and after a restart. */
static void test_roll(void)
{
    struct log_world w;
    struct partition_read r;
    int64_t bytes;
    int32_t segments;
    world_open(&w, test_dir());
    struct partition *p =
        world_partition(&w, "rolls", "segment.bytes=16384 index.interval.bytes=100");
    int64_t end = 0;
    for (int i = 0; i < 600; i++) {
        CHECK_INT(append_batch(
                      p,
                      &(struct batch_spec){.count = 1 + i % 4, .value_bytes = 200, .timestamp = i},
                      NULL),
                  KERR_NONE);
        end += 1 + i % 4;
    }
    partition_size(p, &bytes, &segments);
    CHECK(segments > 10);
    for (int round = 0; round < 2; round++) {
        CHECK_INT(read_all(p, 0), end);
        struct strbuf buf = STRBUF_INIT;
        for (int64_t at = 0; at < end; at++) {
            strbuf_reset(&buf);
            CHECK_INT(partition_read(p, at, 1, true, false, NULL, &r), KERR_NONE);
            CHECK_OK(file_range_read(&r.range, &buf, NULL));
            CHECK(batch_base_offset(buf.p) <= at && batch_last_offset(buf.p) >= at);
            CHECK_INT(batch_last_offset(buf.p) + 1, r.next_offset);
            CHECK_OK(batch_check(strbuf_slice(&buf)));
            file_range_release(&r.range);
        }
        for (int64_t at = 0; at < end; at += 7) { /* every size of answer ends between batches */
            strbuf_reset(&buf);
            CHECK_INT(partition_read(p, at, (size_t)(300 + at * 13 % 9000), true, false, NULL, &r),
                      KERR_NONE);
            CHECK_OK(file_range_read(&r.range, &buf, NULL));
            struct slice one, rest = strbuf_slice(&buf);
            int64_t next = -1;
            while (batch_split(&rest, &one))
                next = batch_last_offset(one.p) + 1;
            CHECK_INT(rest.n, 0);
            CHECK_INT(next, r.next_offset);
            file_range_release(&r.range);
        }
        strbuf_release(&buf);
        partition_unref(p);
        world_reopen(&w);
        struct topic *t = topics_get(w.topics, SL("rolls"));
        p = topic_partition(t, 0);
        topic_unref(t);
    }
    struct partition_appended a;
    CHECK_INT(append_records(p, 1, &a), KERR_NONE);
    CHECK_INT(a.base_offset, end);
    CHECK_INT(read_all(p, end - 3), end + 1);
    partition_unref(p);
    world_close(&w);
}

static void test_roll_by_time(void)
{
    struct log_world w;
    int64_t bytes;
    int32_t segments;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.ms=1000");
    append_batch(p, &(struct batch_spec){.timestamp = 5000}, NULL);
    append_batch(p, &(struct batch_spec){.timestamp = 6000}, NULL);
    partition_size(p, &bytes, &segments);
    CHECK_INT(segments, 1);
    append_batch(p, &(struct batch_spec){.timestamp = 6001}, NULL);
    partition_size(p, &bytes, &segments);
    CHECK_INT(segments, 2);
    partition_unref(p);
    world_close(&w);
}

static void test_log_append_time(void)
{
    struct log_world w;
    struct partition_appended a;
    struct partition_time found;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "message.timestamp.type=LogAppendTime");
    int64_t before = clock_wall_ms();
    struct batch_spec spec = {.count = 2, .timestamp = 5, .producer_id = 4};
    CHECK_INT(append_batch(p, &spec, &a), KERR_NONE);
    CHECK(a.log_append_ms >= before);
    int64_t when = a.log_append_ms;
    CHECK_INT(append_batch(p, &spec, &a), KERR_NONE);
    CHECK(a.duplicate);
    CHECK_INT(a.log_append_ms, when); /* the original time, too */
    CHECK_INT(read_all(p, 0), 2);     /* its checksum was renewed */
    CHECK_INT(partition_find_time(p, when, false, &found), KERR_NONE);
    CHECK_INT(found.offset, 0);
    CHECK_INT(found.timestamp, when);
    partition_unref(p);
    world_close(&w);
}

static void test_too_large(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=1000");
    CHECK_INT(append_batch(p, &(struct batch_spec){.value_bytes = 2000}, NULL),
              KERR_RECORD_LIST_TOO_LARGE);
    CHECK_INT(append_records(p, 1, NULL), KERR_NONE);
    partition_unref(p);
    world_close(&w);
}

static struct partition *reopened(struct log_world *w, struct partition *p, const char *topic)
{
    partition_unref(p);
    world_reopen(w);
    struct topic *t = topics_get(w->topics, slice_cstr(topic));
    p = topic_partition(t, 0);
    topic_unref(t);
    return p;
}

static void test_producers(void)
{
    struct log_world w;
    struct partition_appended a;
    struct producer known;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=2000");
    struct batch_spec b = {.count = 2, .timestamp = clock_wall_ms(), .producer_id = 77};
    for (int i = 0; i < 20; i++, b.sequence += 2)
        CHECK_INT(append_batch(p, &b, &a), KERR_NONE);
    CHECK_INT(a.base_offset, 38);
    for (int round = 0; round < 2; round++) {
        for (int back = 1; back <= 5; back++) { /* all of the window, also after an orderly stop */
            b.sequence = 40 - 2 * back;
            CHECK_INT(append_batch(p, &b, &a), KERR_NONE);
            CHECK(a.duplicate);
            CHECK_INT(a.base_offset, 40 - 2 * back);
            CHECK_INT(a.end_offset, 42 - 2 * back);
        }
        b.sequence = 28;
        CHECK_INT(append_batch(p, &b, &a), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
        CHECK_INT(a.base_offset, -1);
        CHECK(partition_producer(p, 77, &known));
        CHECK_INT(known.count, 5);
        CHECK_INT(known.batches[4].last_sequence, 39);
        CHECK(!partition_producer(p, 78, &known));
        p = reopened(&w, p, "t");
    }
    struct arena mem;
    struct producer *all;
    size_t n;
    arena_init(&mem, 0, ARENA_NO_BUDGET);
    CHECK_OK(partition_producers(p, &mem, &all, &n));
    CHECK_INT(n, 1);
    CHECK_INT(all[0].id, 77);
    arena_release(&mem);
    b.sequence = 40;
    CHECK_INT(append_batch(p, &b, &a), KERR_NONE);
    CHECK_INT(a.base_offset, 40);
    partition_unref(p);
    world_close(&w);
}

static void test_find_time(void)
{
    struct log_world w;
    struct partition_time t;
    world_open(&w, test_dir());
    struct partition *p =
        world_partition(&w, "times", "segment.bytes=5000 index.interval.bytes=100");
    CHECK_INT(partition_find_time(p, 0, false, &t), KERR_NONE);
    CHECK_INT(t.offset, -1);
    CHECK_INT(partition_find_time(p, -3, false, &t), KERR_NONE);
    CHECK_INT(t.offset, -1);
    for (int i = 0; i < 300;
         i++) /* batches of three: 10 i, 10 i + 1, 10 i + 2; compressed ones too */
        CHECK_INT(
            append_batch(p, &(struct batch_spec){.count = 3, .timestamp = 10 * i, .codec = i % 5},
                         NULL),
            KERR_NONE);
    for (int round = 0; round < 2; round++) {
        for (int64_t i = 0; i < 300; i += 11) {
            CHECK_INT(partition_find_time(p, 10 * i + 1, false, &t), KERR_NONE);
            CHECK_INT(t.offset, 3 * i + 1); /* the record, not its batch */
            CHECK_INT(t.timestamp, 10 * i + 1);
            CHECK_INT(t.leader_epoch, 0);
            CHECK_INT(partition_find_time(p, 10 * i + 3, false, &t), KERR_NONE);
            CHECK_INT(t.offset, i == 299 ? -1 : 3 * i + 3);
        }
        CHECK_INT(partition_find_time(p, -3, false, &t), KERR_NONE);
        CHECK_INT(t.offset, 899);
        CHECK_INT(t.timestamp, 2992);
        CHECK_INT(partition_find_time(p, 2993, false, &t), KERR_NONE);
        CHECK_INT(t.offset, -1);
        p = reopened(&w, p, "times");
    }
    /* out of order: the largest is not the last, and the first of equals wins */
    append_batch(p, &(struct batch_spec){.timestamp = 9000}, NULL);
    append_batch(p, &(struct batch_spec){.timestamp = 9000}, NULL);
    append_batch(p, &(struct batch_spec){.timestamp = 100}, NULL);
    CHECK_INT(partition_find_time(p, -3, false, &t), KERR_NONE);
    CHECK_INT(t.offset, 900);
    int64_t low;
    CHECK_INT(partition_delete_records(p, 902, &low), KERR_NONE); /* what is deleted is not found */
    CHECK_INT(partition_find_time(p, -3, false, &t), KERR_NONE);
    CHECK_INT(t.offset, 902);
    CHECK_INT(partition_find_time(p, 0, false, &t), KERR_NONE);
    CHECK_INT(t.offset, 902);
    partition_unref(p);
    world_close(&w);
}

static void test_delete_records(void)
{
    struct log_world w, killed;
    struct partition_read r;
    struct partition_offsets o;
    int64_t low, bytes;
    int32_t segments, fewer;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=2000");
    for (int i = 0; i < 100; i++)
        append_batch(p, &(struct batch_spec){.count = 2, .value_bytes = 100}, NULL);
    partition_size(p, &bytes, &segments);
    CHECK_INT(partition_delete_records(p, 201, &low), KERR_OFFSET_OUT_OF_RANGE);
    CHECK_INT(low, -1);
    CHECK_INT(partition_delete_records(p, -2, &low), KERR_OFFSET_OUT_OF_RANGE);
    CHECK_INT(partition_read(p, 0, 100000, true, false, NULL, &r), KERR_NONE);
    CHECK_INT(partition_delete_records(p, 101, &low), KERR_NONE);
    CHECK_INT(low, 101);
    struct strbuf held = STRBUF_INIT; /* a range taken before stays readable */
    CHECK_OK(file_range_read(&r.range, &held, NULL));
    CHECK_INT(batch_base_offset(held.p), 0);
    file_range_release(&r.range);
    strbuf_release(&held);
    partition_size(p, &bytes, &fewer);
    CHECK(fewer < segments);
    CHECK_INT(partition_delete_records(p, 50, &low), KERR_NONE); /* already gone */
    CHECK_INT(low, 101);
    CHECK_INT(partition_read(p, 100, 1000, true, false, NULL, &r), KERR_OFFSET_OUT_OF_RANGE);
    CHECK_INT(read_all(p, 101), 200);
    world_killed(&killed, &w);
    world_start(&killed);
    struct topic *t = topics_get(killed.topics, SL("t"));
    struct partition *q = topic_partition(t, 0);
    partition_offsets(q, &o);
    CHECK_INT(o.start, 101); /* deleted for good, also after a kill */
    CHECK_INT(o.end, 200);
    CHECK_INT(partition_delete_records(q, -1, &low), KERR_NONE);
    CHECK_INT(low, 200);
    partition_unref(q);
    topic_unref(t);
    world_reopen(&killed);
    t = topics_get(killed.topics, SL("t"));
    q = topic_partition(t, 0);
    partition_offsets(q, &o);
    CHECK_INT(o.start, 200);
    struct partition_appended a;
    CHECK_INT(append_records(q, 1, &a), KERR_NONE);
    CHECK_INT(a.base_offset, 200); /* offsets are never used again */
    partition_unref(q);
    topic_unref(t);
    world_close(&killed);
    partition_unref(p);
    world_close(&w);
}

/* Checkpoints of a deleted topic must not meet a new one of the same name. */
static void test_recreated(void)
{
    struct log_world w, killed;
    struct partition_offsets o;
    int64_t low;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "");
    append_records(p, 100, NULL);
    CHECK_INT(partition_delete_records(p, 90, &low), KERR_NONE);
    p = reopened(&w, p, "t");
    CHECK_OK(topics_delete(w.topics, SL("t"), NULL));
    partition_unref(p);
    p = world_partition(&w, "t", "");
    append_records(p, 5, NULL);
    partition_offsets(p, &o);
    CHECK_INT(o.start, 0);
    CHECK_INT(o.end, 5);
    world_killed(&killed, &w);
    world_start(&killed);
    struct topic *t = topics_get(killed.topics, SL("t"));
    struct partition *q = topic_partition(t, 0);
    partition_offsets(q, &o);
    CHECK_INT(o.start, 0);
    CHECK_INT(o.end, 5);
    CHECK_INT(read_all(q, 0), 5);
    partition_unref(q);
    topic_unref(t);
    world_close(&killed);
    partition_unref(p);
    world_close(&w);
}

/* A segment whose file is gone is an error: its records are not passed over. */
static void test_missing_file(void)
{
    struct log_world w;
    struct partition_read r;
    struct partition_offsets o;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=2000");
    for (int i = 0; i < 30; i++)
        append_batch(p, &(struct batch_spec){.count = 2, .value_bytes = 500}, NULL);
    p = reopened(&w, p, "t");
    CHECK_INT(partition_offsets(p, &o), KERR_NONE); /* loaded; no file is open any more */
    CHECK_INT(o.end, 60);
    CHECK(world_has(&w, "t-0/00000000000000000002.log"));
    world_remove(&w, "t-0/00000000000000000002.log");
    CHECK_INT(partition_read(p, 0, 1000, true, false, NULL, &r), KERR_NONE);
    CHECK_INT(r.next_offset, 2);
    file_range_release(&r.range);
    CHECK_INT(partition_read(p, 2, 1000, true, false, NULL, &r), KERR_KAFKA_STORAGE_ERROR);
    CHECK_INT(partition_read(p, 4, 1000, true, false, NULL, &r), KERR_NONE);
    file_range_release(&r.range);
    partition_unref(p);
    world_close(&w);
}

/* Sizes of what is not loaded come from its files, and are the same. */
static void test_size(void)
{
    struct log_world w;
    int64_t bytes, again;
    int32_t segments, same;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=2000");
    partition_size(p, &bytes, &segments);
    CHECK_INT(bytes, 0);
    CHECK_INT(segments, 1);
    for (int i = 0; i < 30; i++)
        append_batch(p, &(struct batch_spec){.count = 2, .value_bytes = 100}, NULL);
    partition_size(p, &bytes, &segments);
    CHECK(bytes > 0 && segments > 3);
    CHECK_INT(topics_bytes(w.topics), bytes);
    p = reopened(&w, p, "t");
    partition_size(p, &again, &same);
    CHECK_INT(again, bytes);
    CHECK_INT(same, segments);
    append_records(p, 1, NULL);
    partition_size(p, &again, &same);
    CHECK(again > bytes);
    partition_unref(p);
    world_close(&w);
}

static void test_epochs(void)
{
    struct log_world w;
    int32_t epoch;
    int64_t offset;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "");
    append_records(p, 4, NULL);
    partition_epoch_end(p, 0, &epoch, &offset);
    CHECK_INT(epoch, 0);
    CHECK_INT(offset, 4);
    partition_epoch_end(p, 1, &epoch, &offset);
    CHECK_INT(epoch, -1);
    CHECK_INT(offset, -1);
    partition_epoch_end(p, -1, &epoch, &offset);
    CHECK_INT(epoch, -1);
    partition_unref(p);
    world_shut(&w);
    char *path = world_path(&w, "t-0/leader-epoch-checkpoint");
    CHECK_OK(fs_replace(path, SL("0\n3\n2 0\n5 1\n6 3\n"), NULL));
    mem_free(path);
    world_remove(&w,
                 "weir-tails-checkpoint"); /* it would tell the epoch without reading the file */
    world_start(&w);
    struct topic *t = topics_get(w.topics, SL("t"));
    p = topic_partition(t, 0);
    CHECK_INT(partition_leader_epoch(p), 6);
    static const struct {
        int32_t asked, epoch;
        int64_t offset;
    } want[] = {{1, 1, 0}, {2, 2, 1}, {3, 2, 1}, {5, 5, 3}, {6, 6, 4}, {7, -1, -1}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        partition_epoch_end(p, want[i].asked, &epoch, &offset);
        CHECK_INT(epoch, want[i].epoch);
        CHECK_INT(offset, want[i].offset);
    }
    struct strbuf buf = STRBUF_INIT;
    struct partition_read r;
    append_records(p, 1, NULL);
    CHECK_INT(partition_read(p, 4, 1000, true, false, NULL, &r), KERR_NONE);
    CHECK_OK(file_range_read(&r.range, &buf, NULL));
    CHECK_INT(batch_leader_epoch(buf.p), 6);
    file_range_release(&r.range);
    strbuf_release(&buf);
    partition_unref(p);
    topic_unref(t);
    world_close(&w);
}

static void test_stable_offset(void)
{
    struct log_world w;
    struct partition_offsets o;
    struct partition_read r;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "");
    append_records(p, 2, NULL);
    append_batch(p, &(struct batch_spec){.count = 1, .producer_id = 5, .transactional = true},
                 NULL);
    append_records(p, 3, NULL);
    for (int round = 0; round < 2; round++) {
        partition_offsets(p, &o);
        CHECK_INT(o.end, 6);
        CHECK_INT(o.stable, 2);
        CHECK_INT(partition_read(p, 0, 100000, true, true, NULL, &r), KERR_NONE);
        CHECK_INT(r.next_offset, 2);
        file_range_release(&r.range);
        CHECK_INT(partition_read(p, 2, 100000, true, true, NULL, &r), KERR_NONE);
        CHECK_INT(r.range.n, 0);
        CHECK_INT(partition_available(p, 2, true, 1000), 0);
        CHECK(partition_available(p, 2, false, 1000) > 0);
        struct partition_time t;
        CHECK_INT(partition_find_time(p, -3, true, &t), KERR_NONE);
        CHECK_INT(t.offset, 1);
        p = reopened(&w, p, "t");
    }
    partition_unref(p);
    world_close(&w);
}

static void wake(void *arg)
{
    ++*(_Atomic int *)arg;
}

static void test_wait(void)
{
    struct log_world w;
    _Atomic int woken = 0;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", ""), *q = world_partition(&w, "u", "");
    struct wait *one = wait_new(wake, NULL, &woken);
    CHECK(!partition_wait(p, 0, false, one));
    CHECK(!partition_wait(q, 0, false, one));
    append_records(q, 1, NULL);
    CHECK_INT(woken, 1);
    append_records(p, 1, NULL);
    CHECK_INT(woken, 1);
    CHECK(partition_wait(p, 0, false, one)); /* there is something already */
    wait_unref(one);
    one = wait_new(wake, NULL, &woken);
    CHECK(!partition_wait(p, 1, false, one));
    partition_unwait(p, one);
    append_records(p, 1, NULL);
    CHECK_INT(woken, 1);
    wait_unref(one);
    partition_unref(p);
    partition_unref(q);
    world_close(&w);
}

/* --- durability ------------------------------------------------------------------------------- */

struct durable {
    pthread_mutex_t lock;
    pthread_cond_t done;
    int count;
    int16_t code;
};

static void on_durable(void *arg, int16_t code)
{
    struct durable *d = arg;
    pthread_mutex_lock(&d->lock);
    d->count++;
    d->code = code;
    pthread_cond_signal(&d->done);
    pthread_mutex_unlock(&d->lock);
}

static void durable_wait(struct durable *d, int count)
{
    pthread_mutex_lock(&d->lock);
    while (d->count < count)
        pthread_cond_wait(&d->done, &d->lock);
    pthread_mutex_unlock(&d->lock);
}

static void test_durable(void)
{
    struct log_world w;
    struct durable d = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, -7};
    world_init(&w, test_dir());
    w.options.sync = true;
    world_start(&w);
    struct partition *p = world_partition(&w, "t", "segment.bytes=2000");
    CHECK(partition_is_sync(p));
    struct partition_appended a;
    for (int i = 0; i < 50; i++)
        append_batch(p, &(struct batch_spec){.value_bytes = 100}, &a);
    partition_on_durable(p, a.end_offset, on_durable, &d);
    durable_wait(&d, 1);
    CHECK_INT(d.code, KERR_NONE);
    CHECK_INT(partition_synced_offset(p), 50);
    partition_on_durable(p, a.end_offset, on_durable, &d); /* already: at once */
    CHECK_INT(d.count, 2);
    append_records(p, 1, NULL);
    CHECK_OK(partition_sync(p, NULL));
    CHECK_INT(partition_synced_offset(p), 51);
    CHECK_OK(topics_delete(w.topics, SL("t"), NULL));
    partition_on_durable(p, 52, on_durable, &d);
    CHECK_INT(d.code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_ERR(partition_sync(p, NULL), E_NOT_FOUND);
    partition_unref(p);
    p = world_partition(&w, "u", "flush.messages=1");
    CHECK(partition_is_sync(p));
    partition_unref(p);
    world_close(&w);
}

/* The default tier: synced within a second, without anybody asking. */
static void test_background_sync(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "");
    CHECK(!partition_is_sync(p));
    append_records(p, 4, NULL);
    int64_t until = clock_mono_ms() + 5000;
    while (partition_synced_offset(p) < 4 && clock_mono_ms() < until) {
        struct timespec pause = {0, 20000000};
        nanosleep(&pause, NULL);
    }
    CHECK_INT(partition_synced_offset(p), 4);
    partition_unref(p);
    world_close(&w);
}

/* --- threads ---------------------------------------------------------------------------------- */

enum { WRITERS = 3, BATCHES = 150 };

struct race {
    struct partition *p;
    int64_t id;
    _Atomic int *running;
    int failed;
};

static void *write_many(void *arg)
{
    struct race *r = arg;
    struct strbuf bytes = STRBUF_INIT;
    struct partition_appended a;
    int64_t last = -1;
    for (int i = 0; i < BATCHES; i++) {
        make_batch(&bytes, &(struct batch_spec){.count = 3,
                                                .value_bytes = 50,
                                                .producer_id = r->id,
                                                .sequence = 3 * i,
                                                .timestamp = i});
        r->failed +=
            partition_append(r->p, bytes.p, bytes.n, &a) != KERR_NONE || a.base_offset <= last;
        last = a.base_offset;
        if (i % 50 == 0)
            r->failed += partition_sync(r->p, NULL) != E_OK;
    }
    strbuf_release(&bytes);
    --*r->running;
    return NULL;
}

static void *read_on(void *arg)
{
    struct race *r = arg;
    struct strbuf bytes = STRBUF_INIT;
    int64_t at = 0;
    for (bool last_round = false; !last_round || at < WRITERS * BATCHES * 3;) {
        struct partition_read read;
        struct partition_time t;
        last_round = *r->running == 0;
        r->failed += partition_read(r->p, at, 3000, true, false, NULL, &read) != KERR_NONE;
        if (!read.range.n)
            continue;
        strbuf_reset(&bytes);
        r->failed += file_range_read(&read.range, &bytes, NULL) != E_OK;
        r->failed += batch_check(slice_of(bytes.p, batch_size(bytes.p))) != E_OK;
        r->failed += batch_base_offset(bytes.p) > at;
        file_range_release(&read.range);
        at = read.next_offset;
        r->failed += partition_find_time(r->p, 5, false, &t) != KERR_NONE;
        partition_available(r->p, at, false, 100);
    }
    r->failed += at != WRITERS * BATCHES * 3;
    strbuf_release(&bytes);
    return NULL;
}

static void test_threads(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "busy", "segment.bytes=10000");
    pthread_t threads[WRITERS + 2];
    struct race races[WRITERS + 2];
    _Atomic int running = WRITERS;
    for (int i = 0; i < WRITERS + 2; i++) {
        races[i] = (struct race){.p = p, .id = 100 + i, .running = &running};
        CHECK_INT(pthread_create(&threads[i], NULL, i < WRITERS ? write_many : read_on, &races[i]),
                  0);
    }
    for (int i = 0; i < WRITERS + 2; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT(races[i].failed, 0);
    }
    CHECK_INT(read_all(p, 0), WRITERS * BATCHES * 3);
    partition_unref(p);
    world_close(&w);
}

/* flush.messages: the append that reaches it waits; flush.ms: sooner than the usual. */
static void test_flush_settings(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "flush.messages=3");
    CHECK_INT(append_records(p, 2, NULL), KERR_NONE);
    CHECK(!partition_is_sync(p) || partition_synced_offset(p) == 2);
    CHECK_INT(append_records(p, 3, NULL), KERR_NONE);
    while (partition_is_sync(p)) /* the flusher was told that it is urgent */
        usleep(1000);
    CHECK(partition_synced_offset(p) >= 3);
    partition_unref(p);
    p = world_partition(&w, "one", "flush.messages=1");
    CHECK(partition_is_sync(p));
    partition_unref(p);
    p = world_partition(&w, "ms", "flush.ms=1");
    CHECK(!partition_is_sync(p));
    CHECK_INT(append_records(p, 2, NULL), KERR_NONE);
    while (partition_synced_offset(p) < 2)
        usleep(1000);
    partition_unref(p);
    world_close(&w);
}

static const struct test_case tests[] = {
    {"append and read", test_append_and_read},
    {"roll", test_roll},
    {"roll by time", test_roll_by_time},
    {"log append time", test_log_append_time},
    {"too large", test_too_large},
    {"producers", test_producers},
    {"find time", test_find_time},
    {"delete records", test_delete_records},
    {"recreated topic", test_recreated},
    {"missing file", test_missing_file},
    {"size", test_size},
    {"leader epochs", test_epochs},
    {"last stable offset", test_stable_offset},
    {"wait", test_wait},
    {"durable", test_durable},
    {"background sync", test_background_sync},
    {"flush settings", test_flush_settings},
    {"threads", test_threads},
    {NULL, NULL},
};
const struct test_suite test_partition = {"broker/partition", tests, NULL, NULL};
