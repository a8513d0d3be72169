/* tests/unit/broker/group/test_group.c - the classic group state machine, without sockets, threads or
 * time of its own: calls go in with a clock reading, answers are caught. SPEC: broker 8.1. */
#include "broker/group/group.h"

#include "base/base.h"
#include "base/mem.h"
#include "helpers.h"

static struct group_rules rules;
static struct arena arena;

struct caught {
    struct group_call call;
    int answers;
};

static void caught(struct group_call *call)
{
    ((struct caught *)call->arg)->answers++;
}

static int setup(void)
{
    rules = (struct group_rules){.initial_rebalance_delay_ms = 0,
                                 .min_session_timeout_ms = 6000,
                                 .max_session_timeout_ms = 1800000,
                                 .max_size = 3};
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    return 0;
}

static int teardown(void)
{
    arena_release(&arena);
    return 0;
}

struct join_args {
    const char *member, *instance;
    int version;
    const char *metadata; /* of protocol "range" */
    const char *second;   /* another protocol, or NULL */
};

static struct caught *join(struct group *g, struct join_args args, int64_t now)
{
    struct caught *c = arena_calloc(&arena, 1, sizeof *c);
    struct join_group_request *in = arena_calloc(&arena, 1, sizeof *in);
    struct join_group_response *out = arena_calloc(&arena, 1, sizeof *out);
    join_group_request_init(in);
    join_group_response_init(out);
    in->group_id = SL("g");
    in->session_timeout_ms = 10000;
    in->rebalance_timeout_ms = 60000;
    in->member_id = args.member ? slice_cstr(args.member) : SL("");
    in->group_instance_id = slice_cstr(args.instance);
    in->protocol_type = SL("consumer");
    in->protocols_count = args.second ? 2 : 1;
    in->protocols = join_group_request_protocol_array(&arena, 2);
    in->protocols[0].name = SL("range");
    in->protocols[0].metadata = slice_cstr(args.metadata ? args.metadata : "m");
    in->protocols[1].name = slice_cstr(args.second);
    in->protocols[1].metadata = SL("x");
    c->call = (struct group_call){.version = (int16_t)(args.version ? args.version : 9),
                                  .client_id = SL("client"),
                                  .client_host = SL("/127.0.0.1"),
                                  .arena = &arena,
                                  .in = in,
                                  .out = out,
                                  .done = caught,
                                  .arg = c};
    group_join(g, &c->call, now);
    return c;
}
#define JOIN(g, now, ...) join((g), (struct join_args){__VA_ARGS__}, (now))

static struct join_group_response *joined(struct caught *c)
{
    return c->call.out;
}

static struct caught *sync(struct group *g, const char *member, int generation,
                           const char *for_member, const char *assignment, int64_t now)
{
    struct caught *c = arena_calloc(&arena, 1, sizeof *c);
    struct sync_group_request *in = arena_calloc(&arena, 1, sizeof *in);
    struct sync_group_response *out = arena_calloc(&arena, 1, sizeof *out);
    sync_group_request_init(in);
    sync_group_response_init(out);
    in->member_id = slice_cstr(member);
    in->generation_id = generation;
    if (for_member) {
        in->assignments_count = 1;
        in->assignments = sync_group_request_assignment_array(&arena, 1);
        in->assignments[0].member_id = slice_cstr(for_member);
        in->assignments[0].assignment = slice_cstr(assignment);
    }
    c->call = (struct group_call){
        .version = 5, .arena = &arena, .in = in, .out = out, .done = caught, .arg = c};
    group_sync(g, &c->call, now);
    return c;
}

static struct sync_group_response *synced(struct caught *c)
{
    return c->call.out;
}

static int16_t beat(struct group *g, const char *member, int generation, int64_t now)
{
    struct heartbeat_request in;
    heartbeat_request_init(&in);
    in.member_id = slice_cstr(member);
    in.generation_id = generation;
    return group_heartbeat(g, &in, now);
}

/* Joins as a dynamic member does: asks for an id, comes back with it. Returns the id. */
static const char *enter(struct group *g, struct caught **parked, int64_t now)
{
    struct caught *first = JOIN(g, now, 0);
    CHECK_INT(first->answers, 1);
    CHECK_INT(joined(first)->error_code, KERR_MEMBER_ID_REQUIRED);
    const char *id = arena_printf(&arena, PRI_SL, ARG_SL(joined(first)->member_id));
    *parked = JOIN(g, now, .member = id);
    return id;
}

/* A stable group of one member. */
static const char *stable_one(struct group *g, int64_t now)
{
    struct caught *j;
    const char *id = enter(g, &j, now);
    CHECK_INT(j->answers, 1);
    CHECK_INT(joined(j)->error_code, 0);
    struct caught *s = sync(g, id, g->generation, id, "all", now);
    CHECK_INT(s->answers, 1);
    CHECK_SLICE(synced(s)->assignment, SL("all"));
    CHECK_INT(g->state, GROUP_STABLE);
    return id;
}

static void drop(struct group *g)
{
    group_drop_calls(g, KERR_COORDINATOR_NOT_AVAILABLE);
    group_free(g);
}

static void test_one_member(void)
{
    struct group *g = group_new(SL("g"), &rules);
    const char *id = stable_one(g, 0);
    CHECK(strncmp(id, "client-", 7) == 0);
    CHECK_INT(g->generation, 1);
    CHECK_INT(beat(g, id, 1, 1000), KERR_NONE);
    CHECK_INT(beat(g, id, 0, 1000), KERR_ILLEGAL_GENERATION);
    CHECK_INT(beat(g, "nobody", 1, 1000), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(group_leave(g, slice_cstr(id), SLICE_NULL, 2000), KERR_NONE);
    CHECK_INT(g->state, GROUP_EMPTY);
    CHECK_INT(g->generation, 2);
    CHECK_INT(beat(g, id, 1, 2000), KERR_UNKNOWN_MEMBER_ID);
    drop(g);
}

static void test_old_client_joins_at_once(void)
{
    struct group *g = group_new(SL("g"), &rules);
    struct caught *j = JOIN(g, 0, .version = 1);
    CHECK_INT(j->answers, 1);
    CHECK_INT(joined(j)->error_code, 0);
    CHECK_INT(joined(j)->members_count, 1);
    CHECK_SLICE(joined(j)->leader, joined(j)->member_id);
    drop(g);
}

static void test_second_member_rebalances(void)
{
    struct group *g = group_new(SL("g"), &rules);
    const char *a = stable_one(g, 0);
    struct caught *jb;
    const char *b = enter(g, &jb, 100);
    CHECK_INT(jb->answers, 0); /* waits for a */
    CHECK_INT(g->state, GROUP_PREPARING_REBALANCE);
    CHECK_INT(beat(g, a, 1, 200), KERR_REBALANCE_IN_PROGRESS);
    struct caught *ja = JOIN(g, 300, .member = a);
    CHECK_INT(ja->answers, 1);
    CHECK_INT(jb->answers, 1);
    CHECK_INT(joined(ja)->generation_id, 2);
    CHECK_INT(joined(ja)->members_count, 2); /* a leads on */
    CHECK_INT(joined(jb)->members_count, 0);
    CHECK_SLICE(joined(jb)->leader, slice_cstr(a));
    struct caught *sb = sync(g, b, 2, NULL, NULL, 400);
    CHECK_INT(sb->answers, 0);
    CHECK_INT(beat(g, a, 2, 400), KERR_NONE); /* completing is no reason to rejoin */
    struct caught *sa = sync(g, a, 2, b, "for b", 400);
    CHECK_INT(sa->answers, 1);
    CHECK_INT(sb->answers, 1);
    CHECK_SLICE(synced(sb)->assignment, SL("for b"));
    CHECK_SLICE(synced(sa)->assignment, SL("")); /* named by nobody: empty, not null */
    CHECK_INT(g->state, GROUP_STABLE);
    CHECK_INT(sync(g, a, 1, NULL, NULL, 500)->answers, 1);
    drop(g);
}

static void test_silent_member_is_left_behind(void)
{
    struct group *g = group_new(SL("g"), &rules);
    const char *a = stable_one(g, 0);
    struct caught *jb;
    (void)enter(g, &jb, 100);
    CHECK_INT(group_deadline(g), 10100); /* a's session, restarted when the round began */
    for (int64_t t = 5000; t < 60000; t += 5000)
        CHECK_INT(beat(g, a, 1, t), KERR_REBALANCE_IN_PROGRESS); /* a lives but does not rejoin */
    group_tick(g, 60099);
    CHECK_INT(jb->answers, 0);
    group_tick(g, 60100); /* the largest rebalance timeout */
    CHECK_INT(jb->answers, 1);
    CHECK_INT(joined(jb)->members_count, 1);
    CHECK_INT(beat(g, a, 1, 60200), KERR_UNKNOWN_MEMBER_ID);
    drop(g);
}

static void test_session_expiry(void)
{
    struct group *g = group_new(SL("g"), &rules);
    const char *a = stable_one(g, 0);
    CHECK_INT(beat(g, a, 1, 9000), KERR_NONE);
    group_tick(g, 18999);
    CHECK_INT(g->members.count, 1);
    group_tick(g, 19000);
    CHECK_INT(g->members.count, 0);
    CHECK_INT(g->state, GROUP_EMPTY);
    CHECK_INT(group_deadline(g), INT64_MAX);
    drop(g);
}

static void test_parked_join_does_not_expire(void)
{
    struct group *g = group_new(SL("g"), &rules);
    const char *a = stable_one(g, 0);
    struct caught *jb;
    (void)enter(g, &jb, 0);
    for (int64_t t = 5000; t <= 55000; t += 5000) {
        (void)beat(g, a, 1, t);
        group_tick(g, t);
    }
    CHECK_INT(jb->answers, 0);
    CHECK_INT(g->members.count, 2);
    CHECK_INT(joined(JOIN(g, 56000, .member = a))->error_code, 0);
    CHECK_INT(jb->answers, 1);
    drop(g);
}

static void test_leader_that_never_syncs(void)
{
    struct group *g = group_new(SL("g"), &rules);
    struct caught *ja, *jb;
    rules.initial_rebalance_delay_ms = 3000;
    const char *a = enter(g, &ja, 0);
    const char *b = enter(g, &jb, 1000);
    CHECK_INT(ja->answers, 0);
    group_tick(g, 3999);
    CHECK_INT(ja->answers, 0); /* b's arrival began the delay anew */
    group_tick(g, 4000);
    CHECK_INT(ja->answers, 1);
    CHECK_INT(jb->answers, 1);
    rules.initial_rebalance_delay_ms = 0;
    struct caught *sb = sync(g, b, 1, NULL, NULL, 4100);
    for (int64_t t = 9000; t < 64000; t += 5000)
        CHECK_INT(beat(g, a, 1, t), KERR_NONE);
    group_tick(g, 64000);
    CHECK_INT(sb->answers, 1);
    CHECK_INT(synced(sb)->error_code, KERR_REBALANCE_IN_PROGRESS);
    CHECK_INT(beat(g, a, 1, 64001), KERR_UNKNOWN_MEMBER_ID);
    struct caught *again = JOIN(g, 64100, .member = b);
    CHECK_INT(again->answers, 1);
    CHECK_SLICE(joined(again)->leader, slice_cstr(b));
    drop(g);
}

static void test_static_member_returns(void)
{
    struct group *g = group_new(SL("g"), &rules);
    struct caught *j = JOIN(g, 0, .instance = "one");
    CHECK_INT(j->answers, 1); /* no id has to be asked for */
    const char *old = arena_printf(&arena, PRI_SL, ARG_SL(joined(j)->member_id));
    CHECK(strncmp(old, "one-", 4) == 0);
    (void)sync(g, old, 1, old, "mine", 0);

    struct caught *back = JOIN(g, 1000, .instance = "one");
    CHECK_INT(back->answers, 1);
    CHECK_INT(joined(back)->error_code, 0);
    CHECK_INT(joined(back)->generation_id, 1); /* nobody else notices */
    CHECK(joined(back)->skip_assignment);
    CHECK_INT(joined(back)->members_count, 1);
    const char *id = arena_printf(&arena, PRI_SL, ARG_SL(joined(back)->member_id));
    CHECK_INT(beat(g, old, 1, 1000), KERR_UNKNOWN_MEMBER_ID);
    CHECK_SLICE(synced(sync(g, id, 1, NULL, NULL, 1100))->assignment, SL("mine"));

    struct caught *v5 = JOIN(g, 2000, .instance = "one", .version = 5);
    CHECK_SLICE(joined(v5)->leader, slice_cstr(id)); /* so that it does not assign */
    CHECK_INT(joined(v5)->members_count, 0);

    struct heartbeat_request hb;
    heartbeat_request_init(&hb);
    hb.member_id = slice_cstr(id);
    hb.group_instance_id = SL("one");
    hb.generation_id = 1;
    CHECK_INT(group_heartbeat(g, &hb, 2000), KERR_FENCED_INSTANCE_ID);
    CHECK_INT(joined(JOIN(g, 2000, .member = id, .instance = "one"))->error_code,
              KERR_FENCED_INSTANCE_ID);
    CHECK_INT(group_leave(g, SL(""), SL("one"), 3000), KERR_NONE);
    CHECK_INT(group_leave(g, SL(""), SL("one"), 3000), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(g->state, GROUP_EMPTY);
    drop(g);
}

static void test_protocol_choice(void)
{
    struct group *g = group_new(SL("g"), &rules);
    const char *a = stable_one(g, 0);
    struct caught *jb = JOIN(g, 100, .version = 1, .second = "sticky");
    struct caught *ja = JOIN(g, 200, .member = a, .second = "roundrobin");
    CHECK_INT(ja->answers, 1);
    CHECK_INT(jb->answers, 1);
    CHECK_SLICE(joined(jb)->protocol_name, SL("range")); /* the only one that both know */

    struct caught *odd = arena_calloc(&arena, 1, sizeof *odd);
    struct join_group_request in;
    struct join_group_response out;
    join_group_request_init(&in);
    join_group_response_init(&out);
    in.protocol_type = SL("connect");
    in.protocols_count = 1;
    in.protocols = join_group_request_protocol_array(&arena, 1);
    in.protocols[0].name = SL("range");
    odd->call = (struct group_call){
        .version = 9, .arena = &arena, .in = &in, .out = &out, .done = caught, .arg = odd};
    group_join(g, &odd->call, 300);
    CHECK_INT(out.error_code, KERR_INCONSISTENT_GROUP_PROTOCOL);
    CHECK(slice_is_null(out.protocol_name)); /* null from version 7 on, "" before */
    drop(g);
}

static void test_group_is_full(void)
{
    struct group *g = group_new(SL("g"), &rules);
    for (int i = 0; i < 3; i++)
        CHECK_INT(JOIN(g, 0, .version = 1)->answers, i == 0 ? 1 : 0);
    CHECK_INT(joined(JOIN(g, 0, .version = 1))->error_code, KERR_GROUP_MAX_SIZE_REACHED);
    CHECK_INT(joined(JOIN(g, 0, 0))->error_code, KERR_GROUP_MAX_SIZE_REACHED);
    drop(g);
}

static void test_rejoin_in_each_state(void)
{
    struct group *g = group_new(SL("g"), &rules);
    struct caught *j;
    const char *a = enter(g, &j, 0);
    CHECK_INT(g->state, GROUP_COMPLETING_REBALANCE);
    struct caught *same = JOIN(g, 100, .member = a); /* the answer was lost: the same again */
    CHECK_INT(same->answers, 1);
    CHECK_INT(joined(same)->generation_id, 1);
    struct caught *changed = JOIN(g, 200, .member = a, .metadata = "other");
    CHECK_INT(joined(changed)->generation_id, 2);
    (void)sync(g, a, 2, a, "x", 200);
    struct caught *leader = JOIN(g, 300, .member = a, .metadata = "other");
    CHECK_INT(joined(leader)->generation_id, 3); /* a leader that joins wants a new round */
    CHECK_INT(joined(JOIN(g, 300, .member = "ghost"))->error_code, KERR_UNKNOWN_MEMBER_ID);
    drop(g);
}

static void test_a_new_connection_of_a_parked_member(void)
{
    struct group *g = group_new(SL("g"), &rules);
    const char *a = stable_one(g, 0);
    struct caught *jb;
    const char *b = enter(g, &jb, 100);
    struct caught *again = JOIN(g, 200, .member = b);
    CHECK_INT(jb->answers, 1);
    CHECK_INT(again->answers, 0);
    (void)JOIN(g, 300, .member = a);
    CHECK_INT(again->answers, 1);
    CHECK_INT(joined(again)->error_code, 0);
    drop(g);
}

static void test_pending_id(void)
{
    struct group *g = group_new(SL("g"), &rules);
    struct caught *first = JOIN(g, 0, 0);
    CHECK_INT(g->members.count, 0); /* an id is no member */
    CHECK_INT(g->pending.count, 1);
    CHECK_INT(group_leave(g, joined(first)->member_id, SLICE_NULL, 10), KERR_NONE);
    CHECK_INT(g->pending.count, 0);
    (void)JOIN(g, 0, 0);
    group_tick(g, 9999);
    CHECK_INT(g->pending.count, 1);
    group_tick(g, 10000);
    CHECK_INT(g->pending.count, 0);
    drop(g);
}

static void test_ids_on_their_way_count(void)
{
    struct group *g = group_new(SL("g"), &rules);
    for (int i = 0; i < 3; i++)
        CHECK_INT(joined(JOIN(g, 0, 0))->error_code, KERR_MEMBER_ID_REQUIRED);
    CHECK_INT(joined(JOIN(g, 0, 0))->error_code, KERR_GROUP_MAX_SIZE_REACHED);
    CHECK_INT(g->pending.count, 3);
    group_tick(g, 10000); /* not used in time: room again */
    CHECK_INT(joined(JOIN(g, 10000, 0))->error_code, KERR_MEMBER_ID_REQUIRED);
    drop(g);

    struct group_rules large = rules;
    large.max_size = INT32_MAX;
    g = group_new(SL("g"), &large);
    int16_t code = KERR_MEMBER_ID_REQUIRED;
    while (code == KERR_MEMBER_ID_REQUIRED && g->pending.count < 5000)
        code = joined(JOIN(g, 0, 0))->error_code;
    CHECK_INT(code, KERR_COORDINATOR_NOT_AVAILABLE);
    CHECK_INT(g->pending.count, 1000);
    drop(g);
}

static void test_protocols_that_are_too_large(void)
{
    struct group *g = group_new(SL("g"), &rules);
    char *large = arena_alloc(&arena, (1 << 20) + 1);
    memset(large, 'x', 1 << 20);
    large[1 << 20] = 0;
    CHECK_INT(joined(JOIN(g, 0, .version = 1, .metadata = large))->error_code,
              KERR_INVALID_REQUEST);
    CHECK_INT(g->members.count, 0);
    large[(1 << 20) - 5] = 0; /* with the name "range" just within the limit */
    CHECK_INT(joined(JOIN(g, 0, .version = 1, .metadata = large))->error_code, KERR_NONE);
    CHECK_INT(g->members.count, 1);
    drop(g);
}

static void test_no_memory(void)
{
    for (int64_t n = 1; n <= 2; n++) {
        struct group *g = group_new(SL("g"), &rules);
        mem_fail_at(n);
        CHECK_INT(joined(JOIN(g, 0, .version = 1))->error_code, KERR_COORDINATOR_NOT_AVAILABLE);
        mem_fail_at(0);
        CHECK_INT(g->members.count, 0);
        const char *a = stable_one(g, 0);
        mem_fail_at(n);
        struct caught *again = JOIN(g, 100, .member = a, .metadata = "new");
        mem_fail_at(0);
        CHECK_INT(joined(again)->error_code, KERR_COORDINATOR_NOT_AVAILABLE);
        CHECK_INT(g->state, GROUP_STABLE);
        CHECK_SLICE(group_member_metadata(group_member_find(g, slice_cstr(a)), SL("range")),
                    SL("m"));
        drop(g);
    }
}

static int16_t may_commit(struct group *g, const char *member, int generation, int64_t now)
{
    struct offset_commit_request in;
    offset_commit_request_init(&in);
    in.member_id = slice_cstr(member);
    in.generation_id_or_member_epoch = generation;
    return group_check_commit(g, &in, now);
}

static void test_commit_rules(void)
{
    struct group *g = group_new(SL("g"), &rules);
    CHECK_INT(may_commit(g, "", -1, 0), KERR_NONE); /* assign() mode, reset-offsets */
    CHECK_INT(may_commit(g, "x", 3, 0), KERR_UNKNOWN_MEMBER_ID);
    const char *a = stable_one(g, 0);
    CHECK_INT(may_commit(g, "", -1, 0), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(may_commit(g, a, 1, 0), KERR_NONE);
    CHECK_INT(may_commit(g, a, 2, 0), KERR_ILLEGAL_GENERATION);
    struct caught *jb;
    (void)enter(g, &jb, 100);
    CHECK_INT(may_commit(g, a, 1, 200), KERR_NONE); /* on revoke, while others join */
    (void)JOIN(g, 300, .member = a);
    CHECK_INT(may_commit(g, a, 2, 400), KERR_REBALANCE_IN_PROGRESS);
    drop(g);
}

static void test_subscription(void)
{
    struct group *g = group_new(SL("g"), &rules);
    CHECK(!group_subscribes(g, SL("t")));
    struct caught *c = JOIN(g, 0, .version = 1);
    CHECK_INT(c->answers, 1);
    CHECK(group_subscribes(g, SL("t"))); /* "m" does not parse: never taken as "not subscribed" */
    struct group_member *m = group_member_find(g, joined(c)->member_id);
    static const char metadata[] = "\0\1\0\0\0\1\0\6orders\0\0\0\0";
    m->protocols[0].metadata = slice_of(metadata, sizeof metadata - 1);
    CHECK(group_subscribes(g, SL("orders")));
    CHECK(!group_subscribes(g, SL("order")));
    drop(g);
}

static const struct test_case tests[] = {
    {"one member: join, sync, heartbeat, leave", test_one_member},
    {"versions below 4 join at once", test_old_client_joins_at_once},
    {"a second member brings a new generation", test_second_member_rebalances},
    {"who does not rejoin in time is left behind", test_silent_member_is_left_behind},
    {"session expiry", test_session_expiry},
    {"a parked join keeps the member", test_parked_join_does_not_expire},
    {"initial delay, and a leader that never syncs", test_leader_that_never_syncs},
    {"a static member returns", test_static_member_returns},
    {"protocol choice", test_protocol_choice},
    {"a full group", test_group_is_full},
    {"joining again in each state", test_rejoin_in_each_state},
    {"a member on a new connection", test_a_new_connection_of_a_parked_member},
    {"a pending id", test_pending_id},
    {"pending ids are bounded", test_ids_on_their_way_count},
    {"protocols are bounded", test_protocols_that_are_too_large},
    {"no memory for a member", test_no_memory},
    {"who may commit", test_commit_rules},
    {"subscriptions", test_subscription},
    {NULL, NULL},
};
const struct test_suite test_group = {"broker/group/group", tests, setup, teardown};
