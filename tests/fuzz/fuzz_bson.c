/* Documents of any content: what bson_check lets through is printed in all modes (twice: plain, and
 * as the inside of a string, which must be the same), parsed again and printed again to the same
 * text. In the extended mode the bytes come back too, where they are of the one form that the
 * parser writes. */
#include <stdlib.h>

#include "base/base.h"
#include "base/json.h"
#include "cdc/bson/bson_json.h"
#include "cdc/bson/bson_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is)
{
    if (!is)
        abort();
}

static void print_twice(struct slice doc, struct bson_json_form f, struct strbuf *text)
{
    struct strbuf inside = STRBUF_INIT, escaped = STRBUF_INIT;
    bson_json_print(doc, f, text);
    bson_json_print_escaped(doc, f, &inside);
    json_add_escaped(&escaped, strbuf_slice(text));
    must(slice_eq(strbuf_slice(&inside), strbuf_slice(&escaped)));
    must(slice_is_utf8(strbuf_slice(text)));
    strbuf_release(&inside);
    strbuf_release(&escaped);
}

/* Members of the user's own that look like one of the forms ({"$oid": ...}), decimals of more
 * digits than there should be, and names that come twice, or do so as UTF-8. */
static bool is_odd(struct slice doc)
{
    struct bson_walk w, v;
    struct bson_item i, other;
    struct slice code, scope;
    bson_walk_init(&w, doc);
    while (bson_walk_next(&w, &i)) {
        for (v = w; bson_walk_next(&v, &other);)
            if (slice_eq(i.name, other.name) || !slice_is_utf8(other.name))
                return true;
        bson_scope(&i, &code, &scope);
        if ((i.name.n && i.name.p[0] == '$') || i.kind == BSON_DECIMAL128 ||
            (bson_doc(&i).p && is_odd(bson_doc(&i))) || (scope.p && is_odd(scope)))
            return true;
    }
    return false;
}

/* The text tells what its own mode tells: printed again it is the same. */
static void there_and_back(struct slice doc, struct bson_json_form f, struct arena *a)
{
    struct strbuf text = STRBUF_INIT, again = STRBUF_INIT;
    struct slice back, third;
    bool odd = is_odd(doc);
    print_twice(doc, f, &text);
    enum err err = bson_parse(strbuf_slice(&text), BSON_DOCUMENT, a, &back, NULL);
    must(!err || odd);
    if (!err) {
        must(bson_check(back, NULL) == E_OK);
        print_twice(back, f, &again);
        must(odd || slice_eq(strbuf_slice(&text), strbuf_slice(&again)));
    }
    if (!err && f.mode == BSON_JSON_EXTENDED && !odd) {
        must(bson_parse(strbuf_slice(&again), BSON_DOCUMENT, a, &third, NULL) == E_OK);
        must(slice_eq(back, third));
    }
    strbuf_release(&text);
    strbuf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice doc = slice_of(data, size);
    if (bson_check(doc, NULL))
        return 0;
    struct arena a;
    arena_init(&a, 0, (size_t)64 << 20);
    for (int mode = BSON_JSON_STRICT; mode <= BSON_JSON_EXTENDED; mode++)
        for (int space = BSON_JSON_COMPACT; space <= BSON_JSON_PRETTY; space++) {
            there_and_back(
                doc,
                (struct bson_json_form){(enum bson_json_mode)mode, (enum bson_json_space)space},
                &a);
            arena_reset(&a);
        }
    arena_release(&a);
    return 0;
}
