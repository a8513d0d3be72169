/* cdc/transforms/document_schema.c - the schema that a document tells.
 *
 * An array's elements are of one class. Documents in it make one struct of all their fields, where
 * a document in them has the form of the last one (as in the original, where another one fails).
 * With DOCUMENTS_WIDEN numbers of several types have the widest: int32, int64, float64. */
#include "base/bytes.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "cdc/bson/bson_decimal.h"
#include "cdc/bson/bson_json.h"
#include "cdc/transforms/document_int.h"

#define MIXED                                                                                      \
    "io.debezium.DebeziumException: Array elements with different Bson types are not supported: "

static bool is_empty(struct slice doc)
{
    return doc.n == 5;
}

struct maker {
    struct documents *d;
    struct strbuf name; /* of the struct that is being made */
    struct error *e;
};

static const struct schema *value_schema(struct maker *m, const struct bson_item *i,
                                         struct slice field, enum err *err);

/* The fields of a struct while they are found. */
struct found {
    struct slice name; /* owned */
    const struct schema *schema;
    char class;
    bool filled; /* a document with members */
};
struct fields {
    struct found *v;
    size_t count, cap;
    struct map index; /* name -> place + 1; from INDEX_FROM fields on */
};
#define INDEX_FROM 32

static struct found *field_named(struct fields *f, struct slice name)
{
    if (f->count >= INDEX_FROM) {
        for (size_t i = f->index.count; i < f->count; i++)
            map_put(&f->index, f->v[i].name, (void *)(uintptr_t)(i + 1));
        size_t at = (size_t)(uintptr_t)map_get(&f->index, name);
        return at ? &f->v[at - 1] : NULL;
    }
    for (size_t i = 0; i < f->count; i++)
        if (slice_eq(f->v[i].name, name))
            return &f->v[i];
    return NULL;
}

static void add_field(struct fields *f, struct slice name, const struct schema *schema, char class,
                      bool filled)
{
    if (f->count == f->cap) {
        f->cap = f->cap ? f->cap * 2 : 8;
        f->v = xrealloc(f->v, f->cap * sizeof *f->v);
    }
    char *own = slice_dup(name);
    f->v[f->count++] = (struct found){slice_of(own, name.n), schema, class, filled};
}

static void fields_release(struct fields *f)
{
    for (size_t i = 0; i < f->count; i++) {
        mem_free((char *)(uintptr_t)f->v[i].name.p);
        schema_unref(f->v[i].schema);
    }
    mem_free(f->v);
    map_release(&f->index, NULL);
    *f = (struct fields){0};
}

static const struct schema *struct_of(struct fields *f, struct slice name, bool optional)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_STRUCT);
    if (name.p)
        schema_builder_name(b, name);
    if (optional)
        schema_builder_optional(b);
    for (size_t i = 0; i < f->count; i++)
        schema_builder_field(b, f->v[i].name, schema_ref(f->v[i].schema));
    fields_release(f);
    return schema_build(b);
}

/* The next struct's name is this one's with a part more; *was for leave. */
static void enter(struct maker *m, struct slice part, size_t *was)
{
    *was = m->name.n;
    strbuf_addc(&m->name, '.');
    strbuf_add_slice(&m->name, part);
}

static void leave(struct maker *m, size_t was)
{
    m->name.n = was;
}

static void warn_left_out(struct documents *d, struct slice name)
{
    if (!d->warned)
        LOG_WARN(LOG_CONNECT_TASK,
                 "the field " PRI_SL
                 " is left out: there is no Connect type for undefined, MinKey, "
                 "MaxKey, symbol and DBPointer; others will be left out without a word",
                 ARG_SL(name));
    d->warned = true;
}

static enum err add_member(struct maker *m, struct fields *f, const struct bson_item *i)
{
    struct strbuf name = STRBUF_INIT;
    enum err err = E_OK;
    document_adjust(m->d, i->name, &name);
    if (document_class(i->kind) == '-') {
        warn_left_out(m->d, i->name);
    } else if (!field_named(f, strbuf_slice(&name))) {
        const struct schema *s = value_schema(m, i, strbuf_slice(&name), &err);
        if (s)
            add_field(f, strbuf_slice(&name), s, document_class(i->kind), false);
    }
    strbuf_release(&name);
    if (err)
        document_refused_in(m->d, i->name);
    return err;
}

static enum err add_document(struct maker *m, struct fields *f, struct slice doc)
{
    struct bson_walk w;
    struct bson_item i;
    enum err err = E_OK;
    bson_walk_init(&w, doc);
    while (!err && bson_walk_next(&w, &i))
        err = add_member(m, f, &i);
    return err;
}

/* A document below m->name. */
static const struct schema *sub_schema(struct maker *m, struct slice doc, enum err *err)
{
    struct fields f = {0};
    *err = add_document(m, &f, doc);
    if (!*err)
        return struct_of(&f, strbuf_slice(&m->name), true);
    fields_release(&f);
    return NULL;
}

static const struct schema *scope_schema(struct maker *m, const struct bson_item *i, enum err *err)
{
    struct slice code, scope;
    size_t was;
    struct fields f = {0};
    bson_scope(i, &code, &scope);
    enter(m, SL("scope"), &was);
    const struct schema *s = sub_schema(m, scope, err);
    leave(m, was);
    if (!s)
        return NULL;
    add_field(&f, SL("code"), schema_plain(SCHEMA_STRING, true), 's', false);
    add_field(&f, SL("scope"), s, '{', true);
    return struct_of(&f, strbuf_slice(&m->name), true);
}

/* --- numbers of several types ----------------------------------------------------------------- */

/* 'i' < 'l' < 'd'; 0: no number. */
static int width_of_class(char class)
{
    return class == 'i' ? 1 : class == 'l' ? 2 : class == 'd' ? 3 : 0;
}

/* --- arrays ----------------------------------------------------------------------------------- */

/* A BSON value as the driver's toString writes it. */
static void add_java_text(const struct bson_item *i, struct strbuf *out)
{
    static const struct bson_json_form relaxed = {BSON_JSON_RELAXED, BSON_JSON_SPACED};
    char decimal[BSON_DECIMAL_TEXT_MAX];
    switch (i->kind) {
    case BSON_INT32:
    case BSON_INT64:
        strbuf_addf(out, "BsonInt%d{value=%lld}", i->kind == BSON_INT32 ? 32 : 64,
                    (long long)bson_int(i));
        break;
    case BSON_DOUBLE:
        strbuf_adds(out, "BsonDouble{value=");
        json_add_double(out, bson_double(i));
        strbuf_addc(out, '}');
        break;
    case BSON_STRING:
        strbuf_addf(out, "BsonString{value='" PRI_SL "'}", ARG_SL(bson_text(i)));
        break;
    case BSON_BOOLEAN:
        strbuf_addf(out, "BsonBoolean{value=%s}", bson_int(i) ? "true" : "false");
        break;
    case BSON_NULL:
        strbuf_adds(out, "BsonNull");
        break;
    case BSON_OBJECT_ID:
        strbuf_adds(out, "BsonObjectId{value=");
        hex_encode(out, i->raw);
        strbuf_addc(out, '}');
        break;
    case BSON_DATE:
        strbuf_addf(out, "BsonDateTime{value=%lld}", (long long)bson_int(i));
        break;
    case BSON_DECIMAL128:
        strbuf_adds(out, "BsonDecimal128{value=");
        strbuf_add(out, decimal, (size_t)(bson_decimal_write(decimal, i->raw.p) - decimal));
        strbuf_addc(out, '}');
        break;
    default:
        bson_json_print_item(i, relaxed, out);
    }
}

/* class: of the elements before. */
static enum err mixed_values(struct maker *m, struct slice array, char class)
{
    struct strbuf list = STRBUF_INIT;
    struct bson_walk w;
    struct bson_item i;
    bool first = true;
    m->d->numbers = width_of_class(class);
    bson_walk_init(&w, array);
    while (bson_walk_next(&w, &i))
        m->d->numbers &= width_of_class(document_class(i.kind)) != 0;
    bson_walk_init(&w, array);
    for (; list.n < 1500 && bson_walk_next(&w, &i); first = false) {
        if (!first)
            strbuf_adds(&list, ", ");
        add_java_text(&i, &list);
    }
    enum err err = error_set(m->e, E_INVALID, MIXED "[%s]", list.p);
    strbuf_release(&list);
    return err;
}

static void add_schema_text(struct strbuf *out, const struct schema *s)
{
    strbuf_adds(out, "Schema{");
    if (s->name.p)
        strbuf_addf(out, PRI_SL ":", ARG_SL(s->name));
    strbuf_addf(out, "%s}", schema_type_java(s->type));
}

static enum err mixed_fields(struct maker *m, const struct fields *f, const struct found *at,
                             const struct schema *other)
{
    struct strbuf list = STRBUF_INIT;
    const struct schema *wide = document_widest(at->schema, other);
    m->d->numbers = wide != NULL;
    schema_unref(wide);
    for (size_t i = 0; list.n < 1500 && i < f->count; i++) {
        strbuf_addf(&list, "%s" PRI_SL "=[", i ? ", " : "", ARG_SL(f->v[i].name));
        add_schema_text(&list, f->v[i].schema);
        if (&f->v[i] == at) {
            strbuf_adds(&list, ", ");
            add_schema_text(&list, other);
        }
        strbuf_addc(&list, ']');
    }
    enum err err = error_set(m->e, E_INVALID, MIXED "{%s}", list.p);
    strbuf_release(&list);
    return err;
}

/* Makes an old field one that takes values of s, too (whose reference it takes over), if numbers
 * may be widened. */
static bool widen(struct maker *m, struct found *old, const struct schema *s, bool filled)
{
    const struct schema *wide = m->d->widen ? document_widest(old->schema, s) : NULL;
    if (!wide)
        return false;
    schema_unref(s);
    schema_unref(old->schema);
    old->schema = wide;
    old->filled |= filled;
    return true;
}

/* A member of one of an array's documents. */
static enum err merge_member(struct maker *m, struct fields *f, const struct bson_item *i)
{
    struct strbuf name = STRBUF_INIT;
    enum err err = E_OK;
    char class = document_class(i->kind);
    if (class == '-') {
        warn_left_out(m->d, i->name);
        return E_OK;
    }
    document_adjust(m->d, i->name, &name);
    const struct schema *s = value_schema(m, i, strbuf_slice(&name), &err);
    struct found *old = s ? field_named(f, strbuf_slice(&name)) : NULL;
    bool filled = (class == '{' || class == '[') && !is_empty(i->raw);
    if (s && !old) {
        add_field(f, strbuf_slice(&name), s, class, filled);
    } else if (s && (schema_eq(old->schema, s) || (old->class == class && old->filled && !filled &&
                                                   (class == '{' || class == '[')))) {
        schema_unref(s);
    } else if (s && widen(m, old, s, filled)) {
        ;
    } else if (s && old->class == class && (class == '{' || (class == '[' && !old->filled))) {
        const struct schema *was = old->schema;
        old->schema = document_last_form(was, s, m->d->widen);
        old->filled |= filled;
        schema_unref(was);
        schema_unref(s);
    } else if (s) {
        err = mixed_fields(m, f, old, s);
        schema_unref(s);
    }
    strbuf_release(&name);
    if (err)
        document_refused_in(m->d, i->name);
    return err;
}

struct elements {         /* of an array, or of all arrays in an array ... */
    char class;           /* of the first, or the widest of numbers; 0: there are none */
    struct fields fields; /* when they are documents */
};

/* Whether an element of that class may stand beside those before; their class becomes the wider
 * one. */
static bool joins(const struct maker *m, struct elements *all, char class)
{
    int was = width_of_class(all->class), is = width_of_class(class);
    if (all->class == class)
        return true;
    if (!m->d->widen || !was || !is)
        return false;
    if (is > was)
        all->class = class;
    return true;
}

/* level: how many arrays deep the elements are. */
static enum err collect(struct maker *m, struct slice array, unsigned level, struct elements *all)
{
    struct bson_walk w;
    struct bson_item i;
    enum err err = E_OK;
    bson_walk_init(&w, array);
    while (!err && bson_walk_next(&w, &i)) {
        char class = document_class(i.kind);
        if (level) {
            if (class == '[')
                err = collect(m, i.raw, level - 1, all);
            if (err)
                document_refused_in(m->d, i.name);
            continue;
        }
        if (class == '-') {
            warn_left_out(m->d, i.name);
            continue;
        }
        if (!all->class)
            all->class = class;
        if (!joins(m, all, class))
            err = mixed_values(m, array, all->class);
        else if (class == '{') {
            struct bson_walk members;
            struct bson_item member;
            bson_walk_init(&members, i.raw);
            while (!err && bson_walk_next(&members, &member))
                err = merge_member(m, &all->fields, &member);
        }
        if (err)
            document_refused_in(m->d, i.name);
    }
    return err;
}

static const struct schema *array_schema(struct maker *m, struct slice array, unsigned level,
                                         enum err *err)
{
    struct elements all = {0};
    const struct schema *element = NULL;
    *err = collect(m, array, level, &all);
    if (!*err && all.class == '[') {
        element = array_schema(m, array, level + 1, err);
    } else if (!*err && all.class == '{') {
        element = all.fields.count ? struct_of(&all.fields, strbuf_slice(&m->name), true)
                                   : schema_ref(m->d->empty);
    } else if (!*err && all.class) {
        struct bson_item i = {.kind = BSON_NULL}; /* a value of that class has the schema */
        static const struct {
            char class;
            enum bson_kind kind;
        } kinds[] = {{'d', BSON_DOUBLE}, {'i', BSON_INT32}, {'l', BSON_INT64}, {'b', BSON_BOOLEAN},
                     {'y', BSON_BINARY}, {'t', BSON_DATE},  {'r', BSON_REGEX}};
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
            if (kinds[k].class == all.class)
                i.kind = kinds[k].kind;
        if (all.class == 'c')
            *err = error_set(m->e, E_INVALID, MIXED "code with scope");
        else
            element = value_schema(m, &i, SLICE_NULL, err);
    } else if (!*err) {
        element = schema_plain(SCHEMA_STRING, true);
    }
    fields_release(&all.fields);
    if (!element)
        return NULL;
    return document_array_of(element);
}

/* array.encoding=document */
static const struct schema *array_struct(struct maker *m, struct slice array, enum err *err)
{
    struct fields f = {0};
    struct bson_walk w;
    struct bson_item i;
    *err = E_OK;
    bson_walk_init(&w, array);
    for (unsigned n = 0; !*err && bson_walk_next(&w, &i); n++) {
        char text[DOCUMENT_INDEX_MAX];
        struct slice name = document_index(n, text);
        const struct schema *s = value_schema(m, &i, name, err);
        if (s)
            add_field(&f, name, s, 0, false);
        if (*err)
            document_refused_in(m->d, i.name);
    }
    if (!*err)
        return struct_of(&f, strbuf_slice(&m->name), true);
    fields_release(&f);
    return NULL;
}

/* A reference; NULL with or without an error. field: as it is called in the struct m->name. */
static const struct schema *value_schema(struct maker *m, const struct bson_item *i,
                                         struct slice field, enum err *err)
{
    const struct schema *s = NULL;
    size_t was;
    switch (document_class(i->kind)) {
    case 's':
        return schema_plain(SCHEMA_STRING, true);
    case 'd':
        return schema_plain(SCHEMA_FLOAT64, true);
    case 'i':
        return schema_plain(SCHEMA_INT32, true);
    case 'l':
        return schema_plain(SCHEMA_INT64, true);
    case 'b':
        return schema_plain(SCHEMA_BOOLEAN, true);
    case 'y':
        return schema_plain(SCHEMA_BYTES, true);
    case 't':
        return schema_ref(m->d->timestamp);
    case 'r':
        return schema_ref(m->d->regex);
    case 'c':
        enter(m, field, &was);
        s = scope_schema(m, i, err);
        leave(m, was);
        return s;
    case '{':
        if (is_empty(i->raw))
            return schema_ref(m->d->empty);
        enter(m, field, &was);
        s = sub_schema(m, i->raw, err);
        leave(m, was);
        return s;
    case '[':
        enter(m, field, &was);
        s = m->d->as_structs ? array_struct(m, i->raw, err) : array_schema(m, i->raw, 0, err);
        leave(m, was);
        return s;
    default:
        return NULL;
    }
}

enum err document_schema(struct documents *d, struct slice name, struct slice doc,
                         const struct bson_item *extra, size_t extra_count,
                         const struct schema **out, struct error *e)
{
    struct maker m = {.d = d, .name = STRBUF_INIT, .e = e};
    struct fields f = {0};
    strbuf_add_slice(&m.name, name.p ? name : SL("null")); /* as Java adds texts */
    enum err err = add_document(&m, &f, doc);
    for (size_t i = 0; !err && i < extra_count; i++)
        err = add_member(&m, &f, &extra[i]);
    if (!err && m.name.failed)
        err = error_set(e, E_NOMEM, "no memory");
    if (err)
        fields_release(&f);
    else
        *out = struct_of(&f, name, false);
    strbuf_release(&m.name);
    return err;
}

static const struct schema *timestamp_schema(void)
{
    struct schema_builder *b = schema_builder_new(SCHEMA_INT64);
    schema_builder_name(b, SL("org.apache.kafka.connect.data.Timestamp"));
    schema_builder_version(b, 1);
    schema_builder_optional(b);
    return schema_build(b);
}

void document_schemas_init(struct documents *d)
{
    struct fields regex = {0}, none = {0};
    d->timestamp = timestamp_schema();
    add_field(&regex, SL("regex"), schema_plain(SCHEMA_STRING, true), 's', false);
    add_field(&regex, SL("options"), schema_plain(SCHEMA_STRING, true), 's', false);
    d->regex = struct_of(&regex, SL("io.debezium.mongodb.regex"), true);
    d->empty = struct_of(&none, SLICE_NULL, true);
}
