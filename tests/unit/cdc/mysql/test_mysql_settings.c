/* Variables of the server and what is said about them. SPEC: cdc-mysql 2.5, 10 (19) */
#include "cdc/mysql/settings.h"

#include "helpers.h"

static void look(const char *const *pairs, bool mariadb, bool queries, struct inspection *out)
{
    struct server_settings s = {.mariadb = mariadb, .queries = queries};
    strmap_init(&s.variables);
    for (; *pairs; pairs += 2)
        strmap_set(&s.variables, slice_cstr(pairs[0]), slice_cstr(pairs[1]));
    inspection_init(out);
    server_settings_inspect(&s, out);
    server_settings_release(&s);
}

static void test_all_is_well(void)
{
    struct inspection found;
    const char *const pairs[] = {"log_bin",
                                 "ON",
                                 "binlog_format",
                                 "ROW",
                                 "binlog_row_image",
                                 "NOBLOB",
                                 "server_id",
                                 "1",
                                 "binlog_expire_logs_seconds",
                                 "2592000",
                                 "expire_logs_days",
                                 "0.500000",
                                 "binlog_rows_query_log_events",
                                 "OFF",
                                 "log_slave_updates",
                                 "OFF",
                                 NULL};
    look(pairs, false, false, &found);
    CHECK_INT(found.count, 1);
    CHECK_INT(found.items[0].level, INSPECT_OK);
    inspection_release(&found);
}

static void test_faults(void)
{
    static const struct {
        const char *name, *value;
        enum inspect_level level;
        const char *says, *cure;
    } rows[] = {
        {"log_bin", "OFF", INSPECT_FAULT, "no binary log", "log_bin=mysql-bin"},
        {"binlog_format", "MIXED", INSPECT_FAULT, "use a binlog_format=ROW and restart",
         "binlog_format=ROW"},
        {"binlog_row_image", "MINIMAL", INSPECT_FAULT, "use a binlog_row_image=FULL and restart",
         "binlog_row_image=FULL"},
        {"server_id", "0", INSPECT_WARNING, "server_id=0", "server_id=1"},
        {"binlog_expire_logs_seconds", "3600", INSPECT_WARNING, "less than a day", "604800"},
        {"expire_logs_days", "0.500000", INSPECT_WARNING, "less than a day", "=7"},
        {"log_bin_compress", "ON", INSPECT_NOTE, "compressed", NULL},
        {"binlog_annotate_row_events", "OFF", INSPECT_WARNING, "include.query", "=ON"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct inspection found;
        const char *const pairs[] = {rows[i].name, rows[i].value, NULL};
        look(pairs, true, true, &found);
        CHECK_INT(found.count, 1);
        CHECK_INT(found.items[0].level, rows[i].level);
        CHECK_STR(found.items[0].what, rows[i].name);
        CHECK(strstr(found.items[0].text, rows[i].says) != NULL);
        CHECK(rows[i].cure ? strstr(found.items[0].cure, rows[i].cure) != NULL
                           : found.items[0].cure == NULL);
        inspection_release(&found);
    }
}

/* MySQL has the variable under two names, and is warned about once. */
static void check_replica(const char *const *names, const char *what)
{
    struct server_settings s = {.replica = true};
    struct inspection found;
    strmap_init(&s.variables);
    for (; *names; names++)
        strmap_set(&s.variables, slice_cstr(*names), SL("OFF"));
    inspection_init(&found);
    server_settings_inspect(&s, &found);
    CHECK_INT(found.count, 1);
    CHECK_STR(found.items[0].what, what);
    CHECK_INT(found.items[0].level, INSPECT_WARNING);
    server_settings_release(&s);
    inspection_release(&found);
}

static void test_replica(void)
{
    static const char *const both[] = {"log_slave_updates", "log_replica_updates", NULL};
    static const char *const old[] = {"log_slave_updates", NULL};
    check_replica(both, "log_replica_updates");
    check_replica(old, "log_slave_updates");
}

static const struct test_case tests[] = {{"replicas", test_replica},
                                         {"all is well", test_all_is_well},
                                         {"faults", test_faults},
                                         {NULL, NULL}};
const struct test_suite test_mysql_settings = {"cdc/mysql/settings", tests};
