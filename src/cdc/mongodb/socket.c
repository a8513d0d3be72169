/* cdc/mongodb/socket.c - see socket.h. Every wait is cut into slices, between which the stop flag is
 * looked at. */
#include "cdc/mongodb/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define SLICE_MS 100
#define STREAM_TYPE 77 /* any that is none of the driver's */

struct socket_stream {
    mongoc_stream_t stream; /* first: the driver holds its address */
    int fd;                 /* -1: closed */
    struct mongo_socket_options *o;
    bool timed_out;
};

static struct socket_stream *of(mongoc_stream_t *s)
{
    return (struct socket_stream *)s;
}

static bool stopping(struct mongo_socket_options *o)
{
    const atomic_bool *stop = o->stop;
    if (!stop || !atomic_load_explicit(stop, memory_order_acquire))
        return false;
    atomic_store_explicit(&o->stopped, true, memory_order_relaxed);
    return true;
}

/* Waits for events until the deadline (< 0: for ever). E_OK, E_TIMEOUT, E_CANCELLED, E_IO with errno. */
static enum err wait_for(int fd, short events, struct mongo_socket_options *o, int64_t deadline)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = deadline < 0 ? SLICE_MS : deadline - clock_mono_ms();
        if (stopping(o)) {
            errno = ECANCELED;
            return E_CANCELLED;
        }
        int n = poll(&p, 1, (int)MAX(MIN(left, SLICE_MS), 0));
        if (n > 0)
            return E_OK;
        if (n < 0 && errno != EINTR)
            return E_IO;
        if (deadline >= 0 && left <= 0) {
            errno = ETIMEDOUT;
            return E_TIMEOUT;
        }
    }
}

static int64_t deadline_of(int32_t timeout_ms)
{
    return timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;
}

/* --- the driver's table of functions ------------------------------------------------------------ */

static int stream_close(mongoc_stream_t *s)
{
    struct socket_stream *x = of(s);
    if (x->fd >= 0)
        close(x->fd);
    x->fd = -1;
    return 0;
}

static void stream_destroy(mongoc_stream_t *s)
{
    stream_close(s);
    mem_free(s);
}

static int stream_flush(mongoc_stream_t *s)
{
    (void)s;
    return 0;
}

static bool again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* Bytes done of the vectors are taken off; false when nothing is left. */
static bool advance(mongoc_iovec_t **iov, size_t *count, size_t n)
{
    while (*count && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        (*count)--;
    }
    if (*count) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
    return *count > 0;
}

static ssize_t stream_writev(mongoc_stream_t *s, mongoc_iovec_t *iov, size_t count,
                             int32_t timeout_ms)
{
    struct socket_stream *x = of(s);
    int64_t deadline = deadline_of(timeout_ms);
    ssize_t all = 0;
    x->timed_out = false;
    while (count) {
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};
        ssize_t n = sendmsg(x->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && !again())
            return -1;
        if (n < 0) {
            enum err rc = wait_for(x->fd, POLLOUT, x->o, deadline);
            x->timed_out = rc == E_TIMEOUT;
            if (rc)
                return -1;
            continue;
        }
        all += n;
        if (!advance(&iov, &count, (size_t)n))
            break;
    }
    return all;
}

static ssize_t stream_readv(mongoc_stream_t *s, mongoc_iovec_t *iov, size_t count, size_t min_bytes,
                            int32_t timeout_ms)
{
    struct socket_stream *x = of(s);
    int64_t deadline = deadline_of(timeout_ms);
    ssize_t all = 0;
    x->timed_out = false;
    while (count) {
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = count};
        ssize_t n = recvmsg(x->fd, &m, MSG_DONTWAIT);
        if (n < 0 && again()) {
            enum err rc = wait_for(x->fd, POLLIN, x->o, deadline);
            x->timed_out = rc == E_TIMEOUT;
            if (rc)
                return -1;
            continue;
        }
        if (n <= 0) {
            if (n == 0)
                errno = ECONNRESET; /* closed by the other side */
            return -1;
        }
        all += n;
        if ((size_t)all >= min_bytes || !advance(&iov, &count, (size_t)n))
            break;
    }
    return all;
}

static int stream_setsockopt(mongoc_stream_t *s, int level, int name, void *value,
                             mongoc_socklen_t n)
{
    return setsockopt(of(s)->fd, level, name, value, n);
}

static bool stream_check_closed(mongoc_stream_t *s)
{
    char byte;
    ssize_t n = recv(of(s)->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && !again());
}

static ssize_t stream_poll(mongoc_stream_poll_t *streams, size_t count, int32_t timeout_ms)
{
    enum { MAX_STREAMS = 64 };
    struct pollfd p[MAX_STREAMS];
    count = MIN(count, (size_t)MAX_STREAMS);
    for (size_t i = 0; i < count; i++)
        p[i] = (struct pollfd){.fd = of(streams[i].stream)->fd, .events = (short)streams[i].events};
    int n = poll(p, count, timeout_ms);
    for (size_t i = 0; n > 0 && i < count; i++)
        streams[i].revents = p[i].revents;
    return n;
}

static bool stream_timed_out(mongoc_stream_t *s)
{
    return of(s)->timed_out;
}

static bool stream_should_retry(mongoc_stream_t *s)
{
    (void)s;
    return again();
}

static mongoc_stream_t *stream_new(int fd, struct mongo_socket_options *o)
{
    struct socket_stream *x = xcalloc(1, sizeof *x);
    x->fd = fd;
    x->o = o;
    x->stream = (mongoc_stream_t){
        .type = STREAM_TYPE,
        .destroy = stream_destroy,
        .failed = stream_destroy,
        .close = stream_close,
        .flush = stream_flush,
        .writev = stream_writev,
        .readv = stream_readv,
        .setsockopt = stream_setsockopt,
        .check_closed = stream_check_closed,
        .poll = stream_poll,
        .timed_out = stream_timed_out,
        .should_retry = stream_should_retry,
    };
    return &x->stream;
}

/* --- connecting --------------------------------------------------------------------------------- */

static int dial(const struct sockaddr *a, socklen_t n, struct mongo_socket_options *o,
                int64_t deadline)
{
    int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    if (fd < 0)
        return -1;
    if (a->sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    if (connect(fd, a, n) == 0)
        return fd;
    int fault = errno;
    if (fault == EINPROGRESS) {
        socklen_t size = sizeof fault;
        if (wait_for(fd, POLLOUT, o, deadline))
            fault = errno;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &size))
            fault = errno;
    }
    if (fault == 0)
        return fd;
    close(fd);
    errno = fault;
    return -1;
}

static int dial_unix(const char *path, struct mongo_socket_options *o, int64_t deadline)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path));
    return dial((const struct sockaddr *)&a, sizeof a, o, deadline);
}

static int dial_host(const mongoc_host_list_t *host, struct mongo_socket_options *o,
                     int64_t deadline, bson_error_t *be)
{
    struct addrinfo hints = {.ai_family = host->family, .ai_socktype = SOCK_STREAM}, *list, *a;
    char port[8];
    int fd = -1;
    snprintf(port, sizeof port, "%u", host->port);
    int rc = getaddrinfo(host->host, port, &hints, &list);
    if (rc) {
        libbson.set_error(be, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_NAME_RESOLUTION,
                          "Failed to resolve %s: %s", host->host, gai_strerror(rc));
        return -1;
    }
    for (a = list; a && fd < 0 && !stopping(o); a = a->ai_next)
        fd = dial(a->ai_addr, a->ai_addrlen, o, deadline);
    int fault = errno;
    freeaddrinfo(list);
    errno = fault;
    return fd;
}

/* Takes the stream over; on failure it is destroyed. */
static mongoc_stream_t *encrypt(mongoc_stream_t *s, struct mongo_socket_options *o,
                                const char *host, bson_error_t *be)
{
    mongoc_stream_t *tls = libmongoc.stream_tls_new_with_hostname(s, host, o->tls, 1);
    if (!tls) {
        libmongoc.stream_destroy(s);
        libbson.set_error(be, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET,
                          "Failed to initialize TLS state.");
        return NULL;
    }
    if (libmongoc.stream_tls_handshake_block(tls, host, o->connect_timeout_ms, be))
        return tls;
    libmongoc.stream_destroy(tls);
    return NULL;
}

mongoc_stream_t *mongo_socket_open(const mongoc_uri_t *uri, const mongoc_host_list_t *host,
                                   void *ctx, bson_error_t *be)
{
    enum { BUFFER = 1024 };
    struct mongo_socket_options *o = ctx;
    int64_t deadline = o->connect_timeout_ms > 0 ? clock_mono_ms() + o->connect_timeout_ms : -1;
    (void)uri;
    *be = (bson_error_t){0};
    errno = ECANCELED;
    int fd = stopping(o)               ? -1
             : host->family == AF_UNIX ? dial_unix(host->host, o, deadline)
                                       : dial_host(host, o, deadline, be);
    if (fd < 0 && !be->code)
        libbson.set_error(be, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_CONNECT,
                          "Failed to connect to %s: %s", host->host_and_port, strerror(errno));
    if (fd < 0)
        return NULL;
    mongoc_stream_t *s = stream_new(fd, o);
    if (o->tls)
        s = encrypt(s, o, host->host, be);
    return s ? libmongoc.stream_buffered_new(s, BUFFER) : NULL;
}
