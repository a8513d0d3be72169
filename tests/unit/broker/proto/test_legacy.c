/* tests/unit/broker/proto/test_legacy.c - message sets of magic 0 and 1: Kafka's own read,
 * converted in and out again; damage and limits. */
#include "broker/proto/legacy.h"

#include <jansson.h>

#include "base/hash.h"
#include "base/mem.h"
#include "helpers.h"

static bool same_hex(const json_t *want, struct slice got)
{
    if (json_is_null(want) || slice_is_null(got))
        return json_is_null(want) && slice_is_null(got);
    struct strbuf hex = STRBUF_INIT;
    hex_encode(&hex, got);
    bool same = slice_eq_c(strbuf_slice(&hex), json_string_value(want));
    strbuf_release(&hex);
    return same;
}

/* Compares a set with the records of a line. times false: magic 0 has lost them. */
static void check_set(const json_t *want, struct slice set, int magic, size_t skip, bool times,
                      bool append)
{
    struct legacy_iter it;
    struct legacy_message m;
    size_t n = skip;
    legacy_iter_init(&it, set, 0);
    for (; legacy_iter_next(&it, &m); n++) {
        const json_t *w = json_array_get(want, n);
        CHECK_INT(m.magic, magic);
        CHECK_INT(m.log_append_time, append && magic == 1);
        CHECK_INT(m.offset, json_integer_value(json_object_get(w, "offset")));
        CHECK_INT(m.timestamp, times ? json_integer_value(json_object_get(w, "timestamp")) : -1);
        CHECK(same_hex(json_object_get(w, "key"), m.key));
        CHECK(same_hex(json_object_get(w, "value"), m.value));
    }
    CHECK_OK(it.err);
    CHECK_INT(n, json_array_size(want));
    legacy_iter_release(&it);
}

static void check_batch(const json_t *want, struct slice batch, int64_t first_offset)
{
    struct batch_iter it;
    struct batch_record r;
    size_t n = 0;
    CHECK_OK(batch_check(batch));
    CHECK_OK(batch_iter_init(&it, batch, 0));
    for (; batch_iter_next(&it, &r); n++) {
        const json_t *w = json_array_get(want, n);
        CHECK_INT(r.offset + first_offset, json_integer_value(json_object_get(w, "offset")));
        CHECK_INT(r.timestamp, json_integer_value(json_object_get(w, "timestamp")));
        CHECK(same_hex(json_object_get(w, "key"), r.key));
        CHECK(same_hex(json_object_get(w, "value"), r.value));
        CHECK_INT(r.headers_count, 0);
    }
    CHECK_OK(it.err);
    CHECK_INT(n, json_array_size(want));
    batch_iter_release(&it);
}

/* Magic 0 has a header checksum of its own kind: the same as Kafka wrote, and another in magic 1.
 */
static void check_lz4_header(struct slice got, struct slice kafka, int magic)
{
    struct slice mark = SL("\x04\x22\x4d\x18");
    ptrdiff_t a = slice_find(got, mark), b = slice_find(kafka, mark);
    CHECK((a < 0) == (b < 0));
    if (a < 0 || b < 0)
        return;
    /* Flags and block size are the same in all that weir and Kafka write. */
    CHECK_SLICE(slice_sub(got, (size_t)a + 4, (size_t)a + 7),
                slice_sub(kafka, (size_t)b + 4, (size_t)b + 7));
    CHECK(magic == 0 || (uint8_t)got.p[a + 6] == 0x82);
}

/* A set that Kafka wrote: read, turned into a batch, and that into a set again. */
static void check_old(const json_t *line, struct slice set)
{
    const json_t *records = json_object_get(line, "records");
    int magic = (int)json_integer_value(json_object_get(line, "magic"));
    int64_t first = json_integer_value(json_object_get(json_array_get(records, 0), "offset"));
    struct strbuf batch = STRBUF_INIT, back = STRBUF_INIT;
    check_set(records, set, magic, 0, true, false);
    CHECK_INT(legacy_to_batch(set, 0, &batch), KERR_NONE);
    check_batch(records, strbuf_slice(&batch), first);
    CHECK_STR(codec_name((enum codec)batch_codec(batch.p)),
              json_string_value(json_object_get(line, "codec")));
    batch_assign(batch.p, first, 0);
    CHECK_OK(legacy_from_batch(strbuf_slice(&batch), magic, 0, 0, &back));
    check_set(records, strbuf_slice(&back), magic, 0, true, false);
    check_lz4_header(strbuf_slice(&back), set, magic);
    /* Without compression the bytes are Kafka's again. */
    if (batch_codec(batch.p) == CODEC_NONE)
        CHECK(slice_eq(strbuf_slice(&back), set));
    strbuf_release(&batch);
    strbuf_release(&back);
}

/* A batch that Kafka wrote, for old consumers. */
static void check_new(const json_t *line, struct slice batch)
{
    const json_t *records = json_object_get(line, "records");
    bool append = (batch_attributes(batch.p) & BATCH_LOG_APPEND_TIME) != 0;
    for (int magic = 0; magic <= 1; magic++) {
        struct strbuf set = STRBUF_INIT;
        enum err err = legacy_from_batch(batch, magic, 0, 0, &set);
        if (batch_codec(batch.p) == CODEC_ZSTD) {
            CHECK_ERR(err, E_UNSUPPORTED);
        } else if (batch_is_control(batch.p)) {
            CHECK_OK(err);
            CHECK_INT(set.n, 0);
        } else {
            CHECK_OK(err);
            check_set(records, strbuf_slice(&set), magic, 0, magic == 1, append);
            /* From the middle on. */
            size_t skip = json_array_size(records) / 2;
            strbuf_reset(&set);
            CHECK_OK(legacy_from_batch(batch, magic, batch_base_offset(batch.p) + (int64_t)skip, 0,
                                       &set));
            check_set(records, strbuf_slice(&set), magic, skip, magic == 1, append);
        }
        strbuf_release(&set);
    }
}

static void test_golden(void)
{
    const char *path = test_shared("golden/frames/batches.jsonl");
    if (!path) {
        test_skip("no golden frames beside this tree");
        return;
    }
    char *text = test_read_file(path, NULL);
    struct slice rest = slice_cstr(text), one;
    unsigned old = 0, new = 0;
    while (slice_split(&rest, '\n', &one)) {
        json_t *line = one.n ? json_loadb(one.p, one.n, 0, NULL) : NULL;
        if (line) {
            struct strbuf bytes = STRBUF_INIT;
            CHECK_OK(
                hex_decode(&bytes, slice_cstr(json_string_value(json_object_get(line, "hex")))));
            if (json_integer_value(json_object_get(line, "magic")) < 2) {
                check_old(line, strbuf_slice(&bytes));
                old++;
            } else {
                check_new(line, strbuf_slice(&bytes));
                new ++;
            }
            strbuf_release(&bytes);
        }
        json_decref(line);
    }
    CHECK(old >= 20 && new >= 30);
    mem_free(text);
}

/* A batch of three records in a codec, as a set of the magic. */
static void make_set(struct strbuf *set, enum codec codec, int magic)
{
    struct batch_builder b;
    struct slice batch;
    batch_builder_init(&b, codec, CODEC_LEVEL_DEFAULT, 0);
    for (int i = 0; i < 3; i++)
        CHECK_OK(batch_builder_add(&b, 1000 + i, i ? SL("key") : SLICE_NULL, SL("value"), NULL));
    CHECK_OK(batch_builder_finish(&b, &batch));
    CHECK_OK(legacy_from_batch(batch, magic, 0, 0, set));
    batch_builder_release(&b);
}

static void test_damage(void)
{
    for (int magic = 0; magic <= 1; magic++) {
        for (int codec = CODEC_NONE; codec <= CODEC_LZ4; codec++) {
            struct strbuf set = STRBUF_INIT, out = STRBUF_INIT;
            make_set(&set, (enum codec)codec, magic);
            /* Cut between two messages it is a set; nowhere else. */
            unsigned accepted = 0;
            for (size_t n = 0; n < set.n; n++) {
                char *part = xmalloc(n + 1);
                memcpy(part, set.p, n);
                accepted += legacy_to_batch(slice_of(part, n), 0, &out) == KERR_NONE;
                mem_free(part);
            }
            CHECK_INT(accepted, codec == CODEC_NONE ? 2 : 0);
            /* A flipped bit is found by a checksum; only the offsets are not covered. */
            accepted = 0;
            for (size_t at = 0; at < set.n; at++) {
                set.p[at] ^= 4;
                accepted += legacy_to_batch(strbuf_slice(&set), 0, &out) == KERR_NONE;
                set.p[at] ^= 4;
            }
            CHECK_INT(accepted, codec == CODEC_NONE ? 24 : 8);
            strbuf_reset(&out);
            CHECK_INT(legacy_to_batch(strbuf_slice(&set), 0, &out), KERR_NONE);
            CHECK_INT(batch_count(out.p), 3);
            strbuf_release(&set);
            strbuf_release(&out);
        }
    }
}

static void test_refused(void)
{
    struct strbuf set = STRBUF_INIT, out = STRBUF_INIT;
    CHECK_INT(legacy_to_batch(SL(""), 0, &out), KERR_INVALID_RECORD);
    CHECK_INT(legacy_to_batch(SLICE_NULL, 0, &out), KERR_INVALID_RECORD);
    /* Magic 2 has no place in Produce 0-2. */
    struct batch_builder b;
    struct slice batch;
    batch_builder_init(&b, CODEC_NONE, 0, 0);
    CHECK_OK(batch_builder_add(&b, 1, SL("k"), SL("v"), NULL));
    CHECK_OK(batch_builder_finish(&b, &batch));
    CHECK_INT(legacy_to_batch(batch, 0, &out), KERR_INVALID_RECORD);
    batch_builder_release(&b);
    /* A bomb stops at the ceiling. */
    make_set(&set, CODEC_GZIP, 1);
    CHECK_INT(legacy_to_batch(strbuf_slice(&set), 20, &out), KERR_MESSAGE_TOO_LARGE);
    CHECK_INT(out.n, 0);
    strbuf_release(&set);
    strbuf_release(&out);
}

/* A message that is longer than its key and value. */
static void test_left_over_bytes(void)
{
    struct strbuf set = STRBUF_INIT, out = STRBUF_INIT;
    make_set(&set, CODEC_NONE, 1);
    size_t first = 12 + load_be32(set.p + 8);
    set.n = first;
    strbuf_addc(&set, 'x');
    store_be32(set.p + 8, (uint32_t)(first - 12 + 1));
    store_be32(set.p + 12, crc32_ieee(0, set.p + 16, first + 1 - 16));
    CHECK_INT(legacy_to_batch(strbuf_slice(&set), 0, &out), KERR_CORRUPT_MESSAGE);
    strbuf_release(&set);
    strbuf_release(&out);
}

/* The broker's time in a wrapper holds for all inside; a producer may not send it. */
static void test_log_append_time(void)
{
    struct strbuf set = STRBUF_INIT, out = STRBUF_INIT;
    make_set(&set, CODEC_GZIP, 1);
    set.p[17] |= 8;
    store_be64(set.p + 18, 424242);
    store_be32(set.p + 12, crc32_ieee(0, set.p + 16, set.n - 16));
    struct legacy_iter it;
    struct legacy_message m;
    int n = 0;
    legacy_iter_init(&it, strbuf_slice(&set), 0);
    for (; legacy_iter_next(&it, &m); n++) {
        CHECK_INT(m.timestamp, 424242);
        CHECK(m.log_append_time);
    }
    CHECK_INT(n, 3);
    legacy_iter_release(&it);
    CHECK_INT(legacy_to_batch(strbuf_slice(&set), 0, &out), KERR_INVALID_TIMESTAMP);
    strbuf_release(&set);
    strbuf_release(&out);
}

/* Several sets in a row, as producers batch them; two codecs. */
static void test_mixed(void)
{
    struct strbuf set = STRBUF_INIT, out = STRBUF_INIT;
    make_set(&set, CODEC_NONE, 1);
    make_set(&set, CODEC_SNAPPY, 1);
    make_set(&set, CODEC_GZIP, 0);
    CHECK_INT(legacy_to_batch(strbuf_slice(&set), 0, &out), KERR_NONE);
    CHECK_INT(batch_count(out.p), 9);
    CHECK_INT(batch_codec(out.p), CODEC_SNAPPY);
    CHECK_INT(batch_last_offset_delta(out.p), 8);
    CHECK_INT(batch_max_timestamp(out.p), 1002);
    strbuf_release(&set);
    strbuf_release(&out);
}

static void test_memory_faults(void)
{
    struct strbuf set = STRBUF_INIT;
    make_set(&set, CODEC_LZ4, 1);
    bool hit = true;
    for (int64_t n = 1; hit && n < 100; n++) {
        struct strbuf out = STRBUF_INIT;
        mem_fail_at(n);
        int16_t error = legacy_to_batch(strbuf_slice(&set), 0, &out);
        hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_INT(error, hit ? KERR_UNKNOWN_SERVER_ERROR : KERR_NONE);
        strbuf_release(&out);
    }
    CHECK(!hit);
    strbuf_release(&set);
}

static const struct test_case tests[] = {{"golden", test_golden},
                                         {"damage", test_damage},
                                         {"refused", test_refused},
                                         {"left-over bytes", test_left_over_bytes},
                                         {"log append time", test_log_append_time},
                                         {"mixed", test_mixed},
                                         {"memory faults", test_memory_faults},
                                         {NULL, NULL}};
const struct test_suite test_legacy = {"broker/proto/legacy", tests, NULL, NULL};
