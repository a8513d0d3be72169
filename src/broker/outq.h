/* broker/outq.h - what a connection still has to send: bytes in memory and ranges of files, in
 * order.
 *
 * Replies of a long-poll fetch leave as a header in memory and segment file ranges; the queue
 * writes the memory parts together with sendmsg (MSG_MORE when a file range follows) and file
 * ranges with sendfile. Owner: the connection's loop. */
#ifndef WEIR_BROKER_OUTQ_H
#define WEIR_BROKER_OUTQ_H

#include "base/base.h"
#include "base/err.h"

struct outq_piece {
    const char *p; /* memory; NULL for a file range */
    size_t n;      /* bytes left */
    int fd;        /* file range; borrowed, kept open by owner */
    int64_t at;
    void (*release)(void *owner);
    void *owner;
};
struct outq {
    struct outq_piece *v; /* ring */
    uint32_t head, count, cap;
    size_t bytes;     /* left in all pieces */
    size_t mem_bytes; /* of these, in memory */
};

void outq_init(struct outq *q);
/* Releases what is queued, and the ring. */
void outq_release(struct outq *q);
/* Both take over: release(owner) is called once the piece is sent or dropped. n may be 0 (then at
 * once). release NULL: nothing to release. */
void outq_add_bytes(struct outq *q, const void *p, size_t n, void (*release)(void *), void *owner);
void outq_add_file(struct outq *q, int fd, int64_t at, size_t n, void (*release)(void *),
                   void *owner);
/* Sends as much as the socket takes. E_OK: the queue is empty. E_AGAIN: wait for the socket. E_IO:
 * the connection is broken (or a file range could not be read: *file_failed). *sent: bytes. */
enum err outq_flush(struct outq *q, int sock, size_t *sent, bool *file_failed) MUST_CHECK;

/* For transports that need the bytes in memory: copies up to cap bytes from the head into buf (file
 * ranges are read; *file_failed as above, then 0), and takes n sent bytes off the head. */
size_t outq_copy(struct outq *q, char *buf, size_t cap, bool *file_failed) MUST_CHECK;
void outq_advance(struct outq *q, size_t n);

#endif
