/* cli/listen_address.c - see listen_address.h. */
#include "cli/listen_address.h"

#include "base/base.h"
#include "base/http_url.h"

enum err listen_address_parse(struct slice text, struct http_listen *out, struct error *e)
{
    static const char give[] = "give HOST:PORT, such as 127.0.0.1:8080";
    ptrdiff_t colon = slice_rfind_char(text, ':');
    int64_t port = -1;
    struct slice host = slice_sub(text, 0, colon < 0 ? 0 : (size_t)colon);
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = slice_sub(host, 1, host.n - 1);
    if (colon < 0 || slice_to_i64(slice_sub(text, (size_t)colon + 1, text.n), &port) != E_OK ||
        host.n >= sizeof out->host) {
        error_set(e, E_INVALID, "'" PRI_SL "' is not an address", ARG_SL(text));
        error_hint(e, give);
        return E_INVALID;
    }
    if (port < 0 || port > 65535) {
        error_set(e, E_INVALID, "there is no port %lld, as in '" PRI_SL "'", (long long)port,
                  ARG_SL(text));
        error_hint(e, "ports are 1 to 65535, and 0 picks a free one");
        return E_INVALID;
    }
    if (host.n == 0)
        host = SL("0.0.0.0");
    memcpy(out->host, host.p, host.n);
    out->host[host.n] = 0;
    out->port = (uint16_t)port;
    return E_OK;
}

enum err listen_address_check(const struct opt_row *row, struct slice text, struct error *e)
{
    struct http_listen at;
    struct slice part;
    if (row->type != OPT_LIST)
        return listen_address_parse(text, &at, e);
    while (opt_list_next(&text, &part)) {
        enum err err = part.n ? listen_address_parse(part, &at, e) : E_OK;
        if (err)
            return err;
    }
    return E_OK;
}

/* --- ports of weir's own ---------------------------------------------------------------------- */

static bool is_any(const char *host)
{
    return !host[0] || !strcmp(host, "0.0.0.0") || !strcmp(host, "::") || !strcmp(host, "*");
}

static bool meet(const char *a, const char *b)
{
    return is_any(a) || is_any(b) || !strcmp(a, b) ||
           (http_name_is_loopback(a) && http_name_is_loopback(b));
}

enum err listen_claim(struct listen_claims *c, const char *option, const struct http_listen *at,
                      struct error *e)
{
    for (size_t i = 0; at->port && i < c->count; i++)
        if (c->v[i].at.port == at->port && meet(c->v[i].at.host, at->host)) {
            error_set(e, E_INVALID, "%s and %s both have port %d", c->v[i].option, option,
                      at->port);
            error_hint(e, "give each a port of its own");
            return E_INVALID;
        }
    if (c->count < ARRAY_LEN(c->v)) {
        c->v[c->count].option = option;
        c->v[c->count++].at = *at;
    }
    return E_OK;
}
