/* tests/unit/broker/log/test_txn_index.c - the list of aborted transactions of a segment: Kafka's file,
 * what is listed for a range, what a failure leaves behind. */
#include "broker/log/txn_index.h"

#include <errno.h>

#include "base/fs.h"
#include "base/mem.h"
#include "broker/log/plog.h"
#include "broker/log_helpers.h"

static int numbers;

static char *new_stem(void)
{
    return xasprintf("%s/txn%d", test_dir(), numbers++);
}

static enum err put(struct txn_index *x, const char *stem, const struct txn_aborted *t)
{
    enum err err = txn_index_reserve(x, stem, t, NULL);
    if (!err)
        txn_index_add_reserved(x, t);
    return err;
}

static size_t size_of(const char *stem)
{
    char *path = xasprintf("%s.txnindex", stem);
    size_t n = 0;
    mem_free(test_read_file(path, &n));
    mem_free(path);
    return n;
}

static const struct txn_aborted three[] = {{11, 5, 20, 10}, {12, 10, 30, 31}, {13, 40, 50, 45}};

static void fill(struct txn_index *x, const char *stem)
{
    txn_index_init(x, true);
    for (size_t i = 0; i < ARRAY_LEN(three); i++)
        CHECK_OK(put(x, stem, &three[i]));
}

static void test_file(void)
{
    static const uint8_t want[34] = {0, 0, 0, 0, 0, 0, 0, 0, 0,  11, 0, 0, 0, 0, 0, 0, 0,
                                     5, 0, 0, 0, 0, 0, 0, 0, 20, 0,  0, 0, 0, 0, 0, 0, 10};
    char *stem = new_stem(), *path = xasprintf("%s.txnindex", stem);
    struct txn_index x, y;
    size_t n;
    fill(&x, stem);
    char *bytes = test_read_file(path, &n);
    CHECK_INT(n, 3 * 34);
    CHECK(!memcmp(bytes, want, sizeof want));
    mem_free(bytes);
    txn_index_init(&y, false);
    CHECK_OK(txn_index_load(&y, stem, NULL));
    CHECK_INT(y.count, 3);
    CHECK(!memcmp(y.v, three, sizeof three));
    CHECK_OK(txn_index_sync(stem, NULL));
    txn_index_cut(&y, 30);
    CHECK_INT(y.count, 1);
    CHECK_OK(txn_index_save(&y, stem, NULL));
    CHECK_INT(size_of(stem), 34);
    txn_index_cut(&y, 0);
    CHECK_OK(txn_index_save(&y, stem, NULL));
    CHECK(!fs_exists(path));
    CHECK_OK(txn_index_sync(stem, NULL));
    txn_index_release(&y);
    CHECK_OK(txn_index_load(&y, stem, NULL)); /* no file, no entry */
    CHECK_INT(y.count, 0);
    txn_index_release(&x);
    txn_index_release(&y);
    mem_free(path);
    mem_free(stem);
}

static void flip(const char *stem, int64_t at, uint8_t byte)
{
    struct fs_file f;
    char *path = xasprintf("%s.txnindex", stem);
    CHECK_OK(fs_open(&f, path, FS_WRITE, NULL));
    CHECK_OK(fs_pwrite(&f, &byte, 1, at, NULL));
    fs_close(&f);
    mem_free(path);
}

static void test_damaged(void)
{
    static const struct {
        int64_t at;
        uint8_t byte;
    } damages[] = {{1, 1},            /* version */
                   {2, 0x80},         /* a producer id below 0 */
                   {10 + 7, 21},      /* begins after its end */
                   {34 + 18 + 7, 12}, /* ends before the one before */
                   {34 + 18, 0xff}};
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        char *stem = new_stem();
        struct txn_index x;
        fill(&x, stem);
        txn_index_release(&x);
        flip(stem, damages[i].at, damages[i].byte);
        CHECK_ERR(txn_index_load(&x, stem, NULL), E_CORRUPT);
        CHECK(!x.known && !x.v);
        mem_free(stem);
    }
    char *stem = new_stem();
    struct txn_index x;
    fill(&x, stem);
    txn_index_release(&x);
    flip(stem, 3 * 34 + 20, 7); /* torn: does not count */
    CHECK_OK(txn_index_load(&x, stem, NULL));
    CHECK_INT(x.count, 3);
    txn_index_release(&x);
    mem_free(stem);
}

static void check_list(const struct txn_index *x, int64_t from, int64_t to, const char *want,
                       bool complete)
{
    struct arena a;
    struct strbuf got = STRBUF_INIT;
    bool done;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct txn_list l = {.arena = &a};
    CHECK_OK(txn_index_collect(x, from, to, &l, &done));
    for (size_t i = 0; i < l.count; i++)
        strbuf_addf(&got, "%lld ", (long long)l.v[i].producer_id);
    CHECK_SLICE(strbuf_slice(&got), slice_cstr(want));
    CHECK_INT(done, complete);
    strbuf_release(&got);
    arena_release(&a);
}

static void test_listing(void)
{
    char *stem = new_stem();
    struct txn_index x;
    fill(&x, stem);
    check_list(&x, 0, 5, "", true); /* the first entry says: nothing below 10 is open any more */
    check_list(&x, 0, 6, "11 ", true);
    check_list(&x, 0, 11, "11 12 ", true);
    check_list(&x, 20, 25, "11 12 ", true); /* the marker itself is part of it */
    check_list(&x, 21, 31, "12 ", true);
    check_list(&x, 31, 40, "", true);
    check_list(&x, 31, 45, "13 ", true);
    check_list(&x, 31, 46, "13 ", false); /* somebody open at 45 may abort later */
    check_list(&x, 51, 100, "", false);
    check_list(&x, 0, 100, "11 12 13 ", false);
    txn_index_release(&x);
    mem_free(stem);
}

/* After a failure the entry is not there, and the next one takes its place. */
static void test_faults(void)
{
    static const struct txn_aborted next = {14, 60, 70, 71};
    for (int64_t n = 1; n <= 2; n++) {
        char *stem = new_stem();
        struct fs_faults faults = {.fail_errno = ENOSPC, .short_write = true};
        struct txn_index x;
        fill(&x, stem);
        faults.fail_write_at = n == 1;
        faults.fail_open_at = n == 2;
        fs_fault_set(&faults);
        struct error e = {0};
        CHECK_ERR(txn_index_reserve(&x, stem, &next, &e), E_IO);
        fs_fault_set(NULL);
        CHECK_INT(e.sys, ENOSPC);
        CHECK_OK(txn_index_unreserve(&x, stem, NULL));
        CHECK_INT(size_of(stem), 3 * 34);
        CHECK_OK(put(&x, stem, &next));
        txn_index_release(&x);
        CHECK_OK(txn_index_load(&x, stem, NULL));
        CHECK_INT(x.count, 4);
        txn_index_release(&x);
        mem_free(stem);
    }
    char *stem = new_stem();
    struct txn_index x;
    fill(&x, stem);
    txn_index_release(&x);
    for (int64_t n = 1;; n++) {
        mem_fail_at(n);
        enum err r = txn_index_load(&x, stem, NULL);
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(r == E_OK || r == E_NOMEM);
        CHECK(r == E_OK || !x.known);
        txn_index_release(&x);
        if (!hit)
            break;
    }
    mem_free(stem);
}

/* --- in a log --------------------------------------------------------------------------------- */

static struct topic_config config(void)
{
    struct topic_config c;
    topic_config_compute(&c, NULL, NULL, NULL);
    c.segment_bytes = 400;
    return c;
}

static enum err append(struct plog *l, const struct topic_config *c, int64_t pid, int64_t first)
{
    struct strbuf b = STRBUF_INIT;
    enum err err = E_OK;
    if (first < 0)
        make_batch(&b, &(struct batch_spec){.count = 1, .producer_id = pid, .transactional = true});
    else
        batch_control_build(&b, 1, pid, 0, CONTROL_ABORT, 0);
    if (plog_must_roll(l, c, b.p, b.n))
        err = plog_roll(l, NULL);
    batch_assign(b.p, l->end, 0);
    if (!err && first < 0)
        err = plog_append(l, c, b.p, b.n, NULL);
    else if (!err)
        err = plog_append_abort(l, c, b.p, b.n,
                                &(struct txn_aborted){pid, first, l->end, l->end + 1}, NULL);
    strbuf_release(&b);
    return err;
}

static void check_log(struct plog *l, int transactions)
{
    struct arena a;
    struct txn_aborted *v;
    size_t n;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (int64_t from = 0; from < l->end; from++)
        for (int64_t to = from; to <= l->end; to++) {
            int64_t first = from / 2, end = (to + 1) / 2;
            CHECK_OK(plog_aborted(l, from, to, &a, &v, &n, NULL));
            CHECK(n >= (size_t)(end - first)); /* the marker of the one before may be named, too */
            CHECK(n <= (size_t)(end - first + 1));
            for (size_t i = 1; i < n; i++)
                CHECK(v[i - 1].first_offset < v[i].first_offset);
        }
    CHECK_OK(plog_aborted(l, 0, l->end, &a, &v, &n, NULL));
    CHECK_INT(n, transactions);
    arena_release(&a);
}

/* One transaction after the other, each of a batch and its marker; segments hold some each. */
static void test_log(void)
{
    struct topic_config c = config();
    struct plog l;
    struct plog_loaded done;
    struct uuid id;
    char *dir = xasprintf("%s/txnlog%d", test_dir(), numbers++);
    uuid_random(&id);
    CHECK_OK(plog_create(&l, dir, &id, NULL));
    for (int i = 0; i < 12; i++) {
        CHECK_OK(append(&l, &c, 1 + i, -1));
        CHECK_OK(append(&l, &c, 1 + i, l.end - 1));
    }
    CHECK(l.count > 2);
    check_log(&l, 12);
    l.recovery_point = l.end; /* given back and read again */
    plog_park(&l, true);
    check_log(&l, 12);
    CHECK_OK(segment_seal(plog_active(&l), NULL));
    plog_release(&l);
    CHECK_OK(plog_load(&l, dir, &(struct plog_load){.clean = true, .start = -1}, &done, NULL));
    check_log(&l, 12);
    struct segment **gone; /* with the first segment its entries go */
    size_t count;
    plog_set_start(&l, l.segments[1]->base, &gone, &count);
    CHECK_INT(count, 1);
    char *path = xasprintf("%s.txnindex", gone[0]->stem);
    CHECK(fs_exists(path));
    plog_remove_files(gone[0]);
    CHECK(!fs_exists(path));
    segment_unref(gone[0]);
    mem_free(gone);
    mem_free(path);
    plog_release(&l);
    mem_free(dir);
}

/* The n-th write of a marker fails: either both are there, log and list, or neither. */
static void test_log_faults(void)
{
    for (int64_t n = 1; n <= 4; n++) {
        struct topic_config c = config();
        struct fs_faults faults = {.fail_write_at = n, .fail_errno = ENOSPC, .short_write = true};
        struct plog l;
        struct uuid id;
        struct arena a;
        struct txn_aborted *v;
        size_t count;
        char *dir = xasprintf("%s/txnlog%d", test_dir(), numbers++);
        uuid_random(&id);
        CHECK_OK(plog_create(&l, dir, &id, NULL));
        CHECK_OK(append(&l, &c, 1, -1));
        int64_t end = l.end;
        fs_fault_set(&faults);
        enum err r = append(&l, &c, 1, 0);
        fs_fault_set(NULL);
        CHECK_ERR(r, n <= 2 ? E_IO : E_OK);
        CHECK(!l.failed);
        CHECK_INT(l.end, r ? end : end + 1);
        if (r)
            CHECK_OK(append(&l, &c, 2, -1)); /* takes the offset that the marker was to have */
        txn_index_release(&plog_active(&l)->aborted);
        arena_init(&a, 0, ARENA_NO_BUDGET);
        CHECK_OK(plog_aborted(&l, 0, l.end, &a, &v, &count, NULL));
        CHECK_INT(count, r ? 0 : 1);
        arena_release(&a);
        plog_release(&l);
        mem_free(dir);
    }
}

static const struct test_case tests[] = {
    {"file", test_file},
    {"damaged file", test_damaged},
    {"listing", test_listing},
    {"faults", test_faults},
    {"in a log", test_log},
    {"faults in a log", test_log_faults},
    {NULL, NULL},
};
const struct test_suite test_txn_index = {"broker/log/txn_index", tests, log_quiet, log_loud};
