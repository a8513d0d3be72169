/* cdc/bson/bson_lex.h - tokens of JSON and of the shell's spelling of it, for bson_parse.c and
 * bson_special.c. Thread: the owner's. */
#ifndef WEIR_CDC_BSON_BSON_LEX_H
#define WEIR_CDC_BSON_BSON_LEX_H

#include "base/arena.h"
#include "base/base.h"
#include "base/err.h"
#include "base/str.h"

enum bson_token_kind {
    BSON_T_END, /* of the text */
    BSON_T_OPEN,
    BSON_T_CLOSE, /* { } */
    BSON_T_LIST,
    BSON_T_LIST_END, /* [ ] */
    BSON_T_PAREN,
    BSON_T_PAREN_END, /* ( ) */
    BSON_T_COLON,
    BSON_T_COMMA,
    BSON_T_STRING, /* 'x' or "x"; text: decoded */
    BSON_T_NAME,   /* unquoted: letters, digits, _ and $ */
    BSON_T_INT,    /* i */
    BSON_T_DOUBLE, /* d; also NaN, Infinity, -Infinity */
    BSON_T_REGEX,  /* text and options of /x/i */
    BSON_T_BAD,    /* the lexer's err and e are set */
};
struct bson_token {
    enum bson_token_kind kind;
    const char *at; /* its first byte */
    struct slice text, options;
    int64_t i;
    double d;
};
struct bson_lexer {
    const char *start, *at, *end;
    struct arena *arena; /* of decoded texts */
    enum err err;
    struct error *e; /* may be NULL */
};

struct bson_token bson_lex(struct bson_lexer *l);
/* E_INVALID: "line L column C: what". Returns l->err. */
enum err bson_lex_fail(struct bson_lexer *l, const char *at, const char *what);

#endif
