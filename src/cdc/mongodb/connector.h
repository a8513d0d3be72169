/* cdc/mongodb/connector.h - the connector class as Connect sees it. */
#ifndef WEIR_CDC_MONGODB_CONNECTOR_H
#define WEIR_CDC_MONGODB_CONNECTOR_H

#include "connect/connector.h"

extern const struct connector_ops
    mongo_connector_ops; /* io.debezium.connector.mongodb.MongoDbConnector */

#endif
