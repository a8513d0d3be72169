/* cli/listen_address.h - HOST:PORT as options give it, and whether two of weir's own ports are one.
 * Thread: any. */
#ifndef WEIR_CLI_LISTEN_ADDRESS_H
#define WEIR_CLI_LISTEN_ADDRESS_H

#include "base/base.h"
#include "base/err.h"
#include "base/http.h"
#include "base/opt.h"
#include "base/str.h"

/* No host means all addresses. E_INVALID: says what is wrong and gives an example. */
enum err listen_address_parse(struct slice text, struct http_listen *out,
                              struct error *e) MUST_CHECK;
/* The same as the check of an option's row. */
enum err listen_address_check(const struct opt_row *row, struct slice text, struct error *e);

/* The ports that weir itself has, for texts that name both options when they meet. */
struct listen_claims {
    struct {
        const char *option; /* a literal */
        struct http_listen at;
    } v[64];
    size_t count;
};
/* E_INVALID: one before has this port too; names both options. Port 0 meets nobody. */
enum err listen_claim(struct listen_claims *c, const char *option, const struct http_listen *at,
                      struct error *e) MUST_CHECK;

#endif
