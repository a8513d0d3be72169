/* cdc/mongodb/connector.c - the class: names, validation against the cluster, offsets.
 * SPEC: cdc-mongodb 0, 2.1, 3.3, 8.1 */
#include "cdc/mongodb/connector.h"

#include "cdc/mongodb/client.h"
#include "cdc/mongodb/options.h"
#include "cdc/mongodb/task.h"

#define DEBEZIUM_VERSION "3.5.0.Final" /* the level of compatibility that scripts ask for */

static void try_connection(const struct strmap *config, struct config_errors *errs)
{
    struct mongo_options o;
    struct mongo_client_pool *p = NULL;
    struct error e = {0};
    enum err rc = mongo_options_load(&o, config, &e);
    if (rc == E_OK)
        rc = mongo_client_pool_open(&p, &o, NULL, NULL, &e);
    if (rc)
        config_error(errs, "mongodb.connection.string", "Unable to connect: %s", e.msg);
    mongo_client_pool_close(p);
    mongo_options_release(&o);
}

static void validate(const struct strmap *config, struct config_errors *errs)
{
    struct strmap canonical;
    mongo_options_canonical(config, false, &canonical);
    config_hide(errs, "collection.exclude.list");
    if (mongo_options_check(&canonical, errs) == 0)
        try_connection(config, errs);
    strmap_release(&canonical);
}

static const char *const aliases[] = {"MongoDbConnector", "MongoDb", NULL};

const struct connector_ops mongo_connector_ops = {
    .class_name = "io.debezium.connector.mongodb.MongoDbConnector",
    .aliases = aliases,
    .task_class = "io.debezium.connector.mongodb.MongoDbConnectorTask",
    .version = DEBEZIUM_VERSION,
    .kind = CONNECTOR_SOURCE,
    .rows = mongo_option_rows,
    .validate = validate,
    .source = &mongo_source_ops,
    .offsets_by_framework = true,
};
