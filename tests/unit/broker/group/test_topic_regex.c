/* tests/unit/broker/group/test_topic_regex.c - patterns of subscriptions. SPEC: broker 8.4. */
#include "broker/group/topic_regex.h"

#include "base/base.h"
#include "base/mem.h"
#include "helpers.h"

static int matches(const char *pattern, const char *name)
{
    struct topic_regex *r;
    struct error e;
    if (topic_regex_new(&r, slice_cstr(pattern), &e) != E_OK)
        return -1;
    int is = topic_regex_matches(r, slice_cstr(name));
    topic_regex_free(r);
    return is;
}

static void test_matches(void)
{
    CHECK_INT(matches("foo.*", "foobar"), 1);
    CHECK_INT(matches("foo", "foobar"), 0); /* the whole name */
    CHECK_INT(matches("oo", "foo"), 0);
    CHECK_INT(matches("a|ab", "ab"), 1);
    CHECK_INT(matches("^a[0-9]+$", "a17"), 1);
    CHECK_INT(matches("(?i)ABC", "abc"), 1);
    CHECK_INT(matches("(?P<n>x)y", "xy"), 1);
    CHECK_INT(matches("(?:x|y){2}", "yx"), 1);
    CHECK_INT(matches("\\Qa.b\\E.*", "a.bc"), 1);
    CHECK_INT(matches("[]a]+", "]a"), 1);
    CHECK_INT(matches("\\++", "+++"), 1);
    CHECK_INT(matches("\\pL+", "abc"), 1);
    CHECK_INT(matches("", ""), 1);
}

static void test_refused(void)
{
    static const char *const bad[] = {
        "foo(", "[",   "*a",   "(a)\\1", "(?=a)a",  "(?!a)b",  "(?<=a)b", "(?<!a)b", "(?>a)",
        "a++",  "a*+", "(?R)", "(?1)",   "(*FAIL)", "\\k<n>a", "(?(1)a)", "a\\",     "\\Ga"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (matches(bad[i], "a") != -1)
            printf("    %s\n", bad[i]);
        CHECK_INT(matches(bad[i], "a"), -1);
    }
    struct topic_regex *r;
    char *huge = xmalloc(10000);
    memset(huge, 'a', 10000);
    CHECK_ERR(topic_regex_new(&r, slice_of(huge, 10000), NULL), E_TOO_LARGE);
    mem_free(huge);
}

/* One that would take for ever ends, as no match. */
static void test_bounded(void)
{
    char name[250];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK_INT(matches("(a|a)*b", name), 0);
    CHECK_INT(matches("((a+)+)+c", name), 0);
    CHECK_INT(matches(".*.*.*.*a", name), 1);
}

static const struct test_case tests[] = {
    {"whole names, RE2's syntax", test_matches},
    {"what RE2 does not know is refused", test_refused},
    {"time is bounded", test_bounded},
    {NULL, NULL},
};
const struct test_suite test_topic_regex = {"broker/group/topic_regex", tests};
