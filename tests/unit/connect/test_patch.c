/* tests/unit/connect/test_patch.c - PATCH of a configuration while others change it. */
#include "connect/worker_fixture.h"

#include <pthread.h>
#include <unistd.h>

struct patcher {
    pthread_t thread;
    struct worker *w;
    const char *body;
    int status;
};

static void *patch(void *arg)
{
    struct patcher *p = arg;
    struct answer a = ask(p->w, "PATCH", "/connectors/both/config", p->body);
    p->status = a.status;
    answer_release(&a);
    return NULL;
}

static void test_two_at_once(void)
{
    struct worker w;
    if (!worker_open(&w, NULL))
        return;
    struct patcher p[] = {{.w = &w, .body = "{\"one\":\"1\"}"},
                          {.w = &w, .body = "{\"two\":\"2\"}"},
                          {.w = &w, .body = "{\"limit\":null}"}};
    ASK(&w, "POST", "/connectors",
        "{\"name\":\"both\",\"initial_state\":\"STOPPED\",\"config\":{\"connector.class\":"
        "\"CounterSource\",\"topic\":\"both\",\"check.ms\":\"150\",\"limit\":\"7\"}}",
        201, NULL);
    for (size_t i = 0; i < ARRAY_LEN(p); i++)
        CHECK_INT(pthread_create(&p[i].thread, NULL, patch, &p[i]), 0);
    for (size_t i = 0; i < ARRAY_LEN(p); i++) {
        pthread_join(p[i].thread, NULL);
        CHECK_INT(p[i].status, 200);
    }
    struct answer a = ask(&w, "GET", "/connectors/both/config", NULL);
    CHECK(strstr(a.body, "\"one\":\"1\"") != NULL);
    CHECK(strstr(a.body, "\"two\":\"2\"") != NULL);
    CHECK(strstr(a.body, "\"limit\"") == NULL);
    answer_release(&a);
    worker_close(&w);
}

static const struct test_case tests[] = {
    {"two at the same time are both kept", test_two_at_once},
    {NULL, NULL},
};
const struct test_suite test_patch = {"connect/patch", tests, NULL, NULL};
