/* cdc/mysql/ddl_lex.h - tokens of MySQL and MariaDB SQL.
 *
 * Comments are skipped; version comments (slash-star-bang NNNNN, MariaDB slash-star-M-bang NNNNNN)
 * that the server would run are code: their contents come as ordinary tokens. Quotes follow
 * sql_mode. The text must be UTF-8 or another ASCII-compatible encoding without NUL rules: bytes >=
 * 0x80 are identifier characters. Never fails: what is unclosed ends at the end of the text and
 * sets `unclosed`. SPEC: cdc-mysql 7.2. Thread: the owner's. */
#ifndef WEIR_CDC_MYSQL_DDL_LEX_H
#define WEIR_CDC_MYSQL_DDL_LEX_H

#include "base/arena.h"
#include "base/base.h"
#include "base/str.h"

enum ddl_token_kind {
    TOK_END,      /* end of the text */
    TOK_WORD,     /* unquoted identifier or keyword */
    TOK_QUOTED,   /* `identifier`, or "identifier" under ANSI_QUOTES */
    TOK_STRING,   /* 'text' or "text" */
    TOK_NUMBER,   /* 12, 1.5, 1e3, .5 */
    TOK_HEX,      /* 0x1F, x'1F' */
    TOK_BITS,     /* 0b101, b'101' */
    TOK_VARIABLE, /* @x, @@global.x: with the signs */
    TOK_PUNCT,    /* one character, or := */
};

#define SQL_MODE_ANSI_QUOTES UINT64_C(0x4)
#define SQL_MODE_REAL_AS_FLOAT UINT64_C(0x1)
#define SQL_MODE_NO_BACKSLASH_ESCAPES UINT64_C(0x100000)

struct ddl_token {
    enum ddl_token_kind kind;
    struct slice raw;  /* as written */
    struct slice text; /* without quotes; escapes not resolved: see ddl_token_text */
    char quote;        /* of TOK_STRING and TOK_QUOTED, else 0 */
    bool escaped;      /* holds doubled quotes or backslashes */
    char punct;        /* TOK_PUNCT: the character; ':' for := */
};

struct ddl_lex {
    const char *at, *end;
    uint64_t sql_mode;
    bool mariadb;
    uint32_t server_version; /* 80036, 101106; 0: run every version comment */
    uint32_t depth;          /* open version comments */
    bool after_name,
        after_dot; /* last token was a name; was the dot behind one: db.1st is a name */
    bool unclosed; /* a quote or comment was not closed */
};

void ddl_lex_init(struct ddl_lex *l, struct slice sql, uint64_t sql_mode, bool mariadb,
                  uint32_t server_version);
void ddl_lex_next(struct ddl_lex *l, struct ddl_token *t);
/* Content of a name or string with escapes resolved: the token's own text when it has none, else a
 * copy in the arena. Null slice: no memory. */
struct slice ddl_token_text(const struct ddl_lex *l, const struct ddl_token *t, struct arena *a);
/* TOK_WORD equal to an upper-case keyword, any case. */
bool ddl_token_is(const struct ddl_token *t, const char *keyword);

#endif
