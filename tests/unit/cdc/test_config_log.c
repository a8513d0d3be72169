/* What the log shows of a configuration: all options that were given, and no secret. */
#include "cdc/config_log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helpers.h"

static void check_shown(const char *name, const char *value, bool shown)
{
    struct slice got = config_log_value(slice_cstr(name), slice_cstr(value));
    CHECK_SLICE(got, slice_cstr(shown ? value : "********"));
}

static void test_secrets(void)
{
    static const char *const secret[] = {
        "database.password",
        "mongodb.ssl.keystore.password",
        "DATABASE.PASSWORD",
        "mongodb.connection.string",
        "producer.override.sasl.jaas.config",
        "value.converter.basic.auth.user.info",
        "value.converter.apicurio.registry.auth.client-secret",
        "transforms.x.token",
        "oauth.client.secret",
        "gcp.credentials.json",
    };
    static const char *const plain[] = {
        "database.user", "database.passwords.file", "column.exclude.list", "password.x", "token.x",
        "name"};
    for (size_t i = 0; i < ARRAY_LEN(secret); i++)
        check_shown(secret[i], "wow", false);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++)
        check_shown(plain[i], "wow", true);
    check_shown("database.password", "",
                true); /* there is none: that may be the reason of a fault */
    check_shown("u", "http://me:wow@registry:8081/x", false);
    check_shown("u", "http://me:w/o@registry:8081", false);
    check_shown("u", "http://registry:8081/@x:1", false); /* rather too much */
    check_shown("u", "http://registry:8081", true);
    check_shown("u", "http://me@registry", true);
    check_shown("u", "", true);
}

static void set(struct strmap *m, const char *key, const char *value)
{
    strmap_set(m, slice_cstr(key), value ? slice_cstr(value) : SLICE_NULL);
}

/* In a child, whose stderr is a file: the log is not turned back. */
static void test_lines(void)
{
    char path[300];
    struct strmap m = STRMAP_INIT;
    set(&m, "topic.prefix", "p");
    set(&m, "database.password", "wow");
    set(&m, "database.hostname", "h");
    set(&m, "connector.class", NULL);
    set(&m, "a", "two\nlines");
    snprintf(path, sizeof path, "%s/log", test_dir());
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
        log_detect_journal();
        config_log(LOG_CDC_MONGO, "MongoDbConnectorTask", &m);
        if (log_set_level("cdc.mongo", LOG_L_WARN) == E_OK)
            config_log(LOG_CDC_MONGO, "NotShownTask", &m);
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    CHECK_INT(status, 0);
    char *text = test_read_file(path, NULL);
    struct slice all = slice_cstr(text), line;
    static const char *const want[] = {"Starting MongoDbConnectorTask with configuration:",
                                       "   a = two | lines",
                                       "   connector.class = ",
                                       "   database.hostname = h",
                                       "   database.password = ********",
                                       "   topic.prefix = p"};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        CHECK(slice_split(&all, '\n', &line));
        CHECK(slice_ends(line, slice_cstr(want[i])));
    }
    CHECK_INT(all.n, 0);
    free(text);
    strmap_release(&m);
}

static const struct test_case tests[] = {
    {"secrets", test_secrets},
    {"lines", test_lines},
    {NULL, NULL},
};
const struct test_suite test_config_log = {"cdc/config_log", tests, NULL, NULL};
