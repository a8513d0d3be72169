/* tests/unit/broker/group/test_group_store.c - members of a stable group through bytes and back, and bytes
 * that are no members. */
#include "broker/group/group_store.h"

#include "base/base.h"
#include "base/mem.h"
#include "helpers.h"

static const struct group_rules rules = {
    .min_session_timeout_ms = 6000, .max_session_timeout_ms = 1800000, .max_size = 10};
static struct arena arena;

static int setup(void)
{
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    return 0;
}

static int teardown(void)
{
    arena_release(&arena);
    return 0;
}

static void ignore(struct group_call *call)
{
    (void)call;
}

static struct join_group_response *join(struct group *g, const char *instance, int version,
                                        int64_t now)
{
    struct group_call *call = arena_calloc(&arena, 1, sizeof *call);
    struct join_group_request *in = arena_calloc(&arena, 1, sizeof *in);
    struct join_group_response *out = arena_calloc(&arena, 1, sizeof *out);
    join_group_request_init(in);
    join_group_response_init(out);
    in->session_timeout_ms = 10000;
    in->rebalance_timeout_ms = 60000;
    in->member_id = SL("");
    in->group_instance_id = slice_cstr(instance);
    in->protocol_type = SL("consumer");
    in->protocols_count = 1;
    in->protocols = join_group_request_protocol_array(&arena, 1);
    in->protocols[0].name = SL("range");
    in->protocols[0].metadata = SL("m\0data");
    *call = (struct group_call){.version = (int16_t)version,
                                .client_id = SL("client"),
                                .client_host = SL("/127.0.0.1"),
                                .arena = &arena,
                                .in = in,
                                .out = out,
                                .done = ignore};
    group_join(g, call, now);
    return out;
}

static void sync(struct group *g, struct slice member, int64_t now)
{
    struct group_call *call = arena_calloc(&arena, 1, sizeof *call);
    struct sync_group_request *in = arena_calloc(&arena, 1, sizeof *in);
    struct sync_group_response *out = arena_calloc(&arena, 1, sizeof *out);
    sync_group_request_init(in);
    sync_group_response_init(out);
    in->member_id = member;
    in->generation_id = g->generation;
    in->assignments_count = 1;
    in->assignments = sync_group_request_assignment_array(&arena, 1);
    in->assignments[0].member_id = member;
    in->assignments[0].assignment = SL("mine");
    *call =
        (struct group_call){.version = 5, .arena = &arena, .in = in, .out = out, .done = ignore};
    group_sync(g, call, now);
}

static int16_t beat(struct group *g, const char *member, int generation, int64_t now)
{
    struct heartbeat_request in;
    heartbeat_request_init(&in);
    in.member_id = slice_cstr(member);
    in.generation_id = generation;
    return group_heartbeat(g, &in, now);
}

/* Two members, one of them static, the group stable in generation 2. Returns the leader's id. */
static const char *stable_two(struct group *g)
{
    struct join_group_response *a = join(g, NULL, 3, 0);
    struct join_group_response *b = join(g, "static", 5, 0);
    (void)b;
    const char *id = arena_printf(&arena, PRI_SL, ARG_SL(a->member_id));
    struct group_call *again = arena_calloc(&arena, 1, sizeof *again);
    struct join_group_request *in = arena_calloc(&arena, 1, sizeof *in);
    struct join_group_response *out = arena_calloc(&arena, 1, sizeof *out);
    join_group_request_init(in);
    join_group_response_init(out);
    in->session_timeout_ms = 10000;
    in->rebalance_timeout_ms = 60000;
    in->member_id = slice_cstr(id);
    in->protocol_type = SL("consumer");
    in->protocols_count = 1;
    in->protocols = join_group_request_protocol_array(&arena, 1);
    in->protocols[0].name = SL("range");
    in->protocols[0].metadata = SL("m\0data");
    *again = (struct group_call){.version = 5,
                                 .client_id = SL("client"),
                                 .client_host = SL("/127.0.0.1"),
                                 .arena = &arena,
                                 .in = in,
                                 .out = out,
                                 .done = ignore};
    group_join(g, again, 0);
    sync(g, slice_cstr(id), 0);
    CHECK_INT(g->state, GROUP_STABLE);
    CHECK_INT(g->members.count, 2);
    return id;
}

static void drop(struct group *g)
{
    group_drop_calls(g, KERR_COORDINATOR_NOT_AVAILABLE);
    group_free(g);
}

static void test_round_trip(void)
{
    struct group *g = group_new(SL("g"), &rules), *h = group_new(SL("g"), &rules);
    struct strbuf b = STRBUF_INIT;
    const char *leader = stable_two(g);
    group_store_encode(g, &b);
    h->generation = g->generation + 3; /* others had begun when the broker went down */
    CHECK_OK(group_store_decode(h, strbuf_slice(&b), 5000));
    CHECK_INT(h->state, GROUP_STABLE);
    CHECK_INT(h->generation, g->generation);
    CHECK_INT(h->members.count, 2);
    CHECK_SLICE(h->protocol, SL("range"));
    const struct group_member *m = group_member_find(h, slice_cstr(leader));
    CHECK(m && m == h->leader && !m->instance_id);
    CHECK_SLICE(m->assignment, SL("mine"));
    CHECK_SLICE(group_member_metadata(m, SL("range")), SL("m\0data"));
    CHECK_STR(m->client_id, "client");
    CHECK_STR(m->client_host, "/127.0.0.1");
    CHECK_INT(m->session_timeout_ms, 10000);
    CHECK_INT(m->rebalance_timeout_ms, 60000);
    CHECK_INT(group_deadline(h), 15000); /* the sessions run from now on */
    CHECK_INT(beat(h, leader, h->generation, 6000), KERR_NONE);
    /* A generation is not given out twice. */
    CHECK_INT(group_leave(h, slice_cstr(leader), SLICE_NULL, 6000), KERR_NONE);
    group_tick(h, 1000000);
    CHECK_INT(h->state, GROUP_EMPTY);
    CHECK_INT(h->generation, g->generation + 4);
    strbuf_release(&b);
    drop(g);
    drop(h);
}

static void test_bytes_that_are_no_members(void)
{
    struct group *g = group_new(SL("g"), &rules), *h = group_new(SL("g"), &rules);
    struct strbuf b = STRBUF_INIT;
    (void)stable_two(g);
    group_store_encode(g, &b);
    for (size_t n = 0; n < b.n; n++) {
        CHECK(group_store_decode(h, slice_of(b.p, n), 0) != E_OK);
        CHECK_INT(h->members.count, 0);
        CHECK_INT(h->state, GROUP_EMPTY);
    }
    for (size_t i = 0; i < b.n; i++) { /* lengths and counts gone wild: no crash, all or nothing */
        char kept = b.p[i];
        b.p[i] = (char)(kept ^ 0x7f);
        enum err r = group_store_decode(h, strbuf_slice(&b), 0);
        CHECK(r == E_OK ? h->state == GROUP_STABLE : h->members.count == 0);
        b.p[i] = kept;
        drop(h);
        h = group_new(SL("g"), &rules);
    }
    b.p[0] = 2;
    CHECK_INT(group_store_decode(h, strbuf_slice(&b), 0), E_UNSUPPORTED);
    strbuf_release(&b);
    drop(g);
    drop(h);
}

/* Members inside the process do not outlive it. */
static void test_members_inside(void)
{
    struct group *g = group_new(SL("g"), &rules), *h = group_new(SL("g"), &rules);
    struct strbuf b = STRBUF_INIT;
    const char *leader = stable_two(g);
    group_member_find(g, slice_cstr(leader))->inside = true;
    group_store_encode(g, &b);
    CHECK_OK(group_store_decode(h, strbuf_slice(&b), 0));
    CHECK_INT(h->members.count, 1);
    CHECK(!h->leader);
    CHECK_STR(list_entry(list_first(&h->members), struct group_member, link)->instance_id,
              "static");
    strbuf_reset(&b);
    list_each (&g->members, k) {
        list_entry(k, struct group_member, link)->inside = true;
    }
    group_store_encode(g, &b);
    CHECK_INT(b.n, 0);
    strbuf_release(&b);
    drop(g);
    drop(h);
}

static const struct test_case tests[] = {
    {"members inside", test_members_inside},
    {"round trip", test_round_trip},
    {"bytes that are no members", test_bytes_that_are_no_members},
    {NULL, NULL},
};
const struct test_suite test_group_store = {"broker/group/group_store", tests, setup, teardown};
