/* tests/unit/cdc/mysql/test_mysql_history.c - the topic of the history: what could not be written does
 * not come with later records, and a topic that was deleted is made again. */
#include "cdc/mysql/history.h"

#include "connect/worker_fixture.h"

static const char *texts[10];
static char found[400];
static size_t found_n;

static bool note(const struct krecord *r, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(texts) && texts[i]; i++)
        if (slice_find(r->value, slice_cstr(texts[i])) >= 0)
            found_n += (size_t)snprintf(found + found_n, sizeof found - found_n, "%s", texts[i]);
    return true;
}

static enum err make_table(struct db *d, void *arg, struct error *e)
{
    (void)arg;
    return db_exec(d, db_stmt(d, mysql_migrations.steps[0]), e);
}

static void store(struct history *h, const char *ddl)
{
    struct mysql_offset at;
    struct error e = {0};
    mysql_offset_init(&at);
    struct history_record r = {.at = &at, .db = SL("d"), .ddl = slice_cstr(ddl)};
    CHECK_OK(history_store(h, &r, 1, false, &e));
    mysql_offset_release(&at);
}

static void test_topic_deleted(void)
{
    struct worker w;
    struct error e = {0};
    struct history h;
    if (!worker_open(&w, NULL))
        return;
    CHECK_OK(db_run(w.db, make_table, NULL, &e));
    struct kclient *k = kclient_embedded(w.broker);
    history_init(&h, w.db, k, "c", SL("s"), SL("hist"));
    CHECK_OK(history_open(&h, &e));
    store(&h, "<one>");
    CHECK_OK(broker_topic_delete(w.broker, SL("hist"), &e));
    store(&h, "<two>");
    store(&h, "<three>");
    texts[0] = "<one>", texts[1] = "<two>", texts[2] = "<three>";
    CHECK_OK(kclient_read(k, SL("hist"), 0, -2, note, NULL, &e));
    CHECK_STR(found, "<two><three>");
    history_release(&h);
    kclient_free(k);
    worker_close(&w);
}

static const struct test_case tests[] = {
    {"a topic that is deleted is made again", test_topic_deleted},
    {NULL, NULL},
};
const struct test_suite test_mysql_history = {"cdc/mysql/history", tests, NULL, NULL};
