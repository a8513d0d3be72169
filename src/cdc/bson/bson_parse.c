/* cdc/bson/bson_parse.c - see the header: documents, arrays and plain values. What stands for a
 * value of another kind is in bson_special.c, the tokens are in bson_lex.c. Members are written as
 * they are read; the depth of BSON_DEPTH_MAX bounds the recursion (bson_build fails beyond it). */
#include "cdc/bson/bson_parse.h"

#include "base/mem.h"
#include "cdc/bson/bson_names.h"
#include "cdc/bson/bson_special.h"

bool bson_parse_name(struct bson_parser *p, struct bson_token t)
{
    if (t.kind != BSON_T_STRING && t.kind != BSON_T_NAME) {
        bson_lex_fail(&p->lex, t.at, "a name is expected");
        return false;
    }
    if (t.text.n && memchr(t.text.p, 0, t.text.n)) {
        bson_lex_fail(&p->lex, t.at, "a name must not have a 0 character");
        return false;
    }
    return true;
}

/* After a value: true while there is more. */
static bool next_member(struct bson_parser *p, enum bson_token_kind close, struct bson_token *t)
{
    *t = bson_lex(&p->lex);
    if (t->kind == close)
        return false;
    if (t->kind != BSON_T_COMMA) {
        bson_lex_fail(&p->lex, t->at,
                      close == BSON_T_CLOSE ? "expected , or }" : "expected , or ]");
        return false;
    }
    *t = bson_lex(&p->lex);
    return t->kind != close; /* a comma too many does no harm */
}

static bool too_deep(struct bson_parser *p)
{
    if (p->b.depth < ARRAY_LEN(p->b.starts))
        return false;
    if (!p->lex.err)
        p->lex.err =
            error_set(p->lex.e, E_TOO_LARGE, "documents are nested deeper than %d", BSON_DEPTH_MAX);
    return true;
}

/* t: what stands behind the {. */
static bool parse_members(struct bson_parser *p, struct bson_token t)
{
    bool more = t.kind != BSON_T_CLOSE;
    while (more) {
        struct bson_token name = t;
        if (!bson_parse_name(p, name))
            return false;
        t = bson_lex(&p->lex);
        if (t.kind != BSON_T_COLON) {
            bson_lex_fail(&p->lex, t.at, "expected :");
            return false;
        }
        if (!bson_parse_value(p, name.text, bson_lex(&p->lex)))
            return false;
        more = next_member(p, BSON_T_CLOSE, &t);
    }
    bson_names_once(&p->b);
    return !p->lex.err;
}

static bool parse_elements(struct bson_parser *p)
{
    char buf[BSON_INDEX_SIZE];
    struct bson_token t = bson_lex(&p->lex);
    bool more = t.kind != BSON_T_LIST_END;
    for (unsigned i = 0; more; i++) {
        if (!bson_parse_value(p, bson_index(i, buf), t))
            return false;
        more = next_member(p, BSON_T_LIST_END, &t);
    }
    return !p->lex.err;
}

/* t: the first token of the members. */
static bool write_document(struct bson_parser *p, struct slice name, struct bson_token t)
{
    if (too_deep(p))
        return false;
    bson_build_begin(&p->b, name, BSON_DOCUMENT);
    if (!parse_members(p, t))
        return false;
    bson_build_end(&p->b);
    return true;
}

bool bson_parse_plain(struct bson_parser *p, struct slice name)
{
    return write_document(p, name, bson_lex(&p->lex));
}

static bool parse_document(struct bson_parser *p, struct slice name)
{
    const char *first_at = p->lex.at;
    struct bson_token t = bson_lex(&p->lex);
    if ((t.kind == BSON_T_STRING || t.kind == BSON_T_NAME) && t.text.n > 1 && t.text.p[0] == '$') {
        const char *behind = p->lex.at;
        p->lex.at = first_at;
        if (bson_special(p, name, t.text))
            return true;
        if (p->lex.err)
            return false;
        p->lex.at = behind;
    }
    return write_document(p, name, t);
}

bool bson_parse_value(struct bson_parser *p, struct slice name, struct bson_token t)
{
    struct bson_build *b = &p->b;
    switch (t.kind) {
    case BSON_T_OPEN:
        return parse_document(p, name);
    case BSON_T_LIST:
        if (too_deep(p))
            return false;
        bson_build_begin(b, name, BSON_ARRAY);
        if (!parse_elements(p))
            return false;
        bson_build_end(b);
        return true;
    case BSON_T_STRING:
        bson_build_text(b, name, t.text);
        return true;
    case BSON_T_INT:
        if (t.i >= INT32_MIN && t.i <= INT32_MAX)
            bson_build_int(b, name, (int32_t)t.i);
        else
            bson_build_long(b, name, t.i);
        return true;
    case BSON_T_DOUBLE:
        bson_build_double(b, name, t.d);
        return true;
    case BSON_T_REGEX:
        if (memchr(t.text.p, 0, t.text.n)) {
            bson_lex_fail(&p->lex, t.at, "a regular expression must not have a 0 character");
            return false;
        }
        bson_build_regex(b, name, t.text, t.options);
        return true;
    case BSON_T_NAME:
        return bson_word(p, name, t);
    default:
        bson_lex_fail(&p->lex, t.at,
                      t.kind == BSON_T_END ? "the text ends where a value is expected"
                                           : "a value is expected");
        return false;
    }
}

static void parse_root(struct bson_parser *p, enum bson_kind kind)
{
    struct bson_token t = bson_lex(&p->lex);
    if (t.kind != (kind == BSON_ARRAY ? BSON_T_LIST : BSON_T_OPEN)) {
        bson_lex_fail(&p->lex, t.at, kind == BSON_ARRAY ? "expected [" : "expected {");
        return;
    }
    if (kind == BSON_ARRAY ? !parse_elements(p) : !parse_members(p, bson_lex(&p->lex)))
        return;
    t = bson_lex(&p->lex);
    if (t.kind != BSON_T_END)
        bson_lex_fail(&p->lex, t.at, "the text goes on behind its end");
}

enum err bson_parse(struct slice text, enum bson_kind kind, struct arena *a, struct slice *out,
                    struct error *e)
{
    struct bson_parser p = {
        .lex = {.start = text.p, .at = text.p, .end = text.p + text.n, .arena = a, .e = e}};
    *out = SLICE_NULL;
    if (!text.p)
        return error_set(e, E_INVALID, "there is no text");
    bson_build_init(&p.b);
    parse_root(&p, kind);
    enum err err = p.lex.err;
    struct slice made = bson_build_finish(&p.b);
    if (!err && bson_build_err(&p.b))
        err = error_set(e, bson_build_err(&p.b), "the document is too large");
    if (!err) {
        char *copy = arena_try_alloc(a, made.n);
        if (copy)
            *out = slice_of(memcpy(copy, made.p, made.n), made.n);
        else
            err = error_set(e, E_TOO_LARGE, "the document is too large");
    }
    bson_build_release(&p.b);
    return err;
}
