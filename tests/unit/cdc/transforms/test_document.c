/* document_convert: a schema that comes of one document, or of one member, and values of others.
 * What does not fit is refused, at its path; what fits is of its field's type. SPEC: cdc-mongodb 7.1 */
#include "cdc/transforms/document.h"

#include "cdc/bson/bson_build.h"
#include "cdc/bson/bson_parse.h"
#include "connect/json_out.h"
#include "helpers.h"

#define DIFFER(what)                                                                               \
    "org.apache.kafka.connect.errors.DataException: Invalid value for " what                       \
    ": documents in an array differ in its type"
#define TWICE(name)                                                                                \
    "org.apache.kafka.connect.errors.DataException: Invalid value for field " name                 \
    ": another member has this name, and another type"
#define NO_FIELD(name)                                                                             \
    "org.apache.kafka.connect.errors.DataException: " name " is not a valid field name"

struct row {
    unsigned how;
    enum name_adjustment adjust;
    const char *doc, *want; /* a value, or the error's path, a space and its message */
};

static void add_result(struct documents *d, struct record_batch *b, struct slice doc,
                       struct strbuf *out)
{
    struct json_out_options o = {.null_to_default = false};
    struct document_shape *shape;
    struct error e = {0};
    struct value v;
    if (document_convert(d, b, SL("t"), doc, NULL, 0, &shape, &v, &e))
        strbuf_addf(out, PRI_SL " %s", ARG_SL(documents_fault(d).path), e.msg);
    else
        CHECK_OK(json_out_value(out, shape->schema, v, &o, NULL));
}

static void check(struct documents *d, struct slice doc, const char *want)
{
    struct record_batch b;
    for (int i = 0; i < 2; i++) { /* the second time the schema is a kept one */
        struct strbuf got = STRBUF_INIT;
        record_batch_init(&b, 0);
        add_result(d, &b, doc, &got);
        CHECK_STR(got.p, want);
        strbuf_release(&got);
        record_batch_release(&b);
    }
}

static void run(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct documents *d = documents_new(rows[i].how, rows[i].adjust);
        struct record_batch b;
        struct slice doc;
        record_batch_init(&b, 0);
        CHECK_OK(bson_parse(slice_cstr(rows[i].doc), BSON_DOCUMENT, &b.arena, &doc, NULL));
        check(d, doc, rows[i].want);
        record_batch_release(&b);
        documents_free(d);
    }
}

#define CODE(scope) "{\"$code\": \"f\", \"$scope\": " scope "}"
#define REGEX "{\"$regex\": \"r\", \"$options\": \"i\"}"

/* Documents in documents of an array have the last one's form. */
static void test_nested(void)
{
    static const struct row rows[] = {
        {0, 0, "{\"a\": [{\"b\": {\"x\": [1]}}, {\"b\": {\"x\": {\"p\": 1}}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0, "{\"a\": [{\"b\": {\"x\": {\"p\": 1}}}, {\"b\": {\"x\": [1]}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0, "{\"a\": [{\"b\": {\"x\": []}}, {\"b\": {\"x\": {}}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0, "{\"a\": [{\"b\": {\"x\": " CODE("{}") "}}, {\"b\": {\"x\": {\"p\": 1}}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0,
         "{\"a\": [{\"b\": {\"x\": " CODE("{\"q\": 1}") "}}, {\"b\": {\"x\": {\"code\": 1, "
                                                        "\"scope\": {}}}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0,
         "{\"a\": [{\"b\": {\"x\": " CODE("{\"q\": 1}") "}}, {\"b\": {\"x\": {\"code\": \"f\", "
                                                        "\"scope\": []}}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0, "{\"a\": [{\"b\": {\"x\": " CODE("{}") "}}, {\"b\": {\"x\": {}}}]}",
         "{\"a\":[{\"b\":{\"x\":{\"code\":\"f\",\"scope\":{}}}},{\"b\":{\"x\":{\"code\":null,"
         "\"scope\":null}}}]}"},
        {0, 0,
         "{\"a\": [{\"b\": {\"x\": " CODE("{\"q\": 1}") "}}, {\"b\": {\"x\": " CODE(
             "{\"q\": []}") "}}]}",
         "a.0.b.x.q " DIFFER("field q")},
        {0, 0, "{\"a\": [{\"b\": {\"x\": " REGEX "}}, {\"b\": {\"x\": {\"p\": 1}}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0, "{\"a\": [{\"b\": {\"x\": " REGEX "}}, {\"b\": {\"x\": " CODE("{}") "}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0, "{\"a\": [{\"b\": {\"x\": " CODE("{}") "}}, {\"b\": {\"x\": " REGEX "}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0, "{\"a\": [{\"b\": {\"x\": {\"p\": 1}}}, {\"b\": {\"x\": " REGEX "}}]}",
         "a.0.b.x " DIFFER("field x")},
        {0, 0, "{\"a\": [{\"b\": [[1]]}, {\"b\": [[{\"p\": 1}]]}]}",
         "a.1.b io.debezium.DebeziumException: Array elements with different Bson types are not "
         "supported: {b=[Schema{ARRAY}, Schema{ARRAY}]}"},
        {0, 0, "{\"a\": [{\"b\": {\"x\": [[1]]}}, {\"b\": {\"x\": [{\"p\": 1}]}}]}",
         "a.0.b.x.0 " DIFFER("an element")},
        {0, 0, "{\"a\": [{\"b\": {\"x\": [" REGEX "]}}, {\"b\": {\"x\": [{\"p\": 1}]}}]}",
         "a.0.b.x.0 " DIFFER("an element")},
        {DOCUMENTS_WIDEN, 0, "{\"a\": [{\"b\": {\"x\": [1]}}, {\"b\": {\"x\": {\"p\": 1}}}]}",
         "a.0.b.x " DIFFER("field x")},
        {DOCUMENTS_AS_STRUCTS, 0, "{\"a\": [{\"b\": {\"x\": [1]}}, {\"b\": {\"x\": {\"p\": 1}}}]}",
         "{\"a\":{\"_0\":{\"b\":{\"x\":{\"_0\":1}}},\"_1\":{\"b\":{\"x\":{\"p\":1}}}}}"},
    };
    run(rows, ARRAY_LEN(rows));
}

/* Names that become one by field.name.adjustment.mode: the first one's type counts. */
static void test_names_become_one(void)
{
    static const struct row rows[] = {
        {0, NAME_AVRO, "{\"a-b\": {\"p\": 1}, \"a_b\": [1]}", "a_b " TWICE("a_b")},
        {0, NAME_AVRO, "{\"a-b\": [1], \"a_b\": {\"p\": 1}}", "a_b " TWICE("a_b")},
        {0, NAME_AVRO, "{\"a-b\": {\"p\": 1}, \"a_b\": " CODE("{}") "}", "a_b " TWICE("a_b")},
        {0, NAME_AVRO, "{\"a-b\": {}, \"a_b\": " REGEX "}", "a_b " TWICE("a_b")},
        {0, NAME_AVRO, "{\"a-b\": 1, \"a_b\": \"x\"}", "a_b " TWICE("a_b")},
        {0, NAME_AVRO, "{\"a-b\": 1, \"a_b\": 2}", "{\"a_b\":2}"},
        {0, NAME_AVRO, "{\"a-b\": {\"p\": 1}, \"a_b\": {\"q\": 1}}", "a_b.q " NO_FIELD("q")},
        {0, NAME_AVRO, "{\"c\": [{\"a-b\": {\"x\": [1]}, \"a_b\": {\"x\": {\"p\": 1}}}]}",
         "c.0.a-b.x " DIFFER("field x")},
        {DOCUMENTS_AS_STRUCTS, NAME_AVRO, "{\"a-b\": [1], \"a_b\": [1, 2, 3]}",
         "a_b.1 " NO_FIELD("_1")},
        {DOCUMENTS_AS_STRUCTS, NAME_AVRO, "{\"a-b\": [1, 2, 3], \"a_b\": [4]}",
         "{\"a_b\":{\"_0\":4,\"_1\":null,\"_2\":null}}"},
        {DOCUMENTS_AS_STRUCTS, NAME_AVRO, "{\"a-b\": [1, \"x\"], \"a_b\": [\"x\", 1]}",
         "a_b.0 " TWICE("_0")},
        {DOCUMENTS_AS_STRUCTS, NAME_AVRO, "{\"a-b\": [1, 2], \"a_b\": [{\"$minKey\": 1}, 3]}",
         "{\"a_b\":{\"_0\":null,\"_1\":3}}"},
        {DOCUMENTS_AS_STRUCTS, NAME_AVRO, "{\"a-b\": [{\"$minKey\": 1}, 3], \"a_b\": [1, 2]}",
         "a_b.0 " NO_FIELD("_0")},
        {DOCUMENTS_AS_STRUCTS, NAME_AVRO, "{\"a-b\": {}, \"a_b\": [1]}", "a_b.0 " NO_FIELD("_0")},
        {DOCUMENTS_AS_STRUCTS, NAME_AVRO, "{\"a-b\": " REGEX ", \"a_b\": [\"x\"]}",
         "a_b " TWICE("a_b")},
        {DOCUMENTS_AS_STRUCTS, NAME_AVRO, "{\"a-b\": [\"x\", \"y\"], \"a_b\": " REGEX "}",
         "a_b " TWICE("a_b")},
        {DOCUMENTS_AS_STRUCTS, NAME_AVRO, "{\"a-b\": [\"x\"], \"a_b\": " CODE("{\"p\": 1}") "}",
         "a_b " TWICE("a_b")},
    };
    run(rows, ARRAY_LEN(rows));
}

/* As updatedFields with flatten.struct make it. A second member of another type is left out. */
static void test_a_name_that_comes_twice(void)
{
    static const char *const rows[][2] = {
        {"{\"x\": {\"p\": 1}, \"y\": [1]}", "{\"x\":{\"p\":1}}"},
        {"{\"x\": [1], \"y\": {\"p\": 1}}", "{\"x\":[1]}"},
        {"{\"x\": {\"p\": 1}, \"y\": " CODE("{}") "}", "{\"x\":{\"p\":1}}"},
        {"{\"x\": {}, \"y\": " REGEX "}", "{\"x\":{}}"},
        {"{\"x\": 1, \"y\": 2}", "{\"x\":2}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct documents *d = documents_new(0, NAME_AS_IS);
        struct record_batch b;
        struct bson_build build;
        struct bson_walk w;
        struct bson_item item;
        struct slice doc;
        record_batch_init(&b, 0);
        bson_build_init(&build);
        CHECK_OK(bson_parse(slice_cstr(rows[i][0]), BSON_DOCUMENT, &b.arena, &doc, NULL));
        bson_build_reset(&build);
        bson_walk_init(&w, doc);
        while (bson_walk_next(&w, &item))
            bson_build_item(&build, SL("x"), &item);
        check(d, bson_build_finish(&build), rows[i][1]);
        bson_build_release(&build);
        record_batch_release(&b);
        documents_free(d);
    }
}

/* Names that look as the marks of a shape: each document has its own schema, whatever came before. */
static void test_shapes_that_look_alike(void)
{
    static const struct row rows[] = {
        {0, 0, "{\"a\": {}, \"}x\": 1, \"}y\": 2}", "{\"a\":{},\"}x\":1,\"}y\":2}"},
        {0, 0, "{\"a\": {\"}}x\": 1}, \"y\": 2}", "{\"a\":{\"}}x\":1},\"y\":2}"},
        {DOCUMENTS_AS_STRUCTS, 0, "{\"a\": [{}, \"t\"], \"s\": 1, \"}i]z\": 1}",
         "{\"a\":{\"_0\":{},\"_1\":\"t\"},\"s\":1,\"}i]z\":1}"},
        {DOCUMENTS_AS_STRUCTS, 0, "{\"a\": [{\"}s]s\": 1}, 5], \"z\": 1}",
         "{\"a\":{\"_0\":{\"}s]s\":1},\"_1\":5},\"z\":1}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i += 2) {
        struct documents *d = documents_new(rows[i].how, NAME_AS_IS);
        struct record_batch b;
        struct slice doc;
        record_batch_init(&b, 0);
        for (size_t k = 0; k < 4; k++) {
            const struct row *row = &rows[i + k % 2];
            CHECK_OK(bson_parse(slice_cstr(row->doc), BSON_DOCUMENT, &b.arena, &doc, NULL));
            check(d, doc, row->want);
        }
        record_batch_release(&b);
        documents_free(d);
    }
}

/* A member and one that ExtractNewDocumentState adds. */
static void test_extra(void)
{
    struct documents *d = documents_new(0, NAME_AS_IS);
    const struct bson_item extra = {BSON_BOOLEAN, SL("__deleted"), slice_of("\1", 1)};
    struct document_shape *shape;
    struct record_batch b;
    struct slice doc;
    struct value v;
    struct error e = {0};
    record_batch_init(&b, 0);
    CHECK_OK(bson_parse(SL("{\"__deleted\": {\"p\": 1}}"), BSON_DOCUMENT, &b.arena, &doc, NULL));
    CHECK(document_convert(d, &b, SL("t"), doc, &extra, 1, &shape, &v, &e) == E_INVALID);
    CHECK_STR(e.msg, TWICE("__deleted"));
    CHECK(documents_fault(d).names);
    record_batch_release(&b);
    documents_free(d);
}

static const struct test_case tests[] = {
    {"nested", test_nested},
    {"names become one", test_names_become_one},
    {"a name that comes twice", test_a_name_that_comes_twice},
    {"shapes that look alike", test_shapes_that_look_alike},
    {"extra", test_extra},
    {NULL, NULL},
};
const struct test_suite test_document = {"cdc/transforms/document", tests};
