/* REST through real sockets, the state machine, and a source task whose records end up in the log.
 */
#include "connect/worker_fixture.h"

#include "base/mem.h"

static struct worker w;

static int setup(void)
{
    return worker_open(&w, NULL) ? 0 : 1;
}

static int teardown(void)
{
    worker_close(&w);
    return 0;
}

#define CREATE(name, rest)                                                                         \
    "{\"name\":\"" name "\",\"config\":{\"connector.class\":\"CounterSource\",\"topic\":\"" name   \
    "\"" rest "}}"

static void expect_numbers(const char *topic, int64_t count, const char *want)
{
    CHECK_INT(topic_count(&w, topic, count), count);
    char *got = topic_numbers(&w, topic);
    CHECK_STR(got, want);
    mem_free(got);
}

static void test_create(void)
{
    ASK(&w, "GET", "/connectors", NULL, 200, "[]");
    struct answer a = ask(&w, "POST", "/connectors/",
                          CREATE("c1", ",\"limit\":7,\"x\":1.50,\"y\":1e3,\"z\":true"));
    CHECK_INT(a.status, 201);
    CHECK_STR(a.body, "{\"name\":\"c1\",\"config\":{\"connector.class\":\"CounterSource\","
                      "\"topic\":\"c1\",\"limit\":\"7\","
                      "\"x\":\"1.50\",\"y\":\"1e3\",\"z\":\"true\",\"name\":\"c1\"},\"tasks\":[],"
                      "\"type\":\"source\"}");
    CHECK(strstr(a.head, "/connectors/c1\r\n") != NULL);
    answer_release(&a);
    expect_numbers("c1", 7, "0,1,2,3,4,5,6");
    CHECK(ask_until(&w, "/connectors/c1/offsets", "{\"n\":7}"));
    ASK(&w, "GET", "/connectors/c1/offsets", NULL, 200,
        "{\"offsets\":[{\"partition\":{\"source\":\"counter\"},\"offset\":{\"n\":7}}]}");
    CHECK(ask_until(&w, "/connectors/c1/topics", "{\"c1\":{\"topics\":[\"c1\"]}}"));
    CHECK(ask_until(&w, "/connectors/c1/status", "\"tasks\":[{\"id\":0,\"state\":\"RUNNING\""));
    char want[400];
    snprintf(want, sizeof want,
             "{\"name\":\"c1\",\"connector\":{\"state\":\"RUNNING\",\"worker_id\":\"127.0.0.1:%u\","
             "\"version\":\"1.2\"},\"tasks\":[{\"id\":0,\"state\":\"RUNNING\",\"worker_id\":"
             "\"127.0.0.1:%u\",\"version\":\"1.2\"}],\"type\":\"source\"}",
             w.listen.port, w.listen.port);
    ASK(&w, "GET", "/connectors/c1/status", NULL, 200, want);
    ASK(&w, "GET", "/connectors/c1/tasks", NULL, 200,
        "[{\"id\":{\"connector\":\"c1\",\"task\":0},\"config\":{\"connector.class\":"
        "\"CounterSource\",\"topic\":\"c1\","
        "\"limit\":\"7\",\"x\":\"1.50\",\"y\":\"1e3\",\"z\":\"true\",\"name\":\"c1\",\"task."
        "class\":\"test.CounterTask\"}}]");
    ASK(&w, "POST", "/connectors", CREATE("c1", ""), 409,
        "{\"error_code\":409,\"message\":\"Connector c1 already exists\"}");
    ASK(&w, "DELETE", "/connectors/c1", NULL, 204, "");
    ASK(&w, "GET", "/connectors/c1", NULL, 404,
        "{\"error_code\":404,\"message\":\"Connector c1 not found\"}");
    /* Offsets stay: made again it goes on. */
    ASK(&w, "POST", "/connectors", CREATE("c1", ",\"limit\":9"), 201, NULL);
    expect_numbers("c1", 9, "0,1,2,3,4,5,6,7,8");
    ASK(&w, "DELETE", "/connectors/c1", NULL, 204, "");
}

static void test_mistakes(void)
{
    ASK(&w, "POST", "/connectors", "{\"name\":", 500, NULL);
    ASK(&w, "POST", "/connectors", "hello", 500,
        "{\"error_code\":500,\"message\":\"Unrecognized token 'hello': was expecting (JSON String, "
        "Number, Array, Object or "
        "token 'null', 'true' or 'false')\\n at [Source: (request body); line: 1, column: 1]\"}");
    ASK(&w, "POST", "/connectors", "{\"name\":\"x\"}", 400, NULL);
    ASK(&w, "POST", "/connectors", "{\"name\":\"x\",\"config\":{\"topic\":{}}}", 500, NULL);
    ASK(&w, "POST", "/connectors", "{\"name\":\"x\",\"config\":{\"password\":\"hidden\"}}", 400,
        "{\"error_code\":400,\"message\":\"Connector config {password, name} contains no connector "
        "type\"}");
    ASK(&w, "POST", "/connectors", CREATE("x", ",\"name\":\"y\""), 400,
        "{\"error_code\":400,\"message\":\"Connector name configuration (y) doesn't match "
        "connector name in the URL (x)\"}");
    ASK(&w, "POST", "/connectors",
        "{\"name\":\" \",\"config\":{\"connector.class\":\"Counter\",\"topic\":\"t\"}}", 400,
        "{\"error_code\":400,\"message\":\"Connector configuration is invalid and contains the "
        "following 1 error(s):\\n"
        "Invalid value  for configuration name: String may not be empty\\nYou can also find the "
        "above list of errors at "
        "the endpoint `/connector-plugins/{connectorType}/config/validate`\"}");
    ASK(&w, "POST", "/connectors",
        "{\"name\":\"x\",\"config\":{\"connector.class\":\"Counter\",\"limit\":\"many\","
        "\"tasks.max\":\"0\",\"value.converter\":\"No\",\"transforms\":\"a,a\"}}",
        400,
        "{\"error_code\":400,\"message\":\"Connector configuration is invalid and contains the "
        "following 6 error(s):\\n"
        "Invalid value 0 for configuration tasks.max: Value must be at least 1\\n"
        "Invalid value No for configuration value.converter: Class No could not be found.\\n"
        "Invalid value [a, a] for configuration transforms: Duplicate alias provided.\\n"
        "Missing required configuration \\\"transforms.a.type\\\" which has no default value.\\n"
        "Missing required configuration \\\"topic\\\" which has no default value.\\n"
        "Invalid value many for configuration limit: Not a number of type INT\\nYou can also find "
        "the above list of "
        "errors at the endpoint `/connector-plugins/{connectorType}/config/validate`\"}");
    ASK(&w, "GET", "/connectors/no/status", NULL, 404,
        "{\"error_code\":404,\"message\":\"No status found for connector no\"}");
    ASK(&w, "GET", "/connectors/no/tasks/x/status", NULL, 404,
        "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}");
    ASK(&w, "GET", "/connectors/no/topics", NULL, 200, "{\"no\":{\"topics\":[]}}");
    ASK(&w, "PUT", "/connectors/no/pause", NULL, 404,
        "{\"error_code\":404,\"message\":\"Unknown connector no\"}");
    ASK(&w, "POST", "/connectors/no/restart", NULL, 404,
        "{\"error_code\":404,\"message\":\"Unknown connector: no\"}");
    ASK(&w, "DELETE", "/connectors", NULL, 405,
        "{\"error_code\":405,\"message\":\"HTTP 405 Method Not Allowed\"}");
    ASK(&w, "PATCH", "/connectors/no/config", "{}", 404,
        "{\"error_code\":404,\"message\":\"Connector no not found\"}");
}

static void test_states(void)
{
    ASK(&w, "POST", "/connectors", CREATE("s1", ",\"limit\":1000000,\"batch\":1,\"pause.ms\":5"),
        201, NULL);
    CHECK(ask_until(&w, "/connectors/s1/status", "\"tasks\":[{\"id\":0,\"state\":\"RUNNING\""));
    ASK(&w, "PUT", "/connectors/s1/pause", NULL, 202, "");
    CHECK(ask_until(&w, "/connectors/s1/status", "\"tasks\":[{\"id\":0,\"state\":\"PAUSED\""));
    ASK(&w, "PUT", "/connectors/s1/resume", NULL, 202, "");
    CHECK(ask_until(&w, "/connectors/s1/status", "\"tasks\":[{\"id\":0,\"state\":\"RUNNING\""));
    ASK(&w, "DELETE", "/connectors/s1/offsets", NULL, 400, NULL);
    ASK(&w, "PUT", "/connectors/s1/stop", NULL, 204, "");
    ASK(&w, "GET", "/connectors/s1/tasks", NULL, 200, "[]");
    ASK(&w, "PATCH", "/connectors/s1/offsets",
        "{\"offsets\":[{\"partition\":{\"source\":\"counter\"},\"offset\":{\"n\":900000}}]}", 200,
        NULL);
    ASK(&w, "PUT", "/connectors/s1/resume", NULL, 202, "");
    CHECK(ask_until(&w, "/connectors/s1/offsets", "{\"n\":9000"));
    ASK(&w, "PUT", "/connectors/s1/stop", NULL, 204, "");
    ASK(&w, "DELETE", "/connectors/s1/offsets", NULL, 200, NULL);
    ASK(&w, "GET", "/connectors/s1/offsets", NULL, 200, "{\"offsets\":[]}");
    ASK(&w, "DELETE", "/connectors/s1", NULL, 204, "");
    /* Made paused: no tasks before the first resume. */
    ASK(&w, "POST", "/connectors",
        "{\"name\":\"s2\",\"initial_state\":\"paused\",\"config\":{\"connector.class\":\"Counter\","
        "\"topic\":\"s2\"}}",
        201, NULL);
    CHECK(ask_until(&w, "/connectors/s2/status", "\"state\":\"PAUSED\""));
    ASK(&w, "GET", "/connectors/s2/tasks", NULL, 200, "[]");
    ASK(&w, "PUT", "/connectors/s2/resume", NULL, 202, "");
    expect_numbers("s2", 10, "0,1,2,3,4,5,6,7,8,9");
    ASK(&w, "DELETE", "/connectors/s2", NULL, 204, "");
}

static void test_failure(void)
{
    ASK(&w, "POST", "/connectors", CREATE("f1", ",\"limit\":10,\"batch\":1,\"fail.at\":3"), 201,
        NULL);
    CHECK(ask_until(&w, "/connectors/f1/status", "\"tasks\":[{\"id\":0,\"state\":\"FAILED\""));
    CHECK(ask_until(&w, "/connectors/f1/status",
                    "\"trace\":\"org.apache.kafka.connect.errors.ConnectException: cannot go "
                    "on\\nCaused by: java.io.IOException: number 3\\n\""));
    CHECK(ask_until(&w, "/connectors/f1/offsets", "{\"n\":3}"));
    ASK(&w, "POST", "/connectors/f1/restart", NULL, 204, ""); /* the connector alone */
    CHECK(ask_until(&w, "/connectors/f1/status", "\"state\":\"FAILED\""));
    ASK(&w, "POST", "/connectors/f1/restart?includeTasks=true&onlyFailed=true", NULL, 202, NULL);
    CHECK(ask_until(&w, "/connectors/f1/status", "\"state\":\"FAILED\""));
    ASK(&w, "PATCH", "/connectors/f1/config", "{\"fail.at\":null}", 200, NULL);
    expect_numbers("f1", 10, "0,1,2,3,4,5,6,7,8,9");
    ASK(&w, "POST", "/connectors/f1/tasks/0/restart", NULL, 204, "");
    ASK(&w, "POST", "/connectors/f1/tasks/7/restart", NULL, 404,
        "{\"error_code\":404,\"message\":\"Unknown task: f1-7\"}");
    ASK(&w, "DELETE", "/connectors/f1", NULL, 204, "");
    ASK(&w, "POST", "/connectors", CREATE("f2", ",\"start\":\"fails\""), 201, NULL);
    CHECK(ask_until(&w, "/connectors/f2/status",
                    "\"trace\":\"java.lang.IllegalStateException: asked to fail\\n\""));
    ASK(&w, "DELETE", "/connectors/f2", NULL, 204, "");
}

/* What the user asked for holds after a restart of the worker. */
static void test_restart(void)
{
    ASK(&w, "POST", "/connectors", CREATE("r1", ""), 201, NULL);
    ASK(&w, "POST", "/connectors", CREATE("r2", ""), 201, NULL);
    ASK(&w, "POST", "/connectors", CREATE("r3", ""), 201, NULL);
    CHECK(ask_until(&w, "/connectors/r2/status", "\"tasks\":[{\"id\":0,\"state\":\"RUNNING\""));
    CHECK(ask_until(&w, "/connectors/r3/status", "\"tasks\":[{\"id\":0,\"state\":\"RUNNING\""));
    ASK(&w, "PUT", "/connectors/r2/pause", NULL, 202, "");
    ASK(&w, "PUT", "/connectors/r3/stop", NULL, 204, "");
    expect_numbers("r1", 10, "0,1,2,3,4,5,6,7,8,9");
    worker_connect_stop(&w);
    CHECK(worker_connect_start(&w));
    ASK(&w, "GET", "/connectors", NULL, 200, "[\"r1\",\"r2\",\"r3\"]");
    CHECK(ask_until(&w, "/connectors/r1/status", "\"tasks\":[{\"id\":0,\"state\":\"RUNNING\""));
    CHECK(ask_until(&w, "/connectors/r2/status", "\"tasks\":[{\"id\":0,\"state\":\"PAUSED\""));
    CHECK(ask_until(&w, "/connectors/r3/status", "\"connector\":{\"state\":\"STOPPED\""));
    expect_numbers("r1", 10, "0,1,2,3,4,5,6,7,8,9");
    ASK(&w, "DELETE", "/connectors/r1", NULL, 204, "");
    ASK(&w, "DELETE", "/connectors/r2", NULL, 204, "");
    ASK(&w, "DELETE", "/connectors/r3", NULL, 204, "");
}

static void test_plugins(void)
{
    ASK(&w, "GET", "/health", NULL, 200, NULL);
    struct answer a = ask(&w, "GET", "/connector-plugins", NULL);
    CHECK(strstr(a.body,
                 "{\"class\":\"test.CounterSource\",\"type\":\"source\",\"version\":\"1.2\"}") !=
          NULL);
    answer_release(&a);
    a = ask(&w, "PUT", "/connector-plugins/CounterSource/config/validate",
            "{\"connector.class\":\"test.CounterSource\",\"secret\":\"open "
            "sesame\",\"name\":\"n\",\"topic\":\"t\"}");
    CHECK_INT(a.status, 200);
    CHECK(strstr(a.body, "\"error_count\":0") != NULL);
    CHECK(strstr(a.body, "sesame") == NULL);
    CHECK(strstr(a.body, "{\"name\":\"secret\",\"value\":\"[hidden]\"") != NULL);
    answer_release(&a);
    ASK(&w, "PUT", "/connector-plugins/Other/config/validate",
        "{\"connector.class\":\"test.CounterSource\"}", 400,
        "{\"error_code\":400,\"message\":\"Included connector type test.CounterSource does not "
        "match request type Other\"}");
    ASK(&w, "GET", "/connector-plugins/None/config", NULL, 404,
        "{\"error_code\":404,\"message\":\"Unknown plugin None.\"}");
}

static const struct test_case tests[] = {
    {"create, run, delete", test_create},
    {"mistakes", test_mistakes},
    {"pause, resume, stop, offsets", test_states},
    {"failing tasks and restarts", test_failure},
    {"restart of the worker", test_restart},
    {"plugins and validation", test_plugins},
    {NULL, NULL},
};
const struct test_suite test_rest = {"connect/rest", tests, setup, teardown};
