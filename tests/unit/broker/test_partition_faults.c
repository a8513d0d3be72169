/* tests/unit/broker/test_partition_faults.c - a disk that fails at the n-th call, a full disk, no
 * memory: appends answer 56, reads go on, other partitions are not concerned, and a new start has
 * everything that was acknowledged. */
#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
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

static const struct batch_spec some = {.count = 2, .value_bytes = 300, .timestamp = 1000};

/* Appends until one fails or `most` went well; the end offset that was acknowledged last. */
static int64_t append_until_failure(struct partition *p, int most, int16_t *code)
{
    struct partition_appended a;
    int64_t end = 0;
    *code = KERR_NONE;
    for (int i = 0; i < most && !*code; i++) {
        *code = append_batch(p, &some, &a);
        if (!*code)
            end = a.end_offset;
    }
    return end;
}

/* Everything that was acknowledged is there after a kill and a new start. */
static void check_restart(struct log_world *w, int64_t end)
{
    struct log_world again;
    struct partition_offsets o;
    world_killed(&again, w);
    world_start(&again);
    struct partition *p = partition_of(&again, "t");
    partition_offsets(p, &o);
    CHECK_INT(o.end, end);
    CHECK_INT(read_all(p, 0), end);
    CHECK_INT(append_records(p, 1, NULL), KERR_NONE);
    partition_unref(p);
    world_close(&again);
}

static void write_fault(int64_t n, bool half, int sys)
{
    struct log_world w;
    struct fs_faults faults = {.fail_write_at = n, .fail_errno = sys, .short_write = half};
    int16_t code;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=3000"),
                     *other = world_partition(&w, "other", "");
    fs_fault_set(&faults);
    int64_t end = append_until_failure(p, 12, &code);
    bool hit = fs_fault_hit();
    fs_fault_set(NULL);
    CHECK(hit);
    /* indexes and snapshots may fail without anybody noticing; a batch may not */
    CHECK(code == KERR_NONE || code == KERR_KAFKA_STORAGE_ERROR);
    CHECK_INT(read_all(p, 0), end);
    CHECK_INT(append_records(other, 1, NULL), KERR_NONE);
    int16_t later = append_batch(p, &some, NULL);
    if (code == KERR_NONE || sys == ENOSPC) {
        CHECK_INT(later, KERR_NONE);
        end += 2;
    } else {
        CHECK_INT(later, KERR_KAFKA_STORAGE_ERROR); /* until a new start */
    }
    CHECK_INT(read_all(p, 0), end);
    check_restart(&w, end);
    partition_unref(p);
    partition_unref(other);
    world_close(&w);
}

static void test_write_faults(void)
{
    for (int64_t n = 1; n <= 14; n++) {
        write_fault(n, false, EIO);
        write_fault(n, true, EIO);
    }
}

static void test_disk_full(void)
{
    for (int64_t n = 1; n <= 14; n++)
        write_fault(n, n % 2, ENOSPC);
}

static void test_open_faults(void)
{
    for (int64_t n = 1; n <= 8; n++) {
        struct log_world w;
        struct fs_faults faults = {.fail_open_at = n, .fail_errno = EMFILE};
        int16_t code;
        world_open(&w, test_dir());
        struct partition *p = world_partition(&w, "t", "segment.bytes=3000");
        fs_fault_set(&faults);
        int64_t end = append_until_failure(p, 12, &code);
        fs_fault_set(NULL);
        CHECK(code == KERR_NONE || code == KERR_KAFKA_STORAGE_ERROR);
        CHECK_INT(append_batch(p, &some, NULL), KERR_NONE); /* files are to be had again */
        CHECK_INT(read_all(p, 0), end + 2);
        check_restart(&w, end + 2);
        partition_unref(p);
        world_close(&w);
    }
}

static void test_sync_faults(void)
{
    for (int64_t n = 1; n <= 6; n++) {
        struct log_world w;
        struct fs_faults faults = {.fail_sync_at = n};
        int16_t code;
        world_open(&w, test_dir());
        struct partition *p = world_partition(&w, "t", "segment.bytes=3000"),
                         *other = world_partition(&w, "other", "");
        int64_t end = append_until_failure(p, 10, &code);
        CHECK_INT(code, KERR_NONE);
        fs_fault_set(&faults);
        enum err r = partition_sync(p, NULL);
        bool hit = fs_fault_hit();
        fs_fault_set(NULL);
        CHECK_ERR(r, hit ? E_IO : E_OK);
        CHECK_INT(append_batch(p, &some, NULL), hit ? KERR_KAFKA_STORAGE_ERROR : KERR_NONE);
        CHECK_INT(append_batch(other, &some, NULL), KERR_NONE);
        CHECK_OK(partition_sync(other, NULL));
        end += hit ? 0 : 2;
        CHECK_INT(read_all(p, 0), end);
        check_restart(&w, end);
        partition_unref(p);
        partition_unref(other);
        world_reopen(&w); /* an orderly stop is not a clean one then: everything is checked */
        p = partition_of(&w, "t");
        CHECK_INT(read_all(p, 0), end);
        CHECK_INT(append_batch(p, &some, NULL), KERR_NONE);
        partition_unref(p);
        world_close(&w);
    }
}

struct answer {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    int16_t code;
};

static void take_answer(void *arg, int16_t code)
{
    struct answer *a = arg;
    pthread_mutex_lock(&a->lock);
    a->done = true;
    a->code = code;
    pthread_cond_signal(&a->cond);
    pthread_mutex_unlock(&a->lock);
}

/* durability=sync: who waits is told. */
static void test_sync_fault_answer(void)
{
    struct log_world w;
    struct fs_faults faults = {.fail_sync_at = 1};
    struct partition_appended a;
    struct answer answer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};
    world_init(&w, test_dir());
    w.options.sync = true;
    world_start(&w);
    struct partition *p = world_partition(&w, "t", "");
    CHECK_INT(append_batch(p, &some, &a), KERR_NONE);
    fs_fault_set(&faults);
    partition_on_durable(p, a.end_offset, take_answer, &answer);
    pthread_mutex_lock(&answer.lock);
    while (!answer.done)
        pthread_cond_wait(&answer.cond, &answer.lock);
    pthread_mutex_unlock(&answer.lock);
    fs_fault_set(NULL);
    CHECK_INT(answer.code, KERR_KAFKA_STORAGE_ERROR);
    CHECK_INT(partition_synced_offset(p), 0);
    answer.code = 0;
    partition_on_durable(p, a.end_offset, take_answer, &answer); /* failed: at once */
    CHECK_INT(answer.code, KERR_KAFKA_STORAGE_ERROR);
    partition_unref(p);
    world_close(&w);
}

/* The n-th allocation fails in an append: the answer is 56 or nothing happened to it, and it goes
 * on. */
static void test_memory_append(void)
{
    struct log_world w;
    struct strbuf bytes = STRBUF_INIT;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=3000");
    int64_t end = 0;
    for (int64_t n = 1; n <= 12; n++) {
        struct batch_spec b = some;
        struct partition_appended a;
        b.producer_id = 100 + n;
        make_batch(&bytes, &b);
        mem_fail_at(n);
        int16_t code = partition_append(p, bytes.p, bytes.n, &a);
        mem_fail_at(0);
        CHECK(code == KERR_NONE || code == KERR_KAFKA_STORAGE_ERROR);
        CHECK(n > 1 || code == KERR_KAFKA_STORAGE_ERROR); /* the producer's entry */
        end += code ? 0 : 2;
        if (code)
            CHECK_INT(append_batch(p, &b, NULL), KERR_NONE); /* the client tries again */
        end += code ? 2 : 0;
    }
    CHECK_INT(read_all(p, 0), end);
    check_restart(&w, end);
    strbuf_release(&bytes);
    partition_unref(p);
    world_close(&w);
}

/* The same for a lookup by time, which reads and decompresses batches. */
static void test_memory_find(void)
{
    struct log_world w;
    struct partition_time t;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", "segment.bytes=3000 index.interval.bytes=100");
    for (int i = 0; i < 40; i++)
        append_batch(p,
                     &(struct batch_spec){
                         .count = 2, .value_bytes = 200, .timestamp = 10 * i, .codec = CODEC_GZIP},
                     NULL);
    for (int64_t n = 1; n <= 30; n++) {
        mem_fail_at(n);
        int16_t code = partition_find_time(p, 201, false, &t);
        mem_fail_at(0);
        CHECK(code == KERR_NONE || code == KERR_KAFKA_STORAGE_ERROR);
    }
    CHECK_INT(partition_find_time(p, 201, false, &t), KERR_NONE);
    CHECK_INT(t.offset, 41);
    partition_unref(p);
    world_close(&w);
}

/* A log that cannot be read does not stop the others, nor the start. */
static void test_unreadable(void)
{
    struct log_world w;
    struct fs_faults faults = {.fail_open_at = 1};
    struct partition_read r;
    world_open(&w, test_dir());
    struct partition *p = world_partition(&w, "t", ""), *other = world_partition(&w, "other", "");
    append_records(p, 3, NULL);
    append_records(other, 3, NULL);
    partition_unref(p);
    partition_unref(other);
    world_reopen(&w);
    p = partition_of(&w, "t");
    other = partition_of(&w, "other");
    fs_fault_set(&faults);
    CHECK_INT(partition_read(p, 0, 1000, true, false, NULL, &r), KERR_KAFKA_STORAGE_ERROR);
    fs_fault_set(NULL);
    CHECK_INT(read_all(other, 0), 3);
    partition_unref(p);
    partition_unref(other);
    world_reopen(&w);
    p = partition_of(&w, "t");
    CHECK_INT(read_all(p, 0), 3);
    partition_unref(p);
    world_close(&w);
}

/* Making topics on a disk that fails: there afterwards, or not there; never half. */
static void test_create_faults(void)
{
    for (int64_t n = 1; n <= 8; n++) {
        struct log_world w;
        struct fs_faults faults = {.fail_write_at = n, .fail_errno = ENOSPC};
        struct topic_spec spec = {.name = SL("new"), .partitions = 3};
        struct error e;
        world_open(&w, test_dir());
        fs_fault_set(&faults);
        enum err r = topics_create(w.topics, &spec, false, NULL, &e);
        fs_fault_set(NULL);
        struct topic *t = topics_get(w.topics, SL("new"));
        CHECK((t != NULL) == (r == E_OK));
        CHECK(t != NULL || !world_has(&w, "new-0"));
        topic_unref(t);
        if (r != E_OK)
            CHECK_OK(topics_create(w.topics, &spec, false, NULL, &e));
        world_reopen(&w);
        struct partition *p = partition_of(&w, "new");
        CHECK_INT(append_records(p, 1, NULL), KERR_NONE);
        partition_unref(p);
        world_close(&w);
    }
}

static const struct test_case tests[] = {
    {"n-th write fails", test_write_faults},
    {"disk full", test_disk_full},
    {"n-th open fails", test_open_faults},
    {"n-th sync fails", test_sync_faults},
    {"a failed sync is answered", test_sync_fault_answer},
    {"no memory: append", test_memory_append},
    {"no memory: find", test_memory_find},
    {"unreadable", test_unreadable},
    {"creating on a failing disk", test_create_faults},
    {NULL, NULL},
};
const struct test_suite test_partition_faults = {"broker/partition faults", tests, log_quiet,
                                                 log_loud};
