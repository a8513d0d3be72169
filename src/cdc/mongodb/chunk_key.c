/* cdc/mongodb/chunk_key.c - see the header. */
#include "cdc/mongodb/chunk_key.h"

#include "base/bytes.h"
#include "cdc/bson/bson_build.h"
#include "cdc/bson/bson_json.h"
#include "cdc/bson/bson_parse.h"

static const struct slice wrapper = SL_INIT("$bson");

static bool is_integer(const struct bson_item *i)
{
    return i->kind == BSON_INT32 || i->kind == BSON_INT64;
}

/* As the server compares: integers of both sizes are the same key. */
static bool is_same(const struct bson_item *a, const struct bson_item *b)
{
    return (a->kind == b->kind && slice_eq(a->raw, b->raw)) ||
           (is_integer(a) && is_integer(b) && bson_int(a) == bson_int(b));
}

static bool comes_back(const struct bson_item *id, struct slice text)
{
    struct arena a;
    struct bson_item back;
    arena_init(&a, 1024, (size_t)64 << 20);
    bool same = mongo_chunk_key_parse(text, &a, &back, NULL) == E_OK && is_same(id, &back);
    arena_release(&a);
    return same;
}

static void print_wrapped(const struct bson_item *id, struct strbuf *out)
{
    struct bson_build b;
    bson_build_init(&b);
    bson_build_item(&b, SL(""), id);
    struct slice all = bson_build_finish(&b);
    strbuf_adds(out, "[{\"$bson\": \"");
    base64_encode(out, all);
    strbuf_adds(out, "\"}]");
    if (!all.p)
        out->failed = bson_build_err(&b);
    bson_build_release(&b);
}

void mongo_chunk_key_print(struct slice document, struct strbuf *out)
{
    static const enum bson_json_mode modes[] = {BSON_JSON_RELAXED, BSON_JSON_EXTENDED};
    struct bson_item id;
    strbuf_reset(out);
    if (!bson_find(document, SL("_id"), &id))
        return;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        strbuf_reset(out);
        strbuf_addc(out, '[');
        bson_json_print_item(&id, (struct bson_json_form){modes[i], BSON_JSON_COMPACT}, out);
        strbuf_addc(out, ']');
        if (strbuf_err(out) || comes_back(&id, strbuf_slice(out)))
            return;
    }
    strbuf_reset(out);
    print_wrapped(&id, out);
}

/* What print_wrapped has made of a key; false: it stands there itself. */
static bool is_wrapped(const struct bson_item *i, struct slice *base64)
{
    struct bson_walk w;
    struct bson_item member;
    bson_walk_init(&w, i->kind == BSON_DOCUMENT ? i->raw : SLICE_NULL);
    if (!bson_walk_next(&w, &member) || !slice_eq(member.name, wrapper) ||
        member.kind != BSON_STRING)
        return false;
    *base64 = bson_text(&member);
    return true;
}

static enum err unwrap(struct slice base64, struct arena *a, struct bson_item *out, struct error *e)
{
    struct strbuf bytes = STRBUF_INIT;
    enum err rc = base64_decode(&bytes, base64);
    if (!rc)
        rc = bson_check(strbuf_slice(&bytes), e);
    char *copy = rc ? NULL : arena_try_alloc(a, bytes.n);
    if (!rc && !copy)
        rc = error_set(e, E_NOMEM, "no memory for a key of an incremental snapshot");
    if (copy) {
        memcpy(copy, bytes.p, bytes.n);
        if (!bson_find(slice_of(copy, bytes.n), SL(""), out))
            rc = error_set(e, E_CORRUPT, "a key of an incremental snapshot is empty");
    }
    strbuf_release(&bytes);
    return rc;
}

enum err mongo_chunk_key_parse(struct slice text, struct arena *a, struct bson_item *out,
                               struct error *e)
{
    struct slice list, base64;
    enum err rc = bson_parse(text, BSON_ARRAY, a, &list, e);
    if (!rc && !bson_find(list, SL("0"), out))
        rc = error_set(e, E_CORRUPT, "a key of an incremental snapshot is empty");
    return !rc && is_wrapped(out, &base64) ? unwrap(base64, a, out, e) : rc;
}

void mongo_chunk_key_exact(const struct bson_item *id, struct strbuf *out)
{
    strbuf_addc(out, (char)id->kind);
    strbuf_add_slice(out, id->raw);
}
