/* tests/unit/broker/group/test_assignor.c - uniform, range and simple: complete, without doubles, even,
 * and sticky. SPEC: broker 8.4, 8.5. */
#include "broker/group/assignor.h"

#include "base/base.h"
#include "helpers.h"

#include <stdlib.h>

static struct arena a;

static int32_t *topics_of(int n, const int32_t *v)
{
    int32_t *out = arena_alloc(&a, ((size_t)n + 1) * sizeof *out);
    memcpy(out, v, (size_t)n * sizeof *out);
    return out;
}
#define TOPICS(m, ...)                                                                             \
    ((m).topics =                                                                                  \
         topics_of(ARRAY_LEN(((const int32_t[]){__VA_ARGS__})), (const int32_t[]){__VA_ARGS__}),   \
     (m).topic_count = ARRAY_LEN(((const int32_t[]){__VA_ARGS__})))

/* How many members have each partition; CHECKs that they subscribe to it. */
static int readers(const struct assign_input *in, int32_t topic, int32_t partition)
{
    int n = 0;
    for (size_t i = 0; i < in->member_count; i++) {
        for (size_t k = 0; k < in->members[i].target.n; k++) {
            const struct assign_tp *tp = &in->members[i].target.v[k];
            n += tp->topic == topic && tp->partition == partition;
        }
    }
    return n;
}

static void check_complete(const struct assign_input *in)
{
    for (size_t t = 0; t < in->topic_count; t++) {
        bool wanted = false;
        for (size_t i = 0; i < in->member_count; i++) {
            for (size_t k = 0; k < in->members[i].topic_count; k++)
                wanted |= in->members[i].topics[k] == (int32_t)t;
        }
        for (int32_t p = 0; p < in->partitions[t]; p++)
            CHECK_INT(readers(in, (int32_t)t, p), wanted ? 1 : 0);
    }
}

static char *text_of(const struct assign_list *l)
{
    char *out = arena_strdup(&a, "");
    for (size_t i = 0; i < l->n; i++)
        out = arena_printf(&a, "%s%s%d:%d", out, i ? " " : "", l->v[i].topic, l->v[i].partition);
    return out;
}

static void keep(struct assign_input *in)
{
    for (size_t i = 0; i < in->member_count; i++)
        in->members[i].owned = in->members[i].target;
}

static void test_uniform(void)
{
    static const int32_t partitions[] = {4, 3};
    struct assign_member m[3] = {{.id = SL("a")}, {.id = SL("b")}, {.id = SL("c")}};
    struct assign_input in = {partitions, 2, m, 2, &a};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (int i = 0; i < 3; i++)
        TOPICS(m[i], 0, 1);
    assign_uniform(&in);
    check_complete(&in);
    CHECK_STR(text_of(&m[0].target), "0:0 0:1 0:2 1:2");
    CHECK_STR(text_of(&m[1].target), "0:3 1:0 1:1");
    keep(&in);
    in.member_count = 3; /* the newcomer gets what is too much for the others */
    assign_uniform(&in);
    check_complete(&in);
    CHECK_STR(text_of(&m[0].target), "0:0 0:1 0:2");
    CHECK_STR(text_of(&m[1].target), "0:3 1:0");
    CHECK_STR(text_of(&m[2].target), "1:1 1:2");
    keep(&in);
    in.members = &m[1]; /* the first leaves: the others keep theirs */
    in.member_count = 2;
    assign_uniform(&in);
    check_complete(&in);
    CHECK_STR(text_of(&m[1].target), "0:0 0:2 0:3 1:0");
    CHECK_STR(text_of(&m[2].target), "0:1 1:1 1:2");
    arena_release(&a);
}

static void test_uniform_unequal(void)
{
    static const int32_t partitions[] = {6, 2, 1};
    struct assign_member m[3] = {{.id = SL("a")}, {.id = SL("b")}, {.id = SL("c")}};
    struct assign_input in = {partitions, 3, m, 3, &a};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    TOPICS(m[0], 0);
    TOPICS(m[1], 0, 1);
    TOPICS(m[2], 1); /* topic 2: nobody */
    assign_uniform(&in);
    check_complete(&in);
    CHECK_INT(m[0].target.n, 3);
    CHECK_INT(m[1].target.n, 3);
    CHECK_INT(m[2].target.n, 2);
    arena_release(&a);
}

static void test_range(void)
{
    static const int32_t partitions[] = {5, 2};
    struct assign_member m[3] = {
        {.id = SL("z"), .instance_id = SL("i")}, {.id = SL("b")}, {.id = SL("a")}};
    struct assign_input in = {partitions, 2, m, 3, &a};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (int i = 0; i < 3; i++)
        TOPICS(m[i], 0, 1);
    assign_range(&in);
    check_complete(&in);
    CHECK_STR(text_of(&m[0].target), "0:0 0:1 1:0"); /* static ones first */
    CHECK_STR(text_of(&m[2].target), "0:2 0:3 1:1"); /* then by id */
    CHECK_STR(text_of(&m[1].target), "0:4");
    arena_release(&a);
}

static void test_simple(void)
{
    static const int32_t partitions[] = {3};
    struct assign_member m[5] = {0};
    struct assign_input in = {partitions, 1, m, 2, &a};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    for (int i = 0; i < 5; i++)
        TOPICS(m[i], 0);
    assign_simple(&in);
    CHECK_STR(text_of(&m[0].target), "0:0 0:2");
    CHECK_STR(text_of(&m[1].target), "0:1");
    in.member_count = 5; /* more members than partitions: shared */
    assign_simple(&in);
    for (int i = 0; i < 5; i++)
        CHECK_INT(m[i].target.n, 1);
    for (int32_t p = 0; p < 3; p++)
        CHECK(readers(&in, 0, p) >= 1);
    arena_release(&a);
}

/* Random groups through random changes. */
static void test_random(void)
{
    srand(7);
    for (int round = 0; round < 300; round++) {
        int32_t partitions[5];
        struct assign_member m[8] = {0};
        arena_init(&a, 0, ARENA_NO_BUDGET);
        bool equal = rand() % 2;
        struct assign_input in = {partitions, (size_t)(rand() % 6), m, (size_t)(rand() % 9), &a};
        for (size_t t = 0; t < in.topic_count; t++)
            partitions[t] = rand() % 9;
        for (size_t i = 0; i < in.member_count; i++) {
            int32_t *topics = arena_alloc(&a, 8 * sizeof *topics);
            m[i].id = slice_cstr(arena_printf(&a, "m%zu", i));
            m[i].topics = topics;
            for (size_t t = 0; t < in.topic_count; t++) {
                if (equal || rand() % 2)
                    topics[m[i].topic_count++] = (int32_t)t;
            }
        }
        for (int step = 0; step < 4; step++) {
            assign_uniform(&in);
            check_complete(&in);
            size_t least = SIZE_MAX, most = 0;
            for (size_t i = 0; i < in.member_count; i++) {
                least = MIN(least, m[i].target.n);
                most = MAX(most, m[i].target.n);
            }
            if (equal && in.member_count)
                CHECK(most - least <= 1);
            keep(&in);
            for (size_t i = 0; i < in.member_count; i++)
                in.members[i].target = (struct assign_list){0};
            assign_uniform(&in); /* nothing has changed: nothing moves */
            for (size_t i = 0; i < in.member_count; i++)
                CHECK_STR(text_of(&m[i].target), text_of(&m[i].owned));
            assign_range(&in);
            check_complete(&in);
            for (size_t t = 0; t < in.topic_count; t++)
                partitions[t] += rand() % 2;
            if (in.member_count > 1 && rand() % 2)
                in.member_count--;
        }
        arena_release(&a);
    }
}

static const struct test_case tests[] = {
    {"uniform, equal subscriptions", test_uniform},
    {"uniform, unequal subscriptions", test_uniform_unequal},
    {"range", test_range},
    {"simple", test_simple},
    {"random groups", test_random},
    {NULL, NULL},
};
const struct test_suite test_assignor = {"broker/group/assignor", tests};
