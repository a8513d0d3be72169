/* connect/java_date.c - a pattern is walked part by part: a run of one letter, or literal text.
 * Civil dates are computed from days (proleptic Gregorian calendar). */
#include "connect/java_date.h"

#include "base/civil.h"
#include "base/clock.h"

#define DAY_MS INT64_C(86400000)

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const days[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                   "Thursday", "Friday", "Saturday"};

struct civil {
    int64_t year;
    int month, day, hour, minute, second, milli; /* month 1..12 */
    int week_day, year_day;                      /* Sunday 0; January 1st 1 */
};

static int64_t days_of(int64_t y, int64_t m, int64_t d)
{
    y += (m - 1) / 12;
    m = (m - 1) % 12 + 1;
    if (m < 1) {
        m += 12;
        y--;
    }
    return civil_to_days(y, (int32_t)m, d);
}

static struct civil civil_of(int64_t ms)
{
    int64_t day = ms >= 0 ? ms / DAY_MS : -((-ms + DAY_MS - 1) / DAY_MS), rest = ms - day * DAY_MS;
    struct civil_day d = civil_of_days(day);
    struct civil c = {.year = d.year,
                      .month = d.month,
                      .day = d.day,
                      .hour = (int)(rest / 3600000),
                      .minute = (int)(rest / 60000 % 60),
                      .second = (int)(rest / 1000 % 60),
                      .milli = (int)(rest % 1000)};
    c.week_day = (int)(((day + 4) % 7 + 7) % 7);
    c.year_day = (int)(day - days_of(c.year, 1, 1) + 1);
    return c;
}

/* --- patterns --------------------------------------------------------------------------------- */

struct part {    /* of a pattern: a run of one letter, or one literal byte */
    char letter; /* 0: literal */
    int count;
    char literal;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* quoted: state between calls. False at the end. */
static bool next_part(struct slice *rest, bool *quoted, struct part *out)
{
    while (rest->n) {
        char c = rest->p[0];
        if (c == '\'') {
            bool twice = rest->n > 1 && rest->p[1] == '\'';
            *rest = slice_sub(*rest, twice ? 2 : 1, rest->n);
            if (!twice) {
                *quoted = !*quoted;
                continue;
            }
            *out = (struct part){.literal = '\''};
            return true;
        }
        if (*quoted || !is_letter(c)) {
            *out = (struct part){.literal = c};
            *rest = slice_sub(*rest, 1, rest->n);
            return true;
        }
        size_t n = 1;
        while (n < rest->n && rest->p[n] == c)
            n++;
        *out = (struct part){.letter = c, .count = (int)MIN(n, (size_t)64)};
        *rest = slice_sub(*rest, n, rest->n);
        return true;
    }
    return false;
}

static enum err unknown_letter(char c, struct error *e)
{
    return error_set(e, E_INVALID,
                     "java.lang.IllegalArgumentException: Illegal pattern character '%c'", c);
}

enum err java_date_check(struct slice pattern, struct error *e)
{
    bool quoted = false;
    struct part p;
    while (next_part(&pattern, &quoted, &p))
        if (p.letter && !strchr("GyYMLdDEuaHkKhmsSzZXwWF", p.letter))
            return unknown_letter(p.letter, e);
    return quoted
               ? error_set(e, E_INVALID, "java.lang.IllegalArgumentException: Unterminated quote")
               : E_OK;
}

/* --- formatting ------------------------------------------------------------------------------- */

static void add_number(struct strbuf *out, int64_t v, int width)
{
    strbuf_addf(out, "%0*lld", width, (long long)v);
}

static void add_name(struct strbuf *out, const char *name, int count)
{
    strbuf_addf(out, "%.*s", count >= 4 ? 20 : 3, name);
}

static enum err add_part(const struct part *p, const struct civil *c, struct strbuf *out,
                         struct error *e)
{
    int64_t year = c->year > 0 ? c->year : 1 - c->year;
    switch (p->letter) {
    case 0:
        strbuf_addc(out, p->literal);
        break;
    case 'G':
        strbuf_adds(out, c->year > 0 ? "AD" : "BC");
        break;
    case 'y':
    case 'Y':
        add_number(out, p->count == 2 ? year % 100 : year, p->count == 2 ? 2 : p->count);
        break;
    case 'M':
    case 'L':
        if (p->count >= 3)
            add_name(out, months[c->month - 1], p->count);
        else
            add_number(out, c->month, p->count);
        break;
    case 'd':
        add_number(out, c->day, p->count);
        break;
    case 'D':
        add_number(out, c->year_day, p->count);
        break;
    case 'E':
        add_name(out, days[c->week_day], p->count);
        break;
    case 'u':
        add_number(out, c->week_day ? c->week_day : 7, p->count);
        break;
    case 'a':
        strbuf_adds(out, c->hour < 12 ? "AM" : "PM");
        break;
    case 'H':
        add_number(out, c->hour, p->count);
        break;
    case 'k':
        add_number(out, c->hour ? c->hour : 24, p->count);
        break;
    case 'K':
        add_number(out, c->hour % 12, p->count);
        break;
    case 'h':
        add_number(out, c->hour % 12 ? c->hour % 12 : 12, p->count);
        break;
    case 'm':
        add_number(out, c->minute, p->count);
        break;
    case 's':
        add_number(out, c->second, p->count);
        break;
    case 'S':
        add_number(out, c->milli, p->count);
        break;
    case 'z':
        strbuf_adds(out, p->count >= 4 ? "Coordinated Universal Time" : "UTC");
        break;
    case 'Z':
        strbuf_adds(out, "+0000");
        break;
    case 'X':
        strbuf_addc(out, 'Z');
        break;
    case 'F':
        add_number(out, (c->day - 1) / 7 + 1, p->count);
        break;
    case 'w': /* weeks begin on Sunday, the first has January 1st */
        add_number(out, (c->year_day - 1 + (c->week_day - (c->year_day - 1) % 7 + 7) % 7) / 7 + 1,
                   p->count);
        break;
    case 'W':
        add_number(out, (c->day - 1 + (c->week_day - (c->day - 1) % 7 + 7) % 7) / 7 + 1, p->count);
        break;
    default:
        return unknown_letter(p->letter, e);
    }
    return E_OK;
}

enum err java_date_format(struct slice pattern, int64_t ms, struct strbuf *out, struct error *e)
{
    struct civil c = civil_of(ms);
    bool quoted = false;
    struct part p;
    enum err rc = E_OK;
    while (rc == E_OK && next_part(&pattern, &quoted, &p))
        rc = add_part(&p, &c, out, e);
    return rc;
}

/* --- parsing ---------------------------------------------------------------------------------- */

struct fields {
    int64_t year, month, day, year_day, hour, minute, second, milli, offset_minutes;
    bool pm, half_day, bc;
};

/* At most `most` digits, a sign allowed; what is too large wraps as Java's int does. */
static bool read_number(struct slice *text, int most, int64_t *out)
{
    size_t i = 0;
    bool minus = text->n && text->p[0] == '-';
    uint32_t v = 0;
    if (minus)
        i++;
    size_t from = i;
    while (i < text->n && i - from < (size_t)most && text->p[i] >= '0' && text->p[i] <= '9')
        v = v * 10 + (uint32_t)(text->p[i++] - '0');
    if (i == from)
        return false;
    *out = (int32_t)(minus ? 0 - v : v);
    *text = slice_sub(*text, i, text->n);
    return true;
}

/* The longest name that the text begins with, in full or by its first three letters. */
static bool read_name(struct slice *text, const char *const *names, size_t count, int64_t *out)
{
    for (size_t i = 0; i < count; i++) {
        struct slice full = slice_cstr(names[i]);
        size_t n = text->n >= full.n && slice_ieq(slice_sub(*text, 0, full.n), full) ? full.n
                   : text->n >= 3 && slice_ieq(slice_sub(*text, 0, 3), slice_sub(full, 0, 3)) ? 3
                                                                                              : 0;
        if (!n)
            continue;
        *out = (int64_t)i;
        *text = slice_sub(*text, n, text->n);
        return true;
    }
    return false;
}

/* Z, UTC, GMT, +hh, +hhmm, +hh:mm */
static bool read_zone(struct slice *text, int64_t *minutes)
{
    static const char *const zero[] = {"UTC", "GMT", "Z"};
    *minutes = 0;
    for (size_t i = 0; i < ARRAY_LEN(zero); i++) {
        struct slice name = slice_cstr(zero[i]);
        if (slice_starts(*text, name)) {
            *text = slice_sub(*text, name.n, text->n);
            if (i == 2 || !text->n || (text->p[0] != '+' && text->p[0] != '-'))
                return true;
            break;
        }
    }
    if (!text->n || (text->p[0] != '+' && text->p[0] != '-'))
        return false;
    int64_t sign = text->p[0] == '-' ? -1 : 1, h, m = 0;
    *text = slice_sub(*text, 1, text->n);
    if (!read_number(text, 2, &h))
        return false;
    if (text->n && text->p[0] == ':')
        *text = slice_sub(*text, 1, text->n);
    read_number(text, 2, &m);
    *minutes = sign * (h * 60 + m);
    return true;
}

static int64_t two_digit_year(int64_t y)
{
    int64_t now = civil_of(clock_wall_ms()).year, century = now / 100 * 100 + y;
    return century > now + 20 ? century - 100 : century <= now - 80 ? century + 100 : century;
}

/* next_is_number: digits follow at once, so this field ends by its width. */
static bool read_part(const struct part *p, bool next_is_number, struct slice *text,
                      struct fields *f)
{
    int most = next_is_number ? p->count : 18;
    int64_t v = 0;
    size_t had = text->n;
    switch (p->letter) {
    case 'G':
        f->bc = slice_starts(*text, SL("BC"));
        if (!f->bc && !slice_starts(*text, SL("AD")))
            return false;
        *text = slice_sub(*text, 2, text->n);
        return true;
    case 'y':
    case 'Y':
        if (!read_number(text, most, &f->year))
            return false;
        if (p->count <= 2 && had - text->n == 2)
            f->year = two_digit_year(f->year);
        return true;
    case 'M':
    case 'L':
        if (p->count >= 3) {
            if (!read_name(text, months, 12, &v))
                return false;
            f->month = v + 1;
            return true;
        }
        return read_number(text, most, &f->month);
    case 'd':
        return read_number(text, most, &f->day);
    case 'D':
        return read_number(text, most, &f->year_day);
    case 'E':
        return read_name(text, days, 7, &v);
    case 'a':
        f->half_day = true;
        f->pm = text->n >= 2 && slice_ieq(slice_sub(*text, 0, 2), SL("PM"));
        if (!f->pm && !(text->n >= 2 && slice_ieq(slice_sub(*text, 0, 2), SL("AM"))))
            return false;
        *text = slice_sub(*text, 2, text->n);
        return true;
    case 'H':
    case 'K':
        return read_number(text, most, &f->hour);
    case 'k':
    case 'h':
        if (!read_number(text, most, &v))
            return false;
        f->hour = v == (p->letter == 'k' ? 24 : 12) ? 0 : v;
        return true;
    case 'm':
        return read_number(text, most, &f->minute);
    case 's':
        return read_number(text, most, &f->second);
    case 'S':
        return read_number(text, most, &f->milli);
    case 'u':
    case 'w':
    case 'W':
    case 'F':
        return read_number(text, most, &v);
    case 'z':
    case 'Z':
    case 'X':
        return read_zone(text, &f->offset_minutes);
    default:
        if (!text->n || text->p[0] != p->literal)
            return false;
        *text = slice_sub(*text, 1, text->n);
        return true;
    }
}

static bool is_number_part(struct slice rest, bool quoted)
{
    struct part p;
    return next_part(&rest, &quoted, &p) && p.letter && strchr("yYdDHkKhmsSuwWF", p.letter) && true;
}

static int64_t combine(const struct fields *f)
{
    int64_t year = f->bc ? 1 - f->year : f->year;
    int64_t day =
        f->year_day ? days_of(year, 1, 1) + f->year_day - 1 : days_of(year, f->month, f->day);
    int64_t hour = f->half_day ? f->hour % 12 + (f->pm ? 12 : 0) : f->hour;
    uint64_t ms = (uint64_t)day * DAY_MS; /* wraps for the years that Java's long has no room for */
    return (int64_t)(ms + (uint64_t)(hour * 3600000 + (f->minute - f->offset_minutes) * 60000 +
                                     f->second * 1000 + f->milli));
}

enum err java_date_parse(struct slice pattern, struct slice text, int64_t *ms, struct error *e)
{
    struct fields f = {.year = 1970, .month = 1, .day = 1};
    struct slice whole = text;
    bool quoted = false;
    struct part p;
    while (next_part(&pattern, &quoted, &p)) {
        bool follows = is_number_part(pattern, quoted) ||
                       (pattern.n && pattern.p[0] == 'M' && !slice_starts(pattern, SL("MMM")));
        if (!read_part(&p, follows, &text, &f))
            return error_set(e, E_INVALID,
                             "java.text.ParseException: Unparseable date: \"" PRI_SL "\"",
                             ARG_SL(whole));
    }
    if (f.year > 300000000 || f.year < -300000000 || f.day > INT32_MAX || f.hour > INT32_MAX)
        return error_set(e, E_INVALID, "java.text.ParseException: Unparseable date: \"" PRI_SL "\"",
                         ARG_SL(whole));
    *ms = combine(&f);
    return E_OK;
}
