/* tests/unit/broker/log/test_plog.c - the log of one partition below its lock: rolling, runs within
 * limits, what has to be synced, files given back; checkpoints and the directory of all logs. */
#include "broker/log/plog.h"

#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "broker/log/logdir.h"
#include "broker/log_helpers.h"

static int numbers;

static char *new_path(void)
{
    return xasprintf("%s/plog%d", test_dir(), numbers++);
}

static struct topic_config config(int32_t segment_bytes)
{
    struct topic_config c;
    topic_config_compute(&c, NULL, NULL, NULL);
    c.segment_bytes = segment_bytes;
    c.index_interval_bytes = 200;
    return c;
}

static void append(struct plog *l, const struct topic_config *c, int count)
{
    struct strbuf b = STRBUF_INIT;
    make_batch(&b, &(struct batch_spec){.count = count, .value_bytes = 30, .timestamp = l->end});
    if (plog_must_roll(l, c, b.p, b.n))
        CHECK_OK(plog_roll(l, NULL));
    batch_assign(b.p, l->end, 0);
    CHECK_OK(plog_append(l, c, b.p, b.n, NULL));
    strbuf_release(&b);
}

static char *create(struct plog *l)
{
    struct uuid id;
    char *dir = new_path();
    uuid_random(&id);
    CHECK_OK(plog_create(l, dir, &id, NULL));
    return dir;
}

static void test_roll(void)
{
    struct topic_config c = config(1000);
    struct plog l;
    char *dir = create(&l);
    for (int i = 0; i < 40; i++)
        append(&l, &c, 2);
    CHECK(l.count > 4);
    for (size_t i = 1; i < l.count; i++) {
        CHECK_INT(l.segments[i]->base, l.segments[i - 1]->end);
        CHECK(l.segments[i - 1]->size <= 1000);
    }
    CHECK_INT(plog_segment_of(&l, 0), 0);
    CHECK_INT(plog_segment_of(&l, l.end), l.count - 1);
    CHECK_INT(plog_segment_of(&l, l.segments[2]->base), 2);
    CHECK_INT(plog_segment_of(&l, l.segments[2]->base - 1), 1);
    c.segment_index_bytes = 8;
    c.segment_bytes = 1 << 20;
    append(&l, &c, 2); /* an index that is full rolls, too */
    size_t before = l.count;
    for (int i = 0; i < 20; i++)
        append(&l, &c, 2);
    CHECK(l.count > before);
    plog_release(&l);
    mem_free(dir);
}

/* A roll that fails leaves nothing behind: the empty file would look like the log's end. */
static void test_failed_roll(void)
{
    struct topic_config c = config(1000);
    struct plog l;
    struct fs_faults faults = {.fail_open_at = 1};
    char *dir = create(&l);
    append(&l, &c, 2);
    append(&l, &c, 2);
    fs_fault_set(&faults);
    CHECK_ERR(plog_roll(&l, NULL), E_IO);
    fs_fault_set(NULL);
    CHECK_INT(l.count, 1);
    append(&l, &c, 2);
    plog_release(&l);
    struct plog_load how = {.clean = true, .start = -1};
    struct plog_loaded done;
    CHECK_OK(plog_load(&l, dir, &how, &done, NULL));
    CHECK_INT(l.end, 6);
    plog_release(&l);
    mem_free(dir);
}

static void test_limits(void)
{
    struct topic_config c = config(1000);
    struct plog l;
    struct plog_run run;
    char *dir = create(&l);
    for (int i = 0; i < 60; i++)
        append(&l, &c, 3);
    for (int hot = 0; hot < 2; hot++) {
        for (int64_t limit = 0; limit <= l.end; limit += 3)
            for (int64_t from = 0; from < l.end; from += 5) {
                int64_t bytes;
                CHECK_OK(plog_read(&l, from, limit, 1 << 20, true, &run, NULL));
                CHECK_OK(plog_available(&l, from, limit, &bytes, NULL));
                CHECK_INT(run.n, bytes);
                CHECK(run.next_offset <= MAX(limit, from));
                CHECK((run.n > 0) == (from < limit));
                segment_unref(run.segment);
            }
        mem_free(l.recent); /* from files alone */
        l.recent = NULL;
    }
    plog_release(&l);
    mem_free(dir);
}

static void test_dirty(void)
{
    struct topic_config c = config(1000);
    struct plog l;
    struct plog_dirty d;
    char *dir = create(&l);
    plog_dirty_take(&l, &d);
    CHECK_INT(d.count, 0);
    CHECK(d.dir == NULL);
    CHECK_OK(plog_dirty_sync(&d, NULL));
    for (int i = 0; i < 40; i++)
        append(&l, &c, 2);
    plog_park(&l, true); /* nothing may be closed before it is durable */
    for (size_t i = 0; i < l.count; i++)
        CHECK(l.segments[i]->open);
    plog_dirty_take(&l, &d);
    CHECK_INT(d.count, l.count);
    CHECK_INT(d.sealed, l.count - 1);
    CHECK(d.dir != NULL);
    CHECK_INT(d.end, 80);
    CHECK_OK(plog_dirty_sync(&d, NULL));
    l.recovery_point = d.end;
    plog_park(&l, true);
    for (size_t i = 0; i < l.count; i++)
        CHECK(!l.segments[i]->open);
    append(&l, &c, 2);
    plog_dirty_take(&l, &d);
    CHECK(d.count <= 2);
    struct fs_faults faults = {.fail_sync_at = 1};
    fs_fault_set(&faults);
    CHECK_ERR(plog_dirty_sync(&d, NULL), E_IO);
    fs_fault_set(NULL);
    plog_release(&l);
    mem_free(dir);
}

static void test_start(void)
{
    struct topic_config c = config(1000);
    struct plog l;
    struct segment **gone;
    size_t count;
    char *dir = create(&l);
    for (int i = 0; i < 40; i++)
        append(&l, &c, 2);
    size_t all = l.count;
    plog_set_start(&l, l.segments[2]->base + 1, &gone, &count);
    CHECK_INT(count, 2);
    CHECK_INT(l.count, all - 2);
    for (size_t i = 0; i < count; i++) {
        plog_remove_files(gone[i]);
        segment_unref(gone[i]);
    }
    mem_free(gone);
    struct plog_run run;
    for (int64_t at = l.start; at < l.end; at++) {
        CHECK_OK(plog_read(&l, at, l.end, 1, true, &run, NULL));
        CHECK(run.n > 0);
        segment_unref(run.segment);
    }
    plog_set_start(&l, l.end, &gone, &count);
    CHECK_INT(l.count, 1); /* the active one stays */
    for (size_t i = 0; i < count; i++)
        segment_unref(gone[i]);
    mem_free(gone);
    CHECK_OK(plog_read(&l, l.end, l.end, 1, true, &run, NULL));
    CHECK_INT(run.n, 0);
    append(&l, &c, 1);
    CHECK_OK(plog_read(&l, 80, l.end, 1, true, &run, NULL));
    CHECK_INT(run.next_offset, 81);
    segment_unref(run.segment);
    plog_release(&l);
    mem_free(dir);
}

static void test_snapshots(void)
{
    struct topic_config c = config(1 << 20);
    struct plog l;
    char *dir = create(&l);
    for (int i = 0; i < 5; i++)
        append(&l, &c, 2);
    CHECK_INT(plog_newest_snapshot(&l, l.end), -1);
    for (int64_t at = 0; at <= 12; at += 4) {
        char *path = plog_snapshot_path(&l, at);
        CHECK_OK(fs_replace(path, SL("x"), NULL));
        mem_free(path);
    }
    CHECK_INT(plog_newest_snapshot(&l, l.end), 8); /* 12 is beyond the end: of a log that was cut */
    plog_tidy_snapshots(&l, 8);
    char *kept = plog_snapshot_path(&l, 8), *beyond = plog_snapshot_path(&l, 12),
         *old = plog_snapshot_path(&l, 4);
    CHECK(fs_exists(kept));
    CHECK(!fs_exists(beyond));
    CHECK(!fs_exists(old));
    mem_free(kept);
    mem_free(beyond);
    mem_free(old);
    plog_release(&l);
    mem_free(dir);
}

/* --- checkpoints and the directory ------------------------------------------------------------ */

static void test_checkpoint(void)
{
    struct checkpoint c, again;
    char *path = new_path();
    checkpoint_init(&c);
    checkpoint_init(&again);
    checkpoint_set(&c, SL("orders"), 0, 1234);
    checkpoint_set(&c, SL("orders"), 10, 0);
    checkpoint_set(&c, SL("a-1"), 2, INT64_MAX);
    CHECK_OK(checkpoint_save(&c, path, NULL));
    checkpoint_load(&again, path);
    CHECK_INT(checkpoint_get(&again, SL("orders"), 0), 1234);
    CHECK_INT(checkpoint_get(&again, SL("orders"), 10), 0);
    CHECK_INT(checkpoint_get(&again, SL("a-1"), 2), INT64_MAX);
    CHECK_INT(checkpoint_get(&again, SL("orders"), 1), -1);
    checkpoint_release(&again);
    static const char *const broken[] = {"", "1\n1\na 0 5\n", "0\n", "0\n1\na b\n", "x"};
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        checkpoint_init(&again);
        CHECK_OK(fs_replace(path, slice_cstr(broken[i]), NULL));
        checkpoint_load(&again, path);
        CHECK_INT(again.offsets.count, 0);
        checkpoint_release(&again);
    }
    checkpoint_release(&c);
    struct epoch_entry e[] = {{0, 0}, {3, 17}}, *read;
    size_t n;
    CHECK_OK(epochs_save(path, e, 2, NULL));
    epochs_load(path, &read, &n);
    CHECK_INT(n, 2);
    CHECK(n == 2 && read[1].epoch == 3 && read[1].start == 17);
    mem_free(read);
    mem_free(path);
}

static void test_names(void)
{
    struct slice topic;
    int32_t n;
    CHECK(logdir_parse("orders-0", &topic, &n));
    CHECK_SLICE(topic, SL("orders"));
    CHECK_INT(n, 0);
    CHECK(logdir_parse("a-b-12", &topic, &n));
    CHECK_SLICE(topic, SL("a-b"));
    CHECK_INT(n, 12);
    CHECK(!logdir_parse("orders", &topic, &n));
    CHECK(!logdir_parse("orders-", &topic, &n));
    CHECK(!logdir_parse("-1", &topic, &n));
    CHECK(!logdir_parse("orders-x", &topic, &n));
    CHECK(!logdir_parse("orders-+1", &topic, &n));
    CHECK(!logdir_parse("orders-99999999999", &topic, &n));
    struct logdir d = {.path = (char *)(uintptr_t) "/x"};
    char longest[249];
    memset(longest, 'a', sizeof longest);
    char *gone = logdir_deleted_path(&d, slice_of(longest, sizeof longest), 12345);
    CHECK_INT(strlen(gone) - strlen("/x/"), 255);
    CHECK(slice_ends(slice_cstr(gone), SL("-delete")));
    mem_free(gone);
}

static void test_logdir(void)
{
    struct logdir d, second;
    struct error e;
    char *path = new_path(), *meta = xasprintf("%s/meta.properties", path), id[UUID_TEXT_SIZE];
    CHECK_OK(logdir_open(&d, path, 1, &e));
    CHECK(!d.clean);
    memcpy(id, d.cluster_id, sizeof id);
    CHECK_ERR(logdir_open(&second, path, 1, &e), E_CONFLICT);
    CHECK_OK(logdir_begin(&d, &e));
    logdir_close(&d, true);
    CHECK_OK(logdir_open(&d, path, 7, &e)); /* another node.id: taken over */
    CHECK(d.clean);
    CHECK_STR(d.cluster_id, id);
    CHECK_OK(logdir_begin(&d, &e));
    logdir_close(&d, false);
    CHECK_OK(logdir_open(&d, path, 7, &e));
    CHECK(!d.clean);
    logdir_close(&d, false);
    struct strbuf text = STRBUF_INIT;
    CHECK_OK(fs_read_all(meta, 10000, &text, &e));
    CHECK(strstr(text.p, "node.id=7\n") != NULL);
    CHECK(strstr(text.p, "version=1\n") != NULL);
    CHECK(strstr(text.p, "directory.id=") != NULL);
    strbuf_release(&text);
    mem_free(meta);
    mem_free(path);
}

static const struct test_case tests[] = {
    {"roll", test_roll},
    {"failed roll", test_failed_roll},
    {"limits", test_limits},
    {"what to sync", test_dirty},
    {"log start", test_start},
    {"snapshots", test_snapshots},
    {"checkpoints", test_checkpoint},
    {"names of directories", test_names},
    {"directory", test_logdir},
    {NULL, NULL},
};
const struct test_suite test_plog = {"broker/log/plog", tests, NULL, NULL};
