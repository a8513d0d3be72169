/* ExtractNewDocumentState: the recorded cases, then what they do not have. SPEC: cdc-mongodb 7.1 */
#include "base/mem.h"
#include "cdc/transforms/transforms.h"
#include "connect/converters/converters.h"
#include "document_vectors.h"
#include "helpers.h"
#include "mongo_world.h"

/* The topic does not change. */
static void apply(struct mongo_world *w, const char *id, const char *value, bool schemas,
                  const char *want)
{
    struct strbuf text = STRBUF_INIT;
    bool record = strstr(want, " | ") != NULL;
    strbuf_addf(&text, "%s%s%s", record ? w->topic : "", record ? " " : "", want);
    mongo_apply(w, id, value, schemas, text.p);
    strbuf_release(&text);
}

/* All events of one configuration go through one state, twice: schemas are found again. */
static void test_recorded(void)
{
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < ARRAY_LEN(document_vectors);) {
            const struct document_vector *first = &document_vectors[i];
            struct mongo_world w;
            mongo_start(&w, &smt_extract_new_document, first->config, first->topic);
            for (; i < ARRAY_LEN(document_vectors); i++) {
                const struct document_vector *v = &document_vectors[i];
                if (strcmp(v->topic, first->topic) != 0)
                    break;
                for (int again = 0; again <= round; again++)
                    apply(&w, v->key, v->value, strstr(v->want, "\"type\":\"struct\"") != NULL,
                          v->want);
            }
            mongo_stop(&w);
        }
}

static void once(const char *config, const char *id, const char *value, bool schemas,
                 const char *want)
{
    struct mongo_world w;
    mongo_start(&w, &smt_extract_new_document, config, "t");
    apply(&w, id, value, schemas, want);
    apply(&w, id, value, schemas, want);
    mongo_stop(&w);
}

#define UPDATE(fields, removed)                                                                    \
    VALUE("null",                                                                                  \
          "{\"removedFields\":" removed ",\"updatedFields\":\"" fields "\",\"truncatedArrays\":"   \
          "null}",                                                                                 \
          "u")

/* capture.mode=change_streams: what changed, _id last. */
static void test_partial(void)
{
    once("", "5", UPDATE("{\\\"a.b\\\": 1, \\\"c\\\": \\\"x\\\"}", "[\"d\"]"), false,
         "{\"id\":5} | {\"a.b\":1,\"c\":\"x\",\"_id\":5}");
    once("", "5", UPDATE("{\\\"a\\\": 1, \\\"d\\\": 2}", "[\"d\"]"), false,
         "{\"id\":5} | {\"a\":1,\"_id\":5}");
    once("flatten.struct=true\nflatten.struct.delimiter=-", "5",
         UPDATE("{\\\"a.b\\\": 1, \\\"c\\\": {\\\"e\\\": 2}}", "null"), false,
         "{\"id\":5} | {\"a-b\":1,\"c-e\":2,\"_id\":5}");
    once("delete.tombstone.handling.mode=rewrite", "5", UPDATE("{}", "null"), false,
         "{\"id\":5} | {\"_id\":5,\"__deleted\":false}");
}

#define INSERT(text) VALUE("\"" text "\"", "null", "c")

/* What an error adds to the original's words. */
#define WHERE(path) "\n\tin the field " path " of the record with the key 1 for the topic t\n\t"
#define MIXED                                                                                      \
    "io.debezium.DebeziumException: Array elements with different Bson types are not supported: "
#define DIFFER(field)                                                                              \
    "org.apache.kafka.connect.errors.DataException: Invalid value for field " field                \
    ": documents in an array differ in its type"
#define CURE "array.encoding=document takes arrays of any elements, as fields _0, _1 ..."
#define WIDEN "weir.array.widen=true gives all numbers of an array one type; "

static void test_arrays(void)
{
    static const char *const rows[][2] = {
        {"{\\\"a\\\": [null, \\\"x\\\", {\\\"$oid\\\": \\\"0123456789abcdef01234567\\\"}]}",
         "{\"id\":1} | {\"a\":[null,\"x\",\"0123456789abcdef01234567\"]}"},
        {"{\\\"a\\\": [null, 1]}", "io.debezium.DebeziumException: Array elements with different "
                                   "Bson types are not supported: "
                                   "[BsonNull, BsonInt32{value=1}]" WHERE("a.1") CURE},
        {"{\\\"a\\\": [1, {\\\"b\\\": 1}, [2]]}",
         "io.debezium.DebeziumException: Array elements "
         "with different Bson types are not supported: "
         "[BsonInt32{value=1}, {\"b\": 1}, [2]]" WHERE("a.1") CURE},
        {"{\\\"a\\\": [[1], [\\\"x\\\"]]}", "io.debezium.DebeziumException: Array elements with "
                                            "different Bson types are not supported: "
                                            "[BsonString{value='x'}]" WHERE("a.1.0") CURE},
        {"{\\\"a\\\": [[], [1]]}", "{\"id\":1} | {\"a\":[[],[1]]}"},
        {"{\\\"a\\\": [[], []]}", "{\"id\":1} | {\"a\":[[],[]]}"},
        {"{\\\"a\\\": [{}, {}]}", "{\"id\":1} | {\"a\":[{},{}]}"},
        {"{\\\"a\\\": [{\\\"b\\\": [1]}, {\\\"b\\\": []}]}",
         "{\"id\":1} | {\"a\":[{\"b\":[1]},{\"b\":[]}]}"},
        {"{\\\"a\\\": [{\\\"b\\\": []}, {\\\"b\\\": [1]}]}",
         "{\"id\":1} | {\"a\":[{\"b\":[]},{\"b\":[1]}]}"},
        {"{\\\"a\\\": [{\\\"b\\\": {\\\"c\\\": 1}}, {\\\"b\\\": {\\\"c\\\": 2, \\\"d\\\": 3}}]}",
         "{\"id\":1} | {\"a\":[{\"b\":{\"c\":1,\"d\":null}},{\"b\":{\"c\":2,\"d\":3}}]}"},
        {"{\\\"a\\\": [{\\\"b\\\": {\\\"c\\\": 1}}, {\\\"b\\\": {\\\"c\\\": \\\"x\\\"}}]}",
         "org.apache.kafka.connect.errors.DataException: Invalid value for field c: documents in "
         "an array "
         "differ in its type" WHERE("a.0.b.c") CURE},
        {"{\\\"a\\\": [{\\\"b\\\": {\\\"c\\\": [\\\"x\\\"]}}, {\\\"b\\\": {\\\"c\\\": [1]}}]}",
         "org.apache.kafka.connect.errors.DataException: Invalid value for an element: documents "
         "in an array differ in its type" WHERE("a.0.b.c.0") CURE},
        {"{\\\"a\\\": [{\\\"b\\\": {\\\"c\\\": [1]}}, {\\\"b\\\": {\\\"c\\\": [\\\"x\\\"]}}]}",
         "org.apache.kafka.connect.errors.DataException: Invalid value for an element: documents "
         "in an array differ in its type" WHERE("a.1.b.c.0") CURE},
        {"{\\\"a\\\": [{\\\"$minKey\\\": 1}, 1], \\\"b\\\": {\\\"$undefined\\\": true}, \\\"c\\\": "
         "2}",
         "{\"id\":1} | {\"a\":[1],\"c\":2}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char value[2048];
        snprintf(value, sizeof value, VALUE("\"%s\"", "null", "c"), rows[i][0]);
        once("", "1", value, false, rows[i][1]);
    }
    once(
        "array.encoding=document", "1",
        INSERT("{\\\"a\\\": [1, {\\\"b\\\": [true]}], \\\"e\\\": []}"), true,
        "{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":true,\"field\":\"id\"}],"
        "\"optional\":false} {\"id\":1} | {\"type\":\"struct\",\"fields\":[{\"type\":\"struct\","
        "\"fields\":[{\"type\":\"int32\",\"optional\":true,\"field\":\"_0\"},{\"type\":\"struct\","
        "\"fields\":[{\"type\":\"struct\",\"fields\":[{\"type\":\"boolean\",\"optional\":true,"
        "\"field\":\"_0\"}],\"optional\":true,\"name\":\"t.a._1.b\",\"field\":\"b\"}],\"optional\":"
        "true,\"name\":\"t.a._1\",\"field\":\"_1\"}],\"optional\":true,\"name\":\"t.a\",\"field\":"
        "\"a\"},{\"type\":\"struct\",\"fields\":[],\"optional\":true,\"name\":\"t.e\",\"field\":"
        "\"e\"}],\"optional\":false,\"name\":\"t\"} {\"a\":{\"_0\":1,\"_1\":{\"b\":{\"_0\":true}}},"
        "\"e\":{}}");
}

static void add_types(struct strbuf *out, const struct schema *s)
{
    static const char *const names[] = {[SCHEMA_INT32] = "int32 ",
                                        [SCHEMA_INT64] = "int64 ",
                                        [SCHEMA_FLOAT64] = "double ",
                                        [SCHEMA_STRUCT] = "struct ",
                                        [SCHEMA_ARRAY] = "array "};
    strbuf_adds(out, names[s->type]);
    if (s->type == SCHEMA_ARRAY)
        add_types(out, s->value);
    for (size_t i = 0; i < s->fields_count; i++) {
        strbuf_addf(out, PRI_SL " ", ARG_SL(s->fields[i].name));
        add_types(out, s->fields[i].schema);
    }
}

/* want: the types of the elements of the array a, and its value. */
static void shown(const char *config, const char *value, const char *want)
{
    struct mongo_world w;
    struct strbuf got = STRBUF_INIT;
    struct json_out_options o = {.null_to_default = false};
    struct error e = {0};
    mongo_start(&w, &smt_extract_new_document, config, "t");
    struct record *r = mongo_add(&w, "1", value);
    CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, &e));
    CHECK_STR(e.msg, "");
    if (r->value_schema) {
        add_types(&got, r->value_schema->fields[0].schema->value);
        CHECK_OK(
            json_out_value(&got, r->value_schema->fields[0].schema, r->value.u.v[0], &o, NULL));
    }
    CHECK_STR(got.p, want);
    strbuf_release(&got);
    mongo_stop(&w);
}

/* weir.array.widen, and what is told without it. */
static void test_widen(void)
{
    static const char *const rows[][3] = {
        /* after, without the option, with it */
        {"[1, {\\\"$numberLong\\\": \\\"5\\\"}]",
         MIXED "[BsonInt32{value=1}, BsonInt64{value=5}]" WHERE("a.1") WIDEN CURE, "int64 [1,5]"},
        {"[{\\\"$numberLong\\\": \\\"5\\\"}, 2.5, 1]",
         MIXED "[BsonInt64{value=5}, BsonDouble{value=2.5}, BsonInt32{value=1}]" WHERE("a.1")
             WIDEN CURE,
         "double [5.0,2.5,1.0]"},
        {"[2.5, 1]", MIXED "[BsonDouble{value=2.5}, BsonInt32{value=1}]" WHERE("a.1") WIDEN CURE,
         "double [2.5,1.0]"},
        {"[1, 2.5, 1, 2.5]",
         MIXED "[BsonInt32{value=1}, BsonDouble{value=2.5}, BsonInt32{value=1}, "
               "BsonDouble{value=2.5}]" WHERE("a.1") WIDEN CURE,
         "double [1.0,2.5,1.0,2.5]"},
        {"[[1], [], [2.5]]", MIXED "[BsonDouble{value=2.5}]" WHERE("a.2.0") WIDEN CURE,
         "array double [[1.0],[],[2.5]]"},
        {"[{\\\"p\\\": 1}, {\\\"p\\\": 2.5}, {\\\"p\\\": 3}]",
         MIXED "{p=[Schema{INT32}, Schema{FLOAT64}]}" WHERE("a.1.p") WIDEN CURE,
         "struct p double [{\"p\":1.0},{\"p\":2.5},{\"p\":3.0}]"},
        {"[{\\\"p\\\": [1]}, {\\\"p\\\": [2.5]}]",
         MIXED "{p=[Schema{ARRAY}, Schema{ARRAY}]}" WHERE("a.1.p") WIDEN CURE,
         "struct p array double [{\"p\":[1.0]},{\"p\":[2.5]}]"},
        {"[{\\\"p\\\": [[1]]}, {\\\"p\\\": [[2.5], [1]]}]",
         MIXED "[BsonInt32{value=1}]" WHERE("a.1.p.1.0") WIDEN CURE,
         "struct p array array double [{\"p\":[[1.0]]},{\"p\":[[2.5],[1.0]]}]"},
        {"[{\\\"p\\\": {\\\"q\\\": 2.5}}, {\\\"p\\\": {\\\"q\\\": 1, \\\"r\\\": 1}}]",
         DIFFER("q") WHERE("a.0.p.q") CURE,
         "struct p struct q double r int32 [{\"p\":{\"q\":2.5,\"r\":null}},"
         "{\"p\":{\"q\":1.0,\"r\":1}}]"},
        {"[{\\\"p\\\": 1}, {\\\"p\\\": \\\"x\\\"}]",
         MIXED "{p=[Schema{INT32}, Schema{STRING}]}" WHERE("a.1.p") CURE, NULL},
        {"[1, 2.5, \\\"x\\\"]",
         MIXED "[BsonInt32{value=1}, BsonDouble{value=2.5}, BsonString{value='x'}]" WHERE("a.1")
             CURE,
         MIXED "[BsonInt32{value=1}, BsonDouble{value=2.5}, BsonString{value='x'}]" WHERE("a.2")
             CURE},
        /* a decimal is a text, a null a text of no value */
        {"[1, {\\\"$numberDecimal\\\": \\\"1.5\\\"}]",
         MIXED "[BsonInt32{value=1}, BsonDecimal128{value=1.5}]" WHERE("a.1") CURE, NULL},
        {"[null, 1]", MIXED "[BsonNull, BsonInt32{value=1}]" WHERE("a.1") CURE, NULL},
        {"[{\\\"p\\\": {\\\"q\\\": 1}}, {\\\"p\\\": {\\\"r\\\": 2}}]",
         "org.apache.kafka.connect.errors.DataException: q is not a valid field name" WHERE(
             "a.0.p.q") CURE,
         NULL},
        {"[{\\\"$date\\\": 5}, {\\\"$numberLong\\\": \\\"5\\\"}]",
         MIXED "[BsonDateTime{value=5}, BsonInt64{value=5}]" WHERE("a.1") CURE, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char value[2048];
        snprintf(value, sizeof value, VALUE("\"{\\\"a\\\": %s}\"", "null", "c"), rows[i][0]);
        once("", "1", value, false, rows[i][1]);
        once("weir.array.widen=false", "1", value, false, rows[i][1]);
        if (!rows[i][2] || !strncmp(rows[i][2], "io.", 3))
            once("weir.array.widen=true", "1", value, false, rows[i][rows[i][2] ? 2 : 1]);
        else
            shown("weir.array.widen=true", value, rows[i][2]);
    }
    /* keys too: relaxed JSON makes small longs int32 */
    once("weir.array.widen=true", "{\"k\": [1, 3000000000]}", INSERT("{\\\"x\\\": 1}"), false,
         "{\"id\":{\"k\":[1,3000000000]}} | {\"x\":1}");
    once("array.encoding=document\nweir.array.widen=true", "1", INSERT("{\\\"a\\\": [1, 2.5]}"),
         false, "{\"id\":1} | {\"a\":{\"_0\":1,\"_1\":2.5}}");
}

/* In documents of documents of an array what is empty has the type that it has beside. */
static void test_empty_in_nested(void)
{
    static const char *const rows[][2] = {
        {"[{\\\"b\\\": {\\\"c\\\": [1]}}, {\\\"b\\\": {\\\"c\\\": []}}]",
         "struct b struct c array int32 [{\"b\":{\"c\":[1]}},{\"b\":{\"c\":[]}}]"},
        {"[{\\\"b\\\": {\\\"c\\\": [null]}}, {\\\"b\\\": {\\\"c\\\": [1]}}]",
         "struct b struct c array int32 [{\"b\":{\"c\":[null]}},{\"b\":{\"c\":[1]}}]"},
        {"[{\\\"b\\\": {\\\"c\\\": []}}, {\\\"b\\\": {\\\"c\\\": [1]}}]",
         "struct b struct c array int32 [{\"b\":{\"c\":[]}},{\"b\":{\"c\":[1]}}]"},
        {"[{\\\"b\\\": {\\\"c\\\": {\\\"d\\\": 1}}}, {\\\"b\\\": {\\\"c\\\": {}}}]",
         "struct b struct c struct d int32 "
         "[{\"b\":{\"c\":{\"d\":1}}},{\"b\":{\"c\":{\"d\":null}}}]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char value[2048];
        snprintf(value, sizeof value, VALUE("\"{\\\"a\\\": %s}\"", "null", "c"), rows[i][0]);
        shown("", value, rows[i][1]);
    }
}

/* Where the original's words are long they give way. */
static void test_long_refusal(void)
{
    struct mongo_world w;
    struct error e = {0};
    char value[8192], text[4001], path[301];
    memset(text, 'x', sizeof text - 1);
    memset(path, 'p', sizeof path - 1);
    text[sizeof text - 1] = path[sizeof path - 1] = 0;
    snprintf(value, sizeof value, VALUE("\"{\\\"%s\\\": [1, \\\"%s\\\"]}\"", "null", "c"), path,
             text);
    mongo_start(&w, &smt_extract_new_document, "", "t");
    struct record *r = mongo_add(&w, "1", value);
    CHECK(smt_extract_new_document.apply(w.state, &w.batch, r, &e) == E_INVALID);
    CHECK(!strncmp(e.msg, MIXED "[BsonInt32{value=1}, BsonString{value='xxx",
                   sizeof MIXED "[BsonInt32{value=1}, BsonString{value='xxx" - 1));
    CHECK(strstr(e.msg, "x\n\tin the field ppp") != NULL);
    CHECK(strstr(e.msg, "p... of the record with the key 1 for the topic t\n\t" CURE) != NULL);
    CHECK(strlen(e.msg) < sizeof e.msg - 100);
    mongo_stop(&w);
}

static void test_values(void)
{
    once(
        "", "1",
        INSERT("{\\\"r\\\": {\\\"$regex\\\": \\\"a\\\",\\\"$options\\\": \\\"i\\\"},\\\"c\\\": "
               "{\\\"$code\\\": \\\"x\\\",\\\"$scope\\\": {\\\"y\\\": 1}},\\\"d\\\": "
               "{\\\"$numberDecimal\\\": \\\"1E+3\\\"},\\\"n\\\": NaN,\\\"b\\\": {\\\"$binary\\\": "
               "\\\"AQ==\\\",\\\"$type\\\": \\\"00\\\"},\\\"s\\\": \\\"\\\\ud83d\\\\ude00\\\"}"),
        false,
        "{\"id\":1} | {\"r\":{\"regex\":\"a\",\"options\":\"i\"},\"c\":{\"code\":\"x\",\"scope\":"
        "{\"y\":1}},\"d\":\"1E+3\",\"n\":\"NaN\",\"b\":\"AQ==\",\"s\":\"\xf0\x9f\x98\x80\"}");
    /* two members of one name: the last one counts */
    once("", "1", INSERT("{\\\"a\\\": 1,\\\"a\\\": \\\"x\\\",\\\"b\\\": 2}"), false,
         "{\"id\":1} | {\"a\":\"x\",\"b\":2}");
    once(
        "field.name.adjustment.mode=avro", "1", INSERT("{\\\"1 a\\\": {\\\"b-c\\\": 1}}"), true,
        "{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":true,\"field\":\"id\"}],"
        "\"optional\":false} {\"id\":1} | {\"type\":\"struct\",\"fields\":[{\"type\":\"struct\","
        "\"fields\":[{\"type\":\"int32\",\"optional\":true,\"field\":\"b_c\"}],\"optional\":true,"
        "\"name\":\"t._1_a\",\"field\":\"_1_a\"}],\"optional\":false,\"name\":\"t\"} {\"_1_a\":"
        "{\"b_c\":1}}");
    once("flatten.struct=true", "1", INSERT("{\\\"a_b\\\": 1,\\\"a\\\": {\\\"b\\\": 2}}"), false,
         "org.apache.kafka.connect.errors.SchemaBuilderException: Cannot create field because of "
         "field "
         "name duplication a_b");
    once(
        "add.fields=updateDescription,nothing\nflatten.struct=true", "1", INSERT("{\\\"a\\\": 1}"),
        false,
        "{\"id\":1} | {\"a\":1,\"__updateDescription_removedFields\":null,"
        "\"__updateDescription_updatedFields\":null,\"__updateDescription_truncatedArrays\":null}");
    once("", "1", INSERT("{}"), false, "{\"id\":1} | null null");
    once("", "1", INSERT("{\\\"a\\\": }"), false,
         "org.bson.json.JsonParseException: line 1 column 7: a value is expected");
    once("", "{", INSERT("{}"), false,
         "org.bson.json.JsonParseException: line 1 column 11: expected , or }");
}

/* Two members that become one, and differ. */
static void test_names_become_one(void)
{
#define RENAME                                                                                     \
    "two members get one name: rename one of them in the collection, or, where "                   \
    "field.name.adjustment.mode makes them alike, set it to none; errors.tolerance=all leaves "    \
    "such documents out"
#define OTHER(name)                                                                                \
    "org.apache.kafka.connect.errors.DataException: Invalid value for field " name                 \
    ": another member has this name, and another type" WHERE(name) RENAME
    once("field.name.adjustment.mode=avro", "1",
         INSERT("{\\\"a-b\\\": {\\\"p\\\": 1}, \\\"a_b\\\": [1]}"), false, OTHER("a_b"));
    once("delete.tombstone.handling.mode=rewrite", "1",
         INSERT("{\\\"__deleted\\\": {\\\"p\\\": 1}}"), false, OTHER("__deleted"));
    once("flatten.struct=true", "5",
         UPDATE("{\\\"a.b\\\": {\\\"p\\\": 1}, \\\"a_b\\\": [1]}", "null"), false,
         "{\"id\":5} | {\"a_b_p\":1,\"_id\":5}");
}

/* Documents in an array, with a member that is an array here and a document there: also of the key. */
static void test_unlike(void)
{
    once("", "1",
         INSERT("{\\\"a\\\": [{\\\"b\\\": {\\\"x\\\": [1]}}, {\\\"b\\\": {\\\"x\\\": {\\\"p\\\": "
                "1}}}]}"),
         false, DIFFER("x") WHERE("a.0.b.x") CURE);
    once("flatten.struct=true", "1",
         INSERT("{\\\"a\\\": [{\\\"b\\\": {\\\"x\\\": [1]}}, {\\\"b\\\": {\\\"x\\\": {\\\"p\\\": "
                "1}}}]}"),
         false, DIFFER("x") WHERE("a.0.b.x") CURE);
    once("", "[{\"b\": {\"x\": [1]}}, {\"b\": {\"x\": {\"p\": 1}}}]", INSERT("{}"), false,
         DIFFER("x") "\n\tin the field id.0.b.x of the record with the key [{\"b\": {\"x\": [1]}}, "
                     "{\"b\": {\"x\": {\"p\": 1}}}] for the topic t\n\t" CURE);
}

/* The options of before 3.0. */
static void test_old_options(void)
{
    static const char deleted[] = VALUE("null", "null", "d");
    once("delete.handling.mode=none", "1", deleted, false, "{\"id\":1} | null null");
    once("delete.handling.mode=drop", "1", deleted, false, "dropped");
    once("drop.tombstones=false", "1", deleted, false, "dropped");
    once("drop.tombstones=false", "1", NULL, false, "{\"id\":1} | null null");
    once("drop.tombstones=true\ndelete.handling.mode=rewrite", "1", NULL, false, "dropped");
    once("delete.handling.mode=rewrite\ndelete.tombstone.handling.mode.rewrite-with-id=true\n"
         "add.source.fields=collection\noperation.header=true",
         "1", deleted, false,
         "{\"id\":1} | {\"__deleted\":true,\"_id\":1,\"__collection\":\"c\"} __op=\"d\"");
    once("sanitize.field.names=true", "1", INSERT("{\\\"a b\\\": 1}"), false,
         "{\"id\":1} | {\"a_b\":1}");
    once("add.headers=op,source.db\ndelete.tombstone.handling.mode=rewrite-with-tombstone", "1",
         NULL, false, "{\"id\":1} | null null __op=\"d\"");
}

/* Heartbeats, other connectors' records. */
static void test_pass(void)
{
    struct mongo_world w;
    mongo_start(&w, &smt_extract_new_document, "", "t");
    struct record *r = mongo_add(&w, "1", INSERT("{}")), before;
    r->key_schema = w.envelope; /* not named .Key */
    before = *r;
    CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
    CHECK(!memcmp(&before, r, sizeof before));
    r = mongo_add(&w, "1", INSERT("{}"));
    r->value_schema = w.key; /* not an envelope */
    before = *r;
    CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
    CHECK(!memcmp(&before, r, sizeof before));
    mongo_stop(&w);
}

#define ROW_EVENT                                                                                  \
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\","       \
    "\"optional\":true,\"field\":\"id\"}],\"optional\":true,\"field\":\"after\"}],\"optional\":"   \
    "false,\"name\":\"t.Envelope\"}"
#define ROW_KEY(name, field, type)                                                                 \
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"" type                                           \
    "\",\"optional\":false,\"field\":\"" field "\"}],\"optional\":false,\"name\":\"" name "\"}"

/* Rows are no documents: no event of a MySQL connector passes as it is. */
static void test_rows(void)
{
#define NO_UPDATE "java.lang.IllegalArgumentException: Unknown field: updateDescription"
#define NO_ID "java.lang.IllegalArgumentException: Unknown field: id"
    static const struct {
        const char *schema, *key, *want; /* NULL: it passes */
    } rows[] = {
        {ROW_KEY("t.Key", "id", "int32"), "{\"id\":1}", NO_UPDATE},
        {ROW_KEY("t.Key", "id", "string"), "{\"id\":\"1\"}", NO_UPDATE},
        {ROW_KEY("t.Key", "id", "string"), "{\"id\":\"no JSON\"}", NO_UPDATE},
        {ROW_KEY("t.Key", "nr", "int32"), "{\"nr\":1}", NO_ID},
        {ROW_KEY("t.Other", "id", "int32"), "{\"id\":1}", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct mongo_world w;
        struct error e = {0};
        const struct schema *key = NULL, *envelope = NULL;
        char want[400];
        mongo_start(&w, &smt_extract_new_document, "", "t");
        CHECK_OK(json_read_schema(slice_cstr(rows[i].schema), &key, NULL));
        CHECK_OK(json_read_schema(slice_cstr(ROW_EVENT), &envelope, NULL));
        struct record *r = record_batch_add(&w.batch);
        *r = (struct record){.topic = SL("t"), .key_schema = key, .value_schema = envelope};
        CHECK_OK(json_read_value(slice_cstr(rows[i].key), key, &w.batch.arena, false, &r->key, NULL,
                                 NULL));
        CHECK_OK(json_read_value(SL("{\"after\":{\"id\":1}}"), envelope, &w.batch.arena, false,
                                 &r->value, NULL, NULL));
        enum err err = smt_extract_new_document.apply(w.state, &w.batch, r, &e);
        CHECK_INT(err, rows[i].want ? E_INVALID : E_OK);
        snprintf(want, sizeof want,
                 "%s\n\tthe event for the topic t is not from a MongoDB connector: "
                 "io.debezium.transforms.ExtractNewRecordState is the transform for it",
                 rows[i].want ? rows[i].want : "");
        CHECK_STR(e.msg, rows[i].want ? want : "");
        mongo_stop(&w);
        schema_unref(key);
        schema_unref(envelope);
    }
}

/* One schema a shape, also when others came between; a shape that lost its place is made again. */
static void test_schemas_are_kept(void)
{
    struct mongo_world w;
    const struct schema *seen = NULL;
    mongo_start(&w, &smt_extract_new_document, "add.fields=op", "t");
    for (int i = 0; i < 2000; i++) {
        char value[1024];
        record_batch_reset(&w.batch);
        snprintf(value, sizeof value, VALUE("\"{\\\"a%d\\\": %d}\"", "null", "c"), i % 2 ? i : 0,
                 i);
        struct record *r = mongo_add(&w, "1", value);
        CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
        if (i % 2 || i > 100)
            continue;
        if (!seen)
            seen = schema_ref(r->value_schema);
    }
    record_batch_reset(&w.batch);
    struct record *r = mongo_add(&w, "1", INSERT("{\\\"a0\\\": 1}"));
    CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
    CHECK(schema_eq(r->value_schema, seen));
    const struct schema *now = schema_ref(r->value_schema);
    r = mongo_add(&w, "1", INSERT("{\\\"a0\\\": 2}"));
    CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
    CHECK(r->value_schema == now);
    schema_unref(now);
    schema_unref(seen);
    mongo_stop(&w);
}

/* Schemas are there; what a record costs besides may fail. */
static void test_memory(void)
{
    const struct document_vector *v = &document_vectors[0];
    struct mongo_world w;
    mongo_start(&w, &smt_extract_new_document, "flatten.struct=true\nadd.fields=op\nadd.headers=op",
                v->topic);
    for (int64_t n = 0;; n++) {
        record_batch_reset(&w.batch);
        struct record *r = mongo_add(&w, v->key, v->value);
        mem_fail_at(n);
        enum err err = smt_extract_new_document.apply(w.state, &w.batch, r, NULL);
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        CHECK(n && hit ? err != E_OK : err == E_OK);
        if (n && !hit)
            break;
    }
    mongo_stop(&w);
}

static const struct test_case tests[] = {
    {"recorded", test_recorded},
    {"partial", test_partial},
    {"arrays", test_arrays},
    {"widen", test_widen},
    {"empty in nested", test_empty_in_nested},
    {"long refusal", test_long_refusal},
    {"values", test_values},
    {"names become one", test_names_become_one},
    {"unlike", test_unlike},
    {"old options", test_old_options},
    {"pass", test_pass},
    {"rows", test_rows},
    {"schemas are kept", test_schemas_are_kept},
    {"memory", test_memory},
    {NULL, NULL},
};
const struct test_suite test_extract_new_document = {"cdc/transforms/extract_new_document", tests};
