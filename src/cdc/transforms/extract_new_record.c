/* cdc/transforms/extract_new_record.c - ExtractNewRecordState: the row instead of the envelope.
 *
 *   event                    tombstone   rewrite             delete-to-tombstone   drop
 *   create, read, update     after       after + __deleted   after                 after
 *   delete                   null        before + __deleted  null, no schema       -
 *   tombstone behind it      -           - (or kept)         -                     -
 *
 * What is no envelope (heartbeats, schema changes) passes unchanged. SPEC: connect 7.1.
 * Thread: the task's. */
#include "cdc/transforms/transforms.h"

#include "base/log.h"
#include "base/mem.h"
#include "cdc/transforms/reference.h"

enum deletes { DELETES_DROP, DELETES_NULL, DELETES_REWRITE, DELETES_NO_SCHEMA };
struct unwrap {
    struct smt smt;
    enum deletes deletes;
    bool keep_tombstones, keep_truncates;
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

/* --- options ------------------------------------------------------------------------------------
 */

static const char *const modes[] = {
    "drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone", NULL};
static const char *const old_modes[] = {"drop", "none", "rewrite", NULL};

/* The options of before 3.0, which most tutorials have. */
static enum err old_deletes(struct unwrap *s, struct error *e)
{
    struct slice mode = smt_text(&s->smt, "delete.handling.mode");
    s->keep_tombstones = s->keep_truncates = !smt_flag(&s->smt, "drop.tombstones", true);
    if (!mode.p || slice_ieq(mode, SL("drop")))
        s->deletes = DELETES_DROP;
    else if (slice_ieq(mode, SL("none")))
        s->deletes = DELETES_NULL;
    else if (slice_ieq(mode, SL("rewrite")))
        s->deletes = DELETES_REWRITE;
    else
        return dbz_bad_option(e, "delete.handling.mode",
                              "Value must be one of the known ones (is " PRI_SL ")", ARG_SL(mode));
    return E_OK;
}

static enum err set_deletes(struct unwrap *s, struct error *e)
{
    struct slice mode = smt_text(&s->smt, "delete.tombstone.handling.mode");
    if (!mode.p &&
        (smt_text(&s->smt, "delete.handling.mode").p || smt_text(&s->smt, "drop.tombstones").p))
        return old_deletes(s, e);
    static const enum deletes deletes[] = {DELETES_DROP, DELETES_NULL, DELETES_REWRITE,
                                           DELETES_REWRITE, DELETES_NO_SCHEMA};
    if (!mode.p)
        mode = SL("tombstone");
    for (int i = 0; modes[i]; i++) {
        if (slice_ieq(mode, slice_cstr(modes[i]))) {
            s->deletes = deletes[i];
            s->keep_tombstones = i == 3;
            return E_OK;
        }
    }
    return dbz_bad_option(e, "delete.tombstone.handling.mode",
                          "Value must be one of the known ones (is " PRI_SL ")", ARG_SL(mode));
}

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
    return set_deletes(s, e);
}

/* --- headers ------------------------------------------------------------------------------------
 */

static enum err add_headers(const struct unwrap *s, struct record_batch *b, struct record *r,
                            struct error *e)
{
    struct record_header *h = smt_own_headers(b, r, s->headers.count);
    if (!h)
        return smt_no_memory(e);
    size_t n = r->headers.count;
    for (size_t i = 0; i < s->headers.count; i++) {
        const struct reference *ref = &s->headers.v[i];
        struct referred x;
        if (r->value.kind == VALUE_NULL) { /* a tombstone tells that it follows a delete */
            if (!slice_eq(ref->field, SL("op")) || ref->owner.p)
                continue;
            x = (struct referred){schema_plain(SCHEMA_STRING, false), value_string(SL("d"))};
        } else if (!reference_find(ref, r->value_schema, r->value, &x)) {
            continue;
        }
        h[n++] = (struct record_header){.name = ref->name, .schema = x.schema, .value = x.value};
    }
    r->headers = (struct record_headers){.items = h, .count = n};
    return E_OK;
}

/* --- the row ------------------------------------------------------------------------------------
 */

/* A copy without default: source.snapshot is null while streaming. SPEC: golden mysql/unwrap */
static const struct schema *optional_copy(const struct schema *s)
{
    if (s->optional && !s->has_default)
        return schema_ref(s);
    struct schema_builder *b = schema_builder_from(s);
    schema_builder_optional(b);
    schema_builder_default(b, value_null());
    return schema_build(b);
}

static const struct schema *row_schema(struct unwrap *s, struct record_batch *b,
                                       const struct schema *envelope, const struct schema *row)
{
    const struct schema *to = smt_cache_get(&s->smt.cache, row);
    if (to)
        return to;
    struct schema_builder *builder = smt_struct_like(row);
    for (size_t i = 0; i < row->fields_count; i++)
        schema_builder_field(builder, row->fields[i].name, schema_ref(row->fields[i].schema));
    if (s->deletes == DELETES_REWRITE)
        schema_builder_field(builder, SL("__deleted"), schema_plain(SCHEMA_STRING, true));
    for (size_t i = 0; i < s->fields.count; i++) {
        struct referred x;
        if (reference_find(&s->fields.v[i], envelope, value_null(), &x))
            schema_builder_field(builder, s->fields.v[i].name, optional_copy(x.schema));
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
    bool rewrite = s->deletes == DELETES_REWRITE;
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

/* --- drop.fields.header.name --------------------------------------------------------------------
 */

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

/* --- records ------------------------------------------------------------------------------------
 */

static enum err apply_tombstone(struct unwrap *s, struct record_batch *b, struct record *r,
                                struct error *e)
{
    enum err rc = s->headers.count ? add_headers(s, b, r, e) : E_OK;
    r->dropped = !s->keep_tombstones;
    return rc;
}

static enum err apply_delete(struct unwrap *s, struct record_batch *b, struct record *r, int before,
                             int after, struct error *e)
{
    if (s->route_field.p)
        route(s, r, before);
    switch (s->deletes) {
    case DELETES_REWRITE:
        return take_row(s, b, r, before, true, e);
    case DELETES_NULL:
        r->value_schema = r->value_schema->fields[after].schema;
        r->value = value_null();
        return E_OK;
    case DELETES_NO_SCHEMA:
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
    enum err rc = s->headers.count ? add_headers(s, b, r, e) : E_OK;
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
    } else { /* TRUNCATE */
        r->dropped = !s->keep_truncates;
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
    {DBZ_FIELDS(1, OPT_W_MEDIUM, "Handle delete and tombstone records",
                "delete.tombstone.handling.mode", OPT_STRING, "tombstone", OPT_ANY_CASE, OPT_MEDIUM,
                "What becomes of delete events and the tombstones behind them."),
     .choices = modes},
    DBZ_ROW(OPT_W_LONG, "Route by field name", "route.by.field", OPT_STRING, "", 0, OPT_LOW,
            "Field of the row that names the topic."),
    DBZ_ROW(OPT_W_SHORT, "Field prefix to be added to each field.", "add.fields.prefix", OPT_STRING,
            "__", 0, OPT_LOW, "Stands before the names of added fields."),
    DBZ_ROW(OPT_W_LONG, "Adds the specified field(s) to the message if they exist.", "add.fields",
            OPT_LIST, "", 0, OPT_LOW,
            "Metadata to add as fields: op, table, source.ts_ms, ts_ms:name ..."),
    DBZ_ROW(OPT_W_SHORT, "Header prefix to be added to each header.", "add.headers.prefix",
            OPT_STRING, "__", 0, OPT_LOW, "Stands before the names of added headers."),
    DBZ_ROW(OPT_W_LONG, "Adds the specified fields to the header if they exist.", "add.headers",
            OPT_LIST, "", 0, OPT_LOW, "Metadata to add as headers."),
    SMT_NULL_ROW,
    SMT_CHOICE_ROW("delete.handling.mode", NULL, OPT_INTERNAL | OPT_ANY_CASE, OPT_LOW, old_modes,
                   "Older form of delete.tombstone.handling.mode."),
    SMT_ROW("drop.tombstones", OPT_BOOLEAN, NULL, OPT_INTERNAL, OPT_LOW,
            "Older form of delete.tombstone.handling.mode."),
    {.name = NULL},
};
DBZ_CLASS(smt_extract_new_record, "", "ExtractNewRecordState", rows, configure, apply, release)
