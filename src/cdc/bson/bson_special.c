/* cdc/bson/bson_special.c - see the header. A document that begins like one of the extended forms but has
 * other members is an ordinary one ({"$type": 2} asks for a type); one of the right form with a text that
 * does not fit is a mistake. */
#include "cdc/bson/bson_special.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "cdc/bson/bson_decimal.h"
#include "cdc/bson/bson_parse.h"

static struct bson_token next(struct bson_parser *p)
{
    return bson_lex(&p->lex);
}

static bool next_is(struct bson_parser *p, enum bson_token_kind kind)
{
    return next(p).kind == kind;
}

static bool wrong(struct bson_parser *p, const char *at, const char *what)
{
    bson_lex_fail(&p->lex, at, what);
    return false;
}

/* `"name":` of an extended form; the lexer stays behind it. */
static bool next_member(struct bson_parser *p, const char *name)
{
    struct bson_token t = next(p);
    return (t.kind == BSON_T_STRING || t.kind == BSON_T_NAME) && slice_eq_c(t.text, name) &&
           next_is(p, BSON_T_COLON);
}

static bool next_text(struct bson_parser *p, struct bson_token *t)
{
    *t = next(p);
    return t->kind == BSON_T_STRING;
}

/* --- texts to values -------------------------------------------------------------------------- */

static bool has_zero(struct slice s)
{
    return s.n && memchr(s.p, 0, s.n) != NULL;
}

static bool write_oid(struct bson_parser *p, struct slice name, struct bson_token t)
{
    struct strbuf b = STRBUF_INIT;
    bool ok = t.text.n == 24 && hex_decode(&b, t.text) == E_OK;
    if (ok)
        bson_build_raw(&p->b, name, BSON_OBJECT_ID, b.p, b.n);
    strbuf_release(&b);
    return ok || wrong(p, t.at, "an ObjectId has 24 hexadecimal digits");
}

static bool write_decimal(struct bson_parser *p, struct slice name, struct bson_token t)
{
    char raw[BSON_DECIMAL_SIZE];
    if (bson_decimal_parse(t.text, raw))
        return wrong(p, t.at, "not a decimal number of 34 digits");
    bson_build_raw(&p->b, name, BSON_DECIMAL128, raw, sizeof raw);
    return true;
}

static bool write_integer(struct bson_parser *p, struct slice name, struct bson_token t, bool wide)
{
    int64_t v = t.i;
    if (t.kind == BSON_T_STRING && slice_to_i64(t.text, &v))
        return wrong(p, t.at, "not an integer of 64 bits");
    if (!wide && (v < INT32_MIN || v > INT32_MAX))
        return wrong(p, t.at, "not an integer of 32 bits");
    if (wide)
        bson_build_long(&p->b, name, v);
    else
        bson_build_int(&p->b, name, (int32_t)v);
    return true;
}

static bool write_double(struct bson_parser *p, struct slice name, struct bson_token t)
{
    double v = t.kind == BSON_T_INT ? (double)t.i : t.d;
    if (t.kind == BSON_T_STRING) {
        if (slice_eq(t.text, SL("NaN")))
            v = __builtin_nan("");
        else if (slice_eq(t.text, SL("Infinity")))
            v = __builtin_inf();
        else if (slice_eq(t.text, SL("-Infinity")))
            v = -__builtin_inf();
        else if (slice_to_double(t.text, &v))
            return wrong(p, t.at, "not a number");
    }
    bson_build_double(&p->b, name, v);
    return true;
}

static bool write_regex(struct bson_parser *p, struct slice name, struct bson_token pattern,
                        struct slice options)
{
    if (has_zero(pattern.text) || has_zero(options))
        return wrong(p, pattern.at, "a regular expression must not have a 0 character");
    bson_build_regex(&p->b, name, pattern.text, options);
    return true;
}

/* Base64 or hexadecimal digits as binary data. */
static bool write_binary(struct bson_parser *p, struct slice name, struct bson_token data,
                         unsigned subtype, bool hex)
{
    struct strbuf b = STRBUF_INIT;
    bool ok = (hex ? hex_decode(&b, data.text) : base64_decode(&b, data.text)) == E_OK;
    if (ok)
        bson_build_binary(&p->b, name, (uint8_t)subtype, strbuf_slice(&b));
    strbuf_release(&b);
    return ok || wrong(p, data.at, hex ? "not hexadecimal digits" : "not base64");
}

static bool write_uuid(struct bson_parser *p, struct slice name, struct bson_token t)
{
    struct strbuf digits = STRBUF_INIT, b = STRBUF_INIT;
    for (size_t i = 0; i < t.text.n && i < 36; i++)
        if (t.text.p[i] != '-')
            strbuf_addc(&digits, t.text.p[i]);
    bool ok = t.text.n <= 36 && digits.n == 32 && hex_decode(&b, strbuf_slice(&digits)) == E_OK;
    if (ok)
        bson_build_binary(&p->b, name, 4, strbuf_slice(&b));
    strbuf_release(&digits);
    strbuf_release(&b);
    return ok || wrong(p, t.at, "a UUID has 32 hexadecimal digits");
}

/* Subtype as "04", "4" or 4. */
static bool subtype_of(struct bson_parser *p, struct bson_token t, unsigned *out)
{
    if (t.kind == BSON_T_INT && t.i >= 0 && t.i <= 255) {
        *out = (unsigned)t.i;
        return true;
    }
    char *end = NULL, digits[3] = {0};
    if (t.kind == BSON_T_STRING && t.text.n >= 1 && t.text.n <= 2) {
        memcpy(digits, t.text.p, t.text.n);
        *out = 0;
        for (end = digits; *end; end++) {
            int d = *end >= '0' && *end <= '9'                 ? *end - '0'
                    : (*end | 32) >= 'a' && (*end | 32) <= 'f' ? (*end | 32) - 'a' + 10
                                                               : -1;
            if (d < 0)
                break;
            *out = *out << 4 | (unsigned)d;
        }
        if (!*end)
            return true;
    }
    return wrong(p, t.at, "not a subtype of binary data");
}

static bool pick(const char **at, const char *end, int min, int max, int *out)
{
    const char *p = *at;
    *out = 0;
    for (; p < end && *p >= '0' && *p <= '9' && p - *at < max; p++)
        *out = *out * 10 + (*p - '0');
    bool ok = p - *at >= min;
    *at = p;
    return ok;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool zone(const char **at, const char *end, int64_t *seconds)
{
    *seconds = 0;
    if (*at == end || **at == 'Z' || **at == 'z') {
        *at += *at < end;
        return true;
    }
    int sign = **at == '+' ? 1 : **at == '-' ? -1 : 0, hours, minutes = 0;
    if (!sign)
        return false;
    ++*at;
    if (!pick(at, end, 2, 2, &hours))
        return false;
    if (*at < end && **at == ':')
        ++*at;
    if (*at < end && !pick(at, end, 2, 2, &minutes))
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return hours <= 18 && minutes < 60;
}

static bool clock_of(const char **at, const char *end, int64_t *ms)
{
    int hour, minute, second = 0;
    int64_t fraction = 0;
    if (!pick(at, end, 2, 2, &hour) || *at == end || *(*at)++ != ':' ||
        !pick(at, end, 2, 2, &minute))
        return false;
    if (*at < end && **at == ':') {
        ++*at;
        if (!pick(at, end, 2, 2, &second))
            return false;
        if (*at < end && (**at == '.' || **at == ',')) {
            const char *first = ++*at;
            for (int64_t unit = 100; *at < end && **at >= '0' && **at <= '9'; ++*at, unit /= 10)
                fraction += (**at - '0') * unit;
            if (*at == first)
                return false;
        }
    }
    *ms = hour * INT64_C(3600000) + minute * INT64_C(60000) + second * 1000 + fraction;
    return hour < 24 && minute < 60 && second < 60;
}

bool bson_parse_instant(struct slice text, int64_t *ms)
{
    static const int lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const char *at = text.p, *end = text.p + text.n;
    int year, month, day;
    int64_t of_day = 0, offset = 0;
    if (!text.n || !pick(&at, end, 4, 4, &year) || at == end || *at++ != '-' ||
        !pick(&at, end, 2, 2, &month) || at == end || *at++ != '-' || !pick(&at, end, 2, 2, &day) ||
        month < 1 || month > 12 || day < 1 || day > lengths[month - 1])
        return false;
    if (month == 2 && day == 29 && (year % 4 || (year % 100 == 0 && year % 400)))
        return false;
    if (at < end) {
        if (*at != 'T' && *at != 't' && *at != ' ')
            return false;
        at++;
        if (!clock_of(&at, end, &of_day) || !zone(&at, end, &offset) || at < end)
            return false;
    }
    *ms = days_of(year, month, day) * 86400000 + of_day - offset * 1000;
    return true;
}

static bool write_date(struct bson_parser *p, struct slice name, struct bson_token t)
{
    int64_t ms = t.i;
    if (t.kind == BSON_T_STRING && !bson_parse_instant(t.text, &ms))
        return wrong(p, t.at, "not a date such as 2017-07-19T10:37:12.310Z");
    bson_build_date(&p->b, name, ms);
    return true;
}

static bool write_timestamp(struct bson_parser *p, struct slice name, struct bson_token seconds,
                            struct bson_token increment)
{
    const struct bson_token *parts[] = {&seconds, &increment};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i]->i < 0 || parts[i]->i > UINT32_MAX)
            return wrong(p, parts[i]->at, "not an unsigned integer of 32 bits");
    bson_build_timestamp(&p->b, name, (uint32_t)seconds.i, (uint32_t)increment.i);
    return true;
}

/* --- extended JSON ---------------------------------------------------------------------------- */

/* The value of a form with one member: a text, or a number where numbers are taken. */
static bool last_scalar(struct bson_parser *p, bool numbers, struct bson_token *t)
{
    *t = next(p);
    bool fits = t->kind == BSON_T_STRING ||
                (numbers && (t->kind == BSON_T_INT || t->kind == BSON_T_DOUBLE));
    return fits && next_is(p, BSON_T_CLOSE);
}

static bool oid_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$oid") && last_scalar(p, false, &t) && write_oid(p, name, t);
}

static bool long_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$numberLong") && last_scalar(p, true, &t) && t.kind != BSON_T_DOUBLE &&
           write_integer(p, name, t, true);
}

static bool int_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$numberInt") && last_scalar(p, true, &t) && t.kind != BSON_T_DOUBLE &&
           write_integer(p, name, t, false);
}

static bool double_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$numberDouble") && last_scalar(p, true, &t) && write_double(p, name, t);
}

static bool decimal_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$numberDecimal") && last_scalar(p, true, &t) &&
           write_decimal(p, name, t);
}

static bool uuid_form(struct bson_parser *p, struct slice name)
{
    struct bson_token t;
    return next_member(p, "$uuid") && last_scalar(p, false, &t) && write_uuid(p, name, t);
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
    struct bson_token t = next(p);
    if (t.kind == BSON_T_OPEN) {
        if (!next_member(p, "$numberLong") || !last_scalar(p, true, &t) || t.kind == BSON_T_DOUBLE)
            return false;
        if (t.kind == BSON_T_STRING && slice_to_i64(t.text, &t.i))
            return wrong(p, t.at, "not an integer of 64 bits");
        t.kind = BSON_T_INT;
    }
    return (t.kind == BSON_T_INT || t.kind == BSON_T_STRING) && next_is(p, BSON_T_CLOSE) &&
           write_date(p, name, t);
}

/* The newer {"$binary": {"base64": "", "subType": "00"}}, behind the colon. */
static bool binary_members(struct bson_parser *p, struct slice name)
{
    struct bson_token data = {0}, type = {0};
    for (int i = 0; i < 2; i++) {
        struct bson_token t = next(p);
        if (t.kind != BSON_T_STRING && t.kind != BSON_T_NAME)
            return false;
        struct bson_token *to = slice_eq(t.text, SL("base64"))    ? &data
                                : slice_eq(t.text, SL("subType")) ? &type
                                                                  : NULL;
        if (!to || !next_is(p, BSON_T_COLON))
            return false;
        *to = next(p);
        if (!next_is(p, i ? BSON_T_CLOSE : BSON_T_COMMA))
            return false;
    }
    unsigned subtype;
    return data.kind == BSON_T_STRING && next_is(p, BSON_T_CLOSE) &&
           subtype_of(p, type, &subtype) && write_binary(p, name, data, subtype, false);
}

/* {"$binary": "", "$type": "00"} in either order, or the newer form. */
static bool binary_form(struct bson_parser *p, struct slice name)
{
    struct bson_token first = next(p), data, type;
    bool data_first = slice_eq(first.text, SL("$binary"));
    if (!next_is(p, BSON_T_COLON))
        return false;
    struct bson_token t = next(p);
    if (data_first && t.kind == BSON_T_OPEN)
        return binary_members(p, name);
    if (t.kind != BSON_T_STRING && (data_first || t.kind != BSON_T_INT))
        return false;
    if (!next_is(p, BSON_T_COMMA) || !next_member(p, data_first ? "$type" : "$binary"))
        return false;
    data = data_first ? t : next(p);
    type = data_first ? next(p) : t;
    unsigned subtype;
    return data.kind == BSON_T_STRING && next_is(p, BSON_T_CLOSE) &&
           subtype_of(p, type, &subtype) && write_binary(p, name, data, subtype, false);
}

/* {"$regex": "", "$options": ""} in either order; {"$regex": ""} alone is an operator. */
static bool old_regex_form(struct bson_parser *p, struct slice name)
{
    struct bson_token first = next(p), a, b;
    bool pattern_first = slice_eq(first.text, SL("$regex"));
    return next_is(p, BSON_T_COLON) && next_text(p, &a) && next_is(p, BSON_T_COMMA) &&
           next_member(p, pattern_first ? "$options" : "$regex") && next_text(p, &b) &&
           next_is(p, BSON_T_CLOSE) &&
           write_regex(p, name, pattern_first ? a : b, pattern_first ? b.text : a.text);
}

static bool regex_form(struct bson_parser *p, struct slice name)
{
    struct bson_token a, b;
    return next_member(p, "$regularExpression") && next_is(p, BSON_T_OPEN) &&
           next_member(p, "pattern") && next_text(p, &a) && next_is(p, BSON_T_COMMA) &&
           next_member(p, "options") && next_text(p, &b) && next_is(p, BSON_T_CLOSE) &&
           next_is(p, BSON_T_CLOSE) && write_regex(p, name, a, b.text);
}

/* Whether the document behind its { closes, and the one around it at once. Only tokens are read: a value
 * that were parsed to find out would be parsed again, and each level in it twice as often. */
static bool ends_both(struct bson_parser *p)
{
    const char *at = p->lex.at;
    for (unsigned depth = 1; depth;) {
        enum bson_token_kind kind = next(p).kind;
        if (kind == BSON_T_END || kind == BSON_T_BAD)
            return false;
        depth += kind == BSON_T_OPEN;
        depth -= kind == BSON_T_CLOSE;
    }
    bool both = next_is(p, BSON_T_CLOSE);
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
    struct bson_token t = next(p);
    if (t.kind == BSON_T_CLOSE) {
        bson_build_text_as(&p->b, name, BSON_CODE, code.text);
        return true;
    }
    struct slice scope;
    if (t.kind != BSON_T_COMMA || !next_member(p, "$scope") || !next_is(p, BSON_T_OPEN) ||
        !ends_both(p) || !sub_document(p, &scope))
        return false;
    if (!next_is(p, BSON_T_CLOSE))
        return wrong(p, p->lex.at, "expected }");
    bson_build_scope(&p->b, name, code.text, scope);
    return true;
}

/* {"$timestamp": {"t": 1, "i": 2}} in either order. */
static bool timestamp_form(struct bson_parser *p, struct slice name)
{
    struct bson_token first, a, b;
    if (!next_member(p, "$timestamp") || !next_is(p, BSON_T_OPEN))
        return false;
    first = next(p);
    bool seconds_first = slice_eq(first.text, SL("t"));
    if ((!seconds_first && !slice_eq(first.text, SL("i"))) || !next_is(p, BSON_T_COLON))
        return false;
    a = next(p);
    if (!next_is(p, BSON_T_COMMA) || !next_member(p, seconds_first ? "i" : "t"))
        return false;
    b = next(p);
    if (a.kind != BSON_T_INT || b.kind != BSON_T_INT || !next_is(p, BSON_T_CLOSE) ||
        !next_is(p, BSON_T_CLOSE))
        return false;
    return seconds_first ? write_timestamp(p, name, a, b) : write_timestamp(p, name, b, a);
}

/* {"$undefined": true} {"$minKey": 1} {"$maxKey": 1} */
static bool constant_form(struct bson_parser *p, struct slice name)
{
    struct bson_token first = next(p);
    bool undefined = slice_eq(first.text, SL("$undefined"));
    if (!next_is(p, BSON_T_COLON))
        return false;
    struct bson_token t = next(p);
    if (undefined ? t.kind != BSON_T_NAME || !slice_eq(t.text, SL("true"))
                  : t.kind != BSON_T_INT || t.i != 1)
        return false;
    if (!next_is(p, BSON_T_CLOSE))
        return false;
    enum bson_kind kind = undefined                             ? BSON_UNDEFINED
                          : slice_eq(first.text, SL("$minKey")) ? BSON_MIN_KEY
                                                                : BSON_MAX_KEY;
    bson_build_raw(&p->b, name, kind, "", 0);
    return true;
}

static bool write_pointer(struct bson_parser *p, struct slice name, struct slice to,
                          struct bson_token id)
{
    struct strbuf b = STRBUF_INIT;
    bool ok = id.text.n == 24 && hex_decode(&b, id.text) == E_OK;
    if (ok)
        bson_build_pointer(&p->b, name, to, b.p);
    strbuf_release(&b);
    return ok || wrong(p, id.at, "an ObjectId has 24 hexadecimal digits");
}

/* {"$dbPointer": {"$ref": "", "$id": {"$oid": ""}}} */
static bool pointer_form(struct bson_parser *p, struct slice name)
{
    struct bson_token to, id;
    return next_member(p, "$dbPointer") && next_is(p, BSON_T_OPEN) && next_member(p, "$ref") &&
           next_text(p, &to) && next_is(p, BSON_T_COMMA) && next_member(p, "$id") &&
           next_is(p, BSON_T_OPEN) && next_member(p, "$oid") && last_scalar(p, false, &id) &&
           next_is(p, BSON_T_CLOSE) && next_is(p, BSON_T_CLOSE) &&
           write_pointer(p, name, to.text, id);
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

/* --- the shell -------------------------------------------------------------------------------- */

#define ARGUMENTS_MAX 2

/* (a, b): texts and numbers. How many there were, -1: the lexer failed. */
static int arguments(struct bson_parser *p, struct bson_token v[ARGUMENTS_MAX])
{
    struct bson_token t = next(p);
    int n = 0;
    if (t.kind != BSON_T_PAREN) {
        wrong(p, t.at, "expected (");
        return -1;
    }
    for (t = next(p); t.kind != BSON_T_PAREN_END;) {
        if (t.kind != BSON_T_STRING && t.kind != BSON_T_INT && t.kind != BSON_T_DOUBLE) {
            wrong(p, t.at, "a text or a number is expected");
            return -1;
        }
        if (n == ARGUMENTS_MAX) {
            wrong(p, t.at, "one argument too many");
            return -1;
        }
        v[n++] = t;
        t = next(p);
        if (t.kind == BSON_T_COMMA) {
            t = next(p);
        } else if (t.kind != BSON_T_PAREN_END) {
            wrong(p, t.at, "expected , or )");
            return -1;
        }
    }
    return n;
}

static bool call_oid(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 && v[0].kind == BSON_T_STRING ? write_oid(p, name, v[0])
                                                : wrong(p, v[0].at, "ObjectId wants one text");
}

static bool call_date(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    if (!n) {
        bson_build_date(&p->b, name, clock_wall_ms());
        return true;
    }
    return n == 1 && v[0].kind != BSON_T_DOUBLE
               ? write_date(p, name, v[0])
               : wrong(p, v[0].at, "a date wants a text or milliseconds");
}

static bool call_number(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 ? write_double(p, name, v[0]) : wrong(p, v[0].at, "one number is expected");
}

static bool call_int(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 && v[0].kind != BSON_T_DOUBLE ? write_integer(p, name, v[0], false)
                                                : wrong(p, v[0].at, "one integer is expected");
}

static bool call_long(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 && v[0].kind != BSON_T_DOUBLE ? write_integer(p, name, v[0], true)
                                                : wrong(p, v[0].at, "one integer is expected");
}

static bool call_decimal(struct bson_parser *p, struct slice name, const struct bson_token *v,
                         int n)
{
    return n == 1 ? write_decimal(p, name, v[0]) : wrong(p, v[0].at, "one number is expected");
}

static bool call_uuid(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    return n == 1 && v[0].kind == BSON_T_STRING ? write_uuid(p, name, v[0])
                                                : wrong(p, v[0].at, "UUID wants one text");
}

static bool call_timestamp(struct bson_parser *p, struct slice name, const struct bson_token *v,
                           int n)
{
    if (n != 2 || v[0].kind != BSON_T_INT || v[1].kind != BSON_T_INT)
        return wrong(p, v[0].at, "Timestamp wants seconds and an increment");
    return write_timestamp(p, name, v[0], v[1]);
}

static bool call_regex(struct bson_parser *p, struct slice name, const struct bson_token *v, int n)
{
    if (n < 1 || v[0].kind != BSON_T_STRING || (n == 2 && v[1].kind != BSON_T_STRING))
        return wrong(p, v[0].at, "RegExp wants a pattern and options");
    return write_regex(p, name, v[0], n == 2 ? v[1].text : SL(""));
}

static bool binary_arguments(struct bson_parser *p, struct slice name, const struct bson_token *v,
                             int n, bool hex)
{
    unsigned subtype;
    if (n != 2 || v[0].kind != BSON_T_INT || v[1].kind != BSON_T_STRING)
        return wrong(p, v[0].at, "a subtype and a text are expected");
    return subtype_of(p, v[0], &subtype) && write_binary(p, name, v[1], subtype, hex);
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
               ? write_pointer(p, name, v[0].text, v[1])
               : wrong(p, v[0].at, "DBPointer wants two texts");
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
        if (word.p[0] != 'M' || !next_is(p, BSON_T_PAREN) || !next_is(p, BSON_T_PAREN_END))
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
        word = next(p);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (word.kind != BSON_T_NAME || !slice_eq(calls[i].word, word.text))
            continue;
        struct bson_token v[ARGUMENTS_MAX] = {{.at = word.at}};
        int n = arguments(p, v);
        return n >= 0 && calls[i].call(p, name, v, n);
    }
    return wrong(p, word.at, "a word that is not known");
}
