/* base/str.c - borrowed text and growing text, see str.h.
 *
 * strbuf: p always points to n bytes and a NUL. Before the first growth p is the shared empty
 * string, which is never written to: every path that writes goes through `room` (or its inline form
 * in str.h), which sees to cap > n first. cap counts the allocation without the NUL. Growth is by
 * half, or by what one append needs and an eighth, bounded by max.
 * Thread: the owner's. */
#include "base/str.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/base.h"
#include "base/mem.h"

char strbuf_empty[1] = "";

/* --- slices ---------------------------------------------------------------------------------- */

static ALWAYS_INLINE unsigned char lower(char c)
{
    unsigned char u = (unsigned char)c;
    return u >= 'A' && u <= 'Z' ? u | 0x20 : u;
}

static bool ieq_bytes(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lower(a[i]) != lower(b[i]))
            return false;
    return true;
}

bool slice_ieq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.p == NULL) == (b.p == NULL) && ieq_bytes(a.p, b.p, a.n);
}

/* Only the last * seen needs another try: what those before it stand for may as well be the least. */
bool slice_ifits(struct slice text, struct slice pattern)
{
    size_t t = 0, p = 0, after_star = 0, from = 0;
    bool star = false;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = true;
            after_star = ++p;
            from = t;
        } else if (p < pattern.n && ieq_bytes(&text.p[t], &pattern.p[p], 1)) {
            t++;
            p++;
        } else if (star) {
            p = after_star;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

int slice_cmp(struct slice a, struct slice b)
{
    if (!a.p || !b.p)
        return (a.p != NULL) - (b.p != NULL);
    size_t n = MIN(a.n, b.n);
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

bool slice_istarts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && ieq_bytes(s.p, prefix.p, prefix.n);
}

ptrdiff_t slice_find(struct slice s, struct slice what)
{
    if (what.n == 0)
        return s.p ? 0 : -1;
    if (what.n > s.n)
        return -1;
    const char *at = memmem(s.p, s.n, what.p, what.n);
    return at ? at - s.p : -1;
}

ptrdiff_t slice_find_char(struct slice s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t slice_rfind_char(struct slice s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;
    return at ? at - s.p : -1;
}

struct slice slice_sub(struct slice s, size_t from, size_t to)
{
    if (!s.p)
        return s;
    to = MIN(to, s.n);
    from = MIN(from, to);
    return slice_of(s.p + from, to - from);
}

struct slice slice_trim(struct slice s)
{
    while (s.n && (unsigned char)s.p[0] <= ' ')
        s.p++, s.n--;
    while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
        s.n--;
    return s;
}

bool slice_split(struct slice *rest, char sep, struct slice *part)
{
    if (!rest->p)
        return false;
    ptrdiff_t at = slice_find_char(*rest, sep);
    if (at < 0) {
        *part = *rest;
        *rest = SLICE_NULL;
        return true;
    }
    *part = slice_of(rest->p, (size_t)at);
    *rest = slice_of(rest->p + at + 1, rest->n - (size_t)at - 1);
    return true;
}

enum err slice_to_u64(struct slice s, uint64_t *out)
{
    size_t i = s.n > 1 && s.p[0] == '+';
    if (i == s.n)
        return E_INVALID;
    uint64_t v = 0;
    bool over = false;
    for (; i < s.n; i++) {
        unsigned digit = (unsigned char)s.p[i] - '0';
        if (digit > 9)
            return E_INVALID;
        over |= __builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v);
    }
    if (over)
        return E_TOO_LARGE;
    *out = v;
    return E_OK;
}

enum err slice_to_i64(struct slice s, int64_t *out)
{
    bool minus = s.n && s.p[0] == '-';
    if (minus) {
        s = slice_sub(s, 1, s.n);
        if (s.n && s.p[0] == '+')
            return E_INVALID;
    }
    uint64_t v;
    enum err r = slice_to_u64(s, &v);
    if (r)
        return r;
    if (v > (uint64_t)INT64_MAX + minus)
        return E_TOO_LARGE;
    *out = (int64_t)(minus ? 0 - v : v);
    return E_OK;
}

/* [+-] digits [. digits] [e [+-] digits], and nothing that only strtod knows (hex, inf, blanks). */
static bool looks_like_number(struct slice s)
{
    size_t i = s.n && (s.p[0] == '+' || s.p[0] == '-');
    size_t digits = 0;
    for (; i < s.n && (unsigned char)(s.p[i] - '0') < 10; i++)
        digits++;
    if (i < s.n && s.p[i] == '.')
        for (i++; i < s.n && (unsigned char)(s.p[i] - '0') < 10; i++)
            digits++;
    if (digits == 0)
        return false;
    if (i == s.n)
        return true;
    if ((s.p[i] | 0x20) != 'e')
        return false;
    i++;
    if (i < s.n && (s.p[i] == '+' || s.p[i] == '-'))
        i++;
    size_t from = i;
    while (i < s.n && (unsigned char)(s.p[i] - '0') < 10)
        i++;
    return i == s.n && i > from;
}

/* strtod of the C locale, whatever setlocale was given. */
static double parse_double(const char *text)
{
    static locale_t c_locale; /* made once by whoever comes first; equal for all */
    locale_t l = __atomic_load_n(&c_locale, __ATOMIC_ACQUIRE);
    if (!l) {
        locale_t fresh = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        if (!fresh)
            return strtod(text, NULL);
        if (__atomic_compare_exchange_n(&c_locale, &l, fresh, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE))
            l = fresh;
        else
            freelocale(fresh);
    }
    return strtod_l(text, NULL, l);
}

enum err slice_to_double(struct slice s, double *out)
{
    if (!looks_like_number(s))
        return E_INVALID;
    char local[64];
    char *text = s.n < sizeof local ? local : try_alloc(s.n + 1);
    if (!text)
        return E_NOMEM;
    memcpy(text, s.p, s.n);
    text[s.n] = 0;
    double v = parse_double(text);
    if (text != local)
        mem_free(text);
    if (isinf(v))
        return E_TOO_LARGE;
    *out = v;
    return E_OK;
}

char *slice_dup(struct slice s)
{
    if (!s.p)
        return NULL;
    char *p = xmalloc(s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

/* Length of the valid UTF-8 character at p (n bytes left), 0 when it is none: no overlong forms, no
 * surrogates, nothing above U+10FFFF. Then *broken is how many bytes began one, at least 1. */
static size_t utf8_char(const unsigned char *p, size_t n, size_t *broken)
{
    unsigned char c = p[0];
    *broken = 1;
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t len = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    unsigned char low = 0x80, high = 0xbf;
    if (c == 0xe0)
        low = 0xa0;
    else if (c == 0xed)
        high = 0x9f;
    else if (c == 0xf0)
        low = 0x90;
    else if (c == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < len; i++, low = 0x80, high = 0xbf) {
        if (i == n || p[i] < low || p[i] > high)
            return 0;
        *broken = i + 1;
    }
    return len;
}

/* Length of the valid beginning of s; *broken: of the bad sequence behind it, if any. */
static size_t utf8_run(struct slice s, size_t *broken)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    while (i < s.n) {
        uint64_t word;
        if (s.n - i >= 8 && (memcpy(&word, p + i, 8), !(word & 0x8080808080808080u))) {
            i += 8;
            continue;
        }
        size_t len = utf8_char(p + i, s.n - i, broken);
        if (!len)
            return i;
        i += len;
    }
    return i;
}

bool slice_is_utf8(struct slice s)
{
    size_t broken;
    return utf8_run(s, &broken) == s.n;
}

/* --- strbuf ---------------------------------------------------------------------------------- */

void strbuf_init(struct strbuf *b, size_t max)
{
    *b = (struct strbuf){strbuf_empty, 0, 0, max ? max : STRBUF_MAX_DEFAULT, E_OK};
}

void strbuf_release(struct strbuf *b)
{
    if (b->p != strbuf_empty)
        mem_free(b->p);
    strbuf_init(b, b->max);
}

void strbuf_reset(struct strbuf *b)
{
    b->n = 0;
    b->failed = E_OK;
    if (b->p != strbuf_empty)
        b->p[0] = 0;
}

enum err strbuf_err(const struct strbuf *b)
{
    return b->failed;
}

char *strbuf_steal(struct strbuf *b, size_t *n)
{
    char *p = b->p;
    if (n)
        *n = b->n;
    if (p == strbuf_empty) {
        p = xmalloc(1);
        p[0] = 0;
    }
    strbuf_init(b, b->max);
    return p;
}

/* Makes room for `more` bytes and the NUL; false (and sticky-failed) when it may or can not. */
static __attribute__((noinline)) bool grow(struct strbuf *b, size_t more)
{
    if (b->failed)
        return false;
    size_t max = MIN(b->max, (size_t)PTRDIFF_MAX - 1);
    if (b->n > max || more > max - b->n) {
        b->failed = E_TOO_LARGE;
        return false;
    }
    size_t need = b->n + more;
    if (need <= b->cap && b->p != strbuf_empty)
        return true;
    size_t half = b->cap + b->cap / 2;
    size_t cap = need <= half ? half : need + need / 8;
    cap = MAX(MIN(MAX(cap, 63), max), need);
    char *p = try_realloc(b->p == strbuf_empty ? NULL : b->p, cap + 1);
    if (!p) {
        b->failed = E_NOMEM;
        return false;
    }
    p[b->n] = 0;
    b->p = p;
    b->cap = cap;
    return true;
}

static ALWAYS_INLINE bool room(struct strbuf *b, size_t more)
{
    /* cap - n never wraps: n <= cap; cap <= max. cap = 0 means the shared empty string. */
    if (LIKELY(more <= b->cap - b->n && b->cap && !b->failed))
        return true;
    return grow(b, more);
}

enum err strbuf_reserve(struct strbuf *b, size_t more)
{
    return room(b, more) ? E_OK : b->failed;
}

void strbuf_add_slow(struct strbuf *b, const void *p, size_t n)
{
    if (n == 0 || !room(b, n))
        return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

void strbuf_addv(struct strbuf *b, const char *fmt, va_list ap)
{
    if (!room(b, 1))
        return;
    va_list again;
    va_copy(again, ap);
    size_t have = b->cap - b->n;
    int n = vsnprintf(b->p + b->n, have + 1, fmt, ap);
    if (n < 0) {
        b->p[b->n] = 0;
        b->failed = E_INVALID;
    } else if ((size_t)n <= have) {
        b->n += (size_t)n;
    } else {
        b->p[b->n] = 0;
        if (room(b, (size_t)n)) {
            vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
            b->n += (size_t)n;
        }
    }
    va_end(again);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    strbuf_addv(b, fmt, ap);
    va_end(ap);
}

static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343"
    "53637383940414243444546474849505152535455565758596061626364656667686970"
    "71727374757677787980818283848586878889909192939495969798"
    "99";
_Static_assert(sizeof pairs == 201, "two digits for each number below 100");

/* Digits of v, written backwards from end; returns the first. */
static char *digits_before(char *end, uint64_t v)
{
    while (v >= 100) {
        end -= 2;
        memcpy(end, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        end -= 2;
        memcpy(end, pairs + 2 * v, 2);
    } else {
        *--end = (char)('0' + v);
    }
    return end;
}

void strbuf_add_u64(struct strbuf *b, uint64_t v)
{
    char text[20];
    char *from = digits_before(text + sizeof text, v);
    strbuf_add(b, from, (size_t)(text + sizeof text - from));
}

void strbuf_add_i64(struct strbuf *b, int64_t v)
{
    char text[21];
    char *from = digits_before(text + sizeof text, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    if (v < 0)
        *--from = '-';
    strbuf_add(b, from, (size_t)(text + sizeof text - from));
}

void strbuf_add_utf8(struct strbuf *b, struct slice s)
{
    while (s.n > 0) {
        size_t broken = 0, n = utf8_run(s, &broken);
        strbuf_add(b, s.p, n);
        if (n == s.n)
            return;
        strbuf_add(b, "\xef\xbf\xbd", 3);
        s = slice_of(s.p + n + broken, s.n - n - broken);
    }
}
