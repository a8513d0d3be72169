/* broker/security/jaas.h - the text of `sasl.jaas.config`: a login module and its options.
 *
 *   org.apache.kafka.common.security.plain.PlainLoginModule required
 *       username="admin" password="x" user_admin="x" user_alice="y";
 *
 * Values may stand in double or single quotes, with backslashes before special characters. Holds
 * secrets: never to be printed. Thread: the owner's. */
#ifndef WEIR_BROKER_SECURITY_JAAS_H
#define WEIR_BROKER_SECURITY_JAAS_H

#include "base/base.h"
#include "base/err.h"
#include "base/strmap.h"

/* options is initialised here and gets name -> value; module (may be NULL) the class. E_INVALID
 * tells where, without any value. */
enum err jaas_parse(struct slice text, struct strbuf *module, struct strmap *options,
                    struct error *e) MUST_CHECK;

#endif
