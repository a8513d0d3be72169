/* broker/security/tls_store.h - keys and certificates as options give them: files in PEM or PKCS12, and
 * PEM texts. What was read is wiped where it held a key. Thread: any. */
#ifndef WEIR_BROKER_SECURITY_TLS_STORE_H
#define WEIR_BROKER_SECURITY_TLS_STORE_H

#include "base/err.h"
#include "base/str.h"
#include "broker/security/tls.h"

#include <openssl/x509.h>

struct tls_store {
    EVP_PKEY *key;
    STACK_OF(X509) * certs; /* the key's first */
};
void tls_store_release(struct tls_store *s);
/* Each adds to a zeroed store. option: the name of the option, for texts. E_INVALID, E_IO, E_NOMEM.
 * A file of any kind; with_key: its key, too. */
enum err tls_store_read_file(struct tls_store *s, struct slice location, struct slice password,
                             struct slice key_password, bool with_key, const char *option,
                             struct error *e) MUST_CHECK;
/* ssl.keystore.key and ssl.keystore.certificate.chain. */
enum err tls_store_read_texts(struct tls_store *s, const struct tls_options *o,
                              struct error *e) MUST_CHECK;
enum err tls_store_read_certs(struct tls_store *s, struct slice pem, const char *option,
                              struct error *e) MUST_CHECK;
/* E_INVALID: "option: what: OpenSSL's reason"; the reason is taken off OpenSSL's queue. */
enum err tls_refuse(struct error *e, const char *option, const char *what);

#endif
