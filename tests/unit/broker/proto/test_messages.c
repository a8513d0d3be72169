/* tests/unit/broker/proto/test_messages.c - the table of messages is consistent, its ranges are
 * those of Kafka 4.1 with old versions kept, and docs/protocol.md shows it.
 *
 * docs/protocol.md is made by this test: WEIR_WRITE_DOCS=1 make unit SUITE=broker/proto/messages */
#include "broker/proto/messages.h"

#include <stdlib.h>

#include "base/mem.h"
#include "helpers.h"

static void check_struct(const struct struct_desc *d, const struct msg_desc *msg)
{
    int last_tag = -1;
    CHECK(d->field_count > 0);
    for (int i = 0; i < d->field_count; i++) {
        const struct field_desc *f = &d->fields[i];
        CHECK(f->from >= 0 && f->from <= f->to && f->from <= msg->max);
        CHECK(f->at < d->size && f->aux < d->size);
        if (f->tag != FIELD_NEVER) {
            /* Tags are written in the order of the rows, and only flexible versions have them. */
            CHECK(f->tag > last_tag);
            CHECK(f->tag_from >= msg->flexible_from && f->tag_from == f->from);
            last_tag = f->tag;
        }
        if (f->null_from != FIELD_NEVER)
            CHECK(f->type >= FIELD_STR || f->shape == SHAPE_ARRAY);
        /* Nullable structs exist in flexible versions only. */
        if (f->type == FIELD_STRUCT && f->shape == SHAPE_ONE && f->null_from != FIELD_NEVER)
            CHECK(f->null_from >= msg->flexible_from);
        CHECK((f->sub != NULL) == (f->type == FIELD_STRUCT));
        if (f->sub)
            check_struct(f->sub, msg);
    }
}

static void test_table(void)
{
    const struct msg_api *api;
    int16_t before = -1;
    size_t n = 0;
    for (; (api = msg_api_at(n)) != NULL; n++) {
        CHECK(api->key > before);
        before = api->key;
        CHECK(msg_api(api->key) == api);
        CHECK(api->request == msg_find(api->key, MSG_REQUEST));
        CHECK(api->response == msg_find(api->key, MSG_RESPONSE));
        CHECK_INT(api->request->kind, MSG_REQUEST);
        CHECK_INT(api->response->kind, MSG_RESPONSE);
        CHECK_INT(api->request->api_key, api->key);
        CHECK_INT(api->response->api_key, api->key);
        CHECK_INT(api->request->max, api->response->max);
        CHECK_INT(api->request->flexible_from, api->response->flexible_from);
        /* share groups: version 0 was a trial that no client should use */
        bool share = api->key >= KAPI_SHARE_GROUP_HEARTBEAT && api->key <= KAPI_SHARE_ACKNOWLEDGE;
        CHECK(api->min > api->max ||
              (api->min == (share ? 1 : 0) && api->max <= api->request->max));
        check_struct(api->request->body, api->request);
        check_struct(api->response->body, api->response);
    }
    CHECK(n > 60);
    CHECK(msg_api(-1) == NULL && msg_api(4) == NULL && msg_api(INT16_MAX) == NULL);
    CHECK(msg_find(7, MSG_REQUEST) == NULL);
    CHECK_INT(KAPI_API_VERSIONS, 18);
    CHECK(msg_api_serves(msg_api(KAPI_PRODUCE), 13) && !msg_api_serves(msg_api(KAPI_PRODUCE), 14));
    CHECK(!msg_api_serves(msg_api(KAPI_PRODUCE), -1));
    for (int16_t v = -1; v < 10; v++)
        CHECK_INT(msg_api_serves(msg_api(KAPI_SHARE_FETCH), v), v == 1);
}

/* The table that Kafka's tool printed of a real broker: "\tProduce(0): 0 to 13 [usable: 13]," */
static void test_ranges_of_kafka(void)
{
    const char *path = test_shared("golden/cli/cluster.txt");
    if (!path) {
        test_skip("no golden transcripts beside this tree");
        return;
    }
    char *text = test_read_file(path, NULL);
    struct slice rest = slice_cstr(text), line;
    unsigned compared = 0;
    while (slice_split(&rest, '\n', &line)) {
        char name[64];
        int key, from, to;
        char *copy = slice_dup(line);
        int got = sscanf(copy, "\t%63[A-Za-z](%d): %d to %d [usable", name, &key, &from, &to);
        if (got == 3)
            to = from;
        bool row = got >= 3 && strstr(copy, "[usable");
        mem_free(copy);
        const struct msg_api *api = row ? msg_api((int16_t)key) : NULL;
        if (!api || api->min > api->max)
            continue;
        compared++;
        CHECK_STR(api->name, name);
        /* SPEC: broker 2.2: brokers alone use the later ones. */
        CHECK_INT(api->max, key == KAPI_ADD_PARTITIONS_TO_TXN ? 3 : to);
    }
    CHECK(compared >= 55);
    mem_free(text);
}

static void add_range(struct strbuf *b, int16_t min, int16_t max)
{
    if (min > max)
        strbuf_adds(b, "-");
    else if (min == max)
        strbuf_addf(b, "%d", min);
    else
        strbuf_addf(b, "%d-%d", min, max);
}

static void render(struct strbuf *b)
{
    strbuf_adds(b, "# Kafka protocol: calls and versions\n\n"
                   "Made from the rows of src/broker/proto/schema_*.def by a unit test "
                   "(tests/unit/broker/proto/test_messages.c says how); do not edit.\n\n"
                   "*Advertised* is what ApiVersions lists once the call has a handler. *Codec* is "
                   "what the codec reads and writes beyond that, for tools and tests. *Flexible* "
                   "is the first version with compact lengths and tagged fields.\n\n"
                   "| Key | Call | Advertised | Codec | Flexible |\n|--:|---|---|---|---|\n");
    const struct msg_api *api;
    for (size_t i = 0; (api = msg_api_at(i)) != NULL; i++) {
        strbuf_addf(b, "| %d | %s | ", api->key, api->name);
        add_range(b, api->min, api->max);
        strbuf_adds(b, " | ");
        add_range(b, api->request->min, api->request->max);
        if (api->request->flexible_from == INT16_MAX)
            strbuf_adds(b, " | never |\n");
        else
            strbuf_addf(b, " | %d |\n", api->request->flexible_from);
    }
}

static void test_document(void)
{
    static const char path[] = "docs/protocol.md";
    struct strbuf want = STRBUF_INIT;
    render(&want);
    if (getenv("WEIR_WRITE_DOCS")) {
        FILE *f = fopen(path, "w");
        CHECK(f && fwrite(want.p, 1, want.n, f) == want.n && fclose(f) == 0);
    }
    char *have = test_read_file(path, NULL);
    CHECK_STR(have, want.p);
    mem_free(have);
    strbuf_release(&want);
}

static const struct test_case tests[] = {{"table", test_table},
                                         {"ranges of Kafka", test_ranges_of_kafka},
                                         {"docs/protocol.md is fresh", test_document},
                                         {NULL, NULL}};
const struct test_suite test_messages = {"broker/proto/messages", tests, NULL, NULL};
