/* Include and exclude lists: Java's rules for whole, case-insensitive matches. SPEC: cdc-mysql 1.5
 */
#include "cdc/filter.h"

#include "helpers.h"

static bool matches(const char *pattern, const char *text)
{
    struct regex *r;
    CHECK_OK(regex_compile(&r, slice_cstr(pattern), REGEX_ANY_CASE, NULL));
    bool yes = regex_matches(r, slice_cstr(text));
    regex_free(r);
    return yes;
}

static void test_whole(void)
{
    CHECK(matches("inventory.customers", "inventory.customers"));
    CHECK(matches("inventory.customers", "inventory_customers"));
    CHECK(matches("INVENTORY\\.customers", "inventory.CUSTOMERS"));
    CHECK(!matches("inventory", "inventory.customers"));
    CHECK(!matches("customers", "inventory.customers"));
    CHECK(matches("(?!filters).*", "other"));
    CHECK(!matches("(?!filters).*", "filters_two"));
    CHECK(matches("db\\.(a|ab)", "db.ab"));
    CHECK(matches("db\\.[^_].*\\d", "db.t1"));
    CHECK(matches("가.*", "가나"));
    CHECK(!matches(".*", "\xff\xfe"));
    CHECK(!matches("a$", "a\n"));
}

static void test_limit(void)
{
    CHECK(!matches("(a+)+b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"));
}

static void check_error(const char *pattern, const char *text)
{
    struct regex *r;
    struct error e = {0};
    CHECK_ERR(regex_compile(&r, slice_cstr(pattern), REGEX_ANY_CASE, &e), E_INVALID);
    CHECK_STR(e.msg, text);
}

static void test_errors(void)
{
    check_error("[", "Unclosed character class near index 0\n[\n^");
    check_error("c.(d", "Unclosed group near index 4\nc.(d");
    check_error("*a", "Dangling meta character '*' near index 0\n*a\n^");
    check_error("x**", "Dangling meta character '*' near index 2\nx**\n  ^");
}

static void test_list(void)
{
    struct regex_list l;
    CHECK_OK(regex_list_parse(&l, SL(" a\\.b , ,c{1\\,2},d"), NULL));
    CHECK_INT(l.count, 3);
    CHECK_INT(regex_list_find(&l, SL("a.b")), 0);
    CHECK_INT(regex_list_find(&l, SL("cc")), 1);
    CHECK_INT(regex_list_find(&l, SL("D")), 2);
    CHECK_INT(regex_list_find(&l, SL("axb")), -1);
    regex_list_release(&l);
    CHECK_OK(regex_list_parse(&l, SLICE_NULL, NULL));
    CHECK_INT(l.count, 0);
    regex_list_release(&l);
    CHECK_ERR(regex_list_parse(&l, SL("a,(b"), NULL), E_INVALID);
    CHECK_INT(l.count, 0);
}

static void test_capture(void)
{
    struct capture_filter f;
    struct capture_lists l = {
        .database_include = SL("shop,other"),
        .table_include = SL("shop\\.orders,shop\\.customer.*"),
        .column_exclude = SL("shop\\.orders\\.secret"),
        .signal_table = SL("ctl.signals"),
        .ignore_builtin = true,
    };
    CHECK_OK(capture_filter_init(&f, &l, NULL));
    CHECK(capture_table(&f, SL("shop"), SL("ORDERS")));
    CHECK(capture_table(&f, SL("ctl"), SL("signals")));
    CHECK(capture_is_signal_table(&f, SL("ctl"), SL("Signals")));
    CHECK(!capture_table(&f, SL("ctl"), SL("others")));
    CHECK(!capture_table(&f, SL("other"), SL("orders")));
    CHECK(!capture_database(&f, SL("mysql")));
    CHECK(!capture_column(&f, SL("shop"), SL("orders"), SL("secret")));
    CHECK(capture_column(&f, SL("shop"), SL("orders"), SL("id")));
    CHECK_INT(capture_table_rank(&f, SL("shop"), SL("customers")), 1);
    CHECK(capture_table_rank(&f, SL("shop"), SL("x")) == SIZE_MAX);
    capture_filter_release(&f);

    struct capture_lists none = {.ignore_builtin = true};
    CHECK_OK(capture_filter_init(&f, &none, NULL));
    CHECK(capture_table(&f, SL("any"), SL("thing")));
    CHECK(!capture_table(&f, SL("sys"), SL("thing")));
    CHECK(capture_column(&f, SL("any"), SL("thing"), SL("c")));
    capture_filter_release(&f);
}

static const struct test_case tests[] = {
    {"whole matches", test_whole}, {"match limit", test_limit}, {"Java's errors", test_errors},
    {"lists", test_list},          {"capture", test_capture},   {NULL, NULL},
};
const struct test_suite test_filter = {"cdc/filter", tests};
