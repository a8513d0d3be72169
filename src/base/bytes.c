/* base/bytes.c - variable-length numbers, text forms of bytes, random bytes. See bytes.h.
 *
 * Varints are refused when they are longer than their type (more than 5 or 10 bytes) and when the
 * last byte carries bits that do not fit: a peer that sends such a number is broken or hostile, and
 * Kafka's own readers refuse the first form too. Padded forms (80 00) are accepted, as there.
 * Thread: any; a reader belongs to its caller. */
#include "base/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/base.h"

/* --- numbers --------------------------------------------------------------------------------- */

/* At most max_bytes groups of 7 bits; bits above `bits` must be zero. */
static ALWAYS_INLINE uint64_t read_groups(struct reader *r, unsigned max_bytes, unsigned bits)
{
    uint64_t v = 0;
    const uint8_t *p = r->at;
    for (unsigned i = 0; i < max_bytes; i++) {
        if (UNLIKELY(p == r->end)) {
            reader_fail(r, E_TRUNCATED);
            return 0;
        }
        uint8_t c = *p++;
        unsigned shift = 7 * i;
        if (i == max_bytes - 1 && (c & 0x7f) >> (bits - shift) != 0)
            break;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) {
            r->at = p;
            return v;
        }
    }
    reader_fail(r, E_CORRUPT);
    return 0;
}

uint32_t read_uvarint(struct reader *r)
{
    if (LIKELY(r->at != r->end && *r->at < 0x80))
        return *r->at++;
    return (uint32_t)read_groups(r, 5, 32);
}

uint64_t read_uvarint64(struct reader *r)
{
    if (LIKELY(r->at != r->end && *r->at < 0x80))
        return *r->at++;
    return read_groups(r, 10, 64);
}

int32_t read_varint(struct reader *r)
{
    uint32_t v = read_uvarint(r);
    return (int32_t)(v >> 1 ^ (0 - (v & 1)));
}

int64_t read_varlong(struct reader *r)
{
    uint64_t v = read_uvarint64(r);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

uint64_t read_lenenc(struct reader *r)
{
    uint8_t c = read_u8(r);
    switch (c) {
    case 0xfb: /* NULL in a text row; callers that allow it look before they read */
    case 0xff:
        reader_fail(r, E_CORRUPT);
        return 0;
    case 0xfc:
        return read_le16(r);
    case 0xfd:
        return read_le_n(r, 3);
    case 0xfe:
        return read_le64(r);
    default:
        return c;
    }
}

size_t uvarint_size(uint64_t v)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(v | 1);
    return (bits + 6) / 7;
}

uint8_t *write_uvarint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

void strbuf_add_be16(struct strbuf *b, uint16_t v)
{
    char t[2];
    store_be16(t, v);
    strbuf_add(b, t, sizeof t);
}

void strbuf_add_be32(struct strbuf *b, uint32_t v)
{
    char t[4];
    store_be32(t, v);
    strbuf_add(b, t, sizeof t);
}

void strbuf_add_be64(struct strbuf *b, uint64_t v)
{
    char t[8];
    store_be64(t, v);
    strbuf_add(b, t, sizeof t);
}

void strbuf_add_uvarint(struct strbuf *b, uint64_t v)
{
    uint8_t t[10];
    strbuf_add(b, t, (size_t)(write_uvarint(t, v) - t));
}

void strbuf_add_varint(struct strbuf *b, int64_t v)
{
    uint8_t t[10];
    strbuf_add(b, t, (size_t)(write_varint(t, v) - t));
}

/* --- hex and base64 -------------------------------------------------------------------------- */

/* Reserves n bytes at the end and counts them as written; NULL when the buffer failed. */
static uint8_t *extend(struct strbuf *b, size_t n)
{
    if (strbuf_reserve(b, n))
        return NULL;
    uint8_t *p = (uint8_t *)b->p + b->n;
    b->n += n;
    b->p[b->n] = 0;
    return p;
}

void hex_encode(struct strbuf *b, struct slice s)
{
    static const char digits[] = "0123456789abcdef";
    if (s.n == 0)
        return;
    uint8_t *out = s.n <= SIZE_MAX / 2 ? extend(b, 2 * s.n) : NULL;
    for (size_t i = 0; out && i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        *out++ = (uint8_t)digits[c >> 4];
        *out++ = (uint8_t)digits[c & 15];
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum err hex_decode(struct strbuf *b, struct slice s)
{
    if (s.n % 2)
        return E_INVALID;
    if (s.n == 0)
        return strbuf_err(b);
    size_t before = b->n;
    uint8_t *out = extend(b, s.n / 2);
    if (!out)
        return strbuf_err(b);
    for (size_t i = 0; i < s.n; i += 2) {
        int high = hex_value(s.p[i]), low = hex_value(s.p[i + 1]);
        if (high < 0 || low < 0) {
            b->n = before;
            b->p[before] = 0;
            return E_INVALID;
        }
        *out++ = (uint8_t)(high << 4 | low);
    }
    return E_OK;
}

static const char alphabet_std[64] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[64] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode64(struct strbuf *b, struct slice s, const char alphabet[64], bool pad)
{
    if (s.n == 0)
        return;
    if (s.n > SIZE_MAX / 4 * 3 - 3) {
        (void)strbuf_reserve(b, SIZE_MAX); /* marks it as failed */
        return;
    }
    size_t tail = s.n % 3;
    uint8_t *out = extend(b, s.n / 3 * 4 + (tail == 0 ? 0 : pad ? 4 : tail + 1));
    if (!out)
        return;
    const uint8_t *in = (const uint8_t *)s.p, *end = in + (s.n - tail);
    for (; in < end; in += 3, out += 4) {
        uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        out[0] = (uint8_t)alphabet[v >> 18];
        out[1] = (uint8_t)alphabet[v >> 12 & 63];
        out[2] = (uint8_t)alphabet[v >> 6 & 63];
        out[3] = (uint8_t)alphabet[v & 63];
    }
    if (tail) {
        uint32_t v = (uint32_t)in[0] << 16 | (tail == 2 ? (uint32_t)in[1] << 8 : 0);
        *out++ = (uint8_t)alphabet[v >> 18];
        *out++ = (uint8_t)alphabet[v >> 12 & 63];
        if (tail == 2)
            *out++ = (uint8_t)alphabet[v >> 6 & 63];
        for (size_t i = tail; pad && i < 3; i++)
            *out++ = '=';
    }
}

static ALWAYS_INLINE uint32_t value64(char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    if (c == (url ? '_' : '/'))
        return 63;
    return 64;
}

/* Text without its padding. Unused bits of the last character must be zero. */
static enum err decode64(struct strbuf *b, struct slice s, bool url)
{
    size_t tail = s.n % 4;
    if (tail == 1)
        return E_INVALID;
    if (s.n == 0)
        return strbuf_err(b);
    size_t before = b->n;
    uint8_t *out = extend(b, s.n / 4 * 3 + (tail ? tail - 1 : 0));
    if (!out)
        return strbuf_err(b);
    uint32_t bad = 0;
    size_t i = 0;
    for (; i + 4 <= s.n; i += 4, out += 3) {
        uint32_t v0 = value64(s.p[i], url), v1 = value64(s.p[i + 1], url);
        uint32_t v2 = value64(s.p[i + 2], url), v3 = value64(s.p[i + 3], url);
        bad |= (v0 | v1 | v2 | v3) & 64;
        uint32_t v = v0 << 18 | v1 << 12 | v2 << 6 | v3;
        out[0] = (uint8_t)(v >> 16);
        out[1] = (uint8_t)(v >> 8);
        out[2] = (uint8_t)v;
    }
    if (tail) {
        uint32_t v0 = value64(s.p[i], url), v1 = value64(s.p[i + 1], url);
        uint32_t v2 = tail == 3 ? value64(s.p[i + 2], url) : 0;
        bad |= (v0 | v1 | v2) & 64;
        bad |= tail == 3 ? v2 & 3 : v1 & 15;
        out[0] = (uint8_t)(v0 << 2 | v1 >> 4);
        if (tail == 3)
            out[1] = (uint8_t)(v1 << 4 | v2 >> 2);
    }
    if (bad) {
        b->n = before;
        b->p[before] = 0;
        return E_INVALID;
    }
    return E_OK;
}

void base64_encode(struct strbuf *b, struct slice s)
{
    encode64(b, s, alphabet_std, true);
}

enum err base64_decode(struct strbuf *b, struct slice s)
{
    if (s.n % 4)
        return E_INVALID;
    for (int i = 0; i < 2 && s.n && s.p[s.n - 1] == '='; i++)
        s.n--;
    return decode64(b, s, false);
}

void base64url_encode(struct strbuf *b, struct slice s)
{
    encode64(b, s, alphabet_url, false);
}

enum err base64url_decode(struct strbuf *b, struct slice s)
{
    return decode64(b, s, true);
}

/* --- random bytes and UUIDs ------------------------------------------------------------------ */

void bytes_random(void *p, size_t n)
{
    char *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        invariant(got > 0); /* a kernel without the generator cannot run weir */
        at += got;
        n -= (size_t)got;
    }
}

void uuid_random(struct uuid *u)
{
    do { /* SPEC: Kafka keeps 0 and 1 for itself; v4 bits exclude both */
        bytes_random(u->b, sizeof u->b);
        u->b[6] = (uint8_t)((u->b[6] & 0x0f) | 0x40);
        u->b[8] = (uint8_t)((u->b[8] & 0x3f) | 0x80);
    } while (u->b[0] >> 2 == 62); /* its text would start with '-' and look like an option */
}

bool uuid_is_zero(const struct uuid *u)
{
    return load_le64(u->b) == 0 && load_le64(u->b + 8) == 0;
}

void uuid_text(const struct uuid *u, char out[UUID_TEXT_SIZE])
{
    const uint8_t *in = u->b;
    char *to = out;
    for (int i = 0; i < 15; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        *to++ = alphabet_url[v >> 18];
        *to++ = alphabet_url[v >> 12 & 63];
        *to++ = alphabet_url[v >> 6 & 63];
        *to++ = alphabet_url[v & 63];
    }
    *to++ = alphabet_url[in[15] >> 2];
    *to++ = alphabet_url[in[15] << 4 & 63];
    *to = 0;
}

void uuid_dashed(const struct uuid *u, char out[UUID_DASHED_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *to = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[u->b[i] >> 4];
        *to++ = digits[u->b[i] & 15];
    }
    *to = 0;
}

enum err uuid_parse(struct slice s, struct uuid *out)
{
    if (s.n != UUID_TEXT_SIZE - 1)
        return E_INVALID;
    struct uuid u;
    uint32_t bad = 0, v = 0;
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint32_t c = value64(s.p[i], true);
        bad |= c & 64;
        v = v << 6 | (c & 63);
        if (i % 4 == 3) {
            u.b[n++] = (uint8_t)(v >> 16);
            u.b[n++] = (uint8_t)(v >> 8);
            u.b[n++] = (uint8_t)v;
            v = 0;
        }
    }
    if (bad || (v & 15))
        return E_INVALID;
    u.b[n] = (uint8_t)(v >> 4);
    *out = u;
    return E_OK;
}
