/* base/rbuf.h - reference-counted bytes: a received frame that the append, the reply and a waiting
 * fetch may hold at once. The count is atomic; the contents are written only before sharing. */
#ifndef WEIR_BASE_RBUF_H
#define WEIR_BASE_RBUF_H

#include "base/base.h"
#include "base/err.h"

struct rbuf {
    _Atomic int refs;
    size_t n; /* bytes in use */
    size_t cap;
    char p[];
};

struct rbuf *rbuf_new(size_t cap) MUST_CHECK; /* NULL without memory; one reference */
/* Grows an unshared buffer; may move it. On failure *b is unchanged. */
enum err rbuf_grow(struct rbuf **b, size_t cap) MUST_CHECK;
struct rbuf *rbuf_ref(struct rbuf *b);
void rbuf_unref(struct rbuf *b); /* NULL allowed */

#endif
