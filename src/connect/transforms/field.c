/* connect/transforms/field.c - InsertField, ReplaceField, MaskField. SPEC: connect 6.1. */
#include "connect/transforms/smt.h"
#include "connect/transforms/transforms.h"

#include "base/mem.h"

/* --- InsertField ------------------------------------------------------------------------------ */

enum { INSERT_TOPIC, INSERT_PARTITION, INSERT_OFFSET, INSERT_TIMESTAMP, INSERT_STATIC, INSERTS };
static const char *const insert_options[INSERTS] = {
    "topic.field", "partition.field", "offset.field", "timestamp.field", "static.field"};
struct insert_field {
    struct smt smt;
    struct slice names[INSERTS]; /* null: not wanted */
    bool required[INSERTS];
};

static enum err configure_insert(void **smt, const struct strmap *config, const char *class_name,
                                 struct error *e)
{
    struct insert_field *s = *smt = smt_new(sizeof *s, config, class_name);
    bool any = false;
    for (int i = 0; i < INSERTS; i++) {
        struct slice name = smt_text(&s->smt, insert_options[i]);
        if (!name.n)
            continue;
        any = true;
        s->required[i] = name.p[name.n - 1] == '!';
        if (s->required[i] || name.p[name.n - 1] == '?')
            name.n--;
        s->names[i] = name;
    }
    if (!any)
        return error_set(e, E_INVALID,
                         "org.apache.kafka.common.config.ConfigException: No field insertion "
                         "configured");
    if (s->names[INSERT_STATIC].p && !smt_text(&s->smt, "static.value").p)
        return error_set(e, E_INVALID,
                         "org.apache.kafka.common.config.ConfigException: No value specified for "
                         "static field: " PRI_SL,
                         ARG_SL(s->names[INSERT_STATIC]));
    return E_OK;
}

static const struct schema *timestamp_schema(bool optional)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_INT64);
    schema_builder_name(b, SL("org.apache.kafka.connect.data.Timestamp"));
    schema_builder_version(b, 1);
    if (optional)
        schema_builder_optional(b);
    return schema_build(b);
}

static const struct schema *inserted_schema(const struct insert_field *s, int what)
{
    bool optional = !s->required[what];
    switch (what) {
    case INSERT_PARTITION:
        return schema_plain(SCHEMA_INT32, optional);
    case INSERT_OFFSET:
        return schema_plain(SCHEMA_INT64, optional);
    case INSERT_TIMESTAMP:
        return timestamp_schema(optional);
    default:
        return schema_plain(SCHEMA_STRING, optional);
    }
}

static struct value inserted(const struct insert_field *s, const struct record *r, int what)
{
    switch (what) {
    case INSERT_TOPIC:
        return value_string(r->topic);
    case INSERT_PARTITION:
        return r->partition == RECORD_NO_PARTITION ? value_null() : value_int(r->partition);
    case INSERT_OFFSET:
        return value_int(r->kafka_offset);
    case INSERT_TIMESTAMP:
        return r->timestamp_ms == RECORD_NO_TIMESTAMP ? value_null() : value_int(r->timestamp_ms);
    default:
        return value_string(smt_text(&s->smt, "static.value"));
    }
}

static const struct schema *insert_schema(struct insert_field *s, struct record_batch *b,
                                          const struct schema *from)
{
    const struct schema *to = smt_cache_get(&s->smt.cache, from);
    if (to)
        return to;
    struct schema_builder *builder = smt_struct_like(from);
    for (size_t i = 0; i < from->fields_count; i++)
        schema_builder_field(builder, from->fields[i].name, schema_ref(from->fields[i].schema));
    for (int i = 0; i < INSERTS; i++)
        if (s->names[i].p)
            schema_builder_field(builder, s->names[i], inserted_schema(s, i));
    return smt_cache_put(&s->smt.cache, b, from, schema_build(builder));
}

static enum err apply_insert(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct insert_field *s = smt;
    const struct schema **schema = smt_schema(&s->smt, r);
    struct value *v = smt_value(&s->smt, r);
    if (v->kind == VALUE_NULL)
        return E_OK;
    enum err rc = smt_want_members(&s->smt, r, "field insertion", e);
    if (rc)
        return rc;
    if (s->names[INSERT_OFFSET].p && r->kafka_offset < 0)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION "Offset insertion is only supported for sink connectors, "
                                        "found record of a source");
    if (!*schema) {
        struct value map = smt_map_copy(&b->arena, *v, INSERTS);
        if (map.kind == VALUE_NULL)
            return smt_no_memory(e);
        for (int i = 0; i < INSERTS; i++) {
            struct value x = s->names[i].p ? inserted(s, r, i) : value_null();
            if (x.kind != VALUE_NULL)
                smt_map_put(&map, s->names[i], x);
        }
        *v = map;
        return E_OK;
    }
    struct value *to = arena_try_alloc(&b->arena, (v->n + INSERTS) * sizeof *to);
    if (!to)
        return smt_no_memory(e);
    uint32_t n = 0;
    for (; n < v->n; n++)
        to[n] = smt_field(&s->smt, *schema, *v, n);
    for (int i = 0; i < INSERTS; i++)
        if (s->names[i].p)
            to[n++] = inserted(s, r, i);
    *schema = insert_schema(s, b, *schema);
    *v = (struct value){.kind = VALUE_STRUCT, .n = n, .u.v = to};
    return E_OK;
}

/* --- ReplaceField ----------------------------------------------------------------------------- */

struct replace_field {
    struct smt smt;
    struct slice *include, *exclude, *renames;
    size_t include_count, exclude_count, rename_count;
};

static void release_replace(void *smt)
{
    struct replace_field *s = smt;
    mem_free(s->include);
    mem_free(s->exclude);
    mem_free(s->renames);
    smt_free(s);
}

/* The list by its name, or by the one of old. */
static struct slice *either_list(const struct smt *s, const char *name, const char *old,
                                 size_t *count)
{
    return smt_list(s, smt_text(s, name).n || !smt_text(s, old).p ? name : old, count);
}

/* Each is old:new. */
static enum err wrong_renames(struct slice text, const char *prefix, struct error *e)
{
    struct slice rest = text, part;
    while (rest.p && opt_list_next(&rest, &part)) {
        ptrdiff_t colon = slice_find_char(part, ':');
        if (colon <= 0 || slice_rfind_char(part, ':') != colon || (size_t)colon + 1 == part.n)
            return smt_bad_list(e, text, prefix, "renames", "Invalid rename mapping: ", part);
    }
    return E_OK;
}

static enum err check_renames(const struct opt_row *row, struct slice text, struct error *e)
{
    (void)row;
    return wrong_renames(text, "", e);
}

static enum err configure_replace(void **smt, const struct strmap *config, const char *class_name,
                                  struct error *e)
{
    struct replace_field *s = *smt = smt_new(sizeof *s, config, class_name);
    s->exclude = either_list(&s->smt, "exclude", "blacklist", &s->exclude_count);
    s->include = either_list(&s->smt, "include", "whitelist", &s->include_count);
    s->renames = smt_list(&s->smt, "renames", &s->rename_count);
    return wrong_renames(smt_text(&s->smt, "renames"), CONFIG_EXCEPTION, e);
}

static bool keeps(const struct replace_field *s, struct slice name)
{
    return !smt_listed(s->exclude, s->exclude_count, name) &&
           (s->include_count == 0 || smt_listed(s->include, s->include_count, name));
}

static struct slice renamed(const struct replace_field *s, struct slice name)
{
    for (size_t i = 0; i < s->rename_count; i++) {
        size_t colon = (size_t)slice_find_char(s->renames[i], ':');
        if (slice_eq(slice_trim(slice_sub(s->renames[i], 0, colon)), name))
            return slice_trim(slice_sub(s->renames[i], colon + 1, s->renames[i].n));
    }
    return name;
}

static const struct schema *replace_schema(struct replace_field *s, struct record_batch *b,
                                           const struct schema *from)
{
    const struct schema *to = smt_cache_get(&s->smt.cache, from);
    if (to)
        return to;
    struct schema_builder *builder = smt_struct_like(from);
    for (size_t i = 0; i < from->fields_count; i++)
        if (keeps(s, from->fields[i].name))
            schema_builder_field(builder, renamed(s, from->fields[i].name),
                                 schema_ref(from->fields[i].schema));
    return smt_cache_put(&s->smt.cache, b, from, schema_build(builder));
}

static enum err apply_replace(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct replace_field *s = smt;
    const struct schema **schema = smt_schema(&s->smt, r);
    struct value *v = smt_value(&s->smt, r);
    if (v->kind == VALUE_NULL)
        return E_OK;
    enum err rc = smt_want_members(&s->smt, r, "field replacement", e);
    if (rc)
        return rc;
    struct value *to = arena_try_alloc(&b->arena, 2 * (v->n + 1) * sizeof *to);
    if (!to)
        return smt_no_memory(e);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        struct slice name = *schema ? (*schema)->fields[i].name : value_slice(v->u.v[2 * i]);
        if (!keeps(s, name))
            continue;
        if (*schema) {
            to[n++] = smt_field(&s->smt, *schema, *v, i);
        } else {
            to[2 * n] = value_string(renamed(s, name));
            to[2 * n++ + 1] = v->u.v[2 * i + 1];
        }
    }
    if (*schema)
        *schema = replace_schema(s, b, *schema);
    v->n = n;
    v->u.v = to;
    return E_OK;
}

/* --- MaskField -------------------------------------------------------------------------------- */

struct mask_field {
    struct smt smt;
    struct slice *fields;
    size_t count;
    struct slice replacement; /* null: none */
};

static void release_mask(void *smt)
{
    struct mask_field *s = smt;
    mem_free(s->fields);
    smt_free(s);
}

static enum err configure_mask(void **smt, const struct strmap *config, const char *class_name,
                               struct error *e)
{
    struct mask_field *s = *smt = smt_new(sizeof *s, config, class_name);
    (void)e;
    s->fields = smt_list(&s->smt, "fields", &s->count);
    s->replacement = smt_text(&s->smt, "replacement");
    return E_OK;
}

static enum err mask_replacement(const struct mask_field *s, const struct schema *f,
                                 struct value *v, struct error *e)
{
    int64_t i;
    double d;
    bool ok = true;
    if (v->kind == VALUE_STRING)
        *v = value_string(s->replacement);
    else if (v->kind == VALUE_INT && (!f || f->logical == LOGICAL_NONE) &&
             slice_to_i64(s->replacement, &i) == E_OK)
        *v = value_int(i);
    else if (v->kind == VALUE_DOUBLE && slice_to_double(s->replacement, &d) == E_OK)
        *v = (f ? f->type == SCHEMA_FLOAT32 : v->float32) ? value_float((float)d) : value_double(d);
    else
        ok = false;
    return ok ? E_OK
              : error_set(e, E_INVALID,
                          DATA_EXCEPTION
                          "Cannot mask value of type class %s with custom replacement.",
                          smt_java_class(f, *v));
}

static enum err mask(const struct mask_field *s, const struct schema *f, struct value *v,
                     struct error *e)
{
    if (v->kind == VALUE_NULL)
        return E_OK;
    if (s->replacement.n)
        return mask_replacement(s, f, v, e);
    switch ((enum value_kind)v->kind) {
    case VALUE_BOOL:
        *v = value_bool(false);
        break;
    case VALUE_INT:
        *v = value_int(0);
        break;
    case VALUE_DOUBLE:
        v->u.d = 0;
        break;
    case VALUE_STRING:
        *v = value_string(SL(""));
        break;
    case VALUE_ARRAY:
    case VALUE_MAP:
        v->n = 0;
        break;
    case VALUE_BYTES:
        if (f && f->logical == LOGICAL_DECIMAL && f->scale == 0) {
            *v = value_bytes(slice_of("", 1));
            break;
        }
        if (f && f->logical == LOGICAL_DECIMAL)
            return error_set(e, E_INVALID,
                             DATA_EXCEPTION
                             "Decimal value has mismatching scale for given Decimal schema. Schema "
                             "has scale %d, value has scale 0.",
                             f->scale);
        /* fall through */
    default:
        return error_set(e, E_INVALID, DATA_EXCEPTION "Cannot mask value of type: class %s",
                         smt_java_class(f, *v));
    }
    return E_OK;
}

static enum err apply_mask(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct mask_field *s = smt;
    const struct schema *schema = *smt_schema(&s->smt, r);
    struct value *v = smt_value(&s->smt, r);
    enum err rc = smt_want_members(&s->smt, r, "mask fields", e);
    if (rc)
        return rc;
    if (!schema) {
        struct value map = smt_map_copy(&b->arena, *v, s->count);
        if (map.kind == VALUE_NULL)
            return smt_no_memory(e);
        for (size_t i = 0; i < s->count && rc == E_OK; i++) {
            struct value *member = smt_map_get(map, s->fields[i]);
            if (member)
                rc = mask(s, NULL, member, e);
            else
                smt_map_put(&map, s->fields[i], value_null());
        }
        *v = map;
        return rc;
    }
    struct value *to = arena_try_alloc(&b->arena, (v->n + 1) * sizeof *to);
    if (!to)
        return smt_no_memory(e);
    for (uint32_t i = 0; i < v->n && rc == E_OK; i++) {
        to[i] = smt_field(&s->smt, schema, *v, i);
        if (smt_listed(s->fields, s->count, schema->fields[i].name))
            rc = mask(s, schema->fields[i].schema, &to[i], e);
    }
    v->u.v = to;
    return rc;
}

#define INSERT_ROW(name_, what_)                                                                   \
    SMT_ROW(name_, OPT_STRING, NULL, 0, OPT_MEDIUM,                                                \
            "Field for " what_ "; with ! behind the name it is required, with ? optional.")
static const struct opt_row insert_rows[] = {
    INSERT_ROW("topic.field", "the topic"),
    INSERT_ROW("partition.field", "the partition"),
    INSERT_ROW("offset.field", "the offset (sinks only)"),
    INSERT_ROW("timestamp.field", "the timestamp"),
    INSERT_ROW("static.field", "a fixed value"),
    SMT_ROW("static.value", OPT_STRING, NULL, 0, OPT_MEDIUM, "The fixed value."),
    SMT_NULL_ROW,
    {.name = NULL},
};
static const char *const exclude_old[] = {"blacklist", NULL};
static const char *const include_old[] = {"whitelist", NULL};
#define REPLACE_ROW(name_, old_, check_, doc_)                                                     \
    {                                                                                              \
        .name = name_, .type = OPT_LIST, .def = "", .offset = OPT_NO_FIELD,                        \
        .importance = OPT_MEDIUM, .order = -1, .display = name_, .aliases = old_, .doc = doc_,     \
        .check = check_                                                                            \
    }
static const struct opt_row replace_rows[] = {
    REPLACE_ROW("exclude", exclude_old, NULL, "Fields to leave out; wins over include."),
    REPLACE_ROW("include", include_old, NULL, "Fields to keep; empty: all."),
    REPLACE_ROW("renames", NULL, check_renames, "New names, as old:new with commas between."),
    SMT_NULL_ROW,
    {.name = NULL},
};
static const struct opt_row mask_rows[] = {
    SMT_LIST_ROW("fields", "Fields to mask."),
    {SMT_FIELDS("replacement", OPT_STRING, NULL, 0, OPT_LOW,
                "What stands in their place (numbers and strings); else the zero of the type."),
     .check = smt_check_text},
    SMT_NULL_ROW,
    {.name = NULL},
};

SMT_SIDES(smt_insert_field, "InsertField", insert_rows, configure_insert, apply_insert, smt_free)
SMT_SIDES(smt_replace_field, "ReplaceField", replace_rows, configure_replace, apply_replace,
          release_replace)
SMT_SIDES(smt_mask_field, "MaskField", mask_rows, configure_mask, apply_mask, release_mask)
