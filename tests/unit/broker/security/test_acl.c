/* tests/unit/broker/security/test_acl.c - which entries fit which question, filters, the store. SPEC: broker
 * 11.5 */
#include "broker/security/acl.h"

#include "base/base.h"
#include "base/mem.h"
#include "helpers.h"

static struct db *db;
static char *path;

static struct acl_store *open_store(const char *super_users, bool allow_if_none)
{
    struct acl_store *s = NULL;
    struct error e;
    CHECK_OK(acl_store_open(&s, db, slice_cstr(super_users), allow_if_none, &e));
    return s;
}

static struct acl entry(enum acl_permission permission, const char *principal, const char *host,
                        enum acl_op op, enum acl_type type, enum acl_pattern pattern,
                        const char *name)
{
    return (struct acl){.type = type,
                        .pattern = pattern,
                        .op = op,
                        .permission = permission,
                        .name = slice_cstr(name),
                        .principal = slice_cstr(principal),
                        .host = slice_cstr(host)};
}

static void add(struct acl_store *s, struct acl a)
{
    struct error e;
    CHECK_OK(acl_check(&a, &e));
    CHECK_OK(acl_store_add(s, &a, 1, &e));
}

static void clear(struct acl_store *s)
{
    struct arena a;
    struct error e;
    size_t n;
    const struct acl all = {.type = ACL_TYPE_ANY,
                            .pattern = ACL_PATTERN_ANY,
                            .op = ACL_OP_ANY,
                            .permission = ACL_PERMISSION_ANY};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct acl *v = acl_store_find(s, &all, &a, &n);
    CHECK_OK(acl_store_remove(s, v, n, &e));
    (void)acl_store_find(s, &all, &a, &n);
    CHECK_INT(n, 0);
    arena_release(&a);
}

static bool may(struct acl_store *s, const char *principal, const char *host, enum acl_op op,
                const char *topic)
{
    return acl_store_allows(s, slice_cstr(principal), slice_cstr(host), op, ACL_TOPIC,
                            slice_cstr(topic));
}

#define ALICE "User:alice"

static void test_questions(void)
{
    struct acl_store *s = open_store("User:admin; User:CN=ops,O=x", false);
    CHECK(!may(s, ALICE, "1.1.1.1", ACL_READ, "t"));
    CHECK(may(s, "User:admin", "1.1.1.1", ACL_ALTER, "t"));
    CHECK(may(s, "User:CN=ops,O=x", "1.1.1.1", ACL_ALTER, "t"));
    add(s, entry(ACL_ALLOW, ALICE, "*", ACL_READ, ACL_TOPIC, ACL_LITERAL, "t"));
    CHECK(may(s, ALICE, "1.1.1.1", ACL_READ, "t"));
    CHECK(may(s, ALICE, "1.1.1.1", ACL_DESCRIBE, "t")); /* implied */
    CHECK(!may(s, ALICE, "1.1.1.1", ACL_WRITE, "t"));
    CHECK(!may(s, ALICE, "1.1.1.1", ACL_READ, "t2"));
    CHECK(!may(s, "User:bob", "1.1.1.1", ACL_READ, "t"));
    CHECK(!acl_store_allows(s, SL(ALICE), SL("1.1.1.1"), ACL_READ, ACL_GROUP, SL("t")));
    add(s, entry(ACL_DENY, ALICE, "2.2.2.2", ACL_ALL, ACL_TOPIC, ACL_LITERAL, "*"));
    CHECK(may(s, ALICE, "1.1.1.1", ACL_READ, "t"));
    CHECK(!may(s, ALICE, "2.2.2.2", ACL_READ, "t"));
    CHECK(!may(s, ALICE, "2.2.2.2", ACL_DESCRIBE, "t"));
    add(s, entry(ACL_ALLOW, "User:*", "*", ACL_ALTER_CONFIGS, ACL_TOPIC, ACL_PREFIXED, "logs-"));
    CHECK(may(s, "User:bob", "3.3.3.3", ACL_DESCRIBE_CONFIGS, "logs-a"));
    CHECK(may(s, "User:bob", "3.3.3.3", ACL_ALTER_CONFIGS, "logs-"));
    CHECK(!may(s, "User:bob", "3.3.3.3", ACL_ALTER_CONFIGS, "logs"));
    add(s,
        entry(ACL_DENY, "User:bob", "*", ACL_DESCRIBE_CONFIGS, ACL_TOPIC, ACL_PREFIXED, "logs-a"));
    CHECK(!may(s, "User:bob", "3.3.3.3", ACL_DESCRIBE_CONFIGS, "logs-ab"));
    CHECK(may(s, "User:bob", "3.3.3.3", ACL_ALTER_CONFIGS, "logs-ab")); /* a DENY implies nothing */
    clear(s);
    acl_store_close(s);
}

static void test_open_to_all(void)
{
    struct acl_store *s = open_store(NULL, true);
    CHECK(may(s, ALICE, "1.1.1.1", ACL_READ, "t"));
    add(s, entry(ACL_ALLOW, "User:bob", "*", ACL_READ, ACL_TOPIC, ACL_LITERAL, "t"));
    CHECK(!may(s, ALICE, "1.1.1.1", ACL_READ, "t")); /* there is a list now */
    CHECK(may(s, ALICE, "1.1.1.1", ACL_READ, "other"));
    clear(s);
    CHECK(may(s, ALICE, "1.1.1.1", ACL_READ, "t"));
    acl_store_close(s);
}

static void test_some(void)
{
    struct acl_store *s = open_store(NULL, false);
#define SOME acl_store_allows_some(s, SL(ALICE), SL("1.1.1.1"), ACL_WRITE, ACL_TOPIC)
    CHECK(!SOME);
    add(s, entry(ACL_ALLOW, ALICE, "*", ACL_WRITE, ACL_TOPIC, ACL_PREFIXED, "foo-bar"));
    CHECK(SOME);
    add(s, entry(ACL_DENY, ALICE, "*", ACL_WRITE, ACL_TOPIC, ACL_PREFIXED, "foo"));
    CHECK(!SOME); /* everything that is allowed is forbidden too */
    add(s, entry(ACL_ALLOW, "User:*", "1.1.1.1", ACL_ALL, ACL_TOPIC, ACL_LITERAL, "x"));
    CHECK(SOME);
    add(s, entry(ACL_DENY, ALICE, "*", ACL_ALL, ACL_TOPIC, ACL_LITERAL, "*"));
    CHECK(!SOME);
    clear(s);
    acl_store_close(s);
}

static void test_filters(void)
{
    const struct acl wild = entry(ACL_ALLOW, ALICE, "*", ACL_READ, ACL_TOPIC, ACL_LITERAL, "*"),
                     literal =
                         entry(ACL_ALLOW, ALICE, "*", ACL_READ, ACL_TOPIC, ACL_LITERAL, "foo"),
                     prefix = entry(ACL_DENY, ALICE, "h", ACL_ALL, ACL_TOPIC, ACL_PREFIXED, "fo");
    struct acl f = {.type = ACL_TOPIC,
                    .pattern = ACL_PATTERN_MATCH,
                    .op = ACL_OP_ANY,
                    .permission = ACL_PERMISSION_ANY,
                    .name = SL("foo")};
    CHECK(acl_matches(&f, &wild) && acl_matches(&f, &literal) && acl_matches(&f, &prefix));
    f.pattern = ACL_PATTERN_ANY;
    CHECK(!acl_matches(&f, &wild) && acl_matches(&f, &literal) && !acl_matches(&f, &prefix));
    f.pattern = ACL_PREFIXED;
    CHECK(!acl_matches(&f, &literal) && !acl_matches(&f, &prefix));
    f.name = SLICE_NULL;
    CHECK(acl_matches(&f, &prefix) && !acl_matches(&f, &wild));
    f.pattern = ACL_PATTERN_ANY;
    f.permission = ACL_DENY;
    CHECK(acl_matches(&f, &prefix) && !acl_matches(&f, &wild));
    f.host = SL("*");
    CHECK(!acl_matches(&f, &prefix));
    f.host = SL("h");
    f.op = ACL_READ;
    CHECK(!acl_matches(&f, &prefix)); /* filters look at entries, not at what they imply */
    f.type = ACL_GROUP;
    f.op = ACL_ALL;
    CHECK(!acl_matches(&f, &prefix));
}

static void test_checks(void)
{
    struct error e;
    struct acl a =
        entry(ACL_ALLOW, ALICE, "*", ACL_READ, ACL_CLUSTER, ACL_LITERAL, "kafka-cluster");
    CHECK_OK(acl_check(&a, &e));
    a.name = SL("other");
    CHECK_ERR(acl_check(&a, &e), E_INVALID);
    CHECK_STR(e.msg, "The only valid name for the CLUSTER resource is kafka-cluster");
    a = entry(ACL_ALLOW, "alice", "*", ACL_READ, ACL_TOPIC, ACL_LITERAL, "t");
    CHECK_ERR(acl_check(&a, &e), E_INVALID);
    CHECK(strstr(e.msg, "Could not parse principal from `alice`") != NULL);
    a = entry(ACL_ALLOW, ALICE, "*", ACL_READ, ACL_TOPIC, ACL_PATTERN_MATCH, "t");
    CHECK_ERR(acl_check(&a, &e), E_INVALID);
    a = entry(ACL_ALLOW, ALICE, "*", ACL_OP_ANY, ACL_TOPIC, ACL_LITERAL, "t");
    CHECK_ERR(acl_check(&a, &e), E_INVALID);
    a = entry(ACL_ALLOW, ALICE, "*", ACL_READ, ACL_TOPIC, ACL_LITERAL, "");
    CHECK_ERR(acl_check(&a, &e), E_INVALID);
    CHECK_INT(acl_type_operations(ACL_TOPIC), 3576);
    CHECK_INT(acl_type_operations(ACL_CLUSTER), 8096);
    CHECK_INT(acl_type_operations(ACL_GROUP), 3400);
}

/* Entries are there after a restart, once each. */
static void test_super_users(void)
{
    static const char *const good[] = {"", "User:admin",
                                       "User:admin;User:CN=ops,OU=People,O=Example",
                                       " User:a ; Group:b ;", "User:a:b"};
    static const struct {
        const char *list, *msg, *hint;
    } bad[] = {
        {"admin", "super.users: 'admin' has no type before the name",
         "write User:admin; several are separated by semicolons"},
        {"User:a;bob", "super.users: 'bob' has no type before the name",
         "write User:bob; several are separated by semicolons"},
        {":a", "super.users: ':a' has no type before the name",
         "write User:a; several are separated by semicolons"},
        {"User:a,User:b", "super.users: 'User:a,User:b' is more than one name",
         "separate them by semicolons: User:a;User:b"},
        {"User:a, User:b", "super.users: 'User:a, User:b' is more than one name",
         "separate them by semicolons: User:a;User:b"},
    };
    struct error e;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        CHECK_OK(acl_check_super_users(slice_cstr(good[i]), &e));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK_ERR(acl_check_super_users(slice_cstr(bad[i].list), &e), E_INVALID);
        CHECK_STR(e.msg, bad[i].msg);
        CHECK_STR(e.hint, bad[i].hint);
    }
}

static void test_store(void)
{
    struct acl_store *s = open_store(NULL, false);
    struct arena a;
    size_t n;
    char name[300];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    for (int i = 0; i < 2; i++) {
        add(s, entry(ACL_ALLOW, ALICE, "*", ACL_READ, ACL_TOPIC, ACL_PREFIXED, name));
        add(s, entry(ACL_ALLOW, ALICE, "*", ACL_READ, ACL_TOPIC, ACL_LITERAL, "b"));
        add(s, entry(ACL_ALLOW, ALICE, "*", ACL_READ, ACL_TOPIC, ACL_LITERAL, "a"));
    }
    acl_store_close(s);
    s = open_store(NULL, false);
    CHECK(may(s, ALICE, "1.1.1.1", ACL_READ, name));
    const struct acl f = {.type = ACL_TOPIC,
                          .pattern = ACL_PATTERN_ANY,
                          .op = ACL_OP_ANY,
                          .permission = ACL_PERMISSION_ANY};
    arena_init(&a, 0, ARENA_NO_BUDGET);
    struct acl *v = acl_store_find(s, &f, &a, &n);
    CHECK_INT(n, 3);
    CHECK_SLICE(v[0].name, SL("a"));
    CHECK_SLICE(v[1].name, SL("b"));
    clear(s);
    acl_store_close(s);
    s = open_store(NULL, false);
    (void)acl_store_find(s, &f, &a, &n);
    CHECK_INT(n, 0);
    arena_release(&a);
    acl_store_close(s);
}

static int setup(void)
{
    struct error e;
    static const struct db_migrations *const migrations[] = {&acl_migrations, NULL};
    path = xasprintf("%s/acl.db", test_dir());
    return db_open(&db, path, false, migrations, &e) == E_OK ? 0 : 1;
}

static int teardown(void)
{
    db_close(db);
    mem_free(path);
    return 0;
}

static const struct test_case tests[] = {
    {"questions", test_questions},
    {"open to all", test_open_to_all},
    {"on some resource", test_some},
    {"filters", test_filters},
    {"what may be stored", test_checks},
    {"super users", test_super_users},
    {"store", test_store},
    {NULL, NULL},
};
const struct test_suite test_acl = {"broker/security/acl", tests, setup, teardown};
