/* cdc/mysql/decimal.c - see the header.
 *
 * Layout in a row image: the integer part as a short group and groups of 9 digits (4 bytes each),
 * the fraction as groups of 9 and a short group, all big-endian; the first bit is inverted, and a
 * negative value has every bit inverted. SPEC: cdc-mysql 4.2. */
#include "cdc/mysql/decimal.h"

#include "base/bytes.h"

static const uint8_t group_bytes[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
static const uint32_t powers[10] = {1,      10,      100,      1000,      10000,
                                    100000, 1000000, 10000000, 100000000, 1000000000};

#define MAX_DIGITS 81 /* 65 before the point and some room; 10^81 < 2^270 */

size_t decimal_binary_size(unsigned precision, unsigned scale)
{
    if (precision == 0 || precision > DECIMAL_MAX_PRECISION || scale > DECIMAL_MAX_SCALE ||
        scale > precision)
        return 0;
    unsigned whole = precision - scale;
    return whole / 9 * 4u + group_bytes[whole % 9] + scale / 9 * 4u + group_bytes[scale % 9];
}

/* --- two's complement ----------------------------------------------------------------------- */

size_t decimal_from_i64(int64_t v, uint8_t out[DECIMAL_UNSCALED_MAX])
{
    uint8_t b[8];
    size_t skip = 0;

    store_be64(b, (uint64_t)v);
    while (skip < 7 &&
           ((b[skip] == 0 && !(b[skip + 1] & 0x80)) || (b[skip] == 0xFF && (b[skip + 1] & 0x80))))
        skip++;
    memcpy(out, b + skip, 8 - skip);
    return 8 - skip;
}

size_t decimal_from_u64(uint64_t v, uint8_t out[DECIMAL_UNSCALED_MAX])
{
    if (v <= INT64_MAX)
        return decimal_from_i64((int64_t)v, out);
    out[0] = 0;
    store_be64(out + 1, v);
    return 9;
}

/* A magnitude of 36 bytes, big-endian, that is multiplied and added to. */
struct big {
    uint32_t limb[9]; /* least significant first; 288 bits */
};

static void big_muladd(struct big *b, uint32_t mul, uint32_t add)
{
    uint64_t carry = add;

    for (size_t i = 0; i < ARRAY_LEN(b->limb); i++) {
        carry += (uint64_t)b->limb[i] * mul;
        b->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static size_t big_bytes(const struct big *b, bool negative, uint8_t out[DECIMAL_UNSCALED_MAX])
{
    uint8_t be[36];
    size_t skip = 0;

    for (size_t i = 0; i < 9; i++)
        store_be32(be + 4 * i, b->limb[8 - i]);
    if (negative) {
        unsigned carry = 1;
        for (size_t i = sizeof be; i-- > 0;) {
            carry += (uint8_t)~be[i];
            be[i] = (uint8_t)carry;
            carry >>= 8;
        }
    }
    while (skip < sizeof be - 1 && ((be[skip] == 0 && !(be[skip + 1] & 0x80)) ||
                                    (be[skip] == 0xFF && (be[skip + 1] & 0x80))))
        skip++;
    size_t n = MIN(sizeof be - skip,
                   (size_t)DECIMAL_UNSCALED_MAX); /* 81 digits fit: 34 bytes never come */
    memcpy(out, be + sizeof be - n, n);
    return n;
}

/* --- binlog bytes --------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *p;
    uint8_t invert; /* 0xFF for a negative value */
    bool first;     /* the sign bit is in the next byte */
    bool bad;
};

static uint32_t group(struct cursor *c, unsigned digits)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < group_bytes[digits]; i++) {
        uint8_t byte = *c->p++ ^ c->invert;
        if (c->first)
            byte ^= 0x80;
        c->first = false;
        v = v << 8 | byte;
    }
    if (v >= powers[digits]) {
        c->bad = true;
        return 0; /* sums of such numbers would overflow */
    }
    return v;
}

static enum err start(const uint8_t *p, size_t n, unsigned precision, unsigned scale,
                      struct cursor *c, bool *negative)
{
    size_t size = decimal_binary_size(precision, scale);

    if (size == 0)
        return E_CORRUPT;
    if (n < size)
        return E_TRUNCATED;
    *negative = !(p[0] & 0x80);
    *c = (struct cursor){p, *negative ? 0xFF : 0, true, false};
    return E_OK;
}

/* Calls for each group in order: digits (1..9) and value. */
#define EACH_GROUP(precision, scale, body)                                                         \
    do {                                                                                           \
        unsigned whole_ = (precision) - (scale), digits;                                           \
        if ((digits = whole_ % 9) > 0)                                                             \
            body;                                                                                  \
        digits = 9;                                                                                \
        for (unsigned i_ = 0; i_ < whole_ / 9; i_++)                                               \
            body;                                                                                  \
        for (unsigned i_ = 0; i_ < (scale) / 9; i_++)                                              \
            body;                                                                                  \
        if ((digits = (scale) % 9) > 0)                                                            \
            body;                                                                                  \
    } while (0)

enum err decimal_unscaled(const uint8_t *p, size_t n, unsigned precision, unsigned scale,
                          uint8_t out[DECIMAL_UNSCALED_MAX], size_t *out_n)
{
    struct cursor c;
    bool negative;
    enum err err = start(p, n, precision, scale, &c, &negative);

    if (err)
        return err;
    if (precision <= 18) {
        int64_t v = 0;
        EACH_GROUP(precision, scale, v = v * powers[digits] + group(&c, digits));
        if (c.bad)
            return E_CORRUPT;
        *out_n = decimal_from_i64(negative ? -v : v, out);
        return E_OK;
    }
    struct big b = {{0}};
    EACH_GROUP(precision, scale, big_muladd(&b, powers[digits], group(&c, digits)));
    if (c.bad)
        return E_CORRUPT;
    *out_n = big_bytes(&b, negative, out);
    return E_OK;
}

/* digits of v, left-padded with zeros. */
static char *put_digits(char *at, uint32_t v, unsigned digits)
{
    for (unsigned i = digits; i-- > 0; v /= 10)
        at[i] = (char)('0' + v % 10);
    return at + digits;
}

enum err decimal_text(const uint8_t *p, size_t n, unsigned precision, unsigned scale,
                      char out[DECIMAL_TEXT_MAX], size_t *out_n)
{
    struct cursor c;
    bool negative;
    char digits_text[96], *at = digits_text;
    enum err err = start(p, n, precision, scale, &c, &negative);

    if (err)
        return err;
    EACH_GROUP(precision, scale, at = put_digits(at, group(&c, digits), digits));
    if (c.bad)
        return E_CORRUPT;
    size_t whole = precision - scale, skip = 0, len = 0;
    bool zero = true;
    for (const char *d = digits_text; d < at; d++)
        zero = zero && *d == '0';
    while (skip < whole && digits_text[skip] == '0')
        skip++;
    if (negative && !zero)
        out[len++] = '-';
    if (skip == whole)
        out[len++] = '0';
    memcpy(out + len, digits_text + skip, whole - skip);
    len += whole - skip;
    if (scale > 0) {
        out[len++] = '.';
        memcpy(out + len, digits_text + whole, scale);
        len += scale;
    }
    out[len] = '\0';
    *out_n = len;
    return E_OK;
}

/* --- text ----------------------------------------------------------------------------------- */

struct number {
    char digits[MAX_DIGITS +
                1]; /* of the unscaled value at the wanted scale, without leading zeros */
    size_t count;
    bool negative;
};

static bool next_char(struct slice *s, char *c)
{
    if (s->n == 0)
        return false;
    *c = *s->p++;
    s->n--;
    return true;
}

/* Splits [sign] digits [. digits] [e exponent]; the exponent is clamped to +-10000. */
static enum err split(struct slice text, bool *negative, struct slice *whole,
                      struct slice *fraction, int *exponent)
{
    struct slice s = slice_trim(text);
    size_t i = 0;

    *negative = s.n > 0 && s.p[0] == '-';
    if (s.n > 0 && (s.p[0] == '-' || s.p[0] == '+'))
        s = slice_sub(s, 1, s.n);
    while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    *whole = slice_sub(s, 0, i);
    *fraction = SL("");
    if (i < s.n && s.p[i] == '.') {
        size_t from = ++i;
        while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
            i++;
        *fraction = slice_sub(s, from, i);
    }
    if (whole->n + fraction->n == 0)
        return E_INVALID;
    *exponent = 0;
    if (i == s.n)
        return E_OK;
    if (s.p[i] != 'e' && s.p[i] != 'E')
        return E_INVALID;
    s = slice_sub(s, i + 1, s.n);
    if (s.n > 0 && s.p[0] == '+')
        s = slice_sub(s, 1, s.n);
    int64_t v;
    if (slice_to_i64(s, &v) != E_OK)
        return E_INVALID;
    *exponent = (int)(v > 10000 ? 10000 : v < -10000 ? -10000 : v);
    return E_OK;
}

static enum err scaled(struct slice text, unsigned scale, struct number *out)
{
    struct slice whole, fraction;
    int exponent;
    char c, round = '0';
    enum err err = split(text, &out->negative, &whole, &fraction, &exponent);

    if (err)
        return err;
    /* Digits kept: those in front of position point + exponent + scale. */
    int64_t keep = (int64_t)whole.n + exponent + (int64_t)scale, at = 0;
    out->count = 0;
    while (next_char(&whole, &c) || next_char(&fraction, &c)) {
        if (at++ >= keep) {
            if (at - 1 == keep)
                round = c;
            continue;
        }
        if (out->count == 0 && c == '0')
            continue;
        if (out->count == MAX_DIGITS)
            return E_TOO_LARGE;
        out->digits[out->count++] = c;
    }
    for (; at < keep && out->count > 0; at++) {
        if (out->count == MAX_DIGITS)
            return E_TOO_LARGE;
        out->digits[out->count++] = '0';
    }
    if (round >= '5' && keep >= 0) { /* half up, away from zero */
        size_t i = out->count;
        while (i > 0 && out->digits[i - 1] == '9')
            out->digits[--i] = '0';
        if (i > 0)
            out->digits[i - 1]++;
        else {
            if (out->count == MAX_DIGITS)
                return E_TOO_LARGE;
            memmove(out->digits + 1, out->digits, out->count++);
            out->digits[0] = '1';
        }
    }
    if (out->count == 0)
        out->negative = false;
    return E_OK;
}

enum err decimal_parse(struct slice text, unsigned scale, uint8_t out[DECIMAL_UNSCALED_MAX],
                       size_t *out_n)
{
    struct number n;
    enum err err = scaled(text, scale, &n);

    if (err)
        return err;
    if (n.count <= 18) {
        int64_t v = 0;
        for (size_t i = 0; i < n.count; i++)
            v = v * 10 + (n.digits[i] - '0');
        *out_n = decimal_from_i64(n.negative ? -v : v, out);
        return E_OK;
    }
    if (n.count > 76) /* 32 bytes of two's complement end at 5.7e76 */
        return E_TOO_LARGE;
    struct big b = {{0}};
    for (size_t i = 0; i < n.count; i++)
        big_muladd(&b, 10, (uint32_t)(n.digits[i] - '0'));
    *out_n = big_bytes(&b, n.negative, out);
    return E_OK;
}

enum err decimal_rescale_text(struct slice text, unsigned scale, char out[DECIMAL_TEXT_MAX],
                              size_t *out_n)
{
    struct number n;
    size_t len = 0;

    if (scale > DECIMAL_MAX_SCALE)
        return E_TOO_LARGE;
    enum err err = scaled(text, scale, &n);
    if (err)
        return err;
    if (n.negative)
        out[len++] = '-';
    size_t whole = n.count > scale ? n.count - scale : 0;
    if (whole == 0)
        out[len++] = '0';
    memcpy(out + len, n.digits, whole);
    len += whole;
    if (scale > 0) {
        out[len++] = '.';
        for (size_t i = n.count - whole; i < scale; i++)
            out[len++] = '0';
        memcpy(out + len, n.digits + whole, n.count - whole);
        len += n.count - whole;
    }
    out[len] = '\0';
    *out_n = len;
    return E_OK;
}
