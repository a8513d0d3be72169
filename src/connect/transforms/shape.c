/* connect/transforms/shape.c - HoistField, ExtractField, ValueToKey, SetSchemaMetadata.
 * SPEC: connect 6.1. */
#include "connect/transforms/smt.h"
#include "connect/transforms/transforms.h"

#include "base/mem.h"
#include "connect/transforms/field_path.h"

static enum err configure_plain(void **smt, const struct strmap *config, const char *class_name,
                                struct error *e)
{
    (void)e;
    *smt = smt_new(sizeof(struct smt), config, class_name);
    return E_OK;
}

/* --- HoistField ------------------------------------------------------------------------------- */

static enum err apply_hoist(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct smt *s = smt;
    const struct schema **schema = smt_schema(s, r);
    struct value *v = smt_value(s, r);
    struct slice field = smt_text(s, "field");
    if (!*schema) {
        struct value map = smt_map_copy(&b->arena, (struct value){.kind = VALUE_MAP}, 1);
        if (map.kind == VALUE_NULL)
            return smt_no_memory(e);
        smt_map_put(&map, field, *v);
        *v = map;
        return E_OK;
    }
    struct value *fields = arena_try_alloc(&b->arena, sizeof *fields);
    if (!fields)
        return smt_no_memory(e);
    const struct schema *to = smt_cache_get(&s->cache, *schema);
    if (!to) {
        struct schema_builder *builder = schema_builder_new(SCHEMA_STRUCT);
        schema_builder_field(builder, field, schema_ref(*schema));
        to = smt_cache_put(&s->cache, b, *schema, schema_build(builder));
    }
    fields[0] = *v;
    *v = (struct value){.kind = VALUE_STRUCT, .n = 1, .u.v = fields};
    *schema = to;
    return E_OK;
}

/* --- ExtractField ----------------------------------------------------------------------------- */

struct extract_field {
    struct smt smt;
    struct field_path path;
};

static void release_extract(void *smt)
{
    struct extract_field *s = smt;
    field_path_release(&s->path);
    smt_free(s);
}

static enum err configure_extract(void **smt, const struct strmap *config, const char *class_name,
                                  struct error *e)
{
    struct extract_field *s = *smt = smt_new(sizeof *s, config, class_name);
    bool v2 = slice_ieq(smt_text(&s->smt, "field.syntax.version"), SL("V2"));
    return field_path_parse(&s->path, smt_text(&s->smt, "field"), v2, e);
}

static enum err apply_extract(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct extract_field *s = smt;
    (void)b;
    const struct schema **schema = smt_schema(&s->smt, r);
    struct value *v = smt_value(&s->smt, r);
    if (v->kind != VALUE_NULL) {
        enum err rc = smt_want_members(&s->smt, r, "field extraction", e);
        if (rc)
            return rc;
    }
    for (size_t i = 0; i < s->path.count; i++) {
        struct slice name = s->path.steps[i];
        if (!*schema) {
            struct value *member = v->kind == VALUE_MAP ? smt_map_get(*v, name) : NULL;
            *v = member ? *member : value_null();
            continue;
        }
        int at = (*schema)->type == SCHEMA_STRUCT ? schema_field_index(*schema, name) : -1;
        if (at < 0)
            return error_set(e, E_INVALID,
                             "java.lang.IllegalArgumentException: Unknown field: " PRI_SL,
                             ARG_SL(smt_text(&s->smt, "field")));
        if (v->kind == VALUE_STRUCT)
            *v = smt_field(&s->smt, *schema, *v, (size_t)at);
        *schema = (*schema)->fields[at].schema;
    }
    return E_OK;
}

/* --- ValueToKey ------------------------------------------------------------------------------- */

struct value_to_key {
    struct smt smt;
    struct slice *fields;
    size_t count;
};

static void release_to_key(void *smt)
{
    struct value_to_key *s = smt;
    mem_free(s->fields);
    smt_free(s);
}

static enum err configure_to_key(void **smt, const struct strmap *config, const char *class_name,
                                 struct error *e)
{
    struct value_to_key *s = *smt = smt_new(sizeof *s, config, class_name);
    (void)e;
    s->fields = smt_list(&s->smt, "fields", &s->count);
    return E_OK;
}

static enum err no_such_field(struct slice name, struct error *e)
{
    return error_set(e, E_INVALID, DATA_EXCEPTION "Field does not exist: " PRI_SL, ARG_SL(name));
}

static enum err map_to_key(struct value_to_key *s, struct record_batch *b, struct record *r,
                           struct error *e)
{
    struct value key = smt_map_copy(&b->arena, (struct value){.kind = VALUE_MAP}, s->count);
    if (key.kind == VALUE_NULL)
        return smt_no_memory(e);
    for (size_t i = 0; i < s->count; i++) {
        struct value *member = smt_map_get(r->value, s->fields[i]);
        smt_map_put(&key, s->fields[i], member ? *member : value_null());
    }
    r->key_schema = NULL;
    r->key = key;
    return E_OK;
}

static enum err apply_to_key(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct value_to_key *s = smt;
    enum err rc = smt_want_members(&s->smt, r, "copying fields from value to key", e);
    if (rc || !r->value_schema)
        return rc ? rc : map_to_key(s, b, r, e);
    const struct schema *from = r->value_schema, *to = smt_cache_get(&s->smt.cache, from);
    struct value *fields = arena_try_alloc(&b->arena, (s->count + 1) * sizeof *fields);
    if (!fields)
        return smt_no_memory(e);
    for (size_t i = 0; i < s->count; i++) {
        int at = schema_field_index(from, s->fields[i]);
        if (at < 0)
            return no_such_field(s->fields[i], e);
        fields[i] = smt_field(&s->smt, from, r->value, (size_t)at);
    }
    if (!to) {
        struct schema_builder *builder = schema_builder_new(SCHEMA_STRUCT);
        for (size_t i = 0; i < s->count; i++) {
            int at = schema_field_index(from, s->fields[i]);
            schema_builder_field(builder, s->fields[i], schema_ref(from->fields[at].schema));
        }
        to = smt_cache_put(&s->smt.cache, b, from, schema_build(builder));
    }
    r->key_schema = to;
    r->key = (struct value){.kind = VALUE_STRUCT, .n = (uint32_t)s->count, .u.v = fields};
    return E_OK;
}

/* --- SetSchemaMetadata ------------------------------------------------------------------------ */

static enum err configure_metadata(void **smt, const struct strmap *config, const char *class_name,
                                   struct error *e)
{
    struct smt *s = *smt = smt_new(sizeof *s, config, class_name);
    if (!smt_text(s, "schema.name").p && !smt_text(s, "schema.version").p)
        return error_set(e, E_INVALID,
                         "org.apache.kafka.common.config.ConfigException: Neither schema name nor "
                         "version configured");
    return E_OK;
}

static enum err apply_metadata(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct smt *s = smt;
    const struct schema **schema = smt_schema(s, r);
    if (!*schema)
        return smt_value(s, r)->kind == VALUE_NULL
                   ? E_OK
                   : error_set(e, E_INVALID,
                               DATA_EXCEPTION "Schema required for [updating schema metadata]");
    const struct schema *to = smt_cache_get(&s->cache, *schema);
    if (!to) {
        struct schema_builder *builder = schema_builder_from(*schema);
        struct slice name = smt_text(s, "schema.name"), version = smt_text(s, "schema.version");
        int64_t number;
        if (name.p)
            schema_builder_name(builder, name);
        if (version.p && slice_to_i64(version, &number) == E_OK)
            schema_builder_version(builder, (int32_t)number);
        to = smt_cache_put(&s->cache, b, *schema, schema_build(builder));
    }
    *schema = to;
    return E_OK;
}

static const struct opt_row hoist_rows[] = {
    SMT_ROW("field", OPT_STRING, NULL, OPT_REQUIRED, OPT_MEDIUM, "Name of the only field."),
    {.name = NULL},
};
static const char *const syntaxes[] = {"V1", "V2", NULL};
static const struct opt_row extract_rows[] = {
    SMT_ROW("field", OPT_STRING, NULL, OPT_REQUIRED, OPT_MEDIUM, "The field to take."),
    SMT_NULL_ROW,
    SMT_CHOICE_ROW("field.syntax.version", "V1", OPT_ANY_CASE, OPT_HIGH, syntaxes,
                   "V1: the name of a field; V2: a path with dots, names with dots in backquotes."),
    {.name = NULL},
};
static const struct opt_row to_key_rows[] = {
    SMT_LIST_ROW("fields", "Fields that make the key."),
    SMT_NULL_ROW,
    {.name = NULL},
};
static const struct opt_row metadata_rows[] = {
    SMT_ROW("schema.name", OPT_STRING, NULL, 0, OPT_HIGH, "New name of the schema."),
    SMT_ROW("schema.version", OPT_INT, NULL, 0, OPT_HIGH, "New version of the schema."),
    SMT_NULL_ROW,
    {.name = NULL},
};

SMT_SIDES(smt_hoist_field, "HoistField", hoist_rows, configure_plain, apply_hoist, smt_free)
SMT_SIDES(smt_extract_field, "ExtractField", extract_rows, configure_extract, apply_extract,
          release_extract)
SMT_CLASS(smt_value_to_key, "ValueToKey", to_key_rows, configure_to_key, apply_to_key,
          release_to_key)
SMT_SIDES(smt_set_schema_metadata, "SetSchemaMetadata", metadata_rows, configure_metadata,
          apply_metadata, smt_free)
