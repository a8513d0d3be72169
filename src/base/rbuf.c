/* base/rbuf.c - reference-counted bytes, see rbuf.h.
 *
 * Invariant: refs >= 1 while anybody can reach the buffer; contents are written only while refs
 * == 1. Sizes come from frames, so only the failing allocator is used. Thread: any; the count is
 * atomic. */
#include "base/rbuf.h"

#include <stdatomic.h>

#include "base/base.h"
#include "base/mem.h"

struct rbuf *rbuf_new(size_t cap)
{
    if (cap > PTRDIFF_MAX - sizeof(struct rbuf))
        return NULL;
    struct rbuf *b = try_alloc(sizeof *b + cap);
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->n = 0;
    b->cap = cap;
    return b;
}

enum err rbuf_grow(struct rbuf **b, size_t cap)
{
    struct rbuf *old = *b;
    invariant(atomic_load_explicit(&old->refs, memory_order_relaxed) == 1);
    if (cap <= old->cap)
        return E_OK;
    if (cap > PTRDIFF_MAX - sizeof *old)
        return E_TOO_LARGE;
    struct rbuf *bigger = try_realloc(old, sizeof *old + cap);
    if (!bigger)
        return E_NOMEM;
    bigger->cap = cap;
    *b = bigger;
    return E_OK;
}

struct rbuf *rbuf_ref(struct rbuf *b)
{
    /* Relaxed: whoever calls this holds a reference, so the object cannot go away meanwhile. */
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void rbuf_unref(struct rbuf *b)
{
    /* Release: our reads come before the free of whoever is last; acquire: his free after them. */
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        mem_free(b);
}
