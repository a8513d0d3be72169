/* base/arena.c - memory with one lifetime, see arena.h.
 *
 * Blocks form a list, newest first; each starts with a header of 16 bytes so that its room is
 * aligned to 16. Allocation moves `at` up in the newest block (the common case is inline in
 * arena.h). A request over a quarter of the block size gets a block of its own that is put behind
 * the newest one, so that the room left in the newest is not lost. arena_reset keeps the newest
 * plain block for reuse.
 *
 * Invariants: (1) at <= end, both NULL while there is no block; (2) used counts what was handed
 * out, rounded to 8, and is what the budget bounds; (3) cleanup records live in the arena itself
 * and run newest first, before any block goes. Thread: one at a time. */
#include "base/arena.h"

#include <stdarg.h>

#include "base/base.h"
#include "base/mem.h"

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define poison(p, n) __asan_poison_memory_region(p, n)
#define unpoison(p, n) __asan_unpoison_memory_region(p, n)
#else
#define poison(p, n) ((void)(p), (void)(n))
#define unpoison(p, n) ((void)(p), (void)(n))
#endif

struct arena_block {
    struct arena_block *next; /* older */
    size_t size;              /* bytes after this header */
};
_Static_assert(sizeof(struct arena_block) == 16, "room of a block is aligned to 16");

struct arena_cleanup {
    struct arena_cleanup *next; /* older */
    void (*fn)(void *arg);
    void *arg;
};

#define BLOCK_SIZE_DEFAULT ((size_t)16 << 10)

void arena_init(struct arena *a, size_t block_size, size_t budget)
{
    *a = (struct arena){.budget = budget,
                        .block_size = block_size ? MAX(block_size, 256) : BLOCK_SIZE_DEFAULT};
}

static char *block_room(struct arena_block *b)
{
    return (char *)(b + 1);
}

static void block_free(struct arena_block *b)
{
    unpoison(block_room(b), b->size);
    mem_free(b);
}

static void run_cleanups(struct arena *a)
{
    while (a->cleanups) { /* one may register another */
        struct arena_cleanup *c = a->cleanups;
        a->cleanups = c->next;
        c->fn(c->arg);
    }
}

void arena_release(struct arena *a)
{
    run_cleanups(a);
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        block_free(b);
    }
    a->blocks = NULL;
    a->at = a->end = NULL;
    a->used = 0;
}

void arena_reset(struct arena *a)
{
    run_cleanups(a);
    struct arena_block *keep = NULL;
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        if (!keep && b->size == a->block_size)
            keep = b;
        else
            block_free(b);
    }
    a->blocks = keep;
    a->at = a->end = NULL;
    if (keep) {
        keep->next = NULL;
        a->at = block_room(keep);
        a->end = a->at + keep->size;
        poison(a->at, keep->size);
    }
    a->used = 0;
}

static struct arena_block *block_new(size_t size, bool may_fail)
{
    size_t n = sizeof(struct arena_block) + size;
    struct arena_block *b = may_fail ? try_alloc(n) : xmalloc(n);
    if (!b)
        return NULL;
    b->size = size;
    poison(block_room(b), size);
    return b;
}

/* The newest block has no room for n bytes (rounded already): makes some. */
static __attribute__((noinline, cold)) void *alloc_slow(struct arena *a, size_t n, bool may_fail)
{
    if (n > a->block_size / 4) { /* a block of its own, behind the newest */
        struct arena_block *b = block_new(n, may_fail);
        if (!b)
            return NULL;
        if (a->blocks) {
            b->next = a->blocks->next;
            a->blocks->next = b;
        } else { /* it is the newest, and full */
            b->next = NULL;
            a->blocks = b;
            a->at = a->end = block_room(b) + n;
        }
        a->used += n;
        unpoison(block_room(b), n);
        return block_room(b);
    }
    struct arena_block *b = block_new(a->block_size, may_fail);
    if (!b)
        return NULL;
    b->next = a->blocks;
    a->blocks = b;
    a->at = block_room(b) + n;
    a->end = block_room(b) + a->block_size;
    a->used += n;
    unpoison(block_room(b), n);
    return block_room(b);
}

static ALWAYS_INLINE void *take(struct arena *a, size_t n, bool may_fail)
{
    size_t up = (n + 7) & ~(size_t)7;
    uintptr_t at = (uintptr_t)a->at;
    size_t pad = n >= 16 ? (16 - (at & 15)) & 15 : 0;
    if (LIKELY((size_t)(a->end - a->at) >= pad + up)) {
        char *p = a->at + pad;
        a->at = p + up;
        a->used += up + pad;
        unpoison(p, n);
        return p;
    }
    return alloc_slow(a, up, may_fail);
}

void *arena_try_alloc_slow(struct arena *a, size_t n)
{
    n = n ? n : 1;
    if (UNLIKELY(a->used > a->budget || n > a->budget - a->used || n > PTRDIFF_MAX - 64))
        return NULL;
    return take(a, n, true);
}

void *arena_try_calloc(struct arena *a, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n))
        return NULL;
    void *p = arena_try_alloc(a, n);
    return p ? memset(p, 0, n) : NULL;
}

void *arena_alloc(struct arena *a, size_t n)
{
    invariant(n <= PTRDIFF_MAX - 64);
    return take(a, n ? n : 1, false);
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    size_t n = 0;
    invariant(!__builtin_mul_overflow(count, size, &n));
    return memset(arena_alloc(a, n), 0, n);
}

struct slice arena_dup(struct arena *a, struct slice s)
{
    if (!s.p)
        return SLICE_NULL;
    char *p = s.n < PTRDIFF_MAX ? arena_try_alloc(a, s.n + 1) : NULL;
    if (!p)
        return slice_of(NULL, s.n ? s.n : 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return slice_of(p, s.n);
}

char *arena_strdup(struct arena *a, const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(arena_alloc(a, n), s, n);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    char local[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(local, sizeof local, fmt, ap);
    va_end(ap);
    invariant(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    if ((size_t)n < sizeof local)
        return memcpy(p, local, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}

void arena_on_release(struct arena *a, void (*fn)(void *arg), void *arg)
{
    struct arena_cleanup *c = arena_alloc(a, sizeof *c);
    *c = (struct arena_cleanup){a->cleanups, fn, arg};
    a->cleanups = c;
}
