/* connect/converters/charset.h - StringConverter's character sets (converter.encoding): text to
 * bytes and back as Java does it. A character that the set does not have becomes '?', bytes that
 * are none become U+FFFD; UTF-16 is written with its mark, in network order. SPEC: connect 5.3.
 * Thread: one at a time. */
#ifndef WEIR_CONNECT_CONVERTERS_CHARSET_H
#define WEIR_CONNECT_CONVERTERS_CHARSET_H

#include "base/err.h"
#include "base/str.h"

struct text_charset;
/* *out stays NULL for UTF-8, which needs no work. E_UNSUPPORTED: no set of that name. */
enum err text_charset_open(struct text_charset **out, struct slice name,
                           struct error *e) MUST_CHECK;
void text_charset_close(struct text_charset *c); /* NULL allowed */
/* UTF-8 to the set, appended; errors are the buffer's own. */
void text_charset_encode(struct text_charset *c, struct slice text, struct strbuf *out);
void text_charset_decode(struct text_charset *c, struct slice bytes, struct strbuf *out);

#endif
