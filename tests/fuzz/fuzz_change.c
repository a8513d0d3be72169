/* tests/fuzz/fuzz_change.c - change events on their way from a server's answer to records.
 *
 * Byte 0: how JsonConverter is set (2 bits), mode of documents (2 bits), rules of fields (2 bits),
 * events of a transaction, no tombstones. The rest are events, one behind the other. They go the
 * way of stream.c: read, put together when they are split, written as text and as values with the
 * real converter, which must agree on the records or on the error; the position behind each comes
 * back from its text. A document that is told goes the same way as one that a snapshot read.
 *
 * A change of one byte inside BSON makes all sizes around it wrong, so sizes are not taken from the
 * input: events are walked loosely and built anew. What is BSON already stays as it is. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/log.h"
#include "cdc/mongodb/emit.h"
#include "cdc/mongodb/offset.h"
#include "connect/converters/converters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EVENTS_MAX = 64, DEPTH = BSON_DEPTH_MAX + 1, NOW = 1700000000 };

#define must(is) must_at(is, __LINE__)
static void must_at(bool is, int line)
{
    if (is)
        return;
    fprintf(stderr, "fuzz_change.c:%d does not hold\n", line);
    abort();
}

/* --- bytes to events -------------------------------------------------------------------------- */

struct bytes {
    const uint8_t *p, *end;
};

/* Copies n bytes; those that are not there are 0. */
static void take(struct bytes *in, void *out, size_t n)
{
    size_t there = MIN(n, (size_t)(in->end - in->p));
    memset(out, 0, n);
    memcpy(out, in->p, there);
    in->p += there;
}

/* A length that fits into what is left. */
static size_t take_length(struct bytes *in)
{
    uint32_t n;
    take(in, &n, sizeof n);
    n = load_le32(&n);
    size_t left = (size_t)(in->end - in->p);
    return n <= left ? n : left ? n % left : 0;
}

static struct slice take_name(struct bytes *in)
{
    const char *p = (const char *)in->p;
    const char *zero = memchr(p, 0, (size_t)(in->end - in->p));
    size_t n = zero ? (size_t)(zero - p) : (size_t)(in->end - in->p);
    in->p += n + (zero != NULL);
    return slice_of(p, n);
}

/* With its 0. */
static struct slice take_text(struct bytes *in)
{
    size_t n = take_length(in);
    struct slice text = slice_of((const char *)in->p, n ? n - 1 : 0);
    in->p += n;
    return text;
}

static void take_fixed(struct bytes *in, struct bson_build *b, struct slice name,
                       enum bson_kind kind, size_t n)
{
    uint8_t raw[16];
    take(in, raw, n);
    if (kind == BSON_BOOLEAN)
        raw[0] &= 1;
    bson_build_raw(b, name, kind, raw, n);
}

static void take_members(struct bytes *in, struct bson_build *b);

static void take_document(struct bytes *in, struct bson_build *b, struct slice name,
                          enum bson_kind kind)
{
    uint8_t ignored[4];
    if (b->depth >= DEPTH) {
        bson_build_null(b, name);
        return;
    }
    take(in, ignored, sizeof ignored);
    bson_build_begin(b, name, kind);
    take_members(in, b);
    bson_build_end(b);
}

static void take_scope(struct bytes *in, struct bson_build *b, struct slice name)
{
    uint8_t ignored[4];
    struct bson_build scope;
    if (b->depth >= DEPTH) {
        bson_build_null(b, name);
        return;
    }
    bson_build_init(&scope);
    take(in, ignored, sizeof ignored);
    struct slice code = take_text(in);
    take(in, ignored, sizeof ignored);
    while (scope.depth <= b->depth) /* as deep as it will stand; only the innermost is used */
        bson_build_begin(&scope, SL(""), BSON_DOCUMENT);
    size_t start = scope.out.n - 4;
    take_members(in, &scope);
    bson_build_end(&scope);
    uint32_t n = load_le32(scope.out.p + start);
    bson_build_scope(b, name, code, slice_of(scope.out.p + start, n));
    bson_build_release(&scope);
}

static void take_value(struct bytes *in, struct bson_build *b, struct slice name, uint8_t kind)
{
    char id[12];
    struct slice text, options;
    switch (kind) {
    case BSON_DOUBLE:
    case BSON_DATE:
    case BSON_TIMESTAMP:
    case BSON_INT64:
        take_fixed(in, b, name, (enum bson_kind)kind, 8);
        return;
    case BSON_STRING:
    case BSON_CODE:
    case BSON_SYMBOL:
        bson_build_text_as(b, name, (enum bson_kind)kind, take_text(in));
        return;
    case BSON_DOCUMENT:
    case BSON_ARRAY:
        take_document(in, b, name, (enum bson_kind)kind);
        return;
    case BSON_BINARY: {
        size_t n = take_length(in);
        uint8_t raw[5];
        store_le32(raw, (uint32_t)n);
        take(in, raw + 4, 1);
        n = MIN(n, (size_t)(in->end - in->p));
        store_le32(raw, (uint32_t)n);
        bson_build_raw(b, name, BSON_BINARY, raw, sizeof raw);
        strbuf_add(&b->out, in->p, n);
        in->p += n;
        return;
    }
    case BSON_OBJECT_ID:
        take_fixed(in, b, name, BSON_OBJECT_ID, 12);
        return;
    case BSON_BOOLEAN:
        take_fixed(in, b, name, BSON_BOOLEAN, 1);
        return;
    case BSON_REGEX:
        text = take_name(in);
        options = take_name(in);
        bson_build_regex(b, name, text, options);
        return;
    case BSON_DB_POINTER:
        text = take_text(in);
        take(in, id, sizeof id);
        bson_build_pointer(b, name, text, id);
        return;
    case BSON_CODE_SCOPE:
        take_scope(in, b, name);
        return;
    case BSON_INT32:
        take_fixed(in, b, name, BSON_INT32, 4);
        return;
    case BSON_DECIMAL128:
        take_fixed(in, b, name, BSON_DECIMAL128, 16);
        return;
    case BSON_UNDEFINED:
    case BSON_MIN_KEY:
    case BSON_MAX_KEY:
        bson_build_raw(b, name, (enum bson_kind)kind, "", 0);
        return;
    default:
        bson_build_null(b, name);
        return;
    }
}

static void take_members(struct bytes *in, struct bson_build *b)
{
    while (in->p < in->end) {
        uint8_t kind = *in->p++;
        if (!kind)
            return;
        struct slice name = take_name(in);
        take_value(in, b, name, kind);
    }
}

static struct slice take_event(struct bytes *in, struct bson_build *b)
{
    const uint8_t *start = in->p;
    uint8_t ignored[4];
    bson_build_reset(b);
    take(in, ignored, sizeof ignored);
    take_members(in, b);
    struct slice event = bson_build_finish(b);
    must(event.p && bson_check(event, NULL) == E_OK);
    size_t n = (size_t)(in->end - start) < 4 ? 0 : load_le32(start);
    struct slice as_is = slice_of((const char *)start, n);
    if (n && n <= (size_t)(in->end - start) && bson_check(as_is, NULL) == E_OK)
        must(slice_eq(event, as_is));
    return event;
}

/* --- events to records ------------------------------------------------------------------------ */

struct side {
    struct mongo_emitter em;
    struct collections collections;
    struct transactions transactions;
    struct record_batch batch;
};
struct run {
    struct side text, values;
    struct mongo_filter filter;
    struct field_rules *rules;
    struct direct_form form;
    void *key_conv, *value_conv;
    struct change_merge merge;
    bool block;
};

static void side_open(struct side *s, const struct run *r, const struct direct_form *direct)
{
    struct collections_options o = {
        .prefix = SL("p\xc3\xa9\""), .filter = &r->filter, .rules = r->rules, .direct = direct};
    memset(s, 0, sizeof *s);
    collections_init(&s->collections, &o);
    mongo_emitter_init(&s->em);
    transactions_init(&s->transactions, true, SL("p.transaction"));
    record_batch_init(&s->batch, (size_t)256 << 20);
    s->em.direct = direct;
    s->em.prefix = o.prefix;
}

static void side_close(struct side *s)
{
    record_batch_release(&s->batch);
    transactions_release(&s->transactions);
    mongo_emitter_release(&s->em);
    collections_release(&s->collections);
}

static void open_converter(struct json_form *f, void **conv, bool schemas, bool defaults)
{
    struct strmap o = STRMAP_INIT;
    *f = (struct json_form){.schemas = schemas, .out.null_to_default = defaults};
    strmap_set(&o, SL("schemas.enable"), schemas ? SL("true") : SL("false"));
    strmap_set(&o, SL("replace.null.with.default"), defaults ? SL("true") : SL("false"));
    must(converter_json.configure(conv, &o, false, NULL) == E_OK);
    strmap_release(&o);
}

/* The names are those of the stored events. */
static void make_rules(struct run *r, unsigned which)
{
    static const struct slice exclude[] = {SLICE_NULL, SL_INIT("*.*.name,*.*.items.cost"),
                                           SLICE_NULL, SL_INIT("*.*._id,*.*.a.b,*.*.tags")};
    static const struct slice renames[] = {
        SLICE_NULL, SLICE_NULL, SL_INIT("*.*.name:called,*.*.items.cost:price"),
        SL_INIT("*.*.n:name,*.*.a.c:b,*.*.a:z,*.*.items:a,*.*.name:n")};
    const char *option;
    must(field_rules_new(&r->rules, exclude[which], renames[which], &option, NULL) == E_OK);
}

static void run_open(struct run *r, uint8_t how)
{
    struct mongo_lists lists = {0};
    memset(r, 0, sizeof *r);
    must(mongo_filter_init(&r->filter, &lists, NULL) == E_OK);
    make_rules(r, how >> 4 & 3);
    open_converter(&r->form.key, &r->key_conv, how & 1, true);
    open_converter(&r->form.value, &r->value_conv, how & 1, how & 2);
    side_open(&r->text, r, &r->form);
    side_open(&r->values, r, NULL);
    enum bson_json_mode mode = (enum bson_json_mode)((how >> 2 & 3) % 3);
    r->text.em.documents.mode = r->values.em.documents.mode = mode;
    r->text.em.tombstones = r->values.em.tombstones = !(how & 128);
    r->block = how & 64;
    change_merge_init(&r->merge);
}

static void run_close(struct run *r)
{
    change_merge_release(&r->merge);
    side_close(&r->text);
    side_close(&r->values);
    converter_json.release(r->key_conv);
    converter_json.release(r->value_conv);
    field_rules_free(r->rules);
    mongo_filter_release(&r->filter);
}

static void same_part(const struct run *r, const struct record *t, const struct record *v, bool key)
{
    struct strbuf want = STRBUF_INIT, got = STRBUF_INIT;
    struct error e = {0};
    bool null = false;
    strbuf_add_slice(&got, key ? t->text.key_head : t->text.value_head);
    strbuf_add(&got, r->text.batch.text.p + (key ? t->text.key_at : t->text.value_at),
               key ? t->text.key_n : t->text.value_n);
    enum err rc = converter_json.from_connect(key ? r->key_conv : r->value_conv, v->topic,
                                              key ? v->key_schema : v->value_schema,
                                              key ? v->key : v->value, &want, &null, &e);
    if (rc)
        fprintf(stderr, "JsonConverter: %s\n", e.msg);
    must(rc == E_OK);
    must(null == (key ? t->text.key_null : t->text.value_null));
    bool same = null || slice_eq(strbuf_slice(&got), strbuf_slice(&want));
    if (!same)
        fprintf(stderr, "as text:   %s\nas values: %s\n", got.p, want.p);
    must(same && slice_is_utf8(strbuf_slice(&got)));
    strbuf_release(&want);
    strbuf_release(&got);
}

static void same_records(struct run *r, enum err t, enum err v, const struct error *te,
                         const struct error *ve)
{
    const struct record_batch *a = &r->text.batch, *b = &r->values.batch;
    must(t == v && strcmp(te->msg, ve->msg) == 0 && (t == E_OK) == !te->msg[0]);
    must(t == E_OK || t == E_INVALID);
    must(a->count == b->count && (t == E_OK || !a->count));
    for (size_t i = 0; i < a->count; i++) {
        must(slice_eq(a->records[i].topic, b->records[i].topic));
        same_part(r, &a->records[i], &b->records[i], true);
        same_part(r, &a->records[i], &b->records[i], false);
    }
    record_batch_reset(&r->text.batch);
    record_batch_reset(&r->values.batch);
}

static enum err emit_change(struct side *s, const struct change *c, bool block, struct error *e)
{
    struct collection *coll = collections_get(&s->collections, c->db, c->coll);
    s->em.transactions = block ? &s->transactions : NULL;
    transactions_batch(&s->transactions);
    if (block) {
        must(transactions_begin(&s->transactions, &s->batch, SL("{\"id\"}:5"), 7, e) == E_OK);
        record_batch_reset(&s->batch);
        transactions_batch(&s->transactions);
    }
    return coll->captured ? mongo_emit_change(&s->em, &s->batch, coll, c, NOW, e) : E_OK;
}

static enum err emit_read(struct side *s, const struct change *c, struct error *e)
{
    struct mongo_read how = {.marker = SL("last"), .source_ms = 7, .ord = -1};
    struct collection *coll = collections_get(&s->collections, c->db, c->coll);
    return coll->captured ? mongo_emit_read(&s->em, &s->batch, coll, c->after, &how, NOW, e) : E_OK;
}

static void data_event(struct run *r, const struct change *c)
{
    struct error te = {0}, ve = {0};
    enum err t = emit_change(&r->text, c, r->block, &te);
    enum err v = emit_change(&r->values, c, r->block, &ve);
    same_records(r, t, v, &te, &ve);
    if (!c->after.p)
        return;
    te = ve = (struct error){0};
    t = emit_read(&r->text, c, &te);
    v = emit_read(&r->values, c, &ve);
    same_records(r, t, v, &te, &ve);
}

static void position(const struct change *c)
{
    struct mongo_offset at, back;
    struct strbuf text = STRBUF_INIT;
    mongo_offset_init(&at);
    mongo_offset_init(&back);
    mongo_offset_at(&at, c);
    mongo_offset_print(&at, &text);
    must(mongo_offset_parse(&back, strbuf_slice(&text), NULL) == E_OK);
    must(back.sec == at.sec && back.ord == MAX(at.ord, -1));
    must(slice_eq(strbuf_slice(&back.token), strbuf_slice(&at.token)));
    mongo_offset_release(&at);
    mongo_offset_release(&back);
    strbuf_release(&text);
}

static void one_event(struct run *r, struct slice event)
{
    struct change c;
    struct error e = {0};
    enum err rc = change_read(event, &c, &e);
    if (!rc && c.fragments) {
        struct slice whole;
        rc = change_merge_add(&r->merge, event, &c, &whole, &e);
        if (!rc && !whole.p)
            return;
        if (!rc) {
            must(bson_check(whole, NULL) == E_OK);
            rc = change_read(whole, &c, &e);
        }
    }
    if (rc) {
        must(rc == E_INVALID && e.msg[0]);
        return;
    }
    if (change_is_data(&c))
        data_event(r, &c);
    position(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data + 1, data + size};
    struct bson_build b;
    struct run r;
    (void)!log_set_level("root", LOG_L_OFF);
    if (!size)
        return 0;
    run_open(&r, data[0]);
    bson_build_init(&b);
    for (int n = 0; n < EVENTS_MAX && in.p < in.end; n++)
        one_event(&r, take_event(&in, &b));
    bson_build_release(&b);
    run_close(&r);
    return 0;
}
