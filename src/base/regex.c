/* base/regex.c - see the header. */
#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/mem.h"

#define MATCH_LIMIT 200000
#define PATTERN_MAX 65536

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

/* PCRE2's error in the words of Java's compiler, with the line of the caret that it prints. */
static enum err java_error(int code, size_t at, struct slice pattern, struct error *e)
{
    const char *text = NULL;
    bool caret = true;
    switch (code) {
    case PCRE2_ERROR_MISSING_SQUARE_BRACKET:
        text = "Unclosed character class";
        at = pattern.n ? pattern.n - 1 : 0;
        break;
    case PCRE2_ERROR_MISSING_CLOSING_PARENTHESIS:
        text = "Unclosed group";
        at = pattern.n;
        caret = false;
        break;
    case PCRE2_ERROR_UNMATCHED_CLOSING_PARENTHESIS:
        text = "Unmatched closing ')'";
        at = at >= 2 ? at - 2 : 0;
        break;
    case PCRE2_ERROR_QUANTIFIER_INVALID:
        return error_set(e, E_INVALID,
                         "Dangling meta character '%c' near index %zu\n" PRI_SL "\n%*s^",
                         at < pattern.n ? pattern.p[at] : '*', at, ARG_SL(pattern), (int)at, "");
    default:
        break;
    }
    char buf[160] = "";
    if (!text) {
        pcre2_get_error_message(code, (PCRE2_UCHAR *)buf, sizeof buf);
        text = buf;
    }
    if (!caret)
        return error_set(e, E_INVALID, "%s near index %zu\n" PRI_SL, text, at, ARG_SL(pattern));
    return error_set(e, E_INVALID, "%s near index %zu\n" PRI_SL "\n%*s^", text, at, ARG_SL(pattern),
                     (int)MIN(at, (size_t)200), "");
}

enum err regex_compile(struct regex **out, struct slice pattern, unsigned flags, struct error *e)
{
    int code;
    PCRE2_SIZE at;
    *out = NULL;
    if (pattern.n > PATTERN_MAX)
        return error_set(e, E_TOO_LARGE, "the regular expression is too long");
    pcre2_code *c = pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""), pattern.n,
                                  PCRE2_UTF | PCRE2_DOLLAR_ENDONLY |
                                      (flags & REGEX_ANY_CASE ? PCRE2_CASELESS : 0),
                                  &code, &at, NULL);
    if (!c)
        return java_error(code, at, pattern, e);
    struct regex *r = xmalloc(sizeof *r);
    r->code = c;
    r->data = pcre2_match_data_create_from_pattern(c, NULL);
    r->context = pcre2_match_context_create(NULL);
    if (!r->data || !r->context) {
        regex_free(r);
        return error_set(e, E_NOMEM, "no memory for a regular expression");
    }
    pcre2_set_match_limit(r->context, MATCH_LIMIT);
    *out = r;
    return E_OK;
}

void regex_free(struct regex *r)
{
    if (!r)
        return;
    pcre2_match_context_free(r->context);
    pcre2_match_data_free(r->data);
    pcre2_code_free(r->code);
    mem_free(r);
}

bool regex_matches(const struct regex *r, struct slice text)
{
    return pcre2_match(r->code, (PCRE2_SPTR)(text.p ? text.p : ""), text.n, 0,
                       PCRE2_ANCHORED | PCRE2_ENDANCHORED, r->data, r->context) >= 0;
}

/* --- replacement ------------------------------------------------------------------------------ */

static enum err no_group(struct error *e, struct slice name)
{
    return error_set(e, E_INVALID, "No group " PRI_SL, ARG_SL(name));
}

static enum err add_group(const struct regex *r, struct slice text, int group, struct slice name,
                          struct strbuf *out, struct error *e)
{
    if (group < 0 || (uint32_t)group >= pcre2_get_ovector_count(r->data))
        return no_group(e, name);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(r->data) + 2 * (size_t)group;
    if (at[0] != PCRE2_UNSET)
        strbuf_add_slice(out, slice_sub(text, at[0], at[1]));
    return E_OK;
}

/* Java: the first digit names a group, further ones are taken while such a group exists. */
static enum err add_numbered(const struct regex *r, struct slice text, struct slice replacement,
                             size_t *i, struct strbuf *out, struct error *e)
{
    size_t from = *i;
    int groups = (int)pcre2_get_ovector_count(r->data), n = replacement.p[(*i)++] - '0';
    while (*i < replacement.n && replacement.p[*i] >= '0' && replacement.p[*i] <= '9' &&
           n * 10 + (replacement.p[*i] - '0') < groups)
        n = n * 10 + (replacement.p[(*i)++] - '0');
    return add_group(r, text, n, slice_sub(replacement, from, *i), out, e);
}

static enum err add_named(const struct regex *r, struct slice text, struct slice name,
                          struct strbuf *out, struct error *e)
{
    char *z = slice_dup(name);
    int group = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)z);
    mem_free(z);
    return group < 0 ? error_set(e, E_INVALID, "No group with name {" PRI_SL "}", ARG_SL(name))
                     : add_group(r, text, group, name, out, e);
}

static enum err expand(const struct regex *r, struct slice text, struct slice p, struct strbuf *out,
                       struct error *e)
{
    enum err rc = E_OK;
    for (size_t i = 0; i < p.n && rc == E_OK;) {
        char c = p.p[i++];
        if (c == '\\') {
            if (i == p.n)
                return error_set(e, E_INVALID, "character to be escaped is missing");
            strbuf_addc(out, p.p[i++]);
        } else if (c != '$') {
            strbuf_addc(out, c);
        } else if (i < p.n && p.p[i] >= '0' && p.p[i] <= '9') {
            rc = add_numbered(r, text, p, &i, out, e);
        } else if (i < p.n && p.p[i] == '{') {
            size_t end = ++i;
            while (end < p.n && p.p[end] != '}')
                end++;
            if (end == p.n)
                return error_set(e, E_INVALID, "named capturing group is missing trailing '}'");
            rc = add_named(r, text, slice_sub(p, i, end), out, e);
            i = end + 1;
        } else {
            return error_set(e, E_INVALID, "Illegal group reference");
        }
    }
    return rc;
}

enum err regex_replace_whole(const struct regex *r, struct slice text, struct slice replacement,
                             struct strbuf *out, struct error *e)
{
    return regex_matches(r, text) ? expand(r, text, replacement, out, e) : E_NOT_FOUND;
}
