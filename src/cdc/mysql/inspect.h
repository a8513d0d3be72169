/* cdc/mysql/inspect.h - a look at a server as a connector would need it: connection, settings,
 * position, privileges, tables. The rows and questions are those of a task's start. SPEC:
 * cdc-mysql 2.2-2.5. Thread: the caller's; blocks. */
#ifndef WEIR_CDC_MYSQL_INSPECT_H
#define WEIR_CDC_MYSQL_INSPECT_H

#include "base/base.h"
#include "base/strmap.h"
#include "cdc/mysql/conn.h"
#include "cdc/mysql/options.h"
#include "connect/inspect.h"

/* For struct connector_ops. */
void mysql_inspect(const struct strmap *config, struct inspection *out);
void mariadb_inspect(const struct strmap *config, struct inspection *out);

/* The part about privileges: one finding, with the GRANT that is missing. */
void mysql_inspect_privileges(struct mysql_conn *c, const struct mysql_options *o,
                              struct inspection *out);
/* Logs what is missing, for the test connection of a validation. */
void mysql_warn_privileges(struct mysql_conn *c);

#endif
