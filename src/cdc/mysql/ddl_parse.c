/* cdc/mysql/ddl_parse.c - the token cursor that all productions share. */
#include "cdc/mysql/ddl_parse.h"

#include "base/mem.h"

#define MAX_ITEMS 65536u /* columns, keys, clauses or names in one statement */

void ddl_advance(struct ddl_parser *p)
{
    p->last_end = p->tok.raw.p + p->tok.raw.n;
    ddl_lex_next(&p->lex, &p->tok);
}

struct ddl_token ddl_peek(const struct ddl_parser *p)
{
    struct ddl_lex copy = p->lex;
    struct ddl_token t;

    ddl_lex_next(&copy, &t);
    return t;
}

bool ddl_accept(struct ddl_parser *p, const char *word)
{
    if (!ddl_at(p, word))
        return false;
    ddl_advance(p);
    return true;
}

bool ddl_accept_punct(struct ddl_parser *p, char c)
{
    if (!ddl_at_punct(p, c))
        return false;
    ddl_advance(p);
    return true;
}

/* Walks the words over a copy of the lexer; *behind is the state after them. */
static bool match_words(const struct ddl_parser *p, const char *words, struct ddl_parser *behind)
{
    struct slice rest = slice_cstr(words), word;

    *behind = *p;
    while (slice_split(&rest, ' ', &word)) {
        if (behind->tok.kind != TOK_WORD || !slice_ieq(behind->tok.text, word))
            return false;
        ddl_advance(behind);
    }
    return true;
}

bool ddl_at_words(const struct ddl_parser *p, const char *words)
{
    struct ddl_parser behind;

    return match_words(p, words, &behind);
}

bool ddl_accept_words(struct ddl_parser *p, const char *words)
{
    struct ddl_parser behind;

    if (!match_words(p, words, &behind))
        return false;
    *p = behind;
    return true;
}

bool ddl_at_statement_end(const struct ddl_parser *p)
{
    return p->tok.kind == TOK_END || ddl_at_punct(p, ';');
}

bool ddl_at_item_end(const struct ddl_parser *p)
{
    return ddl_at_statement_end(p) || ddl_at_punct(p, ',') || ddl_at_punct(p, ')');
}

enum err ddl_fail(struct ddl_parser *p, const char *expected)
{
    struct slice near = slice_sub(p->tok.raw, 0, 40);

    if (p->tok.kind == TOK_END)
        return error_set(p->e, E_UNSUPPORTED,
                         "statement not understood: %s expected at its end: " PRI_SL, expected,
                         ARG_SL(slice_sub(p->sql, 0, 300)));
    return error_set(p->e, E_UNSUPPORTED,
                     "statement not understood: %s expected at character %zu, near '" PRI_SL
                     "': " PRI_SL,
                     expected, (size_t)(p->tok.raw.p - p->sql.p) + 1, ARG_SL(near),
                     ARG_SL(slice_sub(p->sql, 0, 300)));
}

enum err ddl_nomem(struct ddl_parser *p)
{
    return error_set(p->e, E_NOMEM, "no memory for a statement of %zu bytes", p->sql.n);
}

enum err ddl_expect_punct(struct ddl_parser *p, char c)
{
    char what[4] = {'\'', c, '\'', '\0'};

    return ddl_accept_punct(p, c) ? E_OK : ddl_fail(p, what);
}

enum err ddl_skip_group(struct ddl_parser *p, struct slice *inside)
{
    size_t depth = 0;
    const char *start = p->lex.at;

    do {
        if (p->tok.kind == TOK_END)
            return ddl_fail(p, "')'");
        if (ddl_at_punct(p, '('))
            depth++;
        else if (ddl_at_punct(p, ')'))
            depth--;
        if (depth == 0 && inside)
            *inside = slice_trim(slice_of(start, (size_t)(p->tok.raw.p - start)));
        ddl_advance(p);
    } while (depth > 0);
    return E_OK;
}

enum err ddl_skip_item(struct ddl_parser *p)
{
    while (!ddl_at_item_end(p)) {
        if (ddl_at_punct(p, '(')) {
            enum err err = ddl_skip_group(p, NULL);
            if (err)
                return err;
        } else
            ddl_advance(p);
    }
    return E_OK;
}

void ddl_skip_statement(struct ddl_parser *p)
{
    while (!ddl_at_statement_end(p))
        ddl_advance(p);
}

enum err ddl_word(struct ddl_parser *p, struct slice *out)
{
    if (p->tok.kind == TOK_STRING)
        return ddl_string(p, out);
    return ddl_name(p, out);
}

enum err ddl_name(struct ddl_parser *p, struct slice *out)
{
    /* A string in double quotes is a name for those who forgot ANSI_QUOTES in replication; rare,
     * harmless. */
    if (p->tok.kind != TOK_WORD && p->tok.kind != TOK_QUOTED &&
        !(p->tok.kind == TOK_STRING && p->tok.quote == '"'))
        return ddl_fail(p, "a name");
    *out = ddl_token_text(&p->lex, &p->tok, p->arena);
    if (!out->p)
        return ddl_nomem(p);
    if (out->n == 0 || out->n > 4096)
        return ddl_fail(p, "a name of usual length");
    ddl_advance(p);
    return E_OK;
}

enum err ddl_table_name(struct ddl_parser *p, struct ddl_name *out)
{
    *out = (struct ddl_name){SLICE_NULL, SLICE_NULL};
    ddl_accept_punct(p, '.'); /* ODBC: .table */
    enum err err = ddl_name(p, &out->name);
    if (err || !ddl_accept_punct(p, '.'))
        return err;
    out->db = out->name;
    return ddl_name(p, &out->name);
}

enum err ddl_column_name(struct ddl_parser *p, struct slice *out)
{
    ddl_accept_punct(p, '.'); /* ODBC: .column */
    enum err err = ddl_name(p, out);
    while (!err && ddl_accept_punct(p, '.'))
        err = ddl_name(p, out);
    return err;
}

enum err ddl_string(struct ddl_parser *p, struct slice *out)
{
    if (p->tok.kind != TOK_STRING)
        return ddl_fail(p, "a string");
    *out = ddl_token_text(&p->lex, &p->tok, p->arena);
    if (!out->p)
        return ddl_nomem(p);
    ddl_advance(p);
    while (p->tok.kind == TOK_STRING) {
        struct slice more = ddl_token_text(&p->lex, &p->tok, p->arena);
        char *joined = more.p ? arena_try_alloc(p->arena, out->n + more.n + 1) : NULL;
        if (!joined)
            return ddl_nomem(p);
        memcpy(joined, out->p, out->n);
        memcpy(joined + out->n, more.p, more.n);
        *out = slice_of(joined, out->n + more.n);
        ddl_advance(p);
    }
    return E_OK;
}

struct slice ddl_upper(struct ddl_parser *p, struct slice s)
{
    char *out = arena_try_alloc(p->arena, s.n + 1);

    if (!out)
        return SLICE_NULL;
    for (size_t i = 0; i < s.n; i++)
        out[i] = s.p[i] >= 'a' && s.p[i] <= 'z' ? (char)(s.p[i] - 'a' + 'A') : s.p[i];
    return slice_of(out, s.n);
}

void *ddl_push(struct ddl_parser *p, void *items, uint32_t *count, size_t size)
{
    uint32_t n = *count;

    if (n >= MAX_ITEMS)
        return NULL;
    if ((n & (n - 1)) == 0) { /* 0 or a power of two: full */
        void *more = arena_try_calloc(p->arena, n ? (size_t)n * 2 : 1, size);
        if (!more)
            return NULL;
        if (n)
            memcpy(more, items, n * size);
        items = more;
    }
    memset((char *)items + n * size, 0, size);
    *count = n + 1;
    return items;
}

void ddl_options_init(struct ddl_options *o)
{
    *o = (struct ddl_options){SLICE_NULL, SLICE_NULL, SLICE_NULL, -1};
}
