/* tests/fuzz/fuzz_batch.c - record batches and old message sets.
 *
 * First byte: bit 0 = a message set (else a batch), bit 1 = renew the checksums first, so that the
 * fuzzer gets behind them, bit 2 = validate as a compacted topic does. */
#include "broker/proto/batch.h"
#include "broker/proto/legacy.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_PLAIN = 1 << 20 };

static void check(bool ok)
{
    if (!ok)
        abort();
}

static int32_t read_all(struct slice batch)
{
    struct batch_iter it;
    struct batch_record r;
    struct slice name, value;
    int32_t n = 0;
    if (batch_iter_init(&it, batch, MAX_PLAIN) == E_OK)
        for (; batch_iter_next(&it, &r); n++)
            while (batch_header_next(&r.headers, &name, &value))
                check(name.p != NULL);
    bool good = it.err == E_OK;
    batch_iter_release(&it);
    return good ? n : -1;
}

static int16_t validate(struct slice batch, bool compacted)
{
    struct arena a;
    struct batch_verdict v;
    struct batch_rules rules = {.topic = SL("t"),
                                .zstd_allowed = true,
                                .compacted = compacted,
                                .deep = true,
                                .now_ms = 1763700000000,
                                .before_max_ms = INT64_MAX,
                                .after_max_ms = 3600000,
                                .max_bytes = MAX_PLAIN,
                                .segment_bytes = 1 << 30,
                                .max_plain = MAX_PLAIN};
    arena_init(&a, 0, 1 << 20);
    int16_t error = batch_validate(batch, &rules, &a, &v);
    check(error == v.error);
    arena_release(&a);
    return error;
}

static void one_batch(struct slice b, bool compacted)
{
    int16_t error = validate(b, compacted);
    int32_t n = read_all(b);
    if (error == KERR_NONE)
        check(n == batch_count(b.p));
    enum control_type type;
    int32_t epoch;
    if (batch_control_parse(b, &type, &epoch) == E_OK)
        check(type >= CONTROL_UNKNOWN && type <= CONTROL_COMMIT);
    for (int magic = 0; n >= 0 && magic < 2; magic++) {
        struct strbuf set = STRBUF_INIT;
        (void)!legacy_from_batch(b, magic, INT64_MIN, MAX_PLAIN, &set);
        strbuf_release(&set);
    }
}

static void one_set(struct slice set, bool compacted)
{
    struct strbuf out = STRBUF_INIT;
    if (legacy_to_batch(set, MAX_PLAIN, &out) == KERR_NONE) {
        check(read_all(strbuf_slice(&out)) == batch_count(out.p));
        validate(strbuf_slice(&out), compacted);
    }
    strbuf_release(&out);
}

static void renew_checksums(uint8_t *p, size_t n, bool set)
{
    if (!set && n >= BATCH_HEADER_SIZE)
        store_be32(p + 17, crc32c(0, p + BATCH_CRC_FROM, n - BATCH_CRC_FROM));
    while (set && n >= 16) {
        uint32_t size = load_be32(p + 8);
        if (size < 4 || size > n - 12)
            break;
        store_be32(p + 12, crc32_ieee(0, p + 16, size - 4));
        p += 12 + size;
        n -= 12 + size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    uint8_t *copy = xmalloc(size); /* of its own size: one byte too far is seen */
    memcpy(copy, data + 1, size - 1);
    bool set = data[0] & 1, compacted = data[0] & 4;
    if (data[0] & 2)
        renew_checksums(copy, size - 1, set);
    if (set)
        one_set(slice_of(copy, size - 1), compacted);
    else
        one_batch(slice_of(copy, size - 1), compacted);
    mem_free(copy);
    return 0;
}
