/* base/arena.h - memory with one lifetime: a request, a poll batch, a task.
 *
 * Blocks are never released singly; arena_reset or arena_release gives back all. A budget bounds
 * what outside input can make it allocate: over it, arena_try_alloc returns NULL. Cleanups (close a
 * file, drop a reference) run newest first at reset and release. Thread: one at a time. */
#ifndef WEIR_BASE_ARENA_H
#define WEIR_BASE_ARENA_H

#include "base/base.h"
#include "base/str.h"

struct arena_block;
struct arena_cleanup;
struct arena {
    char *at, *end;             /* free room in the newest block */
    struct arena_block *blocks; /* newest first */
    struct arena_cleanup *cleanups;
    size_t used, budget; /* bytes handed out; ceiling for arena_try_alloc */
    size_t block_size;
};

#define ARENA_NO_BUDGET SIZE_MAX
/* Under AddressSanitizer each allocation is marked, so that overruns are seen: not inline then. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif

void arena_init(struct arena *a, size_t block_size, size_t budget); /* block_size 0 = 16 KiB */
void arena_release(struct arena *a);
void arena_reset(struct arena *a); /* keeps one block for reuse; used = 0 */

/* 8-byte aligned (16 for n >= 16), uninitialised. NULL over the budget or without memory. */
void *arena_try_alloc_slow(struct arena *a, size_t n) MUST_CHECK;
static inline MUST_CHECK void *arena_try_alloc(struct arena *a, size_t n)
{
#ifndef ARENA_POISON
    size_t up = ((n + 7) & ~(size_t)7) + (n >= 16 ? -(uintptr_t)a->at & 15 : 0);
    if (LIKELY(n - 1 < 65536 && up <= (size_t)(a->end - a->at) && a->used + up <= a->budget)) {
        char *p = a->at + (n >= 16 ? -(uintptr_t)a->at & 15 : 0);
        a->at += up;
        a->used += up;
        return p;
    }
#endif
    return arena_try_alloc_slow(a, n);
}
void *arena_try_calloc(struct arena *a, size_t count, size_t size) MUST_CHECK;
/* The same for sizes weir chooses: aborts on no memory, does not look at the budget. */
void *arena_alloc(struct arena *a, size_t n) __attribute__((returns_nonnull));
void *arena_calloc(struct arena *a, size_t count, size_t size) __attribute__((returns_nonnull));
/* Copies; the copy is NUL-terminated too. Null gives null. p == NULL with n != 0: no memory. */
struct slice arena_dup(struct arena *a, struct slice s);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
void arena_on_release(struct arena *a, void (*fn)(void *arg), void *arg);

#endif
