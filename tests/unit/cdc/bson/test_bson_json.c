/* Documents as JSON, byte for byte as recorded. SPEC: cdc-mongodb 6.4-6.6 */
#include "cdc/bson/bson_json.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"
#include "cdc/bson/bson_build.h"
#include "helpers.h"
#include "vectors.h"

static const struct bson_json_form strict = {BSON_JSON_STRICT, BSON_JSON_COMPACT},
                                   relaxed = {BSON_JSON_RELAXED, BSON_JSON_SPACED},
                                   extended = {BSON_JSON_EXTENDED, BSON_JSON_COMPACT},
                                   pretty = {BSON_JSON_EXTENDED, BSON_JSON_PRETTY};

static struct strbuf from_hex(const char *hex)
{
    struct strbuf b = STRBUF_INIT;
    CHECK_OK(hex_decode(&b, slice_cstr(hex)));
    return b;
}

static void check_print(struct slice doc, struct bson_json_form f, const char *want)
{
    struct strbuf text = STRBUF_INIT, inside = STRBUF_INIT, again = STRBUF_INIT;
    bson_json_print(doc, f, &text);
    CHECK_OK(strbuf_err(&text));
    CHECK_STR(text.p, want);
    bson_json_print_escaped(doc, f, &inside);
    json_add_escaped(&again, slice_cstr(want));
    CHECK_STR(inside.p, again.p);
    strbuf_release(&text);
    strbuf_release(&inside);
    strbuf_release(&again);
}

static void test_vectors(void)
{
    for (size_t i = 0; i < ARRAY_LEN(bson_vectors); i++) {
        const struct bson_vector *v = &bson_vectors[i];
        struct strbuf b = from_hex(v->hex);
        CHECK_OK(bson_check(strbuf_slice(&b), NULL));
        check_print(strbuf_slice(&b), strict, v->strict);
        check_print(strbuf_slice(&b), relaxed, v->relaxed);
        check_print(strbuf_slice(&b), extended, v->extended);
        strbuf_release(&b);
    }
}

/* mongodb/outbox: a payload as text, and how the driver indents what is empty. */
static void test_pretty(void)
{
    struct bson_build b;
    bson_build_init(&b);
    bson_build_int(&b, SL("id"), 1);
    bson_build_begin(&b, SL("lineItems"), BSON_ARRAY);
    bson_build_begin(&b, SL("0"), BSON_DOCUMENT);
    bson_build_text(&b, SL("item"), SL("\xec\xb1\x85 \"{[,]}\" \\"));
    bson_build_double(&b, SL("totalPrice"), 39.98);
    bson_build_end(&b);
    bson_build_end(&b);
    bson_build_begin(&b, SL("e"), BSON_DOCUMENT);
    bson_build_end(&b);
    bson_build_begin(&b, SL("f"), BSON_ARRAY);
    bson_build_end(&b);
    bson_build_bool(&b, SL("ok"), true);
    check_print(
        bson_build_finish(&b), pretty,
        "{\n  \"id\": {\n    \"$numberInt\": \"1\"\n  },\n  \"lineItems\": [\n    {\n"
        "      \"item\": \"\xec\xb1\x85 \\\"{[,]}\\\" \\\\\",\n      \"totalPrice\": {\n"
        "        \"$numberDouble\": \"39.98\"\n      }\n    }\n  ],\n  \"e\": {},\n  \"f\": [],\n"
        "  \"ok\": true\n}");
    bson_build_release(&b);
}

/* An _id alone, as in keys. */
static void test_item(void)
{
    struct bson_build b;
    bson_build_init(&b);
    bson_build_text(&b, SL("_id"), SL("F-\"414"));
    struct bson_item i;
    CHECK(bson_find(bson_build_finish(&b), SL("_id"), &i));
    struct strbuf text = STRBUF_INIT;
    strbuf_adds(&text, "before ");
    bson_json_print_item(&i, relaxed, &text);
    CHECK_STR(text.p, "before \"F-\\\"414\"");
    strbuf_reset(&text);
    bson_json_print_item_escaped(&i, relaxed, &text);
    CHECK_STR(text.p, "\\\"F-\\\\\\\"414\\\"");
    strbuf_release(&text);
    bson_build_release(&b);
}

/* Texts of all lengths with one odd character in every place: no step of the wide loop misses it. */
static void test_places(void)
{
    static const char *const odd[][2] = {
        {"\"", "\\\""}, {"\x7f", "\\u007f"}, {"\xcc\x81", "\\u0301"}};
    char text[128], want[160];
    for (size_t k = 0; k < ARRAY_LEN(odd); k++)
        for (size_t n = 0; n < 50; n++)
            for (size_t at = 0; at <= n; at++) {
                snprintf(text, sizeof text, "%.*s%s%.*s", (int)at,
                         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", odd[k][0],
                         (int)(n - at), "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
                snprintf(want, sizeof want, "{\"s\": \"%.*s%s%.*s\"}", (int)at,
                         "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", odd[k][1],
                         (int)(n - at), "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
                struct bson_build b;
                struct strbuf out = STRBUF_INIT;
                bson_build_init(&b);
                bson_build_text(&b, SL("s"), slice_cstr(text));
                bson_json_print(bson_build_finish(&b), strict, &out);
                if (strcmp(out.p, want) != 0)
                    CHECK_STR(out.p, want);
                strbuf_release(&out);
                bson_build_release(&b);
            }
    CHECK(true);
}

static void test_memory(void)
{
    struct strbuf b = from_hex(bson_vectors[0].hex);
    struct bson_build big;
    bson_build_init(&big);
    for (int i = 0; i < 200; i++)
        bson_build_text(&big, SL("name"), SL("some text, \" and \x01 in it, of a certain length"));
    struct slice doc = bson_build_finish(&big);
    for (int form = 0; form < 4; form++)
        for (int64_t n = 1;; n++) {
            struct strbuf out = STRBUF_INIT;
            mem_fail_at(n);
            if (form & 1)
                bson_json_print_escaped(doc, form & 2 ? pretty : strict, &out);
            else
                bson_json_print(doc, form & 2 ? pretty : strict, &out);
            bool hit = mem_fail_hit();
            mem_fail_at(0);
            CHECK_ERR(strbuf_err(&out), hit ? E_NOMEM : E_OK);
            CHECK(strlen(out.p) <= out.n);
            strbuf_release(&out);
            if (!hit)
                break;
        }
    struct strbuf small;
    strbuf_init(&small, 100);
    bson_json_print(doc, strict, &small);
    CHECK_ERR(strbuf_err(&small), E_TOO_LARGE);
    strbuf_release(&small);
    bson_build_release(&big);
    strbuf_release(&b);
}

static const struct test_case tests[] = {
    {"vectors", test_vectors}, {"pretty", test_pretty}, {"item", test_item},
    {"places", test_places},   {"memory", test_memory}, {NULL, NULL},
};
const struct test_suite test_bson_json = {"cdc/bson/bson_json", tests};
