/* Traces of failed tasks: what scripts and people search for. SPEC: cdc-mysql 2.6 */
#include "cdc/failure.h"

#include "helpers.h"

#define STOPPED                                                                                    \
    "org.apache.kafka.connect.errors.ConnectException: An exception occurred in the change event " \
    "producer. This connector will be stopped."

static void test_texts(void)
{
    struct error e = {0};
    error_set(&e, E_INVALID, "why");
    CHECK_ERR(failure_at_start(&e, E_INVALID), E_INVALID);
    CHECK_STR(e.msg, "io.debezium.DebeziumException: why");
    error_set(&e, E_AUTH, "why");
    CHECK_ERR(failure_in_snapshot(&e, E_AUTH), E_AUTH);
    CHECK_STR(e.msg, STOPPED
              "\nCaused by: io.debezium.DebeziumException: io.debezium.DebeziumException: why"
              "\nCaused by: io.debezium.DebeziumException: why");
    error_set(&e, E_CORRUPT, "why");
    CHECK_ERR(failure_in_event(&e, E_CORRUPT), E_CORRUPT);
    CHECK_STR(e.msg,
              STOPPED "\nCaused by: io.debezium.DebeziumException: Error processing binlog event"
                      "\nCaused by: io.debezium.DebeziumException: why");
    error_set(&e, E_REMOTE, "Access denied");
    e.sys = 1227;
    CHECK_ERR(failure_from_server(&e, E_REMOTE, "42000"), E_REMOTE);
    CHECK_STR(
        e.msg, STOPPED
        "\nCaused by: io.debezium.DebeziumException: Access denied Error code: 1227; SQLSTATE: "
        "42000.\nCaused by: com.github.shyiko.mysql.binlog.network.ServerException: "
        "Access denied");
}

static void test_too_long(void)
{
    struct error e = {0};
    e.code = E_INVALID;
    memset(e.msg, 'x', sizeof e.msg - 1);
    CHECK_ERR(failure_in_snapshot(&e, E_INVALID), E_INVALID);
    CHECK_INT(strlen(e.msg), sizeof e.msg - 1);
    CHECK_ERR(failure_in_stream(NULL, E_IO), E_IO);
}

static const struct test_case tests[] = {
    {"texts", test_texts}, {"too long", test_too_long}, {NULL, NULL}};
const struct test_suite test_failure = {"cdc/failure", tests};
