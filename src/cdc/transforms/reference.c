/* cdc/transforms/reference.c - see the header. */
#include "cdc/transforms/reference.h"

#include "base/mem.h"
#include "base/opt.h"

static void add(struct references *r, struct slice text, struct slice prefix)
{
    ptrdiff_t colon = slice_find_char(text, ':');
    struct slice path = colon >= 0 ? slice_trim(slice_sub(text, 0, (size_t)colon)) : text;
    ptrdiff_t dot = slice_find_char(path, '.');
    struct reference ref = {.owner = SLICE_NULL, .field = path};
    struct strbuf name = STRBUF_INIT;
    if (dot >= 0) {
        ref.owner = slice_sub(path, 0, (size_t)dot);
        ref.field = slice_sub(path, (size_t)dot + 1, path.n);
    }
    strbuf_add_slice(&name, prefix);
    if (colon >= 0) {
        strbuf_add_slice(&name, slice_trim(slice_sub(text, (size_t)colon + 1, text.n)));
    } else {
        if (ref.owner.p)
            strbuf_addf(&name, PRI_SL "_", ARG_SL(ref.owner));
        strbuf_add_slice(&name, ref.field);
    }
    size_t n;
    char *p = strbuf_steal(&name, &n);
    ref.name = slice_of(p, n);
    r->v = xrealloc(r->v, (r->count + 1) * sizeof *r->v);
    r->v[r->count++] = ref;
}

void references_parse(struct references *r, struct slice text, struct slice prefix)
{
    struct slice part;
    *r = (struct references){0};
    while (text.p && opt_list_next(&text, &part))
        if (part.n)
            add(r, part, prefix.p ? prefix : SL("__"));
}

void references_release(struct references *r)
{
    for (size_t i = 0; i < r->count; i++)
        mem_free((char *)(uintptr_t)r->v[i].name.p);
    mem_free(r->v);
    *r = (struct references){0};
}

static bool member(const struct schema *s, struct value v, struct slice name, struct referred *out)
{
    int at = s->type == SCHEMA_STRUCT ? schema_field_index(s, name) : -1;
    if (at < 0)
        return false;
    out->schema = s->fields[at].schema;
    out->value = v.kind == VALUE_STRUCT ? v.u.v[at] : value_null();
    return true;
}

static struct slice implied_owner(struct slice field)
{
    static const struct {
        struct slice field, owner;
    } rows[] = {
        {SL_INIT("op"), SL_INIT("")},
        {SL_INIT("ts_ms"), SL_INIT("")},
        {SL_INIT("ts_us"), SL_INIT("")},
        {SL_INIT("ts_ns"), SL_INIT("")},
        {SL_INIT("id"), SL_INIT("transaction")},
        {SL_INIT("total_order"), SL_INIT("transaction")},
        {SL_INIT("data_collection_order"), SL_INIT("transaction")},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (slice_eq(rows[i].field, field))
            return rows[i].owner;
    return SL("source");
}

bool reference_find(const struct reference *ref, const struct schema *envelope, struct value v,
                    struct referred *out)
{
    struct slice owner = ref->owner.p ? ref->owner : implied_owner(ref->field);
    struct referred parent;
    if (owner.n && member(envelope, v, owner, &parent) &&
        member(parent.schema, parent.value, ref->field, out))
        return true;
    return !(ref->owner.p && ref->owner.n) && member(envelope, v, ref->field, out);
}
