/* cdc/bson/bson_view.h - BSON documents as they come from the server, read in place: a check of the
 * whole document once, then walks without further checks. No library: these bytes are the capture
 * path. SPEC: cdc-mongodb 6.5, 11. Thread: any; nothing is written. */
#ifndef WEIR_CDC_BSON_BSON_VIEW_H
#define WEIR_CDC_BSON_BSON_VIEW_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

enum bson_kind { /* the type bytes of the format */
                 BSON_DOUBLE = 0x01,
                 BSON_STRING = 0x02,
                 BSON_DOCUMENT = 0x03,
                 BSON_ARRAY = 0x04,
                 BSON_BINARY = 0x05,
                 BSON_UNDEFINED = 0x06,
                 BSON_OBJECT_ID = 0x07,
                 BSON_BOOLEAN = 0x08,
                 BSON_DATE = 0x09,
                 BSON_NULL = 0x0a,
                 BSON_REGEX = 0x0b,
                 BSON_DB_POINTER = 0x0c,
                 BSON_CODE = 0x0d,
                 BSON_SYMBOL = 0x0e,
                 BSON_CODE_SCOPE = 0x0f,
                 BSON_INT32 = 0x10,
                 BSON_TIMESTAMP = 0x11,
                 BSON_INT64 = 0x12,
                 BSON_DECIMAL128 = 0x13,
                 BSON_MIN_KEY = 0xff,
                 BSON_MAX_KEY = 0x7f
};
/* One member. raw: its value's bytes without type and name; both borrowed from the document. */
struct bson_item {
    enum bson_kind kind;
    struct slice name, raw;
};
/* Documents inside documents. The server's limit is 180 for what users store, and an event has it
 * in fullDocument. */
#define BSON_DEPTH_MAX 200

/* Sizes, terminators, kinds, depth. Texts need not be UTF-8 (printing replaces what is not).
 * E_CORRUPT: e says where. Everything below takes documents that were checked. */
enum err bson_check(struct slice doc, struct error *e) MUST_CHECK;

struct bson_walk {
    const char *at, *end;
};
/* The null slice has no members: what bson_doc gives for an item of another kind. */
void bson_walk_init(struct bson_walk *w, struct slice doc);
bool bson_walk_next(struct bson_walk *w, struct bson_item *out);
/* The first member of that name; false: none. */
bool bson_find(struct slice doc, struct slice name, struct bson_item *out);

/* Values of items of the kinds that have them; others give 0 or a null slice. */
int64_t bson_int(const struct bson_item *i);   /* INT32, INT64, BOOLEAN, DATE (ms); DOUBLE cut */
double bson_double(const struct bson_item *i); /* DOUBLE, INT32, INT64 */
struct slice bson_text(const struct bson_item *i); /* STRING, SYMBOL, CODE */
struct slice bson_doc(const struct bson_item *i);  /* DOCUMENT, ARRAY: the whole document's bytes */
void bson_timestamp(const struct bson_item *i, uint32_t *seconds, uint32_t *increment);
/* Without the second length that subtype 2 has. */
struct slice bson_binary(const struct bson_item *i, uint8_t *subtype);
void bson_regex(const struct bson_item *i, struct slice *pattern, struct slice *options);
void bson_scope(const struct bson_item *i, struct slice *code, struct slice *scope);

#endif
