/* ExtractNewDocumentState: the recorded cases, then what they do not have. SPEC: cdc-mongodb 7.1 */
#include "base/mem.h"
#include "cdc/transforms/transforms.h"
#include "connect/converters/converters.h"
#include "document_vectors.h"
#include "helpers.h"

#define JSON_FIELD(name)                                                                           \
    "{\"type\":\"string\",\"optional\":true,\"name\":\"io.debezium.data.Json\",\"version\":1,"     \
    "\"field\":\"" name "\"}"
#define FIELD(name, type, optional)                                                                \
    "{\"type\":\"" type "\",\"optional\":" optional ",\"field\":\"" name "\"}"
/* %s: the topic */
#define ENVELOPE                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
    "{\"type\":\"struct\",\"fields\":[" JSON_FIELD("before") "," JSON_FIELD(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
        "after") ",{\"type\":\"struct\",\"fields\":[{\"type\":\"array\",\"items\":{\"type\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           \
                 "\"string\",\"optional\":false},\"optional\":true,\"field\":\"removedFields\"}"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
                 "," JSON_FIELD(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
                     "updatedFields") ",{\"type\":\"array\",\"items\":{\"type\":\"struct\","                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
                                      "\"fields\":[" FIELD(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             \
                                          "field",                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      \
                                          "string", "false") "," FIELD("size", "int32",                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 \
                                                                       "false") "],\"optional\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       \
                                                                                "false,\"name\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       \
                                                                                "\"truncatedarray"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      \
                                                                                "\"},"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  \
                                                                                "\"optional\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         \
                                                                                "true,\"field\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                       \
                                                                                "\"truncatedArray"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      \
                                                                                "s\"}],"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                \
                                                                                "\"optional\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                         \
                                                                                "true,\"name\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
                                                                                "\"updatedescript"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      \
                                                                                "ion\","                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                \
                                                                                "\"version\":1,"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                        \
                                                                                "\"field\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            \
                                                                                "\"updateDescript"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      \
                                                                                "ion\"},{"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              \
                                                                                "\"type\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                             \
                                                                                "\"struct\","                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           \
                                                                                "\"fields\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           \
                                                                                "[" FIELD(                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              \
                                                                                    "version", "string", "false") "," FIELD("connector", "string", "false") "," FIELD("name", "string", "false") "," FIELD("ts_ms", "int64", "false") ",{\"type\":"                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                     \
                                                                                                                                                                                                                                      "\"string\",\"optional\":true,\"default\":\"false\",\"field\":\"snapshot\"}," FIELD("db", "string", "false") "," FIELD("sequence",                                                                                                                                                                                                                                                                                                                                                                                                                                                                \
                                                                                                                                                                                                                                                                                                                                                             "string", "true") "," FIELD("ts_us",                                                                                                                                                                                                                                                                                                                                                                                                                                       \
                                                                                                                                                                                                                                                                                                                                                                                         "int64",                                                                                                                                                                                                                                                                                                                                                                                                                                       \
                                                                                                                                                                                                                                                                                                                                                                                         "true") "," FIELD("ts_ns", "int64", "true") "," FIELD("collection",                                                                                                                                                                                                                                                                                                                                                                            \
                                                                                                                                                                                                                                                                                                                                                                                                                                               "string", "false") "," FIELD("ord", "int32", "false") "," FIELD("lsid",                                                                                                                                                                                                                                                                                                                  \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               "string", "true") "," FIELD("txnNumber", "int64", "true") "," FIELD("wallTime",                                                                                                                                                                                                                                          \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   "int64",                                                                                                                                                                                                                                             \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                   "true") "],\"optional\":false,\"name\":"                                                                                                                                                                                                             \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                           "\"io.debezium.connector.mongo.Source\",\"version\":1,\"field\":\"source\"}," FIELD("op", "string", "true") "," FIELD("ts_ms",                                                                                                               \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 "int64", "true") ",{\"type\":\"struct\","                                                                              \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "\"fields\":[" FIELD(                                                                                 \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "id",                                                                                             \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "string",                                                                                         \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "false") "],\"optional\":true,\"name\":"                                                          \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               "\"event.block\",\"version\":1,\"field\":\"transaction\"}],\"optional\":false,\"name\":" \
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                               "\"%s.Envelope\"}"
#define KEY                                                                                        \
    "{\"type\":\"struct\",\"fields\":[" FIELD("id", "string", "false") "],\"optional\":false,"     \
                                                                       "\"name\":\"%s.Key\"}"
#define VALUE(after, update, op)                                                                   \
    "{\"before\":null,\"after\":" after ",\"updateDescription\":" update ",\"source\":{"           \
    "\"version\":\"3\",\"connector\":\"mongodb\",\"name\":\"n\",\"ts_ms\":7,\"snapshot\":null,"    \
    "\"db\":\"d\",\"sequence\":null,\"ts_us\":7,\"ts_ns\":7,\"collection\":\"c\",\"ord\":1,"       \
    "\"lsid\":null,\"txnNumber\":null,\"wallTime\":7},\"op\":\"" op "\",\"ts_ms\":7,"              \
    "\"transaction\":null}"

static void read_config(const char *text, struct strmap *config)
{
    struct slice rest = slice_cstr(text), line;
    strmap_init(config);
    while (rest.p && slice_split(&rest, '\n', &line)) {
        ptrdiff_t eq = slice_find_char(line, '=');
        if (eq > 0)
            strmap_set(config, slice_sub(line, 0, (size_t)eq),
                       slice_sub(line, (size_t)eq + 1, line.n));
    }
}

static void show(struct strbuf *out, const struct schema *s, struct value v, bool with_schema)
{
    struct json_out_options o = {.null_to_default = false};
    if (with_schema && s) {
        json_out_schema(out, s, false);
        strbuf_addc(out, ' ');
    } else if (v.kind == VALUE_NULL && !s) {
        strbuf_adds(out, "null ");
    }
    if (v.kind == VALUE_NULL)
        strbuf_adds(out, "null");
    else
        CHECK_OK(json_out_value(out, s, v, &o, NULL));
}

struct world {
    void *state;
    struct record_batch batch;
    const struct schema *key, *envelope;
    char *topic;
};

static void start(struct world *w, const char *config, const char *topic)
{
    struct strmap options;
    struct error e = {0};
    char text[4096];
    read_config(config, &options);
    CHECK_OK(smt_extract_new_document.configure(&w->state, &options, "", &e));
    CHECK_STR(e.msg, "");
    strmap_release(&options);
    record_batch_init(&w->batch, 0);
    snprintf(text, sizeof text, KEY, topic);
    CHECK_OK(json_read_schema(slice_cstr(text), &w->key, NULL));
    snprintf(text, sizeof text, ENVELOPE, topic);
    CHECK_OK(json_read_schema(slice_cstr(text), &w->envelope, NULL));
    w->topic = xstrdup(topic);
}

static void stop(struct world *w)
{
    smt_extract_new_document.release(w->state);
    record_batch_release(&w->batch);
    schema_unref(w->key);
    schema_unref(w->envelope);
    mem_free(w->topic);
}

static struct record *add(struct world *w, const char *id, const char *value)
{
    struct record *r = record_batch_add(&w->batch);
    struct value *key = arena_alloc(&w->batch.arena, sizeof *key);
    *key = value_string(slice_cstr(id));
    r->topic = slice_cstr(w->topic);
    r->key_schema = w->key;
    r->key = (struct value){.kind = VALUE_STRUCT, .n = 1, .u.v = key};
    if (value) {
        r->value_schema = w->envelope;
        CHECK_OK(json_read_value(slice_cstr(value), w->envelope, &w->batch.arena, false, &r->value,
                                 NULL, NULL));
    }
    return r;
}

static void apply(struct world *w, const char *id, const char *value, bool schemas,
                  const char *want)
{
    struct strbuf got = STRBUF_INIT;
    struct error e = {0};
    record_batch_reset(&w->batch);
    struct record *r = add(w, id, value);
    if (smt_extract_new_document.apply(w->state, &w->batch, r, &e)) {
        strbuf_adds(&got, e.msg);
    } else if (r->dropped) {
        strbuf_adds(&got, "dropped");
    } else {
        show(&got, r->key_schema, r->key, schemas);
        strbuf_adds(&got, " | ");
        show(&got, r->value_schema, r->value, schemas);
        for (size_t i = 0; i < r->headers.count; i++) {
            strbuf_addf(&got, " " PRI_SL "=", ARG_SL(r->headers.items[i].name));
            show(&got, r->headers.items[i].schema, r->headers.items[i].value, false);
        }
    }
    CHECK_STR(got.p, want);
    strbuf_release(&got);
}

/* All events of one configuration go through one state, twice: schemas are found again. */
static void test_recorded(void)
{
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < ARRAY_LEN(document_vectors);) {
            const struct document_vector *first = &document_vectors[i];
            struct world w;
            start(&w, first->config, first->topic);
            for (; i < ARRAY_LEN(document_vectors); i++) {
                const struct document_vector *v = &document_vectors[i];
                if (strcmp(v->topic, first->topic) != 0)
                    break;
                for (int again = 0; again <= round; again++)
                    apply(&w, v->key, v->value, strstr(v->want, "\"type\":\"struct\"") != NULL,
                          v->want);
            }
            stop(&w);
        }
}

static void once(const char *config, const char *id, const char *value, bool schemas,
                 const char *want)
{
    struct world w;
    start(&w, config, "t");
    apply(&w, id, value, schemas, want);
    apply(&w, id, value, schemas, want);
    stop(&w);
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

static void test_arrays(void)
{
    static const char *const rows[][2] = {
        {"{\\\"a\\\": [null, \\\"x\\\", {\\\"$oid\\\": \\\"0123456789abcdef01234567\\\"}]}",
         "{\"id\":1} | {\"a\":[null,\"x\",\"0123456789abcdef01234567\"]}"},
        {"{\\\"a\\\": [null, 1]}", "io.debezium.DebeziumException: Array elements with different "
                                   "Bson types are not supported: "
                                   "[BsonNull, BsonInt32{value=1}]"},
        {"{\\\"a\\\": [1, {\\\"b\\\": 1}, [2]]}", "io.debezium.DebeziumException: Array elements "
                                                  "with different Bson types are not supported: "
                                                  "[BsonInt32{value=1}, {\"b\": 1}, [2]]"},
        {"{\\\"a\\\": [[1], [\\\"x\\\"]]}", "io.debezium.DebeziumException: Array elements with "
                                            "different Bson types are not supported: "
                                            "[BsonString{value='x'}]"},
        {"{\\\"a\\\": [[], [1]]}", "{\"id\":1} | {\"a\":[[],[1]]}"},
        {"{\\\"a\\\": [[], []]}", "{\"id\":1} | {\"a\":[[],[]]}"},
        {"{\\\"a\\\": [{}, {}]}", "{\"id\":1} | {\"a\":[{},{}]}"},
        {"{\\\"a\\\": [{\\\"b\\\": [1]}, {\\\"b\\\": []}]}",
         "{\"id\":1} | {\"a\":[{\"b\":[1]},{\"b\":[]}]}"},
        {"{\\\"a\\\": [{\\\"b\\\": []}, {\\\"b\\\": [1]}]}",
         "{\"id\":1} | {\"a\":[{\"b\":[]},{\"b\":[1]}]}"},
        {"{\\\"a\\\": [{\\\"b\\\": {\\\"c\\\": 1}}, {\\\"b\\\": {\\\"c\\\": 2, \\\"d\\\": 3}}]}",
         "{\"id\":1} | {\"a\":[{\"b\":{\"c\":1,\"d\":null}},{\"b\":{\"c\":2,\"d\":3}}]}"},
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
    /* two members of one name: the first one's type, and never a value of another in it */
    once("", "1", INSERT("{\\\"a\\\": 1,\\\"a\\\": \\\"x\\\",\\\"b\\\": 2}"), false,
         "{\"id\":1} | {\"a\":1,\"b\":2}");
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
    struct world w;
    start(&w, "", "t");
    struct record *r = add(&w, "1", INSERT("{}")), before;
    r->key_schema = w.envelope; /* not named .Key */
    before = *r;
    CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
    CHECK(!memcmp(&before, r, sizeof before));
    r = add(&w, "1", INSERT("{}"));
    r->value_schema = w.key; /* not an envelope */
    before = *r;
    CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
    CHECK(!memcmp(&before, r, sizeof before));
    stop(&w);
}

/* One schema a shape, also when others came between; a shape that lost its place is made again. */
static void test_schemas_are_kept(void)
{
    struct world w;
    const struct schema *seen = NULL;
    start(&w, "add.fields=op", "t");
    for (int i = 0; i < 2000; i++) {
        char value[1024];
        record_batch_reset(&w.batch);
        snprintf(value, sizeof value, VALUE("\"{\\\"a%d\\\": %d}\"", "null", "c"), i % 2 ? i : 0,
                 i);
        struct record *r = add(&w, "1", value);
        CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
        if (i % 2 || i > 100)
            continue;
        if (!seen)
            seen = schema_ref(r->value_schema);
    }
    record_batch_reset(&w.batch);
    struct record *r = add(&w, "1", INSERT("{\\\"a0\\\": 1}"));
    CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
    CHECK(schema_eq(r->value_schema, seen));
    const struct schema *now = schema_ref(r->value_schema);
    r = add(&w, "1", INSERT("{\\\"a0\\\": 2}"));
    CHECK_OK(smt_extract_new_document.apply(w.state, &w.batch, r, NULL));
    CHECK(r->value_schema == now);
    schema_unref(now);
    schema_unref(seen);
    stop(&w);
}

static void test_memory(void)
{
    const struct document_vector *v = &document_vectors[0];
    for (int64_t n = 1;; n++) {
        struct world w;
        start(&w, "flatten.struct=true\nadd.fields=op\nadd.headers=op", v->topic);
        struct record *r = add(&w, v->key, v->value);
        mem_fail_at(n);
        enum err err = smt_extract_new_document.apply(w.state, &w.batch, r, NULL);
        bool hit = mem_fail_hit();
        mem_fail_at(0);
        if (!hit)
            CHECK_OK(err);
        stop(&w);
        if (!hit)
            break;
    }
}

static const struct test_case tests[] = {
    {"recorded", test_recorded},
    {"partial", test_partial},
    {"arrays", test_arrays},
    {"values", test_values},
    {"old options", test_old_options},
    {"pass", test_pass},
    {"schemas are kept", test_schemas_are_kept},
    {"memory", test_memory},
    {NULL, NULL},
};
const struct test_suite test_extract_new_document = {"cdc/transforms/extract_new_document", tests};
