/* lab/rest_client.c - see rest_client.h. HTTP/1.0-style: one request a connection, the answer ends
 * with the connection. */
#include "lab/rest_client.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/mem.h"
#include "base/str.h"

/* A connection to http://HOST:PORT (HOST may be an IPv6 address in brackets), or -1 with the reason. */
static int dial(const char *url, struct error *e)
{
    char host[256], port[8];
    if (sscanf(url, "http://[%255[^]]]:%7[0-9]", host, port) != 2 &&
        sscanf(url, "http://%255[^:/]:%7[0-9]", host, port) != 2) {
        error_set(e, E_INVALID, "'%s' is not http://HOST:PORT", url);
        return -1;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all;
    if (getaddrinfo(host, port, &hints, &all) != 0) {
        error_set(e, E_IO, "%s: no such host", host);
        return -1;
    }
    int fd = -1;
    error_set(e, E_IO, "connecting to %s", url);
    for (const struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
        struct timeval t = {60, 0};
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
        if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            error_sys(e, errno, "connecting to %s", url);
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    return fd;
}

static enum err exchange(int fd, struct strbuf *text, struct error *e)
{
    for (size_t sent = 0; sent < text->n;) {
        ssize_t n = send(fd, text->p + sent, text->n - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return error_sys(e, errno, "sending a request");
        sent += (size_t)n;
    }
    strbuf_reset(text);
    for (;;) {
        char part[16384];
        ssize_t n = recv(fd, part, sizeof part, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_sys(e, errno, "reading an answer");
        if (n == 0)
            return strbuf_err(text);
        strbuf_add(text, part, (size_t)n);
    }
}

enum err rest_call(const char *url, const char *method, const char *path, const json_t *body,
                   int *status, json_t **answer, struct error *e)
{
    struct strbuf text = STRBUF_INIT;
    char *json = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (answer)
        *answer = NULL;
    int fd = dial(url, e);
    if (fd < 0) {
        free(json);
        return E_IO;
    }
    strbuf_addf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, path,
                url + strlen("http://"));
    if (json)
        strbuf_addf(&text, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                    strlen(json), json);
    else
        strbuf_adds(&text, "\r\n");
    enum err err = exchange(fd, &text, e);
    close(fd);
    free(json);
    struct slice all = strbuf_slice(&text);
    ptrdiff_t end = err ? -1 : slice_find(all, SL("\r\n\r\n"));
    if (!err && (end < 0 || sscanf(text.p, "HTTP/1.%*d %d", status) != 1))
        err = error_set(e, E_CORRUPT, "%s does not speak HTTP", url);
    if (!err && answer) {
        struct slice content = slice_sub(all, (size_t)end + 4, all.n);
        *answer = json_loadb(content.p, content.n, JSON_DECODE_ANY, NULL);
    }
    strbuf_release(&text);
    return err;
}
