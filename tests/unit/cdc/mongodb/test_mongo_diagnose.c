/* Verdicts out of answers that are hard to bring about with servers; the others are in
 * tests/live/mongodb/test_mongo_doctor.py. SPEC: cdc-mongodb 3.4 */
#include "cdc/mongodb/diagnose.h"

#include "base/container.h"
#include "helpers.h"

static struct mongo_target target;

static void aim(const char *uri)
{
    struct mongo_options o = {.connection_string = slice_cstr(uri)};
    mongo_target_release(&target);
    CHECK_OK(mongo_target_init(&target, &o, NULL, NULL));
}

static struct mongo_probe answer(const char *host, const char *set)
{
    struct mongo_probe p = {.state = PROBE_ANSWERED, .max_wire_version = 17};
    CHECK_OK(mongo_host_parse(slice_cstr(host), &p.host));
    snprintf(p.set_name, sizeof p.set_name, "%s", set);
    return p;
}

static struct mongo_probe silent(const char *host, enum mongo_probe_state state, const char *why)
{
    struct mongo_probe p = {.state = state};
    CHECK_OK(mongo_host_parse(slice_cstr(host), &p.host));
    snprintf(p.why, sizeof p.why, "%s", why);
    return p;
}

static struct mongo_verdict verdict;
static enum mongo_finding judge(const struct mongo_probe *seeds, size_t n,
                                const struct mongo_probe *members, size_t m)
{
    mongo_judge(&target, seeds, n, members, m, &verdict);
    return verdict.finding;
}

static void test_fine(void)
{
    struct mongo_probe p = answer("a", "rs0"), m[] = {p, answer("b", "rs0")};
    m[1].writable = true;
    aim("mongodb://a/?replicaSet=rs0");
    CHECK_INT(judge(&p, 1, m, 2), FINDING_NONE);
    aim("mongodb://a/");
    struct mongo_probe mongos = answer("a", "");
    mongos.mongos = true;
    CHECK_INT(judge(&mongos, 1, NULL, 0), FINDING_NONE);
    aim("mongodb://a/?replicaSet=rs0");
    CHECK_INT(judge(&mongos, 1, NULL, 0), FINDING_NOT_A_SET);
    CHECK(strstr(verdict.fact, "is a mongos") != NULL);
}

static void test_old(void)
{
    struct mongo_probe p = answer("a", "rs0");
    p.max_wire_version = 6;
    aim("mongodb://a/?replicaSet=rs0");
    CHECK_INT(judge(&p, 1, NULL, 0), FINDING_TOO_OLD);
}

static void test_election(void)
{
    struct mongo_probe p = answer("a", "rs0"),
                       m[] = {p, silent("b:5", PROBE_REFUSED, "Connection refused"),
                              answer("c", "rs0")};
    m[0].secondary = m[2].arbiter = true;
    aim("mongodb://a,b:5,c/?replicaSet=rs0");
    CHECK_INT(judge(&p, 1, m, 3), FINDING_NO_PRIMARY);
    CHECK_STR(
        verdict.fact,
        "the replica set \"rs0\" has no primary now (a:27017: secondary, b:5: Connection "
        "refused, c:27017: arbiter): an election goes on, or too few of its members are there "
        "for one");
    struct error e;
    CHECK_ERR(mongo_verdict_error(&verdict, &e), E_IO);
}

/* In a container there are two guesses, elsewhere one. */
static void test_nobody_on_localhost(void)
{
    struct mongo_probe p = silent("localhost:27018", PROBE_REFUSED, "Connection refused");
    int inside = container_around("");
    aim("mongodb://localhost:27018/?replicaSet=rs0");
    CHECK_INT(judge(&p, 1, NULL, 0), FINDING_UNREACHABLE);
    CHECK_STR(verdict.fact, "no MongoDB server answers at localhost:27018 (Connection refused)");
    CHECK_INT(strstr(verdict.cure, "is the container itself: name the server by its service") !=
                  NULL,
              inside);
    CHECK_INT(strstr(verdict.cure, "host.docker.internal:27018 for one on the host") != NULL,
              inside);
    CHECK(strstr(verdict.cure, "mongod --replSet rs0 --bind_ip_all --port 27018") != NULL);
    p = silent("db:27018", PROBE_REFUSED, "Connection refused");
    aim("mongodb://db:27018/?replicaSet=rs0");
    CHECK_INT(judge(&p, 1, NULL, 0), FINDING_UNREACHABLE);
    CHECK(!strstr(verdict.cure, "container"));
    CHECK(strstr(verdict.cure, "is mongod running") != NULL);
}

static void test_lost_primary(void)
{
    /* Others can be reached, the primary cannot: its name is what is wrong. */
    struct mongo_probe p = answer("a", "rs0"),
                       m[] = {answer("a", "rs0"), silent("b", PROBE_NO_NAME, "unknown")};
    CHECK_OK(mongo_host_parse(SL("b"), &p.primary));
    aim("mongodb://a/?replicaSet=rs0");
    CHECK_INT(judge(&p, 1, m, 2), FINDING_MEMBER_NAMES);
    CHECK(strstr(verdict.cure, "cfg.members[1].host=") != NULL);
    CHECK(!verdict.seed_is_primary);
    /* One seed, the primary, whose own name leads nowhere: it may be talked to alone. */
    struct mongo_probe own = answer("a", "rs0"), lost = silent("0d3ad", PROBE_NO_NAME, "unknown");
    own.writable = true;
    CHECK_INT(judge(&own, 1, &lost, 1), FINDING_MEMBER_NAMES);
    CHECK(verdict.seed_is_primary);
    aim("mongodb://a,b/?replicaSet=rs0");
    CHECK_INT(judge(&own, 1, &lost, 1), FINDING_MEMBER_NAMES);
    CHECK(!verdict.seed_is_primary);
    aim("mongodb://a/?directConnection=true");
    CHECK_INT(judge(&own, 1, &lost, 1), FINDING_NONE);
}

static void test_credentials(void)
{
    struct mongo_probe p = answer("a", "other");
    aim("mongodb://me:secret@a/shop?replicaSet=rs0");
    CHECK_INT(judge(&p, 1, NULL, 0), FINDING_OTHER_SET);
    CHECK_STR(verdict.cure, "mongodb://USER:PASSWORD@a:27017/shop?replicaSet=other");
    mongo_target_release(&target);
}

static const struct test_case tests[] = {
    {"fine", test_fine},
    {"old", test_old},
    {"election", test_election},
    {"nobody on localhost", test_nobody_on_localhost},
    {"lost primary", test_lost_primary},
    {"credentials", test_credentials},
    {NULL, NULL},
};
const struct test_suite test_mongo_diagnose = {"cdc/mongodb/diagnose", tests};
