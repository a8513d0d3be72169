/* field.exclude.list and field.renames. The first two tests are the documents and texts of the golden case
 * mongodb/field-filters. SPEC: cdc-mongodb 2.3 */
#include "cdc/mongodb/fields.h"

#include "base/mem.h"
#include "cdc/bson/bson_json.h"
#include "cdc/bson/bson_parse.h"
#include "helpers.h"

static struct arena arena;
static struct field_rules *rules;

static void use(const char *exclude, const char *renames)
{
    const char *option;
    struct error e = {0};
    field_rules_free(rules);
    CHECK_OK(field_rules_new(&rules, slice_cstr(exclude), slice_cstr(renames), &option, &e));
    CHECK_STR(e.msg, "");
}

static void drop_rules(void)
{
    field_rules_free(rules);
    rules = NULL;
    arena_release(&arena);
}

static enum err apply(const char *coll, const char *text, bool dotted, struct strbuf *out,
                      struct error *e)
{
    struct slice doc, made;
    struct bson_build b;
    struct bson_json_form form = {dotted ? BSON_JSON_RELAXED : BSON_JSON_STRICT,
                                  dotted ? BSON_JSON_SPACED : BSON_JSON_COMPACT};
    bson_build_init(&b);
    CHECK_OK(bson_parse(slice_cstr(text), BSON_DOCUMENT, &arena, &doc, NULL));
    enum err err = field_filter_apply(field_rules_for(rules, SL("db"), slice_cstr(coll)), doc,
                                      dotted, &b, &made, e);
    strbuf_reset(out);
    if (!err) {
        CHECK_OK(bson_check(made, NULL));
        bson_json_print(made, form, out);
    }
    bson_build_release(&b);
    return err;
}

static void check(const char *coll, const char *text, bool dotted, const char *want)
{
    struct strbuf out = STRBUF_INIT;
    struct error e = {0};
    CHECK_OK(apply(coll, text, dotted, &out, &e));
    CHECK_STR(e.msg, "");
    CHECK_STR(out.p, want);
    strbuf_release(&out);
}

static void check_path(const char *coll, const char *path, const char *want)
{
    struct strbuf out = STRBUF_INIT;
    bool stays = field_filter_path(field_rules_for(rules, SL("db"), slice_cstr(coll)),
                                   slice_cstr(path), &out);
    CHECK(stays == (want != NULL));
    if (want)
        CHECK_STR(out.p, want);
    strbuf_release(&out);
}

static void use_golden(void)
{
    arena_init(&arena, 0, 1 << 20);
    use("db.people.phone,db.people.addr.zip,*.*.items.cost,db.people.none",
        "db.people.name:full_name,db.people.addr.city:town,db.people.big:large");
}

#define PERSON                                                                                     \
    "{_id: 1, name: 'n1', phone: '010', addr: {zip: '04524', city: 'Seoul', geo: {lat: 1}}, "      \
    "items: [{sku: 'a', cost: 1}, {sku: 'b', cost: 2}], big: [0, 1]}"

static void test_documents(void)
{
    use_golden();
    check("people", PERSON, false,
          "{\"_id\": 1,\"addr\": {\"geo\": {\"lat\": 1},\"town\": \"Seoul\"},\"items\": [{\"sku\": "
          "\"a\"},"
          "{\"sku\": \"b\"}],\"full_name\": \"n1\",\"large\": [0,1]}");
    check("other", PERSON, false,
          "{\"_id\": 1,\"name\": \"n1\",\"phone\": \"010\",\"addr\": {\"zip\": \"04524\",\"city\": "
          "\"Seoul\",\"geo\": {\"lat\": 1}},\"items\": [{\"sku\": \"a\"},{\"sku\": "
          "\"b\"}],\"big\": [0,1]}");
    check("people", "{_id: 1, name: 'whole', phone: 'x', addr: {zip: '3'}, items: [{cost: 1}]}",
          false, "{\"_id\": 1,\"addr\": {},\"items\": [{}],\"full_name\": \"whole\"}");
    check("people", "{_id: 3, phone: 'only'}", false, "{\"_id\": 3}");
    drop_rules();
}

static void test_updates(void)
{
    use_golden();
    check("people", "{phone: '011'}", true, "{}");
    check("people", "{'addr.city': 'Busan', 'addr.zip': '1', name: 'new', phone: '012'}", true,
          "{\"full_name\": \"new\", \"addr.town\": \"Busan\"}");
    check("people", "{addr: {zip: '2', city: 'Daegu'}, 'items.0.cost': 9, 'items.1.sku': 'B'}",
          true, "{\"addr\": {\"town\": \"Daegu\"}, \"items.1.sku\": \"B\"}");
    check("other", "{phone: '011', 'items.0.cost': 7}", true, "{\"phone\": \"011\"}");
    check("other", "{'items.2': {sku: 'c', cost: 3}, items: [{cost: 1}]}", true,
          "{\"items.2\": {\"sku\": \"c\"}, \"items\": [{}]}");
    check_path("people", "phone", NULL);
    check_path("people", "name", "full_name");
    check_path("people", "addr.city", "addr.town");
    check_path("people", "addr.zip", NULL);
    check_path("people", "big", "large");
    check_path("people", "big.3", "large.3");
    check_path("people", "items.4.cost", NULL);
    check_path("people", "items.4.sku", "items.4.sku");
    check_path("people", "addr", "addr");
    check_path("people", "phone.home", NULL); /* a part of what is excluded */
    check_path("people", "phones", "phones");
    drop_rules();
}

static void test_more(void)
{
    arena_init(&arena, 0, 1 << 20);
    use("*.c*._id, db.arr.a.b.c", "db.arr.x:y ,db.arr.y.z:w,db.arr.p.q:r");
    check("coll", "{_id: 1, a: 2}", false, "{\"a\": 2}");
    check("COLL", "{_id: 1, a: 2}", false, "{\"a\": 2}");
    check("o", "{_id: 1}", false, "{\"_id\": 1}");
    /* arrays: the documents right in them, not those of arrays in arrays */
    check("arr", "{a: {b: [{c: 1, d: 2}, 3, [{c: 4}]]}}", false,
          "{\"a\": {\"b\": [{\"d\": 2},3,[{\"c\": 4}]]}}");
    check("arr", "{a: [{b: {c: 1}}, {b: [{c: 2}]}]}", false,
          "{\"a\": [{\"b\": {}},{\"b\": [{}]}]}");
    check("arr", "{'a.0.b.c': 1, 'a.0.b.0.c': 2, 'a.0.0.b.c': 3, 'a.0.b': {c: 4, d: 5}}", true,
          "{\"a.0.0.b.c\": 3, \"a.0.b\": {\"d\": 5}}");
    /* a name that is taken */
    struct strbuf out = STRBUF_INIT;
    struct error e = {0};
    CHECK_ERR(apply("arr", "{x: 1, y: 2}", false, &out, &e), E_INVALID);
    CHECK_STR(e.msg, "Document already contains field : y");
    CHECK_ERR(apply("arr", "{'p.q': 1, 'p.r': 2}", true, &out, &e), E_INVALID);
    CHECK_STR(e.msg, "Document already contains field : p.r");
    CHECK_ERR(apply("arr", "{p: {q: 1, r: 2}}", false, &out, &e), E_INVALID);
    CHECK_STR(e.msg, "Document already contains field : r");
    strbuf_release(&out);
    /* the same collection again, and what has no rules at all */
    CHECK(field_rules_for(rules, SL("db"), SL("arr")) ==
          field_rules_for(rules, SL("db"), SL("arr")));
    CHECK(field_rules_for(rules, SL("db"), SL("none")) == NULL);
    CHECK(field_rules_for(NULL, SL("db"), SL("none")) == NULL);
    use("", "  ");
    CHECK(rules == NULL);
    drop_rules();
}

static void check_mistake(const char *exclude, const char *renames, const char *option,
                          const char *text)
{
    struct field_rules *made;
    const char *at = NULL;
    struct error e = {0};
    CHECK_ERR(field_rules_new(&made, slice_cstr(exclude), slice_cstr(renames), &at, &e), E_INVALID);
    CHECK_STR(at, option);
    CHECK_STR(e.msg, text);
    CHECK(made == NULL);
}

static void test_mistakes(void)
{
    check_mistake("db.coll", NULL, "field.exclude.list",
                  "db.coll has invalid format (expecting "
                  "<databaseName>.<collectionName>.<fieldName>.<nestedFieldName>)");
    check_mistake("db.c.a, db..a", NULL, "field.exclude.list",
                  "db..a has invalid format (expecting "
                  "<databaseName>.<collectionName>.<fieldName>.<nestedFieldName>)");
    static const char *const renames[] = {"db.c.a", "db.c.a:", "db.c:x", "db.c.a:b:c"};
    char want[200];
    for (size_t i = 0; i < ARRAY_LEN(renames); i++) {
        snprintf(want, sizeof want,
                 "%s has invalid format (expecting "
                 "<databaseName>.<collectionName>.<fieldName>.<nestedFieldName>:"
                 "<newNestedFieldName>)",
                 renames[i]);
        check_mistake("db.c.a", renames[i], "field.renames", want);
    }
}

static void test_memory(void)
{
    struct slice doc, made;
    use_golden();
    CHECK_OK(bson_parse(SL(PERSON), BSON_DOCUMENT, &arena, &doc, NULL));
    const struct field_filter *f = field_rules_for(rules, SL("db"), SL("people"));
    for (int64_t n = 1;; n++) {
        struct bson_build b;
        bson_build_init(&b);
        bson_build_release(&b);
        mem_fail_at(n);
        enum err err = field_filter_apply(f, doc, n % 2, &b, &made, NULL);
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK_ERR(err, hit ? E_NOMEM : E_OK);
        bson_build_release(&b);
        if (!hit)
            break;
    }
    drop_rules();
}

static const struct test_case tests[] = {
    {"documents", test_documents}, {"updates", test_updates}, {"more", test_more},
    {"mistakes", test_mistakes},   {"memory", test_memory},   {NULL, NULL},
};
const struct test_suite test_mongodb_fields = {"cdc/mongodb/fields", tests};
