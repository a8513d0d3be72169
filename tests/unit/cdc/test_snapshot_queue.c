/* Blocking snapshots that wait: what offsets say of them. SPEC: cdc-mongodb 4.3 */
#include "cdc/snapshot_queue.h"

#include "base/json.h"
#include "helpers.h"

static void add(struct snapshot_queue *q, const char *id)
{
    struct signal s = {.id = slice_cstr(id),
                       .type = SL("execute-snapshot"),
                       .data = SL("{\"data-collections\":[\"d.t\"],\"type\":\"blocking\"}")};
    snapshot_queue_add(q, &s);
}

/* The ids in the offset, one behind the other. */
static void check_offset(const struct snapshot_queue *q, const char *want)
{
    struct strbuf text = STRBUF_INIT, ids = STRBUF_INIT;
    json_t *root = NULL;
    struct snapshot_queue copy;
    strbuf_adds(&text, "{\"sec\":1");
    snapshot_queue_print(q, &text);
    strbuf_addc(&text, '}');
    CHECK_OK(json_load_slice(strbuf_slice(&text), &root, NULL));
    snapshot_queue_init(&copy);
    snapshot_queue_restore(&copy, root);
    for (; copy.count; snapshot_queue_done(&copy)) {
        CHECK_OK(snapshot_queue_first(&copy, NULL));
        strbuf_add_slice(&ids, copy.request.id);
    }
    CHECK_STR(ids.p ? ids.p : "", want);
    snapshot_queue_release(&copy);
    json_decref(root);
    strbuf_release(&text);
    strbuf_release(&ids);
}

/* The one that ends is not in the offset of its last batch; it is still here until that offset is
 * made. */
static void test_ending(void)
{
    struct snapshot_queue q;
    snapshot_queue_init(&q);
    snapshot_queue_ending(&q, true);
    check_offset(&q, "");
    add(&q, "a");
    check_offset(&q, "a");
    add(&q, "b");
    check_offset(&q, "ab");
    snapshot_queue_ending(&q, true);
    check_offset(&q, "b");
    CHECK_INT(q.count, 2);
    snapshot_queue_ending(&q, false); /* there was no memory for that offset */
    check_offset(&q, "ab");
    snapshot_queue_ending(&q, true);
    add(&q, "c");
    check_offset(&q, "bc");
    snapshot_queue_done(&q);
    CHECK_INT(q.count, 2);
    check_offset(&q, "bc");
    snapshot_queue_ending(&q, true);
    snapshot_queue_done(&q);
    snapshot_queue_ending(&q, true);
    check_offset(&q, "");
    snapshot_queue_done(&q);
    CHECK_INT(q.count, 0);
    CHECK(!q.ending);
    snapshot_queue_release(&q);
}

static const struct test_case tests[] = {
    {"the one that ends", test_ending},
    {NULL, NULL},
};
const struct test_suite test_snapshot_queue = {"cdc/snapshot_queue", tests, NULL, NULL};
