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

static enum err read_durable(struct db *d, void *arg, struct error *e)
{
    sqlite3_stmt *s = db_stmt(d, "SELECT durable FROM connect_intents WHERE connector = 'late'");
    enum err err = db_step(d, s, e);
    strbuf_reset(arg);
    if (!err)
        strbuf_add_slice(arg, db_column_slice(s, 0));
    sqlite3_reset(s);
    return err;
}

/* It comes back after another task of the connector has begun with other offsets. */
static void test_late_end_stores_nothing(void)
{
    struct worker w;
    struct strbuf durable = STRBUF_INIT;
    struct error e;
    if (!worker_open(&w, NULL))
        return;
    worker_connect_stop(&w);
    w.graceful_ms = "50";
    CHECK(worker_connect_start(&w));
    ASK(&w, "POST", "/connectors",
        "{\"name\":\"late\",\"config\":{\"connector.class\":\"CounterSource\",\"topic\":\"late\","
        "\"deaf.ms\":1500,\"limit\":900}}",
        201, NULL);
    CHECK_INT(topic_count(&w, "late", 5), 5);
    while (atomic_load(&counters_deaf) == 0) /* the second poll */
        usleep(1000);
    ASK(&w, "PUT", "/connectors/late/stop", NULL, 204, NULL);
    CHECK(ask_until(&w, "/connectors/late/status", "\"state\":\"STOPPED\""));
    ASK(&w, "PATCH", "/connectors/late/offsets",
        "{\"offsets\":[{\"partition\":{\"source\":\"counter\"},\"offset\":{\"n\":2}}]}", 200, NULL);
    ASK(&w, "PUT", "/connectors/late/config",
        "{\"connector.class\":\"CounterSource\",\"topic\":\"late\",\"limit\":4,\"batch\":1}", 200,
        NULL);
    ASK(&w, "PUT", "/connectors/late/resume", NULL, 202, NULL);
    CHECK_INT(topic_count(&w, "late", 7), 7);
    CHECK_INT(atomic_load(&counters_deaf), 1); /* else this machine is too slow for the test */
    while (atomic_load(&counters_deaf) == 1)
        usleep(1000);
    for (int i = 0; i < 30; i++, usleep(10000)) {
        CHECK_OK(db_run(w.db, read_durable, &durable, &e));
        CHECK(slice_find(strbuf_slice(&durable), SL("{\"n\":")) >= 0); /* the old one knows none */
    }
    strbuf_release(&durable);
    worker_connect_stop(&w);
    worker_close(&w);
}

static const struct test_case tests[] = {
    {"a task that is deaf", test_deaf_task},
    {"a task that is given up and comes back", test_late_end_stores_nothing},
    {NULL, NULL},
};
const struct test_suite test_task_end = {"connect/task_end", tests};
