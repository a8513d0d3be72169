/* Texts of documents as structs, in all forms of arrays and names: what comes out without an error
 * has a value for each field of its schema, of that type, and is JSON by JsonConverter. */
#include <stdlib.h>

#include "base/json.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/transforms/document.h"
#include "connect/json_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is)
{
    if (!is)
        abort();
}

static void check_value(const struct schema *s, struct value v)
{
    static const uint8_t kinds[] = {
        [SCHEMA_INT32] = VALUE_INT,      [SCHEMA_INT64] = VALUE_INT,
        [SCHEMA_FLOAT64] = VALUE_DOUBLE, [SCHEMA_BOOLEAN] = VALUE_BOOL,
        [SCHEMA_STRING] = VALUE_STRING,  [SCHEMA_BYTES] = VALUE_BYTES,
        [SCHEMA_ARRAY] = VALUE_ARRAY,    [SCHEMA_STRUCT] = VALUE_STRUCT};
    if (v.kind == VALUE_NULL) {
        must(s->optional);
        return;
    }
    must(s->type < ARRAY_LEN(kinds) && v.kind == kinds[s->type]);
    if (s->type == SCHEMA_ARRAY)
        for (uint32_t i = 0; i < v.n; i++)
            check_value(s->value, v.u.v[i]);
    if (s->type == SCHEMA_STRUCT) {
        must(v.n == s->fields_count);
        for (uint32_t i = 0; i < v.n; i++)
            check_value(s->fields[i].schema, v.u.v[i]);
    }
}

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned how[] = {DOCUMENTS_AS_ARRAYS, DOCUMENTS_AS_STRUCTS, DOCUMENTS_WIDEN};
    static struct documents *forms[2 * ARRAY_LEN(how)];
    struct record_batch b;
    struct slice doc;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (!forms[i])
            forms[i] = documents_new(how[i / 2], i % 2 ? NAME_AVRO : NAME_AS_IS);
    record_batch_init(&b, (size_t)64 << 20);
    if (bson_parse(slice_of(data, size), BSON_DOCUMENT, &b.arena, &doc, NULL) == E_OK)
        for (size_t i = 0; i < ARRAY_LEN(forms); i++)
            convert(forms[i], &b, doc);
    record_batch_release(&b);
    return 0;
}
