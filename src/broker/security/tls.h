/* broker/security/tls.h - TLS below a Kafka connection: keys and certificates of a listener, and
 * the transport of its connections.
 *
 * A context is made at start from `ssl.*` options. When the files it was made of change, new
 * connections get what they hold then, as far as it makes sense; open ones go on as they are. Keys
 * and certificates come as PEM (a file, or the text itself) or PKCS12; what a file holds decides,
 * not the type that was named, since Java's tools call every store JKS. A real JKS file is refused
 * with the command that converts it. TLS 1.2 and 1.3, no renegotiation, no compression, no tickets
 * without need. The handshake happens inside the connection's reads; its length is bounded by
 * conn.h. SPEC: broker 11.2. Thread: main sets up; connections on their loop. */
#ifndef WEIR_BROKER_SECURITY_TLS_H
#define WEIR_BROKER_SECURITY_TLS_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct conn;
struct tls_context;
struct principal_rules;

struct tls_options { /* Kafka's ssl.* without the prefix; null slices: not set */
    struct slice keystore_type, keystore_location, keystore_password, key_password;
    struct slice certificate_chain, key; /* PEM texts */
    struct slice truststore_type, truststore_location, truststore_password;
    struct slice truststore_certificates; /* PEM text */
    struct slice client_auth;             /* none, requested, required */
    struct slice protocols, ciphers;      /* lists */
    struct slice principal_rules;
};
/* E_INVALID names the option and says what to do; E_IO a file. What o points to must outlive the
 * context: files are read again from there. */
enum err tls_context_new(struct tls_context **out, const struct tls_options *o,
                         struct error *e) MUST_CHECK;
void tls_context_free(struct tls_context *t); /* after its connections; NULL allowed */

/* Puts TLS below a connection that was just opened. False: no memory. */
bool tls_attach(struct conn *c, struct tls_context *t) MUST_CHECK;
bool tls_requires_certificate(const struct tls_context *t); /* of clients */
/* The name that the client asked for (SNI), or NULL. */
const char *tls_server_name(const struct conn *c);

#endif
