/* tests/unit/broker/log/test_compact.c - compaction: which records stay, offsets, tombstones,
 * transactions, producers; damage, faults and kills at every step. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "broker/log/compact_batch.h"
#include "broker/log_helpers.h"
#include "broker/partition_care.h"
#include "broker/partition_internal.h"
#include "broker/proto/kerr.h"
#include "broker/topic_care.h"

#define NOW 1000000000000
#define SMALL                                                                                      \
    "cleanup.policy=compact segment.bytes=2000 min.cleanable.dirty.ratio=0.01 "                    \
    "index.interval.bytes=100"
enum { KEYS = 20 };

static bool no_pace(void *arg, size_t bytes)
{
    (void)arg;
    (void)bytes;
    return true;
}

static const struct partition_compact_how plain = {1 << 20, 0.9, no_pace, NULL};

/* --- writing ---------------------------------------------------------------------------------- */

struct put {
    int first, count; /* keys first .. first + count - 1 */
    int round;        /* in the value; -1: tombstones */
    enum codec codec;
    int64_t producer_id; /* 0: none */
    int32_t sequence;
    bool transactional;
    int64_t timestamp;
};

static void build(struct strbuf *out, const struct put *w)
{
    struct batch_builder b;
    struct slice batch;
    char key[16], value[64];
    batch_builder_init(&b, w->codec, CODEC_LEVEL_DEFAULT, 0);
    int64_t timestamp = w->producer_id ? clock_wall_ms() : w->timestamp; /* old ones expire */
    for (int i = 0; i < w->count; i++) {
        int k = snprintf(key, sizeof key, "k%d", w->first + i);
        int v = snprintf(value, sizeof value, "value of round %d of %s", w->round, key);
        CHECK_OK(batch_builder_add(&b, timestamp + i, slice_of(key, (size_t)k),
                                   w->round < 0 ? SLICE_NULL : slice_of(value, (size_t)v), NULL));
    }
    if (w->producer_id)
        batch_builder_producer(&b, w->producer_id, 0, w->sequence, w->transactional);
    CHECK_OK(batch_builder_finish(&b, &batch));
    strbuf_reset(out);
    strbuf_add_slice(out, batch);
    batch_builder_release(&b);
}

static int16_t put(struct partition *p, const struct put *w)
{
    struct strbuf bytes = STRBUF_INIT;
    struct partition_appended a;
    uint64_t guard = 0;
    build(&bytes, w);
    int16_t code = KERR_NONE;
    if (w->transactional)
        code = partition_txn_guard(p, bytes.p, &guard);
    if (!code)
        code = partition_append_txn(p, bytes.p, bytes.n, guard, &a);
    strbuf_release(&bytes);
    return code;
}

static void end_txn(struct partition *p, int64_t id, bool commit)
{
    int64_t end;
    CHECK_INT(partition_append_marker(p, &(struct partition_marker){id, 0, commit, 1}, &end),
              KERR_NONE);
}

static int64_t end_of(struct partition *p)
{
    struct partition_offsets o;
    CHECK_INT(partition_offsets(p, &o), KERR_NONE);
    return o.end;
}

/* Rolls and makes durable: all but what comes now may be compacted. */
static void close_segment(struct partition *p)
{
    CHECK_INT(partition_enter(p), KERR_NONE);
    CHECK_OK(partition_roll(p, NULL));
    partition_leave(p);
    CHECK_OK(partition_sync(p, NULL));
}

static struct partition *partition_of(struct log_world *w, const char *name)
{
    struct topic *t = topics_get(w->topics, slice_cstr(name));
    CU_ASSERT_FATAL(t != NULL);
    struct partition *p = topic_partition(t, 0);
    topic_unref(t);
    return p;
}

/* --- reading ---------------------------------------------------------------------------------- */

struct seen {
    int records, tombstones, markers, empty, horizons;
    int64_t last[KEYS]; /* offset of the last record of each key, or -1 */
    int round[KEYS];    /* of that; -1: a tombstone */
    int64_t next;
};

static void see_batch(struct seen *s, struct slice batch)
{
    struct batch_iter it;
    struct batch_record r;
    CHECK_OK(batch_check(batch));
    CHECK(batch_base_offset(batch.p) >= s->next);
    s->next = batch_last_offset(batch.p) + 1;
    s->empty += batch_count(batch.p) == 0;
    s->horizons += compact_horizon(batch.p) >= 0;
    if (batch_is_control(batch.p)) {
        s->markers++;
        return;
    }
    CHECK_OK(batch_iter_init(&it, batch, 0));
    int64_t before = -1;
    while (batch_iter_next(&it, &r)) {
        char key[16];
        int k, round = -1;
        snprintf(key, sizeof key, PRI_SL, ARG_SL(r.key));
        CU_ASSERT_FATAL(sscanf(key, "k%d", &k) == 1 && k >= 0 && k < KEYS);
        char value[64];
        snprintf(value, sizeof value, PRI_SL, ARG_SL(r.value));
        if (r.value.p)
            CHECK(sscanf(value, "value of round %d", &round) == 1);
        CHECK(r.offset > before && r.offset <= batch_last_offset(batch.p));
        before = r.offset;
        s->records++;
        s->tombstones += r.value.p == NULL;
        s->last[k] = r.offset;
        s->round[k] = round;
    }
    CHECK_OK(it.err);
    batch_iter_release(&it);
}

static struct seen see(struct partition *p)
{
    struct seen s = {0};
    struct strbuf bytes = STRBUF_INIT;
    struct partition_offsets o;
    CHECK_INT(partition_offsets(p, &o), KERR_NONE);
    int64_t at = o.start, end = o.end;
    for (int i = 0; i < KEYS; i++)
        s.last[i] = s.round[i] = -1;
    while (at < end) {
        struct partition_read r;
        struct slice batch, rest;
        CHECK_INT(partition_read(p, at, 700, true, false, NULL, &r), KERR_NONE);
        CU_ASSERT_FATAL(r.range.n > 0);
        strbuf_reset(&bytes);
        CHECK_OK(file_range_read(&r.range, &bytes, NULL));
        file_range_release(&r.range);
        for (rest = strbuf_slice(&bytes); batch_split(&rest, &batch);)
            see_batch(&s, batch);
        CHECK_INT(rest.n, 0);
        at = s.next;
    }
    CHECK_INT(at, end);
    strbuf_release(&bytes);
    return s;
}

static void check_last(const struct seen *s, int round)
{
    for (int k = 0; k < KEYS; k++)
        CHECK_INT(s->round[k], round);
}

static void fill(struct partition *p, int rounds, enum codec codec)
{
    for (int i = 0; i < rounds; i++)
        for (int k = 0; k < KEYS; k += 4)
            CHECK_INT(put(p, &(struct put){k, 4, i, codec, .timestamp = NOW + i}), KERR_NONE);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_last_values(void)
{
    for (int codec = CODEC_NONE; codec <= CODEC_ZSTD; codec++) {
        struct log_world w;
        struct partition_read old;
        struct strbuf bytes = STRBUF_INIT;
        world_open(&w, test_dir());
        struct partition *p = world_partition(&w, "t", SMALL);
        fill(p, 40, (enum codec)codec);
        close_segment(p);
        int32_t before, after;
        int64_t n;
        partition_size(p, &n, &before);
        struct seen all = see(p);
        CHECK_INT(all.records, 800);
        CHECK_INT(partition_read(p, 0, 1500, true, false, NULL, &old), KERR_NONE);
        CHECK(partition_compact_score(p, NOW) > 0.9);
        CHECK_OK(partition_compact(p, NOW, &plain));
        CHECK_INT(partition_compact_score(p, NOW), -1);
        struct seen s = see(p);
        check_last(&s, 39);
        CHECK_INT(s.records, KEYS);
        CHECK_INT(s.empty, 0); /* clients take a fetch of nothing else for one that was too small */
        partition_size(p, &n, &after);
        CHECK(after < before / 2);
        for (int k = 0; k < KEYS; k++)
            CHECK_INT(s.last[k], all.last[k]);
        CHECK_INT(s.next, all.next);
        CHECK_OK(file_range_read(&old.range, &bytes, NULL)); /* the reader in the middle */
        CHECK_INT(load_be64(bytes.p), 0);
        file_range_release(&old.range);
        strbuf_release(&bytes);
        CHECK_INT(partition_cleaned_to(p), 800);
        fill(p, 41, (enum codec)codec); /* and again, with what is new */
        close_segment(p);
        partition_size(p, &n, &before);
        CHECK_OK(partition_compact(p, NOW, &plain));
        s = see(p);
        check_last(&s, 40);
        CHECK_INT(s.records, KEYS);
        partition_size(p, &n, &after);
        CHECK(after < before); /* what the first one left small was put together */
        partition_unref(p);
        world_reopen(&w);
        p = partition_of(&w, "t");
        s = see(p);
        check_last(&s, 40);
        CHECK_INT(put(p, &(struct put){0, 4, 41}), KERR_NONE);
        partition_unref(p);
        world_close(&w);
    }
}

/* Two steps: the first cleaning writes the horizon, one after it drops the tombstone. */
static void test_tombstones(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", SMALL " delete.retention.ms=5000");
    fill(p, 3, CODEC_LZ4);
    CHECK_INT(put(p, &(struct put){0, 4, -1, CODEC_LZ4, .timestamp = NOW + 77}), KERR_NONE);
    close_segment(p);
    CHECK_OK(partition_compact(p, NOW, &plain));
    struct seen s = see(p);
    CHECK_INT(s.records, KEYS);
    CHECK_INT(s.tombstones, 4);
    CHECK_INT(s.horizons, 1);
    struct partition_time t; /* the records' own times have not changed */
    CHECK_INT(partition_find_time(p, NOW + 79, false, &t), KERR_NONE);
    CHECK_INT(t.timestamp, NOW + 79);
    CHECK_INT(partition_compact_score(p, NOW + 4999), -1);
    CHECK(partition_compact_score(p, NOW + 5000) >= 1); /* nothing new, and yet there is work */
    CHECK_OK(partition_compact(p, NOW + 4999, &plain));
    CHECK_INT(see(p).tombstones, 4);
    CHECK_OK(partition_compact(p, NOW + 5000, &plain));
    s = see(p);
    CHECK_INT(s.tombstones, 0);
    CHECK_INT(s.records, KEYS - 4);
    CHECK_INT(s.next, 64); /* offsets end where they did */
    CHECK_INT(partition_compact_score(p, INT64_MAX - 1), -1);
    partition_unref(p);
    world_close(&w);
}

/* A map with room for a few keys: several rounds, the same end. */
static void test_full_map(void)
{
    const struct partition_compact_how tiny = {KEYMAP_SLOT_BYTES * 6, 0.9, no_pace, NULL};
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", SMALL);
    fill(p, 6, CODEC_GZIP);
    close_segment(p);
    int rounds = 0;
    int64_t before = 0;
    while (partition_compact_score(p, NOW) > 0 && rounds++ < 200) {
        CHECK_OK(partition_compact(p, NOW, &tiny));
        CHECK(partition_cleaned_to(p) > before);
        before = partition_cleaned_to(p);
        struct seen s = see(p);
        check_last(&s, 5);
    }
    CHECK(rounds > 5 && rounds < 200);
    CHECK_INT(see(p).records, KEYS);
    partition_unref(p);
    world_close(&w);
}

/* The active segment, what is young, what is not stable, what is not durable stay. */
static void test_not_cleanable(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", SMALL " min.compaction.lag.ms=1000");
    fill(p, 4, CODEC_NONE);
    CHECK_OK(partition_sync(p, NULL));
    int64_t n;
    int32_t segments;
    partition_size(p, &n, &segments);
    CHECK(segments >= 2);
    CHECK_INT(partition_compact_score(p, NOW + 500), -1);
    CHECK_ERR(partition_compact(p, NOW + 500, &plain), E_NOT_FOUND);
    CHECK(partition_compact_score(p, NOW + 5000) > 0);
    CHECK_INT(put(p, &(struct put){0, 4, 2, .producer_id = 7, .transactional = true}), KERR_NONE);
    fill(p, 4, CODEC_NONE);
    close_segment(p);
    CHECK_OK(partition_compact(p, NOW + 5000, &plain));
    CHECK(partition_cleaned_to(p) <= 80); /* the transaction is open */
    int left = see(p).records;
    CHECK_OK(partition_compact(p, NOW + 5000, &plain));
    CHECK_INT(see(p).records, left);
    end_txn(p, 7, true);
    close_segment(p);
    CHECK_OK(partition_compact(p, clock_wall_ms() + 5000, &plain));
    CHECK_INT(see(p).records, KEYS);
    partition_unref(p);
    p = world_partition(&w, "lag",
                        "cleanup.policy=compact segment.bytes=2000 max.compaction.lag.ms=60000");
    fill(p, 30, CODEC_NONE);
    close_segment(p);
    CHECK_OK(partition_compact(p, NOW, &plain));
    CHECK_INT(put(p, &(struct put){0, 1, 31, .timestamp = NOW}), KERR_NONE);
    close_segment(p);
    CHECK_INT(partition_compact_score(p, NOW + 60000), -1); /* one record in twenty */
    CHECK(partition_compact_score(p, NOW + 60001) >= 1);
    partition_unref(p);
    world_close(&w);
}

static size_t aborted_of(struct partition *p)
{
    struct txn_aborted *v;
    size_t count = 0;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    CHECK_INT(partition_enter(p), KERR_NONE);
    CHECK_OK(plog_aborted(&p->log, 0, p->log.end, &a, &v, &count, NULL));
    partition_leave(p);
    arena_release(&a);
    return count;
}

/* Records of aborted transactions go at once and do not hide older ones; markers stay until their
 * data is gone, and then under the rule of the horizon. */
static void test_transactions(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", SMALL " delete.retention.ms=1000");
    fill(p, 1, CODEC_NONE);
    CHECK_INT(put(p, &(struct put){0, 8, 5, .producer_id = 8, .transactional = true}), KERR_NONE);
    end_txn(p, 8, true);
    CHECK_INT(put(p, &(struct put){4, 8, 9, .producer_id = 9, .transactional = true}), KERR_NONE);
    CHECK_INT(
        put(p, &(struct put){0, 4, 9, .producer_id = 9, .sequence = 8, .transactional = true}),
        KERR_NONE);
    end_txn(p, 9, false);
    CHECK_INT(aborted_of(p), 1);
    /* new transactions, so that the old ones are not the last of their producers */
    for (int i = 8; i <= 9; i++) {
        CHECK_INT(put(p, &(struct put){19, 1, 6, .producer_id = i, .sequence = i == 8 ? 8 : 12,
                                       .transactional = true}),
                  KERR_NONE);
        end_txn(p, i, true);
    }
    close_segment(p);
    CHECK_OK(partition_compact(p, NOW, &plain));
    struct seen s = see(p);
    for (int k = 0; k < KEYS; k++)
        CHECK_INT(s.round[k], k < 8 ? 5 : k == 19 ? 6 : 0);
    CHECK_INT(s.markers, 4);
    CHECK_INT(aborted_of(p), 1); /* its data was still there this time */
    CHECK_OK(partition_compact(p, NOW, &plain));
    CHECK_INT(aborted_of(p), 0);
    CHECK_INT(see(p).markers, 4); /* the horizon is written */
    CHECK_OK(partition_compact(p, NOW + 1000, &plain));
    CHECK_INT(see(p).markers, 3);
    fill(p, 8, CODEC_NONE); /* the committed data goes, and then its marker */
    close_segment(p);
    CHECK_OK(partition_compact(p, NOW + 2000, &plain));
    CHECK_OK(partition_compact(p, NOW + 2000, &plain));
    CHECK_OK(partition_compact(p, NOW + 4000, &plain));
    s = see(p);
    check_last(&s, 7);
    CHECK_INT(s.records, KEYS);
    CHECK_INT(s.markers, 2); /* of the last batches of the two producers, which stay, empty */
    CHECK(s.empty >= 2);
    partition_unref(p);
    world_reopen(&w);
    p = partition_of(&w, "t");
    CHECK_INT(
        put(p, &(struct put){1, 1, 8, .producer_id = 9, .sequence = 13, .transactional = true}),
        KERR_NONE);
    end_txn(p, 9, true);
    partition_unref(p);
    world_close(&w);
}

/* The last batch of a producer stays, empty: a repeated batch is recognised after a kill. */
static void test_producers(void)
{
    struct log_world w, again;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", SMALL);
    for (int i = 0; i < 3; i++)
        CHECK_INT(put(p, &(struct put){0, 4, i, CODEC_GZIP, .producer_id = 5, .sequence = 4 * i}),
                  KERR_NONE);
    fill(p, 4, CODEC_NONE);
    close_segment(p);
    CHECK_OK(partition_compact(p, NOW, &plain));
    struct seen s = see(p);
    check_last(&s, 3);
    CHECK_INT(s.records, KEYS);
    CHECK(s.empty >= 1);
    world_killed(&again, &w);
    partition_unref(p);
    world_close(&w);
    world_remove(&again, "t-0/00000000000000000092.snapshot"); /* only the log tells */
    world_start(&again);
    p = partition_of(&again, "t");
    int64_t end = end_of(p);
    CHECK_INT(put(p, &(struct put){0, 4, 2, .producer_id = 5, .sequence = 8}), KERR_NONE);
    CHECK_INT(end_of(p), end);
    CHECK_INT(put(p, &(struct put){0, 4, 2, .producer_id = 5, .sequence = 16}),
              KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    CHECK_INT(put(p, &(struct put){0, 4, 2, .producer_id = 5, .sequence = 12}), KERR_NONE);
    partition_unref(p);
    world_close(&again);
}

/* A damaged batch: this partition is left alone, the others go on; the files are as they were. */
static void test_damage(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "bad", SMALL),
                     *good = world_partition(&w, "t", SMALL);
    fill(p, 10, CODEC_NONE);
    fill(good, 10, CODEC_NONE);
    close_segment(p);
    close_segment(good);
    struct fs_file f;
    char *path = world_path(&w, "bad-0/00000000000000000000.log");
    CHECK_OK(fs_open(&f, path, FS_WRITE, NULL));
    CHECK_OK(fs_pwrite(&f, "x", 1, 500, NULL));
    fs_close(&f);
    mem_free(path);
    CHECK_ERR(partition_compact(p, NOW, &plain), E_CORRUPT);
    CHECK_INT(partition_compact_score(p, NOW), -1);
    CHECK(topics_compact_one(w.topics, NOW, &plain));
    CHECK(!topics_compact_one(w.topics, NOW, &plain));
    CHECK_INT(see(good).records, KEYS);
    CHECK(world_has(&w, "cleaner-offset-checkpoint"));
    CHECK(!world_has(&w, "bad-0/00000000000000000000.log.cleaned"));
    partition_unref(p);
    partition_unref(good);
    world_reopen(&w);
    good = partition_of(&w, "t");
    CHECK_INT(partition_cleaned_to(good), 200);
    partition_unref(good);
    CHECK_OK(topics_delete(w.topics, SL("t"), NULL));
    good = world_partition(&w, "t", SMALL); /* the old one's line is not for the new one */
    partition_unref(good);
    world_reopen(&w);
    good = partition_of(&w, "t");
    CHECK_INT(partition_cleaned_to(good), -1);
    partition_unref(good);
    world_close(&w);
}

/* Old segments that retention takes while they are compacted. */
static bool delete_meanwhile(void *arg, size_t bytes)
{
    int64_t low;
    (void)bytes;
    CHECK_INT(partition_delete_records(arg, 150, &low), KERR_NONE);
    return true;
}

static void test_retention_meanwhile(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(
        &w, "t", "cleanup.policy=compact,delete segment.bytes=2000 retention.ms=-1");
    fill(p, 10, CODEC_NONE);
    close_segment(p);
    const struct partition_compact_how how = {1 << 20, 0.9, delete_meanwhile, p};
    CHECK_ERR(partition_compact(p, NOW, &how), E_CONFLICT);
    CHECK_OK(partition_compact(p, NOW, &plain));
    struct partition_offsets o;
    CHECK_INT(partition_offsets(p, &o), KERR_NONE);
    CHECK_INT(o.start, 150);
    struct seen s = see(p);
    check_last(&s, 9);
    CHECK_INT(s.records, KEYS);
    partition_unref(p);
    world_close(&w);
}

/* A kill at each call to the disk: what the copy of the directory becomes has all last values. */
struct killer {
    struct log_world *w;
    int at;
    struct log_world copies[40];
};

static bool copy_now(void *arg, size_t bytes)
{
    struct killer *k = arg;
    (void)bytes;
    if (k->at < (int)ARRAY_LEN(k->copies))
        world_killed(&k->copies[k->at++], k->w);
    return true;
}

static void check_killed(struct log_world *copy, int round, int64_t end)
{
    world_start(copy);
    struct partition *p = partition_of(copy, "t");
    struct seen s = see(p);
    check_last(&s, round);
    CHECK_INT(s.next, end);
    CHECK_INT(put(p, &(struct put){0, 4, round + 1}), KERR_NONE);
    close_segment(p);
    CHECK_OK(partition_compact(p, NOW, &plain));
    CHECK_INT(see(p).records, KEYS);
    partition_unref(p);
    world_close(copy);
}

static void test_killed(void)
{
    struct log_world w;
    struct killer k = {.w = &w};
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", SMALL);
    fill(p, 8, CODEC_NONE);
    close_segment(p);
    int64_t end = end_of(p);
    const struct partition_compact_how how = {1 << 20, 0.9, copy_now, &k};
    CHECK_OK(partition_compact(p, NOW, &how));
    CHECK(k.at > 3);
    for (int i = 0; i < k.at; i++)
        check_killed(&k.copies[i], 7, end);
    partition_unref(p);
    world_close(&w);
}

/* The n-th write, sync, open or rename fails: the log is as it was or compacted, reads go on, a
 * later compaction works, and so does a start from what is on the disk at that moment. */
static void compact_fault(struct fs_faults faults, bool *hit)
{
    struct log_world w, again;
    clock_fake(NOW, 1000);
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", SMALL);
    fill(p, 12, CODEC_SNAPPY);
    close_segment(p);
    CHECK_OK(partition_sync(p, NULL));
    int64_t end = end_of(p);
    fs_fault_set(&faults);
    enum err err = partition_compact(p, NOW, &plain);
    *hit = fs_fault_hit();
    fs_fault_set(NULL);
    CHECK(err == E_OK || *hit);
    struct seen s = see(p);
    check_last(&s, 11);
    CHECK_INT(s.next, end);
    world_killed(&again, &w);
    check_killed(&again, 11, end);
    clock_fake_advance(100000);
    if (err != E_OK)
        CHECK_OK(partition_compact(p, NOW, &plain));
    CHECK_INT(see(p).records, KEYS);
    CHECK_INT(put(p, &(struct put){0, 4, 50}), KERR_NONE);
    partition_unref(p);
    world_reopen(&w);
    p = partition_of(&w, "t");
    CHECK_INT(see(p).records, KEYS + 4);
    partition_unref(p);
    world_close(&w);
    clock_real();
}

static void test_faults(void)
{
    bool hit = true;
    int64_t n;
    for (n = 1; hit && n < 60; n++)
        compact_fault((struct fs_faults){.fail_write_at = n, .fail_errno = ENOSPC}, &hit);
    CHECK(n > 3);
    for (n = 1, hit = true; hit && n < 60; n++)
        compact_fault((struct fs_faults){.fail_sync_at = n}, &hit);
    CHECK(n > 5);
    for (n = 1, hit = true; hit && n < 60; n++)
        compact_fault((struct fs_faults){.fail_rename_at = n}, &hit);
    CHECK(n > 8);
    for (n = 1, hit = true; hit && n < 60; n++)
        compact_fault((struct fs_faults){.fail_open_at = n, .fail_errno = EMFILE}, &hit);
    CHECK(n > 5);
}

/* The old log comes back without the new one's indexes, also when it had none of its own. */
static void test_fault_without_indexes(void)
{
    bool hit = true;
    for (int64_t n = 1; hit && n < 60; n++) {
        struct log_world w;
        const struct fs_faults faults = {.fail_rename_at = n};
        world_open(&w, test_dir());
        struct partition *p = world_partition(&w, "t", SMALL);
        fill(p, 12, CODEC_NONE);
        close_segment(p);
        world_remove(&w, "t-0/00000000000000000000.index");
        world_remove(&w, "t-0/00000000000000000000.timeindex");
        fs_fault_set(&faults);
        enum err err = partition_compact(p, NOW, &plain);
        hit = fs_fault_hit();
        fs_fault_set(NULL);
        if (err != E_OK) {
            CHECK(!world_has(&w, "t-0/00000000000000000000.index"));
            CHECK(!world_has(&w, "t-0/00000000000000000000.timeindex"));
            CHECK(!world_has(&w, "t-0/00000000000000000000.log.swap"));
        }
        struct seen s = see(p);
        check_last(&s, 11);
        partition_unref(p);
        world_close(&w);
    }
}

static void test_memory(void)
{
    struct log_world w;
    bool hit = true;
    clock_fake(NOW, 1000);
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", SMALL);
    fill(p, 12, CODEC_ZSTD);
    close_segment(p);
    for (int64_t n = 1; hit && n < 400; n++) {
        mem_fail_at(n);
        enum err err = partition_compact(p, NOW, &plain);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(err == E_OK || (err == E_NOMEM && hit));
        struct seen s = see(p);
        check_last(&s, 11);
        clock_fake_advance(100000);
    }
    CHECK_INT(see(p).records, KEYS);
    partition_unref(p);
    world_close(&w);
    clock_real();
}

/* Power goes at any moment of a compaction: what was synced is there, and it tells the truth. */
static void test_power_cut(void)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct log_world w, again;
        world_open(&w, test_dir());
        struct partition *p = world_partition(&w, "t", SMALL);
        fill(p, 8, CODEC_NONE);
        close_segment(p);
        int64_t end = end_of(p);
        fs_power_begin(w.dir);
        CHECK_OK(partition_compact(p, NOW, &plain));
        fs_power_cut(seed);
        world_killed(&again, &w);
        fs_power_begin(NULL);
        check_killed(&again, 7, end);
        partition_unref(p);
        world_close(&w);
    }
}

static const struct test_case tests[] = {
    {"last values, every codec", test_last_values},
    {"tombstones", test_tombstones},
    {"full map", test_full_map},
    {"what is not compacted", test_not_cleanable},
    {"transactions", test_transactions},
    {"producers", test_producers},
    {"damage", test_damage},
    {"retention meanwhile", test_retention_meanwhile},
    {"killed", test_killed},
    {"n-th call fails", test_faults},
    {"faults of logs without indexes", test_fault_without_indexes},
    {"no memory", test_memory},
    {"power cut", test_power_cut},
    {NULL, NULL},
};
const struct test_suite test_compact = {"broker/log/compact", tests, log_quiet, log_loud};
