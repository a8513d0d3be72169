/* base/base.h - what every translation unit includes first: feature macros, attributes, small
 * helpers, and the list of C library functions that this tree does not use. */
#ifndef WEIR_BASE_BASE_H
#define WEIR_BASE_BASE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Checks a rule on which stored data depends. Stays on in release builds: says which rule broke and
 * aborts before anything wrong is written. Never for input from outside. */
#define invariant(cond)                                                                            \
    do {                                                                                           \
        if (UNLIKELY(!(cond)))                                                                     \
            invariant_failed(#cond, __FILE__, __LINE__);                                           \
    } while (0)
NORETURN void invariant_failed(const char *cond, const char *file, int line);

/* Functions that overflow, or that share a static buffer between threads. */
#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strtok
#undef gmtime
#undef localtime
#undef ctime
#define strcpy(a, b) use_slice_or_strbuf_instead_of_strcpy(a, b)
#define strcat(a, b) use_strbuf_instead_of_strcat(a, b)
#define sprintf(...) use_snprintf_or_strbuf_instead_of_sprintf(__VA_ARGS__)
#define vsprintf(...) use_vsnprintf_or_strbuf_instead_of_vsprintf(__VA_ARGS__)
#define strtok(a, b) use_slice_split_instead_of_strtok(a, b)
#define gmtime(t) use_gmtime_r(t)
#define localtime(t) use_localtime_r(t)
#define ctime(t) use_ctime_r(t)

#endif
