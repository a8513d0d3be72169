/* tests/unit/broker/group/test_member.c - members of groups inside the process: joining, sharing
 * partitions, rebalances, and commits of those that are out. */
#include "broker/member.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "broker/broker_fixture.h"
#include "broker/proto/kerr.h"
#include "helpers.h"

static struct broker_fixture f;
static struct arena arena;
static int number;

static void begin(void)
{
    /* Whoever waits for the delay of first joins waits for longer than this test may take. */
    static const char *const slow[] = {"group.initial.rebalance.delay.ms", "600000", NULL};
    char name[32];
    snprintf(name, sizeof name, "member-%d", number++);
    arena_init(&arena, 0, ARENA_NO_BUDGET);
    CHECK(broker_fixture_start(&f, name, slow));
}

static void end(void)
{
    broker_fixture_stop(&f);
    arena_release(&arena);
}

static void create(const char *name, int32_t partitions)
{
    struct error e;
    struct broker_topic_spec s = {
        .name = slice_cstr(name), .partitions = partitions, .replication_factor = 1};
    CHECK_OK(broker_topic_create(f.broker, &s, &e));
}

/* A member in a thread of its own, which joins again whenever it should, as a task does. */
struct joiner {
    struct broker_member *m;
    pthread_t thread;
    atomic_bool stop;
    atomic_int partitions, joins;
    enum err err;
};

static void *read_on(void *arg)
{
    struct joiner *r = arg;
    const struct slice topics[] = {SL("t"), SL("missing")};
    while (!atomic_load(&r->stop) && !r->err) {
        struct arena a;
        struct broker_group_partition *v;
        size_t n;
        struct error e;
        arena_init(&a, 0, ARENA_NO_BUDGET);
        r->err = broker_member_join(r->m, topics, 2, &r->stop, &a, &v, &n, &e);
        if (!r->err) {
            atomic_store(&r->partitions, (int)n);
            atomic_fetch_add(&r->joins, 1);
        }
        arena_release(&a);
        while (!r->err && !atomic_load(&r->stop) && broker_member_check(r->m) == MEMBER_IN_GROUP)
            usleep(2000);
    }
    return NULL;
}

static void joiner_start(struct joiner *r, const char *client)
{
    memset(r, 0, sizeof *r);
    r->m = broker_member_open(f.broker, SL("connect-c"), slice_cstr(client), 300000);
    CHECK_INT(pthread_create(&r->thread, NULL, read_on, r), 0);
}

static void joiner_stop(struct joiner *r)
{
    atomic_store(&r->stop, true);
    pthread_join(r->thread, NULL);
    broker_member_close(r->m);
}

static bool soon(struct joiner *r, int partitions)
{
    for (int64_t until = clock_mono_ms() + 20000; clock_mono_ms() < until; usleep(2000))
        if (atomic_load(&r->partitions) == partitions)
            return true;
    return false;
}

static void view(struct broker_group_info *out)
{
    struct error e;
    CHECK_OK(broker_group(f.broker, SL("connect-c"), &arena, out, &e));
}

static void test_partitions_are_shared(void)
{
    struct joiner a, b;
    struct broker_group_info g = {0};
    begin();
    create("t", 5);
    joiner_start(&a, "task-0");
    CHECK(soon(&a, 5));
    joiner_start(&b, "task-1");
    CHECK(soon(&a, 3));
    CHECK(soon(&b, 2));
    view(&g);
    CHECK_SLICE(g.state, SL("Stable"));
    CHECK_SLICE(g.protocol_type, SL("consumer"));
    CHECK_SLICE(g.protocol, SL("range"));
    CHECK_INT(g.member_count, 2);
    CHECK_SLICE(g.members[0].host, SL("/127.0.0.1"));
    CHECK(slice_starts(g.members[0].id, g.members[0].client_id));
    CHECK_INT(g.members[0].assigned_count + g.members[1].assigned_count, 5);
    joiner_stop(&b);
    CHECK(soon(&a, 5));
    joiner_stop(&a);
    CHECK_OK(a.err == E_CANCELLED ? E_OK : a.err);
    view(&g);
    CHECK_SLICE(g.state, SL("Empty"));
    end();
}

static void test_commits(void)
{
    struct broker_group_partition *v;
    struct broker_group_info g = {0};
    size_t n;
    struct error e;
    const struct slice topic = SL("t");
    const struct broker_group_offset done = {
        .topic = SL("t"), .partition = 1, .offset = 7, .leader_epoch = -1, .metadata = SL("")};
    begin();
    create("t", 2);
    struct broker_member *m = broker_member_open(f.broker, SL("connect-c"), SL("task-0"), 300000);
    CHECK_OK(broker_member_join(m, &topic, 1, NULL, &arena, &v, &n, &e));
    CHECK_INT(n, 2);
    CHECK_INT(v[1].partition, 1);
    CHECK(broker_member_leads(m));
    CHECK_OK(broker_member_commit(m, &done, 1, &e));
    /* Nobody else sets offsets of a group that lives. */
    CHECK_ERR(broker_group_commit(f.broker, SL("connect-c"), &done, 1, &e), E_CONFLICT);
    CHECK_ERR(broker_group_delete(f.broker, SL("connect-c"), &e), E_CONFLICT);
    /* Out: neither a commit nor another join, for it was made to leave. */
    broker_member_leave(m);
    CHECK_INT(broker_member_check(m), MEMBER_LOST);
    CHECK_ERR(broker_member_commit(m, &done, 1, &e), E_CONFLICT);
    CHECK_ERR(broker_member_join(m, &topic, 1, NULL, &arena, &v, &n, &e), E_CANCELLED);
    broker_member_close(m);
    view(&g);
    CHECK_INT(g.offset_count, 1);
    CHECK_INT(g.offsets[0].offset, 7);
    CHECK_OK(broker_group_delete(f.broker, SL("connect-c"), &e));
    end();
}

/* Another member that hangs holds up a join; the one that waits can be told to give up, and the one
 * that hangs can be made to leave. */
static void test_waiting_for_one_that_hangs(void)
{
    struct broker_group_partition *v;
    size_t n;
    struct error e;
    struct joiner b;
    const struct slice topic = SL("t");
    begin();
    create("t", 2);
    struct broker_member *m = broker_member_open(f.broker, SL("connect-c"), SL("task-0"), 300000);
    CHECK_OK(broker_member_join(m, &topic, 1, NULL, &arena, &v, &n, &e));
    joiner_start(&b, "task-1");
    for (int i = 0; i < 2000 && broker_member_check(m) == MEMBER_IN_GROUP; i++)
        usleep(2000);
    CHECK_INT(broker_member_check(m), MEMBER_REJOIN);
    joiner_stop(&b);
    CHECK_INT(b.err, E_CANCELLED);
    CHECK_INT(atomic_load(&b.joins), 0);
    joiner_start(&b, "task-1");
    broker_member_leave(m);
    CHECK(soon(&b, 2));
    joiner_stop(&b);
    broker_member_close(m);
    end();
}

static const struct test_case tests[] = {
    {"partitions are shared", test_partitions_are_shared},
    {"commits", test_commits},
    {"waiting for one that hangs", test_waiting_for_one_that_hangs},
    {NULL, NULL},
};
const struct test_suite test_member = {"broker/group/member", tests, NULL, NULL};
