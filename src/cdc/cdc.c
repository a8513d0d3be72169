/* cdc/cdc.c - the plugin arrays of this module. A new connector or transform is one more row. */
#include "cdc/cdc.h"

#include "cdc/mongodb/connector.h"
#include "cdc/mysql/connector.h"
#include "cdc/transforms/transforms.h"

static const struct connector_ops *const connectors[] = {
    &mysql_connector_ops,
    &mariadb_connector_ops,
    &mongo_connector_ops,
    NULL,
};

static const struct transform_ops *const transforms[] = {
#define X(name) &name,
    DEBEZIUM_TRANSFORMS(X)
#undef X
        NULL,
};

const struct connect_plugins cdc_plugins = {
    .connectors = connectors,
    .transforms = transforms,
};
