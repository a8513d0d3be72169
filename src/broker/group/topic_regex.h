/* broker/group/topic_regex.h - a pattern that a consumer subscribes by: RE2's syntax, whole names.
 *
 * Matching is bounded: a pattern can't hold the coordinator's loop. What RE2 does not know
 * (backreferences, lookaround, atomic groups, recursion) is refused, as Kafka does. Thread: the
 * owner's. SPEC: broker 8.4. */
#ifndef WEIR_BROKER_GROUP_TOPIC_REGEX_H
#define WEIR_BROKER_GROUP_TOPIC_REGEX_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct topic_regex;
/* E_INVALID: not a pattern; e says why. E_TOO_LARGE: longer than 8 KiB. */
enum err topic_regex_new(struct topic_regex **out, struct slice text, struct error *e) MUST_CHECK;
void topic_regex_free(struct topic_regex *r); /* NULL allowed */
struct slice topic_regex_text(const struct topic_regex *r);
/* Does the whole name match? A match that takes too many steps is none. */
bool topic_regex_matches(struct topic_regex *r, struct slice name);

/* One look through all names, of bounded time: few of them may take as long as one name may. */
struct topic_regex_scan {
    struct topic_regex *regex;
    int64_t steps; /* taken by names that need more than a few; about */
    bool over;     /* that were too many: no name matches any more */
};
bool topic_regex_scan_matches(struct topic_regex_scan *s, struct slice name);

#endif
