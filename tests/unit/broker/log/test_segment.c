/* tests/unit/broker/log/test_segment.c - one file: append, find, boundaries; the index never decides
 * what can be read, whatever its files hold. */
#include "broker/log/segment.h"

#include "base/fs.h"
#include "base/mem.h"
#include "broker/log_helpers.h"

enum { BATCHES = 100 };

static int numbers;

static char *new_dir(void)
{
    char *dir = xasprintf("%s/segment%d", test_dir(), numbers++);
    CHECK_OK(fs_mkdirs(dir, NULL));
    return dir;
}

/* Batch i holds 1 + i % 3 records from its offset on, at 10 i ms. */
static struct segment *make_segment(const char *dir, int64_t base)
{
    struct segment *s = segment_new(dir, base);
    struct strbuf b = STRBUF_INIT;
    int64_t next = base;
    CHECK_OK(segment_open(s, true, NULL));
    for (int i = 0; i < BATCHES; i++) {
        make_batch(
            &b, &(struct batch_spec){.count = 1 + i % 3, .value_bytes = 40, .timestamp = 10 * i});
        batch_assign(b.p, next, 0);
        next = batch_last_offset(b.p) + 1;
        CHECK_OK(segment_append(s, b.p, b.n, 300, NULL));
    }
    CHECK_INT(s->end, next);
    strbuf_release(&b);
    return s;
}

static struct segment *again(struct segment *s, const char *dir)
{
    int64_t base = s->base, size = s->size;
    segment_unref(s);
    s = segment_new(dir, base);
    s->size = size;
    s->indexed = false;
    return s;
}

/* Every offset is found in its batch, and every position has its boundary. */
static void check_all(struct segment *s)
{
    struct batch_at at;
    struct segment_scan scan;
    CHECK_OK(segment_index(s, NULL));
    for (int64_t offset = s->base; offset < s->end; offset++) {
        CHECK_OK(segment_find(s, offset, &at, &scan, NULL));
        CHECK(batch_base_offset(at.header) <= offset && batch_last_offset(at.header) >= offset);
    }
    CHECK_ERR(segment_find(s, s->end, &at, &scan, NULL), E_NOT_FOUND);
    int64_t before = 0;
    for (int64_t pos = 0; pos < s->size; pos += 13) {
        int64_t boundary, next;
        CHECK_OK(segment_boundary(s, 0, pos, &boundary, &next, NULL));
        CHECK(boundary <= pos && boundary >= before);
        before = boundary;
        CHECK_OK(segment_find(s, next, &at, &scan, NULL));
        CHECK_INT(at.pos, boundary);
    }
}

static void test_find(void)
{
    char *dir = new_dir();
    struct segment *s = make_segment(dir, 5000);
    CHECK(s->index.offsets_count > 10);
    CHECK_INT(s->max_timestamp, 10 * (BATCHES - 1));
    check_all(s);
    CHECK_OK(segment_seal(s, NULL));
    size_t entries = s->index.offsets_count;
    s = again(s, dir);
    check_all(s); /* with the index from its file */
    CHECK_INT(s->index.offsets_count, entries);
    CHECK_INT(s->max_timestamp, 10 * (BATCHES - 1));
    segment_forget_index(s);
    check_all(s); /* built anew */
    CHECK_INT(s->max_timestamp, 10 * (BATCHES - 1));
    segment_park(s, true);
    CHECK(!s->open && !s->indexed);
    check_all(s);
    segment_ref(s);
    segment_park(s, true); /* somebody reads it */
    CHECK(s->open);
    segment_unref(s);
    segment_unref(s);
    mem_free(dir);
}

static void put(const char *path, const char *bytes, size_t n)
{
    struct fs_file f;
    CHECK_OK(fs_open(&f, path, FS_WRITE | FS_CREATE | FS_TRUNC, NULL));
    CHECK_OK(fs_pwrite(&f, bytes, n, 0, NULL));
    fs_close(&f);
}

/* Offsets are found whatever the index files say. */
static void check_some(struct segment *s)
{
    struct batch_at at;
    struct segment_scan scan;
    for (int64_t offset = 0; offset < 2 * BATCHES - 1; offset += 7) {
        CHECK_OK(segment_find(s, offset, &at, &scan, NULL));
        CHECK(batch_base_offset(at.header) <= offset && batch_last_offset(at.header) >= offset);
    }
}

/* Index files cut at every length, and with each byte changed: reading goes on. */
static void test_damaged_index(void)
{
    char *dir = new_dir();
    struct segment *s = make_segment(dir, 0);
    CHECK_OK(segment_seal(s, NULL));
    char *paths[] = {xasprintf("%s.index", s->stem), xasprintf("%s.timeindex", s->stem)};
    struct strbuf whole[] = {STRBUF_INIT, STRBUF_INIT};
    for (size_t k = 0; k < 2; k++)
        CHECK_OK(fs_read_all(paths[k], 1 << 20, &whole[k], NULL));
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < whole[k].n; i++) {
            put(paths[!k], whole[!k].p, whole[!k].n);
            put(paths[k], whole[k].p, i);
            s = again(s, dir);
            check_some(s);
            whole[k].p[i] ^= 0x11;
            put(paths[!k], whole[!k].p, whole[!k].n);
            put(paths[k], whole[k].p, whole[k].n);
            whole[k].p[i] ^= 0x11;
            s = again(s, dir);
            check_some(s);
        }
    for (size_t k = 0; k < 2; k++) {
        strbuf_release(&whole[k]);
        mem_free(paths[k]);
    }
    segment_unref(s);
    mem_free(dir);
}

static void test_failed_append(void)
{
    char *dir = new_dir();
    struct segment *s = make_segment(dir, 0);
    struct strbuf b = STRBUF_INIT;
    struct fs_faults faults = {.fail_write_at = 1, .short_write = true};
    struct error e;
    int64_t size = s->size, end = s->end, on_disk;
    make_batch(&b, &(struct batch_spec){.count = 1});
    batch_assign(b.p, end, 0);
    fs_fault_set(&faults);
    CHECK_ERR(segment_append(s, b.p, b.n, 300, &e), E_IO);
    fs_fault_set(NULL);
    CHECK_INT(s->size, size);
    CHECK_INT(s->end, end);
    CHECK_OK(fs_size(&s->log, &on_disk, NULL));
    CHECK_INT(on_disk, size); /* the half that was written is cut off again */
    CHECK_OK(segment_append(s, b.p, b.n, 300, &e));
    check_all(s);
    strbuf_release(&b);
    segment_unref(s);
    mem_free(dir);
}

/* Blocks set aside never show: the file's size is what was written. */
static void test_reserved(void)
{
    char *dir = new_dir();
    struct segment *s = segment_new(dir, 0);
    struct strbuf b = STRBUF_INIT;
    int64_t size;
    CHECK_OK(segment_open(s, true, NULL));
    make_batch(&b, &(struct batch_spec){.value_bytes = 400000});
    for (int i = 0; i < 5; i++) {
        batch_assign(b.p, i, 0);
        CHECK_OK(segment_append(s, b.p, b.n, 4096, NULL));
        CHECK_OK(fs_size(&s->log, &size, NULL));
        CHECK_INT(size, s->size);
    }
    CHECK(s->reserved > s->size);
    CHECK_OK(segment_seal(s, NULL));
    CHECK_OK(fs_size(&s->log, &size, NULL));
    CHECK_INT(size, (int64_t)b.n * 5);
    strbuf_release(&b);
    segment_unref(s);
    mem_free(dir);
}

/* Markers of transactions do not count as times of records. */
static void test_markers(void)
{
    char *dir = new_dir();
    struct segment *s = make_segment(dir, 0);
    struct strbuf b = STRBUF_INIT;
    batch_control_build(&b, 999999, 5, 0, CONTROL_COMMIT, 0);
    batch_assign(b.p, s->end, 0);
    CHECK_OK(segment_append(s, b.p, b.n, 300, NULL));
    CHECK_INT(s->max_timestamp, 10 * (BATCHES - 1));
    strbuf_release(&b);
    segment_unref(s);
    mem_free(dir);
}

static const struct test_case tests[] = {
    {"find", test_find},
    {"damaged index", test_damaged_index},
    {"failed append", test_failed_append},
    {"reserved blocks", test_reserved},
    {"markers", test_markers},
    {NULL, NULL},
};
const struct test_suite test_segment = {"broker/log/segment", tests, log_quiet, log_loud};
