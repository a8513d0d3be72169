/* base/timezone.c - see the header. Changes of the past come from the file's list, those after its
 * end from the rule in its last line ("EST5EDT,M3.2.0,M11.1.0"). */
#include "base/timezone.h"

#include "base/bytes.h"
#include "base/civil.h"
#include "base/fs.h"
#include "base/mem.h"

#define DIRECTORY "/usr/share/zoneinfo/"
#define FILE_MAX ((size_t)1 << 20)
#define DAY 86400

/* A day of the year at which the rule changes, and the time on that day. */
struct rule_day {
    enum { DAY_MONTH, DAY_JULIAN, DAY_ZERO } kind; /* Mm.w.d, Jn (no 29th of February), n */
    int month, week, day;
    int32_t time; /* seconds of local time */
};
struct timezone {
    int64_t *times;   /* count: moments of change */
    int32_t *offsets; /* count: from there on */
    size_t count;
    int32_t first; /* before the first change; all there is without a file */
    bool has_rule, has_dst;
    int32_t std, dst; /* of the rule */
    struct rule_day start, end;
};

void timezone_close(struct timezone *z)
{
    if (!z)
        return;
    mem_free(z->times);
    mem_free(z->offsets);
    mem_free(z);
}

/* --- the rule --------------------------------------------------------------------------------- */

static bool take_char(struct slice *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = slice_sub(*s, 1, s->n);
    return true;
}

static bool take_number(struct slice *s, int max, int *out)
{
    size_t i = 0;
    int v = 0;
    for (; i < s->n && i < 3 && s->p[i] >= '0' && s->p[i] <= '9'; i++)
        v = v * 10 + (s->p[i] - '0');
    *s = slice_sub(*s, i, s->n);
    *out = v;
    return i > 0 && v <= max;
}

/* [+-]h[h[h]][:mm[:ss]] in seconds */
static bool take_time(struct slice *s, int32_t *out)
{
    int sign = take_char(s, '-') ? -1 : 1, h, m = 0, sec = 0;
    if (sign > 0)
        take_char(s, '+');
    if (!take_number(s, 167, &h))
        return false;
    if (take_char(s, ':') &&
        (!take_number(s, 59, &m) || (take_char(s, ':') && !take_number(s, 59, &sec))))
        return false;
    *out = sign * (h * 3600 + m * 60 + sec);
    return true;
}

/* Letters, or anything in angle brackets. */
static bool take_name(struct slice *s)
{
    size_t i = 0;
    if (take_char(s, '<')) {
        ptrdiff_t end = slice_find_char(*s, '>');
        if (end < 0)
            return false;
        *s = slice_sub(*s, (size_t)end + 1, s->n);
        return true;
    }
    while (i < s->n && ((s->p[i] | 0x20) >= 'a' && (s->p[i] | 0x20) <= 'z'))
        i++;
    *s = slice_sub(*s, i, s->n);
    return i >= 3;
}

static bool take_day(struct slice *s, struct rule_day *d)
{
    *d = (struct rule_day){.kind = DAY_ZERO, .time = 7200};
    if (!take_char(s, ','))
        return false;
    if (take_char(s, 'M')) {
        d->kind = DAY_MONTH;
        if (!take_number(s, 12, &d->month) || !d->month || !take_char(s, '.') ||
            !take_number(s, 5, &d->week) || !d->week || !take_char(s, '.') ||
            !take_number(s, 6, &d->day))
            return false;
    } else {
        d->kind = take_char(s, 'J') ? DAY_JULIAN : DAY_ZERO;
        if (!take_number(s, d->kind == DAY_JULIAN ? 366 : 365, &d->day))
            return false;
    }
    return !take_char(s, '/') || take_time(s, &d->time);
}

static bool parse_rule(struct timezone *z, struct slice s)
{
    int32_t west;
    if (!take_name(&s) || !take_time(&s, &west))
        return false;
    z->std = -west;
    z->dst = z->std + 3600;
    if (s.n) {
        if (!take_name(&s))
            return false;
        if (s.n && s.p[0] != ',') {
            if (!take_time(&s, &west))
                return false;
            z->dst = -west;
        }
        if (!take_day(&s, &z->start) || !take_day(&s, &z->end) || s.n)
            return false;
        z->has_dst = true;
    }
    z->has_rule = true;
    return true;
}

/* Seconds of local time at which the rule changes in a year. */
static int64_t rule_moment(const struct rule_day *d, int64_t year)
{
    int64_t day = civil_to_days(year, 1, 1);
    if (d->kind == DAY_MONTH) {
        int64_t first = civil_to_days(year, d->month, 1);
        int64_t next =
            d->month == 12 ? civil_to_days(year + 1, 1, 1) : civil_to_days(year, d->month + 1, 1);
        int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
        day = first + (d->day - weekday + 7) % 7 + (d->week - 1) * 7;
        if (day >= next)
            day -= 7;
    } else if (d->kind == DAY_JULIAN) { /* the 60th is the 1st of March, in leap years too */
        bool leap = civil_to_days(year, 3, 1) - day == 60;
        day += d->day - 1 + (leap && d->day >= 60);
    } else {
        day += d->day;
    }
    return day * DAY + d->time;
}

static int32_t rule_offset(const struct timezone *z, int64_t utc_s)
{
    const int64_t cycle = INT64_C(146097) * DAY; /* 400 years: whole weeks, the same again */
    if (!z->has_dst)
        return z->std;
    utc_s = (utc_s % cycle + cycle) % cycle;
    int64_t local = utc_s + z->std;
    int64_t year = civil_of_days(local >= 0 ? local / DAY : (local - DAY + 1) / DAY).year;
    int64_t start = rule_moment(&z->start, year) - z->std;
    int64_t end = rule_moment(&z->end, year) - z->dst;
    bool dst = start < end ? utc_s >= start && utc_s < end : utc_s >= start || utc_s < end;
    return dst ? z->dst : z->std;
}

/* --- the file --------------------------------------------------------------------------------- */

struct head {
    uint32_t isut, isstd, leap, times, types, chars;
};
#define HEAD_SIZE 44

static bool read_head(struct slice *s, struct head *h, char *version)
{
    const uint8_t *p = (const uint8_t *)s->p;
    if (s->n < HEAD_SIZE || memcmp(p, "TZif", 4) != 0)
        return false;
    *version = (char)p[4];
    uint32_t *out[] = {&h->isut, &h->isstd, &h->leap, &h->times, &h->types, &h->chars};
    for (size_t i = 0; i < ARRAY_LEN(out); i++) {
        *out[i] = load_be32(p + 20 + 4 * i);
        if (*out[i] > FILE_MAX)
            return false;
    }
    *s = slice_sub(*s, HEAD_SIZE, s->n);
    return h->types > 0;
}

static size_t block_size(const struct head *h, size_t time_size)
{
    return h->times * (time_size + 1) + h->types * (size_t)6 + h->chars +
           h->leap * (time_size + 4) + h->isstd + h->isut;
}

static bool read_block(struct timezone *z, struct slice s, const struct head *h, size_t time_size)
{
    const uint8_t *times = (const uint8_t *)s.p, *kinds = times + h->times * time_size,
                  *types = kinds + h->times;
    z->times = xcalloc(h->times + 1, sizeof *z->times);
    z->offsets = xcalloc(h->times + 1, sizeof *z->offsets);
    for (; z->count < h->times; z->count++) {
        size_t i = z->count;
        if (kinds[i] >= h->types)
            return false;
        z->times[i] =
            time_size == 8 ? (int64_t)load_be64(times + 8 * i) : (int32_t)load_be32(times + 4 * i);
        z->offsets[i] = (int32_t)load_be32(types + 6 * kinds[i]);
        if ((i > 0 && z->times[i] <= z->times[i - 1]) || z->offsets[i] < -2 * DAY ||
            z->offsets[i] > 2 * DAY)
            return false;
    }
    z->first = (int32_t)load_be32(types);
    return z->first >= -2 * DAY && z->first <= 2 * DAY;
}

enum err timezone_parse(struct timezone **out, struct slice file, struct error *e)
{
    struct timezone *z = xcalloc(1, sizeof *z);
    struct head h;
    char version;
    size_t time_size = 4;
    bool ok = file.n <= FILE_MAX && read_head(&file, &h, &version) && block_size(&h, 4) <= file.n;
    if (ok && version >= '2') { /* the same again, with times of 64 bits */
        time_size = 8;
        file = slice_sub(file, block_size(&h, 4), file.n);
        ok = read_head(&file, &h, &version) && block_size(&h, 8) <= file.n;
    }
    ok = ok && read_block(z, file, &h, time_size);
    if (ok && time_size == 8) {
        struct slice rule = slice_sub(file, block_size(&h, 8), file.n);
        ok = take_char(&rule, '\n') && slice_find_char(rule, '\n') >= 0;
        rule = ok ? slice_sub(rule, 0, (size_t)slice_find_char(rule, '\n')) : rule;
        ok = ok && (!rule.n || parse_rule(z, rule));
    }
    if (!ok) {
        timezone_close(z);
        return error_set(e, E_CORRUPT, "the time zone's file is damaged");
    }
    *out = z;
    return E_OK;
}

/* --- names ------------------------------------------------------------------------------------ */

/* Z, +09:00, -05:30:15 */
static bool fixed_offset(struct slice s, int32_t *out)
{
    if (slice_eq(s, SL("Z"))) {
        *out = 0;
        return true;
    }
    bool form = (s.n == 6 || s.n == 9) && (s.p[0] == '+' || s.p[0] == '-') && s.p[3] == ':';
    return form && take_time(&s, out) && !s.n && *out >= -18 * 3600 && *out <= 18 * 3600;
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], lower = (char)(c | 0x20);
        if (!((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || strchr("_+-/", c)))
            return false;
    }
    return s.n > 0 && s.n < 64 && s.p[0] != '/';
}

enum err timezone_open(struct timezone **out, struct slice name, struct error *e)
{
    int32_t offset;
    char path[sizeof DIRECTORY + 64];
    struct strbuf file = STRBUF_INIT;
    *out = NULL;
    if (fixed_offset(name, &offset)) {
        *out = xcalloc(1, sizeof **out);
        (*out)->first = offset;
        return E_OK;
    }
    if (!is_name(name))
        return error_set(e, E_NOT_FOUND, "there is no time zone " PRI_SL, ARG_SL(name));
    snprintf(path, sizeof path, DIRECTORY PRI_SL, ARG_SL(name));
    enum err rc = fs_read_all(path, FILE_MAX, &file, NULL);
    if (rc && (slice_eq(name, SL("UTC")) || slice_eq(name, SL("GMT")))) {
        *out = xcalloc(1, sizeof **out);
        rc = E_OK;
    } else if (rc) {
        rc = error_set(e, E_NOT_FOUND, "there is no time zone " PRI_SL " in " DIRECTORY,
                       ARG_SL(name));
    } else {
        rc = timezone_parse(out, strbuf_slice(&file), e);
    }
    strbuf_release(&file);
    return rc;
}

/* --- offsets ---------------------------------------------------------------------------------- */

int32_t timezone_offset(const struct timezone *z, int64_t utc_s)
{
    size_t low = 0, high = z->count;
    while (low < high) { /* the first change after the moment */
        size_t mid = low + (high - low) / 2;
        if (z->times[mid] <= utc_s)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == z->count && z->has_rule)
        return rule_offset(z, utc_s);
    return low ? z->offsets[low - 1] : z->first;
}

int32_t timezone_offset_local(const struct timezone *z, int64_t local_s)
{
    int32_t before = timezone_offset(z, local_s - DAY), after = timezone_offset(z, local_s + DAY);
    if (timezone_offset(z, local_s - before) == before)
        return before;
    return timezone_offset(z, local_s - after) == after ? after : before;
}
