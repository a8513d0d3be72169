/* cdc/bson/bson_shell.c - values as the shell spells them: ObjectId("..."), MinKey, new Date(). */
#include "base/clock.h"
#include "cdc/bson/bson_special.h"
#include "cdc/bson/bson_value.h"

#define ARGUMENTS_MAX 2

/* (a, b): texts and numbers. How many there were, -1: the lexer failed. */
static int arguments(struct bson_parser *p, struct bson_token v[ARGUMENTS_MAX])
{
    struct bson_token t = bson_next(p);
    int n = 0;
    if (t.kind != BSON_T_PAREN) {
        bson_wrong(p, t.at, "expected (");
        return -1;
    }
    for (t = bson_next(p); t.kind != BSON_T_PAREN_END;) {
        if (t.kind != BSON_T_STRING && t.kind != BSON_T_INT && t.kind != BSON_T_DOUBLE) {
            bson_wrong(p, t.at, "a text or a number is expected");
            return -1;
        }
        if (n == ARGUMENTS_MAX) {
            bson_wrong(p, t.at, "one argument too many");
            return -1;
        }
        v[n++] = t;
        t = bson_next(p);
        if (t.kind == BSON_T_COMMA) {
            t = bson_next(p);
        } else if (t.kind != BSON_T_PAREN_END) {
            bson_wrong(p, t.at, "expected , or )");
            return -1;
        }
    }
    return n;
}

static bool call_oid(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 && v[0].kind == BSON_T_STRING ? bson_write_oid(p, name, v[0])
                                                : bson_wrong(p, v[0].at, "ObjectId wants one text");
}

static bool call_date(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    if (!n) {
        bson_build_date(&p->b, name, clock_wall_ms());
        return true;
    }
    return n == 1 && v[0].kind != BSON_T_DOUBLE
               ? bson_write_date(p, name, v[0])
               : bson_wrong(p, v[0].at, "a date wants a text or milliseconds");
}

static bool call_number(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 ? bson_write_double(p, name, v[0])
                  : bson_wrong(p, v[0].at, "one number is expected");
}

static bool call_int(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 && v[0].kind != BSON_T_DOUBLE ? bson_write_integer(p, name, v[0], false)
                                                : bson_wrong(p, v[0].at, "one integer is expected");
}

static bool call_long(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 && v[0].kind != BSON_T_DOUBLE ? bson_write_integer(p, name, v[0], true)
                                                : bson_wrong(p, v[0].at, "one integer is expected");
}

static bool call_decimal(struct bson_parser *p, struct slice name, const struct bson_token *v,
                         int n)
{
    return n == 1 ? bson_write_decimal(p, name, v[0])
                  : bson_wrong(p, v[0].at, "one number is expected");
}

static bool call_uuid(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 && v[0].kind == BSON_T_STRING ? bson_write_uuid(p, name, v[0])
                                                : bson_wrong(p, v[0].at, "UUID wants one text");
}

static bool call_timestamp(struct bson_parser *p, struct slice name, const struct bson_token *v,
                           int n)
{
    if (n != 2 || v[0].kind != BSON_T_INT || v[1].kind != BSON_T_INT)
        return bson_wrong(p, v[0].at, "Timestamp wants seconds and an increment");
    return bson_write_timestamp(p, name, v[0], v[1]);
}

static bool call_regex(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    if (n < 1 || v[0].kind != BSON_T_STRING || (n == 2 && v[1].kind != BSON_T_STRING))
        return bson_wrong(p, v[0].at, "RegExp wants a pattern and options");
    return bson_write_regex(p, name, v[0], n == 2 ? v[1].text : SL(""));
}

static bool binary_arguments(struct bson_parser *p, struct slice name, const struct bson_token *v,
                             int n, bool hex)
{
    unsigned subtype;
    if (n != 2 || v[0].kind != BSON_T_INT || v[1].kind != BSON_T_STRING)
        return bson_wrong(p, v[0].at, "a subtype and a text are expected");
    return bson_subtype(p, v[0], &subtype) && bson_write_binary(p, name, v[1], subtype, hex);
}

static bool call_base64(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return binary_arguments(p, name, v, n, false);
}

static bool call_hex(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return binary_arguments(p, name, v, n, true);
}

static bool call_pointer(struct bson_parser *p, struct slice name, const struct bson_token *v,
                         int n)
{
    return n == 2 && v[0].kind == BSON_T_STRING && v[1].kind == BSON_T_STRING
               ? bson_write_pointer(p, name, v[0].text, v[1])
               : bson_wrong(p, v[0].at, "DBPointer wants two texts");
}

static bool write_constant(struct bson_parser *p, struct slice name, struct slice word)
{
    static const struct {
        struct slice word;
        enum bson_kind kind;
        const char *raw;
        size_t n;
    } words[] = {
        {SL_INIT("true"), BSON_BOOLEAN, "\1", 1}, {SL_INIT("false"), BSON_BOOLEAN, "\0", 1},
        {SL_INIT("null"), BSON_NULL, "", 0},      {SL_INIT("undefined"), BSON_UNDEFINED, "", 0},
        {SL_INIT("MinKey"), BSON_MIN_KEY, "", 0}, {SL_INIT("MaxKey"), BSON_MAX_KEY, "", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!slice_eq(words[i].word, word))
            continue;
        bson_build_raw(&p->b, name, words[i].kind, words[i].raw, words[i].n);
        const char *behind = p->lex.at; /* MinKey() is the same */
        if (word.p[0] != 'M' || !bson_next_is(p, BSON_T_PAREN) ||
            !bson_next_is(p, BSON_T_PAREN_END))
            p->lex.at = behind;
        return true;
    }
    return false;
}

bool bson_word(struct bson_parser *p, struct slice name, struct bson_token word)
{
    static const struct {
        struct slice word;
        bool (*call)(struct bson_parser *p, struct slice name, const struct bson_token *v, int n);
    } calls[] = {
        {SL_INIT("ObjectId"), call_oid},       {SL_INIT("ISODate"), call_date},
        {SL_INIT("Date"), call_date},          {SL_INIT("NumberInt"), call_int},
        {SL_INIT("Int32"), call_int},          {SL_INIT("NumberLong"), call_long},
        {SL_INIT("Long"), call_long},          {SL_INIT("NumberDecimal"), call_decimal},
        {SL_INIT("Decimal128"), call_decimal}, {SL_INIT("Double"), call_number},
        {SL_INIT("UUID"), call_uuid},          {SL_INIT("Timestamp"), call_timestamp},
        {SL_INIT("RegExp"), call_regex},       {SL_INIT("BinData"), call_base64},
        {SL_INIT("HexData"), call_hex},        {SL_INIT("DBPointer"), call_pointer},
    };
    if (write_constant(p, name, word.text))
        return !p->lex.err;
    if (slice_eq(word.text, SL("new")))
        word = bson_next(p);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (word.kind != BSON_T_NAME || !slice_eq(calls[i].word, word.text))
            continue;
        struct bson_token v[ARGUMENTS_MAX] = {{.at = word.at}};
        int n = arguments(p, v);
        return n >= 0 && calls[i].call(p, name, v, n);
    }
    return bson_wrong(p, word.at, "a word that is not known");
}
