/* cdc/bson/bson_special.c - see the header. A document that begins like one of the extended forms but has
 * other members is an ordinary one ({"$type": 2} asks for a type); one of the right form with a text that
 * does not fit is a mistake. */
#include "cdc/bson/bson_special.h"

#include "cdc/bson/bson_value.h"

/* `"name":` of an extended form; the lexer stays behind it. */
static bool next_member(struct bson_parser *p, const char *name)
{
    struct bson_token t = bson_next(p);
    return (t.kind == BSON_T_STRING || t.kind == BSON_T_NAME) && slice_eq_c(t.text, name) &&
           bson_next_is(p, BSON_T_COLON);
}

static bool next_text(struct bson_parser *p, struct bson_token *t)
{
    *t = bson_next(p);
    return t->kind == BSON_T_STRING;
}

/* The value of a form with one member: a text, or a number where numbers are taken. */
static bool last_scalar(struct bson_parser *p, bool numbers, struct bson_token *t)
{
    *t = bson_next(p);
    bool fits = t->kind == BSON_T_STRING ||
                (numbers && (t->kind == BSON_T_INT || t->kind == BSON_T_DOUBLE));
    return fits && bson_next_is(p, BSON_T_CLOSE);
}

static bool oid_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$oid") && last_scalar(p, false, &t) && bson_write_oid(p, name, t);
}

static bool long_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$numberLong") && last_scalar(p, true, &t) && t.kind != BSON_T_DOUBLE &&
           bson_write_integer(p, name, t, true);
}

static bool int_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$numberInt") && last_scalar(p, true, &t) && t.kind != BSON_T_DOUBLE &&
           bson_write_integer(p, name, t, false);
}

static bool double_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$numberDouble") && last_scalar(p, true, &t) &&
           bson_write_double(p, name, t);
}

static bool decimal_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$numberDecimal") && last_scalar(p, true, &t) &&
           bson_write_decimal(p, name, t);
}

static bool uuid_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$uuid") && last_scalar(p, false, &t) && bson_write_uuid(p, name, t);
}

static bool symbol_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    if (!next_member(p, "$symbol") || !last_scalar(p, false, &t))
        return false;
    bson_build_text_as(&p->b, name, BSON_SYMBOL, t.text);
    return true;
}

/* {"$date": 1} {"$date": "2017-07-19T10:37:12Z"} {"$date": {"$numberLong": "1"}} */
static bool date_form(struct bson_parser *p, struct slice name)
{
    if (!next_member(p, "$date"))
        return false;
    struct bson_token t = bson_next(p);
    if (t.kind == BSON_T_OPEN) {
        if (!next_member(p, "$numberLong") || !last_scalar(p, true, &t) || t.kind == BSON_T_DOUBLE)
            return false;
        if (t.kind == BSON_T_STRING && slice_to_i64(t.text, &t.i))
            return bson_wrong(p, t.at, "not an integer of 64 bits");
        t.kind = BSON_T_INT;
    }
    return (t.kind == BSON_T_INT || t.kind == BSON_T_STRING) && bson_next_is(p, BSON_T_CLOSE) &&
           bson_write_date(p, name, t);
}

/* The newer {"$binary": {"base64": "", "subType": "00"}}, behind the colon. */
static bool binary_members(struct bson_parser *p, struct slice name)
{
    struct bson_token data = {0}, type = {0};
    for (int i = 0; i < 2; i++) {
        struct bson_token t = bson_next(p);
        if (t.kind != BSON_T_STRING && t.kind != BSON_T_NAME)
            return false;
        struct bson_token *to = slice_eq(t.text, SL("base64"))    ? &data
                                : slice_eq(t.text, SL("subType")) ? &type
                                                                  : NULL;
        if (!to || !bson_next_is(p, BSON_T_COLON))
            return false;
        *to = bson_next(p);
        if (!bson_next_is(p, i ? BSON_T_CLOSE : BSON_T_COMMA))
            return false;
    }
    unsigned subtype;
    return data.kind == BSON_T_STRING && bson_next_is(p, BSON_T_CLOSE) &&
           bson_subtype(p, type, &subtype) && bson_write_binary(p, name, data, subtype, false);
}

/* {"$binary": "", "$type": "00"} in either order, or the newer form. */
static bool binary_form(struct bson_parser *p, struct slice name)
{
    struct bson_token first = bson_next(p), data, type;
    bool data_first = slice_eq(first.text, SL("$binary"));
    if (!bson_next_is(p, BSON_T_COLON))
        return false;
    struct bson_token t = bson_next(p);
    if (data_first && t.kind == BSON_T_OPEN)
        return binary_members(p, name);
    if (t.kind != BSON_T_STRING && (data_first || t.kind != BSON_T_INT))
        return false;
    if (!bson_next_is(p, BSON_T_COMMA) || !next_member(p, data_first ? "$type" : "$binary"))
        return false;
    data = data_first ? t : bson_next(p);
    type = data_first ? bson_next(p) : t;
    unsigned subtype;
    return data.kind == BSON_T_STRING && bson_next_is(p, BSON_T_CLOSE) &&
           bson_subtype(p, type, &subtype) && bson_write_binary(p, name, data, subtype, false);
}

/* {"$regex": "", "$options": ""} in either order; {"$regex": ""} alone is an operator. */
static bool old_regex_form(struct bson_parser *p, struct slice name)
{
    struct bson_token first = bson_next(p), a, b;
    bool pattern_first = slice_eq(first.text, SL("$regex"));
    return bson_next_is(p, BSON_T_COLON) && next_text(p, &a) && bson_next_is(p, BSON_T_COMMA) &&
           next_member(p, pattern_first ? "$options" : "$regex") && next_text(p, &b) &&
           bson_next_is(p, BSON_T_CLOSE) &&
           bson_write_regex(p, name, pattern_first ? a : b, pattern_first ? b.text : a.text);
}

static bool regex_form(struct bson_parser *p, struct slice name)
{
    struct bson_token a, b;
    return next_member(p, "$regularExpression") && bson_next_is(p, BSON_T_OPEN) &&
           next_member(p, "pattern") && next_text(p, &a) && bson_next_is(p, BSON_T_COMMA) &&
           next_member(p, "options") && next_text(p, &b) && bson_next_is(p, BSON_T_CLOSE) &&
           bson_next_is(p, BSON_T_CLOSE) && bson_write_regex(p, name, a, b.text);
}

/* Whether the document behind its { closes, and the one around it at once. Only tokens are read: a value
 * that were parsed to find out would be parsed again, and each level in it twice as often. */
static bool ends_both(struct bson_parser *p)
{
    const char *at = p->lex.at;
    for (unsigned depth = 1; depth;) {
        enum bson_token_kind kind = bson_next(p).kind;
        if (kind == BSON_T_END || kind == BSON_T_BAD)
            return false;
        depth += kind == BSON_T_OPEN;
        depth -= kind == BSON_T_CLOSE;
    }
    bool both = bson_next_is(p, BSON_T_CLOSE);
    p->lex.at = at;
    return both;
}

/* A document behind its {, which was read, in the arena. False: the lexer failed. */
static bool sub_document(struct bson_parser *p, struct slice *out)
{
    size_t start = p->b.out.n;
    if (!bson_parse_plain(p, SL("")))
        return false;
    *out = p->b.out.failed
               ? SLICE_NULL
               : arena_dup(p->lex.arena, slice_sub(strbuf_slice(&p->b.out), start + 2, p->b.out.n));
    if (!out->p) {
        p->lex.err = error_set(p->lex.e, E_TOO_LARGE, "the document is too large");
        return false;
    }
    p->b.out.n = start;
    return true;
}

/* {"$code": ""} or with "$scope": {} */
static bool code_form(struct bson_parser *p, struct slice name)
{
    struct bson_token code;
    if (!next_member(p, "$code") || !next_text(p, &code))
        return false;
    struct bson_token t = bson_next(p);
    if (t.kind == BSON_T_CLOSE) {
        bson_build_text_as(&p->b, name, BSON_CODE, code.text);
        return true;
    }
    struct slice scope;
    if (t.kind != BSON_T_COMMA || !next_member(p, "$scope") || !bson_next_is(p, BSON_T_OPEN) ||
        !ends_both(p) || !sub_document(p, &scope))
        return false;
    if (!bson_next_is(p, BSON_T_CLOSE))
        return bson_wrong(p, p->lex.at, "expected }");
    bson_build_scope(&p->b, name, code.text, scope);
    return true;
}

/* {"$timestamp": {"t": 1, "i": 2}} in either order. */
static bool timestamp_form(struct bson_parser *p, struct slice name)
{
    struct bson_token first, a, b;
    if (!next_member(p, "$timestamp") || !bson_next_is(p, BSON_T_OPEN))
        return false;
    first = bson_next(p);
    bool seconds_first = slice_eq(first.text, SL("t"));
    if ((!seconds_first && !slice_eq(first.text, SL("i"))) || !bson_next_is(p, BSON_T_COLON))
        return false;
    a = bson_next(p);
    if (!bson_next_is(p, BSON_T_COMMA) || !next_member(p, seconds_first ? "i" : "t"))
        return false;
    b = bson_next(p);
    if (a.kind != BSON_T_INT || b.kind != BSON_T_INT || !bson_next_is(p, BSON_T_CLOSE) ||
        !bson_next_is(p, BSON_T_CLOSE))
        return false;
    return seconds_first ? bson_write_timestamp(p, name, a, b)
                         : bson_write_timestamp(p, name, b, a);
}

/* {"$undefined": true} {"$minKey": 1} {"$maxKey": 1} */
static bool constant_form(struct bson_parser *p, struct slice name)
{
    struct bson_token first = bson_next(p);
    bool undefined = slice_eq(first.text, SL("$undefined"));
    if (!bson_next_is(p, BSON_T_COLON))
        return false;
    struct bson_token t = bson_next(p);
    if (undefined ? t.kind != BSON_T_NAME || !slice_eq(t.text, SL("true"))
                  : t.kind != BSON_T_INT || t.i != 1)
        return false;
    if (!bson_next_is(p, BSON_T_CLOSE))
        return false;
    enum bson_kind kind = undefined                             ? BSON_UNDEFINED
                          : slice_eq(first.text, SL("$minKey")) ? BSON_MIN_KEY
                                                                : BSON_MAX_KEY;
    bson_build_raw(&p->b, name, kind, "", 0);
    return true;
}

/* {"$dbPointer": {"$ref": "", "$id": {"$oid": ""}}} */
static bool pointer_form(struct bson_parser *p, struct slice name)
{
    struct bson_token to, id;
    return next_member(p, "$dbPointer") && bson_next_is(p, BSON_T_OPEN) && next_member(p, "$ref") &&
           next_text(p, &to) && bson_next_is(p, BSON_T_COMMA) && next_member(p, "$id") &&
           bson_next_is(p, BSON_T_OPEN) && next_member(p, "$oid") && last_scalar(p, false, &id) &&
           bson_next_is(p, BSON_T_CLOSE) && bson_next_is(p, BSON_T_CLOSE) &&
           bson_write_pointer(p, name, to.text, id);
}

bool bson_special(struct bson_parser *p, struct slice name, struct slice first)
{
    static const struct {
        struct slice first;
        bool (*form)(struct bson_parser *p, struct slice name);
    } forms[] = {
        {SL_INIT("$oid"), oid_form},
        {SL_INIT("$date"), date_form},
        {SL_INIT("$numberLong"), long_form},
        {SL_INIT("$numberDecimal"), decimal_form},
        {SL_INIT("$numberInt"), int_form},
        {SL_INIT("$numberDouble"), double_form},
        {SL_INIT("$binary"), binary_form},
        {SL_INIT("$type"), binary_form},
        {SL_INIT("$uuid"), uuid_form},
        {SL_INIT("$timestamp"), timestamp_form},
        {SL_INIT("$regularExpression"), regex_form},
        {SL_INIT("$regex"), old_regex_form},
        {SL_INIT("$options"), old_regex_form},
        {SL_INIT("$code"), code_form},
        {SL_INIT("$symbol"), symbol_form},
        {SL_INIT("$dbPointer"), pointer_form},
        {SL_INIT("$undefined"), constant_form},
        {SL_INIT("$minKey"), constant_form},
        {SL_INIT("$maxKey"), constant_form},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (slice_eq(forms[i].first, first))
            return forms[i].form(p, name);
    return false;
}
