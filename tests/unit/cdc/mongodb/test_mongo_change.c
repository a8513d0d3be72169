/* Events of a change stream, whole and in pieces. SPEC: cdc-mongodb 5.3, 5.7, 5.8 */
#include "cdc/mongodb/change.h"

#include "cdc/bson/bson_json.h"
#include "helpers.h"

static void add_id(struct bson_build *b, const char *data)
{
    bson_build_begin(b, SL("_id"), BSON_DOCUMENT);
    bson_build_text(b, SL("_data"), slice_cstr(data));
    bson_build_end(b);
}

static void test_members(void)
{
    struct bson_build b;
    struct change c;
    bson_build_init(&b);
    add_id(&b, "82AA");
    bson_build_text(&b, SL("operationType"), SL("rename"));
    bson_build_timestamp(&b, SL("clusterTime"), 12, 3);
    bson_build_begin(&b, SL("ns"), BSON_DOCUMENT);
    bson_build_text(&b, SL("db"), SL("d"));
    bson_build_text(&b, SL("coll"), SL("a.b"));
    bson_build_end(&b);
    bson_build_long(&b, SL("txnNumber"), 5); /* without lsid: a write that was retried */
    CHECK_OK(change_read(bson_build_finish(&b), &c, NULL));
    CHECK_INT(c.kind, CHANGE_RENAME);
    CHECK(!change_is_data(&c));
    CHECK_SLICE(c.coll, SL("a.b"));
    CHECK_INT(c.seconds, 12);
    CHECK_INT(c.increment, 3);
    CHECK(c.wall_ms == CHANGE_NO_TIME && !c.in_transaction && !c.has_id);
    bson_build_release(&b);
}

static void test_missing(void)
{
    struct bson_build b;
    struct change c;
    struct error e = {0};
    bson_build_init(&b);
    bson_build_text(&b, SL("operationType"), SL("insert"));
    CHECK_ERR(change_read(bson_build_finish(&b), &c, &e), E_INVALID);
    CHECK(strstr(e.msg, "the resume token is missing") != NULL);
    bson_build_reset(&b);
    add_id(&b, "82AA");
    CHECK_ERR(change_read(bson_build_finish(&b), &c, &e), E_INVALID);
    CHECK(strstr(e.msg, "operationType") != NULL);
    for (int have = 0; have < 3; have++) { /* whose document it is has to be told whole */
        bson_build_reset(&b);
        add_id(&b, "82AA");
        bson_build_text(&b, SL("operationType"), SL("insert"));
        if (have == 1) {
            bson_build_begin(&b, SL("ns"), BSON_DOCUMENT);
            bson_build_text(&b, SL("db"), SL("d"));
            bson_build_end(&b);
        } else if (have == 2) {
            bson_build_text(&b, SL("ns"), SL("d.c"));
        }
        CHECK_ERR(change_read(bson_build_finish(&b), &c, &e), E_INVALID);
        CHECK(strstr(e.msg, "ns.coll") != NULL);
    }
    bson_build_reset(&b);
    add_id(&b, "82AA");
    bson_build_text(&b, SL("operationType"), SL("invalidate"));
    CHECK_OK(change_read(bson_build_finish(&b), &c, &e));
    bson_build_release(&b);
}

/* --- pieces ----------------------------------------------------------------------------------- */

static struct slice piece(struct bson_build *b, int32_t i, int32_t of, const char *member,
                          const char *text)
{
    char data[16];
    bson_build_reset(b);
    snprintf(data, sizeof data, "82A%d", i);
    add_id(b, data);
    bson_build_begin(b, SL("splitEvent"), BSON_DOCUMENT);
    bson_build_int(b, SL("fragment"), i);
    bson_build_int(b, SL("of"), of);
    bson_build_end(b);
    bson_build_text(b, slice_cstr(member), slice_cstr(text));
    return bson_build_finish(b);
}

static enum err feed(struct change_merge *m, int32_t i, int32_t of, const char *member,
                     const char *text, struct slice *out, struct error *e)
{
    struct bson_build b;
    struct change c;
    bson_build_init(&b);
    struct slice event = piece(&b, i, of, member, text);
    CHECK_OK(change_read(event, &c, NULL));
    CHECK_INT(c.fragment, i);
    enum err rc = change_merge_add(m, event, &c, out, e);
    bson_build_release(&b);
    return rc;
}

static void test_merge(void)
{
    static const struct bson_json_form form = {BSON_JSON_RELAXED, BSON_JSON_COMPACT};
    struct change_merge m;
    struct slice out;
    struct strbuf text = STRBUF_INIT;
    change_merge_init(&m);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(feed(&m, 1, 3, "operationType", "update", &out, NULL));
        CHECK(!out.p);
        CHECK_OK(feed(&m, 2, 3, "fullDocumentBeforeChange", "b", &out, NULL));
        CHECK(!out.p);
        CHECK_OK(feed(&m, 3, 3, "operationType", "of the last piece", &out, NULL));
        CHECK_OK(bson_check(out, NULL));
        strbuf_reset(&text);
        bson_json_print(out, form, &text);
        CHECK_STR(text.p, "{\"operationType\": \"update\",\"fullDocumentBeforeChange\": \"b\","
                          "\"_id\": {\"_data\": \"82A3\"}}");
    }
    strbuf_release(&text);
    change_merge_release(&m);
}

static void test_missing_piece(void)
{
    struct change_merge m;
    struct slice out;
    struct error e = {0};
    change_merge_init(&m);
    CHECK_ERR(feed(&m, 2, 3, "a", "b", &out, &e), E_INVALID); /* begins inside a group */
    CHECK(strstr(e.msg, "Missing event fragment") != NULL);
    CHECK_OK(feed(&m, 1, 3, "a", "b", &out, &e));
    CHECK_ERR(feed(&m, 3, 3, "a", "b", &out, &e), E_INVALID);
    CHECK_OK(feed(&m, 1, 3, "a", "b", &out, &e));
    CHECK_ERR(feed(&m, 2, 4, "a", "b", &out, &e), E_INVALID);
    CHECK_OK(feed(&m, 1, 2, "a", "b", &out, &e)); /* a group that was left is begun anew */
    CHECK_OK(feed(&m, 1, 2, "a", "b", &out, &e));
    CHECK_OK(feed(&m, 2, 2, "a", "b", &out, &e));
    CHECK(out.p != NULL);
    change_merge_release(&m);
}

static const struct test_case tests[] = {
    {"members", test_members},
    {"what a pipeline took out", test_missing},
    {"pieces become one event", test_merge},
    {"missing pieces", test_missing_piece},
    {NULL, NULL},
};
const struct test_suite test_mongo_change = {"cdc/mongodb/change", tests, NULL, NULL};
