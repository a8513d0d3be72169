/* cdc/transforms/extract_new_record.c - ExtractNewRecordState: the row instead of the envelope.
 *
 *   event                    tombstone   rewrite             delete-to-tombstone   drop
 *   create, read, update     after       after + __deleted   after                 after
 *   delete                   null        before + __deleted  null, no schema       -
 *   tombstone behind it      -           - (or kept)         -                     -
 *
 * What is no envelope (heartbeats, schema changes) passes unchanged. SPEC: connect 7.1.
 * Thread: the task's. */
#include "base/log.h"
#include "base/mem.h"
#include "cdc/transforms/unwrap.h"

struct unwrap {
    struct smt smt;
    struct unwrap_deletes deletes;
    struct slice route_field; /* null: none */
    struct references fields, headers;
    struct slice drop_header; /* null: none */
    bool drop_from_key, drop_compatible;
};

static void release(void *smt)
{
    struct unwrap *s = smt;
    references_release(&s->fields);
    references_release(&s->headers);
    smt_free(s);
}

/* --- options ---------------------------------------------------------------------------------- */

static struct slice or_null(struct slice text)
{
    return text.n ? text : SLICE_NULL;
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct unwrap *s = *smt = smt_new(sizeof *s, config, class_name);
    s->route_field = or_null(smt_text(&s->smt, "route.by.field"));
    s->drop_header = or_null(smt_text(&s->smt, "drop.fields.header.name"));
    s->drop_from_key = smt_flag(&s->smt, "drop.fields.from.key", false);
    s->drop_compatible = smt_flag(&s->smt, "drop.fields.keep.schema.compatible", true);
    references_parse(&s->fields, smt_text(&s->smt, "add.fields"),
                     smt_text(&s->smt, "add.fields.prefix"));
    references_parse(&s->headers, smt_text(&s->smt, "add.headers"),
                     smt_text(&s->smt, "add.headers.prefix"));
    return unwrap_deletes(&s->smt, &s->deletes, e);
}

/* --- the row ---------------------------------------------------------------------------------- */

static const struct schema *row_schema(struct unwrap *s, struct record_batch *b,
                                       const struct schema *envelope, const struct schema *row)
{
    const struct schema *to = smt_cache_get(&s->smt.cache, row);
    if (to)
        return to;
    struct schema_builder *builder = smt_struct_like(row);
    for (size_t i = 0; i < row->fields_count; i++)
        schema_builder_field(builder, row->fields[i].name, schema_ref(row->fields[i].schema));
    if (s->deletes.mode == UNWRAP_REWRITE)
        schema_builder_field(builder, SL("__deleted"), schema_plain(SCHEMA_STRING, true));
    for (size_t i = 0; i < s->fields.count; i++) {
        struct referred x;
        if (reference_find(&s->fields.v[i], envelope, value_null(), &x))
            schema_builder_field(builder, s->fields.v[i].name, unwrap_optional(x.schema));
    }
    return smt_cache_put(&s->smt.cache, b, row, schema_build(builder));
}

/* The value becomes the row in `field` of the envelope, with what is added. */
static enum err take_row(struct unwrap *s, struct record_batch *b, struct record *r, int field,
                         bool deleted, struct error *e)
{
    const struct schema *envelope = r->value_schema, *row = envelope->fields[field].schema;
    struct value from = r->value.u.v[field];
    struct value *to = arena_try_alloc(&b->arena, (from.n + s->fields.count + 2) * sizeof *to);
    if (!to)
        return smt_no_memory(e);
    uint32_t n = 0;
    bool rewrite = s->deletes.mode == UNWRAP_REWRITE;
    for (; n < from.n; n++)
        to[n] = rewrite ? smt_field(&s->smt, row, from, n) : from.u.v[n];
    if (rewrite)
        to[n++] = value_string(deleted ? SL("true") : SL("false"));
    for (size_t i = 0; i < s->fields.count; i++) {
        struct referred x;
        if (reference_find(&s->fields.v[i], envelope, r->value, &x))
            to[n++] = x.value;
    }
    r->value_schema = row_schema(s, b, envelope, row);
    r->value = (struct value){.kind = VALUE_STRUCT, .n = n, .u.v = to};
    return E_OK;
}

/* The topic that the row names in route.by.field. */
static void route(const struct unwrap *s, struct record *r, int field)
{
    const struct schema *row = r->value_schema->fields[field].schema;
    struct value v = r->value.u.v[field];
    int at = row->type == SCHEMA_STRUCT ? schema_field_index(row, s->route_field) : -1;
    if (at < 0 || v.kind != VALUE_STRUCT || v.u.v[at].kind != VALUE_STRING)
        return;
    struct slice topic = value_slice(v.u.v[at]);
    if (slice_trim(topic).n)
        r->topic = topic;
}

/* --- drop.fields.header.name ------------------------------------------------------------------ */

static bool is_dropped(struct value names, struct slice name)
{
    for (uint32_t i = 0; names.kind == VALUE_ARRAY && i < names.n; i++)
        if (names.u.v[i].kind == VALUE_STRING && slice_eq(value_slice(names.u.v[i]), name))
            return true;
    return false;
}

static enum err drop_fields(const struct unwrap *s, struct record_batch *b,
                            const struct schema **schema, struct value *v, struct value names,
                            struct error *e)
{
    if (!*schema || v->kind != VALUE_STRUCT)
        return E_OK;
    struct value *to = arena_try_alloc(&b->arena, (v->n + 1) * sizeof *to);
    if (!to)
        return smt_no_memory(e);
    struct schema_builder *builder = smt_struct_like(*schema);
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n; i++) {
        const struct schema_field *f = &(*schema)->fields[i];
        if (is_dropped(names, f->name) && !(s->drop_compatible && !f->schema->optional))
            continue;
        schema_builder_field(builder, f->name, schema_ref(f->schema));
        to[n++] = v->u.v[i];
    }
    const struct schema *made = schema_build(builder); /* names differ from record to record */
    record_batch_keep(b, made);
    schema_unref(made);
    *schema = made;
    v->n = n;
    v->u.v = to;
    return E_OK;
}

static enum err drop_named(const struct unwrap *s, struct record_batch *b, struct record *r,
                           struct error *e)
{
    struct value names = value_null();
    for (size_t i = 0; i < r->headers.count; i++)
        if (slice_eq(r->headers.items[i].name, s->drop_header))
            names = r->headers.items[i].value;
    if (names.kind != VALUE_ARRAY)
        return E_OK;
    enum err rc = drop_fields(s, b, &r->value_schema, &r->value, names, e);
    if (rc == E_OK && s->drop_from_key)
        rc = drop_fields(s, b, &r->key_schema, &r->key, names, e);
    return rc;
}

/* --- records ---------------------------------------------------------------------------------- */

static enum err apply_tombstone(struct unwrap *s, struct record_batch *b, struct record *r,
                                struct error *e)
{
    enum err rc = unwrap_headers(&s->headers, b, r, e);
    r->dropped = !s->deletes.keep_tombstones;
    return rc;
}

static enum err apply_delete(struct unwrap *s, struct record_batch *b, struct record *r, int before,
                             int after, struct error *e)
{
    if (s->route_field.p)
        route(s, r, before);
    switch (s->deletes.mode) {
    case UNWRAP_REWRITE:
        return take_row(s, b, r, before, true, e);
    case UNWRAP_NULL:
        r->value_schema = r->value_schema->fields[after].schema;
        r->value = value_null();
        return E_OK;
    case UNWRAP_NO_SCHEMA:
        r->value_schema = NULL;
        r->value = value_null();
        return E_OK;
    default:
        r->dropped = true;
        return E_OK;
    }
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct unwrap *s = smt;
    if (r->value.kind == VALUE_NULL)
        return apply_tombstone(s, b, r, e);
    if (!smt_is_envelope(r))
        return E_OK;
    int before = schema_field_index(r->value_schema, SL("before"));
    int after = schema_field_index(r->value_schema, SL("after"));
    if (after < 0)
        return E_OK;
    const struct record_header *shared = r->headers.items;
    enum err rc = unwrap_headers(&s->headers, b, r, e);
    if (rc)
        return rc;
    bool has_before = before >= 0 && r->value.u.v[before].kind == VALUE_STRUCT;
    if (r->value.u.v[after].kind == VALUE_STRUCT) {
        if (s->route_field.p)
            route(s, r, after);
        rc = take_row(s, b, r, after, false, e);
    } else if (has_before) {
        dbz_share_headers(b, r, shared);
        rc = apply_delete(s, b, r, before, after, e);
    } else if (r->value_schema->fields[after].schema->type != SCHEMA_STRUCT) {
        return dbz_is_document(r,
                               s->route_field.p
                                   ? "Read record to set topic routing for CREATE / UPDATE"
                                   : "source field insertion",
                               "ExtractNewDocumentState", e);
    } else { /* TRUNCATE */
        r->dropped = !s->deletes.keep_truncates;
        r->value_schema = r->value_schema->fields[after].schema;
        r->value = value_null();
    }
    if (rc == E_OK && s->drop_header.p && !r->dropped)
        rc = drop_named(s, b, r, e);
    return rc;
}

static const struct opt_row rows[] = {
    DBZ_ROW(OPT_W_SHORT, "Specifies a header that contains a list of field names to be removed",
            "drop.fields.header.name", OPT_STRING, NULL, 0, OPT_LOW,
            "Header that lists fields to leave out."),
    DBZ_ROW(OPT_W_SHORT,
            "Specifies whether the fields to be dropped should also be omitted from the key",
            "drop.fields.from.key", OPT_BOOLEAN, "false", 0, OPT_LOW,
            "Leave them out of the key too."),
    DBZ_ROW(OPT_W_SHORT, "Specifies if fields are dropped, will the event's schemas be compatible",
            "drop.fields.keep.schema.compatible", OPT_BOOLEAN, "true", 0, OPT_LOW,
            "Leave out optional fields only."),
    UNWRAP_DELETES_ROW,
    DBZ_ROW(OPT_W_LONG, "Route by field name", "route.by.field", OPT_STRING, "", 0, OPT_LOW,
            "Field of the row that names the topic."),
    UNWRAP_METADATA_ROWS,
    SMT_NULL_ROW,
    UNWRAP_OLD_ROWS,
    {.name = NULL},
};
DBZ_CLASS(smt_extract_new_record, "", "ExtractNewRecordState", rows, configure, apply, release)
