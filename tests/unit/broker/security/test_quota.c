/* tests/unit/broker/security/test_quota.c - which quota holds, how long a client waits, the store. SPEC:
 * broker 11.6 */
#include "broker/security/quota.h"

#include "base/base.h"
#include "base/mem.h"
#include "broker/security/conn_limit.h"
#include "helpers.h"

#include <arpa/inet.h>

static struct db *db;
static char *path;

static struct quotas *open_quotas(void)
{
    struct quotas *q = NULL;
    struct error e;
    CHECK_OK(quotas_open(&q, db, &e));
    return q;
}

/* user and client: NULL not part, "" default. value 0: removes. */
static void set(struct quotas *q, const char *user, const char *client, enum quota_key k,
                double value)
{
    struct error e;
    struct quota_change c = {0};
    c.entity.has[QUOTA_USER] = user != NULL;
    c.entity.has[QUOTA_CLIENT_ID] = client != NULL;
    c.entity.name[QUOTA_USER] = user && *user ? slice_cstr(user) : SLICE_NULL;
    c.entity.name[QUOTA_CLIENT_ID] = client && *client ? slice_cstr(client) : SLICE_NULL;
    c.set.set[k] = value > 0;
    c.gone[k] = value <= 0;
    c.set.value[k] = value;
    CHECK_OK(quotas_change(q, &c, 1, &e));
}

static double limit(struct quotas *q, const char *user, const char *client)
{
    double v = 0;
    return quotas_limit(q, slice_cstr(user), slice_cstr(client), QUOTA_PRODUCER_BYTES, &v) ? v : -1;
}

static void test_precedence(void)
{
    struct quotas *q = open_quotas();
    static const char *const rows[][2] = {{NULL, ""}, {NULL, "c"}, {"", NULL}, {"", ""},
                                          {"", "c"},  {"u", NULL}, {"u", ""},  {"u", "c"}};
    CHECK(!quotas_any(q));
    CHECK(limit(q, "u", "c") == -1);
    for (int i = 0; i < 8; i++) { /* each is stronger than those before */
        set(q, rows[i][0], rows[i][1], QUOTA_PRODUCER_BYTES, 100 + i);
        CHECK(limit(q, "u", "c") == 100 + i);
    }
    CHECK(quotas_any(q));
    CHECK(limit(q, "u", "other") == 106);
    CHECK(limit(q, "other", "c") == 104);
    CHECK(limit(q, "other", "other") == 103);
    quotas_close(q);
    q = open_quotas(); /* as after a restart */
    CHECK(limit(q, "u", "c") == 107);
    struct arena a;
    size_t n;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    (void)quotas_list(q, &a, &n);
    CHECK_INT(n, 8);
    for (int i = 7; i >= 0; i--) {
        CHECK(limit(q, "u", "c") == 100 + i);
        set(q, rows[i][0], rows[i][1], QUOTA_PRODUCER_BYTES, 0);
    }
    CHECK(!quotas_any(q));
    (void)quotas_list(q, &a, &n);
    CHECK_INT(n, 0);
    arena_release(&a);
    quotas_close(q);
}

#define CHARGE(user, bytes, at)                                                                    \
    quotas_charge(q, SL(user), SL("c"), QUOTA_PRODUCER_BYTES, (bytes), (at))

static void test_waits(void)
{
    struct quotas *q = open_quotas();
    set(q, "", NULL, QUOTA_PRODUCER_BYTES, 1000);
    set(q, "other", NULL, QUOTA_PRODUCER_BYTES, 1000);
    CHECK_INT(CHARGE("u", 10000, 5000), 0);     /* the window of ten seconds is full */
    CHECK_INT(CHARGE("u", 1, 5000), 1);         /* a thousandth of a second too much */
    CHECK_INT(CHARGE("u", 49999, 5000), 50000); /* six times the window: five to wait */
    CHECK_INT(CHARGE("v", 10000, 5000), 0);     /* the default is for each user apart */
    CHECK_INT(CHARGE("other", 10000, 5000), 0);
    CHECK_INT(CHARGE("u", 0, 5000 + 11000), 0); /* it has left the window */
    /* at a steady rate nobody waits */
    for (int i = 0; i < 600; i++)
        CHECK_INT(CHARGE("w", 95, 100000 + i * 100), 0);
    CHECK(CHARGE("w", 3000, 160000) > 0);
    CHECK_INT(quotas_charge(q, SL("u"), SL("c"), QUOTA_CONSUMER_BYTES, 1e9, 5000), 0);
    set(q, "", NULL, QUOTA_REQUEST_PERCENT, 10);
    CHECK_INT(quotas_charge(q, SL("u"), SL("c"), QUOTA_REQUEST_PERCENT, 100000, 5000), 1000);
    set(q, "", NULL, QUOTA_REQUEST_PERCENT, 0);
    set(q, "", NULL, QUOTA_PRODUCER_BYTES, 0);
    set(q, "other", NULL, QUOTA_PRODUCER_BYTES, 0);
    quotas_close(q);
}

/* While there is no room for more meters, newcomers share one; it comes back after a window. */
static void test_many_clients(void)
{
    struct quotas *q = open_quotas();
    set(q, NULL, "", QUOTA_PRODUCER_BYTES, 1000);
    for (int i = 0; i < 10000; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "c%d", i);
        CHECK_INT(
            quotas_charge(q, SL("u"), slice_of(name, (size_t)n), QUOTA_PRODUCER_BYTES, 1, 100000),
            0);
    }
#define CLIENT(name, at) quotas_charge(q, SL("u"), SL(name), QUOTA_PRODUCER_BYTES, 10000, (at))
    CHECK_INT(CLIENT("new", 100000), 0);
    CHECK(CLIENT("newer", 100000) > 0);
    CHECK_INT(quotas_charge(q, SL("u"), SL("c7"), QUOTA_PRODUCER_BYTES, 9999, 100000), 0);
    CHECK_INT(CLIENT("new", 111000), 0); /* the quiet ones are gone */
    CHECK_INT(CLIENT("newer", 111000), 0);
    set(q, NULL, "", QUOTA_PRODUCER_BYTES, 0);
    quotas_close(q);
}

static void test_many_entities(void)
{
    struct quotas *q = open_quotas();
    struct error e;
    size_t n = QUOTA_ENTITIES_MAX + 1, count;
    struct arena a;
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct quota_change *v = arena_calloc(&a, n, sizeof *v);
    for (size_t i = 0; i < n; i++) {
        v[i].entity.has[QUOTA_USER] = true;
        v[i].entity.name[QUOTA_USER] = slice_cstr(arena_printf(&a, "u%zu", i));
        v[i].set.set[QUOTA_PRODUCER_BYTES] = true;
        v[i].set.value[QUOTA_PRODUCER_BYTES] = 5;
    }
    CHECK_ERR(quotas_change(q, v, n, &e), E_TOO_LARGE);
    (void)quotas_list(q, &a, &count);
    CHECK_INT(count, 0);
    CHECK_OK(quotas_change(q, v, 3, &e));
    quotas_close(q);
    q = open_quotas();
    (void)quotas_list(q, &a, &count);
    CHECK_INT(count, 3);
    for (int i = 0; i < 3; i++) {
        v[i].set.set[QUOTA_PRODUCER_BYTES] = false;
        v[i].gone[QUOTA_PRODUCER_BYTES] = true;
    }
    CHECK_OK(quotas_change(q, v, 3, &e));
    CHECK(!quotas_any(q));
    arena_release(&a);
    quotas_close(q);
}

static void test_addresses(void)
{
    struct quotas *q = open_quotas();
    struct error e;
    struct quota_change c = {.entity.has = {[QUOTA_IP] = true}};
    CHECK_INT(quotas_charge_ip(q, SL("1.1.1.1"), 1000), 0);
    c.set.set[QUOTA_CONNECTIONS] = true;
    c.set.value[QUOTA_CONNECTIONS] = 1;
    CHECK_OK(quotas_change(q, &c, 1, &e));
    for (int i = 0; i < 10; i++)
        CHECK_INT(quotas_charge_ip(q, SL("1.1.1.1"), 1000), 0);
    CHECK_INT(quotas_charge_ip(q, SL("1.1.1.1"), 1000), 1000);
    CHECK_INT(quotas_charge_ip(q, SL("2.2.2.2"), 1000), 0);
    c.set.set[QUOTA_CONNECTIONS] = false;
    c.gone[QUOTA_CONNECTIONS] = true;
    CHECK_OK(quotas_change(q, &c, 1, &e));
    CHECK(!quotas_any(q));
    quotas_close(q);
}

static void test_connections_of_an_address(void)
{
    struct conn_limit l;
    union sockaddr_any a = {.in = {.sin_family = AF_INET}}, b = {.in = {.sin_family = AF_INET}};
    inet_pton(AF_INET, "10.0.0.1", &a.in.sin_addr);
    inet_pton(AF_INET, "10.0.0.2", &b.in.sin_addr);
    conn_limit_init(&l);
    CHECK(conn_limit_enter(&l, &a, 2));
    CHECK(conn_limit_enter(&l, &a, 2));
    CHECK(!conn_limit_enter(&l, &a, 2));
    CHECK(conn_limit_enter(&l, &b, 2));
    conn_limit_leave(&l, &a);
    CHECK(conn_limit_enter(&l, &a, 2));
    CHECK(!conn_limit_enter(&l, &a, 2));
    CHECK_INT(conn_limit_of(&a, SL("10.0.0.2:7, 10.0.0.1:0"), 5), 0);
    CHECK_INT(conn_limit_of(&b, SL("10.0.0.2:7,10.0.0.1:0"), 5), 7);
    CHECK_INT(conn_limit_of(&a, SL("10.0.0.1:x,nonsense"), 5), 5);
    conn_limit_leave(&l, &a);
    conn_limit_leave(&l, &a);
    conn_limit_leave(&l, &b);
    CHECK_INT(l.counts.count, 0);
    conn_limit_release(&l);
}

static int setup(void)
{
    struct error e;
    static const struct db_migrations *const migrations[] = {&quota_migrations, NULL};
    path = xasprintf("%s/quota.db", test_dir());
    return db_open(&db, path, false, migrations, &e) == E_OK ? 0 : 1;
}

static int teardown(void)
{
    db_close(db);
    mem_free(path);
    return 0;
}

static const struct test_case tests[] = {
    {"which one holds", test_precedence},
    {"how long a client waits", test_waits},
    {"more clients than meters", test_many_clients},
    {"many entities", test_many_entities},
    {"addresses", test_addresses},
    {"connections of an address", test_connections_of_an_address},
    {NULL, NULL},
};
const struct test_suite test_quota = {"broker/security/quota", tests, setup, teardown};
