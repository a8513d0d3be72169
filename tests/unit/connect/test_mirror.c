/* tests/unit/connect/test_mirror.c - the worker's topics come back whole when somebody deletes them:
 * what was written to the old ones does not count for the new ones. */
#include "connect/mirror.h"

#include <unistd.h>

#include "base/mem.h"
#include "connect/worker_fixture.h"

static struct worker w;
static struct kclient *k;
static const char *const topics[] = {"connect-configs", "connect-offsets", "connect-status"};

static int setup(void)
{
    if (!worker_open(&w, NULL))
        return 1;
    k = kclient_embedded(w.broker);
    return 0;
}

static int teardown(void)
{
    kclient_free(k);
    worker_close(&w);
    return 0;
}

struct look {
    struct slice key;
    char *last; /* value of the last record of that key; "null" */
};

static bool look_at(const struct krecord *r, void *arg)
{
    struct look *x = arg;
    if (slice_eq(r->key, x->key)) {
        mem_free(x->last);
        x->last = r->value.p ? slice_dup(r->value) : xstrdup("null");
    }
    return true;
}

/* Waits until the last value of the key has this text in it; which topic: configs, offsets, status. */
static void expect(int topic, const char *key, const char *text)
{
    struct look x = {slice_cstr(key), NULL};
    bool found = false;
    for (int i = 0; i < 1000 && !found; i++) {
        struct kclient_topic info;
        struct error e = {0};
        struct slice name = slice_cstr(topics[topic]);
        mem_free(x.last);
        x.last = NULL;
        if (kclient_describe(k, name, &info, &e) == E_OK)
            for (int32_t p = 0; p < info.partitions; p++)
                (void)!kclient_read(k, name, p, -2, look_at, &x, &e);
        found = x.last && strstr(x.last, text);
        if (!found)
            usleep(10000);
    }
    if (!found)
        CHECK_STR(x.last ? x.last : key, text);
    CHECK(found);
    mem_free(x.last);
}

static void expect_all(void)
{
    expect(0, "connector-x", "\"connector.class\":\"Counter\"");
    expect(0, "connector-y", "\"connector.class\":\"Counter\"");
    expect(0, "task-x-0", "\"task.class\":\"test.CounterTask\"");
    expect(0, "commit-x", "{\"tasks\":1}");
    expect(0, "target-state-y", "PAUSED");
    expect(1, "[\"x\",{\"source\":\"counter\"}]", "{\"n\":3}");
    expect(2, "status-connector-x", "RUNNING");
    expect(2, "status-connector-y", "PAUSED");
    expect(2, "status-task-x-0", "RUNNING");
    expect(2, "status-task-y-0", "PAUSED");
    expect(2, "status-topic-to-x:connector-x", "\"name\":\"to-x\"");
}

static void delete_topics(void)
{
    struct error e = {0};
    for (size_t i = 0; i < ARRAY_LEN(topics); i++)
        CHECK_OK(broker_topic_delete(w.broker, slice_cstr(topics[i]), &e));
}

/* Deletes them and makes them at once, before weir sees it (mostly). */
static void replace_topics(void)
{
    struct error e = {0};
    for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
        CHECK_OK(broker_topic_delete(w.broker, slice_cstr(topics[i]), &e));
        enum err err = kclient_create(k, slice_cstr(topics[i]), 2, 1, NULL, &e);
        CHECK(err == E_OK || err == E_EXISTS);
    }
}

static void test_deleted_topics(void)
{
    static const char *const often[] = {"offset.flush.interval.ms", "200", NULL};
    worker_connect_stop(&w);
    w.more = often;
    CHECK(worker_connect_start(&w));
    ASK(&w, "POST", "/connectors",
        "{\"name\":\"x\",\"config\":{\"connector.class\":\"Counter\",\"topic\":\"to-x\","
        "\"limit\":3}}",
        201, NULL);
    ASK(&w, "POST", "/connectors",
        "{\"name\":\"y\",\"config\":{\"connector.class\":\"Counter\",\"topic\":\"to-y\","
        "\"limit\":3}}",
        201, NULL);
    expect(2, "status-task-y-0", "RUNNING");
    ASK(&w, "PUT", "/connectors/y/pause", NULL, 202, NULL);
    expect_all();
    delete_topics();
    expect_all();
    /* Somebody makes them before weir does. */
    replace_topics();
    expect_all();
    /* While the worker is not there. */
    worker_connect_stop(&w);
    delete_topics();
    CHECK(worker_connect_start(&w));
    expect_all();
    ASK(&w, "DELETE", "/connectors/x", NULL, 204, NULL);
    ASK(&w, "DELETE", "/connectors/y", NULL, 204, NULL);
    /* All of it, so that nothing is on its way any more. */
    expect(0, "connector-x", "null");
    expect(0, "connector-y", "null");
    expect(2, "status-connector-x", "null");
    expect(2, "status-connector-y", "null");
    expect(2, "status-task-x-0", "null");
    expect(2, "status-task-y-0", "null");
    expect(2, "status-topic-to-x:connector-x", "null");
    expect(2, "status-topic-to-y:connector-y", "null");
}

/* Without connectors there is nothing to say but offsets, which outlive their connectors. */
static void test_nothing_to_tell(void)
{
    struct kclient_topic info;
    struct error e = {0};
    delete_topics();
    usleep(1500000);
    CHECK_ERR(kclient_describe(k, SL("connect-configs"), &info, &e), E_NOT_FOUND);
    CHECK_ERR(kclient_describe(k, SL("connect-status"), &info, &e), E_NOT_FOUND);
    expect(1, "[\"x\",{\"source\":\"counter\"}]", "{\"n\":3}");
}

static const struct test_case tests[] = {
    {"topics that are deleted", test_deleted_topics},
    {"nothing to tell", test_nothing_to_tell},
    {NULL, NULL},
};
const struct test_suite test_mirror = {"connect/mirror", tests, setup, teardown};
