/* cdc/bson/bson_lex.c - see the header. What is taken beyond JSON: single quotes, unquoted names, /x/i,
 * NaN and Infinity, control characters in texts, `\'`. Texts without escapes are borrowed. */
#include "cdc/bson/bson_lex.h"

#include <math.h>

enum err bson_lex_fail(struct bson_lexer *l, const char *at, const char *what)
{
    unsigned line = 1;
    const char *line_at = l->start;
    if (l->err)
        return l->err;
    for (const char *p = l->start; p < at; p++)
        if (*p == '\n') {
            line++;
            line_at = p + 1;
        }
    l->err = E_INVALID;
    return error_set(l->e, E_INVALID, "line %u column %zu: %s", line, (size_t)(at - line_at) + 1,
                     what);
}

static struct bson_token bad(struct bson_lexer *l, const char *at, const char *what)
{
    bson_lex_fail(l, at, what);
    return (struct bson_token){.kind = BSON_T_BAD, .at = at};
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '$';
}

/* --- texts ------------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    return is_digit(c)            ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Four digits at p; -1: they are none. */
static int32_t hex_unit(const char *p, const char *end)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        int d = p + i < end ? hex_digit(p[i]) : -1;
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

static char *put_utf8(char *p, uint32_t v)
{
    if (v < 0x80) {
        *p++ = (char)v;
    } else if (v < 0x800) {
        *p++ = (char)(0xc0 | v >> 6);
        *p++ = (char)(0x80 | (v & 0x3f));
    } else if (v < 0x10000) {
        *p++ = (char)(0xe0 | v >> 12);
        *p++ = (char)(0x80 | (v >> 6 & 0x3f));
        *p++ = (char)(0x80 | (v & 0x3f));
    } else {
        *p++ = (char)(0xf0 | v >> 18);
        *p++ = (char)(0x80 | (v >> 12 & 0x3f));
        *p++ = (char)(0x80 | (v >> 6 & 0x3f));
        *p++ = (char)(0x80 | (v & 0x3f));
    }
    return p;
}

/* The character of \uXXXX at *at (behind the u), two of them for a pair; *at moves. A surrogate alone
 * is U+FFFD. */
static bool unicode_escape(const char **at, const char *end, uint32_t *out)
{
    int32_t v = hex_unit(*at, end);
    if (v < 0)
        return false;
    *at += 4;
    *out = (uint32_t)v;
    if (v < 0xd800 || v > 0xdfff)
        return true;
    int32_t low = v < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u'
                      ? hex_unit(*at + 2, end)
                      : -1;
    if (low < 0xdc00 || low > 0xdfff) {
        *out = 0xfffd;
        return true;
    }
    *at += 6;
    *out = 0x10000 + (((uint32_t)v - 0xd800) << 10 | ((uint32_t)low - 0xdc00));
    return true;
}

/* s: between the quotes, with escapes; no longer than that decoded. */
static struct bson_token decode(struct bson_lexer *l, struct bson_token t, struct slice s)
{
    static const char from[] = "\"'\\/bfnrt", to[] = "\"'\\/\b\f\n\r\t";
    char *out = arena_try_alloc(l->arena, s.n + 1);
    if (!out) {
        l->err = error_set(l->e, E_TOO_LARGE, "the text is too long");
        return (struct bson_token){.kind = BSON_T_BAD, .at = t.at};
    }
    char *p = out;
    const char *at = s.p, *end = s.p + s.n;
    while (at < end) {
        if (*at != '\\') {
            *p++ = *at++;
            continue;
        }
        const char *escape = at++;
        const char *known = *at ? strchr(from, *at) : NULL;
        uint32_t v;
        if (known) {
            *p++ = to[known - from];
            at++;
        } else if (*at++ == 'u' && unicode_escape(&at, end, &v)) {
            p = put_utf8(p, v);
        } else {
            return bad(l, escape, "not a valid escape");
        }
    }
    t.text = slice_of(out, (size_t)(p - out));
    return t;
}

static struct bson_token lex_string(struct bson_lexer *l)
{
    struct bson_token t = {.kind = BSON_T_STRING, .at = l->at};
    char quote = *l->at;
    bool escapes = false;
    const char *p = l->at + 1;
    for (; p < l->end && *p != quote; p++)
        if (*p == '\\') {
            escapes = true;
            if (++p == l->end)
                break;
        }
    if (p == l->end)
        return bad(l, t.at, "the text has no closing quote");
    struct slice s = slice_of(t.at + 1, (size_t)(p - t.at - 1));
    l->at = p + 1;
    if (escapes)
        return decode(l, t, s);
    t.text = s;
    return t;
}

static struct bson_token lex_regex(struct bson_lexer *l)
{
    struct bson_token t = {.kind = BSON_T_REGEX, .at = l->at};
    const char *p = l->at + 1;
    for (; p < l->end && *p != '/'; p++)
        if (*p == '\\' && ++p == l->end)
            break;
    if (p >= l->end)
        return bad(l, t.at, "the regular expression has no closing /");
    t.text = slice_of(t.at + 1, (size_t)(p - t.at - 1));
    const char *options = ++p;
    while (p < l->end && is_name(*p))
        p++;
    t.options = slice_of(options, (size_t)(p - options));
    l->at = p;
    return t;
}

/* --- numbers ---------------------------------------------------------------------------------- */

static const char *digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static struct bson_token lex_number(struct bson_lexer *l)
{
    struct bson_token t = {.kind = BSON_T_INT, .at = l->at};
    const char *p = l->at + (*l->at == '-'), *first = p;
    if (slice_starts(slice_of(p, (size_t)(l->end - p)), SL("Infinity"))) {
        l->at = p + 8;
        t.kind = BSON_T_DOUBLE;
        t.d = -(double)INFINITY;
        return t;
    }
    p = digits(p, l->end);
    bool ok = p > first && (*first != '0' || p == first + 1);
    if (ok && p < l->end && *p == '.') {
        const char *fraction = ++p;
        t.kind = BSON_T_DOUBLE;
        p = digits(p, l->end);
        ok = p > fraction;
    }
    if (ok && p < l->end && (*p == 'e' || *p == 'E')) {
        t.kind = BSON_T_DOUBLE;
        if (++p < l->end && (*p == '+' || *p == '-'))
            p++;
        const char *exponent = p;
        p = digits(p, l->end);
        ok = p > exponent;
    }
    if (!ok || (p < l->end && is_name(*p)))
        return bad(l, t.at, "not a valid number");
    t.text = slice_of(t.at, (size_t)(p - t.at));
    l->at = p;
    if (t.kind == BSON_T_INT && slice_to_i64(t.text, &t.i) == E_OK)
        return t;
    t.kind = BSON_T_DOUBLE; /* also integers beyond 64 bits */
    enum err err = slice_to_double(t.text, &t.d);
    if (err == E_TOO_LARGE)
        t.d = *t.at == '-' ? -(double)INFINITY : (double)INFINITY;
    return err && err != E_TOO_LARGE ? bad(l, t.at, "not a valid number") : t;
}

static struct bson_token lex_name(struct bson_lexer *l)
{
    struct bson_token t = {.kind = BSON_T_NAME, .at = l->at};
    const char *p = l->at;
    while (p < l->end && is_name(*p))
        p++;
    t.text = slice_of(t.at, (size_t)(p - t.at));
    l->at = p;
    bool nan = slice_eq(t.text, SL("NaN"));
    if (nan || slice_eq(t.text, SL("Infinity"))) {
        t.kind = BSON_T_DOUBLE;
        t.d = nan ? (double)NAN : (double)INFINITY;
    }
    return t;
}

struct bson_token bson_lex(struct bson_lexer *l)
{
    static const char marks[] = "{}[]():,";
    static const enum bson_token_kind kinds[] = {BSON_T_OPEN,     BSON_T_CLOSE, BSON_T_LIST,
                                                 BSON_T_LIST_END, BSON_T_PAREN, BSON_T_PAREN_END,
                                                 BSON_T_COLON,    BSON_T_COMMA};
    if (l->err)
        return (struct bson_token){.kind = BSON_T_BAD, .at = l->at};
    while (l->at < l->end && (*l->at == ' ' || (*l->at >= '\t' && *l->at <= '\r')))
        l->at++;
    if (l->at == l->end)
        return (struct bson_token){.kind = BSON_T_END, .at = l->at};
    char c = *l->at;
    if (c == '"' || c == '\'')
        return lex_string(l);
    const char *mark = c ? strchr(marks, c) : NULL;
    if (mark)
        return (struct bson_token){.kind = kinds[mark - marks], .at = l->at++};
    if (is_digit(c) || c == '-')
        return lex_number(l);
    if (is_name(c))
        return lex_name(l);
    return c == '/' ? lex_regex(l) : bad(l, l->at, "not a value, name or bracket");
}
