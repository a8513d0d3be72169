/* tests/fuzz/fuzz_recover.c - a log directory with any bytes in its files: loading ends, what is
 * served afterwards is whole batches in growing order, and the log goes on after them.
 *
 * Input: byte 0 says how (bit 0: the last stop was clean; bit 1: there is a second segment), then
 * five parts, each a 2-byte little-endian length and so many bytes: first segment, second segment,
 * index of the first, producer snapshot, aborted transactions of the first. What is left of a short
 * input counts as the part. */
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/log/plog.h"
#include "broker/producer_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SECOND_BASE = 100 };

static void check(bool ok)
{
    if (!ok)
        abort();
}

static char path[64];

static void remove_dir(void)
{
    if (fs_remove_tree(path, NULL) != E_OK)
        perror(path);
}

static const char *dir(void)
{
    if (!path[0]) {
        snprintf(path, sizeof path, "%s/weir-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) ? P_tmpdir : "/dev/shm");
        check(mkdtemp(path) != NULL);
        atexit(remove_dir);
        check(log_set_level("root", LOG_L_OFF) == E_OK);
    }
    return path;
}

static struct slice next_part(struct reader *r)
{
    size_t n = read_le16(r);
    if (r->err)
        return SL("");
    return read_slice(r, MIN(n, reader_left(r)));
}

static void put(const char *name, struct slice bytes)
{
    struct fs_file f;
    char *file = xasprintf("%s/%s", dir(), name);
    check(fs_open(&f, file, FS_WRITE | FS_CREATE | FS_TRUNC, NULL) == E_OK);
    check(fs_pwrite(&f, bytes.p, bytes.n, 0, NULL) == E_OK);
    fs_close(&f);
    mem_free(file);
}

static bool remove_one(const char *name, void *arg)
{
    char *file = xasprintf("%s/%s", dir(), name);
    (void)arg;
    check(unlink(file) == 0);
    mem_free(file);
    return true;
}

/* Every batch that reads give; the offset after the last. A clean load trusts bytes, not structure.
 */
static int64_t read_all(struct plog *l, bool clean)
{
    int64_t at = l->start;
    while (at < l->end) {
        struct plog_run run;
        struct batch_at batch;
        struct segment_scan scan;
        if (plog_read(l, at, l->end, 300, true, &run, NULL) != E_OK) {
            check(clean);
            return -1;
        }
        if (!run.segment) /* a hole at the end, which only files that were trusted can have */
            return at;
        check(run.next_offset > at || clean);
        segment_scan_init(&scan, run.segment, run.pos, run.pos + (int64_t)run.n);
        while (segment_scan_next(&scan, &batch))
            check(clean || batch_last_offset(batch.header) >= at);
        check(scan.err == E_OK);
        segment_unref(run.segment);
        if (run.next_offset <= at)
            return -1;
        at = run.next_offset;
    }
    return at;
}

/* What readers of committed data are told to skip. */
static void list_aborted(struct plog *l)
{
    struct txn_aborted *v;
    size_t n;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (int64_t from = 0; from < 8; from++) {
        enum err err = plog_aborted(l, from, from + 3, &a, &v, &n, NULL);
        check(err == E_OK || err == E_CORRUPT);
        for (size_t i = 0; i < n; i++)
            check(v[i].first_offset < from + 3 && v[i].last_offset >= from &&
                  (i == 0 || v[i - 1].first_offset <= v[i].first_offset));
    }
    arena_release(&a);
}

static void append_one(struct plog *l)
{
    struct batch_builder b;
    struct slice bytes;
    struct topic_config c;
    topic_config_compute(&c, NULL, NULL, NULL);
    batch_builder_init(&b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 0);
    check(batch_builder_add(&b, 1, SL("k"), SL("v"), NULL) == E_OK);
    check(batch_builder_finish(&b, &bytes) == E_OK);
    batch_assign((void *)(uintptr_t)bytes.p, l->end, 0);
    int64_t end = l->end;
    if (plog_must_roll(l, &c, bytes.p, bytes.n))
        check(plog_roll(l, NULL) == E_OK);
    if (plog_append(l, &c, bytes.p, bytes.n, NULL) == E_OK)
        check(l->end == end + 1);
    batch_builder_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_of(data, size);
    uint8_t how_byte = read_u8(&r);
    struct plog l;
    struct plog_load how = {.clean = how_byte & 1, .recovery_point = -1, .start = -1};
    struct plog_loaded done;
    struct producer_state producers;
    check(fs_list(dir(), remove_one, NULL, NULL) == E_OK);
    put("00000000000000000000.log", next_part(&r));
    struct slice second = next_part(&r);
    if (how_byte & 2)
        put("00000000000000000100.log", second);
    put("00000000000000000000.index", next_part(&r));
    producer_state_init(&producers);
    if (producer_state_decode(&producers, next_part(&r)) != E_OK)
        check(producers.by_id.count == 0);
    producer_state_release(&producers);
    put("00000000000000000000.txnindex", next_part(&r));
    if (plog_load(&l, dir(), &how, &done, NULL) == E_OK) {
        check(l.start <= l.end && l.count > 0);
        int64_t end = read_all(&l, how.clean);
        check(how.clean || end == l.end);
        list_aborted(&l);
        append_one(&l);
    }
    plog_release(&l);
    return 0;
}
