/* base/json_write.c - the streaming writer, see json.h.
 *
 * Text goes straight into the strbuf; the writer's whole state is whether a comma is due. Strings
 * are copied in runs that need no escape, found 16 bytes at a time.
 *
 * SPEC: connect 5.2 (which characters are escaped, and how). Thread: the owner's. */
#include "base/json.h"

#include <math.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/base.h"
#include "base/bytes.h"

static ALWAYS_INLINE bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* Nonzero when one of the 8 bytes needs an escape. */
static ALWAYS_INLINE uint64_t escape_in_word(uint64_t v)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
    return (((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
           high;
}

/* Copies from p to `to` up to the first byte that needs an escape; returns how many. Never writes
 * more than n bytes. */
static ALWAYS_INLINE size_t copy_run(char *to, const char *p, size_t n)
{
    size_t i = 0;
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');
    const __m128i control = _mm_set1_epi8(0x1f);
    for (; n - i >= 16; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i bad = _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash));
        bad = _mm_or_si128(bad, _mm_cmpeq_epi8(_mm_min_epu8(v, control), v));
        _mm_storeu_si128((__m128i *)(void *)(to + i), v);
        int mask = _mm_movemask_epi8(bad);
        if (mask)
            return i + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    for (; n - i >= 8; i += 8) {
        uint64_t v;
        memcpy(&v, p + i, 8);
        if (escape_in_word(v))
            break;
        memcpy(to + i, &v, 8);
    }
    for (; i < n && !needs_escape((unsigned char)p[i]); i++)
        to[i] = p[i];
    return i;
}

static void add_escape(struct strbuf *b, unsigned char c)
{
    static const char hex[] = "0123456789ABCDEF";
    char text[6] = {'\\', 0, '0', '0', 0, 0};
    size_t n = 2;
    switch (c) {
    case '"':
    case '\\':
        text[1] = (char)c;
        break;
    case '\b':
        text[1] = 'b';
        break;
    case '\t':
        text[1] = 't';
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\f':
        text[1] = 'f';
        break;
    case '\r':
        text[1] = 'r';
        break;
    default:
        text[1] = 'u';
        text[4] = hex[c >> 4];
        text[5] = hex[c & 15];
        n = 6;
    }
    strbuf_add(b, text, n);
}

void json_add_escaped(struct strbuf *b, struct slice s)
{
    while (s.n > 0) {
        if (strbuf_reserve(b, s.n))
            return;
        size_t run = copy_run(b->p + b->n, s.p, s.n);
        b->n += run;
        b->p[b->n] = 0;
        if (run == s.n)
            return;
        add_escape(b, (unsigned char)s.p[run]);
        s = slice_of(s.p + run + 1, s.n - run - 1);
    }
}

void json_add_string(struct strbuf *b, struct slice s)
{
    if (!s.p) {
        strbuf_add(b, "null", 4);
        return;
    }
    if (strbuf_reserve(b, s.n + 2))
        return;
    b->p[b->n++] = '"';
    size_t run = copy_run(b->p + b->n, s.p, s.n);
    b->n += run;
    if (LIKELY(run == s.n)) {
        b->p[b->n++] = '"';
        b->p[b->n] = 0;
        return;
    }
    b->p[b->n] = 0;
    json_add_escaped(b, slice_of(s.p + run, s.n - run));
    strbuf_addc(b, '"');
}

void json_add_base64(struct strbuf *b, struct slice bytes)
{
    if (!bytes.p) {
        strbuf_add(b, "null", 4);
        return;
    }
    strbuf_addc(b, '"');
    base64_encode(b, bytes);
    strbuf_addc(b, '"');
}

/* --- the writer ------------------------------------------------------------------------------ */

void jw_key(struct json_writer *w, struct slice key)
{
    jw_comma(w);
    json_add_string(w->b, key.p ? key : SL(""));
    strbuf_addc(w->b, ':');
    w->comma = false;
}

void jw_key_c(struct json_writer *w, const char *key)
{
    jw_key(w, slice_cstr(key));
}

void jw_key_ready(struct json_writer *w, struct slice quoted_and_colon)
{
    jw_comma(w);
    strbuf_add_slice(w->b, quoted_and_colon);
    w->comma = false;
}

void jw_string(struct json_writer *w, struct slice s)
{
    jw_comma(w);
    json_add_string(w->b, s);
}

void jw_string_c(struct json_writer *w, const char *s)
{
    jw_string(w, slice_cstr(s));
}

void jw_stringf(struct json_writer *w, const char *fmt, ...)
{
    char local[256];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(local, sizeof local, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof local) {
        jw_string(w, slice_of(local, (size_t)n));
        return;
    }
    struct strbuf text;
    strbuf_init(&text, w->b->max);
    va_start(ap, fmt);
    strbuf_addv(&text, fmt, ap);
    va_end(ap);
    if (strbuf_err(&text) && !w->b->failed)
        w->b->failed = strbuf_err(&text);
    jw_string(w, strbuf_slice(&text));
    strbuf_release(&text);
}

void jw_i64(struct json_writer *w, int64_t v)
{
    jw_comma(w);
    strbuf_add_i64(w->b, v);
}

void jw_u64(struct json_writer *w, uint64_t v)
{
    jw_comma(w);
    strbuf_add_u64(w->b, v);
}

void jw_double(struct json_writer *w, double v)
{
    jw_comma(w);
    if (LIKELY(isfinite(v))) {
        json_add_double(w->b, v);
        return;
    }
    strbuf_addc(w->b, '"');
    json_add_double(w->b, v);
    strbuf_addc(w->b, '"');
}

void jw_float(struct json_writer *w, float v)
{
    if (UNLIKELY(!isfinite(v))) {
        jw_double(w, (double)v);
        return;
    }
    jw_comma(w);
    json_add_float(w->b, v);
}

void jw_bool(struct json_writer *w, bool v)
{
    jw_comma(w);
    strbuf_add(w->b, v ? "true" : "false", v ? 4 : 5);
}

void jw_null(struct json_writer *w)
{
    jw_comma(w);
    strbuf_add(w->b, "null", 4);
}

void jw_base64(struct json_writer *w, struct slice bytes)
{
    jw_comma(w);
    json_add_base64(w->b, bytes);
}

void jw_raw(struct json_writer *w, struct slice json)
{
    jw_comma(w);
    strbuf_add_slice(w->b, json);
}

void jw_kv_string(struct json_writer *w, const char *key, struct slice v)
{
    jw_key_c(w, key);
    jw_string(w, v);
}

void jw_kv_string_c(struct json_writer *w, const char *key, const char *v)
{
    jw_key_c(w, key);
    jw_string_c(w, v);
}

void jw_kv_i64(struct json_writer *w, const char *key, int64_t v)
{
    jw_key_c(w, key);
    jw_i64(w, v);
}

void jw_kv_bool(struct json_writer *w, const char *key, bool v)
{
    jw_key_c(w, key);
    jw_bool(w, v);
}

void jw_kv_null(struct json_writer *w, const char *key)
{
    jw_key_c(w, key);
    jw_null(w);
}

void jw_kv_object(struct json_writer *w, const char *key)
{
    jw_key_c(w, key);
    jw_begin_object(w);
}

void jw_kv_array(struct json_writer *w, const char *key)
{
    jw_key_c(w, key);
    jw_begin_array(w);
}
