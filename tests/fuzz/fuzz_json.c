/* tests/fuzz/fuzz_json.c - the pull parser, the writer and jansson's loader on anything.
 *
 * A text that is accepted is written again from its tokens; that form must be accepted too, and
 * writing it once more must give the same bytes. Numbers keep their text; jr_raw over the whole
 * value must stand at the same place as the tokens did. */
#include "base/arena.h"
#include "base/base.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_token(struct json_reader *r, struct json_writer *w, struct arena *a)
{
    double d;
    int64_t i;
    switch (r->token) {
    case JT_OBJECT:
        jw_begin_object(w);
        break;
    case JT_OBJECT_END:
        jw_end_object(w);
        break;
    case JT_ARRAY:
        jw_begin_array(w);
        break;
    case JT_ARRAY_END:
        jw_end_array(w);
        break;
    case JT_KEY:
        jw_key(w, jr_string(r, a));
        break;
    case JT_STRING:
        jw_string(w, jr_string(r, a));
        break;
    case JT_NUMBER:
        invariant(r->text.n > 0);
        invariant(jr_double(r, &d) != E_INVALID);
        invariant((jr_i64(r, &i) != E_INVALID) == jr_is_integer(r));
        jw_raw(w, r->text);
        break;
    case JT_TRUE:
    case JT_FALSE:
        jw_bool(w, r->token == JT_TRUE);
        break;
    case JT_NULL:
        jw_null(w);
        break;
    case JT_END:
    case JT_ERROR:
        break;
    }
}

static enum err rewrite(struct slice text, struct strbuf *out)
{
    struct arena a;
    arena_init(&a, 1024, ARENA_NO_BUDGET);
    struct json_reader r;
    jr_init(&r, text, 0);
    struct json_writer w = JSON_WRITER(out);
    while (jr_next(&r) != JT_END && r.token != JT_ERROR)
        write_token(&r, &w, &a);
    if (jr_err(&r)) {
        struct error e;
        invariant(jr_error(&r, &e) == jr_err(&r) && e.msg[0]);
    }
    arena_release(&a);
    return jr_err(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size);
    struct strbuf once = STRBUF_INIT, twice = STRBUF_INIT;
    enum err e = rewrite(text, &once);
    if (e == E_OK) {
        invariant(slice_is_utf8(strbuf_slice(&once)));
        invariant(rewrite(strbuf_slice(&once), &twice) == E_OK);
        invariant(slice_eq(strbuf_slice(&once), strbuf_slice(&twice)));
    }
    struct json_reader r;
    jr_init(&r, text, 0);
    jr_next(&r);
    struct slice raw = jr_raw(&r);
    invariant(raw.p == NULL || (raw.p >= text.p && raw.p + raw.n <= text.p + text.n));
    invariant(e != E_OK || once.n == 0 || raw.p != NULL);
    json_t *tree;
    if (json_load_slice(text, &tree, NULL) == E_OK) {
        strbuf_reset(&twice);
        json_dump_add(&twice, tree);
        invariant(strbuf_err(&twice) == E_OK && slice_is_utf8(strbuf_slice(&twice)));
        json_decref(tree);
    }
    strbuf_release(&once);
    strbuf_release(&twice);
    return 0;
}
