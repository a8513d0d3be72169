/* broker/security/jaas.c - see jaas.h. */
#include "broker/security/jaas.h"

#include "base/base.h"
#include "base/mem.h"

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ';
}

static void skip_blanks(struct slice *s)
{
    while (s->n && is_blank(s->p[0]))
        *s = slice_sub(*s, 1, s->n);
}

/* One word or quoted text, up to a blank, '=' or ';'. False: a quote is not closed, or nothing. */
static bool take_word(struct slice *s, struct strbuf *out)
{
    strbuf_reset(out);
    if (s->n == 0)
        return false;
    char quote = s->p[0] == '"' || s->p[0] == '\'' ? s->p[0] : 0;
    size_t i = quote ? 1 : 0;
    for (; i < s->n; i++) {
        char c = s->p[i];
        if (quote ? c == quote : is_blank(c) || c == '=' || c == ';')
            break;
        if (quote && c == '\\' && i + 1 < s->n)
            c = s->p[++i];
        strbuf_addc(out, c);
    }
    if (quote && i == s->n)
        return false;
    *s = slice_sub(*s, quote ? i + 1 : i, s->n);
    return quote || out->n > 0;
}

static enum err bad(struct error *e, const char *what)
{
    return error_set(e, E_INVALID, "sasl.jaas.config: %s", what);
}

static enum err parse_options(struct slice *rest, struct strbuf *word, struct strmap *options,
                              struct error *e)
{
    for (;;) {
        skip_blanks(rest);
        if (rest->n == 0)
            return bad(e, "it does not end with ;");
        if (rest->p[0] == ';')
            return E_OK;
        if (!take_word(rest, word))
            return bad(e, "an option name is expected");
        struct strbuf name = STRBUF_INIT;
        strbuf_add_slice(&name, strbuf_slice(word));
        skip_blanks(rest);
        bool good = rest->n && rest->p[0] == '=';
        if (good) {
            *rest = slice_sub(*rest, 1, rest->n);
            skip_blanks(rest);
            good = take_word(rest, word);
        }
        if (good)
            strmap_set(options, strbuf_slice(&name), strbuf_slice(word));
        else
            error_set(e, E_INVALID, "sasl.jaas.config: option " PRI_SL " has no value",
                      ARG_SL(strbuf_slice(&name)));
        strbuf_release(&name);
        if (!good)
            return E_INVALID;
    }
}

enum err jaas_parse(struct slice text, struct strbuf *module, struct strmap *options,
                    struct error *e)
{
    static const char *const flags[] = {"required", "requisite", "sufficient", "optional"};
    struct slice rest = text;
    struct strbuf word = STRBUF_INIT;
    bool known = false;
    enum err r = E_OK;
    strmap_init(options);
    skip_blanks(&rest);
    if (!take_word(&rest, &word))
        r = bad(e, "the class of a login module is expected");
    if (r == E_OK && module)
        strbuf_add_slice(module, strbuf_slice(&word));
    skip_blanks(&rest);
    if (r == E_OK && take_word(&rest, &word)) {
        for (size_t i = 0; i < ARRAY_LEN(flags); i++)
            known |= slice_ieq(strbuf_slice(&word), slice_cstr(flags[i]));
    }
    if (r == E_OK && !known)
        r = bad(e, "`required` is expected after the class of the login module");
    if (r == E_OK)
        r = parse_options(&rest, &word, options, e);
    mem_wipe(word.p, word.cap ? word.n : 0);
    strbuf_release(&word);
    if (r != E_OK) {
        strmap_release(options);
        strmap_init(options);
    }
    return r;
}
