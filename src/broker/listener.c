/* broker/listener.c - parsing, binding and advertising addresses.
 *
 * The address in Metadata decides whether a client works at all: the bootstrap connection may come
 * through a published port of a container while the brokers that Metadata names must be reachable
 * from where the client stands. Without settings the answer is taken from the connection itself:
 * loopback and the container's gateway hear "localhost", others the address they reached. */
#include "broker/listener.h"

#include "base/base.h"
#include "base/fs.h"
#include "base/http_url.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void sockaddr_ip(const union sockaddr_any *a, char out[INET6_ADDRSTRLEN])
{
    out[0] = 0;
    if (a->sa.sa_family == AF_INET)
        inet_ntop(AF_INET, &a->in.sin_addr, out, INET6_ADDRSTRLEN);
    else if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
        inet_ntop(AF_INET, a->in6.sin6_addr.s6_addr + 12, out, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, &a->in6.sin6_addr, out, INET6_ADDRSTRLEN);
}

static uint32_t ipv4_of(const union sockaddr_any *a) /* network order; 0 when it is not IPv4 */
{
    uint32_t v = 0;
    if (a->sa.sa_family == AF_INET)
        v = a->in.sin_addr.s_addr;
    else if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
        memcpy(&v, a->in6.sin6_addr.s6_addr + 12, 4);
    return v;
}

bool sockaddr_is_loopback(const union sockaddr_any *a)
{
    uint32_t v4 = ipv4_of(a);
    if (v4)
        return (ntohl(v4) >> 24) == 127;
    return a->sa.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&a->in6.sin6_addr);
}

/* --- parsing ---------------------------------------------------------------------------------- */

/* "NAME://host:port", or "host:port" (then name is PLAINTEXT). host and name are slices of s. */
static enum err parse_endpoint(struct slice s, struct slice *name, struct slice *host, int *port,
                               const char *option, struct error *e)
{
    ptrdiff_t at = slice_find(s, SL("://"));
    *name = at < 0 ? SL("PLAINTEXT") : slice_sub(s, 0, (size_t)at);
    struct slice rest = at < 0 ? s : slice_sub(s, (size_t)at + 3, s.n);
    ptrdiff_t colon = slice_rfind_char(rest, ':');
    int64_t number = -1;
    if (colon >= 0 && slice_to_i64(slice_sub(rest, (size_t)colon + 1, rest.n), &number) != E_OK)
        number = -1;
    if (number > 65535) {
        error_set(e, E_INVALID, "%s: there is no port %lld, as in \"" PRI_SL "\"", option,
                  (long long)number, ARG_SL(s));
        error_hint(e, "ports are 1 to 65535, and 0 picks a free one");
        return E_INVALID;
    }
    if (number < 0 || name->n == 0)
        return error_set(e, E_INVALID, "%s: \"" PRI_SL "\" is not of the form NAME://host:port",
                         option, ARG_SL(s));
    *port = (int)number;
    *host = slice_sub(rest, 0, (size_t)colon);
    if (host->n >= 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
        *host = slice_sub(*host, 1, host->n - 1);
    return E_OK;
}

static bool list_has(struct slice list, struct slice name)
{
    struct slice part;
    while (opt_list_next(&list, &part)) {
        if (slice_ieq(part, name))
            return true;
    }
    return false;
}

/* PLAINTEXT for "EXTERNAL" in "INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT". */
static struct slice protocol_of(struct slice map, struct slice name)
{
    struct slice part;
    while (opt_list_next(&map, &part)) {
        ptrdiff_t at = slice_find_char(part, ':');
        if (at > 0 && slice_ieq(slice_trim(slice_sub(part, 0, (size_t)at)), name))
            return slice_trim(slice_sub(part, (size_t)at + 1, part.n));
    }
    return name;
}

/* The k-th listener of this name. */
static struct listener *find(struct listeners *ls, struct slice name, int32_t k)
{
    for (size_t i = 0; i < ls->count; i++) {
        if (slice_ieq(slice_cstr(ls->v[i].name), name) && k-- == 0)
            return &ls->v[i];
    }
    return NULL;
}

/* How often the name is in a text of endpoints. */
static int32_t times_in(struct slice text, struct slice name)
{
    struct slice part, own, host;
    int32_t n = 0;
    int port;
    struct error e;
    while (opt_list_next(&text, &part))
        if (part.n && parse_endpoint(part, &own, &host, &port, "", &e) == E_OK)
            n += slice_ieq(own, name);
    return n;
}

static int32_t brokers_of(const struct broker_options *o)
{
    return MAX(o->lab_brokers, 1);
}

static enum err add(struct listeners *ls, const struct broker_options *o, struct slice name,
                    struct slice host, int port, int32_t k, struct error *e)
{
    static const char *const protocols[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
    struct slice protocol = protocol_of(o->protocol_map, name);
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        known |= slice_eq_c(protocol, protocols[i]);
    if (!known) {
        error_set(e, E_INVALID, "listeners: " PRI_SL " has no security protocol", ARG_SL(name));
        error_hint(e, "add it to listener.security.protocol.map, such as " PRI_SL ":PLAINTEXT",
                   ARG_SL(name));
        return E_INVALID;
    }
    if (ls->count == LISTENERS_MAX)
        return error_set(e, E_INVALID, "listeners: more than %d", LISTENERS_MAX);
    ls->v[ls->count++] = (struct listener){.name = slice_dup(name),
                                           .protocol = slice_dup(protocol),
                                           .host = slice_dup(host),
                                           .port = port,
                                           .fds = {-1, -1},
                                           .node_id = o->node_id + k};
    return E_OK;
}

/* Of two listeners on one port the second could not be opened. */
static enum err check_ports(const struct listeners *ls, struct error *e)
{
    for (size_t i = 0; i < ls->count; i++)
        for (size_t k = 0; k < i; k++) {
            const struct listener *a = &ls->v[k], *b = &ls->v[i];
            if (a->port == 0 || a->port != b->port || strcmp(a->host, b->host) != 0)
                continue;
            error_set(e, E_INVALID, "listeners: %s and %s both have port %d", a->name, b->name,
                      a->port);
            error_hint(e, "give each a port of its own");
            return E_INVALID;
        }
    return E_OK;
}

static enum err parse_listeners(struct listeners *ls, const struct broker_options *o,
                                struct slice text, bool any_host, struct error *e)
{
    struct slice part, name, host, all = text;
    int port;
    while (opt_list_next(&text, &part)) {
        if (part.n == 0)
            continue;
        enum err r = parse_endpoint(part, &name, &host, &port, "listeners", e);
        if (r != E_OK)
            return r;
        if (list_has(o->controller_listeners, name))
            continue;
        int32_t brokers = brokers_of(o), given = times_in(all, name), from = 0;
        while (find(ls, name, from))
            from++;
        if (given > 1 && brokers == 1)
            return error_set(e, E_INVALID, "listeners: the name " PRI_SL " appears twice",
                             ARG_SL(name));
        if (given > 1 && given != brokers)
            return error_set(e, E_INVALID,
                             "listeners: the name " PRI_SL " appears %d times; with lab.brokers=%d "
                             "it is given once (ports in a row) or %d times",
                             ARG_SL(name), given, brokers, brokers);
        for (int32_t k = from; r == E_OK && k < (given > 1 ? from + 1 : brokers); k++)
            r = add(ls, o, name, any_host ? SL("0.0.0.0") : host,
                    port && given == 1 ? port + k : port, k, e);
        if (r != E_OK)
            return r;
    }
    if (ls->count == 0)
        return error_set(e, E_INVALID, "listeners: there is none to serve");
    return check_ports(ls, e);
}

static enum err parse_advertised(struct listeners *ls, const struct broker_options *o,
                                 struct error *e)
{
    struct slice text = o->advertised_listeners, part, name, host;
    int port;
    while (text.p && opt_list_next(&text, &part)) {
        if (part.n == 0)
            continue;
        enum err r = parse_endpoint(part, &name, &host, &port, "advertised.listeners", e);
        if (r != E_OK)
            return r;
        if (list_has(o->controller_listeners, name))
            continue;
        if (slice_eq(host, SL("0.0.0.0")))
            return error_set(e, E_INVALID,
                             "advertised.listeners cannot use the nonroutable meta-address "
                             "0.0.0.0. Use a routable IP address.");
        int32_t given = times_in(o->advertised_listeners, name), brokers = brokers_of(o);
        if (!find(ls, name, 0))
            return error_set(e, E_INVALID,
                             "advertised.listeners names " PRI_SL ", which listeners does not",
                             ARG_SL(name));
        if (given > 1 && given != brokers)
            return error_set(e, E_INVALID,
                             "advertised.listeners: the name " PRI_SL " appears %d times",
                             ARG_SL(name), given);
        struct listener *l;
        for (int32_t k = 0; host.n && (l = find(ls, name, k)); k++) {
            if (l->adv_host && given > 1)
                continue; /* an earlier one of this name */
            mem_free(l->adv_host);
            l->adv_host = slice_dup(host);
            l->adv_port = given > 1 || port == 0 ? port : port + k;
            if (given > 1)
                break;
        }
    }
    return E_OK;
}

/* The default gateway of a container: peers that come through a published port have this address.
 */
static uint32_t container_gateway(void)
{
    if (!fs_exists("/.dockerenv") && !fs_exists("/run/.containerenv"))
        return 0;
    struct strbuf b;
    strbuf_init(&b, 1 << 16);
    uint32_t found = 0;
    if (fs_read_all("/proc/net/route", 1 << 16, &b, NULL) == E_OK) {
        struct slice rest = strbuf_slice(&b), line;
        while (!found && slice_split(&rest, '\n', &line)) {
            struct slice iface, dest, gw;
            if (slice_split(&line, '\t', &iface) && slice_split(&line, '\t', &dest) &&
                slice_split(&line, '\t', &gw) && slice_eq(dest, SL("00000000")) && gw.n == 8)
                found = (uint32_t)strtoul(gw.p, NULL, 16); /* already in network order */
        }
    }
    strbuf_release(&b);
    return found;
}

/* Further rows of ports that the courses' bootstrap lists name, beside a lab on the usual port.
 * They are a convenience: a port that is taken is left out. */
static enum err add_course_ports(struct listeners *ls, const struct broker_options *o,
                                 struct error *e)
{
    struct slice list = o->lab_ports, part;
    enum err r = E_OK;
    if (o->lab_brokers < 2 || ls->v[0].port != 9092)
        return r;
    while (r == E_OK && opt_list_next(&list, &part)) {
        int64_t port;
        char name[32];
        if (part.n == 0)
            continue;
        if (slice_to_i64(part, &port) != E_OK || port < 1 || port > 65535 - o->lab_brokers)
            return error_set(e, E_INVALID, "lab.ports: \"" PRI_SL "\" is not a port", ARG_SL(part));
        snprintf(name, sizeof name, "LAB%lld", (long long)port);
        for (int32_t k = 0; r == E_OK && k < o->lab_brokers; k++) {
            size_t before = ls->count;
            if (ls->count == LISTENERS_MAX)
                return E_OK;
            r = add(ls, o, SL("PLAINTEXT"), slice_cstr(ls->v[0].host), (int)port + k, k, e);
            if (r == E_OK) {
                mem_free(ls->v[before].name);
                ls->v[before].name = xstrdup(name);
                ls->v[before].optional = true;
            }
        }
    }
    return r;
}

enum err listeners_parse(struct listeners *ls, const struct broker_options *o, struct error *e)
{
    *ls = (struct listeners){0};
    ls->advertise_name = o->advertise_name.n ? slice_dup(o->advertise_name) : NULL;
    ls->advertise_gateway_as =
        o->advertise_gateway_as.n ? slice_dup(o->advertise_gateway_as) : NULL;
    bool only_advertised = o->listeners.n == 0 && o->advertised_listeners.n;
    struct slice text = only_advertised       ? o->advertised_listeners
                        : o->listeners.n == 0 ? SL("PLAINTEXT://localhost:9092")
                                              : o->listeners;
    enum err r = parse_listeners(ls, o, text, only_advertised, e);
    if (r == E_OK)
        r = parse_advertised(ls, o, e);
    if (r == E_OK && !only_advertised && ls->count == (size_t)brokers_of(o))
        r = add_course_ports(ls, o, e);
    if (r != E_OK)
        listeners_release(ls);
    else
        ls->gateway = container_gateway();
    return r;
}

/* --- binding ---------------------------------------------------------------------------------- */

static int open_socket(const struct sockaddr *sa, socklen_t n, int backlog, bool v6_only)
{
    int one = 1, zero = 0;
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (sa->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6_only ? &one : &zero, sizeof one);
    if (bind(fd, sa, n) == 0 && listen(fd, backlog) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int bound_port(int fd)
{
    union sockaddr_any a;
    socklen_t n = sizeof a;
    if (getsockname(fd, &a.sa, &n) != 0)
        return 0;
    return ntohs(a.sa.sa_family == AF_INET ? a.in.sin_port : a.in6.sin6_port);
}

static enum err bind_failed(const struct listener *l, int sys, struct error *e)
{
    if (sys == EADDRINUSE) {
        error_set(e, E_CONFLICT, "port %d of %s is taken by another program", l->port,
                  l->host[0] ? l->host : "this machine");
        error_hint(e, "stop that program (ss -ltnp shows it) or choose another port with "
                      "--kafka-listen HOST:PORT; port 0 picks a free one");
        return E_CONFLICT;
    }
    error_sys(e, sys, "listening on %s:%d", l->host, l->port);
    if (sys == EADDRNOTAVAIL)
        error_hint(e, "this machine has no such address: give one that `ip addr` shows, or 0.0.0.0 "
                      "for all of them; what clients are told is advertised.listeners");
    else if (sys == EACCES)
        error_hint(e, "ports below 1024 need more rights: choose another");
    return E_IO;
}

/* 127.0.0.1 and ::1 on one port. A machine without IPv6 has the first alone. */
static enum err bind_loopback(struct listener *l, int backlog, struct error *e)
{
    int want = l->port;
    for (int attempt = 0;; attempt++) {
        struct sockaddr_in v4 = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)want),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        l->fds[0] = open_socket((struct sockaddr *)&v4, sizeof v4, backlog, false);
        if (l->fds[0] < 0)
            return bind_failed(l, errno, e);
        l->fd_count = 1;
        l->port = bound_port(l->fds[0]);
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                                  .sin6_port = htons((uint16_t)l->port),
                                  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        l->fds[1] = open_socket((struct sockaddr *)&v6, sizeof v6, backlog, true);
        if (l->fds[1] >= 0) {
            l->fd_count = 2;
            return E_OK;
        }
        if (errno != EADDRINUSE)
            return E_OK; /* no IPv6 here */
        if (want != 0 || attempt == 10)
            return bind_failed(l, EADDRINUSE, e);
        close(l->fds[0]); /* the free IPv4 port is taken on ::1: draw again */
        l->fds[0] = -1;
        l->fd_count = 0;
    }
}

static enum err bind_any(struct listener *l, int backlog, struct error *e)
{
    bool v4_only = !strcmp(l->host, "0.0.0.0");
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons((uint16_t)l->port),
                              .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)l->port)};
    if (!v4_only)
        l->fds[0] = open_socket((struct sockaddr *)&v6, sizeof v6, backlog, false);
    if (v4_only || (l->fds[0] < 0 && errno != EADDRINUSE))
        l->fds[0] = open_socket((struct sockaddr *)&v4, sizeof v4, backlog, false);
    if (l->fds[0] < 0)
        return bind_failed(l, errno, e);
    l->fd_count = 1;
    l->port = bound_port(l->fds[0]);
    return E_OK;
}

static enum err bind_name(struct listener *l, int backlog, struct error *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *res = NULL;
    int gai = getaddrinfo(l->host, NULL, &hints, &res);
    if (gai != 0) {
        error_set(e, E_INVALID, "listeners: the host %s is not known here: %s", l->host,
                  gai_strerror(gai));
        error_hint(e, "an address of this machine, localhost, or nothing for all interfaces");
        return E_INVALID;
    }
    union sockaddr_any a = {0};
    memcpy(&a, res->ai_addr, MIN(res->ai_addrlen, sizeof a));
    socklen_t n = res->ai_addrlen;
    freeaddrinfo(res);
    if (a.sa.sa_family == AF_INET)
        a.in.sin_port = htons((uint16_t)l->port);
    else
        a.in6.sin6_port = htons((uint16_t)l->port);
    l->fds[0] = open_socket(&a.sa, n, backlog, true);
    if (l->fds[0] < 0)
        return bind_failed(l, errno, e);
    l->fd_count = 1;
    l->port = bound_port(l->fds[0]);
    return E_OK;
}

static bool is_any_host(const char *host)
{
    return host[0] == 0 || !strcmp(host, "0.0.0.0") || !strcmp(host, "::");
}

enum err listener_open(struct listener *l, int backlog, struct error *e)
{
    return http_name_is_loopback(l->host) ? bind_loopback(l, backlog, e)
           : is_any_host(l->host)         ? bind_any(l, backlog, e)
                                          : bind_name(l, backlog, e);
}

void listener_close(struct listener *l)
{
    for (int k = 0; k < l->fd_count; k++)
        close(l->fds[k]);
    l->fd_count = 0;
    l->fds[0] = l->fds[1] = -1;
}

static void release(struct listener *l)
{
    listener_close(l);
    mem_free(l->name);
    mem_free(l->protocol);
    mem_free(l->host);
    mem_free(l->adv_host);
    mem_free(l->adv_text);
}

enum err listeners_bind(struct listeners *ls, int backlog, struct error *e)
{
    for (size_t i = 0; i < ls->count; i++) {
        struct listener *l = &ls->v[i];
        bool any = is_any_host(l->host);
        enum err r = listener_open(l, backlog, e);
        if (r != E_OK && l->optional) {
            LOG_INFO(LOG_BROKER_CONN, "port %d is taken; the lab goes on without it", l->port);
            release(l);
            memmove(l, l + 1, (ls->count - i - 1) * sizeof *l);
            ls->count--;
            i--;
            continue;
        }
        if (r != E_OK)
            return r;
        const char *host = l->adv_host                             ? l->adv_host
                           : any || http_name_is_loopback(l->host) ? "localhost"
                                                                   : l->host;
        bool v6 = strchr(host, ':') != NULL;
        l->adv_text = xasprintf("%s%s%s:%d", v6 ? "[" : "", host, v6 ? "]" : "",
                                l->adv_port ? l->adv_port : l->port);
    }
    return E_OK;
}

void listeners_release(struct listeners *ls)
{
    for (size_t i = 0; i < ls->count; i++)
        release(&ls->v[i]);
    mem_free(ls->advertise_name);
    mem_free(ls->advertise_gateway_as);
    *ls = (struct listeners){0};
}

const struct listener *listener_of_node(const struct listeners *ls, const struct listener *l,
                                        int32_t node_id)
{
    const struct listener *other = NULL;
    if (l->node_id == node_id)
        return l;
    for (size_t i = 0; i < ls->count; i++) {
        if (ls->v[i].node_id != node_id)
            continue;
        if (!strcmp(ls->v[i].name, l->name))
            return &ls->v[i];
        if (!other)
            other = &ls->v[i];
    }
    return other;
}

/* --- advertising ------------------------------------------------------------------------------ */

void listener_advertised(const struct listeners *ls, const struct listener *l, int sock,
                         const union sockaddr_any *peer, const char *server_name, char host[256],
                         int *port)
{
    *port = l->adv_port ? l->adv_port : l->port;
    const char *name = NULL;
    uint32_t v4 = ipv4_of(peer);
    if (l->adv_host)
        name = l->adv_host;
    else if (sockaddr_is_loopback(peer))
        name = "localhost";
    else if (server_name)
        name = server_name;
    else if (ls->gateway && v4 == ls->gateway)
        name = ls->advertise_gateway_as ? ls->advertise_gateway_as : "localhost";
    else if (ls->advertise_name)
        name = ls->advertise_name;
    if (name) {
        snprintf(host, 256, "%s", name);
        return;
    }
    union sockaddr_any own = {0};
    socklen_t n = sizeof own;
    char ip[INET6_ADDRSTRLEN] = "localhost";
    if (getsockname(sock, &own.sa, &n) == 0)
        sockaddr_ip(&own, ip);
    snprintf(host, 256, "%s", ip);
}
