/* tests/unit/base/test_opt.c - Java's parsing rules and messages, storing, printing, help. */
#include "helpers.h"

#include <math.h>

#include "base/opt.h"

struct conf {
    bool flag;
    int32_t tasks, mode;
    int16_t small;
    int64_t big;
    double ratio;
    struct slice name, topics, password;
};

static const char *const modes[] = {"none", "all", NULL};
static const char *const cases[] = {"REQUESTED", "REQUIRED", NULL};
static const char *const old_names[] = {"max.tasks", NULL};

static enum err not_empty(const struct opt_row *row, struct slice text, struct error *e)
{
    if (text.n > 0)
        return E_OK;
    return error_set(e, E_INVALID, "Invalid value  for configuration %s: String must be non-empty",
                     row->name);
}

static const struct opt_row rows[] = {
    {.name = "flag",
     .type = OPT_BOOLEAN,
     .def = "true",
     .offset = offsetof(struct conf, flag),
     .group = "Common",
     .doc = "Switches it on."},
    {.name = "tasks.max",
     .type = OPT_INT,
     .def = "1",
     .offset = offsetof(struct conf, tasks),
     .min = 1,
     .has_min = true,
     .aliases = old_names,
     .group = "Common",
     .doc =
         "Most tasks that may run at the same time; more than one helps only where the source can "
         "be divided."},
    {.name = "small",
     .type = OPT_SHORT,
     .def = "3",
     .offset = offsetof(struct conf, small),
     .group = "Common"},
    {.name = "big",
     .type = OPT_LONG,
     .def = "-1",
     .offset = offsetof(struct conf, big),
     .min = -1,
     .max = 100,
     .group = "Other"},
    {.name = "ratio",
     .type = OPT_DOUBLE,
     .def = "0.80",
     .offset = offsetof(struct conf, ratio),
     .min = 0,
     .max = 1,
     .group = "Other"},
    {.name = "name",
     .type = OPT_STRING,
     .def = NULL,
     .flags = OPT_REQUIRED,
     .offset = offsetof(struct conf, name),
     .check = not_empty},
    {.name = "topics", .type = OPT_LIST, .def = "", .offset = offsetof(struct conf, topics)},
    {.name = "password",
     .type = OPT_PASSWORD,
     .def = NULL,
     .offset = offsetof(struct conf, password)},
    {.name = "mode",
     .type = OPT_CHOICE,
     .def = "all",
     .choices = modes,
     .offset = offsetof(struct conf, mode)},
    {.name = "auth",
     .type = OPT_STRING,
     .def = "REQUIRED",
     .choices = cases,
     .flags = OPT_ANY_CASE,
     .offset = OPT_NO_FIELD},
    {.name = "hidden.pin",
     .type = OPT_INT,
     .flags = OPT_SECRET | OPT_INTERNAL,
     .def = "0",
     .offset = OPT_NO_FIELD},
    {.name = NULL},
};

static struct conf conf;
static struct opt_values values = {.values = &conf, .texts = STRMAP_INIT};

static void check_bad(const char *name, struct slice text, const char *want)
{
    struct error e;
    CHECK_ERR(opt_set(opt_find(rows, slice_cstr(name)), &values, text, &e), E_INVALID);
    CHECK_STR(e.msg, want);
}

static void check_text(const char *name, const char *given, const char *want)
{
    struct error e;
    struct strbuf tmp = STRBUF_INIT;
    const struct opt_row *r = opt_find(rows, slice_cstr(name));
    if (given)
        CHECK_OK(opt_set(r, &values, slice_cstr(given), &e));
    CHECK_SLICE(opt_text(r, &values, true, &tmp), slice_cstr(want));
    strbuf_release(&tmp);
}

static void defaults(void)
{
    memset(&conf, 0xee, sizeof conf);
    opt_values_release(&values);
    opt_defaults(rows, &conf);
    CHECK(conf.flag);
    CHECK_INT(conf.tasks, 1);
    CHECK_INT(conf.mode, 1);
    CHECK_INT(conf.small, 3);
    CHECK_INT(conf.big, -1);
    CHECK(conf.ratio > 0.79 && conf.ratio < 0.81);
    CHECK(slice_is_null(conf.name) && slice_is_null(conf.password));
    CHECK_SLICE(conf.topics, SL(""));
    check_text("ratio", NULL, "0.8");
    check_text("name", NULL, NULL);
    check_text("mode", NULL, "all");
    check_text("password", NULL, NULL);
    check_text("topics", NULL, "");
}

static void values_of_all_types(void)
{
    defaults();
    check_text("flag", " FALSE ", "false");
    CHECK(!conf.flag);
    check_text("max.tasks", "+007", "7");
    CHECK_INT(conf.tasks, 7);
    check_text("small", "-32768", "-32768");
    check_text("big", "100", "100");
    check_text("ratio", "5e-1", "0.5");
    check_text("ratio", "1d", "1.0");
    check_text("name", "\t a b\n", "a b");
    CHECK_SLICE(conf.name, SL("a b"));
    check_text("name", "second", "second");
    CHECK_SLICE(conf.name, SL("second"));
    check_text("topics", " a ,b,\tc ", "a,b,c");
    CHECK_SLICE(conf.topics, SL("a ,b,\tc"));
    check_text("password", "secret", "[hidden]");
    CHECK_SLICE(conf.password, SL("secret"));
    check_text("mode", "none", "none");
    CHECK_INT(conf.mode, 0);
    check_text("auth", "requested", "requested");
    check_text("hidden.pin", "12", "[hidden]");
    struct strbuf tmp = STRBUF_INIT;
    CHECK_SLICE(opt_text(opt_find(rows, SL("password")), &values, false, &tmp), SL("secret"));
    strbuf_release(&tmp);
    opt_values_release(&values);
}

/* SPEC: connect 2.2 */
static void messages(void)
{
    defaults();
    check_bad("tasks.max", SL("abc"),
              "Invalid value abc for configuration tasks.max: Not a number of type INT");
    check_bad("tasks.max", SL(" 1.5 "),
              "Invalid value  1.5  for configuration tasks.max: Not a number of type INT");
    check_bad("tasks.max", SL(""),
              "Invalid value  for configuration tasks.max: Not a number of type INT");
    check_bad("tasks.max", SL("+"),
              "Invalid value + for configuration tasks.max: Not a number of type INT");
    check_bad("tasks.max", SL("2147483648"),
              "Invalid value 2147483648 for configuration tasks.max: Not a number of type INT");
    check_bad("tasks.max", SL("0"),
              "Invalid value 0 for configuration tasks.max: Value must be at least 1");
    check_bad("big", SL("101"),
              "Invalid value 101 for configuration big: Value must be no more than 100");
    check_bad("big", SL("9223372036854775808"),
              "Invalid value 9223372036854775808 for configuration big: Not a number of type LONG");
    check_bad(
        "big", SL("99999999999999999999999999999999999999999999999999"),
        "Invalid value 99999999999999999999999999999999999999999999999999 for configuration big: "
        "Not a number of type LONG");
    check_bad("small", SL("32768"),
              "Invalid value 32768 for configuration small: Not a number of type SHORT");
    check_bad("ratio", SL("x"),
              "Invalid value x for configuration ratio: Not a number of type DOUBLE");
    check_bad("ratio", SL("1.5"),
              "Invalid value 1.5 for configuration ratio: Value must be no more than 1.0");
    check_bad("ratio", SL("-2"),
              "Invalid value -2.0 for configuration ratio: Value must be at least 0.0");
    check_bad(
        "flag", SL("yes"),
        "Invalid value yes for configuration flag: Expected value to be either true or false");
    check_bad("mode", SL("ALL"),
              "Invalid value ALL for configuration mode: String must be one of: none, all");
    check_bad("auth", SL("off"),
              "Invalid value off for configuration auth: String must be one of (case "
              "insensitive): REQUESTED, REQUIRED");
    check_bad("name", SL(" "), "Invalid value  for configuration name: String must be non-empty");
    check_bad("name", SLICE_NULL, "Null value can not be supplied as the configuration value.");
    check_bad("hidden.pin", SL("s3cret"),
              "Invalid value [hidden] for configuration hidden.pin: Not a number of type INT");
    CHECK_INT(values.texts.count, 0); /* nothing of it was kept */
    CHECK_INT(conf.tasks, 1);
}

static void check_list(const char *text, const char *want)
{
    struct slice rest = slice_cstr(text), part;
    struct strbuf b = STRBUF_INIT;
    while (opt_list_next(&rest, &part))
        strbuf_addf(&b, "[" PRI_SL "]", ARG_SL(part));
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void lists(void)
{
    check_list("", "");
    check_list("  ", "");
    check_list("a", "[a]");
    check_list(" a , b,c ", "[a][b][c]");
    check_list("a,,b", "[a][][b]");
    check_list("a,", "[a][]");
    check_list(",", "[][]");
    check_list(",a", "[][a]");
    struct slice rest = SLICE_NULL, part;
    CHECK(!opt_list_next(&rest, &part));
}

static void finding(void)
{
    CHECK(opt_find(rows, SL("tasks.max")) == opt_find(rows, SL("max.tasks")));
    CHECK(opt_find(rows, SL("nothing")) == NULL);
    CHECK_STR(opt_nearest(rows, SL("task.max")), "tasks.max");
    CHECK_STR(opt_nearest(rows, SL("TASKS.MAX")), "tasks.max");
    CHECK(opt_nearest(rows, SL("completely.other")) == NULL);
    CHECK(opt_nearest(rows, SL("hidden.pim")) == NULL);
    char longest[400];
    memset(longest, 'x', sizeof longest);
    CHECK(opt_nearest(rows, slice_of(longest, sizeof longest)) == NULL);
    CHECK_STR(opt_type_name(OPT_CHOICE), "STRING");
    CHECK_STR(opt_type_name(OPT_PASSWORD), "PASSWORD");
}

static void help(void)
{
    struct strbuf b = STRBUF_INIT;
    opt_help(rows, &b);
    CHECK(slice_starts(
        strbuf_slice(&b),
        SL("Common:\n"
           "  flag                          Switches it on. (BOOLEAN, default true)\n"
           "  tasks.max                     Most tasks that may run at the same time; more\n"
           "                                than one helps only where the source can be\n"
           "                                divided. (INT, default 1)\n")));
    CHECK(strstr(b.p, "\n\nOther:\n") != NULL);
    CHECK(strstr(b.p, "(STRING: none | all, default all)") != NULL);
    CHECK(strstr(b.p, "(STRING, required)") != NULL);
    CHECK(strstr(b.p, "hidden.pin") == NULL);
    struct slice rest = strbuf_slice(&b), line;
    while (slice_split(&rest, '\n', &line))
        CHECK(line.n < 80);
    strbuf_release(&b);
}

static const struct test_case tests[] = {
    {"defaults", defaults}, {"values_of_all_types", values_of_all_types},
    {"messages", messages}, {"lists", lists},
    {"finding", finding},   {"help", help},
    {NULL, NULL},
};
const struct test_suite test_opt = {"base/opt", tests};
