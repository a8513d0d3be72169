/* base/opt.c - see opt.h.
 *
 * One text goes through three steps: parse (by type, Java's rules), check (range, choices, the
 * row's own check) and store (into the field, and the text itself into opt_values.texts, which owns
 * the bytes that slice fields point to). Printing parses again, so what is shown is the value as
 * understood ("TRUE" is shown as true), whether or not the row has a field. */
#include "base/opt.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

struct value {
    int64_t i; /* numbers, booleans, the index of a choice */
    double d;
    struct slice s;
};

const char *opt_type_name(enum opt_type t)
{
    static const char *const names[] = {"BOOLEAN", "STRING", "INT",   "SHORT",    "LONG",
                                        "DOUBLE",  "LIST",   "CLASS", "PASSWORD", "STRING"};
    return names[t];
}

const struct opt_row *opt_find(const struct opt_row *rows, struct slice name)
{
    for (const struct opt_row *r = rows; r->name; r++)
        if (slice_eq_c(name, r->name))
            return r;
    for (const struct opt_row *r = rows; r->name; r++)
        for (const char *const *a = r->aliases; a && *a; a++)
            if (slice_eq_c(name, *a))
                return r;
    return NULL;
}

/* --- parsing ---------------------------------------------------------------------------------- */

static enum err bad(const struct opt_row *row, struct slice raw, struct error *e, const char *why)
{
    /* A secret that does not parse must not travel in the message. */
    if (row->flags & OPT_SECRET || row->type == OPT_PASSWORD)
        raw = SL("[hidden]");
    return error_set(e, E_INVALID, "Invalid value %.*s for configuration %s: %s",
                     (int)MIN(raw.n, (size_t)200), raw.p ? raw.p : "null", row->name, why);
}

/* Java's parseInt, parseShort and parseLong: a sign and digits. */
static bool parse_integer(struct slice s, int64_t min, int64_t max, int64_t *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative || (s.n > 0 && s.p[0] == '+');
    __int128 v = 0;
    if (i == s.n)
        return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (s.p[i] - '0');
        if (v > (__int128)1 << 64)
            return false;
    }
    v = negative ? -v : v;
    if (v < min || v > max)
        return false;
    *out = (int64_t)v;
    return true;
}

/* Java's parseDouble: decimal or hexadecimal, NaN, Infinity, an optional d or f at the end. */
static bool parse_double(struct slice s, double *out)
{
    char text[400];
    struct slice word = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+') ? slice_sub(s, 1, s.n) : s;
    bool negative = word.p != s.p && s.p[0] == '-';
    if (slice_eq(word, SL("NaN")) || slice_eq(word, SL("Infinity"))) {
        *out = word.n == 3 ? NAN : negative ? -INFINITY : INFINITY;
        return true;
    }
    bool hex = slice_istarts(word, SL("0x"));
    size_t n = s.n;
    if (n > 1 && strchr("dDfF", s.p[n - 1]) && (!hex || slice_find_char(s, 'p') >= 0))
        n--;
    if (n == 0 || n >= sizeof text)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr(hex ? "0123456789abcdefABCDEFxXpP.+-" : "0123456789eE.+-", s.p[i]))
            return false;
    memcpy(text, s.p, n);
    text[n] = 0;
    char *end;
    *out = strtod(text, &end);
    return *end == 0;
}

static const char *parse(const struct opt_row *row, struct slice text, struct value *v)
{
    *v = (struct value){0, 0, text};
    switch (row->type) {
    case OPT_BOOLEAN:
        v->i = slice_ieq(text, SL("true"));
        return v->i || slice_ieq(text, SL("false")) ? NULL
                                                    : "Expected value to be either true or false";
    case OPT_INT:
        return parse_integer(text, INT32_MIN, INT32_MAX, &v->i) ? NULL : "Not a number of type INT";
    case OPT_SHORT:
        return parse_integer(text, INT16_MIN, INT16_MAX, &v->i) ? NULL
                                                                : "Not a number of type SHORT";
    case OPT_LONG:
        return parse_integer(text, INT64_MIN, INT64_MAX, &v->i) ? NULL
                                                                : "Not a number of type LONG";
    case OPT_DOUBLE:
        return parse_double(text, &v->d) ? NULL : "Not a number of type DOUBLE";
    case OPT_STRING:
    case OPT_LIST:
    case OPT_CLASS:
    case OPT_PASSWORD:
    case OPT_CHOICE:
        break;
    }
    return NULL;
}

static bool is_number(enum opt_type t)
{
    return t == OPT_INT || t == OPT_SHORT || t == OPT_LONG || t == OPT_DOUBLE;
}

static void print_number(struct strbuf *out, enum opt_type t, int64_t i, double d)
{
    if (t == OPT_DOUBLE)
        json_add_double(out, d);
    else
        strbuf_add_i64(out, i);
}

/* Limits are doubles in the row; LONG limits beyond 2^53 are not exact and are not used by any row.
 */
static enum err check_range(const struct opt_row *row, const struct value *v, struct error *e)
{
    bool has_min = row->has_min || row->min < row->max,
         has_max = row->has_max || row->min < row->max;
    double d = row->type == OPT_DOUBLE ? v->d : (double)v->i;
    bool low = has_min && d < row->min, high = has_max && d > row->max;
    if (!low && !high)
        return E_OK;
    struct strbuf why = STRBUF_INIT, value = STRBUF_INIT;
    double limit = low ? row->min : row->max;
    strbuf_adds(&why, low ? "Value must be at least " : "Value must be no more than ");
    print_number(&why, row->type, (int64_t)limit, limit);
    print_number(&value, row->type, v->i, v->d);
    enum err rc = bad(row, strbuf_slice(&value), e, why.p);
    strbuf_release(&why);
    strbuf_release(&value);
    return rc;
}

static enum err check_choice(const struct opt_row *row, struct value *v, struct error *e)
{
    bool any_case = row->flags & OPT_ANY_CASE;
    for (size_t i = 0; row->choices[i]; i++) {
        struct slice c = slice_cstr(row->choices[i]);
        if (any_case ? slice_ieq(v->s, c) : slice_eq(v->s, c)) {
            v->i = (int64_t)i;
            return E_OK;
        }
    }
    struct strbuf why = STRBUF_INIT;
    strbuf_addf(&why, "String must be one of%s: ", any_case ? " (case insensitive)" : "");
    for (size_t i = 0; row->choices[i]; i++)
        strbuf_addf(&why, "%s%s", i ? ", " : "", row->choices[i]);
    enum err rc = bad(row, v->s, e, why.p);
    strbuf_release(&why);
    return rc;
}

static enum err parse_and_check(const struct opt_row *row, struct slice text, struct value *v,
                                struct error *e)
{
    struct slice trimmed = slice_trim(text);
    const char *why = parse(row, trimmed, v);
    enum err rc = why ? bad(row, text, e, why) : E_OK;
    if (rc == E_OK && is_number(row->type))
        rc = check_range(row, v, e);
    if (rc == E_OK && row->choices)
        rc = check_choice(row, v, e);
    if (rc == E_OK && row->check)
        rc = row->check(row, trimmed, e);
    return rc;
}

/* --- storing ---------------------------------------------------------------------------------- */

static void store(const struct opt_row *row, void *values, const struct value *v)
{
    if (row->offset == OPT_NO_FIELD)
        return;
    void *field = (char *)values + row->offset;
    switch (row->type) {
    case OPT_BOOLEAN:
        *(bool *)field = v->i != 0;
        break;
    case OPT_INT:
    case OPT_CHOICE:
        *(int32_t *)field = (int32_t)v->i;
        break;
    case OPT_SHORT:
        *(int16_t *)field = (int16_t)v->i;
        break;
    case OPT_LONG:
        *(int64_t *)field = v->i;
        break;
    case OPT_DOUBLE:
        *(double *)field = v->d;
        break;
    case OPT_STRING:
    case OPT_LIST:
    case OPT_CLASS:
    case OPT_PASSWORD:
        *(struct slice *)field = v->s;
        break;
    }
}

void opt_defaults(const struct opt_row *rows, void *values)
{
    for (const struct opt_row *r = rows; r->name; r++) {
        struct value v = {0, 0, SLICE_NULL};
        struct error e;
        if (r->def && parse_and_check(r, slice_cstr(r->def), &v, &e) != E_OK) {
            /* A table that contradicts itself, except that checks may refuse a default ("" for a
             * name that has to be given). */
            invariant(r->check || r->choices || (r->flags & OPT_OWN_CHECKS));
            parse(r, slice_cstr(r->def), &v);
        }
        store(r, values, &v);
    }
}

static enum err read_value(const struct opt_row *row, struct slice text, struct value *out,
                           struct error *e)
{
    if (slice_is_null(text))
        return error_set(e, E_INVALID,
                         "Null value can not be supplied as the configuration value.");
    return parse_and_check(row, text, out, e);
}

enum err opt_check(const struct opt_row *row, struct slice text, struct error *e)
{
    struct value value;
    return read_value(row, text, &value, e);
}

enum err opt_set(const struct opt_row *row, struct opt_values *v, struct slice text,
                 struct error *e)
{
    struct value value;
    enum err rc = read_value(row, text, &value, e);
    if (rc != E_OK)
        return rc;
    struct slice name = slice_cstr(row->name);
    strmap_set(&v->texts, name, slice_trim(text));
    value.s = strmap_get(&v->texts, name); /* the copy that lives as long as the values */
    store(row, v->values, &value);
    return E_OK;
}

void opt_values_release(struct opt_values *v)
{
    for (size_t i = 0; i < v->texts.count; i++) { /* some are passwords */
        struct slice s = v->texts.entries[i].value;
        mem_wipe((void *)(uintptr_t)s.p, s.n);
    }
    strmap_release(&v->texts);
}

/* --- printing --------------------------------------------------------------------------------- */

bool opt_list_next(struct slice *rest, struct slice *part)
{
    static const char last_is_empty[1]; /* "a," has a second part, which is empty; "" has no part */
    if (rest->p == last_is_empty) {
        *part = SL("");
        *rest = SLICE_NULL;
        return true;
    }
    if (slice_trim(*rest).n == 0)
        return false;
    slice_split(rest, ',', part);
    *part = slice_trim(*part);
    if (!slice_is_null(*rest) && slice_trim(*rest).n == 0)
        *rest = slice_of(last_is_empty, 0);
    return true;
}

static struct slice print(const struct opt_row *row, struct slice text, struct strbuf *tmp)
{
    struct value v;
    struct slice part;
    if (parse(row, text, &v))
        return text;
    strbuf_reset(tmp);
    switch (row->type) {
    case OPT_BOOLEAN:
        strbuf_adds(tmp, v.i ? "true" : "false");
        break;
    case OPT_LIST:
        for (size_t i = 0; opt_list_next(&text, &part); i++) {
            strbuf_adds(tmp, i ? "," : "");
            strbuf_add_slice(tmp, part);
        }
        break;
    case OPT_INT:
    case OPT_SHORT:
    case OPT_LONG:
    case OPT_DOUBLE:
        print_number(tmp, row->type, v.i, v.d);
        break;
    case OPT_STRING:
    case OPT_CLASS:
    case OPT_PASSWORD:
    case OPT_CHOICE:
        return text;
    }
    return strbuf_slice(tmp);
}

struct slice opt_text(const struct opt_row *row, const struct opt_values *v, bool hide,
                      struct strbuf *tmp)
{
    struct slice name = slice_cstr(row->name), text;
    if (v && strmap_has(&v->texts, name))
        text = strmap_get(&v->texts, name);
    else
        text = slice_cstr(row->def);
    if (slice_is_null(text))
        return text;
    if (hide && (row->flags & OPT_SECRET || row->type == OPT_PASSWORD))
        return SL("[hidden]");
    return print(row, slice_trim(text), tmp);
}

/* Edits between two names, at most `limit` + 1. */
static size_t distance(struct slice a, const char *b, size_t limit)
{
    enum { LONGEST = 120 };
    size_t row[LONGEST + 1], n = strlen(b);
    if (a.n > LONGEST || n > LONGEST || (a.n > n ? a.n - n : n - a.n) > limit)
        return limit + 1;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            bool same = tolower((unsigned char)a.p[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t best = MIN(diagonal + !same, MIN(row[j], row[j - 1]) + 1);
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[n];
}

const char *opt_nearest(const struct opt_row *rows, struct slice name)
{
    size_t limit = MAX(name.n / 4, (size_t)2), best = limit + 1;
    const char *found = NULL;
    for (const struct opt_row *r = rows; r->name; r++) {
        size_t d = r->flags & OPT_INTERNAL ? best : distance(name, r->name, limit);
        if (d < best) {
            best = d;
            found = r->name;
        }
    }
    return found;
}

enum { HELP_INDENT = 32, HELP_WIDTH = 79 };

/* Words of text from column *at on, wrapped with the help's indent. */
static void wrap(struct strbuf *out, size_t *at, struct slice text)
{
    struct slice word;
    while (slice_split(&text, ' ', &word)) {
        if (word.n == 0)
            continue;
        if (*at > HELP_INDENT && *at + 1 + word.n > HELP_WIDTH) {
            strbuf_addf(out, "\n%*s", HELP_INDENT, "");
            *at = HELP_INDENT;
        } else if (*at > HELP_INDENT) {
            strbuf_addc(out, ' ');
            ++*at;
        }
        strbuf_add_slice(out, word);
        *at += word.n;
    }
}

static void help_row(const struct opt_row *r, struct strbuf *out)
{
    struct strbuf facts = STRBUF_INIT;
    size_t n = strlen(r->name);
    strbuf_addf(out, "  %s", r->name);
    if (n + 2 >= HELP_INDENT)
        strbuf_addf(out, "\n%*s", HELP_INDENT, "");
    else
        strbuf_addf(out, "%*s", (int)(HELP_INDENT - n - 2), "");
    strbuf_addf(&facts, "%s (%s", r->doc ? r->doc : "", opt_type_name(r->type));
    for (size_t i = 0; r->choices && r->choices[i]; i++)
        strbuf_addf(&facts, "%s%s", i ? " | " : ": ", r->choices[i]);
    if (r->flags & OPT_REQUIRED)
        strbuf_adds(&facts, ", required");
    else if (r->def && r->def[0])
        strbuf_addf(&facts, ", default %s",
                    r->flags & OPT_SECRET || r->type == OPT_PASSWORD ? "[hidden]" : r->def);
    if (r->flags & OPT_DEPRECATED)
        strbuf_adds(&facts, ", deprecated");
    strbuf_addc(&facts, ')');
    size_t at = HELP_INDENT;
    wrap(out, &at, strbuf_slice(&facts));
    strbuf_addc(out, '\n');
    strbuf_release(&facts);
}

void opt_help(const struct opt_row *rows, struct strbuf *out)
{
    const char *group = NULL;
    for (const struct opt_row *r = rows; r->name; r++) {
        if (r->flags & OPT_INTERNAL)
            continue;
        if (r->group && (!group || strcmp(group, r->group) != 0)) {
            strbuf_addf(out, "%s%s:\n", group ? "\n" : "", r->group);
            group = r->group;
        }
        help_row(r, out);
    }
}
