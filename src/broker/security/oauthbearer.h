/* broker/security/oauthbearer.h - SASL OAUTHBEARER (RFC 7628) with unsecured JSON Web Signatures, as Kafka's
 * own default validator takes them: for development; nothing is signed.
 * SPEC: broker 11.3. Thread: any. */
#ifndef WEIR_BROKER_SECURITY_OAUTHBEARER_H
#define WEIR_BROKER_SECURITY_OAUTHBEARER_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct oauth_rules {               /* options of the login module; null slices: the defaults */
    struct slice principal_claim;  /* unsecuredValidatorPrincipalClaimName: "sub" */
    struct slice scope_claim;      /* unsecuredValidatorScopeClaimName: "scope" */
    struct slice required_scope;   /* unsecuredValidatorRequiredScope: blanks between */
    int64_t allowed_clock_skew_ms; /* unsecuredValidatorAllowableClockSkewMs */
};
struct oauth_token {
    struct strbuf principal; /* the caller's, initialised */
    int64_t expires_ms;      /* wall clock */
};

/* The client's first message: "n,a=<authzid>,^Aauth=Bearer <token>^A...^A^A". E_INVALID. */
enum err oauth_parse_first(struct slice message, struct slice *token,
                           struct slice *authzid) MUST_CHECK;
/* E_INVALID: status "invalid_token", e says why (for the log). E_CONFLICT: "insufficient_scope". */
enum err oauth_validate(const struct oauth_rules *r, struct slice token, int64_t now_ms,
                        struct oauth_token *out, struct error *e) MUST_CHECK;
/* {"status":"invalid_token"}: what the client is told before it fails. */
void oauth_error_json(const struct oauth_rules *r, enum err why, struct strbuf *out);

#endif
