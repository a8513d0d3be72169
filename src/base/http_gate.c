/* base/http_gate.c - who may ask: the Host and the Origin of a request, and what pages of other origins are
 * told. SPEC: web-ui 9.2. Loop. */
#include "base/http_internal.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <event2/bufferevent.h>

static bool to_addr16(const struct sockaddr_storage *ss, uint8_t out[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (ss->ss_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)ss)->sin6_addr, 16);
        return true;
    }
    memcpy(out, mapped, sizeof mapped);
    memcpy(out + 12, &((const struct sockaddr_in *)ss)->sin_addr, 4);
    return ss->ss_family == AF_INET;
}

static bool peer_is_loopback(const struct http_conn *c)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    uint8_t addr[16];
    return getpeername(bufferevent_getfd(c->bev), (struct sockaddr *)&ss, &len) == 0 &&
           to_addr16(&ss, addr) && http_addr_is_loopback(addr);
}

static bool host_passes(const struct http_request *r, struct slice host, struct http_authority *out)
{
    struct http_server *s = r->server;
    if (slice_is_null(host))
        return s->o.any_host || peer_is_loopback(r->conn); /* HTTP/1.0 probes */
    if (!http_authority_parse(host, out))
        return false;
    if (s->o.any_host)
        return true;
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    uint8_t local[16];
    bool has_local =
        out->is_ip &&
        getsockname(bufferevent_getfd(r->conn->bev), (struct sockaddr *)&ss, &len) == 0 &&
        to_addr16(&ss, local);
    struct http_host_rules rules = {s->o.allowed_hosts, s->listen_host, s->machine,
                                    has_local ? local : NULL};
    return http_host_allowed(out, &rules);
}

static bool origin_is_allowed(const struct http_request *r, struct slice origin)
{
    for (const char *const *o = r->server->o.allowed_origins; o && *o; o++)
        if (slice_ifits(origin, slice_cstr(*o)))
            return true;
    return false;
}

/* What a browser wants to read before it lets a page of another origin see the answer. */
void http_add_cors(struct http_request *r)
{
    const struct http_options *o = &r->server->o;
    struct slice origin = http_header(r, "Origin");
    if (!o->cors_methods || slice_is_null(origin) || !origin_is_allowed(r, origin))
        return;
    http_reply_header(r, "Access-Control-Allow-Origin",
                      arena_printf(&r->arena, PRI_SL, ARG_SL(origin)));
    http_reply_header(r, "Access-Control-Allow-Credentials", "true");
    if (strcmp(o->allowed_origins[0], "*") != 0)
        http_reply_header(r, "Vary", "Origin");
    if (r->method != HTTP_OPTIONS || slice_is_null(http_header(r, "Access-Control-Request-Method")))
        return;
    http_reply_header(r, "Access-Control-Allow-Methods", o->cors_methods);
    http_reply_header(r, "Access-Control-Allow-Headers",
                      "X-Requested-With,Content-Type,Accept,Origin");
    http_reply_header(r, "Access-Control-Max-Age", "1800");
}

/* Requests that change something must come from our own page, or from no page at all. SPEC: web-ui
 * 9.2.2. */
static bool origin_passes(const struct http_request *r, const struct http_authority *host)
{
    struct slice origin = http_header(r, "Origin"), site = http_header(r, "Sec-Fetch-Site");
    if (!(r->method & (HTTP_POST | HTTP_PUT | HTTP_PATCH | HTTP_DELETE)))
        return true;
    if (slice_is_null(origin))
        return slice_is_null(site) || slice_ieq(site, SL("same-origin")) ||
               slice_ieq(site, SL("none"));
    if (origin_is_allowed(r, origin))
        return true;
    return host->host.n > 0 && http_origin_is_host(origin, host);
}

int http_gate(const struct http_request *r, const char **message)
{
    struct http_authority host = {.port = -1};
    struct slice text = SLICE_NULL;
    for (size_t i = 0; i < r->header_count; i++) {
        if (!slice_ieq(r->headers[i].name, SL("Host")))
            continue;
        *message = "More than one Host header";
        if (!slice_is_null(text))
            return 400;
        text = r->headers[i].value;
    }
    *message = "Host header not allowed (start weir with --allowed-hosts NAME to serve this name)";
    if (!host_passes(r, text, &host))
        return 403;
    *message = r->server->o.cors_methods
                   ? "Request from another origin refused (start weir with "
                     "--set access.control.allow.origin=ORIGIN,... to let its pages in)"
                   : "Request from another origin refused (only weir's own page may change things "
                     "here, by the address it was opened with)";
    return origin_passes(r, &host) ? 0 : 403;
}
