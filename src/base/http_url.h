/* base/http_url.h - reading what an HTTP client names: Host and Origin, percent-encoding, queries.
 * Pure functions on text from outside; nothing here allocates more than it is given. Thread: any.
 */
#ifndef WEIR_BASE_HTTP_URL_H
#define WEIR_BASE_HTTP_URL_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

struct http_authority {
    struct slice host; /* without brackets and without a final dot; a view of the text */
    int port;          /* -1: not given */
    bool is_ip;        /* a literal; addr is set then */
    uint8_t addr[16];  /* IPv4 as ::ffff:a.b.c.d */
};
/* "host", "host:port", "[::1]:port". False when it is none of these. */
bool http_authority_parse(struct slice text, struct http_authority *out);
/* "localhost", "127.0.0.1" or "::1", as an address to listen on. */
bool http_name_is_loopback(const char *host);
bool http_addr_is_loopback(const uint8_t addr[16]);

struct http_host_rules {
    const char *const *allowed; /* names from options; ends with NULL; may be NULL */
    const char *listen;         /* the host that was asked to listen on */
    const char *machine;        /* this machine's name, or "" */
    const uint8_t *local;       /* address the connection came in on (16 bytes), or NULL */
};
/* Whether a Host header of this name may be served (DNS rebinding). SPEC: web-ui 9.2.1. */
bool http_host_allowed(const struct http_authority *host, const struct http_host_rules *rules);
/* Whether an Origin header names "http://" + the Host header of the same request. */
bool http_origin_is_host(struct slice origin, const struct http_authority *host);

/* Decodes %XX (and, with `plus`, + as a blank) into the arena. E_INVALID: malformed, a NUL byte, or
 * bytes that are not UTF-8; E_NOMEM over the arena's budget. */
enum err http_percent_decode(struct slice text, bool plus, struct arena *a,
                             struct slice *out) MUST_CHECK;

struct http_pair {
    struct slice name, value; /* value is never null */
};
/* a=1&b: the decoded pairs, in order. E_INVALID, E_TOO_LARGE above 1000 pairs, E_NOMEM. */
enum err http_query_parse(struct slice raw, struct arena *a, struct http_pair **out,
                          size_t *count) MUST_CHECK;

#endif
