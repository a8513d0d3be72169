/* tests/unit/broker/group/test_group_next.c - the state machine of KIP-848 groups, without sockets,
 * threads or time of its own. Ends with a random run against an outside ledger of who believes to
 * own what. SPEC: broker 8.4. */
#include "broker/group/group_next.h"

#include "base/base.h"
#include "base/log.h"
#include "base/mem.h"
#include "helpers.h"

#include <stdlib.h>

/* --- a world of topics ------------------------------------------------------------------------ */

static struct {
    const char *name;
    int32_t partitions; /* 0: not there */
    uint8_t id;
} world[] = {{"t", 4, 1}, {"u", 2, 2}, {"ab", 0, 3}, {"abc", 0, 4}};
static int64_t generation;

static bool by_name(void *arg, struct slice name, struct uuid *id, int32_t *partitions)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(world); i++) {
        if (world[i].partitions && slice_eq_c(name, world[i].name)) {
            memset(id, world[i].id, sizeof *id);
            *partitions = world[i].partitions;
            return true;
        }
    }
    return false;
}

static int32_t long_names; /* further topics, which only patterns find */

static void each(void *arg, void (*fn)(void *to, struct slice name), void *to)
{
    char name[201];
    (void)arg;
    memset(name, 'a', sizeof name);
    for (int32_t i = 0; i < long_names; i++)
        fn(to, slice_of(name, 100 + (size_t)i % 100));
    for (size_t i = 0; i < ARRAY_LEN(world); i++) {
        if (world[i].partitions)
            fn(to, slice_cstr(world[i].name));
    }
}

static int64_t now_generation(void *arg)
{
    (void)arg;
    return generation;
}

static const struct next_topics topics = {by_name, each, now_generation, NULL, NULL};
static const struct next_timing timing = {45000, 5000, 5};
static struct arena arena;
static struct group_next *g;

static void begin(void)
{
    (void)!log_set_level("broker.group", LOG_L_ERROR);
    world[0].partitions = 4;
    world[1].partitions = 2;
    world[2].partitions = world[3].partitions = 0;
    for (size_t i = 0; i < ARRAY_LEN(world); i++)
        world[i].id = (uint8_t)(i + 1);
    generation++;
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    g = group_next_new("g", false, 0, &topics);
}

static void end(void)
{
    group_next_free(g);
    arena_release(&arena);
    (void)!log_set_level("broker.group", LOG_L_INFO);
}

/* --- a client --------------------------------------------------------------------------------- */

typedef struct consumer_group_heartbeat_response answer;
struct client {
    const char *id, *instance;
    const char *topics[3];
    const char *regex, *assignor;
    int32_t epoch;
    bool owns[4][16]; /* what it reads: [topic id - 1][partition] */
    bool says_owned;  /* the next heartbeat tells what it owns */
};

static answer *call(struct client *c, int16_t version, bool full, int64_t now)
{
    struct consumer_group_heartbeat_request *in = arena_calloc(&arena, 1, sizeof *in);
    answer *out = arena_calloc(&arena, 1, sizeof *out);
    consumer_group_heartbeat_request_init(in);
    consumer_group_heartbeat_response_init(out);
    in->group_id = SL("g");
    in->member_id = slice_cstr(c->id);
    in->instance_id = slice_cstr(c->instance);
    in->member_epoch = c->epoch;
    in->subscribed_topic_names_count = -1;
    in->topic_partitions_count = -1;
    if (full) {
        in->rebalance_timeout_ms = 60000;
        in->server_assignor = slice_cstr(c->assignor);
        in->subscribed_topic_regex = slice_cstr(c->regex);
        in->subscribed_topic_names = arena_calloc(&arena, 3, sizeof(struct slice));
        in->subscribed_topic_names_count = 0;
        for (int i = 0; i < 3; i++) {
            if (c->topics[i])
                in->subscribed_topic_names[in->subscribed_topic_names_count++] =
                    slice_cstr(c->topics[i]);
        }
    }
    if (full || c->says_owned) {
        in->topic_partitions_count = 0;
        in->topic_partitions = consumer_group_heartbeat_request_topic_partition_array(&arena, 4);
        for (int t = 0; t < 4 && c->epoch > 0; t++) {
            struct consumer_group_heartbeat_request_topic_partition *row =
                &in->topic_partitions[in->topic_partitions_count];
            row->partitions = arena_calloc(&arena, 16, sizeof(int32_t));
            memset(&row->topic_id, t + 1, sizeof row->topic_id);
            for (int32_t p = 0; p < 16; p++) {
                if (c->owns[t][p])
                    row->partitions[row->partitions_count++] = p;
            }
            in->topic_partitions_count += row->partitions_count > 0;
        }
    }
    c->says_owned = false;
    struct group_call k = {.version = version,
                           .client_id = SL("client"),
                           .client_host = SL("/127.0.0.1"),
                           .arena = &arena,
                           .in = in,
                           .out = out};
    struct slice text;
    out->error_code = group_next_check_request(&k, &text);
    if (out->error_code == KERR_NONE)
        group_next_heartbeat(g, &k, &timing, now);
    else
        out->error_message = text;
    return out;
}

/* A heartbeat, and what a client does with the answer: gives up and takes partitions. */
static answer *beat(struct client *c, int64_t now)
{
    answer *out = call(c, 1, c->epoch == 0, now);
    if (out->error_code != KERR_NONE)
        return out;
    c->epoch = out->member_epoch;
    if (out->has_assignment) {
        memset(c->owns, 0, sizeof c->owns);
        for (int32_t t = 0; t < out->assignment.topic_partitions_count; t++) {
            const struct assigned_partitions *row = &out->assignment.topic_partitions[t];
            for (int32_t p = 0; p < row->partitions_count; p++)
                c->owns[row->topic_id.b[0] - 1][row->partitions[p]] = true;
        }
        c->says_owned = true;
    }
    return out;
}

static int count(const struct client *c)
{
    int n = 0;
    for (int t = 0; t < 4; t++) {
        for (int p = 0; p < 16; p++)
            n += c->owns[t][p];
    }
    return n;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_one_member(void)
{
    struct client a = {"a", .topics = {"t"}};
    begin();
    CHECK_INT(group_next_state(g), NEXT_EMPTY);
    answer *out = beat(&a, 0);
    CHECK_INT(out->error_code, KERR_NONE);
    CHECK_INT(out->member_epoch, 1);
    CHECK_INT(out->heartbeat_interval_ms, 5000);
    CHECK_INT(count(&a), 4);
    CHECK_INT(group_next_state(g), NEXT_STABLE);
    out = beat(&a, 10);
    CHECK(!out->has_assignment); /* nothing new */
    CHECK_INT(out->member_epoch, 1);
    CHECK_INT(group_next_deadline(g), 45010);
    out = call(&a, 1, true, 20); /* a full request: the whole assignment again */
    CHECK(out->has_assignment);
    a.epoch = -1;
    CHECK_INT(beat(&a, 30)->member_epoch, -1);
    CHECK_INT(group_next_state(g), NEXT_EMPTY);
    CHECK_INT(g->epoch, 2);
    end();
}

static void test_revocation(void)
{
    struct client a = {"a", .topics = {"t"}}, b = {"b", .topics = {"t"}};
    begin();
    beat(&a, 0);
    answer *out = beat(&b, 0); /* what it shall have is not free yet */
    CHECK_INT(out->member_epoch, 2);
    CHECK_INT(count(&b), 0);
    CHECK_INT(group_next_find(g, SL("b"))->state, MEMBER_UNRELEASED);
    CHECK_INT(group_next_state(g), NEXT_RECONCILING);
    out = call(&a, 1, false, 10); /* owns all of it, says nothing: asked to give up two */
    CHECK_INT(out->member_epoch, 1);
    CHECK_INT(out->assignment.topic_partitions[0].partitions_count, 2);
    CHECK_INT(group_next_find(g, SL("a"))->state, MEMBER_UNREVOKED);
    a.says_owned = true; /* still the old ones */
    out = call(&a, 1, false, 20);
    CHECK_INT(out->member_epoch, 1);
    CHECK(!out->has_assignment);
    CHECK_INT(count(&b), 0);
    beat(&b, 20);
    CHECK_INT(count(&b), 0);
    a.owns[0][2] = a.owns[0][3] = false;
    a.says_owned = true;
    out = beat(&a, 30);
    CHECK_INT(out->member_epoch, 2);
    beat(&b, 40);
    CHECK_INT(count(&b), 2);
    CHECK_INT(group_next_state(g), NEXT_STABLE);
    end();
}

static void test_revocation_times_out(void)
{
    struct client a = {"a", .topics = {"t"}}, b = {"b", .topics = {"t"}};
    begin();
    beat(&a, 0);
    beat(&b, 0);
    call(&a, 1, false, 10); /* asked to revoke */
    for (int64_t now = 10000; now <= 60000; now += 10000) {
        call(&a, 1, false, now); /* lives, but keeps them */
        beat(&b, now);
    }
    CHECK(!group_next_tick(g, 60009));
    CHECK(group_next_tick(g, 60010));
    CHECK(group_next_find(g, SL("a")) == NULL);
    beat(&b, 60020);
    CHECK_INT(count(&b), 4);
    CHECK_INT(call(&a, 1, false, 60030)->error_code, KERR_UNKNOWN_MEMBER_ID);
    end();
}

static void test_session_expires(void)
{
    struct client a = {"a", .topics = {"t"}}, b = {"b", .topics = {"t"}};
    begin();
    beat(&a, 0);
    beat(&b, 1000);
    CHECK(group_next_tick(g, 45000));
    CHECK_INT(group_next_members(g), 1);
    beat(&b, 45010);
    CHECK_INT(count(&b), 4);
    end();
}

static void test_epochs(void)
{
    struct client a = {"a", .topics = {"t"}}, b = {"b", .topics = {"t"}};
    begin();
    beat(&a, 0);
    a.epoch = 2;
    CHECK_INT(call(&a, 1, false, 0)->error_code, KERR_FENCED_MEMBER_EPOCH);
    beat(&b, 0);
    a.epoch = 1;
    a.says_owned = true;
    call(&a, 1, false, 0); /* UNREVOKED */
    a.owns[0][2] = a.owns[0][3] = false;
    a.says_owned = true;
    CHECK_INT(call(&a, 1, false, 0)->member_epoch, 2); /* the answer gets lost: */
    a.says_owned = true;
    CHECK_INT(call(&a, 1, false, 0)->member_epoch, 2); /* previous epoch, subset: accepted */
    CHECK_INT(call(&a, 1, false, 0)->error_code, KERR_FENCED_MEMBER_EPOCH); /* does not say */
    a.epoch = 0; /* abandons everything and joins again */
    CHECK_INT(beat(&a, 0)->error_code, KERR_NONE);
    CHECK_INT(a.epoch, 2);
    CHECK_INT(group_next_check_commit(g, SL("a"), 2, 9), KERR_NONE);
    CHECK_INT(group_next_check_commit(g, SL("a"), 1, 9), KERR_STALE_MEMBER_EPOCH);
    CHECK_INT(group_next_check_commit(g, SL("a"), 2, 8), KERR_UNSUPPORTED_VERSION);
    CHECK_INT(group_next_check_commit(g, SL("x"), 2, 9), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(group_next_check_commit(g, SL(""), -1, 9), KERR_UNKNOWN_MEMBER_ID);
    CHECK_INT(group_next_check_fetch(g, SL("a"), 2), KERR_NONE);
    CHECK_INT(group_next_check_fetch(g, SL("a"), 3), KERR_STALE_MEMBER_EPOCH);
    CHECK_INT(group_next_check_fetch(g, SLICE_NULL, -1), KERR_NONE);
    end();
}

static void test_bad_requests(void)
{
    struct client a = {"a", .topics = {"t"}}, none = {"", .topics = {"t"}};
    begin();
    a.assignor = "best";
    answer *out = call(&a, 1, true, 0);
    CHECK_INT(out->error_code, KERR_UNSUPPORTED_ASSIGNOR);
    CHECK_SLICE(out->error_message, SL("ServerAssignor best is not supported. Supported assignors: "
                                       "uniform, range."));
    a.assignor = NULL;
    CHECK_INT(call(&a, 1, false, 0)->error_code, KERR_INVALID_REQUEST); /* join without timeout */
    CHECK_INT(call(&none, 1, true, 0)->error_code, KERR_INVALID_REQUEST);
    out = call(&none, 0, true, 0); /* version 0: the broker makes an id */
    CHECK_INT(out->error_code, KERR_NONE);
    CHECK_INT(out->member_id.n, 22);
    a.epoch = 3;
    CHECK_INT(call(&a, 1, false, 0)->error_code, KERR_UNKNOWN_MEMBER_ID);
    a.epoch = -2;
    CHECK_INT(call(&a, 1, false, 0)->error_code, KERR_INVALID_REQUEST); /* not static */
    a.epoch = 0;
    a.regex = "foo(";
    out = call(&a, 1, true, 0);
    CHECK_INT(out->error_code, KERR_INVALID_REGULAR_EXPRESSION);
    CHECK_INT(group_next_members(g), 1);
    a.regex = NULL;
    struct client more[] = {{"1"}, {"2"}, {"3"}, {"4"}, {"5"}};
    for (int i = 0; i < 4; i++)
        CHECK_INT(beat(&more[i], 0)->error_code, KERR_NONE);
    CHECK_INT(beat(&more[4], 0)->error_code, KERR_GROUP_MAX_SIZE_REACHED);
    end();
}

/* A pattern may be slow on a few names, not on thousands. */
static void test_costly_pattern(void)
{
    struct client a = {"a", .regex = "(a|a)*[bd]"}, b = {"b", .regex = "a.*[89]|t"};
    begin();
    long_names = 10;
    CHECK_INT(beat(&b, 0)->error_code, KERR_NONE);
    CHECK_INT(count(&b), 4);
    CHECK_INT(beat(&a, 0)->error_code, KERR_NONE);
    a.epoch = 0;
    a.regex = "(a|a)*[bc]";
    long_names = 10000;
    answer *out = call(&a, 1, true, 0);
    CHECK_INT(out->error_code, KERR_INVALID_REGULAR_EXPRESSION);
    CHECK_SLICE(out->error_message, SL("SubscribedTopicRegex `(a|a)*[bc]` is not a valid regular "
                                       "expression: matching it takes too many steps."));
    b.epoch = 0;
    b.regex = "a.*[89]|u"; /* an honest one is not refused, however many topics there are */
    CHECK_INT(call(&b, 1, true, 0)->error_code, KERR_NONE);
    long_names = 0;
    end();
}

static void test_static_members(void)
{
    struct client a = {"a", "one", .topics = {"t"}}, b = {"b", "two", .topics = {"t"}};
    struct client a2 = {"a2", "one", .topics = {"t"}};
    begin();
    beat(&a, 0);
    beat(&b, 0);
    for (int i = 0; i < 4; i++) {
        beat(&a, 0);
        beat(&b, 0);
    }
    CHECK_INT(count(&a), 2);
    int32_t epoch = g->epoch;
    CHECK_INT(beat(&a2, 0)->error_code, KERR_UNRELEASED_INSTANCE_ID);
    a.epoch = -2;
    CHECK_INT(call(&a, 1, false, 10)->member_epoch, -2);
    CHECK_INT(g->epoch, epoch);
    CHECK_INT(beat(&b, 10)->member_epoch, epoch);
    CHECK_INT(count(&b), 2);
    CHECK_INT(beat(&a2, 20)->error_code, KERR_NONE);
    CHECK_INT(a2.epoch, epoch);
    CHECK_INT(g->epoch, epoch);
    CHECK(memcmp(a.owns, a2.owns, sizeof a.owns) == 0);
    a.epoch = epoch;
    CHECK_INT(call(&a, 1, false, 30)->error_code, KERR_FENCED_INSTANCE_ID);
    a2.epoch = -2;
    CHECK_INT(call(&a2, 1, false, 40)->error_code, KERR_NONE);
    CHECK(!group_next_tick(g, 45000));
    beat(&b, 45000);
    CHECK(group_next_tick(g, 45020)); /* it did not come back */
    beat(&b, 45030);
    CHECK_INT(count(&b), 4);
    end();
}

static void test_topics_change(void)
{
    struct client a = {"a", .topics = {"t"}, .regex = "ab.*"};
    begin();
    beat(&a, 0);
    CHECK_INT(count(&a), 4);
    world[0].partitions = 6;
    generation++;
    CHECK_INT(beat(&a, 1)->member_epoch, 2);
    CHECK_INT(count(&a), 6);
    world[2].partitions = 1; /* "ab" is created */
    world[3].partitions = 3;
    generation++;
    beat(&a, 2);
    CHECK_INT(count(&a), 10);
    world[1].partitions++; /* not subscribed */
    generation++;
    CHECK_INT(beat(&a, 3)->member_epoch, 3);
    world[0].partitions = 0; /* "t" is deleted */
    generation++;
    beat(&a, 4);
    CHECK_INT(count(&a), 4);
    beat(&a, 5);
    beat(&a, 6);
    CHECK_INT(group_next_state(g), NEXT_STABLE);
    world[2].partitions = 2;
    generation++;
    beat(&a, 7);
    CHECK_INT(g->topics.count, 2); /* nothing is kept of it */
    CHECK(group_next_subscribes(g, SL("abx")));
    CHECK(group_next_subscribes(g, SL("t")));
    CHECK(!group_next_subscribes(g, SL("u")));
    end();
}

static void test_assignor_by_vote(void)
{
    struct client a = {"a", .topics = {"t", "u"}, .assignor = "range"};
    struct client b = {"b", .topics = {"t", "u"}};
    begin();
    beat(&a, 0);
    beat(&b, 0);
    CHECK_SLICE(g->assignor, SL("range"));
    for (int i = 0; i < 4; i++) {
        beat(&a, 0);
        beat(&b, 0);
    }
    CHECK(a.owns[0][0] && a.owns[0][1] && a.owns[1][0] && count(&a) == 3);
    CHECK(b.owns[0][2] && b.owns[0][3] && b.owns[1][1] && count(&b) == 3);
    end();
}

/* --- chaos ------------------------------------------------------------------------------------ */

#define CLIENTS 5

/* No partition is read by two clients that live. */
static void check_single_owner(const struct client *c, const bool *alive)
{
    for (int t = 0; t < 4; t++) {
        for (int p = 0; p < 16; p++) {
            int n = 0;
            for (int i = 0; i < CLIENTS; i++)
                n += alive[i] && c[i].owns[t][p];
            if (n > 1)
                printf("    topic %d partition %d\n", t, p);
            CHECK(n <= 1);
        }
    }
}

static void forget_client(struct client *c)
{
    memset(c->owns, 0, sizeof c->owns);
    c->epoch = 0;
    c->says_owned = false;
}

static void random_step(struct client *c, bool *alive, int64_t *now)
{
    static const char *const names[] = {"t", "u", "ab", "abc"};
    int i = rand() % CLIENTS, what = rand() % 100;
    *now += rand() % 1500;
    if (group_next_tick(g, *now)) { /* the removed ones notice by themselves (too late to own) */
        for (int k = 0; k < CLIENTS; k++) {
            if (alive[k] && c[k].epoch > 0 && !group_next_find(g, slice_cstr(c[k].id)))
                forget_client(&c[k]);
        }
    }
    if (!alive[i]) {
        if (what < 50) {
            forget_client(&c[i]);
            for (int t = 0; t < 3; t++)
                c[i].topics[t] = rand() % 2 ? names[rand() % 4] : NULL;
            c[i].regex = rand() % 3 ? NULL : "a.*";
            c[i].assignor = rand() % 3 ? NULL : "range";
            alive[i] = true;
        }
        return;
    }
    if (what < 4) { /* dies */
        alive[i] = false;
    } else if (what < 10 && c[i].epoch > 0) { /* leaves */
        c[i].epoch = -1;
        CHECK_INT(call(&c[i], 1, false, *now)->error_code, KERR_NONE);
        forget_client(&c[i]);
        alive[i] = false;
    } else if (what < 13) { /* topics change */
        int t = rand() % 4;
        world[t].partitions += rand() % 3;
        world[t].partitions = MIN(16, world[t].partitions);
        generation++;
    } else if (what < 18) { /* an answer is lost */
        bool said = c[i].says_owned;
        (void)call(&c[i], 1, c[i].epoch == 0, *now);
        c[i].says_owned = said;
    } else {
        answer *out = beat(&c[i], *now);
        if (out->error_code == KERR_FENCED_MEMBER_EPOCH ||
            out->error_code == KERR_UNKNOWN_MEMBER_ID)
            forget_client(&c[i]); /* joins again next time */
        else
            CHECK_INT(out->error_code, KERR_NONE);
    }
}

static void test_chaos(void)
{
    for (unsigned seed = 1; seed <= 60; seed++) {
        static const char *const ids[CLIENTS] = {"a", "b", "c", "d", "e"};
        struct client c[CLIENTS];
        bool alive[CLIENTS] = {false};
        int64_t now = 0;
        memset(c, 0, sizeof c);
        for (int i = 0; i < CLIENTS; i++)
            c[i].id = ids[i];
        srand(seed);
        begin();
        int32_t epoch = 0;
        for (int step = 0; step < 500; step++) {
            random_step(c, alive, &now);
            check_single_owner(c, alive);
            CHECK(g->epoch >= epoch && g->assignment_epoch <= g->epoch);
            epoch = g->epoch;
            if (step % 50 == 0)
                arena_reset(&arena);
        }
        /* then they only report: all come to rest, and everything subscribed is read */
        now += 200000;
        for (int k = 0; k < 3; k++)
            (void)group_next_tick(g, now);
        for (int i = 0; i < CLIENTS; i++) {
            if (alive[i] && !group_next_find(g, slice_cstr(c[i].id)))
                forget_client(&c[i]);
        }
        for (int round = 0; round < 20; round++) {
            for (int i = 0; i < CLIENTS; i++) {
                if (alive[i] && beat(&c[i], now)->error_code != KERR_NONE)
                    forget_client(&c[i]);
                check_single_owner(c, alive);
            }
        }
        CHECK(group_next_state(g) == NEXT_STABLE || group_next_state(g) == NEXT_EMPTY);
        for (int t = 0; t < 4; t++) {
            bool wanted = group_next_subscribes(g, slice_cstr(world[t].name));
            for (int p = 0; p < world[t].partitions; p++) {
                int n = 0;
                for (int i = 0; i < CLIENTS; i++)
                    n += alive[i] && c[i].owns[t][p];
                CHECK_INT(n, wanted ? 1 : 0);
            }
        }
        end();
    }
}

static const struct test_case tests[] = {
    {"one member", test_one_member},
    {"partitions are given up before they are given on", test_revocation},
    {"who does not give up is removed", test_revocation_times_out},
    {"a silent member is removed", test_session_expires},
    {"epochs", test_epochs},
    {"bad requests", test_bad_requests},
    {"a costly pattern is refused", test_costly_pattern},
    {"static members", test_static_members},
    {"topics come, grow and go", test_topics_change},
    {"the assignor that most wish for", test_assignor_by_vote},
    {"random members", test_chaos},
    {NULL, NULL},
};
const struct test_suite test_group_next = {"broker/group/group_next", tests};
