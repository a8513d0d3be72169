/* base/mem.h - allocation. Thread: any.
 *
 * xmalloc family: for small sizes that weir itself chooses; never returns NULL (prints and aborts).
 * try_alloc family: for every size that comes from a frame, file, row or JSON text; returns NULL
 * and can be made to fail by tests. Blocks of both are released with mem_free. */
#ifndef WEIR_BASE_MEM_H
#define WEIR_BASE_MEM_H

#include "base/base.h"

void *xmalloc(size_t n) __attribute__((malloc, returns_nonnull, alloc_size(1)));
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull, alloc_size(1, 2)));
/* Zeroed, for types that ask for more than malloc gives (bson_t: 128); size is a multiple of
 * align. */
void *xcalloc_aligned(size_t align, size_t size)
    __attribute__((malloc, returns_nonnull, alloc_align(1), alloc_size(2)));
void *xrealloc(void *p, size_t n) __attribute__((returns_nonnull, alloc_size(2)));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xstrndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

void *try_alloc(size_t n) MUST_CHECK;
void *try_calloc(size_t count, size_t size) MUST_CHECK; /* count * size is checked for overflow */
void *try_realloc(void *p, size_t n) MUST_CHECK;        /* on failure p is still valid */
void mem_free(void *p);

/* Overwrites secrets in a way that the compiler keeps. */
void mem_wipe(void *p, size_t n);

/* Tests: the n-th try_alloc from now fails (1 = the next), then all go through again; 0 = off.
 * Per thread. mem_fail_hit tells whether the fault has happened. */
void mem_fail_at(int64_t n);
bool mem_fail_hit(void);

#endif
