/* cdc/cdc.c - the plugin arrays of this module. A new connector is one more row. */
#include "cdc/cdc.h"

#include "cdc/mysql/connector.h"

static const struct connector_ops *const connectors[] = {
    &mysql_connector_ops,
    &mariadb_connector_ops,
    NULL,
};

const struct connect_plugins cdc_plugins = {
    .connectors = connectors,
};
