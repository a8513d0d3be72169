/* cdc/mongodb/options_check.c - every wrong value of a configuration, in Debezium's words.
 * SPEC: cdc-mongodb 2 */
#include "cdc/mongodb/options.h"

int mongo_options_check(const struct strmap *canonical, struct config_errors *errs)
{
    if (slice_trim(strmap_get_c(canonical, "topic.prefix")).n)
        return 0;
    config_error(errs, "topic.prefix", "The 'topic.prefix' value is invalid: A value is required");
    return 1;
}
