/* cdc/keystore.h - certificates and keys as Java's users have them, in the form that the
 * client library reads: PEM files stay as they are, PKCS12 becomes PEM in memory. SPEC:
 * cdc-mysql 1.3 (database.ssl.keystore, truststore), cdc-mongodb 3.2. Thread: the owner's. */
#ifndef WEIR_CDC_KEYSTORE_H
#define WEIR_CDC_KEYSTORE_H

#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct keystore {
    char *path; /* of a PEM file; NULL: none was given */
    int fd;     /* behind path, when it is memory; -1: none */
};
/* path: a null or empty one gives an empty store. password: for PKCS12. E_INVALID: not readable, not
 * such a file, a Java key store (with the conversion as hint), a wrong password. */
enum err keystore_open(struct keystore *k, struct slice path, struct slice password,
                       struct error *e) MUST_CHECK;
void keystore_close(struct keystore *k);

#endif
