/* tests/unit/web/test_message_scan.c - rounds over partitions with gaps, forward and backward,
 * against a reader in memory; paging with and without a filter gives every record once. */
#include "helpers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "web/message_scan.h"

struct fake_record {
    int64_t offset, timestamp;
};
struct fake_part {
    const struct fake_record *records;
    size_t count;
};
struct fake {
    struct fake_part parts[4];
    size_t text_size; /* of kept texts */
    int64_t only;     /* keep offsets divisible by it; 0: all */
    int64_t fail_at;  /* offset at which reading fails; -1: none */
    int64_t widest;   /* largest window asked for */
    int reads;
};

static enum err fake_read(void *arg, size_t part, int64_t from, int64_t to, scan_visit_fn fn,
                          void *visit, struct error *e)
{
    struct fake *f = arg;
    f->reads++;
    f->widest = MAX(f->widest, to - from);
    for (size_t i = 0; i < f->parts[part].count; i++) {
        const struct fake_record *x = &f->parts[part].records[i];
        struct batch_record r = {.offset = x->offset, .timestamp = x->timestamp};
        if (x->offset < from || x->offset >= to)
            continue;
        if (x->offset == f->fail_at)
            return error_set(e, E_IO, "broken");
        if (!fn(visit, &r, false))
            return E_CANCELLED;
    }
    return E_OK;
}

static struct slice fake_keep(void *arg, int32_t partition, const struct batch_record *r,
                              bool log_append_time, struct arena *a)
{
    struct fake *f = arg;
    (void)log_append_time;
    if (f->only && r->offset % f->only)
        return SLICE_NULL;
    char *text = arena_printf(a, "%d:%lld", partition, (long long)r->offset);
    return slice_of(text, MAX(f->text_size, strlen(text)));
}

/* Reads pages of `limit` until the end, each with a scan of its own, as by cursors. Appends
 * "partition:offset " for each. */
static void read_pages(struct fake *f, bool backward, struct scan_part *parts, size_t count,
                       size_t limit, size_t max_bytes, struct strbuf *out)
{
    const struct scan_ops ops = {.read = fake_read, .keep = fake_keep, .arg = f};
    for (int pages = 0; pages < 1000; pages++) {
        struct scan s;
        size_t left = limit;
        struct error e = {0};
        scan_init(&s, &ops, backward, parts, count, (int64_t)((limit + count - 1) / count),
                  max_bytes);
        while (left > 0 && !scan_exhausted(&s)) {
            CHECK_OK(scan_round(&s, &e));
            size_t n = MIN(left, s.item_count);
            for (size_t i = 0; i < n; i++)
                strbuf_addf(out, "%d:%lld ", parts[s.items[i].part].partition,
                            (long long)s.items[i].offset);
            scan_unread(&s, n);
            left -= n;
        }
        bool end = scan_exhausted(&s);
        for (size_t i = 0; i < count; i++) {
            if (backward)
                parts[i].end = parts[i].at;
            else
                parts[i].begin = parts[i].at;
        }
        scan_release(&s);
        if (end)
            return;
    }
    CHECK(!"the scan ends");
}

static const struct fake_record gaps0[] = {{2, 10}, {3, 20}, {50, 30}, {51, 40}, {99, 50}};
static const struct fake_record gaps1[] = {{0, 15}, {70, 25}, {71, 25}, {72, 35}};

static void check_order(bool backward, size_t limit, const char *want)
{
    struct fake f = {.parts = {{gaps0, ARRAY_LEN(gaps0)}, {gaps1, ARRAY_LEN(gaps1)}},
                     .fail_at = -1};
    struct scan_part parts[] = {{.partition = 0, .begin = 2, .end = 120},
                                {.partition = 1, .begin = 0, .end = 80}};
    struct strbuf out = STRBUF_INIT;
    read_pages(&f, backward, parts, 2, limit, 1 << 20, &out);
    CHECK_STR(out.p, want);
    strbuf_release(&out);
}

static void test_merge(void)
{
    /* One round holds all: by time; equal times by partition, never against the offsets. */
    check_order(false, 500, "0:2 1:0 0:3 1:70 1:71 0:50 1:72 0:51 0:99 ");
    check_order(true, 500, "0:99 0:51 1:72 0:50 1:71 1:70 0:3 1:0 0:2 ");
}

static void test_gaps(void)
{
    /* Rounds of a few offsets: each is as good as empty, none ends the scan. */
    check_order(false, 2, "0:2 1:0 0:3 0:50 0:51 1:70 1:71 1:72 0:99 ");
    check_order(true, 2, "1:72 1:71 1:70 0:99 0:51 0:50 1:0 0:3 0:2 ");
}

static void test_order_in_partition(void)
{
    static const struct fake_record back_in_time[] = {{0, 100}, {1, 5}, {2, 50}};
    static const struct fake_record other[] = {{0, 60}};
    struct fake f = {.parts = {{back_in_time, 3}, {other, 1}}, .fail_at = -1};
    struct scan_part parts[] = {{.partition = 0, .begin = 0, .end = 3},
                                {.partition = 1, .begin = 0, .end = 1}};
    struct strbuf out = STRBUF_INIT;
    read_pages(&f, false, parts, 2, 100, 1 << 20, &out);
    CHECK_STR(out.p, "1:0 0:0 0:1 0:2 ");
    strbuf_release(&out);
}

/* Every record exactly once, by partition in order, for many page sizes, filters and budgets. */
static void check_complete(bool backward, size_t limit, int64_t only, size_t text_size,
                           size_t max_bytes)
{
    enum { PARTS = 3, RECORDS = 120 };
    static struct fake_record records[PARTS][RECORDS];
    struct fake f = {.only = only, .text_size = text_size, .fail_at = -1};
    struct scan_part parts[PARTS];
    int64_t want = 0, got = 0, last[PARTS];
    unsigned state = 12345;
    for (size_t p = 0; p < PARTS; p++) {
        int64_t offset = 5 * (int64_t)p;
        for (size_t i = 0; i < RECORDS; i++) {
            state = state * 1103515245 + 12345;
            offset += 1 + (state >> 16) % 7;
            records[p][i] = (struct fake_record){offset, (state >> 8) % 1000};
            want += only == 0 || offset % only == 0;
        }
        f.parts[p] = (struct fake_part){records[p], RECORDS};
        parts[p] = (struct scan_part){(int32_t)p, 0, offset + 10, 0};
        last[p] = backward ? INT64_MAX : -1;
    }
    struct strbuf out = STRBUF_INIT;
    read_pages(&f, backward, parts, PARTS, limit, max_bytes, &out);
    for (char *at = out.p; *at; got++) {
        long partition = strtol(at, &at, 10);
        int64_t offset = strtoll(at + 1, &at, 10);
        at++;
        CHECK(backward ? offset < last[partition] : offset > last[partition]);
        last[partition] = offset;
    }
    CHECK_INT(got, want);
    strbuf_release(&out);
}

static void test_complete(void)
{
    static const size_t limits[] = {1, 2, 7, 100, 500};
    for (int backward = 0; backward < 2; backward++)
        for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
            check_complete(backward, limits[i], 0, 0, 1 << 20);
            check_complete(backward, limits[i], 11, 0, 1 << 20);
            check_complete(backward, limits[i], 0, 100, 1000); /* rounds do not fit */
            check_complete(backward, limits[i], 0, 100, 1);    /* one record at a time */
        }
}

static void test_failure(void)
{
    struct fake f = {.parts = {{gaps0, ARRAY_LEN(gaps0)}}, .fail_at = 50};
    const struct scan_ops ops = {.read = fake_read, .keep = fake_keep, .arg = &f};
    struct scan_part part = {.partition = 0, .begin = 0, .end = 100};
    struct scan s;
    struct error e = {0};
    scan_init(&s, &ops, false, &part, 1, 100, 1 << 20);
    CHECK_ERR(scan_round(&s, &e), E_IO);
    CHECK_STR(e.msg, "broken");
    CHECK_INT(part.at, 0); /* nothing is lost: it can go on from there */
    scan_release(&s);
}

static void test_empty(void)
{
    struct fake f = {.fail_at = -1};
    struct scan_part parts[] = {{.partition = 0, .begin = 4, .end = 4}};
    struct strbuf out = STRBUF_INIT;
    read_pages(&f, true, parts, 1, 10, 100, &out);
    CHECK_STR(out.p, "");
    CHECK_INT(f.reads, 0);
    parts[0] = (struct scan_part){.partition = 0, .begin = 4, .end = 4000}; /* all compacted away */
    read_pages(&f, true, parts, 1, 10, 100, &out);
    CHECK_STR(out.p, "");
    CHECK(f.widest <= 10);
    strbuf_release(&out);
}

static const struct test_case tests[] = {
    {"merge by time", test_merge},
    {"gaps", test_gaps},
    {"offsets before time", test_order_in_partition},
    {"every record once", test_complete},
    {"a failing reader", test_failure},
    {"nothing there", test_empty},
    {NULL, NULL},
};
const struct test_suite test_message_scan = {"web/message_scan", tests};
