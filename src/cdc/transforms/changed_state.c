/* cdc/transforms/changed_state.c - ExtractChangedRecordState: headers with the names of the fields
 * that an update changed and of those that it did not. SPEC: connect 7.4. Thread: the task's. */
#include "cdc/transforms/transforms.h"

enum { CHANGED, UNCHANGED, LISTS };
struct changed {
    struct smt smt;
    struct slice names[LISTS];           /* null: not wanted */
    const struct schema *schemas[LISTS]; /* of the headers */
};

static void release(void *smt)
{
    struct changed *s = smt;
    for (int i = 0; i < LISTS; i++)
        schema_unref(s->schemas[i]);
    smt_free(s);
}

static enum err configure(void **smt, const struct strmap *config, const char *class_name,
                          struct error *e)
{
    static const char *const options[LISTS] = {"header.changed.name", "header.unchanged.name"};
    struct changed *s = *smt = smt_new(sizeof *s, config, class_name);
    (void)e;
    for (int i = 0; i < LISTS; i++) {
        struct slice name = smt_text(&s->smt, options[i]);
        if (!name.n)
            continue;
        struct schema_builder *b = schema_builder_new(SCHEMA_ARRAY);
        schema_builder_optional(b);
        schema_builder_name(b, name);
        schema_builder_element(b, NULL, schema_plain(SCHEMA_STRING, true));
        s->names[i] = name;
        s->schemas[i] = schema_build(b);
    }
    return E_OK;
}

static enum err apply(void *smt, struct record_batch *b, struct record *r, struct error *e)
{
    struct changed *s = smt;
    struct dbz_field before, after;
    if (!smt_is_envelope(r) || !dbz_field(r->value_schema, r->value, SL("after"), &after))
        return E_OK;
    dbz_field(r->value_schema, r->value, SL("before"), &before);
    uint32_t fields = 0, n[LISTS] = {0};
    if (before.value.kind == VALUE_STRUCT && after.value.kind == VALUE_STRUCT)
        fields = MIN(after.value.n, before.value.n);
    const struct record_header *shared = r->headers.items;
    struct record_header *h = smt_own_headers(b, r, LISTS);
    struct value *names = arena_try_alloc(&b->arena, (LISTS * fields + 1) * sizeof *names);
    if (!h || !names)
        return smt_no_memory(e);
    for (uint32_t i = 0; i < fields; i++) {
        int list = value_eq(before.value.u.v[i], after.value.u.v[i]) ? UNCHANGED : CHANGED;
        names[(uint32_t)list * fields + n[list]++] = value_string(after.schema->fields[i].name);
    }
    size_t count = r->headers.count;
    for (int i = 0; i < LISTS; i++) {
        if (!s->names[i].p)
            continue;
        h[count++] = (struct record_header){
            .name = s->names[i],
            .schema = s->schemas[i],
            .value = {.kind = VALUE_ARRAY, .n = n[i], .u.v = names + (uint32_t)i * fields}};
    }
    r->headers = (struct record_headers){.items = h, .count = count};
    dbz_share_headers(b, r, shared);
    return E_OK;
}

static const struct opt_row rows[] = {
    DBZ_ROW(OPT_W_LONG, "Header change name.", "header.changed.name", OPT_STRING, NULL, 0, OPT_LOW,
            "Header for the names of changed fields; none when it is not given."),
    DBZ_ROW(OPT_W_LONG, "Header unchanged name.", "header.unchanged.name", OPT_STRING, NULL, 0,
            OPT_LOW, "Header for the names of unchanged fields; none when it is not given."),
    {.name = NULL},
};
DBZ_CLASS(smt_extract_changed, "", "ExtractChangedRecordState", rows, configure, apply, release)
