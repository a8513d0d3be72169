/* cdc/transforms/document.c - see the header.
 *
 * A record costs two walks: one writes down the shape (class of each value, names) and finds its
 * schema by it, the other makes the value. Schemas are made from the document where the shape is
 * new (document_schema.c).
 *
 *   class   kinds                                            schema
 *   s       string, null, code, ObjectId, Decimal128         string
 *   d i l b double, int32, int64, boolean                    float64 ...
 *   y       binary                                           bytes
 *   t       date, timestamp                                  Timestamp
 *   r c     regular expression, code with scope              struct
 *   { [     document, array
 *   -       undefined, MinKey, MaxKey, symbol, DBPointer     none: left out
 *
 * With DOCUMENTS_WIDEN i, l and d of one array are the widest of them. */
#include "cdc/transforms/document.h"

#include "base/hash.h"
#include "base/mem.h"
#include "cdc/bson/bson_decimal.h"
#include "cdc/transforms/document_int.h"
#include "connect/connector.h"

#define SHAPE_TEXT_MAX 65536 /* shapes with longer texts are not kept */

/* --- classes ---------------------------------------------------------------------------------- */

char document_class(enum bson_kind kind)
{
    switch (kind) {
    case BSON_STRING:
    case BSON_NULL:
    case BSON_CODE:
    case BSON_OBJECT_ID:
    case BSON_DECIMAL128:
        return 's';
    case BSON_DOUBLE:
        return 'd';
    case BSON_INT32:
        return 'i';
    case BSON_INT64:
        return 'l';
    case BSON_BOOLEAN:
        return 'b';
    case BSON_BINARY:
        return 'y';
    case BSON_DATE:
    case BSON_TIMESTAMP:
        return 't';
    case BSON_REGEX:
        return 'r';
    case BSON_CODE_SCOPE:
        return 'c';
    case BSON_DOCUMENT:
        return '{';
    case BSON_ARRAY:
        return '[';
    default:
        return '-';
    }
}

void document_adjust(const struct documents *d, struct slice name, struct strbuf *out)
{
    strbuf_reset(out);
    if (d->adjust == NAME_AS_IS)
        strbuf_add_slice(out, name);
    else
        naming_adjust(name, d->adjust, true, out);
}

struct slice document_index(unsigned n, char text[DOCUMENT_INDEX_MAX])
{
    char *end = text + DOCUMENT_INDEX_MAX, *at = end;
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    *--at = '_';
    return slice_of(at, (size_t)(end - at));
}

void document_refused_in(struct documents *d, struct slice name)
{
    struct strbuf path = STRBUF_INIT;
    strbuf_add_slice(&path, name);
    if (d->path.n)
        strbuf_addc(&path, '.');
    strbuf_add_slice(&path, strbuf_slice(&d->path));
    strbuf_release(&d->path);
    d->path = path;
}

/* --- shapes -----------------------------------------------------------------------------------
 *
 * A member is its class, its name with the 0 behind, and what is in it; a document ends with '}',
 * an array with ']'. No class is one of these: no name, whatever it is, makes two shapes alike. */

static void add_shape(const struct documents *d, const struct bson_item *i, bool named,
                      struct strbuf *out);

static void add_members(const struct documents *d, struct slice doc, struct strbuf *out)
{
    struct bson_walk w;
    struct bson_item i;
    bson_walk_init(&w, doc);
    while (bson_walk_next(&w, &i))
        add_shape(d, &i, true, out);
}

static void add_shape(const struct documents *d, const struct bson_item *i, bool named,
                      struct strbuf *out)
{
    char class = document_class(i->kind);
    strbuf_addc(out, class);
    if (named) {
        strbuf_add_slice(out, i->name);
        strbuf_addc(out, 0);
    }
    if (class == '{') {
        add_members(d, i->raw, out);
        strbuf_addc(out, '}');
    } else if (class == 'c') {
        struct slice code, scope;
        bson_scope(i, &code, &scope);
        add_members(d, scope, out);
        strbuf_addc(out, '}');
    } else if (class == '[') {
        struct bson_walk w;
        struct bson_item x;
        size_t last = out->n, last_n = 0;
        bson_walk_init(&w, i->raw);
        while (bson_walk_next(&w, &x)) { /* what repeats counts once; not so as fields _0, _1 */
            size_t start = out->n;
            add_shape(d, &x, false, out);
            bool same = !d->as_structs && !out->failed && out->n - start == last_n &&
                        !memcmp(out->p + last, out->p + start, last_n);
            if (same) {
                out->n = start;
                continue;
            }
            last = start;
            last_n = out->n - start;
        }
        strbuf_addc(out, ']');
    }
}

/* --- values ----------------------------------------------------------------------------------- */

struct filler {
    struct documents *d;
    struct arena *a;
    struct strbuf name; /* scratch */
    bool in_array;      /* of documents, which have one schema */
    struct error *e;
};

static enum err fill(struct filler *f, const struct schema *s, const struct bson_item *i,
                     struct value *out);

static enum err no_memory(struct filler *f)
{
    return error_set(f->e, E_NOMEM, "no memory for a document");
}

/* From where it is expected on, as documents in an array mostly have some of the fields, in their
 * order. -1: there is no such field. */
static int find_field(const struct schema *s, size_t expected, struct slice name)
{
    for (size_t i = expected; i < s->fields_count; i++)
        if (slice_eq(s->fields[i].name, name))
            return (int)i;
    for (size_t i = 0; i < expected; i++)
        if (slice_eq(s->fields[i].name, name))
            return (int)i;
    return -1;
}

/* Where a member goes. */
static int field_at(struct filler *f, const struct schema *s, size_t expected, struct slice name)
{
    if (f->d->adjust != NAME_AS_IS) {
        document_adjust(f->d, name, &f->name);
        name = strbuf_slice(&f->name);
    }
    return find_field(s, expected, name);
}

static bool is_regex(const struct documents *d, const struct schema *s)
{
    return s == d->regex || (slice_eq(s->name, d->regex->name) && schema_eq(s, d->regex));
}

static bool is_code_with_scope(const struct schema *s)
{
    return s->fields_count == 2 && slice_eq(s->fields[0].name, SL("code")) &&
           slice_eq(s->fields[1].name, SL("scope")) && s->fields[0].schema->type == SCHEMA_STRING &&
           s->fields[1].schema->type == SCHEMA_STRUCT;
}

/* The value of that class goes into a field of that schema: not when two members have one name and
 * the first is of another type, or when documents in documents in an array differ. Of what goes into
 * a struct the members are looked at one by one, later. */
static bool fits(const struct documents *d, const struct schema *s, char class)
{
    bool whole = s->type == SCHEMA_INT64 && s->logical == LOGICAL_NONE;
    switch (class) {
    case 's':
        return s->type == SCHEMA_STRING;
    case 'd':
        return s->type == SCHEMA_FLOAT64;
    case 'i':
        return s->type == SCHEMA_INT32 || (d->widen && (whole || s->type == SCHEMA_FLOAT64));
    case 'l':
        return whole || (d->widen && s->type == SCHEMA_FLOAT64);
    case 't':
        return s->type == SCHEMA_INT64 && s->logical == LOGICAL_TIMESTAMP;
    case 'b':
        return s->type == SCHEMA_BOOLEAN;
    case 'y':
        return s->type == SCHEMA_BYTES;
    case '{':
        return s->type == SCHEMA_STRUCT && !is_regex(d, s);
    case '[':
        return d->as_structs ? s->type == SCHEMA_STRUCT && !is_regex(d, s)
                             : s->type == SCHEMA_ARRAY;
    case 'r':
        return is_regex(d, s);
    case 'c':
        return s->type == SCHEMA_STRUCT && is_code_with_scope(s);
    default:
        return false;
    }
}

static enum err no_field(struct filler *f, struct slice name)
{
    f->d->names = !f->in_array;
    return error_set(f->e, E_INVALID, DATA_EXCEPTION PRI_SL " is not a valid field name",
                     ARG_SL(name));
}

static enum err other_type(struct filler *f, struct slice name)
{
    f->d->names = !f->in_array;
    return error_set(f->e, E_INVALID, DATA_EXCEPTION "Invalid value for field " PRI_SL ": %s",
                     ARG_SL(name),
                     f->in_array ? "documents in an array differ in its type"
                                 : "another member has this name, and another type");
}

static enum err fill_field(struct filler *f, const struct schema *s, struct slice doc,
                           const struct bson_item *i, size_t *expected, struct value *out)
{
    char class = document_class(i->kind);
    struct bson_item first;
    if (class == '-')
        return E_OK;
    int at = field_at(f, s, *expected, i->name);
    if (at < 0)
        return no_field(f, i->name);
    *expected = (size_t)at + 1;
    const struct schema *field = s->fields[at].schema;
    if (fits(f->d, field, class))
        return fill(f, field, i, &out->u.v[at]);
    if (doc.p && bson_find(doc, i->name, &first) && first.raw.p != i->raw.p)
        return E_OK; /* a second one of that name */
    return other_type(f, i->name);
}

static enum err fill_member(struct filler *f, const struct schema *s, struct slice doc,
                            const struct bson_item *i, size_t *expected, struct value *out)
{
    enum err err = fill_field(f, s, doc, i, expected, out);
    if (UNLIKELY(err))
        document_refused_in(f->d, i->name);
    return err;
}

static enum err fill_document(struct filler *f, const struct schema *s, struct slice doc,
                              size_t *expected, struct value *out)
{
    struct bson_walk w;
    struct bson_item i;
    enum err err = E_OK;
    bson_walk_init(&w, doc);
    while (!err && bson_walk_next(&w, &i))
        err = fill_member(f, s, doc, &i, expected, out);
    return err;
}

static enum err fill_struct(struct filler *f, const struct schema *s, struct slice doc,
                            struct value *out)
{
    size_t expected = 0;
    *out = value_struct_new(f->a, (uint32_t)s->fields_count);
    if (out->kind != VALUE_STRUCT)
        return no_memory(f);
    return fill_document(f, s, doc, &expected, out);
}

static enum err fill_array(struct filler *f, const struct schema *s, struct slice array,
                           struct value *out)
{
    struct bson_walk w;
    struct bson_item i;
    uint32_t n = 0;
    enum err err = E_OK;
    bson_walk_init(&w, array);
    while (bson_walk_next(&w, &i))
        n += document_class(i.kind) != '-';
    *out = value_array_new(f->a, n);
    if (out->kind != VALUE_ARRAY)
        return no_memory(f);
    n = 0;
    bool was_in = f->in_array;
    f->in_array = true;
    bson_walk_init(&w, array);
    while (!err && bson_walk_next(&w, &i))
        if (i.kind == BSON_NULL)
            out->u.v[n++] = value_null();
        else if (fits(f->d, s->value, document_class(i.kind)))
            err = fill(f, s->value, &i, &out->u.v[n++]);
        else if (document_class(i.kind) != '-')
            err = error_set(f->e, E_INVALID,
                            DATA_EXCEPTION "Invalid value for an element: documents in an array "
                                           "differ in its type");
    f->in_array = was_in;
    if (UNLIKELY(err))
        document_refused_in(f->d, i.name);
    return err;
}

/* array.encoding=document: an element goes into the field of its place, _0, _1 ... Where the schema
 * is another member's the field may be missing, or of another type. */
static enum err fill_indexes(struct filler *f, const struct schema *s, struct slice array,
                             struct value *out)
{
    struct bson_walk w;
    struct bson_item i;
    size_t expected = 0;
    enum err err = E_OK;
    *out = value_struct_new(f->a, (uint32_t)s->fields_count);
    if (out->kind != VALUE_STRUCT)
        return no_memory(f);
    bson_walk_init(&w, array);
    for (unsigned n = 0; !err && bson_walk_next(&w, &i); n++) {
        char class = document_class(i.kind), text[DOCUMENT_INDEX_MAX];
        if (class == '-')
            continue;
        struct slice name = document_index(n, text);
        int at = find_field(s, expected, name);
        if (at < 0)
            err = no_field(f, name);
        else if (fits(f->d, s->fields[at].schema, class))
            err = fill(f, s->fields[at].schema, &i, &out->u.v[at]);
        else
            err = other_type(f, name);
        expected = (size_t)at + 1;
    }
    if (UNLIKELY(err))
        document_refused_in(f->d, i.name);
    return err;
}

static enum err fill_text(struct filler *f, const struct bson_item *i, struct value *out)
{
    static const char digits[] = "0123456789abcdef";
    *out = value_null();
    if (i->kind == BSON_STRING || i->kind == BSON_CODE)
        *out = value_string(bson_text(i));
    if (i->kind != BSON_OBJECT_ID && i->kind != BSON_DECIMAL128)
        return E_OK;
    char *p = arena_try_alloc(f->a, BSON_DECIMAL_TEXT_MAX), *end = p;
    if (!p)
        return no_memory(f);
    if (i->kind == BSON_DECIMAL128)
        end = bson_decimal_write(p, i->raw.p);
    for (size_t k = 0; i->kind == BSON_OBJECT_ID && k < 12; k++) {
        *end++ = digits[(uint8_t)i->raw.p[k] >> 4];
        *end++ = digits[(uint8_t)i->raw.p[k] & 15];
    }
    *out = value_string(slice_of(p, (size_t)(end - p)));
    return E_OK;
}

static enum err fill_pair(struct filler *f, struct value a, struct value b, struct value *out)
{
    *out = value_struct_new(f->a, 2);
    if (out->kind != VALUE_STRUCT)
        return no_memory(f);
    out->u.v[0] = a;
    out->u.v[1] = b;
    return E_OK;
}

static enum err fill(struct filler *f, const struct schema *s, const struct bson_item *i,
                     struct value *out)
{
    struct slice a, b;
    struct value scope;
    uint32_t seconds, increment;
    uint8_t subtype;
    switch (i->kind) {
    case BSON_DOUBLE:
        *out = value_double(bson_double(i));
        return E_OK;
    case BSON_INT32:
    case BSON_INT64:
        *out = s->type == SCHEMA_FLOAT64 ? value_double(bson_double(i)) : value_int(bson_int(i));
        return E_OK;
    case BSON_DATE:
        *out = value_int(bson_int(i));
        return E_OK;
    case BSON_BOOLEAN:
        *out = value_bool(bson_int(i));
        return E_OK;
    case BSON_TIMESTAMP:
        bson_timestamp(i, &seconds, &increment);
        *out = value_int((int64_t)seconds * 1000);
        return E_OK;
    case BSON_BINARY:
        *out = value_bytes(bson_binary(i, &subtype));
        return E_OK;
    case BSON_REGEX:
        bson_regex(i, &a, &b);
        return fill_pair(f, value_string(a), value_string(b), out);
    case BSON_CODE_SCOPE: {
        bson_scope(i, &a, &b);
        enum err err = fill_struct(f, s->fields[1].schema, b, &scope);
        return err ? err : fill_pair(f, value_string(a), scope, out);
    }
    case BSON_DOCUMENT:
        return fill_struct(f, s, i->raw, out);
    case BSON_ARRAY:
        return f->d->as_structs ? fill_indexes(f, s, i->raw, out) : fill_array(f, s, i->raw, out);
    default:
        return fill_text(f, i, out);
    }
}

/* --- entry ------------------------------------------------------------------------------------ */

struct documents *documents_new(unsigned how, enum name_adjustment adjust)
{
    struct documents *d = xcalloc(1, sizeof *d);
    d->as_structs = how & DOCUMENTS_AS_STRUCTS;
    d->widen = how & DOCUMENTS_WIDEN;
    d->adjust = adjust;
    strbuf_init(&d->text, 0);
    strbuf_init(&d->path, 0);
    document_schemas_init(d);
    return d;
}

/* b NULL: at the end. */
static void shape_release(struct document_shape *s, struct record_batch *b)
{
    const struct schema *all[] = {s->schema, s->made, s->made_for};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (b && all[i])
            record_batch_keep(b, all[i]);
        schema_unref(all[i]);
    }
    *s = (struct document_shape){0};
}

void documents_free(struct documents *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < DOCUMENT_SHAPES; i++) {
        shape_release(&d->kept[i].shape, NULL);
        mem_free(d->kept[i].text);
    }
    shape_release(&d->single, NULL);
    schema_unref(d->timestamp);
    schema_unref(d->regex);
    schema_unref(d->empty);
    strbuf_release(&d->text);
    strbuf_release(&d->path);
    mem_free(d);
}

void document_shape_put(struct document_shape *s, struct record_batch *b,
                        const struct schema *made_for, const struct schema *made)
{
    if (s->made)
        record_batch_keep(b, s->made);
    schema_unref(s->made);
    schema_unref(s->made_for);
    s->made = made;
    s->made_for = schema_ref(made_for);
}

/* The shape with its schema, made where it is new. */
static enum err find_shape(struct documents *d, struct record_batch *b, struct slice name,
                           struct slice doc, const struct bson_item *extra, size_t extra_count,
                           struct document_shape **out, struct error *e)
{
    struct strbuf *text = &d->text;
    const struct schema *schema = NULL;
    strbuf_reset(text);
    strbuf_add_slice(text, name);
    strbuf_addc(text, 0);
    add_members(d, doc, text);
    for (size_t i = 0; i < extra_count; i++)
        add_shape(d, &extra[i], true, text);
    if (text->failed)
        return error_set(e, text->failed, "no memory for a document");
    struct document_kept *k = &d->kept[hash64(strbuf_slice(text), 0) % DOCUMENT_SHAPES];
    if (k->text && k->n == text->n && !memcmp(k->text, text->p, text->n)) {
        *out = &k->shape;
        return E_OK;
    }
    enum err err = document_schema(d, name, doc, extra, extra_count, &schema, e);
    char *copy = err || text->n > SHAPE_TEXT_MAX ? NULL : try_alloc(text->n);
    if (err)
        return err;
    *out = copy ? &k->shape : &d->single;
    shape_release(*out, b);
    (*out)->schema = schema;
    if (copy) {
        mem_free(k->text);
        k->text = memcpy(copy, text->p, text->n);
        k->n = text->n;
    }
    return E_OK;
}

enum err document_convert(struct documents *d, struct record_batch *b, struct slice name,
                          struct slice doc, const struct bson_item *extra, size_t extra_count,
                          struct document_shape **shape, struct value *v, struct error *e)
{
    struct filler f = {.d = d, .a = &b->arena, .name = STRBUF_INIT, .e = e};
    size_t expected = 0;
    strbuf_reset(&d->path);
    d->numbers = d->names = false;
    enum err err = find_shape(d, b, name, doc, extra, extra_count, shape, e);
    if (err)
        return err;
    const struct schema *s = (*shape)->schema;
    *v = value_struct_new(f.a, (uint32_t)s->fields_count);
    if (v->kind != VALUE_STRUCT)
        err = no_memory(&f);
    if (!err)
        err = fill_document(&f, s, doc, &expected, v);
    for (size_t i = 0; !err && i < extra_count; i++)
        err = fill_member(&f, s, SLICE_NULL, &extra[i], &expected, v);
    strbuf_release(&f.name);
    return err;
}
