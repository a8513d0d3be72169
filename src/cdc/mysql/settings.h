/* cdc/mysql/settings.h - variables of the server that capture depends on, one row each, and what is
 * to be said when they are set otherwise. SPEC: cdc-mysql 2.5, 10. Thread: the owner's. */
#ifndef WEIR_CDC_MYSQL_SETTINGS_H
#define WEIR_CDC_MYSQL_SETTINGS_H

#include "base/base.h"
#include "base/err.h"
#include "base/strmap.h"
#include "cdc/mysql/conn.h"
#include "connect/inspect.h"

struct server_settings {
    struct strmap variables; /* those that the server has */
    bool mariadb;
    bool replica; /* the server replicates from another one */
    bool queries; /* include.query: the text of statements is wanted */
};
/* Asks the server once. Released by the caller in any case. */
enum err server_settings_read(struct server_settings *s, struct mysql_conn *c,
                              struct error *e) MUST_CHECK;
void server_settings_release(struct server_settings *s);
/* Adds a finding for each variable that is not as it should be, and one that all are. Faults keep
 * a task from starting, except log_bin, which only its snapshot notices (recorded in binlog-off). */
void server_settings_inspect(const struct server_settings *s, struct inspection *out);

#endif
