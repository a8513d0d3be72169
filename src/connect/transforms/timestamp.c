/* connect/transforms/timestamp.c - TimestampConverter: dates and times between their forms; what
 * lies between is always milliseconds since 1970, UTC. SPEC: connect 6.1. */
#include "connect/transforms/smt.h"
#include "connect/transforms/transforms.h"

#include "connect/java_date.h"

#define DAY_MS INT64_C(86400000)

enum form { FORM_STRING, FORM_UNIX, FORM_DATE, FORM_TIME, FORM_TIMESTAMP, FORMS };
static const char *const form_names[FORMS] = {"string", "unix", "Date", "Time", "Timestamp"};

struct converter_state {
    struct smt smt;
    struct slice field; /* empty: the whole */
    enum form target;
    struct slice format;
    int64_t per_ms_num, per_ms_den; /* unix = ms * num / den */
    struct strbuf text;
};

static void release(void *smt)
{
    struct converter_state *s = smt;
    strbuf_release(&s->text);
    smt_free(s);
}

static enum err config_error_text(struct error *e, const char *text)
{
    return error_set(e, E_INVALID, "org.apache.kafka.common.config.ConfigException: %s", text);
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct converter_state *s = *smt = smt_new(sizeof *s, config, class_name);
    struct slice target = smt_text(&s->smt, "target.type");
    struct slice precision = smt_text(&s->smt, "unix.precision");
    strbuf_init(&s->text, 0);
    s->field = smt_text(&s->smt, "field");
    s->format = smt_text(&s->smt, "format");
    s->target = FORMS;
    for (int i = 0; i < FORMS; i++)
        if (slice_eq_c(target, form_names[i]))
            s->target = (enum form)i;
    s->per_ms_num = s->per_ms_den = 1;
    if (slice_eq(precision, SL("seconds")))
        s->per_ms_den = 1000;
    else if (slice_eq(precision, SL("microseconds")))
        s->per_ms_num = 1000;
    else if (slice_eq(precision, SL("nanoseconds")))
        s->per_ms_num = 1000000;
    if (s->target == FORMS)
        return error_set(e, E_INVALID,
                         "org.apache.kafka.common.config.ConfigException: Invalid value " PRI_SL
                         " for configuration target.type: String must be one of: string, unix, "
                         "Date, Time, Timestamp",
                         ARG_SL(target));
    if (s->target == FORM_STRING && !s->format.n)
        return config_error_text(e, "TimestampConverter requires format option to be specified "
                                    "when using string timestamps");
    if (s->format.n && java_date_check(s->format, NULL) != E_OK)
        return error_set(
            e, E_INVALID,
            "org.apache.kafka.common.config.ConfigException: TimestampConverter "
            "requires a SimpleDateFormat-compatible pattern for string timestamps: " PRI_SL,
            ARG_SL(s->format));
    return E_OK;
}

/* --- forms ------------------------------------------------------------------------------------ */

static enum err form_of_schema(const struct schema *f, enum form *out, struct error *e)
{
    if (f->logical == LOGICAL_TIMESTAMP)
        *out = FORM_TIMESTAMP;
    else if (f->logical == LOGICAL_DATE)
        *out = FORM_DATE;
    else if (f->logical == LOGICAL_TIME)
        *out = FORM_TIME;
    else if (f->type == SCHEMA_STRING)
        *out = FORM_STRING;
    else if (f->type == SCHEMA_INT64)
        *out = FORM_UNIX;
    else
        return error_set(e, E_INVALID,
                         "org.apache.kafka.connect.errors.ConnectException: Schema "
                         "Schema{" PRI_SL "%s%s} does not correspond to a known timestamp type "
                         "format",
                         ARG_SL(f->name.p ? f->name : SL("")), f->name.p ? ":" : "",
                         schema_type_java(f->type));
    return E_OK;
}

static enum err form_of_value(struct value v, enum form *out, struct error *e)
{
    if (v.kind != VALUE_INT && v.kind != VALUE_STRING)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION
                         "TimestampConverter does not support class %s objects as timestamps",
                         smt_java_class(NULL, v));
    *out = v.kind == VALUE_STRING ? FORM_STRING : FORM_UNIX;
    return E_OK;
}

static const struct schema *target_schema(enum form f, bool optional)
{
    static const struct {
        enum schema_type type;
        const char *name;
    } forms[FORMS] = {[FORM_DATE] = {SCHEMA_INT32, "org.apache.kafka.connect.data.Date"},
                      [FORM_TIME] = {SCHEMA_INT32, "org.apache.kafka.connect.data.Time"},
                      [FORM_TIMESTAMP] = {SCHEMA_INT64, "org.apache.kafka.connect.data.Timestamp"}};
    if (f == FORM_STRING || f == FORM_UNIX)
        return schema_plain(f == FORM_STRING ? SCHEMA_STRING : SCHEMA_INT64, optional);
    struct schema_builder *b = schema_builder_new(forms[f].type);
    schema_builder_name(b, slice_cstr(forms[f].name));
    schema_builder_version(b, 1);
    if (optional)
        schema_builder_optional(b);
    return schema_build(b);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static enum err to_ms(const struct converter_state *s, enum form from, struct value v, int64_t *ms,
                      struct error *e)
{
    struct error why = {0};
    switch (from) {
    case FORM_STRING:
        if (!s->format.n)
            return config_error_text(e, "TimestampConverter requires format option to be "
                                        "specified when using string timestamps");
        if (java_date_parse(s->format, value_slice(v), ms, &why) == E_OK)
            return E_OK;
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Could not parse timestamp: value (" PRI_SL
                                        ") does not match pattern (" PRI_SL ")\nCaused by: %s",
                         ARG_SL(value_slice(v)), ARG_SL(s->format), why.msg);
    case FORM_UNIX: /* java.util.concurrent.TimeUnit: towards zero */
        *ms = s->per_ms_den > 1 ? v.u.i * s->per_ms_den : v.u.i / s->per_ms_num;
        return E_OK;
    case FORM_DATE:
        *ms = v.u.i * DAY_MS;
        return E_OK;
    default:
        *ms = v.u.i;
        return E_OK;
    }
}

static enum err from_ms(struct converter_state *s, struct record_batch *b, bool schemaless,
                        int64_t ms, struct value *v, struct error *e)
{
    switch (s->target) {
    case FORM_STRING: {
        strbuf_reset(&s->text);
        enum err rc = java_date_format(s->format, ms, &s->text, e);
        char *p = rc ? NULL : arena_try_alloc(&b->arena, s->text.n + 1);
        if (!p)
            return rc ? rc : smt_no_memory(e);
        memcpy(p, s->text.p ? s->text.p : "", s->text.n);
        *v = value_string(slice_of(p, s->text.n));
        return E_OK;
    }
    case FORM_UNIX:
        *v = value_int(s->per_ms_den > 1 ? ms / s->per_ms_den : ms * s->per_ms_num);
        return E_OK;
    case FORM_DATE: /* without a schema a java.util.Date stands in the map: as milliseconds */
        *v = value_int(floor_div(ms, DAY_MS) * (schemaless ? DAY_MS : 1));
        return E_OK;
    case FORM_TIME:
        *v = value_int(ms - floor_div(ms, DAY_MS) * DAY_MS);
        return E_OK;
    default:
        *v = value_int(ms);
        return E_OK;
    }
}

static enum err convert(struct converter_state *s, struct record_batch *b, const struct schema *f,
                        struct value *v, struct error *e)
{
    enum form from = FORM_UNIX;
    int64_t ms;
    if (v->kind == VALUE_NULL)
        return E_OK;
    enum err rc = f ? form_of_schema(f, &from, e) : form_of_value(*v, &from, e);
    if (rc == E_OK)
        rc = to_ms(s, from, *v, &ms, e);
    return rc ? rc : from_ms(s, b, !f, ms, v, e);
}

/* --- records ---------------------------------------------------------------------------------- */

static const struct schema *make_schema(struct converter_state *s, struct record_batch *b,
                                        const struct schema *from)
{
    const struct schema *to = smt_cache_get(&s->smt.cache, from);
    if (to)
        return to;
    if (!s->field.n)
        return smt_cache_put(&s->smt.cache, b, from, target_schema(s->target, from->optional));
    struct schema_builder *builder = smt_struct_like(from);
    for (size_t i = 0; i < from->fields_count; i++) {
        const struct schema *f = from->fields[i].schema;
        bool hit = slice_eq(from->fields[i].name, s->field);
        schema_builder_field(builder, from->fields[i].name,
                             hit ? target_schema(s->target, f->optional) : schema_ref(f));
    }
    if (from->optional)
        schema_builder_optional(builder);
    return smt_cache_put(&s->smt.cache, b, from, schema_build(builder));
}

static enum err apply_fields(struct converter_state *s, struct record_batch *b,
                             const struct schema **schema, struct value *v, struct error *e)
{
    struct value *fields = arena_try_alloc(&b->arena, (v->n + 1) * sizeof *fields);
    enum err rc = fields ? E_OK : smt_no_memory(e);
    for (uint32_t i = 0; i < v->n && rc == E_OK; i++) {
        fields[i] = smt_field(&s->smt, *schema, *v, i);
        if (slice_eq((*schema)->fields[i].name, s->field))
            rc = convert(s, b, (*schema)->fields[i].schema, &fields[i], e);
    }
    if (rc)
        return rc;
    *schema = make_schema(s, b, *schema);
    v->u.v = fields;
    return E_OK;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct converter_state *s = smt;
    const struct schema **schema = smt_schema(&s->smt, r);
    struct value *v = smt_value(&s->smt, r);
    enum err rc = E_OK;
    if (v->kind == VALUE_NULL && !(*schema && !s->field.n))
        return E_OK;
    if (!s->field.n) {
        rc = convert(s, b, *schema, v, e);
        if (rc == E_OK && *schema)
            *schema = make_schema(s, b, *schema);
        return rc;
    }
    rc = smt_want_members(&s->smt, r, "converting timestamp formats", e);
    if (rc || *schema)
        return rc ? rc : apply_fields(s, b, schema, v, e);
    struct value map = smt_map_copy(&b->arena, *v, 1);
    if (map.kind == VALUE_NULL)
        return smt_no_memory(e);
    struct value *member = smt_map_get(map, s->field);
    if (member)
        rc = convert(s, b, NULL, member, e);
    else
        smt_map_put(&map, s->field, value_null());
    *v = map;
    return rc;
}

static const char *const targets[] = {"string", "unix", "Date", "Time", "Timestamp", NULL};
static const char *const precisions[] = {"nanoseconds", "microseconds", "milliseconds", "seconds",
                                         NULL};
static const struct opt_row rows[] = {
    SMT_ROW("field", OPT_STRING, "", 0, OPT_HIGH,
            "The field to convert; empty: the value as a whole."),
    SMT_CHOICE_ROW("target.type", NULL, OPT_REQUIRED, OPT_HIGH, targets, "The form to convert to."),
    SMT_ROW("format", OPT_STRING, "", 0, OPT_MEDIUM,
            "How strings are written, in the letters of Java's SimpleDateFormat."),
    SMT_CHOICE_ROW("unix.precision", "milliseconds", 0, OPT_LOW, precisions, "What numbers count."),
    SMT_NULL_ROW,
    {.name = NULL},
};
SMT_SIDES(smt_timestamp_converter, "TimestampConverter", rows, configure, apply, release)
