/* tests/fuzz/fuzz_compact.c - compaction's rewriting of one batch from any bytes: what comes out is
 * one whole batch or nothing, offsets and producer stay, and of the records that went in a part
 * comes out, in order.
 *
 * Input: byte 0 says how (bits 0-1: what becomes of an empty batch, bit 2: aborted, bit 3: a marker
 * without data, bit 4: the horizon has passed, bit 5: the checksum is made right first), byte 1: the
 * offset delta from which records are untouched; then the batch. */
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "broker/log/compact_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1000000, RECORDS_MAX = 4096 };
#define PLAIN_MAX ((size_t)1 << 20)

static void check(bool ok)
{
    if (!ok)
        abort();
}

/* Offsets of the records, or -1 when they cannot be read. */
static int offsets_of(struct slice batch, int64_t out[RECORDS_MAX])
{
    struct batch_iter it;
    struct batch_record r;
    int n = 0;
    if (batch_iter_init(&it, batch, PLAIN_MAX) != E_OK)
        return -1;
    while (batch_iter_next(&it, &r))
        if (n < RECORDS_MAX)
            out[n++] = r.offset;
    n = it.err ? -1 : n;
    batch_iter_release(&it);
    return n;
}

static void map_some(struct keymap *map, struct slice batch, int64_t end)
{
    struct batch_iter it;
    struct batch_record r;
    if (batch_iter_init(&it, batch, PLAIN_MAX) != E_OK)
        return;
    while (batch_iter_next(&it, &r))
        if (r.key.p && r.offset >= 0 && r.offset < end)
            keymap_put(map, r.key, r.offset);
    batch_iter_release(&it);
}

static void compare(struct slice in, struct slice out)
{
    static int64_t before[RECORDS_MAX], after[RECORDS_MAX];
    check(batch_check(out) == E_OK);
    check(batch_base_offset(in.p) == batch_base_offset(out.p));
    check(batch_last_offset(in.p) == batch_last_offset(out.p));
    check(batch_leader_epoch(in.p) == batch_leader_epoch(out.p));
    check(batch_count(out.p) <= batch_count(in.p));
    check(batch_producer_id(out.p) == batch_producer_id(in.p) || batch_count(out.p) == 0);
    int n = offsets_of(in, before), m = offsets_of(out, after), at = 0;
    check(n < 0 || m >= 0);
    for (int i = 0; i < m && n >= 0; i++) {
        while (at < n && before[at] != after[i])
            at++;
        check(at++ < n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keymap map;
    struct strbuf out = STRBUF_INIT, again = STRBUF_INIT, in = STRBUF_INIT;
    if (size < 2 + BATCH_HEADER_SIZE || size > 65536)
        return 0;
    strbuf_add(&in, data + 2, size - 2);
    store_be32(in.p + 8, (uint32_t)(in.n - BATCH_LOG_OVERHEAD));
    in.p[16] = 2;
    if (data[0] & 0x20)
        store_be32(in.p + 17, crc32c(0, in.p + BATCH_CRC_FROM, in.n - BATCH_CRC_FROM));
    struct slice batch = strbuf_slice(&in);
    if (batch_check(batch) != E_OK) {
        strbuf_release(&in);
        return 0;
    }
    struct compact_rules r = {.map = &map,
                              .map_end = (int64_t)((uint64_t)batch_base_offset(batch.p) + data[1]),
                              .now_ms = data[0] & 0x10 ? INT64_MAX : NOW,
                              .delete_retention_ms = 1000,
                              .max_plain = PLAIN_MAX};
    struct compact_how how = {.aborted = data[0] & 4,
                              .idle = data[0] & 8,
                              .empty = (enum compact_empty)((data[0] & 3) % 3)};
    struct compact_done done = {.horizon = INT64_MAX};
    check(keymap_init(&map, 64, 4096, 0.9) == E_OK);
    map_some(&map, batch, r.map_end);
    enum err err = compact_batch(batch, &r, &how, &out, &done);
    check(err == E_OK || out.n == 0);
    if (err == E_OK && out.n) {
        compare(batch, strbuf_slice(&out));
        /* once more: nothing changes that had not changed yet, but that a horizon may pass */
        struct compact_done more = {.horizon = INT64_MAX};
        err = compact_batch(strbuf_slice(&out), &r, &how, &again, &more);
        check(err == E_OK);
        check(more.kept <= done.kept);
    } else if (err == E_OK) {
        check(how.empty == COMPACT_DROP);
    }
    keymap_release(&map);
    strbuf_release(&in);
    strbuf_release(&out);
    strbuf_release(&again);
    return 0;
}
