/* Privileges as SHOW GRANTS prints them. SPEC: cdc-mysql 2.3 */
#include "cdc/mysql/grants.h"

#include "helpers.h"

static void test_global(void)
{
    struct grants g = {0};
    grants_add(&g, SL("GRANT SELECT, RELOAD, BINLOG MONITOR ON *.* TO `SUPER`@`%` IDENTIFIED BY "
                      "PASSWORD '*E0AAB0C9CF2EB0C8F3A03D44DF1D9A40C2B1BC1C'"));
    CHECK(grants_global(&g, "SELECT") && grants_global(&g, "RELOAD"));
    CHECK(grants_global(&g, "REPLICATION CLIENT"));
    CHECK(!grants_global(&g, "REPLICATION SLAVE") && !grants_global(&g, "SUPER"));
    CHECK(!g.roles);
    CHECK_STR(g.items[0].scope, "*.*"); /* and nothing of the password */
    CHECK_STR(g.items[0].privileges, "SELECT, RELOAD, BINLOG MONITOR");
    grants_release(&g);
    grants_add(&g, SL("GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' WITH GRANT OPTION"));
    CHECK(grants_global(&g, "REPLICATION SLAVE"));
    grants_release(&g);
    grants_add(&g, SL("GRANT USAGE ON *.* TO `ALL`@`%`"));
    CHECK(!grants_somewhere(&g, "SELECT"));
    grants_release(&g);
}

static void test_tables(void)
{
    struct grants g = {0};
    grants_add(&g, SL("GRANT SELECT, INSERT (`a`, `b`), UPDATE ON `shop`.* TO `u`@`%`"));
    grants_add(&g, SL("GRANT INSERT ON `other`.`a ON b` TO `u`@`%`"));
    grants_add(&g, SL("GRANT DELETE ON `test\\_%`.* TO `u`@`%`"));
    grants_add(&g, SL("GRANT `reader`@`%` TO `u`@`%`"));
    grants_add(&g, SL("REVOKE SELECT ON `mysql`.* FROM `u`@`%`"));
    grants_add(&g, SL("GRANT PROXY ON ''@'' TO 'root'@'localhost' WITH GRANT OPTION"));
    CHECK(g.roles);
    CHECK_INT(g.count, 3);
    CHECK(!grants_global(&g, "SELECT") && grants_somewhere(&g, "SELECT"));
    CHECK(grants_table(&g, "SELECT", SL("shop"), SL("orders")));
    CHECK(!grants_table(&g, "SELECT", SL("shop2"), SL("orders")));
    CHECK(grants_table(&g, "UPDATE", SL("SHOP"), SL("orders")));
    CHECK(grants_table(&g, "INSERT", SL("other"), SL("a ON b")));
    CHECK(!grants_table(&g, "INSERT", SL("other"), SL("a")));
    CHECK(grants_table(&g, "DELETE", SL("test_1"), SL("t")));
    CHECK(!grants_table(&g, "DELETE", SL("test1"), SL("t")));
    grants_release(&g);
}

static const struct test_case tests[] = {
    {"global", test_global}, {"tables", test_tables}, {NULL, NULL}};
const struct test_suite test_mysql_grants = {"cdc/mysql/grants", tests};
