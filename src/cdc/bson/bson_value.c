/* cdc/bson/bson_value.c - see the header. */
#include "cdc/bson/bson_value.h"

#include "base/bytes.h"
#include "base/civil.h"
#include "cdc/bson/bson_decimal.h"
#include "cdc/bson/bson_parse.h"

static bool has_zero(struct slice s)
{
    return s.n && memchr(s.p, 0, s.n) != NULL;
}

bool bson_write_oid(struct bson_parser *p, struct slice name, struct bson_token t)
{
    struct strbuf b = STRBUF_INIT;
    bool ok = t.text.n == 24 && hex_decode(&b, t.text) == E_OK;
    if (ok)
        bson_build_raw(&p->b, name, BSON_OBJECT_ID, b.p, b.n);
    strbuf_release(&b);
    return ok || bson_wrong(p, t.at, "an ObjectId has 24 hexadecimal digits");
}

bool bson_write_decimal(struct bson_parser *p, struct slice name, struct bson_token t)
{
    char raw[BSON_DECIMAL_SIZE];
    if (bson_decimal_parse(t.text, raw))
        return bson_wrong(p, t.at, "not a decimal number of 34 digits");
    bson_build_raw(&p->b, name, BSON_DECIMAL128, raw, sizeof raw);
    return true;
}

bool bson_write_integer(struct bson_parser *p, struct slice name, struct bson_token t, bool wide)
{
    int64_t v = t.i;
    if (t.kind == BSON_T_STRING && slice_to_i64(t.text, &v))
        return bson_wrong(p, t.at, "not an integer of 64 bits");
    if (!wide && (v < INT32_MIN || v > INT32_MAX))
        return bson_wrong(p, t.at, "not an integer of 32 bits");
    if (wide)
        bson_build_long(&p->b, name, v);
    else
        bson_build_int(&p->b, name, (int32_t)v);
    return true;
}

bool bson_write_double(struct bson_parser *p, struct slice name, struct bson_token t)
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
            return bson_wrong(p, t.at, "not a number");
    }
    bson_build_double(&p->b, name, v);
    return true;
}

bool bson_write_regex(struct bson_parser *p, struct slice name, struct bson_token pattern,
                      struct slice options)
{
    if (has_zero(pattern.text) || has_zero(options))
        return bson_wrong(p, pattern.at, "a regular expression must not have a 0 character");
    bson_build_regex(&p->b, name, pattern.text, options);
    return true;
}

/* Base64 or hexadecimal digits as binary data. */
bool bson_write_binary(struct bson_parser *p, struct slice name, struct bson_token data,
                       unsigned subtype, bool hex)
{
    struct strbuf b = STRBUF_INIT;
    bool ok = (hex ? hex_decode(&b, data.text) : base64_decode(&b, data.text)) == E_OK;
    if (ok)
        bson_build_binary(&p->b, name, (uint8_t)subtype, strbuf_slice(&b));
    strbuf_release(&b);
    return ok || bson_wrong(p, data.at, hex ? "not hexadecimal digits" : "not base64");
}

bool bson_write_uuid(struct bson_parser *p, struct slice name, struct bson_token t)
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
    return ok || bson_wrong(p, t.at, "a UUID has 32 hexadecimal digits");
}

/* Subtype as "04", "4" or 4. */
bool bson_subtype(struct bson_parser *p, struct bson_token t, unsigned *out)
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
    return bson_wrong(p, t.at, "not a subtype of binary data");
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
    const char *at = text.p, *end = text.p + text.n;
    int year, month, day;
    int64_t of_day = 0, offset = 0;
    if (!text.n || !pick(&at, end, 4, 4, &year) || at == end || *at++ != '-' ||
        !pick(&at, end, 2, 2, &month) || at == end || *at++ != '-' || !pick(&at, end, 2, 2, &day) ||
        month < 1 || month > 12 || day < 1 || day > civil_days_in_month(year, month))
        return false;
    if (at < end) {
        if (*at != 'T' && *at != 't' && *at != ' ')
            return false;
        at++;
        if (!clock_of(&at, end, &of_day) || !zone(&at, end, &offset) || at < end)
            return false;
    }
    *ms = civil_to_days(year, month, day) * 86400000 + of_day - offset * 1000;
    return true;
}

bool bson_write_date(struct bson_parser *p, struct slice name, struct bson_token t)
{
    int64_t ms = t.i;
    if (t.kind == BSON_T_STRING && !bson_parse_instant(t.text, &ms))
        return bson_wrong(p, t.at, "not a date such as 2017-07-19T10:37:12.310Z");
    bson_build_date(&p->b, name, ms);
    return true;
}

bool bson_write_timestamp(struct bson_parser *p, struct slice name, struct bson_token seconds,
                          struct bson_token increment)
{
    const struct bson_token *parts[] = {&seconds, &increment};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (parts[i]->i < 0 || parts[i]->i > UINT32_MAX)
            return bson_wrong(p, parts[i]->at, "not an unsigned integer of 32 bits");
    bson_build_timestamp(&p->b, name, (uint32_t)seconds.i, (uint32_t)increment.i);
    return true;
}

bool bson_write_pointer(struct bson_parser *p, struct slice name, struct slice to,
                        struct bson_token id)
{
    struct strbuf b = STRBUF_INIT;
    bool ok = id.text.n == 24 && hex_decode(&b, id.text) == E_OK;
    if (ok)
        bson_build_pointer(&p->b, name, to, b.p);
    strbuf_release(&b);
    return ok || bson_wrong(p, id.at, "an ObjectId has 24 hexadecimal digits");
}
