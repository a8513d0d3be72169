/* cdc/bson/bson_build.h - writes BSON: commands, pipelines, filters, documents with fields taken out.
 * Documents nest by begin and end; sizes are filled in at the end. Thread: the owner's. */
#ifndef WEIR_CDC_BSON_BSON_BUILD_H
#define WEIR_CDC_BSON_BSON_BUILD_H

#include "cdc/bson/bson_view.h"

/* Each appends one member to the document that is open; name borrowed. Array members are named "0", "1"
 * by bson_build_element's callers through bson_index. */
struct bson_build {
    struct strbuf out; /* the bytes, complete when depth is 0 */
    size_t starts[BSON_DEPTH_MAX + 2];
    unsigned depth;
};
void bson_build_init(struct bson_build *b); /* opens the outermost document */
void bson_build_release(struct bson_build *b);
void bson_build_reset(struct bson_build *b);
/* Closes the outermost document. Valid until the next call. */
struct slice bson_build_finish(struct bson_build *b);
void bson_build_begin(struct bson_build *b, struct slice name,
                      enum bson_kind kind); /* DOCUMENT, ARRAY */
void bson_build_end(struct bson_build *b);
void bson_build_item(struct bson_build *b, struct slice name,
                     const struct bson_item *i); /* copies raw */
void bson_build_text(struct bson_build *b, struct slice name, struct slice text);
void bson_build_int(struct bson_build *b, struct slice name, int32_t v);
void bson_build_long(struct bson_build *b, struct slice name, int64_t v);
void bson_build_bool(struct bson_build *b, struct slice name, bool v);
void bson_build_null(struct bson_build *b, struct slice name);
void bson_build_timestamp(struct bson_build *b, struct slice name, uint32_t seconds,
                          uint32_t increment);
void bson_build_doc(struct bson_build *b, struct slice name, struct slice doc, enum bson_kind kind);

#endif
