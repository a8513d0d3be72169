/* Records as text and as values give the same bytes: events of all operations with random
 * documents, every form of JsonConverter and of documents. And the texts of the specification.
 * SPEC: cdc-mongodb 6 */
#include "cdc/mongodb/emit.h"

#include "base/mem.h"
#include "cdc/option_words.h"
#include "connect/converters/converters.h"
#include "helpers.h"

/* --- a stream of choices ---------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t choose(uint32_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20) % below;
}

static struct slice choose_text(void)
{
    static const struct slice texts[] = {
        SL_INIT(""),
        SL_INIT("a"),
        SL_INIT("a\"b\\c/d\n"),
        SL_INIT("김철수"),
        SL_INIT("😀"),
        SL_INIT("e\xcc\x81"),
        SL_INIT("\x01\x1f"),
        SL_INIT("broken \xff\xc3"),
        SL_INIT("address.city"),
        SL_INIT("x"),
    };
    return texts[choose(ARRAY_LEN(texts))];
}

static void add_value(struct bson_build *b, struct slice name, unsigned depth)
{
    switch (choose(depth < 3 ? 11 : 8)) {
    case 0:
        bson_build_int(b, name, (int32_t)choose(1000) - 500);
        return;
    case 1:
        bson_build_long(b, name, (int64_t)(seed * 7));
        return;
    case 2:
        bson_build_text(b, name, choose_text());
        return;
    case 3:
        bson_build_bool(b, name, choose(2));
        return;
    case 4:
        bson_build_null(b, name);
        return;
    case 5:
        bson_build_double(b, name, (double)(int32_t)choose(1u << 30) / (1 + choose(100)));
        return;
    case 6:
        bson_build_date(b, name, (int64_t)(seed % 4000000000000ull) - 1000000000000ll);
        return;
    case 7:
        bson_build_binary(b, name, (uint8_t)choose(5), choose_text());
        return;
    default: {
        char buf[BSON_INDEX_SIZE];
        bool array = choose(2);
        bson_build_begin(b, name, array ? BSON_ARRAY : BSON_DOCUMENT);
        for (uint32_t i = 0, n = choose(4); i < n; i++)
            add_value(b, array ? bson_index(i, buf) : choose_text(), depth + 1);
        bson_build_end(b);
    }
    }
}

static void add_document(struct bson_build *b, const char *name)
{
    bson_build_begin(b, slice_cstr(name), BSON_DOCUMENT);
    bson_build_int(b, SL("_id"), 7);
    for (uint32_t i = 0, n = choose(6); i < n; i++)
        add_value(b, choose_text(), 0);
    bson_build_end(b);
}

static void add_update(struct bson_build *b)
{
    char buf[BSON_INDEX_SIZE];
    bson_build_begin(b, SL("updateDescription"), BSON_DOCUMENT);
    if (choose(5)) {
        bson_build_begin(b, SL("updatedFields"), BSON_DOCUMENT);
        for (uint32_t i = 0, n = choose(4); i < n; i++)
            add_value(b, choose_text(), 0);
        bson_build_end(b);
    }
    bson_build_begin(b, SL("removedFields"), BSON_ARRAY);
    for (uint32_t i = 0, n = choose(3); i < n; i++)
        bson_build_text(b, bson_index(i, buf), choose_text());
    bson_build_end(b);
    if (choose(3)) {
        bson_build_begin(b, SL("truncatedArrays"), BSON_ARRAY);
        for (uint32_t i = 0, n = choose(3); i < n; i++) {
            bson_build_begin(b, bson_index(i, buf), BSON_DOCUMENT);
            bson_build_text(b, SL("field"), choose_text());
            bson_build_int(b, SL("newSize"), (int32_t)choose(99));
            bson_build_end(b);
        }
        bson_build_end(b);
    }
    bson_build_end(b);
}

static const char *const operations[] = {"insert", "update", "replace", "delete"};

static struct slice choose_event(struct bson_build *b)
{
    const char *op = operations[choose(4)];
    bson_build_reset(b);
    bson_build_begin(b, SL("_id"), BSON_DOCUMENT);
    bson_build_text(b, SL("_data"), SL("8262"));
    bson_build_end(b);
    bson_build_text(b, SL("operationType"), slice_cstr(op));
    if (choose(8))
        bson_build_timestamp(b, SL("clusterTime"), 1700000000 + choose(99), choose(9));
    if (choose(3))
        bson_build_date(b, SL("wallTime"), choose(4) ? 1700000000123 : 0);
    if (choose(3)) {
        bson_build_long(b, SL("txnNumber"), choose(100));
        bson_build_begin(b, SL("lsid"), BSON_DOCUMENT);
        bson_build_binary(b, SL("id"), 4, SL("0123456789abcdef"));
        bson_build_binary(b, SL("uid"), 0, SL("0123456789abcdef"));
        bson_build_end(b);
    }
    if (choose(3))
        add_document(b, "fullDocument");
    if (choose(2))
        add_document(b, "fullDocumentBeforeChange");
    bson_build_begin(b, SL("ns"), BSON_DOCUMENT);
    bson_build_text(b, SL("db"), SL("d"));
    bson_build_text(b, SL("coll"), choose(4) ? SL("c \"1\"") : SL("not UTF-8: \xff"));
    bson_build_end(b);
    bson_build_begin(b, SL("documentKey"), BSON_DOCUMENT);
    add_value(b, SL("_id"), 0);
    bson_build_end(b);
    if (strcmp(op, "update") == 0)
        add_update(b);
    return bson_build_finish(b);
}

/* --- two sides -------------------------------------------------------------------------------- */

struct side {
    struct mongo_emitter em;
    struct collections collections;
    struct transactions transactions;
    struct record_batch batch;
};

static struct mongo_filter filter;
static struct direct_form form;
static void *key_conv, *value_conv;

static void side_open(struct side *s, const struct direct_form *direct)
{
    struct collections_options o = {.prefix = SL("p\xc3\xa9"), .filter = &filter, .direct = direct};
    memset(s, 0, sizeof *s);
    collections_init(&s->collections, &o);
    mongo_emitter_init(&s->em);
    transactions_init(&s->transactions, true, SL("p.transaction"));
    record_batch_init(&s->batch, (size_t)64 << 20);
    s->em.direct = direct;
    s->em.prefix = o.prefix;
    s->em.tombstones = true;
}

static void side_close(struct side *s)
{
    record_batch_release(&s->batch);
    transactions_release(&s->transactions);
    mongo_emitter_release(&s->em);
    collections_release(&s->collections);
}

static void choose_form(struct json_form *f, void **conv)
{
    struct strmap o = STRMAP_INIT;
    *f = (struct json_form){.schemas = choose(2), .out.null_to_default = choose(4) > 0};
    strmap_set(&o, SL("schemas.enable"), f->schemas ? SL("true") : SL("false"));
    strmap_set(&o, SL("replace.null.with.default"),
               f->out.null_to_default ? SL("true") : SL("false"));
    CHECK_OK(converter_json.configure(conv, &o, false, NULL));
    strmap_release(&o);
}

static void check_part(const struct side *d, const struct record *r, const struct record *g,
                       bool key)
{
    struct strbuf want = STRBUF_INIT, got = STRBUF_INIT;
    struct error e = {0};
    bool null = false, got_null = key ? r->text.key_null : r->text.value_null;
    strbuf_add_slice(&got, key ? r->text.key_head : r->text.value_head);
    strbuf_add(&got, d->batch.text.p + (key ? r->text.key_at : r->text.value_at),
               key ? r->text.key_n : r->text.value_n);
    CHECK_ERR(converter_json.from_connect(key ? key_conv : value_conv, g->topic,
                                          key ? g->key_schema : g->value_schema,
                                          key ? g->key : g->value, &want, &null, &e),
              E_OK);
    CHECK_INT(got_null, null);
    if (!null)
        CHECK_STR(got.p, want.p);
    CHECK(slice_is_utf8(strbuf_slice(&got)));
    strbuf_release(&want);
    strbuf_release(&got);
}

static void check_same(const struct side *d, const struct side *g)
{
    CHECK_INT(d->batch.count, g->batch.count);
    for (size_t i = 0; i < MIN(d->batch.count, g->batch.count); i++) {
        const struct record *a = &d->batch.records[i], *b = &g->batch.records[i];
        CHECK(a->text.used && !b->text.used);
        CHECK_SLICE(a->topic, b->topic);
        check_part(d, a, b, true);
        check_part(d, a, b, false);
    }
}

static void run_event(struct side *s, const struct change *c, bool block)
{
    struct error e = {0};
    struct collection *coll = collections_get(&s->collections, c->db, c->coll);
    s->em.transactions = block ? &s->transactions : NULL;
    transactions_batch(&s->transactions);
    if (block) {
        CHECK_OK(transactions_begin(&s->transactions, &s->batch, SL("{\"id\"}:5"), 7, &e));
        record_batch_reset(&s->batch);
        transactions_batch(&s->transactions);
    }
    CHECK_ERR(mongo_emit_change(&s->em, &s->batch, coll, c, 1700000000999, &e), E_OK);
    CHECK_STR(e.msg, "");
}

static void run_seed(uint64_t n)
{
    struct side direct, general;
    struct bson_build b;
    struct change c;
    struct error e = {0};
    seed = n * UINT64_C(0x9e3779b97f4a7c15) + 1;
    choose_form(&form.key, &key_conv);
    choose_form(&form.value, &value_conv);
    side_open(&direct, &form);
    side_open(&general, NULL);
    direct.em.documents.mode = general.em.documents.mode = (enum bson_json_mode)choose(3);
    bson_build_init(&b);
    for (int i = 0; i < 4; i++) {
        struct slice event = choose_event(&b);
        bool block = choose(3) == 0;
        CHECK_OK(bson_check(event, &e));
        CHECK_OK(change_read(event, &c, &e));
        run_event(&direct, &c, block);
        run_event(&general, &c, block);
        check_same(&direct, &general);
        record_batch_reset(&direct.batch);
        record_batch_reset(&general.batch);
    }
    bson_build_release(&b);
    side_close(&direct);
    side_close(&general);
    converter_json.release(key_conv);
    converter_json.release(value_conv);
}

static void test_pairs(void)
{
    struct mongo_lists lists = {0};
    CHECK_OK(mongo_filter_init(&filter, &lists, NULL));
    for (uint64_t n = 1; n <= 3000; n++)
        run_seed(n);
    mongo_filter_release(&filter);
}

/* --- one event -------------------------------------------------------------------------------- */

static void begin_update(struct bson_build *b)
{
    bson_build_reset(b);
    bson_build_begin(b, SL("_id"), BSON_DOCUMENT);
    bson_build_text(b, SL("_data"), SL("8262"));
    bson_build_end(b);
    bson_build_text(b, SL("operationType"), SL("update"));
    bson_build_timestamp(b, SL("clusterTime"), 1558965508, 31);
    bson_build_begin(b, SL("ns"), BSON_DOCUMENT);
    bson_build_text(b, SL("db"), SL("inventory"));
    bson_build_text(b, SL("coll"), SL("customers"));
    bson_build_end(b);
    bson_build_begin(b, SL("documentKey"), BSON_DOCUMENT);
    bson_build_long(b, SL("_id"), 5);
    bson_build_end(b);
    bson_build_begin(b, SL("fullDocument"), BSON_DOCUMENT);
    bson_build_long(b, SL("_id"), 5);
    bson_build_text(b, SL("name"), SL("Sally"));
    bson_build_end(b);
    bson_build_begin(b, SL("updateDescription"), BSON_DOCUMENT);
    bson_build_begin(b, SL("updatedFields"), BSON_DOCUMENT);
    bson_build_text(b, SL("name"), SL("Sally"));
    bson_build_long(b, SL("n"), 5);
    bson_build_end(b);
    bson_build_begin(b, SL("removedFields"), BSON_ARRAY);
    bson_build_text(b, SL("0"), SL("phone"));
    bson_build_end(b);
    bson_build_end(b);
}

static void check_text(const struct side *s, size_t i, bool key, const char *want)
{
    const struct record_text *t = &s->batch.records[i].text;
    CHECK_SLICE(
        slice_of(s->batch.text.p + (key ? t->key_at : t->value_at), key ? t->key_n : t->value_n),
        slice_cstr(want));
}

static void test_wire(void)
{
    struct mongo_lists lists = {0};
    struct side s;
    struct bson_build b;
    struct change c;
    struct error e = {0};
    form = (struct direct_form){.value.out.null_to_default = true};
    CHECK_OK(mongo_filter_init(&filter, &lists, NULL));
    side_open(&s, &form);
    bson_build_init(&b);
    begin_update(&b);
    CHECK_OK(change_read(bson_build_finish(&b), &c, &e));
    struct collection *coll = collections_get(&s.collections, c.db, c.coll);
    CHECK_OK(mongo_emit_change(&s.em, &s.batch, coll, &c, 1558965515240, &e));
    check_text(&s, 0, true, "{\"id\":\"5\"}");
    check_text(
        &s, 0, false,
        "{\"before\":null,\"after\":\"{\\\"_id\\\": {\\\"$numberLong\\\": \\\"5\\\"},"
        "\\\"name\\\": \\\"Sally\\\"}\",\"updateDescription\":{\"removedFields\":[\"phone\"],"
        "\"updatedFields\":\"{\\\"name\\\": \\\"Sally\\\", \\\"n\\\": 5}\",\"truncatedArrays\":"
        "null},\"source\":{\"version\":\"" WEIR_VERSION "\",\"connector\":\"mongodb\",\"name\":"
        "\"p\xc3\xa9\",\"ts_ms\":1558965508000,\"snapshot\":\"false\",\"db\":\"inventory\","
        "\"sequence\":null,\"ts_us\":1558965508000000,\"ts_ns\":1558965508000000000,"
        "\"collection\":\"customers\",\"ord\":31,\"lsid\":null,\"txnNumber\":null,\"wallTime\":"
        "null},\"op\":\"u\",\"ts_ms\":1558965515240,\"transaction\":null}");
    CHECK_SLICE(s.batch.records[0].topic, SL("p_.inventory.customers"));
    bson_build_release(&b);
    side_close(&s);
    mongo_filter_release(&filter);
}

/* A delete is two records, and one without tombstones; skipped operations give none. */
static void test_counts(void)
{
    struct mongo_lists lists = {0};
    struct side s;
    struct error e = {0};
    struct change c = {.kind = CHANGE_DELETE,
                       .db = SL("d"),
                       .coll = SL("c"),
                       .has_id = true,
                       .wall_ms = CHANGE_NO_TIME,
                       .id = {.kind = BSON_BOOLEAN, .raw = SL("\1")}};
    form = (struct direct_form){0};
    CHECK_OK(mongo_filter_init(&filter, &lists, NULL));
    side_open(&s, &form);
    struct collection *coll = collections_get(&s.collections, c.db, c.coll);
    CHECK_OK(mongo_emit_change(&s.em, &s.batch, coll, &c, 1, &e));
    CHECK_INT(s.batch.count, 2);
    CHECK(!s.batch.records[0].text.value_null && s.batch.records[1].text.value_null);
    check_text(&s, 1, true, "{\"id\":\"true\"}");
    s.em.tombstones = false;
    CHECK_OK(mongo_emit_change(&s.em, &s.batch, coll, &c, 1, &e));
    CHECK_INT(s.batch.count, 3);
    s.em.skipped = SKIP_DELETE;
    CHECK_OK(mongo_emit_change(&s.em, &s.batch, coll, &c, 1, &e));
    CHECK_INT(s.batch.count, 3);
    s.em.skipped = 0;
    c.has_id = false;
    size_t text = s.batch.text.n;
    CHECK_ERR(mongo_emit_change(&s.em, &s.batch, coll, &c, 1, &e), E_INVALID);
    CHECK_INT(s.batch.count, 3);
    CHECK_INT(s.batch.text.n, text);
    side_close(&s);
    mongo_filter_release(&filter);
}

static const struct test_case tests[] = {
    {"text and values", test_pairs},
    {"an update on the wire", test_wire},
    {"tombstones, skipped operations, missing keys", test_counts},
    {NULL, NULL},
};
const struct test_suite test_mongo_emit = {"cdc/mongodb/emit", tests, NULL, NULL};
