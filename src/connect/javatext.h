/* connect/javatext.h - decimals as BigDecimal.toString spells them, and the inner pieces of the
 * JSON write path: what base/json.h appends to a buffer is here written to a pointer with room.
 *
 * Thread: any. SPEC: connect 5.2, 5.3. */
#ifndef WEIR_CONNECT_JAVATEXT_H
#define WEIR_CONNECT_JAVATEXT_H

#include "base/base.h"
#include "base/str.h"

#define JAVA_NUMBER_MAX 24 /* room that a long needs at most, and a bit */

char *java_write_i64(char *p, int64_t v); /* returns the end; JAVA_NUMBER_MAX bytes of room */

/* BigDecimal.toString of a big-endian two's complement unscaled value: "12.50", "1E+3", "1E-7". */
void java_add_decimal(struct strbuf *b, struct slice unscaled, int32_t scale);
/* The reverse: digits with optional sign, fraction and exponent. Appends the minimal two's
 * complement of the unscaled value. E_INVALID: not a number; E_TOO_LARGE: more than 10,000 digits.
 */
enum err java_parse_decimal(struct slice text, struct strbuf *unscaled, int32_t *scale) MUST_CHECK;
/* Moves the unscaled value (minimal two's complement, replaced in *unscaled) to another scale by
 * appending zeros; E_INVALID when digits would be lost. */
enum err java_rescale(struct strbuf *unscaled, int32_t from, int32_t to) MUST_CHECK;

/* Length of the prefix of s that needs no escape: only ", \ and controls do. */
size_t json_plain_prefix(const char *s, size_t n);
/* Escaped, without quotes; at most six bytes for one. \u00XX in upper case. Returns the end. */
char *json_write_escaped(char *p, const char *s, size_t n);
/* Standard base64 with padding at p ((n + 2) / 3 * 4 bytes); returns the end. */
char *json_write_base64(char *p, const uint8_t *s, size_t n);

#endif
