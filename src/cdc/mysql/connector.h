/* cdc/mysql/connector.h - the two connector classes as Connect sees them. */
#ifndef WEIR_CDC_MYSQL_CONNECTOR_H
#define WEIR_CDC_MYSQL_CONNECTOR_H

#include "connect/connector.h"

extern const struct connector_ops
    mysql_connector_ops; /* io.debezium.connector.mysql.MySqlConnector */
extern const struct connector_ops
    mariadb_connector_ops; /* io.debezium.connector.mariadb.MariaDbConnector */

#endif
