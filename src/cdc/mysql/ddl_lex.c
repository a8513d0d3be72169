/* cdc/mysql/ddl_lex.c - see the header.
 *
 * A version comment is entered by skipping its opening (slash-star-bang and digits); its closing
 * star-slash is dropped when the lexer meets it at depth > 0. A version comment for a newer server
 * than ours is a plain comment, as it was for the server. MariaDB runs MySQL's own version comments
 * up to 50699 only. */
#include "cdc/mysql/ddl_lex.h"

void ddl_lex_init(struct ddl_lex *l, struct slice sql, uint64_t sql_mode, bool mariadb,
                  uint32_t server_version)
{
    *l = (struct ddl_lex){
        .at = sql.p ? sql.p : "",
        .end = (sql.p ? sql.p : "") + sql.n,
        .sql_mode = sql_mode,
        .mariadb = mariadb,
        .server_version = server_version,
    };
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static bool is_ident(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}
static char peek(const struct ddl_lex *l, size_t i)
{
    return (size_t)(l->end - l->at) > i ? l->at[i] : '\0';
}

static void skip_line(struct ddl_lex *l)
{
    while (l->at < l->end && *l->at != '\n')
        l->at++;
}

/* At slash-star: either enters a version comment or skips the comment. */
static void comment(struct ddl_lex *l)
{
    bool maria_only = peek(l, 2) == 'M' && peek(l, 3) == '!';

    if (peek(l, 2) == '!' || maria_only) {
        const char *p = l->at + (maria_only ? 4 : 3);
        uint32_t version = 0, digits = 0;
        while (p < l->end && is_digit(*p) && digits < 6) {
            version = version * 10 + (uint32_t)(*p++ - '0');
            digits++;
        }
        bool run = digits < 5 || l->server_version == 0 || version <= l->server_version;
        if (digits < 5) /* no version: the digits are code */
            p = l->at + (maria_only ? 4 : 3);
        if (maria_only && !l->mariadb)
            run = false;
        if (l->mariadb && !maria_only && digits == 5 && version >= 50700 && version <= 99999)
            run = false;
        if (run) {
            l->at = p;
            l->depth++;
            return;
        }
    }
    l->at += 2;
    while (l->at < l->end && !(peek(l, 0) == '*' && peek(l, 1) == '/'))
        l->at++;
    if (l->at >= l->end)
        l->unclosed = true;
    else
        l->at += 2;
}

static void skip_blanks(struct ddl_lex *l)
{
    while (l->at < l->end) {
        char c = *l->at;
        if (is_space(c))
            l->at++;
        else if (c == '#')
            skip_line(l);
        else if (c == '-' && peek(l, 1) == '-' && (l->end - l->at == 2 || is_space(peek(l, 2))))
            skip_line(l);
        else if (c == '/' && peek(l, 1) == '*')
            comment(l);
        else if (c == '*' && peek(l, 1) == '/' && l->depth > 0) {
            l->at += 2;
            l->depth--;
        } else
            break;
    }
}

/* At an opening quote. Backslashes escape in strings unless NO_BACKSLASH_ESCAPES. */
static void quoted(struct ddl_lex *l, struct ddl_token *t, char quote, bool backslash)
{
    const char *start = ++l->at;

    t->quote = quote;
    while (l->at < l->end) {
        if (*l->at == '\\' && backslash) {
            t->escaped = true;
            l->at += l->end - l->at >= 2 ? 2 : 1;
        } else if (*l->at == quote) {
            if (peek(l, 1) != quote)
                break;
            t->escaped = true;
            l->at += 2;
        } else
            l->at++;
    }
    t->text = slice_of(start, (size_t)(l->at - start));
    if (l->at < l->end)
        l->at++;
    else
        l->unclosed = true;
}

static void number(struct ddl_lex *l, struct ddl_token *t)
{
    const char *start = l->at;
    bool only_digits = true;

    while (l->at < l->end && is_digit(*l->at))
        l->at++;
    if (peek(l, 0) == '.' && (is_digit(peek(l, 1)) || l->at > start)) {
        only_digits = false;
        l->at++;
        while (l->at < l->end && is_digit(*l->at))
            l->at++;
    }
    if ((peek(l, 0) == 'e' || peek(l, 0) == 'E') &&
        (is_digit(peek(l, 1)) ||
         ((peek(l, 1) == '+' || peek(l, 1) == '-') && is_digit(peek(l, 2))))) {
        only_digits = false;
        l->at += 2;
        while (l->at < l->end && is_digit(*l->at))
            l->at++;
    }
    t->kind = TOK_NUMBER;
    if (only_digits && l->at < l->end &&
        is_ident(*l->at)) { /* 1st_name: identifiers may start so */
        while (l->at < l->end && is_ident(*l->at))
            l->at++;
        t->kind = TOK_WORD;
    }
    t->text = slice_of(start, (size_t)(l->at - start));
}

/* 0x.., 0b.., x'..', b'..', n'..'; true when it was one. */
static bool special_literal(struct ddl_lex *l, struct ddl_token *t)
{
    char c = peek(l, 0), d = peek(l, 1);

    if (c == '0' && (d == 'x' || d == 'b')) {
        const char *p = l->at + 2;
        while (p < l->end && (d == 'x' ? is_hex(*p) : *p == '0' || *p == '1'))
            p++;
        if (p == l->at + 2 || (p < l->end && is_ident(*p)))
            return false;
        t->kind = d == 'x' ? TOK_HEX : TOK_BITS;
        t->text = slice_of(l->at + 2, (size_t)(p - l->at - 2));
        l->at = p;
        return true;
    }
    if (d != '\'')
        return false;
    if (c == 'x' || c == 'X')
        t->kind = TOK_HEX;
    else if (c == 'b' || c == 'B')
        t->kind = TOK_BITS;
    else if (c == 'n' || c == 'N')
        t->kind = TOK_STRING;
    else
        return false;
    l->at++;
    quoted(l, t, '\'', t->kind == TOK_STRING && !(l->sql_mode & SQL_MODE_NO_BACKSLASH_ESCAPES));
    return true;
}

static void variable(struct ddl_lex *l, struct ddl_token *t)
{
    const char *start = l->at;

    while (peek(l, 0) == '@')
        l->at++;
    if (peek(l, 0) == '`' || peek(l, 0) == '\'' || peek(l, 0) == '"') {
        struct ddl_token inner = {.kind = TOK_END};
        quoted(l, &inner, *l->at, false);
    } else
        while (l->at < l->end && (is_ident(*l->at) || *l->at == '.'))
            l->at++;
    t->kind = TOK_VARIABLE;
    t->text = slice_of(start, (size_t)(l->at - start));
}

void ddl_lex_next(struct ddl_lex *l, struct ddl_token *t)
{
    bool backslash = !(l->sql_mode & SQL_MODE_NO_BACKSLASH_ESCAPES);

    skip_blanks(l);
    *t = (struct ddl_token){.kind = TOK_END, .raw = slice_of(l->at, 0), .text = slice_of(l->at, 0)};
    if (l->at >= l->end)
        return;
    const char *start = l->at;
    char c = *start;
    bool after_dot = l->after_dot, after_name = l->after_name;
    if (!after_dot && special_literal(l, t)) {
        /* done */
    } else if (!after_dot && (is_digit(c) || (c == '.' && !after_name && is_digit(peek(l, 1))))) {
        number(l, t);
    } else if (is_ident(c)) {
        while (l->at < l->end && is_ident(*l->at))
            l->at++;
        t->kind = TOK_WORD;
        t->text = slice_of(start, (size_t)(l->at - start));
    } else if (c == '`' || (c == '"' && (l->sql_mode & SQL_MODE_ANSI_QUOTES))) {
        t->kind = TOK_QUOTED;
        quoted(l, t, c, false);
    } else if (c == '\'' || c == '"') {
        t->kind = TOK_STRING;
        quoted(l, t, c, backslash);
    } else if (c == '@') {
        variable(l, t);
    } else {
        t->kind = TOK_PUNCT;
        t->punct = c;
        l->at += c == ':' && peek(l, 1) == '=' ? 2 : 1;
        t->text = slice_of(start, (size_t)(l->at - start));
    }
    t->raw = slice_of(start, (size_t)(l->at - start));
    l->after_dot = after_name && t->punct == '.';
    l->after_name = t->kind == TOK_WORD || t->kind == TOK_QUOTED;
}

static char unescape(char c)
{
    switch (c) {
    case '0':
        return '\0';
    case 'b':
        return '\b';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'Z':
        return '\x1a';
    default:
        return c;
    }
}

struct slice ddl_token_text(const struct ddl_lex *l, const struct ddl_token *t, struct arena *a)
{
    if (!t->escaped)
        return t->text;
    char *out = arena_try_alloc(a, t->text.n + 1);
    if (!out)
        return SLICE_NULL;
    bool backslash = t->kind == TOK_STRING && !(l->sql_mode & SQL_MODE_NO_BACKSLASH_ESCAPES);
    size_t n = 0;
    for (size_t i = 0; i < t->text.n; i++) {
        char c = t->text.p[i];
        if (c == '\\' && backslash && i + 1 < t->text.n) {
            char d = t->text.p[++i];
            if (d == '%' || d == '_') /* keep their backslash, as the server does */
                out[n++] = '\\';
            out[n++] = unescape(d);
        } else {
            out[n++] = c;
            if (c == t->quote && i + 1 < t->text.n && t->text.p[i + 1] == c)
                i++;
        }
    }
    out[n] = '\0';
    return slice_of(out, n);
}

bool ddl_token_is(const struct ddl_token *t, const char *keyword)
{
    return t->kind == TOK_WORD && slice_ieq(t->text, slice_cstr(keyword));
}
