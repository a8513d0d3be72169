/* cdc/bson/bson_decimal.c - see the header.
 *
 * 128 bits, little endian: sign, then (where the two bits after the sign are not both 1) 14 bits of
 * exponent + 6176 and 113 bits of coefficient. Where they are, the form is one whose coefficient is
 * beyond 34 digits, which counts as 0, or infinity, or not a number. */
#include "cdc/bson/bson_decimal.h"

#include "base/bytes.h"
#include "connect/javatext.h"

#define BIAS 6176
#define EXPONENT_MAX 6111
#define DIGITS_MAX 34

__extension__ typedef unsigned __int128 wide;

/* Digits of v backwards from end; the first. */
static char *digits_before(char *end, wide v)
{
    do {
        *--end = (char)('0' + (unsigned)(v % 10));
        v /= 10;
    } while (v);
    return end;
}

static char *put(char *p, const char *s, size_t n)
{
    memcpy(p, s, n);
    return p + n;
}

char *bson_decimal_write(char *p, const char raw[BSON_DECIMAL_SIZE])
{
    uint64_t low = load_le64(raw), high = load_le64(raw + 8);
    if ((high >> 58 & 31) == 31)
        return put(p, "NaN", 3);
    if (high >> 63)
        *p++ = '-';
    if ((high >> 58 & 31) == 30)
        return put(p, "Infinity", 8);
    wide coefficient = 0;
    int exponent;
    if ((high >> 61 & 3) == 3) {
        exponent = (int)(high >> 47 & 0x3fff) - BIAS;
    } else {
        exponent = (int)(high >> 49 & 0x3fff) - BIAS;
        coefficient = (wide)(high & (((uint64_t)1 << 49) - 1)) << 64 | low;
    }
    char digits[40], *end = digits + sizeof digits, *d = digits_before(end, coefficient);
    int n = (int)(end - d), adjusted = exponent + n - 1;
    if (exponent <= 0 && adjusted >= -6) {
        int whole = n + exponent; /* digits before the point */
        if (whole > 0) {
            p = put(p, d, (size_t)whole);
            d += whole;
        } else {
            *p++ = '0';
        }
        if (!exponent)
            return p;
        *p++ = '.';
        for (; whole < 0; whole++)
            *p++ = '0';
        return put(p, d, (size_t)(end - d));
    }
    *p++ = *d++;
    if (d < end) {
        *p++ = '.';
        p = put(p, d, (size_t)(end - d));
    }
    *p++ = 'E';
    if (adjusted > 0)
        *p++ = '+';
    return java_write_i64(p, adjusted);
}

/* --- from text -------------------------------------------------------------------------------- */

struct number {
    wide coefficient;
    int digits; /* of it, 0 for zero */
    int64_t exponent;
};

/* Appends a digit; zeros that may turn out to be needless are the caller's. */
static bool push_digit(struct number *n, unsigned digit)
{
    if (!digit && !n->digits)
        return true;
    if (n->digits == DIGITS_MAX)
        return false;
    n->coefficient = n->coefficient * 10 + digit;
    n->digits++;
    return true;
}

/* Digits and a point from s; s moves behind them. */
static enum err read_digits(struct slice *s, struct number *n)
{
    bool any = false, point = false;
    int64_t zeros = 0; /* seen but not yet counted in */
    for (; s->n; s->p++, s->n--) {
        char c = *s->p;
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        any = true;
        n->exponent -= point;
        if (c == '0' && n->digits) {
            zeros++;
            continue;
        }
        for (; zeros; zeros--)
            if (!push_digit(n, 0))
                return E_TOO_LARGE;
        if (!push_digit(n, (unsigned)(c - '0')))
            return E_TOO_LARGE;
    }
    for (; zeros && push_digit(n, 0); zeros--)
        ;
    n->exponent += zeros; /* beyond 34 digits zeros at the end are an exponent */
    return any ? E_OK : E_INVALID;
}

static enum err read_exponent(struct slice s, struct number *n)
{
    if (!s.n)
        return E_OK;
    if (*s.p != 'e' && *s.p != 'E')
        return E_INVALID;
    s = slice_sub(s, 1, s.n);
    if (s.n > 1 && *s.p == '+' && s.p[1] >= '0' && s.p[1] <= '9')
        s = slice_sub(s, 1, s.n);
    int64_t v;
    enum err err = slice_to_i64(s, &v);
    if (err)
        return err;
    if (v > 1000000000 || v < -1000000000)
        return E_TOO_LARGE;
    n->exponent += v;
    return E_OK;
}

/* Moves the exponent into its range by zeros at the end of the coefficient. */
static enum err fit(struct number *n)
{
    if (!n->digits) {
        n->exponent = MAX(MIN(n->exponent, EXPONENT_MAX), -BIAS);
        return E_OK;
    }
    for (; n->exponent > EXPONENT_MAX; n->exponent--)
        if (!push_digit(n, 0))
            return E_TOO_LARGE;
    for (; n->exponent < -BIAS; n->exponent++) {
        if (n->coefficient % 10)
            return E_TOO_LARGE;
        n->coefficient /= 10;
    }
    return E_OK;
}

static void store(char raw[BSON_DECIMAL_SIZE], uint64_t high, uint64_t low)
{
    store_le64(raw, low);
    store_le64(raw + 8, high);
}

enum err bson_decimal_parse(struct slice text, char raw[BSON_DECIMAL_SIZE])
{
    uint64_t sign = 0;
    if (slice_ieq(text, SL("nan"))) {
        store(raw, (uint64_t)31 << 58, 0);
        return E_OK;
    }
    if (text.n && (*text.p == '-' || *text.p == '+')) {
        sign = *text.p == '-' ? (uint64_t)1 << 63 : 0;
        text = slice_sub(text, 1, text.n);
    }
    if (slice_ieq(text, SL("infinity")) || slice_ieq(text, SL("inf"))) {
        store(raw, sign | (uint64_t)30 << 58, 0);
        return E_OK;
    }
    struct number n = {0};
    enum err err = read_digits(&text, &n);
    if (!err)
        err = read_exponent(text, &n);
    if (!err)
        err = fit(&n);
    if (err)
        return err;
    store(raw, sign | (uint64_t)(n.exponent + BIAS) << 49 | (uint64_t)(n.coefficient >> 64),
          (uint64_t)n.coefficient);
    return E_OK;
}
