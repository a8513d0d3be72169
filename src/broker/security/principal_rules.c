/* broker/security/principal_rules.c - see principal_rules.h. Matching has a limit, so that a subject can't
 * make a pattern run for long. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "broker/security/principal_rules.h"

#include "base/base.h"
#include "base/mem.h"

#include <pcre2.h>

#define MATCH_LIMIT 100000

struct rule {
    pcre2_code *pattern; /* NULL: DEFAULT */
    char *replacement;
    char fold; /* 'L', 'U' or 0 */
};
struct principal_rules {
    struct rule *v;
    size_t count;
};

void principal_rules_free(struct principal_rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++) {
        pcre2_code_free(r->v[i].pattern);
        mem_free(r->v[i].replacement);
    }
    mem_free(r->v);
    mem_free(r);
}

static struct rule *add(struct principal_rules *r)
{
    r->v = xrealloc(r->v, (r->count + 1) * sizeof *r->v);
    r->v[r->count] = (struct rule){0};
    return &r->v[r->count++];
}

/* Up to the next '/' that no backslash stands before. */
static bool take_part(struct slice *rest, struct slice *part)
{
    for (size_t i = 0; i < rest->n; i++) {
        if (rest->p[i] == '\\') {
            i++;
        } else if (rest->p[i] == '/') {
            *part = slice_sub(*rest, 0, i);
            *rest = slice_sub(*rest, i + 1, rest->n);
            return true;
        }
    }
    return false;
}

static enum err invalid(struct error *e, struct slice rule)
{
    return error_set(e, E_INVALID, "ssl.principal.mapping.rules: Invalid rule: `" PRI_SL "`",
                     ARG_SL(rule));
}

/* *rest begins with "RULE:". */
static enum err parse_rule(struct principal_rules *r, struct slice *rest, struct error *e)
{
    struct slice whole = *rest, pattern, replacement;
    *rest = slice_sub(*rest, 5, rest->n);
    if (!take_part(rest, &pattern) || !take_part(rest, &replacement))
        return invalid(e, whole);
    struct rule *rule = add(r);
    if (rest->n && (rest->p[0] == 'L' || rest->p[0] == 'U')) {
        rule->fold = rest->p[0];
        *rest = slice_sub(*rest, 1, rest->n);
    }
    int code;
    PCRE2_SIZE at;
    rule->replacement = slice_dup(replacement);
    rule->pattern = pcre2_compile(
        (PCRE2_SPTR)pattern.p, pattern.n,
        PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &code, &at, NULL);
    return rule->pattern ? E_OK : invalid(e, whole);
}

enum err principal_rules_parse(struct principal_rules **out, struct slice text, struct error *e)
{
    struct principal_rules *r = xcalloc(1, sizeof *r);
    struct slice rest = slice_trim(text);
    enum err result = slice_is_utf8(rest) ? E_OK : invalid(e, SL("not UTF-8"));
    while (result == E_OK && rest.n) {
        if (slice_starts(rest, SL("DEFAULT"))) {
            add(r);
            rest = slice_sub(rest, 7, rest.n);
        } else if (slice_starts(rest, SL("RULE:"))) {
            result = parse_rule(r, &rest, e);
        } else {
            result = invalid(e, rest);
        }
        rest = slice_trim(rest);
        if (result != E_OK || rest.n == 0)
            break;
        result = rest.p[0] == ',' ? E_OK : invalid(e, rest);
        rest = slice_trim(slice_sub(rest, 1, rest.n));
    }
    if (result == E_OK && r->count == 0)
        add(r);
    if (result != E_OK) {
        principal_rules_free(r);
        return result;
    }
    *out = r;
    return E_OK;
}

static void replace(const struct rule *rule, struct slice subject, const PCRE2_SIZE *groups,
                    int group_count, struct strbuf *out)
{
    size_t from = out->n;
    for (const char *p = rule->replacement; *p; p++) {
        if (*p == '$' && p[1] >= '0' && p[1] <= '9') {
            int g = *++p - '0';
            if (g < group_count && groups[2 * g] != PCRE2_UNSET)
                strbuf_add_slice(out, slice_sub(subject, groups[2 * g], groups[2 * g + 1]));
        } else if (*p == '\\' && p[1]) {
            strbuf_addc(out, *++p);
        } else {
            strbuf_addc(out, *p);
        }
    }
    for (size_t i = from; i < out->n; i++) {
        char c = out->p[i];
        if (rule->fold == 'L' && c >= 'A' && c <= 'Z')
            out->p[i] = (char)(c + 32);
        else if (rule->fold == 'U' && c >= 'a' && c <= 'z')
            out->p[i] = (char)(c - 32);
    }
}

enum err principal_rules_apply(const struct principal_rules *r, struct slice subject,
                               struct strbuf *out)
{
    enum err result = E_NOT_FOUND;
    pcre2_match_context *limit = pcre2_match_context_create(NULL);
    if (limit)
        pcre2_set_match_limit(limit, MATCH_LIMIT);
    for (size_t i = 0; i < r->count && result == E_NOT_FOUND; i++) {
        const struct rule *rule = &r->v[i];
        if (!rule->pattern) {
            strbuf_add_slice(out, subject);
            result = E_OK;
            break;
        }
        pcre2_match_data *m = pcre2_match_data_create_from_pattern(rule->pattern, NULL);
        int n =
            m ? pcre2_match(rule->pattern, (PCRE2_SPTR)subject.p, subject.n, 0, 0, m, limit) : -1;
        if (n > 0) {
            replace(rule, subject, pcre2_get_ovector_pointer(m), n, out);
            result = strbuf_err(out);
        }
        pcre2_match_data_free(m);
    }
    pcre2_match_context_free(limit);
    return result;
}
