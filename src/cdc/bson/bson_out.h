/* cdc/bson/bson_out.h - how bson_json.c writes: room in a buffer, fixed pieces and texts, each as
 * plain JSON and as the inside of a JSON string (`esc`, a constant wherever these are inlined). For
 * that file alone.
 *
 * Texts: ASCII in steps of 16 bytes up to the next one that needs an escape; all else is decoded
 * and looked up in bson_chars.h. SPEC: cdc-mongodb 6.5 */
#ifndef WEIR_CDC_BSON_BSON_OUT_H
#define WEIR_CDC_BSON_BSON_OUT_H

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "cdc/bson/bson_chars.h"
#include "cdc/bson/bson_json.h"

#define ROOM 256 /* what a member needs besides its name and text */

struct out {
    char *p, *end; /* free room of b, which learns about it in more() and at the end */
    struct strbuf *b;
    enum bson_json_mode mode;
    bool spaced;
};

static inline void sync_buffer(struct out *o)
{
    o->b->n = (size_t)(o->p - o->b->p);
}

static inline void take_buffer(struct out *o)
{
    o->p = o->b->p + o->b->n;
    o->end = o->b->p + o->b->cap;
}

static __attribute__((noinline, unused)) bool more(struct out *o, size_t n)
{
    sync_buffer(o);
    if (strbuf_reserve(o->b, n))
        return false;
    take_buffer(o);
    return true;
}

static ALWAYS_INLINE bool need(struct out *o, size_t n)
{
    return LIKELY((size_t)(o->end - o->p) >= n) || more(o, n);
}

static ALWAYS_INLINE void put(struct out *o, const void *s, size_t n)
{
    memcpy(o->p, s, n);
    o->p += n;
}

/* A fixed text: M(q) has a q for each quote. */
#define PUT(M)                                                                                     \
    do {                                                                                           \
        if (esc)                                                                                   \
            put(o, M("\\\""), sizeof M("\\\"") - 1);                                               \
        else                                                                                       \
            put(o, M("\""), sizeof M("\"") - 1);                                                   \
    } while (0)
#define QUOTE(q) q
#define QUOTE_CLOSE(q) q "}"
#define QUOTE_CLOSE_TWICE(q) q "}}"
#define COLON(q) q ": "

static ALWAYS_INLINE void put_comma(struct out *o)
{
    *o->p++ = ',';
    if (o->spaced)
        *o->p++ = ' ';
}

/* --- texts ------------------------------------------------------------------------------------ */

static inline bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Copies plain bytes; how many. */
static ALWAYS_INLINE size_t put_plain(struct out *o, const char *s, size_t n)
{
    size_t i = 0;
#if defined(__SSE2__)
    while (n - i >= 16 && o->end - o->p >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(s + i));
        __m128i odd = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)), /* also above 0x7f */
                                   _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
        odd = _mm_or_si128(odd, _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));
        unsigned mask = (unsigned)_mm_movemask_epi8(odd);
        _mm_storeu_si128((__m128i *)(void *)o->p, v);
        if (mask) {
            size_t k = (size_t)__builtin_ctz(mask);
            o->p += k;
            return i + k;
        }
        o->p += 16;
        i += 16;
    }
    n = MIN(n, i + 16);
#endif
    for (; i < n && o->p < o->end && is_plain((unsigned char)s[i]); i++)
        *o->p++ = s[i];
    return i;
}

static ALWAYS_INLINE void put_unit(struct out *o, unsigned unit, bool esc) /* \uXXXX */
{
    static const char hex[] = "0123456789abcdef";
    if (esc)
        *o->p++ = '\\';
    put(o, "\\u", 2);
    for (int shift = 12; shift >= 0; shift -= 4)
        *o->p++ = hex[unit >> shift & 15];
}

static ALWAYS_INLINE void put_odd_ascii(struct out *o, unsigned char c, bool esc)
{
    static const char short_form[128] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                         ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
    char s = short_form[c];
    if (!s) {
        put_unit(o, c, esc);
        return;
    }
    *o->p++ = '\\';
    if (esc)
        *o->p++ = '\\';
    if (esc && (c == '"' || c == '\\'))
        *o->p++ = '\\';
    *o->p++ = s;
}

/* The character at p, *len bytes of it. What is not UTF-8: U+FFFD, as Java decodes, for as many
 * bytes as began a character; a surrogate counts as one. */
static inline uint32_t decode(const unsigned char *p, size_t n, size_t *len)
{
    unsigned char c = p[0];
    *len = 1;
    if (c < 0xc2 || c > 0xf4)
        return 0xfffd;
    size_t want = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t v = c & (0x7fu >> want);
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xf4 ? 0x8f : 0xbf;
    for (size_t i = 1; i < want; i++, low = 0x80, high = 0xbf) {
        if (i == n || p[i] < low || p[i] > high)
            return 0xfffd;
        v = v << 6 | (p[i] & 0x3f);
        *len = i + 1;
    }
    return v >= 0xd800 && v < 0xe000 ? 0xfffd : v;
}

/* A character beyond ASCII; its bytes. */
static ALWAYS_INLINE size_t put_wide(struct out *o, const char *s, size_t n, bool esc)
{
    size_t len;
    uint32_t v = decode((const unsigned char *)s, n, &len);
    if (v > 0xffff) {
        v -= 0x10000;
        put_unit(o, 0xd800 | v >> 10, esc);
        put_unit(o, 0xdc00 | (v & 0x3ff), esc);
    } else if (v == 0xfffd) {
        put(o, "\xef\xbf\xbd", 3);
    } else if (bson_char_is_raw((uint16_t)v)) {
        put(o, s, len);
    } else {
        put_unit(o, v, esc);
    }
    return len;
}

/* With its quotes; leaves ROOM. */
static ALWAYS_INLINE bool put_text(struct out *o, struct slice s, bool esc)
{
    PUT(QUOTE);
    const char *at = s.p, *end = s.p + s.n;
    while (at < end) {
        if (!need(o, 32))
            return false;
        at += put_plain(o, at, (size_t)(end - at));
        while (at < end && !is_plain((unsigned char)*at)) {
            if (!need(o, 32))
                return false;
            if ((unsigned char)*at >= 0x80)
                at += put_wide(o, at, (size_t)(end - at), esc);
            else
                put_odd_ascii(o, (unsigned char)*at++, esc);
        }
    }
    if (!need(o, ROOM))
        return false;
    PUT(QUOTE);
    return true;
}

#endif
