/* tests/unit/connect/test_task_end.c - a task that does not stop when it is told to: it is given
 * up, and the worker releases nothing before its thread is gone. */
#include "connect/worker_fixture.h"

#include <unistd.h>

static void test_deaf_task(void)
{
    struct worker w;
    if (!worker_open(&w, NULL))
        return;
    worker_connect_stop(&w);
    w.graceful_ms = "50";
    CHECK(worker_connect_start(&w));
    ASK(&w, "POST", "/connectors",
        "{\"name\":\"deaf\",\"config\":{\"connector.class\":\"CounterSource\",\"topic\":\"deaf\","
        "\"deaf.ms\":700}}",
        201, NULL);
    CHECK(ask_until(&w, "/connectors/deaf/status", "\"id\":0,\"state\":\"RUNNING\""));
    while (atomic_load(&counters_deaf) == 0) /* within milliseconds */
        usleep(1000);
    ASK(&w, "DELETE", "/connectors/deaf", NULL, 204, NULL);
    CHECK_INT(atomic_load(&counters_deaf), 1); /* deleted, and its thread still sleeps */
    worker_connect_stop(&w);
    CHECK_INT(atomic_load(&counters_deaf), 0);
    worker_close(&w);
}

static const struct test_case tests[] = {{"a task that is deaf", test_deaf_task}, {NULL, NULL}};
const struct test_suite test_task_end = {"connect/task_end", tests};
