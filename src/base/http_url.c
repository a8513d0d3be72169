/* base/http_url.c - see http_url.h. */
#include "base/http_url.h"

#include <arpa/inet.h>
#include <ctype.h>

enum { NAME_MAX_BYTES = 255, PAIRS_MAX = 1000 };

/* --- Host and Origin -------------------------------------------------------------------------- */

static bool parse_ip(struct slice text, bool v6, uint8_t out[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    char copy[INET6_ADDRSTRLEN];
    if (text.n == 0 || text.n >= sizeof copy || memchr(text.p, 0, text.n))
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    if (v6)
        return inet_pton(AF_INET6, copy, out) == 1;
    memcpy(out, mapped, sizeof mapped);
    return inet_pton(AF_INET, copy, out + 12) == 1;
}

static bool parse_port(struct slice text, int *out)
{
    int v = 0;
    if (text.n > 5)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (text.p[i] - '0');
    }
    *out = text.n == 0 ? -1 : v; /* "host:" names no port */
    return v <= 65535;
}

static bool is_name(struct slice s)
{
    bool dot = true; /* no empty label */
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '.' ? dot : !isalnum(c) && c != '-' && c != '_')
            return false;
        dot = c == '.';
    }
    return s.n > 0 && s.n <= NAME_MAX_BYTES;
}

bool http_authority_parse(struct slice text, struct http_authority *out)
{
    struct slice port = SLICE_NULL;
    *out = (struct http_authority){.port = -1};
    if (text.n > 0 && text.p[0] == '[') {
        ptrdiff_t close = slice_find_char(text, ']');
        if (close < 0)
            return false;
        out->host = slice_sub(text, 1, (size_t)close);
        port = slice_sub(text, (size_t)close + 1, text.n);
        out->is_ip = parse_ip(out->host, true, out->addr);
        if (!out->is_ip || (port.n > 0 && port.p[0] != ':'))
            return false;
        port = slice_sub(port, 1, port.n);
        return parse_port(port, &out->port);
    }
    ptrdiff_t colon = slice_find_char(text, ':');
    out->host = colon < 0 ? text : slice_sub(text, 0, (size_t)colon);
    if (colon >= 0 && !parse_port(slice_sub(text, (size_t)colon + 1, text.n), &out->port))
        return false;
    if (out->host.n > 1 && out->host.p[out->host.n - 1] == '.') /* the root: same name */
        out->host.n--;
    if (!is_name(out->host))
        return false;
    out->is_ip = parse_ip(out->host, false, out->addr);
    return true;
}

static bool is_mapped_v4(const uint8_t a[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(a, mapped, sizeof mapped) == 0;
}

bool http_name_is_loopback(const char *host)
{
    return !strcmp(host, "localhost") || !strcmp(host, "127.0.0.1") || !strcmp(host, "::1");
}

bool http_addr_is_loopback(const uint8_t addr[16])
{
    static const uint8_t one[16] = {[15] = 1};
    return is_mapped_v4(addr) ? addr[12] == 127 : memcmp(addr, one, 16) == 0;
}

static bool is_machine(struct slice host, struct slice machine)
{
    if (machine.n == 0)
        return false;
    if (slice_ieq(host, machine))
        return true;
    return host.n == machine.n + 6 && slice_istarts(host, machine) &&
           slice_ieq(slice_sub(host, machine.n, host.n), SL(".local"));
}

static bool ends_localhost(struct slice host)
{
    struct slice suffix = SL(".localhost");
    return host.n > suffix.n && slice_ieq(slice_sub(host, host.n - suffix.n, host.n), suffix);
}

bool http_host_allowed(const struct http_authority *host, const struct http_host_rules *rules)
{
    for (const char *const *a = rules->allowed; a && *a; a++)
        if (slice_ieq(host->host, slice_cstr(*a)))
            return true;
    if (host->is_ip)
        return http_addr_is_loopback(host->addr) ||
               (rules->local && memcmp(host->addr, rules->local, 16) == 0);
    /* A name without a dot (compose's http://weir:8083) cannot be rebound from the Internet. */
    return slice_find_char(host->host, '.') < 0 || ends_localhost(host->host) ||
           slice_ieq(host->host, SL("host.docker.internal")) ||
           slice_ieq(host->host, slice_cstr(rules->listen ? rules->listen : "")) ||
           is_machine(host->host, slice_cstr(rules->machine ? rules->machine : ""));
}

bool http_origin_is_host(struct slice origin, const struct http_authority *host)
{
    struct slice scheme = SL("http://");
    struct http_authority o;
    if (!slice_istarts(origin, scheme) ||
        !http_authority_parse(slice_sub(origin, scheme.n, origin.n), &o))
        return false;
    int a = o.port < 0 ? 80 : o.port, b = host->port < 0 ? 80 : host->port;
    if (a != b || o.is_ip != host->is_ip)
        return false;
    return o.is_ip ? memcmp(o.addr, host->addr, 16) == 0 : slice_ieq(o.host, host->host);
}

/* --- percent-encoding ------------------------------------------------------------------------- */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

enum err http_percent_decode(struct slice text, bool plus, struct arena *a, struct slice *out)
{
    char *to = arena_try_alloc(a, text.n + 1);
    size_t n = 0;
    if (!to)
        return E_NOMEM;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            bool whole = text.n - i > 2;
            int hi = whole ? hex(text.p[i + 1]) : -1, lo = whole ? hex(text.p[i + 2]) : -1;
            if (hi < 0 || lo < 0)
                return E_INVALID;
            c = (char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == 0)
            return E_INVALID;
        to[n++] = c;
    }
    to[n] = 0;
    *out = slice_of(to, n);
    return slice_is_utf8(*out) ? E_OK : E_INVALID;
}

enum err http_query_parse(struct slice raw, struct arena *a, struct http_pair **out, size_t *count)
{
    struct slice rest = raw, part;
    size_t n = 0, at = 0;
    *out = NULL;
    *count = 0;
    while (raw.n > 0 && slice_split(&rest, '&', &part))
        n += part.n > 0;
    if (n == 0)
        return E_OK;
    if (n > PAIRS_MAX)
        return E_TOO_LARGE;
    struct http_pair *pairs = arena_try_calloc(a, n, sizeof *pairs);
    if (!pairs)
        return E_NOMEM;
    for (rest = raw; slice_split(&rest, '&', &part);) {
        if (part.n == 0)
            continue;
        ptrdiff_t eq = slice_find_char(part, '=');
        size_t split = eq < 0 ? part.n : (size_t)eq;
        enum err rc = http_percent_decode(slice_sub(part, 0, split), true, a, &pairs[at].name);
        if (rc == E_OK)
            rc = http_percent_decode(slice_sub(part, MIN(split + 1, part.n), part.n), true, a,
                                     &pairs[at].value);
        if (rc != E_OK)
            return rc;
        at++;
    }
    *out = pairs;
    *count = at;
    return E_OK;
}
