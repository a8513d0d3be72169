/* cdc/transforms/document_merge.c - one schema out of two that documents of an array have for the
 * same member, see document_int.h. Thread: the task's. */
#include "cdc/transforms/document_int.h"

static int width(const struct schema *s)
{
    return s->logical != LOGICAL_NONE  ? 0
           : s->type == SCHEMA_INT32   ? 1
           : s->type == SCHEMA_INT64   ? 2
           : s->type == SCHEMA_FLOAT64 ? 3
                                       : 0;
}

const struct schema *document_array_of(const struct schema *element)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_ARRAY);
    schema_builder_optional(b);
    schema_builder_element(b, NULL, element);
    return schema_build(b);
}

static struct schema_builder *struct_like(const struct schema *s)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    if (s->name.p)
        schema_builder_name(b, s->name);
    schema_builder_optional(b);
    return b;
}

static const struct schema *wider(const struct schema *a, const struct schema *b)
{
    return schema_ref(width(a) > width(b) ? a : b);
}

const struct schema *document_widest(const struct schema *old, const struct schema *later)
{
    if (schema_eq(old, later))
        return schema_ref(later);
    if (width(old) && width(later))
        return wider(old, later);
    if (old->type != later->type)
        return NULL;
    if (old->type == SCHEMA_ARRAY) {
        const struct schema *element = document_widest(old->value, later->value);
        return element ? document_array_of(element) : NULL;
    }
    if (old->type != SCHEMA_STRUCT || old->fields_count != later->fields_count)
        return NULL;
    struct schema_builder *b = struct_like(later);
    for (size_t i = 0; i < later->fields_count; i++) {
        int at = schema_field_index(old, later->fields[i].name);
        const struct schema *wide =
            at < 0 ? NULL : document_widest(old->fields[at].schema, later->fields[i].schema);
        if (!wide) {
            schema_unref(schema_build(b));
            return NULL;
        }
        schema_builder_field(b, later->fields[i].name, wide);
    }
    return schema_build(b);
}

const struct schema *document_last_form(const struct schema *old, const struct schema *later,
                                        bool widen)
{
    if (widen && width(old) && width(later))
        return wider(old, later);
    if (old->type != later->type || schema_eq(old, later))
        return schema_ref(later);
    if (old->type == SCHEMA_ARRAY) {
        if (later->value->type == SCHEMA_STRING) /* texts, or no elements */
            return schema_ref(old);
        return document_array_of(document_last_form(old->value, later->value, widen));
    }
    if (old->type != SCHEMA_STRUCT)
        return schema_ref(later);
    if (!later->fields_count)
        return schema_ref(old);
    struct schema_builder *b = struct_like(later);
    for (size_t i = 0; i < later->fields_count; i++) {
        const struct schema *field = later->fields[i].schema;
        int at = schema_field_index(old, later->fields[i].name);
        schema_builder_field(b, later->fields[i].name,
                             at < 0 ? schema_ref(field)
                                    : document_last_form(old->fields[at].schema, field, widen));
    }
    return schema_build(b);
}
