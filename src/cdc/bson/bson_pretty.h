/* cdc/bson/bson_pretty.h - BSON_JSON_PRETTY of bson_json.h: the compact text, with line ends and two spaces a
 * level put in. Not for capture. Thread: any. */
#ifndef WEIR_CDC_BSON_BSON_PRETTY_H
#define WEIR_CDC_BSON_BSON_PRETTY_H

#include "cdc/bson/bson_json.h"

/* Appends; esc: as the inside of a JSON string. Errors are the buffer's. */
void bson_print_pretty(const struct bson_item *i, enum bson_json_mode mode, bool esc,
                       struct strbuf *out);

#endif
