/* SPEC: cdc-mysql 5.13 */
#include "cdc/naming.h"

#include "helpers.h"

static void topic(const char *raw, bool unicode, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    naming_topic(slice_cstr(raw), unicode, &b);
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void adjust(const char *raw, enum name_adjustment how, bool field, const char *want)
{
    struct strbuf b = STRBUF_INIT;
    naming_adjust(slice_cstr(raw), how, field, &b);
    CHECK_STR(b.p, want);
    strbuf_release(&b);
}

static void test_topic(void)
{
    topic("p-1.x.db.t_1", false, "p-1.x.db.t_1");
    topic("p.db.a b$", false, "p.db.a_b_");
    topic("p.db.한", false, "p.db._");
    topic("p.db.😀", false, "p.db.__");
    topic("p.db.한_", true, "p.db._ud55c_u005f");
    topic(".", false, "_");
    topic("..", false, "__");
    char longest[400];
    memset(longest, 'a', sizeof longest);
    longest[399] = '\0';
    struct strbuf b = STRBUF_INIT;
    naming_topic(slice_cstr(longest), false, &b);
    CHECK_INT(b.n, 249);
    strbuf_release(&b);
}

static void test_adjust(void)
{
    adjust("a-b.1c.d", NAME_AS_IS, false, "a-b.1c.d");
    adjust("a-b.1c.d", NAME_AVRO, false, "a_b.1c.d");
    adjust("1.x-y", NAME_AVRO, true, "_1_x_y");
    adjust("1c.d", NAME_AVRO, false, "_1c.d");
    adjust("a-b", NAME_AVRO_UNICODE, true, "a_u002db");
}

static const struct test_case tests[] = {
    {"topics", test_topic}, {"adjustment", test_adjust}, {NULL, NULL}};
const struct test_suite test_naming = {"cdc/naming", tests};
