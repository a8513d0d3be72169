/* broker/outq.c - the output queue of a connection: a ring of pieces.
 *
 * A round gathers the memory pieces at the head into one sendmsg; a file range goes out with
 * sendfile. Corking is by MSG_MORE alone: the sockets have TCP_NODELAY, so the last part of a reply
 * leaves at once. The ring is released when it runs empty: idle connections hold no memory here. */
#include "broker/outq.h"

#include "base/base.h"
#include "base/mem.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define OUTQ_IOV 16
#define OUTQ_SENDFILE_MAX ((size_t)1 << 20) /* a call; others of the loop get their turn */

void outq_init(struct outq *q)
{
    *q = (struct outq){0};
}

static struct outq_piece *piece(struct outq *q, uint32_t i)
{
    return &q->v[(q->head + i) & (q->cap - 1)];
}

static void pop(struct outq *q)
{
    struct outq_piece *k = piece(q, 0);
    q->bytes -= k->n;
    if (k->p)
        q->mem_bytes -= k->n;
    if (k->release)
        k->release(k->owner);
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
}

void outq_release(struct outq *q)
{
    while (q->count)
        pop(q);
    mem_free(q->v);
    outq_init(q);
}

static void push(struct outq *q, const struct outq_piece *k)
{
    if (k->n == 0) {
        if (k->release)
            k->release(k->owner);
        return;
    }
    if (q->count == q->cap) {
        uint32_t cap = q->cap ? q->cap * 2 : 8;
        struct outq_piece *v = xmalloc(cap * sizeof *v);
        for (uint32_t i = 0; i < q->count; i++)
            v[i] = *piece(q, i);
        mem_free(q->v);
        q->v = v;
        q->cap = cap;
        q->head = 0;
    }
    q->count++;
    *piece(q, q->count - 1) = *k;
    q->bytes += k->n;
    if (k->p)
        q->mem_bytes += k->n;
}

void outq_add_bytes(struct outq *q, const void *p, size_t n, void (*release)(void *), void *owner)
{
    push(q, &(struct outq_piece){.p = p, .n = n, .fd = -1, .release = release, .owner = owner});
}

void outq_add_file(struct outq *q, int fd, int64_t at, size_t n, void (*release)(void *),
                   void *owner)
{
    push(q, &(struct outq_piece){.n = n, .fd = fd, .at = at, .release = release, .owner = owner});
}

static void advance_memory(struct outq *q, size_t n)
{
    while (n) {
        struct outq_piece *k = piece(q, 0);
        if (n >= k->n) {
            n -= k->n;
            pop(q);
            continue;
        }
        k->p += n;
        k->n -= n;
        q->bytes -= n;
        q->mem_bytes -= n;
        return;
    }
}

/* One sendmsg of the memory pieces at the head. Returns bytes or -1 with errno. */
static ssize_t send_memory(struct outq *q, int sock)
{
    struct iovec iov[OUTQ_IOV];
    uint32_t n = 0;
    while (n < OUTQ_IOV && n < q->count && piece(q, n)->p) {
        struct outq_piece *k = piece(q, n);
        /* sendmsg reads only; the iovec has no const form */
        iov[n++] = (struct iovec){.iov_base = (void *)(uintptr_t)k->p, .iov_len = k->n};
    }
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = n};
    ssize_t r = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT | (n < q->count ? MSG_MORE : 0));
    if (r > 0)
        advance_memory(q, (size_t)r);
    return r;
}

static ssize_t send_file(struct outq *q, int sock, bool *file_failed)
{
    struct outq_piece *k = piece(q, 0);
    off_t at = (off_t)k->at;
    ssize_t r = sendfile(sock, k->fd, &at, MIN(k->n, OUTQ_SENDFILE_MAX));
    if (r == 0 || (r < 0 && errno == EIO)) { /* the file ended before its range did */
        *file_failed = true;
        errno = EIO;
        return -1;
    }
    if (r < 0)
        return r;
    k->at += r;
    if ((size_t)r == k->n) {
        pop(q);
        return r;
    }
    k->n -= (size_t)r;
    q->bytes -= (size_t)r;
    return r;
}

size_t outq_copy(struct outq *q, char *buf, size_t cap, bool *file_failed)
{
    size_t have = 0;
    *file_failed = false;
    for (uint32_t i = 0; i < q->count && have < cap; i++) {
        const struct outq_piece *k = piece(q, i);
        size_t n = MIN(k->n, cap - have);
        if (k->p) {
            memcpy(buf + have, k->p, n);
            have += n;
            continue;
        }
        ssize_t r = pread(k->fd, buf + have, n, (off_t)k->at);
        if (r <= 0) { /* the file ended before its range did */
            *file_failed = true;
            return 0;
        }
        have += (size_t)r;
        if ((size_t)r < n)
            break;
    }
    return have;
}

void outq_advance(struct outq *q, size_t n)
{
    while (n) {
        struct outq_piece *k = piece(q, 0);
        size_t part = MIN(n, k->n);
        n -= part;
        if (part == k->n) {
            pop(q);
            continue;
        }
        if (k->p) {
            k->p += part;
            q->mem_bytes -= part;
        } else {
            k->at += (int64_t)part;
        }
        k->n -= part;
        q->bytes -= part;
    }
    if (q->count == 0) {
        mem_free(q->v);
        outq_init(q);
    }
}

enum err outq_flush(struct outq *q, int sock, size_t *sent, bool *file_failed)
{
    *sent = 0;
    *file_failed = false;
    while (q->count) {
        ssize_t r = piece(q, 0)->p ? send_memory(q, sock) : send_file(q, sock, file_failed);
        if (r < 0) {
            if (errno == EINTR)
                continue;
            return errno == EAGAIN || errno == EWOULDBLOCK ? E_AGAIN : E_IO;
        }
        *sent += (size_t)r;
    }
    mem_free(q->v);
    outq_init(q);
    return E_OK;
}
