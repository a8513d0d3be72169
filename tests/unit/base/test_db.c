/* tests/unit/base/test_db.c - migrations, grouped commits and their failures, damaged and locked
 * files. */
#include "helpers.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/db.h"
#include "base/fs.h"
#include "base/log.h"

static const char *const steps_1[] = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT)", NULL};
static const char *const steps_2[] = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT)",
                                      "ALTER TABLE t ADD COLUMN b BLOB; CREATE INDEX tv ON t(v)",
                                      NULL};
static const char *const steps_bad[] = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT)",
                                        "CREATE TABLE other(x); ALTER TABLE none ADD COLUMN y",
                                        NULL};
static const struct db_migrations m1 = {"test", steps_1}, m2 = {"test", steps_2},
                                  mbad = {"test", steps_bad}, mother = {"other", steps_1};
static const struct db_migrations *const v1[] = {&m1, NULL}, *const v2[] = {&m2, NULL},
                                         *const vbad[] = {&mbad, NULL},
                                         *const vboth[] = {&m2, &mother, NULL};

static const char *new_path(void)
{
    static char path[400];
    snprintf(path, sizeof path, "%s/weir.db", test_dir());
    return path;
}

struct put {
    int64_t k;
    struct slice v;
    enum err result;
};

static enum err put_row(struct db *d, void *arg, struct error *e)
{
    struct put *p = arg;
    enum err rc = db_put(d, e, "INSERT INTO t(k, v) VALUES(?, ?)", db_int(p->k), db_text(p->v));
    if (rc == E_OK && p->result != E_OK)
        return error_set(e, p->result, "asked to fail");
    return rc;
}

struct got {
    int64_t k;
    char text[100];
    bool null;
};

static enum err get_row(struct db *d, void *arg, struct error *e)
{
    struct got *g = arg;
    sqlite3_stmt *s = db_stmt(d, "SELECT v FROM t WHERE k = ?");
    sqlite3_bind_int64(s, 1, g->k);
    enum err rc = db_step(d, s, e);
    if (rc != E_OK)
        return rc;
    struct slice v = db_column_slice(s, 0);
    g->null = slice_is_null(v);
    snprintf(g->text, sizeof g->text, PRI_SL, ARG_SL(v));
    return E_OK;
}

#define SQL(text) ((void *)(uintptr_t)(text))
static enum err run_sql(struct db *d, void *arg, struct error *e)
{
    const char *sql = arg;
    return db_exec(d, db_stmt(d, sql), e);
}

static enum err count_rows(struct db *d, void *arg, struct error *e)
{
    sqlite3_stmt *s = db_stmt(d, "SELECT count(*) FROM t");
    enum err rc = db_step(d, s, e);
    *(int64_t *)arg = rc == E_OK ? sqlite3_column_int64(s, 0) : -1;
    return rc;
}

static void rows(void)
{
    struct db *d;
    struct error e;
    struct stat st;
    const char *path = new_path();
    CHECK_OK(db_open(&d, path, false, v1, &e));
    CHECK_INT(stat(path, &st), 0);
    CHECK_INT(st.st_mode & 0777, 0600); /* passwords of connectors are in it */
    CHECK_OK(db_run(d, put_row, &(struct put){.k = 1, .v = SL("one")}, &e));
    CHECK_OK(db_run(d, put_row, &(struct put){.k = 2, .v = SLICE_NULL}, &e));
    CHECK_OK(db_run(d, put_row, &(struct put){.k = 3, .v = SL("")}, &e));
    struct got g = {.k = 1};
    CHECK_OK(db_run(d, get_row, &g, &e));
    CHECK_STR(g.text, "one");
    g.k = 2;
    CHECK_OK(db_run(d, get_row, &g, &e));
    CHECK(g.null);
    g.k = 3;
    CHECK_OK(db_run(d, get_row, &g, &e));
    CHECK(!g.null);
    g.k = 4;
    CHECK_ERR(db_run(d, get_row, &g, &e), E_NOT_FOUND);
    CHECK_ERR(db_run(d, put_row, &(struct put){.k = 1, .v = SL("twice")}, &e), E_EXISTS);
    CHECK(strstr(e.msg, "UNIQUE") != NULL);
    CHECK_ERR(db_run(d, run_sql, SQL("INSERT INTO nowhere VALUES(1)"), &e), E_IO);
    CHECK(strstr(e.msg, "no such table") != NULL);
    CHECK_ERR(db_run(d, run_sql, SQL("INSERT INTO nowhere VALUES(1)"), NULL), E_IO);
    /* A job that fails takes its own rows back. */
    CHECK_ERR(db_run(d, put_row, &(struct put){.k = 9, .v = SL("x"), .result = E_INVALID}, &e),
              E_INVALID);
    CHECK_STR(e.msg, "asked to fail");
    g.k = 9;
    CHECK_ERR(db_run(d, get_row, &g, &e), E_NOT_FOUND);

    sqlite3 *reader;
    CHECK_OK(db_read_open(d, &reader, &e));
    CHECK(sqlite3_exec(reader, "SELECT * FROM t", NULL, NULL, NULL) == SQLITE_OK);
    CHECK(sqlite3_exec(reader, "DELETE FROM t", NULL, NULL, NULL) != SQLITE_OK);
    sqlite3_close_v2(reader);
    db_close(d);
    CHECK_OK(db_open(&d, path, true, v1, &e));
    g.k = 1;
    CHECK_OK(db_run(d, get_row, &g, &e));
    db_close(d);
    db_close(NULL);
}

struct grouped {
    struct put put;
    _Atomic int *left;
    struct loop *back;
    enum err code;
    bool on_loop;
};

static enum err put_grouped(struct db *d, void *arg, struct error *e)
{
    return put_row(d, &((struct grouped *)arg)->put, e);
}

static void grouped_done(void *arg, enum err code)
{
    struct grouped *g = arg;
    g->code = code;
    g->on_loop = g->back && loop_is_current(g->back);
    atomic_fetch_sub(g->left, 1);
}

static enum err wait_a_little(struct db *d, void *arg, struct error *e)
{
    (void)d, (void)arg, (void)e;
    usleep(30000); /* so that the others queue up behind it */
    return E_OK;
}

static void group(void)
{
    enum { N = 300 };
    static struct grouped jobs[N];
    struct db *d;
    struct loop *l;
    struct error e;
    _Atomic int left = N;
    CHECK_OK(db_open(&d, new_path(), false, v1, &e));
    CHECK_OK(loop_start(&l, "back", &e));
    db_post(d, wait_a_little, NULL, NULL, NULL);
    for (int i = 0; i < N; i++) {
        jobs[i] = (struct grouped){
            .put = {.k = i % 290, .v = SL("v")}, .left = &left, .back = i % 2 ? l : NULL};
        jobs[i].put.result = i % 7 == 3 ? E_CONFLICT : E_OK;
        db_post(d, put_grouped, jobs[i].back, grouped_done, &jobs[i]);
    }
    db_close(d); /* runs them */
    loop_stop(l);
    CHECK_INT(left, 0);
    for (int i = 0; i < N; i++) {
        bool first_failed = i >= 290 && jobs[i - 290].put.result != E_OK;
        enum err want = jobs[i].put.result;
        if (i >= 290 && !first_failed)
            want = E_EXISTS;
        CHECK_ERR(jobs[i].code, want);
        CHECK_INT(jobs[i].on_loop, i % 2);
    }
}

/* What was committed moves from the WAL into the file while the database is open, by another thread
 * than the one that commits. */
static void moves_on(void)
{
    enum { ROWS = 5000, MANY_BYTES = 8 << 20 };
    struct db *d;
    struct error e;
    struct stat st = {0};
    static char text[4000];
    const char *path = new_path();
    memset(text, 'x', sizeof text);
    CHECK_OK(db_open(&d, path, false, v1, &e));
    for (int i = 0; i < ROWS; i++)
        CHECK_OK(db_run(d, put_row, &(struct put){.k = i, .v = slice_of(text, sizeof text)}, &e));
    for (int i = 0; i < 1000 && st.st_size < MANY_BYTES; i++) {
        usleep(10000);
        CHECK_INT(stat(path, &st), 0);
    }
    CHECK(st.st_size >= MANY_BYTES);
    int64_t n;
    CHECK_OK(db_run(d, count_rows, &n, &e));
    CHECK_INT(n, ROWS);
    db_close(d);
}

/* The file may not grow: jobs fail with a clear text, and later ones pass when there is room again.
 */
static void full(void)
{
    struct db *d;
    struct error e;
    static char big[200000];
    int64_t n;
    memset(big, 'x', sizeof big);
    CHECK_OK(db_open(&d, new_path(), false, v1, &e));
    CHECK_OK(db_run(d, put_row, &(struct put){.k = 1, .v = SL("small")}, &e));
    CHECK_OK(db_run(d, run_sql, SQL("PRAGMA max_page_count=20"), &e));
    struct put huge = {.k = 2, .v = slice_of(big, sizeof big)};
    CHECK_ERR(db_run(d, put_row, &huge, &e), E_IO);
    CHECK(strstr(e.msg, "disk is full") && strstr(e.hint, "make room"));
    CHECK_OK(db_run(d, count_rows, &n, &e));
    CHECK_INT(n, 1);
    /* In a group: what SQLite gives up with the transaction fails, the rest goes on. */
    _Atomic int left = 3;
    struct grouped jobs[3] = {{.put = {.k = 10, .v = SL("a")}, .left = &left},
                              {.put = {.k = 11, .v = slice_of(big, sizeof big)}, .left = &left},
                              {.put = {.k = 12, .v = SL("c")}, .left = &left}};
    db_post(d, wait_a_little, NULL, NULL, NULL);
    for (int i = 0; i < 3; i++)
        db_post(d, put_grouped, NULL, grouped_done, &jobs[i]);
    CHECK_OK(db_run(d, count_rows, &n, &e));
    CHECK_INT(left, 0);
    CHECK_ERR(jobs[1].code, E_IO);
    CHECK_OK(jobs[2].code);
    CHECK_INT(n, 2 + (jobs[0].code == E_OK)); /* told the truth either way */
    CHECK_OK(db_run(d, run_sql, SQL("PRAGMA max_page_count=100000"), &e));
    CHECK_OK(db_run(d, put_row, &huge, &e));
    db_close(d);
}

static void migrations(void)
{
    struct db *d;
    struct error e;
    const char *path = new_path();
    int64_t n;
    CHECK_OK(db_open(&d, path, false, v1, &e));
    CHECK_OK(db_run(d, put_row, &(struct put){.k = 1, .v = SL("kept")}, &e));
    db_close(d);
    CHECK_ERR(db_open(&d, path, false, vbad, &e), E_IO);
    CHECK(d == NULL && strstr(e.msg, "test schema") != NULL);
    CHECK_OK(db_open(&d, path, false, v2, &e)); /* the failed step left nothing behind */
    CHECK_OK(db_run(d, run_sql, SQL("UPDATE t SET b = x'00'"), &e));
    CHECK_OK(db_run(d, count_rows, &n, &e));
    CHECK_INT(n, 1);
    db_close(d);
    CHECK_ERR(db_open(&d, path, false, v1, &e), E_UNSUPPORTED);
    CHECK(strstr(e.msg, "newer weir (test schema 2, this one knows 1)") != NULL);
    CHECK_ERR(db_open(&d, path, false, vboth, &e), E_IO); /* two modules want one table name */
    CHECK_OK(db_open(&d, path, false, NULL, &e));
    db_close(d);
}

static void bad_files(void)
{
    struct db *d;
    struct error e;
    const char *path = new_path();
    static char noise[8192];
    memset(noise, 'n', sizeof noise);
    CHECK_OK(fs_replace(path, slice_of(noise, sizeof noise), &e));
    CHECK_ERR(db_open(&d, path, false, v1, &e), E_CORRUPT);
    CHECK(strstr(e.msg, "damaged or no SQLite file") && e.hint[0]);
    CHECK_ERR(db_open(&d, "/nonexistent/weir.db", false, v1, &e), E_IO);
    CHECK(strstr(e.hint, "writable") != NULL);
}

static void locked(void)
{
    struct db *d;
    struct error e;
    sqlite3 *other;
    const char *path = new_path();
    CHECK_OK(db_open(&d, path, false, v1, &e));
    CHECK(sqlite3_open(path, &other) == SQLITE_OK);
    CHECK(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    CHECK_ERR(db_run(d, put_row, &(struct put){.k = 1, .v = SL("x")}, &e), E_CONFLICT);
    CHECK(strstr(e.msg, "another program has it locked") != NULL);
    sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
    CHECK_OK(db_run(d, put_row, &(struct put){.k = 1, .v = SL("x")}, &e));
    sqlite3_close(other);
    db_close(d);
}

/* Without a clean close the WAL brings back what was committed; a clean one leaves one file. */
static void files_left(void)
{
    struct db *d;
    struct error e;
    char wal[500];
    const char *path = new_path();
    snprintf(wal, sizeof wal, "%s-wal", path);
    CHECK_OK(db_open(&d, path, false, v1, &e));
    CHECK_OK(db_run(d, put_row, &(struct put){.k = 1, .v = SL("x")}, &e));
    CHECK(fs_exists(wal));
    usleep(1200000); /* the sync of the WAL passes by */
    CHECK_OK(db_run(d, put_row, &(struct put){.k = 2, .v = SL("x")}, &e));
    db_close(d);
    CHECK(!fs_exists(wal));
}

static void fast(void)
{
    struct db *d;
    struct error e;
    int64_t from = clock_mono_us();
    CHECK_OK(db_open(&d, new_path(), false, v2, &e));
    int64_t took = clock_mono_us() - from;
    CHECK(took < 100 * 1000); /* 1-2 ms on a quiet machine */
    db_close(d);
}

static int quiet(void) /* failures are what is tested here */
{
    return log_set_level("db", LOG_L_OFF);
}

static int loud(void)
{
    return log_set_level("db", LOG_L_INFO);
}

static const struct test_case tests[] = {
    {"rows", rows},     {"group", group},           {"moves on", moves_on},
    {"full", full},     {"migrations", migrations}, {"bad_files", bad_files},
    {"locked", locked}, {"files_left", files_left}, {"fast", fast},
    {NULL, NULL},
};
const struct test_suite test_db = {"base/db", tests, quiet, loud};
