/* connect/transforms/headers.c - DropHeaders, HeaderFrom, InsertHeader. The array of headers may be
 * shared by all records of a source: who changes it makes a new one. SPEC: connect 6.1. */
#include "connect/transforms/smt.h"
#include "connect/transforms/transforms.h"

#include "base/mem.h"
#include "connect/converters/infer.h"

/* --- DropHeaders, InsertHeader ---------------------------------------------------------------- */

struct header_smt {
    struct smt smt;
    struct slice *names, *fields;
    size_t count;
    bool move;
    struct arena arena; /* of the literal */
    const struct schema *schema;
    struct value literal;
};

static void release(void *smt)
{
    struct header_smt *s = smt;
    mem_free(s->names);
    mem_free(s->fields);
    schema_unref(s->schema);
    arena_release(&s->arena);
    smt_free(s);
}

static struct header_smt *header_new(const struct strmap *config, const char *class_name)
{
    struct header_smt *s = smt_new(sizeof *s, config, class_name);
    arena_init(&s->arena, 256, ARENA_NO_BUDGET);
    s->names = smt_list(&s->smt, "headers", &s->count);
    return s;
}

static enum err configure_drop(void **smt, const struct strmap *config, const char *class_name,
                               struct error *e)
{
    (void)e;
    *smt = header_new(config, class_name);
    return E_OK;
}

static enum err apply_drop(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct header_smt *s = smt;
    struct record_header *h = NULL;
    size_t kept = 0;
    for (size_t i = 0; i < r->headers.count; i++) {
        bool gone = smt_listed(s->names, s->count, r->headers.items[i].name);
        if (gone && !h) {
            h = smt_own_headers(b, r, 0);
            if (!h)
                return smt_no_memory(e);
            kept = i;
        } else if (!gone && h) {
            h[kept++] = r->headers.items[i];
        }
    }
    if (h)
        r->headers = (struct record_headers){.items = h, .count = kept};
    return E_OK;
}

static enum err configure_insert(void **smt, const struct strmap *config, const char *class_name,
                                 struct error *e)
{
    struct header_smt *s = *smt = header_new(config, class_name);
    (void)e;
    s->literal = infer_value(smt_text(&s->smt, "value.literal"), &s->arena, &s->schema);
    return E_OK;
}

static enum err apply_insert(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct header_smt *s = smt;
    struct record_header *h = smt_own_headers(b, r, 1);
    if (!h)
        return smt_no_memory(e);
    h[r->headers.count] = (struct record_header){
        .name = smt_text(&s->smt, "header"), .schema = s->schema, .value = s->literal};
    r->headers = (struct record_headers){.items = h, .count = r->headers.count + 1};
    return E_OK;
}

/* --- HeaderFrom ------------------------------------------------------------------------------- */

static enum err configure_from(void **smt, const struct strmap *config, const char *class_name,
                               struct error *e)
{
    struct header_smt *s = *smt = header_new(config, class_name);
    size_t fields;
    s->fields = smt_list(&s->smt, "fields", &fields);
    s->move = slice_eq(smt_text(&s->smt, "operation"), SL("move"));
    if (fields != s->count)
        return error_set(e, E_INVALID,
                         "org.apache.kafka.common.config.ConfigException: 'fields' config must "
                         "have the same number of elements as 'headers' config.");
    return E_OK;
}

static const struct schema *without_fields(struct header_smt *s, struct record_batch *b,
                                           const struct schema *from)
{
    const struct schema *to = smt_cache_get(&s->smt.cache, from);
    if (to)
        return to;
    struct schema_builder *builder = smt_struct_like(from);
    for (size_t i = 0; i < from->fields_count; i++)
        if (!smt_listed(s->fields, s->count, from->fields[i].name))
            schema_builder_field(builder, from->fields[i].name, schema_ref(from->fields[i].schema));
    return smt_cache_put(&s->smt.cache, b, from, schema_build(builder));
}

/* The side without the fields that became headers. */
static enum err remove_fields(struct header_smt *s, struct record_batch *b, struct record *r,
                              struct error *e)
{
    const struct schema **schema = smt_schema(&s->smt, r);
    struct value *v = smt_value(&s->smt, r);
    size_t width = *schema ? 1 : 2, kept = 0;
    struct value *to = arena_try_alloc(&b->arena, (v->n + 1) * width * sizeof *to);
    if (!to)
        return smt_no_memory(e);
    for (uint32_t i = 0; i < v->n; i++) {
        struct slice name = *schema ? (*schema)->fields[i].name : value_slice(v->u.v[2 * i]);
        if (smt_listed(s->fields, s->count, name))
            continue;
        if (*schema) {
            to[kept++] = smt_field(&s->smt, *schema, *v, i);
        } else {
            to[2 * kept] = v->u.v[2 * i];
            to[2 * kept++ + 1] = v->u.v[2 * i + 1];
        }
    }
    if (*schema)
        *schema = without_fields(s, b, *schema);
    v->n = (uint32_t)kept;
    v->u.v = to;
    return E_OK;
}

static enum err apply_from(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct header_smt *s = smt;
    const struct schema *schema = *smt_schema(&s->smt, r);
    enum err rc = smt_want_members(&s->smt, r, s->move ? "header move" : "header copy", e);
    if (rc)
        return rc;
    struct value v = *smt_value(&s->smt, r);
    struct record_header *h = smt_own_headers(b, r, s->count);
    if (!h)
        return smt_no_memory(e);
    size_t n = r->headers.count;
    for (size_t i = 0; i < s->count; i++) {
        struct record_header *to = &h[n++];
        *to = (struct record_header){.name = s->names[i], .value = value_null()};
        if (schema) {
            int at = schema_field_index(schema, s->fields[i]);
            if (at < 0)
                return error_set(e, E_INVALID, DATA_EXCEPTION PRI_SL " is not a valid field name",
                                 ARG_SL(s->fields[i]));
            to->schema = schema->fields[at].schema;
            to->value = smt_field(&s->smt, schema, v, (size_t)at);
        } else {
            struct value *member = smt_map_get(v, s->fields[i]);
            if (member)
                to->value = *member;
        }
    }
    r->headers = (struct record_headers){.items = h, .count = n};
    return s->move ? remove_fields(s, b, r, e) : E_OK;
}

static const struct opt_row drop_rows[] = {
    SMT_LIST_ROW("headers", "Names of the headers to remove."),
    {.name = NULL},
};
static const struct opt_row insert_rows[] = {
    SMT_ROW("header", OPT_STRING, NULL, OPT_REQUIRED, OPT_HIGH, "Name of the header."),
    SMT_ROW("value.literal", OPT_STRING, NULL, OPT_REQUIRED, OPT_HIGH,
            "Its value; the type is that which the text looks like."),
    {.name = NULL},
};
static const char *const operations[] = {"move", "copy", NULL};
static const struct opt_row from_rows[] = {
    SMT_LIST_ROW("fields", "Fields that become headers."),
    SMT_LIST_ROW("headers", "Names of these headers, in the order of the fields."),
    SMT_CHOICE_ROW("operation", NULL, OPT_REQUIRED, OPT_HIGH, operations,
                   "move removes the fields from the record, copy keeps them."),
    SMT_NULL_ROW,
    {.name = NULL},
};

SMT_CLASS(smt_drop_headers, "DropHeaders", drop_rows, configure_drop, apply_drop, release)
SMT_CLASS(smt_insert_header, "InsertHeader", insert_rows, configure_insert, apply_insert, release)
SMT_SIDES(smt_header_from, "HeaderFrom", from_rows, configure_from, apply_from, release)
