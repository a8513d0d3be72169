/* cdc/transforms/extract_new_document.c - ExtractNewDocumentState: the document of a MongoDB event
 * as a struct, and its _id as the key's only field.
 *
 *   event                          value
 *   create, read, replace, update  after
 *   update without after           updatedFields without removedFields, _id last
 *   delete                         by mode: none, null, before + __deleted (boolean)
 *   tombstone                      by mode: none, kept
 *
 * Keys that are no connector's (heartbeats, transactions) and values that are no envelope pass
 * unchanged. SPEC: cdc-mongodb 7.1. Thread: the task's. */
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "cdc/bson/bson_build.h"
#include "cdc/bson/bson_parse.h"
#include "cdc/transforms/document.h"
#include "cdc/transforms/unwrap.h"

#define PARSE_EXCEPTION "org.bson.json.JsonParseException: "

struct unwrap {
    struct smt smt;
    struct unwrap_deletes deletes;
    bool with_id, flatten;
    struct slice delimiter;
    struct references fields, headers;
    struct documents *keys, *values;
    struct strbuf text;      /* scratch */
    struct bson_build build; /* scratch */
};

static void release(void *smt)
{
    struct unwrap *s = smt;
    references_release(&s->fields);
    references_release(&s->headers);
    documents_free(s->keys);
    documents_free(s->values);
    strbuf_release(&s->text);
    bson_build_release(&s->build);
    smt_free(s);
}

/* --- options ---------------------------------------------------------------------------------- */

static enum name_adjustment adjustment(const struct smt *s)
{
    struct slice mode = smt_text(s, "field.name.adjustment.mode");
    if (slice_ieq(mode, SL("avro")) || (!mode.p && smt_flag(s, "sanitize.field.names", false)))
        return NAME_AVRO;
    return slice_ieq(mode, SL("avro_unicode")) ? NAME_AVRO_UNICODE : NAME_AS_IS;
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct unwrap *s = *smt = smt_new(sizeof *s, config, class_name);
    const struct smt *o = &s->smt;
    unsigned how = slice_ieq(smt_text(o, "array.encoding"), SL("document")) ? DOCUMENTS_AS_STRUCTS
                                                                            : DOCUMENTS_AS_ARRAYS;
    struct slice fields = smt_text(o, "add.fields"), headers = smt_text(o, "add.headers");
    strbuf_init(&s->text, 0);
    bson_build_init(&s->build);
    s->with_id = smt_flag(o, "delete.tombstone.handling.mode.rewrite-with-id", false);
    s->flatten = smt_flag(o, "flatten.struct", false);
    s->delimiter = smt_text(o, "flatten.struct.delimiter");
    if (!s->delimiter.p)
        s->delimiter = SL("_");
    if (smt_flag(o, "weir.array.widen", false))
        how |= DOCUMENTS_WIDEN;
    s->keys = documents_new(how, adjustment(o));
    s->values = documents_new(how, adjustment(o));
    if (!fields.n)
        fields = smt_text(o, "add.source.fields");
    if (!headers.n && smt_flag(o, "operation.header", false))
        headers = SL("op");
    references_parse(&s->fields, fields, smt_text(o, "add.fields.prefix"));
    references_parse(&s->headers, headers, smt_text(o, "add.headers.prefix"));
    return unwrap_deletes(o, &s->deletes, e);
}

/* --- documents -------------------------------------------------------------------------------- */

static enum err parse(struct record_batch *b, struct slice text, struct slice *doc, struct error *e)
{
    struct error why = {0};
    enum err err = bson_parse(text, BSON_DOCUMENT, &b->arena, doc, &why);
    if (err == E_INVALID)
        return error_set(e, E_INVALID, PARSE_EXCEPTION "%s", why.msg);
    return err ? error_set(e, err, "%s", why.msg) : E_OK;
}

/* The key's text is a value: {"id": TEXT}. */
static enum err parse_key(struct unwrap *s, struct record_batch *b, struct slice text,
                          struct slice *doc, struct error *e)
{
    strbuf_reset(&s->text);
    strbuf_adds(&s->text, "{\"id\" : ");
    strbuf_add_slice(&s->text, text);
    strbuf_addc(&s->text, '}');
    struct slice whole =
        arena_dup(&b->arena, strbuf_slice(&s->text)); /* texts are borrowed from it */
    if (strbuf_err(&s->text) || !whole.p)
        return smt_no_memory(e);
    return parse(b, whole, doc, e);
}

static bool is_removed(struct value names, struct slice name)
{
    for (uint32_t i = 0; names.kind == VALUE_ARRAY && i < names.n; i++)
        if (names.u.v[i].kind == VALUE_STRING && slice_eq(value_slice(names.u.v[i]), name))
            return true;
    return false;
}

/* With flatten.struct the dots of a path are the delimiter. */
static struct slice spell(struct unwrap *s, struct slice name)
{
    if (!s->flatten || slice_find_char(name, '.') < 0)
        return name;
    strbuf_reset(&s->text);
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '.')
            strbuf_add_slice(&s->text, s->delimiter);
        else
            strbuf_addc(&s->text, name.p[i]);
    }
    return strbuf_slice(&s->text);
}

/* What an update that comes without its document tells of it. */
static enum err partial(struct unwrap *s, struct record_batch *b, struct dbz_field update,
                        const struct bson_item *id, struct slice *out, struct error *e)
{
    struct dbz_field updated, removed = {0};
    struct slice doc = SLICE_NULL;
    struct bson_walk w;
    struct bson_item i;
    bool has_id = false;
    dbz_field(update.schema, update.value, SL("removedFields"), &removed);
    bson_build_reset(&s->build);
    if (dbz_field(update.schema, update.value, SL("updatedFields"), &updated) &&
        updated.value.kind == VALUE_STRING) {
        enum err err = parse(b, value_slice(updated.value), &doc, e);
        if (err)
            return err;
        bson_walk_init(&w, doc);
        while (bson_walk_next(&w, &i)) {
            has_id |= slice_eq(i.name, SL("_id"));
            if (!is_removed(removed.value, i.name))
                bson_build_item(&s->build, spell(s, i.name), &i);
        }
    }
    if (!has_id)
        bson_build_item(&s->build, SL("_id"), id);
    struct slice made = bson_build_finish(&s->build);
    *out = made.p ? arena_dup(&b->arena, made) : SLICE_NULL;
    return out->p ? E_OK : smt_no_memory(e);
}

/* --- flatten.struct --------------------------------------------------------------------------- */

struct flattener {
    struct unwrap *s;
    struct schema_builder *builder;
    struct strbuf name;
    struct map names; /* that were given; the value is of no use */
    struct error *e;
};

static enum err flat_field(struct flattener *f, const struct schema *schema)
{
    struct slice name = strbuf_slice(&f->name);
    if (map_put(&f->names, name, f))
        return error_set(f->e, E_INVALID,
                         "org.apache.kafka.connect.errors.SchemaBuilderException: Cannot create "
                         "field because of field name duplication " PRI_SL,
                         ARG_SL(name));
    schema_builder_field(f->builder, name, schema_ref(schema));
    return E_OK;
}

static enum err flat_fields(struct flattener *f, const struct schema *schema)
{
    size_t was = f->name.n;
    enum err err = E_OK;
    for (size_t i = 0; !err && i < schema->fields_count; i++) {
        const struct schema *s = schema->fields[i].schema;
        if (was)
            strbuf_add_slice(&f->name, f->s->delimiter);
        strbuf_add_slice(&f->name, schema->fields[i].name);
        err = s->type == SCHEMA_STRUCT ? flat_fields(f, s) : flat_field(f, s);
        f->name.n = was;
    }
    return err;
}

static enum err flat_schema(struct unwrap *s, const struct schema *from, const struct schema **out,
                            struct error *e)
{
    struct flattener f = {.s = s, .builder = smt_struct_like(from), .name = STRBUF_INIT, .e = e};
    enum err err = flat_fields(&f, from);
    *out = schema_build(f.builder);
    map_release(&f.names, NULL);
    strbuf_release(&f.name);
    if (err)
        schema_unref(*out);
    return err;
}

static void flat_values(const struct schema *schema, struct value v, struct value **to)
{
    for (size_t i = 0; i < schema->fields_count; i++) {
        struct value x = v.kind == VALUE_STRUCT ? v.u.v[i] : value_null();
        if (schema->fields[i].schema->type == SCHEMA_STRUCT)
            flat_values(schema->fields[i].schema, x, to);
        else
            *(*to)++ = x;
    }
}

/* --- refusals --------------------------------------------------------------------------------- */

#define CURE "array.encoding=document takes arrays of any elements, as fields _0, _1 ..."

static enum err refused(const struct documents *d, const struct record *r, struct slice key,
                        enum err err, struct error *e)
{
    struct document_fault at = documents_fault(d);
    const char *cure =
        at.names     ? "two members get one name: rename one of them in the collection, or, where "
                       "field.name.adjustment.mode makes them alike, set it to none; "
                       "errors.tolerance=all leaves such documents out"
        : at.numbers ? "weir.array.widen=true gives all numbers of an array one type; " CURE
                     : CURE;
    return documents_refused(d, r, key, cure, err, e);
}

/* --- the value -------------------------------------------------------------------------------- */

/* The document's fields and what add.fields adds. */
static const struct schema *with_metadata(const struct unwrap *s, const struct schema *document,
                                          const struct schema *envelope)
{
    struct schema_builder *builder = schema_builder_from(document);
    for (size_t i = 0; i < s->fields.count; i++) {
        struct referred x;
        if (reference_find(&s->fields.v[i], envelope, value_null(), &x))
            schema_builder_field(builder, s->fields.v[i].name, unwrap_optional(x.schema));
    }
    return schema_build(builder);
}

static struct slice document_name(const struct schema *envelope)
{
    struct slice name = envelope->name;
    return slice_ends(name, SL(".Envelope")) ? slice_sub(name, 0, name.n - (sizeof ".Envelope" - 1))
                                             : name;
}

static enum err made_schema(struct unwrap *s, struct record_batch *b, struct document_shape *shape,
                            const struct schema *envelope, struct error *e)
{
    if (shape->made && shape->made_for == envelope)
        return E_OK;
    const struct schema *made = with_metadata(s, shape->schema, envelope);
    if (s->flatten) {
        const struct schema *nested = made;
        enum err err = flat_schema(s, nested, &made, e);
        schema_unref(nested);
        if (err)
            return err;
    }
    document_shape_put(shape, b, envelope, made);
    return E_OK;
}

/* The record's value becomes the document with add.fields, flattened if so wanted. */
static enum err finish(struct unwrap *s, struct record_batch *b, struct document_shape *shape,
                       struct value v, struct record *r, struct error *e)
{
    const struct schema *envelope = r->value_schema;
    if (!s->fields.count && !s->flatten) {
        r->value_schema = shape->schema;
        r->value = v;
        return E_OK;
    }
    enum err err = made_schema(s, b, shape, envelope, e);
    if (err)
        return err;
    uint32_t count = (uint32_t)shape->made->fields_count;
    struct value *all = arena_try_alloc(&b->arena, (count + 1) * sizeof *all), *to = all;
    if (!all)
        return smt_no_memory(e);
    if (s->flatten)
        flat_values(shape->schema, v, &to);
    for (uint32_t i = 0; !s->flatten && i < v.n; i++)
        *to++ = v.u.v[i];
    for (size_t i = 0; i < s->fields.count; i++) {
        struct referred x;
        if (!reference_find(&s->fields.v[i], envelope, r->value, &x))
            continue;
        if (s->flatten && x.schema->type == SCHEMA_STRUCT)
            flat_values(x.schema, x.value, &to);
        else
            *to++ = x.value;
    }
    r->value_schema = shape->made;
    r->value = (struct value){.kind = VALUE_STRUCT, .n = count, .u.v = all};
    return E_OK;
}

struct event {
    struct slice key; /* its text */
    struct dbz_field before, after, update;
    struct bson_item id; /* of the key */
    bool deleted;
};

static enum err set_value(struct unwrap *s, struct record_batch *b, struct record *r,
                          const struct event *ev, struct error *e)
{
    struct slice doc = slice_of("\5\0\0\0\0", 5);
    struct bson_item extra[2], found;
    size_t extras = 0;
    enum err err = E_OK;
    if (ev->after.value.kind == VALUE_STRING)
        err = parse(b, value_slice(ev->after.value), &doc, e);
    else if (!ev->deleted)
        err = partial(s, b, ev->update, &ev->id, &doc, e);
    else if (ev->before.value.kind == VALUE_STRING)
        err = parse(b, value_slice(ev->before.value), &doc, e);
    if (err)
        return document_unreadable(r, ev->key, err, e);
    if (s->deletes.mode == UNWRAP_REWRITE) {
        extra[extras++] = (struct bson_item){BSON_BOOLEAN, SL("__deleted"),
                                             slice_of(ev->deleted ? "\1" : "\0", 1)};
        if (s->with_id && !bson_find(doc, SL("_id"), &found))
            extra[extras++] = (struct bson_item){ev->id.kind, SL("_id"), ev->id.raw};
    }
    if (doc.n == 5 && !extras) { /* nothing at all */
        r->value_schema = NULL;
        r->value = value_null();
        return E_OK;
    }
    struct document_shape *shape;
    struct value v;
    err = document_convert(s->values, b, document_name(r->value_schema), doc, extra, extras, &shape,
                           &v, e);
    return err ? refused(s->values, r, ev->key, err, e) : finish(s, b, shape, v, r, e);
}

/* A change event without an update's description is one of a row: E_INVALID, in the original's
 * words; err if it is none. */
static enum err row_event(const struct record *r, enum err err, struct error *e)
{
    const struct schema *key = r->key_schema;
    if (!smt_is_envelope(r) || !key || !key->name.p || !slice_ends(key->name, SL(".Key")) ||
        schema_field_index(r->value_schema, SL("updateDescription")) >= 0)
        return err;
    bool id = key->type == SCHEMA_STRUCT && schema_field_index(key, SL("id")) >= 0;
    return dbz_is_row(r,
                      id ? "java.lang.IllegalArgumentException: Unknown field: updateDescription"
                         : "java.lang.IllegalArgumentException: Unknown field: id",
                      "ExtractNewRecordState", e);
}

/* --- records ---------------------------------------------------------------------------------- */

/* False: the record is none of a collection's. */
static bool key_text(const struct record *r, struct slice *text)
{
    struct dbz_field id;
    if (!r->key_schema || !r->key_schema->name.p || !slice_ends(r->key_schema->name, SL(".Key")) ||
        !dbz_field(r->key_schema, r->key, SL("id"), &id) || id.value.kind != VALUE_STRING)
        return false;
    *text = value_slice(id.value);
    return true;
}

static void set_null(struct record *r)
{
    r->value_schema = NULL;
    r->value = value_null();
}

static enum err apply_event(struct unwrap *s, struct record_batch *b, struct record *r,
                            struct slice key, const struct bson_item *id, struct error *e)
{
    struct event ev = {.key = key, .id = *id};
    const struct record_header *shared = r->headers.items;
    enum err err = unwrap_headers(&s->headers, b, r, e);
    if (err)
        return err;
    dbz_field(r->value_schema, r->value, SL("before"), &ev.before);
    dbz_field(r->value_schema, r->value, SL("after"), &ev.after);
    if (!dbz_field(r->value_schema, r->value, SL("updateDescription"), &ev.update))
        return row_event(r, E_OK, e);
    ev.deleted = ev.after.value.kind == VALUE_NULL && ev.update.value.kind == VALUE_NULL;
    if (!ev.deleted)
        return set_value(s, b, r, &ev, e);
    dbz_share_headers(b, r, shared);
    if (s->deletes.mode == UNWRAP_REWRITE)
        return set_value(s, b, r, &ev, e);
    r->dropped = s->deletes.mode == UNWRAP_DROP;
    set_null(r);
    return E_OK;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct unwrap *s = smt;
    struct slice text, doc;
    bool tombstone = r->value.kind == VALUE_NULL;
    if (!key_text(r, &text) || (!tombstone && !smt_is_envelope(r)))
        return row_event(r, E_OK, e);
    enum err err = parse_key(s, b, text, &doc, e);
    if (err)
        return row_event(r, document_unreadable(r, text, err, e), e);
    struct document_shape *shape;
    struct bson_item id;
    struct value key;
    if (!bson_find(doc, SL("id"), &id))
        return E_OK;
    err = document_convert(s->keys, b, SLICE_NULL, doc, NULL, 0, &shape, &key, e);
    if (err)
        return refused(s->keys, r, text, err, e);
    const struct schema *key_schema = shape->schema;
    if (tombstone) {
        err = unwrap_headers(&s->headers, b, r, e);
        r->dropped = !s->deletes.keep_tombstones;
    } else {
        err = apply_event(s, b, r, text, &id, e);
    }
    r->key_schema = key_schema; /* flatten.struct leaves it as it is */
    r->key = key;
    return err;
}

static const char *const encodings[] = {"array", "document", NULL};
static const char *const adjustments[] = {"none", "avro", "avro_unicode", NULL};
static const struct opt_row rows[] = {
    UNWRAP_DELETES_ROW,
    DBZ_ROW(OPT_W_LONG, "Route by field name", "route.by.field", OPT_STRING, "", 0, OPT_LOW,
            "Accepted; documents stay on the topic of their collection."),
    UNWRAP_METADATA_ROWS,
    {DBZ_FIELDS(1, OPT_W_SHORT, "Array encoding", "array.encoding", OPT_STRING, "array",
                OPT_ANY_CASE, OPT_MEDIUM,
                "array wants elements of one type, document makes an array a struct of _0, _1 ..."),
     .choices = encodings},
    DBZ_ROW(OPT_W_SHORT, "Flatten struct", "flatten.struct", OPT_BOOLEAN, "false", 0, OPT_LOW,
            "Whether documents in the document become fields of their own: address_city."),
    DBZ_ROW(OPT_W_SHORT, "Delimiter for flattened struct", "flatten.struct.delimiter", OPT_STRING,
            "_", 0, OPT_LOW, "Stands between the parts of such a name."),
    SMT_ROW("weir.array.widen", OPT_BOOLEAN, "false", OPT_INTERNAL, OPT_LOW,
            "Whether int, long and double of one array become its widest type: int64, float64."),
    SMT_ROW("delete.tombstone.handling.mode.rewrite-with-id", OPT_BOOLEAN, "false", OPT_INTERNAL,
            OPT_LOW, "Whether a rewritten delete without a document has its _id."),
    SMT_CHOICE_ROW("field.name.adjustment.mode", "none", OPT_INTERNAL | OPT_ANY_CASE, OPT_LOW,
                   adjustments, "How names of fields are made ones that Avro takes."),
    UNWRAP_OLD_ROWS,
    SMT_ROW("add.source.fields", OPT_LIST, NULL, OPT_INTERNAL, OPT_LOW,
            "Older form of add.fields."),
    SMT_ROW("operation.header", OPT_BOOLEAN, NULL, OPT_INTERNAL, OPT_LOW,
            "Older form of add.headers=op."),
    SMT_ROW("sanitize.field.names", OPT_BOOLEAN, NULL, OPT_INTERNAL, OPT_LOW,
            "Older form of field.name.adjustment.mode=avro."),
    {.name = NULL},
};
#define PACKAGE "io.debezium.connector.mongodb.transforms."
static const char *const aliases[] = {"ExtractNewDocumentState",
                                      PACKAGE "UnwrapFromMongoDbEnvelope", /* before 0.9 */
                                      "UnwrapFromMongoDbEnvelope", NULL};
const struct transform_ops smt_extract_new_document = {.class_name =
                                                           PACKAGE "ExtractNewDocumentState",
                                                       .aliases = aliases,
                                                       .version = DBZ_VERSION,
                                                       .rows = rows,
                                                       .configure = configure,
                                                       .apply = apply,
                                                       .release = release};
