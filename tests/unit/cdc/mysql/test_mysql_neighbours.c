/* Connectors that are in each other's way are told so, once, also when they start at the same time.
 * */
#include "cdc/mysql/neighbours.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/log_tap.h"
#include "cdc/mysql/options.h"
#include "helpers.h"

enum { THREADS = 8, ROUNDS = 5 };

static _Atomic int warnings;
static char newest[300];
static pthread_barrier_t together;

static void on_warning(enum log_level level, const struct log_ctx *ctx, const char *text)
{
    (void)ctx;
    if (level == LOG_L_WARN)
        atomic_fetch_add(&warnings, 1);
    snprintf(newest, sizeof newest, "%s", text);
}

static void count_only(enum log_level level, const struct log_ctx *ctx, const char *text)
{
    (void)level;
    (void)ctx;
    (void)text;
    atomic_fetch_add(&warnings, 1);
}

static struct mysql_options options(const char *host, int id, const char *prefix)
{
    return (struct mysql_options){.hostname = slice_cstr(host),
                                  .port = 3306,
                                  .server_id = id,
                                  .topic_prefix = slice_cstr(prefix)};
}

static void test_warnings(void)
{
    struct mysql_options a = options("h", 1, "a"), b = options(" H", 1, "b"),
                         c = options("g", 1, "a");
    struct neighbour na, nb, nc, again;
    log_tap(on_warning);
    warnings = 0;
    neighbours_join(&na, "a", &a);
    neighbours_join(&again, "a", &a); /* it restarts */
    CHECK_INT(warnings, 0);
    neighbours_leave(&again);
    neighbours_join(&nb, "b", &b);
    CHECK_INT(warnings, 1);
    CHECK(strstr(newest, "connectors 'b' and 'a' read ") != NULL);
    neighbours_join(&nc, "c", &c);
    CHECK_INT(warnings, 2);
    CHECK(strstr(newest, "connectors 'c' and 'a' have the same topic.prefix 'a'") != NULL);
    log_tap(NULL);
    neighbours_leave(&na);
    neighbours_leave(&nb);
    neighbours_leave(&nc);
}

static void test_hint(void)
{
    struct mysql_options a = options("h", 1, "a"), b = options("h", 1, "b"),
                         c = options("g", 1, "c"), d = options("h", 2, "d");
    struct neighbour na, nb, nc, nd, none = {0};
    struct error e = {0};
    neighbours_join(&nb, "b", &b);
    neighbours_join(&na, "a", &a);
    neighbours_join(&nc, "c", &c);
    neighbours_join(&nd, "d", &d);
    CHECK(neighbours_hint(&na, &e)); /* not the newest one, but that of its server */
    CHECK(strstr(e.hint, "connector 'b' of this worker reads with database.server.id 1") != NULL);
    neighbours_leave(&nb);
    CHECK(neighbours_hint(&na, &e));
    CHECK(strstr(e.hint, "it may be connector 'c' of this worker, which reads g ") != NULL);
    neighbours_leave(&nc);
    CHECK(!neighbours_hint(&na, &e));
    CHECK(!neighbours_hint(&none, &e));
    neighbours_leave(&na);
    neighbours_leave(&nd);
}

/* Of two that start at the same time one warns. */
static void *start(void *arg)
{
    static struct neighbour all[THREADS];
    size_t i = (size_t)(uintptr_t)arg;
    struct mysql_options o = options("h", (int)i, "same");
    for (int n = 0; n < ROUNDS; n++) {
        char name[20];
        snprintf(name, sizeof name, "round%d-%d", n, (int)i); /* equal lines would be held back */
        pthread_barrier_wait(&together);
        neighbours_join(&all[i], name, &o);
        pthread_barrier_wait(&together);
        neighbours_leave(&all[i]);
    }
    return NULL;
}

static void test_at_once(void)
{
    pthread_t threads[THREADS];
    warnings = 0;
    log_tap(count_only);
    pthread_barrier_init(&together, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, start, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    log_tap(NULL);
    CHECK_INT(warnings, ROUNDS * THREADS * (THREADS - 1) / 2);
}

static const struct test_case tests[] = {
    {"warnings", test_warnings},
    {"hint", test_hint},
    {"at once", test_at_once},
    {NULL, NULL},
};
const struct test_suite test_mysql_neighbours = {"cdc/mysql/neighbours", tests, NULL, NULL};
