/* web/serde.h - how keys and values are shown and typed: bytes to text and back, under the names
 * that kafka-ui gives them in URLs and bodies. Pure; thread: any. SPEC: web-ui 3.4. */
#ifndef WEIR_WEB_SERDE_H
#define WEIR_WEB_SERDE_H

#include "base/err.h"
#include "base/str.h"

enum serde {
    SERDE_STRING, /* the preferred one: first in lists, and what an unknown name falls back to */
    SERDE_INT32,
    SERDE_INT64,
    SERDE_UINT32,
    SERDE_UINT64,
    SERDE_UUID,
    SERDE_BASE64,
    SERDE_HEX,
    SERDE_COUNT,
    SERDE_FALLBACK = SERDE_COUNT, /* only a result: the bytes do not fit, shown as text */
};
const char *serde_name(enum serde s);        /* "UUIDBinary"; never NULL */
const char *serde_description(enum serde s); /* one line */
/* By its exact name; false for an unknown one and for Fallback, which nobody can choose. */
bool serde_find(struct slice name, enum serde *out);
/* Appends the text of bytes (not null) to out: always valid UTF-8. Returns what was really used: s,
 * or SERDE_FALLBACK where the length does not fit. */
enum serde serde_show(enum serde s, struct slice bytes, struct strbuf *out);
/* Appends the bytes of a text (not null) to out. E_INVALID: the text is no such number, UUID, ...
 */
enum err serde_parse(enum serde s, struct slice text, struct strbuf *out,
                     struct error *e) MUST_CHECK;

#endif
