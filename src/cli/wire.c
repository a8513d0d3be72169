/* cli/wire.c - see wire.h. Frames are bounded by 128 MiB; sockets have timeouts, so that a server
 * that hangs gives an error and not a hang. */
#include "cli/wire.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/base.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "broker/proto/codec.h"

#define FRAME_MAX ((size_t)128 << 20)

struct wire {
    int fd;
    int32_t correlation;
    struct strbuf in, out;
    _Atomic bool cancelled; /* set by wire_cancel before the shutdown that wakes the reader */
};

static int dial(const char *host, const char *port, int timeout_ms)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all, *a;
    if (getaddrinfo(host, port, &hints, &all) != 0)
        return -1;
    int fd = -1;
    for (a = all; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        struct timeval t = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
        int one = 1;
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(all);
    return fd;
}

enum err wire_open(struct wire **out, const char *address, int timeout_ms, struct error *e)
{
    struct slice all = slice_cstr(address);
    ptrdiff_t colon = slice_rfind_char(all, ':');
    if (colon <= 0)
        return error_set(e, E_INVALID, "'%s' is not HOST:PORT", address);
    struct slice host = slice_sub(all, 0, (size_t)colon);
    if (host.n > 2 && host.p[0] == '[')
        host = slice_sub(host, 1, host.n - 1);
    char *name = slice_dup(host);
    int fd = dial(name, address + colon + 1, timeout_ms);
    int why = errno;
    mem_free(name);
    if (fd < 0) {
        error_sys(e, why, "connecting to %s", address);
        error_hint(e, "is a broker running there?");
        return E_IO;
    }
    struct wire *w = xcalloc(1, sizeof *w);
    w->fd = fd;
    strbuf_init(&w->in, FRAME_MAX);
    strbuf_init(&w->out, FRAME_MAX);
    *out = w;
    return E_OK;
}

void wire_close(struct wire *w)
{
    if (!w)
        return;
    close(w->fd);
    strbuf_release(&w->in);
    strbuf_release(&w->out);
    mem_free(w);
}

void wire_cancel(struct wire *w)
{
    w->cancelled = true;
    shutdown(w->fd, SHUT_RDWR);
}

static enum err io_failed(struct wire *w, ssize_t n, const char *what, struct error *e)
{
    if (w->cancelled)
        return error_set(e, E_CANCELLED, "cancelled");
    if (n == 0)
        return error_set(e, E_IO, "the broker closed the connection");
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return error_set(e, E_TIMEOUT, "the broker does not answer");
    return error_sys(e, errno, "%s the broker", what);
}

static enum err send_all(struct wire *w, struct slice s, struct error *e)
{
    while (s.n) {
        ssize_t n = send(w->fd, s.p, s.n, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return io_failed(w, n, "writing to", e);
        s = slice_sub(s, (size_t)n, s.n);
    }
    return E_OK;
}

static enum err recv_all(struct wire *w, size_t want, struct error *e)
{
    if (strbuf_reserve(&w->in, want) != E_OK)
        return error_set(e, E_NOMEM, "an answer of %zu bytes", want);
    while (want) {
        ssize_t n = recv(w->fd, w->in.p + w->in.n, want, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return io_failed(w, n, "reading from", e);
        w->in.n += (size_t)n;
        want -= (size_t)n;
    }
    return E_OK;
}

enum err wire_call(struct wire *w, const struct msg_desc *request, int16_t version,
                   const void *body, struct arena *a, void *answer, struct error *e)
{
    const struct msg_desc *response = msg_find(request->api_key, MSG_RESPONSE);
    struct request_header h = {.api_key = request->api_key,
                               .api_version = version,
                               .correlation_id = ++w->correlation,
                               .client_id = SL("weir")};
    strbuf_reset(&w->out);
    enum err err = codec_encode_request(request, &h, body, &w->out);
    if (err)
        return error_set(e, err, "encoding a request");
    err = send_all(w, strbuf_slice(&w->out), e);
    strbuf_reset(&w->in);
    if (!err)
        err = recv_all(w, 4, e);
    if (err)
        return err;
    size_t size = load_be32(w->in.p);
    if (size > FRAME_MAX - 8)
        return error_set(e, E_CORRUPT, "an answer of %zu bytes is not Kafka's protocol", size);
    err = recv_all(w, size, e);
    if (err)
        return err;
    struct reader r = reader_of(w->in.p + 4, size);
    int32_t correlation = 0;
    err = codec_decode_response_header(&r, response, version, &correlation);
    if (!err && correlation != h.correlation_id)
        err = E_CORRUPT;
    if (!err)
        err = codec_decode(response, version, &r, a, answer);
    if (err)
        return error_set(e, err, "the broker's answer cannot be read: %s", err_name(err));
    return E_OK;
}
