/* cdc/bson/bson_json.h - BSON as JSON text, byte for byte as MongoDB's Java driver prints it for Debezium.
 * SPEC: cdc-mongodb 6.4-6.6. Thread: any. */
#ifndef WEIR_CDC_BSON_BSON_JSON_H
#define WEIR_CDC_BSON_BSON_JSON_H

#include "cdc/bson/bson_view.h"

enum bson_json_mode { BSON_JSON_STRICT, BSON_JSON_RELAXED, BSON_JSON_EXTENDED };
enum bson_json_space {
    BSON_JSON_COMPACT, /* `": "` and `","` */
    BSON_JSON_SPACED,  /* `": "` and `", "`: the driver's default */
    BSON_JSON_PRETTY,  /* two spaces a level, line ends "\n" */
};
struct bson_json_form {
    enum bson_json_mode mode;
    enum bson_json_space space;
};
/* Appends. The document was checked (bson_check). Failures stick to out (strbuf_err). */
void bson_json_print(struct slice doc, struct bson_json_form f, struct strbuf *out);
void bson_json_print_item(const struct bson_item *i, struct bson_json_form f, struct strbuf *out);
/* Appends the printed document as the inside of a JSON string (escaped once more, without the
 * quotes), in one pass: what JsonConverter makes of it. */
void bson_json_print_escaped(struct slice doc, struct bson_json_form f, struct strbuf *out);
void bson_json_print_item_escaped(const struct bson_item *i, struct bson_json_form f,
                                  struct strbuf *out);

#endif
