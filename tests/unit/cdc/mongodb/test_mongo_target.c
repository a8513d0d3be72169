/* Connection strings: taken apart, completed, written for the driver. SPEC: cdc-mongodb 2.2, 3.1 */
#include "cdc/mongodb/target.h"

#include "helpers.h"

static const struct mongo_options plain = {
    .connect_timeout_ms = 10000, .monitor_interval_ms = 10000, .selection_timeout_ms = 30000};
#define DEFAULTS "&connectTimeoutMS=10000&socketTimeoutMS=2147483647&heartbeatFrequencyMS=10000"

static void check_target(const struct mongo_options *more, const char *text, const char *want)
{
    struct mongo_options o = *more;
    struct mongo_target t;
    struct error e = {0};
    struct strbuf out = STRBUF_INIT;
    o.connection_string = slice_cstr(text);
    CHECK_OK(mongo_target_init(&t, &o, NULL, &e));
    mongo_target_print(&t, NULL, &out);
    CHECK_STR(out.p, want);
    strbuf_release(&out);
    mongo_target_release(&t);
}

static void check_refused(const char *text, const char *hint)
{
    struct mongo_options o = plain;
    struct mongo_target t;
    struct error e = {0};
    o.connection_string = slice_cstr(text);
    CHECK_ERR(mongo_target_init(&t, &o, NULL, &e), E_INVALID);
    CHECK_STR(e.msg, *text ? "Invalid connection string" : "Missing connection string");
    CHECK(strstr(e.hint, hint) != NULL);
    mongo_target_release(&t);
}

static void test_shapes(void)
{
    check_target(&plain, " mongodb://h:27018/?replicaSet=rs0 ",
                 "mongodb://h:27018/?serverSelectionTimeoutMS=1000&replicaSet=rs0" DEFAULTS);
    check_target(&plain, "mongodb://h", /* all that may be left out */
                 "mongodb://h:27017/?serverSelectionTimeoutMS=1000" DEFAULTS);
    check_target(&plain, "mongodb://debezium:dbz@a:1,[::1]:2,b?replicaSet=rs0", /* no slash */
                 "mongodb://debezium:dbz@a:1,[::1]:2,b:27017/?serverSelectionTimeoutMS=1000"
                 "&replicaSet=rs0" DEFAULTS);
    check_target(&plain, "mongodb+srv://cluster.example.com/shop",
                 "mongodb+srv://cluster.example.com/shop?serverSelectionTimeoutMS=1000" DEFAULTS);
    check_target(&plain, "mongodb://%2Ftmp%2Fmongodb-27017.sock/",
                 "mongodb://%2Ftmp%2Fmongodb-27017.sock/?serverSelectionTimeoutMS=1000" DEFAULTS);
    /* Passwords as they are and encoded give the same. */
    check_target(&plain, "mongodb://u:p%40s%2F1%25@h/",
                 "mongodb://u:p%40s%2F1%25@h:27017/?serverSelectionTimeoutMS=1000" DEFAULTS);
    check_target(&plain, "mongodb://u:p@s/1%@h/",
                 "mongodb://u:p%40s%2F1%25@h:27017/?serverSelectionTimeoutMS=1000" DEFAULTS);
}

static void test_options(void)
{
    /* What only Java's driver knows, other names of the same, the string before the options. */
    check_target(&plain,
                 "mongodb://h/?maxIdleTimeMS=60000&uuidRepresentation=standard&ssl=true&"
                 "sslInvalidHostNameAllowed=true&W=majority&maxPoolSize=1",
                 "mongodb://h:27017/?serverSelectionTimeoutMS=1000&tls=true"
                 "&tlsAllowInvalidHostnames=true&w=majority" DEFAULTS);
    check_target(&plain,
                 "mongodb://h/?connectTimeoutMS=2000&socketTimeoutMS=5&heartbeatFrequencyMS=10"
                 "&readPreference=secondary&readPreferenceTags=dc:ny,rack:1&readPreferenceTags=",
                 "mongodb://h:27017/?serverSelectionTimeoutMS=1000&connectTimeoutMS=2000"
                 "&socketTimeoutMS=5&heartbeatFrequencyMS=500&readPreference=secondary"
                 "&readPreferenceTags=dc:ny,rack:1&readPreferenceTags=");
    struct mongo_options o = plain;
    o.user = SL("u@x"), o.password = SL("p:w"), o.auth_source = SL("admin"), o.ssl_enabled = true;
    check_target(&o, "mongodb://h/?authSource=shop",
                 "mongodb://u%40x:p%3Aw@h:27017/?serverSelectionTimeoutMS=1000&authSource=shop"
                 "&tls=true" DEFAULTS);
    check_target(&o, "mongodb://h/?tls=false",
                 "mongodb://u%40x:p%3Aw@h:27017/?serverSelectionTimeoutMS=1000&tls=false"
                 "&authSource=admin" DEFAULTS);
    check_target(&o, "mongodb://other@h/?tls=false", /* credentials in the string win as a whole */
                 "mongodb://other@h:27017/?serverSelectionTimeoutMS=1000&tls=false" DEFAULTS);
}

/* want_option NULL: all is there. */
static void check_login(const char *text, const char *user, const char *password,
                        const char *want_option)
{
    struct mongo_options o = plain;
    struct mongo_target t;
    struct error e = {0};
    o.connection_string = slice_cstr(text);
    o.user = user ? slice_cstr(user) : SLICE_NULL;
    o.password = password ? slice_cstr(password) : SLICE_NULL;
    CHECK_OK(mongo_target_init(&t, &o, NULL, NULL));
    const char *option = mongo_target_no_password(&t, &e);
    CHECK_INT(!option, !want_option);
    if (option && want_option) {
        CHECK_STR(option, want_option);
        CHECK_STR(e.msg, "no password is given for user 'jjangu': set mongodb.password, or put it "
                         "into the connection string");
        CHECK_INT(e.code, E_INVALID);
    }
    mongo_target_release(&t);
}

static void test_login(void)
{
    const char *in_string = "mongodb.connection.string", *in_option = "mongodb.password";
    check_login("mongodb://h/", NULL, NULL, NULL);
    check_login("mongodb://jjangu@h/", NULL, NULL, in_string);
    check_login("mongodb://jjangu:@h/", NULL, NULL, in_string);
    check_login("mongodb://jjangu:x@h/", NULL, NULL, NULL);
    check_login("mongodb://h/", "jjangu", NULL, in_option);
    check_login("mongodb://h/", "jjangu", "", in_option);
    check_login("mongodb://h/", "jjangu", "x", NULL);
    /* The password alone completes the user of the string; another user's does not. */
    check_login("mongodb://jjangu@h/", NULL, "x", NULL);
    check_login("mongodb://jjangu@h/", "jjangu", "x", NULL);
    check_login("mongodb://jjangu@h/", "other", "x", in_string);
    check_login("mongodb://jjangu@h/?authMechanism=SCRAM-SHA-256", NULL, NULL, in_string);
    check_login("mongodb://jjangu@h/?authMechanism=PLAIN", NULL, NULL, in_string);
    check_login("mongodb://jjangu@h/?authMechanism=MONGODB-X509", NULL, NULL, NULL);
    check_login("mongodb://jjangu@h/?authMechanism=GSSAPI", NULL, NULL, NULL);
    check_login("mongodb://h/?authMechanism=mongodb-aws", "jjangu", NULL, NULL);
}

static void test_refused(void)
{
    check_refused("", "");
    check_refused("http://h:27017", "mongodb://");
    check_refused("mongodb://", "host:port");
    check_refused("mongodb://h:0/", "host:port");
    check_refused("mongodb://h:99999/", "host:port");
    check_refused("mongodb://h:/", "host:port");
    check_refused("mongodb://a b/", "host:port");
    check_refused("mongodb://[::1/", "host:port");
    check_refused("mongodb://a,,b/", "host:port");
    check_refused("mongodb://:secret@h/", "no name");
    check_refused("mongodb://h/?replicaSet", "option=value");
    check_refused("mongodb+srv://a.b.c,d.e.f/", "one host name");
    check_refused("mongodb+srv://localhost/", "one host name");
}

static void test_one(void)
{
    struct mongo_options o = plain;
    struct mongo_target t;
    struct mongo_host h;
    struct strbuf out = STRBUF_INIT;
    o.connection_string = SL("mongodb://u:p@a,b/db?replicaSet=rs0&loadBalanced=false&tls=true");
    CHECK_OK(mongo_target_init(&t, &o, "weir-x", NULL));
    CHECK_OK(mongo_host_parse(SL("c:5"), &h));
    mongo_target_print(&t, &h, &out);
    CHECK_STR(out.p, "mongodb://u:p@c:5/db?directConnection=true&serverSelectionTimeoutMS=1000"
                     "&tls=true&appName=weir-x" DEFAULTS);
    strbuf_reset(&out);
    mongo_target_hosts(&t, &out);
    CHECK_STR(out.p, "a:27017,b:27017");
    CHECK_INT(t.selection_timeout_ms, 30000);
    CHECK(mongo_target_tls(&t) && !mongo_target_direct(&t));
    strbuf_release(&out);
    mongo_target_release(&t);
}

static const struct test_case tests[] = {
    {"shapes", test_shapes},   {"options", test_options}, {"login", test_login},
    {"refused", test_refused}, {"one host", test_one},    {NULL, NULL},
};
const struct test_suite test_mongo_target = {"cdc/mongodb/target", tests};
