/* Texts of any content through the parser: what it makes of them passes the check, is printed and parsed
 * again to the same bytes. */
#include <stdlib.h>

#include "base/base.h"
#include "cdc/bson/bson_json.h"
#include "cdc/bson/bson_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is)
{
    if (!is)
        abort();
}

static bool
has_lossy(struct slice doc) /* {"$x": ...} of the user's own, texts that are not UTF-8 */
{
    struct bson_walk w;
    struct bson_item i;
    struct slice code, scope;
    bson_walk_init(&w, doc);
    while (bson_walk_next(&w, &i)) {
        bson_scope(&i, &code, &scope);
        if ((i.name.n && i.name.p[0] == '$') || !slice_is_utf8(i.name) || !slice_is_utf8(i.raw) ||
            i.kind == BSON_REGEX || scope.p)
            return true;
        if (bson_doc(&i).p && has_lossy(bson_doc(&i)))
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice doc, again;
    struct arena a;
    struct error e = {0};
    arena_init(&a, 0, (size_t)64 << 20);
    enum bson_kind kind = size && data[0] == '[' ? BSON_ARRAY : BSON_DOCUMENT;
    enum err err = bson_parse(slice_of(data, size), kind, &a, &doc, &e);
    if (err) {
        must(e.msg[0] != 0);
    } else {
        struct strbuf text = STRBUF_INIT;
        struct bson_item i = {kind, SLICE_NULL, doc};
        must(bson_check(doc, NULL) == E_OK);
        bson_json_print_item(&i, (struct bson_json_form){BSON_JSON_EXTENDED, BSON_JSON_COMPACT},
                             &text);
        if (!has_lossy(doc)) {
            must(bson_parse(strbuf_slice(&text), kind, &a, &again, NULL) == E_OK);
            must(slice_eq(doc, again));
        }
        strbuf_release(&text);
    }
    arena_release(&a);
    return 0;
}
