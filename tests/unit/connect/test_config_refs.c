/* tests/unit/connect/test_config_refs.c - references in values: what they stand for, where they may
 * not lead, and that nothing shows what they stand for. */
#include "connect/config_refs.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "helpers.h"

static char dir[300];

static bool put(const char *name, const char *text)
{
    char path[500];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f)
        return false;
    fputs(text, f);
    return fclose(f) == 0;
}

static int setup(void)
{
    char path[400];
    snprintf(dir, sizeof dir, "%s/config-refs", test_dir());
    snprintf(path, sizeof path, "%s/in", dir);
    if (mkdir(dir, 0700) || mkdir(path, 0700))
        return 1;
    bool ok = put("secrets.properties",
                  "# comment\nuser = root\npassword:s3cret words  \nutf=\\u00e9\n") &&
              put("in/token", "abc\n") && put("in-between", "no=1\n");
    snprintf(path, sizeof path, "%s/in/link", dir);
    ok = ok && symlink("../secrets.properties", path) == 0;
    snprintf(path, sizeof path, "%s/in/pipe", dir);
    ok = ok && mkfifo(path, 0600) == 0;
    setenv("WEIR_TEST_SECRET", "from the environment", 1);
    return ok ? 0 : 1;
}

/* One value resolved; @ in it is the directory. NULL: refused, *why has the text. */
static char why[2048];
static char *resolve(const struct strmap *worker, const char *text)
{
    struct strmap in = STRMAP_INIT, out;
    struct error e = {0};
    struct strbuf value = STRBUF_INIT;
    for (const char *c = text; *c; c++)
        strbuf_add_slice(&value, *c == '@' ? slice_cstr(dir) : slice_of(c, 1));
    strmap_set(&in, SL("k"), strbuf_slice(&value));
    char *got =
        config_refs_resolve(&in, worker, &out, &e) ? NULL : slice_dup(strmap_get_c(&out, "k"));
    snprintf(why, sizeof why, "%s", e.msg);
    strmap_release(&in);
    strmap_release(&out);
    strbuf_release(&value);
    return got;
}

static void expect(const struct strmap *worker, const char *text, const char *want)
{
    char *got = resolve(worker, text);
    CHECK_STR(got ? got : "(refused)", want);
    mem_free(got);
}

static void values(void)
{
    struct strmap w = STRMAP_INIT;
    expect(&w, "${file:@/secrets.properties:password}", "s3cret words  ");
    expect(&w, "a-${file:@/secrets.properties:user}-${file:@/secrets.properties:utf}.",
           "a-root-\xc3\xa9.");
    expect(&w, "${dir:@/in:token}", "abc\n");
    expect(&w, "${env:WEIR_TEST_SECRET}", "from the environment");
    /* Others' references, and those that lead nowhere, stay. */
    expect(&w, "${topic} ${routedByValue} ${x:y} ${", "${topic} ${routedByValue} ${x:y} ${");
    expect(&w, "${env:WEIR_TEST_NOTHING}", "${env:WEIR_TEST_NOTHING}");
    char *whole = resolve(&w, "${dir:@:in/token}"); /* a name in the directory, not a path */
    CHECK(whole && strncmp(whole, "${dir:", 6) == 0);
    mem_free(whole);
    CHECK(resolve(&w, "${file:@/nothing:x}") == NULL);
    CHECK(strstr(why, "Could not read properties from file ") == why);
    CHECK(resolve(&w, "${env:p:WEIR_TEST_SECRET}") == NULL);
    CHECK_STR(why, "Path is not supported for EnvVarConfigProvider, invalid value 'p'");
}

static void names(void)
{
    struct strmap w = STRMAP_INIT;
    strmap_set(&w, SL("config.providers"), SL("vault"));
    strmap_set(&w, SL("config.providers.vault.class"),
               SL("org.apache.kafka.common.config.provider.EnvVarConfigProvider"));
    expect(&w, "${vault:WEIR_TEST_SECRET}", "from the environment");
    strmap_set(&w, SL("config.providers.vault.param.allowlist.pattern"), SL("MY_.*"));
    expect(&w, "${vault:WEIR_TEST_SECRET}", "${vault:WEIR_TEST_SECRET}");
    strmap_set(&w, SL("config.providers.vault.param.allowlist.pattern"), SL("WEIR_TEST_[A-Z]+"));
    expect(&w, "${vault:WEIR_TEST_SECRET}", "from the environment");
    strmap_set(&w, SL("config.providers.vault.param.allowlist.pattern"), SL("("));
    expect(&w, "${vault:WEIR_TEST_SECRET}", "${vault:WEIR_TEST_SECRET}");
    strmap_release(&w);
}

static void confined(void)
{
    struct strmap w = STRMAP_INIT;
    char in[400];
    /* A pipe would hang, a device never end. */
    CHECK(resolve(&w, "${file:@/in/pipe:x}") == NULL);
    CHECK(resolve(&w, "${file:/dev/zero:x}") == NULL);
    snprintf(in, sizeof in, "/nowhere, %s/in/", dir);
    strmap_set(&w, SL("config.providers.file.param.allowed.paths"), slice_cstr(in));
    strmap_set(&w, SL("config.providers.dir.param.allowed.paths"), slice_cstr(in));
    CHECK(resolve(&w, "${file:@/secrets.properties:user}") == NULL);
    CHECK(resolve(&w, "${file:@/in/../secrets.properties:user}") == NULL);
    CHECK(resolve(&w, "${file:@/in-between:no}") == NULL);
    CHECK(resolve(&w, "${file:@/in/link:user}") == NULL); /* leads out */
    CHECK(strstr(why, "root") == NULL);
    expect(&w, "${dir:@/in:token}", "abc\n");
    strmap_set(&w, SL("config.providers.file.param.allowed.paths"), SL("/"));
    expect(&w, "${file:@/secrets.properties:user}", "root");
    strmap_release(&w);
}

static void hidden(void)
{
    struct strmap raw = STRMAP_INIT, plain = STRMAP_INIT;
    struct strbuf text = STRBUF_INIT;
    strmap_set(&raw, SL("port"), SL("${env:A}"));
    strmap_set(&plain, SL("port"), SL(" s3cret "));
    strmap_set(&raw, SL("user"), SL("root"));
    strmap_set(&plain, SL("user"), SL("root"));
    CHECK(config_refs_used(&raw, &plain, SL("port")) &&
          !config_refs_used(&raw, &plain, SL("user")));
    strbuf_adds(&text, "root: Invalid value s3cret for port, s3cret");
    config_refs_hide(&raw, &plain, &text);
    CHECK_STR(text.p, "root: Invalid value ${env:A} for port, ${env:A}");
    strbuf_release(&text);
    strmap_release(&raw);
    strmap_release(&plain);
}

static void expect_hidden(const char *given, const char *stands_for, const char *text,
                          const char *want)
{
    struct strmap raw = STRMAP_INIT, plain = STRMAP_INIT;
    struct error e = {0};
    strmap_set(&raw, SL("url"), slice_cstr(given));
    strmap_set(&plain, SL("url"), slice_cstr(stands_for));
    error_set(&e, E_AUTH, "%s", text);
    error_hint(&e, "%s", text);
    config_refs_hide_error(&raw, &plain, &e);
    CHECK_STR(e.msg, want);
    CHECK_STR(e.hint, want);
    strmap_release(&raw);
    strmap_release(&plain);
}

/* Of a value that is a reference in part, that part is hidden wherever it shows up. */
static void hidden_in_part(void)
{
    expect_hidden("jdbc:x?password=${env:A}", "jdbc:x?password=s3cret", "no entry with 's3cret'",
                  "no entry with '${env:A}'");
    expect_hidden("u:${env:A}@${env:B}/db", "u:s3cret@host/db", "host refuses s3cret (db)",
                  "${env:B} refuses ${env:A} (db)");
    expect_hidden("${env:A}${env:B}", "onetwo", "is onetwo not", "is ${env:A}${env:B} not");
    /* One that led nowhere stands for itself. */
    expect_hidden("${env:A}-${env:B}", "${env:A}-two words", "${env:A} and two words",
                  "${env:A} and ${env:B}");
    expect_hidden("a ${env:A}", "something else", "else", "else");
}

static const struct test_case tests[] = {{"values", values},
                                         {"names", names},
                                         {"confined", confined},
                                         {"hidden", hidden},
                                         {"hidden in part", hidden_in_part},
                                         {NULL, NULL}};
const struct test_suite test_config_refs = {"connect/config_refs", tests, setup, NULL};
