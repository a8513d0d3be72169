/* base/regex.h - Java regular expressions from users' configurations, by PCRE2.
 *
 * Matching has a limit on its steps, so that no pattern can hang a thread; a text at which the
 * limit is reached does not match. An object is used by one thread at a time (it owns the scratch
 * memory of a match). Patterns and texts are UTF-8. */
#ifndef WEIR_BASE_REGEX_H
#define WEIR_BASE_REGEX_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct regex;
enum regex_flags { REGEX_ANY_CASE = 1 };
/* E_INVALID: e->msg is the text of Java's PatternSyntaxException ("Unclosed group near index
 * 4\nc.(d"). E_TOO_LARGE, E_NOMEM. */
enum err regex_compile(struct regex **out, struct slice pattern, unsigned flags,
                       struct error *e) MUST_CHECK;
void regex_free(struct regex *r); /* NULL allowed */
/* Matcher.matches(): the whole text. */
bool regex_matches(const struct regex *r, struct slice text);
/* Matcher.replaceFirst of a text that matches as a whole: appends the replacement with $1, ${name}
 * and \ escapes resolved. E_NOT_FOUND: no match, nothing appended (e untouched). E_INVALID: the
 * replacement names a group that is not there, or does not parse. */
enum err regex_replace_whole(const struct regex *r, struct slice text, struct slice replacement,
                             struct strbuf *out, struct error *e) MUST_CHECK;

#endif
