/* cdc/bson/bson_parse.h - texts to BSON: JSON in all the extended forms that bson_json.h prints,
 * and the shell's lenient spelling of pipelines and filters (unquoted names, single quotes,
 * ObjectId("..."), ISODate(...), NumberLong(...)). SPEC: cdc-mongodb 2.5, 7.1. Thread: any. */
#ifndef WEIR_CDC_BSON_BSON_PARSE_H
#define WEIR_CDC_BSON_BSON_PARSE_H

#include "base/arena.h"
#include "cdc/bson/bson_view.h"

/* A document, or an array (kind says which is asked for), in the arena; it needs no bson_check.
 * Numbers without fraction are int32 where they fit, else int64, beyond 64 bits double. {"$ref":,
 * "$id":} stays a document. Of a name that comes twice the last value counts, at the place of the
 * first. E_INVALID: e says what was expected and where (line and column); E_TOO_LARGE: deeper than
 * BSON_DEPTH_MAX or beyond the arena's budget; E_NOMEM. */
enum err bson_parse(struct slice text, enum bson_kind kind, struct arena *a, struct slice *out,
                    struct error *e) MUST_CHECK;
/* 1970-01-01T00:00:00Z with or without time, fraction, offset. False: it is none. */
bool bson_parse_instant(struct slice text, int64_t *ms);

#endif
