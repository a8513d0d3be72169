/* cdc/mysql/connector.c - the two classes: names, validation against the database, offsets.
 * SPEC: cdc-mysql 0.1, 1.2, 8.1 */
#include "cdc/mysql/connector.h"

#include <jansson.h>

#include "base/log.h"
#include "base/mem.h"
#include "cdc/mysql/access.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/history.h"
#include "cdc/mysql/inspect.h"
#include "cdc/mysql/offset.h"
#include "cdc/mysql/options.h"
#include "cdc/mysql/task.h"
#include "cdc/transform_hints.h"

#define DEBEZIUM_VERSION "3.5.0.Final" /* the level of compatibility that scripts ask for */

/* --- validation ------------------------------------------------------------------------------- */

/* Connect's answer has no place for warnings: they stand in the log. */
static void try_connection(enum mysql_flavour f, const struct strmap *config,
                           struct config_errors *errs)
{
    struct mysql_options o;
    struct mysql_access a = {0};
    struct mysql_conn *c = NULL;
    struct error e = {0};
    enum err rc = mysql_access_load(&a, &o, f, config, &e);
    if (rc) {
        config_error(errs, "database.hostname", "Error during connection validation: %s%s%s", e.msg,
                     e.hint[0] ? "; " : "", e.hint);
        mysql_access_release(&a);
        mysql_options_release(&o);
        return;
    }
    struct mysql_conn_options co = mysql_access_options(&a, NULL);
    int64_t limit = o.validation_timeout_ms > 0 ? o.validation_timeout_ms : 60000;
    if (co.connect_timeout_ms == 0 || co.connect_timeout_ms > limit)
        co.connect_timeout_ms = (uint32_t)limit;
    if (mysql_conn_open(&co, &c, &e)) {
        struct strbuf text = STRBUF_INIT;
        LOG_ERR(LOG_CDC_MYSQL, LOG_L_WARN, &e,
                "Failed testing connection for jdbc:mysql://%s:%d/ with user '%s'", a.host, a.port,
                a.user);
        mysql_access_problem(&e, limit, &text);
        config_error(errs, "database.hostname", "%s", text.p);
        strbuf_release(&text);
    } else {
        LOG_INFO(LOG_CDC_MYSQL,
                 "Successfully tested connection for jdbc:mysql://%s:%d/ with user '%s'", a.host,
                 a.port, a.user);
        mysql_warn_privileges(c);
    }
    mysql_conn_close(c);
    mysql_access_release(&a);
    mysql_options_release(&o);
}

/* Number of wrong values. */
static int check(enum mysql_flavour f, const struct strmap *config, struct config_errors *errs)
{
    struct strmap canonical;
    mysql_options_canonical(f, config, false, &canonical);
    int wrong = mysql_options_check(f, &canonical, errs);
    strmap_release(&canonical);
    return wrong;
}

static void validate(enum mysql_flavour f, const struct strmap *config, struct config_errors *errs)
{
    /* As the real validation shows them (golden validate-mysql). */
    config_hide(errs, "schema.history.internal");
    config_hide(errs, "gtid.source.excludes");
    config_dependent(errs, "table.ignore.builtin", "database.include.list");
    config_dependent(errs, "database.include.list", "table.include.list");
    config_dependent(errs, "gtid.source.includes", "table.include.list");
    transform_hints_tell(LOG_CDC_MYSQL, config, false);
    if (check(f, config, errs) == 0)
        try_connection(f, config, errs);
}

static void validate_mysql(const struct strmap *config, struct config_errors *errs)
{
    validate(FLAVOUR_MYSQL, config, errs);
}

static void validate_mariadb(const struct strmap *config, struct config_errors *errs)
{
    validate(FLAVOUR_MARIADB, config, errs);
}

static void check_mysql(const struct strmap *config, struct config_errors *errs)
{
    (void)check(FLAVOUR_MYSQL, config, errs);
}

static void check_mariadb(const struct strmap *config, struct config_errors *errs)
{
    (void)check(FLAVOUR_MARIADB, config, errs);
}

static bool unread_mysql(const struct strmap *config, struct slice key, const char **near)
{
    return mysql_option_unread(FLAVOUR_MYSQL, config, key, near);
}

static bool unread_mariadb(const struct strmap *config, struct slice key, const char **near)
{
    return mysql_option_unread(FLAVOUR_MARIADB, config, key, near);
}

/* --- offsets ---------------------------------------------------------------------------------- */

static enum err check_partition(struct slice partition, struct error *e)
{
    json_error_t fault;
    json_t *root = json_loadb(partition.p ? partition.p : "", partition.n, 0, &fault);
    bool ok = json_is_object(root) && json_is_string(json_object_get(root, "server"));
    json_decref(root);
    return ok ? E_OK
              : error_set(e, E_INVALID,
                          "a source partition has the form {\"server\":\"<topic.prefix>\"}");
}

static enum err check_offset(const struct strmap *config, struct slice partition,
                             struct slice offset, struct error *e)
{
    (void)config;
    enum err rc = check_partition(partition, e);
    if (rc || !offset.p)
        return rc;
    struct mysql_offset o;
    mysql_offset_init(&o);
    rc = mysql_offset_parse(&o, offset, e);
    mysql_offset_release(&o);
    return rc;
}

/* --- the classes ------------------------------------------------------------------------------ */

static const char *const mysql_aliases[] = {"MySqlConnector", "MySql", NULL};
static const char *const mariadb_aliases[] = {"MariaDbConnector", "MariaDb", NULL};

const struct connector_ops mysql_connector_ops = {
    .class_name = "io.debezium.connector.mysql.MySqlConnector",
    .aliases = mysql_aliases,
    .task_class = "io.debezium.connector.mysql.MySqlConnectorTask",
    .version = DEBEZIUM_VERSION,
    .kind = CONNECTOR_SOURCE,
    .rows = mysql_option_rows,
    .validate = validate_mysql,
    .check = check_mysql,
    .unread = unread_mysql,
    .inspect = mysql_inspect,
    .source = &mysql_source_ops,
    .check_offset = check_offset,
    .offsets_by_framework = true,
    .forget = history_forget,
    .migrations = &mysql_migrations,
};

const struct connector_ops mariadb_connector_ops = {
    .class_name = "io.debezium.connector.mariadb.MariaDbConnector",
    .aliases = mariadb_aliases,
    .task_class = "io.debezium.connector.mariadb.MariaDbConnectorTask",
    .version = DEBEZIUM_VERSION,
    .kind = CONNECTOR_SOURCE,
    .rows = mariadb_option_rows,
    .validate = validate_mariadb,
    .check = check_mariadb,
    .unread = unread_mariadb,
    .inspect = mariadb_inspect,
    .source = &mariadb_source_ops,
    .check_offset = check_offset,
    .offsets_by_framework = true,
    .forget = history_forget,
    .migrations = &mysql_migrations,
};
