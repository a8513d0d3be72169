/* cdc/bson/bson_build.h - writes BSON: commands, pipelines, filters, documents with fields taken out.
 * Documents nest by begin and end; sizes are filled in at the end. Thread: the owner's. */
#ifndef WEIR_CDC_BSON_BSON_BUILD_H
#define WEIR_CDC_BSON_BSON_BUILD_H

#include "cdc/bson/bson_view.h"

/* Failures (no memory, the buffer's ceiling, too deep) stick to `out`: bson_build_err after finish. */
struct bson_build {
    struct strbuf out;                 /* the bytes, complete when depth is 0 */
    size_t starts[BSON_DEPTH_MAX + 1]; /* where the open documents begin */
    unsigned depth;
};
void bson_build_init(struct bson_build *b); /* opens the outermost document */
void bson_build_release(struct bson_build *b);
void bson_build_reset(struct bson_build *b); /* a new document; memory is kept */
enum err bson_build_err(const struct bson_build *b);
/* Closes what is open. Valid until the next call; the null slice when something failed. */
struct slice bson_build_finish(struct bson_build *b);

/* Each appends one member to the document that is open; name borrowed, without a 0 in it. The members
 * of arrays have the names "0", "1" (bson_index). */
#define BSON_INDEX_SIZE 12
struct slice bson_index(unsigned index, char buf[BSON_INDEX_SIZE]);
void bson_build_begin(struct bson_build *b, struct slice name,
                      enum bson_kind kind); /* DOCUMENT, ARRAY */
void bson_build_end(struct bson_build *b);
void bson_build_item(struct bson_build *b, struct slice name,
                     const struct bson_item *i); /* copies raw */
void bson_build_raw(struct bson_build *b, struct slice name, enum bson_kind kind, const void *raw,
                    size_t n); /* the value's bytes as they are stored */
void bson_build_text(struct bson_build *b, struct slice name, struct slice text);
void bson_build_text_as(struct bson_build *b, struct slice name, enum bson_kind kind,
                        struct slice text); /* STRING, CODE, SYMBOL */
void bson_build_int(struct bson_build *b, struct slice name, int32_t v);
void bson_build_long(struct bson_build *b, struct slice name, int64_t v);
void bson_build_double(struct bson_build *b, struct slice name, double v);
void bson_build_date(struct bson_build *b, struct slice name, int64_t ms);
void bson_build_bool(struct bson_build *b, struct slice name, bool v);
void bson_build_null(struct bson_build *b, struct slice name);
void bson_build_timestamp(struct bson_build *b, struct slice name, uint32_t seconds,
                          uint32_t increment);
void bson_build_binary(struct bson_build *b, struct slice name, uint8_t subtype, struct slice data);
/* Neither has a 0 in it. */
void bson_build_regex(struct bson_build *b, struct slice name, struct slice pattern,
                      struct slice options);
void bson_build_pointer(struct bson_build *b, struct slice name, struct slice to,
                        const char id[12]); /* DBPointer */
void bson_build_scope(struct bson_build *b, struct slice name, struct slice code,
                      struct slice scope); /* CODE_SCOPE */
void bson_build_doc(struct bson_build *b, struct slice name, struct slice doc, enum bson_kind kind);

#endif
