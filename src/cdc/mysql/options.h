/* cdc/mysql/options.h - options of the MySQL and MariaDB connectors: rows, values, old names.
 *
 * A configuration goes through three steps: mysql_options_canonical renames what older releases
 * called otherwise, mysql_options_check reports every wrong value in Debezium's words (validation),
 * mysql_options_load fills the struct (task). SPEC: cdc-mysql 1.2-1.4. Thread: any. */
#ifndef WEIR_CDC_MYSQL_OPTIONS_H
#define WEIR_CDC_MYSQL_OPTIONS_H

#include "base/base.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/strmap.h"
#include "cdc/filter.h"
#include "cdc/options.h"

enum mysql_flavour {
    FLAVOUR_MYSQL,
    FLAVOUR_MARIADB
}; /* of the connector class, not of the server */

enum snapshot_mode {
    SNAPSHOT_INITIAL,
    SNAPSHOT_ALWAYS,
    SNAPSHOT_INITIAL_ONLY,
    SNAPSHOT_NO_DATA,
    SNAPSHOT_RECOVERY,
    SNAPSHOT_WHEN_NEEDED,
    SNAPSHOT_NEVER,
    SNAPSHOT_CONFIGURED,
};
enum locking_mode {
    LOCKING_MINIMAL,
    LOCKING_EXTENDED,
    LOCKING_NONE,
    LOCKING_PERCONA,
    LOCKING_PERCONA_NO_TABLES,
    LOCKING_AT_LEAST_ONCE,
};
enum decimal_mode { DECIMAL_PRECISE, DECIMAL_STRING, DECIMAL_DOUBLE };
enum time_mode { TIME_ADAPTIVE, TIME_CONNECT, TIME_ISO, TIME_MICRO, TIME_NANO };
enum binary_mode { BINARY_BYTES, BINARY_BASE64, BINARY_BASE64_URL, BINARY_HEX };
enum row_count_order { ORDER_NONE, ORDER_ASCENDING, ORDER_DESCENDING };

struct mysql_options {
    CAPTURE_OPTIONS;
    /* One field per row of options.def that is read. */
    struct slice hostname;
    int32_t port;
    struct slice user;
    struct slice password;
    int32_t query_timeout_ms;
    struct slice initial_statements;
    int64_t server_id;
    struct slice ssl_keystore;
    struct slice ssl_keystore_password;
    struct slice ssl_truststore;
    struct slice ssl_truststore_password;
    struct slice ssl_mode;
    struct slice value_failure_mode;
    int64_t max_queue_bytes;
    bool conf_snapshot_schema;
    bool conf_on_schema_error;
    struct slice decimal_mode;
    int64_t snapshot_lock_timeout_ms;
    int32_t connect_timeout_ms;
    bool keep_alive;
    int64_t keep_alive_interval_ms;
    int64_t net_write_timeout;
    int64_t net_read_timeout;
    struct slice bigint_mode;
    struct slice time_mode;
    bool time_adjuster;
    struct slice locking_mode;
    bool only_captured_tables;
    bool only_captured_databases;
    struct slice signal_table;
    bool read_only;
    struct slice column_include;
    struct slice column_exclude;
    struct slice table_include;
    struct slice table_exclude;
    struct slice message_key_columns;
    struct slice select_overrides;
    bool include_schema_changes;
    bool include_schema_comments;
    struct slice propagate_columns;
    struct slice propagate_types;
    struct slice snapshot_order;
    struct slice heartbeat_query;
    bool include_query;
    bool ignore_builtin;
    struct slice inconsistent_schema_mode;
    bool gtid_filter_dml;
    struct slice gtid_includes;
    struct slice gtid_excludes;
    struct slice binary_mode;
    bool skip_unchanged;
    struct slice unavailable;
    bool xa_commit;
    struct slice history_topic;
    /* What the texts above mean; set by mysql_options_load. */
    enum mysql_flavour flavour;
    enum snapshot_mode snapshot;
    enum locking_mode locking;
    enum decimal_mode decimal;
    bool bigint_precise;
    enum time_mode time;
    enum binary_mode binary;
    enum failure_mode on_schema_error, on_value_error;
    enum row_count_order table_order;
};

extern const struct opt_row mysql_option_rows[]; /* ends with name NULL */
extern const struct opt_row mariadb_option_rows[];
static inline const struct opt_row *mysql_rows(enum mysql_flavour f)
{
    return f == FLAVOUR_MARIADB ? mariadb_option_rows : mysql_option_rows;
}

/* `out` is initialised: the configuration with old names replaced by new ones (a new name that is
 * given too wins). With `warn` each replacement and each unknown key is logged. */
void mysql_options_canonical(enum mysql_flavour f, const struct strmap *config, bool warn,
                             struct strmap *out);
/* Whether nobody reads this option; *near: the name that may be meant, or NULL. */
bool mysql_option_unread(enum mysql_flavour f, const struct strmap *config, struct slice key,
                         const char **near);
/* Reports every wrong value of a canonical configuration. Returns the number of errors. */
int mysql_options_check(enum mysql_flavour f, const struct strmap *canonical,
                        struct config_errors *errs);
/* Fills `o` (initialised here, released by mysql_options_release in any case). E_INVALID for values
 * that mysql_options_check refuses. */
enum err mysql_options_load(struct mysql_options *o, enum mysql_flavour f,
                            const struct strmap *config, struct error *e) MUST_CHECK;
void mysql_options_release(struct mysql_options *o);
/* The lists of the capture filter; texts of o. */
struct capture_lists mysql_capture_lists(const struct mysql_options *o);

#endif
