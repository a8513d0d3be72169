/* base/json_number.c - numbers as Java prints them (json_add_double, json_add_float).
 *
 * Wanted: among the decimals that read back as v, the shortest; among those of that length (two
 * digits when one would do) the one nearest to v.
 *
 * Integers and numbers with few decimals are found by trying v * 10^k for small k: a decimal of at
 * most 15 digits that reads back as v is the only one, so nothing has to be compared.
 *
 * The rest goes by the method of R. Giulietti ("The Schubfach way to render doubles"): v and the
 * ends of its rounding interval are scaled by a 126-bit power of ten, to integers with two extra
 * bits, the last of them sticky; one of four candidates is then chosen by comparing. The 649 powers
 * are computed exactly on first use (pthread_once): upward by multiplying by ten, downward by
 * dividing 2^1216 by ten, which stays exact under floor.
 *
 * Pure; thread: any. */
#include "base/json.h"

#include <math.h>
#include <pthread.h>

#include "base/base.h"

#define POW_MIN (-324)
#define POW_MAX 324
#define WORDS 40 /* 32-bit words: 1280 bits */

/* floor(10^e * 2^-r) + 1 with 2^125 <= value < 2^126: high 63 bits, low 63 bits. */
struct power {
    uint64_t high, low;
};
static struct power powers[POW_MAX - POW_MIN + 1];
static pthread_once_t powers_once = PTHREAD_ONCE_INIT;

static int top_bit(const uint32_t w[WORDS]) /* index of the highest set bit */
{
    for (int i = WORDS - 1; i >= 0; i--)
        if (w[i])
            return 32 * i + 31 - __builtin_clz(w[i]);
    return -1;
}

static unsigned bit_at(const uint32_t w[WORDS], int i)
{
    return i < 0 ? 0 : w[i / 32] >> i % 32 & 1;
}

static struct power top_126(const uint32_t w[WORDS])
{
    struct power p = {0, 0};
    int top = top_bit(w);
    for (int i = 0; i < 63; i++)
        p.high = p.high << 1 | bit_at(w, top - i);
    for (int i = 63; i < 126; i++)
        p.low = p.low << 1 | bit_at(w, top - i);
    p.low++;
    p.high += p.low >> 63;
    p.low &= INT64_MAX;
    return p;
}

static void make_powers(void)
{
    uint32_t w[WORDS] = {1};
    for (int e = 0; e <= POW_MAX; e++) {
        powers[e - POW_MIN] = top_126(w);
        uint64_t carry = 0;
        for (int i = 0; i < WORDS; i++) {
            carry += (uint64_t)w[i] * 10;
            w[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    memset(w, 0, sizeof w);
    w[38] = 1; /* 2^1216: 10^-324 still has 139 bits */
    for (int e = -1; e >= POW_MIN; e--) {
        uint64_t rest = 0;
        for (int i = WORDS - 1; i >= 0; i--) {
            rest = rest << 32 | w[i];
            w[i] = (uint32_t)(rest / 10);
            rest %= 10;
        }
        powers[e - POW_MIN] = top_126(w);
    }
}

/* Floors of logarithms, exact for every exponent that occurs (the test compares them). */
static int log10_pow2(int e) /* log10(2^e) */
{
    return e * 78913 >> 18;
}
static int log10_pow2_34(int e) /* log10(3/4 * 2^e) */
{
    return (e * 315653 - 131000) >> 20;
}
static int log2_pow10(int e) /* log2(10^e) */
{
    return e * 435411 >> 17;
}

/* x * power >> 127, the last bit sticky. The dropped low part is below what the +1 in the power can
 * bring about, so it must not make the result look inexact. */
static uint64_t scale(struct power g, uint64_t x)
{
    unsigned __int128 high = (unsigned __int128)g.high * x;
    uint64_t low = (uint64_t)((unsigned __int128)g.low * x >> 64);
    uint64_t mid = ((uint64_t)high >> 1) + low;
    return ((uint64_t)(high >> 64) + (mid >> 63)) | ((mid & INT64_MAX) != 0);
}

struct decimal {
    uint64_t digits;
    int exp; /* value = digits * 10^exp */
};

/* v = c * 2^q. `even`: the ends of the rounding interval round to v. `narrow`: v is a power of two,
 * the interval below it is half as wide. `k_off`: c was multiplied by 10^k_off beforehand. */
static struct decimal shortest(uint64_t c, int q, bool even, bool narrow, int k_off)
{
    pthread_once(&powers_once, make_powers);
    int k = narrow ? log10_pow2_34(q) : log10_pow2(q);
    int h = q + log2_pow10(-k) + 2;
    struct power g = powers[-k - POW_MIN];
    uint64_t mid = scale(g, (c << 2) << h);
    uint64_t low = scale(g, ((c << 2) - (narrow ? 1 : 2)) << h);
    uint64_t high = scale(g, ((c << 2) + 2) << h);
    low += !even; /* now: candidate x (times 4) is inside when low <= x <= high */
    high -= !even;
    uint64_t s = mid >> 2;
    if (s >= 100) { /* one digit less? */
        uint64_t s10 = s - s % 10, t10 = s10 + 10;
        bool s_in = low <= s10 << 2, t_in = t10 << 2 <= high;
        if (s_in != t_in)
            return (struct decimal){s_in ? s10 : t10, k - k_off};
    }
    uint64_t t = s + 1;
    bool s_in = low <= s << 2, t_in = t << 2 <= high;
    if (s_in != t_in)
        return (struct decimal){s_in ? s : t, k - k_off};
    uint64_t both = (s + t) << 1; /* the middle between them, times 4 */
    bool take_s = mid < both || (mid == both && s % 2 == 0);
    return (struct decimal){take_s ? s : t, k - k_off};
}

/* Way 1: v > 0 is n / 10^k exactly as doubles go, with n below 10^15. */
static bool few_decimals(double v, struct decimal *d)
{
    static const double tens[] = {1, 10, 100, 1e3, 1e4, 1e5, 1e6};
    for (int k = 0; k < (int)ARRAY_LEN(tens); k++) {
        double scaled = v * tens[k];
        if (!(scaled < 1e15))
            return false;
        uint64_t n = (uint64_t)(scaled + 0.5);
        if (n != 0 && (double)n / tens[k] == v) {
            *d = (struct decimal){n, -k};
            return true;
        }
    }
    return false;
}

/* Java's form: at least one digit on each side of the point. */
static void add_decimal(struct strbuf *b, bool minus, struct decimal d)
{
    while (d.digits % 10 == 0) {
        d.digits /= 10;
        d.exp++;
    }
    char digits[20];
    int n = 0;
    for (uint64_t v = d.digits; v; v /= 10)
        digits[sizeof digits - (size_t)++n] = (char)('0' + v % 10);
    const char *first = digits + sizeof digits - n;
    int point = n + d.exp; /* value = 0.DIGITS * 10^point */
    char out[40];
    char *to = out;
    if (minus)
        *to++ = '-';
    bool plain = point > -3 && point <= 7; /* 10^-3 <= value < 10^7 */
    int shown = plain ? point : 1;         /* digits before the point */
    if (shown <= 0) {
        *to++ = '0';
        *to++ = '.';
        for (int i = shown; i < 0; i++)
            *to++ = '0';
        memcpy(to, first, (size_t)n);
        to += n;
    } else {
        for (int i = 0; i < shown; i++)
            *to++ = i < n ? first[i] : '0';
        *to++ = '.';
        if (n > shown) {
            memcpy(to, first + shown, (size_t)(n - shown));
            to += n - shown;
        } else {
            *to++ = '0';
        }
    }
    if (!plain)
        *to++ = 'E';
    strbuf_add(b, out, (size_t)(to - out));
    if (!plain)
        strbuf_add_i64(b, point - 1);
}

static bool add_special(struct strbuf *b, double v)
{
    if (isnan(v))
        strbuf_adds(b, "NaN");
    else if (isinf(v))
        strbuf_adds(b, v < 0 ? "-Infinity" : "Infinity");
    else if (v == 0)
        strbuf_adds(b, signbit(v) ? "-0.0" : "0.0");
    else
        return false;
    return true;
}

void json_add_double(struct strbuf *b, double v)
{
    if (add_special(b, v))
        return;
    struct decimal d;
    if (few_decimals(fabs(v), &d)) {
        add_decimal(b, v < 0, d);
        return;
    }
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint64_t c = bits & (((uint64_t)1 << 52) - 1);
    int q = (int)(bits >> 52 & 2047);
    bool narrow = c == 0 && q > 1;
    if (q > 0)
        c |= (uint64_t)1 << 52;
    else
        q = 1;
    q -= 1075;
    if (c < 3) /* the two smallest numbers need a digit more to have two */
        d = shortest(10 * c, q, c % 2 == 0, false, 1);
    else
        d = shortest(c, q, c % 2 == 0, narrow, 0);
    add_decimal(b, v < 0, d);
}

void json_add_float(struct strbuf *b, float v)
{
    if (add_special(b, (double)v))
        return;
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    uint32_t c = bits & ((1u << 23) - 1);
    int q = (int)(bits >> 23 & 255);
    bool narrow = c == 0 && q > 1;
    if (q > 0)
        c |= 1u << 23;
    else
        q = 1;
    q -= 150;
    struct decimal d;
    if (q <= 0 && q > -24 &&
        (c & ((1u << -q) - 1)) == 0) /* an integer: all digits count below 2^24 */
        d = (struct decimal){c >> -q, 0};
    else if (c < 8)
        d = shortest((uint64_t)10 * c, q, c % 2 == 0, false, 1);
    else
        d = shortest(c, q, c % 2 == 0, narrow, 0);
    add_decimal(b, v < 0, d);
}
