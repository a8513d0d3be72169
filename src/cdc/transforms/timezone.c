/* cdc/transforms/timezone.c - TimezoneConverter: time stamps of change events in another time zone.
 *
 *   with an offset (ZonedTimestamp, ZonedTime)   the same moment, written in the zone
 *   without (Timestamp, Micro-, NanoTimestamp)   what the clock showed, taken as the zone's: the
 *                                                number changes
 *
 * Days and times of day stay as they are. Names in the lists: source:TABLE[:FIELD],
 * topic:TOPIC[:FIELD], or NAME:FIELD for either; a FIELD may begin with before., after. or source.
 * SPEC: connect 7.4. Thread: the task's. */
#include "cdc/transforms/transforms.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/timezone.h"

struct rule {
    enum { RULE_ANY, RULE_TABLE, RULE_TOPIC } by;
    struct slice name, field; /* field null: all */
};
enum { PARTS = 3 /* before, after, source */, PLANS_MAX = 4096 };
struct step { /* a field that is converted */
    uint32_t field;
    enum { STEP_SHIFT, STEP_TIMESTAMP, STEP_TIME, STEP_LEFT_ALONE } what;
    int64_t per_s;     /* of STEP_SHIFT: units in a second */
    struct slice type; /* of the schema */
};
/* What is done to events of one schema about one table in one topic. */
struct plan {
    const struct schema *schema; /* a reference */
    char *topic, *table;         /* table NULL: none */
    int at[PARTS];               /* of the envelope; -1: not there */
    struct step *steps[PARTS];
    size_t count[PARTS];
};
struct converter {
    struct smt smt;
    struct timezone *zone;
    struct rule *rules;
    size_t count;
    bool exclude;
    bool warned;
    struct strbuf text;
    struct map plans; /* of schema, topic and table */
    const struct plan *last;
    struct strbuf key;
};

static void plan_free(void *plan)
{
    struct plan *p = plan;
    schema_unref(p->schema);
    for (size_t i = 0; i < PARTS; i++)
        mem_free(p->steps[i]);
    mem_free(p->topic);
    mem_free(p->table);
    mem_free(p);
}

static void release(void *smt)
{
    struct converter *s = smt;
    timezone_close(s->zone);
    mem_free(s->rules);
    map_release(&s->plans, plan_free);
    strbuf_release(&s->text);
    strbuf_release(&s->key);
    smt_free(s);
}

/* --- options ---------------------------------------------------------------------------------- */

static enum err parse_rules(struct converter *s, const char *option, struct error *e)
{
    struct slice rest = smt_text(&s->smt, option), item;
    while (rest.p && opt_list_next(&rest, &item)) {
        struct rule r = {.by = RULE_ANY};
        struct slice all = item, first;
        if (!item.n)
            continue;
        slice_split(&all, ':', &first);
        bool prefixed = slice_eq(first, SL("source")) || slice_eq(first, SL("topic"));
        if (prefixed) {
            r.by = slice_eq(first, SL("topic")) ? RULE_TOPIC : RULE_TABLE;
            if (!all.p || !slice_split(&all, ':', &first))
                first = SL("");
        }
        r.name = slice_trim(first);
        r.field = all.p ? slice_trim(all) : SLICE_NULL;
        if (!r.name.n || (r.field.p && !r.field.n) || (!prefixed && !r.field.p))
            return dbz_bad_option(e, option,
                                  PRI_SL " is none of source:TABLE, source:TABLE:FIELD, "
                                         "topic:TOPIC, topic:TOPIC:FIELD, NAME:FIELD",
                                  ARG_SL(item));
        s->rules = xrealloc(s->rules, (s->count + 1) * sizeof *s->rules);
        s->rules[s->count++] = r;
    }
    return E_OK;
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct converter *s = *smt = smt_new(sizeof *s, config, class_name);
    struct slice name = smt_text(&s->smt, "converted.timezone");
    struct error why = {0};
    strbuf_init(&s->text, 0);
    strbuf_init(&s->key, 0);
    map_init(&s->plans);
    if (!name.n)
        return dbz_bad_option(e, "converted.timezone", "A value is required");
    if (timezone_open(&s->zone, name, &why))
        return error_set(e, E_INVALID,
                         "io.debezium.DebeziumException: Invalid timezone format. Please specify "
                         "either a geographic timezone (e.g. America/Los_Angeles) or a UTC offset "
                         "in the format of +/-hh:mm, (e.g. +08:00). (%s)",
                         why.msg);
    s->exclude = smt_text(&s->smt, "exclude.list").n > 0;
    if (s->exclude && smt_text(&s->smt, "include.list").n)
        return error_set(e, E_INVALID,
                         "io.debezium.DebeziumException: Both include and exclude lists are "
                         "specified. Please specify only one.");
    return parse_rules(s, s->exclude ? "exclude.list" : "include.list", e);
}

/* --- which fields ----------------------------------------------------------------------------- */

static bool about(const struct rule *r, struct slice table, struct slice topic)
{
    switch (r->by) {
    case RULE_TABLE:
        return slice_eq(r->name, table);
    case RULE_TOPIC:
        return slice_eq(r->name, topic);
    default:
        return slice_eq(r->name, table.p ? table : topic);
    }
}

/* Whether the rule names the field of this part (before, after, source) of the event. */
static bool names_field(const struct rule *r, struct slice part, struct slice field)
{
    struct slice f = r->field;
    if (!f.p)
        return !slice_eq(part, SL("source"));
    if (f.n > part.n && slice_starts(f, part) && f.p[part.n] == '.')
        return slice_eq(slice_sub(f, part.n + 1, f.n), field);
    return !slice_eq(part, SL("source")) && slice_eq(f, field);
}

static bool wanted(const struct converter *s, struct slice part, struct slice field,
                   struct slice table, struct slice topic)
{
    if (!s->count)
        return !slice_eq(part, SL("source"));
    bool named = false;
    for (size_t i = 0; i < s->count && !named; i++)
        named = about(&s->rules[i], table, topic) && names_field(&s->rules[i], part, field);
    return s->exclude ? !named && !slice_eq(part, SL("source")) : named;
}

/* --- values ----------------------------------------------------------------------------------- */

/* A number whose clock is taken as the zone's. per_s: its units in a second. */
static void shift(const struct converter *s, int64_t per_s, struct value *v)
{
    int64_t local = v->u.i >= 0 ? v->u.i / per_s : (v->u.i - per_s + 1) / per_s, moved;
    if (!__builtin_sub_overflow(v->u.i, timezone_offset_local(s->zone, local) * per_s, &moved))
        *v = value_int(moved);
}

static void add_offset(struct strbuf *out, int32_t offset)
{
    int32_t o = offset < 0 ? -offset : offset;
    if (!o) {
        strbuf_addc(out, 'Z');
        return;
    }
    strbuf_addf(out, "%c%02d:%02d", offset < 0 ? '-' : '+', o / 3600, o / 60 % 60);
    if (o % 60)
        strbuf_addf(out, ":%02d", o % 60);
}

static bool digits(struct slice *s, size_t n, int *out)
{
    *out = 0;
    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return false;
        *out = *out * 10 + (s->p[i] - '0');
    }
    *s = slice_sub(*s, n, s->n);
    return true;
}

static bool literal(struct slice *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = slice_sub(*s, 1, s->n);
    return true;
}

/* hh:mm[:ss[.fraction]]; the fraction without zeros at its end. */
static bool read_time(struct slice *s, int64_t *seconds, struct slice *fraction)
{
    int h, m, sec = 0;
    size_t n = 0;
    *fraction = SL("");
    if (!digits(s, 2, &h) || !literal(s, ':') || !digits(s, 2, &m))
        return false;
    if (literal(s, ':') && !digits(s, 2, &sec))
        return false;
    if (literal(s, '.')) {
        while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
            n++;
        *fraction = slice_sub(*s, 0, n);
        *s = slice_sub(*s, n, s->n);
        while (fraction->n && fraction->p[fraction->n - 1] == '0')
            fraction->n--;
    }
    *seconds = h * 3600 + m * 60 + sec;
    return true;
}

/* Z or +hh:mm[:ss], to the end. */
static bool read_offset(struct slice s, int32_t *offset)
{
    int h, m, sec = 0;
    bool negative = s.n && s.p[0] == '-';
    *offset = 0;
    if (literal(&s, 'Z'))
        return !s.n;
    if ((!negative && !literal(&s, '+')) || (negative && !literal(&s, '-')) || !digits(&s, 2, &h) ||
        !literal(&s, ':') || !digits(&s, 2, &m) || (literal(&s, ':') && !digits(&s, 2, &sec)) ||
        s.n)
        return false;
    *offset = (h * 3600 + m * 60 + sec) * (negative ? -1 : 1);
    return true;
}

/* [-]yyyy-mm-dd to the seconds of its midnight. */
static bool read_day(struct slice *s, int64_t *seconds)
{
    struct tm tm = {0};
    if (!digits(s, 4, &tm.tm_year) || !literal(s, '-') || !digits(s, 2, &tm.tm_mon) ||
        !literal(s, '-') || !digits(s, 2, &tm.tm_mday))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *seconds = timegm(&tm);
    return true;
}

/* The same moment as the zone writes it, in s->text. False: the text is of another form. */
static bool zoned(struct converter *s, struct slice text, bool with_day)
{
    int64_t day = 0, time;
    int32_t offset;
    struct slice fraction;
    if (with_day && (!read_day(&text, &day) || !literal(&text, 'T')))
        return false;
    if (!read_time(&text, &time, &fraction) || !read_offset(text, &offset))
        return false;
    int64_t utc = day + time - offset;
    int32_t there = timezone_offset(s->zone, with_day ? utc : clock_wall_ms() / 1000);
    time_t local = (time_t)(utc + there + (with_day ? 0 : 2 * 86400));
    struct tm tm;
    gmtime_r(&local, &tm);
    strbuf_reset(&s->text);
    if (with_day)
        strbuf_addf(&s->text, "%04d-%02d-%02dT", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    strbuf_addf(&s->text, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (fraction.n)
        strbuf_addf(&s->text, "." PRI_SL, ARG_SL(fraction));
    add_offset(&s->text, there);
    return true;
}

/* --- plans ------------------------------------------------------------------------------------ */

/* False: fields of this type are no times. */
static bool step_of_type(struct slice type, struct step *out)
{
    static const struct {
        struct slice name;
        int what;
        int64_t per_s;
    } forms[] = {
        {SL_INIT("io.debezium.time.ZonedTimestamp"), STEP_TIMESTAMP, 0},
        {SL_INIT("io.debezium.time.ZonedTime"), STEP_TIME, 0},
        {SL_INIT("io.debezium.time.Timestamp"), STEP_SHIFT, 1000},
        {SL_INIT("io.debezium.time.MicroTimestamp"), STEP_SHIFT, 1000000},
        {SL_INIT("io.debezium.time.NanoTimestamp"), STEP_SHIFT, 1000000000},
        {SL_INIT("org.apache.kafka.connect.data.Timestamp"), STEP_SHIFT, 1000},
        {SL_INIT("io.debezium.time.Date"), STEP_LEFT_ALONE, 0},
        {SL_INIT("io.debezium.time.Time"), STEP_LEFT_ALONE, 0},
        {SL_INIT("io.debezium.time.MicroTime"), STEP_LEFT_ALONE, 0},
        {SL_INIT("io.debezium.time.NanoTime"), STEP_LEFT_ALONE, 0},
        {SL_INIT("org.apache.kafka.connect.data.Date"), STEP_LEFT_ALONE, 0},
        {SL_INIT("org.apache.kafka.connect.data.Time"), STEP_LEFT_ALONE, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        if (slice_eq(forms[i].name, type)) {
            out->what = forms[i].what;
            out->per_s = forms[i].per_s;
            return true;
        }
    }
    return false;
}

/* ts_ms and the like in the source block have no type of their own: they count since 1970. */
static int64_t source_unit(struct slice field)
{
    return slice_eq(field, SL("ts_ms"))   ? 1000
           : slice_eq(field, SL("ts_us")) ? 1000000
           : slice_eq(field, SL("ts_ns")) ? 1000000000
                                          : 0;
}

static void plan_part(const struct converter *s, struct plan *p, size_t part,
                      const struct schema_field *f, struct slice table, struct slice topic)
{
    bool source = slice_eq(f->name, SL("source"));
    const struct schema *row = f->schema;
    p->steps[part] = xcalloc(row->fields_count + 1, sizeof *p->steps[part]);
    for (size_t i = 0; i < row->fields_count; i++) {
        const struct schema_field *field = &row->fields[i];
        struct step step = {.field = (uint32_t)i, .type = field->schema->name};
        int64_t unit = source ? source_unit(field->name) : 0;
        if (unit) {
            step.what = STEP_SHIFT;
            step.per_s = unit;
        } else if (!step_of_type(field->schema->name, &step)) {
            continue;
        }
        if (wanted(s, f->name, field->name, table, topic))
            p->steps[part][p->count[part]++] = step;
    }
}

static bool is_text(const char *own, struct slice text)
{
    return own ? slice_eq_c(text, own) : slice_is_null(text);
}

static struct plan *plan_new(const struct converter *s, const struct record *r, struct slice table)
{
    static const struct slice parts[PARTS] = {SL_INIT("before"), SL_INIT("after"),
                                              SL_INIT("source")};
    struct plan *p = xcalloc(1, sizeof *p);
    p->schema = schema_ref(r->value_schema);
    p->topic = slice_dup(r->topic);
    p->table = slice_dup(table); /* NULL for the null slice */
    for (size_t i = 0; i < PARTS; i++) {
        p->at[i] = schema_field_index(r->value_schema, parts[i]);
        if (p->at[i] >= 0)
            plan_part(s, p, i, &r->value_schema->fields[p->at[i]], table, r->topic);
    }
    return p;
}

/* Of old versions of tables none is needed again, but nothing says so: at some number all go. */
static const struct plan *plan_of(struct converter *s, const struct record *r, struct slice table)
{
    const struct plan *p = s->last;
    if (p && p->schema == r->value_schema && is_text(p->topic, r->topic) &&
        is_text(p->table, table))
        return p;
    strbuf_reset(&s->key);
    strbuf_add(&s->key, (const char *)&r->value_schema, sizeof r->value_schema);
    strbuf_add_slice(&s->key, r->topic);
    strbuf_add(&s->key, table.p ? "\0t" : "\0n", 2);
    strbuf_add_slice(&s->key, table);
    struct plan *found = map_get(&s->plans, strbuf_slice(&s->key));
    if (!found) {
        if (s->plans.count >= PLANS_MAX) {
            map_release(&s->plans, plan_free);
            map_init(&s->plans);
        }
        found = plan_new(s, r, table);
        (void)map_put(&s->plans, strbuf_slice(&s->key), found);
    }
    s->last = found;
    return found;
}

/* --- records ---------------------------------------------------------------------------------- */

static enum err convert(struct converter *s, struct record_batch *b, const struct step *step,
                        struct value *v, struct error *e)
{
    struct slice text;
    switch (step->what) {
    case STEP_SHIFT:
        if (v->kind == VALUE_INT)
            shift(s, step->per_s, v);
        return E_OK;
    case STEP_LEFT_ALONE:
        if (!s->warned)
            LOG_WARN(LOG_CONNECT_TASK,
                     "fields of type " PRI_SL " have no time zone and are left as they are",
                     ARG_SL(step->type));
        s->warned = true;
        return E_OK;
    default:
        break;
    }
    if (v->kind != VALUE_STRING || !zoned(s, value_slice(*v), step->what == STEP_TIMESTAMP))
        return E_OK;
    enum err rc = smt_copy_text(b, strbuf_slice(&s->text), &text, e);
    if (rc == E_OK)
        *v = value_string(text);
    return rc;
}

static enum err convert_part(struct converter *s, struct record_batch *b, struct value *part,
                             const struct step *steps, size_t n, struct error *e)
{
    struct value *to = NULL;
    for (size_t i = 0; part->kind == VALUE_STRUCT && i < n; i++) {
        uint32_t at = steps[i].field;
        if (part->u.v[at].kind == VALUE_NULL)
            continue;
        if (!to) {
            to = arena_try_alloc(&b->arena, part->n * sizeof *to);
            if (!to)
                return smt_no_memory(e);
            memcpy(to, part->u.v, part->n * sizeof *to);
        }
        enum err rc = convert(s, b, &steps[i], &to[at], e);
        if (rc)
            return rc;
    }
    if (to)
        part->u.v = to;
    return E_OK;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct converter *s = smt;
    struct dbz_field source, table = {0};
    if (!smt_is_envelope(r))
        return E_OK;
    if (dbz_field(r->value_schema, r->value, SL("source"), &source))
        dbz_field(source.schema, source.value, SL("table"), &table);
    struct slice name = table.value.kind == VALUE_STRING ? value_slice(table.value) : SLICE_NULL;
    const struct plan *p = plan_of(s, r, name);
    struct value *to = arena_try_alloc(&b->arena, (r->value.n + 1) * sizeof *to);
    if (!to)
        return smt_no_memory(e);
    memcpy(to, r->value.u.v, r->value.n * sizeof *to);
    for (size_t i = 0; i < PARTS; i++) {
        enum err rc =
            p->at[i] < 0 ? E_OK : convert_part(s, b, &to[p->at[i]], p->steps[i], p->count[i], e);
        if (rc)
            return rc;
    }
    r->value.u.v = to;
    return E_OK;
}

#define ROW(display_, name_, type_, flags_, doc_)                                                  \
    DBZ_ROW(OPT_W_MEDIUM, display_, name_, type_, NULL, flags_, OPT_HIGH, doc_)
static const struct opt_row rows[] = {
    ROW("Converted Timezone", "converted.timezone", OPT_STRING, OPT_REQUIRED,
        "The zone: a name (Asia/Seoul) or an offset (+09:00)."),
    ROW("Include List", "include.list", OPT_LIST, 0,
        "Events and fields to convert: source:TABLE[:FIELD], topic:TOPIC[:FIELD], NAME:FIELD."),
    ROW("Exclude List", "exclude.list", OPT_LIST, 0,
        "Events and fields to leave out, in the same form."),
    {.name = NULL},
};
DBZ_CLASS(smt_timezone_converter, "", "TimezoneConverter", rows, configure, apply, release)
