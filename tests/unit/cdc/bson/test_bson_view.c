/* The check of documents against bytes that nobody looked at, and reading. SPEC: cdc-mongodb 6.5 */
#include "cdc/bson/bson_view.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "cdc/bson/bson_build.h"
#include "helpers.h"
#include "vectors.h"

static struct strbuf from_hex(const char *hex)
{
    struct strbuf b = STRBUF_INIT;
    CHECK_OK(hex_decode(&b, slice_cstr(hex)));
    return b;
}

/* In memory of exactly that size, so that a sanitizer sees a step too far. */
static enum err check_exact(const void *bytes, size_t n, struct error *e)
{
    char *copy = xmalloc(n ? n : 1);
    memcpy(copy, bytes, n);
    enum err err = bson_check(slice_of(copy, n), e);
    mem_free(copy);
    return err;
}

static void test_vectors(void)
{
    for (size_t i = 0; i < ARRAY_LEN(bson_vectors); i++) {
        struct strbuf b = from_hex(bson_vectors[i].hex);
        CHECK_OK(check_exact(b.p, b.n, NULL));
        for (size_t n = 0; n < b.n; n++) /* cut off anywhere */
            CHECK_ERR(check_exact(b.p, n, NULL), E_CORRUPT);
        strbuf_release(&b);
    }
}

static void test_broken(void)
{
    static const struct {
        const char *hex, *text;
    } rows[] = {
        {"", "broken document at byte 0: a document is cut off"},
        {"0500000001", "broken document at byte 0: a document does not end with 0"},
        {"0600000000", "broken document at byte 0: wrong size of a document"},
        {"0400000000", "broken document at byte 0: wrong size of a document"},
        {"ffffffff00", "broken document at byte 0: wrong size of a document"},
        {"07000000106100", "broken document at byte 5: a name has no end"},
        {"0c00000010610001000000", "broken document at byte 0: wrong size of a document"},
        {"0b0000001061000100"
         "0000",
         "broken document at byte 7: a value is cut off"},
        {"0b000000146100"
         "00000000",
         "broken document at byte 6: a kind of value that is not known"},
        {"09000000086100"
         "0200",
         "broken document at byte 7: a boolean is neither 0 nor 1"},
        {"0e000000026100"
         "0000000000"
         "0000",
         "broken document at byte 7: wrong length of a text"},
        {"0e000000026100"
         "0300000061"
         "6200",
         "broken document at byte 7: wrong length of a text"},
        {"0e000000026100"
         "ffffffff61"
         "0000",
         "broken document at byte 7: wrong length of a text"},
        {"0e000000026100"
         "0200000061"
         "6100",
         "broken document at byte 7: a text does not end with 0"},
        {"0e000000056100"
         "0200000000"
         "6100",
         "broken document at byte 7: wrong length of binary data"},
        {"0e000000056100"
         "fbffffff00"
         "6100",
         "broken document at byte 7: wrong length of binary data"},
        {"0d000000036100"
         "0600000000"
         "00",
         "broken document at byte 7: wrong size of a document"},
        {"0d0000000b6100"
         "6161616161"
         "00",
         "broken document at byte 7: a pattern has no end"},
        {"0d0000000b6100"
         "6161006161"
         "00",
         "broken document at byte 10: a pattern's options have no end"},
        /* the scope is shorter than what the code's size says */
        {"19000000"
         "0f6100"
         "11000000"
         "0100000000"
         "0500000000"
         "000000"
         "00",
         "broken document at byte 16: wrong size of a document"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct strbuf b = from_hex(rows[i].hex);
        struct error e = {0};
        CHECK_ERR(check_exact(b.p, b.n, &e), E_CORRUPT);
        CHECK_STR(e.msg, rows[i].text);
        strbuf_release(&b);
    }
    CHECK_ERR(bson_check(SLICE_NULL, NULL), E_CORRUPT);
}

/* Every byte of every vector changed to a few others: never a step outside (the sanitizers look), and
 * what passes can be walked. */
static size_t walk(struct slice doc, unsigned depth)
{
    struct bson_walk w;
    struct bson_item i;
    struct slice code, scope = SLICE_NULL;
    size_t bytes = 0;
    bson_walk_init(&w, doc);
    while (bson_walk_next(&w, &i)) {
        bytes += i.name.n + i.raw.n;
        bson_scope(&i, &code, &scope);
        if (bson_doc(&i).p || scope.p)
            bytes += walk(scope.p ? scope : bson_doc(&i), depth + 1);
    }
    return bytes;
}

static void test_spoilt(void)
{
    static const uint8_t others[] = {0, 1, 2, 3, 4, 5, 0x0f, 0x7f, 0x80, 0xff};
    size_t passed = 0;
    for (size_t i = 0; i < ARRAY_LEN(bson_vectors); i++) {
        struct strbuf b = from_hex(bson_vectors[i].hex);
        char *copy = xmalloc(b.n);
        for (size_t at = 0; at < b.n * ARRAY_LEN(others); at++) {
            memcpy(copy, b.p, b.n);
            copy[at / ARRAY_LEN(others)] = (char)others[at % ARRAY_LEN(others)];
            if (bson_check(slice_of(copy, b.n), NULL) == E_OK) {
                walk(slice_of(copy, b.n), 0);
                passed++;
            }
        }
        mem_free(copy);
        strbuf_release(&b);
    }
    CHECK(passed > 1000);
}

static void test_depth(void)
{
    struct bson_build b;
    bson_build_init(&b);
    for (int i = 0; i < BSON_DEPTH_MAX; i++)
        bson_build_begin(&b, SL("d"), BSON_DOCUMENT);
    struct slice doc = bson_build_finish(&b);
    CHECK_OK(bson_build_err(&b));
    CHECK_OK(bson_check(doc, NULL));
    /* one more around it */
    struct strbuf deeper = STRBUF_INIT;
    char size[4];
    store_le32(size, (uint32_t)(doc.n + 4 + 3 + 1));
    strbuf_add(&deeper, size, 4);
    strbuf_add(&deeper, "\x03z\0", 3);
    strbuf_add_slice(&deeper, doc);
    strbuf_addc(&deeper, 0);
    struct error e = {0};
    CHECK_ERR(bson_check(strbuf_slice(&deeper), &e), E_CORRUPT);
    CHECK(strstr(e.msg, "nested too deeply") != NULL);
    strbuf_release(&deeper);
    bson_build_reset(&b);
    for (int i = 0; i <= BSON_DEPTH_MAX; i++)
        bson_build_begin(&b, SL("d"), BSON_DOCUMENT);
    CHECK(slice_is_null(bson_build_finish(&b)));
    CHECK_ERR(bson_build_err(&b), E_TOO_LARGE);
    bson_build_release(&b);
}

static void test_values(void)
{
    struct bson_build b;
    bson_build_init(&b);
    bson_build_int(&b, SL("i"), -5);
    bson_build_long(&b, SL("l"), INT64_MIN);
    bson_build_double(&b, SL("d"), 2.75);
    bson_build_double(&b, SL("big"), 1e300);
    bson_build_double(&b, SL("nan"), __builtin_nan(""));
    bson_build_bool(&b, SL("t"), true);
    bson_build_date(&b, SL("date"), -1);
    bson_build_timestamp(&b, SL("ts"), 7, 9);
    bson_build_text(&b, SL("s"), SL("a\0b"));
    bson_build_text_as(&b, SL("code"), BSON_CODE, SL("f()"));
    bson_build_binary(&b, SL("b0"), 0, SL("xyz"));
    bson_build_binary(&b, SL("b2"), 2, SL("xyz"));
    bson_build_regex(&b, SL("r"), SL("a.b"), SL("i"));
    bson_build_null(&b, SL("n"));
    bson_build_begin(&b, SL("arr"), BSON_ARRAY);
    char index[BSON_INDEX_SIZE];
    for (unsigned i = 0; i < 12; i++)
        bson_build_int(&b, bson_index(i, index), (int32_t)i);
    bson_build_end(&b);
    struct slice doc = bson_build_finish(&b);
    CHECK_OK(bson_build_err(&b));
    CHECK_OK(bson_check(doc, NULL));
    struct bson_item i;
#define FIND(name) CHECK(bson_find(doc, SL(name), &i))
    FIND("i");
    CHECK_INT(bson_int(&i), -5);
    CHECK(bson_double(&i) == -5.0);
    FIND("l");
    CHECK_INT(bson_int(&i), INT64_MIN);
    FIND("d");
    CHECK_INT(bson_int(&i), 2);
    CHECK(bson_double(&i) == 2.75);
    FIND("big");
    CHECK_INT(bson_int(&i), INT64_MAX);
    FIND("nan");
    CHECK_INT(bson_int(&i), 0);
    FIND("t");
    CHECK_INT(bson_int(&i), 1);
    CHECK(bson_double(&i) == 0);
    FIND("date");
    CHECK_INT(bson_int(&i), -1);
    FIND("ts");
    uint32_t seconds, increment;
    bson_timestamp(&i, &seconds, &increment);
    CHECK_INT(seconds, 7);
    CHECK_INT(increment, 9);
    CHECK(slice_is_null(bson_text(&i)));
    FIND("s");
    CHECK_SLICE(bson_text(&i), SL("a\0b"));
    CHECK_INT(bson_int(&i), 0);
    FIND("code");
    CHECK_SLICE(bson_text(&i), SL("f()"));
    uint8_t subtype;
    FIND("b0");
    CHECK_SLICE(bson_binary(&i, &subtype), SL("xyz"));
    CHECK_INT(subtype, 0);
    FIND("b2");
    CHECK_SLICE(bson_binary(&i, &subtype), SL("xyz"));
    CHECK_INT(subtype, 2);
    struct slice pattern, options;
    FIND("r");
    bson_regex(&i, &pattern, &options);
    CHECK_SLICE(pattern, SL("a.b"));
    CHECK_SLICE(options, SL("i"));
    FIND("n");
    CHECK(slice_is_null(bson_doc(&i)));
    FIND("arr");
    struct slice array = bson_doc(&i);
    CHECK(bson_find(array, SL("11"), &i));
    CHECK_INT(bson_int(&i), 11);
    CHECK(!bson_find(array, SL("12"), &i));
#undef FIND
    bson_build_release(&b);
}

static void test_build_memory(void)
{
    for (int64_t n = 1;; n++) {
        struct bson_build b;
        mem_fail_at(n);
        bson_build_init(&b);
        for (int i = 0; i < 50; i++)
            bson_build_text(&b, SL("name"), SL("a text of some length"));
        struct slice doc = bson_build_finish(&b);
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(hit ? bson_build_err(&b) == E_NOMEM && !doc.p : bson_check(doc, NULL) == E_OK);
        bson_build_release(&b);
        if (!hit)
            break;
    }
}

static const struct test_case tests[] = {
    {"vectors", test_vectors},
    {"broken", test_broken},
    {"spoilt", test_spoilt},
    {"depth", test_depth},
    {"values", test_values},
    {"build_memory", test_build_memory},
    {NULL, NULL},
};
const struct test_suite test_bson_view = {"cdc/bson/bson_view", tests};
