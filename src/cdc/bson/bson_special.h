/* cdc/bson/bson_special.h - inside bson_parse: {"$oid": ...} and its like; the shell's ObjectId("...").
 * Thread: the owner's. */
#ifndef WEIR_CDC_BSON_BSON_SPECIAL_H
#define WEIR_CDC_BSON_BSON_SPECIAL_H

#include "cdc/bson/bson_build.h"
#include "cdc/bson/bson_lex.h"

struct bson_parser {
    struct bson_lexer lex;
    struct bson_build b;
};
/* Behind the { of a document whose first name is `first`; the lexer stands at that name. True: the
 * value that it stands for was written under `name` and the } read. False: an ordinary document, the
 * lexer is where it was; or the lexer failed. */
bool bson_special(struct bson_parser *p, struct slice name, struct slice first);
/* In bson_shell.c: a value that begins with an unquoted word, which was read. False: the lexer failed. */
bool bson_word(struct bson_parser *p, struct slice name, struct bson_token word);
/* In bson_parse.c: the value that begins with the token. False: the lexer failed. */
bool bson_parse_value(struct bson_parser *p, struct slice name, struct bson_token t);
/* The same for a document behind its {, whose first name has no special meaning. */
bool bson_parse_plain(struct bson_parser *p, struct slice name);
/* A name of a member: E_INVALID when it has a 0. */
bool bson_parse_name(struct bson_parser *p, struct bson_token t);

#endif
