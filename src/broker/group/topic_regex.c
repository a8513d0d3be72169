/* broker/group/topic_regex.c - see topic_regex.h. PCRE2 does the work; a scan before refuses what it
 * knows and RE2 does not. */
#include "broker/group/topic_regex.h"

#include "base/base.h"
#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define TEXT_MAX 8192
#define MATCH_LIMIT 20000  /* steps for one name */
#define QUICK_LIMIT 200    /* steps that every name of a scan may take */
#define SCAN_LIMIT 4000000 /* further steps of a scan */
#define DEPTH_LIMIT 1000
#define NESTING_MAX 100

struct topic_regex {
    struct slice text; /* owned */
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
};

/* What follows "(?" in RE2: flags, a colon, or a name. */
static bool is_re2_group(struct slice rest)
{
    if (slice_starts(rest, SL("P<")))
        return true;
    if (rest.n && rest.p[0] == '<') /* (?<name> but not (?<= and (?<! */
        return rest.n > 1 && rest.p[1] != '=' && rest.p[1] != '!';
    size_t i = 0;
    while (i < rest.n && strchr("imsU-", rest.p[i]))
        i++;
    return i < rest.n && (rest.p[i] == ':' || (rest.p[i] == ')' && i > 0));
}

/* NULL, or what is wrong. */
static const char *find_foreign(struct slice t)
{
    bool in_class = false;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.p[i];
        if (c == '\\') {
            if (i + 1 == t.n)
                return "trailing backslash at end of expression";
            char next = t.p[++i];
            if (next == 'Q') { /* literal text up to \E */
                ptrdiff_t end = slice_find(slice_sub(t, i + 1, t.n), SL("\\E"));
                i = end < 0 ? t.n : i + 2 + (size_t)end;
            } else if ((next >= '1' && next <= '9') || strchr("kgKGRXZNHhVRucE", next)) {
                return "invalid escape sequence";
            }
        } else if (in_class) {
            in_class = c != ']';
        } else if (c == '[') {
            in_class = true;
            if (i + 1 < t.n && t.p[i + 1] == '^')
                i++;
            if (i + 1 < t.n && t.p[i + 1] == ']')
                i++;
        } else if (c == '(' && i + 1 < t.n && t.p[i + 1] == '*') {
            return "missing argument to repetition operator";
        } else if (c == '(' && i + 1 < t.n && t.p[i + 1] == '?' &&
                   !is_re2_group(slice_sub(t, i + 2, t.n))) {
            return "invalid or unsupported Perl syntax";
        } else if (c == '+' && i > 0 && strchr("*+?}", t.p[i - 1]) &&
                   !(i > 1 && t.p[i - 2] == '\\')) {
            return "invalid nested repetition operator";
        }
    }
    return NULL;
}

static enum err compile(struct topic_regex *r, struct error *e)
{
    int code;
    PCRE2_SIZE at;
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    if (!cc)
        return error_set(e, E_NOMEM, "no memory for a pattern");
    pcre2_set_parens_nest_limit(cc, NESTING_MAX);
    r->code = pcre2_compile((PCRE2_SPTR)r->text.p, r->text.n,
                            PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
                                PCRE2_NEVER_BACKSLASH_C,
                            &code, &at, cc);
    pcre2_compile_context_free(cc);
    if (!r->code) {
        char why[128];
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        return error_set(e, E_INVALID, "%s", why);
    }
    r->data = pcre2_match_data_create_from_pattern(r->code, NULL);
    r->limits = pcre2_match_context_create(NULL);
    if (!r->data || !r->limits)
        return error_set(e, E_NOMEM, "no memory for a pattern");
    pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
    return E_OK;
}

enum err topic_regex_new(struct topic_regex **out, struct slice text, struct error *e)
{
    if (text.n > TEXT_MAX)
        return error_set(e, E_TOO_LARGE, "longer than %d bytes", TEXT_MAX);
    const char *foreign = find_foreign(text);
    if (foreign)
        return error_set(e, E_INVALID, "%s", foreign);
    struct topic_regex *r = xcalloc(1, sizeof *r);
    r->text = slice_of(text.n ? slice_dup(text) : xstrdup(""), text.n);
    enum err err = compile(r, e);
    if (err != E_OK) {
        topic_regex_free(r);
        return err;
    }
    *out = r;
    return E_OK;
}

void topic_regex_free(struct topic_regex *r)
{
    if (!r)
        return;
    pcre2_match_data_free(r->data);
    pcre2_match_context_free(r->limits);
    pcre2_code_free(r->code);
    mem_free((char *)(uintptr_t)r->text.p);
    mem_free(r);
}

struct slice topic_regex_text(const struct topic_regex *r)
{
    return r->text;
}

static int match(struct topic_regex *r, struct slice name, uint32_t limit)
{
    pcre2_set_match_limit(r->limits, limit);
    return pcre2_match(r->code, (PCRE2_SPTR)name.p, name.n, 0, 0, r->data, r->limits);
}

bool topic_regex_matches(struct topic_regex *r, struct slice name)
{
    return match(r, name, MATCH_LIMIT) >= 0;
}

/* PCRE2 does not tell how many steps it took: growing limits find it out, about. */
bool topic_regex_scan_matches(struct topic_regex_scan *s, struct slice name)
{
    uint32_t limit = QUICK_LIMIT;
    if (s->over)
        return false;
    int found = match(s->regex, name, limit);
    while (found == PCRE2_ERROR_MATCHLIMIT && limit < MATCH_LIMIT && !s->over) {
        limit = MIN(limit * 4, (uint32_t)MATCH_LIMIT);
        found = match(s->regex, name, limit);
        s->steps += limit;
        s->over = s->steps > SCAN_LIMIT;
    }
    return found >= 0;
}
