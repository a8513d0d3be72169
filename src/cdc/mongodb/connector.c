/* cdc/mongodb/connector.c - the class: names, validation against the cluster, offsets.
 * SPEC: cdc-mongodb 0, 2.1, 3.3, 8.1 */
#include "cdc/mongodb/connector.h"

#include "base/clock.h"
#include "base/log.h"
#include "cdc/mongodb/access.h"
#include "cdc/mongodb/client.h"
#include "cdc/mongodb/diagnose.h"
#include "cdc/mongodb/inspect.h"
#include "cdc/mongodb/newcomers.h"
#include "cdc/mongodb/options.h"
#include "cdc/mongodb/task.h"
#include "cdc/transform_hints.h"

#define DEBEZIUM_VERSION "3.5.0.Final" /* the level of compatibility that scripts ask for */

/* How long a validation waits for a member; with the closer look that follows it ends within 5
 * s. */
#define MEMBER_MS 1500

static void refuse(struct config_errors *errs, const char *prefix, const struct error *e)
{
    config_error(errs, "mongodb.connection.string", "%s%s%s%s%s", prefix, e->msg,
                 e->hint[0] ? " (" : "", e->hint, e->hint[0] ? ")" : "");
}

/* The questions of the original's validation, with its words in front. SPEC: cdc-mongodb 3.3 */
static void try_connection(const struct strmap *config, struct config_errors *errs)
{
    struct mongo_options o;
    struct mongo_client_pool *p = NULL;
    struct mongo_verdict verdict = {0};
    struct error e = {0};
    int64_t began = clock_mono_ms();
    enum err rc = mongo_options_load(&o, config, &e);
    int64_t limit =
        o.validation_timeout_ms > 0 ? MIN(o.validation_timeout_ms, MEMBER_MS) : MEMBER_MS;
    if (rc == E_OK)
        rc = mongo_client_pool_try(&p, &o, (int32_t)limit, &verdict, &e);
    if (rc && verdict.finding == FINDING_NO_PRIMARY) { /* passes, and the task waits for it */
        LOG_WARN(LOG_CDC_MONGO, "%s", e.msg);
    } else if (rc && o.validation_timeout_ms > 0 &&
               clock_mono_ms() - began >= o.validation_timeout_ms) {
        config_error(errs, "mongodb.connection.string",
                     "Connection validation timed out after %lldms",
                     (long long)o.validation_timeout_ms);
    } else if (rc) {
        refuse(errs, "Unable to connect: ", &e);
    } else {
        mongoc_client_t *c = mongo_client_take(p);
        rc = mongo_check_databases(p, c, &o, &e);
        if (rc == E_OK)
            rc = mongo_check_stream(p, c, &o, &e);
        if (rc == E_IO && e.sys) /* the cluster is between two states: the task waits for it */
            LOG_ERR(LOG_CDC_MONGO, LOG_L_WARN, &e, "the change stream cannot be opened now");
        else if (rc)
            refuse(errs, rc == E_AUTH ? "" : "Unable to connect: ", &e);
        mongo_client_give(p, c);
    }
    mongo_client_pool_close(p);
    mongo_options_release(&o);
}

/* Number of wrong values. */
static int check_values(const struct strmap *config, struct config_errors *errs)
{
    struct strmap canonical;
    mongo_options_canonical(config, false, &canonical);
    int wrong = mongo_options_check(&canonical, errs);
    strmap_release(&canonical);
    return wrong;
}

static void validate(const struct strmap *config, struct config_errors *errs)
{
    config_hide(errs, "collection.exclude.list");
    transform_hints_tell(LOG_CDC_MONGO, config, true);
    if (check_values(config, errs) == 0)
        try_connection(config, errs);
}

static void check(const struct strmap *config, struct config_errors *errs)
{
    (void)check_values(config, errs);
}

static bool unread(const struct strmap *config, struct slice key, const char **near)
{
    (void)config;
    return mongo_option_unread(key, near);
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
    .check = check,
    .unread = unread,
    .inspect = mongo_inspect,
    .source = &mongo_source_ops,
    .offsets_by_framework = true,
    .migrations = &mongo_migrations,
};
