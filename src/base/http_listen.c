/* base/http_listen.c - the listening sockets of an HTTP server, made before its loop sees them.
 *
 * "localhost" and 127.0.0.1 mean ::1 too, on the same port: Node and some Java clients try ::1
 * first, and would else reach whatever else listens there. A machine without IPv6 does without. */
#include "base/http_internal.h"
#include "base/http_url.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 256, PORT_TRIES = 50 };

/* A listening socket, or -1 with errno. */
static int listen_on(const struct sockaddr *sa, socklen_t len, bool v6only)
{
    int on = 1, only = v6only;
    int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (sa->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    if (bind(fd, sa, len) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int sys = errno;
    close(fd);
    errno = sys;
    return -1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
        return 0;
    return ntohs(ss.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&ss)->sin6_port
                                          : ((struct sockaddr_in *)&ss)->sin_port);
}

static enum err listen_error(const char *name, const struct http_listen *l, int sys,
                             struct error *e)
{
    if (sys == EADDRINUSE) {
        error_set(e, E_EXISTS, "port %d on %s is taken by another program", l->port, l->host);
        error_hint(
            e, "stop that program, or choose another port with --%s-listen %s:PORT (0 picks one)",
            name, l->host);
        return E_EXISTS;
    }
    error_sys(e, sys, "listening on %s:%d", l->host, l->port);
    if (sys == EACCES)
        error_hint(e, "ports below 1024 need more rights: choose another");
    else if (sys == EADDRNOTAVAIL)
        error_hint(
            e,
            "this machine has no such address: give --%s-listen one that `ip addr` shows, or "
            "0.0.0.0 for all of them",
            name);
    return E_IO;
}

static enum err listen_loopback(const char *name, struct http_listen *l, int fds[2],
                                struct error *e)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    for (int i = 0;; i++) {
        v4.sin_port = htons(l->port);
        fds[0] = listen_on((struct sockaddr *)&v4, sizeof v4, false);
        if (fds[0] < 0)
            return listen_error(name, l, errno, e);
        v6.sin6_port = htons(port_of(fds[0]));
        fds[1] = listen_on((struct sockaddr *)&v6, sizeof v6, true);
        int sys = fds[1] < 0 ? errno : 0;
        if (sys != EADDRINUSE)
            break; /* fine, or a machine without IPv6 */
        close(fds[0]);
        if (l->port != 0 || i == PORT_TRIES)
            return listen_error(name, l, sys, e);
    }
    l->port = port_of(fds[0]);
    return E_OK;
}

enum err http_listen_check(const char *name, const struct http_listen *l, struct error *e)
{
    struct http_listen own = *l;
    int fds[2];
    enum err err = http_listen_open(name, &own, fds, e);
    for (size_t i = 0; !err && i < ARRAY_LEN(fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    return err;
}

enum err http_listen_open(const char *name, struct http_listen *l, int fds[2], struct error *e)
{
    fds[0] = fds[1] = -1;
    if (http_name_is_loopback(l->host))
        return listen_loopback(name, l, fds, e);
    struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found;
    char port[8], host[sizeof l->host];
    size_t n = strlen(l->host);
    bool bracketed = n > 2 && l->host[0] == '[' && l->host[n - 1] == ']';
    snprintf(host, sizeof host, "%.*s", (int)(bracketed ? n - 2 : n), l->host + bracketed);
    snprintf(port, sizeof port, "%d", l->port);
    bool any = host[0] == 0 || strcmp(host, "*") == 0;
    int rc = getaddrinfo(any ? "::" : host, port, &hints, &found);
    if (rc != 0) {
        error_set(e, E_INVALID, "cannot listen on %s: %s", l->host, gai_strerror(rc));
        error_hint(e, "give an address of this machine, such as 127.0.0.1 or 0.0.0.0");
        return E_INVALID;
    }
    fds[0] = listen_on(found->ai_addr, found->ai_addrlen, false);
    int sys = errno;
    freeaddrinfo(found);
    if (fds[0] < 0 && any) { /* no IPv6 here */
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(l->port)};
        fds[0] = listen_on((struct sockaddr *)&v4, sizeof v4, false);
        sys = errno;
    }
    if (fds[0] < 0)
        return listen_error(name, l, sys, e);
    l->port = port_of(fds[0]);
    return E_OK;
}
