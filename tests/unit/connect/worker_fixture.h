/* tests/unit/connect/worker_fixture.h - a whole worker on an embedded broker for tests: broker,
 * SQLite, REST on a free port, and one source connector that counts (class test.CounterSource).
 *
 * Options of the connector: topic, limit (records in all), batch (records a poll), fail.at (poll
 * fails at this number), parts (number of partitions to spread over by key; 0 = no key), pause.ms
 * (between polls), text (records are written by the connector itself), vary (polls give 1 to 7
 * records in turn), deaf.ms (each poll first sleeps so long,
 * whatever it is told), check.ms (how long validation takes). */
#ifndef WEIR_TESTS_UNIT_CONNECT_WORKER_FIXTURE_H
#define WEIR_TESTS_UNIT_CONNECT_WORKER_FIXTURE_H

#include "base/db.h"
#include "base/loop.h"
#include "base/pool.h"
#include "broker/admin.h"
#include "broker/broker.h"
#include "connect/connect.h"
#include "helpers.h"

struct worker {
    char dir[300];
    struct broker_config config;
    struct db *db;
    struct pool *pool;
    struct loop *http;
    struct broker *broker;
    struct connect *connect;
    struct http_listen listen;
    const char *graceful_ms; /* NULL: default; for the next worker_connect_start */
    const char *const *more; /* further worker options, name and value in turn; ends with NULL */
};
extern atomic_int counters_deaf; /* tasks in such a sleep */
/* dir NULL: a fresh one. False: the test cannot go on. */
bool worker_open(struct worker *w, const char *dir);
void worker_close(struct worker *w);         /* keeps the directory */
bool worker_connect_start(struct worker *w); /* the Connect part alone */
void worker_connect_stop(struct worker *w);

struct answer {
    int status;
    char *body; /* "" without one; released by answer_release */
    char *head;
};
struct answer ask(struct worker *w, const char *method, const char *path, const char *body);
void answer_release(struct answer *a);
/* Asks and compares status and body (NULL: not looked at). */
void check_ask(struct worker *w, const char *method, const char *path, const char *body, int status,
               const char *want, const char *file, unsigned line);
#define ASK(w, method, path, body, status, want)                                                   \
    check_ask((w), (method), (path), (body), (status), (want), __FILE__, __LINE__)
/* Asks until the body contains the text; false after 10 s. */
bool ask_until(struct worker *w, const char *path, const char *text);
/* Values of all records of the topic, sorted by number, as "0,1,2": one text, caller frees. */
char *topic_numbers(struct worker *w, const char *topic);
/* Records in all partitions, once there are `want` or 10 s have passed. */
int64_t topic_count(struct worker *w, const char *topic, int64_t want);

#endif
