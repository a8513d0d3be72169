/* tests/unit/connect/test_offsets.c - offsets of connectors whose configuration does not hold any
 * more: references that lead nowhere, a class that is gone; and of topics with long names. */
#include "connect/herder.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "connect/kclient.h"
#include "connect/worker_fixture.h"

static struct worker w;
static char secrets[400];

static int setup(void)
{
    if (!worker_open(&w, NULL))
        return 1;
    snprintf(secrets, sizeof secrets, "%s/secrets.properties", w.dir);
    return 0;
}

static int teardown(void)
{
    worker_close(&w);
    return 0;
}

/* A stopped connector with the option `secret` from a file, which is not there any more. */
static void create(const char *name, const char *class_name)
{
    char body[1200], path[100];
    FILE *f = fopen(secrets, "w");
    CHECK(f && fputs("key=very-secret\n", f) >= 0);
    if (f)
        fclose(f);
    snprintf(
        body, sizeof body,
        "{\"name\":\"%s\",\"initial_state\":\"STOPPED\",\"config\":{\"connector.class\":\"%s\","
        "\"topic\":\"%s\",\"topics\":\"%s\",\"secret\":\"${file:%s:key}\"}}",
        name, class_name, name, name, secrets);
    ASK(&w, "POST", "/connectors", body, 201, NULL);
    snprintf(path, sizeof path, "/connectors/%s/status", name);
    CHECK(ask_until(&w, path, "\"state\":\"STOPPED\""));
    CHECK_INT(unlink(secrets), 0);
}

static void expect_unread(const char *method, const char *path, const char *body)
{
    char want[700];
    snprintf(want, sizeof want,
             "{\"error_code\":500,\"message\":\"Could not read properties from file %s\"}",
             secrets);
    ASK(&w, method, path, body, 500, want);
}

#define COUNTER_OFFSET                                                                             \
    "{\"offsets\":[{\"partition\":{\"source\":\"counter\"},\"offset\":{\"n\":3}}]}"
#define SINK_OFFSET                                                                                \
    "{\"offsets\":[{\"partition\":{\"kafka_topic\":\"drain\",\"kafka_partition\":0},"              \
    "\"offset\":{\"kafka_offset\":3}}]}"

static enum err lose_class(struct db *d, void *arg, struct error *e)
{
    sqlite3_stmt *s = db_stmt(d, "UPDATE connect_connectors SET config = replace(config, "
                                 "'CounterSource', 'NoSuchSource') WHERE name = ?1");
    db_bind_slice(s, 1, slice_cstr(arg));
    return db_exec(d, s, e);
}

static void sink_without_its_file(void)
{
    create("drain", "PickySink");
    expect_unread("GET", "/connectors/drain/offsets", NULL);
    expect_unread("PATCH", "/connectors/drain/offsets", SINK_OFFSET);
    expect_unread("DELETE", "/connectors/drain/offsets", NULL);
    ASK(&w, "DELETE", "/connectors/drain", NULL, 204, NULL);
}

/* Nobody looks at what stands for the secret, so the offsets can be changed. */
static void source_without_its_file(void)
{
    create("count", "CounterSource");
    ASK(&w, "PATCH", "/connectors/count/offsets", COUNTER_OFFSET, 200, NULL);
    ASK(&w, "GET", "/connectors/count/offsets", NULL, 200, COUNTER_OFFSET);
    ASK(&w, "DELETE", "/connectors/count/offsets", NULL, 200, NULL);
    ASK(&w, "GET", "/connectors/count/offsets", NULL, 200, "{\"offsets\":[]}");
    ASK(&w, "DELETE", "/connectors/count", NULL, 204, NULL);
}

static void source_without_its_class(void)
{
    char name[] = "lost";
    struct error e = {0};
    create(name, "CounterSource");
    worker_connect_stop(&w);
    CHECK_OK(db_run(w.db, lose_class, name, &e));
    CHECK(worker_connect_start(&w));
    ASK(&w, "PATCH", "/connectors/lost/offsets", COUNTER_OFFSET, 200, NULL);
    ASK(&w, "GET", "/connectors/lost/offsets", NULL, 200, COUNTER_OFFSET);
    ASK(&w, "DELETE", "/connectors/lost/offsets", NULL, 200, NULL);
    ASK(&w, "DELETE", "/connectors/lost", NULL, 204, NULL);
}

/* The longest name that a topic may have. */
static void long_topic(void)
{
    char topic[250], body[900], want[600];
    struct kclient *k = kclient_embedded(w.broker);
    struct error e = {0};
    memset(topic, 't', sizeof topic - 1);
    topic[sizeof topic - 1] = '\0';
    CHECK_OK(kclient_create(k, slice_cstr(topic), 1, 1, NULL, &e));
    kclient_free(k);
    snprintf(body, sizeof body,
             "{\"name\":\"long\",\"initial_state\":\"STOPPED\",\"config\":{\"connector.class\":"
             "\"PickySink\",\"topics\":\"%s\"}}",
             topic);
    ASK(&w, "POST", "/connectors", body, 201, NULL);
    CHECK(ask_until(&w, "/connectors/long/status", "\"state\":\"STOPPED\""));
    snprintf(want, sizeof want,
             "{\"offsets\":[{\"partition\":{\"kafka_partition\":0,\"kafka_topic\":\"%s\"},"
             "\"offset\":{\"kafka_offset\":3}}]}",
             topic);
    ASK(&w, "PATCH", "/connectors/long/offsets", want, 200, NULL);
    ASK(&w, "GET", "/connectors/long/offsets", NULL, 200, want);
    ASK(&w, "DELETE", "/connectors/long", NULL, 204, NULL);
}

static const struct test_case tests[] = {
    {"a sink without its file", sink_without_its_file},
    {"a source without its file", source_without_its_file},
    {"a source without its class", source_without_its_class},
    {"a topic with a long name", long_topic},
    {NULL, NULL},
};
const struct test_suite test_offsets = {"connect/herder_offsets", tests, setup, teardown};
