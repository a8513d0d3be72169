/* cdc/mysql/json_binary.h - MySQL's binary JSON as text, the way Debezium renders it while
 * streaming.
 *
 * Compact (no blank after ',' and ':'); doubles as Java prints them when that has no exponent, else
 * all digits of the binary value; decimals with their scale; temporal values as strings with only
 * the digits of fraction they need; opaque bytes as base64 strings. SPEC: cdc-mysql 4.2, 6.2. Pure;
 * thread: any. */
#ifndef WEIR_CDC_MYSQL_JSON_BINARY_H
#define WEIR_CDC_MYSQL_JSON_BINARY_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

#define MYSQL_JSON_MAX_DEPTH 110 /* the server's own limit is 100 */

/* Appends the text. An empty value is the JSON literal null of old rows. The output cannot exceed
 * out->max; a value whose containers overlap to blow up the text ends with E_TOO_LARGE, damage with
 * E_CORRUPT and words. */
enum err mysql_json_text(struct slice binary, struct strbuf *out, struct error *e) MUST_CHECK;

/* PARTIAL_UPDATE_ROWS: applies the differences of one column to the before image and appends the
 * text of the result. E_CORRUPT, E_UNSUPPORTED (an operation that is not known). */
enum err mysql_json_apply_partial(struct slice before, struct slice diffs, struct strbuf *out,
                                  struct error *e) MUST_CHECK;
/* Whether the value is (or would print as) the literal null. */
bool mysql_json_is_null(struct slice binary);

/* A double as above; used for doubles inside JSON only. */
void mysql_json_double(double d, struct strbuf *out);

#endif
