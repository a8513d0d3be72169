/* cdc/mysql/access.h - how to reach the server, from the options of a connector: what sessions are
 * opened with. SPEC: cdc-mysql 2.1, 2.2. Thread: the owner's. */
#ifndef WEIR_CDC_MYSQL_ACCESS_H
#define WEIR_CDC_MYSQL_ACCESS_H

#include "base/base.h"
#include "base/err.h"
#include "cdc/keystore.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/options.h"

struct mysql_access {
    char *host, *user, *password; /* password NULL: none */
    bool opened;
    struct keystore trusted, own; /* own: certificate and key */
    uint16_t port;
    enum mysql_ssl_mode ssl;
    uint32_t connect_timeout_ms;
};
/* E_INVALID: a key store that cannot be used, with the cure in the message. Released by the caller
 * in any case (a zeroed one, too). */
enum err mysql_access_init(struct mysql_access *a, const struct mysql_options *o,
                           struct error *e) MUST_CHECK;
/* Options and access of a configuration alone, as for a look at the server. Both are to be released,
 * whatever comes back. */
enum err mysql_access_load(struct mysql_access *a, struct mysql_options *o, enum mysql_flavour f,
                           const struct strmap *config, struct error *e) MUST_CHECK;
void mysql_access_release(struct mysql_access *a); /* wipes the password */
/* Texts are borrowed from a. stop: see conn.h; may be NULL. */
struct mysql_conn_options mysql_access_options(const struct mysql_access *a,
                                               const atomic_bool *stop);

/* Why a session could not be opened, with the driver's first words, which are what people search
 * for. SPEC: cdc-mysql 1.2, 2.2 */
void mysql_access_problem(const struct error *e, int64_t timeout_ms, struct strbuf *out);

#endif
