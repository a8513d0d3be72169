/* tests/unit/broker/test_partition_txn.c - transactions in one partition: who may write, where the
 * last stable offset stands, which records a reader of committed data sees; across kills and faults.
 * SPEC: broker 7.2, 7.3. */
#include <errno.h>
#include <stdlib.h>

#include "base/fs.h"
#include "base/mem.h"
#include "broker/partition.h"
#include "broker/proto/kerr.h"
#include "log_helpers.h"

static struct partition *partition_of(struct log_world *w, const char *name)
{
    struct topic *t = topics_get(w->topics, slice_cstr(name));
    CU_ASSERT_FATAL(t != NULL);
    struct partition *p = topic_partition(t, 0);
    topic_unref(t);
    return p;
}

static int16_t put(struct partition *p, int64_t pid, int16_t epoch, int32_t sequence, int count)
{
    return append_batch(p,
                        &(struct batch_spec){.count = count,
                                             .timestamp = 1000,
                                             .producer_id = pid,
                                             .producer_epoch = epoch,
                                             .sequence = sequence,
                                             .transactional = true},
                        NULL);
}

static int16_t end(struct partition *p, int64_t pid, int16_t epoch, bool commit)
{
    int64_t offset;
    return partition_append_marker(
        p,
        &(struct partition_marker){.producer_id = pid, .producer_epoch = epoch, .commit = commit},
        &offset);
}

static void check_offsets(struct partition *p, int64_t stable, int64_t log_end)
{
    struct partition_offsets o;
    CHECK_INT(partition_offsets(p, &o), KERR_NONE);
    CHECK_INT(o.stable, stable);
    CHECK_INT(o.end, log_end);
}

static void test_rules(void)
{
    struct log_world w;
    struct partition_appended a;
    struct strbuf b = STRBUF_INIT;
    uint64_t guard, again;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "");
    const struct batch_spec first = {.producer_id = 7, .transactional = true};
    make_batch(&b, &first);
    CHECK_INT(partition_append(p, b.p, b.n, &a), KERR_INVALID_TXN_STATE); /* nobody asked */
    CHECK_INT(partition_txn_guard(p, b.p, &guard), KERR_NONE);
    CHECK(guard != 0);
    CHECK_INT(partition_txn_guard(p, b.p, &again), KERR_NONE);
    CHECK_INT(again, guard);
    CHECK_INT(partition_append_txn(p, b.p, b.n, guard + 1, &a), KERR_INVALID_TXN_STATE);
    CHECK_INT(end(p, 7, 0, false), KERR_NONE); /* ends before it began: the guard is void */
    CHECK_INT(partition_append_txn(p, b.p, b.n, guard, &a), KERR_INVALID_TXN_STATE);
    CHECK_INT(partition_txn_guard(p, b.p, &guard), KERR_NONE);
    CHECK_INT(partition_append_txn(p, b.p, b.n, guard, &a), KERR_NONE);
    CHECK_INT(a.base_offset, 1);
    check_offsets(p, 1, 2);
    make_batch(&b, &first); /* the same once more: known, whatever happened since */
    CHECK_INT(partition_append(p, b.p, b.n, &a), KERR_NONE);
    CHECK(a.duplicate);
    CHECK_INT(put(p, 7, 0, 1, 1), KERR_NONE); /* needs no guard any more */
    make_batch(&b, &(struct batch_spec){.producer_id = 7, .sequence = 2}); /* outside of it */
    CHECK_INT(partition_append(p, b.p, b.n, &a), KERR_INVALID_TXN_STATE);
    CHECK_INT(put(p, 7, 1, 0, 1), KERR_INVALID_TXN_STATE); /* of another epoch */
    CHECK_INT(put(p, 7, 0, 5, 1), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    CHECK_INT(end(p, 7, 1, true), KERR_NONE); /* the marker brings the next epoch */
    check_offsets(p, 4, 4);
    make_batch(&b, &first);
    CHECK_INT(partition_append(p, b.p, b.n, &a), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(end(p, 7, 0, true), KERR_INVALID_PRODUCER_EPOCH);
    CHECK_INT(put(p, 7, 1, 2, 1), KERR_OUT_OF_ORDER_SEQUENCE_NUMBER); /* it starts at 0 again */
    CHECK_INT(put(p, 7, 1, 0, 1), KERR_NONE);
    int64_t at;
    struct partition_marker m = {.producer_id = 7, .producer_epoch = 1, .coordinator_epoch = 3};
    CHECK_INT(partition_append_marker(p, &m, &at), KERR_NONE);
    CHECK_INT(at, 6);
    m.coordinator_epoch = 2;
    CHECK_INT(partition_append_marker(p, &m, &at), KERR_TRANSACTION_COORDINATOR_FENCED);
    strbuf_release(&b);
    partition_unref(p);
    world_close(&w);
}

/* Deleting records below which a transaction is open does not hide what comes after. */
static void test_delete_records(void)
{
    struct log_world w;
    int64_t low;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=300");
    CHECK_INT(put(p, 7, 0, 0, 2), KERR_NONE);
    for (int i = 0; i < 10; i++)
        CHECK_INT(append_records(p, 2, NULL), KERR_NONE);
    check_offsets(p, 0, 22);
    CHECK_INT(partition_delete_records(p, 10, &low), KERR_NONE);
    check_offsets(p, 10, 22);
    CHECK_INT(append_records(p, 1, NULL), KERR_NONE);
    CHECK_INT(end(p, 7, 0, false), KERR_NONE);
    check_offsets(p, 24, 24);
    partition_unref(p);
    world_close(&w);
}

static void count_wake(void *arg)
{
    ++*(_Atomic int *)arg;
}

static void test_wakes(void)
{
    struct log_world w;
    _Atomic int woken = 0;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "");
    CHECK_INT(put(p, 7, 0, 0, 1), KERR_NONE);
    struct wait *one = wait_new(count_wake, NULL, &woken);
    CHECK(!partition_wait(p, 0, true, one));
    CHECK_INT(end(p, 7, 0, true), KERR_NONE);
    CHECK_INT(woken, 1);
    CHECK(partition_wait(p, 0, true, one));
    wait_unref(one);
    partition_unref(p);
    world_close(&w);
}

/* --- against a model -------------------------------------------------------------------------- */

enum { PRODUCERS = 6, OFFSETS = 4000 };
struct model {
    struct {
        int16_t epoch;
        int32_t sequence;
        int64_t open; /* first offset, or -1 */
    } of[PRODUCERS];
    int64_t end;
    int8_t fate[OFFSETS]; /* of each offset: 0 marker, 1 visible, 2 aborted, 3 open */
    int8_t owner[OFFSETS];
    unsigned seed;
};

static int rnd(struct model *m, int n)
{
    return rand_r(&m->seed) % n;
}

static int64_t model_stable(const struct model *m)
{
    int64_t stable = m->end;
    for (int i = 0; i < PRODUCERS; i++)
        if (m->of[i].open >= 0)
            stable = MIN(stable, m->of[i].open);
    return stable;
}

static void model_step(struct model *m, struct partition *p)
{
    int i = rnd(m, PRODUCERS), count = 1 + rnd(m, 3);
    if (m->end + count >= OFFSETS)
        return;
    if (rnd(m, 5) == 0) { /* somebody without transactions */
        CHECK_INT(append_records(p, count, NULL), KERR_NONE);
        for (int k = 0; k < count; k++)
            m->fate[m->end++] = 1;
    } else if (rnd(m, 3)) {
        CHECK_INT(put(p, 10 + i, m->of[i].epoch, m->of[i].sequence, count), KERR_NONE);
        if (m->of[i].open < 0)
            m->of[i].open = m->end;
        m->of[i].sequence += count;
        for (int k = 0; k < count; k++, m->end++) {
            m->fate[m->end] = 3;
            m->owner[m->end] = (int8_t)i;
        }
    } else { /* the end of a transaction, or a marker without one */
        bool commit = rnd(m, 2), bump = rnd(m, 2);
        if (bump) {
            m->of[i].epoch++;
            m->of[i].sequence = 0;
        }
        CHECK_INT(end(p, 10 + i, m->of[i].epoch, commit), KERR_NONE);
        for (int64_t o = m->of[i].open; o >= 0 && o < m->end; o++)
            if (m->fate[o] == 3 && m->owner[o] == i)
                m->fate[o] = commit ? 1 : 2;
        m->of[i].open = -1;
        m->fate[m->end++] = 0;
    }
}

/* What a client does with a fetched range: offsets of the records that it hands on are marked. */
static int64_t consume(struct slice bytes, const struct partition_read *r, bool *seen)
{
    struct slice batch;
    bool aborted[PRODUCERS] = {false};
    size_t next = 0;
    int64_t at = -1;
    while (batch_split(&bytes, &batch)) {
        int64_t pid = batch_producer_id(batch.p), last = batch_last_offset(batch.p);
        for (; next < r->aborted_count && r->aborted[next].first_offset <= last; next++)
            aborted[r->aborted[next].producer_id - 10] = true;
        at = last + 1;
        if (batch_is_control(batch.p)) {
            enum control_type type;
            CHECK_OK(batch_control_parse(batch, &type, NULL));
            if (type == CONTROL_ABORT)
                aborted[pid - 10] = false;
        } else if (!batch_is_transactional(batch.p) || !aborted[pid - 10]) {
            for (int64_t o = batch_base_offset(batch.p); o <= last; o++)
                seen[o] = true;
        }
    }
    return at;
}

static void check_committed(const struct model *m, struct partition *p, int64_t from,
                            size_t max_bytes)
{
    static bool seen[OFFSETS];
    int64_t stable = model_stable(m), at = from;
    struct strbuf bytes = STRBUF_INIT;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    memset(seen, 0, sizeof seen);
    check_offsets(p, stable, m->end);
    while (at < stable) {
        struct partition_read r;
        CHECK_INT(partition_read(p, at, max_bytes, true, true, &a, &r), KERR_NONE);
        if (!r.range.n)
            break;
        strbuf_reset(&bytes);
        CHECK_OK(file_range_read(&r.range, &bytes, NULL));
        file_range_release(&r.range);
        at = consume(strbuf_slice(&bytes), &r, seen);
        arena_reset(&a);
    }
    CHECK_INT(at, MAX(stable, from));
    for (int64_t o = from; o < m->end; o++)
        if (seen[o] != (m->fate[o] == 1 && o < stable)) {
            CHECK_INT(seen[o], !seen[o]);
            fprintf(stderr, "offset %lld\n", (long long)o);
            break;
        }
    arena_release(&a);
    strbuf_release(&bytes);
}

static void check_model(struct model *m, struct partition *p)
{
    check_committed(m, p, 0, 100000);
    check_committed(m, p, 0, 1); /* batch by batch */
    check_committed(m, p, rnd(m, (int)m->end + 1), 700);
}

static void test_model(void)
{
    for (unsigned seed = 1; seed <= 8; seed++) {
        struct log_world w;
        struct model m = {.seed = seed};
        for (int i = 0; i < PRODUCERS; i++)
            m.of[i].open = -1;
        world_open(&w, test_dir());
        struct partition *p = world_partition(&w, "t", "segment.bytes=1500");
        for (int round = 0; round < 12; round++) {
            for (int i = 0; i < 25; i++)
                model_step(&m, p);
            check_model(&m, p);
            if (rnd(&m, 3) == 0)
                CHECK_OK(partition_sync(p, NULL));
            if (rnd(&m, 2) == 0) { /* a kill: what comes up has everything */
                struct log_world killed;
                world_killed(&killed, &w);
                world_start(&killed);
                struct partition *q = partition_of(&killed, "t");
                check_model(&m, q);
                partition_unref(q);
                world_close(&killed);
            } else {
                partition_unref(p);
                world_reopen(&w);
                p = partition_of(&w, "t");
                check_model(&m, p);
            }
        }
        partition_unref(p);
        world_close(&w);
    }
}

/* The lists of aborted transactions are gone, or not to be read: made anew after a kill. */
static void test_lost_index(void)
{
    for (int how = 0; how < 3; how++) {
        struct log_world w, killed;
        struct model m = {.seed = 77};
        for (int i = 0; i < PRODUCERS; i++)
            m.of[i].open = -1;
        world_open(&w, test_dir());
        struct partition *p = world_partition(&w, "t", "segment.bytes=1500");
        for (int i = 0; i < 150; i++)
            model_step(&m, p);
        world_killed(&killed, &w);
        char *command =
            xasprintf(how == 0   ? "rm '%s'/t-0/*.txnindex"
                      : how == 1 ? "truncate -s 50 '%s'/t-0/*.txnindex"
                                 : "for f in '%s'/t-0/*.txnindex; do "
                                   "printf zzzz | dd of=$f conv=notrunc status=none; done",
                      killed.dir);
        CHECK_INT(system(command), 0);
        mem_free(command);
        world_start(&killed);
        struct partition *q = partition_of(&killed, "t");
        check_model(&m, q);
        partition_unref(q);
        partition_unref(p);
        world_close(&killed);
        world_close(&w);
    }
}

/* Lists of segments that are not there (a power cut took those alone) say nothing about new ones. */
static void test_list_without_segment(void)
{
    struct log_world w;
    struct arena a;
    struct partition_read r;
    struct fs_file f;
    static const uint8_t entry[34] = {[9] = 7, [25] = 200, [33] = 201}; /* 7 aborted [0, 200] */
    arena_init(&a, 0, ARENA_NO_BUDGET);
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=300");
    CHECK_INT(append_records(p, 2, NULL), KERR_NONE);
    for (int base = 3; base < 40; base++) {
        char *path = xasprintf("%s/t-0/%020d.txnindex", w.dir, base);
        CHECK_OK(fs_open(&f, path, FS_WRITE | FS_CREATE, NULL));
        CHECK_OK(fs_pwrite(&f, entry, sizeof entry, 0, NULL));
        fs_close(&f);
        mem_free(path);
    }
    for (int i = 0; i < 8; i++) {
        CHECK_INT(put(p, 7, 0, 2 * i, 2), KERR_NONE);
        CHECK_INT(end(p, 7, 0, i % 2), KERR_NONE);
    }
    size_t found = 0;
    for (int64_t at = 0; at < 26; at = r.next_offset) {
        CHECK_INT(partition_read(p, at, 1, true, true, &a, &r), KERR_NONE);
        for (size_t i = 0; i < r.aborted_count; i++)
            CHECK(r.aborted[i].first_offset >= 2 && r.aborted[i].last_offset < 26);
        found += r.aborted_count;
        if (r.range.n)
            file_range_release(&r.range);
        else
            break;
    }
    CHECK(found >= 4);
    arena_release(&a);
    partition_unref(p);
    world_close(&w);
}

/* The machine goes down: a beginning of the log is there, and all that is said of its transactions
 * is what was true when it ended there. */
static void test_power_cut(void)
{
    enum { STEPS = 150 };
    static struct model at[STEPS];
    for (unsigned seed = 1; seed <= 30; seed++) {
        struct log_world w, after;
        struct partition_offsets o;
        struct model m = {.seed = seed};
        int found = -1;
        for (int i = 0; i < PRODUCERS; i++)
            m.of[i].open = -1;
        world_init(&w, test_dir());
        fs_power_begin(w.dir);
        world_start(&w);
        struct partition *p = world_partition(&w, "t", "segment.bytes=1500");
        for (int i = 0; i < STEPS; i++) {
            model_step(&m, p);
            at[i] = m;
            if (rnd(&m, 30) == 0)
                CHECK_OK(partition_sync(p, NULL));
        }
        int64_t synced = partition_synced_offset(p);
        fs_power_cut(seed);
        partition_unref(p);
        world_killed(&after, &w);
        fs_power_begin(NULL);
        CHECK_OK(topics_delete(w.topics, SL("t"), NULL)); /* its files are not what it wrote */
        world_close(&w);
        world_start(&after);
        p = partition_of(&after, "t");
        CHECK_INT(partition_offsets(p, &o), KERR_NONE);
        CHECK(o.end >= synced);
        for (int i = 0; i < STEPS; i++)
            if (at[i].end == o.end)
                found = i;
        CHECK(found >= 0 || o.end == 0 || o.start > 0);
        if (found >= 0 && o.start == 0) {
            check_model(&at[found], p);
            for (int i = 0; i < 20; i++) /* and it goes on from there */
                model_step(&at[found], p);
            check_model(&at[found], p);
        }
        partition_unref(p);
        world_close(&after);
    }
}

/* A disk that fails at the n-th write: the marker is there as a whole, or not at all; after a new
 * start everything is as it was answered. */
static void marker_fault(int64_t n, int sys)
{
    struct log_world w, killed;
    struct fs_faults faults = {.fail_write_at = n, .fail_errno = sys, .short_write = true};
    struct arena a;
    struct partition_read r;
    world_open(&w, test_dir());
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct partition *p = world_partition(&w, "t", "segment.bytes=260");
    CHECK_INT(put(p, 7, 0, 0, 2), KERR_NONE);
    CHECK_INT(append_records(p, 2, NULL), KERR_NONE);
    fs_fault_set(&faults);
    int16_t code = end(p, 7, 0, false);
    fs_fault_set(NULL);
    CHECK(code == KERR_NONE || code == KERR_KAFKA_STORAGE_ERROR);
    check_offsets(p, code ? 0 : 5, code ? 4 : 5);
    if (code && sys == ENOSPC)
        CHECK_INT(end(p, 7, 0, false), KERR_NONE);
    world_killed(&killed, &w);
    world_start(&killed);
    struct partition *q = partition_of(&killed, "t");
    if (code && sys != ENOSPC) {
        check_offsets(q, 0, 4);
        CHECK_INT(end(q, 7, 0, false), KERR_NONE);
    }
    check_offsets(q, 5, 5);
    CHECK_INT(partition_read(q, 0, 10000, true, true, &a, &r), KERR_NONE);
    CHECK_INT(r.aborted_count, 1);
    file_range_release(&r.range);
    partition_unref(q);
    partition_unref(p);
    arena_release(&a);
    world_close(&killed);
    world_close(&w);
}

static void test_faults(void)
{
    for (int64_t n = 1; n <= 6; n++) {
        marker_fault(n, ENOSPC);
        marker_fault(n, EIO);
    }
}

static void test_memory(void)
{
    struct log_world w;
    struct strbuf b = STRBUF_INIT;
    uint64_t guard;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "");
    CHECK_INT(append_records(p, 1, NULL), KERR_NONE); /* opens what is to be opened */
    make_batch(&b, &(struct batch_spec){.producer_id = 9, .transactional = true});
    mem_fail_at(1);
    CHECK_INT(partition_txn_guard(p, b.p, &guard), KERR_KAFKA_STORAGE_ERROR);
    mem_fail_at(0);
    CHECK_INT(put(p, 9, 0, 0, 1), KERR_NONE);
    for (int64_t n = 1;; n++) {
        mem_fail_at(n);
        int16_t code = end(p, 9, 0, false);
        mem_fail_at(0);
        if (code == KERR_NONE)
            break;
        CHECK_INT(code, KERR_KAFKA_STORAGE_ERROR);
        check_offsets(p, 1, 2);
    }
    check_offsets(p, 3, 3);
    struct partition_read r;
    for (int64_t n = 1;; n++) {
        mem_fail_at(n);
        int16_t code = partition_read(p, 0, 10000, true, true, &a, &r);
        mem_fail_at(0);
        if (code == KERR_NONE)
            break;
        CHECK_INT(code, KERR_KAFKA_STORAGE_ERROR);
        CHECK(r.range.segment == NULL);
    }
    CHECK_INT(r.aborted_count, 1);
    file_range_release(&r.range);
    arena_release(&a);
    strbuf_release(&b);
    partition_unref(p);
    world_close(&w);
}

static const struct test_case tests[] = {
    {"rules", test_rules},
    {"deleted records", test_delete_records},
    {"wakes readers of committed data", test_wakes},
    {"model", test_model},
    {"lost index", test_lost_index},
    {"list without its segment", test_list_without_segment},
    {"power cut", test_power_cut},
    {"faults", test_faults},
    {"memory", test_memory},
    {NULL, NULL},
};
const struct test_suite test_partition_txn = {"broker/partition_producers", tests, log_quiet,
                                              log_loud};
