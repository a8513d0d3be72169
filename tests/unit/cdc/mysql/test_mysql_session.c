/* What of the server's sql_mode a session of ours keeps. */
#include "cdc/mysql/conn.h"
#include "helpers.h"

static void check_mode(const char *mode, bool all, const char *want)
{
    struct strbuf kept = STRBUF_INIT;
    CHECK(mysql_session_mode(slice_cstr(mode), &kept) == all);
    CHECK_STR(kept.n ? kept.p : "", want);
    strbuf_release(&kept);
}

static void test_mode(void)
{
    check_mode("", true, "");
    check_mode("STRICT_TRANS_TABLES,NO_ZERO_DATE", true, "STRICT_TRANS_TABLES,NO_ZERO_DATE");
    check_mode("NO_BACKSLASH_ESCAPES", false, "");
    check_mode("REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ANSI,NO_ZERO_DATE", false,
               "REAL_AS_FLOAT,PIPES_AS_CONCAT,IGNORE_SPACE,NO_ZERO_DATE");
    /* MariaDB's combinations would bring ANSI_QUOTES back. */
    check_mode("PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ORACLE,NO_KEY_OPTIONS", false,
               "PIPES_AS_CONCAT,IGNORE_SPACE,NO_KEY_OPTIONS");
}

static const struct test_case tests[] = {{"sql_mode", test_mode}, {NULL, NULL}};
const struct test_suite test_mysql_session = {"cdc/mysql/session", tests};
