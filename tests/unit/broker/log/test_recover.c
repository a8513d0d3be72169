/* tests/unit/broker/log/test_recover.c - what is left of a log after kill -9, a torn write, damage or a
 * power cut: always a beginning of what was written, never less than what was promised. */
#include "broker/log/recover.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "broker/log_helpers.h"
#include "broker/partition_internal.h"
#include "broker/proto/kerr.h"
#include "broker/topic_internal.h"

static int numbers;

static char *new_dir(void)
{
    return xasprintf("%s/log%d", test_dir(), numbers++);
}

static struct topic_config small_segments(int32_t bytes)
{
    struct topic_config c;
    topic_config_compute(&c, NULL, NULL, NULL);
    c.segment_bytes = bytes;
    c.index_interval_bytes = 200;
    return c;
}

/* Appends one batch whose first value names its offset; false when it cannot. */
static bool append_one(struct plog *l, const struct topic_config *c, int count)
{
    struct strbuf b = STRBUF_INIT;
    make_batch(&b, &(struct batch_spec){.count = count, .value_bytes = 30, .timestamp = l->end});
    enum err r = plog_must_roll(l, c, b.p, b.n) ? plog_roll(l, NULL) : E_OK;
    batch_assign(b.p, l->end, plog_epoch(l));
    if (r == E_OK)
        r = plog_append(l, c, b.p, b.n, NULL);
    strbuf_release(&b);
    return r == E_OK;
}

/* A new log of `batches` batches, in files that are closed. */
static char *make_log(int batches, int32_t segment_bytes)
{
    struct topic_config c = small_segments(segment_bytes);
    struct plog l;
    struct uuid id;
    char *dir = new_dir();
    uuid_random(&id);
    CHECK_OK(plog_create(&l, dir, &id, NULL));
    for (int i = 0; i < batches; i++)
        CHECK(append_one(&l, &c, 1 + i % 3));
    plog_release(&l);
    return dir;
}

static char *file_of(const char *dir, int64_t base, const char *suffix)
{
    char name[64];
    segment_file_name(base, suffix, name);
    return xasprintf("%s/%s", dir, name);
}

static void write_file(const char *path, const char *bytes, size_t n)
{
    struct fs_file f;
    CHECK_OK(fs_open(&f, path, FS_WRITE | FS_CREATE | FS_TRUNC, NULL));
    CHECK_OK(fs_pwrite(&f, bytes, n, 0, NULL));
    fs_close(&f);
}

/* Every batch from the start: whole, in order, without a hole; ends at the log's end. */
static void check_whole(struct plog *l)
{
    struct strbuf b = STRBUF_INIT;
    int64_t next = l->segments[0]->base;
    for (size_t i = 0; i < l->count; i++) {
        struct segment_scan scan;
        struct batch_at at;
        CHECK_INT(l->segments[i]->base, next);
        if (l->segments[i]->size == 0)
            continue;
        CHECK_OK(segment_open(l->segments[i], false, NULL));
        segment_scan_init(&scan, l->segments[i], 0, l->segments[i]->size);
        while (segment_scan_next(&scan, &at)) {
            CHECK_INT(batch_base_offset(at.header), next);
            next = batch_last_offset(at.header) + 1;
            CHECK_OK(segment_read_batch(l->segments[i], at.pos, at.n, &b, NULL));
        }
        CHECK_OK(scan.err);
    }
    CHECK_INT(next, l->end);
    strbuf_release(&b);
}

/* Loads as after a crash, checks, appends one batch, and gives the end before that. */
static int64_t recover(const char *dir, int64_t recovery_point, int64_t *cut)
{
    struct plog l;
    struct plog_load how = {.clean = false, .recovery_point = recovery_point, .start = -1};
    struct plog_loaded done;
    struct topic_config c = small_segments(1 << 20);
    struct error e = {0};
    enum err r = plog_load(&l, dir, &how, &done, &e);
    CHECK_OK(r);
    int64_t end = r == E_OK ? l.end : -1;
    *cut = done.bytes_cut;
    if (r == E_OK) {
        check_whole(&l);
        CHECK_INT(plog_epoch(&l), done.bytes_cut ? 1 : 0);
        CHECK(append_one(&l, &c, 1));
        CHECK_INT(l.end, end + 1);
        check_whole(&l);
    }
    plog_release(&l);
    return end;
}

/* Puts one segment file beside the others back as it was. */
static void restore(const char *dir, const char *saved)
{
    CHECK_OK(fs_remove_tree(dir, NULL));
    copy_tree(saved, dir);
}

static void test_torn_tail(void)
{
    char *dir = make_log(3, 1 << 20), *log = file_of(dir, 0, ".log");
    struct strbuf whole = STRBUF_INIT;
    CHECK_OK(fs_read_all(log, 1 << 20, &whole, NULL));
    struct slice one, rest = strbuf_slice(&whole);
    CHECK(batch_split(&rest, &one) && batch_split(&rest, &one));
    size_t last = whole.n - rest.n; /* where the third begins */
    char *epochs = xasprintf("%s/leader-epoch-checkpoint", dir);
    for (size_t n = last; n <= whole.n; n++) {
        int64_t cut;
        write_file(log, whole.p, n);
        CHECK_OK(fs_unlink(epochs, NULL));
        CHECK_INT(recover(dir, -1, &cut), n == whole.n ? 6 : 3);
        CHECK_INT(cut, n == whole.n ? 0 : (int64_t)(n - last));
    }
    strbuf_release(&whole);
    mem_free(epochs);
    mem_free(log);
    mem_free(dir);
}

/* Zeros (blocks that were set aside) and noise behind the last batch. */
static void test_bytes_behind(void)
{
    char *dir = make_log(4, 1 << 20), *log = file_of(dir, 0, ".log");
    struct strbuf bytes = STRBUF_INIT;
    CHECK_OK(fs_read_all(log, 1 << 20, &bytes, NULL));
    size_t n = bytes.n;
    for (int i = 0; i < 5000; i++)
        strbuf_addc(&bytes, 0);
    write_file(log, bytes.p, bytes.n);
    int64_t cut;
    CHECK_INT(recover(dir, -1, &cut), 7);
    CHECK_INT(cut, 5000);
    bytes.n = n;
    for (int i = 0; i < 300; i++)
        strbuf_addc(&bytes, (char)(i * 31));
    write_file(log, bytes.p, bytes.n);
    char *epochs = xasprintf("%s/leader-epoch-checkpoint", dir);
    CHECK_OK(fs_unlink(epochs, NULL));
    CHECK_INT(recover(dir, 7, &cut), 7);
    CHECK_INT(cut, 300);
    mem_free(epochs);
    strbuf_release(&bytes);
    mem_free(log);
    mem_free(dir);
}

/* One byte changed anywhere in the middle of three segments: everything before its batch stays. */
static void test_damage(void)
{
    char *dir = make_log(30, 1500), *saved = xasprintf("%s.saved", dir);
    copy_tree(dir, saved);
    uint64_t random = 12345;
    for (int round = 0; round < 60; round++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        struct plog l = {.dir = dir};
        struct plog_load how = {.clean = true, .start = -1};
        struct plog_loaded done;
        restore(dir, saved);
        CHECK_OK(plog_load(&l, dir, &how, &done, NULL));
        struct segment *s = l.segments[(random >> 33) % l.count];
        CHECK_OK(segment_index(s, NULL));
        int64_t at = (int64_t)((random >> 20) % (uint64_t)s->size);
        struct segment_scan scan;
        struct batch_at hit = {0};
        segment_scan_init(&scan, s, 0, s->size);
        int64_t offset = -1;
        while (segment_scan_next(&scan, &hit) && scan.pos <= at) {
            /* up to the batch that holds the byte */
        }
        offset = batch_base_offset(hit.header);
        bool checked = at - hit.pos >= 8 && (at - hit.pos < 12 || at - hit.pos >= 16);
        uint8_t byte;
        size_t got;
        CHECK_OK(fs_pread(&s->log, &byte, 1, at, &got, NULL));
        byte ^= (uint8_t)(1 << (random % 8));
        CHECK_OK(fs_pwrite(&s->log, &byte, 1, at, NULL));
        int64_t end = l.end, cut;
        plog_release(&l);
        if (!checked) /* the offset and the epoch are outside of the checksum */
            continue;
        int64_t now = recover(dir, 0, &cut);
        CHECK_INT(now, offset);
        CHECK(now < end && cut > 0);
    }
    mem_free(saved);
    mem_free(dir);
}

/* A segment that lost its end between two batches, or wholly: what comes later cannot be used. */
static bool count_aside(const char *name, void *arg)
{
    *(int *)arg += slice_ends(slice_cstr(name), SL(".log.aside"));
    return true;
}

static void test_hole(void)
{
    char *dir = make_log(50, 1500), *saved = xasprintf("%s.saved", dir);
    copy_tree(dir, saved);
    struct plog l;
    struct plog_load how = {.clean = true, .start = -1};
    struct plog_loaded done;
    CHECK_OK(plog_load(&l, dir, &how, &done, NULL));
    CHECK(l.count >= 4);
    struct segment_scan scan;
    struct batch_at at;
    CHECK_OK(segment_open(l.segments[1], false, NULL));
    segment_scan_init(&scan, l.segments[1], 0, l.segments[1]->size);
    CHECK(segment_scan_next(&scan, &at));
    int64_t first_end = (int64_t)at.n, want = batch_last_offset(at.header) + 1, cut;
    char *log = file_of(dir, l.segments[1]->base, ".log");
    struct strbuf bytes = STRBUF_INIT;
    CHECK_OK(fs_read_all(log, 1 << 20, &bytes, NULL));
    int64_t base = l.segments[1]->base;
    plog_release(&l);
    write_file(log, bytes.p, (size_t)first_end);
    CHECK_INT(recover(dir, 0, &cut), want);
    CHECK(cut > 0);
    int aside = 0;
    CHECK_OK(fs_list(dir, count_aside, &aside, NULL));
    CHECK(aside >= 2); /* nothing that was whole is deleted */
    restore(dir, saved);
    write_file(log, bytes.p, (size_t)first_end); /* compaction left it so: it was durable */
    CHECK_OK(plog_load(&l, dir, &how, &done, NULL));
    CHECK_INT(l.end, 99);
    CHECK_OK(recover_log(&l, 0, INT64_MAX, &cut, NULL));
    CHECK_INT(cut, 0);
    plog_release(&l);
    restore(dir, saved);
    write_file(log, "", 0);
    CHECK_INT(recover(dir, 0, &cut), base);
    restore(dir, saved);
    CHECK_OK(fs_unlink(log, NULL));
    CHECK_INT(recover(dir, 0, &cut), base);
    strbuf_release(&bytes);
    mem_free(log);
    mem_free(saved);
    mem_free(dir);
}

/* What lies below the recovery point is not read again. */
static void test_recovery_point(void)
{
    char *dir = make_log(30, 1500), *log = file_of(dir, 0, ".log");
    struct strbuf bytes = STRBUF_INIT;
    CHECK_OK(fs_read_all(log, 1 << 20, &bytes, NULL));
    bytes.p[BATCH_HEADER_SIZE] ^= 1;
    write_file(log, bytes.p, bytes.n);
    struct plog l;
    struct plog_load how = {.clean = false, .recovery_point = 40, .start = -1};
    struct plog_loaded done;
    CHECK_OK(plog_load(&l, dir, &how, &done, NULL));
    CHECK_INT(done.bytes_cut, 0);
    CHECK_INT(l.end, 60);
    CHECK_INT(l.recovery_point, 40);
    plog_release(&l);
    how.recovery_point = -1;
    CHECK_OK(plog_load(&l, dir, &how, &done, NULL));
    CHECK(done.bytes_cut > 0);
    CHECK_INT(l.end, 0);
    plog_release(&l);
    strbuf_release(&bytes);
    mem_free(log);
    mem_free(dir);
}

/* Deleted records do not come back, and offsets are not used again, when less is left than was
 * deleted. */
static void test_below_start(void)
{
    char *dir = make_log(10, 1500);
    struct plog l;
    struct plog_load how = {.clean = false, .recovery_point = 0, .start = 500};
    struct plog_loaded done;
    CHECK_OK(plog_load(&l, dir, &how, &done, NULL));
    CHECK_INT(l.start, 500);
    CHECK_INT(l.end, 500);
    CHECK_INT(l.count, 1);
    struct topic_config c = small_segments(1500);
    CHECK(append_one(&l, &c, 1));
    CHECK_INT(l.end, 501);
    plog_release(&l);
    how.start = -1;
    CHECK_OK(plog_load(&l, dir, &how, &done, NULL));
    CHECK_INT(l.start, 500);
    CHECK_INT(l.end, 501);
    plog_release(&l);
    mem_free(dir);
}

/* The mark said that all is well; it is not. */
static void test_mark_lied(void)
{
    char *dir = make_log(6, 1 << 20), *log = file_of(dir, 0, ".log");
    struct strbuf bytes = STRBUF_INIT;
    CHECK_OK(fs_read_all(log, 1 << 20, &bytes, NULL));
    write_file(log, bytes.p, bytes.n - 5);
    struct plog l;
    struct plog_load how = {.clean = true, .start = -1};
    struct plog_loaded done;
    CHECK_OK(plog_load(&l, dir, &how, &done, NULL));
    CHECK(done.bytes_cut > 0);
    CHECK_INT(l.end, 9);
    plog_release(&l);
    strbuf_release(&bytes);
    mem_free(log);
    mem_free(dir);
}

/* --- the whole, killed ------------------------------------------------------------------------ */

static int64_t end_of(struct log_world *w, const char *topic, struct partition **out)
{
    struct topic *t = topics_get(w->topics, slice_cstr(topic));
    struct partition_offsets o;
    CU_ASSERT_FATAL(t != NULL);
    *out = topic_partition(t, 0);
    topic_unref(t);
    partition_offsets(*out, &o);
    return o.end;
}

static void test_killed(void)
{
    struct log_world w;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=3000"), *q;
    struct batch_spec b = {.count = 2, .producer_id = 9, .timestamp = clock_wall_ms()};
    struct partition_appended a;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 25; i++, b.sequence += 2)
            CHECK_INT(append_batch(p, &b, &a), KERR_NONE);
        struct log_world killed;
        world_killed(&killed, &w);
        world_start(&killed);
        CHECK_INT(end_of(&killed, "t", &q), a.end_offset); /* nothing acknowledged is lost */
        CHECK_INT(read_all(q, 0), a.end_offset);
        CHECK_INT(partition_leader_epoch(q), 0);
        for (int back = 1; back <= 5; back++) { /* and a repetition is still one */
            struct batch_spec again = b;
            struct partition_appended d;
            again.sequence -= 2 * back;
            CHECK_INT(append_batch(q, &again, &d), KERR_NONE);
            CHECK(d.duplicate);
            CHECK_INT(d.end_offset, a.end_offset - 2 * (back - 1));
        }
        CHECK_INT(append_batch(q, &b, NULL), KERR_NONE);
        partition_unref(q);
        world_close(&killed);
    }
    partition_unref(p);
    world_close(&w);
}

static uint64_t next_random(uint64_t *s)
{
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return *s >> 33;
}

/* The value of record n of a producer tells n: what comes back is what was written, in order. */
static void check_values(struct partition *p, int64_t at, int64_t end)
{
    struct strbuf bytes = STRBUF_INIT;
    while (at < end) {
        struct partition_read r;
        struct slice one, rest;
        strbuf_reset(&bytes);
        CHECK_INT(partition_read(p, at, 100000, true, false, NULL, &r), KERR_NONE);
        CU_ASSERT_FATAL(r.range.n > 0);
        CHECK_OK(file_range_read(&r.range, &bytes, NULL));
        file_range_release(&r.range);
        for (rest = strbuf_slice(&bytes); batch_split(&rest, &one);) {
            struct batch_iter it;
            struct batch_record rec;
            char want[32];
            CHECK_OK(batch_check(one));
            CHECK_OK(batch_iter_init(&it, one, 0));
            while (batch_iter_next(&it, &rec)) {
                snprintf(want, sizeof want, "value %lld", (long long)rec.offset);
                CHECK_SLICE(rec.value, slice_cstr(want));
            }
            batch_iter_release(&it);
        }
        at = r.next_offset;
    }
    strbuf_release(&bytes);
}

/* 120 batches with a sync now and then; the offset that was durable when the power went. */
static int64_t write_until_cut(struct log_world *w, uint64_t seed, int64_t now)
{
    uint64_t random = seed;
    struct partition *p = world_partition(w, "t", "segment.bytes=1500 index.interval.bytes=200");
    for (int i = 0; i < 120; i++) {
        char value[32];
        snprintf(value, sizeof value, "value %d", i);
        struct batch_spec b = {
            .value = value, .timestamp = now + i, .producer_id = 3, .sequence = i};
        CHECK_INT(append_batch(p, &b, NULL), KERR_NONE);
        if (next_random(&random) % 40 == 0)
            CHECK_OK(partition_sync(p, NULL));
    }
    int64_t synced = partition_synced_offset(p);
    fs_power_cut(seed);
    partition_unref(p);
    return synced;
}

static void check_after_cut(struct log_world *w, int64_t synced, int64_t now)
{
    struct partition *p;
    struct partition_offsets o;
    struct partition_time t;
    struct producer known;
    int64_t end = end_of(w, "t", &p);
    partition_offsets(p, &o);
    CHECK(end >= synced && end <= 120);
    CHECK(o.start == 0 || synced == 0); /* a first file of which nothing was synced may be gone */
    CHECK_INT(read_all(p, o.start), end);
    check_values(p, o.start, end);
    CHECK(end == o.start || (partition_producer(p, 3, &known) &&
                             known.batches[known.count - 1].last_sequence == end - 1));
    for (int64_t at = o.start; at <= end; at++) {
        CHECK_INT(partition_find_time(p, now + at, false, &t), KERR_NONE);
        CHECK_INT(t.offset, at < end ? at : -1);
    }
    CHECK_INT(append_records(p, 1, NULL), KERR_NONE);
    partition_unref(p);
}

/* The machine goes down: what was synced is there, and what is there is as it was written. */
static void test_power_cut(void)
{
    int64_t now = clock_wall_ms();
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct log_world w, after;
        world_init(&w, test_dir());
        fs_power_begin(w.dir);
        world_start(&w);
        int64_t synced = write_until_cut(&w, seed, now);
        world_killed(&after, &w);
        fs_power_begin(NULL);
        CHECK_OK(topics_delete(w.topics, SL("t"), NULL)); /* its files are not what it wrote */
        world_close(&w);
        world_start(&after);
        check_after_cut(&after, synced, now);
        world_close(&after);
    }
}

/* After a kill only what was written to since the tails were stored is checked: damage in the others
 * is not looked for, and what was appended is never overlooked. */
static void test_untouched(void)
{
    struct log_world w, again;
    struct partition *p[4];
    static const char *const names[] = {"quiet", "written", "rolled", "unflushed"};
    world_open(&w, test_dir());
    for (int i = 0; i < 4; i++) {
        p[i] = world_partition(&w, names[i], "segment.bytes=2000");
        CHECK_INT(append_records(p[i], 3, NULL), KERR_NONE);
        if (i < 3)
            CHECK_OK(partition_sync(p[i], NULL));
    }
    CHECK_OK(topics_save_positions(w.topics, NULL));
    CHECK_INT(append_records(p[1], 2, NULL), KERR_NONE);
    CHECK_INT(append_batch(p[2], &(struct batch_spec){.value_bytes = 1900}, NULL), KERR_NONE);
    CHECK(world_has(&w, "rolled-0/00000000000000000003.log"));
    world_killed(&again, &w);
    for (int i = 0; i < 4; i++)
        partition_unref(p[i]);
    world_close(&w);
    world_start(&again);
    for (int i = 0; i < 4; i++) {
        struct topic *t = topics_get(again.topics, slice_cstr(names[i]));
        p[i] = topic_partition(t, 0);
        topic_unref(t);
    }
    CHECK(p[0]->untouched && !p[0]->loaded);
    CHECK_INT(partition_leader_epoch(p[0]), 0);
    CHECK(!p[0]->loaded);
    for (int i = 1; i < 4; i++)
        CHECK(!p[i]->untouched && p[i]->loaded);
    static const int64_t ends[] = {3, 5, 4, 3};
    for (int i = 0; i < 4; i++) {
        CHECK_INT(partition_recovered_end(p[i]), -1); /* a kill loses nothing */
        CHECK_INT(read_all(p[i], 0), ends[i]);
        CHECK_INT(append_records(p[i], 1, NULL), KERR_NONE);
        partition_unref(p[i]);
    }
    world_close(&again);
}

/* A power cut may take exactly what came after the last checkpoint of tails, or whole batches: then
 * nothing looks damaged, and the log is shorter all the same. */
static void test_recovered_end(void)
{
    struct log_world w, again;
    static const int64_t ends[] = {3, 4};
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "");
    CHECK_INT(append_records(p, 3, NULL), KERR_NONE);
    CHECK_OK(partition_sync(p, NULL));
    CHECK_OK(topics_save_positions(w.topics, NULL));
    int64_t size[2] = {plog_active(&p->log)->size};
    CHECK_INT(append_records(p, 1, NULL), KERR_NONE);
    size[1] = plog_active(&p->log)->size;
    CHECK_INT(append_records(p, 1, NULL), KERR_NONE);
    partition_unref(p);
    for (int i = 0; i < 2; i++) {
        world_killed(&again, &w);
        char *path = world_path(&again, "t-0/00000000000000000000.log");
        CHECK_INT(truncate(path, size[i]), 0);
        mem_free(path);
        world_remove(&again, "weir-boot"); /* the machine was started anew */
        world_start(&again);
        CHECK(world_has(&again, "weir-boot"));
        struct topic *t = topics_get(again.topics, SL("t"));
        p = topic_partition(t, 0);
        topic_unref(t);
        CHECK_INT(p->untouched, i == 0);
        CHECK_INT(partition_recovered_end(p), ends[i]);
        CHECK_INT(read_all(p, 0), ends[i]);
        partition_unref(p);
        world_close(&again);
    }
    world_close(&w);
}

static const struct test_case tests[] = {
    {"torn tail at every byte", test_torn_tail},
    {"bytes behind the end", test_bytes_behind},
    {"damage", test_damage},
    {"hole", test_hole},
    {"recovery point", test_recovery_point},
    {"below the start", test_below_start},
    {"the mark lied", test_mark_lied},
    {"killed", test_killed},
    {"power cut", test_power_cut},
    {"untouched since the checkpoint", test_untouched},
    {"the end of a recovered log", test_recovered_end},
    {NULL, NULL},
};
const struct test_suite test_recover = {"broker/log/recover", tests, log_quiet, log_loud};
