/* tests/unit/broker/group/test_group_next_classic.c - members of the classic protocol in a consumer group,
 * and the bytes that they write; a group that changes its protocol and changes it back.
 * SPEC: broker 8.4 */
#include "base/base.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "broker/group/consumer_bytes.h"
#include "broker/group/group_internal.h"
#include "broker/group/group_next.h"
#include "helpers.h"

static struct arena arena;
static struct group *g;
static struct group_next *n;
static const struct group_rules rules = {0, 10, 60000, 10};
static const struct next_timing timing = {45000, 5000, 4};
static int noted;

static bool by_name(void *arg, struct slice name, struct uuid *id, int32_t *partitions)
{
    (void)arg;
    memset(id, 7, sizeof *id);
    *partitions = 4;
    return slice_eq(name, SL("t"));
}

static void each(void *arg, void (*fn)(void *to, struct slice name), void *to)
{
    (void)arg;
    fn(to, SL("t"));
}

static int64_t now_generation(void *arg)
{
    (void)arg;
    return 1;
}

static const struct next_topics topics = {by_name, each, now_generation, NULL, NULL};

static void note(struct group *of, void *arg)
{
    (void)of, (void)arg;
    noted++;
}

static void begin(void)
{
    (void)!log_set_level("broker.group", LOG_L_ERROR);
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    g = group_new(SL("g"), &rules);
    g->changed = note;
    n = NULL;
    noted = 0;
}

static void end(void)
{
    group_next_free(n);
    group_free(g);
    arena_release(&arena);
    (void)!log_set_level("broker.group", LOG_L_INFO);
}

/* --- what clients write ----------------------------------------------------------------------- */

/* "0,2" -> the list with these partitions of t */
static struct consumer_list partitions(const char *text)
{
    struct consumer_list l = {arena_calloc(&arena, 1, sizeof *l.v), *text ? 1 : 0};
    l.v[0] = (struct consumer_partitions){SL("t"), arena_calloc(&arena, 8, sizeof(int32_t)), 0};
    for (; *text; text += text[1] ? 2 : 1)
        l.v[0].partitions[l.v[0].count++] = *text - '0';
    return l;
}

static struct slice assignment(const char *text)
{
    struct strbuf b = STRBUF_INIT;
    struct consumer_list l = partitions(text);
    consumer_assignment_write(&l, 1, &b);
    struct slice out = arena_dup(&arena, strbuf_slice(&b));
    strbuf_release(&b);
    return out;
}

static struct slice subscription(int16_t version, const char *owned)
{
    struct strbuf b = STRBUF_INIT;
    struct slice list = assignment(owned);
    strbuf_add_be16(&b, (uint16_t)version);
    strbuf_add_be32(&b, 1);
    strbuf_add_be16(&b, 1);
    strbuf_addc(&b, 't');
    strbuf_add_be32(&b, UINT32_MAX);
    if (version >= 1)
        strbuf_add_slice(&b, slice_of(list.p + 2, list.n - 6)); /* without version and user data */
    if (version >= 2)
        strbuf_add_be32(&b, 5);
    if (version >= 3) {
        strbuf_add_be16(&b, 2);
        strbuf_adds(&b, "r1");
    }
    struct slice out = arena_dup(&arena, strbuf_slice(&b));
    strbuf_release(&b);
    return out;
}

static const char *text_of(const struct consumer_list *l)
{
    const char *out = "";
    for (size_t i = 0; i < l->n; i++) {
        for (int32_t k = 0; k < l->v[i].count; k++)
            out = arena_printf(&arena, "%s%s%d", out, *out ? "," : "", l->v[i].partitions[k]);
    }
    return out;
}

static void test_bytes(void)
{
    struct consumer_subscription s;
    struct consumer_list l;
    begin();
    for (int16_t version = 0; version <= 4; version++) {
        struct slice b = subscription(version, "1,3");
        CHECK_OK(consumer_subscription_read(b, &arena, &s));
        CHECK_INT(s.version, version);
        CHECK_INT(s.topic_count, 1);
        CHECK_SLICE(s.topics[0], SL("t"));
        CHECK_STR(text_of(&s.owned), version >= 1 ? "1,3" : "");
        CHECK(version < 3 ? slice_is_null(s.rack) : slice_eq(s.rack, SL("r1")));
        for (size_t cut = 0; cut < b.n; cut++)
            CHECK(consumer_subscription_read(slice_of(b.p, cut), &arena, &s) != E_OK);
    }
    struct slice b = assignment("0,2");
    CHECK_OK(consumer_assignment_read(b, &arena, &l));
    CHECK_STR(text_of(&l), "0,2");
    for (size_t cut = 1; cut < b.n; cut++)
        CHECK(consumer_assignment_read(slice_of(b.p, cut), &arena, &l) != E_OK);
    CHECK_OK(consumer_assignment_read(SL(""), &arena, &l));
    CHECK_INT(l.n, 0);
    static const uint8_t huge[] = {0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 1, 't'};
    b = slice_of((const char *)huge, sizeof huge);
    CHECK_INT(consumer_assignment_read(b, &arena, &l), E_CORRUPT);
    CHECK_INT(consumer_subscription_read(b, &arena, &s), E_CORRUPT);
    end();
}

/* --- calls ------------------------------------------------------------------------------------ */

static void no_answer(struct group_call *call)
{
    (void)call;
}

static struct group_call *join_call(const char *id, const char *instance, const char *protocol,
                                    struct slice metadata)
{
    struct group_call *call = arena_calloc(&arena, 1, sizeof *call);
    struct join_group_request *in = arena_calloc(&arena, 1, sizeof *in);
    struct join_group_response *out = arena_calloc(&arena, 1, sizeof *out);
    join_group_request_init(in);
    join_group_response_init(out);
    in->group_id = SL("g");
    in->member_id = slice_cstr(id);
    in->group_instance_id = slice_cstr(instance);
    in->protocol_type = SL("consumer");
    in->protocols = join_group_request_protocol_array(&arena, 1);
    in->protocols_count = 1;
    in->protocols[0].name = slice_cstr(protocol);
    in->protocols[0].metadata = metadata;
    in->session_timeout_ms = 1000;
    in->rebalance_timeout_ms = 3000;
    *call = (struct group_call){.version = 5,
                                .client_id = SL("c"),
                                .client_host = SL("h"),
                                .arena = &arena,
                                .in = in,
                                .out = out,
                                .done = no_answer};
    return call;
}

static void classic_member(const char *id, const char *protocol, const char *assigned)
{
    struct group_member *m =
        group_member_add(g, id, join_call(id, NULL, protocol, subscription(1, "")));
    group_own(&m->assignment, assignment(assigned));
    m->synced = true;
    group_own(&g->protocol, slice_cstr(protocol));
    g->state = GROUP_STABLE;
    g->generation = 5;
}

static int16_t join(const char *id, const char *owned, int32_t *generation, int64_t now)
{
    struct group_call *call = join_call(id, NULL, "range", subscription(1, owned));
    int16_t code = group_next_join(n, g, call, &timing, now);
    const struct join_group_response *out = call->out;
    *generation = out->generation_id;
    CHECK(code || (slice_eq_c(out->member_id, id) && out->leader.n == 0));
    CHECK(code || slice_eq(out->protocol_name, SL("range")));
    return code;
}

/* What the member is assigned, or the code as "!27". */
static const char *sync_of(const char *id, int32_t generation, int64_t now)
{
    struct sync_group_request in;
    struct sync_group_response out;
    struct group_call call = {.version = 5, .arena = &arena, .in = &in, .out = &out};
    struct consumer_list l;
    sync_group_request_init(&in);
    sync_group_response_init(&out);
    in.member_id = slice_cstr(id);
    in.generation_id = generation;
    in.protocol_type = SL("consumer");
    in.protocol_name = SL("range");
    int16_t code = group_next_sync(n, &call, now);
    if (code)
        return arena_printf(&arena, "!%d", code);
    CHECK_OK(consumer_assignment_read(out.assignment, &arena, &l));
    return text_of(&l);
}

static int16_t beat(const char *id, int32_t generation, int64_t now)
{
    struct heartbeat_request in;
    heartbeat_request_init(&in);
    in.member_id = slice_cstr(id);
    in.generation_id = generation;
    return group_next_classic_heartbeat(n, &in, now);
}

/* A member of the new protocol: its epoch, or minus the code. */
static int32_t new_beat_as(const char *id, const char *instance, int32_t epoch, int64_t now)
{
    struct consumer_group_heartbeat_request in;
    struct consumer_group_heartbeat_response out;
    const struct group_call call = {.version = 1, .arena = &arena, .in = &in, .out = &out};
    struct slice names[] = {SL("t")};
    consumer_group_heartbeat_request_init(&in);
    consumer_group_heartbeat_response_init(&out);
    in.group_id = SL("g");
    in.member_id = slice_cstr(id);
    in.instance_id = slice_cstr(instance);
    in.member_epoch = epoch;
    in.subscribed_topic_names_count = in.topic_partitions_count = -1;
    if (epoch == 0) {
        in.rebalance_timeout_ms = 3000;
        in.subscribed_topic_names = names;
        in.subscribed_topic_names_count = 1;
        in.topic_partitions_count = 0;
    }
    group_next_heartbeat(n, &call, &timing, now);
    return out.error_code ? -out.error_code : out.member_epoch;
}

static int32_t new_beat(const char *id, int32_t epoch, int64_t now)
{
    return new_beat_as(id, NULL, epoch, now);
}

static size_t held(const char *id)
{
    return group_next_find(n, slice_cstr(id))->assigned.n;
}

/* --- the way there ---------------------------------------------------------------------------- */

static void test_upgrade(void)
{
    int32_t generation;
    begin();
    classic_member("a", "range", "0,1");
    classic_member("b", "range", "2,3");
    n = group_next_upgrade(g, &topics, 0);
    CHECK(n != NULL);
    group_next_upgraded(n, g);
    CHECK_INT(g->members.count, 0);
    CHECK_INT(g->state, GROUP_EMPTY);
    CHECK_INT(n->epoch, 5);
    CHECK_INT(group_next_state(n), NEXT_STABLE);
    CHECK(group_next_is_all_classic(n));
    CHECK_INT(held("a"), 2);
    CHECK_INT(held("b"), 2);
    CHECK_INT(beat("a", 5, 10), KERR_NONE);
    CHECK_STR(sync_of("a", 5, 10), "0,1");
    CHECK_INT(group_next_check_commit(n, SL("a"), 5, 2), KERR_NONE);
    CHECK_INT(group_next_check_commit(n, SL("a"), 4, 2), KERR_ILLEGAL_GENERATION);
    CHECK_INT(beat("a", 4, 10), KERR_ILLEGAL_GENERATION);
    CHECK_INT(beat("z", 5, 10), KERR_UNKNOWN_MEMBER_ID);
    CHECK_STR(sync_of("a", 4, 10), "!22");
    /* the first member of the new protocol */
    CHECK_INT(new_beat("x", 0, 20), 6);
    CHECK(!group_next_is_all_classic(n));
    CHECK_INT(held("x"), 0);
    CHECK_INT(beat("a", 5, 30), KERR_REBALANCE_IN_PROGRESS);
    CHECK_INT(beat("b", 5, 30), KERR_REBALANCE_IN_PROGRESS);
    CHECK_STR(sync_of("a", 5, 30), "!27");
    /* eager members own nothing when they join again */
    CHECK_INT(join("a", "", &generation, 40), KERR_NONE);
    CHECK_INT(generation, 6);
    CHECK_INT(join("b", "", &generation, 40), KERR_NONE);
    CHECK_INT(generation, 6);
    CHECK_INT(new_beat("x", 6, 50), 6);
    CHECK_INT(held("a") + held("b") + held("x"), 4);
    CHECK_INT(held("x"), 1);
    CHECK_INT((int)strlen(sync_of("a", 6, 60)), held("a") == 2 ? 3 : 1);
    CHECK_INT(beat("a", 6, 70), KERR_NONE);
    end();
}

/* A cooperative member gives up what it must with one Join, and goes on with the next. */
static void test_cooperative(void)
{
    int32_t generation;
    begin();
    classic_member("a", "range", "0,1,2,3");
    n = group_next_upgrade(g, &topics, 0);
    CHECK_INT(new_beat("x", 0, 20), 6);
    CHECK_INT(join("a", "0,1,2,3", &generation, 30), KERR_NONE);
    CHECK_INT(generation, 5); /* until it has given up */
    CHECK_STR(sync_of("a", 5, 30), "0,1");
    CHECK_INT(new_beat("x", 6, 35), 6);
    CHECK_INT(held("x"), 0); /* still owned */
    CHECK_INT(beat("a", 5, 40), KERR_REBALANCE_IN_PROGRESS);
    CHECK_INT(join("a", "0,1", &generation, 50), KERR_NONE);
    CHECK_INT(generation, 6);
    CHECK_STR(sync_of("a", 6, 50), "0,1");
    CHECK_INT(beat("a", 6, 60), KERR_NONE);
    CHECK_INT(new_beat("x", 6, 60), 6);
    CHECK_INT(held("x"), 2);
    end();
}

/* Partitions that are not free yet come with a later Join. */
static void test_waiting_for_partitions(void)
{
    int32_t generation;
    begin();
    classic_member("a", "range", "0,1,2,3");
    n = group_next_upgrade(g, &topics, 0);
    CHECK_INT(new_beat("x", 0, 10), 6);
    struct group_call *call = join_call("", NULL, "range", subscription(1, ""));
    CHECK_INT(group_next_join(n, g, call, &timing, 20), KERR_MEMBER_ID_REQUIRED);
    const char *id = arena_dup(&arena, ((struct join_group_response *)call->out)->member_id).p;
    CHECK_INT(g->pending.count, 1);
    CHECK_INT(join(id, "", &generation, 30), KERR_NONE);
    CHECK_INT(g->pending.count, 0);
    CHECK_INT(generation, 7);
    CHECK_STR(sync_of(id, 7, 30), "");
    CHECK_INT(beat(id, 7, 40), KERR_NONE); /* there is nothing for it yet */
    CHECK_INT(join("a", "", &generation, 50), KERR_NONE);
    CHECK_INT(beat(id, 7, 60), KERR_REBALANCE_IN_PROGRESS);
    CHECK_INT(join(id, "", &generation, 70), KERR_NONE);
    CHECK(sync_of(id, 7, 70)[0] != 0);
    CHECK_INT(new_beat("x", 6, 80), 7);
    CHECK_INT(held("a") + held("x") + held(id), 4);
    end();
}

static void test_refusals(void)
{
    int32_t generation;
    begin();
    classic_member("a", "range", "0,1");
    n = group_next_upgrade(g, &topics, 0);
    struct group_call *call = join_call("", NULL, "sticky", subscription(1, ""));
    CHECK_INT(group_next_join(n, g, call, &timing, 0), KERR_INCONSISTENT_GROUP_PROTOCOL);
    call = join_call("", NULL, "range", SL("x"));
    CHECK_INT(group_next_join(n, g, call, &timing, 0), KERR_INCONSISTENT_GROUP_PROTOCOL);
    call = join_call("", NULL, "range", subscription(0, ""));
    ((struct join_group_request *)(uintptr_t)call->in)->protocol_type = SL("connect");
    CHECK_INT(group_next_join(n, g, call, &timing, 0), KERR_INCONSISTENT_GROUP_PROTOCOL);
    CHECK_INT(join("nobody", "", &generation, 0), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(new_beat("x", 0, 0), 6);
    CHECK_INT(join("x", "", &generation, 0), KERR_UNKNOWN_MEMBER_ID); /* of the new protocol */
    CHECK_INT(beat("x", 6, 0), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(new_beat("y", 0, 0), 7);
    CHECK_INT(new_beat("z", 0, 0), 8);
    call = join_call("", NULL, "range", subscription(1, ""));
    CHECK_INT(group_next_join(n, g, call, &timing, 0), KERR_GROUP_MAX_SIZE_REACHED);
    CHECK_INT(n->members.count, 4);
    end();
}

/* Who hears of a rebalance and does not join again is removed, heartbeats or not. */
static void test_overdue(void)
{
    begin();
    classic_member("a", "range", "0,1,2,3");
    n = group_next_upgrade(g, &topics, 0);
    CHECK_INT(new_beat("x", 0, 10), 6);
    for (int64_t now = 100; now <= 3000; now += 100)
        CHECK_INT(beat("a", 5, now), KERR_REBALANCE_IN_PROGRESS);
    CHECK(!group_next_tick(n, 3099));
    CHECK(group_next_tick(n, 3100));
    CHECK(group_next_find(n, SL("a")) == NULL);
    CHECK_INT(beat("a", 5, 3200), KERR_UNKNOWN_MEMBER_ID);
    end();
}

static void test_static_members(void)
{
    begin();
    classic_member("a", "range", "0,1,2,3");
    n = group_next_upgrade(g, &topics, 0);
    CHECK_INT(new_beat("x", 0, 0), 6);
    struct group_call *call = join_call("", "i", "range", subscription(1, ""));
    CHECK_INT(group_next_join(n, g, call, &timing, 0), KERR_NONE); /* no id is asked for first */
    struct slice first = ((struct join_group_response *)call->out)->member_id;
    call = join_call("", "i", "range", subscription(1, "")); /* it was started anew */
    CHECK_INT(group_next_join(n, g, call, &timing, 0), KERR_NONE);
    struct slice second = ((struct join_group_response *)call->out)->member_id;
    CHECK(!slice_eq(first, second));
    CHECK_INT(n->members.count, 3);
    call = join_call(first.p, "i", "range", subscription(1, ""));
    CHECK_INT(group_next_join(n, g, call, &timing, 0), KERR_FENCED_INSTANCE_ID);
    end();
}

/* A static member that was started anew with the other protocol takes its own place, without having
 * left. SPEC: broker 8.4 */
static void test_static_member_changes_its_protocol(void)
{
    int32_t generation;
    struct group_member *m;
    begin();
    classic_member("a", "range", "0,1");
    classic_member("b", "range", "2,3");
    m = group_member_find(g, SL("b"));
    m->instance_id = xstrdup("i");
    struct group_call *parked = join_call("b", "i", "range", subscription(1, ""));
    m->join = parked;
    n = group_next_upgrade(g, &topics, 0);
    CHECK_INT(new_beat_as("x", "i", 0, 10), 6);
    group_next_upgraded(n, g);
    CHECK_INT(((struct join_group_response *)parked->out)->error_code, KERR_FENCED_INSTANCE_ID);
    CHECK_INT(n->members.count, 2);
    CHECK_INT(held("x"), 2); /* what its predecessor had */
    CHECK(!group_next_find(n, SL("x"))->classic);
    CHECK_INT(beat("b", 5, 20), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(new_beat_as("y", "i", 0, 30), -KERR_UNRELEASED_INSTANCE_ID);
    /* and the way back, which ends what it wished in the new protocol */
    struct next_member *x = group_next_find(n, SL("x"));
    struct error e;
    CHECK_OK(topic_regex_new(&x->regex, SL("t.*"), &e));
    x->assignor = xstrdup("uniform");
    int32_t epoch = n->epoch;
    struct group_call *call = join_call("", "i", "range", subscription(1, ""));
    CHECK_INT(group_next_join(n, g, call, &timing, 40), KERR_NONE);
    CHECK_INT(n->members.count, 2);
    CHECK(group_next_is_all_classic(n));
    CHECK(group_next_find(n, SL("x")) == NULL);
    struct next_member *again = group_next_find_instance(n, SL("i"));
    CHECK(again && !again->regex && !again->assignor);
    CHECK(n->epoch > epoch);
    CHECK_INT(join("a", "", &generation, 50), KERR_NONE);
    end();
}

/* Sinks of this worker do not send heartbeats: they are there as long as the process is. */
static void test_members_inside(void)
{
    int32_t generation;
    begin();
    classic_member("a", "range", "0,1,2,3");
    classic_member("b", "range", "");
    group_member_find(g, SL("a"))->inside = true;
    n = group_next_upgrade(g, &topics, 0);
    CHECK(!group_next_tick(n, 999));
    CHECK(group_next_tick(n, 1000));
    CHECK(group_next_find(n, SL("a")) && !group_next_find(n, SL("b")));
    struct group_call *call = join_call("a", NULL, "range", subscription(1, ""));
    call->inside = true;
    CHECK_INT(group_next_join(n, g, call, &timing, 1100), KERR_NONE);
    generation = ((struct join_group_response *)call->out)->generation_id;
    CHECK_STR(sync_of("a", generation, 1100), "0,1,2,3");
    CHECK_INT(beat("a", generation, 1100), KERR_NONE);
    CHECK(!group_next_tick(n, 1000000000));
    CHECK_INT(group_next_deadline(n), INT64_MAX);
    end();
}

/* The first member of the new protocol was refused: nobody has noticed anything. */
static void test_upgrade_undone(void)
{
    begin();
    classic_member("a", "range", "0,1");
    classic_member("b", "range", "2,3");
    g->leader = group_member_find(g, SL("a"));
    struct group_call *parked = join_call("b", NULL, "range", subscription(1, ""));
    group_member_find(g, SL("b"))->join = parked;
    n = group_next_upgrade(g, &topics, 0);
    CHECK_INT(g->members.count, 0);
    group_next_upgrade_undo(n, g);
    n = NULL;
    CHECK_INT(g->members.count, 2);
    CHECK(g->leader == group_member_find(g, SL("a")) &&
          g->leader == list_entry(list_first(&g->members), struct group_member, link));
    CHECK_INT(g->state, GROUP_STABLE);
    CHECK_INT(g->generation, 5);
    CHECK(group_member_find(g, SL("b"))->join == parked);
    group_drop_calls(g, KERR_REBALANCE_IN_PROGRESS);
    end();
}

static void test_bytes_that_make_no_sense(void)
{
    begin();
    classic_member("a", "range", "0");
    group_own(&group_member_find(g, SL("a"))->assignment, SL("not an assignment"));
    CHECK(group_next_upgrade(g, &topics, 0) == NULL);
    CHECK_INT(g->members.count, 1);
    CHECK_INT(g->state, GROUP_STABLE);
    end();
}

/* --- and back --------------------------------------------------------------------------------- */

static void test_downgrade(void)
{
    struct consumer_list l;
    struct heartbeat_request in;
    begin();
    classic_member("a", "range", "0,1");
    classic_member("b", "range", "2,3");
    n = group_next_upgrade(g, &topics, 0);
    CHECK_INT(new_beat("x", 0, 10), 6);
    group_next_upgraded(n, g);
    CHECK_INT(new_beat("x", -1, 20), -1);
    CHECK(group_next_is_all_classic(n));
    noted = 0;
    group_next_downgrade(n, g, 30);
    CHECK_INT(noted, 1);
    CHECK_INT(g->members.count, 2);
    CHECK_INT(g->generation, 7);
    CHECK_INT(g->state, GROUP_PREPARING_REBALANCE);
    CHECK_SLICE(g->protocol, SL("range"));
    CHECK_STR(g->leader->id, "a");
    CHECK_OK(consumer_assignment_read(group_member_find(g, SL("b"))->assignment, &arena, &l));
    CHECK_STR(text_of(&l), "2,3");
    heartbeat_request_init(&in);
    in.member_id = SL("a");
    in.generation_id = 7;
    CHECK_INT(group_heartbeat(g, &in, 40), KERR_REBALANCE_IN_PROGRESS);
    end();
}

static const struct test_case tests[] = {
    {"what consumers write", test_bytes},
    {"upgrade", test_upgrade},
    {"cooperative members", test_cooperative},
    {"waiting for partitions", test_waiting_for_partitions},
    {"what a join is refused for", test_refusals},
    {"who does not join again", test_overdue},
    {"static members", test_static_members},
    {"a static member changes its protocol", test_static_member_changes_its_protocol},
    {"members inside the process", test_members_inside},
    {"an upgrade is taken back", test_upgrade_undone},
    {"bytes that make no sense", test_bytes_that_make_no_sense},
    {"downgrade", test_downgrade},
    {NULL, NULL},
};
const struct test_suite test_group_next_classic = {"broker/group/group_next_classic", tests, NULL,
                                                   NULL};
