/* base/json_read.c - the pull parser, see json.h.
 *
 * One call of jr_next looks at one token; nothing is allocated. What may come next is `expect`;
 * whether an open bracket is an object is one bit per level. Strings are checked (controls,
 * escapes, UTF-8) when they are passed and decoded only when asked for.
 *
 *   value       -> EXPECT_COMMA_OR_END in a container, EXPECT_NOTHING at the top (value_done)
 *   {           -> EXPECT_KEY_OR_END
 *   name        -> EXPECT_COLON_VALUE -> value
 *   , in object -> EXPECT_KEY
 *   [           -> EXPECT_VALUE_OR_END
 *   , in array  -> EXPECT_VALUE
 *
 * Invariant: at <= end; after an error token == JT_ERROR for good and `at` is where it happened.
 * Thread: the owner's. */
#include "base/json.h"

#include "base/base.h"
#include "base/bytes.h"
#include "base/mem.h"

enum expect {
    EXPECT_START, /* a value, or blank text to the end */
    EXPECT_VALUE,
    EXPECT_VALUE_OR_END, /* after [ */
    EXPECT_KEY,
    EXPECT_KEY_OR_END, /* after { */
    EXPECT_COLON_VALUE,
    EXPECT_COMMA_OR_END,
    EXPECT_NOTHING,
};

void jr_init(struct json_reader *r, struct slice text, unsigned max_depth)
{
    const char *p = text.p ? text.p : "";
    r->start = r->at = r->token_at = p;
    r->end = p + text.n;
    r->text = SLICE_NULL;
    r->token = JT_END;
    r->escaped = r->allow_trailing = false;
    r->expect = EXPECT_START;
    r->depth = 0;
    r->max_depth = max_depth && max_depth < JSON_DEPTH_MAX ? max_depth : JSON_DEPTH_MAX;
    r->err = E_OK;
    r->what = NULL;
}

static enum json_token fail(struct json_reader *r, enum err code, const char *what)
{
    if (r->token != JT_ERROR) {
        r->err = code;
        r->what = what;
        r->text = SLICE_NULL;
    }
    return r->token = JT_ERROR;
}

static enum json_token fail_here(struct json_reader *r, const char *what)
{
    return fail(r, E_INVALID, r->at == r->end ? "unexpected end of the text" : what);
}

static ALWAYS_INLINE void skip_blanks(struct json_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t'))
        r->at++;
}

static ALWAYS_INLINE bool inside_object(const struct json_reader *r)
{
    unsigned i = r->depth - 1;
    return r->in_object[i / 64] >> i % 64 & 1;
}

static enum json_token value_done(struct json_reader *r, enum json_token t)
{
    r->expect = r->depth ? EXPECT_COMMA_OR_END : EXPECT_NOTHING;
    return r->token = t;
}

static enum json_token begin(struct json_reader *r, bool object)
{
    if (r->depth == r->max_depth)
        return fail(r, E_TOO_LARGE, "too many levels of nesting");
    unsigned i = r->depth++;
    uint64_t bit = (uint64_t)1 << i % 64;
    r->in_object[i / 64] = (r->in_object[i / 64] & ~bit) | (object ? bit : 0);
    r->at++;
    r->text = SLICE_NULL;
    r->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    return r->token = object ? JT_OBJECT : JT_ARRAY;
}

static enum json_token finish(struct json_reader *r)
{
    r->at++;
    bool object = inside_object(r);
    r->depth--;
    r->text = SLICE_NULL;
    return value_done(r, object ? JT_OBJECT_END : JT_ARRAY_END);
}

/* Value of four hex digits, or -1. */
static int hex4(const char *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int c = (unsigned char)p[i];
        int digit = c >= '0' && c <= '9'                     ? c - '0'
                    : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                             : -1;
        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* Plain bytes from p on: no quote, backslash or control; notes whether any is not ASCII. */
static ALWAYS_INLINE const char *plain_run(const char *p, const char *end, uint64_t *not_ascii)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    while (end - p >= 8) {
        uint64_t v = load_le64(p);
        uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
        uint64_t stop =
            (((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) &
            high;
        if (stop)
            break;
        *not_ascii |= v & high;
        p += 8;
    }
    for (; p < end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        *not_ascii |= c & 0x80;
    }
    return p;
}

/* r->at is on the opening quote; moves behind the closing one. False: failed. */
static bool scan_string(struct json_reader *r)
{
    const char *from = ++r->at;
    uint64_t not_ascii = 0;
    r->escaped = false;
    for (;;) {
        r->at = plain_run(r->at, r->end, &not_ascii);
        if (r->at == r->end) {
            fail(r, E_INVALID, "unexpected end of the text inside a string");
            return false;
        }
        if (*r->at == '"')
            break;
        if (*r->at != '\\') {
            fail(r, E_INVALID, "control character inside a string");
            return false;
        }
        r->escaped = true;
        char kind = r->end - r->at >= 2 ? r->at[1] : 0;
        if (kind == 'u' && r->end - r->at >= 6 && hex4(r->at + 2) >= 0) {
            r->at += 6;
        } else if (kind && kind != 'u' && memchr("\"\\/bfnrt", kind, 8)) {
            r->at += 2;
        } else {
            fail(r, E_INVALID, "invalid escape in a string");
            return false;
        }
    }
    r->text = slice_of(from, (size_t)(r->at - from));
    if (not_ascii && !slice_is_utf8(r->text)) {
        fail(r, E_INVALID, "string is not valid UTF-8");
        return false;
    }
    r->at++;
    return true;
}

static const char *digits(const char *p, const char *end)
{
    while (p < end && (unsigned char)(*p - '0') < 10)
        p++;
    return p;
}

static enum json_token scan_number(struct json_reader *r)
{
    const char *p = r->at, *end = r->end, *from;
    if (p < end && *p == '-')
        p++;
    from = p;
    p = digits(p, end);
    bool ok = p > from && (*from != '0' || p == from + 1);
    if (ok && p < end && *p == '.') {
        from = ++p;
        p = digits(p, end);
        ok = p > from;
    }
    if (ok && p < end && (*p | 0x20) == 'e') {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        from = p;
        p = digits(p, end);
        ok = p > from;
    }
    if (!ok) {
        r->at = p < end ? p : end;
        return fail_here(r, "invalid number");
    }
    r->text = slice_of(r->at, (size_t)(p - r->at));
    r->at = p;
    return value_done(r, JT_NUMBER);
}

static enum json_token scan_word(struct json_reader *r, struct slice word, enum json_token t)
{
    if (!slice_starts(slice_of(r->at, (size_t)(r->end - r->at)), word))
        return fail(r, E_INVALID, "unexpected word");
    r->text = slice_of(r->at, word.n);
    r->at += word.n;
    return value_done(r, t);
}

static enum json_token scan_value(struct json_reader *r)
{
    if (r->at == r->end)
        return fail_here(r, "");
    switch (*r->at) {
    case '{':
        return begin(r, true);
    case '[':
        return begin(r, false);
    case '"':
        return scan_string(r) ? value_done(r, JT_STRING) : JT_ERROR;
    case 't':
        return scan_word(r, SL("true"), JT_TRUE);
    case 'f':
        return scan_word(r, SL("false"), JT_FALSE);
    case 'n':
        return scan_word(r, SL("null"), JT_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return scan_number(r);
    default:
        return fail(r, E_INVALID, "unexpected character");
    }
}

static enum json_token scan_key(struct json_reader *r)
{
    if (r->at == r->end || *r->at != '"')
        return fail_here(r, "a member's name in quotes was expected");
    if (!scan_string(r))
        return JT_ERROR;
    const char *after_name = r->at;
    skip_blanks(r);
    if (r->at == r->end || *r->at != ':')
        return fail_here(r, "':' was expected");
    r->at = after_name; /* the colon is passed with the value: jr_raw starts behind it */
    r->expect = EXPECT_COLON_VALUE;
    return r->token = JT_KEY;
}

enum json_token jr_next(struct json_reader *r)
{
    if (r->token == JT_ERROR)
        return JT_ERROR;
    if (r->expect == EXPECT_NOTHING && r->allow_trailing)
        return r->token = JT_END;
    skip_blanks(r);
    if (r->expect == EXPECT_COMMA_OR_END && r->at < r->end && *r->at == ',') {
        r->at++;
        r->expect = inside_object(r) ? EXPECT_KEY : EXPECT_VALUE;
        skip_blanks(r);
    } else if (r->expect == EXPECT_COLON_VALUE) {
        r->at++; /* scan_key has seen the colon */
        r->expect = EXPECT_VALUE;
        skip_blanks(r);
    }
    r->token_at = r->at;
    switch ((enum expect)r->expect) {
    case EXPECT_START:
        if (r->at == r->end)
            return r->token = JT_END;
        return scan_value(r);
    case EXPECT_VALUE:
        return scan_value(r);
    case EXPECT_VALUE_OR_END:
        if (r->at < r->end && *r->at == ']')
            return finish(r);
        return scan_value(r);
    case EXPECT_KEY_OR_END:
        if (r->at < r->end && *r->at == '}')
            return finish(r);
        return scan_key(r);
    case EXPECT_KEY:
        return scan_key(r);
    case EXPECT_COMMA_OR_END:
        if (r->at < r->end && *r->at == (inside_object(r) ? '}' : ']'))
            return finish(r);
        return fail_here(r,
                         inside_object(r) ? "',' or '}' was expected" : "',' or ']' was expected");
    case EXPECT_COLON_VALUE: /* turned into EXPECT_VALUE above */
        break;
    case EXPECT_NOTHING:
        if (r->at == r->end)
            return r->token = JT_END;
        return fail(r, E_INVALID, "more text after the value");
    }
    return fail(r, E_INVALID, "unexpected character");
}

/* --- strings --------------------------------------------------------------------------------- */

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63));
    to[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* Decodes the \u escape at p (checked before); returns how many bytes it took. */
static size_t unicode_escape(const char *p, const char *end, uint32_t *out)
{
    uint32_t c = (uint32_t)hex4(p + 2);
    *out = c;
    if (c < 0xd800 || c > 0xdfff)
        return 6;
    *out = 0xfffd;
    if (c >= 0xdc00 || end - p < 12 || p[6] != '\\' || p[7] != 'u')
        return 6;
    uint32_t low = (uint32_t)hex4(p + 8);
    if (low < 0xdc00 || low > 0xdfff)
        return 6;
    *out = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    return 12;
}

/* Writes s without its escapes; never longer than s. Returns the length. */
static size_t decode(char *to, struct slice s)
{
    const char *p = s.p, *end = s.p + s.n;
    char *start = to;
    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        if (p[1] == 'u') {
            uint32_t c;
            p += unicode_escape(p, end, &c);
            to += put_utf8(to, c);
            continue;
        }
        static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
        const char *known = memchr(names, p[1], 5);
        *to++ = known ? values[known - names] : p[1];
        p += 2;
    }
    return (size_t)(to - start);
}

struct slice jr_string(struct json_reader *r, struct arena *a)
{
    if (r->token != JT_KEY && r->token != JT_STRING)
        return SLICE_NULL;
    if (!r->escaped)
        return r->text;
    char *p = arena_try_alloc(a, r->text.n + 1);
    if (!p) {
        fail(r, E_NOMEM, "no memory for a string");
        return SLICE_NULL;
    }
    size_t n = decode(p, r->text);
    p[n] = 0;
    return slice_of(p, n);
}

void jr_add_string(const struct json_reader *r, struct strbuf *b)
{
    if (r->token != JT_KEY && r->token != JT_STRING)
        return;
    if (!r->escaped) {
        strbuf_add_slice(b, r->text);
        return;
    }
    if (strbuf_reserve(b, r->text.n))
        return;
    b->n += decode(b->p + b->n, r->text);
    b->p[b->n] = 0;
}

bool jr_is(const struct json_reader *r, const char *text)
{
    if (r->token != JT_KEY && r->token != JT_STRING)
        return false;
    size_t n = strlen(text);
    if (!r->escaped)
        return r->text.n == n && memcmp(r->text.p, text, n) == 0;
    char local[256]; /* an escape is at most six times as long as what it stands for */
    if (r->text.n < n || r->text.n > n * 6)
        return false;
    char *copy = r->text.n <= sizeof local ? local : try_alloc(r->text.n);
    if (!copy)
        return false;
    bool same = decode(copy, r->text) == n && memcmp(copy, text, n) == 0;
    if (copy != local)
        mem_free(copy);
    return same;
}

/* --- numbers --------------------------------------------------------------------------------- */

bool jr_is_integer(const struct json_reader *r)
{
    if (r->token != JT_NUMBER)
        return false;
    for (size_t i = 0; i < r->text.n; i++)
        if (r->text.p[i] == '.' || (r->text.p[i] | 0x20) == 'e')
            return false;
    return true;
}

enum err jr_i64(const struct json_reader *r, int64_t *out)
{
    return r->token == JT_NUMBER ? slice_to_i64(r->text, out) : E_INVALID;
}

enum err jr_double(const struct json_reader *r, double *out)
{
    return r->token == JT_NUMBER ? slice_to_double(r->text, out) : E_INVALID;
}

/* --- whole values ---------------------------------------------------------------------------- */

enum err jr_skip(struct json_reader *r)
{
    if (r->token == JT_KEY)
        jr_next(r);
    if (r->token == JT_OBJECT || r->token == JT_ARRAY) {
        unsigned outside = r->depth - 1;
        do
            jr_next(r);
        while (r->token != JT_ERROR && r->depth > outside);
    }
    return r->err;
}

struct slice jr_raw(struct json_reader *r)
{
    if (r->token == JT_KEY)
        jr_next(r);
    const char *from = r->token_at;
    if (r->token == JT_END || jr_skip(r))
        return SLICE_NULL;
    return slice_of(from, (size_t)(r->at - from));
}

/* --- errors ---------------------------------------------------------------------------------- */

enum err jr_err(const struct json_reader *r)
{
    return r->err;
}

void jr_position(const struct json_reader *r, unsigned *line, unsigned *column)
{
    const char *from = r->start;
    *line = 1;
    for (const char *p; (p = memchr(from, '\n', (size_t)(r->at - from))) != NULL; from = p + 1)
        ++*line;
    *column = (unsigned)MIN((size_t)(r->at - from), (size_t)INT32_MAX) + 1;
}

enum err jr_error(const struct json_reader *r, struct error *e)
{
    unsigned line, column;
    if (r->err == E_OK)
        return E_OK;
    jr_position(r, &line, &column);
    return error_set(e, r->err, "line %u column %u: %s", line, column, r->what ? r->what : "");
}

enum err jr_fail(struct json_reader *r, enum err code, const char *what)
{
    if (r->token != JT_ERROR)
        r->at = r->token_at;
    fail(r, code, what);
    return r->err;
}
