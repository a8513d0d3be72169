/* tests/unit/connect/test_worker_options.c - what settings of the worker change in REST's answers. */
#include "connect/worker_options.h"

#include <stdlib.h>

#include "connect/worker_fixture.h"

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

static bool start_with(const char *const *more)
{
    worker_connect_stop(&w);
    w.more = more;
    return worker_connect_start(&w);
}

#define VALIDATE "/connector-plugins/CounterSource/config/validate"
#define BODY(rest)                                                                                 \
    "{\"name\":\"x\",\"config\":{\"connector.class\":\"CounterSource\",\"topic\":\"x\"," rest "}}"
#define REFUSED(text)                                                                              \
    "{\"error_code\":400,\"message\":\"Connector configuration is invalid and contains the "       \
    "following 1 error(s):\\n" text "\\nYou can also find the above list of errors at the "        \
    "endpoint `/connector-plugins/{connectorType}/config/validate`\"}"

static void names(void)
{
    CHECK(connect_option_known(SL("group.id")) && connect_option_known(SL("plugin.path")));
    CHECK(connect_option_known(SL("key.converter.schemas.enable")));
    CHECK(connect_option_known(SL("config.providers.file.class")));
    CHECK(connect_option_known(SL("producer.max.request.size")));
    CHECK(!connect_option_known(SL("broker.id")) && !connect_option_known(SL("key.convert")));
}

/* References are replaced, as a Java worker does before it looks at a setting; a message has the
 * reference, not what it stands for. */
static void own_references(void)
{
    struct strmap given = STRMAP_INIT, out;
    struct error e = {0};
    setenv("WEIR_TEST_WORKER", "soon", 1);
    strmap_set(&given, SL("config.providers"), SL("mine"));
    strmap_set(&given, SL("config.providers.mine.class"),
               SL("org.apache.kafka.common.config.provider.EnvVarConfigProvider"));
    strmap_set(&given, SL("config.providers.mine.param.allowlist.pattern"), SL("WEIR_${mine:x}.*"));
    strmap_set(&given, SL("group.id"), SL("${env:WEIR_TEST_WORKER}-${mine:WEIR_TEST_WORKER}"));
    strmap_set(&given, SL("client.id"), SL("${topic}${vault:a:b}"));
    CHECK_OK(worker_options_make(&out, &given, &e));
    CHECK(slice_eq(strmap_get_c(&out, "group.id"), SL("soon-${mine:WEIR_TEST_WORKER}")));
    CHECK(slice_eq(strmap_get_c(&out, "client.id"), SL("${topic}${vault:a:b}")));
    CHECK(slice_eq(strmap_get_c(&out, "config.providers.mine.param.allowlist.pattern"),
                   SL("WEIR_${mine:x}.*")));
    strmap_release(&out);
    strmap_set(&given, SL("config.providers.mine.param.allowlist.pattern"), SL("WEIR_.*"));
    CHECK_OK(worker_options_make(&out, &given, &e));
    CHECK(slice_eq(strmap_get_c(&out, "group.id"), SL("soon-soon")));
    strmap_release(&out);
    strmap_set(&given, SL("task.shutdown.graceful.timeout.ms"), SL("${env:WEIR_TEST_WORKER}"));
    CHECK_INT(worker_options_make(&out, &given, &e), E_INVALID);
    CHECK_STR(e.msg, "Invalid value ${env:WEIR_TEST_WORKER} for configuration "
                     "task.shutdown.graceful.timeout.ms: Not a number of type LONG");
    strmap_release(&out);
    strmap_set(&given, SL("task.shutdown.graceful.timeout.ms"), SL("${file:/none/here:ms}"));
    CHECK(worker_options_make(&out, &given, &e) != E_OK);
    CHECK_STR(e.msg, "Could not read properties from file /none/here");
    strmap_release(&out);
    strmap_release(&given);
    unsetenv("WEIR_TEST_WORKER");
}

/* A row that nothing reads says so, and no other. */
static void words(void)
{
    for (const struct opt_row *r = connect_option_rows; r->name; r++) {
        bool says = slice_starts(slice_cstr(r->doc), SL("Accepted"));
        if (says != ((r->flags & OPT_NO_STORE) != 0))
            CHECK_STR(r->name, says ? "read" : "not read");
    }
}

static void values(void)
{
    struct strmap given = STRMAP_INIT, out;
    struct error e = {0};
    strmap_set(&given, SL("task.shutdown.graceful.timeout.ms"), SL("soon"));
    CHECK_INT(worker_options_make(&out, &given, &e), E_INVALID);
    CHECK_STR(e.msg, "Invalid value soon for configuration task.shutdown.graceful.timeout.ms: Not "
                     "a number of type LONG");
    strmap_release(&out);
    strmap_release(&given);
    strmap_set(&given, SL("rest.extension.classes"), SL("com.example.Auth"));
    CHECK_INT(worker_options_make(&out, &given, &e), E_UNSUPPORTED);
    strmap_release(&out);
    strmap_set(&given, SL("rest.extension.classes"), SL(""));
    strmap_set(&given, SL("group.id"), SL("mine"));
    CHECK_OK(worker_options_make(&out, &given, &e));
    CHECK_SLICE(strmap_get(&out, SL("group.id")), SL("mine"));
    CHECK_SLICE(strmap_get(&out, SL("offset.storage.topic")), SL("connect-offsets"));
    strmap_release(&out);
    strmap_release(&given);
}

static void overrides(void)
{
    static const char *const none[] = {"connector.client.config.override.policy", "None", NULL};
    static const char *const login[] = {"connector.client.config.override.policy", "Principal",
                                        NULL};
    ASK(&w, "POST", "/connectors", BODY("\"producer.override.linger.ms\":\"soon\""), 500,
        "{\"error_code\":500,\"message\":\"Invalid value soon for configuration linger.ms: Not a "
        "number of type LONG\"}");
    struct answer a = ask(&w, "PUT", VALIDATE,
                          "{\"connector.class\":\"CounterSource\",\"name\":\"x\",\"topic\":\"x\","
                          "\"producer.override.sasl.jaas.config\":\"secret words\","
                          "\"producer.override.linger.ms\":\"5\"}");
    CHECK_INT(a.status, 200);
    CHECK(strstr(a.body, "secret words") == NULL);
    CHECK(strstr(a.body, "{\"definition\":null,\"value\":{\"name\":\"producer.override.sasl.jaas."
                         "config\",\"value\":\"[hidden]\"") != NULL);
    CHECK(strstr(a.body, "\"name\":\"producer.override.linger.ms\",\"value\":\"5\"") != NULL);
    answer_release(&a);
    if (!start_with(none))
        return;
    ASK(&w, "POST", "/connectors", BODY("\"producer.override.acks\":\"1\""), 400,
        REFUSED("The 'None' policy does not allow 'acks' to be overridden in the connector "
                "configuration."));
    if (!start_with(login))
        return;
    ASK(&w, "POST", "/connectors",
        BODY("\"producer.override.sasl.mechanism\":\"PLAIN\",\"producer.override.acks\":\"1\""),
        400,
        REFUSED("The 'Principal' policy does not allow 'acks' to be overridden in the connector "
                "configuration."));
}

/* What a reference stands for is in no answer: neither as a value nor in an error. */
static void references(void)
{
    setenv("WEIR_TEST_TOKEN", "very-secret", 1);
    if (!start_with(NULL))
        return;
    struct answer a = ask(&w, "PUT", VALIDATE,
                          "{\"connector.class\":\"CounterSource\",\"name\":\"x\",\"topic\":"
                          "\"${env:WEIR_TEST_TOKEN}\",\"tasks.max\":\"${env:WEIR_TEST_TOKEN}\"}");
    CHECK_INT(a.status, 200);
    CHECK(strstr(a.body, "very-secret") == NULL);
    CHECK(strstr(a.body, "Invalid value ${env:WEIR_TEST_TOKEN} for configuration tasks.max") !=
          NULL);
    answer_release(&a);
    a = ask(&w, "POST", "/connectors", BODY("\"tasks.max\":\"${env:WEIR_TEST_TOKEN}\""));
    CHECK_INT(a.status, 400);
    CHECK(strstr(a.body, "very-secret") == NULL);
    answer_release(&a);
    a = ask(&w, "POST", "/connectors",
            BODY("\"producer.override.linger.ms\":\"${env:WEIR_TEST_TOKEN}\""));
    CHECK_INT(a.status, 500);
    CHECK(strstr(a.body, "very-secret") == NULL);
    answer_release(&a);
}

/* Options of its clients are the worker's, and over them the connector's. */
static void producer(void)
{
    static const char *const bad[] = {"producer.compression.type", "soft", NULL};
    if (!start_with(bad))
        return;
    ASK(&w, "POST", "/connectors", BODY("\"limit\":1"), 201, NULL);
    CHECK(ask_until(&w, "/connectors/x/status",
                    "Invalid value soft for configuration compression.type: String must be one of: "
                    "gzip, lz4, none, snappy, zstd"));
    ASK(&w, "PATCH", "/connectors/x/config", "{\"producer.override.compression.type\":\"gzip\"}",
        200, NULL);
    CHECK(ask_until(&w, "/connectors/x/status", "\"id\":0,\"state\":\"RUNNING\""));
    ASK(&w, "DELETE", "/connectors/x", NULL, 204, NULL);
}

static void exactly_once(void)
{
    static const char *const off[] = {"exactly.once.source.support", "disabled", NULL};
    if (!start_with(NULL))
        return;
    ASK(&w, "POST", "/connectors", BODY("\"exactly.once.support\":\"required\""), 201, NULL);
    ASK(&w, "DELETE", "/connectors/x", NULL, 204, NULL);
    ASK(&w, "POST", "/connectors", BODY("\"transaction.boundary\":\"Connector\""), 400,
        REFUSED("The connector does not support connector-defined transaction boundaries with the "
                "given configuration. Please reconfigure it to use a different transaction "
                "boundary definition."));
    if (!start_with(off))
        return;
    ASK(&w, "POST", "/connectors", BODY("\"exactly.once.support\":\"REQUIRED\""), 400,
        REFUSED("This worker does not have exactly-once source support enabled."));
}

static void rest_of_rest(void)
{
    static const char *const more[] = {"topic.tracking.enable",
                                       "false",
                                       "admin.listeners",
                                       "",
                                       "rest.advertised.host.name",
                                       "connect.lab",
                                       "rest.advertised.port",
                                       "80",
                                       "access.control.allow.origin",
                                       "http://a.lab",
                                       NULL};
    if (!start_with(more))
        return;
    ASK(&w, "GET", "/connectors/x/topics", NULL, 403,
        "{\"error_code\":403,\"message\":\"Topic tracking is disabled.\"}");
    ASK(&w, "PUT", "/connectors/x/topics/reset", NULL, 403,
        "{\"error_code\":403,\"message\":\"Topic tracking is disabled.\"}");
    ASK(&w, "GET", "/admin/loggers", NULL, 404,
        "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}");
    ASK(&w, "POST", "/connectors", BODY("\"limit\":1"), 201, NULL);
    CHECK(ask_until(&w, "/connectors/x/status", "\"worker_id\":\"connect.lab:80\""));
    ASK(&w, "DELETE", "/connectors/x", NULL, 204, NULL);
}

static const struct test_case tests[] = {
    {"names", names},
    {"words", words},
    {"values", values},
    {"references in the worker's own settings", own_references},
    {"overrides", overrides},
    {"references", references},
    {"options of the producer", producer},
    {"exactly once", exactly_once},
    {"the rest of REST", rest_of_rest},
    {NULL, NULL}};
const struct test_suite test_worker_options = {"connect/worker_options", tests, setup, teardown};
