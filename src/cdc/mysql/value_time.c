/* cdc/mysql/value_time.c - DATE, TIME, DATETIME, TIMESTAMP in all precision modes.
 *
 * A cell or a text becomes struct mysql_time_parts; a writer chosen by type and mode makes the
 * value. DATETIME has no zone and is never shifted; TIMESTAMP is UTC in the binlog, and in the
 * snapshot too, because the session's zone is UTC. SPEC: cdc-mysql 6.3-6.5 */
#include "base/civil.h"
#include "cdc/mysql/value.h"

#define MICROS_A_SECOND 1000000LL
#define SECONDS_A_DAY 86400LL

/* Two-digit years, then the calendar. Zero and partial dates are E_INVALID. */
static enum err check_date(const struct codec *c, struct mysql_time_parts *t)
{
    if (t->month < 1 || t->month > 12 || t->day < 1)
        return E_INVALID;
    if (c->modes->time_adjuster && t->year < 100)
        t->year += t->year < 70 ? 2000 : 1900;
    return t->day > (uint32_t)civil_days_in_month(t->year, (int32_t)t->month) ? E_INVALID : E_OK;
}

static int64_t epoch_seconds(const struct mysql_time_parts *t)
{
    return civil_to_days(t->year, (int32_t)t->month, t->day) * SECONDS_A_DAY + t->hour * 3600 +
           t->minute * 60 + t->second;
}

static int64_t time_micros(const struct mysql_time_parts *t)
{
    int64_t v =
        ((int64_t)t->hour * 3600 + t->minute * 60 + t->second) * MICROS_A_SECOND + t->micros;
    return t->negative ? -v : v;
}

/* --- text ------------------------------------------------------------------------------------- */

static char *put2(char *p, unsigned v)
{
    p[0] = (char)('0' + v / 10);
    p[1] = (char)('0' + v % 10);
    return p + 2;
}

static char *put_date(char *p, const struct mysql_time_parts *t)
{
    p = put2(p, t->year / 100 % 100);
    p = put2(p, t->year % 100);
    *p++ = '-';
    p = put2(p, t->month);
    *p++ = '-';
    return put2(p, t->day);
}

static char *put_clock(char *p, const struct mysql_time_parts *t)
{
    p = put2(p, t->hour);
    *p++ = ':';
    p = put2(p, t->minute);
    *p++ = ':';
    return put2(p, t->second);
}

/* `.` and digits of the fraction: exactly `digits`, or as few as needed when digits < 0. */
static char *put_fraction(char *p, uint32_t micros, int digits)
{
    char text[6];
    for (int i = 5; i >= 0; i--, micros /= 10)
        text[i] = (char)('0' + micros % 10);
    if (digits < 0) {
        digits = 6;
        while (digits > 0 && text[digits - 1] == '0')
            digits--;
    }
    if (digits == 0)
        return p;
    *p++ = '.';
    memcpy(p, text, (size_t)digits);
    return p + digits;
}

static enum err finish_text(struct value_env *env, const char *text, const char *end,
                            struct value *out)
{
    size_t n = (size_t)(end - text);
    char *to = value_dup(env, text, n);
    if (!to)
        return E_NOMEM;
    *out = value_string(slice_of(to, n));
    return E_OK;
}

static enum err timestamp_text(struct value_env *env, const struct mysql_time_parts *t, int digits,
                               struct value *out)
{
    char buf[40], *p = put_date(buf, t);
    *p++ = 'T';
    p = put_clock(p, t);
    p = put_fraction(p, t->micros, digits);
    *p++ = 'Z';
    return finish_text(env, buf, p, out);
}

/* --- writers: checked parts to a value -------------------------------------------------------- */

static enum err write_date(const struct codec *c, struct value_env *env, struct mysql_time_parts *t,
                           struct value *out)
{
    enum err rc = check_date(c, t);
    if (rc)
        return rc;
    if (c->modes->time == TIME_ISO) {
        char buf[16], *p = put_date(buf, t);
        *p++ = 'Z';
        return finish_text(env, buf, p, out);
    }
    *out = value_int(civil_to_days(t->year, (int32_t)t->month, t->day));
    return E_OK;
}

static enum err write_time(const struct codec *c, struct value_env *env, struct mysql_time_parts *t,
                           struct value *out)
{
    int64_t micros = time_micros(t);
    bool a_day = micros >= 0 && micros < SECONDS_A_DAY * MICROS_A_SECOND;
    switch (c->modes->time) {
    case TIME_CONNECT:
        if (!a_day)
            return E_INVALID;
        *out = value_int(micros / 1000);
        return E_OK;
    case TIME_ISO:
        if (a_day) {
            char buf[24], *p = put_clock(buf, t);
            p = put_fraction(p, t->micros, -1);
            *p++ = 'Z';
            return finish_text(env, buf, p, out);
        }
        return E_INVALID;
    case TIME_NANO:
        *out = value_int(micros * 1000);
        return E_OK;
    default:
        *out = value_int(micros);
        return E_OK;
    }
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static enum err write_datetime(const struct codec *c, struct value_env *env,
                               struct mysql_time_parts *t, struct value *out)
{
    enum err rc = check_date(c, t);
    if (rc)
        return rc;
    if (c->modes->time == TIME_ISO)
        return timestamp_text(env, t, -1, out);
    int64_t micros = epoch_seconds(t) * MICROS_A_SECOND + t->micros;
    switch (c->modes->time) {
    case TIME_CONNECT:
        *out = value_int(floor_div(micros, 1000));
        return E_OK;
    case TIME_NANO:
        if (__builtin_mul_overflow(micros, 1000, &micros))
            return E_INVALID;
        *out = value_int(micros);
        return E_OK;
    case TIME_MICRO:
        *out = value_int(micros);
        return E_OK;
    default:
        *out = value_int(c->length <= 3 ? floor_div(micros, 1000) : micros);
        return E_OK;
    }
}

/* --- from the binlog -------------------------------------------------------------------------- */

static enum err cell_date(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    struct mysql_time_parts t;
    enum err rc = mysql_cell_time(m, cell, &t);
    return rc ? rc : write_date(c, env, &t, out);
}

static enum err cell_time(const struct codec *c, struct value_env *env,
                          const struct mysql_map_column *m, const struct mysql_cell *cell,
                          struct value *out)
{
    struct mysql_time_parts t;
    enum err rc = mysql_cell_time(m, cell, &t);
    return rc ? rc : write_time(c, env, &t, out);
}

static enum err cell_datetime(const struct codec *c, struct value_env *env,
                              const struct mysql_map_column *m, const struct mysql_cell *cell,
                              struct value *out)
{
    struct mysql_time_parts t;
    enum err rc = mysql_cell_time(m, cell, &t);
    return rc ? rc : write_datetime(c, env, &t, out);
}

/* While streaming the fraction has as many digits as the column. SPEC: cdc-mysql 6.3 */
static enum err cell_timestamp(const struct codec *c, struct value_env *env,
                               const struct mysql_map_column *m, const struct mysql_cell *cell,
                               struct value *out)
{
    int64_t seconds;
    uint32_t micros;
    enum err rc = mysql_cell_timestamp(m, cell, &seconds, &micros);
    if (rc)
        return rc;
    if (seconds == 0 && micros == 0)
        return E_INVALID; /* the zero date */
    struct mysql_time_parts t = {.micros = micros};
    int64_t day = floor_div(seconds, SECONDS_A_DAY);
    uint32_t in_day = (uint32_t)(seconds - day * SECONDS_A_DAY);
    struct civil_day d = civil_of_days(day);
    t.year = (uint32_t)d.year;
    t.month = (uint32_t)d.month;
    t.day = (uint32_t)d.day;
    t.hour = in_day / 3600;
    t.minute = in_day / 60 % 60;
    t.second = in_day % 60;
    return timestamp_text(env, &t, (int)MIN(c->length, 6U), out);
}

/* --- from text -------------------------------------------------------------------------------- */

struct cursor {
    const char *p, *end;
};

static bool number(struct cursor *k, uint32_t *out)
{
    uint32_t v = 0;
    const char *start = k->p;
    while (k->p < k->end && (unsigned char)(*k->p - '0') <= 9 && k->p - start < 7)
        v = v * 10 + (uint32_t)(*k->p++ - '0');
    *out = v;
    return k->p > start;
}

static bool literal(struct cursor *k, char c)
{
    if (k->p >= k->end || *k->p != c)
        return false;
    k->p++;
    return true;
}

static bool fraction(struct cursor *k, uint32_t *micros)
{
    uint32_t v = 0;
    int digits = 0;
    *micros = 0;
    if (!literal(k, '.'))
        return true;
    for (; k->p < k->end && (unsigned char)(*k->p - '0') <= 9; k->p++)
        if (digits < 6) {
            v = v * 10 + (uint32_t)(*k->p - '0');
            digits++;
        }
    for (; digits < 6; digits++)
        v *= 10;
    *micros = v;
    return true;
}

static bool parse_date(struct cursor *k, struct mysql_time_parts *t)
{
    return number(k, &t->year) && literal(k, '-') && number(k, &t->month) && literal(k, '-') &&
           number(k, &t->day);
}

static bool parse_clock(struct cursor *k, struct mysql_time_parts *t)
{
    return number(k, &t->hour) && literal(k, ':') && number(k, &t->minute) &&
           (!literal(k, ':') || number(k, &t->second)) && fraction(k, &t->micros);
}

/* "2020-01-02", "2020-01-02 03:04:05.678", "-12:00:01.5"; E_INVALID for anything else. */
static enum err parse_text(struct slice text, bool date, bool clock, struct mysql_time_parts *t)
{
    struct cursor k = {text.p, text.p + text.n};
    memset(t, 0, sizeof *t);
    if (date && !parse_date(&k, t))
        return E_INVALID;
    if (!clock)
        return k.p == k.end || *k.p == ' ' ? E_OK : E_INVALID;
    if (date) {
        if (k.p == k.end)
            return E_OK; /* '2020-01-01' as DEFAULT of a DATETIME */
        if (!literal(&k, ' ') && !literal(&k, 'T'))
            return E_INVALID;
    } else {
        t->negative = literal(&k, '-');
    }
    return parse_clock(&k, t) && k.p == k.end ? E_OK : E_INVALID;
}

static enum err text_date(const struct codec *c, struct value_env *env, struct slice text,
                          struct value *out)
{
    struct mysql_time_parts t;
    enum err rc = parse_text(slice_trim(text), true, false, &t);
    return rc ? rc : write_date(c, env, &t, out);
}

static enum err text_time(const struct codec *c, struct value_env *env, struct slice text,
                          struct value *out)
{
    struct mysql_time_parts t;
    enum err rc = parse_text(slice_trim(text), false, true, &t);
    return rc ? rc : write_time(c, env, &t, out);
}

static enum err text_datetime(const struct codec *c, struct value_env *env, struct slice text,
                              struct value *out)
{
    struct mysql_time_parts t;
    enum err rc = parse_text(slice_trim(text), true, true, &t);
    return rc ? rc : write_datetime(c, env, &t, out);
}

/* In a snapshot the fraction has no trailing zeros; in a default it has the column's digits. */
static enum err text_timestamp(const struct codec *c, struct value_env *env, struct slice text,
                               struct value *out)
{
    struct mysql_time_parts t;
    enum err rc = parse_text(slice_trim(text), true, true, &t);
    if (rc == E_OK && (t.month == 0 || t.day == 0 || t.month > 12))
        rc = E_INVALID;
    return rc ? rc
              : timestamp_text(env, &t, c->text_is_default ? (int)MIN(c->length, 6U) : -1, out);
}

/* --- choice ----------------------------------------------------------------------------------- */

struct form {
    enum schema_type type;
    const char *name;
};
/* By mode: adaptive, connect, isostring, microseconds, nanoseconds. */
static const struct form dates[] = {
    {SCHEMA_INT32, "io.debezium.time.Date"},
    {SCHEMA_INT32, "org.apache.kafka.connect.data.Date"},
    {SCHEMA_STRING, "io.debezium.time.IsoDate"},
    {SCHEMA_INT32, "io.debezium.time.Date"},
    {SCHEMA_INT32, "io.debezium.time.Date"},
};
static const struct form times[] = {
    {SCHEMA_INT64, "io.debezium.time.MicroTime"},
    {SCHEMA_INT32, "org.apache.kafka.connect.data.Time"},
    {SCHEMA_STRING, "io.debezium.time.IsoTime"},
    {SCHEMA_INT64, "io.debezium.time.MicroTime"},
    {SCHEMA_INT64, "io.debezium.time.NanoTime"},
};
static const struct form datetimes[] = {
    {SCHEMA_INT64, "io.debezium.time.MicroTimestamp"}, /* with 0-3 digits: Timestamp */
    {SCHEMA_INT64, "org.apache.kafka.connect.data.Timestamp"},
    {SCHEMA_STRING, "io.debezium.time.IsoTimestamp"},
    {SCHEMA_INT64, "io.debezium.time.MicroTimestamp"},
    {SCHEMA_INT64, "io.debezium.time.NanoTimestamp"},
};

void codec_init_time(struct codec *c, struct schema_builder **b)
{
    const struct form *f;
    struct form short_form = {SCHEMA_INT64, "io.debezium.time.Timestamp"};
    struct form zoned = {SCHEMA_STRING, "io.debezium.time.ZonedTimestamp"};
    switch (c->column->type) {
    case COL_DATE:
        f = &dates[c->modes->time];
        c->from_cell = cell_date;
        c->from_text = text_date;
        break;
    case COL_TIME:
        f = &times[c->modes->time];
        c->from_cell = cell_time;
        c->from_text = text_time;
        break;
    case COL_DATETIME:
        f = c->modes->time == TIME_ADAPTIVE && c->length <= 3 ? &short_form
                                                              : &datetimes[c->modes->time];
        c->from_cell = cell_datetime;
        c->from_text = text_datetime;
        break;
    default:
        f = &zoned;
        c->from_cell = cell_timestamp;
        c->from_text = text_timestamp;
        break;
    }
    bool zoned_text = c->from_text == text_timestamp;
    c->form = f->type == SCHEMA_STRING ? CODEC_OTHER : CODEC_NUMBER;
    c->text_form = zoned_text ? CODEC_ZONED : c->form;
    *b = codec_schema(c, f->type, slice_cstr(f->name), 1);
}
