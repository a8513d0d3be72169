/* connect/transforms/cast.c - Cast: fields, or the value as a whole, to another plain type, with
 * Java's narrowing. SPEC: connect 6.1. */
#include "connect/transforms/smt.h"
#include "connect/transforms/transforms.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "connect/converters/converters.h"
#include "connect/javatext.h"

struct cast_rule {
    struct slice field; /* null: the whole */
    enum schema_type type;
};
struct cast {
    struct smt smt;
    struct cast_rule *rules;
    size_t count;
    bool whole;
    struct strbuf text; /* scratch */
};

static void release(void *smt)
{
    struct cast *s = smt;
    mem_free(s->rules);
    strbuf_release(&s->text);
    smt_free(s);
}

/* --- the specification ------------------------------------------------------------------------ */

/* What can be cast to, then the rest of Kafka's Schema.Type. */
static const struct {
    const char *name;
    enum schema_type type;
} types[] = {{"INT8", SCHEMA_INT8},       {"INT16", SCHEMA_INT16},     {"INT32", SCHEMA_INT32},
             {"INT64", SCHEMA_INT64},     {"FLOAT32", SCHEMA_FLOAT32}, {"FLOAT64", SCHEMA_FLOAT64},
             {"BOOLEAN", SCHEMA_BOOLEAN}, {"STRING", SCHEMA_STRING},   {"BYTES", SCHEMA_BYTES},
             {"ARRAY", SCHEMA_ARRAY},     {"MAP", SCHEMA_MAP},         {"STRUCT", SCHEMA_STRUCT}};
enum { TARGETS = 8 };

/* prefix stands before every message. Java makes the text for a name that it does not know out of the
 * exception of an enum: the class is in it, and the words are in the wrong order. */
static enum err find_type(struct slice name, enum schema_type *type, const char *prefix,
                          struct error *e)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!slice_ieq(name, slice_cstr(types[i].name)))
            continue;
        *type = types[i].type;
        return i < TARGETS
                   ? E_OK
                   : error_set(e, E_INVALID,
                               "%sCast transformation does not support casting to %s; supported "
                               "types are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, "
                               "STRING]",
                               prefix, types[i].name);
    }
    struct strbuf upper = STRBUF_INIT;
    for (size_t i = 0; i < name.n; i++)
        strbuf_addc(&upper, name.p[i] >= 'a' && name.p[i] <= 'z' ? (char)(name.p[i] - 'a' + 'A')
                                                                 : name.p[i]);
    enum err rc = error_set(e, E_INVALID,
                            "%sInvalid value java.lang.IllegalArgumentException: No enum constant "
                            "org.apache.kafka.connect.data.Schema.Type." PRI_SL
                            " for configuration Invalid type found in casting spec: " PRI_SL,
                            prefix, ARG_SL(strbuf_slice(&upper)), ARG_SL(name));
    strbuf_release(&upper);
    return rc;
}

/* One "field:type", or a type alone (also "type:", as Java splits it): field is null then. */
static enum err parse_one(struct slice text, struct slice part, struct cast_rule *r,
                          const char *prefix, struct error *e)
{
    struct slice type = part;
    ptrdiff_t colon = slice_find_char(part, ':');
    *r = (struct cast_rule){.field = SLICE_NULL};
    if (colon >= 0 && (size_t)colon + 1 == part.n) {
        type.n--;
    } else if (colon >= 0) {
        r->field = slice_trim(slice_sub(part, 0, (size_t)colon));
        type = slice_sub(part, (size_t)colon + 1, part.n);
        if (slice_find_char(type, ':') >= 0)
            return smt_bad_list(e, text, prefix, "renames", "Invalid rename mapping: ", part);
    }
    return find_type(slice_trim(type), &r->type, prefix, e);
}

static enum err parse(struct slice text, struct cast_rule **rules, size_t *count, bool *whole,
                      const char *prefix, struct error *e)
{
    struct slice rest = text, part;
    *rules = NULL;
    *count = 0;
    *whole = false;
    while (rest.p && opt_list_next(&rest, &part)) {
        struct cast_rule r;
        enum err rc = parse_one(text, part, &r, prefix, e);
        if (rc)
            return rc;
        *whole |= !r.field.p;
        *rules = xrealloc(*rules, (*count + 1) * sizeof **rules);
        (*rules)[(*count)++] = r;
    }
    if (*count == 0)
        return error_set(e, E_INVALID, "%sMust specify at least one field to cast.", prefix);
    return *whole && *count > 1
               ? error_set(e, E_INVALID,
                           "%sCast transformations that specify a type to cast the entire value to "
                           "may only specify a single cast in their spec",
                           prefix)
               : E_OK;
}

static enum err check_spec(const struct opt_row *row, struct slice text, struct error *e)
{
    struct cast_rule *rules;
    size_t count;
    bool whole;
    (void)row;
    enum err rc = parse(text, &rules, &count, &whole, "", e);
    mem_free(rules);
    return rc;
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct cast *s = *smt = smt_new(sizeof *s, config, class_name);
    strbuf_init(&s->text, 0);
    return parse(smt_text(&s->smt, "spec"), &s->rules, &s->count, &s->whole, CONFIG_EXCEPTION, e);
}

static const struct cast_rule *rule_of(const struct cast *s, struct slice field)
{
    for (size_t i = 0; i < s->count; i++)
        if (slice_eq(s->rules[i].field, field))
            return &s->rules[i];
    return NULL;
}

/* --- one value -------------------------------------------------------------------------------- */

static enum err out_of_range(const struct cast *s, struct error *e)
{
    return error_set(e, E_INVALID,
                     DATA_EXCEPTION "Value (" PRI_SL ") was out of range for requested data type",
                     ARG_SL(strbuf_slice(&s->text)));
}

static int64_t narrow(enum schema_type t, int64_t v)
{
    switch (t) {
    case SCHEMA_INT8:
        return (int8_t)v;
    case SCHEMA_INT16:
        return (int16_t)v;
    case SCHEMA_INT32:
        return (int32_t)v;
    default:
        return v;
    }
}

/* Double.intValue and longValue: 0 for NaN, and no further than the ends. */
static int64_t of_double(enum schema_type t, double d)
{
    double low = t == SCHEMA_INT64 ? -0x1p63 : -0x1p31, high = t == SCHEMA_INT64 ? 0x1p63 : 0x1p31;
    if (isnan(d))
        return 0;
    int64_t v = d <= low    ? (t == SCHEMA_INT64 ? INT64_MIN : INT32_MIN)
                : d >= high ? (t == SCHEMA_INT64 ? INT64_MAX : INT32_MAX)
                            : (int64_t)d;
    return narrow(t, v);
}

static bool is_integer(enum schema_type t)
{
    return t <= SCHEMA_INT64;
}

/* The text that s->text holds, as Byte.parseByte ... read it. */
static enum err from_text(struct cast *s, enum schema_type t, struct value *v, struct error *e)
{
    struct slice text = strbuf_slice(&s->text);
    if (is_integer(t)) {
        int64_t i;
        struct slice digits = text.n > 1 && text.p[0] == '+' ? slice_sub(text, 1, text.n) : text;
        if (slice_to_i64(digits, &i) != E_OK || narrow(t, i) != i)
            return out_of_range(s, e);
        *v = value_int(i);
        return E_OK;
    }
    struct slice number = slice_trim(text);
    char *end, *z = slice_dup(number);
    double d = t == SCHEMA_FLOAT32 ? (double)strtof(z, &end) : strtod(z, &end);
    bool ok = number.n > 0 && *end == 0 && !strpbrk(z, "xXiInN");
    if (slice_eq(number, SL("NaN")) || slice_eq(number, SL("Infinity")) ||
        slice_eq(number, SL("-Infinity")))
        ok = true;
    mem_free(z);
    *v = t == SCHEMA_FLOAT32 ? value_float((float)d) : value_double(d);
    return ok ? E_OK : out_of_range(s, e);
}

/* BigDecimal.longValue: the digits before the point, modulo 2^64. */
static int64_t decimal_integer(struct slice text)
{
    uint64_t v = 0;
    bool minus = text.n && text.p[0] == '-';
    for (size_t i = minus; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    return (int64_t)(minus ? 0 - v : v);
}

static enum err to_text(struct cast *s, struct record_batch *b, const struct schema *from,
                        struct value *v, struct error *e)
{
    java_add_header_value(&s->text, from, *v, false); /* dates in ISO form, bytes in base64 */
    char *p = arena_try_alloc(&b->arena, s->text.n + 1);
    if (!p)
        return smt_no_memory(e);
    memcpy(p, s->text.p ? s->text.p : "", s->text.n);
    *v = value_string(slice_of(p, s->text.n));
    return E_OK;
}

static enum err to_number(struct cast *s, const struct schema *from, enum schema_type t,
                          struct value *v, struct error *e)
{
    double d;
    switch ((enum value_kind)v->kind) {
    case VALUE_BOOL:
    case VALUE_INT:
        d = (double)v->u.i;
        if (is_integer(t)) {
            *v = value_int(narrow(t, v->u.i));
            return E_OK;
        }
        break;
    case VALUE_DOUBLE:
        d = v->u.d;
        break;
    case VALUE_STRING:
        strbuf_add_slice(&s->text, value_slice(*v));
        return from_text(s, t, v, e);
    case VALUE_BYTES:
        if (from && from->logical == LOGICAL_DECIMAL) {
            java_add_decimal(&s->text, value_slice(*v), from->scale);
            struct slice text = strbuf_slice(&s->text);
            d = strtod(s->text.p, NULL);
            if (is_integer(t) && slice_find_char(text, 'E') < 0) {
                *v = value_int(narrow(t, decimal_integer(text)));
                return E_OK;
            }
            break;
        }
        /* fall through */
    default:
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Unexpected type in Cast transformation: class %s",
                         smt_java_class(from, *v));
    }
    if (is_integer(t))
        *v = value_int(of_double(t, d));
    else
        *v = t == SCHEMA_FLOAT32 ? value_float((float)d) : value_double(d);
    return E_OK;
}

static enum err to_boolean(const struct schema *from, struct value *v, struct error *e)
{
    switch ((enum value_kind)v->kind) {
    case VALUE_BOOL:
    case VALUE_INT:
        *v = value_bool(v->u.i != 0);
        return E_OK;
    case VALUE_DOUBLE:
        *v = value_bool(of_double(SCHEMA_INT64, v->u.d) != 0);
        return E_OK;
    case VALUE_STRING:
        *v = value_bool(slice_ieq(value_slice(*v), SL("true")));
        return E_OK;
    default:
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Unexpected type in Cast transformation: class %s",
                         smt_java_class(from, *v));
    }
}

static enum err cast_value(struct cast *s, struct record_batch *b, const struct schema *from,
                           enum schema_type t, struct value *v, struct error *e)
{
    strbuf_reset(&s->text);
    if (v->kind == VALUE_NULL)
        return E_OK;
    if (v->kind >= VALUE_ARRAY)
        return error_set(
            e, E_INVALID,
            DATA_EXCEPTION
            "Cast transformation does not support casting to/from %s; supported types "
            "are [INT8, INT16, INT32, INT64, FLOAT32, FLOAT64, BOOLEAN, STRING, BYTES]",
            v->kind == VALUE_ARRAY ? "ARRAY"
            : v->kind == VALUE_MAP ? "MAP"
                                   : "STRUCT");
    switch (t) {
    case SCHEMA_STRING:
        return to_text(s, b, from, v, e);
    case SCHEMA_BOOLEAN:
        return to_boolean(from, v, e);
    default:
        return to_number(s, from, t, v, e);
    }
}

/* --- schemas ---------------------------------------------------------------------------------- */

static enum err cast_schema(struct cast *s, struct record_batch *b, const struct schema *from,
                            enum schema_type t, const struct schema **to, struct error *e)
{
    struct schema_builder *builder = schema_builder_new(t);
    enum err rc = E_OK;
    if (from->optional)
        schema_builder_optional(builder);
    if (from->has_default) {
        struct value def = from->def;
        rc = cast_value(s, b, from, t, &def, e);
        if (rc == E_OK)
            schema_builder_default(builder, def);
    }
    *to = schema_build(builder);
    return rc;
}

static enum err make_schema(struct cast *s, struct record_batch *b, const struct schema *from,
                            const struct schema **to, struct error *e)
{
    enum err rc = E_OK;
    *to = smt_cache_get(&s->smt.cache, from);
    if (*to)
        return E_OK;
    if (s->whole) {
        rc = cast_schema(s, b, from, s->rules[0].type, to, e);
    } else {
        struct schema_builder *builder = smt_struct_like(from);
        if (from->optional)
            schema_builder_optional(builder);
        for (size_t i = 0; i < from->fields_count && rc == E_OK; i++) {
            const struct schema *f = from->fields[i].schema, *made = NULL;
            const struct cast_rule *r = rule_of(s, from->fields[i].name);
            if (r)
                rc = cast_schema(s, b, f, r->type, &made, e);
            else
                made = schema_ref(f);
            schema_builder_field(builder, from->fields[i].name, made);
        }
        *to = schema_build(builder);
    }
    if (rc)
        schema_unref(*to);
    else
        smt_cache_put(&s->smt.cache, b, from, *to);
    return rc;
}

/* --- records ---------------------------------------------------------------------------------- */

static enum err cast_map(struct cast *s, struct record_batch *b, struct value *v, struct error *e)
{
    struct value map = smt_map_copy(&b->arena, *v, s->count);
    enum err rc = map.kind == VALUE_NULL ? smt_no_memory(e) : E_OK;
    for (size_t i = 0; i < s->count && rc == E_OK; i++) {
        struct value *member = smt_map_get(map, s->rules[i].field);
        if (member)
            rc = cast_value(s, b, NULL, s->rules[i].type, member, e);
        else
            smt_map_put(&map, s->rules[i].field, value_null());
    }
    *v = map;
    return rc;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct cast *s = smt;
    const struct schema **schema = smt_schema(&s->smt, r), *to = NULL;
    struct value *v = smt_value(&s->smt, r);
    if (v->kind == VALUE_NULL)
        return E_OK;
    enum err rc = s->whole ? E_OK : smt_want_members(&s->smt, r, "cast types", e);
    if (rc == E_OK && *schema)
        rc = make_schema(s, b, *schema, &to, e);
    if (rc)
        return rc;
    if (s->whole) {
        rc = cast_value(s, b, *schema, s->rules[0].type, v, e);
    } else if (!*schema) {
        return cast_map(s, b, v, e);
    } else {
        struct value *fields = arena_try_alloc(&b->arena, (v->n + 1) * sizeof *fields);
        if (!fields)
            return smt_no_memory(e);
        for (uint32_t i = 0; i < v->n && rc == E_OK; i++) {
            const struct schema_field *f = &(*schema)->fields[i];
            const struct cast_rule *rule = rule_of(s, f->name);
            fields[i] = smt_field(&s->smt, *schema, *v, i);
            if (rule)
                rc = cast_value(s, b, f->schema, rule->type, &fields[i], e);
        }
        v->u.v = fields;
    }
    *schema = to;
    return rc;
}

static const struct opt_row rows[] = {
    {SMT_FIELDS("spec", OPT_LIST, NULL, OPT_REQUIRED | OPT_CHECK_NULL, OPT_HIGH,
                "field:type with commas between, or one type for the value as a whole. Types: "
                "int8, int16, int32, int64, float32, float64, boolean, string."),
     .check = check_spec},
    SMT_NULL_ROW,
    {.name = NULL},
};
SMT_SIDES(smt_cast, "Cast", rows, configure, apply, release)
