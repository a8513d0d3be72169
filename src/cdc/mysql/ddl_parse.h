/* cdc/mysql/ddl_parse.h - internal to the ddl*.c family: the token cursor and the shared
 * productions.
 *
 * Every production returns enum err; on E_OK the cursor stands behind what it took. Thread: the
 * owner's. */
#ifndef WEIR_CDC_MYSQL_DDL_PARSE_H
#define WEIR_CDC_MYSQL_DDL_PARSE_H

#include "cdc/mysql/ddl.h"

struct ddl_parser {
    struct ddl_lex lex;
    struct ddl_token tok; /* the current token, not yet taken */
    struct arena *arena;
    const struct ddl_context *ctx;
    struct slice sql;
    const char *last_end; /* end of the token taken last */
    struct error *e;
    bool names_only; /* ddl_parse_type_name: an ENUM has no members here */
};

/* --- cursor (ddl_parse.c) ------------------------------------------------------------------- */
void ddl_advance(struct ddl_parser *p);
struct ddl_token ddl_peek(const struct ddl_parser *p); /* the token behind the current one */
static inline bool ddl_at(const struct ddl_parser *p, const char *word)
{
    return p->tok.kind == TOK_WORD && ddl_token_is(&p->tok, word);
}
static inline bool ddl_at_punct(const struct ddl_parser *p, char c)
{
    return p->tok.kind == TOK_PUNCT && p->tok.punct == c;
}
bool ddl_accept(struct ddl_parser *p, const char *word);
bool ddl_accept_punct(struct ddl_parser *p, char c);
/* All of several words, blank-separated ("IF NOT EXISTS"), or none of them. */
bool ddl_accept_words(struct ddl_parser *p, const char *words);
bool ddl_at_words(const struct ddl_parser *p, const char *words);
bool ddl_at_statement_end(const struct ddl_parser *p); /* end of text or ';' */
bool ddl_at_item_end(const struct ddl_parser *p);      /* that, ',' or ')' */
/* E_UNSUPPORTED with what was expected, where, and the statement. */
enum err ddl_fail(struct ddl_parser *p, const char *expected) MUST_CHECK;
enum err ddl_nomem(struct ddl_parser *p) MUST_CHECK;
enum err ddl_expect_punct(struct ddl_parser *p, char c) MUST_CHECK;
/* At '(': steps over the balanced group. *inside (may be NULL): the text between. */
enum err ddl_skip_group(struct ddl_parser *p, struct slice *inside) MUST_CHECK;
enum err
ddl_skip_item(struct ddl_parser *p) MUST_CHECK; /* to ',' or ')' at this depth, or the end */
void ddl_skip_statement(struct ddl_parser *p);
enum err ddl_word(struct ddl_parser *p, struct slice *out) MUST_CHECK; /* a name or a string */
enum err ddl_name(struct ddl_parser *p, struct slice *out) MUST_CHECK; /* an identifier */
enum err ddl_table_name(struct ddl_parser *p, struct ddl_name *out) MUST_CHECK; /* [db.]name */
enum err ddl_column_name(struct ddl_parser *p,
                         struct slice *out) MUST_CHECK; /* [[db.]table.]column: the last part */
enum err ddl_string(struct ddl_parser *p, struct slice *out) MUST_CHECK; /* 'a' 'b' are joined */
struct slice ddl_upper(struct ddl_parser *p, struct slice s);            /* null slice: no memory */

/* Growing arrays in the arena: doubles; NULL: no memory. */
void *ddl_push(struct ddl_parser *p, void *items, uint32_t *count, size_t size);

/* --- productions ---------------------------------------------------------------------------- */
enum err ddl_data_type(struct ddl_parser *p, struct ddl_column *c) MUST_CHECK; /* ddl_type.c */
enum err ddl_column_def(struct ddl_parser *p,
                        struct ddl_column *c) MUST_CHECK; /* ddl_column.c: type and attributes */
enum err ddl_default_value(struct ddl_parser *p,
                           struct mysql_column *c) MUST_CHECK;              /* ddl_column.c */
enum err ddl_key_parts(struct ddl_parser *p, struct ddl_key *k) MUST_CHECK; /* ddl_table.c */
/* A table element: a column, a key, or something of no meaning. */
enum err ddl_element(struct ddl_parser *p, struct ddl_column **columns, uint32_t *column_count,
                     struct ddl_key **keys, uint32_t *key_count) MUST_CHECK; /* ddl_table.c */
/* Table or database options up to ',' or the end; stops at AS, SELECT, PARTITION. */
enum err ddl_table_options(struct ddl_parser *p,
                           struct ddl_options *o) MUST_CHECK;                   /* ddl_table.c */
enum err ddl_create_table(struct ddl_parser *p, struct ddl_stmt *s) MUST_CHECK; /* ddl_table.c */
enum err ddl_alter_table(struct ddl_parser *p, struct ddl_stmt *s) MUST_CHECK;  /* ddl_alter.c */
/* A typeName of the schema history ("INT UNSIGNED") back to a type, without dimensions. */
enum err ddl_parse_type_name(struct slice text, struct arena *a, struct ddl_column *c,
                             struct error *e) MUST_CHECK;
void ddl_options_init(struct ddl_options *o);

#endif
