/* base/mem.c - allocation: the family that aborts, and the family that can fail.
 *
 * xmalloc and its kin are for small sizes that weir itself chooses; there is no sensible way to go
 * on without them. try_alloc and its kin are for every size that came from outside. Only the second
 * family takes part in the fault loops of the tests: a per-thread countdown lets the n-th call
 * fail. Sizes over PTRDIFF_MAX are refused without asking the C library. Thread: any. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

static _Thread_local int64_t fail_in; /* calls until the fault; 0 = off */
static _Thread_local bool fail_happened;

static NORETURN void no_memory(size_t n)
{
    char text[100];
    int len = snprintf(text, sizeof text, "weir: out of memory (%zu bytes wanted)\n", n);
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
        abort();
    abort();
}

static bool fault_now(void)
{
    if (LIKELY(fail_in == 0))
        return false;
    if (--fail_in > 0)
        return false;
    fail_happened = true;
    return true;
}

void mem_fail_at(int64_t n)
{
    fail_in = n > 0 ? n : 0;
    fail_happened = false;
}

bool mem_fail_hit(void)
{
    return fail_happened;
}

void *xmalloc(size_t n)
{
    void *p = n <= PTRDIFF_MAX ? malloc(n ? n : 1) : NULL;
    if (UNLIKELY(!p))
        no_memory(n);
    return p;
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (UNLIKELY(!p))
        no_memory(count);
    return p;
}

void *xcalloc_aligned(size_t align, size_t size)
{
    void *p = size <= PTRDIFF_MAX ? aligned_alloc(align, size) : NULL;
    if (UNLIKELY(!p))
        no_memory(size);
    return memset(p, 0, size);
}

void *xrealloc(void *p, size_t n)
{
    void *q = n <= PTRDIFF_MAX ? realloc(p, n ? n : 1) : NULL;
    if (UNLIKELY(!q))
        no_memory(n);
    return q;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xstrndup(const char *s, size_t n)
{
    n = strnlen(s, n);
    char *p = xmalloc(n + 1);
    memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *xasprintf(const char *fmt, ...)
{
    char *p = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&p, fmt, ap);
    va_end(ap);
    if (UNLIKELY(n < 0))
        no_memory(0);
    return p;
}

void *try_alloc(size_t n)
{
    if (UNLIKELY(fault_now() || n > PTRDIFF_MAX))
        return NULL;
    return malloc(n ? n : 1);
}

void *try_calloc(size_t count, size_t size)
{
    size_t n;
    if (UNLIKELY(fault_now() || __builtin_mul_overflow(count, size, &n) || n > PTRDIFF_MAX))
        return NULL;
    return n ? calloc(count, size) : calloc(1, 1);
}

void *try_realloc(void *p, size_t n)
{
    if (UNLIKELY(fault_now() || n > PTRDIFF_MAX))
        return NULL;
    return realloc(p, n ? n : 1);
}

void mem_free(void *p)
{
    free(p);
}

void mem_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}
