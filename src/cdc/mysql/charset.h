/* cdc/mysql/charset.h - character sets and collations of MySQL and MariaDB, and their text as
 * UTF-8.
 *
 * A charset is a row of a constant table; rows are compared by pointer. Conversion replaces what is
 * not valid by U+FFFD and never fails for bad bytes, as Java's decoders do. MySQL's latin1 is
 * cp1252. SPEC: cdc-mysql 6.2. Thread: any (tables for single and double byte sets are built once,
 * on first use, under an internal once-lock). */
#ifndef WEIR_CDC_MYSQL_CHARSET_H
#define WEIR_CDC_MYSQL_CHARSET_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct mysql_charset; /* opaque row */

/* By name, any case ("utf8", "utf8mb3", "latin1", "euckr", ...); NULL when unknown: treat as UTF-8.
 */
const struct mysql_charset *mysql_charset_find(struct slice name);
/* By the collation's name ("utf8mb4_0900_ai_ci", "latin1_swedish_ci", "binary"); NULL when unknown.
 */
const struct mysql_charset *mysql_charset_of_collation(struct slice collation);
/* By collation id, as in QUERY status variables and TABLE_MAP metadata; NULL when unknown. */
const struct mysql_charset *mysql_charset_of_collation_id(uint32_t id);
extern const struct mysql_charset *const mysql_charset_utf8mb4;
extern const struct mysql_charset *const mysql_charset_binary;

struct slice mysql_charset_name(const struct mysql_charset *cs); /* "utf8mb4"; NULL gives null */
/* Name of its default collation in MySQL 8, such as "utf8mb4_0900_ai_ci". */
struct slice mysql_charset_default_collation(const struct mysql_charset *cs);
/* Most bytes a character needs: 1 for latin1, 4 for utf8mb4. */
unsigned mysql_charset_max_bytes(const struct mysql_charset *cs);
/* True when stored bytes already are UTF-8 (utf8mb3, utf8mb4, ascii): no conversion needed, but see
 * mysql_charset_to_utf8 for invalid bytes. */
bool mysql_charset_is_utf8(const struct mysql_charset *cs);

/* Appends `in` as valid UTF-8. cs NULL is UTF-8; binary is taken as latin1. Errors only as the
 * buffer's own (strbuf_err): ceiling or memory. */
void mysql_charset_to_utf8(const struct mysql_charset *cs, struct slice in, struct strbuf *out);

#endif
