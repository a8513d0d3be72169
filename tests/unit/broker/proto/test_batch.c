/* tests/unit/broker/proto/test_batch.c - batches that Kafka wrote, and weir's own: reading,
 * building, validation, control batches, damage. */
#include "broker/proto/batch.h"

#include <stdlib.h>

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

static void check_headers(const json_t *want, const struct batch_record *r)
{
    struct slice rest = r->headers, name, value;
    size_t n = 0;
    for (; batch_header_next(&rest, &name, &value); n++) {
        const json_t *h = json_array_get(want, n);
        CHECK(slice_eq_c(name, json_string_value(json_array_get(h, 0))));
        CHECK(same_hex(json_array_get(h, 1), value));
    }
    CHECK_INT(n, r->headers_count);
    CHECK_INT(n, json_array_size(want));
}

static void check_records(const json_t *want, struct slice batch)
{
    struct batch_iter it;
    struct batch_record r;
    size_t n = 0;
    CHECK_OK(batch_iter_init(&it, batch, 0));
    for (; batch_iter_next(&it, &r); n++) {
        const json_t *w = json_array_get(want, n);
        CHECK_INT(r.offset, json_integer_value(json_object_get(w, "offset")));
        CHECK_INT(r.timestamp, json_integer_value(json_object_get(w, "timestamp")));
        CHECK(same_hex(json_object_get(w, "key"), r.key));
        CHECK(same_hex(json_object_get(w, "value"), r.value));
        check_headers(json_object_get(w, "headers"), &r);
    }
    CHECK_OK(it.err);
    CHECK_INT(n, json_array_size(want));
    batch_iter_release(&it);
}

/* The same records through weir's builder, in the same codec, read back. */
static void check_rebuilt(const json_t *want, struct slice batch)
{
    struct batch_iter it;
    struct batch_record r;
    struct batch_builder b;
    struct slice out, rest, name, value;
    batch_builder_init(&b, (enum codec)batch_codec(batch.p), CODEC_LEVEL_DEFAULT, 0);
    batch_builder_producer(&b, batch_producer_id(batch.p), batch_producer_epoch(batch.p),
                           batch_base_sequence(batch.p), batch_is_transactional(batch.p));
    CHECK_OK(batch_iter_init(&it, batch, 0));
    while (batch_iter_next(&it, &r)) {
        struct batch_headers h = BATCH_HEADERS_INIT;
        for (rest = r.headers; batch_header_next(&rest, &name, &value);)
            batch_headers_add(&h, name, value);
        CHECK_OK(batch_builder_add(&b, r.timestamp, r.key, r.value, &h));
        strbuf_release(&h.bytes);
    }
    batch_iter_release(&it);
    CHECK_OK(batch_builder_finish(&b, &out));
    char *p = xmalloc(out.n);
    memcpy(p, out.p, out.n);
    batch_assign(p, batch_base_offset(batch.p), batch_leader_epoch(batch.p));
    CHECK_OK(batch_check(slice_of(p, out.n)));
    check_records(want, slice_of(p, out.n));
    /* Without compression the bytes are Kafka's. */
    if (batch_codec(batch.p) == CODEC_NONE && !(batch_attributes(batch.p) & BATCH_LOG_APPEND_TIME))
        CHECK(slice_eq(slice_of(p, out.n), batch));
    mem_free(p);
    batch_builder_release(&b);
}

static void check_recompressed(const json_t *want, struct slice batch)
{
    for (int codec = CODEC_NONE; codec <= CODEC_ZSTD; codec++) {
        struct strbuf other = STRBUF_INIT;
        strbuf_adds(&other, "before");
        CHECK_OK(batch_recompress(batch, (enum codec)codec, CODEC_LEVEL_DEFAULT, 0, &other));
        struct slice out = slice_of(other.p + 6, other.n - 6);
        CHECK_OK(batch_check(out));
        CHECK_INT(batch_codec(out.p), codec);
        check_records(want, out);
        strbuf_release(&other);
    }
}

static void check_control(struct slice batch)
{
    enum control_type type = CONTROL_UNKNOWN;
    int32_t epoch = 0;
    CHECK_OK(batch_control_parse(batch, &type, &epoch));
    CHECK(type == CONTROL_COMMIT || type == CONTROL_ABORT);
    CHECK_INT(epoch, 9);
    struct strbuf b = STRBUF_INIT;
    batch_control_build(&b, batch_base_timestamp(batch.p), batch_producer_id(batch.p),
                        batch_producer_epoch(batch.p), type, epoch);
    batch_assign(b.p, batch_base_offset(batch.p), batch_leader_epoch(batch.p));
    CHECK(slice_eq(strbuf_slice(&b), batch));
    strbuf_release(&b);
}

static void check_header(const json_t *line, const void *b)
{
    CHECK_INT(batch_is_control(b), json_is_true(json_object_get(line, "control")));
    CHECK_INT(batch_is_transactional(b), json_is_true(json_object_get(line, "transactional")));
    CHECK_INT(batch_producer_id(b), json_integer_value(json_object_get(line, "pid")));
    CHECK_INT(batch_producer_epoch(b), json_integer_value(json_object_get(line, "epoch")));
    CHECK_INT(batch_base_sequence(b), json_integer_value(json_object_get(line, "sequence")));
    CHECK_STR(codec_name((enum codec)batch_codec(b)),
              json_string_value(json_object_get(line, "codec")));
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
    unsigned batches = 0, controls = 0;
    while (slice_split(&rest, '\n', &one)) {
        json_t *line = one.n ? json_loadb(one.p, one.n, 0, NULL) : NULL;
        if (line && json_integer_value(json_object_get(line, "magic")) == 2) {
            struct strbuf bytes = STRBUF_INIT;
            CHECK_OK(
                hex_decode(&bytes, slice_cstr(json_string_value(json_object_get(line, "hex")))));
            struct slice batch = strbuf_slice(&bytes);
            const json_t *records = json_object_get(line, "records");
            CHECK_OK(batch_check(batch));
            check_header(line, batch.p);
            check_records(records, batch);
            check_recompressed(records, batch);
            if (batch_is_control(batch.p)) {
                check_control(batch);
                controls++;
            } else {
                check_rebuilt(records, batch);
            }
            batches++;
            strbuf_release(&bytes);
        }
        json_decref(line);
    }
    CHECK(batches >= 30);
    CHECK_INT(controls, 2);
    mem_free(text);
}

/* --- validation ------------------------------------------------------------------------------- */
static const struct batch_rules usual = {.topic = SL_INIT("t"),
                                         .partition = 3,
                                         .zstd_allowed = true,
                                         .now_ms = 1000000000,
                                         .before_max_ms = INT64_MAX,
                                         .after_max_ms = 3600000,
                                         .max_bytes = 1048588,
                                         .segment_bytes = 1 << 30};

struct sample {
    struct batch_builder b;
    struct slice batch;
    struct arena a;
    struct batch_verdict v;
};

static void sample_make(struct sample *s, enum codec codec, int records, bool keys)
{
    arena_init(&s->a, 0, 1 << 20);
    batch_builder_init(&s->b, codec, CODEC_LEVEL_DEFAULT, 0);
    batch_builder_producer(&s->b, 5, 1, 0, false);
    for (int i = 0; i < records; i++)
        CHECK_OK(batch_builder_add(&s->b, usual.now_ms + i, keys || i % 2 ? SL("key") : SLICE_NULL,
                                   SL("value"), NULL));
    CHECK_OK(batch_builder_finish(&s->b, &s->batch));
}

static void sample_release(struct sample *s)
{
    batch_builder_release(&s->b);
    arena_release(&s->a);
}

static uint8_t *sample_bytes(struct sample *s)
{
    return (uint8_t *)(s->b.codec == CODEC_NONE ? s->b.plain.p : s->b.packed.p);
}

static void renew_crc(struct sample *s)
{
    store_be32(sample_bytes(s) + 17, crc32c(0, s->batch.p + 21, s->batch.n - 21));
}

static void test_valid(void)
{
    for (int codec = CODEC_NONE; codec <= CODEC_ZSTD; codec++) {
        struct sample s;
        struct batch_rules rules = usual;
        sample_make(&s, (enum codec)codec, 10, true);
        for (int deep = 0; deep < 2; deep++) {
            rules.deep = rules.compacted = deep != 0;
            CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_NONE);
            CHECK_INT(s.v.records_count, 0);
        }
        rules.zstd_allowed = false;
        CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v),
                  codec == CODEC_ZSTD ? KERR_UNSUPPORTED_COMPRESSION_TYPE : KERR_NONE);
        sample_release(&s);
    }
}

/* One field of the header changed, with a right checksum. */
static void expect_header(size_t at, uint64_t value, int width, int16_t error)
{
    struct sample s;
    sample_make(&s, CODEC_NONE, 3, true);
    uint8_t *p = sample_bytes(&s) + at;
    for (int i = 0; i < width; i++)
        p[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    renew_crc(&s);
    CHECK_INT(batch_validate(s.batch, &usual, &s.a, &s.v), error);
    sample_release(&s);
}

static void test_invalid_headers(void)
{
    expect_header(0, 1, 8, KERR_INVALID_RECORD);                /* base offset */
    expect_header(12, 77, 4, KERR_NONE);                        /* leader epoch: anything */
    expect_header(16, 3, 1, KERR_CORRUPT_MESSAGE);              /* magic */
    expect_header(16, 1, 1, KERR_INVALID_RECORD);               /* an old message set */
    expect_header(21, 5, 2, KERR_UNSUPPORTED_COMPRESSION_TYPE); /* codec */
    expect_header(21, BATCH_LOG_APPEND_TIME, 2, KERR_INVALID_TIMESTAMP);
    expect_header(21, BATCH_CONTROL, 2, KERR_INVALID_RECORD);
    expect_header(21, BATCH_TRANSACTIONAL, 2, KERR_NONE);
    expect_header(23, 5, 4, KERR_INVALID_RECORD); /* last offset delta */
    expect_header(57, 0, 4, KERR_INVALID_RECORD); /* count */
    expect_header(57, UINT32_MAX, 4, KERR_INVALID_RECORD);
    expect_header(53, UINT32_MAX, 4, KERR_INVALID_RECORD); /* producer without sequence */
    expect_header(35, (uint64_t)usual.now_ms + 4000000, 8, KERR_INVALID_TIMESTAMP);
    expect_header(35, UINT64_MAX >> 1, 8, KERR_INVALID_TIMESTAMP);
    expect_header(43, 0, 8, KERR_NONE);                                /* producer 0 is one */
    expect_header(35, (uint64_t)usual.now_ms + 3600000, 8, KERR_NONE); /* the latest allowed */
    expect_header(35, (uint64_t)usual.now_ms + 3600001, 8, KERR_INVALID_TIMESTAMP);
    expect_header(27, UINT64_MAX, 8, KERR_NONE); /* -1: none */
}

static void test_transactional_without_producer(void)
{
    struct sample s;
    sample_make(&s, CODEC_NONE, 1, true);
    batch_builder_producer(&s.b, -1, -1, -1, true);
    CHECK_OK(batch_builder_finish(&s.b, &s.batch));
    CHECK_INT(batch_validate(s.batch, &usual, &s.a, &s.v), KERR_INVALID_RECORD);
    sample_release(&s);
}

static void test_sizes(void)
{
    struct sample s;
    struct batch_rules rules = usual;
    sample_make(&s, CODEC_GZIP, 5, true);
    CHECK_INT(batch_validate(SL(""), &usual, &s.a, &s.v), KERR_INVALID_RECORD);
    CHECK_INT(batch_validate(SLICE_NULL, &usual, &s.a, &s.v), KERR_INVALID_RECORD);
    for (size_t n = 1; n < s.batch.n; n++) {
        CHECK_INT(batch_validate(slice_of(s.batch.p, n), &usual, &s.a, &s.v), KERR_CORRUPT_MESSAGE);
        CHECK_ERR(batch_check(slice_of(s.batch.p, n)), E_TRUNCATED);
    }
    struct strbuf two = STRBUF_INIT;
    strbuf_add_slice(&two, s.batch);
    strbuf_addc(&two, 0);
    CHECK_INT(batch_validate(strbuf_slice(&two), &usual, &s.a, &s.v), KERR_CORRUPT_MESSAGE);
    CHECK_ERR(batch_check(strbuf_slice(&two)), E_CORRUPT);
    two.n--;
    strbuf_add_slice(&two, s.batch);
    CHECK_INT(batch_validate(strbuf_slice(&two), &usual, &s.a, &s.v), KERR_INVALID_RECORD);
    strbuf_release(&two);
    rules.max_bytes = (int64_t)s.batch.n - 1;
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_MESSAGE_TOO_LARGE);
    rules.max_bytes = rules.segment_bytes = (int64_t)s.batch.n;
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_NONE);
    rules.segment_bytes--;
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_RECORD_LIST_TOO_LARGE);
    /* What comes out of the compressed block has a ceiling too. */
    rules = usual;
    rules.deep = true;
    rules.max_plain = 10;
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_MESSAGE_TOO_LARGE);
    sample_release(&s);
}

/* Every flipped bit behind the first 12 bytes is found by the checksum, except in the epoch. */
static void test_flipped_bits(void)
{
    struct sample s;
    sample_make(&s, CODEC_NONE, 2, true);
    uint8_t *p = sample_bytes(&s);
    for (size_t bit = 8 * 16; bit < 8 * s.batch.n; bit++) {
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK(batch_validate(s.batch, &usual, &s.a, &s.v) != KERR_NONE);
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK_INT(batch_validate(s.batch, &usual, &s.a, &s.v), KERR_NONE);
    sample_release(&s);
}

static void test_missing_keys(void)
{
    struct sample s;
    struct batch_rules rules = usual;
    sample_make(&s, CODEC_LZ4, 10, false);
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_NONE);
    rules.compacted = true;
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_INVALID_RECORD);
    CHECK_INT(s.v.records_count, 5);
    CHECK_INT(s.v.records[4].index, 8);
    CHECK_SLICE(s.v.records[0].message,
                SL("Compacted topic cannot accept message without key in topic partition t-3"));
    CHECK(slice_starts(s.v.message, SL("One or more records have been rejected due to 5 record "
                                       "errors in total, and only showing the first three errors "
                                       "at most: [RecordError(batchIndex=0, message='Compacted")));
    sample_release(&s);
    /* Many of them do not become much memory. */
    sample_make(&s, CODEC_NONE, 20000, false);
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_INVALID_RECORD);
    CHECK_INT(s.v.records_count, 1024);
    CHECK(slice_find(s.v.message, SL("due to 10000 record errors")) > 0);
    sample_release(&s);
}

static void test_wrong_times(void)
{
    struct sample s;
    struct batch_rules rules = usual;
    sample_make(&s, CODEC_NONE, 3, true);
    rules.now_ms += 1000000; /* the records are older than allowed, the last one excepted */
    rules.before_max_ms = 1000000 - 2;
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_INVALID_TIMESTAMP);
    CHECK_SLICE(s.v.message, SL("One or more records have been rejected due to invalid timestamp"));
    CHECK_INT(s.v.records_count, 2);
    CHECK_INT(s.v.records[1].index, 1);
    CHECK_SLICE(s.v.records[0].message,
                SL("Timestamp 1000000000 of message with offset 0 is out of range. The timestamp "
                   "should be within [1000000002, 1004600000]"));
    rules.log_append_time = true;
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_NONE);
    sample_release(&s);
}

/* Records that contradict their header. */
static void test_deep(void)
{
    struct batch_rules rules = usual;
    rules.deep = true;
    struct sample s;
    sample_make(&s, CODEC_NONE, 3, true);
    uint8_t *p = sample_bytes(&s);
    store_be32(p + 23, 3); /* four records are said to be there */
    store_be32(p + 57, 4);
    renew_crc(&s);
    CHECK_INT(batch_validate(s.batch, &usual, &s.a, &s.v), KERR_NONE);
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_INVALID_RECORD);
    store_be32(p + 23, 1); /* two */
    store_be32(p + 57, 2);
    renew_crc(&s);
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_INVALID_RECORD);
    store_be32(p + 23, 2);
    store_be32(p + 57, 3);
    for (size_t at = 61; at < s.batch.n; at++) {
        uint8_t was = p[at];
        p[at] = 0xff; /* lengths and deltas become long or negative; text does not mind */
        renew_crc(&s);
        int16_t error = batch_validate(s.batch, &rules, &s.a, &s.v);
        CHECK(error == KERR_INVALID_RECORD || error == KERR_INVALID_TIMESTAMP ||
              error == KERR_NONE);
        p[at] = was;
    }
    sample_release(&s);
}

/* Headers that end early, have no name, or leave bytes over. */
static void test_deep_headers(void)
{
    static const struct {
        struct slice bytes;
        int32_t count;
        bool good;
    } cases[] = {{SL_INIT("\2a\2b"), 1, true},
                 {SL_INIT("\2a\1"), 1, true},
                 {SL_INIT("\0\0"), 1, true},
                 {SL_INIT("\2a\2b\2c\1"), 2, true},
                 {SL_INIT("\2a\2b\2c\1"), 1, false},
                 {SL_INIT("\2a\2bx"), 1, false},
                 {SL_INIT("\1\1"), 1, false},
                 {SL_INIT("\2a\4b"), 1, false},
                 {SL_INIT("\3a\2b"), 1, false},
                 {SL_INIT("\2a\2b"), 2, false},
                 {SL_INIT("\2a\2b"), 40, false},
                 {SL_INIT("\2a\2b"), -1, false},
                 {SL_INIT(""), 0, true},
                 {SL_INIT("xyz"), 0, false}};
    struct batch_rules rules = usual;
    rules.deep = true;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct batch_headers h = BATCH_HEADERS_INIT;
        strbuf_add_slice(&h.bytes, cases[i].bytes);
        h.count = cases[i].count;
        struct sample s;
        arena_init(&s.a, 0, 1 << 20);
        batch_builder_init(&s.b, CODEC_NONE, 0, 0);
        CHECK_OK(batch_builder_add(&s.b, usual.now_ms, SL("k"), SL("v"), &h));
        CHECK_OK(batch_builder_finish(&s.b, &s.batch));
        CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v),
                  cases[i].good ? KERR_NONE : KERR_INVALID_RECORD);
        strbuf_release(&h.bytes);
        sample_release(&s);
    }
}

static void test_two_errors(void)
{
    struct sample s;
    struct batch_rules rules = usual;
    rules.compacted = true;
    sample_make(&s, CODEC_NONE, 3, false);
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_INVALID_RECORD);
    CHECK_INT(s.v.records_count, 2);
    CHECK(slice_ends(s.v.message, SL("partition t-3')]")));
    /* Times decide when both are wrong. */
    rules.now_ms -= 2 * rules.after_max_ms;
    CHECK_INT(batch_validate(s.batch, &rules, &s.a, &s.v), KERR_INVALID_TIMESTAMP);
    CHECK_INT(s.v.records_count, 5);
    sample_release(&s);
}

/* --- the rest --------------------------------------------------------------------------------- */
static void test_in_place(void)
{
    struct sample s;
    sample_make(&s, CODEC_SNAPPY, 4, true);
    uint8_t *p = sample_bytes(&s);
    batch_assign(p, 123456789012, 7);
    CHECK_OK(batch_check(s.batch));
    CHECK_INT(batch_base_offset(p), 123456789012);
    CHECK_INT(batch_last_offset(p), 123456789015);
    CHECK_INT(batch_leader_epoch(p), 7);
    batch_set_log_append_time(p, s.batch.n, 55);
    CHECK_OK(batch_check(s.batch));
    struct batch_iter it;
    struct batch_record r;
    CHECK_OK(batch_iter_init(&it, s.batch, 0));
    int n = 0;
    for (; batch_iter_next(&it, &r); n++)
        CHECK_INT(r.timestamp, 55);
    CHECK_INT(n, 4);
    batch_iter_release(&it);
    sample_release(&s);
}

static void test_sequences(void)
{
    uint8_t b[BATCH_HEADER_SIZE] = {0};
    store_be32(b + 53, 10);
    store_be32(b + 23, 4);
    CHECK_INT(batch_last_sequence(b), 14);
    store_be32(b + 53, INT32_MAX - 1);
    CHECK_INT(batch_last_sequence(b), 2);
    store_be32(b + 53, UINT32_MAX);
    CHECK_INT(batch_last_sequence(b), -1);
}

static void test_builder_limits(void)
{
    struct batch_builder b;
    struct slice out;
    char big[400];
    memset(big, 'x', sizeof big);
    batch_builder_init(&b, CODEC_NONE, CODEC_LEVEL_DEFAULT, 1000);
    CHECK_ERR(batch_builder_finish(&b, &out), E_INVALID);
    CHECK_OK(batch_builder_add(&b, 1, SL("a"), slice_of(big, sizeof big), NULL));
    CHECK_OK(batch_builder_add(&b, 2, SL("b"), slice_of(big, sizeof big), NULL));
    CHECK_ERR(batch_builder_add(&b, 3, SL("c"), slice_of(big, sizeof big), NULL), E_TOO_LARGE);
    CHECK_OK(batch_builder_add(&b, 4, SL("d"), SL("small"), NULL));
    CHECK_OK(batch_builder_finish(&b, &out));
    CHECK_OK(batch_check(out));
    CHECK_INT(batch_count(out.p), 3);
    CHECK_INT(batch_max_timestamp(out.p), 4);
    /* Exactly to the ceiling. */
    size_t size = batch_builder_size(&b);
    struct batch_builder exact;
    batch_builder_init(&exact, CODEC_NONE, CODEC_LEVEL_DEFAULT, size);
    for (int i = 0; i < 2; i++)
        CHECK_OK(batch_builder_add(&exact, 1 + i, SL("a"), slice_of(big, sizeof big), NULL));
    CHECK_OK(batch_builder_add(&exact, 4, SL("d"), SL("small"), NULL));
    CHECK_ERR(batch_builder_add(&exact, 4, SLICE_NULL, SLICE_NULL, NULL), E_TOO_LARGE);
    CHECK_INT(batch_builder_size(&exact), size);
    batch_builder_release(&exact);
    batch_builder_reset(&b);
    CHECK_INT(batch_builder_size(&b), 0);
    CHECK_OK(batch_builder_add(&b, -1, SLICE_NULL, SLICE_NULL, NULL));
    CHECK_OK(batch_builder_finish(&b, &out));
    CHECK_INT(batch_base_timestamp(out.p), -1);
    CHECK_INT(batch_max_timestamp(out.p), -1);
    CHECK_INT(batch_count(out.p), 1);
    batch_builder_release(&b);
}

static void test_parts(void)
{
    struct batch_builder one, two;
    struct slice a, b, pieces[3] = {SL("{\"schema\":"), SL(""), SL("null}")}, none = SLICE_NULL;
    struct batch_headers h = BATCH_HEADERS_INIT;
    batch_headers_add(&h, SL("name"), SL("v"));
    batch_headers_add(&h, SL("none"), SLICE_NULL);
    batch_builder_init(&one, CODEC_NONE, 0, 0);
    batch_builder_init(&two, CODEC_NONE, 0, 0);
    CHECK_OK(batch_builder_add(&one, 10, SL(""), SL("{\"schema\":null}"), &h));
    CHECK_OK(batch_builder_add(&one, 5, SL("k"), SLICE_NULL, NULL));
    CHECK_OK(batch_builder_add_parts(&two, 10, (struct batch_text){&none, 0},
                                     (struct batch_text){pieces, 3}, &h));
    CHECK_OK(batch_builder_add_parts(&two, 5, (struct batch_text){&SL("k"), 1},
                                     (struct batch_text){NULL, -1}, NULL));
    CHECK_OK(batch_builder_finish(&one, &a));
    CHECK_OK(batch_builder_finish(&two, &b));
    CHECK(slice_eq(a, b));
    batch_builder_release(&one);
    batch_builder_release(&two);
    strbuf_release(&h.bytes);
}

static void test_split(void)
{
    struct sample s;
    sample_make(&s, CODEC_NONE, 2, true);
    struct strbuf b = STRBUF_INIT;
    for (int i = 0; i < 3; i++)
        strbuf_add_slice(&b, s.batch);
    struct slice rest = slice_of(b.p, b.n - 1), one;
    int n = 0;
    while (batch_split(&rest, &one)) {
        CHECK_OK(batch_check(one));
        n++;
    }
    CHECK_INT(n, 2);
    CHECK_INT(rest.n, s.batch.n - 1);
    store_be32(b.p + 8, UINT32_MAX);
    rest = strbuf_slice(&b);
    CHECK(!batch_split(&rest, &one));
    for (size_t few_n = 0; few_n < 12; few_n++) {
        char *few = xcalloc(1, few_n + 1);
        rest = slice_of(few, few_n);
        CHECK(!batch_split(&rest, &one));
        mem_free(few);
    }
    strbuf_release(&b);
    sample_release(&s);
}

static void test_unreadable(void)
{
    struct sample s;
    struct batch_iter it;
    struct strbuf out = STRBUF_INIT;
    sample_make(&s, CODEC_ZSTD, 20, true);
    CHECK_ERR(batch_iter_init(&it, s.batch, 30), E_TOO_LARGE);
    CHECK_ERR(batch_recompress(s.batch, CODEC_NONE, 0, 30, &out), E_TOO_LARGE);
    CHECK_ERR(batch_recompress(s.batch, CODEC_GZIP, 77, 0, &out), E_INVALID);
    CHECK_INT(out.n, 0);
    uint8_t *p = sample_bytes(&s);
    CHECK_ERR(batch_iter_init(&it, slice_of(p, 60), 0), E_TRUNCATED);
    CHECK_ERR(batch_iter_init(&it, slice_of(p, s.batch.n - 1), 0), E_TRUNCATED);
    p[22] = 5;
    CHECK_ERR(batch_iter_init(&it, s.batch, 0), E_UNSUPPORTED);
    p[22] = CODEC_GZIP;
    CHECK_ERR(batch_iter_init(&it, s.batch, 0), E_CORRUPT);
    p[22] = CODEC_NONE;
    p[16] = 1;
    CHECK_ERR(batch_iter_init(&it, s.batch, 0), E_UNSUPPORTED);
    strbuf_release(&out);
    sample_release(&s);
}

/* Damaged records end the iteration with an error, or go unnoticed; never a bad access. */
static void test_damage(void)
{
    for (int codec = CODEC_NONE; codec <= CODEC_ZSTD; codec++) {
        struct sample s;
        sample_make(&s, (enum codec)codec, 30, false);
        for (size_t at = 12; at < s.batch.n; at++) {
            char *bad = xmalloc(s.batch.n);
            memcpy(bad, s.batch.p, s.batch.n);
            bad[at] = (char)(bad[at] + 1 + (int)at % 200);
            struct batch_iter it;
            struct batch_record r;
            struct slice rest, name, value;
            if (batch_iter_init(&it, slice_of(bad, s.batch.n), 100000) == E_OK)
                while (batch_iter_next(&it, &r))
                    for (rest = r.headers; batch_header_next(&rest, &name, &value);)
                        ;
            batch_iter_release(&it);
            mem_free(bad);
        }
        sample_release(&s);
    }
}

static void test_memory_faults(void)
{
    for (int codec = CODEC_NONE; codec <= CODEC_ZSTD; codec++) {
        bool hit = true;
        for (int64_t n = 1; hit && n < 100; n++) {
            struct batch_builder b;
            struct slice out;
            batch_builder_init(&b, (enum codec)codec, CODEC_LEVEL_DEFAULT, 0);
            enum err err = E_OK;
            mem_fail_at(n);
            for (int i = 0; i < 100 && err == E_OK; i++)
                err = batch_builder_add(&b, i, SL("key"), SL("some value"), NULL);
            if (err == E_OK)
                err = batch_builder_finish(&b, &out);
            hit = mem_fail_hit();
            mem_fail_at(0);
            CHECK_ERR(err, hit ? E_NOMEM : E_OK);
            /* The builder goes on with what it has. */
            if (hit && b.count > 0) {
                CHECK_OK(batch_builder_finish(&b, &out));
                CHECK_OK(batch_check(out));
            }
            batch_builder_release(&b);
        }
        CHECK(!hit);
    }
}

static const struct test_case tests[] = {
    {"golden", test_golden},
    {"valid", test_valid},
    {"invalid headers", test_invalid_headers},
    {"transactional without producer", test_transactional_without_producer},
    {"sizes", test_sizes},
    {"flipped bits", test_flipped_bits},
    {"missing keys", test_missing_keys},
    {"wrong times", test_wrong_times},
    {"deep", test_deep},
    {"deep headers", test_deep_headers},
    {"two errors", test_two_errors},
    {"unreadable", test_unreadable},
    {"in place", test_in_place},
    {"sequences", test_sequences},
    {"builder limits", test_builder_limits},
    {"parts", test_parts},
    {"split", test_split},
    {"damage", test_damage},
    {"memory faults", test_memory_faults},
    {NULL, NULL}};
const struct test_suite test_batch = {"broker/proto/batch", tests, NULL, NULL};
