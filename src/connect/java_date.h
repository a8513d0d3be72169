/* connect/java_date.h - dates in the letters of Java's SimpleDateFormat, in UTC, English names.
 *
 * Letters: G y M L d D E u a H k K h m s S z Z X, text in quotes. Years of two letters are those of
 * 1946 to 2045 or so as Java guesses them (80 years back, 20 on). SPEC: connect 6.1
 * (TimestampConverter, TimestampRouter). Thread: any. */
#ifndef WEIR_CONNECT_JAVA_DATE_H
#define WEIR_CONNECT_JAVA_DATE_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

/* Appends. E_INVALID: the pattern has a letter that SimpleDateFormat does not know; e is Java's
 * IllegalArgumentException. */
enum err java_date_format(struct slice pattern, int64_t ms, struct strbuf *out,
                          struct error *e) MUST_CHECK;
/* Checks the pattern alone. */
enum err java_date_check(struct slice pattern, struct error *e) MUST_CHECK;
/* Lenient as Java: fields may overflow into the next ones. Text behind what the pattern describes is
 * not looked at. E_INVALID: the text is of another form. */
enum err java_date_parse(struct slice pattern, struct slice text, int64_t *ms,
                         struct error *e) MUST_CHECK;

#endif
