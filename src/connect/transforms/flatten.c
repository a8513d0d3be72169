/* connect/transforms/flatten.c - Flatten: nested structs and maps as one level, names joined.
 * SPEC: connect 6.1. */
#include "connect/transforms/smt.h"
#include "connect/transforms/transforms.h"

#include "base/mem.h"

#define DEPTH_MAX 100

struct flatten {
    struct smt smt;
    struct slice delimiter;
};

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct flatten *s = *smt = smt_new(sizeof *s, config, class_name);
    (void)e;
    struct slice d = strmap_get_c(&s->smt.options, "delimiter");
    s->delimiter = d.p ? d : SL(".");
    return E_OK;
}

static enum err no_maps(struct slice field, struct error *e)
{
    return error_set(e, E_INVALID,
                     DATA_EXCEPTION "Flatten transformation does not support MAP for record with "
                                    "schemas (for field " PRI_SL ").",
                     ARG_SL(field));
}

/* --- with schema: fields of leaves, in order -------------------------------------------------- */

/* A leaf's schema below optional parents, and with a default that a parent brings. */
static const struct schema *leaf_schema(const struct schema *f, bool optional,
                                        const struct value *def)
{
    if ((f->optional || !optional) && !(def && !f->has_default))
        return schema_ref(f);
    struct schema_builder *b = schema_builder_from(f);
    if (optional)
        schema_builder_optional(b);
    if (def && !f->has_default)
        schema_builder_default(b, *def);
    return schema_build(b);
}

static enum err add_schemas(const struct flatten *s, struct schema_builder *to,
                            const struct schema *from, struct slice prefix, bool optional,
                            const struct value *def, int depth, struct error *e)
{
    struct strbuf name = STRBUF_INIT;
    enum err rc = depth > DEPTH_MAX ? error_set(e, E_TOO_LARGE, DATA_EXCEPTION "too deep") : E_OK;
    for (size_t i = 0; i < from->fields_count && rc == E_OK; i++) {
        const struct schema *f = from->fields[i].schema;
        bool has = def && def->kind == VALUE_STRUCT && i < def->n;
        const struct value *inner = f->has_default ? &f->def : has ? &def->u.v[i] : NULL;
        strbuf_reset(&name);
        if (prefix.n) {
            strbuf_add_slice(&name, prefix);
            strbuf_add_slice(&name, s->delimiter);
        }
        strbuf_add_slice(&name, from->fields[i].name);
        if (f->type == SCHEMA_MAP)
            rc = no_maps(from->fields[i].name, e);
        else if (f->type == SCHEMA_STRUCT)
            rc = add_schemas(s, to, f, strbuf_slice(&name), optional || f->optional, inner,
                             depth + 1, e);
        else
            schema_builder_field(to, strbuf_slice(&name), leaf_schema(f, optional, inner));
    }
    strbuf_release(&name);
    return rc;
}

static uint32_t add_leaves(const struct smt *s, const struct schema *schema, struct value v,
                           struct value *to)
{
    uint32_t n = 0;
    for (size_t i = 0; i < schema->fields_count; i++) {
        struct value f = v.kind == VALUE_STRUCT ? smt_field(s, schema, v, i) : value_null();
        if (schema->fields[i].schema->type == SCHEMA_STRUCT)
            n += add_leaves(s, schema->fields[i].schema, f, to + n);
        else
            to[n++] = f;
    }
    return n;
}

static enum err apply_struct(struct flatten *s, struct record_batch *b,
                             const struct schema **schema, struct value *v, struct error *e)
{
    const struct schema *to = smt_cache_get(&s->smt.cache, *schema);
    if (!to) {
        struct schema_builder *builder = smt_struct_like(*schema);
        enum err rc = add_schemas(s, builder, *schema, SLICE_NULL, (*schema)->optional, NULL, 0, e);
        to = schema_build(builder);
        if (rc) {
            schema_unref(to);
            return rc;
        }
        smt_cache_put(&s->smt.cache, b, *schema, to);
    }
    struct value *leaves = arena_try_alloc(&b->arena, (to->fields_count + 1) * sizeof *leaves);
    if (!leaves)
        return smt_no_memory(e);
    uint32_t n = add_leaves(&s->smt, *schema, *v, leaves);
    *schema = to;
    *v = (struct value){.kind = VALUE_STRUCT, .n = n, .u.v = leaves};
    return E_OK;
}

/* --- without ---------------------------------------------------------------------------------- */

static uint32_t count_leaves(struct value v)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < v.n; i++)
        n += v.u.v[2 * i + 1].kind == VALUE_MAP ? count_leaves(v.u.v[2 * i + 1]) : 1;
    return n;
}

static enum err add_members(const struct flatten *s, struct arena *a, struct value from,
                            struct slice prefix, int depth, struct value *to, struct error *e)
{
    enum err rc = depth > DEPTH_MAX ? error_set(e, E_TOO_LARGE, DATA_EXCEPTION "too deep") : E_OK;
    for (uint32_t i = 0; i < from.n && rc == E_OK; i++) {
        struct slice key = value_slice(from.u.v[2 * i]);
        if (prefix.n) {
            size_t n = prefix.n + s->delimiter.n + key.n;
            char *p = arena_try_alloc(a, n + 1);
            if (!p)
                return smt_no_memory(e);
            memcpy(p, prefix.p, prefix.n);
            memcpy(p + prefix.n, s->delimiter.p, s->delimiter.n);
            memcpy(p + prefix.n + s->delimiter.n, key.p, key.n);
            key = slice_of(p, n);
        }
        if (from.u.v[2 * i + 1].kind == VALUE_MAP)
            rc = add_members(s, a, from.u.v[2 * i + 1], key, depth + 1, to, e);
        else
            smt_map_put(to, key, from.u.v[2 * i + 1]);
    }
    return rc;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct flatten *s = smt;
    const struct schema **schema = smt_schema(&s->smt, r);
    struct value *v = smt_value(&s->smt, r);
    if (v->kind == VALUE_NULL)
        return E_OK;
    enum err rc = smt_want_members(&s->smt, r, "flattening", e);
    if (rc)
        return rc;
    if (*schema)
        return apply_struct(s, b, schema, v, e);
    struct value map = smt_map_copy(&b->arena, (struct value){.kind = VALUE_MAP}, count_leaves(*v));
    if (map.kind == VALUE_NULL)
        return smt_no_memory(e);
    rc = add_members(s, &b->arena, *v, SLICE_NULL, 0, &map, e);
    *v = map;
    return rc;
}

static const struct opt_row rows[] = {
    SMT_ROW("delimiter", OPT_STRING, ".", 0, OPT_MEDIUM, "Stands between the names of the levels."),
    {.name = NULL},
};
SMT_SIDES(smt_flatten, "Flatten", rows, configure, apply, smt_free)
