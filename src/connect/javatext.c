/* connect/javatext.c - see the header. Decimals beyond 64 bits are turned from base 256 to base
 * 10^9 and back by plain long arithmetic: they are rare, and at most some dozen limbs long. */
#include "connect/javatext.h"

#include <stdlib.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/bytes.h"
#include "base/mem.h"

static const char two_digits[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536"
    "37383940414243444546474849505152535455565758596061626364656667686970717273"
    "7475767778798081828384858687888990919293949596979899";

static inline unsigned digit_count(uint64_t v)
{
    static const uint64_t tens[] = {0,
                                    10,
                                    100,
                                    1000,
                                    10000,
                                    100000,
                                    1000000,
                                    10000000,
                                    100000000,
                                    1000000000,
                                    10000000000,
                                    100000000000,
                                    1000000000000,
                                    10000000000000,
                                    100000000000000,
                                    1000000000000000,
                                    10000000000000000,
                                    100000000000000000,
                                    1000000000000000000,
                                    10000000000000000000U};
    unsigned t =
        (64 - (unsigned)__builtin_clzll(v | 1)) * 1233 >> 12; /* log2 to log10, rounded down */
    return t + (v >= tens[t]);
}

char *java_write_i64(char *p, int64_t v)
{
    uint64_t u = (uint64_t)v;
    if (v < 0) {
        *p++ = '-';
        u = -u;
    }
    unsigned n = u ? digit_count(u) : 1;
    char *at = p + n;
    while (u >= 100) {
        at -= 2;
        memcpy(at, two_digits + u % 100 * 2, 2);
        u /= 100;
    }
    if (u >= 10)
        memcpy(at - 2, two_digits + u * 2, 2);
    else
        at[-1] = (char)('0' + u);
    return p + n;
}

/* --- decimals --------------------------------------------------------------------------------- */

/* Magnitude in base 10^9, least significant first. Returns the limb count. */
static size_t to_limbs(struct slice v, uint32_t *limbs, bool negative)
{
    size_t count = 0;
    for (size_t i = 0; i < v.n; i++) { /* limbs = limbs * 256 + byte */
        uint64_t carry = negative ? (uint8_t)~v.p[i] : (uint8_t)v.p[i];
        for (size_t k = 0; k < count; k++) {
            uint64_t x = (uint64_t)limbs[k] * 256 + carry;
            limbs[k] = (uint32_t)(x % 1000000000U);
            carry = x / 1000000000U;
        }
        if (carry)
            limbs[count++] = (uint32_t)carry;
    }
    if (negative) { /* two's complement: invert, add one */
        size_t k = 0;
        for (; k < count; k++) {
            if (limbs[k] != 999999999U) {
                limbs[k]++;
                break;
            }
            limbs[k] = 0;
        }
        if (k == count)
            limbs[count++] = 1;
    }
    return count;
}

/* Decimal digits of the unscaled value's magnitude; NULL without memory. Caller frees. */
static char *unscaled_digits(struct slice v, bool *negative, size_t *n)
{
    *negative = v.n && (v.p[0] & 0x80);
    uint32_t *limbs = try_calloc(v.n / 3 + 2, sizeof *limbs);
    char *text = try_alloc((v.n / 3 + 2) * 9 + 2);
    if (!limbs || !text) {
        mem_free(limbs);
        mem_free(text);
        return NULL;
    }
    size_t count = to_limbs(v, limbs, *negative);
    char *p = text;
    if (!count) {
        *p++ = '0';
    } else {
        p = java_write_i64(p, limbs[count - 1]);
        for (size_t i = count - 1; i-- > 0; p += 9)
            snprintf(p, 10, "%09u", limbs[i]);
    }
    *n = (size_t)(p - text);
    mem_free(limbs);
    return text;
}

static void small_decimal(struct strbuf *b, int64_t v, int32_t scale)
{
    char tmp[64], digits[JAVA_NUMBER_MAX], *p = tmp, *d = digits;
    size_t n = (size_t)(java_write_i64(digits, v) - digits);
    if (v < 0) {
        *p++ = '-';
        d++;
        n--;
    }
    if (!scale) {
        memcpy(p, d, n);
        p += n;
    } else if (n > (size_t)scale) {
        memcpy(p, d, n - (size_t)scale);
        p += n - (size_t)scale;
        *p++ = '.';
        memcpy(p, d + n - scale, (size_t)scale);
        p += scale;
    } else {
        *p++ = '0';
        *p++ = '.';
        for (size_t i = n; i < (size_t)scale; i++)
            *p++ = '0';
        memcpy(p, d, n);
        p += n;
    }
    strbuf_add(b, tmp, (size_t)(p - tmp));
}

static void layout_decimal(struct strbuf *b, const char *d, size_t n, int32_t scale)
{
    int64_t adjusted = (int64_t)n - 1 - scale;
    if (scale >= 0 && adjusted >= -6) {
        if (!scale) {
            strbuf_add(b, d, n);
        } else if (n > (size_t)scale) {
            strbuf_add(b, d, n - (size_t)scale);
            strbuf_addc(b, '.');
            strbuf_add(b, d + n - scale, (size_t)scale);
        } else {
            strbuf_adds(b, "0.");
            for (size_t i = n; i < (size_t)scale; i++)
                strbuf_addc(b, '0');
            strbuf_add(b, d, n);
        }
        return;
    }
    strbuf_addc(b, d[0]);
    if (n > 1) {
        strbuf_addc(b, '.');
        strbuf_add(b, d + 1, n - 1);
    }
    if (adjusted) {
        strbuf_adds(b, adjusted > 0 ? "E+" : "E");
        strbuf_add_i64(b, adjusted);
    }
}

void java_add_decimal(struct strbuf *b, struct slice unscaled, int32_t scale)
{
    if (unscaled.n <= 8 && scale >= 0 && scale <= 6) { /* the exponent form starts beyond */
        int64_t v = unscaled.n && (unscaled.p[0] & 0x80) ? -1 : 0;
        for (size_t i = 0; i < unscaled.n; i++)
            v = (int64_t)((uint64_t)v << 8 | (uint8_t)unscaled.p[i]);
        small_decimal(b, v, scale);
        return;
    }
    bool negative;
    size_t n;
    char *d = unscaled_digits(unscaled, &negative, &n);
    if (!d) {
        b->failed = E_NOMEM;
        return;
    }
    if (negative)
        strbuf_addc(b, '-');
    layout_decimal(b, d, n, scale);
    mem_free(d);
}

/* Appends the minimal two's complement of a decimal digit string. */
static enum err digits_to_bytes(const char *digits, size_t n, bool negative, struct strbuf *out)
{
    size_t room = n / 2 + 2, used = 1; /* log10(256) = 2.4 digits a byte */
    uint8_t *v = try_calloc(room, 1);  /* least significant first */
    if (!v)
        return E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        unsigned carry = (unsigned)(digits[i] - '0');
        for (size_t k = 0; k < used; k++) {
            unsigned x = v[k] * 10U + carry;
            v[k] = (uint8_t)x;
            carry = x >> 8;
        }
        if (carry)
            v[used++] = (uint8_t)carry;
    }
    if (negative) {
        unsigned carry = 1;
        for (size_t k = 0; k < used; k++) {
            unsigned x = (uint8_t)~v[k] + carry;
            v[k] = (uint8_t)x;
            carry = x >> 8;
        }
        bool zero = carry; /* only zero wraps around */
        if (!zero && !(v[used - 1] & 0x80))
            v[used++] = 0xff;
        while (used > 1 && v[used - 1] == 0xff && (v[used - 2] & 0x80))
            used--;
    } else if (v[used - 1] & 0x80) {
        v[used++] = 0;
    }
    for (size_t k = used; k-- > 0;)
        strbuf_addc(out, (char)v[k]);
    mem_free(v);
    return strbuf_err(out);
}

#define DECIMAL_DIGITS_MAX 10000

enum err java_parse_decimal(struct slice text, struct strbuf *unscaled, int32_t *scale)
{
    struct strbuf digits = STRBUF_INIT;
    enum err err = E_INVALID;
    size_t i = 0;
    int64_t exponent = 0, fraction = 0;
    bool negative = text.n && text.p[0] == '-', seen = false, point = false;
    if (text.n && (text.p[0] == '-' || text.p[0] == '+'))
        i++;
    for (; i < text.n; i++) {
        char c = text.p[i];
        if (c == '.' && !point) {
            point = true;
        } else if (c >= '0' && c <= '9') {
            seen = true;
            fraction += point;
            if (digits.n > DECIMAL_DIGITS_MAX) {
                err = E_TOO_LARGE;
                goto out;
            }
            if (digits.n || c != '0')
                strbuf_addc(&digits, c);
        } else {
            break;
        }
    }
    if (!seen)
        goto out;
    if (i < text.n) {
        if (text.p[i] != 'e' && text.p[i] != 'E')
            goto out;
        struct slice exp = slice_sub(text, i + 1, text.n);
        if (exp.n && exp.p[0] == '+')
            exp = slice_sub(exp, 1, exp.n);
        if (slice_to_i64(exp, &exponent) || exponent > INT32_MAX / 2 || exponent < INT32_MIN / 2)
            goto out;
    }
    *scale = (int32_t)(fraction - exponent);
    err = digits_to_bytes(digits.n ? digits.p : "0", digits.n ? digits.n : 1, negative, unscaled);
out:
    strbuf_release(&digits);
    return err;
}

enum err java_rescale(struct strbuf *unscaled, int32_t from, int32_t to)
{
    if (from == to)
        return E_OK;
    bool negative;
    size_t n;
    char *d = unscaled_digits(strbuf_slice(unscaled), &negative, &n);
    if (!d)
        return E_NOMEM;
    enum err err = E_OK;
    struct strbuf digits = STRBUF_INIT;
    strbuf_add(&digits, d, n);
    mem_free(d);
    bool zero = n == 1 && digits.p[0] == '0';
    int64_t more = (int64_t)to - from;
    if (more > DECIMAL_DIGITS_MAX)
        err = E_TOO_LARGE;
    for (; !err && !zero && more > 0; more--)
        strbuf_addc(&digits, '0');
    for (; !err && !zero && more < 0; more++) {
        if (digits.p[digits.n - 1] != '0')
            err = E_INVALID;
        else
            digits.n--;
    }
    if (!err) {
        strbuf_reset(unscaled);
        err = digits_to_bytes(digits.p, digits.n, negative, unscaled);
    }
    strbuf_release(&digits);
    return err;
}

/* --- JSON strings ----------------------------------------------------------------------------- */

static inline bool needs_escape(uint8_t c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* A bit in each byte that needs an escape (or, after such a byte, perhaps in others). */
static inline uint64_t special_bytes(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t v = load_le64(p), quote = v ^ ones * '"', slash = v ^ ones * '\\';
    return (((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
           high;
}

#if defined(__SSE2__)
static inline int special_mask(const char *p)
{
    const __m128i quote = _mm_set1_epi8('"'), back = _mm_set1_epi8('\\'), low = _mm_set1_epi8(0x1f);
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, back));
    bad = _mm_or_si128(bad, _mm_cmpeq_epi8(_mm_max_epu8(v, low), low)); /* v <= 0x1f */
    return _mm_movemask_epi8(bad);
}
#endif

size_t json_plain_prefix(const char *s, size_t n)
{
    size_t i = 0;
#if defined(__SSE2__)
    for (; i + 16 <= n; i += 16) {
        int mask = special_mask(s + i);
        if (mask)
            return i + (size_t)__builtin_ctz((unsigned)mask);
    }
    if (n >= 16) { /* the last bytes, some of them a second time */
        int mask = i < n ? special_mask(s + n - 16) : 0;
        return mask ? n - 16 + (size_t)__builtin_ctz((unsigned)mask) : n;
    }
#endif
    if (n - i >= 8 && n - i < 16 && !(special_bytes(s + i) | special_bytes(s + n - 8)))
        return n;
    while (i < n && !needs_escape((uint8_t)s[i]))
        i++;
    return i;
}

static char *write_escape(char *p, uint8_t c)
{
    static const char hex[] = "0123456789ABCDEF";
    *p++ = '\\';
    switch (c) {
    case '"':
    case '\\':
        *p++ = (char)c;
        return p;
    case '\b':
        *p++ = 'b';
        return p;
    case '\t':
        *p++ = 't';
        return p;
    case '\n':
        *p++ = 'n';
        return p;
    case '\f':
        *p++ = 'f';
        return p;
    case '\r':
        *p++ = 'r';
        return p;
    default:
        memcpy(p, "u00", 3);
        p[3] = hex[c >> 4];
        p[4] = hex[c & 15];
        return p + 5;
    }
}

char *json_write_escaped(char *p, const char *s, size_t n)
{
    for (;;) {
        size_t k = json_plain_prefix(s, n);
        memcpy(p, s, k);
        p += k;
        if (k == n)
            return p;
        p = write_escape(p, (uint8_t)s[k]);
        s += k + 1;
        n -= k + 1;
    }
}

char *json_write_base64(char *p, const uint8_t *s, size_t n)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (; n >= 3; n -= 3, s += 3) {
        uint32_t v = (uint32_t)s[0] << 16 | (uint32_t)s[1] << 8 | s[2];
        *p++ = set[v >> 18];
        *p++ = set[v >> 12 & 63];
        *p++ = set[v >> 6 & 63];
        *p++ = set[v & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)s[0] << 16 | (n == 2 ? (uint32_t)s[1] << 8 : 0);
        *p++ = set[v >> 18];
        *p++ = set[v >> 12 & 63];
        *p++ = n == 2 ? set[v >> 6 & 63] : '=';
        *p++ = '=';
    }
    return p;
}
