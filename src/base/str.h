/* base/str.h - borrowed text (struct slice) and growing text (struct strbuf). Thread: the owner's.
 */
#ifndef WEIR_BASE_STR_H
#define WEIR_BASE_STR_H

#include <stdarg.h>

#include "base/base.h"
#include "base/err.h"

/* Borrowed bytes; not NUL-terminated. p == NULL is the null string (Kafka's null, a tombstone),
 * which is not the empty one. */
struct slice {
    const char *p;
    size_t n;
};

#define SL(lit) ((struct slice){"" lit, sizeof(lit) - 1})
#define SL_INIT(lit)                                                                               \
    {                                                                                              \
        "" lit, sizeof(lit) - 1                                                                    \
    }
#define SLICE_NULL ((struct slice){NULL, 0})
#define PRI_SL "%.*s"
#define ARG_SL(s) (int)(s).n, ((s).p ? (s).p : "")

static inline struct slice slice_of(const void *p, size_t n)
{
    return (struct slice){(const char *)p, n};
}
static inline struct slice slice_cstr(const char *s) /* NULL gives the null slice */
{
    return s ? (struct slice){s, strlen(s)} : SLICE_NULL;
}
static inline bool slice_is_null(struct slice s)
{
    return s.p == NULL;
}
static inline bool slice_eq(struct slice a, struct slice b) /* null equals only null */
{
    return a.n == b.n && (a.p == NULL) == (b.p == NULL) && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool slice_eq_c(struct slice a, const char *s)
{
    return slice_eq(a, slice_cstr(s));
}
bool slice_ieq(struct slice a, struct slice b); /* ASCII case ignored */
/* Whether a text fits a pattern in which * stands for anything, ASCII case ignored. At most one step
 * for each pair of characters, whatever the two are. */
bool slice_ifits(struct slice text, struct slice pattern);
int slice_cmp(struct slice a, struct slice b); /* bytes, then length; null first */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
bool slice_istarts(struct slice s, struct slice prefix);
/* Position of the first match, or -1. */
ptrdiff_t slice_find(struct slice s, struct slice what);
ptrdiff_t slice_find_char(struct slice s, char c);
ptrdiff_t slice_rfind_char(struct slice s, char c);
/* s[from, to), clamped to s. */
struct slice slice_sub(struct slice s, size_t from, size_t to);
struct slice slice_trim(struct slice s); /* Java's String.trim: bytes <= ' ' at both ends */
/* Cuts *rest at the next sep: *part is what stood before it. False when *rest was null (the end);
 * after the last part *rest becomes null. "a,,b" gives "a" "" "b"; "" gives one empty part. */
bool slice_split(struct slice *rest, char sep, struct slice *part);
/* Whole slice as a number, no blanks. E_INVALID when it is not one, E_TOO_LARGE out of range. */
enum err slice_to_i64(struct slice s, int64_t *out) MUST_CHECK;
enum err slice_to_u64(struct slice s, uint64_t *out) MUST_CHECK;
enum err slice_to_double(struct slice s, double *out) MUST_CHECK;
/* NUL-terminated copy; caller releases with mem_free. NULL for the null slice. Aborts on no memory:
 * only for text whose length has been checked. */
char *slice_dup(struct slice s);
bool slice_is_utf8(struct slice s); /* strictly: no surrogates, no overlong forms */

/* Growing bytes with a ceiling, always NUL-terminated, p never NULL. A failed append (ceiling or no
 * memory) makes the buffer sticky-failed: later appends do nothing and strbuf_err tells, so that a
 * long chain of appends is checked once at its end. */
struct strbuf {
    char *p;
    size_t n;
    size_t cap;
    size_t max; /* ceiling in bytes, without the NUL */
    enum err failed;
};

#define STRBUF_MAX_DEFAULT ((size_t)256 << 20)
extern char strbuf_empty[1];
#define STRBUF_INIT                                                                                \
    {                                                                                              \
        strbuf_empty, 0, 0, STRBUF_MAX_DEFAULT, E_OK                                               \
    }

void strbuf_init(struct strbuf *b, size_t max); /* max 0 = STRBUF_MAX_DEFAULT */
void strbuf_release(struct strbuf *b);          /* frees; the buffer may be used again */
void strbuf_reset(struct strbuf *b);            /* n = 0, failure forgotten, memory kept */
enum err strbuf_err(const struct strbuf *b);
/* Detaches the bytes (NUL-terminated, mem_free); the buffer is empty afterwards. */
char *strbuf_steal(struct strbuf *b, size_t *n);
enum err strbuf_reserve(struct strbuf *b, size_t more); /* room for `more` bytes without moving */
void strbuf_add_slow(struct strbuf *b, const void *p, size_t n); /* the part that may grow */
static inline void strbuf_add(struct strbuf *b, const void *p, size_t n)
{
    if (UNLIKELY(n - 1 >= b->cap - b->n || b->failed)) { /* n = 0 goes there too */
        strbuf_add_slow(b, p, n);
        return;
    }
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}
static inline void strbuf_add_slice(struct strbuf *b, struct slice s)
{
    strbuf_add(b, s.p, s.n);
}
static inline void strbuf_addc(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}
static inline void strbuf_adds(struct strbuf *b, const char *s)
{
    strbuf_add(b, s, strlen(s));
}
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
void strbuf_add_i64(struct strbuf *b, int64_t v); /* faster than addf */
void strbuf_add_u64(struct strbuf *b, uint64_t v);
/* Valid UTF-8 out of anything: each broken sequence becomes one U+FFFD, as Java decodes. */
void strbuf_add_utf8(struct strbuf *b, struct slice s);
static inline struct slice strbuf_slice(const struct strbuf *b)
{
    return (struct slice){b->p, b->n};
}

#endif
