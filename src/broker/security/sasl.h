/* broker/security/sasl.h - SASL mechanisms: who a client is, proved by tokens; without sockets.
 *
 *   sasl_begin -> sasl_step (token in, token out) ... -> done: s->user; or refused: why
 *
 * struct sasl_rules is what one listener asks for; made at start, immutable. Passwords are compared
 * in constant time; what a refused client hears does not tell whether the user exists.
 * SPEC: broker 11.3. Thread: rules any; a session its owner's. */
#ifndef WEIR_BROKER_SECURITY_SASL_H
#define WEIR_BROKER_SECURITY_SASL_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"
#include "base/strmap.h"
#include "broker/security/oauthbearer.h"
#include "broker/security/scram.h"

struct scram_store;

enum sasl_mechanism {
    SASL_PLAIN,
    SASL_SCRAM_SHA_256,
    SASL_SCRAM_SHA_512,
    SASL_OAUTHBEARER,
    SASL_MECHANISMS
};
const char *sasl_mechanism_name(enum sasl_mechanism m);
/* SASL_MECHANISMS: not one that weir knows. */
enum sasl_mechanism sasl_mechanism_find(struct slice name);

struct sasl_rules {
    bool enabled[SASL_MECHANISMS];
    enum sasl_mechanism order[SASL_MECHANISMS]; /* as listed in the option */
    size_t count;
    int64_t max_reauth_ms[SASL_MECHANISMS]; /* connections.max.reauth.ms; 0: sessions do not end */
    struct strmap plain_users;              /* name -> password */
    struct strmap oauth_options;            /* behind `oauth` */
    struct oauth_rules oauth;
    struct scram_store *scram; /* the broker's */
    size_t max_receive;        /* sasl.server.max.receive.size */
    int64_t failure_delay_ms;  /* connection.failed.authentication.delay.ms */
};
void sasl_rules_init(struct sasl_rules *r);
void sasl_rules_release(struct sasl_rules *r); /* wipes passwords */
/* Takes users and options out of the text of sasl.jaas.config for one mechanism. E_INVALID. */
enum err sasl_rules_jaas(struct sasl_rules *r, enum sasl_mechanism m, struct slice text,
                         struct error *e) MUST_CHECK;

struct sasl_session {
    const struct sasl_rules *rules;
    enum sasl_mechanism mechanism;
    int step;
    bool again; /* re-authentication; changes a text */
    struct scram_exchange scram;
    enum err oauth_failure;
    int64_t expires_ms; /* wall clock of the credential; INT64_MAX: never */
    struct strbuf user; /* once done, without "User:" */
};
enum sasl_result { SASL_MORE, SASL_DONE, SASL_REFUSED };

void sasl_begin(struct sasl_session *s, const struct sasl_rules *r, enum sasl_mechanism m,
                bool again);
/* SASL_REFUSED: why has the text that the client is told. SASL_MORE of OAUTHBEARER may carry a reason
 * too, for the log: the token was refused, and the client is about to hear it. */
enum sasl_result sasl_step(struct sasl_session *s, struct slice token, int64_t now_ms,
                           struct strbuf *out, struct error *why);
void sasl_end(struct sasl_session *s);

#endif
