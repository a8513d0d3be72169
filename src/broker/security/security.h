/* broker/security/security.h - what protects the listeners: made from options at start, given to
 * struct listener.
 *
 * Every option may be set for one listener alone (`listener.name.<name in lower case>.ssl.…`), those
 * of SASL also for one mechanism there (`listener.name.<name>.plain.sasl.jaas.config`).
 * SPEC: broker 11.1-11.3. Thread: main makes and releases; immutable between. */
#ifndef WEIR_BROKER_SECURITY_SECURITY_H
#define WEIR_BROKER_SECURITY_SECURITY_H

#include "base/base.h"
#include "base/db.h"
#include "base/err.h"
#include "broker/broker.h"
#include "broker/listener.h"
#include "broker/security/acl.h"
#include "broker/security/sasl.h"
#include "broker/security/scram_store.h"

struct security {
    struct acl_store *acls;    /* NULL: no authorizer, everything is allowed */
    struct scram_store *scram; /* credentials of users, with or without a SASL listener */
    struct sasl_rules *sasl[LISTENERS_MAX];
    struct tls_context *tls[LISTENERS_MAX];
};

/* Sets l->tls and l->sasl of every listener whose protocol asks for them. E_INVALID names listener
 * and option. On failure release it all the same. */
enum err security_open(struct security *s, const struct broker_config *c, struct listeners *ls,
                       struct db *db, struct error *e) MUST_CHECK;
void security_release(struct security *s); /* after the connections */

/* Text of an option for one listener: its own value, the general one, or the default. mechanism
 * (lower case) may be NULL. Borrowed from c. */
struct slice security_option(const struct broker_config *c, const char *listener,
                             const char *mechanism, const char *name);

#endif
