/* cdc/transforms/header_to_value.c - HeaderToValue: headers become fields of the value, at its end
 * or inside a struct that a dotted name leads to. SPEC: connect 7.4. Thread: the task's. */
#include "cdc/transforms/transforms.h"

#include "base/mem.h"

/* What was made for one value schema and one set of headers. */
struct made {
    const struct schema *from, *to;
    const struct schema **headers; /* of each option's header; NULL: absent. References */
};
#define MADE 16
struct header_to_value {
    struct smt smt;
    struct slice *headers, *fields;
    size_t count;
    bool move;
    struct made made[MADE];
    size_t next_made;
    const struct record_header **found; /* scratch: of the record at hand */
};

static void made_release(struct header_to_value *s, struct made *m)
{
    schema_unref(m->from);
    schema_unref(m->to);
    for (size_t i = 0; m->headers && i < s->count; i++)
        schema_unref(m->headers[i]);
    mem_free(m->headers);
    *m = (struct made){0};
}

static void release(void *smt)
{
    struct header_to_value *s = smt;
    for (size_t i = 0; i < MADE; i++)
        made_release(s, &s->made[i]);
    mem_free(s->headers);
    mem_free(s->fields);
    mem_free(s->found);
    smt_free(s);
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    struct header_to_value *s = *smt = smt_new(sizeof *s, config, class_name);
    struct slice operation = smt_text(&s->smt, "operation");
    size_t fields;
    s->headers = smt_list(&s->smt, "headers", &s->count);
    s->fields = smt_list(&s->smt, "fields", &fields);
    s->found = xcalloc(s->count + 1, sizeof *s->found);
    static const char *const lists[] = {"headers", "fields"};
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        struct slice text = smt_text(&s->smt, lists[i]);
        if (!text.n)
            return dbz_bad_option(e, lists[i], "A value is required");
    }
    if (fields != s->count)
        return dbz_bad_option(e, "headers", "it must have as many elements as 'fields'");
    for (size_t i = 0; i < s->count; i++)
        if (!s->headers[i].n || !s->fields[i].n)
            return dbz_bad_option(e, s->headers[i].n ? "fields" : "headers",
                                  "Empty string element(s) found");
    s->move = slice_ieq(operation, SL("move"));
    return s->move || slice_ieq(operation, SL("copy"))
               ? E_OK
               : dbz_bad_option(e, "operation", "Value must be one of move, copy");
}

/* --- fields at a level ------------------------------------------------------------------------ */

/* Whether option i adds a field to the struct at this path ("" is the value itself), and its name
 * there. */
static bool belongs(const struct header_to_value *s, size_t i, struct slice path,
                    struct slice *name)
{
    struct slice field = s->fields[i];
    ptrdiff_t dot = slice_rfind_char(field, '.');
    struct slice parent = dot < 0 ? SL("") : slice_sub(field, 0, (size_t)dot);
    *name = dot < 0 ? field : slice_sub(field, (size_t)dot + 1, field.n);
    return s->found[i] && slice_eq(parent, path);
}

/* Whether an option's field lies somewhere below the path. */
static bool leads_on(const struct header_to_value *s, struct slice path)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->found[i] && s->fields[i].n > path.n && slice_starts(s->fields[i], path) &&
            s->fields[i].p[path.n] == '.')
            return true;
    return false;
}

static void step(struct strbuf *out, struct slice path, struct slice name)
{
    strbuf_reset(out);
    strbuf_add_slice(out, path);
    strbuf_adds(out, path.n ? "." : "");
    strbuf_add_slice(out, name);
}

static const struct schema *build(const struct header_to_value *s, const struct schema *from,
                                  struct slice path)
{
    struct schema_builder *b = smt_struct_like(from);
    struct strbuf below = STRBUF_INIT;
    struct slice name;
    if (from->optional)
        schema_builder_optional(b);
    for (size_t i = 0; i < from->fields_count; i++) {
        const struct schema_field *f = &from->fields[i];
        step(&below, path, f->name);
        bool on = f->schema->type == SCHEMA_STRUCT && leads_on(s, strbuf_slice(&below));
        schema_builder_field(
            b, f->name, on ? build(s, f->schema, strbuf_slice(&below)) : schema_ref(f->schema));
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!belongs(s, i, path, &name))
            continue;
        const struct schema *h = s->found[i]->schema;
        schema_builder_field(b, name, h ? schema_ref(h) : schema_plain(SCHEMA_STRING, true));
    }
    strbuf_release(&below);
    return schema_build(b);
}

static enum err fill(const struct header_to_value *s, struct record_batch *b,
                     const struct schema *from, struct value v, struct slice path,
                     struct value *out, struct error *e)
{
    struct strbuf below = STRBUF_INIT;
    struct slice name;
    struct value *to = arena_try_alloc(&b->arena, (v.n + s->count + 1) * sizeof *to);
    enum err rc = to ? E_OK : smt_no_memory(e);
    uint32_t n = 0;
    for (; rc == E_OK && n < v.n; n++) {
        const struct schema_field *f = &from->fields[n];
        to[n] = v.u.v[n];
        step(&below, path, f->name);
        if (v.u.v[n].kind == VALUE_STRUCT && leads_on(s, strbuf_slice(&below)))
            rc = fill(s, b, f->schema, v.u.v[n], strbuf_slice(&below), &to[n], e);
    }
    for (size_t i = 0; rc == E_OK && i < s->count; i++)
        if (belongs(s, i, path, &name))
            to[n++] = s->found[i]->value;
    strbuf_release(&below);
    *out = (struct value){.kind = VALUE_STRUCT, .n = n, .u.v = to};
    return rc;
}

/* --- records ---------------------------------------------------------------------------------- */

/* A field must not be there yet, the struct around it must. */
static enum err check_field(struct slice path, const struct schema *s, struct error *e)
{
    struct slice rest = path, part, whole = path;
    while (slice_split(&rest, '.', &part)) {
        int at = schema_field_index(s, part);
        if (!rest.p)
            return at < 0
                       ? E_OK
                       : error_set(e, E_INVALID,
                                   "org.apache.kafka.connect.errors.SchemaBuilderException: "
                                   "Cannot create field because of field name duplication " PRI_SL,
                                   ARG_SL(part));
        if (at < 0 || s->fields[at].schema->type != SCHEMA_STRUCT)
            return error_set(e, E_INVALID,
                             "java.lang.IllegalArgumentException: Field '" PRI_SL
                             "' does not exist in the schema. Cannot add nested field '" PRI_SL
                             "'.",
                             ARG_SL(part), ARG_SL(whole));
        s = s->fields[at].schema;
    }
    return E_OK;
}

static bool fits(const struct header_to_value *s, const struct made *m, const struct schema *from)
{
    if (m->from != from)
        return false;
    for (size_t i = 0; i < s->count; i++) {
        const struct schema *h = s->found[i] ? s->found[i]->schema : NULL;
        const struct schema *was = m->headers[i];
        if (s->found[i] && !h)
            h = schema_plain(SCHEMA_STRING, true);
        if (h != was)
            return false;
    }
    return true;
}

static enum err value_schema(struct header_to_value *s, struct record_batch *b,
                             const struct schema *from, const struct schema **out, struct error *e)
{
    for (size_t i = 0; i < MADE; i++) {
        if (s->made[i].to && fits(s, &s->made[i], from)) {
            *out = s->made[i].to;
            return E_OK;
        }
    }
    for (size_t i = 0; i < s->count; i++) {
        enum err rc = s->found[i] ? check_field(s->fields[i], from, e) : E_OK;
        if (rc)
            return rc;
    }
    struct made *m = &s->made[s->next_made++ % MADE];
    if (m->to)
        record_batch_keep(b, m->to);
    made_release(s, m);
    m->from = schema_ref(from);
    m->headers = xcalloc(s->count + 1, sizeof *m->headers);
    for (size_t i = 0; i < s->count; i++)
        if (s->found[i])
            m->headers[i] = s->found[i]->schema ? schema_ref(s->found[i]->schema)
                                                : schema_plain(SCHEMA_STRING, true);
    *out = m->to = build(s, from, SL(""));
    return E_OK;
}

static enum err remove_headers(const struct header_to_value *s, struct record_batch *b,
                               struct record *r, struct error *e)
{
    struct record_header *h = smt_own_headers(b, r, 0);
    size_t kept = 0;
    if (!h)
        return smt_no_memory(e);
    for (size_t i = 0; i < r->headers.count; i++)
        if (!smt_listed(s->headers, s->count, h[i].name))
            h[kept++] = h[i];
    r->headers = (struct record_headers){.items = h, .count = kept};
    return E_OK;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct header_to_value *s = smt;
    bool any = false;
    if (r->value.kind == VALUE_NULL)
        return E_OK;
    if (!r->value_schema || r->value.kind != VALUE_STRUCT)
        return error_set(e, E_INVALID,
                         DATA_EXCEPTION
                         "Only Struct objects supported for [Header field insertion], found: %s",
                         smt_java_class(r->value_schema, r->value));
    for (size_t i = 0; i < s->count; i++) {
        s->found[i] = NULL;
        for (size_t k = 0; k < r->headers.count; k++) /* the last one of a name counts */
            if (slice_eq(r->headers.items[k].name, s->headers[i]))
                s->found[i] = &r->headers.items[k];
        any |= s->found[i] != NULL;
    }
    if (!any)
        return E_OK;
    const struct schema *to;
    struct value v;
    enum err rc = value_schema(s, b, r->value_schema, &to, e);
    if (rc == E_OK)
        rc = fill(s, b, r->value_schema, r->value, SL(""), &v, e);
    if (rc)
        return rc;
    r->value_schema = to;
    r->value = v;
    return s->move ? remove_headers(s, b, r, e) : E_OK;
}

static const char *const operations[] = {"move", "copy", NULL};
static const struct opt_row rows[] = {
    DBZ_ROW(OPT_W_NONE, "Header names list", "headers", OPT_LIST, NULL, OPT_REQUIRED, OPT_HIGH,
            "Headers that become fields."),
    DBZ_ROW(OPT_W_NONE, "Field names list", "fields", OPT_LIST, NULL, OPT_REQUIRED, OPT_HIGH,
            "Names of these fields, in the order of the headers; a dot leads into a struct."),
    {DBZ_FIELDS(1, OPT_W_NONE, "Operation: mover or copy", "operation", OPT_STRING, NULL,
                OPT_REQUIRED | OPT_ANY_CASE, OPT_HIGH,
                "move removes the headers from the record, copy keeps them."),
     .choices = operations},
    {.name = NULL},
};
DBZ_CLASS(smt_header_to_value, "", "HeaderToValue", rows, configure, apply, release)
