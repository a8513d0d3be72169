/* tests/unit/base/test_log.c - line format, escaping, levels, collapsing, the journal's form. */
#include "helpers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* Runs fn in a child whose stderr is a file; gives what it wrote. Caller frees. */
static char *lines_of(void (*fn)(void), bool journal)
{
    char path[300];
    snprintf(path, sizeof path, "%s/stderr", test_dir());
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        struct stat st;
        char name[60];
        dup2(fd, STDERR_FILENO);
        fstat(STDERR_FILENO, &st);
        snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino + !journal);
        setenv("JOURNAL_STREAM", name, 1);
        log_detect_journal();
        fn();
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    CHECK_INT(status, 0);
    return test_read_file(path, NULL);
}

static void one_line(void)
{
    struct log_ctx a, b;
    clock_fake(1767225600123, 5000);
    log_ctx_push(&a, "conn=17");
    log_ctx_push(&b, "peer=127.0.0.1:5123");
    LOG_INFO(LOG_BROKER_CONN, "opened");
    log_action("reading the frame");
    LOG_INFO(LOG_BROKER_CONN, "second");
    LOG_WARN(LOG_BROKER_CONN, "closing: %s", "too large");
    log_ctx_pop(&b);
    log_ctx_pop(&a);
    log_action(NULL);
    LOG_DEBUG(LOG_BROKER_CONN, "not shown");
    LOG_ERROR(LOG_MAIN, "last");
}

static void format(void)
{
    char *text = lines_of(one_line, false);
    CHECK_STR(text,
              "2026-01-01T00:00:00.123Z INFO  broker.conn opened conn=17 peer=127.0.0.1:5123\n"
              "2026-01-01T00:00:00.123Z INFO  broker.conn second conn=17 peer=127.0.0.1:5123\n"
              "2026-01-01T00:00:00.123Z WARN  broker.conn closing: too large conn=17 "
              "peer=127.0.0.1:5123 while=\"reading the frame\"\n"
              "2026-01-01T00:00:00.123Z ERROR main last\n");
    free(text);
}

static void journal(void)
{
    char *text = lines_of(one_line, true);
    CHECK_STR(text, "<6>broker.conn opened conn=17 peer=127.0.0.1:5123\n"
                    "<6>broker.conn second conn=17 peer=127.0.0.1:5123\n"
                    "<4>broker.conn closing: too large conn=17 peer=127.0.0.1:5123 "
                    "while=\"reading the frame\"\n"
                    "<3>main last\n");
    free(text);
}

static void cover(void *arg, char *msg, size_t room)
{
    char *at = strstr(msg, arg);
    CHECK(room > 100);
    if (at)
        memset(at, '*', strlen(arg));
}

static void write_hidden(void)
{
    struct log_ctx a, b;
    struct error e = {0};
    char word[] = "s3cret";
    log_ctx_push(&a, "task=0");
    log_ctx_hide(&a, cover, word);
    log_ctx_push(&b, "inner=1");
    error_set(&e, E_AUTH, "no entry with s3cret");
    LOG_ERR(LOG_WEB, LOG_L_ERROR, &e, "failed");
    log_ctx_pop(&b);
    LOG_INFO(LOG_WEB, "the s3cret");
    log_ctx_pop(&a);
    LOG_INFO(LOG_WEB, "the s3cret");
}

static void hidden(void)
{
    char *text = lines_of(write_hidden, true);
    CHECK_STR(text, "<3>web failed: no entry with ****** task=0 inner=1\n<6>web the ****** task=0\n"
                    "<6>web the s3cret\n");
    free(text);
}

static void write_hostile(void)
{
    struct log_ctx c;
    LOG_INFO(LOG_WEB, "a\nb\r\tc\x1b[31m \x7f \x9b x \xc2\x9b y \xed\x95\x9c \xff %s", "100%");
    log_ctx_push(&c, "name=x\ny");
    LOG_INFO(LOG_WEB, "with context");
    log_ctx_pop(&c);
    char big[10000];
    memset(big, 'z', sizeof big);
    big[sizeof big - 1] = 0;
    LOG_INFO(LOG_WEB, "%s", big);
    memset(big, '\1', sizeof big - 1);
    LOG_INFO(LOG_WEB, "%s", big);
}

static void escaping(void)
{
    char *text = lines_of(write_hostile, true);
    struct slice rest = slice_cstr(text), line;
    slice_split(&rest, '\n', &line);
    CHECK_SLICE(line,
                SL("<6>web a | b | c\\x1b[31m \\x7f \\x9b x \\xc2\\x9b y \xed\x95\x9c \\xff 100%"));
    slice_split(&rest, '\n', &line);
    CHECK_SLICE(line, SL("<6>web with context name=x | y"));
    slice_split(&rest, '\n', &line);
    CHECK(slice_ends(line, SL("zzz...")));
    CHECK(line.n > 4000 && line.n < 4200);
    slice_split(&rest, '\n', &line);
    CHECK(line.n > 8000);
    CHECK_SLICE(rest, SL(""));
    free(text);
}

static void write_equal(void)
{
    clock_fake(1767225600000, 10000);
    for (int i = 0; i < 1000; i++) {
        if (i == 999)
            clock_fake_advance(1500);
        LOG_WARN(LOG_DB, "disk is full");
    }
    for (int i = 0; i < 1000; i++)
        LOG_WARN(LOG_DB, "different %d", i);
    clock_fake_advance(1500);
    for (int i = 0; i < 2; i++)
        LOG_WARN(LOG_DB, "same text %s", "here");
    (void)!log_set_level("db", LOG_L_DEBUG);
    for (int i = 0; i < 3; i++)
        LOG_DEBUG(LOG_DB, "all of these");
}

static void collapsing(void)
{
    char *text = lines_of(write_equal, true);
    struct slice rest = slice_cstr(text), line;
    slice_split(&rest, '\n', &line);
    CHECK_SLICE(line, SL("<4>db disk is full"));
    slice_split(&rest, '\n', &line);
    CHECK_SLICE(line, SL("<4>db disk is full held_back=998"));
    int different = 0;
    while (slice_split(&rest, '\n', &line) && slice_starts(line, SL("<4>db different ")))
        different++;
    CHECK_INT(different, 200);
    CHECK_SLICE(line, SL("<4>db same text here"));
    CHECK_SLICE(rest, SL("<7>db all of these\n<7>db all of these\n<7>db all of these\n"));
    free(text);
}

static void write_errors(void)
{
    struct error e;
    error_clear(&e);
    LOG_ERR(LOG_DB, LOG_L_ERROR, &e, "nothing to add");
    LOG_ERR(LOG_DB, LOG_L_ERROR, NULL, "no error");
    (void)!error_set(&e, E_IO, "writing x: full");
    LOG_ERR(LOG_DB, LOG_L_ERROR, &e, "topic %s", "a");
    error_hint(&e, "make room");
    LOG_ERR(LOG_DB, LOG_L_ERROR, &e, "topic %s", "b");
}

static void errors(void)
{
    char *text = lines_of(write_errors, true);
    CHECK_STR(text, "<3>db nothing to add\n<3>db no error\n<3>db topic a: writing x: full\n"
                    "<3>db topic b: writing x: full (make room)\n");
    free(text);
}

static void levels(void)
{
    enum log_level l;
    CHECK_OK(log_parse_level("warn", &l));
    CHECK_INT(l, LOG_L_WARN);
    CHECK_OK(log_parse_level("FATAL", &l));
    CHECK_INT(l, LOG_L_ERROR);
    CHECK_ERR(log_parse_level("loud", &l), E_INVALID);
    CHECK_STR(log_level_name(LOG_L_TRACE), "TRACE");
    CHECK_STR(log_category_name(LOG_CDC_MYSQL), "cdc.mysql");
    CHECK_ERR(log_set_level("nothing", LOG_L_INFO), E_NOT_FOUND);
    CHECK_ERR(log_set_level("", LOG_L_INFO), E_NOT_FOUND);
    CHECK_ERR(log_set_level("brok", LOG_L_INFO), E_NOT_FOUND);
    CHECK_OK(log_set_level("broker", LOG_L_TRACE));
    CHECK(log_enabled(LOG_BROKER, LOG_L_TRACE) && log_enabled(LOG_BROKER_TXN, LOG_L_TRACE));
    CHECK(!log_enabled(LOG_WEB, LOG_L_DEBUG));
    CHECK_OK(log_set_level("broker.conn", LOG_L_OFF));
    CHECK(!log_enabled(LOG_BROKER_CONN, LOG_L_ERROR));
    CHECK_OK(log_set_level("root", LOG_L_INFO));
    CHECK(log_enabled(LOG_BROKER_CONN, LOG_L_INFO) && !log_enabled(LOG_BROKER, LOG_L_DEBUG));
}

static char file_a[300], file_b[300];

static void write_files(void)
{
    struct error e;
    if (log_to_file(file_a, &e) != E_OK)
        _exit(2);
    LOG_INFO(LOG_MAIN, "to a");
    if (log_to_file(file_b, &e) != E_OK)
        _exit(3);
    LOG_INFO(LOG_MAIN, "to b");
    if (log_to_file("/nonexistent/dir/x", &e) != E_IO)
        _exit(4);
    LOG_INFO(LOG_MAIN, "still b");
}

static void to_file(void)
{
    snprintf(file_a, sizeof file_a, "%s/a", test_dir());
    snprintf(file_b, sizeof file_b, "%s/b", test_dir());
    char *text = lines_of(write_files, true), *a = test_read_file(file_a, NULL),
         *b = test_read_file(file_b, NULL);
    CHECK_STR(text, "");
    CHECK(slice_ends(slice_cstr(a), SL("Z INFO  main to a\n")));
    CHECK(slice_ends(slice_cstr(b), SL("Z INFO  main still b\n")));
    free(text);
    free(a);
    free(b);
}

static const struct test_case tests[] = {
    {"format", format},
    {"journal", journal},
    {"escaping", escaping},
    {"what nobody may see", hidden},
    {"collapsing", collapsing},
    {"errors", errors},
    {"levels", levels},
    {"to_file", to_file},
    {NULL, NULL},
};
const struct test_suite test_log = {"base/log", tests};
