/* cdc/mongodb/chunk_key.h - keys of an incremental snapshot: where a chunk ended, as text in the
 * offset; and which document is which while a window is open. Both tell apart whatever the server
 * does: a key that comes back as another one would begin a chunk at the wrong place, for ever.
 * SPEC: cdc-mongodb 4.3, 8.1. Thread: any. */
#ifndef WEIR_CDC_MONGODB_CHUNK_KEY_H
#define WEIR_CDC_MONGODB_CHUNK_KEY_H

#include "base/arena.h"
#include "cdc/bson/bson_view.h"

/* `[key]` of a document (reset first): as records tell it where that is the same key when it is
 * read again, else in extended JSON, else [{"$bson": "base64 of the document {"": key}"}]. A key of
 * the user's begins with no such name. */
void mongo_chunk_key_print(struct slice document, struct strbuf *out);
/* Slices of *out are in the arena. E_INVALID, E_CORRUPT: it is no such text. */
enum err mongo_chunk_key_parse(struct slice text, struct arena *a, struct bson_item *out,
                               struct error *e) MUST_CHECK;
/* Appends the key as it is stored: two keys are the same when these bytes are. */
void mongo_chunk_key_exact(const struct bson_item *id, struct strbuf *out);

#endif
