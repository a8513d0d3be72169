/* The last lines that the log had of a connector's tasks. */
#include "connect/recent.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log_tap.h"
#include "helpers.h"

/* "ERROR 0 text; ..." of a connector, newest first. */
static void expect(const char *connector, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    json_t *lines = recent_lines(slice_cstr(connector)), *one;
    size_t i;
    json_array_foreach(lines, i, one)
    {
        CHECK(json_integer_value(json_object_get(one, "at")) > 1600000000000);
        strbuf_addf(&b, "%s%s %d %s", i ? "; " : "",
                    json_string_value(json_object_get(one, "level")),
                    (int)json_integer_value(json_object_get(one, "task")),
                    json_string_value(json_object_get(one, "text")));
    }
    CHECK_STR(b.n ? b.p : "", want);
    json_decref(lines);
    strbuf_release(&b);
}

static void say(const char *context, enum log_level level, const char *text)
{
    struct log_ctx c, inner;
    log_ctx_push(&c, context);
    log_ctx_push(&inner, "table=d.t");
    log_write(NULL, LOG_CONNECT_TASK, level, "%s", text);
    log_ctx_pop(&inner);
    log_ctx_pop(&c);
}

static void test_lines(void)
{
    log_tap(recent_note);
    recent_clear();
    say("connector=a task=0", LOG_L_WARN, "first");
    say("connector=a task=1", LOG_L_ERROR, "second");
    say("connector=a task=0", LOG_L_INFO, "nothing to worry about");
    say("connector=b c task=7", LOG_L_WARN, "a name with a space");
    say("conn=17", LOG_L_WARN, "another part of weir");
    expect("a", "ERROR 1 second; WARN 0 first");
    CHECK_INT(recent_count(SL("a"), 0), 2);
    CHECK_INT(recent_count(SL("a"), clock_wall_ms() + 1000), 0);
    CHECK_INT(recent_count(SL("nobody"), 0), 0);
    expect("b c", "WARN 7 a name with a space");
    expect("b", "");
    for (int i = 0; i < RECENT_LINES; i++) {
        char text[20];
        snprintf(text, sizeof text, "%d", i);
        say("connector=a task=0", LOG_L_WARN, text);
    }
    expect("a", "WARN 0 7; WARN 0 6; WARN 0 5; WARN 0 4; WARN 0 3; WARN 0 2; WARN 0 1; WARN 0 0");
    log_tap(NULL);
    say("connector=a task=0", LOG_L_WARN, "nobody listens");
    expect("b c", "WARN 7 a name with a space");
    recent_clear();
    expect("b c", "");
}

/* Who was quiet longest makes room; a text is cut between characters. */
static void test_room(void)
{
    static char text[1200];
    struct strbuf want = STRBUF_INIT;
    log_tap(recent_note);
    for (int i = 0; i <= RECENT_CONNECTORS; i++) {
        char context[40];
        snprintf(context, sizeof context, "connector=c%d task=0", i);
        say(context, LOG_L_WARN, "x");
        say("connector=c1 task=0", LOG_L_WARN, "y");
    }
    expect("c0", "");
    expect("c2", "WARN 0 x");
    expect("c1", "WARN 0 y; WARN 0 y; WARN 0 y; WARN 0 y; WARN 0 y; WARN 0 y; WARN 0 y; WARN 0 y");
    strbuf_adds(&want, "WARN 0 a");
    text[0] = 'a';
    for (int i = 1; i + 3 < 1100; i += 3)
        memcpy(text + i, "\xec\xbb\xa4", 3);
    for (int i = 1; i + 3 <= 1000; i += 3)
        strbuf_adds(&want, "\xec\xbb\xa4");
    recent_clear();
    say("connector=long task=0", LOG_L_WARN, text);
    expect("long", want.p);
    log_tap(NULL);
    recent_clear();
    strbuf_release(&want);
}

static const struct test_case tests[] = {
    {"lines by connector", test_lines},
    {"room", test_room},
    {NULL, NULL},
};
const struct test_suite test_recent = {"connect/recent", tests, NULL, NULL};
