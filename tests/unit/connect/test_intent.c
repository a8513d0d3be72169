/* Exactly once (DESIGN 2.6): a task is ended at each step of the protocol as a kill would end it,
 * then started again; every number must be in the log once. */
#include "connect/worker_fixture.h"

#include <stdlib.h>

#include "base/mem.h"
#include "connect/kclient.h"
#include "connect/task_internal.h"

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

static void make_topic(const char *name, int32_t partitions)
{
    struct kclient *k = kclient_embedded(w.broker);
    struct error e = {0};
    CHECK_OK(kclient_create(k, slice_cstr(name), partitions, 1, NULL, &e));
    kclient_free(k);
}

static char *numbers_to(int64_t n)
{
    struct strbuf b = STRBUF_INIT;
    for (int64_t i = 0; i < n; i++)
        strbuf_addf(&b, "%s%lld", i ? "," : "", (long long)i);
    return strbuf_steal(&b, NULL);
}

static void expect_all(const char *topic, int64_t n)
{
    char *want = numbers_to(n);
    (void)topic_count(&w, topic, n);
    char *got = topic_numbers(&w, topic);
    CHECK_STR(got, want);
    mem_free(want);
    mem_free(got);
}

static void create(const char *name, const char *more)
{
    char body[600];
    snprintf(body, sizeof body,
             "{\"name\":\"%s\",\"config\":{\"connector.class\":\"Counter\",\"topic\":\"%s\",%s}}",
             name, name, more);
    ASK(&w, "POST", "/connectors", body, 201, NULL);
}

static void drop(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "/connectors/%s", name);
    ASK(&w, "DELETE", path, NULL, 204, "");
}

static bool has_failed(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "/connectors/%s/tasks/0/status", name);
    struct answer a = ask(&w, "GET", path, NULL);
    bool failed = strstr(a.body, "FAILED") != NULL;
    answer_release(&a);
    return failed;
}

static void wait_failed(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "/connectors/%s/tasks/0/status", name);
    CHECK(ask_until(&w, path, "stopped by the test"));
}

static void restart(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "/connectors/%s/tasks/0/restart", name);
    ASK(&w, "POST", path, NULL, 204, "");
}

/* One kill in the first batch of a new connector, one in a later batch. */
static void kill_at(enum intent_fault fault, const char *name, int32_t partitions, const char *more)
{
    char config[200], patch[100], path[100];
    make_topic(name, partitions);
    atomic_store(&intent_fault_at, (int)fault);
    snprintf(config, sizeof config, "\"limit\":10,%s", more);
    create(name, config);
    wait_failed(name);
    atomic_store(&intent_fault_at, FAULT_NONE);
    restart(name);
    expect_all(name, 10);
    snprintf(path, sizeof path, "/connectors/%s/offsets", name);
    CHECK(ask_until(&w, path, "{\"n\":10}"));
    atomic_store(&intent_fault_at, (int)fault);
    snprintf(path, sizeof path, "/connectors/%s/config", name);
    snprintf(patch, sizeof patch, "{\"limit\":27}");
    ASK(&w, "PATCH", path, patch, 200, NULL);
    wait_failed(name);
    atomic_store(&intent_fault_at, FAULT_NONE);
    restart(name);
    expect_all(name, 27);
    drop(name);
}

static void test_each_step(void)
{
    static const struct {
        enum intent_fault fault;
        const char *name;
    } steps[] = {{FAULT_AFTER_INTENT, "intent"},
                 {FAULT_AFTER_APPEND, "append"},
                 {FAULT_AFTER_COMMIT, "commit"}};
    static const struct {
        const char *name, *more;
        int32_t partitions;
    } shapes[] = {{"one", "\"x\":1", 1},
                  {"keys", "\"parts\":1", 3},
                  {"sticky", "\"x\":1", 3},
                  {"texts", "\"parts\":1,\"text\":1", 3}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        for (size_t k = 0; k < ARRAY_LEN(shapes); k++) {
            char name[60];
            snprintf(name, sizeof name, "%s-%s", steps[i].name, shapes[k].name);
            kill_at(steps[i].fault, name, shapes[k].partitions, shapes[k].more);
        }
    }
    kill_at(FAULT_MID_APPEND, "mid-keys", 3, "\"parts\":1");
}

/* Killed again and again in the middle of an append: each life gets one partition further. */
static void test_many_kills(void)
{
    for (int vary = 0; vary < 2; vary++) {
        const char *name = vary ? "lives-vary" : "lives";
        make_topic(name, 5);
        atomic_store(&intent_fault_at, FAULT_MID_APPEND);
        create(name, vary ? "\"limit\":60,\"batch\":12,\"parts\":1,\"vary\":1"
                          : "\"limit\":60,\"batch\":12,\"parts\":1");
        int lives = 0;
        while (topic_count(&w, name, 1) < 60 && lives < 300) {
            if (has_failed(name)) {
                restart(name);
                lives++;
            }
        }
        CHECK(lives > 5 && lives < 300);
        expect_all(name, 60);
        atomic_store(&intent_fault_at, FAULT_NONE);
        drop(name);
        expect_all(name, 60);
    }
}

/* The worker goes down with a half-written batch and comes up again. */
static void test_worker_restart(void)
{
    make_topic("down", 4);
    atomic_store(&intent_fault_at, FAULT_MID_APPEND);
    create("down", "\"limit\":40,\"batch\":8,\"parts\":1");
    wait_failed("down");
    worker_connect_stop(&w);
    atomic_store(&intent_fault_at, FAULT_NONE);
    CHECK(worker_connect_start(&w));
    expect_all("down", 40);
    drop("down");
}

/* A topic that is deleted while it is written to is made again. */
static void delete_while_writing(const char *name, bool text)
{
    struct error e = {0};
    char path[100];
    create(name, text ? "\"limit\":100000,\"batch\":3,\"pause.ms\":2,\"parts\":1,\"text\":1"
                      : "\"limit\":100000,\"batch\":3,\"pause.ms\":2");
    CHECK(topic_count(&w, name, 9) >= 9);
    CHECK_OK(broker_topic_delete(w.broker, slice_cstr(name), &e));
    CHECK(topic_count(&w, name, 9) >= 9);
    snprintf(path, sizeof path, "/connectors/%s/pause", name);
    ASK(&w, "PUT", path, NULL, 202, "");
    snprintf(path, sizeof path, "/connectors/%s/status", name);
    CHECK(ask_until(&w, path, "\"tasks\":[{\"id\":0,\"state\":\"PAUSED\""));
    /* Nothing came twice: as many different numbers as records. */
    char *got = topic_numbers(&w, name);
    for (char *p = got; p && *p;) {
        long long v = strtoll(p, &p, 10);
        if (*p == ',' && strtoll(p + 1, NULL, 10) != v + 1) {
            CHECK_INT(strtoll(p + 1, NULL, 10), v + 1);
            break;
        }
        p += *p == ',';
    }
    mem_free(got);
    drop(name);
}

static void test_deleted_topic(void)
{
    delete_while_writing("gone", false);
    delete_while_writing("gone-text", true);
}

/* Records that reading again does not give again (rows of a snapshot): none of the second life is
 * taken for one of the first. */
static void test_unrepeatable(void)
{
    make_topic("fresh", 3);
    atomic_store(&intent_fault_at, FAULT_MID_APPEND);
    create("fresh", "\"limit\":10,\"batch\":10,\"parts\":1,\"fresh\":1");
    wait_failed("fresh");
    atomic_store(&intent_fault_at, FAULT_NONE);
    restart("fresh");
    CHECK(ask_until(&w, "/connectors/fresh/offsets", "{\"n\":10}"));
    char *got = topic_numbers(&w, "fresh");
    for (int i = 1000; i < 1010; i++) {
        char one[16];
        snprintf(one, sizeof one, "%d", i);
        CHECK(strstr(got, one) != NULL);
    }
    mem_free(got);
    drop("fresh");
}

static enum err other_boot(struct db *d, void *arg, struct error *e)
{
    sqlite3_stmt *s =
        db_stmt(d, "UPDATE connect_intents SET boot = 'another' WHERE connector = ?1");
    db_bind_slice(s, 1, slice_cstr(arg));
    return db_exec(d, s, e);
}

/* Another boot id: the durable offsets count. After a clean stop they are the last ones; after a
 * kill events may come twice, none is lost. */
static void test_other_boot(void)
{
    struct error e = {0};
    char name[] = "boot";
    create(name, "\"limit\":10");
    expect_all("boot", 10);
    CHECK(ask_until(&w, "/connectors/boot/offsets", "{\"n\":10}"));
    worker_connect_stop(&w);
    CHECK_OK(db_run(w.db, other_boot, name, &e));
    CHECK(worker_connect_start(&w));
    ASK(&w, "PATCH", "/connectors/boot/config", "{\"limit\":20}", 200, NULL);
    expect_all("boot", 20);
    CHECK(ask_until(&w, "/connectors/boot/offsets", "{\"n\":20}"));

    atomic_store(&intent_fault_at, FAULT_AFTER_APPEND);
    ASK(&w, "PATCH", "/connectors/boot/config", "{\"limit\":30}", 200, NULL);
    wait_failed("boot");
    worker_connect_stop(&w);
    CHECK_OK(db_run(w.db, other_boot, name, &e));
    atomic_store(&intent_fault_at, FAULT_NONE);
    CHECK(worker_connect_start(&w));
    CHECK(ask_until(&w, "/connectors/boot/offsets", "{\"n\":30}"));
    CHECK(topic_count(&w, "boot", 30) >= 30);
    char *got = topic_numbers(&w, "boot");
    for (int i = 0; i < 30; i++) {
        char one[16];
        snprintf(one, sizeof one, "%s%d", i ? "," : "", i);
        CHECK(strstr(got, one) != NULL);
    }
    mem_free(got);
    drop("boot");
}

static const struct test_case tests[] = {
    {"a kill at each step", test_each_step},
    {"many kills", test_many_kills},
    {"restart of the worker", test_worker_restart},
    {"records that do not come again", test_unrepeatable},
    {"a topic is deleted", test_deleted_topic},
    {"another boot", test_other_boot},
    {NULL, NULL},
};
const struct test_suite test_intent = {"connect/intent", tests, setup, teardown};
