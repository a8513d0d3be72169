/* Texts of documents as structs, in all forms of arrays and names: what comes out without an error
 * has a value for each field of its schema, of that type, and is JSON by JsonConverter.
 *
 * Each two neighbours in a document also come as what may get one schema: members of documents in
 * documents of an array, members whose names become one by adjustment, members of one name. */
#include "base/json.h"
#include "cdc/bson/bson_build.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/transforms/document.h"
#include "check_value.h"
#include "connect/json_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void convert(struct documents *d, struct record_batch *b, struct slice doc)
{
    struct document_shape *shape, *again;
    struct json_out_options o = {.null_to_default = false};
    struct strbuf text = STRBUF_INIT;
    struct error e = {0};
    struct value v;
    enum err err = document_convert(d, b, SL("t"), doc, NULL, 0, &shape, &v, &e);
    if (err) {
        must(e.msg[0] != 0);
        return;
    }
    check_value(shape->schema, v);
    must(json_out_value(&text, shape->schema, v, &o, &e) == E_OK);
    must(document_convert(d, b, SL("t"), doc, NULL, 0, &again, &v, &e) == E_OK);
    check_value(again->schema, v);
    strbuf_release(&text);
}

#define HOW 3
static struct documents *forms[2 * HOW];

static void convert_all(struct record_batch *b, struct slice doc)
{
    static const unsigned how[HOW] = {DOCUMENTS_AS_ARRAYS, DOCUMENTS_AS_STRUCTS, DOCUMENTS_WIDEN};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (!forms[i])
            forms[i] = documents_new(how[i / 2], i % 2 ? NAME_AVRO : NAME_AS_IS);
        convert(forms[i], b, doc);
    }
}

/* {name: {inner: i}} as a member. */
static void add_below(struct bson_build *b, struct slice name, struct slice inner,
                      const struct bson_item *i)
{
    bson_build_begin(b, name, BSON_DOCUMENT);
    bson_build_item(b, inner, i);
    bson_build_end(b);
}

static void convert_pair(struct bson_build *b, struct record_batch *batch,
                         const struct bson_item *one, const struct bson_item *two)
{
    bson_build_reset(b);
    bson_build_item(b, SL("a-b"), one);
    bson_build_item(b, SL("a_b"), two);
    bson_build_item(b, SL("x"), one);
    bson_build_item(b, SL("x"), two);
    convert_all(batch, bson_build_finish(b));
    bson_build_reset(b);
    bson_build_begin(b, SL("a"), BSON_ARRAY);
    for (int i = 0; i < 2; i++) {
        bson_build_begin(b, i ? SL("1") : SL("0"), BSON_DOCUMENT);
        add_below(b, SL("b"), SL("x"), i ? two : one);
        bson_build_end(b);
    }
    bson_build_end(b);
    convert_all(batch, bson_build_finish(b));
    bson_build_reset(b);
    bson_build_begin(b, SL("c"), BSON_ARRAY);
    bson_build_begin(b, SL("0"), BSON_DOCUMENT);
    add_below(b, SL("a-b"), SL("x"), one);
    add_below(b, SL("a_b"), SL("x"), two);
    bson_build_end(b);
    bson_build_end(b);
    convert_all(batch, bson_build_finish(b));
}

static void convert_pairs(struct record_batch *batch, struct slice doc)
{
    struct bson_build b;
    struct bson_walk w;
    struct bson_item one, two;
    bson_build_init(&b);
    bson_walk_init(&w, doc);
    if (bson_walk_next(&w, &one))
        for (int n = 0; n < 4 && bson_walk_next(&w, &two); n++) {
            convert_pair(&b, batch, &one, &two);
            one = two;
        }
    bson_build_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record_batch b;
    struct slice doc;
    record_batch_init(&b, (size_t)64 << 20);
    if (bson_parse(slice_of(data, size), BSON_DOCUMENT, &b.arena, &doc, NULL) == E_OK) {
        convert_all(&b, doc);
        convert_pairs(&b, doc);
    }
    record_batch_release(&b);
    return 0;
}
