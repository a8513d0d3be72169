/* broker/security/principal_rules.h - from the subject of a client's certificate to its principal:
 * `ssl.principal.mapping.rules`.
 *
 * Rules stand in a list, the first whose pattern matches the whole subject decides:
 * RULE:pattern/replacement/[LU] (Java's regular expression; $1 in the replacement; L lower case,
 * U upper case) or DEFAULT (the subject as it is). Immutable. SPEC: broker 11.2. Thread: any. */
#ifndef WEIR_BROKER_SECURITY_PRINCIPAL_RULES_H
#define WEIR_BROKER_SECURITY_PRINCIPAL_RULES_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct principal_rules;

/* E_INVALID. */
enum err principal_rules_parse(struct principal_rules **out, struct slice text,
                               struct error *e) MUST_CHECK;
void principal_rules_free(struct principal_rules *r); /* NULL allowed */
/* Appends the name for a subject ("CN=a,OU=b"). E_NOT_FOUND: no rule takes it. */
enum err principal_rules_apply(const struct principal_rules *r, struct slice subject,
                               struct strbuf *out) MUST_CHECK;

#endif
