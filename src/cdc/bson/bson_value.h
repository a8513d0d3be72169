/* cdc/bson/bson_value.h - tokens become members: what extended JSON (bson_special.c) and the shell's spelling
 * (bson_shell.c) have in common. All functions write the member `name`; false: the text does not fit, the
 * lexer has failed at it. Thread: the parser's owner. */
#ifndef WEIR_CDC_BSON_BSON_VALUE_H
#define WEIR_CDC_BSON_BSON_VALUE_H

#include "cdc/bson/bson_special.h"

static inline struct bson_token bson_next(struct bson_parser *p)
{
    return bson_lex(&p->lex);
}
static inline bool bson_next_is(struct bson_parser *p, enum bson_token_kind kind)
{
    return bson_next(p).kind == kind;
}
/* Fails the lexer at a byte of the text. Returns false. */
static inline bool bson_wrong(struct bson_parser *p, const char *at, const char *what)
{
    bson_lex_fail(&p->lex, at, what);
    return false;
}

/* 24 hexadecimal digits. */
bool bson_write_oid(struct bson_parser *p, struct slice name, struct bson_token t);
bool bson_write_decimal(struct bson_parser *p, struct slice name, struct bson_token t);
/* A number, or a text with one. wide: 64 bits, else 32. */
bool bson_write_integer(struct bson_parser *p, struct slice name, struct bson_token t, bool wide);
bool bson_write_double(struct bson_parser *p, struct slice name, struct bson_token t);
bool bson_write_regex(struct bson_parser *p, struct slice name, struct bson_token pattern,
                      struct slice options);
/* Base64, or hexadecimal digits. */
bool bson_write_binary(struct bson_parser *p, struct slice name, struct bson_token data,
                       unsigned subtype, bool hex);
bool bson_write_uuid(struct bson_parser *p, struct slice name, struct bson_token t);
/* Milliseconds, or a text for bson_parse_instant. */
bool bson_write_date(struct bson_parser *p, struct slice name, struct bson_token t);
/* Two integers of 32 bits. */
bool bson_write_timestamp(struct bson_parser *p, struct slice name, struct bson_token seconds,
                          struct bson_token increment);
bool bson_write_pointer(struct bson_parser *p, struct slice name, struct slice to,
                        struct bson_token id);
/* Writes nothing: a subtype of binary data as "04", "4" or 4. */
bool bson_subtype(struct bson_parser *p, struct bson_token t, unsigned *out);

#endif
