/* cdc/transforms/unwrap.c - see the header. */
#include "cdc/transforms/unwrap.h"

const char *const unwrap_modes[] = {
    "drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone", NULL};
const char *const unwrap_old_modes[] = {"drop", "none", "rewrite", NULL};

/* The options of before 3.0, which most tutorials have. */
static enum err old_deletes(const struct smt *s, struct unwrap_deletes *out, struct error *e)
{
    struct slice mode = smt_text(s, "delete.handling.mode");
    out->keep_tombstones = out->keep_truncates = !smt_flag(s, "drop.tombstones", true);
    if (!mode.p || slice_ieq(mode, SL("drop")))
        out->mode = UNWRAP_DROP;
    else if (slice_ieq(mode, SL("none")))
        out->mode = UNWRAP_NULL;
    else if (slice_ieq(mode, SL("rewrite")))
        out->mode = UNWRAP_REWRITE;
    else
        return dbz_bad_option(e, "delete.handling.mode",
                              "Value must be one of the known ones (is " PRI_SL ")", ARG_SL(mode));
    return E_OK;
}

enum err unwrap_deletes(const struct smt *s, struct unwrap_deletes *out, struct error *e)
{
    static const enum unwrap_mode modes[] = {UNWRAP_DROP, UNWRAP_NULL, UNWRAP_REWRITE,
                                             UNWRAP_REWRITE, UNWRAP_NO_SCHEMA};
    struct slice mode = smt_text(s, "delete.tombstone.handling.mode");
    *out = (struct unwrap_deletes){0};
    if (!mode.p && (smt_text(s, "delete.handling.mode").p || smt_text(s, "drop.tombstones").p))
        return old_deletes(s, out, e);
    if (!mode.p)
        mode = SL("tombstone");
    for (int i = 0; unwrap_modes[i]; i++) {
        if (slice_ieq(mode, slice_cstr(unwrap_modes[i]))) {
            out->mode = modes[i];
            out->keep_tombstones = i == 3;
            return E_OK;
        }
    }
    return dbz_bad_option(e, "delete.tombstone.handling.mode",
                          "Value must be one of the known ones (is " PRI_SL ")", ARG_SL(mode));
}

enum err unwrap_headers(const struct references *refs, struct record_batch *b, struct record *r,
                        struct error *e)
{
    if (!refs->count)
        return E_OK;
    struct record_header *h = smt_own_headers(b, r, refs->count);
    if (!h)
        return smt_no_memory(e);
    size_t n = r->headers.count;
    for (size_t i = 0; i < refs->count; i++) {
        const struct reference *ref = &refs->v[i];
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

const struct schema *unwrap_optional(const struct schema *s)
{
    if (s->optional && !s->has_default)
        return schema_ref(s);
    struct schema_builder *b = schema_builder_from(s);
    schema_builder_optional(b);
    schema_builder_default(b, value_null());
    return schema_build(b);
}
